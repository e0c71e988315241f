/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a step has to do, from the shapes and the records alone: floating-point operations and
 * bytes.
 *
 * An op's record tells the operations of its forward. Backward costs as much for the gradient by
 * the inputs, if anybody wants it, and as much for that by the weights, if they are trained: so it
 * is for a product, and of other ops the bytes decide. What backward reads again follows from the
 * op's flags.
 */
#include "train/profile.h"

#define NUMBER ((double)sizeof(fi_real))

static double columns(const fanin_trainer *t, int node) {
    return (double)t->model->net->nodes[node].shape.cols;
}

static double input_columns(const fanin_trainer *t, const struct fi_node *node) {
    double sum = 0;
    for (int k = 0; k < node->n_in; k++) sum += columns(t, node->inputs[k]);
    return sum;
}

/* Numbers of the node's parameters that a batch touches. */
static double parameters(const fanin_trainer *t, const struct fi_node *node, double rows,
                         bool trained) {
    double sum = 0;
    for (int i = node->first_param; i < node->first_param + node->n_params; i++) {
        const struct fi_param *p = &t->model->net->params[i];
        if (trained && !t->policies.params[i].updates) continue;
        const double touched = rows * (double)node->shape.cols;
        sum += p->spec.table ? FI_MIN((double)p->size, touched) : (double)p->size;
    }
    return sum;
}

/* Bytes that an update moves for a trained number: weight and state are read and written, a
 * gradient that was collected is read. */
static double update_bytes(const fanin_trainer *t) {
    return NUMBER * (2 * (1 + t->update.n_states) + (t->whole ? 1 : 0));
}

/* ---- passes ---------------------------------------------------------------------------------------- */

static void add_forward(const fanin_trainer *t, const struct fi_node *node, double rows,
                        struct fi_work *w) {
    w->flops += rows * node->flops;
    w->bytes += rows * (double)node->shape.cols * (double)node->state_bytes_per_cell;
    w->bytes += NUMBER * parameters(t, node, rows, false);
}

static void add_weights(const fanin_trainer *t, const struct fi_node *node, bool parted,
                        double rows, struct fi_work *w) {
    const double trained = parameters(t, node, rows, true);
    if (trained == 0) return;
    w->flops += rows * node->flops;
    if (parted) w->bytes += NUMBER * rows * (input_columns(t, node) + (double)node->shape.cols);
    w->bytes += trained * (t->whole ? NUMBER : update_bytes(t));
}

static void add_backward(const fanin_trainer *t, int index, bool parted, double rows,
                         struct fi_work *w) {
    const struct fi_node *node = &t->model->net->nodes[index];
    const struct fanin_step *s = &t->exec->steps[index];
    double wanted = 0, read = 0;
    for (int k = 0; k < node->n_in; k++) wanted += s->dx[k] ? columns(t, node->inputs[k]) : 0;
    if (!(node->op->flags & FANIN_OP_NO_X) && !parted) read += input_columns(t, node);
    if (!(node->op->flags & FANIN_OP_NO_Y)) read += (double)node->shape.cols;
    if (wanted > 0) {
        w->flops += rows * node->flops;
        /* in one pass with their update the weights are read once, and counted there */
        if (parted || parameters(t, node, rows, true) == 0)
            w->bytes += NUMBER * parameters(t, node, rows, false);
    }
    if (wanted > 0 || !parted) read += (double)node->shape.cols; /* dy */
    w->bytes += NUMBER * rows * (wanted + read);
    w->bytes += rows * (double)node->shape.cols * (double)node->state_bytes_per_cell;
    if (!parted) add_weights(t, node, false, rows, w);
}

/* Is there an op that the chain runs behind? An input is none. */
static bool hosted(const fanin_trainer *t, const struct fi_group *g) {
    return g->host >= 0 && t->model->net->nodes[g->host].op;
}

/* Nodes of a chain work on blocks that are in cache: the bytes are those of what they keep, and,
 * where no op is their host, of the tensor they walk. */
static void add_chain(const fanin_trainer *t, const struct fi_group *g, bool backward, double rows,
                      struct fi_work *w) {
    for (int i = 0; i < g->n_chain; i++) {
        const struct fi_node *node = &t->model->net->nodes[g->chain[i]];
        add_forward(t, node, rows, w);
        if (backward) add_weights(t, node, false, rows, w);
    }
    if (!hosted(t, g) && g->n_chain > 0) w->bytes += 2 * NUMBER * rows * columns(t, g->tail);
}

/* A chain goes backward in its own group, or in the epilogue of the op that reads it. */
static void add_chains_backward(const fanin_trainer *t, const struct fi_group *g, double rows,
                                struct fi_work *w) {
    if (g->walks_backward) add_chain(t, g, true, rows, w);
    if (g->host < 0) return;
    const struct fi_group *fused = t->exec->extras[g->host].routes[0].fused;
    if (fused) add_chain(t, fused, true, rows, w);
}

struct fi_work fi_work_of_pass(const fanin_trainer *t, const struct fi_group *g, enum fi_pass pass,
                               bool parted, double rows) {
    struct fi_work w = {0};
    const struct fi_node *host = &t->model->net->nodes[g->host >= 0 ? g->host : g->chain[0]];
    switch (pass) {
    case FI_PASS_FORWARD:
        add_chain(t, g, false, rows, &w);
        if (!hosted(t, g)) break;
        add_forward(t, host, rows, &w);
        w.bytes += NUMBER * rows * (input_columns(t, host) + (double)host->shape.cols);
        break;
    case FI_PASS_BACKWARD:
        add_chains_backward(t, g, rows, &w);
        if (hosted(t, g)) add_backward(t, g->host, parted, rows, &w);
        break;
    case FI_PASS_WEIGHTS:
        if (hosted(t, g)) add_weights(t, host, true, rows, &w);
        break;
    case FI_PASSES:
        break;
    }
    return w;
}

/* ---- the rest -------------------------------------------------------------------------------------- */

struct fi_work fi_work_of_stage(const fanin_trainer *t, enum fi_stage stage, double rows) {
    const fanin_net *net = t->model->net;
    struct fi_work w = {0};
    if (stage == FI_STAGE_LOAD) w.bytes = NUMBER * rows * (double)t->exec->x.cols;
    if (stage == FI_STAGE_LOSS) w.bytes = 2 * NUMBER * rows * columns(t, fi_net_result(net));
    for (int i = 0; stage == FI_STAGE_UPDATE && t->whole && i < net->n_params; i++)
        if (t->policies.params[i].updates) w.bytes += (double)net->params[i].size * update_bytes(t);
    return w;
}

double fi_budget(const struct fi_limits *limits, const struct fi_work *work) {
    return work->flops / limits->flops + work->bytes / limits->bytes;
}

struct fi_memory fi_memory_of(const fanin_trainer *t) {
    const fanin_net *net = t->model->net;
    const double params = NUMBER * (double)net->param_size;
    struct fi_memory m = {.params = params, .activations = NUMBER * (double)t->exec->planned};
    m.state = params * (t->update.n_states + (t->average.rule ? 2 : 0));
    if (t->grads) m.state += params * t->n_grads;
    for (int i = 0; i < net->n_nodes; i++) {
        const struct fi_node *node = &net->nodes[i];
        m.activations +=
            (double)t->exec->rows * (double)t->exec->y[i].ld * (double)node->state_bytes_per_cell +
            (double)t->exec->rows * (double)node->state_bytes_per_row + (double)node->state_bytes;
    }
    return m;
}
