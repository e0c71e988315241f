/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What layer_norm, rms_norm and group_norm share: normalization within a sample. A run of n numbers
 * x gives
 *
 *   μ = Σx / n (0 where it does not center), v = Σ(x - μ)² / n, r = 1 / √(v + ε), h = (x - μ) r
 *   y = w h + b
 *   g = w dy, dx = r (g - Σg/n - h Σ(g h)/n), the first sum only where it centers
 *   dw = Σ dy h, db = Σ dy, over the samples and what else shares the weight
 *
 * Two passes with double sums in 16 lanes and a fixed tree. The mean is taken of x - x₀, x₀ the
 * run's first number, and subtracted as a pair high + low: an offset of 1e6 over unit variance is
 * exact to rounding, and a constant run gives exactly h = 0.
 *
 * Samples are alone, so tasks are rows. For dw and db each task of 16 rows adds up its own share,
 * in double, and the shares are added in the order of the rows: an order of the shape alone.
 */
#ifndef FI_ROW_NORM_H
#define FI_ROW_NORM_H

#include "op/op.h"

#define LANES FI_LANES
#define STRIP 64 /* weights whose shares are added together */

struct fi_row_norm {
    double eps;
    bool centers;      /* subtracts the mean */
    int64_t run;       /* numbers normalized together; it divides those of a sample */
    int64_t positions; /* numbers in a row that share one weight */
    bool tiled;        /* every run uses the same weights */
    int weight, bias;  /* indexes of the parameters, or -1 */
};

/* Numbers in the last `axes` dimensions of a sample, all of it if there is no number (null). */
static inline int64_t fi_row_norm_run(const struct fanin_shape *shape, int64_t axes) {
    int64_t run = 1;
    for (int d = axes > 0 ? shape->rank - (int)axes : 0; d < shape->rank; d++)
        run *= shape->dims[d];
    return run;
}

/* infer()'s first step: one input, and no more axes than it has. */
static inline enum fanin_status fi_row_norm_check_axes(struct fanin_infer *io, int64_t axes) {
    char shape[FI_SHAPE_TEXT];
    FI_TRY(fi_op_infer_same(io));
    if (axes > io->in[0].rank)
        return io->fail(io, "axes is %lld, but a sample %s has %d dimensions", (long long)axes,
                        fi_op_shape_text(shape, &io->in[0]), io->in[0].rank);
    return FANIN_OK;
}

/* Checks the run, asks for memory and for parameters of this shape. */
static enum fanin_status fi_row_norm_infer(struct fanin_infer *io, const struct fi_row_norm *norm,
                                           int rank, const int64_t *dims) {
    char shape[FI_SHAPE_TEXT];
    if (norm->centers && norm->run < 2)
        return io->fail(io,
                        "of one number the mean is the number itself, which leaves nothing: "
                        "normalize two or more together (a sample here is %s)",
                        fi_op_shape_text(shape, &io->in[0]));
    const int ids[] = {norm->weight, norm->bias};
    int64_t count = 1;
    for (int d = 0; d < rank; d++) count *= dims[d];
    io->n_params = 0;
    for (int i = 0; i < 2; i++) {
        if (ids[i] < 0) continue;
        struct fanin_param_spec *p = &io->params[io->n_params++];
        *p = (struct fanin_param_spec){.suffix = i == 0 ? "weight" : "bias",
                                       .layout = FANIN_LAYOUT_VECTOR,
                                       .rank = rank,
                                       .fan_in = 1,
                                       .fan_out = 1,
                                       .trainable = 1,
                                       .fill = i == 0,
                                       .scales = i == 0,
                                       .tiled = norm->tiled};
        for (int d = 0; d < rank; d++) p->dims[d] = dims[d];
    }
    io->run = norm->run;
    io->state_bytes_per_row = 2 * sizeof(double) * (size_t)(io->in[0].cols / norm->run);
    /* two doubles a weight and task of 16 rows: a byte a weight and row */
    if (io->n_params > 0) io->scratch_bytes_per_row = (size_t)count;
    return FANIN_OK;
}

/* ---- sums over a run --------------------------------------------------------------------------- */

static double join(double *lane) {
    for (int half = LANES / 2; half > 0; half /= 2)
        for (int l = 0; l < half; l++) lane[l] += lane[l + half];
    return lane[0];
}

/* Σ (x - shift) */
static double sum_from(const fi_real *x, int64_t n, double shift) {
    double lane[LANES] = {0};
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int l = 0; l < LANES; l++) lane[l] += (double)x[i + l] - shift;
    for (int l = 0; i + l < n; l++) lane[l] += (double)x[i + l] - shift;
    return join(lane);
}

/* Σ (x - shift)² */
static double squares_from(const fi_real *x, int64_t n, double shift) {
    double lane[LANES] = {0};
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int l = 0; l < LANES; l++) {
            const double d = (double)x[i + l] - shift;
            lane[l] += d * d;
        }
    for (int l = 0; i + l < n; l++) {
        const double d = (double)x[i + l] - shift;
        lane[l] += d * d;
    }
    return join(lane);
}

/* *sum += Σ w g, *product += Σ w g (x - mean); w NULL: 1. */
static void gradient_sums(const fi_real *x, const fi_real *g, const fi_real *w, int64_t n,
                          double mean, double *sum, double *product) {
    double s[LANES] = {0}, p[LANES] = {0};
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int l = 0; l < LANES; l++) {
            const double gw = w ? (double)g[i + l] * (double)w[i + l] : (double)g[i + l];
            s[l] += gw;
            p[l] += gw * ((double)x[i + l] - mean);
        }
    for (int l = 0; i + l < n; l++) {
        const double gw = w ? (double)g[i + l] * (double)w[i + l] : (double)g[i + l];
        s[l] += gw;
        p[l] += gw * ((double)x[i + l] - mean);
    }
    *sum += join(s);
    *product += join(p);
}

/* ---- what a call works on ------------------------------------------------------------------------ */

struct job {
    const struct fanin_step *s;
    const struct fi_row_norm *norm;
    int64_t runs;      /* of a sample */
    int64_t n_weights; /* numbers in each parameter */
    double *stats;     /* of each run its mean and r; kept for the backward pass */
    double *shares;    /* of each task n_weights numbers for dw, then for db */
};

static struct job job_of(const struct fanin_step *s, const struct fi_row_norm *norm) {
    struct job j = {.s = s, .norm = norm, .stats = s->state, .shares = s->scratch};
    j.runs = s->y->cols / norm->run;
    j.n_weights = (norm->tiled ? norm->run : s->y->cols) / norm->positions;
    return j;
}

/* Where the weights of a run begin. */
static int64_t weights_at(const struct job *j, int64_t run) {
    return j->norm->tiled ? 0 : run * (j->norm->run / j->norm->positions);
}

static const fi_real *weights(const struct job *j, int param, int64_t run) {
    return param < 0 ? NULL : j->s->params[param].w + weights_at(j, run);
}

/* ---- forward --------------------------------------------------------------------------------------- */

static void measure(const struct job *j, const fi_real *x, double *stats) {
    const int64_t n = j->norm->run;
    const double mean =
        j->norm->centers ? (double)x[0] + sum_from(x, n, (double)x[0]) / (double)n : 0;
    stats[0] = mean;
    stats[1] = 1 / sqrt(squares_from(x, n, mean) / (double)n + j->norm->eps);
}

/* y = w ((x - mean) r) + b, w and b a number for each x. */
static void write_each(const fi_real *x, fi_real *y, int64_t n, const double *stats,
                       const fi_real *w, const fi_real *b) {
    const fi_real high = (fi_real)stats[0], low = (fi_real)(stats[0] - (double)high);
    const fi_real r = (fi_real)stats[1];
    if (w && b) {
        FI_IVDEP
        for (int64_t i = 0; i < n; i++) y[i] = fi_fma(((x[i] - high) - low) * r, w[i], b[i]);
    } else if (w) {
        FI_IVDEP
        for (int64_t i = 0; i < n; i++) y[i] = ((x[i] - high) - low) * r * w[i];
    } else {
        FI_IVDEP
        for (int64_t i = 0; i < n; i++) y[i] = ((x[i] - high) - low) * r;
    }
}

/* The same with one w and b for each `positions` numbers. */
static void write_channels(const struct job *j, const fi_real *x, fi_real *y, const double *stats,
                           const fi_real *w, const fi_real *b) {
    const fi_real high = (fi_real)stats[0], low = (fi_real)(stats[0] - (double)high);
    const fi_real r = (fi_real)stats[1];
    const int64_t positions = j->norm->positions;
    for (int64_t c = 0; c < j->norm->run / positions; c++, x += positions, y += positions) {
        const fi_real scale = w[c], shift = b ? b[c] : 0;
        FI_IVDEP
        for (int64_t i = 0; i < positions; i++)
            y[i] = fi_fma(((x[i] - high) - low) * r, scale, shift);
    }
}

static void forward_rows(void *arg, int64_t task) {
    const struct job *j = arg;
    const struct fanin_tensor *x = j->s->x[0], *y = j->s->y;
    const int64_t n = j->norm->run, end = FI_MIN(j->s->rows, (task + 1) * FI_OP_TASK_ROWS);
    for (int64_t row = task * FI_OP_TASK_ROWS; row < end; row++)
        for (int64_t k = 0; k < j->runs; k++) {
            const fi_real *from = x->data + row * x->ld + k * n;
            fi_real *to = y->data + row * y->ld + k * n;
            double *stats = j->stats + 2 * (row * j->runs + k);
            const fi_real *w = weights(j, j->norm->weight, k), *b = weights(j, j->norm->bias, k);
            measure(j, from, stats);
            if (w && j->norm->positions > 1)
                write_channels(j, from, to, stats, w, b);
            else
                write_each(from, to, n, stats, w, b);
        }
}

static void run_tasks(struct job *j, double flops, void (*task)(void *, int64_t)) {
    fi_parallel(fi_step_ctx(j->s), (j->s->rows + FI_OP_TASK_ROWS - 1) / FI_OP_TASK_ROWS,
                flops * (double)j->s->rows * (double)j->s->y->cols, task, j);
}

static void fi_row_norm_forward(const struct fanin_step *s, const struct fi_row_norm *norm) {
    struct job j = job_of(s, norm);
    run_tasks(&j, 10, forward_rows);
}

/* ---- backward -------------------------------------------------------------------------------------- */

/* One run: where its numbers begin and what was measured. */
struct run {
    const fi_real *x, *dy, *w;
    fi_real *dx;
    double *dw, *db; /* NULL: nobody asks */
    double mean, r;
};

/* dx = r (g - down) - (x - mean) tilt, g = w dy; w a number for each x, or NULL. */
static void input_gradient(const struct run *q, int64_t n, const fi_real *w, fi_real one,
                           fi_real *dx, const fi_real *x, const fi_real *dy, double down,
                           double tilt) {
    const fi_real high = (fi_real)q->mean, low = (fi_real)(q->mean - (double)high);
    const fi_real r = (fi_real)q->r, a = (fi_real)-down, b = (fi_real)-tilt;
    if (w) {
        FI_IVDEP
        for (int64_t i = 0; i < n; i++)
            dx[i] = r * fi_fma((x[i] - high) - low, b, fi_fma(dy[i], w[i], a));
    } else {
        FI_IVDEP
        for (int64_t i = 0; i < n; i++)
            dx[i] = r * fi_fma((x[i] - high) - low, b, fi_fma(dy[i], one, a));
    }
}

/* dw += dy h, db += dy, a number for each x. */
static void add_each(const struct run *q, int64_t n) {
    if (q->db) {
        FI_IVDEP
        for (int64_t i = 0; i < n; i++) {
            q->dw[i] += (double)q->dy[i] * (((double)q->x[i] - q->mean) * q->r);
            q->db[i] += (double)q->dy[i];
        }
    } else {
        FI_IVDEP
        for (int64_t i = 0; i < n; i++)
            q->dw[i] += (double)q->dy[i] * (((double)q->x[i] - q->mean) * q->r);
    }
}

static void backward_each(const struct job *j, const struct run *q) {
    const int64_t n = j->norm->run;
    double sum = 0, product = 0;
    if (q->dx) {
        gradient_sums(q->x, q->dy, q->w, n, q->mean, &sum, &product);
        input_gradient(q, n, q->w, 1, q->dx, q->x, q->dy, j->norm->centers ? sum / (double)n : 0,
                       product * q->r * q->r / (double)n);
    }
    if (q->dw) add_each(q, n);
}

/* One weight for each `positions` numbers. */
static void backward_channels(const struct job *j, const struct run *q) {
    const int64_t n = j->norm->run, positions = j->norm->positions;
    double sum = 0, product = 0;
    for (int64_t c = 0, at = 0; at < n; c++, at += positions) {
        double s = 0, p = 0;
        gradient_sums(q->x + at, q->dy + at, NULL, positions, q->mean, &s, &p);
        sum += (double)q->w[c] * s;
        product += (double)q->w[c] * p;
        q->dw[c] += p * q->r;
        if (q->db) q->db[c] += s;
    }
    if (!q->dx) return;
    const double down = j->norm->centers ? sum / (double)n : 0;
    const double tilt = product * q->r * q->r / (double)n;
    for (int64_t c = 0, at = 0; at < n; c++, at += positions)
        input_gradient(q, positions, NULL, q->w[c], q->dx + at, q->x + at, q->dy + at, down, tilt);
}

static void backward_rows(void *arg, int64_t task) {
    const struct job *j = arg;
    const struct fanin_tensor *x = j->s->x[0], *dy = j->s->dy, *dx = j->s->dx[0];
    const int64_t n = j->norm->run, end = FI_MIN(j->s->rows, (task + 1) * FI_OP_TASK_ROWS);
    double *share = j->shares + task * 2 * j->n_weights;
    if (j->norm->weight >= 0)
        for (int64_t i = 0; i < 2 * j->n_weights; i++) share[i] = 0;
    for (int64_t row = task * FI_OP_TASK_ROWS; row < end; row++)
        for (int64_t k = 0; k < j->runs; k++) {
            const double *stats = j->stats + 2 * (row * j->runs + k);
            struct run q = {.x = x->data + row * x->ld + k * n,
                            .dy = dy->data + row * dy->ld + k * n,
                            .w = weights(j, j->norm->weight, k),
                            .dx = dx ? dx->data + row * dx->ld + k * n : NULL,
                            .mean = stats[0],
                            .r = stats[1]};
            if (q.w) q.dw = share + weights_at(j, k);
            if (j->norm->bias >= 0) q.db = q.dw + j->n_weights;
            if (q.w && j->norm->positions > 1)
                backward_channels(j, &q);
            else
                backward_each(j, &q);
        }
}

/* Adds the shares of a strip of weights and hands them over. Last, as that may change the weights.
 */
static void emit_strip(void *arg, int64_t task) {
    const struct job *j = arg;
    const int64_t i0 = task * STRIP, n = FI_MIN(STRIP, j->n_weights - i0);
    const int64_t tasks = (j->s->rows + FI_OP_TASK_ROWS - 1) / FI_OP_TASK_ROWS;
    for (int k = 0; k < (j->norm->bias < 0 ? 1 : 2); k++) {
        double sum[STRIP] = {0};
        fi_real g[STRIP];
        for (int64_t t = 0; t < tasks; t++) {
            const double *share = j->shares + (2 * t + k) * j->n_weights + i0;
            for (int64_t i = 0; i < n; i++) sum[i] += share[i];
        }
        for (int64_t i = 0; i < n; i++) g[i] = (fi_real)sum[i];
        fi_step_emit(j->s, k == 0 ? j->norm->weight : j->norm->bias, i0, n, g);
    }
}

static void fi_row_norm_backward(const struct fanin_step *s, const struct fi_row_norm *norm) {
    struct job j = job_of(s, norm);
    run_tasks(&j, 20, backward_rows);
    if (norm->weight >= 0)
        fi_parallel(fi_step_ctx(s), (j.n_weights + STRIP - 1) / STRIP,
                    (double)s->rows * (double)j.n_weights / 8, emit_strip, &j);
}

#endif
