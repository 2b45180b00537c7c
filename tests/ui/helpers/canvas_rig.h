// A canvas in a window with real mouse, wheel and key events, and a document to assert on. For
// tests in tests/ui and tests/e2e.
#pragma once

#include <QApplication>
#include <QMouseEvent>
#include <QTest>
#include <QVBoxLayout>
#include <QWheelEvent>

#include <memory>
#include <string>

#include "nodes/edit.h"
#include "nodes/project.h"
#include "session/document.h"
#include "session/train_session.h"
#include "ui/canvas/canvas.h"
#include "ui/canvas/canvas_scene.h"
#include "ui/canvas/cursor_note.h"
#include "ui/canvas/rename_field.h"
#include "ui/canvas/search_popup.h"
#include "ui/window/actions.h"

namespace wiregrad::studio {

struct CanvasRig {
    Document document;
    TrainSession session{document};
    QWidget window;
    Actions actions;
    Canvas* canvas;
    Qt::MouseButtons held;

    explicit CanvasRig(QSize size = {1000, 700}) {
        window.resize(size);
        auto* box = new QVBoxLayout(&window);
        box->setContentsMargins(0, 0, 0, 0);
        canvas = new Canvas(document, session, &window);
        box->addWidget(canvas);
        canvas->registerActions(actions);
        window.show();
        QApplication::setActiveWindow(&window);
        canvas->setFocus();
        QApplication::processEvents();
        canvas->setZoom(1, {0, 0});
    }

    CanvasScene& scene() const { return *static_cast<CanvasScene*>(canvas->scene()); }
    SearchPopup& search() const {
        return *canvas->findChild<SearchPopup*>(QStringLiteral("canvas.search"));
    }
    RenameField& rename() const {
        return *canvas->findChild<RenameField*>(QStringLiteral("canvas.rename"));
    }
    CursorNote& note() const {
        return *static_cast<CursorNote*>(
            canvas->findChild<QWidget*>(QStringLiteral("canvas.cursorNote")));
    }
    const graph::Graph& graph() const { return document.graph(); }
    int steps() const { return const_cast<Document&>(document).undoStack().index(); }
    std::string text() const { return graph::to_text(graph()); }

    // --- the model, not through the canvas
    std::string add(const std::string& type, double x, double y) {
        graph::Node node = graph::make_node(graph(), type, {x, y});
        const std::string id = node.id;
        if (!document.apply({graph::AddNode{node}})) qFatal("%s", qPrintable(document.lastError()));
        return id;
    }
    void wire(const std::string& from, const std::string& fromPort, const std::string& to,
              const std::string& toPort) {
        if (!document.apply(graph::connect_edit(graph(), {from, fromPort, to, toPort})))
            qFatal("%s", qPrintable(document.lastError()));
    }
    bool wired(const std::string& from, const std::string& fromPort, const std::string& to,
               const std::string& toPort) const {
        for (const auto& w : graph().wires())
            if (w == graph::Wire{from, fromPort, to, toPort}) return true;
        return false;
    }
    /// Shows canvas point (0, 0) at the view's point (100, 100), at 100 %.
    void home() {
        canvas->setZoom(1, {0, 0});
        const QPointF now = canvas->viewportTransform().map(QPointF(0, 0));
        mouse(QEvent::MouseButtonPress, {300, 300}, Qt::MiddleButton);
        const QPointF to = QPointF(300, 300) + QPointF(100, 100) - now;
        mouse(QEvent::MouseMove, to);
        mouse(QEvent::MouseButtonRelease, to, Qt::MiddleButton);
    }
    QPointF view(QPointF scenePos) const { return canvas->viewportTransform().map(scenePos); }
    QPointF sceneAt(QPointF viewPos) const {
        return canvas->viewportTransform().inverted().map(viewPos);
    }
    QPointF title(const std::string& id) const {
        return view(scene().node(id)->pos() + scene().node(id)->titleRect().center());
    }
    QPointF centre(const std::string& id) const {
        return canvas->nodeCentre(QString::fromStdString(id));
    }
    QPointF port(const std::string& id, const std::string& name, bool output) const {
        return canvas->portPosition(QString::fromStdString(id), QString::fromStdString(name),
                                    output);
    }
    QPointF middle(const graph::Wire& wire) const { return view(scene().wire(wire)->middle()); }

    // --- events
    void mouse(QEvent::Type type, QPointF at, Qt::MouseButton button = Qt::NoButton,
               Qt::KeyboardModifiers modifiers = {}) {
        if (type == QEvent::MouseButtonPress || type == QEvent::MouseButtonDblClick) held |= button;
        if (type == QEvent::MouseButtonRelease) held &= ~Qt::MouseButtons(button);
        QMouseEvent event(type, at, canvas->viewport()->mapToGlobal(at), button, held, modifiers);
        QApplication::sendEvent(canvas->viewport(), &event);
    }
    void press(QPointF at, Qt::MouseButton button = Qt::LeftButton,
               Qt::KeyboardModifiers modifiers = {}) {
        mouse(QEvent::MouseButtonPress, at, button, modifiers);
    }
    void moveTo(QPointF from, QPointF to, Qt::KeyboardModifiers modifiers = {}) {
        for (int i = 1; i <= 6; ++i)
            mouse(QEvent::MouseMove, from + (to - from) * (i / 6.0), Qt::NoButton, modifiers);
    }
    void release(QPointF at, Qt::MouseButton button = Qt::LeftButton,
                 Qt::KeyboardModifiers modifiers = {}) {
        mouse(QEvent::MouseButtonRelease, at, button, modifiers);
    }
    void click(QPointF at, Qt::KeyboardModifiers modifiers = {},
               Qt::MouseButton button = Qt::LeftButton) {
        press(at, button, modifiers);
        release(at, button, modifiers);
    }
    void drag(QPointF from, QPointF to, Qt::KeyboardModifiers modifiers = {},
              Qt::MouseButton button = Qt::LeftButton) {
        press(from, button, modifiers);
        moveTo(from, to, modifiers);
        release(to, button, modifiers);
    }
    void doubleClick(QPointF at) {
        click(at);
        mouse(QEvent::MouseButtonDblClick, at, Qt::LeftButton);
        mouse(QEvent::MouseButtonRelease, at, Qt::LeftButton);
    }
    void wheel(QPointF at, int angle, Qt::KeyboardModifiers modifiers = {}) {
        QWheelEvent event(at, canvas->viewport()->mapToGlobal(at), {}, {0, angle}, Qt::NoButton,
                          modifiers, Qt::NoScrollPhase, false);
        QApplication::sendEvent(canvas->viewport(), &event);
    }
    void hover(QPointF at) { mouse(QEvent::MouseMove, at); }
    void key(int key, Qt::KeyboardModifiers modifiers = {}) {
        QWidget* target = QApplication::focusWidget();
        QTest::keyClick(target ? target : canvas, Qt::Key(key), modifiers);
    }
    void type(const QString& text) { QTest::keyClicks(QApplication::focusWidget(), text); }

    /// The items say the same as the model.
    QString disagreement() const {
        if (scene().nodes().size() != graph().nodes().size())
            return QStringLiteral("%1 items for %2 nodes")
                .arg(scene().nodes().size())
                .arg(graph().nodes().size());
        if (scene().wires().size() != graph().wires().size())
            return QStringLiteral("%1 items for %2 wires")
                .arg(scene().wires().size())
                .arg(graph().wires().size());
        for (const auto& [id, node] : graph().nodes()) {
            const NodeItem* item = scene().node(id);
            if (!item) return QStringLiteral("no item for ") + QString::fromStdString(id);
            if (item->pos() != QPointF(node.position.x, node.position.y))
                return QStringLiteral("item elsewhere: ") + QString::fromStdString(id);
        }
        for (const auto& wire : graph().wires()) {
            const WireItem* item = scene().wire(wire);
            if (!item || !item->isVisible())
                return QStringLiteral("no item for ") + QString::fromStdString(wire.str());
            if (item->from() != scene().node(wire.from)->portScenePos(wire.from_port, true) ||
                item->to() != scene().node(wire.to)->portScenePos(wire.to_port, false))
                return QStringLiteral("ends elsewhere: ") + QString::fromStdString(wire.str());
        }
        return {};
    }
};

} // namespace wiregrad::studio
