/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The losses in float: known values, extreme logits, tiny losses and gradients against long double,
 * NaN, predictions, entropies, tiers.
 */
#include "support/records.h"

static const struct fi_loss *find(fanin_ctx *ctx, const char *name) {
    return (const struct fi_loss *)(const void *)fanin_record_find(ctx, "loss", name);
}

/* run() of softmax_cross_entropy with its defaults, from labels; of any other loss from targets. */
static double run_default(const struct fi_loss *loss, const struct fanin_tensor *z,
                          const int32_t *labels, const struct fanin_tensor *target,
                          const struct fanin_tensor *dz, double scale) {
    static const struct {
        double label_smoothing;
        struct fanin_list class_weights;
        int64_t ignore_index;
    } defaults = {.ignore_index = INT64_MIN};
    const struct fi_truth truth = {.labels = labels, .target = target};
    return loss->run(&defaults, z, &truth, dz, (fi_real)scale);
}

static void labels_of(int32_t *labels, int64_t rows, int64_t cols) {
    for (int64_t r = 0; r < rows; r++) labels[r] = (int32_t)((7 * r + 3) % cols);
}

/* log p_label and p - onehot of a row, in long double. */
static long double reference(const fi_real *z, int64_t cols, int64_t label, long double *dz) {
    long double max = -INFINITY, others = 0;
    for (int64_t c = 0; c < cols; c++) max = z[c] > max ? z[c] : max;
    for (int64_t c = 0; c < cols; c++)
        if (c != label) others += expl(z[c] - max);
    const long double sum = others + expl(z[label] - max);
    for (int64_t c = 0; c < cols; c++) dz[c] = c == label ? -others / sum : expl(z[c] - max) / sum;
    return z[label] == max ? log1pl(others) : logl(sum) + max - z[label];
}

static void cross_entropy_values(void **state) {
    (void)state;
    static const int64_t shapes[][2] = {{1, 1},  {1, 2},   {9, 10},  {5, 16},
                                        {3, 17}, {4, 512}, {3, 1030}};
    static const double spreads[] = {0, 1, 10, 40};
    fanin_ctx *ctx = test_ctx();
    const struct fi_loss *loss = find(ctx, "softmax_cross_entropy");
    for (int k = 0; k < FI_COUNT(shapes) * FI_COUNT(spreads); k++) {
        struct fi_arena arena;
        fi_arena_init(&arena, ctx);
        const int64_t rows = shapes[k / 4][0], cols = shapes[k / 4][1];
        const struct fanin_tensor z = test_tensor(&arena, rows, cols);
        const struct fanin_tensor dz = test_tensor(&arena, rows, cols);
        int32_t labels[16];
        long double want[1100], total = 0;
        labels_of(labels, rows, cols);
        test_fill_normal(&z, 11, 1, spreads[k % 4]);
        const double sum = run_default(loss, &z, labels, NULL, &dz, 0.5);
        for (int64_t r = 0; r < rows; r++) {
            total += reference(test_at(&z, r, 0), cols, labels[r], want);
            for (int64_t c = 0; c < cols; c++) {
                const long double got = *test_at(&dz, r, c);
                assert_true(fabsl(got - 0.5L * want[c]) <= 4e-6L * fabsl(0.5L * want[c]) + 1e-44L);
            }
        }
        assert_true(fabsl(sum - total) <= 2e-6L * total);
        /* evaluation does without dz and gives the same number */
        assert_true(run_default(loss, &z, labels, NULL, NULL, 1) == sum);
        fi_arena_free(&arena);
    }
    fanin_ctx_free(ctx);
}

static double one_row(const struct fi_loss *loss, fanin_ctx *ctx, const double *values, int64_t n,
                      int32_t label, double *dz_label) {
    struct fi_arena arena;
    fi_arena_init(&arena, ctx);
    const struct fanin_tensor z = test_tensor(&arena, 1, n), dz = test_tensor(&arena, 1, n);
    for (int64_t c = 0; c < n; c++) *test_at(&z, 0, c) = (fi_real)values[c];
    const double sum = run_default(loss, &z, &label, NULL, &dz, 1);
    *dz_label = (double)*test_at(&dz, 0, label);
    fi_arena_free(&arena);
    return sum;
}

static void cross_entropy_extremes(void **state) {
    (void)state;
    const double e = exp(-20);
    FOR_EACH_TIER(ctx, 1) {
        const struct fi_loss *loss = find(ctx, "softmax_cross_entropy");
        double slope;
        /* where p rounds to 1 the loss and its slope are still right */
        assert_true(fabs(one_row(loss, ctx, (double[]){20, 0}, 2, 0, &slope) - e) < 1e-6 * e);
        assert_true(fabs(slope + e) < 1e-6 * e);
        assert_true(fabs(one_row(loss, ctx, (double[]){1e4, -1e4, 0}, 3, 1, &slope) - 2e4) < 1e-2);
        assert_true(slope == -1);
        assert_true(one_row(loss, ctx, (double[]){1e30, -1e30}, 2, 0, &slope) == 0 && slope == 0);
        assert_true(one_row(loss, ctx, (double[]){-INFINITY, 0}, 2, 1, &slope) == 0 && slope == 0);
        assert_true(one_row(loss, ctx, (double[]){-INFINITY, 0}, 2, 0, &slope) == INFINITY);
        assert_true(isnan(one_row(loss, ctx, (double[]){NAN, 0}, 2, 1, &slope)) && isnan(slope));
        assert_true(isnan(one_row(loss, ctx, (double[]){INFINITY, 0}, 2, 1, &slope)));
        assert_true(one_row(loss, ctx, (double[]){3}, 1, 0, &slope) == 0 && slope == 0);
    }
}

/* Any loss, told labels or targets: scores as large as floats are give no NaN and finite slopes, a
 * score that is NaN is seen in the loss and in its own slope, and p is a number. */
static void extremes_of_all(void **state) {
    (void)state;
    static const double scores[][3] = {{1e4, -1e4, 0},   {-1e4, -1e4, 1e4}, {1e4, 1e4, 1e4},
                                       {-1e4, 0, -1e-4}, {1e18, -1e18, 3},  {0, 0, 0}};
    static const double targets[][3] = {{1, 0, 0}, {0, 1, 0}, {0.25, 0.25, 0.5}};
    FOR_EACH_TIER(ctx, 1) {
        struct fi_arena arena;
        const struct fanin_record *record;
        fi_arena_init(&arena, ctx);
        const struct fanin_tensor z = test_tensor(&arena, 1, 3), t = test_tensor(&arena, 1, 3);
        const struct fanin_tensor dz = test_tensor(&arena, 1, 3), p = test_tensor(&arena, 1, 3);
        for (int i = 0; (record = fanin_record_at(ctx, "loss", i)); i++) {
            const struct fi_loss *loss = find(ctx, record->name);
            const void *attrs = test_rule(&arena, "loss", record->name, NULL, 0).attrs;
            for (int k = 0; k < FI_COUNT(scores) * 6; k++) {
                const int32_t label = k / 2 % 3;
                const bool named = k % 2;
                if (!(loss->takes & (named ? FI_TAKES_LABELS : FI_TAKES_TARGETS))) continue;
                const struct fi_truth truth = {.labels = named ? &label : NULL, .target = &t};
                for (int c = 0; c < 3; c++) {
                    *test_at(&z, 0, c) = (fi_real)scores[k / 6][c];
                    *test_at(&t, 0, c) = (fi_real)targets[label][c];
                }
                const double l = loss->run(attrs, &z, &truth, &dz, 1);
                if (!(l >= 0 && isfinite(l))) fail_msg("%s, scores %d: %g", record->name, k / 6, l);
                loss->predict(attrs, &z, &p);
                for (int c = 0; c < 3; c++)
                    if (!isfinite(*test_at(&dz, 0, c)) || !isfinite(*test_at(&p, 0, c)))
                        fail_msg("%s, scores %d: slope %g, prediction %g", record->name, k / 6,
                                 (double)*test_at(&dz, 0, c), (double)*test_at(&p, 0, c));
                *test_at(&z, 0, 1) = (fi_real)NAN;
                assert_true(isnan(loss->run(attrs, &z, &truth, &dz, 1)));
                assert_true(isnan(*test_at(&dz, 0, 1)));
            }
        }
        fi_arena_free(&arena);
    }
}

static void entropies(void **state) {
    (void)state;
    static const int64_t widths[] = {2, 10, 17, 1030};
    fanin_ctx *ctx = test_ctx();
    const struct fi_loss *loss = find(ctx, "softmax_cross_entropy");
    for (int k = 0; k < FI_COUNT(widths); k++) {
        struct fi_arena arena;
        fi_arena_init(&arena, ctx);
        const int64_t n = widths[k];
        const struct fanin_tensor z = test_tensor(&arena, 4, n), dz = test_tensor(&arena, 4, n);
        double h[4];
        const double coefficient[4] = {2, 2, 2, 2};
        test_fill_normal(&z, 3, 0, 2);
        for (int64_t c = 0; c < n; c++) {
            *test_at(&z, 0, c) = 5;                        /* nothing known */
            *test_at(&z, 1, c) = c == 1 ? 100 : -INFINITY; /* certain */
        }
        *test_at(&z, 2, 0) = -INFINITY; /* one class impossible */
        test_fill(&dz, 1);
        loss->entropy(NULL, &z, h, coefficient, &dz, (fi_real)0.25);
        assert_true(fabs(h[0] - log((double)n)) < 1e-6 && h[1] == 0);
        for (int64_t r = 2; r < 4; r++) {
            long double sum = 0, want = 0;
            for (int64_t c = 0; c < n; c++) sum += expl(*test_at(&z, r, c));
            for (int64_t c = 0; c < n; c++) {
                const long double p = expl(*test_at(&z, r, c)) / sum;
                if (p > 0) want -= p * logl(p);
            }
            assert_true(fabsl(h[r] - want) < 1e-6L);
            for (int64_t c = 0; c < n; c++) {
                const long double p = expl(*test_at(&z, r, c)) / sum;
                const long double slope = p > 0 ? -p * (logl(p) + want) : 0;
                assert_true(fabsl(*test_at(&dz, r, c) - (1 + 0.5L * slope)) < 3e-7L);
            }
        }
        for (int64_t c = 0; c < n; c++) {
            assert_true(fabs((double)*test_at(&dz, 0, c) - 1) < 2e-7);
            assert_true(*test_at(&dz, 1, c) == 1);
        }
        *test_at(&z, 3, n - 1) = NAN;
        loss->entropy(NULL, &z, h, NULL, NULL, 0);
        assert_true(isnan(h[3]) && !isnan(h[2]));
        fi_arena_free(&arena);
    }
    fanin_ctx_free(ctx);
}

static void predictions(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    struct fi_arena arena;
    fi_arena_init(&arena, ctx);
    const struct fanin_tensor z = test_tensor(&arena, 6, 10), p = test_tensor(&arena, 6, 10);
    const struct fi_loss *loss = find(ctx, "softmax_cross_entropy"), *mse = find(ctx, "mse");
    assert_string_equal(loss->link, "softmax");
    assert_string_equal(mse->link, "identity");
    test_fill_normal(&z, 1, 0, 3);
    mse->predict(NULL, &z, &p);
    assert_true(test_hash(0, &z) == test_hash(0, &p));
    loss->predict(NULL, &z, &p);
    for (int64_t r = 0; r < 6; r++) {
        long double sum = 0;
        for (int64_t c = 0; c < 10; c++) sum += *test_at(&p, r, c);
        assert_true(fabsl(sum - 1) < 1e-6L);
    }
    loss->predict(NULL, &z, &z); /* in place */
    assert_true(test_hash(0, &z) == test_hash(0, &p));
    fi_arena_free(&arena);
    fanin_ctx_free(ctx);
}

static void mse_values(void **state) {
    (void)state;
    static const int64_t widths[] = {1, 3, 511, 1030};
    fanin_ctx *ctx = test_ctx();
    const struct fi_loss *mse = find(ctx, "mse");
    for (int k = 0; k < FI_COUNT(widths); k++) {
        struct fi_arena arena;
        fi_arena_init(&arena, ctx);
        const int64_t n = widths[k];
        const struct fanin_tensor z = test_tensor(&arena, 5, n), t = test_tensor(&arena, 5, n);
        const struct fanin_tensor dz = test_tensor(&arena, 5, n);
        long double want = 0;
        test_fill_normal(&z, 1, 0, 1);
        test_fill_normal(&t, 2, 0, 1);
        const double sum = run_default(mse, &z, NULL, &t, &dz, 0.2);
        for (int64_t r = 0; r < 5; r++)
            for (int64_t c = 0; c < n; c++) {
                const long double d = (long double)*test_at(&z, r, c) - *test_at(&t, r, c);
                const long double slope = 0.4L * d / n;
                want += d * d / n;
                assert_true(fabsl(*test_at(&dz, r, c) - slope) <= 3e-7L * fabsl(slope));
            }
        assert_true(fabsl(sum - want) <= 1e-6L * want);
        assert_true(run_default(mse, &z, NULL, &t, NULL, 1) == sum);
        assert_true(run_default(mse, &z, NULL, &z, NULL, 1) == 0);
        fi_arena_free(&arena);
    }
    assert_null(mse->entropy);
    fanin_ctx_free(ctx);
}

static uint64_t hash_of(fanin_ctx *ctx, int64_t rows, int64_t cols) {
    struct fi_arena arena;
    fi_arena_init(&arena, ctx);
    const struct fanin_tensor z = test_tensor(&arena, rows, cols),
                              t = test_tensor(&arena, rows, cols);
    const struct fanin_tensor dz = test_tensor(&arena, rows, cols);
    const struct fi_loss *loss = find(ctx, "softmax_cross_entropy");
    int32_t labels[64];
    double h[64], coefficient[64], sum;
    uint64_t bits;
    labels_of(labels, rows, cols);
    test_fill_normal(&z, 1, 0, 4);
    test_fill_normal(&t, 2, 0, 4);
    for (int64_t r = 0; r < rows; r++) coefficient[r] = 0.3;
    sum = run_default(loss, &z, labels, NULL, &dz, 0.1);
    loss->entropy(NULL, &z, h, coefficient, &dz, (fi_real)0.1);
    uint64_t hash = test_hash(0, &dz);
    for (int64_t r = 0; r < rows; r++) sum += h[r];
    sum += run_default(find(ctx, "mse"), &z, NULL, &t, &dz, 0.1);
    memcpy(&bits, &sum, sizeof bits);
    hash = fi_hash_mix(test_hash(hash, &dz), bits);
    fi_arena_free(&arena);
    return hash;
}

static void same_bits(void **state) {
    (void)state;
    uint64_t small = 0, large = 0;
    FOR_EACH_TIER(ctx, 1) {
        const uint64_t a = hash_of(ctx, 61, 10), b = hash_of(ctx, 5, 1333);
        if (!small) small = a, large = b;
        assert_true(a == small && b == large);
    }
}

static struct CMUnitTest tests[] = {cmocka_unit_test(cross_entropy_values),
                                    cmocka_unit_test(cross_entropy_extremes),
                                    cmocka_unit_test(extremes_of_all),
                                    cmocka_unit_test(entropies),
                                    cmocka_unit_test(predictions),
                                    cmocka_unit_test(mse_values),
                                    cmocka_unit_test(same_bits)};

int main(void) {
    return test_main(tests);
}
