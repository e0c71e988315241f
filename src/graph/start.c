/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The start: which initializer each weight gets, and the drawing of all parameters.
 *
 * The rule is what a pattern of names says, else the one given on the layer, else the default, else
 * it follows from what comes after the layer: looking through norm, dropout, reshape and add to the
 * first activation, the ReLU family gets Kaiming (He et al. 2015), everything else normalized
 * Xavier (Glorot & Bengio 2010, eq. 16).
 *
 * Numbers are keyed by (seed, "init", tensor name) and the element's place in the (out, in) matrix,
 * so they depend neither on other tensors nor on threads.
 */
#include <string.h>

#include "graph/graph.h"
#include "kernel/kernel.h"

/* Numbers drawn at a time while a panel is filled. */
#define DRAW 256

/* The nearest activations behind `node`, looking through transparent nodes: is one of the ReLU
 * family? */
static bool relu_follows(const fanin_net *net, int node, const char **seen) {
    bool relu = false;
    for (int i = node + 1; i < net->n_nodes; i++)
        for (int k = 0; k < net->nodes[i].n_in; k++) {
            const struct fanin_op *op = net->nodes[i].op;
            if (net->nodes[i].inputs[k] != node) continue;
            if (op->curve) {
                if (!*seen) *seen = op->head.name;
                if (strcmp(op->curve->family, "relu") == 0) {
                    *seen = op->head.name;
                    relu = true;
                }
            } else if (op->flags & (FANIN_OP_NORM | FANIN_OP_TRANSPARENT)) {
                relu |= relu_follows(net, i, seen);
            }
        }
    return relu;
}

/* The share of its numbers that a dropout keeps, or what does as much to second moments; 1 for
 * other ops. */
static double keep_of(const struct fi_node *node) {
    return node->op->second_moment ? 1 / node->op->second_moment(node->attrs) : 1;
}

/* The same for all dropout between `node` and the next layer, looking through activations and
 * transparent nodes; the least over the branches. */
static double keep_behind(const fanin_net *net, int node) {
    const unsigned through = FANIN_OP_NORM | FANIN_OP_TRANSPARENT;
    double keep = 1;
    for (int i = node + 1; i < net->n_nodes; i++)
        for (int k = 0; k < net->nodes[i].n_in; k++)
            if (net->nodes[i].inputs[k] == node &&
                (net->nodes[i].op->curve || net->nodes[i].op->flags & through))
                keep = FI_MIN(keep, keep_of(&net->nodes[i]) * keep_behind(net, i));
    return keep;
}

/* The last pattern that says how the parameter starts, or NULL. */
static const struct fanin_param_policy *pattern_of(const fanin_net *net, const struct fi_param *p,
                                                   const struct fanin_model_options *o) {
    for (int i = o->n_params - 1; i >= 0; i--)
        if ((o->params[i].set & FANIN_POLICY_INIT) &&
            fi_policy_means(net, o->params[i].match, p, FANIN_POLICY_INIT))
            return &o->params[i];
    return NULL;
}

static enum fanin_status choose_drawn(fanin_model *m, struct fi_param *p,
                                      const struct fanin_model_options *o) {
    const struct fanin_rule *default_rule = &o->init;
    const struct fanin_param_policy *pattern = pattern_of(m->net, p, o);
    struct fanin_rule rule = {0};
    if (pattern) {
        p->why = fi_arena_printf(&m->arena, "params: %s", pattern->match);
        if (!p->why) return FANIN_ERR_MEMORY;
        return fi_rule_resolve(&m->arena, &p->init, "init", &pattern->init, p->name);
    }
    if (p->spec.init.record) {
        p->init = p->spec.init;
        p->why = "given";
        return FANIN_OK;
    }
    if (!p->spec.weight) return FANIN_OK;
    if (default_rule->name) {
        p->why = "the default given";
        return fi_rule_resolve(&m->arena, &p->init, "init", default_rule, "init");
    }
    const char *follows = NULL;
    rule.name = relu_follows(m->net, p->node, &follows) ? "kaiming_normal" : "xavier_uniform";
    if (p->spec.table) { /* nothing is summed: variance 1 is what other inputs have */
        rule.name = "lecun_normal";
        p->why = "an index picks one row";
        return fi_rule_resolve(&m->arena, &p->init, "init", &rule, p->name);
    }
    p->why = follows ? fi_arena_printf(&m->arena, "%s follows", follows) : "no activation follows";
    if (!p->why) return FANIN_ERR_MEMORY;
    return fi_rule_resolve(&m->arena, &p->init, "init", &rule, p->name);
}

/* A rule of the whole network leaves the drawing to another one. */
static enum fanin_status choose(fanin_model *m, struct fi_param *p,
                                const struct fanin_model_options *o) {
    static const struct fanin_model_options by_what_follows = {.size = sizeof(by_what_follows)};
    FI_TRY(choose_drawn(m, p, o));
    const struct fi_init *init = (const struct fi_init *)(const void *)p->init.record;
    if (!init || !init->network) return FANIN_OK;
    if (!p->spec.weight)
        return fi_fail(m->ctx, FANIN_ERR_RECIPE, "%s: %s is for weights", p->name, init->head.name);
    const struct fi_network_attrs *attrs = p->init.attrs;
    const struct fanin_rule base = {.name = init->base};
    const char *why = p->why;
    p->network = p->init;
    if (attrs->init.record) {
        p->init = attrs->init;
    } else if (base.name) {
        FI_TRY(fi_rule_resolve(&m->arena, &p->init, "init", &base, p->name));
    } else {
        const struct fanin_rule_ref given = p->spec.init;
        p->spec.init = (struct fanin_rule_ref){0};
        const enum fanin_status status = choose_drawn(m, p, &by_what_follows);
        p->spec.init = given;
        FI_TRY(status);
    }
    p->why = why;
    if (!((const struct fi_init *)(const void *)p->init.record)->network) return FANIN_OK;
    return fi_fail(m->ctx, FANIN_ERR_RECIPE,
                   "%s: %s cannot start by %s, a rule of the whole network", p->name,
                   init->head.name, p->init.record->name);
}

struct draw {
    const struct fi_init *init;
    struct fi_init_request request;
    const struct fi_param *param;
    fi_real *w;
};

/* Fills one panel (32 rows of the matrix). Draws begin at even numbers, as Box-Muller pairs do. */
static void draw_panel(void *arg, int64_t panel) {
    const struct draw *d = arg;
    const struct fi_param *p = d->param;
    const int64_t last = FI_MIN(p->out, (panel + 1) * FI_PANEL);
    fi_real numbers[DRAW + 2];
    /* so that what is written at a time stays in cache */
    for (int64_t i0 = 0; i0 < p->in; i0 += DRAW)
        for (int64_t o = panel * FI_PANEL; o < last; o++) {
            const int64_t n = FI_MIN(DRAW, p->in - i0), first = o * p->in + i0, skip = first & 1;
            d->init->fill(&d->request, first - skip, n + skip, numbers);
            for (int64_t i = 0; i < n; i++)
                d->w[fi_panel_index(p->out, p->in, o, i0 + i)] = numbers[skip + i];
        }
}

/* The same for numbers that come all at once. */
static void place_all(const struct draw *d, const fi_real *numbers) {
    const struct fi_param *p = d->param;
    if (p->spec.layout != FANIN_LAYOUT_PANELS) {
        memcpy(d->w, numbers, (size_t)p->count * sizeof *numbers);
        return;
    }
    for (int64_t o = 0; o < p->out; o++)
        for (int64_t i = 0; i < p->in; i++)
            d->w[fi_panel_index(p->out, p->in, o, i)] = numbers[o * p->in + i];
}

static enum fanin_status draw_whole(const struct draw *d) {
    fi_real *numbers = fi_alloc(d->request.ctx, d->param->count, sizeof *numbers);
    if (!numbers) return FANIN_ERR_MEMORY;
    const enum fanin_status status = d->init->whole(&d->request, numbers);
    if (status == FANIN_OK) place_all(d, numbers);
    fi_free(d->request.ctx, numbers);
    return status;
}

static enum fanin_status draw_param(fanin_model *m, struct fi_param *p) {
    const struct fi_init *init = (const struct fi_init *)(const void *)p->init.record;
    double kurtosis;
    struct draw d = {
        .init = init,
        .request = {.attrs = p->init.attrs,
                    .ctx = m->ctx,
                    .fan_in = p->spec.fan_in,
                    .fan_out = p->spec.fan_out,
                    .rank = p->spec.rank,
                    .dims = p->spec.dims,
                    .keep = keep_of(&m->net->nodes[p->node]) * keep_behind(m->net, p->node),
                    .key = fi_key(m->seed, "init", p->name)},
        .param = p,
        .w = m->params + p->offset};
    init->moments(&d.request, &p->mean, &p->std, &kurtosis);
    if (init->gain) p->gain = init->gain(p->init.attrs);
    if (init->whole) return draw_whole(&d);
    if (p->spec.layout == FANIN_LAYOUT_PANELS)
        fi_parallel(m->ctx, fi_panels(p->out), 20.0 * (double)p->count, draw_panel, &d);
    else
        init->fill(&d.request, 0, p->count, d.w);
    return FANIN_OK;
}

/* Draws the weights, or all other parameters that have a rule. */
static enum fanin_status draw_all(fanin_model *model, bool weights) {
    for (int i = 0; i < model->net->n_params; i++) {
        struct fi_param *p = &model->net->params[i];
        if (!p->init.record || (p->spec.weight != 0) != weights) continue;
        FI_TRY(fi_gains_resolve(&model->arena, &p->init, &p->why));
        FI_TRY(draw_param(model, p));
    }
    return FANIN_OK;
}

/* What ops derive from their drawn weights. */
static enum fanin_status derive(fanin_model *model) {
    const fanin_net *net = model->net;
    for (int i = 0; i < net->n_nodes; i++) {
        const struct fi_node *node = &net->nodes[i];
        struct fanin_param_view views[FANIN_MAX_PARAMS];
        if (!node->op || !node->op->start) continue;
        for (int k = 0; k < node->n_params; k++) {
            struct fi_param *p = &net->params[node->first_param + k];
            if (isnan(p->spec.fill) && !p->init.record) p->why = "from the weights";
            views[k] = (struct fanin_param_view){
                .w = model->params + p->offset, .out = p->out, .in = p->in};
        }
        const char *wrong = node->op->start(node->attrs, views);
        if (wrong) return fi_fail(model->ctx, FANIN_ERR_RECIPE, "%s: %s", node->name, wrong);
    }
    return FANIN_OK;
}

/* Every rule of the whole network that some tensor has, in the order of the tensors. */
static enum fanin_status run_network_rules(fanin_model *model, const struct fi_start_data *data,
                                           struct fi_arena *arena) {
    const fanin_net *net = model->net;
    for (int i = 0; i < net->n_params; i++) {
        const struct fanin_record *record = net->params[i].network.record;
        bool first = record != NULL;
        for (int k = 0; k < i; k++) first &= net->params[k].network.record != record;
        if (!first) continue;
        const struct fi_network s = {.model = model,
                                     .init = (const struct fi_init *)(const void *)record,
                                     .arena = arena,
                                     .data = data,
                                     .derive = derive};
        FI_TRY(s.init->network(&s));
        FI_TRY(derive(model));
    }
    return FANIN_OK;
}

enum fanin_status fi_start(fanin_model *model, const struct fanin_model_options *options,
                           const struct fi_start_data *data) {
    static const struct fanin_model_options defaults = {.size = sizeof(defaults)};
    const struct fanin_model_options *o = options ? options : &defaults;
    for (int i = 0; i < o->n_params; i++) FI_TRY(fi_policy_check_match(model->net, &o->params[i]));
    for (int i = 0; i < model->net->n_params; i++) FI_TRY(choose(model, &model->net->params[i], o));
    FI_TRY(draw_all(model, true));
    FI_TRY(derive(model));
    FI_TRY(draw_all(model, false));
    struct fi_arena arena;
    fi_arena_init(&arena, model->ctx);
    const enum fanin_status status = run_network_rules(model, data, &arena);
    fi_arena_free(&arena);
    return status;
}
