// Paints an SVG of resources/icons in a colour of the current theme, at any size. Asks the theme
// each time, so an icon given to a widget once follows a theme switch. GUI thread.
#pragma once

#include <QIconEngine>

#include <functional>

namespace wiregrad::studio {

class IconEngine : public QIconEngine {
  public:
    using Colour = std::function<QColor(QIcon::Mode)>;
    IconEngine(QString file, Colour colour) : file_(std::move(file)), colour_(std::move(colour)) {}
    void paint(QPainter* painter, const QRect& rect, QIcon::Mode mode, QIcon::State state) override;
    QPixmap pixmap(const QSize& size, QIcon::Mode mode, QIcon::State state) override;
    QPixmap scaledPixmap(const QSize& size, QIcon::Mode mode, QIcon::State state,
                         qreal scale) override;
    QIconEngine* clone() const override { return new IconEngine(*this); }

  private:
    QString file_;
    Colour colour_;
};

} // namespace wiregrad::studio
