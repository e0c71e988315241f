/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Building a net: nodes are added in topological order, so an input of a node always exists
 * already. Shapes are inferred and parameters laid out as each node is added; nothing is allocated
 * for data.
 */
#include <stdio.h>
#include <string.h>

#include "graph/graph.h"
#include "kernel/kernel.h"

enum fanin_status fanin_net_create(fanin_net **out, fanin_ctx *ctx) {
    *out = NULL;
    fanin_net *net = fi_alloc(ctx, 1, sizeof(*net));
    if (!net) return FANIN_ERR_MEMORY;
    net->ctx = ctx;
    fi_arena_init(&net->arena, ctx);
    *out = net;
    return FANIN_OK;
}

void fanin_net_free(fanin_net *net) {
    if (!net) return;
    fi_arena_free(&net->arena);
    fi_free(net->ctx, net);
}

int fanin_net_find(const fanin_net *net, const char *name) {
    for (int i = 0; i < net->n_nodes; i++)
        if (strcmp(net->nodes[i].name, name) == 0) return i;
    return -1;
}

/* The name given, or <op><n> with n counted from 1 per op. */
static enum fanin_status name_node(fanin_net *net, const char **out, const char *op,
                                   const char *name) {
    if (name) {
        if (!*name || strchr(name, '.') || strchr(name, '/'))
            return fi_fail(net->ctx, FANIN_ERR_RECIPE,
                           "'%s' is no name for a node: it must not be empty or hold '.' or '/'",
                           name);
        if (fanin_net_find(net, name) >= 0)
            return fi_fail(net->ctx, FANIN_ERR_RECIPE, "two nodes are named '%s'", name);
        *out = fi_arena_strdup(&net->arena, name);
        return *out ? FANIN_OK : FANIN_ERR_MEMORY;
    }
    int n = 1;
    for (int i = 0; i < net->n_nodes; i++) {
        const struct fanin_op *other = net->nodes[i].op;
        n += strcmp(other ? other->head.name : "input", op) == 0;
    }
    char text[80];
    do snprintf(text, sizeof text, "%.60s%d", op, n++);
    while (fanin_net_find(net, text) >= 0);
    *out = fi_arena_strdup(&net->arena, text);
    return *out ? FANIN_OK : FANIN_ERR_MEMORY;
}

/* A zeroed slot behind the last node. It counts only once n_nodes is raised. */
static enum fanin_status new_node(fanin_net *net, struct fi_node **out) {
    FI_TRY(fi_arena_grow(&net->arena, (void **)&net->nodes, &net->cap_nodes, net->n_nodes + 1,
                         sizeof(*net->nodes)));
    *out = &net->nodes[net->n_nodes];
    memset(*out, 0, sizeof(**out));
    return FANIN_OK;
}

enum fanin_status fanin_net_input(fanin_net *net, int *out, const char *name, int rank,
                                  const int64_t *dims) {
    struct fi_node *node;
    *out = -1;
    if (rank < 1 || rank > FANIN_MAX_RANK)
        return fi_fail(net->ctx, FANIN_ERR_SHAPE, "an input has 1 to %d dimensions, not %d",
                       FANIN_MAX_RANK, rank);
    FI_TRY(new_node(net, &node));
    FI_TRY(name_node(net, &node->name, "input", name));
    node->shape.rank = rank;
    node->shape.cols = 1;
    for (int i = 0; i < rank; i++) {
        node->shape.dims[i] = dims[i];
        if (dims[i] < 1 || !fi_mul(node->shape.cols, dims[i], &node->shape.cols))
            return fi_fail(net->ctx, FANIN_ERR_SHAPE, "%s: dimension %d of a sample is %lld",
                           node->name, i + 1, (long long)dims[i]);
    }
    node->first_param = net->n_params;
    *out = net->n_nodes++;
    net->n_inputs++;
    return FANIN_OK;
}

static enum fanin_status infer_fail(const struct fanin_infer *io, const char *format, ...) {
    char text[600];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return fi_fail(io->internal, FANIN_ERR_SHAPE, "%s: %s", io->node, text);
}

/* Lays the parameters that infer() asked for behind those already there. */
static enum fanin_status add_params(fanin_net *net, struct fi_node *node,
                                    const struct fanin_infer *io) {
    FI_TRY(fi_arena_grow(&net->arena, (void **)&net->params, &net->cap_params,
                         net->n_params + io->n_params, sizeof(*net->params)));
    int64_t end = net->param_size;
    node->first_param = net->n_params;
    node->n_params = io->n_params;
    for (int i = 0; i < io->n_params; i++) {
        struct fi_param *p = &net->params[net->n_params + i];
        memset(p, 0, sizeof(*p));
        p->spec = io->params[i];
        p->node = net->n_nodes;
        p->name = fi_arena_printf(&net->arena, "%s.%s", node->name, p->spec.suffix);
        if (!p->name) return FANIN_ERR_MEMORY;
        p->count = p->in = 1;
        for (int d = 0; d < p->spec.rank; d++)
            if (!fi_mul(p->count, p->spec.dims[d], &p->count))
                return fi_fail_memory(net->ctx, p->name, SIZE_MAX);
        p->out = p->spec.layout == FANIN_LAYOUT_PANELS ? p->spec.dims[0] : p->count;
        if (p->out > 0) p->in = p->count / p->out;
        int64_t padded, bytes;
        if (!fi_add(p->out, FI_LANES, &padded) || !fi_mul(padded, p->in, &padded) ||
            !fi_add(end, padded, &padded) || !fi_mul(padded, sizeof(fi_real), &bytes))
            return fi_fail_memory(net->ctx, p->name, SIZE_MAX);
        p->offset = end;
        p->size = fi_panel_size(p->out, p->in);
        end += p->size;
        net->n_tables += p->spec.table != 0;
        p->gain = p->std = NAN;
    }
    net->param_size = end;
    net->n_params += io->n_params;
    return FANIN_OK;
}

static enum fanin_status check_inputs(fanin_net *net, const char *op, const int *inputs, int n) {
    if (n < 1 || n > FANIN_MAX_INPUTS)
        return fi_fail(net->ctx, FANIN_ERR_ARGUMENT, "%s: a node reads 1 to %d nodes, not %d", op,
                       FANIN_MAX_INPUTS, n);
    for (int i = 0; i < n; i++)
        if (inputs[i] < 0 || inputs[i] >= net->n_nodes)
            return fi_fail(net->ctx, FANIN_ERR_ARGUMENT, "%s: input %d is no node of this net", op,
                           i + 1);
    return FANIN_OK;
}

enum fanin_status fanin_net_add(fanin_net *net, int *out, const char *op, const char *name,
                                const int *inputs, int n_inputs, const struct fanin_attr *attrs,
                                int64_t n_attrs) {
    struct fi_node *node;
    struct fanin_rule rule = {.name = op, .attrs = attrs, .n_attrs = n_attrs};
    struct fanin_rule_ref ref;
    struct fanin_shape in[FANIN_MAX_INPUTS];
    int from[FANIN_MAX_INPUTS];
    FI_TRY(check_inputs(net, op, inputs, n_inputs));
    memcpy(from, inputs, sizeof(int) * (size_t)n_inputs); /* inputs may be out itself */
    *out = -1;
    FI_TRY(new_node(net, &node));
    FI_TRY(fi_rule_resolve(&net->arena, &ref, "op", &rule, name ? name : "net"));
    FI_TRY(name_node(net, &node->name, ref.record->name, name));
    node->op = (const struct fanin_op *)(const void *)ref.record;
    node->attrs = ref.attrs;
    node->n_in = n_inputs;
    for (int i = 0; i < n_inputs; i++) {
        node->inputs[i] = from[i];
        in[i] = net->nodes[from[i]].shape;
    }
    if ((node->op->flags & FANIN_OP_ELEMENTWISE) && n_inputs != 1)
        return fi_fail(net->ctx, FANIN_ERR_SHAPE, "%s: %s reads one node, not %d", node->name,
                       ref.record->name, n_inputs);
    struct fanin_infer io = {.attrs = ref.attrs,
                             .node = node->name,
                             .n_in = n_inputs,
                             .in = in,
                             .out = in[0],
                             .fail = infer_fail,
                             .internal = net->ctx};
    FI_TRY(node->op->infer ? node->op->infer(&io) : FANIN_OK);
    FI_TRY(add_params(net, node, &io));
    node->shape = io.out;
    node->run = io.run > 0 ? io.run : io.out.cols;
    node->state_bytes_per_cell = io.state_bytes_per_cell;
    node->state_bytes_per_row = io.state_bytes_per_row;
    node->state_bytes = io.state_bytes;
    node->scratch_bytes_per_row = io.scratch_bytes_per_row;
    node->scratch_bytes = io.scratch_bytes;
    node->flops = node->op->flops ? node->op->flops(&io) : (double)io.out.cols;
    for (int i = 0; i < n_inputs; i++) net->nodes[from[i]].consumers++;
    *out = net->n_nodes++;
    return FANIN_OK;
}

enum fanin_status fanin_net_output(fanin_net *net, int node) {
    if (node < 0 || node >= net->n_nodes)
        return fi_fail(net->ctx, FANIN_ERR_ARGUMENT, "output %d is no node of this net", node);
    if (!net->nodes[node].output) net->nodes[node].output = ++net->n_outputs;
    return FANIN_OK;
}

int fi_net_result(const fanin_net *net) {
    for (int i = 0; i < net->n_nodes; i++)
        if (net->nodes[i].output == 1) return i;
    return net->n_nodes - 1;
}

int64_t fi_net_columns(const fanin_net *net) {
    int64_t cols = 0;
    for (int i = 0; i < net->n_nodes; i++) cols += net->nodes[i].op ? 0 : net->nodes[i].shape.cols;
    return cols;
}

void fi_sources_init(struct fi_sources *s, const fanin_net *net, int node) {
    const struct fi_node *n = &net->nodes[node];
    s->op = n->op;
    for (int k = 0; k < n->n_in; k++) s->in[k] = net->nodes[n->inputs[k]].shape;
    s->io = (struct fanin_infer){
        .attrs = n->attrs, .node = n->name, .n_in = n->n_in, .in = s->in, .out = n->shape};
}

int fanin_net_nodes(const fanin_net *net) {
    return net->n_nodes;
}
const char *fanin_net_node_name(const fanin_net *net, int node) {
    return net->nodes[node].name;
}
int fanin_net_params(const fanin_net *net) {
    return net->n_params;
}

void fanin_net_node(const fanin_net *net, int node, struct fanin_node_info *out) {
    const struct fi_node *n = &net->nodes[node];
    memset(out, 0, sizeof(*out));
    out->name = n->name;
    out->op = n->op ? n->op->head.name : "input";
    out->shape = n->shape;
    memcpy(out->inputs, n->inputs, sizeof(out->inputs));
    out->n_inputs = n->n_in;
    out->first_param = n->first_param;
    out->n_params = n->n_params;
    out->flops = n->flops;
}

void fanin_net_param(const fanin_net *net, int index, struct fanin_param_info *out) {
    const struct fi_param *p = &net->params[index];
    memset(out, 0, sizeof(*out));
    out->name = p->name;
    out->rank = p->spec.rank;
    memcpy(out->dims, p->spec.dims, sizeof(out->dims));
    out->count = p->count;
    out->trainable = p->spec.trainable;
    out->decay = p->spec.trainable && p->spec.decay;
    out->init = p->init.record ? p->init.record->name : NULL;
    if (!p->init.record && !p->spec.weight)
        out->init = isnan(p->spec.fill) ? "derived"
                    : p->spec.fill == 0 ? "zeros"
                    : p->spec.fill == 1 ? "ones"
                                        : "constant";
    if (p->imported) out->init = "imported";
    out->why = p->why;
    out->fan_in = p->spec.fan_in;
    out->fan_out = p->spec.fan_out;
    out->gain = p->gain;
    out->std = p->std;
}
