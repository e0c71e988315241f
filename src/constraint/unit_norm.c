/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unit norm: the weights that a unit reads with are scaled to length 1 after each step; a vector of
 * zeros stays.
 *
 *   w ← w / ‖w‖, w a row of (out, in)
 *
 * Keras' UnitNorm(axis=0) on a kernel (in, out), which adds 1e-7 to the norm.
 *
 * Reference: definition; as a parametrization Salimans & Kingma 2016, section 2.
 */
#include <math.h>

#include "constraint/constraint.h"

static void units(const void *attrs, fi_real *w, int64_t lanes, int64_t n, int64_t step) {
    double square[FI_PANEL];
    fi_real factor[FI_PANEL];
    (void)attrs;
    fi_constraint_squares(w, lanes, n, step, square);
    for (int64_t l = 0; l < lanes; l++)
        factor[l] = square[l] > 0 ? (fi_real)(1 / sqrt(square[l])) : 1;
    fi_constraint_scale(w, lanes, n, step, factor);
}

static bool holds(const void *attrs, const fi_real *w, int64_t n, double tolerance) {
    const double square = fi_sum_squares(w, n);
    (void)attrs;
    return square == 0 || fabs(sqrt(square) - 1) <= tolerance;
}

FI_RECORD(constraint,
          unit_norm) = {.head = {.name = "unit_norm",
                                 .formula = "w <- w / |w|, w the weights of a unit",
                                 .reference = "definition",
                                 .help = "Keeps the weight vector of each unit at length 1."},
                        .units = units,
                        .holds = holds};
