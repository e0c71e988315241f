/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The source preferences: the law of what is known of users, picks by softmax of affinities that
 * are linear in it, the same items for other users, and the same bits everywhere. Bounds are five
 * standard errors.
 */
#include "data/data_support.h"

struct shape {
    double users, items, factors, sharpness, noise, picks, test_users;
};

static enum fanin_status load(fanin_data **out, fanin_ctx *ctx, const struct shape *s,
                              uint64_t seed) {
    const struct fanin_attr attrs[] = {
        {.name = "users", .number = s->users},          {.name = "items", .number = s->items},
        {.name = "factors", .number = s->factors},      {.name = "noise", .number = s->noise},
        {.name = "sharpness", .number = s->sharpness},  {.name = "picks", .number = s->picks},
        {.name = "test_users", .number = s->test_users}};
    const struct fanin_data_options o = {.size = sizeof o,
                                         .reader = {"preferences", attrs, FI_COUNT(attrs), 0},
                                         .normalize = "none",
                                         .seed = seed};
    return fanin_data_load(out, ctx, &o);
}

static double squared(double x) {
    return x * x;
}

/* Rows = users × picks; a user's picks have the same inputs, of mean 0 and variance 1 + noise². */
static void test_users(void **state) {
    struct fixture *f = *state;
    const struct shape s = {4000, 3, 5, 1, 0.5, 4, 100};
    const double n = s.users * s.factors, variance = 1 + squared(s.noise);
    fanin_data *d;
    assert_ok(f->ctx, load(&d, f->ctx, &s, 1));
    const struct fi_table *t = &d->tables[FANIN_TRAIN], *test = &d->tables[FANIN_TEST];
    assert_int_equal(t->n, 16000);
    assert_int_equal(test->n, 400);
    assert_int_equal(fanin_data_task(d), FANIN_CLASSIFICATION);
    assert_int_equal(fanin_data_outputs(d), 3);
    double mean = 0, squares = 0;
    for (int64_t i = 0; i < t->n; i++) {
        const float *x = t->f32 + i * 5, *first = t->f32 + i / 4 * 20;
        assert_memory_equal(x, first, 5 * sizeof *x);
        assert_true(i < 4 || i % 4 || memcmp(x, x - 5, 5 * sizeof *x) != 0);
        for (int j = 0; j < 5 && i % 4 == 0; j++) {
            mean += (double)x[j] / n;
            squares += squared((double)x[j]) / n;
        }
    }
    assert_true(fabs(mean) < 5 * sqrt(variance / n));
    assert_true(fabs(squares - variance) < 5 * variance * sqrt(2 / n));
    assert_memory_not_equal(t->f32, test->f32, 5 * sizeof(float));
    fanin_data_free(d);
}

/* Without sharpness all items are alike, and the entropy told is ln(items). */
static void test_alike(void **state) {
    struct fixture *f = *state;
    const struct shape s = {5000, 100, 2, 0, 0, 20, 1};
    double count[100] = {0}, chi2 = 0;
    fanin_data *d;
    assert_ok(f->ctx, load(&d, f->ctx, &s, 1));
    for (int64_t i = 0; i < 100000; i++) count[d->tables[0].labels[i]]++;
    for (int k = 0; k < 100; k++) chi2 += squared(count[k] - 1000) / 1000;
    assert_true(fabs(chi2 - 99) < 5 * sqrt(2 * 99.));
    assert_non_null(strstr(fanin_data_describe(d), "mean entropy 4.6052 nats"));
    fanin_data_free(d);
}

/* ln(count) of each item among the picks of a user; half a pick more, for those without any. */
static void log_counts(const struct fi_table *t, int64_t user, int64_t picks, double *out) {
    for (int64_t k = 0; k < t->n_outputs; k++) out[k] = 0.5;
    for (int64_t i = user * picks; i < (user + 1) * picks; i++) out[t->labels[i]]++;
    for (int64_t k = 0; k < t->n_outputs; k++) out[k] = log(out[k]);
}

/* The affinities of a user, ln(chance) about its mean, have variance sharpness² |x|² / factors over
 * the items. */
static void test_sharpness(void **state) {
    struct fixture *f = *state;
    enum { ITEMS = 1000, PICKS = 300000 };
    const struct shape s = {2, ITEMS, 4, 0.8, 0, PICKS, 1};
    fanin_data *d;
    assert_ok(f->ctx, load(&d, f->ctx, &s, 2));
    for (int64_t user = 0; user < 2; user++) {
        static double l[ITEMS];
        const float *x = d->tables[0].f32 + user * PICKS * 4;
        double mean = 0, variance = 0, length = 0;
        log_counts(&d->tables[0], user, PICKS, l);
        for (int k = 0; k < ITEMS; k++) mean += l[k] / ITEMS;
        for (int k = 0; k < ITEMS; k++) /* less what counting itself adds */
            variance += (squared(l[k] - mean) - exp(-l[k])) / (ITEMS - 1);
        for (int j = 0; j < 4; j++) length += squared((double)x[j]);
        const double expected = squared(s.sharpness) * length / 4;
        assert_true(fabs(variance / expected - 1) < 5 * sqrt(2. / (ITEMS - 1)));
    }
    fanin_data_free(d);
}

/* With one factor ln(p_k / p_0) = slope_k x: the slopes of some users tell the picks of others. */
static void test_softmax(void **state) {
    struct fixture *f = *state;
    enum { USERS = 8, ITEMS = 6, PICKS = 50000 };
    const struct shape s = {USERS, ITEMS, 1, 1.5, 0, PICKS, USERS};
    double slope[ITEMS] = {0}, weight[ITEMS] = {0}, l[ITEMS], worst = 0, steepest = 0;
    int checked = 0;
    fanin_data *d;
    assert_ok(f->ctx, load(&d, f->ctx, &s, 1));
    for (int pass = 0; pass < 3; pass++) /* fit, check, check on other users */
        for (int64_t user = 0; user < USERS; user++) {
            const struct fi_table *t = &d->tables[pass == 2 ? FANIN_TEST : FANIN_TRAIN];
            const double x = (double)t->f32[user * PICKS];
            log_counts(t, user, PICKS, l);
            for (int k = 1; k < ITEMS; k++) {
                const double variance = exp(-l[k]) + exp(-l[0]);
                if (variance > 0.02) continue; /* too few to be normal */
                if (pass == 0) {
                    slope[k] += x * (l[k] - l[0]) / variance;
                    weight[k] += x * x / variance;
                    continue;
                }
                const double about = slope[k] / weight[k], e = l[k] - l[0] - about * x;
                const double more = pass == 2 ? x * x / weight[k] : 0;
                worst = fmax(worst, fabs(e) / sqrt(variance + more));
                steepest = fmax(steepest, fabs(about));
                checked++;
            }
        }
    assert_true(checked > USERS * ITEMS);
    assert_true(worst < 5);
    assert_true(steepest > 0.5);
    fanin_data_free(d);
}

static void test_bits(void **state) {
    struct fixture *f = *state;
    const struct shape s = {50, 40, 3, 2, 0.5, 5, 20};
    fanin_ctx *other = test_ctx_on(3, "portable");
    fanin_data *a, *b, *c;
    assert_ok(f->ctx, load(&a, f->ctx, &s, 11));
    assert_ok(other, load(&b, other, &s, 11));
    assert_ok(f->ctx, load(&c, f->ctx, &s, 12));
    const uint64_t hash = fi_data_fingerprint(a), known = UINT64_C(0x79af7ccb433d8aae);
    if (hash != known) fail_msg("0x%016llx", (unsigned long long)hash);
    assert_true(fi_data_fingerprint(b) == hash);
    assert_true(fi_data_fingerprint(c) != hash);
    fanin_data_free(a);
    fanin_data_free(b);
    fanin_data_free(c);
    fanin_ctx_free(other);
}

static void test_refused(void **state) {
    struct fixture *f = *state;
    static const struct {
        struct shape shape;
        const char *part;
    } bad[] = {{{0, 3, 1, 1, 0, 1, 0}, "users"},      {{1, 1, 1, 1, 0, 1, 0}, "items"},
               {{1, 3, 0, 1, 0, 1, 0}, "factors"},    {{1, 3, 1, -1, 0, 1, 0}, "sharpness"},
               {{1, 3, 1, 1, -1, 1, 0}, "noise"},     {{1, 3, 1, 1, 0, 0, 0}, "picks"},
               {{1, 3, 1, 1, 0, 1, -1}, "test_users"}};
    for (int i = 0; i < FI_COUNT(bad); i++) {
        fanin_data *d;
        assert_refused(f->ctx, FANIN_ERR_RECIPE, bad[i].part, load(&d, f->ctx, &bad[i].shape, 0));
    }
}

static struct CMUnitTest tests[] = {DATA_TEST(test_users),     DATA_TEST(test_alike),
                                    DATA_TEST(test_sharpness), DATA_TEST(test_softmax),
                                    DATA_TEST(test_bits),      DATA_TEST(test_refused)};

int main(void) {
    return test_main(tests);
}
