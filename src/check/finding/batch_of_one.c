/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Batches of one sample under batch normalization: each number is its own mean.
 */
#include "check/check.h"

static enum fanin_status look_for(const struct fi_look *look, const struct fi_finding *self) {
    static const struct fi_found found = {.severity = FANIN_WILL_NOT_TRAIN,
                                          .mend = "take larger batches",
                                          .path = "train.batch",
                                          .value = "32"};
    if (look->train->batch != 1) return FANIN_OK;
    for (int i = 0; i < look->net->n_nodes; i++) {
        const struct fi_node *node = &look->net->nodes[i];
        if (node->op && node->op->flags & FANIN_OP_BATCH_STATS && node->shape.rank < 2)
            return fi_found(look, self, &found,
                            "in a batch of one every number is its own mean: %s gives 0 for every "
                            "sample",
                            node->name);
    }
    return FANIN_OK;
}

FI_RECORD(finding,
          batch_of_one) = {.head = {.name = "batch_of_one",
                                    .formula = "x - mean(x) = 0",
                                    .reference = "Ioffe & Szegedy, ICML 2015, algorithm 1",
                                    .help = "Batches of one sample under batch normalization."},
                           .look = look_for};
