// Breakpoints: where a run stops inside a step, how it is walked from there, and that none of it
// changes what is computed. And what happens to batches whose loss is no number.
#include <gmock/gmock.h>

#include <atomic>

#include "engine/train/debugger.h"
#include "tests/engine/toy.h"

namespace wiregrad {
namespace {

using test::Memory;
using test::toy_plan;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using train::Breakpoint;
using train::Phase;
using train::RunState;
using train::StepOrder;
using Side = Breakpoint::Side;
using When = Breakpoint::When;

/// A run that waits paused before its first step.
struct Watched {
    explicit Watched(train::TrainPlan plan, std::vector<Breakpoint> breakpoints = {})
        : memory(std::make_shared<Memory>()), trainer(std::move(plan), memory) {
        trainer.set_breakpoints(std::move(breakpoints));
    }
    std::shared_ptr<Memory> memory;
    train::Trainer trainer;
};

Breakpoint at(std::string node, std::string port, When when, double limit = 0, bool below = false,
              Side side = Side::Forward) {
    Breakpoint b;
    b.id = 7;
    b.node = std::move(node);
    b.port = std::move(port);
    b.when = when;
    b.limit = limit;
    b.below = below;
    b.side = side;
    return b;
}

TEST(Breakpoint, APlantedNaNStopsAtTheOpThatMadeIt) {
    auto plan = toy_plan();
    test::toy_model(plan).change_input = [](const Tensor& x) {
        const Tensor nothing = sub(x, x);
        return div(nothing, nothing);
    };
    Watched run(std::move(plan), {at("", "", When::Broken)});
    run.trainer.start();
    ASSERT_TRUE(run.memory->wait_halted(1));
    const train::Halt first = run.memory->halts[0];
    EXPECT_EQ(first.at.op, "div");
    EXPECT_EQ(first.at.index, 2);
    EXPECT_EQ(first.breakpoint, 7);
    EXPECT_EQ(first.at.phase, Phase::Forward);
    ASSERT_EQ(first.outputs.size(), 1U);
    EXPECT_EQ(first.outputs[0].nans, 16);
    ASSERT_EQ(first.inputs.size(), 2U);
    EXPECT_EQ(first.inputs[0].nans, 0);
    EXPECT_EQ(first.inputs[0].zeros, 16);
    EXPECT_THAT(first.reason, HasSubstr("16 of 16 values are NaN, 0 are infinite; the first one is "
                                        "at [0, 0]"));
    EXPECT_TRUE(run.memory->steps.empty());
    ASSERT_TRUE(
        run.memory->wait([](const Memory& m) { return m.states.back() == RunState::Paused; }));

    run.trainer.go(StepOrder::Back);
    ASSERT_TRUE(run.memory->wait_halted(2));
    EXPECT_EQ(run.memory->halts[1].at.op, "sub");
    EXPECT_EQ(run.memory->halts[1].newest, 2);
    EXPECT_EQ(run.memory->halts[1].outputs[0].zeros, 16);
    run.trainer.go(StepOrder::Op); // back to where it stands
    ASSERT_TRUE(run.memory->wait_halted(3));
    EXPECT_EQ(run.memory->halts[2].at.index, 2);
    run.trainer.go(StepOrder::Op); // and one op on
    ASSERT_TRUE(run.memory->wait_halted(4));
    EXPECT_EQ(run.memory->halts[3].at.index, 3);
    EXPECT_GT(run.memory->halts[3].outputs[0].nans, 0);

    run.trainer.resume();
    run.trainer.wait();
    EXPECT_EQ(run.memory->halts.size(), 4U); // once a step
    EXPECT_FALSE(run.memory->standing);
    EXPECT_EQ(run.memory->dones[0].state, RunState::Failed);
}

/// How often one step stops whose input is this number everywhere, 8 × 2.
std::size_t stops(const Breakpoint& breakpoint, float value) {
    auto plan = toy_plan({.epochs = 1, .max_steps = 1, .validation = false, .test = false});
    test::toy_model(plan).change_input = [value](const Tensor& x) {
        return Tensor::full(x.shape(), value);
    };
    Watched run(std::move(plan), {breakpoint});
    run.trainer.start();
    run.memory->wait([](const Memory& m) { return m.standing || !m.dones.empty(); });
    run.trainer.resume();
    run.trainer.wait();
    return run.memory->halts.size();
}

TEST(Breakpoint, ConditionsAreThoseOfTheNumbers) {
    const auto input = [](When when, double limit, bool below = false) {
        return at("change", "out", when, limit, below);
    };
    EXPECT_EQ(stops(input(When::Mean, 2.99), 3), 1U);
    EXPECT_EQ(stops(input(When::Mean, 3.01), 3), 0U);
    EXPECT_EQ(stops(input(When::Mean, 3.01, true), 3), 1U);
    EXPECT_EQ(stops(input(When::Max, -3.01), -3), 1U);
    EXPECT_EQ(stops(input(When::Max, -2.99), -3), 0U);
    EXPECT_EQ(stops(input(When::Min, -2.99, true), -3), 1U);
    EXPECT_EQ(stops(input(When::Min, -3.01, true), -3), 0U);
    EXPECT_EQ(stops(input(When::Magnitude, 2.99), -3), 1U);
    EXPECT_EQ(stops(input(When::Magnitude, 3.01), -3), 0U);
    EXPECT_EQ(stops(input(When::Norm, 11.99), 3), 1U); // 3 * sqrt(16)
    EXPECT_EQ(stops(input(When::Norm, 12.01), 3), 0U);
    EXPECT_EQ(stops(input(When::Zeros, 0.8), 0), 1U);
    EXPECT_EQ(stops(input(When::Zeros, 0.8), 3), 0U);
    EXPECT_EQ(stops(at("", "", When::Loss, 1e9), 3), 0U);
    EXPECT_EQ(stops(at("loss", "", When::Loss, 0), 3), 1U);
    EXPECT_EQ(stops(at("other", "", When::Loss, 0), 3), 0U);
    EXPECT_EQ(stops(at("change", "elsewhere", When::Mean, 0), 3), 0U);
}

TEST(Breakpoint, DisabledOnesAndOtherStepsDoNotStop) {
    Breakpoint off = at("", "", When::Every, 1);
    off.enabled = false;
    Watched run(toy_plan({.epochs = 1, .samples = 80, .validation = false, .test = false}),
                {off, at("", "", When::Step, 3), at("", "", When::Every, 4)});
    run.trainer.start();
    for (std::size_t i = 1; i <= 3; ++i) {
        ASSERT_TRUE(run.memory->wait_halted(i));
        run.trainer.go(StepOrder::Run);
    }
    run.trainer.wait();
    std::vector<std::int64_t> steps;
    for (const train::Halt& halt : run.memory->halts) {
        steps.push_back(halt.step);
        EXPECT_EQ(halt.at.index, 1);
    }
    EXPECT_THAT(steps, ElementsAre(3, 4, 8));
}

TEST(Breakpoint, GradientsStopBackward) {
    Watched run(toy_plan({.epochs = 1, .max_steps = 1}),
                {at("act", "out", When::Norm, 0, false, Side::Backward)});
    run.trainer.start();
    ASSERT_TRUE(run.memory->wait_halted(1));
    const train::Halt halt = run.memory->halts[0];
    EXPECT_EQ(halt.at.phase, Phase::Backward);
    EXPECT_EQ(halt.port, "out");
    EXPECT_THAT(halt.reason, HasSubstr("in the gradient of 'out' of 'act', the norm is"));
    run.trainer.go(StepOrder::Finish);
    run.trainer.wait();
    EXPECT_EQ(run.memory->dones[0].state, RunState::Finished);
}

TEST(Breakpoint, WalkingChangesNothing) {
    const auto options =
        test::ToyOptions{.epochs = 1, .max_steps = 3, .validation = false, .test = false};
    const auto plain = test::run_to_end(toy_plan(options));
    Watched run(toy_plan(options));
    run.trainer.pause();
    run.trainer.start();
    ASSERT_TRUE(run.memory->wait_paused(0));
    std::size_t seen = 0;
    while (run.memory->wait([&](const Memory& m) {
        return !m.dones.empty() || (m.standing && m.halts.size() == seen + 1) ||
               (m.states.back() == RunState::Paused && !m.standing);
    })) {
        if (!run.memory->dones.empty()) break;
        if (run.memory->halts.size() == seen) { // between steps
            run.trainer.go(StepOrder::Op);
            ASSERT_TRUE(run.memory->wait_halted(seen + 1));
        }
        ++seen;
        run.trainer.go(StepOrder::Op);
    }
    EXPECT_EQ(run.memory->losses(), plain->losses());
    // Each step: 1, 2, 3, ... through forward, backward and update, in this order.
    std::int64_t index = 0, step = 0;
    Phase phase = Phase::Forward;
    bool updated = false;
    for (const train::Halt& halt : run.memory->halts) {
        if (halt.step != step) {
            step = halt.step;
            index = 0;
            phase = Phase::Forward;
        }
        EXPECT_EQ(halt.at.index, ++index);
        EXPECT_GE(halt.at.phase, phase);
        phase = halt.at.phase;
        updated = updated || phase == Phase::Update;
    }
    EXPECT_EQ(step, 3);
    EXPECT_TRUE(updated);
    EXPECT_GT(run.memory->halts.size(), 60U);
}

TEST(Breakpoint, WhileItStandsTasksAndProbesAreServed) {
    auto plan = toy_plan({.epochs = 1, .max_steps = 2});
    Watched run(std::move(plan), {at("act", "out", When::Max, -10)});
    run.trainer.start();
    ASSERT_TRUE(run.memory->wait_halted(1));
    std::vector<double> weight;
    bool differentiates = false;
    std::atomic<bool> done{false};
    ASSERT_TRUE(run.trainer.post([&](train::Model& model) {
        const Tensor w = model.module().parameters()[0].tensor;
        weight = w.to_vector();
        differentiates = sum(mul(w, w)).requires_grad();
        done = true;
    }));
    ProbeRequest request;
    request.value = {"act", "out", ProbeWhat::Activation};
    run.trainer.set_probes({request});
    ASSERT_TRUE(run.memory->wait([](const Memory& m) { return !m.probes.empty(); }));
    EXPECT_TRUE(done);
    EXPECT_TRUE(differentiates);
    EXPECT_EQ(weight.size(), 32U);
    EXPECT_EQ(run.memory->probes[0].step, 1);
    EXPECT_EQ(run.memory->probes[0].shape, (Shape{8, 16}));
    // Breakpoints that are taken away while it stands are gone.
    run.trainer.set_breakpoints({});
    run.trainer.resume();
    run.trainer.wait();
    EXPECT_EQ(run.memory->halts.size(), 1U);
    EXPECT_EQ(run.memory->dones[0].state, RunState::Finished);
}

TEST(Breakpoint, StoppingWhileItStandsFinishesTheStep) {
    Watched run(toy_plan(), {at("", "", When::Every, 1)});
    run.trainer.start();
    ASSERT_TRUE(run.memory->wait_halted(1));
    run.trainer.stop();
    run.trainer.wait();
    EXPECT_EQ(run.memory->dones[0].state, RunState::Stopped);
    EXPECT_EQ(run.memory->dones[0].steps, 1);
}

TEST(Breakpoint, SaysWhatItWaitsFor) {
    EXPECT_EQ(train::describe(at("", "", When::Broken)), "anywhere: a value is NaN or infinite");
    EXPECT_EQ(train::describe(at("conv1", "out", When::Mean, 3, true), "stem"),
              "stem.out: the mean is below 3");
    EXPECT_EQ(train::describe(at("conv1", "", When::Magnitude, 1e3, false, Side::Backward)),
              "conv1: gradient, a magnitude is above 1000");
    EXPECT_EQ(train::describe(at("", "", When::Step, 437)), "in step 437");
    EXPECT_EQ(train::describe(at("", "", When::Loss, 2)), "the loss is above 2");
}

// --- numbers that are none

train::TrainPlan with_corrupt_sample(train::BadNumbers policy) {
    auto plan =
        toy_plan({.epochs = 1, .samples = 10'000, .batch = 32, .validation = false, .test = false});
    test::toy_data(plan).points().data_mut<float>()[2 * 7321 + 1] = std::nanf("");
    plan.bad_numbers = policy;
    return plan;
}

TEST(BadNumbers, ABatchIsLeftOutAndItsSampleIsNamed) {
    Watched run(with_corrupt_sample(train::BadNumbers::Skip));
    run.trainer.start();
    run.trainer.wait();
    EXPECT_EQ(run.memory->dones[0].state, RunState::Finished);
    EXPECT_EQ(run.memory->dones[0].steps, 313);
    ASSERT_EQ(run.memory->warnings.size(), 1U);
    EXPECT_THAT(run.memory->warnings[0], HasSubstr("sample 7321 of the training data"));
    EXPECT_THAT(run.memory->warnings[0], HasSubstr("The batch was left out."));
    for (const nn::NamedTensor& value : run.trainer.model().module().state())
        for (const double number : value.tensor.to_vector())
            ASSERT_TRUE(std::isfinite(number)) << value.name;
    EXPECT_TRUE(std::isfinite(run.memory->epochs[0].train_losses[0]));
    int bad = 0;
    for (const double loss : run.memory->losses())
        bad += !std::isfinite(loss);
    EXPECT_EQ(bad, 1);
}

TEST(BadNumbers, AGradientThatIsNoNumberIsLeftOutToo) {
    auto plan = toy_plan({.epochs = 1, .max_steps = 2, .validation = false, .test = false});
    // The root of 0 is a number, its gradient is not; here it comes back to a weight.
    const Tensor weight = plan.model->module().parameters()[0].tensor;
    test::toy_model(plan).change_input = [weight](const Tensor& x) {
        return add(x, sqrt(mul(sum(weight), 0.0)));
    };
    const auto before = weight.to_vector();
    plan.bad_numbers = train::BadNumbers::Skip;
    Watched run(std::move(plan));
    run.trainer.start();
    run.trainer.wait();
    EXPECT_EQ(run.memory->dones[0].state, RunState::Finished);
    ASSERT_EQ(run.memory->warnings.size(), 2U);
    EXPECT_THAT(run.memory->warnings[0], HasSubstr("the gradient of the weight 'first.weight'"));
    EXPECT_EQ(weight.to_vector(), before);
}

TEST(BadNumbers, GoingOnTellsAndTakesTheStep) {
    Watched run(with_corrupt_sample(train::BadNumbers::Warn));
    run.trainer.start();
    run.trainer.wait();
    EXPECT_EQ(run.memory->dones[0].state, RunState::Finished);
    ASSERT_FALSE(run.memory->warnings.empty());
    EXPECT_THAT(run.memory->warnings[0], HasSubstr("sample 7321 of the training data"));
    EXPECT_THAT(run.memory->warnings[0], Not(HasSubstr("left out")));
    EXPECT_LE(run.memory->warnings.size(), 50U);
    EXPECT_TRUE(std::isnan(run.trainer.model().module().parameters()[0].tensor.to_vector()[0]));
}

TEST(BadNumbers, StoppingTellsTheSample) {
    Watched run(with_corrupt_sample(train::BadNumbers::Stop));
    run.trainer.start();
    run.trainer.wait();
    EXPECT_EQ(run.memory->dones[0].state, RunState::Failed);
    EXPECT_EQ(run.memory->dones[0].error_sample, 7321);
}

} // namespace
} // namespace wiregrad
