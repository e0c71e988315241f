/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A penalty that no gradient holds out against. At a minimum of loss + ½λ‖w‖² every layer's
 * λ ‖w‖² = -w·∂L/∂w, and that is the same for all layers of ReLUs and at most about 1 for a cross-
 * entropy: so ‖w‖² ≤ 1/λ, whatever the data say.
 */
#include <math.h>
#include <stdio.h>

#include "check/check.h"

#define STRONG 0.1
#define TOO_STRONG 0.5
/* Decoupled decay takes lr λ of a weight at each step: what the last 1 / lr λ steps have learned is
 * there, and the rest forgotten. */
#define FORGETS 0.01
#define FORGETS_ALL 0.03

static enum fanin_status look_at_decay(const struct fi_look *look, const struct fi_finding *self,
                                       const struct fi_param *p, const struct fi_penalty *penalty) {
    const double lambda = penalty->reg->decay(penalty->attrs), lr = look->check->result.lr;
    char path[96];
    if (!(lambda * lr > FORGETS)) return FANIN_OK;
    (void)snprintf(path, sizeof path, "regularize.%s", penalty->reg->head.name);
    const struct fi_found found = {.severity = lambda * lr > FORGETS_ALL ? FANIN_WILL_NOT_TRAIN
                                                                         : FANIN_AT_RISK,
                                   .layer = look->net->nodes[p->node].name,
                                   .mend = "lower the decay",
                                   .path = path,
                                   .value = "0.0001"};
    return fi_found(look, self, &found,
                    "%s %.3g at lr %.3g takes %.2g of %s at each step: what was learned before the "
                    "last %.0f steps is forgotten",
                    penalty->reg->head.name, lambda, lr, lambda * lr, p->name, 1 / (lambda * lr));
}

static enum fanin_status look_for(const struct fi_look *look, const struct fi_finding *self) {
    for (int i = 0; i < look->net->n_params; i++) {
        const struct fi_policy *policy = &look->policies->params[i];
        for (int k = 0; k < policy->penalties.n; k++) {
            const struct fi_penalty *penalty = policy->penalties.items[k];
            const fi_real w = 1;
            fi_real g = 0;
            char path[96];
            if (penalty->reg->decay) {
                const int before = look->check->result.n_findings;
                FI_TRY(look_at_decay(look, self, &look->net->params[i], penalty));
                if (look->check->result.n_findings > before) return FANIN_OK;
            }
            if (!penalty->reg->gradient || penalty->reg->outputs) continue;
            /* the pull on a weight of 1: λ of l2 */
            penalty->reg->gradient(penalty->attrs, 1, &w, &g, 1);
            if (!(g > STRONG)) continue;
            (void)snprintf(path, sizeof path, "regularize.%s", penalty->reg->head.name);
            const struct fi_found found = {
                .severity = g > TOO_STRONG ? FANIN_WILL_NOT_TRAIN : FANIN_AT_RISK,
                .layer = look->net->nodes[look->net->params[i].node].name,
                .mend = "lower the penalty",
                .path = path,
                .value = "0.0001"};
            return fi_found(look, self, &found,
                            "%s pulls a weight of 1 back by %.3g, which a gradient of the loss "
                            "holds only while the squares of %s sum to less than about %.2g (%.3g "
                            "now)",
                            penalty->reg->head.name, (double)g, look->net->params[i].name,
                            1 / (double)g,
                            look->check->params[i].rms * look->check->params[i].rms *
                                (double)look->net->params[i].count);
        }
    }
    return FANIN_OK;
}

FI_RECORD(finding, penalty) = {
    .head = {.name = "penalty",
             .formula = "lambda |w|^2 = -w . dL/dw <= 1",
             .reference = "Krogh & Hertz, NIPS 1991",
             .help = "A penalty on weights that the loss cannot hold out against."},
    .look = look_for};
