/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Softmax over a sample: y_j = exp(x_j - m) / Σ_k exp(x_k - m), m = max x;
 *
 *   dx_j = y_j (dy_j - Σ_k dy_k y_k)
 *
 * Subtracting the maximum changes nothing and keeps exp from overflowing. For classification train
 * with softmax_cross_entropy on what comes before it: it is exact where this op followed by a
 * logarithm is not.
 *
 * Bridle: Probabilistic interpretation of feedforward classification network outputs, 1990.
 */
#include "kernel/softmax.h"

#include "op/op.h"

#define WORK 24 /* a number, in units of flops */

static void forward_rows(void *arg, int64_t task) {
    const struct fanin_step *s = arg;
    const struct fanin_tensor *x = s->x[0], *y = s->y;
    const int64_t row0 = task * FI_OP_TASK_ROWS;
    fi_softmax(x->data + row0 * x->ld, FI_MIN(FI_OP_TASK_ROWS, s->rows - row0), x->cols, x->ld,
               y->data + row0 * y->ld, y->ld);
}

static void backward_rows(void *arg, int64_t task) {
    const struct fanin_step *s = arg;
    const int64_t end = FI_MIN(s->rows, (task + 1) * FI_OP_TASK_ROWS), cols = s->y->cols;
    for (int64_t r = task * FI_OP_TASK_ROWS; r < end; r++) {
        const fi_real *y = s->y->data + r * s->y->ld, *dy = s->dy->data + r * s->dy->ld;
        fi_real *dx = s->dx[0]->data + r * s->dx[0]->ld;
        for (int64_t c = 0; c < cols; c++) dx[c] = dy[c] * y[c];
        const fi_real dot = fi_sum(dx, cols);
        for (int64_t c = 0; c < cols; c++) dx[c] = y[c] * (dy[c] - dot);
    }
}

static void forward(const struct fanin_step *s) {
    fi_op_each_rows(s, WORK, forward_rows);
}

static void backward(const struct fanin_step *s) {
    if (s->dx[0]) fi_op_each_rows(s, WORK, backward_rows);
}

static double flops(const struct fanin_infer *io) {
    return 4.0 * (double)io->in[0].cols;
}

static const struct fanin_case cases[] = {{.rows = 1, .n_in = 1, .dims = {{1}}},
                                          {.rows = 5, .n_in = 1, .dims = {{7}}},
                                          {.rows = 3, .n_in = 1, .dims = {{1030}}},
                                          {.rows = 33, .n_in = 1, .dims = {{3, 11}}}};

FI_RECORD(op, softmax) = {
    .head = {.name = "softmax",
             .formula = "y_j = exp(x_j) / sum_k exp(x_k)",
             .reference = "Bridle 1990",
             .help = "Turns the numbers of a sample into probabilities that sum to 1."},
    .flags = FANIN_OP_NO_X | FANIN_OP_MIXES,
    .infer = fi_op_infer_same,
    .forward = forward,
    .backward = backward,
    .flops = flops,
    .cases = cases,
    .n_cases = FI_COUNT(cases)};
