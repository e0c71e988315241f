/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The schema of a data set: what a model file keeps so that prediction reads and prepares data
 * alike.
 *
 *   {"reader": {"csv": {...}}, "fill": [...], "target": "input"}
 *
 * Each member is there only where it is needed. What stands under "reader" is the reader's own,
 * under its name; "fill" is what stands for a missing value in each input, "target" says that the
 * inputs are what is learned. Nine digits bring every float back exactly.
 */
#include "data/schema.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/data.h"

enum fanin_status fi_json_parse(json_t **out, fanin_ctx *ctx, const char *text) {
    json_error_t error;
    *out = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (*out) return FANIN_OK;
    if (json_error_code(&error) == json_error_out_of_memory)
        return fi_fail(ctx, FANIN_ERR_MEMORY, "out of memory: reading a data schema");
    return fi_fail(ctx, FANIN_ERR_DATA, "the data schema is no JSON: %s", error.text);
}

const char *fi_json_write(struct fi_arena *arena, const json_t *json) {
    char *text = json ? json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
    const char *copy = text ? fi_arena_strdup(arena, text) : NULL;
    if (!text) (void)fi_fail(arena->ctx, FANIN_ERR_MEMORY, "out of memory: writing a data schema");
    free(text);
    return copy;
}

json_t *fi_json_floats(const float *values, int64_t n) {
    json_t *array = json_array();
    for (int64_t i = 0; array && i < n; i++) {
        if (json_array_append_new(array, json_real((double)values[i])) == 0) continue;
        json_decref(array);
        array = NULL;
    }
    return array;
}

bool fi_json_read_floats(const json_t *array, float *values, int64_t n) {
    if (!json_is_array(array) || json_array_size(array) != (size_t)n) return false;
    for (int64_t i = 0; i < n; i++) {
        const json_t *item = json_array_get(array, (size_t)i);
        if (!json_is_number(item)) return false;
        values[i] = (float)json_number_value(item);
        if (!isfinite(values[i])) return false;
    }
    return true;
}

static const char target_input[] = "input";

bool fi_schema_target_inputs(const json_t *schema) {
    const char *target = json_string_value(json_object_get(schema, "target"));
    return target && strcmp(target, target_input) == 0;
}

enum fanin_status fi_data_write_schema(fanin_data *d, const char *reader_schema) {
    const struct fi_table *t = &d->tables[FANIN_TRAIN];
    json_t *root, *reader = NULL;
    int failed = 0;
    if (!reader_schema && !d->fill && !t->target_inputs) return FANIN_OK;
    if (reader_schema) FI_TRY(fi_json_parse(&reader, d->ctx, reader_schema));
    root = json_object();
    if (reader) failed |= json_object_set_new(root, "reader", reader);
    if (d->fill)
        failed |= json_object_set_new(root, "fill", fi_json_floats(d->fill, t->shape.cols));
    if (t->target_inputs) failed |= json_object_set_new(root, "target", json_string(target_input));
    d->schema = fi_json_write(&d->arena, failed ? NULL : root);
    json_decref(root);
    return d->schema ? FANIN_OK : FANIN_ERR_MEMORY;
}
