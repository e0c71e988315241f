/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Residual branches that start as the identity: in each, what is nearest to the sum is zero, the
 * scale of a norm where the branch ends in one, else the weights of its last layer. All others
 * start by `init`. Then every sum is its skip connection, bit for bit, and the net starts as
 * shallow as without its branches.
 *
 * The zeroed layer moves in the first step, as what it reads is not zero; the layers before it in
 * the second.
 *
 * Goyal et al.: Accurate, large minibatch SGD, 2017, section 5.1 (scale of the norm); He et al.:
 * Bag of tricks, CVPR 2019, section 3.1; Zhang, Dauphin, Ma: Fixup initialization, ICLR 2019
 * (weights).
 */
#include "init/network.h"

static const struct fanin_attr_spec attrs[] = {
    FI_NETWORK_INIT("how all others start; default: by what follows"), FI_ATTR_END};

/* Zeroes a parameter, and what its node adds. */
static enum fanin_status zero(const struct fi_network *s, const struct fi_node *node,
                              struct fi_param *p) {
    fanin_net *net = s->model->net;
    for (int k = node->first_param; k < node->first_param + node->n_params; k++) {
        struct fi_param *q = &net->params[k];
        if (q != p && (!q->spec.trainable || q->spec.scales || q->spec.weight)) continue;
        for (int64_t i = 0; i < q->size; i++) s->model->params[q->offset + i] = 0;
    }
    p->std = 0;
    p->spec.fill = 0;
    p->why = "zero_last: the branch starts as the identity";
    return FANIN_OK;
}

/* From the end of a branch back to the first node that can be zeroed. */
static enum fanin_status zero_from(const struct fi_network *s, int at) {
    fanin_net *net = s->model->net;
    const struct fi_node *node = &net->nodes[at];
    if (!node->op)
        return fi_fail(s->model->ctx, FANIN_ERR_RECIPE,
                       "zero_last: a residual branch has no layer behind %s", node->name);
    for (int k = node->first_param; k < node->first_param + node->n_params; k++) {
        struct fi_param *p = &net->params[k];
        const bool scales = node->op->flags & FANIN_OP_NORM && p->spec.scales;
        if (p->spec.trainable && (scales || p->spec.weight)) return zero(s, node, p);
    }
    if (node->op->flags & FANIN_OP_SHIFTS ||
        (node->op->curve && node->op->curve->f(node->attrs, 0) != 0))
        return fi_fail(s->model->ctx, FANIN_ERR_RECIPE,
                       "zero_last: a residual branch ends in %s, which is not 0 at 0, so it cannot "
                       "start as the identity: put %s before the last layer of the branch",
                       node->name, node->name);
    for (int k = 0; k < node->n_in; k++) FI_TRY(zero_from(s, node->inputs[k]));
    return FANIN_OK;
}

/* The rule stands on some layer of the branch. */
static bool concerns(const struct fi_network *s, const struct fi_branches *branches, int branch) {
    const fanin_net *net = s->model->net;
    for (int i = 0; i < net->n_params; i++)
        if (fi_network_has(s, i) && branches->of_node[net->params[i].node] == branch) return true;
    return false;
}

static enum fanin_status network(const struct fi_network *s) {
    struct fi_branches branches;
    FI_TRY(fi_branches_find(&branches, s->arena, s->model->net));
    if (branches.n == 0) return fi_network_no_branch(s, "zero_last");
    for (int i = 0; i < branches.n; i++)
        if (concerns(s, &branches, i)) FI_TRY(zero_from(s, branches.items[i].last));
    return FANIN_OK;
}

FI_RECORD(init, zero_last) = {
    .head = {.name = "zero_last",
             .formula = "0 in the last layer, or norm scale, of each residual branch",
             .reference = "Goyal et al. 2017, section 5.1; Zhang, Dauphin & Ma, ICLR 2019",
             .help = "Residual branches start as the identity.",
             .attrs = attrs,
             .attrs_size = sizeof(struct fi_network_attrs)},
    .network = network};
