/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running a plan. Forward: group by group, the host op, then its chain of elementwise nodes on each
 * finished block (ops with an epilogue call back for that; for the others the blocks are walked
 * here). Backward: the groups in reverse; a chain runs in place on its gradient buffer, then the
 * host hands its gradients on.
 */
#include "graph/exec.h"

#include <string.h>

#include "graph/graph.h"
#include "graph/step.h"
#include "kernel/kernel.h"

/* Samples of a task that adds the gradient of penalties on outputs. */
#define PENALTY_ROWS 32

fanin_ctx *fi_step_ctx(const struct fanin_step *s) {
    const struct fi_step_extra *extra = s->internal;
    return extra->exec->model->ctx;
}

void fi_step_emit(const struct fanin_step *s, int param, int64_t offset, int64_t n, fi_real *g) {
    s->emit(s, param, offset, n, g);
}

void fi_step_input_done(const struct fanin_step *s) {
    const struct fi_step_extra *extra = s->internal;
    fi_lap_input(extra->exec->clocks, extra->group - extra->exec->groups);
}

/* ---- chains, block by block --------------------------------------------------------------------- */

static void chain_forward(const struct fi_group *g, const struct fanin_block *b) {
    for (int i = 0; i < g->n_chain; i++) {
        const struct fi_link *l = &g->links[i];
        const struct fanin_tensor *x = l->x, *y = l->y;
        l->op->forward_block(l->step, b, x->data + b->row0 * x->ld + b->col0, x->ld,
                             y->data + b->row0 * y->ld + b->col0, y->ld);
    }
}

/* In place on the group's gradient buffer; without a host, the first node writes to its dx. */
static void chain_backward(const struct fi_group *g, const struct fanin_block *b) {
    for (int i = g->n_chain - 1; i >= 0; i--) {
        const struct fi_link *l = &g->links[i];
        const struct fanin_tensor *x = l->x, *y = l->y, *dy = l->dy;
        if (!l->dx) continue;
        const int64_t at_x = b->row0 * x->ld + b->col0, at_y = b->row0 * y->ld + b->col0;
        l->op->backward_block(l->step, b, x->data + at_x, x->ld, y->data + at_y, y->ld,
                              dy->data + at_y, dy->ld, l->dx->data + at_x, l->dx->ld);
    }
}

void fi_step_forward_chain(const struct fanin_step *s, int64_t row0, int64_t rows, int64_t col0,
                           int64_t cols) {
    const struct fi_step_extra *extra = s->internal;
    if (extra->group->n_chain == 0) return;
    const struct fanin_block b = {.row0 = row0, .rows = rows, .col0 = col0, .cols = cols};
    chain_forward(extra->group, &b);
}

void fi_step_backward_chain(const struct fanin_step *s, int64_t row0, int64_t rows, int64_t col0,
                            int64_t cols) {
    const struct fi_step_extra *extra = s->internal;
    if (!extra->routes[0].fused) return;
    const struct fanin_block b = {.row0 = row0, .rows = rows, .col0 = col0, .cols = cols};
    chain_backward(extra->routes[0].fused, &b);
}

/* A chain over a whole tensor, split into blocks of rows. */
struct walk {
    const struct fi_exec *exec;
    const struct fi_group *group;
    int64_t rows_per_block;
    bool backward;
};

static void walk_task(void *arg, int64_t i) {
    const struct walk *w = arg;
    const struct fi_exec *e = w->exec;
    const int64_t row0 = i * w->rows_per_block;
    const struct fanin_block b = {.row0 = row0,
                                  .rows = FI_MIN(w->rows_per_block, e->rows_now - row0),
                                  .cols = e->y[w->group->tail].cols};
    if (w->backward)
        chain_backward(w->group, &b);
    else
        chain_forward(w->group, &b);
}

static void walk_chain(const struct fi_exec *e, const struct fi_group *g, bool backward) {
    struct walk w = {.exec = e, .group = g, .backward = backward};
    const int64_t cols = e->y[g->tail].cols;
    w.rows_per_block = FI_MAX(1, FI_BLOCK_CELLS / cols);
    const int64_t blocks = (e->rows_now + w.rows_per_block - 1) / w.rows_per_block;
    const double flops = FI_FLOPS_PER_CELL * (double)e->rows_now * (double)cols * g->n_chain;
    fi_parallel(e->model->ctx, blocks, flops, walk_task, &w);
}

/* What a group's ops want to do once for the whole batch. */
static void prepare_group(const struct fi_exec *e, const struct fi_group *g) {
    const struct fanin_op *host = g->host >= 0 ? e->model->net->nodes[g->host].op : NULL;
    if (host && host->prepare) host->prepare(g->step);
    for (int i = 0; i < g->n_chain; i++)
        if (g->links[i].op->prepare) g->links[i].op->prepare(g->links[i].step);
}

/* ---- forward --------------------------------------------------------------------------------------- */

static void set_rows(struct fi_exec *e, int64_t rows) {
    if (e->rows_now == rows) return;
    for (int i = 0; i < e->model->net->n_nodes; i++) {
        e->y[i].rows = e->dy[i].rows = rows;
        e->steps[i].rows = rows;
        for (int k = 0; k < e->model->net->nodes[i].n_in; k++)
            e->extras[i].routes[k].temp.rows = rows;
    }
    e->x.rows = rows;
    e->rows_now = rows;
}

/* Several inputs: each takes its columns. */
static void split_inputs(const struct fi_exec *e) {
    const fi_real *from = e->x.data;
    for (int i = 0; i < e->model->net->n_nodes; i++) {
        const struct fanin_tensor *y = &e->y[i];
        if (e->model->net->nodes[i].op) continue;
        for (int64_t r = 0; r < e->rows_now; r++)
            memcpy(y->data + r * y->ld, from + r * e->x.ld, (size_t)y->cols * sizeof(*from));
        from += y->cols;
    }
}

/* Runs the groups from `first` on. */
static void run_groups(const struct fi_exec *e, int first) {
    for (int i = first; i < e->n_groups; i++) {
        const struct fi_group *g = &e->groups[i];
        if (g->identity) continue;
        if (g->prepares) prepare_group(e, g);
        if (g->forward) g->forward(g->step);
        if (g->walks_forward) walk_chain(e, g, false);
        fi_lap_forward(e->clocks, i);
    }
}

void fi_exec_forward(struct fi_exec *e, int64_t rows, int64_t row0, uint64_t step) {
    set_rows(e, rows);
    if (e->model->net->n_inputs > 1) split_inputs(e);
    for (int i = 0; i < e->model->net->n_nodes; i++) {
        e->steps[i].row0 = row0;
        e->steps[i].step = step;
    }
    run_groups(e, 0);
}

void fi_exec_forward_behind(struct fi_exec *e, int node) {
    run_groups(e, node + 1); /* a plan that keeps every output has a group a node */
}

void fi_exec_keys(struct fi_exec *e) {
    for (int i = 0; i < e->model->net->n_nodes; i++) {
        const struct fi_node *node = &e->model->net->nodes[i];
        e->steps[i].key =
            fi_key(e->model->seed, node->op ? node->op->head.name : "input", node->name);
    }
}

void fi_exec_seed(struct fi_exec *e, uint64_t seed) {
    for (int i = 0; i < e->model->net->n_nodes; i++)
        e->steps[i].key = fi_key(seed, "sample", e->model->net->nodes[i].name);
}

void fi_exec_switches(struct fi_exec *e, int node, const uint8_t *switches) {
    e->steps[node].switches = switches;
}

/* ---- backward -------------------------------------------------------------------------------------- */

/* Adds what a reader wrote aside to a gradient that others write too. */
static void add_routes(const struct fi_exec *e, int node) {
    const struct fi_node *n = &e->model->net->nodes[node];
    for (int k = 0; k < n->n_in; k++) {
        const struct fi_route *route = &e->extras[node].routes[k];
        if (!route->add) continue;
        const struct fanin_tensor *dy = &e->dy[n->inputs[k]];
        for (int64_t r = 0; r < e->rows_now; r++)
            e->model->ctx->kernels->add(dy->data + r * dy->ld, route->temp.data + r * dy->ld,
                                        dy->cols);
    }
}

struct penalize {
    const struct fi_exec *exec;
    int node;
};

static void penalize_task(void *arg, int64_t task) {
    const struct penalize *job = arg;
    const struct fi_exec *e = job->exec;
    const struct fanin_tensor *y = &e->y[job->node], *dy = &e->dy[job->node];
    const struct fi_penalties *list = &e->policies->outputs[job->node];
    const int64_t last = FI_MIN(e->rows_now, (task + 1) * PENALTY_ROWS);
    for (int64_t r = task * PENALTY_ROWS; r < last; r++)
        for (int i = 0; i < list->n; i++) {
            if (e->only && list->items[i]->reg != e->only) continue;
            list->items[i]->reg->gradient(list->items[i]->attrs,
                                          list->items[i]->factor * e->sample_share,
                                          y->data + r * y->ld, dy->data + r * dy->ld, y->cols);
        }
}

/* Penalties on the output of a group: its last node, whose gradient is complete. */
static void penalize_output(const struct fi_exec *e, const struct fi_group *g) {
    struct penalize job = {.exec = e, .node = g->tail};
    if (!e->extras[g->tail].written) /* the loss does not depend on it */
        memset(e->dy[g->tail].data, 0,
               (size_t)(e->rows_now * e->dy[g->tail].ld) * sizeof(*e->dy[g->tail].data));
    fi_parallel(e->model->ctx, (e->rows_now + PENALTY_ROWS - 1) / PENALTY_ROWS,
                4.0 * (double)e->rows_now * (double)e->y[g->tail].cols, penalize_task, &job);
}

double fi_exec_output_penalty(const struct fi_exec *e, int node, const struct fi_penalty *penalty) {
    const struct fanin_tensor *y = &e->y[node];
    double sum = 0;
    for (int64_t r = 0; r < e->rows_now; r++)
        sum += penalty->reg->value(penalty->attrs, y->data + r * y->ld, y->cols);
    return penalty->factor * sum;
}

/* Is the gradient 0 everywhere? It mostly takes one look. */
static bool is_still(const struct fi_exec *e, int node) {
    const struct fanin_tensor *dy = &e->dy[node];
    for (int64_t r = 0; r < e->rows_now; r++)
        for (int64_t c = 0; c < dy->cols; c++)
            if (dy->data[r * dy->ld + c] != 0) return false;
    return true;
}

void fi_exec_backward(struct fi_exec *e) {
    if (e->model->net->n_tables > 0) fi_emit_begin(e);
    for (int i = e->n_groups - 1; i >= 0; i--) {
        const struct fi_group *g = &e->groups[i];
        if (!g->gradient) continue;
        if (g->penalized) penalize_output(e, g);
        if (g->walks_backward) walk_chain(e, g, true);
        if (e->still && e->still[g->tail]) e->still[g->tail] = is_still(e, g->tail);
        if (g->backward) g->backward(g->step);
        if (g->adds) add_routes(e, g->host >= 0 ? g->host : g->chain[0]);
        fi_lap_backward(e->clocks, i);
    }
}

/* ---- what went wrong --------------------------------------------------------------------------------- */

const char *fi_exec_first_not_finite(const struct fi_exec *e) {
    const fanin_net *net = e->model->net;
    const struct fi_kernels *kernels = e->model->ctx->kernels;
    for (int i = 0; i < net->n_params; i++)
        if (!kernels->all_finite(e->views[i].w, net->params[i].size)) return net->params[i].name;
    for (int i = 0; i < net->n_nodes; i++)
        for (int64_t r = 0; r < e->rows_now; r++)
            if (!kernels->all_finite(e->y[i].data + r * e->y[i].ld, e->y[i].cols))
                return net->nodes[i].name;
    return NULL;
}
