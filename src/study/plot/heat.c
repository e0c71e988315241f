/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mean over the seeds of a figure's last value for each pair of two axes, as colours, and over
 * it the boundary that theory predicts: for each condition of x the y at which y = factor · figure.
 */
#include <math.h>

#include "study/plot/plot.h"

struct heat {
    struct fi_plot_attrs plot;
    const char *x, *y, *boundary, *boundary_title;
    double factor;
};

struct map {
    int x, y; /* axes */
    const struct fi_axis *columns, *rows;
    double *values, *bound; /* rows × columns; of the boundary's figure likewise */
};

/* The row that a value of the axis y passes, with a fraction between two rows; logarithmic, as
 * these axes are. Beyond the map: its edge, so that a line that leaves it is seen to. */
static double row_of(const struct fi_axis *rows, double y) {
    for (int r = 0; r + 1 < rows->n_levels; r++) {
        const double a = rows->levels[r].number, b = rows->levels[r + 1].number;
        const double low = a < b ? a : b, high = a < b ? b : a;
        if (!(y >= low && y <= high)) continue;
        const double at = low > 0 ? log(y / a) / log(b / a) : (y - a) / (b - a);
        return r + at;
    }
    const double first = rows->levels[0].number, last = rows->levels[rows->n_levels - 1].number;
    const double top = -0.5, bottom = rows->n_levels - 0.5;
    if (y > first && y > last) return last >= first ? bottom : top;
    if (y < first && y < last) return last >= first ? top : bottom;
    return NAN;
}

/* Down a column the figure may change with y (a deeper net has other scales): the first crossing
 * of y = factor · figure, or of its mean where it does not depend on y. */
static double boundary_of(const struct heat *a, const struct map *m, int column) {
    double sum = 0;
    int n = 0;
    for (int r = 0; r < m->rows->n_levels; r++) {
        const double figure = m->bound[r * m->columns->n_levels + column];
        if (isnan(figure)) continue;
        sum += figure;
        n++;
    }
    return n > 0 ? row_of(m->rows, a->factor * sum / n) : NAN;
}

static enum fanin_status fill(const struct fi_drawing *d, const struct heat *a,
                              const struct fi_chosen *chosen, struct map *m) {
    const struct fi_part_of *part = &d->study->parts[d->part];
    double *seeds = fi_arena_alloc(d->arena, part->seeds, sizeof *seeds);
    struct fi_figure_name shown, bound = {0};
    if (!seeds) return FANIN_ERR_MEMORY;
    FI_TRY(fi_plot_figure(d, a->plot.figure.items[0].text, &shown));
    if (a->boundary) FI_TRY(fi_plot_figure(d, a->boundary, &bound));
    for (int64_t i = 0; i < chosen->n; i++) {
        const int64_t c = chosen->conditions[i];
        const int64_t cell = (int64_t)fi_grid_level(part, c, m->y) * m->columns->n_levels +
                             fi_grid_level(part, c, m->x);
        struct fi_seeds s;
        FI_TRY(fi_plot_last(d, c, shown.name, shown.where, seeds));
        FI_TRY(fi_plot_seeds(d, seeds, part->seeds, &s));
        m->values[cell] = s.mean;
        if (!a->boundary) continue;
        FI_TRY(fi_plot_last(d, c, bound.name, bound.where, seeds));
        m->bound[cell] = seeds[0];
        FI_TRY(fi_plot_seeds(d, seeds, part->seeds, &s));
        if (s.n > 0) m->bound[cell] = s.mean;
    }
    return FANIN_OK;
}

static enum fanin_status names(const struct fi_drawing *d, const struct fi_axis *axis,
                               const char ***out) {
    *out = fi_arena_alloc(d->arena, axis->n_levels, sizeof **out);
    if (!*out) return FANIN_ERR_MEMORY;
    for (int i = 0; i < axis->n_levels; i++) (*out)[i] = axis->levels[i].name;
    return FANIN_OK;
}

static enum fanin_status draw_map(const struct fi_drawing *d, const struct heat *a, struct map *m,
                                  const struct fi_chosen *chosen) {
    const int64_t cells = (int64_t)m->columns->n_levels * m->rows->n_levels;
    const char **columns, **rows;
    double *boundary = fi_arena_alloc(d->arena, m->columns->n_levels, sizeof *boundary);
    m->values = fi_arena_alloc(d->arena, cells, sizeof *m->values);
    m->bound = fi_arena_alloc(d->arena, cells, sizeof *m->bound);
    if (!boundary || !m->values || !m->bound) return FANIN_ERR_MEMORY;
    for (int64_t i = 0; i < cells; i++) m->values[i] = m->bound[i] = NAN;
    FI_TRY(names(d, m->columns, &columns));
    FI_TRY(names(d, m->rows, &rows));
    FI_TRY(fill(d, a, chosen, m));
    for (int c = 0; c < m->columns->n_levels; c++) boundary[c] = boundary_of(a, m, c);
    const struct fanin_page_heat heat = {
        .title = fi_plot_title(d, &a->plot, chosen),
        .text = a->plot.text,
        .x_title = a->x,
        .y_title = a->y,
        .value_title = a->plot.y_title ? a->plot.y_title : a->plot.figure.items[0].text,
        .columns = columns,
        .rows = rows,
        .n_columns = m->columns->n_levels,
        .n_rows = m->rows->n_levels,
        .values = m->values,
        .boundary = a->boundary ? boundary : NULL,
        .boundary_title = a->boundary_title};
    fanin_page_add_heat(d->page, &heat);
    return FANIN_OK;
}

static enum fanin_status draw(const struct fi_drawing *d, const void *attrs,
                              struct fi_chosen *chosen) {
    const struct heat *a = attrs;
    const struct fi_part_of *part = &d->study->parts[d->part];
    struct map m = {.x = fi_grid_axis(part, a->x), .y = fi_grid_axis(part, a->y)};
    if (m.x < 0 || m.y < 0 || m.x == m.y)
        return fi_fail_at(d->study->ctx, d->mark,
                          "plots: a heat map needs two axes of the grid, and '%.60s', '%.60s' are "
                          "not",
                          a->x, a->y);
    m.columns = &part->axes[m.x];
    m.rows = &part->axes[m.y];
    return draw_map(d, a, &m, chosen);
}

static const struct fanin_attr_spec specs[] = {
    FI_PLOT_SPECS(struct heat),
    FI_ATTR_STRING(struct heat, x, NULL, "the axis from left to right", FANIN_ATTR_REQUIRED),
    FI_ATTR_STRING(struct heat, y, NULL, "the axis from top to bottom", FANIN_ATTR_REQUIRED),
    FI_ATTR_STRING(struct heat, boundary, NULL, "a figure: the line y = factor · figure",
                   FANIN_ATTR_NULLABLE),
    FI_ATTR_STRING(struct heat, boundary_title, NULL, "what the line is", FANIN_ATTR_NULLABLE),
    FI_ATTR_REAL(struct heat, factor, 1, -1e30, 1e30, "of the boundary", 0),
    FI_ATTR_END};

FI_RECORD(plot, heat) = {.head = {.name = "heat",
                                  .formula = "mean over seeds for each pair of two axes",
                                  .reference = "definition",
                                  .help = "The last value of a figure over two axes, as colours.",
                                  .attrs = specs,
                                  .attrs_size = sizeof(struct heat),
                                  .place = ""},
                         .draw = draw};
