/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A model as a file: the net as JSON, the parameters as tensors, the rest as metadata
 * (docs/format.md).
 */
#ifndef FI_MODEL_H
#define FI_MODEL_H

#include <jansson.h>

#include "format/format.h"
#include "graph/graph.h"

/* The nodes of a net, their attributes by name. A new reference, or NULL when memory ran out. */
json_t *fi_net_to_json(const fanin_net *net);
/* A rule as {"name": {attributes}}. */
json_t *fi_rule_to_json(const struct fanin_rule_ref *rule);
/* Builds the net again. Errors: RECIPE, SHAPE, DATA (not of this form), MEMORY. */
enum fanin_status fi_net_from_json(fanin_net **out, fanin_ctx *ctx, const json_t *json);
/* Reads {"name": {attributes}} into a rule that lives in the arena. */
enum fanin_status fi_rule_from_json(struct fi_arena *arena, struct fanin_rule *out,
                                    const json_t *json);

/* Adds everything a model file holds. The parameters are copied. */
enum fanin_status fi_model_to_tensors(const fanin_model *model, struct fi_tensors *out);
/* The way back. Errors: DATA (what is missing or wrong), RECIPE, SHAPE, MEMORY. */
enum fanin_status fi_model_from_tensors(fanin_model **out, const struct fi_tensors *from);
/* Copies the padded buffer `params` (laid out as the model's) as tensors <prefix><name>. */
enum fanin_status fi_params_to_tensors(const fanin_net *net, const fi_real *params,
                                       const char *prefix, struct fi_tensors *out);
/* Fills `params` from tensors <prefix><name>. Errors: DATA (missing, other shape or type). */
enum fanin_status fi_params_from_tensors(const fanin_net *net, fi_real *params, const char *prefix,
                                         const struct fi_tensors *from);

#endif
