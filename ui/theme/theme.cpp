#include "ui/theme/theme.h"

#include <QApplication>
#include <QFontDatabase>
#include <QFontMetricsF>
#include <QPalette>

#include <cmath>

#include "ui/theme/icon_engine.h"
#include "ui/theme/style.h"
#include "ui/theme/tokens.h"

// Q_INIT_RESOURCE must be called outside every namespace.
static void initResources() {
    Q_INIT_RESOURCE(wiregrad_icons);
}

namespace wiregrad::studio {

namespace {

QColor blend(const QColor& a, const QColor& b, double share) {
    const auto mix = [share](int x, int y) { return int(std::lround(x + (y - x) * share)); };
    return QColor(mix(a.red(), b.red()), mix(a.green(), b.green()), mix(a.blue(), b.blue()));
}

QPalette makePalette(const Theme& theme) {
    const auto c = [&theme](Token token) { return theme.color(token); };
    QPalette p;
    p.setColor(QPalette::Window, c(Token::Panel));
    p.setColor(QPalette::WindowText, c(Token::Text));
    p.setColor(QPalette::Base, c(Token::PanelRaised));
    p.setColor(QPalette::AlternateBase, blend(c(Token::PanelRaised), c(Token::Text), 0.04));
    p.setColor(QPalette::Text, c(Token::Text));
    p.setColor(QPalette::PlaceholderText, c(Token::TextMuted));
    p.setColor(QPalette::Button, c(Token::PanelRaised));
    p.setColor(QPalette::ButtonText, c(Token::Text));
    p.setColor(QPalette::BrightText, c(Token::AccentText));
    p.setColor(QPalette::Highlight, c(Token::Accent));
    p.setColor(QPalette::HighlightedText, c(Token::AccentText));
    p.setColor(QPalette::Link, c(Token::Accent));
    p.setColor(QPalette::LinkVisited, c(Token::Accent));
    p.setColor(QPalette::ToolTipBase, c(Token::PanelRaised));
    p.setColor(QPalette::ToolTipText, c(Token::Text));
    p.setColor(QPalette::Light, blend(c(Token::Panel), c(Token::Text), 0.10));
    p.setColor(QPalette::Midlight, blend(c(Token::Panel), c(Token::Text), 0.06));
    p.setColor(QPalette::Mid, c(Token::Border));
    p.setColor(QPalette::Dark, c(Token::Border));
    p.setColor(QPalette::Shadow, theme.isDark() ? QColor(0, 0, 0) : QColor(120, 128, 140));
    const QColor faded = blend(c(Token::TextMuted), c(Token::Panel), 0.45);
    for (const auto role : {QPalette::WindowText, QPalette::Text, QPalette::ButtonText})
        p.setColor(QPalette::Disabled, role, faded);
    p.setColor(QPalette::Disabled, QPalette::Base, c(Token::Panel));
    p.setColor(QPalette::Disabled, QPalette::Button, c(Token::Panel));
    p.setColor(QPalette::Disabled, QPalette::Highlight, c(Token::Border));
    return p;
}

bool desktopIsDark() {
    // Asked once, before apply() replaces the palette with ours.
    static const bool dark = QGuiApplication::palette().color(QPalette::Window).lightness() < 128;
    return dark;
}

} // namespace

Theme::Theme() {
    initResources();
    dark_ = desktopIsDark();
}

Theme& Theme::instance() {
    static Theme theme;
    return theme;
}

void Theme::apply(const QString& name) {
    dark_ = name == QLatin1String("dark") || (name != QLatin1String("light") && desktopIsDark());
    if (auto* app = qobject_cast<QApplication*>(QCoreApplication::instance())) {
        if (!dynamic_cast<Style*>(app->style())) app->setStyle(new Style);
        app->setPalette(makePalette(*this));
    }
    emit changed();
}

bool Theme::isDark() const {
    return dark_;
}

QColor Theme::color(Token token) const {
    return QColor::fromRgba(tokenTable(dark_)[std::size_t(token)]);
}

QColor Theme::category(const QString& category) const {
    for (std::size_t i = 0; i < std::size(graph::kCategories); ++i)
        if (category == QLatin1String(graph::kCategories[i]))
            return QColor::fromRgba(categoryTable(dark_)[i]);
    return color(Token::TextMuted);
}

QColor Theme::wire(graph::PortKind kind) const {
    switch (kind) {
    case graph::PortKind::Labels:
        return color(Token::WireLabels);
    case graph::PortKind::Loss:
        return color(Token::WireLoss);
    case graph::PortKind::Tensor:
        break;
    }
    return color(Token::WireTensor);
}

QIcon Theme::icon(const QString& name) const {
    if (name == QLatin1String("wiregrad")) // the emblem keeps its own colours
        return QIcon(QStringLiteral(":/icons/wiregrad.svg"));
    return QIcon(new IconEngine(QStringLiteral(":/icons/%1.svg").arg(name), [](QIcon::Mode mode) {
        const Theme& theme = Theme::instance();
        if (mode == QIcon::Disabled)
            return blend(theme.color(Token::TextMuted), theme.color(Token::Panel), 0.55);
        return theme.color(mode == QIcon::Selected ? Token::AccentText : Token::Text);
    }));
}

QIcon Theme::categoryIcon(const QString& category) const {
    return QIcon(new IconEngine(QStringLiteral(":/icons/cat-%1.svg").arg(category.toLower()),
                                [category](QIcon::Mode mode) {
                                    const Theme& theme = Theme::instance();
                                    return mode == QIcon::Selected ? theme.color(Token::AccentText)
                                                                   : theme.category(category);
                                }));
}

QFont Theme::font(double relativeSize, int weight) const {
    QFont font = QApplication::font();
    if (font.pointSizeF() > 0)
        font.setPointSizeF(font.pointSizeF() * relativeSize);
    else
        font.setPixelSize(std::max(1, int(std::lround(font.pixelSize() * relativeSize))));
    font.setWeight(QFont::Weight(weight));
    return font;
}

QFont Theme::monospace(double relativeSize) const {
    QFont font = QFontDatabase::systemFont(QFontDatabase::FixedFont);
    const QFont base = QApplication::font();
    if (base.pointSizeF() > 0)
        font.setPointSizeF(base.pointSizeF() * relativeSize);
    else
        font.setPixelSize(std::max(1, int(std::lround(base.pixelSize() * relativeSize))));
    return font;
}

int Theme::space(int steps) const {
    // 4 px belong to a line height of 16 px; larger fonts get larger gaps.
    const double unit = std::max(4.0, 4.0 * QFontMetricsF(QApplication::font()).height() / 16.0);
    return int(std::lround(unit * steps));
}

} // namespace wiregrad::studio

#include "moc_theme.cpp"
