/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Batch normalization: the algebra in training and in inference against a reference in long double,
 * the variance conventions, large offsets, constant channels, positions, tiers and threads.
 */
#include "support/records.h"

struct reference {
    int64_t channels, positions;
    long double *mean, *var; /* biased */
};

static long double m_of(const struct op_run *run, const struct reference *ref) {
    return (long double)run->x[0].rows * ref->positions;
}

static struct reference measure(struct op_run *run) {
    struct reference ref = {.channels = run->in[0].dims[0]};
    ref.positions = run->x[0].cols / ref.channels;
    ref.mean = fi_arena_alloc(&run->arena, ref.channels, sizeof(long double));
    ref.var = fi_arena_alloc(&run->arena, ref.channels, sizeof(long double));
    for (int pass = 0; pass < 2; pass++)
        for (int64_t r = 0; r < run->x[0].rows; r++)
            for (int64_t i = 0; i < run->x[0].cols; i++) {
                const int64_t c = i / ref.positions;
                const long double x = *test_at(&run->x[0], r, i), m = m_of(run, &ref);
                if (pass == 0)
                    ref.mean[c] += x / m;
                else
                    ref.var[c] += (x - ref.mean[c]) * (x - ref.mean[c]) / m;
            }
    return ref;
}

static void set_affine(struct op_run *run) {
    for (int64_t c = 0; c < run->in[0].dims[0]; c++) {
        run->params[0].w[c] = (fi_real)(1 + 0.5 * test_normal(7, c));
        run->params[1].w[c] = (fi_real)test_normal(8, c);
    }
}

static void assert_near(long double got, long double want, long double tolerance) {
    if (!(fabsl(got - want) <= tolerance))
        fail_msg("%.9Lg is not %.9Lg within %.2Lg", got, want, tolerance);
}

/* An eps that shows wherever it stands otherwise: outside the root, or only on one of the ways. */
static const struct fanin_attr wide[] = {{.name = "eps", .number = 0.5}};

static long double eps_of(const struct fanin_case *c) {
    return c->n_attrs > 0 ? 0.5L : 1e-5L;
}

static const struct fanin_case shapes[] = {
    {.rows = 2, .n_in = 1, .dims = {{1}}},
    {.rows = 19, .n_in = 1, .dims = {{23}}, .attrs = wide, .n_attrs = 1},
    {.rows = 4, .n_in = 1, .dims = {{5, 7}}, .attrs = wide, .n_attrs = 1},
    {.rows = 33, .n_in = 1, .dims = {{17}}},
    {.rows = 7, .n_in = 1, .dims = {{130}}},
    {.rows = 5, .n_in = 1, .dims = {{31, 3, 3}}},
    {.rows = 3, .n_in = 1, .dims = {{2, 11, 13}}}};

static void training_algebra(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    for (int k = 0; k < FI_COUNT(shapes); k++) {
        struct op_run run;
        op_run_create(&run, ctx, "batch_norm", &shapes[k]);
        set_affine(&run);
        test_fill_normal(&run.x[0], 1, 3, 2);
        test_fill_normal(&run.dy, 2, 0.1, 1);
        op_forward(&run);
        op_backward(&run);
        const struct reference ref = measure(&run);
        const long double m = m_of(&run, &ref);
        for (int64_t c = 0; c < ref.channels; c++) {
            const long double r = 1 / sqrtl(ref.var[c] + eps_of(&shapes[k]));
            const long double gamma = run.params[0].w[c], beta = run.params[1].w[c];
            long double dgamma = 0, dbeta = 0;
            for (int64_t row = 0; row < run.y.rows; row++)
                for (int64_t p = 0; p < ref.positions; p++) {
                    const int64_t i = c * ref.positions + p;
                    const long double h = (*test_at(&run.x[0], row, i) - ref.mean[c]) * r;
                    assert_near(*test_at(&run.y, row, i), gamma * h + beta, 2e-6L);
                    dgamma += *test_at(&run.dy, row, i) * h;
                    dbeta += *test_at(&run.dy, row, i);
                }
            assert_near(run.params[0].dw[c], dgamma, 1e-6L * (1 + fabsl(dgamma)));
            assert_near(run.params[1].dw[c], dbeta, 1e-6L * (1 + fabsl(dbeta)));
            for (int64_t row = 0; row < run.y.rows; row++)
                for (int64_t p = 0; p < ref.positions; p++) {
                    const int64_t i = c * ref.positions + p;
                    const long double h = (*test_at(&run.x[0], row, i) - ref.mean[c]) * r;
                    const long double dy = *test_at(&run.dy, row, i);
                    assert_near(*test_at(&run.dx[0], row, i),
                                gamma * r * (dy - dbeta / m - h * dgamma / m), 3e-6L * (1 + r));
                }
            /* biased variance normalizes, unbiased is stored; momentum is the new batch's weight */
            assert_near(run.params[2].w[c], 0.1L * ref.mean[c], 1e-6L);
            assert_near(run.params[3].w[c], 0.9L + 0.1L * ref.var[c] * m / (m - 1), 2e-6L);
        }
        op_run_free(&run);
    }
    fanin_ctx_free(ctx);
}

/* A worked example: x = (1, 2, 3, 6), dy = (.5, -1, .2, .3). */
static void worked_example(void **state) {
    (void)state;
    static const double x[] = {1, 2, 3, 6}, dy[] = {0.5, -1, 0.2, 0.3};
    static const double y[] = {-1.069, -0.535, 0, 1.604}, dx[] = {0.336, -0.5, 0.107, 0.057};
    fanin_ctx *ctx = test_ctx();
    struct op_run run;
    op_run_create(&run, ctx, "batch_norm",
                  &(struct fanin_case){.rows = 4, .n_in = 1, .dims = {{1}}});
    for (int64_t r = 0; r < 4; r++) {
        *test_at(&run.x[0], r, 0) = (fi_real)x[r];
        *test_at(&run.dy, r, 0) = (fi_real)dy[r];
    }
    op_forward(&run);
    op_backward(&run);
    for (int64_t r = 0; r < 4; r++) {
        assert_near(*test_at(&run.y, r, 0), y[r], 6e-4L);
        assert_near(*test_at(&run.dx[0], r, 0), dx[r], 6e-4L);
    }
    assert_near(run.params[3].w[0], 0.9L + 0.1L * 14.0L / 3, 1e-6L);
    op_run_free(&run);
    fanin_ctx_free(ctx);
}

static void inference_algebra(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    for (int k = 0; k < FI_COUNT(shapes); k++) {
        struct op_run run;
        op_run_create(&run, ctx, "batch_norm", &shapes[k]);
        set_affine(&run);
        const int64_t channels = run.in[0].dims[0], positions = run.y.cols / channels;
        for (int64_t c = 0; c < channels; c++) {
            run.params[2].w[c] = (fi_real)test_normal(3, c);
            run.params[3].w[c] = (fi_real)(0.5 + test_uniform(4, c));
        }
        fi_real mean0 = run.params[2].w[0], var0 = run.params[3].w[0];
        test_fill_normal(&run.x[0], 5, 1, 2);
        test_fill_normal(&run.dy, 6, 0, 1);
        run.s.training = 0;
        op_forward(&run);
        op_backward(&run);
        for (int64_t c = 0; c < channels; c++) {
            const long double r = 1 / sqrtl(run.params[3].w[c] + eps_of(&shapes[k]));
            long double dgamma = 0;
            for (int64_t row = 0; row < run.y.rows; row++)
                for (int64_t i = c * positions; i < (c + 1) * positions; i++) {
                    const long double h = (*test_at(&run.x[0], row, i) - run.params[2].w[c]) * r;
                    const long double gamma = run.params[0].w[c];
                    assert_near(*test_at(&run.y, row, i), gamma * h + run.params[1].w[c], 4e-6L);
                    assert_near(*test_at(&run.dx[0], row, i), gamma * r * *test_at(&run.dy, row, i),
                                4e-6L);
                    dgamma += h * *test_at(&run.dy, row, i);
                }
            assert_near(run.params[0].dw[c], dgamma, 1e-6L * (1 + fabsl(dgamma)));
        }
        assert_true(run.params[2].w[0] == mean0 && run.params[3].w[0] == var0);
        op_run_free(&run);
    }
    fanin_ctx_free(ctx);
}

/* Unit variance far from zero: what one-pass formulas get wrong. The reference sees the same
 * rounded x. */
static void large_offset(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    struct op_run run;
    op_run_create(&run, ctx, "batch_norm",
                  &(struct fanin_case){.rows = 128, .n_in = 1, .dims = {{70}}});
    test_fill_normal(&run.x[0], 9, 1e6, 1);
    op_forward(&run);
    const struct reference ref = measure(&run);
    for (int64_t c = 0; c < ref.channels; c++) {
        const long double r = 1 / sqrtl(ref.var[c] + 1e-5L);
        long double sum = 0, squares = 0;
        for (int64_t row = 0; row < run.y.rows; row++) {
            const long double y = *test_at(&run.y, row, c);
            assert_near(y, (*test_at(&run.x[0], row, c) - ref.mean[c]) * r, 1e-6L);
            sum += y;
            squares += y * y;
        }
        assert_near(sum / 128, 0, 1e-6L);
        assert_near(squares / 128, ref.var[c] * r * r, 1e-6L);
    }
    op_run_free(&run);
    fanin_ctx_free(ctx);
}

static void constant_channel_is_zero(void **state) {
    (void)state;
    static const double values[] = {0.1, 1e6 + 0.1, -3.14159, 1e-30, 1e30, 16777215, 0, 1.0 / 3};
    FOR_EACH_TIER(ctx, 1) {
        for (int64_t rows = 2; rows <= 131; rows += 43) {
            struct op_run run;
            op_run_create(&run, ctx, "batch_norm",
                          &(struct fanin_case){.rows = rows, .n_in = 1, .dims = {{8, 3}}});
            for (int64_t r = 0; r < rows; r++)
                for (int64_t i = 0; i < 24; i++) *test_at(&run.x[0], r, i) = (fi_real)values[i / 3];
            test_fill_normal(&run.dy, 2, 0, 1);
            op_forward(&run);
            op_backward(&run);
            for (int64_t r = 0; r < rows; r++)
                for (int64_t i = 0; i < 24; i++) {
                    assert_true(*test_at(&run.y, r, i) == 0);
                    assert_true(isfinite(*test_at(&run.dx[0], r, i)));
                }
            for (int64_t c = 0; c < 8; c++) {
                assert_true(run.params[0].dw[c] == 0);
                assert_true(run.params[3].w[c] == (fi_real)0.9);
            }
            op_run_free(&run);
        }
    }
}

static void parameters(void **state) {
    (void)state;
    static const char *const names[] = {"weight", "bias", "running_mean", "running_var"};
    const struct fanin_attr plain = {.name = "affine", .number = 0};
    fanin_ctx *ctx = test_ctx();
    struct op_run run;
    assert_ok(ctx, op_run_infer(&run, ctx, "batch_norm",
                                &(struct fanin_case){.n_in = 1, .dims = {{5, 2, 2}}}));
    assert_int_equal(run.io.n_params, 4);
    for (int i = 0; i < 4; i++) {
        assert_string_equal(run.io.params[i].suffix, names[i]);
        assert_int_equal(run.io.params[i].dims[0], 5);
        assert_int_equal(run.io.params[i].trainable, i < 2);
        assert_int_equal(run.io.params[i].decay, 0);
        assert_true(run.io.params[i].fill == (i % 3 == 0));
    }
    op_run_free(&run);
    const struct fanin_case c = {
        .rows = 9, .n_in = 1, .dims = {{5}}, .attrs = &plain, .n_attrs = 1};
    op_run_create(&run, ctx, "batch_norm", &c);
    assert_int_equal(run.io.n_params, 2);
    test_fill_normal(&run.x[0], 1, 0, 1);
    test_fill_normal(&run.dy, 2, 0, 1);
    op_forward(&run);
    op_backward(&run);
    for (int64_t j = 0; j < 5; j++) { /* Σ dx = 0 */
        long double sum = 0;
        for (int64_t r = 0; r < 9; r++) sum += *test_at(&run.dx[0], r, j);
        assert_near(sum, 0, 3e-6L);
    }
    op_run_free(&run);
    fanin_ctx_free(ctx);
}

/* momentum 1 keeps the last batch alone; dx may be absent. */
static void momentum_one(void **state) {
    (void)state;
    const struct fanin_attr all = {.name = "momentum", .number = 1};
    fanin_ctx *ctx = test_ctx();
    struct op_run run;
    const struct fanin_case c = {.rows = 4, .n_in = 1, .dims = {{3}}, .attrs = &all, .n_attrs = 1};
    op_run_create(&run, ctx, "batch_norm", &c);
    test_fill(&run.x[0], 0.3);
    test_fill(&run.dy, 1);
    run.params[2].w[1] = 77;
    run.s.dx[0] = NULL;
    op_forward(&run);
    op_backward(&run);
    for (int64_t j = 0; j < 3; j++) {
        assert_true(run.params[2].w[j] == (fi_real)0.3);
        assert_true(run.params[3].w[j] == 0);
        assert_true(run.params[1].dw[j] == 4);
    }
    op_run_free(&run);
    fanin_ctx_free(ctx);
}

/* momentum null: the plain average over the batches seen in training, which are counted. */
static void cumulative_average(void **state) {
    (void)state;
    const struct fanin_attr null = {.name = "momentum", .is_null = 1};
    const struct fanin_case c = {
        .rows = 16, .n_in = 1, .dims = {{5, 3}}, .attrs = &null, .n_attrs = 1};
    fanin_ctx *ctx = test_ctx();
    struct op_run run;
    long double mean[5] = {0}, var[5] = {0};
    op_run_create(&run, ctx, "batch_norm", &c);
    assert_int_equal(run.io.n_params, 5);
    assert_string_equal(run.io.params[4].suffix, "num_batches_tracked");
    assert_int_equal(run.io.params[4].rank, 0); /* a scalar, as PyTorch's */
    assert_int_equal(run.io.params[4].trainable, 0);
    for (int batch = 1; batch <= 7; batch++) {
        test_fill_normal(&run.x[0], 20 + (uint64_t)batch, batch, 1 + 0.3 * batch);
        run.s.training = 1;
        op_forward(&run);
        run.s.training = 0; /* which counts nothing */
        op_forward(&run);
        const struct reference ref = measure(&run);
        const long double m = m_of(&run, &ref);
        assert_true(run.params[4].w[0] == (fi_real)batch);
        for (int64_t j = 0; j < 5; j++) {
            mean[j] += ref.mean[j];
            var[j] += ref.var[j] * m / (m - 1);
            assert_near(run.params[2].w[j], mean[j] / batch, 3e-6L * batch);
            assert_near(run.params[3].w[j], var[j] / batch, 3e-6L * batch);
        }
    }
    op_run_free(&run);
    fanin_ctx_free(ctx);
}

static uint64_t hash_of_run(fanin_ctx *ctx, const struct fanin_case *c) {
    struct op_run run;
    op_run_create(&run, ctx, "batch_norm", c);
    set_affine(&run);
    test_fill_normal(&run.x[0], 1, 3, 2);
    test_fill_normal(&run.dy, 2, 0.1, 1);
    op_forward(&run);
    op_backward(&run);
    uint64_t hash = test_hash(test_hash(0, &run.y), &run.dx[0]);
    for (int i = 0; i < 4; i++) {
        const struct fanin_tensor w = {run.params[i].w, 1, c->dims[0][0], 0};
        const struct fanin_tensor dw = {run.params[i].dw, 1, c->dims[0][0], 0};
        hash = test_hash(test_hash(hash, &w), &dw);
    }
    op_run_free(&run);
    return hash;
}

static void same_bits(void **state) {
    (void)state;
    static const struct fanin_case large[] = {{.rows = 67, .n_in = 1, .dims = {{1030}}},
                                              {.rows = 9, .n_in = 1, .dims = {{13, 20, 30}}}};
    for (int k = 0; k < FI_COUNT(large); k++) {
        uint64_t first = 0;
        for (int threads = 1; threads <= 3; threads++) FOR_EACH_TIER(ctx, threads) {
                const uint64_t hash = hash_of_run(ctx, &large[k]);
                if (!first) first = hash;
                assert_true(hash == first);
            }
    }
}

static struct CMUnitTest tests[] = {cmocka_unit_test(training_algebra),
                                    cmocka_unit_test(worked_example),
                                    cmocka_unit_test(inference_algebra),
                                    cmocka_unit_test(large_offset),
                                    cmocka_unit_test(constant_channel_is_zero),
                                    cmocka_unit_test(parameters),
                                    cmocka_unit_test(momentum_one),
                                    cmocka_unit_test(cumulative_average),
                                    cmocka_unit_test(same_bits)};

int main(void) {
    return test_main(tests);
}
