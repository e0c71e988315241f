/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Series as paths (svg_series.h): one path a series, its points as marks of some ten bytes each.
 * More points than can be told apart are thinned so that the picture stays what it was: of each
 * stretch of a line the first, last, lowest and highest (M4: Jugel et al., VLDB 7(10), 2014), of a
 * cloud one of those that cover each other, so that none which stands alone is lost.
 */
#include "page/svg_series.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The same as web/plot.js draws. Drawn from where the path is: a dot of no length has round ends.
 */
static const struct mark {
    const char *path, *attributes;
} marks[FI_SVG_SERIES] = {
    {"h0", "stroke-width=\"8\" stroke-linecap=\"round\""},
    {"m-3.5-3.5h7v7h-7z", NULL},
    {"m0-4.8l4.8 8.4h-9.6z", NULL},
    {"m0-5l5 5-5 5-5-5z", NULL},
    {"m-4.5 0h9m-4.5-4.5v9m-3.2-7.7l6.4 6.4m0-6.4l-6.4 6.4", "stroke-width=\"1.5\""},
    {"m-3.7-3.7l7.4 7.4m0-7.4l-7.4 7.4", "stroke-width=\"2\""},
    {"m-2.5-2.5h5v5h-5z", "fill=\"currentColor\" stroke-width=\"3\" stroke-linejoin=\"round\""},
    {"m-4.5 0h9m-4.5-4.5v9", "stroke-width=\"2\""},
};
static const char *const small_dot = "stroke-width=\"6\" stroke-linecap=\"round\"";
static const char *const dashes[] = {"", " stroke-dasharray=\"7 4\"", " stroke-dasharray=\"2 3\"",
                                     " stroke-dasharray=\"9 3 2 3\""};
#define GUIDE_DASH " stroke-dasharray=\"3 3\""

bool fi_is_line(enum fanin_page_style style) {
    return style == FANIN_PAGE_LINE || style == FANIN_PAGE_GUIDE;
}

/* ---- paths ------------------------------------------------------------------------------------------ */

static void open_path(struct fi_text *out, const struct fi_curve *curve, const char *attributes) {
    const int color = curve->style == FANIN_PAGE_GUIDE ? 0 : curve->index % FI_SVG_SERIES + 1;
    fi_text_add(out, "<path class=\"s%d\" %s d=\"", color, attributes);
}
static void close_path(struct fi_text *out) {
    fi_text_add(out, "\"/>\n");
}

static void open_marks(struct fi_text *out, const struct fi_curve *curve, bool many) {
    const struct mark *mark = &marks[curve->index % FI_SVG_SERIES];
    const char *faded = curve->style == FANIN_PAGE_STRIP ? " opacity=\".65\"" : "";
    char attributes[160] = "";
    if (mark->attributes) {
        strcpy(attributes, mark == marks && many ? small_dot : mark->attributes);
        strcat(attributes, " stroke=\"currentColor\"");
    } else {
        strcpy(attributes, "fill=\"currentColor\"");
    }
    strcat(attributes, faded);
    open_path(out, curve, attributes);
}
static void open_line(struct fi_text *out, const struct fi_curve *curve) {
    char attributes[160] = "stroke=\"currentColor\" stroke-linejoin=\"round\" stroke-width=\"";
    const bool guide = curve->style == FANIN_PAGE_GUIDE;
    strcat(attributes, guide ? "1.5\"" : "2\"");
    strcat(attributes, guide ? GUIDE_DASH : dashes[curve->index % FI_COUNT(dashes)]);
    open_path(out, curve, attributes);
}
static void open_rings(struct fi_text *out, const struct fi_curve *curve) {
    open_path(out, curve, "stroke=\"currentColor\" stroke-width=\"2.5\"");
}

static void add_mark(struct fi_text *out, const struct fi_curve *curve, double x, double y) {
    fi_svg_go(out, 'M', x, y);
    fi_text_add(out, "%s", marks[curve->index % FI_SVG_SERIES].path);
}
static void add_ring(struct fi_text *out, double x, double y, int radius) {
    fi_svg_go(out, 'M', x - radius, y);
    fi_text_add(out, "a%d %d 0 1 0 %d 0a%d %d 0 1 0-%d 0", radius, radius, 2 * radius, radius,
                radius, 2 * radius);
}

/* A line through places in tenths: the first absolute, the others from the one before, so that
 * nothing adds up. */
struct pen {
    struct fi_text *out;
    long x, y;
    bool down, begun;
};
static void draw_to(struct pen *pen, double x, double y) {
    const long to_x = fi_svg_tenths(x), to_y = fi_svg_tenths(y);
    const long dx = to_x - pen->x, dy = to_y - pen->y;
    if (!pen->down) {
        fi_svg_go(pen->out, 'M', x, y);
    } else if (dx != 0 || dy != 0) {
        fi_text_add(pen->out, "%s", !pen->begun ? "l" : dx >= 0 ? " " : "");
        fi_svg_tenth(pen->out, dx);
        if (dy >= 0) fi_text_add(pen->out, " ");
        fi_svg_tenth(pen->out, dy);
        pen->begun = true;
    }
    *pen = (struct pen){pen->out, to_x, to_y, true, pen->begun};
}

/* ---- from numbers to places ------------------------------------------------------------------------- */

static double clamp(double value, double low, double high) {
    return value < low ? low : value > high ? high : value;
}
static double place_x(const struct fi_frame *frame, double x) {
    const struct fi_box *b = &frame->box;
    return clamp(b->left + fi_axis_at(&frame->x, x) * (b->right - b->left), b->left, b->right);
}
static double place_y(const struct fi_frame *frame, double y) {
    const struct fi_box *b = &frame->box;
    if (isnan(y)) return NAN;
    return clamp(b->bottom - fi_axis_at(&frame->y, y) * (b->bottom - b->top), b->top, b->bottom);
}

static struct fi_dot *places_of(const struct fi_frame *frame, const struct fi_curve *curve,
                                struct fi_arena *arena) {
    struct fi_dot *places = fi_arena_alloc(arena, curve->n, sizeof *places);
    for (int64_t i = 0; places && i < curve->n; i++) {
        const struct fi_dot *d = &curve->dots[i];
        places[i] = (struct fi_dot){place_x(frame, d->x), place_y(frame, d->y),
                                    place_y(frame, d->low), place_y(frame, d->high), d->group};
    }
    return places;
}

/* ---- thinning --------------------------------------------------------------------------------------- */

/* Of dots[0, n): first, last, lowest, highest, with the whole band's ends. Returns how many. */
static int64_t four_of(const struct fi_dot *dots, int64_t n, struct fi_dot *out) {
    int64_t keep[4] = {0, 0, 0, n - 1}, kept = 0;
    double low = dots[0].low, high = dots[0].high;
    for (int64_t i = 1; i < n; i++) {
        if (dots[i].y < dots[keep[1]].y) keep[1] = i;
        if (dots[i].y > dots[keep[2]].y) keep[2] = i;
        low = dots[i].low > low || isnan(dots[i].low) ? dots[i].low : low;
        high = dots[i].high < high || isnan(dots[i].high) ? dots[i].high : high;
    }
    if (keep[1] > keep[2]) {
        const int64_t other = keep[1];
        keep[1] = keep[2];
        keep[2] = other;
    }
    for (int k = 0; k < 4; k++) {
        if (k > 0 && keep[k] == keep[k - 1]) continue;
        out[kept] = dots[keep[k]];
        out[kept].low = low;
        out[kept++].high = high;
    }
    return kept;
}

/* Thins a line without gaps in place to about `most`. */
static int64_t thin_line(struct fi_dot *dots, int64_t n, int64_t most) {
    const int64_t stretches = FI_MAX(most / 4, 1);
    struct fi_dot four[4];
    int64_t kept = 0;
    if (n <= FI_MAX(most, 4)) return n;
    for (int64_t b = 0; b < stretches; b++) {
        const int64_t from = n / stretches * b + FI_MIN(b, n % stretches);
        const int64_t count = n / stretches + (b < n % stretches);
        const int64_t of = four_of(dots + from, count, four);
        memcpy(dots + kept, four, (size_t)of * sizeof *four);
        kept += of;
    }
    return kept;
}

/* Keeps one of the dots in each cell, with the smallest cells that leave few enough. */
static enum fanin_status thin_cloud(struct fi_dot *dots, int64_t *n, struct fi_arena *arena) {
    enum { SIDE = 512, CELLS = SIDE * SIDE }; /* of 1.5 units, then larger ones */
    enum { MOST = 2 * FI_SVG_POINTS };
    if (*n <= MOST) return FANIN_OK;
    int64_t *first = fi_arena_alloc(arena, CELLS, sizeof *first);
    if (!first) return FANIN_ERR_MEMORY;
    for (double size = 1.5;; size *= 1.4) {
        int64_t kept = 0;
        memset(first, 0, CELLS * sizeof *first);
        for (int64_t i = 0; i < *n; i++) {
            int64_t *cell =
                &first[(int)(dots[i].y / size) % SIDE * SIDE + (int)(dots[i].x / size) % SIDE];
            kept += *cell == 0;
            if (*cell == 0) *cell = i + 1;
        }
        if (kept > MOST && size < 24) continue;
        kept = 0;
        for (int64_t i = 0; i < *n; i++)
            if (first[(int)(dots[i].y / size) % SIDE * SIDE + (int)(dots[i].x / size) % SIDE] ==
                i + 1)
                dots[kept++] = dots[i];
        *n = kept;
        return FANIN_OK;
    }
}

/* ---- lines and bands -------------------------------------------------------------------------------- */

/* The next run without gaps at or behind *at: its length, thinned; 0: none is left. */
static int64_t next_run(struct fi_dot *dots, int64_t n, int64_t *at, int64_t *end) {
    while (*at < n && isnan(dots[*at].y)) ++*at;
    for (*end = *at; *end < n && !isnan(dots[*end].y);) ++*end;
    const int64_t length = *end - *at;
    const int64_t share =
        n > FI_SVG_POINTS ? (int64_t)((double)length / (double)n * FI_SVG_POINTS) : FI_SVG_POINTS;
    return thin_line(dots + *at, length, FI_MAX(share, 8));
}

static bool has_band(const struct fi_dot *dot) {
    return !isnan(dot->low) && !isnan(dot->high);
}

static void draw_band(struct fi_text *out, const struct fi_dot *dots, int64_t n) {
    for (int64_t from = 0, to; from < n; from = to + 1) {
        for (to = from; to < n && has_band(&dots[to]);) to++;
        if (to - from < 2) continue;
        struct pen pen = {.out = out};
        for (int64_t i = from; i < to; i++) draw_to(&pen, dots[i].x, dots[i].high);
        for (int64_t i = to; i-- > from;) draw_to(&pen, dots[i].x, dots[i].low);
        fi_text_add(out, "z");
    }
}

static void draw_line(struct fi_text *out, const struct fi_dot *dots, int64_t n) {
    struct pen pen = {.out = out};
    for (int64_t i = 0; i < n; i++) draw_to(&pen, dots[i].x, dots[i].y);
}

enum fanin_status fi_svg_band(struct fi_text *out, const struct fi_frame *frame,
                              const struct fi_curve *curve) {
    struct fi_arena arena;
    bool any = false;
    for (int64_t i = 0; i < curve->n; i++) any |= has_band(&curve->dots[i]);
    if (!any || curve->style != FANIN_PAGE_LINE) return FANIN_OK;
    fi_arena_init(&arena, out->ctx);
    struct fi_dot *places = places_of(frame, curve, &arena);
    if (places) {
        open_path(out, curve, "fill=\"currentColor\" opacity=\".18\"");
        int64_t at = 0, end, n;
        for (; (n = next_run(places, curve->n, &at, &end)) > 0; at = end)
            draw_band(out, places + at, n);
        close_path(out);
    }
    fi_arena_free(&arena);
    return places ? FANIN_OK : FANIN_ERR_MEMORY;
}

static void draw_lines(struct fi_text *out, const struct fi_curve *curve, struct fi_dot *places) {
    int64_t at = 0, end, n, alone = 0;
    open_line(out, curve);
    for (; (n = next_run(places, curve->n, &at, &end)) > 0; at = end) {
        if (n > 1) draw_line(out, places + at, n);
        alone += n == 1;
    }
    close_path(out);
    if (!alone || curve->style == FANIN_PAGE_GUIDE) return;
    open_marks(out, curve, false);
    for (at = 0; next_run(places, curve->n, &at, &end) > 0; at = end)
        if (end - at == 1) add_mark(out, curve, places[at].x, places[at].y);
    close_path(out);
}

/* ---- clouds ----------------------------------------------------------------------------------------- */

static void draw_bars(struct fi_text *out, const struct fi_curve *curve,
                      const struct fi_dot *places, int64_t n) {
    const bool ends = n <= 60; /* of many they would be a carpet */
    int64_t bars = 0;
    for (int64_t i = 0; i < n; i++) bars += has_band(&places[i]);
    if (bars == 0) return;
    open_path(out, curve, "stroke=\"currentColor\" stroke-width=\"1.5\"");
    for (int64_t i = 0; i < n; i++) {
        const struct fi_dot *d = &places[i];
        if (!has_band(d)) continue;
        fi_svg_go(out, 'M', d->x, d->low);
        fi_text_add(out, "V");
        fi_svg_tenth(out, fi_svg_tenths(d->high));
        if (!ends) continue;
        fi_text_add(out, "m-3 0h6");
        fi_svg_go(out, 'M', d->x - 3, d->low);
        fi_text_add(out, "h6");
    }
    close_path(out);
}

static int by_group(const void *a, const void *b) {
    const struct fi_dot *p = a, *q = b;
    if (p->group != q->group) return p->group < q->group ? -1 : 1;
    return (p->y > q->y) - (p->y < q->y);
}

/* The mean of the points at each x. */
static void draw_means(struct fi_text *out, const struct fi_frame *frame,
                       const struct fi_curve *curve) {
    qsort(curve->dots, (size_t)curve->n, sizeof *curve->dots, by_group);
    open_path(out, curve, "stroke=\"currentColor\" stroke-width=\"2.5\"");
    for (int64_t from = 0, to; from < curve->n; from = to) {
        const double group = curve->dots[from].group;
        double mean = 0;
        for (to = from; to < curve->n && curve->dots[to].group == group; to++)
            mean += (curve->dots[to].y - mean) / (double)(to - from + 1);
        fi_svg_go(out, 'M', place_x(frame, group - 0.3), place_y(frame, mean));
        fi_text_add(out, "H");
        fi_svg_tenth(out, fi_svg_tenths(place_x(frame, group + 0.3)));
    }
    close_path(out);
}

static enum fanin_status draw_cloud(struct fi_text *out, const struct fi_frame *frame,
                                    const struct fi_curve *curve, struct fi_dot *places,
                                    struct fi_arena *arena) {
    int64_t n = curve->n;
    FI_TRY(thin_cloud(places, &n, arena));
    if (curve->style == FANIN_PAGE_RINGS)
        open_rings(out, curve);
    else
        open_marks(out, curve, n > 40);
    for (int64_t i = 0; i < n; i++)
        if (curve->style == FANIN_PAGE_RINGS)
            add_ring(out, places[i].x, places[i].y, 9);
        else
            add_mark(out, curve, places[i].x, places[i].y);
    close_path(out);
    if (curve->style == FANIN_PAGE_DOTS) draw_bars(out, curve, places, n);
    if (curve->style == FANIN_PAGE_STRIP) draw_means(out, frame, curve);
    return FANIN_OK;
}

enum fanin_status fi_svg_curve(struct fi_text *out, const struct fi_frame *frame,
                               const struct fi_curve *curve) {
    struct fi_arena arena;
    enum fanin_status status = FANIN_ERR_MEMORY;
    fi_arena_init(&arena, out->ctx);
    struct fi_dot *places = places_of(frame, curve, &arena);
    if (places && fi_is_line(curve->style)) {
        draw_lines(out, curve, places);
        status = FANIN_OK;
    } else if (places) {
        status = draw_cloud(out, frame, curve, places, &arena);
    }
    fi_arena_free(&arena);
    return status;
}

/* ---- the legend's picture, 28 wide ------------------------------------------------------------------ */

void fi_svg_swatch(struct fi_text *out, const struct fi_curve *curve, double x, double y) {
    if (fi_is_line(curve->style)) {
        open_line(out, curve);
        fi_svg_go(out, 'M', x, y);
        fi_text_add(out, "h28");
    } else if (curve->style == FANIN_PAGE_RINGS) {
        open_rings(out, curve);
        add_ring(out, x + 14, y, 6);
    } else {
        open_marks(out, curve, false);
        add_mark(out, curve, x + 14, y);
    }
    close_path(out);
}
