/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The schema of a table of text: kept in the model file, found again in other files.
 *
 * With a header, columns are found by name, whatever their order, and further columns are of no
 * matter. Without one they are found by place; one cell less in a row means that the target is not
 * there.
 *
 * A schema comes out of a model file, so nothing in it is believed: every member is checked.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "data/csv.h"
#include "data/schema.h"

/* ---- cells ------------------------------------------------------------------------------------------------ */

void fi_csv_set_na(struct csv_schema *s, const char *na) {
    s->na = na;
    for (const char *p = na; *p; p++)
        if (*p != ' ' && (p == na || p[-1] == ' ')) s->na_starts[(uint8_t)*p] = true;
}

bool fi_csv_is_missing(const struct csv_schema *s, const char *cell) {
    if (!*cell) return true;
    if (!s->na_starts[(uint8_t)*cell]) return false;
    for (const char *word = s->na; *word;) {
        size_t n = strcspn(word, " ");
        if (n > 0 && strncmp(word, cell, n) == 0 && !cell[n]) return true;
        word += n + (word[n] == ' ');
    }
    return false;
}

const char *fi_csv_class(const struct csv_file *file, const struct csv_schema *s, const char *cell,
                         char buffer[32]) {
    double value;
    if (!s->numeric_classes || fi_csv_number(file, cell, &value) != CSV_NUMBER ||
        value != floor(value) || fabs(value) > 0x1p53)
        return cell;
    (void)snprintf(buffer, 32, "%lld", (long long)value);
    return buffer;
}

enum fanin_status fi_csv_layout(struct csv_schema *s, fanin_ctx *ctx) {
    s->cols = 0;
    for (int64_t i = 0; i < s->n_inputs; i++) {
        struct csv_column *c = &s->inputs[i];
        c->width = c->index ? 1 : c->category ? c->values.n + c->other : 1 + c->flag;
        c->first = s->cols;
        if (!fi_add(s->cols, c->width, &s->cols))
            return fi_fail_memory(ctx, "the inputs of a table", SIZE_MAX);
    }
    return FANIN_OK;
}

static const char *const task_words[] = {"none", "classification", "regression"};
/* As in the attribute; a flag is a member of its own here. */
static const char *const missing_words[] = {
    [CSV_MISSING_MEAN] = "mean",
    [CSV_MISSING_MEDIAN] = "median",
    [CSV_MISSING_MOST_FREQUENT] = "most_frequent",
    [CSV_MISSING_FLAG] = "flag",
    [CSV_MISSING_ERROR] = "error",
};

/* ---- writing ---------------------------------------------------------------------------------------------- */

static json_t *words_json(const struct csv_words *w) {
    json_t *array = json_array();
    for (int64_t i = 0; array && i < w->n; i++) {
        if (json_array_append_new(array, json_string(w->list[i].text)) == 0) continue;
        json_decref(array);
        array = NULL;
    }
    return array;
}

static json_t *column_json(const struct csv_column *c) {
    json_t *column = json_object();
    int failed = json_object_set_new(column, "name", json_string(c->name));
    failed |= json_object_set_new(column, "place", json_integer(c->place));
    if (c->missing != CSV_MISSING_MEAN)
        failed |= json_object_set_new(column, "missing", json_string(missing_words[c->missing]));
    if (c->flag) failed |= json_object_set_new(column, "flag", json_true());
    if (c->category) {
        failed |= json_object_set_new(column, "values", words_json(&c->values));
        failed |= json_object_set_new(column, "other", json_boolean(c->other));
        failed |= json_object_set_new(column, "index", json_boolean(c->index));
        if (c->usual >= 0) failed |= json_object_set_new(column, "usual", json_integer(c->usual));
    }
    if (!failed) return column;
    json_decref(column);
    return NULL;
}

const char *fi_csv_schema_write(const struct csv_schema *s, struct fi_arena *arena) {
    const char delimiter[2] = {s->delimiter, '\0'};
    json_t *root = json_object(), *csv = json_object(), *inputs = json_array();
    int failed = json_object_set_new(root, "csv", csv);
    failed |= json_object_set_new(csv, "delimiter", json_string(delimiter));
    failed |= json_object_set_new(csv, "header", json_boolean(s->header));
    failed |= json_object_set_new(csv, "na", json_string(s->na));
    failed |= json_object_set_new(csv, "fields", json_integer(s->fields));
    failed |= json_object_set_new(csv, "inputs", inputs);
    for (int64_t i = 0; !failed && i < s->n_inputs; i++)
        failed |= json_array_append_new(inputs, column_json(&s->inputs[i]));
    if (s->target.name) {
        failed |= json_object_set_new(csv, "target", column_json(&s->target));
        failed |= json_object_set_new(csv, "task", json_string(task_words[s->task]));
        failed |= json_object_set_new(csv, "numeric_classes", json_boolean(s->numeric_classes));
        failed |= json_object_set_new(csv, "classes", words_json(&s->classes));
    }
    if (s->n_others > 0) {
        json_t *others = json_array();
        failed |= json_object_set_new(csv, "others", others);
        for (int64_t i = 0; !failed && i < s->n_others; i++)
            failed |= json_array_append_new(others, column_json(&s->others[i]));
    }
    if (s->weight.name) failed |= json_object_set_new(csv, "weight", column_json(&s->weight));
    const char *text = fi_json_write(arena, failed ? NULL : root);
    json_decref(root);
    return text;
}

/* ---- parsing ------------------------------------------------------------------------------------------------ */

static enum fanin_status damaged(const struct fi_arena *arena, const char *what) {
    return fi_fail(arena->ctx, FANIN_ERR_DATA, "the model's data schema is damaged: %s", what);
}

static enum fanin_status parse_words(struct fi_arena *arena, struct csv_words *out,
                                     const json_t *array) {
    if (!json_is_array(array)) return damaged(arena, "values");
    for (size_t i = 0; i < json_array_size(array); i++) {
        const char *text = json_string_value(json_array_get(array, i));
        if (!text || fi_csv_find(out, text) >= 0) return damaged(arena, "values");
        FI_TRY(fi_csv_add(arena, out, text));
    }
    return FANIN_OK;
}

static enum fanin_status parse_missing(struct fi_arena *arena, struct csv_column *out,
                                       const json_t *json) {
    const char *word = json_string_value(json_object_get(json, "missing"));
    const json_t *usual = json_object_get(json, "usual");
    if (word) out->missing = fi_word_index(CSV_MISSING_WORDS, word);
    if (out->missing < 0 || out->missing == CSV_MISSING_FLAG) return damaged(arena, "missing");
    if (usual) out->usual = json_integer_value(usual);
    if (usual && (!json_is_integer(usual) || out->usual < 0 || out->usual >= out->values.n))
        return damaged(arena, "usual");
    return FANIN_OK;
}

static enum fanin_status parse_column(struct fi_arena *arena, struct csv_column *out,
                                      const json_t *json, int64_t fields) {
    const char *name = json_string_value(json_object_get(json, "name"));
    const json_t *place = json_object_get(json, "place");
    const json_t *values = json_object_get(json, "values");
    if (!name || !json_is_integer(place)) return damaged(arena, "a column");
    *out = (struct csv_column){.name = fi_arena_strdup(arena, name),
                               .place = json_integer_value(place),
                               .category = values != NULL,
                               .other = json_is_true(json_object_get(json, "other")),
                               .index = json_is_true(json_object_get(json, "index")),
                               .flag = json_is_true(json_object_get(json, "flag")),
                               .usual = -1,
                               .width = 1};
    if (!out->name) return FANIN_ERR_MEMORY;
    if (out->place < 0 || out->place >= fields) return damaged(arena, "the place of a column");
    if ((out->index && !values) || (out->flag && values)) return damaged(arena, "a column");
    if (values) FI_TRY(parse_words(arena, &out->values, values));
    return parse_missing(arena, out, json);
}

static enum fanin_status parse_target(struct csv_schema *out, struct fi_arena *arena,
                                      const json_t *csv) {
    const json_t *target = json_object_get(csv, "target"), *weight = json_object_get(csv, "weight");
    if (weight) FI_TRY(parse_column(arena, &out->weight, weight, out->fields));
    if (!target) return FANIN_OK;
    const char *task = json_string_value(json_object_get(csv, "task"));
    for (int t = FANIN_CLASSIFICATION; t <= FANIN_REGRESSION; t++)
        if (task && strcmp(task, task_words[t]) == 0) out->task = (enum fanin_task)t;
    if (out->task == FANIN_UNLABELED) return damaged(arena, "task");
    out->numeric_classes = json_is_true(json_object_get(csv, "numeric_classes"));
    FI_TRY(parse_column(arena, &out->target, target, out->fields));
    const json_t *others = json_object_get(csv, "others");
    if (json_array_size(others) > 0 && out->task != FANIN_REGRESSION)
        return damaged(arena, "targets");
    out->others =
        fi_arena_alloc(arena, FI_MAX((int64_t)json_array_size(others), 1), sizeof(*out->others));
    if (!out->others) return FANIN_ERR_MEMORY;
    for (size_t i = 0; i < json_array_size(others); i++)
        FI_TRY(parse_column(arena, &out->others[out->n_others++], json_array_get(others, i),
                            out->fields));
    return parse_words(arena, &out->classes, json_object_get(csv, "classes"));
}

static enum fanin_status parse_csv(struct csv_schema *out, struct fi_arena *arena,
                                   const json_t *csv) {
    const char *delimiter = json_string_value(json_object_get(csv, "delimiter"));
    const char *na = json_string_value(json_object_get(csv, "na"));
    const json_t *fields = json_object_get(csv, "fields"), *inputs = json_object_get(csv, "inputs");
    if (!delimiter || strlen(delimiter) != 1 || !na) return damaged(arena, "delimiter or na");
    *out = (struct csv_schema){.delimiter = delimiter[0],
                               .header = json_is_true(json_object_get(csv, "header")),
                               .fields = json_integer_value(fields)};
    const char *words = fi_arena_strdup(arena, na);
    if (!words) return FANIN_ERR_MEMORY;
    fi_csv_set_na(out, words);
    if (!json_is_array(inputs) || json_array_size(inputs) == 0) return damaged(arena, "inputs");
    out->inputs = fi_arena_alloc(arena, (int64_t)json_array_size(inputs), sizeof(*out->inputs));
    if (!out->inputs) return FANIN_ERR_MEMORY;
    for (size_t i = 0; i < json_array_size(inputs); i++)
        FI_TRY(parse_column(arena, &out->inputs[out->n_inputs++], json_array_get(inputs, i),
                            out->fields));
    FI_TRY(parse_target(out, arena, csv));
    return fi_csv_layout(out, arena->ctx);
}

enum fanin_status fi_csv_schema_parse(struct csv_schema *out, struct fi_arena *arena,
                                      const char *text) {
    json_t *root;
    FI_TRY(fi_json_parse(&root, arena->ctx, text));
    enum fanin_status status = parse_csv(out, arena, json_object_get(root, "csv"));
    json_decref(root);
    return status;
}

/* ---- another file -------------------------------------------------------------------------------------------- */

struct locating {
    struct csv_schema *schema;
    const struct csv_file *file;
    struct fi_arena *arena;
    bool target_optional;
};

static enum fanin_status missing_column(const struct locating *l, const struct csv_column *c,
                                        const struct csv_words *names) {
    struct fi_text text;
    fi_text_init(&text, l->file->ctx);
    for (int64_t i = 0; i < FI_MIN(names->n, 12); i++)
        fi_text_add(&text, "%s%.40s", i ? ", " : "", names->list[i].text);
    if (names->n > 12) fi_text_add(&text, ", ...");
    enum fanin_status status =
        fi_fail(l->file->ctx, FANIN_ERR_DATA,
                "'%s' has no column '%s', which the training data had (its first line: %s)",
                l->file->path, c->name, text.length ? text.data : "");
    fi_text_free(&text);
    return status;
}

static enum fanin_status locate_by_name(struct locating *l, const struct csv_row *row) {
    struct csv_schema *s = l->schema;
    struct csv_words names = {0};
    for (int64_t j = 0; j < row->n; j++) {
        /* an empty name is told by its place, as when it was learned */
        const char *name = *row->cells[j]
                               ? row->cells[j]
                               : fi_arena_printf(l->arena, "column %lld", (long long)j + 1);
        if (!name) return FANIN_ERR_MEMORY;
        if (fi_csv_find(&names, name) >= 0)
            return fi_fail(l->file->ctx, FANIN_ERR_DATA, "%s:%lld: two columns are called '%s'",
                           l->file->path, (long long)row->line, name);
        FI_TRY(fi_csv_add(l->arena, &names, name));
    }
    for (int64_t i = 0; i < s->n_inputs; i++) {
        s->inputs[i].place = fi_csv_find(&names, s->inputs[i].name);
        if (s->inputs[i].place < 0) return missing_column(l, &s->inputs[i], &names);
    }
    if (s->weight.name) s->weight.place = fi_csv_find(&names, s->weight.name);
    if (!s->target.name) return FANIN_OK;
    bool all = true;
    for (int64_t i = -1; i < s->n_others; i++) {
        struct csv_column *c = i < 0 ? &s->target : &s->others[i];
        c->place = fi_csv_find(&names, c->name);
        if (c->place < 0 && !l->target_optional) return missing_column(l, c, &names);
        all = all && c->place >= 0;
    }
    if (!all) s->target.place = -1;
    return FANIN_OK;
}

static int64_t targets_before(const struct csv_schema *s, const struct csv_column *c) {
    int64_t n = c->place > s->target.place;
    for (int64_t i = 0; i < s->n_others; i++) n += c->place > s->others[i].place;
    return n;
}

static enum fanin_status locate_by_place(struct locating *l, const struct csv_row *row) {
    struct csv_schema *s = l->schema;
    const int64_t target = s->target.name ? s->target.place : -1;
    if (row->n == s->fields) return FANIN_OK;
    if (target < 0 || !l->target_optional || row->n != s->fields - 1 - s->n_others)
        return fi_fail(l->file->ctx, FANIN_ERR_DATA,
                       "'%s' has %lld columns, but the training data had %lld", l->file->path,
                       (long long)row->n, (long long)s->fields);
    for (int64_t i = 0; i < s->n_inputs; i++)
        s->inputs[i].place -= targets_before(s, &s->inputs[i]);
    if (s->weight.name) s->weight.place -= targets_before(s, &s->weight);
    s->target.place = -1;
    return FANIN_OK;
}

static enum fanin_status locate_and_count(void *arg, const struct csv_row *row) {
    struct locating *l = arg;
    struct csv_schema *s = l->schema;
    if (row->index == 0) FI_TRY(s->header ? locate_by_name(l, row) : locate_by_place(l, row));
    s->rows += row->index > 0 || !s->header;
    return FANIN_OK;
}

enum fanin_status fi_csv_locate(struct csv_schema *s, const struct csv_file *file,
                                struct fi_arena *arena, bool target_optional) {
    struct locating l = {s, file, arena, target_optional};
    s->rows = 0;
    FI_TRY(fi_csv_scan(file, locate_and_count, &l));
    if (s->rows == 0)
        return fi_fail(file->ctx, FANIN_ERR_DATA, "'%s' has a header but no data", file->path);
    return FANIN_OK;
}
