/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Error function: y = erf x = 2/√π ∫ e^-t² dt from 0 to x; dy/dx = 2/√π e^-x².
 *
 * Odd, from -1 to 1, like tanh with tails that fall as e^-x². The backward pass reads x alone:
 * e^-x² is not a function of y in closed form.
 *
 * Definition: Abramowitz, Stegun, 7.1.1.
 */
#include "op/activation.h"

#define SLOPE_AT_0 1.1283791670955125739 /* 2 / √π */

static inline fi_real value(const void *attrs, fi_real x) {
    (void)attrs;
    return fi_r_erf(x);
}
static inline fi_real slope(const void *attrs, fi_real x, fi_real y) {
    (void)attrs, (void)y;
    return (fi_real)SLOPE_AT_0 * fi_r_exp_down(-x * x);
}
FI_ACTIVATION_BLOCKS

static double curve_f(const void *attrs, double x) {
    (void)attrs;
    return fi_erf(x);
}
static double curve_df(const void *attrs, double x) {
    (void)attrs;
    return SLOPE_AT_0 * fi_exp(-x * x);
}
static const struct fanin_curve curve = {.f = curve_f, .df = curve_df, .family = "erf"};

FI_ACTIVATION_CASES

FI_RECORD(op, erf) = {.head = {.name = "erf",
                               .formula = "y = erf(x)",
                               .reference = "Abramowitz & Stegun, 7.1.1",
                               .help = "Error function: odd, from -1 to 1."},
                      .flags = FANIN_OP_ELEMENTWISE | FANIN_OP_NO_Y,
                      .infer = fi_op_infer_same,
                      .forward_block = forward_block,
                      .backward_block = backward_block,
                      .curve = &curve,
                      .cases = cases,
                      .n_cases = FI_COUNT(cases)};
