/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Piecewise linear logistic function: y = min(max(x + 3, 0), 6) / 6; dy/dx = 1/6 for -3 < x < 3,
 * else 0. This is PyTorch's, and Keras' from version 3 on; Keras 2 and ONNX have max(0, min(1, x/5
 * + 1/2)).
 *
 * NaN passes: both tests are false for it. The backward pass reads y alone.
 *
 * Courbariaux, Bengio, David: BinaryConnect, NIPS 2015; slope 1/6: Howard et al.: Searching for
 * MobileNetV3, ICCV 2019.
 */
#include "op/activation.h"

static inline fi_real value(const void *attrs, fi_real x) {
    (void)attrs;
    const fi_real up = x + 3;
    return FI_CLAMP(up, 0, 6) / 6;
}
static inline fi_real slope(const void *attrs, fi_real x, fi_real y) {
    (void)attrs, (void)x;
    return ((y > 0) & (y < 1)) ? (fi_real)1 / 6 : 0;
}
FI_ACTIVATION_BLOCKS

static double curve_f(const void *attrs, double x) {
    (void)attrs;
    const double up = x + 3;
    return FI_CLAMP(up, 0, 6) / 6;
}
static double curve_df(const void *attrs, double x) {
    (void)attrs;
    return ((x > -3) & (x < 3)) ? 1.0 / 6 : 0;
}
static const double kinks[] = {-3, 3};
static const struct fanin_curve curve = {
    .f = curve_f, .df = curve_df, .kinks = kinks, .n_kinks = FI_COUNT(kinks), .family = "sigmoid"};

FI_ACTIVATION_CASES

FI_RECORD(op, hard_sigmoid) = {
    .head = {.name = "hard_sigmoid",
             .formula = "y = min(max(x + 3, 0), 6) / 6",
             .reference = "Courbariaux et al., NIPS 2015; Howard et al., ICCV 2019",
             .help = "Piecewise linear logistic function, as PyTorch has it."},
    .flags = FANIN_OP_ELEMENTWISE | FANIN_OP_NO_X,
    .infer = fi_op_infer_same,
    .forward_block = forward_block,
    .backward_block = backward_block,
    .curve = &curve,
    .cases = cases,
    .n_cases = FI_COUNT(cases)};
