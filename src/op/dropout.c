/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dropout, inverted: in training each number is dropped with probability `rate` and the others are
 * divided by keep = 1 - rate; otherwise nothing is done.
 *
 *   y = m x / keep      dx = m dy / keep      m ~ Bernoulli(keep)
 *
 * A number is dropped if its 16 random bits are below rate · 2^16. The rate is rounded to a
 * multiple of 2^-16 first and the scale follows from the rounded rate, so E[y] = x exactly. The
 * bits of element (row, col) depend on the node, the step and its index in the global batch alone:
 * blocks, threads and shards do not change them. The mask, one byte a number, is drawn for the
 * whole batch at once (the generator gives 128 numbers a call, blocks are 32 wide) and serves the
 * backward pass.
 *
 * Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov: Dropout, JMLR 15 (2014), section 10.
 */
#include <string.h>

#include "op/op.h"

#define DROP_ALL 65536u
#define DRAW_CHUNK 16384 /* numbers drawn by one task */
#define DRAW_FLOPS 20.0  /* what a number costs, in floating-point operations */

struct dropout {
    double rate;
};

static const struct fanin_attr_spec attrs[] = {
    FI_ATTR_REAL(struct dropout, rate, 0.5, 0, 1, "probability of dropping, in steps of 2^-16", 0),
    FI_ATTR_END};

static enum fanin_status infer(struct fanin_infer *io) {
    FI_TRY(fi_op_infer_same(io));
    io->state_bytes_per_cell = 1;
    return FANIN_OK;
}

/* rate · 2^16, rounded. */
static uint32_t threshold_of(const void *attrs_) {
    return (uint32_t)floor(((const struct dropout *)attrs_)->rate * DROP_ALL + 0.5);
}

static int draws(const void *attrs_) {
    const uint32_t threshold = threshold_of(attrs_);
    return threshold > 0 && threshold < DROP_ALL;
}

static double second_moment(const void *attrs_) {
    const double rate = ((const struct dropout *)attrs_)->rate;
    return rate < 1 ? 1 / (1 - rate) : 1; /* what drops everything cannot be made up for */
}

static uint32_t threshold_now(const struct fanin_step *s) {
    return s->training ? threshold_of(s->attrs) : 0;
}

static fi_real scale_of(uint32_t threshold) {
    return (fi_real)((double)DROP_ALL / (DROP_ALL - threshold));
}

static const uint8_t *mask_row(const struct fanin_step *s, const struct fanin_block *b, int64_t r) {
    return (const uint8_t *)s->state + (b->row0 + r) * s->y->cols + b->col0;
}

static void draw_chunk(void *arg, int64_t chunk) {
    const struct fanin_step *s = arg;
    const int64_t first = chunk * DRAW_CHUNK;
    const int64_t n = FI_MIN(DRAW_CHUNK, s->rows * s->y->cols - first);
    fi_op_keep(s, first, n, s->y->cols, threshold_of(s->attrs), (uint8_t *)s->state + first);
}

static void prepare(const struct fanin_step *s) {
    const int64_t n = s->rows * s->y->cols;
    if (s->training && draws(s->attrs))
        fi_parallel(fi_step_ctx(s), (n + DRAW_CHUNK - 1) / DRAW_CHUNK, DRAW_FLOPS * (double)n,
                    draw_chunk, (void *)(uintptr_t)s);
}

/* y = keep ? x · scale : 0, so that what is dropped is 0 even if it was infinite. */
static void apply(const uint8_t *mask, fi_real scale, const fi_real *x, fi_real *y, int64_t n) {
    FI_IVDEP
    for (int64_t i = 0; i < n; i++) {
        const fi_real v = x[i] * scale;
        y[i] = mask[i] ? v : 0;
    }
}

static void clear(const struct fanin_block *b, fi_real *y, int64_t ld) {
    for (int64_t r = 0; r < b->rows; r++) memset(y + r * ld, 0, (size_t)b->cols * sizeof(fi_real));
}

static void forward_block(const struct fanin_step *s, const struct fanin_block *b, const fi_real *x,
                          int64_t ldx, fi_real *y, int64_t ldy) {
    const uint32_t threshold = threshold_now(s);
    if (threshold == 0) {
        fi_op_copy(b, x, ldx, y, ldy);
        return;
    }
    if (threshold == DROP_ALL) {
        clear(b, y, ldy);
        return;
    }
    const fi_real scale = scale_of(threshold);
    for (int64_t r = 0; r < b->rows; r++)
        apply(mask_row(s, b, r), scale, x + r * ldx, y + r * ldy, b->cols);
}

static void backward_block(const struct fanin_step *s, const struct fanin_block *b,
                           const fi_real *x, int64_t ldx, const fi_real *y, int64_t ldy,
                           const fi_real *dy, int64_t lddy, fi_real *dx, int64_t lddx) {
    const uint32_t threshold = threshold_now(s);
    (void)x, (void)ldx, (void)y, (void)ldy;
    if (threshold == 0) {
        fi_op_copy(b, dy, lddy, dx, lddx);
        return;
    }
    if (threshold == DROP_ALL) {
        clear(b, dx, lddx);
        return;
    }
    const fi_real scale = scale_of(threshold);
    for (int64_t r = 0; r < b->rows; r++)
        apply(mask_row(s, b, r), scale, dy + r * lddy, dx + r * lddx, b->cols);
}

static int64_t switches(const void *attrs_, const struct fanin_shape *in, double *keep) {
    *keep = 1 - (double)threshold_of(attrs_) / DROP_ALL;
    return in->cols;
}

static double flops(const struct fanin_infer *io) {
    (void)io;
    return 0; /* of a prediction, where it does nothing */
}

static const struct fanin_attr none[] = {{.name = "rate", .number = 0}};
static const struct fanin_attr fifth[] = {{.number = 0.2}};
static const struct fanin_attr all[] = {{.name = "rate", .number = 1}};
static const struct fanin_case cases[] = {
    {.rows = 1, .n_in = 1, .dims = {{1}}},
    {.rows = 5, .n_in = 1, .dims = {{7}}, .attrs = fifth, .n_attrs = 1},
    {.rows = 3, .n_in = 1, .dims = {{1030}}},
    {.rows = 33, .n_in = 1, .dims = {{3, 11}}, .attrs = fifth, .n_attrs = 1},
    {.rows = 4, .n_in = 1, .dims = {{9}}, .attrs = none, .n_attrs = 1},
    {.rows = 4, .n_in = 1, .dims = {{9}}, .attrs = all, .n_attrs = 1}};

FI_RECORD(op, dropout) = {
    .head = {.name = "dropout",
             .formula = "y = m x / (1 - rate), m ~ Bernoulli(1 - rate); outside training y = x",
             .reference = "Srivastava et al., JMLR 15 (2014); inverted scaling of its section 10",
             .help =
                 "Drops each number with probability `rate` in training and scales up the rest.",
             .attrs = attrs,
             .attrs_size = sizeof(struct dropout)},
    .flags = FANIN_OP_ELEMENTWISE | FANIN_OP_NO_X | FANIN_OP_NO_Y | FANIN_OP_KEEPS_SIGN |
             FANIN_OP_STOCHASTIC | FANIN_OP_IDENTITY_EVAL | FANIN_OP_TRANSPARENT,
    .infer = infer,
    .prepare = prepare,
    .forward_block = forward_block,
    .backward_block = backward_block,
    .flops = flops,
    .draws = draws,
    .switches = switches,
    .second_moment = second_moment,
    .cases = cases,
    .n_cases = FI_COUNT(cases)};
