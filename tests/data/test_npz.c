/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NPZ files: which arrays are what, parts in one file, later files; truncations, flipped bits,
 * lies.
 */
#include "data/npy_support.h"

struct archive {
    uint8_t arrays[8][256], bytes[4096];
    struct zip_member members[8];
    int n;
};

static struct archive *archive(void) {
    static struct archive a;
    a.n = 0;
    return &a;
}

/* Adds an array of bytes, n × cols (cols 0: a list), counted on from `first`. */
static void add(struct archive *a, const char *name, int n, int cols, int first) {
    char dictionary[100];
    uint8_t numbers[64];
    for (int i = 0; i < n * FI_MAX(cols, 1); i++) numbers[i] = (uint8_t)(first + i);
    if (cols)
        snprintf(dictionary, sizeof dictionary,
                 "{'descr': '|u1', 'fortran_order': False, 'shape': (%d, %d), }", n, cols);
    else
        snprintf(dictionary, sizeof dictionary,
                 "{'descr': '|u1', 'fortran_order': False, 'shape': (%d,), }", n);
    const size_t size =
        npy_bytes(a->arrays[a->n], 1, dictionary, numbers, (size_t)(n * FI_MAX(cols, 1)));
    a->members[a->n] = (struct zip_member){name, a->arrays[a->n], size};
    a->n++;
}

static void save(struct fixture *f, struct archive *a) {
    put(f, "a.npz", a->bytes, zip_bytes(a->bytes, a->members, a->n));
}

static enum fanin_status load_with(fanin_data **d, struct fixture *f,
                                   const struct fanin_attr *attrs, int64_t n,
                                   double test_fraction) {
    struct fanin_data_options o = {.size = sizeof o,
                                   .reader = {.name = "npz", .attrs = attrs, .n_attrs = n},
                                   .train = f->path,
                                   .test_fraction = test_fraction,
                                   .normalize = "none"};
    return fanin_data_load(d, f->ctx, &o);
}
static enum fanin_status load(fanin_data **d, struct fixture *f) {
    return load_with(d, f, NULL, 0, 0);
}

static enum fanin_status like(fanin_data **d, struct fixture *f, const fanin_data *m) {
    const struct fi_table *t = &m->tables[0];
    return fi_data_load_like(d, f->ctx, m->reader, m->schema, f->path, NULL, &t->shape, m->shift,
                             m->scale, t->output_names, t->n_outputs, t->task);
}

/* As Keras keeps MNIST. */
static void test_parts_in_one_file(void **state) {
    struct fixture *f = *state;
    struct archive *a = archive();
    fanin_data *d, *again;
    add(a, "x_test.npy", 2, 3, 100);
    add(a, "x_train.npy", 4, 3, 0);
    add(a, "y_train.npy", 4, 0, 0);
    add(a, "y_test.npy", 2, 0, 1);
    add(a, "x_val.npy", 1, 3, 50);
    add(a, "y_val.npy", 1, 0, 3);
    save(f, a);
    struct fanin_data_options o = {.size = sizeof o, .train = f->path, .normalize = "none"};
    assert_ok(f->ctx, fanin_data_load(&d, f->ctx, &o));
    assert_string_equal(d->reader, "npz");
    assert_int_equal(fanin_data_rows(d, FANIN_TRAIN), 4);
    assert_int_equal(fanin_data_rows(d, FANIN_TEST), 2);
    assert_int_equal(fanin_data_rows(d, FANIN_VALIDATION), 1);
    assert_int_equal(d->tables[FANIN_TEST].u8[0], 100);
    assert_int_equal(d->tables[FANIN_TEST].labels[1], 2);
    assert_int_equal(d->tables[FANIN_VALIDATION].u8[2], 52);
    assert_int_equal(fanin_data_outputs(d), 4);
    /* for a model, the same file gives its test part */
    assert_ok(f->ctx, like(&again, f, d));
    assert_int_equal(fanin_data_rows(again, FANIN_TEST), 2);
    assert_int_equal(fanin_data_task(again), FANIN_CLASSIFICATION);
    fanin_data_free(again);
    fanin_data_free(d);
    /* who asks for a split gets one */
    assert_ok(f->ctx, load_with(&d, f, NULL, 0, 0.25));
    assert_true(d->parts[FANIN_TEST].table == &d->tables[FANIN_TRAIN]);
    fanin_data_free(d);
}

static void test_names(void **state) {
    struct fixture *f = *state;
    struct archive *a = archive();
    fanin_data *d;
    add(a, "y.npy", 2, 0, 0);
    add(a, "X.npy", 2, 3, 7);
    save(f, a);
    assert_ok(f->ctx, load(&d, f));
    assert_int_equal(fanin_data_task(d), FANIN_CLASSIFICATION);
    assert_int_equal(d->tables[0].u8[0], 7);
    assert_int_equal(fanin_data_rows(d, FANIN_TEST), 0);
    fanin_data_free(d);
    a = archive();
    add(a, "arr_0.npy", 2, 3, 7);
    save(f, a);
    assert_ok(f->ctx, load(&d, f));
    assert_int_equal(fanin_data_task(d), FANIN_UNLABELED);
    fanin_data_free(d);
    add(a, "arr_1.npy", 2, 0, 0);
    save(f, a);
    assert_refused(f->ctx, FANIN_ERR_DATA,
                   "which array holds the samples? Its arrays are: arr_0, arr_1 (say it: npz: {x:",
                   load(&d, f));
    const struct fanin_attr attrs[] = {{.name = "x", .text = "arr_0"},
                                       {.name = "y", .text = "arr_1"},
                                       {.name = "classes", .number = 5},
                                       {.name = "task", .text = "classification"}};
    assert_ok(f->ctx, load_with(&d, f, attrs, 4, 0));
    assert_int_equal(fanin_data_outputs(d), 5);
    /* the model remembers them; labels may be missing then */
    fanin_data *again;
    assert_ok(f->ctx, like(&again, f, d));
    assert_int_equal(fanin_data_task(again), FANIN_CLASSIFICATION);
    fanin_data_free(again);
    a = archive();
    add(a, "arr_0.npy", 1, 3, 7);
    add(a, "extra.npy", 7, 9, 0);
    save(f, a);
    assert_ok(f->ctx, like(&again, f, d));
    assert_int_equal(fanin_data_task(again), FANIN_UNLABELED);
    fanin_data_free(again);
    fanin_data_free(d);
    assert_refused(f->ctx, FANIN_ERR_DATA, "holds no array 'arr_1'; it holds: arr_0, extra",
                   load_with(&d, f, attrs, 2, 0));
    a = archive();
    add(a, "readme.txt", 1, 1, 0);
    save(f, a);
    assert_refused(f->ctx, FANIN_ERR_DATA, "Its arrays are: none", load(&d, f));
}

static void test_refusals(void **state) {
    struct fixture *f = *state;
    struct archive *a = archive();
    fanin_data *d;
    add(a, "x.npy", 2, 3, 7);
    add(a, "y.npy", 3, 0, 0);
    save(f, a);
    assert_refused(f->ctx, FANIN_ERR_DATA, "a.npz: x' has 2 samples but", load(&d, f));
    put_text(f, "a.npz", "no zip at all");
    assert_refused(f->ctx, FANIN_ERR_DATA, "is not an NPZ (zip) file", load(&d, f));
    put_text(f, "a.npz", "");
    assert_refused(f->ctx, FANIN_ERR_DATA, "is not an NPZ (zip) file", load(&d, f));
    struct fanin_data_options o = {
        .size = sizeof o, .train = f->path, .train_labels = f->path, .normalize = "none"};
    assert_refused(f->ctx, FANIN_ERR_RECIPE, "is not needed, the labels are an array",
                   fanin_data_load(&d, f->ctx, &o));
    o = (struct fanin_data_options){.size = sizeof o, .reader = {.name = "npz"}, .train = "-"};
    assert_refused(f->ctx, FANIN_ERR_IO, "not standard input", fanin_data_load(&d, f->ctx, &o));
}

static void test_refuses_every_truncation(void **state) {
    struct fixture *f = *state;
    struct archive *a = archive();
    fanin_data *d;
    add(a, "x.npy", 2, 3, 7);
    const size_t n = zip_bytes(a->bytes, a->members, a->n);
    for (size_t cut = 0; cut < n; cut++) {
        put(f, "a.npz", a->bytes, cut);
        assert_refused(f->ctx, FANIN_ERR_DATA, "a.npz", load(&d, f));
    }
}

/* A flipped bit is refused, or is in something that nobody reads (times, versions, attributes). */
static void test_flipped_bits(void **state) {
    struct fixture *f = *state;
    struct archive *a = archive();
    fanin_data *d;
    add(a, "x.npy", 2, 3, 7);
    const size_t n = zip_bytes(a->bytes, a->members, a->n);
    int refused = 0;
    for (size_t i = 0; i < n; i++)
        for (int bit = 0; bit < 8; bit++) {
            a->bytes[i] ^= (uint8_t)(1 << bit);
            put(f, "a.npz", a->bytes, n);
            a->bytes[i] ^= (uint8_t)(1 << bit);
            if (load(&d, f) != FANIN_OK) {
                assert_true(*fanin_errmsg(f->ctx) && !strchr(fanin_errmsg(f->ctx), '\n'));
                refused++;
                continue;
            }
            assert_int_equal(fanin_data_rows(d, FANIN_TRAIN), 2);
            for (int k = 0; k < 6; k++) assert_int_equal(d->tables[0].u8[k], 7 + k);
            fanin_data_free(d);
        }
    assert_true(refused > (int)(8 * n * 2 / 3));
}

/* Sizes in the directory that the file cannot hold. */
static void test_lying_sizes(void **state) {
    struct fixture *f = *state;
    struct archive *a = archive();
    fanin_data *d;
    add(a, "x.npy", 2, 3, 7);
    const size_t n = zip_bytes(a->bytes, a->members, a->n);
    uint8_t *directory = a->bytes + n - 22 - 46 - 5;
    assert_memory_equal(directory, "PK\1\2", 4);
    for (int field = 20; field <= 24; field += 4) /* packed and unpacked size */
        for (int byte = 0; byte < 4; byte++) {
            const uint8_t kept = directory[field + byte];
            directory[field + byte] = 0xfe;
            put(f, "a.npz", a->bytes, n);
            directory[field + byte] = kept;
            assert_refused(f->ctx, FANIN_ERR_DATA, "a.npz", load(&d, f));
        }
}

static struct CMUnitTest tests[] = {
    DATA_TEST(test_parts_in_one_file), DATA_TEST(test_names),
    DATA_TEST(test_refusals),          DATA_TEST(test_refuses_every_truncation),
    DATA_TEST(test_flipped_bits),      DATA_TEST(test_lying_sizes),
};
int main(void) {
    return test_main(tests);
}
