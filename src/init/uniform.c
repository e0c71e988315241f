/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Uniform numbers of a given range, whatever the fans: w ~ U(min, max), variance (max - min)² / 12.
 *
 * min is -max unless it is given, so `uniform: 0.1` is the symmetric range that the number
 * suggests, not one of positive weights. The default range, ±0.05, is Keras'. A min above max is
 * the same range.
 */
#include "init/init.h"

struct uniform {
    double max, min;
};

static const struct fanin_attr_spec attrs[] = {
    FI_ATTR_REAL(struct uniform, max, 0.05, -1e30, 1e30, "upper end", 0),
    FI_ATTR_REAL(struct uniform, min, (double)NAN, -1e30, 1e30, "lower end; null: -max",
                 FANIN_ATTR_NULLABLE),
    FI_ATTR_END};

static void ends(const struct uniform *a, double *low, double *high) {
    const double min = isnan(a->min) ? -a->max : a->min;
    *low = FI_MIN(min, a->max);
    *high = FI_MAX(min, a->max);
}

static void fill(const struct fi_init_request *r, int64_t first, int64_t n, fi_real *w) {
    double low, high;
    ends(r->attrs, &low, &high);
    fi_draw_uniform(r, low, high, first, n, w);
}

static void moments(const struct fi_init_request *r, double *mean, double *std, double *kurtosis) {
    double low, high;
    ends(r->attrs, &low, &high);
    fi_draw_moments(0.5 * (low + high), (high - low) / sqrt(12.0), FI_KURTOSIS_UNIFORM, mean, std,
                    kurtosis);
}

FI_RECORD(init, uniform) = {.head = {.name = "uniform",
                                     .formula = "U(min, max)",
                                     .reference = "definition",
                                     .help = "Uniform numbers of a given range.",
                                     .attrs = attrs,
                                     .attrs_size = sizeof(struct uniform)},
                            .fill = fill,
                            .moments = moments};
