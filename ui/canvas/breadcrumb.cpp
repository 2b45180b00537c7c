#include "ui/canvas/breadcrumb.h"

#include <QHBoxLayout>
#include <QLabel>
#include <QPainter>
#include <QToolButton>

#include "session/sheet.h"
#include "ui/theme/theme.h"

namespace wiregrad::studio {

Breadcrumb::Breadcrumb(Sheet& sheet, QWidget* parent)
    : QWidget(parent), sheet_(sheet), row_(new QHBoxLayout(this)) {
    setObjectName(QStringLiteral("canvas.breadcrumb"));
    setAccessibleName(tr("Where this group stands"));
    row_->setContentsMargins(8, 2, 8, 2);
    row_->setSpacing(0);
    move(10, 10);
    hide();
    connect(&sheet, &Sheet::levelChanged, this, &Breadcrumb::refresh);
    // Names of groups change while one looks at them.
    connect(&sheet, &Sheet::analysed, this, &Breadcrumb::refresh);
}

void Breadcrumb::refresh() {
    const QStringList titles = sheet_.titles();
    setVisible(!titles.isEmpty());
    if (titles.isEmpty()) return;
    QStringList shown{sheet_.document().title()};
    shown += titles;
    if (property("shown").toStringList() == shown) return;
    setProperty("shown", shown);
    while (QLayoutItem* item = row_->takeAt(0)) {
        if (item->widget()) item->widget()->deleteLater();
        delete item;
    }
    for (int level = 0; level < shown.size(); ++level) {
        if (level > 0) {
            auto* mark = new QLabel(QStringLiteral("›"), this);
            mark->setForegroundRole(QPalette::PlaceholderText);
            row_->addWidget(mark);
        }
        auto* button = new QToolButton(this);
        button->setObjectName(QStringLiteral("canvas.breadcrumb.%1").arg(level));
        button->setAutoRaise(true);
        button->setText(fontMetrics().elidedText(shown[level], Qt::ElideMiddle, 180));
        button->setFocusPolicy(Qt::TabFocus);
        if (level + 1 == shown.size()) {
            QFont bold = button->font();
            bold.setBold(true);
            button->setFont(bold);
            button->setAccessibleName(tr("%1, shown here").arg(shown[level]));
        } else {
            button->setToolTip(tr("Go back to %1").arg(shown[level]));
        }
        connect(button, &QToolButton::clicked, this, [this, level] {
            auto groups = sheet_.groups();
            groups.resize(std::min<std::size_t>(groups.size(), static_cast<std::size_t>(level)));
            sheet_.goTo(groups);
            if (parentWidget()) parentWidget()->setFocus();
        });
        row_->addWidget(button);
        button->show();
    }
    adjustSize();
    raise();
}

void Breadcrumb::paintEvent(QPaintEvent*) {
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setPen(Theme::instance().color(Token::Border));
    painter.setBrush(Theme::instance().color(Token::PanelRaised));
    painter.drawRoundedRect(QRectF(rect()).adjusted(0.5, 0.5, -0.5, -0.5), 6, 6);
}

} // namespace wiregrad::studio
