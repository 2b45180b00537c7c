// Convolutions: fast against slow, gradients, PyTorch, messages.
#include "engine/autograd/tape.h"
#include "engine/backend/cpu/conv.h"
#include "engine/backend/cpu/flat_conv.h"
#include "engine/backend/cpu/onednn.h"
#include "engine/backend/cpu/plain_conv.h"
#include "engine/core/config.h"
#include "engine/core/error.h"
#include "engine/op/ops.h"
#include "heavy_util.h"

namespace wiregrad {
namespace {

using namespace heavy;
using autograd::gradcheck;

struct Case {
    std::int64_t n, ic, h, w, oc, kh, kw, sh, sw, ph, pw, dh, dw, groups;
};

const std::vector<Case>& cases() {
    static const std::vector<Case> all{
        {64, 1, 28, 28, 6, 5, 5, 1, 1, 2, 2, 1, 1, 1},  // LeNet's first
        {3, 6, 14, 14, 16, 5, 5, 1, 1, 0, 0, 1, 1, 1},  // LeNet's second
        {1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 1, 1, 1},     // nothing smaller
        {2, 3, 7, 9, 5, 3, 2, 1, 1, 1, 0, 1, 1, 1},     // odd sizes
        {2, 3, 11, 8, 4, 3, 3, 2, 3, 1, 2, 1, 1, 1},    // uneven stride
        {1, 2, 13, 12, 9, 3, 4, 1, 1, 2, 3, 2, 3, 1},   // dilation
        {2, 4, 9, 10, 6, 3, 3, 2, 2, 2, 1, 2, 2, 2},    // stride, dilation and groups
        {2, 6, 8, 8, 6, 3, 3, 1, 1, 1, 1, 1, 1, 6},     // depthwise
        {2, 32, 8, 8, 32, 3, 3, 2, 2, 1, 1, 1, 1, 1},   // oneDNN's kind
        {2, 16, 10, 10, 48, 3, 3, 1, 1, 1, 1, 1, 1, 1}, // the same
        {2, 32, 7, 7, 32, 3, 3, 1, 1, 1, 1, 1, 1, 2},   // in groups of blocks
        {2, 20, 6, 6, 17, 1, 1, 1, 1, 0, 0, 1, 1, 1},   // 1 x 1
        {2, 3, 9, 9, 18, 2, 2, 3, 3, 0, 0, 1, 1, 1},    // pixels that no window reaches
        {1, 3, 6, 6, 4, 3, 3, 1, 1, 4, 4, 1, 1, 1},     // more padding than kernel
        {1, 2, 40, 70, 3, 3, 3, 1, 1, 1, 1, 1, 1, 1},   // several segments
    };
    return all;
}

cpu::ConvGeometry geometry(const Case& c) {
    cpu::ConvGeometry g{c.n,  c.ic, c.h,  c.w,  c.oc, 0,    0,    c.kh,
                        c.kw, c.sh, c.sw, c.ph, c.pw, c.dh, c.dw, c.groups};
    g.out_h = (c.h + 2 * c.ph - c.dh * (c.kh - 1) - 1) / c.sh + 1;
    g.out_w = (c.w + 2 * c.pw - c.dw * (c.kw - 1) - 1) / c.sw + 1;
    return g;
}

ConvOptions options(const Case& c) {
    return {{c.sh, c.sw}, {c.ph, c.pw}, {c.dh, c.dw}, c.groups};
}

std::string text(const Case& c) {
    return "n " + std::to_string(c.n) + " ic " + std::to_string(c.ic) + " h " +
           std::to_string(c.h) + " oc " + std::to_string(c.oc) + " k " + std::to_string(c.kh) +
           " s " + std::to_string(c.sh) + " p " + std::to_string(c.ph) + " d " +
           std::to_string(c.dh) + " groups " + std::to_string(c.groups);
}

/// All three directions of each implementation, on whole numbers, to the bit.
TEST(Conv, EveryKernelEqualsThePlainOneOnWholeNumbers) {
    const Isa first = isa();
    for (const Case& c : cases()) {
        SCOPED_TRACE(text(c));
        const cpu::ConvGeometry g = geometry(c);
        const Tensor x = whole({c.n, c.ic, c.h, c.w}, 1),
                     w = whole({c.oc, c.ic / c.groups, c.kh, c.kw}, 2), b = whole({c.oc}, 3),
                     gy = whole({c.n, c.oc, g.out_h, g.out_w}, 4);
        auto outputs = [&] {
            return std::vector<Tensor>{Tensor::empty(gy.shape()), Tensor::empty(x.shape()),
                                       Tensor::empty(w.shape()), Tensor::empty(b.shape())};
        };
        const float *px = x.data<float>(), *pw = w.data<float>(), *pb = b.data<float>(),
                    *pg = gy.data<float>();
        auto at = [](std::vector<Tensor>& t, std::size_t i) { return t[i].data_mut<float>(); };
        std::vector<Tensor> slow = outputs();
        cpu::plain::conv_forward(g, px, pw, pb, at(slow, 0));
        cpu::plain::conv_input_grad(g, pg, pw, at(slow, 1));
        cpu::plain::conv_weight_grad(g, px, pg, at(slow, 2), at(slow, 3));
        for (Isa level : {Isa::Baseline, Isa::Avx2, Isa::Avx512}) {
            if (level > detected_isa()) continue;
            set_isa(level);
            SCOPED_TRACE(name_of(level));
            std::vector<Tensor> flat = outputs();
            cpu::flat_conv_forward(g, px, pw, pb, at(flat, 0));
            cpu::flat_conv_input_grad(g, pg, pw, at(flat, 1));
            cpu::flat_conv_weight_grad(g, px, pg, at(flat, 2), at(flat, 3));
            for (std::size_t i = 0; i < 4; ++i)
                EXPECT_TRUE(same(flat[i], slow[i])) << "flat, output " << i;
        }
        set_isa(first);
        std::vector<Tensor> vendor = outputs();
        if (cpu::onednn::conv_forward(g, px, pw, pb, at(vendor, 0))) {
            EXPECT_TRUE(same(vendor[0], slow[0]));
        }
        if (cpu::onednn::conv_input_grad(g, pg, pw, at(vendor, 1))) {
            EXPECT_TRUE(same(vendor[1], slow[1]));
        }
        if (cpu::onednn::conv_weight_grad(g, px, pg, at(vendor, 2), at(vendor, 3))) {
            EXPECT_TRUE(same(vendor[2], slow[2]));
            EXPECT_TRUE(same(vendor[3], slow[3]));
        }
    }
    set_isa(first);
    EXPECT_LE(cpu::onednn::cached_primitives(), cpu::onednn::kCacheSize);
}

TEST(Conv, FloatOpsAreWithinRoundingOfFloat64) {
    for (const Case& c : cases()) {
        SCOPED_TRACE(text(c));
        auto leaf = [](const Tensor& t, DType type) { return as(t, type).set_requires_grad(true); };
        const Tensor x = noise({c.n, c.ic, c.h, c.w}, 1, DType::Float32),
                     w = noise({c.oc, c.ic / c.groups, c.kh, c.kw}, 2, DType::Float32),
                     b = noise({c.oc}, 3, DType::Float32);
        std::vector<std::vector<Tensor>> results;
        for (DType type : {DType::Float32, DType::Float64}) {
            const Tensor xi = leaf(x, type), wi = leaf(w, type), bi = leaf(b, type);
            const Tensor y = conv2d(xi, wi, bi, options(c));
            const Tensor seed = as(noise(y.shape(), 4, DType::Float32), type);
            autograd::backward({&y, 1}, {&seed, 1});
            results.push_back({y, xi.grad(), wi.grad(), bi.grad()});
        }
        const double terms[] = {static_cast<double>(c.ic / c.groups * c.kh * c.kw),
                                static_cast<double>(c.oc / c.groups * c.kh * c.kw),
                                static_cast<double>(c.n * c.h * c.w),
                                static_cast<double>(c.n * c.h * c.w)};
        for (std::size_t i = 0; i < 4; ++i)
            EXPECT_TRUE(near(results[0][i], results[1][i], 1e-5,
                             4 * std::sqrt(terms[i]) * 6e-8 * std::sqrt(terms[i])))
                << "output " << i;
    }
}

TEST(Conv, GradientsAndSecondGradients) {
    const std::vector<Case> small{{2, 2, 4, 5, 3, 3, 2, 1, 1, 1, 0, 1, 1, 1},
                                  {1, 2, 5, 5, 2, 2, 2, 2, 2, 0, 0, 1, 1, 1},
                                  {1, 4, 5, 4, 2, 2, 2, 1, 2, 1, 1, 2, 1, 2},
                                  {2, 2, 3, 3, 2, 3, 3, 1, 1, 1, 1, 1, 1, 2}};
    for (const Case& c : small) {
        SCOPED_TRACE(text(c));
        auto f = [&](const std::vector<Tensor>& in) {
            return std::vector<Tensor>{
                conv2d(in[0], in[1], in.size() > 2 ? in[2] : Tensor(), options(c))};
        };
        const Tensor x = noise({c.n, c.ic, c.h, c.w}, 1),
                     w = noise({c.oc, c.ic / c.groups, c.kh, c.kw}, 2), b = noise({c.oc}, 3);
        EXPECT_EQ(gradcheck(f, {x, w, b}, {.double_backward = true}), "");
        EXPECT_EQ(gradcheck(f, {x, w}), "");
    }
}

TEST(ConvTranspose, GradientsAndSecondGradients) {
    struct Transposed {
        Shape x, w;
        ConvOptions options;
        Dims extra;
    };
    const std::vector<Transposed> all{
        {{2, 2, 3, 3}, {2, 3, 2, 2}, {{2, 2}, {0, 0}, {1, 1}, 1}, {0, 0}},
        {{1, 2, 3, 2}, {2, 2, 3, 3}, {{2, 1}, {1, 1}, {1, 1}, 1}, {1, 0}},
        {{1, 4, 2, 3}, {4, 1, 2, 2}, {{1, 2}, {0, 1}, {2, 1}, 2}, {0, 1}},
        {{1, 2, 3, 3}, {2, 2, 2, 2}, {{1, 1}, {0, 0}, {2, 2}, 1}, {1, 1}}};
    for (const Transposed& c : all) {
        auto f = [&](const std::vector<Tensor>& in) {
            return std::vector<Tensor>{conv_transpose2d(in[0], in[1], in[2], c.options, c.extra)};
        };
        EXPECT_EQ(gradcheck(f,
                            {noise(c.x, 1), noise(c.w, 2), noise({c.w[1] * c.options.groups}, 3)},
                            {.double_backward = true}),
                  "");
    }
}

TEST(Conv, EqualsPyTorch) {
    if (!Torch::available()) GTEST_SKIP() << "python3-torch is not installed";
    Torch torch;
    std::string script;
    std::vector<std::vector<Tensor>> got;
    for (std::size_t i = 0; i < cases().size(); ++i) {
        const Case& c = cases()[i];
        const std::string id = std::to_string(i);
        Tensor x = noise({c.n, c.ic, c.h, c.w}, 1, DType::Float32),
               w = noise({c.oc, c.ic / c.groups, c.kh, c.kw}, 2, DType::Float32),
               b = noise({c.oc}, 3, DType::Float32);
        torch.give("x" + id, x);
        torch.give("w" + id, w);
        torch.give("b" + id, b);
        const ConvOptions o = options(c);
        auto pair = [](const Dims& d) {
            return "(" + std::to_string(d[0]) + "," + std::to_string(d[1]) + ")";
        };
        script += "y = F.conv2d(x" + id + ".double(), w" + id + ".double(), b" + id +
                  ".double(), " + pair(o.stride) + "," + pair(o.padding) + "," + pair(o.dilation) +
                  "," + std::to_string(o.groups) + ")\n(y * y).sum().backward()\nout('y" + id +
                  "', y)\n";
        for (const char* name : {"x", "w", "b"})
            script += std::string("out('g") + name + id + "', " + name + id + ".grad)\n";
        x.set_requires_grad(true);
        w.set_requires_grad(true);
        b.set_requires_grad(true);
        const Tensor y = conv2d(x, w, b, o);
        autograd::backward(sum(mul(y, y)));
        got.push_back({y, x.grad(), w.grad(), b.grad()});
    }
    torch.run(script);
    for (std::size_t i = 0; i < cases().size(); ++i) {
        SCOPED_TRACE(text(cases()[i]));
        const char* names[] = {"y", "gx", "gw", "gb"};
        for (std::size_t k = 0; k < 4; ++k) {
            const std::vector<double> expected = torch.take(names[k] + std::to_string(i));
            double largest = 0;
            for (double v : expected)
                largest = std::max(largest, std::abs(v));
            EXPECT_TRUE(near(got[i][k].to_vector(), expected, 1e-5, 2e-6 * largest)) << names[k];
        }
    }
}

TEST(ConvTranspose, EqualsPyTorch) {
    if (!Torch::available()) GTEST_SKIP() << "python3-torch is not installed";
    Torch torch;
    Tensor x = noise({3, 8, 7, 6}, 1, DType::Float32), w = noise({8, 5, 3, 4}, 2, DType::Float32),
           b = noise({10}, 3, DType::Float32);
    torch.give("x", x);
    torch.give("w", w);
    torch.give("b", b);
    torch.run("y = F.conv_transpose2d(x, w, b, stride=(2, 3), padding=(1, 2), output_padding=(1, "
              "0), groups=2, dilation=(1, 2))\n"
              "(y * y).sum().backward()\nout('y', y); out('gx', x.grad); out('gw', w.grad); "
              "out('gb', b.grad)\n");
    x.set_requires_grad(true);
    w.set_requires_grad(true);
    b.set_requires_grad(true);
    const Tensor y = conv_transpose2d(x, w, b, {{2, 3}, {1, 2}, {1, 2}, 2}, {1, 0});
    autograd::backward(sum(mul(y, y)));
    EXPECT_TRUE(near(y.to_vector(), torch.take("y"), 1e-5, 1e-5));
    EXPECT_TRUE(near(x.grad().to_vector(), torch.take("gx"), 1e-5, 1e-4));
    EXPECT_TRUE(near(w.grad().to_vector(), torch.take("gw"), 1e-5, 1e-4));
    EXPECT_TRUE(near(b.grad().to_vector(), torch.take("gb"), 1e-5, 1e-4));
}

TEST(Conv, AnEmptyBatchGivesAnEmptyOutputAndZeroGradients) {
    for (DType type : {DType::Float32, DType::Float64}) {
        Tensor x = Tensor::zeros({0, 16, 8, 8}, type), w = noise({16, 16, 3, 3}, 1, type),
               b = noise({16}, 2, type);
        x.set_requires_grad(true);
        w.set_requires_grad(true);
        b.set_requires_grad(true);
        const Tensor y = conv2d(x, w, b);
        EXPECT_EQ(y.shape(), (Shape{0, 16, 6, 6}));
        autograd::backward(sum(y));
        EXPECT_TRUE(same(w.grad(), Tensor::zeros(w.shape(), type)));
        EXPECT_TRUE(same(b.grad(), Tensor::zeros(b.shape(), type)));
    }
}

TEST(Conv, ReadsStridedInputs) {
    const Tensor x = noise({2, 5, 6, 3}, 1), w = noise({3, 3, 2, 4}, 2);
    const Tensor y = conv2d(permute(x, {0, 3, 1, 2}), permute(w, {0, 1, 3, 2}));
    EXPECT_TRUE(same(
        y, conv2d(contiguous(permute(x, {0, 3, 1, 2})), contiguous(permute(w, {0, 1, 3, 2})))));
}

TEST(Conv, TheSameBitsWithTheSameThreadsAndCloseWithOthers) {
    const int threads = num_threads();
    const Tensor x = noise({8, 3, 20, 20}, 1, DType::Float32),
                 w = noise({5, 3, 3, 3}, 2, DType::Float32),
                 gy = noise({8, 5, 18, 18}, 3, DType::Float32);
    auto run = [&] {
        Tensor xi = x.clone(), wi = w.clone();
        xi.set_requires_grad(true);
        wi.set_requires_grad(true);
        const Tensor y = conv2d(xi, wi);
        autograd::backward({&y, 1}, {&gy, 1});
        return std::vector<Tensor>{y, xi.grad(), wi.grad()};
    };
    set_num_threads(1);
    const auto one = run();
    set_num_threads(3);
    const auto three = run(), again = run();
    set_num_threads(threads);
    for (std::size_t i = 0; i < 3; ++i) {
        EXPECT_TRUE(same(three[i], again[i]));
        EXPECT_TRUE(same(
            one[i], three[i])); // our flat kernels do not depend on the number of threads at all
    }
}

TEST(Conv, RefusesWhatDoesNotFitInWords) {
    const Tensor x = Tensor::zeros({8, 3, 32, 32});
    EXPECT_EQ(
        message_of<ShapeError>([&] {
            conv2d(x, Tensor::zeros({64, 32, 3, 3}));
        }),
        "conv2d: weight [64, 32, 3, 3] expects 32 input channels, input [8, 3, 32, 32] has 3");
    EXPECT_EQ(
        message_of<ShapeError>([&] {
            conv2d(Tensor::zeros({8, 3, 4, 4}), Tensor::zeros({6, 3, 5, 5}));
        }),
        "conv2d: the kernel covers [5, 5] but input [8, 3, 4, 4] padded by [0, 0] has only [4, 4]");
    EXPECT_NE(message_of<ShapeError>([&] {
                  conv2d(x, Tensor::zeros({6, 3, 3, 3}), Tensor::zeros({5}));
              }),
              "");
    EXPECT_NE(message_of<ShapeError>([&] {
                  conv2d(Tensor::zeros({3, 32, 32}), Tensor::zeros({6, 3, 3, 3}));
              }),
              "");
    EXPECT_NE(message_of<ValueError>([&] {
                  conv2d(x, Tensor::zeros({6, 3, 3, 3}), {}, {{0, 1}, {0, 0}, {1, 1}, 1});
              }),
              "");
    EXPECT_NE(message_of<ShapeError>([&] {
                  conv2d(Tensor::zeros({1, 4, 8, 8}), Tensor::zeros({3, 2, 3, 3}), {},
                         {{1, 1}, {0, 0}, {1, 1}, 2});
              }),
              "");
    EXPECT_EQ(message_of<DTypeError>([&] {
                  conv2d(x, Tensor::zeros({6, 3, 3, 3}, DType::Float64));
              }),
              "conv2d: input 1 is float64 but input 0 is float32");
    EXPECT_NE(message_of<DTypeError>([&] {
                  conv2d(Tensor::zeros({1, 1, 3, 3}, DType::Int64),
                         Tensor::zeros({1, 1, 3, 3}, DType::Int64));
              }),
              "");
    EXPECT_NE(message_of<ValueError>([&] {
                  conv_transpose2d(x, Tensor::zeros({3, 2, 3, 3}), {}, {}, {1, 1});
              }),
              "");
}

TEST(Conv, CostAndShapesWithoutData) {
    CostMeter meter;
    const ShapeOnly shapes;
    const Tensor y =
        conv2d(Tensor::empty({64, 6, 14, 14}), Tensor::empty({16, 6, 5, 5}), Tensor::empty({16}));
    EXPECT_EQ(y.shape(), (Shape{64, 16, 10, 10}));
    EXPECT_FALSE(y.has_data());
    EXPECT_EQ(meter.total().flops, 2.0 * 64 * 16 * 100 * 6 * 25);
}

} // namespace
} // namespace wiregrad
