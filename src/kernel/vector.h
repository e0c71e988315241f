/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The few vector operations the matrix kernel needs, one set per tier: load, store, broadcast,
 * fused multiply-add. FI_V_LANES numbers a vector; FI_V_ROWS rows of FI_V_COLS vectors make the
 * register tile.
 */
#ifndef FI_VECTOR_H
#define FI_VECTOR_H

#include "kernel/kernel.h"

#if defined(__AVX512F__) && !defined(FANIN_REAL_DOUBLE)
#include <immintrin.h>
typedef __m512 fi_v;
#define FI_V_LANES 16
#define FI_V_ROWS 12
#define fi_v_zero() _mm512_setzero_ps()
#define fi_v_load(p) _mm512_loadu_ps(p)
#define fi_v_store(p, v) _mm512_storeu_ps(p, v)
#define fi_v_set(s) _mm512_set1_ps(s)
#define fi_v_fma(a, b, c) _mm512_fmadd_ps(a, b, c)
/* The first n numbers, 0 <= n <= FI_V_LANES, and zeros. */
#define fi_v_first(v, n) _mm512_maskz_mov_ps((__mmask16)((1u << (n)) - 1), v)
/* Keeps an accumulator in its register: gcc 12 otherwise spills part of the tile. */
#define fi_v_pin(v) __asm__("" : "+v"(v))

#elif defined(__AVX2__) && defined(__FMA__) && !defined(FANIN_REAL_DOUBLE)
#include <immintrin.h>
typedef __m256 fi_v;
#define FI_V_LANES 8
#define FI_V_ROWS 6
#define fi_v_zero() _mm256_setzero_ps()
#define fi_v_load(p) _mm256_loadu_ps(p)
#define fi_v_store(p, v) _mm256_storeu_ps(p, v)
#define fi_v_set(s) _mm256_set1_ps(s)
#define fi_v_fma(a, b, c) _mm256_fmadd_ps(a, b, c)
#define fi_v_first(v, n)                                                                           \
    _mm256_and_ps(v, _mm256_castsi256_ps(_mm256_cmpgt_epi32(                                       \
                         _mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7))))
#define fi_v_pin(v) __asm__("" : "+x"(v))

#else
typedef fi_real fi_v;
#define FI_V_LANES 1
#define FI_V_ROWS 6
#define fi_v_zero() ((fi_real)0)
#define fi_v_load(p) (*(p))
#define fi_v_store(p, v) (*(p) = (v))
#define fi_v_set(s) (s)
#define fi_v_fma(a, b, c) fi_fma(a, b, c)
#define fi_v_first(v, n) ((n) > 0 ? (v) : 0)
#define fi_v_pin(v) ((void)0)
#endif

/* Transposes an 8 × 8 corner: dst[c][r] = src[r][c] for the first `cols` rows of dst. Rows of src
 * from `rows` on count as 0; rows of dst are always written 8 wide. */
static inline void fi_v_transpose8(const fi_real *src, int64_t ld_src, int64_t rows, fi_real *dst,
                                   int64_t ld_dst, int64_t cols) {
#if defined(__AVX2__) && !defined(FANIN_REAL_DOUBLE)
    __m256 r[8], t[8];
    if (rows >= 8) {
#pragma GCC unroll 8
        for (int i = 0; i < 8; i++) r[i] = _mm256_loadu_ps(src + i * ld_src);
    } else {
#pragma GCC unroll 8
        for (int i = 0; i < 8; i++)
            r[i] = i < rows ? _mm256_loadu_ps(src + i * ld_src) : _mm256_setzero_ps();
    }
#pragma GCC unroll 4
    for (int i = 0; i < 8; i += 2) { /* pairs of rows */
        t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
    }
#pragma GCC unroll 2
    for (int i = 0; i < 8; i += 4) { /* 4 × 4 in each half */
        r[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
        r[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
        r[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
        r[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) { /* halves change places */
        t[i] = _mm256_permute2f128_ps(r[i], r[i + 4], 0x20);
        t[i + 4] = _mm256_permute2f128_ps(r[i], r[i + 4], 0x31);
    }
    if (cols >= 8) {
#pragma GCC unroll 8
        for (int i = 0; i < 8; i++) _mm256_storeu_ps(dst + i * ld_dst, t[i]);
    } else {
#pragma GCC unroll 8
        for (int i = 0; i < 8; i++)
            if (i < cols) _mm256_storeu_ps(dst + i * ld_dst, t[i]);
    }
#else
    for (int64_t c = 0; c < cols && c < 8; c++)
        for (int64_t r = 0; r < 8; r++)
            /* NOLINTNEXTLINE(clang-analyzer-core.uninitialized.Assign): rows × cols are filled */
            dst[c * ld_dst + r] = r < rows ? src[r * ld_src + c] : 0;
#endif
}

#endif
