// The row of dropout. Nothing is stored: the mask of element i is a function of (seed, step,
// stream, i), so the same op on the gradient is the backward pass.
#include "engine/core/random.h"

#include <algorithm>

#include "engine/backend/cpu/simd.h"
#include "engine/backend/cpu/team.h"
#include "engine/op/nn/common.h"
#include "engine/op/nn/rows.h"
#include "engine/op/ops.h"

namespace wiregrad {

namespace {

using namespace rows;

Metas dropout_shape(const ShapeCall& call) {
    require_floating(call, {0});
    const double p = call.attrs.real("p");
    if (!(p >= 0 && p <= 1))
        throw ValueError(fmt::format("dropout: p is {}, it must lie in [0, 1]", p));
    const std::int64_t stream = call.attrs.integer("stream");
    if (stream < 0 || stream > 0xFFFFFFFFLL)
        throw ValueError(fmt::format("dropout: stream is {}, it must fit in 32 bits", stream));
    if (call.inputs[1].dtype != DType::Int64 || call.inputs[1].shape != Shape{2})
        throw ShapeError(fmt::format("dropout: random must be int64[2] (seed, step), got {}{}",
                                     name_of(call.inputs[1].dtype), call.inputs[1].shape.str()));
    return {call.inputs[0]};
}

/// Each thread takes pieces that begin at a multiple of 64 elements, 16 blocks of random numbers.
void drop_floats(std::uint64_t seed, std::uint64_t offset, std::int64_t count,
                 std::uint32_t threshold, float scale, const float* from, float* to) {
    constexpr std::int64_t kPiece = 4096;
    const auto drop = cpu::attention_kernels().dropout;
    const int threads = cpu::team(static_cast<double>(count) * 2);
    const std::int64_t pieces = (count + kPiece - 1) / kPiece;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (std::int64_t piece = 0; piece < pieces; ++piece) {
        const std::int64_t first = piece * kPiece;
        drop(seed, offset, static_cast<std::uint64_t>(first), std::min(kPiece, count - first),
             threshold, scale, from + first, to + first);
    }
}

void dropout_kernel(const KernelCall& call) {
    const Tensor x = call.inputs[0].contiguous(), random = call.inputs[1].contiguous();
    const double p = call.attrs.real("p");
    const auto seed = static_cast<std::uint64_t>(random.data<std::int64_t>()[0]);
    // A stream number in the upper half and the step in the lower one: streams do not meet within
    // 2^32 steps.
    const std::uint64_t offset = static_cast<std::uint64_t>(call.attrs.integer("stream")) << 32 ^
                                 static_cast<std::uint64_t>(random.data<std::int64_t>()[1]);
    // An element is kept when its 32 bits are at or above p * 2^32.
    const auto threshold = static_cast<std::uint64_t>(p * 0x1p32);
    const std::int64_t count = x.numel(), blocks = (count + 3) / 4;
    if (x.dtype() == DType::Float32 && p < 1)
        return drop_floats(seed, offset, count, static_cast<std::uint32_t>(threshold),
                           static_cast<float>(1 / (1 - p)), x.data<float>(),
                           call.outputs[0].data_mut<float>());
    const int threads = cpu::team(static_cast<double>(count) * 8);
    by_float(x.dtype(), [&]<class T>(T) {
        const T* from = x.data<T>();
        T* to = call.outputs[0].data_mut<T>();
        const T scale = p < 1 ? static_cast<T>(1 / (1 - p)) : T(0);
#pragma omp parallel for num_threads(threads) schedule(static)
        for (std::int64_t block = 0; block < blocks; ++block) {
            const PhiloxBlock bits = philox_block(seed, offset, static_cast<std::uint64_t>(block));
            const std::int64_t last = std::min(count, block * 4 + 4);
            for (std::int64_t i = block * 4; i < last; ++i)
                to[i] = bits.v[i - block * 4] >= threshold ? from[i] * scale : T(0);
        }
    });
}

Tensors dropout_gradient(const GradCall& call) {
    return {
        dropout(call.grads[0], call.attrs.real("p"), call.inputs[1], call.attrs.integer("stream")),
        Tensor()};
}

} // namespace

std::span<const Op> dropout_rows() {
    static const Op rows[] = {
        {.name = "dropout",
         .help = "x / (1 - p) where a random number is at least p, else 0.",
         .shape = dropout_shape,
         .kernel = {dropout_kernel},
         .gradient = dropout_gradient,
         .saves = always<2>,
         .cost = per_input_element<12>,
         .flags = kRandom,
         .onnx = "Dropout"},
    };
    return rows;
}

Tensor dropout(const Tensor& x, double p, const Tensor& random, std::int64_t stream) {
    static const Op& op = find_op("dropout");
    const Tensor inputs[] = {x, random};
    return call(op, inputs, {{"p", p}, {"stream", stream}})[0];
}

} // namespace wiregrad
