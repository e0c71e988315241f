/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting from tensors that another program wrote: a .safetensors file, as PyTorch or Keras users
 * save it.
 *
 * A tensor goes to the parameter of its name, or of the name that the map gives it. The last word
 * of a name may be Keras' (kernel, gamma, beta, moving_mean, moving_variance, embeddings);
 * PyTorch's are ours. num_batches_tracked has a use under `momentum: null` alone, and is left out
 * otherwise. Matrices stand as (out, in), as in PyTorch; with `transpose` as (in, out), as in
 * Keras. Running variances are unbiased in both.
 *
 * Everything is checked before the first parameter changes.
 */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/format.h"
#include "graph/graph.h"

struct import {
    fanin_model *model;
    const char *path;
    struct fanin_import_options o;
    struct fi_tensors *tensors;
    struct fi_arena arena;
    int64_t *source;    /* per parameter: its tensor, -1 none */
    int64_t *unmatched; /* tensors that belong nowhere */
    int64_t n_unmatched, n_matched, n_useless;
    bool *used; /* per entry of the map */
};

/* ---- names --------------------------------------------------------------------------------------- */

/* Where the last word of a name begins: behind '.', or Keras' '/'. */
static const char *last_word(const char *name) {
    const char *word = name;
    for (const char *p = name; *p; p++)
        if (*p == '.' || *p == '/') word = p + 1;
    return word;
}

/* A last word as ours; `room` may hold it. */
static const char *own_word(const char *word, char room[64]) {
    static const char *const words[][2] = {
        {"kernel", "weight"}, {"embeddings", "weight"},        {"gamma", "weight"},
        {"beta", "bias"},     {"moving_mean", "running_mean"}, {"moving_variance", "running_var"}};
    (void)snprintf(room, 64, "%.*s", (int)FI_MIN(strcspn(word, ":"), (size_t)63), word);
    for (int i = 0; i < FI_COUNT(words); i++)
        if (strcmp(words[i][0], room) == 0) return words[i][1];
    return room;
}

/* Whether `name` fits a pattern with at most one *, which stands for the text *middle. */
static bool fits(const char *pattern, const char *name, const char **middle, int *length) {
    const char *star = strchr(pattern, '*');
    const size_t n = strlen(name), before = star ? (size_t)(star - pattern) : strlen(pattern);
    const size_t after = star ? strlen(star + 1) : 0;
    *middle = name + before;
    *length = 0;
    if (!star) return strcmp(pattern, name) == 0;
    if (n < before + after || strncmp(pattern, name, before) != 0) return false;
    *length = (int)(n - before - after);
    return strcmp(star + 1, name + n - after) == 0;
}

/* The name of the parameter that a tensor is for, "" for none; NULL without memory. */
static const char *target_name(struct import *im, const char *name) {
    const char *target = name, *middle;
    int length;
    for (int64_t i = 0; i < im->o.n_map; i++) {
        const char *to = im->o.map[i].text, *star = strchr(to, '*');
        if (!fits(im->o.map[i].name, name, &middle, &length)) continue;
        im->used[i] = true;
        target = star ? fi_arena_printf(&im->arena, "%.*s%.*s%s", (int)(star - to), to, length,
                                        middle, star + 1)
                      : to;
        break;
    }
    if (!target || !*target) return target;
    char room[64];
    const char *word = last_word(target);
    return fi_arena_printf(&im->arena, "%.*s%s", (int)(word - target), target,
                           own_word(word, room));
}

static int find_param(const fanin_net *net, const char *name) {
    for (int i = 0; i < net->n_params; i++)
        if (strcmp(net->params[i].name, name) == 0) return i;
    return -1;
}

static const char *nearest_param(const fanin_net *net, const char *name) {
    const char *nearest = NULL;
    for (int i = 0; i < net->n_params; i++) {
        const char *pair[2] = {nearest, net->params[i].name};
        nearest = fanin_nearest(name, pair, 2);
    }
    return nearest;
}

/* ---- shapes -------------------------------------------------------------------------------------- */

static bool same_shape(const struct fi_tensor_entry *e, const struct fi_param *p, bool transpose) {
    bool same = e->rank == p->spec.rank;
    const bool turned = transpose && e->rank == 2;
    for (int i = 0; i < e->rank && same; i++) same = e->dims[turned ? 1 - i : i] == p->spec.dims[i];
    return same;
}

/* "(256, 784)" */
static void add_shape(struct fi_text *text, int rank, const int64_t *dims) {
    fi_text_add(text, "(");
    for (int i = 0; i < rank; i++) fi_text_add(text, "%s%lld", i ? ", " : "", (long long)dims[i]);
    fi_text_add(text, ")");
}

static enum fanin_status wrong_shape(const struct import *im, const struct fi_tensor_entry *e,
                                     const struct fi_param *p) {
    const bool other = same_shape(e, p, !im->o.transpose);
    struct fi_text text;
    fi_text_init(&text, im->model->ctx);
    fi_text_add(&text, "tensor '%s' is ", e->name);
    add_shape(&text, e->rank, e->dims);
    fi_text_add(&text, ", but %s asks for ", p->name);
    add_shape(&text, p->spec.rank, p->spec.dims);
    if (im->o.transpose && e->rank == 2) fi_text_add(&text, ", transposed");
    if (other) fi_text_add(&text, "; transpose: %s fits", im->o.transpose ? "false" : "true");
    enum fanin_status status =
        text.failed ? FANIN_ERR_MEMORY
                    : fi_fail(im->model->ctx, FANIN_ERR_SHAPE, "%s: %s", im->path, text.data);
    fi_text_free(&text);
    return status;
}

/* ---- what belongs nowhere -------------------------------------------------------------------------- */

static int64_t prefix_length(const char *name) {
    return last_word(name) - name;
}

/* Layers are compared as people count them: fc2 before fc10. */
static int by_layer(const void *a, const void *b) {
    return strverscmp(*(const char *const *)a, *(const char *const *)b);
}

/* Whether the unmatched tensors that begin with the prefix could be those of the node. */
static bool could_be(const struct import *im, const char *prefix, int64_t length,
                     const struct fi_node *node) {
    const fanin_net *net = im->model->net;
    for (int64_t i = 0; i < im->n_unmatched; i++) {
        const struct fi_tensor_entry *e = &im->tensors->entries[im->unmatched[i]];
        char name[512], room[64];
        if (prefix_length(e->name) != length || strncmp(e->name, prefix, (size_t)length) != 0)
            continue;
        (void)snprintf(name, sizeof name, "%s.%s", node->name, own_word(e->name + length, room));
        const int p = find_param(net, name);
        if (p < 0 || im->source[p] >= 0 || !same_shape(e, &net->params[p], im->o.transpose))
            return false;
    }
    return true;
}

/* A map that would fit, layers in order: "; a map that fits: {fc1.*: dense1.*}". */
static enum fanin_status propose(struct import *im, struct fi_text *text) {
    const fanin_net *net = im->model->net;
    const char **names = fi_arena_alloc(&im->arena, im->n_unmatched, sizeof *names);
    if (!names) return FANIN_ERR_MEMORY;
    for (int64_t i = 0; i < im->n_unmatched; i++)
        names[i] = im->tensors->entries[im->unmatched[i]].name;
    qsort(names, (size_t)im->n_unmatched, sizeof *names, by_layer);
    bool *taken = fi_arena_alloc(&im->arena, net->n_nodes, sizeof *taken);
    int found = 0;
    if (!taken) return FANIN_ERR_MEMORY;
    for (int64_t i = 0; i < im->n_unmatched; i++) {
        const int64_t length = prefix_length(names[i]);
        const bool known = i > 0 && prefix_length(names[i - 1]) == length &&
                           strncmp(names[i - 1], names[i], (size_t)length) == 0;
        if (known || length == 0) continue;
        int fit = 0;
        while (fit < net->n_nodes && (taken[fit] || net->nodes[fit].n_params == 0 ||
                                      !could_be(im, names[i], length, &net->nodes[fit])))
            fit++;
        if (fit == net->n_nodes) continue;
        if (found < 8)
            fi_text_add(text, "%s\"%.*s*\": %s.*", found ? ", " : "; a map that fits: {",
                        (int)length, names[i], net->nodes[fit].name);
        found++;
        taken[fit] = true;
    }
    if (found) fi_text_add(text, "%s}", found > 8 ? ", ..." : "");
    return FANIN_OK;
}

static enum fanin_status belongs_nowhere(struct import *im) {
    struct fi_text text;
    fi_text_init(&text, im->model->ctx);
    fi_text_add(&text, "%s: no parameter is called", im->path);
    for (int64_t i = 0; i < FI_MIN(im->n_unmatched, 6); i++) {
        const struct fi_tensor_entry *e = &im->tensors->entries[im->unmatched[i]];
        const char *nearest = nearest_param(im->model->net, e->name);
        fi_text_add(&text, "%s %.80s", i ? "," : "", e->name);
        if (nearest) fi_text_add(&text, " (nearest: %s)", nearest);
    }
    if (im->n_unmatched > 6) fi_text_add(&text, ", ... (%lld)", (long long)im->n_unmatched);
    const bool go_on = im->o.partial && im->n_matched > 0;
    enum fanin_status status = go_on ? FANIN_OK : propose(im, &text);
    if (!im->o.partial) fi_text_add(&text, "; strict: false leaves them out");
    if (text.failed) status = FANIN_ERR_MEMORY;
    if (status == FANIN_OK && go_on)
        fi_tell(im->model->ctx, FANIN_LOG_WARN, "%s: left out", text.data);
    else if (status == FANIN_OK)
        status = fi_fail(im->model->ctx, FANIN_ERR_DATA, "%s", text.data);
    fi_text_free(&text);
    return status;
}

/* ---- matching -------------------------------------------------------------------------------------- */

static enum fanin_status match(struct import *im, int64_t index) {
    const struct fi_tensor_entry *e = &im->tensors->entries[index];
    const char *name = target_name(im, e->name);
    if (!name) return FANIN_ERR_MEMORY;
    if (!*name) return FANIN_OK;
    const int p = find_param(im->model->net, name);
    if (p < 0 && strcmp(last_word(name), "num_batches_tracked") == 0) {
        im->n_useless++;
        return FANIN_OK;
    }
    if (p < 0) {
        im->unmatched[im->n_unmatched++] = index;
        return FANIN_OK;
    }
    const struct fi_param *param = &im->model->net->params[p];
    if (im->source[p] >= 0)
        return fi_fail(im->model->ctx, FANIN_ERR_DATA, "%s: '%s' and '%s' both go to %s", im->path,
                       im->tensors->entries[im->source[p]].name, e->name, param->name);
    const bool counts = e->dtype == FI_I64 && !param->spec.trainable; /* batches that were seen */
    if (!counts && e->dtype != FI_F32 && e->dtype != FI_F64 && e->dtype != FI_F16 &&
        e->dtype != FI_BF16)
        return fi_fail(im->model->ctx, FANIN_ERR_DATA,
                       "%s: tensor '%s' holds %s, not floating-point numbers", im->path, e->name,
                       fi_dtype_name(e->dtype));
    if (!same_shape(e, param, im->o.transpose)) return wrong_shape(im, e, param);
    im->source[p] = index;
    im->n_matched++;
    return FANIN_OK;
}

/* A pattern that fits nothing is a mistake. */
static enum fanin_status check_map(const struct import *im) {
    for (int64_t i = 0; i < im->o.n_map; i++) {
        const char *pattern = im->o.map[i].name, *nearest = NULL;
        if (im->used[i]) continue;
        for (int64_t k = 0; k < im->tensors->n; k++) {
            const char *pair[2] = {nearest, im->tensors->entries[k].name};
            nearest = fanin_nearest(pattern, pair, 2);
        }
        return fi_fail(im->model->ctx, FANIN_ERR_RECIPE, "%s: map: no tensor is called '%s'%s%s%s",
                       im->path, pattern, nearest ? "; did you mean '" : "", nearest ? nearest : "",
                       nearest ? "'?" : "");
    }
    return FANIN_OK;
}

static enum fanin_status match_all(struct import *im) {
    for (int64_t i = 0; i < im->o.n_map; i++) {
        const char *from = im->o.map[i].name, *to = im->o.map[i].text;
        const char *star = strchr(from, '*'), *other = strchr(to, '*');
        const bool twice = (star && strchr(star + 1, '*')) || (other && strchr(other + 1, '*'));
        if (twice || (other && !star))
            return fi_fail(im->model->ctx, FANIN_ERR_RECIPE,
                           "map: '%s' to '%s': one * at most, and one in the pattern for the one "
                           "in the name",
                           from, to);
    }
    for (int64_t i = 0; i < im->tensors->n; i++) FI_TRY(match(im, i));
    FI_TRY(check_map(im));
    if (im->n_unmatched > 0) return belongs_nowhere(im);
    if (im->n_matched > 0) return FANIN_OK;
    return fi_fail(im->model->ctx, FANIN_ERR_DATA, "%s holds nothing for this net", im->path);
}

/* ---- numbers ---------------------------------------------------------------------------------------- */

static double number_at(const struct fi_tensor_entry *e, int64_t i) {
    switch (e->dtype) {
    case FI_F64:
        return ((const double *)e->data)[i];
    case FI_I64:
        return (double)((const int64_t *)e->data)[i];
    case FI_F16:
        return (double)fi_from_half(((const uint16_t *)e->data)[i]);
    case FI_BF16:
        return (double)fi_from_bfloat(((const uint16_t *)e->data)[i]);
    default:
        return (double)((const float *)e->data)[i];
    }
}

/* A tensor as float, (out, in). */
static enum fanin_status convert(const struct import *im, const struct fi_tensor_entry *e,
                                 float *out) {
    const bool turned = im->o.transpose && e->rank == 2;
    for (int64_t i = 0; i < e->count; i++) {
        const double value = number_at(e, i);
        if (!(fabs(value) <= (double)FLT_MAX))
            return fi_fail(im->model->ctx, FANIN_ERR_DATA,
                           "%s: number %lld of tensor '%s' is %g, which is not a finite float",
                           im->path, (long long)i, e->name, value);
        out[turned ? i % e->dims[1] * e->dims[0] + i / e->dims[1] : i] = (float)value;
    }
    return FANIN_OK;
}

static double deviation(const float *values, int64_t n) {
    double mean = 0, squares = 0;
    for (int64_t i = 0; i < n; i++) mean += (double)values[i] / (double)n;
    for (int64_t i = 0; i < n; i++)
        squares += ((double)values[i] - mean) * ((double)values[i] - mean);
    return sqrt(squares / (double)n);
}

static enum fanin_status take_all(struct import *im) {
    fanin_model *m = im->model;
    float **values = fi_arena_alloc(&im->arena, m->net->n_params, sizeof *values);
    if (!values) return FANIN_ERR_MEMORY;
    for (int i = 0; i < m->net->n_params; i++) {
        if (im->source[i] < 0) continue;
        const struct fi_tensor_entry *e = &im->tensors->entries[im->source[i]];
        values[i] = fi_arena_alloc(&im->arena, e->count, sizeof **values);
        if (!values[i]) return FANIN_ERR_MEMORY;
        FI_TRY(convert(im, e, values[i]));
    }
    for (int i = 0; i < m->net->n_params; i++) {
        struct fi_param *p = &m->net->params[i];
        if (!values[i]) continue;
        const struct fi_tensor_entry *e = &im->tensors->entries[im->source[i]];
        const char *why = fi_arena_printf(&m->arena, "%s in %s", fi_dtype_name(e->dtype), im->path);
        if (!why) return FANIN_ERR_MEMORY;
        p->imported = true;
        p->why = why;
        p->gain = NAN;
        p->std = p->spec.weight ? deviation(values[i], p->count) : NAN;
    }
    for (int i = 0; i < m->net->n_params; i++) {
        const struct fi_param *p = &m->net->params[i];
        if (values[i]) fi_param_pack(p, values[i], m->params + p->offset);
    }
    return FANIN_OK;
}

/* What was not taken and what is not there; made before anything is written, as it may fail. */
static enum fanin_status describe(const struct import *im, struct fi_text *rest) {
    const fanin_net *net = im->model->net;
    int64_t missing = 0;
    if (im->n_useless > 0)
        fi_text_add(rest, " (%lld num_batches_tracked have no use here)", (long long)im->n_useless);
    for (int i = 0; i < net->n_params; i++)
        if (im->source[i] < 0 && missing++ < 6)
            fi_text_add(rest, "%s%s",
                        missing > 1 ? ", " : "; not in it, started anew: ", net->params[i].name);
    fi_text_add(rest, "%s", missing > 6 ? ", ..." : "");
    return rest->failed ? FANIN_ERR_MEMORY : FANIN_OK;
}

static enum fanin_status run(struct import *im) {
    const int n = im->model->net->n_params;
    FI_TRY(fi_tensors_load(&im->tensors, im->model->ctx, im->path));
    im->source = fi_arena_alloc(&im->arena, n, sizeof *im->source);
    im->unmatched = fi_arena_alloc(&im->arena, im->tensors->n, sizeof *im->unmatched);
    im->used = fi_arena_alloc(&im->arena, im->o.n_map, sizeof *im->used);
    if (!im->source || !im->unmatched || !im->used) return FANIN_ERR_MEMORY;
    for (int i = 0; i < n; i++) im->source[i] = -1;
    FI_TRY(match_all(im));
    struct fi_text rest;
    fi_text_init(&rest, im->model->ctx);
    enum fanin_status status = describe(im, &rest);
    if (status == FANIN_OK) status = take_all(im);
    if (status == FANIN_OK)
        fi_tell(im->model->ctx, FANIN_LOG_INFO, "%s: %lld of %lld tensors taken%s", im->path,
                (long long)im->n_matched, (long long)im->tensors->n, rest.data);
    fi_text_free(&rest);
    return status;
}

enum fanin_status fanin_model_import(fanin_model *model, const char *path,
                                     const struct fanin_import_options *options) {
    struct import im = {.model = model, .path = path};
    if (!path || (options && options->size == 0))
        return fi_fail(model->ctx, FANIN_ERR_ARGUMENT,
                       "fanin_model_import: no path, or the size of the options is not set");
    if (options) memcpy(&im.o, options, FI_MIN(options->size, sizeof im.o));
    fi_arena_init(&im.arena, model->ctx);
    enum fanin_status status = run(&im);
    fi_tensors_free(im.tensors);
    fi_arena_free(&im.arena);
    return status;
}
