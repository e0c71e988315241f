/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All zeros: w = 0. Right for biases and for the last layer of a residual branch or of the net. In
 * a hidden layer it leaves all units equal, and with zeros on both sides nothing moves at all.
 */
#include <string.h>

#include "init/init.h"

static void fill(const struct fi_init_request *r, int64_t first, int64_t n, fi_real *w) {
    (void)r, (void)first;
    memset(w, 0, (size_t)n * sizeof *w);
}

static void moments(const struct fi_init_request *r, double *mean, double *std, double *kurtosis) {
    (void)r;
    fi_draw_moments(0, 0, 0, mean, std, kurtosis);
}

FI_RECORD(init, zeros) = {.head = {.name = "zeros",
                                   .formula = "w = 0",
                                   .reference = "definition",
                                   .help = "All zeros: hidden units stay equal."},
                          .fill = fill,
                          .moments = moments};
