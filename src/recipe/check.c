/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The check of a recipe: its net is started from several seeds, each on the same batch.
 */
#include "check/check.h"
#include "recipe/recipe.h"

#define DEFAULT_SEEDS 3

static enum fanin_status look_at_seeds(fanin_check *check, fanin_model *model,
                                       const fanin_recipe *recipe, const fanin_data *data,
                                       int seeds) {
    FI_TRY(fi_check_add(check));
    for (int k = 1; k < seeds; k++) {
        FI_TRY(fi_recipe_restart(model, recipe, data, recipe->train.seed + (uint64_t)k));
        FI_TRY(fi_check_add(check));
    }
    return fi_check_finish(check);
}

static enum fanin_status check_on(fanin_check **out, const fanin_recipe *recipe,
                                  const fanin_data *data,
                                  const struct fanin_check_options *options) {
    const int seeds = options->seeds > 0 ? options->seeds : DEFAULT_SEEDS;
    fanin_model *model;
    FI_TRY(
        fanin_recipe_model(&model, recipe, fanin_data_shape(data), fanin_data_outputs(data), data));
    enum fanin_status status = fi_check_data(model, data);
    if (status == FANIN_OK) status = fi_check_begin(out, model, data, &recipe->train, options);
    if (status == FANIN_OK) status = look_at_seeds(*out, model, recipe, data, seeds);
    fi_check_end(*out);
    fanin_model_free(model);
    return status;
}

enum fanin_status fanin_recipe_check(fanin_check **out, const fanin_recipe *recipe,
                                     const struct fanin_check_options *options) {
    static const struct fanin_check_options plain = {.size = sizeof plain};
    fanin_data *data;
    fanin_check *check = NULL;
    *out = NULL;
    FI_TRY(fanin_data_load(&data, recipe->ctx, &recipe->data));
    const enum fanin_status status = check_on(&check, recipe, data, options ? options : &plain);
    fanin_data_free(data);
    if (status != FANIN_OK) {
        fanin_check_free(check);
        return status;
    }
    *out = check;
    return FANIN_OK;
}
