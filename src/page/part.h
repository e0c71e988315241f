/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a page holds: its parts in their order, copies of what fanin/page.h was given, in an arena.
 * Both writers (html.c, markdown.c) walk this list; there is no other form of a page.
 */
#ifndef FI_PART_H
#define FI_PART_H

#include <fanin/page.h>

#include "base/base.h"

enum fi_part_kind {
    FI_PART_SECTION,
    FI_PART_TEXT,
    FI_PART_CODE,
    FI_PART_NOTICE,
    FI_PART_FACTS,
    FI_PART_TABLE,
    FI_PART_PLOT,
    FI_PART_HISTOGRAMS,
    FI_PART_HEAT,
    FI_PART_PICTURES
};

struct fi_part_prose {
    const char *title, *text;
};
struct fi_part_code {
    const char *title, *code; /* JSON stands over several lines already */
    int json;
};
struct fi_part_facts {
    const struct fanin_page_fact *facts;
    int n;
};
struct fi_part_histograms {
    const char *title, *text, *x_title;
    const struct fanin_page_histogram *items;
    int64_t n;
};

struct fi_part_pictures {
    const char *title, *text;
    const struct fanin_page_picture *items;
    int64_t n;
};

struct fi_part {
    struct fi_part *next;
    enum fi_part_kind kind;
    union {
        struct fi_part_prose prose; /* section, text */
        struct fi_part_code code;
        struct fanin_page_notice notice;
        struct fi_part_facts facts;
        struct fanin_page_table table;
        struct fanin_page_plot plot;
        struct fi_part_histograms histograms;
        struct fanin_page_heat heat;
        struct fi_part_pictures pictures;
    } is;
};

struct fanin_page {
    fanin_ctx *ctx;
    struct fi_arena arena;
    const char *title, *above;
    struct fi_part *first, **end;
    bool failed; /* memory ran out: something is missing */
};

/* MEMORY where memory ran out while parts were added. */
enum fanin_status fi_page_is_whole(const fanin_page *page);

/* ---- what both writers decide alike ---------------------------------------------------------------- */

/* Whether the values ask for a logarithmic axis; the smallest and largest of what is finite. */
struct fi_range {
    double low, high; /* low > high: there is none */
};
void fi_range_take(struct fi_range *range, double value);
bool fi_wants_log(enum fanin_page_scale scale, const struct fi_range *range);

/* Whether the histogram counts anything. */
bool fi_counts_any(const struct fanin_page_histogram *histogram);

/* The members of a part of pictures, for the script of a page (pictures.c). */
void fi_pictures_json(struct fi_text *out, const struct fi_part *part);

/* JSON over several lines: what fits into one stays there. Words and numbers stay as written;
 * what is no JSON stays readable. */
void fi_reflow(struct fi_text *out, const char *json);

#endif
