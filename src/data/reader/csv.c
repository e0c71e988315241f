/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables of text (RFC 4180: comma, semicolon, tab or bar; quotes; with or without a header), plain
 * or gzip, from a file or standard input. How columns and target are understood is described in
 * csv_learn.c, kept as a schema, and applied again to every other file of the same model.
 */
#include "data/csv.h"

#include <math.h>

#include "data/reader/reader.h"

struct filling {
    const struct csv_file *file;
    const struct csv_schema *schema;
    struct fi_table *table;
    bool labels_optional, no_labels;
    int64_t row;
};

static enum fanin_status bad_cell(const struct filling *f, const struct csv_row *row,
                                  const struct csv_column *c, const char *why) {
    return fi_fail(f->file->ctx, FANIN_ERR_DATA, "%s:%lld: column '%s': '%.40s' %s", f->file->path,
                   (long long)row->line, c->name, row->cells[c->place], why);
}

static const char is_missing[] = "is a missing value";

static enum fanin_status fill_number(const struct filling *f, const struct csv_row *row,
                                     const struct csv_column *c, bool may_miss, float *to) {
    const char *cell = row->cells[c->place];
    double value;
    if (fi_csv_is_missing(f->schema, cell)) {
        *to = NAN;
        return may_miss ? FANIN_OK : bad_cell(f, row, c, is_missing);
    }
    switch (fi_csv_number(f->file, cell, &value)) {
    case CSV_TEXT:
        return bad_cell(f, row, c, "is no number");
    case CSV_NOT_FINITE:
        return bad_cell(f, row, c, "is not a finite number");
    case CSV_NUMBER:
        break;
    }
    *to = (float)value;
    return FANIN_OK;
}

/* Where there is no column for others, an unknown value is all zeros; as an index it is 0. */
static enum fanin_status fill_category(const struct filling *f, const struct csv_row *row,
                                       const struct csv_column *c, float *to) {
    const char *cell = row->cells[c->place];
    const bool missing = fi_csv_is_missing(f->schema, cell);
    if (missing && c->missing == CSV_MISSING_ERROR) return bad_cell(f, row, c, is_missing);
    int64_t value =
        missing && c->usual >= 0 ? c->usual : fi_csv_find(&c->values, missing ? "" : cell);
    if (c->index)
        to[0] = (float)(value + 1);
    else if (value >= 0)
        to[value] = 1;
    else if (c->other)
        to[c->width - 1] = 1;
    return FANIN_OK;
}

/* The k-th target. */
static enum fanin_status fill_target(struct filling *f, const struct csv_row *row, int64_t k) {
    const struct csv_column *c = k ? &f->schema->others[k - 1] : &f->schema->target;
    struct fi_table *t = f->table;
    const char *cell = row->cells[c->place];
    char buffer[32];
    if (fi_csv_is_missing(f->schema, cell)) {
        f->no_labels = true;
        return f->labels_optional ? FANIN_OK
                                  : bad_cell(f, row, c,
                                             "is a missing value, but the target must "
                                             "be there in every row");
    }
    if (t->task == FANIN_REGRESSION)
        return fill_number(f, row, c, false, &t->targets[f->row * t->n_outputs + k]);
    int64_t label =
        fi_csv_find(&f->schema->classes, fi_csv_class(f->file, f->schema, cell, buffer));
    if (label < 0) return bad_cell(f, row, c, "is no class of the training data");
    t->labels[f->row] = (int32_t)label;
    return FANIN_OK;
}

static enum fanin_status fill_weight(const struct filling *f, const struct csv_row *row) {
    const struct csv_column *c = &f->schema->weight;
    float *to = &f->table->weights[f->row];
    FI_TRY(fill_number(f, row, c, false, to));
    return *to >= 0 ? FANIN_OK : bad_cell(f, row, c, "is below 0, which no weight may be");
}

static enum fanin_status fill_row(void *arg, const struct csv_row *row) {
    struct filling *f = arg;
    const struct csv_schema *s = f->schema;
    if (row->index == 0 && s->header) return FANIN_OK;
    float *x = f->table->f32 + f->row * s->cols;
    for (int64_t i = 0; i < s->n_inputs; i++) {
        const struct csv_column *c = &s->inputs[i];
        if (c->category) {
            FI_TRY(fill_category(f, row, c, x + c->first));
            continue;
        }
        FI_TRY(fill_number(f, row, c, c->missing != CSV_MISSING_ERROR, x + c->first));
        if (c->flag) x[c->first + 1] = (float)isnan(x[c->first]);
    }
    for (int64_t k = 0; f->table->task != FANIN_UNLABELED && k <= s->n_others; k++)
        FI_TRY(fill_target(f, row, k));
    if (f->table->weights) FI_TRY(fill_weight(f, row));
    f->row++;
    return FANIN_OK;
}

/* The name of a column's k-th input; NULL without memory. */
static const char *input_name(struct fi_arena *arena, const struct csv_column *c, int64_t k) {
    const char *value = "(missing)";
    if (c->index || (!c->category && k == 0)) return c->name;
    if (c->category && k == c->values.n)
        value = "(other)";
    else if (c->category && *c->values.list[k].text)
        value = c->values.list[k].text;
    return fi_arena_printf(arena, "%s=%s", c->name, value);
}

/* What the inputs are called, and which of them are numbers. */
static enum fanin_status describe_inputs(struct fi_arena *arena, const struct csv_schema *s,
                                         struct fi_table *out) {
    uint8_t *fixed = fi_arena_alloc(arena, s->cols, 1), *fill = fi_arena_alloc(arena, s->cols, 1);
    int32_t *vocabulary = fi_arena_alloc(arena, s->cols, sizeof(*vocabulary));
    out->input_names = fi_arena_alloc(arena, s->cols, sizeof(*out->input_names));
    if (!fixed || !fill || !vocabulary || !out->input_names) return FANIN_ERR_MEMORY;
    out->fixed = fixed;
    out->fill = fill;
    out->vocabulary = vocabulary;
    for (int64_t i = 0; i < s->n_inputs; i++) {
        const struct csv_column *c = &s->inputs[i];
        if (!c->category && c->missing != CSV_MISSING_ERROR) {
            fill[c->first] = (uint8_t)c->missing;
            out->may_miss = true;
        }
        if (c->index) vocabulary[c->first] = (int32_t)c->values.n + 1;
        for (int64_t k = 0; k < c->width; k++) {
            fixed[c->first + k] = c->category || k > 0;
            out->input_names[c->first + k] = input_name(arena, c, k);
            if (!out->input_names[c->first + k]) return FANIN_ERR_MEMORY;
        }
    }
    return FANIN_OK;
}

static enum fanin_status make_table(struct fi_arena *arena, const struct csv_schema *s,
                                    struct fi_table *out) {
    const bool target = s->target.name && s->target.place >= 0;
    int64_t cells;
    if (!fi_mul(s->rows, s->cols, &cells)) return fi_fail_memory(arena->ctx, "a table", SIZE_MAX);
    out->n = s->rows;
    out->shape = (struct fanin_shape){.rank = 1, .dims = {s->cols}, .cols = s->cols};
    out->task = target ? s->task : FANIN_UNLABELED;
    out->f32 = fi_arena_alloc(arena, cells, sizeof(float));
    if (!out->f32) return FANIN_ERR_MEMORY;
    if (out->task == FANIN_CLASSIFICATION) {
        out->n_outputs = s->classes.n;
        out->output_names = fi_arena_alloc(arena, s->classes.n, sizeof(*out->output_names));
        out->labels = fi_arena_alloc(arena, out->n, sizeof(*out->labels));
        if (!out->output_names || !out->labels) return FANIN_ERR_MEMORY;
        for (int64_t c = 0; c < s->classes.n; c++) out->output_names[c] = s->classes.list[c].text;
    } else if (out->task == FANIN_REGRESSION) {
        if (!fi_mul(out->n, 1 + s->n_others, &cells))
            return fi_fail_memory(arena->ctx, "a table", SIZE_MAX);
        out->n_outputs = 1 + s->n_others;
        out->targets = fi_arena_alloc(arena, cells, sizeof(float));
        out->output_names = fi_arena_alloc(arena, out->n_outputs, sizeof(*out->output_names));
        if (!out->targets || !out->output_names) return FANIN_ERR_MEMORY;
        for (int64_t k = 0; k < out->n_outputs; k++)
            out->output_names[k] = k ? s->others[k - 1].name : s->target.name;
    }
    if (s->weight.name && s->weight.place >= 0) {
        out->weights = fi_arena_alloc(arena, out->n, sizeof(float));
        if (!out->weights) return FANIN_ERR_MEMORY;
    }
    return describe_inputs(arena, s, out);
}

static enum fanin_status fill_table(struct fi_read_request *r, const struct csv_file *file,
                                    const struct csv_schema *s, struct fi_table *out) {
    struct filling f = {
        .file = file, .schema = s, .table = out, .labels_optional = r->labels_optional};
    FI_TRY(make_table(r->arena, s, out));
    FI_TRY(fi_csv_scan(file, fill_row, &f));
    if (f.no_labels) {
        out->task = FANIN_UNLABELED;
        out->n_outputs = 0;
        out->labels = NULL;
        out->targets = NULL;
        out->output_names = NULL;
    }
    out->describe = fi_arena_printf(r->arena, "%s: %lld rows, %s%s", fi_base_name(file->path),
                                    (long long)out->n, s->note ? s->note : "columns as in training",
                                    s->note || out->task != FANIN_UNLABELED ? ""
                                    : f.no_labels ? ", targets are missing"
                                                  : ", no target");
    return out->describe ? FANIN_OK : FANIN_ERR_MEMORY;
}

static enum fanin_status understand(struct fi_read_request *r, const struct csv_file *file,
                                    struct csv_schema *schema) {
    if (r->schema_in) return fi_csv_locate(schema, file, r->arena, r->labels_optional);
    if (r->like) return fi_csv_plain(schema, file, r->arena, r->attrs, r->like);
    FI_TRY(fi_csv_learn(schema, file, r->arena, r->attrs, r->weights, r->no_labels));
    r->schema_out = fi_csv_schema_write(schema, r->arena);
    return r->schema_out ? FANIN_OK : FANIN_ERR_MEMORY;
}

/* ---- a column of numbers ------------------------------------------------------------------------- */

struct numbers {
    const struct csv_file *file;
    struct fi_arena *arena;
    float *values;
    int64_t n, cap;
};

/* Behind a first line that is no number, which is a name. */
static enum fanin_status add_number(void *arg, const struct csv_row *row) {
    struct numbers *list = arg;
    double value;
    const enum csv_cell kind = fi_csv_number(list->file, row->cells[0], &value);
    if (row->index == 0 && kind == CSV_TEXT) return FANIN_OK;
    if (row->n != 1 || kind != CSV_NUMBER)
        return fi_fail(list->file->ctx, FANIN_ERR_DATA,
                       "%s:%lld: '%.40s': there must be one number a line", list->file->path,
                       (long long)row->line, row->cells[0]);
    FI_TRY(fi_arena_grow(list->arena, (void **)&list->values, &list->cap, list->n + 1,
                         sizeof(*list->values)));
    list->values[list->n++] = (float)value;
    return FANIN_OK;
}

static enum fanin_status read_numbers(struct fi_read_request *r, float **out, int64_t *n) {
    struct csv_file file;
    struct numbers list = {.file = &file, .arena = r->arena};
    FI_TRY(fi_csv_open(&file, r->ctx, r->path, "auto"));
    const enum fanin_status status = fi_csv_scan(&file, add_number, &list);
    fi_csv_close(&file);
    *out = list.values;
    *n = list.n;
    return status;
}

static enum fanin_status read_csv(struct fi_read_request *r, struct fi_table *out) {
    const struct csv *attrs = r->attrs;
    struct csv_schema schema = {0};
    struct csv_file file;
    if (r->labels_path)
        return fi_fail(r->ctx, FANIN_ERR_RECIPE,
                       "csv: '%s' is not needed, the target is a column of '%s' (set `target`)",
                       r->labels_path, r->path);
    if (r->schema_in) FI_TRY(fi_csv_schema_parse(&schema, r->arena, r->schema_in));
    const char delimiter[2] = {schema.delimiter, '\0'};
    FI_TRY(fi_csv_open(&file, r->ctx, r->path, r->schema_in ? delimiter : attrs->delimiter));
    enum fanin_status status = understand(r, &file, &schema);
    if (status == FANIN_OK) status = fill_table(r, &file, &schema, out);
    fi_csv_close(&file);
    return status;
}

static const struct fanin_attr_spec specs[] = {
    FI_ATTR_TEXTS(struct csv, target,
                  "the column to predict, or several of numbers: by name, or by number from 1 as a "
                  "text; default: the last"),
    FI_ATTR_CHOICE(struct csv, header, CSV_HEADER_AUTO, "auto|yes|no",
                   "whether the first line names the columns"),
    FI_ATTR_STRING(struct csv, delimiter, "auto",
                   "auto, comma, semicolon, tab, bar, or the character between cells", 0),
    FI_ATTR_TEXTS(struct csv, columns, "the columns to read, by name or number; default: all"),
    FI_ATTR_TEXTS(struct csv, ignore, "columns to leave out"),
    FI_ATTR_WORDS(
        struct csv, missing, CSV_MISSING_MEAN, CSV_MISSING_WORDS,
        "what a missing number becomes, for all or by column, {age: median, \"*\": flag}; "
        "flag: the mean, and one more input that says so; from the training part"),
    FI_ATTR_STRING(struct csv, na, "NA N/A ? null",
                   "words that mean a missing value, besides the empty cell", 0),
    FI_ATTR_CHOICE(struct csv, task, FANIN_UNLABELED, "auto|classification|regression",
                   "what the target is; auto: texts and up to 20 whole numbers are classes"),
    FI_ATTR_TEXTS(struct csv, categorical, "columns of numbers to take as categories"),
    FI_ATTR_WORDS(struct csv, categories, CSV_ONE_HOT, CSV_CATEGORIES_WORDS,
                  "what categories become, for all or by column: one input per value, or one input "
                  "with its number (for embedding), where 0 is any other value"),
    FI_ATTR_INT(struct csv, max_categories, 0, 0, 65536,
                "most values of a category before it is refused; 0: 256, with index 65,536", 0),
    FI_ATTR_INT(struct csv, min_count, 2, 1, 1e9,
                "a category seen less often shares the input for other values", 0),
    FI_ATTR_END};

FI_RECORD(reader, csv) = {
    .head = {.name = "csv",
             .formula = "rows of cells; texts become one input per value",
             .reference = "RFC 4180",
             .help = "Tables of text with numeric and categorical columns, plain or gzip.",
             .attrs = specs,
             .attrs_size = sizeof(struct csv)},
    .suffixes = ".csv .tsv .txt .data .csv.gz .tsv.gz",
    .needs_path = true,
    .read = read_csv,
    .numbers = read_numbers,
};
