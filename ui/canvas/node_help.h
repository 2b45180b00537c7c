// Help of a type of node: what it does, its formula, what it takes and gives, its settings, and an
// example that can be put on the canvas. GUI thread.
#pragma once

#include <QDialog>

#include <functional>

#include "nodes/edit.h"

namespace wiregrad::studio {

/// A small network that shows the type at work, with shapes that it takes: as one edit at `at`.
/// Throws ValueError where the type has no example.
graph::Edit exampleEdit(const graph::Graph& sheet, const graph::NodeType& type, graph::Position at);

class NodeHelp : public QDialog {
    Q_OBJECT

  public:
    /// `insert` puts the example on the canvas.
    NodeHelp(const graph::NodeType& type, std::function<void()> insert, QWidget* parent);
    static QString text(const graph::NodeType& type); ///< HTML
};

} // namespace wiregrad::studio
