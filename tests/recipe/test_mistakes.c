/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All mistakes of a recipe at once: each with its line, key and nearest name, in the order of the
 * lines, none twice, none that only follows from another.
 */
#include "support/support.h"

#include <fanin/recipe.h>

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

struct expected {
    int line;
    const char *key, *part;
};

static void assert_mistakes(const struct expected *expected, int n) {
    const struct fanin_mistake *found;
    const int n_found = fanin_mistakes(ctx, &found);
    for (int i = 0; i < n_found && i < n; i++) {
        if (found[i].line != expected[i].line || strcmp(found[i].key, expected[i].key) != 0 ||
            !strstr(found[i].message, expected[i].part))
            fail_msg("mistake %d is line %d, %s: %s; expected line %d, %s: %s", i, found[i].line,
                     found[i].key, found[i].message, expected[i].line, expected[i].key,
                     expected[i].part);
    }
    if (n_found > n) fail_msg("one mistake too many: %s", found[n].message);
    assert_int_equal(n_found, n);
}

static void refuse(const char *text, const char *const *overrides, int n) {
    fanin_recipe *r;
    assert_int_equal(fanin_recipe_parse(&r, ctx, "r.yaml", text, overrides, n), FANIN_ERR_RECIPE);
    assert_null(r);
}

static void every_section(void **state) {
    (void)state;
    static const char *const overrides[] = {"train.batch=many", "optim.adam.lr=1"};
    refuse("data: {digits: {}, trian: x}\n"
           "net:\n"
           "  - dense: {units: 0, bais: false}\n"
           "  - dense: {units: 4, init: {kaiming_normal: {mode: fan}}}\n"
           "  - rely\n"
           "  - dense\n"
           "optim: {sgd: {lr: -1, momentun: 0.9}}\n"
           "los: mse\n"
           "regularize: {l22: 3, weight_decay: {lambda: x}}\n"
           "train:\n"
           "  epochs: 1.5\n"
           "  early_stop: {metric: accurcy}\n"
           "  checkpoint: {every: 0}\n",
           overrides, 2);
    static const struct expected expected[] = {
        {1, "data.trian", "did you mean 'train'?"},
        {3, "net.dense1.units", "'units' must be at least 1"},
        {3, "net.dense1.bais", "did you mean 'bias'?"},
        {4, "net.dense2.init.kaiming_normal.mode", "fan_in|fan_out"},
        {5, "net.2", "did you mean 'relu'?"},
        {7, "optim.sgd.lr", "'lr' must be at least 0"},
        {7, "optim.sgd.momentun", "did you mean 'momentum'?"},
        {8, "los", "did you mean 'loss'?"},
        {9, "regularize.l22", "did you mean 'l2'?"},
        {9, "regularize.weight_decay.lambda", "a number, not 'x'"},
        {11, "train.epochs", "a whole number"},
        {12, "train.early_stop", "did you mean 'accuracy'?"},
        {13, "train.checkpoint.every", "at least 1"},
        {0, "optim.adam.lr", "optim is sgd, not adam"},
        {0, "train.batch", "a whole number"}};
    assert_mistakes(expected, FI_COUNT(expected));
    assert_string_equal(fanin_errmsg(ctx),
                        "r.yaml:1: unknown key 'trian' in data; did you mean 'train'?");
}

/* What a round of a repeat was refused for is told once; names that an unreadable layer would have
 * given are not missed. */
static void no_echo(void **state) {
    (void)state;
    refuse("net:\n"
           "  - repeat: {times: 5, net: [{dropout: 1.5}, {rely: 3}]}\n"
           "  - {from: [rely3, dropout9], add: {}}\n"
           "  - dense: outputs\n",
           NULL, 0);
    static const struct expected repeated[] = {{2, "net.dropout1", "'rate' must be"},
                                               {2, "net.0", "did you mean 'relu'?"}};
    const struct fanin_mistake *found;
    assert_int_equal(fanin_mistakes(ctx, &found), 2);
    for (int i = 0; i < 2; i++) assert_int_equal(found[i].line, repeated[i].line);
    refuse("net:\n"
           "  - repeat: {times: 5, net: [{dropout: 1.5}]}\n"
           "  - {from: [dropout1, drpout2], add: {}}\n"
           "  - dense: outputs\n",
           NULL, 0);
    static const struct expected names[] = {{2, "net.dropout1", "'rate' must be"},
                                            {3, "net.1", "did you mean 'dropout2'?"}};
    assert_mistakes(names, 2);
}

/* When the keys are right: layers that do not fit, but not those that read from them. */
static void shapes(void **state) {
    (void)state;
    static const char text[] = "net:\n"
                               "  - {name: a, dense: 5}\n"
                               "  - {name: b, dense: 6}\n"
                               "  - {name: c, from: [a, b], add: {}}\n"
                               "  - relu\n"
                               "  - {name: d, from: [b, a], add: {}}\n"
                               "  - {from: [c, d], add: {}}\n"
                               "  - dense: 3\n";
    const struct fanin_shape shape = {.rank = 1, .dims = {4}, .cols = 4};
    fanin_recipe *r;
    fanin_model *model;
    assert_ok(ctx, fanin_recipe_parse(&r, ctx, "r.yaml", text, NULL, 0));
    assert_int_equal(fanin_recipe_model(&model, r, &shape, 3, NULL), FANIN_ERR_SHAPE);
    static const struct expected expected[] = {{4, "net.c", "(6)"}, {6, "net.d", "(5)"}};
    assert_mistakes(expected, 2);
    fanin_recipe_free(r);
}

/* They are those of the last call, whatever it was. */
static void of_the_last_call(void **state) {
    (void)state;
    const struct fanin_mistake *found;
    fanin_recipe *r;
    refuse("net: [dens]\n", NULL, 0);
    assert_int_equal(fanin_mistakes(ctx, &found), 1);
    assert_int_equal(fanin_recipe_load(&r, ctx, "/nowhere/r.yaml", NULL, 0), FANIN_ERR_IO);
    assert_int_equal(fanin_mistakes(ctx, &found), 0);
    refuse("net: [dens]\n", NULL, 0);
    assert_ok(ctx, fanin_recipe_parse(&r, ctx, "r.yaml", "net: [dense]\n", NULL, 0));
    assert_int_equal(fanin_mistakes(ctx, &found), 0);
    fanin_recipe_free(r);
}

/* A file of mistakes only does not take for ever. */
static void at_most_so_many(void **state) {
    (void)state;
    static char text[64000] = "net:\n"; /* 3000 lines of 20 */
    const struct fanin_mistake *found;
    for (int i = 0; i < 3000; i++) strcat(text, "  - dense: {uni: 3}\n");
    refuse(text, NULL, 0);
    const int n = fanin_mistakes(ctx, &found);
    assert_true(n >= 50 && n <= 100);
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    struct CMUnitTest tests[] = {T(every_section), T(no_echo), T(shapes), T(of_the_last_call),
                                 T(at_most_so_many)};
    return test_main(tests);
}
