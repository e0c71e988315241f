/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tied units. Units of a layer whose incoming and outgoing weights, biases and norm parameters
 * agree, with the same holding for the units they read and feed, get equal gradients at every step.
 * That is the coarsest equitable partition of the units of the whole graph; it is found by refining
 * colours: a unit's new colour is a hash of its old one, of the multiset of (colour, weight) it
 * reads and of the multiset it feeds. Inputs, targets and units under noise of their own (dropout)
 * are all different from the start. The units of an embedding are the columns of its table.
 *
 * Equal up to sign: where an op is odd in each of its units, a unit with all weights turned around
 * is the opposite of what it was, and stays so. Each unit has a second colour, that of its
 * opposite; an edge is the same for a unit and a weight as for their opposites. Where the op is not
 * odd, or what acts on its parameters (non_negative) is not, the two colours differ from the start,
 * so that no unit meets another's opposite.
 *
 * What reads the units of a frozen layer cannot part them, for no gradient moves them: only what
 * they read counts.
 */
#include <stdlib.h>
#include <string.h>

#include "kernel/kernel.h"
#include "train/guard.h"

#define SIGN 0x80000000U
#define FIRST_COLUMNS 16 /* of a matrix, that are looked at before all of it */

static bool noisy(const struct fi_node *node) {
    return node->op && (node->op->flags & FANIN_OP_STOCHASTIC) &&
           !(node->op->flags & FANIN_OP_ROW_NOISE) &&
           (!node->op->draws || node->op->draws(node->attrs));
}

/* ---- what turns around ----------------------------------------------------------------------------- */

#define PROBES 8
static const double probes[PROBES] = {0.01, 0.3, -0.7, 1.1, -2.5, 4, 9, -30};

static bool odd_curve(const struct fi_node *node) {
    const struct fanin_curve *c = node->op->curve;
    for (int i = 0; i < PROBES; i++)
        if (c->f(node->attrs, -probes[i]) != -c->f(node->attrs, probes[i])) return false;
    return true;
}

/* Is the gradient of a penalty turned around with the weights? */
static bool odd_penalty(const struct fi_penalty *p) {
    fi_real w[PROBES], turned[PROBES], g[PROBES] = {0}, h[PROBES] = {0};
    if (p->reg->whole) return false; /* some other weights count */
    if (!p->reg->gradient) return true;
    for (int i = 0; i < PROBES; i++) turned[i] = -(w[i] = (fi_real)probes[i]);
    p->reg->gradient(p->attrs, 1, w, g, PROBES);
    p->reg->gradient(p->attrs, 1, turned, h, PROBES);
    for (int i = 0; i < PROBES; i++)
        if (g[i] != -h[i]) return false;
    return true;
}

static bool odd_constraint(const struct fanin_rule_ref *ref) {
    const struct fi_constraint *c = (const struct fi_constraint *)(const void *)ref->record;
    fi_real w[PROBES], turned[PROBES];
    for (int i = 0; i < PROBES; i++) turned[i] = -(w[i] = (fi_real)probes[i]);
    c->units(ref->attrs, w, 1, PROBES, 1);
    c->units(ref->attrs, turned, 1, PROBES, 1);
    for (int i = 0; i < PROBES; i++)
        if (w[i] != -turned[i]) return false;
    return true;
}

static bool odd_penalties(const struct fi_penalties *list) {
    bool odd = true;
    for (int i = 0; i < list->n; i++) odd &= odd_penalty(list->items[i]);
    return odd;
}

/* Is the opposite of a unit one that could stand in its layer? */
static bool turns_around(const struct fi_symmetries *g, int node) {
    const struct fi_node *n = &g->net->nodes[node];
    const bool curve = n->op->curve && n->n_params == 0; /* else training bends it */
    if (!(n->op->flags & FANIN_OP_ODD) && !(curve && odd_curve(n))) return false;
    if (!g->policies) return true;
    bool odd = odd_penalties(&g->policies->outputs[node]);
    for (int k = n->first_param; k < n->first_param + n->n_params; k++) {
        const struct fi_policy *policy = &g->policies->params[k];
        odd &= odd_penalties(&policy->penalties);
        for (int i = 0; i < policy->constraints.n; i++)
            odd &= odd_constraint(&policy->constraints.items[i]);
        odd &= g->net->params[k].spec.trainable || !policy->frozen; /* statistics in use */
    }
    return odd;
}

/* ---- colours ---------------------------------------------------------------------------------------- */

/* 0: the key is that of the unit, 1: of its opposite, 2: they are the same. */
static unsigned side_of(const struct fi_unit *u) {
    return u->plus == u->minus ? 2 : u->plus > u->minus;
}

static void set_key(struct fi_unit *u) {
    u->key = fi_hash_mix(FI_MIN(u->plus, u->minus), FI_MAX(u->plus, u->minus));
}

static void first_colors(const struct fi_symmetries *g, bool noise) {
    const int result = fi_net_result(g->net);
    for (int i = 0; i < g->net->n_nodes; i++) {
        const struct fi_node *node = &g->net->nodes[i];
        const bool single = !node->op || i == result || noise || noisy(node);
        const bool turns = !single && turns_around(g, i);
        for (int64_t u = 0; u < node->shape.cols; u++) {
            struct fi_unit *unit = &g->units[i][u];
            unit->plus = fi_hash_mix((uint64_t)i, single ? (uint64_t)u + 1 : 0);
            unit->minus = turns ? unit->plus : ~unit->plus;
        }
        g->classes[i] = single ? (int)node->shape.cols : 1;
        g->own_opposite[i] = turns ? node->shape.cols : 0;
    }
}

/* No unit is like another or like its own opposite: no round can tell more. */
static bool parted(const struct fi_symmetries *g, int node) {
    return g->classes[node] == g->net->nodes[node].shape.cols && g->own_opposite[node] == 0;
}

/* An edge of a weight to a unit of this key: `side` tells which of the two it is, 2 both. */
static inline void meet(struct fi_unit *u, uint64_t edge, unsigned side) {
    if (side != 1) u->as += edge;
    if (side != 0) u->against += edge;
}

/* The same for a unit and its opposite. */
static void meet_both(struct fi_unit *u, uint64_t word) {
    u->as += word;
    u->against += word;
}

static unsigned turned(unsigned side, uint32_t bits) {
    return bits == 0 ? 2 : side == 2 ? 2 : side ^ (bits >> 31);
}

/* Units read and feed each other through a matrix. Sums of mixed words are hashes of multisets. */
static void mix_matrix(const struct fi_symmetries *g, int node, const struct fi_param *p,
                       int64_t columns) {
    const struct fi_node *n = &g->net->nodes[node];
    struct fi_unit *x = g->units[n->inputs[0]], *y = g->units[node];
    const uint64_t out_mark = fi_hash_mix((uint64_t)node, 1),
                   in_mark = fi_hash_mix((uint64_t)node, 2);
    const bool feeds =
        columns == p->in && !fi_node_fixed(g, n->inputs[0]) && !parted(g, n->inputs[0]);
    const bool reads = !parted(g, node);
    for (int64_t o0 = 0; (feeds || reads) && o0 < p->out; o0 += FI_PANEL) {
        const int64_t width = fi_panel_width(p->out, o0 / FI_PANEL);
        const int64_t valid = FI_MIN(width, p->out - o0);
        const fi_real *w = g->model->params + p->offset + o0 * p->in;
        for (int64_t i = 0; i < columns; i++, w += width) {
            const unsigned side = side_of(&x[i]);
            for (int64_t l = 0; l < valid; l++) {
                const uint32_t bits = fi_weight_bits(w[l]);
                struct fi_unit *to = &y[o0 + l];
                if (reads)
                    meet(to, fi_hash_mix(x[i].key ^ out_mark, bits & ~SIGN), turned(side, bits));
                if (feeds)
                    meet(&x[i], fi_hash_mix(to->key ^ in_mark, bits & ~SIGN),
                         turned(side_of(to), bits));
            }
        }
    }
}

/* Unit u of an op without a matrix belongs to one unit of each of its inputs, mostly to unit u. */
static void mix_units(const struct fi_symmetries *g, int node) {
    const struct fi_node *n = &g->net->nodes[node];
    struct fi_sources sources;
    fi_sources_init(&sources, g->net, node);
    for (int k = 0; k < n->n_in; k++) {
        const uint64_t mark = fi_hash_mix((uint64_t)node, 3 + (uint64_t)k);
        const bool fixed = fi_node_fixed(g, n->inputs[k]);
        for (int64_t u = 0; u < n->shape.cols; u++) {
            const int64_t from = fi_source(&sources, k, u);
            if (from < 0) continue;
            struct fi_unit *x = &g->units[n->inputs[k]][from], *y = &g->units[node][u];
            meet(y, fi_hash_mix(x->key, mark), side_of(x));
            if (!fixed) meet(x, fi_hash_mix(y->key, ~mark), side_of(y));
        }
    }
}

/* Units of a run that an op mixes: each sees the multiset of the run's colours. Where the run is
 * the whole sample, all see the same. */
static void mix_runs(const struct fi_symmetries *g, int node) {
    const struct fi_node *n = &g->net->nodes[node];
    if (!(n->op->flags & FANIN_OP_MIXES) || n->run >= n->shape.cols) return;
    struct fi_unit *x = g->units[n->inputs[0]], *y = g->units[node];
    const bool fixed = fi_node_fixed(g, n->inputs[0]);
    for (int64_t u0 = 0; u0 < n->shape.cols; u0 += n->run) {
        uint64_t read = 0, fed = 0;
        for (int64_t u = u0; u < u0 + n->run; u++) {
            read += fi_hash_mix(x[u].key, side_of(&x[u]));
            fed += fi_hash_mix(y[u].key, side_of(&y[u]));
        }
        for (int64_t u = u0; u < u0 + n->run; u++) {
            meet_both(&y[u], fi_hash_mix(read, 11));
            if (!fixed) meet_both(&x[u], fi_hash_mix(fed, 12));
        }
    }
}

/* A unit of an embedding is a column of its table. */
static void mix_table(const struct fi_symmetries *g, int node, const struct fi_param *p) {
    const int64_t width = p->spec.dims[1], cols = g->net->nodes[node].shape.cols;
    const fi_real *w = g->model->params + p->offset;
    for (int64_t c = 0; c < width; c++) {
        uint64_t hash = fi_hash_mix((uint64_t)node, 19);
        for (int64_t r = 0; r < p->spec.dims[0]; r++)
            hash = fi_hash_mix(hash, fi_weight_bits(w[r * width + c]));
        for (int64_t u = c; u < cols; u += width) meet_both(&g->units[node][u], hash);
    }
}

/* Statistics that follow the batches have no part in training. */
static bool only_followed(const struct fi_symmetries *g, const struct fi_node *n, int param) {
    return n->op->flags & FANIN_OP_BATCH_STATS && !g->net->params[param].spec.trainable &&
           !(g->policies && g->policies->params[param].frozen);
}

/* Biases and norm parameters: one number a unit, or a channel of units. What is added turns around
 * with the unit, what multiplies does not. */
static void mix_vectors(const struct fi_symmetries *g, int node) {
    const struct fi_node *n = &g->net->nodes[node];
    const struct fi_param *table = fi_table_of(g->net, n);
    if (table) mix_table(g, node, table);
    for (int k = 0; k < n->n_params; k++) {
        const struct fi_param *p = &g->net->params[n->first_param + k];
        if (p->spec.layout != FANIN_LAYOUT_VECTOR || p->spec.table ||
            n->shape.cols % p->count != 0 || only_followed(g, n, n->first_param + k))
            continue;
        const uint64_t mark = fi_hash_mix((uint64_t)node, 20 + (uint64_t)k);
        const bool turns = p->spec.trainable && !p->spec.scales;
        for (int64_t u = 0; u < n->shape.cols; u++) {
            const uint32_t bits =
                fi_weight_bits(g->model->params[p->offset + fi_number_of(n, p, u)]);
            if (turns)
                meet(&g->units[node][u], fi_hash_mix(bits & ~SIGN, mark), turned(0, bits));
            else
                meet_both(&g->units[node][u], fi_hash_mix(bits, mark));
        }
    }
}

static int by_word(const void *a, const void *b) {
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Puts g->sorted in order; returns how many of its first n words differ. */
static int sort_words(const struct fi_symmetries *g, int64_t n) {
    int count = n > 0;
    qsort(g->sorted, (size_t)n, sizeof *g->sorted, by_word);
    for (int64_t u = 1; u < n; u++) count += g->sorted[u] != g->sorted[u - 1];
    return count;
}

static int sort_keys(const struct fi_symmetries *g, int node) {
    const int64_t n = g->net->nodes[node].shape.cols;
    for (int64_t u = 0; u < n; u++) g->sorted[u] = g->units[node][u].key;
    return sort_words(g, n);
}

static void mix_node(const struct fi_symmetries *g, int node, int64_t most_columns) {
    const struct fi_node *n = &g->net->nodes[node];
    const struct fi_param *p = n->op ? fi_matrix_of(g->net, n) : NULL;
    if (!n->op) return;
    if (p) {
        mix_matrix(g, node, p, FI_MIN(p->in, most_columns));
    } else {
        mix_units(g, node);
        mix_runs(g, node);
    }
    mix_vectors(g, node);
}

/* New colours of what the node's units met; true if a class split. */
static bool settle(const struct fi_symmetries *g, int node) {
    int64_t own = 0;
    for (int64_t u = 0; u < g->net->nodes[node].shape.cols; u++) {
        struct fi_unit *unit = &g->units[node][u];
        unit->plus = fi_hash_mix(fi_hash_mix(unit->plus, unit->as), unit->against);
        unit->minus = fi_hash_mix(fi_hash_mix(unit->minus, unit->against), unit->as);
        set_key(unit);
        own += unit->plus == unit->minus;
    }
    const int now = sort_keys(g, node);
    const bool split = now != g->classes[node] || own != g->own_opposite[node];
    g->classes[node] = now;
    g->own_opposite[node] = own;
    return split;
}

static void forget(const struct fi_symmetries *g, int node) {
    for (int64_t u = 0; u < g->net->nodes[node].shape.cols; u++)
        g->units[node][u].as = g->units[node][u].against = 0;
}

static bool all_single(const struct fi_symmetries *g) {
    for (int i = 0; i < g->net->n_nodes; i++)
        if (g->classes[i] != g->net->nodes[i].shape.cols) return false;
    return true;
}

/* Units that read only units without equals differ if any one of their weights does. So a few
 * columns of a random matrix part all of its units, and one walk all of a random net. */
static void part_random(const struct fi_symmetries *g) {
    for (int i = 0; i < g->net->n_nodes; i++) {
        const struct fi_node *n = &g->net->nodes[i];
        bool single = n->op != NULL;
        for (int k = 0; k < n->n_in; k++) single &= parted(g, n->inputs[k]);
        for (int64_t u = 0; u < n->shape.cols; u++) set_key(&g->units[i][u]);
        if (!single || parted(g, i)) continue;
        forget(g, i);
        for (int k = 0; k < n->n_in; k++) forget(g, n->inputs[k]);
        mix_node(g, i, FIRST_COLUMNS);
        settle(g, i);
    }
}

void fi_guard_tied(const struct fi_symmetries *g, bool noise) {
    bool split = true;
    first_colors(g, noise);
    part_random(g);
    while (split && !all_single(g)) {
        split = false;
        for (int i = 0; i < g->net->n_nodes; i++) forget(g, i);
        for (int i = 0; i < g->net->n_nodes; i++) mix_node(g, i, INT64_MAX);
        for (int i = 0; i < g->net->n_nodes; i++) split |= settle(g, i);
    }
}

int64_t fi_guard_mark(const struct fi_symmetries *g, int node, uint8_t *tied) {
    const int64_t n = g->net->nodes[node].shape.cols;
    int64_t count = 0;
    (void)sort_keys(g, node);
    for (int64_t u = 0; u < n; u++) {
        const uint64_t *at =
            bsearch(&g->units[node][u].key, g->sorted, (size_t)n, sizeof *g->sorted, by_word);
        tied[u] =
            at && ((at > g->sorted && at[-1] == *at) || (at + 1 < g->sorted + n && at[1] == *at));
        count += tied[u];
    }
    return count;
}

bool fi_guard_has_opposites(const struct fi_symmetries *g, int node) {
    const int64_t n = g->net->nodes[node].shape.cols;
    for (int64_t u = 0; u < n; u++) g->sorted[u] = g->units[node][u].plus;
    return sort_words(g, n) > g->classes[node]; /* two colours under one key */
}
