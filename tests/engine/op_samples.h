// The expressions behind the cases of goldens/ops.json, by name (tools/make_goldens.py has
// PyTorch's).
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "engine/op/ops.h"

namespace wiregrad::test {

using Inputs = std::vector<Tensor>;
using Expression = std::function<Tensor(const Inputs&)>;

inline Tensor sample_mask() {
    return to(Tensor::from(std::vector<std::uint8_t>{1, 0, 1, 0, 1, 1}, {2, 3}), DType::Bool);
}

inline const std::map<std::string, Expression>& op_samples() {
    using I = const Inputs&;
    static const auto binary = [](Tensor (*f)(const Tensor&, const Tensor&)) {
        return [f](I x) { return f(x[0], x[1]); };
    };
    static const auto unary = [](Tensor (*f)(const Tensor&)) {
        return [f](I x) { return f(x[0]); };
    };
    static const std::map<std::string, Expression> samples{
        {"add", binary(add)},
        {"add_columns", binary(add)},
        {"sub", binary(sub)},
        {"mul", binary(mul)},
        {"mul_scalar_tensor", binary(mul)},
        {"div", binary(div)},
        {"div_broadcast", binary(div)},
        {"pow", binary(pow)},
        {"maximum", binary(maximum)},
        {"minimum", binary(minimum)},
        {"where", [](I x) { return where(sample_mask(), x[0], x[1]); }},
        {"masked_fill", [](I x) { return masked_fill(x[0], sample_mask(), 7.5); }},
        {"masked_fill_broadcast", [](I x) { return masked_fill(x[0], sample_mask(), 7.5); }},
        {"add_number", [](I x) { return add(x[0], 1.5); }},
        {"sub_number", [](I x) { return sub(x[0], 1.5); }},
        {"rsub_number", [](I x) { return rsub(1.5, x[0]); }},
        {"mul_number", [](I x) { return mul(x[0], -2.5); }},
        {"div_number", [](I x) { return div(x[0], 3.0); }},
        {"pow_3", [](I x) { return pow(x[0], 3); }},
        {"pow_2", [](I x) { return pow(x[0], 2); }},
        {"pow_0", [](I x) { return pow(x[0], 0); }},
        {"pow_half", [](I x) { return pow(x[0], 0.5); }},
        {"pow_minus_1", [](I x) { return pow(x[0], -1); }},
        {"neg", unary(neg)},
        {"abs", unary(abs)},
        {"sign", unary(sign)},
        {"exp", unary(exp)},
        {"log", unary(log)},
        {"log1p", unary(log1p)},
        {"expm1", unary(expm1)},
        {"sqrt", unary(sqrt)},
        {"rsqrt", unary(rsqrt)},
        {"reciprocal", unary(reciprocal)},
        {"square", unary(square)},
        {"sin", unary(sin)},
        {"cos", unary(cos)},
        {"tanh", unary(tanh)},
        {"erf", unary(erf)},
        {"floor", unary(floor)},
        {"ceil", unary(ceil)},
        {"round", unary(round)},
        {"clamp", [](I x) { return clamp(x[0], -0.5, 0.8); }},
        {"relu", unary(relu)},
        {"leaky_relu", [](I x) { return leaky_relu(x[0], 0.2); }},
        {"elu", [](I x) { return elu(x[0], 1.3); }},
        {"selu", unary(selu)},
        {"gelu", [](I x) { return gelu(x[0]); }},
        {"gelu_tanh", [](I x) { return gelu(x[0], true); }},
        {"silu", unary(silu)},
        {"mish", unary(mish)},
        {"sigmoid", unary(sigmoid)},
        {"softplus", [](I x) { return softplus(x[0], 2, 3); }},
        {"hardtanh", [](I x) { return hardtanh(x[0], -0.5, 0.8); }},
        {"relu6", unary(relu6)},
        {"hardsigmoid", unary(hardsigmoid)},
        {"hardswish", unary(hardswish)},
        {"logsigmoid", unary(logsigmoid)},
        {"sum", [](I x) { return sum(x[0]); }},
        {"sum_inner", [](I x) { return sum(x[0], {2}); }},
        {"sum_outer", [](I x) { return sum(x[0], {0}, true); }},
        {"sum_ends",
         [](I x) {
             return sum(x[0], {0, 2});
         }},
        {"sum_middle", [](I x) { return sum(x[0], {1}); }},
        {"mean", [](I x) { return mean(x[0]); }},
        {"mean_dims",
         [](I x) {
             return mean(x[0], {0, 2}, true);
         }},
        {"amax", [](I x) { return amax(x[0], {1}); }},
        {"amin",
         [](I x) {
             return amin(x[0], {0, -1}, true);
         }},
        {"amax_all", [](I x) { return amax(x[0]); }},
        {"var",
         [](I x) {
             return var(x[0], {0, 2});
         }},
        {"var_biased", [](I x) { return var(x[0], {1}, false, true); }},
        {"logsumexp", [](I x) { return logsumexp(x[0], {1}); }},
        {"logsumexp_keep",
         [](I x) {
             return logsumexp(x[0], {0, 1}, true);
         }},
        {"sum_to",
         [](I x) {
             return sum_to(x[0], {3, 1});
         }},
        {"reshape",
         [](I x) {
             return reshape(x[0], {4, -1});
         }},
        {"reshape_permuted",
         [](I x) {
             return reshape(permute(x[0], {1, 0, 2}), {3, 4});
         }},
        {"flatten", [](I x) { return flatten(x[0], 1); }},
        {"permute",
         [](I x) {
             return permute(x[0], {2, 0, 1});
         }},
        {"transpose", [](I x) { return transpose(x[0], 0, -1); }},
        {"squeeze", [](I x) { return squeeze(x[0], 1); }},
        {"unsqueeze", [](I x) { return unsqueeze(x[0], -1); }},
        {"expand",
         [](I x) {
             return expand(x[0], {4, 2, 3});
         }},
        {"slice", [](I x) { return slice(x[0], 1, 1, 6, 2); }},
        {"slice_negative", [](I x) { return slice(x[0], 0, -3, -1); }},
        {"slice_empty", [](I x) { return slice(x[0], 0, 3, 3); }},
        {"select", [](I x) { return select(x[0], 1, -2); }},
        {"cat", [](I x) { return cat(x, 1); }},
        {"stack", [](I x) { return stack(x, 1); }},
        {"stack_last", [](I x) { return stack(x, -1); }},
        {"pad",
         [](I x) {
             return pad(x[0], {1, 2, 0, 1}, 0.5);
         }},
        {"pad_crop",
         [](I x) {
             return pad(x[0], {-1, 2});
         }},
        {"flip",
         [](I x) {
             return flip(x[0], {0, 2});
         }},
        {"gather", [](I x) { return gather(x[0], 1, x[1]); }},
        {"gather_smaller", [](I x) { return gather(x[0], 0, x[1]); }},
        {"index_select", [](I x) { return index_select(x[0], 1, x[1]); }},
        {"contiguous", [](I x) { return contiguous(transpose(x[0], 0, 1)); }},
        {"kink_relu", unary(relu)},
        {"kink_leaky_relu", [](I x) { return leaky_relu(x[0], 0.2); }},
        {"kink_abs", unary(abs)},
        {"kink_sign", unary(sign)},
        {"kink_relu6", unary(relu6)},
        {"kink_hardtanh", [](I x) { return hardtanh(x[0], -0.5, 0.8); }},
        {"kink_clamp", [](I x) { return clamp(x[0], -0.5, 0.8); }},
        {"kink_elu", [](I x) { return elu(x[0], 1.3); }},
        {"kink_hardsigmoid", unary(hardsigmoid)},
        {"kink_hardswish", unary(hardswish)},
        {"kink_maximum", binary(maximum)},
        {"kink_minimum", binary(minimum)},
        {"kink_amax_all", [](I x) { return amax(x[0]); }},
        {"kink_sqrt", unary(sqrt)},
        {"kink_pow_half", [](I x) { return pow(x[0], 0.5); }},
        {"kink_pow_0", [](I x) { return pow(x[0], 0); }},
        {"kink_pow", binary(pow)},
        {"kink_where_sqrt", [](I x) { return where(gt(x[0], 0), sqrt(x[0]), zeros_like(x[0])); }},
        {"kink_round", unary(round)},
        {"kink_softplus", [](I x) { return softplus(x[0], 2, 3); }},
        {"kink_logsumexp", [](I x) { return logsumexp(x[0], {1}); }},
    };
    return samples;
}

} // namespace wiregrad::test
