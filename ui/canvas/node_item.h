// One node on the canvas, painted whole: header, ports, subtitle, problem strip, rings. Holds an
// id, not a model pointer. GUI thread.
#pragma once

#include <QGraphicsItem>

#include <string>
#include <vector>

#include "nodes/analysis.h"
#include "nodes/graph.h"

namespace wiregrad::studio {

/// How a port looks while a wire is dragged.
enum class PortLook { Normal, Lit, Faded, Target };

/// What a run says of a node.
enum class RunLook { Idle, Running, Failed };

class NodeItem : public QGraphicsItem {
  public:
    enum { Type = UserType + 1 };

    struct Port {
        std::string id;
        QString label, help;
        graph::PortKind kind = graph::PortKind::Tensor;
        bool output = false, many = false, optional = false, wired = false;
        PortLook look = PortLook::Normal;
        QPointF pos; ///< item coordinates
    };

    explicit NodeItem(std::string id) : id_(std::move(id)) {
        setAcceptedMouseButtons(Qt::NoButton);
    }

    int type() const override { return Type; }
    QRectF boundingRect() const override { return bounds_; }
    void paint(QPainter* painter, const QStyleOptionGraphicsItem* option, QWidget* widget) override;

    const std::string& id() const { return id_; }
    /// Takes texts, ports and size from the model. True when a port moved.
    bool refresh(const graph::Graph& graph);
    /// Takes subtitle and problems. Cheap when nothing changed.
    void setFacts(const graph::Analysis& analysis);
    /// Share of the hottest node's memory, 0 to 1, and the bytes; negative: not shown.
    void setHeat(double share, double bytes);
    double heat() const { return heat_; }
    void setRun(RunLook look, const QString& error = {});

    QRectF body() const { return body_; } ///< item coordinates, without problem strip
    QRectF titleRect() const;             ///< item coordinates
    const std::vector<Port>& ports() const { return ports_; }
    const Port* port(const std::string& id, bool output) const;
    QPointF portScenePos(const std::string& id, bool output) const;
    QString toolTipText() const;
    QString subtitle() const { return subtitle_; }
    QString problemText() const { return problem_; }
    bool hasError() const {
        return run_ == RunLook::Failed ||
               (!problem_.isEmpty() && severity_ == graph::Severity::Error);
    }

    void setChosen(bool chosen);
    bool isChosen() const { return chosen_; }
    void setHovered(bool hovered);
    void setFaded(bool faded);
    void setPortLook(const std::string& id, bool output, PortLook look);
    void resetPortLooks();
    void setFlash(double strength); ///< 0..1

  private:
    void layOut();
    void paintFlat(QPainter& painter, double zoom) const;
    void paintPorts(QPainter& painter) const;
    void paintProblem(QPainter& painter) const;

    std::string id_;
    QString title_, side_, badge_, category_, subtitle_, shape_, note_, problem_, help_, runError_;
    std::int64_t weights_ = 0;
    int problemCount_ = 0;
    graph::Severity severity_ = graph::Severity::Info;
    bool known_ = true, named_ = false, isNote_ = false, isGroup_ = false, isPort_ = false,
         pinned_ = false, muted_ = false, collapsed_ = false, showLabels_ = false;
    bool chosen_ = false, hovered_ = false, faded_ = false;
    RunLook run_ = RunLook::Idle;
    double flash_ = 0, heat_ = -1;
    QString heatText_;
    std::vector<Port> ports_;
    QRectF body_, bounds_, strip_;
    // Elided once per change, not per frame.
    QString shownTitle_, shownSide_, shownSubtitle_;
    std::vector<QString> problemLines_, noteLines_;
};

} // namespace wiregrad::studio
