/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Samples and labels from arrays of numbers (array.h). Whole numbers, one for each sample, are
 * classes; anything else is regression, one target per column, unless the attribute `task` says
 * otherwise.
 */
#include "data/array.h"

#include <float.h>
#include <math.h>

#include "data/reader/reader.h"

enum fanin_status fi_array_count(fanin_ctx *ctx, struct fi_array *a, int64_t bytes, int64_t bound) {
    int64_t total = 0;
    bool fits = true;
    a->count = 1;
    for (int i = 0; i < a->rank; i++) {
        if (a->dims[i] == 0)
            return fi_fail(ctx, FANIN_ERR_DATA, "'%s' is empty: dimension %d of %d is 0", a->path,
                           i + 1, a->rank);
        fits = fits && fi_mul(a->count, a->dims[i], &a->count);
    }
    if (fits && fi_mul(a->count, bytes, &total) && total <= bound) return FANIN_OK;
    return fi_fail(ctx, FANIN_ERR_DATA,
                   "'%s' declares more data than it can hold: its %lld samples and other "
                   "dimensions do not fit the %lld bytes that can follow",
                   a->path, (long long)a->dims[0], (long long)bound);
}

enum fanin_status fi_array_put(fanin_ctx *ctx, struct fi_array *a, int64_t index, int64_t number,
                               double value) {
    if (!(fabs(value) <= (double)FLT_MAX))
        return fi_fail(ctx, FANIN_ERR_DATA,
                       "'%s': number %lld (counted from 0) is %g, which is not a finite float",
                       a->path, (long long)number, value);
    a->f32[index] = (float)value;
    return FANIN_OK;
}

static double number_at(const struct fi_array *a, int64_t i) {
    return a->u8 ? (double)a->u8[i] : (double)a->f32[i];
}

/* ---- labels -------------------------------------------------------------------------------------- */

static bool are_classes(const struct fi_array *labels, const struct fi_label_rules *rules) {
    if (rules->task != FANIN_UNLABELED) return rules->task == FANIN_CLASSIFICATION;
    return labels->integer && !(labels->flags && labels->count > labels->dims[0]);
}

enum fanin_status fi_labels_check(fanin_ctx *ctx, const struct fi_array *samples,
                                  const struct fi_array *labels,
                                  const struct fi_label_rules *rules) {
    const int64_t n = samples->dims[0];
    if (labels->dims[0] != n)
        return fi_fail(ctx, FANIN_ERR_DATA, "'%s' has %lld samples but '%s' has %lld labels",
                       samples->path, (long long)n, labels->path, (long long)labels->dims[0]);
    if (are_classes(labels, rules) && labels->count != n)
        return fi_fail(ctx, FANIN_ERR_DATA,
                       "'%s' is no labels file: it has %lld whole numbers per sample (is it the "
                       "images?)",
                       labels->path, (long long)(labels->count / n));
    return FANIN_OK;
}

/* Class numbers; how many classes there are is given, or that of the training labels, or told from
 * the highest. */
static enum fanin_status to_classes(struct fi_read_request *r, const struct fi_array *labels,
                                    const struct fi_label_rules *rules, struct fi_table *out) {
    int64_t highest = 0, given = rules->classes;
    if (r->like && r->like->task == FANIN_CLASSIFICATION) given = r->like->n_outputs;
    const int64_t limit = given > 0 ? given : FI_MAX_CLASSES;
    out->labels = fi_arena_alloc(r->arena, out->n, sizeof(*out->labels));
    if (!out->labels) return FANIN_ERR_MEMORY;
    for (int64_t i = 0; i < out->n; i++) {
        const double value = number_at(labels, i);
        if (value < 0 || value >= (double)limit)
            return fi_fail(r->ctx, FANIN_ERR_DATA,
                           "'%s': label %.0f of sample %lld (counted from 0) is out of range: "
                           "there are classes 0 to %lld",
                           labels->path, value, (long long)i, (long long)limit - 1);
        if (value != floor(value))
            return fi_fail(r->ctx, FANIN_ERR_DATA,
                           "'%s': label %g of sample %lld (counted from 0) is no whole number, so "
                           "it is no class",
                           labels->path, value, (long long)i);
        out->labels[i] = (int32_t)value;
        highest = FI_MAX(highest, out->labels[i]);
    }
    out->task = FANIN_CLASSIFICATION;
    out->n_outputs = given > 0 ? given : highest + 1;
    return FANIN_OK;
}

static enum fanin_status to_targets(struct fi_read_request *r, const struct fi_array *labels,
                                    struct fi_table *out) {
    out->targets = labels->f32;
    out->task = FANIN_REGRESSION;
    out->n_outputs = labels->count / out->n;
    if (out->targets) return FANIN_OK;
    out->targets = fi_arena_alloc(r->arena, labels->count, sizeof(float));
    if (!out->targets) return FANIN_ERR_MEMORY;
    for (int64_t i = 0; i < labels->count; i++) out->targets[i] = (float)labels->u8[i];
    return FANIN_OK;
}

/* ---- the table ----------------------------------------------------------------------------------- */

static enum fanin_status describe(struct fi_read_request *r, const struct fi_array *samples,
                                  const struct fi_array *labels, struct fi_table *out) {
    struct fi_text text;
    fi_text_init(&text, r->ctx);
    fi_text_add(&text, "%s: %lld samples of ", fi_base_name(samples->path), (long long)out->n);
    for (int i = 0; i < out->shape.rank; i++)
        fi_text_add(&text, "%s%lld", i ? "x" : "", (long long)out->shape.dims[i]);
    fi_text_add(&text, " %s, ", samples->type);
    const char *numbers = labels && labels->integer ? "whole-number" : "floating-point";
    if (out->task == FANIN_CLASSIFICATION)
        fi_text_add(&text, "%lld classes (%s labels)", (long long)out->n_outputs, numbers);
    else if (out->task == FANIN_REGRESSION)
        fi_text_add(&text, "%lld target values (%s labels)", (long long)out->n_outputs, numbers);
    else
        fi_text_add(&text, "no labels");
    out->describe = text.failed ? NULL : fi_arena_strdup(r->arena, text.data);
    fi_text_free(&text);
    return out->describe ? FANIN_OK : FANIN_ERR_MEMORY;
}

enum fanin_status fi_arrays_to_table(struct fi_read_request *r, struct fi_array *samples,
                                     struct fi_array *labels, const struct fi_label_rules *rules,
                                     struct fi_table *out) {
    out->n = samples->dims[0];
    out->shape.rank = FI_MAX(samples->rank - 1, 1);
    out->shape.dims[0] = 1;
    for (int i = 1; i < samples->rank; i++) out->shape.dims[i - 1] = samples->dims[i];
    out->shape.cols = samples->count / out->n;
    out->u8 = samples->u8;
    out->f32 = samples->f32;
    if (labels)
        FI_TRY(are_classes(labels, rules) ? to_classes(r, labels, rules, out)
                                          : to_targets(r, labels, out));
    return describe(r, samples, labels, out);
}
