/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What becomes of a gradient, in one order for all paths:
 *
 *   gradient of the loss -> rounding noise -> penalties on weights -> clip by value -> (clip by
 *   norm) -> optimizer step with decoupled decay -> constraints
 *
 * Where nothing needs the whole gradient, all of it happens to each finished tile while it is in
 * cache; otherwise ranges are collected, finished and applied in fixed chunks.
 */
#include <string.h>

#include "graph/exec.h"
#include "graph/graph.h"
#include "kernel/kernel.h"

/* Numbers handled at a time when a whole buffer is walked. */
#define CHUNK 4096

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

static void apply(const struct fi_exec *e, const struct fi_update *u, int index, int64_t offset,
                  int64_t n, const fi_real *g) {
    const struct fi_policy *p = &u->policies[index];
    const int64_t at = e->model->net->params[index].offset + offset;
    const struct fi_optim_step *step = &u->step;
    struct fi_optim_step own;
    fi_real *state[3] = {0};
    for (int i = 0; i < u->optim->n_states; i++) state[i] = u->state[i] + at;
    if (p->lr != 1) {
        own = *step;
        own.lr *= p->lr;
        step = &own;
    }
    u->optim->update(step, (fi_real)p->decay, e->model->params + at, g, state, n);
}

void fi_emit_range(const struct fanin_step *s, int param, int64_t offset, int64_t n, fi_real *g) {
    const struct fi_step_extra *extra = s->internal;
    const struct fi_exec *e = extra->exec;
    const struct fi_update *u = e->update;
    const int index = s->params[param].index;
    const struct fi_param *p = &e->model->net->params[index];
    if (u->policies ? !u->policies[index].updates : !p->spec.trainable) return;
    if (u->grads) {
        fi_real *to = u->grads + p->offset + offset;
        if (u->accumulate)
            e->model->ctx->kernels->add(to, g, n);
        else
            memcpy(to, g, (size_t)n * sizeof(*g));
        return;
    }
    finish_gradient(e, u, index, offset, n, g);
    apply(e, u, index, offset, n, g);
}

struct walk {
    const struct fi_exec *exec;
    const struct fi_update *update;
    fi_real *grads;
    int index;
    bool finish;
};

static void walk_task(void *arg, int64_t i) {
    const struct walk *w = arg;
    const struct fi_param *p = &w->exec->model->net->params[w->index];
    const int64_t offset = i * CHUNK, n = FI_MIN(CHUNK, p->size - offset);
    fi_real *g = w->grads + p->offset + offset;
    if (w->finish)
        finish_gradient(w->exec, w->update, w->index, offset, n, g);
    else
        apply(w->exec, w->update, w->index, offset, n, g);
}

static void walk(const struct fi_exec *e, const struct fi_update *u, fi_real *grads, bool finish) {
    for (int i = 0; i < e->model->net->n_params; i++) {
        const struct fi_param *p = &e->model->net->params[i];
        struct walk w = {.exec = e, .update = u, .grads = grads, .index = i, .finish = finish};
        if (u->policies[i].updates)
            fi_parallel(e->model->ctx, (p->size + CHUNK - 1) / CHUNK, 10.0 * (double)p->size,
                        walk_task, &w);
    }
}

void fi_update_finish_gradient(const struct fi_exec *e, const struct fi_update *u, fi_real *grads) {
    bool changes = u->noise > 0 || u->clip_value > 0;
    for (int i = 0; i < e->model->net->n_params; i++) changes |= u->policies[i].penalties.n > 0;
    if (changes) walk(e, u, grads, true);
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

void fi_update_constrain(const struct fi_exec *e, const struct fi_update *u) {
    for (int i = 0; i < e->model->net->n_params; i++) {
        const struct fi_param *p = &e->model->net->params[i];
        struct constrain c = {
            .list = &u->policies[i].constraints, .param = p, .w = e->model->params + p->offset};
        const bool rows = p->spec.layout == FANIN_LAYOUT_VECTOR && p->spec.rank > 1;
        if (c.list->n > 0)
            fi_parallel(e->model->ctx, rows ? p->spec.dims[0] : fi_panels(p->out),
                        4.0 * (double)p->size, constrain_task, &c);
    }
}

void fi_update_apply(const struct fi_exec *e, const struct fi_update *u, fi_real *grads) {
    walk(e, u, grads, false);
}
