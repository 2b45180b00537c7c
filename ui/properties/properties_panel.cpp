#include "ui/properties/properties_panel.h"

#include <QAction>
#include <QGridLayout>
#include <QPointer>
#include <QPushButton>
#include <QScrollArea>
#include <QVBoxLayout>

#include <algorithm>
#include <map>

#include "engine/core/error.h"
#include "nodes/graph.h"
#include "nodes/group.h"
#include "ui/panels/format.h"
#include "ui/panels/parts.h"
#include "ui/panels/problems_panel.h"
#include "ui/properties/field_row.h"

namespace wiregrad::studio {

namespace {

constexpr const char* kStandingHint =
    "Drag a label to change its number: Ctrl in large steps, Shift in small ones. "
    "Fields take sums: 3*64.";

graph::ParamSpec wholeNumber(const char* id, const char* label, const char* help,
                             std::int64_t standard, double min, double max, const char* unit) {
    graph::ParamSpec spec;
    spec.id = id;
    spec.label = label;
    spec.help = help;
    spec.kind = graph::ParamKind::Int;
    spec.standard = standard;
    spec.min = min;
    spec.max = max;
    spec.unit = unit;
    return spec;
}

graph::ParamSpec words(const char* id, const char* label, const char* help) {
    graph::ParamSpec spec;
    spec.id = id;
    spec.label = label;
    spec.help = help;
    spec.kind = graph::ParamKind::Text;
    spec.standard = std::string();
    return spec;
}

/// An icon that follows the theme, from a function that makes it.
class ThemedPicture : public QLabel {
  public:
    ThemedPicture(std::function<QIcon()> icon, int pixels, QWidget* parent)
        : QLabel(parent), icon_(std::move(icon)), pixels_(pixels) {
        setFixedSize(pixels, pixels);
        const auto refresh = [this] {
            setPixmap(icon_().pixmap(QSize(pixels_, pixels_), devicePixelRatioF()));
        };
        refresh();
        connect(&Theme::instance(), &Theme::changed, this, refresh);
    }

  private:
    std::function<QIcon()> icon_;
    int pixels_;
};

} // namespace

struct PropertiesPanel::Impl {
    Impl(Document& doc, Sheet& level, TrainSession& run, PropertiesPanel* panel)
        : document(doc), sheet(level), session(run), q(panel) {}

    Document& document;
    Sheet& sheet;
    TrainSession& session;
    PropertiesPanel* q;
    std::set<QString> nodes;
    QScrollArea* scroll = nullptr;
    TextLabel *infoTitle = nullptr, *info = nullptr;
    QPointer<QWidget> page;
    std::vector<FieldRow*> rows;
    QWidget* locked = nullptr;       ///< the sentence that a run goes on
    QVBoxLayout* problems = nullptr; ///< filled by refreshProblems
    QString problemKey;
    QGridLayout* facts = nullptr; ///< filled by refreshFacts
    QWidget* factsBox = nullptr;
    QString factsKey;
    TextLabel* title = nullptr;

    const graph::Graph& graph() const { return sheet.graph(); }
    const graph::Node* node(const QString& id) const { return graph().node(id.toStdString()); }

    void rebuild();
    void buildProject(QVBoxLayout* column);
    void buildNode(QVBoxLayout* column, const graph::Node& only, const graph::NodeType* type);
    void buildParams(QVBoxLayout* column, const graph::NodeType& type);
    void buildSeveral(QVBoxLayout* column);
    void offerExposing(FieldRow* row, const std::string& param);
    void buildMuted(QVBoxLayout* column);
    void buildFacts(QVBoxLayout* column);
    void heading(QVBoxLayout* column, std::function<QIcon()> icon, const QString& text,
                 const QString& beside);
    FieldRow* addRow(QVBoxLayout* column, Field field);
    std::vector<std::string> ids() const;

    void refresh(const graph::ChangeSet& changes);
    void refreshRows();
    void refreshProblems();
    void refreshFacts();
    void refreshLock();
    void explain(const FieldRow* row);
};

std::vector<std::string> PropertiesPanel::Impl::ids() const {
    std::vector<std::string> result;
    for (const QString& id : nodes) {
        result.push_back(id.toStdString());
    }
    return result;
}

// --- building

FieldRow* PropertiesPanel::Impl::addRow(QVBoxLayout* column, Field field) {
    // As wide as the longest label of the declarations: columns align from node to node.
    const int labelWidth = Theme::instance().space(27);
    auto* row = new FieldRow(sheet, std::move(field), labelWidth, page);
    QObject::connect(row, &FieldRow::explained, q,
                     [this](const FieldRow* which) { explain(which); });
    column->addWidget(row);
    rows.push_back(row);
    return row;
}

void PropertiesPanel::Impl::heading(QVBoxLayout* column, std::function<QIcon()> icon,
                                    const QString& text, const QString& beside) {
    const Theme& theme = Theme::instance();
    auto* line = new QHBoxLayout;
    line->setSpacing(theme.space(2));
    line->addWidget(new ThemedPicture(std::move(icon), theme.space(5), page), 0, Qt::AlignVCenter);
    title = new TextLabel(text, Token::Text, 1.2, QFont::DemiBold, page);
    title->setObjectName(QStringLiteral("propertiesTitle"));
    line->addWidget(title);
    auto* id = new TextLabel(beside, Token::TextMuted, 0.95, QFont::Normal, page);
    id->setTextInteractionFlags(Qt::TextSelectableByMouse);
    line->addWidget(id, 1);
    column->addLayout(line);
}

void PropertiesPanel::Impl::rebuild() {
    const Theme& theme = Theme::instance();
    if (QWidget* old = scroll->takeWidget()) {
        old->hide();
        old->deleteLater(); // the change may come from one of its own fields
    }
    rows.clear();
    problems = nullptr;
    facts = nullptr;
    factsBox = nullptr;
    locked = nullptr;
    problemKey.clear();
    factsKey.clear();

    page = new QWidget;
    page->setObjectName(QStringLiteral("propertiesPage"));
    auto* column = new QVBoxLayout(page);
    column->setContentsMargins(theme.space(3), theme.space(3), theme.space(3), theme.space(3));
    column->setSpacing(theme.space(2));

    std::set<std::string> types;
    for (const QString& id : nodes) {
        types.insert(node(id)->type);
    }
    if (nodes.empty()) {
        buildProject(column);
    } else if (nodes.size() == 1) {
        const graph::Node& only = *node(*nodes.begin());
        buildNode(column, only, graph().type_of(only));
    } else {
        buildSeveral(column);
    }
    column->addStretch(1);
    scroll->setWidget(page);
    page->show();
    refreshRows();
    refreshProblems();
    refreshFacts();
    refreshLock();
    explain(nullptr);
}

void PropertiesPanel::Impl::buildProject(QVBoxLayout* column) {
    heading(column, [] { return Theme::instance().icon(QStringLiteral("settings")); },
            QStringLiteral("Project"), {});
    const auto setTitle = [this](std::string name, std::string text) {
        return graph::Edit{graph::SetTitle{std::move(name), std::move(text)}};
    };
    Field name;
    name.spec = words("title", "Title",
                      "What this project is called in the gallery and in exported files.");
    name.read = [this] { return std::vector<graph::ParamValue>{document.graph().title()}; };
    name.write = [this, setTitle](const graph::ParamValue& value) {
        return setTitle(std::get<std::string>(value), document.graph().description());
    };
    name.resets = false;
    addRow(column, std::move(name));
    Field text;
    text.spec =
        words("description", "Description", "What the project shows and what to try, in Markdown.");
    text.read = [this] { return std::vector<graph::ParamValue>{document.graph().description()}; };
    text.write = [this, setTitle](const graph::ParamValue& value) {
        return setTitle(document.graph().title(), std::get<std::string>(value));
    };
    text.longText = true;
    text.resets = false;
    addRow(column, std::move(text));

    column->addSpacing(Theme::instance().space(2));
    column->addWidget(sectionTitle(QStringLiteral("Training"), page));
    locked = new QWidget(page);
    column->addWidget(locked);
    const auto number = [&](graph::ParamSpec spec, auto member) {
        Field field;
        field.lockedInRun = spec.id != "epochs"; // a run may become longer or shorter
        field.spec = std::move(spec);
        field.read = [this, member] {
            return std::vector<graph::ParamValue>{
                static_cast<std::int64_t>(document.graph().training().*member)};
        };
        field.write = [this, member](const graph::ParamValue& value) {
            graph::Training training = document.graph().training();
            using Number = std::remove_reference_t<decltype(training.*member)>;
            training.*member = static_cast<Number>(std::get<std::int64_t>(value));
            return graph::Edit{graph::SetTraining{training}};
        };
        addRow(column, std::move(field));
    };
    const graph::Training standard;
    number(wholeNumber("epochs", "Epochs", "How often the network sees every training sample.",
                       standard.epochs, 1, 1000000, "epochs"),
           &graph::Training::epochs);
    graph::ParamSpec batch =
        wholeNumber("batch_size", "Batch size",
                    "How many samples one step learns from. Larger is faster and smoother, and "
                    "needs more memory.",
                    standard.batch_size, 1, 1000000, "samples");
    batch.logarithmic = true;
    number(std::move(batch), &graph::Training::batch_size);
    number(wholeNumber("seed", "Seed",
                       "Number that decides initial weights, order of samples and dropout. The "
                       "same seed gives the "
                       "same run.",
                       static_cast<std::int64_t>(standard.seed), 0, 9007199254740992.0, ""),
           &graph::Training::seed);
    Field device;
    device.lockedInRun = true;
    device.spec = words("device", "Device", "Where the numbers are computed.");
    device.spec.kind = graph::ParamKind::Choice;
    device.spec.standard = std::string("auto");
    device.spec.choices = {{"auto", "The fastest there is"},
                           {"cpu", "Processor (CPU)"},
                           {"cuda", "NVIDIA GPU (CUDA)"}};
    device.read = [this] {
        return std::vector<graph::ParamValue>{document.graph().training().device};
    };
    device.write = [this](const graph::ParamValue& value) {
        graph::Training training = document.graph().training();
        training.device = std::get<std::string>(value);
        return graph::Edit{graph::SetTraining{training}};
    };
    addRow(column, std::move(device));
    buildFacts(column);
}

void PropertiesPanel::Impl::buildNode(QVBoxLayout* column, const graph::Node& only,
                                      const graph::NodeType* type) {
    const Theme& theme = Theme::instance();
    const QString id = QString::fromStdString(only.id);
    if (type) {
        heading(
            column,
            [category = QString::fromStdString(type->category)] {
                return Theme::instance().categoryIcon(category);
            },
            QString::fromStdString(type->label), id);
    } else {
        heading(
            column, [] { return Theme::instance().icon(QStringLiteral("warning")); },
            QString::fromStdString(only.type), id);
    }
    auto* help = new TextLabel(
        type ? QString::fromStdString(type->help)
             : QStringLiteral("This version of Wiregrad does not know this type of node. It is "
                              "kept in the file as it is, and left out of a run."),
        Token::TextMuted, 1.0, QFont::Normal, page);
    help->setWordWrap(true);
    column->addWidget(help);
    if (type && !type->formula.empty()) {
        auto* formula = new TextLabel(QString::fromStdString(type->formula), Token::Text, 0.92,
                                      QFont::Normal, page);
        formula->setObjectName(QStringLiteral("formula"));
        formula->setMonospace(true);
        formula->setWordWrap(true);
        formula->setTextInteractionFlags(Qt::TextSelectableByMouse);
        formula->setContentsMargins(theme.space(2), theme.space(2), theme.space(2), theme.space(2));
        setBackground(formula, Token::PanelRaised);
        column->addWidget(formula);
    }
    auto* place = new QWidget(page);
    problems = new QVBoxLayout(place);
    problems->setContentsMargins(0, 0, 0, 0);
    problems->setSpacing(0);
    column->addWidget(place);

    locked = new QWidget(page);
    column->addWidget(locked);
    Field name;
    name.spec = words("name", "Name", "What you call this node. Empty: its type.");
    name.read = [this, key = only.id] {
        const graph::Node* now = graph().node(key);
        return std::vector<graph::ParamValue>{now ? now->name : std::string()};
    };
    name.write = [key = only.id](const graph::ParamValue& value) {
        return graph::Edit{graph::Rename{key, std::get<std::string>(value)}};
    };
    name.resets = false;
    FieldRow* row = addRow(column, std::move(name));
    if (type) {
        row->editor()->setPlaceholder(QString::fromStdString(type->label));
    }
    if (type) {
        buildParams(column, *type);
    } else {
        for (const auto& [key, value] : only.params) {
            auto* line = new QHBoxLayout;
            auto* label = new TextLabel(QString::fromStdString(key), Token::TextMuted, 1.0,
                                        QFont::Normal, page);
            label->setFixedWidth(theme.space(27));
            line->addWidget(label);
            line->addWidget(new TextLabel(QString::fromStdString(graph::value_text(value)),
                                          Token::Text, 1.0, QFont::Normal, page),
                            1);
            column->addLayout(line);
        }
    }
    if (!type || type->role != graph::Role::Note) {
        buildMuted(column);
        buildFacts(column);
    }
}

void PropertiesPanel::Impl::buildParams(QVBoxLayout* column, const graph::NodeType& type) {
    for (const graph::ParamSpec& spec : type.params) {
        Field field;
        field.spec = spec;
        field.lockedInRun = type.role == graph::Role::Dataset; // other data make another run
        field.longText = spec.kind == graph::ParamKind::Text && type.role == graph::Role::Note;
        field.resets = !field.longText;
        field.read = [this, key = spec.id, standard = spec.standard, all = ids()] {
            std::vector<graph::ParamValue> values;
            for (const std::string& id : all) {
                const graph::Node* now = graph().node(id);
                const auto at = now ? now->params.find(key) : graph::Params::const_iterator{};
                values.push_back(now && at != now->params.end() ? at->second : standard);
            }
            return values;
        };
        field.write = [key = spec.id, all = ids()](const graph::ParamValue& value) {
            graph::Batch batch;
            for (const std::string& id : all) {
                batch.edits.push_back({graph::SetParam{id, key, value}});
            }
            return batch.edits.size() == 1 ? batch.edits.front() : graph::Edit{std::move(batch)};
        };
        if (spec.visible) {
            // With several nodes a parameter is shown where any of them uses it.
            field.visible = [this, rule = spec.visible, all = ids()] {
                return std::any_of(all.begin(), all.end(), [&](const std::string& id) {
                    const graph::Node* now = graph().node(id);
                    return now && rule(now->params);
                });
            };
        }
        FieldRow* row = addRow(column, std::move(field));
        if (nodes.size() == 1 && !sheet.definition().isEmpty()) offerExposing(row, spec.id);
    }
}

/// Inside a group, a parameter can be shown on the group's face: from the menu of its row.
void PropertiesPanel::Impl::offerExposing(FieldRow* row, const std::string& param) {
    const std::string node = nodes.begin()->toStdString(), group = sheet.definition().toStdString();
    if (graph().node(node)->type == "GroupInput" || graph().node(node)->type == "GroupOutput")
        return;
    const graph::Definition* definition = document.graph().definition(group);
    if (!definition) return;
    const bool shown = std::any_of(
        definition->exposed.begin(), definition->exposed.end(),
        [&](const graph::Exposed& one) { return one.node == node && one.param == param; });
    auto* action = new QAction(QStringLiteral("Show on the group"), row);
    action->setObjectName(QStringLiteral("expose_%1").arg(QString::fromStdString(param)));
    action->setCheckable(true);
    action->setChecked(shown);
    row->addAction(action);
    row->setContextMenuPolicy(Qt::ActionsContextMenu);
    QObject::connect(action, &QAction::triggered, q, [this, node, group, param](bool on) {
        try {
            document.apply(graph::expose_edit(document.graph(), group, node, param, on));
        } catch (const Error& error) {
            infoTitle->setText(QString::fromUtf8(error.what()));
        }
    });
}

void PropertiesPanel::Impl::buildMuted(QVBoxLayout* column) {
    Field field;
    field.spec.id = "muted";
    field.spec.label = "Muted";
    field.spec.help =
        "Left out of the run. Where the sizes allow, its input is passed on unchanged.";
    field.spec.kind = graph::ParamKind::Bool;
    field.spec.standard = false;
    field.read = [this, all = ids()] {
        std::vector<graph::ParamValue> values;
        for (const std::string& id : all) {
            const graph::Node* now = graph().node(id);
            values.emplace_back(std::in_place_type<bool>, now && now->muted);
        }
        return values;
    };
    field.write = [all = ids()](const graph::ParamValue& value) {
        graph::Batch batch;
        for (const std::string& id : all) {
            batch.edits.push_back({graph::SetMuted{id, std::get<bool>(value)}});
        }
        return batch.edits.size() == 1 ? batch.edits.front() : graph::Edit{std::move(batch)};
    };
    field.resets = false;
    addRow(column, std::move(field));
}

void PropertiesPanel::Impl::buildSeveral(QVBoxLayout* column) {
    std::map<std::string, int> counts;
    for (const QString& id : nodes) {
        ++counts[node(id)->type];
    }
    const graph::NodeType* type = counts.size() == 1 && counts.begin()->first != "Group"
                                      ? graph::find_type(counts.begin()->first)
                                      : nullptr;
    const int count = static_cast<int>(nodes.size());
    if (counts.size() == 1) {
        const QString label = QString::fromStdString(type ? type->label : counts.begin()->first);
        heading(column,
                [category = type ? QString::fromStdString(type->category) : QString()] {
                    return Theme::instance().categoryIcon(category);
                },
                QStringLiteral("%1 × %2").arg(count).arg(label), {});
        auto* help =
            new TextLabel(QStringLiteral("A change is made in all of them, as one undo step."),
                          Token::TextMuted, 1.0, QFont::Normal, page);
        help->setWordWrap(true);
        column->addWidget(help);
    } else {
        heading(column, [] { return Theme::instance().icon(QStringLiteral("select-all")); },
                QStringLiteral("%1 nodes").arg(count), {});
        QStringList parts;
        for (const auto& [id, number] : counts) {
            const graph::NodeType* each = graph::find_type(id);
            parts << QStringLiteral("%1 %2").arg(number).arg(
                QString::fromStdString(each ? each->label : id));
        }
        auto* list = new TextLabel(parts.join(QStringLiteral(", ")), Token::TextMuted, 1.0,
                                   QFont::Normal, page);
        list->setWordWrap(true);
        column->addWidget(list);
    }
    locked = new QWidget(page);
    column->addWidget(locked);
    if (type) {
        buildParams(column, *type);
    }
    buildMuted(column);
    buildFacts(column);
}

void PropertiesPanel::Impl::buildFacts(QVBoxLayout* column) {
    const Theme& theme = Theme::instance();
    factsBox = new QWidget(page);
    auto* inner = new QVBoxLayout(factsBox);
    inner->setContentsMargins(0, theme.space(2), 0, 0);
    inner->setSpacing(theme.space(2));
    inner->addWidget(hairline(factsBox));
    inner->addWidget(sectionTitle(
        nodes.empty() ? QStringLiteral("Network") : QStringLiteral("Facts"), factsBox));
    facts = new QGridLayout;
    facts->setHorizontalSpacing(theme.space(2));
    facts->setVerticalSpacing(theme.space(1));
    facts->setColumnMinimumWidth(0, theme.space(27));
    facts->setColumnStretch(1, 1);
    inner->addLayout(facts);
    column->addWidget(factsBox);
}

// --- keeping up

void PropertiesPanel::Impl::refresh(const graph::ChangeSet& changes) {
    const std::size_t before = nodes.size();
    for (auto it = nodes.begin(); it != nodes.end();) {
        it = node(*it) ? std::next(it) : nodes.erase(it);
    }
    if (changes.everything || nodes.size() != before) {
        rebuild();
    } else {
        refreshRows();
    }
}

void PropertiesPanel::Impl::refreshRows() {
    for (FieldRow* row : rows) {
        row->refresh();
    }
}

void PropertiesPanel::Impl::refreshProblems() {
    if (!problems || nodes.size() != 1) {
        return;
    }
    const std::vector<const graph::Problem*> list =
        sheet.analysis().of_node(nodes.begin()->toStdString());
    QString key;
    for (const graph::Problem* problem : list) {
        key += QString::fromStdString(problem->text) + QChar(0x1e);
        for (const graph::Fix& fix : problem->fixes) {
            key += QString::fromStdString(fix.label) + QChar(0x1f);
        }
    }
    if (key == problemKey) {
        return;
    }
    problemKey = key;
    while (QLayoutItem* item = problems->takeAt(0)) {
        item->widget()->hide();
        item->widget()->deleteLater();
        delete item;
    }
    for (const graph::Problem* problem : list) {
        auto* row = new ProblemRow(*problem, {}, page);
        QObject::connect(row, &ProblemRow::activated, q,
                         [this, param = QString::fromStdString(problem->param)] {
                             if (!param.isEmpty()) {
                                 q->focusParam(param);
                             }
                         });
        QObject::connect(
            row, &ProblemRow::fixChosen, q,
            [this, fixes = problem->fixes](int index) {
                document.apply(fixes.at(static_cast<std::size_t>(index)).edit);
            },
            Qt::QueuedConnection);
        problems->addWidget(row);
    }
}

void PropertiesPanel::Impl::refreshFacts() {
    if (!facts) {
        return;
    }
    using Fact = std::pair<QString, QString>;
    std::vector<Fact> list;
    const graph::Analysis& analysis = sheet.analysis();
    if (nodes.empty()) {
        list.emplace_back(QStringLiteral("Nodes"), countText(std::int64_t(graph().nodes().size())));
        if (analysis.weights > 0) {
            list.emplace_back(QStringLiteral("Weights"), countText(analysis.weights));
            list.emplace_back(QStringLiteral("Forward"),
                              QStringLiteral("%1 a sample").arg(flopsText(analysis.flops)));
            list.emplace_back(
                QStringLiteral("Memory"),
                QStringLiteral("about %1 to train").arg(bytesText(analysis.training_bytes)));
        }
    } else {
        std::int64_t weights = 0;
        double flops = 0, bytes = 0;
        bool known = false;
        for (const QString& id : nodes) {
            const auto at = analysis.nodes.find(id.toStdString());
            if (at == analysis.nodes.end()) {
                continue;
            }
            known = known || at->second.known;
            weights += at->second.weights;
            flops += at->second.flops;
            bytes += at->second.activation_bytes;
        }
        const graph::NodeType* type =
            nodes.size() == 1 ? graph().type_of(*node(*nodes.begin())) : nullptr;
        const auto at = analysis.nodes.find(nodes.begin()->toStdString());
        if (nodes.size() == 1 && at != analysis.nodes.end() && type) {
            const graph::NodeFacts& own = at->second;
            for (std::size_t i = 0; i < own.outputs.size() && i < type->outputs.size(); ++i) {
                QString shape = QStringLiteral("N");
                for (int k = 1; k < own.outputs[i].shape.size(); ++k) {
                    shape += QStringLiteral(" × %1").arg(own.outputs[i].shape[k]);
                }
                if (own.outputs[i].shape.empty()) {
                    shape = QStringLiteral("one number");
                }
                list.emplace_back(own.outputs.size() == 1
                                      ? QStringLiteral("Output")
                                      : QStringLiteral("Output %1")
                                            .arg(QString::fromStdString(type->outputs[i].label)),
                                  shape);
            }
            if (!own.known && !type->outputs.empty()) {
                list.emplace_back(QStringLiteral("Output"),
                                  QStringLiteral("not known until what comes before it fits"));
            }
            if (own.known && own.weights > 0) {
                list.emplace_back(QStringLiteral("Weights"), countText(own.weights));
            }
            for (const auto& [name, shape] : own.weight_shapes) {
                list.emplace_back(QStringLiteral("    %1").arg(QString::fromStdString(name)),
                                  shapeText(shape));
            }
        } else if (known) {
            list.emplace_back(QStringLiteral("Weights"), countText(weights));
        }
        if (known && flops > 0) {
            list.emplace_back(QStringLiteral("Forward"),
                              QStringLiteral("%1 a sample").arg(flopsText(flops)));
        }
        if (known && bytes > 0) {
            list.emplace_back(QStringLiteral("Activations"),
                              QStringLiteral("%1 a batch").arg(bytesText(bytes)));
        }
    }
    QString key;
    for (const Fact& fact : list) {
        key += fact.first + QChar(0x1f) + fact.second + QChar(0x1e);
    }
    factsBox->setVisible(!list.empty());
    if (key == factsKey) {
        return;
    }
    factsKey = key;
    while (QLayoutItem* item = facts->takeAt(0)) {
        item->widget()->hide();
        item->widget()->deleteLater();
        delete item;
    }
    int row = 0;
    for (const Fact& fact : list) {
        auto* label = new TextLabel(fact.first, Token::TextMuted, 1.0, QFont::Normal, factsBox);
        auto* value = new TextLabel(fact.second, Token::Text, 1.0, QFont::Normal, factsBox);
        value->setTextInteractionFlags(Qt::TextSelectableByMouse);
        value->setWordWrap(true);
        value->setObjectName(QStringLiteral("fact_%1").arg(fact.first.trimmed()));
        facts->addWidget(label, row, 0, Qt::AlignTop);
        facts->addWidget(value, row, 1);
        ++row;
    }
}

void PropertiesPanel::Impl::refreshLock() {
    bool running = session.isActive();
    bool any = false;
    for (FieldRow* row : rows) {
        row->setLocked(running);
        any = any || row->field().lockedInRun;
    }
    running = running && any;
    if (!locked) {
        return;
    }
    if (running && !locked->layout()) {
        const Theme& theme = Theme::instance();
        auto* line = new QHBoxLayout(locked);
        line->setContentsMargins(0, 0, 0, 0);
        line->setSpacing(theme.space(2));
        line->addWidget(
            new IconLabel(QStringLiteral("lock"), Token::TextMuted, theme.space(4), locked), 0,
            Qt::AlignTop);
        auto* text =
            new TextLabel(QStringLiteral("Being trained: stop the run to change what is grey."),
                          Token::TextMuted, 0.95, QFont::Normal, locked);
        text->setWordWrap(true);
        line->addWidget(text, 1);
    }
    locked->setVisible(running);
}

void PropertiesPanel::Impl::explain(const FieldRow* row) {
    if (!row) {
        infoTitle->setText({});
        infoTitle->hide();
        info->setText(QString::fromUtf8(kStandingHint));
        return;
    }
    const graph::ParamSpec& spec = row->field().spec;
    QString text = QString::fromStdString(spec.help);
    if (const QString range = rangeText(spec); !range.isEmpty()) {
        text += QStringLiteral("  (%1)").arg(range);
    }
    infoTitle->setText(QString::fromStdString(spec.label));
    infoTitle->show();
    info->setText(text);
}

// --- the widget

PropertiesPanel::PropertiesPanel(Document& document, TrainSession& session, QWidget* parent,
                                 Sheet* sheet)
    : QWidget(parent), d(std::make_unique<Impl>(
                           document, sheet ? *sheet : *new Sheet(document, this), session, this)) {
    setObjectName(QStringLiteral("propertiesPanel"));
    setBackground(this, Token::Panel);
    const Theme& theme = Theme::instance();
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(0);
    d->scroll = new QScrollArea(this);
    d->scroll->setFrameShape(QFrame::NoFrame);
    d->scroll->setWidgetResizable(true);
    d->scroll->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    setBackground(d->scroll->viewport(), Token::Panel);
    column->addWidget(d->scroll, 1);
    column->addWidget(hairline(this));

    auto* foot = new QWidget(this);
    foot->setObjectName(QStringLiteral("propertiesInfo"));
    auto* lines = new QVBoxLayout(foot);
    lines->setContentsMargins(theme.space(3), theme.space(2), theme.space(3), theme.space(2));
    lines->setSpacing(0);
    d->infoTitle = new TextLabel({}, Token::Text, 0.92, QFont::DemiBold, foot);
    d->info = new TextLabel({}, Token::TextMuted, 0.92, QFont::Normal, foot);
    d->info->setWordWrap(true);
    d->info->setAlignment(Qt::AlignTop | Qt::AlignLeft);
    lines->addWidget(d->infoTitle);
    lines->addWidget(d->info, 1);
    // A fixed height: nothing above moves when another help text is longer.
    foot->setFixedHeight(QFontMetrics(theme.font(0.92)).lineSpacing() * 4 + theme.space(5));
    column->addWidget(foot);
    setMinimumWidth(theme.space(60));

    connect(&d->sheet, &Sheet::changed, this,
            [this](const graph::ChangeSet& changes) { d->refresh(changes); });
    connect(&d->sheet, &Sheet::analysed, this, [this] {
        d->refreshProblems();
        d->refreshFacts();
    });
    connect(&session, &TrainSession::stateChanged, this, [this] { d->refreshLock(); });
    d->rebuild();
}

PropertiesPanel::~PropertiesPanel() = default;

void PropertiesPanel::showNodes(const std::set<QString>& nodes) {
    std::set<QString> known;
    std::copy_if(nodes.begin(), nodes.end(), std::inserter(known, known.end()),
                 [this](const QString& id) { return d->node(id) != nullptr; });
    if (known != d->nodes) {
        d->nodes = std::move(known);
        d->rebuild();
    }
}

std::set<QString> PropertiesPanel::nodes() const {
    return d->nodes;
}

void PropertiesPanel::focusParam(const QString& param) {
    for (FieldRow* row : d->rows) {
        if (QString::fromStdString(row->field().spec.id) == param) {
            d->scroll->ensureWidgetVisible(row);
            row->editor()->field()->setFocus(Qt::OtherFocusReason);
            return;
        }
    }
}

void PropertiesPanel::focusFirst() {
    for (FieldRow* row : d->rows) {
        if (row->field().spec.id == "name" || !row->isVisible() ||
            !row->editor()->field()->isEnabled()) {
            continue;
        }
        d->scroll->ensureWidgetVisible(row);
        row->editor()->field()->setFocus(Qt::ShortcutFocusReason);
        return;
    }
}

} // namespace wiregrad::studio
