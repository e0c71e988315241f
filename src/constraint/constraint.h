/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the constraints share. A unit is a row of a weight matrix (out, in), the weights it reads
 * with; in memory up to 32 units stand side by side as lanes.
 */
#ifndef FI_CONSTRAINT_H
#define FI_CONSTRAINT_H

#include "graph/graph.h"
#include "kernel/kernel.h"

/* square[l] = Σ_k w[k * step + l]², in double, k in increasing order; lanes <= FI_PANEL. */
#define fi_constraint_squares FI_T(fi_constraint_squares)
void fi_constraint_squares(const fi_real *w, int64_t lanes, int64_t n, int64_t step,
                           double *square);
/* w[k * step + l] *= factor[l]; nothing is written where all factors are 1. */
#define fi_constraint_scale FI_T(fi_constraint_scale)
void fi_constraint_scale(fi_real *w, int64_t lanes, int64_t n, int64_t step, const fi_real *factor);

#endif
