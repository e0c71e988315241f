/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Data for a model that is there: read as its training data were, with the same columns, classes,
 * fill values and normalization. The samples are the train part and the test part at once.
 */
#include <string.h>

#include "data/reader/reader.h"
#include "data/schema.h"

/* What the model says about its data. */
struct model_view {
    const char *reader;
    const struct fanin_shape *shape;
    const float *shift, *scale;
    const char *const *output_names;
    int64_t n_outputs;
    enum fanin_task task;
    json_t *schema; /* NULL: none */
    bool target_inputs;
};

/* A table without rows that says what is expected. */
static enum fanin_status expected(fanin_data *d, const struct model_view *m, struct fi_table *out) {
    *out = (struct fi_table){.shape = *m->shape, .task = m->task, .n_outputs = m->n_outputs};
    if (m->n_outputs == 0) return FANIN_OK;
    if (m->output_names) {
        out->output_names = fi_arena_alloc(&d->arena, m->n_outputs, sizeof(*out->output_names));
        if (!out->output_names) return FANIN_ERR_MEMORY;
    }
    for (int64_t i = 0; m->output_names && i < m->n_outputs; i++) {
        out->output_names[i] = fi_arena_strdup(&d->arena, m->output_names[i]);
        if (!out->output_names[i]) return FANIN_ERR_MEMORY;
    }
    return fi_table_name_outputs(&d->arena, out);
}

/* The reader whose suffix fits, else the one the model was trained with. */
static enum fanin_status choose_reader(fanin_data *d, const struct model_view *m, const char *path,
                                       const struct fi_reader **out) {
    const struct fanin_record *saved =
        m->reader ? fanin_record_find(d->ctx, "reader", m->reader) : NULL;
    const struct fi_reader *trained = (const struct fi_reader *)saved;
    *out = fi_reader_for_path(d->ctx, path);
    if (trained && trained->needs_path && (!*out || strcmp(path, "-") == 0)) *out = trained;
    if (!*out)
        return fi_fail(d->ctx, FANIN_ERR_DATA,
                       "cannot tell the format of '%s' from its name (.csv, .idx, ...)", path);
    d->reader = (*out)->head.name;
    return FANIN_OK;
}

/* The part of the schema that this reader wrote, if it was the one. */
static enum fanin_status reader_schema(fanin_data *d, const struct model_view *m,
                                       const char **out) {
    const json_t *own = json_object_get(m->schema, "reader");
    *out = NULL;
    if (!own || !json_object_get(own, d->reader)) return FANIN_OK;
    *out = fi_json_write(&d->arena, own);
    return *out ? FANIN_OK : FANIN_ERR_MEMORY;
}

static enum fanin_status read_table(fanin_data *d, const struct model_view *m, const char *path,
                                    const char *labels_path) {
    const struct fi_reader *reader;
    struct fi_table like, *t = &d->tables[FANIN_TRAIN];
    struct fi_read_request r = {.ctx = d->ctx,
                                .arena = &d->arena,
                                .path = path,
                                .labels_path = labels_path,
                                .part = FANIN_TEST,
                                .like = &like,
                                .labels_optional = true};
    FI_TRY(expected(d, m, &like));
    const struct fi_table unlabeled = fi_table_without_labels(&like);
    if (m->target_inputs) {
        r.like = &unlabeled;
        fi_request_no_labels(&r);
    }
    FI_TRY(choose_reader(d, m, path, &reader));
    FI_TRY(fi_attrs_parse(&d->arena, &r.attrs, &reader->head, NULL, 0, reader->head.name));
    const char *schema;
    FI_TRY(reader_schema(d, m, &schema));
    r.schema_in = schema;
    FI_TRY(fi_reader_call(reader, &r, t));
    /* a row of a table is an image of as many pixels, and the other way round */
    if (t->shape.cols == like.shape.cols && (t->shape.rank == 1 || like.shape.rank == 1))
        t->shape = like.shape;
    if (m->target_inputs) FI_TRY(fi_table_target_inputs(d->ctx, t, path));
    FI_TRY(fi_table_check(d->ctx, t, &like, path));
    if (t->task != FANIN_UNLABELED) t->output_names = like.output_names;
    return FANIN_OK;
}

static enum fanin_status copy(fanin_data *d, float **to, const float *from, int64_t n, float def) {
    *to = fi_arena_alloc(&d->arena, n, sizeof(float));
    if (!*to) return FANIN_ERR_MEMORY;
    for (int64_t i = 0; i < n; i++) (*to)[i] = from ? from[i] : def;
    return FANIN_OK;
}

/* A list of n numbers of the schema; *to stays NULL where there is none. */
static enum fanin_status take_floats(fanin_data *d, const struct model_view *m, const char *key,
                                     float **to, int64_t n) {
    const json_t *array = json_object_get(m->schema, key);
    if (!array) return FANIN_OK;
    *to = fi_arena_alloc(&d->arena, n, sizeof(float));
    if (!*to) return FANIN_ERR_MEMORY;
    if (fi_json_read_floats(array, *to, n)) return FANIN_OK;
    return fi_fail(d->ctx, FANIN_ERR_DATA, "the model's data schema is damaged: %s", key);
}

static enum fanin_status load(fanin_data *d, const struct model_view *m, const char *path,
                              const char *labels_path) {
    const int64_t cols = m->shape->cols;
    struct fi_table *t = &d->tables[FANIN_TRAIN];
    FI_TRY(read_table(d, m, path, labels_path));
    FI_TRY(copy(d, &d->shift, m->shift, cols, 0));
    FI_TRY(copy(d, &d->scale, m->scale, cols, 1));
    if (t->may_miss) {
        FI_TRY(take_floats(d, m, "fill", &d->fill, cols));
        if (!d->fill) FI_TRY(copy(d, &d->fill, NULL, cols, 0));
        fi_data_fill(d, t);
    }
    d->parts[FANIN_TRAIN] = d->parts[FANIN_TEST] = (struct fi_part){.table = t, .n = t->n};
    d->describe = t->describe;
    return FANIN_OK;
}

enum fanin_status fi_data_load_like(fanin_data **out, fanin_ctx *ctx, const char *reader,
                                    const char *schema, const char *path, const char *labels_path,
                                    const struct fanin_shape *shape, const float *shift,
                                    const float *scale, const char *const *output_names,
                                    int64_t n_outputs, enum fanin_task task) {
    struct model_view m = {reader, shape, shift, scale, output_names, n_outputs, task, NULL, false};
    *out = NULL;
    if (!path || !shape)
        return fi_fail(ctx, FANIN_ERR_ARGUMENT, "fi_data_load_like: path and shape are needed");
    fanin_data *d;
    FI_TRY(fi_data_create(&d, ctx));
    enum fanin_status status = schema ? fi_json_parse(&m.schema, ctx, schema) : FANIN_OK;
    m.target_inputs = fi_schema_target_inputs(m.schema);
    if (status == FANIN_OK) status = load(d, &m, path, labels_path);
    json_decref(m.schema);
    if (status == FANIN_OK)
        *out = d;
    else
        fanin_data_free(d);
    return status;
}
