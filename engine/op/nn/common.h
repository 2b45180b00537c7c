// Shared helpers of the rows in engine/op/nn: checks with facts, dispatch on the floating type,
// cost of memory traffic. Included by engine/op/nn/*.cpp and loss_ops.cpp only.
#pragma once

#include <fmt/core.h>

#include <initializer_list>

#include "engine/core/error.h"
#include "engine/op/op.h"

namespace wiregrad::rows {

/// The inputs named must be present, float32 or float64, of one type, on one device.
inline void require_floating(const ShapeCall& call, std::initializer_list<int> inputs) {
    const TensorMeta& first = call.inputs[static_cast<std::size_t>(*inputs.begin())];
    for (int i : inputs) {
        if (!((call.present >> i) & 1U)) continue;
        const TensorMeta& meta = call.inputs[static_cast<std::size_t>(i)];
        if (meta.dtype != DType::Float32 && meta.dtype != DType::Float64)
            throw DTypeError(fmt::format("{}: input {} is {}, float32 or float64 is needed",
                                         call.op.name, i, name_of(meta.dtype)));
        if (meta.dtype != first.dtype)
            throw DTypeError(fmt::format("{}: input {} is {} but input {} is {}", call.op.name, i,
                                         name_of(meta.dtype), *inputs.begin(),
                                         name_of(first.dtype)));
        if (meta.device != first.device)
            throw DeviceError(fmt::format("{}: input {} is on {} but input {} is on {}",
                                          call.op.name, i, meta.device.str(), *inputs.begin(),
                                          first.device.str()));
    }
}

inline bool present(const ShapeCall& call, int input) {
    return (call.present >> input) & 1U;
}

/// An optional vector of `length` values, such as a bias.
inline void require_vector(const ShapeCall& call, int input, std::string_view what,
                           std::int64_t length, std::string_view unit) {
    if (!present(call, input)) return;
    const Shape& shape = call.inputs[static_cast<std::size_t>(input)].shape;
    if (shape.size() != 1 || shape[0] != length)
        throw ShapeError(fmt::format("{}: {} {} does not match the {} {} of input {}", call.op.name,
                                     what, shape.str(), length, unit, call.inputs[0].shape.str()));
}

/// Calls body with a float or a double, by dtype; shape rules have refused every other type.
template <class Body> void by_float(DType dtype, Body&& body) {
    if (dtype == DType::Float64)
        body(double{});
    else
        body(float{});
}

/// Data of an optional input, made contiguous; `keep` owns the copy.
template <class T> const T* data_or_null(const Tensor& tensor, Tensor& keep) {
    if (!tensor.defined()) return nullptr;
    keep = tensor.contiguous();
    return keep.data<T>();
}

inline double traffic(const ShapeCall& call, std::span<const TensorMeta> outputs) {
    double bytes = 0;
    for (const TensorMeta& meta : call.inputs)
        bytes += static_cast<double>(numel(meta.shape)) * static_cast<double>(size_of(meta.dtype));
    for (const TensorMeta& meta : outputs)
        bytes += static_cast<double>(numel(meta.shape)) * static_cast<double>(size_of(meta.dtype));
    return bytes;
}

/// Cost of an op that does `kFlops` operations on each element of input 0.
template <int kFlops>
Cost per_input_element(const ShapeCall& call, std::span<const TensorMeta> outputs) {
    return {kFlops * static_cast<double>(numel(call.inputs[0].shape)), traffic(call, outputs)};
}

template <Mask kInputs, Mask kOutputs = 0> Saves always(Mask, const Attrs&) {
    return {kInputs, kOutputs};
}

} // namespace wiregrad::rows
