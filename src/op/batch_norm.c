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
#include "op/op.h"

#define STRIP 64 /* columns worked on together; the grain of a thread's work */
#define GROUP 32 /* of them, whose sums stay in registers while the rows are walked */

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

/* ---- channels and strips ------------------------------------------------------------------------- */

/* What one call works on. A task has whole channels: as many as fit a strip of columns, or one. */
struct job {
    const struct fanin_step *s;
    const struct batch_norm *a;
    fi_real *gamma, *beta, *running_mean, *running_var; /* the first two NULL if not affine */
    double *mean, *inv_std;           /* of the batch; kept for the backward pass */
    double *pool_mean, *pool_squares; /* Σ (x - mean)² of all rows of the pass */
    int64_t channels, positions, per_task;
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
    j.per_task = FI_MAX(1, STRIP / j.positions);
    j.mean = s->state;
    j.inv_std = j.mean + j.channels;
    j.pool_mean = j.inv_std + j.channels;
    j.pool_squares = j.pool_mean + j.channels;
    j.m = (double)s->rows * (double)j.positions;
    j.new_part = isnan(a->momentum) ? 1 / (double)running[2].w[0] : a->momentum;
    return j;
}

/* A task's channels c0 .. c0+n, of which columns col0 .. col0+cols are at work. */
struct strip {
    int64_t c0, n, col0, cols, positions;
};

static struct strip first_strip(const struct job *j, int64_t task) {
    struct strip t = {.c0 = task * j->per_task, .positions = j->positions};
    t.n = FI_MIN(j->per_task, j->channels - t.c0);
    t.col0 = t.c0 * j->positions;
    t.cols = FI_MIN(STRIP, t.n * j->positions);
    return t;
}

/* Goes on along the positions of a channel that is wider than a strip. */
static bool next_strip(struct strip *t) {
    const int64_t end = (t->c0 + t->n) * t->positions;
    t->col0 += t->cols;
    t->cols = FI_MIN(STRIP, end - t->col0);
    return t->cols > 0;
}

/* Calls f(i, c) for columns i of a strip, c their channels, counted from the task's first. */
#define EACH_COLUMN(t, f)                                                                          \
    do {                                                                                           \
        if ((t)->positions == 1) {                                                                 \
            for (int64_t i_ = 0; i_ < (t)->cols; i_++) f(i_, i_);                                  \
            break;                                                                                 \
        }                                                                                          \
        int64_t c_ = (t)->col0 / (t)->positions - (t)->c0;                                         \
        int64_t left_ = (t)->positions - (t)->col0 % (t)->positions;                               \
        for (int64_t i_ = 0; i_ < (t)->cols; i_++) {                                               \
            f(i_, c_);                                                                             \
            if (--left_ == 0) c_++, left_ = (t)->positions;                                        \
        }                                                                                          \
    } while (0)

/* cell[i] = the number of column i's channel. */
static void spread(const struct strip *t, const double *channel, double *cell) {
#define TAKE(i, c) cell[i] = channel[c]
    EACH_COLUMN(t, TAKE);
}
static void spread_real(const struct strip *t, const double *channel, fi_real *cell) {
#define TAKE_REAL(i, c) cell[i] = (fi_real)channel[c]
    EACH_COLUMN(t, TAKE_REAL);
}
/* As a pair whose sum is right to the last bits. */
static void spread_pair(const struct strip *t, const double *channel, fi_real *high, fi_real *low) {
#define TAKE_LOW(i, c) low[i] = (fi_real)(channel[c] - (double)high[i])
    spread_real(t, channel, high);
    EACH_COLUMN(t, TAKE_LOW);
}

/* channel += the sums of its columns. */
static void fold(const struct strip *t, const double *cell, double *channel) {
#define ADD(i, c) channel[c] += cell[i]
    EACH_COLUMN(t, ADD);
}

/* Calls f(first, columns) for the groups of a strip, the columns a constant but for the last. */
#define EACH_GROUP(cols, f)                                                                        \
    do {                                                                                           \
        int64_t first_ = 0;                                                                        \
        for (; first_ + GROUP <= (cols); first_ += GROUP) f(first_, GROUP);                        \
        if (first_ < (cols)) f(first_, (int)((cols)-first_));                                      \
    } while (0)

/* ---- forward --------------------------------------------------------------------------------------- */

/* sum[i] = Σ_r (x[r][i] - shift[i]), or with `square` of its square; n columns. */
__attribute__((always_inline)) static inline void column_sums(const struct job *j, const fi_real *x,
                                                              const double *shift, bool square,
                                                              double *sum, int n) {
    const int64_t ld = j->s->x[0]->ld;
    double cell[GROUP], at[GROUP];
    for (int i = 0; i < n; i++) cell[i] = 0, at[i] = shift[i];
    for (int64_t r = 0; r < j->s->rows; r++, x += ld)
        for (int i = 0; i < n; i++) {
            const double d = (double)x[i] - at[i];
            cell[i] += square ? d * d : d;
        }
    for (int i = 0; i < n; i++) sum[i] = cell[i];
}

/* sum[channel] = Σ (x - shift), or with `square` Σ (x - shift)². */
static void shifted_sums(const struct job *j, int64_t task, const double *shift, bool square,
                         double *sum) {
    const struct fanin_tensor *x = j->s->x[0];
    struct strip t = first_strip(j, task);
    for (int64_t c = 0; c < t.n; c++) sum[c] = 0;
    do {
        double cell[STRIP], at[STRIP];
        spread(&t, shift, at);
        const fi_real *first = x->data + t.col0;
#define PLAIN(i, n) column_sums(j, first + (i), at + (i), false, cell + (i), n)
#define SQUARE(i, n) column_sums(j, first + (i), at + (i), true, cell + (i), n)
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
    const struct strip t = first_strip(j, task);
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

/* y = (x - high - low) a + b; n columns. */
__attribute__((always_inline)) static inline void normalize(const struct job *j, const fi_real *x,
                                                            fi_real *y, const fi_real *high_,
                                                            const fi_real *low_, const fi_real *a_,
                                                            const fi_real *b_, int n) {
    const int64_t ldx = j->s->x[0]->ld, ldy = j->s->y->ld;
    fi_real high[GROUP], low[GROUP], a[GROUP], b[GROUP];
    for (int i = 0; i < n; i++) high[i] = high_[i], low[i] = low_[i], a[i] = a_[i], b[i] = b_[i];
    for (int64_t r = 0; r < j->s->rows; r++, x += ldx, y += ldy) {
        FI_IVDEP
        for (int i = 0; i < n; i++) y[i] = fi_fma((x[i] - high[i]) - low[i], a[i], b[i]);
    }
}

static void forward_task(void *arg, int64_t task) {
    const struct job *j = arg;
    const struct fanin_tensor *x = j->s->x[0], *y = j->s->y;
    struct strip t = first_strip(j, task);
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
#define NORMALIZE(i, n)                                                                            \
    normalize(j, x->data + t.col0 + (i), y->data + t.col0 + (i), high + (i), low + (i), a + (i),   \
              b + (i), n)
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

/* sum[i] = Σ_r g[r][i], product[i] = Σ_r g[r][i] (x[r][i] - mean[i]); n columns. */
__attribute__((always_inline)) static inline void
column_products(const struct job *j, const fi_real *x, const fi_real *g, const double *mean,
                double *product, double *sum, int n) {
    const int64_t ldx = j->s->x[0]->ld, ldg = j->s->dy->ld;
    double cell[GROUP], plain[GROUP], at[GROUP];
    for (int i = 0; i < n; i++) cell[i] = plain[i] = 0, at[i] = mean[i];
    for (int64_t r = 0; r < j->s->rows; r++, x += ldx, g += ldg)
        for (int i = 0; i < n; i++) {
            plain[i] += (double)g[i];
            cell[i] += (double)g[i] * ((double)x[i] - at[i]);
        }
    for (int i = 0; i < n; i++) product[i] = cell[i], sum[i] = plain[i];
}

/* dbeta[channel] = Σ dy, dgamma[channel] = Σ dy (x - mean) / std. */
static void gradient_sums(const struct job *j, int64_t task, const double *mean,
                          const double *inv_std, double *dgamma, double *dbeta) {
    const struct fanin_tensor *x = j->s->x[0], *dy = j->s->dy;
    struct strip t = first_strip(j, task);
    for (int64_t c = 0; c < t.n; c++) dgamma[c] = dbeta[c] = 0;
    do {
        double at[STRIP], product[STRIP], sum[STRIP];
        spread(&t, mean, at);
        const fi_real *first = x->data + t.col0, *g = dy->data + t.col0;
#define PRODUCTS(i, n)                                                                             \
    column_products(j, first + (i), g + (i), at + (i), product + (i), sum + (i), n)
        EACH_GROUP(t.cols, PRODUCTS);
        fold(&t, product, dgamma);
        fold(&t, sum, dbeta);
    } while (next_strip(&t));
    for (int64_t c = 0; c < t.n; c++) dgamma[c] *= inv_std[c];
}

/* dx = k (dy - down - (x - high - low) tilt); n columns. */
__attribute__((always_inline)) static inline void
turn_back(const struct job *j, int64_t col, const fi_real *high_, const fi_real *low_,
          const fi_real *down_, const fi_real *tilt_, const fi_real *k_, int n) {
    const struct fanin_tensor *x = j->s->x[0], *dy = j->s->dy, *dx = j->s->dx[0];
    fi_real high[GROUP], low[GROUP], down[GROUP], tilt[GROUP], k[GROUP];
    for (int i = 0; i < n; i++) {
        high[i] = high_[i], low[i] = low_[i], down[i] = down_[i];
        tilt[i] = -tilt_[i], k[i] = k_[i];
    }
    for (int64_t r = 0; r < j->s->rows; r++) {
        const fi_real *row = x->data + r * x->ld + col, *g = dy->data + r * dy->ld + col;
        fi_real *to = dx->data + r * dx->ld + col;
        FI_IVDEP
        for (int i = 0; i < n; i++)
            to[i] = k[i] * fi_fma((row[i] - high[i]) - low[i], tilt[i], g[i] - down[i]);
    }
}

/* dx = scale (dy - down - (x - mean) tilt) */
static void input_gradient(const struct job *j, int64_t task, const double *mean,
                           const double *scale, const double *down, const double *tilt) {
    struct strip t = first_strip(j, task);
    do {
        fi_real high[STRIP], low[STRIP], a[STRIP], b[STRIP], k[STRIP];
        spread_pair(&t, mean, high, low);
        spread_real(&t, down, a);
        spread_real(&t, tilt, b);
        spread_real(&t, scale, k);
#define TURN_BACK(i, n)                                                                            \
    turn_back(j, t.col0 + (i), high + (i), low + (i), a + (i), b + (i), k + (i), n)
        EACH_GROUP(t.cols, TURN_BACK);
    } while (next_strip(&t));
}

static void backward_task(void *arg, int64_t task) {
    const struct job *j = arg;
    const struct strip t = first_strip(j, task);
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
    fi_parallel(fi_step_ctx(s), (j.channels + j.per_task - 1) / j.per_task,
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
