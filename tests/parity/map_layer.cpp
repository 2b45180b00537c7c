#include "engine/op/fft_ops.h"
#include "engine/op/grid_ops.h"
#include "engine/op/layer_ops.h"
#include "tests/parity/call.h"

namespace wiregrad::parity {
namespace {

ConvOptions conv_options(const Call& c, int position) {
    if (c.is_text(position + 1, "padding")) throw Unsupported("padding by name: the layer has it");
    ConvOptions options;
    options.stride = c.pair(position, "stride", {1, 1});
    options.padding = c.pair(position + 1, "padding", {0, 0});
    return options;
}

/// A picture without a batch becomes a batch of one.
Tensors batched(const Tensor& x, const std::function<Tensor(const Tensor&)>& f) {
    if (x.dim() == 3) return {squeeze(f(unsqueeze(x, 0)), 0)};
    return {f(x)};
}

ConvNdOptions nd_options(const Call& c, int position, int dilation, int groups, int rank) {
    if (c.is_text(position + 1, "padding")) throw Unsupported("padding by name: the layer has it");
    const auto each = [&](int at, const char* name, std::int64_t standard) {
        const Dims given = c.dims(at, name, Dims{standard});
        return given.size() == 1 ? Dims::filled(rank, given[0]) : given;
    };
    ConvNdOptions options;
    options.stride = each(position, "stride", 1);
    options.padding = each(position + 1, "padding", 0);
    options.dilation = each(dilation, "dilation", 1);
    options.groups = c.integer(groups, "groups", 1);
    return options;
}

/// conv_transpose1d and conv_transpose3d.
Entry transposed(int rank, Tensor (*f)(const Tensor&, const Tensor&, const Tensor&,
                                       const ConvNdOptions&, const Dims&)) {
    return {"nn.functional.conv_transpose" + std::to_string(rank) + "d",
            {},
            [rank, f](const Call& c) -> Tensors {
                const ConvNdOptions options = nd_options(c, 3, 7, 6, rank);
                Dims extra = c.dims(5, "output_padding", {0});
                if (extra.size() == 1) extra = Dims::filled(rank, extra[0]);
                const auto run = [&](const Tensor& x) {
                    return f(x, c.tensor(1, "weight"), c.maybe_tensor(2, "bias"), options, extra);
                };
                const Tensor x = c.tensor(0);
                return {x.dim() == rank + 1 ? squeeze(run(unsqueeze(x, 0)), 0) : run(x)};
            }};
}

Tensor row_dim(const Call& c, Tensor (*f)(const Tensor&, std::int64_t)) {
    Tensor x = c.tensor(0);
    if (c.has(99, "dtype")) x = to(x, c.dtype(99, "dtype", x.dtype()));
    if (!is_floating(x.dtype())) throw DTypeError("softmax needs a floating tensor");
    const std::int64_t dim = c.integer(1, "dim");
    if (x.dim() == 0) {
        wrap_dim(dim, 0);
        return squeeze(f(unsqueeze(x, 0), 0), 0);
    }
    return f(x, wrap_dim(dim, x.dim()));
}

/// Transforms of real samples; pairs where the op takes complex numbers.
Entry fourier(const char* name, Tensor (*f)(const Tensor&, std::int64_t, std::int64_t, FftNorm),
              bool real) {
    return {name, {"fft"}, [f, real](const Call& c) -> Tensors {
                Tensor x = c.tensor(0);
                if (!is_floating(x.dtype())) x = to(x, DType::Float32);
                const std::int64_t dim = c.integer(2, "dim", -1);
                if (c.has(1, "n") && c.integer(1, "n") < 1)
                    throw ValueError("fft: nothing is left to be transformed");
                return {f(real ? x : as_pairs(x), c.integer(1, "n", 0), dim,
                          fft_norm(c.text(3, "norm", "backward")))};
            }};
}

} // namespace

std::vector<Entry> layer_map() {
    return {
        {"matmul",
         {"matmul"},
         [](const Call& c) -> Tensors { return {matmul(c.tensor(0), c.tensor(1, "other"))}; }},
        {"mm",
         {"matmul"},
         [](const Call& c) -> Tensors {
             if (c.tensor(0).dim() != 2 || c.tensor(1).dim() != 2)
                 throw ShapeError("mm needs matrices");
             return {matmul(c.tensor(0), c.tensor(1, "mat2"))};
         }},
        {"bmm",
         {"matmul"},
         [](const Call& c) -> Tensors { return {bmm(c.tensor(0), c.tensor(1, "mat2"))}; }},
        {"mv", {}, [](const Call& c) -> Tensors { return {mv(c.tensor(0), c.tensor(1, "vec"))}; }},
        {"dot",
         {},
         [](const Call& c) -> Tensors { return {dot(c.tensor(0), c.tensor(1, "tensor"))}; }},
        {"outer",
         {},
         [](const Call& c) -> Tensors { return {outer(c.tensor(0), c.tensor(1, "vec2"))}; }},
        {"addmm",
         {},
         [](const Call& c) -> Tensors {
             return {addmm(c.tensor(0), c.tensor(1, "mat1"), c.tensor(2, "mat2"),
                           c.real(9, "beta", 1), c.real(9, "alpha", 1))};
         }},
        {"addmm.decomposed",
         {},
         [](const Call& c) -> Tensors {
             return {addmm(c.tensor(0), c.tensor(1, "mat1"), c.tensor(2, "mat2"),
                           c.real(9, "beta", 1), c.real(9, "alpha", 1))};
         }},
        {"baddbmm",
         {},
         [](const Call& c) -> Tensors {
             return {addmm(c.tensor(0), c.tensor(1, "batch1"), c.tensor(2, "batch2"),
                           c.real(9, "beta", 1), c.real(9, "alpha", 1))};
         }},
        {"einsum",
         {},
         [](const Call& c) -> Tensors {
             // PyTorch's samples have the operands first, then the equation
             if (c.is_text(0, "equation"))
                 return {einsum(c.text(0, "equation", ""), c.tensors(1, "operands"))};
             return {einsum(c.text(1, "equation", ""), c.tensors(0, "operands"))};
         }},
        {"nn.functional.linear",
         {"linear"},
         [](const Call& c) -> Tensors {
             return {linear(c.tensor(0), c.tensor(1, "weight"), c.maybe_tensor(2, "bias"))};
         }},
        {"nn.functional.conv2d",
         {"conv2d", "conv2d_input_grad", "conv2d_weight_grad"},
         [](const Call& c) -> Tensors {
             ConvOptions options = conv_options(c, 3);
             options.dilation = c.pair(5, "dilation", {1, 1});
             options.groups = c.integer(6, "groups", 1);
             return batched(c.tensor(0), [&](const Tensor& x) {
                 return conv2d(x, c.tensor(1, "weight"), c.maybe_tensor(2, "bias"), options);
             });
         }},
        {"nn.functional.conv_transpose2d",
         {"conv_transpose2d"},
         [](const Call& c) -> Tensors {
             ConvOptions options = conv_options(c, 3);
             options.groups = c.integer(6, "groups", 1);
             options.dilation = c.pair(7, "dilation", {1, 1});
             return batched(c.tensor(0), [&](const Tensor& x) {
                 return conv_transpose2d(x, c.tensor(1, "weight"), c.maybe_tensor(2, "bias"),
                                         options, c.pair(5, "output_padding", {0, 0}));
             });
         }},
        {"nn.functional.conv1d",
         {},
         [](const Call& c) -> Tensors {
             const ConvNdOptions options = nd_options(c, 3, 5, 6, 1);
             const auto run = [&](const Tensor& x) {
                 return conv1d(x, c.tensor(1, "weight"), c.maybe_tensor(2, "bias"), options);
             };
             const Tensor x = c.tensor(0);
             return {x.dim() == 2 ? squeeze(run(unsqueeze(x, 0)), 0) : run(x)};
         }},
        transposed(1, conv_transpose1d),
        transposed(3, conv_transpose3d),
        {"nn.functional.group_norm",
         {},
         [](const Call& c) -> Tensors {
             return {group_norm(c.tensor(0), c.integer(1, "num_groups"),
                                c.maybe_tensor(2, "weight"), c.maybe_tensor(3, "bias"),
                                c.real(4, "eps", 1e-5))};
         }},
        {"nn.functional.instance_norm",
         {},
         [](const Call& c) -> Tensors {
             const auto statistics = [&c](const char* name) {
                 const Tensor given = c.maybe_tensor(9, name);
                 return given.defined() ? given.contiguous() : given;
             };
             return {instance_norm(c.tensor(0), statistics("running_mean"),
                                   statistics("running_var"), c.maybe_tensor(9, "weight"),
                                   c.maybe_tensor(9, "bias"), c.flag(9, "use_input_stats", true),
                                   c.real(9, "momentum", 0.1), c.real(9, "eps", 1e-5))};
         }},
        {"nn.functional.local_response_norm",
         {},
         [](const Call& c) -> Tensors {
             return {local_response_norm(c.tensor(0), c.integer(1, "size"),
                                         c.real(2, "alpha", 1e-4), c.real(3, "beta", 0.75),
                                         c.real(4, "k", 1))};
         }},
        {"nn.functional.max_pool2d",
         {"max_pool2d", "max_pool2d_backward", "max_pool2d_gather"},
         [](const Call& c) -> Tensors {
             c.without({"return_indices"});
             PoolOptions options;
             options.kernel = c.pair(1, "kernel_size", {2, 2});
             options.stride = c.pair(2, "stride", options.kernel);
             options.padding = c.pair(3, "padding", {0, 0});
             options.dilation = c.pair(4, "dilation", {1, 1});
             options.ceil_mode = c.flag(5, "ceil_mode", false);
             return batched(c.tensor(0), [&](const Tensor& x) { return max_pool2d(x, options); });
         }},
        {"nn.functional.avg_pool2d",
         {"avg_pool2d", "avg_pool2d_backward"},
         [](const Call& c) -> Tensors {
             c.without({"divisor_override"});
             if (c.has(6, "divisor_override")) throw Unsupported("divisor_override");
             PoolOptions options;
             options.kernel = c.pair(1, "kernel_size", {2, 2});
             options.stride = c.pair(2, "stride", options.kernel);
             options.padding = c.pair(3, "padding", {0, 0});
             options.ceil_mode = c.flag(4, "ceil_mode", false);
             options.count_include_pad = c.flag(5, "count_include_pad", true);
             return batched(c.tensor(0), [&](const Tensor& x) { return avg_pool2d(x, options); });
         }},
        {"nn.functional.adaptive_avg_pool2d",
         {"adaptive_avg_pool2d", "adaptive_avg_pool2d_backward"},
         [](const Call& c) -> Tensors {
             if (c.is_list(1, "output_size")) {
                 // a None keeps the size
                 const Tensor x = c.tensor(0);
                 Dims size;
                 try {
                     size = c.dims(1, "output_size");
                 } catch (const Unsupported&) {
                     throw Unsupported("a size of None: the layer fills it in");
                 }
                 return batched(x, [&](const Tensor& y) { return adaptive_avg_pool2d(y, size); });
             }
             const Dims size = c.pair(1, "output_size", {1, 1});
             return batched(c.tensor(0),
                            [&](const Tensor& x) { return adaptive_avg_pool2d(x, size); });
         }},
        {"nn.functional.batch_norm",
         {"batch_norm", "batch_norm_backward"},
         [](const Call& c) -> Tensors {
             if (!c.has(6, "momentum") && c.count() > 6) throw Unsupported("momentum None");
             if (c.tensor(0).dim() < 2) throw Unsupported("an input without channels");
             const auto statistics = [&c](int position, const char* name) {
                 const Tensor given = c.maybe_tensor(position, name);
                 return given.defined() ? given.contiguous() : given;
             };
             return {batch_norm(c.tensor(0), c.maybe_tensor(3, "weight"), c.maybe_tensor(4, "bias"),
                                statistics(1, "running_mean"), statistics(2, "running_var"),
                                c.flag(5, "training", false), c.real(6, "momentum", 0.1),
                                c.real(7, "eps", 1e-5))};
         }},
        {"nn.functional.layer_norm",
         {"layer_norm", "layer_norm_backward"},
         [](const Call& c) -> Tensors {
             return {layer_norm(c.tensor(0), c.dims(1, "normalized_shape", {}),
                                c.maybe_tensor(2, "weight"), c.maybe_tensor(3, "bias"),
                                c.real(4, "eps", 1e-5))};
         }},
        {"nn.functional.embedding",
         {"embedding", "embedding_backward"},
         [](const Call& c) -> Tensors {
             // PyTorch's samples have the weight first
             c.without({"max_norm", "scale_grad_by_freq", "sparse"});
             const Tensor weight = c.tensor(0), index = c.tensor(1, "input");
             std::int64_t padding = c.integer(9, "padding_idx", -1);
             if (c.has(9, "padding_idx") && padding < 0) padding += weight.size(0);
             return {embedding(index, weight, padding)};
         }},
        fourier("fft.fft", fft, false),
        fourier("fft.ifft", ifft, false),
        fourier("fft.rfft", rfft, true),
        fourier("fft.irfft", irfft, false),
        {"nn.functional.grid_sample",
         {"grid_sample", "grid_sample_backward"},
         [](const Call& c) -> Tensors {
             if (c.tensor(0).dim() == 5) throw Unsupported("volumes in grid_sample");
             const std::string mode = c.text(2, "mode", "bilinear"),
                               padding = c.text(3, "padding_mode", "zeros");
             return {grid_sample(c.tensor(0), c.tensor(1, "grid"),
                                 mode == "bicubic"   ? GridMode::Bicubic
                                 : mode == "nearest" ? GridMode::Nearest
                                                     : GridMode::Bilinear,
                                 padding == "border"       ? GridPadding::Border
                                 : padding == "reflection" ? GridPadding::Reflection
                                                           : GridPadding::Zeros,
                                 c.flag(4, "align_corners", false))};
         }},
        {"softmax",
         {"softmax", "softmax_backward"},
         [](const Call& c) -> Tensors { return {row_dim(c, softmax)}; }},
        {"softmax.with_dtype",
         {"softmax"},
         [](const Call& c) -> Tensors { return {row_dim(c, softmax)}; }},
        {"log_softmax",
         {"log_softmax", "log_softmax_backward"},
         [](const Call& c) -> Tensors { return {row_dim(c, log_softmax)}; }},
        {"log_softmax.dtype",
         {"log_softmax"},
         [](const Call& c) -> Tensors { return {row_dim(c, log_softmax)}; }},
        {"nn.functional.softmin",
         {},
         [](const Call& c) -> Tensors {
             return {
                 row_dim(c, [](const Tensor& x, std::int64_t d) { return softmax(neg(x), d); })};
         }},
    };
}

} // namespace wiregrad::parity
