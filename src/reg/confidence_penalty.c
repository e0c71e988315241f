/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Confidence penalty: subtracts β H(p) from the loss, H the entropy of a sample's predicted
 * distribution: it rewards predictions that are not certain. dH/dz comes from the loss record.
 *
 * Pereyra, Tucker, Chorowski, Kaiser, Hinton: Regularizing neural networks by penalizing confident
 * output distributions, ICLR workshop 2017, section 3.
 */
#include "graph/graph.h"

struct confidence_penalty {
    struct fi_reg_attrs common;
    double beta;
};

static const struct fanin_attr_spec attrs[] = {
    FI_ATTR_REAL(struct confidence_penalty, beta, 0, 0, 1e6, "reward for an entropy of 1 nat",
                 FANIN_ATTR_REQUIRED),
    FI_REG_SCHEDULE(struct confidence_penalty), FI_ATTR_END};

static double beta(const void *a) {
    return ((const struct confidence_penalty *)a)->beta;
}

static double of_entropy(const void *a, double h, double *slope) {
    *slope = -beta(a);
    return -beta(a) * h;
}

FI_RECORD(reg, confidence_penalty) = {
    .head = {.name = "confidence_penalty",
             .formula = "loss - beta H(p)",
             .reference = "Pereyra et al. 2017, section 3",
             .help = "Rewards the entropy of predictions, in nats (for classification).",
             .attrs = attrs,
             .attrs_size = sizeof(struct confidence_penalty)},
    .strength = beta,
    .of_entropy = of_entropy};
