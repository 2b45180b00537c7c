// Mouse, wheel and keys of a plot.
#include <QHelpEvent>
#include <QMouseEvent>
#include <QToolTip>
#include <QWheelEvent>

#include <algorithm>
#include <cmath>

#include "ui/monitor/curve_plot_impl.h"

namespace wiregrad::studio {

void CurvePlot::wheelEvent(QWheelEvent* event) {
    const double turn = event->angleDelta().y() / 120.0;
    if (turn == 0) {
        event->ignore();
        return;
    }
    const double from = d->axisStep(d->range.from), to = d->axisStep(d->range.to),
                 centre = std::clamp(d->axisStep(stepAt(event->position().x())), from, to);
    const double factor = std::pow(0.8, turn);
    setZoom({d->fromAxisStep(centre - (centre - from) * factor),
             d->fromAxisStep(centre + (to - centre) * factor)});
    event->accept();
}

void CurvePlot::mousePressEvent(QMouseEvent* event) {
    const double step = stepAt(event->position().x());
    constexpr double kGrip = 7;
    if (event->button() == Qt::LeftButton && !std::isnan(d->cursor) &&
        std::abs(viewX(d->cursor) - event->position().x()) <= kGrip) {
        d->draggingCursor = true;
    } else if (event->button() == Qt::LeftButton && (event->modifiers() & Qt::ControlModifier) &&
               plotRect().contains(event->position())) {
        emit stepChosen(step);
    } else if (event->button() == Qt::LeftButton && plotRect().contains(event->position())) {
        d->dragFrom = step;
        d->dragTo = kNothing;
    } else if (event->button() == Qt::MiddleButton) {
        d->panFrom = event->position().x();
        d->panRange = d->range;
    } else {
        event->ignore();
    }
}

void CurvePlot::mouseMoveEvent(QMouseEvent* event) {
    if (d->draggingCursor) {
        emit cursorMoved(std::clamp(stepAt(event->position().x()), d->range.from, d->range.to));
        return;
    }
    viewport()->setCursor(!std::isnan(d->cursor) &&
                                  std::abs(viewX(d->cursor) - event->position().x()) <= 7
                              ? Qt::SizeHorCursor
                              : Qt::CrossCursor);
    if (!std::isnan(d->panFrom)) {
        const double steps = (d->panFrom - event->position().x()) /
                             std::max(1.0, plotRect().width()) *
                             (d->panRange.to - d->panRange.from);
        if (!d->zoom.empty()) {
            setZoom({d->panRange.from + steps, d->panRange.to + steps});
        }
        return;
    }
    const QRectF area = plotRect();
    const double step = stepAt(std::clamp(event->position().x(), area.left(), area.right()));
    if (!std::isnan(d->dragFrom) && std::abs(event->position().x() - viewX(d->dragFrom)) > 4) {
        d->dragTo = step;
        d->item->update();
    }
    emit crosshairMoved(area.adjusted(-2, -2, 2, 2).contains(event->position()) ? step : kNothing);
}

void CurvePlot::mouseReleaseEvent(QMouseEvent* event) {
    if (d->draggingCursor && event->button() == Qt::LeftButton) {
        d->draggingCursor = false;
    } else if (event->button() == Qt::MiddleButton) {
        d->panFrom = kNothing;
    } else if (event->button() == Qt::LeftButton && !std::isnan(d->dragFrom)) {
        const StepRange band{std::min(d->dragFrom, d->dragTo), std::max(d->dragFrom, d->dragTo)};
        const bool dragged = !std::isnan(d->dragTo);
        d->dragFrom = d->dragTo = kNothing;
        d->item->update();
        if (dragged) {
            setZoom(band);
        }
    }
}

void CurvePlot::mouseDoubleClickEvent(QMouseEvent* event) {
    d->dragFrom = d->dragTo = kNothing;
    if (event->button() == Qt::LeftButton) {
        setZoom({});
    }
}

void CurvePlot::leaveEvent(QEvent*) {
    emit crosshairMoved(kNothing);
}

void CurvePlot::resizeEvent(QResizeEvent* event) {
    QGraphicsView::resizeEvent(event);
    scene()->setSceneRect(QRectF(QPointF(0, 0), event->size()));
    d->chart->resize(event->size());
    d->placePlot();
    d->item->geometryChanged();
}

bool CurvePlot::viewportEvent(QEvent* event) {
    if (event->type() == QEvent::ToolTip) {
        const auto* help = static_cast<QHelpEvent*>(event);
        QToolTip::showText(help->globalPos(), markersAt(help->pos().x()).join(QLatin1Char('\n')),
                           this);
        return true;
    }
    return QGraphicsView::viewportEvent(event);
}

void CurvePlot::keyPressEvent(QKeyEvent* event) {
    const double width = d->range.to - d->range.from, centre = (d->range.to + d->range.from) / 2;
    switch (event->key()) {
    case Qt::Key_Plus:
    case Qt::Key_Equal:
        setZoom({centre - width * 0.4, centre + width * 0.4});
        return;
    case Qt::Key_Minus:
        setZoom({centre - width * 0.625, centre + width * 0.625});
        return;
    case Qt::Key_Home:
    case Qt::Key_0:
        setZoom({});
        return;
    case Qt::Key_Left:
    case Qt::Key_Right: {
        // One pixel's worth of steps a press, ten with Ctrl: reading values without a mouse.
        const double direction = event->key() == Qt::Key_Right ? 1 : -1;
        const double stride = std::max(1.0, width / std::max(1.0, plotRect().width())) *
                              (event->modifiers() & Qt::ControlModifier ? 10 : 1);
        const double from = std::isnan(d->crosshair) ? d->range.from : d->crosshair;
        emit crosshairMoved(std::clamp(from + direction * stride, d->range.from, d->range.to));
        return;
    }
    case Qt::Key_Return:
    case Qt::Key_Enter:
        if (!std::isnan(d->crosshair)) {
            emit stepChosen(d->crosshair);
            return;
        }
        break;
    case Qt::Key_Escape:
        if (!std::isnan(d->crosshair) || !std::isnan(d->dragFrom)) {
            d->dragFrom = d->dragTo = kNothing;
            emit crosshairMoved(kNothing);
            d->item->update();
            return;
        }
        break;
    default:
        break;
    }
    event->ignore();
}

} // namespace wiregrad::studio
