/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NPY files: versions, byte orders, types, column-major order, labels; every truncation and every
 * lie refused.
 */
#include "data/npy_support.h"

static enum fanin_status load_as(fanin_data **d, struct fixture *f, const char *task,
                                 const char *train, const char *labels) {
    const struct fanin_attr attr = {.name = "task", .text = task};
    struct fanin_data_options o = {
        .size = sizeof o,
        .reader = {.name = "npy", .attrs = &attr, .n_attrs = task != NULL},
        .train = train,
        .train_labels = labels,
        .normalize = "none",
        .seed = 1};
    return fanin_data_load(d, f->ctx, &o);
}

static enum fanin_status load(fanin_data **d, struct fixture *f) {
    return load_as(d, f, NULL, f->path, NULL);
}

#define PUT(f, dictionary, ...)                                                                    \
    put_array(f, 1, dictionary, (const uint8_t[]){__VA_ARGS__},                                    \
              sizeof((const uint8_t[]){__VA_ARGS__}))
static void put_array(struct fixture *f, int major, const char *dictionary, const void *numbers,
                      size_t bytes) {
    uint8_t all[1024];
    put(f, "x.npy", all, npy_bytes(all, major, dictionary, numbers, bytes));
}

#define PUT_LABELS(f, dictionary, ...)                                                             \
    put_labels(f, dictionary, (const uint8_t[]){__VA_ARGS__},                                      \
               sizeof((const uint8_t[]){__VA_ARGS__}))
static void put_labels(struct fixture *f, const char *dictionary, const void *numbers,
                       size_t bytes) {
    uint8_t all[1024];
    put_other(f, "y.npy", all, npy_bytes(all, 1, dictionary, numbers, bytes));
}

static void test_bytes_stay_bytes(void **state) {
    struct fixture *f = *state;
    fanin_data *d;
    PUT(f, "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 2, 2), }", 1, 2, 3, 4, 5, 6, 7,
        255);
    assert_ok(f->ctx, load(&d, f));
    const struct fi_table *t = &d->tables[0];
    assert_int_equal(t->n, 2);
    assert_int_equal(t->shape.rank, 2);
    assert_int_equal(t->shape.dims[1], 2);
    assert_int_equal(t->u8[7], 255);
    assert_null(t->f32);
    assert_string_equal(fanin_data_describe(d),
                        "x.npy: 2 samples of 2x2 uint8, no labels; 2 train");
    fanin_data_free(d);
    /* chosen by its suffix; gzip */
    uint8_t raw[256], packed[256];
    size_t n =
        npy_bytes(raw, 1, "{'descr': '|u1', 'fortran_order': False, 'shape': (3,), }", "abc", 3);
    put(f, "x.npy.gz", packed, gzip_bytes(packed, sizeof packed, raw, n));
    struct fanin_data_options o = {.size = sizeof o, .train = f->path, .normalize = "none"};
    assert_ok(f->ctx, fanin_data_load(&d, f->ctx, &o));
    assert_int_equal(fanin_data_shape(d)->rank, 1);
    assert_int_equal(fanin_data_shape(d)->cols, 1);
    assert_int_equal(d->tables[0].u8[2], 'c');
    fanin_data_free(d);
}

static void test_types(void **state) {
    struct fixture *f = *state;
    static const struct {
        const char *descr;
        size_t size;
        uint8_t number[8];
        float value;
    } cases[] = {
        {"|i1", 1, {0xff}, -1},
        {"<i2", 2, {0xfe, 0xff}, -2},
        {">i2", 2, {0xff, 0xfe}, -2},
        {"<i4", 4, {0x00, 0x00, 0x01, 0x00}, 65536},
        {">i4", 4, {0x00, 0x01, 0x00, 0x00}, 65536},
        {"<i8", 8, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, -1},
        {">i8", 8, {0, 0, 0, 0, 0, 0, 1, 0}, 256},
        {"<u2", 2, {0xff, 0xff}, 65535},
        {"=u4", 4, {0, 0, 0, 0x80}, 2147483648.0f},
        {"<u8", 8, {0, 0, 0, 0, 0, 0, 0, 0x80}, 9223372036854775808.0f},
        {"<f2", 2, {0x00, 0xbe}, -1.5f},
        {">f2", 2, {0x00, 0x01}, 0x1p-24f}, /* the smallest subnormal */
        {"<f2", 2, {0xff, 0x7b}, 65504},
        {"<f4", 4, {0x00, 0x00, 0xc0, 0x3f}, 1.5f},
        {">f4", 4, {0x3f, 0xc0, 0x00, 0x00}, 1.5f},
        {"<f8", 8, {0, 0, 0, 0, 0, 0, 0x04, 0xc0}, -2.5f},
        {">f8", 8, {0xc0, 0x04, 0, 0, 0, 0, 0, 0}, -2.5f},
    };
    for (int i = 0; i < FI_COUNT(cases); i++)
        for (int major = 1; major <= 3; major++) {
            char dictionary[100];
            fanin_data *d;
            snprintf(dictionary, sizeof dictionary,
                     "{'descr': '%s', 'fortran_order': False, 'shape': (1, 1), }", cases[i].descr);
            put_array(f, major, dictionary, cases[i].number, cases[i].size);
            assert_ok(f->ctx, load(&d, f));
            if (d->tables[0].f32[0] != cases[i].value)
                fail_msg("%s: %g", cases[i].descr, (double)d->tables[0].f32[0]);
            fanin_data_free(d);
        }
    fanin_data *d;
    PUT(f, "{'descr': '|b1', 'fortran_order': False, 'shape': (2, 2), }", 0, 1, 1, 0);
    assert_ok(f->ctx, load(&d, f));
    assert_int_equal(d->tables[0].u8[2], 1);
    fanin_data_free(d);
    PUT(f, "{'descr': '|b1', 'fortran_order': False, 'shape': (2, 2), }", 0, 1, 2, 0);
    assert_refused(f->ctx, FANIN_ERR_DATA,
                   "number 2 (counted from 0) is 2, which is no truth value", load(&d, f));
}

/* Column-major numbers arrive in the order of C, for each rank and type. */
static void test_fortran_order(void **state) {
    struct fixture *f = *state;
    fanin_data *d;
    PUT(f, "{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3), }", 1, 4, 2, 5, 3, 6);
    assert_ok(f->ctx, load(&d, f));
    for (int i = 0; i < 6; i++) assert_int_equal(d->tables[0].u8[i], i + 1);
    fanin_data_free(d);
    int16_t numbers[2 * 3 * 4];
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 3; j++)
            for (int k = 0; k < 4; k++)
                numbers[i + 2 * (j + 3 * k)] = (int16_t)(12 * i + 4 * j + k);
    put_array(f, 1, "{'descr': '<i2', 'fortran_order': True, 'shape': (2, 3, 4), }", numbers,
              sizeof numbers);
    assert_ok(f->ctx, load(&d, f));
    assert_int_equal(fanin_data_shape(d)->dims[0], 3);
    for (int i = 0; i < 24; i++) assert_true(d->tables[0].f32[i] == (float)i);
    fanin_data_free(d);
}

static const char two[] = "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 2), }";

static void test_labels(void **state) {
    struct fixture *f = *state;
    fanin_data *d;
    PUT(f, two, 1, 2, 3, 4);
    PUT_LABELS(f, "{'descr': '<i8', 'fortran_order': False, 'shape': (2, 1), }", 2, 0, 0, 0, 0, 0,
               0, 0, 1, 0, 0, 0, 0, 0, 0, 0);
    assert_ok(f->ctx, load_as(&d, f, NULL, f->path, f->other));
    assert_int_equal(fanin_data_task(d), FANIN_CLASSIFICATION);
    assert_int_equal(fanin_data_outputs(d), 3);
    assert_int_equal(d->tables[0].labels[0], 2);
    fanin_data_free(d);
    assert_ok(f->ctx, load_as(&d, f, "regression", f->path, f->other));
    assert_int_equal(fanin_data_task(d), FANIN_REGRESSION);
    assert_true(d->tables[0].targets[0] == 2 && d->tables[0].targets[1] == 1);
    fanin_data_free(d);
    PUT_LABELS(f, two, 9, 1, 2, 3);
    assert_refused(f->ctx, FANIN_ERR_DATA, "is no labels file: it has 2 whole numbers per sample",
                   load_as(&d, f, NULL, f->path, f->other));
    assert_ok(f->ctx, load_as(&d, f, "regression", f->path, f->other));
    assert_true(fanin_data_outputs(d) == 2 && d->tables[0].targets[0] == 9);
    fanin_data_free(d);
    /* truth values: one is a class, several are targets */
    PUT_LABELS(f, "{'descr': '|b1', 'fortran_order': False, 'shape': (2,), }", 0, 1);
    assert_ok(f->ctx, load_as(&d, f, NULL, f->path, f->other));
    assert_int_equal(fanin_data_outputs(d), 2);
    fanin_data_free(d);
    PUT_LABELS(f, "{'descr': '|b1', 'fortran_order': False, 'shape': (2, 3), }", 0, 1, 0, 1, 1, 1);
    assert_ok(f->ctx, load_as(&d, f, NULL, f->path, f->other));
    assert_int_equal(fanin_data_task(d), FANIN_REGRESSION);
    assert_int_equal(fanin_data_outputs(d), 3);
    fanin_data_free(d);
    PUT_LABELS(f, "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", 0, 0, 0, 0x3f, 0, 0,
               0x80, 0x3f);
    assert_ok(f->ctx, load_as(&d, f, NULL, f->path, f->other));
    assert_int_equal(fanin_data_task(d), FANIN_REGRESSION);
    fanin_data_free(d);
    assert_refused(f->ctx, FANIN_ERR_DATA, "label 0.5 of sample 0 (counted from 0) is no whole",
                   load_as(&d, f, "classification", f->path, f->other));
    PUT_LABELS(f, "{'descr': '|i1', 'fortran_order': False, 'shape': (2,), }", 0, 0xff);
    assert_refused(f->ctx, FANIN_ERR_DATA, "label -1 of sample 1",
                   load_as(&d, f, NULL, f->path, f->other));
    PUT_LABELS(f, "{'descr': '|i1', 'fortran_order': False, 'shape': (3,), }", 0, 1, 2);
    assert_refused(f->ctx, FANIN_ERR_DATA, "has 2 samples but",
                   load_as(&d, f, NULL, f->path, f->other));
}

static void test_like_a_model(void **state) {
    struct fixture *f = *state;
    fanin_data *m, *d;
    PUT(f, two, 1, 2, 3, 4);
    PUT_LABELS(f, "{'descr': '|u1', 'fortran_order': False, 'shape': (2,), }", 0, 1);
    struct fanin_data_options o = {.size = sizeof o, .train = f->path, .train_labels = f->other};
    assert_ok(f->ctx, fanin_data_load(&m, f->ctx, &o));
    const struct fi_table *t = &m->tables[0];
    /* other numbers, the same meaning; a label may be missing altogether */
    PUT(f, "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }", 0, 0, 0x40, 0x40, 0, 0,
        0x80, 0x40);
    assert_ok(f->ctx, fi_data_load_like(&d, f->ctx, m->reader, m->schema, f->path, NULL, &t->shape,
                                        m->shift, m->scale, t->output_names, 2, t->task));
    fi_real x[2], y[2];
    gather_one(m, FANIN_TRAIN, 1, x, NULL, NULL);
    gather_one(d, FANIN_TEST, 0, y, NULL, NULL);
    assert_memory_equal(x, y, sizeof x);
    assert_int_equal(fanin_data_task(d), FANIN_UNLABELED);
    fanin_data_free(d);
    PUT(f, "{'descr': '|u1', 'fortran_order': False, 'shape': (1, 3), }", 1, 2, 3);
    assert_refused(f->ctx, FANIN_ERR_SHAPE, "has samples of 3 numbers, but 2 are expected",
                   fi_data_load_like(&d, f->ctx, m->reader, m->schema, f->path, NULL, &t->shape,
                                     m->shift, m->scale, t->output_names, 2, t->task));
    fanin_data_free(m);
}

static void test_headers(void **state) {
    struct fixture *f = *state;
    /* what other writers write */
    static const char *const good[] = {
        "{\"descr\": \"|u1\", \"fortran_order\": False, \"shape\": (1, 2)}",
        "{'shape': (1L, 2L), 'fortran_order': False, 'descr': '|u1'}",
        "{ 'descr' : '<u1' , 'fortran_order' : True , 'shape' : ( 1 , 2 , ) , } ",
    };
    static const struct {
        const char *dictionary, *message;
    } bad[] = {
        {"{'descr': '|O', 'fortran_order': False, 'shape': (2,), }",
         "holds Python objects (a pickle, which could run anything)"},
        {"{'descr': '<U7', 'fortran_order': False, 'shape': (2,), }", "holds texts"},
        {"{'descr': '|S2', 'fortran_order': False, 'shape': (2,), }", "holds texts"},
        {"{'descr': '|V2', 'fortran_order': False, 'shape': (2,), }", "holds raw bytes"},
        {"{'descr': '<c8', 'fortran_order': False, 'shape': (2,), }", "holds complex numbers"},
        {"{'descr': '<M8[ns]', 'fortran_order': False, 'shape': (2,), }", "holds dates"},
        {"{'descr': '<f16', 'fortran_order': False, 'shape': (2,), }",
         "of a size that is not read"},
        {"{'descr': '<z9', 'fortran_order': False, 'shape': (2,), }", "the unknown type '<z9'"},
        {"{'descr': '', 'fortran_order': False, 'shape': (2,), }", "the unknown type ''"},
        {"{'descr': '|u2', 'fortran_order': False, 'shape': (1,), }", "the unknown type '|u2'"},
        {"{'descr': [('a', '<f4'), ('b', '<i4')], 'fortran_order': False, 'shape': (2,), }",
         "holds records with fields"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (), }", "is a single number"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (0, 5), }", "dimension 1 of 2 is 0"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3), }",
         "declares more data than it can hold"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (1,), }",
         "holds more than its header declares"},
        {"{'descr': '<f8', 'fortran_order': False, 'shape': (1152921504606846976, 4), }",
         "declares more data than it can hold"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (4294967296, 4294967296, 4294967296),}",
         "declares more data than it can hold"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (99999999999999999999,), }",
         "a dimension that can be expected"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (-1,), }", "a dimension expected"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1,2), }",
         "more than 9 dimensions"},
        {"{'descr': '|u1', 'fortran_order': 0, 'shape': (2,), }", "True or False expected at '0,"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': [2], }", "'(' expected"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (2 3), }", "',' or ')' expected"},
        {"{'descr': '|u1', 'fortran_order': False}", "descr, fortran_order and shape"},
        {"{'descr': '|u1', 'descr': '|u1', 'shape': (2,)}", "another key expected"},
        {"{'descr': '|u1', 'order': False, 'shape': (2,)}", "descr, fortran_order or shape"},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (2,), } x", "the end of the header"},
        {"{'descr': '|u1' 'fortran_order': False, 'shape': (2,)}", "',' or '}' expected"},
        {"{'descr: |u1, fortran_order: False, shape: (2,)}", "a short text expected"},
        {"('descr', '|u1')", "'{' expected"},
        {"", "'{' expected"},
    };
    fanin_data *d;
    for (int i = 0; i < FI_COUNT(good); i++) {
        PUT(f, good[i], 7, 8);
        assert_ok(f->ctx, load(&d, f));
        assert_int_equal(fanin_data_shape(d)->cols, 2);
        fanin_data_free(d);
    }
    for (int i = 0; i < FI_COUNT(bad); i++) {
        PUT(f, bad[i].dictionary, 7, 8);
        assert_refused(f->ctx, FANIN_ERR_DATA, bad[i].message, load(&d, f));
    }
    PUT(f, "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }", 0, 0, 0xc0, 0x7f);
    assert_refused(f->ctx, FANIN_ERR_DATA, "number 0 (counted from 0) is nan", load(&d, f));
    PUT(f, "{'descr': '<f8', 'fortran_order': False, 'shape': (1,), }", 0, 0, 0, 0, 0, 0, 0, 0x7e);
    assert_refused(f->ctx, FANIN_ERR_DATA, "which is not a finite float", load(&d, f));
}

static void test_preambles(void **state) {
    struct fixture *f = *state;
    uint8_t bytes[512];
    fanin_data *d;
    const size_t n = npy_bytes(bytes, 2, two, "1234", 4);
    bytes[6] = 4;
    put(f, "x.npy", bytes, n);
    assert_refused(f->ctx, FANIN_ERR_DATA, "is NPY of version 4.0", load(&d, f));
    bytes[6] = 2;
    bytes[11] = 0xff; /* a header of 4 GB */
    put(f, "x.npy", bytes, n);
    assert_refused(f->ctx, FANIN_ERR_DATA, "more than it can hold", load(&d, f));
    bytes[11] = 0;
    bytes[40] = 0;
    put(f, "x.npy", bytes, n);
    assert_refused(f->ctx, FANIN_ERR_DATA, "text without zero bytes", load(&d, f));
    put(f, "x.npy", "PK\3\4 and so on", 14);
    assert_refused(f->ctx, FANIN_ERR_DATA, "is not an NPY file: it begins with 50 4b 03 04",
                   load(&d, f));
    assert_refused(f->ctx, FANIN_ERR_IO, "not standard input", load_as(&d, f, NULL, "-", NULL));
    assert_refused(f->ctx, FANIN_ERR_IO, "is a directory", load_as(&d, f, NULL, f->dir, NULL));
}

static void test_refuses_every_truncation(void **state) {
    struct fixture *f = *state;
    for (int major = 1; major <= 3; major++) {
        uint8_t bytes[256], packed[300];
        fanin_data *d;
        const size_t n = npy_bytes(bytes, major, two, "1234", 4);
        for (size_t cut = 0; cut < n; cut++) {
            put(f, "x.npy", bytes, cut);
            assert_refused(f->ctx, FANIN_ERR_DATA, "x.npy", load(&d, f));
        }
        const size_t k = gzip_bytes(packed, sizeof packed, bytes, n);
        for (size_t cut = 0; cut < k; cut++) {
            put(f, "x.npy", packed, cut);
            assert_refused(f->ctx, FANIN_ERR_DATA, "x.npy", load(&d, f));
        }
    }
}

static struct CMUnitTest tests[] = {
    DATA_TEST(test_bytes_stay_bytes), DATA_TEST(test_types),
    DATA_TEST(test_fortran_order),    DATA_TEST(test_labels),
    DATA_TEST(test_like_a_model),     DATA_TEST(test_headers),
    DATA_TEST(test_preambles),        DATA_TEST(test_refuses_every_truncation),
};
int main(void) {
    return test_main(tests);
}
