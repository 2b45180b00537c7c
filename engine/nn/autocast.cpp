#include "engine/nn/autocast.h"

#include <algorithm>
#include <unordered_map>

namespace wiregrad::nn {
namespace {

enum class Want { Low, Full, Any };

Want want_of(const Op& op) {
    static const std::unordered_map<std::string_view, Want> kWants = [] {
        std::unordered_map<std::string_view, Want> wants;
        for (const char* name :
             {"matmul", "linear", "conv2d", "conv_transpose2d", "scaled_dot_product_attention"})
            wants[name] = Want::Low;
        for (const char* name : {"softmax",      "log_softmax", "batch_norm",
                                 "layer_norm",   "exp",         "expm1",
                                 "log",          "log1p",       "log2",
                                 "log10",        "pow",         "pow_scalar",
                                 "square",       "sqrt",        "rsqrt",
                                 "reciprocal",   "sum",         "mean",
                                 "prod",         "var",         "norm",
                                 "logsumexp",    "cumsum",      "cumprod",
                                 "logcumsumexp", "softplus",    "cross_entropy",
                                 "mse_loss",     "l1_loss",     "binary_cross_entropy_with_logits",
                                 "ctc_loss",     "lstm",        "gru",
                                 "rnn_tanh",     "rnn_relu"})
            wants[name] = Want::Full;
        return wants;
    }();
    const auto found = kWants.find(op.name);
    return found == kWants.end() ? Want::Any : found->second;
}

bool is_narrow(DType dtype) {
    return dtype == DType::Float16 || dtype == DType::BFloat16;
}

} // namespace

Tensors Autocast::run(const Op& op, std::span<const Tensor> inputs, const Attrs& attrs) {
    bool narrow = false, single = false;
    for (const Tensor& input : inputs)
        if (input.defined()) {
            narrow = narrow || is_narrow(input.dtype());
            single = single || input.dtype() == DType::Float32;
        }
    const Want want = want_of(op);
    const bool lower = want == Want::Low && single;
    const bool raise = narrow && (want == Want::Full || (want == Want::Any && single));
    // Conversions, and what writes in place (running statistics), are taken as they are.
    if ((!lower && !raise) || (op.flags & kInPlace) != 0 || op.functor.kind == Functor::Kind::Cast)
        return below(op, inputs, attrs);
    static const Op& cast = find_op("to");
    Tensors converted(inputs.begin(), inputs.end());
    for (Tensor& input : converted) {
        if (!input.defined()) continue;
        const bool change = lower ? input.dtype() == DType::Float32 : is_narrow(input.dtype());
        if (!change) continue;
        const Tensor one[] = {input};
        input = below(cast, one, {{"dtype", lower ? dtype_ : DType::Float32}})[0];
    }
    return below(op, converted, attrs);
}

} // namespace wiregrad::nn
