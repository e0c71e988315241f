/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decoupled weight decay: before each optimizer step w ← w - lr · λ · w, whatever the gradient is.
 * With momentum-free SGD this is the l2 penalty; with momentum or AdamW it is not. lr is the
 * scheduled learning rate.
 *
 * Loshchilov, Hutter: Decoupled weight decay regularization, ICLR 2019, algorithms 1 and 2.
 */
#include "graph/graph.h"
#include "kernel/kernel.h"

struct weight_decay {
    struct fi_reg_attrs common;
    double lambda;
};

static const struct fanin_attr_spec attrs[] = {
    FI_ATTR_REAL(struct weight_decay, lambda, 0, 0, 1e6,
                 "decay rate; each step multiplies w by 1 - lr lambda", FANIN_ATTR_REQUIRED),
    FI_REG_SCHEDULE(struct weight_decay), FI_ATTR_END};

static double lambda(const void *a) {
    return ((const struct weight_decay *)a)->lambda;
}

FI_RECORD(reg, weight_decay) = {
    .head = {.name = "weight_decay",
             .aliases = "decoupled_weight_decay",
             .formula = "w <- w - lr lambda w, before the step",
             .reference = "Loshchilov & Hutter, ICLR 2019, algorithms 1 and 2",
             .help =
                 "Shrinks the weights by a fixed part at each step (AdamW, SGDW). Biases and norm "
                 "parameters are exempt.",
             .attrs = attrs,
             .attrs_size = sizeof(struct weight_decay)},
    .strength = lambda,
    .decay = lambda};
