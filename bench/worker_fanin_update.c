/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Updates of all parameters from gradients that are there, as where a run collects its gradient
 * (clipping by norm, shards); and initializers, as where a model is started anew.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "graph/graph.h"
#include "train/train.h"
#include "worker_fanin.h"

struct job {
    const struct work *w;
    fanin_ctx *ctx;
    fanin_model *model;
    fanin_trainer *trainer; /* of updates */
    fi_real *grads;         /* of updates, as the parameters lie */
    struct fanin_attr attrs[BENCH_ATTRS];
    struct fanin_model_options options; /* of initializers */
};

static void close_job(void *self) {
    struct job *j = self;
    free(j->grads);
    fanin_trainer_free(j->trainer);
    fanin_model_free(j->model);
    fanin_ctx_free(j->ctx);
    free(j);
}

static struct job *open_job(const struct work *w) {
    struct job *j = work_alloc(1, sizeof *j);
    j->w = w;
    j->ctx = bench_ctx(w);
    return j;
}

/* ---- updates --------------------------------------------------------------------------------------- */

static void *open_update(const struct work *w, bool proof, struct worker_say *say) {
    struct job *j = open_job(w);
    (void)say;
    j->model = bench_model(j->ctx, w, proof);
    j->trainer = bench_trainer(j->ctx, w, j->model);
    j->grads = work_alloc(j->model->net->param_size, sizeof *j->grads);
    for (int i = 0; i < w->n_dense; i++) { /* a weight and a bias each, in this order */
        const struct fi_param *p = &j->model->net->params[2 * i];
        fi_param_pack(&p[0], w->dense[i].dw, j->grads + p[0].offset);
        fi_param_pack(&p[1], w->dense[i].db, j->grads + p[1].offset);
    }
    return j;
}

static double run_update(void *self) {
    struct job *j = self;
    fanin_trainer *t = j->trainer;
    struct fi_optim_step *o = &t->update.step;
    o->lr = t->lr.base;
    o->t = ++t->t;
    o->pow1 *= t->base1;
    o->pow2 *= t->base2;
    fi_update_apply(t->exec, &t->update, j->grads);
    return 0;
}

/* Σ |w| and Σ |w - start| over one parameter. */
static void add_sums(struct job *j, const char *name, const float *start, int64_t n,
                     double sums[2]) {
    float *now = work_alloc(n, sizeof *now);
    bench_check(j->ctx, fanin_model_get(j->model, name, now, n));
    for (int64_t i = 0; i < n; i++) {
        sums[0] += fabs((double)now[i]);
        sums[1] += fabs((double)now[i] - (double)start[i]);
    }
    free(now);
}

/* After so many updates from the start. */
static json_t *result_update(void *self, int64_t steps) {
    struct job *j = self;
    struct fi_update *u = &j->trainer->update;
    double sums[2] = {0};
    bench_start(j->ctx, j->w, j->model);
    for (int i = 0; i < u->n_states; i++)
        memset(u->state[i], 0, (size_t)j->model->net->param_size * sizeof(fi_real));
    j->trainer->t = 0;
    u->step.pow1 = u->step.pow2 = 1;
    for (int64_t i = 0; i < steps; i++) run_update(j);
    for (int i = 0; i < j->w->n_dense; i++) {
        const struct work_dense *d = &j->w->dense[i];
        const struct fi_param *p = &j->model->net->params[2 * i];
        add_sums(j, p[0].name, d->w, d->units * d->in, sums);
        add_sums(j, p[1].name, d->b, d->units, sums);
    }
    return json_pack("{s: o}", "sums", worker_numbers(sums, 2));
}

/* ---- initializers ---------------------------------------------------------------------------------- */

static void *open_init(const struct work *w, bool proof, struct worker_say *say) {
    struct job *j = open_job(w);
    const struct fanin_attr attrs[] = {{.name = "units", .number = work_number(w->json, "units")},
                                       {.name = "bias"}};
    fanin_net *net;
    int node;
    (void)proof, (void)say;
    j->attrs[0] = (struct fanin_attr){.name = "std", .number = work_number(w->json, "std")};
    j->options = (struct fanin_model_options){.size = sizeof j->options,
                                              .init = {.name = work_text(w->json, "init"),
                                                       .attrs = j->attrs,
                                                       .n_attrs = j->attrs[0].number > 0}};
    bench_check(j->ctx, fanin_net_create(&net, j->ctx));
    bench_check(j->ctx, fanin_net_input(net, &node, NULL, 1, &w->in));
    bench_check(j->ctx, fanin_net_add(net, &node, "dense", NULL, &node, 1, attrs, 2));
    bench_check(j->ctx, fanin_model_create(&j->model, net, &j->options));
    return j;
}

/* The same memory, other numbers. */
static double run_init(void *self) {
    struct job *j = self;
    j->options.seed++;
    bench_check(j->ctx, fi_model_restart(j->model, &j->options));
    return 0;
}

static json_t *result_init(void *self, int64_t steps) {
    struct job *j = self;
    (void)steps;
    const struct fi_param *p = &j->model->net->params[0];
    float *w = work_alloc(p->count, sizeof *w);
    double sum = 0, squares = 0;
    bench_check(j->ctx, fanin_model_get(j->model, p->name, w, p->count));
    for (int64_t i = 0; i < p->count; i++) {
        sum += (double)w[i];
        squares += (double)w[i] * (double)w[i];
    }
    free(w);
    const double n = (double)p->count, mean = sum / n, std = sqrt(squares / n - mean * mean);
    return json_pack("{s: o}", "sums", worker_numbers(&std, 1));
}

const struct worker_kind bench_update = {.kind = "update",
                                         .open = open_update,
                                         .run = run_update,
                                         .result = result_update,
                                         .close = close_job};
const struct worker_kind bench_init = {
    .kind = "init", .open = open_init, .run = run_init, .result = result_init, .close = close_job};
