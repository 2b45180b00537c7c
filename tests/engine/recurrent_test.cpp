// Recurrent layers: fast against slow, gradients, PyTorch's layers with packed sequences, threads,
// messages.
#include "engine/autograd/tape.h"
#include "engine/core/config.h"
#include "engine/core/error.h"
#include "engine/op/ops.h"
#include "heavy_util.h"

namespace wiregrad {
namespace {

using namespace heavy;
using autograd::gradcheck;

enum class Net { Lstm, Gru, Tanh, Relu };
constexpr Net kNets[] = {Net::Lstm, Net::Gru, Net::Tanh, Net::Relu};
std::string name(Net net) {
    constexpr const char* kNames[] = {"lstm", "gru", "rnn_tanh", "rnn_relu"};
    return kNames[static_cast<int>(net)];
}
std::int64_t gates(Net net) {
    return net == Net::Lstm ? 4 : net == Net::Gru ? 3 : 1;
}

/// in: x, h0, w_ih, w_hh, b_ih, b_hh, c0; the outputs together.
std::vector<Tensor> run(Net net, const std::vector<Tensor>& in, const RecurrentOptions& options) {
    const RecurrentWeights w{in[2], in[3], in[4], in[5]};
    RecurrentResult r;
    if (net == Net::Lstm)
        r = lstm(in[0], in[1], in[6], w, options);
    else if (net == Net::Gru)
        r = gru(in[0], in[1], w, options);
    else
        r = rnn(in[0], in[1], w, net == Net::Relu, options);
    std::vector<Tensor> out{r.output, r.h_n};
    if (r.c_n) out.push_back(r.c_n);
    return out;
}

struct Sizes {
    std::int64_t steps, batch, inputs, hidden;
};
std::vector<Tensor> inputs(Net net, const Sizes& s, DType dtype = DType::Float64) {
    const std::int64_t g = gates(net) * s.hidden;
    const double scale = 1.0 / std::sqrt(static_cast<double>(s.hidden));
    const auto weight = [&](const Shape& shape, unsigned seed) {
        return as(mul(noise(shape, seed), scale), dtype);
    };
    std::vector<Tensor> in{noise({s.steps, s.batch, s.inputs}, 1, dtype),
                           noise({s.batch, s.hidden}, 2, dtype),
                           weight({g, s.inputs}, 3),
                           weight({g, s.hidden}, 4),
                           weight({g}, 5),
                           weight({g}, 6)};
    if (net == Net::Lstm) in.push_back(noise({s.batch, s.hidden}, 7, dtype));
    return in;
}
Tensor lengths_of(const Sizes& s) {
    Tensor lengths = labels({s.batch}, s.steps, 11);
    for (std::int64_t n = 0; n < s.batch; ++n)
        lengths.data_mut<std::int64_t>()[n] += 1;
    return lengths;
}

TEST(Recurrent, GradientsAndSecondGradients) {
    const Sizes s{3, 2, 2, 2};
    for (Net net : kNets)
        for (bool reverse : {false, true})
            for (bool packed : {false, true}) {
                RecurrentOptions options{reverse, packed ? lengths_of(s) : Tensor()};
                auto f = [&](const std::vector<Tensor>& in) { return run(net, in, options); };
                EXPECT_EQ(gradcheck(f, inputs(net, s), {.double_backward = !packed}), "")
                    << name(net) << reverse << packed;
            }
}

TEST(Recurrent, GradientsWithoutStatesAndBiases) {
    const Sizes s{3, 2, 2, 3};
    for (Net net : kNets) {
        auto f = [&](const std::vector<Tensor>& in) {
            return run(net, {in[0], {}, in[1], in[2], {}, {}, {}}, {});
        };
        const std::vector<Tensor> in = inputs(net, s);
        EXPECT_EQ(gradcheck(f, {in[0], in[2], in[3]}, {.double_backward = true}), "") << name(net);
    }
}

/// Outputs, and gradients of a loss that looks at all of them.
std::vector<Tensor> with_gradients(Net net, std::vector<Tensor> in,
                                   const RecurrentOptions& options) {
    for (Tensor& x : in)
        if (x) x.set_requires_grad(true);
    std::vector<Tensor> out = run(net, in, options);
    Tensor loss;
    for (std::size_t i = 0; i < out.size(); ++i) {
        const Tensor pull = noise(out[i].shape(), 20 + static_cast<unsigned>(i), out[i].dtype());
        const Tensor part = sum(mul(out[i], pull));
        loss = loss ? add(loss, part) : part;
    }
    autograd::backward(loss);
    for (const Tensor& x : in)
        if (x) out.push_back(x.grad());
    return out;
}

TEST(Recurrent, FastEqualsSlow) {
    for (Net net : kNets)
        for (const Sizes& s : {Sizes{5, 3, 4, 16}, Sizes{4, 7, 5, 10}, Sizes{3, 50, 33, 67},
                               Sizes{9, 20, 20, 96}, Sizes{1, 1, 1, 1}, Sizes{2, 13, 3, 200}})
            for (bool reverse : {false, true})
                for (int kind = 0; kind < 3; ++kind) {
                    RecurrentOptions options{reverse, kind > 0 ? lengths_of(s) : Tensor()};
                    std::vector<Tensor> in = inputs(net, s), single;
                    if (kind == 2) {
                        in[1] = Tensor();
                        if (net == Net::Lstm) in[6] = Tensor();
                    }
                    for (const Tensor& x : in)
                        single.push_back(x ? as(x, DType::Float32) : x);
                    for (std::size_t i = 0; i < in.size(); ++i)
                        in[i] = single[i] ? as(single[i], DType::Float64) : in[i];
                    const auto slow = with_gradients(net, in, options),
                               fast = with_gradients(net, single, options);
                    ASSERT_EQ(slow.size(), fast.size());
                    for (std::size_t i = 0; i < slow.size(); ++i)
                        EXPECT_TRUE(near(fast[i], slow[i], 2e-5, 2e-5))
                            << name(net) << " hidden " << s.hidden << " reverse " << reverse
                            << " kind " << kind << " result " << i;
                }
}

TEST(Recurrent, ThreadsDoNotChangeABit) {
    const Sizes s{6, 24, 20, 70};
    const int before = num_threads();
    for (Net net : kNets) {
        RecurrentOptions options{true, lengths_of(s)};
        std::vector<std::vector<Tensor>> results;
        for (int threads : {1, 2, 3}) {
            set_num_threads(threads);
            results.push_back(with_gradients(net, inputs(net, s, DType::Float32), options));
        }
        set_num_threads(before);
        for (std::size_t i = 0; i < 2; ++i)
            for (std::size_t k = 1; k < results.size(); ++k)
                EXPECT_TRUE(same(results[k][i], results[0][i])) << name(net) << i;
    }
}

TEST(Recurrent, EqualsPyTorchWithPackedSequences) {
    if (!Torch::available()) GTEST_SKIP() << "python3-torch is not installed";
    Torch torch;
    std::string script = R"(
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
def layer(kind, lengths, **t):
    inputs, hidden = t['x'].shape[2], t['h0'].shape[1]
    make = {'lstm': torch.nn.LSTM, 'gru': torch.nn.GRU}.get(kind)
    m = make(inputs, hidden, bidirectional=True) if make else torch.nn.RNN(inputs, hidden, bidirectional=True, nonlinearity=kind[4:])
    m = m.double()
    suffix = '_l0_reverse' if t['reverse'] else '_l0'
    for name in ['weight_ih', 'weight_hh', 'bias_ih', 'bias_hh']:
        getattr(m, name + suffix).data.copy_(t[name])
    zero = torch.zeros_like(t['h0'])
    both = lambda s: torch.stack([zero, s] if t['reverse'] else [s, zero])
    state = (both(t['h0']), both(t['c0'])) if kind == 'lstm' else both(t['h0'])
    x = t['x'] if lengths is None else pack_padded_sequence(t['x'], lengths, enforce_sorted=False)
    y, last = m(x, state)
    if lengths is not None: y = pad_packed_sequence(y, total_length=t['x'].shape[0])[0]
    d = 1 if t['reverse'] else 0
    results = [y[..., d * hidden:(d + 1) * hidden]] + [s[d] for s in (last if kind == 'lstm' else [last])]
    return results, [getattr(m, n + suffix) for n in ['weight_ih', 'weight_hh', 'bias_ih', 'bias_hh']]
)";
    const Sizes s{5, 4, 3, 6};
    std::vector<std::pair<std::string, std::vector<Tensor>>> ours;
    for (Net net : kNets)
        for (bool reverse : {false, true})
            for (bool packed : {false, true}) {
                const std::string id = name(net) + (reverse ? "_r" : "_f") + (packed ? "p" : "n");
                const std::vector<Tensor> in = inputs(net, s, DType::Float64);
                const RecurrentOptions options{reverse, packed ? lengths_of(s) : Tensor()};
                const char* names[] = {"x",       "h0",      "weight_ih", "weight_hh",
                                       "bias_ih", "bias_hh", "c0"};
                std::string arguments;
                for (std::size_t i = 0; i < in.size(); ++i) {
                    torch.give(names[i] + id, in[i]);
                    arguments += std::string(", ") + names[i] + "=" + names[i] + id;
                }
                if (packed) torch.give("n" + id, options.lengths);
                ours.emplace_back(id, with_gradients(net, in, options));
                const std::size_t outputs = net == Net::Lstm ? 3 : 2;
                for (std::size_t i = 0; i < outputs; ++i)
                    torch.give("pull" + std::to_string(i) + id,
                               noise(ours.back().second[i].shape(), 20 + static_cast<unsigned>(i)));
                script += "r, w = layer('" + name(net) + "', " + (packed ? "n" + id : "None") +
                          arguments + ", reverse=" + (reverse ? "True" : "False") + ")\nloss = 0\n";
                for (std::size_t i = 0; i < outputs; ++i) {
                    const std::string k = std::to_string(i);
                    script += "out('" + k + id + "', r[" + k + "]); loss = loss + (r[" + k +
                              "] * pull" + k + id + ".detach()).sum()\n";
                }
                script += "loss.backward()\ngrads = [x" + id + ".grad, h0" + id +
                          ".grad] + [p.grad for p in w]" +
                          (net == Net::Lstm ? " + [c0" + id + ".grad]" : "") +
                          "\nfor i, g in enumerate(grads): out(str(i + " + std::to_string(outputs) +
                          ") + '" + id + "', g)\n";
            }
    torch.run(script);
    for (const auto& [id, results] : ours)
        for (std::size_t i = 0; i < results.size(); ++i)
            EXPECT_TRUE(
                near(results[i].to_vector(), torch.take(std::to_string(i) + id), 1e-9, 1e-11))
                << id << " result " << i;
}

TEST(Recurrent, RefusesWhatDoesNotFit) {
    const Sizes s{3, 2, 4, 5};
    std::vector<Tensor> in = inputs(Net::Lstm, s);
    const auto message = [&](std::size_t at, const Tensor& wrong) {
        std::vector<Tensor> changed = in;
        changed[at] = wrong;
        return message_of<ShapeError>([&] { run(Net::Lstm, changed, {}); });
    };
    EXPECT_EQ(message(0, noise({3, 4}, 1)), "lstm: input [3, 4] must be [steps, batch, inputs]");
    EXPECT_EQ(message(0, noise({3, 2, 7}, 1)),
              "lstm: w_ih [20, 4] expects 4 inputs a step, input [3, 2, 7] has 7");
    EXPECT_EQ(message(1, noise({2, 4}, 1)),
              "lstm: h0 is [2, 4], a batch of 2 with 5 hidden units needs [2, 5]");
    EXPECT_EQ(message(3, noise({15, 5}, 1)), "lstm: w_hh [15, 5] must be [4 hidden, hidden]");
    EXPECT_EQ(message(4, noise({15}, 1)), "lstm: b_ih is [15], w_hh [20, 5] needs [20]");
    EXPECT_EQ(message_of<ShapeError>([&] {
                  std::vector<Tensor> none = in;
                  none[0] = noise({0, 2, 4}, 1);
                  run(Net::Lstm, none, {});
              }),
              "lstm: a sequence needs at least one step, input [0, 2, 4] has none");
    EXPECT_EQ(message_of<ValueError>([&] {
                  run(Net::Lstm, in, {false, Tensor::from(std::vector<std::int64_t>{2, 4}, {2})});
              }),
              "lstm: lengths[1] is 4, it must lie between 1 and the 3 steps of the input");
    EXPECT_EQ(message_of<DTypeError>([&] {
                  run(Net::Lstm, in, {false, Tensor::from(std::vector<float>{2, 3}, {2})});
              }),
              "lstm: lengths are float32, int64 is needed");
}

} // namespace
} // namespace wiregrad
