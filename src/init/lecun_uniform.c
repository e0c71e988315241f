/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LeCun's rule, uniform: see lecun_normal.
 *
 *   w ~ U(-a, a),  a = gain · sqrt(3 / fan)      variance gain² / fan
 *
 * LeCun, Bottou, Orr & Müller, "Efficient BackProp", 1998, eq. 16 (fan_in); Glorot & Bengio 2010,
 * eq. 11 (fan_out).
 */
#include "init/init.h"

static void fill(const struct fi_init_request *r, int64_t first, int64_t n, fi_real *w) {
    fi_draw_symmetric(r, fi_lecun_std(r), first, n, w);
}

static void moments(const struct fi_init_request *r, double *mean, double *std, double *kurtosis) {
    fi_draw_moments(0, fi_lecun_std(r), FI_KURTOSIS_UNIFORM, mean, std, kurtosis);
}

FI_RECORD(init, lecun_uniform) = {
    .head = {.name = "lecun_uniform",
             .formula = "U(-a, a), a = gain sqrt(3 / fan)",
             .reference = "LeCun, Bottou, Orr & Müller, Efficient BackProp, 1998, eq. 16",
             .help = "Uniform numbers that keep the variance of the signal (fan_in) or of the "
                     "gradient (fan_out).",
             .attrs = fi_lecun_attrs,
             .attrs_size = sizeof(struct fi_scaling)},
    .fill = fill,
    .moments = moments,
    .gain = fi_scaling_gain};
