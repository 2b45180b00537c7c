// The commands of the canvas: what they do to the selection, and their registration in the one
// table of actions.
#include <QClipboard>
#include <QGuiApplication>

#include <algorithm>
#include <cmath>

#include "engine/core/error.h"
#include "nodes/group.h"
#include "session/settings.h"
#include "ui/canvas/canvas_edits.h"
#include "ui/canvas/canvas_impl.h"
#include "ui/canvas/canvas_style.h"
#include "ui/canvas/node_help.h"
#include "ui/window/actions.h"

namespace wiregrad::studio {

using graph::Wire;

void Canvas::Impl::removeChosen(bool dissolve) {
    const auto nodes = scene.chosenNodes();
    const auto wires = scene.chosenWires();
    if (nodes.empty() && wires.empty()) return;
    cancelGesture();
    try {
        Draft draft(sheet.graph());
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
    QGuiApplication::clipboard()->setText(qs(graph::copy_text(sheet.graph(), scene.chosenNodes())));
    if (cut) removeChosen(false);
}

void Canvas::Impl::paste(QPointF view, bool keepInputs) {
    const std::string text = QGuiApplication::clipboard()->text().toStdString();
    const QPointF at = pointer(view, {}).scene;
    try {
        const auto [edit, ids] = graph::paste_edit(
            sheet.graph(), text, {std::round(at.x()), std::round(at.y())}, keepInputs);
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
        const auto [edit, ids] =
            graph::paste_edit(sheet.graph(), graph::copy_text(sheet.graph(), nodes),
                              {left, top + bounds.height() + kGrid}, keepInputs);
        graph::Edit named = edit;
        std::get<graph::Batch>(named.what).label =
            ids.size() == 1 ? "Duplicate " + sheet.graph().node(*nodes.begin())->type
                            : "Duplicate " + std::to_string(ids.size()) + " nodes";
        if (apply(named)) scene.choose(ids);
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
    const graph::Node* node = sheet.graph().node(id);
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
        nodeTitle(sheet.graph(), *node),
        [this, id, before = node->name,
         shown = nodeTitle(sheet.graph(), *node)](const QString& text) {
            const std::string name = text.toStdString();
            if (name == before || (before.empty() && text == shown) || !sheet.graph().node(id))
                return;
            apply({graph::Rename{id, name}});
        });
}

void Canvas::Impl::toggleMuted() {
    graph::Batch batch;
    bool allMuted = true;
    for (const auto& id : scene.chosenNodes())
        allMuted = allMuted && sheet.graph().node(id)->muted;
    for (const auto& id : scene.chosenNodes())
        if (sheet.graph().node(id)->muted == allMuted)
            batch.edits.push_back({graph::SetMuted{id, !allMuted}});
    if (!batch.edits.empty()) apply({std::move(batch)});
}

void Canvas::Impl::toggleCollapsed() {
    graph::Batch batch;
    bool all = true;
    for (const auto& id : scene.chosenNodes())
        all = all && sheet.graph().node(id)->collapsed;
    for (const auto& id : scene.chosenNodes())
        if (sheet.graph().node(id)->collapsed == all)
            batch.edits.push_back({graph::SetCollapsed{id, !all}});
    if (!batch.edits.empty()) apply({std::move(batch)});
}

void Canvas::Impl::togglePinned() {
    graph::Batch batch;
    bool all = true;
    for (const auto& id : scene.chosenNodes())
        all = all && sheet.graph().node(id)->pinned;
    for (const auto& id : scene.chosenNodes())
        if (sheet.graph().node(id)->pinned == all)
            batch.edits.push_back({graph::SetPinned{id, !all}});
    if (!batch.edits.empty()) apply({std::move(batch)});
}

void Canvas::Impl::groupChosen() {
    if (scene.chosenNodes().empty()) {
        emit q.hint(tr("Select the nodes that shall be a group"));
        return;
    }
    cancelGesture();
    try {
        const auto [edit, id] = graph::group_edit(sheet.graph(), scene.chosenNodes());
        if (!apply(edit)) return;
        scene.choose({id});
        setFocusOn(id, {});
    } catch (const Error& error) {
        emit q.hint(QString::fromUtf8(error.what()));
        note->say(QString::fromUtf8(error.what()), CursorNote::Refused, cursor);
        QTimer::singleShot(4000, note, [this] { note->clear(); });
    }
}

void Canvas::Impl::ungroupChosen() {
    cancelGesture();
    try {
        Draft draft(sheet.graph());
        std::set<std::string> born;
        for (const auto& id : scene.chosenNodes()) {
            const graph::Node* node = draft.graph().node(id);
            if (!node || node->group.empty()) continue;
            const auto [edit, ids] = graph::ungroup_edit(draft.graph(), id);
            draft.add(edit);
            born.insert(ids.begin(), ids.end());
        }
        if (draft.empty()) {
            emit q.hint(tr("Select a group to ungroup"));
            return;
        }
        if (apply(draft.take())) scene.choose(born);
    } catch (const Error& error) {
        emit q.hint(QString::fromUtf8(error.what()));
        note->say(QString::fromUtf8(error.what()), CursorNote::Refused, cursor);
        QTimer::singleShot(4000, note, [this] { note->clear(); });
    }
}

void Canvas::Impl::makeUnique() {
    edit([&](Draft& draft) {
        for (const auto& id : scene.chosenNodes())
            if (!draft.graph().node(id)->group.empty() &&
                graph::instances_of(draft.graph(), draft.graph().node(id)->group) > 1)
                draft.add(graph::make_unique_edit(draft.graph(), id));
        if (draft.empty()) emit q.hint(tr("This group has no copies: it is unique already"));
        return true;
    });
}

void Canvas::Impl::enterGroup(const std::string& node) {
    leavingChoice = scene.chosenNodes();
    if (!sheet.enter(node)) emit q.hint(tr("Only groups can be gone into"));
    leavingChoice.clear();
}

void Canvas::Impl::leaveGroup() {
    leavingChoice = scene.chosenNodes();
    sheet.leave();
    leavingChoice.clear();
}

void Canvas::Impl::straighten() {
    // Along each wire among what is chosen, the node behind moves so that the wire runs level.
    auto nodes = scene.chosenNodes();
    auto wires = scene.chosenWires();
    for (const auto& wire : sheet.graph().wires())
        if (nodes.count(wire.from) && nodes.count(wire.to)) wires.insert(wire);
    std::map<std::string, double> top;
    std::set<std::string> settled;
    for (const auto& id : sheet.graph().topological_order())
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
        const graph::Position p = sheet.graph().node(id)->position;
        if (std::abs(p.y - y) > 0.01) batch.edits.push_back({graph::Move{id, {p.x, y}}});
    }
    if (!batch.edits.empty()) apply({std::move(batch)});
}

void Canvas::Impl::layOut() {
    try {
        const auto nodes =
            scene.chosenNodes().size() > 1 ? scene.chosenNodes() : std::set<std::string>{};
        const graph::Edit edit = graph::layout_edit(sheet.graph(), nodes, sizes());
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
    Draft draft(sheet.graph());
    if (connect_chain(draft, chain))
        apply(draft.take());
    else
        emit q.hint(tr("None of these nodes has a port that fits the next"));
}

void Canvas::Impl::selectReach(bool downstream) {
    if (!scene.chosenNodes().empty())
        scene.choose(reach(sheet.graph(), scene.chosenNodes(), downstream));
}

void Canvas::Impl::nudge(QPointF steps, bool repeat) {
    if (scene.chosenNodes().empty()) {
        panBy(-steps * 40);
        return;
    }
    graph::Batch batch;
    for (const auto& id : scene.chosenNodes()) {
        const graph::Position p = sheet.graph().node(id)->position;
        batch.edits.push_back(
            {graph::Move{id, {p.x + steps.x() * kGrid, p.y + steps.y() * kGrid}}});
    }
    if (!repeat) nudgeGesture = Document::newGesture(); // a held key is one step
    apply({std::move(batch)}, nudgeGesture);
}

void Canvas::Impl::removeWiresOf(const PortRef& port) {
    graph::Batch batch;
    for (const auto& wire : sheet.graph().wires())
        if (port.output ? wire.from == port.node && wire.from_port == port.port
                        : wire.to == port.node && wire.to_port == port.port)
            batch.edits.push_back({graph::Disconnect{wire}});
    if (!batch.edits.empty()) apply({std::move(batch)});
}

void Canvas::Impl::walk(int direction) {
    const auto& nodes = sheet.graph().nodes();
    if (nodes.empty()) return;
    const std::string current =
        scene.chosenNodes().size() == 1 ? *scene.chosenNodes().begin() : std::string();
    const auto order = sheet.graph().topological_order();
    if (order.empty()) return;
    std::string next;
    if (current.empty()) {
        next = direction > 0 ? order.front() : order.back();
    } else {
        const auto wires =
            direction > 0 ? sheet.graph().wires_out_of(current) : sheet.graph().wires_into(current);
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

void Canvas::Impl::showHelp() {
    const std::string id =
        scene.chosenNodes().size() == 1 ? *scene.chosenNodes().begin() : focus.node.toStdString();
    const graph::NodeType* type = sheet.graph().type_of(id);
    if (!type) {
        emit q.hint(tr("Select one layer to read about it"));
        return;
    }
    const auto insert = [this, name = type->id] {
        try {
            const QRectF all = scene.boundsOf({});
            const graph::Position at{std::round(all.left()),
                                     std::round(all.isNull() ? 0 : all.bottom() + 3 * kGrid)};
            const graph::Edit edit = exampleEdit(sheet.graph(), *graph::find_type(name), at);
            std::set<std::string> added;
            for (const graph::Edit& part : std::get<graph::Batch>(edit.what).edits)
                if (const auto* node = std::get_if<graph::AddNode>(&part.what))
                    added.insert(node->node.id);
            if (!apply(edit)) return;
            scene.choose(added);
            q.fitSelection();
        } catch (const Error& error) {
            emit q.hint(QString::fromUtf8(error.what()));
        }
    };
    // A group's type lives as long as its definition: the help has read it by then.
    auto* help = new NodeHelp(*type, insert, &q);
    help->show();
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
        [this, cursor] { d->paste(cursor(), false); });
    add("edit.pasteWired", tr("Paste with inputs"), "", {K(Qt::CTRL | Qt::SHIFT | Qt::Key_V)},
        tr("Paste nodes at the cursor and keep the wires that came in"),
        [this, cursor] { d->paste(cursor(), true); });
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
    add("node.pin", tr("Pin"), "", {K(Qt::Key_P)},
        tr("The automatic layout leaves the selected nodes where they are"),
        [this] { d->togglePinned(); });
    add("group.make", tr("Group"), "group", {K(Qt::CTRL | Qt::Key_G)},
        tr("Put the selected nodes into a group"), [this] { d->groupChosen(); });
    add("group.ungroup", tr("Ungroup"), "", {K(Qt::CTRL | Qt::ALT | Qt::Key_G)},
        tr("Put the inside of the selected groups in their place"), [this] { d->ungroupChosen(); });
    add("group.enter", tr("Go into the group"), "", {},
        tr("Show the inside of the selected group (also: Enter, double-click)"), [this] {
            if (d->scene.chosenNodes().size() == 1) d->enterGroup(*d->scene.chosenNodes().begin());
        });
    add("group.leave", tr("Leave the group"), "", {K(Qt::CTRL | Qt::Key_Up)},
        tr("Show the level around this group (also: Esc)"), [this] { d->leaveGroup(); });
    add("group.unique", tr("Make unique"), "", {},
        tr("Give the selected group an inside of its own, apart from its copies"),
        [this] { d->makeUnique(); });
    add("node.connect", tr("Connect in order"), "", {K(Qt::Key_F)},
        tr("Wire the selected nodes from left to right"), [this] { d->connectChosen(); });
    add("node.straighten", tr("Straighten wires"), "", {K(Qt::Key_Q)},
        tr("Level the wires of the selection"), [this] { d->straighten(); });
    add("graph.layout", tr("Lay out"), "layout", {K(Qt::CTRL | Qt::SHIFT | Qt::Key_F)},
        tr("Arrange the selected nodes, or all"), [this] { d->layOut(); });
    add("graph.savePicture", tr("Save picture …"), "export", {},
        tr("Save the network as a drawing (SVG, PDF) or as pixels (PNG)"),
        [this] { d->askForPicture(); });
    add("graph.copyPicture", tr("Copy picture"), "", {K(Qt::CTRL | Qt::SHIFT | Qt::Key_C)},
        tr("Copy the network as a picture"), [this] {
            QGuiApplication::clipboard()->setImage(picture());
            emit hint(tr("The picture is on the clipboard"));
        });
    add("help.node", tr("Help of this layer"), "help", {K(Qt::Key_F1)},
        tr("What the selected layer does, its formula, and an example to insert"),
        [this] { d->showHelp(); });
    QAction* heat = nullptr;
    heat = add(
        "view.heat", tr("Colour by memory"), "heatmap", {},
        tr("Nodes show how much of the memory of training is theirs"),
        [this, &actions] {
            d->scene.setHeat(actions.action(QStringLiteral("view.heat"))->isChecked());
        },
        true);
    heat->setChecked(false);
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
    QAction* middle = add(
        "view.middleRemoves", tr("Middle click removes wires"), "", {},
        tr("A click with the middle button on a wire removes it; dragging still moves the view"),
        [&actions] {
            const bool on = actions.action(QStringLiteral("view.middleRemoves"))->isChecked();
            Settings::setValue(QStringLiteral("canvas/middleRemoves"),
                               on ? QStringLiteral("true") : QString());
        },
        true);
    middle->setChecked(Settings::value(QStringLiteral("canvas/middleRemoves")) ==
                       QStringLiteral("true"));
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
