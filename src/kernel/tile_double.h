/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A register tile in double in every build, for what factors matrices: 12 × 16 numbers stay in
 * registers over all k. Each is one chain of fused multiply-adds that takes k in increasing order,
 * on every tier.
 */
#ifndef FI_TILE_DOUBLE_H
#define FI_TILE_DOUBLE_H

#include "kernel/kernel.h"

#define FI_DOUBLE_ROWS 12
#define FI_DOUBLE_COLS 16

#ifdef FI_TIER
/* c (12 × 16, rows ldc apart) = or, with `load`, += Σ a[r][k] b[k][column] over ks; rows of a are
 * lda apart, those of b follow each other. */
#define fi_double_tile FI_T(fi_double_tile)
void fi_double_tile(int64_t ks, const double *a, int64_t lda, const double *b, double *c,
                    int64_t ldc, bool load);
#endif

#endif
