/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The normalized rule of Glorot & Bengio, uniform: see xavier_normal.
 *
 *   w ~ U(-a, a),  a = gain · sqrt(6 / (fan_in + fan_out))      variance gain² · 2 / (fan_in +
 * fan_out)
 *
 * Glorot & Bengio, "Understanding the difficulty of training deep feedforward neural networks",
 * AISTATS 2010, eq. 16.
 */
#include "init/init.h"

static void fill(const struct fi_init_request *r, int64_t first, int64_t n, fi_real *w) {
    fi_draw_symmetric(r, fi_xavier_std(r), first, n, w);
}

static void moments(const struct fi_init_request *r, double *mean, double *std, double *kurtosis) {
    fi_draw_moments(0, fi_xavier_std(r), FI_KURTOSIS_UNIFORM, mean, std, kurtosis);
}

FI_RECORD(init, xavier_uniform) = {
    .head = {.name = "xavier_uniform",
             .aliases = "glorot_uniform",
             .formula = "U(-a, a), a = gain sqrt(6 / (fan_in + fan_out))",
             .reference = "Glorot & Bengio, Understanding the difficulty of training deep "
                          "feedforward neural networks, AISTATS 2010, eq. 16",
             .help = "Uniform numbers between what keeps the signal and what keeps the gradient.",
             .attrs = fi_xavier_attrs,
             .attrs_size = sizeof(struct fi_scaling)},
    .fill = fill,
    .moments = moments,
    .gain = fi_scaling_gain};
