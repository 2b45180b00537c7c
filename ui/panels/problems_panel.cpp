#include "ui/panels/problems_panel.h"

#include <QHBoxLayout>
#include <QKeyEvent>
#include <QPainter>
#include <QPushButton>
#include <QScrollArea>
#include <QStackedLayout>
#include <QVBoxLayout>

#include <algorithm>

#include "ui/panels/format.h"
#include "ui/panels/parts.h"

namespace wiregrad::studio {

namespace {

/// A broken file may have thousands of problems; nobody reads more than this.
constexpr std::size_t kShownProblems = 200;

struct SeverityLook {
    const char* icon;
    Token colour;
    const char* word;
};

SeverityLook lookOf(graph::Severity severity) {
    switch (severity) {
    case graph::Severity::Error:
        return {"error", Token::Error, "Error"};
    case graph::Severity::Warning:
        return {"warning", Token::Warning, "Warning"};
    case graph::Severity::Info:
        break;
    }
    return {"info", Token::Info, "Note"};
}

} // namespace

// --- one row

ProblemRow::ProblemRow(const graph::Problem& problem, const QString& place, QWidget* parent)
    : QFrame(parent) {
    const Theme& theme = Theme::instance();
    const SeverityLook look = lookOf(problem.severity);
    setFocusPolicy(Qt::StrongFocus);
    setCursor(place.isEmpty() ? Qt::ArrowCursor : Qt::PointingHandCursor);
    const QString sentence = QString::fromStdString(problem.text);
    setAccessibleName(QStringLiteral("%1: %2").arg(QString::fromLatin1(look.word), sentence));
    setAccessibleDescription(place);

    auto* row = new QHBoxLayout(this);
    row->setContentsMargins(theme.space(2), theme.space(2), theme.space(2), theme.space(2));
    row->setSpacing(theme.space(2));
    auto* icon = new IconLabel(QString::fromLatin1(look.icon), look.colour, theme.space(4), this);
    row->addWidget(icon, 0, Qt::AlignTop);

    auto* column = new QVBoxLayout;
    column->setSpacing(theme.space(1));
    row->addLayout(column, 1);
    auto* text = new TextLabel(sentence, Token::Text, 1.0, QFont::Normal, this);
    text->setWordWrap(true);
    column->addWidget(text);
    if (!place.isEmpty()) {
        column->addWidget(new TextLabel(place, Token::TextMuted, 0.92, QFont::Normal, this));
    }
    if (!problem.fixes.empty()) {
        // One button a line: the labels are short sentences, and the panel may be narrow.
        auto* buttons = new QVBoxLayout;
        buttons->setContentsMargins(0, theme.space(1), 0, 0);
        buttons->setSpacing(theme.space(1));
        column->addLayout(buttons);
        for (std::size_t at = 0; at < problem.fixes.size(); ++at) {
            auto* button = new QPushButton(QString::fromStdString(problem.fixes[at].label), this);
            button->setObjectName(QStringLiteral("fix%1").arg(at));
            button->setToolTip(QStringLiteral("Repairs this problem; one undo step"));
            button->setCursor(Qt::ArrowCursor);
            button->setMinimumWidth(button->sizeHint().width() + theme.space(3));
            connect(button, &QPushButton::clicked, this,
                    [this, at] { emit fixChosen(static_cast<int>(at)); });
            buttons->addWidget(button, 0, Qt::AlignLeft);
            fixes_.push_back(button);
        }
    }
}

void ProblemRow::mousePressEvent(QMouseEvent* event) {
    pressed_ = event->button() == Qt::LeftButton;
}

void ProblemRow::mouseReleaseEvent(QMouseEvent* event) {
    if (pressed_ && event->button() == Qt::LeftButton &&
        rect().contains(event->position().toPoint())) {
        emit activated();
    }
    pressed_ = false;
}

void ProblemRow::keyPressEvent(QKeyEvent* event) {
    switch (event->key()) {
    case Qt::Key_Return:
    case Qt::Key_Enter:
    case Qt::Key_Space:
        emit activated();
        return;
    case Qt::Key_Down:
        focusNextPrevChild(true);
        return;
    case Qt::Key_Up:
        focusNextPrevChild(false);
        return;
    default:
        QFrame::keyPressEvent(event);
    }
}

void ProblemRow::enterEvent(QEnterEvent*) {
    update();
}

void ProblemRow::leaveEvent(QEvent*) {
    update();
}

void ProblemRow::paintEvent(QPaintEvent*) {
    const Theme& theme = Theme::instance();
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    const QRectF box = QRectF(rect()).adjusted(0.5, 0.5, -0.5, -0.5);
    if (hasFocus() || underMouse()) {
        painter.setPen(hasFocus() ? QPen(theme.color(Token::Accent), 1) : QPen(Qt::NoPen));
        painter.setBrush(underMouse() ? theme.color(Token::PanelRaised) : QColor(Qt::transparent));
        painter.drawRoundedRect(box, 4, 4);
    }
}

QString placeText(const graph::Graph& graph, const graph::Problem& problem) {
    if (problem.node.empty()) {
        return {};
    }
    const graph::Node* node = graph.node(problem.node);
    const graph::NodeType* type = node ? graph::find_type(node->type) : nullptr;
    QStringList parts;
    if (node && !node->name.empty()) {
        parts << QString::fromStdString(node->name);
    } else if (type) {
        parts << QString::fromStdString(type->label);
    }
    const QString id = QString::fromStdString(problem.node);
    if (parts.isEmpty()) {
        parts << id;
    } else {
        parts.last() += QStringLiteral(" (%1)").arg(id);
    }
    if (!problem.param.empty()) {
        const graph::ParamSpec* spec = type ? type->param(problem.param) : nullptr;
        parts << QString::fromStdString(spec ? spec->label : problem.param);
    } else if (!problem.port.empty()) {
        const graph::PortSpec* port = type ? type->input(problem.port) : nullptr;
        if (port) {
            parts << QStringLiteral("input %1").arg(QString::fromStdString(port->label));
        } else {
            port = type ? type->output(problem.port) : nullptr;
            parts << QStringLiteral("output %1")
                         .arg(QString::fromStdString(port ? port->label : problem.port));
        }
    }
    return parts.join(QStringLiteral("  ·  "));
}

// --- the panel

struct ProblemsPanel::Impl {
    Impl(Document& doc, ProblemsPanel* panel) : document(doc), q(panel) {}

    Document& document;
    ProblemsPanel* q;
    QStackedLayout* pages = nullptr;
    QScrollArea* scroll = nullptr;
    EmptyState* empty = nullptr;
    std::vector<ProblemRow*> rows;
    int errors = -1, warnings = -1;
    QString shown; ///< what the rows were made of: rebuilt only when it changes, so that focus and
                   ///< scroll stay

    void refresh();
};

void ProblemsPanel::Impl::refresh() {
    const graph::Graph& graph = document.graph();
    std::vector<graph::Problem> problems = document.analysis().problems;
    std::stable_sort(problems.begin(), problems.end(),
                     [](const auto& a, const auto& b) { return a.severity > b.severity; });
    int nowErrors = 0, nowWarnings = 0;
    QString key;
    for (const graph::Problem& problem : problems) {
        nowErrors += problem.severity == graph::Severity::Error;
        nowWarnings += problem.severity == graph::Severity::Warning;
        key += QStringLiteral("%1\x1f%2\x1f%3")
                   .arg(int(problem.severity))
                   .arg(QString::fromStdString(problem.text), placeText(graph, problem));
        for (const graph::Fix& fix : problem.fixes) {
            key += QChar(0x1f) + QString::fromStdString(fix.label);
        }
        key += QChar(0x1e);
    }
    const bool noNodes = graph.nodes().empty();
    empty->setIcon(noNodes ? QStringLiteral("info") : QStringLiteral("success"));
    if (noNodes) {
        empty->setTexts(
            QStringLiteral("Nothing to check yet"),
            QStringLiteral(
                "Add nodes from the palette, or open an example. What does not fit is listed "
                "here in words, with repairs to choose from."));
    } else {
        empty->setTexts(QStringLiteral("No problems"),
                        QStringLiteral("Every shape fits. Press Run to train this network."));
    }
    pages->setCurrentIndex(problems.empty() ? 0 : 1);
    if (key != shown) {
        shown = key;
        const Theme& theme = Theme::instance();
        auto* content = new QWidget;
        auto* column = new QVBoxLayout(content);
        column->setContentsMargins(theme.space(1), theme.space(1), theme.space(1), theme.space(1));
        column->setSpacing(0);
        rows.clear();
        for (std::size_t at = 0; at < std::min(problems.size(), kShownProblems); ++at) {
            const graph::Problem& problem = problems[at];
            auto* row = new ProblemRow(problem, placeText(graph, problem), content);
            connect(row, &ProblemRow::activated, q,
                    [this, node = QString::fromStdString(problem.node),
                     port = QString::fromStdString(problem.port)] {
                        if (!node.isEmpty()) {
                            emit q->activated(node, port);
                        }
                    });
            // The fix is a copy: the analysis may change under the row. Queued, because applying it
            // rebuilds the rows.
            connect(
                row, &ProblemRow::fixChosen, q,
                [this, fixes = problem.fixes](int index) {
                    document.apply(fixes.at(static_cast<std::size_t>(index)).edit);
                },
                Qt::QueuedConnection);
            column->addWidget(row);
            rows.push_back(row);
        }
        if (problems.size() > kShownProblems) {
            auto* more =
                new TextLabel(QStringLiteral("and %1 more")
                                  .arg(countText(std::int64_t(problems.size() - kShownProblems))),
                              Token::TextMuted, 0.92, QFont::Normal, content);
            more->setContentsMargins(theme.space(8), theme.space(2), 0, theme.space(2));
            column->addWidget(more);
        }
        column->addStretch(1);
        scroll->setWidget(content); // deletes the one before
    }
    if (nowErrors != errors || nowWarnings != warnings) {
        errors = nowErrors;
        warnings = nowWarnings;
        emit q->countChanged(errors, warnings);
    }
}

ProblemsPanel::ProblemsPanel(Document& document, QWidget* parent)
    : QWidget(parent), d(std::make_unique<Impl>(document, this)) {
    setObjectName(QStringLiteral("problemsPanel"));
    setBackground(this, Token::Panel);
    d->pages = new QStackedLayout(this);
    d->empty = new EmptyState(QStringLiteral("success"), {}, {}, this);
    d->scroll = new QScrollArea(this);
    d->scroll->setFrameShape(QFrame::NoFrame);
    d->scroll->setWidgetResizable(true);
    d->scroll->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    setBackground(d->scroll->viewport(), Token::Panel);
    d->pages->addWidget(d->empty);
    d->pages->addWidget(d->scroll);
    connect(&document, &Document::analysed, this, [this] { d->refresh(); });
    // Names are shown in the places, and a rename changes no shape.
    connect(&document, &Document::changed, this, [this](const graph::ChangeSet& changes) {
        if (!changes.structural()) {
            return;
        }
        QMetaObject::invokeMethod(
            this, [this] { d->refresh(); }, Qt::QueuedConnection);
    });
    d->refresh();
}

ProblemsPanel::~ProblemsPanel() = default;

int ProblemsPanel::errors() const {
    return d->errors;
}

int ProblemsPanel::warnings() const {
    return d->warnings;
}

std::vector<ProblemRow*> ProblemsPanel::rows() const {
    return d->rows;
}

} // namespace wiregrad::studio
