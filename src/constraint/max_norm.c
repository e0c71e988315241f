/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Max-norm: the weights that a unit reads with are scaled back to length c after each step that
 * made them longer; shorter ones are left alone to the last bit.
 *
 *   w ← w · min(1, c / ‖w‖), w a row of (out, in)
 *
 * Keras' MaxNorm(c, axis=0) on a kernel (in, out) and PyTorch's renorm(2, 0, c) on (out, in), which
 * both add 1e-7 to the norm. The bias is no part of the norm.
 *
 * Srebro, Shraibman: Rank, trace-norm and max-norm, COLT 2005; Srivastava, Hinton, Krizhevsky,
 * Sutskever, Salakhutdinov: Dropout, JMLR 15 (2014), section 5.1.
 */
#include <math.h>

#include "constraint/constraint.h"

struct max_norm {
    double max;
};

static const struct fanin_attr_spec attrs[] = {FI_ATTR_REAL(struct max_norm, max, 2, 0, 1e6,
                                                            "longest weight vector of a unit",
                                                            FANIN_ATTR_ABOVE_MIN),
                                               FI_ATTR_END};

static void units(const void *attrs_, fi_real *w, int64_t lanes, int64_t n, int64_t step) {
    const double max = ((const struct max_norm *)attrs_)->max;
    double square[FI_PANEL];
    fi_real factor[FI_PANEL];
    fi_constraint_squares(w, lanes, n, step, square);
    for (int64_t l = 0; l < lanes; l++)
        factor[l] = square[l] > max * max ? (fi_real)(max / sqrt(square[l])) : 1;
    fi_constraint_scale(w, lanes, n, step, factor);
}

static bool holds(const void *attrs_, const fi_real *w, int64_t n, double tolerance) {
    return sqrt(fi_sum_squares(w, n)) <= ((const struct max_norm *)attrs_)->max * (1 + tolerance);
}

FI_RECORD(constraint,
          max_norm) = {.head = {.name = "max_norm",
                                .formula = "w <- w min(1, max / |w|), w the weights of a unit",
                                .reference = "Srivastava et al., JMLR 15 (2014), section 5.1",
                                .help = "Keeps the weight vector of each unit no longer than max.",
                                .attrs = attrs,
                                .attrs_size = sizeof(struct max_norm)},
                       .units = units,
                       .holds = holds};
