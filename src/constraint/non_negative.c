/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Non-negative weights: what a step made negative becomes 0 (the projected gradient method). NaN
 * stays.
 *
 * Lee, Seung: Learning the parts of objects by non-negative matrix factorization, Nature 401
 * (1999); Keras' NonNeg.
 */
#include "constraint/constraint.h"

static void units(const void *attrs, fi_real *w, int64_t lanes, int64_t n, int64_t step) {
    (void)attrs;
    for (int64_t k = 0; k < n; k++)
        for (int64_t l = 0; l < lanes; l++) {
            fi_real *x = &w[k * step + l];
            *x = *x < 0 ? 0 : *x;
        }
}

static bool holds(const void *attrs, const fi_real *w, int64_t n, double tolerance) {
    bool good = true;
    (void)attrs, (void)tolerance;
    for (int64_t i = 0; i < n; i++) good &= w[i] >= 0;
    return good;
}

FI_RECORD(constraint, non_negative) = {.head = {.name = "non_negative",
                                                .formula = "w <- max(0, w)",
                                                .reference = "Lee & Seung, Nature 401 (1999)",
                                                .help = "Keeps weights at 0 or above."},
                                       .units = units,
                                       .holds = holds};
