// Time travel: sparse snapshots and exact replay give back every step of a run, bit for bit.
#include <cstring>
#include <future>

#include <gmock/gmock.h>

#include "engine/train/snapshots.h"
#include "tests/engine/toy.h"

namespace wiregrad {
namespace {

using test::Memory;
using test::run_to_end;
using test::toy_plan;
using train::RunState;
using train::Snapshots;
using train::Trainer;

bool same_bits(const Tensor& a, const Tensor& b) {
    return a.shape() == b.shape() && a.dtype() == b.dtype() &&
           std::memcmp(a.clone().raw(), b.clone().raw(), a.nbytes()) == 0;
}

std::shared_ptr<train::Checkpoint> state_at(double step, double seconds, std::int64_t floats) {
    auto moment = std::make_shared<train::Checkpoint>();
    moment->weights.push_back({"w", Tensor::zeros({floats})});
    moment->step = static_cast<std::int64_t>(step);
    moment->seconds = seconds;
    return moment;
}

/// Weights, buffers and moments after exactly `steps` steps.
struct State {
    std::vector<nn::NamedTensor> weights, moments;
};
State straight_to(std::int64_t steps) {
    auto plan = toy_plan({.epochs = 10, .max_steps = steps, .validation = false, .test = false});
    train::Optimizer* optimizer = plan.optimizers[0].optimizer.get();
    Trainer trainer(std::move(plan), std::make_shared<Memory>());
    trainer.start();
    trainer.wait();
    return {trainer.model().module().state(), optimizer->state()};
}

TEST(Snapshots, StayInTheirBudgetAndKeepTheFirst) {
    Snapshots snapshots(4000, 1, 0);
    EXPECT_EQ(snapshots.before(5), nullptr);
    for (int step = 0; step < 64; ++step)
        if (snapshots.due(step, step)) snapshots.keep(state_at(step, step, 100), 0);
    EXPECT_LE(snapshots.bytes(), 4000U);
    const auto steps = snapshots.steps();
    EXPECT_EQ(steps.front(), 0);
    EXPECT_GE(steps.size(), 5U);
    EXPECT_GE(steps.back(), 56);
    EXPECT_EQ(snapshots.before(steps[1])->step, steps[1]);
    EXPECT_EQ(snapshots.before(steps[1] - 1)->step, 0);
}

TEST(Snapshots, CostlyOnesAreTakenLessOften) {
    Snapshots snapshots(1 << 20, 0.5, 0.01);
    snapshots.keep(state_at(0, 0, 10), 0.02);
    EXPECT_FALSE(snapshots.due(1, 1.9));
    EXPECT_TRUE(snapshots.due(1, 2.1));
}

TEST(Snapshots, AnyStepComesBackBitForBit) {
    // 7 steps an epoch; step 14 ends one, step 70 the run.
    auto plan = toy_plan({.epochs = 10});
    const auto snapshots = std::make_shared<Snapshots>(30'000, 1e-4, 0);
    plan.snapshots = snapshots;
    const auto original = run_to_end(std::move(plan));
    ASSERT_EQ(original->steps.size(), 70U);
    ASSERT_GE(snapshots->steps().size(), 3U);

    auto again = toy_plan({.epochs = 10, .validation = false, .test = false});
    again.replay = true;
    train::Optimizer* optimizer = again.optimizers[0].optimizer.get();
    const auto memory = std::make_shared<Memory>();
    Trainer replay(std::move(again), memory);
    replay.pause();
    replay.start();
    for (const std::int64_t step : std::vector<std::int64_t>{37, 70, 1, 14, 15, 69, 0}) {
        // From before the step itself, so that at least one step is made.
        replay.seek(snapshots->before(std::max<std::int64_t>(0, step - 1)));
        replay.run_to(step);
        std::promise<State> promise;
        // Paused again: what follows is a command for the standing run.
        ASSERT_TRUE(memory->wait([&](const Memory& m) {
            return !m.states.empty() && m.states.back() == RunState::Paused &&
                   (step == 0 || (!m.steps.empty() && m.steps.back().step == step));
        }));
        replay.post([&](train::Model& model) {
            State state{model.module().state(), optimizer->state()};
            for (auto* list : {&state.weights, &state.moments})
                for (nn::NamedTensor& entry : *list)
                    entry.tensor = entry.tensor.clone();
            promise.set_value(std::move(state));
        });
        const State found = promise.get_future().get(), wanted = straight_to(step);
        if (step > 0) {
            EXPECT_EQ(memory->steps.back().losses,
                      original->steps[static_cast<std::size_t>(step - 1)].losses);
            ASSERT_EQ(found.weights.size(), wanted.weights.size());
            for (std::size_t i = 0; i < wanted.weights.size(); ++i)
                EXPECT_TRUE(same_bits(found.weights[i].tensor, wanted.weights[i].tensor))
                    << wanted.weights[i].name << " at step " << step;
            for (std::size_t i = 0; i < wanted.moments.size(); ++i)
                EXPECT_TRUE(same_bits(found.moments[i].tensor, wanted.moments[i].tensor))
                    << wanted.moments[i].name << " at step " << step;
        } else {
            EXPECT_TRUE(
                same_bits(found.weights[0].tensor, toy_plan().model->module().state()[0].tensor));
        }
    }
    replay.stop();
    replay.wait();
    EXPECT_EQ(memory->dones.at(0).state, RunState::Stopped);
}

TEST(Snapshots, ARunBeginsWhereAnotherWas) {
    auto plan = toy_plan({.epochs = 4});
    const auto snapshots = std::make_shared<Snapshots>(1 << 20, 1e-9, 0);
    plan.snapshots = snapshots;
    const auto whole = run_to_end(std::move(plan));
    auto branch = toy_plan({.epochs = 4});
    branch.begin_with = snapshots->before(11);
    const auto rest = run_to_end(std::move(branch));
    ASSERT_EQ(rest->steps.front().step, 12);
    const auto losses = whole->losses(), later = rest->losses();
    EXPECT_TRUE(std::equal(later.begin(), later.end(), losses.begin() + 11, losses.end()));
    EXPECT_EQ(whole->dones.at(0).test->losses, rest->dones.at(0).test->losses);
}

} // namespace
} // namespace wiregrad
