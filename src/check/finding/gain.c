/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A gain for another activation: Kaiming's √2 makes up for the half that ReLU takes away, which
 * tanh and its like do not.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "check/check.h"

static enum fanin_status look_for(const struct fi_look *look, const struct fi_finding *self) {
    for (int i = 0; i < look->net->n_nodes; i++) {
        const struct fi_param *p = fi_weight_of(look->net, i);
        const int after = fi_check_activation_after(look, i);
        char path[160];
        if (!p || !p->init.record || after < 0 || !isfinite(p->gain)) continue;
        const struct fi_node *a = &look->net->nodes[after];
        const bool kaiming = strncmp(p->init.record->name, "kaiming", 7) == 0;
        if (!kaiming || strcmp(a->op->curve->family, "relu") == 0) continue;
        fi_check_init_path(look, i, path, sizeof path);
        const struct fi_found found = {.severity = FANIN_TRAINABLE,
                                       .layer = look->net->nodes[i].name,
                                       .mend = "take the rule that fits",
                                       .path = path,
                                       .value = fi_check_right_init(look, i)};
        return fi_found(look, self, &found,
                        "%s gives %s a second moment of %.3g times its input's for the ReLU behind "
                        "it, but %s follows: its slopes have chi %.3g",
                        p->init.record->name, look->net->nodes[i].name, p->gain * p->gain,
                        a->op->head.name, look->check->layers[after].chi);
    }
    return FANIN_OK;
}

FI_RECORD(finding, gain) = {
    .head = {.name = "gain",
             .formula = "gain^2 E[f(z)^2] = 1",
             .reference = "He et al., ICCV 2015, section 2.2",
             .help = "An initializer with the gain of ReLU in front of another activation."},
    .look = look_for};
