/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a watched step is measured by, and the ledger: where loss and update come from.
 *
 * An optimizer's step is split like the gradient that enters it. With g the finished gradient of a
 * tensor, g_s the part of source s (the data, a penalty) and Δ what the optimizer did without
 * decay,
 *
 *   size_s = ‖g_s‖ ‖Δ‖ / ‖g‖,   size_decay = lr λ ‖w‖,   size_constraints = ‖what they changed‖
 *
 * which for plain gradient descent is the length of each part, lr ‖g_s‖. Over all tensors the
 * squares add; a share is a length over the sum of the lengths. Momentum is thus counted to what
 * its step's gradient comes from; where there is no gradient, to the data.
 *
 * Penalties on weights are computed by themselves. Those that the backward pass brings, on
 * predictions and on outputs, cost a backward pass each, with nothing else entering it.
 */
#include "train/watch.h"

#include <math.h>
#include <string.h>

#include "kernel/kernel.h"

/* ---- life ------------------------------------------------------------------------------------------ */

static enum fanin_status add_source(struct fi_watch *w, const char *name, const struct fi_reg *reg,
                                    int64_t grads) {
    struct fi_source *s = &w->sources[w->n_sources++];
    *s = (struct fi_source){.name = name, .reg = reg};
    if (grads > 0 && !(s->grads = fi_arena_alloc(&w->arena, grads, sizeof(fi_real))))
        return FANIN_ERR_MEMORY;
    return FANIN_OK;
}

static enum fanin_status make_sources(const fanin_trainer *t, struct fi_watch *w) {
    const int64_t size = t->model->net->param_size;
    const char *decay = NULL;
    bool constrained = false;
    FI_TRY(add_source(w, "data", NULL, 0));
    for (int i = 0; i < t->terms.n; i++) {
        const struct fi_reg *reg = t->terms.records[i];
        FI_TRY(add_source(w, reg->head.name, reg, reg->of_entropy || reg->outputs ? size : 0));
    }
    for (int i = 0; i < t->policies.n_all; i++)
        if (t->policies.all[i]->reg->decay && !decay) decay = t->policies.all[i]->reg->head.name;
    for (int i = 0; i < t->model->net->n_params; i++)
        constrained |= t->policies.params[i].constraints.n > 0;
    w->decay = decay ? w->n_sources : -1;
    if (decay) FI_TRY(add_source(w, decay, NULL, 0));
    w->constraint = constrained ? w->n_sources : -1;
    if (constrained) FI_TRY(add_source(w, "constraints", NULL, 0));
    if (constrained && !(w->updated = fi_arena_alloc(&w->arena, size, sizeof(fi_real))))
        return FANIN_ERR_MEMORY;
    return FANIN_OK;
}

/* The gradient as a whole, which a step that is not watched may not need. */
static enum fanin_status make_gradients(fanin_trainer *t) {
    if (t->grads) return FANIN_OK;
    fi_real **grads = fi_arena_alloc(&t->watch->arena, 2, sizeof *grads);
    if (!grads) return FANIN_ERR_MEMORY;
    grads[0] = fi_arena_alloc(&t->watch->arena, t->model->net->param_size, sizeof(fi_real));
    if (!grads[0]) return FANIN_ERR_MEMORY;
    t->grads = grads;
    t->n_grads = 1;
    return FANIN_OK;
}

static enum fanin_status fill(fanin_trainer *t, struct fi_watch *w) {
    const fanin_net *net = t->model->net;
    FI_TRY(fi_exec_create_run(&w->exec, t->model, t->shard_rows, FI_WATCH, &t->policies));
    w->exec->update = &t->update;
    FI_TRY(fi_measure_create(&w->measure, &w->arena, net));
    FI_TRY(make_sources(t, w));
    w->before = fi_arena_alloc(&w->arena, net->param_size, sizeof(fi_real));
    w->work = fi_arena_alloc(&w->arena, net->param_size, sizeof(fi_real));
    w->params = fi_arena_alloc(&w->arena, net->n_params, sizeof *w->params);
    w->ratios = fi_arena_alloc(&w->arena, net->n_params, sizeof *w->ratios);
    w->tied = fi_arena_alloc(&w->arena, net->n_nodes, sizeof *w->tied);
    if (!w->before || !w->work || !w->params || !w->tied || !w->ratios) return FANIN_ERR_MEMORY;
    return make_gradients(t);
}

enum fanin_status fi_watch_create(fanin_trainer *t) {
    if (t->watch) return FANIN_OK;
    struct fi_watch *w = fi_alloc(t->ctx, 1, sizeof *w);
    if (!w) return FANIN_ERR_MEMORY;
    fi_arena_init(&w->arena, t->ctx);
    fi_arena_init(&w->tied_arena, t->ctx);
    t->watch = w;
    const enum fanin_status status = fill(t, w);
    if (status != FANIN_OK) fi_watch_free(t);
    return status;
}

void fi_watch_free(fanin_trainer *t) {
    struct fi_watch *w = t->watch;
    if (!w) return;
    fi_exec_free(w->exec);
    fi_arena_free(&w->tied_arena);
    fi_arena_free(&w->arena);
    fi_free(t->ctx, w);
    t->watch = NULL;
}

/* ---- the step -------------------------------------------------------------------------------------- */

/* Units that no step can part. The guard's answer takes memory, and is asked for only where some
 * units have equal weights: a run that was allowed to start so. */
static void find_tied(fanin_trainer *t, struct fi_watch *w) {
    struct fi_symmetry symmetry;
    fi_measure_weights(&w->measure, t->ctx, t->model->params);
    memset(w->tied, 0, (size_t)t->model->net->n_nodes * sizeof *w->tied);
    w->tied_units = NULL;
    if (!w->measure.equal_rows) return;
    fi_arena_free(&w->tied_arena);
    fi_arena_init(&w->tied_arena, t->ctx);
    if (fi_symmetry(&w->tied_arena, t->model, &t->policies, t->update.noise > 0, &symmetry) !=
        FANIN_OK)
        return;
    w->tied_units = symmetry.tied;
    for (int i = 0; i < t->model->net->n_nodes; i++)
        for (int64_t u = 0; u < t->model->net->nodes[i].shape.cols; u++)
            if (symmetry.tied[i][u]) fi_few_add(&w->tied[i], u);
}

void fi_watch_begin(fanin_trainer *t, int64_t rows) {
    struct fi_watch *w = t->watch;
    const size_t bytes = (size_t)t->model->net->param_size * sizeof(fi_real);
    w->trained = t->exec;
    t->exec = w->exec;
    t->watching = true;
    memcpy(w->before, t->model->params, bytes);
    memset(w->params, 0, (size_t)t->model->net->n_params * sizeof *w->params);
    for (int k = 0; k < w->n_sources; k++) {
        struct fi_source *s = &w->sources[k];
        s->loss = s->update = s->before = 0;
        if (s->grads) memset(s->grads, 0, bytes);
    }
    for (int i = 0; i < t->terms.n; i++) {
        w->sources[1 + i].before = t->sums.terms[i];
        w->sources[1 + i].loss = fi_term_value(t, i);
    }
    w->data = w->entropy = 0;
    w->lr = t->update.step.lr;
    find_tied(t, w);
    fi_measure_begin(&w->measure, rows);
}

/* A backward pass into which nothing enters but one penalty. */
static void pass_alone(fanin_trainer *t, struct fi_source *s, int64_t rows, fi_real scale) {
    struct fi_exec *e = t->exec;
    const int result = fi_net_result(t->model->net);
    const struct fanin_tensor *dz = &e->dy[result];
    fi_real *grads = t->update.grads;
    memset(dz->data, 0, (size_t)(rows * dz->ld) * sizeof *dz->data);
    if (s->reg->of_entropy) (void)fi_entropy_terms(t, s->reg, &e->y[result], dz, rows, scale);
    e->only = s->reg;
    t->update.grads = s->grads;
    t->update.accumulate = true;
    fi_exec_backward(e);
    e->only = NULL;
    t->update.grads = grads;
    t->update.accumulate = false;
}

void fi_watch_shard(fanin_trainer *t, int64_t rows, double data, fi_real scale) {
    struct fi_watch *w = t->watch;
    const struct fi_loss *loss = t->model->loss;
    w->data += data;
    fi_measure_add(&w->measure, t->exec);
    if (loss->entropy) {
        loss->entropy(t->model->loss_attrs, &t->exec->y[fi_net_result(t->model->net)], t->h, NULL,
                      NULL, 0);
        for (int64_t r = 0; r < rows; r++) w->entropy += t->h[r];
    }
    for (int k = 0; k < w->n_sources; k++)
        if (w->sources[k].grads) pass_alone(t, &w->sources[k], rows, scale);
}

/* ---- gradients ------------------------------------------------------------------------------------- */

/* The gradient that a penalty on weights adds to numbers at .. at+n of a tensor: its square. */
static double penalty_squares(const fanin_trainer *t, const struct fi_penalty *penalty,
                              const struct fi_param *p, int64_t at, int64_t n) {
    const fi_real *w = t->model->params + p->offset;
    fi_real *g = t->watch->work;
    memset(g, 0, (size_t)p->size * sizeof *g);
    if (penalty->reg->whole)
        (void)penalty->reg->whole->run(t->ctx, penalty->attrs, penalty->factor, p->out, p->in, w, g,
                                       t->terms.work);
    else if (penalty->reg->gradient)
        penalty->reg->gradient(penalty->attrs, penalty->factor, w + at, g, n);
    return t->ctx->kernels->sum_squares(g, n);
}

/* The next run of numbers of a tensor that the step changes: all of it; of a table, a row that some
 * sample used. *at begins at 0. */
static bool next_run(const struct fi_param *p, const fi_real *g, int64_t *at, int64_t *n) {
    if (!p->spec.table) {
        *n = p->size;
        return *at == 0;
    }
    *n = p->spec.dims[1];
    for (; *at + *n <= p->count; *at += *n)
        for (int64_t c = 0; c < *n; c++)
            if (g[*at + c] != 0) return true;
    return false;
}

static double data_squares(const fanin_trainer *t, const struct fi_param *p) {
    const struct fi_watch *w = t->watch;
    const fi_real *g = t->grads[0] + p->offset;
    double sum = 0;
    bool alone = true;
    for (int k = 0; k < w->n_sources; k++) alone &= !w->sources[k].grads;
    if (alone) return t->ctx->kernels->sum_squares(g, p->size);
    for (int64_t i = 0; i < p->size; i++) {
        double rest = (double)g[i];
        for (int k = 0; k < w->n_sources; k++)
            if (w->sources[k].grads) rest -= (double)w->sources[k].grads[p->offset + i];
        sum += rest * rest;
    }
    return sum;
}

void fi_watch_gradient(fanin_trainer *t) {
    struct fi_watch *w = t->watch;
    double norm = 0;
    for (int i = 0; i < t->model->net->n_params; i++) {
        const struct fi_param *p = &t->model->net->params[i];
        const struct fi_policy *policy = &t->policies.params[i];
        struct fi_watched_param *to = &w->params[i];
        to->rms = fi_measure_rms(t->ctx, p, w->before);
        if (!policy->updates) continue;
        to->grad = fi_measure_rms(t->ctx, p, t->grads[0]);
        norm += to->grad * to->grad * (double)p->count;
        to->size[0] = sqrt(data_squares(t, p));
        for (int k = 1; k < w->n_sources; k++) {
            const struct fi_source *s = &w->sources[k];
            double squares = 0;
            if (s->grads) squares = t->ctx->kernels->sum_squares(s->grads + p->offset, p->size);
            for (int j = 0; s->reg && j < policy->penalties.n; j++) {
                if (policy->penalties.items[j]->reg != s->reg) continue;
                for (int64_t at = 0, n; next_run(p, t->grads[0] + p->offset, &at, &n); at += n)
                    squares += penalty_squares(t, policy->penalties.items[j], p, at, n);
            }
            to->size[k] = sqrt(squares);
        }
    }
    w->grad_norm = sqrt(norm);
}

void fi_watch_finished(fanin_trainer *t) {
    for (int i = 0; i < t->model->net->n_params; i++) {
        const struct fi_param *p = &t->model->net->params[i];
        if (t->policies.params[i].updates)
            t->watch->params[i].total =
                sqrt(t->ctx->kernels->sum_squares(t->grads[0] + p->offset, p->size));
    }
}

/* ---- the update ------------------------------------------------------------------------------------ */

void fi_watch_updated(fanin_trainer *t) {
    struct fi_watch *w = t->watch;
    const fi_real *params = t->model->params;
    for (int i = 0; i < t->model->net->n_params; i++) {
        const struct fi_param *p = &t->model->net->params[i];
        const struct fi_policy *policy = &t->policies.params[i];
        struct fi_watched_param *to = &w->params[i];
        const double decay = t->update.step.lr * policy->lr * policy->decay;
        double step = 0, kept = 0;
        if (!policy->updates) continue;
        for (int64_t at = 0, n; next_run(p, t->grads[0] + p->offset, &at, &n); at += n) {
            struct fi_measured_move moved;
            fi_measure_move(w->before + p->offset + at, params + p->offset + at, n, decay, &moved);
            step += moved.step;
            kept += t->ctx->kernels->sum_squares(w->before + p->offset + at, n);
        }
        for (int k = 0; k < w->n_sources; k++)
            to->size[k] = to->total > 0 ? to->size[k] * sqrt(step) / to->total : 0;
        if (!(to->total > 0)) to->size[0] = sqrt(step);
        if (w->decay >= 0) to->size[w->decay] = decay * sqrt(kept);
    }
    if (w->updated) memcpy(w->updated, params, (size_t)t->model->net->param_size * sizeof *params);
}

static void settle(fanin_trainer *t, struct fi_watch *w) {
    const double weight = t->weight > 0 ? t->weight : INFINITY;
    for (int i = 0; i < t->model->net->n_params; i++) {
        const struct fi_param *p = &t->model->net->params[i];
        const fi_real *now = t->model->params + p->offset;
        struct fi_watched_param *to = &w->params[i];
        struct fi_measured_move moved;
        if (!t->policies.params[i].updates) continue;
        fi_measure_move(w->before + p->offset, now, p->size, 0, &moved);
        to->update = sqrt(moved.all / (double)p->count);
        w->ratios[i] = to->rms > 0 ? to->update / to->rms : 0;
        if (w->constraint >= 0) {
            fi_measure_move(w->updated + p->offset, now, p->size, 0, &moved);
            to->size[w->constraint] = sqrt(moved.all);
        }
        for (int k = 0; k < w->n_sources; k++) w->sources[k].update += to->size[k] * to->size[k];
    }
    w->loss = w->sources[0].loss = w->data / weight;
    for (int k = 0; k < w->n_sources; k++) {
        struct fi_source *s = &w->sources[k];
        s->update = sqrt(s->update);
        if (k == 0 || k > t->terms.n) continue;
        s->loss += (t->sums.terms[k - 1] - s->before) / weight;
        w->loss += s->loss;
    }
    w->entropy = t->model->loss->entropy ? w->entropy / (double)w->measure.seen : NAN;
}

void fi_watch_end(fanin_trainer *t, enum fanin_status status) {
    struct fi_watch *w = t->watch;
    if (status == FANIN_OK) {
        settle(t, w);
        w->step = w->last = t->t + 1;
    }
    t->exec = w->trained;
    t->watching = false;
}
