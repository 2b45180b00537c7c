#include <atomic>
#include <csignal>
#include <fcntl.h>
#include <future>
#include <random>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gmock/gmock.h>

#include "engine/autograd/tape.h"
#include "engine/core/config.h"
#include "tests/engine/referee.h"
#include "tests/engine/toy.h"

namespace wiregrad {
namespace {

using test::Memory;
using test::run_to_end;
using test::TempFolder;
using test::toy_data;
using test::toy_model;
using test::toy_plan;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using train::RunState;
using train::Trainer;

TEST(Trainer, LearnsAndReports) {
    const auto memory = run_to_end(toy_plan({.epochs = 60, .samples = 200}));
    const auto& m = *memory;
    EXPECT_THAT(m.states, ElementsAre(RunState::Preparing, RunState::Running, RunState::Finished));
    ASSERT_EQ(m.steps.size(), 60U * 25);
    ASSERT_EQ(m.epochs.size(), 60U);
    EXPECT_GT(m.epochs.front().train_losses.at(0), 0.55);
    EXPECT_LT(m.epochs.back().train_losses.at(0), 0.4); // with dropout
    EXPECT_LT(m.epochs.back().losses.at(0), 0.25);
    EXPECT_GT(m.epochs.back().metrics.at(0), 0.9);
    for (std::size_t i = 0; i < m.steps.size(); ++i) {
        EXPECT_EQ(m.steps[i].step, static_cast<std::int64_t>(i + 1));
        EXPECT_EQ(m.steps[i].epoch, static_cast<std::int64_t>(i / 25 + 1));
    }
    EXPECT_EQ(m.epochs[1].step, 50);
    EXPECT_DOUBLE_EQ(m.steps[0].lr, 0.02);
    EXPECT_NEAR(m.steps.back().lr, 0.02 * (0.1 + 0.9 * (1 + std::cos(M_PI * 59 / 60)) / 2), 1e-12);
    EXPECT_GT(m.steps[5].samples_per_second, 0);
    ASSERT_EQ(m.dones.size(), 1U);
    EXPECT_EQ(m.dones[0].steps, 1500);
    EXPECT_EQ(m.dones[0].epochs, 60);
    ASSERT_TRUE(m.dones[0].test.has_value());
    EXPECT_EQ(m.dones[0].test->samples, 30);
    EXPECT_GT(m.dones[0].test->metrics.at(0), 0.9);
    EXPECT_TRUE(m.dones[0].error.empty());
}

TEST(Trainer, WeighsMeansBySamples) {
    auto plan = toy_plan({.epochs = 1, .samples = 11, .batch = 8});
    const auto memory = run_to_end(std::move(plan));
    ASSERT_EQ(memory->steps.size(), 2U); // 8 samples and 3
    const auto losses = memory->losses();
    EXPECT_DOUBLE_EQ(memory->epochs.at(0).train_losses.at(0), (8 * losses[0] + 3 * losses[1]) / 11);
    EXPECT_NEAR(memory->epochs.at(0).train_metrics.at(0) * 11,
                std::round(memory->epochs.at(0).train_metrics.at(0) * 11), 1e-9);
}

TEST(Trainer, GivesTheSameBitsForTheSameSeed) {
    const auto a = run_to_end(toy_plan()), b = run_to_end(toy_plan()),
               other = run_to_end(toy_plan({.seed = 2}));
    EXPECT_EQ(a->losses(), b->losses());
    EXPECT_NE(a->losses(), other->losses());
    EXPECT_EQ(a->dones.at(0).test->losses, b->dones.at(0).test->losses);
}

TEST(Trainer, IsNotChangedByValidationOrProbes) {
    const auto plain = run_to_end(toy_plan({.validation = false, .test = false}));
    auto plan = toy_plan();
    auto memory = std::make_shared<Memory>();
    Trainer trainer(std::move(plan), memory);
    for (const char* node : {"first", "norm", "second", "loss"})
        trainer.set_probes(
            {{.value = {node, "out", ProbeWhat::Activation}, .max_per_second = 1e9},
             {.value = {node, "out", ProbeWhat::ActivationGradient}, .max_per_second = 1e9},
             {.value = {node, "weight", ProbeWhat::WeightGradient}, .max_per_second = 1e9}});
    trainer.start();
    trainer.wait();
    EXPECT_EQ(plain->losses(), memory->losses());
    EXPECT_TRUE(plain->epochs.at(0).losses.empty());
    EXPECT_FALSE(memory->probes.empty());
}

TEST(Trainer, EqualsALoopByHand) {
    const auto memory = run_to_end(toy_plan({.epochs = 2}));
    auto plan = toy_plan({.epochs = 2});
    std::vector<double> losses;
    nn::ForwardContext context;
    for (std::int64_t step = 0; step < 14; ++step) {
        context.state.random = Tensor::from(std::vector<std::int64_t>{1, step}, {2});
        auto& own = plan.optimizers[0];
        own.optimizer->zero_grad();
        const auto values =
            plan.model->forward(plan.train->batch(step / 7, step % 7), context, nullptr);
        losses.push_back(values.losses[0].item());
        autograd::backward(values.losses[0]);
        train::clip_grad_norm(own.optimizer->parameters(), 1);
        own.optimizer->step(own.schedule.factor(step / 7, 2));
    }
    EXPECT_EQ(memory->losses(), losses);
}

TEST(Trainer, ObeysPauseStepAndEpoch) {
    const auto memory = std::make_shared<Memory>();
    Trainer trainer(toy_plan({.epochs = 4}), memory); // 7 steps an epoch
    trainer.pause();
    trainer.start();
    ASSERT_TRUE(memory->wait_paused(0));
    trainer.step_once();
    ASSERT_TRUE(memory->wait_paused(1));
    trainer.step_once();
    trainer.step_once();
    ASSERT_TRUE(memory->wait_paused(3));
    EXPECT_EQ(trainer.state(), RunState::Paused);
    trainer.step_epoch();
    ASSERT_TRUE(memory->wait_paused(7));
    EXPECT_EQ(memory->epochs.size(), 1U);
    trainer.step_epoch();
    ASSERT_TRUE(memory->wait_paused(14));
    EXPECT_EQ(memory->epochs.size(), 2U);
    trainer.step_once(); // out of a running epoch
    ASSERT_TRUE(memory->wait_paused(15));
    trainer.resume();
    trainer.wait();
    EXPECT_EQ(memory->steps.size(), 28U);
    EXPECT_EQ(trainer.state(), RunState::Finished);
    EXPECT_EQ(memory->dones.at(0).state, RunState::Finished);
    // However it was stopped and stepped: the same run.
    EXPECT_EQ(memory->losses(), run_to_end(toy_plan({.epochs = 4}))->losses());
    EXPECT_THROW(trainer.start(), ValueError);
}

TEST(Trainer, DoesNotCountPauses) {
    const auto memory = std::make_shared<Memory>();
    Trainer trainer(toy_plan({.epochs = 1}), memory);
    trainer.pause();
    trainer.step_once();
    trainer.start();
    ASSERT_TRUE(memory->wait_paused(1));
    std::this_thread::sleep_for(std::chrono::seconds(1)); // what must not be counted
    trainer.step_once();
    ASSERT_TRUE(memory->wait_paused(2));
    EXPECT_LT(memory->steps.at(1).seconds - memory->steps.at(0).seconds, 1);
}

TEST(Trainer, StopsWhereverItIs) {
    const auto memory = std::make_shared<Memory>();
    {
        Trainer trainer(toy_plan({.epochs = 1'000'000}), memory);
        trainer.start();
        ASSERT_TRUE(memory->wait([](const Memory& m) { return m.steps.size() > 5; }));
        trainer.stop();
        trainer.wait();
        EXPECT_EQ(trainer.state(), RunState::Stopped);
        EXPECT_FALSE(memory->dones.at(0).test.has_value());
        EXPECT_THAT(memory->states, ElementsAre(RunState::Preparing, RunState::Running,
                                                RunState::Stopping, RunState::Stopped));
        EXPECT_FALSE(trainer.post([](train::Model&) {}));
    }
    const auto paused = std::make_shared<Memory>();
    {
        Trainer trainer(toy_plan({.epochs = 1'000'000}), paused);
        trainer.pause();
        trainer.start();
        ASSERT_TRUE(paused->wait_paused(0));
    } // the destructor stops
    EXPECT_EQ(paused->dones.at(0).state, RunState::Stopped);
    const auto idle = std::make_shared<Memory>();
    {
        Trainer trainer(toy_plan(), idle);
        EXPECT_EQ(trainer.state(), RunState::Idle);
        trainer.wait(); // returns: nothing runs
        trainer.stop();
    }
    EXPECT_TRUE(idle->states.empty());
}

TEST(Trainer, LeavesALongValidationWhenStopped) {
    auto plan = toy_plan({.epochs = 1});
    const auto memory = std::make_shared<Memory>();
    auto endless = std::make_shared<test::Rings>(1'000'000, 1, 5, false);
    std::atomic<Trainer*> trainer = nullptr;
    endless->before_batch = [&](std::int64_t, std::int64_t index) {
        if (index == 2) trainer.load()->stop();
        ASSERT_LT(index, 10);
    };
    plan.validation = endless;
    Trainer own(std::move(plan), memory);
    trainer = &own;
    own.start();
    own.wait();
    EXPECT_EQ(memory->dones.at(0).state, RunState::Stopped);
    EXPECT_TRUE(memory->epochs.empty());
}

TEST(Trainer, GivesTheNumberOfThreadsBack) {
    const int before = num_threads();
    auto plan = toy_plan({.epochs = 1});
    plan.threads = before + 1;
    int during = 0;
    toy_model(plan).before_forward = [&](const auto&, const auto&) { during = num_threads(); };
    run_to_end(std::move(plan));
    EXPECT_EQ(during, before + 1);
    EXPECT_EQ(num_threads(), before);
}

TEST(Trainer, EndsAtTheStepLimit) {
    const auto memory = run_to_end(toy_plan({.epochs = 100, .max_steps = 10}));
    EXPECT_EQ(memory->steps.size(), 10U);
    EXPECT_EQ(memory->epochs.size(), 1U);
    EXPECT_EQ(memory->dones.at(0).state, RunState::Finished);
    EXPECT_TRUE(memory->dones.at(0).test.has_value());
    const auto exact = run_to_end(toy_plan({.epochs = 100, .max_steps = 7}));
    EXPECT_EQ(exact->epochs.size(), 1U);
}

TEST(Trainer, RunsTasksBetweenSteps) {
    const auto memory = std::make_shared<Memory>();
    Trainer trainer(toy_plan({.epochs = 1'000'000}), memory);
    std::thread::id first_thread;
    int before = 0;
    ASSERT_TRUE(trainer.post([&](train::Model&) {
        first_thread = std::this_thread::get_id();
        before = static_cast<int>(memory->steps.size());
    }));
    trainer.start();
    // Predictions from another thread, many times, while it trains: never a torn read.
    std::atomic<int> ran = 0, torn = 0, accepted = 0;
    for (int i = 0; i < 200; ++i) {
        accepted += trainer.post([&](train::Model& model) {
            ++ran;
            torn += std::this_thread::get_id() != first_thread;
            const auto weights = model.module().parameters();
            const auto a = weights[0].tensor.to_vector(), b = weights[0].tensor.to_vector();
            torn += a != b;
        });
        std::this_thread::yield();
    }
    ASSERT_TRUE(memory->wait([](const Memory& m) { return m.steps.size() > 3; }));
    trainer.stop();
    trainer.wait();
    EXPECT_EQ(before, 0);
    EXPECT_EQ(accepted, 200);
    EXPECT_EQ(ran, 200); // also those behind the stop
    EXPECT_EQ(torn, 0);
    EXPECT_NE(first_thread, std::this_thread::get_id());
}

TEST(Trainer, RunsTasksWhilePausedAndFailsOnTheirErrors) {
    const auto memory = std::make_shared<Memory>();
    const int before = ::getpriority(PRIO_PROCESS, 0);
    auto plan = toy_plan();
    plan.polite = true;
    Trainer trainer(std::move(plan), memory);
    trainer.pause();
    trainer.start();
    ASSERT_TRUE(memory->wait_paused(0));
    std::promise<int> nice;
    ASSERT_TRUE(
        trainer.post([&](train::Model&) { nice.set_value(::getpriority(PRIO_PROCESS, 0)); }));
    EXPECT_GE(nice.get_future().get(), 10); // of the trainer's thread; ours keeps its own
    EXPECT_EQ(::getpriority(PRIO_PROCESS, 0), before);
    EXPECT_EQ(trainer.state(), RunState::Paused);
    ASSERT_TRUE(
        trainer.post([](train::Model&) { throw ValueError("the drawn digit is empty", "input"); }));
    trainer.wait();
    EXPECT_EQ(memory->dones.at(0).state, RunState::Failed);
    EXPECT_THAT(memory->dones.at(0).error, HasSubstr("the drawn digit is empty"));
    EXPECT_EQ(memory->dones.at(0).error_node, "input");
}

TEST(Trainer, SurvivesASlowSinkThatTalksBack) {
    const auto memory = std::make_shared<Memory>();
    Trainer trainer(toy_plan({.epochs = 3}), memory);
    std::atomic<int> ran = 0;
    memory->each_step = [&](const train::StepRecord&) {
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
        trainer.pause();
        trainer.post([&](train::Model&) { ++ran; });
        trainer.resume();
        (void)trainer.state();
    };
    trainer.start();
    trainer.wait();
    EXPECT_EQ(memory->steps.size(), 21U);
    EXPECT_EQ(ran, 21);
    EXPECT_EQ(memory->dones.at(0).state, RunState::Finished);
}

// --- failures, in words

TEST(Trainer, NamesTheNodeThatMadeANaN) {
    auto plan = toy_plan({.samples = 40, .batch = 8});
    toy_data(plan).points().data_mut<float>()[2 * 23] = -100; // one sample of 40
    toy_model(plan).change_input = [](const Tensor& x) { return log(add(x, 50.0)); };
    const auto memory = run_to_end(std::move(plan));
    const auto& done = memory->dones.at(0);
    EXPECT_EQ(done.state, RunState::Failed);
    EXPECT_EQ(done.error_node, "change");
    EXPECT_THAT(done.error, HasSubstr("In step " + std::to_string(memory->steps.size() + 1) +
                                      " the loss 'loss' became NaN"));
    EXPECT_THAT(done.error,
                HasSubstr("output 'out' of 'change', for sample 23 of the training data"));
    EXPECT_LT(memory->steps.size(), 5U);
}

TEST(Trainer, NamesTheDataThatHeldANaN) {
    auto plan = toy_plan({.samples = 40, .batch = 8});
    toy_data(plan).points().data_mut<float>()[2 * 31 + 1] = std::numeric_limits<float>::infinity();
    const auto memory = run_to_end(std::move(plan));
    EXPECT_THAT(
        memory->dones.at(0).error,
        HasSubstr("the data already hold a value that is infinite in field 1, for sample 31"));
    EXPECT_EQ(memory->dones.at(0).error_node, "loss");
}

TEST(Trainer, NamesTheWeightThatBlewUp) {
    auto plan = toy_plan({.epochs = 100});
    plan.optimizers[0].clip_grad_norm = 0;
    plan.optimizers[0].optimizer =
        train::make_sgd(plan.model->module().parameters(), {.lr = 1e38, .momentum = 0.9});
    const auto memory = run_to_end(std::move(plan));
    const auto& done = memory->dones.at(0);
    EXPECT_EQ(done.state, RunState::Failed);
    EXPECT_THAT(done.error, HasSubstr("the weight '"));
    EXPECT_THAT(done.error, HasSubstr("smaller learning rate"));
}

TEST(Trainer, ReportsWhatTheModelOrTheDataThrow) {
    const auto fail_with = [](auto error) {
        auto plan = toy_plan();
        toy_model(plan).before_forward = [error, calls = 0](const auto&, const auto&) mutable {
            if (++calls == 4) throw error;
        };
        const auto memory = run_to_end(std::move(plan));
        EXPECT_EQ(memory->steps.size(), 3U);
        EXPECT_EQ(memory->states.back(), RunState::Failed);
        return memory->dones.at(0);
    };
    const auto shape = fail_with(ShapeError("weight [3] does not fit", "conv1"));
    EXPECT_EQ(shape.error_node, "conv1");
    EXPECT_THAT(shape.error, HasSubstr("weight [3] does not fit"));
    const auto memory_error = fail_with(OutOfMemory("4 GB were asked for", "conv2"));
    EXPECT_EQ(memory_error.error_node, "conv2");
    EXPECT_THAT(fail_with(std::bad_alloc()).error, HasSubstr("out of memory"));
    EXPECT_THAT(fail_with(std::runtime_error("odd")).error, HasSubstr("odd"));
    const auto file = fail_with(FileError("is truncated", "/data/x.npy"));
    EXPECT_EQ(file.error, "/data/x.npy: is truncated");
    EXPECT_EQ(file.error_node, "");

    auto plan = toy_plan();
    toy_data(plan).before_batch = [](std::int64_t, std::int64_t index) {
        if (index == 2) throw DataError("sample 17 cannot be read", "images");
    };
    const auto data = run_to_end(std::move(plan));
    EXPECT_EQ(data->dones.at(0).error_node, "images");
    EXPECT_THAT(data->dones.at(0).error, HasSubstr("sample 17"));
}

TEST(Trainer, RefusesPlansThatCannotRun) {
    const auto error = [](const std::function<void(train::TrainPlan&)>& spoil) {
        auto plan = toy_plan();
        spoil(plan);
        const auto memory = run_to_end(std::move(plan));
        EXPECT_EQ(memory->dones.at(0).state, RunState::Failed);
        return memory->dones.at(0).error;
    };
    EXPECT_THAT(error([](auto& p) { p.model = nullptr; }), HasSubstr("needs a model"));
    EXPECT_THAT(error([](auto& p) { p.train = nullptr; }), HasSubstr("training data"));
    EXPECT_THAT(error([](auto& p) { p.train = std::make_shared<test::Rings>(0, 8, 1); }),
                HasSubstr("no batch"));
    EXPECT_THAT(error([](auto& p) { p.optimizers.clear(); }), HasSubstr("needs an optimizer"));
    EXPECT_THAT(error([](auto& p) { p.optimizers[0].losses.clear(); }),
                HasSubstr("adam: the optimizer minimises no loss"));
    EXPECT_THAT(error([](auto& p) { p.optimizers[0].losses = {3}; }), HasSubstr("loss 4 of 1"));
}

// --- two optimizers

/// loss_a = mean((a b - 1)^2) is for a, loss_b = mean((a b - 3)^2) for b: as in a GAN both see both
/// weights.
struct Duel : train::Model {
    struct Net : nn::Module {
        Tensor &a, &b;
        Net()
            : a(add_parameter("a.weight", Tensor::full({1}, 2, DType::Float64))),
              b(add_parameter("b.weight", Tensor::full({1}, 1, DType::Float64))) {}
        Tensors forward(std::span<const Tensor>, const nn::ForwardContext&) override { return {}; }
    } net;
    std::vector<std::string> losses{"loss_a", "loss_b"}, none;
    nn::Module& module() override { return net; }
    const std::vector<std::string>& loss_names() const override { return losses; }
    const std::vector<std::string>& metric_names() const override { return none; }
    train::StepValues forward(const train::Batch&, const nn::ForwardContext&,
                              train::Tap*) override {
        const Tensor product = mul(net.a, net.b);
        return {{mean(square(sub(product, 1.0))), mean(square(sub(product, 3.0)))}, {}};
    }
};

TEST(Trainer, GivesEachOptimizerItsOwnLosses) {
    train::TrainPlan plan;
    auto model = std::make_unique<Duel>();
    Duel* duel = model.get();
    for (std::size_t i = 0; i < 2; ++i) {
        train::OptimizerPlan own;
        own.name = i == 0 ? "for a" : "for b";
        own.losses = {i};
        own.optimizer = train::make_sgd({duel->module().parameters()[i]}, {.lr = 0.01});
        plan.optimizers.push_back(std::move(own));
    }
    plan.model = std::move(model);
    plan.train = std::make_shared<test::Rings>(24, 8, 1);
    plan.epochs = 1;
    Trainer trainer(std::move(plan), nullptr);
    trainer.start();
    trainer.wait();
    ASSERT_EQ(trainer.state(), RunState::Finished);
    double a = 2, b = 1;
    for (int step = 0; step < 3; ++step) {
        const double ga = 2 * (a * b - 1) * b, gb = 2 * (a * b - 3) * a;
        a -= 0.01 * ga;
        b -= 0.01 * gb;
    }
    EXPECT_NEAR(duel->net.a.item(), a, 1e-12);
    EXPECT_NEAR(duel->net.b.item(), b, 1e-12);
}

// --- resume

std::vector<double> flat(const std::vector<train::EpochRecord>& epochs) {
    std::vector<double> result;
    for (const auto& record : epochs)
        for (const auto* list :
             {&record.train_losses, &record.train_metrics, &record.losses, &record.metrics})
            result.insert(result.end(), list->begin(), list->end());
    return result;
}

TEST(Resume, EqualsAnUninterruptedRunBitForBit) {
    const TempFolder folder;
    const auto whole = run_to_end(toy_plan());
    for (const std::size_t stop_after : {1U, 3U, 7U, 10U, 20U}) {
        const auto first = std::make_shared<Memory>();
        {
            Trainer trainer(toy_plan({.checkpoint = folder / "c.h5"}), first);
            trainer.pause();
            for (std::size_t i = 0; i < stop_after; ++i)
                trainer.step_once();
            trainer.start();
            ASSERT_TRUE(first->wait_paused(stop_after));
            trainer.stop();
            trainer.wait();
            EXPECT_TRUE(first->warnings.empty());
        }
        auto plan = toy_plan({.checkpoint = folder / "c.h5"});
        for (nn::NamedTensor& weight : plan.model->module().state())
            weight.tensor.fill_(0.123); // all of it comes from the file
        const auto second = run_to_end(std::move(plan), true);
        ASSERT_EQ(second->dones.at(0).state, RunState::Finished) << second->dones.at(0).error;
        auto losses = first->losses(), rest = second->losses();
        losses.insert(losses.end(), rest.begin(), rest.end());
        EXPECT_EQ(losses, whole->losses()) << "stopped after step " << stop_after;
        auto epochs = first->epochs;
        epochs.insert(epochs.end(), second->epochs.begin(), second->epochs.end());
        EXPECT_EQ(flat(epochs), flat(whole->epochs)) << "stopped after step " << stop_after;
        EXPECT_EQ(second->dones.at(0).test->losses, whole->dones.at(0).test->losses);
        EXPECT_GE(second->steps.at(0).seconds, first->steps.back().seconds);
        EXPECT_EQ(second->steps.at(0).step, static_cast<std::int64_t>(stop_after + 1));
    }
    // A finished run goes on where it ended when more epochs are asked for; here there are none.
    const auto again = run_to_end(toy_plan({.checkpoint = folder / "c.h5"}), true);
    EXPECT_TRUE(again->steps.empty());
    EXPECT_EQ(again->dones.at(0).test->losses, whole->dones.at(0).test->losses);
}

TEST(Resume, RepeatsAValidationThatWasCutShort) {
    const TempFolder folder;
    const auto whole = run_to_end(toy_plan({.epochs = 1}));
    auto plan = toy_plan({.epochs = 1, .checkpoint = folder / "c.h5"});
    const auto first = std::make_shared<Memory>();
    std::atomic<Trainer*> trainer = nullptr;
    static_cast<test::Rings&>(*plan.validation).before_batch = [&](std::int64_t, std::int64_t) {
        trainer.load()->stop();
    };
    {
        Trainer own(std::move(plan), first);
        trainer = &own;
        own.start();
        own.wait();
    }
    EXPECT_TRUE(first->epochs.empty());
    const auto second = run_to_end(toy_plan({.epochs = 1, .checkpoint = folder / "c.h5"}), true);
    EXPECT_TRUE(second->steps.empty());
    EXPECT_EQ(flat(second->epochs), flat(whole->epochs));
}

/// Not a test of its own: the process that the next test kills. It saves after every step and says
/// so.
TEST(ResumeChild, DISABLED_TrainsUntilKilled) {
    const char* path = std::getenv("WIREGRAD_TEST_CHECKPOINT");
    ASSERT_NE(path, nullptr);
    const int out = std::atoi(std::getenv("WIREGRAD_TEST_PIPE"));
    auto plan = toy_plan({.epochs = 1'000'000, .checkpoint = path});
    plan.checkpoint_seconds = 1e-9;
    const auto memory = std::make_shared<Memory>();
    memory->each_step = [&](const train::StepRecord&) { ASSERT_EQ(::write(out, "s", 1), 1); };
    Trainer trainer(std::move(plan), memory);
    trainer.start();
    trainer.wait();
}

TEST(Resume, EqualsAnUninterruptedRunAfterAKill) {
    const TempFolder folder;
    const std::string path = folder / "c.h5";
    for (const int kill_after : {2, 9, 16}) {
        std::filesystem::remove(path);
        int ends[2];
        ASSERT_EQ(::pipe(ends), 0);
        const pid_t child = ::fork();
        ASSERT_GE(child, 0);
        if (child == 0) {
            ::setenv("WIREGRAD_TEST_CHECKPOINT", path.c_str(), 1);
            ::setenv("WIREGRAD_TEST_PIPE", std::to_string(ends[1]).c_str(), 1);
            const int quiet = ::open("/dev/null", O_WRONLY);
            ::dup2(quiet, 1);
            ::execl("/proc/self/exe", "test_engine", "--gtest_also_run_disabled_tests",
                    "--gtest_filter=ResumeChild.DISABLED_TrainsUntilKilled", nullptr);
            ::_exit(1);
        }
        ::close(ends[1]);
        char byte = 0;
        for (int i = 0; i < kill_after; ++i)
            ASSERT_EQ(::read(ends[0], &byte, 1), 1);
        ASSERT_EQ(::kill(child, SIGKILL), 0);
        ASSERT_EQ(::waitpid(child, nullptr, 0), child);
        ::close(ends[0]);

        const train::Checkpoint saved = train::load_checkpoint(path);
        ASSERT_GE(saved.step, kill_after - 1);
        const std::int64_t until = saved.step + 10;
        const auto rest = run_to_end(
            toy_plan({.epochs = 1'000'000, .max_steps = until, .checkpoint = path}), true);
        const auto whole = run_to_end(toy_plan({.epochs = 1'000'000, .max_steps = until}));
        ASSERT_EQ(rest->steps.size(), 10U) << rest->dones.at(0).error;
        auto losses = whole->losses();
        losses.erase(losses.begin(), losses.begin() + static_cast<std::ptrdiff_t>(saved.step));
        EXPECT_EQ(rest->losses(), losses) << "killed after step " << kill_after;
    }
}

TEST(Resume, IsRefusedForAnotherRun) {
    const TempFolder folder;
    const std::string path = folder / "c.h5";
    auto first = toy_plan({.epochs = 1, .checkpoint = path});
    first.settings = {{"batch size", "8"}, {"adam.lr", "0.1"}, {"of an older version", "1"}};
    run_to_end(std::move(first));
    const auto error = [&](const std::function<void(train::TrainPlan&)>& change) {
        auto plan = toy_plan({.checkpoint = path});
        change(plan);
        const auto memory = run_to_end(std::move(plan), true);
        EXPECT_EQ(memory->dones.at(0).state, RunState::Failed);
        EXPECT_TRUE(memory->steps.empty());
        return memory->dones.at(0).error;
    };
    EXPECT_THAT(error([](auto& p) { p.graph_hash = "other"; }), HasSubstr("another graph"));
    EXPECT_THAT(error([](auto& p) { p.seed = 7; }), HasSubstr("seed 1, this one has 7"));
    EXPECT_THAT(error([](auto& p) {
                    p.settings = {{"batch size", "8"}, {"adam.lr", "0.2"}};
                }),
                HasSubstr("adam.lr 0.1, this run has 0.2"));
    EXPECT_THAT(error([](auto& p) { p.optimizers[0].name = "sgd"; }),
                HasSubstr("'adam' where this run has 'sgd'"));
    EXPECT_THAT(error([](auto& p) {
                    p.optimizers[0].optimizer = train::make_sgd(p.model->module().parameters(), {});
                }),
                HasSubstr("tensors"));
    EXPECT_THAT(error([](auto& p) { p.checkpoint_path = ""; }), HasSubstr("no checkpoint"));
    EXPECT_THAT(error([&](auto& p) { p.checkpoint_path = folder / "none.h5"; }),
                HasSubstr("none.h5"));
    io::write_file(path, std::string_view("broken"));
    EXPECT_THAT(error([](auto&) {}), HasSubstr("HDF5"));
}

TEST(Trainer, WarnsWhenACheckpointCannotBeWrittenAndGoesOn) {
    const TempFolder folder;
    const auto memory = run_to_end(toy_plan({.checkpoint = folder / "no/folder/c.h5"}));
    const auto& done = memory->dones.at(0);
    EXPECT_EQ(done.state, RunState::Finished);
    EXPECT_EQ(memory->steps.size(), 21U);
    EXPECT_EQ(memory->warnings.size(), 3U); // two epochs and the end
    EXPECT_THAT(done.checkpoint_error, HasSubstr("No such file"));
    EXPECT_TRUE(done.error.empty());
}

// --- everything at once

TEST(Trainer, SurvivesRandomCommands) {
    std::mt19937 random(5);
    for (int round = 0; round < 1000; ++round) {
        const auto memory = std::make_shared<Memory>();
        std::atomic<int> ran = 0;
        int accepted = 0;
        auto plan = toy_plan({.epochs = 2, .samples = 12, .batch = 4, .width = 3});
        const bool spoiled = random() % 8 == 0;
        if (spoiled)
            toy_model(plan).before_forward = [](const auto&, const nn::ForwardContext& context) {
                if (context.training && context.state.random.to_vector()[1] == 4)
                    throw ValueError("spoiled");
            };
        Trainer trainer(std::move(plan), memory);
        const bool before = random() % 2 == 0;
        const auto some_commands = [&](std::mt19937& dice, int count, bool counted) {
            for (int i = 0; i < count; ++i) {
                switch (dice() % 8) {
                case 0:
                    trainer.pause();
                    break;
                case 1:
                    trainer.resume();
                    break;
                case 2:
                    trainer.step_once();
                    break;
                case 3:
                    trainer.step_epoch();
                    break;
                case 4:
                    trainer.set_probes(
                        {{.value = {"act", "out", ProbeWhat::Activation}, .max_per_second = 1e9},
                         {.value = {"first", "weight", ProbeWhat::Weight}, .max_per_second = 1e9}});
                    break;
                case 5:
                    if (counted) accepted += trainer.post([&](train::Model&) { ++ran; });
                    break;
                case 6:
                    (void)trainer.state();
                    break;
                default:
                    if (dice() % 8 == 0) trainer.stop();
                }
            }
        };
        if (before) some_commands(random, 3, true);
        trainer.start();
        std::thread other([&, seed = random()] {
            std::mt19937 dice(seed);
            some_commands(dice, 5, false);
        });
        some_commands(random, 6, true);
        other.join();
        if (random() % 2 == 0)
            trainer.stop();
        else
            trainer.resume();
        trainer.wait();
        ASSERT_EQ(ran, accepted) << "round " << round;
        ASSERT_EQ(memory->dones.size(), 1U);
        const auto& done = memory->dones[0];
        ASSERT_EQ(memory->states.back(), done.state);
        ASSERT_EQ(trainer.state(), done.state);
        ASSERT_TRUE(done.state == RunState::Finished || done.state == RunState::Stopped ||
                    (spoiled && done.state == RunState::Failed))
            << "round " << round << ": " << done.error;
        ASSERT_EQ(done.steps, static_cast<std::int64_t>(memory->steps.size()));
        ASSERT_TRUE(done.state != RunState::Finished || done.steps == 6);
        for (std::size_t i = 0; i < memory->steps.size(); ++i)
            ASSERT_EQ(memory->steps[i].step, static_cast<std::int64_t>(i + 1));
        ASSERT_FALSE(trainer.post([](train::Model&) {}));
    }
}

} // namespace
} // namespace wiregrad
