/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Batches from data sets: rows picked by index, converted and normalized on the way,
 *   y[r][j] = (x[index[r]][j] - shift[j]) * scale[j].
 *
 * Shuffled rows stand anywhere in memory, where the processor does not look for them by itself:
 * they are fetched some rows ahead.
 */
#include "kernel/table.h"

#define AHEAD 4

static inline void fetch(const void *from, int64_t bytes) {
    for (int64_t at = 0; at < bytes; at += 64) __builtin_prefetch((const char *)from + at);
}

#define GATHER(type)                                                                               \
    for (int64_t r = -AHEAD; r < n; r++) {                                                         \
        if (r + AHEAD < n) fetch(x + index[r + AHEAD] * cols, cols * (int64_t)sizeof(type));       \
        if (r < 0) continue;                                                                       \
        const type *row = x + index[r] * cols;                                                     \
        fi_real *out = y + r * ldy;                                                                \
        FI_IVDEP                                                                                   \
        for (int64_t j = 0; j < cols; j++)                                                         \
            out[j] = ((fi_real)row[j] - (fi_real)shift[j]) * (fi_real)scale[j];                    \
    }

void fi_gather_u8(const uint8_t *x, int64_t cols, const int64_t *index, int64_t n,
                  const float *shift, const float *scale, fi_real *y, int64_t ldy) {
    GATHER(uint8_t)
}

void fi_gather_f32(const float *x, int64_t cols, const int64_t *index, int64_t n,
                   const float *shift, const float *scale, fi_real *y, int64_t ldy) {
    GATHER(float)
}
