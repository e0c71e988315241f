/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entropy minimization: adds β H(p) to the loss, H the entropy of a sample's predicted
 * distribution: it rewards predictions that are certain. The opposite of confidence_penalty.
 *
 * Grandvalet, Bengio: Semi-supervised learning by entropy minimization, NIPS 2004.
 */
#include "graph/graph.h"

struct entropy_minimization {
    struct fi_reg_attrs common;
    double beta;
};

static const struct fanin_attr_spec attrs[] = {
    FI_ATTR_REAL(struct entropy_minimization, beta, 0, 0, 1e6, "cost of an entropy of 1 nat",
                 FANIN_ATTR_REQUIRED),
    FI_REG_SCHEDULE(struct entropy_minimization), FI_ATTR_END};

static double beta(const void *a) {
    return ((const struct entropy_minimization *)a)->beta;
}

static double of_entropy(const void *a, double h, double *slope) {
    *slope = beta(a);
    return beta(a) * h;
}

FI_RECORD(reg, entropy_minimization) = {
    .head = {.name = "entropy_minimization",
             .formula = "loss + beta H(p)",
             .reference = "Grandvalet & Bengio, NIPS 2004",
             .help = "Penalizes the entropy of predictions, in nats (for classification).",
             .attrs = attrs,
             .attrs_size = sizeof(struct entropy_minimization)},
    .strength = beta,
    .of_entropy = of_entropy};
