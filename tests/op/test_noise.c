/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the noise ops other than dropout promise: means and variances of outputs and gradients, the
 * exact cases, identity in prediction, and draws that depend on key, step and element alone.
 */
#include "support/records.h"

#define SIDE 1000 /* 10^6 draws */
#define SELU_LIMIT (-1.7580993408473768)

static const char *const ops[] = {"gaussian_dropout", "alpha_dropout", "gaussian_noise",
                                  "stochastic_depth"};
static const double rates[] = {0.1, 0.2, 0.8};

static void create(struct op_run *run, fanin_ctx *ctx, const char *name, double number,
                   int64_t rows, int64_t cols) {
    const struct fanin_attr attr = {.number = number};
    op_run_create(run, ctx, name,
                  &(struct fanin_case){
                      .rows = rows, .n_in = 1, .dims = {{cols}}, .attrs = &attr, .n_attrs = 1});
}

struct moments {
    double mean, variance;
    double error; /* of the mean: one standard deviation of it */
};

static struct moments moments_of(const struct fanin_tensor *t) {
    const double n = (double)(t->rows * t->cols);
    struct moments m = {0};
    for (int64_t r = 0; r < t->rows; r++)
        for (int64_t c = 0; c < t->cols; c++) m.mean += (double)*test_at(t, r, c) / n;
    for (int64_t r = 0; r < t->rows; r++)
        for (int64_t c = 0; c < t->cols; c++) {
            const double d = (double)*test_at(t, r, c) - m.mean;
            m.variance += d * d / n;
        }
    m.error = sqrt(m.variance / n);
    return m;
}

/* |z| < 5 for the mean and for the variance, whose own variance is (kurtosis - 1) variance² / n. */
static void check_moments(const char *what, const struct fanin_tensor *t, double mean,
                          double variance, double kurtosis) {
    const double n = (double)(t->rows * t->cols);
    const struct moments m = moments_of(t);
    const double z = (m.mean - mean) / sqrt(variance / n);
    const double z2 = (m.variance - variance) / (variance * sqrt((kurtosis - 1) / n));
    print_message("%s: mean %.5f (z %.2f), variance %.5f (z %.2f)\n", what, m.mean, z, m.variance,
                  z2);
    if (!(fabs(z) < 5 && fabs(z2) < 5)) fail_msg("%s: expected %g, %g", what, mean, variance);
}

/* Inputs 1: the outputs are the factors, and so are the gradients of gradients 1. */
static void gaussian_dropout_moments(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    for (int i = 0; i < FI_COUNT(rates); i++) {
        struct op_run run;
        create(&run, ctx, "gaussian_dropout", rates[i], SIDE, SIDE);
        test_fill(&run.x[0], 1);
        test_fill(&run.dy, 1);
        op_forward(&run);
        op_backward(&run);
        check_moments("gaussian_dropout y", &run.y, 1, rates[i] / (1 - rates[i]), 3);
        check_moments("gaussian_dropout dx", &run.dx[0], 1, rates[i] / (1 - rates[i]), 3);
        assert_true(test_hash(0, &run.y) == test_hash(0, &run.dx[0])); /* one factor for both */
        assert_true(fabs(run.op->second_moment(run.io.attrs) - 1 / (1 - rates[i])) < 1e-12);
        op_run_free(&run);
    }
    fanin_ctx_free(ctx);
}

/* Normal inputs keep mean 0 and variance 1. Gradients: a with probability keep, else 0. */
static void alpha_dropout_moments(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    for (int i = 0; i < FI_COUNT(rates); i++) {
        const double p = floor(rates[i] * 65536 + 0.5) / 65536, q = 1 - p;
        const double a = 1 / sqrt(q * (1 + p * SELU_LIMIT * SELU_LIMIT));
        struct op_run run;
        create(&run, ctx, "alpha_dropout", rates[i], SIDE, SIDE);
        test_fill_normal(&run.x[0], 3, 0, 1);
        test_fill(&run.dy, 1);
        op_forward(&run);
        op_backward(&run);
        check_moments("alpha_dropout y", &run.y, 0, 1, 3);
        check_moments("alpha_dropout dx", &run.dx[0], a * q, a * a * p * q,
                      (1 - 3 * p * q) / (p * q));
        assert_null(run.op->second_moment);
        op_run_free(&run);
    }
    fanin_ctx_free(ctx);
}

static void gaussian_noise_moments(void **state) {
    (void)state;
    static const double stds[] = {0.1, 1, 7};
    fanin_ctx *ctx = test_ctx();
    for (int i = 0; i < FI_COUNT(stds); i++) {
        struct op_run run;
        create(&run, ctx, "gaussian_noise", stds[i], SIDE, SIDE);
        test_fill(&run.x[0], 0);
        test_fill_normal(&run.dy, 4, 0, 1);
        op_forward(&run);
        op_backward(&run);
        check_moments("gaussian_noise y", &run.y, 0, stds[i] * stds[i], 3);
        assert_true(test_hash(0, &run.dy) == test_hash(0, &run.dx[0]));
        op_run_free(&run);
    }
    fanin_ctx_free(ctx);
}

/* Mode row: 10^6 samples of one number, whole samples of several; batch: 4,000 steps. */
static void stochastic_depth_moments(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    for (int i = 0; i < FI_COUNT(rates); i++) {
        const double p = floor(rates[i] * 65536 + 0.5) / 65536, q = 1 - p;
        const double kurtosis = (1 - 3 * p * q) / (p * q);
        struct op_run run;
        create(&run, ctx, "stochastic_depth", rates[i], (int64_t)SIDE * SIDE, 1);
        test_fill(&run.x[0], 1);
        test_fill(&run.dy, 1);
        op_forward(&run);
        op_backward(&run);
        check_moments("stochastic_depth y", &run.y, 1, p / q, kurtosis);
        check_moments("stochastic_depth dx", &run.dx[0], 1, p / q, kurtosis);
        op_run_free(&run);
    }
    struct op_run run;
    create(&run, ctx, "stochastic_depth", 0.5, 300, 33);
    test_fill(&run.x[0], 1);
    op_forward(&run);
    for (int64_t r = 0; r < 300; r++)
        for (int64_t c = 1; c < 33; c++)
            assert_true(*test_at(&run.y, r, c) == *test_at(&run.y, r, 0));
    op_run_free(&run);
    const struct fanin_attr attrs[] = {{.number = 0.3}, {.name = "mode", .text = "batch"}};
    op_run_create(
        &run, ctx, "stochastic_depth",
        &(struct fanin_case){.rows = 5, .n_in = 1, .dims = {{3}}, .attrs = attrs, .n_attrs = 2});
    test_fill(&run.x[0], 1);
    int kept = 0;
    for (run.s.step = 0; run.s.step < 4000; run.s.step++) {
        op_forward(&run);
        run.s.row0 = 5; /* another shard decides alike */
        const fi_real first = *test_at(&run.y, 0, 0);
        op_forward(&run);
        run.s.row0 = 0;
        for (int64_t r = 0; r < 5; r++) assert_true(*test_at(&run.y, r, 2) == first);
        kept += first != 0;
    }
    const double z = (kept - 4000 * 0.7) / sqrt(4000 * 0.7 * 0.3);
    print_message("mode batch: z = %.2f\n", z);
    assert_true(fabs(z) < 5);
    op_run_free(&run);
    fanin_ctx_free(ctx);
}

/* Nothing is changed at rate 0 and in a prediction, everything is 0 at rate 1. */
static void exact_cases(void **state) {
    (void)state;
    static const double special[] = {1, -0.0, 1e-45, -3e38, INFINITY, NAN};
    FOR_EACH_TIER(ctx, 1) {
        for (int i = 0; i < FI_COUNT(ops); i++)
            for (int kind = 0; kind < 3; kind++) {
                const bool all = kind == 2;
                struct op_run run;
                if (all && strncmp(ops[i], "gaussian", 8) == 0) continue;
                create(&run, ctx, ops[i], kind == 0 ? 0.0 : kind == 1 ? 0.5 : 1.0, 3, 37);
                run.s.training = kind != 1;
                for (int64_t r = 0; r < 3; r++)
                    for (int64_t c = 0; c < 37; c++)
                        *test_at(&run.x[0], r, c) = *test_at(&run.dy, r, c) =
                            (fi_real)special[c % 6];
                op_forward(&run);
                op_backward(&run);
                for (int64_t r = 0; r < 3; r++)
                    for (int64_t c = 0; c < 37; c++) {
                        const fi_real want = all ? 0 : *test_at(&run.x[0], r, c);
                        assert_memory_equal(test_at(&run.y, r, c), &want, sizeof want);
                        assert_memory_equal(test_at(&run.dx[0], r, c), &want, sizeof want);
                    }
                if (kind != 1) assert_false(run.op->draws(run.io.attrs));
                op_run_free(&run);
            }
    }
}

/* What is dropped is 0 even if it was infinite; alpha dropout sets its own value. */
static void infinite_numbers(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    struct op_run run;
    create(&run, ctx, "stochastic_depth", 0.5, 200, 3);
    test_fill(&run.x[0], INFINITY);
    op_forward(&run);
    int64_t zeros = 0;
    for (int64_t r = 0; r < 200; r++) {
        const fi_real y = *test_at(&run.y, r, 1);
        assert_true(y == 0 || isinf(y));
        zeros += y == 0;
    }
    assert_true(zeros > 50 && zeros < 150);
    op_run_free(&run);
    fanin_ctx_free(ctx);
}

/* A whole batch at once, in odd blocks, and as two shards, the second from an odd element on: the
 * same draws; another step or key gives others. */
static void blocks_shards_and_steps(void **state) {
    (void)state;
    const int64_t rows = 6, cols = 77;
    fanin_ctx *ctx = test_ctx_on(2, NULL);
    for (int i = 0; i < FI_COUNT(ops); i++) {
        struct op_run whole, pieces, shard;
        create(&whole, ctx, ops[i], 0.3, rows, cols);
        create(&pieces, ctx, ops[i], 0.3, rows, cols);
        create(&shard, ctx, ops[i], 0.3, rows / 2, cols);
        test_fill(&whole.x[0], 1);
        test_fill(&pieces.x[0], 1);
        test_fill(&shard.x[0], 1);
        op_forward(&whole);
        for (int64_t r = 0; r < rows; r += 5)
            for (int64_t c = 0; c < cols; c += 13)
                op_forward_block(&pieces, &(struct fanin_block){.row0 = r,
                                                                .rows = FI_MIN(5, rows - r),
                                                                .col0 = c,
                                                                .cols = FI_MIN(13, cols - c)});
        assert_true(test_hash(0, &whole.y) == test_hash(0, &pieces.y));
        shard.s.row0 = rows / 2; /* element 3 · 77, an odd one */
        op_forward(&shard);
        for (int64_t r = 0; r < rows / 2; r++)
            assert_memory_equal(test_at(&shard.y, r, 0), test_at(&whole.y, rows / 2 + r, 0),
                                (size_t)cols * sizeof(fi_real));
        const uint64_t first = test_hash(0, &whole.y);
        bool differ[2] = {false, false};
        for (int k = 1; k < 30; k++) { /* six rows may well be dropped alike once */
            whole.s.step = (uint64_t)k;
            op_forward(&whole);
            differ[0] |= test_hash(0, &whole.y) != first;
            whole.s.step = 0;
            whole.s.key = 12345 + (uint64_t)k;
            op_forward(&whole);
            differ[1] |= test_hash(0, &whole.y) != first;
            whole.s.key = 12345;
        }
        assert_true(differ[0] && differ[1]);
        op_run_free(&whole);
        op_run_free(&pieces);
        op_run_free(&shard);
    }
    fanin_ctx_free(ctx);
}

static void same_bits(void **state) {
    (void)state;
    for (int i = 0; i < FI_COUNT(ops); i++) {
        uint64_t first = 0;
        for (int threads = 1; threads <= 3; threads += 2) FOR_EACH_TIER(ctx, threads) {
                struct op_run run;
                create(&run, ctx, ops[i], 0.37, 131, 533);
                test_fill_normal(&run.x[0], 1, 0, 1);
                test_fill_normal(&run.dy, 2, 0, 1);
                op_forward(&run);
                op_backward(&run);
                const uint64_t hash = test_hash(test_hash(0, &run.y), &run.dx[0]);
                if (!first) first = hash;
                assert_true(hash == first);
                op_run_free(&run);
            }
    }
}

static void refused(void **state) {
    (void)state;
    static const struct {
        const char *op, *attr;
        double value;
    } bad[] = {{"gaussian_dropout", "rate", 1},   {"gaussian_dropout", "rate", -0.1},
               {"alpha_dropout", "rate", 1.01},   {"gaussian_noise", "std", -1},
               {"stochastic_depth", "rate", 1.5}, {"stochastic_depth", "rate", -1}};
    fanin_ctx *ctx = test_ctx();
    struct fi_arena arena;
    fi_arena_init(&arena, ctx);
    for (int i = 0; i < FI_COUNT(bad); i++) {
        const struct fanin_attr attr = {.name = bad[i].attr, .number = bad[i].value};
        const struct fanin_rule rule = {.name = bad[i].op, .attrs = &attr, .n_attrs = 1};
        struct fanin_rule_ref ref;
        assert_refused(ctx, FANIN_ERR_RECIPE, bad[i].attr,
                       fi_rule_resolve(&arena, &ref, "op", &rule, "test"));
    }
    fi_arena_free(&arena);
    fanin_ctx_free(ctx);
}

static struct CMUnitTest tests[] = {cmocka_unit_test(gaussian_dropout_moments),
                                    cmocka_unit_test(alpha_dropout_moments),
                                    cmocka_unit_test(gaussian_noise_moments),
                                    cmocka_unit_test(stochastic_depth_moments),
                                    cmocka_unit_test(exact_cases),
                                    cmocka_unit_test(infinite_numbers),
                                    cmocka_unit_test(blocks_shards_and_steps),
                                    cmocka_unit_test(same_bits),
                                    cmocka_unit_test(refused)};

int main(void) {
    return test_main(tests);
}
