/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fanin check [RECIPE|MODEL]: what theory predicts for the net and its start, what a batch of the
 * data does in it, what is wrong and the smallest change that mends it. The exit code is the
 * verdict.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "app.h"

struct check_fields {
    struct common common;
    struct opt_list set;
    struct opt_count batch, seeds;
    int sharpness;
};

static const struct opt options[] = {
    {"set", 0, OPT_LIST, offsetof(struct check_fields, set), "PATH=VALUE", "change the recipe", 0,
     0},
    {"batch", 0, OPT_COUNT, offsetof(struct check_fields, batch), "N",
     "samples to look at; default: the recipe's batch, at most 128", 2, 256},
    {"seeds", 0, OPT_COUNT, offsetof(struct check_fields, seeds), "K",
     "starts to look at; default: 3", 1, 1000},
    RECIPE_SEED,
    {"sharpness", 0, OPT_FLAG, offsetof(struct check_fields, sharpness), NULL,
     "the largest curvature, and the largest stable learning rate", 0, 0},
    {NULL, 0, OPT_FLAG, 0, NULL, NULL, 0, 0}};

static const char *const verdicts[] = {"trainable", "at risk", "will not train"};

/* ---- text ------------------------------------------------------------------------------------------ */

static void print_figure(double value) {
    if (isfinite(value))
        printf(" %9.3g", value);
    else
        printf(" %9s", "-");
}

/* measured, and its spread where there is more than one start */
static void print_measured(double second, double spread, int outside) {
    char text[32] = "-";
    if (isfinite(second) && isfinite(spread) &&
        second > 0) /* of a root: half the relative spread */
        snprintf(text, sizeof text, "%.3g±%.0f%%", sqrt(second), 50 * spread / second);
    else if (isfinite(second))
        snprintf(text, sizeof text, "%.3g", sqrt(second));
    printf(" %12s%c", text, outside ? '!' : ' ');
}

static void print_few(const char *what, const struct fanin_check_few *few) {
    if (few->count == 0) return;
    printf(" %" PRId64 " %s (", few->count, what);
    const int shown = (int)(few->count < 4 ? few->count : 4);
    for (int i = 0; i < shown; i++) printf("%s%" PRId64, i ? "," : "", few->first[i]);
    printf("%s)", few->count > shown ? ",…" : "");
}

static void print_layer(const struct fanin_check_layer *l) {
    printf("%-16.16s %6" PRId64, l->name, l->shape.cols);
    print_figure(sqrt(l->predicted.second));
    print_measured(l->measured.second, l->spread.second, l->outside & 1);
    print_figure(l->predicted.cosine);
    print_figure(l->measured.cosine);
    print_figure(l->chi);
    print_figure(sqrt(l->predicted.grad));
    print_measured(l->measured.grad, l->spread.grad, l->outside & 2);
    print_few("tied", &l->tied);
    print_few("almost tied", &l->almost_tied);
    print_few("dead", &l->dead);
    print_few("saturated", &l->saturated);
    if (l->constant.count > l->dead.count) print_few("constant", &l->constant);
    printf("\n");
}

static void print_text(const struct fanin_check_result *r) {
    printf("%d start%s from seed %" PRIu64 ", %" PRId64 " samples\n\n", r->seeds,
           r->seeds == 1 ? "" : "s", r->seed, r->batch);
    printf("%-16s %6s %9s %12s  %9s %9s %9s %9s %12s\n", "", "", "signal", "rms", "cosine", "", "",
           "gradient", "rms");
    printf("%-16s %6s %9s %12s  %9s %9s %9s %9s %12s\n", "layer", "units", "predicted", "measured",
           "predicted", "measured", "chi", "predicted", "measured");
    for (int i = 0; i < r->n_layers; i++) print_layer(&r->layers[i]);
    printf("\n%-24s %9s %9s %12s %9s\n", "parameter", "rms", "gradient", "measured", "update");
    for (int i = 0; i < r->n_params; i++) {
        const struct fanin_check_param *p = &r->params[i];
        printf("%-24.24s", p->name);
        print_figure(p->rms);
        print_figure(p->grad_predicted);
        print_figure(p->grad_measured);
        print_figure(p->update);
        printf("\n");
    }
    printf("\nloss %.4g (of the best constant prediction %.4g)  gradient norm %.3g  lr %.3g\n",
           r->loss, r->loss_known, r->grad_norm, r->lr);
    if (isfinite(r->sharpness))
        printf("sharpness %.4g: the largest stable learning rate of plain gradient descent is "
               "%.3g\n",
               r->sharpness, 2 / r->sharpness);
    for (int i = 0; i < r->n_findings; i++) {
        const struct fanin_check_finding *f = &r->findings[i];
        printf("\n%s: %s\n", verdicts[f->severity], f->text);
        if (f->mend) printf("  mend: %s", f->mend);
        if (f->path) printf(" (--set %s='%s')", f->path, f->value);
        if (f->mend || f->path) printf("\n");
    }
    printf("\nverdict: %s\n", verdicts[r->verdict]);
}

/* ---- JSON ------------------------------------------------------------------------------------------ */

static void note_layer(const struct app *app, const struct fanin_check_layer *l) {
    const struct fanin_text texts[] = {{"name", l->name}, {"op", l->op}};
    const struct fanin_figure figures[] = {{"units", (double)l->shape.cols},
                                           {"depth", l->depth},
                                           {"predicted_mean", l->predicted.mean},
                                           {"predicted_second_moment", l->predicted.second},
                                           {"predicted_cosine", l->predicted.cosine},
                                           {"predicted_gradient", l->predicted.grad},
                                           {"measured_mean", l->measured.mean},
                                           {"measured_second_moment", l->measured.second},
                                           {"measured_cosine", l->measured.cosine},
                                           {"measured_gradient", l->measured.grad},
                                           {"spread_second_moment", l->spread.second},
                                           {"spread_gradient", l->spread.grad},
                                           {"chi", l->chi},
                                           {"band", l->band},
                                           {"outside", l->outside},
                                           {"tied", (double)l->tied.count},
                                           {"almost_tied", (double)l->almost_tied.count},
                                           {"dead", (double)l->dead.count},
                                           {"saturated", (double)l->saturated.count},
                                           {"constant", (double)l->constant.count}};
    fanin_report_note(app->report, "layer", texts, 2, figures,
                      (int)(sizeof figures / sizeof *figures));
}

static void print_json(const struct app *app, const struct fanin_check_result *r) {
    for (int i = 0; i < r->n_layers; i++) note_layer(app, &r->layers[i]);
    for (int i = 0; i < r->n_params; i++) {
        const struct fanin_check_param *p = &r->params[i];
        const struct fanin_text texts[] = {{"name", p->name}};
        const struct fanin_figure figures[] = {{"rms", p->rms},
                                               {"predicted_gradient", p->grad_predicted},
                                               {"measured_gradient", p->grad_measured},
                                               {"spread_gradient", p->grad_spread},
                                               {"update", p->update}};
        fanin_report_note(app->report, "parameter", texts, 1, figures, 5);
    }
    for (int i = 0; i < r->n_findings; i++) {
        const struct fanin_check_finding *f = &r->findings[i];
        const struct fanin_text texts[] = {{"name", f->name},
                                           {"severity", verdicts[f->severity]},
                                           {"layer", f->layer ? f->layer : ""},
                                           {"text", f->text},
                                           {"mend", f->mend ? f->mend : ""},
                                           {"path", f->path ? f->path : ""},
                                           {"value", f->value ? f->value : ""}};
        fanin_report_note(app->report, "finding", texts, 7, NULL, 0);
    }
    const struct fanin_text texts[] = {{"verdict", verdicts[r->verdict]}};
    const struct fanin_figure figures[] = {{"starts", r->seeds},
                                           {"seed", (double)r->seed},
                                           {"samples", (double)r->batch},
                                           {"loss", r->loss},
                                           {"loss_spread", r->loss_spread},
                                           {"loss_constant", r->loss_known},
                                           {"gradient_norm", r->grad_norm},
                                           {"lr", r->lr},
                                           {"sharpness", r->sharpness},
                                           {"seconds", r->seconds},
                                           {"bytes", r->bytes}};
    fanin_report_note(app->report, "verdict", texts, 1, figures, 11);
}

/* ---- the command ----------------------------------------------------------------------------------- */

static int tell(const struct app *app, const struct fanin_check_result *r) {
    static const int codes[] = {EXIT_DONE, EXIT_AT_RISK, EXIT_WILL_NOT_TRAIN};
    if (app->common->json)
        print_json(app, r);
    else if (app->common->quiet)
        printf("%s\n", verdicts[r->verdict]);
    else
        print_text(r);
    return codes[r->verdict];
}

static int check_recipe(const struct app *app, const struct check_fields *f, const char *path,
                        const struct fanin_check_options *how) {
    struct opt_list overrides;
    char seed[40];
    fanin_recipe *recipe = NULL;
    fanin_check *check = NULL;
    int code = add_seed(app, &f->set, &overrides, seed);
    if (code) return code;
    enum fanin_status status =
        fanin_recipe_load(&recipe, app->ctx, path, overrides.items, overrides.n);
    if (status == FANIN_OK) status = fanin_recipe_check(&check, recipe, how);
    code = status == FANIN_OK ? tell(app, fanin_check_get(check)) : fail_reading(app, status);
    fanin_check_free(check);
    fanin_recipe_free(recipe);
    free(overrides.items);
    return code;
}

static int check_model(const struct app *app, const struct check_fields *f, const char *path,
                       const struct fanin_check_options *how) {
    fanin_model *model = NULL;
    fanin_recipe *recipe = NULL;
    fanin_data *data = NULL;
    fanin_check *check = NULL;
    enum fanin_status status = fanin_model_load(&model, app->ctx, path);
    if (status == FANIN_OK && !fanin_model_recipe(model)) {
        fanin_model_free(model);
        return fail_with(EXIT_REFUSED, "%s: the model holds no recipe, so no data to look at",
                         path);
    }
    if (status == FANIN_OK)
        status = fanin_recipe_parse(&recipe, app->ctx, "the model's recipe",
                                    fanin_model_recipe(model), f->set.items, f->set.n);
    if (status == FANIN_OK) status = fanin_data_load(&data, app->ctx, fanin_recipe_data(recipe));
    if (status == FANIN_OK)
        status = fanin_model_check(&check, model, data, fanin_recipe_train(recipe), how);
    const int code =
        status == FANIN_OK ? tell(app, fanin_check_get(check)) : fail_reading(app, status);
    fanin_check_free(check);
    fanin_data_free(data);
    fanin_recipe_free(recipe);
    fanin_model_free(model);
    return code;
}

static int is_model(const char *path) {
    static const char end[] = ".safetensors";
    const size_t n = strlen(path), m = sizeof end - 1;
    return n >= m && strcmp(path + n - m, end) == 0;
}

static int run(struct app *app, const void *fields, const char *const *operands, int n) {
    const struct check_fields *f = fields;
    const struct fanin_check_options how = {.size = sizeof how,
                                            .batch = (int64_t)f->batch.value,
                                            .seeds = (int)f->seeds.value,
                                            .sharpness = f->sharpness};
    const char *path = n > 0 ? operands[0] : NULL;
    if (path && is_model(path)) return check_model(app, f, path, &how);
    return check_recipe(app, f, path, &how);
}

const struct command cmd_check = {
    .usage = {"check", "[RECIPE|MODEL]", 0, 1,
              "Tell before the first step whether a net will train, and what to change", options,
              common_options},
    .size = sizeof(struct check_fields),
    .run = run,
};
