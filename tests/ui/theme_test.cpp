// Icons are really there, text is readable, and categories are told apart with colour-blind eyes.
#include <QTest>

#include <array>
#include <cmath>

#include "ui/theme/theme.h"
#include "ui/window/actions.h"

using namespace wiregrad;
using namespace wiregrad::studio;

namespace {

using Vec = std::array<double, 3>;

double linear(double c) {
    return c <= 0.04045 ? c / 12.92 : std::pow((c + 0.055) / 1.055, 2.4);
}

Vec linearRgb(const QColor& c) {
    return {linear(c.redF()), linear(c.greenF()), linear(c.blueF())};
}

double luminance(const QColor& c) {
    const Vec l = linearRgb(c);
    return 0.2126 * l[0] + 0.7152 * l[1] + 0.0722 * l[2];
}

/// WCAG 2 contrast ratio.
double contrast(const QColor& a, const QColor& b) {
    const double x = luminance(a), y = luminance(b);
    return (std::max(x, y) + 0.05) / (std::min(x, y) + 0.05);
}

using Matrix = std::array<Vec, 3>;
// Normal sight, protanopia, deuteranopia, tritanopia (Machado, Oliveira, Fernandes 2009, severity
// 1), on linear RGB.
constexpr std::array<Matrix, 4> kSights = {{
    {{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}},
    {{{0.152286, 1.052583, -0.204868},
      {0.114503, 0.786281, 0.099216},
      {-0.003882, -0.048116, 1.051998}}},
    {{{0.367322, 0.860646, -0.227968},
      {0.280085, 0.672501, 0.047413},
      {-0.011820, 0.042940, 0.968881}}},
    {{{1.255528, -0.076749, -0.178779},
      {-0.078411, 0.930809, 0.147602},
      {0.004733, 0.691367, 0.303900}}},
}};

Vec times(const Matrix& m, const Vec& v) {
    Vec r{};
    for (std::size_t i = 0; i < 3; ++i)
        r[i] = m[i][0] * v[0] + m[i][1] * v[1] + m[i][2] * v[2];
    return r;
}

Vec lab(Vec rgb) {
    for (double& c : rgb)
        c = std::clamp(c, 0.0, 1.0);
    const Matrix xyz = {{{0.4124564, 0.3575761, 0.1804375},
                         {0.2126729, 0.7151522, 0.0721750},
                         {0.0193339, 0.1191920, 0.9503041}}};
    Vec v = times(xyz, rgb);
    const Vec white = times(xyz, {1, 1, 1});
    for (std::size_t i = 0; i < 3; ++i) {
        const double t = v[i] / white[i];
        v[i] = t > 0.008856 ? std::cbrt(t) : 7.787 * t + 16.0 / 116.0;
    }
    return {116 * v[1] - 16, 500 * (v[0] - v[1]), 200 * (v[1] - v[2])};
}

} // namespace

class ThemeTest : public QObject {
    Q_OBJECT

  private slots:
    void themes_data() {
        QTest::addColumn<QString>("name");
        QTest::newRow("light") << "light";
        QTest::newRow("dark") << "dark";
    }

    void categoriesAreToldApart_data() { themes_data(); }
    void categoriesAreToldApart() {
        QFETCH(QString, name);
        Theme::instance().apply(name);
        for (std::size_t sight = 0; sight < kSights.size(); ++sight)
            for (const char* a : graph::kCategories)
                for (const char* b : graph::kCategories) {
                    if (a == b) continue;
                    const Vec x =
                        lab(times(kSights[sight], linearRgb(Theme::instance().category(a))));
                    const Vec y =
                        lab(times(kSights[sight], linearRgb(Theme::instance().category(b))));
                    const double d = std::hypot(x[0] - y[0], x[1] - y[1], x[2] - y[2]);
                    QVERIFY2(d >= 15, qPrintable(QStringLiteral("%1 and %2, sight %3: %4")
                                                     .arg(a)
                                                     .arg(b)
                                                     .arg(sight)
                                                     .arg(d)));
                }
    }

    void textIsReadable_data() { themes_data(); }
    void textIsReadable() {
        QFETCH(QString, name);
        Theme::instance().apply(name);
        const auto ratio = [](Token a, Token b) {
            return contrast(Theme::instance().color(a), Theme::instance().color(b));
        };
        for (const Token ground : {Token::Panel, Token::PanelRaised, Token::Window}) {
            QVERIFY(ratio(Token::Text, ground) >= 7);
            QVERIFY(ratio(Token::TextMuted, ground) >= 4.5);
        }
        QVERIFY(ratio(Token::NodeText, Token::NodeBody) >= 7);
        QVERIFY(ratio(Token::NodeTextMuted, Token::NodeBody) >= 4.5);
        QVERIFY(ratio(Token::AccentText, Token::Accent) >= 4.5);
        for (const Token sign : {Token::Error, Token::Warning, Token::Info, Token::Success})
            QVERIFY(ratio(sign, Token::PanelRaised) >= 4.5);
        for (const Token line :
             {Token::WireTensor, Token::WireLabels, Token::WireLoss, Token::Selection})
            QVERIFY2(ratio(line, Token::Canvas) >= 3,
                     qPrintable(QString::number(ratio(line, Token::Canvas))));
        for (const Token curve : {Token::Curve1, Token::Curve2, Token::Curve3, Token::Curve4,
                                  Token::Curve5, Token::Curve6})
            QVERIFY(ratio(curve, Token::PlotBackground) >= 3);
        for (const char* category : graph::kCategories)
            QVERIFY2(contrast(Theme::instance().category(category),
                              Theme::instance().color(Token::NodeBody)) >= 2.5,
                     category);
    }

    void iconsAreThereAndFollowTheTheme() {
        const auto ink = [](const QIcon& icon) {
            const QImage image = icon.pixmap(24, 24).toImage();
            double dark = 0;
            int inked = 0;
            for (int y = 0; y < image.height(); ++y)
                for (int x = 0; x < image.width(); ++x)
                    if (image.pixelColor(x, y).alpha() > 200) {
                        ++inked;
                        dark += image.pixelColor(x, y).lightnessF();
                    }
            return std::pair(inked, inked ? dark / inked : 0.0);
        };
        const QIcon run = Theme::instance().icon("run");
        Theme::instance().apply("light");
        const auto light = ink(run);
        Theme::instance().apply("dark");
        const auto dark = ink(run);
        QVERIFY(light.first > 40);
        QCOMPARE(light.first, dark.first);
        QVERIFY(dark.second - light.second > 0.4);
        for (const char* category : graph::kCategories)
            QVERIFY2(ink(Theme::instance().categoryIcon(category)).first > 10, category);
    }

    void anActionIsItsId() {
        Actions actions;
        int called = 0;
        QAction* run = actions.add({.id = "run.start",
                                    .text = "Run",
                                    .icon = "run",
                                    .shortcuts = {QKeySequence("Ctrl+Return")},
                                    .help = "Trains the network"},
                                   [&called] { ++called; });
        QCOMPARE(run->objectName(), QString("run.start"));
        QCOMPARE(actions.action("run.start"), run);
        QVERIFY(!actions.action("run.nothing"));
        run->trigger();
        QCOMPARE(called, 1);
        QTest::ignoreMessage(QtWarningMsg, QRegularExpression("taken by run.start"));
        actions.add({.id = "other", .text = "Other", .shortcuts = {QKeySequence("Ctrl+Return")}},
                    {});
        QCOMPARE(actions.all().size(), 2);
    }
};

QTEST_MAIN(ThemeTest)
#include "theme_test.moc"
