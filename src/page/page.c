/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pages (fanin/page.h): what is added is copied into a list of parts (part.h), in the structs it
 * came in. Memory that runs out is remembered, and told when the page is written.
 */
#include <math.h>
#include <string.h>

#include "page/part.h"

/* ---- copies ---------------------------------------------------------------------------------------- */

static const char *keep_text(fanin_page *page, const char *text) {
    const char *copy = text ? fi_arena_strdup(&page->arena, text) : NULL;
    if (text && !copy) page->failed = true;
    return copy;
}

/* n × m members of `size` bytes; NULL stays NULL. */
static void *keep(fanin_page *page, const void *from, int64_t n, int64_t m, size_t size) {
    int64_t count;
    if (!from) return NULL;
    if (!fi_mul(n, m, &count)) {
        fi_fail(page->ctx, FANIN_ERR_MEMORY, "out of memory: %lld × %lld numbers of a page",
                (long long)n, (long long)m);
        page->failed = true;
        return NULL;
    }
    void *copy = fi_arena_alloc(&page->arena, count, size);
    if (!copy)
        page->failed = true;
    else if (count > 0)
        memcpy(copy, from, (size_t)count * size);
    return copy;
}

static const double *keep_numbers(fanin_page *page, const double *from, int64_t n, int64_t m) {
    return keep(page, from, n, m, sizeof *from);
}

static const char *const *keep_texts(fanin_page *page, const char *const *texts, int64_t n) {
    const char **copy = keep(page, texts, n, 1, sizeof *copy);
    for (int64_t i = 0; copy && i < n; i++) copy[i] = keep_text(page, copy[i]);
    return copy;
}

static const struct fanin_page_cell *
keep_cells(fanin_page *page, const struct fanin_page_cell *cells, int64_t n, int64_t m) {
    struct fanin_page_cell *copy = keep(page, cells, n, m, sizeof *copy);
    for (int64_t i = 0; copy && i < n * m; i++) copy[i].text = keep_text(page, copy[i].text);
    return copy;
}

/* A new part for `fill`; a throw-away where there is no memory. */
static struct fi_part *new_part(fanin_page *page, enum fi_part_kind kind, struct fi_part *spare) {
    struct fi_part *part = fi_arena_alloc(&page->arena, 1, sizeof *part);
    if (!part) {
        page->failed = true;
        return spare;
    }
    part->kind = kind;
    *page->end = part;
    page->end = &part->next;
    return part;
}

/* ---- the page -------------------------------------------------------------------------------------- */

enum fanin_status fanin_page_create(fanin_page **out, fanin_ctx *ctx, const char *title,
                                    const char *above) {
    *out = NULL;
    fanin_page *page = fi_alloc(ctx, 1, sizeof *page);
    if (!page) return FANIN_ERR_MEMORY;
    page->ctx = ctx;
    page->end = &page->first;
    fi_arena_init(&page->arena, ctx);
    page->title = keep_text(page, title);
    page->above = keep_text(page, above);
    if (page->failed) {
        fanin_page_free(page);
        return FANIN_ERR_MEMORY;
    }
    *out = page;
    return FANIN_OK;
}

enum fanin_status fi_page_is_whole(const fanin_page *page) {
    if (!page->failed) return FANIN_OK;
    return fi_fail(page->ctx, FANIN_ERR_MEMORY, "out of memory: a part of the page was not kept");
}

void fanin_page_free(fanin_page *page) {
    if (!page) return;
    fi_arena_free(&page->arena);
    fi_free(page->ctx, page);
}

/* ---- prose ----------------------------------------------------------------------------------------- */

void fanin_page_add_section(fanin_page *page, const char *title, const char *text) {
    struct fi_part spare, *part = new_part(page, FI_PART_SECTION, &spare);
    part->is.prose = (struct fi_part_prose){keep_text(page, title), keep_text(page, text)};
}

void fanin_page_add_text(fanin_page *page, const char *text) {
    struct fi_part spare, *part = new_part(page, FI_PART_TEXT, &spare);
    part->is.prose = (struct fi_part_prose){NULL, keep_text(page, text)};
}

void fanin_page_add_code(fanin_page *page, const char *title, const char *code, int json) {
    struct fi_part spare, *part = new_part(page, FI_PART_CODE, &spare);
    struct fi_text lines;
    fi_text_init(&lines, page->ctx);
    if (json && code) fi_reflow(&lines, code);
    page->failed |= lines.failed;
    part->is.code = (struct fi_part_code){keep_text(page, title),
                                          keep_text(page, lines.data ? lines.data : code), json};
    fi_text_free(&lines);
}

void fanin_page_add_notice(fanin_page *page, const struct fanin_page_notice *notice) {
    struct fi_part spare, *part = new_part(page, FI_PART_NOTICE, &spare);
    struct fanin_page_notice *copy = &part->is.notice;
    *copy = *notice;
    copy->label = keep_text(page, notice->label);
    copy->title = keep_text(page, notice->title);
    copy->text = keep_text(page, notice->text);
    copy->more = keep_text(page, notice->more);
    copy->code = keep_text(page, notice->code);
}

/* ---- numbers --------------------------------------------------------------------------------------- */

void fanin_page_add_facts(fanin_page *page, const struct fanin_page_fact *facts, int n) {
    struct fi_part spare, *part = new_part(page, FI_PART_FACTS, &spare);
    struct fanin_page_fact *copy = keep(page, facts, n, 1, sizeof *copy);
    for (int i = 0; copy && i < n; i++) {
        copy[i].name = keep_text(page, copy[i].name);
        copy[i].value.text = keep_text(page, copy[i].value.text);
        copy[i].text = keep_text(page, copy[i].text);
    }
    part->is.facts = (struct fi_part_facts){copy, n};
}

void fanin_page_add_table(fanin_page *page, const struct fanin_page_table *table) {
    struct fi_part spare, *part = new_part(page, FI_PART_TABLE, &spare);
    struct fanin_page_table *copy = &part->is.table;
    *copy = *table;
    copy->title = keep_text(page, table->title);
    copy->columns = keep_texts(page, table->columns, table->n_columns);
    copy->cells = keep_cells(page, table->cells, table->n_rows, table->n_columns);
}

/* ---- plots ----------------------------------------------------------------------------------------- */

void fanin_page_add_plot(fanin_page *page, const struct fanin_page_plot *plot) {
    struct fi_part spare, *part = new_part(page, FI_PART_PLOT, &spare);
    struct fanin_page_plot *copy = &part->is.plot;
    struct fanin_page_series *series = keep(page, plot->series, plot->n_series, 1, sizeof *series);
    for (int i = 0; series && i < plot->n_series; i++) {
        struct fanin_page_series *s = &series[i];
        s->name = keep_text(page, s->name);
        s->x = keep_numbers(page, s->x, s->n, 1);
        s->y = keep_numbers(page, s->y, s->n, 1);
        s->low = keep_numbers(page, s->low, s->n, 1);
        s->high = keep_numbers(page, s->high, s->n, 1);
    }
    *copy = *plot;
    copy->title = keep_text(page, plot->title);
    copy->text = keep_text(page, plot->text);
    copy->x_title = keep_text(page, plot->x_title);
    copy->y_title = keep_text(page, plot->y_title);
    copy->labels = plot->n_labels > 0 ? keep_texts(page, plot->labels, plot->n_labels) : NULL;
    copy->series = series;
}

void fanin_page_add_histograms(fanin_page *page, const char *title, const char *text,
                               const char *x_title, const struct fanin_page_histogram *histograms,
                               int64_t n) {
    struct fi_part spare, *part = new_part(page, FI_PART_HISTOGRAMS, &spare);
    struct fanin_page_histogram *copy = keep(page, histograms, n, 1, sizeof *copy);
    for (int64_t i = 0; copy && i < n; i++) {
        copy[i].name = keep_text(page, copy[i].name);
        copy[i].counts = keep(page, copy[i].counts, copy[i].n, 1, sizeof *copy[i].counts);
    }
    part->is.histograms = (struct fi_part_histograms){keep_text(page, title), keep_text(page, text),
                                                      keep_text(page, x_title), copy, n};
}

void fanin_page_add_heat(fanin_page *page, const struct fanin_page_heat *heat) {
    struct fi_part spare, *part = new_part(page, FI_PART_HEAT, &spare);
    struct fanin_page_heat *copy = &part->is.heat;
    *copy = *heat;
    copy->title = keep_text(page, heat->title);
    copy->text = keep_text(page, heat->text);
    copy->x_title = keep_text(page, heat->x_title);
    copy->y_title = keep_text(page, heat->y_title);
    copy->value_title = keep_text(page, heat->value_title);
    copy->columns = keep_texts(page, heat->columns, heat->n_columns);
    copy->rows = keep_texts(page, heat->rows, heat->n_rows);
    copy->values = keep_numbers(page, heat->values, heat->n_rows, heat->n_columns);
    copy->boundary = keep_numbers(page, heat->boundary, heat->n_columns, 1);
    copy->boundary_title = keep_text(page, heat->boundary_title);
}

void fanin_page_add_pictures(fanin_page *page, const char *title, const char *text,
                             const struct fanin_page_picture *pictures, int64_t n) {
    struct fi_part spare, *part = new_part(page, FI_PART_PICTURES, &spare);
    struct fanin_page_picture *copy = keep(page, pictures, n, 1, sizeof *copy);
    for (int64_t i = 0; copy && i < n; i++) {
        const int64_t pixels = (int64_t)copy[i].width * copy[i].height;
        copy[i].pixels = keep(page, copy[i].pixels, pixels, copy[i].channels, 1);
        copy[i].alt = keep_text(page, copy[i].alt);
        copy[i].lines = keep_texts(page, copy[i].lines, copy[i].n_lines);
    }
    part->is.pictures =
        (struct fi_part_pictures){keep_text(page, title), keep_text(page, text), copy, n};
}

/* ---- what both writers decide alike ---------------------------------------------------------------- */

void fi_range_take(struct fi_range *range, double value) {
    if (!isfinite(value)) return;
    range->low = FI_MIN(range->low, value);
    range->high = FI_MAX(range->high, value);
}

bool fi_wants_log(enum fanin_page_scale scale, const struct fi_range *range) {
    if (scale != FANIN_PAGE_AUTO) return scale == FANIN_PAGE_LOG;
    return range->low > 0 && range->low <= range->high && range->high / range->low > 10;
}

bool fi_counts_any(const struct fanin_page_histogram *histogram) {
    for (int64_t k = 0; k < histogram->n; k++)
        if (histogram->counts[k] > 0) return true;
    return false;
}
