#include "ui/properties/editors.h"

#include <QAbstractTextDocumentLayout>
#include <QComboBox>
#include <QDragEnterEvent>
#include <QFileDialog>
#include <QHBoxLayout>
#include <QKeyEvent>
#include <QMenu>
#include <QMimeData>
#include <QMouseEvent>
#include <QPainter>
#include <QPlainTextEdit>
#include <QToolButton>
#include <QUrl>
#include <QWheelEvent>

#include <algorithm>
#include <cmath>

#include "engine/core/error.h"
#include "session/document.h"
#include "ui/panels/format.h"
#include "ui/panels/parts.h"

namespace wiregrad::studio {

using graph::ParamKind;
using graph::ParamSpec;
using graph::ParamValue;

QString shownText(const ParamSpec& spec, const ParamValue& value) {
    if (const auto* list = std::get_if<std::vector<std::int64_t>>(&value)) {
        QStringList parts;
        for (const std::int64_t element : *list) {
            parts << QString::number(element);
        }
        return parts.join(QStringLiteral(" × "));
    }
    if (const auto* text = std::get_if<std::string>(&value)) {
        for (const graph::Choice& choice : spec.choices) {
            if (choice.value == *text) {
                return QString::fromStdString(choice.label);
            }
        }
    }
    return QString::fromStdString(graph::value_text(value));
}

QString rangeText(const ParamSpec& spec) {
    if (spec.kind != ParamKind::Int && spec.kind != ParamKind::Real &&
        spec.kind != ParamKind::IntList) {
        return {};
    }
    const auto number = [&](double value) {
        return spec.kind == ParamKind::Real ? numberText(value)
                                            : countText(static_cast<std::int64_t>(value));
    };
    const QString unit =
        spec.unit.empty() ? QString() : QLatin1Char(' ') + QString::fromStdString(spec.unit);
    const bool low = spec.min > -1e15,
               high = spec.max < 1e6; // beyond that a limit only guards the arithmetic
    if (low && high) {
        return QStringLiteral("%1%2 … %3%4%5")
            .arg(spec.min_excluded ? QStringLiteral("above ") : QString(), number(spec.min),
                 spec.max_excluded ? QStringLiteral("below ") : QString(), number(spec.max), unit);
    }
    if (low) {
        return QStringLiteral("%1 %2%3").arg(spec.min_excluded ? QStringLiteral("more than")
                                                               : QStringLiteral("at least"),
                                             number(spec.min), unit);
    }
    return {};
}

namespace {

/// A step that a person would take from `start`: about a hundredth of a small range, else the
/// second digit.
double stepOf(const ParamSpec& spec, double start) {
    const double range = spec.max - spec.min;
    if (range > 0 && range <= 20) {
        return niceInterval(range, 100);
    }
    return start == 0 ? 0.01 : std::pow(10.0, std::floor(std::log10(std::abs(start))) - 1);
}

double clampTo(const ParamSpec& spec, double value, double step) {
    const double low = spec.min_excluded ? spec.min + step : spec.min;
    const double high = spec.max_excluded ? spec.max - step : spec.max;
    return std::clamp(value, low, std::max(low, high));
}

} // namespace

std::optional<ParamValue> nudged(const ParamSpec& spec, const ParamValue& start, double units) {
    std::optional<ParamValue> result;
    if (const auto* whole = std::get_if<std::int64_t>(&start);
        whole && spec.kind == ParamKind::Int) {
        const double moved =
            spec.logarithmic ? double(std::max<std::int64_t>(1, *whole)) * std::pow(2.0, units / 8)
                             : double(*whole) + units;
        result = static_cast<std::int64_t>(std::llround(clampTo(spec, moved, 1)));
    } else if (const auto* list = std::get_if<std::vector<std::int64_t>>(&start);
               list && spec.kind == ParamKind::IntList) {
        std::vector<std::int64_t> moved = *list;
        for (std::int64_t& element : moved) {
            element = static_cast<std::int64_t>(
                std::llround(clampTo(spec, double(element) + std::round(units), 1)));
        }
        result = std::move(moved);
    } else if (const auto* real = std::get_if<double>(&start);
               real && spec.kind == ParamKind::Real) {
        double moved = 0;
        if (spec.logarithmic) {
            const double from = *real > 0 ? *real : units > 0 ? 1e-6 : 0;
            moved = QString::number(from * std::pow(10.0, units / 25), 'g', 2).toDouble();
            moved = clampTo(spec, moved, 0);
        } else {
            const double step = stepOf(spec, *real);
            // Rounded to the grid of the finest scrub, so that 0.1 + 0.2 is 0.3.
            moved = std::round((*real + units * step) / (step / 10)) * (step / 10);
            moved = QString::number(clampTo(spec, moved, step), 'g', 10).toDouble();
        }
        result = moved;
    }
    if (!result || *result == start || !graph::check_value(spec, *result).empty()) {
        return std::nullopt;
    }
    return result;
}

// --- base

ParamEditor::ParamEditor(const ParamSpec& spec, QWidget* parent) : QWidget(parent), spec_(spec) {}

void ParamEditor::guard(QWidget* widget) {
    widget->installEventFilter(this);
    setFocusProxy(widget);
    const QString label = QString::fromStdString(spec_.label);
    widget->setAccessibleName(label);
    widget->setAccessibleDescription(QString::fromStdString(spec_.help));
}

quint64 ParamEditor::gesture() {
    constexpr qint64 kPauseMs = 700;
    if (gesture_ == 0 || !lastNudge_.isValid() || lastNudge_.elapsed() > kPauseMs) {
        gesture_ = Document::newGesture();
    }
    lastNudge_.restart();
    return gesture_;
}

bool ParamEditor::eventFilter(QObject* watched, QEvent* event) {
    auto* widget = qobject_cast<QWidget*>(watched);
    switch (event->type()) {
    case QEvent::ShortcutOverride: {
        auto* key = static_cast<QKeyEvent*>(event);
        if (key->matches(QKeySequence::Undo) || key->matches(QKeySequence::Redo)) {
            // A focused line edit would claim these. Left alone, the window's action gets them;
            // what was typed and not committed is taken back first, here.
            if (isPending()) {
                event->accept();
            } else {
                event->ignore();
            }
            return true;
        }
        break;
    }
    case QEvent::KeyPress: {
        auto* key = static_cast<QKeyEvent*>(event);
        if (key->matches(QKeySequence::Undo)) {
            if (isPending()) {
                revert();
            } else {
                emit undoRequested();
            }
            return true;
        }
        if (key->matches(QKeySequence::Redo)) {
            emit redoRequested();
            return true;
        }
        if (key->key() == Qt::Key_Escape && isPending()) {
            revert();
            return true;
        }
        if (key->key() == Qt::Key_Up || key->key() == Qt::Key_Down) {
            const double scale = key->modifiers() & Qt::ControlModifier ? 10
                                 : key->modifiers() & Qt::ShiftModifier ? 0.1
                                                                        : 1;
            if (nudge((key->key() == Qt::Key_Up ? 1 : -1) * scale)) {
                return true;
            }
        }
        break;
    }
    case QEvent::Wheel: {
        auto* wheel = static_cast<QWheelEvent*>(event);
        if (widget && !widget->hasFocus()) {
            event->ignore(); // the panel scrolls
            return true;
        }
        const double scale = wheel->modifiers() & Qt::ControlModifier ? 10
                             : wheel->modifiers() & Qt::ShiftModifier ? 0.1
                                                                      : 1;
        // Alt and Shift turn the wheel sideways on some systems.
        const int delta =
            wheel->angleDelta().y() != 0 ? wheel->angleDelta().y() : wheel->angleDelta().x();
        if (delta != 0 && nudge(delta / 120.0 * scale)) {
            event->accept();
            return true;
        }
        break;
    }
    default:
        break;
    }
    return QWidget::eventFilter(watched, event);
}

// --- one line: numbers, lists, text, paths

namespace {

class LineEditor : public ParamEditor {
  public:
    LineEditor(const ParamSpec& spec, QWidget* parent)
        : ParamEditor(spec, parent),
          edit_(new UnitLineEdit(QString::fromStdString(spec.unit), this)) {
        edit_->setObjectName(QStringLiteral("param_%1").arg(QString::fromStdString(spec.id)));
        row_ = new QHBoxLayout(this);
        row_->setContentsMargins(0, 0, 0, 0);
        row_->setSpacing(Theme::instance().space(1));
        row_->addWidget(edit_, 1);
        guard(edit_);
        connect(edit_, &QLineEdit::editingFinished, this, [this] { commit(); });
        connect(edit_, &QLineEdit::textEdited, this, [this] { emit rejected({}); });
    }
    /// A field that goes while the cursor is in it says once more that it was edited.
    ~LineEditor() override { edit_->disconnect(this); }

    QWidget* field() const override { return edit_; }

    void setPlaceholder(const QString& text) override {
        placeholder_ = text;
        edit_->setPlaceholderText(text);
    }

    void show(const std::optional<ParamValue>& value) override {
        if (shownOnce_ && value == value_ && isPending()) {
            return; // somebody is typing, and nothing they see has changed
        }
        shownOnce_ = true;
        value_ = value;
        display_ = value ? shownText(spec(), *value) : QString();
        edit_->setPlaceholderText(value ? placeholder() : QStringLiteral("mixed"));
        edit_->setText(display_);
        if (!edit_->hasFocus()) {
            edit_->setCursorPosition(0); // the beginning of a long text or path
        }
    }

  protected:
    virtual QString placeholder() const { return placeholder_; }

    void commit() {
        if (!isPending()) {
            emit rejected({});
            return;
        }
        QString text = edit_->text();
        if (spec().kind == ParamKind::IntList) {
            text.replace(QChar(0x00D7), QLatin1Char(','));
            text.replace(QLatin1Char('x'), QLatin1Char(','), Qt::CaseInsensitive);
        }
        if (spec().kind == ParamKind::Int || spec().kind == ParamKind::Real) {
            text.replace(QChar(0x2212), QLatin1Char('-')).replace(QChar(0x00D7), QLatin1Char('*'));
        }
        ParamValue value;
        try {
            value = graph::parse_value(spec(), text.toStdString());
        } catch (const Error& error) {
            emit rejected(QString::fromStdString(error.text()));
            return;
        }
        emit rejected({});
        // Shown as committed at once, so that leaving the field does not commit it twice.
        value_ = value;
        display_ = shownText(spec(), value);
        edit_->setText(display_);
        if (edit_->hasFocus()) {
            edit_->selectAll();
        }
        emit committed(value, 0);
    }

    bool isPending() const override { return edit_->text() != display_; }

    void revert() override {
        edit_->setText(display_);
        edit_->selectAll();
        emit rejected({});
    }

    bool nudge(double units) override {
        if (spec().kind != ParamKind::Int && spec().kind != ParamKind::Real &&
            spec().kind != ParamKind::IntList) {
            return false;
        }
        if (isPending()) {
            commit();
        }
        if (!value_ || isPending()) {
            return true; // mixed, or what was typed is refused: nothing to start from
        }
        if (spec().kind != ParamKind::Real) {
            units =
                units > 0 ? std::max(1.0, std::round(units)) : std::min(-1.0, std::round(units));
        }
        if (const auto moved = nudged(spec(), *value_, units)) {
            emit rejected({});
            emit committed(*moved, gesture());
        }
        return true;
    }

    UnitLineEdit* edit_;
    QHBoxLayout* row_ = nullptr;

  private:
    std::optional<ParamValue> value_;
    QString display_;
    bool shownOnce_ = false;
    QString placeholder_;
};

class PathEditor : public LineEditor {
  public:
    PathEditor(const ParamSpec& spec, QWidget* parent) : LineEditor(spec, parent) {
        auto* browse =
            iconButton(QStringLiteral("folder"), QStringLiteral("Choose a file or folder"), this);
        browse->setObjectName(QStringLiteral("browse_%1").arg(QString::fromStdString(spec.id)));
        auto* menu = new QMenu(browse);
        menu->addAction(QStringLiteral("File…"), this, [this] {
            take(
                QFileDialog::getOpenFileName(this, QStringLiteral("Choose a file"), edit_->text()));
        });
        menu->addAction(QStringLiteral("Folder…"), this, [this] {
            take(QFileDialog::getExistingDirectory(this, QStringLiteral("Choose a folder"),
                                                   edit_->text()));
        });
        browse->setMenu(menu);
        browse->setPopupMode(QToolButton::InstantPopup);
        row_->addWidget(browse);
        edit_->setAcceptDrops(true);
    }

  protected:
    QString placeholder() const override { return QStringLiteral("none"); }

    bool eventFilter(QObject* watched, QEvent* event) override {
        if (event->type() == QEvent::DragEnter || event->type() == QEvent::DragMove ||
            event->type() == QEvent::Drop) {
            auto* drop = static_cast<QDropEvent*>(event);
            const QList<QUrl> urls = drop->mimeData()->urls();
            if (!urls.isEmpty() && urls.front().isLocalFile()) {
                drop->acceptProposedAction();
                if (event->type() == QEvent::Drop) {
                    take(urls.front().toLocalFile());
                }
                return true;
            }
        }
        return LineEditor::eventFilter(watched, event);
    }

  private:
    void take(const QString& path) {
        if (!path.isEmpty()) {
            edit_->setText(path);
            commit();
        }
    }
};

// --- the others

class ChoiceEditor : public ParamEditor {
  public:
    ChoiceEditor(const ParamSpec& spec, QWidget* parent)
        : ParamEditor(spec, parent), box_(new QComboBox(this)) {
        box_->setObjectName(QStringLiteral("param_%1").arg(QString::fromStdString(spec.id)));
        box_->setFocusPolicy(Qt::StrongFocus);
        box_->setPlaceholderText(QStringLiteral("mixed"));
        // Long labels must not widen the whole panel.
        box_->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
        box_->setMinimumContentsLength(6);
        for (const graph::Choice& choice : spec.choices) {
            box_->addItem(QString::fromStdString(choice.label),
                          QString::fromStdString(choice.value));
        }
        auto* row = new QHBoxLayout(this);
        row->setContentsMargins(0, 0, 0, 0);
        row->addWidget(box_);
        guard(box_);
        connect(box_, &QComboBox::activated, this, [this](int index) {
            const std::string value = box_->itemData(index).toString().toStdString();
            if (const std::string problem = graph::check_value(this->spec(), value);
                !problem.empty()) {
                emit rejected(
                    QString::fromStdString(problem)); // a foreign value of the file, chosen again
                return;
            }
            emit rejected({});
            emit committed(value, 0);
        });
    }

    QWidget* field() const override { return box_; }

    void show(const std::optional<ParamValue>& value) override {
        const auto* text = value ? std::get_if<std::string>(&*value) : nullptr;
        int index = text ? box_->findData(QString::fromStdString(*text)) : -1;
        if (text && index < 0) { // a file of another version
            box_->addItem(QString::fromStdString(*text) + QStringLiteral(" (unknown)"),
                          QString::fromStdString(*text));
            index = box_->count() - 1;
        }
        box_->setCurrentIndex(index);
    }

  private:
    QComboBox* box_;
};

class BoolEditor : public ParamEditor {
  public:
    BoolEditor(const ParamSpec& spec, QWidget* parent)
        : ParamEditor(spec, parent), box_(new Switch(this)) {
        box_->setObjectName(QStringLiteral("param_%1").arg(QString::fromStdString(spec.id)));
        auto* row = new QHBoxLayout(this);
        row->setContentsMargins(0, 0, 0, 0);
        row->addWidget(box_);
        row->addStretch(1);
        guard(box_);
        connect(box_, &QCheckBox::clicked, this, [this](bool on) {
            box_->setTristate(false);
            emit committed(on, 0);
        });
    }

    QWidget* field() const override { return box_; }

    void show(const std::optional<ParamValue>& value) override {
        const auto* flag = value ? std::get_if<bool>(&*value) : nullptr;
        box_->setTristate(!flag);
        box_->setCheckState(!flag ? Qt::PartiallyChecked : *flag ? Qt::Checked : Qt::Unchecked);
    }

  private:
    Switch* box_;
};

class TextEditor : public ParamEditor {
  public:
    TextEditor(const ParamSpec& spec, QWidget* parent)
        : ParamEditor(spec, parent), edit_(new MarkdownEdit(this)) {
        edit_->setObjectName(QStringLiteral("param_%1").arg(QString::fromStdString(spec.id)));
        auto* row = new QHBoxLayout(this);
        row->setContentsMargins(0, 0, 0, 0);
        row->addWidget(edit_);
        guard(edit_);
        connect(edit_, &MarkdownEdit::committed, this,
                [this](const QString& source) { emit committed(source.toStdString(), 0); });
    }

    QWidget* field() const override { return edit_; }

    void show(const std::optional<ParamValue>& value) override {
        const auto* text = value ? std::get_if<std::string>(&*value) : nullptr;
        const QString source = text ? QString::fromStdString(*text) : QString();
        edit_->setPlaceholderText(value ? QStringLiteral("Write here; Markdown is formatted")
                                        : QStringLiteral("mixed"));
        if (source != shown_ || !edit_->hasFocus()) {
            shown_ = source;
            edit_->setSource(source);
        }
    }

  protected:
    bool isPending() const override { return edit_->hasFocus() && edit_->toPlainText() != shown_; }
    void revert() override { edit_->setSource(shown_); }

  private:
    MarkdownEdit* edit_;
    QString shown_;
};

} // namespace

ParamEditor* makeEditor(const ParamSpec& spec, bool longText, QWidget* parent) {
    switch (spec.kind) {
    case ParamKind::Bool:
        return new BoolEditor(spec, parent);
    case ParamKind::Choice:
        return new ChoiceEditor(spec, parent);
    case ParamKind::Path:
        return new PathEditor(spec, parent);
    case ParamKind::Text:
        if (longText) {
            return new TextEditor(spec, parent);
        }
        break;
    default:
        break;
    }
    return new LineEditor(spec, parent);
}

// --- scrubbing

ScrubLabel::ScrubLabel(const QString& text, bool scrubs, QWidget* parent)
    : QLabel(parent), scrubs_(scrubs) {
    setTextFormat(Qt::PlainText);
    setText(text);
    if (scrubs_) {
        setCursor(Qt::SizeHorCursor);
    }
    refresh();
    connect(&Theme::instance(), &Theme::changed, this, &ScrubLabel::refresh);
}

void ScrubLabel::refresh() {
    setFont(Theme::instance().font());
    QPalette colours = palette();
    colours.setColor(QPalette::WindowText,
                     Theme::instance().color(moving_ ? Token::Accent : Token::TextMuted));
    setPalette(colours);
}

void ScrubLabel::mousePressEvent(QMouseEvent* event) {
    if (!scrubs_ || event->button() != Qt::LeftButton) {
        event->ignore();
        return;
    }
    pressed_ = true;
    units_ = 0;
    lastX_ = event->globalPosition().x();
}

void ScrubLabel::mouseMoveEvent(QMouseEvent* event) {
    if (!pressed_) {
        return;
    }
    constexpr double kPixelsPerUnit = 4, kThreshold = 3;
    const double dx = event->globalPosition().x() - lastX_;
    if (!moving_) {
        if (std::abs(dx) < kThreshold) {
            return;
        }
        moving_ = true;
        refresh();
        grabKeyboard(); // Esc gives the gesture up, wherever the focus is
        emit begun();
    }
    const double scale = event->modifiers() & Qt::ControlModifier ? 10
                         : event->modifiers() & Qt::ShiftModifier ? 0.1
                                                                  : 1;
    lastX_ = event->globalPosition().x();
    units_ += dx / kPixelsPerUnit * scale;
    emit scrubbed(units_);
}

void ScrubLabel::mouseReleaseEvent(QMouseEvent*) {
    pressed_ = false;
    if (moving_) {
        moving_ = false;
        releaseKeyboard();
        refresh();
        emit ended(false);
    }
}

void ScrubLabel::keyPressEvent(QKeyEvent* event) {
    if (moving_ && event->key() == Qt::Key_Escape) {
        pressed_ = moving_ = false;
        releaseKeyboard();
        refresh();
        emit ended(true);
    }
}

// --- small widgets

UnitLineEdit::UnitLineEdit(const QString& unit, QWidget* parent) : QLineEdit(parent), unit_(unit) {
    setTextMargins(Theme::instance().space(1), 0, 0, 0);
    if (!unit_.isEmpty()) {
        setTextMargins(Theme::instance().space(1), 0,
                       fontMetrics().horizontalAdvance(unit_) + Theme::instance().space(2), 0);
    }
}

void UnitLineEdit::paintEvent(QPaintEvent* event) {
    QLineEdit::paintEvent(event);
    if (!unit_.isEmpty() && !text().isEmpty()) {
        QPainter painter(this);
        painter.setPen(Theme::instance().color(Token::TextMuted));
        painter.drawText(rect().adjusted(0, 0, -Theme::instance().space(2), 0),
                         Qt::AlignRight | Qt::AlignVCenter, unit_);
    }
}

Switch::Switch(QWidget* parent) : QCheckBox(parent) {
    setCursor(Qt::PointingHandCursor);
}

QSize Switch::sizeHint() const {
    const int height = Theme::instance().space(5);
    return {height * 9 / 5, height + 2};
}

bool Switch::hitButton(const QPoint& position) const {
    return rect().contains(position);
}

void Switch::paintEvent(QPaintEvent*) {
    const Theme& theme = Theme::instance();
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setOpacity(isEnabled() ? 1 : 0.5);
    QRectF track(0, 0, sizeHint().width() - 2, sizeHint().height() - 4);
    track.moveCenter(QPointF(sizeHint().width() / 2.0, height() / 2.0));
    const double radius = track.height() / 2;
    const bool on = checkState() == Qt::Checked;
    if (hasFocus()) {
        painter.setPen(QPen(theme.color(Token::Accent), 1.5));
        painter.setBrush(Qt::NoBrush);
        painter.drawRoundedRect(track.adjusted(-1, -1, 1, 1), radius + 1, radius + 1);
        track.adjust(1.5, 1.5, -1.5, -1.5);
    }
    const double round = track.height() / 2;
    painter.setPen(on ? QPen(Qt::NoPen) : QPen(theme.color(Token::TextMuted), 1));
    painter.setBrush(on ? theme.color(Token::Accent) : theme.color(Token::PanelRaised));
    painter.drawRoundedRect(track.adjusted(0.5, 0.5, -0.5, -0.5), round, round);
    const double knob = track.height() - 6;
    QRectF dot(0, 0, knob, knob);
    dot.moveCenter(track.center());
    if (checkState() != Qt::PartiallyChecked) {
        dot.moveLeft(on ? track.right() - 3 - knob : track.left() + 3);
    } else {
        dot = QRectF(track.center().x() - knob / 2, track.center().y() - 1.5, knob,
                     3); // neither: a dash
    }
    painter.setPen(Qt::NoPen);
    painter.setBrush(on ? theme.color(Token::AccentText) : theme.color(Token::TextMuted));
    painter.drawRoundedRect(dot, dot.height() / 2, dot.height() / 2);
}

MarkdownEdit::MarkdownEdit(QWidget* parent) : QTextEdit(parent) {
    setAcceptRichText(false);
    setTabChangesFocus(true);
    setVerticalScrollBarPolicy(Qt::ScrollBarAsNeeded);
    document()->setIndentWidth(Theme::instance().space(4));
    // As tall as its text, between three lines and half a panel.
    connect(document()->documentLayout(), &QAbstractTextDocumentLayout::documentSizeChanged, this,
            [this](QSizeF size) {
                const Theme& theme = Theme::instance();
                setFixedHeight(std::clamp(static_cast<int>(size.height()) + theme.space(2),
                                          theme.space(16), theme.space(60)));
            });
    connect(&Theme::instance(), &Theme::changed, this, [this] {
        if (!editing_) {
            render();
        }
    });
}

QString MarkdownEdit::source() const {
    return editing_ ? toPlainText() : source_;
}

void MarkdownEdit::setSource(const QString& source) {
    source_ = source;
    if (editing_) {
        setPlainText(source_);
    } else {
        render();
    }
}

void MarkdownEdit::render() {
    document()->setMarkdown(source_,
                            QTextDocument::MarkdownFeatures(QTextDocument::MarkdownDialectGitHub |
                                                            QTextDocument::MarkdownNoHTML));
}

void MarkdownEdit::focusInEvent(QFocusEvent* event) {
    if (!editing_) {
        editing_ = true;
        document()->clear();
        setCurrentCharFormat({});
        setPlainText(source_);
        moveCursor(QTextCursor::End);
    }
    QTextEdit::focusInEvent(event);
}

void MarkdownEdit::focusOutEvent(QFocusEvent* event) {
    QTextEdit::focusOutEvent(event);
    if (event->reason() == Qt::PopupFocusReason || !editing_) {
        return; // the context menu
    }
    editing_ = false;
    const QString text = toPlainText();
    if (text != source_) {
        source_ = text;
        emit committed(source_);
    }
    render();
}

QVariant MarkdownEdit::loadResource(int, const QUrl&) {
    return {};
}

} // namespace wiregrad::studio
