/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random numbers by the block: Philox4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers:
 * as easy as 1, 2, 3", SC 2011) for 16 consecutive counters at a time, the same words as fi_philox.
 *
 * A lane holds 64 bits, of which the cipher uses the low half: the 32 × 32 → 64 bit product reads
 * the low halves and its high half is one shift away, so no lane ever has to be rearranged and what
 * piles up in the high halves is never looked at.
 *
 * Normal numbers: Box and Muller, "A note on the generation of random normal deviates", Ann. Math.
 * Stat. 29 (1958): (sqrt(-2 ln u) cos 2πv, sqrt(-2 ln u) sin 2πv), u in steps of 2^-31 centred in
 * their cells, so |x| < 6.7.
 */
#include <string.h>

#include "kernel/kernel.h"
#include "kernel/math.h"

#if defined(__SSE2__)
#include <immintrin.h>
#endif

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "words are put together in 64-bit lanes");

#if defined(__AVX512F__)
#define LANES 8
typedef uint64_t lanes __attribute__((vector_size(64)));
#define low_product(a, b) ((lanes)_mm512_mul_epu32((__m512i)(a), (__m512i)(b)))
#elif defined(__AVX2__)
#define LANES 4
typedef uint64_t lanes __attribute__((vector_size(32)));
#define low_product(a, b) ((lanes)_mm256_mul_epu32((__m256i)(a), (__m256i)(b)))
#elif defined(__SSE2__)
#define LANES 2
typedef uint64_t lanes __attribute__((vector_size(16)));
#define low_product(a, b) ((lanes)_mm_mul_epu32((__m128i)(a), (__m128i)(b)))
#else
#define LANES 2
typedef uint64_t lanes __attribute__((vector_size(16)));
#define low_product(a, b) (((a)&LOW) * (b))
#endif

#define LOW UINT64_C(0xffffffff)
#define BLOCKS 16          /* counters at a time */
#define WORDS (4 * BLOCKS) /* words they give */
#define CHUNK (8 * WORDS)  /* words of stack scratch */

/* Vectors worked on together, enough to hide the multiplier's latency. */
#define VECTORS 2

/* The words of VECTORS * LANES counters, two to a number. */
static inline void some_blocks(uint64_t key, uint64_t step, uint64_t block, uint64_t *out) {
    lanes zero = {0}, index = zero;
    for (int i = 0; i < LANES; i++) index[i] = (uint64_t)i;
    lanes c0[VECTORS], c1[VECTORS], c2[VECTORS], c3[VECTORS];
    for (int v = 0; v < VECTORS; v++) {
        c0[v] = index + (block + (uint64_t)(v * LANES));
        c1[v] = c0[v] >> 32;
        c2[v] = zero + step;
        c3[v] = zero + (step >> 32);
    }
    const lanes m0 = zero + 0xD2511F53u, m1 = zero + 0xCD9E8D57u;
    lanes k0 = zero + key, k1 = zero + (key >> 32);
    for (int round = 0; round < 10; round++) {
        for (int v = 0; v < VECTORS; v++) {
            const lanes p0 = low_product(c0[v], m0), p1 = low_product(c2[v], m1);
            c0[v] = (p1 >> 32) ^ c1[v] ^ k0;
            c2[v] = (p0 >> 32) ^ c3[v] ^ k1;
            c1[v] = p1;
            c3[v] = p0;
        }
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    uint64_t first[VECTORS * LANES], second[VECTORS * LANES];
    for (int v = 0; v < VECTORS; v++) {
        const lanes w01 = (c0[v] & LOW) | c1[v] << 32, w23 = (c2[v] & LOW) | c3[v] << 32;
        memcpy(first + v * LANES, &w01, sizeof w01);
        memcpy(second + v * LANES, &w23, sizeof w23);
    }
    for (int i = 0; i < VECTORS * LANES; i++) {
        out[2 * i] = first[i];
        out[2 * i + 1] = second[i];
    }
}

/* The words of BLOCKS counters. */
static inline void words_of_blocks(uint64_t key, uint64_t step, uint64_t block, uint32_t *out) {
    uint64_t pairs[WORDS / 2];
    for (int i = 0; i < BLOCKS; i += VECTORS * LANES)
        some_blocks(key, step, block + (uint64_t)i, pairs + 2 * i);
    memcpy(out, pairs, sizeof pairs);
}

void fi_random_words(uint64_t key, uint64_t step, int64_t first, int64_t n, uint32_t *out) {
    while (n > 0) {
        const uint64_t block = (uint64_t)first / 4;
        const int64_t skip = first % 4, count = FI_MIN(WORDS - skip, n);
        if (count == WORDS) {
            words_of_blocks(key, step, block, out);
        } else {
            uint32_t words[WORDS];
            words_of_blocks(key, step, block, words);
            memcpy(out, words + skip, (size_t)count * sizeof *out);
        }
        first += count, out += count, n -= count;
    }
}

void fi_random_uniform(uint64_t key, uint64_t step, int64_t first, int64_t n, fi_real *out) {
    uint32_t words[CHUNK];
    while (n > 0) {
        const int64_t count = FI_MIN(CHUNK, n);
        fi_random_words(key, step, first, count, words);
        /* 24 bits are positive as int32_t too, which every tier converts directly */
        for (int64_t i = 0; i < count; i++)
            out[i] = (fi_real)(int32_t)(words[i] >> 8) * (fi_real)0x1p-24;
        first += count, out += count, n -= count;
    }
}

static inline void box_muller(const uint32_t *words, fi_real *x, fi_real *y) {
    const fi_real u = fi_fma((fi_real)(int32_t)(words[0] >> 1), (fi_real)0x1p-31, (fi_real)0x1p-32);
    const fi_real v = (fi_real)(int32_t)(words[1] >> 8) * (fi_real)0x1p-24;
    const fi_real radius = fi_sqrt(-2 * fi_r_log(u));
    fi_real sine, cosine;
    fi_r_sincos2pi(v, &sine, &cosine);
    *x = radius * cosine;
    *y = radius * sine;
}

void fi_random_normal(uint64_t key, uint64_t step, int64_t first, int64_t n, fi_real *out) {
    uint32_t words[CHUNK];
    while (n > 0) {
        const int64_t count = FI_MIN(CHUNK, n), pairs = count / 2;
        fi_random_words(key, step, first, 2 * ((count + 1) / 2), words);
        for (int64_t i = 0; i < pairs; i++) box_muller(words + 2 * i, out + 2 * i, out + 2 * i + 1);
        if (count & 1) {
            fi_real unused;
            box_muller(words + count - 1, out + count - 1, &unused);
        }
        first += count, out += count, n -= count;
    }
}

void fi_random_below16(uint64_t key, uint64_t step, int64_t first, int64_t n, uint32_t threshold,
                       uint8_t *keep) {
    if (threshold == 0 || threshold > UINT16_MAX) {
        memset(keep, threshold == 0, (size_t)n);
        return;
    }
    union {
        uint32_t words[CHUNK];
        uint16_t halves[2 * CHUNK];
    } random;
    const uint16_t limit = (uint16_t)threshold;
    while (n > 0) {
        /* from the beginning of a block on, so that no word is copied */
        const int64_t skip = first % 8, count = FI_MIN(2 * CHUNK - skip, n);
        fi_random_words(key, step, (first - skip) / 2, (skip + count + 1) / 2, random.words);
        const uint16_t *halves = random.halves + skip;
        for (int64_t i = 0; i < count; i++) keep[i] = halves[i] >= limit;
        first += count, keep += count, n -= count;
    }
}
