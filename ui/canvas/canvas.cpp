#include "ui/canvas/canvas.h"

#include <QApplication>
#include <QHash>
#include <QPainter>
#include <QScrollBar>
#include <QVarLengthArray>

#include <algorithm>
#include <cmath>

#include "engine/core/error.h"
#include "nodes/flatten.h"
#include "session/settings.h"
#include "ui/canvas/breadcrumb.h"
#include "ui/canvas/canvas_edits.h"
#include "ui/canvas/canvas_impl.h"
#include "ui/canvas/canvas_overlays.h"
#include "ui/canvas/canvas_style.h"
#include "ui/canvas/halt_marks.h"
#include "ui/canvas/live_layer.h"
#include "ui/theme/theme.h"

namespace wiregrad::studio {

namespace {

constexpr double kWorld = 1e6; ///< the canvas reaches this far in each direction
constexpr int kSettleMs = 150;
constexpr int kManyItems = 150; ///< from here on antialiasing pauses while the view moves

} // namespace

// ---------------------------------------------------------------- Impl

Canvas::Impl::Impl(Canvas& canvas, Document& doc, TrainSession& run)
    : q(canvas), document(doc), session(run), sheet(doc), scene(sheet),
      note(new CursorNote(&canvas)), search(new SearchPopup(&canvas)),
      rename(new RenameField(&canvas)), minimap(new Minimap(scene, canvas)),
      empty(new EmptyHint(&canvas)), crumbs(new Breadcrumb(sheet, &canvas)),
      label(new ShapeLabel), context{sheet,
                                     scene,
                                     *note,
                                     [this] { return q.zoom(); },
                                     [this](const graph::Edit& edit) { return apply(edit); },
                                     [this](const QString& text) { emit q.hint(text); },
                                     [this](SearchRequest request) {
                                         search->open(std::move(request));
                                     },
                                     [] {
                                         return Settings::value(QStringLiteral(
                                                    "canvas/gridSnap")) == QStringLiteral("true");
                                     },
                                     [this](const graph::Edit& edit) {
                                         ++applying;
                                         const bool done = document.apply(edit);
                                         --applying;
                                         return done;
                                     }} {
    scene.addItem(label);
}

Canvas::Impl::~Impl() {
    storeView();
    // Gestures and search requests own items of the scene.
    gesture.reset();
    delete search;
    delete minimap;
}

bool Canvas::Impl::apply(const graph::Edit& edit, quint64 id) {
    ++applying;
    const bool done = sheet.apply(edit, id);
    --applying;
    if (done) return true;
    emit q.hint(document.lastError());
    if (!note->isVisible()) note->say(document.lastError(), CursorNote::Refused, cursor);
    QTimer::singleShot(4000, note, [this] {
        if (!gesture) note->clear();
    });
    return false;
}

bool Canvas::Impl::edit(const std::function<bool(Draft&)>& build) {
    Draft draft(sheet.graph());
    try {
        if (!build(draft) || draft.empty()) return false;
    } catch (const Error& error) {
        emit q.hint(QString::fromUtf8(error.what()));
        return false;
    }
    return apply(draft.take());
}

Pointer Canvas::Impl::pointer(QPointF view, Qt::KeyboardModifiers modifiers) const {
    return {q.viewportTransform().inverted().map(view), view, modifiers};
}

void Canvas::Impl::panBy(QPointF delta) {
    // Scroll bars are whole pixels; what a slow hand leaves over is kept for the next move.
    panRest += delta;
    const QPoint whole = panRest.toPoint();
    panRest -= whole;
    scrollBy(whole);
}

void Canvas::Impl::scrollBy(QPoint delta) {
    moving();
    q.horizontalScrollBar()->setValue(q.horizontalScrollBar()->value() - delta.x());
    q.verticalScrollBar()->setValue(q.verticalScrollBar()->value() - delta.y());
    anchorView = {-1, -1};
    saveView.start();
    if (minimap->isVisible()) minimap->update();
}

void Canvas::Impl::centreOn(QPointF scenePos) {
    const QPointF now = q.viewportTransform().map(scenePos);
    scrollBy((QRectF(q.viewport()->rect()).center() - now).toPoint());
}

void Canvas::Impl::fit(const QRectF& rect) {
    if (rect.isEmpty() || q.viewport()->width() < 10 || q.viewport()->height() < 10) return;
    const QSizeF room = QSizeF(q.viewport()->size()) - QSizeF(48, 48);
    const double scale =
        std::min({room.width() / rect.width(), room.height() / rect.height(), 1.25});
    q.setZoom(scale, QRectF(q.viewport()->rect()).center());
    centreOn(rect.center());
}

void Canvas::Impl::moving() {
    if (static_cast<int>(scene.nodes().size() + scene.wires().size()) < kManyItems) return;
    q.setRenderHint(QPainter::Antialiasing, false);
    settle.start(kSettleMs);
}

void Canvas::Impl::endGesture() {
    gesture.reset();
    scroll.stop();
    updateHover(cursor);
    updateCursorShape();
}

void Canvas::Impl::cancelGesture() {
    if (gesture) endGesture();
    panFrom.reset();
    updateCursorShape();
}

void Canvas::Impl::updateCursorShape() {
    if (panFrom)
        q.viewport()->setCursor(Qt::ClosedHandCursor);
    else if (spaceHeld)
        q.viewport()->setCursor(Qt::OpenHandCursor);
    else
        q.viewport()->setCursor(Qt::ArrowCursor);
}

void Canvas::Impl::updateHover(QPointF view) {
    if (gesture) return;
    const QPointF at = pointer(view, {}).scene;
    NodeItem* node = scene.nodeAt(at);
    WireItem* wire = node ? nullptr : scene.wireAt(at, 6 / q.zoom());
    if (node != scene.hoveredNode() || wire != scene.hoveredWire()) {
        scene.setHovered(node, wire);
        updateLabel();
    }
    if (!panFrom && !spaceHeld) {
        const bool port = scene.portAt(at, 9 / q.zoom()).has_value() && q.zoom() >= 0.25;
        q.viewport()->setCursor(port ? Qt::CrossCursor : Qt::ArrowCursor);
    }
}

void Canvas::Impl::updateLabel() {
    const WireItem* wire = scene.hoveredWire();
    if (!wire && scene.chosenWires().size() == 1) wire = scene.wire(*scene.chosenWires().begin());
    if (wire)
        label->show(wire->middle(), scene.wireLabel(wire->wire()),
                    CanvasStyle::get().wire(wire->kind()));
    else
        label->setVisible(false);
}

void Canvas::Impl::setFocusOn(const std::string& node, const std::string& port) {
    // Others look at values by their path.
    const Focus next{node.empty() ? QString() : qs(sheet.path_of(node)), qs(port)};
    if (next == focus) return;
    focus = next;
    emit q.focusChanged(focus);
}

void Canvas::Impl::updateEmpty() {
    empty->setVisible(sheet.graph().nodes().empty());
    minimap->update();
}

void Canvas::Impl::updateRun() {
    const train::RunState state = session.state();
    const bool running = state == train::RunState::Running || state == train::RunState::Paused;
    const std::string failed =
        state == train::RunState::Failed ? session.errorNode().toStdString() : std::string();
    const auto failedHere = failed.empty() ? std::nullopt : sheet.local(failed);
    for (const auto& [id, item] : scene.nodes()) {
        if (failedHere == id)
            item->setRun(RunLook::Failed, session.errorText());
        else
            item->setRun(running ? RunLook::Running : RunLook::Idle);
    }
}

void Canvas::Impl::restyle() {
    cancelGesture();
    search->dismiss();
    rename->finish(false);
    for (const auto& [id, item] : scene.nodes())
        item->refresh(sheet.graph());
    for (const auto& [id, item] : scene.nodes())
        scene.routeWiresOf(id);
    updateLabel();
    empty->update();
    minimap->update();
    q.resetCachedContent();
    q.viewport()->update();
}

void Canvas::Impl::levelShown() {
    cancelGesture();
    search->dismiss();
    rename->finish(false);
    keepView();
    shownLevel = levelKey();
    autoFit = true;
    viewKey.clear();
    restoreView();
    if (const auto known = views.find(shownLevel); known != views.end())
        scene.choose(known->second.chosen);
    setFocusOn({}, {});
    crumbs->refresh();
    updateRun();
}

std::string Canvas::Impl::levelKey() const {
    std::string key;
    for (const std::string& group : sheet.groups())
        key += group + "/";
    return key;
}

QString Canvas::Impl::keyOfView() const {
    if (document.path().isEmpty()) return {};
    return QStringLiteral("view/") +
           QString::number(qHash(document.path() + QLatin1Char('#') + qs(levelKey()), 0u), 16);
}

void Canvas::Impl::keepView() {
    const QPointF centre = pointer(QRectF(q.viewport()->rect()).center(), {}).scene;
    views[shownLevel] = {centre, autoFit ? 0 : q.zoom(), leavingChoice};
}

void Canvas::Impl::storeView() {
    if (viewKey.isEmpty() || autoFit) return;
    const QPointF centre = pointer(QRectF(q.viewport()->rect()).center(), {}).scene;
    Settings::setLayout(
        viewKey,
        QStringLiteral("%1 %2 %3").arg(centre.x()).arg(centre.y()).arg(q.zoom()).toLatin1());
}

void Canvas::Impl::restoreView() {
    viewKey = keyOfView();
    if (const auto known = views.find(shownLevel); known != views.end() && known->second.zoom > 0) {
        q.setZoom(known->second.zoom, QRectF(q.viewport()->rect()).center());
        centreOn(known->second.centre);
        autoFit = false;
        return;
    }
    if (!viewKey.isEmpty()) {
        const auto parts = Settings::layout(viewKey).split(' ');
        if (parts.size() == 3) {
            bool ok[3] = {};
            const double x = parts[0].toDouble(&ok[0]), y = parts[1].toDouble(&ok[1]),
                         z = parts[2].toDouble(&ok[2]);
            if (ok[0] && ok[1] && ok[2] && std::isfinite(x) && std::isfinite(y)) {
                q.setZoom(z, QRectF(q.viewport()->rect()).center());
                centreOn({x, y});
                autoFit = false;
                return;
            }
        }
    }
    q.fitAll();
    autoFit = true;
}

QRectF Canvas::Impl::freePlace(QPointF wish) const {
    const CanvasStyle& s = CanvasStyle::get();
    QRectF place(wish, QSizeF(s.width, s.header + s.row * 2));
    for (int tries = 0; tries < 200; ++tries) {
        const auto hit = scene.nodesIn(place.adjusted(-8, -8, 8, 8));
        if (hit.empty()) break;
        const NodeItem* item = scene.node(*hit.begin());
        place.moveTop(item->pos().y() + item->body().height() + kGrid);
    }
    return place;
}

std::map<std::string, std::pair<double, double>> Canvas::Impl::sizes() const {
    std::map<std::string, std::pair<double, double>> out;
    for (const auto& [id, item] : scene.nodes())
        out[id] = {item->body().width(), item->body().height()};
    return out;
}

// ---------------------------------------------------------------- Canvas

Canvas::Canvas(Document& document, TrainSession& session, QWidget* parent) : QGraphicsView(parent) {
    CanvasStyle::get();
    setObjectName(QStringLiteral("canvas"));
    setAccessibleName(tr("Graph"));
    d = std::make_unique<Impl>(*this, document, session);
    setScene(&d->scene);
    d->live = new LiveLayer(*this, d->scene, document, session);
    d->marks = new HaltMarks(d->scene, session, this);
    setSceneRect(-kWorld, -kWorld, 2 * kWorld, 2 * kWorld);
    setInteractive(false);
    setMouseTracking(true);
    viewport()->setMouseTracking(true);
    setFrameShape(QFrame::NoFrame);
    setFocusPolicy(Qt::StrongFocus);
    setAcceptDrops(true);
    setTransformationAnchor(QGraphicsView::NoAnchor);
    setResizeAnchor(QGraphicsView::NoAnchor);
    setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    setVerticalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    setViewportUpdateMode(QGraphicsView::SmartViewportUpdate);
    setOptimizationFlag(QGraphicsView::DontSavePainterState);
    setRenderHint(QPainter::Antialiasing);
    setMinimumSize(160, 120);
    d->wheelZooms = Settings::value(QStringLiteral("canvas/wheel"), QStringLiteral("zoom")) !=
                    QStringLiteral("scroll");

    d->settle.setSingleShot(true);
    connect(&d->settle, &QTimer::timeout, this, [this] {
        setRenderHint(QPainter::Antialiasing, true);
        viewport()->update();
    });
    d->saveView.setSingleShot(true);
    d->saveView.setInterval(500);
    connect(&d->saveView, &QTimer::timeout, this, [this] { d->storeView(); });
    d->scroll.setInterval(16);
    connect(&d->scroll, &QTimer::timeout, this, [this] {
        const QRectF inner =
            QRectF(viewport()->rect())
                .adjusted(kScrollBorder, kScrollBorder, -kScrollBorder, -kScrollBorder);
        if (!d->gesture || inner.contains(d->cursor)) {
            d->scroll.stop();
            return;
        }
        QPointF delta;
        if (d->cursor.x() < inner.left())
            delta.rx() = std::min(inner.left() - d->cursor.x(), 60.0) * 0.35;
        if (d->cursor.x() > inner.right())
            delta.rx() = -std::min(d->cursor.x() - inner.right(), 60.0) * 0.35;
        if (d->cursor.y() < inner.top())
            delta.ry() = std::min(inner.top() - d->cursor.y(), 60.0) * 0.35;
        if (d->cursor.y() > inner.bottom())
            delta.ry() = -std::min(d->cursor.y() - inner.bottom(), 60.0) * 0.35;
        d->panBy(delta);
        d->gesture->move(d->pointer(d->cursor, QGuiApplication::keyboardModifiers()));
    });
    d->flash.setInterval(40);
    connect(&d->flash, &QTimer::timeout, this, [this] {
        d->flashLeft -= 0.05;
        NodeItem* item = d->scene.node(d->flashNode);
        if (item) item->setFlash(std::max(0.0, d->flashLeft));
        if (d->flashLeft <= 0 || !item) d->flash.stop();
    });

    connect(&d->scene, &CanvasScene::chosenChanged, this, [this] {
        d->updateLabel();
        if (d->minimap->isVisible()) d->minimap->update();
        emit selectionChanged(selectedNodes());
    });
    connect(&d->scene, &CanvasScene::itemsChanged, this, [this] {
        d->updateEmpty();
        d->updateLabel();
        if (!d->focus.node.isEmpty() && !d->scene.node(d->focus.node.toStdString()))
            d->setFocusOn({}, {});
    });
    connect(&d->sheet, &Sheet::changed, this, [this](const graph::ChangeSet& changes) {
        if (changes.everything)
            d->levelShown();
        else if (d->gesture && d->applying == 0 &&
                 (!changes.removed.empty() || !changes.wires_removed.empty()))
            d->cancelGesture(); // what the gesture holds may be gone
        if (!changes.added.empty()) d->updateRun();
    });
    connect(&document, &Document::changed, this, [this](const graph::ChangeSet& changes) {
        if (!changes.everything) return;
        // Another project: what was remembered of levels is of no use.
        d->views.clear();
        d->viewKey.clear();
        d->autoFit = true;
        d->restoreView();
    });
    connect(&d->sheet, &Sheet::analysed, this, [this] { d->updateLabel(); });
    connect(&document, &Document::pathChanged, this, [this] {
        if (d->autoFit)
            d->restoreView();
        else
            d->viewKey = d->keyOfView();
    });
    connect(&session, &TrainSession::stateChanged, this, [this] { d->updateRun(); });
    connect(d->minimap, &Minimap::wantsCentre, this, [this](QPointF pos) {
        d->autoFit = false;
        d->centreOn(pos);
    });
    connect(&Theme::instance(), &Theme::changed, this, [this] { d->restyle(); });
    d->minimap->setVisible(Settings::value(QStringLiteral("canvas/minimap")) ==
                           QStringLiteral("true"));
    d->updateEmpty();
    d->levelShown();
}

HaltMarks& Canvas::marks() {
    return *d->marks;
}

LiveLayer& Canvas::live() {
    return *d->live;
}

Canvas::~Canvas() {
    delete d->live;
    // Timers and signals must not reach a half-destroyed canvas.
    disconnect(&d->document, nullptr, this, nullptr);
    disconnect(&d->sheet, nullptr, this, nullptr);
    disconnect(&d->session, nullptr, this, nullptr);
    disconnect(&d->scene, nullptr, this, nullptr);
    setScene(nullptr);
}

Sheet& Canvas::sheet() {
    return d->sheet;
}

std::set<QString> Canvas::selectedNodes() const {
    std::set<QString> out;
    for (const auto& id : d->scene.chosenNodes())
        out.insert(qs(id));
    return out;
}

void Canvas::select(const std::set<QString>& nodes) {
    std::set<std::string> ids;
    for (const QString& node : nodes)
        ids.insert(node.toStdString());
    d->scene.choose(std::move(ids));
    if (nodes.size() == 1) d->setFocusOn(nodes.begin()->toStdString(), {});
}

Focus Canvas::focused() const {
    return d->focus;
}

void Canvas::fitAll() {
    d->fit(d->scene.boundsOf({}));
}

void Canvas::fitSelection() {
    if (d->scene.chosenNodes().empty())
        fitAll();
    else
        d->fit(d->scene.boundsOf(d->scene.chosenNodes()));
}

double Canvas::zoom() const {
    return transform().m11();
}

void Canvas::setZoom(double wish, QPointF anchor) {
    if (!std::isfinite(wish) || !std::isfinite(anchor.x()) || !std::isfinite(anchor.y())) return;
    const double before = zoom();
    const double next = std::clamp(wish, kMinZoom, kMaxZoom);
    // Scroll bars are whole pixels: while the cursor rests, all turns of the wheel share one
    // anchor, so rounding does not add up.
    if (anchor != d->anchorView) {
        d->anchorView = anchor;
        d->anchorScene = viewportTransform().inverted().map(anchor);
    }
    const QPointF keepView = d->anchorView, keepScene = d->anchorScene;
    if (next != before) {
        d->moving();
        setTransform(QTransform::fromScale(next, next));
    }
    const QPointF now = viewportTransform().map(keepScene);
    d->scrollBy((anchor - now).toPoint());
    d->anchorView = keepView;
    d->anchorScene = keepScene;
    if (next != before) emit zoomChanged(next);
}

void Canvas::reveal(const QString& node, const QString& port) {
    // A path leads into groups; an id means the level that is shown.
    const graph::FlatPlace place_of_node = graph::place_of(node.toStdString());
    std::string id = place_of_node.node;
    if (!place_of_node.groups.empty() || !d->sheet.graph().node(id))
        d->sheet.goTo(place_of_node.groups);
    NodeItem* item = d->scene.node(id);
    if (!item) return;
    d->autoFit = false;
    const QRectF place = viewportTransform().mapRect(item->sceneBoundingRect());
    if (zoom() < kTextZoom) setZoom(0.8, QRectF(viewport()->rect()).center());
    if (!QRectF(viewport()->rect()).contains(place) || zoom() < kTextZoom)
        d->centreOn(item->sceneBoundingRect().center());
    d->scene.choose({id});
    d->setFocusOn(id, port.toStdString());
    d->flashNode = id;
    d->flashLeft = 1;
    item->setFlash(1);
    d->flash.start();
}

void Canvas::addNode(const QString& type, QPointF scenePos, bool wire) {
    const CanvasStyle& s = CanvasStyle::get();
    Draft draft(d->sheet.graph());
    try {
        const auto& chosen = d->scene.chosenNodes();
        const std::string after = wire && chosen.size() == 1 ? *chosen.begin() : std::string();
        std::string id;
        if (const NodeItem* item = d->scene.node(after)) {
            const auto leaving = d->sheet.graph().wires_out_of(after);
            const QPointF wish = item->pos() + QPointF(item->body().width() + 3 * kGrid, 0);
            bool inserted = false;
            if (leaving.size() == 1) {
                // In the middle of a chain "after" means between.
                Draft trial(d->sheet.graph());
                id = add_new(trial, type.toStdString(), {wish.x(), wish.y()});
                if (insert_on_wire(trial, leaving.front(), id)) {
                    make_room(trial, id, wish.x() + s.width, 3 * kGrid);
                    draft.add(trial.take());
                    inserted = true;
                }
            }
            if (!inserted) {
                const QRectF place = d->freePlace(wish);
                id = add_after(draft, type.toStdString(), after, {place.x(), place.y()});
            }
        } else {
            QPointF wish = scenePos;
            if (!std::isfinite(wish.x()) || !std::isfinite(wish.y()))
                wish = mapToScene(viewport()->rect().center());
            if (wire) // from the palette without a selection: beside what is there
                wish = d->freePlace(wish).topLeft();
            id = add_new(draft, type.toStdString(), {std::round(wish.x()), std::round(wish.y())});
        }
        if (!d->apply(draft.take())) return;
        Settings::addRecentType(type);
        d->autoFit = false;
        d->scene.choose({id});
        d->setFocusOn(id, {});
        if (const NodeItem* item = d->scene.node(id); item && wire) {
            const QRectF place = viewportTransform().mapRect(item->sceneBoundingRect());
            if (!QRectF(viewport()->rect()).contains(place))
                d->centreOn(item->sceneBoundingRect().center());
        }
    } catch (const Error& error) {
        emit hint(QString::fromUtf8(error.what()));
    }
}

void Canvas::openSearch(QPointF viewPos, const QString& text) {
    d->cancelGesture();
    SearchRequest request;
    request.view = viewPos;
    request.text = text;
    // Ports of a group stand in groups only.
    request.fits = [this](const graph::NodeType& type) {
        return type.role != graph::Role::GroupPort || !d->sheet.definition().isEmpty();
    };
    request.chosen = [this, scene = d->pointer(viewPos, {}).scene](const QString& type, bool wire) {
        const CanvasStyle& s = CanvasStyle::get();
        addNode(type, scene - QPointF(s.width / 2, s.header / 2), wire);
    };
    d->search->open(std::move(request));
}

QPointF Canvas::nodeCentre(const QString& node) const {
    const NodeItem* item = d->scene.node(node.toStdString());
    return item ? viewportTransform().map(item->pos() + item->body().center()) : QPointF();
}

QRectF Canvas::nodeRect(const QString& node) const {
    const NodeItem* item = d->scene.node(node.toStdString());
    return item ? viewportTransform().mapRect(item->body().translated(item->pos())) : QRectF();
}

QPointF Canvas::portPosition(const QString& node, const QString& port, bool output) const {
    const NodeItem* item = d->scene.node(node.toStdString());
    return item ? viewportTransform().map(item->portScenePos(port.toStdString(), output))
                : QPointF();
}

// ---------------------------------------------------------------- painting

void Canvas::drawBackground(QPainter* painter, const QRectF& rect) {
    const CanvasStyle& s = CanvasStyle::get();
    painter->fillRect(rect, s.canvas);
    // Dots thin out with distance, so that their density on the screen stays calm.
    double step = kGrid;
    while (step * zoom() < 14)
        step *= 5;
    const double left = std::floor(rect.left() / step) * step,
                 top = std::floor(rect.top() / step) * step;
    if ((rect.width() / step) * (rect.height() / step) > 40000) return;
    QVarLengthArray<QPointF, 4096> minor, major;
    for (double x = left; x <= rect.right(); x += step)
        for (double y = top; y <= rect.bottom(); y += step) {
            const bool strong = std::fmod(std::abs(std::round(x / step)), 5) == 0 &&
                                std::fmod(std::abs(std::round(y / step)), 5) == 0;
            (strong ? major : minor).append({x, y});
        }
    const bool smooth = painter->testRenderHint(QPainter::Antialiasing);
    painter->setRenderHint(QPainter::Antialiasing, false);
    QPen pen(mix(s.grid, s.gridStrong, 0.6), zoom() > 1.5 ? 2 : 1, Qt::SolidLine, Qt::SquareCap);
    pen.setCosmetic(true);
    painter->setPen(pen);
    painter->drawPoints(minor.constData(), static_cast<int>(minor.size()));
    pen.setColor(mix(s.gridStrong, s.nodeMuted, 0.18));
    pen.setWidth(2);
    painter->setPen(pen);
    painter->drawPoints(major.constData(), static_cast<int>(major.size()));
    painter->setRenderHint(QPainter::Antialiasing, smooth);
}

} // namespace wiregrad::studio
