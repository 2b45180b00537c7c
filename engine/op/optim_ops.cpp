// The in-place rows of optimizers: one pass over a weight, its gradient and its moments. Learning
// rate, decay and momentum come in a small float64 tensor and the number of updates in another, so
// that a recorded step can be replayed; bias corrections are computed in double. Moments and the
// step count are written too, hence no gradient.
#include <algorithm>
#include <cmath>
#include <vector>

#include <fmt/format.h>

#include "engine/core/error.h"
#include "engine/kernel/loop.h"
#include "engine/op/bind.h"
#include "engine/op/registry.h"

// Each loop is compiled for several instruction sets and chosen at load; contraction is off for
// this file, so all of them give the same bits. ThreadSanitizer cannot start a program that chooses
// so early.
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)
#define WIREGRAD_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define WIREGRAD_CLONES
#endif

namespace wiregrad {
namespace {

constexpr std::string_view kRoles[] = {"weight", "gradient"};

/// All of `same` must look like the weight; the rest are small float64 tensors of `sizes`.
void check_like_weight(const ShapeCall& call, int first, int last) {
    const TensorMeta& weight = call.inputs[0];
    if (weight.dtype != DType::Float32 && weight.dtype != DType::Float64)
        throw DTypeError(fmt::format("{}: weights are float32 or float64, not {}", call.op.name,
                                     name_of(weight.dtype)));
    for (int i = first; i <= last; ++i) {
        if (((call.present >> i) & 1U) == 0) continue;
        const TensorMeta& meta = call.inputs[static_cast<std::size_t>(i)];
        const std::string role = i < 2 ? std::string(kRoles[i]) : "optimizer state";
        if (!(meta.shape == weight.shape))
            throw ShapeError(fmt::format("{}: the {} is {}, the weight {}", call.op.name, role,
                                         meta.shape.str(), weight.shape.str()));
        if (meta.dtype != weight.dtype)
            throw DTypeError(fmt::format("{}: the {} is {}, the weight {}", call.op.name, role,
                                         name_of(meta.dtype), name_of(weight.dtype)));
    }
}
void check_numbers(const ShapeCall& call, int at, std::int64_t count) {
    const TensorMeta& meta = call.inputs[static_cast<std::size_t>(at)];
    if (((call.present >> at) & 1U) == 0 || meta.dtype != DType::Float64 ||
        numel(meta.shape) != count)
        throw ShapeError(
            fmt::format("{}: input {} must be {} float64 numbers", call.op.name, at, count));
}
Metas weight_only(const ShapeCall& call) {
    return {call.inputs[0]};
}

void need_contiguous(const KernelCall& call, std::initializer_list<int> which) {
    for (const int i : which) {
        const Tensor& tensor = call.inputs[static_cast<std::size_t>(i)];
        if (tensor.defined() && !tensor.is_contiguous())
            throw ShapeError(
                fmt::format("{}: weights and optimizer state must be contiguous", call.op.name));
    }
}

template <class T> T* written(const KernelCall& call, int i) {
    Tensor tensor = call.inputs[static_cast<std::size_t>(i)];
    return tensor.defined() ? tensor.data_mut<T>() : nullptr;
}

// --- SGD

template <class T> struct SgdNumbers {
    T lr, momentum, damped, weight_decay; ///< damped: 1 - dampening
    bool nesterov, first;
};

template <class T>
[[gnu::always_inline]] inline void sgd_loop(T* __restrict p, const T* __restrict g,
                                            T* __restrict buffer, std::int64_t n,
                                            const SgdNumbers<T>& k) {
    if (buffer == nullptr) {
        for (std::int64_t i = 0; i < n; ++i)
            p[i] -= k.lr * (g[i] + k.weight_decay * p[i]);
        return;
    }
    const T keep = k.first ? T{0} : k.momentum, take = k.first ? T{1} : k.damped;
    const T direct = k.nesterov ? T{1} : T{0}, through = k.nesterov ? k.momentum : T{1};
    for (std::int64_t i = 0; i < n; ++i) {
        const T grad = g[i] + k.weight_decay * p[i];
        const T moved = keep * buffer[i] + take * grad;
        buffer[i] = moved;
        p[i] -= k.lr * (direct * grad + through * moved);
    }
}
WIREGRAD_CLONES void sgd_range(float* p, const float* g, float* buffer, std::int64_t n,
                               const SgdNumbers<float>& k) {
    sgd_loop(p, g, buffer, n, k);
}
WIREGRAD_CLONES void sgd_range(double* p, const double* g, double* buffer, std::int64_t n,
                               const SgdNumbers<double>& k) {
    sgd_loop(p, g, buffer, n, k);
}

/// Inputs: weight, gradient, momentum buffer (or none), hyper {lr, momentum, dampening,
/// weight_decay}, step (with a buffer).
Metas sgd_shape(const ShapeCall& call) {
    check_like_weight(call, 1, 2);
    check_numbers(call, 3, 4);
    if ((call.present >> 2) & 1U) check_numbers(call, 4, 1);
    return weight_only(call);
}

template <class T>
SgdNumbers<T> sgd_numbers(const double* hyper, bool nesterov, const double* step) {
    return {static_cast<T>(hyper[0]),
            static_cast<T>(hyper[1]),
            static_cast<T>(1 - hyper[2]),
            static_cast<T>(hyper[3]),
            nesterov,
            step != nullptr && *step == 0};
}

template <class T> void sgd_typed(const KernelCall& call) {
    double* step = written<double>(call, 4);
    const SgdNumbers<T> k =
        sgd_numbers<T>(call.inputs[3].data<double>(), call.attrs.flag("nesterov"), step);
    const Tensor gradient = call.inputs[1].contiguous();
    T* p = written<T>(call, 0);
    const T* g = gradient.data<T>();
    T* buffer = written<T>(call, 2);
    kernel::parallel_for(
        gradient.numel(), kernel::kParallelElements, [&](std::int64_t begin, std::int64_t end) {
            sgd_range(p + begin, g + begin, buffer != nullptr ? buffer + begin : nullptr,
                      end - begin, k);
        });
    if (step != nullptr) *step += 1;
}
void sgd_cpu(const KernelCall& call) {
    need_contiguous(call, {0, 2});
    call.inputs[0].dtype() == DType::Float32 ? sgd_typed<float>(call) : sgd_typed<double>(call);
}

// --- Adam and AdamW

template <class T> struct AdamNumbers {
    T step_size, from_grad, beta2, from_square, root_correction, eps;
    T shrink, weight_decay; ///< decoupled decay is a factor on the weight, the other is added to
                            ///< the gradient
};

template <class T>
[[gnu::always_inline]] inline void
adam_loop(T* __restrict p, const T* __restrict g, T* __restrict m, T* __restrict v,
          T* __restrict largest, std::int64_t n, const AdamNumbers<T>& k) {
    // As torch.lerp: from the nearer end, so that beta1 = 0 keeps the gradient exactly.
    const bool near_m = k.from_grad < T{0.5};
    const T rest = T{1} - k.from_grad;
    const auto moments = [&](std::int64_t i, T grad) {
        const T step = grad - m[i];
        m[i] = near_m ? m[i] + k.from_grad * step : grad - rest * step;
        v[i] = k.beta2 * v[i] + k.from_square * grad * grad;
    };
    if (largest == nullptr) {
        for (std::int64_t i = 0; i < n; ++i) {
            const T weight = p[i] * k.shrink;
            moments(i, g[i] + k.weight_decay * weight);
            p[i] = weight - k.step_size * (m[i] / (std::sqrt(v[i]) / k.root_correction + k.eps));
        }
        return;
    }
    for (std::int64_t i = 0; i < n; ++i) {
        const T weight = p[i] * k.shrink;
        moments(i, g[i] + k.weight_decay * weight);
        largest[i] = v[i] <= largest[i] ? largest[i] : v[i];
        p[i] = weight - k.step_size * (m[i] / (std::sqrt(largest[i]) / k.root_correction + k.eps));
    }
}
WIREGRAD_CLONES void adam_range(float* p, const float* g, float* m, float* v, float* largest,
                                std::int64_t n, const AdamNumbers<float>& k) {
    adam_loop(p, g, m, v, largest, n, k);
}
WIREGRAD_CLONES void adam_range(double* p, const double* g, double* m, double* v, double* largest,
                                std::int64_t n, const AdamNumbers<double>& k) {
    adam_loop(p, g, m, v, largest, n, k);
}

/// Inputs: weight, gradient, exp_avg, exp_avg_sq, max_exp_avg_sq (or none), hyper {lr, beta1,
/// beta2, eps, weight_decay}, step.
Metas adam_shape(const ShapeCall& call) {
    check_like_weight(call, 1, 4);
    check_numbers(call, 5, 5);
    check_numbers(call, 6, 1);
    return weight_only(call);
}

/// Of update number `step`, counted from 1.
template <class T> AdamNumbers<T> adam_numbers(const double* hyper, bool decoupled, double step) {
    const double lr = hyper[0], beta1 = hyper[1], beta2 = hyper[2], weight_decay = hyper[4];
    return {static_cast<T>(lr / (1 - std::pow(beta1, step))),
            static_cast<T>(1 - beta1),
            static_cast<T>(beta2),
            static_cast<T>(1 - beta2),
            static_cast<T>(std::sqrt(1 - std::pow(beta2, step))),
            static_cast<T>(hyper[3]),
            static_cast<T>(decoupled ? 1 - lr * weight_decay : 1.0),
            static_cast<T>(decoupled ? 0.0 : weight_decay)};
}

template <class T> void adam_typed(const KernelCall& call) {
    double* step = written<double>(call, 6);
    *step += 1;
    const AdamNumbers<T> k =
        adam_numbers<T>(call.inputs[5].data<double>(), call.attrs.flag("decoupled"), *step);
    const Tensor gradient = call.inputs[1].contiguous();
    T* p = written<T>(call, 0);
    const T* g = gradient.data<T>();
    T* m = written<T>(call, 2);
    T* v = written<T>(call, 3);
    T* largest = written<T>(call, 4);
    kernel::parallel_for(
        gradient.numel(), kernel::kParallelElements / 2, [&](std::int64_t begin, std::int64_t end) {
            adam_range(p + begin, g + begin, m + begin, v + begin,
                       largest != nullptr ? largest + begin : nullptr, end - begin, k);
        });
}
void adam_cpu(const KernelCall& call) {
    need_contiguous(call, {0, 2, 3, 4});
    call.inputs[0].dtype() == DType::Float32 ? adam_typed<float>(call) : adam_typed<double>(call);
}

// --- bound, for one weight or several: "each" tells how many inputs belong to one

/// Splits the elements of all weights evenly between threads and calls
/// work(weight, begin, end) for each stretch.
template <class F>
void share_out(const std::vector<std::int64_t>& ends, int threads, std::int64_t grain,
               const F& work) {
    const std::int64_t total = ends.empty() ? 0 : ends.back();
    const auto part = [&](std::int64_t from, std::int64_t to) {
        std::size_t i = 0;
        std::int64_t start = 0;
        for (; i < ends.size() && start < to; start = ends[i++]) {
            // Stretches are cut at whole cache lines of a weight.
            const auto cut = [&](std::int64_t at) {
                return std::clamp<std::int64_t>((at - start + 63) / 64 * 64, 0, ends[i] - start);
            };
            const std::int64_t first = cut(from), last = to == total ? ends[i] - start : cut(to);
            if (first < last) work(i, first, last);
        }
    };
    const int count =
        static_cast<int>(std::clamp<std::int64_t>(total / grain, 1, std::max(threads, 1)));
    if (count == 1) {
        part(0, total);
        return;
    }
#pragma omp parallel for num_threads(count) schedule(static, 1)
    for (int t = 0; t < count; ++t)
        part(total * t / count, total * (t + 1) / count);
}

class BoundOptimizer : public Bound {
  public:
    explicit BoundOptimizer(const BindCall& call)
        : each_(call.attrs.has("each") ? static_cast<std::size_t>(call.attrs.integer("each"))
                                       : call.inputs.size()),
          threads_(call.threads) {
        std::int64_t end = 0;
        for (std::size_t i = 0; i < call.inputs.size(); i += each_)
            ends_.push_back(end += numel(call.inputs[i].meta.shape));
    }
    std::string name() const override { return "one pass"; }

  protected:
    template <class T> static T* at(const void* const* in, std::size_t i) {
        return static_cast<T*>(const_cast<void*>(in[i]));
    }
    std::size_t each_;
    int threads_;
    std::vector<std::int64_t> ends_; ///< of each weight, in elements of all of them
};

template <class T> class BoundSgd final : public BoundOptimizer {
  public:
    explicit BoundSgd(const BindCall& call)
        : BoundOptimizer(call), nesterov_(call.attrs.flag("nesterov")), numbers_(ends_.size()) {}
    void run(const void* const* in, void* const*, void*) override {
        for (std::size_t i = 0; i < numbers_.size(); ++i) {
            double* const step = at<double>(in, i * each_ + 4);
            numbers_[i] = sgd_numbers<T>(at<double>(in, 3), nesterov_, step);
            if (step != nullptr) *step += 1;
        }
        share_out(ends_, threads_, kernel::kParallelElements,
                  [&](std::size_t i, std::int64_t begin, std::int64_t end) {
                      const void* const* own = in + i * each_;
                      T* const buffer = at<T>(own, 2);
                      sgd_range(at<T>(own, 0) + begin, at<T>(own, 1) + begin,
                                buffer != nullptr ? buffer + begin : nullptr, end - begin,
                                numbers_[i]);
                  });
    }

  private:
    bool nesterov_;
    std::vector<SgdNumbers<T>> numbers_;
};

template <class T> class BoundAdam final : public BoundOptimizer {
  public:
    explicit BoundAdam(const BindCall& call)
        : BoundOptimizer(call), decoupled_(call.attrs.flag("decoupled")), numbers_(ends_.size()) {}
    void run(const void* const* in, void* const*, void*) override {
        double before = -1;
        for (std::size_t i = 0; i < numbers_.size(); ++i) {
            double* const step = at<double>(in, i * each_ + 6);
            *step += 1;
            // Most often all weights were updated equally often.
            numbers_[i] = i > 0 && *step == before
                              ? numbers_[i - 1]
                              : adam_numbers<T>(at<double>(in, 5), decoupled_, *step);
            before = *step;
        }
        share_out(ends_, threads_, kernel::kParallelElements / 2,
                  [&](std::size_t i, std::int64_t begin, std::int64_t end) {
                      const void* const* own = in + i * each_;
                      T* const largest = at<T>(own, 4);
                      adam_range(at<T>(own, 0) + begin, at<T>(own, 1) + begin,
                                 at<T>(own, 2) + begin, at<T>(own, 3) + begin,
                                 largest != nullptr ? largest + begin : nullptr, end - begin,
                                 numbers_[i]);
                  });
    }

  private:
    bool decoupled_;
    std::vector<AdamNumbers<T>> numbers_;
};

template <template <class> class Optimizer> std::unique_ptr<Bound> bind_optimizer(BindCall& call) {
    for (const BindValue& value : call.inputs)
        if (numel(value.meta.shape) > 1 && (!value.layout.plain() || !value.contiguous()))
            return nullptr;
    if (call.inputs[0].meta.dtype == DType::Float32)
        return std::make_unique<Optimizer<float>>(call);
    return std::make_unique<Optimizer<double>>(call);
}

// --- clipping by norm

Metas sum_squares_shape(const ShapeCall& call) {
    if (!is_floating(call.inputs[0].dtype))
        throw DTypeError(fmt::format("{}: floating numbers are needed, not {}", call.op.name,
                                     name_of(call.inputs[0].dtype)));
    return {{Shape{}, DType::Float64, call.inputs[0].device}};
}

constexpr std::int64_t kSumChunk =
    4096; ///< fixed, so that the sum does not depend on the number of threads

template <class T> [[gnu::always_inline]] inline double squares_loop(const T* x, std::int64_t n) {
    constexpr int kLanes = 8;
    double lanes[kLanes] = {};
    std::int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes)
        for (int j = 0; j < kLanes; ++j)
            lanes[j] += static_cast<double>(x[i + j]) * static_cast<double>(x[i + j]);
    for (; i < n; ++i)
        lanes[0] += static_cast<double>(x[i]) * static_cast<double>(x[i]);
    return ((lanes[0] + lanes[4]) + (lanes[1] + lanes[5])) +
           ((lanes[2] + lanes[6]) + (lanes[3] + lanes[7]));
}
WIREGRAD_CLONES double squares(const float* x, std::int64_t n) {
    return squares_loop(x, n);
}
WIREGRAD_CLONES double squares(const double* x, std::int64_t n) {
    return squares_loop(x, n);
}

template <class T> double sum_squares_typed(const Tensor& x) {
    const T* values = x.data<T>();
    const std::int64_t count = x.numel(), chunks = (count + kSumChunk - 1) / kSumChunk;
    std::vector<double> sums(static_cast<std::size_t>(chunks));
    kernel::parallel_for(
        chunks, kernel::kParallelElements / kSumChunk, [&](std::int64_t begin, std::int64_t end) {
            for (std::int64_t c = begin; c < end; ++c)
                sums[static_cast<std::size_t>(c)] =
                    squares(values + c * kSumChunk, std::min(kSumChunk, count - c * kSumChunk));
        });
    double total = 0;
    for (const double sum : sums)
        total += sum;
    return total;
}
void sum_squares_cpu(const KernelCall& call) {
    Tensor x = call.inputs[0].contiguous();
    if (x.dtype() != DType::Float32 && x.dtype() != DType::Float64) {
        Tensor wide = Tensor::empty(x.shape(), DType::Float32);
        wide.copy_(x);
        x = wide;
    }
    Tensor out = call.outputs[0];
    *out.data_mut<double>() =
        x.dtype() == DType::Float32 ? sum_squares_typed<float>(x) : sum_squares_typed<double>(x);
}

/// Inputs: gradient, the sum of squares over all gradients, the largest norm allowed.
Metas clip_shape(const ShapeCall& call) {
    check_like_weight(call, 0, 0);
    check_numbers(call, 1, 1);
    check_numbers(call, 2, 1);
    return weight_only(call);
}
template <class T> void clip_typed(T* x, std::int64_t n, double factor) {
    const T scale = static_cast<T>(factor);
    kernel::parallel_for(n, kernel::kParallelElements, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i)
            x[i] *= scale;
    });
}
void clip_cpu(const KernelCall& call) {
    need_contiguous(call, {0});
    const double norm = std::sqrt(*call.inputs[1].data<double>());
    const double factor = *call.inputs[2].data<double>() / (norm + 1e-6);
    if (factor >= 1) return;
    Tensor x = call.inputs[0];
    if (x.dtype() == DType::Float32)
        clip_typed(x.data_mut<float>(), x.numel(), factor);
    else
        clip_typed(x.data_mut<double>(), x.numel(), factor);
}

Cost elements(const ShapeCall& call, double flops, double reads_and_writes) {
    double count = 1;
    for (const std::int64_t size : call.inputs[0].shape)
        count *= static_cast<double>(size);
    return {flops * count,
            reads_and_writes * count * static_cast<double>(size_of(call.inputs[0].dtype))};
}
Cost sgd_cost(const ShapeCall& call, std::span<const TensorMeta>) {
    return (call.present >> 2) & 1U ? elements(call, 7, 5) : elements(call, 4, 3);
}
Cost adam_cost(const ShapeCall& call, std::span<const TensorMeta>) {
    return (call.present >> 4) & 1U ? elements(call, 15, 9) : elements(call, 14, 7);
}
Cost sum_squares_cost(const ShapeCall& call, std::span<const TensorMeta>) {
    return elements(call, 2, 1);
}
Cost clip_cost(const ShapeCall& call, std::span<const TensorMeta>) {
    return elements(call, 1, 2);
}

} // namespace

std::span<const Op> optim_ops() {
    static const std::vector<Op> rows = {
        {.name = "sgd_step_",
         .help = "SGD: g += wd w; b = momentum b + (1 - dampening) g; w -= lr (g + momentum b if "
                 "nesterov, else b).",
         .shape = sgd_shape,
         .kernel = {sgd_cpu},
         .cost = sgd_cost,
         .flags = kInPlace | kNoGrad,
         .writes = 1U << 2 | 1U << 4,
         .bind = {bind_optimizer<BoundSgd>}},
        {.name = "adam_step_",
         .help = "Adam and AdamW: w -= lr / (1 - beta1^t) m / (sqrt(v) / sqrt(1 - beta2^t) + eps), "
                 "with m and v as moving averages.",
         .shape = adam_shape,
         .kernel = {adam_cpu},
         .cost = adam_cost,
         .flags = kInPlace | kNoGrad,
         .writes = 1U << 2 | 1U << 3 | 1U << 4 | 1U << 6,
         .bind = {bind_optimizer<BoundAdam>}},
        {.name = "sum_squares",
         .help = "The sum of x^2 in float64.",
         .shape = sum_squares_shape,
         .kernel = {sum_squares_cpu},
         .cost = sum_squares_cost,
         .flags = kNoGrad},
        {.name = "clip_grad_norm_",
         .help =
             "g *= min(1, max_norm / (norm + 1e-6)), where norm is that of all gradients together.",
         .shape = clip_shape,
         .kernel = {clip_cpu},
         .cost = clip_cost,
         .flags = kInPlace | kNoGrad},
    };
    return rows;
}

} // namespace wiregrad
