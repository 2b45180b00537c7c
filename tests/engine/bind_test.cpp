// Bound kernels of the CPU against the kernels of their rows: every arrangement of the operands,
// runs at new addresses, trials.
#include <cstdlib>
#include <filesystem>
#include <tuple>

#include "engine/autograd/tape.h"
#include "engine/backend/cpu/choice.h"
#include "engine/backend/cpu/layout.h"
#include "engine/core/config.h"
#include "engine/op/bind.h"
#include "engine/op/ops.h"
#include "heavy_util.h"

namespace wiregrad {
namespace {

using namespace heavy;

constexpr std::size_t kAlignment = 64;

// Choices by trial are kept in a folder of these tests, not in the user's.
const std::string kCacheFolder = [] {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "wiregrad-cache-XXXXXX").string();
    if (mkdtemp(pattern.data()) != nullptr) setenv("XDG_CACHE_HOME", pattern.c_str(), 1);
    return pattern;
}();
class RemoveCache : public ::testing::Environment {
    void TearDown() override {
        std::error_code ignored;
        std::filesystem::remove_all(kCacheFolder, ignored);
    }
};
[[maybe_unused]] const auto* const kRemoveCache =
    ::testing::AddGlobalTestEnvironment(new RemoveCache);

struct Free {
    void operator()(void* block) const { std::free(block); }
};
using Block = std::unique_ptr<void, Free>;
Block block_of(std::size_t bytes) {
    return Block(std::aligned_alloc(kAlignment, (bytes + kAlignment) / kAlignment * kAlignment));
}

/// `x` in another layout, or `bytes` of a layout as a row-major tensor.
Block reordered(const Tensor& x, const Layout& layout) {
    Block to = block_of(x.nbytes());
    const void* in[] = {x.raw()};
    void* out[] = {to.get()};
    auto bound = bind_reorder({x.shape(), x.dtype(), {}}, {}, layout);
    EXPECT_NE(bound, nullptr);
    if (bound) bound->run(in, out, nullptr);
    return to;
}
Tensor plain(const void* from, const TensorMeta& meta, const Layout& layout) {
    Tensor x = Tensor::empty(meta.shape, meta.dtype);
    const void* in[] = {from};
    void* out[] = {x.raw_mut()};
    auto bound = bind_reorder(meta, layout, {});
    EXPECT_NE(bound, nullptr);
    if (bound) bound->run(in, out, nullptr);
    return x;
}

enum class Ask { Plain, Any };
struct BoundRun {
    Tensors outputs;
    std::string name, layouts;
};

/// Binds the op for these inputs and runs it twice, the second time at other addresses. No outputs:
/// the rule returned null.
BoundRun run_bound(const std::string& name, const Tensors& inputs, const Attrs& attrs, Ask ask,
                   bool trial = false) {
    const Op& op = find_op(name);
    Metas metas;
    Mask present = 0;
    std::vector<BindValue> in, out;
    const auto value = [&](const TensorMeta& meta) {
        BindValue v;
        v.meta = meta;
        v.strides = contiguous_strides(meta.shape);
        v.any = ask == Ask::Any;
        return v;
    };
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        metas.emplace_back();
        if (inputs[i]) {
            metas.back() = {inputs[i].shape(), inputs[i].dtype(), {}};
            present |= Mask{1} << i;
        }
        in.push_back(value(metas.back()));
    }
    const Metas out_metas = op.shape({op, attrs, metas, present});
    for (const TensorMeta& meta : out_metas)
        out.push_back(value(meta));
    BindCall call{op, attrs, in, out, present, num_threads(), trial};
    const auto bound = op.bind[0](call);
    BoundRun result;
    if (bound == nullptr) return result;
    result.name = bound->name();
    for (int turn = 0; turn < 2; ++turn) {
        std::vector<Block> blocks;
        std::vector<const void*> from;
        std::vector<void*> to;
        for (std::size_t i = 0; i < inputs.size(); ++i) {
            from.push_back(nullptr);
            if (!inputs[i]) continue;
            blocks.push_back(reordered(inputs[i].contiguous(), in[i].layout));
            from.back() = blocks.back().get();
        }
        for (const BindValue& v : out) {
            blocks.push_back(block_of(static_cast<std::size_t>(numel(v.meta.shape)) * 8));
            to.push_back(blocks.back().get());
        }
        const Block scratch = block_of(bound->scratch_bytes());
        bound->run(from.data(), to.data(), scratch.get());
        Tensors outputs;
        for (std::size_t i = 0; i < out.size(); ++i)
            outputs.push_back(plain(to[i], out[i].meta, out[i].layout));
        for (std::size_t i = 0; turn == 1 && i < out.size(); ++i)
            EXPECT_TRUE(same(outputs[i], result.outputs[i])) << name << " at new addresses";
        result.outputs = std::move(outputs);
    }
    for (const BindValue& v : in)
        result.layouts += v.layout.name() + " ";
    result.layouts += "->";
    for (const BindValue& v : out)
        result.layouts += " " + v.layout.name();
    return result;
}

/// Bound equals kernel; returns the layouts that the rule chose.
std::string check(const std::string& name, const Tensors& inputs, const Attrs& attrs, Ask ask,
                  double rtol = 1e-4, double atol = 1e-4, bool trial = false) {
    const autograd::NoGrad off;
    const BoundRun got = run_bound(name, inputs, attrs, ask, trial);
    EXPECT_FALSE(got.outputs.empty()) << name << " was not bound";
    if (got.outputs.empty()) return "";
    const Tensors expected = call(find_op(name), inputs, attrs);
    for (std::size_t i = 0; i < expected.size(); ++i)
        EXPECT_TRUE(near(got.outputs[i], expected[i], rtol, atol))
            << name << " output " << i << " by " << got.name << " " << got.layouts << " "
            << attrs.str();
    return got.layouts;
}

Tensor f32(const Shape& shape, unsigned seed) {
    return noise(shape, seed, DType::Float32);
}

TEST(Bind, ReorderGoesThereAndBack) {
    for (DType dtype : {DType::Float32, DType::UInt8}) {
        const Tensor x = dtype == DType::Float32 ? f32({2, 32, 5, 7}, 1)
                                                 : as(labels({2, 32, 5, 7}, 9, 1), DType::UInt8);
        const TensorMeta meta{x.shape(), dtype, {}};
        const Layout blocked = cpu::blocked_layout(meta);
        const Block there = reordered(x, blocked);
        EXPECT_TRUE(same(plain(there.get(), meta, blocked), x));
        if (dtype != DType::Float32) continue;
        const auto* values = static_cast<const float*>(there.get());
        EXPECT_EQ(values[((0 * 2 + 1) * 35 + 3) * 16 + 4], x.data<float>()[(0 * 32 + 20) * 35 + 3]);
    }
    EXPECT_EQ(bind_reorder({Shape{2, 6, 5, 7}, DType::Float32, {}}, {},
                           cpu::blocked_layout({Shape{2, 32, 5, 7}, DType::Float32, {}})),
              nullptr);
}

struct ConvCase {
    Shape x, w;
    ConvOptions o;
};
const ConvCase kConvs[] = {
    {{2, 16, 9, 8}, {32, 16, 3, 3}, {{1, 1}, {1, 1}, {1, 1}, 1}},
    {{3, 32, 8, 8}, {16, 32, 3, 3}, {{2, 2}, {1, 1}, {1, 1}, 1}},
    {{2, 3, 12, 12}, {16, 3, 5, 5}, {{1, 1}, {2, 2}, {1, 1}, 1}},
    {{2, 1, 12, 12}, {6, 1, 5, 5}, {{1, 1}, {0, 0}, {1, 1}, 1}},
    {{2, 6, 12, 12}, {16, 6, 5, 5}, {{1, 1}, {0, 0}, {1, 1}, 1}},
    {{2, 32, 7, 7}, {64, 32, 1, 1}, {{2, 2}, {0, 0}, {1, 1}, 1}},
    {{2, 32, 7, 7}, {32, 16, 3, 3}, {{1, 1}, {2, 2}, {2, 2}, 2}},
    {{2, 48, 6, 5}, {10, 48, 2, 2}, {{1, 1}, {0, 0}, {1, 1}, 1}},
};
Attrs attrs_of(const ConvOptions& o) {
    return {{"stride", o.stride},
            {"padding", o.padding},
            {"dilation", o.dilation},
            {"groups", o.groups}};
}
/// x, weight, gradient of the output and all attributes of a case.
struct ConvData {
    Tensor x, w, b, gy;
    explicit ConvData(const ConvCase& c)
        : x(f32(c.x, 1)), w(f32(c.w, 2)), b(f32({c.w[0]}, 3)),
          gy(f32(conv2d(x, w, {}, c.o).shape(), 4)) {}
};

TEST(Bind, Convolutions) {
    for (const ConvCase& c : kConvs)
        for (Ask ask : {Ask::Plain, Ask::Any})
            for (bool trial : {false, true}) {
                const ConvData d(c);
                const Attrs act = {{"stride", c.o.stride},
                                   {"padding", c.o.padding},
                                   {"dilation", c.o.dilation},
                                   {"groups", c.o.groups},
                                   {"activation", std::string("relu")}};
                const Attrs input = {{"stride", c.o.stride},
                                     {"padding", c.o.padding},
                                     {"dilation", c.o.dilation},
                                     {"groups", c.o.groups},
                                     {"input_size", c.x}};
                const Attrs weight = {{"stride", c.o.stride},     {"padding", c.o.padding},
                                      {"dilation", c.o.dilation}, {"groups", c.o.groups},
                                      {"weight_size", c.w},       {"with_bias", true}};
                check("conv2d", {d.x, d.w, d.b}, attrs_of(c.o), ask, 1e-4, 1e-4, trial);
                check("conv2d", {d.x, d.w, {}}, attrs_of(c.o), ask, 1e-4, 1e-4, trial);
                check("conv2d_act", {d.x, d.w, d.b}, act, ask, 1e-4, 1e-4, trial);
                check("conv2d_input_grad", {d.gy, d.w}, input, ask, 1e-4, 1e-4, trial);
                check("conv2d_weight_grad", {d.x, d.gy}, weight, ask, 1e-4, 2e-4, trial);
            }
    const ConvData d(kConvs[0]);
    EXPECT_EQ(check("conv2d", {d.x, d.w, d.b}, attrs_of(kConvs[0].o), Ask::Any),
              "nChw16c plain plain -> nChw16c");
    const ConvData stem(kConvs[2]);
    EXPECT_EQ(check("conv2d", {stem.x, stem.w, stem.b}, attrs_of(kConvs[2].o), Ask::Any),
              "plain plain plain -> nChw16c");
}

TEST(Bind, TransposedConvolutions) {
    for (const Shape& w : {Shape{32, 16, 2, 2}, Shape{32, 3, 3, 3}})
        for (Ask ask : {Ask::Plain, Ask::Any}) {
            const Tensor x = f32({2, 32, 5, 6}, 1);
            check("conv_transpose2d", {x, f32(w, 2), f32({w[1]}, 3)},
                  {{"stride", Dims{2, 2}},
                   {"padding", Dims{0, 0}},
                   {"dilation", Dims{1, 1}},
                   {"groups", std::int64_t{1}},
                   {"output_padding", Dims{0, 1}}},
                  ask);
        }
}

TEST(Bind, Products) {
    for (const auto& [m, n, k] :
         {std::tuple{3, 5, 7}, std::tuple{64, 96, 100}, std::tuple{300, 33, 65}})
        for (bool trial : {false, true}) {
            const Tensor x = f32({m, k}, 1), w = f32({n, k}, 2), b = f32({n}, 3),
                         g = f32({m, n}, 4);
            check("linear", {x, w, b}, {}, Ask::Plain, 1e-4, 1e-4, trial);
            check("linear", {x, w, {}}, {}, Ask::Any, 1e-4, 1e-4, trial);
            check("linear_act", {x, w, b}, {{"activation", std::string("relu")}}, Ask::Plain, 1e-4,
                  1e-4, trial);
            check("linear_act", {x, w, b}, {{"activation", std::string("tanh")}}, Ask::Plain, 1e-4,
                  1e-4, trial);
            check("linear_weight_grad", {g, x}, {}, Ask::Plain, 1e-4, 2e-4, trial);
            check("matmul", {x, f32({k, n}, 5)}, {}, Ask::Plain, 1e-4, 1e-4, trial);
            check("matmul", {f32({2, m, k}, 6), f32({k, n}, 5)}, {}, Ask::Plain, 1e-4, 1e-4, trial);
        }
}

TEST(Bind, BatchNormAndItsBackward) {
    for (const Shape& shape : {Shape{3, 32, 5, 4}, Shape{2, 16, 40, 33}, Shape{4, 6, 3, 3}})
        for (Ask ask : {Ask::Plain, Ask::Any})
            for (bool training : {true, false}) {
                const std::int64_t c = shape[1];
                const Tensor x = add(mul(f32(shape, 1), 2.0), 30.0);
                const Tensor w = f32({c}, 2), b = f32({c}, 3), mean = f32({c}, 4),
                             var = add(square(f32({c}, 5)), 0.5), g = f32(shape, 6);
                const Attrs attrs{{"training", training}, {"momentum", 0.1}, {"eps", 1e-5}};
                // The eager row changes the running statistics: each gets its own.
                check("batch_norm", {x, w, b, mean.clone(), var.clone()}, attrs, ask);
                if (training) check("batch_norm", {x, {}, {}, {}, {}}, attrs, ask);
                check("batch_norm_act", {x, w, b, mean.clone(), var.clone()},
                      {{"training", training},
                       {"momentum", 0.1},
                       {"eps", 1e-5},
                       {"activation", std::string("relu")}},
                      ask);
                const Tensors y =
                    call(find_op("batch_norm"), Tensors{x, w, b, mean.clone(), var.clone()}, attrs);
                check("batch_norm_backward", {g, x, w, y[1], y[2]}, {{"training", training}}, ask,
                      1e-4, 1e-3);
                check("batch_norm_act_backward", {g, x, w, y[1], y[2], b, relu(y[0])},
                      {{"training", training}}, ask, 1e-4, 1e-3);
            }
}

TEST(Bind, BlockedBatchNormUpdatesTheRunningStatistics) {
    const Op& op = find_op("batch_norm");
    const Tensor x = f32({3, 16, 4, 4}, 1);
    Tensor mean = f32({16}, 2), var = add(square(f32({16}, 3)), 0.5);
    Tensor expected_mean = mean.clone(), expected_var = var.clone();
    const Attrs attrs{{"training", true}, {"momentum", 0.3}, {"eps", 1e-5}};
    call(op, Tensors{x, {}, {}, expected_mean, expected_var}, attrs);
    std::vector<BindValue> in(5), out(3);
    const auto set = [](BindValue& v, const Shape& shape) {
        v.meta = {shape, DType::Float32, {}};
        v.strides = contiguous_strides(shape);
    };
    set(in[0], x.shape());
    set(in[3], {16});
    set(in[4], {16});
    set(out[0], x.shape());
    set(out[1], {16});
    set(out[2], {16});
    in[0].layout = out[0].layout = cpu::blocked_layout(in[0].meta);
    BindCall call{op, attrs, in, out, 25, 1, false};
    const auto bound = op.bind[0](call);
    ASSERT_NE(bound, nullptr);
    const Block from = reordered(x, in[0].layout), y = block_of(x.nbytes()), m = block_of(64),
                s = block_of(64), scratch = block_of(bound->scratch_bytes());
    const void* inputs[] = {from.get(), nullptr, nullptr, mean.raw(), var.raw()};
    void* outputs[] = {y.get(), m.get(), s.get()};
    bound->run(inputs, outputs, scratch.get());
    EXPECT_TRUE(near(mean, expected_mean, 1e-5, 1e-6));
    EXPECT_TRUE(near(var, expected_var, 1e-5, 1e-6));
}

TEST(Bind, Pooling) {
    struct Case {
        Shape x;
        Dims kernel, stride, padding, dilation;
    };
    for (const Case& c : {Case{{2, 16, 8, 8}, {2, 2}, {2, 2}, {0, 0}, {1, 1}},
                          Case{{2, 32, 9, 7}, {3, 3}, {2, 2}, {1, 1}, {1, 1}},
                          Case{{1, 16, 9, 9}, {3, 2}, {1, 2}, {1, 0}, {2, 3}},
                          Case{{2, 6, 8, 8}, {2, 2}, {2, 2}, {0, 0}, {1, 1}}})
        for (Ask ask : {Ask::Plain, Ask::Any}) {
            Tensor x = f32(c.x, 1);
            x.data_mut<float>()[5] = std::nanf("");
            const Attrs attrs{{"kernel_size", c.kernel},
                              {"stride", c.stride},
                              {"padding", c.padding},
                              {"dilation", c.dilation},
                              {"ceil_mode", false}},
                back{{"kernel_size", c.kernel}, {"stride", c.stride}, {"padding", c.padding},
                     {"dilation", c.dilation},  {"ceil_mode", false}, {"input_size", c.x}};
            check("max_pool2d", {x}, attrs, ask, 0, 0);
            const Tensors y = call(find_op("max_pool2d"), Tensors{x}, attrs);
            check("max_pool2d_backward", {f32(y[0].shape(), 2), y[1]}, back, ask, 1e-6, 1e-6);
        }
    for (Ask ask : {Ask::Plain, Ask::Any}) {
        check("adaptive_avg_pool2d", {f32({2, 32, 4, 5}, 1)}, {{"output_size", Dims{1, 1}}}, ask,
              1e-6, 1e-6);
        check("adaptive_avg_pool2d_backward", {f32({2, 32, 1, 1}, 1)},
              {{"output_size", Dims{1, 1}}, {"input_size", Dims{2, 32, 4, 5}}}, ask, 1e-6, 1e-6);
    }
}

/// Taken apart or together, a relu's gradient and the batch norm's behind it have the same bits.
TEST(Bind, BatchNormBehindReluHasTheBitsOfBoth) {
    for (const Shape& shape : {Shape{3, 32, 5, 4}, Shape{2, 48, 16, 9}, Shape{4, 6, 3, 3}})
        for (Ask ask : {Ask::Plain, Ask::Any}) {
            const std::int64_t c = shape[1];
            const Tensor x = f32(shape, 1), w = f32({c}, 2), b = f32({c}, 3), g = f32(shape, 4);
            const Attrs training{{"training", true}};
            const BoundRun forward = run_bound("batch_norm_act", {x, w, b, {}, {}},
                                               {{"training", true},
                                                {"momentum", 0.1},
                                                {"eps", 1e-5},
                                                {"activation", std::string("relu")}},
                                               ask);
            ASSERT_EQ(forward.outputs.size(), 3U);
            const Tensor &y = forward.outputs[0], &mean = forward.outputs[1],
                         &inv_std = forward.outputs[2];
            const Tensor masked = call(find_op("relu_backward"), Tensors{g, y})[0];
            const BoundRun together = run_bound("batch_norm_act_backward",
                                                {g, x, w, mean, inv_std, b, y}, training, ask),
                           apart = run_bound("batch_norm_backward", {masked, x, w, mean, inv_std},
                                             training, ask);
            ASSERT_EQ(together.outputs.size(), 3U);
            for (std::size_t i = 0; i < 3; ++i)
                EXPECT_TRUE(same(together.outputs[i], apart.outputs[i])) << i << shape.str();
        }
}

TEST(Bind, ActivationsKeepWhatIsNoNumber) {
    const Attrs act{{"activation", std::string("relu")}};
    const auto count = [](const Tensor& x) {
        std::int64_t broken = 0;
        for (const double value : x.to_vector())
            broken += std::isnan(value);
        return broken;
    };
    for (Ask ask : {Ask::Plain, Ask::Any}) {
        Tensor rows = f32({64, 96}, 1), picture = f32({2, 16, 6, 6}, 2);
        rows.data_mut<float>()[5 * 96 + 7] = std::nanf("");
        picture.data_mut<float>()[0] = std::nanf("");
        const Tensor w = f32({80, 96}, 3), c = f32({32, 16, 1, 1}, 4), vector = f32({16}, 5);
        EXPECT_EQ(count(run_bound("linear_act", {rows, w, {}}, act, ask).outputs.at(0)), 80);
        EXPECT_EQ(count(run_bound("conv2d_act", {picture, c, {}},
                                  {{"stride", Dims{1, 1}},
                                   {"padding", Dims{0, 0}},
                                   {"dilation", Dims{1, 1}},
                                   {"groups", std::int64_t{1}},
                                   {"activation", std::string("relu")}},
                                  ask)
                            .outputs.at(0)),
                  32);
        EXPECT_EQ(count(run_bound("batch_norm_act", {picture, vector, vector, {}, {}},
                                  {{"training", true},
                                   {"momentum", 0.1},
                                   {"eps", 1e-5},
                                   {"activation", std::string("relu")}},
                                  ask)
                            .outputs.at(0)),
                  72); // the whole channel, in both pictures
    }
}

TEST(Bind, ChannelSums) {
    for (const Shape& shape : {Shape{3, 32, 5, 4}, Shape{2, 6, 40, 33}})
        for (Ask ask : {Ask::Plain, Ask::Any})
            check("sum", {f32(shape, 1)}, {{"dims", Dims{0, 2, 3}}, {"keepdim", false}}, ask, 1e-5,
                  1e-5);
    EXPECT_EQ(check("sum", {f32({2, 16, 4, 4}, 1)}, {{"dims", Dims{0, 2, 3}}, {"keepdim", false}},
                    Ask::Any),
              "nChw16c -> plain");
}

/// Relative to the root of the mean square, against float64: what the comment in choice.h says.
TEST(Bind, WinogradRoundsMoreThanTheDirectWay) {
    const autograd::NoGrad off;
    const ConvCase c{{2, 64, 16, 16}, {64, 64, 3, 3}, {{1, 1}, {1, 1}, {1, 1}, 1}};
    const ConvData d(c);
    const Attrs input = {{"stride", c.o.stride},
                         {"padding", c.o.padding},
                         {"dilation", c.o.dilation},
                         {"groups", c.o.groups},
                         {"input_size", c.x}},
                weight = {{"stride", c.o.stride},     {"padding", c.o.padding},
                          {"dilation", c.o.dilation}, {"groups", c.o.groups},
                          {"weight_size", c.w},       {"with_bias", false}};
    struct Pass {
        const char* op;
        Tensors inputs;
        Attrs attrs;
    };
    for (const Pass& pass : {Pass{"conv2d", {d.x, d.w, {}}, attrs_of(c.o)},
                             Pass{"conv2d_input_grad", {d.gy, d.w}, input},
                             Pass{"conv2d_weight_grad", {d.x, d.gy}, weight}}) {
        Tensors wide;
        for (const Tensor& one : pass.inputs)
            wide.push_back(one ? as(one, DType::Float64) : Tensor());
        const Tensor exact = call(find_op(pass.op), wide, pass.attrs)[0];
        const double size = std::sqrt(mean(square(exact)).item());
        for (const bool fast : {false, true}) {
            cpu::set_winograd(fast);
            const BoundRun run = run_bound(pass.op, pass.inputs, pass.attrs, Ask::Any);
            cpu::set_winograd(true);
            ASSERT_FALSE(run.outputs.empty());
            const double off_by =
                std::sqrt(mean(square(sub(as(run.outputs[0], DType::Float64), exact))).item());
            EXPECT_LT(off_by / size, fast ? 3e-6 : 4e-7) << pass.op << " by " << run.name;
            EXPECT_EQ(run.name.find("wino") != std::string::npos,
                      fast && detected_isa() == Isa::Avx512)
                << run.name;
        }
    }
}

TEST(Bind, JoinsAlongAnyDimension) {
    for (Ask ask : {Ask::Plain, Ask::Any})
        for (std::int64_t dim : {0, 1, 2})
            check("cat", {f32({2, 16, 4, 5}, 1), f32({2, 16, 4, 5}, 2), f32({2, 16, 4, 5}, 3)},
                  {{"dim", dim}}, ask, 0, 0);
    EXPECT_EQ(check("cat", {f32({2, 16, 4, 5}, 1), f32({2, 32, 4, 5}, 2)},
                    {{"dim", std::int64_t{1}}}, Ask::Any, 0, 0),
              "nChw16c nChw16c -> nChw16c");
    EXPECT_EQ(check("cat", {f32({2, 16, 4, 5}, 1), f32({2, 3, 4, 5}, 2)},
                    {{"dim", std::int64_t{1}}}, Ask::Any, 0, 0),
              "plain plain -> plain");
}

TEST(Bind, ConvolutionsTakeViewsOfPlainPictures) {
    const Op& op = find_op("conv2d");
    const Tensor whole = f32({2, 48, 6, 6}, 1), w = f32({16, 32, 3, 3}, 2);
    const Tensor part = slice(whole, 1, 8, 40);
    const ConvOptions options{{1, 1}, {1, 1}, {1, 1}, 1};
    const Tensor expected = conv2d(part, w, {}, options);
    std::vector<BindValue> in(3), out(1);
    in[0].meta = {part.shape(), DType::Float32, {}};
    in[0].strides = part.strides();
    in[1].meta = {w.shape(), DType::Float32, {}};
    in[1].strides = contiguous_strides(w.shape());
    out[0].meta = {expected.shape(), DType::Float32, {}};
    out[0].any = true;
    const Attrs attrs = attrs_of(options);
    BindCall call{op, attrs, in, out, 3, 1, false};
    const auto bound = op.bind[0](call);
    ASSERT_NE(bound, nullptr);
    const Block y = block_of(expected.nbytes()), scratch = block_of(bound->scratch_bytes());
    const void* inputs[] = {part.raw(), w.raw(), nullptr};
    void* outputs[] = {y.get()};
    bound->run(inputs, outputs, scratch.get());
    EXPECT_TRUE(near(plain(y.get(), out[0].meta, out[0].layout), expected, 1e-4, 1e-4));
}

TEST(Bind, BiasesThatAreViewsAreLeftToTheKernel) {
    const Op& op = find_op("linear");
    std::vector<BindValue> in(3), out(1);
    const Shape shapes[] = {{64, 64}, {64, 64}, {64}};
    for (std::size_t i = 0; i < 3; ++i) {
        in[i].meta = {shapes[i], DType::Float32, {}};
        in[i].strides = contiguous_strides(shapes[i]);
    }
    out[0] = in[0];
    const Attrs attrs;
    BindCall call{op, attrs, in, out, 7, 1, false};
    EXPECT_NE(op.bind[0](call), nullptr);
    in[2].strides[0] = 2;
    EXPECT_EQ(op.bind[0](call), nullptr);
}

TEST(Bind, OtherTypesAndViewsAreLeftToTheKernel) {
    const ConvData d(kConvs[0]);
    EXPECT_TRUE(run_bound("conv2d", {as(d.x, DType::Float64), as(d.w, DType::Float64), {}},
                          attrs_of(kConvs[0].o), Ask::Any)
                    .outputs.empty());
    EXPECT_TRUE(run_bound("linear", {noise({64, 64}, 1), noise({64, 64}, 2), {}}, {}, Ask::Any)
                    .outputs.empty());
}

TEST(Bind, TrialsChooseTheSameAgain) {
    const ConvData d(kConvs[0]);
    const BoundRun first =
                       run_bound("conv2d", {d.x, d.w, d.b}, attrs_of(kConvs[0].o), Ask::Any, true),
                   again =
                       run_bound("conv2d", {d.x, d.w, d.b}, attrs_of(kConvs[0].o), Ask::Any, true);
    EXPECT_EQ(first.name, again.name);
    EXPECT_NE(first.name.find("onednn"), std::string::npos);
}

} // namespace
} // namespace wiregrad
