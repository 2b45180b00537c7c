// Pictures of what a network makes of samples: the sample itself, pairs with a reconstruction,
// segmentations laid over their pictures, and text as it is written. GUI thread.
#pragma once

#include <QImage>
#include <QPainter>

#include "session/answer_book.h"

namespace wiregrad::studio {

/// A sample [.., height, width] or [.., channels, height, width] as a picture, whatever its
/// normalisation: black is the least of `low` and its values, white the greatest of `high` and
/// them.
QImage sampleImage(const Tensor& sample, double low = 1e300, double high = -1e300);

/// The picture of a segmented sample with the classes after the first laid over it: those of the
/// truth, or of the guess with what it misses in the colour of errors and what is not there in the
/// one of warnings.
QImage maskImage(const MaskAnswer& answer, bool guess);

void paintPairs(QPainter& painter, const AnswerBook& book, QSize size);
void paintMasks(QPainter& painter, const AnswerBook& book, QSize size);
void paintTexts(QPainter& painter, const AnswerBook& book, QSize size);

} // namespace wiregrad::studio
