// The whole graph in a corner of the canvas; a click or drag in it moves the view. GUI thread.
#pragma once

#include <QTransform>
#include <QWidget>

class QGraphicsView;

namespace wiregrad::studio {

class CanvasScene;

class Minimap : public QWidget {
    Q_OBJECT

  public:
    Minimap(CanvasScene& scene, QGraphicsView& view);
    void place(); ///< back into its corner after the canvas was resized

  signals:
    void wantsCentre(QPointF scenePos);

  protected:
    void paintEvent(QPaintEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void wheelEvent(QWheelEvent* event) override;

  private:
    QTransform toMap() const;

    CanvasScene& scene_;
    QGraphicsView& view_;
};

} // namespace wiregrad::studio
