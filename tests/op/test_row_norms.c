/* SPDX-License-Identifier: Apache-2.0 */
/*
 * layer_norm, rms_norm and group_norm: the algebra against long double over shapes, axes and
 * groups, offsets and constant samples, what equals what, refusals, tiers and threads.
 */
#include "support/records.h"

#define CASE(rows_, attrs_, n, ...)                                                                \
    { .rows = (rows_), .n_in = 1, .dims = {{__VA_ARGS__}}, .attrs = (attrs_), .n_attrs = (n) }

static const struct fanin_attr axes1[] = {{.name = "axes", .number = 1}};
static const struct fanin_attr axes2[] = {{.name = "axes", .number = 2}};
static const struct fanin_attr groups1[] = {{.name = "groups", .number = 1}};
static const struct fanin_attr groups3[] = {{.name = "groups", .number = 3}};
static const struct fanin_attr groups6[] = {{.name = "groups", .number = 6}};

/* The case of an op, numbers normalized together, numbers that share a weight, weights. */
static const struct shape {
    const char *op;
    struct fanin_case c;
    int64_t run, positions, n_weights;
} shapes[] = {{"layer_norm", CASE(1, NULL, 0, 2), 2, 1, 2},
              {"layer_norm", CASE(37, NULL, 0, 130), 130, 1, 130},
              {"layer_norm", CASE(5, axes1, 1, 3, 17), 17, 1, 17},
              {"layer_norm", CASE(18, axes2, 1, 3, 4, 5), 20, 1, 20},
              {"rms_norm", CASE(33, NULL, 0, 15), 15, 1, 15},
              {"rms_norm", CASE(3, axes1, 1, 7, 16), 16, 1, 16},
              {"group_norm", CASE(19, groups3, 1, 99), 33, 1, 99},
              {"group_norm", CASE(4, groups3, 1, 6, 5, 7), 70, 35, 6},
              {"group_norm", CASE(2, groups6, 1, 6, 19), 19, 19, 6}};

static void set_params(struct op_run *run) {
    for (int i = 0; i < run->io.n_params; i++)
        for (int64_t k = 0; k < run->params[i].out * run->params[i].in; k++)
            run->params[i].w[k] = (fi_real)((i == 0) + 0.5 * test_normal(7 + (uint64_t)i, k));
}

static void assert_near(long double got, long double want, long double tolerance) {
    if (!(fabsl(got - want) <= tolerance))
        fail_msg("%.9Lg is not %.9Lg within %.2Lg", got, want, tolerance);
}

/* The weight that number `col` of a sample is multiplied by. */
static int64_t weight_of(const struct shape *s, int64_t col) {
    return col / s->positions % s->n_weights;
}

struct moments {
    long double mean, r;
};

static struct moments measure(struct op_run *run, const struct shape *s, int64_t row, int64_t at) {
    const long double eps = strcmp(s->op, "rms_norm") == 0 ? 0x1p-23L : 1e-5L;
    struct moments m = {0, 0};
    long double v = 0;
    for (int64_t i = 0; eps == 1e-5L && i < s->run; i++)
        m.mean += *test_at(&run->x[0], row, at + i) / (long double)s->run;
    for (int64_t i = 0; i < s->run; i++) {
        const long double d = *test_at(&run->x[0], row, at + i) - m.mean;
        v += d * d / (long double)s->run;
    }
    m.r = 1 / sqrtl(v + eps);
    return m;
}

/* One run against the formulas; dw and db get its share. */
static void check_run(struct op_run *run, const struct shape *s, int64_t row, int64_t at,
                      long double *dw, long double *db) {
    const struct moments m = measure(run, s, row, at);
    const bool centers = strcmp(s->op, "rms_norm") != 0;
    long double sum = 0, product = 0;
    for (int pass = 0; pass < 2; pass++)
        for (int64_t i = at; i < at + s->run; i++) {
            const int64_t k = weight_of(s, i);
            const long double h = (*test_at(&run->x[0], row, i) - m.mean) * m.r;
            const long double dy = *test_at(&run->dy, row, i), g = dy * run->params[0].w[k];
            if (pass == 0) {
                const long double shift = centers ? run->params[1].w[k] : 0;
                assert_near(*test_at(&run->y, row, i), h * run->params[0].w[k] + shift, 4e-6L);
                sum += g;
                product += g * h;
                dw[k] += dy * h;
                db[k] += dy;
            } else {
                const long double down = centers ? sum / (long double)s->run : 0;
                assert_near(*test_at(&run->dx[0], row, i),
                            m.r * (g - down - h * product / (long double)s->run),
                            4e-6L * (1 + m.r));
            }
        }
}

static void algebra(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    for (int k = 0; k < FI_COUNT(shapes); k++) {
        const struct shape *s = &shapes[k];
        struct op_run run;
        long double dw[256] = {0}, db[256] = {0};
        op_run_create(&run, ctx, s->op, &s->c);
        assert_int_equal(run.params[0].out, s->n_weights);
        set_params(&run);
        test_fill_normal(&run.x[0], 1, 3, 2);
        test_fill_normal(&run.dy, 2, 0.1, 1);
        op_forward(&run);
        op_backward(&run);
        for (int64_t row = 0; row < s->c.rows; row++)
            for (int64_t at = 0; at < run.y.cols; at += s->run) check_run(&run, s, row, at, dw, db);
        for (int64_t i = 0; i < s->n_weights; i++) {
            assert_near(run.params[0].dw[i], dw[i], 2e-6L * (1 + fabsl(dw[i])));
            if (run.io.n_params > 1)
                assert_near(run.params[1].dw[i], db[i], 2e-6L * (1 + fabsl(db[i])));
        }
        op_run_free(&run);
    }
    fanin_ctx_free(ctx);
}

/* What each does at the start: mean 0 (where it centers) and mean square 1 of every run, whatever
 * comes in, but for eps. */
static void moments_at_start(void **state) {
    (void)state;
    static const double scales[] = {0.1, 1, 1e4};
    fanin_ctx *ctx = test_ctx();
    for (int k = 0; k < FI_COUNT(shapes) * FI_COUNT(scales); k++) {
        const struct shape *s = &shapes[k / FI_COUNT(scales)];
        const double scale = scales[k % FI_COUNT(scales)];
        struct op_run run;
        op_run_create(&run, ctx, s->op, &s->c);
        test_fill_normal(&run.x[0], 3, 0.5 * scale, scale);
        op_forward(&run);
        for (int64_t i = 0; i < s->c.rows * run.y.cols; i += s->run) {
            const int64_t row = i / run.y.cols, at = i % run.y.cols;
            long double mean = 0, square = 0;
            for (int64_t j = at; j < at + s->run; j++) {
                const long double y = *test_at(&run.y, row, j);
                mean += y / (long double)s->run;
                square += y * y / (long double)s->run;
            }
            const struct moments m = measure(&run, s, row, at);
            const long double eps = strcmp(s->op, "rms_norm") == 0 ? 0x1p-23L : 1e-5L;
            if (strcmp(s->op, "rms_norm") != 0) assert_near(mean, 0, 1e-6L);
            assert_near(square, 1 - eps * m.r * m.r, 2e-6L);
        }
        op_run_free(&run);
    }
    fanin_ctx_free(ctx);
}

/* Unit variance around 1e6: what a one-pass variance in float, or in place of two, gets wrong. */
static void large_offset(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    for (int k = 0; k < FI_COUNT(shapes); k++) {
        const struct shape *s = &shapes[k];
        struct op_run run;
        if (strcmp(s->op, "rms_norm") == 0) continue;
        op_run_create(&run, ctx, s->op, &s->c);
        test_fill_normal(&run.x[0], 9, 1e6, 1);
        op_forward(&run);
        for (int64_t row = 0; row < s->c.rows; row++)
            for (int64_t at = 0; at < run.y.cols; at += s->run) {
                const struct moments m = measure(&run, s, row, at);
                for (int64_t i = at; i < at + s->run; i++)
                    assert_near(*test_at(&run.y, row, i),
                                (*test_at(&run.x[0], row, i) - m.mean) * m.r, 2e-6L);
            }
        op_run_free(&run);
    }
    fanin_ctx_free(ctx);
}

/* A constant sample gives exactly the shift, and nearly constant ones nothing that is not finite.
 */
static void constant_sample_is_the_shift(void **state) {
    (void)state;
    static const double values[] = {0.1, 1e6 + 0.1, -3.14159, 1e-30, 1e30, 16777215, 0, 1.0 / 3};
    FOR_EACH_TIER(ctx, 1) {
        for (int k = 0; k < FI_COUNT(shapes); k++) {
            const struct shape *s = &shapes[k];
            struct op_run run;
            if (strcmp(s->op, "rms_norm") == 0) continue;
            op_run_create(&run, ctx, s->op, &s->c);
            set_params(&run);
            for (int v = 0; v < 2 * FI_COUNT(values); v++) {
                test_fill(&run.x[0], values[v / 2]);
                if (v % 2) *test_at(&run.x[0], 0, 0) = nextafterf((float)values[v / 2], INFINITY);
                test_fill_normal(&run.dy, 2, 0, 1);
                op_forward(&run);
                op_backward(&run);
                for (int64_t i = 0; i < s->c.rows * run.y.cols; i++) {
                    const int64_t row = i / run.y.cols, col = i % run.y.cols;
                    const fi_real y = *test_at(&run.y, row, col);
                    assert_true(isfinite(y) && isfinite(*test_at(&run.dx[0], row, col)));
                    if (v % 2 == 0) assert_true(y == run.params[1].w[weight_of(s, col)]);
                }
            }
            op_run_free(&run);
        }
    }
}

static void run_once(struct op_run *run, fanin_ctx *ctx, const char *op,
                     const struct fanin_case *c) {
    op_run_create(run, ctx, op, c);
    set_params(run);
    test_fill_normal(&run->x[0], 1, 3, 2);
    test_fill_normal(&run->dy, 2, 0.1, 1);
    op_forward(run);
    op_backward(run);
}

/* One group over units is layer norm, to the last bit; dx may be absent; inference is training. */
static void one_group_is_layer_norm(void **state) {
    (void)state;
    const struct fanin_case grouped = CASE(23, groups1, 1, 70), whole = CASE(23, NULL, 0, 70);
    fanin_ctx *ctx = test_ctx();
    struct op_run a, b;
    run_once(&a, ctx, "group_norm", &grouped);
    run_once(&b, ctx, "layer_norm", &whole);
    assert_true(test_hash(0, &a.y) == test_hash(0, &b.y));
    assert_true(test_hash(0, &a.dx[0]) == test_hash(0, &b.dx[0]));
    assert_memory_equal(a.params[0].dw, b.params[0].dw, 70 * sizeof(fi_real));
    assert_memory_equal(a.params[1].dw, b.params[1].dw, 70 * sizeof(fi_real));
    const uint64_t y = test_hash(0, &b.y);
    b.s.training = 0;
    b.s.dx[0] = NULL;
    memset(b.params[0].dw, 0, 70 * sizeof(fi_real));
    op_forward(&b);
    op_backward(&b);
    assert_true(test_hash(0, &b.y) == y);
    assert_memory_equal(a.params[0].dw, b.params[0].dw, 70 * sizeof(fi_real));
    op_run_free(&a);
    op_run_free(&b);
    fanin_ctx_free(ctx);
}

/* A sample's output does not depend on the others of its batch. */
static void samples_are_alone(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    for (int k = 0; k < FI_COUNT(shapes); k++) {
        struct fanin_case one = shapes[k].c;
        struct op_run all, alone;
        one.rows = 1;
        run_once(&all, ctx, shapes[k].op, &shapes[k].c);
        run_once(&alone, ctx, shapes[k].op, &one);
        const struct fanin_tensor first = {all.y.data, 1, all.y.cols, all.y.ld};
        assert_true(test_hash(0, &first) == test_hash(0, &alone.y));
        op_run_free(&all);
        op_run_free(&alone);
    }
    fanin_ctx_free(ctx);
}

static void refused(void **state) {
    (void)state;
    static const struct fanin_attr groups4 = {.name = "groups", .number = 4};
    static const struct {
        const char *op, *part;
        struct fanin_case c;
    } bad[] = {
        {"group_norm", "10 channels cannot be cut into 4 groups", CASE(0, &groups4, 1, 10, 3)},
        {"group_norm", "normalize two or more", CASE(0, groups6, 1, 6)},
        {"layer_norm", "normalize two or more", CASE(0, NULL, 0, 1)},
        {"layer_norm", "axes is 2, but a sample (5) has 1 dimensions", CASE(0, axes2, 1, 5)},
        {"rms_norm", "axes is 2", CASE(0, axes2, 1, 5)}};
    fanin_ctx *ctx = test_ctx();
    for (int i = 0; i < FI_COUNT(bad); i++) {
        struct op_run run;
        assert_refused(ctx, FANIN_ERR_SHAPE, bad[i].part,
                       op_run_infer(&run, ctx, bad[i].op, &bad[i].c));
        op_run_free(&run);
    }
    fanin_ctx_free(ctx);
}

static void same_bits(void **state) {
    (void)state;
    static const struct shape large[] = {
        {"layer_norm", CASE(67, NULL, 0, 1030), 0, 0, 1030},
        {"rms_norm", CASE(130, axes1, 1, 9, 101), 0, 0, 101},
        {"group_norm", CASE(40, groups3, 1, 12, 10, 30), 0, 0, 12}};
    for (int k = 0; k < FI_COUNT(large); k++) {
        uint64_t first = 0;
        for (int threads = 1; threads <= 3; threads++) FOR_EACH_TIER(ctx, threads) {
                struct op_run run;
                run_once(&run, ctx, large[k].op, &large[k].c);
                uint64_t hash = test_hash(test_hash(0, &run.y), &run.dx[0]);
                for (int i = 0; i < run.io.n_params; i++)
                    hash = test_hash(
                        hash, &(struct fanin_tensor){run.params[i].dw, 1, large[k].n_weights, 0});
                if (!first) first = hash;
                assert_true(hash == first);
                op_run_free(&run);
            }
    }
}

static struct CMUnitTest tests[] = {cmocka_unit_test(algebra),
                                    cmocka_unit_test(moments_at_start),
                                    cmocka_unit_test(large_offset),
                                    cmocka_unit_test(constant_sample_is_the_shift),
                                    cmocka_unit_test(one_group_is_layer_norm),
                                    cmocka_unit_test(samples_are_alone),
                                    cmocka_unit_test(refused),
                                    cmocka_unit_test(same_bits)};

int main(void) {
    return test_main(tests);
}
