/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Elastic net: adds α (ρ Σ |w| + ½ (1 - ρ) ‖w‖²) to the loss, the convention of scikit-learn's
 * ElasticNet(alpha, l1_ratio). Keras' L1L2(l1, l2) is l1 = α ρ, l2 = ½ α (1 - ρ).
 *
 * Zou, Hastie: Regularization and variable selection via the elastic net, JRSS B 67 (2005).
 */
#include "reg/reg.h"

struct elastic {
    struct fi_reg_attrs common;
    double alpha, l1_ratio;
};

static const struct fanin_attr_spec attrs[] = {
    FI_ATTR_REAL(struct elastic, alpha, 0, 0, 1e6, "strength of the penalty", FANIN_ATTR_REQUIRED),
    FI_ATTR_REAL(struct elastic, l1_ratio, 0.5, 0, 1, "1: l1 alone; 0: l2 alone", 0),
    FI_REG_SCHEDULE(struct elastic), FI_ATTR_END};

static double alpha(const void *attrs_) {
    return ((const struct elastic *)attrs_)->alpha;
}

static void gradient(const void *attrs_, double scale, const fi_real *w, fi_real *g, int64_t n) {
    const struct elastic *a = attrs_;
    fi_reg_add_sign(scale * a->alpha * a->l1_ratio, w, g, n);
    fi_reg_add_scaled(scale * a->alpha * (1 - a->l1_ratio), w, g, n);
}

static double value(const void *attrs_, const fi_real *w, int64_t n) {
    const struct elastic *a = attrs_;
    return a->alpha *
           (a->l1_ratio * fi_reg_sum_abs(w, n) + 0.5 * (1 - a->l1_ratio) * fi_sum_squares(w, n));
}

FI_RECORD(reg, elastic) = {
    .head = {.name = "elastic",
             .aliases = "elastic_net",
             .formula = "loss + alpha (l1_ratio sum |w| + 1/2 (1 - l1_ratio) |w|^2)",
             .reference = "Zou & Hastie, JRSS B 67 (2005)",
             .help = "A mixture of the penalties l1 and l2. Biases and norm parameters are exempt.",
             .attrs = attrs,
             .attrs_size = sizeof(struct elastic)},
    .strength = alpha,
    .gradient = gradient,
    .value = value};
