/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decay, or a penalty, on the scale and shift of a norm: it pulls what the norm is there to set.
 */
#include <stdio.h>

#include "check/check.h"

static enum fanin_status look_for(const struct fi_look *look, const struct fi_finding *self) {
    for (int i = 0; i < look->net->n_params; i++) {
        const struct fi_param *p = &look->net->params[i];
        const struct fi_policy *policy = &look->policies->params[i];
        const struct fi_node *node = &look->net->nodes[p->node];
        if (!p->spec.trainable || !node->op || !(node->op->flags & FANIN_OP_NORM)) continue;
        double decay = 0;
        const char *name = NULL;
        for (int k = 0; k < policy->penalties.n; k++) {
            const struct fi_penalty *penalty = policy->penalties.items[k];
            decay += penalty->reg->strength ? penalty->reg->strength(penalty->attrs) : 0;
            name = penalty->reg->head.name;
        }
        if (!name) continue;
        char value[160];
        (void)snprintf(value, sizeof value, "{match: \"%s\", regularize: {}}", p->name);
        const struct fi_found found = {.severity = FANIN_TRAINABLE,
                                       .layer = node->name,
                                       .mend = "leave scale and shift of norms out of the pattern",
                                       .path = "params.+",
                                       .value = value};
        FI_TRY(fi_found(look, self, &found,
                        "%s %.3g acts on %s, which scales or shifts a "
                        "normalized signal",
                        name, decay, p->name));
    }
    return FANIN_OK;
}

FI_RECORD(finding, decay_of_norm) = {
    .head = {.name = "decay_of_norm",
             .formula = "lambda |gamma|^2 on y = gamma x + beta",
             .reference = "He et al., Bag of Tricks, CVPR 2019, section 3.1",
             .help = "A penalty on the scale or shift of a norm."},
    .look = look_for};
