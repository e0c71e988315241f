/* SPDX-License-Identifier: Apache-2.0 */
/* What plots share, see plot.h. */
#include "study/plot/plot.h"

#include <math.h>
#include <string.h>

#include "study/statistics.h"

static const struct fi_part_of *part_of(const struct fi_drawing *d) {
    return &d->study->parts[d->part];
}

bool fi_plot_matches(const char *pattern, const char *text) {
    const char *star = NULL, *resume = NULL;
    while (*text) {
        if (*pattern == '*') {
            star = ++pattern;
            resume = text;
        } else if (*pattern == '?' || *pattern == *text) {
            pattern++;
            text++;
        } else if (star) {
            pattern = star;
            text = ++resume;
        } else {
            return false;
        }
    }
    while (*pattern == '*') pattern++;
    return *pattern == '\0';
}

/* ---- conditions ---------------------------------------------------------------------------------------- */

static enum fanin_status find_axis(const struct fi_drawing *d, const char *name, int *axis) {
    const struct fi_part_of *part = part_of(d);
    const char *names[16];
    *axis = fi_grid_axis(part, name);
    if (*axis >= 0) return FANIN_OK;
    for (int i = 0; i < part->n_axes; i++) names[i] = part->axes[i].name;
    const char *near = fanin_nearest(name, names, part->n_axes);
    return fi_fail_at(d->study->ctx, d->mark, "plots: the grid has no axis '%.60s'%s%s%s", name,
                      near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

/* Is `name` one of the words of "a, b, c"? */
static bool listed(const char *words, const char *name) {
    const size_t length = strlen(name);
    for (const char *p = words; *p;) {
        p += strspn(p, ", ");
        const size_t n = strcspn(p, ",");
        size_t end = n;
        while (end > 0 && p[end - 1] == ' ') end--;
        if (end == length && memcmp(p, name, length) == 0) return true;
        p += n;
    }
    return false;
}

static enum fanin_status is_shown(const struct fi_drawing *d, const struct fi_plot_attrs *a,
                                  int64_t condition, bool *shown) {
    const struct fi_part_of *part = part_of(d);
    *shown = !fi_grid_left_out(part, condition);
    for (int64_t i = 0; i < a->only.n && *shown; i++) {
        int axis;
        FI_TRY(find_axis(d, a->only.items[i].name, &axis));
        const int level = fi_grid_level(part, condition, axis);
        *shown = listed(a->only.items[i].text, part->axes[axis].levels[level].name);
    }
    return FANIN_OK;
}

/* Axes on which the conditions differ. */
static unsigned differing(const struct fi_part_of *part, const struct fi_chosen *c) {
    unsigned axes = 0;
    for (int i = 0; i < part->n_axes; i++)
        for (int64_t k = 1; k < c->n; k++)
            if (fi_grid_level(part, c->conditions[k], i) !=
                fi_grid_level(part, c->conditions[0], i))
                axes |= 1u << i;
    return axes;
}

/* Do two conditions stand in one plot? */
static bool together(const struct fi_part_of *part, unsigned each, int64_t a, int64_t b) {
    for (int i = 0; i < part->n_axes; i++)
        if (each >> i & 1u && fi_grid_level(part, a, i) != fi_grid_level(part, b, i)) return false;
    return true;
}

enum fanin_status fi_plot_choose(const struct fi_drawing *d, const struct fi_plot_attrs *a,
                                 struct fi_chosen **out, int64_t *n) {
    const struct fi_part_of *part = part_of(d);
    unsigned each = 0;
    int64_t cap = 0;
    *out = NULL;
    *n = 0;
    for (int64_t i = 0; i < a->each.n; i++) {
        int axis;
        FI_TRY(find_axis(d, a->each.items[i].text, &axis));
        each |= 1u << axis;
    }
    for (int64_t c = 0; c < part->conditions; c++) {
        struct fi_chosen *mine = NULL;
        bool shown;
        FI_TRY(is_shown(d, a, c, &shown));
        if (!shown) continue;
        for (int64_t k = 0; k < *n && !mine; k++)
            if (together(part, each, (*out)[k].conditions[0], c)) mine = &(*out)[k];
        if (!mine) {
            FI_TRY(fi_arena_grow(d->arena, (void **)out, &cap, *n + 1, sizeof **out));
            mine = &(*out)[(*n)++];
            mine->n = 0;
            mine->conditions = fi_arena_alloc(d->arena, part->conditions, sizeof(int64_t));
            mine->name = fi_grid_name(d->arena, part, c, each);
            if (!mine->conditions || !mine->name) return FANIN_ERR_MEMORY;
        }
        mine->conditions[mine->n++] = c;
    }
    for (int64_t k = 0; k < *n; k++) (*out)[k].named = differing(part, &(*out)[k]) & ~each;
    return FANIN_OK;
}

/* ---- figures ---------------------------------------------------------------------------------------------- */

enum fanin_status fi_plot_figure(const struct fi_drawing *d, const char *text,
                                 struct fi_figure_name *out) {
    const char *open = strchr(text, '[');
    const size_t length = strlen(text);
    *out = (struct fi_figure_name){text, ""};
    if (!open) return FANIN_OK;
    if (length < 1 || text[length - 1] != ']')
        return fi_fail_at(d->study->ctx, d->mark, "plots: figure '%.80s': ']' is missing", text);
    out->name = fi_arena_printf(d->arena, "%.*s", (int)(open - text), text);
    out->where = fi_arena_printf(d->arena, "%.*s", (int)(text + length - 1 - open - 1), open + 1);
    return out->name && out->where ? FANIN_OK : FANIN_ERR_MEMORY;
}

enum fanin_status fi_plot_curves(const struct fi_drawing *d, int64_t condition, const char *name,
                                 const char *where, struct fi_curves *out) {
    const struct fi_part_of *part = part_of(d);
    out->seeds = part->seeds;
    out->n = fi_arena_alloc(d->arena, part->seeds, sizeof *out->n);
    out->steps = fi_arena_alloc(d->arena, part->seeds, sizeof *out->steps);
    out->values = fi_arena_alloc(d->arena, part->seeds, sizeof *out->values);
    if (!out->n || !out->steps || !out->values) return FANIN_ERR_MEMORY;
    for (int64_t k = 0; k < part->seeds; k++) {
        const struct fi_study_run *run = &part->runs[condition * part->seeds + k];
        if (run->state != FI_RUN_DONE) continue;
        FI_TRY(fi_store_series(d->study, d->arena, run->id, name, where, &out->steps[k],
                               &out->values[k], &out->n[k]));
    }
    return FANIN_OK;
}

enum fanin_status fi_plot_last(const struct fi_drawing *d, int64_t condition, const char *name,
                               const char *where, double *out) {
    struct fi_curves curves;
    FI_TRY(fi_plot_curves(d, condition, name, where, &curves));
    for (int64_t k = 0; k < curves.seeds; k++)
        out[k] = curves.n[k] > 0 ? curves.values[k][curves.n[k] - 1] : NAN;
    return FANIN_OK;
}

enum fanin_status fi_plot_wheres(const struct fi_drawing *d, int64_t condition, const char *name,
                                 const char *pattern, const char ***out, int64_t *n) {
    const struct fi_part_of *part = part_of(d);
    *out = NULL;
    *n = 0;
    for (int64_t k = 0; k < part->seeds && *n == 0; k++) {
        const struct fi_study_run *run = &part->runs[condition * part->seeds + k];
        if (run->state == FI_RUN_DONE)
            FI_TRY(fi_store_wheres(d->study, d->arena, run->id, name, out, n));
    }
    int64_t kept = 0;
    for (int64_t i = 0; i < *n; i++)
        if (!pattern || fi_plot_matches(pattern, (*out)[i])) (*out)[kept++] = (*out)[i];
    *n = kept;
    return FANIN_OK;
}

enum fanin_status fi_plot_seeds(const struct fi_drawing *d, const double *values, int64_t n,
                                struct fi_seeds *out) {
    struct fi_summary s;
    double *finite = fi_arena_alloc(d->arena, n, sizeof *finite);
    *out = (struct fi_seeds){.least = NAN, .most = NAN};
    if (!finite) return FANIN_ERR_MEMORY;
    for (int64_t i = 0; i < n; i++) {
        if (!isfinite(values[i])) continue;
        out->least = out->n == 0 || values[i] < out->least ? values[i] : out->least;
        out->most = out->n == 0 || values[i] > out->most ? values[i] : out->most;
        finite[out->n++] = values[i];
    }
    fi_summarize(&s, finite, out->n, 0.95);
    out->mean = s.mean;
    out->sd = s.sd;
    out->low = s.n > 1 ? s.low : s.mean;
    out->high = s.n > 1 ? s.high : s.mean;
    return FANIN_OK;
}

/* ---- words ---------------------------------------------------------------------------------------------------- */

const char *fi_plot_title(const struct fi_drawing *d, const struct fi_plot_attrs *a,
                          const struct fi_chosen *chosen) {
    const char *title = a->title ? a->title : a->figure.items[0].text;
    return *chosen->name ? fi_arena_printf(d->arena, "%s: %s", title, chosen->name) : title;
}

const char *fi_plot_label(const struct fi_drawing *d, const struct fi_plot_attrs *a,
                          const struct fi_chosen *chosen, int64_t condition, int64_t figure) {
    const char *name = fi_grid_name(d->arena, part_of(d), condition, chosen->named);
    const char *of = a->figure.items[figure].text;
    if (!name || a->figure.n < 2) return name && !*name ? of : name;
    return *name ? fi_arena_printf(d->arena, "%s, %s", name, of) : of;
}

enum fanin_status fi_plot_add(const struct fi_drawing *d, const struct fi_plot_attrs *a,
                              const struct fi_chosen *chosen, struct fanin_page_plot *plot) {
    static const enum fanin_page_scale scales[] = {FANIN_PAGE_AUTO, FANIN_PAGE_LINEAR,
                                                   FANIN_PAGE_LOG};
    plot->title = fi_plot_title(d, a, chosen);
    plot->text = a->text;
    plot->y_title = a->y_title ? a->y_title : a->figure.items[0].text;
    plot->y_scale = scales[a->scale];
    if (!plot->title) return FANIN_ERR_MEMORY;
    fanin_page_add_plot(d->page, plot);
    return FANIN_OK;
}
