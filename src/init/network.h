/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the initializers of a whole network share: the rule by which its tensors are drawn first,
 * and which tensors they are for.
 */
#ifndef FI_INIT_NETWORK_H
#define FI_INIT_NETWORK_H

#include "graph/graph.h"
#include "kernel/kernel.h"

/* Their attribute structs begin with this, as the start reads it; the first spec is
 * FI_NETWORK_INIT("help"), of struct fi_network_attrs. */
#define FI_NETWORK_INIT(help) FI_ATTR_RULE(struct fi_network_attrs, init, "init", help)

/* Does parameter i start by this rule? */
static inline bool fi_network_has(const struct fi_network *s, int i) {
    return s->model->net->params[i].network.record == &s->init->head;
}

static inline enum fanin_status fi_network_no_branch(const struct fi_network *s, const char *rule) {
    return fi_fail(s->model->ctx, FANIN_ERR_RECIPE,
                   "%s: the net has no residual branch, that is no `add` of a node and of layers "
                   "behind it: take another init",
                   rule);
}

#endif
