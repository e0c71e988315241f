/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scaled exponential linear unit: y = λ x where x > 0, else λ α (e^x - 1); dy/dx = λ where x > 0,
 * else y + λ α. With the constants below mean 0 and variance 1 are a fixed point, provided the
 * layer starts with lecun_normal (and alpha dropout drops): a family of its own.
 *
 * The backward pass reads y alone.
 *
 * Klambauer, Unterthiner, Mayr, Hochreiter: Self-normalizing neural networks, NIPS 2017, eqs.
 * 2, 14.
 */
#include "op/activation.h"

/* The solution of the fixed-point equations for mean 0, variance 1. */
#define ALPHA 1.6732632423543772848170429916717
#define LAMBDA 1.0507009873554804934193349852946

static inline fi_real value(const void *attrs, fi_real x) {
    (void)attrs;
    return x > 0 ? (fi_real)LAMBDA * x : (fi_real)(LAMBDA * ALPHA) * fi_r_expm1(x);
}
static inline fi_real slope(const void *attrs, fi_real x, fi_real y) {
    (void)attrs, (void)x;
    return y > 0 ? (fi_real)LAMBDA : y + (fi_real)(LAMBDA * ALPHA);
}
FI_ACTIVATION_BLOCKS

static double curve_f(const void *attrs, double x) {
    (void)attrs;
    return x > 0 ? LAMBDA * x : LAMBDA * ALPHA * fi_expm1(x);
}
static double curve_df(const void *attrs, double x) {
    (void)attrs;
    return x > 0 ? LAMBDA : LAMBDA * ALPHA * fi_exp(x);
}
static const double kinks[] = {0};
static const struct fanin_curve curve = {
    .f = curve_f, .df = curve_df, .kinks = kinks, .n_kinks = FI_COUNT(kinks), .family = "selu"};

FI_ACTIVATION_CASES

FI_RECORD(op, selu) = {
    .head = {.name = "selu",
             .formula = "y = 1.0507 * (x if x > 0, else 1.67326 * (exp(x) - 1))",
             .reference = "Klambauer et al., NIPS 2017, eq. 2",
             .help = "Self-normalizing: keeps mean 0 and variance 1 from layer to layer."},
    .flags = FANIN_OP_ELEMENTWISE | FANIN_OP_NO_X,
    .infer = fi_op_infer_same,
    .forward_block = forward_block,
    .backward_block = backward_block,
    .curve = &curve,
    .cases = cases,
    .n_cases = FI_COUNT(cases)};
