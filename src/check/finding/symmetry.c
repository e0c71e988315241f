/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Units that start equal and can never part, and weights whose gradient is zero for ever: the
 * verdict of the symmetry guard. Goodfellow, Bengio, Courville: Deep Learning, 2016, section 8.4.
 */
#include "check/check.h"

static enum fanin_status look_for(const struct fi_look *look, const struct fi_finding *self) {
    const struct fi_found found = {.severity = FANIN_WILL_NOT_TRAIN,
                                   .mend = "start the weights at random",
                                   .path = "init",
                                   .value = "kaiming_normal"};
    const char *why = look->check->symmetry.why;
    return why ? fi_found(look, self, &found, "%s", why) : FANIN_OK;
}

FI_RECORD(finding, symmetry) = {
    .head = {.name = "symmetry",
             .formula = "units of a layer in one class of the coarsest equitable partition",
             .reference = "Goodfellow, Bengio & Courville, Deep Learning, 2016, section 8.4",
             .help = "Units that start equal and that every step keeps equal, or weights whose "
                     "gradient is zero and stays zero."},
    .look = look_for};
