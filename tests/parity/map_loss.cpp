#include "tests/parity/call.h"

namespace wiregrad::parity {
namespace {

using Pointwise = Tensor (*)(const Tensor&, const Tensor&, Reduction);
Entry pointwise(const std::string& name, std::vector<std::string> rows, Pointwise f) {
    return {"nn.functional." + name, std::move(rows), [f](const Call& c) -> Tensors {
                const Tensor x = c.tensor(0), target = c.tensor(1, "target");
                if (x.shape() != target.shape() && x.dim() > 0)
                    throw ShapeError("loss: input and target differ");
                return {f(x, target, c.reduction(9))};
            }};
}

Tensor integers(const Call& c, int position, const std::string& name) {
    if (c.is_tensor(position, name)) return to(c.tensor(position, name), DType::Int64);
    const Dims values = c.dims(position, name);
    return Tensor::from(values.span(), {values.size()});
}

} // namespace

std::vector<Entry> loss_map() {
    return {
        pointwise("mse_loss", {"mse_loss"}, mse_loss),
        pointwise("l1_loss", {"l1_loss"}, l1_loss),
        pointwise("soft_margin_loss", {}, soft_margin_loss),
        {"nn.functional.smooth_l1_loss",
         {},
         [](const Call& c) -> Tensors {
             return {smooth_l1_loss(c.tensor(0), c.tensor(1, "target"), c.real(9, "beta", 1),
                                    c.reduction(9))};
         }},
        {"nn.functional.huber_loss",
         {},
         [](const Call& c) -> Tensors {
             return {huber_loss(c.tensor(0), c.tensor(1, "target"), c.real(9, "delta", 1),
                                c.reduction(9))};
         }},
        {"nn.functional.cross_entropy",
         {"cross_entropy", "cross_entropy_backward"},
         [](const Call& c) -> Tensors {
             CrossEntropyOptions options;
             options.reduction = c.reduction(9);
             options.ignore_index = c.integer(9, "ignore_index", -100);
             options.label_smoothing = c.real(9, "label_smoothing", 0);
             const Tensor x = c.tensor(0), target = c.tensor(1, "target");
             if (x.dim() == 1 && target.dim() <= 1) { // one sample without a batch
                 const Tensor loss = cross_entropy(unsqueeze(x, 0), unsqueeze(target, 0),
                                                   c.maybe_tensor(9, "weight"), options);
                 return {options.reduction == Reduction::None ? squeeze(loss, 0) : loss};
             }
             return {cross_entropy(x, target, c.maybe_tensor(9, "weight"), options)};
         }},
        {"nn.functional.nll_loss",
         {},
         [](const Call& c) -> Tensors {
             return {nll_loss(c.tensor(0), c.tensor(1, "target"), c.maybe_tensor(2, "weight"),
                              c.integer(9, "ignore_index", -100), c.reduction(9))};
         }},
        {"nn.functional.binary_cross_entropy",
         {"bce", "bce_slope"},
         [](const Call& c) -> Tensors {
             return {binary_cross_entropy(c.tensor(0), c.tensor(1, "target"),
                                          c.maybe_tensor(2, "weight"), c.reduction(9))};
         }},
        {"nn.functional.binary_cross_entropy_with_logits",
         {"binary_cross_entropy_with_logits"},
         [](const Call& c) -> Tensors {
             return {binary_cross_entropy_with_logits(
                 c.tensor(0), c.tensor(1, "target"), c.maybe_tensor(2, "weight"),
                 c.maybe_tensor(9, "pos_weight"), c.reduction(9))};
         }},
        {"nn.functional.kl_div",
         {},
         [](const Call& c) -> Tensors {
             const bool batch = c.text(9, "reduction", "mean") == "batchmean";
             return {kl_div(c.tensor(0), c.tensor(1, "target"), c.flag(9, "log_target", false),
                            batch, batch ? Reduction::Sum : c.reduction(9))};
         }},
        {"nn.functional.poisson_nll_loss",
         {},
         [](const Call& c) -> Tensors {
             return {poisson_nll_loss(c.tensor(0), c.tensor(1, "target"),
                                      c.flag(9, "log_input", true), c.flag(9, "full", false),
                                      c.real(9, "eps", 1e-8), c.reduction(9))};
         }},
        {"nn.functional.gaussian_nll_loss",
         {},
         [](const Call& c) -> Tensors {
             return {gaussian_nll_loss(c.tensor(0), c.tensor(1, "target"), c.tensor(2, "var"),
                                       c.flag(9, "full", false), c.real(9, "eps", 1e-6),
                                       c.reduction(9))};
         }},
        {"nn.functional.triplet_margin_loss",
         {},
         [](const Call& c) -> Tensors {
             return {triplet_margin_loss(c.tensor(0), c.tensor(1, "positive"),
                                         c.tensor(2, "negative"), c.real(9, "margin", 1),
                                         c.real(9, "p", 2), c.real(9, "eps", 1e-6),
                                         c.flag(9, "swap", false), c.reduction(9))};
         }},
        {"nn.functional.cosine_embedding_loss",
         {},
         [](const Call& c) -> Tensors {
             return {cosine_embedding_loss(c.tensor(0), c.tensor(1, "input2"),
                                           c.tensor(2, "target"), c.real(9, "margin", 0),
                                           c.reduction(9))};
         }},
        {"nn.functional.margin_ranking_loss",
         {},
         [](const Call& c) -> Tensors {
             return {margin_ranking_loss(c.tensor(0), c.tensor(1, "input2"), c.tensor(2, "target"),
                                         c.real(9, "margin", 0), c.reduction(9))};
         }},
        {"nn.functional.hinge_embedding_loss",
         {},
         [](const Call& c) -> Tensors {
             return {hinge_embedding_loss(c.tensor(0), c.tensor(1, "target"),
                                          c.real(9, "margin", 1), c.reduction(9))};
         }},
        {"nn.functional.multilabel_soft_margin_loss",
         {},
         [](const Call& c) -> Tensors {
             return {multilabel_soft_margin_loss(c.tensor(0), c.tensor(1, "target"),
                                                 c.maybe_tensor(9, "weight"), c.reduction(9))};
         }},
        {"nn.functional.multi_margin_loss",
         {},
         [](const Call& c) -> Tensors {
             return {multi_margin_loss(c.tensor(0), c.tensor(1, "target"), c.real(9, "p", 1),
                                       c.real(9, "margin", 1), c.maybe_tensor(9, "weight"),
                                       c.reduction(9))};
         }},
        {"nn.functional.ctc_loss",
         {"ctc_loss", "ctc_loss_backward"},
         [](const Call& c) -> Tensors {
             return {ctc_loss(c.tensor(0), to(c.tensor(1, "targets"), DType::Int64),
                              integers(c, 2, "input_lengths"), integers(c, 3, "target_lengths"),
                              c.integer(9, "blank", 0), c.reduction(9),
                              c.flag(9, "zero_infinity", false))};
         }},
    };
}

} // namespace wiregrad::parity
