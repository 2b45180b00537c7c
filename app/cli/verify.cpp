// `wiregrad verify`: does an exported file still compute what Wiregrad computed?
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include <spawn.h>
#include <sys/wait.h>

#include <filesystem>

#include "app/cli/commands.h"
#include "nodes/import/verify.h"

extern char** environ;

namespace wiregrad::cli {
namespace {

/// Runs a program without a shell; its exit status, or -1 when it does not start.
int run_program(std::vector<std::string> words, bool quiet) {
    std::vector<char*> arguments;
    for (std::string& word : words) {
        arguments.push_back(word.data());
    }
    arguments.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    if (quiet) {
        posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", 1, 0);
        posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", 1, 0);
    }
    pid_t child = 0;
    const int error =
        posix_spawnp(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0) {
        return -1;
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR) {
            return -1;
        }
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/// The Python that has what the script imports; empty: none.
std::string python_with(const std::string& given, const std::string& module) {
    for (const std::string& python : given.empty()
                                         ? std::vector<std::string>{"python3", "/usr/bin/python3"}
                                         : std::vector<std::string>{given}) {
        if (run_program({python, "-c", "import numpy, " + module}, true) == 0) {
            return python;
        }
    }
    return {};
}

} // namespace

int verify(const VerifyOptions& options) {
    const bool onnx = std::filesystem::path(options.file).extension() == ".onnx";
    graph::VerifyReport report =
        onnx ? graph::verify_onnx(options.file) : graph::verify_script(options.file);
    if (!onnx && report.good()) {
        const std::string python = python_with(options.python, "torch");
        if (python.empty()) {
            report.notes.push_back("the script was not run: there is no Python with PyTorch here");
        } else {
            std::fflush(stdout);
            const int code = run_program({python, options.file, "--verify"}, options.json);
            if (code != 0) {
                report.difference = "the script's own comparison (see above)";
            }
            report.checked.push_back("the script's outputs, gradients and updates");
        }
    }
    if (options.json) {
        nlohmann::ordered_json line{{"event", "done"},
                                    {"equal", report.good()},
                                    {"checked", report.checked},
                                    {"notes", report.notes}};
        if (!report.good()) {
            line["difference"] = report.difference;
        }
        fmt::print("{}\n", line.dump());
    } else {
        for (const std::string& note : report.notes) {
            fmt::print("{}\n", note);
        }
        if (report.good()) {
            fmt::print("Verified: {}.\n", fmt::join(report.checked, ", "));
        }
    }
    if (!report.good()) {
        throw RunError(fmt::format("{} is not what was exported: {} differs", options.file,
                                   report.difference));
    }
    return 0;
}

} // namespace wiregrad::cli
