/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the machine can do with this tier's vectors, for `fanin bench` and profiles: chains of fused
 * multiply-adds that stay in registers, reading numbers, and one matrix product called as a step
 * calls it. The caller holds the clock.
 */
#include "kernel/table.h"
#include "kernel/vector.h"

/* Enough independent chains to hide an addition's latency on two ports; as many as registers hold.
 */
#define CHAINS (FI_V_LANES == 16 ? 24 : FI_V_LANES == 8 ? 12 : 8)
#define SUMS 8

/* The vectors' sum goes to the sink, so that nothing of the work can be left out. The loops over
 * them are unrolled throughout: an array that is indexed at run time would live in memory. */
static inline void sink_vector(fi_v v, fi_real *sink) {
    fi_real lanes[FI_V_LANES];
    fi_v_store(lanes, v);
    *sink = lanes[0];
}

double fi_chains(int64_t rounds, fi_real *sink) {
    fi_v a[CHAINS];
    const fi_v x = fi_v_set((fi_real)0.999), y = fi_v_set((fi_real)1e-6);
#pragma GCC unroll 24
    for (int i = 0; i < CHAINS; i++) a[i] = fi_v_set((fi_real)i);
    for (int64_t r = 0; r < rounds; r++) {
#pragma GCC unroll 24
        for (int i = 0; i < CHAINS; i++) {
            a[i] = fi_v_fma(a[i], x, y);
            fi_v_pin(a[i]);
        }
    }
#pragma GCC unroll 24
    for (int i = 1; i < CHAINS; i++) a[0] = fi_v_fma(a[i], x, a[0]);
    sink_vector(a[0], sink);
    return 2.0 * CHAINS * FI_V_LANES * (double)rounds;
}

void fi_read(const fi_real *x, int64_t n, fi_real *sink) {
    fi_v sums[SUMS];
    const fi_v one = fi_v_set(1);
#pragma GCC unroll 8
    for (int i = 0; i < SUMS; i++) sums[i] = fi_v_zero();
    for (int64_t at = 0; at + SUMS * FI_V_LANES <= n; at += SUMS * FI_V_LANES) {
#pragma GCC unroll 8
        for (int i = 0; i < SUMS; i++)
            sums[i] = fi_v_fma(fi_v_load(x + at + i * FI_V_LANES), one, sums[i]);
    }
#pragma GCC unroll 8
    for (int i = 1; i < SUMS; i++) sums[0] = fi_v_fma(sums[i], one, sums[0]);
    sink_vector(sums[0], sink);
}

/* ---- a matrix product ------------------------------------------------------------------------------ */

/* A step uses each finished tile of the gradient while it is in cache. */
static void hand_on(void *arg, int64_t offset, int64_t n, fi_real *g) {
    (void)arg;
    (void)offset;
    __asm__ volatile("" : : "r"(g[n - 1]) : "memory");
}

int64_t fi_timed_scratch(const struct fi_product *p) {
    return fi_product_scratch(p->batch, p->outputs, p->inputs);
}

void fi_timed_product(fanin_ctx *ctx, const struct fi_product *p) {
    switch (p->kind) {
    case FANIN_PRODUCT_Y:
        fi_product_y(ctx, p->batch, p->outputs, p->inputs, p->x, p->ldx, p->w, p->y, p->ldy,
                     p->scratch, NULL, NULL);
        break;
    case FANIN_PRODUCT_DX:
        fi_product_dx(ctx, p->batch, p->outputs, p->inputs, p->y, p->ldy, p->w, p->x, p->ldx,
                      p->scratch, NULL, NULL);
        break;
    case FANIN_PRODUCT_DW:
        fi_product_dw(ctx, p->batch, p->outputs, p->inputs, p->y, p->ldy, p->x, p->ldx, p->scratch,
                      NULL, hand_on, NULL);
        break;
    }
}
