/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fanin check [RECIPE|MODEL]: what theory predicts for the net and its start, what a batch of the
 * data does in it, what is wrong and the smallest change that mends it. The exit code is the
 * verdict.
 */
#include <stdlib.h>

#include "check.h"
#include "models.h"

struct check_fields {
    struct common common;
    struct opt_list set;
    struct opt_count batch, seeds;
    int sharpness;
    const char *html, *fix;
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
    {"html", 0, OPT_TEXT, offsetof(struct check_fields, html), "FILE",
     "write a page with plots, for a browser", 0, 0},
    {"fix", 0, OPT_TEXT, offsetof(struct check_fields, fix), "OUT",
     "write the recipe, changed so that it is trainable", 0, 0},
    {NULL, 0, OPT_FLAG, 0, NULL, NULL, 0, 0}};

/* ---- the command ----------------------------------------------------------------------------------- */

/* The page goes to a file that is there completely or not at all. It is begun first, so that a file
 * that cannot be written is told before anything is computed. */
static int make_page(const struct app *app, fanin_file *file, const char *title,
                     const struct fanin_check_result *r, const char *recipe) {
    fanin_page *page;
    const enum fanin_status status = fanin_page_create(&page, app->ctx, title, "fanin check");
    if (status != FANIN_OK) return fail_writing(app, status);
    check_html(page, app, r, recipe);
    const int code = write_page(app, page, file);
    fanin_page_free(page);
    return code;
}

/* One check: where its results go. */
struct target {
    const struct app *app;
    const char *title;
    fanin_file *page;    /* NULL: none is wanted */
    const char *fixed;   /* NULL: the recipe is not to be changed */
    fanin_file *changed; /* where it goes then */
};

static int tell(const struct target *to, const struct fanin_check_result *r, const char *recipe) {
    static const int codes[] = {EXIT_DONE, EXIT_AT_RISK, EXIT_WILL_NOT_TRAIN};
    if (to->app->common->json)
        check_json(to->app, r);
    else if (to->app->common->quiet)
        printf("%s\n", check_verdicts[r->verdict]);
    else
        check_text(r);
    const int code = to->page ? make_page(to->app, to->page, to->title, r, recipe) : 0;
    return code ? code : codes[r->verdict];
}

static int check_recipe(const struct target *to, const struct check_fields *f, const char *path,
                        const struct fanin_check_options *how) {
    const struct app *app = to->app;
    struct opt_list overrides;
    char seed[40];
    fanin_recipe *recipe = NULL;
    fanin_check *check = NULL;
    int code = add_seed(app, &f->set, &overrides, seed);
    if (code) return code;
    enum fanin_status status =
        fanin_recipe_load(&recipe, app->ctx, path, overrides.items, overrides.n);
    if (status == FANIN_OK) status = fanin_recipe_check(&check, recipe, how);
    code = status == FANIN_OK ? tell(to, fanin_check_get(check), fanin_recipe_json(recipe))
                              : fail_reading(app, status);
    fanin_check_free(check);
    fanin_recipe_free(recipe);
    if (status == FANIN_OK && to->fixed) {
        const int fixed = check_fix(app, path, &overrides, how, to->changed, to->fixed);
        if (fixed) code = fixed;
    }
    free(overrides.items);
    return code;
}

static int check_model(const struct target *to, const struct check_fields *f, const char *path,
                       const struct fanin_check_options *how) {
    const struct app *app = to->app;
    struct subject s;
    fanin_check *check = NULL;
    int code = open_model(app, path, &f->set, &s);
    if (code) return code;
    const enum fanin_status status =
        fanin_model_check(&check, s.model, s.data, fanin_recipe_train(s.recipe), how);
    code = status == FANIN_OK ? tell(to, fanin_check_get(check), fanin_recipe_json(s.recipe))
                              : fail_reading(app, status);
    fanin_check_free(check);
    close_subject(&s);
    return code;
}

static int run(struct app *app, const void *fields, const char *const *operands, int n) {
    const struct check_fields *f = fields;
    const struct fanin_check_options how = {.size = sizeof how,
                                            .batch = (int64_t)f->batch.value,
                                            .seeds = (int)f->seeds.value,
                                            .sharpness = f->sharpness};
    const char *path = n > 0 ? operands[0] : NULL;
    struct target to = {.app = app, .title = path ? path : "handwritten digits", .fixed = f->fix};
    if (f->html) {
        const enum fanin_status status = fanin_file_create(&to.page, app->ctx, f->html);
        if (status != FANIN_OK) return fail_writing(app, status);
    }
    if (f->fix && path && is_model_file(path))
        return fail_with(EXIT_USAGE, "check: --fix changes recipes, and %s is a model", path);
    if (f->fix) {
        const enum fanin_status status = fanin_file_create(&to.changed, app->ctx, f->fix);
        if (status != FANIN_OK) return fail_writing(app, status);
    }
    const int code = path && is_model_file(path) ? check_model(&to, f, path, &how)
                                                 : check_recipe(&to, f, path, &how);
    fanin_file_free(to.page);
    fanin_file_free(to.changed);
    return code;
}

const struct command cmd_check = {
    .usage = {"check", "[RECIPE|MODEL]", 0, 1,
              "Tell before the first step whether a net will train, and what to change", options,
              common_options},
    .size = sizeof(struct check_fields),
    .run = run,
};
