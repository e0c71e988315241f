/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The symmetry guard: what the start forbids for ever.
 *
 * Tied units. Units of a layer whose incoming and outgoing weights, biases and norm parameters
 * agree, with the same holding for the units they read and feed, get equal gradients at every step.
 * That is the coarsest equitable partition of the units of the whole graph; it is found by refining
 * colours: a unit's new colour is a hash of its old one, of the multiset of (colour, weight) it
 * reads and of the multiset it feeds. Inputs, targets and units under noise of their own (dropout)
 * are all different from the start. The units of an embedding are the columns of its table.
 *
 * Weights that never move. A weight w(o, i) gets a gradient unless unit i is identically zero or
 * the gradient of unit o is. Both sets only shrink as weights begin to move, so a fixpoint from
 * "all zero" tells what can ever move: zero weights on both sides of a tanh or a ReLU never do.
 *
 * Frozen parameters. What reads the units of a frozen layer cannot part them, for no gradient moves
 * them: only what they read counts. A frozen weight that is zero stays zero.
 */
#include <stdlib.h>
#include <string.h>

#include "kernel/kernel.h"
#include "train/train.h"

struct guard {
    const fanin_model *model;
    const fanin_net *net;
    const struct fi_policies *policies; /* or NULL */
    uint64_t **color, **next;           /* per node, per unit */
    uint8_t **zero, **flat;             /* value identically zero; gradient identically zero */
    int *classes;                       /* per node */
};

/* The weight matrix of a node, or NULL: an op that reads all units through weights. */
static const struct fi_param *matrix_of(const fanin_net *net, const struct fi_node *node) {
    for (int k = 0; k < node->n_params; k++) {
        const struct fi_param *p = &net->params[node->first_param + k];
        if (p->spec.layout == FANIN_LAYOUT_PANELS) return p;
    }
    return NULL;
}

/* The trainable number that multiplies each unit's value, or is added to it; NULL: none. */
static const struct fi_param *vector_of(const fanin_net *net, const struct fi_node *node,
                                        bool scales) {
    for (int k = 0; k < node->n_params; k++) {
        const struct fi_param *p = &net->params[node->first_param + k];
        if (p->spec.layout == FANIN_LAYOUT_VECTOR && p->spec.trainable && !p->spec.table &&
            (p->spec.scales != 0) == scales && node->shape.cols % p->count == 0)
            return p;
    }
    return NULL;
}

/* Where unit u finds its number in a vector. */
static int64_t number_of(const struct fi_node *node, const struct fi_param *p, int64_t u) {
    return p->spec.tiled ? u % p->count : u / (node->shape.cols / p->count);
}

static bool moves(const struct guard *g, const struct fi_param *p) {
    return g->policies ? g->policies->params[p - g->net->params].updates : p->spec.trainable;
}

/* The values of the node's units can never part: it has parameters, and none of them moves. */
static bool is_fixed(const struct guard *g, int node) {
    const struct fi_node *n = &g->net->nodes[node];
    bool fixed = n->n_params > 0;
    for (int k = 0; k < n->n_params; k++) fixed &= !moves(g, &g->net->params[n->first_param + k]);
    return fixed;
}

/* The table of a node, or NULL: its unit u is column u % dims[1]. */
static const struct fi_param *table_of(const fanin_net *net, const struct fi_node *node) {
    for (int k = 0; k < node->n_params; k++)
        if (net->params[node->first_param + k].spec.table)
            return &net->params[node->first_param + k];
    return NULL;
}

/* What its units start from. */
static const struct fi_param *weights_of(const fanin_net *net, const struct fi_node *node) {
    const struct fi_param *matrix = matrix_of(net, node);
    return matrix ? matrix : table_of(net, node);
}

static uint64_t bits_of(fi_real w) {
    float f = (float)w;
    uint32_t bits;
    if (f == 0) return 0; /* -0 is 0 */
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

static bool noisy(const struct fi_node *node) {
    return node->op && (node->op->flags & FANIN_OP_STOCHASTIC) &&
           !(node->op->flags & FANIN_OP_ROW_NOISE) &&
           (!node->op->draws || node->op->draws(node->attrs));
}

/* ---- tied units -------------------------------------------------------------------------------- */

static void first_colors(const struct guard *g, bool noise) {
    const int result = fi_net_result(g->net);
    for (int i = 0; i < g->net->n_nodes; i++) {
        const struct fi_node *node = &g->net->nodes[i];
        const bool single = !node->op || i == result || noise || noisy(node);
        for (int64_t u = 0; u < node->shape.cols; u++)
            g->color[i][u] = fi_hash_mix((uint64_t)i, single ? (uint64_t)u + 1 : 0);
    }
}

/* Units read and feed each other through a matrix. Sums of mixed words are hashes of multisets. */
static void mix_matrix(const struct guard *g, int node, const struct fi_param *p) {
    const struct fi_node *n = &g->net->nodes[node];
    const uint64_t *x = g->color[n->inputs[0]], *y = g->color[node];
    uint64_t *next_x = g->next[n->inputs[0]], *next_y = g->next[node];
    const fi_real *w = g->model->params + p->offset;
    const uint64_t out_mark = fi_hash_mix((uint64_t)node, 1),
                   in_mark = fi_hash_mix((uint64_t)node, 2);
    const bool fixed_x = is_fixed(g, n->inputs[0]);
    for (int64_t panel = 0; panel < fi_panels(p->out); panel++) {
        const int64_t o0 = panel * FI_PANEL, width = fi_panel_width(p->out, panel);
        const int64_t valid = FI_MIN(width, p->out - o0);
        for (int64_t i = 0; i < p->in; i++, w += width)
            for (int64_t l = 0; l < valid; l++) {
                const uint64_t bits = bits_of(w[l]);
                next_y[o0 + l] += fi_hash_mix(x[i] ^ out_mark, bits);
                if (!fixed_x) next_x[i] += fi_hash_mix(y[o0 + l] ^ in_mark, bits);
            }
    }
}

/* Unit u of an op without a matrix belongs to one unit of each of its inputs, mostly to unit u. */
static void mix_units(const struct guard *g, int node) {
    const struct fi_node *n = &g->net->nodes[node];
    struct fi_sources sources;
    fi_sources_init(&sources, g->net, node);
    for (int k = 0; k < n->n_in; k++) {
        const uint64_t mark = fi_hash_mix((uint64_t)node, 3 + (uint64_t)k);
        const bool fixed = is_fixed(g, n->inputs[k]);
        for (int64_t u = 0; u < n->shape.cols; u++) {
            const int64_t x = fi_source(&sources, k, u);
            if (x < 0) continue;
            g->next[node][u] += fi_hash_mix(g->color[n->inputs[k]][x], mark);
            if (!fixed) g->next[n->inputs[k]][x] += fi_hash_mix(g->color[node][u], ~mark);
        }
    }
}

/* Units of a run that an op mixes: each sees the multiset of the run's colours. Where the run is
 * the whole sample, all see the same. */
static void mix_runs(const struct guard *g, int node) {
    const struct fi_node *n = &g->net->nodes[node];
    if (!(n->op->flags & FANIN_OP_MIXES) || n->run >= n->shape.cols) return;
    const uint64_t *x = g->color[n->inputs[0]], *y = g->color[node];
    const bool fixed = is_fixed(g, n->inputs[0]);
    for (int64_t u0 = 0; u0 < n->shape.cols; u0 += n->run) {
        uint64_t read = 0, fed = 0;
        for (int64_t u = u0; u < u0 + n->run; u++) {
            read += fi_hash_mix(x[u], (uint64_t)node);
            fed += fi_hash_mix(y[u], (uint64_t)node);
        }
        for (int64_t u = u0; u < u0 + n->run; u++) {
            g->next[node][u] += fi_hash_mix(read, 11);
            if (!fixed) g->next[n->inputs[0]][u] += fi_hash_mix(fed, 12);
        }
    }
}

/* A unit of an embedding is a column of its table. */
static void mix_table(const struct guard *g, int node, const struct fi_param *p) {
    const int64_t width = p->spec.dims[1], cols = g->net->nodes[node].shape.cols;
    const fi_real *w = g->model->params + p->offset;
    for (int64_t c = 0; c < width; c++) {
        uint64_t hash = fi_hash_mix((uint64_t)node, 19);
        for (int64_t r = 0; r < p->spec.dims[0]; r++)
            hash = fi_hash_mix(hash, bits_of(w[r * width + c]));
        for (int64_t u = c; u < cols; u += width) g->next[node][u] += hash;
    }
}

/* Biases and norm parameters: one number a unit, or a channel of units. */
static void mix_vectors(const struct guard *g, int node) {
    const struct fi_node *n = &g->net->nodes[node];
    const struct fi_param *table = table_of(g->net, n);
    if (table) mix_table(g, node, table);
    for (int k = 0; k < n->n_params; k++) {
        const struct fi_param *p = &g->net->params[n->first_param + k];
        if (p->spec.layout != FANIN_LAYOUT_VECTOR || p->spec.table || n->shape.cols % p->count != 0)
            continue;
        const uint64_t mark = fi_hash_mix((uint64_t)node, 20 + (uint64_t)k);
        for (int64_t u = 0; u < n->shape.cols; u++)
            g->next[node][u] +=
                fi_hash_mix(bits_of(g->model->params[p->offset + number_of(n, p, u)]), mark);
    }
}

static int by_word(const void *a, const void *b) {
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Distinct colours of a node; the sorted copy is left in next[node]. */
static int count_classes(const struct guard *g, int node) {
    const int64_t n = g->net->nodes[node].shape.cols;
    uint64_t *sorted = g->next[node];
    int count = n > 0;
    memcpy(sorted, g->color[node], (size_t)n * sizeof(*sorted));
    qsort(sorted, (size_t)n, sizeof(*sorted), by_word);
    for (int64_t u = 1; u < n; u++) count += sorted[u] != sorted[u - 1];
    return count;
}

/* One round; true while classes still split. */
static bool refine(const struct guard *g) {
    bool split = false;
    for (int i = 0; i < g->net->n_nodes; i++)
        memset(g->next[i], 0, (size_t)g->net->nodes[i].shape.cols * sizeof(uint64_t));
    for (int i = 0; i < g->net->n_nodes; i++) {
        const struct fi_node *node = &g->net->nodes[i];
        if (!node->op) continue;
        const struct fi_param *p = matrix_of(g->net, node);
        if (p) {
            mix_matrix(g, i, p);
        } else {
            mix_units(g, i);
            mix_runs(g, i);
        }
        mix_vectors(g, i);
    }
    for (int i = 0; i < g->net->n_nodes; i++)
        for (int64_t u = 0; u < g->net->nodes[i].shape.cols; u++)
            g->color[i][u] = fi_hash_mix(g->color[i][u], g->next[i][u]);
    for (int i = 0; i < g->net->n_nodes; i++) {
        const int now = count_classes(g, i);
        split |= now != g->classes[i];
        g->classes[i] = now;
    }
    return split;
}

static bool all_single(const struct guard *g) {
    for (int i = 0; i < g->net->n_nodes; i++)
        if (g->classes[i] != g->net->nodes[i].shape.cols) return false;
    return true;
}

/* The first node with parameters behind `node` (through ops without). */
static const char *reader_of(const fanin_net *net, int node) {
    for (int i = node + 1; i < net->n_nodes; i++)
        for (int k = 0; k < net->nodes[i].n_in; k++)
            if (net->nodes[i].inputs[k] == node)
                return weights_of(net, &net->nodes[i]) ? net->nodes[i].name : reader_of(net, i);
    return "what follows";
}

static enum fanin_status refuse_tied(const struct guard *g, int node) {
    const struct fi_node *n = &g->net->nodes[node];
    const struct fi_param *p = weights_of(g->net, n);
    int64_t tied = 0;
    count_classes(g, node);
    const uint64_t *sorted = g->next[node];
    for (int64_t u = 0; u < n->shape.cols; u++)
        tied += (u > 0 && sorted[u] == sorted[u - 1]) ||
                (u + 1 < n->shape.cols && sorted[u] == sorted[u + 1]);
    return fi_fail(
        g->model->ctx, FANIN_ERR_SYMMETRIC,
        "%s: %lld of its %lld units start equal%s%s%s and read the same inputs, %s reads them with "
        "equal weights and nothing downstream differs, so every step keeps them equal: the layer "
        "acts as %d unit%s for ever. Start %s at random (init: %s), put dropout behind it, or set "
        "train.allow_symmetric: true to train anyway",
        n->name, (long long)tied, (long long)n->shape.cols, p->init.record ? " (" : "",
        p->init.record ? p->init.record->name : "", p->init.record ? ")" : "",
        reader_of(g->net, node), g->classes[node], g->classes[node] == 1 ? "" : "s", n->name,
        "xavier_uniform or kaiming_normal");
}

static enum fanin_status check_tied(const struct guard *g, bool noise) {
    first_colors(g, noise);
    for (int i = 0; i < g->net->n_nodes; i++) g->classes[i] = 0;
    do
        if (!refine(g)) break;
    while (!all_single(g));
    const int result = fi_net_result(g->net);
    for (int i = 0; i < g->net->n_nodes; i++)
        if (i != result && weights_of(g->net, &g->net->nodes[i]) &&
            g->classes[i] < g->net->nodes[i].shape.cols)
            return refuse_tied(g, i);
    return FANIN_OK;
}

/* ---- weights that never move ------------------------------------------------------------------- */

static bool clear(uint8_t *flag) {
    const bool was = *flag;
    *flag = 0;
    return was;
}

/* The number of unit u in a vector that may be NULL. */
static bool is_zero(const struct guard *g, const struct fi_node *n, const struct fi_param *p,
                    int64_t u) {
    return !p || bits_of(g->model->params[p->offset + number_of(n, p, u)]) == 0;
}

/* Clears what this matrix lets through; true if anything was cleared. */
static bool flow_matrix(const struct guard *g, int node, const struct fi_param *p) {
    const struct fi_node *n = &g->net->nodes[node];
    const fi_real *w = g->model->params + p->offset;
    uint8_t *zero_x = g->zero[n->inputs[0]], *flat_x = g->flat[n->inputs[0]];
    uint8_t *zero_y = g->zero[node], *flat_y = g->flat[node];
    const struct fi_param *shift = vector_of(g->net, n, false), *scale = vector_of(g->net, n, true);
    const bool weight_moves = moves(g, p), shift_moves = shift && moves(g, shift);
    const bool any_flat = memchr(flat_x, 1, (size_t)p->in) != NULL;
    bool changed = false;
    for (int64_t o = 0; o < p->out; o++) {
        if (!zero_y[o] && (flat_y[o] || !any_flat)) continue;
        const bool off = scale && is_zero(g, n, scale, o);
        if (zero_y[o] && shift && ((shift_moves && !flat_y[o]) || !is_zero(g, n, shift, o)))
            changed |= clear(&zero_y[o]);
        for (int64_t i = 0; i < p->in; i++) {
            if (!zero_y[o] && (!flat_x[i] || flat_y[o])) continue; /* nothing left to clear */
            const bool nonzero = !off && bits_of(w[fi_panel_index(p->out, p->in, o, i)]) != 0;
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
static bool flow_run(const struct guard *g, int node, const struct fi_sources *sources, int64_t u0,
                     int64_t run, bool at_zero) {
    const struct fi_node *n = &g->net->nodes[node];
    const struct fi_param *shift = vector_of(g->net, n, false);
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
        if (!zero ||
            (shift && ((moves(g, shift) && !g->flat[node][u]) || !is_zero(g, n, shift, u))))
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
static bool flow_product(const struct guard *g, int node, int64_t u) {
    const struct fi_node *n = &g->net->nodes[node];
    int zeros = 0;
    bool changed = false;
    for (int k = 0; k < n->n_in; k++) zeros += g->zero[n->inputs[k]][u];
    if (zeros == 0) changed |= clear(&g->zero[node][u]);
    for (int k = 0; k < n->n_in && !g->flat[node][u]; k++)
        if (zeros == g->zero[n->inputs[k]][u]) changed |= clear(&g->flat[n->inputs[k]][u]);
    return changed;
}

static bool flow_units(const struct guard *g, int node) {
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

static bool can_move(const struct guard *g, int node, const struct fi_param *p) {
    const uint8_t *zero_x = g->zero[g->net->nodes[node].inputs[0]];
    bool value = false, gradient = false;
    for (int64_t i = 0; i < p->in; i++) value |= !zero_x[i];
    for (int64_t o = 0; o < p->out; o++) gradient |= !g->flat[node][o];
    return value && gradient;
}

static bool flow(const struct guard *g, int node) {
    const struct fi_node *n = &g->net->nodes[node];
    if (!n->op) return false;
    const struct fi_param *p = matrix_of(g->net, n);
    return p ? flow_matrix(g, node, p) : flow_units(g, node);
}

static enum fanin_status check_moving(const struct guard *g) {
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
    for (int i = 0; i < g->net->n_nodes; i++) {
        const struct fi_node *node = &g->net->nodes[i];
        const struct fi_param *p = node->op ? matrix_of(g->net, node) : NULL;
        if (!p || !moves(g, p) || can_move(g, i, p)) continue;
        return fi_fail(g->model->ctx, FANIN_ERR_SYMMETRIC,
                       "%s: the gradient of its weights is zero and stays zero: what it reads or "
                       "what flows back to it is identically zero (weights that are all zero on "
                       "both sides of an activation that is 0 at 0). Start it at random (init: "
                       "xavier_uniform or kaiming_normal), or set train.allow_symmetric: true to "
                       "train anyway",
                       node->name);
    }
    return FANIN_OK;
}

static enum fanin_status make_guard(struct guard *g, const fanin_model *model,
                                    const struct fi_policies *policies, struct fi_arena *arena) {
    const int n = model->net->n_nodes;
    *g = (struct guard){.model = model, .net = model->net, .policies = policies};
    g->color = fi_arena_alloc(arena, n, sizeof(*g->color));
    g->next = fi_arena_alloc(arena, n, sizeof(*g->next));
    g->zero = fi_arena_alloc(arena, n, sizeof(*g->zero));
    g->flat = fi_arena_alloc(arena, n, sizeof(*g->flat));
    g->classes = fi_arena_alloc(arena, n, sizeof(*g->classes));
    if (!g->color || !g->next || !g->zero || !g->flat || !g->classes) return FANIN_ERR_MEMORY;
    for (int i = 0; i < n; i++) {
        const int64_t cols = model->net->nodes[i].shape.cols;
        g->color[i] = fi_arena_alloc(arena, cols, sizeof(uint64_t));
        g->next[i] = fi_arena_alloc(arena, cols, sizeof(uint64_t));
        g->zero[i] = fi_arena_alloc(arena, cols, 1);
        g->flat[i] = fi_arena_alloc(arena, cols, 1);
        if (!g->color[i] || !g->next[i] || !g->zero[i] || !g->flat[i]) return FANIN_ERR_MEMORY;
    }
    return FANIN_OK;
}

enum fanin_status fi_guard(const fanin_model *model, const struct fi_policies *policies,
                           bool noise) {
    struct fi_arena arena;
    struct guard g;
    fi_arena_init(&arena, model->ctx);
    enum fanin_status status = make_guard(&g, model, policies, &arena);
    if (status == FANIN_OK) status = check_moving(&g);
    if (status == FANIN_OK) status = check_tied(&g, noise);
    fi_arena_free(&arena);
    return status;
}

/* Marks the units whose colour another unit of their layer has. */
static void mark_tied(const struct guard *g, int node, uint8_t *tied) {
    const int64_t n = g->net->nodes[node].shape.cols;
    count_classes(g, node);
    const uint64_t *sorted = g->next[node];
    for (int64_t u = 0; u < n; u++) {
        const uint64_t *at =
            bsearch(&g->color[node][u], sorted, (size_t)n, sizeof *sorted, by_word);
        tied[u] = (at > sorted && at[-1] == *at) || (at + 1 < sorted + n && at[1] == *at);
    }
}

enum fanin_status fi_symmetry(struct fi_arena *arena, const fanin_model *model,
                              const struct fi_policies *policies, bool noise,
                              struct fi_symmetry *out) {
    struct guard g;
    *out = (struct fi_symmetry){0};
    FI_TRY(make_guard(&g, model, policies, arena));
    out->tied = fi_arena_alloc(arena, g.net->n_nodes, sizeof *out->tied);
    if (!out->tied) return FANIN_ERR_MEMORY;
    enum fanin_status status = check_moving(&g);
    const enum fanin_status tied = check_tied(&g, noise);
    if (status == FANIN_OK) status = tied;
    if (status != FANIN_OK && status != FANIN_ERR_SYMMETRIC) return status;
    if (status != FANIN_OK && !(out->why = fi_arena_strdup(arena, model->ctx->message)))
        return FANIN_ERR_MEMORY;
    for (int i = 0; i < g.net->n_nodes; i++) {
        out->tied[i] = g.zero[i]; /* not needed any more */
        mark_tied(&g, i, out->tied[i]);
    }
    return FANIN_OK;
}
