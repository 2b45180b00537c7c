// PyTorch's losses beyond those of ops.h, under its functional names and with its defaults; and the
// overlap losses that segmentation expects. Made of ops, so that each can be differentiated twice.
#pragma once

#include "engine/op/ops.h"

namespace wiregrad {

/// The reduction of a loss that has one number for each element.
Tensor reduced(const Tensor& losses, Reduction reduction);

/// x [N, C, ...] or [C]: log-probabilities; target int64. The mean divides by the weights' sum.
Tensor nll_loss(const Tensor& x, const Tensor& target, const Tensor& weight = {},
                std::int64_t ignore_index = -100, Reduction reduction = Reduction::Mean);
Tensor smooth_l1_loss(const Tensor& x, const Tensor& target, double beta = 1,
                      Reduction reduction = Reduction::Mean);
Tensor huber_loss(const Tensor& x, const Tensor& target, double delta = 1,
                  Reduction reduction = Reduction::Mean);
/// x: probabilities; logarithms stop at -100.
Tensor binary_cross_entropy(const Tensor& x, const Tensor& target, const Tensor& weight = {},
                            Reduction reduction = Reduction::Mean);
Tensor binary_cross_entropy_with_logits(const Tensor& x, const Tensor& target, const Tensor& weight,
                                        const Tensor& pos_weight, Reduction reduction);
/// batch_mean divides the sum by the first size.
Tensor kl_div(const Tensor& x, const Tensor& target, bool log_target = false,
              bool batch_mean = false, Reduction reduction = Reduction::Mean);
Tensor poisson_nll_loss(const Tensor& x, const Tensor& target, bool log_input = true,
                        bool full = false, double eps = 1e-8,
                        Reduction reduction = Reduction::Mean);
/// The variance is clamped at eps, without a gradient there.
Tensor gaussian_nll_loss(const Tensor& x, const Tensor& target, const Tensor& variance,
                         bool full = false, double eps = 1e-6,
                         Reduction reduction = Reduction::Mean);
Tensor triplet_margin_loss(const Tensor& anchor, const Tensor& positive, const Tensor& negative,
                           double margin = 1, double p = 2, double eps = 1e-6, bool swap = false,
                           Reduction reduction = Reduction::Mean);
Tensor cosine_embedding_loss(const Tensor& a, const Tensor& b, const Tensor& target,
                             double margin = 0, Reduction reduction = Reduction::Mean);
Tensor margin_ranking_loss(const Tensor& a, const Tensor& b, const Tensor& target,
                           double margin = 0, Reduction reduction = Reduction::Mean);
Tensor hinge_embedding_loss(const Tensor& x, const Tensor& target, double margin = 1,
                            Reduction reduction = Reduction::Mean);
Tensor soft_margin_loss(const Tensor& x, const Tensor& target,
                        Reduction reduction = Reduction::Mean);
Tensor multilabel_soft_margin_loss(const Tensor& x, const Tensor& target, const Tensor& weight = {},
                                   Reduction reduction = Reduction::Mean);
Tensor multi_margin_loss(const Tensor& x, const Tensor& target, double p = 1, double margin = 1,
                         const Tensor& weight = {}, Reduction reduction = Reduction::Mean);
/// log_probs [T, N, C]; targets int64 [N, S] or all concatenated; lengths int64 [N]. The mean
/// divides by the targets' lengths first. Cannot be differentiated twice.
Tensor ctc_loss(const Tensor& log_probs, const Tensor& targets, const Tensor& input_lengths,
                const Tensor& target_lengths, std::int64_t blank = 0,
                Reduction reduction = Reduction::Mean, bool zero_infinity = false);

/// 1 - (2 sum(x t) + smooth) / (sum x + sum t + smooth) over each sample; x: probabilities.
Tensor dice_loss(const Tensor& x, const Tensor& target, double smooth = 1,
                 Reduction reduction = Reduction::Mean);
/// 1 - (sum(x t) + smooth) / (sum x + sum t - sum(x t) + smooth) over each sample.
Tensor iou_loss(const Tensor& x, const Tensor& target, double smooth = 1,
                Reduction reduction = Reduction::Mean);
/// -alpha_t (1 - p_t)^gamma log(p_t) of scores x; alpha < 0: no weights.
Tensor sigmoid_focal_loss(const Tensor& x, const Tensor& target, double alpha = 0.25,
                          double gamma = 2, Reduction reduction = Reduction::Mean);

} // namespace wiregrad
