#include "engine/train/explain.h"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "engine/autograd/tape.h"
#include "engine/core/error.h"
#include "engine/op/ops.h"

namespace wiregrad::train {
namespace {

/// Keeps up to two values of a forward pass.
class Catch : public Tap {
  public:
    Catch(const ValuePlace& first, const ValuePlace* second) : first_(first), second_(second) {}
    bool wants(const std::string& node, const std::string& port) const override {
        return is(first_, node, port) || (second_ && is(*second_, node, port));
    }
    void see(const std::string& node, const std::string& port, const Tensor& value) override {
        if (is(first_, node, port)) scores = value;
        if (second_ && is(*second_, node, port)) maps = value;
    }
    Tensor scores, maps;

  private:
    static bool is(const ValuePlace& place, const std::string& node, const std::string& port) {
        return place.node == node && place.port == port;
    }
    const ValuePlace& first_;
    const ValuePlace* second_;
};

struct Answered {
    Tensor score, maps; ///< score: 0-dim
};

Answered ask(Model& model, const Question& question, const Tensor& x, const ValuePlace* maps) {
    Batch batch = question.batch;
    if (batch.fields.empty()) throw ValueError("there is no input to explain");
    batch.fields[0] = x;
    nn::ForwardContext context;
    context.training = false;
    context.state.random = Tensor::zeros({2}, DType::Int64);
    Catch caught(question.scores, maps);
    model.forward(batch, context, &caught);
    if (!caught.scores.defined())
        throw ValueError("this value is no part of the run", question.scores.node);
    const std::int64_t classes = caught.scores.numel();
    if (question.index < 0 || question.index >= classes)
        throw ValueError(fmt::format("there is no class {} among {}", question.index, classes),
                         question.scores.node);
    return {select(reshape(caught.scores, {classes}), 0, question.index), caught.maps};
}

/// d score / d x.
Tensor input_gradient(Model& model, const Question& question, const Tensor& at) {
    Tensor x = at.clone();
    x.set_requires_grad(true);
    const Tensor score = ask(model, question, x, nullptr).score;
    if (!score.requires_grad())
        throw ValueError("the answer does not depend on the input", question.scores.node);
    const Tensor gradient = autograd::grad({&score, 1}, {&x, 1}, {}, {}).front();
    if (!gradient.defined())
        throw ValueError("the answer does not depend on the input", question.scores.node);
    return gradient;
}

const Tensor& input_of(const Question& question) {
    if (question.batch.fields.empty()) throw ValueError("there is no input to explain");
    const Tensor& x = question.batch.fields[0];
    if (!is_floating(x.dtype())) throw ValueError("only an input of real numbers has a gradient");
    return x;
}

} // namespace

double score_of(Model& model, const Question& question) {
    const autograd::NoGrad no_grad;
    return ask(model, question, input_of(question), nullptr).score.item();
}

Tensor saliency(Model& model, const Question& question) {
    const Tensor gradient = input_gradient(model, question, input_of(question));
    const autograd::NoGrad no_grad;
    return abs(gradient);
}

Tensor integrated_gradients(Model& model, const Question& question, int steps) {
    if (steps < 1) throw ValueError(fmt::format("needs at least one step, got {}", steps));
    const Tensor& x = input_of(question);
    Tensor sum = Tensor::zeros(x.shape(), x.dtype());
    for (int i = 0; i < steps; ++i) {
        Tensor part;
        {
            const autograd::NoGrad no_grad;
            part = mul(x, Tensor::full({}, (i + 0.5) / steps, x.dtype()));
        }
        const Tensor gradient = input_gradient(model, question, part);
        const autograd::NoGrad no_grad;
        sum = add(sum, gradient);
    }
    const autograd::NoGrad no_grad;
    return mul(mul(sum, x), Tensor::full({}, 1.0 / steps, x.dtype()));
}

Tensor grad_cam(Model& model, const Question& question, const ValuePlace& maps) {
    Tensor x = input_of(question).clone();
    x.set_requires_grad(true); // so that the maps are on the tape even where weights are frozen
    const Answered answered = ask(model, question, x, &maps);
    if (!answered.maps.defined() || answered.maps.dim() != 4)
        throw ValueError("Grad-CAM needs feature maps [N, C, H, W]", maps.node);
    if (!answered.score.requires_grad() || !answered.maps.requires_grad())
        throw ValueError("the answer does not depend on these feature maps", maps.node);
    const Tensor gradient =
        autograd::grad({&answered.score, 1}, {&answered.maps, 1}, {}, {}).front();
    if (!gradient.defined())
        throw ValueError("the answer does not depend on these feature maps", maps.node);
    const autograd::NoGrad no_grad;
    const Tensor weights = mean(gradient, {2, 3}, true);
    return relu(select(sum(mul(answered.maps.detach(), weights), {1}), 0, 0));
}

Tensor occlusion(Model& model, const Question& question, std::int64_t patch, std::int64_t stride,
                 float fill) {
    const Tensor& x = input_of(question);
    if (x.dim() != 4) throw ValueError("occlusion needs a picture [1, C, H, W]");
    if (patch < 1 || stride < 1) throw ValueError("patch and stride must be at least 1");
    const autograd::NoGrad no_grad;
    const std::int64_t channels = x.size(1), rows = x.size(2), columns = x.size(3);
    const double whole = ask(model, question, x, nullptr).score.item();
    std::vector<double> fall(static_cast<std::size_t>(rows * columns), 0), count = fall;
    for (std::int64_t top = 0; top < rows; top += stride)
        for (std::int64_t left = 0; left < columns; left += stride) {
            Tensor covered = x.clone();
            auto* pixels = covered.data_mut<float>();
            const std::int64_t bottom = std::min(rows, top + patch),
                               right = std::min(columns, left + patch);
            for (std::int64_t c = 0; c < channels; ++c)
                for (std::int64_t i = top; i < bottom; ++i)
                    std::fill(pixels + (c * rows + i) * columns + left,
                              pixels + (c * rows + i) * columns + right, fill);
            const double drop = whole - ask(model, question, covered, nullptr).score.item();
            for (std::int64_t i = top; i < bottom; ++i)
                for (std::int64_t k = left; k < right; ++k) {
                    fall[static_cast<std::size_t>(i * columns + k)] += drop;
                    count[static_cast<std::size_t>(i * columns + k)] += 1;
                }
        }
    Tensor result = Tensor::zeros({rows, columns});
    for (std::size_t i = 0; i < fall.size(); ++i)
        if (count[i] > 0) result.data_mut<float>()[i] = static_cast<float>(fall[i] / count[i]);
    return result;
}

} // namespace wiregrad::train
