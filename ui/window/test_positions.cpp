#include "ui/window/test_positions.h"

#include <QAbstractButton>
#include <QComboBox>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QLabel>
#include <QLineEdit>

#include <cstdio>

#include "ui/canvas/canvas.h"
#include "ui/inspect/inspector_panel.h"
#include "ui/window/gallery.h"
#include "ui/window/main_window.h"
#include "ui/window/run_bar.h"

namespace wiregrad::studio {

namespace {

constexpr int kEveryMs = 50;

QJsonArray onScreen(const QWidget& widget, QPointF local) {
    const QPoint p = widget.mapToGlobal(local.toPoint());
    return {p.x(), p.y()};
}

/// What the inspector shows: null while nothing arrived.
QJsonValue inspected(const InspectorPanel* inspector) {
    const ProbeRecord* shown = inspector && inspector->isVisible() ? inspector->shown() : nullptr;
    if (!shown) return {};
    QJsonArray shape;
    for (const std::int64_t size : shown->shape)
        shape.append(double(size));
    return QJsonObject{{QStringLiteral("node"), QString::fromStdString(shown->value.node)},
                       {QStringLiteral("name"), QString::fromStdString(shown->value.name)},
                       {QStringLiteral("shape"), shape},
                       {QStringLiteral("step"), double(shown->step)},
                       {QStringLiteral("min"), shown->min},
                       {QStringLiteral("max"), shown->max}};
}

} // namespace

TestPositions::TestPositions(MainWindow& window) : QObject(&window), window_(window) {
    timer_.setInterval(kEveryMs);
    connect(&timer_, &QTimer::timeout, this, [this] {
        const QByteArray now = text();
        if (now == last_) return;
        last_ = now;
        std::fwrite(now.constData(), 1, std::size_t(now.size()), stdout);
        std::fputc('\n', stdout);
        std::fflush(stdout);
    });
    timer_.start();
}

QByteArray TestPositions::text() const {
    QJsonObject widgets;
    const auto put = [&widgets](const QWidget* widget) {
        if (widget->isVisible() && !widget->objectName().isEmpty() &&
            !widget->objectName().startsWith(QLatin1String("qt_")))
            widgets.insert(widget->objectName(),
                           onScreen(*widget, QRectF(widget->rect()).center()));
    };
    for (const auto* button : window_.findChildren<QAbstractButton*>())
        put(button);
    for (const auto* field : window_.findChildren<QLineEdit*>())
        put(field);
    for (const auto* box : window_.findChildren<QComboBox*>())
        put(box);
    const Canvas& canvas = window_.canvas();
    put(&canvas);

    QJsonObject nodes;
    for (const auto& [id, node] : window_.document().graph().nodes()) {
        const QString name = QString::fromStdString(id);
        QJsonObject inputs, outputs;
        if (const graph::NodeType* type = graph::find_type(node.type)) {
            for (const graph::PortSpec& port : type->inputs)
                inputs.insert(
                    QString::fromStdString(port.id),
                    onScreen(*canvas.viewport(),
                             canvas.portPosition(name, QString::fromStdString(port.id), false)));
            for (const graph::PortSpec& port : type->outputs)
                outputs.insert(
                    QString::fromStdString(port.id),
                    onScreen(*canvas.viewport(),
                             canvas.portPosition(name, QString::fromStdString(port.id), true)));
        }
        QJsonObject params;
        for (const auto& [param, value] : node.params)
            params.insert(QString::fromStdString(param),
                          QString::fromStdString(graph::value_text(value)));
        nodes.insert(name, QJsonObject{{QStringLiteral("type"), QString::fromStdString(node.type)},
                                       {QStringLiteral("params"), params},
                                       {QStringLiteral("centre"),
                                        onScreen(*canvas.viewport(), canvas.nodeCentre(name))},
                                       {QStringLiteral("inputs"), inputs},
                                       {QStringLiteral("outputs"), outputs}});
    }
    QJsonArray wires;
    for (const graph::Wire& wire : window_.document().graph().wires())
        wires.append(QString::fromStdString(wire.str()));
    QJsonArray selected;
    for (const QString& id : canvas.selectedNodes())
        selected.append(id);
    const TrainSession& session = window_.session();
    const Curve* loss = session.lossNames().empty()
                            ? nullptr
                            : session.metrics().find("train/" + session.lossNames().front());
    const RunProgress progress = session.progress();
    return QJsonDocument(
               QJsonObject{
                   {QStringLiteral("widgets"), widgets},
                   {QStringLiteral("nodes"), nodes},
                   {QStringLiteral("wires"), wires},
                   {QStringLiteral("selected"), selected},
                   {QStringLiteral("inspector"), inspected(window_.findChild<InspectorPanel*>())},
                   {QStringLiteral("state"), session.stateText()},
                   {QStringLiteral("active"), session.isActive()},
                   {QStringLiteral("step"), double(progress.step)},
                   {QStringLiteral("loss"), loss ? QJsonValue(loss->lastValue()) : QJsonValue()},
                   {QStringLiteral("modified"), window_.document().isModified()},
                   {QStringLiteral("path"), window_.document().path()},
                   {QStringLiteral("focused"), window_.isActiveWindow()},
                   {QStringLiteral("gallery"), window_.gallery().isVisible()},
                   {QStringLiteral("banner"), window_.banner().text()},
               })
        .toJson(QJsonDocument::Compact);
}

} // namespace wiregrad::studio

#include "moc_test_positions.cpp"
