#include "engine/backend/cpu/norm.h"

#include "engine/backend/cpu/plain_norm.h"

namespace wiregrad::cpu {

void batch_norm_moments(const BatchNormGeometry& g, const float* x, double* mean, double* variance) {
    plain::batch_norm_moments(g, x, mean, variance);
}
void batch_norm_moments(const BatchNormGeometry& g, const double* x, double* mean, double* variance) {
    plain::batch_norm_moments(g, x, mean, variance);
}
void batch_norm_apply(const BatchNormGeometry& g, const float* x, const float* mean, const float* inv_std, const float* weight,
                      const float* bias, float* y) {
    plain::batch_norm_apply(g, x, mean, inv_std, weight, bias, y);
}
void batch_norm_apply(const BatchNormGeometry& g, const double* x, const double* mean, const double* inv_std, const double* weight,
                      const double* bias, double* y) {
    plain::batch_norm_apply(g, x, mean, inv_std, weight, bias, y);
}
void batch_norm_backward(const BatchNormGeometry& g, bool training, const float* gy, const float* x, const float* mean, const float* inv_std,
                         const float* weight, float* gx, float* gweight, float* gbias) {
    plain::batch_norm_backward(g, training, gy, x, mean, inv_std, weight, gx, gweight, gbias);
}
void batch_norm_backward(const BatchNormGeometry& g, bool training, const double* gy, const double* x, const double* mean,
                         const double* inv_std, const double* weight, double* gx, double* gweight, double* gbias) {
    plain::batch_norm_backward(g, training, gy, x, mean, inv_std, weight, gx, gweight, gbias);
}
void layer_norm_forward(const AxisGeometry& g, double eps, const float* x, const float* weight, const float* bias, float* y, float* mean,
                        float* inv_std) {
    plain::layer_norm_forward(g, eps, x, weight, bias, y, mean, inv_std);
}
void layer_norm_forward(const AxisGeometry& g, double eps, const double* x, const double* weight, const double* bias, double* y, double* mean,
                        double* inv_std) {
    plain::layer_norm_forward(g, eps, x, weight, bias, y, mean, inv_std);
}
void layer_norm_backward(const AxisGeometry& g, const float* gy, const float* x, const float* mean, const float* inv_std, const float* weight,
                         float* gx, float* gweight, float* gbias) {
    plain::layer_norm_backward(g, gy, x, mean, inv_std, weight, gx, gweight, gbias);
}
void layer_norm_backward(const AxisGeometry& g, const double* gy, const double* x, const double* mean, const double* inv_std,
                         const double* weight, double* gx, double* gweight, double* gbias) {
    plain::layer_norm_backward(g, gy, x, mean, inv_std, weight, gx, gweight, gbias);
}

} // namespace wiregrad::cpu
