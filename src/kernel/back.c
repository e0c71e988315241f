/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Backward through a layer whose batch is small beside its weights: dx, dw and what becomes of dw
 * in one pass over the weights.
 *
 * With a few rows a step does little arithmetic per weight, and reading and writing the weights
 * (and the optimizer's state) is what takes time: here a block of them is read once, gives its
 * share of dx, and is changed while it is in the first-level cache. The chains are those of
 * fi_product_dx and fi_product_dw.
 */
#include "kernel/tile.h"

/* Inputs of a slice: pieces of 12 KiB of every panel, which suits the processor's own fetching. */
#define SLICE (2 * FI_IN_BLOCK)
/* Weights that the second-level cache does not hold beside the rest. */
#define LEAST_BYTES (INT64_C(1) << 20)

struct back_job {
    int64_t m, out, in;
    const fi_real *dy, *x, *w;
    int64_t lddy, ldx;
    fi_real *dx, *turned; /* turned: dy as (out × 16 rows of the batch) */
    int64_t lddx;
    const struct fi_touched *touched;
    fi_block_fn done;
    fi_range_fn emit;
    void *arg;
};

bool fi_product_back_suits(int64_t m, int64_t out, int64_t in) {
    return m <= FI_LANES && fi_panel_size(out, in) * (int64_t)sizeof(fi_real) >= LEAST_BYTES;
}

/* dx += w · dyᵀ of one panel, for n inputs from i0 on; meanwhile the next panel's piece comes. */
static void add_panel(const struct back_job *j, int64_t p, int64_t i0, int64_t n, fi_real *dx) {
    const int64_t col0 = p * FI_PANEL, width = fi_panel_width(j->out, p);
    struct fi_tile t = {.ko = 1,
                        .ki = FI_MIN(width, j->out - col0),
                        .a = j->w + col0 * j->in + i0 * width,
                        .a_stride = width,
                        .b = j->turned + col0 * FI_LANES,
                        .b_k = FI_LANES,
                        .c = dx,
                        .ldc = FI_LANES,
                        .load = p > 0};
    const char *next = (const char *)(t.a + FI_PANEL * j->in);
    t.fetch = &next;
    t.fetch_step = fi_fetch_step(n * width * (int64_t)sizeof *t.a, t.ki, n, FI_LANES);
    fi_strip(FI_BY_ROW, &t, n, FI_LANES);
}

/* The gradient of the same weights, handed over; meanwhile the optimizer's first state comes. */
static void hand_over(const struct back_job *j, int64_t p, int64_t i0, int64_t n) {
    _Alignas(64) fi_real c[SLICE * FI_PANEL];
    const int64_t col0 = p * FI_PANEL, width = fi_panel_width(j->out, p);
    const int64_t offset = col0 * j->in + i0 * width, valid = FI_MIN(width, j->out - col0);
    struct fi_tile t = {.ko = 1,
                        .ki = j->m,
                        .a = j->x + i0,
                        .a_stride = j->ldx,
                        .b = j->dy + col0,
                        .b_k = j->lddy,
                        .c = c,
                        .ldc = width};
    const char *next;
    if (j->touched->n > 1) {
        next = (const char *)(j->touched->arrays[1] + offset + FI_PANEL * j->in);
        t.fetch = &next;
        t.fetch_step = fi_fetch_step(n * width * (int64_t)sizeof *c, t.ki, n, width);
    }
    fi_strip(FI_BY_COL, &t, n, width);
    if (valid < width) fi_clear_lanes(c, n, width, valid);
    j->emit(j->arg, offset, n * width, c);
}

static void slice_task(void *arg, int64_t task) {
    const struct back_job *j = arg;
    _Alignas(64) fi_real c[SLICE * FI_LANES];
    const int64_t i0 = task * SLICE, n = FI_MIN(SLICE, j->in - i0);
    for (int64_t p = 0; p < fi_panels(j->out); p++) {
        add_panel(j, p, i0, n, c);
        hand_over(j, p, i0, n);
    }
    for (int64_t i = 0; i < n; i += 8)
        for (int64_t r = 0; r < j->m; r += 8)
            fi_v_transpose8(c + i * FI_LANES + r, FI_LANES, n - i, j->dx + r * j->lddx + i0 + i,
                            j->lddx, j->m - r);
    if (j->done) j->done(j->arg, 0, j->m, i0, n);
}

void fi_product_back(fanin_ctx *ctx, int64_t m, int64_t out, int64_t in, const fi_real *dy,
                     int64_t lddy, const fi_real *x, int64_t ldx, const fi_real *w, fi_real *dx,
                     int64_t lddx, fi_real *scratch, const struct fi_touched *touched,
                     fi_block_fn done, fi_range_fn emit, void *arg) {
    struct back_job j = {.m = m,
                         .out = out,
                         .in = in,
                         .dy = dy,
                         .lddy = lddy,
                         .x = x,
                         .ldx = ldx,
                         .w = w,
                         .dx = dx,
                         .lddx = lddx,
                         .turned = scratch,
                         .touched = touched,
                         .done = done,
                         .emit = emit,
                         .arg = arg};
    fi_turn_rows(dy, lddy, m, out, scratch, FI_LANES);
    fi_parallel(ctx, fi_blocks(in, SLICE), 2 * fi_product_cost(m, out, in), slice_task, &j);
}
