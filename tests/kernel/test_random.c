/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random blocks against what defines them: words against fi_philox and Random123, the others
 * against a restatement from those words; any part of a stream equals the same part of the whole;
 * all on every tier.
 */
#include <Random123/philox.h>

#include "kernel/math.h"
#include "tiers.h"

#define N 3001

static const uint64_t keys[] = {0, 1, 0xFFFFFFFFFFFFFFFF, 0x0123456789ABCDEF};
static const uint64_t steps[] = {0, 3, 0xFEDCBA9876543210};
/* unaligned, across a carry into the second counter word, and far out */
static const int64_t firsts[] = {
    0, 1, 2, 3, 62, 63, 64, 67, 17179869184 - 30, 17179869184 + 5, INT64_MAX / 2 - 5000};
static const int64_t counts[] = {0, 1, 2, 3, 4, 5, 61, 63, 64, 65, 127, 128, 130, 511, 512, 513, N};

static uint32_t word(uint64_t key, uint64_t step, int64_t index) {
    uint32_t out[4];
    fi_philox(key, step, (uint64_t)index / 4, out);
    return out[index % 4];
}

static void words_are_philox(void **state) {
    (void)state;
    static uint32_t out[N + 1];
    FOR_EACH_KERNEL_TIER(t)
    for (int k = 0; k < FI_COUNT(keys); k++)
        for (int s = 0; s < FI_COUNT(steps); s++)
            for (int f = 0; f < FI_COUNT(firsts); f++)
                for (int c = 0; c < FI_COUNT(counts); c++) {
                    const int64_t n = counts[c];
                    out[n] = 0xA5A5A5A5;
                    t->words(keys[k], steps[s], firsts[f], n, out);
                    assert_int_equal(out[n], 0xA5A5A5A5);
                    const int64_t stride = n > 130 ? 13 : 1;
                    for (int64_t i = 0; i < n; i += stride)
                        assert_int_equal(out[i], word(keys[k], steps[s], firsts[f] + i));
                }
}

static void words_are_random123(void **state) {
    (void)state;
    uint32_t out[4096];
    FOR_EACH_KERNEL_TIER(t) {
        t->words(0x1122334455667788, 0x99AABBCCDDEEFF00, 4 * ((int64_t)1 << 32) - 2048, 4096, out);
        for (uint64_t b = 0; b < 1024; b++) {
            const uint64_t block = ((uint64_t)1 << 32) - 512 + b;
            philox4x32_ctr_t counter = {
                {(uint32_t)block, (uint32_t)(block >> 32), 0xDDEEFF00, 0x99AABBCC}};
            philox4x32_key_t key = {{0x55667788, 0x11223344}};
            philox4x32_ctr_t theirs = philox4x32_R(10, counter, key);
            assert_memory_equal(out + 4 * b, theirs.v, sizeof theirs.v);
        }
    }
}

static void uniform_numbers(void **state) {
    (void)state;
    static fi_real out[N];
    FOR_EACH_KERNEL_TIER(t)
    for (int f = 0; f < FI_COUNT(firsts); f++)
        for (int c = 0; c < FI_COUNT(counts); c++) {
            t->uniform(keys[3], 5, firsts[f], counts[c], out);
            for (int64_t i = 0; i < counts[c]; i++)
                assert_same_real(out[i], (fi_real)(word(keys[3], 5, firsts[f] + i) >> 8) *
                                             (fi_real)0x1p-24);
        }
}

static fi_real normal(uint64_t key, uint64_t step, int64_t index) {
    const int64_t even = index - index % 2;
    const fi_real u =
        fi_fma((fi_real)(word(key, step, even) >> 1), (fi_real)0x1p-31, (fi_real)0x1p-32);
    const fi_real v = (fi_real)(word(key, step, even + 1) >> 8) * (fi_real)0x1p-24;
    fi_real sine, cosine;
    fi_r_sincos2pi(v, &sine, &cosine);
    return fi_sqrt(-2 * fi_r_log(u)) * (index % 2 ? sine : cosine);
}

static void normal_numbers(void **state) {
    (void)state;
    static fi_real out[N + 1];
    FOR_EACH_KERNEL_TIER(t)
    for (int f = 0; f < FI_COUNT(firsts); f++) {
        if (firsts[f] % 2) continue;
        for (int c = 0; c < FI_COUNT(counts); c++) {
            const int64_t n = counts[c];
            out[n] = 42;
            t->normal(keys[3], 6, firsts[f], n, out);
            assert_same_real(out[n], 42);
            for (int64_t i = 0; i<n; i += n> 130 ? 13 : 1)
                assert_same_real(out[i], normal(keys[3], 6, firsts[f] + i));
        }
    }
}

/* The first four moments of 10^6 normal numbers, within five standard errors. */
static void normal_moments(void **state) {
    (void)state;
    enum { DRAWS = 1000000 };
    fi_real *x = malloc(DRAWS * sizeof *x);
    assert_non_null(x);
    const struct tier *fastest = all_tiers;
    FOR_EACH_KERNEL_TIER(t) fastest = t;
    fastest->normal(11, 0, 0, DRAWS, x);
    double m[4] = {0}, largest = 0;
    for (int i = 0; i < DRAWS; i++) {
        const double v = (double)x[i];
        m[0] += v, m[1] += v * v, m[2] += v * v * v, m[3] += v * v * v * v;
        largest = fmax(largest, fabs(v));
    }
    const double n = DRAWS;
    assert_true(fabs(m[0] / n) < 5 * sqrt(1 / n));
    assert_true(fabs(m[1] / n - 1) < 5 * sqrt(2 / n));
    assert_true(fabs(m[2] / n) < 5 * sqrt(15 / n));
    assert_true(fabs(m[3] / n - 3) < 5 * sqrt(96 / n));
    assert_true(largest > 4 && largest < 6.7);
    free(x);
}

static void masks(void **state) {
    (void)state;
    static const uint32_t thresholds[] = {0, 1, 100, 13107, 32768, 65535, 65536};
    static uint8_t keep[(N + 7) / 8 + 1];
    FOR_EACH_KERNEL_TIER(t)
    for (int f = 0; f < FI_COUNT(firsts); f++)
        for (int c = 0; c < FI_COUNT(counts); c++)
            for (int h = 0; h < FI_COUNT(thresholds); h++) {
                const int64_t n = counts[c];
                keep[(n + 7) / 8] = 42;
                t->below16(keys[3], 9, firsts[f], n, thresholds[h], keep);
                assert_int_equal(keep[(n + 7) / 8], 42);
                for (int64_t i = 0; i<n; i += n> 130 ? 13 : 1) {
                    const int64_t index = firsts[f] + i;
                    const uint32_t w = word(keys[3], 9, index / 2);
                    const uint32_t half = index % 2 ? w >> 16 : w & 0xFFFF;
                    assert_int_equal(keep[i / 8] >> i % 8 & 1, half >= thresholds[h]);
                }
            }
}

static struct CMUnitTest tests[] = {
    cmocka_unit_test(words_are_philox), cmocka_unit_test(words_are_random123),
    cmocka_unit_test(uniform_numbers),  cmocka_unit_test(normal_numbers),
    cmocka_unit_test(normal_moments),   cmocka_unit_test(masks),
};

int main(void) {
    return test_main(tests);
}
