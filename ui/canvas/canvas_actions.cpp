// The commands of the canvas: what they do to the selection, and their registration in the one
// table of actions.
#include <QClipboard>
#include <QGuiApplication>

#include <algorithm>
#include <cmath>

#include "engine/core/error.h"
#include "session/settings.h"
#include "ui/canvas/canvas_edits.h"
#include "ui/canvas/canvas_impl.h"
#include "ui/canvas/canvas_style.h"
#include "ui/window/actions.h"

namespace wiregrad::studio {

using graph::Wire;

void Canvas::Impl::removeChosen(bool dissolve) {
    const auto nodes = scene.chosenNodes();
    const auto wires = scene.chosenWires();
    if (nodes.empty() && wires.empty()) return;
    cancelGesture();
    try {
        Draft draft(document.graph());
        for (const auto& wire : wires)
            if (!nodes.count(wire.from) && !nodes.count(wire.to))
                draft.add({graph::Disconnect{wire}});
        if (!nodes.empty()) draft.add(graph::remove_edit(draft.graph(), nodes, dissolve));
        if (!draft.empty()) apply(draft.take());
    } catch (const Error& error) {
        emit q.hint(QString::fromUtf8(error.what()));
    }
}

void Canvas::Impl::copy(bool cut) {
    if (scene.chosenNodes().empty()) {
        emit q.hint(tr("Nothing is selected"));
        return;
    }
    QGuiApplication::clipboard()->setText(
        qs(graph::copy_text(document.graph(), scene.chosenNodes())));
    if (cut) removeChosen(false);
}

void Canvas::Impl::paste(QPointF view) {
    const std::string text = QGuiApplication::clipboard()->text().toStdString();
    const QPointF at = pointer(view, {}).scene;
    try {
        const auto [edit, ids] =
            graph::paste_edit(document.graph(), text, {std::round(at.x()), std::round(at.y())});
        if (apply(edit)) scene.choose(ids);
    } catch (const Error& error) {
        emit q.hint(QString::fromUtf8(error.what()));
        note->say(QString::fromUtf8(error.what()), CursorNote::Refused, view);
        QTimer::singleShot(4000, note, [this] { note->clear(); });
    }
}

void Canvas::Impl::duplicate(bool keepInputs) {
    const auto nodes = scene.chosenNodes();
    if (nodes.empty()) return;
    try {
        const QRectF bounds = scene.boundsOf(nodes);
        double left = 1e300, top = 1e300;
        for (const auto& id : nodes) {
            left = std::min(left, scene.node(id)->pos().x());
            top = std::min(top, scene.node(id)->pos().y());
        }
        Draft draft(document.graph());
        const auto [edit, ids] =
            graph::paste_edit(draft.graph(), graph::copy_text(draft.graph(), nodes),
                              {left, top + bounds.height() + kGrid});
        draft.add(edit);
        if (keepInputs) {
            // Copies stand in the order of their originals, type by type: pair them by position.
            for (const auto& id : nodes) {
                const auto& original = *document.graph().node(id);
                for (const auto& copyId : ids) {
                    const auto& copy = *draft.graph().node(copyId);
                    if (copy.type != original.type ||
                        std::abs(copy.position.x - original.position.x) > 0.5 ||
                        std::abs(copy.position.y - original.position.y - bounds.height() - kGrid) >
                            0.5)
                        continue;
                    for (const auto& wire : document.graph().wires_into(id))
                        if (!nodes.count(wire.from))
                            draft.add(
                                graph::connect_edit(draft.graph(), Wire{wire.from, wire.from_port,
                                                                        copyId, wire.to_port}));
                    break;
                }
            }
        }
        if (apply(draft.take())) scene.choose(ids);
    } catch (const Error& error) {
        emit q.hint(QString::fromUtf8(error.what()));
    }
}

void Canvas::Impl::startRename() {
    if (scene.chosenNodes().empty()) return;
    const std::string id = scene.chosenNodes().count(focus.node.toStdString())
                               ? focus.node.toStdString()
                               : *scene.chosenNodes().begin();
    const NodeItem* item = scene.node(id);
    const graph::Node* node = document.graph().node(id);
    if (!item || !node) return;
    cancelGesture();
    if (!QRectF(q.viewport()->rect()).contains(q.viewportTransform().map(item->pos())))
        centreOn(item->sceneBoundingRect().center());
    const QRectF place = q.viewportTransform().mapRect(item->titleRect().translated(item->pos()));
    QFont font = CanvasStyle::get().title;
    font.setPointSizeF(std::clamp(font.pointSizeF() * q.zoom(), 7.0, 40.0));
    const QRect box = place.toAlignedRect();
    const int height = std::max(box.height(), QFontMetrics(font).height() + 6);
    rename->open(
        QRect(box.left(), box.center().y() - height / 2, std::max(box.width(), 120), height), font,
        nodeTitle(*node),
        [this, id, before = node->name, shown = nodeTitle(*node)](const QString& text) {
            const std::string name = text.toStdString();
            if (name == before || (before.empty() && text == shown) || !document.graph().node(id))
                return;
            apply({graph::Rename{id, name}});
        });
}

void Canvas::Impl::toggleMuted() {
    graph::Batch batch;
    bool allMuted = true;
    for (const auto& id : scene.chosenNodes())
        allMuted = allMuted && document.graph().node(id)->muted;
    for (const auto& id : scene.chosenNodes())
        if (document.graph().node(id)->muted == allMuted)
            batch.edits.push_back({graph::SetMuted{id, !allMuted}});
    if (!batch.edits.empty()) apply({std::move(batch)});
}

void Canvas::Impl::toggleCollapsed() {
    graph::Batch batch;
    bool all = true;
    for (const auto& id : scene.chosenNodes())
        all = all && document.graph().node(id)->collapsed;
    for (const auto& id : scene.chosenNodes())
        if (document.graph().node(id)->collapsed == all)
            batch.edits.push_back({graph::SetCollapsed{id, !all}});
    if (!batch.edits.empty()) apply({std::move(batch)});
}

void Canvas::Impl::straighten() {
    // Along each wire among what is chosen, the node behind moves so that the wire runs level.
    auto nodes = scene.chosenNodes();
    auto wires = scene.chosenWires();
    for (const auto& wire : document.graph().wires())
        if (nodes.count(wire.from) && nodes.count(wire.to)) wires.insert(wire);
    std::map<std::string, double> top;
    std::set<std::string> settled;
    for (const auto& id : document.graph().topological_order())
        for (const auto& wire : wires) {
            if (wire.to != id || settled.count(id)) continue;
            const NodeItem* from = scene.node(wire.from);
            const NodeItem* to = scene.node(wire.to);
            if (!from || !to) continue;
            const double fromTop = top.count(wire.from) ? top[wire.from] : from->pos().y();
            const double fromPort =
                fromTop + from->portScenePos(wire.from_port, true).y() - from->pos().y();
            const double toPort = to->portScenePos(wire.to_port, false).y() - to->pos().y();
            top[id] = fromPort - toPort;
            settled.insert(id);
        }
    graph::Batch batch;
    for (const auto& [id, y] : top) {
        const graph::Position p = document.graph().node(id)->position;
        if (std::abs(p.y - y) > 0.01) batch.edits.push_back({graph::Move{id, {p.x, y}}});
    }
    if (!batch.edits.empty()) apply({std::move(batch)});
}

void Canvas::Impl::layOut() {
    try {
        const auto nodes =
            scene.chosenNodes().size() > 1 ? scene.chosenNodes() : std::set<std::string>{};
        const graph::Edit edit = graph::layout_edit(document.graph(), nodes, sizes());
        if (const auto* batch = std::get_if<graph::Batch>(&edit.what);
            batch && batch->edits.empty())
            return;
        if (apply(edit) && nodes.empty()) fit(scene.boundsOf({}));
    } catch (const Error& error) {
        emit q.hint(QString::fromUtf8(error.what()));
    }
}

void Canvas::Impl::connectChosen() {
    std::vector<std::string> chain(scene.chosenNodes().begin(), scene.chosenNodes().end());
    if (chain.size() < 2) {
        emit q.hint(tr("Select two nodes or more to connect them"));
        return;
    }
    std::sort(chain.begin(), chain.end(), [this](const auto& a, const auto& b) {
        const QPointF pa = scene.node(a)->pos(), pb = scene.node(b)->pos();
        return std::pair(pa.x(), pa.y()) < std::pair(pb.x(), pb.y());
    });
    Draft draft(document.graph());
    if (connect_chain(draft, chain))
        apply(draft.take());
    else
        emit q.hint(tr("None of these nodes has a port that fits the next"));
}

void Canvas::Impl::selectReach(bool downstream) {
    if (!scene.chosenNodes().empty())
        scene.choose(reach(document.graph(), scene.chosenNodes(), downstream));
}

void Canvas::Impl::nudge(QPointF steps, bool repeat) {
    if (scene.chosenNodes().empty()) {
        panBy(-steps * 40);
        return;
    }
    graph::Batch batch;
    for (const auto& id : scene.chosenNodes()) {
        const graph::Position p = document.graph().node(id)->position;
        batch.edits.push_back(
            {graph::Move{id, {p.x + steps.x() * kGrid, p.y + steps.y() * kGrid}}});
    }
    if (!repeat) nudgeGesture = Document::newGesture(); // a held key is one step
    apply({std::move(batch)}, nudgeGesture);
}

void Canvas::Impl::removeWiresOf(const PortRef& port) {
    graph::Batch batch;
    for (const auto& wire : document.graph().wires())
        if (port.output ? wire.from == port.node && wire.from_port == port.port
                        : wire.to == port.node && wire.to_port == port.port)
            batch.edits.push_back({graph::Disconnect{wire}});
    if (!batch.edits.empty()) apply({std::move(batch)});
}

void Canvas::Impl::walk(int direction) {
    const auto& nodes = document.graph().nodes();
    if (nodes.empty()) return;
    const std::string current =
        scene.chosenNodes().size() == 1 ? *scene.chosenNodes().begin() : std::string();
    const auto order = document.graph().topological_order();
    if (order.empty()) return;
    std::string next;
    if (current.empty()) {
        next = direction > 0 ? order.front() : order.back();
    } else {
        const auto wires = direction > 0 ? document.graph().wires_out_of(current)
                                         : document.graph().wires_into(current);
        if (wires.empty()) return;
        next = direction > 0 ? wires.front().to : wires.front().from;
    }
    scene.choose({next});
    setFocusOn(next, {});
    if (const NodeItem* item = scene.node(next))
        if (!QRectF(q.viewport()->rect())
                 .contains(q.viewportTransform().mapRect(item->sceneBoundingRect())))
            centreOn(item->sceneBoundingRect().center());
}

void Canvas::registerActions(Actions& actions) {
    d->actions = &actions;
    const auto centre = [this] { return QRectF(viewport()->rect()).center(); };
    const auto cursor = [this, centre] {
        return viewport()->rect().contains(d->cursor.toPoint()) ? d->cursor : centre();
    };
    // Canvas keys act in the canvas only: elsewhere the same keys belong to lists, tables and text.
    const auto add = [&](const char* id, const QString& text, const char* icon,
                         const QList<QKeySequence>& keys, const QString& help,
                         std::function<void()> run, bool checkable = false) {
        QAction* action = actions.add(
            {QLatin1String(id), text, QLatin1String(icon), keys, help, checkable}, std::move(run));
        action->setShortcutContext(Qt::WidgetWithChildrenShortcut);
        addAction(action);
        return action;
    };
    using K = QKeySequence;
    add("node.add", tr("Add node …"), "add", {K(Qt::SHIFT | Qt::Key_A)},
        tr("Search for a layer and put it at the cursor (also: Tab, double-click, or just type)"),
        [this, cursor] { openSearch(cursor()); });
    add("edit.cut", tr("Cut"), "cut", {K::Cut}, tr("Cut the selected nodes"),
        [this] { d->copy(true); });
    add("edit.copy", tr("Copy"), "copy", {K::Copy}, tr("Copy the selected nodes as text"),
        [this] { d->copy(false); });
    add("edit.paste", tr("Paste"), "paste", {K::Paste}, tr("Paste nodes at the cursor"),
        [this, cursor] { d->paste(cursor()); });
    add("edit.duplicate", tr("Duplicate"), "duplicate", {K(Qt::CTRL | Qt::Key_D)},
        tr("Duplicate the selected nodes with the wires among them"),
        [this] { d->duplicate(false); });
    add("edit.duplicateWired", tr("Duplicate with inputs"), "",
        {K(Qt::CTRL | Qt::SHIFT | Qt::Key_D)}, tr("Duplicate and keep the wires that come in"),
        [this] { d->duplicate(true); });
    add("edit.delete", tr("Delete"), "delete", {K(Qt::Key_Delete), K(Qt::Key_Backspace)},
        tr("Delete the selected nodes and wires"), [this] { d->removeChosen(false); });
    add("edit.dissolve", tr("Delete and re-join"), "", {K(Qt::CTRL | Qt::Key_Delete)},
        tr("Delete the selected nodes and join their neighbours"),
        [this] { d->removeChosen(true); });
    add("select.all", tr("Select all"), "", {K(Qt::CTRL | Qt::Key_A)}, tr("Select all nodes"),
        [this] {
            std::set<std::string> all;
            for (const auto& [id, item] : d->scene.nodes())
                all.insert(id);
            d->scene.choose(std::move(all));
        });
    add("select.none", tr("Select none"), "", {K(Qt::CTRL | Qt::SHIFT | Qt::Key_A)},
        tr("Clear the selection"), [this] { d->scene.choose({}); });
    add("select.downstream", tr("Select downstream"), "", {K(Qt::CTRL | Qt::Key_L)},
        tr("Select everything fed by the selection"), [this] { d->selectReach(true); });
    add("select.upstream", tr("Select upstream"), "", {K(Qt::CTRL | Qt::SHIFT | Qt::Key_L)},
        tr("Select everything that feeds the selection"), [this] { d->selectReach(false); });
    add("node.rename", tr("Rename"), "rename", {K(Qt::Key_F2)},
        tr("Rename the selected node in place"), [this] { d->startRename(); });
    add("node.mute", tr("Mute"), "mute", {K(Qt::Key_M)},
        tr("Leave the selected nodes out of the run, or take them back"),
        [this] { d->toggleMuted(); });
    add("node.collapse", tr("Collapse"), "collapse", {K(Qt::Key_H)},
        tr("Show only the header of the selected nodes"), [this] { d->toggleCollapsed(); });
    add("node.connect", tr("Connect in order"), "", {K(Qt::Key_F)},
        tr("Wire the selected nodes from left to right"), [this] { d->connectChosen(); });
    add("node.straighten", tr("Straighten wires"), "", {K(Qt::Key_Q)},
        tr("Level the wires of the selection"), [this] { d->straighten(); });
    add("graph.layout", tr("Lay out"), "layout", {K(Qt::CTRL | Qt::SHIFT | Qt::Key_F)},
        tr("Arrange the selected nodes, or all"), [this] { d->layOut(); });
    add("view.fit", tr("Fit all"), "fit", {K(Qt::Key_Home)}, tr("Show the whole graph"),
        [this] { fitAll(); });
    add("view.fitSelection", tr("Fit selection"), "", {K(Qt::Key_Period)},
        tr("Show the selected nodes"), [this] { fitSelection(); });
    add("view.zoomReset", tr("Zoom to 100 %"), "", {K(Qt::CTRL | Qt::Key_1)},
        tr("Show the graph in its own size"), [this, centre] { setZoom(1, centre()); });
    add("view.zoomIn", tr("Zoom in"), "zoom-in", {K::ZoomIn, K(Qt::CTRL | Qt::Key_Equal)},
        tr("Come closer"), [this, centre] { setZoom(zoom() * 1.25, centre()); });
    add("view.zoomOut", tr("Zoom out"), "zoom-out", {K::ZoomOut}, tr("Step back"),
        [this, centre] { setZoom(zoom() / 1.25, centre()); });
    QAction* minimap = nullptr;
    minimap = add(
        "view.minimap", tr("Minimap"), "minimap", {}, tr("Show the whole graph in a corner"),
        [this, &actions] {
            const bool on = actions.action(QStringLiteral("view.minimap"))->isChecked();
            Settings::setValue(QStringLiteral("canvas/minimap"),
                               on ? QStringLiteral("true") : QStringLiteral("false"));
            d->minimap->place();
            d->minimap->setVisible(on);
        },
        true);
    minimap->setChecked(Settings::value(QStringLiteral("canvas/minimap")) ==
                        QStringLiteral("true"));
    QAction* snap = add(
        "view.gridSnap", tr("Snap to grid"), "grid", {},
        tr("Nodes fall on grid points while they are dragged (Ctrl turns it around)"),
        [&actions] {
            const bool on = actions.action(QStringLiteral("view.gridSnap"))->isChecked();
            Settings::setValue(QStringLiteral("canvas/gridSnap"),
                               on ? QStringLiteral("true") : QStringLiteral("false"));
        },
        true);
    snap->setChecked(d->context.gridSnap());
    QAction* wheel = add(
        "view.wheelZooms", tr("Wheel zooms"), "", {},
        tr("The mouse wheel zooms; off: it scrolls, and zooms with Ctrl"),
        [this, &actions] {
            d->wheelZooms = actions.action(QStringLiteral("view.wheelZooms"))->isChecked();
            Settings::setValue(QStringLiteral("canvas/wheel"),
                               d->wheelZooms ? QStringLiteral("zoom") : QStringLiteral("scroll"));
        },
        true);
    wheel->setChecked(d->wheelZooms);
}

} // namespace wiregrad::studio
