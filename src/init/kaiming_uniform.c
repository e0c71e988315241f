/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kaiming's (He's) rule, uniform: see kaiming_normal.
 *
 *   w ~ U(-a, a),  a = gain · sqrt(3 / fan),  gain² = 2 / (1 + slope²)      variance gain² / fan
 *
 * He, Zhang, Ren & Sun, "Delving deep into rectifiers", ICCV 2015, eq. 10 (fan_in), 14 (fan_out)
 * and 15 (slope).
 */
#include "init/init.h"

static void fill(const struct fi_init_request *r, int64_t first, int64_t n, fi_real *w) {
    fi_draw_symmetric(r, fi_kaiming_std(r), first, n, w);
}

static void moments(const struct fi_init_request *r, double *mean, double *std, double *kurtosis) {
    fi_draw_moments(0, fi_kaiming_std(r), FI_KURTOSIS_UNIFORM, mean, std, kurtosis);
}

FI_RECORD(init, kaiming_uniform) = {
    .head = {.name = "kaiming_uniform",
             .aliases = "he_uniform",
             .formula = "U(-a, a), a = gain sqrt(3 / fan), gain^2 = 2 / (1 + slope^2)",
             .reference =
                 "He, Zhang, Ren & Sun, Delving deep into rectifiers, ICCV 2015, eq. 10 and 14",
             .help = "Uniform numbers that keep the signal (fan_in) or the gradient (fan_out) "
                     "through rectifiers.",
             .attrs = fi_kaiming_attrs,
             .attrs_size = sizeof(struct fi_scaling)},
    .fill = fill,
    .moments = moments,
    .gain = fi_kaiming_gain};
