/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the constraints share: norms of units, and scaling them.
 */
#include "constraint/constraint.h"

void fi_constraint_squares(const fi_real *w, int64_t lanes, int64_t n, int64_t step,
                           double *square) {
    for (int64_t l = 0; l < lanes; l++) square[l] = 0;
    for (int64_t k = 0; k < n; k++)
        for (int64_t l = 0; l < lanes; l++) {
            const double x = (double)w[k * step + l];
            square[l] += x * x;
        }
}

void fi_constraint_scale(fi_real *w, int64_t lanes, int64_t n, int64_t step,
                         const fi_real *factor) {
    bool any = false;
    for (int64_t l = 0; l < lanes; l++) any |= factor[l] != 1;
    for (int64_t k = 0; k < n && any; k++)
        for (int64_t l = 0; l < lanes; l++) w[k * step + l] *= factor[l];
}
