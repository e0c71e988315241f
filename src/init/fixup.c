/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fixup: deep residual nets without normalization. With L residual branches, of which this one has
 * m weight layers,
 *
 *   the classifier and the last layer of each branch   0
 *   the other layers of a branch                       those of `init`, times L^(-1 / (2m - 2))
 *   all others                                         those of `init`
 *
 * so that an update changes what the net computes by an amount that does not grow with the depth.
 * The net starts with the output 0: cross-entropy begins at exactly ln(classes). The paper's scalar
 * biases and multipliers are layers of their own (`dense` has a bias; a `scale` in each branch).
 *
 * Zhang, Dauphin, Ma: Fixup initialization, ICLR 2019, section 3.
 */
#include <string.h>

#include "init/network.h"
#include "kernel/math.h"

static const struct fanin_attr_spec attrs[] = {
    FI_NETWORK_INIT("how the layers start before that; default: kaiming_normal"), FI_ATTR_END};

static void scale(const struct fi_network *s, struct fi_param *p, double factor) {
    fi_real *w = s->model->params + p->offset;
    for (int64_t i = 0; i < p->size; i++) w[i] *= (fi_real)factor;
    p->std *= factor;
}

static enum fanin_status say(const struct fi_network *s, struct fi_param *p, const char *why,
                             double factor) {
    p->why = fi_arena_printf(&s->model->arena, "fixup: %s, times %.4g", why, factor);
    return p->why ? FANIN_OK : FANIN_ERR_MEMORY;
}

static enum fanin_status place(const struct fi_network *s, const struct fi_branches *branches,
                               const uint8_t *zero, struct fi_param *p) {
    const int at = branches->of_node[p->node];
    if (zero[p->node]) {
        scale(s, p, 0);
        return say(s, p, at < 0 ? "classifier" : "last layer of a branch", 0);
    }
    if (at < 0) return say(s, p, "outside of branches", 1);
    const double m = (double)branches->items[at].layers;
    const double factor = fi_pow((double)branches->n, -1 / FI_MAX(1, 2 * m - 2));
    scale(s, p, factor);
    return say(s, p, "in a branch", factor);
}

static enum fanin_status network(const struct fi_network *s) {
    fanin_net *net = s->model->net;
    struct fi_branches branches;
    uint8_t *zero = fi_arena_alloc(s->arena, net->n_nodes, 1);
    if (!zero) return FANIN_ERR_MEMORY;
    FI_TRY(fi_branches_find(&branches, s->arena, net));
    if (branches.n == 0) return fi_network_no_branch(s, "fixup");
    for (int i = 0; i < branches.n; i++) fi_last_layers(net, branches.items[i].last, zero);
    fi_last_layers(net, fi_net_result(net), zero);
    for (int i = 0; i < net->n_params; i++)
        if (fi_network_has(s, i)) FI_TRY(place(s, &branches, zero, &net->params[i]));
    return FANIN_OK;
}

FI_RECORD(init, fixup) = {
    .head = {.name = "fixup",
             .formula =
                 "branches: init times L^(-1 / (2m - 2)); their last layers and the classifier 0",
             .reference = "Zhang, Dauphin & Ma, Fixup initialization, ICLR 2019, section 3",
             .help = "Starts deep residual nets so that they need no normalization.",
             .attrs = attrs,
             .attrs_size = sizeof(struct fi_network_attrs)},
    .network = network,
    .base = "kaiming_normal"};
