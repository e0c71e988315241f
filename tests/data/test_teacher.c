/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The source teacher: the inputs' law, what the teacher computes, noise on training targets alone,
 * one teacher for all parts, and the same bits everywhere. Bounds are five standard errors.
 */
#include "data/data_support.h"

struct shape {
    const char *activation;
    double inputs, hidden, noise, rows, test_rows;
};

static enum fanin_status load(fanin_data **out, fanin_ctx *ctx, const struct shape *s,
                              const char *normalize, uint64_t seed) {
    const struct fanin_attr attrs[] = {{.name = "activation", .text = s->activation},
                                       {.name = "inputs", .number = s->inputs},
                                       {.name = "hidden", .number = s->hidden},
                                       {.name = "noise", .number = s->noise},
                                       {.name = "rows", .number = s->rows},
                                       {.name = "test_rows", .number = s->test_rows}};
    const struct fanin_data_options o = {
        .size = sizeof o, .reader = {"teacher", attrs, 6, 0}, .normalize = normalize, .seed = seed};
    return fanin_data_load(out, ctx, &o);
}

static double squared(double x) {
    return x * x;
}

/* The least squares solution for y = w·x: elimination on the normal equations. */
static void solve(const struct fi_table *t, double *w) {
    enum { MOST = 8 };
    const int n = (int)t->shape.cols;
    double a[MOST][MOST + 1] = {{0}};
    assert_true(n <= MOST);
    for (int64_t r = 0; r < t->n; r++)
        for (int i = 0; i < n; i++) {
            const double x = (double)t->f32[r * n + i];
            for (int j = 0; j < n; j++) a[i][j] += x * (double)t->f32[r * n + j];
            a[i][n] += x * (double)t->targets[r];
        }
    for (int i = 0; i < n; i++)
        for (int k = 0; k < n; k++) {
            const double factor = k == i ? 0 : a[k][i] / a[i][i];
            for (int j = i; j <= n; j++) a[k][j] -= factor * a[i][j];
        }
    for (int i = 0; i < n; i++) w[i] = a[i][n] / a[i][i];
}

static double residual(const struct fi_table *t, const double *w, int64_t row) {
    double y = (double)t->targets[row];
    for (int64_t j = 0; j < t->shape.cols; j++) y -= w[j] * (double)t->f32[row * t->shape.cols + j];
    return y;
}

/* One identity unit: linear regression with |w| = 1, var y = 1 + noise². */
static void test_linear(void **state) {
    struct fixture *f = *state;
    const struct shape s = {"identity", 5, 1, 0.5, 40000, 3000};
    const double n = s.rows, variance = squared(s.noise), total = 1 + variance;
    double w[5], length = 0, mean = 0, squares = 0, y2 = 0, e_mean = 0, e2 = 0, e_lag = 0;
    fanin_data *d;
    assert_ok(f->ctx, load(&d, f->ctx, &s, "none", 3));
    const struct fi_table *train = &d->tables[FANIN_TRAIN], *test = &d->tables[FANIN_TEST];
    assert_int_equal(fanin_data_task(d), FANIN_REGRESSION);
    assert_int_equal(fanin_data_outputs(d), 1);
    assert_int_equal(train->n, 40000);
    assert_int_equal(test->n, 3000);
    assert_memory_not_equal(train->f32, test->f32, 5 * sizeof(float));
    /* the test part has no noise, and |w| = 1 */
    solve(test, w);
    for (int j = 0; j < 5; j++) length += squared(w[j]);
    assert_true(fabs(length - 1) < 1e-6);
    for (int64_t r = 0; r < test->n; r++) assert_true(fabs(residual(test, w, r)) < 2e-6);
    /* the same teacher with noise for training */
    for (int64_t i = 0; i < 5 * train->n; i++) {
        mean += (double)train->f32[i] / (5 * n);
        squares += squared((double)train->f32[i]) / (5 * n);
    }
    for (int64_t r = 0; r < train->n; r++) {
        const double e = residual(train, w, r);
        y2 += squared((double)train->targets[r]) / n;
        e_mean += e / n;
        e2 += e * e / n;
        if (r > 0) e_lag += e * residual(train, w, r - 1) / n;
    }
    assert_true(fabs(mean) < 5 / sqrt(5 * n));
    assert_true(fabs(squares - 1) < 5 * sqrt(2 / (5 * n)));
    assert_true(fabs(y2 - total) < 5 * total * sqrt(2 / n));
    assert_true(fabs(e_mean) < 5 * s.noise / sqrt(n));
    assert_true(fabs(e2 - variance) < 5 * variance * sqrt(2 / n));
    assert_true(fabs(e_lag) < 5 * variance / sqrt(n));
    fanin_data_free(d);
}

/* Several identity units add up to one whose weights are the sum of theirs, which differ: |sum|²
 * has mean 4; it would be 16 if they were all the same. */
static void test_sum_of_units(void **state) {
    struct fixture *f = *state;
    const struct shape s = {"identity", 8, 4, 0, 100, 100};
    double mean = 0;
    enum { SEEDS = 60 };
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        double w[8], length = 0;
        fanin_data *d;
        assert_ok(f->ctx, load(&d, f->ctx, &s, "none", seed));
        solve(&d->tables[FANIN_TRAIN], w);
        for (int j = 0; j < 8; j++) length += squared(w[j]);
        mean += length / SEEDS;
        fanin_data_free(d);
    }
    /* |sum|² = 4 + 12 cosines of pairs, each with variance 1/8, in 6 pairs twice */
    assert_true(fabs(mean - 4) < 5 * sqrt(4 * 6 / 8. / SEEDS));
}

static double identity(double z) {
    return z;
}
static double relu(double z) {
    return z > 0 ? z : 0;
}
static double erf_sqrt2(double z) {
    return erf(z / sqrt(2));
}

/* With one input each weight is 1 or -1, so the target is p g(x) + q g(-x) for p + q units. */
static void test_activations(void **state) {
    struct fixture *f = *state;
    static const struct {
        const char *name;
        double (*g)(double);
    } cases[] = {{"identity", identity}, {"tanh", tanh}, {"relu", relu}, {"erf", erf_sqrt2}};
    for (int c = 0; c < FI_COUNT(cases); c++) {
        const struct shape s = {cases[c].name, 1, 3, 0, 500, 0};
        fanin_data *d;
        assert_ok(f->ctx, load(&d, f->ctx, &s, "none", 1));
        int fits = 0;
        for (int p = 0; p <= 3; p++) {
            double worst = 0;
            for (int part = FANIN_TRAIN; part <= FANIN_TEST; part += 2)
                for (int64_t r = 0; r < 500; r++) {
                    const double x = (double)d->tables[part].f32[r];
                    const double y = p * cases[c].g(x) + (3 - p) * cases[c].g(-x);
                    worst = fmax(worst, fabs(y - (double)d->tables[part].targets[r]));
                }
            fits += worst < 1e-6;
        }
        assert_int_equal(fits, 1);
        fanin_data_free(d);
    }
}

/* The sum that enters a unit is N(0, 1) whatever the number of inputs: erf of it over sqrt 2 is
 * uniform in (-1, 1), relu of it has mean 1 / sqrt(2 pi) and mean square 1/2. */
static void test_preactivations(void **state) {
    struct fixture *f = *state;
    const double n = 20000, pi = 3.14159265358979324;
    for (int k = 0; k < 2; k++) {
        const struct shape s = {k ? "relu" : "erf", 30, 1, 0, n, 10};
        double mean = 0, squares = 0;
        fanin_data *d;
        assert_ok(f->ctx, load(&d, f->ctx, &s, "none", 5));
        for (int64_t r = 0; r < (int64_t)n; r++) {
            mean += (double)d->tables[0].targets[r] / n;
            squares += squared((double)d->tables[0].targets[r]) / n;
        }
        const double m1 = k ? 1 / sqrt(2 * pi) : 0, m2 = k ? 0.5 : 1. / 3, m4 = k ? 1.5 : 1. / 5;
        assert_true(fabs(mean - m1) < 5 * sqrt((m2 - m1 * m1) / n));
        assert_true(fabs(squares - m2) < 5 * sqrt((m4 - m2 * m2) / n));
        fanin_data_free(d);
    }
}

/* Nothing is scaled with `none`; by default targets are, as those of a file. */
static void test_raw_targets(void **state) {
    struct fixture *f = *state;
    const struct shape s = {"tanh", 3, 2, 0.1, 50, 0};
    for (int k = 0; k < 2; k++) {
        fanin_data *d;
        fi_real x[3], y[1];
        assert_ok(f->ctx, load(&d, f->ctx, &s, k ? NULL : "none", 1));
        gather_one(d, FANIN_TRAIN, 7, x, NULL, y);
        assert_true(k == (y[0] != d->tables[0].targets[7]));
        assert_true(k == (x[1] != d->tables[0].f32[22]));
        assert_int_equal(k, d->target_scale != NULL);
        fanin_data_free(d);
    }
}

static void test_bits(void **state) {
    struct fixture *f = *state;
    fanin_ctx *other = test_ctx_on(3, "portable");
    static const struct {
        const char *activation;
        uint64_t hash;
    } known[] = {{"tanh", UINT64_C(0xccd1447466aeb956)}, {"erf", UINT64_C(0x47229644c6683fd6)}};
    for (int k = 0; k < FI_COUNT(known); k++) {
        const struct shape s = {known[k].activation, 7, 5, 0.25, 200, 0};
        fanin_data *a, *b, *c;
        assert_ok(f->ctx, load(&a, f->ctx, &s, "none", 11));
        assert_ok(other, load(&b, other, &s, "none", 11));
        assert_ok(f->ctx, load(&c, f->ctx, &s, "none", 12));
        const uint64_t hash = fi_data_fingerprint(a);
        if (hash != known[k].hash)
            fail_msg("%s: 0x%016llx", known[k].activation, (unsigned long long)hash);
        assert_true(fi_data_fingerprint(b) == hash);
        assert_true(fi_data_fingerprint(c) != hash);
        fanin_data_free(a);
        fanin_data_free(b);
        fanin_data_free(c);
    }
    fanin_ctx_free(other);
}

static void test_refused(void **state) {
    struct fixture *f = *state;
    static const struct {
        struct shape shape;
        const char *part;
    } bad[] = {{{"gelu", 2, 1, 0, 10, 0}, "identity"}, {{"tanh", 0, 1, 0, 10, 0}, "inputs"},
               {{"tanh", 2, 0, 0, 10, 0}, "hidden"},   {{"tanh", 2, 1, -1, 10, 0}, "noise"},
               {{"tanh", 2, 1, 0, 0, 0}, "rows"},      {{"tanh", 2, 1, 0, 10, -1}, "test_rows"}};
    for (int i = 0; i < FI_COUNT(bad); i++) {
        fanin_data *d;
        assert_refused(f->ctx, FANIN_ERR_RECIPE, bad[i].part,
                       load(&d, f->ctx, &bad[i].shape, "none", 0));
    }
}

static struct CMUnitTest tests[] = {DATA_TEST(test_linear),      DATA_TEST(test_sum_of_units),
                                    DATA_TEST(test_activations), DATA_TEST(test_preactivations),
                                    DATA_TEST(test_raw_targets), DATA_TEST(test_bits),
                                    DATA_TEST(test_refused)};

int main(void) {
    return test_main(tests);
}
