/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pictures in SVG 1.1: what all of them are made with. A picture is 720 units wide and carries its
 * colours for light and dark in a style sheet; it has text as text and no scripts. Places are
 * rounded to tenths of a unit and written from integers, so the bytes depend on nothing else.
 */
#ifndef FI_SVG_H
#define FI_SVG_H

#include "page/part.h"

#define FI_SVG_WIDTH 720
#define FI_SVG_LINE 21.0  /* from one line of text to the next */
#define FI_SVG_LABEL 128  /* bytes of a shortened text */
#define FI_SVG_SERIES 8   /* colours and marks; then they come again */
#define FI_SVG_POINTS 400 /* of a series, about: more cannot be told apart */

struct fi_box {
    double left, top, right, bottom;
};

/* ---- pictures; nothing is written where there is nothing to draw ----------------------------------- */

enum fanin_status fi_svg_plot(struct fi_text *out, fanin_ctx *ctx,
                              const struct fanin_page_plot *plot);
enum fanin_status fi_svg_histograms(struct fi_text *out, fanin_ctx *ctx,
                                    const struct fi_part_histograms *all);
enum fanin_status fi_svg_heat(struct fi_text *out, fanin_ctx *ctx,
                              const struct fanin_page_heat *heat);

/* ---- beginning and end ------------------------------------------------------------------------------ */

/* The title in at most two lines at the top; returns where the rest begins. */
#define FI_SVG_TITLE_LINES 2
struct fi_svg_title {
    char lines[FI_SVG_TITLE_LINES][FI_SVG_LABEL];
    int n;
};
double fi_svg_title(struct fi_svg_title *title, const char *text);
/* desc: for readers that hear the picture. */
void fi_svg_begin(struct fi_text *out, double height, const struct fi_svg_title *title,
                  const char *full_title, const char *desc);
void fi_svg_end(struct fi_text *out);

/* ---- places ----------------------------------------------------------------------------------------- */

long fi_svg_tenths(double place);
void fi_svg_tenth(struct fi_text *out, long tenths); /* 123 as 12.3 */
/* `letter`, x and y: a command of a path. */
void fi_svg_go(struct fi_text *out, char letter, double x, double y);
void fi_svg_number(struct fi_text *out, const char *attribute, double value);
void fi_svg_rect(struct fi_text *out, const struct fi_box *box, const char *attributes);

/* ---- texts ------------------------------------------------------------------------------------------ */

/* About how wide a text of 16 units is set, rather more than less. */
double fi_svg_width(const char *text);
/* The text, or its beginning and "…" where it is wider than `room`. */
void fi_svg_fit(char out[FI_SVG_LABEL], const char *text, double room);
/* At (x, y), the base line. classes: of the style sheet; m: centred, e: ends at x. */
void fi_svg_text(struct fi_text *out, const char *classes, double x, double y, const char *text);
/* The same turned by `degrees` about (x, y). */
void fi_svg_turned(struct fi_text *out, const char *classes, double x, double y, int degrees,
                   const char *text);
/* Titles of the axes of `box`: below it at `y`, and to the left. */
void fi_svg_axis_titles(struct fi_text *out, const struct fi_box *box, const char *x_title,
                        double y, const char *y_title);

/* Names of rows or columns: which are shown, and how. */
struct fi_svg_labels {
    int64_t step;        /* each step-th is shown */
    double room, height; /* of a label; of all of them, below the axis */
    double left;         /* how far the first reaches to the left of its place */
    bool turned;
};
void fi_svg_labels_fit(struct fi_svg_labels *labels, const char *const *names, int64_t n,
                       double slot);
/* Below `y`, label k at left + (k + 0.5) slot. */
void fi_svg_labels_draw(struct fi_text *out, const struct fi_svg_labels *labels,
                        const char *const *names, int64_t n, double left, double slot, double y);

#endif
