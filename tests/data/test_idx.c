/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IDX files: types, shapes, gzip; every truncation and every lie refused; MNIST itself.
 */
#include "data/data_support.h"

static enum fanin_status load(fanin_data **d, struct fixture *f, const char *train,
                              const char *labels) {
    struct fanin_data_options o = {
        .size = sizeof o, .train = train, .train_labels = labels, .normalize = "none", .seed = 1};
    return fanin_data_load(d, f->ctx, &o);
}

/* Three images of 2×2 bytes. */
static size_t small_images(uint8_t *to) {
    size_t n = idx_header(to, 0x08, 3, (uint32_t[]){3, 2, 2});
    for (int i = 0; i < 12; i++) to[n++] = (uint8_t)(i * 20);
    return n;
}

static size_t small_labels(uint8_t *to) {
    size_t n = idx_header(to, 0x08, 1, (uint32_t[]){3});
    to[n++] = 2;
    to[n++] = 0;
    to[n++] = 1;
    return n;
}

static void test_reads_bytes(void **state) {
    struct fixture *f = *state;
    uint8_t bytes[64], packed[256];
    fanin_data *d;
    size_t n = small_images(bytes);
    put(f, "x.idx", bytes, n);
    n = small_labels(bytes);
    put_other(f, "y.idx", bytes, n);
    assert_ok(f->ctx, load(&d, f, f->path, f->other));
    assert_int_equal(fanin_data_rows(d, FANIN_TRAIN), 3);
    assert_int_equal(fanin_data_shape(d)->rank, 2);
    assert_int_equal(fanin_data_shape(d)->dims[1], 2);
    assert_int_equal(fanin_data_outputs(d), 3);
    assert_int_equal(fanin_data_task(d), FANIN_CLASSIFICATION);
    assert_string_equal(fanin_data_output_name(d, 2), "2");
    assert_null(fanin_data_output_name(d, 3));
    fi_real x[4];
    int32_t label;
    gather_one(d, FANIN_TRAIN, 2, x, &label, NULL);
    assert_int_equal(label, 1);
    for (int i = 0; i < 4; i++) assert_true(x[i] == (fi_real)((8 + i) * 20));
    fanin_data_free(d);

    n = small_images(bytes);
    n = gzip_bytes(packed, sizeof packed, bytes, n);
    put(f, "x-ubyte.gz", packed, n);
    assert_ok(f->ctx, load(&d, f, f->path, NULL));
    assert_int_equal(fanin_data_task(d), FANIN_UNLABELED);
    assert_int_equal(fanin_data_outputs(d), 0);
    assert_int_equal(d->tables[0].u8[11], 220);
    fanin_data_free(d);
}

static void test_several_members_and_padding(void **state) {
    struct fixture *f = *state;
    uint8_t bytes[64], packed[512] = {0};
    fanin_data *d;
    size_t n = small_images(bytes), k = gzip_bytes(packed, 200, bytes, 9);
    k += gzip_bytes(packed + k, 200, bytes + 9, n - 9);
    put(f, "x.idx.gz", packed, k + 17); /* zeros behind */
    assert_ok(f->ctx, load(&d, f, f->path, NULL));
    fanin_data_free(d);
    packed[k + 3] = 'x';
    put(f, "x.idx.gz", packed, k + 17);
    assert_refused(f->ctx, FANIN_ERR_DATA, "other bytes follow", load(&d, f, f->path, NULL));
}

static void test_other_types(void **state) {
    struct fixture *f = *state;
    static const struct {
        int code;
        size_t size;
        uint8_t number[8];
        float value;
    } cases[] = {{0x09, 1, {0xff}, -1},
                 {0x0b, 2, {0xff, 0xfe}, -2},
                 {0x0c, 4, {0x00, 0x01, 0x00, 0x00}, 65536},
                 {0x0d, 4, {0x3f, 0xc0, 0x00, 0x00}, 1.5f},
                 {0x0e, 8, {0xc0, 0x04, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00}, -2.5f}};
    for (int i = 0; i < FI_COUNT(cases); i++) {
        uint8_t bytes[64];
        fanin_data *d;
        size_t n = idx_header(bytes, cases[i].code, 2, (uint32_t[]){1, 1});
        memcpy(bytes + n, cases[i].number, cases[i].size);
        put(f, "x.idx", bytes, n + cases[i].size);
        assert_ok(f->ctx, load(&d, f, f->path, NULL));
        assert_true(d->tables[0].f32[0] == cases[i].value);
        fanin_data_free(d);
    }
}

static void test_float_labels_are_targets(void **state) {
    struct fixture *f = *state;
    uint8_t bytes[64];
    fanin_data *d;
    size_t n = small_images(bytes);
    put(f, "x.idx", bytes, n);
    n = idx_header(bytes, 0x0d, 2, (uint32_t[]){3, 2});
    for (int i = 0; i < 6; i++) memcpy(bytes + n + 4 * i, (uint8_t[]){0x3f, 0x80, 0, 0}, 4);
    put_other(f, "y.idx", bytes, n + 24);
    assert_ok(f->ctx, load(&d, f, f->path, f->other));
    assert_int_equal(fanin_data_task(d), FANIN_REGRESSION);
    assert_int_equal(fanin_data_outputs(d), 2);
    assert_string_equal(fanin_data_output_name(d, 1), "value2");
    fanin_data_free(d);
}

static void test_refuses_every_truncation(void **state) {
    struct fixture *f = *state;
    uint8_t bytes[64], packed[256];
    fanin_data *d;
    size_t n = small_images(bytes);
    for (size_t k = 0; k < n; k++) {
        put(f, "x.idx", bytes, k);
        assert_refused(f->ctx, FANIN_ERR_DATA, "x.idx", load(&d, f, f->path, NULL));
        assert_null(d);
    }
    n = gzip_bytes(packed, sizeof packed, bytes, n);
    for (size_t k = 0; k < n; k++) {
        put(f, "x.idx.gz", packed, k);
        assert_refused(f->ctx, FANIN_ERR_DATA, "x.idx.gz", load(&d, f, f->path, NULL));
    }
}

/* No byte of the deflated data or of the checksum may be changed unseen. */
static void test_refuses_every_changed_byte_of_gzip(void **state) {
    struct fixture *f = *state;
    uint8_t bytes[64], packed[256];
    fanin_data *d;
    size_t n = gzip_bytes(packed, sizeof packed, bytes, small_images(bytes));
    for (size_t k = 10; k < n; k++) { /* behind the header, whose time and flags say nothing */
        packed[k] ^= 0x10;
        put(f, "x.idx.gz", packed, n);
        assert_refused(f->ctx, FANIN_ERR_DATA, "x.idx.gz", load(&d, f, f->path, NULL));
        packed[k] ^= 0x10;
    }
}

static void test_refuses_lies(void **state) {
    struct fixture *f = *state;
    static const struct {
        int type, rank;
        uint32_t dims[9];
        const char *says;
    } cases[] = {
        {0x08, 3, {0xffffffff, 0xffffffff, 0xffffffff}, "declares more data"},
        {0x0e, 8, {1u << 31, 1u << 31, 1, 1, 1, 1, 1, 1}, "declares more data"},
        {0x08, 3, {4, 2, 2}, "declares more data"},
        {0x08, 3, {2, 2, 2}, "holds more than its header"},
        {0x08, 3, {0, 2, 2}, "is empty"},
        {0x08, 3, {1u << 31, 0, 1u << 31}, "is empty"},
        {0x08, 0, {0}, "0 dimensions"},
        {0x08, 9, {1, 1, 1, 1, 1, 1, 1, 1, 1}, "9 dimensions"},
        {0x08, 255, {1}, "255 dimensions"},
        {0x0a, 1, {12}, "not an IDX file"},
    };
    for (int i = 0; i < FI_COUNT(cases); i++) {
        uint8_t bytes[128] = {0};
        fanin_data *d;
        size_t n = idx_header(bytes, cases[i].type, FI_MIN(cases[i].rank, 9), cases[i].dims);
        bytes[3] = (uint8_t)cases[i].rank;
        put(f, "x.idx", bytes, n + 12);
        assert_refused(f->ctx, FANIN_ERR_DATA, cases[i].says, load(&d, f, f->path, NULL));
    }
}

/* 40 MB of zeros in 40 kB behind a header that declares 4 bytes: given up one byte behind them. */
static void test_stops_at_the_declared_size(void **state) {
    struct fixture *f = *state;
    const size_t size = (size_t)40 << 20;
    uint8_t *bomb = calloc(1, size), *packed = malloc(1 << 17);
    fanin_data *d;
    assert_non_null(bomb);
    assert_non_null(packed);
    idx_header(bomb, 0x08, 2, (uint32_t[]){2, 2});
    put(f, "x.idx.gz", packed, gzip_bytes(packed, 1 << 17, bomb, size));
    assert_refused(f->ctx, FANIN_ERR_DATA, "more than its header declares (16 bytes)",
                   load(&d, f, f->path, NULL));
    free(bomb);
    free(packed);
}

static void test_refuses_bad_labels(void **state) {
    struct fixture *f = *state;
    uint8_t bytes[64], images[64];
    fanin_data *d;
    put(f, "x.idx", images, small_images(images));
    size_t n = idx_header(bytes, 0x08, 1, (uint32_t[]){2});
    put_other(f, "y.idx", bytes, n + 2);
    assert_refused(f->ctx, FANIN_ERR_DATA, "has 3 samples but", load(&d, f, f->path, f->other));
    put_other(f, "y.idx", images, small_images(images));
    assert_refused(f->ctx, FANIN_ERR_DATA, "is it the images?", load(&d, f, f->path, f->other));
    n = idx_header(bytes, 0x09, 1, (uint32_t[]){3});
    memcpy(bytes + n, (uint8_t[]){0, 0xff, 1}, 3);
    put_other(f, "y.idx", bytes, n + 3);
    assert_refused(f->ctx, FANIN_ERR_DATA, "label -1 of sample 1", load(&d, f, f->path, f->other));
}

/* A test file may not have a class that training does not know, nor another shape. */
static void test_parts_must_fit(void **state) {
    struct fixture *f = *state;
    uint8_t bytes[64];
    char test[300], test_labels[300];
    fanin_data *d;
    put(f, "x.idx", bytes, small_images(bytes));
    put_other(f, "y.idx", bytes, small_labels(bytes));
    snprintf(test, sizeof test, "%s/t.idx", f->dir);
    snprintf(test_labels, sizeof test_labels, "%s/tl.idx", f->dir);
    struct fanin_data_options o = {.size = sizeof o,
                                   .train = "x.idx",
                                   .train_labels = "y.idx",
                                   .test = "t.idx",
                                   .test_labels = "tl.idx",
                                   .dir = f->dir};
    size_t n = idx_header(bytes, 0x08, 3, (uint32_t[]){1, 2, 2});
    write_file(test, bytes, n + 4);
    n = idx_header(bytes, 0x08, 1, (uint32_t[]){1});
    bytes[n] = 3;
    write_file(test_labels, bytes, n + 1);
    assert_refused(f->ctx, FANIN_ERR_DATA, "label 3 of sample 0", fanin_data_load(&d, f->ctx, &o));
    bytes[n] = 1;
    write_file(test_labels, bytes, n + 1);
    assert_ok(f->ctx, fanin_data_load(&d, f->ctx, &o));
    assert_int_equal(fanin_data_rows(d, FANIN_TEST), 1);
    fanin_data_free(d);
    o.test_labels = NULL;
    assert_refused(f->ctx, FANIN_ERR_SHAPE, "has no labels", fanin_data_load(&d, f->ctx, &o));
    o.test_labels = "tl.idx";
    n = idx_header(bytes, 0x08, 3, (uint32_t[]){1, 4, 1});
    write_file(test, bytes, n + 4);
    assert_refused(f->ctx, FANIN_ERR_SHAPE, "another shape", fanin_data_load(&d, f->ctx, &o));
    n = idx_header(bytes, 0x08, 3, (uint32_t[]){1, 2, 3});
    write_file(test, bytes, n + 6);
    assert_refused(f->ctx, FANIN_ERR_SHAPE, "samples of 6 numbers, but 4",
                   fanin_data_load(&d, f->ctx, &o));
    o.test = NULL;
    assert_refused(f->ctx, FANIN_ERR_RECIPE, "data.test_labels needs data.test",
                   fanin_data_load(&d, f->ctx, &o));
}

static void test_refuses_what_is_no_file(void **state) {
    struct fixture *f = *state;
    fanin_data *d;
    snprintf(f->path, sizeof f->path, "%s/none.idx", f->dir);
    assert_refused(f->ctx, FANIN_ERR_IO, "cannot open", load(&d, f, f->path, NULL));
    assert_int_equal(mkfifo(f->path, 0600), 0); /* would block for ever */
    assert_refused(f->ctx, FANIN_ERR_IO, "not a regular file", load(&d, f, f->path, NULL));
    assert_int_equal(remove(f->path), 0);
    assert_int_equal(mkdir(f->path, 0700), 0);
    assert_refused(f->ctx, FANIN_ERR_IO, "is a directory", load(&d, f, f->path, NULL));
}

static void test_mnist(void **state) {
    struct fixture *f = *state;
    static const int64_t train[] = {5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949};
    char dir[4096];
    fanin_data *d;
    if (!data_path(dir, sizeof dir, "mnist")) skip_test("no MNIST (FANIN_DATA_DIR)");
    struct fanin_data_options o = {.size = sizeof o,
                                   .dir = dir,
                                   .train = "train-images-idx3-ubyte.gz",
                                   .train_labels = "train-labels-idx1-ubyte.gz",
                                   .test = "t10k-images-idx3-ubyte.gz",
                                   .test_labels = "t10k-labels-idx1-ubyte.gz"};
    assert_ok(f->ctx, fanin_data_load(&d, f->ctx, &o));
    assert_int_equal(fanin_data_rows(d, FANIN_TRAIN), 60000);
    assert_int_equal(fanin_data_rows(d, FANIN_TEST), 10000);
    assert_int_equal(fanin_data_shape(d)->cols, 784);
    assert_int_equal(fanin_data_shape(d)->rank, 2);
    assert_int_equal(fanin_data_outputs(d), 10);
    int64_t count[10] = {0};
    for (int64_t i = 0; i < 60000; i++) count[d->tables[0].labels[i]]++;
    for (int c = 0; c < 10; c++) assert_int_equal(count[c], train[c]);
    /* mean 0.1307, standard deviation 0.3081 of 255 */
    assert_true(fabs((double)d->shift[0] - 33.318421) < 1e-5);
    assert_true(fabs(1 / (double)d->scale[0] - 78.567490) < 1e-4);
    assert_true(d->shift[783] == d->shift[0]);
    fanin_data_free(d);
}

static struct CMUnitTest tests[] = {
    DATA_TEST(test_reads_bytes),
    DATA_TEST(test_several_members_and_padding),
    DATA_TEST(test_other_types),
    DATA_TEST(test_float_labels_are_targets),
    DATA_TEST(test_refuses_every_truncation),
    DATA_TEST(test_refuses_every_changed_byte_of_gzip),
    DATA_TEST(test_refuses_lies),
    DATA_TEST(test_stops_at_the_declared_size),
    DATA_TEST(test_refuses_bad_labels),
    DATA_TEST(test_parts_must_fit),
    DATA_TEST(test_refuses_what_is_no_file),
    DATA_TEST(test_mnist),
};
int main(void) {
    return test_main(tests);
}
