/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Statistics of seeds against SciPy and mpmath (tests/golden/study.txt, written by
 * tools/golden/study.py): distributions to 1e-12, tests to 1e-11 (their data are written in
 * decimals). What has no spread, is infinite or missing. A paired test at 1 % is wrong in 1 % of
 * 10,000 draws.
 */
#include <math.h>

#include "golden/lines.h"
#include "study/statistics.h"

static void assert_near(const char *what, double have, double want, double tolerance) {
    if (!(fabs(have - want) <= tolerance * fabs(want)))
        fail_msg("%s: %.17g, expected %.17g", what, have, want);
}

static void distributions(void **state) {
    (void)state;
    FILE *file = golden_open("study.txt");
    int seen = 0;
    for (const char *word; (word = golden_next(file));) {
        double v[4];
        if (strcmp(word, "t_cdf") == 0) {
            golden_numbers(v, 3);
            assert_near("t_cdf", fi_t_cdf(v[0], v[1]), v[2], 1e-12);
        } else if (strcmp(word, "t_quantile") == 0) {
            golden_numbers(v, 3);
            assert_near("t_quantile", fi_t_quantile(v[0], v[1]), v[2], 1e-12);
        } else if (strcmp(word, "normal_cdf") == 0) {
            golden_numbers(v, 2);
            assert_near("normal_cdf", fi_normal_cdf(v[0]), v[1], 1e-12);
        } else if (strcmp(word, "normal_quantile") == 0) {
            golden_numbers(v, 2);
            assert_near("normal_quantile", fi_normal_quantile(v[0]), v[1], 1e-12);
        } else if (strcmp(word, "binomial_tail") == 0) {
            golden_numbers(v, 4);
            assert_near("binomial_tail", fi_binomial_tail((int64_t)v[0], (int64_t)v[1], v[2]), v[3],
                        1e-11);
        } else {
            continue;
        }
        seen++;
    }
    fclose(file);
    assert_true(seen > 250);
}

static void ends_of_distributions(void **state) {
    (void)state;
    assert_true(fi_t_cdf(INFINITY, 3) == 1 && fi_t_cdf(-INFINITY, 3) == 0);
    assert_true(isnan(fi_t_cdf(NAN, 3)) && isnan(fi_t_cdf(1, 0)) && isnan(fi_t_cdf(1, NAN)));
    assert_true(fi_t_quantile(0, 3) == -INFINITY && fi_t_quantile(1, 3) == INFINITY);
    assert_true(fi_t_quantile(0.5, 3) == 0 && isnan(fi_t_quantile(1.5, 3)));
    assert_true(isnan(fi_t_quantile(NAN, 3)) && isnan(fi_t_quantile(0.1, -1)));
    /* the Cauchy distribution is its own closed form, as far out as numbers go */
    assert_near("cauchy", fi_t_quantile(1e-300, 1), -1e300 / 3.14159265358979323846, 1e-12);
    assert_near("cauchy", fi_t_cdf(-1e300, 1), 1e-300 / 3.14159265358979323846, 1e-12);
    /* many degrees of freedom go over into none at all */
    assert_near("normal", fi_t_quantile(0.975, 1e9), fi_normal_quantile(0.975), 1e-8);
    assert_near("normal", fi_t_quantile(1e-9, 1e12), fi_normal_quantile(1e-9), 1e-12);
    /* both ways */
    for (double df = 0.3; df < 3e5; df *= 3)
        for (double p = 1e-9; p < 0.5; p *= 7)
            assert_near("both ways", fi_t_cdf(fi_t_quantile(p, df), df), p, 1e-12);
    assert_true(fi_binomial_tail(5, 0, 0.3) == 1 && fi_binomial_tail(5, 6, 0.3) == 0);
    assert_true(fi_binomial_tail(5, 2, 0) == 0 && fi_binomial_tail(5, 5, 1) == 1);
    assert_true(isnan(fi_binomial_tail(5, 2, NAN)) && isnan(fi_binomial_tail(-1, 0, 0.5)));
}

#define MOST 64
static int64_t read_sample(FILE *file, const char *word, double *x) {
    double n;
    golden_line(file, word);
    golden_numbers(&n, 1);
    assert_true(n >= 1 && n <= MOST);
    golden_numbers(x, (int64_t)n);
    return (int64_t)n;
}

/* `x` stands behind the line's word already. */
static void check_sample(FILE *file) {
    double size, x[MOST], y[MOST], want[4], difference[MOST];
    golden_numbers(&size, 1);
    const int64_t n = (int64_t)size;
    assert_true(n >= 1 && n <= MOST);
    golden_numbers(x, n);
    const int64_t m = read_sample(file, "y", y);
    struct fi_summary summary;
    fi_summarize(&summary, x, n, 0.95);
    golden_line(file, "summary");
    golden_numbers(want, 2);
    assert_near("mean", summary.mean, want[0], 1e-11);
    assert_near("sd", summary.sd, want[1], 1e-11);
    struct fi_t_test t;
    fi_welch_test(&t, x, n, y, m, 0.95);
    golden_line(file, "welch");
    golden_numbers(want, 4);
    assert_near("df", t.df, want[0], 1e-11);
    assert_near("p of Welch", t.above, want[1], 1e-11);
    assert_near("low of Welch", t.low, want[2], 1e-11);
    assert_near("high of Welch", t.high, want[3], 1e-11);
    fi_t_test(&t, x, n, 0.95);
    golden_line(file, "one");
    golden_numbers(want, 3);
    assert_near("p of one sample", t.above, want[0], 1e-11);
    assert_near("low", t.low, want[1], 1e-11);
    assert_near("high", t.high, want[2], 1e-11);
    assert_true(t.low == summary.low && t.high == summary.high);
    if (n != m) return;
    golden_line(file, "pairs");
    golden_numbers(want, 2);
    for (int64_t i = 0; i < n; i++) difference[i] = y[i] - x[i];
    fi_t_test(&t, difference, n, 0.95);
    assert_near("p of pairs", t.below, want[0], 1e-11);
    struct fi_sign_test sign;
    fi_sign_test(&sign, x, y, n);
    assert_near("p of signs", sign.p_above, want[1], 1e-11);
}

static void samples(void **state) {
    (void)state;
    FILE *file = golden_open("study.txt");
    int seen = 0;
    for (const char *word; (word = golden_next(file));) {
        if (strcmp(word, "x") != 0) continue;
        check_sample(file);
        seen++;
    }
    fclose(file);
    assert_int_equal(seen, 6);
}

static void seeds(void **state) {
    (void)state;
    FILE *file = golden_open("study.txt");
    int seen = 0;
    for (const char *word; (word = golden_next(file));) {
        double v[4];
        if (strcmp(word, "seeds") != 0) continue;
        golden_numbers(v, 4);
        const int64_t more = fi_t_seeds((int64_t)v[0], -v[1] * 3, 3, 1, v[2]);
        if (more != (int64_t)v[3]) fail_msg("%d more seeds, expected %g", (int)more, v[3]);
        seen++;
    }
    fclose(file);
    assert_int_equal(seen, 6);
    assert_int_equal(fi_t_seeds(5, 0.01, 1, 1, 0.01), FI_SEEDS_MANY);
    assert_int_equal(fi_t_seeds(5, 0, 1, 1, 0.01), FI_SEEDS_MANY);
    assert_int_equal(fi_t_seeds(5, 1e9, 1, 1, 0.01), 1);
    assert_int_equal(fi_t_seeds(1, 1, NAN, 1, 0.01), FI_SEEDS_UNKNOWN);
    assert_int_equal(fi_t_seeds(5, INFINITY, INFINITY, 1, 0.01), FI_SEEDS_UNKNOWN);
    assert_int_equal(fi_t_seeds(5, NAN, 1, 1, 0.01), FI_SEEDS_UNKNOWN);
    /* 5 of 5: seven in a row are the first that are significant at 1 % */
    struct fi_sign_test sign = {.above = 5, .p_above = 0.03125, .p_below = 1};
    assert_int_equal(fi_sign_seeds(&sign, 0.01), 2);
    assert_int_equal(fi_sign_seeds(&sign, 1e-9), 25); /* 2^-30 */
    /* every second pair a tie: 14 for seven that say something, which are now 4 of 8 */
    sign = (struct fi_sign_test){.below = 4, .ties = 4, .p_above = 1, .p_below = 0.0625};
    assert_int_equal(fi_sign_seeds(&sign, 0.01), 6);
    /* 4 of 5: the least n with P(B(n, .8) >= c(n)) >= .8, c(n) the critical number: 27 (SciPy) */
    sign = (struct fi_sign_test){.above = 4, .below = 1, .p_above = 0.1875, .p_below = 0.96875};
    assert_int_equal(fi_sign_seeds(&sign, 0.01), 27 - 5);
    sign = (struct fi_sign_test){.above = 3, .below = 3, .p_above = 0.65625, .p_below = 0.65625};
    assert_int_equal(fi_sign_seeds(&sign, 0.01), FI_SEEDS_MANY);
    sign = (struct fi_sign_test){.above = 1, .p_above = 0.5, .p_below = 1};
    assert_int_equal(fi_sign_seeds(&sign, 0.01), FI_SEEDS_UNKNOWN);
}

static void no_spread(void **state) {
    (void)state;
    const double equal[] = {0.1, 0.1, 0.1}, zeros[] = {0, -0.0, 0}, tiny[] = {5e-324, 5e-324},
                 huge[] = {1.7e308, 1.7e308, -1.7e308};
    struct fi_summary s;
    fi_summarize(&s, equal, 3, 0.95);
    assert_true(s.mean == 0.1 && s.sd == 0 && s.low == 0.1 && s.high == 0.1);
    fi_summarize(&s, zeros, 3, 0.95);
    assert_true(s.mean == 0 && s.sd == 0 && s.low == 0 && s.high == 0);
    fi_summarize(&s, tiny, 2, 0.95);
    assert_true(s.mean == 5e-324 && s.sd == 0);
    fi_summarize(&s, huge, 3, 0.95);
    assert_near("mean of huge numbers", s.mean, 1.7e308 / 3, 1e-15);
    fi_summarize(&s, equal, 1, 0.95);
    assert_true(s.n == 1 && s.mean == 0.1 && isnan(s.sd) && isnan(s.low) && isnan(s.high));
    fi_summarize(&s, equal, 0, 0.95);
    assert_true(s.n == 0 && isnan(s.mean) && isnan(s.sd));
    struct fi_t_test t;
    fi_t_test(&t, equal, 3, 0.95);
    assert_true(t.error == 0 && t.above == 0 && t.below == 1 && t.low == 0.1 && t.high == 0.1);
    fi_t_test(&t, zeros, 3, 0.95);
    assert_true(t.above == 1 && t.below == 1);
    fi_t_test(&t, equal, 1, 0.95);
    assert_true(t.mean == 0.1 && isnan(t.above) && isnan(t.below) && isnan(t.low));
    fi_welch_test(&t, equal, 3, zeros, 3, 0.95);
    assert_true(t.mean == -0.1 && t.error == 0 && t.above == 1 && t.below == 0 && t.df == 4);
    /* against a sample without spread Welch's test is that of one sample */
    const double spread[] = {0.4, 0.2, 0.9};
    struct fi_t_test one;
    fi_welch_test(&t, zeros, 3, spread, 3, 0.95);
    fi_t_test(&one, spread, 3, 0.95);
    assert_near("df", t.df, 2, 1e-15);
    assert_near("p", t.above, one.above, 1e-14);
    fi_welch_test(&t, equal, 1, spread, 3, 0.95);
    assert_true(isnan(t.above) && isnan(t.below));
    struct fi_sign_test sign;
    fi_sign_test(&sign, equal, equal, 3);
    assert_true(sign.ties == 3 && sign.p_above == 1 && sign.p_below == 1);
}

static void infinite_and_missing(void **state) {
    (void)state;
    const double never[] = {3, INFINITY, 4}, both[] = {-INFINITY, 1, INFINITY},
                 gaps[] = {NAN, 1, 3, NAN}, five[] = {1, 2, 3, 4, 5},
                 all[] = {INFINITY, INFINITY, INFINITY, INFINITY, 5};
    struct fi_summary s;
    fi_summarize(&s, never, 3, 0.95);
    assert_true(s.n == 3 && s.infinite == 1 && s.mean == INFINITY && s.sd == INFINITY);
    assert_true(isnan(s.low) && isnan(s.high));
    fi_summarize(&s, both, 3, 0.95);
    assert_true(s.infinite == 2 && isnan(s.mean) && s.sd == INFINITY);
    fi_summarize(&s, gaps, 4, 0.95);
    assert_true(s.n == 2 && s.missing == 2 && s.mean == 2);
    assert_near("sd", s.sd, sqrt(2), 1e-15);
    fi_summarize(&s, gaps, 1, 0.95);
    assert_true(s.n == 0 && s.missing == 1 && isnan(s.mean));
    struct fi_t_test t;
    fi_t_test(&t, never, 3, 0.95);
    assert_true(t.mean == INFINITY && isnan(t.above) && isnan(t.below) && isnan(t.low));
    fi_t_test(&t, gaps, 4, 0.95);
    assert_true(isnan(t.mean) && isnan(t.above) && isnan(t.below));
    fi_welch_test(&t, five, 5, never, 3, 0.95);
    assert_true(t.mean == INFINITY && isnan(t.above) && isnan(t.below));
    fi_welch_test(&t, five, 5, gaps, 4, 0.95);
    assert_true(isnan(t.mean) && isnan(t.above));
    struct fi_sign_test sign;
    fi_sign_test(&sign, five, all, 5);
    assert_true(sign.above == 4 && sign.ties == 1 && sign.p_above == 0.0625 && sign.p_below == 1);
    fi_sign_test(&sign, gaps, five, 4);
    assert_true(isnan(sign.p_above) && isnan(sign.p_below));
}

/* Two numbers of the normal distribution, keyed. */
static void normal_pair(uint64_t key, uint64_t draw, uint64_t i, double out[2]) {
    uint32_t w[4];
    fi_philox(key, draw, i, w);
    const double r = sqrt(-2 * log(1 - fi_uniform53(w[0], w[1])));
    const double angle = 2 * 3.14159265358979323846 * fi_uniform53(w[2], w[3]);
    out[0] = r * cos(angle);
    out[1] = r * sin(angle);
}

/* Without any difference 1 % of the tests find one in either direction: within 4 standard
 * deviations of the binomial distribution of 10,000 draws (100 ± 40), and the intervals of 95 %
 * leave it out in 5 % (500 ± 88). */
static void false_positives(void **state) {
    (void)state;
    const uint64_t key = fi_key(1, "test", "false positives");
    int above = 0, below = 0, outside = 0;
    for (uint64_t draw = 0; draw < 10000; draw++) {
        double difference[5];
        for (uint64_t i = 0; i < 5; i++) {
            double pair[2];
            normal_pair(key, draw, i, pair);
            difference[i] = (0.3 + 0.1 * pair[0]) - (0.3 + 0.1 * pair[1]);
        }
        struct fi_t_test t;
        fi_t_test(&t, difference, 5, 0.95);
        above += t.above <= 0.01;
        below += t.below <= 0.01;
        outside += t.low > 0 || t.high < 0;
    }
    assert_in_range(above, 60, 140);
    assert_in_range(below, 60, 140);
    assert_in_range(outside, 412, 588);
}

int main(void) {
    struct CMUnitTest tests[] = {
        cmocka_unit_test(distributions),   cmocka_unit_test(ends_of_distributions),
        cmocka_unit_test(samples),         cmocka_unit_test(seeds),
        cmocka_unit_test(no_spread),       cmocka_unit_test(infinite_and_missing),
        cmocka_unit_test(false_positives),
    };
    return test_main(tests);
}
