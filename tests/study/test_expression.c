/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Expressions of claims: every operator and function, precedence, terms as they reach the callback,
 * what is missing or infinite, and every message.
 */
#include "study/terms.h"

static fanin_ctx *ctx;
static struct fi_arena arena;

static void parse(struct fi_expression *e, const char *text) {
    if (fi_expression_parse(&arena, e, "x", text) != FANIN_OK)
        fail_msg("'%s': %s", text, fanin_errmsg(ctx));
}

static void evaluate(const char *text, double *values) {
    struct fi_expression e;
    const struct fi_term_source terms = test_terms(ctx);
    parse(&e, text);
    if (fi_expression_values(&e, ctx, &terms, values) != FANIN_OK)
        fail_msg("'%s': %s", text, fanin_errmsg(ctx));
}

static void check_value(const char *text, int seed, double have, double want) {
    const bool same = isnan(want)   ? isnan(have)
                      : isinf(want) ? have == want
                                    : fabs(have - want) <= 1e-14 * fabs(want);
    if (!same) fail_msg("'%s', seed %d: %.17g, expected %.17g", text, seed, have, want);
}

/* The same for every seed, and known to be so if it holds no term outside of mean and sd. */
static void gives(const char *text, double want) {
    double values[SEEDS];
    evaluate(text, values);
    for (int s = 0; s < SEEDS; s++) check_value(text, s, values[s], want);
}

static void gives_each(const char *text, double a, double b, double c, double d, double e) {
    const double want[SEEDS] = {a, b, c, d, e};
    double values[SEEDS];
    evaluate(text, values);
    for (int s = 0; s < SEEDS; s++) check_value(text, s, values[s], want[s]);
}

static void arithmetic(void **state) {
    (void)state;
    gives("1", 1);
    gives(" 1e-3\n", 1e-3);
    gives("1.5E+2", 150);
    gives(".5", 0.5);
    gives("inf", INFINITY);
    gives("-inf", -INFINITY);
    gives("2+3*4", 14);
    gives("(2+3)*4", 20);
    gives("2*3+4", 10);
    gives("10-4-3", 3);
    gives("10-(4-3)", 9);
    gives("16/4/2", 2);
    gives("16/4*2", 8);
    gives("1-2*3/4", -0.5);
    gives("-2*-3", 6);
    gives("--2", 2);
    gives("5---2", 3);
    gives("1e2-1", 99);
    gives("1/0", INFINITY);
    gives("0/0", NAN);
    gives("inf - inf", NAN);
    gives_each("a", 1, 2, 3, 4, 5);
    gives_each("b - a * 2", 8, 16, 24, 32, 40);
    gives_each("-a/b", -0.1, -0.1, -0.1, -0.1, -0.1);
    gives_each("gap + a", 2, NAN, 6, 8, NAN);
}

static void functions(void **state) {
    (void)state;
    gives("abs(-2)", 2);
    gives("log(10)", 2.302585092994045684);
    gives("log10(0.001)", -3);
    gives("exp(1)", 2.718281828459045235);
    gives("sqrt(2)", 1.414213562373095049);
    gives("log(0)", -INFINITY);
    gives("log(-1)", NAN);
    gives("sqrt(-1)", NAN);
    gives("min(3, 2)", 2);
    gives("max(3, 2)", 3);
    gives("min(3, 1, 2)", 1);
    gives("max(3, 1, 2, 7, 5)", 7);
    gives("max(1, 0/0)", NAN);
    gives("min(0/0, 1)", NAN);
    gives("min(1, max(0, 2)) + abs( - 3 )", 4);
    gives_each("max(a, 3)", 3, 3, 3, 4, 5);
    gives_each("min(gap, 3)", 1, NAN, 3, 3, NAN);
    /* over seeds */
    gives("mean(a)", 3);
    gives("sd(a)", 1.581138830084189666);
    gives("mean(gap)", 8.0 / 3);
    gives("mean(none)", NAN);
    gives("sd(none)", NAN);
    gives("mean(a + b) / 3", 11);
    gives("sd(a - mean(a))", 1.581138830084189666);
    gives("sd(same)", 0);
    gives("mean(never)", INFINITY);
    gives("sd(never)", INFINITY);
    gives("mean(mixed)", NAN);
    gives("sd(mixed)", INFINITY);
    gives_each("a - mean(a)", -2, -1, 0, 1, 2);
    /* names of functions are such only with parentheses */
    gives("mean", 6);
    gives("mean(mean)", 6);
    gives("mean (a)", 3);
}

static void series(void **state) {
    (void)state;
    gives("reach(curve, 0.5)", 10);
    gives("reach(curve, 1)", 0);
    gives("reach(curve, 0.125)", 40); /* which step 30 lacks */
    gives("reach(curve, 0)", INFINITY);
    gives("reach(curve, 0/0)", NAN);
    gives("reach_above(curve, 2)", INFINITY);
    gives("lowest(curve)", 0.0078125);
    gives("highest(curve)", 1);
    gives("lowest(growth)", 0);
    gives("steps(curve)", 70);
    gives("slope(growth, 0, 70)", 0.25);
    gives("slope(growth, 10, 20)", 0.25);
    gives("slope(growth, 0, 10)", NAN); /* one point: the value at 0 is 0 */
    gives("slope(growth, 12, 18)", NAN);
    gives("slope(curve, 0, 20)", -0.069314718055994530942);
    gives("slope(growth, 10, steps(growth) - 10)", 0.25);
    gives("slope(blown, 0, 70)", 0.25); /* its last value is infinite */
    gives("reach(empty, 1)", NAN);
    gives("lowest(empty)", NAN);
    gives("highest(empty)", NAN);
    gives("steps(empty)", NAN);
    gives("slope(empty, 0, 1)", NAN);
    gives_each("reach_above(growth, 60)", 20, 20, 20, 20, 10);
    gives_each("reach(curve, a / 16)", 40, 40, 40, 20, 20);
    gives_each("highest(growth) / exp(17.5)", 1, 2, 3, 4, 5);
}

static void wheres(void **state) {
    (void)state;
    gives_each("largest(spread)", 3, 9, 5, 2, 8);
    gives_each("smallest(spread)", 1, 4, 2, 2, 8);
    gives_each("average(spread)", 2, 6, 3.5, 2, 8);
    gives_each("largest(spread@100)", 103, 109, 105, 102, 108);
    gives("largest(nowhere)", NAN);
    gives("average(nowhere)", NAN);
    gives_each("spread[dense1]", 1, 5, NAN, 2, 8);
    gives_each("spread [ dense2.weight ] @ 10", 13, 14, 12, NAN, 18);
    gives_each("spread['out put']", 2, 9, 5, NAN, 8);
    gives_each("spread[\"out put\"]", 2, 9, 5, NAN, 8);
}

static void conditions(void **state) {
    (void)state;
    gives_each("error(normalized)", 0.060, 0.064, 0.058, 0.062, 0.062);
    gives("error(init=noisy)", 1);
    gives("error( init = noisy )", 1);
    gives("error(0.01)", 2);
    gives("error('0.01')", 2);
    gives("error('tanh, deep')", 3);
    gives("error(init=normalized, lr=0.1)", 4);
    struct fi_expression e;
    parse(&e, "1 + test.error[dense1.weight]@20(relu, lr=1e-3, '5') - reach(loss, 1) +"
              " largest(x_2@0(+5))");
    assert_int_equal(e.n_terms, 3);
    const struct fi_term *t = &e.terms[0];
    assert_true(t->use == FI_TERM_VALUE && t->step == 20 && t->n_selectors == 3 && t->at == 5);
    assert_string_equal(t->figure, "test.error");
    assert_string_equal(t->where, "dense1.weight");
    assert_true(!t->selectors[0].axis && isnan(t->selectors[0].number));
    assert_string_equal(t->selectors[0].value, "relu");
    assert_string_equal(t->selectors[1].axis, "lr");
    assert_string_equal(t->selectors[1].value, "1e-3");
    assert_true(t->selectors[1].number == 1e-3);
    assert_string_equal(t->selectors[2].value, "5");
    assert_true(isnan(t->selectors[2].number)); /* quoted: a text */
    t = &e.terms[1];
    assert_true(t->use == FI_TERM_SERIES && t->step == -1 && !t->where && t->n_selectors == 0);
    t = &e.terms[2];
    assert_true(t->use == FI_TERM_WHERES && t->step == 0 && t->selectors[0].number == 5);
    assert_true(e.varies);
    static const struct {
        const char *text;
        bool varies;
    } all[] = {{"1 + 2", false},
               {"mean(a)", false},
               {"mean(a) - 2 * sd(b)", false},
               {"a", true},
               {"a + mean(a)", true},
               {"mean(a) + a", true},
               {"mean(a) * a", true},
               {"max(mean(a), 1)", false},
               {"max(a, 1)", true},
               {"max(1, a, 1)", true},
               {"-mean(a)", false},
               {"steps(curve)", true},
               {"reach(curve, 1)", true},
               {"largest(spread)", true}};
    for (int i = 0; i < FI_COUNT(all); i++) {
        parse(&e, all[i].text);
        if (e.varies != all[i].varies) fail_msg("'%s' varies or not", all[i].text);
    }
}

static void mistakes(void **state) {
    (void)state;
    static const struct {
        const char *text, *message;
    } all[] = {
        {"", "x: expected a figure, a number or '(' at character 1, found the end"},
        {"1 +", "x: expected a figure, a number or '(' at character 4, found the end"},
        {"1 + * 2", "x: expected a figure, a number or '(' at character 5, found '*'"},
        {"(1 + 2", "x: expected an operator or ')' at character 7, found the end"},
        {"1 2", "x: expected an operator or the end at character 3, found '2'"},
        {"a) ", "x: expected an operator or the end at character 2, found ')'"},
        {"1.2.3", "x: expected a number at character 1, found '1.2.3'"},
        {"2a", "x: expected a number at character 1, found '2a'"},
        {"1e", "x: expected a number at character 1, found '1e'"},
        {"1e999", "x: expected a number at character 1, found '1e999'"},
        {"a(", "x: expected a condition at character 3, found the end"},
        {"a()", "x: expected a condition at character 3, found ')'"},
        {"a(b", "x: expected ',' or ')' at character 4, found the end"},
        {"a(b c)", "x: expected ',' or ')' at character 5, found 'c'"},
        {"a(b=)", "x: expected a value at character 5, found ')'"},
        {"a(b==c)", "x: expected a value at character 5, found '='"},
        {"a('b)", "x: expected a text that ends in its quote at character 3, found \"'\""},
        {"a[", "x: expected the name of a layer or parameter at character 3, found the end"},
        {"a[b(", "x: expected ']' at character 4, found '('"},
        {"a@x", "x: expected a step, a whole number, at character 3, found 'x'"},
        {"a@1.5", "x: expected a step, a whole number, at character 3, found '1.5'"},
        {"a@9999999999999999", "x: expected a step, a whole number, at character 3, found '9999"},
        {"a(b)@2", "x: expected an operator or the end at character 5, found '@'"},
        {"abs()", "x: expected a figure, a number or '(' at character 5, found ')'"},
        {"abs(1, 2)", "x: expected ')' at character 6, found ','"},
        {"min(1)", "x: expected ',' at character 6, found ')'"},
        {"min(1, 2", "x: expected ',' or ')' at character 9, found the end"},
        {"reach(curve)", "x: expected ',' at character 12, found ')'"},
        {"reach(1, 2)", "x: expected a figure at character 7, found '1'"},
        {"reach(mean(a), 2)", "x: expected a figure at character 7, found 'mean'"},
        {"reach(a@5, 2)", "x: reach at character 7 looks at all steps: leave out '@5'"},
        {"largest(a[b])", "x: largest at character 9 looks at all layers: leave out '[b]'"},
        {"slope(curve, 1)", "x: expected ',' at character 15, found ')'"},
        {"a('д') ?", "x: expected an operator or the end at character 8, found '?'"},
        {"д", "x: expected a figure, a number or '(' at character 1, found 'д'"},
    };
    struct fi_expression e;
    for (int i = 0; i < FI_COUNT(all); i++)
        assert_refused(ctx, FANIN_ERR_RECIPE, all[i].message,
                       fi_expression_parse(&arena, &e, "x", all[i].text));
}

static void bounds(void **state) {
    (void)state;
    char text[FI_EXPRESSION_MAX_BYTES + 2];
    struct fi_expression e;
    memset(text, '-', sizeof text);
    text[FI_EXPRESSION_MAX_BYTES - 1] = '1';
    text[FI_EXPRESSION_MAX_BYTES] = '\0';
    gives(text, -1);
    memset(text, '-', sizeof text);
    text[sizeof text - 1] = '\0';
    assert_refused(ctx, FANIN_ERR_RECIPE, "x: the text is longer than 4096 bytes",
                   fi_expression_parse(&arena, &e, "x", text));
    for (int deep = FI_EXPRESSION_MAX_DEPTH; deep <= FI_EXPRESSION_MAX_DEPTH + 1; deep++) {
        memset(text, '(', (size_t)deep);
        text[deep] = '1';
        memset(text + deep + 1, ')', (size_t)deep);
        text[2 * deep + 1] = '\0';
        if (deep == FI_EXPRESSION_MAX_DEPTH)
            gives(text, 1);
        else
            assert_refused(ctx, FANIN_ERR_RECIPE,
                           "more than 32 parentheses within each other at"
                           " character 33",
                           fi_expression_parse(&arena, &e, "x", text));
    }
    /* beside each other there may be any number */
    char *end = text;
    for (int i = 0; i < 2 * FI_EXPRESSION_MAX_DEPTH; i++) end += sprintf(end, "abs((1))+");
    (void)sprintf(end, "0");
    gives(text, 2 * FI_EXPRESSION_MAX_DEPTH);
    /* many operands wait: 1-(1-(1-(… */
    char *at = text;
    for (int i = 0; i < FI_EXPRESSION_MAX_DEPTH; i++) at += sprintf(at, "1-(");
    at += sprintf(at, "1");
    for (int i = 0; i < FI_EXPRESSION_MAX_DEPTH; i++) at += sprintf(at, ")");
    gives(text, 1);
}

static void refusals(void **state) {
    (void)state;
    static const char *const all[] = {"a + b", "reach(curve, 1)", "largest(spread)"};
    double values[SEEDS];
    struct fi_expression e;
    const struct fi_term_source terms = test_terms(ctx);
    parse(&e, "error(strange)");
    assert_refused(ctx, FANIN_ERR_RECIPE, "no condition 'strange' of 'error'",
                   fi_expression_values(&e, ctx, &terms, values));
    for (int i = 0; i < FI_COUNT(all); i++) {
        parse(&e, all[i]);
        calls_left = 0;
        assert_refused(ctx, FANIN_ERR_IO, "the store is gone",
                       fi_expression_values(&e, ctx, &terms, values));
        calls_left = -1;
    }
    /* also the second call of a function */
    parse(&e, "largest(spread)");
    calls_left = 1;
    assert_refused(ctx, FANIN_ERR_IO, "the store is gone",
                   fi_expression_values(&e, ctx, &terms, values));
    calls_left = -1;
    /* no seeds at all */
    seeds_run = 0;
    const struct fi_term_source no_seeds = test_terms(ctx);
    assert_ok(ctx, fi_expression_values(&e, ctx, &no_seeds, values));
    seeds_run = SEEDS;
}

int main(void) {
    struct CMUnitTest tests[] = {
        cmocka_unit_test(arithmetic), cmocka_unit_test(functions),  cmocka_unit_test(series),
        cmocka_unit_test(wheres),     cmocka_unit_test(conditions), cmocka_unit_test(mistakes),
        cmocka_unit_test(bounds),     cmocka_unit_test(refusals),
    };
    ctx = test_ctx();
    fi_arena_init(&arena, ctx);
    const int failed = test_main(tests);
    fi_arena_free(&arena);
    fanin_ctx_free(ctx);
    return failed;
}
