#include "ui/canvas/wire_gesture.h"

#include <QLineF>
#include <QPen>

#include <algorithm>

#include "engine/core/error.h"
#include "nodes/analysis.h"
#include "ui/canvas/canvas_edits.h"
#include "ui/canvas/canvas_overlays.h"
#include "ui/canvas/canvas_style.h"
#include "ui/canvas/cursor_note.h"

namespace wiregrad::studio {

using graph::Wire;

WireGesture::WireGesture(GestureContext& context, const PortRef& start, bool all, const Pointer& at)
    : Gesture(context), base_(context.sheet.graph()), start_(start), pressedAt_(at.view) {
    std::vector<Wire> here;
    for (const auto& wire : base_.wires())
        if (start.output ? wire.from == start.node && wire.from_port == start.port
                         : wire.to == start.node && wire.to_port == start.port)
            here.push_back(wire);
    if (all && !here.empty()) {
        taken_ = here;
    } else if (!start.output && !here.empty()) {
        taken_ = {here.back()};
    }
    if (taken_.empty()) {
        fixed_ = {start};
        wantOutput_ = !start.output;
    } else if (!start.output) {
        // Off an input: the output stays, the loose end looks for another input.
        for (const auto& wire : taken_)
            fixed_.push_back({wire.from, wire.from_port, true});
        wantOutput_ = false;
    } else {
        for (const auto& wire : taken_)
            fixed_.push_back({wire.to, wire.to_port, false});
        wantOutput_ = true;
    }
    for (const auto& wire : taken_) {
        graph::apply(base_, {graph::Disconnect{wire}});
        if (WireItem* item = c_.scene.wire(wire)) item->setVisible(false);
    }
    for (const auto& end : fixed_) {
        auto line = std::make_unique<QGraphicsPathItem>();
        line->setZValue(5);
        line->setPen(CanvasStyle::get().wirePen(c_.scene.kindOf(end), 2.4));
        c_.scene.addItem(line.get());
        lines_.push_back(std::move(line));
    }
    lightPorts();
    move(at);
}

WireGesture::~WireGesture() {
    for (const auto& wire : taken_)
        if (WireItem* item = c_.scene.wire(wire)) item->setVisible(true);
    for (const auto& [id, item] : c_.scene.nodes()) {
        item->resetPortLooks();
        item->setFaded(false);
    }
    for (const auto& [wire, item] : c_.scene.wires())
        item->setFaded(false);
    c_.note.clear();
    c_.hint({});
}

Wire WireGesture::wireTo(const PortRef& fixed, const PortRef& target) const {
    return fixed.output ? Wire{fixed.node, fixed.port, target.node, target.port}
                        : Wire{target.node, target.port, fixed.node, fixed.port};
}

void WireGesture::lightPorts() {
    for (const auto& [id, item] : c_.scene.nodes()) {
        bool any = false;
        for (const auto& port : item->ports()) {
            const PortRef ref{id, port.id, port.output};
            const bool isFixed = std::find(fixed_.begin(), fixed_.end(), ref) != fixed_.end();
            bool ok = port.output == wantOutput_ && !isFixed;
            for (const auto& end : fixed_)
                ok = ok && graph::refuse_wire(base_, wireTo(end, ref)).empty();
            if (port.output == wantOutput_) allowed_[ref] = ok;
            any = any || ok || isFixed;
            item->setPortLook(port.id, port.output,
                              ok        ? PortLook::Lit
                              : isFixed ? PortLook::Normal
                                        : PortLook::Faded);
        }
        item->setFaded(!any);
    }
    for (const auto& [wire, item] : c_.scene.wires())
        item->setFaded(true);
}

std::optional<PortRef> WireGesture::targetAt(const Pointer& at) const {
    // Ports first: the nearest one that looks the right way, allowed before refused.
    const double radius = kSnapRadius / c_.zoom();
    std::optional<PortRef> best;
    double bestRank = 1e300;
    const QRectF around(at.scene - QPointF(radius, radius), QSizeF(2 * radius, 2 * radius));
    const auto hits = c_.scene.items(around, Qt::IntersectsItemBoundingRect);
    for (QGraphicsItem* hit : hits) {
        const auto* item = qgraphicsitem_cast<NodeItem*>(hit);
        if (!item) continue;
        for (const auto& port : item->ports()) {
            const PortRef ref{item->id(), port.id, port.output};
            const auto known = allowed_.find(ref);
            if (known == allowed_.end() ||
                std::find(fixed_.begin(), fixed_.end(), ref) != fixed_.end())
                continue;
            const double distance = QLineF(at.scene, item->pos() + port.pos).length();
            const double rank = distance + (known->second ? 0 : radius);
            if (distance <= radius && rank < bestRank) {
                bestRank = rank;
                best = ref;
            }
        }
    }
    if (best) return best;
    const NodeItem* item = c_.scene.nodeAt(at.scene);
    if (!item || fixed_.empty()) return std::nullopt;
    const PortRef& end = fixed_.front();
    if (const auto wire = matching_wire(base_, end.node, end.port, end.output, item->id(), true))
        return end.output ? PortRef{wire->to, wire->to_port, false}
                          : PortRef{wire->from, wire->from_port, true};
    // Nothing matches: the first port that looks the right way says why.
    if (item->id() != end.node)
        for (const auto& port : item->ports())
            if (port.output == wantOutput_) return PortRef{item->id(), port.id, port.output};
    return std::nullopt;
}

const WireGesture::Verdict& WireGesture::judge(const PortRef& target) {
    const auto known = verdicts_.find(target);
    if (known != verdicts_.end()) return known->second;
    Verdict verdict;
    try {
        graph::Graph trial = base_;
        for (const auto& end : fixed_) {
            const Wire wire = wireTo(end, target);
            verdict.refusal = graph::refuse_wire(trial, wire);
            if (!verdict.refusal.empty()) {
                verdict.final = true;
                break;
            }
            // Judged as if the wire that it replaces were gone already.
            for (const auto& there : trial.wires_into(wire.to)) {
                const graph::Node* node = trial.node(wire.to);
                const graph::NodeType* type = node ? c_.sheet.graph().type_of(*node) : nullptr;
                const graph::PortSpec* spec = type ? type->input(wire.to_port) : nullptr;
                if (there.to_port == wire.to_port && spec && !spec->many)
                    graph::apply(trial, {graph::Disconnect{there}});
            }
            const graph::Graph whole = wholeWithoutTaken();
            verdict.refusal = graph::explain_wire(whole, wire, c_.sheet.groups());
            if (!verdict.refusal.empty()) {
                if (fixed_.size() == 1)
                    verdict.fixes = graph::wire_fixes(whole, wire, c_.sheet.groups());
                break;
            }
        }
    } catch (const Error& error) {
        verdict = {error.what(), true, {}};
    }
    return verdicts_[target] = verdict;
}

graph::Graph WireGesture::wholeWithoutTaken() const {
    graph::Graph whole = c_.sheet.document().graph();
    for (const auto& wire : taken_)
        graph::apply(
            whole, graph::on_sheet(c_.sheet.definition().toStdString(), {graph::Disconnect{wire}}));
    return whole;
}

void WireGesture::showGhosts(const std::vector<graph::WireFix>& fixes) {
    ghosts_.clear();
    if (fixes.empty()) return;
    for (const graph::Node& node : fixes.front().added) {
        auto ghost = std::make_unique<GhostNode>(nodeTitle(c_.sheet.graph(), node),
                                                 qs(fixes.front().result));
        ghost->setPos(node.position.x, node.position.y);
        c_.scene.addItem(ghost.get());
        ghosts_.push_back(std::move(ghost));
    }
}

Gesture::Keyed WireGesture::key(int key) {
    if (!target_) return Keyed::No;
    const Verdict& verdict = judge(*target_);
    const std::size_t index = key == Qt::Key_Return || key == Qt::Key_Enter
                                  ? 0
                                  : static_cast<std::size_t>(key - Qt::Key_1);
    if (key != Qt::Key_Return && key != Qt::Key_Enter && (key < Qt::Key_1 || key > Qt::Key_3))
        return Keyed::No;
    if (index >= verdict.fixes.size()) return Keyed::No;
    const graph::WireFix fix = verdict.fixes[index];
    graph::Batch batch;
    batch.label = "Connect and " + fix.label;
    for (const auto& wire : taken_)
        batch.edits.push_back(
            graph::on_sheet(c_.sheet.definition().toStdString(), {graph::Disconnect{wire}}));
    batch.edits.push_back(fix.edit);
    ghosts_.clear();
    std::set<std::string> added;
    for (const graph::Node& node : fix.added)
        added.insert(node.id);
    CanvasScene& scene = c_.scene;
    c_.applyWhole({std::move(batch)});
    if (!added.empty()) scene.choose(std::move(added));
    return Keyed::Over;
}

void WireGesture::draw(QPointF loose) {
    for (std::size_t i = 0; i < fixed_.size(); ++i) {
        const NodeItem* item = c_.scene.node(fixed_[i].node);
        if (!item) continue;
        const QPointF anchor = item->portScenePos(fixed_[i].port, fixed_[i].output);
        lines_[i]->setPath(fixed_[i].output ? wirePath(anchor, loose) : wirePath(loose, anchor));
    }
}

void WireGesture::move(const Pointer& at) {
    if (QLineF(at.view, pressedAt_).length() > kDragDistance) dragged_ = true;
    if (target_)
        if (NodeItem* item = c_.scene.node(target_->node))
            item->setPortLook(target_->port, target_->output,
                              allowed_[*target_] ? PortLook::Lit : PortLook::Faded);
    target_ = dragged_ || sticky_ ? targetAt(at) : std::nullopt;
    const CanvasStyle& s = CanvasStyle::get();
    const bool force = at.modifiers & Qt::ShiftModifier;
    bool refused = false;
    if (target_) {
        const Verdict& verdict = judge(*target_);
        refused = !verdict.refusal.empty() && (verdict.final || !force);
        if (NodeItem* item = c_.scene.node(target_->node)) {
            if (!refused) item->setPortLook(target_->port, target_->output, PortLook::Target);
            draw(refused ? at.scene : item->portScenePos(target_->port, target_->output));
        }
        if (refused) {
            QString text = qs(verdict.refusal);
            for (std::size_t i = 0; i < verdict.fixes.size(); ++i) {
                const graph::WireFix& fix = verdict.fixes[i];
                text += QStringLiteral("\n%1: %2").arg(i + 1).arg(qs(fix.label));
                if (!fix.result.empty()) text += QStringLiteral(" → ") + qs(fix.result);
            }
            if (!verdict.final) text += QStringLiteral("\nShift: connect anyway");
            if (ghosts_.empty()) showGhosts(verdict.fixes);
            c_.note.say(text, CursorNote::Refused, at.view);
            c_.hint(qs(verdict.refusal));
        } else {
            ghosts_.clear();
            const graph::Node* node = base_.node(target_->node);
            const NodeItem* item = c_.scene.node(target_->node);
            const NodeItem::Port* port =
                item ? item->port(target_->port, target_->output) : nullptr;
            QString text = QStringLiteral("Connect to %1")
                               .arg(node ? nodeTitle(c_.sheet.graph(), *node) : qs(target_->node));
            if (port && item->ports().size() > 2) text += QStringLiteral(" · ") + port->label;
            const auto wires = base_.wires_into(target_->node);
            const bool replaces = !target_->output && port && !port->many &&
                                  std::any_of(wires.begin(), wires.end(), [&](const Wire& w) {
                                      return w.to_port == target_->port;
                                  });
            if (replaces) text += QStringLiteral(" (replaces its wire)");
            c_.note.say(text, CursorNote::Good, at.view);
            c_.hint(text);
        }
    } else {
        ghosts_.clear();
        draw(at.scene);
        if (dragged_ || sticky_) {
            const QString text =
                taken_.empty()
                    ? QStringLiteral("Release on a port, or on empty canvas to add a node")
                    : QStringLiteral(
                          "Release on another port, or on empty canvas to remove the wire");
            c_.hint(text);
        }
        c_.note.clear();
    }
    for (std::size_t i = 0; i < lines_.size(); ++i) {
        QPen pen = s.wirePen(c_.scene.kindOf(fixed_[i]), 2.4);
        if (refused) pen.setColor(s.refused);
        lines_[i]->setPen(pen);
    }
}

bool WireGesture::release(const Pointer& at) {
    if (!dragged_ && !sticky_) {
        // A click: the wire follows the cursor until the next one.
        sticky_ = true;
        move(at);
        return false;
    }
    if (sticky_ && !dragged_) return false;
    return finish(at);
}

bool WireGesture::press(const Pointer& at) {
    move(at);
    return finish(at);
}

bool WireGesture::finish(const Pointer& at) {
    move(at);
    if (target_) {
        const Verdict& verdict = judge(*target_);
        if (!verdict.refusal.empty() && (verdict.final || !(at.modifiers & Qt::ShiftModifier))) {
            const QString text = qs(verdict.refusal);
            c_.hint(text);
            return true;
        }
        Draft draft(c_.sheet.graph());
        bool same = !taken_.empty();
        for (std::size_t i = 0; i < fixed_.size(); ++i)
            same = same && wireTo(fixed_[i], *target_) == taken_[i];
        if (same) return true;
        try {
            for (const auto& wire : taken_)
                draft.add({graph::Disconnect{wire}});
            for (const auto& end : fixed_)
                draft.add(graph::connect_edit(draft.graph(), wireTo(end, *target_)));
        } catch (const Error& error) {
            c_.hint(QString::fromUtf8(error.what()));
            return true;
        }
        c_.apply(draft.take());
        return true;
    }
    if (c_.scene.nodeAt(at.scene)) return true;
    if (taken_.empty()) {
        searchFor(at);
        return true;
    }
    Draft draft(c_.sheet.graph());
    for (const auto& wire : taken_)
        draft.add({graph::Disconnect{wire}});
    c_.apply(draft.take());
    return true;
}

void WireGesture::searchFor(const Pointer& at) {
    const PortRef end = fixed_.front();
    GestureContext* context = &c_;
    const graph::Node* node = base_.node(end.node);
    // The loose wire stays in sight while a type is chosen; the request's closures own it.
    auto loose = std::shared_ptr<QGraphicsPathItem>(lines_.front().release());
    SearchRequest request;
    request.view = at.view;
    request.title =
        (end.output ? QStringLiteral("Connect %1 to …") : QStringLiteral("Feed %1 from …"))
            .arg(node ? nodeTitle(c_.sheet.graph(), *node) : QString());
    request.fits = [context, end](const graph::NodeType& type) {
        return type_fits(context->sheet.graph(), end.node, end.port, end.output, type);
    };
    request.chosen = [context, end, scene = at.scene](const QString& type, bool) {
        const CanvasStyle& s = CanvasStyle::get();
        // The new node's first port row comes to lie where the wire was let go.
        const graph::Position position{end.output ? scene.x() : scene.x() - s.width,
                                       scene.y() - s.header - s.row * 0.68};
        Draft draft(context->sheet.graph());
        try {
            const std::string id =
                add_new(draft, type.toStdString(), position, context->scene.kindOf(end));
            if (const auto wire =
                    matching_wire(draft.graph(), end.node, end.port, end.output, id, false))
                draft.add(graph::connect_edit(draft.graph(), *wire));
            if (context->apply(draft.take())) context->scene.choose({id});
        } catch (const Error& error) {
            context->hint(QString::fromUtf8(error.what()));
        }
    };
    request.closed = [loose] {};
    lines_.clear();
    fixed_.clear();
    c_.search(std::move(request));
}

} // namespace wiregrad::studio
