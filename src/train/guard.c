/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The symmetry guard: what the start forbids for ever. Units of a layer that every step keeps
 * equal, or equal up to sign (guard_tied.c), and weights that never move (guard_still.c). It
 * refuses a run, or tells a check what it found.
 */
#include "train/guard.h"

#include <string.h>

#include "kernel/kernel.h"

#define SENTENCE 640

/* ---- parameters ------------------------------------------------------------------------------------ */

/* The weight matrix of a node, or NULL: an op that reads all units through weights. */
const struct fi_param *fi_matrix_of(const fanin_net *net, const struct fi_node *node) {
    for (int k = 0; k < node->n_params; k++) {
        const struct fi_param *p = &net->params[node->first_param + k];
        if (p->spec.layout == FANIN_LAYOUT_PANELS) return p;
    }
    return NULL;
}

/* The trainable number that multiplies each unit's value, or is added to it; NULL: none. */
const struct fi_param *fi_vector_of(const fanin_net *net, const struct fi_node *node, bool scales) {
    for (int k = 0; k < node->n_params; k++) {
        const struct fi_param *p = &net->params[node->first_param + k];
        if (p->spec.layout == FANIN_LAYOUT_VECTOR && p->spec.trainable && !p->spec.table &&
            (p->spec.scales != 0) == scales && node->shape.cols % p->count == 0)
            return p;
    }
    return NULL;
}

/* Where unit u finds its number in a vector. */
int64_t fi_number_of(const struct fi_node *node, const struct fi_param *p, int64_t u) {
    return p->spec.tiled ? u % p->count : u / (node->shape.cols / p->count);
}

bool fi_param_moves(const struct fi_symmetries *g, const struct fi_param *p) {
    return g->policies ? g->policies->params[p - g->net->params].updates : p->spec.trainable;
}

/* The values of the node's units can never part: it has parameters, and none of them moves. */
bool fi_node_fixed(const struct fi_symmetries *g, int node) {
    const struct fi_node *n = &g->net->nodes[node];
    bool fixed = n->n_params > 0;
    for (int k = 0; k < n->n_params; k++)
        fixed &= !fi_param_moves(g, &g->net->params[n->first_param + k]);
    return fixed;
}

/* The table of a node, or NULL: its unit u is column u % dims[1]. */
const struct fi_param *fi_table_of(const fanin_net *net, const struct fi_node *node) {
    for (int k = 0; k < node->n_params; k++)
        if (net->params[node->first_param + k].spec.table)
            return &net->params[node->first_param + k];
    return NULL;
}

/* What its units start from. */
const struct fi_param *fi_weights_of(const fanin_net *net, const struct fi_node *node) {
    const struct fi_param *matrix = fi_matrix_of(net, node);
    return matrix ? matrix : fi_table_of(net, node);
}

uint32_t fi_weight_bits(fi_real w) {
    float f = (float)w;
    uint32_t bits;
    if (f == 0) return 0; /* -0 is 0 */
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

/* ---- what is found --------------------------------------------------------------------------------- */

static enum fanin_status look_at(struct fi_symmetries *g, struct fi_arena *arena, bool noise) {
    const int n = g->net->n_nodes;
    int64_t widest = 1;
    g->units = fi_arena_alloc(arena, n, sizeof *g->units);
    g->zero = fi_arena_alloc(arena, n, sizeof *g->zero);
    g->flat = fi_arena_alloc(arena, n, sizeof *g->flat);
    g->classes = fi_arena_alloc(arena, n, sizeof *g->classes);
    g->own_opposite = fi_arena_alloc(arena, n, sizeof *g->own_opposite);
    g->seen = fi_arena_alloc(arena, n, 1);
    if (!g->units || !g->zero || !g->flat || !g->classes || !g->own_opposite || !g->seen)
        return FANIN_ERR_MEMORY;
    for (int i = 0; i < n; i++) {
        const int64_t cols = g->net->nodes[i].shape.cols;
        widest = FI_MAX(widest, cols);
        g->units[i] = fi_arena_alloc(arena, cols, sizeof **g->units);
        g->zero[i] = fi_arena_alloc(arena, cols, 1);
        g->flat[i] = fi_arena_alloc(arena, cols, 1);
        if (!g->units[i] || !g->zero[i] || !g->flat[i]) return FANIN_ERR_MEMORY;
    }
    if (!(g->sorted = fi_arena_alloc(arena, widest, sizeof *g->sorted))) return FANIN_ERR_MEMORY;
    fi_guard_still(g);
    fi_guard_tied(g, noise);
    return FANIN_OK;
}

/* Weights of the node that should move and never do. */
static bool is_still(const struct fi_symmetries *g, int node) {
    const struct fi_node *n = &g->net->nodes[node];
    const struct fi_param *p = n->op ? fi_matrix_of(g->net, n) : NULL;
    return p && fi_param_moves(g, p) && !fi_guard_can_move(g, node, p);
}

static bool is_tied(const struct fi_symmetries *g, int node) {
    const struct fi_node *n = &g->net->nodes[node];
    return node != fi_net_result(g->net) && fi_weights_of(g->net, n) &&
           g->classes[node] < n->shape.cols;
}

/* ---- refusing -------------------------------------------------------------------------------------- */

#define WAY_OUT "or set train.allow_symmetric: true to train anyway"
#define AT_RANDOM "at random (init: xavier_uniform or kaiming_normal)"

static enum fanin_status refuse(const struct fi_symmetries *g) {
    char text[SENTENCE];
    for (int i = 0; i < g->net->n_nodes; i++)
        if (is_still(g, i)) {
            fi_guard_why_still(g, i, text, sizeof text);
            return fi_fail(g->model->ctx, FANIN_ERR_SYMMETRIC,
                           "%s. Start it " AT_RANDOM ", " WAY_OUT, text);
        }
    for (int i = 0; i < g->net->n_nodes; i++)
        if (is_tied(g, i)) {
            fi_guard_why_tied(g, i, text, sizeof text);
            return fi_fail(g->model->ctx, FANIN_ERR_SYMMETRIC,
                           "%s. Start %s " AT_RANDOM ", put dropout behind it, " WAY_OUT, text,
                           g->net->nodes[i].name);
        }
    return FANIN_OK;
}

enum fanin_status fi_guard(const fanin_model *model, const struct fi_policies *policies,
                           bool noise) {
    struct fi_symmetries g = {.model = model, .net = model->net, .policies = policies};
    struct fi_arena arena;
    fi_arena_init(&arena, model->ctx);
    enum fanin_status status = look_at(&g, &arena, noise);
    if (status == FANIN_OK) status = refuse(&g);
    fi_arena_free(&arena);
    return status;
}

/* ---- telling --------------------------------------------------------------------------------------- */

enum fanin_status fi_symmetry(struct fi_arena *arena, const fanin_model *model,
                              const struct fi_policies *policies, bool noise,
                              struct fi_symmetry *out) {
    struct fi_symmetries g = {.model = model, .net = model->net, .policies = policies};
    char text[SENTENCE];
    const int n = model->net->n_nodes;
    FI_TRY(look_at(&g, arena, noise));
    out->tied = fi_arena_alloc(arena, n, sizeof *out->tied);
    out->why_tied = fi_arena_alloc(arena, n, sizeof *out->why_tied);
    out->why_still = fi_arena_alloc(arena, n, sizeof *out->why_still);
    if (!out->tied || !out->why_tied || !out->why_still) return FANIN_ERR_MEMORY;
    for (int i = 0; i < n; i++)
        if (is_still(&g, i)) {
            fi_guard_why_still(&g, i, text, sizeof text);
            if (!(out->why_still[i] = fi_arena_strdup(arena, text))) return FANIN_ERR_MEMORY;
        }
    for (int i = 0; i < n; i++) {
        if (is_tied(&g, i)) {
            fi_guard_why_tied(&g, i, text, sizeof text);
            if (!(out->why_tied[i] = fi_arena_strdup(arena, text))) return FANIN_ERR_MEMORY;
        }
        out->tied[i] = g.zero[i]; /* not needed any more */
        (void)fi_guard_mark(&g, i, out->tied[i]);
    }
    return FANIN_OK;
}
