/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The check of a recipe: its net is started from several seeds, each on the same batch.
 */
#include "check/check.h"
#include "recipe/recipe.h"

#define DEFAULT_SEEDS 3

/* The model that the recipe makes from another seed. */
static enum fanin_status start(fanin_model **out, const fanin_recipe *recipe,
                               const fanin_data *data, uint64_t seed) {
    fanin_recipe *again;
    *out = NULL;
    FI_TRY(fi_recipe_with_seed(&again, recipe, seed));
    const enum fanin_status status =
        fanin_recipe_model(out, again, fanin_data_shape(data), fanin_data_outputs(data), data);
    fanin_recipe_free(again);
    return status;
}

static enum fanin_status look_at_seeds(fanin_check *check, const fanin_recipe *recipe,
                                       const fanin_data *data,
                                       const struct fanin_check_options *options) {
    const int seeds = options->seeds > 0 ? options->seeds : DEFAULT_SEEDS;
    fanin_model *first;
    FI_TRY(
        fanin_recipe_model(&first, recipe, fanin_data_shape(data), fanin_data_outputs(data), data));
    enum fanin_status status = fi_check_data(first, data);
    if (status == FANIN_OK) status = fi_check_add(check, first, data, &recipe->train, options);
    for (int k = 1; k < seeds && status == FANIN_OK; k++) {
        fanin_model *other;
        status = start(&other, recipe, data, recipe->train.seed + (uint64_t)k);
        if (status == FANIN_OK) status = fi_check_add(check, other, data, &recipe->train, options);
        fanin_model_free(other);
    }
    if (status == FANIN_OK) status = fi_check_finish(check, first, data, &recipe->train);
    fanin_model_free(first);
    return status;
}

enum fanin_status fanin_recipe_check(fanin_check **out, const fanin_recipe *recipe,
                                     const struct fanin_check_options *options) {
    static const struct fanin_check_options plain = {.size = sizeof plain};
    fanin_data *data;
    fanin_check *check;
    *out = NULL;
    FI_TRY(fanin_data_load(&data, recipe->ctx, &recipe->data));
    enum fanin_status status = fi_check_create(&check, recipe->ctx);
    if (status == FANIN_OK) status = look_at_seeds(check, recipe, data, options ? options : &plain);
    fanin_data_free(data);
    if (status != FANIN_OK) {
        fanin_check_free(check);
        return status;
    }
    *out = check;
    return FANIN_OK;
}
