/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LeCun's rule, normal: weights of variance 1 / fan_in keep the variance of a linear layer's output
 * equal to that of its input; with `mode: fan_out` they keep the variance of the gradient.
 *
 *   w ~ N(0, gain² / fan)
 *
 * LeCun, Bottou, Orr & Müller, "Efficient BackProp", 1998, eq. 16 (fan_in); Glorot & Bengio 2010,
 * eq. 11 (fan_out).
 */
#include "init/init.h"

static void fill(const struct fi_init_request *r, int64_t first, int64_t n, fi_real *w) {
    fi_draw_normal(r, 0, fi_lecun_std(r), first, n, w);
}

static void moments(const struct fi_init_request *r, double *mean, double *std, double *kurtosis) {
    fi_draw_moments(0, fi_lecun_std(r), FI_KURTOSIS_NORMAL, mean, std, kurtosis);
}

FI_RECORD(init, lecun_normal) = {
    .head = {.name = "lecun_normal",
             .formula = "N(0, gain^2 / fan)",
             .reference = "LeCun, Bottou, Orr & Müller, Efficient BackProp, 1998, eq. 16",
             .help = "Normal numbers that keep the variance of the signal (fan_in) or of the "
                     "gradient (fan_out).",
             .attrs = fi_lecun_attrs,
             .attrs_size = sizeof(struct fi_scaling)},
    .fill = fill,
    .moments = moments,
    .gain = fi_scaling_gain};
