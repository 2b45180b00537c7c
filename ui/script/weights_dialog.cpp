#include "ui/script/weights_dialog.h"

#include <QComboBox>
#include <QDialogButtonBox>
#include <QHeaderView>
#include <QPushButton>
#include <QSet>
#include <QTableWidget>
#include <QVBoxLayout>

#include <map>

#include "nodes/compile.h"
#include "nodes/import/weights.h"
#include "ui/panels/format.h"
#include "ui/panels/parts.h"

namespace wiregrad::studio {

WeightsDialog::WeightsDialog(const graph::Graph& graph, std::vector<nn::NamedTensor> tensors,
                             const QString& file, QWidget* parent)
    : QDialog(parent), theirs_(std::move(tensors)) {
    const Theme& theme = Theme::instance();
    setObjectName(QStringLiteral("weightsDialog"));
    setWindowTitle(tr("Weights of %1").arg(file));
    for (const nn::NamedTensor& weight : graph::compile_model(graph)->module().state())
        if (!weight.name.ends_with("num_batches_tracked")) ours_.push_back(weight);
    std::map<std::string, std::string> chosen;
    for (const auto& pair : graph::match_weights(graph, theirs_).pairs)
        chosen[pair.ours] = pair.theirs;
    for (const auto& [own, other] : graph::suggest_renames(graph, theirs_))
        chosen.emplace(own, other);

    auto* column = new QVBoxLayout(this);
    auto* text = new TextLabel(tr("The names in the file are not those of the network. Choose for "
                                  "each weight the tensor that it takes; only those of its shape "
                                  "are offered."),
                               Token::Text, 1.0, QFont::Normal, this);
    text->setWordWrap(true);
    column->addWidget(text);
    table_ = new QTableWidget(int(ours_.size()), 3, this);
    table_->setObjectName(QStringLiteral("weightsDialog.table"));
    table_->setHorizontalHeaderLabels({tr("Weight"), tr("Shape"), tr("In the file")});
    table_->verticalHeader()->hide();
    table_->setEditTriggers(QAbstractItemView::NoEditTriggers);
    table_->setSelectionMode(QAbstractItemView::NoSelection);
    for (std::size_t i = 0; i < ours_.size(); ++i) {
        const nn::NamedTensor& weight = ours_[i];
        table_->setItem(int(i), 0, new QTableWidgetItem(QString::fromStdString(weight.name)));
        table_->setItem(int(i), 1, new QTableWidgetItem(shapeText(weight.tensor.shape())));
        auto* box = new QComboBox(table_);
        box->setAccessibleName(tr("Tensor for %1").arg(QString::fromStdString(weight.name)));
        box->addItem(tr("– none –"), QString());
        for (const nn::NamedTensor& tensor : theirs_)
            if (graph::shapes_fit(weight, tensor)) {
                const QString name = QString::fromStdString(tensor.name);
                box->addItem(name, name);
            }
        if (const auto found = chosen.find(weight.name); found != chosen.end())
            box->setCurrentIndex(std::max(0, box->findData(QString::fromStdString(found->second))));
        connect(box, &QComboBox::currentIndexChanged, this, [this] { refresh(); });
        table_->setCellWidget(int(i), 2, box);
    }
    table_->resizeColumnsToContents();
    table_->horizontalHeader()->setStretchLastSection(true);
    column->addWidget(table_, 1);
    state_ = new TextLabel({}, Token::TextMuted, 1.0, QFont::Normal, this);
    state_->setWordWrap(true);
    column->addWidget(state_);
    auto* buttons = new QDialogButtonBox(QDialogButtonBox::Cancel, this);
    take_ = buttons->addButton(tr("Take them over"), QDialogButtonBox::AcceptRole);
    take_->setObjectName(QStringLiteral("weightsDialog.take"));
    connect(buttons, &QDialogButtonBox::accepted, this, &QDialog::accept);
    connect(buttons, &QDialogButtonBox::rejected, this, &QDialog::reject);
    column->addWidget(buttons);
    resize(theme.space(160), theme.space(110));
    refresh();
}

int WeightsDialog::rows() const {
    return table_->rowCount();
}

QComboBox* WeightsDialog::choice(int row) const {
    return static_cast<QComboBox*>(table_->cellWidget(row, 2));
}

std::vector<std::pair<std::string, std::string>> WeightsDialog::renames() const {
    std::vector<std::pair<std::string, std::string>> result;
    for (int row = 0; row < rows(); ++row)
        if (const QString theirs = choice(row)->currentData().toString(); !theirs.isEmpty())
            result.emplace_back(ours_[std::size_t(row)].name, theirs.toStdString());
    return result;
}

bool WeightsDialog::complete() const {
    return renames().size() == ours_.size();
}

void WeightsDialog::refresh() {
    QSet<QString> used;
    int missing = 0, twice = 0;
    for (int row = 0; row < rows(); ++row) {
        const QString theirs = choice(row)->currentData().toString();
        if (theirs.isEmpty())
            ++missing;
        else if (used.contains(theirs))
            ++twice;
        used.insert(theirs);
    }
    used.remove(QString());
    const int left = int(theirs_.size()) - int(used.size());
    QStringList parts;
    if (missing > 0) parts << tr("%n weights have no tensor yet", nullptr, missing);
    if (twice > 0) parts << tr("%n tensors are taken more than once", nullptr, twice);
    if (left > 0) parts << tr("%n tensors of the file are left over", nullptr, left);
    state_->setText(parts.isEmpty() ? tr("Every weight has its tensor.")
                                    : parts.join(QStringLiteral("; ")) + QLatin1Char('.'));
    state_->setToken(missing + twice > 0 ? Token::Warning : Token::TextMuted);
    take_->setEnabled(missing == 0);
}

} // namespace wiregrad::studio

#include "moc_weights_dialog.cpp"
