/* SPDX-License-Identifier: Apache-2.0 */
#include "check/predict.h"

#include "graph/signal.h"

#include <string.h>

#include "kernel/kernel.h"
#include "kernel/math.h"

#define DRAWS 16 /* of the result, to begin the gradient */

struct walk {
    struct fi_arena *arena;
    struct fi_prediction *out;
    const struct fi_predict_source *source;
    const fanin_net *net;
    int64_t n;
    double *scratch; /* 4 n² */
    struct fi_gram *gram;
    bool *random; /* per node: a weight or noise lies at or before it */
};

/* ---- measuring ------------------------------------------------------------------------------------- */

void fi_measure_signal(const struct fanin_tensor *y, int64_t n, double *mean, double *cov) {
    const double share = 1 / (double)y->cols;
    for (int64_t a = 0; a < n; a++) {
        const fi_real *row = y->data + a * y->ld;
        double sum = 0;
        for (int64_t i = 0; i < y->cols; i++) sum += (double)row[i];
        mean[a] = sum * share;
        for (int64_t b = 0; b <= a; b++) {
            const fi_real *other = y->data + b * y->ld;
            double product = 0;
            for (int64_t i = 0; i < y->cols; i++) product += (double)row[i] * (double)other[i];
            cov[a * n + b] = cov[b * n + a] = product * share - mean[a] * mean[b];
        }
    }
}

/* ---- forward --------------------------------------------------------------------------------------- */

static struct fanin_signal_step step_of(const struct walk *w, int node) {
    const struct fi_node *here = &w->net->nodes[node];
    struct fanin_signal_step s = {.attrs = here->attrs,
                                  .n_in = here->n_in,
                                  .y = &w->out->nodes[node].signal,
                                  .units_out = here->shape.cols,
                                  .params = w->out->params + here->first_param,
                                  .scratch = w->scratch};
    for (int k = 0; k < here->n_in; k++) {
        s.x[k] = &w->out->nodes[here->inputs[k]].signal;
        s.units_in[k] = w->net->nodes[here->inputs[k]].shape.cols;
    }
    return s;
}

static bool has_weights(const fanin_net *net, const struct fi_node *node) {
    for (int i = 0; i < node->n_params; i++)
        if (net->params[node->first_param + i].spec.weight) return true;
    return false;
}

/* Before the first weight or noise everything is the data's: nothing is to predict. */
static bool is_random(const struct walk *w, const struct fi_node *node) {
    bool random = node->op && (has_weights(w->net, node) || node->op->flags & FANIN_OP_STOCHASTIC);
    for (int k = 0; k < node->n_in; k++) random |= w->random[node->inputs[k]];
    return random;
}

static enum fanin_status forward_node(const struct walk *w, int node) {
    const struct fi_node *here = &w->net->nodes[node];
    struct fi_node_law *law = &w->out->nodes[node];
    if (w->random[node] && (here->op->signal || here->op->second_moment)) {
        const struct fanin_signal_step s = step_of(w, node);
        if (here->op->signal)
            here->op->signal(&s);
        else
            fi_signal_noise(&s, here->op->second_moment(here->attrs) - 1);
    } else if (w->random[node] && here->op->curve) {
        const struct fi_activation f = {.curve = here->op->curve, .attrs = here->attrs};
        law->slopes = fi_arena_alloc(w->arena, w->n * w->n, sizeof(double));
        if (!law->slopes) return FANIN_ERR_MEMORY;
        FI_TRY(fi_gram_activate(w->arena, w->gram, &f, &w->out->nodes[here->inputs[0]].signal,
                                &law->signal, law->slopes));
    } else {
        law->measured = true;
        fi_measure_signal(&w->source->exec->y[node], w->n, law->signal.mean, law->signal.cov);
    }
    return FANIN_OK;
}

/* ---- the loss -------------------------------------------------------------------------------------- */

/* lower · lowerᵀ = cov; what rounding makes negative counts as 0. */
static void cholesky(double *lower, const double *cov, int64_t n) {
    double largest = 0;
    for (int64_t a = 0; a < n; a++) largest = FI_MAX(largest, cov[a * n + a]);
    for (int64_t a = 0; a < n; a++)
        for (int64_t b = 0; b <= a; b++) {
            double sum = cov[a * n + b];
            for (int64_t k = 0; k < b; k++) sum -= lower[a * n + k] * lower[b * n + k];
            if (a == b)
                lower[a * n + a] = sum > 1e-12 * largest ? sqrt(sum) : 0;
            else
                lower[a * n + b] = lower[b * n + b] > 0 ? sum / lower[b * n + b] : 0;
        }
}

/* One draw of the result: every unit is an independent normal vector over the samples. */
static void draw_result(const struct walk *w, const struct fanin_signal *law, const double *lower,
                        uint64_t draw, const struct fanin_tensor *z) {
    const uint64_t key = fi_key(draw, "predict", "result");
    double *unit = w->scratch + w->n * w->n;
    for (int64_t c = 0; c < z->cols; c++) {
        for (int64_t a = 0; a < w->n; a++) {
            uint32_t words[4];
            double sine, cosine;
            fi_philox(key, (uint64_t)c, (uint64_t)a, words);
            fi_sincos2pi(fi_uniform53(words[0], words[1]), &sine, &cosine);
            unit[a] = cosine * sqrt(-2 * fi_log(1 - fi_uniform53(words[2], words[3])));
        }
        for (int64_t a = 0; a < w->n; a++) {
            double sum = law->mean[a];
            for (int64_t k = 0; k <= a; k++) sum += lower[a * w->n + k] * unit[k];
            z->data[a * z->ld + c] = (fi_real)sum;
        }
    }
}

static enum fanin_status begin_gradient(const struct walk *w, int result) {
    const struct fanin_signal *law = &w->out->nodes[result].signal;
    const int64_t cols = w->net->nodes[result].shape.cols, n = w->n;
    struct fanin_tensor z = {.rows = n, .cols = cols, .ld = fi_row_stride(cols)}, dz = z;
    z.data = fi_arena_alloc(w->arena, n * z.ld, sizeof(fi_real));
    dz.data = fi_arena_alloc(w->arena, n * z.ld, sizeof(fi_real));
    if (!z.data || !dz.data) return FANIN_ERR_MEMORY;
    cholesky(w->scratch, law->cov, n);
    for (int draw = 0; draw < DRAWS; draw++) {
        draw_result(w, law, w->scratch, (uint64_t)draw, &z);
        w->source->loss(w->source->arg, &z, &dz);
        for (int64_t a = 0; a < n; a++)
            for (int64_t b = 0; b < n; b++) {
                double sum = 0;
                for (int64_t c = 0; c < cols; c++)
                    sum += (double)dz.data[a * dz.ld + c] * (double)dz.data[b * dz.ld + c];
                law->grad[a * n + b] += sum / (double)(cols * DRAWS);
            }
    }
    w->out->nodes[result].gradient = true;
    return FANIN_OK;
}

/* ---- backward -------------------------------------------------------------------------------------- */

static double mean_diagonal(const double *m, int64_t n) {
    double sum = 0;
    for (int64_t a = 0; a < n; a++) sum += m[a * n + a];
    return sum / (double)n;
}

/* Weights that are all the same number sum what stands behind them. At the loss that sum is no sum
 * of many independent terms: those of a softmax are p - y, which add up to 0. */
static bool sums_result(const struct walk *w, int node) {
    const struct fi_node *here = &w->net->nodes[node];
    if (node != fi_net_result(w->net)) return false;
    for (int k = here->first_param; k < here->first_param + here->n_params; k++) {
        const struct fanin_param_law *law = &w->out->params[k];
        if (w->net->params[k].spec.weight && law->mean != 0 && law->var == 0) return true;
    }
    return false;
}

static void backward_node(const struct walk *w, int node) {
    const struct fi_node *here = &w->net->nodes[node];
    struct fi_node_law *law = &w->out->nodes[node];
    const bool hook = here->op && here->op->signal_back;
    const bool noise = here->op && here->op->second_moment && !hook;
    if (!law->gradient || !(hook || noise || law->slopes)) return;
    struct fi_node_law *input = &w->out->nodes[here->inputs[0]];
    const double before = mean_diagonal(input->signal.grad, w->n);
    const struct fanin_signal_step s = step_of(w, node);
    if (hook) {
        here->op->signal_back(&s);
    } else if (noise) {
        fi_signal_noise_back(&s, here->op->second_moment(here->attrs) - 1);
    } else {
        for (int64_t i = 0; i < w->n * w->n; i++)
            input->signal.grad[i] += law->slopes[i] * law->signal.grad[i];
    }
    if (sums_result(w, node)) {
        memset(input->signal.grad, 0, (size_t)(w->n * w->n) * sizeof *input->signal.grad);
        return;
    }
    for (int k = 0; k < here->n_in; k++) w->out->nodes[here->inputs[k]].gradient = true;
    law->chi =
        (mean_diagonal(input->signal.grad, w->n) - before) / mean_diagonal(law->signal.grad, w->n);
}

/* ---- parameters ------------------------------------------------------------------------------------ */

/* What the initializer promises; of a trained or filled tensor, what it holds. */
static void param_law(const fanin_model *model, const struct fi_param *p,
                      struct fanin_param_law *out) {
    const fi_real *numbers = model->params + p->offset;
    double sum = 0, squares = 0;
    out->grad = NAN;
    if (p->init.record && !p->imported && isfinite(p->std)) {
        out->mean = p->mean;
        out->var = p->std * p->std;
        return;
    }
    /* what pads a layout is 0 */
    for (int64_t i = 0; i < p->size; i++) {
        sum += (double)numbers[i];
        squares += (double)numbers[i] * (double)numbers[i];
    }
    out->mean = sum / (double)p->count;
    out->var = FI_MAX(0, squares / (double)p->count - out->mean * out->mean);
}

enum fanin_status fi_predict_params(struct fi_arena *arena, struct fi_prediction *out,
                                    const fanin_model *model) {
    const fanin_net *net = model->net;
    *out = (struct fi_prediction){0};
    out->params = fi_arena_alloc(arena, net->n_params, sizeof *out->params);
    if (!out->params) return FANIN_ERR_MEMORY;
    for (int i = 0; i < net->n_params; i++) param_law(model, &net->params[i], &out->params[i]);
    return FANIN_OK;
}

enum fanin_status fi_predict(struct fi_arena *arena, struct fi_prediction *out,
                             const struct fi_predict_source *source) {
    const fanin_net *net = source->model->net;
    const int64_t n = source->rows;
    struct fi_gram gram = {0};
    struct walk w = {
        .arena = arena, .out = out, .source = source, .net = net, .n = n, .gram = &gram};
    FI_TRY(fi_predict_params(arena, out, source->model));
    out->n = n;
    out->nodes = fi_arena_alloc(arena, net->n_nodes, sizeof *out->nodes);
    w.scratch = fi_arena_alloc(arena, 4 * n * n, sizeof(double));
    w.random = fi_arena_alloc(arena, net->n_nodes, sizeof(bool));
    if (!out->nodes || !w.scratch || !w.random) return FANIN_ERR_MEMORY;
    for (int i = 0; i < net->n_nodes; i++) {
        struct fanin_signal *s = &out->nodes[i].signal;
        s->n = (int)n;
        s->mean = fi_arena_alloc(arena, n, sizeof(double));
        s->cov = fi_arena_alloc(arena, n * n, sizeof(double));
        s->grad = fi_arena_alloc(arena, n * n, sizeof(double));
        if (!s->mean || !s->cov || !s->grad) return FANIN_ERR_MEMORY;
        out->nodes[i].chi = NAN;
        w.random[i] = is_random(&w, &net->nodes[i]);
        FI_TRY(forward_node(&w, i));
    }
    const int result = fi_net_result(net);
    FI_TRY(begin_gradient(&w, result));
    for (int i = result; i >= 0; i--) backward_node(&w, i);
    return FANIN_OK;
}

/* ---- as figures -------------------------------------------------------------------------------------- */

void fi_predicted_node(struct fanin_check_figures *out, const struct fi_node_law *law) {
    const struct fanin_signal *s = &law->signal;
    const int64_t n = s->n;
    double pairs = 0;
    *out = (struct fanin_check_figures){.grad = law->gradient ? 0 : NAN};
    for (int64_t a = 0; a < n; a++) {
        const double q = s->cov[a * n + a] + s->mean[a] * s->mean[a];
        out->mean += s->mean[a] / (double)n;
        out->second += q / (double)n;
        if (law->gradient) out->grad += s->grad[a * n + a] * (double)n;
        for (int64_t b = 0; b < a; b++) {
            const double other = s->cov[b * n + b] + s->mean[b] * s->mean[b];
            const double both = s->cov[a * n + b] + s->mean[a] * s->mean[b];
            if (q > 0 && other > 0) pairs += both / sqrt(q * other);
        }
    }
    out->cosine = n > 1 ? 2 * pairs / ((double)n * (double)(n - 1)) : NAN;
}
