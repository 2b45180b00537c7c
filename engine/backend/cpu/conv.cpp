#include "engine/backend/cpu/conv.h"

#include "engine/backend/cpu/plain_conv.h"

namespace wiregrad::cpu {

void conv_forward(const ConvGeometry& g, const float* x, const float* w, const float* bias, float* y) {
    plain::conv_forward(g, x, w, bias, y);
}
void conv_forward(const ConvGeometry& g, const double* x, const double* w, const double* bias, double* y) {
    plain::conv_forward(g, x, w, bias, y);
}
void conv_input_grad(const ConvGeometry& g, const float* gy, const float* w, float* gx) { plain::conv_input_grad(g, gy, w, gx); }
void conv_input_grad(const ConvGeometry& g, const double* gy, const double* w, double* gx) { plain::conv_input_grad(g, gy, w, gx); }
void conv_weight_grad(const ConvGeometry& g, const float* x, const float* gy, float* gw, float* gbias) {
    plain::conv_weight_grad(g, x, gy, gw, gbias);
}
void conv_weight_grad(const ConvGeometry& g, const double* x, const double* gy, double* gw, double* gbias) {
    plain::conv_weight_grad(g, x, gy, gw, gbias);
}

} // namespace wiregrad::cpu
