/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Root-mean-square normalization: layer normalization without the mean and without a shift.
 *
 *   y = weight x / √(Σx²/n + ε)
 *
 * ε is by default what PyTorch takes for float32, the distance from 1 to the next float.
 *
 * Zhang, Sennrich: Root mean square layer normalization, NeurIPS 2019, equation 4.
 */
#include "op/row_norm.h"

struct rms_norm {
    int64_t axes;
    double eps;
    int elementwise_affine;
};

static const struct fanin_attr_spec attrs[] = {
    FI_ATTR_INT(struct rms_norm, axes, NAN, 1, FANIN_MAX_RANK,
                "how many of the last dimensions are normalized together; null: all of a sample",
                FANIN_ATTR_NULLABLE),
    FI_ATTR_REAL(struct rms_norm, eps, 0x1p-23, 0, 1, "added to the mean square, inside the root",
                 FANIN_ATTR_ABOVE_MIN),
    FI_ATTR_BOOL(struct rms_norm, elementwise_affine, 1, "learns a scale (weight)"), FI_ATTR_END};

static struct fi_row_norm norm_of(const struct rms_norm *a, const struct fanin_shape *shape) {
    return (struct fi_row_norm){.eps = a->eps,
                                .run = fi_row_norm_run(shape, a->axes),
                                .positions = 1,
                                .tiled = true,
                                .weight = a->elementwise_affine ? 0 : -1,
                                .bias = -1};
}

static enum fanin_status infer(struct fanin_infer *io) {
    const struct rms_norm *a = io->attrs;
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
    const struct rms_norm *a = s->attrs;
    fi_signal_layer_norm(s, a->eps, false, a->elementwise_affine ? &s->params[0] : NULL, NULL);
}

static void propagate_back(const struct fanin_signal_step *s) {
    const struct rms_norm *a = s->attrs;
    fi_signal_layer_norm_back(s, a->eps, false, a->elementwise_affine ? &s->params[0] : NULL);
}

static double flops(const struct fanin_infer *io) {
    return 4.0 * (double)io->in[0].cols;
}

static const struct fanin_attr plain[] = {{.name = "elementwise_affine", .number = 0},
                                          {.name = "eps", .number = 0.1}};
static const struct fanin_attr last[] = {{.name = "axes", .number = 1}};
static const struct fanin_case cases[] = {
    {.rows = 1, .n_in = 1, .dims = {{1}}},
    {.rows = 5, .n_in = 1, .dims = {{7}}},
    {.rows = 35, .n_in = 1, .dims = {{130}}},
    {.rows = 33, .n_in = 1, .dims = {{17}}, .attrs = plain, .n_attrs = 2},
    {.rows = 17, .n_in = 1, .dims = {{3, 11}}, .attrs = last, .n_attrs = 1}};

FI_RECORD(op, rms_norm) = {
    .head = {.name = "rms_norm",
             .formula = "y = weight x / sqrt(mean(x^2) + eps), over each sample",
             .reference = "Zhang & Sennrich, NeurIPS 2019, equation 4",
             .help = "Gives each sample mean square 1, then a learned scale of each number.",
             .attrs = attrs,
             .attrs_size = sizeof(struct rms_norm)},
    .flags = FANIN_OP_NO_Y | FANIN_OP_NORM | FANIN_OP_MIXES,
    .infer = infer,
    .forward = forward,
    .backward = backward,
    .flops = flops,
    .signal = propagate,
    .signal_back = propagate_back,
    .cases = cases,
    .n_cases = FI_COUNT(cases)};
