#include <cmath>

#include <gmock/gmock.h>

#include "engine/core/config.h"
#include "engine/core/error.h"
#include "engine/op/op.h"
#include "engine/train/optim.h"
#include "tests/engine/referee.h"

namespace wiregrad {
namespace {

using nn::NamedTensor;
using train::AdamOptions;
using train::Optimizer;
using train::SgdOptions;

using Make = std::function<std::unique_ptr<Optimizer>(std::vector<NamedTensor>)>;
Make sgd(SgdOptions options) {
    return [=](std::vector<NamedTensor> p) { return train::make_sgd(std::move(p), options); };
}
Make adam(AdamOptions options) {
    return [=](std::vector<NamedTensor> p) { return train::make_adam(std::move(p), options); };
}

template <class Options>
Make made(train::OptimizerPtr (*make)(std::vector<NamedTensor>, const Options&), Options options) {
    return [=](std::vector<NamedTensor> p) { return make(std::move(p), options); };
}

Tensor weight(const std::vector<double>& values, DType dtype = DType::Float64) {
    Tensor tensor = Tensor::empty({static_cast<std::int64_t>(values.size())}, dtype);
    tensor.copy_(Tensor::from(values, tensor.shape()));
    return tensor.set_requires_grad(true);
}

/// One weight from 1 with the given gradients.
std::vector<double> trace(const Make& make, const std::vector<double>& gradients) {
    Tensor w = weight({1});
    const auto optimizer = make({{"w", w}});
    std::vector<double> values;
    for (const double g : gradients) {
        w.set_grad(Tensor::from(std::vector<double>{g}, {1}));
        optimizer->step(1);
        values.push_back(w.item());
    }
    return values;
}

void expect_trace(const Make& make, const std::vector<double>& gradients,
                  const std::vector<double>& wanted) {
    const std::vector<double> got = trace(make, gradients);
    for (std::size_t i = 0; i < wanted.size(); ++i)
        EXPECT_NEAR(got[i], wanted[i], 1e-12) << "step " << i + 1;
}

// Traces of PyTorch 1.13.1 in float64.
TEST(Optimizers, FollowPyTorchsTraces) {
    const std::vector<double> up{.1, .2, .3}, down{.3, .2, .1};
    expect_trace(adam({}), up, {.9990000001, .998034818135, .997076816955});
    expect_trace(adam({.weight_decay = 1e-2, .decoupled = true}), up,
                 {.9989900001, .998014828235, .997046846907});
    expect_trace(adam({.amsgrad = true}), down, {.999000000033, .998029647943, .997136027359});
    expect_trace(sgd({.lr = .1, .momentum = .9}), up, {.99, .961, .9049});
    expect_trace(sgd({.lr = .1, .momentum = .9, .dampening = .5}), up, {.99, .971, .9389});
    expect_trace(sgd({.lr = .1, .momentum = .9, .weight_decay = .01, .nesterov = true}), up,
                 {.9791, .93032971, .846550012551});
    expect_trace(made(train::make_rmsprop, train::RmsPropOptions{}), up,
                 {.9000001, .810467843873, .730117415993});
    expect_trace(made(train::make_rmsprop, train::RmsPropOptions{.momentum = .9, .centered = true}),
                 up, {.899496319484, .718697779496, .47458491201});
    expect_trace(made(train::make_adagrad, train::AdagradOptions{}), up,
                 {.99000000001, .981055728104, .973037890849});
    expect_trace(made(train::make_adadelta, train::AdadeltaOptions{}), up,
                 {.996839302294, .992800113526, .987932509188});
    expect_trace(made(train::make_adamax, train::AdamaxOptions{}), up,
                 {.9980000002, .996473684487, .995093610732});
    expect_trace(made(train::make_radam, train::RAdamOptions{}), {.1, .2, .3, .4, .5, .6, .7},
                 {.9999, .999747368421, .999540357351, .999277228534, .99895625713, .99893104457,
                  .998898730909});
}

struct Case {
    const char* torch;
    Make make;
};
std::vector<Case> cases() {
    return {
        {"SGD(p, lr=0.03)", sgd({.lr = .03})},
        {"SGD(p, lr=0.03, weight_decay=0.02)", sgd({.lr = .03, .weight_decay = .02})},
        {"SGD(p, lr=0.01, momentum=0.9, dampening=0.3, weight_decay=0.001)",
         sgd({.lr = .01, .momentum = .9, .dampening = .3, .weight_decay = .001})},
        {"SGD(p, lr=0.01, momentum=0.9, nesterov=True, weight_decay=0.001)",
         sgd({.lr = .01, .momentum = .9, .weight_decay = .001, .nesterov = true})},
        {"Adam(p, lr=0.01)", adam({.lr = .01})},
        {"Adam(p, lr=0.01, betas=(0.3, 0.9), eps=1e-5, weight_decay=0.02)",
         adam({.lr = .01, .beta1 = .3, .beta2 = .9, .eps = 1e-5, .weight_decay = .02})},
        {"Adam(p, lr=0.01, betas=(0.0, 0.99), amsgrad=True)",
         adam({.lr = .01, .beta1 = 0, .beta2 = .99, .amsgrad = true})},
        {"AdamW(p, lr=0.01, weight_decay=0.1)",
         adam({.lr = .01, .weight_decay = .1, .decoupled = true})},
        {"AdamW(p, lr=0.01, weight_decay=0.1, amsgrad=True)",
         adam({.lr = .01, .weight_decay = .1, .amsgrad = true, .decoupled = true})},
        {"SGD(p, lr=0.01, momentum=0.9, weight_decay=0.1, maximize=True)",
         sgd({.lr = .01, .momentum = .9, .weight_decay = .1, .maximize = true})},
        {"RMSprop(p, lr=0.003, alpha=0.9, weight_decay=0.02)",
         made(train::make_rmsprop,
              train::RmsPropOptions{.lr = .003, .alpha = .9, .weight_decay = .02})},
        {"RMSprop(p, lr=0.003, momentum=0.5, centered=True)",
         made(train::make_rmsprop,
              train::RmsPropOptions{.lr = .003, .momentum = .5, .centered = true})},
        {"Adagrad(p, lr=0.1, lr_decay=0.01, weight_decay=0.01, initial_accumulator_value=0.2)",
         made(train::make_adagrad, train::AdagradOptions{.lr = .1,
                                                         .lr_decay = .01,
                                                         .weight_decay = .01,
                                                         .initial_accumulator_value = .2})},
        {"Adadelta(p, rho=0.8, weight_decay=0.01)",
         made(train::make_adadelta, train::AdadeltaOptions{.rho = .8, .weight_decay = .01})},
        {"Adamax(p, lr=0.01, betas=(0.8, 0.95), weight_decay=0.01)",
         made(train::make_adamax,
              train::AdamaxOptions{.lr = .01, .beta1 = .8, .beta2 = .95, .weight_decay = .01})},
        {"RAdam(p, lr=0.01, betas=(0.9, 0.99), weight_decay=0.01)",
         made(train::make_radam,
              train::RAdamOptions{.lr = .01, .beta2 = .99, .weight_decay = .01})},
        {"NAdam(p, lr=0.01, weight_decay=0.01)",
         made(train::make_nadam, train::NAdamOptions{.lr = .01, .weight_decay = .01})},
        {"NAdam(p, lr=0.01, betas=(0.8, 0.95), momentum_decay=0.1, decoupled=0.1)",
         made(train::make_nadam, train::NAdamOptions{.lr = .01,
                                                     .beta1 = .8,
                                                     .beta2 = .95,
                                                     .weight_decay = .1,
                                                     .momentum_decay = .1,
                                                     .decoupled_weight_decay = true})},
        {"RAdam(p, lr=0.01, weight_decay=0.1, decoupled=True)",
         made(train::make_radam,
              train::RAdamOptions{.lr = .01, .weight_decay = .1, .decoupled_weight_decay = true})},
    };
}

// A quadratic bowl with a wobble, so that gradients depend on the weights: errors would grow. The
// second weight has no gradient in two of three steps, the rate falls as a schedule does, and
// gradients are clipped.
TEST(Optimizers, StayWithPyTorchOver1000Steps) {
    if (!test::python_has("torch, h5py"))
        GTEST_SKIP() << "no PyTorch with h5py in /usr/bin/python3";
    // Version 1.13 of PyTorch has another NAdam and no decoupled decay in RAdam: both are written
    // down here in the form of 2.x.
    std::string script = R"(
import torch
from torch.optim import SGD, Adam, AdamW, RMSprop, Adagrad, Adadelta, Adamax
torch.set_default_dtype(torch.float64)
class NAdam(torch.optim.Optimizer):
    def __init__(self, p, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, momentum_decay=4e-3, decoupled=0.0):
        super().__init__(p, dict(lr=lr))
        self.o = (betas, eps, weight_decay, momentum_decay, decoupled)
    @torch.no_grad()
    def step(self):
        (b1, b2), eps, wd, md, apart = self.o
        lr = self.param_groups[0]['lr']
        for p in self.param_groups[0]['params']:
            if p.grad is None: continue
            s = self.state[p]
            if not s: s.update(t=0, product=1.0, m=torch.zeros_like(p), v=torch.zeros_like(p))
            s['t'] += 1
            t = s['t']
            p *= 1 - lr * apart
            g = p.grad + wd * p
            mu = b1 * (1 - 0.5 * 0.96 ** (t * md))
            ahead = b1 * (1 - 0.5 * 0.96 ** ((t + 1) * md))
            s['product'] *= mu
            s['m'] = b1 * s['m'] + (1 - b1) * g
            s['v'] = b2 * s['v'] + (1 - b2) * g * g
            size = (s['v'] / (1 - b2 ** t)).sqrt() + eps
            p -= lr * (1 - mu) / (1 - s['product']) * g / size
            p -= lr * ahead / (1 - s['product'] * ahead) * s['m'] / size
class RAdam(torch.optim.RAdam):
    def __init__(self, p, decoupled=False, weight_decay=0.0, **options):
        super().__init__(p, weight_decay=0.0 if decoupled else weight_decay, **options)
        self.apart = weight_decay if decoupled else 0.0
    def step(self):
        with torch.no_grad():
            for p in self.param_groups[0]['params']:
                if p.grad is not None: p *= 1 - self.param_groups[0]['lr'] * self.apart
        super().step()
)";
    const auto all = cases();
    for (std::size_t i = 0; i < all.size(); ++i)
        script += "def make" + std::to_string(i) + "(p): return " + all[i].torch + "\n";
    script += R"(
n = 7
for case in range()" +
              std::to_string(all.size()) + R"():
    a = torch.linspace(-1, 2, n).requires_grad_()
    b = torch.linspace(3, 1, n).requires_grad_()
    scale = torch.linspace(0.1, 3, n)
    optimizer = globals()[f'make{case}']([a, b])
    lr = optimizer.param_groups[0]['lr']
    states = []
    for step in range(1000):
        optimizer.param_groups[0]['lr'] = lr * (1 + step % 5) / 4
        a.grad = scale * a.detach() + torch.sin(5 * a.detach() + step)
        b.grad = b.detach() * 0.5 + 0.1 if step % 3 == 0 else None
        if case % 2:
            torch.nn.utils.clip_grad_norm_([a, b], 1.5)
        optimizer.step()
        if step % 100 == 99:
            states.append(torch.stack([a.detach(), b.detach()]).numpy())
    put(str(case), np.array(states))
)";
    const auto answer = test::ask_python(script);
    constexpr int n = 7;
    for (std::size_t c = 0; c < all.size(); ++c) {
        const auto linspace = [&](double low, double high) {
            std::vector<double> values;
            for (int i = 0; i < n; ++i)
                values.push_back(low + (high - low) * i / (n - 1));
            return values;
        };
        Tensor a = weight(linspace(-1, 2)), b = weight(linspace(3, 1));
        const std::vector<double> scale = linspace(.1, 3);
        const auto optimizer = all[c].make({{"a", a}, {"b", b}});
        const std::vector<double> wanted = test::at(answer, std::to_string(c)).to_vector();
        std::size_t at = 0;
        for (int step = 0; step < 1000; ++step) {
            Tensor ga = Tensor::empty({n}, DType::Float64), gb = Tensor::empty({n}, DType::Float64);
            for (int i = 0; i < n; ++i) {
                const double w = a.data<double>()[i];
                ga.data_mut<double>()[i] =
                    scale[static_cast<std::size_t>(i)] * w + std::sin(5 * w + step);
                gb.data_mut<double>()[i] = b.data<double>()[i] * .5 + .1;
            }
            optimizer->zero_grad();
            a.set_grad(ga);
            if (step % 3 == 0) b.set_grad(gb);
            if (c % 2 == 1) train::clip_grad_norm(optimizer->parameters(), 1.5);
            optimizer->step((1 + step % 5) / 4.0);
            if (step % 100 != 99) continue;
            for (const Tensor& w : {a, b})
                for (const double value : w.to_vector()) {
                    ASSERT_LT(at, wanted.size());
                    ASSERT_NEAR(value, wanted[at++], 1e-10) << all[c].torch << " step " << step + 1;
                }
        }
        EXPECT_EQ(at, wanted.size());
    }
}

TEST(Optimizers, WorkInFloat32OnLargeWeightsAsInDouble) {
    constexpr std::int64_t n = 100'001; // several threads, and a rest
    for (const Case& one : cases()) {
        std::vector<double> start(n), slope(n);
        for (std::int64_t i = 0; i < n; ++i) {
            start[static_cast<std::size_t>(i)] =
                static_cast<float>(std::sin(0.37 * static_cast<double>(i)));
            slope[static_cast<std::size_t>(i)] =
                static_cast<float>(std::cos(0.91 * static_cast<double>(i)));
        }
        Tensor w32 = weight(start, DType::Float32), w64 = weight(start);
        const auto o32 = one.make({{"w", w32}}), o64 = one.make({{"w", w64}});
        for (int step = 0; step < 5; ++step) {
            Tensor g64 = Tensor::from(slope, {n}), g32 = Tensor::empty({n});
            g32.copy_(g64);
            w32.set_grad(g32);
            w64.set_grad(g64);
            o32->step(1);
            o64->step(1);
        }
        const std::vector<double> a = w32.to_vector(), b = w64.to_vector();
        for (std::size_t i = 0; i < a.size(); ++i)
            ASSERT_NEAR(a[i], b[i], 3e-6) << one.torch << " element " << i;
    }
}

TEST(Optimizers, DoNotDependOnTheNumberOfThreads) {
    const int before = num_threads();
    const auto run = [](int threads) {
        set_num_threads(threads);
        Tensor w = Tensor::full({200'003}, .5).set_requires_grad(true);
        const auto optimizer = train::make_adam({{"w", w}}, {.amsgrad = true});
        for (int step = 1; step < 4; ++step) {
            Tensor g = Tensor::empty({200'003});
            for (std::int64_t i = 0; i < g.numel(); ++i)
                g.data_mut<float>()[i] =
                    static_cast<float>(std::sin(static_cast<double>(i * step)));
            w.set_grad(g);
            train::clip_grad_norm(optimizer->parameters(), 10);
            optimizer->step(1);
        }
        return w;
    };
    const Tensor one = run(1), three = run(3);
    set_num_threads(before);
    EXPECT_TRUE(test::same_bits(one, three));
}

TEST(Optimizers, TakeGradientsThatLieCrosswise) {
    Tensor w = Tensor::zeros({2, 3}, DType::Float64).set_requires_grad(true);
    const auto optimizer = train::make_sgd({{"w", w}}, {.lr = 1});
    w.set_grad(
        Tensor::from(std::vector<double>{1, 2, 3, 4, 5, 6}, {3, 2}).as_strided({2, 3}, {1, 2}, 0));
    optimizer->step(1);
    EXPECT_THAT(w.to_vector(), ::testing::ElementsAre(-1, -3, -5, -2, -4, -6));
}

TEST(Optimizers, ResumeExactly) {
    for (const Case& one : cases()) {
        const auto gradient = [](const Tensor& w, int step) {
            Tensor g = w.detach().clone();
            for (std::int64_t i = 0; i < g.numel(); ++i)
                g.data_mut<double>()[i] += std::sin(static_cast<double>(i + step));
            return g;
        };
        Tensor a = weight({1, 2, 3}), b = weight({0, 0, 0});
        const auto first = one.make({{"w", a}});
        for (int step = 0; step < 5; ++step) {
            a.set_grad(gradient(a, step));
            first->step(1);
        }
        std::vector<NamedTensor> saved;
        for (const NamedTensor& entry : first->state())
            saved.push_back({entry.name, entry.tensor.clone()});
        b.copy_(a);
        const auto second = one.make({{"w", b}});
        second->load(saved);
        for (int step = 5; step < 9; ++step) {
            a.set_grad(gradient(a, step));
            first->step(1);
            b.set_grad(gradient(b, step));
            second->step(1);
        }
        EXPECT_TRUE(test::same_bits(a, b)) << one.torch;
        if (saved.empty()) continue;
        auto wrong = saved;
        wrong.pop_back();
        EXPECT_THROW(second->load(wrong), FileError);
        wrong = saved;
        wrong[0].name = "other";
        EXPECT_THROW(second->load(wrong), FileError);
        wrong = saved;
        wrong[0].tensor = Tensor::zeros({4}, DType::Float64);
        EXPECT_THROW(second->load(wrong), ShapeError);
    }
}

TEST(Optimizers, RefuseImpossibleOptions) {
    EXPECT_THROW(train::make_sgd({}, {.lr = -1}), ValueError);
    EXPECT_THROW(train::make_sgd({}, {.lr = std::nan("")}), ValueError);
    EXPECT_THROW(train::make_sgd({}, {.nesterov = true}), ValueError);
    EXPECT_THROW(train::make_sgd({}, {.momentum = .9, .dampening = .1, .nesterov = true}),
                 ValueError);
    EXPECT_THROW(train::make_adam({}, {.beta1 = 1}), ValueError);
    EXPECT_THROW(train::make_adam({}, {.beta2 = -.1}), ValueError);
    EXPECT_THROW(train::make_adam({}, {.eps = -1}), ValueError);
    Tensor w = weight({1, 2});
    const auto optimizer = train::make_sgd({{"w", w}}, {});
    const Tensor wrong_type[] = {w, Tensor::zeros({2}), Tensor(),
                                 Tensor::zeros({4}, DType::Float64), Tensor()};
    EXPECT_THROW(call(find_op("sgd_step_"), wrong_type, Attrs{{"nesterov", false}}), DTypeError);
    const Tensor wrong_shape[] = {w, Tensor::zeros({3}, DType::Float64), Tensor(),
                                  Tensor::zeros({4}, DType::Float64), Tensor()};
    EXPECT_THROW(call(find_op("sgd_step_"), wrong_shape, Attrs{{"nesterov", false}}), ShapeError);
}

TEST(ClipGradNorm, ScalesAllTogetherOnce) {
    Tensor a = weight({0, 0}), b = weight({0, 0}), c = weight({0});
    const std::vector<NamedTensor> parameters{{"a", a}, {"b", b}, {"c", c}};
    EXPECT_EQ(train::clip_grad_norm(parameters, 1).item(), 0); // no gradient anywhere
    a.set_grad(Tensor::from(std::vector<double>{3, 0}, {2}));
    b.set_grad(Tensor::from(std::vector<double>{0, 4}, {2}));
    EXPECT_DOUBLE_EQ(train::clip_grad_norm(parameters, 10).item(), 5);
    EXPECT_EQ(a.grad().to_vector()[0], 3); // small enough: untouched
    EXPECT_DOUBLE_EQ(train::clip_grad_norm(parameters, 1).item(), 5);
    EXPECT_DOUBLE_EQ(a.grad().to_vector()[0], 3 / (5 + 1e-6));
    EXPECT_DOUBLE_EQ(b.grad().to_vector()[1], 4 / (5 + 1e-6));
    const Tensor shared = Tensor::from(std::vector<double>{3, 4}, {2});
    a.set_grad(shared);
    b.set_grad(shared);
    const double norm = train::clip_grad_norm(parameters, 1).item();
    EXPECT_DOUBLE_EQ(norm, std::sqrt(50));
    EXPECT_DOUBLE_EQ(a.grad().to_vector()[0], 3 / (norm + 1e-6)); // once, though two hold it
    EXPECT_THROW(train::clip_grad_norm(parameters, -1), ValueError);
}

TEST(ClipGradValue, KeepsEveryNumberWithinTheLimit) {
    Tensor a = weight({0, 0, 0, 0});
    a.set_grad(Tensor::from(std::vector<double>{-5, .5, 3, std::nan("")}, {4}));
    train::clip_grad_value({{"a", a}}, 2);
    const std::vector<double> got = a.grad().to_vector();
    EXPECT_EQ(got[0], -2);
    EXPECT_EQ(got[1], .5);
    EXPECT_EQ(got[2], 2);
    EXPECT_TRUE(std::isnan(got[3]));
    EXPECT_THROW(train::clip_grad_value({{"a", a}}, -1), ValueError);
}

// What PyTorch calls parameter groups: the factors of one weight change nothing for the others.
TEST(Optimizers, ScaleRateAndDecayByWeight) {
    for (const Case& one : cases()) {
        Tensor a = weight({1, 2}), b = weight({1, 2}), alone = weight({1, 2});
        const auto both = one.make({{"a", a}, {"b", b}}), single = one.make({{"a", alone}});
        both->set_scales({{}, {.lr = 0, .weight_decay = 0}});
        for (int step = 0; step < 3; ++step) {
            for (Tensor& w : std::vector<Tensor>{a, b, alone})
                w.set_grad(Tensor::from(std::vector<double>{.1, -.2}, {2}));
            both->step(1);
            single->step(1);
        }
        EXPECT_TRUE(test::same_bits(a, alone)) << one.torch;
        EXPECT_THAT(b.to_vector(), ::testing::ElementsAre(1, 2)) << one.torch;
        EXPECT_THROW(both->set_scales({{}}), ValueError);
    }
    Tensor norm = weight({1}), matrix = weight({1});
    const auto sgd_ =
        train::make_sgd({{"norm", norm}, {"matrix", matrix}}, {.lr = 1, .weight_decay = .25});
    sgd_->set_scales({{.weight_decay = 0}, {.lr = 2}});
    for (Tensor& w : std::vector<Tensor>{norm, matrix})
        w.set_grad(Tensor::from(std::vector<double>{.125}, {1}));
    sgd_->step(1);
    EXPECT_EQ(norm.item(), 1 - .125);
    EXPECT_EQ(matrix.item(), 1 - 2 * (.125 + .25));
}

// The orthogonal direction, the rate by shape and the fall back to AdamW, in NumPy's words.
TEST(Muon, FollowsItsDefinition) {
    if (!test::python_has("numpy, h5py")) GTEST_SKIP() << "no NumPy with h5py";
    const auto answer = test::ask_python(R"(
def turned(g, eps, steps):
    tall = g.shape[0] > g.shape[1]
    x = g.T if tall else g
    x = x / max(np.linalg.norm(x), eps)
    for _ in range(steps):
        gram = x @ x.T
        x = 3.4445 * x + (-4.775 * gram + 2.0315 * gram @ gram) @ x
    return x.T if tall else x
def run(shape, nesterov, match):
    n = shape[0] * shape[1]
    w = np.linspace(-1, 2, n).reshape(shape)
    buf = np.zeros(shape)
    lr, wd, mu = 0.02, 0.1, 0.95
    for step in range(20):
        g = w * 0.3 + np.sin(5 * w + step)
        buf = buf + (1 - mu) * (g - buf)
        way = g + mu * (buf - g) if nesterov else buf
        factor = 0.2 * max(shape) ** 0.5 if match else max(1, shape[0] / shape[1]) ** 0.5
        w = w * (1 - lr * wd) - lr * factor * turned(way, 1e-7, 5)
    return w
put('tall', run((6, 3), True, False))
put('wide', run((2, 5), False, True))
)");
    const auto train_one = [](const Shape& shape, const train::MuonOptions& options) {
        const std::int64_t n = numel(shape);
        std::vector<double> start;
        for (std::int64_t i = 0; i < n; ++i)
            start.push_back(-1 + 3.0 * static_cast<double>(i) / static_cast<double>(n - 1));
        Tensor w = Tensor::from(start, shape).set_requires_grad(true);
        const auto muon = train::make_muon({{"w", w}}, options);
        for (int step = 0; step < 20; ++step) {
            Tensor g = Tensor::empty(shape, DType::Float64);
            for (std::int64_t i = 0; i < n; ++i) {
                const double v = w.data<double>()[i];
                g.data_mut<double>()[i] = v * .3 + std::sin(5 * v + step);
            }
            w.set_grad(g);
            muon->step(1);
        }
        return w.to_vector();
    };
    const auto compare = [&](const char* name, const std::vector<double>& mine) {
        const std::vector<double> theirs = test::at(answer, name).to_vector();
        ASSERT_EQ(mine.size(), theirs.size());
        for (std::size_t i = 0; i < mine.size(); ++i)
            EXPECT_NEAR(mine[i], theirs[i], 1e-9) << name << " " << i;
    };
    compare("tall", train_one({6, 3}, {.lr = .02}));
    compare("wide", train_one({2, 5}, {.lr = .02, .nesterov = false, .match_rms_adamw = true}));

    Tensor bias = weight({1, 2}), reference = weight({1, 2});
    const auto muon = train::make_muon({{"b", bias}}, {.lr = .01});
    const auto adamw =
        train::make_adam({{"b", reference}}, {.lr = .01, .weight_decay = .1, .decoupled = true});
    for (Tensor& w : std::vector<Tensor>{bias, reference})
        w.set_grad(Tensor::from(std::vector<double>{.1, -.2}, {2}));
    muon->step(1);
    adamw->step(1);
    EXPECT_TRUE(test::same_bits(bias, reference));
}

} // namespace
} // namespace wiregrad
