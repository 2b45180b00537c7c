#include "ui/canvas/node_item.h"

#include <QFontMetricsF>
#include <QPainter>
#include <QPainterPath>
#include <QStyleOptionGraphicsItem>
#include <QTextLayout>

#include <algorithm>
#include <cmath>

#include "ui/canvas/canvas_style.h"
#include "ui/panels/format.h"
#include "ui/theme/theme.h"

namespace wiregrad::studio {

namespace {

/// Breaks `text` into at most `lines` lines of `width`; the last is elided.
std::vector<QString> wrap(const QString& text, const QFont& font, double width, int lines) {
    std::vector<QString> out;
    QTextLayout layout(text, font);
    layout.beginLayout();
    while (static_cast<int>(out.size()) < lines) {
        QTextLine line = layout.createLine();
        if (!line.isValid()) break;
        line.setLineWidth(width);
        const bool last = static_cast<int>(out.size()) + 1 == lines;
        const QString rest = text.mid(line.textStart());
        out.push_back(last ? QFontMetricsF(font).elidedText(rest, Qt::ElideRight, width)
                           : text.mid(line.textStart(), line.textLength()).trimmed());
    }
    layout.endLayout();
    return out;
}

QColor withAlpha(QColor color, int alpha) {
    color.setAlpha(alpha);
    return color;
}

} // namespace

bool NodeItem::refresh(const graph::Graph& graph) {
    const graph::Node* node = graph.node(id_);
    if (!node) return false;
    const graph::NodeType* type = graph.type_of(*node);
    known_ = type != nullptr;
    muted_ = node->muted;
    collapsed_ = node->collapsed;
    title_ = nodeTitle(graph, *node);
    isGroup_ = node->type == "Group";
    isPort_ = type && type->role == graph::Role::GroupPort;
    pinned_ = node->pinned;
    badge_.clear();
    if (isGroup_) {
        const auto times = node->params.find("times");
        const auto* count =
            times == node->params.end() ? nullptr : std::get_if<std::int64_t>(&times->second);
        if (count && *count > 1) {
            badge_ = QStringLiteral("× %1").arg(*count);
            const auto shared = node->params.find("weights");
            const auto* text =
                shared == node->params.end() ? nullptr : std::get_if<std::string>(&shared->second);
            if (text && *text == "shared") badge_ += QStringLiteral(" shared");
        }
    }
    if (isPort_ && node->name.empty()) title_ = qs(node->id);
    named_ = !node->name.empty();
    side_ = isPort_              ? qs(type->label)
            : node->name.empty() ? qs(node->id)
                                 : qs(type ? type->label : node->type);
    category_ = type ? qs(type->category) : QString();
    help_ =
        type
            ? qs(type->help)
            : QStringLiteral("This version does not know the type “%1”. The node is kept as it is.")
                  .arg(qs(node->type));

    isNote_ = type && type->role == graph::Role::Note;
    note_.clear();
    if (isNote_)
        for (const auto& [name, value] : node->params)
            if (const auto* text = std::get_if<std::string>(&value); text && note_.isEmpty())
                note_ = qs(*text);

    std::vector<Port> before = std::move(ports_);
    ports_.clear();
    const auto in = graph.wires_into(id_);
    const auto out = graph.wires_out_of(id_);
    if (type) {
        for (const auto& spec : type->inputs) {
            const bool wired = std::any_of(in.begin(), in.end(),
                                           [&](const auto& w) { return w.to_port == spec.id; });
            if (spec.hidden && !wired) continue;
            ports_.push_back({spec.id,
                              qs(spec.label),
                              qs(spec.help),
                              spec.kind,
                              false,
                              spec.many,
                              spec.optional,
                              wired,
                              PortLook::Normal,
                              {}});
        }
        for (const auto& spec : type->outputs) {
            const bool wired = std::any_of(out.begin(), out.end(),
                                           [&](const auto& w) { return w.from_port == spec.id; });
            if (spec.hidden && !wired) continue;
            ports_.push_back({spec.id,
                              qs(spec.label),
                              qs(spec.help),
                              spec.kind,
                              true,
                              true,
                              spec.optional,
                              wired,
                              PortLook::Normal,
                              {}});
        }
    }
    // Ports that wires name but the declaration does not have: an unknown type, or a newer one.
    for (const auto& wire : in)
        if (!port(wire.to_port, false))
            ports_.push_back({wire.to_port,
                              qs(wire.to_port),
                              {},
                              graph::PortKind::Tensor,
                              false,
                              true,
                              false,
                              true,
                              PortLook::Normal,
                              {}});
    for (const auto& wire : out)
        if (!port(wire.from_port, true))
            ports_.push_back({wire.from_port,
                              qs(wire.from_port),
                              {},
                              graph::PortKind::Tensor,
                              true,
                              true,
                              false,
                              true,
                              PortLook::Normal,
                              {}});
    layOut();
    bool moved = before.size() != ports_.size();
    for (std::size_t i = 0; i < ports_.size() && !moved; ++i)
        moved = before[i].id != ports_[i].id || before[i].pos != ports_[i].pos;
    return moved;
}

void NodeItem::layOut() {
    prepareGeometryChange();
    const CanvasStyle& s = CanvasStyle::get();
    int inputs = 0, outputs = 0;
    for (const Port& port : ports_)
        ++(port.output ? outputs : inputs);
    const int rows = std::max({inputs, outputs, 1});
    // One way in and one way out need no words; the subtitle takes their row.
    const bool silent = outputs == 0 && inputs > 0 && known_ &&
                        !muted_; // metrics, optimizers: nothing to say of a shape
    showLabels_ = !collapsed_ && (inputs > 1 || outputs > 1 || silent);
    const bool hasSubtitle = !collapsed_ && !silent;
    double height = s.header;
    noteLines_.clear();
    if (isNote_ && !collapsed_) {
        for (const QString& paragraph : note_.split(QLatin1Char('\n')))
            for (const QString& line : paragraph.isEmpty()
                                           ? std::vector<QString>{QString()}
                                           : wrap(paragraph, s.text, s.width - 2 * s.padding, 12))
                if (noteLines_.size() < 16) noteLines_.push_back(line);
        height +=
            static_cast<double>(std::max<std::size_t>(noteLines_.size(), 1)) * (s.noteLine + 1) +
            s.padding;
    } else if (!collapsed_)
        height += (showLabels_ && hasSubtitle ? (rows + 1) * s.row : rows * s.row) + s.row * 0.36;
    else
        height = std::max(s.header, rows * s.row * 0.6);
    body_ = QRectF(0, 0, s.width, height);
    int in = 0, out = 0;
    for (Port& port : ports_) {
        int& at = port.output ? out : in;
        const int count = port.output ? outputs : inputs;
        double y = 0;
        if (collapsed_)
            y = height * (at + 0.5) / count;
        else
            y = s.header + s.row * 0.18 + (at + 0.5) * s.row;
        port.pos = QPointF(port.output ? s.width : 0, std::round(y));
        ++at;
    }

    const QFontMetricsF titleMetrics(s.title), smallMetrics(s.small);
    const double left = s.padding * 0.75 + s.glyph + s.padding * 0.6;
    const double badge =
        badge_.isEmpty() ? 0 : smallMetrics.horizontalAdvance(badge_) + s.padding * 1.4;
    const double room = s.width - left - s.padding - badge -
                        (muted_ || run_ == RunLook::Failed ? s.glyph : 0) -
                        (pinned_ ? s.glyph * 0.7 : 0);
    const double wish = titleMetrics.horizontalAdvance(title_);
    // A type's label is worth more than an id; a given name and its type share the room.
    const double sideWish =
        named_ ? std::min(smallMetrics.horizontalAdvance(side_), room * 0.5) : 0;
    const double titleRoom = std::max(room - sideWish - s.padding * 0.6, room * 0.5);
    shownTitle_ = titleMetrics.elidedText(title_, Qt::ElideRight, titleRoom);
    const double sideRoom = room - std::min(wish, titleRoom) - s.padding * 0.6;
    const bool tooLittle = named_ ? sideRoom < smallMetrics.averageCharWidth() * 4
                                  : sideRoom < smallMetrics.horizontalAdvance(side_);
    shownSide_ = tooLittle ? QString() : smallMetrics.elidedText(side_, Qt::ElideRight, sideRoom);
    const double subtitleRoom = s.width - 2 * s.padding;
    shownSubtitle_.clear();
    if (hasSubtitle && !isNote_)
        shownSubtitle_ = known_ && !muted_
                             ? fitSubtitle(shape_, weights_, s.small, subtitleRoom)
                             : smallMetrics.elidedText(subtitle_, Qt::ElideRight, subtitleRoom);

    strip_ = {};
    problemLines_.clear();
    if (!problem_.isEmpty() && !collapsed_) {
        const double textRoom = s.width - s.padding * 1.25 - s.glyph;
        problemLines_ = wrap(problem_, s.small, textRoom, 2);
        const double lines = static_cast<double>(problemLines_.size());
        strip_ = QRectF(0, height + 4, s.width, lines * s.noteLine + s.padding * 0.75);
    }
    const double margin = s.portRadius * 2 + 6;
    bounds_ = body_.united(strip_).adjusted(-margin, -margin, margin, margin);
    update();
}

void NodeItem::setFacts(const graph::Analysis& analysis) {
    QString shape;
    std::int64_t weights = 0;
    const auto facts = analysis.nodes.find(id_);
    if (facts != analysis.nodes.end()) {
        shape = qs(facts->second.output_text);
        weights = facts->second.weights;
    }
    QString subtitle = shape;
    if (weights > 0)
        subtitle += (shape.isEmpty() ? QString() : QStringLiteral(" · ")) + weightsText(weights);
    if (!known_)
        subtitle = QStringLiteral("Unknown type, kept as it is");
    else if (muted_)
        subtitle = QStringLiteral("Muted");
    QString problem;
    int count = 0;
    graph::Severity worst = graph::Severity::Info;
    for (const graph::Problem* p : analysis.of_node(id_)) {
        ++count;
        if (problem.isEmpty() || p->severity > worst) {
            worst = p->severity;
            problem = qs(p->text);
        }
    }
    if (subtitle == subtitle_ && weights == weights_ && problem == problem_ && worst == severity_ &&
        count == problemCount_)
        return;
    subtitle_ = subtitle;
    shape_ = shape;
    weights_ = weights;
    problem_ = problem;
    severity_ = worst;
    problemCount_ = count;
    layOut();
}

void NodeItem::setHeat(double share, double bytes) {
    const QString text = share < 0 ? QString() : bytesText(bytes);
    if (heat_ == share && heatText_ == text) return;
    heat_ = share;
    heatText_ = text;
    update();
}

void NodeItem::setRun(RunLook look, const QString& error) {
    if (run_ == look && runError_ == error) return;
    run_ = look;
    runError_ = error;
    layOut();
}

QRectF NodeItem::titleRect() const {
    const CanvasStyle& s = CanvasStyle::get();
    const double left = s.padding * 0.75 + s.glyph + s.padding * 0.3;
    return QRectF(left, 2, s.width - left - 4, (collapsed_ ? body_.height() : s.header) - 4);
}

const NodeItem::Port* NodeItem::port(const std::string& id, bool output) const {
    for (const Port& port : ports_)
        if (port.output == output && port.id == id) return &port;
    return nullptr;
}

QPointF NodeItem::portScenePos(const std::string& id, bool output) const {
    const Port* found = port(id, output);
    return pos() + (found ? found->pos
                          : QPointF(output ? body_.right() : body_.left(), body_.center().y()));
}

QString NodeItem::toolTipText() const {
    QString text = QStringLiteral("<b>%1</b>").arg(title_.toHtmlEscaped());
    if (!side_.isEmpty() && side_ != title_) text += QStringLiteral(" · ") + side_.toHtmlEscaped();
    if (!subtitle_.isEmpty()) text += QStringLiteral("<br>") + subtitle_.toHtmlEscaped();
    if (weights_ >= 10'000) text += QStringLiteral(" (%1)").arg(exactNumber(weights_));
    if (!problem_.isEmpty()) text += QStringLiteral("<br><br>") + problem_.toHtmlEscaped();
    if (problemCount_ > 1) text += QStringLiteral("<br>and %1 more").arg(problemCount_ - 1);
    if (!runError_.isEmpty()) text += QStringLiteral("<br><br>") + runError_.toHtmlEscaped();
    if (!help_.isEmpty())
        text += QStringLiteral("<br><br><i>") + help_.toHtmlEscaped() + QStringLiteral("</i>");
    return text;
}

void NodeItem::setChosen(bool chosen) {
    if (chosen_ == chosen) return;
    chosen_ = chosen;
    setZValue(chosen ? 2 : 1);
    update();
}

void NodeItem::setHovered(bool hovered) {
    if (hovered_ == hovered) return;
    hovered_ = hovered;
    update();
}

void NodeItem::setFaded(bool faded) {
    if (faded_ == faded) return;
    faded_ = faded;
    update();
}

void NodeItem::setFlash(double strength) {
    flash_ = strength;
    update();
}

void NodeItem::setPortLook(const std::string& id, bool output, PortLook look) {
    for (Port& port : ports_)
        if (port.output == output && port.id == id && port.look != look) {
            port.look = look;
            update();
        }
}

void NodeItem::resetPortLooks() {
    for (Port& port : ports_)
        if (port.look != PortLook::Normal) {
            port.look = PortLook::Normal;
            update();
        }
}

void NodeItem::paintFlat(QPainter& painter, double zoom) const {
    const CanvasStyle& s = CanvasStyle::get();
    const QColor category = known_ ? Theme::instance().category(category_) : s.nodeMuted;
    const QColor ring = chosen_ ? s.selection : hasError() ? s.error : s.border;
    painter.setPen(QPen(ring, chosen_ ? 2 : 0));
    if (chosen_) {
        QPen pen = painter.pen();
        pen.setCosmetic(true);
        painter.setPen(pen);
    }
    painter.setBrush(mix(s.body, category, muted_ || faded_ ? 0.1 : 0.3));
    painter.drawRect(body_);
    if (zoom < kFlatZoom) return;
    painter.fillRect(QRectF(0, 0, 6, body_.height()), category);
    const QColor bar = withAlpha(s.nodeText, faded_ ? 40 : 110);
    painter.fillRect(QRectF(s.padding * 1.4, s.header * 0.36, s.width * 0.5, s.header * 0.28), bar);
    if (!collapsed_ && !subtitle_.isEmpty())
        painter.fillRect(
            QRectF(s.padding * 1.4, s.header + s.row * 0.4, s.width * 0.62, s.row * 0.26),
            withAlpha(s.nodeMuted, faded_ ? 30 : 80));
}

void NodeItem::paintPorts(QPainter& painter) const {
    const CanvasStyle& s = CanvasStyle::get();
    const QFontMetricsF metrics(s.small);
    painter.setFont(s.small);
    for (const Port& port : ports_) {
        const QColor color = s.wire(port.kind);
        double radius = s.portRadius;
        double alpha = 1;
        if (port.look == PortLook::Faded) alpha = 0.25;
        if (port.look == PortLook::Lit || port.look == PortLook::Target) {
            const double halo = radius * (port.look == PortLook::Target ? 2.3 : 1.7);
            painter.setPen(Qt::NoPen);
            painter.setBrush(withAlpha(port.look == PortLook::Target ? s.accent : color, 80));
            painter.drawEllipse(port.pos, halo, halo);
            radius *= 1.15;
        }
        painter.setOpacity(alpha * (faded_ ? 0.5 : 1));
        painter.setPen(QPen(port.wired ? s.body : color, port.wired ? 1.4 : 1.6));
        painter.setBrush(port.wired ? color : s.body);
        // The kind is told by shape too: round tensors, square labels, diamond losses.
        if (port.many && !port.output) {
            painter.drawRoundedRect(QRectF(port.pos.x() - radius, port.pos.y() - radius * 1.6,
                                           radius * 2, radius * 3.2),
                                    radius, radius);
        } else if (port.kind == graph::PortKind::Labels) {
            painter.drawRoundedRect(QRectF(port.pos.x() - radius * 0.92,
                                           port.pos.y() - radius * 0.92, radius * 1.84,
                                           radius * 1.84),
                                    1.5, 1.5);
        } else if (port.kind == graph::PortKind::Loss) {
            const double r = radius * 1.22;
            const QPointF diamond[] = {port.pos + QPointF(0, -r), port.pos + QPointF(r, 0),
                                       port.pos + QPointF(0, r), port.pos + QPointF(-r, 0)};
            painter.drawConvexPolygon(diamond, 4);
        } else {
            painter.drawEllipse(port.pos, radius, radius);
        }
        if (showLabels_) {
            painter.setPen(s.nodeMuted);
            const double width = s.width * 0.5 - s.padding;
            const QRectF box(port.output ? s.width - s.padding - width : s.padding,
                             port.pos.y() - s.row * 0.5, width, s.row);
            painter.drawText(box, (port.output ? Qt::AlignRight : Qt::AlignLeft) | Qt::AlignVCenter,
                             metrics.elidedText(port.label, Qt::ElideRight, width));
        }
        painter.setOpacity(1);
    }
}

void NodeItem::paintProblem(QPainter& painter) const {
    if (strip_.isEmpty()) return;
    const CanvasStyle& s = CanvasStyle::get();
    const QColor color = severity_ == graph::Severity::Error     ? s.error
                         : severity_ == graph::Severity::Warning ? s.warning
                                                                 : s.info;
    painter.setPen(QPen(withAlpha(color, 120), 1));
    painter.setBrush(mix(s.body, color, 0.12));
    painter.drawRoundedRect(strip_.adjusted(0.5, 0.5, -0.5, -0.5), s.radius * 0.75,
                            s.radius * 0.75);
    // A sign besides the colour: a disc with "!" for errors, a triangle for warnings, "i" for
    // information.
    const double side = s.glyph * 0.78;
    const QRectF sign(strip_.left() + s.padding * 0.5,
                      strip_.top() + s.padding * 0.375 + (s.noteLine - side) / 2, side, side);
    painter.setPen(Qt::NoPen);
    painter.setBrush(color);
    if (severity_ == graph::Severity::Warning) {
        const QPointF triangle[] = {
            {sign.center().x(), sign.top()}, sign.bottomRight(), sign.bottomLeft()};
        painter.drawConvexPolygon(triangle, 3);
    } else {
        painter.drawEllipse(sign);
    }
    QPen mark(s.body, side * 0.13, Qt::SolidLine, Qt::RoundCap);
    painter.setPen(mark);
    const double cx = sign.center().x(), top = sign.top() + side * 0.25,
                 low = sign.top() + side * 0.58;
    const double dot = sign.top() + side * 0.78;
    if (severity_ == graph::Severity::Info) {
        painter.drawLine(QPointF(cx, sign.top() + side * 0.45),
                         QPointF(cx, sign.top() + side * 0.76));
        painter.drawPoint(QPointF(cx, sign.top() + side * 0.25));
    } else {
        const double down = severity_ == graph::Severity::Warning ? side * 0.1 : 0;
        painter.drawLine(QPointF(cx, top + down), QPointF(cx, low + down * 0.6));
        painter.drawPoint(QPointF(cx, dot + down * 0.8));
    }
    painter.setPen(s.nodeText);
    painter.setFont(s.small);
    const double left = s.padding * 0.5 + side + s.padding * 0.4;
    double y = strip_.top() + s.padding * 0.375;
    for (const QString& line : problemLines_) {
        painter.drawText(QRectF(left, y, strip_.width() - left - s.padding * 0.25, s.noteLine),
                         Qt::AlignLeft | Qt::AlignVCenter, line);
        y += s.noteLine;
    }
}

void NodeItem::paint(QPainter* p, const QStyleOptionGraphicsItem* option, QWidget*) {
    QPainter& painter = *p;
    const CanvasStyle& s = CanvasStyle::get();
    const double zoom = option->levelOfDetailFromTransform(painter.worldTransform());
    if (zoom < kTextZoom) {
        paintFlat(painter, zoom);
        return;
    }
    const QColor category = known_ ? Theme::instance().category(category_) : s.nodeMuted;
    painter.setPen(Qt::NoPen);
    painter.setBrush(withAlpha(s.shadow, s.shadow.alpha() / 2));
    painter.drawRoundedRect(body_.adjusted(-1, 1, 1, 3.5), s.radius + 1, s.radius + 1);
    painter.drawRoundedRect(body_.adjusted(0, 1, 0, 2), s.radius, s.radius);

    if (isGroup_) {
        // A sheet behind the node: there is more inside.
        painter.setPen(QPen(mix(s.border, category, 0.5), 1));
        painter.setBrush(mix(s.body, category, 0.12));
        painter.drawRoundedRect(body_.adjusted(5.5, -4.5, 3.5, -6.5), s.radius, s.radius);
        painter.setPen(Qt::NoPen);
    }
    painter.setBrush(s.body);
    painter.drawRoundedRect(body_, s.radius, s.radius);
    const double headerHeight = collapsed_ ? body_.height() : s.header;
    painter.setBrush(mix(s.body, category, chosen_ ? 0.28 : hovered_ ? 0.23 : 0.18));
    if (collapsed_) {
        painter.drawRoundedRect(body_, s.radius, s.radius);
    } else {
        QPainterPath header(QPointF(0, headerHeight));
        header.lineTo(0, s.radius);
        header.quadTo(0, 0, s.radius, 0);
        header.lineTo(s.width - s.radius, 0);
        header.quadTo(s.width, 0, s.width, s.radius);
        header.lineTo(s.width, headerHeight);
        header.closeSubpath();
        painter.drawPath(header);
    }
    if (!known_) {
        painter.setBrush(QBrush(withAlpha(s.nodeMuted, 70), Qt::BDiagPattern));
        painter.drawRoundedRect(body_, s.radius, s.radius);
    }

    painter.setBrush(Qt::NoBrush);
    painter.setPen(QPen(s.border, 1, known_ ? Qt::SolidLine : Qt::DashLine));
    painter.drawRoundedRect(body_.adjusted(0.5, 0.5, -0.5, -0.5), s.radius, s.radius);

    // Header: glyph, title, type.
    const QRectF glyph(s.padding * 0.75, (headerHeight - s.glyph) / 2, s.glyph, s.glyph);
    if (known_) {
        const QPixmap& pixmap =
            s.glyphPixmap(category_, zoom, painter.device()->devicePixelRatio());
        if (!pixmap.isNull()) {
            painter.setRenderHint(QPainter::SmoothPixmapTransform);
            painter.drawPixmap(glyph, pixmap, QRectF(pixmap.rect()));
        }
    } else {
        painter.setPen(s.nodeMuted);
        painter.setFont(s.title);
        painter.drawText(glyph, Qt::AlignCenter, QStringLiteral("?"));
    }
    const double left = glyph.right() + s.padding * 0.6;
    double right = s.width - s.padding;
    painter.setPen(s.nodeText);
    painter.setFont(s.title);
    painter.drawText(QRectF(left, 0, right - left, headerHeight), Qt::AlignLeft | Qt::AlignVCenter,
                     shownTitle_);
    if (run_ == RunLook::Failed || muted_) {
        const QRectF sign(right - s.glyph * 0.75, (headerHeight - s.glyph * 0.75) / 2,
                          s.glyph * 0.75, s.glyph * 0.75);
        painter.setPen(QPen(run_ == RunLook::Failed ? s.error : s.nodeMuted, 1.6, Qt::SolidLine,
                            Qt::RoundCap));
        painter.drawEllipse(sign);
        if (run_ == RunLook::Failed) {
            painter.drawLine(QPointF(sign.center().x(), sign.top() + sign.height() * 0.25),
                             QPointF(sign.center().x(), sign.top() + sign.height() * 0.55));
            painter.drawPoint(QPointF(sign.center().x(), sign.top() + sign.height() * 0.76));
        } else {
            const double r = sign.width() * 0.35;
            painter.drawLine(sign.center() + QPointF(-r, r), sign.center() + QPointF(r, -r));
        }
        right = sign.left() - s.padding * 0.4;
    }
    if (pinned_) {
        const double size = s.glyph * 0.5;
        const QPointF head(right - size * 0.5, headerHeight / 2 - size * 0.25);
        painter.setPen(QPen(s.nodeMuted, 1.4, Qt::SolidLine, Qt::RoundCap));
        painter.setBrush(s.nodeMuted);
        painter.drawEllipse(head, size * 0.32, size * 0.32);
        painter.drawLine(head, head + QPointF(0, size * 0.9));
        right -= size + s.padding * 0.4;
    }
    if (!badge_.isEmpty()) {
        painter.setFont(s.small);
        const double wide = QFontMetricsF(s.small).horizontalAdvance(badge_) + s.padding;
        const double high = s.noteLine + 2;
        const QRectF pill(right - wide, (headerHeight - high) / 2, wide, high);
        painter.setPen(Qt::NoPen);
        painter.setBrush(mix(s.body, category, 0.45));
        painter.drawRoundedRect(pill, high / 2, high / 2);
        painter.setPen(s.nodeText);
        painter.drawText(pill, Qt::AlignCenter, badge_);
        right = pill.left() - s.padding * 0.4;
    }
    painter.setPen(s.nodeMuted);
    painter.setFont(s.small);
    painter.drawText(QRectF(left, 0, right - left, headerHeight), Qt::AlignRight | Qt::AlignVCenter,
                     shownSide_);

    if (heat_ >= 0 && !isNote_) {
        // Colour, and the length of a bar with the figure: not by colour alone.
        const Theme& theme = Theme::instance();
        QColor tone = mix(theme.color(Token::HeatMid), theme.color(Token::HeatHigh), heat_);
        painter.setPen(Qt::NoPen);
        painter.setBrush(withAlpha(tone, 40 + static_cast<int>(90 * heat_)));
        painter.drawRoundedRect(body_, s.radius, s.radius);
        const QRectF bar(s.padding, body_.bottom() - 5, (s.width - 2 * s.padding) * heat_, 3);
        painter.setBrush(theme.color(Token::HeatHigh));
        painter.drawRoundedRect(bar, 1.5, 1.5);
        if (!collapsed_) {
            painter.setPen(s.nodeText);
            painter.setFont(s.small);
            painter.drawText(
                QRectF(s.padding, body_.bottom() - s.row * 1.18, s.width - 2 * s.padding, s.row),
                Qt::AlignRight | Qt::AlignVCenter, heatText_);
            painter.setPen(s.nodeMuted);
        }
    }
    if (!collapsed_ && !shownSubtitle_.isEmpty()) {
        const double y = body_.bottom() - s.row * 1.18;
        painter.drawText(QRectF(s.padding, y, s.width - 2 * s.padding, s.row),
                         Qt::AlignLeft | Qt::AlignVCenter, shownSubtitle_);
    }
    if (!noteLines_.empty()) {
        painter.setPen(s.nodeText);
        painter.setFont(s.text);
        double y = s.header + s.padding * 0.5;
        for (const QString& line : noteLines_) {
            painter.drawText(QRectF(s.padding, y, s.width - 2 * s.padding, s.noteLine + 1),
                             Qt::AlignLeft | Qt::AlignVCenter, line);
            y += s.noteLine + 1;
        }
    }
    if (faded_ || muted_) {
        // A veil instead of transparency: wires behind the node stay behind it.
        painter.setPen(Qt::NoPen);
        painter.setBrush(withAlpha(s.canvas, faded_ ? 165 : 120));
        painter.drawRoundedRect(body_, s.radius, s.radius);
    }

    // Rings, outermost last: run, error, hover, selection.
    painter.setBrush(Qt::NoBrush);
    const QRectF ring = body_.adjusted(0.5, 0.5, -0.5, -0.5);
    if (hasError()) {
        painter.setPen(QPen(s.error, run_ == RunLook::Failed ? 2.5 : 1.5));
        painter.drawRoundedRect(ring, s.radius, s.radius);
    } else if (run_ == RunLook::Running && !muted_) {
        painter.setPen(QPen(withAlpha(s.success, 170), 1.5));
        painter.drawRoundedRect(ring, s.radius, s.radius);
    } else if (hovered_ && !chosen_) {
        painter.setPen(QPen(withAlpha(s.accent, 150), 1));
        painter.drawRoundedRect(ring, s.radius, s.radius);
    }
    if (chosen_) {
        painter.setPen(QPen(withAlpha(s.selection, 60), 5));
        painter.drawRoundedRect(ring.adjusted(-2, -2, 2, 2), s.radius + 2, s.radius + 2);
        painter.setPen(QPen(s.selection, 2));
        painter.drawRoundedRect(ring, s.radius, s.radius);
    }
    if (flash_ > 0) {
        painter.setPen(QPen(withAlpha(s.warning, static_cast<int>(220 * flash_)), 6));
        painter.drawRoundedRect(ring.adjusted(-3, -3, 3, 3), s.radius + 3, s.radius + 3);
    }
    paintPorts(painter);
    paintProblem(painter);
}

} // namespace wiregrad::studio
