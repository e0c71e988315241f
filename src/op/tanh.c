/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hyperbolic tangent: y = tanh x; dy/dx = 1 - y².
 *
 * The backward pass reads y alone, so the output may overwrite the input. 1 - y² is one fused
 * operation: its two products would lose what is left where y is near ±1.
 */
#include "op/activation.h"

static inline fi_real value(const void *attrs, fi_real x) {
    (void)attrs;
    return fi_r_tanh(x);
}
static inline fi_real slope(const void *attrs, fi_real x, fi_real y) {
    (void)attrs, (void)x;
    return fi_fma(-y, y, 1);
}
FI_ACTIVATION_BLOCKS

static double curve_f(const void *attrs, double x) {
    (void)attrs;
    return fi_tanh(x);
}
static double curve_df(const void *attrs, double x) {
    (void)attrs;
    const double y = fi_tanh(x);
    return fma(-y, y, 1);
}
static const struct fanin_curve curve = {.f = curve_f, .df = curve_df, .family = "tanh"};

FI_ACTIVATION_CASES

FI_RECORD(op, tanh) = {.head = {.name = "tanh",
                                .formula = "y = tanh(x)",
                                .reference = "definition",
                                .help = "Hyperbolic tangent: odd, from -1 to 1."},
                       .flags = FANIN_OP_ELEMENTWISE | FANIN_OP_NO_X,
                       .infer = fi_op_infer_same,
                       .forward_block = forward_block,
                       .backward_block = backward_block,
                       .curve = &curve,
                       .cases = cases,
                       .n_cases = FI_COUNT(cases)};
