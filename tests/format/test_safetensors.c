/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Model files: what is written is read back, the bytes are the same each time, and a file that
 * breaks any rule of the format is refused with its name and a reason. Each hostile file has a
 * sound twin that loads, so that the refusal is for the rule that it breaks.
 */
#include "support/support.h"

#include <inttypes.h>
#include <time.h>

#include "format/format.h"
#include "support/memory.h"

static char dir[256];
static char path[512];

static int make_dir(void **state) {
    (void)state;
    temp_dir(dir);
    snprintf(path, sizeof path, "%s/model.safetensors", dir);
    tests_run++;
    return 0;
}

static int remove_dir(void **state) {
    (void)state;
    temp_dir_remove(dir);
    return 0;
}

/* Writes length, header and `payload` bytes 0, 1, 2, … */
static void write_parts(uint64_t length, const char *header, size_t header_size, size_t payload) {
    size_t size = 8 + header_size + payload;
    unsigned char *bytes = malloc(size);
    assert_non_null(bytes);
    memcpy(bytes, &length, 8);
    memcpy(bytes + 8, header, header_size);
    for (size_t i = 0; i < payload; i++) bytes[8 + header_size + i] = (unsigned char)i;
    write_file(path, bytes, size);
    free(bytes);
}

static enum fanin_status load_header(fanin_ctx *ctx, const char *header, size_t payload) {
    struct fi_tensors *t;
    write_parts(strlen(header), header, strlen(header), payload);
    enum fanin_status status = fi_tensors_load(&t, ctx, path);
    assert_true((status == FANIN_OK) == (t != NULL));
    fi_tensors_free(t);
    return status;
}

/* ---- round trips ------------------------------------------------------------------------------------ */

static struct fi_tensors *sample(fanin_ctx *ctx) {
    static const float f32[6] = {1, -2.5f, 3e-40f, 4, 5, 6};
    static const double f64[2] = {0.1, -1e300};
    static const uint64_t u64[1] = {UINT64_MAX};
    static const int64_t i64[1] = {INT64_MIN};
    static const uint8_t u8[3] = {1, 2, 255};
    static const int32_t i32[2] = {-1, 7};
    struct fi_tensors *t;
    struct fi_tensor_entry *e;
    assert_ok(ctx, fi_tensors_create(&t, ctx));
    assert_ok(ctx, fi_tensors_add(t, NULL, "bytes", FI_U8, 1, (int64_t[]){3}, u8));
    assert_ok(ctx, fi_tensors_add(t, NULL, "dense1.weight", FI_F32, 2, (int64_t[]){2, 3}, f32));
    assert_ok(ctx, fi_tensors_add(t, NULL, "wide", FI_F64, 1, (int64_t[]){2}, f64));
    assert_ok(ctx, fi_tensors_add(t, NULL, "step", FI_U64, 0, NULL, u64));
    assert_ok(ctx, fi_tensors_add(t, NULL, "low", FI_I64, 3, (int64_t[]){1, 1, 1}, i64));
    assert_ok(ctx, fi_tensors_add(t, NULL, "labels", FI_I32, 1, (int64_t[]){2}, i32));
    assert_ok(ctx, fi_tensors_add(t, NULL, "empty", FI_F32, 2, (int64_t[]){0, 5}, NULL));
    assert_ok(ctx,
              fi_tensors_add(t, &e, "eight", FI_F32, 8, (int64_t[]){1, 1, 2, 1, 1, 1, 1, 1}, NULL));
    ((float *)e->data)[1] = 8;
    assert_ok(ctx, fi_tensors_meta(t, "recipe", "{\"net\": [\"relu\"]}\n\t\\ \x01"));
    assert_ok(ctx, fi_tensors_meta(t, "classes", "[\"\xc3\xa9\", \"\xe6\xbc\xa2\"]"));
    assert_ok(ctx, fi_tensors_meta(t, "nothing", ""));
    return t;
}

static void test_round_trip(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    struct fi_tensors *a = sample(ctx), *b;
    assert_ok(ctx, fi_tensors_save(a, path));
    assert_ok(ctx, fi_tensors_load(&b, ctx, path));
    assert_int_equal(a->n, b->n);
    assert_int_equal(a->n_meta, b->n_meta);
    for (int64_t i = 0; i < a->n; i++) {
        const struct fi_tensor_entry *x = &a->entries[i], *y = fi_tensors_find(b, x->name);
        assert_non_null(y);
        assert_int_equal(x->dtype, y->dtype);
        assert_int_equal(x->rank, y->rank);
        assert_memory_equal(x->dims, y->dims, sizeof x->dims);
        assert_int_equal(x->bytes, y->bytes);
        assert_memory_equal(x->data, y->data, x->bytes);
    }
    for (int64_t i = 0; i < a->n_meta; i++) {
        assert_string_equal(a->meta[i].key, b->meta[i].key);
        assert_string_equal(a->meta[i].value, b->meta[i].value);
    }
    assert_null(fi_tensors_find(b, "dense2.weight"));
    assert_null(fi_tensors_meta_get(b, "seed"));
    fi_tensors_free(a);
    fi_tensors_free(b);
    fanin_ctx_free(ctx);
}

/* Saving what was loaded gives the same bytes: nothing of time, place or memory is in a file. */
static void test_same_bytes(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    struct fi_tensors *a = sample(ctx), *b;
    size_t n[3];
    char *bytes[3];
    assert_ok(ctx, fi_tensors_save(a, path));
    bytes[0] = read_file(path, &n[0]);
    assert_ok(ctx, fi_tensors_save(a, path));
    bytes[1] = read_file(path, &n[1]);
    assert_ok(ctx, fi_tensors_load(&b, ctx, path));
    assert_ok(ctx, fi_tensors_save(b, path));
    bytes[2] = read_file(path, &n[2]);
    for (int i = 1; i < 3; i++) {
        assert_int_equal(n[0], n[i]);
        assert_memory_equal(bytes[0], bytes[i], n[0]);
    }
    uint64_t length;
    memcpy(&length, bytes[0], 8);
    assert_int_equal(length % 8, 0);
    for (int i = 0; i < 3; i++) free(bytes[i]);
    fi_tensors_free(a);
    fi_tensors_free(b);
    fanin_ctx_free(ctx);
}

static void test_empty_list(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    struct fi_tensors *t;
    assert_ok(ctx, fi_tensors_create(&t, ctx));
    assert_ok(ctx, fi_tensors_save(t, path));
    fi_tensors_free(t);
    assert_ok(ctx, fi_tensors_load(&t, ctx, path));
    assert_int_equal(t->n, 0);
    fi_tensors_free(t);
    assert_ok(ctx, load_header(ctx, "{}", 0));
    fanin_ctx_free(ctx);
}

static void test_bad_calls(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    struct fi_tensors *t;
    char name[300];
    memset(name, 'a', sizeof name);
    name[256] = '\0';
    int64_t one = 1, huge[] = {INT64_C(1) << 40, INT64_C(1) << 40}, negative = -1;
    assert_ok(ctx, fi_tensors_create(&t, ctx));
    const enum fanin_status bad = FANIN_ERR_ARGUMENT;
    assert_refused(ctx, bad, "empty", fi_tensors_add(t, NULL, "", FI_F32, 1, &one, NULL));
    assert_refused(ctx, bad, "longer", fi_tensors_add(t, NULL, name, FI_F32, 1, &one, NULL));
    assert_refused(ctx, bad, "leads out",
                   fi_tensors_add(t, NULL, "a/../..", FI_F32, 1, &one, NULL));
    assert_refused(ctx, bad, "rank", fi_tensors_add(t, NULL, "a", FI_F32, 9, huge, NULL));
    assert_refused(ctx, bad, "overflows", fi_tensors_add(t, NULL, "a", FI_F32, 2, huge, NULL));
    assert_refused(ctx, bad, "overflows", fi_tensors_add(t, NULL, "a", FI_F32, 1, &negative, NULL));
    assert_refused(ctx, bad, "format", fi_tensors_meta(t, "fanin.checksum", "none"));
    assert_ok(ctx, fi_tensors_meta(t, "seed", "1"));
    assert_refused(ctx, bad, "already", fi_tensors_meta(t, "seed", "2"));
    name[255] = '\0';
    assert_ok(ctx, fi_tensors_add(t, NULL, name, FI_F32, 1, &one, NULL));
    assert_ok(ctx, fi_tensors_add(t, NULL, name, FI_F32, 1, &one, NULL));
    assert_refused(ctx, bad, "twice", fi_tensors_save(t, path));
    assert_int_not_equal(access(path, F_OK), 0);
    fi_tensors_free(t);
    fanin_ctx_free(ctx);
}

/* ---- hostile files ------------------------------------------------------------------------------------ */

#define T(name, dtype, shape, offsets)                                                             \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

struct twin {
    const char *bad, *good; /* headers */
    size_t bad_payload, good_payload;
    const char *reason;
};

static const struct twin twins[] = {
    /* the header as JSON */
    {"[1]", "{}", 0, 0, "begin with"},
    {" {}", "{} ", 0, 0, "begin with"},
    {"{ ", "{}", 0, 0, "not valid JSON"},
    {"{}x", "{}  ", 0, 0, "not valid JSON"},
    {"{\"a\":1e999}", "{" T("a", "U8", "[1]", "[0,1]") "}", 1, 1, "not valid JSON"},
    {"{" T("a", "U8", "[NaN]", "[0,1]") "}", "{" T("a", "U8", "[1]", "[0,1]") "}", 1, 1, "JSON"},
    {"{\"\xff\":0}", "{" T("\xc3\xa9", "U8", "[1]", "[0,1]") "}", 1, 1, "not valid JSON"},
    {"{\"\\ud800\":0}", "{" T("\\u00e9", "U8", "[1]", "[0,1]") "}", 1, 1, "not valid JSON"},
    {"{\"a\\u0000b\":0}", "{" T("a", "U8", "[1]", "[0,1]") "}", 1, 1, "not valid JSON"},
    {"{" T("a", "U8", "[1]", "[0,1]") "," T("a", "U8", "[1]", "[1,2]") "}",
     "{" T("a", "U8", "[1]", "[0,1]") "," T("b", "U8", "[1]", "[1,2]") "}", 2, 2, "twice"},
    {"{" T("a", "U8", "[[1]]", "[0,1]") "}", "{" T("a", "U8", "[1]", "[0,1]") "}", 1, 1, "deep"},
    /* names */
    {"{" T("", "U8", "[1]", "[0,1]") "}", "{" T("a", "U8", "[1]", "[0,1]") "}", 1, 1, "empty"},
    {"{" T("../a", "U8", "[1]", "[0,1]") "}", "{" T("..a", "U8", "[1]", "[0,1]") "}", 1, 1,
     "leads out"},
    {"{" T("/a", "U8", "[1]", "[0,1]") "}", "{" T("a/b", "U8", "[1]", "[0,1]") "}", 1, 1,
     "leads out"},
    {"{" T("a/..", "U8", "[1]", "[0,1]") "}", "{" T("a/...", "U8", "[1]", "[0,1]") "}", 1, 1,
     "leads out"},
    {"{" T("a\\\\b", "U8", "[1]", "[0,1]") "}", "{" T("ab", "U8", "[1]", "[0,1]") "}", 1, 1,
     "backslash"},
    {"{" T("a\\n", "U8", "[1]", "[0,1]") "}", "{" T("an", "U8", "[1]", "[0,1]") "}", 1, 1,
     "control"},
    /* entries */
    {"{\"a\":[0,1]}", "{" T("a", "U8", "[1]", "[0,1]") "}", 1, 1, "not an object"},
    {"{\"a\":{\"shape\":[1],\"data_offsets\":[0,1]}}", "{" T("a", "U8", "[1]", "[0,1]") "}", 1, 1,
     "no dtype"},
    {"{" T("a", "F8_E4M3", "[2]", "[0,2]") "}", "{" T("a", "U8", "[2]", "[0,2]") "}", 2, 2,
     "dtype"},
    {"{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,1]}}", "{" T("a", "U8", "[1]", "[0,1]") "}", 1,
     1, "no shape"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1]}}", "{" T("a", "U8", "[1]", "[0,1]") "}", 1, 1,
     "data_offsets"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1],\"x\":1}}",
     "{" T("a", "U8", "[1]", "[0,1]") "}", 1, 1, "more than"},
    {"{" T("a", "U8", "[1]", "[0,1,2]") "}", "{" T("a", "U8", "[1]", "[0,1]") "}", 1, 1, "pair"},
    /* shapes */
    {"{" T("a", "U8", "[1,1,1,1,1,1,1,1,1]", "[0,1]") "}",
     "{" T("a", "U8", "[1,1,1,1,1,1,1,1]", "[0,1]") "}", 1, 1, "dimensions"},
    {"{" T("a", "U8", "[-1]", "[0,1]") "}", "{" T("a", "U8", "[1]", "[0,1]") "}", 1, 1, "negative"},
    {"{" T("a", "U8", "[1.5]", "[0,1]") "}", "{" T("a", "U8", "[1]", "[0,1]") "}", 1, 1, "integer"},
    {"{" T("a", "U8", "[\"1\"]", "[0,1]") "}", "{" T("a", "U8", "[1]", "[0,1]") "}", 1, 1,
     "integer"},
    {"{" T("a", "U8", "[true]", "[0,1]") "}", "{" T("a", "U8", "[1]", "[0,1]") "}", 1, 1,
     "integer"},
    {"{" T("a", "U8", "[99999999999999999999]", "[0,1]") "}", "{" T("a", "U8", "[1]", "[0,1]") "}",
     1, 1, "JSON"},
    {"{" T("a", "F32", "[4611686018427387904,4]", "[0,0]") "}",
     "{" T("a", "F32", "[0]", "[0,0]") "}", 0, 0, "overflows"},
    {"{" T("a", "F64", "[2305843009213693952]", "[0,0]") "}", "{" T("a", "F64", "[0]", "[0,0]") "}",
     0, 0, "overflows"},
    {"{" T("a", "F32", "[0,4611686018427387904,4]", "[0,0]") "}",
     "{" T("a", "F32", "[0,4,4]", "[0,0]") "}", 0, 0, "overflows"},
    {"{" T("a", "F32", "[2]", "[0,4]") "}", "{" T("a", "F32", "[1]", "[0,4]") "}", 4, 4, "needs 8"},
    {"{" T("a", "F32", "[0]", "[0,4]") "}", "{" T("a", "F32", "[]", "[0,4]") "}", 4, 4, "needs 0"},
    /* places */
    {"{" T("a", "U8", "[1]", "[1,0]") "}", "{" T("a", "U8", "[1]", "[0,1]") "}", 1, 1, "before it"},
    {"{" T("a", "U8", "[1]", "[-1,0]") "}", "{" T("a", "U8", "[1]", "[0,1]") "}", 1, 1, "negative"},
    {"{" T("a", "U8", "[1]", "[0.5,1]") "}", "{" T("a", "U8", "[1]", "[0,1]") "}", 1, 1, "integer"},
    {"{" T("a", "U8", "[2]", "[0,2]") "}", "{" T("a", "U8", "[1]", "[0,1]") "}", 1, 1, "beyond"},
    {"{" T("a", "U8", "[9223372036854775807]", "[0,9223372036854775807]") "}",
     "{" T("a", "U8", "[1]", "[0,1]") "}", 1, 1, "beyond"},
    {"{" T("a", "U8", "[2]", "[0,2]") "," T("b", "U8", "[2]", "[1,3]") "}",
     "{" T("a", "U8", "[2]", "[0,2]") "," T("b", "U8", "[1]", "[2,3]") "}", 3, 3, "overlaps"},
    {"{" T("a", "U8", "[1]", "[0,1]") "," T("b", "U8", "[1]", "[0,1]") "}",
     "{" T("a", "U8", "[1]", "[1,2]") "," T("b", "U8", "[1]", "[0,1]") "}", 1, 2, "overlaps"},
    {"{" T("a", "U8", "[1]", "[0,1]") "," T("b", "U8", "[1]", "[2,3]") "}",
     "{" T("a", "U8", "[1]", "[0,1]") "," T("b", "U8", "[2]", "[1,3]") "}", 3, 3, "hole"},
    {"{" T("a", "U8", "[1]", "[1,2]") "}", "{" T("a", "U8", "[2]", "[0,2]") "}", 2, 2, "hole"},
    {"{" T("a", "U8", "[1]", "[0,1]") "}", "{" T("a", "U8", "[1]", "[0,1]") "}", 2, 1, "behind"},
    {"{}", "{}", 1, 0, "behind"},
    /* metadata */
    {"{\"__metadata__\":[]}", "{\"__metadata__\":{}}", 0, 0, "not an object"},
    {"{\"__metadata__\":{\"a\":1}}", "{\"__metadata__\":{\"a\":\"1\"}}", 0, 0, "not a text"},
    {"{\"__metadata__\":{\"a\":{}}}", "{\"__metadata__\":{\"a\":\"{}\"}}", 0, 0, "not a text"},
    {"{\"__metadata__\":{\"a\":\"1\",\"a\":\"1\"}}", "{\"__metadata__\":{\"a\":\"1\",\"b\":\"1\"}}",
     0, 0, "twice"},
    {"{\"__metadata__\":{\"fanin.format\":\"2\",\"fanin.checksum\":\"none\"}}",
     "{\"__metadata__\":{\"fanin.format\":\"1\",\"fanin.checksum\":\"none\"}}", 0, 0, "newer"},
    {"{\"__metadata__\":{\"fanin.format\":\"1\"}}",
     "{\"__metadata__\":{\"fanin.format\":\"1\",\"fanin.checksum\":\"none\"}}", 0, 0, "lack"},
    {"{\"__metadata__\":{\"fanin.checksum\":\"none\"}}",
     "{\"__metadata__\":{\"fanin.format\":\"1\",\"fanin.checksum\":\"none\"}}", 0, 0, "lack"},
    {"{\"__metadata__\":{\"fanin.format\":\"1\",\"fanin.checksum\":\"0000000000000000\"}}",
     "{\"__metadata__\":{\"fanin.format\":\"1\",\"fanin.checksum\":\"none\"}}", 0, 0, "checksum"},
};

static void test_hostile(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    for (int i = 0; i < FI_COUNT(twins); i++) {
        const struct twin *t = &twins[i];
        assert_refused(ctx, FANIN_ERR_DATA, t->reason, load_header(ctx, t->bad, t->bad_payload));
        assert_non_null(strstr(fanin_errmsg(ctx), path));
        assert_ok(ctx, load_header(ctx, t->good, t->good_payload));
    }
    fanin_ctx_free(ctx);
}

static void test_header_lengths(void **state) {
    (void)state;
    static const uint64_t lengths[] = {0,
                                       1,
                                       4,
                                       100000001,
                                       UINT64_C(1) << 31,
                                       UINT32_MAX,
                                       UINT64_C(1) << 63,
                                       UINT64_MAX,
                                       UINT64_MAX - 7};
    fanin_ctx *ctx = test_ctx();
    struct fi_tensors *t;
    for (int i = 0; i < FI_COUNT(lengths); i++) {
        write_parts(lengths[i], "{}", 2, 0);
        assert_refused(ctx, FANIN_ERR_DATA, "header", fi_tensors_load(&t, ctx, path));
    }
    for (size_t size = 0; size < 8; size++) {
        write_file(path, "\2\0\0\0\0\0\0", size);
        assert_refused(ctx, FANIN_ERR_DATA, "shorter", fi_tensors_load(&t, ctx, path));
    }
    fanin_ctx_free(ctx);
}

/* A header of 100,000 opening brackets, and one of a million keys. */
static void test_big_json(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    struct fi_tensors *t;
    size_t n = 3000000;
    char *header = malloc(n + 16);
    assert_non_null(header);
    memset(header, '[', n);
    memcpy(header, "{\"a\":", 5);
    write_parts(n, header, n, 0);
    assert_refused(ctx, FANIN_ERR_DATA, "deep", fi_tensors_load(&t, ctx, path));
    size_t at = (size_t)sprintf(header, "{\"a\":[0");
    while (at < n) {
        memcpy(header + at, ",0", 2);
        at += 2;
    }
    memcpy(header + at, "]}", 2);
    write_parts(at + 2, header, at + 2, 0);
    assert_refused(ctx, FANIN_ERR_DATA, "not an object", fi_tensors_load(&t, ctx, path));
    free(header);
    fanin_ctx_free(ctx);
}

static double many_tensors(fanin_ctx *ctx, int64_t n) {
    struct fi_tensors *t;
    char name[32];
    assert_ok(ctx, fi_tensors_create(&t, ctx));
    for (int64_t i = 0; i < n; i++) {
        snprintf(name, sizeof name, "node%" PRId64, i);
        assert_ok(ctx, fi_tensors_add(t, NULL, name, FI_F32, 0, NULL, NULL));
    }
    assert_ok(ctx, fi_tensors_save(t, path));
    fi_tensors_free(t);
    struct timespec a, b;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
    assert_ok(ctx, fi_tensors_load(&t, ctx, path));
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
    assert_int_equal(t->n, n);
    fi_tensors_free(t);
    return (double)(b.tv_sec - a.tv_sec) + 1e-9 * (double)(b.tv_nsec - a.tv_nsec);
}

/* Time must not grow with the square: 100 times as many tensors, 1,000 times the time at the most.
 */
static void test_many_tensors(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    double few = many_tensors(ctx, 1000), many = many_tensors(ctx, FI_MAX_TENSORS);
    if (many > 1000 * few + 1) fail_msg("%g s for 1000, %g s for 100000", few, many);
    fanin_ctx_free(ctx);
}

/* ---- damage --------------------------------------------------------------------------------------------- */

static void test_truncated(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    struct fi_tensors *t = sample(ctx);
    size_t size = 0;
    assert_ok(ctx, fi_tensors_save(t, path));
    fi_tensors_free(t);
    char *bytes = read_file(path, &size);
    for (size_t n = 0; n < size; n++) {
        write_file(path, bytes, n);
        assert_refused(ctx, FANIN_ERR_DATA, path, fi_tensors_load(&t, ctx, path));
    }
    free(bytes);
    fanin_ctx_free(ctx);
}

/* Every bit of a file of ours: header, names, texts, padding, data. */
static void test_flipped_bits(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    struct fi_tensors *t = sample(ctx);
    size_t size = 0;
    assert_ok(ctx, fi_tensors_save(t, path));
    fi_tensors_free(t);
    char *bytes = read_file(path, &size);
    for (size_t bit = 0; bit < 8 * size; bit++) {
        bytes[bit / 8] = (char)(bytes[bit / 8] ^ (1 << bit % 8));
        write_file(path, bytes, size);
        bytes[bit / 8] = (char)(bytes[bit / 8] ^ (1 << bit % 8));
        enum fanin_status status = fi_tensors_load(&t, ctx, path);
        if (status != FANIN_ERR_DATA) fail_msg("bit %zu of byte %zu: loaded", bit % 8, bit / 8);
    }
    free(bytes);
    fanin_ctx_free(ctx);
}

static void test_not_files(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    struct fi_tensors *t;
    char pipe_path[600];
    snprintf(pipe_path, sizeof pipe_path, "%s/pipe", dir);
    assert_int_equal(mkfifo(pipe_path, 0600), 0);
    assert_refused(ctx, FANIN_ERR_IO, "No such file", fi_tensors_load(&t, ctx, path));
    assert_refused(ctx, FANIN_ERR_IO, "not a regular", fi_tensors_load(&t, ctx, dir));
    assert_refused(ctx, FANIN_ERR_IO, "not a regular", fi_tensors_load(&t, ctx, pipe_path));
    assert_refused(ctx, FANIN_ERR_IO, "not a regular", fi_tensors_load(&t, ctx, "/dev/zero"));
    fanin_ctx_free(ctx);
}

/* ---- memory ----------------------------------------------------------------------------------------------- */

/* Each allocation of add, save and load fails once: an error code, nothing leaks, the file is as it
 * was. */
static void test_no_memory(void **state) {
    (void)state;
    struct test_memory f = {0};
    struct fanin_ctx_options options = {
        .size = sizeof options, .threads = 1, .allocator = test_memory_allocator(&f)};
    fanin_ctx *ctx;
    assert_int_equal(fanin_ctx_create(&ctx, &options, NULL, 0), FANIN_OK);
    int64_t live = f.live;
    write_file(path, "old", 3);
    enum fanin_status status = FANIN_ERR_MEMORY;
    for (int64_t n = 0; status != FANIN_OK; n++) {
        struct fi_tensors *t = NULL, *back = NULL;
        f.calls = 0;
        f.fail_at = n + 1;
        status = fi_tensors_create(&t, ctx);
        if (status == FANIN_OK)
            status = fi_tensors_add(t, NULL, "a", FI_F32, 1, (int64_t[]){100}, NULL);
        if (status == FANIN_OK) status = fi_tensors_meta(t, "key", "value");
        if (status == FANIN_OK) status = fi_tensors_save(t, path);
        bool saved = status == FANIN_OK;
        if (status == FANIN_OK) status = fi_tensors_load(&back, ctx, path);
        assert_true(status == FANIN_OK || status == FANIN_ERR_MEMORY);
        fi_tensors_free(t);
        fi_tensors_free(back);
        assert_int_equal(f.live, live);
        size_t size = 0;
        char *bytes = read_file(path, &size);
        assert_true(saved || (size == 3 && !memcmp(bytes, "old", 3)));
        free(bytes);
        write_file(path, "old", 3);
        assert_true(n < 1000);
    }
    fanin_ctx_free(ctx);
    assert_int_equal(f.live, 0);
}

/* ---- others read it ----------------------------------------------------------------------------------- */

static void test_python_reads_it(void **state) {
    (void)state;
    if (system("python3 -c 'import safetensors.numpy' 2>/dev/null") != 0)
        skip_test("the safetensors package of Python is not installed");
    fanin_ctx *ctx = test_ctx();
    struct fi_tensors *t = sample(ctx);
    char command[1024];
    assert_ok(ctx, fi_tensors_save(t, path));
    snprintf(command, sizeof command,
             "python3 -c \"import safetensors.numpy as s; t = s.load_file('%s'); "
             "assert t['dense1.weight'].tolist()[0][:2] == [1, -2.5]; "
             "assert t['step'].item() == 2**64 - 1; assert t['empty'].shape == (0, 5)\"",
             path);
    assert_int_equal(system(command), 0);
    fi_tensors_free(t);
    fanin_ctx_free(ctx);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_dir, remove_dir)

static struct CMUnitTest tests[] = {
    TEST(test_round_trip),     TEST(test_same_bytes),   TEST(test_empty_list),
    TEST(test_bad_calls),      TEST(test_hostile),      TEST(test_header_lengths),
    TEST(test_big_json),       TEST(test_many_tensors), TEST(test_truncated),
    TEST(test_flipped_bits),   TEST(test_not_files),    TEST(test_no_memory),
    TEST(test_python_reads_it)};

int main(void) {
    return test_main(tests);
}
