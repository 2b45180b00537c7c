// Live miniatures under the visible nodes: what flows out of each, or its gradient, as a histogram,
// a strip of feature maps, a picture, bars, or the plane of a two-dimensional problem with its
// decision boundary. Only what is visible is probed. GUI thread.
#pragma once

#include <QImage>
#include <QObject>
#include <QTimer>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/train/probe.h"
#include "session/document.h"
#include "session/train_session.h"

class QGraphicsItem;
class QGraphicsView;

namespace wiregrad::studio {

class CanvasScene;
class NodeItem;

enum class LiveKind { Nothing, Histogram, Maps, Picture, Bars, HeatMap, Plane, Number };
/// What a record is best shown as, in a few hundred pixels.
LiveKind liveKindOf(const ProbeRecord& record);
/// The picture itself, one pixel an element where it is one.
QImage livePicture(const ProbeRecord& record, LiveKind kind);

class LiveLayer : public QObject {
    Q_OBJECT

  public:
    LiveLayer(QGraphicsView& view, CanvasScene& scene, Document& document, TrainSession& session);
    ~LiveLayer() override;
    bool isOn() const { return on_; }
    void setOn(bool on);
    bool showsGradients() const { return gradients_; }
    void setGradients(bool gradients);

    // --- for tests
    int subscribed() const { return int(handles_.size()); }
    LiveKind kindAt(const std::string& node) const;
    std::int64_t updatesOf(const std::string& node) const; ///< records taken over
    void look();                                           ///< what the timer does

  private:
    class Item;
    struct Seen {
        int handle = 0;
        ValueId value;
    };
    void refresh();
    void subscribe();
    void release();
    void askForPlane();
    bool wanted() const;
    void place(const NodeItem& node, Item& item) const;

    QGraphicsView& view_;
    CanvasScene& scene_;
    Document& document_;
    TrainSession& session_;
    bool on_ = true, gradients_ = false;
    QTimer timer_, planeTimer_;
    std::map<std::string, Seen> handles_;
    std::map<std::string, Item*> items_; ///< owned by the scene
    bool asking_ = false;
};

} // namespace wiregrad::studio
