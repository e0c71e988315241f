/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rectifier: y = max(x, 0); dy/dx = 1 where x > 0, else 0 (also at x = 0).
 *
 * NaN goes through: a comparison with NaN is false, so the test is x < 0 forward. The backward pass
 * reads only the sign of y, which lets the op, and a dropout behind it, overwrite its input.
 *
 * Nair, Hinton: Rectified linear units improve restricted Boltzmann machines, ICML 2010.
 */
#include "op/activation.h"

static inline fi_real value(const void *attrs, fi_real x) {
    (void)attrs;
    return x < 0 ? 0 : x;
}
static inline fi_real slope(const void *attrs, fi_real x, fi_real y) {
    (void)attrs, (void)x;
    return y > 0 ? 1 : (fi_real)0;
}
FI_ACTIVATION_BLOCKS

static double curve_f(const void *attrs, double x) {
    (void)attrs;
    return x < 0 ? 0 : x;
}
static double curve_df(const void *attrs, double x) {
    (void)attrs;
    return x > 0 ? 1 : 0;
}
static const double kinks[] = {0};
static const struct fanin_curve curve = {
    .f = curve_f, .df = curve_df, .kinks = kinks, .n_kinks = 1, .family = "relu"};

FI_ACTIVATION_CASES

FI_RECORD(op, relu) = {.head = {.name = "relu",
                                .formula = "y = max(x, 0)",
                                .reference = "Nair & Hinton, ICML 2010",
                                .help = "Rectifier: passes what is positive."},
                       .flags = FANIN_OP_ELEMENTWISE | FANIN_OP_NO_X | FANIN_OP_SIGN_OF_Y,
                       .infer = fi_op_infer_same,
                       .forward_block = forward_block,
                       .backward_block = backward_block,
                       .curve = &curve,
                       .cases = cases,
                       .n_cases = FI_COUNT(cases)};
