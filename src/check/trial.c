/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first update tried, and what becomes of a run of such updates.
 *
 * The update is made from the batch at hand; what it does to the results of samples that it has not
 * seen is measured to first order, Σ dL/dz · (z before - z after). Of that only what differs
 * between samples counts: a shift of all results alike learns how often each class comes, and no
 * more. If every update of the run did the same, the run would take away
 *
 *   progress = reach · that decrease / loss
 *
 * of the loss, where `reach` is how many first updates the optimizer and the schedule make of the
 * run's steps. Far below 1 the run ends where it began; a good start is far above, since the first
 * direction is not followed for ever. The kernel of this linear view is the tangent kernel's (Jacot
 * et al. 2018; trainability read off it: Xiao et al. 2020), measured instead of taken to its limit.
 */
#include <math.h>
#include <string.h>

#include "check/check.h"
#include "kernel/kernel.h"

#define LONGEST 10000 /* steps that are followed one by one */
#define LANES 16

/* ---- the reach of a run ---------------------------------------------------------------------------- */

/* A number whose gradient is always 1, moved by the optimizer and the schedules: how far it comes,
 * in first updates. */
static double reach_of(const fanin_trainer *t, int64_t steps, int64_t steps_per_epoch) {
    _Alignas(64) fi_real w[LANES] = {0}, g[LANES], state[3][LANES] = {{0}};
    fi_real *const states[3] = {state[0], state[1], state[2]};
    struct fi_optim_step o = {.attrs = t->update.step.attrs, .pow1 = 1, .pow2 = 1};
    const int64_t n = FI_MIN(steps, LONGEST);
    double moved = 0, first = 0;
    for (int i = 0; i < LANES; i++) g[i] = 1;
    for (int64_t s = 0; s < n; s++) {
        const int64_t at = (int64_t)((double)s * ((double)steps / (double)n));
        const double before = (double)w[0];
        o.lr = t->lr.base * fi_pace_factor(&t->lr, at, steps, steps_per_epoch);
        o.momentum = fi_pace_factor(&t->momentum, at, steps, steps_per_epoch);
        o.t = s + 1;
        o.pow1 *= t->base1 * o.momentum;
        o.pow2 *= t->base2;
        t->update.optim->update(&o, 0, w, g, states, LANES);
        moved += before - (double)w[0];
        w[0] = 0; /* so that rounding at a large w takes nothing away */
    }
    /* the first update is tried at the full rate, whatever the schedule begins with */
    memset(state, 0, sizeof state);
    w[0] = 0;
    o = (struct fi_optim_step){.attrs = t->update.step.attrs,
                               .lr = t->lr.base,
                               .t = 1,
                               .pow1 = t->base1,
                               .pow2 = t->base2,
                               .momentum = 1};
    t->update.optim->update(&o, 0, w, g, states, LANES);
    first = -(double)w[0];
    return first > 0 ? moved / first * ((double)steps / (double)n) : 0;
}

/* ---- the first update ------------------------------------------------------------------------------ */

struct results {
    struct fanin_tensor z, dz;
    double loss;
};

/* Keeps what came of the batch that was run last. */
static enum fanin_status keep(const struct fi_look *look, struct fi_arena *work,
                              struct results *out) {
    const int result = fi_net_result(look->net);
    const struct fi_exec *e = look->trainer->exec;
    const int64_t rows = look->batch.rows;
    out->z = e->y[result];
    out->dz = e->dy[result];
    out->z.data = fi_arena_alloc(work, rows * out->z.ld, sizeof(fi_real));
    out->dz.data = fi_arena_alloc(work, rows * out->dz.ld, sizeof(fi_real));
    if (!out->z.data || !out->dz.data) return FANIN_ERR_MEMORY;
    memcpy(out->z.data, e->y[result].data, (size_t)(rows * out->z.ld) * sizeof(fi_real));
    memcpy(out->dz.data, e->dy[result].data, (size_t)(rows * out->dz.ld) * sizeof(fi_real));
    return FANIN_OK;
}

static enum fanin_status run(const struct fi_look *look, const struct fi_batch *batch,
                             struct fi_arena *work, struct results *out) {
    FI_TRY(fi_trainer_look(look->trainer, batch, &out->loss));
    return keep(look, work, out);
}

/* The decrease of the loss from a to b to first order, less what all samples have in common. */
static double decrease(const struct results *a, const struct results *b, int64_t rows) {
    double all = 0;
    for (int64_t c = 0; c < a->z.cols; c++) {
        double sum = 0, moved = 0, pull = 0;
        for (int64_t r = 0; r < rows; r++) {
            const double step =
                (double)b->z.data[r * b->z.ld + c] - (double)a->z.data[r * a->z.ld + c];
            const double slope = (double)a->dz.data[r * a->dz.ld + c];
            sum -= step * slope;
            moved += step;
            pull += slope;
        }
        all += sum + moved * pull / (double)rows;
    }
    return all;
}

static enum fanin_status update(const struct fi_look *look) {
    fi_check_restore(look);
    FI_TRY(fi_trainer_try_first(look->trainer, &look->check->result.lr, look->rms));
    for (int i = 0; i < look->net->n_params; i++) {
        const double rms = look->check->params[i].rms;
        look->check->params[i].update =
            rms > 0 ? sqrt(look->rms[i] / (double)look->net->params[i].count) / rms : NAN;
    }
    return FANIN_OK;
}

static enum fanin_status try_update(const struct fi_look *look, struct fi_arena *work) {
    struct fanin_check_result *r = &look->check->result;
    const int64_t rows = fanin_data_rows(look->data, FANIN_TRAIN), n = look->batch.rows;
    const int64_t batch = look->train->batch > 0 ? look->train->batch : 128;
    const int64_t epochs = look->train->epochs > 0 ? look->train->epochs : 10;
    const int64_t per_epoch = (rows + batch - 1) / batch;
    struct results unseen, seen = {.loss = r->loss_first}, after, seen_after;
    FI_TRY(keep(look, work, &seen));
    FI_TRY(run(look, &look->unseen, work, &unseen));
    FI_TRY(update(look));
    look->check->optim = look->trainer->update.optim->head.name;
    r->steps = (double)(epochs * per_epoch);
    r->first_step = INFINITY;
    enum fanin_status status = run(look, &look->batch, work, &seen_after);
    if (status == FANIN_OK) status = run(look, &look->unseen, work, &after);
    if (status == FANIN_ERR_DIVERGED) return FANIN_OK; /* that is what it does to the loss */
    FI_TRY(status);
    const double own = FI_MAX(decrease(&unseen, &after, n), 0.5 * decrease(&seen, &seen_after, n));
    r->first_step = seen_after.loss / seen.loss;
    r->progress = own * reach_of(look->trainer, epochs * per_epoch, per_epoch) / seen.loss;
    return FANIN_OK;
}

enum fanin_status fi_check_trial(const struct fi_look *look) {
    struct fi_arena work;
    fi_arena_init(&work, look->check->ctx);
    const enum fanin_status status = try_update(look, &work);
    fi_arena_free(&work);
    return status;
}
