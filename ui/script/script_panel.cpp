#include "ui/script/script_panel.h"

#include <QClipboard>
#include <QComboBox>
#include <QFileDialog>
#include <QFileInfo>
#include <QGuiApplication>
#include <QHBoxLayout>
#include <QPushButton>
#include <QStackedLayout>
#include <QStandardPaths>
#include <QTimer>
#include <QVBoxLayout>

#include "nodes/export/export.h"
#include "nodes/export/names.h"
#include "nodes/flatten.h"
#include "session/settings.h"
#include "ui/panels/parts.h"
#include "ui/script/exporter.h"
#include "ui/script/source_view.h"

namespace wiregrad::studio {

namespace {

constexpr int kRestMs = 150; ///< after the last change, before a source is made
const QString kTargetKey = QStringLiteral("script/target");

/// "block.0.lin" -> "block/lin": repetitions are one place.
std::string place_key(const std::string& path) {
    const graph::FlatPlace place = graph::place_of(path);
    std::string key;
    for (const std::string& group : place.groups)
        key += group + "/";
    return key + place.node;
}

QString offered(const Document& document, const graph::ExportTarget& target) {
    QString stem = QFileInfo(document.path()).completeBaseName();
    if (stem.isEmpty()) stem = QString::fromStdString(graph::identifier(document.graph().title()));
    if (stem.isEmpty()) stem = QStringLiteral("network");
    const QString folder =
        Settings::value(QStringLiteral("folder"),
                        QStandardPaths::writableLocation(QStandardPaths::DocumentsLocation));
    return folder + QLatin1Char('/') + stem + QString::fromLatin1(target.extension);
}

} // namespace

struct ScriptPanel::Impl {
    Impl(Document& doc, Sheet& level, ScriptPanel* panel) : document(doc), sheet(level), q(panel) {}

    Document& document;
    Sheet& sheet;
    ScriptPanel* q;
    Exporter exporter;
    QTimer rest;
    QComboBox* targets = nullptr;
    QStackedLayout* pages = nullptr;
    EmptyState* empty = nullptr;
    SourceView* view = nullptr;
    QWidget* trouble = nullptr;
    TextLabel* troubleText = nullptr;
    QPushButton* troubleShow = nullptr;
    QToolButton* copyButton = nullptr;
    QToolButton* saveButton = nullptr;
    QString troubleNode;
    std::vector<std::string> nodes; ///< one a line: the node it speaks of
    std::set<std::string> chosen;   ///< keys of the selected places
    double milliseconds = 0;
    bool stale = true;
    bool fromHere = false; ///< the selection is what a click here asked for

    void changed() {
        stale = true;
        if (q->isVisible()) rest.start();
    }
    void ask() {
        rest.stop();
        stale = false;
        if (document.graph().nodes().empty()) return nothing();
        exporter.preview(document.graph(), q->target());
    }
    void nothing() {
        nodes.clear();
        view->setSource({}, {}, SourceHighlighter::Language::Python);
        empty->setTexts(
            tr("Nothing wired yet"),
            tr("The network appears here as %1 while you wire it.").arg(targets->currentText()));
        pages->setCurrentIndex(0);
        enable(false);
        emit q->previewed();
    }
    void enable(bool on) {
        copyButton->setEnabled(on);
        saveButton->setEnabled(on && troubleText->text().isEmpty());
    }
    void say(const QString& sentence, const QString& node) {
        troubleText->setText(sentence);
        troubleNode = node;
        trouble->setVisible(!sentence.isEmpty());
        troubleShow->setVisible(!node.isEmpty());
    }
    void take(const ScriptPreview& preview) {
        if (preview.target != q->target()) return; // an older wish
        milliseconds = preview.milliseconds;
        if (!preview.error.isEmpty()) {
            if (view->toPlainText().isEmpty()) {
                empty->setTexts(tr("Not finished yet"), preview.error);
                pages->setCurrentIndex(0);
            }
            say(preview.error, preview.node);
            enable(!view->toPlainText().isEmpty());
            emit q->previewed();
            return;
        }
        say({}, {});
        nodes = preview.source.nodes();
        QStringList lines;
        std::vector<QColor> stripes(nodes.size());
        const graph::Flat flat = graph::flatten(document.graph());
        for (std::size_t i = 0; i < nodes.size(); ++i) {
            lines.append(QString::fromStdString(preview.source.lines()[i]));
            const graph::Node* node = flat.graph->node(nodes[i]);
            const graph::NodeType* type = node ? graph::find_type(node->type) : nullptr;
            if (type)
                stripes[i] = Theme::instance().category(QString::fromStdString(type->category));
            else if (!nodes[i].empty()) // a group as a whole
                stripes[i] = Theme::instance().category(QStringLiteral("Groups"));
        }
        view->setSource(lines, std::move(stripes),
                        preview.target == QLatin1String("cpp")
                            ? SourceHighlighter::Language::Cpp
                            : SourceHighlighter::Language::Python);
        pages->setCurrentIndex(1);
        enable(true);
        mark(false);
        emit q->previewed();
    }
    void mark(bool scroll) {
        std::vector<int> lines;
        for (std::size_t i = 0; i < nodes.size(); ++i) {
            if (nodes[i].empty()) continue;
            const std::string key = place_key(nodes[i]);
            for (const std::string& one : chosen)
                if (key == one ||
                    (key.size() > one.size() && key.starts_with(one) && key[one.size()] == '/')) {
                    lines.push_back(int(i));
                    break;
                }
        }
        view->mark(lines, scroll);
    }
};

ScriptPanel::ScriptPanel(Document& document, Sheet& sheet, QWidget* parent)
    : QWidget(parent), d(std::make_unique<Impl>(document, sheet, this)) {
    const Theme& theme = Theme::instance();
    setObjectName(QStringLiteral("scriptPanel"));
    setBackground(this, Token::Panel);
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(0);

    auto* bar = new QHBoxLayout;
    bar->setContentsMargins(theme.space(2), theme.space(1), theme.space(2), theme.space(1));
    d->targets = new QComboBox(this);
    d->targets->setObjectName(QStringLiteral("script.target"));
    d->targets->setAccessibleName(tr("Language of the source"));
    for (const graph::ExportTarget& target : graph::export_targets())
        if (target.preview)
            d->targets->addItem(QString::fromLatin1(target.label), QString::fromLatin1(target.id));
    d->copyButton = iconButton(QStringLiteral("copy"), tr("Copy the whole source"), this);
    d->copyButton->setObjectName(QStringLiteral("script.copy"));
    d->saveButton = iconButton(QStringLiteral("save"),
                               tr("Save it with weights, samples and the proof beside it"), this);
    d->saveButton->setObjectName(QStringLiteral("script.save"));
    bar->addWidget(d->targets);
    bar->addStretch(1);
    bar->addWidget(d->copyButton);
    bar->addWidget(d->saveButton);
    column->addLayout(bar);

    d->trouble = new QWidget(this);
    setBackground(d->trouble, Token::PanelRaised);
    auto* row = new QHBoxLayout(d->trouble);
    row->setContentsMargins(theme.space(2), theme.space(1), theme.space(2), theme.space(1));
    row->addWidget(
        new IconLabel(QStringLiteral("warning"), Token::Warning, theme.space(4), d->trouble));
    d->troubleText = new TextLabel({}, Token::Text, 1.0, QFont::Normal, d->trouble);
    d->troubleText->setObjectName(QStringLiteral("script.problem"));
    d->troubleText->setWordWrap(true);
    row->addWidget(d->troubleText, 1);
    d->troubleShow = new QPushButton(tr("Show it"), d->trouble);
    d->troubleShow->setObjectName(QStringLiteral("script.showProblem"));
    row->addWidget(d->troubleShow);
    d->trouble->hide();
    column->addWidget(d->trouble);

    auto* content = new QWidget(this);
    d->pages = new QStackedLayout(content);
    d->empty = new EmptyState(QStringLiteral("file"), {}, {}, content);
    d->view = new SourceView(content);
    d->pages->addWidget(d->empty);
    d->pages->addWidget(d->view);
    column->addWidget(content, 1);

    const int last = d->targets->findData(Settings::value(kTargetKey));
    if (last >= 0) d->targets->setCurrentIndex(last);
    d->rest.setSingleShot(true);
    d->rest.setInterval(kRestMs);
    connect(&d->rest, &QTimer::timeout, this, [this] { d->ask(); });
    connect(d->targets, &QComboBox::currentIndexChanged, this, [this] {
        Settings::setValue(kTargetKey, target());
        d->view->setSource({}, {}, SourceHighlighter::Language::Python);
        d->nodes.clear();
        d->say({}, {});
        d->ask();
    });
    connect(d->copyButton, &QToolButton::clicked, this, &ScriptPanel::copy);
    connect(d->saveButton, &QToolButton::clicked, this, [this] { save(); });
    connect(d->troubleShow, &QPushButton::clicked, this,
            [this] { emit activated(d->troubleNode); });
    connect(d->view, &SourceView::lineChosen, this, [this](int line) {
        if (const QString node = nodeOf(line); !node.isEmpty()) {
            d->fromHere = true;
            emit activated(node);
            d->fromHere = false;
        }
    });
    connect(&document, &Document::changed, this, [this](const graph::ChangeSet& changes) {
        if (changes.structural() || changes.training || changes.everything) d->changed();
    });
    connect(&d->exporter, &Exporter::previewed, this,
            [this](const std::shared_ptr<const ScriptPreview>& preview) { d->take(*preview); });
    connect(&d->exporter, &Exporter::exported, this,
            [this](const QString&, const QString& sentence) { emit said(sentence, true); });
    connect(&d->exporter, &Exporter::failed, this,
            [this](const QString& sentence, const QString&) { emit said(sentence, false); });
    connect(&Theme::instance(), &Theme::changed, this, [this] { d->changed(); });
    d->nothing();
}

ScriptPanel::~ScriptPanel() = default;

QString ScriptPanel::target() const {
    return d->targets->currentData().toString();
}

void ScriptPanel::setTarget(const QString& id) {
    if (const int index = d->targets->findData(id); index >= 0) d->targets->setCurrentIndex(index);
}

QString ScriptPanel::text() const {
    return d->view->toPlainText();
}

QString ScriptPanel::problem() const {
    return d->troubleText->text();
}

SourceView& ScriptPanel::view() {
    return *d->view;
}

QString ScriptPanel::nodeOf(int line) const {
    return line >= 0 && std::size_t(line) < d->nodes.size()
               ? QString::fromStdString(d->nodes[std::size_t(line)])
               : QString();
}

double ScriptPanel::lastMilliseconds() const {
    return d->milliseconds;
}

void ScriptPanel::copy() const {
    QGuiApplication::clipboard()->setText(text() + QLatin1Char('\n'));
}

void ScriptPanel::save(const QString& asked) {
    const graph::ExportTarget* found = graph::find_export_target(target().toStdString());
    QString path = asked;
    if (path.isEmpty())
        path = QFileDialog::getSaveFileName(
            this, tr("Save the source"), offered(d->document, *found),
            QStringLiteral("%1 (*%2)")
                .arg(QString::fromLatin1(found->label), QString::fromLatin1(found->extension)));
    if (path.isEmpty()) return;
    if (QFileInfo(path).suffix().isEmpty()) path += QString::fromLatin1(found->extension);
    d->exporter.exportTo(d->document.graph(), d->document.weights(), target(), path,
                         QFileInfo(d->document.path()).fileName());
}

void ScriptPanel::showNodes(const std::set<QString>& nodes) {
    d->chosen.clear();
    std::string prefix;
    for (const std::string& group : d->sheet.groups())
        prefix += group + "/";
    for (const QString& node : nodes)
        d->chosen.insert(prefix + node.toStdString());
    d->mark(!d->fromHere);
}

void ScriptPanel::showEvent(QShowEvent* event) {
    QWidget::showEvent(event);
    if (d->stale) d->ask();
}

} // namespace wiregrad::studio

#include "moc_script_panel.cpp"
