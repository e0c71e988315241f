/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first look at a training file: which columns are asked for, what kinds of cells each holds,
 * whether the first line is a header.
 *
 * Without being told, the first line is a header if a column was asked for by a name in it, if some
 * column is a text there and all numbers below, or if it is all texts and none of them comes again
 * in its column.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "data/csv_learn.h"

/* Rows in which a text of the first line is looked for again. */
enum { HEADER_ROWS = 1000 };

/* ---- the first row: names ----------------------------------------------------------------------------- */

/* The column that a text of `length` bytes names, else the one whose number (from 1) it is, else
 * -1. Digits are a name only where a header was promised: they could as well stand in a first line
 * of data. */
static int64_t find_column(struct csv_learning *l, const char *text, size_t length) {
    const bool digits = strspn(text, "0123456789") >= length;
    const bool names =
        l->attrs->header == CSV_HEADER_YES || (l->attrs->header == CSV_HEADER_AUTO && !digits);
    for (int64_t j = 0; j < l->n && names; j++) {
        const char *name = l->columns[j].first;
        if (strlen(name) != length || memcmp(name, text, length) != 0) continue;
        l->named = true;
        return j;
    }
    if (!digits) return -1;
    int64_t number = 0;
    for (size_t i = 0; i < length; i++) number = FI_MIN(10 * number + (text[i] - '0'), l->n + 1);
    return number <= l->n ? number - 1 : -1;
}

static enum fanin_status no_column(const struct csv_learning *l, const char *what, const char *text,
                                   size_t length) {
    char name[128];
    (void)snprintf(name, sizeof(name), "%.*s", (int)FI_MIN(length, sizeof(name) - 1), text);
    const char *nearest = NULL;
    for (int64_t j = 0; j < l->n; j++) {
        const char *pair[2] = {nearest, l->columns[j].first};
        nearest = fanin_nearest(name, pair, 2);
    }
    return fi_fail(l->file->ctx, FANIN_ERR_RECIPE,
                   "%s: no column is called '%s' (csv attribute %s)%s%s%s", l->file->path, name,
                   what, nearest ? "; did you mean '" : "", nearest ? nearest : "",
                   nearest ? "'?" : "");
}

/* NULL: there is none, and the message is set. */
static struct csv_seen *named_column(struct csv_learning *l, const char *what, const char *name) {
    const int64_t j = find_column(l, name, strlen(name));
    if (j >= 0) return &l->columns[j];
    (void)no_column(l, what, name, strlen(name));
    return NULL;
}

/* What `columns`, `ignore` and `categorical` say. */
static enum fanin_status mark_columns(struct csv_learning *l) {
    const struct csv *a = l->attrs;
    for (int64_t j = 0; j < l->n; j++) l->columns[j].ignored = a->columns.n > 0;
    for (int64_t i = 0; i < a->columns.n; i++) {
        struct csv_seen *c = named_column(l, "columns", a->columns.items[i].text);
        if (!c) return FANIN_ERR_RECIPE;
        c->ignored = false;
    }
    for (int64_t i = 0; i < a->ignore.n; i++) {
        struct csv_seen *c = named_column(l, "ignore", a->ignore.items[i].text);
        if (!c) return FANIN_ERR_RECIPE;
        c->ignored = true;
    }
    for (int64_t i = 0; i < a->categorical.n; i++) {
        struct csv_seen *c = named_column(l, "categorical", a->categorical.items[i].text);
        if (!c) return FANIN_ERR_RECIPE;
        c->category = true;
    }
    return FANIN_OK;
}

/* The word for all columns: the one without a name, or under the name "*". */
static int common_word(const struct fanin_texts *texts, const char *words, int def) {
    for (int64_t i = 0; i < texts->n; i++)
        if (!texts->items[i].name || strcmp(texts->items[i].name, "*") == 0)
            return fi_word_index(words, texts->items[i].text);
    return def;
}

/* What `missing` and `categories` say for all columns, then for single ones. */
static enum fanin_status mark_rules(struct csv_learning *l) {
    const struct fanin_texts *missing = &l->attrs->missing, *as = &l->attrs->categories;
    for (int64_t j = 0; j < l->n; j++) {
        l->columns[j].missing_rule = common_word(missing, CSV_MISSING_WORDS, CSV_MISSING_MEAN);
        l->columns[j].as = common_word(as, CSV_CATEGORIES_WORDS, CSV_ONE_HOT);
    }
    for (int64_t i = 0; i < missing->n; i++) {
        const struct fanin_named_text *item = &missing->items[i];
        if (!item->name || strcmp(item->name, "*") == 0) continue;
        struct csv_seen *c = named_column(l, "missing", item->name);
        if (!c) return FANIN_ERR_RECIPE;
        c->missing_rule = fi_word_index(CSV_MISSING_WORDS, item->text);
        c->own_rule = true;
    }
    for (int64_t i = 0; i < as->n; i++) {
        const struct fanin_named_text *item = &as->items[i];
        if (!item->name || strcmp(item->name, "*") == 0) continue;
        struct csv_seen *c = named_column(l, "categories", item->name);
        if (!c) return FANIN_ERR_RECIPE;
        c->as = fi_word_index(CSV_CATEGORIES_WORDS, item->text);
        c->category = true;
    }
    return FANIN_OK;
}

/* The targets, by default the last column, and the weights. Where labels are not asked for, the
 * targets that are named are left out, and by default there are none. */
static enum fanin_status mark_targets(struct csv_learning *l) {
    const struct fanin_texts *targets = &l->attrs->target;
    const int64_t weight = l->weight ? find_column(l, l->weight, strlen(l->weight)) : -1;
    if (weight >= 0) l->columns[weight].weight = true;
    l->target = weight == l->n - 1 ? FI_MAX(l->n - 2, 0) : l->n - 1;
    if (l->no_labels) l->target = -1;
    l->places = fi_arena_alloc(l->arena, FI_MAX(targets->n, 1), sizeof(*l->places));
    if (!l->places) return FANIN_ERR_MEMORY;
    for (int64_t i = 0; i < targets->n; i++) {
        const char *name = targets->items[i].text;
        const int64_t j = find_column(l, name, strlen(name));
        if (j < 0) return no_column(l, "target", name, strlen(name));
        if (l->columns[j].target || l->columns[j].weight)
            return fi_fail(l->file->ctx, FANIN_ERR_RECIPE,
                           "%s: column '%s' is named twice (csv attribute target, "
                           "data.sample_weights)",
                           l->file->path, name);
        l->columns[j].target = true;
        l->places[i] = j;
        if (i == 0 && !l->no_labels) l->target = j;
    }
    if (l->target >= 0 && l->columns[l->target].weight)
        return fi_fail(l->file->ctx, FANIN_ERR_DATA, "%s: data.sample_weights is the only column",
                       l->file->path);
    if (l->target >= 0) l->columns[l->target].target = true;
    for (int64_t j = 0; j < l->n; j++)
        if (l->columns[j].target || l->columns[j].weight)
            l->columns[j].ignored = l->no_labels && l->columns[j].target;
    return FANIN_OK;
}

static enum fanin_status take_first_row(struct csv_learning *l, const struct csv_row *row) {
    l->n = row->n;
    l->first_line = row->line;
    l->columns = fi_arena_alloc(l->arena, l->n, sizeof(*l->columns));
    if (!l->columns) return FANIN_ERR_MEMORY;
    for (int64_t j = 0; j < l->n; j++) {
        l->columns[j].first = fi_arena_strdup(l->arena, row->cells[j]);
        if (!l->columns[j].first) return FANIN_ERR_MEMORY;
    }
    FI_TRY(mark_columns(l));
    FI_TRY(mark_rules(l));
    return mark_targets(l);
}

/* ---- cells ------------------------------------------------------------------------------------------------ */

static void add_integer(struct csv_seen *c, double value) {
    if (value != floor(value)) c->fractions = true;
    for (int i = 0; i < c->n_integers; i++)
        if (c->integers[i] == value) return;
    if (c->n_integers <= FI_CSV_INTEGER_CLASSES) c->integers[c->n_integers++] = value;
}

/* Remembers the first line on which something was seen, and a copy of the cell. */
static enum fanin_status remember(struct csv_learning *l, int64_t *line, const char **text,
                                  int64_t at, const char *cell) {
    if (*line > 0) return FANIN_OK;
    *line = at;
    *text = fi_arena_printf(l->arena, "%.40s", cell);
    return *text ? FANIN_OK : FANIN_ERR_MEMORY;
}

static enum fanin_status look_at(struct csv_learning *l, int64_t j, const char *cell,
                                 int64_t line) {
    struct csv_seen *c = &l->columns[j];
    double value;
    if (c->ignored) return FANIN_OK;
    if (fi_csv_is_missing(l->schema, cell)) {
        if (c->missing++ == 0) c->missing_line = line;
        return FANIN_OK;
    }
    switch (fi_csv_number(l->file, cell, &value)) {
    case CSV_NUMBER:
        c->numbers++;
        if (j == l->target) add_integer(c, value);
        return FANIN_OK;
    case CSV_NOT_FINITE:
        c->numbers++;
        return remember(l, &c->bad_line, &c->bad, line, cell);
    case CSV_TEXT:
        break;
    }
    c->texts++;
    return remember(l, &c->text_line, &c->text, line, cell);
}

static enum fanin_status look_at_row(void *arg, const struct csv_row *row) {
    struct csv_learning *l = arg;
    l->rows++;
    if (row->index == 0) return take_first_row(l, row);
    for (int64_t j = 0; j < l->n; j++) {
        struct csv_seen *c = &l->columns[j];
        if (row->index <= HEADER_ROWS && !c->recurs)
            c->recurs = strcmp(c->first, row->cells[j]) == 0;
        FI_TRY(look_at(l, j, row->cells[j], row->line));
    }
    return FANIN_OK;
}

/* ---- header ------------------------------------------------------------------------------------------------ */

static bool has_header(const struct csv_learning *l) {
    bool all_texts = true, any_text = false;
    if (l->attrs->header != CSV_HEADER_AUTO) return l->attrs->header == CSV_HEADER_YES;
    if (l->named) return true;
    for (int64_t j = 0; j < l->n; j++) {
        const struct csv_seen *c = &l->columns[j];
        double value;
        bool missing = fi_csv_is_missing(l->schema, c->first);
        bool text = !missing && fi_csv_number(l->file, c->first, &value) == CSV_TEXT;
        if (text && !c->ignored && c->numbers > 0 && c->texts == 0) return true;
        all_texts = all_texts && (text || !*c->first) && !c->recurs;
        any_text = any_text || text;
    }
    return all_texts && any_text;
}

static enum fanin_status name_columns(struct csv_learning *l) {
    for (int64_t j = 0; j < l->n; j++) {
        if (!l->schema->header || !*l->columns[j].first) {
            l->columns[j].first = fi_arena_printf(l->arena, "column %lld", (long long)j + 1);
            if (!l->columns[j].first) return FANIN_ERR_MEMORY;
        }
    }
    if (!l->schema->header) return FANIN_OK;
    struct csv_words names = {0};
    for (int64_t j = 0; j < l->n; j++) {
        int64_t other = fi_csv_find(&names, l->columns[j].first);
        if (other >= 0)
            return fi_fail(l->file->ctx, FANIN_ERR_DATA,
                           "%s:%lld: columns %lld and %lld are both called '%s'", l->file->path,
                           (long long)l->first_line, (long long)other + 1, (long long)j + 1,
                           l->columns[j].first);
        FI_TRY(fi_csv_add(l->arena, &names, l->columns[j].first));
    }
    return FANIN_OK;
}

static enum fanin_status settle_header(struct csv_learning *l) {
    l->schema->header = has_header(l);
    if (!l->schema->header)
        for (int64_t j = 0; j < l->n; j++)
            FI_TRY(look_at(l, j, l->columns[j].first, l->first_line));
    l->schema->rows = l->rows - l->schema->header;
    if (l->schema->rows == 0)
        return fi_fail(l->file->ctx, FANIN_ERR_DATA, "'%s' has a header but no data",
                       l->file->path);
    return name_columns(l);
}

enum fanin_status fi_csv_look(struct csv_learning *l, struct csv_schema *out) {
    *out = (struct csv_schema){.delimiter = l->file->delimiter};
    fi_csv_set_na(out, l->attrs->na ? l->attrs->na : "");
    l->schema = out;
    FI_TRY(fi_csv_scan(l->file, look_at_row, l));
    return settle_header(l);
}
