/* SPDX-License-Identifier: Apache-2.0 */
/*
 * docs/recipe.md and examples/recipes hold to what the parser takes: every ```yaml block is a
 * recipe, every
 * --set of a ```sh block fits the last recipe before it, and the tables name every key.
 */
#include "support/support.h"

#include <dirent.h>

#include <fanin/recipe.h>

#include "graph/graph.h"

static fanin_ctx *ctx;

static int setup(void **state) {
    (void)state;
    tests_run++;
    ctx = test_ctx();
    return 0;
}

static int teardown(void **state) {
    (void)state;
    fanin_ctx_free(ctx);
    return 0;
}

static char *read_source(const char *name) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", source_dir(), name);
    return read_file(path, NULL);
}

static void assert_recipe(const char *text, const char *override) {
    fanin_recipe *r;
    assert_ok(ctx, fanin_recipe_parse(&r, ctx, "recipe.md", text, &override, override != NULL));
    fanin_recipe_free(r);
}

/* The overrides on the command lines of a block, with or without single quotes. */
static int assert_overrides(const char *recipe, char *block) {
    int n = 0;
    for (char *p = block; (p = strstr(p, "--set ")); n++) {
        p += 6;
        char value[256], *out = value;
        bool quoted = false;
        for (; *p && (quoted || (*p != ' ' && *p != '\n')); p++) {
            if (*p == '\'') {
                quoted = !quoted;
            } else {
                *out++ = *p;
            }
        }
        *out = '\0';
        assert_recipe(recipe, value);
    }
    return n;
}

static void test_blocks(void **state) {
    (void)state;
    char *text = read_source("docs/recipe.md"), *recipe = NULL;
    int n_recipes = 0, n_overrides = 0;
    for (char *p = text; (p = strstr(p, "```"));) {
        bool yaml = strncmp(p, "```yaml\n", 8) == 0, shell = strncmp(p, "```sh\n", 6) == 0;
        char *body = strchr(p, '\n') + 1, *end = strstr(body, "```");
        assert_non_null(end);
        *end = '\0';
        if (yaml) {
            assert_recipe(recipe = body, NULL);
            n_recipes++;
        }
        if (shell) n_overrides += assert_overrides(recipe, body);
        p = end + 3;
    }
    assert_true(n_recipes >= 9);
    assert_true(n_overrides >= 12);
    free(text);
}

/* Trains for four epochs with the line; true unless it is for other data or nets than these. */
static bool train_line(const char *kind, const char *line) {
    static const char data[] =
        "data: {gaussian_blobs: {n: 80, classes: 6}, validation_fraction: 0.2}\n";
    char recipe[1024];
    fanin_recipe *r;
    fanin_data *blobs;
    fanin_model *model = NULL;
    if (strcmp(kind, "reader") == 0 || strcmp(kind, "op") == 0) return false;
    snprintf(recipe, sizeof recipe, *line == '-' ? "%snet: [dense: 8, %s, dense]\n" : "%s%s\n",
             data, *line == '-' ? line + 2 : line);
    if (*line != '-') strcat(recipe, "net: [dense: 8, relu, dense]\n");
    const char *const overrides[] = {"train.epochs=4", "train.allow_symmetric=true"};
    assert_ok(ctx, fanin_recipe_parse(&r, ctx, "reference", recipe, overrides, 2));
    assert_ok(ctx, fanin_data_load(&blobs, ctx, fanin_recipe_data(r)));
    enum fanin_status status =
        fanin_recipe_model(&model, r, fanin_data_shape(blobs), fanin_data_outputs(blobs), blobs);
    if (!status) status = fanin_train(model, blobs, fanin_recipe_train(r));
    const char *says = fanin_errmsg(ctx);
    bool other = strcmp(kind, "loss") == 0   ? strstr(says, ", but the data have classes") != NULL
                 : strcmp(kind, "init") == 0 ? strstr(says, "no residual branch") != NULL
                                             : false;
    if (strcmp(kind, "metric") == 0) {
        const struct fanin_record *metric =
            fanin_record_find(ctx, kind, fanin_recipe_train(r)->early_stop_metric);
        const enum fanin_task task = ((const struct fi_metric *)(const void *)metric)->task;
        other = task != FANIN_CLASSIFICATION && task != FANIN_UNLABELED;
    }
    if (status && !other) fail_msg("%s\n%s", recipe, says);
    fanin_model_free(model);
    fanin_data_free(blobs);
    fanin_recipe_free(r);
    return status == FANIN_OK;
}

/* The recipe lines of docs/reference: an item of `net`, or another key beside a net. They can be
 * read, and, where a table of classes will do, trained with. */
static void test_reference_lines(void **state) {
    (void)state;
    int n = 0, trained = 0;
    for (int k = 0; fanin_kind(k); k++) {
        char name[64], recipe[1024];
        snprintf(name, sizeof name, "docs/reference/%s.md", fanin_kind(k));
        char *text = read_source(name);
        for (char *p = text; (p = strstr(p, "```yaml\n")); n++) {
            char *line = p + 8, *end = strstr(line, "\n```");
            assert_non_null(end);
            *end = '\0';
            snprintf(recipe, sizeof recipe,
                     *line == '-' ? "net:\n%s\n- dense\n" : "%s\nnet: [dense]\n", line);
            assert_recipe(recipe, NULL);
            trained += train_line(fanin_kind(k), line);
            p = end + 1;
        }
        free(text);
    }
    assert_true(n >= 70);
    assert_true(trained >= 50);
}

static void test_keys_named(void **state) {
    (void)state;
    char *text = read_source("docs/recipe.md");
    for (int i = 0; fanin_recipe_section(i); i++) {
        const struct fanin_record *section = fanin_recipe_section(i);
        for (const struct fanin_attr_spec *key = section->attrs; key->name; key++) {
            char quoted[80], inner[80];
            snprintf(quoted, sizeof quoted, "`%s`", key->name);
            snprintf(inner, sizeof inner, "%s: ", key->name);
            if (!strstr(text, quoted) && !strstr(text, inner)) {
                fail_msg("docs/recipe.md does not tell of %s.%s", section->name, key->name);
            }
        }
    }
    free(text);
}

static void test_examples(void **state) {
    (void)state;
    char dir[512], path[1024];
    snprintf(dir, sizeof dir, "%s/examples/recipes", source_dir());
    DIR *folder = opendir(dir);
    assert_non_null(folder);
    int n = 0;
    for (struct dirent *entry; (entry = readdir(folder));) {
        const char *suffix = strrchr(entry->d_name, '.');
        if (!suffix || strcmp(suffix, ".yaml") != 0) continue;
        snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
        const char *override = "data.dir=somewhere";
        fanin_recipe *r;
        assert_ok(ctx, fanin_recipe_load(&r, ctx, path, &override, 1));
        assert_string_equal(fanin_recipe_data(r)->dir, "somewhere");
        fanin_recipe_free(r);
        n++;
    }
    closedir(folder);
    assert_true(n >= 4);
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    struct CMUnitTest tests[] = {T(test_blocks), T(test_reference_lines), T(test_keys_named),
                                 T(test_examples)};
    return test_main(tests);
}
