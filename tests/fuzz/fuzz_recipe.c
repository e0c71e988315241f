/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libFuzzer: any bytes as a recipe. The first line, if it begins with '=', holds an override; the
 * rest is the file. What is taken must come back from its JSON as the same JSON; what is refused
 * must say why in one line.
 */
#include <fanin/recipe.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition) {
    if (!condition) abort();
}

static void refused(const fanin_ctx *ctx) {
    const char *message = fanin_errmsg(ctx);
    check(*message && !strchr(message, '\n'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static fanin_ctx *ctx;
    struct fanin_ctx_options options = {.size = sizeof options, .threads = 1, .isa = "portable"};
    if (!ctx) check(fanin_ctx_create(&ctx, &options, NULL, 0) == FANIN_OK);

    char *text = malloc(size + 1), *recipe_text = text, *override = NULL;
    check(text);
    memcpy(text, data, size);
    text[size] = '\0';
    char *line = memchr(text, '\n', size);
    if (*text == '=' && line) {
        *line = '\0';
        override = text + 1;
        recipe_text = line + 1;
    }
    fanin_recipe *recipe, *again;
    if (fanin_recipe_parse(&recipe, ctx, "r.yaml", recipe_text, (const char *const *)&override,
                           override != NULL) == FANIN_OK) {
        const char *json = fanin_recipe_json(recipe);
        check(fanin_recipe_parse(&again, ctx, "json", json, NULL, 0) == FANIN_OK);
        check(strcmp(fanin_recipe_json(again), json) == 0);
        fanin_recipe_free(again);
        fanin_recipe_free(recipe);
    } else {
        check(!recipe);
        refused(ctx);
    }
    free(text);
    return 0;
}
