/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What plots share: which conditions they show, the figures of these, and words for them.
 *
 * A figure is written NAME or NAME[where], as in claims. The conditions of a part are thinned by
 * `only` and dealt to plots of their own by `each`; what is left are the series of one plot.
 */
#ifndef FI_STUDY_PLOT_H
#define FI_STUDY_PLOT_H

#include "study/study.h"

struct fi_drawing {
    fanin_study *study;
    int part;
    fanin_page *page;
    struct fi_arena *arena;
    struct fi_mark mark; /* where the plot is written */
};

/* The first attributes of every plot. */
struct fi_plot_attrs {
    struct fanin_texts figure; /* one or more */
    const char *title, *text, *y_title;
    struct fanin_texts only, each;
    int scale;
};
/* Begins the table of specs of a plot whose attributes begin with a member `plot`. */
#define FI_PLOT_SPECS(type)                                                                        \
    {"figure",                                                                                     \
     FANIN_ATTR_TEXTS,                                                                             \
     offsetof(type, plot.figure),                                                                  \
     0,                                                                                            \
     0,                                                                                            \
     0,                                                                                            \
     NULL,                                                                                         \
     "what is drawn, NAME or NAME[where]; a list: all of them",                                    \
     FANIN_ATTR_REQUIRED},                                                                         \
        {"title",                                                                                  \
         FANIN_ATTR_STRING,                                                                        \
         offsetof(type, plot.title),                                                               \
         0,                                                                                        \
         0,                                                                                        \
         0,                                                                                        \
         NULL,                                                                                     \
         "over the plot; default: the figure",                                                     \
         FANIN_ATTR_NULLABLE},                                                                     \
        {"text", FANIN_ATTR_STRING,   offsetof(type, plot.text), 0, 0, 0,                          \
         NULL,   "what to see in it", FANIN_ATTR_NULLABLE},                                        \
        {"y_title",                                                                                \
         FANIN_ATTR_STRING,                                                                        \
         offsetof(type, plot.y_title),                                                             \
         0,                                                                                        \
         0,                                                                                        \
         0,                                                                                        \
         NULL,                                                                                     \
         "of the axis; default: the figure",                                                       \
         FANIN_ATTR_NULLABLE},                                                                     \
        {"only",                                                                                   \
         FANIN_ATTR_TEXTS,                                                                         \
         offsetof(type, plot.only),                                                                \
         0,                                                                                        \
         0,                                                                                        \
         0,                                                                                        \
         "",                                                                                       \
         "{axis: conditions}, with commas: what is left out otherwise",                            \
         0},                                                                                       \
        {"each",                                                                                   \
         FANIN_ATTR_TEXTS,                                                                         \
         offsetof(type, plot.each),                                                                \
         0,                                                                                        \
         0,                                                                                        \
         0,                                                                                        \
         NULL,                                                                                     \
         "axes: a plot for each of their conditions",                                              \
         0},                                                                                       \
    {                                                                                              \
        "scale", FANIN_ATTR_CHOICE, offsetof(type, plot.scale), 0, 0, 0, "auto|linear|log",        \
            "of the values", 0                                                                     \
    }

/* The conditions of one plot. */
struct fi_chosen {
    int64_t *conditions;
    int64_t n;
    unsigned named;   /* axes that tell them apart */
    const char *name; /* of the conditions that `each` fixes; "": none */
};
/* All plots of these attributes, in the order of the grid. Errors: RECIPE (no such axis or
 * condition), MEMORY. */
enum fanin_status fi_plot_choose(const struct fi_drawing *d, const struct fi_plot_attrs *a,
                                 struct fi_chosen **out, int64_t *n);

/* "NAME[where]" in its parts; where "" is the whole. */
struct fi_figure_name {
    const char *name, *where;
};
enum fanin_status fi_plot_figure(const struct fi_drawing *d, const char *text,
                                 struct fi_figure_name *out);

/* A figure of the runs of a condition that are done, step by step. */
struct fi_curves {
    int64_t seeds; /* of the part; of those not done n is 0 */
    int64_t *n;
    int64_t **steps;
    double **values;
};
enum fanin_status fi_plot_curves(const struct fi_drawing *d, int64_t condition, const char *name,
                                 const char *where, struct fi_curves *out);
/* The last value of each; NaN: none. [seeds] */
enum fanin_status fi_plot_last(const struct fi_drawing *d, int64_t condition, const char *name,
                               const char *where, double *out);
/* Places where a figure was measured, of the first run of the condition that is done, thinned by a
 * pattern (NULL: all). */
enum fanin_status fi_plot_wheres(const struct fi_drawing *d, int64_t condition, const char *name,
                                 const char *pattern, const char ***out, int64_t *n);

/* Of the values that are finite: mean, 95 % interval, extremes. n: how many these are. */
struct fi_seeds {
    double mean, sd, low, high, least, most;
    int64_t n;
};
enum fanin_status fi_plot_seeds(const struct fi_drawing *d, const double *values, int64_t n,
                                struct fi_seeds *out);

/* The words over a plot. */
const char *fi_plot_title(const struct fi_drawing *d, const struct fi_plot_attrs *a,
                          const struct fi_chosen *chosen);
/* Gives the plot its title, text and axis of values, and adds it to the page. */
enum fanin_status fi_plot_add(const struct fi_drawing *d, const struct fi_plot_attrs *a,
                              const struct fi_chosen *chosen, struct fanin_page_plot *plot);
/* Of one series: its condition, and the figure where there are several. */
const char *fi_plot_label(const struct fi_drawing *d, const struct fi_plot_attrs *a,
                          const struct fi_chosen *chosen, int64_t condition, int64_t figure);

/* Does * and ? of the pattern make it the text? */
bool fi_plot_matches(const char *pattern, const char *text);

#endif
