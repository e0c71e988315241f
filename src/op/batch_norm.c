/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Batch normalization. A sample of rank 1 has one channel per unit; of rank 2 and more (C, …) the
 * channels are its first dimension, and the statistics run over the batch and the positions, m
 * numbers a channel.
 *
 *   training    μ = Σx / m, v = Σ(x - μ)² / m, r = 1 / √(v + ε), h = (x - μ) r, y = γ h + β
 *               dγ = Σ dy h, dβ = Σ dy, dx = γ r (dy - dβ/m - h dγ/m)
 *               running mean, var ← (1 - momentum) · old + momentum · new (var with m - 1);
 *               momentum null: 1 / the number of batches so far, the plain average of all
 *   otherwise   y = γ (x - running mean) / √(running var + ε) + β
 *
 * Two passes with double sums: one pass, Σx² - (Σx)²/m, is wrong at offset 1e6. The mean is taken
 * of x - x₀, x₀ the channel's first number, so that it is exact for a constant channel, and is
 * subtracted as a pair high + low, so that h is right to the last bits, and exactly 0 there. Sums
 * run down the rows of a strip of columns, then along the positions of a channel: an order of the
 * shape alone.
 *
 * Ioffe, Szegedy: Batch normalization, ICML 2015, algorithms 1 and 2.
 */
#include "op/channels.h"

struct batch_norm {
    double momentum; /* NaN: cumulative average */
    double eps;
    int affine;
};

static const struct fanin_attr_spec attrs[] = {
    FI_ATTR_REAL(struct batch_norm, momentum, 0.1, 0, 1,
                 "weight of the new batch in the running mean and variance; null: their plain "
                 "average over all batches",
                 FANIN_ATTR_NULLABLE),
    FI_ATTR_REAL(struct batch_norm, eps, 1e-5, 0, 1, "added to the variance, inside the root",
                 FANIN_ATTR_ABOVE_MIN),
    FI_ATTR_BOOL(struct batch_norm, affine, 1, "learns a scale (weight) and a shift (bias)"),
    FI_ATTR_END};

static enum fanin_status infer(struct fanin_infer *io) {
    static const struct {
        const char *suffix;
        double fill;
    } all[] = {{"weight", 1}, {"bias", 0}, {"running_mean", 0}, {"running_var", 1}};
    const struct batch_norm *a = io->attrs;
    FI_TRY(fi_op_infer_same(io));
    const int64_t channels = io->out.dims[0];
    io->n_params = 0;
    for (int i = a->affine ? 0 : 2; i < 4; i++)
        io->params[io->n_params++] = (struct fanin_param_spec){.suffix = all[i].suffix,
                                                               .layout = FANIN_LAYOUT_VECTOR,
                                                               .rank = 1,
                                                               .dims = {channels},
                                                               .fan_in = 1,
                                                               .fan_out = 1,
                                                               .trainable = i < 2,
                                                               .scales = i == 0,
                                                               .fill = all[i].fill};
    /* As everything saved it is a float: exact up to 2^24 batches, and there it stays. */
    if (isnan(a->momentum))
        io->params[io->n_params++] = (struct fanin_param_spec){.suffix = "num_batches_tracked",
                                                               .layout = FANIN_LAYOUT_VECTOR,
                                                               .fan_in = 1,
                                                               .fan_out = 1};
    io->state_bytes = 4 * sizeof(double) * (size_t)channels;
    return FANIN_OK;
}

/* ---- a call ------------------------------------------------------------------------------------- */

/* What one call works on. */
struct job {
    const struct fanin_step *s;
    const struct batch_norm *a;
    fi_real *gamma, *beta, *running_mean, *running_var; /* the first two NULL if not affine */
    double *mean, *inv_std;           /* of the batch; kept for the backward pass */
    double *pool_mean, *pool_squares; /* Σ (x - mean)² of all rows of the pass */
    int64_t channels, positions;
    double m;
    double new_part; /* weight of this batch in the running statistics */
};

static struct job job_of(const struct fanin_step *s) {
    const struct batch_norm *a = s->attrs;
    const struct fanin_param_view *running = s->params + (a->affine ? 2 : 0);
    struct job j = {.s = s, .a = a, .running_mean = running[0].w, .running_var = running[1].w};
    if (a->affine) {
        j.gamma = s->params[0].w;
        j.beta = s->params[1].w;
    }
    j.channels = running[0].out;
    j.positions = s->y->cols / j.channels;
    j.mean = s->state;
    j.inv_std = j.mean + j.channels;
    j.pool_mean = j.inv_std + j.channels;
    j.pool_squares = j.pool_mean + j.channels;
    j.m = (double)s->rows * (double)j.positions;
    j.new_part = isnan(a->momentum) ? 1 / (double)running[2].w[0] : a->momentum;
    return j;
}

/* ---- forward --------------------------------------------------------------------------------------- */

/* sum[channel] = Σ (x - shift), or with `square` Σ (x - shift)². */
static void shifted_sums(const struct job *j, int64_t task, const double *shift, bool square,
                         double *sum) {
    const struct fanin_tensor *x = j->s->x[0];
    struct strip t = first_strip(j->channels, j->positions, task);
    for (int64_t c = 0; c < t.n; c++) sum[c] = 0;
    do {
        double cell[STRIP], at[STRIP];
        spread(&t, shift, at);
#define PLAIN(i, n) column_sums(x, t.col0 + (i), at + (i), false, cell + (i), n)
#define SQUARE(i, n) column_sums(x, t.col0 + (i), at + (i), true, cell + (i), n)
        if (square)
            EACH_GROUP(t.cols, SQUARE);
        else
            EACH_GROUP(t.cols, PLAIN);
        fold(&t, cell, sum);
    } while (next_strip(&t));
}

/* Joins a channel's batch to the rows of the pass before it (Chan, Golub & LeVeque 1979). */
static void pool(const struct job *j, int64_t k, double mean, double squares) {
    const double before = (double)j->s->pool_rows * (double)j->positions, all = before + j->m;
    const double away = before > 0 ? mean - j->pool_mean[k] : 0;
    j->pool_mean[k] = before > 0 ? j->pool_mean[k] + away * (j->m / all) : mean;
    j->pool_squares[k] =
        (before > 0 ? j->pool_squares[k] : 0) + squares + away * away * (before * (j->m / all));
    j->running_mean[k] = (fi_real)j->pool_mean[k];
    j->running_var[k] = (fi_real)(j->pool_squares[k] / FI_MAX(1, all - 1));
}

/* The task's batch statistics: kept for the backward pass, and blended into the running ones. */
static void measure(const struct job *j, int64_t task) {
    const struct strip t = first_strip(j->channels, j->positions, task);
    const double new_part = j->new_part;
    double mean[STRIP] = {0}, sum[STRIP];
    for (int64_t c = 0; c < t.n; c++) mean[c] = (double)j->s->x[0]->data[(t.c0 + c) * j->positions];
    shifted_sums(j, task, mean, false, sum);
    for (int64_t c = 0; c < t.n; c++) mean[c] += sum[c] / j->m;
    shifted_sums(j, task, mean, true, sum);
    double *restrict kept_mean = j->mean + t.c0, *restrict inv_std = j->inv_std + t.c0;
    fi_real *restrict running_mean = j->running_mean + t.c0;
    fi_real *restrict running_var = j->running_var + t.c0;
    for (int64_t c = 0; c < t.n; c++) {
        kept_mean[c] = mean[c];
        inv_std[c] = 1 / sqrt(sum[c] / j->m + j->a->eps);
    }
    for (int64_t c = 0; c < t.n && j->s->pool; c++) pool(j, t.c0 + c, mean[c], sum[c]);
    if (j->s->pool) return;
    for (int64_t c = 0; c < t.n; c++) {
        const double unbiased = sum[c] / FI_MAX(1, j->m - 1);
        running_mean[c] = (fi_real)((1 - new_part) * (double)running_mean[c] + new_part * mean[c]);
        running_var[c] = (fi_real)((1 - new_part) * (double)running_var[c] + new_part * unbiased);
    }
}

/* The statistics that x is normalized by: of the batch in training, else the running ones. */
static void normalizer(const struct job *j, const struct strip *t, double *mean, double *inv_std) {
    for (int64_t c = 0; c < t->n && j->s->training; c++) {
        mean[c] = j->mean[t->c0 + c];
        inv_std[c] = j->inv_std[t->c0 + c];
    }
    for (int64_t c = 0; c < t->n && !j->s->training; c++) {
        mean[c] = (double)j->running_mean[t->c0 + c];
        inv_std[c] = 1 / sqrt((double)j->running_var[t->c0 + c] + j->a->eps);
    }
}

static void forward_task(void *arg, int64_t task) {
    const struct job *j = arg;
    const struct fanin_tensor *x = j->s->x[0], *y = j->s->y;
    struct strip t = first_strip(j->channels, j->positions, task);
    double mean[STRIP], inv_std[STRIP], scale[STRIP], shift[STRIP];
    if (j->s->training) measure(j, task);
    normalizer(j, &t, mean, inv_std);
    for (int64_t c = 0; c < t.n; c++) {
        scale[c] = j->gamma ? (double)j->gamma[t.c0 + c] * inv_std[c] : inv_std[c];
        shift[c] = j->beta ? (double)j->beta[t.c0 + c] : 0;
    }
    do {
        fi_real high[STRIP], low[STRIP], a[STRIP], b[STRIP];
        spread_pair(&t, mean, high, low);
        spread_real(&t, scale, a);
        spread_real(&t, shift, b);
#define NORMALIZE(i, n) normalize(x, y, t.col0 + (i), high + (i), low + (i), a + (i), b + (i), n)
        EACH_GROUP(t.cols, NORMALIZE);
    } while (next_strip(&t));
}

static int statistics(const struct fanin_step *s, int64_t c, struct fanin_statistics *out) {
    const struct job j = job_of(s);
    if (c >= j.channels) return 0;
    const double biased = FI_MAX(1 / (j.inv_std[c] * j.inv_std[c]) - j.a->eps, 0);
    *out = (struct fanin_statistics){.batch_mean = j.mean[c],
                                     .batch_var = biased * j.m / FI_MAX(1, j.m - 1),
                                     .running_mean = (double)j.running_mean[c],
                                     .running_var = (double)j.running_var[c]};
    return 1;
}

/* ---- backward -------------------------------------------------------------------------------------- */

/* dbeta[channel] = Σ dy, dgamma[channel] = Σ dy (x - mean) / std. */
static void gradient_sums(const struct job *j, int64_t task, const double *mean,
                          const double *inv_std, double *dgamma, double *dbeta) {
    const struct fanin_tensor *x = j->s->x[0], *dy = j->s->dy;
    struct strip t = first_strip(j->channels, j->positions, task);
    for (int64_t c = 0; c < t.n; c++) dgamma[c] = dbeta[c] = 0;
    do {
        double at[STRIP], product[STRIP], sum[STRIP];
        spread(&t, mean, at);
#define PRODUCTS(i, n) column_products(x, dy, t.col0 + (i), at + (i), product + (i), sum + (i), n)
        EACH_GROUP(t.cols, PRODUCTS);
        fold(&t, product, dgamma);
        fold(&t, sum, dbeta);
    } while (next_strip(&t));
    for (int64_t c = 0; c < t.n; c++) dgamma[c] *= inv_std[c];
}

/* dx = scale (dy - down - (x - mean) tilt) */
static void input_gradient(const struct job *j, int64_t task, const double *mean,
                           const double *scale, const double *down, const double *tilt) {
    const struct fanin_tensor *x = j->s->x[0], *dy = j->s->dy, *dx = j->s->dx[0];
    struct strip t = first_strip(j->channels, j->positions, task);
    do {
        fi_real high[STRIP], low[STRIP], a[STRIP], b[STRIP], k[STRIP];
        spread_pair(&t, mean, high, low);
        spread_real(&t, down, a);
        spread_real(&t, tilt, b);
        spread_real(&t, scale, k);
#define TURN_BACK(i, n)                                                                            \
    turn_back(x, dy, dx, t.col0 + (i), high + (i), low + (i), a + (i), b + (i), k + (i), n)
        EACH_GROUP(t.cols, TURN_BACK);
    } while (next_strip(&t));
}

static void backward_task(void *arg, int64_t task) {
    const struct job *j = arg;
    const struct strip t = first_strip(j->channels, j->positions, task);
    double mean[STRIP], inv_std[STRIP], dgamma[STRIP], dbeta[STRIP];
    normalizer(j, &t, mean, inv_std);
    gradient_sums(j, task, mean, inv_std, dgamma, dbeta);
    if (j->s->dx[0]) {
        double scale[STRIP], down[STRIP], tilt[STRIP];
        /* the batch's statistics depend on x; the running ones do not */
        const double share = j->s->training ? 1 / j->m : 0;
        for (int64_t c = 0; c < t.n; c++) {
            scale[c] = j->gamma ? (double)j->gamma[t.c0 + c] * inv_std[c] : inv_std[c];
            down[c] = dbeta[c] * share;
            tilt[c] = dgamma[c] * share * inv_std[c];
        }
        input_gradient(j, task, mean, scale, down, tilt);
    }
    if (j->gamma) { /* last: handing a gradient over may already change the parameter */
        fi_real g[STRIP];
        for (int64_t c = 0; c < t.n; c++) g[c] = (fi_real)dgamma[c];
        fi_step_emit(j->s, 0, t.c0, t.n, g);
        for (int64_t c = 0; c < t.n; c++) g[c] = (fi_real)dbeta[c];
        fi_step_emit(j->s, 1, t.c0, t.n, g);
    }
}

/* What a number costs, in floating-point operations of 10 ps as fi_parallel counts them:
 * conversions to double weigh more than the arithmetic. */
#define FORWARD_FLOPS 40.0
#define PREDICT_FLOPS 12.0
#define BACKWARD_FLOPS 45.0

static void run_tasks(const struct fanin_step *s, double work, void (*task)(void *, int64_t)) {
    struct job j = job_of(s);
    const int64_t per_task = strip_channels(j.positions);
    fi_parallel(fi_step_ctx(s), (j.channels + per_task - 1) / per_task,
                work * j.m * (double)j.channels, task, &j);
}

static void forward(const struct fanin_step *s) {
    const struct batch_norm *a = s->attrs;
    if (s->training && isnan(a->momentum)) s->params[a->affine ? 4 : 2].w[0] += 1;
    run_tasks(s, s->training ? FORWARD_FLOPS : PREDICT_FLOPS, forward_task);
}

static void backward(const struct fanin_step *s) {
    run_tasks(s, BACKWARD_FLOPS, backward_task);
}

static double flops(const struct fanin_infer *io) {
    return 4.0 * (double)io->in[0].cols;
}

static void affine(const void *attrs_, const float *const *params, int64_t channels, double *scale,
                   double *shift) {
    const struct batch_norm *a = attrs_;
    const float *const *running = params + (a->affine ? 2 : 0);
    for (int64_t c = 0; c < channels; c++) {
        const double gamma = a->affine ? (double)params[0][c] : 1;
        scale[c] = gamma / sqrt((double)running[1][c] + a->eps);
        shift[c] = (a->affine ? (double)params[1][c] : 0) - (double)running[0][c] * scale[c];
    }
}

static const struct fanin_fold folding = {.affine = affine};

static void propagate(const struct fanin_signal_step *s) {
    const struct batch_norm *a = s->attrs;
    fi_signal_batch_norm(s, a->eps, a->affine ? &s->params[0] : NULL,
                         a->affine ? &s->params[1] : NULL);
}

static void propagate_back(const struct fanin_signal_step *s) {
    const struct batch_norm *a = s->attrs;
    fi_signal_batch_norm_back(s, a->eps, a->affine ? &s->params[0] : NULL);
}

/* ---- the record -------------------------------------------------------------------------------------- */

static const struct fanin_attr plain[] = {{.name = "affine", .number = 0}};
static const struct fanin_attr wide_eps[] = {{.name = "eps", .number = 0.1},
                                             {.name = "momentum", .number = 1}};
static const struct fanin_attr cumulative[] = {{.name = "momentum", .is_null = 1}};
static const struct fanin_case cases[] = {
    {.rows = 2, .n_in = 1, .dims = {{1}}},
    {.rows = 5, .n_in = 1, .dims = {{7}}},
    {.rows = 9, .n_in = 1, .dims = {{130}}, .attrs = wide_eps, .n_attrs = 2},
    {.rows = 33, .n_in = 1, .dims = {{17}}, .attrs = plain, .n_attrs = 1},
    {.rows = 3, .n_in = 1, .dims = {{5, 3, 3}}},
    {.rows = 6, .n_in = 1, .dims = {{3}}, .attrs = cumulative, .n_attrs = 1},
    {.rows = 4, .n_in = 1, .dims = {{3, 11, 13}}, .attrs = plain, .n_attrs = 1}};

FI_RECORD(op, batch_norm) = {
    .head = {.name = "batch_norm",
             .formula = "y = weight (x - mean) / sqrt(var + eps) + bias, over the batch",
             .reference = "Ioffe & Szegedy, ICML 2015, algorithms 1 and 2",
             .help = "Gives each channel mean 0 and variance 1 over the batch, then a learned "
                     "scale and shift; a running mean and variance serve outside training.",
             .attrs = attrs,
             .attrs_size = sizeof(struct batch_norm)},
    .flags = FANIN_OP_ODD | FANIN_OP_NO_Y | FANIN_OP_BATCH_STATS | FANIN_OP_NORM,
    .infer = infer,
    .forward = forward,
    .backward = backward,
    .flops = flops,
    .fold = &folding,
    .signal = propagate,
    .signal_back = propagate_back,
    .statistics = statistics,
    .cases = cases,
    .n_cases = FI_COUNT(cases)};
