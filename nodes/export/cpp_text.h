// The fixed part of the C++ source that `wiregrad export --to cpp` writes: tensors and kernels in
// plain C++17. For nodes/export/cpp.cpp only.
#pragma once

namespace wiregrad::graph::script {

inline constexpr const char* kCppRuntime = R"cpp(
Tensor adaptive_avg_pool2d(const Tensor& x, const Shape& to) {
    const std::int64_t h = x.size(2), w = x.size(3), planes = x.size(0) * x.size(1), oh = to[2], ow = to[3];
    Tensor y({x.size(0), x.size(1), oh, ow});
    for (std::int64_t p = 0; p < planes; ++p)
        for (std::int64_t i = 0; i < oh; ++i)
            for (std::int64_t j = 0; j < ow; ++j) {
                const std::int64_t top = i * h / oh, bottom = ((i + 1) * h + oh - 1) / oh, left = j * w / ow, right = ((j + 1) * w + ow - 1) / ow;
                float sum = 0;
                for (std::int64_t r = top; r < bottom; ++r)
                    for (std::int64_t c = left; c < right; ++c) sum += x.begin()[(p * h + r) * w + c];
                y.begin()[(p * oh + i) * ow + j] = sum / static_cast<float>((bottom - top) * (right - left));
            }
    return y;
}

Tensor batch_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& mean, const Tensor& variance, double eps) {
    Tensor y(x.shape);
    const std::int64_t channels = x.size(1), inner = x.count() / (x.size(0) * channels);
    for (std::int64_t row = 0; row < x.size(0) * channels; ++row) {
        const std::int64_t c = row % channels;
        const float scale = (weight ? weight.begin()[c] : 1.0F) / std::sqrt(variance.begin()[c] + static_cast<float>(eps));
        const float shift = (bias ? bias.begin()[c] : 0.0F) - mean.begin()[c] * scale;
        for (std::int64_t i = row * inner; i < (row + 1) * inner; ++i) y.begin()[i] = x.begin()[i] * scale + shift;
    }
    return y;
}

Tensor layer_norm(const Tensor& x, std::int64_t inner, const Tensor& weight, const Tensor& bias, double eps) {
    Tensor y(x.shape);
    for (std::int64_t row = 0; row < x.count() / inner; ++row) {
        const float* from = x.begin() + row * inner;
        double mean = 0, square = 0;
        for (std::int64_t i = 0; i < inner; ++i) mean += from[i];
        mean /= static_cast<double>(inner);
        for (std::int64_t i = 0; i < inner; ++i) square += (from[i] - mean) * (from[i] - mean);
        const double scale = 1 / std::sqrt(square / static_cast<double>(inner) + eps);
        for (std::int64_t i = 0; i < inner; ++i)
            y.begin()[row * inner + i] = static_cast<float>((from[i] - mean) * scale) * (weight ? weight.begin()[i] : 1.0F) + (bias ? bias.begin()[i] : 0.0F);
    }
    return y;
}

Tensor softmax(const Tensor& x, std::int64_t dim, bool logarithm) {
    Tensor y(x.shape);
    std::int64_t inner = 1;
    for (std::int64_t d = dim + 1; d < x.rank(); ++d) inner *= x.size(d);
    const std::int64_t size = x.size(dim);
    for (std::int64_t line = 0; line < x.count() / size; ++line) {
        const std::int64_t start = line / inner * inner * size + line % inner;
        float largest = -std::numeric_limits<float>::infinity();
        for (std::int64_t i = 0; i < size; ++i) largest = std::max(largest, x.begin()[start + i * inner]);
        double sum = 0;
        for (std::int64_t i = 0; i < size; ++i) sum += std::exp(x.begin()[start + i * inner] - largest);
        for (std::int64_t i = 0; i < size; ++i) {
            const float from = x.begin()[start + i * inner] - largest;
            y.begin()[start + i * inner] = logarithm ? from - static_cast<float>(std::log(sum)) : static_cast<float>(std::exp(from) / sum);
        }
    }
    return y;
}

Tensor embedding(const Tensor& index, const Tensor& weight) {
    Shape shape = index.shape;
    const std::int64_t width = weight.size(1);
    shape.push_back(width);
    Tensor y(shape);
    for (std::int64_t i = 0; i < index.count(); ++i) {
        const auto row = static_cast<std::int64_t>(index.begin()[i]);
        if (row < 0 || row >= weight.size(0)) throw std::runtime_error("an index is out of range");
        std::copy_n(weight.begin() + row * width, width, y.begin() + i * width);
    }
    return y;
}

template <class F> Tensor each(const Tensor& x, F f) {
    Tensor y(x.shape);
    for (std::int64_t i = 0; i < x.count(); ++i) y.begin()[i] = f(x.begin()[i]);
    return y;
}

Shape strides_for(const Tensor& x, const Shape& to) {
    Shape strides(to.size(), 0);
    std::int64_t step = 1;
    for (std::size_t i = 0; i < x.shape.size(); ++i) {
        const std::size_t from = x.shape.size() - 1 - i;
        if (x.shape[from] != 1) strides[to.size() - 1 - i] = step;
        step *= x.shape[from];
    }
    return strides;
}

// Calls f(place in the result, places in the operands) for every element of `to`.
template <class F> void walk(const Shape& to, const std::vector<Shape>& strides, F f) {
    std::vector<std::int64_t> place(to.size(), 0), at(strides.size(), 0);
    for (std::int64_t i = 0, count = count_of(to); i < count; ++i) {
        f(i, at);
        for (std::size_t d = to.size(); d-- > 0;) {
            ++place[d];
            for (std::size_t s = 0; s < strides.size(); ++s) at[s] += strides[s][d];
            if (place[d] < to[d]) break;
            for (std::size_t s = 0; s < strides.size(); ++s) at[s] -= strides[s][d] * to[d];
            place[d] = 0;
        }
    }
}

template <class F> Tensor both(const Tensor& a, const Tensor& b, const Shape& to, F f) {
    Tensor y(to);
    if (a.shape == b.shape)
        for (std::int64_t i = 0; i < y.count(); ++i) y.begin()[i] = f(a.begin()[i], b.begin()[i]);
    else
        walk(to, {strides_for(a, to), strides_for(b, to)}, [&](std::int64_t i, const auto& at) { y.begin()[i] = f(a.begin()[at[0]], b.begin()[at[1]]); });
    return y;
}

Tensor where(const Tensor& c, const Tensor& a, const Tensor& b, const Shape& to) {
    Tensor y(to);
    walk(to, {strides_for(c, to), strides_for(a, to), strides_for(b, to)},
         [&](std::int64_t i, const auto& at) { y.begin()[i] = c.begin()[at[0]] != 0 ? a.begin()[at[1]] : b.begin()[at[2]]; });
    return y;
}

Tensor scalar(float value) {
    Tensor y(Shape{});
    y.begin()[0] = value;
    return y;
}

Tensor reshape(const Tensor& x, const Shape& to) {
    Tensor y = x;
    y.shape = to;
    return y;
}

// Elements of x by a start and a stride for each dimension of the result.
Tensor strided(const Tensor& x, const Shape& to, std::int64_t start, const Shape& strides) {
    Tensor y(to);
    walk(to, {strides}, [&](std::int64_t i, const auto& at) { y.begin()[i] = x.begin()[start + at[0]]; });
    return y;
}
Shape row_major(const Shape& shape) {
    Shape strides(shape.size(), 1);
    for (std::size_t d = shape.size(); d-- > 1;) strides[d - 1] = strides[d] * shape[d];
    return strides;
}
Tensor permute(const Tensor& x, const Shape& dims, const Shape& to) {
    const Shape own = row_major(x.shape);
    Shape strides;
    for (std::int64_t d : dims) strides.push_back(own[static_cast<std::size_t>(d)]);
    return strided(x, to, 0, strides);
}
Tensor expand(const Tensor& x, const Shape& to) { return strided(x, to, 0, strides_for(x, to)); }
Tensor slice(const Tensor& x, std::int64_t dim, std::int64_t start, std::int64_t step, const Shape& to) {
    Shape strides = row_major(x.shape);
    const std::int64_t from = start * strides[static_cast<std::size_t>(dim)];
    strides[static_cast<std::size_t>(dim)] *= step;
    return strided(x, to, from, strides);
}
Tensor select(const Tensor& x, std::int64_t dim, std::int64_t index, const Shape& to) {
    Shape strides = row_major(x.shape);
    const std::int64_t from = index * strides[static_cast<std::size_t>(dim)];
    strides.erase(strides.begin() + dim);
    return strided(x, to, from, strides);
}
Tensor flip(const Tensor& x, const Shape& dims) {
    Shape strides = row_major(x.shape);
    std::int64_t from = 0;
    for (std::int64_t d : dims) {
        from += strides[static_cast<std::size_t>(d)] * (x.size(d) - 1);
        strides[static_cast<std::size_t>(d)] *= -1;
    }
    return strided(x, x.shape, from, strides);
}
Tensor cat(const std::vector<Tensor>& parts, std::int64_t dim, const Shape& to) {
    Tensor y(to);
    std::int64_t inner = 1, outer = 1, at = 0;
    for (std::int64_t d = 0; d < static_cast<std::int64_t>(to.size()); ++d) (d < dim ? outer : inner) *= d == dim ? 1 : to[static_cast<std::size_t>(d)];
    const std::int64_t whole = to[static_cast<std::size_t>(dim)] * inner;
    for (const Tensor& part : parts) {
        const std::int64_t own = part.size(dim) * inner;
        for (std::int64_t o = 0; o < outer; ++o) std::copy_n(part.begin() + o * own, own, y.begin() + o * whole + at);
        at += own;
    }
    return y;
}
Tensor pad(const Tensor& x, const Shape& before, float value, const Shape& to) {
    Tensor y(to);
    std::fill(y.begin(), y.begin() + y.count(), value);
    const Shape from = row_major(x.shape), into = row_major(to);
    std::vector<std::int64_t> place(x.shape.size(), 0);
    for (std::int64_t i = 0; i < x.count(); ++i) {
        std::int64_t rest = i, target = 0;
        bool inside = true;
        for (std::size_t d = 0; d < x.shape.size(); ++d) {
            const std::int64_t at = rest / from[d] + before[d];
            rest %= from[d];
            inside = inside && at >= 0 && at < to[d];
            target += at * into[d];
        }
        if (inside) y.begin()[target] = x.begin()[i];
    }
    return y;
}
Tensor gather(const Tensor& x, std::int64_t dim, const Tensor& index) {
    Tensor y(index.shape);
    Shape strides = row_major(x.shape);
    const std::int64_t step = strides[static_cast<std::size_t>(dim)];
    strides[static_cast<std::size_t>(dim)] = 0;
    walk(index.shape, {strides}, [&](std::int64_t i, const auto& at) { y.begin()[i] = x.begin()[at[0] + static_cast<std::int64_t>(index.begin()[i]) * step]; });
    return y;
}
Tensor index_select(const Tensor& x, std::int64_t dim, const Tensor& index, const Shape& to) {
    Tensor y(to);
    std::int64_t inner = 1;
    for (std::int64_t d = dim + 1; d < x.rank(); ++d) inner *= x.size(d);
    const std::int64_t own = x.size(dim), chosen = index.count();
    for (std::int64_t o = 0; o < x.count() / (own * inner); ++o)
        for (std::int64_t i = 0; i < chosen; ++i)
            std::copy_n(x.begin() + (o * own + static_cast<std::int64_t>(index.begin()[i])) * inner, inner, y.begin() + (o * chosen + i) * inner);
    return y;
}

// Over the dimensions `dims`; `to` is the shape of the result.
template <class F> Tensor reduce(const Tensor& x, const Shape& dims, const Shape& to, float start, F f) {
    Tensor y(to);
    std::fill(y.begin(), y.begin() + y.count(), start);
    Shape kept = x.shape;
    for (std::int64_t d : dims) kept[static_cast<std::size_t>(d)] = 1;
    Shape strides = row_major(kept);
    for (std::int64_t d : dims) strides[static_cast<std::size_t>(d)] = 0;
    walk(x.shape, {strides}, [&](std::int64_t i, const auto& at) { y.begin()[at[0]] = f(y.begin()[at[0]], x.begin()[i]); });
    return y;
}
Tensor sum(const Tensor& x, const Shape& dims, const Shape& to) {
    return reduce(x, dims, to, 0.0F, [](float a, float b) { return a + b; });
}
Tensor mean(const Tensor& x, const Shape& dims, const Shape& to) {
    Tensor y = sum(x, dims, to);
    const float part = static_cast<float>(y.count()) / static_cast<float>(x.count());
    return each(y, [part](float v) { return v * part; });
}
Tensor amax(const Tensor& x, const Shape& dims, const Shape& to) {
    return reduce(x, dims, to, -std::numeric_limits<float>::infinity(), [](float a, float b) { return std::max(a, b); });
}
Tensor amin(const Tensor& x, const Shape& dims, const Shape& to) {
    return reduce(x, dims, to, std::numeric_limits<float>::infinity(), [](float a, float b) { return std::min(a, b); });
}

Tensor matmul(const Tensor& a, const Tensor& b, const Shape& to) {
    Tensor y(to);
    const std::int64_t m = to[to.size() - 2], n = to.back(), k = a.shape.back();
    const Shape lead(to.begin(), to.end() - 2);
    const auto leading = [&](const Tensor& x) {
        Tensor view;
        view.shape = Shape(x.shape.begin(), x.shape.end() - 2);
        return strides_for(view, lead);
    };
    walk(lead, {leading(a), leading(b)}, [&](std::int64_t i, const auto& at) { gemm(m, n, k, a.begin() + at[0] * m * k, b.begin() + at[1] * k * n, y.begin() + i * m * n); });
    return y;
}

// softmax(q k^T scale + mask) v; a mask of yes and no keeps what is not 0.
Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask, bool yes_or_no, bool causal, float scale, const Shape& to) {
    Tensor y(to);
    const std::int64_t rows = to[to.size() - 2], wide = to.back(), keys = k.size(k.rank() - 2), inner = k.shape.back();
    const Shape lead(to.begin(), to.end() - 2);
    const auto leading = [&](const Tensor& x) {
        Tensor view;
        view.shape = Shape(x.shape.begin(), x.shape.end() - 2);
        return strides_for(view, lead);
    };
    const std::shared_ptr<float> turned = floats(inner * keys), scores = floats(rows * keys);
    Shape allowed_shape = lead;
    allowed_shape.push_back(rows);
    allowed_shape.push_back(keys);
    const Tensor allowed = mask ? expand(mask, allowed_shape) : Tensor();
    walk(lead, {leading(q), leading(k), leading(v)}, [&](std::int64_t i, const auto& at) {
        const float* key = k.begin() + at[1] * keys * inner;
        for (std::int64_t s = 0; s < keys; ++s)
            for (std::int64_t e = 0; e < inner; ++e) turned.get()[e * keys + s] = key[s * inner + e] * scale;
        gemm(rows, keys, inner, q.begin() + at[0] * rows * inner, turned.get(), scores.get());
        for (std::int64_t r = 0; r < rows; ++r) {
            float* line = scores.get() + r * keys;
            float largest = -std::numeric_limits<float>::infinity(), sum = 0;
            for (std::int64_t s = 0; s < keys; ++s) {
                const float m = allowed ? allowed.begin()[(i * rows + r) * keys + s] : 0;
                const bool hidden = (causal && s > r) || (allowed && yes_or_no && m == 0);
                line[s] = hidden ? -std::numeric_limits<float>::infinity() : yes_or_no ? line[s] : line[s] + m;
                largest = std::max(largest, line[s]);
            }
            for (std::int64_t s = 0; s < keys; ++s) sum += line[s] = std::exp(line[s] - largest);
            for (std::int64_t s = 0; s < keys; ++s) line[s] /= sum;
        }
        gemm(rows, wide, keys, scores.get(), v.begin() + at[2] * keys * wide, y.begin() + i * rows * wide);
    });
    return y;
}

// The activations, one number at a time.
float sigmoid(float v) { return 1 / (1 + std::exp(-v)); }
float softplus(float v) { return std::max(v, 0.0F) + std::log1p(std::exp(-std::abs(v))); }

// A recurrent layer over x [steps, batch, inputs]: the outputs of all steps, the last state and, of an LSTM, its cell.
// Weights are [inputs, gates] and [hidden, gates], gates in PyTorch's order; lengths: steps of each sequence.
enum class Cell { lstm, gru, rnn_tanh, rnn_relu };
std::vector<Tensor> recurrent(Cell cell, const Tensor& x, const Tensor& h0, const Tensor& c0, const Tensor& w_ih, const Tensor& w_hh, const Tensor& b_ih, const Tensor& b_hh, const Tensor& lengths, bool reverse) {
    const std::int64_t steps = x.size(0), batch = x.size(1), gates = w_hh.size(1), hidden = w_hh.size(0);
    Tensor y({steps, batch, hidden}), h({batch, hidden}), c({batch, hidden});
    for (Tensor* state : {&h, &c}) {
        const Tensor& from = state == &h ? h0 : c0;
        for (std::int64_t i = 0; i < state->count(); ++i) state->begin()[i] = from ? from.begin()[i] : 0.0F;
    }
    const Tensor given = linear(x, w_ih, b_ih);
    for (std::int64_t step = 0; step < steps; ++step) {
        const std::int64_t t = reverse ? steps - 1 - step : step;
        const Tensor kept = linear(h, w_hh, b_hh);
        for (std::int64_t n = 0; n < batch; ++n) {
            float *out = y.begin() + (t * batch + n) * hidden, *now = h.begin() + n * hidden, *memory = c.begin() + n * hidden;
            if (lengths && static_cast<float>(t) >= lengths.begin()[n]) { // this sequence has ended
                std::fill(out, out + hidden, 0.0F);
                continue;
            }
            const float *a = given.begin() + (t * batch + n) * gates, *b = kept.begin() + n * gates;
            for (std::int64_t j = 0; j < hidden; ++j) {
                const auto gate = [&](std::int64_t g) { return a[g * hidden + j] + b[g * hidden + j]; };
                if (cell == Cell::lstm) {
                    memory[j] = sigmoid(gate(1)) * memory[j] + sigmoid(gate(0)) * std::tanh(gate(2));
                    now[j] = sigmoid(gate(3)) * std::tanh(memory[j]);
                } else if (cell == Cell::gru) {
                    const float r = sigmoid(gate(0)), z = sigmoid(gate(1));
                    now[j] = (1 - z) * std::tanh(a[2 * hidden + j] + r * b[2 * hidden + j]) + z * now[j];
                } else {
                    now[j] = cell == Cell::rnn_tanh ? std::tanh(gate(0)) : std::max(gate(0), 0.0F);
                }
                out[j] = now[j];
            }
        }
    }
    return {y, h, c};
}
)cpp";

inline constexpr const char* kCppMain = R"cpp(
// Size, length and a mixed sum of a tensor, and how far it is from what Wiregrad had.
double difference(const Tensor& x, const std::array<double, 3>& golden) {
    double norm = 0, mixed = 0;
    for (std::int64_t i = 0; i < x.count(); ++i) {
        norm += double(x.begin()[i]) * x.begin()[i];
        mixed += x.begin()[i] * std::cos(double(i));
    }
    if (static_cast<double>(x.count()) != golden[0]) return std::numeric_limits<double>::infinity();
    return std::max(std::abs(std::sqrt(norm) - golden[1]), std::abs(mixed - golden[2])) / std::max(golden[1], 1e-6);
}

// The same made-up numbers as in Wiregrad; whole ones below `classes`.
Tensor sample(Shape shape, std::int64_t classes) {
    Tensor x(std::move(shape));
    for (std::int64_t i = 0; i < x.count(); ++i)
        x.begin()[i] = classes > 0 ? static_cast<float>((i * 7919 + 3) % classes) : static_cast<float>(std::sin(0.7 * double(i) + 0.3) + 0.25 * double(i % 7 - 3));
    return x;
}

std::vector<float> numbers_of(const char* path) {
    std::ifstream file(path, std::ios::binary | std::ios::ate);
    if (!file) throw std::runtime_error(std::string("cannot read ") + path);
    std::vector<float> values(static_cast<std::size_t>(file.tellg()) / sizeof(float));
    file.seekg(0);
    file.read(reinterpret_cast<char*>(values.data()), static_cast<std::streamsize>(values.size() * sizeof(float)));
    return values;
}

} // namespace
)cpp";

} // namespace wiregrad::graph::script
