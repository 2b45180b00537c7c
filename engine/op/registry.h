// Where the rows of the op table come from, and helpers that rows and wrappers share.
// For engine/op only.
#pragma once

#include "engine/core/error.h"
#include "engine/core/tensor_body.h"
#include "engine/op/op.h"

namespace wiregrad {

std::span<const Op> elementwise_ops();
std::span<const Op> activation_ops();
std::span<const Op> reduce_ops();
std::span<const Op> scan_ops();  ///< running sums and products
std::span<const Op> sort_ops();  ///< order, search and counting
std::span<const Op> index_ops(); ///< gathering and scattering
std::span<const Op> shape_ops();
std::span<const Op> nn_ops();    ///< layers
std::span<const Op> patch_ops(); ///< windows of pictures as columns
std::span<const Op> loss_ops();
std::span<const Op> ctc_ops();
std::span<const Op> optim_ops();
std::span<const Op> fused_ops();    ///< not in op_table(): made by the passes of a program
std::span<const Op> adaptive_ops(); ///< optimizers beside SGD and Adam
std::span<const Op> metric_ops();
std::span<const Op> fft_ops();

/// The only output of a call.
inline Tensor call_one(const Op& op, std::span<const Tensor> inputs, const Attrs& attrs = {}) {
    return std::move(call(op, inputs, attrs).front());
}
inline Tensor call_one(const Op& op, const Tensor& x, const Attrs& attrs = {}) {
    return call_one(op, {&x, 1}, attrs);
}
inline Tensor call_one(const Op& op, const Tensor& a, const Tensor& b, const Attrs& attrs = {}) {
    const Tensor inputs[] = {a, b};
    return call_one(op, inputs, attrs);
}

/// Save rules in common use.
inline Saves save_input(Mask, const Attrs&) {
    return {1, 0};
}
inline Saves save_output(Mask, const Attrs&) {
    return {0, 1};
}

/// target = source converted, on the CPU; shapes broadcast. For kernels.
void cpu_copy(const Tensor& target, const Tensor& source);

} // namespace wiregrad
