/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Splits, normalization, order and gathering of batches, fingerprints.
 */
#include "data/data_support.h"

static struct fanin_data_options digits(void) {
    return (struct fanin_data_options){.size = sizeof(struct fanin_data_options),
                                       .reader = {.name = "digits"},
                                       .test_fraction = 0.2,
                                       .validation_fraction = 0.1,
                                       .seed = 7};
}

static fanin_data *load(struct fixture *f, const struct fanin_data_options *o) {
    fanin_data *d;
    assert_ok(f->ctx, fanin_data_load(&d, f->ctx, o));
    return d;
}

/* Parts are disjoint, complete, of the size asked for and hold each class in its share. */
static void test_split_is_stratified(void **state) {
    struct fixture *f = *state;
    struct fanin_data_options o = digits();
    fanin_data *d = load(f, &o);
    static uint8_t seen[1797];
    int64_t of_class[10] = {0}, in_test[10] = {0};
    memset(seen, 0, sizeof seen);
    for (int p = 0; p < 3; p++) {
        const struct fi_part *part = &d->parts[p];
        for (int64_t i = 0; i < part->n; i++) {
            assert_int_equal(seen[part->rows[i]]++, 0);
            if (i > 0) assert_true(part->rows[i] > part->rows[i - 1]);
            int32_t label = part->table->labels[part->rows[i]];
            of_class[label]++;
            in_test[label] += p == FANIN_TEST;
        }
    }
    assert_int_equal(fanin_data_rows(d, FANIN_TEST), 359);
    assert_int_equal(fanin_data_rows(d, FANIN_VALIDATION), 180);
    assert_int_equal(fanin_data_rows(d, FANIN_TRAIN), 1797 - 359 - 180);
    for (int c = 0; c < 10; c++)
        assert_true(fabs((double)in_test[c] - 0.2 * (double)of_class[c]) <= 1);
    fanin_data_free(d);
}

static void test_split_depends_on_the_seed_alone(void **state) {
    struct fixture *f = *state;
    struct fanin_data_options o = digits();
    fanin_data *a = load(f, &o), *b;
    uint64_t first = fi_data_fingerprint(a);
    fanin_ctx *three = test_ctx_on(3, "portable");
    assert_ok(three, fanin_data_load(&b, three, &o));
    assert_true(fi_data_fingerprint(b) == first);
    fanin_data_free(b);
    fanin_ctx_free(three);
    o.seed = 8;
    b = load(f, &o);
    assert_true(fi_data_fingerprint(b) != first);
    assert_int_equal(fanin_data_rows(b, FANIN_TEST), fanin_data_rows(a, FANIN_TEST));
    fanin_data_free(a);
    fanin_data_free(b);
}

/* A class of one row stays in training; no fraction empties the training part. */
static void test_rare_classes_stay(void **state) {
    struct fixture *f = *state;
    put_text(f, "a.csv", "1,a\n2,b\n3,c\n4,c\n5,c\n6,c\n");
    struct fanin_data_options o = {
        .size = sizeof o, .train = f->path, .test_fraction = 0.5, .validation_fraction = 0.45};
    fanin_data *d = load(f, &o);
    int64_t count[3] = {0};
    for (int64_t i = 0; i < d->parts[FANIN_TRAIN].n; i++)
        count[d->tables[0].labels[d->parts[FANIN_TRAIN].rows[i]]]++;
    for (int c = 0; c < 3; c++) assert_true(count[c] >= 1);
    fanin_data_free(d);
}

static void test_refuses_options(void **state) {
    struct fixture *f = *state;
    struct fanin_data_options o = digits();
    fanin_data *d;
    o.test_fraction = 1;
    assert_refused(f->ctx, FANIN_ERR_RECIPE, "data.test_fraction", fanin_data_load(&d, f->ctx, &o));
    o.test_fraction = NAN;
    assert_refused(f->ctx, FANIN_ERR_RECIPE, "data.test_fraction", fanin_data_load(&d, f->ctx, &o));
    o.test_fraction = 0.95;
    assert_refused(f->ctx, FANIN_ERR_RECIPE, "leave nothing", fanin_data_load(&d, f->ctx, &o));
    o = digits();
    o.normalize = "mean_sdt";
    assert_refused(f->ctx, FANIN_ERR_RECIPE, "did you mean 'mean_std'",
                   fanin_data_load(&d, f->ctx, &o));
    o = digits();
    o.reader.name = "digitz";
    assert_refused(f->ctx, FANIN_ERR_RECIPE, "digits", fanin_data_load(&d, f->ctx, &o));
    o.reader.name = NULL;
    assert_refused(f->ctx, FANIN_ERR_RECIPE, "no data", fanin_data_load(&d, f->ctx, &o));
    o.train = "a.unknown";
    assert_refused(f->ctx, FANIN_ERR_RECIPE, "cannot tell the format",
                   fanin_data_load(&d, f->ctx, &o));
    o.reader.name = "csv";
    o.train = NULL;
    assert_refused(f->ctx, FANIN_ERR_RECIPE, "needs a file", fanin_data_load(&d, f->ctx, &o));
    o.size = 0;
    assert_refused(f->ctx, FANIN_ERR_ARGUMENT, "options", fanin_data_load(&d, f->ctx, &o));
}

/* The statistics are those of the training part, whatever the test part holds. */
static void test_fitted_on_training_alone(void **state) {
    struct fixture *f = *state;
    fanin_data *d;
    char test[300];
    put_text(f, "a.csv", "a,c,k,y\n1,7,u,0.5\n2,7,v,1.5\n3,7,u,2.5\n,7,v,3.5\n");
    snprintf(test, sizeof test, "%s/t.csv", f->dir);
    write_file(test, "a,c,k,y\n1000,8,u,100\n,9,w,2\n", 28);
    static const struct {
        const char *rule;
        float shift, scale, filled;
    } cases[] = {{"mean_std", 2, 1.41421356f, 0}, {"min_max", 1, 0.5f, 0.5f}, {"none", 0, 1, 2}};
    for (int i = 0; i < FI_COUNT(cases); i++) {
        struct fanin_data_options o = {
            .size = sizeof o, .train = f->path, .test = test, .normalize = cases[i].rule};
        assert_ok(f->ctx, fanin_data_load(&d, f->ctx, &o));
        const bool fitted = i < 2;
        assert_true(d->shift[0] == cases[i].shift && d->scale[0] == cases[i].scale);
        assert_true(d->shift[1] == (fitted ? 7 : 0) && d->scale[1] == (fitted ? 0 : 1));
        assert_true(d->shift[2] == 0 && d->scale[2] == 1); /* one-hot */
        fi_real x[4], y;
        gather_one(d, FANIN_TEST, 1, x, NULL, &y);
        assert_true(x[0] == cases[i].filled);  /* missing: the training mean, 2 */
        assert_true(x[1] == (fitted ? 0 : 9)); /* constant in training: exactly 0 */
        assert_true(x[2] == 0 && x[3] == 0);   /* a value training never saw */
        if (fitted) {
            assert_true(d->target_shift[0] == 2);
            assert_true(fabs((double)d->target_scale[0] - 1 / sqrt(1.25)) < 1e-6);
            assert_true(y == 0);
        } else {
            assert_null(d->target_shift);
            assert_true(y == 2);
        }
        fanin_data_free(d);
    }
}

/* Large offsets: the mean is taken first, so nothing cancels. */
static void test_offset(void **state) {
    struct fixture *f = *state;
    char text[40000] = "";
    size_t n = 0;
    for (int i = 0; i < 1000; i++)
        n += (size_t)sprintf(text + n, "%d,1e7,%d\n", 10000000 + i % 2, i % 3);
    put_text(f, "a.csv", text);
    struct fanin_data_options o = {.size = sizeof o, .train = f->path};
    fanin_data *d = load(f, &o);
    assert_true(fabs((double)d->scale[0] - 2) < 1e-6);
    fi_real x[2];
    gather_one(d, FANIN_TRAIN, 5, x, NULL, NULL);
    assert_true(x[1] == 0);
    fanin_data_free(d);
}

/* Images share one statistic, or one a channel; a table of bytes has one a column. */
static void test_groups(void **state) {
    struct fixture *f = *state;
    uint8_t bytes[64];
    static const struct {
        int rank;
        uint32_t dims[4];
        float shift[4];
    } cases[] = {
        {2, {2, 4}, {2, 4, 6, 8}}, {3, {2, 2, 2}, {5, 5, 5, 5}}, {4, {2, 2, 1, 2}, {3, 3, 7, 7}}};
    static const uint8_t numbers[] = {1, 2, 3, 4, 3, 6, 9, 12};
    for (int i = 0; i < FI_COUNT(cases); i++) {
        size_t n = idx_header(bytes, 0x08, cases[i].rank, cases[i].dims);
        memcpy(bytes + n, numbers, 8);
        put(f, "x.idx", bytes, n + 8);
        struct fanin_data_options o = {.size = sizeof o, .train = f->path};
        fanin_data *d = load(f, &o);
        for (int j = 0; j < 4; j++) assert_true(d->shift[j] == cases[i].shift[j]);
        fanin_data_free(d);
        /* the same as floats */
        n = idx_header(bytes, 0x09, cases[i].rank, cases[i].dims);
        put(f, "x.idx", bytes, n + 8);
        fanin_data *e = load(f, &o);
        for (int j = 0; j < 4; j++) assert_true(e->shift[j] == cases[i].shift[j]);
        fanin_data_free(e);
    }
}

static void test_order_is_a_permutation(void **state) {
    struct fixture *f = *state;
    struct fanin_data_options o = digits();
    fanin_data *d = load(f, &o);
    const int64_t n = fanin_data_rows(d, FANIN_TRAIN);
    int64_t *all = calloc((size_t)n, sizeof *all), *other = calloc((size_t)n, sizeof *other);
    uint8_t *seen = calloc((size_t)n, 1);
    int64_t piece[5], same = 0;
    fi_data_order(d, FANIN_TRAIN, 3, 4, 0, n, all);
    for (int64_t i = 0; i < n; i++) assert_int_equal(seen[all[i]]++, 0);
    fi_data_order(d, FANIN_TRAIN, 3, 4, 100, 5, piece);
    assert_memory_equal(piece, all + 100, sizeof piece);
    fi_data_order(d, FANIN_TRAIN, 3, 5, 0, n, other);
    for (int64_t i = 0; i < n; i++) same += all[i] == other[i];
    assert_true(same < 12); /* one is expected */
    free(all);
    free(other);
    free(seen);
    fanin_data_free(d);
}

/* More rows than are looked up at once, through the split, against the table. */
static void test_gather(void **state) {
    struct fixture *f = *state;
    struct fanin_data_options o = digits();
    fanin_data *d = load(f, &o);
    enum { N = 300, LD = 80 };
    static fi_real x[N * LD];
    int64_t index[N];
    int32_t labels[N];
    for (int i = 0; i < N; i++) index[i] = (i * 37) % 359;
    fi_data_gather(d, FANIN_TEST, index, N, x, LD);
    fi_data_gather_known(d, FANIN_TEST, index, N, &(struct fi_known){.labels = labels});
    for (int i = 0; i < N; i++) {
        int64_t row = d->parts[FANIN_TEST].rows[index[i]];
        assert_int_equal(labels[i], d->tables[0].labels[row]);
        for (int j = 0; j < 64; j++) {
            fi_real expected = ((fi_real)d->tables[0].u8[row * 64 + j] - d->shift[j]) * d->scale[j];
            assert_true(x[i * LD + j] == expected);
        }
    }
    fanin_data_free(d);
}

static void test_from_arrays(void **state) {
    struct fixture *f = *state;
    static const float x[] = {1, 2, 3, 4, 5, 6}, bad[] = {1, INFINITY};
    static const int32_t labels[] = {0, 2, 1};
    fanin_data *d;
    assert_ok(f->ctx, fanin_data_from_arrays(&d, f->ctx, 3, 2, x, labels, 3, NULL, 0));
    fi_real row[2];
    int32_t label;
    gather_one(d, FANIN_TRAIN, 1, row, &label, NULL);
    assert_true(row[0] == 3 && row[1] == 4 && label == 2);
    assert_int_equal(fanin_data_rows(d, FANIN_TEST), 0);
    assert_string_equal(fanin_data_output_name(d, 2), "2");
    fanin_data_free(d);
    assert_ok(f->ctx, fanin_data_from_arrays(&d, f->ctx, 3, 1, x, NULL, 0, x, 2));
    fi_real targets[2];
    int64_t index = 2;
    fi_data_gather_known(d, FANIN_TRAIN, &index, 1,
                         &(struct fi_known){.targets = targets, .ld = 2});
    assert_true(targets[0] == 5 && targets[1] == 6);
    fanin_data_free(d);
    assert_refused(f->ctx, FANIN_ERR_DATA, "label 2 of row 1",
                   fanin_data_from_arrays(&d, f->ctx, 3, 2, x, labels, 2, NULL, 0));
    assert_refused(f->ctx, FANIN_ERR_DATA, "column 1 of row 0 is not finite",
                   fanin_data_from_arrays(&d, f->ctx, 1, 2, bad, NULL, 0, NULL, 0));
    assert_refused(f->ctx, FANIN_ERR_ARGUMENT, "fanin_data_from_arrays",
                   fanin_data_from_arrays(&d, f->ctx, 0, 2, x, NULL, 0, NULL, 0));
    assert_refused(f->ctx, FANIN_ERR_ARGUMENT, "not both",
                   fanin_data_from_arrays(&d, f->ctx, 1, 2, x, labels, 3, x, 1));
}

static struct CMUnitTest tests[] = {
    DATA_TEST(test_split_is_stratified),
    DATA_TEST(test_split_depends_on_the_seed_alone),
    DATA_TEST(test_rare_classes_stay),
    DATA_TEST(test_refuses_options),
    DATA_TEST(test_fitted_on_training_alone),
    DATA_TEST(test_offset),
    DATA_TEST(test_groups),
    DATA_TEST(test_order_is_a_permutation),
    DATA_TEST(test_gather),
    DATA_TEST(test_from_arrays),
};
int main(void) {
    return test_main(tests);
}
