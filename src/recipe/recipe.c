/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recipes: reading, overriding, interpreting, and building the model.
 *
 * Order: text → tree → overrides → structs → JSON. Interpretation comes after all overrides, so
 * that a recipe with an override is exactly the recipe that has it written in. The net is only
 * built when the shape of the data is known, but its layers, names and attributes are checked with
 * the rest.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "recipe/recipe.h"

/* ---- files --------------------------------------------------------------------------------------- */

static enum fanin_status fail_read(fanin_ctx *ctx, const char *path) {
    return fi_fail(ctx, FANIN_ERR_IO, "cannot read '%s': %s", path, strerror(errno ? errno : EIO));
}

/* The whole file, to be freed; one byte more than the limit is enough to know that it is too large.
 */
static enum fanin_status read_stream(fanin_ctx *ctx, char **out, size_t *length, FILE *file,
                                     const char *path) {
    size_t cap = 1u << 14, limit = (size_t)FI_VALUE_MAX_BYTES + 1;
    char *text = fi_alloc(ctx, (int64_t)cap, 1);
    *length = 0;
    while (text) {
        errno = 0;
        *length += fread(text + *length, 1, FI_MIN(cap, limit) - *length, file);
        if (ferror(file)) {
            fi_free(ctx, text);
            return fail_read(ctx, path);
        }
        if (feof(file) || *length == limit) break;
        if (*length < cap) continue;
        char *grown = fi_alloc(ctx, (int64_t)(2 * cap), 1);
        if (grown) memcpy(grown, text, *length);
        fi_free(ctx, text);
        text = grown;
        cap *= 2;
    }
    *out = text;
    return text ? FANIN_OK : FANIN_ERR_MEMORY;
}

static enum fanin_status read_file(fanin_ctx *ctx, char **out, size_t *length, const char *path) {
    *out = NULL;
    errno = 0;
    FILE *file = fopen(path, "rb");
    if (!file) return fail_read(ctx, path);
    enum fanin_status status = read_stream(ctx, out, length, file, path);
    (void)fclose(file);
    return status;
}

/* ---- sections ------------------------------------------------------------------------------------ */

static void take_rule(struct fanin_rule *out, const struct fi_attrs *attrs, const char *name) {
    const struct fanin_attr *attr = fi_attrs_find(attrs, name);
    if (attr && attr->rule) *out = *attr->rule;
}

/* The value of a section, NULL if it is not given; it must be a map. */
static enum fanin_status section_value(fanin_ctx *ctx, struct fi_value **out,
                                       const struct fi_value *root, const char *name) {
    *out = fi_value_get(root, name);
    if (*out && (*out)->kind != FI_VALUE_MAP) return fi_fail_type(ctx, *out, name, "a map of keys");
    return FANIN_OK;
}

/* Reads a section by its record; *out points at its struct. */
static enum fanin_status read_section(struct fi_arena *arena, const void **out,
                                      struct fi_attrs *attrs, const struct fanin_record *record,
                                      struct fi_value *value, struct fi_mark mark,
                                      const char *path) {
    FI_TRY(fi_attrs_read(arena, attrs, record, value, path, false));
    return fi_attrs_finish(arena, out, record, attrs, mark, path);
}

static enum fanin_status read_data(fanin_recipe *r) {
    struct fi_value *value;
    struct fi_attrs attrs;
    const void *parsed;
    FI_TRY(section_value(r->ctx, &value, r->root, "data"));
    FI_TRY(read_section(&r->arena, &parsed, &attrs, &fi_section_data, value,
                        value ? value->mark : r->root->mark, "data"));
    const struct fi_section_data *keys = parsed;
    const struct fanin_attr *normalize = fi_attrs_find(&attrs, "normalize");
    const struct fanin_attr *target = fi_attrs_find(&attrs, "target");
    r->data = (struct fanin_data_options){.size = sizeof r->data,
                                          .dir = keys->dir,
                                          .train = keys->train,
                                          .train_labels = keys->train_labels,
                                          .validation = keys->validation,
                                          .validation_labels = keys->validation_labels,
                                          .test = keys->test,
                                          .test_labels = keys->test_labels,
                                          .sample_weights = keys->sample_weights,
                                          .rows = keys->rows,
                                          .test_rows = keys->test_rows,
                                          .target = target ? target->text : NULL,
                                          .validation_fraction = keys->validation_fraction,
                                          .test_fraction = keys->test_fraction,
                                          .normalize = normalize ? normalize->text : NULL,
                                          .seed = r->train.seed};
    take_rule(&r->data.reader, &attrs, "reader");
    return FANIN_OK;
}

static enum fanin_status read_early_stop(fanin_recipe *r, struct fi_value *value) {
    struct fi_attrs attrs;
    const void *parsed;
    const char *path = "train.early_stop";
    FI_TRY(
        read_section(&r->arena, &parsed, &attrs, &fi_section_early_stop, value, value->mark, path));
    const struct fi_section_early_stop *keys = parsed;
    if (strcmp(keys->metric, "loss") != 0 && !fanin_record_find(r->ctx, "metric", keys->metric)) {
        return fi_fail_record(&r->arena, value->mark, "metric", keys->metric);
    }
    r->train.early_stop_metric = keys->metric;
    r->train.patience = keys->patience;
    r->train.min_delta = keys->min_delta;
    return FANIN_OK;
}

static enum fanin_status read_checkpoint(fanin_recipe *r, struct fi_value *value) {
    struct fi_attrs attrs;
    const void *parsed;
    FI_TRY(read_section(&r->arena, &parsed, &attrs, &fi_section_checkpoint, value, value->mark,
                        "train.checkpoint"));
    const struct fi_section_checkpoint *keys = parsed;
    r->train.checkpoint = keys->path;
    r->train.checkpoint_every = keys->every;
    return FANIN_OK;
}

static enum fanin_status read_from(fanin_recipe *r, struct fi_value *value) {
    struct fi_attrs attrs;
    const void *parsed;
    FI_TRY(read_section(&r->arena, &parsed, &attrs, &fi_section_from, value, value->mark,
                        "train.from"));
    r->from = parsed;
    r->from_mark = value->mark;
    return FANIN_OK;
}

static enum fanin_status read_train_keys(fanin_recipe *r, struct fi_value *value) {
    struct fi_attrs attrs;
    const void *parsed;
    FI_TRY(read_section(&r->arena, &parsed, &attrs, &fi_section_train, value,
                        value ? value->mark : r->root->mark, "train"));
    const struct fi_section_train *keys = parsed;
    r->train.size = sizeof r->train;
    r->train.epochs = keys->epochs;
    /* left out it shrinks to small data, which a written 128 does not */
    r->train.batch = fi_attrs_find(&attrs, "batch") ? keys->batch : 0;
    r->train.seed = (uint64_t)keys->seed;
    r->train.shards = keys->shards;
    r->train.clip_value = keys->clip_value;
    r->train.clip_norm = keys->clip_norm;
    r->train.rounding_noise = keys->rounding_noise;
    r->train.mixup = keys->mixup;
    r->train.allow_symmetric = keys->allow_symmetric;
    r->train.watch = keys->watch;
    return FANIN_OK;
}

static enum fanin_status read_train(fanin_recipe *r) {
    static const struct {
        const char *name, *path;
        enum fanin_status (*read)(fanin_recipe *r, struct fi_value *value);
    } parts[] = {{"early_stop", "train.early_stop", read_early_stop},
                 {"checkpoint", "train.checkpoint", read_checkpoint},
                 {"from", "train.from", read_from}};
    struct fi_value *value;
    FI_TRY(section_value(r->ctx, &value, r->root, "train"));
    enum fanin_status first = FANIN_OK;
    if (!fi_mistakes_go_on(r->ctx, &first, read_train_keys(r, value), NULL)) return first;
    for (int i = 0; i < FI_COUNT(parts); i++) {
        struct fi_value *part = fi_value_get(value, parts[i].name);
        if (part && !fi_mistakes_go_on(r->ctx, &first, parts[i].read(r, part), parts[i].path))
            break;
    }
    return first;
}

static enum fanin_status read_regularize(fanin_recipe *r) {
    struct fanin_rule *rules;
    enum fanin_status status = fi_rules_read(&r->arena, &rules, &r->train.n_regularize, "reg",
                                             fi_value_get(r->root, "regularize"), "regularize");
    r->train.regularize = rules;
    return status;
}

static enum fanin_status read_constrain(fanin_recipe *r) {
    struct fanin_rule *rules;
    enum fanin_status status = fi_rules_read(&r->arena, &rules, &r->train.n_constrain, "constraint",
                                             fi_value_get(r->root, "constrain"), "constrain");
    r->train.constrain = rules;
    return status;
}

static enum fanin_status read_params(fanin_recipe *r) {
    FI_TRY(fi_params_read(&r->arena, &r->params, &r->layers, fi_value_get(r->root, "params")));
    r->train.params = r->params.items;
    r->train.n_params = r->params.n;
    return FANIN_OK;
}

static enum fanin_status read_net(fanin_recipe *r) {
    struct fi_value *net = fi_value_get(r->root, "net");
    if (!net) return fi_fail_at(r->ctx, r->root->mark, "net is missing: the list of layers");
    enum fanin_status first = fi_layers_expand(&r->arena, &r->layers, net);
    if (first == FANIN_OK && r->layers.n == 0)
        return fi_fail_at(r->ctx, net->mark, "net has no layers");
    if (first != FANIN_OK && first != FANIN_ERR_RECIPE) return first;
    enum fanin_status status = fi_layers_read(&r->arena, &r->layers);
    (void)fi_mistakes_go_on(r->ctx, &first, status, "net");
    return first;
}

static enum fanin_status interpret(fanin_recipe *r) {
    struct fi_attrs attrs;
    const void *parsed;
    enum fanin_status first =
        read_section(&r->arena, &parsed, &attrs, &fi_section_recipe, r->root, r->root->mark, "");
    if (first != FANIN_OK && first != FANIN_ERR_RECIPE) return first;
    take_rule(&r->init, &attrs, "init");
    take_rule(&r->loss, &attrs, "loss");
    take_rule(&r->train.optim, &attrs, "optim");
    take_rule(&r->train.schedule, &attrs, "schedule");
    take_rule(&r->train.momentum_schedule, &attrs, "momentum_schedule");
    take_rule(&r->train.average, &attrs, "average");
    static const struct {
        const char *key;
        enum fanin_status (*read)(fanin_recipe *r);
    } sections[] = {
        {"train", read_train},         {"data", read_data}, {"regularize", read_regularize},
        {"constrain", read_constrain}, {"net", read_net},   {"params", read_params}};
    for (int i = 0; i < FI_COUNT(sections); i++) {
        enum fanin_status status = sections[i].read(r);
        if (!fi_mistakes_go_on(r->ctx, &first, status, sections[i].key)) break;
    }
    return first;
}

static enum fanin_status write_json(fanin_recipe *r) {
    struct fi_text text;
    fi_text_init(&text, r->ctx);
    fi_value_json(&text, r->root);
    r->json = text.failed ? NULL : fi_arena_strdup(&r->arena, text.data);
    fi_text_free(&text);
    return r->json ? FANIN_OK : FANIN_ERR_MEMORY;
}

static enum fanin_status override(fanin_recipe *r, const struct fi_change *change) {
    const char *text = change->text;
    enum fanin_status first = FANIN_OK, status = fi_override(&r->arena, r->root, change);
    const char *key = fi_arena_printf(&r->arena, "%.*s", (int)strcspn(text, "="), text);
    if (!key) return FANIN_ERR_MEMORY;
    (void)fi_mistakes_go_on(r->ctx, &first, status, key);
    return first == FANIN_OK ? fi_data_canonical(&r->arena, r->root) : first;
}

static enum fanin_status read_root(fanin_recipe *r, const struct fi_change *changes, int n) {
    if (r->root->kind != FI_VALUE_MAP) {
        return fi_fail_type(r->ctx, r->root, "recipe", "a map with the keys data, net, train, …");
    }
    enum fanin_status first = FANIN_OK;
    if (!fi_mistakes_go_on(r->ctx, &first, fi_data_canonical(&r->arena, r->root), "data"))
        return first;
    for (int i = 0; i < n; i++) {
        if (!fi_mistakes_go_on(r->ctx, &first, override(r, &changes[i]), NULL)) return first;
    }
    (void)fi_mistakes_go_on(r->ctx, &first, interpret(r), NULL);
    return first == FANIN_OK ? write_json(r) : first;
}

static enum fanin_status read_recipe(fanin_recipe *r, const char *name, const char *text,
                                     size_t length, const char *const *overrides, int n_overrides) {
    const char *source = fi_arena_strdup(&r->arena, name);
    if (!source) return FANIN_ERR_MEMORY;
    fi_mistakes_open(r->ctx);
    FI_TRY(fi_value_parse(&r->arena, &r->root, source, true, text, length));
    if (r->root->kind == FI_VALUE_NULL) {
        return fi_fail(r->ctx, FANIN_ERR_RECIPE, "%s: the recipe is empty", source);
    }
    struct fi_change *changes = fi_arena_alloc(&r->arena, n_overrides, sizeof *changes);
    if (!changes) return FANIN_ERR_MEMORY;
    for (int i = 0; i < n_overrides; i++) changes[i].text = overrides[i];
    return read_root(r, changes, n_overrides);
}

static enum fanin_status read_tree(fanin_recipe *r, const struct fi_value *root,
                                   const struct fi_change *changes, int n) {
    fi_mistakes_open(r->ctx);
    FI_TRY(fi_value_copy(&r->arena, &r->root, root));
    return read_root(r, changes, n);
}

/* ---- the interface ------------------------------------------------------------------------------- */

static enum fanin_status create(fanin_recipe **out, fanin_ctx *ctx) {
    *out = fi_alloc(ctx, 1, sizeof **out);
    if (!*out) return FANIN_ERR_MEMORY;
    (*out)->ctx = ctx;
    fi_arena_init(&(*out)->arena, ctx);
    return FANIN_OK;
}

static enum fanin_status finish(fanin_recipe **out, fanin_recipe *recipe,
                                enum fanin_status status) {
    status = fi_mistakes_close(recipe->ctx, status);
    if (status != FANIN_OK) {
        fanin_recipe_free(recipe);
        recipe = NULL;
    }
    *out = recipe;
    return status;
}

static enum fanin_status parse(fanin_recipe **out, fanin_ctx *ctx, const char *name,
                               const char *text, size_t length, const char *const *overrides,
                               int n_overrides) {
    fanin_recipe *recipe;
    *out = NULL;
    FI_TRY(create(&recipe, ctx));
    return finish(out, recipe, read_recipe(recipe, name, text, length, overrides, n_overrides));
}

enum fanin_status fanin_recipe_load(fanin_recipe **out, fanin_ctx *ctx, const char *path,
                                    const char *const *overrides, int n_overrides) {
    *out = NULL;
    if (!path) {
        return fanin_recipe_parse(out, ctx, "default recipe", fi_recipe_digits, overrides,
                                  n_overrides);
    }
    char *text;
    size_t length = 0;
    FI_TRY(read_file(ctx, &text, &length, path));
    enum fanin_status status = parse(out, ctx, path, text, length, overrides, n_overrides);
    fi_free(ctx, text);
    return status;
}

enum fanin_status fanin_recipe_parse(fanin_recipe **out, fanin_ctx *ctx, const char *name,
                                     const char *text, const char *const *overrides,
                                     int n_overrides) {
    *out = NULL;
    if (!name || !text) {
        return fi_fail(ctx, FANIN_ERR_ARGUMENT, "fanin_recipe_parse: name and text must be given");
    }
    return parse(out, ctx, name, text, strlen(text), overrides, n_overrides);
}

enum fanin_status fi_recipe_from_value(fanin_recipe **out, fanin_ctx *ctx,
                                       const struct fi_value *root, const struct fi_change *changes,
                                       int n_changes) {
    fanin_recipe *recipe;
    *out = NULL;
    FI_TRY(create(&recipe, ctx));
    return finish(out, recipe, read_tree(recipe, root, changes, n_changes));
}

enum fanin_status fi_value_load(struct fi_arena *arena, struct fi_value **out, const char *path) {
    char *text;
    size_t length = 0;
    FI_TRY(read_file(arena->ctx, &text, &length, path));
    const enum fanin_status status = fi_value_parse(arena, out, path, true, text, length);
    fi_free(arena->ctx, text);
    return status;
}

enum fanin_status fanin_recipe_for_data(fanin_recipe **out, fanin_ctx *ctx, const char *file,
                                        const char *target, const char *const *overrides,
                                        int n_overrides) {
    fanin_recipe *recipe;
    *out = NULL;
    if (!file) return fi_fail(ctx, FANIN_ERR_ARGUMENT, "fanin_recipe_for_data: no file is given");
    FI_TRY(create(&recipe, ctx));
    const char *text = fi_recipe_table(&recipe->arena, file, target);
    enum fanin_status status =
        text ? read_recipe(recipe, "recipe for tables", text, strlen(text), overrides, n_overrides)
             : FANIN_ERR_MEMORY;
    return finish(out, recipe, status);
}

enum fanin_status fi_recipe_with_seed(fanin_recipe **out, const fanin_recipe *recipe,
                                      uint64_t seed) {
    char set[48];
    const char *overrides[] = {set};
    (void)snprintf(set, sizeof set, "train.seed=%" PRIu64, seed);
    return fanin_recipe_parse(out, recipe->ctx, "recipe", recipe->json, overrides, 1);
}

void fanin_recipe_free(fanin_recipe *recipe) {
    if (!recipe) return;
    fi_arena_free(&recipe->arena);
    fi_free(recipe->ctx, recipe);
}

const char *fanin_recipe_json(const fanin_recipe *recipe) {
    return recipe->json;
}

uint64_t fanin_recipe_seed(const fanin_recipe *recipe) {
    return recipe->train.seed;
}

const struct fanin_data_options *fanin_recipe_data(const fanin_recipe *recipe) {
    return &recipe->data;
}

const struct fanin_train_options *fanin_recipe_train(const fanin_recipe *recipe) {
    return &recipe->train;
}
