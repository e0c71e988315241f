/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The structure of a net as JSON and back, generic over the attribute specs of the records:
 *
 *   [{"name": "input1", "shape": [784]},
 *    {"name": "dense1", "op": "dense", "inputs": ["input1"], "attrs": {"units": 10, "bias": true}}]
 *
 * jansson keeps its own memory: its functions return NULL when there is none, which is passed on.
 */
#include <math.h>
#include <string.h>

#include "model/model.h"

/* Rules nest (a layer's initializer); a hostile file must not exhaust the stack. */
#define MAX_DEPTH 8

/* ---- to JSON --------------------------------------------------------------------------------------- */

static json_t *choice_to_json(const char *words, int index) {
    for (; index > 0 && words; index--) {
        words = strchr(words, '|');
        if (words) words++;
    }
    return words ? json_stringn(words, strcspn(words, "|")) : json_null();
}

static json_t *list_to_json(const struct fanin_list *list) {
    if (list->word) return json_string(list->word);
    if (list->n == 0) return json_null();
    json_t *array = json_array();
    for (int64_t i = 0; i < list->n; i++)
        if (json_array_append_new(array, json_real(list->values[i])) != 0) {
            json_decref(array);
            return NULL;
        }
    return array;
}

static json_t *texts_to_json(const struct fanin_texts *texts) {
    if (texts->n == 0) return json_null();
    json_t *json = texts->items[0].name ? json_object() : json_array();
    int failed = json == NULL;
    for (int64_t i = 0; i < texts->n && !failed; i++) {
        const struct fanin_named_text *item = &texts->items[i];
        failed = item->name ? json_object_set_new(json, item->name, json_string(item->text))
                            : json_array_append_new(json, json_string(item->text));
    }
    if (!failed) return json;
    json_decref(json);
    return NULL;
}

static json_t *value_to_json(const struct fanin_attr_spec *spec, const char *attrs) {
    const void *field = attrs + spec->offset;
    switch (spec->type) {
    case FANIN_ATTR_BOOL:
        return json_boolean(*(const int *)field);
    case FANIN_ATTR_INT:
        return *(const int64_t *)field == INT64_MIN ? json_null()
                                                    : json_integer(*(const int64_t *)field);
    case FANIN_ATTR_REAL:
        return isnan(*(const double *)field) ? json_null() : json_real(*(const double *)field);
    case FANIN_ATTR_CHOICE:
        return choice_to_json(spec->text, *(const int *)field);
    case FANIN_ATTR_STRING:
        return *(const char *const *)field ? json_string(*(const char *const *)field) : json_null();
    case FANIN_ATTR_RULE:
        return fi_rule_to_json(field);
    case FANIN_ATTR_LIST:
        return list_to_json(field);
    case FANIN_ATTR_GAIN: {
        const struct fanin_gain *gain = field;
        if (gain->name) return json_string(gain->name);
        return isnan(gain->value) ? json_null() : json_real(gain->value);
    }
    case FANIN_ATTR_TEXTS:
        return texts_to_json(field);
    }
    return NULL;
}

/* Null that was asked for, where leaving it out would mean a number. */
static bool null_is_said(const struct fanin_attr_spec *s) {
    const bool number = s->type == FANIN_ATTR_REAL || s->type == FANIN_ATTR_INT;
    return number && s->flags & FANIN_ATTR_NULLABLE && !isnan(s->def);
}

static json_t *attrs_to_json(const struct fanin_record *record, const void *attrs) {
    json_t *object = json_object();
    for (const struct fanin_attr_spec *s = record->attrs; s && s->name; s++) {
        json_t *value = value_to_json(s, attrs);
        if (json_is_null(value) && !null_is_said(s)) {
            json_decref(value); /* not given */
            continue;
        }
        if (json_object_set_new(object, s->name, value) != 0) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

json_t *fi_rule_to_json(const struct fanin_rule_ref *rule) {
    if (!rule->record) return json_null();
    return json_pack("{s:o}", rule->record->name, attrs_to_json(rule->record, rule->attrs));
}

static json_t *node_to_json(const fanin_net *net, const struct fi_node *node) {
    json_t *list = json_array();
    int bad = 0;
    if (!node->op) {
        for (int d = 0; d < node->shape.rank; d++)
            bad |= json_array_append_new(list, json_integer(node->shape.dims[d]));
        return json_pack("{s:s, s:o}", "name", node->name, "shape", bad ? NULL : list);
    }
    for (int k = 0; k < node->n_in; k++)
        bad |= json_array_append_new(list, json_string(net->nodes[node->inputs[k]].name));
    return json_pack("{s:s, s:s, s:o, s:o, s:i}", "name", node->name, "op", node->op->head.name,
                     "inputs", bad ? NULL : list, "attrs",
                     attrs_to_json(&node->op->head, node->attrs), "output", node->output);
}

json_t *fi_net_to_json(const fanin_net *net) {
    json_t *nodes = json_array();
    for (int i = 0; i < net->n_nodes; i++)
        if (json_array_append_new(nodes, node_to_json(net, &net->nodes[i])) != 0) {
            json_decref(nodes);
            return NULL;
        }
    return nodes;
}

/* ---- from JSON ------------------------------------------------------------------------------------- */

static enum fanin_status rule_from_json(struct fi_arena *arena, struct fanin_rule *out,
                                        const json_t *json, int depth);

static enum fanin_status list_from_json(struct fi_arena *arena, struct fanin_attr *out,
                                        const json_t *json) {
    const int64_t n = (int64_t)json_array_size(json);
    double *list = fi_arena_alloc(arena, n, sizeof(double));
    if (!list) return FANIN_ERR_MEMORY;
    for (int64_t i = 0; i < n; i++) list[i] = json_number_value(json_array_get(json, (size_t)i));
    out->list = list;
    out->n_list = n;
    return FANIN_OK;
}

/* A list of texts, or a map of them. */
static enum fanin_status texts_from_json(struct fi_arena *arena, struct fanin_attr *out,
                                         json_t *json) {
    const size_t n = json_is_array(json) ? json_array_size(json) : json_object_size(json);
    struct fanin_named_text *texts = fi_arena_alloc(arena, (int64_t)n, sizeof *texts);
    if (!texts) return FANIN_ERR_MEMORY;
    void *member = json_object_iter(json); /* NULL for a list */
    for (size_t i = 0; i < n; i++, member = json_object_iter_next(json, member)) {
        const json_t *value = member ? json_object_iter_value(member) : json_array_get(json, i);
        if (!json_is_string(value))
            return fi_fail(arena->ctx, FANIN_ERR_DATA, "a list of texts holds something else");
        texts[i].text = fi_arena_strdup(arena, json_string_value(value));
        if (member) texts[i].name = fi_arena_strdup(arena, json_object_iter_key(member));
        if (!texts[i].text || (member && !texts[i].name)) return FANIN_ERR_MEMORY;
    }
    out->texts = texts;
    out->n_texts = (int64_t)n;
    return FANIN_OK;
}

/* Whether a member is a text: what tells lists and maps of texts from lists of numbers and rules.
 */
static bool holds_texts(json_t *json) {
    if (json_is_array(json)) return json_is_string(json_array_get(json, 0));
    return json_is_string(json_object_iter_value(json_object_iter(json)));
}

static enum fanin_status attr_from_json(struct fi_arena *arena, struct fanin_attr *out,
                                        const char *name, const json_t *json, int depth) {
    if (!(out->name = fi_arena_strdup(arena, name))) return FANIN_ERR_MEMORY;
    switch (json_typeof(json)) {
    case JSON_TRUE:
        out->number = 1;
        return FANIN_OK;
    case JSON_FALSE:
        return FANIN_OK;
    case JSON_NULL:
        out->is_null = 1;
        return FANIN_OK;
    case JSON_INTEGER:
    case JSON_REAL:
        out->number = json_number_value(json);
        return FANIN_OK;
    case JSON_STRING:
        out->text = fi_arena_strdup(arena, json_string_value(json));
        return out->text ? FANIN_OK : FANIN_ERR_MEMORY;
    case JSON_ARRAY:
    case JSON_OBJECT:
        break;
    }
    json_t *nested = (json_t *)(uintptr_t)json; /* its iterators take no const */
    if (holds_texts(nested)) return texts_from_json(arena, out, nested);
    if (json_is_array(json)) return list_from_json(arena, out, json);
    struct fanin_rule *rule = fi_arena_alloc(arena, 1, sizeof(*rule));
    if (!rule) return FANIN_ERR_MEMORY;
    out->rule = rule;
    return rule_from_json(arena, rule, json, depth + 1);
}

static enum fanin_status attrs_from_json(struct fi_arena *arena, const struct fanin_attr **out,
                                         int64_t *n, const json_t *json, int depth) {
    const char *key;
    json_t *value;
    *n = 0;
    struct fanin_attr *attrs =
        fi_arena_alloc(arena, (int64_t)json_object_size(json), sizeof(*attrs));
    if (!attrs) return FANIN_ERR_MEMORY;
    json_object_foreach((json_t *)(uintptr_t)json, key, value)
        FI_TRY(attr_from_json(arena, &attrs[(*n)++], key, value, depth));
    *out = attrs;
    return FANIN_OK;
}

static enum fanin_status rule_from_json(struct fi_arena *arena, struct fanin_rule *out,
                                        const json_t *json, int depth) {
    const char *name = json_object_iter_key(json_object_iter((json_t *)(uintptr_t)json));
    if (depth > MAX_DEPTH || !json_is_object(json) || json_object_size(json) != 1 ||
        !json_is_object(json_object_get(json, name)))
        return fi_fail(arena->ctx, FANIN_ERR_DATA, "a rule is not of the form {name: {…}}");
    if (!(out->name = fi_arena_strdup(arena, name))) return FANIN_ERR_MEMORY;
    return attrs_from_json(arena, &out->attrs, &out->n_attrs, json_object_get(json, name), depth);
}

enum fanin_status fi_rule_from_json(struct fi_arena *arena, struct fanin_rule *out,
                                    const json_t *json) {
    memset(out, 0, sizeof(*out));
    return rule_from_json(arena, out, json, 0);
}

static enum fanin_status input_from_json(fanin_net *net, const char *name, const json_t *shape) {
    int64_t dims[FANIN_MAX_RANK] = {0};
    const size_t rank = json_array_size(shape);
    int node;
    for (size_t d = 0; d < rank && d < FANIN_MAX_RANK; d++)
        dims[d] = json_integer_value(json_array_get(shape, d));
    return fanin_net_input(net, &node, name, rank > FANIN_MAX_RANK ? 0 : (int)rank, dims);
}

static enum fanin_status op_from_json(fanin_net *net, const char *name, const json_t *json) {
    const char *op = json_string_value(json_object_get(json, "op"));
    const json_t *list = json_object_get(json, "inputs");
    const struct fanin_attr *attrs;
    int inputs[FANIN_MAX_INPUTS], node;
    int64_t n_attrs;
    const size_t n = json_array_size(list);
    if (!op || n < 1 || n > FANIN_MAX_INPUTS)
        return fi_fail(net->ctx, FANIN_ERR_DATA, "node '%s' lacks its op or its inputs", name);
    for (size_t k = 0; k < n; k++) {
        const char *from = json_string_value(json_array_get(list, k));
        inputs[k] = from ? fanin_net_find(net, from) : -1;
        if (inputs[k] < 0)
            return fi_fail(net->ctx, FANIN_ERR_DATA, "node '%s' reads a node that is not there",
                           name);
    }
    FI_TRY(attrs_from_json(&net->arena, &attrs, &n_attrs, json_object_get(json, "attrs"), 0));
    return fanin_net_add(net, &node, op, name, inputs, (int)n, attrs, n_attrs);
}

/* Outputs in the order in which they were declared: the first is the result. */
static enum fanin_status add_outputs(fanin_net *net, const json_t *json) {
    size_t i;
    json_t *node;
    for (int before = -1; before < net->n_outputs;) {
        before = net->n_outputs;
        json_array_foreach(
            json, i, node) if (json_integer_value(json_object_get(node, "output")) == before + 1 &&
                               net->n_outputs == before) FI_TRY(fanin_net_output(net, (int)i));
    }
    return FANIN_OK;
}

static enum fanin_status add_nodes(fanin_net *net, const json_t *json) {
    size_t i;
    json_t *node;
    if (!json_is_array(json)) return fi_fail(net->ctx, FANIN_ERR_DATA, "the net is no list");
    json_array_foreach(json, i, node) {
        const char *name = json_string_value(json_object_get(node, "name"));
        const json_t *shape = json_object_get(node, "shape");
        if (!name) return fi_fail(net->ctx, FANIN_ERR_DATA, "node %zu has no name", i + 1);
        FI_TRY(shape ? input_from_json(net, name, shape) : op_from_json(net, name, node));
    }
    return add_outputs(net, json);
}

enum fanin_status fi_net_from_json(fanin_net **out, fanin_ctx *ctx, const json_t *json) {
    fanin_net *net;
    *out = NULL;
    FI_TRY(fanin_net_create(&net, ctx));
    enum fanin_status status = add_nodes(net, json);
    if (status != FANIN_OK) {
        fanin_net_free(net);
        return status;
    }
    *out = net;
    return FANIN_OK;
}
