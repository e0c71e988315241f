/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From what was seen in a training file to its schema. A second scan collects the values of
 * categories and the classes, where there are any.
 *
 *   numbers    a column whose cells are all numbers (or missing). One in ten or fewer texts among
 *              numbers is taken for a mistake and refused, with the line
 *   category   a column of texts: one input per value that comes min_count times or more, sorted;
 *              the rarer ones share one more, which also takes what prediction brings and training
 *              never saw. Or one input with the value's number, where 0 stands for all of these
 *   target     texts are classes; so are up to 20 different whole numbers; anything else is
 *              regression
 *
 * Where no value is rare, an unknown one is all zeros: an input of its own would be 0 in every
 * training row, so its weights would stay as they were drawn, and an unknown value would add noise.
 */
#include "data/csv_learn.h"

enum { MAX_CLASSES = 65536, STRAY_SHARE = 10 };
/* Most values of a category where `max_categories` says nothing: inputs, numbers. */
enum { MAX_INPUTS = 256, MAX_INDEX = 65536 };

/* ---- kinds ------------------------------------------------------------------------------------------------- */

static enum fanin_status refuse_cell(const struct csv_learning *l, int64_t j, int64_t line,
                                     const char *cell, const char *why) {
    return fi_fail(l->file->ctx, FANIN_ERR_DATA, "%s:%lld: column '%s': '%s' %s", l->file->path,
                   (long long)line, l->columns[j].first, cell, why);
}

static const char not_finite[] =
    "is not a finite number (leave a missing value empty, or list the word in `na`)";

/* Sets *use to false for a column without a single value. */
static enum fanin_status settle_input(struct csv_learning *l, int64_t j, bool *use) {
    struct csv_seen *c = &l->columns[j];
    *use = c->numbers + c->texts > 0;
    if (c->category || !*use) return FANIN_OK;
    c->category = c->texts > 0;
    if (c->texts > 0 && c->texts * STRAY_SHARE <= c->numbers)
        return refuse_cell(l, j, c->text_line, c->text,
                           "is no number, as nearly all others of the column are (to take them as "
                           "texts, list the column in `categorical`)");
    if (!c->category && c->bad) return refuse_cell(l, j, c->bad_line, c->bad, not_finite);
    return FANIN_OK;
}

/* What the rule for missing values means for the column. In a category, missing is a value like
 * others, unless the column is given another rule by its name. */
static enum fanin_status settle_missing(const struct csv_learning *l, const struct csv_seen *seen,
                                        struct csv_column *c) {
    c->missing = seen->missing_rule;
    c->usual = -1;
    if (!c->category) {
        c->flag = c->missing == CSV_MISSING_FLAG && seen->missing > 0;
        if (c->missing == CSV_MISSING_FLAG) c->missing = CSV_MISSING_MEAN;
        return FANIN_OK;
    }
    if (!seen->own_rule || c->missing == CSV_MISSING_FLAG)
        c->missing = CSV_MISSING_MEAN;
    else if (c->missing == CSV_MISSING_MEAN || c->missing == CSV_MISSING_MEDIAN)
        return fi_fail(l->file->ctx, FANIN_ERR_RECIPE,
                       "%s: column '%s' is a category, which has no mean or median (csv attribute "
                       "missing): most_frequent, flag (a value of its own) or error",
                       l->file->path, c->name);
    if (c->missing == CSV_MISSING_ERROR && seen->missing > 0)
        return fi_fail(l->file->ctx, FANIN_ERR_DATA,
                       "%s:%lld: column '%s': a value is missing, which `missing` makes an error",
                       l->file->path, (long long)seen->missing_line, c->name);
    return FANIN_OK;
}

static enum fanin_status settle_target(struct csv_learning *l) {
    struct csv_schema *s = l->schema;
    const int64_t j = l->target;
    if (j < 0) return FANIN_OK;
    struct csv_seen *c = &l->columns[j];
    const bool few = !c->fractions && !c->bad && c->n_integers <= FI_CSV_INTEGER_CLASSES;
    if (c->numbers + c->texts == 0)
        return fi_fail(l->file->ctx, FANIN_ERR_DATA, "%s: the target '%s' has no values",
                       l->file->path, c->first);
    s->task = (enum fanin_task)l->attrs->task;
    if (l->attrs->target.n > 1 && s->task == FANIN_CLASSIFICATION)
        return fi_fail(l->file->ctx, FANIN_ERR_RECIPE,
                       "%s: several targets are numbers, so the task cannot be classification",
                       l->file->path);
    if (l->attrs->target.n > 1) s->task = FANIN_REGRESSION;
    if (s->task == FANIN_UNLABELED)
        s->task = c->texts > 0 || few ? FANIN_CLASSIFICATION : FANIN_REGRESSION;
    if (s->task == FANIN_REGRESSION && c->texts > 0)
        return refuse_cell(l, j, c->text_line, c->text, "is no number, but the task is regression");
    if (c->texts == 0 && c->bad) return refuse_cell(l, j, c->bad_line, c->bad, not_finite);
    s->numeric_classes = c->texts == 0;
    s->target = (struct csv_column){.name = c->first, .place = j, .width = 1};
    return FANIN_OK;
}

/* A column that must hold a number in every row. */
static enum fanin_status settle_numbers(const struct csv_learning *l, int64_t j,
                                        struct csv_column *out) {
    const struct csv_seen *c = &l->columns[j];
    if (c->texts > 0) return refuse_cell(l, j, c->text_line, c->text, "is no number");
    if (c->bad) return refuse_cell(l, j, c->bad_line, c->bad, not_finite);
    *out = (struct csv_column){.name = c->first, .place = j, .width = 1};
    return FANIN_OK;
}

/* Further targets in the order they were named, and the weights. */
static enum fanin_status settle_others(struct csv_learning *l) {
    struct csv_schema *s = l->schema;
    const int64_t targets = l->target >= 0 ? l->attrs->target.n : 0;
    s->others = fi_arena_alloc(l->arena, FI_MAX(targets, 1), sizeof(*s->others));
    if (!s->others) return FANIN_ERR_MEMORY;
    for (int64_t i = 1; i < targets; i++)
        FI_TRY(settle_numbers(l, l->places[i], &s->others[s->n_others++]));
    for (int64_t j = 0; j < l->n; j++)
        if (l->columns[j].weight) FI_TRY(settle_numbers(l, j, &s->weight));
    return FANIN_OK;
}

static enum fanin_status settle_columns(struct csv_learning *l) {
    struct csv_schema *s = l->schema;
    s->fields = l->n;
    s->inputs = fi_arena_alloc(l->arena, l->n, sizeof(*s->inputs));
    if (!s->inputs) return FANIN_ERR_MEMORY;
    for (int64_t j = 0; j < l->n; j++) {
        bool use = false;
        if (l->columns[j].target || l->columns[j].weight || l->columns[j].ignored) continue;
        FI_TRY(settle_input(l, j, &use));
        if (!use) continue;
        const struct csv_seen *seen = &l->columns[j];
        struct csv_column *c = &s->inputs[s->n_inputs++];
        *c = (struct csv_column){.name = seen->first,
                                 .place = j,
                                 .category = seen->category,
                                 .index = seen->category && seen->as == CSV_INDEX};
        FI_TRY(settle_missing(l, seen, c));
    }
    FI_TRY(settle_target(l));
    return settle_others(l);
}

/* ---- values of categories, classes ------------------------------------------------------------------------ */

static enum fanin_status collect(void *arg, const struct csv_row *row) {
    struct csv_learning *l = arg;
    struct csv_schema *s = l->schema;
    if (row->index == 0 && s->header) return FANIN_OK;
    for (int64_t i = 0; i < s->n_inputs; i++) {
        struct csv_column *c = &s->inputs[i];
        if (!c->category) continue;
        const char *cell = row->cells[c->place];
        const bool missing = fi_csv_is_missing(s, cell);
        int64_t most = l->attrs->max_categories;
        if (most == 0) most = c->index ? MAX_INDEX : MAX_INPUTS;
        if (missing && c->missing == CSV_MISSING_MOST_FREQUENT) continue;
        FI_TRY(fi_csv_add(l->arena, &c->values, missing ? "" : cell));
        if (c->values.n > most)
            return fi_fail(l->file->ctx, FANIN_ERR_DATA,
                           "%s:%lld: column '%s' has more than %lld different texts (list it in "
                           "`ignore`, raise `max_categories`%s)",
                           l->file->path, (long long)row->line, c->name, (long long)most,
                           c->index ? "" : ", or take their numbers: `categories: index`");
    }
    if (s->task != FANIN_CLASSIFICATION) return FANIN_OK;
    const char *cell = row->cells[s->target.place];
    char buffer[32];
    if (fi_csv_is_missing(s, cell)) return FANIN_OK;
    if (s->classes.n > MAX_CLASSES)
        return fi_fail(l->file->ctx, FANIN_ERR_DATA,
                       "%s: the target '%s' has more than %d different values", l->file->path,
                       s->target.name, (int)MAX_CLASSES);
    return fi_csv_add(l->arena, &s->classes, fi_csv_class(l->file, s, cell, buffer));
}

/* The first one of those that come most often. */
static int64_t most_frequent(const struct csv_words *words) {
    int64_t best = 0;
    for (int64_t i = 1; i < words->n; i++)
        if (words->list[i].count > words->list[best].count) best = i;
    return best;
}

/* Sorts the values, puts the rare ones together, drops categories that say nothing. */
static enum fanin_status settle_values(struct csv_learning *l) {
    struct csv_schema *s = l->schema;
    int64_t kept = 0;
    for (int64_t i = 0; i < s->n_inputs; i++) {
        struct csv_column c = s->inputs[i];
        int64_t all = c.values.n;
        if (c.category) {
            FI_TRY(fi_csv_sort(l->arena, l->file, &c.values, l->attrs->min_count, false));
            c.other = c.values.n < all;
            if (c.values.n == 0) continue;
            if (c.missing == CSV_MISSING_MOST_FREQUENT) c.usual = most_frequent(&c.values);
        }
        s->inputs[kept++] = c;
    }
    s->n_inputs = kept;
    if (s->n_inputs == 0)
        return fi_fail(l->file->ctx, FANIN_ERR_DATA,
                       "'%s' has no column to learn from besides the target '%s'", l->file->path,
                       s->target.name ? s->target.name : "");
    if (s->task != FANIN_CLASSIFICATION) return FANIN_OK;
    if (s->classes.n < 2)
        return fi_fail(l->file->ctx, FANIN_ERR_DATA,
                       "%s: the target '%s' has one class only ('%s')", l->file->path,
                       s->target.name, s->classes.n ? s->classes.list[0].text : "");
    return fi_csv_sort(l->arena, l->file, &s->classes, 1, s->numeric_classes);
}

static enum fanin_status collect_values(struct csv_learning *l) {
    bool needed = l->schema->task == FANIN_CLASSIFICATION;
    for (int64_t i = 0; i < l->schema->n_inputs; i++) needed |= l->schema->inputs[i].category;
    if (needed) FI_TRY(fi_csv_scan(l->file, collect, l));
    return settle_values(l);
}

static void note_missing(const struct csv_learning *l, struct fi_text *text) {
    static const char *const words[] = {"the mean", "the median", "the most frequent one"};
    const struct csv_schema *s = l->schema;
    for (int rule = 0; rule < FI_COUNT(words); rule++)
        for (int flag = 0; flag < 2; flag++) {
            int64_t missing = 0;
            for (int64_t i = 0; i < s->n_inputs; i++) {
                const struct csv_column *c = &s->inputs[i];
                if (!c->category && c->missing == rule && c->flag == flag)
                    missing += l->columns[c->place].missing;
            }
            if (missing > 0)
                fi_text_add(text, ", %lld missing numbers become %s%s", (long long)missing,
                            words[rule], flag ? ", with an input that says so" : "");
        }
}

static void note_targets(const struct csv_learning *l, struct fi_text *text) {
    const struct csv_schema *s = l->schema;
    fi_text_add(text, "; target '%s'", s->target.name);
    for (int64_t i = 0; i < s->n_others; i++) fi_text_add(text, ", '%s'", s->others[i].name);
    fi_text_add(text, ": ");
    if (s->n_others > 0)
        fi_text_add(text, "numbers");
    else if (s->task == FANIN_REGRESSION)
        fi_text_add(text, "regression (numbers)");
    else
        fi_text_add(text, "classification (%lld different %s)", (long long)s->classes.n,
                    l->columns[l->target].texts ? "texts" : "numbers");
}

static enum fanin_status write_note(struct csv_learning *l) {
    const struct csv_schema *s = l->schema;
    int64_t categories = 0, unused = l->n - s->n_inputs - (s->target.name != NULL) - s->n_others -
                                     (s->weight.name != NULL);
    for (int64_t i = 0; i < s->n_inputs; i++) categories += s->inputs[i].category;
    struct fi_text text;
    fi_text_init(&text, l->file->ctx);
    fi_text_add(&text, "%s, %lld numeric and %lld categorical columns",
                s->header ? "header" : "no header", (long long)(s->n_inputs - categories),
                (long long)categories);
    if (unused > 0) fi_text_add(&text, " (%lld left out)", (long long)unused);
    note_missing(l, &text);
    if (s->target.name) note_targets(l, &text);
    if (s->weight.name) fi_text_add(&text, "; weights '%s'", s->weight.name);
    l->schema->note = text.failed ? NULL : fi_arena_strdup(l->arena, text.data);
    fi_text_free(&text);
    return l->schema->note ? FANIN_OK : FANIN_ERR_MEMORY;
}

enum fanin_status fi_csv_learn(struct csv_schema *out, const struct csv_file *file,
                               struct fi_arena *arena, const struct csv *attrs, const char *weight,
                               bool no_labels) {
    struct csv_learning l = {
        .file = file, .attrs = attrs, .arena = arena, .weight = weight, .no_labels = no_labels};
    FI_TRY(fi_csv_look(&l, out));
    FI_TRY(settle_columns(&l));
    FI_TRY(collect_values(&l));
    FI_TRY(write_note(&l));
    return fi_csv_layout(out, file->ctx);
}

enum fanin_status fi_csv_plain(struct csv_schema *out, const struct csv_file *file,
                               struct fi_arena *arena, const struct csv *attrs,
                               const struct fi_table *like) {
    struct csv_learning l = {.file = file, .attrs = attrs, .arena = arena};
    const int64_t cols = like->shape.cols;
    FI_TRY(fi_csv_look(&l, out));
    const int64_t targets = like->task == FANIN_REGRESSION ? like->n_outputs : 1;
    if (l.n != cols && l.n != cols + targets)
        return fi_fail(file->ctx, FANIN_ERR_SHAPE,
                       "'%s' has %lld columns, but the model reads %lld numbers (and maybe %s "
                       "behind them)",
                       file->path, (long long)l.n, (long long)cols,
                       targets > 1 ? "its targets" : "a label");
    out->fields = l.n;
    out->inputs = fi_arena_alloc(arena, cols, sizeof(*out->inputs));
    if (!out->inputs) return FANIN_ERR_MEMORY;
    for (int64_t j = 0; j < cols; j++)
        out->inputs[out->n_inputs++] = (struct csv_column){
            .name = l.columns[j].first, .place = j, .missing = CSV_MISSING_ERROR, .usual = -1};
    if (l.n > cols) {
        out->target = (struct csv_column){.name = l.columns[cols].first, .place = cols, .width = 1};
        out->task = like->task;
        out->numeric_classes = true;
        out->others = fi_arena_alloc(arena, targets, sizeof(*out->others));
        if (!out->others) return FANIN_ERR_MEMORY;
        for (int64_t j = cols + 1; j < l.n; j++)
            out->others[out->n_others++] =
                (struct csv_column){.name = l.columns[j].first, .place = j, .width = 1};
        for (int64_t c = 0; c < like->n_outputs && like->task == FANIN_CLASSIFICATION; c++) {
            double value;
            FI_TRY(fi_csv_add(arena, &out->classes, like->output_names[c]));
            out->numeric_classes &=
                fi_csv_number(file, like->output_names[c], &value) == CSV_NUMBER;
        }
    }
    return fi_csv_layout(out, file->ctx);
}
