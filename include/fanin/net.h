/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nets: a directed acyclic graph of ops, built node by node.
 *
 *     fanin_net *net;
 *     int x, h, y;
 *     fanin_net_create(&net, ctx);
 *     fanin_net_input(net, &x, NULL, 1, (int64_t[]){784});
 *     fanin_net_add(net, &h, "dense", NULL, &x, 1, &(struct fanin_attr){.number = 100}, 1);
 *     fanin_net_add(net, &h, "relu", NULL, &h, 1, NULL, 0);
 *     fanin_net_add(net, &y, "dense", NULL, &h, 1, &(struct fanin_attr){.number = 10}, 1);
 *
 * Nodes are named <op><n>, counted from 1 per op, unless a name is given. Names are stable: random
 * numbers are keyed by them and parameters are saved under them ("dense1.weight").
 */
#ifndef FANIN_NET_H
#define FANIN_NET_H

#include <fanin/record.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fanin_net fanin_net;

FANIN_API enum fanin_status fanin_net_create(fanin_net **out, fanin_ctx *ctx);
FANIN_API void fanin_net_free(fanin_net *net);

/* An input node; dims is the shape of one sample. *out: the node's index. name NULL: "input1", …
 * A net with several inputs reads samples that hold them side by side, in the order they were
 * added. */
FANIN_API enum fanin_status fanin_net_input(fanin_net *net, int *out, const char *name, int rank,
                                            const int64_t *dims);
/* Adds a node that reads the nodes inputs[0..n_inputs). Shapes are checked here.
 * Errors: RECIPE (unknown op, attribute, value), SHAPE (node and both shapes), ARGUMENT, MEMORY. */
FANIN_API enum fanin_status fanin_net_add(fanin_net *net, int *out, const char *op,
                                          const char *name, const int *inputs, int n_inputs,
                                          const struct fanin_attr *attrs, int64_t n_attrs);
/* Declares a node an output. Without a call the last node is the only output. The loss and
 * predictions are of the first one; fanin_model_activations() gives the others. */
FANIN_API enum fanin_status fanin_net_output(fanin_net *net, int node);

FANIN_API int fanin_net_nodes(const fanin_net *net);
FANIN_API const char *fanin_net_node_name(const fanin_net *net, int node);
/* -1: no such node. */
FANIN_API int fanin_net_find(const fanin_net *net, const char *name);

/* What fanin info shows of a node and of a parameter. Pointers are borrowed from the net. */
struct fanin_node_info {
    const char *name, *op;
    struct fanin_shape shape;
    int inputs[FANIN_MAX_INPUTS];
    int n_inputs;
    int first_param, n_params;
    double flops; /* forward, per sample; a fused multiply-add counts 2 */
};
FANIN_API void fanin_net_node(const fanin_net *net, int node, struct fanin_node_info *out);

struct fanin_param_info {
    const char *name; /* "dense1.weight" */
    int rank;
    int64_t dims[FANIN_MAX_RANK];
    int64_t count;
    int trainable, decay;
    const char *init; /* the rule's name; "zeros" or "ones" where none is needed, "imported" from a
                       * file; NULL: not made yet */
    const char *why;  /* why this rule: "relu follows", "given", … */
    int64_t fan_in, fan_out;
    double gain, std; /* NaN where they mean nothing */
};
FANIN_API int fanin_net_params(const fanin_net *net);
FANIN_API void fanin_net_param(const fanin_net *net, int index, struct fanin_param_info *out);

#ifdef __cplusplus
}
#endif
#endif
