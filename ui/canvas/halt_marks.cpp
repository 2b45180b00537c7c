#include "ui/canvas/halt_marks.h"

#include <QGraphicsItem>
#include <QPainter>

#include <set>

#include "ui/canvas/canvas_scene.h"
#include "ui/theme/theme.h"

namespace wiregrad::studio {

class HaltMarks::Item : public QGraphicsItem {
  public:
    Item() {
        setZValue(60);
        setAcceptedMouseButtons(Qt::NoButton);
    }
    void show(const QRectF& body, bool dot, const QString& text) {
        if (body == body_ && dot == dot_ && text == text_) return;
        prepareGeometryChange();
        body_ = body;
        dot_ = dot;
        text_ = text;
        update();
    }
    const QString& text() const { return text_; }
    QRectF boundingRect() const override { return body_.adjusted(-10, -26, 160, 10); }

    void paint(QPainter* painter, const QStyleOptionGraphicsItem*, QWidget*) override {
        const Theme& theme = Theme::instance();
        painter->setRenderHint(QPainter::Antialiasing);
        if (!text_.isEmpty()) {
            const QColor ink = theme.color(Token::Warning);
            painter->setPen(QPen(ink, 3));
            painter->setBrush(Qt::NoBrush);
            painter->drawRoundedRect(body_.adjusted(-4, -4, 4, 4), 8, 8);
            painter->setFont(theme.font(0.9, QFont::DemiBold));
            const QRectF words = painter->fontMetrics().boundingRect(text_);
            const QRectF tag(body_.left() - 4, body_.top() - 24, words.width() + 14, 20);
            painter->setPen(Qt::NoPen);
            painter->setBrush(ink);
            painter->drawRoundedRect(tag, 4, 4);
            painter->setPen(theme.color(Token::Canvas));
            painter->drawText(tag, Qt::AlignCenter, text_);
        }
        if (dot_) {
            painter->setPen(QPen(theme.color(Token::Canvas), 2));
            painter->setBrush(theme.color(Token::Error));
            painter->drawEllipse(body_.topLeft() + QPointF(1, 1), 6, 6);
        }
    }

  private:
    QRectF body_;
    bool dot_ = false;
    QString text_;
};

HaltMarks::HaltMarks(CanvasScene& scene, TrainSession& session, QObject* parent)
    : QObject(parent), scene_(scene), session_(session) {
    connect(&session, &TrainSession::halted, this, [this] { refresh(); });
    connect(&session, &TrainSession::stateChanged, this, [this] { refresh(); });
    connect(&session.breakpoints(), &Breakpoints::changed, this, [this] { refresh(); });
    connect(&scene, &CanvasScene::itemsChanged, this, [this] { refresh(); });
    connect(&Theme::instance(), &Theme::changed, this, [this] {
        for (const auto& [node, item] : items_)
            item->update();
    });
}

QString HaltMarks::textAt(const std::string& node) const {
    const auto item = items_.find(node);
    return item == items_.end()            ? QString()
           : item->second->text().isNull() ? QStringLiteral("")
                                           : item->second->text();
}

void HaltMarks::refresh() {
    const train::Halt* halt = session_.halt();
    // Ids within groups are paths; what lies deeper is marked at the group around it.
    const Sheet& sheet = scene_.sheet();
    std::set<std::string> dots;
    for (const train::Breakpoint& b : session_.breakpoints().list())
        if (const auto local = b.enabled && !b.node.empty() ? sheet.local(b.node) : std::nullopt)
            dots.insert(*local);
    const auto stands = halt ? sheet.local(halt->at.node) : std::nullopt;
    std::map<std::string, Item*> kept;
    if (!dots.empty() || stands)
        for (const auto& [id, node] : scene_.nodes()) {
            const bool here = stands == id, dot = dots.contains(id);
            if (!here && !dot) continue;
            const auto old = items_.find(id);
            Item* item = old != items_.end() ? old->second : new Item;
            if (old != items_.end())
                items_.erase(old);
            else
                scene_.addItem(item);
            const QString word = halt && here
                                     ? (halt->at.phase == train::Phase::Forward    ? tr("%1 →")
                                        : halt->at.phase == train::Phase::Backward ? tr("← %1")
                                                                                   : tr("%1 ↺"))
                                           .arg(QString::fromStdString(halt->at.op))
                                     : QString();
            item->show(node->mapRectToScene(node->body()), dot, word);
            kept.emplace(id, item);
        }
    for (const auto& [id, item] : items_)
        delete item;
    items_ = std::move(kept);
}

} // namespace wiregrad::studio

#include "moc_halt_marks.cpp"
