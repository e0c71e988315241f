/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists of the non-zeros of a matrix: counted first, which tells whether they are worth it and
 * where each list begins, then filled, both by the threads.
 */
#include "kernel/nonzeros.h"

#include <string.h>

#include "kernel/vector.h"

/* Columns of a task. */
#define COLUMNS 48

/* Worth it up to this share of non-zeros. */
#define DENSITY 0.4

/* Appends the non-zeros of x[0..n), number i under i · stride. */
static uint32_t append(const struct fi_nonzeros *to, uint32_t end, const fi_real *x, int64_t n,
                       int64_t stride) {
    int64_t i = 0;
#if FI_V_LANES == 16
    const __m512i step =
        _mm512_mullo_epi32(_mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
                           _mm512_set1_epi32((int)stride));
    for (; i < n; i += 16) {
        const __mmask16 there = (__mmask16)(n - i >= 16 ? 0xffff : (1u << (n - i)) - 1);
        const __m512 v = _mm512_maskz_loadu_ps(there, x + i);
        const __mmask16 mask = _mm512_cmp_ps_mask(v, _mm512_setzero_ps(), _CMP_NEQ_UQ);
        const __m512i at = _mm512_add_epi32(step, _mm512_set1_epi32((int)(i * stride)));
        const int count = __builtin_popcount(mask);
        const __mmask16 all = (__mmask16)((1u << count) - 1);
        _mm512_mask_storeu_ps(to->value + end, all, _mm512_maskz_compress_ps(mask, v));
        _mm512_mask_storeu_epi32(to->at + end, all, _mm512_maskz_compress_epi32(mask, at));
        end += (uint32_t)count;
    }
#else
    for (; i < n; i++) {
        if (x[i] == 0) continue;
        to->value[end] = x[i];
        to->at[end++] = (uint32_t)(i * stride);
    }
#endif
    return end;
}

static void count_rows(void *arg, int64_t b) {
    const struct fi_nonzeros *of = arg;
    const int64_t first = b * FI_K_BLOCK, n = FI_MIN(FI_K_BLOCK, of->k - first);
    for (int64_t r = 0; r < of->m; r++) {
        const fi_real *x = of->x + r * of->ldx + first;
        uint32_t count = 0;
        for (int64_t i = 0; i < n; i++) count += x[i] != 0;
        of->start[b * of->m + r] = count;
    }
}

static void list_rows(void *arg, int64_t b) {
    const struct fi_nonzeros *of = arg;
    const int64_t first = b * FI_K_BLOCK, n = FI_MIN(FI_K_BLOCK, of->k - first);
    for (int64_t r = 0; r < of->m; r++)
        (void)append(of, of->start[b * of->m + r], of->x + r * of->ldx + first, n, of->stride);
}

static void count_columns(void *arg, int64_t task) {
    const struct fi_nonzeros *of = arg;
    const int64_t c0 = task * COLUMNS, n = FI_MIN(COLUMNS, of->k - c0);
    for (int64_t b = 0; b < of->blocks; b++) {
        uint32_t count[COLUMNS] = {0};
        for (int64_t r = b * FI_M_BLOCK; r < FI_MIN(of->m, (b + 1) * FI_M_BLOCK); r++) {
            const fi_real *x = of->x + r * of->ldx + c0;
            for (int64_t c = 0; c < n; c++) count[c] += x[c] != 0;
        }
        memcpy(of->start + b * of->k + c0, count, (size_t)n * sizeof *count);
    }
}

static void list_columns(void *arg, int64_t task) {
    const struct fi_nonzeros *of = arg;
    const int64_t c0 = task * COLUMNS, n = FI_MIN(COLUMNS, of->k - c0);
    _Alignas(64) fi_real turned[COLUMNS * FI_M_BLOCK];
    for (int64_t b = 0; b < of->blocks; b++) {
        const int64_t r0 = b * FI_M_BLOCK, rows = FI_MIN(FI_M_BLOCK, of->m - r0);
        for (int64_t r = 0; r < rows; r += 8)
            for (int64_t c = 0; c < n; c += 8)
                fi_v_transpose8(of->x + (r0 + r) * of->ldx + c0 + c, of->ldx, rows - r,
                                turned + c * FI_M_BLOCK + r, FI_M_BLOCK, n - c);
        for (int64_t c = 0; c < n; c++)
            (void)append(of, of->start[b * of->k + c0 + c], turned + c * FI_M_BLOCK, rows,
                         of->stride);
    }
}

/* From counts to where each list starts; false: too many for it to be worth while. */
static bool place(struct fi_nonzeros *of, fi_real *scratch) {
    const int64_t n = of->lines * of->blocks;
    uint64_t total = 0;
    for (int64_t i = 0; i < n; i++) {
        const uint32_t count = of->start[i];
        of->start[i] = (uint32_t)total;
        total += count;
    }
    of->start[n] = (uint32_t)total;
    const int64_t head = fi_blocks((n + 1) * (int64_t)sizeof *of->start, FI_ALIGN) * FI_ALIGN;
    of->at = (uint32_t *)(void *)((char *)(void *)scratch + head);
    of->value = (fi_real *)(void *)(of->at + (total + 1) / 2 * 2);
    return (double)total <= DENSITY * (double)of->m * (double)of->k;
}

/* Counts, and lists if there are few. */
static bool list(fanin_ctx *ctx, struct fi_nonzeros *of, fi_real *scratch, int64_t tasks,
                 void (*count)(void *arg, int64_t task), void (*fill)(void *arg, int64_t task)) {
    const double flops = 4.0 * (double)of->m * (double)of->k;
    of->start = (uint32_t *)(void *)scratch;
    fi_parallel(ctx, tasks, flops, count, of);
    if (!place(of, scratch)) return false;
    fi_parallel(ctx, tasks, flops, fill, of);
    return true;
}

bool fi_list_rows(fanin_ctx *ctx, struct fi_nonzeros *of, fi_real *scratch) {
    of->lines = of->m;
    of->blocks = fi_blocks(of->k, FI_K_BLOCK);
    return list(ctx, of, scratch, of->blocks, count_rows, list_rows);
}

bool fi_list_columns(fanin_ctx *ctx, struct fi_nonzeros *of, fi_real *scratch) {
    of->lines = of->k;
    of->blocks = fi_blocks(of->m, FI_M_BLOCK);
    return list(ctx, of, scratch, fi_blocks(of->k, COLUMNS), count_columns, list_columns);
}
