/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The average of the weights: the last thing an update does, and what is evaluated and saved.
 *
 * The trained weights go their way and never see the average. Whenever the model is looked at
 * (validation, best weights, the end) the average is put in their place; the statistics of batch
 * norm, which belong to other weights, are then taken anew from the training part, for every kind
 * of average. Before the first contribution the model is what was trained.
 */
#include <string.h>

#include "kernel/kernel.h"
#include "train/train.h"

#define CHUNK 16384 /* grain of a thread's work */

enum fanin_status fi_averaging_create(fanin_trainer *t, const struct fanin_rule *rule,
                                      int64_t total, int64_t steps_per_epoch) {
    struct fi_averaging *a = &t->average;
    const int64_t size = t->model->net->param_size;
    struct fanin_rule_ref ref;
    if (!rule->name) return FANIN_OK;
    FI_TRY(fi_rule_resolve(&t->arena, &ref, "average", rule, "average"));
    const struct fi_average *average = (const struct fi_average *)(const void *)ref.record;
    average->when(ref.attrs, total, steps_per_epoch, &a->start, &a->every);
    if (a->every > total - a->start)
        return fi_fail(t->ctx, FANIN_ERR_RECIPE,
                       "average: %s begins after %lld of %lld updates and takes every %lld-th: the "
                       "run ends before the first; lower its start or raise train.epochs",
                       average->head.name, (long long)a->start, (long long)total,
                       (long long)a->every);
    a->params = fi_arena_alloc(&t->arena, size, sizeof(fi_real));
    a->aside = fi_arena_alloc(&t->arena, size, sizeof(fi_real));
    if (!a->params || !a->aside) return FANIN_ERR_MEMORY;
    a->rule = average;
    a->attrs = ref.attrs;
    return FANIN_OK;
}

struct blend {
    const struct fi_kernels *kernels;
    fi_real *average;
    const fi_real *params;
    fi_real weight;
    int64_t size;
};

static void blend_chunk(void *arg, int64_t i) {
    const struct blend *b = arg;
    const int64_t at = i * CHUNK, n = FI_MIN(CHUNK, b->size - at);
    b->kernels->blend(b->average + at, b->weight, b->params + at, n);
}

void fi_averaging_update(fanin_trainer *t) {
    struct fi_averaging *a = &t->average;
    const int64_t size = t->model->net->param_size;
    if (!a->rule || t->t <= a->start || (t->t - a->start) % a->every != 0) return;
    if (a->n == 0) {
        memcpy(a->params, t->model->params, (size_t)size * sizeof(fi_real));
    } else {
        struct blend b = {.kernels = t->ctx->kernels,
                          .average = a->params,
                          .params = t->model->params,
                          .weight = (fi_real)a->rule->weight(a->attrs, a->n),
                          .size = size};
        fi_parallel(t->ctx, (size + CHUNK - 1) / CHUNK, 4.0 * (double)size, blend_chunk, &b);
    }
    a->n++;
}

enum fanin_status fi_averaging_show(fanin_trainer *t, const fanin_data *data, uint64_t seed) {
    struct fi_averaging *a = &t->average;
    const size_t bytes = (size_t)t->model->net->param_size * sizeof(fi_real);
    if (a->n == 0) return FANIN_OK;
    memcpy(a->aside, t->model->params, bytes);
    memcpy(t->model->params, a->params, bytes);
    const enum fanin_status status =
        fi_restate_statistics(t->model, &t->policies, data, seed, t->shard_rows);
    if (status != FANIN_OK) fi_averaging_hide(t);
    return status;
}

void fi_averaging_hide(fanin_trainer *t) {
    const struct fi_averaging *a = &t->average;
    if (a->n == 0) return;
    memcpy(t->model->params, a->aside, (size_t)t->model->net->param_size * sizeof(fi_real));
}
