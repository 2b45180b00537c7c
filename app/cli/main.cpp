// The command line of Wiregrad: reads the arguments, calls a command, prints errors in one line on
// standard error.
#include <CLI/CLI.hpp>

#include <cstdio>
#include <new>

#include "app/cli/commands.h"
#include "engine/core/config.h"
#include "engine/core/process.h"

namespace wiregrad::cli {
namespace {

std::string one_line(std::string text) {
    for (char& c : text) {
        if (c == '\n' || c == '\r') {
            c = ' ';
        }
    }
    return text;
}

int fail(const std::string& text, int status) {
    std::fflush(stdout);
    std::fprintf(stderr, "wiregrad: %s\n", one_line(text).c_str());
    return status;
}

void add_project(CLI::App* command, ProjectOptions& options) {
    command->add_option("FILE", options.file, "The project, a .wiregrad file")->required();
    // One value each, so that FILE may follow.
    command->add_option("--set", options.set, "NODE.PARAM=VALUE: change a parameter for this call")
        ->allow_extra_args(false);
    command
        ->add_option("--data", options.data,
                     "NODE=PATH: read this dataset node's data from a file or folder")
        ->allow_extra_args(false);
    command->add_flag("--json", options.json, "Print one JSON object a line");
}

/// Reads the arguments and calls the command.
int run(int argc, char** argv) {
    CLI::App app{"Wiregrad builds, trains and watches neural networks. This is its command line."};
    app.name("wiregrad");
    app.set_version_flag("--version", std::string("wiregrad ") + WIREGRAD_VERSION);
    app.require_subcommand(1);

    TrainOptions train_options;
    CLI::App* train_command =
        app.add_subcommand("train", "Train a project; Ctrl+C saves a checkpoint and ends");
    add_project(train_command, train_options.project);
    train_command->add_option("--epochs", train_options.epochs, "Instead of the project's")
        ->check(CLI::Range(1, 1000000));
    train_command->add_option("--steps", train_options.steps, "Stop after this many steps")
        ->check(CLI::Range(1L, 1000000000L));
    train_command->add_option("--device", train_options.device, "auto, cpu or cuda")
        ->check(CLI::IsMember({"auto", "cpu", "cuda"}));
    train_command->add_option("--threads", train_options.threads, "0: all cores")
        ->check(CLI::Range(0, 1024));
    train_command->add_option("--seed", train_options.seed, "Instead of the project's")
        ->check(CLI::NonNegativeNumber);
    train_command->add_option("--out", train_options.out,
                              "Folder for weights and checkpoint; the project's unless given");
    train_command->add_flag("--resume", train_options.resume, "Go on from the checkpoint, exactly");

    train_command->add_flag("--program,!--no-program", train_options.program,
                            "Record the step once, optimise it and replay it (as it is by "
                            "default), or compute it op by op");
    train_command->add_flag("--autocast", train_options.autocast,
                            "Products and convolutions in bfloat16; weights stay in float32");

    EvalOptions eval_options;
    CLI::App* eval_command =
        app.add_subcommand("eval", "Loss and metrics of trained weights on a split");
    add_project(eval_command, eval_options.project);
    eval_command->add_option("--split", eval_options.split, "train, validation or test")
        ->check(CLI::IsMember({"train", "validation", "test"}));
    eval_command->add_option("--weights", eval_options.weights,
                             "Weights file; the one beside the project unless given");
    eval_command->add_option("--threads", eval_options.threads, "0: all cores")
        ->check(CLI::Range(0, 1024));

    PredictOptions predict_options;
    CLI::App* predict_command = app.add_subcommand("predict", "The network's answer to one input");
    add_project(predict_command, predict_options.project);
    predict_command
        ->add_option("--input", predict_options.input,
                     "A picture, a .npy file, or a row of numbers such as 5.1,3.5,1.4,0.2")
        ->required();
    predict_command->add_option("--weights", predict_options.weights,
                                "Weights file; the one beside the project unless given");
    predict_command->add_option("--top", predict_options.top, "How many classes to print")
        ->check(CLI::Range(1, 100000));

    InfoOptions info_options;
    ProjectOptions check_options;
    CLI::App* info_command =
        app.add_subcommand("info", "Every node's output shape, weights, FLOPs and memory");
    add_project(info_command, info_options.project);
    info_command->add_flag("--program", info_options.program,
                           "Print the training step as it is recorded and optimised");
    info_command->add_option("--pass", info_options.pass,
                             "With --program: as it is after this pass (none, simplify, ...)");
    info_command->add_flag("--time", info_options.time,
                           "With --program: run it on random data and time each instruction");
    info_command->add_option("--threads", info_options.threads, "0: all cores")
        ->check(CLI::Range(0, 1024));
    CLI::App* check_command = app.add_subcommand(
        "check",
        "Problems with their reasons and offered fixes; exit status 1 if there is an error");
    add_project(check_command, check_options);

    FixesOptions fixes_options;
    CLI::App* fixes_command = app.add_subcommand(
        "fixes", "Break good networks in twenty ways and count which one offered repair mends");
    fixes_command->add_option("--count", fixes_options.count, "How many networks")
        ->check(CLI::Range(1, 100000));
    fixes_command->add_option("--seed", fixes_options.seed, "Other networks")
        ->check(CLI::NonNegativeNumber);
    fixes_command->add_flag("--json", fixes_options.json, "Print one JSON object a line");

    bool nodes_json = false;
    DatasetsOptions datasets_options;
    CLI::App* nodes_command = app.add_subcommand(
        "nodes", "The catalogue: every node type with ports, parameters and defaults");
    nodes_command->add_flag("--json", nodes_json, "Print one JSON object a line");
    CLI::App* datasets_command = app.add_subcommand(
        "datasets", "What data is built in, what can be read, and what can be downloaded");
    datasets_command->add_option("--download", datasets_options.download,
                                 "Fetch this dataset from its official address");
    datasets_command->add_option("--to", datasets_options.to,
                                 "Folder for it; its name in the current folder unless given");
    datasets_command->add_option("--from", datasets_options.base_url,
                                 "A mirror, instead of the official address");
    datasets_command->add_flag("--json", datasets_options.json, "Print one JSON object a line");

    BenchOptions bench_options;
    CLI::App* bench_command = app.add_subcommand(
        "bench", "Time training steps or inference on random data of the network's shapes");
    bench_command->add_option("--model", bench_options.model,
                              "An example's name or a project file; nine networks unless given");
    bench_command->add_option("--batch", bench_options.batch, "0: the project's")
        ->check(CLI::Range(0, 1000000));
    bench_command->add_option("--device", bench_options.device, "auto, cpu or cuda")
        ->check(CLI::IsMember({"auto", "cpu", "cuda"}));
    bench_command->add_option("--threads", bench_options.threads, "0: all cores")
        ->check(CLI::Range(0, 1024));
    bench_command->add_option("--steps", bench_options.steps, "0: about two seconds' worth")
        ->check(CLI::Range(0L, 100000000L));
    bench_command->add_flag("--infer", bench_options.infer, "Inference instead of training");
    bench_command->add_flag("--program,!--no-program", bench_options.program,
                            "Record the step once, optimise it and replay it (as it is by "
                            "default), or compute it op by op");
    bench_command->add_flag("--cpu-time", bench_options.cpu_time,
                            "Processor time of all threads, for machines that are busy");
    bench_command->add_flag("--json", bench_options.json, "Print one JSON object a line");

    ImportOptions import_options;
    CLI::App* import_command =
        app.add_subcommand("import", "Take a model or weights of other programs into a project");
    import_command
        ->add_option("PATH", import_options.file,
                     "An .onnx model; or weights: HDF5, safetensors or .npz")
        ->required();
    import_command->add_option("-o,--out", import_options.out, "The project, a .wiregrad file")
        ->required();
    import_command->add_option("--rename", import_options.rename,
                               "OURS=THEIRS: where a weight has another name in the file");
    import_command->add_flag("--by-shape", import_options.by_shape,
                             "Weights that no name matches go by shape and order, where clear");
    import_command->add_flag("--flat", import_options.flat,
                             "Scopes of an ONNX model do not become groups");
    import_command->add_flag("--json", import_options.json, "Print one JSON object a line");

    VerifyOptions verify_options;
    CLI::App* verify_command = app.add_subcommand(
        "verify", "Check that an exported file still computes what Wiregrad computed");
    verify_command->add_option("EXPORT", verify_options.file, "A script or an .onnx file")
        ->required();
    verify_command->add_option("--python", verify_options.python,
                               "The Python that runs the script's own comparison");
    verify_command->add_flag("--json", verify_options.json, "Print one JSON object a line");

    ExportOptions export_options;
    CLI::App* export_command = app.add_subcommand(
        "export", "Write the network for other programs, with a proof that it computes the same");
    add_project(export_command, export_options.project);
    export_command->add_option("--to", export_options.to, "What to write")->required();
    export_command->add_option("-o,--out", export_options.out, "The file to write")->required();
    export_command->add_option("--weights", export_options.weights,
                               "Weights file; the one beside the project unless given");
    export_command->add_flag("--without-data", export_options.without_data,
                             "Scripts: do not store the samples beside");

    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        if (error.get_exit_code() == 0) {
            return app.exit(error); // --help, --version
        }
        return fail(std::string(error.what()) + " (see wiregrad --help)", 2);
    }

    try {
        if (*train_command) {
            return train(train_options);
        }
        if (*eval_command) {
            return eval(eval_options);
        }
        if (*predict_command) {
            return predict(predict_options);
        }
        if (*info_command) {
            return info(info_options);
        }
        if (*check_command) {
            return check(check_options);
        }
        if (*fixes_command) {
            return fixes(fixes_options);
        }
        if (*nodes_command) {
            return nodes(nodes_json);
        }
        if (*verify_command) {
            return verify(verify_options);
        }
        if (*import_command) {
            return import_file(import_options);
        }
        if (*export_command) {
            return export_project(export_options);
        }
        if (*datasets_command) {
            return datasets(datasets_options);
        }
        return bench(bench_options);
    } catch (const RunError& error) {
        return fail(error.what(), 1);
    } catch (const DeviceError& error) {
        return fail(error.what(), 1);
    } catch (const Cancelled& error) {
        return fail(error.what(), 1);
    } catch (const OutOfMemory& error) {
        return fail(error.what(), 1);
    } catch (const std::bad_alloc&) {
        return fail("out of memory", 1);
    } catch (const std::exception& error) {
        return fail(error.what(), 2);
    }
}

} // namespace
} // namespace wiregrad::cli

int main(int argc, char** argv) {
    wiregrad::wait_politely(argv);
    return wiregrad::cli::run(argc, argv);
}
