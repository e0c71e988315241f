/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A figure from layer to layer (or over whatever it was measured at), at its last step or a given
 * one: means over the seeds with 95 % intervals as dots, predictions as lines.
 */
#include <math.h>
#include <string.h>

#include "study/plot/plot.h"

struct profile {
    struct fi_plot_attrs plot;
    struct fanin_texts predicted;
    const char *where;
    int64_t step;
};

static enum fanin_status value_at(const struct fi_drawing *d, const struct profile *a,
                                  int64_t condition, const char *name, const char *where,
                                  double *out) {
    struct fi_curves c;
    FI_TRY(fi_plot_curves(d, condition, name, where, &c));
    for (int64_t k = 0; k < c.seeds; k++) {
        out[k] = c.n[k] > 0 ? c.values[k][c.n[k] - 1] : NAN;
        for (int64_t i = 0; i < c.n[k] && a->step >= 0; i++)
            if (c.steps[k][i] == a->step) out[k] = c.values[k][i];
    }
    return FANIN_OK;
}

/* The longest list of places among the conditions: nets of several depths share a beginning. */
static enum fanin_status find_labels(const struct fi_drawing *d, const struct profile *a,
                                     const struct fi_chosen *chosen, const char ***labels,
                                     int64_t *n) {
    struct fi_figure_name figure;
    FI_TRY(fi_plot_figure(d, a->plot.figure.items[0].text, &figure));
    *n = 0;
    *labels = NULL;
    for (int64_t i = 0; i < chosen->n; i++) {
        const char **mine;
        int64_t count;
        FI_TRY(fi_plot_wheres(d, chosen->conditions[i], figure.name, a->where, &mine, &count));
        if (count > *n) {
            *labels = mine;
            *n = count;
        }
    }
    return FANIN_OK;
}

static enum fanin_status make_series(const struct fi_drawing *d, const struct profile *a,
                                     int64_t condition, const char *text, bool predicted,
                                     const char *const *labels, int64_t n,
                                     struct fanin_page_series *out) {
    const int64_t seeds = d->study->parts[d->part].seeds;
    double *numbers = fi_arena_alloc(d->arena, 4 * n, sizeof *numbers);
    double *values = fi_arena_alloc(d->arena, seeds, sizeof *values);
    struct fi_figure_name figure;
    if (!numbers || !values) return FANIN_ERR_MEMORY;
    FI_TRY(fi_plot_figure(d, text, &figure));
    double *x = numbers, *y = x + n, *low = y + n, *high = low + n;
    out->n = 0;
    for (int64_t i = 0; i < n; i++) {
        struct fi_seeds s;
        FI_TRY(value_at(d, a, condition, figure.name, labels[i], values));
        FI_TRY(fi_plot_seeds(d, values, seeds, &s));
        if (s.n == 0) continue;
        x[out->n] = (double)i;
        y[out->n] = s.mean;
        low[out->n] = s.low;
        high[out->n++] = s.high;
    }
    out->style = predicted ? FANIN_PAGE_LINE : FANIN_PAGE_DOTS;
    out->x = x;
    out->y = y;
    out->low = predicted ? NULL : low;
    out->high = predicted ? NULL : high;
    return FANIN_OK;
}

static enum fanin_status add_all(const struct fi_drawing *d, const struct profile *a,
                                 const struct fi_chosen *chosen, const struct fanin_texts *figures,
                                 bool predicted, const char *const *labels, int64_t n,
                                 struct fanin_page_series *series, int *n_series) {
    for (int64_t i = 0; i < chosen->n; i++)
        for (int64_t f = 0; f < figures->n; f++) {
            struct fanin_page_series *s = &series[*n_series];
            const char *text = figures->items[f].text;
            FI_TRY(make_series(d, a, chosen->conditions[i], text, predicted, labels, n, s));
            const char *name = fi_grid_name(d->arena, &d->study->parts[d->part],
                                            chosen->conditions[i], chosen->named);
            if (name && (predicted || figures->n > 1 || !*name))
                name = fi_arena_printf(d->arena, "%s%s%s", name, *name ? ", " : "",
                                       predicted ? "predicted" : text);
            s->name = name;
            if (!name) return FANIN_ERR_MEMORY;
            if (s->n > 0) (*n_series)++;
        }
    return FANIN_OK;
}

static enum fanin_status draw(const struct fi_drawing *d, const void *attrs,
                              struct fi_chosen *chosen) {
    const struct profile *a = attrs;
    const char **labels;
    int64_t n;
    int n_series = 0;
    FI_TRY(find_labels(d, a, chosen, &labels, &n));
    struct fanin_page_series *series =
        fi_arena_alloc(d->arena, chosen->n * (a->plot.figure.n + a->predicted.n), sizeof *series);
    if (!series) return FANIN_ERR_MEMORY;
    FI_TRY(add_all(d, a, chosen, &a->plot.figure, false, labels, n, series, &n_series));
    FI_TRY(add_all(d, a, chosen, &a->predicted, true, labels, n, series, &n_series));
    struct fanin_page_plot plot = {.title = fi_plot_title(d, &a->plot, chosen),
                                   .text = a->plot.text,
                                   .x_title = "",
                                   .y_title = a->plot.y_title ? a->plot.y_title
                                                              : a->plot.figure.items[0].text,
                                   .labels = labels,
                                   .n_labels = n,
                                   .series = series,
                                   .n_series = n_series};
    return n_series > 0 ? fi_plot_add(d, &a->plot, chosen, &plot) : FANIN_OK;
}

static const struct fanin_attr_spec specs[] = {
    FI_PLOT_SPECS(struct profile),
    FI_ATTR_TEXTS(struct profile, predicted, "figures drawn as lines, to compare with"),
    FI_ATTR_STRING(struct profile, where, NULL, "places to show, a pattern: dense*",
                   FANIN_ATTR_NULLABLE),
    FI_ATTR_INT(struct profile, step, -1, -1, 9007199254740992.0, "the update; -1: the last", 0),
    FI_ATTR_END};

FI_RECORD(plot, profile) = {
    .head = {.name = "profile",
             .formula = "mean +- t(0.975, n - 1) s / sqrt(n) for each layer",
             .reference = "Student 1908",
             .help = "A figure from layer to layer, measured as dots, predicted as lines.",
             .attrs = specs,
             .attrs_size = sizeof(struct profile),
             .place = ""},
    .draw = draw};
