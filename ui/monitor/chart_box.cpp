#include "ui/monitor/chart_box.h"

#include <QCloseEvent>
#include <QHBoxLayout>
#include <QPointer>
#include <QVBoxLayout>

#include <algorithm>

#include "ui/panels/parts.h"
#include "ui/theme/theme.h"

namespace wiregrad::studio {

namespace {

/// Holds one chart outside the monitor, and gives it back when it is closed.
class ChartWindow : public QWidget {
  public:
    ChartWindow(ChartBox* box, ChartGrid* home)
        : QWidget(home->window(), Qt::Window), box_(box), home_(home) {
        setAttribute(Qt::WA_DeleteOnClose);
        setBackground(this, Token::PlotBackground);
        setWindowTitle(box->plot()->title());
        setObjectName(QStringLiteral("chartWindow.") + box->id());
        auto* column = new QVBoxLayout(this);
        const int margin = Theme::instance().space(3);
        column->setContentsMargins(margin, margin, margin, margin);
        column->addWidget(box);
        box->show();
        resize(720, 420);
    }

  protected:
    void closeEvent(QCloseEvent* event) override {
        if (box_ && home_) home_->add(box_);
        QWidget::closeEvent(event);
    }

  private:
    QPointer<ChartBox> box_;
    QPointer<ChartGrid> home_;
};

} // namespace

ChartBox::ChartBox(const QString& id, const QString& title, bool closable, QWidget* parent)
    : QWidget(parent), id_(id), plot_(new CurvePlot(title, this)),
      legend_(new PlotLegend(*plot_, this)) {
    setObjectName(QStringLiteral("chart.") + id);
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(0);
    auto* head = new QHBoxLayout;
    head->setSpacing(0);
    head->addWidget(legend_, 1);
    QToolButton* out =
        iconButton(QStringLiteral("float"), tr("Show this chart in a window of its own"), this);
    out->setObjectName(QStringLiteral("popOut"));
    head->addWidget(out);
    connect(out, &QToolButton::clicked, this, &ChartBox::popOutAsked);
    if (closable) {
        QToolButton* close = iconButton(QStringLiteral("close"), tr("Close this chart"), this);
        close->setObjectName(QStringLiteral("close"));
        head->addWidget(close);
        connect(close, &QToolButton::clicked, this, &ChartBox::closeAsked);
    }
    column->addLayout(head);
    column->addWidget(plot_, 1);
}

void ChartBox::refresh() {
    plot_->refresh();
    legend_->refresh();
}

ChartGrid::ChartGrid(QWidget* parent) : QWidget(parent), grid_(new QGridLayout(this)) {
    grid_->setContentsMargins(0, 0, 0, 0);
    grid_->setHorizontalSpacing(Theme::instance().space(5));
    grid_->setVerticalSpacing(Theme::instance().space(2));
}

ChartGrid::~ChartGrid() {
    // The boxes die after boxes_, and must not ask for it then.
    for (ChartBox* box : boxes_)
        disconnect(box, nullptr, this, nullptr);
}

void ChartGrid::add(ChartBox* box) {
    if (std::find(boxes_.begin(), boxes_.end(), box) == boxes_.end()) {
        boxes_.push_back(box);
        connect(box, &ChartBox::popOutAsked, this, [this, box] { popOut(box); });
        connect(box, &QObject::destroyed, this, [this, box] { std::erase(boxes_, box); });
    }
    box->setParent(this);
    box->show();
    columns_ = 0;
    place();
}

void ChartGrid::remove(ChartBox* box) {
    std::erase(boxes_, box);
    disconnect(box, nullptr, this, nullptr);
    grid_->removeWidget(box);
    if (isOut(box)) {
        QWidget* window = box->parentWidget();
        box->setParent(this);
        window->deleteLater();
    }
    box->hide();
    columns_ = 0;
    place();
}

bool ChartGrid::isOut(const ChartBox* box) const {
    return box->parentWidget() != this;
}

void ChartGrid::popOut(ChartBox* box) {
    if (isOut(box)) {
        box->parentWidget()->close();
        return;
    }
    grid_->removeWidget(box);
    auto* window = new ChartWindow(box, this);
    window->show();
    columns_ = 0;
    place();
}

void ChartGrid::place() {
    std::vector<ChartBox*> here;
    std::copy_if(boxes_.begin(), boxes_.end(), std::back_inserter(here),
                 [this](const ChartBox* box) { return !isOut(box); });
    const int count = int(here.size());
    if (count == 0) return;
    const Theme& theme = Theme::instance();
    const int wide = std::max(1, width() / theme.space(64)),
              tall = std::max(1, height() / theme.space(24));
    // As few rows as the width allows; more columns than are comfortable only where rows would be
    // too low to read.
    int columns = std::clamp(wide, 1, count);
    while (columns < count && (count + columns - 1) / columns > tall)
        ++columns;
    // Rows of equal length where that is possible.
    const int rows = (count + columns - 1) / columns;
    columns = (count + rows - 1) / rows;
    if (columns == columns_) return;
    for (ChartBox* box : here)
        grid_->removeWidget(box);
    for (int i = 0; i < std::max(grid_->rowCount(), rows); ++i)
        grid_->setRowStretch(i, i < rows ? 1 : 0);
    for (int i = 0; i < std::max(grid_->columnCount(), columns); ++i)
        grid_->setColumnStretch(i, i < columns ? 1 : 0);
    for (int i = 0; i < count; ++i)
        grid_->addWidget(here[std::size_t(i)], i / columns, i % columns);
    columns_ = columns;
}

void ChartGrid::resizeEvent(QResizeEvent* event) {
    QWidget::resizeEvent(event);
    place();
}

} // namespace wiregrad::studio
