/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The family of which the rules of LeCun, Glorot and He are members: variance scale / fan.
 *
 *   Var[w] = scale / fan,  fan = fan_in, fan_out, (fan_in + fan_out) / 2 or sqrt(fan_in fan_out)
 *
 * All three distributions have this variance, the truncated one (cut at two standard deviations)
 * too. The defaults are Keras'.
 */
#include "init/init.h"

#define CUT 2.0

struct variance_scaling {
    double scale;
    int mode, distribution;
};
enum { NORMAL, TRUNCATED, UNIFORM };

static const struct fanin_attr_spec attrs[] = {
    FI_ATTR_REAL(struct variance_scaling, scale, 1, 0, 1e12, "variance times fan",
                 FANIN_ATTR_ABOVE_MIN),
    FI_ATTR_CHOICE(struct variance_scaling, mode, 0, FI_FAN_WORDS "|fan_geo",
                   "which fan: inputs, outputs, their mean or geometric mean"),
    FI_ATTR_CHOICE(struct variance_scaling, distribution, TRUNCATED,
                   "normal|truncated_normal|uniform", "the law of the numbers"),
    FI_ATTR_END};

static double spread(const struct fi_init_request *r) {
    const struct variance_scaling *a = r->attrs;
    return sqrt(a->scale / fi_fan(r, a->mode));
}

static void fill(const struct fi_init_request *r, int64_t first, int64_t n, fi_real *w) {
    const struct variance_scaling *a = r->attrs;
    if (a->distribution == NORMAL)
        fi_draw_normal(r, 0, spread(r), first, n, w);
    else if (a->distribution == UNIFORM)
        fi_draw_symmetric(r, spread(r), first, n, w);
    else
        fi_draw_truncated(r, 0, spread(r), CUT, first, n, w);
}

static void moments(const struct fi_init_request *r, double *mean, double *std, double *kurtosis) {
    const struct variance_scaling *a = r->attrs;
    double law = a->distribution == NORMAL ? FI_KURTOSIS_NORMAL : FI_KURTOSIS_UNIFORM;
    if (a->distribution == TRUNCATED) (void)fi_truncated_std(CUT, &law);
    fi_draw_moments(0, spread(r), law, mean, std, kurtosis);
}

static double gain(const void *attrs_) {
    return sqrt(((const struct variance_scaling *)attrs_)->scale);
}

FI_RECORD(init, variance_scaling) = {
    .head = {.name = "variance_scaling",
             .formula = "Var[w] = scale / fan",
             .reference = "Glorot & Bengio 2010, eq. 10-12; He et al. 2015, eq. 10 and 14",
             .help = "Normal, truncated or uniform numbers whose variance is scale / fan.",
             .attrs = attrs,
             .attrs_size = sizeof(struct variance_scaling)},
    .fill = fill,
    .moments = moments,
    .gain = gain};
