/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kaiming's (He's) rule, normal: a rectifier keeps (1 + slope²) / 2 of the second moment, and the
 * gain makes up for it.
 *
 *   w ~ N(0, gain² / fan),  gain² = 2 / (1 + slope²)
 *
 * He, Zhang, Ren & Sun, "Delving deep into rectifiers", ICCV 2015, eq. 10 (fan_in), 14 (fan_out)
 * and 15 (slope).
 */
#include "init/init.h"

static void fill(const struct fi_init_request *r, int64_t first, int64_t n, fi_real *w) {
    fi_draw_normal(r, 0, fi_kaiming_std(r), first, n, w);
}

static void moments(const struct fi_init_request *r, double *mean, double *std, double *kurtosis) {
    fi_draw_moments(0, fi_kaiming_std(r), FI_KURTOSIS_NORMAL, mean, std, kurtosis);
}

FI_RECORD(init, kaiming_normal) = {
    .head = {.name = "kaiming_normal",
             .aliases = "he_normal",
             .formula = "N(0, gain^2 / fan), gain^2 = 2 / (1 + slope^2)",
             .reference =
                 "He, Zhang, Ren & Sun, Delving deep into rectifiers, ICCV 2015, eq. 10 and 14",
             .help = "Normal numbers that keep the signal (fan_in) or the gradient (fan_out) "
                     "through rectifiers.",
             .attrs = fi_kaiming_attrs,
             .attrs_size = sizeof(struct fi_scaling)},
    .fill = fill,
    .moments = moments,
    .gain = fi_kaiming_gain};
