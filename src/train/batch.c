/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Steps on the caller's arrays: what the batch brings is checked, then its rows are copied into the
 * plan's buffers.
 *
 * A step of a small net takes less than a microsecond, so all labels or targets are looked at in
 * one loop without branches; only where something is odd are they gone through one by one, for the
 * message.
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "train/watch.h"

/* ---- loading --------------------------------------------------------------------------------------- */

static int64_t source(const struct fi_load *load, int64_t row) {
    return load->order ? load->order[load->first + row] : load->first + row;
}

static inline void take_numbers(fi_real *to, const float *from, int64_t n) {
#ifdef FANIN_REAL_DOUBLE
    for (int64_t i = 0; i < n; i++) to[i] = (fi_real)from[i];
#else
    memcpy(to, from, (size_t)n * sizeof *to);
#endif
}

static void take_rows(const struct fanin_tensor *t, const float *from, const struct fi_load *load) {
    const int64_t cols = t->cols, ld = t->ld;
    fi_real *to = t->data;
    if (load->order) {
        for (int64_t r = 0; r < load->n; r++, to += ld)
            take_numbers(to, from + load->order[load->first + r] * cols, cols);
        return;
    }
    from += load->first * cols;
    if (ld == cols)
        take_numbers(to, from, load->n * cols);
    else if (cols == 1)
        for (int64_t r = 0; r < load->n; r++) to[r * ld] = (fi_real)from[r];
    else
        for (int64_t r = 0; r < load->n; r++, to += ld, from += cols) take_numbers(to, from, cols);
}

static void load_arrays(void *arg, const struct fi_load *to) {
    const struct fanin_batch *b = arg;
    if (to->x) take_rows(to->x, b->x, to);
    if (b->targets) take_rows(to->targets, b->targets, to);
    for (int64_t r = 0; b->labels && r < to->n; r++) to->labels[r] = b->labels[source(to, r)];
    for (int64_t r = 0; to->weights && r < to->n; r++)
        to->weights[r] = b->weights ? (double)b->weights[source(to, r)] : 1;
}

/* ---- checks ---------------------------------------------------------------------------------------- */

static bool all_classes(const int32_t *labels, int64_t n, int64_t classes) {
    const uint32_t below = (uint32_t)FI_MIN(classes, INT32_MAX);
    bool odd = false;
    /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): the caller's task has labels */
    for (int64_t i = 0; i < n; i++) odd |= (uint32_t)labels[i] >= below;
    return !odd;
}

static bool all_within(const float *x, int64_t n, float least, float most) {
    bool odd = false;
    for (int64_t i = 0; i < n; i++) odd |= !(x[i] >= least && x[i] <= most);
    return !odd;
}

static enum fanin_status check_labels(const fanin_model *model, const struct fanin_batch *b,
                                      int64_t classes) {
    if (all_classes(b->labels, b->n, classes)) return FANIN_OK;
    for (int64_t r = 0; r < b->n; r++) FI_TRY(fi_check_label(model, b->labels[r], r));
    return FANIN_OK;
}

static enum fanin_status check_targets(const fanin_model *model, const struct fanin_batch *b,
                                       int64_t n) {
    const bool any = model->task == FANIN_REGRESSION;
    if (model->task != FANIN_CLASSIFICATION && /* distributions must sum to 1 */
        all_within(b->targets, b->n * n, any ? -FLT_MAX : 0, any ? FLT_MAX : 1))
        return FANIN_OK;
    for (int64_t r = 0; r < b->n; r++) FI_TRY(fi_check_target(model, b->targets + r * n, r));
    return FANIN_OK;
}

/* Which of labels and targets the batch brings; the loss must take it, and it must be possible. */
static enum fanin_status check_batch(fanin_trainer *t, const struct fanin_batch *b) {
    const struct fi_loss *loss = t->model->loss;
    const int64_t outputs = t->exec->y[t->exec->result].cols;
    const unsigned given = (b->labels ? FI_TAKES_LABELS : 0) | (b->targets ? FI_TAKES_TARGETS : 0);
    if (!b->x || b->n < 1 || b->n > t->batch)
        return fi_fail(t->ctx, FANIN_ERR_ARGUMENT, "a step takes 1 to %lld samples, not %lld",
                       (long long)t->batch, (long long)b->n);
    if (t->exec->needs_two_rows && b->n < 2)
        return fi_fail(t->ctx, FANIN_ERR_ARGUMENT,
                       "batch normalization cannot train on one sample");
    if (!(loss->takes & given))
        return fi_fail(t->ctx, FANIN_ERR_ARGUMENT, "loss %s needs %s", loss->head.name,
                       loss->takes & FI_TAKES_LABELS ? "labels" : "targets");
    if (given == (FI_TAKES_LABELS | FI_TAKES_TARGETS) && loss->takes == given)
        return fi_fail(t->ctx, FANIN_ERR_ARGUMENT,
                       "loss %s takes labels or targets, not both at once", loss->head.name);
    t->model->truth =
        loss->takes & given & FI_TAKES_LABELS ? FANIN_CLASSIFICATION : FANIN_REGRESSION;
    FI_TRY(t->model->truth == FANIN_CLASSIFICATION ? check_labels(t->model, b, outputs)
                                                   : check_targets(t->model, b, outputs));
    for (int64_t r = 0; r < b->n && b->weights; r++)
        if (!(b->weights[r] >= 0 && isfinite(b->weights[r])))
            return fi_fail(t->ctx, FANIN_ERR_ARGUMENT,
                           "the weight of sample %lld is %g; it must be 0 or more", (long long)r,
                           (double)b->weights[r]);
    return FANIN_OK;
}

/* ---- the step -------------------------------------------------------------------------------------- */

static void send_event(void *payload, struct fi_event *e) {
    const fanin_trainer *t = payload;
    e->event.step = t->t;
    fi_event_send(e, t->event, t->event_payload);
}

static enum fanin_status run(fanin_trainer *trainer, struct fanin_batch *b, double *loss) {
    const struct fi_batch rows = {
        .load = load_arrays, .arg = b, .rows = b->n, .weighted = b->weights != NULL};
    FI_TRY(check_batch(trainer, b));
    FI_TRY(fi_model_check_index_rows(trainer->model, b->x, b->n));
    if (trainer->profile) fi_profile_begin(trainer, true);
    const enum fanin_status status = fi_trainer_run(trainer, &rows, 1, 1, loss);
    if (status == FANIN_OK && trainer->profile) fi_profile_end(trainer, b->n);
    if (status == FANIN_OK && fi_watch_done(trainer)) fi_watch_tell(trainer, send_event, trainer);
    fi_trouble_tell(trainer, send_event, trainer);
    return status;
}

enum fanin_status fanin_trainer_run(fanin_trainer *trainer, const struct fanin_batch *batch,
                                    double *loss) {
    struct fanin_batch b = {0};
    memcpy(&b, batch, FI_MIN(batch->size, sizeof(b)));
    return run(trainer, &b, loss);
}

enum fanin_status fanin_trainer_profile(fanin_trainer *trainer) {
    if (!trainer->profile)
        return fi_fail(trainer->ctx, FANIN_ERR_ARGUMENT,
                       "the trainer was made without options.profile");
    fi_profile_tell(trainer, 0, send_event, trainer);
    return FANIN_OK;
}

enum fanin_status fanin_trainer_step(fanin_trainer *trainer, const float *x, int64_t n,
                                     const int32_t *labels, const float *targets, double *loss) {
    struct fanin_batch batch = {
        .size = sizeof(batch), .x = x, .n = n, .labels = labels, .targets = targets};
    return run(trainer, &batch, loss);
}
