/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Series within the frame of a plot, and their marks in its legend.
 */
#ifndef FI_SVG_SERIES_H
#define FI_SVG_SERIES_H

#include "page/axis.h"
#include "page/svg.h"

/* y NaN: a gap of a line. low, high NaN: not known. group: x before points of a strip were set
 * beside each other. */
struct fi_dot {
    double x, y, low, high, group;
};
struct fi_curve {
    const char *name;
    enum fanin_page_style style;
    int index; /* of its colour, mark and dash */
    struct fi_dot *dots;
    int64_t n;
};
struct fi_frame {
    struct fi_box box;
    struct fi_axis x, y;
};

bool fi_is_line(enum fanin_page_style style);
void fi_svg_swatch(struct fi_text *out, const struct fi_curve *curve, double x, double y);
/* What lies under all curves, and the curve itself. */
enum fanin_status fi_svg_band(struct fi_text *out, const struct fi_frame *frame,
                              const struct fi_curve *curve);
enum fanin_status fi_svg_curve(struct fi_text *out, const struct fi_frame *frame,
                               const struct fi_curve *curve);

#endif
