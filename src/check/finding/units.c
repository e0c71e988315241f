/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layers of which hardly a unit works: dead or saturated on nearly all samples.
 */
#include "check/check.h"

#define MOSTLY 0.9

static enum fanin_status look_for(const struct fi_look *look, const struct fi_finding *self) {
    const enum fanin_verdict slow = fi_check_slow(look), thrown = fi_check_thrown(look);
    for (int i = 0; i < look->net->n_nodes; i++) {
        const struct fanin_check_layer *l = &look->check->layers[i];
        const double units = (double)l->shape.cols, dead = (double)l->dead.count;
        const double flat = dead + (double)l->saturated.count;
        if (!(flat > MOSTLY * units)) continue;
        const bool all = dead == units;
        const struct fi_found found = {.severity = all             ? FANIN_WILL_NOT_TRAIN
                                                   : slow > thrown ? slow
                                                                   : thrown,
                                       .layer = l->name,
                                       .mend = "smaller weights or inputs in front of it"};
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
