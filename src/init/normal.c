/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Normal numbers of a given spread, whatever the fans: w ~ N(mean, std²).
 *
 * The default std, 0.05, is Keras'; PyTorch's normal_ has 1, which saturates or blows up any net of
 * more than a few units. `normal: 0.01` sets the std.
 */
#include "init/init.h"

struct normal {
    double std, mean;
};

static const struct fanin_attr_spec attrs[] = {
    FI_ATTR_REAL(struct normal, std, 0.05, 0, 1e30, "standard deviation", 0),
    FI_ATTR_REAL(struct normal, mean, 0, -1e30, 1e30, "mean", 0), FI_ATTR_END};

static void fill(const struct fi_init_request *r, int64_t first, int64_t n, fi_real *w) {
    const struct normal *a = r->attrs;
    fi_draw_normal(r, a->mean, a->std, first, n, w);
}

static void moments(const struct fi_init_request *r, double *mean, double *std, double *kurtosis) {
    const struct normal *a = r->attrs;
    fi_draw_moments(a->mean, a->std, FI_KURTOSIS_NORMAL, mean, std, kurtosis);
}

FI_RECORD(init, normal) = {.head = {.name = "normal",
                                    .formula = "N(mean, std^2)",
                                    .reference = "definition",
                                    .help = "Normal numbers of a given spread.",
                                    .attrs = attrs,
                                    .attrs_size = sizeof(struct normal)},
                           .fill = fill,
                           .moments = moments};
