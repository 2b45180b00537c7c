// `wiregrad train`: one run with a progress line for a person or an event a line for a program.
#include <fmt/format.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <utility>

#include "app/cli/commands.h"
#include "nodes/edit.h"
#include "nodes/project.h"

namespace wiregrad::cli {
namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

namespace {

/// The network's losses and metrics under the names that events use: "loss" when there is one.
struct Names {
    std::vector<std::string> losses, metrics;
    std::vector<bool> percent; ///< of each metric
};

Names names_of(const train::Model& model, const graph::Graph& graph) {
    Names names{model.loss_names(), model.metric_names(), {}};
    if (names.losses.size() == 1) {
        names.losses[0] = "loss";
    }
    for (const std::string& id : names.metrics) {
        const graph::Node* node = graph.node(id);
        names.percent.push_back(node && node->type == "Accuracy");
    }
    return names;
}

void put(Json& event, const std::string& prefix, const std::vector<std::string>& names,
         const std::vector<double>& values) {
    for (std::size_t i = 0; i < std::min(names.size(), values.size()); ++i) {
        event[prefix + names[i]] = values[i];
    }
}

std::string words(const Names& names, const std::vector<double>& losses,
                  const std::vector<double>& metrics) {
    std::string text;
    for (std::size_t i = 0; i < std::min(names.losses.size(), losses.size()); ++i) {
        text += fmt::format("{}{} {:.4f}", text.empty() ? "" : "  ", names.losses[i], losses[i]);
    }
    for (std::size_t i = 0; i < std::min(names.metrics.size(), metrics.size()); ++i) {
        text += names.percent[i] ? fmt::format("  {} {:.2f} %", names.metrics[i], 100 * metrics[i])
                                 : fmt::format("  {} {:.4f}", names.metrics[i], metrics[i]);
    }
    return text;
}

/// Prints what the trainer reports. Called on the trainer's thread; done() is waited for by the
/// main thread.
class Reporter : public train::Sink {
  public:
    Reporter(Names names, std::int64_t total_steps, std::int64_t epochs, bool json)
        : names_(std::move(names)), total_steps_(total_steps), epochs_(epochs), json_(json),
          terminal_(!json && isatty(2)) {}

    void on_step(const train::StepRecord& record) override {
        if (json_) {
            Json event{{"event", "step"}, {"step", record.step}, {"epoch", record.epoch}};
            put(event, "", names_.losses, record.losses);
            put(event, "", names_.metrics, record.metrics);
            event["lr"] = record.lr;
            event["samples_per_second"] = std::round(record.samples_per_second);
            event["seconds"] = record.seconds;
            print_line(event);
        } else if (terminal_) {
            const auto now = std::chrono::steady_clock::now();
            if (now - drawn_ < std::chrono::milliseconds(100)) {
                return;
            }
            drawn_ = now;
            const double fraction =
                total_steps_ > 0 ? std::min(1.0, double(record.step) / double(total_steps_)) : 0;
            const int filled = static_cast<int>(fraction * 24);
            const double left = fraction > 0 ? record.seconds * (1 - fraction) / fraction : 0;
            fmt::print(stderr, "\r\x1b[2KEpoch {}/{} [{}{}] {}  {:.0f} samples/s  {} left",
                       record.epoch, epochs_, std::string(static_cast<std::size_t>(filled), '='),
                       std::string(static_cast<std::size_t>(24 - filled), ' '),
                       words(names_, record.losses, {}), record.samples_per_second,
                       time_text(left));
            std::fflush(stderr);
        }
    }

    void on_epoch(const train::EpochRecord& record) override {
        if (json_) {
            Json event{{"event", "epoch"}, {"epoch", record.epoch}, {"step", record.step}};
            put(event, "", names_.losses, record.train_losses);
            put(event, "", names_.metrics, record.train_metrics);
            put(event, "validation_", names_.losses, record.losses);
            put(event, "validation_", names_.metrics, record.metrics);
            event["seconds"] = record.seconds;
            print_line(event);
            return;
        }
        clear_line();
        std::string line = fmt::format("Epoch {:>3}/{}  {}", record.epoch, epochs_,
                                       words(names_, record.train_losses, record.train_metrics));
        if (!record.losses.empty()) {
            line += "  |  validation  " + words(names_, record.losses, record.metrics);
        }
        fmt::print("{}  {}\n", line, time_text(record.seconds));
        std::fflush(stdout);
    }

    /// Where a step cannot be recorded, it is said why, once: it then takes longer.
    void on_program(const train::ProgramRecord& record) override {
        if (record.replayed || std::exchange(said_why_, true)) {
            return;
        }
        if (json_) {
            print_line(
                Json{{"event", "op_by_op"}, {"reason", record.reason}, {"node", record.node}});
        } else {
            clear_line();
            fmt::print("Steps run op by op, which is slower: {}{}\n",
                       record.node.empty() ? "" : record.node + ": ", record.reason);
        }
    }

    void on_warning(const std::string& text) override {
        if (json_) {
            print_line(Json{{"event", "warning"}, {"text", text}});
        } else {
            clear_line();
            fmt::print(stderr, "wiregrad: the checkpoint was not written: {}\n", text);
        }
    }

    void on_done(const train::DoneRecord& record) override {
        const std::lock_guard lock(mutex_);
        done_ = record;
        ended_.notify_all();
    }

    /// Waits until the run has ended or `seconds` have passed; the record once there is one.
    std::optional<train::DoneRecord> wait(double seconds) {
        std::unique_lock lock(mutex_);
        ended_.wait_for(lock, std::chrono::duration<double>(seconds),
                        [this] { return done_.has_value(); });
        return done_;
    }

    void clear_line() const {
        if (terminal_) {
            fmt::print(stderr, "\r\x1b[2K");
            std::fflush(stderr);
        }
    }

    const Names& names() const { return names_; }

  private:
    Names names_;
    std::int64_t total_steps_, epochs_;
    bool json_, terminal_, said_why_ = false;
    std::chrono::steady_clock::time_point drawn_{};
    std::mutex mutex_;
    std::condition_variable ended_;
    std::optional<train::DoneRecord> done_;
};

const char* state_name(train::RunState state) {
    switch (state) {
    case train::RunState::Finished:
        return "finished";
    case train::RunState::Stopped:
        return "stopped";
    default:
        return "failed";
    }
}

/// The folder that weights and checkpoint go to; refused before the run, not after it.
fs::path output_folder(const TrainOptions& options) {
    const fs::path folder = options.out.empty() ? fs::absolute(options.project.file).parent_path()
                                                : fs::path(options.out);
    std::error_code error;
    fs::create_directories(folder, error);
    if (error || access(folder.c_str(), W_OK | X_OK) != 0) {
        throw FileError(fmt::format("cannot write into {}{}; choose a folder with --out",
                                    folder.string(), error ? " (" + error.message() + ")" : ""));
    }
    return folder;
}

/// "digits.weights.h5" -> "digits.checkpoint.h5"
std::string checkpoint_name(const std::string& weights) {
    return weights.substr(0, weights.size() - std::string_view(".weights.h5").size()) +
           ".checkpoint.h5";
}

/// A word as a shell takes it.
std::string quoted(const std::string& word) {
    constexpr std::string_view kPlain =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=.,:/@%";
    if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) {
        return word;
    }
    std::string text = "'";
    for (const char c : word) {
        text += c == '\'' ? "'\\''" : std::string(1, c);
    }
    return text + "'";
}

/// What goes on with this run: a checkpoint is refused by a run of other settings.
std::string resume_command(const TrainOptions& options) {
    std::string text = "wiregrad train " + quoted(options.project.file) + " --resume";
    const auto add = [&text](const char* option, const std::string& value) {
        text += fmt::format(" {} {}", option, quoted(value));
    };
    for (const std::string& each : options.project.set) {
        add("--set", each);
    }
    for (const std::string& each : options.project.data) {
        add("--data", each);
    }
    if (options.epochs) add("--epochs", std::to_string(*options.epochs));
    if (options.steps) add("--steps", std::to_string(*options.steps));
    if (options.seed) add("--seed", std::to_string(*options.seed));
    if (options.threads > 0) add("--threads", std::to_string(options.threads));
    if (!options.out.empty()) add("--out", options.out);
    return text;
}

} // namespace

int train(const TrainOptions& options) {
    check_device(options.device);
    graph::Graph graph = open_project(options.project);
    graph::Training training = graph.training();
    training.epochs = options.epochs.value_or(training.epochs);
    training.seed = options.seed ? static_cast<std::uint64_t>(*options.seed) : training.seed;
    graph::apply(graph, graph::Edit{graph::SetTraining{training}});

    const fs::path folder = output_folder(options);
    const fs::path weights =
        folder / fs::path(graph::weights_path(options.project.file)).filename();
    const fs::path checkpoint = folder / checkpoint_name(weights.filename().string());
    if (options.resume && !fs::exists(checkpoint)) {
        throw FileError(
            fmt::format("there is no checkpoint {} to go on from", checkpoint.string()));
    }

    graph::CompileOptions compile_options;
    compile_options.threads = options.threads;
    compile_options.program = options.program && !options.autocast;
    compile_options.autocast = options.autocast;
    compile_options.progress = [](const std::string&, double) { return !interrupted(); };
    catch_interrupts();
    train::TrainPlan plan = graph::compile(graph, compile_options);
    plan.threads = options.threads;
    plan.checkpoint_path = checkpoint.string();
    const std::int64_t per_epoch = std::max<std::int64_t>(1, plan.train->batches_per_epoch());
    if (options.steps) {
        plan.max_steps = *options.steps;
        if (!options.epochs) {
            plan.epochs = (*options.steps + per_epoch - 1) / per_epoch;
        }
    }
    const std::int64_t total_steps = plan.max_steps > 0
                                         ? std::min(plan.max_steps, plan.epochs * per_epoch)
                                         : plan.epochs * per_epoch;
    auto reporter = std::make_shared<Reporter>(names_of(*plan.model, graph), total_steps,
                                               plan.epochs, options.project.json);

    if (options.project.json) {
        print_line(
            Json{{"event", "start"},
                 {"project", options.project.file},
                 {"epochs", plan.epochs},
                 {"steps", total_steps},
                 {"batch_size", training.batch_size},
                 {"seed", training.seed},
                 {"train_samples", plan.train->samples_per_epoch()},
                 {"validation_samples", plan.validation ? plan.validation->samples_per_epoch() : 0},
                 {"test_samples", plan.test ? plan.test->samples_per_epoch() : 0},
                 {"device", "cpu"}});
    } else {
        fmt::print("{}: {} samples to train on, {} epochs of {} steps\n",
                   graph.title().empty() ? fs::path(options.project.file).stem().string()
                                         : graph.title(),
                   plan.train->samples_per_epoch(), plan.epochs, per_epoch);
        std::fflush(stdout);
    }

    train::Trainer trainer(std::move(plan), reporter);
    trainer.start(options.resume);
    bool stopping = false;
    std::optional<train::DoneRecord> done;
    while (!(done = reporter->wait(0.05))) {
        if (interrupted() && !stopping) {
            stopping = true;
            trainer.stop();
        }
    }
    trainer.wait();
    reporter->clear_line();

    if (done->state == train::RunState::Failed) {
        if (options.project.json) {
            print_line(Json{{"event", "done"},
                            {"state", "failed"},
                            {"steps", done->steps},
                            {"seconds", done->seconds},
                            {"error", done->error},
                            {"node", done->error_node}});
        }
        throw RunError(done->error);
    }
    // A run that was stopped before its first step has trained nothing: weights of an earlier one
    // stay.
    const bool trained = done->steps > 0;
    try {
        if (trained) graph::save_weights(weights.string(), trainer.model().module().state(), graph);
    } catch (const Error& error) {
        throw RunError(fmt::format("the run ended well, but its weights could not be saved: {}",
                                   error.what()));
    }
    const Names& names = reporter->names();
    if (options.project.json) {
        Json metrics = Json::object();
        if (done->test) {
            put(metrics, "test_", names.losses, done->test->losses);
            put(metrics, "test_", names.metrics, done->test->metrics);
        }
        Json event{{"event", "done"},          {"state", state_name(done->state)},
                   {"steps", done->steps},     {"epochs", done->epochs},
                   {"seconds", done->seconds}, {"metrics", metrics}};
        if (trained) {
            event["weights"] = weights.string();
            if (done->checkpoint_error.empty()) {
                event["checkpoint"] = checkpoint.string();
            } else {
                event["checkpoint_error"] = done->checkpoint_error;
            }
        }
        print_line(event);
        return 0;
    }
    fmt::print("{} after {} steps in {}\n",
               done->state == train::RunState::Finished ? "Finished" : "Stopped", done->steps,
               time_text(done->seconds));
    if (done->test) {
        fmt::print("Test ({} samples): {}\n", done->test->samples,
                   words(names, done->test->losses, done->test->metrics));
    }
    if (!trained) {
        fmt::print("Nothing was trained, so nothing was saved.\n");
        return 0;
    }
    if (done->state == train::RunState::Stopped && done->checkpoint_error.empty()) {
        fmt::print("Go on with: {}\n", resume_command(options));
    }
    fmt::print("Weights: {}\n", weights.string());
    return 0;
}

} // namespace wiregrad::cli
