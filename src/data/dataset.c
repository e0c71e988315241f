/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading data sets: the reader is chosen, each file becomes a table, the rows of the training
 * table are dealt to the parts that have no file (split.c), the normalization is fitted
 * (normalize.c).
 *
 * Tables are never changed after loading, except that missing values are filled once; a part is a
 * list of rows of a table.
 */
#include <math.h>
#include <string.h>

#include "data/reader/reader.h"

const char *fi_part_name(enum fanin_part part) {
    static const char *const names[] = {"train", "validation", "test"};
    return names[part];
}

/* ---- tables ---------------------------------------------------------------------------------------- */

static const char *task_text(const struct fi_table *t) {
    static const char *const words[] = {"no labels", "classes", "target values"};
    return words[t->task];
}

enum fanin_status fi_table_check(fanin_ctx *ctx, const struct fi_table *table,
                                 const struct fi_table *like, const char *path) {
    const struct fanin_shape *a = &table->shape, *b = &like->shape;
    bool same = a->rank == b->rank;
    for (int i = 0; same && i < a->rank; i++) same = a->dims[i] == b->dims[i];
    if (a->cols != b->cols)
        return fi_fail(ctx, FANIN_ERR_SHAPE,
                       "'%s' has samples of %lld numbers, but %lld are expected", path,
                       (long long)a->cols, (long long)b->cols);
    if (!same && a->rank > 1)
        return fi_fail(ctx, FANIN_ERR_SHAPE,
                       "'%s' has samples of another shape (%lld numbers, rank %d instead of %d, or "
                       "other dimensions)",
                       path, (long long)a->cols, a->rank, b->rank);
    if (table->task == FANIN_UNLABELED) return FANIN_OK;
    if (table->task != like->task || table->n_outputs != like->n_outputs)
        return fi_fail(ctx, FANIN_ERR_SHAPE, "'%s' has %lld %s, but %lld %s are expected", path,
                       (long long)table->n_outputs, task_text(table), (long long)like->n_outputs,
                       task_text(like));
    return FANIN_OK;
}

enum fanin_status fi_table_name_outputs(struct fi_arena *arena, struct fi_table *table) {
    if (table->output_names || table->n_outputs == 0) return FANIN_OK;
    table->output_names = fi_arena_alloc(arena, table->n_outputs, sizeof(*table->output_names));
    if (!table->output_names) return FANIN_ERR_MEMORY;
    const char *word = table->task == FANIN_CLASSIFICATION ? "" : "value";
    const int from = table->task == FANIN_CLASSIFICATION ? 0 : 1;
    for (int64_t i = 0; i < table->n_outputs; i++) {
        table->output_names[i] = table->task == FANIN_REGRESSION && table->n_outputs == 1
                                     ? word
                                     : fi_arena_printf(arena, "%s%lld", word, (long long)i + from);
        if (!table->output_names[i]) return FANIN_ERR_MEMORY;
    }
    return FANIN_OK;
}

/* ---- loading ---------------------------------------------------------------------------------------- */

/* The files of one part. */
struct part_source {
    const char *path, *labels_path;
};

struct loading {
    fanin_data *data;
    struct fanin_data_options options;
    const struct fi_reader *reader;
    const void *attrs;
    bool target_inputs;
    struct part_source sources[3];
};

enum fanin_status fi_data_path(struct fi_arena *arena, const char *dir, const char *path,
                               const char **out) {
    *out = path;
    if (!path || !dir || !*dir || path[0] == '/' || strcmp(path, "-") == 0) return FANIN_OK;
    *out = fi_arena_printf(arena, "%s%s%s", dir, dir[strlen(dir) - 1] == '/' ? "" : "/", path);
    return *out ? FANIN_OK : FANIN_ERR_MEMORY;
}

static enum fanin_status complete_paths(struct loading *l) {
    const struct fanin_data_options *o = &l->options;
    const struct part_source given[3] = {[FANIN_TRAIN] = {o->train, o->train_labels},
                                         [FANIN_VALIDATION] = {o->validation, o->validation_labels},
                                         [FANIN_TEST] = {o->test, o->test_labels}};
    for (int p = 0; p < 3; p++) {
        const char *part = fi_part_name((enum fanin_part)p);
        if (given[p].labels_path && !given[p].path)
            return fi_fail(l->data->ctx, FANIN_ERR_RECIPE, "data.%s_labels needs data.%s", part,
                           part);
        FI_TRY(fi_data_path(&l->data->arena, o->dir, given[p].path, &l->sources[p].path));
        FI_TRY(fi_data_path(&l->data->arena, o->dir, given[p].labels_path,
                            &l->sources[p].labels_path));
    }
    return FANIN_OK;
}

static enum fanin_status choose_reader(struct loading *l) {
    fanin_ctx *ctx = l->data->ctx;
    struct fanin_rule_ref rule = {0};
    const char *path = l->sources[FANIN_TRAIN].path;
    if (l->options.reader.name) {
        FI_TRY(
            fi_rule_resolve(&l->data->arena, &rule, "reader", &l->options.reader, "data.reader"));
    } else {
        if (!path)
            return fi_fail(ctx, FANIN_ERR_RECIPE,
                           "no data: give a file (data.train) or a source (data.reader)");
        const struct fi_reader *reader = fi_reader_for_path(ctx, path);
        if (!reader)
            return fi_fail(
                ctx, FANIN_ERR_RECIPE,
                "cannot tell the format of '%s' from its name: set data.reader (csv, idx, ...)",
                path);
        rule.record = &reader->head;
        FI_TRY(fi_attrs_parse(&l->data->arena, &rule.attrs, rule.record, NULL, 0, "data.reader"));
    }
    l->reader = (const struct fi_reader *)rule.record;
    l->attrs = rule.attrs;
    l->data->reader = rule.record->name;
    return FANIN_OK;
}

static enum fanin_status find_target(struct loading *l) {
    static const char *const words[] = {"labels", "input"};
    const char *target = l->options.target ? l->options.target : words[0];
    l->target_inputs = strcmp(target, words[1]) == 0;
    if (l->target_inputs || strcmp(target, words[0]) == 0) return FANIN_OK;
    const char *nearest = fanin_nearest(target, words, FI_COUNT(words));
    return fi_fail(
        l->data->ctx, FANIN_ERR_RECIPE,
        "data.target: '%s' is unknown%s%s%s (labels, input; the target column of a table "
        "is named in data.reader: {csv: {target: NAME}})",
        target, nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
}

/* What data.rows and data.test_rows leave of a table. */
static enum fanin_status keep_rows(struct loading *l, enum fanin_part part, const char *path) {
    struct fi_table *t = &l->data->tables[part];
    if (part == FANIN_VALIDATION) return FANIN_OK;
    return part == FANIN_TRAIN
               ? fi_table_first_rows(l->data->ctx, t, l->options.rows, "rows", path)
               : fi_table_first_rows(l->data->ctx, t, l->options.test_rows, "test_rows", path);
}

/* schema and holds are set by the training part. */
static enum fanin_status read_part(struct loading *l, enum fanin_part part, const char **schema,
                                   bool holds[3]) {
    fanin_data *d = l->data;
    const struct fi_table *like = part == FANIN_TRAIN ? NULL : &d->tables[FANIN_TRAIN];
    const struct fi_table unlabeled = fi_table_without_labels(&d->tables[FANIN_TRAIN]);
    struct fi_read_request request = {.ctx = d->ctx,
                                      .arena = &d->arena,
                                      .path = l->sources[part].path,
                                      .labels_path = l->sources[part].labels_path,
                                      .attrs = l->attrs,
                                      .seed = l->options.seed,
                                      .part = part,
                                      .like = like && l->target_inputs ? &unlabeled : like,
                                      .dir = l->options.dir,
                                      .weights = l->options.sample_weights,
                                      .schema_in = *schema};
    struct fi_table *table = &d->tables[part];
    const char *path = request.path ? request.path : l->reader->head.name;
    if (l->target_inputs) fi_request_no_labels(&request);
    FI_TRY(fi_reader_call(l->reader, &request, table));
    if (l->target_inputs) FI_TRY(fi_table_target_inputs(d->ctx, table, path));
    FI_TRY(keep_rows(l, part, path));
    if (!like) {
        *schema = request.schema_out;
        memcpy(holds, request.holds, sizeof request.holds);
    } else {
        FI_TRY(fi_table_check(d->ctx, table, like, path));
        if (table->task != like->task)
            return fi_fail(d->ctx, FANIN_ERR_SHAPE,
                           "'%s' has no labels, but the training data have", path);
        table->output_names = like->output_names;
    }
    d->parts[part] = (struct fi_part){.table = table, .n = table->n};
    return fi_table_name_outputs(&d->arena, table);
}

static enum fanin_status check_fraction(fanin_ctx *ctx, const char *key, double value) {
    if (value >= 0 && value < 1) return FANIN_OK;
    return fi_fail(ctx, FANIN_ERR_RECIPE, "data.%s is %g; it must be at least 0 and below 1", key,
                   value);
}

static enum fanin_status split(struct loading *l) {
    const struct fanin_data_options *o = &l->options;
    fanin_ctx *ctx = l->data->ctx;
    FI_TRY(check_fraction(ctx, "validation_fraction", o->validation_fraction));
    FI_TRY(check_fraction(ctx, "test_fraction", o->test_fraction));
    double validation = l->sources[FANIN_VALIDATION].path ? 0 : o->validation_fraction;
    double test = l->sources[FANIN_TEST].path ? 0 : o->test_fraction;
    if (validation + test >= 1)
        return fi_fail(ctx, FANIN_ERR_RECIPE,
                       "data.validation_fraction and data.test_fraction leave nothing to train on "
                       "(%g + %g)",
                       validation, test);
    return validation > 0 || test > 0 ? fi_data_split(l->data, validation, test) : FANIN_OK;
}

static enum fanin_status describe(fanin_data *d) {
    static const enum fanin_part parts[] = {FANIN_TRAIN, FANIN_VALIDATION, FANIN_TEST};
    struct fi_text text;
    fi_text_init(&text, d->ctx);
    fi_text_add(&text, "%s%s", d->tables[FANIN_TRAIN].describe,
                d->tables[FANIN_TRAIN].target_inputs ? "; the inputs are the targets" : "");
    for (int i = 0; i < FI_COUNT(parts); i++) {
        const struct fi_part *p = &d->parts[parts[i]];
        if (p->n == 0) continue;
        fi_text_add(&text, "%s %lld %s%s", i ? "," : ";", (long long)p->n, fi_part_name(parts[i]),
                    p->rows && parts[i] != FANIN_TRAIN ? " (split off)" : "");
        const struct fi_table *own = &d->tables[parts[i]];
        if (p->table == own && own->n < own->in_file)
            fi_text_add(&text, " of the first %lld", (long long)own->n);
    }
    d->describe = text.failed ? NULL : fi_arena_strdup(&d->arena, text.data);
    fi_text_free(&text);
    return d->describe ? FANIN_OK : FANIN_ERR_MEMORY;
}

static enum fanin_status load(struct loading *l) {
    fanin_data *d = l->data;
    const char *schema = NULL;
    bool holds[3] = {false};
    FI_TRY(complete_paths(l));
    FI_TRY(choose_reader(l));
    FI_TRY(find_target(l));
    FI_TRY(read_part(l, FANIN_TRAIN, &schema, holds));
    for (int p = FANIN_VALIDATION; p <= FANIN_TEST; p++) {
        /* a part of its own that nobody named, unless one is split off: of a synthetic source, or
         * in the training file */
        bool split =
            (p == FANIN_TEST ? l->options.test_fraction : l->options.validation_fraction) > 0;
        bool fresh = l->reader->synthetic && p == FANIN_TEST && !split;
        if (!l->sources[p].path && holds[p] && !split) l->sources[p].path = l->sources[0].path;
        if (l->sources[p].path || fresh) FI_TRY(read_part(l, (enum fanin_part)p, &schema, holds));
    }
    if (l->options.test_rows != 0 && !d->tables[FANIN_TEST].n)
        return fi_fail(d->ctx, FANIN_ERR_RECIPE,
                       "data.test_rows is %lld, but there are no test data of their own to take "
                       "them from: name a file in data.test",
                       (long long)l->options.test_rows);
    FI_TRY(split(l));
    const char *weights = NULL;
    FI_TRY(fi_data_path(&d->arena, l->options.dir, l->options.sample_weights, &weights));
    FI_TRY(fi_data_weigh(d, l->options.sample_weights, weights));
    FI_TRY(fi_data_fit(d));
    FI_TRY(fi_data_write_schema(d, schema));
    return describe(d);
}

enum fanin_status fi_data_create(fanin_data **out, fanin_ctx *ctx) {
    *out = fi_alloc(ctx, 1, sizeof(**out));
    if (!*out) return FANIN_ERR_MEMORY;
    (*out)->ctx = ctx;
    (*out)->normalize = "none";
    fi_arena_init(&(*out)->arena, ctx);
    return FANIN_OK;
}

enum fanin_status fanin_data_load(fanin_data **out, fanin_ctx *ctx,
                                  const struct fanin_data_options *options) {
    struct loading l = {0};
    *out = NULL;
    if (!options || options->size == 0)
        return fi_fail(ctx, FANIN_ERR_ARGUMENT, "fanin_data_load: options, or their size, not set");
    memcpy(&l.options, options, FI_MIN(options->size, sizeof(l.options)));
    FI_TRY(fi_data_create(&l.data, ctx));
    l.data->seed = l.options.seed;
    l.data->normalize = l.options.normalize ? l.options.normalize : "mean_std";
    enum fanin_status status = load(&l);
    if (status == FANIN_OK)
        *out = l.data;
    else
        fanin_data_free(l.data);
    return status;
}

/* ---- from memory ----------------------------------------------------------------------------------- */

static enum fanin_status copy_numbers(fanin_data *d, float **to, const float *from, int64_t rows,
                                      int64_t cols, const char *what) {
    int64_t count;
    if (!fi_mul(rows, cols, &count)) return fi_fail_memory(d->ctx, what, SIZE_MAX);
    *to = fi_arena_alloc(&d->arena, count, sizeof(float));
    if (!*to) return FANIN_ERR_MEMORY;
    for (int64_t i = 0; i < count; i++) {
        if (!isfinite(from[i]))
            return fi_fail(d->ctx, FANIN_ERR_DATA, "%s %lld of row %lld is not finite", what,
                           (long long)(i % cols), (long long)(i / cols));
        (*to)[i] = from[i];
    }
    return FANIN_OK;
}

static enum fanin_status copy_labels(fanin_data *d, struct fi_table *t, const int32_t *labels,
                                     int64_t n_classes) {
    if (n_classes < 1 || n_classes > INT32_MAX)
        return fi_fail(d->ctx, FANIN_ERR_ARGUMENT, "labels need a number of classes above 0");
    t->labels = fi_arena_alloc(&d->arena, t->n, sizeof(*t->labels));
    if (!t->labels) return FANIN_ERR_MEMORY;
    for (int64_t i = 0; i < t->n; i++) {
        if (labels[i] < 0 || labels[i] >= n_classes)
            return fi_fail(d->ctx, FANIN_ERR_DATA, "label %d of row %lld is not in 0 to %lld",
                           (int)labels[i], (long long)i, (long long)n_classes - 1);
        t->labels[i] = labels[i];
    }
    t->task = FANIN_CLASSIFICATION;
    t->n_outputs = n_classes;
    return FANIN_OK;
}

static enum fanin_status fill_from_arrays(fanin_data *d, int64_t n, int64_t cols, const float *x,
                                          const int32_t *labels, int64_t n_classes,
                                          const float *targets, int64_t n_targets) {
    struct fi_table *t = &d->tables[FANIN_TRAIN];
    t->n = t->in_file = n;
    t->shape = (struct fanin_shape){.rank = 1, .dims = {cols}, .cols = cols};
    FI_TRY(copy_numbers(d, &t->f32, x, n, cols, "x: column"));
    if (labels) FI_TRY(copy_labels(d, t, labels, n_classes));
    if (targets) {
        if (n_targets < 1)
            return fi_fail(d->ctx, FANIN_ERR_ARGUMENT, "targets need their number per row");
        FI_TRY(copy_numbers(d, &t->targets, targets, n, n_targets, "targets: column"));
        t->task = FANIN_REGRESSION;
        t->n_outputs = n_targets;
    }
    FI_TRY(fi_table_name_outputs(&d->arena, t));
    d->parts[FANIN_TRAIN] = (struct fi_part){.table = t, .n = n};
    t->describe =
        fi_arena_printf(&d->arena, "from memory: %lld rows of %lld numbers, %lld %s", (long long)n,
                        (long long)cols, (long long)t->n_outputs, task_text(t));
    return t->describe ? describe(d) : FANIN_ERR_MEMORY;
}

enum fanin_status fanin_data_from_arrays(fanin_data **out, fanin_ctx *ctx, int64_t n, int64_t cols,
                                         const float *x, const int32_t *labels, int64_t n_classes,
                                         const float *targets, int64_t n_targets) {
    fanin_data *d;
    *out = NULL;
    if (n < 1 || cols < 1 || !x || (labels && targets))
        return fi_fail(ctx, FANIN_ERR_ARGUMENT,
                       "fanin_data_from_arrays: needs x with n >= 1 rows of cols >= 1 numbers, and "
                       "labels or targets but not both");
    FI_TRY(fi_data_create(&d, ctx));
    enum fanin_status status =
        fill_from_arrays(d, n, cols, x, labels, n_classes, targets, n_targets);
    if (status == FANIN_OK) status = fi_data_fit(d);
    if (status == FANIN_OK)
        *out = d;
    else
        fanin_data_free(d);
    return status;
}

void fanin_data_free(fanin_data *data) {
    if (!data) return;
    fi_arena_free(&data->arena);
    fi_free(data->ctx, data);
}

/* ---- what a data set says --------------------------------------------------------------------------- */

enum fanin_task fanin_data_task(const fanin_data *data) {
    return data->tables[FANIN_TRAIN].task;
}

int64_t fanin_data_rows(const fanin_data *data, enum fanin_part part) {
    return data->parts[part].n;
}

const struct fanin_shape *fanin_data_shape(const fanin_data *data) {
    return &data->tables[FANIN_TRAIN].shape;
}

int64_t fanin_data_outputs(const fanin_data *data) {
    return data->tables[FANIN_TRAIN].n_outputs;
}

const char *fanin_data_output_name(const fanin_data *data, int64_t index) {
    const struct fi_table *t = &data->tables[FANIN_TRAIN];
    return index >= 0 && index < t->n_outputs ? t->output_names[index] : NULL;
}

const char *fanin_data_describe(const fanin_data *data) {
    return data->describe;
}
