/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All ones: w = 1. Right for scales; in a hidden layer it leaves all units equal.
 */
#include "init/init.h"

static void fill(const struct fi_init_request *r, int64_t first, int64_t n, fi_real *w) {
    (void)r, (void)first;
    for (int64_t i = 0; i < n; i++) w[i] = 1;
}

static void moments(const struct fi_init_request *r, double *mean, double *std, double *kurtosis) {
    (void)r;
    fi_draw_moments(1, 0, 0, mean, std, kurtosis);
}

FI_RECORD(init, ones) = {.head = {.name = "ones",
                                  .formula = "w = 1",
                                  .reference = "definition",
                                  .help = "All ones: hidden units stay equal."},
                         .fill = fill,
                         .moments = moments};
