/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A page as HTML. Each part becomes an object of a JSON list; the script of the page (src/page/web)
 * draws it. The page itself is a file, put together when the library is built, with two marks: one
 * for the title and one for the data.
 *
 *     {"title": …, "above": …, "version": …, "parts": [{"kind": "section", …}, …]}
 *
 * Numbers of tables are exact; those of plots have the few digits that tell neighbours apart.
 */
#include <math.h>
#include <string.h>

#include "base/quote.h"
#include "page/part.h"

extern const unsigned char fi_page[];
extern const size_t fi_page_size;

#define TITLE_MARK "@title@"
#define DATA_MARK "@data@"
#define EXACT 0

/* ---- JSON ------------------------------------------------------------------------------------------ */

static void add_text(struct fi_text *out, const char *key, const char *text) {
    fi_text_add(out, ",\"%s\":", key);
    fi_quote_in_page(out, text);
}

/* Not finite: a string that says what it is; the script tells it from a number. */
static void add_number(struct fi_text *out, double value, int digits) {
    char number[FI_NUMBER_SIZE];
    if (digits == EXACT)
        fi_number_exact(number, value);
    else
        fi_number_short(number, value, digits);
    fi_text_add(out, isfinite(value) ? "%s" : "\"%s\"", number);
}

/* Significant digits for a plot of the values: five, and a thousandth of their span at least. */
static int digits_of(const double *values, int64_t n) {
    struct fi_range range = {INFINITY, -INFINITY};
    for (int64_t i = 0; i < n; i++) fi_range_take(&range, values[i]);
    const double most = FI_MAX(fabs(range.low), fabs(range.high));
    double span = range.high - range.low;
    int digits = 4;
    for (; span > 0 && span < most && digits < 15; digits++) span *= 10;
    return FI_MAX(digits, 5);
}

static void add_numbers(struct fi_text *out, const char *key, const double *values, int64_t n) {
    if (!values) return;
    const int digits = digits_of(values, n);
    fi_text_add(out, ",\"%s\":[", key);
    for (int64_t i = 0; i < n; i++) {
        if (i) fi_text_add(out, ",");
        add_number(out, values[i], digits);
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
        add_number(out, cell->number, EXACT);
        return;
    }
    fi_text_add(out, "[");
    fi_quote_in_page(out, cell->text);
    fi_text_add(out, "]");
}

/* ---- parts ----------------------------------------------------------------------------------------- */

static void add_prose(struct fi_text *out, const struct fi_part *part) {
    if (part->kind == FI_PART_SECTION) add_text(out, "title", part->is.prose.title);
    add_text(out, "text", part->is.prose.text);
}

static void add_code(struct fi_text *out, const struct fi_part *part) {
    add_text(out, "title", part->is.code.title);
    add_text(out, "code", part->is.code.code);
    fi_text_add(out, ",\"json\":%s", part->is.code.json ? "true" : "false");
}

static void add_notice(struct fi_text *out, const struct fi_part *part) {
    static const char *const tones[] = {"plain", "good", "caution", "bad"};
    const struct fanin_page_notice *notice = &part->is.notice;
    add_text(out, "tone", tones[notice->tone]);
    add_text(out, "label", notice->label);
    add_text(out, "title", notice->title);
    add_text(out, "text", notice->text);
    add_text(out, "more", notice->more);
    add_text(out, "code", notice->code);
    fi_text_add(out, ",\"large\":%s", notice->large ? "true" : "false");
}

static void add_facts(struct fi_text *out, const struct fi_part *part) {
    fi_text_add(out, ",\"facts\":[");
    for (int i = 0; i < part->is.facts.n; i++) {
        const struct fanin_page_fact *fact = &part->is.facts.facts[i];
        fi_text_add(out, "%s{\"value\":", i ? "," : "");
        add_cell(out, &fact->value);
        add_text(out, "name", fact->name);
        add_text(out, "text", fact->text);
        fi_text_add(out, "}");
    }
    fi_text_add(out, "]");
}

static void add_table(struct fi_text *out, const struct fi_part *part) {
    const struct fanin_page_table *table = &part->is.table;
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
    fi_text_add(out, "]");
}

/* x is "same" where it is that of the series before, as is common. */
static void add_series(struct fi_text *out, const struct fanin_page_series *s,
                       const struct fanin_page_series *before) {
    static const char *const styles[] = {"line", "dots", "strip", "rings", "guide"};
    const bool same = before && s->x && before->x && s->n > 0 && s->n == before->n &&
                      memcmp(s->x, before->x, (size_t)s->n * sizeof *s->x) == 0;
    fi_text_add(out, "{\"style\":\"%s\"", styles[s->style]);
    add_text(out, "name", s->name);
    if (same)
        add_text(out, "x", "same");
    else
        add_numbers(out, "x", s->x, s->n);
    add_numbers(out, "y", s->y, s->n);
    add_numbers(out, "low", s->low, s->n);
    add_numbers(out, "high", s->high, s->n);
    fi_text_add(out, "}");
}

static void add_plot(struct fi_text *out, const struct fi_part *part) {
    static const char *const scales[] = {"linear", "log", "auto"};
    const struct fanin_page_plot *plot = &part->is.plot;
    add_text(out, "title", plot->title);
    add_text(out, "text", plot->text);
    add_text(out, "x_title", plot->x_title);
    add_text(out, "y_title", plot->y_title);
    add_text(out, "x_scale", scales[plot->x_scale]);
    add_text(out, "y_scale", scales[plot->y_scale]);
    if (plot->labels) add_texts(out, "labels", plot->labels, plot->n_labels);
    fi_text_add(out, ",\"series\":[");
    for (int i = 0; i < plot->n_series; i++) {
        if (i) fi_text_add(out, ",");
        add_series(out, &plot->series[i], i ? &plot->series[i - 1] : NULL);
    }
    fi_text_add(out, "]");
}

static void add_histograms(struct fi_text *out, const struct fi_part *part) {
    const struct fi_part_histograms *all = &part->is.histograms;
    add_text(out, "title", all->title);
    add_text(out, "text", all->text);
    add_text(out, "x_title", all->x_title);
    fi_text_add(out, ",\"histograms\":[");
    for (int64_t i = 0; i < all->n; i++) {
        const struct fanin_page_histogram *h = &all->items[i];
        fi_text_add(out, "%s{\"low\":", i ? "," : "");
        add_number(out, h->low, EXACT);
        fi_text_add(out, ",\"high\":");
        add_number(out, h->high, EXACT);
        add_text(out, "name", h->name);
        fi_text_add(out, ",\"counts\":[");
        for (int64_t k = 0; k < h->n; k++)
            fi_text_add(out, k ? ",%lld" : "%lld", (long long)h->counts[k]);
        fi_text_add(out, "]}");
    }
    fi_text_add(out, "]");
}

static void add_heat(struct fi_text *out, const struct fi_part *part) {
    const struct fanin_page_heat *heat = &part->is.heat;
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
}

static const struct {
    const char *name;
    void (*add)(struct fi_text *out, const struct fi_part *part);
} kinds[] = {
    [FI_PART_SECTION] = {"section", add_prose},
    [FI_PART_TEXT] = {"text", add_prose},
    [FI_PART_CODE] = {"code", add_code},
    [FI_PART_NOTICE] = {"notice", add_notice},
    [FI_PART_FACTS] = {"facts", add_facts},
    [FI_PART_TABLE] = {"table", add_table},
    [FI_PART_PLOT] = {"plot", add_plot},
    [FI_PART_HISTOGRAMS] = {"histograms", add_histograms},
    [FI_PART_HEAT] = {"heat", add_heat},
    [FI_PART_PICTURES] = {"pictures", fi_pictures_json},
};

/* ---- the file -------------------------------------------------------------------------------------- */

static void add_data(struct fi_text *out, const fanin_page *page) {
    fi_text_add(out, "{\"version\":\"%s\"", fanin_version());
    add_text(out, "title", page->title);
    add_text(out, "above", page->above);
    fi_text_add(out, ",\"parts\":[");
    for (const struct fi_part *part = page->first; part; part = part->next) {
        fi_text_add(out, "%s\n{\"kind\":\"%s\"", part == page->first ? "" : ",",
                    kinds[part->kind].name);
        kinds[part->kind].add(out, part);
        fi_text_add(out, "}");
    }
    fi_text_add(out, "\n]}");
}

/* The first place of `mark` in the page at or behind `from`; its end if there is none. */
static size_t find_mark(size_t from, const char *mark) {
    const size_t length = strlen(mark);
    for (size_t at = from; at + length <= fi_page_size; at++)
        if (!memcmp(fi_page + at, mark, length)) return at;
    return fi_page_size;
}

static enum fanin_status hand_over(const fanin_page *page, const struct fi_text *shown_title,
                                   const struct fi_text *json, fanin_sink_fn sink, void *payload) {
    const size_t title = find_mark(0, TITLE_MARK);
    const size_t behind = title + sizeof TITLE_MARK - 1;
    const size_t data = find_mark(behind, DATA_MARK);
    const size_t rest = data + sizeof DATA_MARK - 1;
    const struct {
        const char *text;
        size_t bytes;
    } pieces[] = {{(const char *)fi_page, title},
                  {shown_title->data, shown_title->length},
                  {(const char *)fi_page + behind, data - behind},
                  {json->data, json->length},
                  {(const char *)fi_page + rest, fi_page_size - rest}};
    for (int i = 0; i < FI_COUNT(pieces); i++)
        if (pieces[i].bytes > 0 && sink(payload, pieces[i].text, pieces[i].bytes) != 0)
            return fi_fail(page->ctx, FANIN_ERR_IO, "the page could not be written");
    return FANIN_OK;
}

enum fanin_status fanin_page_write(const fanin_page *page, fanin_sink_fn sink, void *payload) {
    FI_TRY(fi_page_is_whole(page));
    struct fi_text title, json;
    fi_text_init(&title, page->ctx);
    fi_text_init(&json, page->ctx);
    fi_escape_html(&title, page->title);
    add_data(&json, page);
    enum fanin_status status = FANIN_ERR_MEMORY;
    if (!title.failed && !json.failed) status = hand_over(page, &title, &json, sink, payload);
    fi_text_free(&title);
    fi_text_free(&json);
    return status;
}
