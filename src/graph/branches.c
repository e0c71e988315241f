/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The residual branches of a net, found from its shape alone.
 *
 * The inputs of a sum meet again, upstream, in their latest common ancestor, the fork. Of the ways
 * from there the one through the fewest weight layers (none, or a projection) is the skip
 * connection; every other one is a residual branch. Ways through equally many are parallel layers
 * and no residual branch. Where branches are nested, a node belongs to the innermost.
 */
#include <string.h>

#include "graph/graph.h"

const struct fi_param *fi_weight_of(const fanin_net *net, int node) {
    const struct fi_node *n = &net->nodes[node];
    for (int k = n->first_param; k < n->first_param + n->n_params; k++)
        if (net->params[k].spec.weight && net->params[k].spec.trainable) return &net->params[k];
    return NULL;
}

/* above[i] = 1: the node depends on i, or is it. */
static void ancestors(const fanin_net *net, int node, uint8_t *above) {
    memset(above, 0, (size_t)net->n_nodes);
    above[node] = 1;
    for (int i = node; i >= 0; i--)
        for (int k = 0; above[i] && k < net->nodes[i].n_in; k++) above[net->nodes[i].inputs[k]] = 1;
}

/* Weight layers on the longest way from the fork to `node`. */
static int layers_between(const fanin_net *net, int fork, int node, const uint8_t *above,
                          const uint8_t *above_fork, int *depth) {
    if (node == fork) return 0;
    for (int i = 0; i <= node; i++) {
        depth[i] = 0;
        if (!above[i] || above_fork[i]) continue;
        for (int k = 0; k < net->nodes[i].n_in; k++)
            depth[i] = FI_MAX(depth[i], depth[net->nodes[i].inputs[k]]);
        depth[i] += fi_weight_of(net, i) != NULL;
    }
    return depth[node];
}

struct search {
    const fanin_net *net;
    uint8_t *above[FANIN_MAX_INPUTS], *above_fork;
    int *depth;
};

static int find_fork(const struct search *s, const struct fi_node *sum) {
    for (int i = sum->inputs[0]; i >= 0; i--) {
        bool common = true;
        for (int k = 0; k < sum->n_in; k++) common &= s->above[k][i] != 0;
        if (common) return i;
    }
    return -1;
}

/* The branches that end in the sum `node`. */
static void search_sum(const struct search *s, int node, struct fi_branches *out) {
    const struct fi_node *sum = &s->net->nodes[node];
    int layers[FANIN_MAX_INPUTS], fewest = s->net->n_nodes;
    for (int k = 0; k < sum->n_in; k++) ancestors(s->net, sum->inputs[k], s->above[k]);
    const int fork = find_fork(s, sum);
    if (fork < 0) return;
    ancestors(s->net, fork, s->above_fork);
    for (int k = 0; k < sum->n_in; k++) {
        layers[k] =
            layers_between(s->net, fork, sum->inputs[k], s->above[k], s->above_fork, s->depth);
        fewest = FI_MIN(fewest, layers[k]);
    }
    for (int k = 0; k < sum->n_in; k++) {
        if (layers[k] == fewest) continue;
        for (int i = 0; i < s->net->n_nodes; i++)
            if (s->above[k][i] && !s->above_fork[i] && out->of_node[i] < 0)
                out->of_node[i] = out->n;
        out->items[out->n++] =
            (struct fi_branch){.sum = node, .last = sum->inputs[k], .layers = layers[k]};
    }
}

enum fanin_status fi_branches_find(struct fi_branches *out, struct fi_arena *arena,
                                   const fanin_net *net) {
    struct search s = {.net = net};
    int64_t most = 0;
    for (int i = 0; i < net->n_nodes; i++)
        if (net->nodes[i].op && net->nodes[i].op->flags & FANIN_OP_SUM) most += net->nodes[i].n_in;
    *out = (struct fi_branches){0};
    out->items = fi_arena_alloc(arena, most, sizeof(*out->items));
    out->of_node = fi_arena_alloc(arena, net->n_nodes, sizeof(int));
    s.depth = fi_arena_alloc(arena, net->n_nodes, sizeof(int));
    s.above_fork = fi_arena_alloc(arena, net->n_nodes, 1);
    if (!out->items || !out->of_node || !s.depth || !s.above_fork) return FANIN_ERR_MEMORY;
    for (int k = 0; k < FANIN_MAX_INPUTS; k++)
        if (!(s.above[k] = fi_arena_alloc(arena, net->n_nodes, 1))) return FANIN_ERR_MEMORY;
    for (int i = 0; i < net->n_nodes; i++) out->of_node[i] = -1;
    for (int i = 0; i < net->n_nodes; i++)
        if (net->nodes[i].op && net->nodes[i].op->flags & FANIN_OP_SUM) search_sum(&s, i, out);
    return FANIN_OK;
}

void fi_last_layers(const fanin_net *net, int node, uint8_t *last) {
    if (fi_weight_of(net, node)) {
        last[node] = 1;
        return;
    }
    for (int k = 0; k < net->nodes[node].n_in; k++)
        fi_last_layers(net, net->nodes[node].inputs[k], last);
}
