/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the ops share.
 */
#include <stdio.h>
#include <string.h>

#include "op/op.h"

const char *fi_op_shape_text(char text[FI_SHAPE_TEXT], const struct fanin_shape *shape) {
    int at = snprintf(text, FI_SHAPE_TEXT, "(");
    for (int i = 0; i < shape->rank; i++)
        at += snprintf(text + at, (size_t)(FI_SHAPE_TEXT - at), i ? ", %lld" : "%lld",
                       (long long)shape->dims[i]);
    snprintf(text + at, (size_t)(FI_SHAPE_TEXT - at), ")");
    return text;
}

enum fanin_status fi_op_infer_same(struct fanin_infer *io) {
    if (io->n_in != 1) return io->fail(io, "this op reads one node, not %d", io->n_in);
    io->out = io->in[0];
    return FANIN_OK;
}

void fi_op_copy(const struct fanin_block *b, const fi_real *x, int64_t ldx, fi_real *y,
                int64_t ldy) {
    if (x == y) return;
    for (int64_t r = 0; r < b->rows; r++)
        memcpy(y + r * ldy, x + r * ldx, (size_t)b->cols * sizeof(fi_real));
}

void fi_op_keep(const struct fanin_step *s, int64_t first, int64_t n, int64_t per_sample,
                uint32_t threshold, uint8_t *keep) {
    if (!s->switches) {
        fi_random_below16(s->key, s->step, s->row0 * per_sample + first, n, threshold, keep);
        return;
    }
    for (int64_t i = 0; i < n; i++) keep[i] = s->switches[(first + i) % per_sample];
}

void fi_op_each_rows(const struct fanin_step *s, double flops_per_number,
                     void (*rows)(void *step, int64_t task)) {
    const double work = flops_per_number * (double)s->rows * (double)s->y->cols;
    fi_parallel(fi_step_ctx(s), (s->rows + FI_OP_TASK_ROWS - 1) / FI_OP_TASK_ROWS, work, rows,
                (void *)(uintptr_t)s);
}
