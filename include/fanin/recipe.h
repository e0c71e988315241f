/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recipes: a YAML (or JSON) file that holds everything a run needs. See docs/recipe.md.
 */
#ifndef FANIN_RECIPE_H
#define FANIN_RECIPE_H

#include <fanin/report.h>
#include <fanin/train.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct fanin_recipe fanin_recipe;

/* Reads a recipe and applies overrides "path=value", where the value is YAML and a path names keys
 * and nodes: "optim.sgd.lr=0.01", "net.dense1.units=512". path NULL: the default recipe (embedded
 * digits). Errors: IO, RECIPE (file, line, key, nearest name), MEMORY. */
FANIN_API enum fanin_status fanin_recipe_load(fanin_recipe **out, fanin_ctx *ctx, const char *path,
                                              const char *const *overrides, int n_overrides);
/* The same from text; `name` stands in messages. */
FANIN_API enum fanin_status fanin_recipe_parse(fanin_recipe **out, fanin_ctx *ctx, const char *name,
                                               const char *text, const char *const *overrides,
                                               int n_overrides);
/* The recipe for a table of one's own: a small network on `file`, whose column `target` (NULL: the
 * reader's choice) is predicted; whether it is a class or a value is told from the data. */
FANIN_API enum fanin_status fanin_recipe_for_data(fanin_recipe **out, fanin_ctx *ctx,
                                                  const char *file, const char *target,
                                                  const char *const *overrides, int n_overrides);
FANIN_API void fanin_recipe_free(fanin_recipe *recipe);

/* The whole recipe with its overrides, as JSON. Borrowed. */
FANIN_API const char *fanin_recipe_json(const fanin_recipe *recipe);
FANIN_API uint64_t fanin_recipe_seed(const fanin_recipe *recipe);
/* What the sections data, train, optim, schedule and regularize say. Borrowed pointers inside. */
FANIN_API const struct fanin_data_options *fanin_recipe_data(const fanin_recipe *recipe);
FANIN_API const struct fanin_train_options *fanin_recipe_train(const fanin_recipe *recipe);
/* Builds the net for samples of `shape` (and, where the last dense layer leaves its units to the
 * data, `outputs`) and the model for `data` (may be NULL). */
FANIN_API enum fanin_status fanin_recipe_model(fanin_model **out, const fanin_recipe *recipe,
                                               const struct fanin_shape *shape, int64_t outputs,
                                               const fanin_data *data);

/* Writes the JSON Schema (draft 2020-12) of a recipe, with all records of this context, so that an
 * editor completes and checks what is written. Errors: IO (the sink failed), MEMORY. */
FANIN_API enum fanin_status fanin_recipe_schema(fanin_ctx *ctx, fanin_sink_fn sink, void *payload);

/* What the keys of a recipe are, as records for listings and help: recipe (the top level), data,
 * train, early_stop, checkpoint, repeat, layer. NULL beyond the last. A key of type RULE takes a
 * record of the kind that `text` names, or, where text is no kind: "section", the keys of the
 * section of its name; "sections", a list of such maps; "layers", a list of layers; "rules:reg", a
 * map of records of that kind. */
FANIN_API const struct fanin_record *fanin_recipe_section(int index);

#ifdef __cplusplus
}
#endif
#endif
