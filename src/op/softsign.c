/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Softsign: y = x / (1 + |x|); dy/dx = 1 / (1 + |x|)² = (1 - |y|)².
 *
 * The backward pass reads y alone. From |x| = 2^60 on y is ±1 in float and double; an infinity
 * counts as that bound.
 *
 * Bergstra, Desjardins, Lamblin, Bengio: Quadratic polynomials learn better image features, 2009;
 * Glorot & Bengio, AISTATS 2010, who start it with normalized (Xavier) weights.
 */
#include "op/activation.h"

static inline fi_real value(const void *attrs, fi_real x) {
    (void)attrs;
    const fi_real bounded = FI_CLAMP(x, -0x1p60f, 0x1p60f);
    return bounded / (1 + fi_abs(bounded));
}
static inline fi_real slope(const void *attrs, fi_real x, fi_real y) {
    (void)attrs, (void)x;
    const fi_real rest = 1 - fi_abs(y);
    return rest * rest;
}
FI_ACTIVATION_BLOCKS

static double curve_f(const void *attrs, double x) {
    (void)attrs;
    const double bounded = FI_CLAMP(x, -0x1p60, 0x1p60);
    return bounded / (1 + fabs(bounded));
}
static double curve_df(const void *attrs, double x) {
    (void)attrs;
    const double rest = 1 / (1 + fabs(x));
    return rest * rest;
}
static const double kinks[] = {0};
static const struct fanin_curve curve = {
    .f = curve_f, .df = curve_df, .kinks = kinks, .n_kinks = FI_COUNT(kinks), .family = "softsign"};

FI_ACTIVATION_CASES

FI_RECORD(op, softsign) = {.head = {.name = "softsign",
                                    .formula = "y = x / (1 + |x|)",
                                    .reference = "Bergstra et al. 2009; Glorot & Bengio 2010",
                                    .help = "Odd, from -1 to 1, with slowly falling tails."},
                           .flags = FANIN_OP_ELEMENTWISE | FANIN_OP_NO_X,
                           .infer = fi_op_infer_same,
                           .forward_block = forward_block,
                           .backward_block = backward_block,
                           .curve = &curve,
                           .cases = cases,
                           .n_cases = FI_COUNT(cases)};
