/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The identity times gain: w[o][i] = gain where o = i, else 0. A matrix that is not square holds
 * the identity in its leading part, so the first inputs (or outputs) pass unchanged and the others
 * start at 0.
 *
 * Le, Jaitly & Hinton, "A simple way to initialize recurrent networks of rectified linear units",
 * arXiv 1504.00941, 2015.
 */
#include <string.h>

#include "init/init.h"

struct identity {
    struct fanin_gain gain;
};

static const struct fanin_attr_spec attrs[] = {FI_GAIN(struct identity), FI_ATTR_END};

static double gain(const void *attrs_) {
    return ((const struct identity *)attrs_)->gain.value;
}

static void fill(const struct fi_init_request *r, int64_t first, int64_t n, fi_real *w) {
    int64_t out, in;
    fi_matrix_of(r, &out, &in);
    memset(w, 0, (size_t)n * sizeof *w);
    /* number i of the diagonal stands at i (in + 1) */
    const int64_t last = FI_MIN(out, in);
    for (int64_t i = (first + in) / (in + 1); i < last && i * (in + 1) < first + n; i++)
        w[i * (in + 1) - first] = (fi_real)gain(r->attrs);
}

/* The law of a number taken at random from the tensor. */
static void moments(const struct fi_init_request *r, double *mean, double *std, double *kurtosis) {
    int64_t out, in;
    fi_matrix_of(r, &out, &in);
    const double share = 1 / (double)FI_MAX(1, FI_MAX(out, in)), variance = share * (1 - share);
    fi_draw_moments(gain(r->attrs) * share, gain(r->attrs) * sqrt(variance),
                    (1 - 3 * variance) / variance, mean, std, kurtosis);
}

FI_RECORD(init, identity) = {
    .head = {.name = "identity",
             .aliases = "eye",
             .formula = "w[o][i] = gain if o = i, else 0",
             .reference = "Le, Jaitly & Hinton, A simple way to initialize recurrent networks of "
                          "rectified linear units, 2015",
             .help = "Passes the inputs on; what is beyond the square part starts at 0.",
             .attrs = attrs,
             .attrs_size = sizeof(struct identity)},
    .fill = fill,
    .moments = moments,
    .gain = gain};
