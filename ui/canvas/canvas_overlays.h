// What lies over the items: the words of an empty canvas, the shape on a wire. GUI thread.
#pragma once

#include <QColor>
#include <QGraphicsItem>
#include <QString>
#include <QWidget>

namespace wiregrad::studio {

/// Teaches the first gesture while there is nothing to see.
class EmptyHint : public QWidget {
  public:
    explicit EmptyHint(QWidget* parent);

  protected:
    void paintEvent(QPaintEvent* event) override;
};

/// A pill with a wire's shape, of constant size on the screen.
class ShapeLabel : public QGraphicsItem {
  public:
    ShapeLabel();
    void show(QPointF scenePos, const QString& text, const QColor& tone);
    QString text() const { return text_; }
    QRectF boundingRect() const override { return box_.adjusted(-1, -1, 1, 1); }
    void paint(QPainter* painter, const QStyleOptionGraphicsItem* option, QWidget* widget) override;

  private:
    QString text_;
    QColor tone_;
    QRectF box_;
};

/// A node that a repair would add: dashed, with the shape that comes of it.
class GhostNode : public QGraphicsItem {
  public:
    GhostNode(QString title, QString result);
    QRectF boundingRect() const override;
    void paint(QPainter* painter, const QStyleOptionGraphicsItem* option, QWidget* widget) override;

  private:
    QString title_, result_;
};

} // namespace wiregrad::studio
