#include "ui/theme/style.h"

#include <QDockWidget>
#include <QPainter>
#include <QStyleFactory>
#include <QStyleOption>
#include <QToolButton>

#include <cmath>

#include "ui/theme/theme.h"

namespace wiregrad::studio {

namespace {

QColor token(Token t) {
    return Theme::instance().color(t);
}

QColor mixed(const QColor& a, const QColor& b, double share) {
    const auto mix = [share](int x, int y) { return int(std::lround(x + (y - x) * share)); };
    return QColor(mix(a.red(), b.red()), mix(a.green(), b.green()), mix(a.blue(), b.blue()));
}

void roundRect(QPainter* painter, const QRect& rect, double radius, const QColor& fill,
               const QColor& line) {
    painter->save();
    painter->setRenderHint(QPainter::Antialiasing);
    painter->setPen(line.alpha() ? QPen(line, 1) : QPen(Qt::NoPen));
    painter->setBrush(fill.alpha() ? QBrush(fill) : QBrush(Qt::NoBrush));
    painter->drawRoundedRect(QRectF(rect).adjusted(0.5, 0.5, -0.5, -0.5), radius, radius);
    painter->restore();
}

/// The fill of anything that is pressed by a click.
QColor buttonFill(const QStyleOption& option) {
    const QColor base = token(Token::PanelRaised);
    if (!(option.state & QStyle::State_Enabled)) return token(Token::Panel);
    if (option.state & (QStyle::State_Sunken | QStyle::State_On))
        return mixed(base, token(Token::Accent), 0.30);
    if (option.state & QStyle::State_MouseOver) return mixed(base, token(Token::Text), 0.08);
    return base;
}

} // namespace

Style::Style() : QProxyStyle(QStyleFactory::create(QStringLiteral("Fusion"))) {}

void Style::drawControl(ControlElement element, const QStyleOption* option, QPainter* painter,
                        const QWidget* widget) const {
    switch (element) {
    case CE_ToolBar:
        painter->fillRect(option->rect, token(Token::Panel));
        return;
    case CE_MenuBarEmptyArea:
        painter->fillRect(option->rect, token(Token::Panel));
        return;
    case CE_MenuBarItem:
        if (const auto* item = qstyleoption_cast<const QStyleOptionMenuItem*>(option)) {
            painter->fillRect(item->rect, token(Token::Panel));
            const bool open = item->state & State_Sunken;
            const bool over = item->state & State_Selected;
            if (open || over)
                roundRect(painter, item->rect.adjusted(1, 2, -1, -2), 4,
                          mixed(token(Token::Panel),
                                open ? token(Token::Accent) : token(Token::Text),
                                open ? 0.35 : 0.10),
                          Qt::transparent);
            drawItemText(painter, item->rect,
                         Qt::AlignCenter | Qt::TextShowMnemonic | Qt::TextSingleLine, item->palette,
                         item->state & State_Enabled, item->text, QPalette::WindowText);
            return;
        }
        break;
    case CE_DockWidgetTitle:
        if (const auto* dock = qstyleoption_cast<const QStyleOptionDockWidget*>(option)) {
            painter->fillRect(dock->rect, token(Token::Panel));
            painter->setPen(token(Token::Border));
            painter->drawLine(dock->rect.bottomLeft(), dock->rect.bottomRight());
            painter->save();
            painter->setFont(Theme::instance().font(0.95, QFont::DemiBold));
            const int pad = Theme::instance().space(2);
            const int buttons = (dock->closable ? 1 : 0) + (dock->floatable ? 1 : 0);
            const QRect text =
                dock->rect.adjusted(pad, 0, -pad - buttons * Theme::instance().space(5), 0);
            painter->setPen(token(Token::TextMuted));
            painter->drawText(
                text, Qt::AlignVCenter | Qt::AlignLeft,
                painter->fontMetrics().elidedText(dock->title, Qt::ElideRight, text.width()));
            painter->restore();
            return;
        }
        break;
    case CE_TabBarTabShape:
        if (const auto* tab = qstyleoption_cast<const QStyleOptionTab*>(option)) {
            const bool selected = tab->state & State_Selected;
            const bool below =
                tab->shape == QTabBar::RoundedSouth || tab->shape == QTabBar::TriangularSouth;
            painter->fillRect(tab->rect,
                              selected ? token(Token::PanelRaised) : token(Token::Panel));
            if (!selected && (tab->state & State_MouseOver))
                painter->fillRect(tab->rect, mixed(token(Token::Panel), token(Token::Text), 0.06));
            if (selected) {
                const QRect r = tab->rect;
                const bool side =
                    tab->shape == QTabBar::RoundedWest || tab->shape == QTabBar::RoundedEast;
                if (side)
                    painter->fillRect(QRect(r.left(), r.top(), 2, r.height()),
                                      token(Token::Accent));
                else
                    painter->fillRect(
                        QRect(r.left(), below ? r.bottom() - 1 : r.top(), r.width(), 2),
                        token(Token::Accent));
            }
            return;
        }
        break;
    case CE_PushButtonBevel:
        if (const auto* button = qstyleoption_cast<const QStyleOptionButton*>(option)) {
            const bool main = button->features & QStyleOptionButton::DefaultButton;
            const bool flat = button->features & QStyleOptionButton::Flat;
            QColor fill = buttonFill(*button);
            QColor line = token(Token::Border);
            if (main && (button->state & State_Enabled)) {
                fill = token(Token::Accent);
                if (button->state & State_Sunken)
                    fill = mixed(fill, token(Token::Panel), 0.25);
                else if (button->state & State_MouseOver)
                    fill = mixed(fill, token(Token::Text), 0.12);
                line = fill;
            }
            if (flat && !(button->state & (State_Sunken | State_On | State_MouseOver))) return;
            roundRect(painter, button->rect, 5, fill, line);
            if (button->features & QStyleOptionButton::HasMenu) {
                QStyleOption arrow = *button;
                arrow.rect =
                    QRect(button->rect.right() - 18, button->rect.top(), 12, button->rect.height());
                proxy()->drawPrimitive(PE_IndicatorArrowDown, &arrow, painter, widget);
            }
            return;
        }
        break;
    case CE_PushButtonLabel:
        if (const auto* button = qstyleoption_cast<const QStyleOptionButton*>(option)) {
            QStyleOptionButton copy = *button;
            if ((button->features & QStyleOptionButton::DefaultButton) &&
                (button->state & State_Enabled))
                copy.palette.setColor(QPalette::ButtonText, token(Token::AccentText));
            QProxyStyle::drawControl(element, &copy, painter, widget);
            return;
        }
        break;
    case CE_ProgressBarGroove:
        roundRect(painter, option->rect, 3, token(Token::Window), token(Token::Border));
        return;
    case CE_ProgressBarContents:
        if (const auto* bar = qstyleoption_cast<const QStyleOptionProgressBar*>(option)) {
            QRect rect = bar->rect.adjusted(1, 1, -1, -1);
            if (bar->maximum > bar->minimum) {
                const double share =
                    double(bar->progress - bar->minimum) / double(bar->maximum - bar->minimum);
                rect.setWidth(int(std::lround(rect.width() * std::clamp(share, 0.0, 1.0))));
                if (rect.width() > 1)
                    roundRect(painter, rect, 2.5,
                              mixed(token(Token::Accent), token(Token::Panel), 0.45),
                              Qt::transparent); // text is read on it
            } else {
                roundRect(painter, rect, 2.5, mixed(token(Token::Accent), token(Token::Panel), 0.7),
                          Qt::transparent);
            }
            return;
        }
        break;
    case CE_ProgressBarLabel:
        if (const auto* bar = qstyleoption_cast<const QStyleOptionProgressBar*>(option)) {
            painter->setPen(token(Token::Text));
            painter->drawText(bar->rect, Qt::AlignCenter, bar->text);
            return;
        }
        break;
    case CE_HeaderSection:
        painter->fillRect(option->rect, token(Token::Panel));
        painter->setPen(token(Token::Border));
        painter->drawLine(option->rect.bottomLeft(), option->rect.bottomRight());
        return;
    case CE_Splitter:
        painter->fillRect(option->rect, token(Token::Panel));
        return;
    default:
        break;
    }
    QProxyStyle::drawControl(element, option, painter, widget);
}

void Style::drawPrimitive(PrimitiveElement element, const QStyleOption* option, QPainter* painter,
                          const QWidget* widget) const {
    switch (element) {
    case PE_PanelButtonTool: {
        const bool active = option->state & (State_Sunken | State_On);
        const bool over = (option->state & State_MouseOver) && (option->state & State_Enabled);
        if (active || over)
            roundRect(painter, option->rect, 4, buttonFill(*option),
                      active ? mixed(token(Token::Border), token(Token::Accent), 0.5)
                             : token(Token::Border));
        return;
    }
    case PE_PanelLineEdit:
    case PE_FrameLineEdit: {
        const bool focus = option->state & State_HasFocus;
        const QColor line = focus ? token(Token::Accent) : token(Token::Border);
        if (element == PE_FrameLineEdit) {
            roundRect(painter, option->rect, 4, Qt::transparent, line);
            return;
        }
        const auto* frame = qstyleoption_cast<const QStyleOptionFrame*>(option);
        const bool framed = frame && frame->lineWidth > 0;
        if (framed)
            roundRect(painter, option->rect, 4, option->palette.color(QPalette::Base), line);
        else
            painter->fillRect(option->rect.adjusted(1, 1, -1, -1),
                              option->palette.color(QPalette::Base));
        return;
    }
    case PE_IndicatorDockWidgetResizeHandle: {
        painter->fillRect(option->rect, token(Token::Window));
        return;
    }
    case PE_FrameStatusBarItem:
        return;
    case PE_PanelStatusBar:
        painter->fillRect(option->rect, token(Token::Panel));
        painter->setPen(token(Token::Border));
        painter->drawLine(option->rect.topLeft(), option->rect.topRight());
        return;
    case PE_FrameTabBarBase:
        painter->setPen(token(Token::Border));
        painter->drawLine(option->rect.topLeft(), option->rect.topRight());
        return;
    case PE_FrameDockWidget:
        return;
    case PE_IndicatorToolBarSeparator: {
        const QPoint c = option->rect.center();
        painter->setPen(token(Token::Border));
        if (option->state & State_Horizontal)
            painter->drawLine(c.x(), option->rect.top() + 5, c.x(), option->rect.bottom() - 5);
        else
            painter->drawLine(option->rect.left() + 5, c.y(), option->rect.right() - 5, c.y());
        return;
    }
    default:
        break;
    }
    QProxyStyle::drawPrimitive(element, option, painter, widget);
}

void Style::drawComplexControl(ComplexControl control, const QStyleOptionComplex* option,
                               QPainter* painter, const QWidget* widget) const {
    if (control == CC_ScrollBar) {
        if (const auto* bar = qstyleoption_cast<const QStyleOptionSlider*>(option)) {
            painter->fillRect(bar->rect, token(Token::Panel));
            if (bar->maximum <= bar->minimum) return;
            QRect handle = proxy()->subControlRect(CC_ScrollBar, bar, SC_ScrollBarSlider, widget);
            handle.adjust(2, 2, -2, -2);
            const bool active =
                (bar->state & State_MouseOver) || (bar->activeSubControls & SC_ScrollBarSlider);
            roundRect(painter, handle, std::min(handle.width(), handle.height()) / 2.0,
                      mixed(token(Token::Panel), token(Token::TextMuted), active ? 0.75 : 0.45),
                      Qt::transparent);
            return;
        }
    }
    QProxyStyle::drawComplexControl(control, option, painter, widget);
}

int Style::pixelMetric(PixelMetric metric, const QStyleOption* option,
                       const QWidget* widget) const {
    const Theme& theme = Theme::instance();
    switch (metric) {
    case PM_ToolBarIconSize:
        return theme.space(5);
    case PM_SmallIconSize:
        return theme.space(4);
    case PM_ToolBarItemSpacing:
        return theme.space(1) / 2;
    case PM_ToolBarItemMargin:
        return theme.space(1);
    case PM_ToolBarFrameWidth:
        return 0;
    case PM_DockWidgetTitleMargin:
        return theme.space(1);
    case PM_DockWidgetFrameWidth:
        return 0;
    case PM_DockWidgetSeparatorExtent:
        return theme.space(1);
    case PM_ScrollBarExtent:
        return theme.space(3);
    case PM_MenuBarPanelWidth:
        return 0;
    case PM_TabBarTabHSpace:
        return theme.space(6);
    case PM_TabBarTabVSpace:
        return theme.space(2);
    case PM_TabBarBaseOverlap:
    case PM_TabBarTabOverlap:
        return 0;
    default:
        return QProxyStyle::pixelMetric(metric, option, widget);
    }
}

int Style::styleHint(StyleHint hint, const QStyleOption* option, const QWidget* widget,
                     QStyleHintReturn* data) const {
    switch (hint) {
    case SH_DockWidget_ButtonsHaveFrame:
        return 0;
    case SH_EtchDisabledText:
    case SH_DitherDisabledText:
        return 0;
    case SH_ToolTip_WakeUpDelay:
        return 500;
    case SH_Slider_AbsoluteSetButtons:
        return Qt::LeftButton;
    default:
        return QProxyStyle::styleHint(hint, option, widget, data);
    }
}

QSize Style::sizeFromContents(ContentsType type, const QStyleOption* option, const QSize& size,
                              const QWidget* widget) const {
    QSize result = QProxyStyle::sizeFromContents(type, option, size, widget);
    const Theme& theme = Theme::instance();
    switch (type) {
    case CT_PushButton:
        result.setHeight(std::max(result.height(), theme.space(7)));
        break;
    case CT_MenuBarItem:
        result += QSize(theme.space(1), theme.space(1));
        break;
    case CT_LineEdit:
        result.setHeight(std::max(result.height(), theme.space(6)));
        break;
    default:
        break;
    }
    return result;
}

QIcon Style::standardIcon(StandardPixmap pixmap, const QStyleOption* option,
                          const QWidget* widget) const {
    switch (pixmap) {
    case SP_TitleBarCloseButton:
    case SP_DockWidgetCloseButton:
        return Theme::instance().icon(QStringLiteral("close"));
    case SP_TitleBarNormalButton:
        return Theme::instance().icon(QStringLiteral("float"));
    case SP_LineEditClearButton:
        return Theme::instance().icon(QStringLiteral("close"));
    default:
        return QProxyStyle::standardIcon(pixmap, option, widget);
    }
}

} // namespace wiregrad::studio

#include "moc_style.cpp"
