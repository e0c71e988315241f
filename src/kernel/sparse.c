/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The matrix products where most factors on one side are exactly zero: behind a rectifier and
 * dropout four fifths of the activations are, and of the gradients that come back.
 *
 * A chain of fused multiply-adds is not changed by a zero factor whose other factor is finite, so
 * the non-zeros of a row are listed and only they are walked:
 *
 *   y  = x · wᵀ     rows of x are listed, panels of w are vectors
 *   dx = dy · w     rows of dy are listed, slices of w, turned around in L1, are vectors
 *   dw = dyᵀ · x    columns of x are listed, dy is vectors
 *
 * A number that is not finite must meet the zeros too: a block of vectors that holds one is walked
 * with all factors. So results are those of the dense products bit by bit, but for the sign of a
 * zero that comes from an underflow.
 *
 * What limits: a non-zero costs eight FMAs, each with a load from L1, and a broadcast: 4.5 cycles
 * where two loads a cycle are had, against 4 cycles a factor of the dense tile with two FMAs a
 * cycle. Blocks of 64 ks by 128 columns keep the vectors in L1.
 */
#include "kernel/sparse.h"

#include "kernel/nonzeros.h"
#include "kernel/tile.h"

/* Columns handled together. */
#define GROUP 128
#define DW_GROUP 64
#define IN_BLOCK 48

/* Pieces fetched at once: in dw up to 4 arrays of each panel. */
#define MAX_FETCH 16

static double flops_of(const struct fi_nonzeros *of, int64_t cols) {
    return 2.0 * (double)of->start[of->lines * of->blocks] * (double)cols;
}

/* ---- the walk ------------------------------------------------------------------------------------ */

/* For each of `lines` lines l: c[0..lanes) = or += Σ value · b[at ..] over the entries start[l] up
 * to start[l + 1]. Groups of 32 lanes stand b_panel apart in b and c_panel apart in c. */
struct walk {
    int64_t lines;
    const uint32_t *start, *at;
    const fi_real *value, *b;
    int64_t b_panel;
    fi_real *c;
    int64_t ldc, c_panel;
    bool load;
    /* What to bring into the second-level cache meanwhile: of each piece so many bytes a line. */
    const char *fetch[MAX_FETCH];
    int64_t n_fetch, fetch_step;
};

#if FI_V_LANES > 1
#define PANEL_NV (FI_PANEL / FI_V_LANES)

static inline void fetch(const struct walk *w, int64_t line) {
    for (int64_t i = 0; i < w->n_fetch; i++)
        for (int64_t at = line * w->fetch_step; at < (line + 1) * w->fetch_step; at += 64)
            __builtin_prefetch(w->fetch[i] + at, 0, 2);
}

static inline __attribute__((always_inline)) void walk(const int nv, const struct walk *w) {
    const int64_t b_panel = w->b_panel, c_panel = w->c_panel;
    const uint32_t *start = w->start;
    fi_real *c = w->c;
    for (int64_t l = 0; l < w->lines; l++, c += w->ldc) {
        const uint32_t *at = w->at + start[l];
        const fi_real *value = w->value + start[l];
        fi_v acc[8];
        fetch(w, l);
#pragma GCC unroll 8
        for (int v = 0; v < nv; v++)
            acc[v] = w->load ? fi_v_load(c + v / PANEL_NV * c_panel + v % PANEL_NV * FI_V_LANES)
                             : fi_v_zero();
        for (int64_t n = start[l + 1] - start[l]; n > 0; n--, at++, value++) {
            const fi_v s = fi_v_set(*value);
            const fi_real *b = w->b + *at;
#pragma GCC unroll 8
            for (int v = 0; v < nv; v++)
                acc[v] = fi_v_fma(
                    s, fi_v_load(b + v / PANEL_NV * b_panel + v % PANEL_NV * FI_V_LANES), acc[v]);
        }
#pragma GCC unroll 8
        for (int v = 0; v < nv; v++)
            fi_v_store(c + v / PANEL_NV * c_panel + v % PANEL_NV * FI_V_LANES, acc[v]);
    }
}

#define WALK(nv)                                                                                   \
    static void walk_##nv(const struct walk *w) {                                                  \
        walk(nv, w);                                                                               \
    }
WALK(1)
WALK(2)
WALK(3) WALK(4) WALK(5) WALK(6) WALK(7) WALK(8) typedef void (*walk_fn)(const struct walk *);
static const walk_fn walks[] = {walk_1, walk_2, walk_3, walk_4, walk_5, walk_6, walk_7, walk_8};
#endif

/* Any number of lanes that is a multiple of 16. */
static void walk_lanes(struct walk w, int64_t lanes) {
#if FI_V_LANES > 1
    for (; lanes > 0; lanes -= 8 * FI_V_LANES) {
        walks[FI_MIN(lanes / FI_V_LANES, 8) - 1](&w);
        w.b += 8 / PANEL_NV * w.b_panel;
        w.c += 8 / PANEL_NV * w.c_panel;
        w.n_fetch = 0;
    }
#else
    for (int64_t l = 0; l < w.lines; l++, w.c += w.ldc)
        for (int64_t lane = 0; lane < lanes; lane++) {
            const fi_real *b = w.b + lane / FI_PANEL * w.b_panel + lane % FI_PANEL;
            fi_real *c = w.c + lane / FI_PANEL * w.c_panel + lane % FI_PANEL;
            fi_real sum = w.load ? *c : 0;
            for (uint32_t i = w.start[l]; i < w.start[l + 1]; i++)
                sum = fi_fma(w.value[i], b[w.at[i]], sum);
            *c = sum;
        }
#endif
}

/* The same over factors of which none is left out: line l is x[l * x_line + k * x_k], k in [0, n),
 * n <= FI_M_BLOCK, and belongs to b[k * stride ..]. */
static void walk_whole(struct walk w, int64_t lanes, const fi_real *x, int64_t x_line, int64_t x_k,
                       int64_t n, int64_t stride) {
    uint32_t at[FI_M_BLOCK], start[2] = {0, (uint32_t)n};
    fi_real value[FI_M_BLOCK];
    const int64_t lines = w.lines;
    for (int64_t k = 0; k < n; k++) at[k] = (uint32_t)(k * stride);
    w.lines = 1;
    w.start = start;
    w.at = at;
    w.value = value;
    for (int64_t l = 0; l < lines; l++, w.c += w.ldc) {
        for (int64_t k = 0; k < n; k++) value[k] = x[l * x_line + k * x_k];
        walk_lanes(w, lanes);
    }
}

static bool is_finite(const fi_real *x, int64_t n) {
    int bad = 0;
    for (int64_t i = 0; i < n; i++) bad |= x[i] - x[i] != 0;
    return !bad;
}

/* ---- y and dx: rows are listed ------------------------------------------------------------------- */

struct rows_job {
    struct fi_nonzeros listed; /* of x (m × in), or of dy (m × out) */
    int64_t out, in;
    const fi_real *w;
    fi_real *c;
    int64_t ldc;
    fi_block_fn done;
    void *arg;
};

/* What all rows of c get from a block of ks. */
static void run_block(const struct rows_job *j, int64_t block, int64_t lanes, struct walk *w) {
    const struct fi_nonzeros *of = &j->listed;
    const int64_t ks = FI_MIN(FI_K_BLOCK, of->k - block * FI_K_BLOCK);
    bool finite = true;
    for (int64_t lane = 0; lane < lanes; lane += FI_PANEL)
        finite &= is_finite(w->b + lane / FI_PANEL * w->b_panel, ks * FI_PANEL);
    w->lines = of->m;
    w->start = of->start + block * of->m;
    w->at = of->at;
    w->value = of->value;
    w->load = block > 0;
    if (finite)
        walk_lanes(*w, lanes);
    else
        walk_whole(*w, lanes, of->x + block * FI_K_BLOCK, of->ldx, 1, ks, of->stride);
}

/* Bytes a line for pieces of `bytes` to come while the lines are walked, whole cache lines. */
static int64_t fetch_step(int64_t bytes, int64_t lines) {
    return fi_blocks(fi_blocks(bytes, 64), lines) * 64;
}

static void y_task(void *arg, int64_t task) {
    const struct rows_job *j = arg;
    const int64_t first = task * (GROUP / FI_PANEL), col0 = first * FI_PANEL;
    const int64_t n = FI_MIN(GROUP / FI_PANEL, j->out / FI_PANEL - first);
    const int64_t block = FI_K_BLOCK * FI_PANEL; /* of one panel */
    struct walk w = {.b = j->w + col0 * j->in,
                     .b_panel = FI_PANEL * j->in,
                     .c = j->c + col0,
                     .ldc = j->ldc,
                     .c_panel = FI_PANEL,
                     .n_fetch = n,
                     .fetch_step = fetch_step(block * (int64_t)sizeof *w.b, j->listed.m)};
    for (int64_t b = 0; b < j->listed.blocks; b++, w.b += block) {
        for (int64_t p = 0; p < n; p++) w.fetch[p] = (const char *)(w.b + p * w.b_panel + block);
        run_block(j, b, n * FI_PANEL, &w);
    }
    for (int64_t p = 0; p < n && j->done; p++)
        j->done(j->arg, 0, j->listed.m, col0 + p * FI_PANEL, FI_PANEL);
}

static void dx_task(void *arg, int64_t task) {
    const struct rows_job *j = arg;
    const int64_t i0 = task * GROUP, n = FI_MIN(GROUP, j->in - i0);
    _Alignas(64) fi_real turned[FI_K_BLOCK * GROUP];
    struct walk w = {.b = turned,
                     .b_panel = FI_K_BLOCK * FI_PANEL,
                     .c = j->c + i0,
                     .ldc = j->ldc,
                     .c_panel = FI_PANEL,
                     .n_fetch = FI_K_BLOCK / FI_PANEL,
                     .fetch_step = fetch_step(n * FI_PANEL * (int64_t)sizeof *w.b, j->listed.m)};
    for (int64_t b = 0; b < j->listed.blocks; b++) {
        const fi_real *next = j->w + ((b + 1) * FI_K_BLOCK * j->in + i0 * FI_PANEL);
        const int64_t o0 = b * FI_K_BLOCK, o1 = FI_MIN(o0 + FI_K_BLOCK, j->out);
        for (int64_t i = 0; i < n; i += FI_PANEL)
            fi_turn_panel(j->w, j->out, j->in, o0, o1, i0 + i, turned + i * FI_K_BLOCK, FI_PANEL);
        for (int64_t p = 0; p < w.n_fetch; p++)
            w.fetch[p] = (const char *)(next + p * FI_PANEL * j->in);
        run_block(j, b, fi_blocks(n, FI_LANES) * FI_LANES, &w);
    }
    for (int64_t at = 0; at < n && j->done; at += FI_PANEL)
        j->done(j->arg, 0, j->listed.m, i0 + at, FI_MIN(FI_PANEL, n - at));
}

/* Lists the rows and runs the tasks, if it is worth while. */
static bool run_rows(fanin_ctx *ctx, struct rows_job *j, int64_t cols, fi_real *scratch,
                     void (*task)(void *job, int64_t i)) {
    if (!fi_list_rows(ctx, &j->listed, scratch)) return false;
    fi_parallel(ctx, fi_blocks(cols, GROUP), flops_of(&j->listed, cols), task, j);
    return true;
}

bool fi_sparse_y(fanin_ctx *ctx, int64_t m, int64_t out, int64_t in, const fi_real *x, int64_t ldx,
                 const fi_real *w, fi_real *y, int64_t ldy, fi_real *scratch, fi_block_fn done,
                 void *arg) {
    struct rows_job j = {.listed = {.x = x, .m = m, .k = in, .ldx = ldx, .stride = FI_PANEL},
                         .out = out,
                         .in = in,
                         .w = w,
                         .c = y,
                         .ldc = ldy,
                         .done = done,
                         .arg = arg};
    return run_rows(ctx, &j, out / FI_PANEL * FI_PANEL, scratch, y_task);
}

bool fi_sparse_dx(fanin_ctx *ctx, int64_t m, int64_t out, int64_t in, const fi_real *dy,
                  int64_t lddy, const fi_real *w, fi_real *dx, int64_t lddx, fi_real *scratch,
                  fi_block_fn done, void *arg) {
    struct rows_job j = {.listed = {.x = dy, .m = m, .k = out, .ldx = lddy, .stride = FI_PANEL},
                         .out = out,
                         .in = in,
                         .w = w,
                         .c = dx,
                         .ldc = lddx,
                         .done = done,
                         .arg = arg};
    return run_rows(ctx, &j, in, scratch, dx_task);
}

/* ---- dw: columns are listed ------------------------------------------------------------------------ */

struct columns_job {
    struct fi_nonzeros listed; /* of x (m × in) */
    int64_t out, in;
    const fi_real *dy;
    int64_t lddy;
    const struct fi_touched *touched;
    fi_range_fn emit;
    void *arg;
};

/* The gradient of `columns` inputs from i0 on. */
static void run_columns(const struct columns_job *j, int64_t i0, int64_t columns, int64_t lanes,
                        bool finite, struct walk *w) {
    const struct fi_nonzeros *of = &j->listed;
    const fi_real *dy = w->b;
    w->lines = columns;
    for (int64_t b = 0; b < of->blocks; b++, w->b += FI_M_BLOCK * j->lddy) {
        w->start = of->start + b * of->k + i0;
        w->load = b > 0;
        if (finite)
            walk_lanes(*w, lanes);
        else
            walk_whole(*w, lanes, of->x + b * FI_M_BLOCK * of->ldx + i0, 1, of->ldx,
                       FI_MIN(FI_M_BLOCK, of->m - b * FI_M_BLOCK), of->stride);
    }
    w->b = dy;
}

static void dw_task(void *arg, int64_t task) {
    const struct columns_job *j = arg;
    const int64_t first = task * (DW_GROUP / FI_PANEL);
    const int64_t n = FI_MIN(DW_GROUP / FI_PANEL, j->out / FI_PANEL - first), lanes = n * FI_PANEL;
    const int arrays = j->touched ? j->touched->n : 0;
    _Alignas(64) fi_real c[DW_GROUP * IN_BLOCK];
    struct walk w = {.at = j->listed.at,
                     .value = j->listed.value,
                     .b = j->dy + first * FI_PANEL,
                     .b_panel = FI_PANEL,
                     .c = c,
                     .ldc = FI_PANEL,
                     .c_panel = IN_BLOCK * FI_PANEL,
                     .n_fetch = n * arrays,
                     .fetch_step = FI_PANEL * (int64_t)sizeof *w.b};
    bool finite = true;
    for (int64_t r = 0; r < j->listed.m; r++) finite &= is_finite(w.b + r * j->lddy, lanes);
    for (int64_t i0 = 0; i0 < j->in; i0 += IN_BLOCK) {
        const int64_t columns = FI_MIN(IN_BLOCK, j->in - i0);
        for (int64_t i = 0; i < w.n_fetch; i++)
            w.fetch[i] = (const char *)(j->touched->arrays[i / n] +
                                        ((first + i % n) * j->in + i0) * FI_PANEL);
        run_columns(j, i0, columns, lanes, finite, &w);
        for (int64_t p = 0; p < n; p++)
            j->emit(j->arg, ((first + p) * j->in + i0) * FI_PANEL, columns * FI_PANEL,
                    c + p * w.c_panel);
    }
}

bool fi_sparse_dw(fanin_ctx *ctx, int64_t m, int64_t out, int64_t in, const fi_real *dy,
                  int64_t lddy, const fi_real *x, int64_t ldx, fi_real *scratch,
                  const struct fi_touched *touched, fi_range_fn emit, void *arg) {
    struct columns_job j = {.listed = {.x = x, .m = m, .k = in, .ldx = ldx, .stride = lddy},
                            .out = out,
                            .in = in,
                            .dy = dy,
                            .lddy = lddy,
                            .touched = touched,
                            .emit = emit,
                            .arg = arg};
    const int64_t cols = out / FI_PANEL * FI_PANEL;
    if (!fi_list_columns(ctx, &j.listed, scratch)) return false;
    fi_parallel(ctx, fi_blocks(cols, DW_GROUP), flops_of(&j.listed, cols), dw_task, &j);
    return true;
}
