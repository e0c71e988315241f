/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A heat map: cividis (Nuñez, Anderton, Renslow, PLOS ONE 13(7), 2018), which looks nearly the same
 * to all kinds of colour vision, in LEVELS steps. Cells of one colour are one path, neighbours in a
 * row one stroke of it; a map of more cells than can be told apart is drawn in means of squares.
 */
#include <math.h>
#include <string.h>

#include "base/quote.h"
#include "page/svg.h"

#define LEVELS 64
#define MOST 72 /* cells across and down */
#define MARGIN 16.0
#define NAMED 14 /* columns up to which the values stand in the cells */

/* The same as web/heat.js. */
static const unsigned char ramp[][3] = {{0, 34, 78},     {42, 63, 109},   {87, 93, 109},
                                        {125, 124, 120}, {165, 157, 117}, {210, 193, 99},
                                        {254, 232, 56}};

struct map {
    const struct fanin_page_heat *from;
    struct fi_arena arena;
    int64_t columns, rows; /* drawn */
    int64_t across, down;  /* what one of them stands for */
    double *values;
    int *levels; /* -1: not known */
    struct fi_range range;
    struct fi_svg_title title;
    struct fi_svg_labels labels;
    struct fi_box box;
    double cell_width, cell_height, ramp_top, height;
    bool told; /* values stand in the cells */
};

/* ---- values ------------------------------------------------------------------------------------------ */

/* The mean of what is finite in the square; NaN: nothing is. */
static double mean_of(const struct map *m, int64_t row, int64_t column) {
    double mean = NAN, n = 0;
    const int64_t last_row = FI_MIN((row + 1) * m->down, m->from->n_rows);
    const int64_t last_column = FI_MIN((column + 1) * m->across, m->from->n_columns);
    for (int64_t r = row * m->down; r < last_row; r++)
        for (int64_t c = column * m->across; c < last_column; c++) {
            const double value = m->from->values[r * m->from->n_columns + c];
            if (!isfinite(value)) continue;
            n++;
            mean = n > 1 ? mean + (value / n - mean / n) : value;
        }
    return mean;
}

static enum fanin_status take_values(struct map *m) {
    const struct fanin_page_heat *heat = m->from;
    m->across = (heat->n_columns + MOST - 1) / MOST;
    m->down = (heat->n_rows + MOST - 1) / MOST;
    if (heat->n_columns <= 0 || heat->n_rows <= 0) return FANIN_OK;
    m->columns = (heat->n_columns + m->across - 1) / m->across;
    m->rows = (heat->n_rows + m->down - 1) / m->down;
    m->values = fi_arena_alloc(&m->arena, m->columns * m->rows, sizeof *m->values);
    m->levels = fi_arena_alloc(&m->arena, m->columns * m->rows, sizeof *m->levels);
    if (!m->values || !m->levels) return FANIN_ERR_MEMORY;
    for (int64_t i = 0; i < m->columns * m->rows; i++) {
        m->values[i] = mean_of(m, i / m->columns, i % m->columns);
        fi_range_take(&m->range, m->values[i]);
    }
    int exponent = 0; /* in its units nothing overflows */
    (void)frexp(FI_MAX(fabs(m->range.low), fabs(m->range.high)), &exponent);
    const double low = ldexp(m->range.low, -exponent);
    const double span = ldexp(m->range.high, -exponent) - low;
    for (int64_t i = 0; i < m->columns * m->rows; i++) {
        const double above = ldexp(m->values[i], -exponent) - low;
        m->levels[i] = -1;
        if (isfinite(m->values[i]))
            m->levels[i] = span > 0 ? (int)floor(above / span * (LEVELS - 1) + 0.5) : 0;
    }
    return FANIN_OK;
}

static void color_of(int level, int rgb[3]) {
    const double at = (double)level / (LEVELS - 1) * (FI_COUNT(ramp) - 1);
    const int k = FI_MIN((int)at, FI_COUNT(ramp) - 2);
    for (int c = 0; c < 3; c++)
        rgb[c] = (int)floor(ramp[k][c] + (at - k) * (ramp[k + 1][c] - ramp[k][c]) + 0.5);
}

static void add_color(struct fi_text *out, const char *attribute, int level) {
    int rgb[3];
    color_of(level, rgb);
    fi_text_add(out, " %s=\"#%02x%02x%02x\"", attribute, (unsigned)rgb[0], (unsigned)rgb[1],
                (unsigned)rgb[2]);
}

/* ---- places ----------------------------------------------------------------------------------------- */

static bool values_fit(const struct map *m) {
    char number[FI_NUMBER_SIZE];
    if (m->from->n_columns > NAMED || m->from->n_rows > MOST || m->cell_height < 20) return false;
    for (int64_t i = 0; i < m->columns * m->rows; i++) {
        fi_number_told(number, m->values[i], 2);
        if (fi_svg_width(number) * 14 / 16 > m->cell_width - 4) return false;
    }
    return true;
}

static double name_room(const struct map *m) {
    double widest = 0;
    for (int64_t r = 0; r < m->from->n_rows; r++)
        widest = FI_MAX(widest, fi_svg_width(m->from->rows[r]));
    return FI_MIN(widest, 160);
}

static void lay_out(struct map *m) {
    const struct fanin_page_heat *heat = m->from;
    struct fi_box *box = &m->box;
    m->ramp_top = fi_svg_title(&m->title, heat->title) + 2;
    const bool dashed = heat->boundary && heat->boundary_title;
    box->top = m->ramp_top + (dashed ? 2 : 1) * (FI_SVG_LINE + 4) + 8;
    box->left = MARGIN + (heat->y_title ? 24 : 0) + name_room(m) + 8;
    box->right = FI_SVG_WIDTH - MARGIN;
    for (int again = 0; again < 2; again++) {
        const double slot = (box->right - box->left) / (double)heat->n_columns;
        fi_svg_labels_fit(&m->labels, heat->columns, heat->n_columns, slot);
        box->left = FI_MAX(box->left, m->labels.left - slot / 2 + 4);
    }
    m->cell_width = (box->right - box->left) / (double)m->columns;
    m->cell_height = FI_MIN(FI_MAX(360.0 / (double)m->rows, 5), 34);
    m->told = values_fit(m);
    box->bottom = box->top + m->cell_height * (double)m->rows;
    m->height = box->bottom + m->labels.height + (heat->x_title ? FI_SVG_LINE + 2 : 0) + 10;
}

/* ---- drawing ---------------------------------------------------------------------------------------- */

/* The colours as a bar between the least and the largest value, and what the dashed line is. */
static void draw_ramp(struct fi_text *out, const struct map *m) {
    enum { STEPS = 32, BAR = 176 };
    char number[FI_NUMBER_SIZE], title[FI_SVG_LABEL];
    const double y = m->ramp_top + 16;
    double x = MARGIN;
    if (m->from->value_title) {
        fi_svg_fit(title, m->from->value_title, 300);
        fi_svg_text(out, "i", x, y, title);
        x += fi_svg_width(title) + 16;
    }
    fi_number_told(number, m->range.low, 3);
    x += fi_svg_width(number);
    fi_svg_text(out, "e", x, y, number);
    x += 8;
    fi_text_add(out, "<g stroke-width=\"14\">");
    for (int i = 0; i < STEPS; i++) {
        const double from = x + (double)BAR * i / STEPS;
        fi_text_add(out, "<path");
        add_color(out, "stroke", i * (LEVELS - 1) / (STEPS - 1));
        fi_text_add(out, " d=\"");
        fi_svg_go(out, 'M', from, y - 5);
        fi_text_add(out, "h%s\"/>", i + 1 < STEPS ? "6" : "5.5"); /* a little over the next */
    }
    fi_text_add(out, "</g>\n");
    fi_number_told(number, m->range.high, 3);
    fi_svg_text(out, "", x + BAR + 8, y, number);
    if (!m->from->boundary || !m->from->boundary_title) return;
    fi_svg_fit(title, m->from->boundary_title, FI_SVG_WIDTH - 2 * MARGIN - 40);
    fi_text_add(out, "<path class=\"s0\" stroke=\"currentColor\" stroke-width=\"2\" "
                     "stroke-dasharray=\"5 3\" d=\"");
    fi_svg_go(out, 'M', MARGIN, y + FI_SVG_LINE - 1);
    fi_text_add(out, "h28\"/>\n");
    fi_svg_text(out, "i", MARGIN + 36, y + FI_SVG_LINE + 4, title);
}

/* In units of cells, from the middle of the first row: a row is a stroke of width 1. */
static void draw_cells(struct fi_text *out, const struct map *m) {
    fi_text_add(out, "<g shape-rendering=\"crispEdges\" transform=\"translate(");
    fi_svg_tenth(out, fi_svg_tenths(m->box.left));
    fi_text_add(out, " ");
    fi_svg_tenth(out, fi_svg_tenths(m->box.top + m->cell_height / 2));
    char across[FI_NUMBER_SIZE], down[FI_NUMBER_SIZE];
    fi_number_fixed(across, m->cell_width, 4);
    fi_number_fixed(down, m->cell_height, 4);
    fi_text_add(out, ")scale(%s %s)\">\n", across, down);
    for (int level = 0; level < LEVELS; level++) {
        bool any = false;
        for (int64_t i = 0, run; i < m->columns * m->rows; i += run) {
            for (run = 1; (i + run) % m->columns && m->levels[i + run] == m->levels[i];) run++;
            if (m->levels[i] != level) continue;
            if (!any) {
                fi_text_add(out, "<path");
                add_color(out, "stroke", level);
                fi_text_add(out, " d=\"");
            }
            any = true;
            fi_text_add(out, "M%lld %lldh%lld", (long long)(i % m->columns),
                        (long long)(i / m->columns), (long long)run);
        }
        if (any) fi_text_add(out, "\"/>\n");
    }
    fi_text_add(out, "</g>\n");
}

static void draw_gaps(struct fi_text *out, const struct map *m) {
    if (m->cell_width < 12 || m->cell_height < 12) return;
    fi_text_add(out, "<path class=\"v\" d=\"");
    for (int64_t c = 1; c < m->columns; c++) {
        fi_svg_go(out, 'M', m->box.left + (double)c * m->cell_width, m->box.top);
        fi_text_add(out, "V");
        fi_svg_tenth(out, fi_svg_tenths(m->box.bottom));
    }
    for (int64_t r = 1; r < m->rows; r++) {
        fi_svg_go(out, 'M', m->box.left, m->box.top + (double)r * m->cell_height);
        fi_text_add(out, "H");
        fi_svg_tenth(out, fi_svg_tenths(m->box.right));
    }
    fi_text_add(out, "\"/>\n");
}

static void draw_values(struct fi_text *out, const struct map *m) {
    char number[FI_NUMBER_SIZE];
    if (!m->told) return;
    for (int64_t i = 0; i < m->columns * m->rows; i++) {
        int rgb[3] = {0};
        const int64_t row = i / m->columns, column = i % m->columns;
        const double x = m->box.left + ((double)column + 0.5) * m->cell_width;
        const double y = m->box.top + ((double)row + 0.5) * m->cell_height + 5;
        if (m->levels[i] >= 0) color_of(m->levels[i], rgb);
        const char *classes = m->levels[i] < 0 ? "n m" : rgb[1] > 120 ? "n m b" : "n m w";
        fi_number_told(number, m->values[i], 2);
        fi_svg_text(out, classes, x, y, number);
    }
}

static void draw_names(struct fi_text *out, const struct map *m) {
    const struct fanin_page_heat *heat = m->from;
    char name[FI_SVG_LABEL];
    const double slot = (m->box.bottom - m->box.top) / (double)heat->n_rows;
    const int64_t step = (int64_t)FI_MAX(ceil(18 / slot), 1);
    for (int64_t r = 0; r < heat->n_rows; r += step) {
        fi_svg_fit(name, heat->rows[r], name_room(m) + 1);
        fi_svg_text(out, "e", m->box.left - 8, m->box.top + ((double)r + 0.5) * slot + 5.5, name);
    }
    fi_svg_labels_draw(out, &m->labels, heat->columns, heat->n_columns, m->box.left,
                       (m->box.right - m->box.left) / (double)heat->n_columns, m->box.bottom);
    fi_svg_axis_titles(out, &m->box, heat->x_title, m->height - 12, heat->y_title);
}

/* White below, so that the dashes are seen on every colour. */
static void draw_boundary(struct fi_text *out, const struct map *m) {
    static const char *const strokes[] = {
        "stroke=\"#fff\" stroke-width=\"3.5\"",
        "stroke=\"#000\" stroke-width=\"2\" stroke-dasharray=\"5 3\""};
    const struct fanin_page_heat *heat = m->from;
    if (!heat->boundary) return;
    const double across = (m->box.right - m->box.left) / (double)heat->n_columns;
    const double down = (m->box.bottom - m->box.top) / (double)heat->n_rows;
    for (int s = 0; s < FI_COUNT(strokes); s++) {
        bool pen = false;
        fi_text_add(out, "<path %s stroke-linejoin=\"round\" d=\"", strokes[s]);
        for (int64_t c = 0; c < heat->n_columns; c++) {
            if (!isfinite(heat->boundary[c])) continue;
            const double y = m->box.top + (heat->boundary[c] + 0.5) * down;
            fi_svg_go(out, pen ? 'L' : 'M', m->box.left + ((double)c + 0.5) * across,
                      FI_MIN(FI_MAX(y, m->box.top), m->box.bottom));
            pen = true;
        }
        fi_text_add(out, "\"/>\n");
    }
}

static void describe(struct fi_text *out, const struct map *m) {
    char low[FI_NUMBER_SIZE], high[FI_NUMBER_SIZE];
    fi_number_told(low, m->range.low, 4);
    fi_number_told(high, m->range.high, 4);
    if (m->from->text) fi_text_add(out, "%s ", m->from->text);
    fi_text_add(out, "%lld rows and %lld columns, values from %s to %s", (long long)m->from->n_rows,
                (long long)m->from->n_columns, low, high);
    if (m->across > 1 || m->down > 1)
        fi_text_add(out, "; each cell is the mean of %lld × %lld", (long long)m->down,
                    (long long)m->across);
    fi_text_add(out, ".");
}

static enum fanin_status draw(struct fi_text *out, const struct map *m) {
    struct fi_text desc;
    fi_text_init(&desc, out->ctx);
    describe(&desc, m);
    fi_svg_begin(out, m->height, &m->title, m->from->title, desc.data);
    out->failed |= desc.failed;
    fi_text_free(&desc);
    draw_ramp(out, m);
    draw_cells(out, m);
    draw_gaps(out, m);
    draw_boundary(out, m);
    draw_values(out, m);
    draw_names(out, m);
    fi_svg_end(out);
    return out->failed ? FANIN_ERR_MEMORY : FANIN_OK;
}

enum fanin_status fi_svg_heat(struct fi_text *out, fanin_ctx *ctx,
                              const struct fanin_page_heat *heat) {
    struct map m = {.from = heat, .range = {INFINITY, -INFINITY}};
    fi_arena_init(&m.arena, ctx);
    enum fanin_status status = take_values(&m);
    if (status == FANIN_OK && m.range.low <= m.range.high) {
        lay_out(&m);
        status = draw(out, &m);
    }
    fi_arena_free(&m.arena);
    return status;
}
