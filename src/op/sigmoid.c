/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Logistic function: y = 1 / (1 + e^-x); dy/dx = y (1 - y).
 *
 * Small values keep their full relative accuracy (kernel/math.h). The backward pass reads
 * y alone, so the output may overwrite the input.
 */
#include "op/activation.h"

static inline fi_real value(const void *attrs, fi_real x) {
    (void)attrs;
    return fi_r_sigmoid(x);
}
static inline fi_real slope(const void *attrs, fi_real x, fi_real y) {
    (void)attrs, (void)x;
    return y * (1 - y);
}
FI_ACTIVATION_BLOCKS

static double curve_f(const void *attrs, double x) {
    (void)attrs;
    return fi_sigmoid(x);
}
static double curve_df(const void *attrs, double x) {
    /* e^-|x| / (1 + e^-|x|)²: even, and exact in the tails, where 1 - y is not */
    (void)attrs;
    const double e = fi_exp(-fabs(x));
    return e / ((1 + e) * (1 + e));
}
static const struct fanin_curve curve = {.f = curve_f, .df = curve_df, .family = "sigmoid"};

FI_ACTIVATION_CASES

FI_RECORD(op, sigmoid) = {.head = {.name = "sigmoid",
                                   .aliases = "logistic",
                                   .formula = "y = 1 / (1 + exp(-x))",
                                   .reference = "definition",
                                   .help = "Logistic function: from 0 to 1."},
                          .flags = FANIN_OP_ELEMENTWISE | FANIN_OP_NO_X,
                          .infer = fi_op_infer_same,
                          .forward_block = forward_block,
                          .backward_block = backward_block,
                          .curve = &curve,
                          .cases = cases,
                          .n_cases = FI_COUNT(cases)};
