/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a net to an execution plan for one batch size: groups, gradient routes, one buffer for all
 * activations and gradients, laid out by lifetime. Everything that may fail fails here; a step
 * allocates nothing.
 *
 * Groups. Elementwise nodes with one reader join the node before them and run on its finished
 * blocks. A node overwrites its input where no backward step needs the old values: see
 * may_overwrite().
 *
 * Lifetimes. Time runs over the groups forward (0 .. G-1), the loss (G), the groups backward (G+1
 * .. 2G). A buffer lives from the group that writes it to the last that reads it; buffers whose
 * lives do not meet share memory (first fit, largest first).
 */
#include <stdlib.h>
#include <string.h>

#include "graph/exec.h"
#include "graph/graph.h"
#include "kernel/kernel.h"

/* One buffer while it is being placed. */
enum need { NEED_NOTHING, NEED_SIGN, NEED_VALUE };
struct region {
    int64_t size, offset;
    int birth, death;
    bool shared;    /* an identity lent it to others: nobody may overwrite it */
    enum need need; /* of the backward steps of the nodes that wrote it */
};

struct planner {
    struct fi_exec *exec;
    const fanin_net *net;
    struct region *regions; /* y of node i is regions[y_region[i]] */
    int n_regions;
    int *y_region, *dy_region, *group_of;
    bool *reaches;  /* per node: the result or a penalty depends on it */
    bool *gradient; /* per node: that, and something to train at or before it */
};

/* Does the op do what it does in training? A sample draws its noise and nothing more. */
static bool as_in_training(const struct fi_exec *e, const struct fi_node *node) {
    return e->training ||
           (e->mode == FI_SAMPLE && node->op && (node->op->flags & FANIN_OP_STOCHASTIC));
}

static bool skipped(const struct planner *p, const struct fi_node *node) {
    return (node->op->flags & FANIN_OP_IDENTITY_EVAL) && p->exec->mode != FI_KEEP &&
           !as_in_training(p->exec, node);
}

/* Is every node's output wanted when the pass is over? */
static bool keeps(const struct planner *p) {
    return p->exec->mode == FI_WATCH || p->exec->mode == FI_KEEP;
}

/* Is there a penalty on the output of this node? */
static bool penalized(const struct planner *p, int index) {
    const struct fi_policies *policies = p->exec->policies;
    return p->exec->training && policies && policies->outputs[index].n > 0;
}

/* Nobody but one node reads the output: neither the caller nor a penalty on it. */
static bool single_reader(const struct planner *p, int index) {
    const struct fi_node *node = &p->net->nodes[index];
    return node->consumers == 1 && !node->output && !penalized(p, index);
}

static bool frozen(const struct planner *p, int param) {
    return p->exec->policies && p->exec->policies->params[param].frozen;
}

/* Whether the node acts as in inference although its plan trains: its statistics are frozen. */
static bool statistics_frozen(const struct planner *p, const struct fi_node *node) {
    bool any = false;
    for (int k = node->first_param; k < node->first_param + node->n_params; k++)
        any |= !p->net->params[k].spec.trainable && frozen(p, k);
    return any;
}

/* What the backward steps of the nodes that wrote a buffer still want to read from it. */
static enum need need_of_y(const struct fi_node *node) {
    if (!node->op || (node->op->flags & FANIN_OP_NO_Y)) return NEED_NOTHING;
    return node->op->flags & FANIN_OP_SIGN_OF_Y ? NEED_SIGN : NEED_VALUE;
}

/* May `node` write its output over its input? Nobody else may read it, and no backward step may
 * want the numbers that are lost: not this node's own (NO_X) and not those of the nodes that wrote
 * the buffer. */
static bool may_overwrite(const struct planner *p, const struct fi_node *node) {
    const struct region *r = &p->regions[p->y_region[node->inputs[0]]];
    if (!(node->op->flags & FANIN_OP_ELEMENTWISE) || r->shared || keeps(p)) return false;
    if (!single_reader(p, node->inputs[0])) return false;
    if (!p->exec->training) return true;
    if (!(node->op->flags & FANIN_OP_NO_X)) return false;
    return r->need == NEED_NOTHING ||
           (r->need == NEED_SIGN && (node->op->flags & FANIN_OP_KEEPS_SIGN));
}

static int new_region(struct planner *p, int64_t size) {
    p->regions[p->n_regions] = (struct region){.size = size, .birth = -1, .death = -1};
    return p->n_regions++;
}

static void live(struct region *r, int time) {
    if (r->birth < 0 || time < r->birth) r->birth = time;
    if (time > r->death) r->death = time;
}

/* ---- groups ---------------------------------------------------------------------------------------- */

/* Splits the nodes into groups; a node joins its producer's group when it is elementwise, the
 * producer is that group's tail and nobody else reads it. */
static enum fanin_status make_groups(struct planner *p) {
    struct fi_exec *e = p->exec;
    const int n = p->net->n_nodes;
    e->groups = fi_arena_alloc(&e->arena, n, sizeof(*e->groups));
    int *chains = fi_arena_alloc(&e->arena, n, sizeof(int));
    int *lengths = fi_arena_alloc(&e->arena, n, sizeof(int));
    if (!e->groups || !chains || !lengths) return FANIN_ERR_MEMORY;
    p->reaches[e->result] = true;
    for (int i = n - 1; i >= 0; i--) {
        p->reaches[i] |= penalized(p, i);
        for (int k = 0; p->reaches[i] && k < p->net->nodes[i].n_in; k++)
            p->reaches[p->net->nodes[i].inputs[k]] = true;
    }
    for (int i = 0; i < n; i++) {
        const struct fi_node *node = &p->net->nodes[i];
        const bool elementwise = node->op && (node->op->flags & FANIN_OP_ELEMENTWISE);
        if (elementwise && !keeps(p) && !skipped(p, node) && single_reader(p, node->inputs[0]) &&
            !e->groups[p->group_of[node->inputs[0]]].identity) {
            p->group_of[i] = p->group_of[node->inputs[0]];
        } else {
            struct fi_group *g = &e->groups[e->n_groups];
            g->identity = node->op && skipped(p, node);
            g->host = elementwise ? -1 : i;
            g->first = elementwise ? node->inputs[0] : i;
            p->group_of[i] = e->n_groups++;
        }
        struct fi_group *g = &e->groups[p->group_of[i]];
        if (elementwise) lengths[p->group_of[i]]++;
        g->tail = i;
        p->gradient[i] = node->op && p->reaches[i] && !(node->op->flags & FANIN_OP_NO_GRADIENT);
        bool any = false;
        for (int k = 0; k < node->n_params; k++)
            any |= p->net->params[node->first_param + k].spec.trainable &&
                   !frozen(p, node->first_param + k);
        for (int k = 0; k < node->n_in; k++) any |= p->gradient[node->inputs[k]];
        p->gradient[i] &= any;
        g->gradient |= p->gradient[i];
    }
    for (int g = 0; g < e->n_groups; g++) {
        e->groups[g].chain = chains;
        chains += lengths[g];
    }
    for (int i = 0; i < n; i++) {
        const struct fi_node *node = &p->net->nodes[i];
        struct fi_group *g = &e->groups[p->group_of[i]];
        if (node->op && (node->op->flags & FANIN_OP_ELEMENTWISE)) g->chain[g->n_chain++] = i;
    }
    return FANIN_OK;
}

/* ---- buffers --------------------------------------------------------------------------------------- */

static enum fanin_status row_cells(const struct fi_exec *e, int64_t cols, int64_t *out) {
    const int64_t ld = fi_row_stride(cols);
    if (!fi_mul(e->rows, ld, out) || *out > INT64_MAX / 64)
        return fi_fail_memory(e->model->ctx, "a batch", SIZE_MAX);
    return FANIN_OK;
}

static enum fanin_status activation_regions(struct planner *p) {
    const int loss = p->exec->n_groups;
    for (int i = 0; i < p->net->n_nodes; i++) {
        const struct fi_node *node = &p->net->nodes[i];
        const int group = p->group_of[i];
        const struct fi_group *g = &p->exec->groups[group];
        int64_t size;
        FI_TRY(row_cells(p->exec, node->shape.cols, &size));
        if (g->identity && g->tail == i) {
            p->y_region[i] = p->y_region[node->inputs[0]];
            p->regions[p->y_region[i]].shared = true;
        } else if (node->op && may_overwrite(p, node)) {
            p->y_region[i] = p->y_region[node->inputs[0]];
        } else {
            p->y_region[i] = new_region(p, size);
        }
        struct region *r = &p->regions[p->y_region[i]];
        r->need = FI_MAX(r->need, need_of_y(node));
        live(r, node->op ? group : 0); /* inputs are filled before the first group */
        if (p->exec->training) live(r, 2 * loss - group);
        if (node->output || i == p->exec->result) live(r, 2 * loss);
        if (keeps(p)) live(r, 2 * loss);
        for (int k = 0; k < node->n_in; k++) live(&p->regions[p->y_region[node->inputs[k]]], group);
    }
    return FANIN_OK;
}

/* One gradient buffer a group: the chain works in place. */
static enum fanin_status gradient_regions(struct planner *p) {
    const int loss = p->exec->n_groups;
    const int result = p->exec->result;
    for (int i = 0; i < p->net->n_nodes; i++) p->dy_region[i] = -1;
    if (!p->exec->training) return FANIN_OK;
    for (int g = 0; g < p->exec->n_groups; g++) {
        const struct fi_group *group = &p->exec->groups[g];
        int64_t size;
        if (!group->gradient && p->group_of[result] != g) continue;
        FI_TRY(row_cells(p->exec, p->net->nodes[group->tail].shape.cols, &size));
        const int region = new_region(p, size);
        for (int k = 0; k < group->n_chain; k++) p->dy_region[group->chain[k]] = region;
        if (group->host >= 0) p->dy_region[group->host] = region;
        live(&p->regions[region], 2 * loss - g);
        if (p->group_of[result] == g) live(&p->regions[region], loss);
        if (p->exec->mode == FI_WATCH) live(&p->regions[region], 2 * loss);
    }
    for (int i = 0; i < p->net->n_nodes; i++)
        for (int k = 0; k < p->net->nodes[i].n_in; k++) {
            const int from = p->dy_region[p->net->nodes[i].inputs[k]];
            if (from >= 0) live(&p->regions[from], 2 * loss - p->group_of[i]);
        }
    /* A chain without a host may run backward in its reader's epilogue: as early as that. */
    for (int g = p->exec->n_groups - 1; g >= 0; g--) {
        const struct fi_group *group = &p->exec->groups[g];
        const int to = group->host < 0 ? p->dy_region[group->first] : -1;
        const int own = p->dy_region[group->tail];
        if (to >= 0 && own >= 0) live(&p->regions[to], p->regions[own].birth);
    }
    return FANIN_OK;
}

static int by_size(const void *a, const void *b) {
    const struct region *const *x = a, *const *y = b;
    if ((*x)->size != (*y)->size) return (*x)->size < (*y)->size ? 1 : -1;
    return *x < *y ? -1 : *x > *y;
}

/* First fit, largest first; returns the end of the last. */
static int64_t place(struct region **order, int n) {
    int64_t end = 0;
    qsort(order, (size_t)n, sizeof(*order), by_size);
    for (int i = 0; i < n; i++) {
        struct region *r = order[i];
        bool moved = true;
        r->offset = 0;
        while (moved) {
            moved = false;
            for (int k = 0; k < i; k++) {
                const struct region *other = order[k];
                if (r->birth > other->death || other->birth > r->death) continue;
                if (r->offset >= other->offset + other->size ||
                    other->offset >= r->offset + r->size)
                    continue;
                r->offset = other->offset + other->size;
                moved = true;
            }
        }
        end = FI_MAX(end, r->offset + r->size);
    }
    return end;
}

static enum fanin_status allocate(struct planner *p, struct region **order) {
    struct fi_exec *e = p->exec;
    for (int i = 0; i < p->n_regions; i++) order[i] = &p->regions[i];
    e->planned = place(order, p->n_regions);
    fi_real *buffer = fi_arena_alloc(&e->arena, e->planned, sizeof(fi_real));
    if (!buffer) return FANIN_ERR_MEMORY;
    for (int i = 0; i < p->net->n_nodes; i++) {
        const int64_t cols = p->net->nodes[i].shape.cols;
        e->y[i] = (struct fanin_tensor){.cols = cols, .ld = fi_row_stride(cols)};
        e->dy[i] = e->y[i];
        e->y[i].data = buffer + p->regions[p->y_region[i]].offset;
        if (p->dy_region[i] >= 0) e->dy[i].data = buffer + p->regions[p->dy_region[i]].offset;
    }
    return FANIN_OK;
}

/* ---- gradient routes -------------------------------------------------------------------------------- */

/* The last reader in forward order writes a gradient first; the others add. A sole reader with an
 * epilogue runs the producer's chain while its block is in cache. */
static void make_routes(struct planner *p) {
    struct fi_exec *e = p->exec;
    e->extras[e->result].written = true; /* by the loss */
    for (int g = 0; g < e->n_groups; g++) e->groups[g].walks_backward = e->groups[g].n_chain > 0;
    for (int i = p->net->n_nodes - 1; i >= 0; i--) {
        const struct fi_node *node = &p->net->nodes[i];
        const struct fi_group *own = &e->groups[p->group_of[i]];
        for (int k = 0; k < node->n_in; k++) {
            const int from = node->inputs[k];
            struct fi_route *route = &e->extras[i].routes[k];
            if (p->group_of[from] == p->group_of[i] || !e->dy[from].data || !own->gradient)
                continue;
            struct fi_group *g = &e->groups[p->group_of[from]];
            route->add = e->extras[from].written;
            e->extras[from].written = true;
            e->steps[i].dx[k] = route->add ? &route->temp : &e->dy[from];
            if (k == 0 && single_reader(p, from) && g->n_chain > 0 && node->op &&
                (node->op->flags & FANIN_OP_EPILOGUE)) {
                route->fused = g;
                g->walks_backward = false;
            }
        }
    }
}

/* ---- steps ------------------------------------------------------------------------------------------ */

static enum fanin_status make_views(const struct planner *p) {
    struct fi_exec *e = p->exec;
    const fanin_net *net = e->model->net;
    e->views = fi_arena_alloc(&e->arena, net->n_params, sizeof(*e->views));
    if (!e->views) return FANIN_ERR_MEMORY;
    for (int i = 0; i < net->n_params; i++) {
        const struct fi_param *param = &net->params[i];
        e->views[i] = (struct fanin_param_view){.w = e->model->params + param->offset,
                                                .out = param->out,
                                                .in = param->in,
                                                .index = i,
                                                .frozen = frozen(p, i)};
    }
    return FANIN_OK;
}

static enum fanin_status make_steps(struct planner *p) {
    struct fi_exec *e = p->exec;
    const int64_t rows32 = (e->rows + 31) / 32 * 32;
    int64_t scratch = 0, temp = 0;
    FI_TRY(make_views(p));
    fi_exec_keys(e);
    for (int i = 0; i < p->net->n_nodes; i++) {
        const struct fi_node *node = &p->net->nodes[i];
        struct fanin_step *s = &e->steps[i];
        int64_t cells, state, per_row, need;
        s->attrs = node->attrs;
        s->training = as_in_training(e, node) && !statistics_frozen(p, node);
        s->n_in = node->n_in;
        s->y = &e->y[i];
        s->shape = &node->shape;
        s->dy = e->dy[i].data ? &e->dy[i] : NULL;
        for (int k = 0; k < node->n_in; k++) {
            s->x[k] = &e->y[node->inputs[k]];
            s->x_shape[k] = &p->net->nodes[node->inputs[k]].shape;
        }
        s->params = e->views + node->first_param;
        s->emit = fi_emit_range;
        s->internal = &e->extras[i];
        e->extras[i].exec = e;
        e->extras[i].node = i;
        e->extras[i].group = &e->groups[p->group_of[i]];
        FI_TRY(row_cells(e, node->shape.cols, &cells));
        if (!fi_mul(cells, (int64_t)node->state_bytes_per_cell, &state) ||
            !fi_mul(rows32, (int64_t)node->state_bytes_per_row, &per_row) ||
            !fi_add(state, per_row, &state) || !fi_add(state, (int64_t)node->state_bytes, &state) ||
            !fi_mul(rows32, (int64_t)node->scratch_bytes_per_row, &need) ||
            !fi_add(need, (int64_t)node->scratch_bytes, &need))
            return fi_fail_memory(e->model->ctx, node->name, SIZE_MAX);
        if (state > 0 && !(s->state = fi_arena_alloc(&e->arena, state, 1))) return FANIN_ERR_MEMORY;
        scratch = FI_MAX(scratch, need);
        e->needs_two_rows |=
            e->training && s->training && node->op && (node->op->flags & FANIN_OP_BATCH_STATS);
    }
    make_routes(p);
    for (int i = 0; i < p->net->n_nodes; i++)
        for (int k = 0; k < p->net->nodes[i].n_in; k++)
            if (e->extras[i].routes[k].add) {
                int64_t cells;
                FI_TRY(row_cells(e, p->net->nodes[p->net->nodes[i].inputs[k]].shape.cols, &cells));
                temp += cells;
            }
    void *work = fi_arena_alloc(&e->arena, scratch, 1);
    fi_real *temps = fi_arena_alloc(&e->arena, temp, sizeof(fi_real));
    if (!work || !temps) return FANIN_ERR_MEMORY;
    for (int i = 0; i < p->net->n_nodes; i++) {
        e->steps[i].scratch = work;
        for (int k = 0; k < p->net->nodes[i].n_in; k++) {
            struct fi_route *route = &e->extras[i].routes[k];
            if (!route->add) continue;
            route->temp = e->dy[p->net->nodes[i].inputs[k]];
            route->temp.data = temps;
            temps += e->rows * route->temp.ld;
        }
    }
    return FANIN_OK;
}

/* One input: samples go straight into its buffer. */
static enum fanin_status make_inputs(struct planner *p) {
    struct fi_exec *e = p->exec;
    int64_t cells;
    for (int i = 0; i < p->net->n_nodes; i++)
        if (!p->net->nodes[i].op) e->x = e->y[i];
    if (p->net->n_inputs == 1) return FANIN_OK;
    e->x.cols = fi_net_columns(p->net);
    e->x.ld = fi_row_stride(e->x.cols);
    FI_TRY(row_cells(e, e->x.cols, &cells));
    e->x.data = fi_arena_alloc(&e->arena, cells, sizeof(fi_real));
    return e->x.data ? FANIN_OK : FANIN_ERR_MEMORY;
}

static enum fanin_status plan(struct planner *p) {
    struct fi_exec *e = p->exec;
    const int n = p->net->n_nodes;
    struct region **order;
    e->y = fi_arena_alloc(&e->arena, n, sizeof(*e->y));
    e->dy = fi_arena_alloc(&e->arena, n, sizeof(*e->dy));
    e->steps = fi_arena_alloc(&e->arena, n, sizeof(*e->steps));
    e->extras = fi_arena_alloc(&e->arena, n, sizeof(*e->extras));
    p->regions = fi_arena_alloc(&e->arena, 2 * (int64_t)n, sizeof(*p->regions));
    order = fi_arena_alloc(&e->arena, 2 * (int64_t)n, sizeof(struct region *));
    p->y_region = fi_arena_alloc(&e->arena, n, sizeof(int));
    p->dy_region = fi_arena_alloc(&e->arena, n, sizeof(int));
    p->group_of = fi_arena_alloc(&e->arena, n, sizeof(int));
    p->gradient = fi_arena_alloc(&e->arena, n, sizeof(bool));
    p->reaches = fi_arena_alloc(&e->arena, n, sizeof(bool));
    if (!e->y || !e->dy || !e->steps || !e->extras || !p->regions || !order || !p->y_region ||
        !p->dy_region || !p->group_of || !p->gradient || !p->reaches)
        return FANIN_ERR_MEMORY;
    FI_TRY(make_groups(p));
    FI_TRY(activation_regions(p));
    FI_TRY(gradient_regions(p));
    FI_TRY(allocate(p, order));
    FI_TRY(make_inputs(p));
    FI_TRY(make_steps(p));
    return fi_exec_ready(e);
}

static enum fanin_status create(struct fi_exec **out, fanin_model *model, int64_t rows,
                                enum fi_mode mode, const struct fi_policies *policies) {
    *out = NULL;
    if (rows < 1) return fi_fail(model->ctx, FANIN_ERR_ARGUMENT, "a batch of no samples");
    struct fi_exec *e = fi_alloc(model->ctx, 1, sizeof(*e));
    if (!e) return FANIN_ERR_MEMORY;
    fi_arena_init(&e->arena, model->ctx);
    e->model = model;
    e->rows = rows;
    e->mode = mode;
    e->training = mode == FI_TRAIN || mode == FI_WATCH;
    e->policies = policies;
    e->result = fi_net_result(model->net);
    struct planner p = {.exec = e, .net = model->net};
    enum fanin_status status = plan(&p);
    if (status != FANIN_OK) {
        fi_exec_free(e);
        return status;
    }
    *out = e;
    return FANIN_OK;
}

enum fanin_status fi_exec_create(struct fi_exec **out, fanin_model *model, int64_t rows,
                                 enum fi_mode mode) {
    return create(out, model, rows, mode, NULL);
}

enum fanin_status fi_exec_create_run(struct fi_exec **out, fanin_model *model, int64_t rows,
                                     enum fi_mode mode, const struct fi_policies *policies) {
    return create(out, model, rows, mode, policies);
}

void fi_exec_free(struct fi_exec *exec) {
    if (!exec) return;
    fanin_ctx *ctx = exec->model->ctx;
    fi_arena_free(&exec->arena);
    fi_free(ctx, exec);
}
