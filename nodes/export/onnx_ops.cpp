#include "nodes/export/onnx_ops.h"

#include <fmt/core.h>

#include <cmath>
#include <limits>

#include "engine/core/error.h"
#include "engine/op/ops.h"

namespace wiregrad::graph {

namespace {

using Attributes = OnnxBuilder::Attributes;
using Ints = std::vector<std::int64_t>;

Ints fixed(const Sizes& sizes, const TracedOp& op) {
    Ints result;
    for (const Size& size : sizes) {
        if (!size.fixed())
            throw ValueError(fmt::format("{} depends on the batch's size", op.op->name), op.node);
        result.push_back(size.constant);
    }
    return result;
}
Ints ints(const TracedOp& op, const char* name) {
    return fixed(op.dims.at(name), op);
}
std::int64_t axis(const TracedOp& op, const char* name = "dim") {
    return op.attrs.integer(name);
}
std::string in(OnnxBuilder& b, const TracedOp& op, std::size_t i) {
    return i < op.inputs.size() ? b.weight(op.inputs[i]) : std::string();
}
bool has(const TracedOp& op, std::size_t i) {
    return i < op.inputs.size() && op.inputs[i] >= 0;
}
std::string like(OnnxBuilder& b, const TracedOp& op, double value) {
    return b.number(value, b.dtype(op.inputs[0]));
}
std::int64_t rank(OnnxBuilder& b, int value) {
    return static_cast<std::int64_t>(b.shape(value).size());
}

/// One operator of another name with the same inputs.
template <const char* kName> void renamed(OnnxBuilder& b, const TracedOp& op) {
    std::vector<std::string> inputs;
    for (std::size_t i = 0; i < op.inputs.size(); ++i)
        inputs.push_back(in(b, op, i));
    b.result(op.outputs[0], kName, inputs);
}
#define WG_NAME(text) static constexpr char k##text[] = #text
WG_NAME(Max);
WG_NAME(Min);
WG_NAME(Identity);
WG_NAME(Sign);
WG_NAME(Pow);

template <const char* kName> void with_scalar(OnnxBuilder& b, const TracedOp& op) {
    const double other = op.attrs.has("other") ? op.attrs.real("other") : op.attrs.real("exponent");
    b.result(op.outputs[0], kName, {in(b, op, 0), like(b, op, other)});
}
WG_NAME(Add);
WG_NAME(Mul);
WG_NAME(Div);
WG_NAME(Greater);
WG_NAME(GreaterOrEqual);
WG_NAME(Less);
WG_NAME(LessOrEqual);

void rsub(OnnxBuilder& b, const TracedOp& op) {
    b.result(op.outputs[0], "Sub", {like(b, op, op.attrs.real("other")), in(b, op, 0)});
}
void square(OnnxBuilder& b, const TracedOp& op) {
    b.result(op.outputs[0], "Mul", {in(b, op, 0), in(b, op, 0)});
}
void rsqrt(OnnxBuilder& b, const TracedOp& op) {
    b.result(op.outputs[0], "Reciprocal", {b.node("Sqrt", {in(b, op, 0)})});
}
void log1p(OnnxBuilder& b, const TracedOp& op) {
    b.result(op.outputs[0], "Log", {b.node("Add", {in(b, op, 0), like(b, op, 1)})});
}
void expm1(OnnxBuilder& b, const TracedOp& op) {
    b.result(op.outputs[0], "Sub", {b.node("Exp", {in(b, op, 0)}), like(b, op, 1)});
}
void ne(OnnxBuilder& b, const TracedOp& op) {
    b.result(op.outputs[0], "Not", {b.node("Equal", {in(b, op, 0), in(b, op, 1)})});
}
void isfinite(OnnxBuilder& b, const TracedOp& op) {
    const std::string x = in(b, op, 0);
    b.result(op.outputs[0], "Not", {b.node("Or", {b.node("IsNaN", {x}), b.node("IsInf", {x})})});
}
void logical_not(OnnxBuilder& b, const TracedOp& op) {
    if (b.dtype(op.inputs[0]) == DType::Bool)
        b.result(op.outputs[0], "Not", {in(b, op, 0)});
    else
        b.result(op.outputs[0], "Equal", {in(b, op, 0), like(b, op, 0)});
}
void clip(OnnxBuilder& b, const TracedOp& op) {
    b.result(op.outputs[0], "Clip",
             {in(b, op, 0), like(b, op, op.attrs.real("min")), like(b, op, op.attrs.real("max"))});
}
void leaky_relu(OnnxBuilder& b, const TracedOp& op) {
    b.result(op.outputs[0], "LeakyRelu", {in(b, op, 0)},
             {{"alpha", op.attrs.real("negative_slope")}});
}
void elu(OnnxBuilder& b, const TracedOp& op) {
    const double alpha = op.attrs.real("alpha"), scale = op.attrs.real("scale");
    if (scale == 1)
        b.result(op.outputs[0], "Elu", {in(b, op, 0)}, {{"alpha", alpha}});
    else
        b.result(op.outputs[0], "Selu", {in(b, op, 0)}, {{"alpha", alpha}, {"gamma", scale}});
}
void gelu(OnnxBuilder& b, const TracedOp& op) {
    const std::string x = in(b, op, 0);
    const std::string erf = b.node("Erf", {b.node("Mul", {x, like(b, op, std::sqrt(0.5))})});
    b.result(op.outputs[0], "Mul",
             {b.node("Mul", {x, like(b, op, 0.5)}), b.node("Add", {erf, like(b, op, 1)})});
}
void gelu_tanh(OnnxBuilder& b, const TracedOp& op) {
    const std::string x = in(b, op, 0);
    const std::string cube = b.node("Mul", {b.node("Mul", {x, x}), x});
    const std::string inner =
        b.node("Mul", {b.node("Add", {x, b.node("Mul", {cube, like(b, op, 0.044715)})}),
                       like(b, op, std::sqrt(2 / M_PI))});
    b.result(op.outputs[0], "Mul",
             {b.node("Mul", {x, like(b, op, 0.5)}),
              b.node("Add", {b.node("Tanh", {inner}), like(b, op, 1)})});
}
void silu(OnnxBuilder& b, const TracedOp& op) {
    b.result(op.outputs[0], "Mul", {in(b, op, 0), b.node("Sigmoid", {in(b, op, 0)})});
}
void mish(OnnxBuilder& b, const TracedOp& op) {
    b.result(op.outputs[0], "Mul",
             {in(b, op, 0), b.node("Tanh", {b.node("Softplus", {in(b, op, 0)})})});
}
void softplus(OnnxBuilder& b, const TracedOp& op) {
    const double beta = op.attrs.real("beta"), threshold = op.attrs.real("threshold");
    const std::string x = in(b, op, 0);
    const std::string scaled = beta == 1 ? x : b.node("Mul", {x, like(b, op, beta)});
    // Past a threshold of 15 both branches are the same float32.
    if (beta == 1 && threshold >= 15) return b.result(op.outputs[0], "Softplus", {x});
    const std::string smooth = b.node("Softplus", {scaled});
    const std::string back = beta == 1 ? smooth : b.node("Div", {smooth, like(b, op, beta)});
    if (threshold >= 15) return b.result(op.outputs[0], "Identity", {back});
    b.result(op.outputs[0], "Where",
             {b.node("Greater", {scaled, like(b, op, threshold)}), x, back});
}
void hardsigmoid(OnnxBuilder& b, const TracedOp& op) {
    b.result(op.outputs[0], "HardSigmoid", {in(b, op, 0)}, {{"alpha", 1.0 / 6}, {"beta", 0.5}});
}
void logsigmoid(OnnxBuilder& b, const TracedOp& op) {
    b.result(op.outputs[0], "Neg", {b.node("Softplus", {b.node("Neg", {in(b, op, 0)})})});
}
void masked_fill(OnnxBuilder& b, const TracedOp& op) {
    b.result(op.outputs[0], "Where",
             {in(b, op, 1), like(b, op, op.attrs.real("value")), in(b, op, 0)});
}
std::int64_t onnx_type(DType dtype) {
    switch (dtype) {
    case DType::Float32:
        return 1;
    case DType::UInt8:
        return 2;
    case DType::Int32:
        return 6;
    case DType::Int64:
        return 7;
    case DType::Bool:
        return 9;
    case DType::Float16:
        return 10;
    case DType::Float64:
        return 11;
    case DType::BFloat16:
        return 16;
    }
    return 0;
}
void cast(OnnxBuilder& b, const TracedOp& op) {
    b.result(op.outputs[0], "Cast", {in(b, op, 0)}, {{"to", onnx_type(b.dtype(op.outputs[0]))}});
}

// --- shapes

void reshape(OnnxBuilder& b, const TracedOp& op) {
    // The batch in front is copied, one other size that depends on it is worked out.
    const Sizes& target = b.shape(op.outputs[0]);
    const Sizes& from = b.shape(op.inputs[0]);
    Ints shape;
    int open = 0;
    for (std::size_t i = 0; i < target.size(); ++i) {
        if (target[i].fixed())
            shape.push_back(target[i].constant);
        else if (i < from.size() && from[i] == target[i])
            shape.push_back(0);
        else {
            shape.push_back(-1);
            ++open;
        }
    }
    bool zero = false; // a real size of 0 would be read as "copy"
    for (const Size& size : target)
        zero = zero || (size.fixed() && size.constant == 0);
    b.result(op.outputs[0], "Reshape",
             {in(b, op, 0), open <= 1 && !zero ? b.integers(shape) : b.sizes(target)});
}
void permute(OnnxBuilder& b, const TracedOp& op) {
    b.result(op.outputs[0], "Transpose", {in(b, op, 0)}, {{"perm", ints(op, "dims")}});
}
void expand(OnnxBuilder& b, const TracedOp& op) {
    b.result(op.outputs[0], "Expand", {in(b, op, 0), b.sizes(b.shape(op.outputs[0]))});
}
void slice(OnnxBuilder& b, const TracedOp& op) {
    const std::size_t dim = static_cast<std::size_t>(axis(op));
    const Size end = op.integers.at("end"), whole = b.shape(op.inputs[0])[dim];
    if (!op.integers.at("start").fixed() || (!end.fixed() && !(end == whole)))
        throw ValueError("a slice depends on the batch's size", op.node);
    b.result(op.outputs[0], "Slice",
             {in(b, op, 0), b.integers({op.attrs.integer("start")}),
              b.integers({end == whole ? std::numeric_limits<std::int64_t>::max() : end.constant}),
              b.integers({axis(op)}), b.integers({op.attrs.integer("step")})});
}
void select(OnnxBuilder& b, const TracedOp& op) {
    b.result(op.outputs[0], "Gather",
             {in(b, op, 0), b.number(double(op.attrs.integer("index")), DType::Int64)},
             {{"axis", axis(op)}});
}
void cat(OnnxBuilder& b, const TracedOp& op) {
    std::vector<std::string> inputs;
    for (std::size_t i = 0; i < op.inputs.size(); ++i)
        inputs.push_back(in(b, op, i));
    b.result(op.outputs[0], "Concat", inputs, {{"axis", axis(op)}});
}
void pad(OnnxBuilder& b, const TracedOp& op) {
    const Ints pairs = ints(op, "pads"); // last dimension first
    const std::size_t count = static_cast<std::size_t>(rank(b, op.inputs[0]));
    Ints pads(2 * count, 0);
    for (std::size_t i = 0; i + 1 < pairs.size(); i += 2) {
        pads[count - 1 - i / 2] = pairs[i];
        pads[2 * count - 1 - i / 2] = pairs[i + 1];
    }
    b.result(op.outputs[0], "Pad",
             {in(b, op, 0), b.integers(pads), like(b, op, op.attrs.real("value"))});
}
void flip(OnnxBuilder& b, const TracedOp& op) {
    const Ints dims = ints(op, "dims");
    b.result(op.outputs[0], "Slice",
             {in(b, op, 0), b.integers(Ints(dims.size(), -1)),
              b.integers(Ints(dims.size(), std::numeric_limits<std::int64_t>::min())),
              b.integers(dims), b.integers(Ints(dims.size(), -1))});
}
void gather(OnnxBuilder& b, const TracedOp& op) {
    b.result(op.outputs[0], "GatherElements", {in(b, op, 0), in(b, op, 1)}, {{"axis", axis(op)}});
}
void index_select(OnnxBuilder& b, const TracedOp& op) {
    b.result(op.outputs[0], "Gather", {in(b, op, 0), in(b, op, 1)}, {{"axis", axis(op)}});
}
void one_hot(OnnxBuilder& b, const TracedOp& op) {
    const DType dtype = b.dtype(op.outputs[0]);
    const std::string values =
        b.constant(to(Tensor::from(std::vector<std::int64_t>{0, 1}, {2}), dtype));
    b.result(op.outputs[0], "OneHot",
             {in(b, op, 0), b.number(double(op.attrs.integer("classes")), DType::Int64), values});
}

// --- reductions

void reduce_sum(OnnxBuilder& b, const TracedOp& op) {
    b.result(op.outputs[0], "ReduceSum", {in(b, op, 0), b.integers(ints(op, "dims"))},
             {{"keepdims", std::int64_t{op.attrs.flag("keepdim")}}});
}
template <const char* kName> void reduce(OnnxBuilder& b, const TracedOp& op) {
    b.result(op.outputs[0], kName, {in(b, op, 0)},
             {{"axes", ints(op, "dims")}, {"keepdims", std::int64_t{op.attrs.flag("keepdim")}}});
}
WG_NAME(ReduceMean);
WG_NAME(ReduceMax);
WG_NAME(ReduceMin);
WG_NAME(ArgMax);
WG_NAME(ArgMin);
template <const char* kName> void arg(OnnxBuilder& b, const TracedOp& op) {
    b.result(op.outputs[0], kName, {in(b, op, 0)},
             {{"axis", axis(op)}, {"keepdims", std::int64_t{op.attrs.flag("keepdim")}}});
}

// --- layers

void linear(OnnxBuilder& b, const TracedOp& op) {
    if (rank(b, op.inputs[0]) == 2) {
        std::vector<std::string> inputs{in(b, op, 0), in(b, op, 1)};
        if (has(op, 2)) inputs.push_back(in(b, op, 2));
        return b.result(op.outputs[0], "Gemm", inputs, {{"transB", std::int64_t{1}}});
    }
    const std::string turned = b.node("Transpose", {in(b, op, 1)}, {{"perm", Ints{1, 0}}});
    if (!has(op, 2)) return b.result(op.outputs[0], "MatMul", {in(b, op, 0), turned});
    b.result(op.outputs[0], "Add", {b.node("MatMul", {in(b, op, 0), turned}), in(b, op, 2)});
}
Ints both_sides(const Ints& padding) {
    Ints pads = padding;
    pads.insert(pads.end(), padding.begin(), padding.end());
    return pads;
}
Attributes conv_attributes(const TracedOp& op) {
    return {{"strides", ints(op, "stride")},
            {"pads", both_sides(ints(op, "padding"))},
            {"dilations", ints(op, "dilation")},
            {"group", op.attrs.integer("groups")}};
}
std::vector<std::string> conv_inputs(OnnxBuilder& b, const TracedOp& op) {
    std::vector<std::string> inputs{in(b, op, 0), in(b, op, 1)};
    if (has(op, 2)) inputs.push_back(in(b, op, 2));
    return inputs;
}
void conv(OnnxBuilder& b, const TracedOp& op) {
    b.result(op.outputs[0], "Conv", conv_inputs(b, op), conv_attributes(op));
}
void conv_transpose(OnnxBuilder& b, const TracedOp& op) {
    Attributes attributes = conv_attributes(op);
    attributes.emplace_back("output_padding", ints(op, "output_padding"));
    b.result(op.outputs[0], "ConvTranspose", conv_inputs(b, op), attributes);
}
void max_pool(OnnxBuilder& b, const TracedOp& op) {
    b.result(op.outputs[0], "MaxPool", {in(b, op, 0)},
             {{"kernel_shape", ints(op, "kernel_size")},
              {"strides", ints(op, "stride")},
              {"pads", both_sides(ints(op, "padding"))},
              {"dilations", ints(op, "dilation")},
              {"ceil_mode", std::int64_t{op.attrs.flag("ceil_mode")}}});
}

/// The matrix that averages `in` places down to `out`, window by window; row i has weights of
/// output i.
Tensor averaging(std::int64_t in, std::int64_t out,
                 const std::function<std::pair<std::int64_t, std::int64_t>(std::int64_t)>& window,
                 const std::function<double(std::int64_t)>& divisor) {
    std::vector<float> values(static_cast<std::size_t>(in * out), 0.0F);
    for (std::int64_t i = 0; i < out; ++i) {
        const auto [first, last] = window(i);
        for (std::int64_t k = std::max<std::int64_t>(first, 0); k < std::min(last, in); ++k)
            values[static_cast<std::size_t>(i * in + k)] = static_cast<float>(1 / divisor(i));
    }
    return Tensor::from(values, {out, in});
}
/// Averages along height and width with two matrices: A x B^T.
void average_by_matrices(OnnxBuilder& b, const TracedOp& op, const Tensor& rows,
                         const Tensor& columns) {
    const std::string turned = b.constant(transpose(columns, 0, 1).clone());
    b.result(op.outputs[0], "MatMul", {b.node("MatMul", {b.constant(rows), in(b, op, 0)}), turned});
}

void avg_pool(OnnxBuilder& b, const TracedOp& op) {
    const Ints kernel = ints(op, "kernel_size"), stride = ints(op, "stride"),
               padding = ints(op, "padding");
    const bool ceil = op.attrs.flag("ceil_mode"), count = op.attrs.flag("count_include_pad");
    const Sizes &from = b.shape(op.inputs[0]), &to_shape = b.shape(op.outputs[0]);
    // Runtimes disagree about what a window past the border divides by: then written out.
    bool past = false;
    if (ceil && kernel.size() == 2)
        for (std::size_t d = 0; d < 2; ++d)
            past = past || (to_shape[d + 2].constant - 1) * stride[d] + kernel[d] >
                               from[d + 2].constant + 2 * padding[d];
    if (!past)
        return b.result(op.outputs[0], "AveragePool", {in(b, op, 0)},
                        {{"kernel_shape", kernel},
                         {"strides", stride},
                         {"pads", both_sides(padding)},
                         {"count_include_pad", std::int64_t{count}}});
    const auto matrix = [&](std::size_t d) {
        const std::int64_t size = from[d + 2].constant, out = to_shape[d + 2].constant;
        const auto window = [&, d, size](std::int64_t i) {
            const std::int64_t first = i * stride[d] - padding[d];
            return std::pair(first, std::min(first + kernel[d], size + padding[d]));
        };
        return averaging(size, out, window, [&, size](std::int64_t i) {
            const auto [first, last] = window(i);
            return static_cast<double>(
                count ? last - first : std::min(last, size) - std::max<std::int64_t>(first, 0));
        });
    };
    average_by_matrices(b, op, matrix(0), matrix(1));
}
void adaptive_avg_pool(OnnxBuilder& b, const TracedOp& op) {
    const Sizes &from = b.shape(op.inputs[0]), &to_shape = b.shape(op.outputs[0]);
    Ints kernel;
    bool single = true, even = true;
    for (std::size_t d = 2; d < from.size(); ++d) {
        single = single && to_shape[d].constant == 1;
        even = even && from[d].constant % to_shape[d].constant == 0;
        kernel.push_back(from[d].constant / to_shape[d].constant);
    }
    if (single) return b.result(op.outputs[0], "GlobalAveragePool", {in(b, op, 0)});
    if (even)
        return b.result(op.outputs[0], "AveragePool", {in(b, op, 0)},
                        {{"kernel_shape", kernel}, {"strides", kernel}});
    if (kernel.size() != 2)
        throw ValueError("uneven adaptive averages are exported for pictures only", op.node);
    const auto matrix = [&](std::size_t d) {
        const std::int64_t size = from[d].constant, out = to_shape[d].constant;
        const auto window = [size, out](std::int64_t i) {
            return std::pair(i * size / out, ((i + 1) * size + out - 1) / out);
        };
        return averaging(size, out, window, [window](std::int64_t i) {
            const auto [first, last] = window(i);
            return static_cast<double>(last - first);
        });
    };
    average_by_matrices(b, op, matrix(2), matrix(3));
}

std::string or_filled(OnnxBuilder& b, const TracedOp& op, std::size_t i, std::int64_t count,
                      double value) {
    return has(op, i) ? in(b, op, i) : b.constant(Tensor::full({count}, value));
}
void batch_norm(OnnxBuilder& b, const TracedOp& op) {
    const std::int64_t channels = b.shape(op.inputs[0])[1].constant;
    const double eps = op.attrs.real("eps");
    if (!op.attrs.flag("training") && has(op, 3))
        return b.result(op.outputs[0], "BatchNormalization",
                        {in(b, op, 0), or_filled(b, op, 1, channels, 1),
                         or_filled(b, op, 2, channels, 0), in(b, op, 3), in(b, op, 4)},
                        {{"epsilon", eps}});
    // Without running statistics: the batch's own.
    Ints axes{0}, shape{1, channels};
    for (std::int64_t d = 2; d < rank(b, op.inputs[0]); ++d) {
        axes.push_back(d);
        shape.push_back(1);
    }
    const std::string x = in(b, op, 0);
    const std::string centred = b.node("Sub", {x, b.node("ReduceMean", {x}, {{"axes", axes}})});
    const std::string variance =
        b.node("ReduceMean", {b.node("Mul", {centred, centred})}, {{"axes", axes}});
    std::string y =
        b.node("Div", {centred, b.node("Sqrt", {b.node("Add", {variance, like(b, op, eps)})})});
    const auto shaped = [&](std::size_t i) {
        return b.node("Reshape", {in(b, op, i), b.integers(shape)});
    };
    if (has(op, 1)) y = b.node("Mul", {y, shaped(1)});
    if (has(op, 2)) y = b.node("Add", {y, shaped(2)});
    b.result(op.outputs[0], "Identity", {y});
}
void layer_norm(OnnxBuilder& b, const TracedOp& op) {
    const Ints shape = ints(op, "normalized_shape");
    std::vector<std::string> inputs{
        in(b, op, 0), has(op, 1) ? in(b, op, 1) : b.constant(Tensor::full(Shape(shape), 1))};
    if (has(op, 2)) inputs.push_back(in(b, op, 2));
    b.result(
        op.outputs[0], "LayerNormalization", inputs,
        {{"axis", -static_cast<std::int64_t>(shape.size())}, {"epsilon", op.attrs.real("eps")}});
}
void embedding(OnnxBuilder& b, const TracedOp& op) {
    if (op.attrs.flag("blank_padding"))
        throw ValueError("an embedding with a blank entry has no ONNX form", op.node);
    b.result(op.outputs[0], "Gather", {in(b, op, 1), in(b, op, 0)}, {{"axis", std::int64_t{0}}});
}
template <const char* kName> void along(OnnxBuilder& b, const TracedOp& op) {
    b.result(op.outputs[0], kName, {in(b, op, 0)}, {{"axis", axis(op)}});
}
WG_NAME(Softmax);
WG_NAME(LogSoftmax);

struct Row {
    std::string_view op;
    OnnxRule rule;
};
constexpr Row kRows[] = {
    {"maximum", renamed<kMax>},
    {"minimum", renamed<kMin>},
    {"pow", renamed<kPow>},
    {"sign", renamed<kSign>},
    {"contiguous", renamed<kIdentity>},
    {"to_device", renamed<kIdentity>},
    {"add_scalar", with_scalar<kAdd>},
    {"mul_scalar", with_scalar<kMul>},
    {"div_scalar", with_scalar<kDiv>},
    {"pow_scalar", with_scalar<kPow>},
    {"gt_scalar", with_scalar<kGreater>},
    {"ge_scalar", with_scalar<kGreaterOrEqual>},
    {"lt_scalar", with_scalar<kLess>},
    {"le_scalar", with_scalar<kLessOrEqual>},
    {"rsub_scalar", rsub},
    {"square", square},
    {"rsqrt", rsqrt},
    {"log1p", log1p},
    {"expm1", expm1},
    {"ne", ne},
    {"isfinite", isfinite},
    {"logical_not", logical_not},
    {"clamp", clip},
    {"hardtanh", clip},
    {"leaky_relu", leaky_relu},
    {"elu", elu},
    {"gelu", gelu},
    {"gelu_tanh", gelu_tanh},
    {"silu", silu},
    {"mish", mish},
    {"softplus", softplus},
    {"hardsigmoid", hardsigmoid},
    {"logsigmoid", logsigmoid},
    {"masked_fill", masked_fill},
    {"to", cast},
    {"reshape", reshape},
    {"permute", permute},
    {"expand", expand},
    {"slice", slice},
    {"select", select},
    {"cat", cat},
    {"pad", pad},
    {"flip", flip},
    {"gather", gather},
    {"index_select", index_select},
    {"one_hot", one_hot},
    {"sum", reduce_sum},
    {"mean", reduce<kReduceMean>},
    {"amax", reduce<kReduceMax>},
    {"amin", reduce<kReduceMin>},
    {"argmax", arg<kArgMax>},
    {"argmin", arg<kArgMin>},
    {"linear", linear},
    {"conv1d", conv},
    {"conv2d", conv},
    {"conv3d", conv},
    {"conv_transpose1d", conv_transpose},
    {"conv_transpose2d", conv_transpose},
    {"conv_transpose3d", conv_transpose},
    {"max_pool1d", max_pool},
    {"max_pool2d", max_pool},
    {"max_pool3d", max_pool},
    {"avg_pool2d", avg_pool},
    {"adaptive_avg_pool2d", adaptive_avg_pool},
    {"batch_norm", batch_norm},
    {"layer_norm", layer_norm},
    {"embedding", embedding},
    {"softmax", along<kSoftmax>},
    {"log_softmax", along<kLogSoftmax>},
};

} // namespace

OnnxRule find_onnx_rule(std::string_view op) {
    for (const Row& row : kRows)
        if (row.op == op) return row.rule;
    return find_onnx_sequence_rule(op);
}

std::vector<std::string> onnx_rule_names() {
    std::vector<std::string> names;
    for (const Row& row : kRows)
        names.emplace_back(row.op);
    return names;
}

} // namespace wiregrad::graph
