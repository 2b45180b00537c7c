// Tensor functions made of other ops: nothing here has a kernel or a gradient of its own.
#include "engine/op/tensor_ops.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/core/error.h"

namespace wiregrad {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

Tensor index_of(const std::vector<std::int64_t>& values) {
    return Tensor::from(values, {static_cast<std::int64_t>(values.size())});
}

void need_vector(const char* op, const Tensor& x) {
    if (x.dim() != 1)
        throw ShapeError(std::string(op) + " needs vectors, not an input of shape " +
                         x.shape().str() + ".");
}

void need_matrix(const char* op, const Tensor& x, int rank) {
    if (x.dim() != rank)
        throw ShapeError(std::string(op) + " needs inputs of " + std::to_string(rank) +
                         " dimensions, not of shape " + x.shape().str() + ".");
}

} // namespace

// --- creation

Tensor arange(double start, double end, double step, DType dtype) {
    if (step == 0 || !std::isfinite(start) || !std::isfinite(end) || std::isnan(step))
        throw ValueError("arange: start and end must be finite and the step not 0.");
    if ((end - start) / step < 0)
        throw ValueError("arange: a step of " + std::to_string(step) + " does not lead from " +
                         std::to_string(start) + " to " + std::to_string(end) + ".");
    const double count = std::ceil((end - start) / step);
    if (count > 1e12) throw ShapeError("arange: there would be too many elements.");
    const Tensor places = arange(static_cast<std::int64_t>(count), DType::Float64);
    return to(add(mul(places, step), start), dtype);
}

Tensor linspace(double start, double end, std::int64_t steps, DType dtype) {
    if (steps < 0)
        throw ValueError("linspace: the number of steps must not be negative, but is " +
                         std::to_string(steps) + ".");
    if (steps <= 1) return Tensor::full({steps}, start, dtype);
    // Both halves count from their own end, so that the last value is exact.
    const double step = (end - start) / static_cast<double>(steps - 1);
    const Tensor i = arange(steps, DType::Float64);
    const Tensor from_end = rsub(end, mul(rsub(static_cast<double>(steps - 1), i), step));
    const Tensor from_start = add(mul(i, step), start);
    return to(where(lt(i, static_cast<double>(steps / 2)), from_start, from_end), dtype);
}

Tensor eye(std::int64_t n, std::int64_t m, DType dtype) {
    if (m == -1) m = n;
    if (n < 0 || m < 0)
        throw ValueError("eye: a matrix of " + std::to_string(n) + " by " + std::to_string(m) +
                         " is none.");
    return to(eq(reshape(arange(n), {n, 1}), reshape(arange(m), {1, m})), dtype);
}

Tensor full_like(const Tensor& x, double value) {
    return Tensor::full(x.shape(), value, x.dtype(), x.device());
}

// --- arithmetic

Tensor lerp(const Tensor& a, const Tensor& b, const Tensor& weight) {
    return add(a, mul(weight, sub(b, a)));
}
Tensor addcmul(const Tensor& x, const Tensor& a, const Tensor& b, double value) {
    const Tensor product = mul(a, b);
    return add(x, value == 1 ? product : mul(product, value));
}
Tensor addcdiv(const Tensor& x, const Tensor& a, const Tensor& b, double value) {
    const Tensor quotient = div(a, b);
    return add(x, value == 1 ? quotient : mul(quotient, value));
}
Tensor logaddexp(const Tensor& a, const Tensor& b) {
    const Tensor larger = maximum(a, b), smaller = minimum(a, b);
    // Equal infinities are their own result.
    const Tensor same = logical_and(eq(a, b), logical_not(isfinite(a)));
    const Tensor distance = masked_fill(sub(smaller, larger), same, -kInf);
    return add(larger, log1p(exp(distance)));
}
Tensor frac(const Tensor& x) {
    return sub(x, trunc(x));
}
Tensor isinf(const Tensor& x) {
    return eq(abs(x), kInf);
}
Tensor logit(const Tensor& input, double eps) {
    const Tensor x = is_floating(input.dtype()) ? input : to(input, DType::Float32);
    const Tensor z = eps >= 0 ? clamp(x, eps, 1 - eps) : x;
    return log(div(z, rsub(1, z)));
}
Tensor sinc(const Tensor& x) {
    constexpr double kPi = 3.14159265358979323846;
    const Tensor zero = eq(x, 0);
    const Tensor angle = mul(masked_fill(x, zero, 1), kPi);
    return masked_fill(div(sin(angle), angle), zero, 1);
}

// --- along a dimension

Tensor count_nonzero(const Tensor& x, const Dims& dims) {
    return sum(ne(x, 0), dims);
}
Tensor normalize(const Tensor& x, double p, std::int64_t dim, double eps) {
    return div(x, clamp(vector_norm(x, p, {dim}, true), eps, kInf));
}
Tensor cosine_similarity(const Tensor& a, const Tensor& b, std::int64_t dim, double eps) {
    const Shape both = broadcast(a.shape(), b.shape());
    const Tensor x = expand(a, both), y = expand(b, both);
    const auto unit = [&](const Tensor& v) {
        return div(v, clamp(vector_norm(v, 2, {dim}, true), eps, kInf));
    };
    return sum(mul(unit(x), unit(y)), {dim});
}
Tensor pairwise_distance(const Tensor& a, const Tensor& b, double p, double eps, bool keepdim) {
    return vector_norm(add(sub(a, b), eps), p, {-1}, keepdim);
}
Tensor cdist(const Tensor& a, const Tensor& b, double p) {
    if (a.dim() < 2 || b.dim() < 2 || a.size(-1) != b.size(-1))
        throw ShapeError("cdist needs rows of as many columns, not " + a.shape().str() + " and " +
                         b.shape().str() + ".");
    if (!(p >= 0))
        throw ValueError("cdist: p must not be negative, but is " + std::to_string(p) + ".");
    return vector_norm(sub(unsqueeze(a, -2), unsqueeze(b, -3)), p, {-1});
}

// --- joining and cutting

Tensor narrow(const Tensor& x, std::int64_t dim, std::int64_t start, std::int64_t length) {
    const std::int64_t size = x.size(dim);
    const std::int64_t first = start < 0 ? start + size : start;
    if (first < 0 || length < 0 || first + length > size)
        throw ValueError("narrow: " + std::to_string(length) + " elements from " +
                         std::to_string(start) + " do not lie in dimension " + std::to_string(dim) +
                         " of shape " + x.shape().str() + ".");
    return slice(x, dim, first, first + length);
}

Tensors split(const Tensor& x, std::span<const std::int64_t> sizes, std::int64_t dim) {
    const std::int64_t size = x.size(dim);
    std::int64_t total = 0;
    for (const std::int64_t part : sizes) {
        if (part < 0)
            throw ValueError("split: a part of " + std::to_string(part) + " elements is none.");
        total += part;
    }
    if (total != size)
        throw ValueError("split: the parts have " + std::to_string(total) +
                         " elements, dimension " + std::to_string(dim) + " of shape " +
                         x.shape().str() + " has " + std::to_string(size) + ".");
    Tensors result;
    std::int64_t at = 0;
    for (const std::int64_t part : sizes) {
        result.push_back(slice(x, dim, at, at + part));
        at += part;
    }
    return result;
}

Tensors split(const Tensor& x, std::int64_t size, std::int64_t dim) {
    const std::int64_t whole = x.size(dim);
    if (size < 1 && !(size == 0 && whole == 0))
        throw ValueError("split: the size of a part must be at least 1, not " +
                         std::to_string(size) + ".");
    Tensors result;
    for (std::int64_t at = 0; at == 0 || at < whole; at += std::max<std::int64_t>(size, 1))
        result.push_back(slice(x, dim, at, std::min(at + size, whole)));
    return result;
}

Tensors chunk(const Tensor& x, std::int64_t chunks, std::int64_t dim) {
    if (chunks < 1)
        throw ValueError("chunk: there must be at least 1 part, not " + std::to_string(chunks) +
                         ".");
    const std::int64_t whole = x.size(dim);
    if (whole == 0) return Tensors(static_cast<std::size_t>(chunks), x);
    return split(x, (whole + chunks - 1) / chunks, dim);
}

Tensors unbind(const Tensor& x, std::int64_t dim) {
    Tensors result;
    for (std::int64_t i = 0; i < x.size(dim); ++i)
        result.push_back(select(x, dim, i));
    return result;
}

Tensor roll(const Tensor& x, const Dims& shifts, const Dims& dims) {
    if (dims.empty() && shifts.size() == 1)
        return reshape(roll(reshape(x, {-1}), shifts, {0}), x.shape());
    if (shifts.empty() || shifts.size() != dims.size())
        throw ShapeError("roll: shifts " + shifts.str() + " and dimensions " + dims.str() +
                         " need as many entries.");
    Tensor result = x;
    for (int i = 0; i < dims.size(); ++i) {
        if (x.dim() == 0) break;
        const std::int64_t size = x.size(dims[i]);
        const std::int64_t shift = size == 0 ? 0 : (shifts[i] % size + size) % size;
        if (shift == 0) continue;
        const Tensor parts[] = {slice(result, dims[i], size - shift, size),
                                slice(result, dims[i], 0, size - shift)};
        result = cat(parts, dims[i]);
    }
    return result;
}

Tensor repeat(const Tensor& x, const Dims& repeats) {
    if (repeats.size() < x.dim())
        throw ShapeError("repeat: " + repeats.str() + " names fewer dimensions than shape " +
                         x.shape().str() + " has.");
    Tensor result = x;
    while (result.dim() < repeats.size())
        result = unsqueeze(result, 0);
    for (int d = 0; d < repeats.size(); ++d) {
        if (repeats[d] < 0)
            throw ValueError("repeat: " + repeats.str() + " holds a negative number.");
        if (repeats[d] == 1) continue;
        // One dimension at a time: repeat, then merge.
        Shape wide = result.shape(), merged = result.shape();
        wide.insert(d, repeats[d]);
        merged[d] *= repeats[d];
        result = reshape(expand(unsqueeze(result, d), wide), merged);
    }
    return result;
}

Tensor tile(const Tensor& x, const Dims& repeats) {
    Dims whole = repeats;
    while (whole.size() < x.dim())
        whole.insert(0, 1);
    return repeat(x, whole);
}

Tensor repeat_interleave(const Tensor& x, std::int64_t repeats, std::int64_t dim) {
    if (repeats < 0)
        throw ValueError("repeat_interleave: the number of repeats must not be negative, but is " +
                         std::to_string(repeats) + ".");
    const int d = wrap_dim(dim, x.dim());
    Shape wide = x.shape(), merged = x.shape();
    wide.insert(d + 1, repeats);
    merged[d] *= repeats;
    return reshape(expand(unsqueeze(x, d + 1), wide), merged);
}

Tensor rot90(const Tensor& x, std::int64_t k, std::int64_t dim0, std::int64_t dim1) {
    const int a = wrap_dim(dim0, x.dim()), b = wrap_dim(dim1, x.dim());
    if (a == b || x.dim() < 2)
        throw ShapeError("rot90 needs two different dimensions of shape " + x.shape().str() + ".");
    switch (((k % 4) + 4) % 4) {
    case 1:
        return transpose(flip(x, {b}), a, b);
    case 2:
        return flip(x, {a, b});
    case 3:
        return flip(transpose(x, a, b), {b});
    default:
        return mul(x, 1);
    }
}

Tensor movedim(const Tensor& x, const Dims& source, const Dims& target) {
    if (source.size() != target.size())
        throw ShapeError("movedim: " + source.str() + " and " + target.str() +
                         " need as many dimensions.");
    Dims order = Dims::filled(x.dim(), -1);
    std::vector<bool> taken(static_cast<std::size_t>(x.dim()), false);
    for (int i = 0; i < source.size(); ++i) {
        const int from = wrap_dim(source[i], x.dim()), into = wrap_dim(target[i], x.dim());
        if (x.dim() == 0) return x;
        if (taken[static_cast<std::size_t>(from)] || order[into] >= 0)
            throw ShapeError("movedim: " + source.str() + " to " + target.str() +
                             " names a dimension twice.");
        order[into] = from;
        taken[static_cast<std::size_t>(from)] = true;
    }
    int next = 0;
    for (int i = 0; i < x.dim(); ++i) {
        if (order[i] >= 0) continue;
        while (taken[static_cast<std::size_t>(next)])
            ++next;
        order[i] = next++;
    }
    return permute(x, order);
}

Tensor unflatten(const Tensor& x, std::int64_t dim, const Shape& sizes) {
    const int d = wrap_dim(dim, x.dim());
    if (sizes.empty()) throw ShapeError("unflatten: there must be at least one size.");
    Shape whole;
    std::int64_t known = 1;
    int open = -1;
    for (int i = 0; i < sizes.size(); ++i) {
        if (sizes[i] == -1 && open < 0)
            open = i;
        else
            known *= sizes[i];
    }
    const std::int64_t size = x.size(d);
    if (open < 0 ? known != size : known == 0 || size % known != 0)
        throw ShapeError("unflatten: sizes " + sizes.str() + " do not make up dimension " +
                         std::to_string(d) + " of shape " + x.shape().str() + ".");
    for (int i = 0; i < x.dim(); ++i) {
        if (i != d) {
            whole.push_back(x.shape()[i]);
            continue;
        }
        for (int k = 0; k < sizes.size(); ++k)
            whole.push_back(k == open ? size / known : sizes[k]);
    }
    return reshape(x, whole);
}

Tensor squeeze(const Tensor& x) {
    Shape shape;
    for (const std::int64_t size : x.shape())
        if (size != 1) shape.push_back(size);
    return reshape(x, shape);
}

Tensors meshgrid(std::span<const Tensor> xs, bool xy) {
    if (xs.empty()) throw ShapeError("meshgrid needs at least one tensor.");
    if (xy && xs.size() > 1) {
        Tensors swapped(xs.begin(), xs.end());
        std::swap(swapped[0], swapped[1]);
        Tensors result = meshgrid(swapped, false);
        std::swap(result[0], result[1]);
        return result;
    }
    Shape whole;
    for (const Tensor& x : xs) {
        if (x.dim() > 1)
            throw ShapeError("meshgrid needs vectors, not an input of shape " + x.shape().str() +
                             ".");
        whole.push_back(x.numel());
    }
    Tensors result;
    for (std::size_t i = 0; i < xs.size(); ++i) {
        Shape along = Dims::filled(whole.size(), 1);
        along[static_cast<int>(i)] = xs[i].numel();
        result.push_back(expand(reshape(xs[i], along), whole));
    }
    return result;
}

Tensor pad(const Tensor& x, const Dims& pads, std::string_view mode, double value) {
    if (mode == "constant") return pad(x, pads, value);
    const bool reflect = mode == "reflect", circular = mode == "circular";
    if (!reflect && !circular && mode != "replicate")
        throw ValueError("pad: the mode is constant, reflect, replicate or circular, not \"" +
                         std::string(mode) + "\".");
    if (pads.size() % 2 != 0 || pads.size() > 2 * x.dim())
        throw ShapeError("pad: " + pads.str() + " must hold pairs, at most one for each of the " +
                         std::to_string(x.dim()) + " dimensions.");
    if (circular && std::any_of(pads.begin(), pads.end(), [](auto width) { return width < 0; })) {
        // What is cropped does not come round.
        Dims crop = pads, border = pads;
        for (int i = 0; i < pads.size(); ++i) {
            crop[i] = std::min<std::int64_t>(pads[i], 0);
            border[i] = std::max<std::int64_t>(pads[i], 0);
        }
        return pad(pad(x, crop), border, mode, value);
    }
    Tensor result = x;
    for (int i = 0; 2 * i < pads.size(); ++i) {
        const int d = x.dim() - 1 - i;
        const std::int64_t before = pads[2 * i], after = pads[2 * i + 1], size = x.shape()[d];
        if (before == 0 && after == 0) continue;
        const std::int64_t most = std::max(before, after);
        if (size == 0 || (reflect && most >= size) || (circular && most > size) ||
            size + before + after < 0)
            throw ShapeError("pad: " + std::string(mode) + " padding of " + std::to_string(before) +
                             " and " + std::to_string(after) + " does not fit dimension " +
                             std::to_string(d) + " of shape " + x.shape().str() + ".");
        std::vector<std::int64_t> from;
        for (std::int64_t at = -before; at < size + after; ++at) {
            if (circular)
                from.push_back((at % size + size) % size);
            else if (reflect)
                from.push_back(at < 0 ? -at : at >= size ? 2 * (size - 1) - at : at);
            else
                from.push_back(std::clamp<std::int64_t>(at, 0, size - 1));
        }
        result = index_select(result, d, index_of(from));
    }
    return result;
}

Tensor unfold_dim(const Tensor& x, std::int64_t dim, std::int64_t size, std::int64_t step) {
    if (x.dim() == 0) return reshape(unfold_dim(reshape(x, {1}), dim, size, step), {size});
    const int d = wrap_dim(dim, x.dim());
    const std::int64_t length = x.size(d);
    if (size < 0 || size > length || step < 1)
        throw ValueError("unfold: windows of " + std::to_string(size) + " every " +
                         std::to_string(step) + " do not fit dimension " + std::to_string(d) +
                         " of shape " + x.shape().str() + ".");
    const std::int64_t count = (length - size) / step + 1;
    std::vector<std::int64_t> from;
    for (std::int64_t w = 0; w < count; ++w)
        for (std::int64_t i = 0; i < size; ++i)
            from.push_back(w * step + i);
    Shape whole = x.shape();
    whole[d] = count;
    whole.insert(d + 1, size);
    return movedim(reshape(index_select(x, d, index_of(from)), whole), {d + 1}, {-1});
}

// --- matrices

Tensor outer(const Tensor& a, const Tensor& b) {
    need_vector("outer", a);
    need_vector("outer", b);
    return mul(unsqueeze(a, 1), unsqueeze(b, 0));
}
Tensor dot(const Tensor& a, const Tensor& b) {
    need_vector("dot", a);
    need_vector("dot", b);
    if (a.numel() != b.numel())
        throw ShapeError("dot: vectors of " + std::to_string(a.numel()) + " and " +
                         std::to_string(b.numel()) + " elements do not fit.");
    return sum(mul(a, b));
}
Tensor mv(const Tensor& a, const Tensor& b) {
    need_matrix("mv", a, 2);
    need_vector("mv", b);
    return matmul(a, b);
}
Tensor bmm(const Tensor& a, const Tensor& b) {
    need_matrix("bmm", a, 3);
    need_matrix("bmm", b, 3);
    if (a.size(0) != b.size(0))
        throw ShapeError("bmm: batches of " + std::to_string(a.size(0)) + " and " +
                         std::to_string(b.size(0)) + " matrices do not fit.");
    return matmul(a, b);
}
Tensor addmm(const Tensor& x, const Tensor& a, const Tensor& b, double beta, double alpha) {
    const Tensor product = a.dim() == 3 ? bmm(a, b) : (need_matrix("addmm", a, 2), matmul(a, b));
    if (broadcast(x.shape(), product.shape()) != product.shape())
        throw ShapeError("addmm: an input of shape " + x.shape().str() +
                         " cannot be added to a product of shape " + product.shape().str() + ".");
    const Tensor scaled = alpha == 1 ? product : mul(product, alpha);
    // With beta 0 nothing of x may come through, not even a NaN.
    if (beta == 0) return scaled;
    return add(beta == 1 ? x : mul(x, beta), scaled);
}

} // namespace wiregrad
