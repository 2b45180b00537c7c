// The canvas for screen readers and other programs that look through QAccessible: nodes with their
// ports, and wires, each with a name, a description and what can be done with it. GUI thread.
#pragma once

namespace wiregrad::studio {

/// Once, before the first Canvas is asked for its interface.
void installCanvasAccessibility();

} // namespace wiregrad::studio
