/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Overrides: "path=value", the value is YAML, the path names keys, nodes and positions.
 *
 *   train.epochs=5          a key; missing ones are made and validated like written ones
 *   optim.sgd.lr=0.01       a rule's attribute; `sgd` and `sgd: 0.1` become `sgd: {lr: 0.1}` first
 *   optim={adamw: {lr: 1}}  another rule
 *   net.dense2.units=64     a node by name; the repeat around it is split into single rounds first
 *   net.relu*=tanh          all nodes with such names
 *   net.0.repeat.times=4    an item by position
 *   params.+={match: …}     one more member of a list
 *   data.csv.target=price   the short form of data.reader.csv.target
 *
 * The path is walked over the tree before anything is interpreted. A cursor holds the place of a
 * value and what may stand there, because a rule is walked into otherwise than a map.
 */
#include <stdlib.h>
#include <string.h>

#include "graph/graph.h"
#include "recipe/recipe.h"

enum place_type {
    AT_KEYS,  /* a map described by `record` */
    AT_RULE,  /* `name` or `{name: attributes}` of `kind` */
    AT_RULES, /* a map of rules of `kind` */
    AT_LIST,  /* a list of maps described by `record` */
    AT_NET,   /* a list of layers */
    AT_LAYER, /* an item of it; `record` is its op, NULL for a repeat */
    AT_VALUE  /* anything else */
};

struct cursor {
    struct fi_arena *arena;
    struct fi_value *root;
    struct fi_mark mark; /* of the override */
    char *path;          /* walked so far */
    enum place_type type;
    struct fi_value **slot;
    const struct fanin_record *record;
    const char *kind;
};

static enum fanin_status move(struct cursor *c, struct fi_value **slot, enum place_type type,
                              const struct fanin_record *record, const char *kind) {
    c->slot = slot;
    c->type = type;
    c->record = record;
    c->kind = kind;
    return FANIN_OK;
}

/* Makes *slot a map: null becomes an empty one, and what is not a map the value of `key`. */
static enum fanin_status promote(struct cursor *c, const char *key) {
    struct fi_value *old = *c->slot;
    if (old->kind == FI_VALUE_MAP) return FANIN_OK;
    struct fi_value *map = fi_value_new(c->arena, FI_VALUE_MAP, old->mark);
    if (!map) return FANIN_ERR_MEMORY;
    if (old->kind != FI_VALUE_NULL) {
        if (!key) return fi_fail_type(c->arena->ctx, old, c->path, "a map to set a key in");
        FI_TRY(fi_value_append(c->arena, map, key, old->mark, old));
    }
    *c->slot = map;
    return FANIN_OK;
}

/* The place of a key in the map *c->slot; a missing key is made. */
static enum fanin_status key_slot(struct cursor *c, struct fi_value ***slot, const char *key) {
    struct fi_value *map = *c->slot;
    struct fi_entry *entry = fi_value_find(map, key);
    if (!entry) {
        if (map->n >= FI_VALUE_MAX_KEYS) {
            return fi_fail_at(c->arena->ctx, c->mark, "%s: more than %d keys", c->path,
                              FI_VALUE_MAX_KEYS);
        }
        struct fi_value *nothing = fi_value_new(c->arena, FI_VALUE_NULL, c->mark);
        if (!nothing) return FANIN_ERR_MEMORY;
        FI_TRY(fi_value_append(c->arena, map, key, c->mark, nothing));
        entry = &map->entries[map->n - 1];
    }
    *slot = &entry->value;
    return FANIN_OK;
}

/* What stands under a key of a section, told by the key's spec. */
static enum fanin_status enter_key(struct cursor *c, struct fi_value **slot, const char *key) {
    const struct fanin_attr_spec *spec = c->record ? fi_spec_find(c->record, key) : NULL;
    /* what any layer takes */
    if (c->record && fi_params_key(c->record, key)) spec = fi_spec_find(&fi_section_params, key);
    if (!spec || spec->type != FANIN_ATTR_RULE) return move(c, slot, AT_VALUE, NULL, NULL);
    if (fi_spec_has_form(spec, FI_FORM_LAYERS)) return move(c, slot, AT_NET, NULL, NULL);
    if (fi_spec_has_form(spec, FI_FORM_RULES))
        return move(c, slot, AT_RULES, NULL, spec->text + strlen(FI_FORM_RULES));
    const struct fanin_record *section = fi_section_find(key);
    if (fi_spec_has_form(spec, FI_FORM_SECTION)) return move(c, slot, AT_KEYS, section, NULL);
    if (fi_spec_has_form(spec, FI_FORM_SECTIONS)) return move(c, slot, AT_LIST, section, NULL);
    return move(c, slot, AT_RULE, NULL, spec->text);
}

static enum fanin_status step_rule(struct cursor *c, const char *key);

static enum fanin_status step_keys(struct cursor *c, const char *key) {
    struct fi_value **slot;
    const struct fanin_attr_spec *first = c->record ? c->record->attrs : NULL;
    FI_TRY(promote(c, first ? first->name : NULL));
    if (c->record == &fi_section_data && !fi_spec_find(c->record, key) &&
        fanin_record_find(c->arena->ctx, "reader", key)) {
        FI_TRY(key_slot(c, &slot, "reader"));
        FI_TRY(move(c, slot, AT_RULE, NULL, "reader"));
        return step_rule(c, key);
    }
    FI_TRY(key_slot(c, &slot, key));
    return enter_key(c, slot, key);
}

/* The rule in place has another name than the path says. */
static enum fanin_status fail_other_rule(struct cursor *c, const char *key,
                                         const struct fanin_record *record, const char *present) {
    fanin_ctx *ctx = c->arena->ctx;
    if (record && fi_spec_find(record, key))
        return fi_fail_at(ctx, c->mark, "%s is %s: write %s.%s.%s", c->path, present, c->path,
                          present, key);
    if (fanin_record_find(ctx, c->kind, key)) {
        return fi_fail_at(ctx, c->mark, "%s is %s, not %s; to replace it, set %s='{%s: {…}}'",
                          c->path, present, key, c->path, key);
    }
    return fi_fail_at(ctx, c->mark, "%s is %s, and '%.60s' is neither its name nor an attribute",
                      c->path, present, key);
}

static enum fanin_status step_rule(struct cursor *c, const char *key) {
    fanin_ctx *ctx = c->arena->ctx;
    struct fi_value *rule = *c->slot;
    const struct fanin_record *wanted = fanin_record_find(ctx, c->kind, key);
    struct fi_value **slot;
    if (rule->kind == FI_VALUE_NULL) {
        FI_TRY(promote(c, NULL));
        FI_TRY(key_slot(c, &slot, key));
        return move(c, slot, AT_KEYS, wanted, NULL);
    }
    const char *name = NULL;
    struct fi_mark mark = {0};
    struct fi_value *attrs;
    FI_TRY(fi_rule_split(ctx, rule, c->path, &name, &mark, &attrs));
    const struct fanin_record *present = fanin_record_find(ctx, c->kind, name);
    if (strcmp(name, key) != 0 && (!present || present != wanted))
        return fail_other_rule(c, key, present, name);
    if (!attrs) { /* the name alone */
        struct fi_value *map = fi_value_new(c->arena, FI_VALUE_MAP, rule->mark);
        if (!map) return FANIN_ERR_MEMORY;
        *c->slot = map;
    }
    FI_TRY(key_slot(c, &slot, name));
    return move(c, slot, AT_KEYS, present, NULL);
}

static enum fanin_status step_rules(struct cursor *c, const char *key) {
    struct fi_value **slot;
    FI_TRY(promote(c, NULL));
    FI_TRY(key_slot(c, &slot, key));
    return move(c, slot, AT_KEYS, fanin_record_find(c->arena->ctx, c->kind, key), NULL);
}

/* A position in a list; false: the text is no number of a member. */
static bool list_index(const struct fi_value *list, const char *text, int64_t *index) {
    if (list->kind != FI_VALUE_LIST || *text < '0' || *text > '9') return false;
    char *end;
    long long number = strtoll(text, &end, 10);
    *index = number;
    return *end == '\0' && number < list->n;
}

/* The record of a layer, NULL for a repeat and for what cannot be read. */
static const struct fanin_record *layer_op(fanin_ctx *ctx, const struct fi_value *item) {
    if (item->kind == FI_VALUE_TEXT) return fanin_record_find(ctx, "op", item->text);
    for (int64_t i = 0; i < item->n && item->kind == FI_VALUE_MAP; i++) {
        const struct fanin_record *op = fanin_record_find(ctx, "op", item->entries[i].key);
        if (op) return op;
    }
    return NULL;
}

/* Finds a node by its name and makes its item its own, by splitting the repeats around it. */
static enum fanin_status step_node(struct cursor *c, const char *name) {
    fanin_ctx *ctx = c->arena->ctx;
    struct fi_value *net = fi_value_get(c->root, "net");
    if (!net) return fi_fail_at(ctx, c->mark, "there is no net to find '%.60s' in", name);
    for (;;) {
        struct fi_layers layers;
        FI_TRY(fi_layers_expand(c->arena, &layers, net));
        const struct fi_layer *found = NULL;
        for (int i = 0; i < layers.n && !found; i++) {
            if (strcmp(layers.items[i].name, name) == 0) found = &layers.items[i];
        }
        if (!found) {
            const char **names = fi_arena_alloc(c->arena, layers.n, sizeof *names);
            if (!names) return FANIN_ERR_MEMORY;
            for (int i = 0; i < layers.n; i++) names[i] = layers.items[i].name;
            const char *nearest = fanin_nearest(name, names, layers.n);
            return fi_fail_at(ctx, c->mark, "there is no node '%.60s' in net%s%s%s", name,
                              nearest ? "; did you mean '" : "", nearest ? nearest : "",
                              nearest ? "'?" : "");
        }
        if (!found->shared) return move(c, &found->item->value, AT_LAYER, found->op, NULL);
        FI_TRY(fi_repeat_split(c->arena, found->shared, found->shared_index));
    }
}

static enum fanin_status step_list(struct cursor *c, const char *key) {
    int64_t index;
    if (strcmp(key, "+") == 0) {
        struct fi_value *nothing = fi_value_new(c->arena, FI_VALUE_NULL, c->mark);
        if (nothing && (*c->slot)->kind == FI_VALUE_NULL)
            *c->slot = fi_value_new(c->arena, FI_VALUE_LIST, c->mark);
        if (!nothing || !*c->slot) return FANIN_ERR_MEMORY;
        if ((*c->slot)->kind != FI_VALUE_LIST)
            return fi_fail_type(c->arena->ctx, *c->slot, c->path, "a list");
        FI_TRY(fi_value_append(c->arena, *c->slot, NULL, c->mark, nothing));
        return move(c, &(*c->slot)->entries[(*c->slot)->n - 1].value, AT_KEYS, c->record, NULL);
    }
    if (list_index(*c->slot, key, &index))
        return move(c, &(*c->slot)->entries[index].value, AT_KEYS, c->record, NULL);
    return fi_fail_at(c->arena->ctx, c->mark,
                      "%s has no member '%.60s'; members are 0, 1, …, and + is a new one", c->path,
                      key);
}

static enum fanin_status step_net(struct cursor *c, const char *key) {
    int64_t index;
    if (list_index(*c->slot, key, &index)) {
        struct fi_value **slot = &(*c->slot)->entries[index].value;
        return move(c, slot, AT_LAYER, layer_op(c->arena->ctx, *slot), NULL);
    }
    return step_node(c, key);
}

/* Inside a layer: `name`, `from`, its op, or an attribute of its op. */
static enum fanin_status step_layer(struct cursor *c, const char *key) {
    fanin_ctx *ctx = c->arena->ctx;
    const struct fanin_record *op = c->record;
    struct fi_value **slot;
    if ((*c->slot)->kind == FI_VALUE_TEXT) {
        struct fi_value *item = *c->slot, *map = fi_value_new(c->arena, FI_VALUE_MAP, item->mark);
        struct fi_value *nothing = fi_value_new(c->arena, FI_VALUE_NULL, item->mark);
        if (!map || !nothing) return FANIN_ERR_MEMORY;
        FI_TRY(fi_value_append(c->arena, map, item->text, item->mark, nothing));
        *c->slot = map;
    }
    FI_TRY(promote(c, NULL));
    if (!op || strcmp(key, "name") == 0 || strcmp(key, "from") == 0) {
        bool repeat = strcmp(key, fi_section_repeat.name) == 0;
        FI_TRY(key_slot(c, &slot, key));
        return move(c, slot, repeat ? AT_KEYS : AT_VALUE, repeat ? &fi_section_repeat : NULL, NULL);
    }
    for (int64_t i = 0; i < (*c->slot)->n; i++) {
        struct fi_entry *entry = &(*c->slot)->entries[i];
        if (fanin_record_find(ctx, "op", entry->key) != op) continue;
        FI_TRY(move(c, &entry->value, AT_KEYS, op, NULL));
        return fanin_record_find(ctx, "op", key) == op ? FANIN_OK : step_keys(c, key);
    }
    return FANIN_OK;
}

static enum fanin_status step_value(struct cursor *c, const char *key) {
    int64_t index;
    struct fi_value **slot;
    if (list_index(*c->slot, key, &index))
        return move(c, &(*c->slot)->entries[index].value, AT_VALUE, NULL, NULL);
    if ((*c->slot)->kind == FI_VALUE_LIST) {
        return fi_fail_at(c->arena->ctx, c->mark, "%s has %lld members; '%.60s' is none of them",
                          c->path, (long long)(*c->slot)->n, key);
    }
    FI_TRY(promote(c, NULL));
    FI_TRY(key_slot(c, &slot, key));
    return move(c, slot, AT_VALUE, NULL, NULL);
}

static enum fanin_status step(struct cursor *c, const char *key) {
    switch (c->type) {
    case AT_KEYS:
        return step_keys(c, key);
    case AT_RULE:
        return step_rule(c, key);
    case AT_RULES:
        return step_rules(c, key);
    case AT_LIST:
        return step_list(c, key);
    case AT_NET:
        return step_net(c, key);
    case AT_LAYER:
        return step_layer(c, key);
    case AT_VALUE:
        break;
    }
    return step_value(c, key);
}

/* The text before a message: where the override stands, or itself, not too much of it. */
static const char *override_source(struct fi_arena *arena, const struct fi_change *change) {
    const char *text = change->text;
    int length = (int)strnlen(text, 81);
    if (change->source) return fi_arena_strdup(arena, change->source);
    return fi_arena_printf(arena, "--set %.*s%s", length > 80 ? 77 : length, text,
                           length > 80 ? "…" : "");
}

static enum fanin_status override_one(struct fi_arena *arena, struct fi_value *root,
                                      const struct fi_change *change) {
    struct fi_mark mark = {override_source(arena, change), 0};
    char *path = fi_arena_strdup(arena, change->text);
    if (!mark.source || !path) return FANIN_ERR_MEMORY;
    char *equals = strchr(path, '=');
    if (!equals || equals == path)
        return fi_fail_at(arena->ctx, mark, "expected path=value, as in train.epochs=20");
    *equals = '\0';
    struct fi_value *value;
    FI_TRY(fi_value_parse(arena, &value, mark.source, false, equals + 1, strlen(equals + 1)));

    struct cursor c = {.arena = arena, .root = root, .mark = mark, .path = path};
    FI_TRY(move(&c, &c.root, AT_KEYS, &fi_section_recipe, NULL));
    char *key = fi_arena_strdup(arena, path);
    if (!key) return FANIN_ERR_MEMORY;
    char *end;
    *path = '\0'; /* c.path grows again with each step, for messages */
    for (bool last = false; !last; key = end + 1) {
        end = key + strcspn(key, ".");
        last = *end == '\0';
        *end = '\0';
        if (end == key) return fi_fail_at(arena->ctx, mark, "an empty name in the path");
        FI_TRY(step(&c, key));
        if (*path) strcat(path, ".");
        strcat(path, key);
    }
    *c.slot = value;
    return FANIN_OK;
}

/* The pattern in net.<pattern>… as a text of its own and what follows it; NULL: there is none, or
 * (*failed) no memory. */
static char *node_pattern(struct fi_arena *arena, const char *text, const char **rest,
                          bool *failed) {
    if (strncmp(text, "net.", 4) != 0) return NULL;
    const size_t n = strcspn(text + 4, ".=");
    *rest = text + 4 + n;
    if (strcspn(text + 4, "*?") >= n) return NULL;
    char *pattern = fi_arena_printf(arena, "%.*s", (int)n, text + 4);
    *failed = !pattern;
    return pattern;
}

enum fanin_status fi_override(struct fi_arena *arena, struct fi_value *root,
                              const struct fi_change *change) {
    const struct fi_mark mark = {override_source(arena, change), 0};
    const char *rest;
    bool failed = false;
    const char *pattern = node_pattern(arena, change->text, &rest, &failed);
    struct fi_value *net = fi_value_get(root, "net");
    struct fi_change one = *change;
    struct fi_layers layers;
    int found = 0;
    if (!mark.source || failed) return FANIN_ERR_MEMORY;
    if (!pattern || !net) return override_one(arena, root, change);
    FI_TRY(fi_layers_expand(arena, &layers, net));
    /* the last first: another layer in a place counts the names behind it anew */
    for (int i = layers.n - 1; i >= 0; i--) {
        if (!fi_match(pattern, layers.items[i].name)) continue;
        one.text = fi_arena_printf(arena, "net.%s%s", layers.items[i].name, rest);
        if (!one.text || !mark.source) return FANIN_ERR_MEMORY;
        FI_TRY(override_one(arena, root, &one));
        found++;
    }
    return found ? FANIN_OK
                 : fi_fail_at(arena->ctx, mark, "no node of net is called like '%.60s'", pattern);
}

enum fanin_status fi_data_canonical(struct fi_arena *arena, struct fi_value *root) {
    struct fi_entry *data = fi_value_find(root, fi_section_data.name);
    if (!data) return FANIN_OK;
    struct fi_value *value = data->value;
    if (value->kind == FI_VALUE_TEXT) {
        struct fi_value *map = fi_value_new(arena, FI_VALUE_MAP, value->mark);
        if (!map) return FANIN_ERR_MEMORY;
        FI_TRY(fi_value_append(arena, map, "reader", value->mark, value));
        data->value = map;
        return FANIN_OK;
    }
    const struct fi_entry *reader = fi_value_find(value, "reader");
    for (int64_t i = 0; i < value->n && value->kind == FI_VALUE_MAP; i++) {
        struct fi_entry *entry = &value->entries[i];
        if (fi_spec_find(&fi_section_data, entry->key) ||
            !fanin_record_find(arena->ctx, "reader", entry->key)) {
            continue;
        }
        if (reader) {
            return fi_fail_at(arena->ctx, entry->mark, "data: two readers, '%.60s' and '%.60s'",
                              reader->key, entry->key);
        }
        struct fi_value *rule = fi_value_new(arena, FI_VALUE_MAP, entry->mark);
        if (!rule) return FANIN_ERR_MEMORY;
        FI_TRY(fi_value_append(arena, rule, entry->key, entry->mark, entry->value));
        *entry = (struct fi_entry){"reader", entry->mark, rule};
        reader = entry;
    }
    return FANIN_OK;
}
