/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Alpha dropout, for nets of selu: in training each number is set with probability `rate` to
 * α' = -λα, the value selu saturates at, and an affine map brings numbers of mean 0 and variance 1
 * back to these; otherwise nothing is done.
 *
 *   y = a (m x + (1 - m) α') + b      dx = a m dy      m ~ Bernoulli(1 - rate)
 *   a = ((1 - rate)(1 + rate α'²))^(-1/2)      b = -a rate α'
 *
 * The rate is rounded to a multiple of 2^-16 as dropout's is. At rate 0 y = x to the last bit, at
 * rate 1 everything is 0.
 *
 * Klambauer, Unterthiner, Mayr, Hochreiter: Self-normalizing neural networks, NIPS 2017, section 3.
 */
#include "op/op.h"

#define SATURATED (-1.7580993408473768) /* -λα of selu */

struct alpha_dropout {
    double rate;
};

static const struct fanin_attr_spec attrs[] = {
    FI_ATTR_REAL(struct alpha_dropout, rate, 0.1, 0, 1,
                 "probability of dropping, in steps of 2^-16", 0),
    FI_ATTR_END};

static enum fanin_status infer(struct fanin_infer *io) {
    FI_TRY(fi_op_infer_same(io));
    io->state_bytes_per_row = fi_op_mask_row_bytes(io->out.cols);
    io->state_bytes = FI_OP_MASK_END;
    return FANIN_OK;
}

static uint32_t threshold_of(const void *attrs_) {
    return fi_op_threshold(((const struct alpha_dropout *)attrs_)->rate);
}

static int draws(const void *attrs_) {
    return fi_op_drops_some(threshold_of(attrs_));
}

static void prepare(const struct fanin_step *s) {
    if (s->training) fi_op_draw_mask(s, threshold_of(s->attrs));
}

/* The exact cases; true if it was one. */
static bool all_or_nothing(const struct fanin_step *s, const struct fanin_block *b,
                           const fi_real *x, int64_t ldx, fi_real *y, int64_t ldy) {
    if (s->training && draws(s->attrs)) return false;
    if (s->training && threshold_of(s->attrs) > 0)
        fi_op_clear(b, y, ldy);
    else
        fi_op_copy(b, x, ldx, y, ldy);
    return true;
}

static double factor(double rate) {
    return 1 / sqrt((1 - rate) * (1 + rate * SATURATED * SATURATED));
}

static void forward_block(const struct fanin_step *s, const struct fanin_block *b, const fi_real *x,
                          int64_t ldx, fi_real *y, int64_t ldy) {
    if (all_or_nothing(s, b, x, ldx, y, ldy)) return;
    const double rate = (double)threshold_of(s->attrs) / FI_OP_DROP_ALL;
    const fi_real a = (fi_real)factor(rate), shift = (fi_real)(-factor(rate) * rate * SATURATED);
    const fi_real dropped = (fi_real)(factor(rate) * (1 - rate) * SATURATED); /* a α' + b */
    for (int64_t r = 0; r < b->rows; r++, x += ldx, y += ldy) {
        FI_IVDEP
        for (int64_t c = 0; c < b->cols; c++) y[c] = fi_fma(a, x[c], shift);
        fi_op_pick(s->state, fi_op_mask_at(s, b, r), 1, dropped, y, y, b->cols);
    }
}

static void backward_block(const struct fanin_step *s, const struct fanin_block *b,
                           const fi_real *x, int64_t ldx, const fi_real *y, int64_t ldy,
                           const fi_real *dy, int64_t lddy, fi_real *dx, int64_t lddx) {
    (void)x, (void)ldx, (void)y, (void)ldy;
    if (all_or_nothing(s, b, dy, lddy, dx, lddx)) return;
    const fi_real a = (fi_real)factor((double)threshold_of(s->attrs) / FI_OP_DROP_ALL);
    fi_op_apply_mask(s, b, a, dy, lddy, dx, lddx);
}

static int64_t switches(const void *attrs_, const struct fanin_shape *in, double *keep) {
    *keep = fi_op_keep_probability(threshold_of(attrs_));
    return in->cols;
}

/* The probability of keeping, and a; both 0 where everything is dropped, both 1 without dropping.
 */
static double keep_of(const void *attrs_, double *a) {
    const double rate = (double)threshold_of(attrs_) / FI_OP_DROP_ALL;
    *a = rate == 0 ? 1 : rate < 1 ? factor(rate) : 0;
    return 1 - rate;
}

/* Masks are independent, so of the covariances only a unit's own feels what they add. */
static void propagate(const struct fanin_signal_step *s) {
    double a;
    const double keep = keep_of(s->attrs, &a);
    const struct fanin_signal *x = s->x[0];
    for (int64_t i = 0; i < s->y->n; i++) {
        const double apart = x->mean[i] - SATURATED;
        s->y->mean[i] = a * keep * x->mean[i];
        for (int64_t k = 0; k < s->y->n; k++)
            s->y->cov[i * s->y->n + k] = a * a * keep * keep * x->cov[i * s->y->n + k];
        s->y->cov[i * s->y->n + i] =
            a * a * keep * (x->cov[i * s->y->n + i] + (1 - keep) * apart * apart);
    }
}

static void propagate_back(const struct fanin_signal_step *s) {
    double a;
    const double keep = keep_of(s->attrs, &a);
    const int64_t n = s->y->n;
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < n; k++)
            s->x[0]->grad[i * n + k] += a * a * keep * (i == k ? 1 : keep) * s->y->grad[i * n + k];
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

FI_RECORD(op, alpha_dropout) = {
    .head = {.name = "alpha_dropout",
             .formula = "y = a (m x + (1 - m) α') + b, m ~ Bernoulli(1 - rate), α' = -1.7581; "
                        "outside training y = x",
             .reference = "Klambauer et al., NIPS 2017, section 3",
             .help =
                 "Dropout for selu: drops to its saturation value, keeps mean 0 and variance 1.",
             .attrs = attrs,
             .attrs_size = sizeof(struct alpha_dropout)},
    .flags = FANIN_OP_ELEMENTWISE | FANIN_OP_NO_X | FANIN_OP_NO_Y | FANIN_OP_STOCHASTIC |
             FANIN_OP_IDENTITY_EVAL | FANIN_OP_TRANSPARENT | FANIN_OP_SHIFTS,
    .infer = infer,
    .prepare = prepare,
    .forward_block = forward_block,
    .backward_block = backward_block,
    .flops = fi_op_no_flops,
    .draws = draws,
    .switches = switches,
    .signal = propagate,
    .signal_back = propagate_back,
    .cases = cases,
    .n_cases = FI_COUNT(cases)};
