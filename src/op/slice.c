/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Slice: the part start ≤ i < end of one axis, say some columns of a table. Negative positions
 * count from the end and an end that is left out is the end, as in Python. The gradient of what is
 * left out is 0. Axes count the batch as 0, as in PyTorch and Keras; -1 is the last.
 */
#include <string.h>

#include "op/op.h"

struct slice {
    int64_t start, end, axis;
};

static const struct fanin_attr_spec attrs[] = {
    FI_ATTR_INT(struct slice, start, 0, -1e15, 1e15, "the first position taken, counted from 0", 0),
    FI_ATTR_INT(struct slice, end, NAN, -1e15, 1e15,
                "the position behind the last one taken; null: the end of the axis",
                FANIN_ATTR_NULLABLE),
    FI_ATTR_INT(struct slice, axis, -1, -FANIN_MAX_RANK, FANIN_MAX_RANK,
                "which is cut: 1 is the first of a sample, -1 the last", 0),
    FI_ATTR_END};

/* What is cut out of samples of this shape: along `dim`, positions [start, end). */
struct cut {
    int64_t outer, length, inner, start, end;
};

static struct cut cut_of(const void *attrs_, const struct fanin_shape *x) {
    const struct slice *a = attrs_;
    const int dim = (int)(a->axis > 0 ? a->axis - 1 : a->axis + x->rank);
    const int64_t length = x->dims[dim], end = a->end == INT64_MIN ? length : a->end;
    return (struct cut){.outer = fi_op_span(x, 0, dim),
                        .length = length,
                        .inner = fi_op_span(x, dim + 1, x->rank),
                        .start = a->start < 0 ? a->start + length : a->start,
                        .end = end < 0 ? end + length : end};
}

static enum fanin_status infer(struct fanin_infer *io) {
    const struct slice *a = io->attrs;
    int dim;
    FI_TRY(fi_op_infer_same(io));
    FI_TRY(fi_op_axis(io, a->axis, &dim));
    const struct cut cut = cut_of(a, &io->in[0]);
    if (cut.start < 0 || cut.end > cut.length || cut.start >= cut.end)
        return io->fail(io,
                        "start %lld and end %lld take nothing of, or reach beyond, the %lld "
                        "positions of axis %d",
                        (long long)a->start, (long long)(a->end == INT64_MIN ? cut.length : a->end),
                        (long long)cut.length, dim + 1);
    io->out.dims[dim] = cut.end - cut.start;
    io->out.cols = cut.outer * (cut.end - cut.start) * cut.inner;
    return FANIN_OK;
}

static int64_t source(const struct fanin_infer *io, int k, int64_t u) {
    const struct cut cut = cut_of(io->attrs, &io->in[k]);
    const int64_t part = (cut.end - cut.start) * cut.inner;
    return u / part * cut.length * cut.inner + cut.start * cut.inner + u % part;
}

static void forward_rows(void *arg, int64_t task) {
    const struct fanin_step *s = arg;
    const struct cut cut = cut_of(s->attrs, s->x_shape[0]);
    const int64_t end = FI_MIN(s->rows, (task + 1) * FI_OP_TASK_ROWS);
    const int64_t whole = cut.length * cut.inner, part = (cut.end - cut.start) * cut.inner;
    for (int64_t r = task * FI_OP_TASK_ROWS; r < end; r++)
        for (int64_t o = 0; o < cut.outer; o++)
            memcpy(s->y->data + r * s->y->ld + o * part,
                   s->x[0]->data + r * s->x[0]->ld + o * whole + cut.start * cut.inner,
                   (size_t)part * sizeof(fi_real));
}

static void backward_rows(void *arg, int64_t task) {
    const struct fanin_step *s = arg;
    const struct cut cut = cut_of(s->attrs, s->x_shape[0]);
    const int64_t end = FI_MIN(s->rows, (task + 1) * FI_OP_TASK_ROWS);
    const int64_t whole = cut.length * cut.inner, part = (cut.end - cut.start) * cut.inner;
    for (int64_t r = task * FI_OP_TASK_ROWS; r < end; r++) {
        fi_real *dx = s->dx[0]->data + r * s->dx[0]->ld;
        memset(dx, 0, (size_t)s->dx[0]->cols * sizeof(fi_real));
        for (int64_t o = 0; o < cut.outer; o++)
            memcpy(dx + o * whole + cut.start * cut.inner, s->dy->data + r * s->dy->ld + o * part,
                   (size_t)part * sizeof(fi_real));
    }
}

static void forward(const struct fanin_step *s) {
    fi_op_each_rows(s, 1, forward_rows);
}

static void backward(const struct fanin_step *s) {
    if (s->dx[0]) fi_op_each_rows(s, 1, backward_rows);
}

/* Any units have the law of all. What is left out gets no gradient. */
static void propagate_back(const struct fanin_signal_step *s) {
    const double share = (double)s->units_out / (double)s->units_in[0];
    const int64_t n = s->y->n;
    for (int64_t i = 0; i < n * n; i++) s->x[0]->grad[i] += share * s->y->grad[i];
}

static const struct fanin_attr all[] = {{.name = "start", .number = 0}};
static const struct fanin_attr middle[] = {{.name = "start", .number = 2},
                                           {.name = "end", .number = -1}};
static const struct fanin_attr rows[] = {
    {.name = "start", .number = -2}, {.name = "end", .is_null = 1}, {.name = "axis", .number = 1}};
static const struct fanin_case cases[] = {
    {.rows = 1, .n_in = 1, .dims = {{1}}, .attrs = all, .n_attrs = 1},
    {.rows = 5, .n_in = 1, .dims = {{7}}, .attrs = middle, .n_attrs = 2},
    {.rows = 33, .n_in = 1, .dims = {{3, 5}}, .attrs = middle, .n_attrs = 2},
    {.rows = 4, .n_in = 1, .dims = {{3, 4, 11}}, .attrs = rows, .n_attrs = 3}};

FI_RECORD(op, slice) = {
    .head = {.name = "slice",
             .formula = "y = x[start:end] along an axis",
             .reference = "definition",
             .help = "Takes a range of positions of one axis, such as some columns of a table.",
             .attrs = attrs,
             .attrs_size = sizeof(struct slice)},
    .flags = FANIN_OP_ODD | FANIN_OP_NO_X | FANIN_OP_NO_Y | FANIN_OP_TRANSPARENT,
    .infer = infer,
    .forward = forward,
    .backward = backward,
    .flops = fi_op_no_flops,
    .source = source,
    .signal = fi_signal_sum,
    .signal_back = propagate_back,
    .cases = cases,
    .n_cases = FI_COUNT(cases)};
