// Recorded steps of the networks that come with the program against the same steps op by op: twenty
// of each (eight of the largest), every fourth with the smaller batch that an epoch ends with.
#include <algorithm>
#include <cmath>
#include <cstring>

#include <gtest/gtest.h>

#include "engine/autograd/tape.h"
#include "engine/backend/cpu/choice.h"
#include "engine/core/config.h"
#include "engine/op/ops.h"
#include "engine/program/execute.h"
#include "engine/program/passes.h"
#include "engine/train/step_program.h"
#include "engine/train/update.h"
#include "nodes/compile.h"
#include "nodes/edit.h"
#include "tests/nodes/examples.h"

namespace wiregrad::graph {
namespace {

constexpr std::int64_t kSteps = 20, kTailEvery = 4;

/// What one side trains: model, optimizer, data, and its recorded steps if it has any.
class Side {
  public:
    Side(const Graph& graph, bool probed) : plan_(compile(graph, options())) {
        for (train::OptimizerPlan& own : plan_.optimizers)
            updates_.emplace_back(own);
        context_.state.random = Tensor::zeros({2}, DType::Int64);
        for (const nn::NamedTensor& weight : plan_.model->module().parameters()) {
            const auto dot = weight.name.rfind('.');
            probes_.push_back({weight.name.substr(0, dot), weight.name.substr(dot + 1),
                               ProbeWhat::WeightGradient});
        }
        // Every result that somebody may look at; gradients of weights are looked at in any case.
        if (probed)
            for (const auto& [id, node] : graph.nodes())
                for (const ProbeWhat what : {ProbeWhat::Activation, ProbeWhat::ActivationGradient})
                    probes_.push_back({id, "out", what});
    }

    void record(bool bare, const std::vector<program::Pass>& passes = program::all_passes(),
                bool bind = true) {
        for (const bool tail : {false, true}) {
            program::Program program =
                train::trace_step(plan_, batch(tail ? kTailEvery - 1 : 0), context_,
                                  bare ? std::vector<ValueId>{} : probes_);
            program::optimize(program, {.check = true}, passes);
            programs_[tail] = std::make_unique<program::Executable>(
                std::move(program),
                program::ExecuteOptions{.threads = num_threads(), .bind = bind, .arena = &arena_});
            verify(programs_[tail]->program(), programs_[tail]->plan());
        }
    }

    train::Batch batch(std::int64_t step) const {
        train::Batch batch = plan_.train->batch(0, step);
        if (step % kTailEvery != kTailEvery - 1) return batch;
        const std::int64_t rows = batch.fields[0].size(0), few = (rows + 1) / 2;
        for (Tensor& field : batch.fields)
            field = slice(field, 0, 0, field.size(0) / rows * few).clone();
        batch.samples.resize(static_cast<std::size_t>(few));
        return batch;
    }

    /// Forward and backward op by op.
    std::vector<double> eager(std::int64_t step) {
        draw(step);
        for (train::OptimizerPlan& own : plan_.optimizers)
            own.optimizer->zero_grad();
        const train::StepValues values = plan_.model->forward(batch(step), context_, nullptr);
        train::differentiate(plan_, values, 1);
        std::vector<double> losses;
        for (const Tensor& loss : values.losses)
            losses.push_back(loss.item());
        return losses;
    }
    /// The whole step, as it was recorded.
    std::vector<double> replay(std::int64_t step) {
        draw(step);
        given_ = batch(step);
        last_ = programs_[step % kTailEvery == kTailEvery - 1].get();
        for (std::size_t i = 0; i < given_.fields.size(); ++i)
            last_->set_input("batch." + std::to_string(i), given_.fields[i]);
        last_->set_input("random", context_.state.random);
        last_->run();
        std::vector<double> losses;
        for (std::size_t i = 0; i < plan_.model->loss_names().size(); ++i)
            losses.push_back(last_->output("loss." + std::to_string(i)).item());
        return losses;
    }
    /// Moves each weight by a millionth, up or down: about what sums in another order do to what
    /// is computed with them.
    void shake(std::uint64_t seed) {
        for (const nn::NamedTensor& weight : plan_.model->module().parameters()) {
            Tensor target = weight.tensor.detach();
            for (std::int64_t i = 0; i < target.numel(); ++i) {
                seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
                target.data_mut<float>()[i] *= 1 + (seed >> 63 != 0 ? 1e-6F : -1e-6F);
            }
        }
    }
    std::vector<Tensor> gradients() const {
        std::vector<Tensor> all;
        for (const nn::NamedTensor& weight : plan_.model->module().parameters())
            all.push_back(weight.tensor.grad().defined() ? weight.tensor.grad().clone() : Tensor());
        return all;
    }
    void eager_update(std::int64_t step) {
        for (train::Update& update : updates_)
            update.step({0, 1, step, kSteps});
    }
    void update(std::int64_t step) {
        for (train::Update& update : updates_)
            update.set_rate({0, 1, step, kSteps});
        last_->run_update();
        for (train::Update& update : updates_)
            update.follow();
    }
    /// Of a replayed step: the gradient of weight i; undefined when it has none.
    Tensor gradient(std::size_t i) const {
        const std::string name = "probe." + std::to_string(i);
        return last_->program().output(name) < 0 ? Tensor() : last_->output(name);
    }

    std::vector<nn::NamedTensor> state() const {
        std::vector<nn::NamedTensor> all = plan_.model->module().state();
        for (const train::Update& update : updates_)
            for (const nn::NamedTensor& entry : update.state())
                all.push_back(entry);
        return all;
    }
    void copy_from(const Side& other) {
        const auto from = other.state();
        const auto to = state();
        for (std::size_t i = 0; i < to.size(); ++i) {
            Tensor target = to[i].tensor.detach();
            target.copy_(from[i].tensor);
        }
    }
    nn::Module& module() { return plan_.model->module(); }
    const program::Executable& program() const { return *programs_[0]; }

  private:
    static CompileOptions options() {
        CompileOptions options;
        options.random_data = true;
        return options;
    }
    void draw(std::int64_t step) {
        context_.state.random.data_mut<std::int64_t>()[0] = 7;
        context_.state.random.data_mut<std::int64_t>()[1] = step;
    }

    train::TrainPlan plan_;
    std::vector<train::Update> updates_;
    nn::ForwardContext context_;
    std::vector<ValueId> probes_;
    std::shared_ptr<program::Arena> arena_;
    std::unique_ptr<program::Executable> programs_[2]; ///< whole batches, the smaller one
    program::Executable* last_ = nullptr;
    train::Batch given_;
};

template <class F> void each_number(const Tensor& x, const F& f) {
    if (x.dtype() == DType::Float32 && x.is_contiguous())
        for (std::int64_t i = 0; i < x.numel(); ++i)
            f(static_cast<std::size_t>(i), static_cast<double>(x.data<float>()[i]));
    else
        for (std::size_t i = 0; const double value : x.to_vector())
            f(i++, value);
}
double largest(const Tensor& x) {
    double size = 0;
    each_number(x, [&](std::size_t, double value) { size = std::max(size, std::abs(value)); });
    return size;
}
double difference(const Tensor& a, const Tensor& b) {
    std::vector<double> numbers(static_cast<std::size_t>(a.numel()));
    each_number(a, [&](std::size_t i, double value) { numbers[i] = value; });
    double worst = 0;
    each_number(b, [&](std::size_t i, double value) {
        worst = std::max(worst, std::abs(numbers[i] - value));
    });
    return worst;
}
void expect_same_bits(const Side& a, const Side& b, std::int64_t step) {
    const auto expected = a.state(), found = b.state();
    ASSERT_EQ(expected.size(), found.size());
    for (std::size_t i = 0; i < expected.size(); ++i)
        ASSERT_EQ(std::memcmp(expected[i].tensor.raw(), found[i].tensor.raw(),
                              expected[i].tensor.nbytes()),
                  0)
            << expected[i].name << " at step " << step;
}

struct Case {
    const char* name;
    std::int64_t batch;
    std::int64_t steps = kSteps;
};
void PrintTo(const Case& c, std::ostream* out) {
    *out << c.name;
}

class RecordedExample : public ::testing::TestWithParam<Case> {
  protected:
    // Its rounding has a test of its own (bind_test.cpp); here it would turn over a relu too often.
    void SetUp() override { cpu::set_winograd(false); }
    void TearDown() override { cpu::set_winograd(true); }
    static Graph graph() {
        Graph graph = testing::example(GetParam().name);
        Training training = graph.training();
        training.batch_size = GetParam().batch;
        apply(graph, Edit{SetTraining{training}});
        return graph;
    }
};

/// Each step begins with the same weights, moments and statistics on both sides, so that what is
/// compared is one step's rounding and not what a run makes of it. Gradients may differ by 3e-5 of
/// the largest one of their weight: products and convolutions sum in another order, some thousand
/// numbers of float32. Where rounding turns over a relu or a maximum, gradients move by more: then
/// by no more than ten times what a millionth of the weights does to the eager ones.
TEST_P(RecordedExample, EqualsEagerStepByStep) {
    constexpr double kTolerance = 3e-5;
    constexpr std::uint64_t kShakes = 6;
    const Graph network = graph();
    Side eager(network, false), recorded(network, false);
    recorded.record(false);
    std::int64_t turned = 0;
    for (std::int64_t step = 0; step < GetParam().steps; ++step) {
        eager.copy_from(recorded);
        const auto expected = eager.eager(step);
        const auto losses = recorded.replay(step);
        ASSERT_EQ(expected.size(), losses.size());
        for (std::size_t i = 0; i < losses.size(); ++i)
            EXPECT_NEAR(losses[i], expected[i], 1e-5 * std::abs(expected[i])) << step;
        const auto statistics = eager.module().buffers(), of_run = recorded.module().buffers();
        for (std::size_t i = 0; i < statistics.size(); ++i)
            EXPECT_LE(difference(of_run[i].tensor, statistics[i].tensor),
                      1e-5 * (1 + largest(statistics[i].tensor)))
                << statistics[i].name << " at step " << step;
        const auto weights = eager.module().parameters();
        const auto wanted = eager.gradients();
        std::vector<double> off(weights.size(), 0), moved(weights.size(), 0);
        for (std::size_t i = 0; i < weights.size(); ++i) {
            const Tensor found = recorded.gradient(i);
            ASSERT_EQ(wanted[i].defined(), found.defined()) << weights[i].name;
            if (!found.defined()) continue;
            ASSERT_EQ(wanted[i].shape(), found.shape());
            // A bias before a batch norm has no gradient but rounding.
            if (largest(wanted[i]) >= 1e-6)
                off[i] = difference(found, wanted[i]) / largest(wanted[i]);
        }
        if (*std::max_element(off.begin(), off.end()) > kTolerance) {
            ++turned;
            for (std::uint64_t shake = 1; shake <= kShakes; ++shake) {
                eager.copy_from(recorded);
                eager.shake(shake);
                eager.eager(step);
                const auto shaken = eager.gradients();
                for (std::size_t i = 0; i < weights.size(); ++i)
                    if (off[i] > 0)
                        moved[i] = std::max(moved[i],
                                            difference(shaken[i], wanted[i]) / largest(wanted[i]));
            }
        }
        for (std::size_t i = 0; i < weights.size(); ++i)
            EXPECT_LE(off[i], std::max(kTolerance, 10 * moved[i]))
                << weights[i].name << " at step " << step;
        recorded.update(step);
    }
    EXPECT_LE(turned, GetParam().steps / 2);
}

/// Tracing, simplifying, joining optimizers, chains of elementwise functions and the memory plan
/// are exact.
TEST_P(RecordedExample, WithTheEagerKernelsIsTheEagerRunToTheBit) {
    const Graph network = graph();
    Side eager(network, false), recorded(network, false);
    recorded.record(true,
                    {{"simplify", program::simplify},
                     {"optimizers", program::fuse_optimizers},
                     {"elementwise", program::fuse_elementwise}},
                    false);
    for (std::int64_t step = 0; step < GetParam().steps; ++step) {
        ASSERT_EQ(eager.eager(step), recorded.replay(step)) << step;
        eager.eager_update(step);
        recorded.update(step);
        expect_same_bits(eager, recorded, step);
    }
}

/// Time travel goes back without the probes that a run had, or with more of them.
TEST_P(RecordedExample, ProbesChangeNoBits) {
    const Graph network = graph();
    Side bare(network, false), probed(network, true);
    bare.record(true);
    probed.record(false);
    for (std::int64_t step = 0; step < kTailEvery; ++step) {
        ASSERT_EQ(bare.replay(step), probed.replay(step)) << step;
        bare.update(step);
        probed.update(step);
        expect_same_bits(bare, probed, step);
    }
}

/// With Winograd's convolutions, as they are by default: losses of single steps.
TEST(RecordedExamples, WinogradStaysClose) {
    for (const char* name : {"cnn-small", "unet-small"}) {
        Graph network = testing::example(name);
        Training training = network.training();
        training.batch_size = 3;
        apply(network, Edit{SetTraining{training}});
        Side eager(network, false), recorded(network, false);
        recorded.record(true);
        for (std::int64_t step = 0; step < kTailEvery; ++step) {
            eager.copy_from(recorded);
            const auto expected = eager.eager(step), losses = recorded.replay(step);
            for (std::size_t i = 0; i < losses.size(); ++i)
                EXPECT_NEAR(losses[i], expected[i], 1e-4 * std::abs(expected[i])) << name << step;
            recorded.update(step);
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Nets, RecordedExample,
                         ::testing::Values(Case{"spirals", 32}, Case{"iris", 16},
                                           Case{"digits-mlp", 16}, Case{"digits-lenet", 16},
                                           Case{"cnn-small", 4}, Case{"resnet18", 2, 8},
                                           Case{"char-lstm", 3}, Case{"char-gpt", 2},
                                           Case{"autoencoder", 8}, Case{"unet-small", 2}),
                         [](const auto& info) {
                             std::string name = info.param.name;
                             std::erase(name, '-');
                             return name;
                         });

} // namespace
} // namespace wiregrad::graph
