/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Logarithm of softmax over a sample: y_j = x_j - m - ln Σ_k exp(x_k - m), m = max x;
 *
 *   dx_j = dy_j - exp(y_j) Σ_k dy_k
 *
 * The largest term, exp(0) = 1, is kept out of the sum: ln(1 + Σ others) is then right to the last
 * bits also where softmax rounds to 1. The backward pass reads y alone.
 *
 * Bridle: Probabilistic interpretation of feedforward classification network outputs, 1990.
 */
#include "kernel/softmax.h"

#include "op/activation.h"

#define WORK 24 /* a number, in units of flops */

/* The first index of max; -1 where a NaN hides it. */
static int64_t find(const fi_real *x, int64_t cols, fi_real max) {
    for (int64_t c = 0; c < cols; c++)
        if (x[c] == max) return c;
    return -1;
}

static void forward_rows(void *arg, int64_t task) {
    const struct fanin_step *s = arg;
    const int64_t end = FI_MIN(s->rows, (task + 1) * FI_OP_TASK_ROWS), cols = s->y->cols;
    for (int64_t r = task * FI_OP_TASK_ROWS; r < end; r++) {
        const fi_real *x = s->x[0]->data + r * s->x[0]->ld;
        fi_real *y = s->y->data + r * s->y->ld, own;
        const fi_real max = fi_max(x, cols);
        const double others = fi_exp_row(x, cols, max, find(x, cols, max), &own, NULL);
        const fi_real log_sum = (fi_real)fi_log1p(others);
        FI_IVDEP
        for (int64_t c = 0; c < cols; c++) y[c] = (x[c] - max) - log_sum;
    }
}

static void backward_rows(void *arg, int64_t task) {
    const struct fanin_step *s = arg;
    const int64_t end = FI_MIN(s->rows, (task + 1) * FI_OP_TASK_ROWS), cols = s->y->cols;
    for (int64_t r = task * FI_OP_TASK_ROWS; r < end; r++) {
        const fi_real *y = s->y->data + r * s->y->ld, *dy = s->dy->data + r * s->dy->ld;
        fi_real *dx = s->dx[0]->data + r * s->dx[0]->ld;
        const fi_real sum = fi_sum(dy, cols);
        FI_IVDEP
        for (int64_t c = 0; c < cols; c++) dx[c] = fi_fma(-fi_r_exp(y[c]), sum, dy[c]);
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

FI_ACTIVATION_CASES

FI_RECORD(op, log_softmax) = {
    .head = {.name = "log_softmax",
             .formula = "y_j = x_j - log(sum_k exp(x_k))",
             .reference = "Bridle 1990",
             .help = "Turns the numbers of a sample into logarithms of probabilities."},
    .flags = FANIN_OP_NO_X | FANIN_OP_MIXES,
    .infer = fi_op_infer_same,
    .forward = forward,
    .backward = backward,
    .flops = flops,
    .cases = cases,
    .n_cases = FI_COUNT(cases)};
