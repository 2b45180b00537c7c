#include "engine/backend/cpu/onednn.h"

#include <dnnl.hpp>

#include <list>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/backend/cpu/scratch.h"
#include "engine/backend/cpu/team.h"

namespace wiregrad::cpu::onednn {

namespace {

using dnnl::memory;
using Desc = memory::desc;

// The engine outlives every thread's cache and stream, so it is never destroyed.
const dnnl::engine& engine() {
    static const dnnl::engine& value = *new dnnl::engine(dnnl::engine::kind::cpu, 0);
    return value;
}
dnnl::stream& stream() {
    thread_local dnnl::stream value(engine());
    return value;
}

enum class Kind { Forward, InputGrad, WeightGrad };

struct Key {
    ConvGeometry geometry;
    Kind kind;
    bool bias;
    int threads;
    bool operator==(const Key&) const = default;
};

struct KeyHash {
    std::size_t operator()(const Key& key) const {
        const ConvGeometry& g = key.geometry;
        std::size_t hash = static_cast<std::size_t>(key.kind) * 2 +
                           static_cast<std::size_t>(key.bias) +
                           static_cast<std::size_t>(key.threads) * 8;
        for (std::int64_t v : {g.batch, g.in_channels, g.in_h, g.in_w, g.out_channels, g.out_h,
                               g.out_w, g.kernel_h, g.kernel_w, g.stride_h, g.stride_w, g.pad_h,
                               g.pad_w, g.dilation_h, g.dilation_w, g.groups})
            hash = (hash ^ static_cast<std::size_t>(v)) * 0x9E3779B97F4A7C15ULL;
        return hash;
    }
};

/// One tensor of a primitive: as the engine holds it and, where the primitive wants another layout,
/// a copy in that one.
struct Operand {
    int argument = 0;
    bool output = false;
    memory plain, inner;
    dnnl::reorder reorder; ///< empty when the plain layout is the primitive's

    bool reordered() const { return static_cast<bool>(reorder); }
};

Operand operand(int argument, bool output, const Desc& plain, const Desc& inner) {
    Operand made{
        argument, output, memory(plain, engine(), nullptr), memory(inner, engine(), nullptr), {}};
    if (plain == inner) return made;
    const auto& from = output ? made.inner : made.plain;
    const auto& to = output ? made.plain : made.inner;
    made.reorder = dnnl::reorder(from, to);
    return made;
}

/// A primitive with its operands, ready to run once their addresses are set. Unserved shapes are
/// remembered as empty.
struct Bound {
    dnnl::primitive primitive;
    std::vector<Operand> operands;
    memory scratchpad;
    std::unordered_map<int, memory> arguments;
};

/// Blocks for reordered operands and for the scratchpad, shared by all primitives of a thread.
Scratch& block(std::size_t i) {
    thread_local Scratch blocks[5];
    return blocks[i];
}

void run(Bound& bound, std::initializer_list<const float*> addresses) {
    std::size_t i = 0;
    for (const float* address : addresses) {
        Operand& operand = bound.operands[i];
        operand.plain.set_data_handle(const_cast<float*>(address));
        float* inner = const_cast<float*>(address);
        if (operand.reordered())
            inner = block(i).floats(operand.inner.get_desc().get_size() / sizeof(float) + 16);
        operand.inner.set_data_handle(inner);
        if (operand.reordered() && !operand.output)
            operand.reorder.execute(stream(), operand.plain, operand.inner);
        ++i;
    }
    if (const std::size_t bytes = bound.scratchpad.get_desc().get_size(); bytes > 0)
        bound.scratchpad.set_data_handle(block(4).floats(bytes / sizeof(float) + 16));
    bound.primitive.execute(stream(), bound.arguments);
    for (Operand& operand : bound.operands)
        if (operand.reordered() && operand.output)
            operand.reorder.execute(stream(), operand.inner, operand.plain);
    stream().wait();
}

constexpr auto kFloat = memory::data_type::f32;

struct Descs {
    Desc x, w, bias, y;
};

/// `any` leaves the layout to oneDNN, else NCHW.
Descs descs(const ConvGeometry& g, bool any) {
    const auto image = any ? memory::format_tag::any : memory::format_tag::nchw;
    const memory::dims weight =
        g.groups == 1 ? memory::dims{g.out_channels, g.in_channels, g.kernel_h, g.kernel_w}
                      : memory::dims{g.groups, g.group_out(), g.group_in(), g.kernel_h, g.kernel_w};
    const auto filter = any             ? memory::format_tag::any
                        : g.groups == 1 ? memory::format_tag::oihw
                                        : memory::format_tag::goihw;
    return {Desc({g.batch, g.in_channels, g.in_h, g.in_w}, kFloat, image),
            Desc(weight, kFloat, filter), Desc({g.out_channels}, kFloat, memory::format_tag::x),
            Desc({g.batch, g.out_channels, g.out_h, g.out_w}, kFloat, image)};
}

template <class PrimitiveDesc> bool is_reference(const PrimitiveDesc& pd) {
    return std::string(pd.impl_info_str()).find("ref") != std::string::npos;
}

template <class Primitive, class PrimitiveDesc> void bind(Bound& bound, const PrimitiveDesc& pd) {
    bound.primitive = Primitive(pd);
    bound.scratchpad = memory(pd.scratchpad_desc(), engine(), nullptr);
    for (const Operand& operand : bound.operands)
        bound.arguments.emplace(operand.argument, operand.inner);
    bound.arguments.emplace(DNNL_ARG_SCRATCHPAD, bound.scratchpad);
}

Bound make(const Key& key) {
    const ConvGeometry& g = key.geometry;
    const Descs any = descs(g, true), plain = descs(g, false);
    const memory::dims stride{g.stride_h, g.stride_w}, dilation{g.dilation_h - 1, g.dilation_w - 1},
        before{g.pad_h, g.pad_w};
    const memory::dims after{
        (g.out_h - 1) * g.stride_h + g.dilation_h * (g.kernel_h - 1) + 1 - g.in_h - g.pad_h,
        (g.out_w - 1) * g.stride_w + g.dilation_w * (g.kernel_w - 1) + 1 - g.in_w - g.pad_w};
    dnnl::primitive_attr attr;
    attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    const auto algorithm = dnnl::algorithm::convolution_direct;
    const dnnl::convolution_forward::desc forward =
        key.bias && key.kind == Kind::Forward
            ? dnnl::convolution_forward::desc(dnnl::prop_kind::forward_training, algorithm, any.x,
                                              any.w, any.bias, any.y, stride, dilation, before,
                                              after)
            : dnnl::convolution_forward::desc(dnnl::prop_kind::forward_training, algorithm, any.x,
                                              any.w, any.y, stride, dilation, before, after);
    const dnnl::convolution_forward::primitive_desc forward_pd(forward, attr, engine());
    Bound bound;
    if (key.kind == Kind::Forward) {
        if (is_reference(forward_pd)) return bound;
        bound.operands.push_back(operand(DNNL_ARG_SRC, false, plain.x, forward_pd.src_desc()));
        bound.operands.push_back(
            operand(DNNL_ARG_WEIGHTS, false, plain.w, forward_pd.weights_desc()));
        bound.operands.push_back(operand(DNNL_ARG_DST, true, plain.y, forward_pd.dst_desc()));
        if (key.bias)
            bound.operands.push_back(operand(DNNL_ARG_BIAS, false, plain.bias, plain.bias));
        bind<dnnl::convolution_forward>(bound, forward_pd);
    } else if (key.kind == Kind::InputGrad) {
        const dnnl::convolution_backward_data::desc desc(algorithm, any.x, any.w, any.y, stride,
                                                         dilation, before, after);
        const dnnl::convolution_backward_data::primitive_desc pd(desc, attr, engine(), forward_pd);
        if (is_reference(pd)) return bound;
        bound.operands.push_back(operand(DNNL_ARG_DIFF_DST, false, plain.y, pd.diff_dst_desc()));
        bound.operands.push_back(operand(DNNL_ARG_WEIGHTS, false, plain.w, pd.weights_desc()));
        bound.operands.push_back(operand(DNNL_ARG_DIFF_SRC, true, plain.x, pd.diff_src_desc()));
        bind<dnnl::convolution_backward_data>(bound, pd);
    } else {
        const dnnl::convolution_backward_weights::desc desc =
            key.bias
                ? dnnl::convolution_backward_weights::desc(algorithm, any.x, any.w, any.bias, any.y,
                                                           stride, dilation, before, after)
                : dnnl::convolution_backward_weights::desc(algorithm, any.x, any.w, any.y, stride,
                                                           dilation, before, after);
        const dnnl::convolution_backward_weights::primitive_desc pd(desc, attr, engine(),
                                                                    forward_pd);
        if (is_reference(pd)) return bound;
        bound.operands.push_back(operand(DNNL_ARG_SRC, false, plain.x, pd.src_desc()));
        bound.operands.push_back(operand(DNNL_ARG_DIFF_DST, false, plain.y, pd.diff_dst_desc()));
        bound.operands.push_back(
            operand(DNNL_ARG_DIFF_WEIGHTS, true, plain.w, pd.diff_weights_desc()));
        if (key.bias)
            bound.operands.push_back(operand(DNNL_ARG_DIFF_BIAS, true, plain.bias, plain.bias));
        bind<dnnl::convolution_backward_weights>(bound, pd);
    }
    return bound;
}

/// Least recently used goes first.
class Cache {
  public:
    Bound& find(const Key& key) {
        if (const auto found = index_.find(key); found != index_.end()) {
            entries_.splice(entries_.begin(), entries_, found->second);
            return entries_.front().second;
        }
        Bound made;
        try {
            made = make(key);
        } catch (const dnnl::error&) {
            made =
                Bound(); // not implemented for this shape or CPU: the caller's own kernel serves it
        }
        entries_.emplace_front(key, std::move(made));
        index_.emplace(key, entries_.begin());
        if (entries_.size() > kCacheSize) {
            index_.erase(entries_.back().first);
            entries_.pop_back();
        }
        return entries_.front().second;
    }
    std::size_t size() const { return entries_.size(); }

  private:
    std::list<std::pair<Key, Bound>> entries_;
    std::unordered_map<Key, std::list<std::pair<Key, Bound>>::iterator, KeyHash> index_;
};

Cache& cache() {
    thread_local Cache value;
    return value;
}

bool convolve(const ConvGeometry& g, Kind kind, std::initializer_list<const float*> addresses,
              bool bias) {
    size_team();
    Bound& bound = cache().find({g, kind, bias, num_threads()});
    if (!bound.primitive) return false;
    run(bound, addresses);
    return true;
}

} // namespace

bool gemm(const GemmGeometry& g, const float* a, const float* b, float* c) {
    size_team();
    return dnnl_sgemm(g.trans_a ? 'T' : 'N', g.trans_b ? 'T' : 'N', g.m, g.n, g.k, 1.0F, a, g.lda,
                      b, g.ldb, g.accumulate ? 1.0F : 0.0F, c, g.ldc) == dnnl_success;
}

bool conv_forward(const ConvGeometry& g, const float* x, const float* w, const float* bias,
                  float* y) {
    return bias != nullptr ? convolve(g, Kind::Forward, {x, w, y, bias}, true)
                           : convolve(g, Kind::Forward, {x, w, y}, false);
}
bool conv_input_grad(const ConvGeometry& g, const float* gy, const float* w, float* gx) {
    return convolve(g, Kind::InputGrad, {gy, w, gx}, false);
}
bool conv_weight_grad(const ConvGeometry& g, const float* x, const float* gy, float* gw,
                      float* gbias) {
    return gbias != nullptr ? convolve(g, Kind::WeightGrad, {x, gy, gw, gbias}, true)
                            : convolve(g, Kind::WeightGrad, {x, gy, gw}, false);
}

std::string version() {
    const dnnl_version_t* v = dnnl_version();
    return std::to_string(v->major) + '.' + std::to_string(v->minor) + '.' +
           std::to_string(v->patch);
}

std::size_t cached_primitives() {
    return cache().size();
}

} // namespace wiregrad::cpu::onednn
