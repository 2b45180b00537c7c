// The look: colours, spacing and type as tokens; light and dark. Fusion style with an own palette,
// no application-wide style sheet. GUI thread.
#pragma once

#include <QColor>
#include <QFont>
#include <QIcon>
#include <QObject>
#include <QString>

#include "nodes/node_type.h"

namespace wiregrad::studio {

enum class Token {
    Window,
    Panel,
    PanelRaised,
    Border,
    Text,
    TextMuted,
    Accent,
    AccentText,
    Selection,
    Canvas,
    CanvasGrid,
    CanvasGridStrong,
    NodeBody,
    NodeBorder,
    NodeText,
    NodeTextMuted,
    NodeShadow,
    WireTensor,
    WireLabels,
    WireLoss,
    WireRefused,
    Error,
    Warning,
    Info,
    Success,
    PlotBackground,
    PlotGrid,
    Curve1,
    Curve2,
    Curve3,
    Curve4,
    Curve5,
    Curve6,
    HeatLow,
    HeatMid,
    HeatHigh
};

class Theme : public QObject {
    Q_OBJECT

  public:
    static Theme& instance();
    /// "system" | "light" | "dark". Applies palette and style to the application and emits
    /// changed().
    void apply(const QString& name);
    bool isDark() const;
    QColor color(Token token) const;
    /// One of graph::kCategories; distinguishable for colour-blind people in both themes, and
    /// paired with a shape (categoryGlyph).
    QColor category(const QString& category) const;
    QColor wire(graph::PortKind kind) const;
    /// SVG icon of resources/icons, tinted with the text colour: "run", "pause", "stop", "undo",
    /// ...
    QIcon icon(const QString& name) const;
    QIcon categoryIcon(const QString& category) const;
    QFont font(double relativeSize = 1.0, int weight = QFont::Normal) const;
    QFont monospace(double relativeSize = 1.0) const;
    int space(int steps) const; ///< multiples of 4 px, scaled with the font

  signals:
    void changed();

  private:
    Theme();
    bool dark_ = false;
};

} // namespace wiregrad::studio
