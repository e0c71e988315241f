/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The model that folding leaves, made as a file's content is made and read: all that a model file
 * holds goes over, but for the net, its parameters and the layers of the recipe.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/fold.h"
#include "model/model.h"

#define NET "fanin.net"
#define RECIPE "fanin.recipe"

/* ---- the net ---------------------------------------------------------------------------------------- */

/* Leaves the attributes that the record has, and sets the bias. Both are jansson's. */
static int become(json_t *node, const struct fanin_record *linear, bool biased) {
    json_t *attrs = json_object(), *old = json_object_get(node, "attrs");
    int bad = 0;
    for (const struct fanin_attr_spec *s = linear->attrs; s && s->name; s++) {
        json_t *value = json_object_get(old, s->name);
        if (!strcmp(s->name, "bias")) value = biased ? json_true() : json_false();
        if (value) bad |= json_object_set(attrs, s->name, value);
    }
    bad |= json_object_set_new(node, "op", json_string(linear->name));
    return bad | json_object_set_new(node, "attrs", attrs);
}

/* Changes what fi_net_to_json() wrote of node i. */
static int change_node(const struct fi_fold *f, json_t *json, int i) {
    const fanin_net *net = f->model->net;
    const struct fi_node *node = &net->nodes[i];
    int bad = 0;
    if (!node->op) return 0;
    json_t *inputs = json_array();
    for (int k = 0; k < node->n_in; k++)
        bad |= json_array_append_new(
            inputs, json_string(net->nodes[fi_fold_resolve(f, node->inputs[k])].name));
    bad |= json_object_set_new(json, "inputs", inputs);
    bad |= json_object_set_new(json, "output", json_integer(f->nodes[i].output));
    if (f->nodes[i].w)
        bad |= become(json, fanin_record_find(f->model->ctx, "op", node->op->fold->linear),
                      f->nodes[i].biased);
    return bad;
}

/* A new reference, or NULL when memory ran out. */
static json_t *net_to_json(const struct fi_fold *f) {
    json_t *all = fi_net_to_json(f->model->net), *left = json_array();
    int bad = !all || !left;
    for (int i = 0; i < f->model->net->n_nodes && !bad; i++) {
        json_t *node = json_array_get(all, (size_t)i);
        if (!f->nodes[i].gone) bad = change_node(f, node, i) | json_array_append(left, node);
    }
    json_decref(all);
    if (!bad) return left;
    json_decref(left);
    return NULL;
}

/* ---- the recipe ---------------------------------------------------------------------------------------- */

/* The layers of a recipe in the order of the nodes, each `repeat` written out; at most `limit`.
 * Non-zero: they are more, or memory ran out. */
static int flatten(json_t *items, json_t *flat, size_t limit, size_t *rounds) {
    size_t i;
    json_t *item;
    json_array_foreach(items, i, item) {
        json_t *repeat = json_object_get(item, "repeat");
        const json_int_t times = json_integer_value(json_object_get(repeat, "times"));
        if (!repeat && (json_array_size(flat) >= limit || json_array_append(flat, item))) return 1;
        for (json_int_t k = 0; k < times; k++)
            if (++*rounds > 4 * limit ||
                flatten(json_object_get(repeat, "net"), flat, limit, rounds))
                return 1;
    }
    return 0;
}

/* What a layer of the recipe says besides its op's attributes (lr, frozen, regularize, …). */
static int keep_policy(json_t *attrs, json_t *layer, const struct fanin_record *op) {
    const char *key, *policy;
    json_t *given, *value;
    int bad = 0;
    json_object_foreach(layer, key, given) {
        if (!strcmp(key, "name") || !strcmp(key, "from")) continue;
        json_object_foreach(given, policy, value) {
            const struct fanin_attr_spec *s = op->attrs;
            while (s && s->name && strcmp(s->name, policy) != 0) s++;
            if (!s || !s->name) bad |= json_object_set(attrs, policy, value);
        }
    }
    return bad;
}

/* A layer as a recipe says it: `node` as fi_net_to_json() writes it, `old` the layer it was or
 * NULL, `before` the name of the node before it. */
static json_t *layer_of(json_t *node, json_t *old, const struct fanin_record *op,
                        const char *before) {
    json_t *inputs = json_object_get(node, "inputs"), *layer = json_object();
    json_t *attrs = json_copy(json_object_get(node, "attrs"));
    const char *first = json_string_value(json_array_get(inputs, 0));
    int bad = !attrs || (old && keep_policy(attrs, old, op));
    bad |= json_object_set(layer, "name", json_object_get(node, "name"));
    bad |= json_object_set_new(layer, json_string_value(json_object_get(node, "op")), attrs);
    if (json_array_size(inputs) > 1 || !first || strcmp(first, before) != 0)
        bad |= json_object_set(layer, "from", inputs);
    if (!bad) return layer;
    json_decref(layer);
    return NULL;
}

/* The layers that are left; `old` are those of the recipe, by node. */
static json_t *layers_of(const struct fi_fold *f, json_t *net, json_t *old) {
    json_t *layers = json_array();
    const char *before = "";
    int bad = !layers;
    for (size_t i = 0, at = 0, k = 0; i < (size_t)f->model->net->n_nodes && !bad; i++) {
        const struct fi_node *node = &f->model->net->nodes[i];
        json_t *layer = node->op ? json_array_get(old, k++) : NULL;
        if (f->nodes[i].gone) continue;
        json_t *json = json_array_get(net, at++);
        if (node->op)
            bad = json_array_append_new(layers, layer_of(json, layer, &node->op->head, before));
        before = node->name;
    }
    if (!bad) return layers;
    json_decref(layers);
    return NULL;
}

/* Does a pattern of `params` still mean a parameter? */
static bool matches(const struct fi_fold *f, json_t *net, const char *pattern) {
    const fanin_net *old = f->model->net;
    size_t at;
    json_t *json;
    json_array_foreach(net, at, json) {
        const struct fi_node *node =
            &old->nodes[fanin_net_find(old, json_string_value(json_object_get(json, "name")))];
        const struct fi_folded *n = &f->nodes[node - old->nodes];
        char name[300];
        for (int k = 0; k < node->n_params && !n->w; k++)
            if (fi_match(pattern, old->params[node->first_param + k].name)) return true;
        for (int k = 0; n->w && k < (n->biased ? 2 : 1); k++) {
            snprintf(name, sizeof name, "%.250s.%s", node->name, k ? "bias" : "weight");
            if (fi_match(pattern, name)) return true;
        }
    }
    return false;
}

/* The recipe with the layers that are left, and the patterns that mean something there; NULL when
 * memory ran out. */
static char *recipe_text(const struct fi_fold *f, const char *recipe, json_t *net) {
    json_t *json = json_loads(recipe, 0, NULL), *flat = json_array();
    json_t *params = json_object_get(json, "params");
    size_t rounds = 0, limit = (size_t)f->model->net->n_nodes;
    if (flatten(json_object_get(json, "net"), flat, limit, &rounds) ||
        json_array_size(flat) + (size_t)f->model->net->n_inputs != limit)
        json_array_clear(flat); /* not the recipe of this net */
    for (size_t i = json_array_size(params); i-- > 0;) {
        const char *match = json_string_value(json_object_get(json_array_get(params, i), "match"));
        if (match && !matches(f, net, match)) json_array_remove(params, i);
    }
    json_t *layers = layers_of(f, net, flat);
    char *text = NULL;
    if (json && layers && json_object_set(json, "net", layers) == 0) text = json_dumps(json, 0);
    json_decref(layers);
    json_decref(flat);
    json_decref(json);
    return text;
}

/* ---- everything ---------------------------------------------------------------------------------------- */

static enum fanin_status add_floats(struct fi_tensors *to, const char *node, const char *suffix,
                                    int rank, const int64_t *dims, const double *values) {
    struct fi_tensor_entry *entry;
    const char *name = fi_arena_printf(&to->arena, "%s.%s", node, suffix);
    if (!name) return FANIN_ERR_MEMORY;
    FI_TRY(fi_tensors_add(to, &entry, name, FI_F32, rank, dims, NULL));
    for (int64_t i = 0; i < entry->count; i++) ((float *)entry->data)[i] = (float)values[i];
    return FANIN_OK;
}

static enum fanin_status add_params(const struct fi_fold *f, struct fi_tensors *to,
                                    const struct fi_tensors *from) {
    const fanin_net *net = f->model->net;
    for (int i = 0; i < net->n_nodes; i++) {
        const struct fi_node *node = &net->nodes[i];
        const struct fi_folded *n = &f->nodes[i];
        const int64_t dims[] = {node->shape.cols,
                                node->op ? net->nodes[node->inputs[0]].shape.cols : 0};
        if (n->w) {
            FI_TRY(add_floats(to, node->name, "weight", 2, dims, n->w));
            if (n->biased) FI_TRY(add_floats(to, node->name, "bias", 1, dims, n->b));
        }
        for (int k = 0; k < node->n_params && !n->w && !n->gone; k++) {
            const struct fi_tensor_entry *e =
                fi_tensors_find(from, net->params[node->first_param + k].name);
            if (!e)
                return fi_fail(to->ctx, FANIN_ERR_INTERNAL, "%s: a parameter is missing",
                               node->name);
            FI_TRY(fi_tensors_add(to, NULL, e->name, e->dtype, e->rank, e->dims, e->data));
        }
    }
    return FANIN_OK;
}

static enum fanin_status add_text(struct fi_tensors *to, const char *key, char *text) {
    if (!text) return fi_fail_memory(to->ctx, key, 0);
    enum fanin_status status = fi_tensors_meta(to, key, text);
    free(text);
    return status;
}

static enum fanin_status fill(const struct fi_fold *f, struct fi_tensors *to,
                              struct fi_tensors *from, json_t *net) {
    FI_TRY(fi_model_to_tensors(f->model, from));
    for (int64_t i = 0; i < from->n_meta; i++) {
        const struct fi_meta_entry *meta = &from->meta[i];
        if (!strcmp(meta->key, NET)) {
            FI_TRY(add_text(to, NET, json_dumps(net, JSON_COMPACT)));
        } else if (!strcmp(meta->key, RECIPE)) {
            FI_TRY(add_text(to, RECIPE, recipe_text(f, meta->value, net)));
        } else {
            FI_TRY(fi_tensors_meta(to, meta->key, meta->value));
        }
    }
    return add_params(f, to, from);
}

enum fanin_status fi_fold_write(fanin_model **out, const struct fi_fold *f) {
    struct fi_tensors *from = NULL, *to = NULL;
    json_t *net = net_to_json(f);
    enum fanin_status status =
        net ? fi_tensors_create(&from, f->model->ctx) : fi_fail_memory(f->model->ctx, NET, 0);
    if (status == FANIN_OK) status = fi_tensors_create(&to, f->model->ctx);
    if (status == FANIN_OK) status = fill(f, to, from, net);
    if (status == FANIN_OK) status = fi_model_from_tensors(out, to);
    fi_tensors_free(to);
    fi_tensors_free(from);
    json_decref(net);
    return status;
}
