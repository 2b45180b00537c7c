// A small picture of a graph: boxes in the colours of their categories and the wires between them.
// GUI thread.
#pragma once

#include <QPainter>
#include <QRectF>

#include "nodes/graph.h"

namespace wiregrad::studio {

void paintMiniature(QPainter& painter, const QRectF& place, const graph::Graph& graph);

} // namespace wiregrad::studio
