/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layers of which hardly a unit works: dead or saturated on nearly all samples. Where the bias
 * outweighs what the weights bring, it is the cause, and else how the weights start.
 */
#include <stdio.h>

#include "check/check.h"

#define MOSTLY 0.9

/* What mends a layer; path "": nothing that is known. */
static void find_change(const struct fi_look *look, int node, char *path, size_t size,
                        const char **value) {
    int host = node;
    double bias = 0;
    while (host >= 0 && !fi_weight_of(look->net, host))
        host = look->net->nodes[host].n_in > 0 ? look->net->nodes[host].inputs[0] : -1;
    if (host < 0) return;
    const struct fi_param *b = fi_check_bias(look, host, &bias);
    *value = fi_check_right_init(look, host);
    if (b && b->init.record && bias > 0.5 * look->check->layers[host].measured.second) {
        (void)snprintf(path, size, "net.%s.bias_init", look->net->nodes[host].name);
        *value = "null";
    } else if (!fi_check_starts_by(look, host, *value)) {
        fi_check_init_path(look, host, path, size);
    }
}

static enum fanin_status look_for(const struct fi_look *look, const struct fi_finding *self) {
    const enum fanin_verdict slow = fi_check_slow(look), thrown = fi_check_thrown(look);
    char path[160] = "";
    const char *value = NULL;
    for (int i = 0; i < look->net->n_nodes; i++) {
        const struct fanin_check_layer *l = &look->check->layers[i];
        const double units = (double)l->shape.cols, dead = (double)l->dead.count;
        const double flat = dead + (double)l->saturated.count;
        if (!(flat > MOSTLY * units)) continue;
        const bool all = dead == units;
        find_change(look, i, path, sizeof path, &value);
        const struct fi_found found = {.severity = all             ? FANIN_WILL_NOT_TRAIN
                                                   : slow > thrown ? slow
                                                                   : thrown,
                                       .layer = l->name,
                                       .mend = "smaller weights, biases or inputs in front of it",
                                       .path = *path ? path : NULL,
                                       .value = *path ? value : NULL};
        return fi_found(look, self, &found, "%s: of %.0f units %.0f are dead and %.0f saturated",
                        l->name, units, dead, flat - dead);
    }
    return FANIN_OK;
}

FI_RECORD(finding, units) = {
    .head = {.name = "units",
             .formula = "share of the units with f' near 0 on 95 % of the samples",
             .reference = "Glorot & Bengio, AISTATS 2010, section 3",
             .help = "Layers with more than nine tenths of their units dead or saturated."},
    .look = look_for};
