/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a recipe asks of parameters: the list `params`, and the same keys on layers, where they mean
 * the layer's own parameters ("<name>.*"). Layers come first, so that an entry of the list may
 * override them. Whether a pattern matches anything is known when the net is built.
 */
#include <string.h>

#include "recipe/recipe.h"

bool fi_params_key(const struct fanin_record *op, const char *key) {
    const struct fanin_attr_spec *spec = fi_spec_find(&fi_section_params, key);
    if (!spec || spec == fi_section_params.attrs || fi_spec_find(op, key)) return false;
    return op->name != fi_section_params.name;
}

enum fanin_status fi_rules_read(struct fi_arena *arena, struct fanin_rule **out, int *n,
                                const char *kind, struct fi_value *value, const char *path) {
    *n = 0;
    *out = NULL;
    if (!value) return FANIN_OK;
    if (value->kind != FI_VALUE_MAP) return fi_fail_type(arena->ctx, value, path, "a map of keys");
    struct fanin_rule *rules = fi_arena_alloc(arena, FI_MAX(1, value->n), sizeof *rules);
    if (!rules) return FANIN_ERR_MEMORY;
    *out = rules;
    enum fanin_status first = FANIN_OK;
    for (int64_t i = 0; i < value->n; i++) {
        const struct fi_entry *entry = &value->entries[i];
        if (entry->value->kind == FI_VALUE_NULL) continue;
        const char *key = fi_path(arena, path, entry->key);
        if (!key) return FANIN_ERR_MEMORY;
        enum fanin_status status = fi_rule_read_named(arena, &rules[(*n)++], kind, entry->key,
                                                      entry->mark, entry->value, path);
        if (!fi_mistakes_go_on(arena->ctx, &first, status, key)) break;
    }
    return first;
}

/* The rules of one key. */
static enum fanin_status read_rules(struct fi_arena *arena, const struct fanin_rule **out, int *n,
                                    const char *kind, const struct fi_value *keys, const char *key,
                                    const char *path) {
    struct fanin_rule *rules;
    const char *below = fi_path(arena, path, key);
    if (!below) return FANIN_ERR_MEMORY;
    FI_TRY(fi_rules_read(arena, &rules, n, kind, fi_value_get(keys, key), below));
    *out = rules;
    return FANIN_OK;
}

/* One policy from its keys; match NULL: they hold it. */
static enum fanin_status read_policy(struct fi_arena *arena, struct fanin_param_policy *out,
                                     struct fi_value *keys, const char *match, const char *path) {
    static const struct {
        const char *key;
        unsigned set;
    } given[] = {{"init", FANIN_POLICY_INIT},
                 {"lr", FANIN_POLICY_LR},
                 {"frozen", FANIN_POLICY_FROZEN},
                 {"decay", FANIN_POLICY_DECAY},
                 {"regularize", FANIN_POLICY_REGULARIZE},
                 {"constrain", FANIN_POLICY_CONSTRAIN}};
    struct fi_attrs attrs;
    const void *parsed;
    FI_TRY(fi_attrs_read(arena, &attrs, &fi_section_params, keys, path, false));
    if (match) /* there is room for one more */
        attrs.items[attrs.n++] = (struct fanin_attr){.name = "match", .text = match};
    FI_TRY(fi_attrs_finish(arena, &parsed, &fi_section_params, &attrs, keys->mark, path));
    const struct fi_section_params *p = parsed;
    *out = (struct fanin_param_policy){
        .match = p->match, .lr = p->lr, .frozen = p->frozen, .decay = p->decay};
    for (int i = 0; i < FI_COUNT(given); i++)
        if (fi_value_get(keys, given[i].key)) out->set |= given[i].set;
    const struct fanin_attr *init = fi_attrs_find(&attrs, "init");
    if (init) out->init = *init->rule;
    FI_TRY(
        read_rules(arena, &out->regularize, &out->n_regularize, "reg", keys, "regularize", path));
    return read_rules(arena, &out->constrain, &out->n_constrain, "constraint", keys, "constrain",
                      path);
}

static enum fanin_status add_policy(struct fi_arena *arena, struct fi_params *out,
                                    struct fi_value *keys, const char *match, const char *path) {
    void *items = out->items, *marks = out->marks;
    FI_TRY(fi_arena_grow(arena, &items, &out->cap, out->n + 1, sizeof *out->items));
    out->items = items;
    FI_TRY(fi_arena_grow(arena, &marks, &out->cap_marks, out->n + 1, sizeof *out->marks));
    out->marks = marks;
    FI_TRY(read_policy(arena, &out->items[out->n], keys, match, path));
    out->marks[out->n++] = keys->mark;
    return FANIN_OK;
}

/* The same keys on a layer. */
static enum fanin_status add_layer(struct fi_arena *arena, struct fi_params *out,
                                   const struct fi_layer *layer) {
    const char *match = fi_arena_printf(arena, "%s.*", layer->name);
    const char *path = fi_path(arena, "net", layer->name);
    if (!match || !path) return FANIN_ERR_MEMORY;
    return add_policy(arena, out, layer->policy, match, path);
}

static enum fanin_status add_entry(struct fi_arena *arena, struct fi_params *out,
                                   struct fi_value *entry, const char *path) {
    if (entry->kind != FI_VALUE_MAP)
        return fi_fail_type(arena->ctx, entry, path, "a map with the key match");
    return add_policy(arena, out, entry, NULL, path);
}

enum fanin_status fi_params_read(struct fi_arena *arena, struct fi_params *out,
                                 const struct fi_layers *layers, struct fi_value *params) {
    enum fanin_status first = FANIN_OK;
    for (int i = 0; i < layers->n; i++) {
        if (!layers->items[i].policy) continue;
        enum fanin_status status = add_layer(arena, out, &layers->items[i]);
        if (!fi_mistakes_go_on(arena->ctx, &first, status, NULL)) return first;
    }
    if (!params) return first;
    if (params->kind != FI_VALUE_LIST)
        return fi_fail_type(arena->ctx, params, "params", "a list of maps with the key match");
    for (int64_t i = 0; i < params->n; i++) {
        const char *path = fi_arena_printf(arena, "params.%lld", (long long)i);
        if (!path) return FANIN_ERR_MEMORY;
        enum fanin_status status = add_entry(arena, out, params->entries[i].value, path);
        if (!fi_mistakes_go_on(arena->ctx, &first, status, path)) break;
    }
    return first;
}
