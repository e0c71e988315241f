/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Evaluation: one pass over a part of the data in inference mode; every metric record that fits the
 * task sees each prediction once.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "kernel/kernel.h"
#include "model/ensemble.h"
#include "train/train.h"

/* Samples a pass takes at once. */
#define EVAL_ROWS FI_ENSEMBLE_ROWS
#define MAX_METRICS 32

struct pass {
    fanin_model *model;
    const fanin_data *data;
    const struct fi_eval_options *o;
    struct fi_ensemble ensemble;
    struct fanin_tensor targets, p; /* p in the units of the data */
    int32_t *labels;
    double *weights;
    int64_t *index;
    struct fi_mean_loss loss;
    int64_t rows; /* that metrics see */
    const struct fi_metric *metrics[MAX_METRICS];
    double *sums[MAX_METRICS];
    int n_metrics;
};

bool fi_metric_fits(const struct fi_metric *metric, const fanin_model *model) {
    if (metric->needs_distribution && !model->loss->entropy) return false;
    return metric->task == FANIN_UNLABELED || metric->task == model->task ||
           (metric->multilabel && model->task == FANIN_MULTILABEL);
}

static bool wanted(const struct pass *p, const struct fi_metric *metric) {
    if (!fi_metric_fits(metric, p->model)) return false;
    bool named = false;
    for (int i = 0; p->o->also && p->o->also[i]; i++)
        named |= strcmp(p->o->also[i], metric->head.name) == 0;
    return !metric->extra || p->o->extra || named;
}

/* The extra ones come behind the others. */
static enum fanin_status choose_metrics(struct pass *p, bool extra, struct fi_arena *arena) {
    fanin_ctx *ctx = p->model->ctx;
    const struct fanin_record *record;
    for (int i = 0; (record = fanin_record_at(ctx, "metric", i)); i++) {
        const struct fi_metric *metric = (const struct fi_metric *)(const void *)record;
        if (metric->extra != extra || !wanted(p, metric)) continue;
        if (p->n_metrics == MAX_METRICS) break;
        const int64_t cells = metric->cells(p->p.cols);
        if (!(p->sums[p->n_metrics] = fi_arena_alloc(arena, cells, sizeof(double))))
            return FANIN_ERR_MEMORY;
        p->metrics[p->n_metrics++] = metric;
    }
    return FANIN_OK;
}

static enum fanin_status prepare(struct pass *p, struct fi_arena *arena) {
    const struct fanin_shape *out = &p->model->net->nodes[fi_net_result(p->model->net)].shape;
    FI_TRY(fi_ensemble_create(&p->ensemble, p->model, EVAL_ROWS, p->o->inference, false, arena));
    p->targets = (struct fanin_tensor){.cols = out->cols, .ld = fi_row_stride(out->cols)};
    p->p = p->ensemble.p;
    p->targets.data = fi_arena_alloc(arena, EVAL_ROWS * p->targets.ld, sizeof(fi_real));
    p->labels = fi_arena_alloc(arena, EVAL_ROWS, sizeof(*p->labels));
    p->weights = fi_arena_alloc(arena, EVAL_ROWS, sizeof(*p->weights));
    p->index = fi_arena_alloc(arena, EVAL_ROWS, sizeof(*p->index));
    if (!p->targets.data || !p->labels || !p->weights || !p->index) return FANIN_ERR_MEMORY;
    FI_TRY(choose_metrics(p, false, arena));
    return choose_metrics(p, true, arena);
}

/* Metrics of a regression are in the units of the data. */
static void raw_targets(const fanin_model *m, const struct fanin_tensor *t) {
    if (!m->target_scale) return;
    for (int64_t r = 0; r < t->rows; r++)
        for (int64_t c = 0; c < t->cols; c++)
            t->data[r * t->ld + c] =
                (fi_real)fi_model_raw_target(m, c, (double)t->data[r * t->ld + c]);
}

/* Of distributions the label is the most probable class: what metrics of classes compare with. */
static void most_probable(struct pass *p, int64_t n) {
    for (int64_t r = 0; r < n; r++) {
        const fi_real *t = p->targets.data + r * p->targets.ld;
        p->labels[r] = 0;
        for (int64_t c = 1; c < p->targets.cols; c++)
            if (t[c] > t[p->labels[r]]) p->labels[r] = (int32_t)c;
    }
}

/* Moves the rows whose labels count to the front; returns how many there are. */
static int64_t drop_ignored(struct pass *p, int64_t n) {
    const struct fi_loss *loss = p->model->loss;
    int64_t kept = 0;
    if (!loss->ignores || p->model->truth != FANIN_CLASSIFICATION) return n;
    for (int64_t r = 0; r < n; r++) {
        if (loss->ignores(p->model->loss_attrs, p->labels[r])) continue;
        p->labels[kept] = p->labels[r];
        if (kept < r)
            memcpy(p->p.data + kept * p->p.ld, p->p.data + r * p->p.ld,
                   (size_t)p->p.cols * sizeof(fi_real));
        kept++;
    }
    return kept;
}

void fi_mean_loss_add(struct fi_mean_loss *to, const fanin_model *model,
                      const struct fanin_tensor *z, const struct fi_truth *truth) {
    const struct fi_loss *loss = model->loss;
    const void *attrs = model->loss_attrs;
    to->sum += loss->run(attrs, z, truth, NULL, 0);
    for (int64_t r = 0; r < z->rows; r++)
        to->weight += truth->weights[r] * (loss->share ? loss->share(attrs, truth, r) : 1);
}

double fi_mean_loss(const struct fi_mean_loss *loss) {
    return loss->weight > 0 ? loss->sum / loss->weight : 0;
}

static void run(struct pass *p, int64_t rows) {
    struct fi_ensemble *e = &p->ensemble;
    const struct fanin_tensor *x = &e->x;
    const bool labels = p->model->truth == FANIN_CLASSIFICATION;
    const struct fi_known known = {.labels = p->labels,
                                   .targets = p->targets.data,
                                   .ld = p->targets.ld,
                                   .raw = p->model->task != FANIN_REGRESSION,
                                   .weights = p->weights};
    const struct fi_truth truth = {
        .labels = labels ? p->labels : NULL, .target = &p->targets, .weights = p->weights};
    for (int64_t row0 = 0; row0 < rows; row0 += EVAL_ROWS) {
        const int64_t n = FI_MIN(EVAL_ROWS, rows - row0);
        for (int64_t r = 0; r < n; r++) p->index[r] = row0 + r;
        fi_data_gather(p->data, p->o->part, p->index, n, x->data, x->ld);
        fi_data_gather_known(p->data, p->o->part, p->index, n, &known);
        p->targets.rows = p->p.rows = n;
        e->x.rows = e->z.rows = e->p.rows = n;
        if (p->o->predict)
            p->o->predict(p->o->arg, e, n, row0);
        else
            fi_ensemble_run(e, n, row0);
        fi_mean_loss_add(&p->loss, p->model, &e->z, &truth);
        raw_targets(p->model, &p->p);
        raw_targets(p->model, &p->targets);
        if (p->model->task == FANIN_CLASSIFICATION && !labels) most_probable(p, n);
        p->p.rows = p->targets.rows = drop_ignored(p, n);
        p->rows += p->p.rows;
        for (int i = 0; i < p->n_metrics; i++)
            p->metrics[i]->add(p->sums[i], p->p.cols, &p->p,
                               p->model->task == FANIN_CLASSIFICATION ? p->labels : NULL,
                               &p->targets);
    }
}

static enum fanin_status take_table(struct fi_eval *out, struct fi_arena *arena, const double *sums,
                                    int64_t n) {
    out->confusion = fi_arena_alloc(arena, n * n, sizeof(*out->confusion));
    if (!out->confusion) return FANIN_ERR_MEMORY;
    out->n_classes = n;
    for (int64_t i = 0; i < n * n; i++) out->confusion[i] = (int64_t)sums[i];
    return FANIN_OK;
}

/* ---- do net, loss and data fit? -------------------------------------------------------------------- */

enum fanin_status fi_check_label(const fanin_model *model, int32_t label, int64_t row) {
    const struct fi_loss *loss = model->loss;
    if (label >= 0 && label < fanin_model_outputs(model)) return FANIN_OK;
    if (loss->ignores && loss->ignores(model->loss_attrs, label)) return FANIN_OK;
    return fi_fail(
        model->ctx, FANIN_ERR_ARGUMENT,
        "label %d of sample %lld is not one of the classes 0 to %lld (ignore_index of the "
        "loss tells which label does not count)",
        (int)label, (long long)row, (long long)fanin_model_outputs(model) - 1);
}

/* Distributions given in decimals sum to 1 within this. */
#define SUM_TOLERANCE 1e-3

enum fanin_status fi_check_target(const fanin_model *model, const float *target, int64_t row) {
    const int64_t n = fanin_model_outputs(model);
    const bool any = model->task == FANIN_REGRESSION;
    double sum = 0;
    for (int64_t c = 0; c < n; c++) {
        sum += (double)target[c];
        if (any ? isfinite(target[c]) : target[c] >= 0 && target[c] <= 1) continue;
        return fi_fail(model->ctx, FANIN_ERR_ARGUMENT,
                       "target %lld of sample %lld is %g, but loss %s needs %s", (long long)c + 1,
                       (long long)row, (double)target[c], model->loss->head.name,
                       any ? "finite numbers" : "numbers from 0 to 1");
    }
    if (model->task != FANIN_CLASSIFICATION || fabs(sum - 1) <= SUM_TOLERANCE) return FANIN_OK;
    return fi_fail(model->ctx, FANIN_ERR_ARGUMENT,
                   "the targets of sample %lld sum to %g, but loss %s needs distributions",
                   (long long)row, sum, model->loss->head.name);
}

/* Inputs that are the targets: finite numbers, which not every loss is content with. */
static enum fanin_status check_inputs(const fanin_model *model, const fanin_data *data,
                                      enum fanin_part part) {
    const struct fi_part *p = &data->parts[part];
    const int64_t cols = fanin_data_outputs(data);
    if (model->task == FANIN_REGRESSION) return FANIN_OK;
    fi_real *row = fi_alloc(model->ctx, cols, sizeof(*row));
    float *target = fi_alloc(model->ctx, cols, sizeof(*target));
    enum fanin_status status = row && target ? FANIN_OK : FANIN_ERR_MEMORY;
    for (int64_t r = 0; r < p->n && status == FANIN_OK; r++) {
        fi_data_gather_targets(data, part, &r, 1, true, row, cols);
        for (int64_t c = 0; c < cols; c++) target[c] = (float)row[c];
        status = fi_check_target(model, target, fi_part_row(p, r));
    }
    fi_free(model->ctx, row);
    fi_free(model->ctx, target);
    return status;
}

static enum fanin_status check_truth(const fanin_model *model, const fanin_data *data,
                                     enum fanin_part part) {
    const struct fi_part *p = &data->parts[part];
    const struct fi_table *t = p->table;
    if (!t) return FANIN_OK;
    enum fanin_status status = t->target_inputs ? check_inputs(model, data, part) : FANIN_OK;
    for (int64_t r = 0; r < p->n && status == FANIN_OK && !t->target_inputs; r++) {
        const int64_t row = fi_part_row(p, r);
        status = t->labels ? fi_check_label(model, t->labels[row], row)
                           : fi_check_target(model, t->targets + row * t->n_outputs, row);
    }
    if (status != FANIN_ERR_ARGUMENT) return status;
    char why[512];
    snprintf(why, sizeof why, "%s", fanin_errmsg(model->ctx));
    return fi_fail(model->ctx, FANIN_ERR_DATA, "%s data: %s", fi_part_name(part), why);
}

enum fanin_status fi_check_data(const fanin_model *model, const fanin_data *data) {
    const int64_t in = fanin_model_inputs(model), x = fanin_data_shape(data)->cols;
    const bool labels = model->truth == FANIN_CLASSIFICATION;
    if (in != x)
        return fi_fail(model->ctx, FANIN_ERR_SHAPE,
                       "the net reads %lld numbers a sample, the data have %lld", (long long)in,
                       (long long)x);
    if (fanin_data_task(data) == FANIN_UNLABELED)
        return fi_fail(model->ctx, FANIN_ERR_SHAPE, "the data have no labels or target values");
    if (fanin_data_task(data) != model->truth)
        return fi_fail(model->ctx, FANIN_ERR_SHAPE, "loss %s needs %s, but the data have %s",
                       model->loss->head.name, labels ? "classes" : "target values",
                       labels ? "target values" : "classes");
    if (fanin_data_outputs(data) != fanin_model_outputs(model))
        return fi_fail(model->ctx, FANIN_ERR_SHAPE,
                       "the net gives %lld numbers a sample, the data have %lld %s",
                       (long long)fanin_model_outputs(model), (long long)fanin_data_outputs(data),
                       labels ? "classes" : "target values");
    for (int part = FANIN_TRAIN; part <= FANIN_TEST; part++)
        FI_TRY(check_truth(model, data, (enum fanin_part)part));
    return fi_model_check_index_data(model, data);
}

enum fanin_status fi_check_figure(const fanin_model *model, const fanin_data *data, const char *key,
                                  const char *name) {
    const struct fanin_record *record = fanin_record_find(model->ctx, "metric", name);
    const struct fi_metric *m = (const struct fi_metric *)(const void *)record;
    if (strcmp(name, "loss") != 0 && (!m || !m->value || !fi_metric_fits(m, model)))
        return fi_fail(
            model->ctx, FANIN_ERR_RECIPE,
            "%s.metric '%s' is no figure of this task: use loss, or a metric that `fanin "
            "list metric` shows",
            key, name);
    if (fanin_data_rows(data, FANIN_VALIDATION) < 1)
        return fi_fail(model->ctx, FANIN_ERR_RECIPE,
                       "%s needs validation data: set data.validation_fraction or data.validation",
                       key);
    return FANIN_OK;
}

/* ---- evaluation ---------------------------------------------------------------------------------- */

int fi_eval_find(const struct fi_eval *eval, const char *name) {
    for (int i = 0; i < eval->n; i++)
        if (strcmp(eval->figures[i].name, name) == 0) return i;
    return -1;
}

enum fanin_status fi_evaluate(fanin_model *model, const fanin_data *data,
                              const struct fi_eval_options *options, struct fi_arena *arena,
                              struct fi_eval *out) {
    struct pass p = {.model = model, .data = data, .o = options};
    const int64_t rows = fanin_data_rows(data, options->part);
    memset(out, 0, sizeof(*out));
    FI_TRY(fi_check_data(model, data));
    if (rows < 1) return fi_fail(model->ctx, FANIN_ERR_ARGUMENT, "this part of the data is empty");
    FI_TRY(prepare(&p, arena));
    out->rows = rows;
    out->members = p.ensemble.members;
    run(&p, rows);
    out->figures[out->n++] = (struct fanin_figure){"loss", fi_mean_loss(&p.loss)};
    out->n_main = out->n;
    for (int i = 0; i < p.n_metrics; i++) {
        const struct fi_metric *metric = p.metrics[i];
        if (!metric->value) {
            FI_TRY(take_table(out, arena, p.sums[i], p.p.cols));
            continue;
        }
        if (!metric->extra) out->n_main = out->n + 1;
        out->higher_is_better[out->n] = metric->higher_is_better;
        out->figures[out->n++] =
            (struct fanin_figure){metric->head.name, metric->value(p.sums[i], p.p.cols, p.rows)};
    }
    return FANIN_OK;
}

static void tell_inference(struct fi_event *e, const struct fanin_ensemble_options *inference,
                           const struct fi_eval *eval) {
    if (!inference || inference->inference == FANIN_WEIGHT_SCALING) return;
    fi_event_add_text(e, "inference", inference->inference == FANIN_MC ? "mc" : "geometric");
    fi_event_add_figure(e, "members", (double)eval->members);
}

enum fanin_status fanin_evaluate_ensemble(fanin_model *model, const fanin_data *data,
                                          enum fanin_part part,
                                          const struct fanin_ensemble_options *inference,
                                          fanin_event_fn event, void *payload) {
    static const char *const parts[] = {"train", "validation", "test"};
    struct fi_arena arena;
    struct fi_eval eval;
    struct fi_event e;
    fi_arena_init(&arena, model->ctx);
    const struct fi_eval_options options = {.part = part, .inference = inference, .extra = true};
    enum fanin_status status = fi_evaluate(model, data, &options, &arena, &eval);
    if (status == FANIN_OK) {
        fi_event_init(&e, FANIN_EVENT_EVAL);
        fi_event_add_text(&e, "part", parts[part]);
        fi_event_add_figure(&e, "samples", (double)eval.rows);
        tell_inference(&e, inference, &eval);
        const int before = e.event.n_figures;
        for (int i = 0; i < eval.n; i++)
            fi_event_add_figure(&e, eval.figures[i].name, eval.figures[i].value);
        e.event.n_main = before + eval.n_main;
        e.event.confusion = eval.confusion;
        e.event.n_classes = eval.n_classes;
        e.event.class_names =
            model->n_output_names ? (const char *const *)model->output_names : NULL;
        fi_event_send(&e, event, payload);
    }
    fi_arena_free(&arena);
    return status;
}

enum fanin_status fanin_evaluate(fanin_model *model, const fanin_data *data, enum fanin_part part,
                                 fanin_event_fn event, void *payload) {
    return fanin_evaluate_ensemble(model, data, part, NULL, event, payload);
}
