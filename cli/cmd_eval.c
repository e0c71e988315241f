/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fanin eval MODEL: figures of a trained model on data it has not seen: a file, or the test part of
 * the data its own recipe names (split as in training).
 */
#include "models.h"

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
    enum fanin_part part;
    char why[512] = "";
    const struct labelled from = {f->data, f->labels, &f->set};
    enum fanin_status status = fanin_model_load(&model, app->ctx, operands[0]);
    if (status == FANIN_OK) status = load_labelled(app, model, &from, &data, &part, why);
    if (status == FANIN_OK)
        status =
            fanin_evaluate_ensemble(model, data, part, &ensemble, fanin_report_event, app->report);
    if (status != FANIN_OK)
        code = *why ? fail_with(EXIT_REFUSED, "%s", why) : fail_reading(app, status);
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
