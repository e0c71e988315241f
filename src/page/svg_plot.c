/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plot as a picture: title, legend, axes and the series. The legend stands above the frame, so it
 * never covers data; the frame begins where the widest number of the axis ends.
 */
#include <math.h>
#include <string.h>

#include "page/svg_series.h"

#define FRAME_HEIGHT 280.0
#define SWATCH 36.0 /* with its gap to the name */
#define MARGIN 16.0

struct plot {
    const struct fanin_page_plot *from;
    struct fi_arena arena;
    bool log_x, log_y;
    struct fi_curve *curves;
    int n;
    struct fi_frame frame;
    struct fi_svg_title title;
    struct fi_svg_labels labels;
    double legend_top, height;
};

/* ---- what can be drawn ------------------------------------------------------------------------------ */

static const struct fi_range none = {INFINITY, -INFINITY};

static double x_of(const struct fanin_page_series *s, int64_t k) {
    return s->x ? s->x[k] : (double)k;
}

static void decide_scales(struct plot *p) {
    struct fi_range x = none, y = none;
    for (int i = 0; i < p->from->n_series; i++) {
        const struct fanin_page_series *s = &p->from->series[i];
        for (int64_t k = 0; k < s->n; k++) {
            if (s->x) fi_range_take(&x, s->x[k]);
            fi_range_take(&y, s->y[k]);
        }
    }
    p->log_x = !p->from->labels && fi_wants_log(p->from->x_scale, &x);
    p->log_y = fi_wants_log(p->from->y_scale, &y);
}

static bool usable(double value, bool log) {
    return isfinite(value) && (!log || value > 0);
}

/* Points of one x beside each other, the same way each time: multiples of the golden ratio. */
static double beside(int64_t k) {
    const double turn = (double)k * 0.618034;
    return (turn - floor(turn) - 0.5) * 0.5;
}

/* The points of a series; of a line also its gaps. Returns how many are no gaps. */
static int64_t take_dots(const struct plot *p, const struct fanin_page_series *s,
                         struct fi_curve *curve) {
    const double past = (double)p->from->n_labels - 0.5;
    int64_t known = 0;
    for (int64_t k = 0; k < s->n; k++) {
        const double x = x_of(s, k), y = s->y[k];
        bool there = usable(x, p->log_x) && usable(y, p->log_y);
        if (p->from->labels && !(x > -0.5 && x < past)) there = false;
        if (!there && !fi_is_line(s->style)) continue;
        struct fi_dot *dot = &curve->dots[curve->n++];
        *dot = (struct fi_dot){0, NAN, NAN, NAN, 0};
        if (!there) continue;
        *dot = (struct fi_dot){x, y, s->low && isfinite(s->low[k]) ? s->low[k] : NAN,
                               s->high && isfinite(s->high[k]) ? s->high[k] : NAN, x};
        if (s->style == FANIN_PAGE_STRIP) dot->x += beside(known);
        if (s->style == FANIN_PAGE_STRIP && !usable(dot->x, p->log_x)) dot->x = x;
        known++;
    }
    return known;
}

static enum fanin_status take_curves(struct plot *p) {
    p->curves = fi_arena_alloc(&p->arena, p->from->n_series, sizeof *p->curves);
    if (!p->curves) return FANIN_ERR_MEMORY;
    bool more = false; /* than guides */
    for (int i = 0; i < p->from->n_series; i++) {
        const struct fanin_page_series *s = &p->from->series[i];
        struct fi_curve *curve = &p->curves[p->n];
        *curve = (struct fi_curve){.name = s->name, .style = s->style, .index = p->n};
        curve->dots = fi_arena_alloc(&p->arena, s->n, sizeof *curve->dots);
        if (!curve->dots) return FANIN_ERR_MEMORY;
        if (take_dots(p, s, curve) == 0) continue;
        more |= s->style != FANIN_PAGE_GUIDE;
        p->n++;
    }
    if (!more) p->n = 0;
    return FANIN_OK;
}

/* ---- axes and places -------------------------------------------------------------------------------- */

static void take_ranges(const struct plot *p, struct fi_range *x, struct fi_range *y, bool *whole) {
    *x = *y = none;
    *whole = true;
    for (int i = 0; i < p->n; i++)
        for (int64_t k = 0; k < p->curves[i].n; k++) {
            const struct fi_dot *d = &p->curves[i].dots[k];
            if (isnan(d->y)) continue;
            *whole &= d->group == floor(d->group);
            fi_range_take(x, d->x);
            fi_range_take(y, d->y);
            /* A bar that reaches down to 0 would take the whole of a logarithmic axis. */
            fi_range_take(y, p->log_y && d->low < d->y / 10 ? d->y / 10 : d->low);
            if (usable(d->high, p->log_y)) fi_range_take(y, d->high);
        }
}

static double widest_label(const struct fi_axis *axis) {
    double widest = 0;
    for (int i = 0; i < axis->n; i++) widest = FI_MAX(widest, fi_svg_width(axis->labels[i]));
    return widest;
}

static bool crowded(const struct fi_axis *axis, double width) {
    for (int i = 1; i < axis->n; i++) {
        const double gap = fi_axis_at(axis, axis->ticks[i]) - fi_axis_at(axis, axis->ticks[i - 1]);
        const double half = (fi_svg_width(axis->labels[i]) + fi_svg_width(axis->labels[i - 1])) / 2;
        if (gap * width < half + 14) return true;
    }
    return false;
}

static void fit_axes(struct plot *p) {
    struct fi_box *box = &p->frame.box;
    struct fi_range x, y;
    bool whole;
    take_ranges(p, &x, &y, &whole);
    fi_axis_fit(&p->frame.y, &y, p->log_y, false, p->log_y ? 6 : 5);
    box->left = MARGIN + (p->from->y_title ? 24 : 0) + widest_label(&p->frame.y) + 8;
    box->right = FI_SVG_WIDTH - 20;
    if (p->from->labels) {
        p->frame.x = (struct fi_axis){.low = -0.5, .high = (double)p->from->n_labels - 0.5};
        for (int again = 0; again < 2; again++) {
            const double slot = (box->right - box->left) / (double)p->from->n_labels;
            fi_svg_labels_fit(&p->labels, p->from->labels, p->from->n_labels, slot);
            box->left = FI_MAX(box->left, p->labels.left - slot / 2 + 4);
        }
        return;
    }
    for (int wanted = 8; wanted > 0; wanted--) {
        fi_axis_fit(&p->frame.x, &x, p->log_x, whole, wanted);
        if (!crowded(&p->frame.x, box->right - box->left)) break;
    }
    p->labels.height = FI_SVG_LINE + 4;
}

/* Places of the names; draws where out is there. Returns where the legend ends. */
static double legend(struct fi_text *out, const struct plot *p) {
    char name[FI_SVG_LABEL];
    double x = MARGIN, y = p->legend_top;
    if (p->n == 1 && !(p->curves[0].name && *p->curves[0].name)) return y;
    for (int i = 0; i < p->n; i++) {
        const struct fi_curve *curve = &p->curves[i];
        fi_svg_fit(name, curve->name, FI_SVG_WIDTH - 2 * MARGIN - SWATCH);
        const double width = SWATCH + fi_svg_width(name);
        if (i > 0 && x + width > FI_SVG_WIDTH - MARGIN) {
            x = MARGIN;
            y += FI_SVG_LINE + 3;
        }
        if (out) {
            fi_svg_swatch(out, curve, x, y + 11);
            fi_svg_text(out, "i", x + SWATCH, y + 16.5, name);
        }
        x += width + 18;
    }
    return y + FI_SVG_LINE + 9;
}

static void lay_out(struct plot *p) {
    struct fi_box *box = &p->frame.box;
    p->legend_top = fi_svg_title(&p->title, p->from->title);
    fit_axes(p);
    box->top = legend(NULL, p) + 6;
    box->bottom = box->top + FRAME_HEIGHT;
    p->height = box->bottom + p->labels.height + (p->from->x_title ? FI_SVG_LINE + 2 : 0) + 10;
}

/* ---- drawing ---------------------------------------------------------------------------------------- */

static void draw_grid(struct fi_text *out, const struct plot *p) {
    const struct fi_box *b = &p->frame.box;
    fi_text_add(out, "<path class=\"g\" d=\"");
    for (int i = 0; i < p->frame.y.n; i++) {
        const double at = fi_axis_at(&p->frame.y, p->frame.y.ticks[i]);
        fi_svg_go(out, 'M', b->left, b->bottom - at * (b->bottom - b->top));
        fi_text_add(out, "H");
        fi_svg_tenth(out, fi_svg_tenths(b->right));
    }
    for (int i = 0; i < p->frame.x.n; i++) {
        const double at = fi_axis_at(&p->frame.x, p->frame.x.ticks[i]);
        fi_svg_go(out, 'M', b->left + at * (b->right - b->left), b->top);
        fi_text_add(out, "V");
        fi_svg_tenth(out, fi_svg_tenths(b->bottom));
    }
    fi_text_add(out, "\"/>\n");
}

static void draw_axes(struct fi_text *out, const struct plot *p) {
    const struct fi_box *b = &p->frame.box;
    fi_text_add(out, "<path class=\"s0\" stroke=\"currentColor\" d=\"");
    fi_svg_go(out, 'M', b->left, b->top);
    fi_text_add(out, "V");
    fi_svg_tenth(out, fi_svg_tenths(b->bottom));
    fi_text_add(out, "H");
    fi_svg_tenth(out, fi_svg_tenths(b->right));
    fi_text_add(out, "\"/>\n");
    for (int i = 0; i < p->frame.y.n; i++) {
        const double at = fi_axis_at(&p->frame.y, p->frame.y.ticks[i]);
        fi_svg_text(out, "e", b->left - 8, b->bottom - at * (b->bottom - b->top) + 5.5,
                    p->frame.y.labels[i]);
    }
    for (int i = 0; i < p->frame.x.n; i++) {
        const double at = fi_axis_at(&p->frame.x, p->frame.x.ticks[i]);
        const double half = fi_svg_width(p->frame.x.labels[i]) / 2;
        const double x = b->left + at * (b->right - b->left);
        fi_svg_text(out, "m", FI_MIN(x, FI_SVG_WIDTH - 6 - half), b->bottom + FI_SVG_LINE,
                    p->frame.x.labels[i]);
    }
    if (p->from->labels)
        fi_svg_labels_draw(out, &p->labels, p->from->labels, p->from->n_labels, b->left,
                           (b->right - b->left) / (double)p->from->n_labels, b->bottom);
    fi_svg_axis_titles(out, b, p->from->x_title, p->height - 12, p->from->y_title);
}

static void describe(struct fi_text *out, const struct plot *p) {
    char low[FI_NUMBER_SIZE], high[FI_NUMBER_SIZE];
    if (p->from->text) fi_text_add(out, "%s ", p->from->text);
    for (int i = 0; i < p->n; i++) {
        const struct fi_curve *curve = &p->curves[i];
        struct fi_range range = none;
        long long known = 0;
        for (int64_t k = 0; k < curve->n; k++) {
            known += !isnan(curve->dots[k].y);
            fi_range_take(&range, curve->dots[k].y);
        }
        fi_number_told(low, range.low, 4);
        fi_number_told(high, range.high, 4);
        fi_text_add(out, "%s%s: %lld point%s from %s to %s", i ? "; " : "",
                    curve->name ? curve->name : "series", known, known == 1 ? "" : "s", low, high);
    }
    fi_text_add(out, ".");
}

static enum fanin_status draw(struct fi_text *out, const struct plot *p) {
    struct fi_text desc;
    fi_text_init(&desc, out->ctx);
    describe(&desc, p);
    fi_svg_begin(out, p->height, &p->title, p->from->title, desc.data);
    out->failed |= desc.failed;
    fi_text_free(&desc);
    (void)legend(out, p);
    draw_grid(out, p);
    for (int i = 0; i < p->n; i++) FI_TRY(fi_svg_band(out, &p->frame, &p->curves[i]));
    draw_axes(out, p);
    for (int i = 0; i < p->n; i++) FI_TRY(fi_svg_curve(out, &p->frame, &p->curves[i]));
    fi_svg_end(out);
    return out->failed ? FANIN_ERR_MEMORY : FANIN_OK;
}

enum fanin_status fi_svg_plot(struct fi_text *out, fanin_ctx *ctx,
                              const struct fanin_page_plot *plot) {
    struct plot p = {.from = plot};
    fi_arena_init(&p.arena, ctx);
    decide_scales(&p);
    enum fanin_status status = take_curves(&p);
    if (status == FANIN_OK && p.n > 0) {
        lay_out(&p);
        status = draw(out, &p);
    }
    fi_arena_free(&p.arena);
    return status;
}
