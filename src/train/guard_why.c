/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guard's reasons, each a sentence of what holds for this net.
 */
#include <stdio.h>
#include <string.h>

#include "train/guard.h"

#define NAMED 2 /* readers; more are counted */

/* A text that is cut where it does not fit. */
struct text {
    char *at;
    size_t size, used;
};

__attribute__((format(printf, 2, 3))) static void say(struct text *t, const char *format, ...) {
    va_list args;
    va_start(args, format);
    const int n = vsnprintf(t->at + t->used, t->size - t->used, format, args);
    va_end(args);
    if (n > 0) t->used = FI_MIN(t->size - 1, t->used + (size_t)n);
}

/* ---- who reads a layer ----------------------------------------------------------------------------- */

struct readers {
    const struct fi_symmetries *g;
    const char *names[NAMED];
    int n;             /* layers with weights that read the units */
    const char *alike; /* an op on the way that has numbers of its own, or noise for all */
};

/* Nodes with weights behind `node`, through ops without. */
static void find_readers(struct readers *r, int node) {
    const fanin_net *net = r->g->net;
    for (int i = node + 1; i < net->n_nodes; i++) {
        const struct fi_node *n = &net->nodes[i];
        bool reads = false;
        for (int k = 0; k < n->n_in; k++) reads |= n->inputs[k] == node;
        if (!reads || r->g->seen[i]) continue;
        r->g->seen[i] = 1;
        if (fi_weights_of(net, n)) {
            if (r->n < NAMED) r->names[r->n] = n->name;
            r->n++;
            continue;
        }
        if (!r->alike && (n->n_params > 0 || n->op->flags & FANIN_OP_STOCHASTIC))
            r->alike = n->name;
        find_readers(r, i);
    }
}

static void say_readers(struct text *t, const struct fi_symmetries *g, int node, bool turned) {
    struct readers r = {.g = g};
    memset(g->seen, 0, (size_t)g->net->n_nodes);
    find_readers(&r, node);
    if (r.alike) say(t, "; %s treats them alike", r.alike);
    if (r.n == 0) {
        say(t, "; no layer reads them");
        return;
    }
    say(t, "; %s", r.names[0]);
    if (r.n == 2) say(t, " and %s", r.names[1]);
    if (r.n > 2) say(t, ", %s and %d layers more", r.names[1], r.n - 2);
    say(t, r.n == 1 ? " reads" : " read");
    say(t, turned ? " them with weights that are equal up to the same sign"
                  : " them with equal weights");
}

/* ---- tied units ------------------------------------------------------------------------------------ */

/* What the units read: the inputs of the net, units that differ, or units that are equal. */
static void say_inputs(struct text *t, const struct fi_symmetries *g, int node) {
    const int from = g->net->nodes[node].inputs[0];
    if (g->classes[from] == g->net->nodes[from].shape.cols)
        say(t, " and read the same inputs");
    else
        say(t, " and read the same units of %s, equal ones among them", g->net->nodes[from].name);
}

void fi_guard_why_tied(const struct fi_symmetries *g, int node, char *text, size_t size) {
    const struct fi_node *n = &g->net->nodes[node];
    const struct fi_param *p = fi_weights_of(g->net, n);
    struct text t = {.at = text, .size = size};
    const int64_t tied = fi_guard_mark(g, node, g->zero[node]);
    const bool turned = fi_guard_has_opposites(g, node);
    say(&t, "%s: %lld", n->name, (long long)tied);
    if (tied < n->shape.cols) say(&t, " of %lld", (long long)n->shape.cols);
    say(&t, " units start equal%s", turned ? " up to sign" : "");
    if (p->init.record && !p->imported) say(&t, " (%s)", p->init.record->name);
    say_inputs(&t, g, node);
    if (fi_node_fixed(g, node))
        say(&t, "; its weights are frozen, so they stay equal");
    else {
        say_readers(&t, g, node, turned);
        say(&t, "; nothing downstream differs, so every step keeps them equal");
    }
    if (g->classes[node] == 1)
        say(&t, ": the layer acts as one unit");
    else
        say(&t, ": the layer acts as %d units", g->classes[node]);
}

/* ---- weights that never move ----------------------------------------------------------------------- */

void fi_guard_why_still(const struct fi_symmetries *g, int node, char *text, size_t size) {
    const struct fi_node *n = &g->net->nodes[node];
    const int from = n->inputs[0];
    struct text t = {.at = text, .size = size};
    bool value = false, gradient = false;
    for (int64_t u = 0; u < g->net->nodes[from].shape.cols; u++) value |= !g->zero[from][u];
    for (int64_t u = 0; u < n->shape.cols; u++) gradient |= !g->flat[node][u];
    say(&t, "%s: the gradient of its weights is zero and stays zero: ", n->name);
    if (!value) say(&t, "what it reads from %s is identically zero", g->net->nodes[from].name);
    if (!value && !gradient) say(&t, ", and ");
    if (!gradient) say(&t, "what flows back to it is identically zero");
    say(&t, " (weights that are all zero on both sides of an activation that is 0 at 0)");
}
