/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dropout in front of batch normalization: its noise is part of the variance that is normalized by
 * in training, and there is none in inference. With second moment d of a number and o of a pair of
 * samples, the variance over the batch is d E[m²] - o in training and d - o in inference.
 */
#include <stdio.h>

#include "check/check.h"

/* Back from the norm: 1 at dropout, on through what is linear or an activation, not past another
 * norm. */
static int stop(const struct fi_node *node) {
    if (!node->op) return -1;
    if (node->op->second_moment && node->op->second_moment(node->attrs) > 1) return 1;
    return node->op->flags & FANIN_OP_NORM ? -1 : 0;
}

static enum fanin_status look_for(const struct fi_look *look, const struct fi_finding *self) {
    for (int i = 0; i < look->net->n_nodes; i++) {
        const struct fi_node *norm = &look->net->nodes[i];
        char path[160];
        if (!norm->op || !(norm->op->flags & FANIN_OP_BATCH_STATS)) continue;
        const int dropout = fi_check_host_before(look, i, stop);
        if (dropout < 0) continue;
        const struct fi_node *d = &look->net->nodes[dropout];
        const struct fanin_signal *in = &look->check->prediction.nodes[d->inputs[0]].signal;
        double all = 0, pair = 0;
        for (int a = 0; a < in->n; a++)
            for (int b = 0; b < in->n; b++) {
                const double q = in->cov[a * in->n + b] + in->mean[a] * in->mean[b];
                if (a == b)
                    all += q / in->n;
                else
                    pair += q / ((double)in->n * (in->n - 1));
            }
        const double train = all * d->op->second_moment(d->attrs) - pair, test = all - pair;
        (void)snprintf(path, sizeof path, "net.%s", d->name);
        const struct fi_found found = {.severity =
                                           test < 0.25 * train ? FANIN_AT_RISK : FANIN_TRAINABLE,
                                       .layer = norm->name,
                                       .mend = "take this dropout away, or put it behind the norm",
                                       .path = path,
                                       .value = "null"};
        FI_TRY(fi_found(look, self, &found,
                        "%s stands before %s: the variance in inference is %.2f of that in "
                        "training, by which it normalizes",
                        d->name, norm->name, train > 0 ? test / train : 0));
    }
    return FANIN_OK;
}

FI_RECORD(finding, dropout_before_norm) = {
    .head = {.name = "dropout_before_norm",
             .formula = "Var_test / Var_train = (d - o) / (d E[m^2] - o)",
             .reference = "Li, Chen, Hu & Yang, CVPR 2019 (arXiv 1801.05134), section 3",
             .help = "Dropout in front of batch normalization, whose statistics it shifts."},
    .look = look_for};
