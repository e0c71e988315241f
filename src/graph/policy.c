/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a run does to each parameter: learning rate, frozen or not, penalties, decay, constraints.
 *
 * The rules of the whole run come first, then the patterns in their order, each overriding what it
 * names. Everything is constant over the run but the factors of schedules, so the update reads one
 * small struct for a tile, whatever the recipe says.
 */
#include <math.h>
#include <stdio.h>

#include "graph/graph.h"

/* ---- patterns ---------------------------------------------------------------------------------- */

bool fi_match(const char *pattern, const char *name) {
    const char *star = NULL, *resume = NULL;
    while (*name) {
        if (*pattern == '*') { /* matches nothing at first; tried again with one more below */
            star = ++pattern;
            resume = name;
        } else if (*pattern == '?' || *pattern == *name) {
            pattern++;
            name++;
        } else if (star) {
            pattern = star;
            name = ++resume;
        } else {
            return false;
        }
    }
    while (*pattern == '*') pattern++;
    return *pattern == '\0';
}

/* What acts on it unasked. Of weights that are made from a direction and a length, an initializer
 * draws the directions, penalties act on the lengths, constraints on both. */
static bool is_weight(const struct fi_param *p, unsigned set) {
    return (p->spec.weight && set != FANIN_POLICY_REGULARIZE) ||
           (p->spec.decay && set != FANIN_POLICY_INIT);
}

bool fi_policy_means(const fanin_net *net, const char *pattern, const struct fi_param *param,
                     unsigned set) {
    if (!param->spec.trainable || !fi_match(pattern, param->name)) return false;
    if (is_weight(param, set)) return true;
    for (int i = 0; i < net->n_params; i++)
        if (is_weight(&net->params[i], set) && fi_match(pattern, net->params[i].name)) return false;
    return true;
}

enum fanin_status fi_policy_check_match(const fanin_net *net, const struct fanin_param_policy *p) {
    const char *pattern = p->match;
    const bool outputs = p->set == FANIN_POLICY_REGULARIZE; /* which may be on outputs */
    struct fi_arena arena;
    if (!pattern || !*pattern)
        return fi_fail(net->ctx, FANIN_ERR_RECIPE, "params: a pattern of names is missing (match)");
    for (int i = 0; i < net->n_params; i++)
        if (fi_match(pattern, net->params[i].name)) return FANIN_OK;
    for (int i = 0; i < net->n_nodes && outputs; i++) {
        char output[200];
        (void)snprintf(output, sizeof output, "%.180s.output", net->nodes[i].name);
        if (net->nodes[i].op && fi_match(pattern, output)) return FANIN_OK;
    }
    fi_arena_init(&arena, net->ctx);
    const char **names = fi_arena_alloc(&arena, net->n_params, sizeof *names);
    for (int i = 0; names && i < net->n_params; i++) names[i] = net->params[i].name;
    const char *nearest = names ? fanin_nearest(pattern, names, net->n_params) : NULL;
    const char *any = net->n_params > 0 ? net->params[0].name : NULL;
    enum fanin_status status =
        !names    ? FANIN_ERR_MEMORY
        : nearest ? fi_fail(net->ctx, FANIN_ERR_RECIPE,
                            "'%.80s' matches no parameter; did you mean '%s'?", pattern, nearest)
        : any     ? fi_fail(net->ctx, FANIN_ERR_RECIPE,
                            "'%.80s' matches no parameter: they are called like '%s'", pattern, any)
                  : fi_fail(net->ctx, FANIN_ERR_RECIPE,
                            "'%.80s' matches no parameter: the net has none", pattern);
    fi_arena_free(&arena);
    return status;
}

/* ---- rules ------------------------------------------------------------------------------------- */

struct maker {
    struct fi_policies *out;
    struct fi_arena *arena;
    const fanin_net *net;
    fanin_ctx *ctx;
    bool *own;    /* per parameter: a pattern gave its penalties */
    bool *opened; /* per parameter: a pattern said decay: true */
};

static enum fanin_status new_penalty(struct maker *m, struct fi_penalty **out,
                                     const struct fanin_rule *rule, const char *where) {
    struct fanin_rule_ref ref;
    void *all = m->out->all;
    FI_TRY(fi_rule_resolve(m->arena, &ref, "reg", rule, where));
    FI_TRY(fi_arena_grow(m->arena, &all, &m->out->cap_all, m->out->n_all + 1, sizeof *m->out->all));
    m->out->all = all;
    if (!(*out = fi_arena_alloc(m->arena, 1, sizeof **out))) return FANIN_ERR_MEMORY;
    (*out)->reg = (const struct fi_reg *)(const void *)ref.record;
    (*out)->attrs = ref.attrs;
    (*out)->factor = 1;
    m->out->all[m->out->n_all++] = *out;
    return FANIN_OK;
}

static enum fanin_status new_list(struct maker *m, struct fi_penalties *list, int n) {
    *list = (struct fi_penalties){.items = fi_arena_alloc(m->arena, n, sizeof *list->items)};
    return list->items ? FANIN_OK : FANIN_ERR_MEMORY;
}

/* Constraints by their rules. */
static enum fanin_status read_constraints(struct maker *m, struct fi_constraints *out,
                                          const struct fanin_rule *rules, int n,
                                          const char *where) {
    *out = (struct fi_constraints){.items = fi_arena_alloc(m->arena, n, sizeof *out->items)};
    if (!out->items) return FANIN_ERR_MEMORY;
    for (; out->n < n; out->n++)
        FI_TRY(fi_rule_resolve(m->arena, &out->items[out->n], "constraint", &rules[out->n], where));
    return FANIN_OK;
}

/* The rules of the whole run: penalties on weights act on what decays by default, constraints on
 * weights and on the lengths that some are made with; those on predictions are the trainer's. */
static enum fanin_status take_run(struct maker *m, const struct fanin_train_options *o) {
    struct fi_penalties weights;
    struct fi_constraints constraints;
    FI_TRY(new_list(m, &weights, o->n_regularize));
    for (int i = 0; i < o->n_regularize; i++) {
        struct fi_penalty *penalty;
        FI_TRY(new_penalty(m, &penalty, &o->regularize[i], "regularize"));
        if (penalty->reg->outputs)
            return fi_fail(m->ctx, FANIN_ERR_RECIPE,
                           "regularize: %s acts on the outputs of one layer: write it there, as in "
                           "- relu: {regularize: {%s: …}}, or in params under match: relu1.output",
                           penalty->reg->head.name, penalty->reg->head.name);
        if (!penalty->reg->of_entropy) weights.items[weights.n++] = penalty;
    }
    FI_TRY(read_constraints(m, &constraints, o->constrain, o->n_constrain, "constrain"));
    for (int i = 0; i < m->net->n_params; i++) {
        const struct fi_param *p = &m->net->params[i];
        m->out->params[i] = (struct fi_policy){.lr = 1, .decays = p->spec.decay};
        m->out->params[i].penalties = weights;
        if (is_weight(p, FANIN_POLICY_CONSTRAIN)) m->out->params[i].constraints = constraints;
    }
    return FANIN_OK;
}

/* ---- patterns ---------------------------------------------------------------------------------- */

/* Penalties on outputs, for every node whose "<node>.output" matches. */
static enum fanin_status take_outputs(struct maker *m, const char *pattern,
                                      const struct fi_penalties *list) {
    int matched = 0;
    for (int i = 0; i < m->net->n_nodes; i++) {
        const char *name = fi_arena_printf(m->arena, "%s.output", m->net->nodes[i].name);
        if (!name) return FANIN_ERR_MEMORY;
        if (!m->net->nodes[i].op || !fi_match(pattern, name)) continue;
        m->out->outputs[i] = *list;
        matched++;
    }
    if (matched > 0) return FANIN_OK;
    return fi_fail(m->ctx, FANIN_ERR_RECIPE,
                   "%s acts on outputs, and '%.80s' matches none: they are called like '%s.output'",
                   list->items[0]->reg->head.name, pattern,
                   m->net->nodes[fi_net_result(m->net)].name);
}

static enum fanin_status take_regularize(struct maker *m, const struct fanin_param_policy *p) {
    struct fi_penalties weights, outputs;
    FI_TRY(new_list(m, &weights, p->n_regularize));
    FI_TRY(new_list(m, &outputs, p->n_regularize));
    for (int i = 0; i < p->n_regularize; i++) {
        struct fi_penalty *penalty;
        FI_TRY(new_penalty(m, &penalty, &p->regularize[i], "regularize"));
        if (penalty->reg->of_entropy)
            return fi_fail(m->ctx, FANIN_ERR_RECIPE,
                           "regularize: %s acts on predictions, not on a layer: write it in the "
                           "recipe's own regularize",
                           penalty->reg->head.name);
        struct fi_penalties *list = penalty->reg->outputs ? &outputs : &weights;
        list->items[list->n++] = penalty;
    }
    if (outputs.n > 0) FI_TRY(take_outputs(m, p->match, &outputs));
    if (outputs.n > 0 && weights.n == 0) return FANIN_OK;
    int matched = 0, matrices = 0;
    for (int i = 0; i < m->net->n_params; i++) {
        const struct fi_param *param = &m->net->params[i];
        if (!param->spec.trainable || !fi_match(p->match, param->name)) continue;
        matched++;
        if (!m->opened[i] && !fi_policy_means(m->net, p->match, param, FANIN_POLICY_REGULARIZE))
            continue;
        m->out->params[i].penalties = weights;
        m->own[i] = true;
        matrices += param->spec.layout == FANIN_LAYOUT_PANELS;
    }
    for (int i = 0; i < weights.n && matrices == 0; i++)
        if (weights.items[i]->reg->whole)
            return fi_fail(m->ctx, FANIN_ERR_RECIPE,
                           "%s acts on weight matrices, and '%.80s' means none",
                           weights.items[i]->reg->head.name, p->match);
    if (matched > 0 || weights.n == 0) return FANIN_OK;
    return fi_fail(m->ctx, FANIN_ERR_RECIPE,
                   "%s acts on parameters that are trained, and '%.80s' matches none",
                   weights.items[0]->reg->head.name, p->match);
}

static enum fanin_status take_constrain(struct maker *m, const struct fanin_param_policy *p) {
    struct fi_constraints list;
    int matched = 0;
    FI_TRY(read_constraints(m, &list, p->constrain, p->n_constrain, "constrain"));
    for (int i = 0; i < m->net->n_params; i++)
        if (fi_policy_means(m->net, p->match, &m->net->params[i], FANIN_POLICY_CONSTRAIN)) {
            m->out->params[i].constraints = list;
            matched++;
        }
    if (matched > 0 || list.n == 0) return FANIN_OK;
    return fi_fail(m->ctx, FANIN_ERR_RECIPE,
                   "%s acts on parameters that are trained, and '%.80s' matches none",
                   list.items[0].record->name, p->match);
}

static enum fanin_status take_pattern(struct maker *m, const struct fanin_param_policy *p) {
    FI_TRY(fi_policy_check_match(m->net, p));
    if ((p->set & FANIN_POLICY_LR) && !(isfinite(p->lr) && p->lr >= 0))
        return fi_fail(m->ctx, FANIN_ERR_RECIPE,
                       "'%.80s': lr is a factor on the learning rate, 0 or more, not %g", p->match,
                       p->lr);
    for (int i = 0; i < m->net->n_params; i++) {
        struct fi_policy *to = &m->out->params[i];
        if (!fi_match(p->match, m->net->params[i].name)) continue;
        if (p->set & FANIN_POLICY_LR) to->lr = p->lr;
        if (p->set & FANIN_POLICY_FROZEN) to->frozen = p->frozen;
        if (!(p->set & FANIN_POLICY_DECAY)) continue;
        to->decays = p->decay;
        m->opened[i] = p->decay;
        if (!p->decay) m->own[i] = false;
    }
    if (p->set & FANIN_POLICY_REGULARIZE) FI_TRY(take_regularize(m, p));
    return p->set & FANIN_POLICY_CONSTRAIN ? take_constrain(m, p) : FANIN_OK;
}

/* ---- the table ---------------------------------------------------------------------------------- */

void fi_policies_set_decay(const struct fi_policies *policies, const fanin_net *net) {
    for (int i = 0; i < net->n_params; i++) {
        struct fi_policy *p = &policies->params[i];
        p->decay = 0;
        for (int k = 0; k < p->penalties.n; k++) {
            const struct fi_penalty *penalty = p->penalties.items[k];
            if (penalty->reg->decay)
                p->decay += penalty->factor * penalty->reg->decay(penalty->attrs);
        }
    }
}

/* The list without penalties on whole tensors: these are for matrices. */
static enum fanin_status without_whole(struct maker *m, struct fi_penalties *list) {
    struct fi_penalties rest;
    FI_TRY(new_list(m, &rest, list->n));
    for (int i = 0; i < list->n; i++)
        if (!list->items[i]->reg->whole) rest.items[rest.n++] = list->items[i];
    if (rest.n < list->n) *list = rest;
    return FANIN_OK;
}

/* What does not act in the end is taken out, so that nobody has to ask again. */
static enum fanin_status finish(struct maker *m) {
    int trainable = 0, updates = 0;
    for (int i = 0; i < m->net->n_params; i++) {
        struct fi_policy *p = &m->out->params[i];
        p->updates = m->net->params[i].spec.trainable && !p->frozen;
        trainable += m->net->params[i].spec.trainable;
        updates += p->updates;
        if (!p->updates || !(p->decays || m->own[i])) p->penalties.n = 0;
        if (!p->updates) p->constraints.n = 0;
        m->out->constrained |= p->constraints.n > 0;
        if (m->net->params[i].spec.layout != FANIN_LAYOUT_PANELS)
            FI_TRY(without_whole(m, &p->penalties));
    }
    fi_policies_set_decay(m->out, m->net);
    if (updates > 0 || trainable == 0) return FANIN_OK;
    return fi_fail(m->ctx, FANIN_ERR_RECIPE,
                   "every parameter is frozen: there is nothing to train");
}

enum fanin_status fi_policies_create(struct fi_policies *out, struct fi_arena *arena,
                                     const fanin_net *net,
                                     const struct fanin_train_options *options, int *bad) {
    struct maker m = {.out = out, .arena = arena, .net = net, .ctx = net->ctx};
    *out = (struct fi_policies){0};
    if (bad) *bad = -1;
    out->params = fi_arena_alloc(arena, net->n_params, sizeof *out->params);
    out->outputs = fi_arena_alloc(arena, net->n_nodes, sizeof *out->outputs);
    m.own = fi_arena_alloc(arena, net->n_params, sizeof *m.own);
    m.opened = fi_arena_alloc(arena, net->n_params, sizeof *m.opened);
    if (!out->params || !out->outputs || !m.own || !m.opened) return FANIN_ERR_MEMORY;
    FI_TRY(take_run(&m, options));
    for (int i = 0; i < options->n_params; i++) {
        if (bad) *bad = i;
        FI_TRY(take_pattern(&m, &options->params[i]));
    }
    if (bad) *bad = -1;
    return finish(&m);
}
