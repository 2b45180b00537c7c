// The commands of `wiregrad`, each a function of its options that returns the exit status:
// 0 success, 1 a failed run, 2 bad usage or bad input (thrown as Error and printed by main in one
// line).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "engine/core/error.h"
#include "nodes/compile.h"
#include "nodes/graph.h"

namespace wiregrad::cli {

/// What most commands take.
struct ProjectOptions {
    std::string file;
    std::vector<std::string> set;  ///< NODE.PARAM=VALUE
    std::vector<std::string> data; ///< NODE=PATH
    bool json = false;
};

struct TrainOptions {
    ProjectOptions project;
    std::optional<std::int64_t> epochs, steps, seed;
    std::string device = "auto";
    int threads = 0;
    std::string out; ///< folder of weights and checkpoint; empty: the project's
    bool resume = false;
    bool program = true;   ///< the step recorded and optimised instead of op by op
    bool autocast = false; ///< products and convolutions in bfloat16; not recorded
};
int train(const TrainOptions& options);

struct EvalOptions {
    ProjectOptions project;
    std::string split = "test";
    std::string weights; ///< empty: beside the project
    int threads = 0;
};
int eval(const EvalOptions& options);

struct PredictOptions {
    ProjectOptions project;
    std::string input; ///< a file, or a row of comma-separated numbers
    std::string weights;
    std::int64_t top = 5;
};
int predict(const PredictOptions& options);

struct InfoOptions {
    ProjectOptions project;
    bool program = false; ///< print the recorded training step instead
    bool time = false;    ///< with the time of each instruction, measured
    int threads = 0;      ///< of that; 0: all cores
    std::string pass;     ///< as it is after this pass; empty: after the last one
};
int info(const InfoOptions& options);
int check(const ProjectOptions& options);
int nodes(bool json);
struct FixesOptions {
    std::int64_t count = 100; ///< broken networks
    std::uint32_t seed = 1;
    bool json = false;
};
int fixes(const FixesOptions& options);
struct DatasetsOptions {
    std::string download; ///< id of what is to be fetched; empty: list
    std::string to;       ///< folder; empty: the id, in the current folder
    std::string base_url; ///< mirror
    bool json = false;
};
int datasets(const DatasetsOptions& options);

struct BenchOptions {
    std::string model;      ///< an example's name or a file; empty: the nine networks
    std::int64_t batch = 0; ///< 0: the project's
    std::string device = "auto";
    int threads = 1;
    std::int64_t steps = 0; ///< 0: about two seconds' worth
    bool infer = false;
    bool program = true;
    bool cpu_time = false; ///< processor time instead of time that passes
    bool json = false;
};
int bench(const BenchOptions& options);

struct ExportOptions {
    ProjectOptions project;
    std::string to, out;
    std::string weights;       ///< empty: beside the project, or initial ones
    bool without_data = false; ///< scripts: do not store the samples beside
};
int export_project(const ExportOptions& options);

struct VerifyOptions {
    std::string file;
    std::string python; ///< empty: the first that has PyTorch
    bool json = false;
};
int verify(const VerifyOptions& options);

struct ImportOptions {
    std::string file;                ///< a model or weights
    std::string out;                 ///< the project that is made, or that the weights belong to
    std::vector<std::string> rename; ///< OURS=THEIRS
    bool by_shape = false; ///< what no name matches goes by shape and order, where that is clear
    bool flat = false;     ///< scopes of a model do not become groups
    bool json = false;
};
int import_file(const ImportOptions& options);

// --- shared by the commands

/// Bad usage: printed with exit status 2, like every Error that is thrown before a run has begun.
struct UsageError : Error {
    using Error::Error;
};
/// The run itself failed: exit status 1.
struct RunError : Error {
    using Error::Error;
};

/// From now on Ctrl+C and a termination signal only set a flag, so that work ends in order.
void catch_interrupts();
bool interrupted();

/// Loads the project and applies --set and --data. Paths inside the project are meant from its
/// folder.
graph::Graph open_project(const ProjectOptions& options);
/// "digits-lenet" -> file of the built-in example; throws UsageError listing the names.
std::string example_path(const std::string& name);
std::vector<std::string> example_names();
/// Throws DeviceError when `device` cannot be used here.
void check_device(const std::string& device);
/// Weights beside the project or at `weights`, loaded into the model; throws FileError when there
/// are none.
void load_weights_into(graph::CompiledModel& model, const graph::Graph& graph,
                       const std::string& project, const std::string& weights);
/// Prints a JSON object as one line. Names of files and classes need not be UTF-8: what is not is
/// replaced.
void print_line(const nlohmann::ordered_json& event);
/// "1.2 M", "3.4 GB", "1:05"
std::string count_text(double count);
std::string bytes_text(double bytes);
std::string time_text(double seconds);

} // namespace wiregrad::cli
