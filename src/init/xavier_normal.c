/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The normalized rule of Glorot & Bengio, normal: the compromise between keeping the signal
 * (fan_in · Var = 1) and keeping the gradient (fan_out · Var = 1) of a layer that is linear at 0
 * with slope 1, such as tanh.
 *
 *   w ~ N(0, gain² · 2 / (fan_in + fan_out))
 *
 * Glorot & Bengio, "Understanding the difficulty of training deep feedforward neural networks",
 * AISTATS 2010, eq. 12.
 */
#include "init/init.h"

static void fill(const struct fi_init_request *r, int64_t first, int64_t n, fi_real *w) {
    fi_draw_normal(r, 0, fi_xavier_std(r), first, n, w);
}

static void moments(const struct fi_init_request *r, double *mean, double *std, double *kurtosis) {
    fi_draw_moments(0, fi_xavier_std(r), FI_KURTOSIS_NORMAL, mean, std, kurtosis);
}

FI_RECORD(init, xavier_normal) = {
    .head = {.name = "xavier_normal",
             .aliases = "glorot_normal",
             .formula = "N(0, gain^2 2 / (fan_in + fan_out))",
             .reference = "Glorot & Bengio, Understanding the difficulty of training deep "
                          "feedforward neural networks, AISTATS 2010, eq. 12",
             .help = "Normal numbers between what keeps the signal and what keeps the gradient.",
             .attrs = fi_xavier_attrs,
             .attrs_size = sizeof(struct fi_scaling)},
    .fill = fill,
    .moments = moments,
    .gain = fi_scaling_gain};
