/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The register tile that all dense products are made of (tile.c), and what they share.
 */
#ifndef FI_TILE_H
#define FI_TILE_H

#include "kernel/vector.h"

/* Inputs handled together in dx and dw: whole tiles of 12 and 6, whole cache lines. */
#define FI_IN_BLOCK 48

/* Pieces of fewer bytes belong to layers that stay in the caches: they are not fetched. */
#define FI_LEAST_FETCHED 4096

/* The most outer steps of a tile. */
#define FI_MAX_KO 8

/* What a product with weights (out, in) costs, in floating-point operations: weights that no cache
 * near a core holds take as long to read as some 15 rows to multiply. */
static inline double fi_product_cost(int64_t m, int64_t out, int64_t in) {
    const double weights = (double)out * (double)in, far = weights * sizeof(fi_real) > 1 << 20;
    return weights * (2.0 * (double)m + 30.0 * far);
}

/* c (rows × width, rows ldc apart) = or += Σ over ko × ki of a · b. a_stride is between rows or
 * between ks of a, b_k between ks of b; a_o and b_o are those of the outer loop. */
struct fi_tile {
    int64_t ko, ki;
    const fi_real *a;
    int64_t a_stride, a_o;
    const fi_real *b;
    int64_t b_k, b_o;
    fi_real *c;
    int64_t ldc;
    bool load; /* += */
    /* What to bring into the second-level cache meanwhile: fetch_step bytes a k from fetch[o] on,
     * o in [0, ko); NULL: nothing. Spread evenly it hides behind the arithmetic; all at once it
     * would wait for memory. */
    const char **fetch;
    int64_t fetch_step;
};

/* By row: rows of a are a_stride apart, its ks are neighbours; by column the other way round. */
enum fi_direction { FI_BY_ROW, FI_BY_COL };

/* Runs register tiles over `rows` rows of a and `width` (16 or 32) columns of b. What t points at
 * moves along and is back afterwards, but for what is fetched, which moves on. */
#define fi_strip FI_T(fi_strip)
void fi_strip(enum fi_direction direction, struct fi_tile *t, int64_t rows, int64_t width);

/* fetch_step for `bytes` to come during a strip of `ks` products an element. */
#define fi_fetch_spread FI_T(fi_fetch_spread)
int64_t fi_fetch_spread(int64_t bytes, int64_t ks, int64_t rows, int64_t width);
/* The same, or 0 where they are too few to matter. */
static inline int64_t fi_fetch_step(int64_t bytes, int64_t ks, int64_t rows, int64_t width) {
    return bytes < FI_LEAST_FETCHED ? 0 : fi_fetch_spread(bytes, ks, rows, width);
}

/* Zeroes the lanes of c (n × width) from `valid` on: they belong to no unit. */
#define fi_clear_lanes FI_T(fi_clear_lanes)
void fi_clear_lanes(fi_real *c, int64_t n, int64_t width, int64_t valid);

/* to[o - o0][lane] = w[o][i0 + lane], o in [o0, o1), of weights in panels (out, in): rows of
 * `width` lanes, those beyond the inputs zero. o0 is a multiple of 8. */
#define fi_turn_panel FI_T(fi_turn_panel)
void fi_turn_panel(const fi_real *w, int64_t out, int64_t in, int64_t o0, int64_t o1, int64_t i0,
                   fi_real *to, int64_t width);

/* to[o][lane] = x[lane][o], lane in [0, rows), o in [0, cols): rows of `width` lanes, those beyond
 * `rows` zero. */
#define fi_turn_rows FI_T(fi_turn_rows)
void fi_turn_rows(const fi_real *x, int64_t ldx, int64_t rows, int64_t cols, fi_real *to,
                  int64_t width);

#endif
