/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sources without files: the embedded digits, xor, Gaussian blobs, random labels; records that are
 * complete.
 */
#include "data/data_support.h"

static fanin_data *load(struct fixture *f, const char *name, const struct fanin_attr *attrs,
                        int64_t n, uint64_t seed) {
    struct fanin_data_options o = {.size = sizeof o,
                                   .reader = {.name = name, .attrs = attrs, .n_attrs = n},
                                   .normalize = "none",
                                   .seed = seed};
    fanin_data *d;
    assert_ok(f->ctx, fanin_data_load(&d, f->ctx, &o));
    return d;
}

static void test_digits(void **state) {
    static const int64_t histogram[] = {178, 182, 177, 183, 181, 182, 181, 179, 174, 180};
    struct fixture *f = *state;
    fanin_data *d = load(f, "digits", NULL, 0, 0);
    const struct fi_table *t = &d->tables[0];
    int64_t count[10] = {0}, sum = 0;
    assert_int_equal(t->n, 1797);
    assert_int_equal(fanin_data_shape(d)->rank, 2);
    assert_int_equal(fanin_data_shape(d)->dims[0], 8);
    for (int64_t i = 0; i < t->n; i++) count[t->labels[i]]++;
    for (int64_t i = 0; i < t->n * 64; i++) {
        assert_true(t->u8[i] <= 16);
        sum += t->u8[i];
    }
    for (int c = 0; c < 10; c++) assert_int_equal(count[c], histogram[c]);
    assert_int_equal(sum, 561718);
    fanin_data_free(d);
}

static void test_xor(void **state) {
    struct fixture *f = *state;
    fanin_data *d = load(f, "xor", NULL, 0, 0);
    static const float corners[] = {0, 0, 0, 1, 1, 0, 1, 1};
    assert_int_equal(d->tables[0].n, 4);
    assert_memory_equal(d->tables[0].f32, corners, sizeof corners);
    for (int i = 0; i < 4; i++) assert_int_equal(d->tables[0].labels[i], i == 1 || i == 2);
    assert_int_equal(fanin_data_rows(d, FANIN_TEST), 4);
    fanin_data_free(d);

    /* noise: mean 0 and the deviation asked for, other in the test part */
    const struct fanin_attr attrs[] = {{.name = "repeats", .number = 25000},
                                       {.name = "noise", .number = 0.5}};
    d = load(f, "xor", attrs, 2, 1);
    const struct fi_table *t = &d->tables[0];
    double sum = 0, squares = 0, cubes = 0;
    const double n = (double)(2 * t->n);
    for (int64_t i = 0; i < 2 * t->n; i++) {
        double e = ((double)t->f32[i] - (double)corners[i % 8]) / 0.5;
        sum += e;
        squares += e * e;
        cubes += e * e * e;
    }
    assert_true(fabs(sum / n) < 4 / sqrt(n));
    assert_true(fabs(squares / n - 1) < 4 * sqrt(2 / n));
    assert_true(fabs(cubes / n) < 4 * sqrt(15 / n));
    assert_memory_not_equal(t->f32, d->tables[FANIN_TEST].f32, 64);
    fanin_data_free(d);
}

static void test_blobs(void **state) {
    struct fixture *f = *state;
    const struct fanin_attr attrs[] = {{.name = "n", .number = 30000},
                                       {.name = "classes", .number = 3},
                                       {.name = "features", .number = 3},
                                       {.name = "std", .number = 0.25}};
    fanin_data *d = load(f, "gaussian_blobs", attrs, 4, 1);
    /* both parts have the same centres */
    double mean[2][9] = {{0}};
    for (int p = 0; p < 2; p++) {
        const struct fi_table *t = &d->tables[p ? FANIN_TEST : FANIN_TRAIN];
        for (int64_t i = 0; i < t->n; i++)
            for (int j = 0; j < 3; j++)
                mean[p][t->labels[i] * 3 + j] += (double)t->f32[3 * i + j] / 10000;
    }
    for (int k = 0; k < 9; k++) {
        assert_true(fabs(mean[0][k]) < 10.1);
        assert_true(fabs(mean[0][k] - mean[1][k]) < 0.25 * sqrt(2. / 10000) * 5);
    }
    assert_true(fabs(mean[0][0] - mean[0][3]) > 0.1);
    fanin_data *other = load(f, "gaussian_blobs", attrs, 4, 2);
    assert_true(fi_data_fingerprint(d) != fi_data_fingerprint(other));
    fanin_data_free(d);
    fanin_data_free(other);
}

static void test_random_labels(void **state) {
    struct fixture *f = *state;
    fanin_data *digits = load(f, "digits", NULL, 0, 1), *d = load(f, "random_labels", NULL, 0, 1);
    const struct fi_table *a = &digits->tables[0], *b = &d->tables[0];
    int64_t same = 0, count[10] = {0};
    assert_memory_equal(a->u8, b->u8, (size_t)(a->n * 64));
    for (int64_t i = 0; i < a->n; i++) {
        same += a->labels[i] == b->labels[i];
        count[b->labels[i]]++;
    }
    assert_true(llabs(same - 180) < 60);
    for (int c = 0; c < 10; c++) assert_true(llabs(count[c] - 180) < 60);
    fanin_data_free(d);

    const struct fanin_rule blobs = {.name = "gaussian_blobs"};
    const struct fanin_attr attrs[] = {{.name = "source", .rule = &blobs},
                                       {.name = "fraction", .number = 0.25},
                                       {.name = "classes", .number = 3}};
    d = load(f, "random_labels", attrs, 3, 1);
    int64_t changed = 0;
    for (int64_t i = 0; i < 1000; i++) changed += d->tables[0].labels[i] != i % 3;
    assert_true(llabs(changed - 167) < 50); /* a quarter, of which a third stays by chance */
    fanin_data_free(d);
    fanin_data_free(digits);

    const struct fanin_attr fewer[] = {{.name = "classes", .number = 5},
                                       {.name = "fraction", .number = 0.5}};
    struct fanin_data_options o = {
        .size = sizeof o, .reader = {.name = "random_labels", .attrs = fewer, .n_attrs = 2}};
    assert_refused(f->ctx, FANIN_ERR_RECIPE, "classes is 5", fanin_data_load(&d, f->ctx, &o));
    put_text(f, "a.csv", "1,0.5\n2,1.5\n3,2.5\n");
    o.train = f->path;
    o.reader.n_attrs = 0;
    assert_refused(f->ctx, FANIN_ERR_RECIPE, "has no classes", fanin_data_load(&d, f->ctx, &o));
    o.reader.n_attrs = 1;
    assert_ok(f->ctx, fanin_data_load(&d, f->ctx, &o));
    assert_int_equal(fanin_data_outputs(d), 5);
    fanin_data_free(d);
}

static void test_records_are_complete(void **state) {
    struct fixture *f = *state;
    const struct fanin_record *record;
    int n = 0;
    for (; (record = fanin_record_at(f->ctx, "reader", n)); n++) {
        const struct fi_reader *reader = (const struct fi_reader *)record;
        assert_non_null(record->formula);
        assert_non_null(record->reference);
        assert_non_null(record->help);
        assert_non_null(reader->read);
        assert_true(!reader->needs_path || reader->suffixes);
    }
    assert_true(n >= 6);
}

static struct CMUnitTest tests[] = {
    DATA_TEST(test_digits),
    DATA_TEST(test_xor),
    DATA_TEST(test_blobs),
    DATA_TEST(test_random_labels),
    DATA_TEST(test_records_are_complete),
};
int main(void) {
    return test_main(tests);
}
