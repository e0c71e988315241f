/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gradients that grow or shrink on their way back: chi = n_out E[w²] E[f′²] a layer.
 */
#include <math.h>

#include "check/check.h"

#define FAR 1e4 /* the factor over the whole net, of second moments */

static enum fanin_status look_for(const struct fi_look *look, const struct fi_finding *self) {
    const struct fanin_check_layer *layers = look->check->layers;
    int first = -1, last = -1;
    char path[160];
    for (int i = 0; i < look->net->n_nodes; i++) {
        if (!fi_weight_of(look->net, i) || fi_check_activation_after(look, i) < 0) continue;
        if (first < 0) first = i;
        last = i;
    }
    if (first < 0 || last == first) return FANIN_OK;
    const double factor = layers[first].predicted.grad / layers[last].predicted.grad;
    if (!(factor > FAR || factor < 1 / FAR)) return FANIN_OK;
    const int L = layers[last].depth - layers[first].depth;
    const enum fanin_verdict slow = fi_check_slow(look), thrown = fi_check_thrown(look);
    fi_check_init_path(look, first, path, sizeof path);
    const char *right = fi_check_right_init(look, first);
    struct fi_found found = {.severity = slow > thrown ? slow : thrown,
                             .layer = layers[first].name};
    if (!fi_check_starts_by(look, first, right)) {
        found.mend = "start so that each layer keeps the gradient";
        found.path = path;
        found.value = right;
    }
    return fi_found(look, self, &found,
                    "the gradient's second moment %s by %.3g a layer on its way back, %.2g times "
                    "over %d layers: its rms is %.2g in %s and %.2g in %s",
                    factor > 1 ? "grows" : "shrinks", pow(factor, 1.0 / L), factor, L,
                    sqrt(layers[last].predicted.grad), layers[last].name,
                    sqrt(layers[first].predicted.grad), layers[first].name);
}

FI_RECORD(finding, gradient) = {
    .head = {.name = "gradient",
             .formula = "chi = n_out E[w^2] E[f'^2]",
             .reference = "Glorot & Bengio, AISTATS 2010, eq. 6; Schoenholz et al., ICLR 2017",
             .help = "Gradients whose second moment grows or shrinks by more than 10^4 between the "
                     "last hidden layer and the first."},
    .look = look_for};
