/* SPDX-License-Identifier: Apache-2.0 */
/*
 * L2 penalty (Tikhonov, ridge): adds ½ λ ‖w‖² to the loss, so its gradient is λ w. PyTorch's SGD
 * calls λ weight_decay; Keras' l2(λ') is λ' ‖w‖², half of λ.
 *
 * Hoerl, Kennard: Ridge regression, Technometrics 12 (1970).
 */
#include "graph/graph.h"
#include "kernel/kernel.h"

struct l2 {
    struct fi_reg_attrs common;
    double lambda;
};

static const struct fanin_attr_spec attrs[] = {
    FI_ATTR_REAL(struct l2, lambda, 0, 0, 1e6, "strength of the penalty", FANIN_ATTR_REQUIRED),
    FI_REG_SCHEDULE(struct l2), FI_ATTR_END};

static double lambda(const void *a) {
    return ((const struct l2 *)a)->lambda;
}

static void gradient(const void *a, double scale, const fi_real *restrict w, fi_real *restrict g,
                     int64_t n) {
    const fi_real k = (fi_real)(scale * lambda(a));
    for (int64_t i = 0; i < n; i++) g[i] = fi_fma(k, w[i], g[i]);
}

static double value(const void *a, const fi_real *w, int64_t n) {
    return 0.5 * lambda(a) * fi_sum_squares(w, n);
}

FI_RECORD(reg, l2) = {
    .head =
        {.name = "l2",
         .aliases = "tikhonov",
         .formula = "loss + 1/2 lambda |w|^2",
         .reference = "Hoerl & Kennard, Technometrics 12 (1970)",
         .help =
             "Penalizes the squared weights in the loss. Biases and norm parameters are exempt.",
         .attrs = attrs,
         .attrs_size = sizeof(struct l2)},
    .strength = lambda,
    .gradient = gradient,
    .value = value};
