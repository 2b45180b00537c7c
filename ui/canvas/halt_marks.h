// What breakpoints look like on the canvas: a dot at each node that has one, and a frame with the
// op's name at the node where a run stands inside a step. GUI thread.
#pragma once

#include <QObject>

#include <map>
#include <string>

#include "session/train_session.h"

namespace wiregrad::studio {

class CanvasScene;

class HaltMarks : public QObject {
    Q_OBJECT

  public:
    HaltMarks(CanvasScene& scene, TrainSession& session, QObject* parent);
    /// For tests: the text at a node; "" where only a dot is; null where nothing is.
    QString textAt(const std::string& node) const;

  private:
    class Item;
    void refresh();
    CanvasScene& scene_;
    TrainSession& session_;
    std::map<std::string, Item*> items_; ///< owned by the scene
};

} // namespace wiregrad::studio
