/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inputs far from mean 0 and variance 1, which every rule for the start takes for granted.
 */
#include <math.h>

#include "check/check.h"

#define LARGE 9.0
#define SMALL 0.02

static enum fanin_status look_for(const struct fi_look *look, const struct fi_finding *self) {
    const struct fanin_check_layer *in = &look->check->layers[0];
    const double mean = in->measured.mean, second = in->measured.second;
    const double variance = second - mean * mean;
    const enum fanin_verdict slow = fi_check_slow(look), thrown = fi_check_thrown(look);
    if (look->model->n_indexes > 0) return FANIN_OK;
    if (second < LARGE && second > SMALL && mean * mean < 2 * variance) return FANIN_OK;
    const struct fi_found found = {.severity = slow > thrown ? slow : thrown,
                                   .layer = in->name,
                                   .mend = "normalize the inputs",
                                   .path = "data.normalize",
                                   .value = "mean_std"};
    return fi_found(look, self, &found,
                    "the inputs have mean %.3g and variance %.3g over units and samples, where the "
                    "start counts on 0 and 1",
                    mean, variance);
}

FI_RECORD(finding, inputs) = {
    .head = {.name = "inputs",
             .formula = "E[x] = 0, E[x^2] = 1",
             .reference = "LeCun, Bottou, Orr & Mueller, Efficient BackProp, 1998, section 4.3",
             .help = "Inputs far from mean 0 and variance 1."},
    .look = look_for,
    .broken = true};
