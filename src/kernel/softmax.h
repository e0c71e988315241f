/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Softmax of rows, shared by the op, the losses and their predictions. Rows are rows of a
 * fanin_tensor: up to the next multiple of 16 what stands behind them is read, and overwritten in
 * y.
 */
#ifndef FI_SOFTMAX_H
#define FI_SOFTMAX_H

#include "kernel/kernel.h"

#ifdef FI_TIER

/* y[c] = exp(x[c] - max) for one row; returns their sum. y may be x, or NULL where only the sum is
 * wanted. A NaN or infinite max makes all of it NaN. With skip >= 0 that number goes to *skipped,
 * is left out of the sum, and y has 0 in its place. */
#define fi_exp_row FI_T(fi_exp_row)
double fi_exp_row(const fi_real *x, int64_t cols, fi_real max, int64_t skip, fi_real *skipped,
                  fi_real *y);

/* y[r] = softmax(x[r]) for rows r; in place allowed. */
#define fi_softmax FI_T(fi_softmax)
void fi_softmax(const fi_real *x, int64_t rows, int64_t cols, int64_t ldx, fi_real *y, int64_t ldy);

#endif
#endif
