// The tensor inspector: one value of the selected node or wire, live, as statistics and pictures.
// Probes it only while it is visible. GUI thread.
#pragma once

#include <QString>
#include <QWidget>

#include <memory>
#include <vector>

#include "session/document.h"
#include "session/train_session.h"
#include "ui/canvas/canvas.h"

namespace wiregrad::studio {

/// The record's slice as a .npy file. Throws FileError.
void saveRecordAsNpy(const ProbeRecord& record, const QString& path);

class InspectorPanel : public QWidget {
    Q_OBJECT

  public:
    InspectorPanel(Document& document, TrainSession& session, QWidget* parent = nullptr);
    ~InspectorPanel() override;
    /// Looks at a node, or at one output port of it (a wire). While pinned it stays where it is.
    void look(const Focus& focus);
    Focus focus() const;
    bool isPinned() const;
    void setPinned(bool pinned);
    /// The values that can be looked at here, in the order of the choice; and the one that is
    /// chosen.
    std::vector<ValueId> values() const;
    ValueId current() const;
    void choose(const ValueId& value);
    /// Null: nothing arrived. What is on the screen.
    const ProbeRecord* shown() const;
    bool isSubscribed() const;
    /// Shows the table of values where this element (row-major) is.
    void showElement(std::int64_t element);
    /// Takes the gradient of this element (row-major) of the shown weight apart.
    void followWeight(std::int64_t element);
    /// From now on the values of one validation sample, at every step.
    void pinSample(std::int64_t index);

  protected:
    void showEvent(QShowEvent* event) override;
    void hideEvent(QHideEvent* event) override;

  private:
    struct Impl;
    std::unique_ptr<Impl> d;
};

} // namespace wiregrad::studio
