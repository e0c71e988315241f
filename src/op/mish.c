/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mish: y = x tanh(ln(1 + e^x)). With e = e^x and n = e (e + 2) the tanh is n / (n + 2), so
 *
 *   y = x n / (n + 2)      dy/dx = n / (n + 2) + 4 x e (1 + e) / (n + 2)²
 *
 * and neither a logarithm is needed nor anything cancels. Beyond x = 40 y is x to the last bit of a
 * double, below -1000 it is 0: there x counts as that bound.
 *
 * Misra: Mish: a self regularized non-monotonic activation function, BMVC 2020.
 */
#include "op/activation.h"

static inline fi_real value(const void *attrs, fi_real x) {
    (void)attrs;
    const fi_real e = fi_r_exp(x > 40 ? 40 : x), n = e * (e + 2);
    return (x < -1000 ? -1000 : x) * (n / (n + 2));
}
static inline fi_real slope(const void *attrs, fi_real x, fi_real y) {
    (void)attrs, (void)y;
    const fi_real bounded = FI_CLAMP(x, -1000, 40);
    const fi_real e = fi_r_exp(bounded), n = e * (e + 2), w = 1 / (n + 2);
    return fi_fma(4 * bounded, e * (1 + e) * w * w, n * w);
}
FI_ACTIVATION_BLOCKS

static double curve_f(const void *attrs, double x) {
    (void)attrs;
    const double e = fi_exp(x > 40 ? 40 : x), n = e * (e + 2);
    return (x < -1000 ? -1000 : x) * (n / (n + 2));
}
static double curve_df(const void *attrs, double x) {
    (void)attrs;
    const double bounded = FI_CLAMP(x, -1000, 40);
    const double e = fi_exp(bounded), n = e * (e + 2), w = 1 / (n + 2);
    return n * w + 4 * bounded * (e * (1 + e) * w * w);
}
static const struct fanin_curve curve = {.f = curve_f, .df = curve_df, .family = "relu"};

FI_ACTIVATION_CASES

FI_RECORD(op, mish) = {.head = {.name = "mish",
                                .formula = "y = x * tanh(log(1 + exp(x)))",
                                .reference = "Misra, BMVC 2020",
                                .help = "Smooth rectifier, a little below 0 for negative x."},
                       .flags = FANIN_OP_ELEMENTWISE | FANIN_OP_NO_Y,
                       .infer = fi_op_infer_same,
                       .forward_block = forward_block,
                       .backward_block = backward_block,
                       .curve = &curve,
                       .cases = cases,
                       .n_cases = FI_COUNT(cases)};
