/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scale: y = w x with one learned factor for the whole sample (per: tensor) or one a channel, the
 * first dimension of a sample (per: channel); `value` is where it starts. With `trainable: false`
 * it is a fixed factor and has no parameter.
 *
 *   dx = w dy      dw = Σ x dy over what the factor is for and the batch
 *
 * At the end of a residual branch: the scalar multiplier of Fixup (start 1; Zhang, Dauphin, Ma,
 * ICLR 2019), ReZero (a scalar, start 0; Bachlechner et al., UAI 2021), LayerScale (per channel,
 * start 1e-5 to 0.1; Touvron et al., ICCV 2021, equation 2).
 *
 * dw: products row by row, sums over the batch as every column sum, then the sum over a channel.
 */
#include "op/op.h"

enum per { TENSOR, CHANNEL };
struct scale {
    double value;
    int per, trainable;
};

static const struct fanin_attr_spec attrs[] = {
    FI_ATTR_REAL(struct scale, value, 1, -1e30, 1e30, "the factor, or where it starts", 0),
    FI_ATTR_CHOICE(struct scale, per, TENSOR, "tensor|channel", "what has a factor of its own"),
    FI_ATTR_BOOL(struct scale, trainable, 1, "false: the factor is fixed"), FI_ATTR_END};

static int64_t factors(const struct fanin_infer *io) {
    return ((const struct scale *)io->attrs)->per == CHANNEL ? io->in[0].dims[0] : 1;
}

static enum fanin_status infer(struct fanin_infer *io) {
    const struct scale *a = io->attrs;
    FI_TRY(fi_op_infer_same(io));
    if (!a->trainable) return FANIN_OK;
    io->params[0] = (struct fanin_param_spec){.suffix = "weight",
                                              .rank = 1,
                                              .dims = {factors(io)},
                                              .fan_in = 1,
                                              .fan_out = 1,
                                              .trainable = 1,
                                              .scales = 1,
                                              .fill = a->value};
    io->n_params = 1;
    io->scratch_bytes_per_row = (size_t)fi_row_stride(io->out.cols) * sizeof(fi_real);
    io->scratch_bytes = (size_t)(io->out.cols + factors(io)) * sizeof(fi_real);
    return FANIN_OK;
}

/* to = w · from */
static void scale_row(const struct fanin_step *s, const fi_real *from, fi_real *to) {
    const struct scale *a = s->attrs;
    const int64_t n = a->trainable ? s->params[0].out : 1, span = s->y->cols / n;
    for (int64_t i = 0; i < n; i++) {
        const fi_real w = a->trainable ? s->params[0].w[i] : (fi_real)a->value;
        for (int64_t c = i * span; c < (i + 1) * span; c++) to[c] = w * from[c];
    }
}

static void forward_rows(void *arg, int64_t task) {
    const struct fanin_step *s = arg;
    const int64_t end = FI_MIN(s->rows, (task + 1) * FI_OP_TASK_ROWS);
    for (int64_t r = task * FI_OP_TASK_ROWS; r < end; r++)
        scale_row(s, s->x[0]->data + r * s->x[0]->ld, s->y->data + r * s->y->ld);
}

static void backward_rows(void *arg, int64_t task) {
    const struct fanin_step *s = arg;
    const int64_t end = FI_MIN(s->rows, (task + 1) * FI_OP_TASK_ROWS), cols = s->y->cols;
    const bool learns = ((const struct scale *)s->attrs)->trainable;
    for (int64_t r = task * FI_OP_TASK_ROWS; r < end; r++) {
        const fi_real *dy = s->dy->data + r * s->dy->ld, *x = s->x[0]->data + r * s->x[0]->ld;
        fi_real *products = (fi_real *)s->scratch + r * fi_row_stride(cols);
        for (int64_t c = 0; learns && c < cols; c++) products[c] = x[c] * dy[c];
        if (s->dx[0]) scale_row(s, dy, s->dx[0]->data + r * s->dx[0]->ld);
    }
}

static void forward(const struct fanin_step *s) {
    fi_op_each_rows(s, 1, forward_rows);
}

static void backward(const struct fanin_step *s) {
    const int64_t cols = s->y->cols, ld = fi_row_stride(cols);
    fi_op_each_rows(s, 2, backward_rows);
    if (!((const struct scale *)s->attrs)->trainable) return;
    const int64_t n = s->params[0].out, span = cols / n;
    fi_real *sums = (fi_real *)s->scratch + s->rows * ld, *dw = sums + cols;
    fi_column_sums(s->scratch, s->rows, cols, ld, sums);
    for (int64_t i = 0; i < n; i++) dw[i] = fi_sum(sums + i * span, span);
    fi_step_emit(s, 0, 0, n, dw);
}

static void affine(const void *attrs_, const float *const *params, int64_t channels, double *scale,
                   double *shift) {
    const struct scale *a = attrs_;
    for (int64_t c = 0; c < channels; c++) {
        scale[c] = a->trainable ? (double)params[0][a->per == CHANNEL ? c : 0] : a->value;
        shift[c] = 0;
    }
}

static const struct fanin_fold fold = {.affine = affine};

static struct fanin_param_law factor_law(const struct fanin_signal_step *s) {
    const struct scale *a = s->attrs;
    return a->trainable ? s->params[0] : (struct fanin_param_law){.mean = a->value};
}

static void propagate(const struct fanin_signal_step *s) {
    const struct fanin_param_law w = factor_law(s);
    fi_signal_scale(s, &w);
}

static void propagate_back(const struct fanin_signal_step *s) {
    const struct fanin_param_law w = factor_law(s);
    fi_signal_scale_back(s, &w);
}

static const struct fanin_attr channel[] = {{.number = 0.5}, {.name = "per", .text = "channel"}};
static const struct fanin_attr fixed[] = {{.number = -1.5}, {.name = "trainable", .number = 0}};
static const struct fanin_case cases[] = {
    {.rows = 1, .n_in = 1, .dims = {{1}}},
    {.rows = 5, .n_in = 1, .dims = {{7}}, .attrs = channel, .n_attrs = 2},
    {.rows = 33, .n_in = 1, .dims = {{1030}}},
    {.rows = 33, .n_in = 1, .dims = {{3, 11}}, .attrs = channel, .n_attrs = 2},
    {.rows = 4, .n_in = 1, .dims = {{9}}, .attrs = fixed, .n_attrs = 2}};

FI_RECORD(op, scale) = {
    .head = {.name = "scale",
             .formula = "y = w x",
             .reference = "Zhang, Dauphin & Ma, ICLR 2019; Touvron et al., ICCV 2021, equation 2",
             .help =
                 "Multiplies by a learned factor, one for all or one a channel, or a fixed one.",
             .attrs = attrs,
             .attrs_size = sizeof(struct scale)},
    .flags = FANIN_OP_ODD | FANIN_OP_NO_Y | FANIN_OP_PRODUCT | FANIN_OP_TRANSPARENT,
    .infer = infer,
    .forward = forward,
    .backward = backward,
    .fold = &fold,
    .signal = propagate,
    .signal_back = propagate_back,
    .cases = cases,
    .n_cases = FI_COUNT(cases)};
