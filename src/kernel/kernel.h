/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The arithmetic floor. Every source of src/kernel, op, loss, init, reg and optim is compiled once
 * per processor tier with FI_TIER = avx512 | avx2 | portable; the macro FI_T gives its external
 * names the tier as a suffix, so such files call each other directly, and records come in one table
 * per tier. Code outside these folders reaches the tier in use through ctx->kernels.
 *
 * All tiers compute the same bits: FMA only where fi_fma is written, sums in an order that depends
 * on the shape alone (docs/numerics.md).
 */
#ifndef FI_KERNEL_H
#define FI_KERNEL_H

#include <fanin/bench.h>
#include <math.h>

#include "base/base.h"

#ifdef FI_TIER
#define FI_T_PASTE2(name, tier) name##_##tier
#define FI_T_PASTE(name, tier) FI_T_PASTE2(name, tier)
#define FI_T(name) FI_T_PASTE(name, FI_TIER)
#endif

#ifdef FANIN_REAL_DOUBLE
#define fi_fma fma
#define fi_abs fabs
#define fi_sqrt sqrt
#else
#define fi_fma fmaf
#define fi_abs fabsf
#define fi_sqrt sqrtf
#endif

/* Before a loop that works element by element, whose arrays may be the same but never overlap
 * otherwise: without it the compilers' overlap test sends work in place to the scalar loop. */
#if defined(__clang__)
#define FI_IVDEP _Pragma("clang loop vectorize(assume_safety)")
#else
#define FI_IVDEP _Pragma("GCC ivdep")
#endif

/* How many blocks of `size` n numbers make, the last perhaps not full. */
static inline int64_t fi_blocks(int64_t n, int64_t size) {
    return (n + size - 1) / size;
}

/* Lanes of a padded row, and of a weight panel. */
#define FI_LANES 16
#define FI_PANEL 32

/* Row stride for `cols` numbers: a multiple of 16 that is not a multiple of 512 bytes, so that the
 * cells of a column do not fall into a few sets of the first-level cache. */
static inline int64_t fi_row_stride(int64_t cols) {
    int64_t ld = (cols + FI_LANES - 1) / FI_LANES * FI_LANES;
    if ((ld * (int64_t)sizeof(fi_real)) % 512 == 0) ld += FI_LANES;
    return ld;
}

/* ---- weight panels: [out/32][in][32]; the last panel is 16 wide where 16 suffice -------------- */

static inline int64_t fi_panels(int64_t out) {
    return fi_blocks(out, FI_PANEL);
}
/* Lanes of panel p. */
static inline int64_t fi_panel_width(int64_t out, int64_t p) {
    return out - p * FI_PANEL <= FI_LANES ? FI_LANES : FI_PANEL;
}
/* Numbers in the whole layout. */
static inline int64_t fi_panel_size(int64_t out, int64_t in) {
    return ((out + FI_LANES - 1) / FI_LANES * FI_LANES) * in;
}
/* Where element (o, i) of the matrix (out, in) stands. */
static inline int64_t fi_panel_index(int64_t out, int64_t in, int64_t o, int64_t i) {
    int64_t p = o / FI_PANEL;
    return p * FI_PANEL * in + i * fi_panel_width(out, p) + o % FI_PANEL;
}

/* A product as `fanin bench` measures it: y and dw read x, dx writes it; y writes y, the others
 * read it as dy. w in panels (outputs, inputs). */
struct fi_product {
    enum fanin_product kind;
    int64_t batch, outputs, inputs;
    fi_real *x, *y, *w, *scratch; /* scratch: product_scratch() numbers */
    int64_t ldx, ldy;
};

/* ---- the table for code that is not compiled per tier ----------------------------------------- */

struct fi_kernels {
    const char *isa;
    /* y[r][j] = (x[index[r]][j] - shift[j]) * scale[j] */
    void (*gather_u8)(const uint8_t *x, int64_t cols, const int64_t *index, int64_t n,
                      const float *shift, const float *scale, fi_real *y, int64_t ldy);
    void (*gather_f32)(const float *x, int64_t cols, const int64_t *index, int64_t n,
                       const float *shift, const float *scale, fi_real *y, int64_t ldy);
    void (*add)(fi_real *y, const fi_real *x, int64_t n); /* y += x */
    void (*scale)(fi_real *y, fi_real a, int64_t n);      /* y *= a */
    void (*clip)(fi_real *y, fi_real a, int64_t n);       /* y = min(max(y, -a), a); NaN stays */
    void (*blend)(fi_real *y, fi_real a, const fi_real *x, int64_t n); /* y += a (x - y) */
    double (*sum_squares)(const fi_real *x, int64_t n);                /* in double, fixed order */
    bool (*all_finite)(const fi_real *x, int64_t n);
    /* Standard normal numbers first .. first+n-1, first even, of the stream (key, step). */
    void (*random_normal)(uint64_t key, uint64_t step, int64_t first, int64_t n, fi_real *out);
    /* One number of Beta(alpha, alpha), keyed by (key, step). */
    double (*random_beta)(uint64_t key, uint64_t step, double alpha);
    /* g[i] *= 1 + eps * U(-1, 1), number i keyed by (key, step, first + i) */
    void (*rounding_noise)(fi_real *g, int64_t n, fi_real eps, uint64_t key, uint64_t step,
                           int64_t first);
    /* What the machine can do (limits.c). `rounds` rounds of multiply-adds in registers; the
     * operations done. */
    double (*chains)(int64_t rounds, fi_real *sink);
    /* Reads x, multiples of 128 numbers of it. */
    void (*read)(const fi_real *x, int64_t n, fi_real *sink);
    int64_t (*product_scratch)(const struct fi_product *p);
    void (*product)(fanin_ctx *ctx, const struct fi_product *p);
};
extern const struct fi_kernels fi_kernels_portable, fi_kernels_avx2, fi_kernels_avx512;

/* Arrays in the layout of a parameter: what an update reads and writes. */
struct fi_touched {
    const fi_real *arrays[4];
    int n;
};

#ifdef FI_TIER

/* ---- random numbers by the block --------------------------------------------------------------- */

/* Words first .. first+n-1 of the stream (key, step): word w is out[w % 4] of fi_philox(key, step,
 * w / 4). */
#define fi_random_words FI_T(fi_random_words)
void fi_random_words(uint64_t key, uint64_t step, int64_t first, int64_t n, uint32_t *out);
/* Uniform in [0, 1): number i is (word i >> 8) * 2^-24. */
#define fi_random_uniform FI_T(fi_random_uniform)
void fi_random_uniform(uint64_t key, uint64_t step, int64_t first, int64_t n, fi_real *out);
/* Dropout's mask, a bit a number, lowest first: bit i of `keep` is set if the number first + i is
 * kept. Number j uses 16-bit half (j & 1) of word (j >> 1) and is kept if that is >= threshold,
 * which is 0 (keeps all) to 65536 (drops all). The bits behind the last in its byte mean nothing.
 */
#define fi_random_below16 FI_T(fi_random_below16)
void fi_random_below16(uint64_t key, uint64_t step, int64_t first, int64_t n, uint32_t threshold,
                       uint8_t *keep);
/* Standard normal by Box-Muller; numbers 2i and 2i+1 come from words 2i and 2i+1. first is even. */
#define fi_random_normal FI_T(fi_random_normal)
void fi_random_normal(uint64_t key, uint64_t step, int64_t first, int64_t n, fi_real *out);

/* One number of Beta(alpha, alpha), alpha > 0. */
#define fi_random_beta FI_T(fi_random_beta)
double fi_random_beta(uint64_t key, uint64_t step, double alpha);

/* ---- reductions --------------------------------------------------------------------------------- */

/* Sum of n numbers: 16 lanes, then a fixed tree. */
#define fi_sum FI_T(fi_sum)
fi_real fi_sum(const fi_real *x, int64_t n);
/* In double, 16 lanes, then a fixed tree. */
#define fi_sum_squares FI_T(fi_sum_squares)
double fi_sum_squares(const fi_real *x, int64_t n);
#define fi_max FI_T(fi_max)
fi_real fi_max(const fi_real *x, int64_t n); /* NaN if any is NaN */
/* sum[j] = Σ_r x[r][j], chunks of 32 rows summed in order, the chunks by a binary tree. */
#define fi_column_sums FI_T(fi_column_sums)
void fi_column_sums(const fi_real *x, int64_t rows, int64_t cols, int64_t ld, fi_real *sum);

/* ---- matrix products (gemm.c) -------------------------------------------------------------------- */

/* Called when rows [row0, row0+rows) × cols [col0, col0+cols) of the product are finished, on the
 * thread that finished them, while they are in cache. */
typedef void (*fi_block_fn)(void *arg, int64_t row0, int64_t rows, int64_t col0, int64_t cols);
/* Called with the finished gradient of weights [offset, offset + n) of the panel layout. */
typedef void (*fi_range_fn)(void *arg, int64_t offset, int64_t n, fi_real *g);

/* Numbers of scratch that the products of a layer take. */
#define fi_product_scratch FI_T(fi_product_scratch)
int64_t fi_product_scratch(int64_t m, int64_t out, int64_t in);
/* y (m × out, ldy) = x (m × in, ldx) · wᵀ, w in panels (out, in). With scratch, zeros in x are
 * looked for and skipped; NULL: not. */
#define fi_product_y FI_T(fi_product_y)
void fi_product_y(fanin_ctx *ctx, int64_t m, int64_t out, int64_t in, const fi_real *x, int64_t ldx,
                  const fi_real *w, fi_real *y, int64_t ldy, fi_real *scratch, fi_block_fn done,
                  void *arg);
/* dx (m × in, lddx) = dy (m × out, lddy) · w; zeros in dy may be skipped. */
#define fi_product_dx FI_T(fi_product_dx)
void fi_product_dx(fanin_ctx *ctx, int64_t m, int64_t out, int64_t in, const fi_real *dy,
                   int64_t lddy, const fi_real *w, fi_real *dx, int64_t lddx, fi_real *scratch,
                   fi_block_fn done, void *arg);
/* dw (out, in) = dyᵀ · x, handed tile by tile to `emit` in the panel layout (lanes beyond out are
 * 0). What emit will touch at the same offsets is fetched meanwhile. With scratch, zeros in x are
 * looked for and skipped; NULL: not. */
#define fi_product_dw FI_T(fi_product_dw)
void fi_product_dw(fanin_ctx *ctx, int64_t m, int64_t out, int64_t in, const fi_real *dy,
                   int64_t lddy, const fi_real *x, int64_t ldx, fi_real *scratch,
                   const struct fi_touched *touched, fi_range_fn emit, void *arg);

/* Both in one pass over the weights, where that is what takes time: few rows, many weights.
 * `touched` may not be NULL; emit may change w. Results are those of the two products. */
#define fi_product_back_suits FI_T(fi_product_back_suits)
bool fi_product_back_suits(int64_t m, int64_t out, int64_t in);
#define fi_product_back FI_T(fi_product_back)
void fi_product_back(fanin_ctx *ctx, int64_t m, int64_t out, int64_t in, const fi_real *dy,
                     int64_t lddy, const fi_real *x, int64_t ldx, const fi_real *w, fi_real *dx,
                     int64_t lddx, fi_real *scratch, const struct fi_touched *touched,
                     fi_block_fn done, fi_range_fn emit, void *arg);

#endif /* FI_TIER */
#endif
