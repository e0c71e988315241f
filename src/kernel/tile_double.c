/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The register tile in double: all 12 × 16 at once with AVX-512, 6 × 8 of them at a time with
 * AVX2, 4 × 2 with plain scalars.
 */
#include "kernel/tile_double.h"

#if defined(__AVX512F__)
#include <immintrin.h>
typedef __m512d vec;
#define LANES 8
#define ROWS 12
#define load_vec(p) _mm512_loadu_pd(p)
#define store_vec(p, v) _mm512_storeu_pd(p, v)
#define set_vec(s) _mm512_set1_pd(s)
#define fma_vec(a, b, c) _mm512_fmadd_pd(a, b, c)
#define pin_vec(v) __asm__("" : "+v"(v)) /* gcc 12 otherwise spills part of the tile */

#elif defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>
typedef __m256d vec;
#define LANES 4
#define ROWS 6
#define load_vec(p) _mm256_loadu_pd(p)
#define store_vec(p, v) _mm256_storeu_pd(p, v)
#define set_vec(s) _mm256_set1_pd(s)
#define fma_vec(a, b, c) _mm256_fmadd_pd(a, b, c)
#define pin_vec(v) __asm__("" : "+x"(v))

#else
typedef double vec;
#define LANES 1
#define ROWS 4
#define load_vec(p) (*(p))
#define store_vec(p, v) (*(p) = (v))
#define set_vec(s) (s)
#define fma_vec(a, b, c) fma(a, b, c)
#define pin_vec(v) ((void)0)
#endif

#define VECS 2 /* a row of what is in registers */

static inline __attribute__((always_inline)) void
part(int64_t ks, const double *a, int64_t lda, const double *b, double *c, int64_t ldc, bool load) {
    vec acc[ROWS][VECS];
#pragma GCC unroll 12
    for (int r = 0; r < ROWS; r++)
#pragma GCC unroll 2
        for (int v = 0; v < VECS; v++)
            acc[r][v] = load ? load_vec(c + r * ldc + v * LANES) : set_vec(0.0);
    for (; ks > 0; ks--, a++, b += FI_DOUBLE_COLS) {
        const vec b0 = load_vec(b), b1 = load_vec(b + LANES);
#pragma GCC unroll 12
        for (int r = 0; r < ROWS; r++) {
            const vec s = set_vec(a[r * lda]);
            acc[r][0] = fma_vec(s, b0, acc[r][0]);
            pin_vec(acc[r][0]);
            acc[r][1] = fma_vec(s, b1, acc[r][1]);
            pin_vec(acc[r][1]);
        }
    }
#pragma GCC unroll 12
    for (int r = 0; r < ROWS; r++)
#pragma GCC unroll 2
        for (int v = 0; v < VECS; v++) store_vec(c + r * ldc + v * LANES, acc[r][v]);
}

void fi_double_tile(int64_t ks, const double *a, int64_t lda, const double *b, double *c,
                    int64_t ldc, bool load) {
    for (int r = 0; r < FI_DOUBLE_ROWS; r += ROWS)
        for (int col = 0; col < FI_DOUBLE_COLS; col += VECS * LANES)
            part(ks, a + r * lda, lda, b + col, c + r * ldc + col, ldc, load);
}
