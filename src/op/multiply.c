/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Elementwise product of two to eight inputs of one shape (gates):
 *
 *   y = ((x1 x2) x3) …      dx_k = dy · Π of the other inputs, in order
 *
 * The same node may stand among the inputs several times: its gradients add up.
 *
 * There is no law of signals here: the moments of a product depend on whether its inputs come from
 * the same weights (x · sigmoid(x)) or from others, which the laws of the inputs do not tell. The
 * theory begins anew behind it.
 */
#include "op/op.h"

#define RUN 256 /* numbers multiplied at a time */

static enum fanin_status infer(struct fanin_infer *io) {
    return fi_op_infer_joined(io, "multiply");
}

static void times(fi_real *run, const fi_real *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) run[i] *= x[i];
}

/* The product of a run of one row; `but`: the input left out, whose place the gradient takes. */
static void product(const struct fanin_step *s, int64_t row, int64_t col, int64_t n, int but,
                    fi_real *run) {
    const struct fanin_tensor *first = but < 0 ? s->x[0] : s->dy;
    const fi_real *from = first->data + row * first->ld + col;
    for (int64_t i = 0; i < n; i++) run[i] = from[i];
    for (int k = but < 0; k < s->n_in; k++)
        if (k != but) times(run, s->x[k]->data + row * s->x[k]->ld + col, n);
}

static void each_run(const struct fanin_step *s, int64_t task, int but,
                     const struct fanin_tensor *to) {
    const int64_t end = FI_MIN(s->rows, (task + 1) * FI_OP_TASK_ROWS), cols = s->y->cols;
    fi_real run[RUN];
    for (int64_t r = task * FI_OP_TASK_ROWS; r < end; r++)
        for (int64_t c0 = 0; c0 < cols; c0 += RUN) {
            const int64_t n = FI_MIN(RUN, cols - c0);
            fi_real *y = to->data + r * to->ld + c0;
            product(s, r, c0, n, but, run);
            for (int64_t i = 0; i < n; i++) y[i] = run[i];
        }
}

static void forward_rows(void *arg, int64_t task) {
    const struct fanin_step *s = arg;
    each_run(s, task, -1, s->y);
}

static void backward_rows(void *arg, int64_t task) {
    const struct fanin_step *s = arg;
    for (int k = 0; k < s->n_in; k++)
        if (s->dx[k]) each_run(s, task, k, s->dx[k]);
}

static void forward(const struct fanin_step *s) {
    fi_op_each_rows(s, s->n_in, forward_rows);
}

static void backward(const struct fanin_step *s) {
    fi_op_each_rows(s, s->n_in * s->n_in, backward_rows);
}

static double flops(const struct fanin_infer *io) {
    return (double)io->in[0].cols * (io->n_in - 1);
}

static const struct fanin_case cases[] = {
    {.rows = 1, .n_in = 2, .dims = {{1}, {1}}},
    {.rows = 5, .n_in = 3, .dims = {{7}, {7}, {7}}},
    {.rows = 33, .n_in = 2, .dims = {{1030}, {1030}}},
    {.rows = 4, .n_in = 4, .dims = {{3, 11}, {3, 11}, {3, 11}, {3, 11}}}};

FI_RECORD(op, multiply) = {
    .head = {.name = "multiply",
             .formula = "y = x1 x2 …",
             .reference = "definition",
             .help = "Multiplies two to eight inputs of one shape, number by number (gates)."},
    .flags = FANIN_OP_NO_Y | FANIN_OP_PRODUCT,
    .infer = infer,
    .forward = forward,
    .backward = backward,
    .flops = flops,
    .cases = cases,
    .n_cases = FI_COUNT(cases)};
