// Recorded steps: that they compute what eager steps compute, to the bit where nothing but
// elementwise fusion happens; that passes keep programs valid; that replay allocates nothing.
#include <atomic>
#include <cstdlib>
#include <new>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/autograd/tape.h"
#include "engine/core/error.h"
#include "engine/core/memory.h"
#include "engine/nn/generator.h"
#include "engine/op/ops.h"
#include "engine/program/execute.h"
#include "engine/program/passes.h"
#include "engine/program/recorded.h"
#include "engine/program/trace.h"
#include "engine/train/optim.h"
#include "engine/train/snapshots.h"
#include "engine/train/step_program.h"
#include "tests/engine/toy.h"

namespace {
std::atomic<std::int64_t> g_news{0};
}
// Sanitizers bring their own, which must stay; the test that counts says something without them.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
[[gnu::noinline]] void* operator new(std::size_t bytes) {
    g_news.fetch_add(1, std::memory_order_relaxed);
    if (void* block = std::malloc(bytes != 0 ? bytes : 1)) return block;
    throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* block) noexcept {
    std::free(block);
}
[[gnu::noinline]] void operator delete(void* block, std::size_t) noexcept {
    std::free(block);
}
#endif

namespace wiregrad {
namespace {

using program::Executable;
using program::Instruction;
using program::OptimizeOptions;
using program::Program;
using program::Tracer;
using ::testing::HasSubstr;

Tensor random(const Shape& shape, std::uint64_t seed) {
    nn::Generator generator(seed);
    Tensor tensor = Tensor::empty(shape);
    generator.uniform_(tensor, -1, 1);
    return tensor;
}

using Function = std::function<Tensors(const Tensors&)>;

Program trace(const Function& function, const Tensors& inputs) {
    Tracer tracer;
    Tensors stand_ins;
    for (std::size_t i = 0; i < inputs.size(); ++i)
        stand_ins.push_back(tracer.input("x" + std::to_string(i), inputs[i]));
    const Tracer::Scope scope(tracer);
    const Tensors results = function(stand_ins);
    for (std::size_t i = 0; i < results.size(); ++i)
        tracer.output("y" + std::to_string(i), results[i]);
    return tracer.finish();
}

/// Runs the optimised program of `function` and expects the eager bits.
std::string expect_same_bits(const Function& function, const Tensors& inputs) {
    const Tensors expected = function(inputs);
    Program program = trace(function, inputs);
    program::optimize(program, {.check = true});
    const std::string text = print(program);
    Executable executable(std::move(program), {.threads = 2});
    verify(executable.program(), executable.plan());
    for (int repeat = 0; repeat < 2; ++repeat) {
        for (std::size_t i = 0; i < inputs.size(); ++i)
            executable.set_input("x" + std::to_string(i), inputs[i]);
        executable.run();
        executable.run_update();
        for (std::size_t i = 0; i < expected.size(); ++i) {
            const Tensor& actual = executable.output("y" + std::to_string(i));
            EXPECT_EQ(actual.shape(), expected[i].shape());
            EXPECT_EQ(actual.to_vector(), expected[i].to_vector()) << i << "\n" << text;
        }
    }
    return text;
}

TEST(Program, ChainsElementwiseFunctionsToTheBit) {
    const Tensors inputs{random({17, 33}, 1), random({33}, 2), random({17, 1}, 3)};
    const std::string text = expect_same_bits(
        [](const Tensors& x) -> Tensors {
            const Tensor a = mul(add(x[0], x[1]), x[2]), b = sigmoid(a);
            return {where(gt(a, 0), mul(b, 2.0), tanh(sub(a, b))), b};
        },
        inputs);
    EXPECT_THAT(text, HasSubstr("elementwise"));
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 6) << text; // one instruction
}

TEST(Program, ChainsLargeOnesOnSeveralThreads) {
    expect_same_bits(
        [](const Tensors& x) -> Tensors {
            return {gelu(mul(x[0], x[1])), silu(add(x[0], permute(x[2], {1, 0})))};
        },
        {random({300, 700}, 1), random({300, 700}, 2), random({700, 300}, 3)});
}

TEST(Program, DoesNotMoveReadsAcrossWrites) {
    const Tensor state = random({5}, 7);
    const Tensor before = state.clone();
    Tracer tracer;
    const Tensor x = random({5}, 8);
    const Tensor in = tracer.input("x", x);
    tracer.name_state("state", state);
    {
        const Tracer::Scope scope(tracer);
        const Tensor old = mul(state, 2.0); // reads before the write
        Tensor(state).copy_(in);
        tracer.output("old", add(old, mul(state, in))); // reads after it
        tracer.output("again", mul(state, 2.0));
    }
    Program program = tracer.finish();
    program::optimize(program, {.check = true});
    Executable executable(std::move(program), {});
    executable.set_input("x", x);
    executable.run();
    const auto old = before.to_vector(), now = x.to_vector();
    EXPECT_EQ(state.to_vector(), now);
    for (std::size_t i = 0; i < 5; ++i) {
        const float expected = static_cast<float>(old[i]) * 2.0F +
                               static_cast<float>(now[i]) * static_cast<float>(now[i]);
        EXPECT_EQ(executable.output("old").to_vector()[i], expected);
        EXPECT_EQ(executable.output("again").to_vector()[i], 2 * now[i]);
    }
}

TEST(Program, FollowsViewsAndCopies) {
    expect_same_bits(
        [](const Tensors& x) -> Tensors {
            const Tensor t = transpose(x[0], 0, 1), rows = slice(x[0], 0, 1, 3);
            const Tensor parts[] = {reshape(t, {-1}), reshape(rows, {-1})};
            const Tensor all = cat(parts);
            Tensor copy = all.clone();
            copy.fill_(3);
            return {all, copy, add(contiguous(t), t), x[0].clone(), sum(t, {0}), flip(rows, {1})};
        },
        {random({4, 6}, 3)});
}

TEST(Program, FoldsConstantsAndSharesEqualOnes) {
    const Tensor x = random({8}, 1);
    const Function function = [](const Tensors& in) -> Tensors {
        const Tensor two = mul(Tensor::full({}, 4), 0.5);
        return {add(mul(in[0], two), exp(in[0])), mul(in[0], exp(in[0]))};
    };
    Program program = trace(function, {x});
    program::simplify(program);
    verify(program);
    int exps = 0, scalars = 0;
    for (const Instruction& instruction : program.instructions) {
        exps += instruction.op->name == "exp";
        scalars += instruction.op->name == "mul_scalar";
    }
    EXPECT_EQ(exps, 1);
    EXPECT_EQ(scalars, 0);
    expect_same_bits(function, {x});
}

TEST(Program, PrintsOneInstructionALineWithItsNode) {
    const Tensor weight = random({3, 4}, 1);
    Tracer tracer;
    const Tensor x = tracer.input("x", random({2, 4}, 2));
    tracer.name_state("fc.weight", weight);
    {
        const Tracer::Scope scope(tracer);
        const Origin origin(std::string("fc"));
        tracer.output("y", relu(linear(x, weight)));
    }
    const Program program = tracer.finish();
    EXPECT_EQ(print(program), "input x: float32[2, 4]\n"
                              "%2: float32[2, 3] = linear(x, fc.weight, none)   # fc\n"
                              "%3: float32[2, 3] = relu(%2)   # fc\n"
                              "output y = %3\n");
}

TEST(Program, RefusesStepsThatReadValues) {
    const Tensor x = random({4}, 1);
    EXPECT_THROW(trace([](const Tensors& in)
                           -> Tensors { return {sum(in[0]).item() > 0 ? in[0] : neg(in[0])}; },
                       {x}),
                 ValueError);
    EXPECT_EQ(recorder(), nullptr);
    EXPECT_EQ(mul(x, 2.0).to_vector().size(), 4U); // eager again
}

// --- the verifier

Program small_program() {
    Program program = trace(
        [](const Tensors& x) -> Tensors {
            return {matmul(relu(x[0]), x[1]), sum(exp(x[0]))};
        },
        {random({3, 4}, 1), random({4, 5}, 2)});
    program::verify(program);
    return program;
}

void swap_first_two(Program& program) {
    std::swap(program.instructions[0], program.instructions[1]);
}
void wrong_shape(Program& program) {
    program.value(program.instructions[0].outputs[0]).meta.shape = {4, 3};
}
void drop_output(Program& program) {
    program.outputs.pop_back();
    program::remove_dead(program);
}
void make_twice(Program& program) {
    program.instructions.push_back(program.instructions[0]);
}

TEST(Program, VerifierCatchesBrokenPasses) {
    const auto broken_by = [](const char* name, void (*pass)(Program&)) -> std::string {
        Program program = small_program();
        try {
            program::optimize(program, {.check = true},
                              {{"simplify", program::simplify}, {name, pass}});
        } catch (const Error& error) {
            return error.what();
        }
        return "nothing was noticed";
    };
    EXPECT_THAT(broken_by("swap", swap_first_two), HasSubstr("\"swap\""));
    EXPECT_THAT(broken_by("swap", swap_first_two), HasSubstr("before it is computed"));
    EXPECT_THAT(broken_by("shape", wrong_shape), HasSubstr("its rule gives float32[3, 4]"));
    EXPECT_THAT(broken_by("drop", drop_output), HasSubstr("lost this effect: output y1"));
    EXPECT_THAT(broken_by("twice", make_twice), HasSubstr("a second time"));
}

// --- memory

TEST(Program, PlansOneArenaWithoutOverlaps) {
    Program program = trace(
        [](const Tensors& x) -> Tensors {
            Tensor h = x[0];
            for (int i = 0; i < 20; ++i) // each result is needed by the next product only
                h = matmul(h, x[0]);
            return {h};
        },
        {random({64, 64}, 1)});
    const program::MemoryPlan plan = plan_memory(program);
    verify(program, plan);
    EXPECT_EQ(plan.arena_bytes, 2U * 64 * 64 * 4);
    EXPECT_EQ(plan.input_bytes, 64U * 64 * 4);
    program::MemoryPlan broken = plan;
    for (program::Block& block : broken.blocks)
        block.offset = 0;
    EXPECT_THROW(verify(program, broken), Error);
    EXPECT_THAT(largest_values(program, plan, 1).at(0), HasSubstr("float32[64, 64]"));
}

TEST(Program, TakesThePlannedMemoryAndNoMore) {
    const Tensor x = random({256, 256}, 1);
    Program program = trace(
        [](const Tensors& in) -> Tensors {
            return {softmax(matmul(tanh(matmul(in[0], in[0])), in[0]), 1)};
        },
        {x});
    program::optimize(program, {.check = true});
    const program::Preflight before = program::preflight(program, {});
    const std::size_t live = memory_stats().live_bytes;
    Executable executable(std::move(program), {});
    executable.set_input("x0", x);
    executable.run();
    EXPECT_EQ(memory_stats().live_bytes - live, before.plan.arena_bytes);
    EXPECT_EQ(executable.plan().arena_bytes, before.plan.arena_bytes);
    EXPECT_LE(before.plan.arena_bytes, 3U * 256 * 256 * 4 + 4096); // and working space
    set_memory_limit(memory_stats().live_bytes + 100000);
    try {
        const Executable second(executable.program(), {});
        ADD_FAILURE() << "there is no room for it";
    } catch (const OutOfMemory& error) {
        EXPECT_THAT(error.what(), HasSubstr("largest values of a step"));
        EXPECT_THAT(error.what(), HasSubstr("float32[256, 256] 0.3 MB"));
    }
    set_memory_limit(0);
}

TEST(Program, RecordsAFunctionAndReadsWeightsAnew) {
    program::Recorded recorded;
    Tensor weight = random({6, 4}, 3);
    int calls = 0;
    const auto function = [&](const Tensors& in) -> Tensors {
        ++calls;
        return {relu(linear(in[0], weight)), sum(in[0])};
    };
    for (std::uint64_t i = 0; i < 5; ++i) {
        const Tensor x = random({3, 4}, i);
        const Tensors expected = function({x});
        const Tensors& actual = recorded({x}, 0, function);
        ASSERT_EQ(actual.size(), 2U);
        EXPECT_EQ(actual[0].to_vector(), expected[0].to_vector());
        EXPECT_EQ(actual[1].to_vector(), expected[1].to_vector());
        EXPECT_NE(recorded.program(), nullptr);
        weight.copy_(random({6, 4}, 50 + i)); // what lies outside is read anew
    }
    EXPECT_EQ(calls, 5 + 1);
    recorded({random({3, 4}, 1)}, 1, function); // another revision
    EXPECT_EQ(calls, 5 + 2);
    const auto reading = [](const Tensors& in) -> Tensors {
        return {in[0].to_vector()[0] > 9 ? in[0] : neg(in[0])};
    };
    for (int i = 0; i < 3; ++i)
        recorded({random({2}, 1)}, 2, reading);
    EXPECT_THAT(recorded.reason(), HasSubstr("no data"));
}

struct Net {
    std::vector<nn::NamedTensor> weights;
    std::unique_ptr<train::Optimizer> optimizer;
    explicit Net(bool adam) {
        const auto add = [&](const char* name, const Shape& shape, std::uint64_t seed) {
            Tensor weight = random(shape, seed);
            weight.set_requires_grad(true);
            weights.push_back({name, weight});
        };
        add("w1", {16, 4}, 1);
        add("b1", {16}, 2);
        add("w2", {16, 1}, 3);
        optimizer = adam ? train::make_adam(weights, {.lr = 0.1, .weight_decay = 0.01})
                         : train::make_sgd(weights, {.lr = 0.1, .momentum = 0.9});
    }
    Tensor loss(const Tensor& x) const {
        const Tensor h =
            tanh(add(sum(mul(unsqueeze(x, 1), weights[0].tensor), {2}), weights[1].tensor));
        return mean(square(sum(mul(h, reshape(weights[2].tensor, {16})), {1})));
    }
    Tensor step(const Tensor& x) {
        optimizer->zero_grad();
        const Tensor value = loss(x);
        autograd::backward(value);
        train::clip_grad_norm(weights, 0.5);
        optimizer->step(1);
        return value;
    }
    Program traced(const Tensor& x) {
        Tracer tracer;
        const Tensor in = tracer.input("x", x);
        for (const nn::NamedTensor& weight : weights)
            tracer.name_state(weight.name, weight.tensor);
        for (const nn::NamedTensor& state : optimizer->state())
            tracer.name_state("o:" + state.name, state.tensor);
        optimizer->zero_grad();
        {
            const Tracer::Scope scope(tracer);
            const Tensor value = loss(in);
            tracer.output("loss", value);
            autograd::backward(value);
            tracer.begin_update();
            train::clip_grad_norm(weights, 0.5);
            optimizer->step(1);
        }
        optimizer->zero_grad();
        return tracer.finish();
    }
};

class ProgramStep : public testing::TestWithParam<bool> {};

TEST_P(ProgramStep, EqualsEagerStepsToTheBit) {
    Net eager(GetParam()), recorded(GetParam());
    Program program = recorded.traced(random({32, 4}, 9));
    program::optimize(program, {.check = true});
    Executable executable(std::move(program), {.threads = 2});
    verify(executable.program(), executable.plan());
    for (std::uint64_t step = 0; step < 6; ++step) {
        const Tensor x = random({32, 4}, 100 + step);
        const double expected = eager.step(x).item();
        executable.set_input("x", x);
        executable.run();
        EXPECT_EQ(executable.output("loss").item(), expected) << print(executable.program());
        executable.run_update();
    }
    for (std::size_t i = 0; i < eager.weights.size(); ++i)
        EXPECT_EQ(eager.weights[i].tensor.to_vector(), recorded.weights[i].tensor.to_vector());
    const auto a = eager.optimizer->state(), b = recorded.optimizer->state();
    for (std::size_t i = 0; i < a.size(); ++i)
        EXPECT_EQ(a[i].tensor.to_vector(), b[i].tensor.to_vector()) << a[i].name;
}
INSTANTIATE_TEST_SUITE_P(Optimizers, ProgramStep, testing::Bool());

TEST(Program, ReplaysWithoutAllocating) {
    const Tensor x = random({64, 32}, 1), y = random({64, 32}, 2);
    Program program = trace(
        [](const Tensors& in) -> Tensors {
            const Tensor a = mul(in[0], in[1]);
            return {tanh(add(a, 1.0)), gt(a, 0)};
        },
        {x, y});
    program::optimize(program);
    Executable executable(std::move(program), {});
    const auto pool = memory_stats().allocations;
    executable.set_input("x0", x);
    executable.set_input("x1", y);
    executable.run();
    const std::int64_t news = g_news.load();
    for (int i = 0; i < 10; ++i) {
        executable.set_input("x0", i % 2 == 0 ? y : x);
        executable.run();
    }
    EXPECT_EQ(g_news.load(), news);
    EXPECT_EQ(memory_stats().allocations, pool);
}

/// Convolutions with batch norm, pooling and a linear layer, as examples have them.
struct ConvNet {
    std::vector<nn::NamedTensor> weights;
    Tensor mean = Tensor::zeros({32}), var = Tensor::full({32}, 1);
    std::unique_ptr<train::Optimizer> optimizer;
    ConvNet() {
        const auto add = [&](const char* name, const Shape& shape, double bound) {
            Tensor weight = mul(random(shape, 11 + weights.size()), bound);
            weight.set_requires_grad(true);
            weights.push_back({name, weight});
        };
        add("c1", {16, 3, 3, 3}, 0.3);
        add("b1", {16}, 0.1);
        add("c2", {32, 16, 3, 3}, 0.1);
        add("gamma", {32}, 1);
        add("beta", {32}, 0.1);
        add("fc", {10, 32 * 4 * 4}, 0.05);
        add("fb", {10}, 0.1);
        optimizer = train::make_sgd(weights, {.lr = 0.05, .momentum = 0.9});
    }
    Tensor loss(const Tensor& x, const Tensor& labels) {
        const auto w = [&](std::size_t i) { return weights[i].tensor; };
        Tensor h = max_pool2d(relu(conv2d(x, w(0), w(1), {.padding = {1, 1}})), {});
        h = batch_norm(conv2d(h, w(2), {}, {.padding = {1, 1}}), w(3), w(4), mean, var, true);
        h = max_pool2d(relu(h), {});
        return cross_entropy(linear(flatten(h, 1), w(5), w(6)), labels);
    }
    Program traced(const Tensor& x, const Tensor& labels) {
        Tracer tracer;
        const Tensor in = tracer.input("x", x), target = tracer.input("labels", labels);
        for (const nn::NamedTensor& weight : weights)
            tracer.name_state(weight.name, weight.tensor);
        tracer.name_state("mean", mean);
        tracer.name_state("var", var);
        optimizer->zero_grad();
        {
            const Tracer::Scope scope(tracer);
            const Tensor value = loss(in, target);
            tracer.output("loss", value);
            autograd::backward(value);
            tracer.begin_update();
            optimizer->step(1);
        }
        optimizer->zero_grad();
        return tracer.finish();
    }
};

TEST(Program, KeepsConvolutionsInBlocksAndStaysCloseToEager) {
    ConvNet eager, recorded;
    Tensor labels = Tensor::empty({4}, DType::Int64);
    for (std::int64_t i = 0; i < 4; ++i)
        labels.data_mut<std::int64_t>()[i] = 3 * i;
    Program program = recorded.traced(random({4, 3, 16, 16}, 5), labels);
    program::optimize(program, {.check = true});
    const std::string text = print(program);
    EXPECT_THAT(text, HasSubstr("conv2d_act("));
    EXPECT_THAT(text, HasSubstr("sgd_step_multi_("));
    Executable executable(std::move(program), {.threads = 2});
    verify(executable.program(), executable.plan());
    for (std::uint64_t step = 0; step < 4; ++step) {
        const Tensor x = random({4, 3, 16, 16}, 60 + step);
        eager.optimizer->zero_grad();
        const Tensor expected = eager.loss(x, labels);
        autograd::backward(expected);
        eager.optimizer->step(1);
        executable.set_input("x", x);
        executable.set_input("labels", labels);
        executable.run();
        EXPECT_NEAR(executable.output("loss").item(), expected.item(), 2e-5 * expected.item())
            << print(executable.program(), executable.implementations());
        executable.run_update();
    }
    const auto close = [](const Tensor& a, const Tensor& b, const std::string& name) {
        const auto x = a.to_vector(), y = b.to_vector();
        double worst = 0, size = 0;
        for (std::size_t i = 0; i < x.size(); ++i) {
            worst = std::max(worst, std::abs(x[i] - y[i]));
            size = std::max(size, std::abs(y[i]));
        }
        EXPECT_LE(worst, 2e-5 * size) << name;
    };
    for (std::size_t i = 0; i < eager.weights.size(); ++i)
        close(recorded.weights[i].tensor, eager.weights[i].tensor, eager.weights[i].name);
    close(recorded.mean, eager.mean, "mean");
    close(recorded.var, eager.var, "var");
}

// --- in the trainer

class Programs : public test::Memory {
  public:
    void on_program(const train::ProgramRecord& record) override { records.push_back(record); }
    std::vector<train::ProgramRecord> records;
};

std::shared_ptr<Programs> run(train::TrainPlan plan, std::vector<ProbeRequest> probes = {}) {
    auto memory = std::make_shared<Programs>();
    train::Trainer trainer(std::move(plan), memory);
    if (!probes.empty()) trainer.set_probes(std::move(probes));
    trainer.start();
    trainer.wait();
    return memory;
}

train::TrainPlan recorded_plan() {
    train::TrainPlan plan = test::toy_plan();
    plan.program = true;
    return plan;
}

TEST(Program, TrainerReplaysAndGetsTheEagerBits) {
    const auto eager = run(test::toy_plan()), replayed = run(recorded_plan());
    EXPECT_TRUE(eager->records.empty());
    ASSERT_EQ(replayed->records.size(), 2U); // whole batches, and the smaller last one
    for (const train::ProgramRecord& record : replayed->records) {
        EXPECT_TRUE(record.replayed) << record.reason;
        EXPECT_GT(record.arena_bytes, 0U);
    }
    EXPECT_EQ(eager->losses(), replayed->losses());
    ASSERT_EQ(eager->steps.size(), replayed->steps.size());
    for (std::size_t i = 0; i < eager->steps.size(); ++i)
        EXPECT_EQ(eager->steps[i].metrics, replayed->steps[i].metrics);
    EXPECT_EQ(eager->dones.at(0).test->losses, replayed->dones.at(0).test->losses);
}

TEST(Program, ProbesSeeTheSameValues) {
    std::vector<ProbeRequest> probes;
    for (const char* node : {"first", "act", "second", "loss"})
        for (const ProbeWhat what : {ProbeWhat::Activation, ProbeWhat::ActivationGradient})
            probes.push_back({.value = {node, "out", what}, .max_per_second = 1e9});
    probes.push_back({.value = {"first", "weight", ProbeWhat::Weight}, .max_per_second = 1e9});
    probes.push_back(
        {.value = {"second", "weight", ProbeWhat::WeightGradient}, .max_per_second = 1e9});
    const auto eager = run(test::toy_plan(), probes), replayed = run(recorded_plan(), probes);
    const auto key = [](const ProbeRecord& r) {
        return std::tuple(r.step, r.value.node, r.value.name, r.value.what, r.mean, r.std, r.slice);
    };
    std::vector<decltype(key(eager->probes[0]))> a, b;
    for (const ProbeRecord& record : eager->probes)
        a.push_back(key(record));
    for (const ProbeRecord& record : replayed->probes)
        b.push_back(key(record));
    std::sort(a.begin(), a.end());
    std::sort(b.begin(), b.end());
    EXPECT_EQ(a.size(), 21U * probes.size());
    EXPECT_EQ(a, b);
}

TEST(Program, StaysEagerAndSaysWhy) {
    auto plan = recorded_plan();
    test::toy_model(plan).change_input = [](const Tensor& x) {
        return x.to_vector()[0] > 100 ? neg(x) : x;
    };
    const auto memory = run(std::move(plan));
    EXPECT_EQ(memory->dones.at(0).state, train::RunState::Finished);
    ASSERT_FALSE(memory->records.empty());
    EXPECT_FALSE(memory->records[0].replayed);
    EXPECT_THAT(memory->records[0].reason, HasSubstr("no data"));
    EXPECT_EQ(memory->losses(), run(test::toy_plan())->losses());
}

TEST(Program, WhatCannotBeReplayedRunsEagerlyWithAReason) {
    const auto check = [](const char* reason, auto change) {
        auto plain = test::toy_plan(), plan = recorded_plan();
        change(plain);
        change(plan);
        const auto eager = run(std::move(plain)), memory = run(std::move(plan));
        ASSERT_FALSE(memory->records.empty()) << reason;
        EXPECT_FALSE(memory->records[0].replayed) << reason;
        EXPECT_THAT(memory->records[0].reason, HasSubstr(reason));
        EXPECT_EQ(memory->losses(), eager->losses()) << reason;
    };
    check("accumulated", [](train::TrainPlan& plan) { plan.accumulate = 2; });
    check("left out", [](train::TrainPlan& plan) { plan.bad_numbers = train::BadNumbers::Skip; });
    check("cannot be recorded", [](train::TrainPlan& plan) {
        plan.optimizers[0].optimizer =
            train::make_muon(plan.optimizers[0].optimizer->parameters(), {.lr = 0.01});
    });
}

TEST(Program, AveragesClippingScalesAndOtherOptimizersAreReplayedToTheBit) {
    const auto check = [](const char* what, auto change) {
        auto plain = test::toy_plan(), plan = recorded_plan();
        change(plain);
        change(plan);
        const auto eager = run(std::move(plain)), memory = run(std::move(plan));
        ASSERT_EQ(memory->records.size(), 2U) << what;
        EXPECT_TRUE(memory->records[0].replayed) << what << ": " << memory->records[0].reason;
        EXPECT_EQ(memory->losses(), eager->losses()) << what;
        ASSERT_EQ(memory->epochs.size(), eager->epochs.size());
        for (std::size_t i = 0; i < eager->epochs.size(); ++i)
            EXPECT_EQ(memory->epochs[i].losses, eager->epochs[i].losses) << what;
        EXPECT_EQ(memory->dones.at(0).test->losses, eager->dones.at(0).test->losses) << what;
    };
    check("average", [](train::TrainPlan& plan) { plan.optimizers[0].average = 0.9; });
    check("clipping by value",
          [](train::TrainPlan& plan) { plan.optimizers[0].clip_grad_value = 0.01; });
    check("clipping by value alone", [](train::TrainPlan& plan) {
        plan.optimizers[0].clip_grad_value = 0.01;
        plan.optimizers[0].clip_grad_norm = 0;
    });
    check("scales", [](train::TrainPlan& plan) {
        std::vector<train::ParameterScale> scales(
            plan.optimizers[0].optimizer->parameters().size());
        scales[0] = {0.5, 0};
        scales[2] = {0, 1};
        plan.optimizers[0].optimizer->set_scales(scales);
    });
    const auto with = [&](const char* name, auto make) {
        check(name, [&](train::TrainPlan& plan) {
            plan.optimizers[0].optimizer = make(plan.optimizers[0].optimizer->parameters());
        });
    };
    with("sgd", [](auto weights) {
        return train::make_sgd(weights, {.lr = 0.01, .momentum = 0.9, .nesterov = true});
    });
    with("maximize",
         [](auto weights) { return train::make_sgd(weights, {.lr = 1e-4, .maximize = true}); });
    with("amsgrad", [](auto weights) {
        return train::make_adam(weights, {.lr = 0.01, .amsgrad = true, .decoupled = true});
    });
    with("rmsprop", [](auto weights) {
        return train::make_rmsprop(weights, {.lr = 1e-3, .momentum = 0.5, .centered = true});
    });
    with("adagrad", [](auto weights) { return train::make_adagrad(weights, {.lr_decay = 0.1}); });
    with("adadelta", [](auto weights) { return train::make_adadelta(weights, {}); });
    with("adamax", [](auto weights) { return train::make_adamax(weights, {}); });
    with("nadam", [](auto weights) { return train::make_nadam(weights, {}); });
    with("radam", [](auto weights) { return train::make_radam(weights, {}); });
}

TEST(Program, ARunThatKeepsMomentsIsReplayedFromThem) {
    auto plan = recorded_plan();
    const auto snapshots = std::make_shared<train::Snapshots>(1 << 20, 1e-9, 0);
    plan.snapshots = snapshots;
    const auto whole = run(std::move(plan));
    ASSERT_FALSE(whole->records.empty());
    EXPECT_TRUE(whole->records[0].replayed) << whole->records[0].reason;
    EXPECT_EQ(whole->losses(), run(test::toy_plan())->losses());
    auto branch = recorded_plan();
    branch.begin_with = snapshots->before(5);
    const std::int64_t first = branch.begin_with->step;
    ASSERT_GT(first, 0);
    // Looked at this time; that changes no bits.
    const auto rest = run(std::move(branch), {{.value = {"act", "out", ProbeWhat::Activation}}});
    const auto losses = whole->losses(), later = rest->losses();
    ASSERT_EQ(static_cast<std::int64_t>(later.size()),
              static_cast<std::int64_t>(losses.size()) - first);
    EXPECT_TRUE(std::equal(later.begin(), later.end(), losses.begin() + first, losses.end()));
}

TEST(Program, KindsShareTheirMemory) {
    const auto make = [](std::int64_t rows) {
        return trace(
            [](const Tensors& x) -> Tensors { return {sum(mul(matmul(x[0], x[0]), 2.0))}; },
            {random({rows, rows}, 1)});
    };
    std::shared_ptr<program::Arena> arena;
    Executable large(make(40), {.arena = &arena});
    const auto first = arena;
    const Executable small(make(20), {.arena = &arena});
    EXPECT_EQ(arena, first);
    Executable larger(make(80), {.arena = &arena});
    EXPECT_NE(arena, first);
    for (const std::int64_t rows : {40, 80}) {
        const Tensor x = random({rows, rows}, 2);
        Executable& which = rows == 40 ? large : larger;
        which.set_input("x0", x);
        which.run();
        EXPECT_NEAR(which.output("y0").item(), sum(mul(matmul(x, x), 2.0)).item(), 1e-3);
    }
}

TEST(Program, SchedulesAndPlateausReachTheReplayedStep) {
    const auto change = [](train::TrainPlan plan) {
        plan.optimizers[0].schedule.kind = train::Schedule::Kind::OneCycle;
        plan.optimizers[0].plateau = train::PlateauOptions{.patience = 0};
        return plan;
    };
    const auto eager = run(change(test::toy_plan())), replayed = run(change(recorded_plan()));
    ASSERT_FALSE(replayed->records.empty());
    EXPECT_TRUE(replayed->records[0].replayed) << replayed->records[0].reason;
    EXPECT_EQ(eager->losses(), replayed->losses());
    ASSERT_EQ(eager->steps.size(), replayed->steps.size());
    for (std::size_t i = 0; i < eager->steps.size(); ++i)
        EXPECT_EQ(eager->steps[i].lr, replayed->steps[i].lr);
}

TEST(Program, CacheIsBounded) {
    auto plan = recorded_plan();
    class Growing : public test::Rings {
      public:
        Growing() : Rings(40, 1, 1) {}
        train::Batch batch(std::int64_t epoch, std::int64_t index) override {
            train::Batch all = Rings(50, 50, 1).batch(epoch, 0);
            for (Tensor& field : all.fields)
                field = slice(field, 0, 0, 3 + index).clone();
            all.samples.resize(static_cast<std::size_t>(3 + index));
            return all;
        }
    };
    plan.train = std::make_shared<Growing>();
    plan.epochs = 2;
    const auto memory = run(std::move(plan));
    EXPECT_EQ(memory->steps.size(), 80U);
    EXPECT_GE(memory->records.size(), 8U);
    EXPECT_LE(memory->records.size(), 16U); // no kind comes twice before it is forgotten
}

} // namespace
} // namespace wiregrad
