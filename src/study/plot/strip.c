/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last value of a figure: a point for each seed, the mean and its 95 % interval (Student) for
 * each condition.
 */
#include <math.h>

#include "study/plot/plot.h"

struct strip {
    struct fi_plot_attrs plot;
};

struct columns {
    const char **labels;
    double *x, *y;                  /* of the points */
    double *at, *mean, *low, *high; /* of the means */
    int64_t n_points, n;
};

static enum fanin_status add_column(const struct fi_drawing *d, struct columns *c,
                                    const char *label, const double *values, int64_t seeds) {
    struct fi_seeds s;
    if (!label) return FANIN_ERR_MEMORY;
    FI_TRY(fi_plot_seeds(d, values, seeds, &s));
    for (int64_t k = 0; k < seeds; k++) {
        if (!isfinite(values[k])) continue;
        c->x[c->n_points] = (double)c->n;
        c->y[c->n_points++] = values[k];
    }
    c->labels[c->n] = label;
    c->at[c->n] = (double)c->n;
    c->mean[c->n] = s.mean;
    c->low[c->n] = s.low;
    c->high[c->n++] = s.high;
    return FANIN_OK;
}

static enum fanin_status gather(const struct fi_drawing *d, const struct strip *a,
                                const struct fi_chosen *chosen, struct columns *c) {
    const int64_t seeds = d->study->parts[d->part].seeds, n = chosen->n * a->plot.figure.n;
    double *values = fi_arena_alloc(d->arena, seeds, sizeof *values);
    c->labels = fi_arena_alloc(d->arena, n, sizeof *c->labels);
    c->x = fi_arena_alloc(d->arena, 2 * n * seeds, sizeof *c->x);
    c->at = fi_arena_alloc(d->arena, 4 * n, sizeof *c->at);
    if (!values || !c->labels || !c->x || !c->at) return FANIN_ERR_MEMORY;
    c->y = c->x + n * seeds;
    c->mean = c->at + n;
    c->low = c->mean + n;
    c->high = c->low + n;
    for (int64_t i = 0; i < chosen->n; i++)
        for (int64_t f = 0; f < a->plot.figure.n; f++) {
            struct fi_figure_name figure;
            FI_TRY(fi_plot_figure(d, a->plot.figure.items[f].text, &figure));
            FI_TRY(fi_plot_last(d, chosen->conditions[i], figure.name, figure.where, values));
            FI_TRY(add_column(d, c, fi_plot_label(d, &a->plot, chosen, chosen->conditions[i], f),
                              values, seeds));
        }
    return FANIN_OK;
}

static enum fanin_status draw(const struct fi_drawing *d, const void *attrs,
                              struct fi_chosen *chosen) {
    const struct strip *a = attrs;
    struct columns c = {0};
    FI_TRY(gather(d, a, chosen, &c));
    const struct fanin_page_series series[] = {
        {.name = "each seed", .style = FANIN_PAGE_STRIP, .n = c.n_points, .x = c.x, .y = c.y},
        {.name = "mean and 95 % interval",
         .style = FANIN_PAGE_DOTS,
         .n = c.n,
         .x = c.at,
         .y = c.mean,
         .low = c.low,
         .high = c.high}};
    struct fanin_page_plot plot = {.title = fi_plot_title(d, &a->plot, chosen),
                                   .text = a->plot.text,
                                   .x_title = "",
                                   .y_title = a->plot.y_title ? a->plot.y_title
                                                              : a->plot.figure.items[0].text,
                                   .labels = c.labels,
                                   .n_labels = c.n,
                                   .series = series,
                                   .n_series = 2};
    return c.n_points > 0 ? fi_plot_add(d, &a->plot, chosen, &plot) : FANIN_OK;
}

static const struct fanin_attr_spec specs[] = {FI_PLOT_SPECS(struct strip), FI_ATTR_END};

FI_RECORD(plot, strip) = {.head = {.name = "strip",
                                   .formula = "a point a seed; mean +- t(0.975, n - 1) s / sqrt(n)",
                                   .reference = "Student 1908",
                                   .help = "The last value of a figure for each condition.",
                                   .attrs = specs,
                                   .attrs_size = sizeof(struct strip),
                                   .place = ""},
                          .draw = draw};
