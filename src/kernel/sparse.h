/* SPDX-License-Identifier: Apache-2.0 */
/* Products of matrices that are mostly zeros, tried by the dense ones before they begin. */
#ifndef FI_SPARSE_H
#define FI_SPARSE_H

#include "kernel/kernel.h"

/* Is a product large enough to look for zeros, and not so large that 32 bits do not count them?
 * Asked before each of the following. */
static inline bool fi_sparse_suits(int64_t m, int64_t out, int64_t in) {
    const double least = 4e6; /* multiply-adds */
    const int64_t most = INT64_C(1) << 24, larger = FI_MAX(out, in);
    return m > FI_LANES && out >= FI_PANEL && in >= FI_PANEL && larger < most &&
           m <= INT32_MAX / larger && (double)m * (double)out * (double)in >= least;
}

/* Each computes the columns of whole panels of 32 outputs (dx: all inputs) and returns true, or
 * returns false because there are too few zeros in x (dx: in dy). scratch: as many numbers as x
 * (dy) has. */
#define fi_sparse_y FI_T(fi_sparse_y)
bool fi_sparse_y(fanin_ctx *ctx, int64_t m, int64_t out, int64_t in, const fi_real *x, int64_t ldx,
                 const fi_real *w, fi_real *y, int64_t ldy, fi_real *scratch, fi_block_fn done,
                 void *arg);
#define fi_sparse_dx FI_T(fi_sparse_dx)
bool fi_sparse_dx(fanin_ctx *ctx, int64_t m, int64_t out, int64_t in, const fi_real *dy,
                  int64_t lddy, const fi_real *w, fi_real *dx, int64_t lddx, fi_real *scratch,
                  fi_block_fn done, void *arg);
#define fi_sparse_dw FI_T(fi_sparse_dw)
bool fi_sparse_dw(fanin_ctx *ctx, int64_t m, int64_t out, int64_t in, const fi_real *dy,
                  int64_t lddy, const fi_real *x, int64_t ldx, fi_real *scratch,
                  const struct fi_touched *touched, fi_range_fn emit, void *arg);

#endif
