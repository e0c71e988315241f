/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scaled hyperbolic tangent: y = A tanh(2x/3), A = 1.7159; dy/dx = 2/3 (A - y²/A).
 *
 * The constants give f(1) = 1 and f(-1) = -1, so that targets of ±1 lie off the asymptotes, and the
 * second derivative is largest near 1. The backward pass reads y alone.
 *
 * LeCun, Bottou, Orr, Müller: Efficient BackProp, 1998, section 4.4.
 */
#include "op/activation.h"

#define A 1.7159
#define B (2.0 / 3)

static inline fi_real value(const void *attrs, fi_real x) {
    (void)attrs;
    return (fi_real)A * fi_r_tanh((fi_real)B * x);
}
static inline fi_real slope(const void *attrs, fi_real x, fi_real y) {
    (void)attrs, (void)x;
    return fi_fma(-(fi_real)(B / A) * y, y, (fi_real)(A * B));
}
FI_ACTIVATION_BLOCKS

static double curve_f(const void *attrs, double x) {
    (void)attrs;
    return A * fi_tanh(B * x);
}
static double curve_df(const void *attrs, double x) {
    (void)attrs;
    const double t = fi_tanh(B * x);
    return A * B * fma(-t, t, 1);
}
static const struct fanin_curve curve = {.f = curve_f, .df = curve_df, .family = "lecun_tanh"};

FI_ACTIVATION_CASES

FI_RECORD(op, lecun_tanh) = {.head = {.name = "lecun_tanh",
                                      .formula = "y = 1.7159 * tanh(2 * x / 3)",
                                      .reference = "LeCun et al. 1998, section 4.4",
                                      .help = "Hyperbolic tangent scaled so that 1 stays 1."},
                             .flags = FANIN_OP_ELEMENTWISE | FANIN_OP_NO_X,
                             .infer = fi_op_infer_same,
                             .forward_block = forward_block,
                             .backward_block = backward_block,
                             .curve = &curve,
                             .cases = cases,
                             .n_cases = FI_COUNT(cases)};
