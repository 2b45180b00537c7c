// The picture of the network leaves the window: PNG, SVG (text stays text), PDF, clipboard.
#include <QClipboard>
#include <QFileDialog>
#include <QFileInfo>
#include <QGuiApplication>
#include <QMarginsF>
#include <QPainter>
#include <QPdfWriter>
#include <QSaveFile>

#include <algorithm>
#include <cmath>

#include "engine/core/error.h"
#include "nodes/picture.h"
#include "ui/canvas/canvas_impl.h"
#include "ui/canvas/canvas_style.h"
#include "ui/theme/theme.h"

namespace wiregrad::studio {

namespace {

constexpr double kMargin = 24;
constexpr double kMostPixels = 12000; ///< along each side

/// Paints all items without marks of selection.
void paintAll(CanvasScene& scene, QPainter& painter, const QRectF& target, const QRectF& source) {
    const auto nodes = scene.chosenNodes();
    const auto wires = scene.chosenWires();
    const QSignalBlocker quiet(scene);
    scene.choose({}, {});
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setRenderHint(QPainter::TextAntialiasing);
    scene.render(&painter, target, source);
    scene.choose(nodes, wires);
}

} // namespace

QImage Canvas::picture(double scale) const {
    const QRectF bounds = d->scene.boundsOf({}).adjusted(-kMargin, -kMargin, kMargin, kMargin);
    const double most = kMostPixels / std::max({bounds.width(), bounds.height(), 1.0});
    scale = std::clamp(scale, 0.1, most);
    QImage image((bounds.size() * scale).toSize().expandedTo({1, 1}),
                 QImage::Format_ARGB32_Premultiplied);
    image.fill(CanvasStyle::get().canvas);
    QPainter painter(&image);
    paintAll(d->scene, painter, QRectF(image.rect()), bounds);
    return image;
}

void Canvas::exportPicture(const QString& path, double scale) const {
    const QString suffix = QFileInfo(path).suffix().toLower();
    QSaveFile file(path);
    const auto fail = [&](const QString& why) {
        throw FileError(why.toStdString(), path.toStdString());
    };
    if (!file.open(QIODevice::WriteOnly)) fail(file.errorString());
    if (suffix == QLatin1String("svg")) {
        graph::PictureOptions options;
        options.dark = Theme::instance().isDark();
        file.write(QByteArray::fromStdString(graph::svg_picture(d->sheet.graph(), options)));
    } else if (suffix == QLatin1String("pdf")) {
        const QRectF bounds = d->scene.boundsOf({}).adjusted(-kMargin, -kMargin, kMargin, kMargin);
        QPdfWriter writer(&file);
        writer.setTitle(d->document.title());
        writer.setResolution(144);
        // A canvas unit is half a point: a network of common size fits a page.
        writer.setPageSize(
            QPageSize(bounds.size() / 2, QPageSize::Point, QString(), QPageSize::ExactMatch));
        writer.setPageMargins(QMarginsF(0, 0, 0, 0));
        QPainter painter(&writer);
        painter.fillRect(QRectF(0, 0, writer.width(), writer.height()), CanvasStyle::get().canvas);
        paintAll(d->scene, painter, QRectF(0, 0, writer.width(), writer.height()), bounds);
        painter.end();
    } else if (suffix == QLatin1String("png")) {
        if (!picture(scale).save(&file, "PNG")) fail(tr("The picture could not be written"));
    } else {
        file.cancelWriting();
        fail(tr("A picture is saved as .png, .svg or .pdf"));
    }
    if (!file.commit()) fail(file.errorString());
}

void Canvas::Impl::askForPicture() {
    const QString path = QFileDialog::getSaveFileName(
        q.window(), tr("Save the picture of the network"),
        QFileInfo(document.title()).completeBaseName() + QStringLiteral(".svg"),
        tr("Drawing with text (*.svg);;Picture (*.png);;Page (*.pdf)"));
    if (path.isEmpty()) return;
    try {
        q.exportPicture(path);
        emit q.hint(tr("Saved %1").arg(QFileInfo(path).fileName()));
    } catch (const Error& error) {
        emit q.hint(QString::fromUtf8(error.what()));
    }
}

} // namespace wiregrad::studio
