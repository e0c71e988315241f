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
                uint32_t threshold, uint8_t *mask) {
    if (!s->switches) {
        fi_random_below16(s->key, s->step, s->row0 * per_sample + first, n, threshold, mask);
        return;
    }
    memset(mask, 0, (size_t)(n + 7) / 8);
    for (int64_t i = 0; i < n; i++)
        mask[i / 8] |= (uint8_t)((s->switches[(first + i) % per_sample] != 0) << i % 8);
}

void fi_op_clear(const struct fanin_block *b, fi_real *y, int64_t ldy) {
    for (int64_t r = 0; r < b->rows; r++) memset(y + r * ldy, 0, (size_t)b->cols * sizeof(fi_real));
}

enum fanin_status fi_op_infer_joined(struct fanin_infer *io, const char *name) {
    char first[FI_SHAPE_TEXT], other[FI_SHAPE_TEXT];
    if (io->n_in < 2) return io->fail(io, "%s reads 2 to %d nodes, not 1", name, FANIN_MAX_INPUTS);
    io->out = io->in[0];
    for (int k = 1; k < io->n_in; k++) {
        bool same = io->in[k].rank == io->out.rank;
        for (int i = 0; same && i < io->out.rank; i++) same = io->in[k].dims[i] == io->out.dims[i];
        if (!same)
            return io->fail(
                io, "inputs of %s must have one shape, but input 1 is %s and input %d is %s", name,
                fi_op_shape_text(first, &io->out), k + 1, fi_op_shape_text(other, &io->in[k]));
    }
    return FANIN_OK;
}

enum fanin_status fi_op_axis(const struct fanin_infer *io, int64_t axis, int *dim) {
    char text[FI_SHAPE_TEXT];
    const int rank = io->in[0].rank;
    if (axis == 0) return io->fail(io, "axis 0 is the batch; the first of a sample is axis 1");
    if (axis > rank || axis < -rank)
        return io->fail(io, "there is no axis %lld: samples are %s, whose axes are 1 to %d",
                        (long long)axis, fi_op_shape_text(text, &io->in[0]), rank);
    *dim = (int)(axis > 0 ? axis - 1 : axis + rank);
    return FANIN_OK;
}

int64_t fi_op_span(const struct fanin_shape *shape, int first, int end) {
    int64_t span = 1;
    for (int i = first; i < end; i++) span *= shape->dims[i];
    return span;
}

double fi_op_no_flops(const struct fanin_infer *io) {
    (void)io;
    return 0;
}

void fi_op_each_rows(const struct fanin_step *s, double flops_per_number,
                     void (*rows)(void *step, int64_t task)) {
    const double work = flops_per_number * (double)s->rows * (double)s->y->cols;
    fi_parallel(fi_step_ctx(s), (s->rows + FI_OP_TASK_ROWS - 1) / FI_OP_TASK_ROWS, work, rows,
                (void *)(uintptr_t)s);
}

/* ---- noise ---------------------------------------------------------------------------------------- */

#define DRAW_CHUNK 16384 /* numbers drawn by one task; whole words of a mask */
/* What a number costs, in floating-point operations. */
#define MASK_FLOPS 28.0
#define NORMAL_FLOPS 60.0

struct masks {
    const struct fanin_step *step;
    uint32_t threshold;
};

static void mask_task(void *arg, int64_t chunk) {
    const struct masks *m = arg;
    const struct fanin_step *s = m->step;
    const int64_t first = chunk * DRAW_CHUNK;
    const int64_t n = FI_MIN(DRAW_CHUNK, s->rows * s->y->cols - first);
    fi_op_keep(s, first, n, s->y->cols, m->threshold, (uint8_t *)s->state + first / 8);
}

void fi_op_draw_mask(const struct fanin_step *s, uint32_t threshold) {
    const int64_t n = s->rows * s->y->cols;
    struct masks m = {s, threshold};
    if (fi_op_drops_some(threshold))
        fi_parallel(fi_step_ctx(s), (n + DRAW_CHUNK - 1) / DRAW_CHUNK, MASK_FLOPS * (double)n,
                    mask_task, &m);
}

/* A word of the mask, `n` numbers of it. */
static inline void pick_word(uint32_t bits, fi_real scale, fi_real dropped, const fi_real *x,
                             fi_real *y, int n) {
    FI_IVDEP
    for (int i = 0; i < n; i++) {
        const fi_real v = x[i] * scale;
        y[i] = bits & UINT32_C(1) << i ? v : dropped;
    }
}

void fi_op_pick(const uint8_t *mask, int64_t at, fi_real scale, fi_real dropped, const fi_real *x,
                fi_real *y, int64_t n) {
    int64_t i = 0;
    for (; i + 32 <= n; i += 32)
        pick_word(fi_op_mask_bits(mask, at + i), scale, dropped, x + i, y + i, 32);
    if (i < n) pick_word(fi_op_mask_bits(mask, at + i), scale, dropped, x + i, y + i, (int)(n - i));
}

void fi_op_apply_mask(const struct fanin_step *s, const struct fanin_block *b, fi_real scale,
                      const fi_real *x, int64_t ldx, fi_real *y, int64_t ldy) {
    for (int64_t r = 0; r < b->rows; r++)
        fi_op_pick(s->state, fi_op_mask_at(s, b, r), scale, 0, x + r * ldx, y + r * ldy, b->cols);
}

/* Numbers come in pairs; a shard may begin at the second of one. */
static void normal_task(void *arg, int64_t chunk) {
    const struct fanin_step *s = arg;
    fi_real *to = (fi_real *)s->state + chunk * DRAW_CHUNK;
    int64_t n = FI_MIN(DRAW_CHUNK, s->rows * s->y->cols - chunk * DRAW_CHUNK);
    int64_t first = s->row0 * s->y->cols + chunk * DRAW_CHUNK;
    if (first & 1) {
        fi_real pair[2];
        fi_random_normal(s->key, s->step, first - 1, 2, pair);
        *to++ = pair[1];
        first++, n--;
    }
    fi_random_normal(s->key, s->step, first, n, to);
}

void fi_op_draw_normal(const struct fanin_step *s) {
    const int64_t n = s->rows * s->y->cols;
    fi_parallel(fi_step_ctx(s), (n + DRAW_CHUNK - 1) / DRAW_CHUNK, NORMAL_FLOPS * (double)n,
                normal_task, (void *)(uintptr_t)s);
}
