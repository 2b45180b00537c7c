#include "ui/properties/field_row.h"

#include <QEvent>
#include <QHBoxLayout>
#include <QRegularExpression>
#include <QToolButton>
#include <QVBoxLayout>

#include <cmath>

#include "ui/panels/parts.h"

namespace wiregrad::studio {

namespace {

bool scrubs(const graph::ParamSpec& spec) {
    return spec.kind == graph::ParamKind::Int || spec.kind == graph::ParamKind::Real ||
           spec.kind == graph::ParamKind::IntList;
}

} // namespace

FieldRow::FieldRow(Sheet& sheet, Field field, int labelWidth, QWidget* parent)
    : QWidget(parent), sheet_(sheet), field_(std::move(field)) {
    const Theme& theme = Theme::instance();
    const QString name = QString::fromStdString(field_.spec.label),
                  help = QString::fromStdString(field_.spec.help);
    setObjectName(QStringLiteral("row_%1").arg(QString::fromStdString(field_.spec.id)));

    label_ = new ScrubLabel(name, scrubs(field_.spec), this);
    label_->setObjectName(QStringLiteral("label_%1").arg(QString::fromStdString(field_.spec.id)));
    editor_ = makeEditor(field_.spec, field_.longText, this);
    reset_ = iconButton(QStringLiteral("reset"), {}, this);
    reset_->setObjectName(QStringLiteral("reset_%1").arg(QString::fromStdString(field_.spec.id)));
    const QString standard = shownText(field_.spec, field_.spec.standard);
    reset_->setToolTip(
        QStringLiteral("Back to the default%1")
            .arg(standard.isEmpty() ? QString() : QStringLiteral(" (%1)").arg(standard)));
    reset_->setAccessibleName(QStringLiteral("Reset %1").arg(name));
    reset_->setFocusPolicy(Qt::NoFocus);
    QSizePolicy kept = reset_->sizePolicy();
    kept.setRetainSizeWhenHidden(true); // editors keep one right edge
    reset_->setSizePolicy(kept);
    message_ = new TextLabel({}, Token::Error, 0.92, QFont::Normal, this);
    message_->setObjectName(
        QStringLiteral("message_%1").arg(QString::fromStdString(field_.spec.id)));
    message_->setWordWrap(true);
    message_->hide();

    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(theme.space(1));
    auto* under = new QHBoxLayout;
    if (field_.longText) {
        column->addWidget(label_);
        column->addWidget(editor_);
        reset_->hide();
    } else {
        auto* line = new QHBoxLayout;
        line->setSpacing(theme.space(2));
        label_->setFixedWidth(labelWidth);
        label_->setWordWrap(true);
        line->addWidget(label_);
        line->addWidget(editor_, 1);
        line->addWidget(reset_);
        column->addLayout(line);
        under->addSpacing(labelWidth + theme.space(2));
    }
    under->addWidget(message_, 1);
    column->addLayout(under);
    label_->setToolTip(help);
    label_->setBuddy(editor_->field());
    editor_->field()->setToolTip(help);
    editor_->field()->installEventFilter(this);

    connect(editor_, &ParamEditor::committed, this,
            [this](const graph::ParamValue& next, quint64 gesture) { apply(next, gesture); });
    connect(editor_, &ParamEditor::rejected, this,
            [this](const QString& sentence) { setMessage(sentence); });
    connect(editor_, &ParamEditor::undoRequested, this, [this] { sheet_.document().undo(); });
    connect(editor_, &ParamEditor::redoRequested, this, [this] { sheet_.document().redo(); });
    connect(reset_, &QToolButton::clicked, this, [this] { apply(field_.spec.standard, 0); });
    connect(label_, &ScrubLabel::begun, this, [this] {
        scrubStart_ = value();
        scrubGesture_ = Document::newGesture();
    });
    connect(label_, &ScrubLabel::scrubbed, this, [this](double units) {
        if (!scrubStart_) {
            return; // mixed values have no common start
        }
        const auto moved = nudged(field_.spec, *scrubStart_, units);
        if (moved) {
            apply(*moved, scrubGesture_);
        } else if (std::abs(units) < 1) {
            apply(*scrubStart_, scrubGesture_); // back where it began
        }
    });
    connect(label_, &ScrubLabel::ended, this, [this](bool cancelled) {
        if (cancelled && scrubStart_) {
            apply(*scrubStart_, scrubGesture_);
        }
        scrubStart_.reset();
    });
    refresh();
}

std::optional<graph::ParamValue> FieldRow::value() const {
    const std::vector<graph::ParamValue> values = field_.read();
    if (values.empty()) {
        return std::nullopt;
    }
    for (const graph::ParamValue& each : values) {
        if (each != values.front()) {
            return std::nullopt;
        }
    }
    return values.front();
}

void FieldRow::apply(const graph::ParamValue& next, quint64 gesture) {
    if (value() == next) { // no step for no change
        setMessage({});
        editor_->show(next);
        return;
    }
    if (sheet_.apply(field_.write(next), gesture)) {
        setMessage({});
    } else {
        setMessage(sheet_.lastError());
        editor_->show(value());
    }
}

void FieldRow::setMessage(const QString& text) {
    // The engine names the parameter by its id ("kernel_size[0] must be ..."); here it has a label.
    QString sentence = text;
    static const QRegularExpression index(QStringLiteral("^\\[\\d+\\]"));
    const QString id = QString::fromStdString(field_.spec.id);
    if (sentence.startsWith(id)) {
        sentence =
            QString::fromStdString(field_.spec.label) + sentence.mid(id.size()).remove(index);
    }
    message_->setText(sentence);
    message_->setVisible(!sentence.isEmpty());
}

QString FieldRow::message() const {
    return message_->isVisibleTo(this) ? message_->text() : QString();
}

void FieldRow::refresh() {
    setVisible(!field_.visible || field_.visible());
    const std::optional<graph::ParamValue> now = value();
    editor_->show(now);
    reset_->setVisible(field_.resets && !field_.longText && now != field_.spec.standard);
}

void FieldRow::setLocked(bool locked) {
    const bool on = !(locked && field_.lockedInRun);
    editor_->setEnabled(on);
    label_->setEnabled(on);
    reset_->setEnabled(on);
}

bool FieldRow::eventFilter(QObject* watched, QEvent* event) {
    if (event->type() == QEvent::FocusIn) {
        emit explained(this);
    }
    return QWidget::eventFilter(watched, event);
}

void FieldRow::enterEvent(QEnterEvent*) {
    emit explained(this);
}

} // namespace wiregrad::studio
