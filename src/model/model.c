/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Models: one buffer for all parameters in the layouts the kernels read, the loss, and what raw
 * data need before they enter the net.
 */
#include <string.h>

#include "data/data.h"
#include "graph/graph.h"
#include "kernel/kernel.h"
#include "model/history.h"

/* Samples predicted at once. */
#define PREDICT_ROWS 256

void fi_param_unpack(const struct fi_param *p, const fi_real *src, float *dst) {
    if (p->spec.layout != FANIN_LAYOUT_PANELS) {
        for (int64_t i = 0; i < p->count; i++) dst[i] = (float)src[i];
        return;
    }
    for (int64_t o = 0; o < p->out; o++)
        for (int64_t i = 0; i < p->in; i++)
            dst[o * p->in + i] = (float)src[fi_panel_index(p->out, p->in, o, i)];
}

void fi_param_pack(const struct fi_param *p, const float *src, fi_real *dst) {
    if (p->spec.layout != FANIN_LAYOUT_PANELS) {
        for (int64_t i = 0; i < p->count; i++) dst[i] = (fi_real)src[i];
        return;
    }
    for (int64_t o = 0; o < p->out; o++)
        for (int64_t i = 0; i < p->in; i++)
            dst[fi_panel_index(p->out, p->in, o, i)] = (fi_real)src[o * p->in + i];
}

static enum fanin_status copy_floats(fanin_model *m, float **out, const float *src, int64_t n) {
    if (!src) return FANIN_OK;
    if (!(*out = fi_arena_alloc(&m->arena, n, sizeof(float)))) return FANIN_ERR_MEMORY;
    memcpy(*out, src, (size_t)n * sizeof(float));
    return FANIN_OK;
}

static enum fanin_status copy_text(fanin_model *m, const char **out, const char *text) {
    if (!text) return FANIN_OK;
    *out = fi_arena_strdup(&m->arena, text);
    return *out ? FANIN_OK : FANIN_ERR_MEMORY;
}

/* Keeps what is needed to read other data as the training data were read. */
static enum fanin_status take_data(fanin_model *m, const fanin_data *data) {
    if (!data) return FANIN_OK;
    const struct fi_table *t = &data->tables[FANIN_TRAIN];
    m->truth = t->task;
    m->binary = data->binary;
    FI_TRY(copy_text(m, &m->normalize, data->normalize));
    FI_TRY(copy_text(m, &m->reader, data->reader));
    FI_TRY(copy_text(m, &m->schema, data->schema));
    FI_TRY(copy_floats(m, &m->shift, data->shift, t->shape.cols));
    FI_TRY(copy_floats(m, &m->scale, data->scale, t->shape.cols));
    FI_TRY(copy_floats(m, &m->target_shift, data->target_shift, t->n_outputs));
    FI_TRY(copy_floats(m, &m->target_scale, data->target_scale, t->n_outputs));
    m->output_names = fi_arena_alloc(&m->arena, t->n_outputs, sizeof(char *));
    if (!m->output_names) return FANIN_ERR_MEMORY;
    for (int64_t i = 0; i < t->n_outputs; i++)
        FI_TRY(copy_text(m, &m->output_names[i], fanin_data_output_name(data, i)));
    m->n_output_names = t->n_outputs;
    return FANIN_OK;
}

static enum fanin_status check_shapes(fanin_model *m, const fanin_data *data) {
    const fanin_net *net = m->net;
    if (net->n_inputs < 1 || net->n_nodes < 2)
        return fi_fail(m->ctx, FANIN_ERR_SHAPE,
                       "the net has no layers: it needs an input and at least one node behind it");
    if (!data) return FANIN_OK;
    const struct fi_node *result = &net->nodes[fi_net_result(net)];
    const int64_t outputs = fanin_data_outputs(data);
    if (outputs > 0 && result->shape.cols != outputs)
        return fi_fail(m->ctx, FANIN_ERR_SHAPE,
                       "%s gives %lld numbers a sample, but the data have %lld %s: give the last "
                       "layer %lld units",
                       result->name, (long long)result->shape.cols, (long long)outputs,
                       m->truth == FANIN_CLASSIFICATION ? "classes" : "target values",
                       (long long)outputs);
    return FANIN_OK;
}

/* Samples of each class, or sums of the targets, over the training part. */
static enum fanin_status count_mass(struct fi_loss_task *task, const fanin_data *data) {
    const struct fi_part *p = &data->parts[FANIN_TRAIN];
    const struct fi_table *t = p->table;
    double *mass = fi_arena_alloc(task->arena, t->n_outputs, sizeof(*mass));
    if (!mass) return FANIN_ERR_MEMORY;
    fi_real *target = fi_arena_alloc(task->arena, t->n_outputs, sizeof(*target));
    if (!target) return FANIN_ERR_MEMORY;
    for (int64_t r = 0; r < p->n; r++) {
        if (t->labels) {
            const int32_t label = t->labels[fi_part_row(p, r)];
            if (label >= 0) mass[label] += 1;
            continue;
        }
        fi_data_gather_targets(data, FANIN_TRAIN, &r, 1, true, target, t->n_outputs);
        for (int64_t c = 0; c < t->n_outputs; c++) mass[c] += (double)target[c];
    }
    task->mass = mass;
    task->rows = (double)p->n;
    return FANIN_OK;
}

static enum fanin_status settle_loss(fanin_model *m, const fanin_data *data) {
    const size_t size = m->loss->head.attrs_size;
    struct fi_loss_task task = {
        .ctx = m->ctx, .arena = &m->arena, .outputs = fanin_model_outputs(m)};
    if (!m->loss->settle) return FANIN_OK;
    if (data && m->truth != FANIN_UNLABELED) FI_TRY(count_mass(&task, data));
    void *attrs = fi_arena_alloc(&m->arena, 1, size);
    if (!attrs) return FANIN_ERR_MEMORY;
    memcpy(attrs, m->loss_attrs, size);
    m->loss_attrs = attrs;
    return m->loss->settle(attrs, &task);
}

static enum fanin_status choose_loss(fanin_model *m, const struct fanin_model_options *o) {
    struct fanin_rule rule = o->loss;
    struct fanin_rule_ref ref;
    if (!rule.name) rule.name = m->truth == FANIN_REGRESSION ? "mse" : "softmax_cross_entropy";
    FI_TRY(fi_rule_resolve(&m->arena, &ref, "loss", &rule, "loss"));
    m->loss = (const struct fi_loss *)(const void *)ref.record;
    m->loss_attrs = ref.attrs;
    m->task = m->loss->task;
    const bool labels = m->loss->takes & FI_TAKES_LABELS;
    if (m->truth == FANIN_UNLABELED) m->truth = labels ? FANIN_CLASSIFICATION : FANIN_REGRESSION;
    if (!(m->loss->takes & fi_model_takes(m)))
        return fi_fail(m->ctx, FANIN_ERR_RECIPE,
                       "loss %s needs %s, but the data have %s: use softmax_cross_entropy for "
                       "classes, mse for values",
                       rule.name, labels ? "classes" : "target values",
                       labels ? "target values" : "classes");
    return settle_loss(m, o->data);
}

static void fill_vectors(fanin_model *m) {
    for (int i = 0; i < m->net->n_params; i++) {
        const struct fi_param *p = &m->net->params[i];
        for (int64_t k = 0; k < p->count && p->spec.layout == FANIN_LAYOUT_VECTOR; k++)
            m->params[p->offset + k] = (fi_real)p->spec.fill;
    }
}

static enum fanin_status prepare(fanin_model *m, const struct fanin_model_options *o) {
    FI_TRY(take_data(m, o->data));
    FI_TRY(check_shapes(m, o->data));
    FI_TRY(choose_loss(m, o));
    if (m->task != FANIN_REGRESSION) m->target_shift = m->target_scale = NULL; /* learned raw */
    FI_TRY(copy_text(m, &m->recipe, o->recipe));
    FI_TRY(fi_model_find_indexes(m));
    m->seed = o->seed;
    m->params = fi_arena_alloc(&m->arena, m->net->param_size, sizeof(fi_real));
    if (!m->params) return FANIN_ERR_MEMORY;
    fill_vectors(m);
    return FANIN_OK;
}

enum fanin_status fi_model_prepare(fanin_model **out, fanin_net *net,
                                   const struct fanin_model_options *options) {
    static const struct fanin_model_options defaults = {.size = sizeof(defaults)};
    const struct fanin_model_options *o = options ? options : &defaults;
    *out = NULL;
    fanin_model *m = fi_alloc(net->ctx, 1, sizeof(*m));
    if (!m) {
        fanin_net_free(net);
        return FANIN_ERR_MEMORY;
    }
    m->ctx = net->ctx;
    m->net = net;
    fi_arena_init(&m->arena, net->ctx);
    enum fanin_status status = prepare(m, o);
    if (status != FANIN_OK) {
        fanin_model_free(m);
        return status;
    }
    *out = m;
    return FANIN_OK;
}

struct first_rows {
    const fanin_data *data;
    uint64_t seed;
};

static void load_first(void *arg, int64_t rows, const struct fanin_tensor *x) {
    const struct first_rows *f = arg;
    int64_t index[PREDICT_ROWS];
    for (int64_t at = 0; at < rows; at += PREDICT_ROWS) {
        const int64_t n = FI_MIN(PREDICT_ROWS, rows - at);
        fi_data_order(f->data, FANIN_TRAIN, f->seed, 0, at, n, index);
        fi_data_gather(f->data, FANIN_TRAIN, index, n, x->data + at * x->ld, x->ld);
    }
}

/* Data of another shape are refused when the run begins; here they count as not at hand. */
static enum fanin_status start(fanin_model *m, const struct fanin_model_options *o) {
    struct first_rows first = {.data = o ? o->data : NULL, .seed = m->seed};
    struct fi_start_data data = {.load = load_first, .arg = &first};
    if (first.data && fanin_data_shape(first.data)->cols == fi_net_columns(m->net))
        data.rows = fanin_data_rows(first.data, FANIN_TRAIN);
    return fi_start(m, o, data.rows > 0 ? &data : NULL);
}

enum fanin_status fanin_model_create(fanin_model **out, fanin_net *net,
                                     const struct fanin_model_options *options) {
    fanin_model *m;
    *out = NULL;
    FI_TRY(fi_model_prepare(&m, net, options));
    enum fanin_status status = start(m, options);
    if (status != FANIN_OK) {
        fanin_model_free(m);
        return status;
    }
    *out = m;
    return FANIN_OK;
}

enum fanin_status fi_model_restart(fanin_model *m, const struct fanin_model_options *options) {
    m->seed = options->seed;
    fill_vectors(m);
    return start(m, options);
}

void fanin_model_free(fanin_model *model) {
    if (!model) return;
    fanin_ctx *ctx = model->ctx;
    fi_exec_free(model->infer);
    fi_exec_free(model->sample);
    fi_history_free(model->history);
    fanin_net_free(model->net);
    fi_arena_free(&model->arena);
    fi_free(ctx, model);
}

const fanin_net *fanin_model_net(const fanin_model *model) {
    return model->net;
}
enum fanin_task fanin_model_task(const fanin_model *model) {
    return model->task;
}
const char *fanin_model_recipe(const fanin_model *model) {
    return model->recipe;
}

int64_t fanin_model_inputs(const fanin_model *model) {
    return fi_net_columns(model->net);
}

int64_t fanin_model_outputs(const fanin_model *model) {
    return model->net->nodes[fi_net_result(model->net)].shape.cols;
}

const char *fanin_model_output_name(const fanin_model *model, int64_t index) {
    return index >= 0 && index < model->n_output_names ? model->output_names[index] : NULL;
}

static enum fanin_status find_param(const fanin_model *m, const char *name, int64_t count,
                                    const struct fi_param **out) {
    for (int i = 0; i < m->net->n_params; i++) {
        const struct fi_param *p = &m->net->params[i];
        if (strcmp(p->name, name) != 0) continue;
        if (p->count != count)
            return fi_fail(m->ctx, FANIN_ERR_ARGUMENT, "%s has %lld numbers, not %lld", name,
                           (long long)p->count, (long long)count);
        *out = p;
        return FANIN_OK;
    }
    return fi_fail(m->ctx, FANIN_ERR_ARGUMENT, "the model has no parameter '%s'", name);
}

enum fanin_status fanin_model_get(const fanin_model *model, const char *param, float *values,
                                  int64_t count) {
    const struct fi_param *p = NULL;
    FI_TRY(find_param(model, param, count, &p));
    fi_param_unpack(p, model->params + p->offset, values);
    return FANIN_OK;
}

enum fanin_status fanin_model_set(fanin_model *model, const char *param, const float *values,
                                  int64_t count) {
    const struct fi_param *p = NULL;
    FI_TRY(find_param(model, param, count, &p));
    fi_param_pack(p, values, model->params + p->offset);
    return FANIN_OK;
}

static enum fanin_status plan_for(fanin_model *m, int64_t rows, enum fi_mode mode,
                                  struct fi_exec **kept, struct fi_exec **out) {
    if (!*kept || (*kept)->rows < rows) {
        fi_exec_free(*kept);
        *kept = NULL;
        FI_TRY(fi_exec_create(kept, m, rows, mode));
    }
    *out = *kept;
    return FANIN_OK;
}

enum fanin_status fi_model_infer(fanin_model *m, int64_t rows, struct fi_exec **out) {
    return plan_for(m, rows, FI_INFER, &m->infer, out);
}

enum fanin_status fi_model_sample(fanin_model *m, int64_t rows, struct fi_exec **out) {
    return plan_for(m, rows, FI_SAMPLE, &m->sample, out);
}

/* ---- prediction -------------------------------------------------------------------------------- */

/* Runs `rows` samples that are in e->x; writes predictions in the units of the data. */
static void predict_rows(fanin_model *m, struct fi_exec *e, int64_t rows, float *out) {
    const struct fanin_tensor *z = &e->y[fi_net_result(m->net)];
    fi_exec_forward(e, rows, 0, 0);
    m->loss->predict(m->loss_attrs, z, z);
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < z->cols; c++)
            out[r * z->cols + c] = (float)fi_model_raw_target(m, c, (double)z->data[r * z->ld + c]);
}

static void copy_rows(const struct fanin_tensor *t, int64_t rows, float *out) {
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < t->cols; c++) out[r * t->cols + c] = (float)t->data[r * t->ld + c];
}

double fi_model_raw_target(const fanin_model *m, int64_t column, double value) {
    if (!m->target_scale) return value;
    return value / (double)m->target_scale[column] + (double)m->target_shift[column];
}

void fi_model_take_raw(const fanin_model *m, const struct fanin_tensor *to, const float *raw,
                       int64_t n) {
    for (int64_t r = 0; r < n; r++, raw += to->cols)
        for (int64_t c = 0; c < to->cols; c++) {
            const float value = m->shift ? (raw[c] - m->shift[c]) * m->scale[c] : raw[c];
            to->data[r * to->ld + c] = m->binary ? (fi_real)(value > 0) : (fi_real)value;
        }
}

/* node < 0: predictions; else what that node gives. */
static enum fanin_status run_raw(fanin_model *m, int node, const float *x, int64_t n, float *out) {
    struct fi_exec *e;
    if (n < 0 || (n > 0 && (!x || !out)))
        return fi_fail(m->ctx, FANIN_ERR_ARGUMENT,
                       "predict: no samples or no place for the result");
    FI_TRY(fi_model_infer(m, FI_MAX(1, FI_MIN(n, PREDICT_ROWS)), &e));
    for (int64_t row0 = 0; row0 < n; row0 += e->rows) {
        const int64_t rows = FI_MIN(e->rows, n - row0);
        fi_model_take_raw(m, &e->x, x + row0 * e->x.cols, rows);
        FI_TRY(fi_model_check_indexes(m, &e->x, rows, row0));
        if (node < 0) {
            predict_rows(m, e, rows, out + row0 * fanin_model_outputs(m));
        } else {
            fi_exec_forward(e, rows, 0, 0);
            copy_rows(&e->y[node], rows, out + row0 * e->y[node].cols);
        }
    }
    return FANIN_OK;
}

enum fanin_status fanin_model_predict(fanin_model *model, const float *x, int64_t n, float *out) {
    return run_raw(model, -1, x, n, out);
}

enum fanin_status fanin_model_activations(fanin_model *model, const char *node, const float *x,
                                          int64_t n, float *out) {
    const int index = fanin_net_find(model->net, node);
    if (index < 0 || (!model->net->nodes[index].output && index != fi_net_result(model->net)))
        return fi_fail(model->ctx, FANIN_ERR_ARGUMENT, "'%s' is no output of the net", node);
    return run_raw(model, index, x, n, out);
}

enum fanin_status fi_model_check_part(const fanin_model *model, const fanin_data *data,
                                      enum fanin_part part, int64_t first, int64_t n) {
    if (first < 0 || n < 0 || n > fanin_data_rows(data, part) - first)
        return fi_fail(model->ctx, FANIN_ERR_ARGUMENT, "predict: the part has %lld samples",
                       (long long)fanin_data_rows(data, part));
    if (fanin_data_shape(data)->cols != fanin_model_inputs(model))
        return fi_fail(model->ctx, FANIN_ERR_SHAPE,
                       "the model reads %lld numbers a sample, the data have %lld",
                       (long long)fanin_model_inputs(model),
                       (long long)fanin_data_shape(data)->cols);
    return FANIN_OK;
}

enum fanin_status fanin_model_predict_part(fanin_model *model, const fanin_data *data,
                                           enum fanin_part part, int64_t first, int64_t n,
                                           float *out) {
    int64_t index[PREDICT_ROWS];
    struct fi_exec *e;
    FI_TRY(fi_model_check_part(model, data, part, first, n));
    FI_TRY(fi_model_infer(model, FI_MAX(1, FI_MIN(n, PREDICT_ROWS)), &e));
    for (int64_t row0 = 0; row0 < n; row0 += PREDICT_ROWS) {
        const int64_t rows = FI_MIN(PREDICT_ROWS, n - row0);
        for (int64_t r = 0; r < rows; r++) index[r] = first + row0 + r;
        fi_data_gather(data, part, index, rows, e->x.data, e->x.ld);
        FI_TRY(fi_model_check_indexes(model, &e->x, rows, first + row0));
        predict_rows(model, e, rows, out + row0 * fanin_model_outputs(model));
    }
    return FANIN_OK;
}

/* ---- files of data for a model --------------------------------------------------------------------- */

enum fanin_status fanin_data_load_for_model(fanin_data **out, const fanin_model *model,
                                            const char *path, const char *labels_path) {
    fanin_data *data;
    const int64_t outputs = fanin_model_outputs(model), inputs = fanin_model_inputs(model);
    struct fanin_shape shape = {.rank = 1, .dims = {inputs}, .cols = inputs}; /* side by side */
    if (model->net->n_inputs == 1) shape = model->net->nodes[0].shape;
    *out = NULL;
    if (!model->reader || !model->shift)
        return fi_fail(model->ctx, FANIN_ERR_RECIPE,
                       "the model was not made from data files, so %s cannot be read for it", path);
    FI_TRY(fi_data_load_like(&data, model->ctx, model->reader, model->schema, path, labels_path,
                             &shape, model->shift, model->scale,
                             (const char *const *)model->output_names, outputs, model->truth));
    data->binary = model->binary;
    if (model->target_scale) { /* targets in the units the net learned */
        const size_t bytes = (size_t)outputs * sizeof(float);
        data->target_shift = fi_arena_alloc(&data->arena, outputs, sizeof(float));
        data->target_scale = fi_arena_alloc(&data->arena, outputs, sizeof(float));
        if (!data->target_shift || !data->target_scale) {
            fanin_data_free(data);
            return FANIN_ERR_MEMORY;
        }
        memcpy(data->target_shift, model->target_shift, bytes);
        memcpy(data->target_scale, model->target_scale, bytes);
    }
    *out = data;
    return FANIN_OK;
}
