// Metrics as sums and counts of one batch, to be added up over a split. CPU or other device; the
// thread of the model.
#pragma once

#include "engine/train/trainer.h"

namespace wiregrad::train {

/// Share of right answers. x [N, C, ...] with int64 classes [N, ...], the largest of C counts; or x
/// of the target's shape (also [N, 1] with [N]), a logit that is right when its sign agrees with a
/// target above or below 0.5. Classes equal to `ignore_index` do not count.
MetricSum accuracy(const Tensor& x, const Tensor& target, std::int64_t ignore_index = -100);

/// Share of targets among the k largest of C; x [N, C], target int64 [N].
MetricSum top_k_accuracy(const Tensor& x, const Tensor& target, std::int64_t k,
                         std::int64_t ignore_index = -100);

inline MetricSum& operator+=(MetricSum& a, const MetricSum& b) {
    a.sum += b.sum;
    a.count += b.count;
    if (a.counts.size() < b.counts.size()) a.counts.resize(b.counts.size(), 0);
    for (std::size_t i = 0; i < b.counts.size(); ++i)
        a.counts[i] += b.counts[i];
    if (!a.finish) a.finish = b.finish;
    return a;
}

} // namespace wiregrad::train
