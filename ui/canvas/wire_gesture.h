// Drawing a wire: drag or click-click, from either end; re-routing wires that are already there.
// GUI thread.
#pragma once

#include <QGraphicsPathItem>

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "nodes/analysis.h"
#include "ui/canvas/gesture.h"

namespace wiregrad::studio {

class WireGesture : public Gesture {
  public:
    /// `all`: take every wire of the port along (Ctrl), else pull one off an occupied input or
    /// start a new one.
    WireGesture(GestureContext& context, const PortRef& start, bool all, const Pointer& at);
    ~WireGesture() override;

    void move(const Pointer& at) override;
    bool release(const Pointer& at) override;
    bool press(const Pointer& at) override;
    /// 1 to 3, or Enter for the first: takes an offered repair.
    Keyed key(int key) override;
    bool sticky() const override { return sticky_; }

  private:
    struct Verdict {
        std::string refusal;               ///< in words; empty: fine
        bool final = false;                ///< no key overrides it (kinds, cycles)
        std::vector<graph::WireFix> fixes; ///< offered when shapes are in the way
    };

    graph::Wire wireTo(const PortRef& fixed, const PortRef& target) const;
    std::optional<PortRef> targetAt(const Pointer& at) const;
    const Verdict& judge(const PortRef& target);
    bool finish(const Pointer& at);
    void searchFor(const Pointer& at);
    void draw(QPointF end);
    void lightPorts();
    graph::Graph wholeWithoutTaken() const;
    void showGhosts(const std::vector<graph::WireFix>& fixes);

    std::vector<PortRef> fixed_;          ///< the ends that stay
    std::vector<graph::Wire> taken_;      ///< wires being re-routed: hidden while dragged
    bool wantOutput_ = false;             ///< what the loose end looks for
    graph::Graph base_;                   ///< without the wires taken along
    std::map<PortRef, bool> allowed_;     ///< by kind and cycle
    std::map<PortRef, Verdict> verdicts_; ///< with shapes, found when hovered
    std::optional<PortRef> target_;
    std::vector<std::unique_ptr<QGraphicsPathItem>> lines_;
    std::vector<std::unique_ptr<QGraphicsItem>> ghosts_; ///< nodes that the first repair would add
    PortRef start_;
    QPointF pressedAt_;
    bool dragged_ = false, sticky_ = false;
};

} // namespace wiregrad::studio
