#include "ui/panels/log_panel.h"

#include <QClipboard>
#include <QGuiApplication>
#include <QHBoxLayout>
#include <QPlainTextEdit>
#include <QScrollBar>
#include <QStackedLayout>
#include <QTextCursor>
#include <QTime>
#include <QVBoxLayout>

#include "ui/panels/parts.h"

namespace wiregrad::studio {

namespace {
constexpr int kKeptLines = 5000;
}

struct LogPanel::Impl {
    QStackedLayout* pages = nullptr;
    QPlainTextEdit* view = nullptr;
};

LogPanel::LogPanel(TrainSession& session, QWidget* parent)
    : QWidget(parent), d(std::make_unique<Impl>()) {
    setObjectName(QStringLiteral("logPanel"));
    setBackground(this, Token::Panel);
    const Theme& theme = Theme::instance();
    d->pages = new QStackedLayout(this);
    d->pages->addWidget(new EmptyState(
        QStringLiteral("log"), QStringLiteral("Nothing happened yet"),
        QStringLiteral("Runs, saved files and failures are noted here with the time."), this));

    auto* page = new QWidget(this);
    auto* column = new QVBoxLayout(page);
    column->setContentsMargins(theme.space(2), 0, 0, 0);
    column->setSpacing(0);
    auto* bar = new QHBoxLayout;
    bar->setContentsMargins(theme.space(1), theme.space(1), theme.space(1), 0);
    bar->addStretch(1);
    QToolButton* copy =
        iconButton(QStringLiteral("copy"), QStringLiteral("Copy the whole log"), page);
    QToolButton* empty =
        iconButton(QStringLiteral("delete"), QStringLiteral("Empty the log"), page);
    copy->setObjectName(QStringLiteral("logCopy"));
    empty->setObjectName(QStringLiteral("logClear"));
    bar->addWidget(copy);
    bar->addWidget(empty);
    d->view = new QPlainTextEdit(page);
    d->view->setObjectName(QStringLiteral("logView"));
    d->view->setReadOnly(true);
    d->view->setUndoRedoEnabled(false);
    d->view->setMaximumBlockCount(kKeptLines);
    d->view->setFrameShape(QFrame::NoFrame);
    d->view->setAccessibleName(QStringLiteral("Log"));
    setBackground(d->view->viewport(), Token::Panel);
    column->addLayout(bar);
    column->addWidget(d->view, 1);
    d->pages->addWidget(page);

    const auto restyle = [this] {
        QPalette colours = d->view->palette();
        colours.setColor(QPalette::Base, Theme::instance().color(Token::Panel));
        d->view->setPalette(colours);
        d->view->setFont(Theme::instance().monospace(0.95));
    };
    restyle();
    connect(&Theme::instance(), &Theme::changed, this, restyle);
    connect(copy, &QToolButton::clicked, this, &LogPanel::copyAll);
    connect(empty, &QToolButton::clicked, this, &LogPanel::clear);
    connect(&session, &TrainSession::logged, this, &LogPanel::append);
}

LogPanel::~LogPanel() = default;

void LogPanel::append(const QString& line) {
    d->pages->setCurrentIndex(1);
    QScrollBar* bar = d->view->verticalScrollBar();
    const bool atEnd =
        bar->value() >= bar->maximum(); // somebody who scrolled up is reading: stay there
    const int before = bar->value();
    QTextCursor cursor(d->view->document());
    cursor.movePosition(QTextCursor::End);
    if (!d->view->document()->isEmpty()) {
        cursor.insertBlock();
    }
    QString sentence = line;
    sentence.replace(QLatin1Char('\n'), QLatin1Char(' '));
    cursor.insertText(QTime::currentTime().toString(QStringLiteral("HH:mm:ss")) +
                      QStringLiteral("  ") + sentence);
    bar->setValue(atEnd ? bar->maximum() : before);
}

QString LogPanel::text() const {
    return d->view->toPlainText();
}

void LogPanel::copyAll() const {
    QGuiApplication::clipboard()->setText(text());
}

void LogPanel::clear() {
    d->view->clear();
    d->pages->setCurrentIndex(0);
}

} // namespace wiregrad::studio
