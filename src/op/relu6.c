/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rectifier with a ceiling: y = min(max(x, 0), 6); dy/dx = 1 for 0 < x < 6, else 0 (also at both).
 *
 * NaN passes: both tests are false for it. The backward pass reads y alone.
 *
 * Krizhevsky: Convolutional deep belief networks on CIFAR-10, 2010.
 */
#include "op/activation.h"

static inline fi_real value(const void *attrs, fi_real x) {
    (void)attrs;
    return FI_CLAMP(x, 0, 6);
}
static inline fi_real slope(const void *attrs, fi_real x, fi_real y) {
    (void)attrs, (void)x;
    return ((y > 0) & (y < 6)) ? 1 : (fi_real)0;
}
FI_ACTIVATION_BLOCKS

static double curve_f(const void *attrs, double x) {
    (void)attrs;
    return FI_CLAMP(x, 0, 6);
}
static double curve_df(const void *attrs, double x) {
    (void)attrs;
    return ((x > 0) & (x < 6)) ? 1 : 0;
}
static const double kinks[] = {0, 6};
static const struct fanin_curve curve = {
    .f = curve_f, .df = curve_df, .kinks = kinks, .n_kinks = FI_COUNT(kinks), .family = "relu"};

FI_ACTIVATION_CASES

FI_RECORD(op, relu6) = {.head = {.name = "relu6",
                                 .formula = "y = min(max(x, 0), 6)",
                                 .reference = "Krizhevsky 2010",
                                 .help = "Rectifier that stops at 6."},
                        .flags = FANIN_OP_ELEMENTWISE | FANIN_OP_NO_X,
                        .infer = fi_op_infer_same,
                        .forward_block = forward_block,
                        .backward_block = backward_block,
                        .curve = &curve,
                        .cases = cases,
                        .n_cases = FI_COUNT(cases)};
