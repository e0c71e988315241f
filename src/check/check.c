/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The check: looks at one start after another, each on the same batch, and puts theory beside
 * measurement. The first start is the one that would be trained: its law is predicted, its units
 * looked at, and the findings are about it.
 */
#include "check/check.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "kernel/kernel.h"
#include "kernel/math.h"

#define MOST_ROWS 128 /* unless more are asked for */
#define LIMIT 256     /* theory keeps all pairs of samples at every node */

/* ---- the batch ------------------------------------------------------------------------------------- */

struct source {
    const fanin_data *data;
    int64_t *index;
    bool raw; /* targets are learned as they are in the data */
};

static void load(void *arg, const struct fi_load *to) {
    const struct source *s = arg;
    for (int64_t r = 0; r < to->n; r++) {
        const int64_t *index = s->index + (to->order ? to->order[to->first + r] : to->first + r);
        const struct fanin_tensor *x = to->x, *t = to->targets;
        const struct fi_known known = {.labels = to->labels + r,
                                       .targets = t->data + r * t->ld,
                                       .ld = t->ld,
                                       .raw = s->raw,
                                       .weights = to->weights ? to->weights + r : NULL};
        if (x) fi_data_gather(s->data, FANIN_TRAIN, index, 1, x->data + r * x->ld, x->ld);
        fi_data_gather_known(s->data, FANIN_TRAIN, index, 1, &known);
    }
}

static void result_loss(void *trainer, const struct fanin_tensor *z,
                        const struct fanin_tensor *dz) {
    (void)fi_trainer_loss(trainer, z, dz);
}

/* ---- figures of one start -------------------------------------------------------------------------- */

/* mean and spread hold Σ x and Σ x² until all starts are seen. */
static void add_figure(double *sum, double *squares, double x) {
    *sum += x;
    *squares += x * x;
}

static void add_figures(struct fanin_check_layer *layer, const struct fanin_check_figures *f) {
    add_figure(&layer->measured.mean, &layer->spread.mean, f->mean);
    add_figure(&layer->measured.second, &layer->spread.second, f->second);
    add_figure(&layer->measured.cosine, &layer->spread.cosine, f->cosine);
    add_figure(&layer->measured.grad, &layer->spread.grad, f->grad);
}

static void settle_figure(double *sum, double *squares, int n) {
    const double mean = *sum / n, rest = *squares / n - mean * mean;
    *sum = mean;
    *squares = n > 1 && isfinite(rest) ? sqrt(FI_MAX(rest, 0) * n / (n - 1)) : NAN;
}

static void settle(struct fanin_check *check) {
    struct fanin_check_result *r = &check->result;
    for (int i = 0; i < r->n_layers; i++) {
        struct fanin_check_layer *l = &check->layers[i];
        settle_figure(&l->measured.mean, &l->spread.mean, check->seeds);
        settle_figure(&l->measured.second, &l->spread.second, check->seeds);
        settle_figure(&l->measured.cosine, &l->spread.cosine, check->seeds);
        settle_figure(&l->measured.grad, &l->spread.grad, check->seeds);
    }
    for (int i = 0; i < r->n_params; i++)
        settle_figure(&check->params[i].grad_measured, &check->params[i].grad_spread, check->seeds);
    settle_figure(&r->loss, &r->loss_spread, check->seeds);
}

static void measure(const struct fi_look *look, double loss) {
    struct fanin_check *check = look->check;
    const fanin_net *net = look->net;
    fi_measure_begin(look->measure, look->batch.rows);
    fi_measure_add(look->measure, look->trainer->exec);
    for (int i = 0; i < net->n_nodes; i++) {
        struct fanin_check_figures f;
        fi_measure_figures(look->measure, i, &f);
        add_figures(&check->layers[i], &f);
    }
    fi_measure_all_rms(check->ctx, net, look->trainer->grads[0], look->rms);
    for (int i = 0; i < net->n_params; i++)
        add_figure(&check->params[i].grad_measured, &check->params[i].grad_spread, look->rms[i]);
    add_figure(&check->result.loss, &check->result.loss_spread, loss);
}

/* ---- the first start ------------------------------------------------------------------------------- */

/* Layers with weights on the longest way from an input. */
static int depth_of(const struct fanin_check *check, const fanin_net *net, int node) {
    const struct fi_node *n = &net->nodes[node];
    int depth = 0;
    for (int k = 0; k < n->n_in; k++) depth = FI_MAX(depth, check->layers[n->inputs[k]].depth);
    for (int k = 0; k < n->n_params; k++)
        if (net->params[n->first_param + k].spec.weight) return depth + 1;
    return depth;
}

static enum fanin_status name_parts(struct fanin_check *check, const fanin_net *net) {
    check->layers = fi_arena_alloc(&check->arena, net->n_nodes, sizeof *check->layers);
    check->params = fi_arena_alloc(&check->arena, net->n_params, sizeof *check->params);
    if (!check->layers || !check->params) return FANIN_ERR_MEMORY;
    for (int i = 0; i < net->n_nodes; i++) {
        struct fanin_check_layer *l = &check->layers[i];
        l->name = fi_arena_strdup(&check->arena, net->nodes[i].name);
        l->op = net->nodes[i].op ? net->nodes[i].op->head.name : "input";
        l->shape = net->nodes[i].shape;
        l->depth = depth_of(check, net, i);
        if (!l->name) return FANIN_ERR_MEMORY;
    }
    for (int i = 0; i < net->n_params; i++)
        if (!(check->params[i].name = fi_arena_strdup(&check->arena, net->params[i].name)))
            return FANIN_ERR_MEMORY;
    check->result.layers = check->layers;
    check->result.n_layers = net->n_nodes;
    check->result.params = check->params;
    check->result.n_params = net->n_params;
    return FANIN_OK;
}

static void take_prediction(const struct fi_look *look, const struct fi_prediction *p) {
    struct fanin_check *check = look->check;
    for (int i = 0; i < look->net->n_nodes; i++) {
        struct fanin_check_layer *l = &check->layers[i];
        fi_predicted_node(&l->predicted, &p->nodes[i]);
        l->begun_anew = p->nodes[i].measured;
        l->chi = p->nodes[i].chi;
    }
    for (int i = 0; i < look->net->n_params; i++)
        check->params[i].grad_predicted = sqrt(p->params[i].grad);
}

/* Tied are the classes of the symmetry guard; the others are of the batch. */
static enum fanin_status find_units(const struct fi_look *look) {
    struct fanin_check *check = look->check;
    FI_TRY(fi_symmetry(&check->arena, look->model, &look->trainer->policies,
                       look->train->rounding_noise > 0, &check->symmetry));
    fi_measure_weights(look->measure, check->ctx, look->model->params);
    for (int i = 0; i < look->net->n_nodes; i++) {
        struct fanin_check_layer *l = &check->layers[i];
        struct fi_measured_units units;
        fi_measure_units(look->measure, i, &units);
        l->dead = units.dead;
        l->saturated = units.saturated;
        l->constant = units.constant;
        for (int64_t u = 0; u < look->net->nodes[i].shape.cols; u++)
            if (check->symmetry.tied[i][u]) fi_few_add(&l->tied, u);
        fi_measure_almost_tied(look->measure, i, check->symmetry.tied[i], &l->almost_tied);
    }
    return FANIN_OK;
}

static enum fanin_status look_closely(struct fi_look *look) {
    struct fanin_check *check = look->check;
    const struct fi_predict_source source = {.model = look->model,
                                             .exec = look->trainer->exec,
                                             .rows = look->batch.rows,
                                             .loss = result_loss,
                                             .arg = look->trainer};
    FI_TRY(fi_predict(&check->arena, &check->prediction, &source));
    take_prediction(look, &check->prediction);
    FI_TRY(fi_check_depth(look));
    fi_check_histograms(look);
    FI_TRY(find_units(look));
    return fi_check_start(look);
}

/* ---- the band -------------------------------------------------------------------------------------- */

/* The logarithm of a squared norm behind L layers of width n is random with variance about 5 L / n;
 * three of its standard deviations, with the widths the net really has. */
static enum fanin_status find_bands(struct fanin_check *check, const fanin_net *net) {
    double *variance = fi_arena_alloc(&check->arena, net->n_nodes, sizeof *variance);
    if (!variance) return FANIN_ERR_MEMORY;
    for (int i = 0; i < net->n_nodes; i++) {
        struct fanin_check_layer *l = &check->layers[i];
        const struct fi_node *node = &net->nodes[i];
        for (int k = 0; k < node->n_in; k++)
            variance[i] = FI_MAX(variance[i], variance[node->inputs[k]]);
        if (node->n_in > 0 && l->depth > check->layers[node->inputs[0]].depth)
            variance[i] +=
                5 / (double)FI_MIN(node->shape.cols, net->nodes[node->inputs[0]].shape.cols);
    }
    const int result = fi_net_result(net);
    for (int i = 0; i < net->n_nodes; i++) {
        struct fanin_check_layer *l = &check->layers[i];
        const double forward = log(l->measured.second / l->predicted.second);
        const double backward = log(l->measured.grad / l->predicted.grad);
        l->band = 3 * sqrt(variance[result]);
        if (fabs(forward) > l->band) l->outside |= 1;
        if (fabs(backward) > l->band) l->outside |= 2;
    }
    return FANIN_OK;
}

/* ---- one start ------------------------------------------------------------------------------------- */

/* Parameters that no gradient moves but a batch does, one behind the other. */
static void copy_statistics(const fanin_net *net, fi_real *params, fi_real *kept, bool back) {
    for (int i = 0; i < net->n_params; i++) {
        const struct fi_param *p = &net->params[i];
        if (p->spec.trainable) continue;
        memcpy(back ? params + p->offset : kept, back ? kept : params + p->offset,
               (size_t)p->size * sizeof *kept);
        kept += p->size;
    }
}

void fi_check_restore(const struct fi_look *look) {
    fi_trainer_undo_first(look->trainer);
    copy_statistics(look->net, look->model->params, look->statistics, true);
}

static enum fanin_status look_at(struct fi_look *look) {
    struct fanin_check *check = look->check;
    double loss = NAN;
    const double began = fi_seconds();
    enum fanin_status status = fi_trainer_probe(look->trainer, &look->batch, &loss);
    const double took = fi_seconds() - began;
    if (status != FANIN_OK && status != FANIN_ERR_DIVERGED) return status;
    check->result.seconds = check->seeds > 0 ? FI_MIN(check->result.seconds, took) : took;
    if (check->seeds == 0) check->result.loss_first = loss;
    measure(look, loss);
    if (status == FANIN_OK && check->seeds == 0) status = look_closely(look);
    /* of the batch, or of that behind it */
    if (status == FANIN_ERR_DIVERGED) status = fi_check_broken(look);
    check->seeds++;
    return status;
}

enum fanin_status fi_check_add(fanin_check *check) {
    struct fi_look *look = &check->look;
    copy_statistics(look->net, look->model->params, look->statistics, false);
    if (check->seeds == 0) {
        fi_measure_all_rms(check->ctx, look->net, look->model->params, look->rms);
        for (int i = 0; i < look->net->n_params; i++) check->params[i].rms = look->rms[i];
    }
    fi_exec_keys(look->trainer->exec);
    const enum fanin_status status = look_at(look);
    fi_check_restore(look);
    return status;
}

/* ---- the whole ------------------------------------------------------------------------------------- */

/* How many rows are looked at. */
static int64_t choose_batch(const fanin_data *data, const struct fanin_train_options *train,
                            const struct fanin_check_options *options) {
    int64_t rows = options->batch;
    /* of one sample no two can be compared */
    if (rows == 0) rows = train->batch > 0 ? FI_MAX(FI_MIN(train->batch, MOST_ROWS), 2) : MOST_ROWS;
    return FI_MIN(rows, fanin_data_rows(data, FANIN_TRAIN));
}

/* Both batches: the first rows in the order of the first epoch, and those behind them. */
static enum fanin_status choose_rows(struct fi_look *look) {
    const int64_t rows = look->check->result.batch;
    const int64_t rest = fanin_data_rows(look->data, FANIN_TRAIN) - rows;
    struct source *sources = fi_arena_alloc(&look->work, 2, sizeof *sources);
    int64_t *index = fi_arena_alloc(&look->work, 2 * rows, sizeof *index);
    if (!sources || !index) return FANIN_ERR_MEMORY;
    fi_data_order(look->data, FANIN_TRAIN, look->model->seed, 0, 0, rows, index);
    fi_data_order(look->data, FANIN_TRAIN, look->model->seed, 0, FI_MIN(rows, rest), rows,
                  index + rows);
    for (int i = 0; i < 2; i++)
        sources[i] = (struct source){.data = look->data,
                                     .index = index + i * rows,
                                     .raw = look->model->task != FANIN_REGRESSION};
    look->batch = (struct fi_batch){.load = load,
                                    .arg = &sources[0],
                                    .rows = rows,
                                    .weighted = fi_data_weighted(look->data, FANIN_TRAIN)};
    look->unseen = look->batch;
    look->unseen.arg = &sources[1];
    return FANIN_OK;
}

static enum fanin_status prepare(struct fi_look *look) {
    struct fanin_train_options watching = *look->train;
    const fanin_net *net = look->net;
    int64_t statistics = 0;
    for (int i = 0; i < net->n_params; i++)
        statistics += net->params[i].spec.trainable ? 0 : net->params[i].size;
    look->statistics = fi_arena_alloc(&look->work, statistics, sizeof *look->statistics);
    look->rms = fi_arena_alloc(&look->work, net->n_params, sizeof *look->rms);
    look->measure = fi_arena_alloc(&look->work, 1, sizeof *look->measure);
    if (!look->statistics || !look->rms || !look->measure) return FANIN_ERR_MEMORY;
    FI_TRY(name_parts(look->check, net));
    FI_TRY(choose_rows(look));
    FI_TRY(fi_measure_create(look->measure, &look->work, net));
    watching.batch = look->batch.rows;
    watching.shards = 1;
    watching.allow_symmetric = 1;
    return fi_trainer_create(&look->trainer, look->model, &watching, true);
}

enum fanin_status fi_check_begin(fanin_check **out, fanin_model *model, const fanin_data *data,
                                 const struct fanin_train_options *train,
                                 const struct fanin_check_options *options) {
    *out = NULL;
    if (options->batch < 0 || options->batch > LIMIT)
        return fi_fail(model->ctx, FANIN_ERR_ARGUMENT,
                       "a check looks at up to %d samples, not %lld", LIMIT,
                       (long long)options->batch);
    fanin_check *check = fi_alloc(model->ctx, 1, sizeof *check);
    if (!check) return FANIN_ERR_MEMORY;
    check->ctx = model->ctx;
    check->result.sharpness = NAN;
    check->result.batch = choose_batch(data, train, options);
    check->result.seed = model->seed;
    fi_arena_init(&check->arena, model->ctx);
    check->look = (struct fi_look){.check = check,
                                   .model = model,
                                   .net = model->net,
                                   .data = data,
                                   .train = train,
                                   .sharpness = options->sharpness != 0};
    fi_arena_init(&check->look.work, model->ctx);
    *out = check;
    return prepare(&check->look);
}

enum fanin_status fi_check_finish(fanin_check *check) {
    struct fi_look *look = &check->look;
    settle(check);
    check->result.seeds = check->seeds;
    look->policies = &look->trainer->policies;
    FI_TRY(find_bands(check, look->net));
    return fi_check_find(look);
}

void fi_check_end(fanin_check *check) {
    if (!check) return;
    fanin_trainer_free(check->look.trainer);
    fi_arena_free(&check->look.work);
    check->look = (struct fi_look){0};
}

enum fanin_status fanin_model_check(fanin_check **out, fanin_model *model, const fanin_data *data,
                                    const struct fanin_train_options *train,
                                    const struct fanin_check_options *options) {
    static const struct fanin_check_options plain = {.size = sizeof plain};
    static const struct fanin_train_options defaults = {.size = sizeof defaults};
    fanin_check *check = NULL;
    *out = NULL;
    enum fanin_status status = fi_check_data(model, data);
    if (status == FANIN_OK)
        status = fi_check_begin(&check, model, data, train ? train : &defaults,
                                options ? options : &plain);
    if (status == FANIN_OK) status = fi_check_add(check);
    if (status == FANIN_OK) status = fi_check_finish(check);
    fi_check_end(check);
    if (status != FANIN_OK) {
        fanin_check_free(check);
        return status;
    }
    *out = check;
    return FANIN_OK;
}

const struct fanin_check_result *fanin_check_get(const fanin_check *check) {
    return &check->result;
}

void fanin_check_free(fanin_check *check) {
    if (!check) return;
    fi_arena_free(&check->arena);
    fi_free(check->ctx, check);
}
