#include "engine/backend/cpu/conv.h"

#include "engine/backend/cpu/flat_conv.h"
#include "engine/backend/cpu/onednn.h"
#include "engine/backend/cpu/plain_conv.h"

namespace wiregrad::cpu {

// oneDNN's blocked kernels take 16 channels at a time: they win where the channels fill such
// blocks, in spite of the reorders around them; elsewhere our flat kernels do, by up to ten times
// (measured on LeNet, small CNN and ResNet shapes).
namespace {

constexpr std::int64_t kBlock = 16;

bool blocked_forward(const ConvGeometry& g) {
    return g.group_out() % kBlock == 0;
}
bool blocked_input_grad(const ConvGeometry& g) {
    return g.group_out() >= kBlock && g.group_in() >= kBlock;
}
bool blocked_weight_grad(const ConvGeometry& g) {
    return g.group_out() >= kBlock && (g.group_in() >= kBlock || g.stride_h > 1 || g.stride_w > 1);
}

} // namespace

void conv_forward(const ConvGeometry& g, const float* x, const float* w, const float* bias,
                  float* y) {
    if (blocked_forward(g) && onednn::conv_forward(g, x, w, bias, y)) return;
    flat_conv_forward(g, x, w, bias, y);
}
void conv_forward(const ConvGeometry& g, const double* x, const double* w, const double* bias,
                  double* y) {
    plain::conv_forward(g, x, w, bias, y);
}
void conv_input_grad(const ConvGeometry& g, const float* gy, const float* w, float* gx) {
    if (blocked_input_grad(g) && onednn::conv_input_grad(g, gy, w, gx)) return;
    flat_conv_input_grad(g, gy, w, gx);
}
void conv_input_grad(const ConvGeometry& g, const double* gy, const double* w, double* gx) {
    plain::conv_input_grad(g, gy, w, gx);
}
void conv_weight_grad(const ConvGeometry& g, const float* x, const float* gy, float* gw,
                      float* gbias) {
    if (g.batch > 0 && blocked_weight_grad(g) && onednn::conv_weight_grad(g, x, gy, gw, gbias))
        return;
    flat_conv_weight_grad(g, x, gy, gw, gbias);
}
void conv_weight_grad(const ConvGeometry& g, const double* x, const double* gy, double* gw,
                      double* gbias) {
    plain::conv_weight_grad(g, x, gy, gw, gbias);
}

} // namespace wiregrad::cpu
