/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The depth scale ξ of a layer: over how many layers like it, weights, bias and activation, two
 * samples' correlation comes e times nearer to where it ends. ξ = -1 / ln C′(c*), with C the map of
 * the correlation at the fixed point q* (theory.h); infinite at the critical point. Signals reach
 * some multiple of it (Schoenholz et al., ICLR 2017, eq. 9 and figure 5).
 *
 * It is the theory of plain nets, with dropout behind activations (section 5 there): a layer whose
 * activation is followed or preceded by a norm or a sum has none here.
 */
#include <math.h>
#include <string.h>

#include "check/check.h"

/* The only reader of a node, where it changes nothing but the shape; and -1: none, or something
 * else. */
static int next_of(const fanin_net *net, int node) {
    int next = -1;
    for (int i = node + 1; i < net->n_nodes; i++)
        for (int k = 0; k < net->nodes[i].n_in; k++)
            if (net->nodes[i].inputs[k] == node) {
                if (next >= 0) return -1;
                next = i;
            }
    return next;
}

static bool only_reshapes(const struct fi_node *n) {
    return n->op->fold && n->op->fold->same;
}

/* The activation that makes a plain layer with this node's weights, and E[m²] of the noise behind
 * it; NULL: it is none. */
static const struct fi_node *activation_of(const fanin_net *net, int node, double *noise) {
    const struct fi_node *found = NULL;
    *noise = 1;
    for (int i = next_of(net, node); i >= 0; i = next_of(net, i)) {
        const struct fi_node *n = &net->nodes[i];
        if (only_reshapes(n)) continue;
        if (!found && n->op->curve && n->n_params == 0)
            found = n;
        else if (found && n->op->second_moment && !fi_weight_of(net, i))
            *noise *= n->op->second_moment(n->attrs);
        else
            return found && fi_weight_of(net, i) ? found : NULL;
    }
    return NULL;
}

/* E[w²] times the units read; the variance of the bias. False: not a layer the theory is about. */
static bool variances(const struct fi_look *look, int node, double *weight, double *bias) {
    const struct fi_node *n = &look->net->nodes[node];
    const struct fi_param *p = fi_weight_of(look->net, node);
    if (!p || p->spec.layout != FANIN_LAYOUT_PANELS || n->op->flags & FANIN_OP_STOCHASTIC)
        return false;
    *bias = 0;
    for (int k = n->first_param; k < n->first_param + n->n_params; k++) {
        const struct fanin_param_law *law = &look->check->prediction.params[k];
        const struct fanin_param_spec *spec = &look->net->params[k].spec;
        if (!spec->scales && law->mean != 0) return false;
        if (&look->net->params[k] == p)
            *weight = (double)p->in * law->var;
        else if (!spec->scales)
            *bias = law->var;
    }
    return true;
}

static bool same_curve(const struct fi_node *a, const struct fi_node *b) {
    const size_t size = a->op->head.attrs_size;
    return a->op == b->op && (size == 0 || memcmp(a->attrs, b->attrs, size) == 0);
}

enum fanin_status fi_check_depth(const struct fi_look *look) {
    const fanin_net *net = look->net;
    struct fanin_check_layer *layers = look->check->layers;
    double weight = 0, bias = 0, noise;
    struct fi_mean_field field;
    struct {
        const struct fi_node *f;
        double weight, bias, noise;
    } last = {0};
    for (int i = 0; i < net->n_nodes; i++) {
        const struct fi_node *f = activation_of(net, i, &noise);
        layers[i].xi = NAN;
        if (!f || !variances(look, i, &weight, &bias)) continue;
        const bool same = last.f && same_curve(last.f, f) && last.weight == weight &&
                          last.bias == bias && last.noise == noise;
        const struct fi_activation activation = {.curve = f->op->curve, .attrs = f->attrs};
        if (!same)
            FI_TRY(fi_mean_field(look->check->ctx, &field, &activation, weight, bias, noise));
        last.f = f;
        last.weight = weight;
        last.bias = bias;
        last.noise = noise;
        layers[i].xi = field.xi_c;
    }
    return FANIN_OK;
}
