/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Folding a trained model for inference: what is the identity there is left out, and an op that
 * scales and shifts each channel (batch norm) is taken up by the linear layer before it or, where
 * that cannot be, behind it. With y = W x + b and s_c, t_c of the channel c of a number:
 *
 *   before    s (W x + b) + t = (s W) x + (s b + t)             s, t by row of W
 *   behind    W (s x + t) + b = (W s) x + (b + W t)             s, t by column of W
 *
 * Both are exact; the sums are double and rounded to float once. Nodes between the two may be left
 * out themselves, or keep the numbers in their order (flatten). Everything between must have one
 * reader and be no output: others would see other numbers. What an op is outside training, its
 * record says (struct fanin_fold); nothing here knows an op by name.
 *
 * Jacob et al., Quantization and training of neural networks, CVPR 2018, section 3.2.
 */
#include "model/fold.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define TEXT 400

static const struct fi_node *node_at(const struct fi_fold *f, int i) {
    return &f->model->net->nodes[i];
}

static const struct fanin_fold *fold_of(const struct fi_fold *f, int i) {
    const struct fanin_op *op = node_at(f, i)->op;
    return op ? op->fold : NULL;
}

static const char *op_name(const struct fi_node *node) {
    return node->op ? node->op->head.name : "input";
}

static void tell(const struct fi_fold *f, enum fanin_fold_kind kind, int node, int into,
                 const char *why) {
    if (!f->options.event) return;
    const struct fanin_fold_event event = {.kind = kind,
                                           .node = node_at(f, node)->name,
                                           .op = op_name(node_at(f, node)),
                                           .into = into >= 0 ? node_at(f, into)->name : NULL,
                                           .why = why};
    f->options.event(f->options.payload, &event);
}

int fi_fold_resolve(const struct fi_fold *f, int node) {
    while (f->nodes[node].gone) node = node_at(f, node)->inputs[0];
    return node;
}

/* ---- parameters ------------------------------------------------------------------------------------ */

/* All parameters of a node, row-major. */
static enum fanin_status unpack(struct fi_fold *f, int i, const float *params[FANIN_MAX_PARAMS]) {
    const struct fi_node *node = node_at(f, i);
    for (int k = 0; k < node->n_params; k++) {
        const struct fi_param *p = &f->model->net->params[node->first_param + k];
        float *to = fi_arena_alloc(&f->arena, p->count, sizeof(*to));
        if (!to) return FANIN_ERR_MEMORY;
        fi_param_unpack(p, f->model->params + p->offset, to);
        params[k] = to;
    }
    return FANIN_OK;
}

/* The place of a parameter among the node's, -1: it has none of that name. */
static int param_index(const struct fi_fold *f, const struct fi_node *node, const char *suffix) {
    for (int k = 0; k < node->n_params; k++)
        if (!strcmp(f->model->net->params[node->first_param + k].spec.suffix, suffix)) return k;
    return -1;
}

static int64_t columns_in(const struct fi_fold *f, int i) {
    return node_at(f, node_at(f, i)->inputs[0])->shape.cols;
}

/* Makes w and b of a linear node, once. */
static enum fanin_status need_matrix(struct fi_fold *f, int i) {
    const struct fi_node *node = node_at(f, i);
    const struct fanin_fold *fold = fold_of(f, i);
    const int64_t out = node->shape.cols, in = columns_in(f, i);
    const int weight = param_index(f, node, "weight"), bias = param_index(f, node, "bias");
    const float *params[FANIN_MAX_PARAMS] = {0};
    struct fi_folded *to = &f->nodes[i];
    int64_t numbers;
    if (to->w) return FANIN_OK;
    if (!fi_mul(out, in, &numbers)) return fi_fail_memory(f->model->ctx, node->name, SIZE_MAX);
    FI_TRY(unpack(f, i, params));
    double *w = fi_arena_alloc(&f->arena, numbers, sizeof(*w));
    to->b = fi_arena_alloc(&f->arena, out, sizeof(*to->b));
    if (!w || !to->b) return FANIN_ERR_MEMORY;
    to->w = w;
    to->biased = bias >= 0;
    if (fold->matrix) {
        fold->matrix(node->attrs, params, out, in, w, to->b);
        return FANIN_OK;
    }
    for (int64_t k = 0; k < numbers && weight >= 0; k++) w[k] = (double)params[weight][k];
    for (int64_t o = 0; o < out && bias >= 0; o++) to->b[o] = (double)params[bias][o];
    return FANIN_OK;
}

/* ---- the identity ---------------------------------------------------------------------------------- */

static void leave_out(struct fi_fold *f, int i) {
    const int to = fi_fold_resolve(f, node_at(f, i)->inputs[0]);
    f->nodes[i].gone = true;
    if (f->nodes[i].output) f->nodes[to].output = f->nodes[i].output;
    f->nodes[i].output = 0;
}

/* Can the node before it stand for this one where it is an output? */
static bool may_go(const struct fi_fold *f, int i) {
    const int to = fi_fold_resolve(f, node_at(f, i)->inputs[0]);
    return !f->nodes[i].output || (node_at(f, to)->op && !f->nodes[to].output);
}

static void drop_identities(struct fi_fold *f) {
    for (int i = 0; i < f->model->net->n_nodes; i++) {
        const struct fi_node *node = node_at(f, i);
        if (!node->op || !(node->op->flags & FANIN_OP_IDENTITY_EVAL) || node->n_in != 1) continue;
        if (may_go(f, i)) {
            leave_out(f, i);
            tell(f, FANIN_FOLD_DROPPED, i, -1, "the identity outside training");
        } else {
            tell(f, FANIN_FOLD_LEFT, i, -1, "an output that no other layer can stand for");
        }
    }
}

/* ---- channels ---------------------------------------------------------------------------------------- */

/* Is what this node gives read by one node alone? */
static bool private(const struct fi_fold *f, int i) {
    return node_at(f, i)->consumers == 1 && !node_at(f, i)->output && !f->nodes[i].output;
}

static bool keeps_numbers(const struct fi_fold *f, int i) {
    return f->nodes[i].gone || (fold_of(f, i) && fold_of(f, i)->same);
}

static int reader_of(const struct fi_fold *f, int i) {
    for (int r = i + 1; r < f->model->net->n_nodes; r++)
        for (int k = 0; k < node_at(f, r)->n_in; k++)
            if (node_at(f, r)->inputs[k] == i) return r;
    return -1;
}

/* The linear node whose numbers `i` reads, or, with `behind`, that reads the numbers of `i`; else
 * -1, and why not. */
static int find_linear(const struct fi_fold *f, int i, bool behind, char why[TEXT]) {
    int at = behind ? i : node_at(f, i)->inputs[0];
    for (;;) {
        if (!private(f, at)) {
            snprintf(why, TEXT, "%s %s", node_at(f, at)->name,
                     node_at(f, at)->consumers > 1 ? "is read by several nodes" : "is an output");
            return -1;
        }
        if (behind) at = reader_of(f, at);
        if (fold_of(f, at) && fold_of(f, at)->linear) return at;
        if (!keeps_numbers(f, at)) {
            snprintf(why, TEXT, "%s (%s) is not linear", node_at(f, at)->name,
                     op_name(node_at(f, at)));
            return -1;
        }
        if (!behind) at = node_at(f, at)->inputs[0];
    }
}

struct channels {
    double *scale, *shift;
    int64_t positions; /* numbers of a channel, side by side */
};

static enum fanin_status read_channels(struct fi_fold *f, int i, struct channels *c) {
    const struct fi_node *node = node_at(f, i);
    const int64_t n = node->shape.dims[0];
    const float *params[FANIN_MAX_PARAMS] = {0};
    c->positions = node->shape.cols / n;
    c->scale = fi_arena_alloc(&f->arena, n, sizeof(double));
    c->shift = fi_arena_alloc(&f->arena, n, sizeof(double));
    if (!c->scale || !c->shift) return FANIN_ERR_MEMORY;
    FI_TRY(unpack(f, i, params));
    fold_of(f, i)->affine(node->attrs, params, n, c->scale, c->shift);
    return FANIN_OK;
}

/* Number `at` of the merged weights, or with at = in the bias, of output o. */
static double merged(const struct fi_folded *n, const struct channels *c, bool behind, int64_t in,
                     int64_t o, int64_t at) {
    const double *row = n->w + o * in;
    if (!behind) {
        const double scale = c->scale[o / c->positions];
        return at < in ? scale * row[at] : scale * n->b[o] + c->shift[o / c->positions];
    }
    if (at < in) return row[at] * c->scale[at / c->positions];
    double sum = n->b[o];
    for (int64_t k = 0; k < in; k++) sum += row[k] * c->shift[k / c->positions];
    return sum;
}

/* Puts the channels into the linear node, unless a number would leave float's range. */
static bool merge(struct fi_folded *n, const struct channels *c, bool behind, int64_t out,
                  int64_t in) {
    for (int64_t o = 0; o < out; o++)
        for (int64_t at = 0; at <= in; at++)
            if (!(fabs(merged(n, c, behind, in, o, at)) <= (double)FLT_MAX)) return false;
    for (int64_t o = 0; o < out; o++) {
        n->b[o] = merged(n, c, behind, in, o, in);
        n->biased |= n->b[o] != 0;
        for (int64_t at = 0; at < in; at++) n->w[o * in + at] = merged(n, c, behind, in, o, at);
    }
    return true;
}

/* Puts node i into the linear node before it, or behind it, if there is one. */
static enum fanin_status fold_node(struct fi_fold *f, int i, bool behind) {
    char why[TEXT];
    struct channels c;
    if (f->nodes[i].gone || !may_go(f, i)) return FANIN_OK;
    const int into = find_linear(f, i, behind, why);
    if (into < 0) return FANIN_OK;
    FI_TRY(read_channels(f, i, &c));
    FI_TRY(need_matrix(f, into));
    if (merge(&f->nodes[into], &c, behind, node_at(f, into)->shape.cols, columns_in(f, into))) {
        leave_out(f, i);
        tell(f, FANIN_FOLD_MERGED, i, into, NULL);
    }
    return FANIN_OK;
}

static void tell_left(const struct fi_fold *f, int i) {
    char before[TEXT] = "", behind[TEXT] = "", text[2 * TEXT + 40];
    int into = find_linear(f, i, false, before);
    if (into < 0) into = find_linear(f, i, true, behind);
    if (!may_go(f, i))
        snprintf(text, sizeof text, "an output that no other layer can stand for");
    else if (into >= 0)
        snprintf(text, sizeof text, "%s would have weights beyond the range of float",
                 node_at(f, into)->name);
    else
        snprintf(text, sizeof text, "before it %s, behind it %s", before, behind);
    tell(f, FANIN_FOLD_LEFT, i, -1, text);
}

/* What stands behind a linear node goes first, from the front; then what stands before one, from
 * the back: so that a node which is gone no longer stands between. */
static enum fanin_status fold_affine(struct fi_fold *f) {
    const int n = f->model->net->n_nodes;
    for (int i = 0; i < n; i++)
        if (fold_of(f, i) && fold_of(f, i)->affine) FI_TRY(fold_node(f, i, false));
    for (int i = n - 1; i >= 0; i--)
        if (fold_of(f, i) && fold_of(f, i)->affine) FI_TRY(fold_node(f, i, true));
    for (int i = 0; i < n; i++)
        if (fold_of(f, i) && fold_of(f, i)->affine && !f->nodes[i].gone) tell_left(f, i);
    return FANIN_OK;
}

/* ---- all of it --------------------------------------------------------------------------------------- */

static enum fanin_status fold_net(struct fi_fold *f) {
    const fanin_net *net = f->model->net;
    f->nodes = fi_arena_alloc(&f->arena, net->n_nodes, sizeof(*f->nodes));
    if (!f->nodes) return FANIN_ERR_MEMORY;
    for (int i = 0; i < net->n_nodes; i++) f->nodes[i].output = net->nodes[i].output;
    f->nodes[fi_net_result(net)].output = 1; /* also where it was so by standing last */
    drop_identities(f);
    FI_TRY(fold_affine(f));
    for (int i = 0; i < net->n_nodes; i++) {
        const struct fanin_fold *fold = fold_of(f, i);
        if (!fold || !fold->linear || !strcmp(fold->linear, op_name(node_at(f, i)))) continue;
        char text[TEXT];
        snprintf(text, sizeof text, "%s outside training", fold->linear);
        FI_TRY(need_matrix(f, i));
        tell(f, FANIN_FOLD_MERGED, i, i, text);
    }
    return FANIN_OK;
}

enum fanin_status fanin_model_fold(fanin_model **out, const fanin_model *model,
                                   const struct fanin_fold_options *options) {
    struct fi_fold f = {.model = model};
    *out = NULL;
    if (options) f.options = *options;
    fi_arena_init(&f.arena, model->ctx);
    enum fanin_status status = fold_net(&f);
    if (status == FANIN_OK) status = fi_fold_write(out, &f);
    fi_arena_free(&f.arena);
    return status;
}
