/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The list `net` as a flat list of layers.
 *
 * `repeat` is unrolled here and names are given as the net builder gives them: <op><n> with n
 * counted from 1 per op, the next free one. A `name:` inside a repeat is counted on in the same way
 * (block1, block2, …), so that splitting a repeat into single rounds, which an override of one node
 * needs, changes no name. `from:` takes the last layer of that name; `input` is what enters the
 * list the word stands in: the net's input at the top, the layer before the repeat (or the round
 * before) inside.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "recipe/recipe.h"

#define INPUT (-1)
#define INPUT_NAME "input1" /* as the net builder names the first input */
#define MAX_NAME 60
/* Rounds of all repeats; a round may be empty, so that counting layers does not bound the work. */
#define MAX_ROUNDS (4 * FI_RECIPE_MAX_LAYERS)

struct expander {
    struct fi_arena *arena;
    struct fi_layers *out;
    int64_t rounds;
    bool broken; /* a layer before could not be read: names may be missing for that alone */
    bool full;   /* a limit is reached: nothing more is read */
    struct fi_value *shared; /* see struct fi_layer */
    int64_t shared_index;
};

/* Where in the net an item stands. */
struct place {
    struct fi_value *list;
    int64_t index;
    int enters; /* what `input` means here */
    bool repeated;
};

static enum fanin_status expand_list(struct expander *x, struct fi_value *list, int *last,
                                     bool repeated);

static bool has_name(const struct fi_layer *layer, const char *name, uint64_t hash) {
    return layer->hash == hash && strcmp(layer->name, name) == 0;
}

static bool is_taken(const struct fi_layers *layers, const char *name) {
    uint64_t hash = fi_hash_text(name);
    for (int i = 0; i < layers->n; i++) {
        if (has_name(&layers->items[i], name, hash)) return true;
    }
    return strcmp(name, INPUT_NAME) == 0;
}

static enum fanin_status count_name(struct expander *x, struct fi_layer *layer) {
    const char *base = layer->given ? layer->given : layer->op->name;
    char text[MAX_NAME + 20];
    int number = 1;
    for (int i = 0; i < x->out->n; i++) {
        const struct fi_layer *other = &x->out->items[i];
        number +=
            layer->given ? other->given && strcmp(other->given, base) == 0 : other->op == layer->op;
    }
    do {
        (void)snprintf(text, sizeof text, "%.*s%d", MAX_NAME, base, number++);
    } while (is_taken(x->out, text));
    layer->name = fi_arena_strdup(x->arena, text);
    return layer->name ? FANIN_OK : FANIN_ERR_MEMORY;
}

static enum fanin_status read_name(struct expander *x, struct fi_layer *layer,
                                   const struct fi_value *value) {
    fanin_ctx *ctx = x->arena->ctx;
    if (value->kind != FI_VALUE_TEXT) return fi_fail_type(ctx, value, "name", "a name");
    const char *p = value->text;
    bool good = isalpha((unsigned char)*p) || *p == '_';
    while (isalnum((unsigned char)*p) || *p == '_' || *p == '-') p++;
    if (!good || *p || p - value->text > MAX_NAME || strcmp(value->text, "input") == 0) {
        return fi_fail_at(ctx, value->mark,
                          "'%.80s' is no name for a node: a letter, then letters, digits, _ and -, "
                          "at most %d; and not 'input'",
                          value->text, MAX_NAME);
    }
    layer->given = value->text;
    return FANIN_OK;
}

static enum fanin_status name_layer(struct expander *x, struct fi_layer *layer, bool repeated) {
    if (repeated || !layer->given) return count_name(x, layer);
    if (is_taken(x->out, layer->given)) {
        return fi_fail_at(x->arena->ctx, layer->mark, "two nodes are named '%s'", layer->given);
    }
    layer->name = layer->given;
    return FANIN_OK;
}

static enum fanin_status read_source(struct expander *x, struct fi_layer *layer,
                                     const struct fi_value *value, int enters) {
    fanin_ctx *ctx = x->arena->ctx;
    const struct fi_layers *layers = x->out;
    if (value->kind != FI_VALUE_TEXT) return fi_fail_type(ctx, value, "from", "names of nodes");
    if (layer->n_inputs == FANIN_MAX_INPUTS) {
        return fi_fail_at(ctx, value->mark, "from: more than %d nodes", FANIN_MAX_INPUTS);
    }
    int *input = &layer->inputs[layer->n_inputs++];
    *input = INPUT;
    if (strcmp(value->text, INPUT_NAME) == 0) return FANIN_OK;
    if (strcmp(value->text, "input") == 0) {
        *input = enters;
        return FANIN_OK;
    }
    uint64_t hash = fi_hash_text(value->text);
    for (int i = layers->n - 1; i >= 0; i--) {
        const struct fi_layer *other = &layers->items[i];
        if (has_name(other, value->text, hash) ||
            (other->given && strcmp(other->given, value->text) == 0)) {
            *input = i;
            return FANIN_OK;
        }
    }
    if (x->broken) return FANIN_OK; /* refused for what broke it; this may be sound */
    const char **names = fi_arena_alloc(x->arena, layers->n + 1, sizeof *names);
    if (!names) return FANIN_ERR_MEMORY;
    for (int i = 0; i < layers->n; i++) names[i] = layers->items[i].name;
    names[layers->n] = "input";
    const char *nearest = fanin_nearest(value->text, names, layers->n + 1);
    return fi_fail_at(ctx, value->mark, "from: there is no node '%.80s' before this one%s%s%s",
                      value->text, nearest ? "; did you mean '" : "", nearest ? nearest : "",
                      nearest ? "'?" : "");
}

static enum fanin_status read_sources(struct expander *x, struct fi_layer *layer,
                                      const struct fi_value *value, int enters) {
    if (value->kind != FI_VALUE_LIST) return read_source(x, layer, value, enters);
    if (value->n == 0) return fi_fail_type(x->arena->ctx, value, "from", "names of nodes");
    enum fanin_status first = FANIN_OK;
    for (int64_t i = 0; i < value->n; i++) {
        enum fanin_status status = read_source(x, layer, value->entries[i].value, enters);
        if (!fi_mistakes_go_on(x->arena->ctx, &first, status, NULL)) break;
    }
    return first;
}

static enum fanin_status find_op(struct expander *x, struct fi_layer *layer, const char *name,
                                 struct fi_mark mark) {
    fanin_ctx *ctx = x->arena->ctx;
    if (layer->op) {
        return fi_fail_at(ctx, mark,
                          "'%.60s' and '%.60s' in one layer: each layer begins with '- '",
                          layer->op->name, name);
    }
    layer->op = fanin_record_find(ctx, "op", name);
    if (layer->op) return FANIN_OK;
    if (strcmp(name, "repeat") == 0) {
        return fi_fail_at(ctx, mark, "repeat stands alone in its item and has the keys times, net");
    }
    return fi_fail_record(x->arena, mark, "op", name);
}

static enum fanin_status read_layer_key(struct expander *x, struct fi_layer *layer,
                                        const struct fi_entry *entry, int enters) {
    bool name = strcmp(entry->key, "name") == 0, from = strcmp(entry->key, "from") == 0;
    if ((name || from) && entry->value->kind == FI_VALUE_NULL) return FANIN_OK;
    if (name) return read_name(x, layer, entry->value);
    if (from) return read_sources(x, layer, entry->value, enters);
    FI_TRY(find_op(x, layer, entry->key, entry->mark));
    layer->value = entry->value;
    layer->mark = entry->mark;
    return FANIN_OK;
}

static enum fanin_status read_layer(struct expander *x, struct fi_layer *layer,
                                    const struct place *at) {
    fanin_ctx *ctx = x->arena->ctx;
    struct fi_value *item = layer->item->value;
    if (item->kind == FI_VALUE_TEXT) return find_op(x, layer, item->text, item->mark);
    if (item->kind != FI_VALUE_MAP) {
        return fi_fail_type(ctx, item, "net", "a layer (a name or {name: attributes})");
    }
    enum fanin_status first = FANIN_OK;
    for (int64_t i = 0; i < item->n; i++) {
        enum fanin_status status = read_layer_key(x, layer, &item->entries[i], at->enters);
        if (!fi_mistakes_go_on(ctx, &first, status, NULL)) break;
    }
    if (layer->op || first != FANIN_OK) return first;
    return fi_fail_at(ctx, item->mark, "net: this layer does not say what it is");
}

static enum fanin_status add_layer(struct expander *x, const struct place *at, int *last) {
    struct fi_layers *out = x->out;
    struct fi_entry *entry = &at->list->entries[at->index];
    if (entry->value->kind == FI_VALUE_NULL) return FANIN_OK; /* taken away by an override */
    if (out->n == FI_RECIPE_MAX_LAYERS) {
        x->full = true;
        return fi_fail_at(x->arena->ctx, entry->mark, "net: more than %d layers",
                          FI_RECIPE_MAX_LAYERS);
    }
    struct fi_layer layer = {.item = entry,
                             .mark = entry->value->mark,
                             .shared = x->shared,
                             .shared_index = x->shared_index};
    FI_TRY(read_layer(x, &layer, at));
    FI_TRY(name_layer(x, &layer, at->repeated));
    layer.hash = fi_hash_text(layer.name);
    if (layer.n_inputs == 0) layer.inputs[layer.n_inputs++] = *last;
    void *items = out->items;
    FI_TRY(fi_arena_grow(x->arena, &items, &out->cap, out->n + 1, sizeof *out->items));
    out->items = items;
    *last = out->n;
    out->items[out->n++] = layer;
    return FANIN_OK;
}

/* The `repeat` of an item, NULL if it is a layer. */
static struct fi_entry *repeat_of(const struct fi_entry *item) {
    const struct fi_value *value = item->value;
    return value->kind == FI_VALUE_MAP && value->n == 1 ? fi_value_find(value, "repeat") : NULL;
}

static enum fanin_status expand_repeat(struct expander *x, const struct place *at,
                                       const struct fi_entry *entry, int *last) {
    struct fi_attrs attrs;
    const void *parsed;
    FI_TRY(fi_attrs_read(x->arena, &attrs, &fi_section_repeat, entry->value, "repeat", false));
    FI_TRY(fi_attrs_finish(x->arena, &parsed, &fi_section_repeat, &attrs, entry->mark, "repeat"));
    struct fi_value *net = fi_value_get(entry->value, "net");
    if (!net) return fi_fail_at(x->arena->ctx, entry->mark, "repeat: net is missing");
    int64_t times = ((const struct fi_section_repeat *)parsed)->times;
    bool outermost = !x->shared && times != 1;
    if (outermost) {
        x->shared = at->list;
        x->shared_index = at->index;
    }
    for (int64_t i = 0; i < times; i++) {
        if (++x->rounds > MAX_ROUNDS) {
            x->full = true;
            return fi_fail_at(x->arena->ctx, entry->mark, "repeat: more than %d rounds in all",
                              MAX_ROUNDS);
        }
        FI_TRY(expand_list(x, net, last, true));
    }
    if (outermost) x->shared = NULL;
    return FANIN_OK;
}

static enum fanin_status expand_list(struct expander *x, struct fi_value *list, int *last,
                                     bool repeated) {
    if (list->kind != FI_VALUE_LIST) {
        return fi_fail_type(x->arena->ctx, list, "net", "a list of layers");
    }
    struct place at = {.list = list, .enters = *last, .repeated = repeated};
    enum fanin_status first = FANIN_OK;
    for (at.index = 0; at.index < list->n; at.index++) {
        const struct fi_entry *repeat = repeat_of(&list->entries[at.index]);
        char key[40];
        (void)snprintf(key, sizeof key, "net.%lld", (long long)at.index);
        enum fanin_status status =
            repeat ? expand_repeat(x, &at, repeat, last) : add_layer(x, &at, last);
        x->broken |= status != FANIN_OK;
        if (!fi_mistakes_go_on(x->arena->ctx, &first, status, repeated ? NULL : key) || x->full)
            break;
    }
    return first;
}

enum fanin_status fi_layers_expand(struct fi_arena *arena, struct fi_layers *out,
                                   struct fi_value *net) {
    *out = (struct fi_layers){0};
    struct expander x = {.arena = arena, .out = out};
    int last = INPUT;
    return expand_list(&x, net, &last, false);
}

enum fanin_status fi_repeat_split(struct fi_arena *arena, struct fi_value *list, int64_t index) {
    struct fi_value *repeat = list->entries[index].value;
    int64_t times = (int64_t)fi_value_get(repeat->entries[0].value, "times")->number;
    struct fi_value *once = fi_value_scalar(arena, "1", true, repeat->mark);
    struct fi_value *split = fi_value_new(arena, FI_VALUE_LIST, list->mark);
    if (!once || !split) return FANIN_ERR_MEMORY;
    fi_value_find(repeat->entries[0].value, "times")->value = once;
    for (int64_t i = 0; i < list->n; i++) {
        for (int64_t k = 0; k < (i == index ? times : 1); k++) {
            struct fi_value *item = list->entries[i].value;
            if (i == index) FI_TRY(fi_value_copy(arena, &item, repeat));
            FI_TRY(fi_value_append(arena, split, NULL, list->entries[i].mark, item));
        }
    }
    list->entries = split->entries;
    list->n = split->n;
    list->cap = split->cap;
    return FANIN_OK;
}

/* The first attribute, if it is a whole number that must be given. Where it is left out, the layer
 * is the last of its op and takes the number from the data. */
static void leave_to_data(const struct fi_layers *layers, int index) {
    struct fi_layer *layer = &layers->items[index];
    const struct fanin_attr_spec *first = layer->op->attrs;
    if (!first || !first->name || first->type != FANIN_ATTR_INT ||
        !(first->flags & FANIN_ATTR_REQUIRED) || fi_attrs_find(&layer->attrs, first->name)) {
        return;
    }
    for (int i = index + 1; i < layers->n; i++) {
        if (layers->items[i].op == layer->op) return; /* fi_attrs_finish tells */
    }
    struct fi_attrs *attrs = &layer->attrs;
    attrs->items[attrs->n] = (struct fanin_attr){.name = first->name, .number = 1};
    attrs->outputs |= UINT64_C(1) << attrs->n++;
}

/* Tells the keys of `params` from the attributes of the op. The tree stays as it is. */
static enum fanin_status take_policy(struct fi_arena *arena, struct fi_layer *layer) {
    const struct fi_value *all = layer->value;
    int64_t n = 0;
    for (int64_t i = 0; all && all->kind == FI_VALUE_MAP && i < all->n; i++)
        n += fi_params_key(layer->op, all->entries[i].key);
    if (n == 0) return FANIN_OK;
    struct fi_value *attrs = fi_value_new(arena, FI_VALUE_MAP, all->mark);
    layer->policy = fi_value_new(arena, FI_VALUE_MAP, all->mark);
    if (!attrs || !layer->policy) return FANIN_ERR_MEMORY;
    for (int64_t i = 0; i < all->n; i++) {
        const struct fi_entry *e = &all->entries[i];
        const bool policy = fi_params_key(layer->op, e->key);
        FI_TRY(fi_value_append(arena, policy ? layer->policy : attrs, e->key, e->mark, e->value));
    }
    layer->value = attrs;
    return FANIN_OK;
}

static enum fanin_status read_attrs(struct fi_arena *arena, struct fi_layers *layers, int index,
                                    const char *path) {
    struct fi_layer *layer = &layers->items[index];
    const void *parsed;
    FI_TRY(take_policy(arena, layer));
    FI_TRY(fi_attrs_read(arena, &layer->attrs, layer->op, layer->value, path, true));
    leave_to_data(layers, index);
    return fi_attrs_finish(arena, &parsed, layer->op, &layer->attrs, layer->mark, path);
}

/* Whether a round of a `repeat` before this one holds the same item: what is wrong there was told.
 */
static bool is_again(const struct fi_layers *layers, int index) {
    const struct fi_layer *layer = &layers->items[index];
    for (int i = 0; i < index && layer->shared; i++) {
        if (layers->items[i].item == layer->item) return true;
    }
    return false;
}

enum fanin_status fi_layers_read(struct fi_arena *arena, struct fi_layers *layers) {
    enum fanin_status first = FANIN_OK;
    for (int i = 0; i < layers->n; i++) {
        const char *path = fi_path(arena, "net", layers->items[i].name);
        if (!path) return FANIN_ERR_MEMORY;
        if (first != FANIN_OK && is_again(layers, i)) continue;
        enum fanin_status status = read_attrs(arena, layers, i, path);
        if (!fi_mistakes_go_on(arena->ctx, &first, status, path)) break;
    }
    return first;
}
