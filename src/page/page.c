/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pages (fanin/page.h). What is added becomes an object of a JSON list; the script of the page
 * (src/page/web) draws it. The page itself is a file, put together when the library is built,
 * with two marks: one for the title and one for the data.
 *
 *     {"title": …, "above": …, "version": …, "parts": [{"kind": "section", …}, …]}
 */
#include <fanin/page.h>

#include <math.h>
#include <string.h>

#include "base/quote.h"

extern const unsigned char fi_page[];
extern const size_t fi_page_size;

#define TITLE_MARK "@title@"
#define DATA_MARK "@data@"

struct fanin_page {
    fanin_ctx *ctx;
    struct fi_text title; /* as HTML */
    struct fi_text parts; /* JSON up to here, not closed */
    int n;
};

/* ---- JSON ------------------------------------------------------------------------------------------ */

static void add_text(struct fi_text *out, const char *key, const char *text) {
    fi_text_add(out, ",\"%s\":", key);
    fi_quote_in_page(out, text);
}

/* Not finite: a string that says what it is; the script tells it from a number. */
static void add_number(struct fi_text *out, double value) {
    char number[FI_NUMBER_SIZE];
    fi_number_exact(number, value);
    fi_text_add(out, isfinite(value) ? "%s" : "\"%s\"", number);
}

static void add_numbers(struct fi_text *out, const char *key, const double *values, int64_t n) {
    if (!values) return;
    fi_text_add(out, ",\"%s\":[", key);
    for (int64_t i = 0; i < n; i++) {
        if (i) fi_text_add(out, ",");
        add_number(out, values[i]);
    }
    fi_text_add(out, "]");
}

static void add_texts(struct fi_text *out, const char *key, const char *const *texts, int64_t n) {
    fi_text_add(out, ",\"%s\":[", key);
    for (int64_t i = 0; i < n; i++) {
        if (i) fi_text_add(out, ",");
        fi_quote_in_page(out, texts[i]);
    }
    fi_text_add(out, "]");
}

/* A text as ["text"], a number as it is: the two cannot be taken for each other. */
static void add_cell(struct fi_text *out, const struct fanin_page_cell *cell) {
    if (!cell->text) {
        add_number(out, cell->number);
        return;
    }
    fi_text_add(out, "[");
    fi_quote_in_page(out, cell->text);
    fi_text_add(out, "]");
}

static struct fi_text *begin(fanin_page *page, const char *kind) {
    fi_text_add(&page->parts, "%s{\"kind\":\"%s\"", page->n++ ? ",\n" : "", kind);
    return &page->parts;
}

/* ---- the page -------------------------------------------------------------------------------------- */

enum fanin_status fanin_page_create(fanin_page **out, fanin_ctx *ctx, const char *title,
                                    const char *above) {
    *out = NULL;
    fanin_page *page = fi_alloc(ctx, 1, sizeof *page);
    if (!page) return FANIN_ERR_MEMORY;
    page->ctx = ctx;
    fi_text_init(&page->title, ctx);
    fi_text_init(&page->parts, ctx);
    fi_escape_html(&page->title, title);
    fi_text_add(&page->parts, "{\"version\":\"%s\"", fanin_version());
    add_text(&page->parts, "title", title);
    add_text(&page->parts, "above", above);
    fi_text_add(&page->parts, ",\"parts\":[\n");
    *out = page;
    return FANIN_OK;
}

/* The first place of `mark` in the page at or behind `from`; its end if there is none. */
static size_t find_mark(size_t from, const char *mark) {
    const size_t length = strlen(mark);
    for (size_t at = from; at + length <= fi_page_size; at++)
        if (!memcmp(fi_page + at, mark, length)) return at;
    return fi_page_size;
}

enum fanin_status fanin_page_write(const fanin_page *page, fanin_sink_fn sink, void *payload) {
    static const char end[] = "\n]}";
    if (page->title.failed || page->parts.failed) return FANIN_ERR_MEMORY;
    const size_t title = find_mark(0, TITLE_MARK);
    const size_t behind = title + sizeof TITLE_MARK - 1;
    const size_t data = find_mark(behind, DATA_MARK);
    const size_t rest = data + sizeof DATA_MARK - 1;
    const struct {
        const char *text;
        size_t bytes;
    } pieces[] = {{(const char *)fi_page, title},
                  {page->title.data, page->title.length},
                  {(const char *)fi_page + behind, data - behind},
                  {page->parts.data, page->parts.length},
                  {end, sizeof end - 1},
                  {(const char *)fi_page + rest, fi_page_size - rest}};
    for (int i = 0; i < FI_COUNT(pieces); i++)
        if (pieces[i].bytes > 0 && sink(payload, pieces[i].text, pieces[i].bytes) != 0)
            return fi_fail(page->ctx, FANIN_ERR_IO, "the page could not be written");
    return FANIN_OK;
}

void fanin_page_free(fanin_page *page) {
    if (!page) return;
    fi_text_free(&page->title);
    fi_text_free(&page->parts);
    fi_free(page->ctx, page);
}

/* ---- prose ----------------------------------------------------------------------------------------- */

void fanin_page_add_section(fanin_page *page, const char *title, const char *text) {
    struct fi_text *out = begin(page, "section");
    add_text(out, "title", title);
    add_text(out, "text", text);
    fi_text_add(out, "}");
}

void fanin_page_add_text(fanin_page *page, const char *text) {
    struct fi_text *out = begin(page, "text");
    add_text(out, "text", text);
    fi_text_add(out, "}");
}

void fanin_page_add_code(fanin_page *page, const char *title, const char *code, int json) {
    struct fi_text *out = begin(page, "code");
    add_text(out, "title", title);
    add_text(out, "code", code);
    fi_text_add(out, ",\"json\":%s}", json ? "true" : "false");
}

void fanin_page_add_notice(fanin_page *page, const struct fanin_page_notice *notice) {
    static const char *const tones[] = {"plain", "good", "caution", "bad"};
    struct fi_text *out = begin(page, "notice");
    add_text(out, "tone", tones[notice->tone]);
    add_text(out, "label", notice->label);
    add_text(out, "title", notice->title);
    add_text(out, "text", notice->text);
    add_text(out, "more", notice->more);
    add_text(out, "code", notice->code);
    fi_text_add(out, ",\"large\":%s}", notice->large ? "true" : "false");
}

/* ---- numbers --------------------------------------------------------------------------------------- */

void fanin_page_add_facts(fanin_page *page, const struct fanin_page_fact *facts, int n) {
    struct fi_text *out = begin(page, "facts");
    fi_text_add(out, ",\"facts\":[");
    for (int i = 0; i < n; i++) {
        fi_text_add(out, "%s{\"value\":", i ? "," : "");
        add_cell(out, &facts[i].value);
        add_text(out, "name", facts[i].name);
        add_text(out, "text", facts[i].text);
        fi_text_add(out, "}");
    }
    fi_text_add(out, "]}");
}

void fanin_page_add_table(fanin_page *page, const struct fanin_page_table *table) {
    struct fi_text *out = begin(page, "table");
    add_text(out, "title", table->title);
    add_texts(out, "columns", table->columns, table->n_columns);
    fi_text_add(out, ",\"rows\":[");
    for (int64_t r = 0; r < table->n_rows; r++) {
        fi_text_add(out, r ? ",[" : "[");
        for (int c = 0; c < table->n_columns; c++) {
            if (c) fi_text_add(out, ",");
            add_cell(out, &table->cells[r * table->n_columns + c]);
        }
        fi_text_add(out, "]");
    }
    fi_text_add(out, "]}");
}

/* ---- plots ----------------------------------------------------------------------------------------- */

static void add_series(struct fi_text *out, const struct fanin_page_series *s) {
    static const char *const styles[] = {"line", "dots", "strip", "rings", "guide"};
    fi_text_add(out, "{\"style\":\"%s\"", styles[s->style]);
    add_text(out, "name", s->name);
    add_numbers(out, "x", s->x, s->n);
    add_numbers(out, "y", s->y, s->n);
    add_numbers(out, "low", s->low, s->n);
    add_numbers(out, "high", s->high, s->n);
    fi_text_add(out, "}");
}

void fanin_page_add_plot(fanin_page *page, const struct fanin_page_plot *plot) {
    static const char *const scales[] = {"linear", "log", "auto"};
    struct fi_text *out = begin(page, "plot");
    add_text(out, "title", plot->title);
    add_text(out, "text", plot->text);
    add_text(out, "x_title", plot->x_title);
    add_text(out, "y_title", plot->y_title);
    add_text(out, "x_scale", scales[plot->x_scale]);
    add_text(out, "y_scale", scales[plot->y_scale]);
    if (plot->n_labels > 0) add_texts(out, "labels", plot->labels, plot->n_labels);
    fi_text_add(out, ",\"series\":[");
    for (int i = 0; i < plot->n_series; i++) {
        if (i) fi_text_add(out, ",");
        add_series(out, &plot->series[i]);
    }
    fi_text_add(out, "]}");
}

void fanin_page_add_histograms(fanin_page *page, const char *title, const char *text,
                               const char *x_title, const struct fanin_page_histogram *histograms,
                               int64_t n) {
    struct fi_text *out = begin(page, "histograms");
    add_text(out, "title", title);
    add_text(out, "text", text);
    add_text(out, "x_title", x_title);
    fi_text_add(out, ",\"histograms\":[");
    for (int64_t i = 0; i < n; i++) {
        const struct fanin_page_histogram *h = &histograms[i];
        fi_text_add(out, "%s{\"low\":", i ? "," : "");
        add_number(out, h->low);
        fi_text_add(out, ",\"high\":");
        add_number(out, h->high);
        add_text(out, "name", h->name);
        fi_text_add(out, ",\"counts\":[");
        for (int64_t k = 0; k < h->n; k++)
            fi_text_add(out, k ? ",%lld" : "%lld", (long long)h->counts[k]);
        fi_text_add(out, "]}");
    }
    fi_text_add(out, "]}");
}

void fanin_page_add_heat(fanin_page *page, const struct fanin_page_heat *heat) {
    struct fi_text *out = begin(page, "heat");
    add_text(out, "title", heat->title);
    add_text(out, "text", heat->text);
    add_text(out, "x_title", heat->x_title);
    add_text(out, "y_title", heat->y_title);
    add_text(out, "value_title", heat->value_title);
    add_texts(out, "columns", heat->columns, heat->n_columns);
    add_texts(out, "rows", heat->rows, heat->n_rows);
    add_numbers(out, "values", heat->values, heat->n_rows * heat->n_columns);
    add_numbers(out, "boundary", heat->boundary, heat->n_columns);
    add_text(out, "boundary_title", heat->boundary_title);
    fi_text_add(out, "}");
}
