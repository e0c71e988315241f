/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Samples that all look alike to the last layer: the correlation between two of them goes to its
 * fixed point, and what tells them apart is lost in depth.
 */
#include <math.h>

#include "check/check.h"

#define ALIKE 0.999

static enum fanin_status look_for(const struct fi_look *look, const struct fi_finding *self) {
    const struct fanin_check_layer *layers = look->check->layers;
    const int result = fi_net_result(look->net);
    int first = -1;
    if (!(layers[result].measured.cosine > ALIKE)) return FANIN_OK;
    for (int i = 0; i < look->net->n_nodes && first < 0; i++)
        if (layers[i].measured.cosine > ALIKE) first = i;
    const struct fi_found found = {.severity = fi_check_slow(look),
                                   .layer = layers[first].name,
                                   .mend = "fewer layers, or batch_norm between them"};
    return fi_found(look, self, &found,
                    "all samples look alike from %s on: the mean cosine between two is %.6f at the "
                    "result, %.3f at the input",
                    layers[first].name, layers[result].measured.cosine, layers[0].measured.cosine);
}

FI_RECORD(finding, alike) = {
    .head = {.name = "alike",
             .formula = "c -> c*, 1 - c ~ exp(-depth / xi)",
             .reference = "Schoenholz et al., ICLR 2017, section 3",
             .help = "Samples that the last layer cannot tell apart: their mean cosine is above "
                     "0.999."},
    .look = look_for};
