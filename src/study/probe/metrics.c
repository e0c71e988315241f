/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loss and every metric on a part of the data, and of classes also error = 1 - accuracy, by
 * weight scaling or by an average over dropout masks.
 *
 * With noise the inputs are x + σ z, z ~ N(0, 1), after normalization: how robust predictions are
 * (Srivastava et al. 2014, section 4, compare nets under noise). z depends on the run's seed, the
 * sample and the column alone, so every look and every net of the same seed sees the same samples.
 */
#include "kernel/kernel.h"
#include "model/ensemble.h"
#include "model/model.h"
#include "study/probe.h"

struct metrics {
    int part, inference;
    int64_t members;
    double noise;
};

struct noise {
    struct fi_ensemble *e;
    fi_real std;
    uint64_t key;
    int64_t row0;
};

#define NORMAL_FLOPS 20.0 /* what a normal number costs, about */

static void add_to_row(void *arg, int64_t r) {
    const struct noise *noise = arg;
    const struct fanin_tensor *t = &noise->e->x;
    fi_real *x = t->data + r * t->ld, z[512];
    for (int64_t first = 0; first < t->cols; first += FI_COUNT(z)) {
        const int64_t n = FI_MIN(FI_COUNT(z), t->cols - first);
        noise->e->model->ctx->kernels->random_normal(noise->key, (uint64_t)(noise->row0 + r), first,
                                                     n, z);
        for (int64_t j = 0; j < n; j++) x[first + j] += noise->std * z[j];
    }
}

static void predict_noisy(void *arg, struct fi_ensemble *e, int64_t n, int64_t row0) {
    struct noise *noise = arg;
    noise->e = e;
    noise->row0 = row0;
    fi_parallel(e->model->ctx, n, NORMAL_FLOPS * (double)(n * e->x.cols), add_to_row, noise);
    fi_ensemble_run(e, n, row0);
}

static enum fanin_status look_at(const struct fi_look_at *look, const void *attrs) {
    const struct metrics *a = attrs;
    const uint64_t seed = fanin_recipe_seed(look->recipe);
    const struct fanin_ensemble_options how = {.size = sizeof how,
                                               .inference = (enum fanin_inference)a->inference,
                                               .members =
                                                   a->members > 0 ? a->members : FANIN_ALL_MEMBERS,
                                               .seed = seed};
    struct noise noise = {.std = (fi_real)a->noise, .key = fi_key(seed, "metrics noise", "")};
    const struct fi_eval_options options = {.part = (enum fanin_part)a->part,
                                            .inference =
                                                how.inference == FANIN_WEIGHT_SCALING ? NULL : &how,
                                            .extra = true,
                                            .predict = a->noise > 0 ? predict_noisy : NULL,
                                            .arg = &noise};
    struct fi_arena arena;
    struct fi_eval eval;
    if (a->noise > 0 && look->model->n_indexes > 0)
        return fi_fail(look->ctx, FANIN_ERR_RECIPE,
                       "noise cannot be added to input %lld, which %s reads as an index: leave "
                       "`noise` out",
                       (long long)look->model->indexes[0].column, look->model->indexes[0].node);
    fi_arena_init(&arena, look->ctx);
    const enum fanin_status status = fi_evaluate(look->model, look->data, &options, &arena, &eval);
    if (status == FANIN_OK) fi_probe_add_eval(look, &eval);
    fi_arena_free(&arena);
    return status;
}

static const struct fanin_attr_spec specs[] = {
    FI_PROBE_PART(struct metrics),
    FI_ATTR_CHOICE(struct metrics, inference, 0, "weight_scaling|mc|geometric",
                   "how a net with dropout predicts"),
    FI_ATTR_INT(struct metrics, members, 0, 0, 1000000,
                "dropout masks to average over; 0: all that there are", 0),
    FI_ATTR_REAL(struct metrics, noise, 0, 0, 1e6,
                 "standard deviation of normal noise on the normalized inputs, the same at every "
                 "look",
                 0),
    FI_ATTR_END};

FI_RECORD(probe, metrics) = {
    .head = {.name = "metrics",
             .formula = "loss, accuracy, error, entropy, ... of the predictions",
             .reference = "definition",
             .help = "Measures the model on a part of the data.",
             .attrs = specs,
             .attrs_size = sizeof(struct metrics),
             .place = ""},
    .look = look_at,
};
