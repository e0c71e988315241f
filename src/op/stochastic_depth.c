/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stochastic depth: in training a whole sample is dropped with probability `rate` and the others
 * are divided by keep = 1 - rate; otherwise nothing is done. At the end of a residual branch,
 * before `add`, it skips the branch.
 *
 *   y = m x / keep      dx = m dy / keep      m ~ Bernoulli(keep), one a sample (mode row) or one a
 *                                             step (mode batch)
 *
 * The paper draws per batch and scales by keep at test time; scaling in training instead has the
 * same expectation, and prediction need not know. Its linear decay rule lets the rate grow with
 * depth: branch l of L has l / L · rate of the last. The rate is rounded to a multiple of 2^-16; a
 * sample's draw depends on the node, the step and its index in the global batch alone.
 *
 * Huang, Sun, Liu, Sedra, Weinberger: Deep networks with stochastic depth, ECCV 2016, eq. 3 and 4.
 */
#include "op/op.h"

enum mode { ROW, BATCH };
struct stochastic_depth {
    double rate;
    int mode;
};

static const struct fanin_attr_spec attrs[] = {
    FI_ATTR_REAL(struct stochastic_depth, rate, 0.5, 0, 1,
                 "probability of dropping, in steps of 2^-16", 0),
    FI_ATTR_CHOICE(struct stochastic_depth, mode, ROW, "row|batch",
                   "what one draw decides on: a sample or the batch"),
    FI_ATTR_END};

static enum fanin_status infer(struct fanin_infer *io) {
    FI_TRY(fi_op_infer_same(io));
    io->state_bytes_per_row = 1; /* of which a bit is used */
    return FANIN_OK;
}

static uint32_t threshold_of(const void *attrs_) {
    return fi_op_threshold(((const struct stochastic_depth *)attrs_)->rate);
}

static int draws(const void *attrs_) {
    return fi_op_drops_some(threshold_of(attrs_));
}

static double second_moment(const void *attrs_) {
    const double rate = ((const struct stochastic_depth *)attrs_)->rate;
    return rate < 1 ? 1 / (1 - rate) : 1; /* what drops everything cannot be made up for */
}

static void prepare(const struct fanin_step *s) {
    if (!s->training) return;
    const struct stochastic_depth *a = s->attrs;
    const int64_t n = a->mode == ROW ? s->rows : 1;
    const int64_t first = a->mode == ROW ? 0 : -s->row0; /* fi_op_keep counts from row0 */
    fi_op_keep(s, first, n, 1, threshold_of(a), s->state);
}

static void apply(const struct fanin_step *s, const struct fanin_block *b, const fi_real *x,
                  int64_t ldx, fi_real *y, int64_t ldy) {
    const uint32_t threshold = threshold_of(s->attrs);
    if (!s->training || threshold == 0) {
        fi_op_copy(b, x, ldx, y, ldy);
        return;
    }
    const bool each = ((const struct stochastic_depth *)s->attrs)->mode == ROW;
    const fi_real scale = fi_op_keep_scale(threshold);
    for (int64_t r = 0; r < b->rows; r++, x += ldx, y += ldy) {
        if (fi_op_mask_bit(s->state, each ? b->row0 + r : 0)) {
            FI_IVDEP
            for (int64_t c = 0; c < b->cols; c++) y[c] = x[c] * scale;
        } else {
            for (int64_t c = 0; c < b->cols; c++) y[c] = 0; /* even what was infinite */
        }
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

static int64_t switches(const void *attrs_, const struct fanin_shape *in, double *keep) {
    *keep = fi_op_keep_probability(threshold_of(attrs_));
    (void)in;
    return 1;
}

static const struct fanin_attr none[] = {{.name = "rate", .number = 0}};
static const struct fanin_attr fifth[] = {{.number = 0.2}};
static const struct fanin_attr batch[] = {{.number = 0.3}, {.name = "mode", .text = "batch"}};
static const struct fanin_attr all[] = {{.name = "rate", .number = 1}};
static const struct fanin_case cases[] = {
    {.rows = 1, .n_in = 1, .dims = {{1}}},
    {.rows = 5, .n_in = 1, .dims = {{7}}, .attrs = fifth, .n_attrs = 1},
    {.rows = 7, .n_in = 1, .dims = {{1030}}},
    {.rows = 33, .n_in = 1, .dims = {{3, 11}}, .attrs = batch, .n_attrs = 2},
    {.rows = 4, .n_in = 1, .dims = {{9}}, .attrs = none, .n_attrs = 1},
    {.rows = 4, .n_in = 1, .dims = {{9}}, .attrs = all, .n_attrs = 1}};

FI_RECORD(op, stochastic_depth) = {
    .head = {.name = "stochastic_depth",
             .formula = "y = m x / (1 - rate), m ~ Bernoulli(1 - rate), one m a sample or a batch; "
                        "outside training y = x",
             .reference = "Huang et al., ECCV 2016, equations 3 and 4; inverted scaling",
             .help = "Drops whole samples at the end of a residual branch in training.",
             .attrs = attrs,
             .attrs_size = sizeof(struct stochastic_depth)},
    .flags = FANIN_OP_ODD | FANIN_OP_ELEMENTWISE | FANIN_OP_NO_X | FANIN_OP_NO_Y |
             FANIN_OP_KEEPS_SIGN | FANIN_OP_STOCHASTIC | FANIN_OP_ROW_NOISE |
             FANIN_OP_IDENTITY_EVAL | FANIN_OP_TRANSPARENT,
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
