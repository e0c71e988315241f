/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attributes: defaults, each type, bounds, null, nested rules; and what every refusal says.
 */
#include <math.h>

#include "support/support.h"

/* A record with one attribute of each type, made known as an op so that rules can name it. */
struct all {
    int64_t units;
    int bias;
    double rate, open;
    int64_t count;
    int mode;
    const char *note;
    struct fanin_rule_ref inner;
    struct fanin_list sizes;
    struct fanin_texts names, per;
};

static const struct fanin_attr_spec specs[] = {
    FI_ATTR_INT(struct all, units, 0, 1, 100, "how many", FANIN_ATTR_REQUIRED),
    FI_ATTR_BOOL(struct all, bias, 1, "whether to add one"),
    FI_ATTR_REAL(struct all, rate, 0.5, 0, 1, "share", FANIN_ATTR_BELOW_MAX),
    FI_ATTR_REAL(struct all, open, NAN, 0, INFINITY, "width",
                 FANIN_ATTR_ABOVE_MIN | FANIN_ATTR_NULLABLE),
    FI_ATTR_INT(struct all, count, NAN, -5, 5, "count", FANIN_ATTR_NULLABLE),
    FI_ATTR_CHOICE(struct all, mode, 1, "fan_in|fan_out|fan_avg", "which side"),
    FI_ATTR_STRING(struct all, note, "none", "text", 0),
    FI_ATTR_RULE(struct all, inner, "op", "another op"),
    FI_ATTR_LIST(struct all, sizes, "numbers", 0),
    FI_ATTR_TEXTS(struct all, names, "names"),
    FI_ATTR_WORDS(struct all, per, 0, "mean|median", "what for each"),
    FI_ATTR_END,
};

static enum fanin_status infer(struct fanin_infer *io) {
    (void)io;
    return FANIN_OK;
}
static void nothing(const struct fanin_step *s) {
    (void)s;
}

static const struct fanin_op all_op = {
    .head = {.name = "test_all", .attrs = specs, .attrs_size = sizeof(struct all)},
    .infer = infer,
    .forward = nothing,
    .backward = nothing,
};
static const struct fanin_op bare_op = {
    .head = {.name = "test_bare"},
    .infer = infer,
    .forward = nothing,
    .backward = nothing,
};

struct fixture {
    fanin_ctx *ctx;
    struct fi_arena arena;
    const void *out;
};

static int set_up(void **state) {
    static struct fixture f;
    count_test(state);
    f.ctx = test_ctx();
    fi_arena_init(&f.arena, f.ctx);
    assert_ok(f.ctx, fanin_register_op(f.ctx, &all_op));
    assert_ok(f.ctx, fanin_register_op(f.ctx, &bare_op));
    *state = &f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    fi_arena_free(&f->arena);
    fanin_ctx_free(f->ctx);
    return 0;
}

static enum fanin_status parse(struct fixture *f, const struct fanin_attr *attrs, int64_t n) {
    return fi_attrs_parse(&f->arena, &f->out, &all_op.head, attrs, n, "r.yaml: net.x");
}

#define PARSE(f, ...)                                                                              \
    parse(f, (const struct fanin_attr[]){__VA_ARGS__},                                             \
          (int64_t)(sizeof((const struct fanin_attr[]){__VA_ARGS__}) / sizeof(struct fanin_attr)))
#define UNITS                                                                                      \
    { .name = "units", .number = 7 }

static void defaults(void **state) {
    struct fixture *f = *state;
    assert_ok(f->ctx, PARSE(f, {.number = 9})); /* positional: the first */
    const struct all *a = f->out;
    assert_int_equal(a->units, 9);
    assert_int_equal(a->bias, 1);
    assert_true(a->rate == 0.5);
    assert_true(isnan(a->open));
    assert_true(a->count == INT64_MIN);
    assert_int_equal(a->mode, 1);
    assert_string_equal(a->note, "none");
    assert_null(a->inner.record);
    assert_int_equal(a->sizes.n, 0);
}

static void values(void **state) {
    struct fixture *f = *state;
    char note[] = "hello";
    double sizes[] = {1, 2.5};
    assert_ok(f->ctx, PARSE(f, {.name = "units", .number = 100}, {.name = "bias", .number = 0},
                            {.name = "rate", .number = 0}, {.name = "open", .number = 1e300},
                            {.name = "count", .number = -5}, {.name = "mode", .text = "fan_avg"},
                            {.name = "note", .text = note}, {.name = "inner", .text = "test_bare"},
                            {.name = "sizes", .list = sizes, .n_list = 2}));
    /* What was parsed does not point at what it was parsed from. */
    note[0] = 'j';
    sizes[1] = 0;
    const struct all *a = f->out;
    assert_int_equal(a->units, 100);
    assert_int_equal(a->bias, 0);
    assert_true(a->rate == 0);
    assert_true(a->open == 1e300);
    assert_int_equal(a->count, -5);
    assert_int_equal(a->mode, 2);
    assert_string_equal(a->note, "hello");
    assert_ptr_equal(a->inner.record, &bare_op);
    assert_int_equal(a->sizes.n, 2);
    assert_true(a->sizes.values[0] == 1 && a->sizes.values[1] == 2.5);
}

static void nulls(void **state) {
    struct fixture *f = *state;
    assert_ok(f->ctx, PARSE(f, UNITS, {.name = "open", .is_null = 1},
                            {.name = "count", .is_null = 1}, {.name = "inner", .is_null = 1}));
    const struct all *a = f->out;
    assert_true(isnan(a->open));
    assert_true(a->count == INT64_MIN);
    assert_null(a->inner.record);
    assert_refused(f->ctx, FANIN_ERR_RECIPE, "'rate' must be a number, not null",
                   PARSE(f, UNITS, {.name = "rate", .is_null = 1}));
    assert_refused(f->ctx, FANIN_ERR_RECIPE, "'note' must be a text, not null",
                   PARSE(f, UNITS, {.name = "note", .is_null = 1}));
}

static void one_number_is_a_list(void **state) {
    struct fixture *f = *state;
    assert_ok(f->ctx, PARSE(f, UNITS, {.name = "sizes", .number = 3}));
    const struct all *a = f->out;
    assert_int_equal(a->sizes.n, 1);
    assert_true(a->sizes.values[0] == 3);
    double bad[] = {1, NAN};
    assert_refused(f->ctx, FANIN_ERR_RECIPE, "finite",
                   PARSE(f, UNITS, {.name = "sizes", .list = bad, .n_list = 2}));
    assert_refused(f->ctx, FANIN_ERR_RECIPE, "a list of numbers, not 'x'",
                   PARSE(f, UNITS, {.name = "sizes", .text = "x"}));
}

static void texts(void **state) {
    struct fixture *f = *state;
    assert_ok(f->ctx, PARSE(f, UNITS, {.name = "names", .text = " a b , c,,"}));
    const struct all *a = f->out;
    assert_int_equal(a->names.n, 2);
    assert_string_equal(a->names.items[0].text, "a b");
    assert_string_equal(a->names.items[1].text, "c");
    assert_int_equal(a->per.n, 0);
    const struct fanin_named_text list[] = {{NULL, "a, b"}, {NULL, "c"}};
    assert_ok(f->ctx, PARSE(f, UNITS, {.name = "names", .texts = list, .n_texts = 2}));
    a = f->out;
    assert_int_equal(a->names.n, 2);
    assert_string_equal(a->names.items[0].text, "a, b");
    assert_refused(f->ctx, FANIN_ERR_RECIPE, "'names' must be a list of texts, not 3",
                   PARSE(f, UNITS, {.name = "names", .number = 3}));
    const struct fanin_named_text map[] = {{"x", "median"}, {"y", "mean"}};
    assert_refused(f->ctx, FANIN_ERR_RECIPE, "'names' must be a list of texts, not a map",
                   PARSE(f, UNITS, {.name = "names", .texts = map, .n_texts = 2}));
    assert_ok(f->ctx, PARSE(f, UNITS, {.name = "per", .texts = map, .n_texts = 2}));
    a = f->out;
    assert_string_equal(a->per.items[0].name, "x");
    assert_string_equal(a->per.items[1].text, "mean");
    assert_ok(f->ctx, PARSE(f, UNITS, {.name = "per", .text = "median"}));
    a = f->out;
    assert_int_equal(a->per.n, 1);
    assert_null(a->per.items[0].name);
    const struct fanin_named_text bad[] = {{"x", "middle"}};
    assert_refused(f->ctx, FANIN_ERR_RECIPE, "'per.x' must be one of mean|median, not 'middle'",
                   PARSE(f, UNITS, {.name = "per", .texts = bad, .n_texts = 1}));
    assert_refused(f->ctx, FANIN_ERR_RECIPE, "'per' must be one of mean|median, not 'no'",
                   PARSE(f, UNITS, {.name = "per", .text = "no"}));
    assert_refused(f->ctx, FANIN_ERR_RECIPE, "or a map from names to these, not a list",
                   PARSE(f, UNITS, {.name = "per", .texts = list, .n_texts = 2}));
    assert_refused(f->ctx, FANIN_ERR_RECIPE, "'note' must be a text, not a map",
                   PARSE(f, UNITS, {.name = "note", .texts = map, .n_texts = 2}));
}

static void wrong_types(void **state) {
    struct fixture *f = *state;
    struct fanin_rule rule = {.name = "test_bare"};
    double list[] = {1};
    assert_refused(f->ctx, FANIN_ERR_RECIPE, "'units' must be a whole number, not 1.5",
                   PARSE(f, {.name = "units", .number = 1.5}));
    assert_refused(f->ctx, FANIN_ERR_RECIPE, "'units' must be a whole number, not 'many'",
                   PARSE(f, {.name = "units", .text = "many"}));
    assert_refused(f->ctx, FANIN_ERR_RECIPE, "'units' must be a whole number, not nan",
                   PARSE(f, {.name = "units", .number = NAN}));
    assert_refused(f->ctx, FANIN_ERR_RECIPE, "'units' must be a whole number, not 1e+300",
                   PARSE(f, {.name = "units", .number = 1e300}));
    assert_refused(f->ctx, FANIN_ERR_RECIPE, "'bias' must be true or false, not 2",
                   PARSE(f, UNITS, {.name = "bias", .number = 2}));
    assert_refused(f->ctx, FANIN_ERR_RECIPE, "'rate' must be a number, not a map ('test_bare')",
                   PARSE(f, UNITS, {.name = "rate", .rule = &rule}));
    assert_refused(f->ctx, FANIN_ERR_RECIPE, "'rate' must be a number, not a list",
                   PARSE(f, UNITS, {.name = "rate", .list = list, .n_list = 1}));
    assert_refused(f->ctx, FANIN_ERR_RECIPE,
                   "'mode' must be one of fan_in|fan_out|fan_avg, not 'fan'",
                   PARSE(f, UNITS, {.name = "mode", .text = "fan"}));
    assert_refused(f->ctx, FANIN_ERR_RECIPE, "'mode' must be one of",
                   PARSE(f, UNITS, {.name = "mode"}));
    assert_refused(f->ctx, FANIN_ERR_RECIPE, "'note' must be a text, not 5",
                   PARSE(f, UNITS, {.name = "note", .number = 5}));
    assert_refused(f->ctx, FANIN_ERR_RECIPE, "'inner' must be the name of a rule (op), not 5",
                   PARSE(f, UNITS, {.name = "inner", .number = 5}));
}

static void bounds(void **state) {
    struct fixture *f = *state;
    assert_refused(f->ctx, FANIN_ERR_RECIPE, "'units' must be at least 1 and at most 100, not 0",
                   PARSE(f, {.name = "units", .number = 0}));
    assert_refused(f->ctx, FANIN_ERR_RECIPE, "not 101", PARSE(f, {.name = "units", .number = 101}));
    assert_refused(f->ctx, FANIN_ERR_RECIPE, "'rate' must be at least 0 and below 1, not 1",
                   PARSE(f, UNITS, {.name = "rate", .number = 1}));
    assert_refused(f->ctx, FANIN_ERR_RECIPE, "'open' must be above 0, not 0",
                   PARSE(f, UNITS, {.name = "open", .number = 0}));
    assert_refused(f->ctx, FANIN_ERR_RECIPE, "'open' must be a finite number",
                   PARSE(f, UNITS, {.name = "open", .number = INFINITY}));
    assert_refused(f->ctx, FANIN_ERR_RECIPE, "'rate' must be a finite number",
                   PARSE(f, UNITS, {.name = "rate", .number = NAN}));
}

static void names(void **state) {
    struct fixture *f = *state;
    assert_refused(f->ctx, FANIN_ERR_RECIPE, "r.yaml: net.x: test_all needs 'units' (how many)",
                   PARSE(f, {.name = "rate", .number = 0}));
    assert_refused(f->ctx, FANIN_ERR_RECIPE,
                   "r.yaml: net.x (line 12): test_all knows no 'unit'; did you mean 'units'?",
                   PARSE(f, UNITS, {.name = "unit", .number = 3, .line = 12}));
    assert_refused(f->ctx, FANIN_ERR_RECIPE, "test_all knows no 'quux'; it takes units, bias, rate",
                   PARSE(f, UNITS, {.name = "quux", .number = 3}));
    assert_refused(f->ctx, FANIN_ERR_RECIPE, "'units' is given twice", PARSE(f, UNITS, UNITS));
    assert_refused(f->ctx, FANIN_ERR_RECIPE, "'units' is given twice",
                   PARSE(f, UNITS, {.number = 3}));
    assert_null(f->out);
    struct fanin_attr value = {.number = 1};
    assert_refused(f->ctx, FANIN_ERR_RECIPE, "test_bare takes no value",
                   fi_attrs_parse(&f->arena, &f->out, &bare_op.head, &value, 1, "x"));
    value.name = "rate";
    assert_refused(f->ctx, FANIN_ERR_RECIPE, "test_bare takes no attributes, not 'rate'",
                   fi_attrs_parse(&f->arena, &f->out, &bare_op.head, &value, 1, "x"));
    assert_ok(f->ctx, fi_attrs_parse(&f->arena, &f->out, &bare_op.head, NULL, 0, "x"));
}

static void rules(void **state) {
    struct fixture *f = *state;
    struct fanin_rule_ref ref;
    struct fanin_attr seven = {.number = 7};
    struct fanin_rule rule = {.name = "test_all", .attrs = &seven, .n_attrs = 1, .line = 4};
    assert_ok(f->ctx, fi_rule_resolve(&f->arena, &ref, "op", &rule, "w"));
    assert_ptr_equal(ref.record, &all_op);
    assert_int_equal(((const struct all *)ref.attrs)->units, 7);

    rule.name = "test_al";
    assert_refused(f->ctx, FANIN_ERR_RECIPE,
                   "w (line 4): unknown op 'test_al'; did you mean 'test_all'?",
                   fi_rule_resolve(&f->arena, &ref, "op", &rule, "w"));
    assert_null(ref.record);
    rule.name = "nothing_like_it_at_all";
    assert_refused(f->ctx, FANIN_ERR_RECIPE, "fanin list op",
                   fi_rule_resolve(&f->arena, &ref, "op", &rule, "w"));
    rule.name = NULL;
    assert_refused(f->ctx, FANIN_ERR_RECIPE, "no op is named",
                   fi_rule_resolve(&f->arena, &ref, "op", &rule, "w"));

    /* Two deep: the message names the whole path. */
    struct fanin_attr wrong = {.name = "rate", .number = 3, .line = 9};
    struct fanin_attr inner_attrs[] = {seven, wrong};
    struct fanin_rule inner = {.name = "test_all", .attrs = inner_attrs, .n_attrs = 2};
    assert_refused(f->ctx, FANIN_ERR_RECIPE, "r.yaml: net.x.inner (line 9): 'rate' must be",
                   PARSE(f, UNITS, {.name = "inner", .rule = &inner}));
    inner.n_attrs = 1;
    assert_ok(f->ctx, PARSE(f, UNITS, {.name = "inner", .rule = &inner}));
    const struct all *a = f->out;
    assert_int_equal(((const struct all *)a->inner.attrs)->units, 7);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

static struct CMUnitTest tests[] = {
    TEST(defaults), TEST(values),      TEST(nulls),  TEST(one_number_is_a_list),
    TEST(texts),    TEST(wrong_types), TEST(bounds), TEST(names),
    TEST(rules),
};

int main(void) {
    return test_main(tests);
}
