/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exponential linear unit: y = x where x > 0, else α (e^x - 1); dy/dx = 1 where x > 0, else y + α.
 *
 * expm1 keeps small x exact. As α is not negative, y > 0 exactly where x > 0, so the backward pass
 * reads y alone. At 0 the slope is α.
 *
 * Clevert, Unterthiner, Hochreiter: Fast and accurate deep network learning by exponential linear
 * units, ICLR 2016 (started as He et al. 2015, hence the family).
 */
#include "op/activation.h"

struct elu {
    double alpha;
};

static const struct fanin_attr_spec specs[] = {
    FI_ATTR_REAL(struct elu, alpha, 1, 0, 1e3, "-alpha is the limit for x to -infinity", 0),
    FI_ATTR_END};

static inline fi_real value(const void *attrs, fi_real x) {
    const struct elu *a = attrs;
    const fi_real alpha = (fi_real)a->alpha;
    return x > 0 ? x : alpha * fi_r_expm1(x);
}
static inline fi_real slope(const void *attrs, fi_real x, fi_real y) {
    const struct elu *a = attrs;
    const fi_real below = y + (fi_real)a->alpha;
    (void)x;
    return y > 0 ? 1 : below;
}
FI_ACTIVATION_BLOCKS

static double curve_f(const void *attrs, double x) {
    const struct elu *a = attrs;
    return x > 0 ? x : a->alpha * fi_expm1(x);
}
static double curve_df(const void *attrs, double x) {
    const struct elu *a = attrs;
    return x > 0 ? 1 : a->alpha * fi_exp(x);
}
static const double kinks[] = {0};
static const struct fanin_curve curve = {
    .f = curve_f, .df = curve_df, .kinks = kinks, .n_kinks = FI_COUNT(kinks), .family = "relu"};

static const struct fanin_attr steep[] = {{.name = "alpha", .number = 1.5}};
static const struct fanin_case cases[] = {FI_ACTIVATION_SHAPES, FI_ACTIVATION_CASE(steep)};

FI_RECORD(op, elu) = {.head = {.name = "elu",
                               .formula = "y = x if x > 0, else alpha * (exp(x) - 1)",
                               .reference = "Clevert et al., ICLR 2016",
                               .help = "Rectifier that saturates smoothly at -alpha.",
                               .attrs = specs,
                               .attrs_size = sizeof(struct elu)},
                      .flags = FANIN_OP_ELEMENTWISE | FANIN_OP_NO_X,
                      .infer = fi_op_infer_same,
                      .forward_block = forward_block,
                      .backward_block = backward_block,
                      .curve = &curve,
                      .cases = cases,
                      .n_cases = FI_COUNT(cases)};
