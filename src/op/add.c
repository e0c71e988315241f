/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sum of two to eight inputs of one shape: y = ((x1 + x2) + x3) + …; each gradient is dy. The skip
 * connection of residual nets (He, Zhang, Ren, Sun: Deep residual learning, CVPR 2016, equation 1).
 *
 * A run of columns is summed in a small buffer before it is stored, so y may share memory with any
 * input.
 */
#include "op/op.h"

#define RUN 256            /* numbers summed at a time */
#define TASK_NUMBERS 32768 /* grain of a thread's work */

static enum fanin_status infer(struct fanin_infer *io) {
    return fi_op_infer_joined(io, "add");
}

static int64_t rows_per_task(const struct fanin_step *s) {
    return FI_MAX(1, TASK_NUMBERS / s->y->cols);
}

static void forward_rows(void *arg, int64_t task) {
    const struct fanin_step *s = arg;
    const int64_t grain = rows_per_task(s), cols = s->y->cols;
    const int64_t end = FI_MIN(s->rows, (task + 1) * grain);
    fi_real run[RUN];
    for (int64_t r = task * grain; r < end; r++) {
        for (int64_t c0 = 0; c0 < cols; c0 += RUN) {
            const int64_t n = FI_MIN(RUN, cols - c0);
            const fi_real *x = s->x[0]->data + r * s->x[0]->ld + c0;
            fi_real *y = s->y->data + r * s->y->ld + c0;
            for (int64_t i = 0; i < n; i++) run[i] = x[i];
            for (int k = 1; k < s->n_in; k++) {
                x = s->x[k]->data + r * s->x[k]->ld + c0;
                for (int64_t i = 0; i < n; i++) run[i] += x[i];
            }
            for (int64_t i = 0; i < n; i++) y[i] = run[i];
        }
    }
}

static void backward_rows(void *arg, int64_t task) {
    const struct fanin_step *s = arg;
    const int64_t grain = rows_per_task(s), row0 = task * grain;
    const struct fanin_block b = {.rows = FI_MIN(grain, s->rows - row0), .cols = s->y->cols};
    for (int k = 0; k < s->n_in; k++)
        if (s->dx[k])
            fi_op_copy(&b, s->dy->data + row0 * s->dy->ld, s->dy->ld,
                       s->dx[k]->data + row0 * s->dx[k]->ld, s->dx[k]->ld);
}

static void run_rows(const struct fanin_step *s, void (*rows)(void *arg, int64_t task)) {
    const int64_t grain = rows_per_task(s);
    const double work = (double)s->rows * (double)s->y->cols * s->n_in;
    fi_parallel(fi_step_ctx(s), (s->rows + grain - 1) / grain, work, rows, (void *)(uintptr_t)s);
}

static void forward(const struct fanin_step *s) {
    run_rows(s, forward_rows);
}

static void backward(const struct fanin_step *s) {
    run_rows(s, backward_rows);
}

static double flops(const struct fanin_infer *io) {
    return (double)io->in[0].cols * (io->n_in - 1);
}

static const struct fanin_case cases[] = {
    {.rows = 1, .n_in = 2, .dims = {{1}, {1}}},
    {.rows = 5, .n_in = 3, .dims = {{7}, {7}, {7}}},
    {.rows = 33, .n_in = 2, .dims = {{1030}, {1030}}},
    {.rows = 4, .n_in = 4, .dims = {{3, 11}, {3, 11}, {3, 11}, {3, 11}}}};

FI_RECORD(op, add) = {.head = {.name = "add",
                               .formula = "y = x1 + x2 + …",
                               .reference = "He et al., CVPR 2016, equation 1",
                               .help = "Adds two to eight inputs of one shape (skip connections)."},
                      .flags = FANIN_OP_ODD | FANIN_OP_NO_X | FANIN_OP_NO_Y | FANIN_OP_TRANSPARENT |
                               FANIN_OP_SUM,
                      .infer = infer,
                      .forward = forward,
                      .backward = backward,
                      .flops = flops,
                      .signal = fi_signal_sum,
                      .signal_back = fi_signal_sum_back,
                      .cases = cases,
                      .n_cases = FI_COUNT(cases)};
