// A small real model on toy data, a sink that remembers, and waiting on conditions: for the tests
// of the trainer.
#pragma once

#include <chrono>
#include <cmath>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "engine/core/error.h"
#include "engine/nn/generator.h"
#include "engine/nn/layers.h"
#include "engine/op/ops.h"
#include "engine/train/metric.h"
#include "engine/train/trainer.h"

namespace wiregrad::test {

/// Two noisy rings; a pure function of (seed, epoch, index).
class Rings : public train::BatchSource {
  public:
    Rings(std::int64_t samples, std::int64_t batch, std::uint64_t seed, bool shuffled = true)
        : samples_(samples), batch_(batch), seed_(seed), shuffled_(shuffled),
          points_(Tensor::empty({samples, 2})), classes_(Tensor::empty({samples}, DType::Int64)) {
        nn::Generator generator(99);
        Tensor noise = Tensor::empty({samples, 2});
        generator.normal_(noise, 0, 0.1);
        for (std::int64_t i = 0; i < samples; ++i) {
            const double radius = i % 2 == 0 ? 0.5 : 1.5, angle = 2.4 * static_cast<double>(i);
            points_.data_mut<float>()[2 * i] =
                static_cast<float>(radius * std::cos(angle)) + noise.data<float>()[2 * i];
            points_.data_mut<float>()[2 * i + 1] =
                static_cast<float>(radius * std::sin(angle)) + noise.data<float>()[2 * i + 1];
            classes_.data_mut<std::int64_t>()[i] = i % 2;
        }
    }
    Tensor& points() { return points_; }
    std::int64_t batches_per_epoch() const override { return (samples_ + batch_ - 1) / batch_; }
    std::int64_t samples_per_epoch() const override { return samples_; }
    train::Batch batch(std::int64_t epoch, std::int64_t index) override {
        if (before_batch) before_batch(epoch, index);
        nn::Generator generator(seed_ * 1000 + static_cast<std::uint64_t>(epoch));
        const Tensor order = shuffled_ ? generator.randperm(samples_) : arange(samples_);
        const std::int64_t count = std::min(batch_, samples_ - index * batch_);
        train::Batch batch{{Tensor::empty({count, 2}), Tensor::empty({count}, DType::Int64)}, {}};
        for (std::int64_t i = 0; i < count; ++i) {
            const std::int64_t sample = order.data<std::int64_t>()[index * batch_ + i];
            batch.samples.push_back(sample);
            std::copy_n(points_.data<float>() + 2 * sample, 2,
                        batch.fields[0].data_mut<float>() + 2 * i);
            batch.fields[1].data_mut<std::int64_t>()[i] = classes_.data<std::int64_t>()[sample];
        }
        return batch;
    }
    std::function<void(std::int64_t, std::int64_t)> before_batch;

  private:
    std::int64_t samples_, batch_;
    std::uint64_t seed_;
    bool shuffled_;
    Tensor points_, classes_;
};

/// Nodes: first (Linear), norm (BatchNorm1d), act (tanh), drop, second (Linear), loss (cross
/// entropy); metric "accuracy".
class ToyModel : public train::Model {
  public:
    struct Net : nn::Module {
        std::shared_ptr<nn::Linear> first, second;
        std::shared_ptr<nn::BatchNorm1d> norm;
        explicit Net(std::int64_t width)
            : first(std::make_shared<nn::Linear>(2, width)),
              second(std::make_shared<nn::Linear>(width, 2)),
              norm(std::make_shared<nn::BatchNorm1d>(nn::BatchNormOptions{.num_features = width})) {
            add_child("first", first);
            add_child("norm", norm);
            add_child("second", second);
        }
        Tensors forward(std::span<const Tensor>, const nn::ForwardContext&) override { return {}; }
    };
    explicit ToyModel(std::uint64_t seed, std::int64_t width = 16) : net_(width) {
        nn::Generator generator(seed);
        net_.reset_parameters(generator);
    }
    Net& module() override { return net_; }
    const std::vector<std::string>& loss_names() const override { return losses_; }
    const std::vector<std::string>& metric_names() const override { return metrics_; }
    train::StepValues forward(const train::Batch& batch, const nn::ForwardContext& context,
                              train::Tap* tap) override {
        const auto see = [&](const char* node, const Tensor& value) {
            if (tap != nullptr && tap->wants(node, "out")) tap->see(node, "out", value);
            return value;
        };
        if (before_forward) before_forward(batch, context);
        const auto run = [&](nn::Module& layer, const Tensor& x) {
            return layer.forward({&x, 1}, context).at(0);
        };
        Tensor x = batch.fields[0];
        if (change_input) x = see("change", change_input(x));
        x = see("first", run(*net_.first, x));
        x = see("norm", run(*net_.norm, x));
        x = see("act", tanh(x));
        x = see("drop", run(drop_, x));
        x = see("second", run(*net_.second, x));
        const Tensor loss = see("loss", cross_entropy(x, batch.fields[1]));
        // In ops, so that the step can be recorded.
        const Tensor hits = sum(to(eq(argmax(x, 1), batch.fields[1]), DType::Float64));
        return {{loss}, {{hits, Tensor::scalar(static_cast<double>(x.size(0)), DType::Float64)}}};
    }
    std::function<void(const train::Batch&, const nn::ForwardContext&)> before_forward;
    std::function<Tensor(const Tensor&)> change_input;

  private:
    Net net_;
    nn::Dropout drop_{0.1, 1};
    std::vector<std::string> losses_{"loss"}, metrics_{"accuracy"};
};

/// Remembers everything and lets a test wait for a condition on it.
class Memory : public train::Sink {
  public:
    void on_state(train::RunState state) override {
        note([&] { states.push_back(state); });
    }
    void on_step(const train::StepRecord& record) override {
        note([&] { steps.push_back(record); });
        if (each_step) each_step(record);
    }
    void on_epoch(const train::EpochRecord& record) override {
        note([&] { epochs.push_back(record); });
    }
    void on_probe(ProbeRecord record) override {
        note([&] { probes.push_back(std::move(record)); });
    }
    void on_warning(const std::string& text) override {
        note([&] { warnings.push_back(text); });
    }
    void on_halt(const train::Halt* halt) override {
        note([&] {
            standing = halt != nullptr;
            if (standing) halts.push_back(*halt);
        });
    }
    void on_done(const train::DoneRecord& record) override {
        note([&] { dones.push_back(record); });
    }
    /// False after a minute: then something hangs.
    bool wait(const std::function<bool(const Memory&)>& condition) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, std::chrono::minutes(1), [&] { return condition(*this); });
    }
    /// Until the run stands for the `count`-th time.
    bool wait_halted(std::size_t count) {
        return wait([=](const Memory& m) { return m.standing && m.halts.size() == count; });
    }
    bool wait_paused(std::size_t steps_done) {
        return wait([=](const Memory& m) {
            return m.steps.size() == steps_done && !m.states.empty() &&
                   m.states.back() == train::RunState::Paused;
        });
    }
    std::vector<double> losses() const {
        std::vector<double> result;
        for (const auto& record : steps)
            result.push_back(record.losses.at(0));
        return result;
    }
    std::vector<train::RunState> states;
    std::vector<train::StepRecord> steps;
    std::vector<train::EpochRecord> epochs;
    std::vector<ProbeRecord> probes;
    std::vector<std::string> warnings;
    std::vector<train::Halt> halts;
    bool standing = false;
    std::vector<train::DoneRecord> dones;
    std::function<void(const train::StepRecord&)> each_step; ///< outside the lock

  private:
    template <class F> void note(const F& f) {
        const std::lock_guard lock(mutex_);
        f();
        changed_.notify_all();
    }
    std::mutex mutex_;
    std::condition_variable changed_;
};

struct ToyOptions {
    std::uint64_t seed = 1;
    std::int64_t epochs = 3, samples = 50, batch = 8, width = 16, max_steps = 0;
    bool validation = true, test = true;
    std::string checkpoint = {};
    double lr = 0.02;
};

inline train::TrainPlan toy_plan(const ToyOptions& options = {}) {
    train::TrainPlan plan;
    auto model = std::make_unique<ToyModel>(options.seed, options.width);
    train::OptimizerPlan optimizer;
    optimizer.name = "adam";
    optimizer.losses = {0};
    optimizer.optimizer = train::make_adam(model->module().parameters(), {.lr = options.lr});
    optimizer.schedule = {.kind = train::Schedule::Kind::Cosine, .min_factor = 0.1};
    optimizer.clip_grad_norm = 1;
    plan.optimizers.push_back(std::move(optimizer));
    plan.model = std::move(model);
    plan.train = std::make_shared<Rings>(options.samples, options.batch, options.seed);
    if (options.validation) plan.validation = std::make_shared<Rings>(20, 8, 5, false);
    if (options.test) plan.test = std::make_shared<Rings>(30, 8, 6, false);
    plan.epochs = options.epochs;
    plan.max_steps = options.max_steps;
    plan.seed = options.seed;
    plan.graph_hash = "toy";
    plan.checkpoint_path = options.checkpoint;
    plan.probe_budget = 1;
    return plan;
}
inline ToyModel& toy_model(const train::TrainPlan& plan) {
    return static_cast<ToyModel&>(*plan.model);
}
inline Rings& toy_data(const train::TrainPlan& plan) {
    return static_cast<Rings&>(*plan.train);
}

/// Runs to the end and returns what was reported.
inline std::shared_ptr<Memory> run_to_end(train::TrainPlan plan, bool resume = false) {
    auto memory = std::make_shared<Memory>();
    train::Trainer trainer(std::move(plan), memory);
    trainer.start(resume);
    trainer.wait();
    return memory;
}

} // namespace wiregrad::test
