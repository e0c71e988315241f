/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Weights that never move. A weight w(o, i) gets a gradient unless unit i is identically zero or
 * the gradient of unit o is. Both sets only shrink as weights begin to move, so a fixpoint from
 * "all zero" tells what can ever move: zero weights on both sides of a tanh or a ReLU never do.
 * A frozen weight that is zero stays zero.
 */
#include <string.h>

#include "kernel/kernel.h"
#include "train/guard.h"

static bool clear(uint8_t *flag) {
    const bool was = *flag;
    *flag = 0;
    return was;
}

/* The number of unit u in a vector that may be NULL. */
static bool is_zero(const struct fi_symmetries *g, const struct fi_node *n,
                    const struct fi_param *p, int64_t u) {
    return !p || fi_weight_bits(g->model->params[p->offset + fi_number_of(n, p, u)]) == 0;
}

/* Clears what this matrix lets through; true if anything was cleared. */
static bool flow_matrix(const struct fi_symmetries *g, int node, const struct fi_param *p) {
    const struct fi_node *n = &g->net->nodes[node];
    const fi_real *w = g->model->params + p->offset;
    uint8_t *zero_x = g->zero[n->inputs[0]], *flat_x = g->flat[n->inputs[0]];
    uint8_t *zero_y = g->zero[node], *flat_y = g->flat[node];
    const struct fi_param *shift = fi_vector_of(g->net, n, false),
                          *scale = fi_vector_of(g->net, n, true);
    const bool weight_moves = fi_param_moves(g, p), shift_moves = shift && fi_param_moves(g, shift);
    const bool any_flat = memchr(flat_x, 1, (size_t)p->in) != NULL;
    bool changed = false;
    for (int64_t o = 0; o < p->out; o++) {
        if (!zero_y[o] && (flat_y[o] || !any_flat)) continue;
        const bool off = scale && is_zero(g, n, scale, o);
        if (zero_y[o] && shift && ((shift_moves && !flat_y[o]) || !is_zero(g, n, shift, o)))
            changed |= clear(&zero_y[o]);
        for (int64_t i = 0; i < p->in; i++) {
            if (!zero_y[o] && (!flat_x[i] || flat_y[o])) continue; /* nothing left to clear */
            const bool nonzero =
                !off && fi_weight_bits(w[fi_panel_index(p->out, p->in, o, i)]) != 0;
            if (!zero_x[i] && (nonzero || (weight_moves && !flat_y[o])))
                changed |= clear(&zero_y[o]);
            if (!flat_y[o] && (nonzero || (weight_moves && !zero_x[i])))
                changed |= clear(&flat_x[i]);
        }
    }
    return changed;
}

/* The same for a run of units of an op without a matrix: one unit, or what the op mixes. An op that
 * mixes gives 0 where all of the run are, and hands a gradient to all of it. */
static bool flow_run(const struct fi_symmetries *g, int node, const struct fi_sources *sources,
                     int64_t u0, int64_t run, bool at_zero) {
    const struct fi_node *n = &g->net->nodes[node];
    const struct fi_param *shift = fi_vector_of(g->net, n, false);
    bool zero = !at_zero, flat = true, changed = false;
    for (int64_t u = u0; u < u0 + run; u++) {
        for (int k = 0; k < n->n_in; k++) {
            const int64_t x = fi_source(sources, k, u);
            zero &= x < 0 || g->zero[n->inputs[k]][x];
        }
        flat &= g->flat[node][u];
    }
    const bool stuck = n->op->curve && n->op->curve->df(n->attrs, 0) == 0;
    for (int64_t u = u0; u < u0 + run; u++) {
        if (!zero || (shift && ((fi_param_moves(g, shift) && !g->flat[node][u]) ||
                                !is_zero(g, n, shift, u))))
            changed |= clear(&g->zero[node][u]);
        for (int k = 0; k < n->n_in && !flat; k++) {
            const int64_t x = fi_source(sources, k, u);
            if (x >= 0 && !(stuck && g->zero[n->inputs[k]][x]))
                changed |= clear(&g->flat[n->inputs[k]][x]);
        }
    }
    return changed;
}

/* A unit of a product is 0 where one factor is, and so is what it hands to the others. */
static bool flow_product(const struct fi_symmetries *g, int node, int64_t u) {
    const struct fi_node *n = &g->net->nodes[node];
    int zeros = 0;
    bool changed = false;
    for (int k = 0; k < n->n_in; k++) zeros += g->zero[n->inputs[k]][u];
    if (zeros == 0) changed |= clear(&g->zero[node][u]);
    for (int k = 0; k < n->n_in && !g->flat[node][u]; k++)
        if (zeros == g->zero[n->inputs[k]][u]) changed |= clear(&g->flat[n->inputs[k]][u]);
    return changed;
}

static bool flow_units(const struct fi_symmetries *g, int node) {
    const struct fi_node *n = &g->net->nodes[node];
    const unsigned flags = n->op->flags;
    const struct fanin_curve *curve = n->op->curve;
    const bool mixes = (flags & FANIN_OP_MIXES) != 0;
    const bool at_zero = curve ? curve->f(n->attrs, 0) != 0
                               : (flags & FANIN_OP_SHIFTS) || (mixes && !(flags & FANIN_OP_NORM));
    const int64_t run = mixes ? n->run : 1;
    struct fi_sources sources;
    bool changed = false;
    fi_sources_init(&sources, g->net, node);
    for (int64_t u = 0; u < n->shape.cols; u += run)
        changed |= flags & FANIN_OP_PRODUCT ? flow_product(g, node, u)
                                            : flow_run(g, node, &sources, u, run, at_zero);
    return changed;
}

bool fi_guard_can_move(const struct fi_symmetries *g, int node, const struct fi_param *p) {
    const uint8_t *zero_x = g->zero[g->net->nodes[node].inputs[0]];
    bool value = false, gradient = false;
    for (int64_t i = 0; i < p->in; i++) value |= !zero_x[i];
    for (int64_t o = 0; o < p->out; o++) gradient |= !g->flat[node][o];
    return value && gradient;
}

static bool flow(const struct fi_symmetries *g, int node) {
    const struct fi_node *n = &g->net->nodes[node];
    if (!n->op) return false;
    const struct fi_param *p = fi_matrix_of(g->net, n);
    return p ? flow_matrix(g, node, p) : flow_units(g, node);
}

void fi_guard_still(const struct fi_symmetries *g) {
    const int result = fi_net_result(g->net), n_nodes = g->net->n_nodes;
    bool changed = true;
    for (int i = 0; i < g->net->n_nodes; i++) {
        const size_t n = (size_t)g->net->nodes[i].shape.cols;
        memset(g->zero[i], g->net->nodes[i].op != NULL, n);
        memset(g->flat[i], i != result, n);
    }
    while (changed) { /* values flow forward, gradients back: both directions in each round */
        changed = false;
        for (int i = 0; i < n_nodes; i++) changed |= flow(g, i);
        for (int i = n_nodes - 1; i >= 0; i--) changed |= flow(g, i);
    }
}
