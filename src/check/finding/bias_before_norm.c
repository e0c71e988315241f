/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bias that batch normalization takes away again: it never gets a gradient.
 */
#include <stdio.h>
#include <string.h>

#include "check/check.h"

static const struct fi_param *bias_of(const struct fi_look *look, int node) {
    const struct fi_node *n = &look->net->nodes[node];
    for (int k = 0; k < n->n_params; k++) {
        const struct fi_param *p = &look->net->params[n->first_param + k];
        if (strcmp(p->spec.suffix, "bias") == 0) return p;
    }
    return NULL;
}

static enum fanin_status look_for(const struct fi_look *look, const struct fi_finding *self) {
    for (int i = 0; i < look->net->n_nodes; i++) {
        const struct fi_node *norm = &look->net->nodes[i];
        char path[160];
        if (!norm->op || !(norm->op->flags & FANIN_OP_BATCH_STATS)) continue;
        const int host = norm->inputs[0];
        const struct fi_param *bias = fi_weight_of(look->net, host) ? bias_of(look, host) : NULL;
        if (!bias) continue;
        (void)snprintf(path, sizeof path, "net.%s.bias", look->net->nodes[host].name);
        const struct fi_found found = {.severity = FANIN_TRAINABLE,
                                       .layer = look->net->nodes[host].name,
                                       .mend = "leave the bias out",
                                       .path = path,
                                       .value = "false"};
        FI_TRY(fi_found(look, self, &found, "%s subtracts the %lld numbers of %s again", norm->name,
                        (long long)bias->count, bias->name));
    }
    return FANIN_OK;
}

FI_RECORD(finding, bias_before_norm) = {
    .head = {.name = "bias_before_norm",
             .formula = "BN(x + b) = BN(x)",
             .reference = "Ioffe & Szegedy, ICML 2015, section 3.2",
             .help = "A bias in front of batch normalization, which subtracts it again."},
    .look = look_for};
