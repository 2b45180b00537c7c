#include "engine/op/wide.h"

#include <optional>

#include "engine/op/registry.h"

namespace wiregrad {
namespace {

/// What a row was before it was widened, at the row's place in the table.
struct Base {
    ShapeRule shape = nullptr;
    Kernel kernel = nullptr;
};
const Op* g_first = nullptr;
std::vector<Base> g_bases;

const Base& base_of(const Op& op) {
    return g_bases[static_cast<std::size_t>(&op - g_first)];
}

bool is_narrow(DType dtype) {
    return dtype == DType::Float16 || dtype == DType::BFloat16;
}

/// The 16-bit type that all floating inputs have; none where one is wider or they differ.
template <class Inputs, class Get> std::optional<DType> narrow_of(const Inputs& inputs, Get get) {
    std::optional<DType> narrow;
    for (const auto& input : inputs) {
        const std::optional<DType> dtype = get(input);
        if (!dtype || !is_floating(*dtype)) continue;
        if (!is_narrow(*dtype) || (narrow && *narrow != *dtype)) return {};
        narrow = dtype;
    }
    return narrow;
}

Metas wide_shape(const ShapeCall& call) {
    const ShapeRule rule = base_of(call.op).shape;
    std::size_t index = 0;
    const auto narrow = narrow_of(call.inputs, [&](const TensorMeta& meta) {
        const bool there = (call.present >> index++) & 1U;
        return there ? std::optional(meta.dtype) : std::nullopt;
    });
    if (!narrow) return rule(call);
    Metas wide(call.inputs.begin(), call.inputs.end());
    for (TensorMeta& meta : wide)
        if (is_narrow(meta.dtype)) meta.dtype = DType::Float32;
    Metas outputs = rule({call.op, call.attrs, wide, call.present});
    for (TensorMeta& meta : outputs)
        if (meta.dtype == DType::Float32) meta.dtype = *narrow;
    return outputs;
}

void wide_kernel(const KernelCall& call) {
    const Kernel kernel = base_of(call.op).kernel;
    const auto narrow = narrow_of(call.inputs, [](const Tensor& tensor) {
        return tensor.defined() ? std::optional(tensor.dtype()) : std::nullopt;
    });
    if (!narrow) return kernel(call);
    const auto widened = [](const Tensor& tensor) {
        Tensor wide = Tensor::empty(tensor.shape(), DType::Float32);
        cpu_copy(wide, tensor);
        return wide;
    };
    Tensors inputs(call.inputs.begin(), call.inputs.end());
    for (Tensor& input : inputs)
        if (input.defined() && is_narrow(input.dtype())) input = widened(input);
    Tensors outputs;
    for (const Tensor& output : call.outputs)
        outputs.push_back(is_narrow(output.dtype()) ? Tensor::empty(output.shape(), DType::Float32)
                                                    : output);
    kernel({call.op, call.attrs, inputs, outputs});
    for (std::size_t i = 0; i < outputs.size(); ++i)
        if (is_narrow(call.outputs[i].dtype())) cpu_copy(call.outputs[i], outputs[i]);
}

} // namespace

void widen_rows(std::vector<Op>& rows, std::size_t first, std::size_t end) {
    g_first = rows.data();
    g_bases.resize(rows.size());
    for (std::size_t i = first; i < end; ++i) {
        Op& row = rows[i];
        if (row.writes != 0 || (row.flags & (kInPlace | kView)) != 0 || row.kernel[0] == nullptr)
            continue;
        g_bases[i] = {row.shape, row.kernel[0]};
        row.shape = wide_shape;
        row.kernel[0] = wide_kernel;
    }
}

} // namespace wiregrad
