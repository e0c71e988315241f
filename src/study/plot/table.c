/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last values of figures as a table: a row for each condition, a column for each figure, mean ±
 * standard deviation over the seeds.
 */
#include <math.h>
#include <stdio.h>

#include "study/plot/plot.h"

struct table {
    struct fi_plot_attrs plot;
    struct fanin_texts columns;
};

static const char *cell(const struct fi_drawing *d, const struct fi_seeds *s) {
    if (s->n == 0) return "";
    if (s->n == 1 || s->sd == 0) return fi_arena_printf(d->arena, "%.4g", s->mean);
    return fi_arena_printf(d->arena, "%.4g ± %.2g", s->mean, s->sd);
}

static enum fanin_status fill_row(const struct fi_drawing *d, const struct table *a,
                                  const struct fi_chosen *chosen, int64_t condition,
                                  struct fanin_page_cell *cells) {
    const struct fi_part_of *part = &d->study->parts[d->part];
    double *values = fi_arena_alloc(d->arena, part->seeds, sizeof *values);
    int64_t most = 0;
    if (!values) return FANIN_ERR_MEMORY;
    cells[0].text = fi_grid_name(d->arena, part, condition, chosen->named);
    for (int64_t f = 0; f < a->plot.figure.n; f++) {
        struct fi_figure_name figure;
        struct fi_seeds s;
        FI_TRY(fi_plot_figure(d, a->plot.figure.items[f].text, &figure));
        FI_TRY(fi_plot_last(d, condition, figure.name, figure.where, values));
        FI_TRY(fi_plot_seeds(d, values, part->seeds, &s));
        cells[1 + f].text = cell(d, &s);
        most = FI_MAX(most, s.n);
        if (!cells[1 + f].text) return FANIN_ERR_MEMORY;
    }
    cells[1 + a->plot.figure.n].number = (double)most;
    return cells[0].text ? FANIN_OK : FANIN_ERR_MEMORY;
}

static enum fanin_status draw(const struct fi_drawing *d, const void *attrs,
                              struct fi_chosen *chosen) {
    const struct table *a = attrs;
    const int64_t width = a->plot.figure.n + 2;
    struct fanin_page_cell *cells = fi_arena_alloc(d->arena, chosen->n * width, sizeof *cells);
    const char **columns = fi_arena_alloc(d->arena, width, sizeof *columns);
    if (!cells || !columns) return FANIN_ERR_MEMORY;
    columns[0] = "condition";
    for (int64_t f = 0; f < a->plot.figure.n; f++)
        columns[1 + f] = f < a->columns.n ? a->columns.items[f].text : a->plot.figure.items[f].text;
    columns[width - 1] = "n";
    for (int64_t i = 0; i < chosen->n; i++)
        FI_TRY(fill_row(d, a, chosen, chosen->conditions[i], cells + i * width));
    const struct fanin_page_table table = {.title = fi_plot_title(d, &a->plot, chosen),
                                           .columns = columns,
                                           .n_columns = (int)width,
                                           .cells = cells,
                                           .n_rows = chosen->n};
    fanin_page_add_table(d->page, &table);
    if (a->plot.text) fanin_page_add_text(d->page, a->plot.text);
    return FANIN_OK;
}

static const struct fanin_attr_spec specs[] = {
    FI_PLOT_SPECS(struct table),
    FI_ATTR_TEXTS(struct table, columns, "their heads; default: the figures"), FI_ATTR_END};

FI_RECORD(plot, table) = {.head = {.name = "table",
                                   .formula = "mean +- s over the seeds",
                                   .reference = "definition",
                                   .help = "The last values of figures, a row for each condition.",
                                   .attrs = specs,
                                   .attrs_size = sizeof(struct table),
                                   .place = ""},
                          .draw = draw};
