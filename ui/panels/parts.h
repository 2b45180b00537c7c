// Small widgets that every panel is made of: themed text, section titles, rules, empty states.
// They follow Theme::changed by themselves. GUI thread.
#pragma once

#include <QFont>
#include <QLabel>
#include <QString>
#include <QToolButton>
#include <QWidget>

#include "ui/theme/theme.h"

namespace wiregrad::studio {

/// Text in a colour token; plain text always, wrapped when asked. `weight` is a QFont weight.
class TextLabel : public QLabel {
    Q_OBJECT

  public:
    explicit TextLabel(const QString& text = {}, Token color = Token::Text,
                       double relativeSize = 1.0, int weight = QFont::Normal,
                       QWidget* parent = nullptr);
    void setToken(Token color);
    void setMonospace(bool on);

  private:
    void refresh();
    Token color_;
    double size_;
    int weight_;
    bool monospace_ = false;
};

/// An icon of the theme at text height, tinted; repainted when the theme changes.
class IconLabel : public QLabel {
    Q_OBJECT

  public:
    IconLabel(const QString& icon, Token tint, int pixels, QWidget* parent = nullptr);
    void setIcon(const QString& icon, Token tint);

  private:
    void refresh();
    QString icon_;
    Token tint_;
    int pixels_;
};

/// "TRAINING" in small muted letters above a group of rows.
TextLabel* sectionTitle(const QString& text, QWidget* parent = nullptr);
/// A hairline.
QWidget* hairline(QWidget* parent = nullptr);
/// A flat icon button of the panels with a tooltip that is also its accessible name.
QToolButton* iconButton(const QString& icon, const QString& tip, QWidget* parent = nullptr);
/// Background of `widget` in a token, kept in step with the theme.
void setBackground(QWidget* widget, Token token);
/// `icon` of the theme as a pixmap in the colour of a token.
QPixmap tintedIcon(const QString& icon, const QColor& color, int pixels, double devicePixelRatio);

/// What a panel shows when it has nothing to show: an icon, a title, and what to do next.
class EmptyState : public QWidget {
    Q_OBJECT

  public:
    EmptyState(const QString& icon, const QString& title, const QString& text,
               QWidget* parent = nullptr);
    void setTexts(const QString& title, const QString& text);
    void setIcon(const QString& icon);
    QString title() const;
    QString text() const;

  private:
    IconLabel* icon_;
    TextLabel* title_;
    TextLabel* text_;
};

} // namespace wiregrad::studio
