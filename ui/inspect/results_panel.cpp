#include "ui/inspect/results_panel.h"

#include <QComboBox>
#include <QHBoxLayout>
#include <QHelpEvent>
#include <QMouseEvent>
#include <QPainter>
#include <QPointer>
#include <QSignalBlocker>
#include <QStackedLayout>
#include <QTabBar>
#include <QToolTip>
#include <QVBoxLayout>

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "ui/panels/format.h"
#include "ui/panels/parts.h"
#include "ui/theme/theme.h"

namespace wiregrad::studio {

namespace {

constexpr std::size_t kMistakes = 40;
constexpr int kNamedCells = 20; ///< up to so many classes, cells hold numbers

const char* nameOf(ResultView view) {
    constexpr const char* kNames[] = {"Confusion",   "Classes",  "ROC",       "Precision / recall",
                                      "Calibration", "Mistakes", "Residuals", "Pairs",
                                      "Pictures",    "Text"};
    return kNames[int(view)];
}

std::vector<ResultView> viewsOf(AnswerKind kind) {
    switch (kind) {
    case AnswerKind::Classes:
        return {ResultView::Confusion,       ResultView::Classes,     ResultView::Roc,
                ResultView::PrecisionRecall, ResultView::Calibration, ResultView::Mistakes};
    case AnswerKind::Numbers:
        return {ResultView::Residuals};
    case AnswerKind::Pictures:
        return {ResultView::Pairs};
    case AnswerKind::Masks:
        return {ResultView::Masks, ResultView::Confusion, ResultView::Classes};
    case AnswerKind::Text:
        return {ResultView::Text};
    default:
        return {};
    }
}

} // namespace

/// The picture itself; painted from the book.
class ResultPicture : public QWidget {
  public:
    ResultPicture(AnswerBook& book, QWidget* parent) : QWidget(parent), book_(book) {
        setMouseTracking(true);
        setMinimumHeight(Theme::instance().space(30));
        QObject::connect(&Theme::instance(), &Theme::changed, this, [this] { update(); });
    }

    ResultView view = ResultView::Confusion;
    std::int64_t chosenClass = 0;
    std::function<void(std::int64_t)> sampleChosen;

    void refresh() {
        const auto& answers = book_.answers();
        switch (view) {
        case ResultView::Confusion:
        case ResultView::Classes:
            confusion_ = book_.kind() == AnswerKind::Masks
                             ? book_.pixels()
                             : train::confusion_of(answers, book_.classes());
            figures_ = train::figures_of(confusion_);
            break;
        case ResultView::Roc:
            curve_ = train::roc_of(answers, chosenClass);
            break;
        case ResultView::PrecisionRecall:
            curve_ = train::precision_recall_of(answers, chosenClass);
            break;
        case ResultView::Calibration:
            bins_ = train::calibration_of(answers);
            break;
        case ResultView::Mistakes:
            takeMistakes();
            break;
        case ResultView::Residuals:
            residuals_ = train::residuals_of(book_.targets(), book_.guesses());
            break;
        case ResultView::Pairs:
        case ResultView::Masks:
        case ResultView::Text:
            break;
        }
        update();
    }

    QString summary() const {
        const auto count = std::int64_t(book_.answers().size());
        switch (view) {
        case ResultView::Confusion:
        case ResultView::Classes:
            return tr("%1 of %2 right: %3")
                .arg(countText(std::llround(confusion_.accuracy() * double(confusion_.total()))),
                     countText(confusion_.total()), percentText(confusion_.accuracy()));
        case ResultView::Roc:
            return tr("%1 against all others, area %2")
                .arg(book_.className(chosenClass), numberText(train::area_under(curve_)));
        case ResultView::PrecisionRecall:
            return tr("%1 against all others, average precision %2")
                .arg(book_.className(chosenClass), numberText(train::average_precision(curve_)));
        case ResultView::Calibration:
            return tr("How sure it is, and how often right: %1 off on average")
                .arg(percentText(train::calibration_error(bins_), 1));
        case ResultView::Mistakes:
            return mistakes_.empty()
                       ? tr("No mistake among %1 samples").arg(countText(count))
                       : tr("%1 mistakes, the most confident first").arg(countText(wrong_));
        case ResultView::Residuals:
            return tr("Mean error %1, root mean square %2, R² %3")
                .arg(numberText(residuals_.mean_absolute), numberText(residuals_.root_mean_square),
                     numberText(residuals_.r2));
        case ResultView::Pairs:
            return tr("Given above, the network's picture below");
        case ResultView::Masks: {
            const double iou = train::mean_finite(train::intersection_over_union(book_.pixels()));
            return tr("%1 of the pixels right, mean IoU %2")
                .arg(percentText(book_.pixels().accuracy()), numberText(iou, 3));
        }
        case ResultView::Text:
            return tr("What it writes after the first sample");
        }
        return {};
    }

    QString textAt(QPointF at) const {
        if (view == ResultView::Confusion) {
            const QRectF place = matrix();
            if (!place.contains(at) || confusion_.classes < 1) return {};
            const double cell = place.width() / double(confusion_.classes);
            const auto guess = std::int64_t((at.x() - place.left()) / cell),
                       truth = std::int64_t((at.y() - place.top()) / cell);
            if (guess >= confusion_.classes || truth >= confusion_.classes) return {};
            return (book_.kind() == AnswerKind::Masks
                        ? tr("%1 pixels are %2 and were taken for %3")
                        : tr("%1 samples are %2 and were taken for %3"))
                .arg(countText(confusion_.at(truth, guess)), book_.className(truth),
                     book_.className(guess));
        }
        if (view == ResultView::Mistakes)
            for (const Mistake& one : mistakes_)
                if (one.place.contains(at))
                    return tr("Sample %1 is %2, taken for %3 (%4 sure)")
                        .arg(one.sample)
                        .arg(book_.className(one.truth), book_.className(one.guess),
                             percentText(one.sure, 1));
        return {};
    }

  protected:
    bool event(QEvent* event) override {
        if (event->type() == QEvent::ToolTip) {
            const auto* help = static_cast<QHelpEvent*>(event);
            QToolTip::showText(help->globalPos(), textAt(help->pos()), this);
            return true;
        }
        return QWidget::event(event);
    }

    void mouseReleaseEvent(QMouseEvent* event) override {
        if (view != ResultView::Mistakes) return;
        for (const Mistake& one : mistakes_)
            if (one.place.contains(event->position()) && sampleChosen) sampleChosen(one.sample);
    }

    void paintEvent(QPaintEvent*) override {
        QPainter painter(this);
        painter.setRenderHint(QPainter::Antialiasing);
        switch (view) {
        case ResultView::Confusion:
            paintConfusion(painter);
            break;
        case ResultView::Classes:
            paintClasses(painter);
            break;
        case ResultView::Roc:
        case ResultView::PrecisionRecall:
            paintCurve(painter);
            break;
        case ResultView::Calibration:
            paintCalibration(painter);
            break;
        case ResultView::Mistakes:
            paintMistakes(painter);
            break;
        case ResultView::Residuals:
            paintResiduals(painter);
            break;
        case ResultView::Pairs:
            paintPairs(painter, book_, size());
            break;
        case ResultView::Masks:
            paintMasks(painter, book_, size());
            break;
        case ResultView::Text:
            paintTexts(painter, book_, size());
            break;
        }
    }

  private:
    struct Mistake {
        std::int64_t sample = 0, truth = 0, guess = 0;
        double sure = 0;
        QRectF place;
    };

    QFont small() const { return Theme::instance().font(0.85); }

    double nameWidth() const {
        const QFontMetricsF metrics(small());
        double width = 0;
        for (std::int64_t i = 0; i < std::min<std::int64_t>(book_.classes(), 200); ++i)
            width = std::max(width, metrics.horizontalAdvance(book_.className(i)));
        return std::min(width, this->width() * 0.25) + Theme::instance().space(2);
    }

    QRectF matrix() const {
        const double left = nameWidth() + QFontMetricsF(small()).height() * 1.3;
        const double bottom = QFontMetricsF(small()).height() * 2.6;
        const double side = std::max(20.0, std::min(width() - left - 2, height() - bottom - 2));
        return {left, 1, side, side};
    }

    void paintConfusion(QPainter& painter) {
        const Theme& theme = Theme::instance();
        const std::int64_t n = confusion_.classes;
        if (n < 1) return;
        const QRectF place = matrix();
        const double cell = place.width() / double(n);
        painter.setRenderHint(QPainter::Antialiasing, false);
        painter.fillRect(place, theme.color(Token::PlotBackground));
        const QFontMetricsF metrics(small());
        const bool numbers = n <= kNamedCells && cell > metrics.height();
        for (std::int64_t truth = 0; truth < n; ++truth) {
            const double all =
                double(std::max<std::int64_t>(1, figures_[std::size_t(truth)].support));
            for (std::int64_t guess = 0; guess < n; ++guess) {
                const std::int64_t count = confusion_.at(truth, guess);
                if (count == 0) continue;
                const double share = double(count) / all;
                QColor colour = theme.color(truth == guess ? Token::Success : Token::Error);
                colour.setAlphaF(float(std::clamp(0.12 + 0.88 * std::sqrt(share), 0.0, 1.0)));
                const QRectF box(place.left() + cell * double(guess),
                                 place.top() + cell * double(truth), cell, cell);
                painter.fillRect(box.adjusted(0, 0, cell > 6 ? -1 : 0, cell > 6 ? -1 : 0), colour);
                if (numbers) {
                    painter.setFont(small());
                    painter.setPen(
                        share > 0.4 ? (theme.isDark() ? QColor(10, 14, 20) : QColor(255, 255, 255))
                                    : theme.color(Token::Text));
                    const QString text = cell > metrics.horizontalAdvance(QStringLiteral("0000"))
                                             ? countText(count)
                                             : shortCountText(double(count));
                    if (metrics.horizontalAdvance(text) <= cell)
                        painter.drawText(box, Qt::AlignCenter, text);
                }
            }
        }
        painter.setPen(QPen(theme.color(Token::Border), 1));
        painter.drawRect(place);
        painter.setFont(small());
        painter.setPen(theme.color(Token::TextMuted));
        const auto every = std::int64_t(std::ceil(metrics.height() / cell));
        for (std::int64_t i = 0; i < n; i += every) {
            painter.drawText(
                QRectF(place.left() - nameWidth(), place.top() + cell * double(i), nameWidth() - 6,
                       cell * double(every)),
                Qt::AlignRight | Qt::AlignVCenter,
                metrics.elidedText(book_.className(i), Qt::ElideRight, nameWidth() - 6));
            const QString below = book_.className(i);
            if (metrics.horizontalAdvance(below) < cell * double(every) - 2)
                painter.drawText(QRectF(place.left() + cell * double(i), place.bottom() + 2,
                                        cell * double(every), metrics.height()),
                                 Qt::AlignCenter, below);
        }
        painter.drawText(QRectF(place.left(), place.bottom() + metrics.height() * 1.2,
                                place.width(), metrics.height() * 1.3),
                         Qt::AlignCenter, tr("taken for"));
        painter.save();
        painter.translate(metrics.height() * 0.1, place.center().y());
        painter.rotate(-90);
        painter.drawText(QRectF(-place.height() / 2, 0, place.height(), metrics.height() * 1.2),
                         Qt::AlignCenter, tr("truth"));
        painter.restore();
    }

    void paintClasses(QPainter& painter) {
        const Theme& theme = Theme::instance();
        const QFontMetricsF metrics(small());
        const double names = nameWidth(),
                     row = std::max(
                         metrics.height() + 4.0,
                         std::min(double(theme.space(7)), height() / double(figures_.size() + 1)));
        constexpr const char* kHeads[] = {"precision", "recall", "F1", "samples"};
        const double column = std::max(30.0, (width() - names) / 4);
        painter.setFont(small());
        painter.setPen(theme.color(Token::TextMuted));
        for (int i = 0; i < 4; ++i)
            painter.drawText(QRectF(names + column * i, 0, column, row), Qt::AlignCenter,
                             metrics.elidedText(tr(kHeads[i]), Qt::ElideRight, column));
        double y = row;
        for (std::size_t c = 0; c < figures_.size() && y + row <= height(); ++c, y += row) {
            painter.setPen(theme.color(Token::Text));
            painter.drawText(
                QRectF(0, y, names - 6, row), Qt::AlignRight | Qt::AlignVCenter,
                metrics.elidedText(book_.className(std::int64_t(c)), Qt::ElideRight, names - 6));
            const double values[] = {figures_[c].precision, figures_[c].recall, figures_[c].f1};
            for (int i = 0; i < 3; ++i) {
                const QRectF box(names + column * i + 3, y + 2, column - 6, row - 4);
                QColor back = theme.color(Token::Curve1);
                back.setAlphaF(0.28F);
                painter.fillRect(
                    QRectF(box.left(), box.top(), box.width() * values[i], box.height()), back);
                painter.drawText(box, Qt::AlignCenter, percentText(values[i], 1));
            }
            painter.drawText(QRectF(names + column * 3, y, column, row), Qt::AlignCenter,
                             countText(figures_[c].support));
        }
    }

    QRectF unitSquare() const {
        const double edge = QFontMetricsF(small()).height() * 1.8;
        const double side = std::max(20.0, std::min(width() - edge * 1.8 - 2, height() - edge - 2));
        return {edge * 1.8, 2, side, side};
    }

    void paintAxes(QPainter& painter, const QRectF& place, const QString& x,
                   const QString& y) const {
        const Theme& theme = Theme::instance();
        painter.fillRect(place, theme.color(Token::PlotBackground));
        painter.setPen(QPen(theme.color(Token::PlotGrid), 1));
        for (int i = 1; i < 4; ++i) {
            painter.drawLine(QPointF(place.left() + place.width() * i / 4, place.top()),
                             QPointF(place.left() + place.width() * i / 4, place.bottom()));
            painter.drawLine(QPointF(place.left(), place.top() + place.height() * i / 4),
                             QPointF(place.right(), place.top() + place.height() * i / 4));
        }
        painter.setPen(QPen(theme.color(Token::Border), 1));
        painter.drawRect(place);
        const QFontMetricsF metrics(small());
        painter.setFont(small());
        painter.setPen(theme.color(Token::TextMuted));
        const double line = metrics.height();
        painter.drawText(QPointF(place.left(), place.bottom() + line), QStringLiteral("0"));
        painter.drawText(QPointF(place.right() - metrics.horizontalAdvance(QLatin1Char('1')),
                                 place.bottom() + line),
                         QStringLiteral("1"));
        painter.drawText(QRectF(place.left(), place.bottom() + 2, place.width(), line * 1.2),
                         Qt::AlignCenter, x);
        painter.drawText(QRectF(place.left() - line * 1.1, place.top(), line, line),
                         Qt::AlignCenter, QStringLiteral("1"));
        painter.save();
        painter.translate(place.left() - line * 1.4, place.center().y());
        painter.rotate(-90);
        painter.drawText(QRectF(-place.height() / 2, -line * 0.4, place.height(), line * 1.2),
                         Qt::AlignCenter, y);
        painter.restore();
    }

    void paintCurve(QPainter& painter) const {
        const Theme& theme = Theme::instance();
        const bool roc = view == ResultView::Roc;
        const QRectF place = unitSquare();
        paintAxes(painter, place, roc ? tr("false alarms") : tr("recall"),
                  roc ? tr("found") : tr("precision"));
        const auto map = [&](double x, double y) {
            return QPointF(place.left() + x * place.width(), place.bottom() - y * place.height());
        };
        if (roc) {
            painter.setPen(QPen(theme.color(Token::TextMuted), 1, Qt::DashLine));
            painter.drawLine(map(0, 0), map(1, 1));
        }
        QPolygonF line;
        for (const train::RatePoint& point : curve_)
            line << map(point.x, point.y);
        QPen pen(theme.color(Token::Curve1), 2);
        pen.setJoinStyle(Qt::RoundJoin);
        painter.setPen(pen);
        painter.drawPolyline(line);
    }

    void paintCalibration(QPainter& painter) const {
        const Theme& theme = Theme::instance();
        const QRectF place = unitSquare();
        paintAxes(painter, place, tr("how sure"), tr("how often right"));
        const auto map = [&](double x, double y) {
            return QPointF(place.left() + x * place.width(), place.bottom() - y * place.height());
        };
        std::int64_t most = 1;
        for (const auto& bin : bins_)
            most = std::max(most, bin.count);
        for (std::size_t i = 0; i < bins_.size(); ++i) {
            if (bins_[i].count == 0) continue;
            const double left = double(i) / double(bins_.size()),
                         right = double(i + 1) / double(bins_.size());
            QColor colour = theme.color(Token::Curve1);
            // Few answers, pale bar.
            colour.setAlphaF(float(0.25 + 0.65 * std::sqrt(double(bins_[i].count) / double(most))));
            painter.fillRect(
                QRectF(map(left, bins_[i].accuracy), map(right, 0)).adjusted(1, 0, -1, 0), colour);
            painter.setPen(QPen(theme.color(Token::Curve2), 2));
            painter.drawLine(map(left, bins_[i].confidence), map(right, bins_[i].confidence));
        }
        painter.setPen(QPen(theme.color(Token::TextMuted), 1, Qt::DashLine));
        painter.drawLine(map(0, 0), map(1, 1));
    }

    void takeMistakes() {
        const auto& answers = book_.answers();
        wrong_ = 0;
        for (const train::Answer& answer : answers)
            wrong_ += answer.guess() >= 0 && answer.guess() != answer.truth;
        mistakes_.clear();
        for (const std::size_t at : train::worst_mistakes(answers, kMistakes)) {
            const train::Answer& answer = answers[at];
            mistakes_.push_back({answer.sample,
                                 answer.truth,
                                 answer.guess(),
                                 double(answer.probabilities[std::size_t(answer.guess())]),
                                 {}});
            if (pictures_.count(answer.sample) || asked_.count(answer.sample)) continue;
            if (pictures_.size() > 400) pictures_.clear();
            asked_.insert(answer.sample);
            const QPointer<QWidget> alive(this);
            book_.fetch(answer.sample, [this, alive, sample = answer.sample](const Tensor& x) {
                if (!alive) return;
                asked_.erase(sample);
                pictures_[sample] = x.dim() >= 3 ? sampleImage(x) : QImage();
                update();
            });
        }
    }

    void paintMistakes(QPainter& painter) {
        const Theme& theme = Theme::instance();
        const QFontMetricsF metrics(small());
        const double side = theme.space(15), high = side + metrics.height() + theme.space(2),
                     wide = std::max(side, metrics.horizontalAdvance(QStringLiteral("000 → 000"))) +
                            theme.space(2);
        const int columns = std::max(1, int(width() / wide));
        int at = 0;
        for (Mistake& one : mistakes_) {
            const QPointF corner(at % columns * wide, at / columns * high);
            one.place = QRectF();
            if (corner.y() + high > height()) break;
            one.place = QRectF(corner, QSizeF(wide - theme.space(2), high - theme.space(2)));
            const QRectF frame(corner.x() + (one.place.width() - side) / 2, corner.y(), side, side);
            painter.fillRect(frame, theme.color(Token::PlotBackground));
            if (const auto found = pictures_.find(one.sample);
                found != pictures_.end() && !found->second.isNull())
                painter.drawImage(frame, found->second);
            else {
                painter.setPen(theme.color(Token::TextMuted));
                painter.setFont(small());
                painter.drawText(frame, Qt::AlignCenter, QStringLiteral("#%1").arg(one.sample));
            }
            painter.setFont(small());
            painter.setPen(theme.color(Token::Text));
            painter.drawText(
                QRectF(corner.x(), corner.y() + side, one.place.width(), metrics.height()),
                Qt::AlignCenter,
                metrics.elidedText(QStringLiteral("%1 → %2").arg(book_.className(one.truth),
                                                                 book_.className(one.guess)),
                                   Qt::ElideRight, one.place.width()));
            ++at;
        }
    }

    void paintResiduals(QPainter& painter) const {
        const Theme& theme = Theme::instance();
        const QRectF place = unitSquare();
        const auto &targets = book_.targets(), &guesses = book_.guesses();
        double low = 1e300, high = -1e300;
        for (const auto* list : {&targets, &guesses})
            for (const double value : *list)
                if (std::isfinite(value)) {
                    low = std::min(low, value);
                    high = std::max(high, value);
                }
        if (!(high > low)) high = low + 1;
        painter.fillRect(place, theme.color(Token::PlotBackground));
        const auto map = [&](double x, double y) {
            return QPointF(place.left() + (x - low) / (high - low) * place.width(),
                           place.bottom() - (y - low) / (high - low) * place.height());
        };
        painter.setPen(QPen(theme.color(Token::TextMuted), 1, Qt::DashLine));
        painter.drawLine(map(low, low), map(high, high));
        QColor ink = theme.color(Token::Curve1);
        ink.setAlphaF(0.55F);
        painter.setPen(Qt::NoPen);
        painter.setBrush(ink);
        const std::size_t count = std::min(targets.size(), guesses.size()),
                          stride = std::max<std::size_t>(1, count / 4000);
        for (std::size_t i = 0; i < count; i += stride)
            if (std::isfinite(targets[i]) && std::isfinite(guesses[i]))
                painter.drawEllipse(map(targets[i], guesses[i]), 2, 2);
        painter.setBrush(Qt::NoBrush);
        painter.setPen(QPen(theme.color(Token::Border), 1));
        painter.drawRect(place);
        painter.setFont(small());
        painter.setPen(theme.color(Token::TextMuted));
        const QFontMetricsF metrics(small());
        painter.drawText(QPointF(place.left(), place.bottom() + metrics.height()),
                         numberText(low, 3));
        const QString top = numberText(high, 3);
        painter.drawText(QPointF(place.right() - metrics.horizontalAdvance(top),
                                 place.bottom() + metrics.height()),
                         top);
        painter.drawText(
            QRectF(place.left(), place.bottom() + 2, place.width(), metrics.height() * 1.2),
            Qt::AlignCenter, tr("truth"));
        painter.save();
        painter.translate(place.left() - metrics.height() * 1.2, place.center().y());
        painter.rotate(-90);
        painter.drawText(QRectF(-place.height() / 2, -metrics.height() * 0.2, place.height(),
                                metrics.height() * 1.2),
                         Qt::AlignCenter, tr("guess"));
        painter.restore();
    }

    AnswerBook& book_;
    train::Confusion confusion_;
    std::vector<train::ClassFigures> figures_;
    std::vector<train::RatePoint> curve_;
    std::vector<train::CalibrationBin> bins_;
    train::Residuals residuals_;
    std::vector<Mistake> mistakes_;
    std::int64_t wrong_ = 0;
    std::map<std::int64_t, QImage> pictures_;
    std::set<std::int64_t> asked_;
};

struct ResultsPanel::Impl {
    TrainSession& session;
    AnswerBook book;
    ResultsPanel* q;
    QStackedLayout* pages = nullptr;
    EmptyState* empty = nullptr;
    QTabBar* tabs = nullptr; ///< scrolls where the panel is narrow
    std::vector<ResultView> views;
    QComboBox *classChoice = nullptr, *split = nullptr;
    TextLabel* headline = nullptr;
    ResultPicture* picture = nullptr;
    AnswerKind kind = AnswerKind::None, judged = AnswerKind::None;

    Impl(TrainSession& run, ResultsPanel* panel) : session(run), book(run), q(panel) {}

    void refresh();
    void configure();
    void choose(ResultView view);
};

void ResultsPanel::Impl::choose(ResultView view) {
    picture->view = view;
    const auto at = std::find(views.begin(), views.end(), view);
    if (at != views.end()) {
        const QSignalBlocker block(tabs);
        tabs->setCurrentIndex(int(at - views.begin()));
    }
    classChoice->setVisible(view == ResultView::Roc || view == ResultView::PrecisionRecall);
    refresh();
}

void ResultsPanel::Impl::configure() {
    if (book.kind() == kind) return;
    kind = book.kind();
    views = viewsOf(kind);
    {
        const QSignalBlocker block(tabs);
        while (tabs->count() > 0)
            tabs->removeTab(0);
        for (const ResultView view : views)
            tabs->addTab(tr(nameOf(view)));
    }
    tabs->setVisible(views.size() > 1);
    classChoice->clear();
    for (std::int64_t i = 0; i < book.classes(); ++i)
        classChoice->addItem(book.className(i));
    // The view that was chosen stays over a new run of the same kind.
    if (!views.empty() && std::exchange(judged, kind) != kind) picture->view = views.front();
    if (!views.empty()) choose(picture->view);
}

void ResultsPanel::Impl::refresh() {
    configure();
    if (book.kind() == AnswerKind::None) {
        empty->setTexts(book.rounds() > 0 ? tr("Nothing to judge")
                                          : tr("Run a classifier or a regression"),
                        book.rounds() > 0
                            ? tr("The answers of this network are neither classes nor numbers nor "
                                 "pictures that its data have too.")
                            : tr("What it gets right and wrong on the validation data appears here "
                                 "while it learns."));
        pages->setCurrentIndex(0);
        return;
    }
    split->setEnabled(bool(session.data().test));
    picture->refresh();
    headline->setText(picture->summary());
    pages->setCurrentIndex(1);
}

ResultsPanel::ResultsPanel(Document& document, TrainSession& session, QWidget* parent)
    : QWidget(parent), d(std::make_unique<Impl>(session, this)) {
    setObjectName(QStringLiteral("resultsPanel"));
    setBackground(this, Token::Panel);
    const Theme& theme = Theme::instance();
    d->pages = new QStackedLayout(this);
    d->empty = new EmptyState(QStringLiteral("success"), {}, {}, this);
    d->pages->addWidget(d->empty);
    auto* page = new QWidget(this);
    auto* column = new QVBoxLayout(page);
    column->setContentsMargins(theme.space(3), theme.space(2), theme.space(3), theme.space(2));
    column->setSpacing(theme.space(2));
    d->tabs = new QTabBar(page);
    d->tabs->setObjectName(QStringLiteral("resultsTabs"));
    d->tabs->setExpanding(false);
    d->tabs->setDrawBase(false);
    d->tabs->setUsesScrollButtons(true);
    column->addWidget(d->tabs);
    auto* line = new QHBoxLayout;
    d->headline = new TextLabel({}, Token::Text, 1.0, QFont::DemiBold, page);
    d->headline->setObjectName(QStringLiteral("resultsSummary"));
    d->headline->setMinimumWidth(1);
    d->headline->setWordWrap(true); // a narrow panel shows it whole
    line->addWidget(d->headline, 1);
    d->classChoice = new QComboBox(page);
    d->classChoice->setObjectName(QStringLiteral("resultsClass"));
    d->classChoice->setAccessibleName(tr("Class"));
    d->classChoice->hide();
    line->addWidget(d->classChoice);
    d->split = new QComboBox(page);
    d->split->setObjectName(QStringLiteral("resultsSplit"));
    d->split->setAccessibleName(tr("Data"));
    d->split->addItems({tr("Validation"), tr("Test")});
    line->addWidget(d->split);
    column->addLayout(line);
    d->picture = new ResultPicture(d->book, page);
    column->addWidget(d->picture, 1);
    d->pages->addWidget(page);

    d->picture->sampleChosen = [this](std::int64_t sample) { emit sampleChosen(sample); };
    connect(d->tabs, &QTabBar::currentChanged, this, [this](int index) {
        if (index >= 0 && index < int(d->views.size())) d->choose(d->views[std::size_t(index)]);
    });
    connect(d->classChoice, &QComboBox::currentIndexChanged, this, [this](int index) {
        d->picture->chosenClass = std::max(0, index);
        d->refresh();
    });
    connect(d->split, &QComboBox::currentIndexChanged, this,
            [this](int index) { d->book.setTest(index == 1); });
    connect(&d->book, &AnswerBook::changed, this, [this] {
        if (isVisible()) d->refresh();
    });
    connect(&document, &Document::changed, this, [this](const graph::ChangeSet& changes) {
        if (changes.everything) d->refresh();
    });
    d->refresh();
}

ResultsPanel::~ResultsPanel() = default;

AnswerBook& ResultsPanel::book() {
    return d->book;
}

void ResultsPanel::showView(ResultView view) {
    d->configure();
    d->choose(view);
}

ResultView ResultsPanel::view() const {
    return d->picture->view;
}

QString ResultsPanel::summary() const {
    return d->headline->text();
}

QString ResultsPanel::textAt(QPointF position) const {
    return d->picture->textAt(position);
}

void ResultsPanel::showEvent(QShowEvent* event) {
    QWidget::showEvent(event);
    d->book.setOn(true);
    d->refresh();
}

void ResultsPanel::hideEvent(QHideEvent* event) {
    d->book.setOn(false);
    QWidget::hideEvent(event);
}

} // namespace wiregrad::studio
