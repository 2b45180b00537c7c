#include "ui/canvas/canvas_scene.h"

#include <QLineF>

#include <algorithm>
#include <limits>

#include "nodes/preflight.h"
#include "ui/canvas/canvas_style.h"

namespace wiregrad::studio {

namespace {
constexpr std::size_t kMostObstacles = 96; ///< wires across more nodes run straight
constexpr double kNarrowGap = 14;          ///< a lane needs this much between two nodes
constexpr std::size_t kRouteAll =
    300; ///< graphs up to this many wires look again at all of them after a change
} // namespace

CanvasScene::CanvasScene(Sheet& sheet, QObject* parent) : QGraphicsScene(parent), sheet_(sheet) {
    setItemIndexMethod(QGraphicsScene::BspTreeIndex);
    rebuild();
    connect(&sheet_, &Sheet::changed, this, &CanvasScene::sync);
    connect(&sheet_, &Sheet::analysed, this, &CanvasScene::refreshFacts);
}

void CanvasScene::rebuild() {
    setHovered(nullptr, nullptr);
    // Items of other owners (overlays) stay.
    for (auto& [wire, item] : wires_)
        delete item;
    for (auto& [id, item] : nodes_)
        delete item;
    wires_.clear();
    nodes_.clear();
    wiresOf_.clear();
    previewed_.clear();
    for (const auto& [id, node] : sheet_.graph().nodes())
        addNodeItem(id);
    for (const auto& wire : sheet_.graph().wires())
        addWireItem(wire);
    refreshFacts();
    choose({}, {});
    emit itemsChanged();
}

void CanvasScene::addNodeItem(const std::string& id) {
    const graph::Node* node = sheet_.graph().node(id);
    if (!node || nodes_.count(id)) return;
    auto* item = new NodeItem(id);
    item->setZValue(1);
    item->refresh(sheet_.graph());
    item->setPos(node->position.x, node->position.y);
    nodes_[id] = item;
    addItem(item);
}

graph::PortKind CanvasScene::kindOf(const PortRef& ref) const {
    if (const NodeItem* item = node(ref.node))
        if (const NodeItem::Port* port = item->port(ref.port, ref.output)) return port->kind;
    return graph::PortKind::Tensor;
}

void CanvasScene::addWireItem(const graph::Wire& wire) {
    if (wires_.count(wire)) return;
    auto* item = new WireItem(wire, kindOf({wire.from, wire.from_port, true}));
    wires_[wire] = item;
    wiresOf_[wire.from].insert(item);
    wiresOf_[wire.to].insert(item);
    route(*item);
    addItem(item);
}

void CanvasScene::removeWireItem(const graph::Wire& wire) {
    const auto found = wires_.find(wire);
    if (found == wires_.end()) return;
    WireItem* item = found->second;
    if (hoveredWire_ == item) hoveredWire_ = nullptr;
    wiresOf_[wire.from].erase(item);
    wiresOf_[wire.to].erase(item);
    wires_.erase(found);
    delete item;
}

void CanvasScene::route(WireItem& item) {
    const NodeItem* from = node(item.wire().from);
    const NodeItem* to = node(item.wire().to);
    if (!from || !to) return;
    const QPointF a = from->portScenePos(item.wire().from_port, true),
                  b = to->portScenePos(item.wire().to_port, false);
    std::vector<QPointF> bends;
    for (const graph::Position& bend : sheet_.graph().bends(item.wire()))
        bends.emplace_back(bend.x, bend.y);
    item.setEnds(a, b, bends.empty() ? laneFor(item, a, b) : std::nullopt, bends);
}

std::optional<double> CanvasScene::laneFor(const WireItem& item, QPointF a, QPointF b) const {
    const CanvasStyle& s = CanvasStyle::get();
    const bool back = b.x() < a.x();
    if (!back && b.x() - a.x() < s.width * 1.2) return std::nullopt;
    // Only what stands between the ends can be in the way; going back, the ends themselves can.
    const double low = back ? b.x() - kLaneReach : a.x() + 8,
                 high = back ? a.x() + kLaneReach : b.x() - 8;
    std::vector<QRectF> between;
    for (const auto& [id, node] : nodes_) {
        if (!back && (id == item.wire().from || id == item.wire().to)) continue;
        const QRectF body = node->body().translated(node->pos());
        if (body.right() > low && body.left() < high) between.push_back(body);
        if (between.size() > kMostObstacles) return std::nullopt;
    }
    if (between.empty()) return std::nullopt;
    if (!back) {
        const QPainterPath direct = wirePath(a, b);
        const QPointF c1 = direct.elementAt(1), c2 = direct.elementAt(2);
        const int samples = std::clamp(static_cast<int>((b.x() - a.x()) / 12), 8, 200);
        bool blocked = false;
        for (int i = 1; i < samples && !blocked; ++i) {
            const double t = static_cast<double>(i) / samples, u = 1 - t;
            const QPointF p =
                u * u * u * a + 3 * u * u * t * c1 + 3 * u * t * t * c2 + t * t * t * b;
            blocked = std::any_of(between.begin(), between.end(), [&](const QRectF& r) {
                return r.adjusted(0, -3, 0, 3).contains(p);
            });
        }
        if (!blocked) return std::nullopt;
    }
    // The free height nearest to the ends: nodes as intervals, merged, leave gaps.
    std::sort(between.begin(), between.end(),
              [](const QRectF& x, const QRectF& y) { return x.top() < y.top(); });
    // Wires of one output choose the same one and run as a bundle.
    const double wish = back ? (a.y() + b.y()) / 2 : a.y();
    double best = between.front().top() - kGrid, reached = between.front().bottom();
    const auto consider = [&](double y) {
        if (std::abs(y - wish) < std::abs(best - wish)) best = y;
    };
    for (const QRectF& r : between) {
        const double room = r.top() - reached;
        if (room >= kNarrowGap) {
            const double clear = std::min(kGrid, room / 2);
            consider(std::clamp(wish, reached + clear, r.top() - clear));
        }
        reached = std::max(reached, r.bottom());
    }
    consider(reached + kGrid);
    return best;
}

void CanvasScene::routeAll() {
    for (auto& [wire, item] : wires_)
        route(*item);
}

void CanvasScene::routeWiresOf(const std::string& id) {
    const auto found = wiresOf_.find(id);
    if (found == wiresOf_.end()) return;
    for (WireItem* item : found->second)
        route(*item);
}

void CanvasScene::sync(const graph::ChangeSet& changes) {
    if (changes.everything) {
        rebuild();
        return;
    }
    for (const auto& wire : changes.wires_removed)
        if (std::find(sheet_.graph().wires().begin(), sheet_.graph().wires().end(), wire) ==
            sheet_.graph().wires().end())
            removeWireItem(wire);
    for (const auto& id : changes.removed) {
        const auto found = nodes_.find(id);
        if (found == nodes_.end() || sheet_.graph().node(id)) continue;
        // Wires go first: they know their ends by id only, but the index of wires per node must not
        // dangle.
        const auto attached = wiresOf_[id];
        for (WireItem* item : attached)
            removeWireItem(graph::Wire(item->wire()));
        wiresOf_.erase(id);
        if (hoveredNode_ == found->second) hoveredNode_ = nullptr;
        delete found->second;
        nodes_.erase(found);
    }
    std::set<std::string> reroute;
    for (const auto& id : changes.added)
        addNodeItem(id);
    for (const auto& id : changes.moved) {
        const graph::Node* node = sheet_.graph().node(id);
        if (NodeItem* item = this->node(id); item && node) {
            item->setPos(node->position.x, node->position.y);
            reroute.insert(id);
        }
    }
    std::set<std::string> touched = changes.changed;
    for (const auto* wires : {&changes.wires_added, &changes.wires_removed})
        for (const auto& wire : *wires) {
            touched.insert(wire.from);
            touched.insert(wire.to);
        }
    for (const auto& id : touched)
        if (NodeItem* item = this->node(id)) {
            item->refresh(sheet_.graph());
            reroute.insert(id);
        }
    for (const auto& wire : sheet_.graph().wires())
        if (changes.wires_added.count(wire)) addWireItem(wire);
    for (const auto& wire : changes.bent)
        if (WireItem* item = this->wire(wire)) route(*item);
    if (wires_.size() <= kRouteAll && (!changes.moved.empty() || !changes.added.empty() ||
                                       !changes.removed.empty() || !reroute.empty()))
        routeAll(); // a node may have come to stand in the way of wires that are not its own
    else
        for (const auto& id : reroute)
            routeWiresOf(id);

    std::set<std::string> nodesLeft;
    std::set<graph::Wire> wiresLeft;
    for (const auto& id : chosenNodes_)
        if (nodes_.count(id)) nodesLeft.insert(id);
    for (const auto& wire : chosenWires_)
        if (wires_.count(wire)) wiresLeft.insert(wire);
    choose(std::move(nodesLeft), std::move(wiresLeft));
    emit itemsChanged();
}

void CanvasScene::refreshFacts() {
    const graph::Analysis& analysis = sheet_.analysis();
    for (auto& [id, item] : nodes_)
        item->setFacts(analysis);
    double most = 0;
    if (heat_)
        for (const auto& [id, item] : nodes_)
            if (const auto facts = analysis.nodes.find(id); facts != analysis.nodes.end())
                most = std::max(most, graph::training_bytes(facts->second));
    for (auto& [id, item] : nodes_) {
        const auto facts = analysis.nodes.find(id);
        const double bytes =
            facts == analysis.nodes.end() ? 0 : graph::training_bytes(facts->second);
        item->setHeat(heat_ && most > 0 ? bytes / most : -1, bytes);
    }
}

void CanvasScene::setHeat(bool shown) {
    if (heat_ == shown) return;
    heat_ = shown;
    refreshFacts();
}

NodeItem* CanvasScene::node(const std::string& id) const {
    const auto found = nodes_.find(id);
    return found == nodes_.end() ? nullptr : found->second;
}

WireItem* CanvasScene::wire(const graph::Wire& wire) const {
    const auto found = wires_.find(wire);
    return found == wires_.end() ? nullptr : found->second;
}

NodeItem* CanvasScene::nodeAt(QPointF pos) const {
    const auto hits = items(pos, Qt::IntersectsItemBoundingRect, Qt::DescendingOrder);
    for (QGraphicsItem* item : hits)
        if (auto* node = qgraphicsitem_cast<NodeItem*>(item);
            node && node->body().contains(pos - node->pos()))
            return node;
    return nullptr;
}

std::optional<PortRef> CanvasScene::portAt(QPointF pos, double radius) const {
    const QRectF around(pos - QPointF(radius, radius), QSizeF(2 * radius, 2 * radius));
    std::optional<PortRef> best;
    double nearest = radius;
    const auto hits = items(around, Qt::IntersectsItemBoundingRect);
    for (QGraphicsItem* item : hits) {
        const auto* node = qgraphicsitem_cast<NodeItem*>(item);
        if (!node) continue;
        for (const auto& port : node->ports()) {
            const double distance = QLineF(pos, node->pos() + port.pos).length();
            if (distance <= nearest) {
                nearest = distance;
                best = PortRef{node->id(), port.id, port.output};
            }
        }
    }
    return best;
}

WireItem* CanvasScene::wireAt(QPointF pos, double tolerance) const {
    const QRectF around(pos - QPointF(tolerance, tolerance), QSizeF(2 * tolerance, 2 * tolerance));
    WireItem* best = nullptr;
    double nearest = tolerance;
    const auto hits = items(around, Qt::IntersectsItemBoundingRect);
    for (QGraphicsItem* item : hits)
        if (auto* wire = qgraphicsitem_cast<WireItem*>(item)) {
            const double distance = wire->distance(pos);
            if (distance <= nearest) {
                nearest = distance;
                best = wire;
            }
        }
    return best;
}

std::set<std::string> CanvasScene::nodesIn(const QRectF& rect) const {
    std::set<std::string> found;
    for (const auto& [id, item] : nodes_)
        if (rect.intersects(item->body().translated(item->pos()))) found.insert(id);
    return found;
}

QRectF CanvasScene::boundsOf(const std::set<std::string>& ids) const {
    QRectF bounds;
    for (const auto& [id, item] : nodes_)
        if (ids.empty() || ids.count(id)) bounds = bounds.united(item->sceneBoundingRect());
    if (ids.empty())
        for (const auto& [wire, item] : wires_)
            bounds = bounds.united(item->sceneBoundingRect());
    return bounds;
}

QString CanvasScene::wireLabel(const graph::Wire& wire) const {
    const auto& facts = sheet_.analysis().nodes;
    const auto found = facts.find(wire.from);
    const graph::Node* from = sheet_.graph().node(wire.from);
    if (!from) return {};
    const graph::NodeType* type = sheet_.graph().type_of(*from);
    QString label;
    if (type)
        for (std::size_t i = 0; i < type->outputs.size(); ++i)
            if (type->outputs[i].id == wire.from_port) {
                if (type->outputs.size() > 1 || type->outputs[i].kind != graph::PortKind::Tensor)
                    label = qs(type->outputs[i].label);
                if (found != facts.end() && found->second.known &&
                    i < found->second.outputs.size()) {
                    QStringList dims;
                    const Shape& shape = found->second.outputs[i].shape;
                    for (int d = 0; d < shape.size(); ++d)
                        dims << (d == 0 ? QStringLiteral("N") : QString::number(shape[d]));
                    const QString text = dims.isEmpty() ? QStringLiteral("one number")
                                                        : dims.join(QStringLiteral(" × "));
                    label += (label.isEmpty() ? QString() : QStringLiteral(": ")) + text;
                }
            }
    return label.isEmpty() ? QStringLiteral("shape not known yet") : label;
}

void CanvasScene::choose(std::set<std::string> nodes, std::set<graph::Wire> wires) {
    for (auto it = nodes.begin(); it != nodes.end();)
        it = nodes_.count(*it) ? std::next(it) : nodes.erase(it);
    for (auto it = wires.begin(); it != wires.end();)
        it = wires_.count(*it) ? std::next(it) : wires.erase(it);
    const bool same = nodes == chosenNodes_ && wires == chosenWires_;
    chosenNodes_ = std::move(nodes);
    chosenWires_ = std::move(wires);
    for (auto& [id, item] : nodes_)
        item->setChosen(chosenNodes_.count(id) > 0);
    for (auto& [wire, item] : wires_)
        item->setChosen(chosenWires_.count(wire) > 0);
    if (!same) emit chosenChanged();
}

void CanvasScene::previewMove(const std::string& id, QPointF pos) {
    NodeItem* item = node(id);
    if (!item) return;
    previewed_.insert(id);
    item->setPos(pos);
    routeWiresOf(id);
}

void CanvasScene::endPreview() {
    const auto ids = std::move(previewed_);
    previewed_.clear();
    for (const auto& id : ids) {
        const graph::Node* model = sheet_.graph().node(id);
        NodeItem* item = node(id);
        if (model && item) {
            item->setPos(model->position.x, model->position.y);
            routeWiresOf(id);
        }
    }
}

void CanvasScene::setHovered(NodeItem* node, WireItem* wire) {
    if (hoveredNode_ != node) {
        if (hoveredNode_) hoveredNode_->setHovered(false);
        hoveredNode_ = node;
        if (node) node->setHovered(true);
    }
    if (hoveredWire_ != wire) {
        if (hoveredWire_) hoveredWire_->setHovered(false);
        hoveredWire_ = wire;
        if (wire) wire->setHovered(true);
    }
}

} // namespace wiregrad::studio
