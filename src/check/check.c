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
    *squares = n > 1 ? sqrt(FI_MAX(rest, 0) * n / (n - 1)) : NAN;
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
    for (int i = 0; i < net->n_params; i++)
        add_figure(&check->params[i].grad_measured, &check->params[i].grad_spread,
                   fi_measure_rms(check->ctx, &net->params[i], look->trainer->grads[0]));
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
    for (int i = 0; i < look->net->n_params; i++) {
        check->params[i].grad_predicted = sqrt(p->params[i].grad);
        check->params[i].rms = fi_measure_rms(check->ctx, &look->net->params[i], look->origin);
    }
}

static void histogram(struct fanin_check_histogram *h, const struct fanin_tensor *t, int64_t rows) {
    if (!t->data) return;
    h->low = INFINITY;
    h->high = -INFINITY;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < t->cols; c++) {
            const double x = (double)t->data[r * t->ld + c];
            h->low = FI_MIN(h->low, x);
            h->high = FI_MAX(h->high, x);
        }
    const double width = (h->high - h->low) / FANIN_CHECK_BINS;
    if (!(width > 0) || !isfinite(width)) return;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < t->cols; c++) {
            const int64_t bin = (int64_t)(((double)t->data[r * t->ld + c] - h->low) / width);
            h->counts[FI_MIN(bin, FANIN_CHECK_BINS - 1)]++;
        }
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

static enum fanin_status look_closely(const struct fi_look *look,
                                      const struct fanin_check_options *options) {
    struct fanin_check *check = look->check;
    const struct fi_predict_source source = {.model = look->model,
                                             .exec = look->trainer->exec,
                                             .rows = look->batch.rows,
                                             .loss = result_loss,
                                             .arg = look->trainer};
    FI_TRY(fi_predict(&check->arena, &check->prediction, &source));
    take_prediction(look, &check->prediction);
    FI_TRY(fi_check_depth(look));
    for (int i = 0; i < look->net->n_nodes; i++) {
        histogram(&check->layers[i].values, &look->trainer->exec->y[i], look->batch.rows);
        histogram(&check->layers[i].grads, &look->trainer->exec->dy[i], look->batch.rows);
    }
    FI_TRY(find_units(look));
    return fi_check_start(look, options->sharpness != 0);
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

/* ---- the whole ------------------------------------------------------------------------------------- */

enum fanin_status fi_check_create(fanin_check **out, fanin_ctx *ctx) {
    *out = fi_alloc(ctx, 1, sizeof **out);
    if (!*out) return FANIN_ERR_MEMORY;
    (*out)->ctx = ctx;
    (*out)->result.sharpness = NAN;
    fi_arena_init(&(*out)->arena, ctx);
    return FANIN_OK;
}

static enum fanin_status look_at(struct fi_look *look, const struct fanin_check_options *options,
                                 struct source sources[2]) {
    struct fanin_check *check = look->check;
    double loss;
    look->batch = (struct fi_batch){.load = load,
                                    .arg = &sources[0],
                                    .rows = check->result.batch,
                                    .weighted = fi_data_weighted(look->data, FANIN_TRAIN)};
    look->unseen = look->batch;
    look->unseen.arg = &sources[1];
    FI_TRY(fi_trainer_probe(look->trainer, &look->batch, &loss));
    measure(look, loss);
    check->seeds++;
    if (check->seeds > 1) return FANIN_OK;
    return look_closely(look, options);
}

/* How many rows are looked at. */
static int64_t choose_batch(const fanin_data *data, const struct fanin_train_options *train,
                            const struct fanin_check_options *options) {
    int64_t rows = options->batch;
    /* of one sample no two can be compared */
    if (rows == 0) rows = train->batch > 0 ? FI_MAX(FI_MIN(train->batch, MOST_ROWS), 2) : MOST_ROWS;
    return FI_MIN(rows, fanin_data_rows(data, FANIN_TRAIN));
}

enum fanin_status fi_check_add(fanin_check *check, fanin_model *model, const fanin_data *data,
                               const struct fanin_train_options *train,
                               const struct fanin_check_options *options) {
    struct fanin_check_result *r = &check->result;
    struct fanin_train_options watching = *train;
    struct fi_look look = {
        .check = check, .model = model, .net = model->net, .data = data, .train = train};
    struct source sources[2] = {{.data = data, .raw = model->task != FANIN_REGRESSION}};
    if (options->batch < 0 || options->batch > LIMIT)
        return fi_fail(check->ctx, FANIN_ERR_ARGUMENT,
                       "a check looks at up to %d samples, not %lld", LIMIT,
                       (long long)options->batch);
    if (check->seeds == 0) {
        r->batch = choose_batch(data, train, options);
        r->seed = model->seed;
        FI_TRY(name_parts(check, model->net));
    }
    watching.batch = r->batch;
    watching.shards = 1;
    watching.allow_symmetric = 1;
    const int64_t size = model->net->param_size;
    struct fi_arena work;
    fi_arena_init(&work, check->ctx);
    int64_t *index = fi_arena_alloc(&work, 2 * r->batch, sizeof *index);
    /* Of later starts only statistics move, and nobody looks at them. */
    const int64_t kept = check->seeds == 0 ? size : 0;
    fi_real *origin = fi_arena_alloc(&work, kept, sizeof *origin);
    struct fi_measure gathered;
    enum fanin_status status = fi_measure_create(&gathered, &work, model->net);
    look.measure = &gathered;
    if (!index || !origin || status != FANIN_OK) {
        fi_arena_free(&work);
        return FANIN_ERR_MEMORY;
    }
    memcpy(origin, model->params, (size_t)kept * sizeof *origin);
    look.origin = origin;
    fi_data_order(data, FANIN_TRAIN, r->seed, 0, 0, r->batch, index);
    fi_data_order(data, FANIN_TRAIN, r->seed, 0,
                  FI_MIN(r->batch, fanin_data_rows(data, FANIN_TRAIN) - r->batch), r->batch,
                  index + r->batch);
    sources[1] = sources[0];
    sources[0].index = index;
    sources[1].index = index + r->batch;
    status = fi_trainer_create(&look.trainer, model, &watching, true);
    if (status == FANIN_OK) status = look_at(&look, options, sources);
    fanin_trainer_free(look.trainer);
    memcpy(model->params, origin, (size_t)kept * sizeof *origin);
    fi_arena_free(&work);
    return status;
}

enum fanin_status fi_check_finish(fanin_check *check, fanin_model *first, const fanin_data *data,
                                  const struct fanin_train_options *train) {
    struct fi_policies policies;
    const struct fi_look look = {.check = check,
                                 .model = first,
                                 .net = first->net,
                                 .data = data,
                                 .train = train,
                                 .policies = &policies};
    settle(check);
    check->result.seeds = check->seeds;
    FI_TRY(fi_policies_create(&policies, &check->arena, first->net, train, NULL));
    FI_TRY(find_bands(check, first->net));
    return fi_check_find(&look);
}

enum fanin_status fanin_model_check(fanin_check **out, fanin_model *model, const fanin_data *data,
                                    const struct fanin_train_options *train,
                                    const struct fanin_check_options *options) {
    static const struct fanin_check_options plain = {.size = sizeof plain};
    static const struct fanin_train_options defaults = {.size = sizeof defaults};
    *out = NULL;
    fanin_check *check;
    FI_TRY(fi_check_create(&check, model->ctx));
    if (!train) train = &defaults;
    enum fanin_status status = fi_check_data(model, data);
    if (status == FANIN_OK)
        status = fi_check_add(check, model, data, train, options ? options : &plain);
    if (status == FANIN_OK) status = fi_check_finish(check, model, data, train);
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
