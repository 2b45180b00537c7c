// The slow truth of recurrent layers, in float and double, sums in double. Oracle in tests, float64
// path. Any thread.
#pragma once

#include "engine/backend/cpu/geometry.h"

namespace wiregrad::cpu {

/// Null pointers: h0 and c0 are zeros, biases are zeros, every sequence has all steps. `saved`
/// holds for each row the gates after their functions, each `hidden` long: LSTM i, f, g, o; GRU r,
/// z, n and U h + b_hn. Rows beyond a sequence's length get zeros in y and saved, the last state in
/// cells.
template <class T> struct RecurrentForward {
    const T *x, *h0, *c0, *w_ih, *w_hh, *b_ih, *b_hh;
    const std::int64_t* lengths;
    T *y, *h_n, *c_n, *saved, *cells;
};
/// The gradients gy, gh_n, gc_n may be null (zeros); gx may be null (not wanted). gb_hh is GRU's
/// only: the other cells' two biases have the same gradient.
template <class T> struct RecurrentBackward {
    const T *gy, *gh_n, *gc_n, *x, *h0, *c0, *w_ih, *w_hh;
    const std::int64_t* lengths;
    const T *y, *saved, *cells;
    T *gx, *gh0, *gc0, *gw_ih, *gw_hh, *gb_ih, *gb_hh;
};

namespace plain {

template <class T> void recurrent_forward(const RecurrentGeometry& g, const RecurrentForward<T>& a);
template <class T>
void recurrent_backward(const RecurrentGeometry& g, const RecurrentBackward<T>& a);

} // namespace plain
} // namespace wiregrad::cpu
