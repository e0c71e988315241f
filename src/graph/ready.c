/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last part of a plan: what a step does, group by group, as functions with their arguments.
 *
 * A step of a small net is mostly calls and branches, so whatever follows from the net and the
 * policies alone is decided here: which function of which op runs, on what, who walks a chain, and
 * whether there is anything to prepare, to penalize or to add.
 */
#include "graph/exec.h"
#include "graph/graph.h"

static void make_links(const struct fi_exec *e, const struct fi_group *g) {
    for (int i = 0; i < g->n_chain; i++) {
        const struct fanin_step *s = &e->steps[g->chain[i]];
        const bool first = i == 0 && g->host < 0; /* all others work in place on the gradient */
        g->links[i] = (struct fi_link){.op = e->model->net->nodes[g->chain[i]].op,
                                       .step = s,
                                       .x = s->x[0],
                                       .y = s->y,
                                       .dy = s->dy,
                                       .dx = first ? s->dx[0] : s->dy};
    }
}

static void make_calls(const struct fi_exec *e, struct fi_group *g) {
    const int entry = g->host >= 0 ? g->host : g->chain[0];
    const struct fanin_op *host = g->host >= 0 ? e->model->net->nodes[g->host].op : NULL;
    g->step = &e->steps[entry];
    g->walks_forward = g->n_chain > 0;
    if (host) {
        g->forward = host->forward;
        g->backward = host->flags & FANIN_OP_NO_GRADIENT ? NULL : host->backward;
        g->prepares = host->prepare != NULL;
        g->walks_forward &= !(host->flags & FANIN_OP_EPILOGUE);
    }
    for (int i = 0; i < g->n_chain; i++) g->prepares |= g->links[i].op->prepare != NULL;
    g->penalized = e->policies && e->policies->outputs[g->tail].n > 0;
    for (int k = 0; k < g->step->n_in; k++) g->adds |= e->extras[entry].routes[k].add;
}

enum fanin_status fi_exec_ready(struct fi_exec *e) {
    struct fi_link *links =
        fi_arena_alloc(&e->arena, e->model->net->n_nodes, sizeof *e->groups->links);
    if (!links) return FANIN_ERR_MEMORY;
    for (int i = 0; i < e->n_groups; i++) {
        struct fi_group *g = &e->groups[i];
        g->links = links;
        links += g->n_chain;
        make_links(e, g);
        make_calls(e, g);
    }
    return FANIN_OK;
}
