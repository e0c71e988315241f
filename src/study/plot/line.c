/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last value of a figure over an axis of the grid whose conditions are numbers: means over the
 * seeds with their 95 % intervals (Student), a line for each condition of the other axes.
 */
#include <math.h>
#include <string.h>

#include "study/plot/plot.h"

struct line {
    struct fi_plot_attrs plot;
    const char *x, *x_title;
    int x_scale;
    struct fanin_texts predicted;
};

/* A series: what all but the axis fix, and one figure. */
struct group {
    int64_t first; /* its first condition: its level elsewhere */
    int64_t figure;
    bool guide;
    double *x, *y, *low, *high;
    int64_t n;
};

static bool same_elsewhere(const struct fi_part_of *part, int axis, int64_t a, int64_t b) {
    for (int i = 0; i < part->n_axes; i++)
        if (i != axis && fi_grid_level(part, a, i) != fi_grid_level(part, b, i)) return false;
    return true;
}

static enum fanin_status find_group(const struct fi_drawing *d, struct group *groups, int64_t *n,
                                    int axis, int64_t condition, int64_t figure, bool guide,
                                    int64_t points, struct group **out) {
    for (int64_t g = 0; g < *n; g++)
        if (groups[g].figure == figure && groups[g].guide == guide &&
            same_elsewhere(&d->study->parts[d->part], axis, groups[g].first, condition)) {
            *out = &groups[g];
            return FANIN_OK;
        }
    struct group *g = &groups[(*n)++];
    *g = (struct group){.first = condition, .figure = figure, .guide = guide};
    g->x = fi_arena_alloc(d->arena, 4 * points, sizeof *g->x);
    if (!g->x) return FANIN_ERR_MEMORY;
    g->y = g->x + points;
    g->low = g->y + points;
    g->high = g->low + points;
    *out = g;
    return FANIN_OK;
}

/* Points come in the order of the grid; a line runs from left to right. */
static void add_point(struct group *g, double x, const struct fi_seeds *s) {
    int64_t at = g->n++;
    while (at > 0 && g->x[at - 1] > x) {
        g->x[at] = g->x[at - 1];
        g->y[at] = g->y[at - 1];
        g->low[at] = g->low[at - 1];
        g->high[at] = g->high[at - 1];
        at--;
    }
    g->x[at] = x;
    g->y[at] = s->mean;
    g->low[at] = s->low;
    g->high[at] = s->high;
}

static enum fanin_status add_figures(const struct fi_drawing *d, const struct fanin_texts *figures,
                                     bool guide, const struct fi_chosen *chosen, int axis,
                                     struct group *groups, int64_t *n) {
    const struct fi_part_of *part = &d->study->parts[d->part];
    double *values = fi_arena_alloc(d->arena, part->seeds, sizeof *values);
    if (!values) return FANIN_ERR_MEMORY;
    for (int64_t i = 0; i < chosen->n; i++)
        for (int64_t f = 0; f < figures->n; f++) {
            const int64_t c = chosen->conditions[i];
            const double x = part->axes[axis].levels[fi_grid_level(part, c, axis)].number;
            struct fi_figure_name figure;
            struct fi_seeds s;
            struct group *g;
            FI_TRY(fi_plot_figure(d, figures->items[f].text, &figure));
            FI_TRY(fi_plot_last(d, c, figure.name, figure.where, values));
            FI_TRY(fi_plot_seeds(d, values, part->seeds, &s));
            FI_TRY(find_group(d, groups, n, axis, c, f, guide, chosen->n, &g));
            if (s.n > 0 && isfinite(x)) add_point(g, x, &s);
        }
    return FANIN_OK;
}

static enum fanin_status make_series(const struct fi_drawing *d, const struct line *a,
                                     struct fi_chosen *chosen, int axis, const struct group *groups,
                                     int64_t n, struct fanin_page_series *out, int *n_out) {
    chosen->named &= ~(1u << axis);
    for (int64_t g = 0; g < n; g++) {
        const struct group *group = &groups[g];
        if (group->n == 0) continue;
        const char *name =
            group->guide
                ? fi_grid_name(d->arena, &d->study->parts[d->part], group->first, chosen->named)
                : fi_plot_label(d, &a->plot, chosen, group->first, group->figure);
        if (group->guide && name)
            name = fi_arena_printf(d->arena, "%s%s%s", name, *name ? ", " : "",
                                   a->predicted.items[group->figure].text);
        if (!name) return FANIN_ERR_MEMORY;
        out[(*n_out)++] =
            (struct fanin_page_series){.name = name,
                                       .style = group->guide ? FANIN_PAGE_GUIDE : FANIN_PAGE_LINE,
                                       .n = group->n,
                                       .x = group->x,
                                       .y = group->y,
                                       .low = group->guide ? NULL : group->low,
                                       .high = group->guide ? NULL : group->high};
    }
    return FANIN_OK;
}

static enum fanin_status draw(const struct fi_drawing *d, const void *attrs,
                              struct fi_chosen *chosen) {
    const struct line *a = attrs;
    const int axis = fi_grid_axis(&d->study->parts[d->part], a->x);
    if (axis < 0)
        return fi_fail_at(d->study->ctx, d->mark, "plots: the grid has no axis '%.60s'", a->x);
    const int64_t most = chosen->n * (a->plot.figure.n + a->predicted.n);
    struct group *groups = fi_arena_alloc(d->arena, most, sizeof *groups);
    struct fanin_page_series *series = fi_arena_alloc(d->arena, most, sizeof *series);
    int64_t n = 0;
    int n_series = 0;
    if (!groups || !series) return FANIN_ERR_MEMORY;
    FI_TRY(add_figures(d, &a->plot.figure, false, chosen, axis, groups, &n));
    FI_TRY(add_figures(d, &a->predicted, true, chosen, axis, groups, &n));
    FI_TRY(make_series(d, a, chosen, axis, groups, n, series, &n_series));
    struct fanin_page_plot plot = {.title = fi_plot_title(d, &a->plot, chosen),
                                   .text = a->plot.text,
                                   .x_title = a->x_title ? a->x_title : a->x,
                                   .y_title = a->plot.y_title ? a->plot.y_title
                                                              : a->plot.figure.items[0].text,
                                   .x_scale = a->x_scale == 0   ? FANIN_PAGE_AUTO
                                              : a->x_scale == 1 ? FANIN_PAGE_LINEAR
                                                                : FANIN_PAGE_LOG,
                                   .series = series,
                                   .n_series = n_series};
    return n_series > 0 ? fi_plot_add(d, &a->plot, chosen, &plot) : FANIN_OK;
}

static const struct fanin_attr_spec specs[] = {
    FI_PLOT_SPECS(struct line),
    FI_ATTR_STRING(struct line, x, NULL, "the axis of the grid", FANIN_ATTR_REQUIRED),
    FI_ATTR_STRING(struct line, x_title, NULL, "default: the axis", FANIN_ATTR_NULLABLE),
    FI_ATTR_CHOICE(struct line, x_scale, 0, "auto|linear|log", "of the axis"),
    FI_ATTR_TEXTS(struct line, predicted, "figures to compare with, as thin lines"),
    FI_ATTR_END};

FI_RECORD(plot, line) = {.head = {.name = "line",
                                  .formula = "mean +- t(0.975, n - 1) s / sqrt(n) over an axis",
                                  .reference = "Student 1908",
                                  .help = "The last value of a figure over an axis of numbers.",
                                  .attrs = specs,
                                  .attrs_size = sizeof(struct line),
                                  .place = ""},
                         .draw = draw};
