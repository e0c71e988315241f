/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first rows of a file: of the training file before parts are split off, of the test file;
 * labels are understood as in the whole file, and so are weights in a file of their own.
 */
#include "data/data_support.h"

/* Columns x, y, w: row i has x = i, the classes a, b and, in the last row alone, c. */
static void put_table(struct fixture *f, const char *name, int rows) {
    char text[4096] = "x,y\n";
    for (int i = 0; i < rows; i++)
        sprintf(text + strlen(text), "%d,%c\n", i, i == rows - 1 ? 'c' : "ab"[i % 2]);
    put_text(f, name, text);
}

static struct fanin_data_options options(const struct fixture *f) {
    return (struct fanin_data_options){.size = sizeof(struct fanin_data_options),
                                       .dir = f->dir,
                                       .train = "t.csv",
                                       .normalize = "none"};
}

static void test_first_rows(void **state) {
    struct fixture *f = *state;
    struct fanin_data_options o = options(f);
    fanin_data *d;
    put_table(f, "t.csv", 100);
    o.rows = 40;
    o.normalize = "min_max";
    assert_ok(f->ctx, fanin_data_load(&d, f->ctx, &o));
    assert_int_equal(fanin_data_rows(d, FANIN_TRAIN), 40);
    assert_int_equal(fanin_data_outputs(d), 3); /* c stands in the last row of the file */
    assert_int_equal(fanin_data_class_rows(d, FANIN_TRAIN, 2), 0);
    assert_non_null(strstr(fanin_data_describe(d), "train of the first 40"));
    for (int64_t i = 0; i < 40; i++) {
        fi_real x[1];
        int32_t label;
        gather_one(d, FANIN_TRAIN, i, x, &label, NULL);
        assert_true(fabs((double)x[0] - (double)i / 39) < 1e-6); /* fitted on these rows */
        assert_int_equal(label, i % 2);
    }
    fanin_data_free(d);
    /* parts are split off these rows */
    o.validation_fraction = 0.25;
    o.test_fraction = 0.25;
    assert_ok(f->ctx, fanin_data_load(&d, f->ctx, &o));
    assert_int_equal(fanin_data_rows(d, FANIN_TRAIN), 20);
    assert_int_equal(fanin_data_rows(d, FANIN_VALIDATION), 10);
    for (int p = 0; p < 3; p++)
        for (int64_t i = 0; i < d->parts[p].n; i++) assert_true(d->parts[p].rows[i] < 40);
    fanin_data_free(d);
    /* all of them are all there are */
    o = options(f);
    fanin_data *all;
    assert_ok(f->ctx, fanin_data_load(&all, f->ctx, &o));
    o.rows = 100;
    assert_ok(f->ctx, fanin_data_load(&d, f->ctx, &o));
    assert_true(fi_data_fingerprint(all) == fi_data_fingerprint(d));
    assert_string_equal(fanin_data_describe(all), fanin_data_describe(d));
    fanin_data_free(all);
    fanin_data_free(d);
}

static void test_test_rows(void **state) {
    struct fixture *f = *state;
    struct fanin_data_options o = options(f);
    fanin_data *d;
    put_table(f, "test.csv", 50);
    put_table(f, "t.csv", 100);
    o.test = "test.csv";
    o.test_rows = 7;
    assert_ok(f->ctx, fanin_data_load(&d, f->ctx, &o));
    assert_int_equal(fanin_data_rows(d, FANIN_TRAIN), 100);
    assert_int_equal(fanin_data_rows(d, FANIN_TEST), 7);
    assert_true(d->tables[FANIN_TEST].f32[6] == 6);
    fanin_data_free(d);
    /* of a source that draws them */
    o = (struct fanin_data_options){
        .size = sizeof o, .reader = {.name = "gaussian_blobs"}, .rows = 30, .test_rows = 20};
    assert_ok(f->ctx, fanin_data_load(&d, f->ctx, &o));
    assert_int_equal(fanin_data_rows(d, FANIN_TRAIN), 30);
    assert_int_equal(fanin_data_rows(d, FANIN_TEST), 20);
    fanin_data_free(d);
}

static void test_weights(void **state) {
    struct fixture *f = *state;
    struct fanin_data_options o = options(f);
    fanin_data *d;
    put_table(f, "t.csv", 4);
    put_other(f, "w.csv", "w\n4\n3\n2\n1\n", 10);
    put_other(f, "few.csv", "w\n4\n3\n", 6);
    o.sample_weights = "w.csv";
    o.rows = 2;
    assert_ok(f->ctx, fanin_data_load(&d, f->ctx, &o));
    assert_true(d->tables[0].weights[0] == 4 && d->tables[0].weights[1] == 3);
    fanin_data_free(d);
    o.sample_weights = "few.csv";
    assert_refused(f->ctx, FANIN_ERR_SHAPE, "has 2 numbers, but there are 4 samples",
                   fanin_data_load(&d, f->ctx, &o));
}

static void test_refused(void **state) {
    struct fixture *f = *state;
    struct fanin_data_options o = options(f);
    fanin_data *d;
    put_table(f, "test.csv", 50);
    put_table(f, "t.csv", 100);
    o.rows = 101;
    assert_refused(f->ctx, FANIN_ERR_DATA, "data.rows is 101, but '",
                   fanin_data_load(&d, f->ctx, &o));
    assert_non_null(strstr(fanin_errmsg(f->ctx), "t.csv' has 100 samples"));
    o.rows = -1;
    assert_refused(f->ctx, FANIN_ERR_DATA, "data.rows is -1", fanin_data_load(&d, f->ctx, &o));
    o = options(f);
    o.test_rows = 3;
    assert_refused(f->ctx, FANIN_ERR_RECIPE, "no test data of their own",
                   fanin_data_load(&d, f->ctx, &o));
    o.test_fraction = 0.5;
    assert_refused(f->ctx, FANIN_ERR_RECIPE, "no test data of their own",
                   fanin_data_load(&d, f->ctx, &o));
    o.test_fraction = 0;
    o.test = "test.csv";
    o.test_rows = 51;
    assert_refused(f->ctx, FANIN_ERR_DATA, "data.test_rows is 51, but '",
                   fanin_data_load(&d, f->ctx, &o));
}

static struct CMUnitTest tests[] = {DATA_TEST(test_first_rows), DATA_TEST(test_test_rows),
                                    DATA_TEST(test_weights), DATA_TEST(test_refused)};

int main(void) {
    return test_main(tests);
}
