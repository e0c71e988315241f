/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A net that ends in the activation that its loss applies itself: probabilities are taken for
 * scores, and of K classes the best that softmax can then say is e / (e + K - 1).
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "check/check.h"
#include "kernel/math.h"

static enum fanin_status look_for(const struct fi_look *look, const struct fi_finding *self) {
    const struct fi_node *last = &look->net->nodes[fi_net_result(look->net)];
    const struct fi_loss *loss = look->model->loss;
    char path[160];
    if (!last->op || strcmp(last->op->head.name, loss->link) != 0) return FANIN_OK;
    const double k = (double)last->shape.cols, e = fi_exp(1);
    const double best = strcmp(loss->link, "softmax") == 0 ? e / (e + k - 1) : e / (e + 1);
    (void)snprintf(path, sizeof path, "net.%s", last->name);
    const struct fi_found found = {.severity = FANIN_AT_RISK,
                                   .layer = last->name,
                                   .mend = "take the last activation away: the loss applies it",
                                   .path = path,
                                   .value = "null"};
    return fi_found(look, self, &found,
                    "%s applies %s to what %s gives, which is %s already: no probability can pass "
                    "%.3f and the loss not fall below %.3f",
                    loss->head.name, loss->link, last->name, loss->link, best, -fi_log(best));
}

FI_RECORD(finding, double_link) = {
    .head = {.name = "double_link",
             .formula = "softmax(softmax(z)) <= e / (e + K - 1)",
             .reference = "Bridle, Neurocomputing, 1990 (softmax with cross-entropy)",
             .help = "A net that ends in the activation that its loss applies again."},
    .look = look_for};
