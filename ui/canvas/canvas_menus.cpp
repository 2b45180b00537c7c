// The context menus of the canvas: node, wire, port and empty canvas, each with the shortcuts of
// its entries.
#include <QMenu>

#include "session/settings.h"
#include "ui/canvas/canvas_edits.h"
#include "ui/canvas/canvas_impl.h"
#include "ui/canvas/canvas_style.h"
#include "ui/theme/theme.h"
#include "ui/window/actions.h"

namespace wiregrad::studio {

void Canvas::Impl::showMenu(QPointF view, QPoint global) {
    const Pointer at = pointer(view, {});
    auto* menu = new QMenu(&q);
    menu->setAttribute(Qt::WA_DeleteOnClose);
    menu->setObjectName(QStringLiteral("canvas.menu"));
    const auto table = [&](std::initializer_list<const char*> ids) {
        for (const char* id : ids) {
            if (!*id)
                menu->addSeparator();
            else if (QAction* action = actions ? actions->action(QLatin1String(id)) : nullptr)
                menu->addAction(action);
        }
    };
    const auto stopping = [&](const std::string& id, const std::string& output) {
        using train::Breakpoint;
        const std::string path = sheet.path_of(id);
        QMenu* sub =
            menu->addMenu(Theme::instance().icon(QStringLiteral("pause")), tr("Stop the run here"));
        const auto entry = [&](const QString& text, Breakpoint b) {
            b.node = path;
            b.port = output;
            QObject::connect(sub->addAction(text), &QAction::triggered, &q,
                             [this, b] { session.breakpoints().add(b); });
        };
        Breakpoint b;
        entry(tr("When a value is NaN or infinite"), b);
        b.side = Breakpoint::Side::Backward;
        entry(tr("When its gradient is NaN or infinite"), b);
        b.side = Breakpoint::Side::Forward;
        b.when = Breakpoint::When::Every;
        b.limit = 1;
        entry(tr("In each step"), b);
        sub->addSeparator();
        QObject::connect(sub->addAction(tr("Another condition …")), &QAction::triggered, &q,
                         [this, path, output] { emit q.breakpointWanted(qs(path), qs(output)); });
        const auto& all = session.breakpoints().list();
        std::vector<int> mine;
        for (const Breakpoint& one : all)
            if (one.node == path && (output.empty() || one.port == output)) mine.push_back(one.id);
        QAction* remove = sub->addAction(tr("Remove its breakpoints"));
        remove->setEnabled(!mine.empty());
        QObject::connect(remove, &QAction::triggered, &q, [this, mine] {
            for (const int one : mine)
                session.breakpoints().remove(one);
        });
    };
    const auto port = scene.portAt(at.scene, 9 / q.zoom());
    NodeItem* node = scene.nodeAt(at.scene);
    WireItem* wire = node || port ? nullptr : scene.wireAt(at.scene, 6 / q.zoom());

    if (port) {
        menu->setProperty("place", QStringLiteral("port"));
        const NodeItem* owner = scene.node(port->node);
        const NodeItem::Port* info = owner->port(port->port, port->output);
        menu->addSection(info->label);
        QAction* remove = menu->addAction(tr("Remove its wires\tAlt+Click"));
        remove->setEnabled(info->wired);
        QObject::connect(remove, &QAction::triggered, &q,
                         [this, ref = *port] { removeWiresOf(ref); });
        QAction* grow =
            menu->addAction(port->output ? tr("Add a node after …") : tr("Add a node before …"));
        QObject::connect(grow, &QAction::triggered, &q, [this, ref = *port, view] {
            SearchRequest request;
            request.view = view;
            request.fits = [this, ref](const graph::NodeType& type) {
                return type_fits(sheet.graph(), ref.node, ref.port, ref.output, type);
            };
            request.chosen = [this, ref](const QString& type, bool) {
                const CanvasStyle& s = CanvasStyle::get();
                const NodeItem* item = scene.node(ref.node);
                if (!item) return;
                const double x = ref.output ? item->pos().x() + s.width + 3 * kGrid
                                            : item->pos().x() - s.width - 3 * kGrid;
                const QRectF place = freePlace({x, item->pos().y()});
                std::string id;
                const bool done = edit([&](Draft& draft) {
                    id = add_new(draft, type.toStdString(), {place.x(), place.y()},
                                 scene.kindOf(ref));
                    if (const auto link =
                            matching_wire(draft.graph(), ref.node, ref.port, ref.output, id, false))
                        draft.add(graph::connect_edit(draft.graph(), *link));
                    return true;
                });
                if (done) scene.choose({id});
            };
            search->open(std::move(request));
        });
    } else if (node) {
        menu->setProperty("place", QStringLiteral("node"));
        if (!scene.chosenNodes().count(node->id())) scene.choose({node->id()});
        setFocusOn(node->id(), {});
        // Offered repairs first: they are what a person with a problem looks for.
        bool fixes = false;
        for (const graph::Problem* problem : sheet.analysis().of_node(node->id()))
            for (const auto& fix : problem->fixes) {
                QAction* action =
                    menu->addAction(Theme::instance().icon(QStringLiteral("fix")), qs(fix.label));
                QObject::connect(action, &QAction::triggered, &q,
                                 [this, edit = fix.edit] { document.apply(edit); });
                fixes = true;
            }
        if (fixes) menu->addSeparator();
        const graph::Node* model = sheet.graph().node(node->id());
        if (model && !model->group.empty())
            table({"group.enter", "group.ungroup", "group.unique", ""});
        else
            table({"group.make", ""});
        stopping(node->id(), {});
        table({"node.rename", "node.mute", "node.collapse", "node.pin", "", "edit.cut", "edit.copy",
               "edit.duplicate", "edit.duplicateWired", "", "node.connect", "node.straighten",
               "graph.layout", "", "select.downstream", "select.upstream", "", "edit.dissolve",
               "edit.delete"});
    } else if (wire) {
        menu->setProperty("place", QStringLiteral("wire"));
        const graph::Wire value = wire->wire();
        scene.choose({}, {value});
        setFocusOn(value.from, value.from_port);
        menu->addSection(scene.wireLabel(value));
        QAction* insert = menu->addAction(tr("Insert a node …"));
        QObject::connect(insert, &QAction::triggered, &q, [this, value, view, scenePos = at.scene] {
            SearchRequest request;
            request.view = view;
            request.fits = [this, value](const graph::NodeType& type) {
                return type_fits(sheet.graph(), value.from, value.from_port, true, type) &&
                       type_fits(sheet.graph(), value.to, value.to_port, false, type);
            };
            request.chosen = [this, value, scenePos](const QString& type, bool) {
                const CanvasStyle& s = CanvasStyle::get();
                std::string id;
                const bool done = edit([&](Draft& draft) {
                    const double left = scenePos.x() - s.width / 2;
                    const double right = left + s.width;
                    id = add_new(draft, type.toStdString(), {left, scenePos.y() - s.header});
                    if (insert_on_wire(draft, value, id)) make_room(draft, id, right, 2 * kGrid);
                    return true;
                });
                if (done) scene.choose({id});
            };
            search->open(std::move(request));
        });
        stopping(value.from, value.from_port);
        table({"node.straighten", "edit.delete"});
    } else {
        menu->setProperty("place", QStringLiteral("canvas"));
        table({"node.add", "edit.paste", "", "select.all", "graph.layout", "", "view.fit",
               "view.zoomReset", "", "view.minimap", "view.gridSnap"});
    }
    if (menu->isEmpty()) {
        delete menu;
        return;
    }
    menu->popup(global);
}

} // namespace wiregrad::studio
