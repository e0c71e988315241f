/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The register tile: up to 12 × 32 numbers of a product stay in registers over all k.
 *
 * One function per height, direction and width, made of one inline function: gcc keeps the tile in
 * registers only where its size is a constant.
 */
#include "kernel/tile.h"

/* Columns of a register tile: 32 with AVX-512, else 16. */
#if FI_V_LANES == 16
#define TILE_COLS 32
#else
#define TILE_COLS 16
#endif
#define MAX_NV (TILE_COLS / FI_V_LANES)

static inline __attribute__((always_inline)) void
tile(const int mr, const int nv, const enum fi_direction direction, const struct fi_tile *t) {
    fi_v acc[FI_V_ROWS][MAX_NV];
    const int64_t a_row = direction == FI_BY_COL ? 1 : t->a_stride;
    const int64_t a_k = direction == FI_BY_COL ? t->a_stride : 1;
    const int64_t b_k = t->b_k, ldc = t->ldc;
    const int64_t fetch_step = t->fetch_step;
    fi_real *c = t->c;
#pragma GCC unroll 12
    for (int r = 0; r < mr; r++)
#pragma GCC unroll 16
        for (int v = 0; v < nv; v++)
            acc[r][v] = t->load ? fi_v_load(c + r * ldc + v * FI_V_LANES) : fi_v_zero();
    for (int64_t o = 0; o < t->ko; o++) {
        const fi_real *a = t->a + o * t->a_o;
        const fi_real *b = t->b + o * t->b_o;
        const char *fetch = t->fetch ? t->fetch[o] : (const char *)b;
        for (int64_t k = t->ki; k > 0; k--) {
            __builtin_prefetch(fetch, 0, 2);
            fetch += fetch_step;
            fi_v bv[MAX_NV];
#pragma GCC unroll 16
            for (int v = 0; v < nv; v++) bv[v] = fi_v_load(b + v * FI_V_LANES);
#pragma GCC unroll 12
            for (int r = 0; r < mr; r++) {
                fi_v s = fi_v_set(a[r * a_row]);
#pragma GCC unroll 16
                for (int v = 0; v < nv; v++) {
                    acc[r][v] = fi_v_fma(s, bv[v], acc[r][v]);
                    fi_v_pin(acc[r][v]);
                }
            }
            a += a_k;
            b += b_k;
        }
    }
#pragma GCC unroll 12
    for (int r = 0; r < mr; r++)
#pragma GCC unroll 16
        for (int v = 0; v < nv; v++) fi_v_store(c + r * ldc + v * FI_V_LANES, acc[r][v]);
}

/* One function per tile height, direction and width (half, full). */
typedef void (*tile_fn)(const struct fi_tile *);
#define HALF_NV (FI_LANES / FI_V_LANES)
#define TILE_FN(mr)                                                                                \
    static void row_half_##mr(const struct fi_tile *t) {                                           \
        tile(mr, HALF_NV, FI_BY_ROW, t);                                                           \
    }                                                                                              \
    static void row_full_##mr(const struct fi_tile *t) {                                           \
        tile(mr, MAX_NV, FI_BY_ROW, t);                                                            \
    }                                                                                              \
    static void col_half_##mr(const struct fi_tile *t) {                                           \
        tile(mr, HALF_NV, FI_BY_COL, t);                                                           \
    }                                                                                              \
    static void col_full_##mr(const struct fi_tile *t) {                                           \
        tile(mr, MAX_NV, FI_BY_COL, t);                                                            \
    }
#define TILE_ROW(mr)                                                                               \
    {                                                                                              \
        {row_half_##mr, row_full_##mr}, {                                                          \
            col_half_##mr, col_full_##mr                                                           \
        }                                                                                          \
    }
TILE_FN(1)
TILE_FN(2)
TILE_FN(3)
TILE_FN(4)
TILE_FN(5)
TILE_FN(6)
#if FI_V_ROWS == 12
TILE_FN(7)
TILE_FN(8)
TILE_FN(9)
TILE_FN(10)
TILE_FN(11)
TILE_FN(12)
#endif
static const tile_fn tiles[FI_V_ROWS][2][2] = {
    TILE_ROW(1), TILE_ROW(2), TILE_ROW(3), TILE_ROW(4),  TILE_ROW(5),  TILE_ROW(6),
#if FI_V_ROWS == 12
    TILE_ROW(7), TILE_ROW(8), TILE_ROW(9), TILE_ROW(10), TILE_ROW(11), TILE_ROW(12),
#endif
};

/* One tile; what is fetched moves on. */
static inline void run_tile(enum fi_direction direction, struct fi_tile *t, int64_t mr, bool full) {
    tiles[mr - 1][direction][full](t);
    for (int64_t o = 0; t->fetch && o < t->ko; o++) t->fetch[o] += t->fetch_step * t->ki;
}

/* Not in line: what is one tile needs none of these registers. */
static __attribute__((noinline)) void split_strip(enum fi_direction direction, struct fi_tile *t,
                                                  int64_t rows, int64_t width) {
    const unsigned n = ((unsigned)rows + FI_V_ROWS - 1) / FI_V_ROWS;
    const unsigned each = (unsigned)rows / n, longer = (unsigned)rows % n;
    const fi_real *a = t->a, *b = t->b;
    fi_real *c = t->c;
    const int64_t a_row = direction == FI_BY_COL ? 1 : t->a_stride;
    int64_t r0 = 0, mr;
    for (unsigned i = 0; i < n; i++, r0 += mr) {
        mr = each + (i < longer);
        for (int64_t col = 0; col < width; col += TILE_COLS) {
            t->a = a + r0 * a_row;
            t->b = b + col;
            t->c = c + r0 * t->ldc + col;
            run_tile(direction, t, mr, width - col >= TILE_COLS);
        }
    }
    t->a = a;
    t->b = b;
    t->c = c;
}

void fi_strip(enum fi_direction direction, struct fi_tile *t, int64_t rows, int64_t width) {
    if (rows <= FI_V_ROWS && width <= TILE_COLS)
        run_tile(direction, t, rows, width == TILE_COLS);
    else
        split_strip(direction, t, rows, width);
}

int64_t fi_fetch_spread(int64_t bytes, int64_t ks, int64_t rows, int64_t width) {
    const int64_t n = (rows + FI_V_ROWS - 1) / FI_V_ROWS * ((width + TILE_COLS - 1) / TILE_COLS);
    return (bytes + n * ks - 1) / (n * ks);
}

void fi_clear_lanes(fi_real *c, int64_t n, int64_t width, int64_t valid) {
    for (int64_t l = valid / FI_V_LANES * FI_V_LANES; l < width; l += FI_V_LANES) {
        const int keep = (int)FI_MAX(valid - l, 0);
        fi_real *lanes = c + l;
        for (int64_t r = 0; r < n; r++, lanes += width)
            fi_v_store(lanes, fi_v_first(fi_v_load(lanes), keep));
    }
}

void fi_turn_rows(const fi_real *x, int64_t ldx, int64_t rows, int64_t cols, fi_real *to,
                  int64_t width) {
    for (int64_t r = 0; r < width; r += 8)
        for (int64_t o = 0; o < cols; o += 8)
            fi_v_transpose8(x + r * ldx + o, ldx, rows - r, to + o * width + r, width, cols - o);
}

void fi_turn_panel(const fi_real *w, int64_t out, int64_t in, int64_t o0, int64_t o1, int64_t i0,
                   fi_real *to, int64_t width) {
    for (int64_t o = o0; o < o1; o += 8, to += 8 * width) {
        const int64_t lanes = fi_panel_width(out, o / FI_PANEL);
        const fi_real *from = w + o / FI_PANEL * FI_PANEL * in + i0 * lanes + o % FI_PANEL;
        for (int64_t i = 0; i < width; i += 8)
            fi_v_transpose8(from + i * lanes, lanes, in - i0 - i, to + i, width, o1 - o);
    }
}
