/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A start that does not know of the dropout behind it: each layer multiplies second moments by
 * E[m²] = 1 / keep, which weights of variance 2 keep / n_in would take back.
 */
#include <stdio.h>

#include "check/check.h"

#define GROWTH 4.0 /* over the whole net */

static enum fanin_status look_for(const struct fi_look *look, const struct fi_finding *self) {
    double growth = 1;
    int first = -1, layers = 0;
    char path[160];
    for (int i = 0; i < look->net->n_nodes; i++) {
        const struct fi_param *p = fi_weight_of(look->net, i);
        if (!p || p->spec.layout != FANIN_LAYOUT_PANELS || fi_check_activation_after(look, i) < 0)
            continue;
        const double noise = fi_check_noise_behind(look, i);
        const struct fanin_param_law *law = &look->check->prediction.params[p - look->net->params];
        const int after = fi_check_activation_after(look, i);
        const double chi =
            look->check->layers[after].predicted.second / look->check->layers[i].predicted.second;
        /* what a layer with its activation makes of second moments, but for the noise */
        const double without = (double)p->in * (law->var + law->mean * law->mean) * chi;
        if (!(noise > 1) || without < (1 + 1 / noise) / 2) continue;
        growth *= noise;
        layers++;
        if (first < 0) first = i;
    }
    if (growth < GROWTH || layers < 2) return FANIN_OK;
    const enum fanin_verdict slow = fi_check_slow(look), thrown = fi_check_thrown(look);
    fi_check_init_path(look, first, path, sizeof path);
    const struct fi_found found = {.severity = slow > thrown ? slow : thrown,
                                   .layer = look->net->nodes[first].name,
                                   .mend = "start with what dropout adds in view",
                                   .path = path,
                                   .value = "{kaiming_normal: {dropout_aware: true}}"};
    return fi_found(look, self, &found,
                    "dropout behind %d layers multiplies the second moment by %.3g in all, which "
                    "the start does not take back",
                    layers, growth);
}

FI_RECORD(finding, dropout_start) = {
    .head = {.name = "dropout_start",
             .formula = "Var(w) = 2 keep / n_in",
             .reference = "Pretorius, van Biljon, Kroon & Kamper, NeurIPS 2018",
             .help = "Dropout in a deep net whose start does not make up for it."},
    .look = look_for};
