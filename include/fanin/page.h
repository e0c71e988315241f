/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pages: prose, figures, tables and plots, written as one HTML file that needs nothing but a
 * browser, or as Markdown with pictures. In HTML, style, scripts and data stand inside the file,
 * and it may not load anything from elsewhere.
 *
 *     fanin_page *page;
 *     fanin_page_create(&page, ctx, "net.yaml", "fanin check");
 *     fanin_page_add_section(page, "Signals", "The root mean square of each layer's output.");
 *     fanin_page_add_plot(page, &plot);
 *     status = fanin_page_write(page, my_sink, file);
 *     fanin_page_free(page);
 *
 * Or fanin_page_write_markdown(page, "digits", my_sink, my_picture, folder) for "digits-1.svg" and
 * so on, and the text that shows them.
 *
 * Parts stand in the order in which they are added. All they are given is copied. Texts are UTF-8
 * and never taken for markup; in those called `text`, what stands between backquotes is set as
 * code. NULL: no text. Adding cannot fail: memory that ran out is told by what writes the page.
 * Numbers that are not finite are left out of plots; tables name them.
 */
#ifndef FANIN_PAGE_H
#define FANIN_PAGE_H

#include <fanin/report.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fanin_page fanin_page;

/* above: a few words over the title, what kind of page this is. Errors: MEMORY. */
FANIN_API enum fanin_status fanin_page_create(fanin_page **out, fanin_ctx *ctx, const char *title,
                                              const char *above);
/* Hands the whole page to the sink. Errors: MEMORY, IO (the sink refused). */
FANIN_API enum fanin_status fanin_page_write(const fanin_page *page, fanin_sink_fn sink,
                                             void *payload);

/* Takes a finished picture: the name of its file and its bytes, an SVG. Returns 0, or anything else
 * if it could not be kept. */
typedef int (*fanin_page_picture_fn)(void *payload, const char *name, const char *svg,
                                     size_t bytes);
/* The page as Markdown (CommonMark with GitHub's tables), to be kept beside its plots as pictures:
 * k-th plot that has something to draw is "STEM-k.svg", k from 1. Pictures are handed over first,
 * in their order, and the text last, so that what it points to is there. A picture is 720 units
 * wide, has its title and a description inside, no scripts, and colours for light and dark
 * surroundings; the same page gives the same bytes. Errors: MEMORY, IO (one of the two refused;
 * what was handed over before stays). */
FANIN_API enum fanin_status fanin_page_write_markdown(const fanin_page *page, const char *stem,
                                                      fanin_sink_fn sink,
                                                      fanin_page_picture_fn picture, void *payload);
FANIN_API void fanin_page_free(fanin_page *page);

/* ---- prose ----------------------------------------------------------------------------------------- */

/* Begins a section; the page's contents link to it. */
FANIN_API void fanin_page_add_section(fanin_page *page, const char *title, const char *text);
FANIN_API void fanin_page_add_text(fanin_page *page, const char *text);
/* Preformatted text that is easily copied. json: set it over several lines. */
FANIN_API void fanin_page_add_code(fanin_page *page, const char *title, const char *code, int json);

enum fanin_page_tone { FANIN_PAGE_PLAIN, FANIN_PAGE_GOOD, FANIN_PAGE_CAUTION, FANIN_PAGE_BAD };

/* Something that must be seen: a verdict, a finding, a claim. */
struct fanin_page_notice {
    enum fanin_page_tone tone;
    const char *label; /* a word or two: "at risk" */
    const char *title; /* NULL: none */
    const char *text;  /* what was found */
    const char *more;  /* what follows from it, in a paragraph of its own */
    const char *code;  /* a command */
    int large;         /* 1: the page's main result */
};
FANIN_API void fanin_page_add_notice(fanin_page *page, const struct fanin_page_notice *notice);

/* ---- numbers --------------------------------------------------------------------------------------- */

/* A text, or where it is NULL a number. */
struct fanin_page_cell {
    const char *text;
    double number;
};

/* A figure that is read at a glance: its name, its value, a remark (NULL: none). */
struct fanin_page_fact {
    const char *name;
    struct fanin_page_cell value;
    const char *text;
};
FANIN_API void fanin_page_add_facts(fanin_page *page, const struct fanin_page_fact *facts, int n);

struct fanin_page_table {
    const char *title;
    const char *const *columns;
    int n_columns;
    const struct fanin_page_cell *cells; /* n_rows × n_columns; the first column heads the row */
    int64_t n_rows;
};
FANIN_API void fanin_page_add_table(fanin_page *page, const struct fanin_page_table *table);

/* ---- plots: each has the table of its numbers behind it --------------------------------------------- */

enum fanin_page_style {
    FANIN_PAGE_LINE,  /* with a band from low to high */
    FANIN_PAGE_DOTS,  /* with error bars from low to high */
    FANIN_PAGE_STRIP, /* many points at one x, beside each other */
    FANIN_PAGE_RINGS, /* around points that ask for attention */
    FANIN_PAGE_GUIDE  /* a line to compare with */
};
enum fanin_page_scale {
    FANIN_PAGE_LINEAR,
    FANIN_PAGE_LOG,
    FANIN_PAGE_AUTO /* logarithmic where all is above 0 and spans more than a decade */
};

struct fanin_page_series {
    const char *name;
    enum fanin_page_style style;
    int64_t n;
    const double *x;          /* n; NULL: 0, 1, 2, … */
    const double *y;          /* n */
    const double *low, *high; /* n each, or both NULL */
};
/* Series over an axis of numbers, or of labels: label k stands at x = k. */
struct fanin_page_plot {
    const char *title, *text;
    const char *x_title, *y_title;
    enum fanin_page_scale x_scale, y_scale;
    const char *const *labels;
    int64_t n_labels; /* 0: numbers */
    const struct fanin_page_series *series;
    int n_series;
};
FANIN_API void fanin_page_add_plot(fanin_page *page, const struct fanin_page_plot *plot);

/* Bins of equal width between low and high. */
struct fanin_page_histogram {
    const char *name;
    double low, high;
    const int64_t *counts;
    int64_t n;
};
/* Small ones of all, one of them large by choice. A choice holds for all such plots that have a
 * histogram of the same name. Those that count nothing are left out. */
FANIN_API void fanin_page_add_histograms(fanin_page *page, const char *title, const char *text,
                                         const char *x_title,
                                         const struct fanin_page_histogram *histograms, int64_t n);

/* A value for each pair of a row and a column, as colours. */
struct fanin_page_heat {
    const char *title, *text;
    const char *x_title, *y_title, *value_title;
    const char *const *columns, *const *rows;
    int64_t n_columns, n_rows;
    const double *values; /* n_rows × n_columns */
    /* A line over the map: for each column the row it passes, 0 the middle of the first row,
     * fractions between; NULL: none. */
    const double *boundary;
    const char *boundary_title;
};
FANIN_API void fanin_page_add_heat(fanin_page *page, const struct fanin_page_heat *heat);

/* ---- pictures -------------------------------------------------------------------------------------- */

/* A small picture, 8 bits a number. */
struct fanin_page_picture {
    int width, height;
    int channels;                /* 1: grey; 3: red, green, blue */
    const unsigned char *pixels; /* height × width × channels */
    const char *alt;             /* what is to be seen, for those who do not see it */
    const char *const *lines;    /* the caption; the first one is set off */
    int n_lines;
};
FANIN_API void fanin_page_add_pictures(fanin_page *page, const char *title, const char *text,
                                       const struct fanin_page_picture *pictures, int64_t n);

#ifdef __cplusplus
}
#endif
#endif
