/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The double build: the generic names are the double functions, random numbers are the float
 * build's up to rounding, reductions and the table work on double.
 */
#include "../kernel/tiers.h"
#include "../kernel/ulp.h"
#include "support/records.h"

static void generic_names(void **state) {
    (void)state;
    struct worst worst = {.name = "fi_r_*"};
    for (uint64_t k = 0; k < 20000; k++) {
        const double x = test_between(1, k, -3, 3), a = fabs(x);
        const long double l = (long double)x;
        note(&worst, x, ulps_d(fi_r_exp(x), expl(l)));
        note(&worst, x, ulps_d(fi_r_expm1(x), expm1l(l)));
        note(&worst, x, ulps_d(fi_r_log(a), logl(fabsl(l))));
        note(&worst, x, ulps_d(fi_r_log1p(a), log1pl(fabsl(l))));
        note(&worst, x, ulps_d(fi_r_tanh(x), tanhl(l)));
        note(&worst, x, ulps_d(fi_r_sigmoid(x), sigmoidl(l)));
        note(&worst, x, ulps_d(fi_r_erf(x), erfl(l)));
        long double sine, cosine;
        double s, c;
        fi_r_sincos2pi(x, &s, &c);
        sincos2pil(l, &sine, &cosine);
        note(&worst, x, ulps_d(s, sine));
        note(&worst, x, ulps_d(c, cosine));
    }
    assert_within(&worst, 2);
}

/* Restated with libm: the same words, uniform numbers exact, normal ones within a few roundings. */
static void random_numbers(void **state) {
    (void)state;
    enum { N = 3000 };
    uint32_t words[N];
    double uniform[N], normal[N];
    all_tiers[0].words(5, 1, 2, N, words);
    all_tiers[0].uniform(5, 1, 2, N, uniform);
    all_tiers[0].normal(5, 1, 2, N, normal);
    for (int i = 0; i < N; i++) {
        assert_true(uniform[i] == (words[i] >> 8) * 0x1p-24);
        const int even = i - i % 2;
        const long double u = (words[even] >> 1) * 0x1p-31L + 0x1p-32L;
        long double sine, cosine;
        sincos2pil((words[even + 1] >> 8) * 0x1p-24L, &sine, &cosine);
        const long double want = sqrtl(-2 * logl(u)) * (i % 2 ? sine : cosine);
        assert_true(fabsl((long double)normal[i] - want) <= 1e-15L * (1 + fabsl(want)));
    }
}

static void reductions(void **state) {
    (void)state;
    enum { ROWS = 77, COLS = 70 };
    static double x[ROWS * COLS], sums[COLS];
    for (int64_t i = 0; i < ROWS * COLS; i++) x[i] = test_number(1, i);
    all_tiers[0].column_sums(x, ROWS, COLS, COLS, sums);
    long double total = 0, squares = 0;
    double max = -INFINITY;
    for (int64_t j = 0; j < COLS; j++) {
        long double sum = 0;
        for (int64_t r = 0; r < ROWS; r++) {
            const double v = x[r * COLS + j];
            sum += (long double)v, squares += (long double)v * v;
            max = v > max ? v : max;
        }
        total += sum;
        assert_true(fabsl(sum - (long double)sums[j]) < 1e-13L);
    }
    const int64_t n = ROWS * COLS;
    assert_true(fabsl(total - (long double)all_tiers[0].sum(x, n)) < 1e-12L);
    assert_true(fabsl(squares - (long double)all_tiers[0].sum_squares(x, n)) < 1e-11L);
    assert_true(all_tiers[0].max(x, n) == max);
}

static struct CMUnitTest tests[] = {
    cmocka_unit_test(generic_names),
    cmocka_unit_test(random_numbers),
    cmocka_unit_test(reductions),
};

int main(void) {
    return test_main(tests);
}
