// What leaves the monitor: pictures, drawings, tables, event files.
#include <QBuffer>
#include <QClipboard>
#include <QDateTime>
#include <QFileDialog>
#include <QGuiApplication>
#include <QMessageBox>
#include <QPainter>
#include <QSaveFile>
#include <QSvgGenerator>

#include <functional>

#include "engine/core/error.h"
#include "session/event_file.h"
#include "ui/monitor/monitor_panel_impl.h"

namespace wiregrad::studio {

void MonitorPanel::exportPng(const QString& path) const {
    constexpr double kScale = 2;
    const QSize size = d->grid->size();
    QImage picture(size * kScale, QImage::Format_ARGB32_Premultiplied);
    picture.setDevicePixelRatio(kScale);
    picture.fill(Theme::instance().color(Token::PlotBackground));
    d->grid->render(&picture, {}, {}, QWidget::DrawChildren);
    QSaveFile file(path);
    if (!file.open(QIODevice::WriteOnly) || !picture.save(&file, "PNG") || !file.commit()) {
        throw FileError("The picture could not be written: " + file.errorString().toStdString(),
                        path.toStdString());
    }
}

void MonitorPanel::exportSvg(const QString& path) const {
    QBuffer buffer;
    buffer.open(QIODevice::WriteOnly);
    QSvgGenerator svg;
    svg.setOutputDevice(&buffer);
    svg.setSize(d->grid->size());
    svg.setViewBox(QRect(QPoint(0, 0), d->grid->size()));
    svg.setTitle(d->document.title());
    {
        QPainter painter(&svg);
        painter.fillRect(QRect(QPoint(0, 0), d->grid->size()),
                         Theme::instance().color(Token::PlotBackground));
        // Each part for itself: a graphics view paints into a vector picture as vectors.
        for (ChartBox* box : d->boxes()) {
            if (d->grid->isOut(box)) continue;
            const QPoint place = box->mapTo(d->grid, QPoint(0, 0));
            painter.save();
            painter.translate(place + box->legend()->pos());
            box->legend()->render(&painter, {}, {}, QWidget::DrawChildren);
            painter.restore();
            const QRect plot(place + box->plot()->pos(), box->plot()->size());
            box->plot()->QGraphicsView::render(&painter, plot, box->plot()->viewport()->rect());
        }
    }
    QSaveFile file(path);
    if (!file.open(QIODevice::WriteOnly) || file.write(buffer.data()) != buffer.size() ||
        !file.commit()) {
        throw FileError("The picture could not be written: " + file.errorString().toStdString(),
                        path.toStdString());
    }
}

void MonitorPanel::exportEvents(const QString& path) const {
    const RunInfo* run = d->session.runs().find(d->session.currentRun());
    const QDateTime start =
        run ? run->started
            : QDateTime::currentDateTime().addMSecs(-qint64(d->session.progress().seconds * 1000));
    const QByteArray bytes =
        eventFile(d->session.metrics(), double(start.toMSecsSinceEpoch()) / 1000);
    QSaveFile file(path);
    if (!file.open(QIODevice::WriteOnly) || file.write(bytes) != bytes.size() || !file.commit()) {
        throw FileError("The event file could not be written: " + file.errorString().toStdString(),
                        path.toStdString());
    }
}

void MonitorPanel::exportCsv(const QString& path) const {
    QSaveFile file(path);
    if (!file.open(QIODevice::WriteOnly)) {
        throw FileError("The numbers could not be written: " + file.errorString().toStdString(),
                        path.toStdString());
    }
    file.write("curve,step,value\n");
    const MetricStore& store = d->session.metrics();
    for (const std::string& name : store.names()) {
        const Curve* curve = store.find(name);
        QByteArray field = QByteArray::fromStdString(name);
        if (field.contains(',') || field.contains('"') || field.contains('\n')) {
            field = '"' + field.replace("\"", "\"\"") + '"';
        }
        for (const CurvePoint& point : curve->sample(-1e300, 1e300, std::size_t(-1))) {
            file.write(field + ',' + QByteArray::number(point.step, 'g', 17) + ',' +
                       QByteArray::number(point.last, 'g', 9) + '\n');
        }
    }
    if (!file.commit()) {
        throw FileError("The numbers could not be written: " + file.errorString().toStdString(),
                        path.toStdString());
    }
}

void MonitorPanel::Impl::saveAs(const QString& title, const QString& suffix, const QString& filter,
                                void (MonitorPanel::*write)(const QString&) const) {
    QString name = document.title();
    name.replace(QLatin1Char('/'), QLatin1Char('-'));
    if (name.isEmpty()) name = QStringLiteral("run");
    const QString suggestion = suffix.isEmpty()
                                   ? eventFileName(double(QDateTime::currentSecsSinceEpoch()))
                                   : QStringLiteral("%1-curves.%2").arg(name, suffix);
    const QString path = QFileDialog::getSaveFileName(q, title, suggestion, filter);
    if (path.isEmpty()) {
        return;
    }
    try {
        (q->*write)(path);
    } catch (const Error& error) {
        QMessageBox::warning(q, tr("Not saved"), QString::fromStdString(error.what()));
    }
}

QMenu* MonitorPanel::Impl::exportMenu(QWidget* parent) {
    auto* menu = new QMenu(parent);
    const auto add = [&](const QString& text, const char* id, std::function<void()> run) {
        QAction* action = menu->addAction(text, q, std::move(run));
        action->setObjectName(QStringLiteral("monitor.export.") + QLatin1String(id));
    };
    add(tr("Save picture (PNG) …"), "png", [this] {
        saveAs(tr("Save the curves as a picture"), QStringLiteral("png"), tr("Pictures (*.png)"),
               &MonitorPanel::exportPng);
    });
    add(tr("Save drawing (SVG) …"), "svg", [this] {
        saveAs(tr("Save the curves as a drawing"), QStringLiteral("svg"), tr("Drawings (*.svg)"),
               &MonitorPanel::exportSvg);
    });
    add(tr("Save numbers (CSV) …"), "csv", [this] {
        saveAs(tr("Save the numbers of the curves"), QStringLiteral("csv"), tr("Tables (*.csv)"),
               &MonitorPanel::exportCsv);
    });
    add(tr("Save for TensorBoard …"), "events", [this] {
        saveAs(tr("Save an event file for TensorBoard"), QString(), tr("All files (*)"),
               &MonitorPanel::exportEvents);
    });
    menu->addSeparator();
    add(tr("Copy picture"), "copy",
        [this] { QGuiApplication::clipboard()->setPixmap(grid->grab()); });
    connect(menu, &QMenu::aboutToShow, q, [this, menu] {
        for (QAction* action : menu->actions()) {
            action->setEnabled(hasData());
        }
    });
    return menu;
}

} // namespace wiregrad::studio
