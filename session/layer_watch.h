// Watches every trained weight of a run: the norm of its gradient and how large the optimizer's
// step is beside it, as curves of the run. Works through probes, so it obeys their budget. GUI
// thread.
#pragma once

#include <QObject>

#include <map>
#include <string>
#include <vector>

#include "session/train_session.h"

namespace wiregrad::studio {

class LayerWatch : public QObject {
    Q_OBJECT

  public:
    LayerWatch(const Document& document, TrainSession& session, QObject* parent = nullptr);
    ~LayerWatch() override;
    void setOn(bool on); ///< off: nothing is probed
    bool isOn() const { return on_; }
    /// Square root of the sum of squares of what a record describes.
    static double norm(const ProbeRecord& record);

  private:
    void subscribe();
    void unsubscribe();
    void take();
    struct Seen {
        std::int64_t step = 0;
        double norm = 0;
    };
    const Document& document_;
    TrainSession& session_;
    bool on_ = false;
    std::vector<int> handles_;
    std::vector<std::pair<std::string, std::string>> weights_; ///< node, name
    std::map<std::pair<std::size_t, int>, Seen> seen_;         ///< of weight number, by what
    std::int64_t lastTotal_ = 0;
};

} // namespace wiregrad::studio
