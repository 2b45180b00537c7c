#include "ui/a11y/canvas_accessible.h"

#include <QAccessible>
#include <QAccessibleWidget>

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "ui/canvas/canvas.h"
#include "ui/canvas/canvas_edits.h"
#include "ui/canvas/canvas_style.h"

namespace wiregrad::studio {

namespace {

class CanvasAccessible;

/// What is spoken of: a node, one of its ports, or a wire.
struct Thing {
    enum class Kind { Node, Port, Wire } kind = Kind::Node;
    std::string node, port;
    bool output = false;
    graph::Wire wire;
    auto key() const { return std::tie(kind, node, port, output, wire); }
    bool operator<(const Thing& other) const { return key() < other.key(); }
};

class ThingAccessible final : public QAccessibleInterface, public QAccessibleActionInterface {
  public:
    ThingAccessible(CanvasAccessible& canvas, Thing thing)
        : canvas_(canvas), thing_(std::move(thing)) {}

    bool isValid() const override;
    QObject* object() const override { return nullptr; }
    QAccessibleInterface* childAt(int x, int y) const override;
    QAccessibleInterface* parent() const override;
    QAccessibleInterface* child(int index) const override;
    int childCount() const override;
    int indexOfChild(const QAccessibleInterface* child) const override;
    QString text(QAccessible::Text what) const override;
    void setText(QAccessible::Text what, const QString& text) override;
    QRect rect() const override;
    QAccessible::Role role() const override;
    QAccessible::State state() const override;
    void* interface_cast(QAccessible::InterfaceType type) override {
        return type == QAccessible::ActionInterface ? static_cast<QAccessibleActionInterface*>(this)
                                                    : nullptr;
    }

    QStringList actionNames() const override;
    void doAction(const QString& name) override;
    QStringList keyBindingsForAction(const QString& name) const override;
    QString localizedActionName(const QString& name) const override;
    QString localizedActionDescription(const QString& name) const override;

    const Thing& thing() const { return thing_; }

  private:
    std::vector<Thing> children() const;
    CanvasAccessible& canvas_;
    Thing thing_;
};

QString connectName() {
    return QStringLiteral("connect");
}

class CanvasAccessible final : public QAccessibleWidget {
  public:
    explicit CanvasAccessible(Canvas* canvas)
        : QAccessibleWidget(canvas, QAccessible::Pane), canvas_(canvas) {}
    ~CanvasAccessible() override {
        for (const auto& [thing, id] : ids_)
            QAccessible::deleteAccessibleInterface(id);
    }

    Canvas& canvas() const { return *canvas_; }
    const graph::Graph& graph() const { return canvas_->sheet().graph(); }

    /// Nodes in the order in which they compute, then wires in the order wired.
    std::vector<Thing> things() const {
        std::vector<Thing> result;
        for (const std::string& id : graph().topological_order())
            result.push_back({Thing::Kind::Node, id, {}, false, {}});
        for (const graph::Wire& wire : graph().wires())
            result.push_back({Thing::Kind::Wire, {}, {}, false, wire});
        return result;
    }
    QAccessibleInterface* of(const Thing& thing) const {
        const auto it = ids_.find(thing);
        if (it != ids_.end()) return QAccessible::accessibleInterface(it->second);
        auto* made = new ThingAccessible(const_cast<CanvasAccessible&>(*this), thing);
        ids_[thing] = QAccessible::registerAccessibleInterface(made);
        return made;
    }

    int childCount() const override { return int(things().size()); }
    QAccessibleInterface* child(int index) const override {
        const std::vector<Thing> all = things();
        return index >= 0 && std::size_t(index) < all.size() ? of(all[std::size_t(index)])
                                                             : nullptr;
    }
    int indexOfChild(const QAccessibleInterface* child) const override {
        const std::vector<Thing> all = things();
        for (std::size_t i = 0; i < all.size(); ++i)
            if (of(all[i]) == child) return int(i);
        return -1;
    }
    QAccessibleInterface* childAt(int x, int y) const override {
        for (const Thing& thing : things())
            if (QAccessibleInterface* one = of(thing); one->rect().contains(x, y)) return one;
        return nullptr;
    }
    QAccessibleInterface* focusChild() const override {
        const Focus focus = canvas_->focused();
        if (!graph().node(focus.node.toStdString())) return nullptr;
        return of({Thing::Kind::Node, focus.node.toStdString(), {}, false, {}});
    }
    QString text(QAccessible::Text what) const override {
        if (what == QAccessible::Name) return Canvas::tr("Network");
        if (what == QAccessible::Description)
            return Canvas::tr("%1 layers, %2 wires. The outline panel is an equal way to build.")
                .arg(graph().nodes().size())
                .arg(graph().wires().size());
        return QAccessibleWidget::text(what);
    }
    QRect toScreen(QRectF view) const {
        const QRect local = view.toAlignedRect();
        return {canvas_->viewport()->mapToGlobal(local.topLeft()), local.size()};
    }

    std::optional<Thing> connecting; ///< a port that waits for another

  private:
    Canvas* canvas_;
    mutable std::map<Thing, QAccessible::Id> ids_;
};

bool ThingAccessible::isValid() const {
    const graph::Graph& graph = canvas_.graph();
    if (thing_.kind == Thing::Kind::Wire) {
        const auto& wires = graph.wires();
        return std::find(wires.begin(), wires.end(), thing_.wire) != wires.end();
    }
    if (thing_.kind == Thing::Kind::Node) return graph.node(thing_.node) != nullptr;
    const graph::NodeType* type = graph.type_of(thing_.node);
    return type && (thing_.output ? type->output(thing_.port) : type->input(thing_.port));
}

std::vector<Thing> ThingAccessible::children() const {
    std::vector<Thing> result;
    const graph::NodeType* type =
        thing_.kind == Thing::Kind::Node ? canvas_.graph().type_of(thing_.node) : nullptr;
    if (!type) return result;
    for (const bool output : {false, true})
        for (const graph::PortSpec& port : output ? type->outputs : type->inputs)
            result.push_back({Thing::Kind::Port, thing_.node, port.id, output, {}});
    return result;
}

QAccessibleInterface* ThingAccessible::parent() const {
    if (thing_.kind == Thing::Kind::Port)
        return canvas_.of({Thing::Kind::Node, thing_.node, {}, false, {}});
    return &canvas_;
}

QAccessibleInterface* ThingAccessible::child(int index) const {
    const std::vector<Thing> all = children();
    return index >= 0 && std::size_t(index) < all.size() ? canvas_.of(all[std::size_t(index)])
                                                         : nullptr;
}

int ThingAccessible::childCount() const {
    return int(children().size());
}

int ThingAccessible::indexOfChild(const QAccessibleInterface* child) const {
    const std::vector<Thing> all = children();
    for (std::size_t i = 0; i < all.size(); ++i)
        if (canvas_.of(all[i]) == child) return int(i);
    return -1;
}

QAccessibleInterface* ThingAccessible::childAt(int x, int y) const {
    for (const Thing& thing : children())
        if (QAccessibleInterface* one = canvas_.of(thing); one->rect().contains(x, y)) return one;
    return nullptr;
}

QString ThingAccessible::text(QAccessible::Text what) const {
    if (!isValid()) return {};
    const graph::Graph& graph = canvas_.graph();
    if (thing_.kind == Thing::Kind::Wire) {
        if (what == QAccessible::Name)
            return Canvas::tr("Wire from %1 to %2")
                .arg(qs(thing_.wire.from + "." + thing_.wire.from_port),
                     qs(thing_.wire.to + "." + thing_.wire.to_port));
        return {};
    }
    const graph::NodeType* type = graph.type_of(thing_.node);
    if (thing_.kind == Thing::Kind::Port) {
        QStringList ends;
        for (const graph::Wire& wire :
             thing_.output ? graph.wires_out_of(thing_.node) : graph.wires_into(thing_.node))
            if ((thing_.output ? wire.from_port : wire.to_port) == thing_.port)
                ends << qs(thing_.output ? wire.to + "." + wire.to_port
                                         : wire.from + "." + wire.from_port);
        const QString end = ends.isEmpty() ? Canvas::tr("nothing") : ends.join(QLatin1String(", "));
        if (what == QAccessible::Name)
            return (thing_.output ? Canvas::tr("Output %1 to %2") : Canvas::tr("Input %1 from %2"))
                .arg(qs(thing_.port), end);
        const graph::PortSpec* port =
            thing_.output ? type->output(thing_.port) : type->input(thing_.port);
        return what == QAccessible::Description && port ? qs(port->help) : QString();
    }
    const graph::Node& node = *graph.node(thing_.node);
    if (what == QAccessible::Name)
        return Canvas::tr("%1, %2").arg(node.name.empty() ? qs(node.id) : qs(node.name),
                                        type ? qs(type->label) : qs(node.type));
    if (what != QAccessible::Description) return {};
    QStringList parts;
    const graph::Analysis& analysis = canvas_.canvas().sheet().analysis();
    const auto facts = analysis.nodes.find(thing_.node);
    if (facts != analysis.nodes.end() && !facts->second.output_text.empty())
        parts << Canvas::tr("gives %1").arg(qs(facts->second.output_text));
    if (facts != analysis.nodes.end() && facts->second.weights > 0)
        parts << Canvas::tr("%1 weights").arg(facts->second.weights);
    if (node.muted) parts << Canvas::tr("off");
    for (const graph::Problem* problem : analysis.of_node(thing_.node))
        parts << Canvas::tr("problem: %1").arg(qs(problem->text));
    return parts.join(QStringLiteral(", "));
}

void ThingAccessible::setText(QAccessible::Text what, const QString& text) {
    if (what == QAccessible::Name && thing_.kind == Thing::Kind::Node)
        canvas_.canvas().sheet().apply({graph::Rename{thing_.node, text.toStdString()}});
}

QRect ThingAccessible::rect() const {
    if (!isValid()) return {};
    const Canvas& canvas = canvas_.canvas();
    if (thing_.kind == Thing::Kind::Wire) {
        const QPointF a = canvas.portPosition(qs(thing_.wire.from), qs(thing_.wire.from_port),
                                              true),
                      b = canvas.portPosition(qs(thing_.wire.to), qs(thing_.wire.to_port), false);
        return canvas_.toScreen(QRectF(a, b).normalized().adjusted(-1, -1, 1, 1));
    }
    if (thing_.kind == Thing::Kind::Port) {
        const QPointF at = canvas.portPosition(qs(thing_.node), qs(thing_.port), thing_.output);
        return canvas_.toScreen(QRectF(at - QPointF(6, 6), QSizeF(12, 12)));
    }
    return canvas_.toScreen(canvas.nodeRect(qs(thing_.node)));
}

QAccessible::Role ThingAccessible::role() const {
    switch (thing_.kind) {
    case Thing::Kind::Port:
        return QAccessible::Button;
    case Thing::Kind::Wire:
        return QAccessible::Link;
    case Thing::Kind::Node:
        break;
    }
    return QAccessible::ListItem;
}

QAccessible::State ThingAccessible::state() const {
    QAccessible::State state;
    if (!isValid()) {
        state.invalid = true;
        return state;
    }
    if (thing_.kind == Thing::Kind::Node) {
        state.selectable = state.focusable = true;
        state.selected = canvas_.canvas().selectedNodes().count(qs(thing_.node)) > 0;
        state.focused = state.selected && canvas_.canvas().hasFocus();
        state.editable = true;
    }
    return state;
}

QStringList ThingAccessible::actionNames() const {
    switch (thing_.kind) {
    case Thing::Kind::Node:
        return {pressAction(), setFocusAction()};
    case Thing::Kind::Port:
        return {connectName()};
    case Thing::Kind::Wire:
        break;
    }
    return {pressAction()};
}

void ThingAccessible::doAction(const QString& name) {
    if (!isValid()) return;
    Canvas& canvas = canvas_.canvas();
    if (thing_.kind == Thing::Kind::Node) {
        canvas.reveal(qs(thing_.node));
        if (name == setFocusAction()) canvas.setFocus();
    } else if (thing_.kind == Thing::Kind::Wire) {
        canvas.reveal(qs(thing_.wire.to), qs(thing_.wire.to_port));
    } else if (!canvas_.connecting || !canvas_.of(*canvas_.connecting)->isValid()) {
        canvas_.connecting = thing_; // the next port takes the other end
    } else {
        const Thing from = *std::exchange(canvas_.connecting, std::nullopt);
        Sheet& sheet = canvas.sheet();
        if (const auto wire = wire_between(from.node, from.port, from.output, thing_.node,
                                           thing_.port, thing_.output))
            sheet.apply(graph::connect_edit(sheet.graph(), *wire));
    }
}

QStringList ThingAccessible::keyBindingsForAction(const QString&) const {
    return {};
}

QString ThingAccessible::localizedActionName(const QString& name) const {
    return name == connectName() ? Canvas::tr("Connect")
                                 : QAccessibleActionInterface::localizedActionName(name);
}

QString ThingAccessible::localizedActionDescription(const QString& name) const {
    return name == connectName() ? Canvas::tr("Press one port, then the other")
                                 : QAccessibleActionInterface::localizedActionDescription(name);
}

QAccessibleInterface* factory(const QString&, QObject* object) {
    auto* canvas = qobject_cast<Canvas*>(object);
    return canvas ? new CanvasAccessible(canvas) : nullptr;
}

} // namespace

void installCanvasAccessibility() {
    static const bool once = [] {
        QAccessible::installFactory(factory);
        return true;
    }();
    Q_UNUSED(once);
}

} // namespace wiregrad::studio
