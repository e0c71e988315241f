/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What becomes of a gradient, in one order for all paths:
 *
 *   gradient of the loss -> rounding noise -> penalties on weights -> clip by value -> (clip by
 *   norm) -> optimizer step with decoupled decay -> constraints
 *
 * Where nothing needs the whole gradient, all of it happens to each finished tile while it is in
 * cache; otherwise ranges are collected, finished and applied in fixed chunks.
 *
 * Of a table (spec.table) only the rows whose gradient is not 0 everywhere take part, on both ways:
 * the others are left as they are, also by penalties, decay and momentum.
 */
#include <string.h>

#include "graph/exec.h"
#include "graph/graph.h"
#include "graph/step.h"
#include "kernel/kernel.h"

/* Numbers handled at a time when a whole buffer is walked. */
#define CHUNK 4096
#define FIRST 1024 /* of them, where the state of the optimizer is made for each */

void fi_update_prepare(const struct fi_update *u, const fanin_net *net,
                       struct fi_policy *policies) {
    for (int i = 0; i < net->n_params; i++) {
        struct fi_policy *p = &policies[i];
        p->by_rows = net->params[i].spec.table;
        p->as_is = !p->added && !(u->noise > 0) && !(u->clip_value > 0);
        for (int k = 0; k < p->penalties.n; k++)
            if (p->penalties.items[k]->reg->gradient) p->as_is = false;
    }
}

typedef void part_fn(const struct fi_exec *e, const struct fi_update *u, int index, int64_t offset,
                     int64_t n, fi_real *g);

static void finish_gradient(const struct fi_exec *e, const struct fi_update *u, int index,
                            int64_t offset, int64_t n, fi_real *g) {
    const struct fi_policy *p = &u->policies[index];
    if (u->noise > 0)
        e->model->ctx->kernels->rounding_noise(g, n, (fi_real)u->noise, u->noise_keys[index],
                                               (uint64_t)u->step.t, offset);
    for (int i = 0; i < p->penalties.n; i++) {
        const struct fi_penalty *penalty = p->penalties.items[i];
        if (penalty->reg->gradient)
            penalty->reg->gradient(penalty->attrs, penalty->factor, e->views[index].w + offset, g,
                                   n);
    }
    if (p->added) e->model->ctx->kernels->add(g, p->added + offset, n);
    if (u->clip_value > 0) e->model->ctx->kernels->clip(g, (fi_real)u->clip_value, n);
}

static inline void apply_with(const struct fi_exec *e, const struct fi_update *u, int index,
                              int64_t at, int64_t n, fi_real *g, fi_real *const *state) {
    const struct fi_policy *p = &u->policies[index];
    const struct fi_optim_step *step = &u->step;
    struct fi_optim_step own;
    if (p->lr != 1) {
        own = *step;
        own.lr *= p->lr;
        step = &own;
    }
    u->optim->update(step, (fi_real)p->decay, e->model->params + at, g, state, n);
}

static inline void apply(const struct fi_exec *e, const struct fi_update *u, int index,
                         int64_t offset, int64_t n, fi_real *g) {
    const int64_t at = e->model->net->params[index].offset + offset;
    fi_real *state[3] = {0};
    for (int i = 0; i < u->n_states; i++) state[i] = u->state[i] + at;
    apply_with(e, u, index, at, n, g, state);
}

/* As apply() where the state is what a run begins with, 0, and nobody asks for it afterwards. */
static void apply_first(const struct fi_exec *e, const struct fi_update *u, int index,
                        int64_t offset, int64_t n, fi_real *g) {
    const int64_t at = e->model->net->params[index].offset + offset;
    for (int64_t i = 0; i < n; i += FIRST) {
        _Alignas(FI_ALIGN) fi_real zero[3][FIRST] = {{0}};
        fi_real *const state[3] = {zero[0], zero[1], zero[2]};
        apply_with(e, u, index, at + i, FI_MIN(FIRST, n - i), g + i, state);
    }
}

static void finish_and_apply(const struct fi_exec *e, const struct fi_update *u, int index,
                             int64_t offset, int64_t n, fi_real *g) {
    if (!u->policies[index].as_is) finish_gradient(e, u, index, offset, n, g);
    apply(e, u, index, offset, n, g);
}

/* Rows of a table that are touched, else the whole range. */
static void each_part(const struct fi_exec *e, const struct fi_update *u, int index, int64_t offset,
                      int64_t n, fi_real *g, part_fn *part) {
    const struct fanin_param_spec *spec = &e->model->net->params[index].spec;
    if (!spec->table) {
        part(e, u, index, offset, n, g);
        return;
    }
    for (int64_t at = 0; at < n; at += spec->dims[1]) {
        const int64_t width = FI_MIN(spec->dims[1], n - at);
        bool touched = false;
        for (int64_t c = 0; c < width; c++) touched |= g[at + c] != 0;
        if (touched) part(e, u, index, offset + at, width, g + at);
    }
}

void fi_emit_range(const struct fanin_step *s, int param, int64_t offset, int64_t n, fi_real *g) {
    const struct fi_step_extra *extra = s->internal;
    const struct fi_exec *e = extra->exec;
    const struct fi_update *u = e->update;
    const int index = s->params[param].index;
    const struct fi_policy *policy = u->policies ? &u->policies[index] : NULL;
    if (policy ? !policy->updates : !e->model->net->params[index].spec.trainable) return;
    if (u->grads) {
        fi_real *to = u->grads + (s->params[param].w - e->model->params) + offset;
        if (u->accumulate)
            e->model->ctx->kernels->add(to, g, n);
        else
            memcpy(to, g, (size_t)n * sizeof(*g));
        return;
    }
    if (!policy) return; /* without policies ranges are only collected */
    if (policy->by_rows)
        each_part(e, u, index, offset, n, g, finish_and_apply);
    else
        finish_and_apply(e, u, index, offset, n, g);
}

void fi_step_touched(const struct fanin_step *s, int param, struct fi_touched *out) {
    const struct fi_step_extra *extra = s->internal;
    const struct fi_update *u = extra->exec->update;
    const int64_t at = s->params[param].w - extra->exec->model->params;
    out->n = 0;
    if (u->grads) {
        out->arrays[out->n++] = u->grads + at;
        return;
    }
    out->arrays[out->n++] = s->params[param].w;
    for (int i = 0; i < u->n_states; i++) out->arrays[out->n++] = u->state[i] + at;
}

void fi_emit_begin(const struct fi_exec *e) {
    const struct fi_update *u = e->update;
    if (!u->grads || u->accumulate) return;
    for (int i = 0; i < e->model->net->n_params; i++) {
        const struct fi_param *p = &e->model->net->params[i];
        if (p->spec.table) memset(u->grads + p->offset, 0, (size_t)p->size * sizeof(*u->grads));
    }
}

struct walk {
    const struct fi_exec *exec;
    const struct fi_update *update;
    fi_real *grads;
    int index;
    int64_t chunk; /* numbers handled at a time; whole rows of a table */
    part_fn *part;
};

static void walk_task(void *arg, int64_t i) {
    const struct walk *w = arg;
    const struct fi_param *p = &w->exec->model->net->params[w->index];
    const int64_t offset = i * w->chunk, n = FI_MIN(w->chunk, p->size - offset);
    fi_real *g = w->grads + p->offset + offset;
    each_part(w->exec, w->update, w->index, offset, n, g, w->part);
}

static void walk_param(const struct fi_exec *e, const struct fi_update *u, int index,
                       fi_real *grads, part_fn *part) {
    const struct fi_param *p = &e->model->net->params[index];
    const int64_t width = p->spec.table ? p->spec.dims[1] : 1;
    struct walk w = {.exec = e,
                     .update = u,
                     .grads = grads,
                     .index = index,
                     .chunk = FI_MAX(1, CHUNK / width) * width,
                     .part = part};
    if (u->policies[index].updates)
        fi_parallel(e->model->ctx, (p->size + w.chunk - 1) / w.chunk, 10.0 * (double)p->size,
                    walk_task, &w);
}

static void walk(const struct fi_exec *e, const struct fi_update *u, fi_real *grads,
                 part_fn *part) {
    for (int i = 0; i < e->model->net->n_params; i++) walk_param(e, u, i, grads, part);
}

void fi_update_finish_gradient(const struct fi_exec *e, const struct fi_update *u, fi_real *grads) {
    bool changes = false;
    for (int i = 0; i < e->model->net->n_params; i++) changes |= !u->policies[i].as_is;
    if (changes) walk(e, u, grads, finish_gradient);
}

/* ---- constraints ----------------------------------------------------------------------------------- */

struct constrain {
    const struct fi_constraints *list;
    const struct fi_param *param;
    fi_real *w;
};

/* A panel of units; of a table kept row by row, one row; of a vector, each number is a unit. */
static void constrain_task(void *arg, int64_t task) {
    const struct constrain *c = arg;
    const struct fi_param *p = c->param;
    const bool rows = p->spec.layout == FANIN_LAYOUT_VECTOR && p->spec.rank > 1;
    int64_t lanes = FI_MIN(FI_PANEL, p->out - task * FI_PANEL), n = p->in;
    int64_t step = fi_panel_width(p->out, task);
    fi_real *w = c->w + task * FI_PANEL * p->in;
    if (rows) {
        n = p->count / p->spec.dims[0];
        lanes = step = 1;
        w = c->w + task * n;
    }
    for (int i = 0; i < c->list->n; i++) {
        const struct fi_constraint *constraint =
            (const struct fi_constraint *)(const void *)c->list->items[i].record;
        constraint->units(c->list->items[i].attrs, w, lanes, n, step);
    }
}

static void constrain_param(const struct fi_exec *e, const struct fi_update *u, int index) {
    const struct fi_param *p = &e->model->net->params[index];
    struct constrain c = {
        .list = &u->policies[index].constraints, .param = p, .w = e->model->params + p->offset};
    const bool rows = p->spec.layout == FANIN_LAYOUT_VECTOR && p->spec.rank > 1;
    if (c.list->n > 0)
        fi_parallel(e->model->ctx, rows ? p->spec.dims[0] : fi_panels(p->out),
                    4.0 * (double)p->size, constrain_task, &c);
}

void fi_update_constrain(const struct fi_exec *e, const struct fi_update *u) {
    for (int i = 0; i < e->model->net->n_params; i++) constrain_param(e, u, i);
}

void fi_update_apply(const struct fi_exec *e, const struct fi_update *u, fi_real *grads) {
    walk(e, u, grads, apply);
}

void fi_update_first(const struct fi_exec *e, const struct fi_update *u, int param,
                     fi_real *grads) {
    walk_param(e, u, param, grads, apply_first);
    constrain_param(e, u, param);
}
