/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Softplus: y = ln(1 + e^βx) / β = max(x, 0) + ln(1 + e^-β|x|) / β; dy/dx = σ(βx) = 1 - e^-βy.
 *
 * The second form of y cannot overflow, and the second form of the slope reads y alone and keeps
 * its relative accuracy where y is small. PyTorch's threshold, beyond which it returns x, is not
 * needed.
 *
 * Dugas, Bengio, Bélisle, Nadeau, Garcia: Incorporating second-order functional knowledge for
 * better option pricing, NIPS 2000.
 */
#include "op/activation.h"

struct softplus {
    double beta;
};

static const struct fanin_attr_spec specs[] = {
    FI_ATTR_REAL(struct softplus, beta, 1, 1e-3, 1e3, "sharpness: relu for beta to infinity", 0),
    FI_ATTR_END};

static inline fi_real value(const void *attrs, fi_real x) {
    const struct softplus *a = attrs;
    const fi_real beta = (fi_real)a->beta, inverse = (fi_real)(1 / a->beta);
    return (x < 0 ? 0 : x) + fi_r_log1p(fi_r_exp(-beta * fi_abs(x))) * inverse;
}
static inline fi_real slope(const void *attrs, fi_real x, fi_real y) {
    const struct softplus *a = attrs;
    (void)x;
    return -fi_r_expm1(-(fi_real)a->beta * y);
}
FI_ACTIVATION_BLOCKS

static double curve_f(const void *attrs, double x) {
    const struct softplus *a = attrs;
    return (x < 0 ? 0 : x) + fi_log1p(fi_exp(-a->beta * fabs(x))) / a->beta;
}
static double curve_df(const void *attrs, double x) {
    const struct softplus *a = attrs;
    return fi_sigmoid(a->beta * x);
}
static const struct fanin_curve curve = {.f = curve_f, .df = curve_df, .family = "relu"};

static const struct fanin_attr sharp[] = {{.name = "beta", .number = 2.5}};
static const struct fanin_case cases[] = {FI_ACTIVATION_SHAPES, FI_ACTIVATION_CASE(sharp)};

FI_RECORD(op, softplus) = {.head = {.name = "softplus",
                                    .formula = "y = log(1 + exp(beta * x)) / beta",
                                    .reference = "Dugas et al., NIPS 2000",
                                    .help = "Smooth rectifier that is positive everywhere.",
                                    .attrs = specs,
                                    .attrs_size = sizeof(struct softplus)},
                           .flags = FANIN_OP_ELEMENTWISE | FANIN_OP_NO_X,
                           .infer = fi_op_infer_same,
                           .forward_block = forward_block,
                           .backward_block = backward_block,
                           .curve = &curve,
                           .cases = cases,
                           .n_cases = FI_COUNT(cases)};
