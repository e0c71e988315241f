/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reductions on every tier against plain restatements of their order: equality is exact. Odd sizes
 * reach every end; the tree of chunks is restated by recursion.
 */
#include "tiers.h"

#define ROWS 2080
#define COLS 131

static const int64_t sizes[] = {0,  1,  2,  7,  15, 16, 17,  31,   32,
                                33, 47, 48, 63, 64, 65, 100, 1000, 4097};
static fi_real numbers[ROWS * COLS];

static void fill_numbers(void) {
    for (int64_t i = 0; i < ROWS * COLS; i++) numbers[i] = 3 * test_number(1, i) + (fi_real)0.25;
}

static double join_lanes(double *s, bool in_real) {
    for (int half = 8; half > 0; half /= 2)
        for (int l = 0; l < half; l++)
            s[l] = in_real ? (double)(fi_real)((fi_real)s[l] + (fi_real)s[l + half])
                           : s[l] + s[l + half];
    return s[0];
}

static void sums(void **state) {
    (void)state;
    fill_numbers();
    for (int c = 0; c < FI_COUNT(sizes); c++) {
        double plain[16] = {0}, squares[16] = {0};
        for (int64_t i = 0; i < sizes[c]; i++) {
            const double x = (double)numbers[i];
            plain[i % 16] = (double)(fi_real)((fi_real)plain[i % 16] + numbers[i]);
            squares[i % 16] += x * x;
        }
        const fi_real sum = (fi_real)join_lanes(plain, true);
        const double square = join_lanes(squares, false);
        FOR_EACH_KERNEL_TIER(t) {
            assert_same_real(t->sum(numbers, sizes[c]), sum);
            const double got = t->sum_squares(numbers, sizes[c]);
            assert_memory_equal(&got, &square, sizeof got);
        }
    }
}

static void maxima(void **state) {
    (void)state;
    fill_numbers();
    FOR_EACH_KERNEL_TIER(t)
    for (int c = 0; c < FI_COUNT(sizes); c++) {
        const int64_t n = sizes[c];
        fi_real max = -(fi_real)INFINITY;
        for (int64_t i = 0; i < n; i++) max = numbers[i] > max ? numbers[i] : max;
        assert_same_real(t->max(numbers, n), max);
        for (int64_t at = 0; at<n; at += n> 100 ? 97 : 1) {
            const fi_real kept = numbers[at];
            numbers[at] = (fi_real)NAN;
            assert_true(isnan(t->max(numbers, n)));
            numbers[at] = (fi_real)INFINITY;
            assert_true(t->max(numbers, n) == (fi_real)INFINITY);
            numbers[at] = -(fi_real)INFINITY;
            assert_false(isnan(t->max(numbers, n)));
            assert_true(n == 1 || t->max(numbers, n) > -(fi_real)INFINITY);
            numbers[at] = 100;
            assert_true(t->max(numbers, n) == 100);
            numbers[at] = kept;
        }
    }
}

/* Chunks [first, first + n) of 32 rows: the tree splits off the widest power of two on the left. */
static fi_real column_tree(const fi_real *x, int64_t rows, int64_t ld, int64_t first, int64_t n) {
    if (n == 1) {
        fi_real sum = 0;
        for (int64_t r = 32 * first; r < FI_MIN(rows, 32 * (first + 1)); r++) sum += x[r * ld];
        return sum;
    }
    int64_t left = 1;
    while (2 * left < n) left *= 2;
    return column_tree(x, rows, ld, first, left) + column_tree(x, rows, ld, first + left, n - left);
}

static void column_sums(void **state) {
    (void)state;
    static const int64_t rows[] = {0,  1,  2,   3,   5,   31,  32,  33,  64,
                                   65, 96, 128, 160, 161, 224, 999, ROWS};
    static const int64_t cols[] = {1, 2, 10, 16, 63, 64, 65, COLS};
    fill_numbers();
    fi_real sum[COLS + 1];
    FOR_EACH_KERNEL_TIER(t)
    for (int r = 0; r < FI_COUNT(rows); r++)
        for (int c = 0; c < FI_COUNT(cols); c++) {
            sum[cols[c]] = 42;
            t->column_sums(numbers, rows[r], cols[c], COLS, sum);
            assert_same_real(sum[cols[c]], 42);
            for (int64_t j = 0; j < cols[c]; j++)
                assert_same_real(sum[j], rows[r] == 0 ? 0
                                                      : column_tree(numbers + j, rows[r], COLS, 0,
                                                                    (rows[r] + 31) / 32));
        }
}

static struct CMUnitTest tests[] = {
    cmocka_unit_test(sums),
    cmocka_unit_test(maxima),
    cmocka_unit_test(column_sums),
};

int main(void) {
    return test_main(tests);
}
