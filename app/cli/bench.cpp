// `wiregrad bench`: the time of a step as the trainer runs it, on random data of the network's
// shapes.
#include <fmt/format.h>
#include <sys/resource.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <mutex>
#include <thread>

#include "app/cli/commands.h"
#include "engine/autograd/tape.h"
#include "engine/backend/cpu/machine.h"
#include "engine/core/config.h"
#include "nodes/analysis.h"
#include "nodes/edit.h"
#include "nodes/project.h"

namespace wiregrad::cli {
namespace {

/// Seconds that have passed, or that all threads of this process have computed.
double clock_seconds(bool processor) {
    timespec now{};
    clock_gettime(processor ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &now);
    return double(now.tv_sec) + 1e-9 * double(now.tv_nsec);
}

double median(std::vector<double> values) {
    if (values.empty()) {
        return 0;
    }
    std::nth_element(values.begin(),
                     values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
    return values[values.size() / 2];
}

double peak_rss_mb() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return double(usage.ru_maxrss) / 1024;
}

/// Time between the ends of consecutive steps, after some that warm up.
class StepTimes : public train::Sink {
  public:
    static constexpr std::int64_t kWarmUp = 5;
    StepTimes(double budget_seconds, std::int64_t steps, bool processor)
        : budget_(budget_seconds), steps_(steps), processor_(processor) {}
    void on_step(const train::StepRecord& record) override {
        const double now = clock_seconds(processor_);
        const std::lock_guard lock(mutex_);
        if (record.step > kWarmUp) {
            times_.push_back(now - last_);
            spent_ += times_.back();
        }
        last_ = now;
    }
    void on_done(const train::DoneRecord& record) override {
        const std::lock_guard lock(mutex_);
        done_ = record;
    }
    bool enough() {
        const std::lock_guard lock(mutex_);
        return done_ || (steps_ > 0 ? std::int64_t(times_.size()) >= steps_
                                    : spent_ >= budget_ && times_.size() >= 5);
    }
    std::vector<double> times() {
        const std::lock_guard lock(mutex_);
        return times_;
    }
    std::string error() {
        const std::lock_guard lock(mutex_);
        return done_ ? done_->error : std::string();
    }

  private:
    double budget_;
    std::int64_t steps_;
    bool processor_;
    std::mutex mutex_;
    double last_ = 0;
    std::vector<double> times_;
    double spent_ = 0;
    std::optional<train::DoneRecord> done_;
};

std::vector<double> time_training(train::TrainPlan plan, const BenchOptions& options) {
    plan.epochs = 1000000000;
    plan.validation = nullptr;
    plan.test = nullptr;
    auto times = std::make_shared<StepTimes>(2.0, options.steps, options.cpu_time);
    train::Trainer trainer(std::move(plan), times);
    trainer.start();
    while (!times->enough()) {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    trainer.stop();
    trainer.wait();
    if (!times->error().empty()) {
        throw RunError(times->error());
    }
    return times->times();
}

std::vector<double> time_inference(train::TrainPlan& plan, const BenchOptions& options) {
    auto& model = dynamic_cast<graph::CompiledModel&>(*plan.model);
    std::vector<Tensor> inputs;
    for (std::int64_t i = 0; i < 4; ++i) {
        inputs.push_back(plan.train->batch(0, i % plan.train->batches_per_epoch()).fields.at(0));
    }
    std::vector<double> times;
    double spent = 0;
    for (std::size_t i = 0; options.steps > 0 ? std::int64_t(times.size()) < options.steps
                                              : spent < 2.0 || times.size() < 5;
         ++i) {
        const double start = clock_seconds(options.cpu_time);
        model.predict(inputs[i % inputs.size()]);
        if (i >= 5) {
            times.push_back(clock_seconds(options.cpu_time) - start);
            spent += times.back();
        }
    }
    return times;
}

/// The nine networks of the comparison, the middle one with three sizes of a batch; 0: its own.
struct Net {
    const char* name;
    std::int64_t batch;
};
constexpr Net kNets[] = {{"spirals", 0},       {"digits-mlp", 32},  {"digits-mlp", 128},
                         {"digits-mlp", 1024}, {"digits-lenet", 0}, {"cnn-small", 0},
                         {"resnet18", 0},      {"char-lstm", 0},    {"char-gpt", 0},
                         {"autoencoder", 0},   {"unet-small", 0}};

/// The least time of a step on this machine: its arithmetic at the measured peak (a training step
/// counts as three forward passes), or its traffic at the measured bandwidth (weights are read
/// twice and written, gradients written and read, one moment read and written), whichever is
/// longer.
double floor_ms(const graph::Analysis& analysis, std::int64_t batch, bool infer,
                const cpu::MachineSpeed& machine) {
    const double flops = analysis.flops * double(batch) * (infer ? 1 : 3),
                 bytes = 4.0 * double(analysis.weights) * (infer ? 1 : 7);
    return std::max(flops / machine.gflops, bytes / machine.gb_per_second) * 1e-6;
}

void bench_one(const std::string& name, const BenchOptions& options) {
    const std::string file = std::filesystem::exists(name) ? name : example_path(name);
    graph::Graph graph = graph::load_project(file);
    graph::Training training = graph.training();
    training.batch_size = options.batch > 0 ? options.batch : training.batch_size;
    graph::apply(graph, graph::Edit{graph::SetTraining{training}});
    graph::CompileOptions compile_options;
    compile_options.threads = options.threads;
    compile_options.program = options.program;
    compile_options.random_data = true;
    const graph::Analysis analysis = graph::analyze(graph, false);
    const double base_mb = peak_rss_mb();
    train::TrainPlan plan = graph::compile(graph, compile_options);
    plan.threads = options.threads;
    const Shape input = plan.train->batch(0, 0).fields.at(0).shape();
    if (options.threads > 0) {
        set_num_threads(options.threads);
    }
    const int threads = num_threads();
    const std::vector<double> times =
        options.infer ? time_inference(plan, options) : time_training(std::move(plan), options);
    const std::string label = std::filesystem::path(file).stem().string();
    const double ms = 1000 * median(times);
    const double peak_mb = peak_rss_mb(); // before the measurement of the machine takes some
    if (options.json) {
        const cpu::MachineSpeed machine = cpu::measure_machine(threads);
        std::vector<std::int64_t> sample(input.begin() + 1, input.end());
        print_line(nlohmann::ordered_json{
            {"model", label},
            {"batch", training.batch_size},
            {"device", "cpu"},
            {"threads", threads},
            {"mode", options.infer ? "infer" : "train"},
            {"ms_per_step_median", ms},
            {"ms_per_step_min", 1000 * *std::min_element(times.begin(), times.end())},
            {"steps", times.size()},
            {"peak_rss_mb", peak_mb},
            {"base_rss_mb", base_mb},
            {"sample_shape", sample},
            {"floor_ms", floor_ms(analysis, training.batch_size, options.infer, machine)},
            {"machine_gflops", machine.gflops},
            {"machine_gb_per_s", machine.gb_per_second}});
    } else {
        fmt::print("{:<16} batch {:<5} {} thread{}  {:<5} {:>9.3f} ms a step  ({} steps, {:.0f} "
                   "samples/s, peak {:.0f} MB)\n",
                   label, training.batch_size, threads, threads == 1 ? " " : "s",
                   options.infer ? "infer" : "train", ms, times.size(),
                   ms > 0 ? 1000.0 * double(training.batch_size) / ms : 0.0, peak_mb);
    }
    std::fflush(stdout);
}

} // namespace

int bench(const BenchOptions& options) {
    check_device(options.device);
    if (!options.model.empty()) {
        bench_one(options.model, options);
        return 0;
    }
    const std::vector<std::string> known = example_names();
    for (const Net& net : kNets) {
        if (std::find(known.begin(), known.end(), net.name) == known.end()) continue;
        BenchOptions one = options;
        if (one.batch == 0) one.batch = net.batch;
        bench_one(net.name, one);
    }
    return 0;
}

} // namespace wiregrad::cli
