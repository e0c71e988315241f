/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The run: epochs of steps in a keyed order, a look at the validation part after each, early stop
 * with the best parameters restored, checkpoints, and the events that tell of it.
 *
 * The order of samples, dropout and everything else that is random is keyed by (seed, epoch or
 * step), so a run that goes on from a checkpoint, also inside an epoch, continues to the same bits.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "kernel/kernel.h"
#include "schedule/schedule.h"
#include "train/watch.h"

struct run {
    fanin_trainer *t;
    fanin_model *model;
    const fanin_data *data;
    const struct fanin_train_options *o;
    struct fi_arena arena;
    int64_t *index;      /* positions of the batch's samples */
    int64_t *ordered;    /* of a shard's, in an order of the trainer's */
    int64_t rows, steps; /* of the training part; updates an epoch */
    int64_t epochs;
    struct fi_progress at;
    const char *watched[4]; /* figures that must be there; ends with NULL */
    double began, epoch_began, last_told;
    const char *ended;
    char term_names[FI_MAX_REGS][48], strength_names[FI_MAX_REGS][48];
};

static void send(const struct run *r, struct fi_event *e) {
    e->event.epochs = r->epochs;
    e->event.steps = r->epochs * r->steps;
    e->event.step = r->at.epoch * r->steps + r->at.step;
    fi_event_send(e, r->o->event, r->o->event_payload);
}

static void warn(const struct run *r, const char *message) {
    struct fi_event e;
    fi_event_init(&e, FANIN_EVENT_WARNING);
    fi_event_add_text(&e, "message", message);
    send(r, &e);
}

/* ---- telling of the start ----------------------------------------------------------------------------- */

static void send_to_run(void *payload, struct fi_event *e) {
    send(payload, e);
}

static void tell_start(const struct run *r) {
    const fanin_net *net = r->model->net;
    struct fi_event e;
    double params = 0, flops = 0;
    for (int i = 0; i < net->n_params; i++)
        params += r->t->policies.params[i].updates ? (double)net->params[i].count : 0;
    for (int i = 0; i < net->n_nodes; i++) flops += net->nodes[i].flops;
    fi_event_init(&e, FANIN_EVENT_START);
    fi_event_add_text(&e, "data", fanin_data_describe(r->data));
    fi_event_add_text(&e, "loss", r->model->loss->head.name);
    fi_event_add_text(&e, "optim", r->t->update.optim->head.name);
    fi_event_add_text(&e, "schedule", r->t->lr.schedule->head.name);
    if (r->t->average.rule) fi_event_add_text(&e, "average", r->t->average.rule->head.name);
    fi_event_add_figure(&e, "train_samples", (double)r->rows);
    fi_event_add_figure(&e, "validation_samples",
                        (double)fanin_data_rows(r->data, FANIN_VALIDATION));
    fi_event_add_figure(&e, "test_samples", (double)fanin_data_rows(r->data, FANIN_TEST));
    fi_event_add_figure(&e, "parameters", params);
    fi_event_add_figure(&e, "flops_per_sample", flops);
    fi_event_add_figure(&e, "batch", (double)r->t->batch);
    fi_event_add_figure(&e, "steps_per_epoch", (double)r->steps);
    fi_event_add_figure(&e, "threads", fanin_threads(r->t->ctx));
    fi_event_add_figure(&e, "planned_megabytes",
                        (double)r->t->exec->planned * sizeof(fi_real) / 1e6);
    if (r->at.epoch || r->at.step) {
        fi_event_add_figure(&e, "resumed_epoch", (double)r->at.epoch);
        fi_event_add_figure(&e, "resumed_step", (double)r->at.step);
    }
    send(r, &e);
    fi_tell_params(net, &r->t->policies, send_to_run, (void *)(uintptr_t)r);
}

/* ---- checkpoints ----------------------------------------------------------------------------------------- */

static uint64_t identity(const struct run *r) {
    const fanin_net *net = r->model->net;
    uint64_t h = fi_hash_mix(fi_data_fingerprint(r->data), fi_hash_text(FANIN_VERSION));
    h = fi_hash_mix(h, r->o->seed);
    h = fi_hash_mix(h, (uint64_t)r->t->batch);
    h = fi_hash_mix(h, (uint64_t)r->t->shards);
    h = fi_hash_mix(h, fi_hash_text(r->t->update.optim->head.name));
    if (r->t->average.rule) h = fi_hash_mix(h, fi_hash_text(r->t->average.rule->head.name));
    for (int i = 0; i < net->n_nodes; i++) {
        h = fi_hash_mix(h, fi_hash_text(net->nodes[i].name));
        h = fi_hash_mix(h, fi_hash_text(net->nodes[i].op ? net->nodes[i].op->head.name : "input"));
        h = fi_hash_mix(h, (uint64_t)net->nodes[i].shape.cols);
    }
    return h;
}

static bool finite_params(const struct run *r) {
    return r->t->ctx->kernels->all_finite(r->model->params, r->model->net->param_size);
}

static enum fanin_status checkpoint(const struct run *r) {
    struct fi_event e;
    if (!r->o->checkpoint || !finite_params(r)) return FANIN_OK;
    fi_lap_stage(r->t->exec->clocks, FI_STAGE_RUN);
    FI_TRY(fi_checkpoint_save(r->t, &r->at, r->o->checkpoint));
    fi_lap_stage(r->t->exec->clocks, FI_STAGE_CHECKPOINT);
    fi_event_init(&e, FANIN_EVENT_CHECKPOINT);
    e.event.epoch = r->at.epoch + (r->at.step > 0);
    fi_event_add_text(&e, "path", r->o->checkpoint);
    send(r, &e);
    return FANIN_OK;
}

/* ---- an epoch --------------------------------------------------------------------------------------------- */

static void load(void *arg, const struct fi_load *to) {
    const struct run *r = arg;
    const int64_t *index = r->index + to->first;
    for (int64_t i = 0; i < to->n && to->order; i++)
        r->ordered[i] = r->index[to->order[to->first + i]];
    if (to->order) index = r->ordered;
    const struct fi_known known = {.labels = to->labels,
                                   .targets = to->targets->data,
                                   .ld = to->targets->ld,
                                   .raw = r->model->task != FANIN_REGRESSION,
                                   .weights = to->weights};
    if (to->x) fi_data_gather(r->data, FANIN_TRAIN, index, to->n, to->x->data, to->x->ld);
    fi_data_gather_known(r->data, FANIN_TRAIN, index, to->n, &known);
}

/* Of samples of which none counts: 0. */
static double mean(double sum, double weight) {
    return weight > 0 ? sum / weight : 0;
}

static void tell_step(struct run *r) {
    struct fi_event e;
    const double time = fi_seconds();
    if (time - r->last_told < 0.1) return;
    r->last_told = time;
    fi_event_init(&e, FANIN_EVENT_STEP);
    e.event.epoch = r->at.epoch + 1;
    fi_event_add_figure(&e, "loss", mean(r->t->sums.data, r->t->sums.weight));
    send(r, &e);
}

/* The event's receiver may look at the model as it is now. */
static void tell_look(struct run *r) {
    struct fi_event e;
    if (r->o->look_every < 1 || r->t->t % r->o->look_every != 0) return;
    fi_event_init(&e, FANIN_EVENT_LOOK);
    e.event.epoch = r->at.epoch + 1;
    send(r, &e);
}

static void send_now(void *payload, struct fi_event *e) {
    const struct run *r = payload;
    e->event.epoch = r->at.epoch + 1;
    send(r, e);
}

static void send_watched(void *payload, struct fi_event *e) {
    fi_keep_watched(((const struct run *)payload)->t, e);
    send_now(payload, e);
}

static enum fanin_status run_epoch(struct run *r) {
    struct fi_batch batch = {
        .load = load, .arg = r, .weighted = fi_data_weighted(r->data, FANIN_TRAIN)};
    /* Looking at the clock costs as much as a small step: look about once in 10^7 operations. */
    const double cost = (double)r->t->batch * (double)r->model->net->param_size;
    const int64_t look = cost > 1e6 ? 1 : 64;
    while (r->at.step < r->steps) {
        if (r->t->profile) fi_profile_begin(r->t, false);
        const int64_t first = r->at.step * r->t->batch;
        const int64_t step = r->at.epoch * r->steps + r->at.step, total = r->epochs * r->steps;
        fi_trainer_schedule(r->t, step, total, r->steps);
        batch.rows = FI_MIN(r->t->batch, r->rows - first);
        fi_data_order(r->data, FANIN_TRAIN, r->o->seed, (uint64_t)r->at.epoch, first, batch.rows,
                      r->index);
        const enum fanin_status status =
            fi_trainer_run(r->t, &batch, fi_pace_factor(&r->t->lr, step, total, r->steps),
                           fi_pace_factor(&r->t->momentum, step, total, r->steps), NULL);
        if (status == FANIN_OK) {
            fi_averaging_update(r->t);
            if (r->t->profile) fi_profile_end(r->t, batch.rows);
            r->at.step++;
            if (fi_watch_done(r->t)) fi_watch_tell(r->t, send_watched, r);
            tell_look(r);
        }
        fi_trouble_tell(r->t, send_now, r);
        FI_TRY(status);
        if (r->t->ctx->stop) {
            FI_TRY(checkpoint(r));
            return fi_fail(r->t->ctx, FANIN_ERR_STOPPED, "stopped in epoch %lld after step %lld",
                           (long long)r->at.epoch + 1, (long long)r->at.step);
        }
        if (r->at.step % look == 0) tell_step(r);
    }
    const enum fanin_status status = finite_params(r) ? FANIN_OK : fi_trouble_params(r->t);
    fi_trouble_tell(r->t, send_now, r);
    return status;
}

/* Mean over the epoch's samples: the data's share of the loss, each regularizer's, the sum. */
static void add_losses(struct run *r, struct fi_event *e) {
    const struct fi_terms *terms = &r->t->terms;
    const double weight = r->t->sums.weight;
    double total = mean(r->t->sums.data, weight);
    const int at = e->event.n_figures;
    fi_event_add_figure(e, "loss", 0);
    if (terms->n > 0) fi_event_add_figure(e, "loss_data", total);
    for (int i = 0; i < terms->n; i++) {
        const double value = mean(r->t->sums.terms[i], weight) + fi_term_value(r->t, i);
        snprintf(r->term_names[i], sizeof r->term_names[i], "loss_%s",
                 terms->records[i]->head.name);
        fi_event_add_figure(e, r->term_names[i], value);
        total += value;
    }
    e->figures[at].value = total;
}

/* The strengths that change with time, as they were at the last update. */
static void add_strengths(struct run *r, struct fi_event *e) {
    int n = 0;
    for (int i = 0; i < r->t->policies.n_all && n < FI_MAX_REGS; i++) {
        const struct fi_penalty *p = r->t->policies.all[i];
        const struct fi_reg_attrs *common = p->attrs;
        if (!common->schedule.record) continue;
        int same = 1; /* which one of this record it is */
        for (int k = 0; k < i; k++)
            same += r->t->policies.all[k]->reg == p->reg &&
                    ((const struct fi_reg_attrs *)r->t->policies.all[k]->attrs)->schedule.record;
        char *name = r->strength_names[n++];
        snprintf(name, sizeof r->strength_names[0], same > 1 ? "strength_%s_%d" : "strength_%s",
                 p->reg->head.name, same);
        fi_event_add_figure(e, name, p->factor * p->reg->strength(p->attrs));
    }
}

static int64_t patience(const struct run *r) {
    return r->o->patience > 0 ? r->o->patience : 10;
}

/* Keeps the best parameters; true when patience is at its end. */
static bool patience_ends(struct run *r, const struct fi_eval *eval) {
    const int i = fi_eval_find(eval, r->o->early_stop_metric);
    const double sign = eval->higher_is_better[i] ? 1 : -1;
    const double value = sign * eval->figures[i].value;
    if (r->at.best_epoch == 0 || value > r->at.best + r->o->min_delta) {
        r->at.best = value;
        r->at.best_epoch = r->at.epoch;
        r->at.bad_epochs = 0;
        memcpy(r->at.best_params, r->model->params,
               (size_t)r->model->net->param_size * sizeof(fi_real));
    } else {
        r->at.bad_epochs++;
    }
    return r->at.bad_epochs >= patience(r);
}

/* Schedules that follow a figure are told it. */
static void tell_schedules(fanin_trainer *t, const struct fi_eval *eval) {
    struct fi_pace *const paces[] = {&t->lr, &t->momentum};
    for (int i = 0; i < FI_COUNT(paces); i++) {
        const struct fi_schedule *schedule = paces[i]->schedule;
        if (!schedule || !schedule->metric) continue;
        const int k = fi_eval_find(eval, schedule->metric(paces[i]->attrs));
        schedule->observe(paces[i]->attrs, paces[i]->base, eval->figures[k].value,
                          eval->higher_is_better[k], paces[i]->state);
    }
}

/* The validation part with the weights as they would be saved; *eval has no figures without one. */
static enum fanin_status validate(struct run *r, struct fi_eval *eval, bool *stop) {
    struct fi_arena arena;
    if (fanin_data_rows(r->data, FANIN_VALIDATION) < 1) return FANIN_OK;
    fi_lap_stage(r->t->exec->clocks, FI_STAGE_RUN);
    FI_TRY(fi_averaging_show(r->t, r->data, r->o->seed));
    fi_arena_init(&arena, r->t->ctx);
    const struct fi_eval_options options = {.part = FANIN_VALIDATION, .also = r->watched};
    const enum fanin_status status = fi_evaluate(r->model, r->data, &options, &arena, eval);
    fi_arena_free(&arena);
    if (status == FANIN_OK) {
        tell_schedules(r->t, eval);
        if (r->o->early_stop_metric) *stop = patience_ends(r, eval);
    }
    fi_averaging_hide(r->t);
    fi_lap_stage(r->t->exec->clocks, FI_STAGE_VALIDATE);
    return status;
}

static enum fanin_status finish_epoch(struct run *r, bool *stop) {
    char validation[FI_MAX_FIGURES][48];
    struct fi_event e;
    struct fi_eval eval = {0};
    fi_event_init(&e, FANIN_EVENT_EPOCH);
    add_losses(r, &e);
    const double lr = r->t->update.step.lr;
    const double momentum = r->t->momentum.base * r->t->update.step.momentum;
    memset(&r->t->sums, 0, sizeof(r->t->sums));
    r->at.epoch++;
    r->at.step = 0;
    e.event.epoch = r->at.epoch;
    FI_TRY(validate(r, &eval, stop));
    for (int i = 0; i < eval.n; i++) {
        snprintf(validation[i], sizeof validation[i], "val_%s", eval.figures[i].name);
        fi_event_add_figure(&e, validation[i], eval.figures[i].value);
    }
    add_strengths(r, &e);
    fi_event_add_figure(&e, "lr", lr);
    if (r->t->momentum.schedule) fi_event_add_figure(&e, "momentum", momentum);
    if (r->t->average.n > 0) fi_event_add_figure(&e, "averaged", (double)r->t->average.n);
    fi_keep_epoch(r->t, &e);
    fi_event_add_figure(&e, "seconds", fi_seconds() - r->epoch_began);
    send(r, &e);
    const int64_t every = r->o->checkpoint_every > 0 ? r->o->checkpoint_every : 1;
    return r->at.epoch % every == 0 || *stop || r->at.epoch == r->epochs ? checkpoint(r) : FANIN_OK;
}

/* ---- the run ------------------------------------------------------------------------------------------------ */

static enum fanin_status check_schedules(struct run *r) {
    static const char *const keys[] = {"schedule.plateau", "momentum_schedule.plateau"};
    const struct fi_pace *const paces[] = {&r->t->lr, &r->t->momentum};
    int n = 0;
    if (r->o->early_stop_metric) r->watched[n++] = r->o->early_stop_metric;
    for (int i = 0; i < FI_COUNT(paces); i++) {
        const struct fi_schedule *schedule = paces[i]->schedule;
        if (!schedule || !schedule->metric) continue;
        r->watched[n++] = schedule->metric(paces[i]->attrs);
        FI_TRY(fi_check_figure(r->model, r->data, keys[i], r->watched[n - 1]));
    }
    return FANIN_OK;
}

static enum fanin_status check_early_stop(struct run *r) {
    if (!r->o->early_stop_metric) return FANIN_OK;
    FI_TRY(fi_check_figure(r->model, r->data, "train.early_stop", r->o->early_stop_metric));
    r->at.best_params = fi_arena_alloc(&r->arena, r->model->net->param_size, sizeof(fi_real));
    return r->at.best_params ? FANIN_OK : FANIN_ERR_MEMORY;
}

/* Numbers of categories cannot be mixed: what lies between two of them is a third. */
static enum fanin_status check_mixup(const struct run *r) {
    const struct fi_table *t = &r->data->tables[FANIN_TRAIN];
    for (int64_t c = 0; r->o->mixup > 0 && t->vocabulary && c < t->shape.cols; c++)
        if (t->vocabulary[c] > 0)
            return fi_fail(r->model->ctx, FANIN_ERR_RECIPE,
                           "train.mixup: input %s is the number of a category, which cannot be "
                           "mixed: read it with categories: one_hot, or set train.mixup to 0",
                           t->input_names ? t->input_names[c] : "");
    return FANIN_OK;
}

/* A run that was stopped after the last step of an epoch tells of that epoch without another step:
 * with the rates and strengths of the step before. */
static void take_up_pace(const struct run *r) {
    fanin_trainer *t = r->t;
    const int64_t step = r->at.epoch * r->steps + r->at.step - 1, total = r->epochs * r->steps;
    if (r->at.step < 1) return;
    fi_trainer_schedule(t, step, total, r->steps);
    t->update.step.lr = t->lr.base * fi_pace_factor(&t->lr, step, total, r->steps);
    t->update.step.momentum = fi_pace_factor(&t->momentum, step, total, r->steps);
}

static enum fanin_status prepare(struct run *r) {
    struct fanin_train_options o = *r->o;
    r->rows = fanin_data_rows(r->data, FANIN_TRAIN);
    r->epochs = r->o->epochs > 0 ? r->o->epochs : 10;
    FI_TRY(fi_check_data(r->model, r->data));
    FI_TRY(check_mixup(r));
    if (o.batch > r->rows)
        return fi_fail(r->model->ctx, FANIN_ERR_RECIPE,
                       "train.batch %lld is more than the %lld training samples: set it to %lld or "
                       "less",
                       (long long)o.batch, (long long)r->rows, (long long)r->rows);
    if (o.batch == 0) o.batch = FI_MIN(128, r->rows);
    FI_TRY(fanin_trainer_create(&r->t, r->model, &o));
    r->steps = (r->rows + r->t->batch - 1) / r->t->batch;
    if (r->t->exec->needs_two_rows && r->rows % r->t->batch == 1 && r->steps > 1) {
        r->steps--;
        warn(r, "the last batch of an epoch would be one sample, which batch normalization cannot "
                "train on: it is dropped");
    }
    r->index = fi_arena_alloc(&r->arena, r->t->batch, sizeof(*r->index));
    r->ordered = fi_arena_alloc(&r->arena, r->t->shard_rows, sizeof(*r->ordered));
    if (!r->index || !r->ordered) return FANIN_ERR_MEMORY;
    FI_TRY(check_early_stop(r));
    FI_TRY(check_schedules(r));
    FI_TRY(fi_averaging_create(r->t, &r->o->average, r->epochs * r->steps, r->steps));
    r->at.identity = identity(r);
    FI_TRY(fi_keep_begin(r->t, r->epochs, r->steps));
    return r->o->resume && r->o->checkpoint ? fi_checkpoint_load(r->t, &r->at, r->o->checkpoint)
                                            : FANIN_OK;
}

static enum fanin_status run(struct run *r) {
    FI_TRY(prepare(r));
    take_up_pace(r);
    bool stop = r->o->early_stop_metric && r->at.bad_epochs >= patience(r);
    tell_start(r);
    while (r->at.epoch < r->epochs && !stop) {
        r->epoch_began = fi_seconds();
        FI_TRY(run_epoch(r));
        FI_TRY(finish_epoch(r, &stop));
    }
    r->ended = stop ? "no improvement on the validation data" : "all epochs done";
    if (r->at.best_params && r->at.best_epoch > 0)
        memcpy(r->model->params, r->at.best_params,
               (size_t)r->model->net->param_size * sizeof(fi_real));
    else
        FI_TRY(fi_averaging_show(r->t, r->data, r->o->seed));
    struct fi_event e;
    fi_event_init(&e, FANIN_EVENT_END);
    e.event.epoch = r->at.epoch;
    fi_event_add_text(&e, "reason", r->ended);
    fi_event_add_figure(&e, "epochs", (double)r->at.epoch);
    if (r->at.best_params) fi_event_add_figure(&e, "best_epoch", (double)r->at.best_epoch);
    fi_event_add_figure(&e, "seconds", fi_seconds() - r->began);
    send(r, &e);
    return FANIN_OK;
}

enum fanin_status fanin_train(fanin_model *model, const fanin_data *data,
                              const struct fanin_train_options *options) {
    static const struct fanin_train_options defaults = {.size = sizeof(defaults)};
    struct run r = {.model = model, .data = data, .o = options ? options : &defaults};
    r.began = r.last_told = fi_seconds();
    fi_arena_init(&r.arena, model->ctx);
    enum fanin_status status = run(&r);
    if (r.t && r.t->profile) fi_profile_tell(r.t, r.steps, send_to_run, &r);
    fanin_trainer_free(r.t);
    fi_arena_free(&r.arena);
    return status;
}
