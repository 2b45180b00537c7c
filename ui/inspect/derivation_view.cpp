#include "ui/inspect/derivation_view.h"

#include <QHeaderView>
#include <QPointer>
#include <QTableWidget>
#include <QVBoxLayout>

#include "ui/panels/format.h"
#include "ui/panels/parts.h"

namespace wiregrad::studio {

namespace {

QTableWidget* makeTable(const QStringList& titles, const QString& name, QWidget* parent) {
    auto* table = new QTableWidget(0, int(titles.size()), parent);
    table->setObjectName(name);
    table->setHorizontalHeaderLabels(titles);
    table->verticalHeader()->hide();
    table->verticalHeader()->setDefaultSectionSize(Theme::instance().space(5));
    table->setShowGrid(false);
    table->setFrameShape(QFrame::NoFrame);
    table->setEditTriggers(QAbstractItemView::NoEditTriggers);
    table->setSelectionBehavior(QAbstractItemView::SelectRows);
    table->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    table->horizontalHeader()->setSectionResizeMode(QHeaderView::Stretch);
    table->horizontalHeader()->setHighlightSections(false);
    return table;
}

void put(QTableWidget* table, int row, int column, const QString& text, bool number) {
    auto* item = new QTableWidgetItem(text);
    if (number) item->setTextAlignment(Qt::AlignRight | Qt::AlignVCenter);
    item->setToolTip(text);
    table->setItem(row, column, item);
}

} // namespace

QString placeText(const Shape& shape, std::int64_t element) {
    QStringList parts;
    std::int64_t inner = numel(shape);
    for (int i = 0; i < shape.size(); ++i) {
        inner /= std::max<std::int64_t>(1, shape[i]);
        parts << QString::number(element / std::max<std::int64_t>(1, inner));
        element %= std::max<std::int64_t>(1, inner);
    }
    return QStringLiteral("[%1]").arg(parts.join(QStringLiteral(", ")));
}

DerivationView::DerivationView(TrainSession& session, QWidget* parent)
    : QWidget(parent), session_(session) {
    setObjectName(QStringLiteral("derivation"));
    const Theme& theme = Theme::instance();
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(theme.space(1));
    note_ = new TextLabel({}, Token::TextMuted, 0.95, QFont::Normal, this);
    note_->setWordWrap(true);
    note_->setObjectName(QStringLiteral("derivationNote"));
    title_ = new TextLabel({}, Token::Text, 1.0, QFont::DemiBold, this);
    title_->setTextInteractionFlags(Qt::TextSelectableByMouse);
    title_->setWordWrap(true);
    numbers_ = new TextLabel({}, Token::Text, 0.95, QFont::Normal, this);
    numbers_->setTextInteractionFlags(Qt::TextSelectableByMouse);
    numbers_->setWordWrap(true);
    numbers_->setObjectName(QStringLiteral("derivationNumbers"));
    wayTitle_ = sectionTitle(tr("On its way to the loss"), this);
    way_ = makeTable({tr("Node"), tr("|∂L/∂v|"), tr("|∂v/∂w|"), tr("Σ product")},
                     QStringLiteral("derivationWay"), this);
    termsTitle_ = sectionTitle(tr("Largest products"), this);
    terms_ = makeTable({tr("Sample"), tr("y at"), tr("∂L/∂y"), tr("∂y/∂w"), tr("Product")},
                       QStringLiteral("derivationTerms"), this);
    terms_->setMinimumHeight(theme.space(50));
    for (QWidget* part : std::initializer_list<QWidget*>{note_, title_, numbers_, wayTitle_, way_,
                                                         termsTitle_, terms_})
        column->addWidget(part, part == terms_ ? 1 : 0);
    const auto restyle = [this] {
        QPalette colours = palette();
        colours.setColor(QPalette::Base, Theme::instance().color(Token::Panel));
        way_->setPalette(colours);
        terms_->setPalette(colours);
    };
    restyle();
    connect(&Theme::instance(), &Theme::changed, this, restyle);
    forget();
}

QString DerivationView::message() const {
    return note_->text();
}

void DerivationView::say(const QString& sentence) {
    note_->setText(sentence);
    note_->setVisible(!sentence.isEmpty());
}

void DerivationView::forget() {
    ++number_;
    asking_ = false;
    place_ = {};
    place_.element = -1;
    shown_.reset();
    for (QWidget* part :
         std::initializer_list<QWidget*>{title_, numbers_, wayTitle_, way_, termsTitle_, terms_})
        part->hide();
    say(tr("Click a weight in the picture or the table: its gradient, taken apart with the numbers "
           "of the batch that comes next."));
}

void DerivationView::ask(const train::WeightPlace& place, const Shape& shape) {
    place_ = place;
    shape_ = shape;
    asking_ = false;
    askAgain();
}

void DerivationView::askAgain() {
    if (asking_ || place_.element < 0) return;
    const QPointer<DerivationView> alive(this);
    const quint64 number = ++number_;
    asking_ =
        session_.deriveWeight(place_, [this, alive, number](const TrainSession::Derived& answer) {
            if (!alive || number != number_) return;
            asking_ = false;
            show(answer);
        });
    if (!asking_)
        say(session_.halt() ? tr("The run stands inside a step. Finish the step to take a weight's "
                                 "gradient apart.")
                            : tr("Train at least one step first: there is no batch to take "
                                 "numbers from."));
}

void DerivationView::show(const TrainSession::Derived& answer) {
    if (!answer.result) {
        say(answer.error);
        return;
    }
    shown_ = answer.result;
    const train::Derivation& found = *shown_;
    say({});
    title_->setText(tr("%1.%2%3 = %4")
                        .arg(QString::fromStdString(found.node),
                             QString::fromStdString(found.weight), placeText(shape_, found.element),
                             numberText(found.value)));
    numbers_->setText(
        tr("∂L/∂w = Σ ∂L/∂y · ∂y/∂w, over the %1 elements y of its output that depend on it:\n"
           "sum of the products  %2\nas training computes it  %3\nmeasured by nudging it  %4\n"
           "Batch of step %5, loss %6.%7")
            .arg(countText(found.terms), numberText(found.sum, 6), numberText(found.gradient, 6),
                 numberText(found.difference, 6), countText(answer.step), numberText(found.loss, 6),
                 found.measured ? tr(" ∂y/∂w was measured: this layer has no second derivative.")
                                : QString()));
    way_->setRowCount(int(found.way.size()));
    for (int row = 0; row < way_->rowCount(); ++row) {
        const train::ChainStation& station = found.way[std::size_t(row)];
        put(way_, row, 0, QString::fromStdString(station.node), false);
        put(way_, row, 1, numberText(station.gradient, 3), true);
        put(way_, row, 2, numberText(station.nudge, 3), true);
        put(way_, row, 3, numberText(station.product, 3), true);
    }
    const int line = Theme::instance().space(5);
    way_->setFixedHeight(std::min(int(found.way.size()), 12) * line +
                         way_->horizontalHeader()->sizeHint().height() + 2);
    terms_->setRowCount(int(found.largest.size()));
    for (int row = 0; row < terms_->rowCount(); ++row) {
        const train::ChainTerm& term = found.largest[std::size_t(row)];
        put(terms_, row, 0, term.sample < 0 ? QStringLiteral("–") : countText(term.sample), true);
        put(terms_, row, 1, placeText(found.shape, term.element), false);
        put(terms_, row, 2, numberText(term.upstream, 3), true);
        put(terms_, row, 3, numberText(term.local, 3), true);
        put(terms_, row, 4, numberText(term.product(), 3), true);
    }
    termsTitle_->setText((found.terms > std::int64_t(found.largest.size())
                              ? tr("The %1 largest products")
                              : tr("All %1 products"))
                             .arg(found.largest.size()));
    for (QWidget* part :
         std::initializer_list<QWidget*>{title_, numbers_, wayTitle_, way_, termsTitle_, terms_})
        part->setVisible(true);
}

} // namespace wiregrad::studio

#include "moc_derivation_view.cpp"
