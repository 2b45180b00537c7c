#include "engine/backend/cpu/softmax.h"

namespace wiregrad::cpu {

void softmax_forward(const AxisGeometry& g, bool logarithm, const float* x, float* y) { plain::softmax_forward(g, logarithm, x, y); }
void softmax_forward(const AxisGeometry& g, bool logarithm, const double* x, double* y) { plain::softmax_forward(g, logarithm, x, y); }
void softmax_backward(const AxisGeometry& g, bool logarithm, const float* gy, const float* y, float* gx) {
    plain::softmax_backward(g, logarithm, gy, y, gx);
}
void softmax_backward(const AxisGeometry& g, bool logarithm, const double* gy, const double* y, double* gx) {
    plain::softmax_backward(g, logarithm, gy, y, gx);
}
double cross_entropy(const CrossEntropyCall& call, const float* x, const std::int64_t* target, const float* weight, float* loss, float* gx,
                     float* pull) {
    return plain::cross_entropy(call, x, target, weight, loss, gx, pull);
}
double cross_entropy(const CrossEntropyCall& call, const double* x, const std::int64_t* target, const double* weight, double* loss,
                     double* gx, double* pull) {
    return plain::cross_entropy(call, x, target, weight, loss, gx, pull);
}

} // namespace wiregrad::cpu
