/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Claims: how each comparison is read and tested, every verdict, equality to the last bit, what is
 * missing or infinite, chains, sentences and messages.
 */
#include "study/claim.h"
#include "study/terms.h"
#include "support/memory.h"

static fanin_ctx *ctx;
static struct fi_arena arena;

static struct fi_claim *parse(const char *text, const char *test, double level) {
    struct fi_claim *claim = NULL;
    const struct fi_claim_options options = {"c", text, NULL, test, level};
    if (fi_claim_parse(&arena, &claim, &options) != FANIN_OK)
        fail_msg("'%s': %s", text, fanin_errmsg(ctx));
    return claim;
}

/* With the first n of the five seeds. */
static struct fi_claim_result decide_of(const char *text, const char *test, int64_t n) {
    struct fi_claim_result result;
    seeds_run = n;
    const struct fi_term_source terms = test_terms(ctx);
    const struct fi_claim *claim = parse(text, test, 0);
    if (fi_claim_decide(&arena, &result, claim, &terms) != FANIN_OK)
        fail_msg("'%s': %s", text, fanin_errmsg(ctx));
    seeds_run = SEEDS;
    assert_int_equal(result.n_findings, claim->n_sides - 1);
    assert_null(strchr(result.sentence, '\n'));
    return result;
}

static struct fi_claim_result decide(const char *text, const char *test) {
    return decide_of(text, test, SEEDS);
}

static void verdict(const char *text, const char *test, enum fi_verdict want) {
    const struct fi_claim_result r = decide(text, test);
    if (r.verdict != want)
        fail_msg("'%s' %s, expected %s: %s", text, fi_verdict_name(r.verdict),
                 fi_verdict_name(want), r.sentence);
    assert_true((r.more_seeds == 0) == (want != FI_UNDECIDED));
}

static void near(double have, double want) {
    if (!(fabs(have - want) <= 1e-12 * fabs(want))) fail_msg("%.17g, expected %.17g", have, want);
}

static void says(const char *text, const char *test, const char *sentence) {
    assert_string_equal(decide(text, test).sentence, sentence);
}

static void reading(void **state) {
    (void)state;
    struct fi_claim *claim;
    const char *name = "normalized is better";
    const struct fi_claim_options options = {
        name, " error(normalized)\n  < error(standard) - 0.02 ", "Glorot 2010", "welch", 0.05};
    assert_ok(ctx, fi_claim_parse(&arena, &claim, &options));
    assert_true(claim->name != name && claim->text != options.text);
    assert_string_equal(claim->name, name);
    assert_string_equal(claim->source, "Glorot 2010");
    assert_null(strchr(claim->text, '\n'));
    assert_true(claim->level == 0.05 && claim->n_sides == 2 && claim->n_terms == 2);
    assert_string_equal(claim->sides[0].text, "error(normalized)");
    assert_string_equal(claim->sides[1].text, "error(standard) - 0.02");
    assert_true(claim->pairs[0].compare == FI_LESS && claim->pairs[0].test == FI_TEST_WELCH);
    assert_string_equal(claim->terms[1].selectors[0].value, "standard");
    static const struct {
        const char *text;
        enum fi_compare compare;
        enum fi_claim_test test;
    } all[] = {{"a<b", FI_LESS, FI_TEST_PAIRED},          {"a<=b", FI_AT_MOST, FI_TEST_PAIRED},
               {"a>b", FI_GREATER, FI_TEST_PAIRED},       {"a>=b", FI_AT_LEAST, FI_TEST_PAIRED},
               {"a==b", FI_EQUAL, FI_TEST_EXACT},         {"a!=b", FI_UNEQUAL, FI_TEST_EXACT},
               {"a<1", FI_LESS, FI_TEST_PAIRED},          {"1<a", FI_LESS, FI_TEST_PAIRED},
               {"a<mean(b)", FI_LESS, FI_TEST_PAIRED},    {"sd(a) < sd(b)", FI_LESS, FI_TEST_EXACT},
               {"mean(a) > 1", FI_GREATER, FI_TEST_EXACT}};
    for (int i = 0; i < FI_COUNT(all); i++) {
        claim = parse(all[i].text, NULL, 0);
        assert_true(claim->pairs[0].compare == all[i].compare);
        assert_true(claim->pairs[0].test == all[i].test && claim->level == FI_CLAIM_LEVEL);
        assert_true(strstr(all[i].text, fi_compare_name(all[i].compare)) != NULL);
    }
    claim = parse("0 < a <= b != 3", NULL, 0);
    assert_true(claim->n_sides == 4 && claim->pairs[1].compare == FI_AT_MOST);
    assert_true(claim->pairs[2].test == FI_TEST_EXACT && claim->n_terms == 2);
    assert_true(parse("a < b", "sign", 0)->pairs[0].test == FI_TEST_SIGN);
    assert_true(parse("a < b", "exact", 0)->pairs[0].test == FI_TEST_EXACT);
    assert_true(parse("a < b", "paired", 0)->pairs[0].test == FI_TEST_PAIRED);
    assert_true(parse("a == b", "exact", 0)->pairs[0].test == FI_TEST_EXACT);
}

static void mistakes(void **state) {
    (void)state;
    static const struct {
        const char *text, *test;
        double level;
        const char *message;
    } all[] = {
        {"a", NULL, 0, "expected a comparison (< <= > >= == !=) at character 2, found the end"},
        {"a b", NULL, 0, "expected an operator or a comparison at character 3, found 'b'"},
        {"a = b", NULL, 0, "expected an operator or a comparison at character 3, found '='"},
        {"a < b = c", NULL, 0,
         "expected an operator, a comparison or the end at character 7, found '='"},
        {"a <", NULL, 0, "expected a figure, a number or '(' at character 4, found the end"},
        {"a < > b", NULL, 0, "expected a figure, a number or '(' at character 5, found '>'"},
        {"(a < b)", NULL, 0, "expected an operator or ')' at character 4, found '<'"},
        {"abs(a < b)", NULL, 0, "expected ')' at character 7, found '<'"},
        {"error(normalized < 2", NULL, 0, "expected ',' or ')' at character 18, found '<'"},
        {"1 < 2", NULL, 0, "'1 < 2' names no figure"},
        {"a < b", "student", 0, "test 'student' is none of paired, welch, sign, exact"},
        {"a < b", "", 0, "test '' is none of"},
        {"a < b", NULL, 0.5, "level 0.5 is no chance above 0 and below 0.5"},
        {"a < b", NULL, -0.01, "level -0.01 is no chance"},
        {"a < b", NULL, NAN, "level nan is no chance"},
        {"a == b", "paired", 0, "'==' is true or not in every seed: leave out 'test'"},
        {"a < b != 2", "sign", 0, "'!=' is true or not in every seed"},
        {"sd(a) < sd(b)", "paired", 0, "neither 'sd(a)' nor 'sd(b)' varies between seeds"},
    };
    for (int i = 0; i < FI_COUNT(all); i++) {
        struct fi_claim *claim;
        const struct fi_claim_options options = {"c", all[i].text, NULL, all[i].test, all[i].level};
        assert_refused(ctx, FANIN_ERR_RECIPE, all[i].message,
                       fi_claim_parse(&arena, &claim, &options));
        assert_true(strncmp(fanin_errmsg(ctx), "claim 'c': ", 11) == 0 && !claim);
    }
}

static void means(void **state) {
    (void)state;
    verdict("error(normalized) < error(standard)", NULL, FI_HOLDS);
    verdict("error(normalized) < error(standard) - 0.02", NULL, FI_HOLDS);
    verdict("error(normalized) < error(standard) - 0.05", NULL, FI_FAILS);
    verdict("error(normalized) < error(standard) - 0.03", NULL, FI_UNDECIDED);
    verdict("error(standard) > error(normalized)", NULL, FI_HOLDS);
    verdict("error(standard) >= error(normalized)", NULL, FI_HOLDS);
    verdict("error(standard) < error(normalized)", NULL, FI_FAILS);
    verdict("error(standard) <= error(normalized)", NULL, FI_FAILS);
    verdict("error(normalized) > error(standard)", NULL, FI_FAILS);
    verdict("error(normalized) < error(noisy)", NULL, FI_UNDECIDED);
    verdict("error(normalized) > error(noisy)", NULL, FI_UNDECIDED);
    verdict("error(normalized) < 0.08", NULL, FI_HOLDS);
    verdict("0.05 < error(normalized)", NULL, FI_HOLDS);
    verdict("error(normalized) > 0.08", NULL, FI_FAILS);
    verdict("error(normalized) < error(standard)", "welch", FI_HOLDS);
    verdict("error(standard) < error(normalized)", "welch", FI_FAILS);
    verdict("error(normalized) < error(noisy)", "welch", FI_UNDECIDED);
    verdict("error(normalized) < 0.08", "welch", FI_HOLDS);
    /* pairs see what Welch's test does not: b is 2 above a in every seed, more or less */
    verdict("b < b + 2 + a / 10", NULL, FI_HOLDS);
    verdict("b < b + 2 + a / 10", "welch", FI_UNDECIDED);
    /* against scipy.stats.ttest_rel(standard, normalized, alternative="greater") and its
     * confidence_interval(); ttest_ind(…, equal_var=False) */
    const struct fi_claim_finding f =
        decide("error(normalized) < error(standard)", NULL).findings[0];
    assert_true(f.n == 5 && f.missing == 0 && f.agree == 5 && f.against == 0);
    assert_true(f.test == FI_TEST_PAIRED && f.first_against == -1);
    near(f.left.mean, 0.0612);
    near(f.right.mean, 0.0922);
    near(f.difference, 0.031);
    near(f.p, 5.440698613932919e-06);
    near(f.low, 0.027834365521916687);
    near(f.high, 0.034165634478083316);
    const struct fi_claim_finding w =
        decide("error(normalized) > error(standard)", "welch").findings[0];
    near(w.difference, 0.031);
    near(w.p, 0.9999915504558606);
    near(w.low, 0.02515615596913439);
    near(w.high, 0.036843844030865595);
    says("error(normalized) < error(standard)", NULL,
         "left 0.0612 ± 0.00283, right 0.0922 ± 0.00592, difference 0.031 [0.0278, 0.0342], p = "
         "5.4e-06, n = 5");
    says("error(normalized) < error(noisy)", NULL,
         "left 0.0612 ± 0.00283, right 0.0776 ± 0.0349, difference 0.0164 [-0.0161, 0.0489], p = "
         "0.12, n = 5; about 24 more seeds would decide");
    says("error(normalized) < 0.062", NULL,
         "left 0.0612 ± 0.00283, right 0.062, difference 0.0008 [-0.00203, 0.00363], p = 0.24, n = "
         "5; about 80 more seeds would decide");
}

static void points(void **state) {
    (void)state;
    verdict("same < 0.6", NULL, FI_HOLDS);
    verdict("same < 0.5", NULL, FI_FAILS);
    verdict("same <= 0.5", NULL, FI_HOLDS);
    verdict("same >= 0.5", NULL, FI_HOLDS);
    verdict("same > 0.5", NULL, FI_FAILS);
    verdict("same > 0.6", NULL, FI_FAILS);
    verdict("same < third", "welch", FI_FAILS);
    verdict("same > third", "welch", FI_HOLDS);
    verdict("a < a", NULL, FI_FAILS);
    verdict("a <= a", NULL, FI_HOLDS);
    verdict("a < a", "sign", FI_FAILS);
    verdict("a >= a", "sign", FI_HOLDS);
    verdict("a < a + 1", NULL, FI_HOLDS);
    says("same < 0.6", NULL, "left 0.5, right 0.6, difference 0.1 [0.1, 0.1], p = 0, n = 5");
    /* two seeds suffice for that, one does not */
    assert_int_equal(decide_of("same < 0.6", NULL, 2).verdict, FI_HOLDS);
    struct fi_claim_result r = decide_of("same < 0.6", NULL, 1);
    assert_true(r.verdict == FI_UNDECIDED && r.more_seeds == FI_SEEDS_UNKNOWN);
    assert_true(isnan(r.findings[0].p) && isnan(r.findings[0].low));
    assert_string_equal(r.sentence, "left 0.5, right 0.6, difference 0.1, n = 1; fewer than two "
                                    "seeds decide nothing");
    assert_int_equal(decide_of("same < 0.6", "welch", 1).verdict, FI_UNDECIDED);
    assert_int_equal(decide_of("same < 0.6", "sign", 1).verdict, FI_UNDECIDED);
    assert_int_equal(decide_of("same < 0.6", "exact", 1).verdict, FI_HOLDS);
    for (int i = 0; i < 4; i++) {
        static const char *const tests[] = {"paired", "welch", "sign", "exact"};
        r = decide_of("same < 0.6", tests[i], 0);
        assert_true(r.verdict == FI_UNDECIDED && r.findings[0].n == 0);
    }
}

static void signs(void **state) {
    (void)state;
    /* 5 of 5: p = 1/32, which 5 % takes and 1 % does not; seven would do */
    struct fi_claim_result r = decide("error(normalized) < error(standard)", "sign");
    assert_true(r.verdict == FI_UNDECIDED && r.findings[0].p == 0.03125 && r.more_seeds == 2);
    assert_string_equal(r.sentence,
                        "left 0.0612 ± 0.00283, right 0.0922 ± 0.00592, difference 0.031 [0.0278, "
                        "0.0342], as claimed in 5 of 5 seeds, p = 0.031, n = 5; about 2 more seeds "
                        "would decide");
    const struct fi_term_source terms = test_terms(ctx);
    static const struct {
        const char *text;
        enum fi_verdict verdict;
    } all[] = {{"error(normalized) < error(standard)", FI_HOLDS},
               {"error(normalized) > error(standard)", FI_FAILS},
               {"error(standard) >= error(normalized)", FI_HOLDS},
               {"error(normalized) < error(noisy)", FI_UNDECIDED}};
    /* as small as the level is small enough */
    assert_ok(ctx, fi_claim_decide(&arena, &r, parse("a < b", "sign", 0.03125), &terms));
    assert_int_equal(r.verdict, FI_HOLDS);
    assert_ok(ctx, fi_claim_decide(&arena, &r, parse("a > b", "sign", 0.03125), &terms));
    assert_int_equal(r.verdict, FI_FAILS);
    for (int i = 0; i < FI_COUNT(all); i++) {
        assert_ok(ctx, fi_claim_decide(&arena, &r, parse(all[i].text, "sign", 0.05), &terms));
        assert_int_equal(r.verdict, all[i].verdict);
    }
}

static void exactly(void **state) {
    (void)state;
    verdict("third == 0.3", NULL, FI_HOLDS);
    verdict("tenth + 0.2 == 0.3", NULL, FI_FAILS); /* the last bit */
    verdict("tenth + 0.2 != 0.3", NULL, FI_HOLDS);
    verdict("third != 0.3", NULL, FI_FAILS);
    verdict("zero == 0", NULL, FI_HOLDS);
    verdict("never == inf", NULL, FI_HOLDS);
    verdict("never == -inf", NULL, FI_FAILS);
    verdict("never != never", NULL, FI_FAILS);
    verdict("a != 3", NULL, FI_FAILS);
    verdict("a < 6", "exact", FI_HOLDS);
    verdict("a < 5", "exact", FI_FAILS);
    verdict("a <= 5", "exact", FI_HOLDS);
    verdict("a <= 4", "exact", FI_FAILS);
    verdict("a > 0", "exact", FI_HOLDS);
    verdict("a > 1", "exact", FI_FAILS);
    verdict("a >= 1", "exact", FI_HOLDS);
    verdict("a >= 2", "exact", FI_FAILS);
    verdict("a < never", "exact", FI_HOLDS);
    /* one seed without a value: only a violation is sure */
    verdict("gap == gap", NULL, FI_UNDECIDED);
    verdict("gap < 4", "exact", FI_FAILS);
    verdict("none == none", NULL, FI_UNDECIDED);
    says("third == 0.3", NULL, "as claimed in 5 of 5 seeds");
    says("tenth + 0.2 == 0.3", NULL,
         "as claimed in 0 of 5 seeds, first not in seed 1 of 5: left "
         "0.30000000000000004, right 0.3");
    says("gap < 4", "exact",
         "as claimed in 2 of 3 seeds, first not in seed 4 of 5: left 4, right "
         "4, 2 seeds without a value");
    const struct fi_claim_finding f = decide("gap < 4", "exact").findings[0];
    assert_true(f.n == 3 && f.missing == 2 && f.agree == 2 && f.against == 1);
    assert_true(f.first_against == 3 && isnan(f.p));
    /* numbers of all seeds together */
    verdict("sd(a) < sd(b)", NULL, FI_HOLDS);
    verdict("mean(a) > mean(b)", NULL, FI_FAILS);
    verdict("mean(none) > 1", NULL, FI_UNDECIDED);
    assert_int_equal(decide("sd(a) < sd(b)", NULL).findings[0].n, 1);
    says("sd(a) < sd(b)", NULL, "left 1.58, right 15.8, each of all seeds together");
}

static void missing_and_infinite(void **state) {
    (void)state;
    /* three seeds are left: 9, 17 and 26, say */
    struct fi_claim_result r = decide("gap < b", NULL);
    struct fi_claim_finding f = r.findings[0];
    assert_true(f.n == 3 && f.missing == 2 && f.left.n == 3 && f.right.n == 3);
    near(f.difference, (9 + 27 + 36) / 3.0);
    assert_true(strstr(r.sentence, ", n = 3, 2 seeds without a value") != NULL);
    /* on their own sides for Welch's test */
    f = decide("gap < b", "welch").findings[0];
    assert_true(f.n == 3 && f.missing == 2 && f.left.n == 3 && f.right.n == 5);
    near(f.difference, 30 - 8.0 / 3);
    verdict("none < b", NULL, FI_UNDECIDED);
    verdict("none < b", "welch", FI_UNDECIDED);
    says("none < 1", NULL,
         "left no value, right no value, n = 0, 5 seeds without a value; fewer "
         "than two seeds decide nothing");
    /* what is not finite goes by its order */
    r = decide("a < never", NULL);
    f = r.findings[0];
    assert_true(r.verdict == FI_UNDECIDED && f.test == FI_TEST_SIGN && f.p == 0.03125);
    assert_true(f.difference == INFINITY && isnan(f.low) && r.more_seeds == 2);
    assert_string_equal(r.sentence,
                        "left 3 ± 1.96, right inf, difference inf, as claimed in 5 of 5 "
                        "seeds, p = 0.031 by the sign test, as not all values are "
                        "finite, n = 5; about 2 more seeds would decide");
    verdict("never < never", NULL, FI_FAILS);
    verdict("never <= never", NULL, FI_HOLDS);
    assert_true(isnan(decide("never < never", NULL).findings[0].difference));
    f = decide("a < mixed", "welch").findings[0];
    assert_true(f.test == FI_TEST_SIGN && f.agree == 3 && f.against == 2 && f.p == 0.5);
    /* differences that overflow */
    f = decide("0 * a - 1e308 < 0 * a + 1e308", NULL).findings[0];
    assert_true(f.test == FI_TEST_SIGN && f.p == 0.03125);
    /* inf - inf is no value */
    f = decide("never - never < 1", NULL).findings[0];
    assert_true(f.n == 0 && f.missing == 5);
}

static void seeds_needed(void **state) {
    (void)state;
    /* as the noncentral t distribution of SciPy says */
    assert_int_equal(decide("error(normalized) < error(noisy)", NULL).more_seeds, 24);
    assert_true(decide("error(normalized) < error(noisy) - 0.0164", NULL).more_seeds ==
                FI_SEEDS_MANY);
    assert_non_null(strstr(decide("error(normalized) < error(noisy) - 0.0164", NULL).sentence,
                           "; more than 1000 more seeds would be needed"));
}

static void chains(void **state) {
    (void)state;
    verdict("0 < error(normalized) < error(standard) < 1", NULL, FI_HOLDS);
    verdict("0 < error(normalized) < error(noisy) < 1", NULL, FI_UNDECIDED);
    verdict("0 < error(noisy) < error(normalized) > error(standard)", NULL, FI_FAILS);
    verdict("0.3 == third < 1", NULL, FI_HOLDS);
    verdict("0.3 != third < 1", NULL, FI_FAILS);
    says("0.3 == third < 1", NULL,
         "0.3 == third: as claimed in 5 of 5 seeds; third < 1: left 0.3, right 1, difference 0.7 "
         "[0.7, 0.7], p = 0, n = 5");
    /* more seeds: as many as the neediest comparison */
    struct fi_claim_result r = decide("error(normalized) < error(noisy) < 0.09", NULL);
    assert_int_equal(r.verdict, FI_UNDECIDED);
    assert_true(r.more_seeds == FI_MAX(r.findings[0].more_seeds, r.findings[1].more_seeds));
    r = decide("error(normalized) < error(noisy) < none", NULL);
    assert_true(r.verdict == FI_UNDECIDED && r.more_seeds == FI_SEEDS_UNKNOWN);
}

static void functions(void **state) {
    (void)state;
    verdict("slope(growth, 10, 60) > 0.2", NULL, FI_HOLDS);
    verdict("reach(curve, 0.5) == 10", NULL, FI_HOLDS);
    verdict("reach(curve, 0) == inf", NULL, FI_HOLDS);
    verdict("largest(spread) <= 9", "exact", FI_HOLDS);
    verdict("spread[dense1]@5 >= 6", "exact", FI_UNDECIDED);
}

static void refusals(void **state) {
    (void)state;
    struct fi_claim_result r;
    const struct fi_term_source terms = test_terms(ctx);
    assert_refused(ctx, FANIN_ERR_RECIPE, "no condition 'strange' of 'error'",
                   fi_claim_decide(&arena, &r, parse("a < error(strange)", NULL, 0), &terms));
    calls_left = 1;
    assert_refused(ctx, FANIN_ERR_IO, "the store is gone",
                   fi_claim_decide(&arena, &r, parse("a < b", NULL, 0), &terms));
    calls_left = -1;
}

/* Any one allocation fails: an error comes back, and nothing is lost. */
static void out_of_memory(void **state) {
    (void)state;
    const struct fi_claim_options options = {
        "c", "mean(largest(spread)) < reach(curve, 0) <= error(init=normalized, lr=0.1)", "s"};
    for (int64_t fail_at = 1, done = 0; !done; fail_at++) {
        struct test_memory scarce = {0};
        const struct fanin_ctx_options with = {
            .size = sizeof with, .threads = 1, .allocator = test_memory_allocator(&scarce)};
        fanin_ctx *own;
        struct fi_arena memory;
        struct fi_claim *claim;
        struct fi_claim_result result;
        assert_int_equal(fanin_ctx_create(&own, &with, NULL, 0), FANIN_OK);
        fi_arena_init(&memory, own);
        const struct fi_term_source terms = test_terms(own);
        scarce.calls = 0;
        scarce.fail_at = fail_at;
        enum fanin_status status = fi_claim_parse(&memory, &claim, &options);
        if (status == FANIN_OK) status = fi_claim_decide(&memory, &result, claim, &terms);
        done = status == FANIN_OK;
        if (!done) assert_int_equal(status, FANIN_ERR_MEMORY);
        assert_true(done == (scarce.calls < fail_at)); /* none goes unnoticed */
        fi_arena_free(&memory);
        fanin_ctx_free(own);
        assert_int_equal(scarce.live, 0);
    }
}

int main(void) {
    struct CMUnitTest tests[] = {
        cmocka_unit_test(reading),      cmocka_unit_test(mistakes),
        cmocka_unit_test(means),        cmocka_unit_test(points),
        cmocka_unit_test(signs),        cmocka_unit_test(exactly),
        cmocka_unit_test(seeds_needed), cmocka_unit_test(missing_and_infinite),
        cmocka_unit_test(chains),       cmocka_unit_test(functions),
        cmocka_unit_test(refusals),     cmocka_unit_test(out_of_memory),
    };
    ctx = test_ctx();
    fi_arena_init(&arena, ctx);
    const int failed = test_main(tests);
    fi_arena_free(&arena);
    fanin_ctx_free(ctx);
    return failed;
}
