/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fanin eval MODEL: figures of a trained model on data it has not seen: a file, or the test part of
 * the data its own recipe names (split as in training).
 */
#include <stdlib.h>

#include "app.h"

struct eval_fields {
    struct common common;
    const char *data, *labels;
    struct opt_list set;
    int inference;
    struct opt_count mc;
};

static const struct opt options[] = {
    {"inference", 0, OPT_WORD, offsetof(struct eval_fields, inference), INFERENCES,
     "how a net with dropout predicts; see --mc", 0, 0},
    {"mc", 0, OPT_COUNT, offsetof(struct eval_fields, mc), "K|all",
     "average K random masks, or all 2^n subnetworks", 1, MASKS_MAX},
    MASK_SEED,
    {"data", 0, OPT_TEXT, offsetof(struct eval_fields, data), "FILE",
     "labelled samples; default: the test part of the recipe's data", 0, 0},
    {"labels", 0, OPT_TEXT, offsetof(struct eval_fields, labels), "FILE",
     "their labels, where these are a file of their own", 0, 0},
    {"set", 0, OPT_LIST, offsetof(struct eval_fields, set), "PATH=VALUE",
     "change the stored recipe: --set data.dir=elsewhere", 0, 0},
    {NULL, 0, OPT_FLAG, 0, NULL, NULL, 0, 0}};

/* The data of the recipe that the model file holds. */
static int load_recipe_data(const struct app *app, const struct eval_fields *f, fanin_model *model,
                            fanin_data **out) {
    const char *json = fanin_model_recipe(model);
    if (!json)
        return fail_with(EXIT_REFUSED, "the model holds no recipe, so say on what: --data FILE");
    fanin_recipe *recipe;
    enum fanin_status status =
        fanin_recipe_parse(&recipe, app->ctx, "the model's recipe", json, f->set.items, f->set.n);
    if (status == FANIN_OK) status = fanin_data_load(out, app->ctx, fanin_recipe_data(recipe));
    int code = status == FANIN_OK ? 0 : fail_reading(app, status);
    fanin_recipe_free(recipe);
    return code;
}

static int load_file(const struct app *app, const struct eval_fields *f, fanin_model *model,
                     fanin_data **out) {
    enum fanin_status status = fanin_data_load_for_model(out, model, f->data, f->labels);
    if (status != FANIN_OK) return fail_reading(app, status);
    if (fanin_data_task(*out) != FANIN_UNLABELED) return 0;
    return fail_with(EXIT_REFUSED,
                     "%s: no labels to compare with (see --labels; fanin predict needs none)",
                     f->data);
}

static int evaluate(const struct app *app, fanin_model *model, const fanin_data *data,
                    const struct fanin_ensemble_options *ensemble) {
    static const enum fanin_part parts[] = {FANIN_TEST, FANIN_VALIDATION};
    for (int i = 0; i < 2; i++) {
        if (fanin_data_rows(data, parts[i]) == 0) continue;
        enum fanin_status status = fanin_evaluate_ensemble(model, data, parts[i], ensemble,
                                                           fanin_report_event, app->report);
        return status == FANIN_OK ? 0 : fail_reading(app, status);
    }
    return fail_with(EXIT_REFUSED,
                     "the recipe's data have neither test nor validation part, so say on "
                     "what: --data FILE");
}

static int run(struct app *app, const void *fields, const char *const *operands, int n) {
    (void)n;
    const struct eval_fields *f = fields;
    if (f->labels && !f->data) return fail_with(EXIT_USAGE, "--labels goes with --data");
    if (f->data && f->set.n > 0) return fail_with(EXIT_USAGE, "--set changes nothing with --data");
    struct fanin_ensemble_options ensemble;
    int code = ensemble_options(app, &f->mc, f->inference, &ensemble);
    if (code) return code;
    fanin_model *model = NULL;
    fanin_data *data = NULL;
    enum fanin_status status = fanin_model_load(&model, app->ctx, operands[0]);
    code = status == FANIN_OK ? 0 : fail_reading(app, status);
    if (!code)
        code = f->data ? load_file(app, f, model, &data) : load_recipe_data(app, f, model, &data);
    if (!code) code = evaluate(app, model, data, &ensemble);
    fanin_data_free(data);
    fanin_model_free(model);
    return code;
}

const struct command cmd_eval = {
    .usage = {"eval", "MODEL", 1, 1, "Measure a model on data it has not seen", options,
              common_options},
    .size = sizeof(struct eval_fields),
    .run = run,
};
