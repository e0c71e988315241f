/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Confidence penalty: subtracts β H(p) from the loss, H the entropy of a sample's predicted
 * distribution: it rewards predictions that are not certain. With a threshold Γ it is
 * β max(0, Γ - H), which leaves alone what is uncertain enough. dH/dz comes from the loss record.
 *
 * Pereyra, Tucker, Chorowski, Kaiser, Hinton: Regularizing neural networks by penalizing confident
 * output distributions, ICLR workshop 2017, sections 3 and 3.1.
 */
#include <math.h>

#include "graph/graph.h"

struct confidence_penalty {
    struct fi_reg_attrs common;
    double beta, threshold;
};

static const struct fanin_attr_spec attrs[] = {
    FI_ATTR_REAL(struct confidence_penalty, beta, 0, 0, 1e6, "reward for an entropy of 1 nat",
                 FANIN_ATTR_REQUIRED),
    FI_ATTR_REAL(struct confidence_penalty, threshold, NAN, 0, 1e6,
                 "entropy in nats above which nothing is rewarded; null: none",
                 FANIN_ATTR_NULLABLE),
    FI_REG_SCHEDULE(struct confidence_penalty), FI_ATTR_END};

static double beta(const void *a) {
    return ((const struct confidence_penalty *)a)->beta;
}

static double of_entropy(const void *attrs_, double h, double *slope) {
    const struct confidence_penalty *a = attrs_;
    const bool enough = h >= a->threshold; /* false without one */
    *slope = enough ? 0 : -a->beta;
    if (enough) return 0;
    return isnan(a->threshold) ? -a->beta * h : a->beta * (a->threshold - h);
}

FI_RECORD(reg, confidence_penalty) = {
    .head = {.name = "confidence_penalty",
             .formula = "loss - beta H(p), or + beta max(0, threshold - H(p))",
             .reference = "Pereyra et al. 2017, sections 3 and 3.1",
             .help = "Rewards the entropy of predictions, in nats (for classification).",
             .attrs = attrs,
             .attrs_size = sizeof(struct confidence_penalty)},
    .strength = beta,
    .of_entropy = of_entropy};
