/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clipping: y = min(max(x, min), max); dy/dx = 1 for min < x < max, else 0 (also at both ends).
 *
 * NaN passes: both tests are false for it. The backward pass reads y alone.
 *
 * Collobert: Large scale machine learning, thesis, Université Paris VI, 2004.
 */
#include "op/activation.h"

struct hard_tanh {
    double min, max;
};

static const struct fanin_attr_spec specs[] = {
    FI_ATTR_REAL(struct hard_tanh, min, -1, -1e30, 1e30, "the smallest value", 0),
    FI_ATTR_REAL(struct hard_tanh, max, 1, -1e30, 1e30, "the largest value", 0), FI_ATTR_END};

static enum fanin_status infer(struct fanin_infer *io) {
    const struct hard_tanh *a = io->attrs;
    if (!(a->min < a->max))
        return io->fail(io, "min (%g) must be less than max (%g)", a->min, a->max);
    return fi_op_infer_same(io);
}

static inline fi_real value(const void *attrs, fi_real x) {
    const struct hard_tanh *a = attrs;
    const fi_real min = (fi_real)a->min, max = (fi_real)a->max;
    return FI_CLAMP(x, min, max);
}
static inline fi_real slope(const void *attrs, fi_real x, fi_real y) {
    const struct hard_tanh *a = attrs;
    (void)x;
    return ((y > (fi_real)a->min) & (y < (fi_real)a->max)) ? 1 : (fi_real)0;
}
FI_ACTIVATION_BLOCKS

static double curve_f(const void *attrs, double x) {
    const struct hard_tanh *a = attrs;
    return FI_CLAMP(x, a->min, a->max);
}
static double curve_df(const void *attrs, double x) {
    const struct hard_tanh *a = attrs;
    return ((x > a->min) & (x < a->max)) ? 1 : 0;
}
static double curve_kink(const void *attrs, int i) {
    const struct hard_tanh *a = attrs;
    return i == 0 ? a->min : a->max;
}
static const struct fanin_curve curve = {
    .f = curve_f, .df = curve_df, .n_kinks = 2, .family = "tanh", .kink = curve_kink};

static const struct fanin_attr ends[] = {{.name = "min", .number = -0.5},
                                         {.name = "max", .number = 1.25}};
static const struct fanin_case cases[] = {FI_ACTIVATION_SHAPES, FI_ACTIVATION_CASE(ends)};

FI_RECORD(op, hard_tanh) = {.head = {.name = "hard_tanh",
                                     .formula = "y = min(max(x, min), max)",
                                     .reference = "Collobert 2004",
                                     .help = "Clips to the range from min to max.",
                                     .attrs = specs,
                                     .attrs_size = sizeof(struct hard_tanh)},
                            .flags = FANIN_OP_ELEMENTWISE | FANIN_OP_NO_X,
                            .infer = infer,
                            .forward_block = forward_block,
                            .backward_block = backward_block,
                            .curve = &curve,
                            .cases = cases,
                            .n_cases = FI_COUNT(cases)};
