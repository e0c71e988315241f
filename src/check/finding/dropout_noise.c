/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dropout whose noise drowns the signal: each layer of it multiplies second moments by E[m²] = 1 /
 * keep and leaves what samples have in common with themselves as it is, so the share of the signal
 * falls to Π keep.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "check/check.h"

#define DROWNED 8.5 /* Σ (E[m²] - 1): noise over signal */
#define MUCH 4.0

/* E[m²] - 1 of a node. */
static double noise_of(const struct fi_node *n) {
    return n->op && n->op->second_moment ? n->op->second_moment(n->attrs) - 1 : 0;
}

/* Nodes are called like this op and numbered, and all of them are the op. */
static bool is_family(const struct fi_look *look, const struct fanin_op *op) {
    const char *name = op->head.name;
    for (int i = 0; i < look->net->n_nodes; i++) {
        const struct fi_node *n = &look->net->nodes[i];
        if (noise_of(n) > 0 && (n->op != op || strncmp(n->name, name, strlen(name)) != 0))
            return false;
    }
    return true;
}

/* The rate with which one of n nodes makes its share of the noise that is borne, E[m²] - 1 =
 * rate / (1 - rate); rounded down to per cents. */
static double rate_for(double noise, int n) {
    const double share = 0.9 * noise / n;
    return floor(100 * share / (1 + share)) / 100;
}

static enum fanin_status look_for(const struct fi_look *look, const struct fi_finding *self) {
    double noise = 0, growth = 1;
    int layers = 0, worst = -1;
    char path[160], value[32];
    for (int i = 0; i < look->net->n_nodes; i++) {
        const double more = noise_of(&look->net->nodes[i]);
        if (!(more > 0)) continue;
        if (worst < 0 || more > noise_of(&look->net->nodes[worst])) worst = i;
        layers++;
        noise += more;
        growth *= 1 + more;
    }
    if (noise < MUCH) return FANIN_OK;
    const struct fi_node *n = &look->net->nodes[worst];
    /* the worst alone, where the others leave room for it; else all of them alike */
    const double left = MUCH - (noise - noise_of(n));
    const bool all = left < MUCH / layers && is_family(look, n->op);
    if (all)
        fi_check_all_path(look, worst, ".rate", path, sizeof path);
    else
        (void)snprintf(path, sizeof path, "net.%s.rate", n->name);
    (void)snprintf(value, sizeof value, "%.2g",
                   rate_for(all ? MUCH : FI_MAX(left, MUCH / layers), all ? layers : 1));
    const struct fi_found found = {.severity =
                                       noise > DROWNED ? FANIN_WILL_NOT_TRAIN : FANIN_AT_RISK,
                                   .layer = n->name,
                                   .mend = "lower the rates",
                                   .path = path,
                                   .value = value};
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
