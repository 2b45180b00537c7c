// Validation samples as points of a plane: what a node gives out for them, in the two directions in
// which it spreads most, coloured by their labels. Follows the run once a second. GUI thread.
#pragma once

#include <QTimer>
#include <QWidget>

#include <optional>
#include <vector>

#include "engine/train/projection.h"
#include "session/train_session.h"

namespace wiregrad::studio {

class MapView : public QWidget {
    Q_OBJECT

  public:
    explicit MapView(TrainSession& session, QWidget* parent = nullptr);
    void setValue(const ValueId& value); ///< an activation
    void ask();                          ///< what the timer does
    const train::Projection& points() const { return points_; }
    const std::vector<int>& labels() const { return labels_; } ///< -1: none
    QString textAt(QPointF position) const;
    QSize sizeHint() const override;
    bool hasHeightForWidth() const override { return true; }
    int heightForWidth(int width) const override { return width + textHeight(); }

  protected:
    void showEvent(QShowEvent* event) override;
    void hideEvent(QHideEvent* event) override;
    void paintEvent(QPaintEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;

  private:
    int textHeight() const;
    QRectF area() const;
    QPointF placeOf(std::size_t point) const;
    TrainSession& session_;
    ValueId value_;
    QTimer timer_;
    bool asking_ = false, stale_ = true;
    quint64 number_ = 0;
    train::Projection points_;
    std::vector<int> labels_;
    QString problem_;
};

} // namespace wiregrad::studio
