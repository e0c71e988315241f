/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leaky rectifier: y = x where x > 0, else a x, a = negative_slope in [0, 1]; dy/dx = 1 where x >
 * 0, else a (also at x = 0).
 *
 * As a is not negative, y > 0 exactly where x > 0: the backward pass reads only the sign of y. The
 * attribute is called and set as in PyTorch; Keras' default is 0.3.
 *
 * Maas, Hannun, Ng: Rectifier nonlinearities improve neural network acoustic models, ICML 2013.
 */
#include "op/activation.h"

struct leaky_relu {
    double negative_slope;
};

static const struct fanin_attr_spec specs[] = {
    FI_ATTR_REAL(struct leaky_relu, negative_slope, 0.01, 0, 1, "slope where x < 0", 0),
    FI_ATTR_END};

static inline fi_real value(const void *attrs, fi_real x) {
    const struct leaky_relu *a = attrs;
    const fi_real below = (fi_real)a->negative_slope * x;
    return x > 0 ? x : below;
}
static inline fi_real slope(const void *attrs, fi_real x, fi_real y) {
    const struct leaky_relu *a = attrs;
    const fi_real below = (fi_real)a->negative_slope;
    (void)x;
    return y > 0 ? 1 : below;
}
FI_ACTIVATION_BLOCKS

static double curve_f(const void *attrs, double x) {
    const struct leaky_relu *a = attrs;
    return x > 0 ? x : a->negative_slope * x;
}
static double curve_df(const void *attrs, double x) {
    const struct leaky_relu *a = attrs;
    return x > 0 ? 1 : a->negative_slope;
}
static const double kinks[] = {0};
static const struct fanin_curve curve = {
    .f = curve_f, .df = curve_df, .kinks = kinks, .n_kinks = FI_COUNT(kinks), .family = "relu"};

static const struct fanin_attr steep[] = {{.name = "negative_slope", .number = 0.3}};
static const struct fanin_case cases[] = {FI_ACTIVATION_SHAPES, FI_ACTIVATION_CASE(steep)};

FI_RECORD(op, leaky_relu) = {.head = {.name = "leaky_relu",
                                      .formula = "y = x if x > 0, else negative_slope * x",
                                      .reference = "Maas, Hannun & Ng, ICML 2013",
                                      .help = "Rectifier that passes a little of what is negative.",
                                      .attrs = specs,
                                      .attrs_size = sizeof(struct leaky_relu)},
                             .flags = FANIN_OP_ELEMENTWISE | FANIN_OP_NO_X | FANIN_OP_SIGN_OF_Y,
                             .infer = fi_op_infer_same,
                             .forward_block = forward_block,
                             .backward_block = backward_block,
                             .curve = &curve,
                             .cases = cases,
                             .n_cases = FI_COUNT(cases)};
