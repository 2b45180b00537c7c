#include "ui/palette/palette_panel.h"

#include <QKeyEvent>
#include <QLabel>
#include <QLineEdit>
#include <QVBoxLayout>

#include "nodes/node_type.h"
#include "session/document.h"
#include "session/settings.h"
#include "ui/canvas/canvas.h"
#include "ui/canvas/canvas_style.h"
#include "ui/canvas/type_list.h"
#include "ui/palette/type_tree.h"
#include "ui/theme/theme.h"

namespace wiregrad::studio {

namespace {

/// The search field: arrows and Enter reach the list below, shortcuts of the window stay out.
class SearchField : public QLineEdit {
  public:
    SearchField(TypeTree& tree, QWidget* parent) : QLineEdit(parent), tree_(tree) {}

  protected:
    bool event(QEvent* event) override {
        if (event->type() == QEvent::ShortcutOverride) {
            const auto* key = static_cast<QKeyEvent*>(event);
            // A focused field would otherwise leave undo and delete to the graph.
            if (!(key->modifiers() & (Qt::ControlModifier | Qt::AltModifier)) ||
                key->matches(QKeySequence::Undo) || key->matches(QKeySequence::Redo)) {
                event->accept();
                return true;
            }
        }
        return QLineEdit::event(event);
    }
    void keyPressEvent(QKeyEvent* event) override {
        if (event->key() == Qt::Key_Down || event->key() == Qt::Key_Up) {
            QTreeWidgetItem* now = tree_.currentItem();
            QTreeWidgetItem* next = !now                           ? tree_.topLevelItem(0)
                                    : event->key() == Qt::Key_Down ? tree_.itemBelow(now)
                                                                   : tree_.itemAbove(now);
            if (next) tree_.setCurrentItem(next);
        } else if (event->key() == Qt::Key_Return || event->key() == Qt::Key_Enter) {
            if (const QString type = TypeTree::typeOf(tree_.currentItem()); !type.isEmpty())
                emit tree_.chosen(type);
        } else if (event->key() == Qt::Key_Escape && !text().isEmpty()) {
            clear();
        } else {
            QLineEdit::keyPressEvent(event);
            return;
        }
        event->accept();
    }

  private:
    TypeTree& tree_;
};

QTreeWidgetItem* typeItem(const graph::NodeType& type, bool withGlyph) {
    auto* item = new QTreeWidgetItem;
    item->setText(0, qs(type.label));
    item->setData(0, kTypeIdRole, qs(type.id));
    item->setToolTip(0, typeToolTip(type));
    item->setData(0, Qt::AccessibleDescriptionRole, qs(type.help));
    if (withGlyph) item->setIcon(0, Theme::instance().categoryIcon(qs(type.category)));
    item->setFlags(Qt::ItemIsEnabled | Qt::ItemIsSelectable | Qt::ItemIsDragEnabled);
    return item;
}

} // namespace

PalettePanel::PalettePanel(Document& document, Canvas& canvas, QWidget* parent)
    : QWidget(parent), document_(document), canvas_(canvas) {
    CanvasStyle::get();
    setObjectName(QStringLiteral("palette"));
    setAccessibleName(tr("Palette"));
    const Theme& theme = Theme::instance();
    auto* box = new QVBoxLayout(this);
    box->setContentsMargins(0, theme.space(2), 0, 0);
    box->setSpacing(theme.space(1));
    tree_ = new TypeTree(this);
    field_ = new SearchField(*tree_, this);
    field_->setObjectName(QStringLiteral("palette.search"));
    field_->setAccessibleName(tr("Search layers"));
    field_->setPlaceholderText(tr("Search layers"));
    field_->setClearButtonEnabled(true);
    field_->addAction(theme.icon(QStringLiteral("search")), QLineEdit::LeadingPosition);
    auto* fieldBox = new QVBoxLayout;
    fieldBox->setContentsMargins(theme.space(2), 0, theme.space(2), 0);
    fieldBox->addWidget(field_);
    help_ = new QLabel(this);
    help_->setObjectName(QStringLiteral("palette.help"));
    help_->setWordWrap(true);
    help_->setTextFormat(Qt::RichText);
    help_->setAlignment(Qt::AlignLeft | Qt::AlignTop);
    help_->setFont(theme.font(0.88));
    help_->setContentsMargins(theme.space(3), theme.space(2), theme.space(3), theme.space(2));
    help_->setMinimumHeight(QFontMetrics(help_->font()).height() * 5);
    box->addLayout(fieldBox);
    box->addWidget(tree_, 1);
    box->addWidget(help_);
    setFocusProxy(field_);

    connect(field_, &QLineEdit::textChanged, this, &PalettePanel::fill);
    connect(tree_, &TypeTree::chosen, this, &PalettePanel::add);
    connect(tree_, &QTreeWidget::currentItemChanged, this,
            [this](QTreeWidgetItem* item) { describe(TypeTree::typeOf(item)); });
    // What was used last moves to the top, wherever it was added from.
    connect(&document_, &Document::changed, this, [this](const graph::ChangeSet& changes) {
        if (!changes.added.empty() && field_->text().isEmpty())
            QMetaObject::invokeMethod(this, &PalettePanel::fill, Qt::QueuedConnection);
    });
    connect(&theme, &Theme::changed, this, &PalettePanel::fill);
    describe({});
    fill();
}

void PalettePanel::focusSearch() {
    field_->setFocus(Qt::ShortcutFocusReason);
    field_->selectAll();
}

QStringList PalettePanel::openSections() const {
    QStringList open;
    for (int i = 0; i < tree_->topLevelItemCount(); ++i)
        if (tree_->topLevelItem(i)->isExpanded()) open << tree_->topLevelItem(i)->text(0);
    return open;
}

void PalettePanel::fill() {
    const QString text = field_->text().trimmed();
    const Theme& theme = Theme::instance();
    // Which sections are open, and how far it is scrolled, survive a refill; at first the common
    // ones are open. Data, with a transform a line, would push the layers out of sight.
    static const QStringList kFirstOpen = {tr("Recent"), QStringLiteral("Layers"),
                                           QStringLiteral("Convolution"),
                                           QStringLiteral("Activation")};
    const bool sections =
        tree_->topLevelItemCount() > 0 && tree_->topLevelItem(0)->childCount() > 0;
    QStringList open = sections ? openSections() : property("open").toStringList();
    if (open.isEmpty()) open = kFirstOpen;
    setProperty("open", open);
    const QString current = TypeTree::typeOf(tree_->currentItem());

    const QSignalBlocker quiet(tree_);
    tree_->clear();
    if (!text.isEmpty()) {
        TypeListModel model;
        model.search(text);
        for (int row = 0; row < model.rowCount(); ++row)
            tree_->addTopLevelItem(typeItem(*model.type(row), true));
        if (tree_->topLevelItemCount() > 0) {
            tree_->setCurrentItem(tree_->topLevelItem(0));
            describe(TypeTree::typeOf(tree_->topLevelItem(0)));
        } else {
            help_->setText(tr("Nothing is called “%1”. Try “dense”, “cnn” or “softmax”.")
                               .arg(text.toHtmlEscaped()));
        }
        return;
    }
    const auto section = [&](const QString& name, const QIcon& icon,
                             const std::vector<const graph::NodeType*>& types) {
        if (types.empty()) return;
        auto* heading = new QTreeWidgetItem(tree_);
        heading->setText(0, name);
        heading->setIcon(0, icon);
        heading->setData(0, kTypeHelpRole, QString::number(types.size()));
        heading->setFlags(Qt::ItemIsEnabled | Qt::ItemIsSelectable);
        for (const auto* type : types)
            heading->addChild(typeItem(*type, name == tr("Recent")));
        heading->setExpanded(open.contains(name));
    };
    std::vector<const graph::NodeType*> recent;
    for (const QString& id : Settings::recentTypes())
        if (const auto* type = graph::find_type(id.toStdString()); type && recent.size() < 5)
            recent.push_back(type);
    section(tr("Recent"), theme.icon(QStringLiteral("recent")), recent);
    for (const char* category : graph::kCategories) {
        std::vector<const graph::NodeType*> types;
        for (const auto& type : graph::node_types())
            if (type.category == category) types.push_back(&type);
        section(QString::fromLatin1(category), theme.categoryIcon(QString::fromLatin1(category)),
                types);
    }
    if (!current.isEmpty())
        for (QTreeWidgetItemIterator it(tree_); *it; ++it)
            if (TypeTree::typeOf(*it) == current && (*it)->parent() &&
                (*it)->parent()->isExpanded()) {
                tree_->setCurrentItem(*it);
                break;
            }
}

QStringList PalettePanel::shownTypes() const {
    QStringList out;
    for (QTreeWidgetItemIterator it(tree_); *it; ++it)
        if (const QString type = TypeTree::typeOf(*it);
            !type.isEmpty() && (!(*it)->parent() || (*it)->parent()->isExpanded()))
            out << type;
    return out;
}

void PalettePanel::add(const QString& type) {
    const QPoint centre = canvas_.viewport()->rect().center();
    const CanvasStyle& s = CanvasStyle::get();
    canvas_.addNode(type, canvas_.mapToScene(centre) - QPointF(s.width / 2, s.header), true);
}

void PalettePanel::describe(const QString& id) {
    const graph::NodeType* type = graph::find_type(id.toStdString());
    if (!type) {
        help_->setText(QStringLiteral("<span style='color:%1'>%2</span>")
                           .arg(Theme::instance().color(Token::TextMuted).name(),
                                tr("Drag a layer onto the canvas, or double-click to add it behind "
                                   "the selection.")));
        return;
    }
    QString text = QStringLiteral("<b>%1</b><br>%2")
                       .arg(qs(type->label).toHtmlEscaped(), qs(type->help).toHtmlEscaped());
    if (!type->formula.empty())
        text += QStringLiteral("<br><code>%1</code>").arg(qs(type->formula).toHtmlEscaped());
    help_->setText(text);
}

} // namespace wiregrad::studio
