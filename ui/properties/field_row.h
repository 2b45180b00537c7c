// One line of the properties: label to scrub, editor, reset, and a sentence when a value is
// refused. It reads and writes through functions, so that nodes, several nodes and the training
// settings are edited alike. GUI thread.
#pragma once

#include <QWidget>

#include <functional>
#include <optional>
#include <vector>

#include "session/sheet.h"
#include "ui/properties/editors.h"

class QToolButton;

namespace wiregrad::studio {

class TextLabel;

/// What a row edits.
struct Field {
    graph::ParamSpec spec;
    /// One value per node.
    std::function<std::vector<graph::ParamValue>()> read;
    std::function<graph::Edit(const graph::ParamValue&)> write;
    std::function<bool()> visible{}; ///< null: always
    bool longText = false;           ///< several lines, over the whole width
    bool resets = true;              ///< has a default worth going back to
    bool lockedInRun = false;        ///< cannot be changed while the network is being trained
};

class FieldRow : public QWidget {
    Q_OBJECT

  public:
    FieldRow(Sheet& sheet, Field field, int labelWidth, QWidget* parent = nullptr);
    const Field& field() const { return field_; }
    ParamEditor* editor() const { return editor_; }
    /// Takes values and visibility over from the document.
    void refresh();
    void setLocked(bool locked);
    QString message() const; ///< the refusal under the field, or empty

  signals:
    void
    explained(const wiregrad::studio::FieldRow* row); ///< hovered or focused: its help is wanted

  protected:
    bool eventFilter(QObject* watched, QEvent* event) override;
    void enterEvent(QEnterEvent* event) override;

  private:
    std::optional<graph::ParamValue> value() const;
    void apply(const graph::ParamValue& value, quint64 gesture);
    void setMessage(const QString& text);

    Sheet& sheet_;
    Field field_;
    ScrubLabel* label_ = nullptr;
    ParamEditor* editor_ = nullptr;
    QToolButton* reset_ = nullptr;
    TextLabel* message_ = nullptr;
    std::optional<graph::ParamValue> scrubStart_;
    quint64 scrubGesture_ = 0;
};

} // namespace wiregrad::studio
