/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reductions in an order that depends on the shape alone.
 *
 *   along a row   16 lanes, lane l takes numbers l, l + 16, ..., in order (a short end fills the
 *                 first lanes); then lanes l and l + 8, l and l + 4, ... are joined
 *   down columns  chunks of 32 rows in order; chunks are joined by a binary tree: two runs of 2^k
 *                 chunks that stand side by side make one of 2^(k+1), the rest from the right
 */
#include <string.h>

#include "kernel/kernel.h"

/* Rows of fewer numbers than lanes are the rule in a small net: the lanes that got none are 0 and
 * change nothing, so they are left out. */
static fi_real short_sum(const fi_real *x, int64_t n) {
    fi_real s[FI_LANES] = {0};
    int64_t half = 1;
    if (n < 1) return 0;
    while (2 * half < n) half *= 2;
    for (int64_t l = 0; l < half; l++) s[l] = (0 + x[l]) + (l + half < n ? x[l + half] : 0);
    for (half /= 2; half > 0; half /= 2)
        for (int64_t l = 0; l < half; l++) s[l] += s[l + half];
    return s[0];
}

fi_real fi_sum(const fi_real *x, int64_t n) {
    fi_real s[FI_LANES] = {0};
    int64_t i = 0;
    if (n == 1) return 0 + x[0];
    if (n <= FI_LANES) return short_sum(x, n);
    for (; i + FI_LANES <= n; i += FI_LANES)
        for (int l = 0; l < FI_LANES; l++) s[l] += x[i + l];
    for (int l = 0; i + l < n; l++) s[l] += x[i + l];
    for (int half = FI_LANES / 2; half > 0; half /= 2)
        for (int l = 0; l < half; l++) s[l] += s[l + half];
    return s[0];
}

/* The square of a float is exact in double. */
double fi_sum_squares(const fi_real *x, int64_t n) {
    double s[FI_LANES] = {0};
    int64_t i = 0;
    for (; i + FI_LANES <= n; i += FI_LANES)
        for (int l = 0; l < FI_LANES; l++) s[l] += (double)x[i + l] * (double)x[i + l];
    for (int l = 0; i + l < n; l++) s[l] += (double)x[i + l] * (double)x[i + l];
    for (int half = FI_LANES / 2; half > 0; half /= 2)
        for (int l = 0; l < half; l++) s[l] += s[l + half];
    return s[0];
}

/* Lanes of a maximum, which has no rounding to keep in order: more than gcc unrolls, as it does not
 * put unrolled selects back into vectors. */
#define MAX_LANES 32

/* Comparisons pass NaN by, so it is looked for apart: the sum of 0 x is NaN if any number is not
 * finite, in which case a second look tells. */
fi_real fi_max(const fi_real *x, int64_t n) {
    fi_real m[MAX_LANES], odd[MAX_LANES] = {0}, max = -(fi_real)INFINITY, any = 0;
    int64_t i = 0;
    if (n >= MAX_LANES) {
        memcpy(m, x, sizeof m);
        for (; i + MAX_LANES <= n; i += MAX_LANES)
            for (int l = 0; l < MAX_LANES; l++) {
                m[l] = x[i + l] > m[l] ? x[i + l] : m[l];
                odd[l] = fi_fma(x[i + l], 0, odd[l]);
            }
        for (int l = 0; l < MAX_LANES; l++) {
            max = m[l] > max ? m[l] : max;
            any += odd[l];
        }
    }
    for (; i < n; i++) {
        max = x[i] > max ? x[i] : max;
        any = fi_fma(x[i], 0, any);
    }
    if (any == 0) return max;
    for (i = 0; i < n; i++)
        if (x[i] != x[i]) return x[i];
    return max;
}

/* ---- down columns ---------------------------------------------------------------- */

#define CHUNK 32  /* rows */
#define STRIP 64  /* columns at a time: four cache lines of each row, and a bounded stack */
#define LEVELS 60 /* of the tree; 2^59 chunks do not fit in memory */

/* acc[l] = Σ over the rows of one chunk, of 16 columns: they stay in registers. */
static void chunk_lanes(const fi_real *x, int64_t rows, int64_t ld, fi_real *acc) {
    fi_real s[FI_LANES] = {0};
    for (int64_t r = 0; r < rows; r++, x += ld)
        for (int l = 0; l < FI_LANES; l++) s[l] += x[l];
    for (int l = 0; l < FI_LANES; l++) acc[l] = s[l];
}

static void chunk_sums(const fi_real *x, int64_t rows, int64_t cols, int64_t ld, fi_real *acc) {
    int64_t j = 0;
    for (; j + FI_LANES <= cols; j += FI_LANES) chunk_lanes(x + j, rows, ld, acc + j);
    for (; j < cols; j++) {
        acc[j] = 0;
        for (int64_t r = 0; r < rows; r++) acc[j] += x[r * ld + j];
    }
}

/* left = left + right */
static void join(fi_real *restrict left, const fi_real *restrict right, int64_t cols) {
    for (int64_t j = 0; j < cols; j++) left[j] += right[j];
}

static void strip_sums(const fi_real *x, int64_t rows, int64_t cols, int64_t ld, fi_real *sum) {
    /* Runs waiting for a neighbour, widest first; bit k of `chunks` says that one of 2^k waits. */
    fi_real waiting[LEVELS][STRIP];
    int n = 0;
    int64_t chunks = 0;
    for (int64_t r = 0; r < rows; r += CHUNK) {
        chunk_sums(x + r * ld, FI_MIN(CHUNK, rows - r), cols, ld, waiting[n++]);
        for (int64_t bits = chunks++; bits & 1; bits >>= 1, n--)
            join(waiting[n - 2], waiting[n - 1], cols);
    }
    for (; n > 1; n--) join(waiting[n - 2], waiting[n - 1], cols);
    memcpy(sum, waiting[0], (size_t)cols * sizeof *sum);
}

void fi_column_sums(const fi_real *x, int64_t rows, int64_t cols, int64_t ld, fi_real *sum) {
    if (rows <= CHUNK) {
        chunk_sums(x, rows, cols, ld, sum);
        return;
    }
    for (int64_t j = 0; j < cols; j += STRIP)
        strip_sums(x + j, rows, FI_MIN(STRIP, cols - j), ld, sum + j);
}
