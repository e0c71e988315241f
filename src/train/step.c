/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One training step. A batch is split into `shards` equal runs of rows; each goes forward, through
 * the loss and back. With one shard and no clipping, finished tiles of gradient go straight to the
 * optimizer; otherwise shard gradients are summed by a fixed binary tree and applied afterwards.
 * Nothing here allocates: the trainer holds all it needs.
 */
#include <math.h>
#include <string.h>

#include "kernel/kernel.h"
#include "schedule/schedule.h"
#include "train/watch.h"

/* ---- set-up ------------------------------------------------------------------------------------ */

static const struct fanin_rule default_optim = {
    .name = "sgd",
    .attrs = (const struct fanin_attr[]){{.name = "lr", .number = 0.1},
                                         {.name = "momentum", .number = 0.9}},
    .n_attrs = 2};
static const struct fanin_rule default_schedule = {.name = "constant"};

/* The place of a record among the terms of the loss. */
static int term_of(const struct fi_terms *terms, const struct fi_reg *reg) {
    int i = 0;
    while (i < terms->n && terms->records[i] != reg) i++;
    return i;
}

static enum fanin_status sort_terms(fanin_trainer *t) {
    struct fi_terms *terms = &t->terms;
    for (int i = 0; i < t->policies.n_all; i++) {
        struct fi_penalty *p = t->policies.all[i];
        const struct fi_reg_attrs *common = p->attrs;
        const struct fi_schedule *schedule =
            (const struct fi_schedule *)(const void *)common->schedule.record;
        if (schedule && schedule->metric)
            return fi_fail(
                t->ctx, FANIN_ERR_RECIPE,
                "regularize.%s.schedule: %s reacts to the validation part and is for the "
                "learning rate or the momentum",
                p->reg->head.name, schedule->head.name);
        terms->scheduled |= schedule != NULL;
        terms->on_outputs |= p->reg->outputs;
        if (!p->reg->decay && term_of(terms, p->reg) == terms->n) {
            if (terms->n == FI_MAX_REGS)
                return fi_fail(t->ctx, FANIN_ERR_RECIPE, "regularize: more than %d regularizers",
                               FI_MAX_REGS);
            terms->records[terms->n++] = p->reg;
        }
        if (!p->reg->of_entropy) continue;
        if (!t->model->loss->entropy)
            return fi_fail(t->ctx, FANIN_ERR_RECIPE,
                           "regularize: %s needs predictions that are a distribution, and %s has "
                           "none: use softmax_cross_entropy",
                           p->reg->head.name, t->model->loss->head.name);
        if (terms->n_entropy == FI_MAX_REGS)
            return fi_fail(t->ctx, FANIN_ERR_RECIPE, "regularize: more than %d on predictions",
                           FI_MAX_REGS);
        terms->entropy[terms->n_entropy++] = p;
    }
    return FANIN_OK;
}

static enum fanin_status choose_momentum(fanin_trainer *t, const struct fanin_train_options *o) {
    const struct fi_optim *optim = t->update.optim;
    struct fanin_rule_ref schedule;
    if (!o->momentum_schedule.name) return FANIN_OK;
    FI_TRY(fi_rule_resolve(&t->arena, &schedule, "schedule", &o->momentum_schedule,
                           "momentum_schedule"));
    t->momentum.base = optim->momentum ? optim->momentum(t->update.step.attrs) : 0;
    if (t->momentum.base == 0)
        return fi_fail(t->ctx, FANIN_ERR_RECIPE,
                       "momentum_schedule: %s %s, so there is nothing to scale: give the optimizer "
                       "a momentum (sgd, rmsprop) or take one with beta1 (adam, adamw)",
                       optim->head.name, optim->momentum ? "has momentum 0" : "has no momentum");
    t->momentum.schedule = (const struct fi_schedule *)(const void *)schedule.record;
    t->momentum.attrs = schedule.attrs;
    return FANIN_OK;
}

void fi_trainer_schedule(fanin_trainer *t, int64_t step, int64_t total, int64_t steps_per_epoch) {
    if (!t->terms.scheduled) return;
    for (int i = 0; i < t->policies.n_all; i++) {
        struct fi_penalty *p = t->policies.all[i];
        const struct fi_reg_attrs *common = p->attrs;
        const struct fi_pace pace = {
            .schedule = (const struct fi_schedule *)(const void *)common->schedule.record,
            .attrs = common->schedule.attrs};
        p->factor = fi_pace_factor(&pace, step, total, steps_per_epoch);
    }
    fi_policies_set_decay(&t->policies, t->model->net);
}

static enum fanin_status choose_rules(fanin_trainer *t, const struct fanin_train_options *o) {
    struct fanin_rule_ref optim, schedule;
    FI_TRY(fi_rule_resolve(&t->arena, &optim, "optim", o->optim.name ? &o->optim : &default_optim,
                           "optim"));
    FI_TRY(fi_rule_resolve(&t->arena, &schedule, "schedule",
                           o->schedule.name ? &o->schedule : &default_schedule, "schedule"));
    t->lr.schedule = (const struct fi_schedule *)(const void *)schedule.record;
    t->lr.attrs = schedule.attrs;
    t->update.optim = (const struct fi_optim *)(const void *)optim.record;
    t->update.step.attrs = optim.attrs;
    t->update.n_states =
        t->update.optim->keeps ? t->update.optim->keeps(optim.attrs) : t->update.optim->n_states;
    t->update.step.pow1 = t->update.step.pow2 = 1;
    t->lr.base = t->update.optim->lr(optim.attrs);
    t->update.step.momentum = 1;
    if (t->update.optim->powers) t->update.optim->powers(optim.attrs, &t->base1, &t->base2);
    FI_TRY(choose_momentum(t, o));
    FI_TRY(fi_policies_create(&t->policies, &t->arena, t->model->net, o, NULL));
    return sort_terms(t);
}

static enum fanin_status allocate_states(fanin_trainer *t) {
    for (int i = 0; i < t->update.n_states; i++)
        if (!(t->update.state[i] =
                  fi_arena_alloc(&t->arena, t->model->net->param_size, sizeof(fi_real))))
            return FANIN_ERR_MEMORY;
    return FANIN_OK;
}

/* Who only looks makes at most the first update, which keeps no state. */
static enum fanin_status allocate(fanin_trainer *t, const struct fanin_train_options *o) {
    const int64_t size = t->model->net->param_size;
    if (!t->looks) FI_TRY(allocate_states(t));
    t->whole = t->shards > 1 || t->clip_norm > 0 || t->looks;
    if (t->whole) {
        t->n_grads = 1;
        for (int64_t s = t->shards; s > 1; s /= 2) t->n_grads++;
        t->grads = fi_arena_alloc(&t->arena, t->n_grads + 1, sizeof(*t->grads));
        if (!t->grads) return FANIN_ERR_MEMORY;
        for (int i = 0; i < t->n_grads; i++)
            if (!(t->grads[i] = fi_arena_alloc(&t->arena, size, sizeof(fi_real))))
                return FANIN_ERR_MEMORY;
    }
    FI_TRY(fi_samples_create(t, o));
    t->h = fi_arena_alloc(&t->arena, t->shard_rows, sizeof(double));
    t->coefficient = fi_arena_alloc(&t->arena, t->shard_rows, sizeof(double));
    uint64_t *keys = fi_arena_alloc(&t->arena, t->model->net->n_params, sizeof(*keys));
    if (!t->h || !t->coefficient || !keys) return FANIN_ERR_MEMORY;
    for (int i = 0; i < t->model->net->n_params; i++)
        keys[i] = fi_key(o->seed, "rounding_noise", t->model->net->params[i].name);
    t->update.noise_keys = keys;
    return FANIN_OK;
}

/* Room for the gradients of penalties on whole tensors. */
static enum fanin_status allocate_whole(fanin_trainer *t) {
    int64_t most = 0;
    for (int i = 0; i < t->model->net->n_params; i++) {
        const struct fi_param *p = &t->model->net->params[i];
        struct fi_policy *policy = &t->policies.params[i];
        for (int k = 0; k < policy->penalties.n; k++) {
            const struct fi_whole *whole = policy->penalties.items[k]->reg->whole;
            if (!whole) continue;
            most = FI_MAX(most, whole->work(p->out, p->in));
            if (!policy->added &&
                !(policy->added = fi_arena_alloc(&t->arena, p->size, sizeof(fi_real))))
                return FANIN_ERR_MEMORY;
        }
    }
    if (most > 0 && !(t->terms.work = fi_arena_alloc(&t->arena, most, sizeof(fi_real))))
        return FANIN_ERR_MEMORY;
    return FANIN_OK;
}

static enum fanin_status check_options(fanin_trainer *t, const struct fanin_train_options *o) {
    t->batch = o->batch > 0 ? o->batch : 128;
    t->shards = o->shards > 0 ? o->shards : 1;
    t->clip_norm = o->clip_norm;
    if (t->shards & (t->shards - 1) || t->shards > 4096)
        return fi_fail(t->ctx, FANIN_ERR_RECIPE,
                       "train.shards is %lld: it must be a power of two up to 4096",
                       (long long)t->shards);
    if (t->batch % t->shards != 0)
        return fi_fail(t->ctx, FANIN_ERR_RECIPE,
                       "train.batch %lld cannot be split into %lld equal shards: set train.shards "
                       "to a power of two that divides it",
                       (long long)t->batch, (long long)t->shards);
    t->shard_rows = t->batch / t->shards;
    return FANIN_OK;
}

static enum fanin_status setup(fanin_trainer *t, const struct fanin_train_options *o) {
    FI_TRY(check_options(t, o));
    FI_TRY(choose_rules(t, o));
    if (!o->allow_symmetric) FI_TRY(fi_guard(t->model, &t->policies, o->rounding_noise > 0));
    FI_TRY(fi_exec_create_run(&t->exec, t->model, t->shard_rows, t->looks ? FI_WATCH : FI_TRAIN,
                              &t->policies));
    if (t->exec->needs_two_rows && t->shard_rows < 2)
        return fi_fail(t->ctx, FANIN_ERR_RECIPE,
                       "batch normalization has one value per channel: a batch (or shard) of one "
                       "sample has no variance; set train.batch to 2 or more");
    FI_TRY(allocate(t, o));
    FI_TRY(allocate_whole(t));
    t->update.policies = t->policies.params;
    t->update.noise = o->rounding_noise;
    t->update.clip_value = o->clip_value;
    fi_update_prepare(&t->update, t->model->net, t->policies.params);
    t->exec->update = &t->update;
    if (o->profile && !t->looks) FI_TRY(fi_profile_create(t));
    t->event = o->event;
    t->event_payload = o->event_payload;
    t->watch_every = t->looks ? 0 : o->watch;
    if (t->watch_every < 0)
        return fi_fail(t->ctx, FANIN_ERR_RECIPE, "train.watch is %lld: it must be 0 or more",
                       (long long)t->watch_every);
    if (t->looks) return FANIN_OK;
    FI_TRY(fi_health_create(t));
    return t->watch_every > 0 ? fi_watch_create(t) : FANIN_OK;
}

enum fanin_status fi_trainer_create(fanin_trainer **out, fanin_model *model,
                                    const struct fanin_train_options *options, bool watch) {
    static const struct fanin_train_options defaults = {.size = sizeof(defaults)};
    *out = NULL;
    fanin_trainer *t = fi_alloc(model->ctx, 1, sizeof(*t));
    if (!t) return FANIN_ERR_MEMORY;
    t->ctx = model->ctx;
    t->model = model;
    t->looks = watch;
    fi_arena_init(&t->arena, model->ctx);
    enum fanin_status status = setup(t, options ? options : &defaults);
    if (status != FANIN_OK) {
        fanin_trainer_free(t);
        return status;
    }
    *out = t;
    return FANIN_OK;
}

enum fanin_status fanin_trainer_create(fanin_trainer **out, fanin_model *model,
                                       const struct fanin_train_options *options) {
    return fi_trainer_create(out, model, options, false);
}

void fanin_trainer_free(fanin_trainer *trainer) {
    if (!trainer) return;
    fanin_ctx *ctx = trainer->ctx;
    fi_watch_free(trainer);
    fi_exec_free(trainer->exec);
    fi_arena_free(&trainer->arena);
    fi_free(ctx, trainer);
}

/* ---- the loss of a shard ---------------------------------------------------------------------------- */

double fi_entropy_terms(fanin_trainer *t, const struct fi_reg *only, const struct fanin_tensor *z,
                        const struct fanin_tensor *dz, int64_t rows, fi_real scale) {
    const struct fi_loss *loss = t->model->loss;
    double total = 0;
    if (t->terms.n_entropy == 0) return 0;
    loss->entropy(t->model->loss_attrs, z, t->h, NULL, NULL, 0);
    memset(t->coefficient, 0, (size_t)rows * sizeof(double));
    for (int i = 0; i < t->terms.n_entropy; i++)
        for (int64_t r = 0; r < rows; r++) {
            const struct fi_penalty *p = t->terms.entropy[i];
            double slope;
            if (only && p->reg != only) continue;
            const double value = p->factor * p->reg->of_entropy(p->attrs, t->h[r], &slope);
            const double counts = t->even ? 1 : t->share[r];
            t->coefficient[r] += counts * p->factor * slope;
            if (!only) t->sums.terms[term_of(&t->terms, p->reg)] += counts * value;
            total += counts * value;
        }
    loss->entropy(t->model->loss_attrs, z, t->h, t->coefficient, dz, scale);
    return total;
}

/* Σ over the samples of the penalties on the outputs of layers, times `counts`: they are a mean
 * over all samples, whatever these count in the loss. */
static double output_terms(fanin_trainer *t, double counts) {
    double total = 0;
    for (int node = 0; t->terms.on_outputs && node < t->model->net->n_nodes; node++)
        for (int i = 0; i < t->policies.outputs[node].n; i++) {
            const struct fi_penalty *p = t->policies.outputs[node].items[i];
            const double value = counts * fi_exec_output_penalty(t->exec, node, p);
            t->sums.terms[term_of(&t->terms, p->reg)] += value;
            total += value;
        }
    return total;
}

/* What the gradient of a shard's loss is multiplied by. */
static fi_real shard_scale(const fanin_trainer *t) {
    return (fi_real)(t->weight > 0 ? 1.0 / t->weight : 0);
}

/* Forward, and the gradient by the result; *data: the loss of the samples without penalties. */
static enum fanin_status forward_shard(fanin_trainer *t, const struct fi_batch *batch,
                                       int64_t first, int64_t rows, double *sum, double *data) {
    struct fi_exec *e = t->exec;
    const int result = e->result;
    const fi_real scale = shard_scale(t);
    fi_samples_load(t, batch, first, rows);
    fi_lap_stage(e->clocks, FI_STAGE_LOAD);
    fi_exec_forward(e, rows, first, (uint64_t)t->t);
    *data = fi_samples_loss(t, &e->y[result], &e->dy[result], scale);
    double terms = fi_entropy_terms(t, NULL, &e->y[result], &e->dy[result], rows, scale);
    terms += output_terms(t, t->weight / (double)batch->rows);
    fi_lap_stage(e->clocks, FI_STAGE_LOSS);
    e->sample_share = 1.0 / (double)batch->rows;
    t->sums.data += *data;
    *sum += *data + terms;
    if (!isfinite(*data + terms)) {
        const char *tensor = fi_exec_first_not_finite(e);
        return fi_fail(
            t->ctx, FANIN_ERR_DIVERGED,
            "step %lld: the loss is %s; the first tensor that is not finite is %s: lower "
            "the learning rate, or look at the data's scale",
            (long long)t->t + 1, isnan(*data + terms) ? "not a number" : "infinite",
            tensor ? tensor : "the loss itself");
    }
    return FANIN_OK;
}

/* What a watched step repeats for its figures is not part of any node's time. */
static void watch_shard(fanin_trainer *t, int64_t rows, double data) {
    struct fi_clocks *clocks = t->exec->clocks;
    t->exec->clocks = NULL;
    fi_watch_shard(t, rows, data, shard_scale(t));
    t->exec->clocks = clocks;
    fi_lap_stage(clocks, FI_STAGE_STEP);
}

/* Forward, loss, backward of rows first .. first+rows-1. The sum of the losses goes to *sum. */
static enum fanin_status run_shard(fanin_trainer *t, const struct fi_batch *batch, int64_t first,
                                   int64_t rows, double *sum) {
    double data;
    FI_TRY(forward_shard(t, batch, first, rows, sum, &data));
    fi_exec_backward(t->exec);
    if (t->watching) watch_shard(t, rows, data);
    return FANIN_OK;
}

/* ---- whole gradients ------------------------------------------------------------------------------------ */

static void add_into(fanin_trainer *t, fi_real *to, const fi_real *from) {
    t->ctx->kernels->add(to, from, t->model->net->param_size);
}

/* grads[0] is the leaf in work; grads[1 + l] waits for its sibling at level l. Shard s closes the
 * levels of its trailing one bits, so the sum is the binary tree over the shards' indexes. */
static enum fanin_status sum_shards(fanin_trainer *t, const struct fi_batch *batch, double *sum) {
    for (int64_t s = 0; s < t->shards; s++) {
        const int64_t first = s * t->shard_rows;
        const int64_t rows = FI_MIN(t->shard_rows, batch->rows - first);
        memset(t->grads[0], 0, (size_t)t->model->net->param_size * sizeof(fi_real));
        t->update.grads = t->grads[0];
        if (rows > 0 && !(rows == 1 && t->exec->needs_two_rows))
            FI_TRY(run_shard(t, batch, first, rows, sum));
        int level = 0;
        for (; (s >> level) & 1; level++) add_into(t, t->grads[0], t->grads[1 + level]);
        if (level + 1 < t->n_grads) {
            fi_real *swap = t->grads[1 + level];
            t->grads[1 + level] = t->grads[0];
            t->grads[0] = swap;
        }
        fi_lap_stage(t->exec->clocks, FI_STAGE_UPDATE);
    }
    return FANIN_OK;
}

static void finish_whole(fanin_trainer *t) {
    fi_real *g = t->grads[0];
    const int64_t n = t->model->net->param_size;
    if (t->watching) fi_watch_gradient(t);
    fi_update_finish_gradient(t->exec, &t->update, g);
    if (t->watching) fi_watch_finished(t);
    if (t->clip_norm > 0) {
        const double norm = sqrt(t->ctx->kernels->sum_squares(g, n));
        if (norm > t->clip_norm) t->ctx->kernels->scale(g, (fi_real)(t->clip_norm / norm), n);
    }
}

static void apply_whole(fanin_trainer *t) {
    finish_whole(t);
    fi_update_apply(t->exec, &t->update, t->grads[0]);
    if (t->watching) fi_watch_updated(t);
    fi_lap_stage(t->exec->clocks, FI_STAGE_UPDATE);
}

/* The gradients of penalties on whole tensors, of the weights before the step. */
static void penalize_whole(fanin_trainer *t) {
    for (int i = 0; t->terms.work && i < t->model->net->n_params; i++) {
        const struct fi_param *p = &t->model->net->params[i];
        const struct fi_policy *policy = &t->policies.params[i];
        if (!policy->added) continue;
        memset(policy->added, 0, (size_t)p->size * sizeof(fi_real));
        for (int k = 0; k < policy->penalties.n; k++) {
            const struct fi_penalty *penalty = policy->penalties.items[k];
            if (penalty->reg->whole)
                (void)penalty->reg->whole->run(t->ctx, penalty->attrs, penalty->factor, p->out,
                                               p->in, t->model->params + p->offset, policy->added,
                                               t->terms.work);
        }
    }
}

/* ---- the step ------------------------------------------------------------------------------------------ */

static enum fanin_status update(fanin_trainer *t, const struct fi_batch *batch, double *sum) {
    if (t->whole || t->watching) {
        FI_TRY(sum_shards(t, batch, sum));
        apply_whole(t);
    } else {
        t->update.grads = NULL;
        FI_TRY(run_shard(t, batch, 0, batch->rows, sum));
    }
    if (t->policies.constrained) fi_update_constrain(t->exec, &t->update);
    fi_lap_stage(t->exec->clocks, FI_STAGE_CONSTRAIN);
    return FANIN_OK;
}

enum fanin_status fi_trainer_run(fanin_trainer *t, const struct fi_batch *batch, double lr_factor,
                                 double momentum_factor, double *loss) {
    struct fi_optim_step *o = &t->update.step;
    const double before = t->sums.data;
    const bool watched = fi_watch_due(t);
    double sum = 0;
    o->lr = t->lr.base * lr_factor;
    o->momentum = momentum_factor;
    o->t = t->t + 1;
    o->pow1 *= t->base1 * momentum_factor;
    o->pow2 *= t->base2;
    fi_samples_begin(t, batch);
    t->sums.weight += t->weight;
    fi_lap_stage(t->exec->clocks, FI_STAGE_LOAD);
    penalize_whole(t);
    fi_lap_stage(t->exec->clocks, FI_STAGE_UPDATE);
    if (watched) fi_watch_begin(t, batch->rows);
    t->exec->still = fi_health_begin(t);
    const enum fanin_status status = update(t, batch, &sum);
    t->exec->still = NULL;
    if (watched) fi_watch_end(t, status);
    if (status == FANIN_ERR_DIVERGED && !t->looks) return fi_trouble_not_finite(t, batch);
    FI_TRY(status);
    t->t++;
    fi_health_end(t, watched, batch->rows, t->weight > 0 ? (t->sums.data - before) / t->weight : 0);
    if (loss) *loss = t->weight > 0 ? sum / t->weight : 0;
    fi_lap_stage(t->exec->clocks, FI_STAGE_STEP);
    return FANIN_OK;
}

enum fanin_status fi_trainer_probe(fanin_trainer *t, const struct fi_batch *batch, double *loss) {
    double sum = 0;
    /* what gets a gradient is written over, and the rest was never touched */
    t->update.grads = t->grads[0];
    fi_samples_begin(t, batch);
    FI_TRY(run_shard(t, batch, 0, batch->rows, &sum));
    *loss = t->weight > 0 ? sum / t->weight : 0;
    return FANIN_OK;
}

enum fanin_status fi_trainer_look(fanin_trainer *t, const struct fi_batch *batch, double *loss) {
    double sum = 0, data;
    fi_samples_begin(t, batch);
    FI_TRY(forward_shard(t, batch, 0, batch->rows, &sum, &data));
    *loss = t->weight > 0 ? sum / t->weight : 0;
    return FANIN_OK;
}

double fi_trainer_loss(fanin_trainer *t, const struct fanin_tensor *z,
                       const struct fanin_tensor *dz) {
    const double share = t->weight > 0 ? 1.0 / t->weight : 0;
    double sum = fi_samples_loss(t, z, dz, (fi_real)share);
    sum += fi_entropy_terms(t, NULL, z, dz, z->rows, (fi_real)share);
    return sum * share;
}

enum fanin_status fi_trainer_try_first(fanin_trainer *t, double *lr, double *moves) {
    struct fi_optim_step *o = &t->update.step;
    const fanin_net *net = t->model->net;
    int64_t most = 0;
    for (int i = 0; i < net->n_params; i++) most = FI_MAX(most, net->params[i].size);
    fi_real *before = fi_alloc(t->ctx, most, sizeof *before);
    if (!before) return FANIN_ERR_MEMORY;
    *lr = o->lr = t->lr.base;
    o->t = 1;
    o->pow1 = t->base1;
    o->pow2 = t->base2;
    penalize_whole(t);
    finish_whole(t);
    for (int i = 0; i < net->n_params; i++) {
        const struct fi_param *p = &net->params[i];
        const size_t bytes = (size_t)p->size * sizeof *before;
        struct fi_measured_move moved;
        memcpy(before, t->model->params + p->offset, bytes);
        fi_update_first(t->exec, &t->update, i, t->grads[0]);
        fi_measure_move(before, t->model->params + p->offset, p->size, 0, &moved);
        memcpy(t->grads[0] + p->offset, before, bytes);
        moves[i] = moved.all;
    }
    fi_free(t->ctx, before);
    t->tried = true;
    return FANIN_OK;
}

void fi_trainer_undo_first(fanin_trainer *t) {
    if (t->tried)
        memcpy(t->model->params, t->grads[0],
               (size_t)t->model->net->param_size * sizeof *t->grads[0]);
    t->tried = false;
}

/* A penalty on one parameter; 0 where it is of another kind. */
static double penalty_value(const fanin_trainer *t, const struct fi_penalty *penalty,
                            const struct fi_param *p) {
    const struct fi_reg *reg = penalty->reg;
    const fi_real *w = t->model->params + p->offset;
    if (reg->whole)
        return reg->whole->run(t->ctx, penalty->attrs, 1, p->out, p->in, w, NULL, t->terms.work);
    return reg->value ? reg->value(penalty->attrs, w, p->size) : 0;
}

double fi_term_value(const fanin_trainer *t, int term) {
    double sum = 0;
    for (int i = 0; i < t->model->net->n_params; i++) {
        const struct fi_penalties *list = &t->policies.params[i].penalties;
        for (int k = 0; k < list->n; k++)
            if (list->items[k]->reg == t->terms.records[term])
                sum += list->items[k]->factor *
                       penalty_value(t, list->items[k], &t->model->net->params[i]);
    }
    return sum;
}
