/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gaussian dropout: in training each number is multiplied by one drawn from N(1, rate / (1 -
 * rate)), the mean and variance that dropout's mask has; otherwise nothing is done.
 *
 *   y = m x      dx = m dy      m = 1 + sqrt(rate / (1 - rate)) z,  z ~ N(0, 1)
 *
 * At rate 1 the variance would be infinite, so that is refused; at 0 y = x to the last bit. The
 * noise of element (row, col) depends on the node, the step and its index in the global batch
 * alone.
 *
 * Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov: Dropout, JMLR 15 (2014), section 10.
 */
#include "op/op.h"

struct gaussian_dropout {
    double rate;
};

static const struct fanin_attr_spec attrs[] = {
    FI_ATTR_REAL(struct gaussian_dropout, rate, 0.5, 0, 1,
                 "the dropout rate of the same variance, rate / (1 - rate)", FANIN_ATTR_BELOW_MAX),
    FI_ATTR_END};

static enum fanin_status infer(struct fanin_infer *io) {
    FI_TRY(fi_op_infer_same(io));
    io->state_bytes_per_cell = sizeof(fi_real);
    return FANIN_OK;
}

static int draws(const void *attrs_) {
    return ((const struct gaussian_dropout *)attrs_)->rate > 0;
}

static double second_moment(const void *attrs_) {
    return 1 / (1 - ((const struct gaussian_dropout *)attrs_)->rate);
}

static bool acts(const struct fanin_step *s) {
    return s->training && draws(s->attrs);
}

static void prepare(const struct fanin_step *s) {
    if (acts(s)) fi_op_draw_normal(s);
}

static void apply(const struct fanin_step *s, const struct fanin_block *b, const fi_real *x,
                  int64_t ldx, fi_real *y, int64_t ldy) {
    if (!acts(s)) {
        fi_op_copy(b, x, ldx, y, ldy);
        return;
    }
    const double rate = ((const struct gaussian_dropout *)s->attrs)->rate;
    const fi_real std = (fi_real)sqrt(rate / (1 - rate));
    for (int64_t r = 0; r < b->rows; r++, x += ldx, y += ldy) {
        const fi_real *z = fi_op_normal_row(s, b, r);
        FI_IVDEP
        for (int64_t c = 0; c < b->cols; c++) y[c] = x[c] * fi_fma(std, z[c], 1);
    }
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

static const struct fanin_attr none[] = {{.name = "rate", .number = 0}};
static const struct fanin_attr fifth[] = {{.number = 0.2}};
static const struct fanin_case cases[] = {
    {.rows = 1, .n_in = 1, .dims = {{1}}},
    {.rows = 5, .n_in = 1, .dims = {{7}}, .attrs = fifth, .n_attrs = 1},
    {.rows = 3, .n_in = 1, .dims = {{1030}}},
    {.rows = 33, .n_in = 1, .dims = {{3, 11}}, .attrs = fifth, .n_attrs = 1},
    {.rows = 4, .n_in = 1, .dims = {{9}}, .attrs = none, .n_attrs = 1}};

FI_RECORD(op, gaussian_dropout) = {
    .head = {.name = "gaussian_dropout",
             .formula = "y = m x, m ~ N(1, rate / (1 - rate)); outside training y = x",
             .reference = "Srivastava et al., JMLR 15 (2014), section 10",
             .help = "Multiplies each number in training by normal noise with mean 1.",
             .attrs = attrs,
             .attrs_size = sizeof(struct gaussian_dropout)},
    .flags = FANIN_OP_ELEMENTWISE | FANIN_OP_NO_X | FANIN_OP_NO_Y | FANIN_OP_STOCHASTIC |
             FANIN_OP_IDENTITY_EVAL | FANIN_OP_TRANSPARENT,
    .infer = infer,
    .prepare = prepare,
    .forward_block = forward_block,
    .backward_block = backward_block,
    .flops = fi_op_no_flops,
    .draws = draws,
    .second_moment = second_moment,
    .cases = cases,
    .n_cases = FI_COUNT(cases)};
