// Schedules against PyTorch's, number by number.
#include <cmath>

#include <gtest/gtest.h>

#include "engine/core/error.h"
#include "engine/train/schedule.h"
#include "tests/engine/referee.h"

namespace wiregrad {
namespace {

using train::Plateau;
using train::PlateauOptions;
using train::Schedule;
using Kind = Schedule::Kind;

constexpr std::int64_t kEpochs = 40;

struct Case {
    const char* torch; ///< makes a scheduler of optimizer o whose rate is 0.5
    Schedule schedule;
    bool by_step = false;
};

std::vector<Case> cases() {
    Schedule restarts{.kind = Kind::WarmRestarts, .min_factor = .02};
    restarts.t_0 = 4;
    restarts.t_mult = 2;
    Schedule polynomial{.kind = Kind::Polynomial};
    polynomial.total = 30;
    polynomial.power = 2;
    Schedule lambda{.kind = Kind::Lambda};
    lambda.function = [](double epoch) { return 1 / (1 + epoch); };
    Schedule multiplied{.kind = Kind::Multiplied};
    multiplied.function = [](double epoch) { return .9 + .001 * epoch; };
    Schedule rise{.kind = Kind::Linear};
    Schedule fall{.kind = Kind::Exponential, .gamma = .9};
    Schedule sequence{.kind = Kind::Sequential, .milestones = {6}};
    sequence.parts = {rise, fall};
    Schedule chained{.kind = Kind::Chained};
    chained.parts = {Schedule{.kind = Kind::Fixed, .start_factor = .1, .total = 3}, fall};
    Schedule one_cycle{.kind = Kind::OneCycle};
    Schedule straight = one_cycle;
    straight.cosine_anneal = false;
    straight.three_phase = true;
    straight.pct_start = .4;
    straight.cycle_momentum = false;
    Schedule cyclic{.kind = Kind::Cyclic};
    cyclic.max_factor = 4;
    cyclic.step_size_up = 5;
    cyclic.step_size_down = 9;
    cyclic.base_momentum = .8;
    cyclic.max_momentum = .9;
    Schedule halved = cyclic;
    halved.mode = Schedule::Mode::Triangular2;
    halved.step_size_down = 0;
    Schedule shrinking = cyclic;
    shrinking.mode = Schedule::Mode::ExpRange;
    shrinking.gamma = .95;
    return {
        {"StepLR(o, 7, 0.3)", {.kind = Kind::Step, .step_size = 7, .gamma = .3}},
        {"MultiStepLR(o, [3, 10, 11], 0.5)",
         {.kind = Kind::MultiStep, .gamma = .5, .milestones = {3, 10, 11}}},
        {"ExponentialLR(o, 0.9)", fall},
        {"CosineAnnealingLR(o, 15, 0.05)", {.kind = Kind::Cosine, .t_max = 15, .min_factor = .1}},
        {"LinearLR(o)", rise},
        {"LinearLR(o, 0.5, 0.1, 8)",
         {.kind = Kind::Linear, .start_factor = .5, .end_factor = .1, .total = 8}},
        {"ConstantLR(o)", {.kind = Kind::Fixed}},
        {"PolynomialLR(o, 30, 2)", polynomial},
        {"CosineAnnealingWarmRestarts(o, 4, 2, 0.01)", restarts},
        {"LambdaLR(o, lambda e: 1 / (1 + e))", lambda},
        {"MultiplicativeLR(o, lambda e: 0.9 + 0.001 * e)", multiplied},
        {"SequentialLR(o, [LinearLR(o), ExponentialLR(o, 0.9)], [6])", sequence},
        {"ChainedScheduler([ConstantLR(o, 0.1, 3), ExponentialLR(o, 0.9)])", chained},
        {"OneCycleLR(o, 0.5, total_steps=40)", one_cycle, true},
        {"OneCycleLR(o, 0.5, total_steps=40, pct_start=0.4, anneal_strategy='linear', "
         "three_phase=True, cycle_momentum=False)",
         straight, true},
        {"CyclicLR(o, 0.5, 2.0, 5, 9)", cyclic, true},
        {"CyclicLR(o, 0.5, 2.0, 5, mode='triangular2')", halved, true},
        {"CyclicLR(o, 0.5, 2.0, 5, 9, mode='exp_range', gamma=0.95)", shrinking, true},
    };
}

TEST(Schedule, FollowsPyTorch) {
    if (!test::python_has("torch, h5py"))
        GTEST_SKIP() << "no PyTorch with h5py in /usr/bin/python3";
    std::string script = R"(
import torch, warnings
warnings.simplefilter('ignore')
from torch.optim.lr_scheduler import *
def run(name, make):
    o = torch.optim.SGD([torch.zeros(1)], lr=0.5, momentum=0.7)
    scheduler = make(o)
    rates, momenta = [], []
    for epoch in range(40):
        rates.append(o.param_groups[0]['lr'] / 0.5)
        momenta.append(o.param_groups[0]['momentum'])
        o.step()
        if epoch < 39: scheduler.step()
    put(name, np.array([rates, momenta]))
)";
    const std::vector<Case> all = cases();
    for (std::size_t i = 0; i < all.size(); ++i)
        script += "run('" + std::to_string(i) + "', lambda o: " + all[i].torch + ")\n";
    const auto answer = test::ask_python(script);
    for (std::size_t c = 0; c < all.size(); ++c) {
        const std::vector<double> wanted = test::at(answer, std::to_string(c)).to_vector();
        for (std::int64_t i = 0; i < kEpochs; ++i) {
            const train::ScheduleTime time = all[c].by_step
                                                 ? train::ScheduleTime{0, 1, i, kEpochs}
                                                 : train::ScheduleTime{i, kEpochs, i * 3, 3};
            EXPECT_NEAR(all[c].schedule.factor(time), wanted[static_cast<std::size_t>(i)], 1e-10)
                << all[c].torch << " at " << i;
            EXPECT_NEAR(all[c].schedule.momentum(time).value_or(.7),
                        wanted[static_cast<std::size_t>(kEpochs + i)], 1e-10)
                << all[c].torch << " at " << i;
        }
    }
}

TEST(Schedule, KnownCurves) {
    const Schedule cosine{.kind = Kind::Cosine, .t_max = 4};
    const double wanted[] = {1, .8536, .5, .1464, 0, .1464, .5};
    for (int epoch = 0; epoch < 7; ++epoch)
        EXPECT_NEAR(cosine.factor({epoch, 100, 0, 1}), wanted[epoch], 5e-5) << epoch;
    const Schedule whole{.kind = Kind::Cosine, .min_factor = .1};
    EXPECT_NEAR(whole.factor({5, 10, 0, 1}), .55, 1e-12);
    const Schedule cycle{.kind = Kind::OneCycle};
    const double rates[] = {.04, .8193, .9719, .8117, .5560, .2831, .0766, 4e-6};
    for (int step = 0; step < 8; ++step)
        EXPECT_NEAR(cycle.factor({step / 4, 2, step, 4}), rates[step], 5e-5) << step;
}

TEST(Schedule, PreviewIsWhatTheTrainerUses) {
    const Schedule cycle{.kind = Kind::OneCycle};
    const std::vector<double> curve = train::preview(cycle, .5, 4, 5, 20);
    ASSERT_EQ(curve.size(), 20u);
    for (std::int64_t step = 0; step < 20; ++step)
        EXPECT_EQ(curve[static_cast<std::size_t>(step)], .5 * cycle.factor({step / 5, 4, step, 5}));
    EXPECT_EQ(train::preview({}, .5, 1, 0, 3), (std::vector<double>{.5, .5, .5}));
}

TEST(Plateau, FollowsPyTorch) {
    if (!test::python_has("torch, h5py"))
        GTEST_SKIP() << "no PyTorch with h5py in /usr/bin/python3";
    const auto answer = test::ask_python(R"(
import torch
from torch.optim.lr_scheduler import ReduceLROnPlateau
def run(name, **options):
    o = torch.optim.SGD([torch.zeros(1)], lr=0.5)
    scheduler = ReduceLROnPlateau(o, **options)
    rates = []
    for epoch in range(80):
        scheduler.step(1 / (1 + epoch) + 0.02 * np.sin(epoch) + (0.3 if epoch > 50 else 0))
        rates.append(o.param_groups[0]['lr'])
    put(name, np.array(rates))
run('a', patience=2)
run('b', patience=1, factor=0.5, threshold=0.01, threshold_mode='abs', cooldown=3, min_lr=0.01)
run('c', mode='max', patience=3, factor=0.3)
)");
    const auto check = [&](const char* name, const PlateauOptions& options) {
        Plateau plateau(options);
        double lr = .5;
        const std::vector<double> wanted = test::at(answer, name).to_vector();
        for (std::size_t epoch = 0; epoch < wanted.size(); ++epoch) {
            const auto e = static_cast<double>(epoch);
            if (epoch == 40) { // in the middle, as a resumed run would
                Plateau other(options);
                other.load(plateau.state());
                plateau = other;
            }
            lr = plateau.next(lr, 1 / (1 + e) + .02 * std::sin(e) + (epoch > 50 ? .3 : 0));
            EXPECT_NEAR(lr, wanted[epoch], 1e-12) << name << " " << epoch;
        }
    };
    check("a", {.patience = 2});
    check("b", {.factor = .5,
                .patience = 1,
                .threshold = .01,
                .relative = false,
                .cooldown = 3,
                .min_lr = .01});
    check("c", {.falling = false, .factor = .3, .patience = 3});
    Plateau exact({.patience = 0});
    EXPECT_EQ(exact.next(1, .9), 1);
    EXPECT_NEAR(exact.next(1, .89995), .1, 1e-15); // not better by more than the threshold
    EXPECT_THROW(Plateau({.factor = 1}), ValueError);
}

} // namespace
} // namespace wiregrad
