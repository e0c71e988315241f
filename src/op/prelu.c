/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parametric rectifier: y = x where x > 0, else a x, with a learned: one for the layer, or one a
 * channel (a unit of a sample of rank 1, else its first dimension).
 *
 *   dx = dy where x > 0, else a dy        da = Σ dy x over what is not positive
 *
 * It is no elementwise node that joins a chain: the blocks of a chain are cut as the matrix kernel
 * of each tier likes, and a sum over them would have other bits on each. Here a task is a strip of
 * columns; it goes down all rows once, writes dx, and adds up da in double on the way.
 *
 * He, Zhang, Ren, Sun: Delving deep into rectifiers, ICCV 2015, equations 1 and 3 (a starts at 0.25
 * and is not decayed, which would pull it to a plain rectifier).
 */
#include "op/op.h"

#define STRIP 64 /* columns */

struct prelu {
    int per_channel;
    double init;
};

static const struct fanin_attr_spec attrs[] = {
    FI_ATTR_BOOL(struct prelu, per_channel, 0, "a slope for each channel, not one for all"),
    FI_ATTR_REAL(struct prelu, init, 0.25, -1, 1, "the slope to start from", 0), FI_ATTR_END};

static enum fanin_status infer(struct fanin_infer *io) {
    const struct prelu *a = io->attrs;
    FI_TRY(fi_op_infer_same(io));
    io->n_params = 1;
    io->params[0] = (struct fanin_param_spec){.suffix = "weight",
                                              .layout = FANIN_LAYOUT_VECTOR,
                                              .rank = 1,
                                              .dims = {a->per_channel ? io->in[0].dims[0] : 1},
                                              .fan_in = 1,
                                              .fan_out = 1,
                                              .trainable = 1,
                                              .scales = 1,
                                              .fill = a->init};
    io->scratch_bytes = sizeof(double) * (size_t)io->out.cols;
    return FANIN_OK;
}

/* slope[i] = that of column col0 + i. */
static void spread(const struct fanin_step *s, int64_t col0, int64_t cols, fi_real *slope) {
    const int64_t per = s->y->cols / s->params[0].out;
    for (int64_t i = 0; i < cols; i++) slope[i] = s->params[0].w[(col0 + i) / per];
}

static void forward_strip(void *arg, int64_t task) {
    const struct fanin_step *s = arg;
    const int64_t col0 = task * STRIP, cols = FI_MIN(STRIP, s->y->cols - col0);
    fi_real a[STRIP];
    spread(s, col0, cols, a);
    for (int64_t r = 0; r < s->rows; r++) {
        const fi_real *x = s->x[0]->data + r * s->x[0]->ld + col0;
        fi_real *y = s->y->data + r * s->y->ld + col0;
        FI_IVDEP
        for (int64_t i = 0; i < cols; i++) {
            const fi_real below = a[i] * x[i];
            y[i] = x[i] > 0 ? x[i] : below;
        }
    }
}

/* dx, and in the scratch da of each column. */
static void backward_strip(void *arg, int64_t task) {
    const struct fanin_step *s = arg;
    const int64_t col0 = task * STRIP, cols = FI_MIN(STRIP, s->y->cols - col0);
    double da[STRIP] = {0}, *sums = s->scratch;
    fi_real a[STRIP];
    spread(s, col0, cols, a);
    for (int64_t r = 0; r < s->rows; r++) {
        const fi_real *x = s->x[0]->data + r * s->x[0]->ld + col0;
        const fi_real *dy = s->dy->data + r * s->dy->ld + col0;
        for (int64_t i = 0; i < cols; i++) {
            const double share = (double)dy[i] * (double)x[i];
            da[i] += x[i] > 0 ? 0 : share;
        }
        if (!s->dx[0]) continue;
        fi_real *dx = s->dx[0]->data + r * s->dx[0]->ld + col0;
        FI_IVDEP
        for (int64_t i = 0; i < cols; i++) {
            const fi_real below = a[i] * dy[i];
            dx[i] = x[i] > 0 ? dy[i] : below;
        }
    }
    for (int64_t i = 0; i < cols; i++) sums[col0 + i] = da[i];
}

static void run_strips(const struct fanin_step *s, double work, void (*strip)(void *, int64_t)) {
    fi_parallel(fi_step_ctx(s), (s->y->cols + STRIP - 1) / STRIP,
                work * (double)s->rows * (double)s->y->cols, strip, (void *)(uintptr_t)s);
}

static void forward(const struct fanin_step *s) {
    run_strips(s, 2, forward_strip);
}

static void backward(const struct fanin_step *s) {
    const double *sums = s->scratch;
    const int64_t per = s->y->cols / s->params[0].out;
    run_strips(s, 5, backward_strip);
    for (int64_t c0 = 0; c0 < s->params[0].out; c0 += STRIP) {
        const int64_t n = FI_MIN(STRIP, s->params[0].out - c0);
        fi_real g[STRIP];
        for (int64_t c = 0; c < n; c++) {
            double sum = 0;
            for (int64_t i = (c0 + c) * per; i < (c0 + c + 1) * per; i++) sum += sums[i];
            g[c] = (fi_real)sum;
        }
        fi_step_emit(s, 0, c0, n, g);
    }
}

static double curve_f(const void *attrs_, double x) {
    return x > 0 ? x : ((const struct prelu *)attrs_)->init * x;
}
static double curve_df(const void *attrs_, double x) {
    return x > 0 ? 1 : ((const struct prelu *)attrs_)->init;
}
static const double kinks[] = {0};
static const struct fanin_curve curve = {
    .f = curve_f, .df = curve_df, .kinks = kinks, .n_kinks = FI_COUNT(kinks), .family = "relu"};

static double flops(const struct fanin_infer *io) {
    return 2.0 * (double)io->in[0].cols;
}

static const struct fanin_attr each[] = {{.name = "per_channel", .number = 1}};
static const struct fanin_attr steep[] = {{.name = "init", .number = -0.5}};
static const struct fanin_case cases[] = {
    {.rows = 1, .n_in = 1, .dims = {{1}}},
    {.rows = 5, .n_in = 1, .dims = {{7}}, .attrs = each, .n_attrs = 1},
    {.rows = 3, .n_in = 1, .dims = {{1030}}},
    {.rows = 33, .n_in = 1, .dims = {{3, 11}}, .attrs = each, .n_attrs = 1},
    {.rows = 5, .n_in = 1, .dims = {{41}}, .attrs = steep, .n_attrs = 1}};

FI_RECORD(op, prelu) = {.head = {.name = "prelu",
                                 .formula = "y = x if x > 0, else weight * x",
                                 .reference = "He et al., ICCV 2015, equations 1 and 3",
                                 .help = "Rectifier whose slope below 0 is learned.",
                                 .attrs = attrs,
                                 .attrs_size = sizeof(struct prelu)},
                        .flags = FANIN_OP_NO_Y,
                        .infer = infer,
                        .forward = forward,
                        .backward = backward,
                        .curve = &curve,
                        .flops = flops,
                        .cases = cases,
                        .n_cases = FI_COUNT(cases)};
