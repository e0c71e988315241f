/* SPDX-License-Identifier: Apache-2.0 */
/* What commands share about models (models.h). */
#include "models.h"

#include <math.h>
#include <string.h>

/* ---- data ------------------------------------------------------------------------------------------ */

static enum fanin_status load(const struct app *app, const fanin_model *model,
                              const struct labelled *from, fanin_data **data, char why[512]) {
    fanin_recipe *recipe = NULL;
    const char *json = fanin_model_recipe(model);
    if (from->file) return fanin_data_load_for_model(data, model, from->file, from->labels);
    if (!json) {
        snprintf(why, 512, "the model holds no recipe, so say on what: --data FILE");
        return FANIN_ERR_RECIPE;
    }
    enum fanin_status status = fanin_recipe_parse(&recipe, app->ctx, "the model's recipe", json,
                                                  from->set->items, from->set->n);
    if (status == FANIN_OK) status = fanin_data_load(data, app->ctx, fanin_recipe_data(recipe));
    fanin_recipe_free(recipe);
    return status;
}

enum fanin_status load_labelled(const struct app *app, const fanin_model *model,
                                const struct labelled *from, fanin_data **data,
                                enum fanin_part *part, char why[512]) {
    why[0] = '\0';
    *data = NULL;
    const enum fanin_status status = load(app, model, from, data, why);
    if (status != FANIN_OK) return status;
    *part = fanin_data_rows(*data, FANIN_TEST) > 0 ? FANIN_TEST : FANIN_VALIDATION;
    if (from->file && fanin_data_task(*data) == FANIN_UNLABELED)
        snprintf(why, 512, "%s: no labels to compare with (see --labels; fanin predict needs none)",
                 from->file);
    else if (fanin_data_rows(*data, *part) == 0)
        snprintf(why, 512,
                 "the recipe's data have neither test nor validation part, so say on what: --data "
                 "FILE");
    return *why ? FANIN_ERR_DATA : FANIN_OK;
}

/* ---- what is trained or measured ------------------------------------------------------------------- */

void close_subject(struct subject *s) {
    fanin_model_free(s->model);
    fanin_data_free(s->data);
    fanin_recipe_free(s->recipe);
    *s = (struct subject){0};
}

int load_data_and_model(const struct app *app, struct subject *s) {
    enum fanin_status status = fanin_data_load(&s->data, app->ctx, fanin_recipe_data(s->recipe));
    if (status == FANIN_OK)
        status = fanin_recipe_model(&s->model, s->recipe, fanin_data_shape(s->data),
                                    fanin_data_outputs(s->data), s->data);
    return status == FANIN_OK ? 0 : fail_reading(app, status);
}

int open_recipe(const struct app *app, const char *path, const struct opt_list *set,
                struct subject *s) {
    *s = (struct subject){0};
    const enum fanin_status status =
        fanin_recipe_load(&s->recipe, app->ctx, path, set->items, set->n);
    const int code = status == FANIN_OK ? load_data_and_model(app, s) : fail_reading(app, status);
    if (code) close_subject(s);
    return code;
}

int open_model(const struct app *app, const char *path, const struct opt_list *set,
               struct subject *s) {
    int code = 0;
    *s = (struct subject){0};
    enum fanin_status status = fanin_model_load(&s->model, app->ctx, path);
    if (status == FANIN_OK && !fanin_model_recipe(s->model)) {
        code =
            fail_with(EXIT_REFUSED, "%s: the model holds no recipe, so no data to look at", path);
    } else {
        if (status == FANIN_OK)
            status = fanin_recipe_parse(&s->recipe, app->ctx, "the model's recipe",
                                        fanin_model_recipe(s->model), set->items, set->n);
        if (status == FANIN_OK)
            status = fanin_data_load(&s->data, app->ctx, fanin_recipe_data(s->recipe));
        if (status != FANIN_OK) code = fail_reading(app, status);
    }
    if (code) close_subject(s);
    return code;
}

int is_model_file(const char *path) {
    static const char end[] = ".safetensors";
    const size_t n = strlen(path), m = sizeof end - 1;
    return n >= m && strcmp(path + n - m, end) == 0;
}

/* ---- the start ------------------------------------------------------------------------------------- */

fanin_model *as_started(const struct app *app, const fanin_model *model, fanin_recipe **recipe) {
    const char *json = fanin_model_recipe(model);
    fanin_model *started = NULL;
    struct fanin_node_info input;
    if (!json) return NULL;
    fanin_net_node(fanin_model_net(model), 0, &input);
    if (fanin_recipe_parse(recipe, app->ctx, "recipe", json, NULL, 0) == FANIN_OK)
        fanin_recipe_model(&started, *recipe, &input.shape, fanin_model_outputs(model), NULL);
    return started;
}

/* ---- words ----------------------------------------------------------------------------------------- */

void print_dims(char *out, size_t size, int rank, const int64_t *dims) {
    size_t at = 0;
    snprintf(out, size, rank ? "" : "1");
    for (int i = 0; i < rank && at < size; i++)
        at += (size_t)snprintf(out + at, size - at, i ? "x%lld" : "%lld", (long long)dims[i]);
}

const char *text_of(const struct fanin_event *e, const char *name) {
    for (int i = 0; i < e->n_texts; i++)
        if (!strcmp(e->texts[i].name, name)) return e->texts[i].value;
    return NULL;
}

double figure_of(const struct fanin_event *e, const char *name) {
    for (int i = 0; i < e->n_figures; i++)
        if (!strcmp(e->figures[i].name, name)) return e->figures[i].value;
    return NAN;
}

void print_policy(char *out, size_t size, const struct fanin_event *e, int trainable) {
    const char *parts[2] = {text_of(e, "regularize"), text_of(e, "constrain")};
    const double lr = figure_of(e, "lr");
    size_t at = 0;
    if (!trainable || text_of(e, "frozen")) {
        snprintf(out, size, trainable ? "frozen" : "fixed");
        return;
    }
    for (int i = 0; i < 2; i++)
        if (parts[i] && at < size)
            at += (size_t)snprintf(out + at, size - at, "%s%s", at ? ", " : "", parts[i]);
    if (!isnan(lr) && at < size)
        at += (size_t)snprintf(out + at, size - at, "%slr x%g", at ? ", " : "", lr);
    if (at == 0) snprintf(out, size, "-");
}
