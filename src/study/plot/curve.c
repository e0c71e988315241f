/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A figure over the updates of a run: the mean over the seeds, with a band from the lowest to the
 * highest of them. A run that ended early counts as long as it went on.
 */
#include <math.h>
#include <string.h>

#include "study/plot/plot.h"

struct curve {
    struct fi_plot_attrs plot;
    int x_scale;
};

/* The steps that any seed has, in order. */
static enum fanin_status all_steps(const struct fi_drawing *d, const struct fi_curves *c,
                                   int64_t **out, int64_t *n) {
    int64_t total = 0;
    for (int64_t k = 0; k < c->seeds; k++) total += c->n[k];
    *out = fi_arena_alloc(d->arena, total, sizeof **out);
    *n = 0;
    if (!*out) return FANIN_ERR_MEMORY;
    for (int64_t k = 0; k < c->seeds; k++) /* seeds mostly have the same: merge */
        for (int64_t i = 0, at = 0; i < c->n[k]; i++) {
            while (at < *n && (*out)[at] < c->steps[k][i]) at++;
            if (at < *n && (*out)[at] == c->steps[k][i]) continue;
            memmove(*out + at + 1, *out + at, (size_t)(*n - at) * sizeof **out);
            (*out)[at] = c->steps[k][i];
            (*n)++;
        }
    return FANIN_OK;
}

static double value_at(const struct fi_curves *c, int64_t seed, int64_t step) {
    int64_t low = 0, high = c->n[seed];
    while (low < high) {
        const int64_t middle = (low + high) / 2;
        if (c->steps[seed][middle] < step)
            low = middle + 1;
        else
            high = middle;
    }
    return low < c->n[seed] && c->steps[seed][low] == step ? c->values[seed][low] : NAN;
}

static enum fanin_status make_series(const struct fi_drawing *d, const struct fi_curves *c,
                                     struct fanin_page_series *out) {
    int64_t *steps, n;
    FI_TRY(all_steps(d, c, &steps, &n));
    double *numbers = fi_arena_alloc(d->arena, 4 * n, sizeof *numbers);
    double *seeds = fi_arena_alloc(d->arena, c->seeds, sizeof *seeds);
    if (!numbers || !seeds) return FANIN_ERR_MEMORY;
    double *x = numbers, *y = x + n, *low = y + n, *high = low + n;
    for (int64_t i = 0; i < n; i++) {
        for (int64_t k = 0; k < c->seeds; k++) seeds[k] = value_at(c, k, steps[i]);
        struct fi_seeds s;
        FI_TRY(fi_plot_seeds(d, seeds, c->seeds, &s));
        x[i] = (double)steps[i];
        y[i] = s.mean;
        low[i] = s.least;
        high[i] = s.most;
    }
    out->style = FANIN_PAGE_LINE;
    out->n = n;
    out->x = x;
    out->y = y;
    out->low = low;
    out->high = high;
    return FANIN_OK;
}

static enum fanin_status draw(const struct fi_drawing *d, const void *attrs,
                              struct fi_chosen *chosen) {
    const struct curve *a = attrs;
    struct fanin_page_series *series =
        fi_arena_alloc(d->arena, chosen->n * a->plot.figure.n, sizeof *series);
    int n = 0;
    if (!series) return FANIN_ERR_MEMORY;
    for (int64_t i = 0; i < chosen->n; i++)
        for (int64_t f = 0; f < a->plot.figure.n; f++) {
            struct fi_figure_name figure;
            struct fi_curves curves;
            FI_TRY(fi_plot_figure(d, a->plot.figure.items[f].text, &figure));
            FI_TRY(fi_plot_curves(d, chosen->conditions[i], figure.name, figure.where, &curves));
            FI_TRY(make_series(d, &curves, &series[n]));
            series[n].name = fi_plot_label(d, &a->plot, chosen, chosen->conditions[i], f);
            if (!series[n].name) return FANIN_ERR_MEMORY;
            if (series[n].n > 0) n++;
        }
    struct fanin_page_plot plot = {.title = fi_plot_title(d, &a->plot, chosen),
                                   .text = a->plot.text,
                                   .x_title = "updates",
                                   .y_title = a->plot.y_title ? a->plot.y_title
                                                              : a->plot.figure.items[0].text,
                                   .x_scale = a->x_scale ? FANIN_PAGE_LOG : FANIN_PAGE_LINEAR,
                                   .series = series,
                                   .n_series = n};
    return n > 0 ? fi_plot_add(d, &a->plot, chosen, &plot) : FANIN_OK;
}

static const struct fanin_attr_spec specs[] = {
    FI_PLOT_SPECS(struct curve),
    FI_ATTR_CHOICE(struct curve, x_scale, 0, "linear|log", "of the updates"), FI_ATTR_END};

FI_RECORD(plot,
          curve) = {.head = {.name = "curve",
                             .formula = "mean over seeds, band from the lowest to the highest",
                             .reference = "definition",
                             .help = "A figure over the updates, a line for each condition.",
                             .attrs = specs,
                             .attrs_size = sizeof(struct curve),
                             .place = ""},
                    .draw = draw};
