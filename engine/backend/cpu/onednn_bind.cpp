// Bound oneDNN primitives: convolutions on row-major pictures and channel blocks, products with
// packed weights. The second of the two files that know oneDNN.
#include "engine/backend/cpu/bind.h"

#include <dnnl.hpp>

#include <algorithm>
#include <unordered_map>
#include <vector>

#include <fmt/format.h>

#include "engine/backend/cpu/choice.h"
#include "engine/backend/cpu/layout.h"
#include "engine/backend/cpu/onednn.h"
#include "engine/backend/cpu/team.h"

namespace wiregrad::cpu {

namespace {

using dnnl::memory;
using std::int64_t;
using Desc = memory::desc;
using Tag = memory::format_tag;
constexpr auto kFloat = memory::data_type::f32;

// As in onednn.cpp: never destroyed, since what is bound may outlive static objects.
const dnnl::engine& engine() {
    static const dnnl::engine& value = *new dnnl::engine(dnnl::engine::kind::cpu, 0);
    return value;
}
dnnl::stream& stream() {
    thread_local dnnl::stream value(engine());
    return value;
}

void set_team(int threads) {
    if (omp_get_max_threads() != threads) omp_set_num_threads(threads);
}

/// A piece of the scratch that run() gets.
struct Piece {
    std::size_t offset = 0, bytes = 0;
};

/// A primitive whose operands are pointers of an instruction, with reorders around it where a
/// layout is not the primitive's.
class Primitive final : public Bound {
  public:
    Primitive(std::string name, int threads) : name_(std::move(name)), threads_(threads) {}

    /// `outer` is how the value lies, `inner` how the primitive wants it; `at` numbers the inputs,
    /// or the outputs.
    void operand(int argument, bool output, int at, const Desc& outer, const Desc& inner) {
        Operand made;
        made.output = output;
        made.at = at;
        made.outer = memory(outer, engine(), nullptr);
        if (outer == inner) {
            made.inner = made.outer;
        } else {
            made.inner = memory(inner, engine(), nullptr);
            made.piece = take(inner.get_size());
            made.reorder = output ? dnnl::reorder(made.inner, made.outer)
                                  : dnnl::reorder(made.outer, made.inner);
            name_ += output ? " out-reordered" : " reordered";
        }
        arguments_.emplace(argument, made.inner);
        operands_.push_back(std::move(made));
    }
    void finish(dnnl::primitive primitive, const Desc& scratchpad) {
        primitive_ = std::move(primitive);
        scratchpad_ = memory(scratchpad, engine(), nullptr);
        pad_ = take(scratchpad.get_size());
        arguments_.emplace(DNNL_ARG_SCRATCHPAD, scratchpad_);
    }
    /// An activation over output 0's `count` numbers afterwards. Not as oneDNN's own last step: its
    /// relu makes 0 of what is no number, and a run that diverges would go on in silence.
    void activate_after(const Activation& activation, int64_t count) {
        activation_ = activation;
        count_ = count;
    }

    void run(const void* const* in, void* const* out, void* scratch) override {
        set_team(threads_);
        auto* const base = static_cast<char*>(scratch);
        for (Operand& operand : operands_) {
            void* const data = operand.output ? out[operand.at] : const_cast<void*>(in[operand.at]);
            if (data != operand.last) operand.outer.set_data_handle(operand.last = data);
            if (!operand.reorder) continue;
            if (base != base_) operand.inner.set_data_handle(base + operand.piece.offset);
            if (!operand.output) operand.reorder.execute(stream(), operand.outer, operand.inner);
        }
        if (base != base_ && pad_.bytes > 0) scratchpad_.set_data_handle(base + pad_.offset);
        base_ = base;
        primitive_.execute(stream(), arguments_);
        for (Operand& operand : operands_)
            if (operand.reorder && operand.output)
                operand.reorder.execute(stream(), operand.inner, operand.outer);
        stream().wait();
        if (activation_) activation_.apply(static_cast<float*>(out[0]), count_);
    }
    std::size_t scratch_bytes() const override { return scratch_; }
    std::string name() const override { return name_; }

  private:
    struct Operand {
        bool output = false;
        int at = 0;
        memory outer, inner;
        dnnl::reorder reorder; ///< empty when the two are the same
        Piece piece;
        void* last = nullptr;
    };

    Piece take(std::size_t bytes) {
        const Piece piece{scratch_, bytes};
        scratch_ += (bytes + 63) / 64 * 64;
        return piece;
    }

    std::string name_;
    int threads_;
    std::vector<Operand> operands_;
    std::unordered_map<int, memory> arguments_;
    dnnl::primitive primitive_;
    memory scratchpad_;
    Piece pad_;
    std::size_t scratch_ = 0;
    const char* base_ = nullptr;
    Activation activation_;
    int64_t count_ = 0;
};

template <class PrimitiveDesc> bool is_reference(const PrimitiveDesc& pd) {
    return std::string(pd.impl_info_str()).find("ref") != std::string::npos;
}

/// The description of a picture in channel blocks or row by row.
Desc picture(const TensorMeta& meta, bool blocks) {
    const Shape& s = meta.shape;
    return Desc({s[0], s[1], s[2], s[3]}, kFloat, blocks ? Tag::nChw16c : Tag::nchw);
}
/// The same of a value as it comes, which may be a view.
Desc picture(const BindValue& value) {
    if (!value.layout.plain() || value.contiguous())
        return picture(value.meta, !value.layout.plain());
    const Shape& s = value.meta.shape;
    const Strides& strides = value.strides;
    return Desc({s[0], s[1], s[2], s[3]}, kFloat, {strides[0], strides[1], strides[2], strides[3]});
}
/// Whether oneDNN can take it as it comes: each element in a place of its own.
bool takes(const BindValue& value) {
    if (!value.layout.plain()) return is_blocked(value.layout);
    for (int d = 0; d < value.meta.shape.size(); ++d)
        if (value.meta.shape[d] > 1 && value.strides[d] <= 0) return false;
    return true;
}

std::size_t bytes_of(const BindValue& value) {
    return static_cast<std::size_t>(numel(value.meta.shape)) * size_of(value.meta.dtype);
}

Candidates operand_sizes(const BindCall& call) {
    Candidates c;
    for (std::size_t i = 0; i < call.inputs.size(); ++i)
        c.in_bytes.push_back(call.has(static_cast<int>(i)) ? bytes_of(call.inputs[i]) : 0);
    for (const BindValue& value : call.outputs)
        c.out_bytes.push_back(bytes_of(value));
    return c;
}

/// One implementation of a convolution from and to channel blocks, `stem`: from a plain picture.
std::unique_ptr<Bound> convolution(const ConvGeometry& g, ConvPass pass, dnnl::algorithm algorithm,
                                   const Activation& activation, bool stem, const BindCall& call) {
    const bool forward_pass = pass == ConvPass::Forward, weight_pass = pass == ConvPass::WeightGrad;
    const bool winograd = algorithm == dnnl::algorithm::convolution_winograd;
    const bool bias = forward_pass ? call.has(2) : weight_pass && call.outputs.size() > 1;
    if (winograd && stem) return nullptr;
    const BindValue &in = pass == ConvPass::InputGrad ? call.outputs[0] : call.inputs[0],
                    &out = forward_pass  ? call.outputs[0]
                           : weight_pass ? call.inputs[1]
                                         : call.inputs[0];
    const Desc x_outer = picture(in), y_outer = picture(out), x = picture(in.meta, !stem),
               y = picture(out.meta, true);
    const memory::dims sizes =
        g.groups == 1 ? memory::dims{g.out_channels, g.in_channels, g.kernel_h, g.kernel_w}
                      : memory::dims{g.groups, g.group_out(), g.group_in(), g.kernel_h, g.kernel_w};
    const Desc w(sizes, kFloat, g.groups == 1 ? Tag::oihw : Tag::goihw),
        w_any(sizes, kFloat, Tag::any), b({g.out_channels}, kFloat, Tag::x), none;
    const memory::dims stride{g.stride_h, g.stride_w}, dilation{g.dilation_h - 1, g.dilation_w - 1},
        before{g.pad_h, g.pad_w};
    const memory::dims after{
        (g.out_h - 1) * g.stride_h + g.dilation_h * (g.kernel_h - 1) + 1 - g.in_h - g.pad_h,
        (g.out_w - 1) * g.stride_w + g.dilation_w * (g.kernel_w - 1) + 1 - g.in_w - g.pad_w};
    dnnl::primitive_attr attr;
    attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    set_team(call.threads);
    try {
        using Forward = dnnl::convolution_forward;
        const auto kind = dnnl::prop_kind::forward_training;
        const Forward::primitive_desc fpd(
            bias && forward_pass
                ? Forward::desc(kind, algorithm, x, w_any, b, y, stride, dilation, before, after)
                : Forward::desc(kind, algorithm, x, w_any, y, stride, dilation, before, after),
            attr, engine());
        const auto made = [&](const auto& pd) {
            return std::make_unique<Primitive>(std::string("onednn ") + pd.impl_info_str(),
                                               call.threads);
        };
        if (forward_pass) {
            if (is_reference(fpd)) return nullptr;
            auto bound = made(fpd);
            bound->operand(DNNL_ARG_SRC, false, 0, x_outer, fpd.src_desc());
            bound->operand(DNNL_ARG_WEIGHTS, false, 1, w, fpd.weights_desc());
            if (bias) bound->operand(DNNL_ARG_BIAS, false, 2, b, b);
            bound->operand(DNNL_ARG_DST, true, 0, y_outer, fpd.dst_desc());
            bound->finish(Forward(fpd), fpd.scratchpad_desc());
            if (activation) bound->activate_after(activation, numel(out.meta.shape));
            return bound;
        }
        if (pass == ConvPass::InputGrad) {
            using Backward = dnnl::convolution_backward_data;
            const Backward::primitive_desc pd(
                Backward::desc(algorithm, x, w_any, y, stride, dilation, before, after), attr,
                engine(), fpd);
            if (is_reference(pd)) return nullptr;
            auto bound = made(pd);
            bound->operand(DNNL_ARG_DIFF_DST, false, 0, y_outer, pd.diff_dst_desc());
            bound->operand(DNNL_ARG_WEIGHTS, false, 1, w, pd.weights_desc());
            bound->operand(DNNL_ARG_DIFF_SRC, true, 0, x_outer, pd.diff_src_desc());
            bound->finish(Backward(pd), pd.scratchpad_desc());
            return bound;
        }
        using Backward = dnnl::convolution_backward_weights;
        const Backward::primitive_desc pd(
            bias ? Backward::desc(algorithm, x, w_any, b, y, stride, dilation, before, after)
                 : Backward::desc(algorithm, x, w_any, y, stride, dilation, before, after),
            attr, engine(), fpd);
        if (is_reference(pd)) return nullptr;
        auto bound = made(pd);
        bound->operand(DNNL_ARG_SRC, false, 0, x_outer, pd.src_desc());
        bound->operand(DNNL_ARG_DIFF_DST, false, 1, y_outer, pd.diff_dst_desc());
        bound->operand(DNNL_ARG_DIFF_WEIGHTS, true, 0, w, pd.diff_weights_desc());
        if (bias) bound->operand(DNNL_ARG_DIFF_BIAS, true, 1, b, b);
        bound->finish(Backward(pd), pd.scratchpad_desc());
        return bound;
    } catch (const dnnl::error&) {
        return nullptr; // not implemented for this shape, layout or CPU
    }
}

/// A matrix [rows, columns] of a product, transposed where it lies so.
Desc matrix(int64_t rows, int64_t columns, bool transposed, int64_t leading) {
    return Desc({rows, columns}, kFloat,
                transposed ? memory::dims{1, leading} : memory::dims{leading, 1});
}

/// `pack`: 0 takes both operands as they lie, 1 lets oneDNN arrange B, 2 both.
std::unique_ptr<Bound> product(const GemmGeometry& g, const Activation& activation,
                               const BindCall& call, int a, int b, int pack) {
    const Desc am = matrix(g.m, g.k, g.trans_a, g.lda), bm = matrix(g.k, g.n, g.trans_b, g.ldb),
               cm = matrix(g.m, g.n, false, g.ldc), any_a({g.m, g.k}, kFloat, Tag::any),
               any_b({g.k, g.n}, kFloat, Tag::any), bias({1, g.n}, kFloat, Tag::ab);
    dnnl::primitive_attr attr;
    attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    set_team(call.threads);
    try {
        const Desc &left = pack == 2 ? any_a : am, &right = pack > 0 ? any_b : bm;
        const dnnl::matmul::primitive_desc pd(call.has(2)
                                                  ? dnnl::matmul::desc(left, right, bias, cm)
                                                  : dnnl::matmul::desc(left, right, cm),
                                              attr, engine());
        if (is_reference(pd)) return nullptr;
        const bool moves_a = pd.src_desc() != am, moves_b = pd.weights_desc() != bm;
        if ((pack == 1 && !moves_b) || (pack == 2 && !moves_a)) return nullptr; // as the one before
        auto bound =
            std::make_unique<Primitive>(std::string("onednn ") + pd.impl_info_str(), call.threads);
        bound->operand(DNNL_ARG_SRC, false, a, am, pd.src_desc());
        bound->operand(DNNL_ARG_WEIGHTS, false, b, bm, pd.weights_desc());
        if (call.has(2)) bound->operand(DNNL_ARG_BIAS, false, 2, bias, bias);
        bound->operand(DNNL_ARG_DST, true, 0, cm, cm);
        bound->finish(dnnl::matmul(pd), pd.scratchpad_desc());
        if (activation) bound->activate_after(activation, g.m * g.n);
        return bound;
    } catch (const dnnl::error&) {
        return nullptr;
    }
}

} // namespace

std::unique_ptr<Bound> bind_conv(const ConvGeometry& g, ConvPass pass, const Activation& activation,
                                 BindCall& call) {
    const bool weight_pass = pass == ConvPass::WeightGrad;
    BindValue &first = call.inputs[0], &second = weight_pass ? call.inputs[1] : call.outputs[0],
              &weight = weight_pass ? call.outputs[0] : call.inputs[1];
    if (first.meta.dtype != DType::Float32 || g.batch == 0 ||
        (!weight_pass && !row_major(call, {2})))
        return nullptr;
    prefer(weight, false);
    const bool input_pass = pass == ConvPass::InputGrad;
    // Channel blocks on both sides; the picture that a net begins with may stay as it is.
    const bool out_blocks = g.group_out() % kChannelBlock == 0,
               in_blocks = g.group_in() % kChannelBlock == 0,
               stem = !in_blocks && g.groups == 1 && g.in_channels <= 4,
               served = out_blocks && (in_blocks || (stem && !input_pass));
    prefer(first, served && (input_pass || !stem));
    prefer(second, served && (!input_pass || !stem));
    if (!weight.layout.plain() || !weight.contiguous() || !takes(first) || !takes(second))
        return nullptr;
    const bool rows =
        first.layout.plain() && first.contiguous() && second.layout.plain() && second.contiguous();
    if (!served) {
        return rows ? bind_plain_conv(g, pass, activation, call) : nullptr;
    }
    Candidates candidates = operand_sizes(call);
    const auto add = [&](dnnl::algorithm algorithm) {
        candidates.kernels.push_back(convolution(g, pass, algorithm, activation, stem, call));
    };
    // Without trials the shape decides: where it was faster in both ways on the machines measured.
    constexpr int64_t kFewChannels = 32, kSmallPlane = 16;
    const bool possible = winograd() && g.kernel_h == 3 && g.kernel_w == 3 && g.stride_h == 1 &&
                          g.stride_w == 1 && g.dilation_h == 1 && g.dilation_w == 1 &&
                          g.groups == 1,
               likely = std::min(g.in_channels, g.out_channels) >= kFewChannels &&
                        g.out_plane() >= kSmallPlane;
    if (possible && likely) add(dnnl::algorithm::convolution_winograd);
    add(dnnl::algorithm::convolution_direct);
    if (possible && !likely && call.trial) add(dnnl::algorithm::convolution_winograd);
    const std::string key = fmt::format(
        "{} {} {}x{}x{}x{} {}x{}x{} stride {}x{} pad {}x{} dilation {}x{} groups {} {} {}",
        call.op.name, activation.name, g.batch, g.in_channels, g.in_h, g.in_w, g.out_channels,
        g.kernel_h, g.kernel_w, g.stride_h, g.stride_w, g.pad_h, g.pad_w, g.dilation_h,
        g.dilation_w, g.groups, first.layout.name(), second.layout.name());
    if (auto bound = choose(key, std::move(candidates), call.threads, call.trial)) return bound;
    prefer(first, false);
    prefer(second, false);
    if (!first.layout.plain() || !first.contiguous() || !second.layout.plain() ||
        !second.contiguous())
        return nullptr;
    return bind_plain_conv(g, pass, activation, call);
}

std::unique_ptr<Bound> bind_gemm(const GemmGeometry& g, const Activation& activation,
                                 BindCall& call, int a, int b) {
    if (g.m == 0 || g.n == 0 || g.k == 0 || !row_major(call, {2})) return nullptr;
    constexpr double kSmall = 32.0 * 32.0 * 32.0;
    const double size =
        static_cast<double>(g.m) * static_cast<double>(g.n) * static_cast<double>(g.k);
    if (size <= kSmall) return bind_small_gemm(g, activation, call, a, b);
    Candidates candidates = operand_sizes(call);
    // Packing pays when many rows share it; without trials the number of rows decides.
    constexpr int64_t kManyRows = 192;
    const int first = g.m >= kManyRows ? 1 : 0;
    candidates.kernels.push_back(product(g, activation, call, a, b, first));
    candidates.kernels.push_back(product(g, activation, call, a, b, 1 - first));
    if (call.trial) {
        candidates.kernels.push_back(product(g, activation, call, a, b, 2));
        candidates.kernels.push_back(bind_small_gemm(g, activation, call, a, b));
    }
    const std::string key =
        fmt::format("{}{}{} {}x{}x{} {}{}", call.op.name, call.has(2) ? " bias" : "",
                    activation.name, g.m, g.n, g.k, g.trans_a ? 'T' : 'N', g.trans_b ? 'T' : 'N');
    return choose(key, std::move(candidates), call.threads, call.trial);
}

} // namespace wiregrad::cpu
