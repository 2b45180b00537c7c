// Windows of pictures as columns (im2col) and columns added up into pictures (col2im): each is the
// other one's gradient.
#include <fmt/core.h>

#include <cstring>

#include "engine/op/nn/common.h"
#include "engine/op/registry.h"
#include "engine/op/tensor_ops.h"

namespace wiregrad {
namespace {

struct Windows {
    std::int64_t batch = 1, channels = 1, height = 1, width = 1;
    Dims kernel, dilation, padding, stride;
    std::int64_t rows = 0, columns = 0; ///< windows below and beside each other

    std::int64_t count() const { return rows * columns; }
    std::int64_t values() const { return channels * kernel[0] * kernel[1]; }
};

/// Throws ShapeError when no window fits.
Windows windows_of(const ShapeCall& c, const Shape& picture) {
    Windows w{picture[0],
              picture[1],
              picture[2],
              picture[3],
              c.attrs.dims("kernel"),
              c.attrs.dims("dilation"),
              c.attrs.dims("padding"),
              c.attrs.dims("stride")};
    std::int64_t found[2] = {};
    for (int i = 0; i < 2; ++i) {
        if (w.kernel[i] < 1 || w.dilation[i] < 1 || w.stride[i] < 1 || w.padding[i] < 0)
            throw ValueError(fmt::format("{}: kernel {}, dilation {} and stride {} must be at "
                                         "least 1, padding {} at least 0",
                                         c.op.name, w.kernel.str(), w.dilation.str(),
                                         w.stride.str(), w.padding.str()));
        const std::int64_t reach = w.dilation[i] * (w.kernel[i] - 1) + 1;
        const std::int64_t room = picture[2 + i] + 2 * w.padding[i] - reach;
        if (room < 0)
            throw ShapeError(fmt::format("{}: a window of {} (dilation included) does not fit into "
                                         "{} of input {} with padding {}",
                                         c.op.name, reach, picture[2 + i], picture.str(),
                                         w.padding[i]));
        found[i] = room / w.stride[i] + 1;
    }
    w.rows = found[0];
    w.columns = found[1];
    return w;
}

Metas im2col_shape(const ShapeCall& c) {
    const TensorMeta& x = c.inputs[0];
    if (x.shape.size() != 4)
        throw ShapeError(fmt::format("im2col: input {} must be [N, C, H, W]", x.shape.str()));
    const Windows w = windows_of(c, x.shape);
    return {{{w.batch, w.values(), w.count()}, x.dtype, x.device}};
}

Shape picture_shape(const ShapeCall& c) {
    const Shape& x = c.inputs[0].shape;
    const Dims &size = c.attrs.dims("output_size"), &kernel = c.attrs.dims("kernel");
    const std::int64_t window = kernel[0] * kernel[1];
    if (x.size() != 3 || window < 1 || x[1] % window != 0)
        throw ShapeError(fmt::format("col2im: input {} must be [N, C * {}, windows] for windows {}",
                                     x.str(), window, kernel.str()));
    return {x[0], x[1] / window, size[0], size[1]};
}

Metas col2im_shape(const ShapeCall& c) {
    const Shape picture = picture_shape(c);
    const Windows w = windows_of(c, picture);
    if (c.inputs[0].shape[2] != w.count())
        throw ShapeError(fmt::format("col2im: input {} holds {} windows, pictures of {} have {}",
                                     c.inputs[0].shape.str(), c.inputs[0].shape[2],
                                     c.attrs.dims("output_size").str(), w.count()));
    return {{picture, c.inputs[0].dtype, c.inputs[0].device}};
}

/// Calls f(column element, picture element) for each element that lies inside the picture.
template <class F> void each_element(const Windows& w, const F& f) {
    for (std::int64_t line = 0; line < w.batch * w.values(); ++line) {
        const std::int64_t kx = line % w.kernel[1], ky = line / w.kernel[1] % w.kernel[0];
        const std::int64_t plane = line / (w.kernel[0] * w.kernel[1]);
        for (std::int64_t r = 0; r < w.rows; ++r) {
            const std::int64_t y = r * w.stride[0] - w.padding[0] + ky * w.dilation[0];
            if (y < 0 || y >= w.height) continue;
            for (std::int64_t k = 0; k < w.columns; ++k) {
                const std::int64_t x = k * w.stride[1] - w.padding[1] + kx * w.dilation[1];
                if (x < 0 || x >= w.width) continue;
                f((line * w.rows + r) * w.columns + k, (plane * w.height + y) * w.width + x);
            }
        }
    }
}

/// Zeros, then to[b] += from[a] for each pair (a, b); computed in float or double.
template <bool kToColumns> void patch_kernel(const KernelCall& c) {
    const DType work = c.inputs[0].dtype() == DType::Float64 ? DType::Float64 : DType::Float32;
    const std::vector<TensorMeta> metas{
        {c.inputs[0].shape(), c.inputs[0].dtype(), c.inputs[0].device()}};
    const ShapeCall shapes{c.op, c.attrs, metas, 1};
    const Windows w = windows_of(shapes, kToColumns ? c.inputs[0].shape() : picture_shape(shapes));
    Tensor x = Tensor::empty(c.inputs[0].shape(), work);
    cpu_copy(x, c.inputs[0]);
    Tensor y = Tensor::zeros(c.outputs[0].shape(), work);
    rows::by_float(work, [&]<class T>(T) {
        const T* from = x.data<T>();
        T* into = y.data_mut<T>();
        each_element(w, [&](std::int64_t column, std::int64_t pixel) {
            into[kToColumns ? column : pixel] += from[kToColumns ? pixel : column];
        });
    });
    cpu_copy(c.outputs[0], y);
}

Tensor im2col(const Tensor& x, const Dims& kernel, const Dims& dilation, const Dims& padding,
              const Dims& stride) {
    static const Op& op = find_op("im2col");
    return call_one(
        op, x,
        {{"kernel", kernel}, {"dilation", dilation}, {"padding", padding}, {"stride", stride}});
}

Tensor col2im(const Tensor& x, const Dims& size, const Dims& kernel, const Dims& dilation,
              const Dims& padding, const Dims& stride) {
    static const Op& op = find_op("col2im");
    return call_one(op, x,
                    {{"output_size", size},
                     {"kernel", kernel},
                     {"dilation", dilation},
                     {"padding", padding},
                     {"stride", stride}});
}

} // namespace

std::span<const Op> patch_ops() {
    static const Op rows[] = {
        {.name = "im2col",
         .help = "windows of pictures as columns",
         .shape = im2col_shape,
         .kernel = {patch_kernel<true>},
         .gradient = [](const GradCall& c) -> Tensors {
             const Shape& x = c.input_metas[0].shape;
             return {col2im(c.grads[0], {x[2], x[3]}, c.attrs.dims("kernel"),
                            c.attrs.dims("dilation"), c.attrs.dims("padding"),
                            c.attrs.dims("stride"))};
         }},
        {.name = "col2im",
         .help = "columns added up into pictures where their windows lie",
         .shape = col2im_shape,
         .kernel = {patch_kernel<false>},
         .gradient = [](const GradCall& c) -> Tensors {
             return {im2col(c.grads[0], c.attrs.dims("kernel"), c.attrs.dims("dilation"),
                            c.attrs.dims("padding"), c.attrs.dims("stride"))};
         },
         .onnx = "Col2Im"},
    };
    return rows;
}

Tensor unfold(const Tensor& x, const PatchOptions& options) {
    if (x.dim() == 3)
        return reshape(unfold(unsqueeze(x, 0), options),
                       {x.shape()[0] * options.kernel[0] * options.kernel[1], -1});
    return im2col(x, options.kernel, options.dilation, options.padding, options.stride);
}

Tensor fold(const Tensor& x, const Dims& output_size, const PatchOptions& options) {
    if (x.dim() == 2) return squeeze(fold(unsqueeze(x, 0), output_size, options), 0);
    return col2im(x, output_size, options.kernel, options.dilation, options.padding,
                  options.stride);
}

} // namespace wiregrad
