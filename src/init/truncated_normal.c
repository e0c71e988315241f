/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Normal numbers without tails: N(mean, s²) given |w - mean| <= cut · s.
 *
 * Cutting takes spread away (at 2, what is left has standard deviation 0.8796 s), so s is larger
 * than `std` by just that: the numbers have the standard deviation that was asked for, and reach to
 * mean ± cut · s. Drawn through the inverse of the distribution function, one word a number.
 */
#include "init/init.h"

struct truncated_normal {
    double std, mean, cut;
};

static const struct fanin_attr_spec attrs[] = {
    FI_ATTR_REAL(struct truncated_normal, std, 0.05, 0, 1e30, "standard deviation, after the cut",
                 0),
    FI_ATTR_REAL(struct truncated_normal, mean, 0, -1e30, 1e30, "mean", 0),
    FI_ATTR_REAL(struct truncated_normal, cut, 2, 0.1, 10,
                 "where the tails are cut, in standard deviations before the cut", 0),
    FI_ATTR_END};

static void fill(const struct fi_init_request *r, int64_t first, int64_t n, fi_real *w) {
    const struct truncated_normal *a = r->attrs;
    fi_draw_truncated(r, a->mean, a->std, a->cut, first, n, w);
}

static void moments(const struct fi_init_request *r, double *mean, double *std, double *kurtosis) {
    const struct truncated_normal *a = r->attrs;
    double law;
    (void)fi_truncated_std(a->cut, &law);
    fi_draw_moments(a->mean, a->std, law, mean, std, kurtosis);
}

FI_RECORD(init, truncated_normal) = {
    .head = {.name = "truncated_normal",
             .formula = "N(mean, s^2) within mean +- cut s; s such that the deviation is std",
             .reference = "definition",
             .help = "Normal numbers without tails, of exactly the spread given.",
             .attrs = attrs,
             .attrs_size = sizeof(struct truncated_normal)},
    .fill = fill,
    .moments = moments};
