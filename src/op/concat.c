/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Concatenation of two to eight inputs along one axis; the other dimensions agree. The gradient of
 * each input is its part of dy. Axes count the batch as 0, as in PyTorch and Keras; -1 is the last.
 */
#include <string.h>

#include "op/op.h"

struct concat {
    int64_t axis;
};

static const struct fanin_attr_spec attrs[] = {
    FI_ATTR_INT(struct concat, axis, -1, -FANIN_MAX_RANK, FANIN_MAX_RANK,
                "along which the inputs are put together: 1 is the first of a sample, -1 the last",
                0),
    FI_ATTR_END};

static enum fanin_status infer(struct fanin_infer *io) {
    char first[FI_SHAPE_TEXT], other[FI_SHAPE_TEXT];
    int dim;
    if (io->n_in < 2) return io->fail(io, "concat reads 2 to %d nodes, not 1", FANIN_MAX_INPUTS);
    FI_TRY(fi_op_axis(io, ((const struct concat *)io->attrs)->axis, &dim));
    io->out = io->in[0];
    for (int k = 1; k < io->n_in; k++) {
        bool fits = io->in[k].rank == io->out.rank;
        for (int i = 0; fits && i < io->out.rank; i++)
            fits = i == dim || io->in[k].dims[i] == io->out.dims[i];
        if (!fits)
            return io->fail(io,
                            "inputs must agree in all dimensions but axis %d, but input 1 is %s "
                            "and input %d is %s",
                            dim + 1, fi_op_shape_text(first, &io->in[0]), k + 1,
                            fi_op_shape_text(other, &io->in[k]));
        if (!fi_add(io->out.dims[dim], io->in[k].dims[dim], &io->out.dims[dim]) ||
            !fi_add(io->out.cols, io->in[k].cols, &io->out.cols))
            return io->fail(io, "the inputs have too many numbers together");
    }
    return FANIN_OK;
}

/* How often the inputs take turns in a row: the dimensions before the axis. */
static int64_t turns_of(const void *attrs_, const struct fanin_shape *shape) {
    const int64_t axis = ((const struct concat *)attrs_)->axis;
    return fi_op_span(shape, 0, (int)(axis > 0 ? axis - 1 : axis + shape->rank));
}

static int64_t source(const struct fanin_infer *io, int k, int64_t u) {
    const int64_t turns = turns_of(io->attrs, &io->out), whole = io->out.cols / turns;
    const int64_t part = io->in[k].cols / turns;
    int64_t at = u % whole;
    for (int i = 0; i < k; i++) at -= io->in[i].cols / turns;
    return at >= 0 && at < part ? u / whole * part + at : -1;
}

/* Input k and its place in y, row by row: to or from y. */
static void move_rows(const struct fanin_step *s, int64_t task, bool backward) {
    const int64_t end = FI_MIN(s->rows, (task + 1) * FI_OP_TASK_ROWS);
    const int64_t turns = turns_of(s->attrs, s->shape), whole = s->y->cols / turns;
    for (int64_t r = task * FI_OP_TASK_ROWS; r < end; r++) {
        int64_t at = 0;
        for (int k = 0; k < s->n_in; k++) {
            const int64_t part = s->x[k]->cols / turns;
            for (int64_t t = 0; t < turns; t++) {
                const int64_t y = t * whole + at, x = t * part;
                if (!backward)
                    memcpy(s->y->data + r * s->y->ld + y, s->x[k]->data + r * s->x[k]->ld + x,
                           (size_t)part * sizeof(fi_real));
                else if (s->dx[k])
                    memcpy(s->dx[k]->data + r * s->dx[k]->ld + x, s->dy->data + r * s->dy->ld + y,
                           (size_t)part * sizeof(fi_real));
            }
            at += part;
        }
    }
}

static void forward_rows(void *arg, int64_t task) {
    move_rows(arg, task, false);
}

static void backward_rows(void *arg, int64_t task) {
    move_rows(arg, task, true);
}

static void forward(const struct fanin_step *s) {
    fi_op_each_rows(s, 1, forward_rows);
}

static void backward(const struct fanin_step *s) {
    fi_op_each_rows(s, 1, backward_rows);
}

/* A unit is one of input k with the share of its units: a mixture of their laws. What reads all
 * units with weights sees its first two moments. */
static void propagate(const struct fanin_signal_step *s) {
    const int64_t n = s->y->n;
    memset(s->y->mean, 0, (size_t)n * sizeof(double));
    memset(s->y->cov, 0, (size_t)(n * n) * sizeof(double));
    for (int k = 0; k < s->n_in; k++) {
        const struct fanin_signal *x = s->x[k];
        const double share = (double)s->units_in[k] / (double)s->units_out;
        for (int64_t a = 0; a < n; a++) {
            s->y->mean[a] += share * x->mean[a];
            for (int64_t b = 0; b < n; b++)
                s->y->cov[a * n + b] += share * (x->cov[a * n + b] + x->mean[a] * x->mean[b]);
        }
    }
    for (int64_t a = 0; a < n; a++)
        for (int64_t b = 0; b < n; b++) s->y->cov[a * n + b] -= s->y->mean[a] * s->y->mean[b];
}

static void propagate_back(const struct fanin_signal_step *s) {
    const int64_t n = s->y->n;
    for (int k = 0; k < s->n_in; k++)
        for (int64_t i = 0; i < n * n; i++) s->x[k]->grad[i] += s->y->grad[i];
}

static const struct fanin_attr first[] = {{.name = "axis", .number = 1}};
static const struct fanin_case cases[] = {
    {.rows = 1, .n_in = 2, .dims = {{1}, {1}}},
    {.rows = 5, .n_in = 3, .dims = {{7}, {1}, {33}}},
    {.rows = 33, .n_in = 2, .dims = {{2, 3}, {2, 5}}},
    {.rows = 4, .n_in = 3, .dims = {{3, 11}, {1, 11}, {2, 11}}, .attrs = first, .n_attrs = 1}};

FI_RECORD(op,
          concat) = {.head = {.name = "concat",
                              .aliases = "concatenate cat",
                              .formula = "y = (x1, x2, …) along an axis",
                              .reference = "definition",
                              .help = "Puts two to eight inputs together along one axis.",
                              .attrs = attrs,
                              .attrs_size = sizeof(struct concat)},
                     .flags = FANIN_OP_ODD | FANIN_OP_NO_X | FANIN_OP_NO_Y | FANIN_OP_TRANSPARENT,
                     .infer = infer,
                     .forward = forward,
                     .backward = backward,
                     .flops = fi_op_no_flops,
                     .source = source,
                     .signal = propagate,
                     .signal_back = propagate_back,
                     .cases = cases,
                     .n_cases = FI_COUNT(cases)};
