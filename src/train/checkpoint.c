/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checkpoints: a model file (so it can be evaluated as it is) with the optimizer's state, the best
 * parameters so far and the place in the run. The file replaces the last one only when it is
 * complete.
 */
#include <stdio.h>
#include <string.h>

#include "model/history.h"
#include "model/model.h"
#include "train/train.h"

/* The place in the run: tensors run.counts (int64) and run.numbers (float64), in this order. */
enum {
    RUN_IDENTITY,
    EPOCH,
    STEP,
    UPDATES,
    BEST_EPOCH,
    BAD_EPOCHS,
    AVERAGED,
    BEST_STEP,
    BAD,
    ASKED_LOSS,
    ASKED_DEAD,
    ALERT,
    LOSS_STEP,
    COUNTS
};
enum {
    POWER1,
    POWER2,
    BEST,
    DATA,
    WEIGHT,
    TERMS,
    LR_STATE = TERMS + FI_MAX_REGS,
    MOMENTUM_STATE = LR_STATE + FI_SCHEDULE_STATE,
    LOSS_FIRST = MOMENTUM_STATE + FI_SCHEDULE_STATE,
    LOSS_MEAN,
    LOSS_BEST,
    LOSS_ALARM,
    NUMBERS
};

static enum fanin_status put_place(struct fi_tensors *out, const fanin_trainer *t,
                                   const struct fi_progress *p) {
    const int64_t n_counts = COUNTS, n_numbers = NUMBERS;
    struct fi_tensor_entry *entry;
    FI_TRY(fi_tensors_add(out, &entry, "run.counts", FI_I64, 1, &n_counts, NULL));
    int64_t *counts = entry->data;
    counts[RUN_IDENTITY] = (int64_t)p->identity;
    counts[EPOCH] = p->epoch;
    counts[STEP] = p->step;
    counts[UPDATES] = t->t;
    counts[BEST_EPOCH] = p->best_epoch;
    counts[BAD_EPOCHS] = p->bad_epochs;
    counts[AVERAGED] = t->average.n;
    counts[BEST_STEP] = t->health.best_step;
    counts[BAD] = t->health.bad;
    counts[ASKED_LOSS] = t->health.asked_loss;
    counts[ASKED_DEAD] = t->health.asked_dead;
    counts[ALERT] = t->health.alert;
    counts[LOSS_STEP] = t->health.loss_step;
    FI_TRY(fi_tensors_add(out, &entry, "run.numbers", FI_F64, 1, &n_numbers, NULL));
    double *numbers = entry->data;
    numbers[POWER1] = t->update.step.pow1;
    numbers[POWER2] = t->update.step.pow2;
    numbers[BEST] = p->best;
    numbers[DATA] = t->sums.data;
    numbers[WEIGHT] = t->sums.weight;
    memcpy(numbers + TERMS, t->sums.terms, sizeof(t->sums.terms));
    memcpy(numbers + LR_STATE, t->lr.state, sizeof(t->lr.state));
    memcpy(numbers + MOMENTUM_STATE, t->momentum.state, sizeof(t->momentum.state));
    numbers[LOSS_FIRST] = t->health.first;
    numbers[LOSS_MEAN] = t->health.mean;
    numbers[LOSS_BEST] = t->health.best;
    numbers[LOSS_ALARM] = t->health.loss;
    return FANIN_OK;
}

static const char *state_prefix(struct fi_tensors *tensors, const fanin_trainer *t, int state) {
    return fi_arena_printf(&tensors->arena, "optim.%s.", t->update.optim->states[state]);
}

static enum fanin_status collect(struct fi_tensors *out, const fanin_trainer *t,
                                 const struct fi_progress *p) {
    const fanin_net *net = t->model->net;
    FI_TRY(fi_model_to_tensors(t->model, out));
    for (int i = 0; i < t->update.n_states; i++) {
        const char *prefix = state_prefix(out, t, i);
        if (!prefix) return FANIN_ERR_MEMORY;
        FI_TRY(fi_params_to_tensors(net, t->update.state[i], prefix, out));
    }
    if (p->best_params) FI_TRY(fi_params_to_tensors(net, p->best_params, "best.", out));
    if (t->average.n > 0) FI_TRY(fi_params_to_tensors(net, t->average.params, "average.", out));
    return put_place(out, t, p);
}

enum fanin_status fi_checkpoint_save(const fanin_trainer *t, const struct fi_progress *p,
                                     const char *path) {
    struct fi_tensors *tensors;
    FI_TRY(fi_tensors_create(&tensors, t->ctx));
    enum fanin_status status = collect(tensors, t, p);
    if (status == FANIN_OK) status = fi_tensors_save(tensors, path);
    fi_tensors_free(tensors);
    return status;
}

static const void *get_place(const struct fi_tensors *from, const char *name, enum fi_dtype dtype,
                             int64_t count) {
    const struct fi_tensor_entry *entry = fi_tensors_find(from, name);
    return entry && entry->dtype == dtype && entry->count == count ? entry->data : NULL;
}

static enum fanin_status restore(fanin_trainer *t, struct fi_progress *p,
                                 const struct fi_tensors *from) {
    const fanin_net *net = t->model->net;
    const int64_t *counts = get_place(from, "run.counts", FI_I64, COUNTS);
    const double *numbers = get_place(from, "run.numbers", FI_F64, NUMBERS);
    if (!counts || !numbers)
        return fi_fail(t->ctx, FANIN_ERR_DATA, "it is a model, not a checkpoint");
    if ((uint64_t)counts[RUN_IDENTITY] != p->identity)
        return fi_fail(t->ctx, FANIN_ERR_DATA,
                       "it belongs to another run: net, data, seed, batch, optimizer or version "
                       "differ");
    for (int i = EPOCH; i < COUNTS; i++)
        if (counts[i] < 0 || counts[i] > INT64_MAX / 2)
            return fi_fail(t->ctx, FANIN_ERR_DATA, "its place in the run is impossible");
    const char *history = fi_tensors_meta_get(from, "fanin.history");
    if (history) FI_TRY(fi_history_read(t->model, history));
    FI_TRY(fi_params_from_tensors(net, t->model->params, "", from));
    for (int i = 0; i < t->update.n_states; i++) {
        char prefix[80];
        snprintf(prefix, sizeof prefix, "optim.%s.", t->update.optim->states[i]);
        FI_TRY(fi_params_from_tensors(net, t->update.state[i], prefix, from));
    }
    if (p->best_params) FI_TRY(fi_params_from_tensors(net, p->best_params, "best.", from));
    t->average.n = t->average.rule ? counts[AVERAGED] : 0;
    if (t->average.n > 0) FI_TRY(fi_params_from_tensors(net, t->average.params, "average.", from));
    p->epoch = counts[EPOCH];
    p->step = counts[STEP];
    p->best_epoch = counts[BEST_EPOCH];
    p->bad_epochs = counts[BAD_EPOCHS];
    p->best = numbers[BEST];
    t->t = counts[UPDATES];
    t->update.step.pow1 = numbers[POWER1];
    t->update.step.pow2 = numbers[POWER2];
    t->sums.data = numbers[DATA];
    t->sums.weight = numbers[WEIGHT];
    memcpy(t->sums.terms, numbers + TERMS, sizeof(t->sums.terms));
    memcpy(t->lr.state, numbers + LR_STATE, sizeof(t->lr.state));
    memcpy(t->momentum.state, numbers + MOMENTUM_STATE, sizeof(t->momentum.state));
    t->health.first = numbers[LOSS_FIRST];
    t->health.mean = numbers[LOSS_MEAN];
    t->health.best = numbers[LOSS_BEST];
    t->health.loss = numbers[LOSS_ALARM];
    t->health.best_step = counts[BEST_STEP];
    t->health.bad = counts[BAD];
    t->health.asked_loss = counts[ASKED_LOSS];
    t->health.asked_dead = counts[ASKED_DEAD];
    t->health.alert = counts[ALERT];
    t->health.loss_step = counts[LOSS_STEP];
    return FANIN_OK;
}

enum fanin_status fi_checkpoint_load(fanin_trainer *t, struct fi_progress *p, const char *path) {
    struct fi_tensors *tensors;
    FI_TRY(fi_tensors_load(&tensors, t->ctx, path));
    enum fanin_status status = restore(t, p, tensors);
    fi_tensors_free(tensors);
    if (status != FANIN_ERR_DATA) return status;
    char reason[512];
    snprintf(reason, sizeof reason, "%s", fanin_errmsg(t->ctx));
    return fi_fail(t->ctx, status, "%s: cannot resume: %s", path, reason);
}
