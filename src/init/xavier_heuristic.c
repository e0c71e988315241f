/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The older heuristic, which Glorot & Bengio call the commonly used one and found wanting: its
 * variance is a third of what keeps the signal, so signal and gradient shrink from layer to layer.
 *
 *   w ~ U(-a, a),  a = gain / sqrt(fan_in)      variance gain² / (3 fan_in)
 *
 * Glorot & Bengio, "Understanding the difficulty of training deep feedforward neural networks",
 * AISTATS 2010, eq. 1.
 */
#include "init/init.h"

/* The scale by fan_in is lecun's; a third of its variance. */
static double spread(const struct fi_init_request *r) {
    return fi_lecun_std(r) / sqrt(3.0);
}

static void fill(const struct fi_init_request *r, int64_t first, int64_t n, fi_real *w) {
    const double limit = fi_lecun_std(r);
    fi_draw_uniform(r, -limit, limit, first, n, w);
}

static void moments(const struct fi_init_request *r, double *mean, double *std, double *kurtosis) {
    fi_draw_moments(0, spread(r), FI_KURTOSIS_UNIFORM, mean, std, kurtosis);
}

FI_RECORD(init, xavier_heuristic) = {
    .head = {.name = "xavier_heuristic",
             .formula = "U(-a, a), a = gain / sqrt(fan_in)",
             .reference = "Glorot & Bengio, Understanding the difficulty of training deep "
                          "feedforward neural networks, AISTATS 2010, eq. 1",
             .help = "The older rule that the normalized one improves on: the signal shrinks.",
             .attrs = fi_xavier_attrs,
             .attrs_size = sizeof(struct fi_scaling)},
    .fill = fill,
    .moments = moments,
    .gain = fi_scaling_gain};
