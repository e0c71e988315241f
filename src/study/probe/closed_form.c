/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tikhonov's closed form beside what training found, of a net that is one dense layer under mse:
 * the minimum of the training part's loss with the penalty ½λ‖w‖² (`l2`) solves
 *
 *   (XᵀX / P + ½ K λ I) w = Xᵀy / P
 *
 * for P samples and K outputs (mse is a mean over the outputs and has no factor ½; weighted samples
 * count by their weights). The bias is not penalized: with one, X and y are centred first and
 * b = ȳ - w x̄. X is normalized and y scaled as the net reads them. In double, by Cholesky.
 *
 * Tikhonov 1963; Hoerl & Kennard 1970; Krogh & Hertz 1991.
 */
#include <math.h>
#include <string.h>

#include "kernel/kernel.h"
#include "model/ensemble.h"
#include "study/probe.h"

/* Inputs at most: the normal equations take P n² operations. */
#define MOST_INPUTS 1024
/* A pivot that lost more than this of its diagonal is rounding. */
#define SMALLEST_PIVOT 1e-12

struct closed_form {
    double lambda;
    int part;
};

struct system {
    const struct fi_look_at *look;
    int64_t n, k; /* inputs, outputs */
    const struct fi_param *weight, *bias;
    double *a;      /* n × n, lower half: the sums, then the factor */
    double *b;      /* k × n: the sums, then w */
    double *mean;   /* n + k: of inputs and targets; 0 without a bias */
    double weights; /* Σ over the samples */
    /* A batch: a column of samples for each input, then each target, centred; and times weight. */
    double *x, *weighted;
    int64_t rows;
    struct fi_probe_truth known;
    struct fanin_tensor raw;
};

static enum fanin_status check_net(struct system *s) {
    const fanin_net *net = s->look->model->net;
    const struct fi_node *last = &net->nodes[net->n_nodes - 1];
    s->n = fanin_model_inputs(s->look->model);
    s->k = fanin_model_outputs(s->look->model);
    if (net->n_nodes != 2 || strcmp(last->op->head.name, "dense") != 0 ||
        strcmp(s->look->model->loss->head.name, "mse") != 0)
        return fi_fail(s->look->ctx, FANIN_ERR_RECIPE,
                       "closed_form knows the minimum of one dense layer under loss mse only; this "
                       "net has %d layers, the last %s, and loss %s",
                       net->n_nodes - 1, last->op->head.name, s->look->model->loss->head.name);
    if (s->n > MOST_INPUTS)
        return fi_fail(s->look->ctx, FANIN_ERR_RECIPE,
                       "closed_form solves for up to %d inputs, this net has %lld", MOST_INPUTS,
                       (long long)s->n);
    s->weight = &net->params[last->first_param];
    s->bias = last->n_params > 1 ? s->weight + 1 : NULL;
    return FANIN_OK;
}

static enum fanin_status allocate(struct system *s, struct fi_arena *arena) {
    int64_t kn;
    if (!fi_mul(s->k, s->n, &kn) || kn > INT64_MAX / 1024)
        return fi_fail_memory(arena->ctx, "closed_form", SIZE_MAX);
    s->raw = (struct fanin_tensor){.cols = s->n, .ld = fi_row_stride(s->n)};
    s->raw.data = fi_arena_alloc(arena, FI_PROBE_ROWS * s->raw.ld, sizeof(fi_real));
    s->a = fi_arena_alloc(arena, s->n * s->n, sizeof(double));
    s->b = fi_arena_alloc(arena, kn, sizeof(double));
    s->mean = fi_arena_alloc(arena, s->n + s->k, sizeof(double));
    s->x = fi_arena_alloc(arena, FI_PROBE_ROWS * (s->n + s->k), sizeof(double));
    s->weighted = fi_arena_alloc(arena, FI_PROBE_ROWS * (s->n + s->k), sizeof(double));
    if (!s->raw.data || !s->a || !s->b || !s->mean || !s->x || !s->weighted)
        return FANIN_ERR_MEMORY;
    return fi_probe_truth_create(&s->known, s->look->model, arena);
}

/* ---- the normal equations -------------------------------------------------------------------------- */

/* The samples first .. of the training part, less the means, as columns; how many there were. */
static int64_t load(struct system *s, int64_t first) {
    const int64_t n = FI_MIN(FI_PROBE_ROWS, fanin_data_rows(s->look->data, FANIN_TRAIN) - first);
    const struct fanin_tensor *t = &s->known.targets;
    s->rows = FI_MAX(n, 0);
    if (n < 1) return 0;
    fi_probe_truth_load(&s->known, s->look, FANIN_TRAIN, first, n);
    fi_data_gather(s->look->data, FANIN_TRAIN, s->known.index, n, s->raw.data, s->raw.ld);
    for (int64_t j = 0; j < s->n + s->k; j++)
        for (int64_t r = 0; r < n; r++) {
            const fi_real v =
                j < s->n ? s->raw.data[r * s->raw.ld + j] : t->data[r * t->ld + j - s->n];
            s->x[j * FI_PROBE_ROWS + r] = (double)v - s->mean[j];
            s->weighted[j * FI_PROBE_ROWS + r] = s->known.weights[r] * s->x[j * FI_PROBE_ROWS + r];
        }
    return n;
}

/* Row i of XᵀX, or of yᵀX. */
static void add_products(void *arg, int64_t i) {
    struct system *s = arg;
    const bool target = i >= s->n;
    double *to = target ? s->b + (i - s->n) * s->n : s->a + i * s->n;
    const double *x = s->weighted + i * FI_PROBE_ROWS;
    for (int64_t j = 0; j < (target ? s->n : i + 1); j++) {
        const double *y = s->x + j * FI_PROBE_ROWS;
        double dot = 0;
        for (int64_t r = 0; r < s->rows; r++) dot += x[r] * y[r];
        to[j] += dot;
    }
}

/* What the samples weigh, and the means where there is a bias to take them up. */
static enum fanin_status find_means(struct system *s, struct fi_arena *arena) {
    double *sum = fi_arena_alloc(arena, s->n + s->k, sizeof *sum);
    if (!sum) return FANIN_ERR_MEMORY;
    for (int64_t at = 0, n; (n = load(s, at)) > 0; at += n) {
        for (int64_t r = 0; r < n; r++) s->weights += s->known.weights[r];
        for (int64_t j = 0; j < s->n + s->k; j++)
            for (int64_t r = 0; r < n; r++) sum[j] += s->weighted[j * FI_PROBE_ROWS + r];
    }
    if (!(s->weights > 0))
        return fi_fail(s->look->ctx, FANIN_ERR_DATA, "no sample of the training part counts");
    for (int64_t j = 0; j < s->n + s->k && s->bias; j++) s->mean[j] = sum[j] / s->weights;
    return FANIN_OK;
}

/* ---- Cholesky -------------------------------------------------------------------------------------- */

/* a = L Lᵀ in the lower half; false: a is not positive definite. */
static bool factor(double *a, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        double *row = a + i * n;
        const double whole = row[i];
        for (int64_t j = 0; j <= i; j++) {
            const double *other = a + j * n;
            double sum = row[j];
            for (int64_t l = 0; l < j; l++) sum -= row[l] * other[l];
            if (j < i)
                row[j] = sum / other[j];
            else if (!(sum > SMALLEST_PIVOT * whole))
                return false;
            else
                row[i] = sqrt(sum);
        }
    }
    return true;
}

static void solve(const double *l, int64_t n, double *b) {
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j < i; j++) b[i] -= l[i * n + j] * b[j];
        b[i] /= l[i * n + i];
    }
    for (int64_t i = n - 1; i >= 0; i--) {
        b[i] /= l[i * n + i];
        for (int64_t j = 0; j < i; j++) b[j] -= l[i * n + j] * b[i];
    }
}

/* s->b becomes w. */
static enum fanin_status minimize(struct system *s, double lambda) {
    const double flops = 2.0 * FI_PROBE_ROWS * (double)s->n * (double)(s->n + s->k);
    for (int64_t at = 0, n; (n = load(s, at)) > 0; at += n)
        fi_parallel(s->look->ctx, s->n + s->k, flops, add_products, s);
    for (int64_t i = 0; i < s->n * s->n; i++) s->a[i] /= s->weights;
    for (int64_t i = 0; i < s->k * s->n; i++) s->b[i] /= s->weights;
    for (int64_t i = 0; i < s->n; i++) s->a[i * s->n + i] += 0.5 * (double)s->k * lambda;
    if (!factor(s->a, s->n))
        return fi_fail(s->look->ctx, FANIN_ERR_RECIPE,
                       "lambda: the inputs of the training part are linearly dependent, so that "
                       "with lambda %g the minimum is not one point: give a larger one",
                       lambda);
    for (int64_t k = 0; k < s->k; k++) solve(s->a, s->n, s->b + k * s->n);
    return FANIN_OK;
}

/* ---- the look -------------------------------------------------------------------------------------- */

/* Predictions by the minimum in the place of the net's. */
static void predict(void *arg, struct fi_ensemble *e, int64_t n, int64_t row0) {
    const struct system *s = arg;
    const fanin_model *m = s->look->model;
    (void)row0;
    for (int64_t r = 0; r < n; r++)
        for (int64_t k = 0; k < s->k; k++) {
            double z = s->mean[s->n + k];
            for (int64_t j = 0; j < s->n; j++)
                z += s->b[k * s->n + j] * ((double)e->x.data[r * e->x.ld + j] - s->mean[j]);
            e->z.data[r * e->z.ld + k] = (fi_real)z;
        }
    m->loss->predict(m->loss_attrs, &e->z, &e->p);
}

static enum fanin_status tell(struct system *s, enum fanin_part part, struct fi_arena *arena) {
    const struct fi_look_at *look = s->look;
    const struct fi_eval_options options = {.part = part, .predict = predict, .arg = s};
    float *w = fi_arena_alloc(arena, s->weight->count, sizeof *w);
    double apart = 0, norm = 0;
    struct fi_eval eval;
    if (!w) return FANIN_ERR_MEMORY;
    fi_param_unpack(s->weight, look->model->params + s->weight->offset, w);
    for (int64_t i = 0; i < s->weight->count; i++) {
        apart += ((double)w[i] - s->b[i]) * ((double)w[i] - s->b[i]);
        norm += s->b[i] * s->b[i];
    }
    FI_TRY(fi_evaluate(look->model, look->data, &options, arena, &eval));
    look->add(look->to, "distance", "", norm > 0 ? sqrt(apart / norm) : NAN);
    look->add(look->to, "norm", "", sqrt(norm));
    look->add(look->to, "risk", "", eval.figures[0].value);
    return FANIN_OK;
}

static enum fanin_status look_at(const struct fi_look_at *look, const void *attrs) {
    const struct closed_form *a = attrs;
    struct system s = {.look = look};
    struct fi_arena arena;
    FI_TRY(fi_check_data(look->model, look->data));
    FI_TRY(check_net(&s));
    fi_arena_init(&arena, look->ctx);
    enum fanin_status status = allocate(&s, &arena);
    if (status == FANIN_OK) status = find_means(&s, &arena);
    if (status == FANIN_OK) status = minimize(&s, a->lambda);
    if (status == FANIN_OK) status = tell(&s, (enum fanin_part)a->part, &arena);
    fi_arena_free(&arena);
    return status;
}

static const struct fanin_attr_spec specs[] = {
    FI_ATTR_REAL(struct closed_form, lambda, 0, 0, 1e12, "strength of the penalty, as of l2", 0),
    FI_PROBE_PART(struct closed_form), FI_ATTR_END};

FI_RECORD(probe, closed_form) = {
    .head = {.name = "closed_form",
             .formula = "w* = (X'X/P + K lambda/2 I)^-1 X'y/P, centred where there is a bias, of K "
                        "outputs; distance = |w - w*| / |w*|; norm = |w*|; risk = loss of w* on "
                        "the part",
             .reference = "Tikhonov 1963; Hoerl & Kennard 1970",
             .help =
                 "Compares the weights of one dense layer under mse with the minimum that l2 of "
                 "strength lambda has in closed form.",
             .attrs = specs,
             .attrs_size = sizeof(struct closed_form),
             .place = ""},
    .look = look_at,
};
