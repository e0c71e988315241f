/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Group normalization: the channels of a sample are cut into groups of neighbours; each group is
 * brought to mean 0 and variance 1, each channel scaled and shifted.
 *
 *   over a group   y = weight (x - μ) / √(v + ε) + bias, v = Σ(x - μ)² / n
 *
 * A sample of rank 1 has one channel per unit; of rank 2 and more (C, …) the channels are its first
 * dimension. One group is layer normalization with a weight per channel, as many groups as channels
 * instance normalization.
 *
 * Wu, He: Group normalization, ECCV 2018, equations 1 to 6.
 */
#include "op/row_norm.h"

struct group_norm {
    int64_t groups;
    double eps;
    int affine;
};

static const struct fanin_attr_spec attrs[] = {
    FI_ATTR_INT(struct group_norm, groups, 0, 1, 1e9,
                "groups the channels are cut into; must divide them", FANIN_ATTR_REQUIRED),
    FI_ATTR_REAL(struct group_norm, eps, 1e-5, 0, 1, "added to the variance, inside the root",
                 FANIN_ATTR_ABOVE_MIN),
    FI_ATTR_BOOL(struct group_norm, affine, 1, "learns a scale (weight) and a shift (bias)"),
    FI_ATTR_END};

static struct fi_row_norm norm_of(const struct group_norm *a, const struct fanin_shape *shape) {
    return (struct fi_row_norm){.eps = a->eps,
                                .centers = true,
                                .run = shape->cols / a->groups,
                                .positions = shape->cols / shape->dims[0],
                                .weight = a->affine ? 0 : -1,
                                .bias = a->affine ? 1 : -1};
}

static enum fanin_status infer(struct fanin_infer *io) {
    const struct group_norm *a = io->attrs;
    FI_TRY(fi_op_infer_same(io));
    if (io->in[0].dims[0] % a->groups != 0)
        return io->fail(io, "%lld channels cannot be cut into %lld groups of equal size",
                        (long long)io->in[0].dims[0], (long long)a->groups);
    const struct fi_row_norm norm = norm_of(a, &io->in[0]);
    return fi_row_norm_infer(io, &norm, 1, io->in[0].dims);
}

static void forward(const struct fanin_step *s) {
    const struct fi_row_norm norm = norm_of(s->attrs, s->shape);
    fi_row_norm_forward(s, &norm);
}

static void backward(const struct fanin_step *s) {
    const struct fi_row_norm norm = norm_of(s->attrs, s->shape);
    fi_row_norm_backward(s, &norm);
}

static void propagate(const struct fanin_signal_step *s) {
    const struct group_norm *a = s->attrs;
    fi_signal_layer_norm(s, a->eps, true, a->affine ? &s->params[0] : NULL,
                         a->affine ? &s->params[1] : NULL);
}

static void propagate_back(const struct fanin_signal_step *s) {
    const struct group_norm *a = s->attrs;
    fi_signal_layer_norm_back(s, a->eps, true, a->affine ? &s->params[0] : NULL);
}

static double flops(const struct fanin_infer *io) {
    return 8.0 * (double)io->in[0].cols;
}

static const struct fanin_attr one[] = {{.name = "groups", .number = 1}};
static const struct fanin_attr two[] = {{.name = "groups", .number = 2}};
static const struct fanin_attr five[] = {{.name = "groups", .number = 5},
                                         {.name = "eps", .number = 0.1}};
static const struct fanin_attr plain[] = {{.name = "groups", .number = 2},
                                          {.name = "affine", .number = 0}};
static const struct fanin_case cases[] = {
    {.rows = 1, .n_in = 1, .dims = {{2}}, .attrs = one, .n_attrs = 1},
    {.rows = 5, .n_in = 1, .dims = {{14}}, .attrs = two, .n_attrs = 1},
    {.rows = 35, .n_in = 1, .dims = {{130}}, .attrs = two, .n_attrs = 1},
    {.rows = 18, .n_in = 1, .dims = {{5, 3, 3}}, .attrs = five, .n_attrs = 2},
    {.rows = 4, .n_in = 1, .dims = {{6, 5, 7}}, .attrs = two, .n_attrs = 1},
    {.rows = 9, .n_in = 1, .dims = {{4, 17}}, .attrs = plain, .n_attrs = 2}};

FI_RECORD(op, group_norm) = {
    .head = {.name = "group_norm",
             .formula = "y = weight (x - mean) / sqrt(var + eps) + bias, over groups of channels",
             .reference = "Wu & He, ECCV 2018, equations 1 to 6",
             .help = "Gives each group of a sample's channels mean 0 and variance 1, then a "
                     "learned scale and shift of each channel; the same in training and outside.",
             .attrs = attrs,
             .attrs_size = sizeof(struct group_norm)},
    .flags = FANIN_OP_NO_Y | FANIN_OP_NORM | FANIN_OP_MIXES,
    .infer = infer,
    .forward = forward,
    .backward = backward,
    .flops = flops,
    .signal = propagate,
    .signal_back = propagate_back,
    .cases = cases,
    .n_cases = FI_COUNT(cases)};
