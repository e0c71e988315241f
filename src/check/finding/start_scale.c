/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Weights of one layer drawn too large, too small, or of one sign, for what stands behind them:
 * n_in E[w²] should be about 2 in front of the ReLU family, which halves second moments, and about
 * 1 in front of the others and of the result (the mean of Glorot's two conditions moves it by how
 * far the widths differ).
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "check/check.h"
#include "kernel/math.h"

#define ONE_SIGN 0.5 /* |mean| over the standard deviation */

/* Bounds on n_in E[w²], given what the rule that fits gives there: the nearer of the two one-sided
 * conditions is granted, and a factor for older rules; and less for a start that makes up for the
 * noise behind it. */
static bool fits(double gain2, double right, double noise, double in, double out, bool hidden) {
    const double both = 2 * in / (in + out);
    const double low = right / noise * FI_MIN(both, 1) * 0.6, high = right * FI_MAX(both, 1) * 1.6;
    if (!hidden) return gain2 < 2.5 * FI_MAX(both, 1);
    return gain2 > low && gain2 < high;
}

static enum fanin_status look_at_weight(const struct fi_look *look, const struct fi_finding *self,
                                        int node, const struct fi_param *p) {
    const struct fi_node *n = &look->net->nodes[node];
    const int after = fi_check_activation_after(look, node);
    const char *behind = after >= 0 ? look->net->nodes[after].op->head.name : "no activation";
    const bool relu = after >= 0 && strcmp(look->net->nodes[after].op->curve->family, "relu") == 0;
    const struct fanin_param_law *law = &look->check->prediction.params[p - look->net->params];
    const double in = (double)p->in, out = (double)p->out;
    const double gain2 = in * (law->var + law->mean * law->mean), std = sqrt(law->var);
    const enum fanin_verdict slow = fi_check_slow(look), thrown = fi_check_thrown(look);
    char path[160];
    fi_check_init_path(look, node, path, sizeof path);
    const struct fi_found found = {.severity = slow > thrown ? slow : thrown,
                                   .layer = n->name,
                                   .mend = "let the start follow from the fans",
                                   .path = path,
                                   .value = fi_check_right_init(look, node)};
    if (std > 0 && fabs(law->mean) > ONE_SIGN * std)
        return fi_found(look, self, &found,
                        "%s: the weights' mean is %.2g times their standard deviation: their sum "
                        "moves all units alike",
                        p->name, fabs(law->mean) / std);
    if (!(std > 0) ||
        fits(gain2, relu ? 2 : 1, fi_check_noise_behind(look, node), in, out, after >= 0))
        return FANIN_OK;
    return fi_found(
        look, self, &found,
        "%s has std %.3g for %lld inputs: n_in E[w^2] = %.3g, where %d keeps the second "
        "moment in front of %s",
        p->name, std, (long long)p->in, gain2, relu ? 2 : 1, behind);
}

static bool norm_follows(const struct fi_look *look, int node) {
    for (int i = node + 1; i < look->net->n_nodes; i++)
        for (int k = 0; k < look->net->nodes[i].n_in; k++)
            if (look->net->nodes[i].inputs[k] == node)
                return (look->net->nodes[i].op->flags & FANIN_OP_NORM) != 0;
    return false;
}

static enum fanin_status look_for(const struct fi_look *look, const struct fi_finding *self) {
    for (int i = 0; i < look->net->n_nodes; i++) {
        const struct fi_param *p = fi_weight_of(look->net, i);
        if (!p || p->spec.layout != FANIN_LAYOUT_PANELS || p->imported || norm_follows(look, i))
            continue;
        const int before = look->check->result.n_findings;
        FI_TRY(look_at_weight(look, self, i, p));
        if (look->check->result.n_findings > before) break; /* the others are like it */
    }
    return FANIN_OK;
}

FI_RECORD(finding, start_scale) = {
    .head = {.name = "start_scale",
             .formula = "n_in E[w^2] = 1; 2 in front of the ReLU family",
             .reference = "Glorot & Bengio, AISTATS 2010, eq. 10-16; He et al., ICCV 2015, eq. 10",
             .help = "Weights that start too large, too small or of one sign for the activation "
                     "behind them."},
    .look = look_for,
    .broken = true};
