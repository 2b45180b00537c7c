// Editors of parameters, one per ParamKind, made from a ParamSpec alone: they know nothing of
// documents. GUI thread.
#pragma once

#include <QCheckBox>
#include <QElapsedTimer>
#include <QLabel>
#include <QLineEdit>
#include <QTextEdit>
#include <QWidget>

#include <optional>

#include "nodes/node_type.h"

class QComboBox;
class QPlainTextEdit;

namespace wiregrad::studio {

/// A value for a person: lists as "3 × 3", numbers without superfluous digits, choices by their
/// label.
QString shownText(const graph::ParamSpec& spec, const graph::ParamValue& value);
/// `start` moved by so many small units, kept inside the range: what scrubbing, arrows and the
/// wheel do. Logarithmic parameters are multiplied. Nothing for kinds that are no numbers, and
/// where nothing changes.
std::optional<graph::ParamValue> nudged(const graph::ParamSpec& spec,
                                        const graph::ParamValue& start, double units);
/// "1 … 1,024 px", or empty when there is no range worth telling.
QString rangeText(const graph::ParamSpec& spec);

/// Edits one value. It goes in with show() and comes out with committed(), already checked.
class ParamEditor : public QWidget {
    Q_OBJECT

  public:
    ParamEditor(const graph::ParamSpec& spec, QWidget* parent);
    const graph::ParamSpec& spec() const { return spec_; }
    /// Nothing: several values, shown as "mixed".
    virtual void show(const std::optional<graph::ParamValue>& value) = 0;
    virtual QWidget* field() const = 0;                     ///< what takes the focus
    virtual void setPlaceholder(const QString& /*text*/) {} ///< shown in an empty line

  signals:
    /// `gesture` is not 0 where several changes are one step (wheel, arrow keys).
    void committed(const wiregrad::graph::ParamValue& value, quint64 gesture);
    void rejected(
        const QString& sentence); ///< what was typed cannot be used, and why; empty: fine again
    void undoRequested();
    void redoRequested();

  protected:
    /// Ctrl+Z belongs to the document, wheel to whoever is focused: to be called for each widget
    /// that takes input.
    void guard(QWidget* widget);
    bool eventFilter(QObject* watched, QEvent* event) override;
    /// Whether something was typed that is not committed; then Ctrl+Z takes that back first.
    virtual bool isPending() const { return false; }
    virtual void revert() {}
    /// Steps by the wheel or an arrow key; false when this kind has no steps.
    virtual bool nudge(double /*units*/) { return false; }
    quint64 gesture(); ///< the same number for nudges that follow each other closely

  private:
    const graph::ParamSpec spec_;
    QElapsedTimer lastNudge_;
    quint64 gesture_ = 0;
};

/// The editor for `spec`. `longText`: several lines.
ParamEditor* makeEditor(const graph::ParamSpec& spec, bool longText, QWidget* parent);

/// A label that is dragged to change a number.
class ScrubLabel : public QLabel {
    Q_OBJECT

  public:
    ScrubLabel(const QString& text, bool scrubs, QWidget* parent = nullptr);

  signals:
    void begun();
    void scrubbed(double units); ///< since begun(); Ctrl counts ten times, Shift a tenth
    void ended(bool cancelled);

  protected:
    void mousePressEvent(QMouseEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void mouseReleaseEvent(QMouseEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;

  private:
    void refresh();
    bool scrubs_, pressed_ = false, moving_ = false;
    double lastX_ = 0, units_ = 0;
};

/// A line edit with a unit behind the number.
class UnitLineEdit : public QLineEdit {
    Q_OBJECT

  public:
    explicit UnitLineEdit(const QString& unit, QWidget* parent = nullptr);

  protected:
    void paintEvent(QPaintEvent* event) override;

  private:
    QString unit_;
};

/// A check box drawn as a switch.
class Switch : public QCheckBox {
    Q_OBJECT

  public:
    explicit Switch(QWidget* parent = nullptr);
    QSize sizeHint() const override;
    QSize minimumSizeHint() const override { return sizeHint(); }

  protected:
    void paintEvent(QPaintEvent* event) override;
    bool hitButton(const QPoint& position) const override;
};

/// Markdown: read as formatted text, edited as source while it has the focus. Never loads anything
/// a text refers to.
class MarkdownEdit : public QTextEdit {
    Q_OBJECT

  public:
    explicit MarkdownEdit(QWidget* parent = nullptr);
    void setSource(const QString& source);
    QString source() const;

  signals:
    void committed(const QString& source);

  protected:
    void focusInEvent(QFocusEvent* event) override;
    void focusOutEvent(QFocusEvent* event) override;
    QVariant loadResource(int type, const QUrl& name) override;

  private:
    void render();
    QString source_;
    bool editing_ = false;
};

} // namespace wiregrad::studio
