// Bound kernels of our own: products and convolutions by the eager entries, and batch norm, pooling
// and plane means on pictures in either arrangement.
#include "engine/backend/cpu/bind.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "engine/backend/cpu/column_sums.h"
#include "engine/backend/cpu/conv.h"
#include "engine/backend/cpu/gemm.h"
#include "engine/backend/cpu/layout.h"
#include "engine/backend/cpu/norm.h"
#include "engine/backend/cpu/pool.h"
#include "engine/backend/cpu/simd.h"
#include "engine/backend/cpu/team.h"
#include "engine/core/error.h"

namespace wiregrad::cpu {

namespace {

using std::int64_t;

const float* floats(const void* from) {
    return static_cast<const float*>(from);
}
float* floats(void* to) {
    return static_cast<float*>(to);
}

class PlainConv final : public Bound {
  public:
    PlainConv(const ConvGeometry& g, ConvPass pass, const Activation& activation, bool bias)
        : g_(g), pass_(pass), activation_(activation), bias_(bias) {}
    void run(const void* const* in, void* const* out, void*) override {
        const float *a = floats(in[0]), *b = floats(in[1]);
        switch (pass_) {
        case ConvPass::Forward:
            conv_forward(g_, a, b, bias_ ? floats(in[2]) : nullptr, floats(out[0]));
            if (activation_)
                activation_.apply(floats(out[0]), g_.batch * g_.out_channels * g_.out_plane());
            break;
        case ConvPass::InputGrad:
            conv_input_grad(g_, a, b, floats(out[0]));
            break;
        case ConvPass::WeightGrad:
            conv_weight_grad(g_, a, b, floats(out[0]), bias_ ? floats(out[1]) : nullptr);
            break;
        }
    }
    std::string name() const override { return "conv of NCHW"; }

  private:
    ConvGeometry g_;
    ConvPass pass_;
    Activation activation_;
    bool bias_;
};

class Gemm final : public Bound {
  public:
    Gemm(const GemmGeometry& g, const Activation& activation, bool bias, int a, int b)
        : g_(g), a_(a), b_(b), activation_(activation), bias_(bias) {}
    void run(const void* const* in, void* const* out, void*) override {
        float* y = floats(out[0]);
        GemmGeometry g = g_;
        if (bias_) {
            g.accumulate = true;
            for (int64_t i = 0; i < g.m; ++i)
                std::copy_n(floats(in[2]), g.n, y + i * g.ldc);
        }
        gemm(g, floats(in[a_]), floats(in[b_]), y);
        if (activation_) activation_.apply(y, g.m * g.ldc);
    }
    std::string name() const override { return "gemm"; }

  private:
    GemmGeometry g_;
    int a_, b_;
    Activation activation_;
    bool bias_;
};

/// A product for the weight, sums of columns for the bias.
class LinearGrads final : public Bound {
  public:
    LinearGrads(std::unique_ptr<Bound> product, int64_t rows, int64_t out)
        : product_(std::move(product)), rows_(rows), out_(out) {}
    void run(const void* const* in, void* const* out, void* scratch) override {
        product_->run(in, out, scratch);
        column_sums(floats(in[0]), rows_, out_, floats(out[1]));
    }
    std::size_t scratch_bytes() const override { return product_->scratch_bytes(); }
    std::string name() const override { return product_->name() + " and sums"; }

  private:
    std::unique_ptr<Bound> product_;
    int64_t rows_, out_;
};

/// A picture's sizes and arrangement.
struct Picture {
    int64_t batch = 0, channels = 0, plane = 1;
    bool blocks = false;
    explicit Picture(const BindValue& value) : blocks(!value.layout.plain()) {
        const Shape& s = value.meta.shape;
        batch = s[0];
        channels = s[1];
        for (int d = 2; d < s.size(); ++d)
            plane *= s[d];
    }
    int64_t block_count() const { return channels / kChannelBlock; }
    /// Where block b of picture n begins.
    int64_t at(int64_t n, int64_t b) const {
        return (n * block_count() + b) * plane * kChannelBlock;
    }
    double elements() const { return static_cast<double>(batch * channels * plane); }
    BatchNormGeometry geometry() const { return {batch, channels, plane}; }
};

/// As they come, or as wished where that may be chosen; all of them alike. False where they differ.
bool agree(std::span<BindValue* const> values, bool wish) {
    const BindValue* given = nullptr;
    for (const BindValue* value : values)
        if (!value->any) given = given == nullptr ? value : given;
    const bool blocks = given != nullptr ? is_blocked(given->layout) : wish;
    for (BindValue* value : values)
        prefer(*value, blocks);
    for (const BindValue* value : values) {
        if (is_blocked(value->layout) != is_blocked(values[0]->layout)) return false;
        if (value->layout.plain() ? !value->contiguous() : !is_blocked(value->layout)) return false;
    }
    return true;
}

bool agree(std::initializer_list<BindValue*> values) {
    return agree(std::span<BindValue* const>(values.begin(), values.size()), true);
}

class BatchNorm final : public Bound {
  public:
    BatchNorm(const Picture& p, bool training, double momentum, double eps,
              const Activation& activation)
        : p_(p), momentum_(momentum), eps_(eps), training_(training), activation_(activation) {}
    std::size_t scratch_bytes() const override {
        return static_cast<std::size_t>(p_.channels) * (2 * sizeof(double) + 2 * sizeof(float));
    }
    void run(const void* const* in, void* const* out, void* scratch) override {
        const float *x = floats(in[0]), *weight = floats(in[1]), *bias = floats(in[2]);
        float *y = floats(out[0]), *mean = floats(out[1]), *inv_std = floats(out[2]);
        auto* means = static_cast<double*>(scratch);
        double* variances = means + p_.channels;
        float *scale = reinterpret_cast<float*>(variances + p_.channels),
              *shift = scale + p_.channels;
        if (training_) {
            if (p_.blocks)
                moments(x, means, variances);
            else
                batch_norm_moments(p_.geometry(), x, means, variances);
        }
        statistics(in, means, variances, mean, inv_std);
        if (!p_.blocks) {
            batch_norm_apply(p_.geometry(), x, mean, inv_std, weight, bias, y);
            if (activation_) activation_.apply(y, p_.batch * p_.channels * p_.plane);
            return;
        }
        for (int64_t c = 0; c < p_.channels; ++c) {
            scale[c] = inv_std[c] * (weight ? weight[c] : 1.0F);
            shift[c] = (bias ? bias[c] : 0.0F) - mean[c] * scale[c];
        }
        const BlockedKernels& kernels = blocked_kernels();
        const int threads = team(p_.elements());
#pragma omp parallel for collapse(2) num_threads(threads) schedule(static)
        for (int64_t n = 0; n < p_.batch; ++n)
            for (int64_t b = 0; b < p_.block_count(); ++b)
                kernels.affine(x + p_.at(n, b), p_.plane, scale + b * kChannelBlock,
                               shift + b * kChannelBlock, activation_.relu, y + p_.at(n, b));
        if (activation_ && !activation_.relu)
            activation_.apply(y, p_.batch * p_.channels * p_.plane);
    }
    std::string name() const override {
        return std::string(p_.blocks ? "blocked" : "plain") +
               (activation_ ? " and activation" : "");
    }

  private:
    void moments(const float* x, double* means, double* variances) const {
        const BlockedKernels& kernels = blocked_kernels();
        const int threads = team(p_.elements());
        const double count = static_cast<double>(p_.batch * p_.plane);
#pragma omp parallel for num_threads(threads) schedule(static)
        for (int64_t b = 0; b < p_.block_count(); ++b) {
            // Sums about the first value of each channel: no digits are lost where the mean is
            // large.
            const float* pivot = x + p_.at(0, b);
            double sums[kChannelBlock] = {}, squares[kChannelBlock] = {};
            for (int64_t n = 0; n < p_.batch; ++n)
                kernels.moments(x + p_.at(n, b), p_.plane, pivot, sums, squares);
            for (int64_t l = 0; l < kChannelBlock; ++l) {
                const double shift = sums[l] / count;
                means[b * kChannelBlock + l] = static_cast<double>(pivot[l]) + shift;
                variances[b * kChannelBlock + l] =
                    std::max(squares[l] / count - shift * shift, 0.0);
            }
        }
    }
    /// Mean and 1 / std as used, and the running ones.
    void statistics(const void* const* in, const double* means, const double* variances,
                    float* mean, float* inv_std) const {
        auto *running_mean = const_cast<float*>(floats(in[3])),
             *running_var = const_cast<float*>(floats(in[4]));
        const double count = static_cast<double>(p_.batch * p_.plane);
        for (int64_t c = 0; c < p_.channels; ++c) {
            if (!training_) {
                mean[c] = running_mean[c];
                inv_std[c] =
                    static_cast<float>(1.0 / std::sqrt(static_cast<double>(running_var[c]) + eps_));
                continue;
            }
            mean[c] = static_cast<float>(means[c]);
            inv_std[c] = static_cast<float>(1.0 / std::sqrt(variances[c] + eps_));
            if (running_mean == nullptr) continue;
            const auto blend = [&](float& old, double now) {
                old = static_cast<float>((1 - momentum_) * static_cast<double>(old) +
                                         momentum_ * now);
            };
            blend(running_mean[c], means[c]);
            blend(running_var[c], variances[c] * count / (count - 1));
        }
    }

    Picture p_;
    double momentum_, eps_;
    bool training_;
    Activation activation_;
};

class BatchNormBackward final : public Bound {
  public:
    BatchNormBackward(const Picture& p, bool training, bool relu)
        : p_(p), training_(training), relu_(relu) {}
    std::size_t scratch_bytes() const override {
        return relu_ && !p_.blocks ? static_cast<std::size_t>(p_.elements()) * sizeof(float) : 0;
    }
    void run(const void* const* in, void* const* out, void* scratch) override {
        const float *gy = floats(in[0]), *x = floats(in[1]), *weight = floats(in[2]),
                    *mean = floats(in[3]), *inv_std = floats(in[4]);
        float *gx = floats(out[0]), *gweight = floats(out[1]), *gbias = floats(out[2]);
        if (!p_.blocks) {
            if (relu_) gy = masked(gy, floats(in[6]), floats(scratch));
            return batch_norm_backward(p_.geometry(), training_, gy, x, mean, inv_std, weight, gx,
                                       gweight, gbias);
        }
        const float* bias = relu_ ? floats(in[5]) : nullptr;
        const BlockedKernels& kernels = blocked_kernels();
        const int threads = team(p_.elements());
        const double count = static_cast<double>(p_.batch * p_.plane);
#pragma omp parallel for num_threads(threads) schedule(static)
        for (int64_t b = 0; b < p_.block_count(); ++b) {
            const int64_t c = b * kChannelBlock;
            double sums[kChannelBlock] = {}, dots[kChannelBlock] = {};
            float scale[kChannelBlock], shift[kChannelBlock], mean_g[kChannelBlock],
                slope[kChannelBlock];
            for (int64_t l = 0; l < kChannelBlock; ++l) { // as BatchNorm has them
                scale[l] = inv_std[c + l] * (weight ? weight[c + l] : 1.0F);
                shift[l] = (bias ? bias[c + l] : 0.0F) - mean[c + l] * scale[l];
            }
            for (int64_t n = 0; n < p_.batch; ++n)
                if (relu_)
                    kernels.pulls_behind_relu(gy + p_.at(n, b), x + p_.at(n, b), p_.plane, mean + c,
                                              scale, shift, sums, dots);
                else
                    kernels.pulls(gy + p_.at(n, b), x + p_.at(n, b), p_.plane, mean + c, sums,
                                  dots);
            for (int64_t l = 0; l < kChannelBlock; ++l) {
                const double inv = inv_std[c + l];
                gweight[c + l] = static_cast<float>(dots[l] * inv);
                gbias[c + l] = static_cast<float>(sums[l]);
                mean_g[l] = training_ ? static_cast<float>(sums[l] / count) : 0.0F;
                slope[l] = training_ ? static_cast<float>(dots[l] * inv * inv / count) : 0.0F;
            }
            for (int64_t n = 0; n < p_.batch; ++n)
                if (relu_)
                    kernels.norm_grad_behind_relu(gy + p_.at(n, b), x + p_.at(n, b), p_.plane,
                                                  mean + c, scale, shift, mean_g, slope,
                                                  gx + p_.at(n, b));
                else
                    kernels.norm_grad(gy + p_.at(n, b), x + p_.at(n, b), p_.plane, mean + c, scale,
                                      mean_g, slope, gx + p_.at(n, b));
        }
    }
    std::string name() const override {
        return std::string(p_.blocks ? "blocked" : "plain") + (relu_ ? " behind relu" : "");
    }

  private:
    const float* masked(const float* g, const float* y, float* to) const {
        const auto count = static_cast<int64_t>(p_.elements());
        const int threads = team(p_.elements());
#pragma omp parallel for simd num_threads(threads) schedule(static)
        for (int64_t i = 0; i < count; ++i)
            to[i] = y[i] > 0 ? g[i] : 0.0F;
        return to;
    }

    Picture p_;
    bool training_, relu_;
};

class MaxPool final : public Bound {
  public:
    MaxPool(const PoolGeometry& g, const Picture& p, bool backward)
        : g_(g), p_(p), backward_(backward) {}
    void run(const void* const* in, void* const* out, void*) override {
        const float* from = floats(in[0]);
        float* to = floats(out[0]);
        if (!p_.blocks) {
            if (backward_)
                max_pool_backward(g_, from, static_cast<const std::uint8_t*>(in[1]), to);
            else
                max_pool_forward(g_, from, to, static_cast<std::uint8_t*>(out[1]));
            return;
        }
        const BlockedKernels& kernels = blocked_kernels();
        const int64_t large = g_.in_h * g_.in_w * kChannelBlock,
                      small = g_.out_h * g_.out_w * kChannelBlock,
                      count = p_.batch * p_.block_count();
        const int threads = team(static_cast<double>(count * large));
#pragma omp parallel for num_threads(threads) schedule(static)
        for (int64_t i = 0; i < count; ++i)
            if (backward_)
                kernels.max_backward(g_, from + i * small,
                                     static_cast<const std::uint8_t*>(in[1]) + i * small,
                                     to + i * large);
            else
                kernels.max_forward(g_, from + i * large, to + i * small,
                                    static_cast<std::uint8_t*>(out[1]) + i * small);
    }
    std::string name() const override {
        return p_.blocks ? "blocked" : "plain";
    }

  private:
    PoolGeometry g_;
    Picture p_;
    bool backward_;
};

class PlaneMean final : public Bound {
  public:
    PlaneMean(const Picture& p, bool backward) : p_(p), backward_(backward) {}
    void run(const void* const* in, void* const* out, void*) override {
        const float* from = floats(in[0]);
        float* to = floats(out[0]);
        // With blocks the plane's stride is 16 and 16 channels lie side by side; else 1 and one
        // does.
        const int64_t lanes = p_.blocks ? kChannelBlock : 1, rows = p_.batch * p_.channels / lanes;
        const auto plane = static_cast<float>(p_.plane);
        const int threads = team(p_.elements());
#pragma omp parallel for num_threads(threads) schedule(static)
        for (int64_t row = 0; row < rows; ++row) {
            const int64_t large = row * p_.plane * lanes, small = row * lanes;
            if (backward_) {
                for (int64_t i = 0; i < p_.plane; ++i)
                    for (int64_t l = 0; l < lanes; ++l)
                        to[large + i * lanes + l] = from[small + l] / plane;
                continue;
            }
            double sums[kChannelBlock] = {};
            for (int64_t i = 0; i < p_.plane; ++i)
                for (int64_t l = 0; l < lanes; ++l)
                    sums[l] += static_cast<double>(from[large + i * lanes + l]);
            for (int64_t l = 0; l < lanes; ++l)
                to[small + l] = static_cast<float>(sums[l] / static_cast<double>(p_.plane));
        }
    }
    std::string name() const override {
        return p_.blocks ? "blocked" : "plain";
    }

  private:
    Picture p_;
    bool backward_;
};

class ChannelSums final : public Bound {
  public:
    explicit ChannelSums(const Picture& p) : p_(p) {}
    void run(const void* const* in, void* const* out, void*) override {
        const float* x = floats(in[0]);
        float* to = floats(out[0]);
        const int threads = team(p_.elements());
        if (!p_.blocks) {
            const RowKernels& kernels = row_kernels();
#pragma omp parallel for num_threads(threads) schedule(static)
            for (int64_t c = 0; c < p_.channels; ++c) {
                double sum = 0;
                for (int64_t n = 0; n < p_.batch; ++n)
                    sum += kernels.sum(x + (n * p_.channels + c) * p_.plane, p_.plane);
                to[c] = static_cast<float>(sum);
            }
            return;
        }
        const BlockedKernels& kernels = blocked_kernels();
#pragma omp parallel for num_threads(threads) schedule(static)
        for (int64_t b = 0; b < p_.block_count(); ++b) {
            const float pivot[kChannelBlock] = {};
            double sums[kChannelBlock] = {}, squares[kChannelBlock] = {};
            for (int64_t n = 0; n < p_.batch; ++n)
                kernels.moments(x + p_.at(n, b), p_.plane, pivot, sums, squares);
            for (int64_t l = 0; l < kChannelBlock; ++l)
                to[b * kChannelBlock + l] = static_cast<float>(sums[l]);
        }
    }
    std::string name() const override {
        return p_.blocks ? "blocked" : "plain";
    }

  private:
    Picture p_;
};

/// Inputs one behind the other: of each item, `bytes[i]` consecutive bytes of input i.
class Join final : public Bound {
  public:
    Join(int64_t items, std::vector<std::size_t> bytes) : items_(items), bytes_(std::move(bytes)) {
        for (std::size_t each : bytes_)
            whole_ += each;
    }
    void run(const void* const* in, void* const* out, void*) override {
        const int threads = team(static_cast<double>(items_) * static_cast<double>(whole_) / 8);
        auto* const to = static_cast<char*>(out[0]);
#pragma omp parallel for num_threads(threads) schedule(static)
        for (int64_t item = 0; item < items_; ++item) {
            char* at = to + static_cast<std::size_t>(item) * whole_;
            for (std::size_t i = 0; i < bytes_.size(); ++i) {
                std::memcpy(at,
                            static_cast<const char*>(in[i]) +
                                static_cast<std::size_t>(item) * bytes_[i],
                            bytes_[i]);
                at += bytes_[i];
            }
        }
    }
    std::string name() const override {
        return "copies";
    }

  private:
    int64_t items_;
    std::vector<std::size_t> bytes_;
    std::size_t whole_ = 0;
};

/// Adds input 2, one number a channel, to output 0.
class ChannelBias final : public Bound {
  public:
    ChannelBias(std::unique_ptr<Bound> inner, const Picture& p) : inner_(std::move(inner)), p_(p) {}
    void run(const void* const* in, void* const* out, void* scratch) override {
        inner_->run(in, out, scratch);
        const float* bias = floats(in[2]);
        float* y = floats(out[0]);
        const BlockedKernels& blocked = blocked_kernels();
        const RowKernels& rows = row_kernels();
        float ones[kChannelBlock];
        std::fill_n(ones, kChannelBlock, 1.0F);
        const int64_t lanes = p_.blocks ? kChannelBlock : 1, groups = p_.channels / lanes;
        const int threads = team(p_.elements());
#pragma omp parallel for num_threads(threads) schedule(static)
        for (int64_t i = 0; i < p_.batch * groups; ++i) {
            float* at = y + i * p_.plane * lanes;
            const int64_t c = i % groups * lanes;
            if (p_.blocks)
                blocked.affine(at, p_.plane, ones, bias + c, false, at);
            else
                rows.standardise(at, p_.plane, 0.0F, 1.0F, bias[c], at);
        }
    }
    std::size_t scratch_bytes() const override {
        return inner_->scratch_bytes();
    }
    std::string name() const override {
        return inner_->name() + " and bias";
    }

  private:
    std::unique_ptr<Bound> inner_;
    Picture p_;
};

bool single(const BindValue& value) {
    return value.meta.dtype == DType::Float32;
}

} // namespace

bool row_major(const BindCall& call, std::initializer_list<int> inputs) {
    for (int i : inputs) {
        if (!call.has(i)) continue;
        const BindValue& value = call.inputs[static_cast<std::size_t>(i)];
        if (!value.layout.plain() || (!value.any && !value.contiguous())) return false;
    }
    return true;
}

void Activation::apply(float* y, int64_t count) const {
    const int threads = team(4.0 * static_cast<double>(count));
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int part = 0; part < threads; ++part) {
        const int64_t first = count * part / threads, last = count * (part + 1) / threads;
        auto* const at = reinterpret_cast<char*>(y + first);
        char* const pointers[] = {at, at};
        const int64_t strides[] = {sizeof(float), sizeof(float)};
        loop(pointers, strides, last - first, {});
    }
}
Activation activation_of(const Attrs& attrs) {
    if (!attrs.has("activation")) return {};
    const Op& op = find_op(attrs.text("activation"));
    if (op.functor.kind != Functor::Kind::Unary)
        throw ValueError("the activation " + std::string(op.name) +
                         " is no function of one number");
    return {kernel::table().unary[op.functor.code][static_cast<int>(DType::Float32)],
            op.name == "relu", op.name};
}

std::unique_ptr<Bound> bind_plain_conv(const ConvGeometry& g, ConvPass pass,
                                       const Activation& activation, BindCall& call) {
    const bool bias = pass == ConvPass::Forward
                          ? call.has(2)
                          : pass == ConvPass::WeightGrad && call.outputs.size() > 1;
    return std::make_unique<PlainConv>(g, pass, activation, bias);
}

std::unique_ptr<Bound> with_channel_bias(std::unique_ptr<Bound> inner, const BindValue& y) {
    return std::make_unique<ChannelBias>(std::move(inner), Picture(y));
}

std::unique_ptr<Bound> bind_small_gemm(const GemmGeometry& g, const Activation& activation,
                                       BindCall& call, int a, int b) {
    return std::make_unique<Gemm>(g, activation, call.has(2), a, b);
}

std::unique_ptr<Bound> bind_linear_grads(int64_t rows, int64_t in, int64_t out, BindCall& call) {
    if (rows == 0 || !single(call.inputs[0])) return nullptr;
    const GemmGeometry g{true, false, out, in, rows, out, in, in, false};
    auto product = bind_gemm(g, {}, call, 0, 1);
    if (product == nullptr) return nullptr;
    return std::make_unique<LinearGrads>(std::move(product), rows, out);
}

std::unique_ptr<Bound> bind_batch_norm(bool training, double momentum, double eps,
                                       const Activation& activation, BindCall& call) {
    if (!single(call.inputs[0]) || !row_major(call, {1, 2, 3, 4}) ||
        numel(call.inputs[0].meta.shape) == 0 || !agree({&call.inputs[0], &call.outputs[0]}))
        return nullptr;
    return std::make_unique<BatchNorm>(Picture(call.inputs[0]), training, momentum, eps,
                                       activation);
}
std::unique_ptr<Bound> bind_batch_norm_backward(bool training, bool relu, BindCall& call) {
    if (!single(call.inputs[0]) || !row_major(call, {2, 3, 4, 5}) ||
        numel(call.inputs[0].meta.shape) == 0)
        return nullptr;
    std::vector<BindValue*> pictures{&call.inputs[0], &call.inputs[1], &call.outputs[0]};
    if (relu) pictures.push_back(&call.inputs[6]);
    if (!agree(pictures, true)) return nullptr;
    return std::make_unique<BatchNormBackward>(Picture(call.inputs[0]), training, relu);
}

std::unique_ptr<Bound> bind_max_pool(const PoolGeometry& g, BindCall& call) {
    if (!single(call.inputs[0]) || call.outputs[1].meta.dtype != DType::UInt8 ||
        !agree({&call.inputs[0], &call.outputs[0], &call.outputs[1]}))
        return nullptr;
    return std::make_unique<MaxPool>(g, Picture(call.inputs[0]), false);
}
std::unique_ptr<Bound> bind_max_pool_backward(const PoolGeometry& g, BindCall& call) {
    if (!single(call.inputs[0]) || call.inputs[1].meta.dtype != DType::UInt8 ||
        !agree({&call.inputs[0], &call.inputs[1], &call.outputs[0]}))
        return nullptr;
    return std::make_unique<MaxPool>(g, Picture(call.inputs[0]), true);
}

std::unique_ptr<Bound> bind_cat(int dim, BindCall& call) {
    std::vector<BindValue*> values{&call.outputs[0]};
    for (BindValue& value : call.inputs)
        values.push_back(&value);
    // Channel blocks lie behind each other as channels do; other dimensions are joined row by row.
    bool blocks = dim == 1;
    for (const BindValue* value : values)
        blocks = blocks && blockable(value->meta);
    if (!agree(values, blocks) || (!blocks && !values[0]->layout.plain())) return nullptr;
    const Shape& shape = call.outputs[0].meta.shape;
    int64_t items = 1;
    for (int d = 0; d < dim; ++d)
        items *= shape[d];
    if (items == 0) return nullptr;
    std::vector<std::size_t> bytes;
    for (const BindValue& value : call.inputs)
        bytes.push_back(static_cast<std::size_t>(numel(value.meta.shape) / items) *
                        size_of(value.meta.dtype));
    return std::make_unique<Join>(items, std::move(bytes));
}

std::unique_ptr<Bound> bind_plane_mean(bool backward, BindCall& call) {
    BindValue &large = backward ? call.outputs[0] : call.inputs[0],
              &small = backward ? call.inputs[0] : call.outputs[0];
    if (!single(large) || numel(large.meta.shape) == 0) return nullptr;
    prefer(large, true);
    prefer(small, false);
    // Without pixels beside them blocks of channels are the channels in order.
    if (small.layout.plain() && !small.contiguous()) return nullptr;
    if (large.layout.plain() ? !large.contiguous() : !is_blocked(large.layout)) return nullptr;
    return std::make_unique<PlaneMean>(Picture(large), backward);
}

std::unique_ptr<Bound> bind_channel_sums(BindCall& call) {
    BindValue& x = call.inputs[0];
    if (!single(x) || x.meta.shape.size() != 4 || numel(x.meta.shape) == 0) return nullptr;
    prefer(x, true);
    if (x.layout.plain() ? !x.contiguous() : !is_blocked(x.layout)) return nullptr;
    return std::make_unique<ChannelSums>(Picture(x));
}

} // namespace wiregrad::cpu
