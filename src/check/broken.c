/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A start whose loss is not a number, or infinite: what can be said of it. Where figures stop being
 * finite, and what was measured in front of there; nothing is predicted, and nothing is tried.
 */
#include <math.h>
#include <string.h>

#include "check/check.h"

static int node_of(const fanin_net *net, const char *tensor) {
    for (int i = 0; i < net->n_params; i++)
        if (strcmp(net->params[i].name, tensor) == 0) return net->params[i].node;
    for (int i = 0; i < net->n_nodes; i++)
        if (strcmp(net->nodes[i].name, tensor) == 0) return i;
    return fi_net_result(net);
}

/* The backward pass was not run. */
static void forget_gradients(struct fanin_check *check) {
    for (int i = 0; i < check->result.n_layers; i++)
        check->layers[i].measured.grad = check->layers[i].spread.grad = NAN;
    for (int i = 0; i < check->result.n_params; i++)
        check->params[i].grad_measured = check->params[i].grad_spread = NAN;
}

/* The first start is all that is predicted and tried. */
static void forget_start(struct fanin_check *check) {
    static const struct fanin_check_figures none = {NAN, NAN, NAN, NAN};
    struct fanin_check_result *r = &check->result;
    for (int i = 0; i < r->n_layers; i++) {
        check->layers[i].predicted = none;
        check->layers[i].chi = check->layers[i].xi = NAN;
    }
    for (int i = 0; i < r->n_params; i++)
        check->params[i].grad_predicted = check->params[i].update = NAN;
    r->loss_first = r->loss_known = r->grad_norm = r->lr = r->steps = NAN;
    r->first_step = r->progress = r->bytes = NAN;
}

enum fanin_status fi_check_broken(const struct fi_look *look) {
    struct fanin_check *check = look->check;
    const char *tensor = fi_exec_first_not_finite(look->trainer->exec);
    const bool first = check->seeds == 0;
    if (!check->broken) {
        check->broken = fi_arena_strdup(&check->arena, tensor ? tensor : "the loss itself");
        if (!check->broken) return FANIN_ERR_MEMORY;
        check->broken_node = tensor ? node_of(look->net, tensor) : fi_net_result(look->net);
        check->broken_start = check->seeds;
    }
    check->n_broken++;
    forget_gradients(check);
    check->result.loss = check->result.loss_spread = NAN;
    if (!first) return FANIN_OK;
    forget_start(check);
    return fi_predict_params(&check->arena, &check->prediction, look->model);
}
