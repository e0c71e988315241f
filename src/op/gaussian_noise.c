/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Additive noise: in training N(0, std²) is added to each number; otherwise nothing is done.
 *
 *   y = x + std z,  z ~ N(0, 1)      dx = dy
 *
 * Behind the input it is input noise, for small std the same as a Tikhonov term on the derivatives
 * of the net's outputs by its inputs. The noise of element (row, col) depends on the node, the step
 * and its index in the global batch alone.
 *
 * Bishop: Training with noise is equivalent to Tikhonov regularization, Neural Computation 7
 * (1995).
 */
#include "op/op.h"

struct gaussian_noise {
    double std;
};

static const struct fanin_attr_spec attrs[] = {
    FI_ATTR_REAL(struct gaussian_noise, std, 0.1, 0, 1e6, "standard deviation of the noise", 0),
    FI_ATTR_END};

static enum fanin_status infer(struct fanin_infer *io) {
    FI_TRY(fi_op_infer_same(io));
    io->state_bytes_per_cell = sizeof(fi_real);
    return FANIN_OK;
}

static int draws(const void *attrs_) {
    return ((const struct gaussian_noise *)attrs_)->std > 0;
}

static bool acts(const struct fanin_step *s) {
    return s->training && draws(s->attrs);
}

static void prepare(const struct fanin_step *s) {
    if (acts(s)) fi_op_draw_normal(s);
}

static void forward_block(const struct fanin_step *s, const struct fanin_block *b, const fi_real *x,
                          int64_t ldx, fi_real *y, int64_t ldy) {
    if (!acts(s)) {
        fi_op_copy(b, x, ldx, y, ldy);
        return;
    }
    const fi_real std = (fi_real)((const struct gaussian_noise *)s->attrs)->std;
    for (int64_t r = 0; r < b->rows; r++, x += ldx, y += ldy) {
        const fi_real *z = fi_op_normal_row(s, b, r);
        FI_IVDEP
        for (int64_t c = 0; c < b->cols; c++) y[c] = fi_fma(std, z[c], x[c]);
    }
}

static void backward_block(const struct fanin_step *s, const struct fanin_block *b,
                           const fi_real *x, int64_t ldx, const fi_real *y, int64_t ldy,
                           const fi_real *dy, int64_t lddy, fi_real *dx, int64_t lddx) {
    (void)s, (void)x, (void)ldx, (void)y, (void)ldy;
    fi_op_copy(b, dy, lddy, dx, lddx);
}

static void propagate(const struct fanin_signal_step *s) {
    const double std = ((const struct gaussian_noise *)s->attrs)->std;
    fi_signal_sum(s);
    for (int64_t a = 0; a < s->y->n; a++) s->y->cov[a * s->y->n + a] += std * std;
}

static const struct fanin_attr none[] = {{.name = "std", .number = 0}};
static const struct fanin_attr two[] = {{.number = 2}};
static const struct fanin_case cases[] = {
    {.rows = 1, .n_in = 1, .dims = {{1}}},
    {.rows = 5, .n_in = 1, .dims = {{7}}, .attrs = two, .n_attrs = 1},
    {.rows = 3, .n_in = 1, .dims = {{1030}}},
    {.rows = 33, .n_in = 1, .dims = {{3, 11}}, .attrs = two, .n_attrs = 1},
    {.rows = 4, .n_in = 1, .dims = {{9}}, .attrs = none, .n_attrs = 1}};

FI_RECORD(op, gaussian_noise) = {
    .head = {.name = "gaussian_noise",
             .formula = "y = x + std z, z ~ N(0, 1); outside training y = x",
             .reference = "Bishop, Neural Computation 7 (1995)",
             .help = "Adds normal noise in training; as the first layer it is input noise.",
             .attrs = attrs,
             .attrs_size = sizeof(struct gaussian_noise)},
    .flags = FANIN_OP_ELEMENTWISE | FANIN_OP_NO_X | FANIN_OP_NO_Y | FANIN_OP_STOCHASTIC |
             FANIN_OP_IDENTITY_EVAL | FANIN_OP_TRANSPARENT | FANIN_OP_SHIFTS,
    .infer = infer,
    .prepare = prepare,
    .forward_block = forward_block,
    .backward_block = backward_block,
    .flops = fi_op_no_flops,
    .draws = draws,
    .signal = propagate,
    .signal_back = fi_signal_sum_back,
    .cases = cases,
    .n_cases = FI_COUNT(cases)};
