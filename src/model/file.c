/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Saving and loading models. The file is a plain .safetensors: float32 tensors <node>.<parameter>,
 * matrices as (out, in); the metadata hold the net, loss, recipe, seed and how raw data become
 * inputs.
 *
 * Loading trusts nothing: the net is built from its JSON through the same checks as a recipe, and
 * every tensor must be there with the shape the net asks for before memory for the parameters is
 * taken.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/data.h"
#include "model/history.h"
#include "model/model.h"

/* ---- parameters ------------------------------------------------------------------------------------- */

enum fanin_status fi_params_to_tensors(const fanin_net *net, const fi_real *params,
                                       const char *prefix, struct fi_tensors *out) {
    for (int i = 0; i < net->n_params; i++) {
        const struct fi_param *p = &net->params[i];
        struct fi_tensor_entry *entry;
        const char *name = fi_arena_printf(&out->arena, "%s%s", prefix, p->name);
        if (!name) return FANIN_ERR_MEMORY;
        FI_TRY(fi_tensors_add(out, &entry, name, FI_F32, p->spec.rank, p->spec.dims, NULL));
        fi_param_unpack(p, params + p->offset, entry->data);
    }
    return FANIN_OK;
}

static enum fanin_status find_tensor(const struct fi_param *p, const char *prefix,
                                     const struct fi_tensors *from,
                                     const struct fi_tensor_entry **out) {
    char name[FI_MAX_NAME + 1];
    snprintf(name, sizeof name, "%s%s", prefix, p->name);
    const struct fi_tensor_entry *entry = *out = fi_tensors_find(from, name);
    if (!entry) return fi_fail(from->ctx, FANIN_ERR_DATA, "tensor '%s' is missing", name);
    if (entry->dtype != FI_F32 || entry->rank != p->spec.rank ||
        memcmp(entry->dims, p->spec.dims, sizeof(*entry->dims) * (size_t)entry->rank) != 0)
        return fi_fail(from->ctx, FANIN_ERR_DATA,
                       "tensor '%s' has not the type float32 and the shape its node asks for",
                       name);
    return FANIN_OK;
}

enum fanin_status fi_params_from_tensors(const fanin_net *net, fi_real *params, const char *prefix,
                                         const struct fi_tensors *from) {
    for (int i = 0; i < net->n_params; i++) {
        const struct fi_tensor_entry *entry;
        FI_TRY(find_tensor(&net->params[i], prefix, from, &entry));
        fi_param_pack(&net->params[i], entry->data, params + net->params[i].offset);
    }
    return FANIN_OK;
}

/* ---- metadata --------------------------------------------------------------------------------------- */

/* Consumes `json`. */
static enum fanin_status meta_json(struct fi_tensors *out, const char *key, json_t *json) {
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    if (!text) return fi_fail_memory(out->ctx, key, 0);
    enum fanin_status status = fi_tensors_meta(out, key, text);
    free(text);
    return status;
}

static enum fanin_status meta_text(struct fi_tensors *out, const char *key, const char *text) {
    return text ? fi_tensors_meta(out, key, text) : FANIN_OK;
}

/* A list of numbers; one number when all are equal. */
static json_t *floats_to_json(const float *values, int64_t n) {
    json_t *list = json_array();
    bool equal = true;
    for (int64_t i = 1; i < n; i++) equal &= values[i] == values[0];
    for (int64_t i = 0; i < (equal ? FI_MIN(n, 1) : n); i++)
        if (json_array_append_new(list, json_real((double)values[i])) != 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

static enum fanin_status meta_floats(struct fi_tensors *out, const char *key, const float *values,
                                     int64_t n) {
    return values ? meta_json(out, key, floats_to_json(values, n)) : FANIN_OK;
}

static enum fanin_status meta_names(struct fi_tensors *out, const fanin_model *m) {
    json_t *list = json_array();
    for (int64_t i = 0; i < m->n_output_names; i++)
        if (json_array_append_new(list, json_string(m->output_names[i])) != 0) {
            json_decref(list);
            return fi_fail_memory(out->ctx, "class names", 0);
        }
    return meta_json(out, "fanin.outputs", list);
}

static enum fanin_status meta_history(struct fi_tensors *out, const fanin_model *m) {
    struct fi_text text;
    bool any;
    fi_text_init(&text, m->ctx);
    enum fanin_status status = fi_history_write(m->history, &text, &any);
    if (status == FANIN_OK && any) status = fi_tensors_meta(out, "fanin.history", text.data);
    fi_text_free(&text);
    return status;
}

enum fanin_status fi_model_to_tensors(const fanin_model *m, struct fi_tensors *out) {
    const int64_t inputs = fanin_model_inputs(m), outputs = fanin_model_outputs(m);
    const struct fanin_rule_ref loss = {&m->loss->head, m->loss_attrs};
    char seed[32];
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)m->seed);
    FI_TRY(fi_tensors_meta(out, "fanin.version", FANIN_VERSION));
    FI_TRY(fi_tensors_meta(out, "fanin.seed", seed));
    FI_TRY(meta_json(out, "fanin.net", fi_net_to_json(m->net)));
    FI_TRY(meta_json(out, "fanin.loss", fi_rule_to_json(&loss)));
    if (m->truth == FANIN_REGRESSION && m->loss->takes & FI_TAKES_LABELS)
        FI_TRY(fi_tensors_meta(out, "fanin.truth", "values"));
    FI_TRY(meta_text(out, "fanin.recipe", m->recipe));
    FI_TRY(meta_text(out, "fanin.reader", m->reader));
    FI_TRY(meta_text(out, "fanin.schema", m->schema));
    FI_TRY(meta_text(out, "fanin.normalize", m->normalize));
    FI_TRY(meta_floats(out, "fanin.shift", m->shift, inputs));
    FI_TRY(meta_floats(out, "fanin.scale", m->scale, inputs));
    FI_TRY(meta_floats(out, "fanin.target_shift", m->target_shift, outputs));
    FI_TRY(meta_floats(out, "fanin.target_scale", m->target_scale, outputs));
    FI_TRY(meta_names(out, m));
    FI_TRY(meta_history(out, m));
    return fi_params_to_tensors(m->net, m->params, "", out);
}

enum fanin_status fanin_model_save(const fanin_model *model, const char *path) {
    struct fi_tensors *tensors;
    FI_TRY(fi_tensors_create(&tensors, model->ctx));
    enum fanin_status status = fi_model_to_tensors(model, tensors);
    if (status == FANIN_OK) status = fi_tensors_save(tensors, path);
    fi_tensors_free(tensors);
    return status;
}

/* ---- loading ------------------------------------------------------------------------------------------ */

static enum fanin_status get_json(const struct fi_tensors *from, const char *key, json_t **out) {
    const char *text = fi_tensors_meta_get(from, key);
    *out = text ? json_loads(text, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL) : NULL;
    return *out ? FANIN_OK
                : fi_fail(from->ctx, FANIN_ERR_DATA, "metadata '%s' is %s", key,
                          text ? "not JSON" : "missing: this is no fanin model");
}

static enum fanin_status get_text(fanin_model *m, const struct fi_tensors *from, const char *key,
                                  const char **out) {
    const char *text = fi_tensors_meta_get(from, key);
    if (!text) return FANIN_OK;
    *out = fi_arena_strdup(&m->arena, text);
    return *out ? FANIN_OK : FANIN_ERR_MEMORY;
}

static enum fanin_status get_floats(fanin_model *m, const struct fi_tensors *from, const char *key,
                                    int64_t n, float **out) {
    json_t *list;
    if (!fi_tensors_meta_get(from, key)) return FANIN_OK;
    FI_TRY(get_json(from, key, &list));
    const size_t length = json_array_size(list);
    if (length != 1 && length != (size_t)n) {
        json_decref(list);
        return fi_fail(m->ctx, FANIN_ERR_DATA, "metadata '%s' has not one number for each of %lld",
                       key, (long long)n);
    }
    if ((*out = fi_arena_alloc(&m->arena, n, sizeof(float))))
        for (int64_t i = 0; i < n; i++)
            (*out)[i] = (float)json_number_value(json_array_get(list, length == 1 ? 0 : (size_t)i));
    json_decref(list);
    return *out ? FANIN_OK : FANIN_ERR_MEMORY;
}

static enum fanin_status get_names(fanin_model *m, const struct fi_tensors *from) {
    json_t *list;
    FI_TRY(get_json(from, "fanin.outputs", &list));
    const int64_t n = (int64_t)json_array_size(list);
    enum fanin_status status = FANIN_OK;
    if (n != 0 && n != fanin_model_outputs(m))
        status = fi_fail(m->ctx, FANIN_ERR_DATA, "there are %lld class names for %lld outputs",
                         (long long)n, (long long)fanin_model_outputs(m));
    else if (!(m->output_names = fi_arena_alloc(&m->arena, n, sizeof(char *))))
        status = FANIN_ERR_MEMORY;
    for (int64_t i = 0; i < n && status == FANIN_OK; i++) {
        const char *name = json_string_value(json_array_get(list, (size_t)i));
        m->output_names[i] = fi_arena_strdup(&m->arena, name ? name : "");
        if (!m->output_names[i]) status = FANIN_ERR_MEMORY;
    }
    if (status == FANIN_OK) m->n_output_names = n;
    json_decref(list);
    return status;
}

static enum fanin_status fill(fanin_model *m, const struct fi_tensors *from) {
    const int64_t inputs = fanin_model_inputs(m), outputs = fanin_model_outputs(m);
    if (fi_tensors_meta_get(from, "fanin.truth") && m->loss->takes & FI_TAKES_TARGETS)
        m->truth = FANIN_REGRESSION;
    FI_TRY(get_text(m, from, "fanin.recipe", &m->recipe));
    FI_TRY(get_text(m, from, "fanin.reader", &m->reader));
    FI_TRY(get_text(m, from, "fanin.schema", &m->schema));
    FI_TRY(get_text(m, from, "fanin.normalize", &m->normalize));
    m->binary = fi_normalize_is_binary(m->normalize);
    FI_TRY(get_floats(m, from, "fanin.shift", inputs, &m->shift));
    FI_TRY(get_floats(m, from, "fanin.scale", inputs, &m->scale));
    FI_TRY(get_floats(m, from, "fanin.target_shift", outputs, &m->target_shift));
    FI_TRY(get_floats(m, from, "fanin.target_scale", outputs, &m->target_scale));
    if (!m->shift != !m->scale || !m->target_shift != !m->target_scale)
        return fi_fail(m->ctx, FANIN_ERR_DATA, "a normalization is only half there");
    FI_TRY(get_names(m, from));
    const char *history = fi_tensors_meta_get(from, "fanin.history");
    if (history) FI_TRY(fi_history_read(m, history));
    return fi_params_from_tensors(m->net, m->params, "", from);
}

/* Builds the model; the net is checked against the tensors before memory is taken for it. */
static enum fanin_status build(fanin_model **out, const struct fi_tensors *from) {
    struct fanin_model_options options = {.size = sizeof(options)};
    struct fi_arena arena;
    json_t *net_json, *loss_json;
    fanin_net *net = NULL;
    const char *seed = fi_tensors_meta_get(from, "fanin.seed");
    options.seed = seed ? strtoull(seed, NULL, 10) : 0;
    FI_TRY(get_json(from, "fanin.net", &net_json));
    enum fanin_status status = fi_net_from_json(&net, from->ctx, net_json);
    json_decref(net_json);
    for (int i = 0; status == FANIN_OK && i < net->n_params; i++) {
        const struct fi_tensor_entry *entry;
        status = find_tensor(&net->params[i], "", from, &entry);
    }
    if (status == FANIN_OK) status = get_json(from, "fanin.loss", &loss_json);
    if (status != FANIN_OK) {
        fanin_net_free(net);
        return status;
    }
    fi_arena_init(&arena, from->ctx);
    status = fi_rule_from_json(&arena, &options.loss, loss_json);
    json_decref(loss_json);
    if (status == FANIN_OK)
        status = fi_model_prepare(out, net, &options);
    else
        fanin_net_free(net);
    fi_arena_free(&arena);
    return status;
}

enum fanin_status fi_model_from_tensors(fanin_model **out, const struct fi_tensors *from) {
    fanin_model *m = NULL;
    *out = NULL;
    enum fanin_status status = build(&m, from);
    if (status == FANIN_OK) status = fill(m, from);
    if (status != FANIN_OK) {
        fanin_model_free(m);
        return status;
    }
    *out = m;
    return FANIN_OK;
}

enum fanin_status fanin_model_load(fanin_model **out, fanin_ctx *ctx, const char *path) {
    struct fi_tensors *tensors;
    *out = NULL;
    FI_TRY(fi_tensors_load(&tensors, ctx, path)); /* its messages name the file */
    enum fanin_status status = fi_model_from_tensors(out, tensors);
    fi_tensors_free(tensors);
    if (status == FANIN_OK || status == FANIN_ERR_MEMORY) return status;
    char reason[512];
    snprintf(reason, sizeof reason, "%s", fanin_errmsg(ctx));
    return fi_fail(ctx, FANIN_ERR_DATA, "%s: %s", path, reason);
}
