/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dropout as an ensemble. A net with n units that may be dropped is 2^n subnetworks that share
 * their weights; p_s is the prediction of subnetwork s and w_s its probability,
 * keep^k (1 - keep)^(n-k) with k units on.
 *
 *   weight scaling   one pass without noise (inverted dropout: the weights are scaled already)
 *   mc               p = Σ w_s p_s, over all s, or over K drawn ones with w_s = 1/K
 *   geometric        p ∝ Π p_s^w_s, which is link(Σ w_s z_s) for softmax and sigmoid, z the scores
 *
 * The predictive entropy is H[p], the mutual information of prediction and mask H[p] - Σ w_s H[p_s]
 * (BALD): how much of the uncertainty is disagreement. With one softmax layer behind the noise the
 * geometric mean over all s equals weight scaling.
 *
 * Mask k of sample r is keyed by (seed, node, k, r): the same for any batch and number of threads.
 * Sums are double and run over the members in order.
 *
 * Srivastava et al., JMLR 15 (2014), sections 1 and 7.5; Warde-Farley et al., ICLR 2014; Baldi,
 * Sadowski, NIPS 2013; Gal, Ghahramani, ICML 2016; Houlsby et al., arXiv 1112.5745 (BALD).
 */
#include "model/ensemble.h"

#include <math.h>
#include <string.h>

#include "data/data.h"
#include "kernel/kernel.h"
#include "model/model.h"

#define ROWS_PER_TASK 16

static bool draws(const struct fi_node *node) {
    return node->op && (node->op->flags & FANIN_OP_STOCHASTIC) &&
           (!node->op->draws || node->op->draws(node->attrs));
}

static enum fanin_status check_options(const fanin_model *m,
                                       const struct fanin_ensemble_options *o) {
    if (o->inference < FANIN_WEIGHT_SCALING || o->inference > FANIN_GEOMETRIC)
        return fi_fail(m->ctx, FANIN_ERR_ARGUMENT, "there is no inference number %d",
                       (int)o->inference);
    if (o->inference == FANIN_WEIGHT_SCALING) return FANIN_OK;
    if (o->members < 1 && o->members != FANIN_ALL_MEMBERS)
        return fi_fail(m->ctx, FANIN_ERR_ARGUMENT,
                       "an ensemble has at least one member, or all of them, not %lld",
                       (long long)o->members);
    if (o->inference == FANIN_GEOMETRIC && !m->loss->entropy)
        return fi_fail(m->ctx, FANIN_ERR_RECIPE,
                       "loss %s predicts values, of which there is no geometric mean: use mc",
                       m->loss->head.name);
    for (int i = 0; i < m->net->n_nodes; i++)
        if (draws(&m->net->nodes[i])) return FANIN_OK;
    return fi_fail(m->ctx, FANIN_ERR_RECIPE,
                   "the net draws nothing (it has no dropout or other noise), so all masks give "
                   "the same prediction");
}

/* ---- all subnetworks ----------------------------------------------------------------------------- */

/* Finds the switches of all nodes that draw. */
static enum fanin_status find_switches(struct fi_ensemble *e, struct fi_arena *arena) {
    const fanin_net *net = e->model->net;
    int64_t total = 0;
    e->switches = fi_arena_alloc(arena, net->n_nodes, sizeof(*e->switches));
    if (!e->switches) return FANIN_ERR_MEMORY;
    for (int i = 0; i < net->n_nodes; i++) {
        const struct fi_node *node = &net->nodes[i];
        struct fi_switches s = {.node = i, .first = (int)FI_MIN(total, FI_ENSEMBLE_SWITCHES)};
        if (!draws(node)) continue;
        if (!node->op->switches)
            return fi_fail(e->model->ctx, FANIN_ERR_RECIPE,
                           "%s draws numbers, not units that are on or off, so its subnetworks "
                           "cannot be counted: give a number of masks instead of all",
                           node->name);
        const int64_t n =
            node->op->switches(node->attrs, &net->nodes[node->inputs[0]].shape, &s.keep);
        if (!fi_add(total, n, &total)) total = INT64_MAX / 2;
        s.n = (int)FI_MIN(n, FI_ENSEMBLE_SWITCHES);
        e->switches[e->n_nodes++] = s;
    }
    if (total > FI_ENSEMBLE_SWITCHES)
        return fi_fail(e->model->ctx, FANIN_ERR_RECIPE,
                       "the net has %lld droppable units, so 2^%lld subnetworks: all are taken of "
                       "at most %d units; give a number of masks instead",
                       (long long)total, (long long)total, FI_ENSEMBLE_SWITCHES);
    e->n_switches = (int)total;
    e->members = INT64_C(1) << total;
    return FANIN_OK;
}

/* Turns the switches to subnetwork `member`; returns its probability. */
static double turn(struct fi_ensemble *e, int64_t member) {
    double weight = 1;
    for (int i = 0; i < e->n_nodes; i++) {
        const struct fi_switches *s = &e->switches[i];
        for (int k = 0; k < s->n; k++) {
            const int bit = s->first + k;
            e->on[bit] = member >> bit & 1;
            weight *= e->on[bit] ? s->keep : 1 - s->keep;
        }
    }
    return weight;
}

/* ---- memory -------------------------------------------------------------------------------------- */

static enum fanin_status tensor(struct fi_arena *arena, struct fanin_tensor *t, int64_t rows,
                                int64_t cols) {
    int64_t n;
    *t = (struct fanin_tensor){.rows = rows, .cols = cols, .ld = fi_row_stride(cols)};
    if (!fi_mul(rows, t->ld, &n)) return fi_fail_memory(arena->ctx, "a batch", SIZE_MAX);
    t->data = fi_arena_alloc(arena, n, sizeof(fi_real));
    return t->data ? FANIN_OK : FANIN_ERR_MEMORY;
}

static enum fanin_status allocate(struct fi_ensemble *e, struct fi_arena *arena) {
    const int64_t rows = e->rows, cols = e->p.cols;
    FI_TRY(tensor(arena, &e->p, rows, cols));
    if (e->uncertain && e->model->loss->entropy) {
        e->entropy = fi_arena_alloc(arena, rows, sizeof(double));
        e->information = fi_arena_alloc(arena, rows, sizeof(double));
        e->own_entropy = fi_arena_alloc(arena, rows, sizeof(double));
        e->member_entropy = fi_arena_alloc(arena, rows, sizeof(double));
        if (!e->entropy || !e->information || !e->own_entropy || !e->member_entropy)
            return FANIN_ERR_MEMORY;
    }
    if (e->inference != FANIN_WEIGHT_SCALING) {
        FI_TRY(tensor(arena, &e->x, rows, e->exec->x.cols));
        FI_TRY(tensor(arena, &e->z, rows, cols));
        e->mean = fi_arena_alloc(arena, rows * cols, sizeof(double));
        if (!e->mean) return FANIN_ERR_MEMORY;
    }
    if (e->uncertain && !(e->squares = fi_arena_alloc(arena, rows * cols, sizeof(double))))
        return FANIN_ERR_MEMORY;
    return FANIN_OK;
}

enum fanin_status fi_ensemble_create(struct fi_ensemble *e, fanin_model *model, int64_t rows,
                                     const struct fanin_ensemble_options *options, bool uncertain,
                                     struct fi_arena *arena) {
    static const struct fanin_ensemble_options plain = {.size = sizeof plain};
    const struct fanin_ensemble_options *o = options ? options : &plain;
    *e = (struct fi_ensemble){.model = model,
                              .inference = o->inference,
                              .rows = FI_MAX(1, FI_MIN(rows, FI_ENSEMBLE_ROWS)),
                              .members = o->members,
                              .uncertain = uncertain};
    e->p.cols = fanin_model_outputs(model);
    FI_TRY(check_options(model, o));
    if (o->inference == FANIN_WEIGHT_SCALING) {
        FI_TRY(fi_model_infer(model, e->rows, &e->exec));
        e->x = e->exec->x;
        e->z = e->exec->y[fi_net_result(model->net)];
        e->members = 1;
        return allocate(e, arena);
    }
    if (o->members == FANIN_ALL_MEMBERS) FI_TRY(find_switches(e, arena));
    FI_TRY(fi_model_sample(model, e->rows, &e->exec));
    fi_exec_seed(e->exec, o->seed);
    for (int i = 0; i < model->net->n_nodes; i++) fi_exec_switches(e->exec, i, NULL);
    for (int i = 0; i < e->n_nodes; i++)
        fi_exec_switches(e->exec, e->switches[i].node, e->on + e->switches[i].first);
    return allocate(e, arena);
}

/* ---- running ------------------------------------------------------------------------------------- */

struct add {
    struct fi_ensemble *e;
    const struct fanin_tensor *from;
    double weight, share; /* of the member; of it in the total so far */
};

/* mean += share · d, squares += weight · d · (what is left of d), d = value - mean (West 1979). */
static void add_rows(void *arg, int64_t task) {
    const struct add *a = arg;
    const struct fanin_tensor *t = a->from;
    const int64_t end = FI_MIN(t->rows, (task + 1) * ROWS_PER_TASK);
    for (int64_t r = task * ROWS_PER_TASK; r < end; r++) {
        double *mean = a->e->mean + r * t->cols;
        double *squares = a->e->squares ? a->e->squares + r * t->cols : NULL;
        for (int64_t c = 0; c < t->cols; c++) {
            const double d = (double)t->data[r * t->ld + c] - mean[c];
            mean[c] += a->share * d;
            if (squares) squares[c] += a->weight * d * ((double)t->data[r * t->ld + c] - mean[c]);
        }
    }
}

/* Runs one member and adds what it gives: predictions, or scores for the geometric mean. */
static void add_member(struct fi_ensemble *e, int64_t n, int64_t row0, int64_t member) {
    const fanin_model *m = e->model;
    const struct fanin_tensor *z = &e->exec->y[fi_net_result(m->net)];
    const double weight = e->n_nodes ? turn(e, member) : 1;
    for (int64_t r = 0; r < n; r++) /* the pass before used its buffer for other things */
        memcpy(e->exec->x.data + r * e->exec->x.ld, e->x.data + r * e->x.ld,
               (size_t)e->x.cols * sizeof(fi_real));
    fi_exec_forward(e->exec, n, row0, (uint64_t)(e->n_nodes ? 0 : member));
    if (weight == 0) return;
    e->total += weight;
    if (e->entropy) {
        m->loss->entropy(m->loss_attrs, z, e->member_entropy, NULL, NULL, 0);
        for (int64_t r = 0; r < n; r++)
            e->own_entropy[r] += weight / e->total * (e->member_entropy[r] - e->own_entropy[r]);
    }
    if (e->inference == FANIN_MC) m->loss->predict(m->loss_attrs, z, z);
    struct add a = {.e = e, .from = z, .weight = weight, .share = weight / e->total};
    fi_parallel(m->ctx, (n + ROWS_PER_TASK - 1) / ROWS_PER_TASK, 4.0 * (double)(n * z->cols),
                add_rows, &a);
}

static void take_mean(const struct fi_ensemble *e, const struct fanin_tensor *to) {
    for (int64_t r = 0; r < to->rows; r++)
        for (int64_t c = 0; c < to->cols; c++)
            to->data[r * to->ld + c] = (fi_real)e->mean[r * to->cols + c];
}

/* Entropy of the prediction, and how much of it the members do not have themselves. */
static void measure_entropy(struct fi_ensemble *e, int64_t n) {
    if (!e->entropy) return;
    e->model->loss->entropy(e->model->loss_attrs, &e->z, e->entropy, NULL, NULL, 0);
    for (int64_t r = 0; r < n; r++)
        e->information[r] =
            e->inference == FANIN_WEIGHT_SCALING ? 0 : FI_MAX(0, e->entropy[r] - e->own_entropy[r]);
}

void fi_ensemble_run(struct fi_ensemble *e, int64_t n, int64_t row0) {
    const fanin_model *m = e->model;
    e->x.rows = e->z.rows = e->p.rows = n;
    if (e->inference == FANIN_WEIGHT_SCALING) {
        fi_exec_forward(e->exec, n, row0, 0);
        m->loss->predict(m->loss_attrs, &e->z, &e->p);
        measure_entropy(e, n);
        return;
    }
    const size_t numbers = (size_t)(n * e->p.cols) * sizeof(double);
    e->total = 0;
    memset(e->mean, 0, numbers);
    if (e->squares) memset(e->squares, 0, numbers);
    if (e->entropy) memset(e->own_entropy, 0, (size_t)n * sizeof(double));
    for (int64_t k = 0; k < e->members; k++) add_member(e, n, row0, k);
    if (e->inference == FANIN_GEOMETRIC) {
        take_mean(e, &e->z);
        m->loss->predict(m->loss_attrs, &e->z, &e->p);
    } else {
        take_mean(e, &e->p);
        if (m->loss->unpredict)
            m->loss->unpredict(m->loss_attrs, &e->p, &e->z);
        else
            take_mean(e, &e->z);
    }
    measure_entropy(e, n);
}

double fi_ensemble_deviation(const struct fi_ensemble *e, int64_t row, int64_t column) {
    if (e->inference != FANIN_MC) return 0;
    return sqrt(e->squares[row * e->p.cols + column] / e->total);
}

/* ---- predictions ----------------------------------------------------------------------------------- */

/* Where the samples come from: raw numbers, or a part of some data. */
struct source {
    const float *x;
    const fanin_data *data;
    enum fanin_part part;
    int64_t first;
};

static void load(const struct fi_ensemble *e, const struct source *s, int64_t row0, int64_t n) {
    int64_t index[FI_ENSEMBLE_ROWS];
    if (!s->data) {
        fi_model_take_raw(e->model, &e->x, s->x + row0 * e->x.cols, n);
        return;
    }
    for (int64_t r = 0; r < n; r++) index[r] = s->first + row0 + r;
    fi_data_gather(s->data, s->part, index, n, e->x.data, e->x.ld);
}

static void store(const struct fi_ensemble *e, const struct fanin_prediction *out, int64_t row0,
                  int64_t n) {
    const fanin_model *m = e->model;
    const int64_t cols = e->p.cols;
    for (int64_t r = 0; r < n; r++) {
        const int64_t at = row0 + r;
        if (out->entropy) out->entropy[at] = e->entropy ? e->entropy[r] : NAN;
        if (out->information)
            out->information[at] =
                e->entropy && e->inference != FANIN_GEOMETRIC ? e->information[r] : NAN;
        for (int64_t c = 0; c < cols; c++) {
            const double p = (double)e->p.data[r * e->p.ld + c];
            if (out->p) out->p[at * cols + c] = (float)fi_model_raw_target(m, c, p);
            if (out->deviation)
                out->deviation[at * cols + c] =
                    fi_ensemble_deviation(e, r, c) /
                    (m->target_scale ? fabs((double)m->target_scale[c]) : 1);
        }
    }
}

static enum fanin_status predict(fanin_model *m, const struct source *s, int64_t n,
                                 const struct fanin_ensemble_options *o,
                                 const struct fanin_prediction *out) {
    struct fi_arena arena;
    struct fi_ensemble e;
    fi_arena_init(&arena, m->ctx);
    const bool uncertain = out->entropy || out->information || out->deviation;
    enum fanin_status status = fi_ensemble_create(&e, m, n, o, uncertain, &arena);
    for (int64_t row0 = 0; status == FANIN_OK && row0 < n; row0 += e.rows) {
        const int64_t rows = FI_MIN(e.rows, n - row0);
        load(&e, s, row0, rows);
        status = fi_model_check_indexes(m, &e.x, rows, s->first + row0);
        if (status != FANIN_OK) break;
        fi_ensemble_run(&e, rows, s->first + row0);
        store(&e, out, row0, rows);
    }
    fi_arena_free(&arena);
    return status;
}

enum fanin_status fanin_model_predict_ensemble(fanin_model *model, const float *x, int64_t n,
                                               const struct fanin_ensemble_options *options,
                                               const struct fanin_prediction *out) {
    if (n < 0 || !out || (n > 0 && !x))
        return fi_fail(model->ctx, FANIN_ERR_ARGUMENT,
                       "predict: no samples or no place for the result");
    return predict(model, &(struct source){.x = x}, n, options, out);
}

enum fanin_status fanin_model_predict_part_ensemble(fanin_model *model, const fanin_data *data,
                                                    enum fanin_part part, int64_t first, int64_t n,
                                                    const struct fanin_ensemble_options *options,
                                                    const struct fanin_prediction *out) {
    FI_TRY(fi_model_check_part(model, data, part, first, n));
    return predict(model, &(struct source){.data = data, .part = part, .first = first}, n, options,
                   out);
}
