/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Histograms as small pictures side by side, each with a scale of its own: what counts is their
 * shape. Where there are one or two, each is wide enough for an axis of round numbers.
 */
#include <math.h>
#include <string.h>

#include "page/axis.h"
#include "page/svg.h"

#define MARGIN 16.0
#define GAP 20.0

struct grid {
    int64_t n, columns;
    double top, width, bars; /* of a cell; of its bars the height */
    double row;              /* from one row to the next */
};

static struct grid grid_of(const struct fi_part_histograms *all, double top) {
    struct grid g = {.top = top};
    for (int64_t i = 0; i < all->n; i++) g.n += fi_counts_any(&all->items[i]);
    g.columns = g.n > 24 ? 5 : FI_MIN(g.n, 4);
    if (g.n == 0) return g;
    g.width = (FI_SVG_WIDTH - 2 * MARGIN - GAP * (double)(g.columns - 1)) / (double)g.columns;
    g.bars = g.columns == 1 ? 220 : g.columns == 2 ? 150 : 84;
    g.row = FI_SVG_LINE + g.bars + FI_SVG_LINE + 22;
    return g;
}

/* Its outline, the bars closed to the ground. Neighbours of one height are one step. */
static void draw_bars(struct fi_text *out, const struct fanin_page_histogram *h,
                      const struct fi_box *box) {
    int64_t most = 1;
    for (int64_t k = 0; k < h->n; k++) most = FI_MAX(most, h->counts[k]);
    const double slot = (box->right - box->left) / (double)h->n;
    long height = fi_svg_tenths(box->bottom);
    fi_text_add(out, "<path class=\"s1\" fill=\"currentColor\" d=\"");
    fi_svg_go(out, 'M', box->left, box->bottom);
    for (int64_t k = 0; k < h->n; k++) {
        const double share = (double)FI_MAX(h->counts[k], 0) / (double)most;
        const long to = fi_svg_tenths(box->bottom - share * (box->bottom - box->top));
        if (to != height) {
            if (k > 0) {
                fi_text_add(out, "H");
                fi_svg_tenth(out, fi_svg_tenths(box->left + (double)k * slot));
            }
            fi_text_add(out, "V");
            fi_svg_tenth(out, to);
        }
        height = to;
    }
    fi_text_add(out, "H");
    fi_svg_tenth(out, fi_svg_tenths(box->right));
    fi_text_add(out, "V");
    fi_svg_tenth(out, fi_svg_tenths(box->bottom));
    fi_text_add(out, "z\"/>\n");
}

/* The ground, and a stroke below it at each tick. */
static void draw_ground(struct fi_text *out, const struct fi_box *box, const double *ticks, int n) {
    fi_text_add(out, "<path class=\"s0\" stroke=\"currentColor\" d=\"");
    fi_svg_go(out, 'M', box->left, box->bottom);
    fi_text_add(out, "H");
    fi_svg_tenth(out, fi_svg_tenths(box->right));
    for (int i = 0; i < n; i++) {
        fi_svg_go(out, 'M', ticks[i], box->bottom);
        fi_text_add(out, "v4");
    }
    fi_text_add(out, "\"/>\n");
}

/* Names the ends, and 0 where it stands free between them. */
static void draw_ends(struct fi_text *out, const struct fanin_page_histogram *h,
                      const struct fi_box *box, const struct fi_axis *axis) {
    char low[FI_NUMBER_SIZE], high[FI_NUMBER_SIZE];
    const double y = box->bottom + 20, zero = fi_axis_at(axis, 0);
    const double at = box->left + zero * (box->right - box->left);
    fi_number_told(low, h->low, 2);
    fi_number_told(high, h->high, 2);
    fi_svg_text(out, "n", box->left, y, low);
    fi_svg_text(out, "n e", box->right, y, high);
    const bool free = h->high > h->low && zero > 0 && zero < 1;
    draw_ground(out, box, &at, free ? 1 : 0);
    if (free && at - box->left > fi_svg_width(low) + 12 &&
        box->right - at > fi_svg_width(high) + 12)
        fi_svg_text(out, "n m", at, y, "0");
}

static void draw_ticks(struct fi_text *out, const struct fi_box *box, const struct fi_axis *axis) {
    double at[FI_TICKS];
    for (int i = 0; i < axis->n; i++) {
        at[i] = box->left + fi_axis_at(axis, axis->ticks[i]) * (box->right - box->left);
        const double half = fi_svg_width(axis->labels[i]) / 2;
        const double x = FI_MIN(FI_MAX(at[i], half + 4), FI_SVG_WIDTH - 4 - half);
        fi_svg_text(out, "n m", x, box->bottom + 20, axis->labels[i]);
    }
    draw_ground(out, box, at, axis->n);
}

static void draw_one(struct fi_text *out, const struct fanin_page_histogram *h,
                     const struct grid *grid, int64_t place) {
    char name[FI_SVG_LABEL];
    struct fi_axis axis;
    struct fi_box box;
    const int64_t row = place / grid->columns, column = place % grid->columns;
    box.left = MARGIN + (double)column * (grid->width + GAP);
    box.right = box.left + grid->width;
    box.top = grid->top + (double)row * grid->row + FI_SVG_LINE;
    box.bottom = box.top + grid->bars;
    fi_svg_fit(name, h->name, grid->width);
    fi_svg_text(out, "i", box.left, box.top - 6, name);
    draw_bars(out, h, &box);
    fi_axis_fit_exactly(&axis, h->low, h->high, 5);
    if (grid->columns <= 2 && axis.n >= 2)
        draw_ticks(out, &box, &axis);
    else
        draw_ends(out, h, &box, &axis);
}

static void describe(struct fi_text *out, const struct fi_part_histograms *all) {
    char low[FI_NUMBER_SIZE], high[FI_NUMBER_SIZE];
    if (all->text) fi_text_add(out, "%s ", all->text);
    fi_text_add(out, "Each on a scale of its own:");
    const char *between = " ";
    for (int64_t i = 0; i < all->n; i++) {
        const struct fanin_page_histogram *h = &all->items[i];
        if (!fi_counts_any(h)) continue;
        fi_number_told(low, h->low, 2);
        fi_number_told(high, h->high, 2);
        fi_text_add(out, "%s%s from %s to %s", between, h->name ? h->name : "histogram", low, high);
        between = "; ";
    }
    fi_text_add(out, ".");
}

enum fanin_status fi_svg_histograms(struct fi_text *out, fanin_ctx *ctx,
                                    const struct fi_part_histograms *all) {
    struct fi_svg_title title;
    struct fi_text desc;
    const struct grid grid = grid_of(all, fi_svg_title(&title, all->title) + 4);
    if (grid.n == 0) return FANIN_OK;
    const int64_t rows = (grid.n + grid.columns - 1) / grid.columns;
    const double bottom = grid.top + grid.row * (double)rows;
    fi_text_init(&desc, ctx);
    describe(&desc, all);
    fi_svg_begin(out, bottom + (all->x_title ? 22 : 0), &title, all->title, desc.data);
    out->failed |= desc.failed;
    fi_text_free(&desc);
    int64_t place = 0;
    for (int64_t i = 0; i < all->n; i++)
        if (fi_counts_any(&all->items[i])) draw_one(out, &all->items[i], &grid, place++);
    const struct fi_box whole = {MARGIN, grid.top, FI_SVG_WIDTH - MARGIN, bottom};
    fi_svg_axis_titles(out, &whole, all->x_title, bottom + 8, NULL);
    fi_svg_end(out);
    return out->failed ? FANIN_ERR_MEMORY : FANIN_OK;
}
