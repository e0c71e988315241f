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
#define even_lanes(a, b) ((lanes)_mm512_unpacklo_epi64((__m512i)(a), (__m512i)(b)))
#define odd_lanes(a, b) ((lanes)_mm512_unpackhi_epi64((__m512i)(a), (__m512i)(b)))
#elif defined(__AVX2__)
#define LANES 4
typedef uint64_t lanes __attribute__((vector_size(32)));
#define low_product(a, b) ((lanes)_mm256_mul_epu32((__m256i)(a), (__m256i)(b)))
#define even_lanes(a, b) ((lanes)_mm256_unpacklo_epi64((__m256i)(a), (__m256i)(b)))
#define odd_lanes(a, b) ((lanes)_mm256_unpackhi_epi64((__m256i)(a), (__m256i)(b)))
#elif defined(__SSE2__)
#define LANES 2
typedef uint64_t lanes __attribute__((vector_size(16)));
#define low_product(a, b) ((lanes)_mm_mul_epu32((__m128i)(a), (__m128i)(b)))
#define even_lanes(a, b) ((lanes)_mm_unpacklo_epi64((__m128i)(a), (__m128i)(b)))
#define odd_lanes(a, b) ((lanes)_mm_unpackhi_epi64((__m128i)(a), (__m128i)(b)))
#else
#define LANES 2
typedef uint64_t lanes __attribute__((vector_size(16)));
#define low_product(a, b) (((a)&LOW) * (b))
#define even_lanes(a, b) ((lanes){(a)[0], (b)[0]})
#define odd_lanes(a, b) ((lanes){(a)[1], (b)[1]})
#endif

#define LOW UINT64_C(0xffffffff)
#define BLOCKS 32          /* counters at a time */
#define WORDS (4 * BLOCKS) /* words they give */
#define CHUNK (8 * WORDS)  /* words of stack scratch */
#define ROUNDS 10

/* Vectors worked on together, enough to hide the multiplier's latency. */
#define VECTORS 4

/* The cipher's key in each round. */
struct keys {
    uint64_t k0[ROUNDS], k1[ROUNDS];
};

static inline void make_keys(uint64_t key, struct keys *keys) {
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    for (int round = 0; round < ROUNDS; round++) {
        keys->k0[round] = k0;
        keys->k1[round] = k1;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
}

/* The words of VECTORS * LANES counters, two to a number. Even lanes hold the first half of a
 * vector's counters and odd lanes the second, as that is how words are taken from them. */
static inline void some_blocks(const struct keys *keys, uint64_t step, uint64_t block,
                               uint32_t *out) {
    lanes zero = {0}, index = zero;
    for (int i = 0; i < LANES; i++) index[i] = (uint64_t)(i / 2 + i % 2 * (LANES / 2));
    lanes c0[VECTORS], c1[VECTORS], c2[VECTORS], c3[VECTORS];
    for (int v = 0; v < VECTORS; v++) {
        c0[v] = index + (block + (uint64_t)(v * LANES));
        c1[v] = c0[v] >> 32;
        c2[v] = zero + step;
        c3[v] = zero + (step >> 32);
    }
    const lanes m0 = zero + 0xD2511F53u, m1 = zero + 0xCD9E8D57u;
#pragma GCC unroll 10
    for (int round = 0; round < ROUNDS; round++) {
        const lanes k0 = zero + keys->k0[round], k1 = zero + keys->k1[round];
        for (int v = 0; v < VECTORS; v++) {
            const lanes p0 = low_product(c0[v], m0), p1 = low_product(c2[v], m1);
            c0[v] = (p1 >> 32) ^ c1[v] ^ k0;
            c2[v] = (p0 >> 32) ^ c3[v] ^ k1;
            c1[v] = p1;
            c3[v] = p0;
        }
    }
    for (int v = 0; v < VECTORS; v++) {
        const lanes w01 = (c0[v] & LOW) | c1[v] << 32, w23 = (c2[v] & LOW) | c3[v] << 32;
        const lanes even = even_lanes(w01, w23), odd = odd_lanes(w01, w23);
        memcpy(out + 4 * v * LANES, &even, sizeof even);
        memcpy(out + (4 * v + 2) * LANES, &odd, sizeof odd);
    }
}

/* The words of BLOCKS counters. */
static inline void words_of_blocks(const struct keys *keys, uint64_t step, uint64_t block,
                                   uint32_t *out) {
    for (int i = 0; i < BLOCKS; i += VECTORS * LANES)
        some_blocks(keys, step, block + (uint64_t)i, out + 4 * i);
}

void fi_random_words(uint64_t key, uint64_t step, int64_t first, int64_t n, uint32_t *out) {
    struct keys keys;
    make_keys(key, &keys);
    while (n > 0) {
        const uint64_t block = (uint64_t)first / 4;
        const int64_t skip = first % 4, count = FI_MIN(WORDS - skip, n);
        if (count == WORDS) {
            words_of_blocks(&keys, step, block, out);
        } else {
            uint32_t words[WORDS];
            words_of_blocks(&keys, step, block, words);
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

/* Bit i: halves[i] >= limit; 32 of them. */
static inline uint32_t at_least(const uint16_t *halves, uint16_t limit) {
#if defined(__AVX512BW__)
    return _mm512_cmpge_epu16_mask(_mm512_loadu_si512(halves), _mm512_set1_epi16((int16_t)limit));
#elif defined(__AVX2__)
    const __m256i low = _mm256_loadu_si256((const __m256i *)(const void *)halves);
    const __m256i high = _mm256_loadu_si256((const __m256i *)(const void *)(halves + 16));
    const __m256i least = _mm256_set1_epi16((int16_t)limit);
    const __m256i both =
        _mm256_packs_epi16(_mm256_cmpeq_epi16(_mm256_max_epu16(low, least), low),
                           _mm256_cmpeq_epi16(_mm256_max_epu16(high, least), high));
    return (uint32_t)_mm256_movemask_epi8(_mm256_permute4x64_epi64(both, 0xd8));
#elif defined(__SSE2__)
    uint32_t bits = 0;
    for (int i = 0; i < 32; i += 16) {
        const __m128i *at = (const __m128i *)(const void *)(halves + i);
        const __m128i least = _mm_set1_epi16((int16_t)limit), zero = _mm_setzero_si128();
        const __m128i low = _mm_subs_epu16(least, _mm_loadu_si128(at));
        const __m128i high = _mm_subs_epu16(least, _mm_loadu_si128(at + 1));
        const __m128i both =
            _mm_packs_epi16(_mm_cmpeq_epi16(low, zero), _mm_cmpeq_epi16(high, zero));
        bits |= (uint32_t)_mm_movemask_epi8(both) << i;
    }
    return bits;
#else
    uint32_t bits = 0;
    for (int i = 0; i < 32; i++) bits |= (uint32_t)(halves[i] >= limit) << i;
    return bits;
#endif
}

void fi_random_below16(uint64_t key, uint64_t step, int64_t first, int64_t n, uint32_t threshold,
                       uint8_t *keep) {
    if (threshold == 0 || threshold > UINT16_MAX) {
        memset(keep, threshold == 0 ? 0xff : 0, (size_t)(n + 7) / 8);
        return;
    }
    union {
        uint32_t words[CHUNK + 16];
        uint16_t halves[2 * CHUNK + 32];
    } random;
    const uint16_t limit = (uint16_t)threshold;
    while (n > 0) {
        /* from the beginning of a block on, so that no word is copied */
        const int64_t skip = first % 8, count = FI_MIN(2 * CHUNK, n);
        uint32_t bits[2 * CHUNK / 32];
        fi_random_words(key, step, (first - skip) / 2, (skip + count + 1) / 2, random.words);
        for (int64_t i = 0; i < count; i += 32)
            bits[i / 32] = at_least(random.halves + skip + i, limit);
        memcpy(keep, bits, (size_t)(count + 7) / 8);
        first += count, keep += count / 8, n -= count;
    }
}
