#include "ui/theme/icon_engine.h"

#include <QPainter>
#include <QPixmapCache>
#include <QSvgRenderer>

namespace wiregrad::studio {

void IconEngine::paint(QPainter* painter, const QRect& rect, QIcon::Mode mode, QIcon::State state) {
    const qreal ratio = painter->device() ? painter->device()->devicePixelRatio() : 1.0;
    painter->drawPixmap(rect, scaledPixmap(rect.size() * ratio, mode, state, ratio));
}

QPixmap IconEngine::pixmap(const QSize& size, QIcon::Mode mode, QIcon::State state) {
    return scaledPixmap(size, mode, state, 1.0);
}

QPixmap IconEngine::scaledPixmap(const QSize& size, QIcon::Mode mode, QIcon::State, qreal scale) {
    if (size.isEmpty()) return {};
    const QColor colour = colour_(mode);
    const QString key = QStringLiteral("wiregrad-icon:%1:%2x%3:%4:%5")
                            .arg(file_)
                            .arg(size.width())
                            .arg(size.height())
                            .arg(colour.rgba())
                            .arg(scale);
    QPixmap pixmap;
    if (QPixmapCache::find(key, &pixmap)) return pixmap;
    pixmap = QPixmap(size);
    pixmap.fill(Qt::transparent);
    QSvgRenderer renderer(file_);
    const int side = std::min(size.width(), size.height());
    const QRectF place((size.width() - side) / 2.0, (size.height() - side) / 2.0, side, side);
    QPainter painter(&pixmap);
    renderer.render(&painter, place);
    painter.setCompositionMode(QPainter::CompositionMode_SourceIn);
    painter.fillRect(pixmap.rect(), colour);
    painter.end();
    pixmap.setDevicePixelRatio(scale);
    QPixmapCache::insert(key, pixmap);
    return pixmap;
}

} // namespace wiregrad::studio
