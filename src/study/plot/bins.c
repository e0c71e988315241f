/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Histograms that a probe gave, of the first seed of each condition: before training, after it, or
 * at all steps.
 */
#include <string.h>

#include "study/plot/plot.h"

struct bins {
    struct fi_plot_attrs plot;
    const char *where, *x_title;
    int at;
};

struct shown {
    struct fanin_page_histogram *items;
    int64_t n, cap;
};

static const struct fi_study_run *first_done(const struct fi_part_of *part, int64_t condition) {
    for (int64_t k = 0; k < part->seeds; k++)
        if (part->runs[condition * part->seeds + k].state == FI_RUN_DONE)
            return &part->runs[condition * part->seeds + k];
    return NULL;
}

static bool wanted(const struct bins *a, const struct fi_bins_row *row, int64_t last) {
    if (a->where && !fi_plot_matches(a->where, row->where)) return false;
    return a->at == 0 || (a->at == 1 && row->step == 0) || (a->at == 2 && row->step == last);
}

static enum fanin_status add_figure(const struct fi_drawing *d, const struct bins *a,
                                    const struct fi_chosen *chosen, int64_t condition,
                                    int64_t figure, struct shown *out) {
    const struct fi_part_of *part = &d->study->parts[d->part];
    const struct fi_study_run *run = first_done(part, condition);
    struct fi_bins_row *rows;
    int64_t n, last = 0;
    if (!run) return FANIN_OK;
    FI_TRY(
        fi_store_bins(d->study, d->arena, run->id, a->plot.figure.items[figure].text, &rows, &n));
    for (int64_t i = 0; i < n; i++) last = FI_MAX(last, rows[i].step);
    const char *label = fi_plot_label(d, &a->plot, chosen, condition, figure);
    for (int64_t i = 0; i < n && label; i++) {
        if (!wanted(a, &rows[i], last)) continue;
        FI_TRY(fi_arena_grow(d->arena, (void **)&out->items, &out->cap, out->n + 1,
                             sizeof *out->items));
        struct fanin_page_histogram *h = &out->items[out->n++];
        h->name =
            fi_arena_printf(d->arena, "%s%s%s%s", label, *rows[i].where ? ", " : "", rows[i].where,
                            last == 0 || a->at != 0 ? ""
                            : rows[i].step == 0     ? ", before"
                                                    : ", after");
        h->low = rows[i].low;
        h->high = rows[i].high;
        h->counts = rows[i].counts;
        h->n = rows[i].n;
        if (!h->name) return FANIN_ERR_MEMORY;
    }
    return label ? FANIN_OK : FANIN_ERR_MEMORY;
}

static enum fanin_status draw(const struct fi_drawing *d, const void *attrs,
                              struct fi_chosen *chosen) {
    const struct bins *a = attrs;
    struct shown shown = {0};
    for (int64_t k = 0; k < chosen->n; k++)
        for (int64_t f = 0; f < a->plot.figure.n; f++)
            FI_TRY(add_figure(d, a, chosen, chosen->conditions[k], f, &shown));
    const char *title = fi_plot_title(d, &a->plot, chosen);
    if (!title) return FANIN_ERR_MEMORY;
    if (shown.n > 0)
        fanin_page_add_histograms(d->page, title, a->plot.text, a->x_title, shown.items, shown.n);
    return FANIN_OK;
}

static const struct fanin_attr_spec specs[] = {
    FI_PLOT_SPECS(struct bins),
    FI_ATTR_STRING(struct bins, where, NULL, "places to show, a pattern: dense*",
                   FANIN_ATTR_NULLABLE),
    FI_ATTR_STRING(struct bins, x_title, NULL, "what is counted", FANIN_ATTR_NULLABLE),
    FI_ATTR_CHOICE(struct bins, at, 0, "all|start|end", "which looks"), FI_ATTR_END};

FI_RECORD(plot, bins) = {.head = {.name = "bins",
                                  .formula = "counts of equal bins",
                                  .reference = "definition",
                                  .help = "Histograms that a probe gave, of the first seed.",
                                  .attrs = specs,
                                  .attrs_size = sizeof(struct bins),
                                  .place = ""},
                         .draw = draw};
