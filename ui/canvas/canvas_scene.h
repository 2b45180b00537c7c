// The items of the canvas, kept in step with the sheet by ChangeSets only, and the questions
// gestures ask of them: what lies here, which port is near. Selection is a set of ids, not item
// state. GUI thread.
#pragma once

#include <QGraphicsScene>

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "nodes/edit.h"
#include "session/sheet.h"
#include "ui/canvas/node_item.h"
#include "ui/canvas/wire_item.h"

namespace wiregrad::studio {

/// A port by name.
struct PortRef {
    std::string node, port;
    bool output = false;
    auto operator<=>(const PortRef&) const = default;
};

class CanvasScene : public QGraphicsScene {
    Q_OBJECT

  public:
    explicit CanvasScene(Sheet& sheet, QObject* parent = nullptr);

    const Sheet& sheet() const { return sheet_; } ///< whose items these are
    void rebuild();
    void sync(const graph::ChangeSet& changes);
    void refreshFacts();

    NodeItem* node(const std::string& id) const;
    WireItem* wire(const graph::Wire& wire) const;
    const std::map<std::string, NodeItem*>& nodes() const { return nodes_; }
    const std::map<graph::Wire, WireItem*>& wires() const { return wires_; }
    NodeItem* nodeAt(QPointF pos) const;                             ///< by body, topmost
    std::optional<PortRef> portAt(QPointF pos, double radius) const; ///< nearest within `radius`
    WireItem* wireAt(QPointF pos, double tolerance) const;
    std::set<std::string> nodesIn(const QRectF& rect) const;
    QRectF boundsOf(const std::set<std::string>& nodes) const; ///< empty set: all
    graph::PortKind kindOf(const PortRef& port) const;
    QString wireLabel(const graph::Wire& wire) const; ///< "Conv2d → ReLU: N × 6 × 28 × 28"

    // --- selection
    const std::set<std::string>& chosenNodes() const { return chosenNodes_; }
    const std::set<graph::Wire>& chosenWires() const { return chosenWires_; }
    void choose(std::set<std::string> nodes, std::set<graph::Wire> wires = {});

    /// Moves an item for the eye only (a drag in progress); wires follow.
    void previewMove(const std::string& node, QPointF pos);
    void endPreview(); ///< back to the document's positions
    void routeWiresOf(const std::string& node);

    /// Nodes show their part of the training memory.
    void setHeat(bool shown);
    void setHovered(NodeItem* node, WireItem* wire);
    NodeItem* hoveredNode() const { return hoveredNode_; }
    WireItem* hoveredWire() const { return hoveredWire_; }

  signals:
    void chosenChanged();
    void itemsChanged(); ///< something was added, removed or moved (minimap, empty state)

  private:
    void addNodeItem(const std::string& id);
    void addWireItem(const graph::Wire& wire);
    void removeWireItem(const graph::Wire& wire);
    void route(WireItem& item);
    void routeAll();
    std::optional<double> laneFor(const WireItem& item, QPointF from, QPointF to) const;

    Sheet& sheet_;
    std::map<std::string, NodeItem*> nodes_;
    std::map<graph::Wire, WireItem*> wires_;
    std::map<std::string, std::set<WireItem*>> wiresOf_;
    std::set<std::string> chosenNodes_;
    std::set<graph::Wire> chosenWires_;
    std::set<std::string> previewed_;
    bool heat_ = false;
    NodeItem* hoveredNode_ = nullptr;
    WireItem* hoveredWire_ = nullptr;
};

} // namespace wiregrad::studio
