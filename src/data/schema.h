/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON for what a model file keeps about its data, by jansson. Numbers are written and read in the
 * C style whatever the locale is.
 */
#ifndef FI_SCHEMA_H
#define FI_SCHEMA_H

#include <jansson.h>

#include "base/base.h"

/* *out is to be released with json_decref(). Errors: DATA (no JSON), MEMORY. */
enum fanin_status fi_json_parse(json_t **out, fanin_ctx *ctx, const char *text);
/* NULL on failure, with the message set. json may be NULL: an earlier step ran out of memory. */
const char *fi_json_write(struct fi_arena *arena, const json_t *json);
/* Numbers in full float precision; NULL when out of memory. */
json_t *fi_json_floats(const float *values, int64_t n);
/* Whether the schema (NULL: none) says that the inputs are the targets. */
bool fi_schema_target_inputs(const json_t *schema);
/* Exactly n finite numbers; false: the member is something else. */
bool fi_json_read_floats(const json_t *array, float *values, int64_t n);

#endif
