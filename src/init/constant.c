/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One number everywhere: w = value. Units that start equal get equal gradients and stay equal
 * unless something else (dropout, other outgoing weights) tells them apart: for the study of just
 * that.
 */
#include "init/init.h"

struct constant {
    double value;
};

static const struct fanin_attr_spec attrs[] = {
    FI_ATTR_REAL(struct constant, value, 0, -1e30, 1e30, "the number", FANIN_ATTR_REQUIRED),
    FI_ATTR_END};

static void fill(const struct fi_init_request *r, int64_t first, int64_t n, fi_real *w) {
    const struct constant *a = r->attrs;
    (void)first;
    for (int64_t i = 0; i < n; i++) w[i] = (fi_real)a->value;
}

static void moments(const struct fi_init_request *r, double *mean, double *std, double *kurtosis) {
    const struct constant *a = r->attrs;
    fi_draw_moments(a->value, 0, 0, mean, std, kurtosis);
}

FI_RECORD(init, constant) = {.head = {.name = "constant",
                                      .formula = "w = value",
                                      .reference = "definition",
                                      .help = "One number everywhere: hidden units stay equal.",
                                      .attrs = attrs,
                                      .attrs_size = sizeof(struct constant)},
                             .fill = fill,
                             .moments = moments};
