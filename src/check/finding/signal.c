/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Second moments that grow or shrink from layer to layer: E[y²] = n_in Var(w) E[x²] in front of
 * each activation, halved by ReLU. Over L layers the factor is to the power of L.
 */
#include <math.h>
#include <stdio.h>

#include "check/check.h"

#define FAR 256.0 /* the factor over the whole net */

/* The first and the last hidden layer with weights; false: fewer than two. */
static bool ends(const struct fi_look *look, int *first, int *last) {
    *first = *last = -1;
    for (int i = 0; i < look->net->n_nodes; i++) {
        if (!fi_weight_of(look->net, i) || fi_check_activation_after(look, i) < 0) continue;
        if (*first < 0) *first = i;
        *last = i;
    }
    return *first >= 0 && *last > *first;
}

static enum fanin_status look_for(const struct fi_look *look, const struct fi_finding *self) {
    const struct fanin_check_layer *layers = look->check->layers;
    int first, last;
    char path[160];
    if (!ends(look, &first, &last)) return FANIN_OK;
    const double q = layers[last].predicted.second, from = layers[first].predicted.second;
    const double factor = q / from;
    if (!(from > 0) || (factor < FAR && factor > 1 / FAR)) return FANIN_OK;
    const int L = layers[last].depth - layers[first].depth;
    const enum fanin_verdict slow = fi_check_slow(look), thrown = fi_check_thrown(look);
    fi_check_init_path(look, first, path, sizeof path);
    const char *right = fi_check_right_init(look, first);
    const char *rule = fi_weight_of(look->net, first)->init.record
                           ? fi_weight_of(look->net, first)->init.record->name
                           : "";
    struct fi_found found = {.severity = slow > thrown ? slow : thrown, .layer = layers[last].name};
    if (!fi_check_starts_by(look, first, right)) {
        found.mend = "start so that each layer keeps the second moment";
        found.path = path;
        found.value = right;
    }
    return fi_found(look, self, &found,
                    "%s %s the second moment of the signal by 2^%.1f over %d layers (%.3g each): "
                    "its rms is %.2g in %s and %.2g in %s",
                    *rule ? rule : "the start", factor > 1 ? "multiplies" : "shrinks", log2(factor),
                    L, pow(factor, 1.0 / L), sqrt(from), layers[first].name, sqrt(q),
                    layers[last].name);
}

FI_RECORD(finding, signal) = {
    .head = {.name = "signal",
             .formula = "E[y^2] = n_in Var(w) E[x^2]",
             .reference = "Glorot & Bengio, AISTATS 2010, eq. 5; He et al., ICCV 2015, eq. 9",
             .help = "Second moments that grow or shrink by more than 2^8 between the first and "
                     "the last hidden layer."},
    .look = look_for};
