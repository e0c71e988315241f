/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layer normalization: each sample, or each stretch of its last dimensions, is brought to mean 0
 * and variance 1, then scaled and shifted number by number.
 *
 *   μ = Σx / n, v = Σ(x - μ)² / n, y = weight (x - μ) / √(v + ε) + bias
 *
 * The same in training and inference, and the same for a sample whatever its batch.
 *
 * Ba, Kiros, Hinton: Layer normalization, arXiv 1607.06450 (2016), equation 4.
 */
#include "op/row_norm.h"

struct layer_norm {
    int64_t axes;
    double eps;
    int elementwise_affine, bias;
};

static const struct fanin_attr_spec attrs[] = {
    FI_ATTR_INT(struct layer_norm, axes, NAN, 1, FANIN_MAX_RANK,
                "how many of the last dimensions are normalized together; null: all of a sample",
                FANIN_ATTR_NULLABLE),
    FI_ATTR_REAL(struct layer_norm, eps, 1e-5, 0, 1, "added to the variance, inside the root",
                 FANIN_ATTR_ABOVE_MIN),
    FI_ATTR_BOOL(struct layer_norm, elementwise_affine, 1, "learns a scale (weight) and a shift"),
    FI_ATTR_BOOL(struct layer_norm, bias, 1, "with elementwise_affine: learns the shift (bias)"),
    FI_ATTR_END};

static struct fi_row_norm norm_of(const struct layer_norm *a, const struct fanin_shape *shape) {
    return (struct fi_row_norm){.eps = a->eps,
                                .centers = true,
                                .run = fi_row_norm_run(shape, a->axes),
                                .positions = 1,
                                .tiled = true,
                                .weight = a->elementwise_affine ? 0 : -1,
                                .bias = a->elementwise_affine && a->bias ? 1 : -1};
}

static enum fanin_status infer(struct fanin_infer *io) {
    const struct layer_norm *a = io->attrs;
    FI_TRY(fi_row_norm_check_axes(io, a->axes));
    const struct fi_row_norm norm = norm_of(a, &io->in[0]);
    const int rank = a->axes > 0 ? (int)a->axes : io->in[0].rank;
    return fi_row_norm_infer(io, &norm, rank, io->in[0].dims + io->in[0].rank - rank);
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
    const struct layer_norm *a = s->attrs;
    fi_signal_layer_norm(s, a->eps, true, a->elementwise_affine ? &s->params[0] : NULL,
                         a->elementwise_affine && a->bias ? &s->params[1] : NULL);
}

static void propagate_back(const struct fanin_signal_step *s) {
    const struct layer_norm *a = s->attrs;
    fi_signal_layer_norm_back(s, a->eps, true, a->elementwise_affine ? &s->params[0] : NULL);
}

static double flops(const struct fanin_infer *io) {
    return 8.0 * (double)io->in[0].cols;
}

static const struct fanin_attr plain[] = {{.name = "elementwise_affine", .number = 0},
                                          {.name = "eps", .number = 0.1}};
static const struct fanin_attr last[] = {{.name = "axes", .number = 1}};
static const struct fanin_attr last_two[] = {{.name = "axes", .number = 2},
                                             {.name = "bias", .number = 0}};
static const struct fanin_case cases[] = {
    {.rows = 1, .n_in = 1, .dims = {{2}}},
    {.rows = 5, .n_in = 1, .dims = {{7}}},
    {.rows = 35, .n_in = 1, .dims = {{130}}},
    {.rows = 33, .n_in = 1, .dims = {{17}}, .attrs = plain, .n_attrs = 2},
    {.rows = 3, .n_in = 1, .dims = {{5, 3, 3}}},
    {.rows = 17, .n_in = 1, .dims = {{3, 11}}, .attrs = last, .n_attrs = 1},
    {.rows = 4, .n_in = 1, .dims = {{3, 11, 13}}, .attrs = last_two, .n_attrs = 2}};

FI_RECORD(op, layer_norm) = {
    .head = {.name = "layer_norm",
             .formula = "y = weight (x - mean) / sqrt(var + eps) + bias, over each sample",
             .reference = "Ba, Kiros & Hinton, arXiv 1607.06450 (2016), equation 4",
             .help = "Gives each sample mean 0 and variance 1, then a learned scale and shift of "
                     "each number; the same in training and outside.",
             .attrs = attrs,
             .attrs_size = sizeof(struct layer_norm)},
    .flags = FANIN_OP_NO_Y | FANIN_OP_NORM | FANIN_OP_MIXES,
    .infer = infer,
    .forward = forward,
    .backward = backward,
    .flops = flops,
    .signal = propagate,
    .signal_back = propagate_back,
    .cases = cases,
    .n_cases = FI_COUNT(cases)};
