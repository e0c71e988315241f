/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The three matrix products of a dense layer (and of a convolution seen as one), on the register
 * tile of tile.c.
 *
 *   y  = x · wᵀ     rows of x are broadcast, panels of w are vectors
 *   dx = dy · w     computed as dxᵀ: panels of w are broadcast, dyᵀ (packed) is vectors; for small
 *                   layers as y, from wᵀ (packed)
 *   dw = dyᵀ · x    computed in the panel layout: columns of x are broadcast, dy is vectors
 *
 * Weights stay in the layout [out/32][in][32] for life, so large products never pack them; dy is
 * packed, once per layer and step. Every element of a result is one chain of fused multiply-adds
 * that begins at 0 and takes k in increasing order, whatever the tile, the tier and the number of
 * threads.
 *
 * What limits: a 12×32 tile does 24 vector FMAs for 2 vector loads and 12 broadcasts a k, so the
 * loads hide behind one or two 512-bit FMAs a cycle. Blocks of k keep the vectors' side in L1: the
 * rest streams from L2 at 2 to 7 bytes a cycle. Weights come from beyond L2 (17 GB/s a core, where
 * measured, against 150 GFLOP/s), so the next ones are fetched while a tile is computed.
 */
#include "kernel/sparse.h"
#include "kernel/tile.h"

/* ks of a tile: so much of a panel stays in the first-level cache while the tiles of a column go
 * over it. The next block of ks continues the chains. */
#define K_BLOCK 256
/* Rows of x that share a pass over the panels: x's block and a panel fit L2 together. */
#define ROW_BLOCK 192
#define DX_LANES 32
/* Of x in dw. */
#define CHUNK_BYTES (INT64_C(1) << 20)

/* Task i of a grid whose rows have n tasks: its row, and *column. Dividing takes as long as a small
 * tile. */
static inline int64_t grid_row(int64_t i, int64_t n, int64_t *column) {
    const int64_t row = i < n ? 0 : i / n;
    *column = i - row * n;
    return row;
}

/* How many blocks n ks make, and where block b of them ends. */
static inline int64_t k_blocks(int64_t n) {
    return FI_MAX(1, (n + K_BLOCK / 2) / K_BLOCK);
}
static inline int64_t k_block_end(int64_t n, int64_t blocks, int64_t b) {
    return b + 1 == blocks ? n : n * (b + 1) / blocks; /* one is frequent, and division slow */
}

/* ---- y = x · wᵀ ---------------------------------------------------------------------------------- */

struct y_job {
    int64_t m, out, in, first_panel, panels, row_block;
    const fi_real *x, *w;
    fi_real *y;
    int64_t ldx, ldy;
    fi_block_fn done;
    void *arg;
};

static void y_task(void *arg, int64_t task) {
    const struct y_job *j = arg;
    int64_t place;
    const int64_t row0 = grid_row(task, j->panels, &place) * j->row_block;
    const int64_t p = j->first_panel + place;
    const int64_t rows = FI_MIN(j->row_block, j->m - row0);
    const int64_t col0 = p * FI_PANEL, width = fi_panel_width(j->out, p);
    const int64_t blocks = k_blocks(j->in);
    struct fi_tile t = {
        .ko = 1, .a_stride = j->ldx, .b_k = width, .c = j->y + row0 * j->ldy + col0, .ldc = j->ldy};
    for (int64_t i0 = 0, k = 0; k < blocks; k++) {
        t.ki = k_block_end(j->in, blocks, k) - i0;
        t.a = j->x + row0 * j->ldx + i0;
        t.b = j->w + col0 * j->in + i0 * width;
        t.load = k > 0;
        const char *next = (const char *)(t.b + t.ki * width); /* block, of this panel or next */
        t.fetch_step = fi_fetch_step(t.ki * width * (int64_t)sizeof(*t.b), t.ki, rows, width);
        t.fetch = t.fetch_step > 0 ? &next : NULL;
        fi_strip(FI_BY_ROW, &t, rows, width);
        i0 += t.ki;
    }
    if (j->done) j->done(j->arg, row0, rows, col0, FI_MIN(width, j->out - col0));
}

void fi_product_y(fanin_ctx *ctx, int64_t m, int64_t out, int64_t in, const fi_real *x, int64_t ldx,
                  const fi_real *w, fi_real *y, int64_t ldy, fi_real *scratch, fi_block_fn done,
                  void *arg) {
    struct y_job j = {.m = m,
                      .out = out,
                      .in = in,
                      .x = x,
                      .w = w,
                      .y = y,
                      .ldx = ldx,
                      .ldy = ldy,
                      .done = done,
                      .arg = arg};
    if (scratch && fi_sparse_suits(m, out, in) &&
        fi_sparse_y(ctx, m, out, in, x, ldx, w, y, ldy, scratch, done, arg))
        j.first_panel = out / FI_PANEL;
    j.panels = fi_panels(out) - j.first_panel;
    /* Few panels: split the rows finer so that there is work for every thread. */
    j.row_block = j.panels >= 8 ? ROW_BLOCK : ROW_BLOCK / 4;
    fi_parallel(ctx, fi_blocks(m, j.row_block) * j.panels,
                fi_product_cost(m, out - j.first_panel * FI_PANEL, in), y_task, &j);
}

/* ---- dx = dy · w --------------------------------------------------------------------------------- */

struct dx_job {
    int64_t m, out, in, row_blocks;
    const fi_real *dy, *w;
    fi_real *dx, *pack;
    int64_t lddy, lddx;
    fi_block_fn done;
    void *arg;
};

int64_t fi_product_scratch(int64_t m, int64_t out, int64_t in) {
    return fi_blocks(m, DX_LANES) * DX_LANES * (out + in);
}

/* Turning w around once beats turning dy and dx around when the batch is large beside the layer. */
static bool turn_weights(int64_t m, int64_t out, int64_t in) {
    return fi_panel_size(in, out) <= m * (out + in);
}

/* w in panels (out, in) becomes wᵀ in panels (in, out). */
static void turn_task(void *arg, int64_t p) {
    const struct dx_job *j = arg;
    const int64_t i0 = p * FI_PANEL;
    fi_turn_panel(j->w, j->out, j->in, 0, j->out, i0, j->pack + i0 * j->out,
                  fi_panel_width(j->in, p));
}

/* pack[q][o][lane] = dy[32 q + lane][o]; the last block is 16 lanes wide where 16 suffice. */
static void dx_pack_task(void *arg, int64_t q) {
    const struct dx_job *j = arg;
    const int64_t row0 = q * DX_LANES, rows = FI_MIN(DX_LANES, j->m - row0);
    const int64_t width = rows <= FI_LANES ? FI_LANES : DX_LANES;
    fi_turn_rows(j->dy + row0 * j->lddy, j->lddy, rows, j->out, j->pack + row0 * j->out, width);
}

static void dx_task(void *arg, int64_t i) {
    const struct dx_job *j = arg;
    /* all rows of one slice of w after each other: the slice stays in L2 */
    int64_t q;
    const int64_t i0 = grid_row(i, j->row_blocks, &q) * FI_IN_BLOCK;
    const int64_t n = FI_MIN(FI_IN_BLOCK, j->in - i0);
    const int64_t row0 = q * DX_LANES, rows = FI_MIN(DX_LANES, j->m - row0);
    const int64_t width = rows <= FI_LANES ? FI_LANES : DX_LANES;
    const int64_t full = j->out / FI_PANEL, rest = j->out % FI_PANEL;
    fi_real c[FI_IN_BLOCK * DX_LANES] __attribute__((aligned(64)));
    struct fi_tile t = {.a_stride = FI_PANEL,
                        .a_o = FI_PANEL * j->in,
                        .ki = FI_PANEL,
                        .b = j->pack + row0 * j->out,
                        .b_k = width,
                        .b_o = FI_PANEL * width,
                        .c = c,
                        .ldc = DX_LANES};
    /* Of the next slice each row block fetches its share. */
    const int64_t share = n * FI_PANEL * (int64_t)sizeof(*t.a) / j->row_blocks;
    const char *next[FI_MAX_KO];
    t.fetch_step = fi_fetch_step(share, FI_PANEL, n, width);
    t.fetch = t.fetch_step > 0 ? next : NULL;
    for (int64_t o = 0; o < full; o += t.ko) {
        t.ko = FI_MIN(FI_MAX_KO, full - o);
        t.a = j->w + o * t.a_o + i0 * FI_PANEL;
        t.load = o > 0;
        for (int64_t k = 0; k < t.ko; k++)
            next[k] = (const char *)(t.a + k * t.a_o + n * FI_PANEL) + q * share;
        fi_strip(FI_BY_ROW, &t, n, width);
        t.b += t.ko * t.b_o;
    }
    if (rest) { /* the narrow last panel continues the chain */
        const int64_t lanes = fi_panel_width(j->out, full);
        t.ko = 1;
        t.ki = rest;
        t.a = j->w + full * FI_PANEL * j->in + i0 * lanes;
        t.a_stride = lanes;
        t.load = full > 0;
        t.fetch = NULL;
        fi_strip(FI_BY_ROW, &t, n, width);
    }
    fi_real *dx = j->dx + row0 * j->lddx + i0; /* whole groups of 8: what is beyond is padding */
    for (int64_t r = 0; r < rows; r += 8)
        for (int64_t k = 0; k < n; k += 8)
            fi_v_transpose8(c + k * DX_LANES + r, DX_LANES, n - k, dx + r * j->lddx + k, j->lddx,
                            rows - r);
    if (j->done) j->done(j->arg, row0, rows, i0, n);
}

void fi_product_dx(fanin_ctx *ctx, int64_t m, int64_t out, int64_t in, const fi_real *dy,
                   int64_t lddy, const fi_real *w, fi_real *dx, int64_t lddx, fi_real *scratch,
                   fi_block_fn done, void *arg) {
    struct dx_job j = {.m = m,
                       .out = out,
                       .in = in,
                       .dy = dy,
                       .w = w,
                       .dx = dx,
                       .pack = scratch,
                       .lddy = lddy,
                       .lddx = lddx,
                       .done = done,
                       .arg = arg};
    const double flops = fi_product_cost(m, out, in);
    if (fi_sparse_suits(m, out, in) &&
        fi_sparse_dx(ctx, m, out, in, dy, lddy, w, dx, lddx, scratch, done, arg))
        return;
    if (turn_weights(m, out, in)) {
        fi_parallel(ctx, fi_panels(in), flops, turn_task, &j);
        fi_product_y(ctx, m, in, out, dy, lddy, scratch, dx, lddx, NULL, done, arg);
        return;
    }
    j.row_blocks = fi_blocks(m, DX_LANES);
    fi_parallel(ctx, j.row_blocks, flops, dx_pack_task, &j);
    fi_parallel(ctx, j.row_blocks * fi_blocks(in, FI_IN_BLOCK), flops, dx_task, &j);
}

/* ---- dw = dyᵀ · x -------------------------------------------------------------------------------- */

struct dw_job {
    int64_t m, out, in, first_panel, panels, chunk;
    const fi_real *dy, *x;
    int64_t lddy, ldx;
    const struct fi_touched *touched;
    fi_range_fn emit;
    void *arg;
};

/* Splits the ks of a tile so that each part fetches one array; `from` is where the parts begin. */
static void fetch_touched(const struct dw_job *j, struct fi_tile *t, int64_t offset, int64_t n,
                          int64_t width, const char *from[FI_MAX_KO]) {
    const int arrays = j->touched ? j->touched->n : 0;
    const int64_t parts = arrays < 3 ? FI_MAX(arrays, 1) : 4;
    const int64_t bytes = n * width * (int64_t)sizeof(*t->c);
    if (arrays == 0 || bytes < FI_LEAST_FETCHED) return;
    if (t->ki % parts == 0) t->ko = parts;
    t->ki /= t->ko;
    t->a_o = t->ki * j->ldx;
    t->b_o = t->ki * j->lddy;
    for (int64_t o = 0; o < t->ko; o++)
        from[o] = o < arrays ? (const char *)(j->touched->arrays[o] + offset) : (const char *)t->b;
    t->fetch_step = fi_fetch_step(bytes, t->ki, n, width);
    t->fetch = from;
}

/* The gradient of n inputs from i0 on and of the units of panel p. */
static void dw_block(const struct dw_job *j, int64_t p, int64_t i0, int64_t n, fi_real *c) {
    const int64_t col0 = p * FI_PANEL, width = fi_panel_width(j->out, p);
    const int64_t blocks = k_blocks(j->m);
    const char *from[FI_MAX_KO];
    struct fi_tile t = {.a_stride = j->ldx, .b_k = j->lddy, .c = c, .ldc = width};
    for (int64_t r0 = 0, b = 0; b < blocks; b++) {
        const int64_t rows = k_block_end(j->m, blocks, b) - r0;
        t.ko = 1;
        t.ki = rows;
        t.a = j->x + r0 * j->ldx + i0;
        t.b = j->dy + r0 * j->lddy + col0;
        t.load = b > 0;
        if (b + 1 == blocks) fetch_touched(j, &t, col0 * j->in + i0 * width, n, width, from);
        fi_strip(FI_BY_COL, &t, n, width);
        r0 += rows;
    }
}

static void dw_task(void *arg, int64_t i) {
    const struct dw_job *j = arg;
    int64_t place;
    const int64_t first = grid_row(i, j->panels, &place) * j->chunk;
    const int64_t p = j->first_panel + place;
    const int64_t last = FI_MIN(first + j->chunk, j->in);
    const int64_t col0 = p * FI_PANEL, width = fi_panel_width(j->out, p);
    const int64_t valid = FI_MIN(width, j->out - col0);
    fi_real c[FI_IN_BLOCK * FI_PANEL] __attribute__((aligned(64)));
    for (int64_t i0 = first; i0 < last; i0 += FI_IN_BLOCK) {
        const int64_t n = FI_MIN(FI_IN_BLOCK, last - i0);
        dw_block(j, p, i0, n, c);
        if (valid < width) fi_clear_lanes(c, n, width, valid);
        j->emit(j->arg, col0 * j->in + i0 * width, n * width, c);
    }
}

void fi_product_dw(fanin_ctx *ctx, int64_t m, int64_t out, int64_t in, const fi_real *dy,
                   int64_t lddy, const fi_real *x, int64_t ldx, fi_real *scratch,
                   const struct fi_touched *touched, fi_range_fn emit, void *arg) {
    struct dw_job j = {.m = m,
                       .out = out,
                       .in = in,
                       .dy = dy,
                       .x = x,
                       .lddy = lddy,
                       .ldx = ldx,
                       .touched = touched,
                       .emit = emit,
                       .arg = arg};
    if (scratch && fi_sparse_suits(m, out, in) &&
        fi_sparse_dw(ctx, m, out, in, dy, lddy, x, ldx, scratch, touched, emit, arg))
        j.first_panel = out / FI_PANEL;
    j.panels = fi_panels(out) - j.first_panel;
    /* A chunk of x stays in L2 while all panels go over it; few panels: more chunks. */
    j.chunk = FI_MIN(CHUNK_BYTES / (m * (int64_t)sizeof *x), j.panels < 8 ? (in + 7) / 8 : in);
    j.chunk = FI_MAX(fi_blocks(j.chunk, FI_IN_BLOCK), 1) * FI_IN_BLOCK;
    fi_parallel(ctx, j.panels * fi_blocks(in, j.chunk),
                fi_product_cost(m, out - j.first_panel * FI_PANEL, in), dw_task, &j);
}
