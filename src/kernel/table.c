/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel table of one tier: what code that is compiled once reaches through ctx->kernels, and
 * its members that are a loop each.
 *
 * rounding_noise: g <- g + g ε u as one fused operation, u ~ U[-1, 1) in steps of 2^-23. A factor
 * 1 + ε u would be rounded before it is used, which for ε near the precision of a number loses u.
 */
#include "kernel/table.h"

#define NAME2(tier) #tier
#define NAME(tier) NAME2(tier)

static void add(fi_real *y, const fi_real *x, int64_t n) {
    FI_IVDEP
    for (int64_t i = 0; i < n; i++) y[i] += x[i];
}

static void scale(fi_real *y, fi_real a, int64_t n) {
    for (int64_t i = 0; i < n; i++) y[i] *= a;
}

static void clip(fi_real *y, fi_real a, int64_t n) {
    for (int64_t i = 0; i < n; i++) y[i] = y[i] < -a ? -a : y[i] > a ? a : y[i];
}

static void blend(fi_real *y, fi_real a, const fi_real *x, int64_t n) {
    FI_IVDEP
    for (int64_t i = 0; i < n; i++) y[i] = fi_fma(a, x[i] - y[i], y[i]);
}

static bool all_finite(const fi_real *x, int64_t n) {
    /* x - x is 0 for finite x, else NaN. Runs of 1024 keep the loop free of exits. */
    for (int64_t i = 0; i < n; i += 1024) {
        const int64_t end = FI_MIN(n, i + 1024);
        int bad = 0;
        for (int64_t j = i; j < end; j++) bad |= x[j] - x[j] != 0;
        if (bad) return false;
    }
    return true;
}

static void rounding_noise(fi_real *g, int64_t n, fi_real eps, uint64_t key, uint64_t step,
                           int64_t first) {
    uint32_t words[512];
    while (n > 0) {
        const int64_t count = FI_MIN(FI_COUNT(words), n);
        fi_random_words(key, step, first, count, words);
        for (int64_t i = 0; i < count; i++) {
            const fi_real u = fi_fma((fi_real)(int32_t)(words[i] >> 8), (fi_real)0x1p-23, -1);
            g[i] = fi_fma(g[i], eps * u, g[i]);
        }
        first += count, g += count, n -= count;
    }
}

const struct fi_kernels FI_T(fi_kernels) = {
    .isa = NAME(FI_TIER),
    .gather_u8 = fi_gather_u8,
    .gather_f32 = fi_gather_f32,
    .add = add,
    .scale = scale,
    .clip = clip,
    .blend = blend,
    .sum_squares = fi_sum_squares,
    .all_finite = all_finite,
    .random_normal = fi_random_normal,
    .random_beta = fi_random_beta,
    .rounding_noise = rounding_noise,
    .chains = fi_chains,
    .read = fi_read,
    .product_scratch = fi_timed_scratch,
    .product = fi_timed_product,
};
