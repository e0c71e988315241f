/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dropout whose noise drowns the signal: each layer of it multiplies second moments by E[m²] = 1 /
 * keep and leaves what samples have in common with themselves as it is, so the share of the signal
 * falls to Π keep.
 */
#include <stdio.h>

#include "check/check.h"

#define DROWNED 8.5 /* Σ (E[m²] - 1): noise over signal */
#define MUCH 4.0

static enum fanin_status look_for(const struct fi_look *look, const struct fi_finding *self) {
    double noise = 0, growth = 1;
    int layers = 0, worst = -1;
    for (int i = 0; i < look->net->n_nodes; i++) {
        const struct fi_node *n = &look->net->nodes[i];
        if (!n->op || !n->op->second_moment) continue;
        const double more = n->op->second_moment(n->attrs) - 1;
        if (more > 0 && worst < 0) worst = i;
        layers += more > 0;
        noise += more;
        growth *= 1 + more;
    }
    if (noise < MUCH) return FANIN_OK;
    const struct fi_found found = {.severity =
                                       noise > DROWNED ? FANIN_WILL_NOT_TRAIN : FANIN_AT_RISK,
                                   .layer = look->net->nodes[worst].name,
                                   .mend = "lower the rates"};
    return fi_found(look, self, &found,
                    "%d layers of dropout add noise of %.3g times the signal's second moment; a "
                    "start that does not know of it lets the second moment grow %.3g times",
                    layers, noise, growth);
}

FI_RECORD(finding, dropout_noise) = {
    .head = {.name = "dropout_noise",
             .formula = "sum of E[m^2] - 1 = (1 - keep) / keep",
             .reference = "Schoenholz et al., ICLR 2017, section 5; Pretorius et al., NeurIPS 2018",
             .help = "Dropout whose noise, over all layers, is several times the signal."},
    .look = look_for};
