/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernels that are no members of the kernel table, by tier, so that a test can call each one
 * the processor has.
 */
#ifndef TESTS_TIERS_H
#define TESTS_TIERS_H

#include <math.h>

#include "kernel/kernel.h"
#include "support/support.h"

struct tier {
    const char *isa;
    void (*words)(uint64_t, uint64_t, int64_t, int64_t, uint32_t *);
    void (*uniform)(uint64_t, uint64_t, int64_t, int64_t, fi_real *);
    void (*normal)(uint64_t, uint64_t, int64_t, int64_t, fi_real *);
    void (*below16)(uint64_t, uint64_t, int64_t, int64_t, uint32_t, uint8_t *);
    fi_real (*sum)(const fi_real *, int64_t);
    double (*sum_squares)(const fi_real *, int64_t);
    fi_real (*max)(const fi_real *, int64_t);
    void (*column_sums)(const fi_real *, int64_t, int64_t, int64_t, fi_real *);
    void (*double_tile)(int64_t, const double *, int64_t, const double *, double *, int64_t, bool);
};

#define TIER_DECLARE(tier)                                                                         \
    void fi_random_words_##tier(uint64_t, uint64_t, int64_t, int64_t, uint32_t *);                 \
    void fi_random_uniform_##tier(uint64_t, uint64_t, int64_t, int64_t, fi_real *);                \
    void fi_random_normal_##tier(uint64_t, uint64_t, int64_t, int64_t, fi_real *);                 \
    void fi_random_below16_##tier(uint64_t, uint64_t, int64_t, int64_t, uint32_t, uint8_t *);      \
    fi_real fi_sum_##tier(const fi_real *, int64_t);                                               \
    double fi_sum_squares_##tier(const fi_real *, int64_t);                                        \
    fi_real fi_max_##tier(const fi_real *, int64_t);                                               \
    void fi_column_sums_##tier(const fi_real *, int64_t, int64_t, int64_t, fi_real *);             \
    void fi_double_tile_##tier(int64_t, const double *, int64_t, const double *, double *,         \
                               int64_t, bool);
#define TIER_ROW(tier)                                                                             \
    {#tier,                                                                                        \
     fi_random_words_##tier,                                                                       \
     fi_random_uniform_##tier,                                                                     \
     fi_random_normal_##tier,                                                                      \
     fi_random_below16_##tier,                                                                     \
     fi_sum_##tier,                                                                                \
     fi_sum_squares_##tier,                                                                        \
     fi_max_##tier,                                                                                \
     fi_column_sums_##tier,                                                                        \
     fi_double_tile_##tier},

TIER_DECLARE(portable)
#if defined(__x86_64__) && !defined(FANIN_REAL_DOUBLE)
TIER_DECLARE(avx2)
TIER_DECLARE(avx512)
#endif

static const struct tier all_tiers[] = {TIER_ROW(portable)
#if defined(__x86_64__) && !defined(FANIN_REAL_DOUBLE)
                                            TIER_ROW(avx2) TIER_ROW(avx512)
#endif
};

static inline bool tier_runs(const struct tier *tier) {
    fanin_ctx *ctx = test_ctx_on(1, tier->isa);
    fanin_ctx_free(ctx);
    return ctx != NULL;
}

/* for (each tier the processor has) */
#define FOR_EACH_KERNEL_TIER(t)                                                                    \
    for (const struct tier *t = all_tiers; t < all_tiers + FI_COUNT(all_tiers); t++)               \
        if (tier_runs(t))

/* Number i of a fixed stream, in [-1, 1). */
static inline fi_real test_number(uint64_t stream, int64_t i) {
    uint32_t words[4];
    fi_philox(stream, 7, (uint64_t)i, words);
    return (fi_real)(2 * fi_uniform53(words[0], words[1]) - 1);
}

static inline void assert_same_real(fi_real got, fi_real want) {
    if (memcmp(&got, &want, sizeof got) != 0)
        fail_msg("%.17g, not %.17g", (double)got, (double)want);
}

#endif
