/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tree of values: scalars by the core schema of YAML 1.2, what is refused, JSON out and in
 * again.
 */
#include "support/support.h"

#include <locale.h>
#include <math.h>

#include "recipe/value.h"

static fanin_ctx *ctx;
static struct fi_arena arena;

static int setup(void **state) {
    (void)state;
    tests_run++;
    ctx = test_ctx();
    fi_arena_init(&arena, ctx);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    fi_arena_free(&arena);
    fanin_ctx_free(ctx);
    return 0;
}

static enum fanin_status parse(struct fi_value **out, const char *text) {
    return fi_value_parse(&arena, out, "r.yaml", true, text, strlen(text));
}

static void test_scalars(void **state) {
    (void)state;
    static const struct {
        const char *text;
        enum fi_value_kind kind;
        double number;
    } cases[] = {
        {"", FI_VALUE_NULL, 0},
        {"~", FI_VALUE_NULL, 0},
        {"null", FI_VALUE_NULL, 0},
        {"nULL", FI_VALUE_TEXT, 0},
        {"true", FI_VALUE_BOOL, 1},
        {"FALSE", FI_VALUE_BOOL, 0},
        {"no", FI_VALUE_TEXT, 0},
        {"off", FI_VALUE_TEXT, 0},
        {"y", FI_VALUE_TEXT, 0},
        {"0", FI_VALUE_INT, 0},
        {"-12", FI_VALUE_INT, -12},
        {"+7", FI_VALUE_INT, 7},
        {"007", FI_VALUE_INT, 7},
        {"0o17", FI_VALUE_INT, 15},
        {"0x1F", FI_VALUE_INT, 31},
        {"0x", FI_VALUE_TEXT, 0},
        {"0o8", FI_VALUE_TEXT, 0},
        {"0X1F", FI_VALUE_TEXT, 0},
        {"1_000", FI_VALUE_TEXT, 0},
        {"12:30", FI_VALUE_TEXT, 0},
        {"0.5", FI_VALUE_REAL, 0.5},
        {".5", FI_VALUE_REAL, 0.5},
        {"5.", FI_VALUE_REAL, 5},
        {"-1e-3", FI_VALUE_REAL, -1e-3},
        {"1.0e+4", FI_VALUE_REAL, 1e4},
        {"1e", FI_VALUE_TEXT, 0},
        {".", FI_VALUE_TEXT, 0},
        {"-", FI_VALUE_TEXT, 0},
        {"e5", FI_VALUE_TEXT, 0},
        {"1.2.3", FI_VALUE_TEXT, 0},
        {"nan", FI_VALUE_TEXT, 0},
        {"inf", FI_VALUE_TEXT, 0},
        {"0x1p3", FI_VALUE_TEXT, 0},
        {" 1", FI_VALUE_TEXT, 0},
        {".inf", FI_VALUE_REAL, INFINITY},
        {"-.INF", FI_VALUE_REAL, -INFINITY},
        {"1e999", FI_VALUE_REAL, INFINITY},
        {"9007199254740993", FI_VALUE_INT, 9007199254740992.0},
        {"0.1000000000000000055511151231257827", FI_VALUE_REAL, 0.1},
    };
    for (int i = 0; i < FI_COUNT(cases); i++) {
        double number;
        enum fi_value_kind kind = fi_scalar_classify(cases[i].text, &number);
        if (kind != cases[i].kind || number != cases[i].number) {
            fail_msg("'%s' is kind %d, number %g", cases[i].text, kind, number);
        }
    }
    double nan;
    assert_int_equal(fi_scalar_classify(".nan", &nan), FI_VALUE_REAL);
    assert_true(isnan(nan));
}

static void test_other_locale(void **state) {
    (void)state;
    static const char *const names[] = {"de_DE.UTF-8", "de_DE", "fr_FR.UTF-8", "nl_NL.UTF-8"};
    bool set = false;
    for (int i = 0; i < FI_COUNT(names) && !set; i++) set = setlocale(LC_ALL, names[i]) != NULL;
    if (!set) skip_test("no locale with a decimal comma is installed");
    double number;
    enum fi_value_kind kind = fi_scalar_classify("0.5", &number);
    setlocale(LC_ALL, "C");
    assert_int_equal(kind, FI_VALUE_REAL);
    assert_true(number == 0.5);
}

static void test_refused(void **state) {
    (void)state;
    static const struct {
        const char *text, *part;
    } cases[] = {
        {"a: 1\nb: 2\na: 3\n", "r.yaml:3: key 'a' is given twice, first in line 1"},
        {"a: 1\n---\nb: 2\n", "r.yaml:2: a second document"},
        {"a: !!str 1\n", "r.yaml:1: a recipe has no tags"},
        {"a: !x {b: 1}\n", "r.yaml:1: a recipe has no tags"},
        {"? [a]\n: 1\n", "r.yaml:1: a key must be a plain word"},
        {"a: *x\n", "r.yaml:1: alias *x: there is no anchor"},
        {"a: &x [*x]\n", "r.yaml:1: alias *x stands inside what it names"},
        {"a: {b: 1\nc: 2\n", "not valid YAML"},
        {"a:\n\t- b\n", "r.yaml:2: not valid YAML"},
        {"a: \"x\\0y\"\n", "r.yaml:1: a text holds a zero byte"},
        {"a: \xff\n", "not valid YAML"},
    };
    for (int i = 0; i < FI_COUNT(cases); i++) {
        struct fi_value *value;
        assert_refused(ctx, FANIN_ERR_RECIPE, cases[i].part, parse(&value, cases[i].text));
        assert_null(value);
    }
}

static void repeat_text(char *out, const char *text, int times) {
    *out = '\0';
    for (int i = 0; i < times; i++) out = stpcpy(out, text);
}

static void test_bounds(void **state) {
    (void)state;
    struct fi_value *value;
    static char text[1 << 16], part[1 << 15];
    repeat_text(text, "[", 63);
    strcat(text, "1");
    repeat_text(part, "]", 63);
    assert_ok(ctx, parse(&value, strcat(text, part)));
    repeat_text(text, "[", 20000);
    assert_refused(ctx, FANIN_ERR_RECIPE, "nested more than 64", parse(&value, text));
    /* each line is ten copies of the one before it */
    strcpy(text, "a0: &a0 [1]\n");
    for (int i = 1; i < 9; i++) {
        char line[128];
        snprintf(line, sizeof line, "a%d: &a%d [", i, i);
        for (int k = 0; k < 10; k++) sprintf(line + strlen(line), "%s*a%d", k ? "," : "", i - 1);
        strcat(strcat(text, line), "]\n");
    }
    assert_refused(ctx, FANIN_ERR_RECIPE, "more than 100000 values", parse(&value, text));
    *text = '\0';
    for (int i = 0; i <= FI_VALUE_MAX_KEYS; i++) sprintf(text + strlen(text), "k%d: 1\n", i);
    assert_refused(ctx, FANIN_ERR_RECIPE, "more than 1024 keys", parse(&value, text));
}

static void test_tree(void **state) {
    (void)state;
    struct fi_value *root;
    assert_ok(ctx, parse(&root, "a: &x {b: 1, c: [2, 'three']}\n"
                                "d: *x\n"
                                "e:\n"));
    assert_int_equal(root->n, 3);
    const struct fi_value *c = fi_value_get(fi_value_get(root, "d"), "c");
    assert_int_equal(c->n, 2);
    assert_int_equal(c->entries[0].value->kind, FI_VALUE_INT);
    assert_int_equal(c->entries[1].value->kind, FI_VALUE_TEXT);
    assert_ptr_not_equal(fi_value_get(root, "a"), fi_value_get(root, "d"));
    assert_null(fi_value_get(root, "e"));
    assert_non_null(fi_value_find(root, "e"));
    assert_int_equal(fi_value_find(root, "e")->mark.line, 3);
    assert_ok(ctx, parse(&root, "# nothing\n"));
    assert_int_equal(root->kind, FI_VALUE_NULL);
}

static void assert_json(const char *yaml, const char *json) {
    struct fi_value *value;
    struct fi_text text;
    assert_ok(ctx, parse(&value, yaml));
    fi_text_init(&text, ctx);
    fi_value_json(&text, value);
    assert_false(text.failed);
    assert_string_equal(text.data, json);
    fi_text_free(&text);
}

static void test_json(void **state) {
    (void)state;
    static const char *const fixed[] = {
        "{\"a\": [1, 2.50, 1e-3, true, null, \"no\"], \"b\": {}, \"c\": []}",
        "[\"quote \\\" back \\\\ line \\u000a tab \\u0009\", \"\303\251\"]",
        "{\"a b\": \"1\", \"\": \"\"}",
    };
    for (int i = 0; i < FI_COUNT(fixed); i++) assert_json(fixed[i], fixed[i]);
    assert_json("[+1, 007, 0o17, 0x1f, -0, -.5, 5., 5.e3, .5e1, 00, -007.5]",
                "[1, 7, 15, 31, -0, -0.5, 5.0, 5.0e3, 0.5e1, 0, -7.5]");
    assert_json("[.inf, -.inf, .nan, no, 'true', 1_000]",
                "[1e999, -1e999, \".nan\", \"no\", \"true\", \"1_000\"]");
    assert_json("{\"a\":1,\"b\":[true,false]}", "{\"a\": 1, \"b\": [true, false]}");
    assert_json("{\n\t\"a\": \"x\\/y\"\n}", "{\"a\": \"x/y\"}");
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    struct CMUnitTest tests[] = {T(test_scalars), T(test_other_locale), T(test_refused),
                                 T(test_bounds),  T(test_tree),         T(test_json)};
    return test_main(tests);
}
