// Losses made of ops; what reduces to one number does so at the end.
#include "engine/op/losses.h"

#include <fmt/core.h>

#include <cmath>

#include "engine/autograd/tape.h"
#include "engine/core/error.h"
#include "engine/op/elementwise.h"
#include "engine/op/tensor_ops.h"

namespace wiregrad {
namespace {

void same_shape(const char* who, const Tensor& x, const Tensor& target) {
    if (x.shape() != target.shape())
        throw ShapeError(fmt::format("{}: input {} and target {} must have the same shape", who,
                                     x.shape().str(), target.shape().str()));
}

/// Throws `text` when a value lies below `least`; values that are not known yet pass.
void need_at_least(double least, const Tensor& x, const std::string& text) {
    if (!x.has_data() || x.numel() == 0) return;
    const autograd::NoGrad scope;
    if (amin(x.detach()).item() < least) throw ValueError(text);
}

Tensor positive_part(const Tensor& x) {
    return clamp(x, 0, INFINITY);
}

/// x [N, C, ...] and labels [N, ...] from what may lack the batch.
struct Labelled {
    Tensor x, target;
};
Labelled with_batch(const char* who, const Tensor& x, const Tensor& target) {
    if (target.dtype() != DType::Int64)
        throw DTypeError(
            fmt::format("{}: labels are {}, int64 is needed", who, name_of(target.dtype())));
    Labelled result{x, target};
    if (x.dim() == 1 && target.dim() == 0) result = {unsqueeze(x, 0), unsqueeze(target, 0)};
    Shape expected = result.x.shape();
    if (expected.size() >= 2) expected.erase(1);
    if (result.x.dim() < 2 || result.target.shape() != expected)
        throw ShapeError(fmt::format("{}: input {} and labels {} do not fit", who, x.shape().str(),
                                     target.shape().str()));
    return result;
}

void need_class_weights(const char* who, const Tensor& weight, std::int64_t classes) {
    if (weight && weight.shape() != Shape{classes})
        throw ShapeError(fmt::format("{}: weight {} does not match {} classes", who,
                                     weight.shape().str(), classes));
}

Tensor weight_of(const Tensor& weight, const Tensor& labels) {
    return reshape(index_select(weight, 0, reshape(labels, {-1})), labels.shape());
}

} // namespace

Tensor reduced(const Tensor& losses, Reduction reduction) {
    if (reduction == Reduction::None) return losses;
    return reduction == Reduction::Sum ? sum(losses) : mean(losses);
}

Tensor nll_loss(const Tensor& x, const Tensor& target, const Tensor& weight,
                std::int64_t ignore_index, Reduction reduction) {
    const auto [scores, labels] = with_batch("nll_loss", x, target);
    need_class_weights("nll_loss", weight, scores.size(1));
    const Tensor ignored = eq(labels, static_cast<double>(ignore_index));
    const Tensor safe = masked_fill(labels, ignored, 0);
    const Tensor picked = squeeze(gather(scores, 1, unsqueeze(safe, 1)), 1);
    Tensor share = weight ? weight_of(weight, safe) : ones_like(picked);
    share = masked_fill(share, ignored, 0);
    const Tensor losses = masked_fill(neg(mul(picked, share)), ignored, 0);
    if (reduction == Reduction::None) return reshape(losses, target.shape());
    const Tensor total = sum(losses);
    return reduction == Reduction::Sum ? total : div(total, sum(share));
}

Tensor smooth_l1_loss(const Tensor& x, const Tensor& target, double beta, Reduction reduction) {
    same_shape("smooth_l1_loss", x, target);
    if (!(beta >= 0))
        throw ValueError(fmt::format("smooth_l1_loss: beta is {}, it must not be negative", beta));
    if (beta == 0) return l1_loss(x, target, reduction);
    const Tensor d = sub(x, target), size = abs(d);
    return reduced(where(lt(size, beta), mul(square(d), 0.5 / beta), sub(size, 0.5 * beta)),
                   reduction);
}

Tensor huber_loss(const Tensor& x, const Tensor& target, double delta, Reduction reduction) {
    same_shape("huber_loss", x, target);
    if (!(delta > 0))
        throw ValueError(fmt::format("huber_loss: delta is {}, it must be above 0", delta));
    const Tensor d = sub(x, target), size = abs(d);
    return reduced(where(lt(size, delta), mul(square(d), 0.5), mul(sub(size, 0.5 * delta), delta)),
                   reduction);
}

Tensor binary_cross_entropy(const Tensor& x, const Tensor& target, const Tensor& weight,
                            Reduction reduction) {
    static const Op& op = find_op("bce");
    same_shape("binary_cross_entropy", x, target);
    const std::string text =
        "binary_cross_entropy: the input must be probabilities, from 0 to 1; put a sigmoid before "
        "it, or use the loss with logits";
    need_at_least(0, x, text);
    need_at_least(-1, neg(x.detach()), text);
    Tensor losses = elementwise::call_promoted(op, x, target, true);
    if (weight) losses = mul(losses, weight);
    return reduced(losses, reduction);
}

Tensor binary_cross_entropy_with_logits(const Tensor& x, const Tensor& target, const Tensor& weight,
                                        const Tensor& pos_weight, Reduction reduction) {
    if (!weight && !pos_weight) return binary_cross_entropy_with_logits(x, target, reduction);
    same_shape("binary_cross_entropy_with_logits", x, target);
    Tensor scaled = neg(logsigmoid(x));
    if (pos_weight) scaled = mul(scaled, add(mul(target, sub(pos_weight, 1)), 1));
    Tensor losses = add(mul(rsub(1, target), x), scaled);
    if (weight) losses = mul(losses, weight);
    return reduced(losses, reduction);
}

Tensor kl_div(const Tensor& x, const Tensor& target, bool log_target, bool batch_mean,
              Reduction reduction) {
    const Tensor losses =
        log_target ? mul(exp(target), sub(target, x)) : sub(xlogy(target, target), mul(target, x));
    if (!batch_mean) return reduced(losses, reduction);
    if (x.dim() == 0) throw ShapeError("kl_div: a 0-dim input has no batch to average over");
    return div(sum(losses), static_cast<double>(x.size(0)));
}

Tensor poisson_nll_loss(const Tensor& x, const Tensor& target, bool log_input, bool full,
                        double eps, Reduction reduction) {
    Tensor losses = log_input ? sub(exp(x), mul(target, x)) : sub(x, mul(target, log(add(x, eps))));
    if (full) { // Stirling's approximation of log(target!)
        const Tensor small = le(target, 1);
        const Tensor t = masked_fill(target, small, 1);
        const Tensor factorial =
            add(sub(mul(t, log(t)), t), mul(log(mul(t, 6.28318530717958647692)), 0.5));
        losses = add(losses, masked_fill(factorial, small, 0));
    }
    return reduced(losses, reduction);
}

Tensor gaussian_nll_loss(const Tensor& x, const Tensor& target, const Tensor& variance, bool full,
                         double eps, Reduction reduction) {
    Tensor v = variance;
    if (v.shape() != x.shape()) {
        Shape rest = x.shape();
        if (!rest.empty()) rest.erase(rest.size() - 1);
        if (v.shape() == rest) v = unsqueeze(v, -1);
        Shape one = rest;
        one.push_back(1);
        if (v.shape() != one && v.shape() != x.shape())
            throw ShapeError(fmt::format("gaussian_nll_loss: variance {} does not fit input {}",
                                         variance.shape().str(), x.shape().str()));
    }
    need_at_least(0, v, "gaussian_nll_loss: a variance is negative");
    v = add(v, sub(clamp(v, eps, INFINITY), v).detach());
    Tensor losses = mul(add(log(v), div(square(sub(x, target)), v)), 0.5);
    if (full) losses = add(losses, 0.91893853320467274178); // log(2 pi) / 2
    return reduced(losses, reduction);
}

Tensor triplet_margin_loss(const Tensor& anchor, const Tensor& positive, const Tensor& negative,
                           double margin, double p, double eps, bool swap, Reduction reduction) {
    if (anchor.dim() != positive.dim() || anchor.dim() != negative.dim())
        throw ShapeError(fmt::format("triplet_margin_loss: anchor {}, positive {} and negative {} "
                                     "need as many dimensions",
                                     anchor.shape().str(), positive.shape().str(),
                                     negative.shape().str()));
    const Tensor near = pairwise_distance(anchor, positive, p, eps);
    Tensor far = pairwise_distance(anchor, negative, p, eps);
    if (swap) far = minimum(far, pairwise_distance(positive, negative, p, eps));
    return reduced(positive_part(add(sub(near, far), margin)), reduction);
}

Tensor cosine_embedding_loss(const Tensor& a, const Tensor& b, const Tensor& target, double margin,
                             Reduction reduction) {
    if (target.dim() > 1 || a.dim() != target.dim() + 1 || a.shape() != b.shape())
        throw ShapeError(fmt::format("cosine_embedding_loss: inputs {} and {} with targets {} "
                                     "must be [N, D], [N, D] and [N]",
                                     a.shape().str(), b.shape().str(), target.shape().str()));
    constexpr double kTiny = 1e-12;
    const Dims last{-1};
    const Tensor sizes =
        sqrt(mul(add(sum(square(a), last), kTiny), add(sum(square(b), last), kTiny)));
    const Tensor cosine = div(sum(mul(a, b), last), sizes);
    const Tensor alike = masked_fill(rsub(1, cosine), ne(target, 1), 0);
    const Tensor apart = masked_fill(positive_part(sub(cosine, margin)), ne(target, -1), 0);
    return reduced(add(alike, apart), reduction);
}

Tensor margin_ranking_loss(const Tensor& a, const Tensor& b, const Tensor& target, double margin,
                           Reduction reduction) {
    if (a.dim() != b.dim() || a.dim() != target.dim())
        throw ShapeError(fmt::format("margin_ranking_loss: inputs {} and {} and targets {} need as "
                                     "many dimensions",
                                     a.shape().str(), b.shape().str(), target.shape().str()));
    return reduced(positive_part(add(mul(neg(target), sub(a, b)), margin)), reduction);
}

Tensor hinge_embedding_loss(const Tensor& x, const Tensor& target, double margin,
                            Reduction reduction) {
    const Tensor apart = masked_fill(positive_part(rsub(margin, x)), eq(target, 1), 0);
    return reduced(add(apart, masked_fill(x, eq(target, -1), 0)), reduction);
}

Tensor soft_margin_loss(const Tensor& x, const Tensor& target, Reduction reduction) {
    same_shape("soft_margin_loss", x, target);
    return reduced(neg(logsigmoid(mul(target, x))), reduction);
}

Tensor multilabel_soft_margin_loss(const Tensor& x, const Tensor& target, const Tensor& weight,
                                   Reduction reduction) {
    same_shape("multilabel_soft_margin_loss", x, target);
    Tensor losses = neg(add(mul(target, logsigmoid(x)), mul(rsub(1, target), logsigmoid(neg(x)))));
    if (weight) losses = mul(losses, weight);
    return reduced(mean(losses, {-1}), reduction);
}

Tensor multi_margin_loss(const Tensor& x, const Tensor& target, double p, double margin,
                         const Tensor& weight, Reduction reduction) {
    if (p != 1 && p != 2)
        throw ValueError(fmt::format("multi_margin_loss: p is {}, it must be 1 or 2", p));
    const bool single = x.dim() <= 1;
    const Tensor scores = single ? reshape(x, {1, -1}) : x;
    const Tensor labels = single && target.dim() <= 1 ? reshape(target, {-1}) : target;
    if (scores.dim() != 2 || labels.shape() != Shape{scores.size(0)} || scores.size(1) == 0)
        throw ShapeError(fmt::format("multi_margin_loss: input {} and labels {} must be [N, C] and "
                                     "[N]",
                                     x.shape().str(), target.shape().str()));
    need_class_weights("multi_margin_loss", weight, scores.size(1));
    const Tensor right = gather(scores, 1, unsqueeze(labels, 1));
    Tensor slack = relu(add(sub(scores, right), margin));
    if (p == 2) slack = square(slack);
    if (weight) slack = mul(slack, unsqueeze(weight_of(weight, labels), 1));
    slack = masked_fill(slack, eq(one_hot(labels, scores.size(1)), 1), 0);
    const Tensor losses = mean(slack, {1});
    return reduced(single && target.dim() == 0 ? squeeze(losses, 0) : losses, reduction);
}

// --- overlap and focus

namespace {

/// Sums over each sample, the first dimension.
Tensor by_sample(const Tensor& x) {
    return x.dim() < 2 ? x : sum(flatten(x, 1), {1});
}

} // namespace

Tensor dice_loss(const Tensor& x, const Tensor& target, double smooth, Reduction reduction) {
    same_shape("dice_loss", x, target);
    const Tensor both = by_sample(mul(x, target));
    const Tensor all = add(by_sample(x), by_sample(target));
    return reduced(rsub(1, div(add(mul(both, 2), smooth), add(all, smooth))), reduction);
}

Tensor iou_loss(const Tensor& x, const Tensor& target, double smooth, Reduction reduction) {
    same_shape("iou_loss", x, target);
    const Tensor both = by_sample(mul(x, target));
    const Tensor either = sub(add(by_sample(x), by_sample(target)), both);
    return reduced(rsub(1, div(add(both, smooth), add(either, smooth))), reduction);
}

Tensor sigmoid_focal_loss(const Tensor& x, const Tensor& target, double alpha, double gamma,
                          Reduction reduction) {
    const Tensor p = sigmoid(x);
    const Tensor missed = sub(add(p, target), mul(mul(p, target), 2)); // 1 - p_t
    Tensor losses =
        mul(binary_cross_entropy_with_logits(x, target, Reduction::None), pow(missed, gamma));
    if (alpha >= 0) losses = mul(losses, add(mul(target, 2 * alpha - 1), 1 - alpha));
    return reduced(losses, reduction);
}

} // namespace wiregrad
