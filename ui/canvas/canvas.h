// The node editor: paints the document's graph and turns gestures into edits. Items hold ids, never
// model pointers; the scene changes only from a ChangeSet. GUI thread.
#pragma once

#include <QGraphicsView>
#include <QImage>
#include <QString>

#include <memory>
#include <set>

#include "session/document.h"
#include "session/sheet.h"
#include "session/train_session.h"

namespace wiregrad::studio {

class Actions;
class HaltMarks;
class LiveLayer;

/// What is selected or looked at: a node, or an output port of it.
struct Focus {
    QString node, port; ///< port empty: the node itself
    bool operator==(const Focus&) const = default;
};

class Canvas : public QGraphicsView {
    Q_OBJECT

  public:
    Canvas(Document& document, TrainSession& session, QWidget* parent = nullptr);
    ~Canvas() override;
    /// Registers canvas actions: select all, delete, duplicate, copy, paste, fit, zoom, add node,
    /// layout, rename, mute, collapse.
    void registerActions(Actions& actions);

    LiveLayer& live(); ///< the miniatures under the nodes
    HaltMarks& marks();
    Sheet& sheet(); ///< the level that is shown
    std::set<QString> selectedNodes() const;
    void select(const std::set<QString>& nodes);
    Focus focused() const; ///< last clicked node or wire
    void fitAll();
    void fitSelection();
    double zoom() const;
    void setZoom(double zoom, QPointF viewAnchor);
    void reveal(const QString& node,
                const QString& port = {}); ///< scrolls there and flashes (problems, errors)
    /// Adds a node of `type`; at the cursor, or after the selected node and wired to it when
    /// `wire`.
    void addNode(const QString& type, QPointF scenePos, bool wire);
    void openSearch(QPointF viewPos, const QString& text = {});
    /// The level that is shown, as pixels; at most 12,000 a side.
    QImage picture(double scale = 2) const;
    /// By the file's ending: .png, .svg (text stays text) or .pdf. Throws FileError with a
    /// sentence.
    void exportPicture(const QString& path, double scale = 2) const;
    /// Positions in view coordinates, for tests and screen readers.
    QPointF nodeCentre(const QString& node) const;
    QRectF nodeRect(const QString& node) const;
    QPointF portPosition(const QString& node, const QString& port, bool output) const;

  signals:
    void selectionChanged(const std::set<QString>& nodes);
    void focusChanged(const wiregrad::studio::Focus& focus);
    void zoomChanged(double zoom);
    /// A person wants to say when a run stops here; `node` as runs name it.
    void breakpointWanted(const QString& node, const QString& port);
    void hint(const QString& text); ///< status line: what a drag would do, why a wire is refused

  protected:
    void drawBackground(QPainter* painter, const QRectF& rect) override;
    void mousePressEvent(QMouseEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void mouseReleaseEvent(QMouseEvent* event) override;
    void mouseDoubleClickEvent(QMouseEvent* event) override;
    void wheelEvent(QWheelEvent* event) override;
    void contextMenuEvent(QContextMenuEvent* event) override;
    bool event(QEvent* event) override;
    bool viewportEvent(QEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void keyReleaseEvent(QKeyEvent* event) override;
    void focusOutEvent(QFocusEvent* event) override;
    void enterEvent(QEnterEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    void showEvent(QShowEvent* event) override;
    void scrollContentsBy(int dx, int dy) override;
    void dragEnterEvent(QDragEnterEvent* event) override;
    void dragMoveEvent(QDragMoveEvent* event) override;
    void dragLeaveEvent(QDragLeaveEvent* event) override;
    void dropEvent(QDropEvent* event) override;

  private:
    struct Impl;
    std::unique_ptr<Impl> d;
};

} // namespace wiregrad::studio
