/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A start whose figures leave the range of numbers before the first step.
 */
#include <math.h>
#include <stdio.h>

#include "check/check.h"

static int has_weights(const struct fi_node *node) {
    return node->n_params > 0;
}

static enum fanin_status look_for(const struct fi_look *look, const struct fi_finding *self) {
    const struct fanin_check *check = look->check;
    if (!check->broken) return FANIN_OK;
    const int node = check->broken_node;
    const struct fi_node *n = &look->net->nodes[node];
    const int before = n->n_in > 0 ? n->inputs[0] : node;
    const int host =
        fi_weight_of(look->net, node) ? node : fi_check_host_before(look, node, has_weights);
    char path[160], front[96] = "";
    struct fi_found found = {.severity = FANIN_WILL_NOT_TRAIN,
                             .layer = n->name,
                             .mend = "smaller weights, or inputs of variance 1"};
    if (host >= 0 && fi_weight_of(look->net, host) &&
        !fi_check_starts_by(look, host, fi_check_right_init(look, host))) {
        fi_check_init_path(look, host, path, sizeof path);
        found.path = path;
        found.value = fi_check_right_init(look, host);
    }
    if (isfinite(check->layers[before].measured.second) && before != node)
        (void)snprintf(front, sizeof front, "; the rms in front of it, in %s, is %.3g",
                       check->layers[before].name, sqrt(check->layers[before].measured.second));
    return fi_found(look, self, &found,
                    "in %d of %d starts the loss is not finite before the first step: %s is the "
                    "first that is not%s",
                    check->n_broken, check->seeds, check->broken, front);
}

FI_RECORD(finding,
          not_finite) = {.head = {.name = "not_finite",
                                  .formula = "|x| < 3.4e38",
                                  .reference = "IEEE 754-2019, section 3.3",
                                  .help = "Figures of a start that leave the range of numbers."},
                         .look = look_for,
                         .broken = true};
