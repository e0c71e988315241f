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
 * blocks, threads and shards do not change them. The mask, one bit a number, is drawn for the whole
 * batch at once (the generator gives hundreds of numbers a call, blocks are narrow) and serves the
 * backward pass.
 *
 * Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov: Dropout, JMLR 15 (2014), section 10.
 */
#include "op/op.h"

struct dropout {
    double rate;
};

static const struct fanin_attr_spec attrs[] = {
    FI_ATTR_REAL(struct dropout, rate, 0.5, 0, 1, "probability of dropping, in steps of 2^-16", 0),
    FI_ATTR_END};

static enum fanin_status infer(struct fanin_infer *io) {
    FI_TRY(fi_op_infer_same(io));
    io->state_bytes_per_row = fi_op_mask_row_bytes(io->out.cols);
    io->state_bytes = FI_OP_MASK_END;
    return FANIN_OK;
}

static uint32_t threshold_of(const void *attrs_) {
    return fi_op_threshold(((const struct dropout *)attrs_)->rate);
}

static int draws(const void *attrs_) {
    return fi_op_drops_some(threshold_of(attrs_));
}

static double second_moment(const void *attrs_) {
    const double rate = ((const struct dropout *)attrs_)->rate;
    return rate < 1 ? 1 / (1 - rate) : 1; /* what drops everything cannot be made up for */
}

static void prepare(const struct fanin_step *s) {
    if (s->training) fi_op_draw_mask(s, threshold_of(s->attrs));
}

static void apply(const struct fanin_step *s, const struct fanin_block *b, const fi_real *x,
                  int64_t ldx, fi_real *y, int64_t ldy) {
    const uint32_t threshold = s->training ? threshold_of(s->attrs) : 0;
    if (threshold == 0)
        fi_op_copy(b, x, ldx, y, ldy);
    else if (threshold == FI_OP_DROP_ALL)
        fi_op_clear(b, y, ldy);
    else
        fi_op_apply_mask(s, b, fi_op_keep_scale(threshold), x, ldx, y, ldy);
}

static void forward_block(const struct fanin_step *s, const struct fanin_block *b, const fi_real *x,
                          int64_t ldx, fi_real *y, int64_t ldy) {
    apply(s, b, x, ldx, y, ldy);
}

static void backward_block(const struct fanin_step *s, const struct fanin_block *b,
                           const fi_real *x, int64_t ldx, const fi_real *y, int64_t ldy,
                           const fi_real *dy, int64_t lddy, fi_real *dx, int64_t lddx) {
    (void)x, (void)ldx, (void)y, (void)ldy;
    apply(s, b, dy, lddy, dx, lddx);
}

static int64_t switches(const void *attrs_, const struct fanin_shape *in, double *keep) {
    *keep = fi_op_keep_probability(threshold_of(attrs_));
    return in->cols;
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
    .flags = FANIN_OP_ODD | FANIN_OP_ELEMENTWISE | FANIN_OP_NO_X | FANIN_OP_NO_Y |
             FANIN_OP_KEEPS_SIGN | FANIN_OP_STOCHASTIC | FANIN_OP_IDENTITY_EVAL |
             FANIN_OP_TRANSPARENT,
    .infer = infer,
    .prepare = prepare,
    .forward_block = forward_block,
    .backward_block = backward_block,
    .flops = fi_op_no_flops,
    .draws = draws,
    .switches = switches,
    .second_moment = second_moment,
    .cases = cases,
    .n_cases = FI_COUNT(cases)};
