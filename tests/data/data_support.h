/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of data need: a folder per test, files from text and bytes, IDX and gzip written
 * by hand.
 */
#ifndef TESTS_DATA_SUPPORT_H
#define TESTS_DATA_SUPPORT_H

#include <math.h>
#include <zlib.h>

#include "data/data.h"
#include "kernel/kernel.h"
#include "support/support.h"

struct fixture {
    fanin_ctx *ctx;
    char dir[256], path[300], other[300];
};

static inline int data_setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    if (!f) return -1;
    count_test(state);
    f->ctx = test_ctx();
    temp_dir(f->dir);
    *state = f;
    return 0;
}

static inline int data_teardown(void **state) {
    struct fixture *f = *state;
    temp_dir_remove(f->dir);
    fanin_ctx_free(f->ctx);
    free(f);
    return 0;
}

#define DATA_TEST(function) cmocka_unit_test_setup_teardown(function, data_setup, data_teardown)

/* Writes a file into the test's folder; the path is f->path. */
static inline const char *put(struct fixture *f, const char *name, const void *bytes, size_t n) {
    snprintf(f->path, sizeof f->path, "%s/%s", f->dir, name);
    write_file(f->path, bytes, n);
    return f->path;
}

static inline const char *put_text(struct fixture *f, const char *name, const char *text) {
    return put(f, name, text, strlen(text));
}

/* Another one, whose path is f->other. */
static inline const char *put_other(struct fixture *f, const char *name, const void *bytes,
                                    size_t n) {
    snprintf(f->other, sizeof f->other, "%s/%s", f->dir, name);
    write_file(f->other, bytes, n);
    return f->other;
}

/* Bytes of a gzip member; returns how many. */
static inline size_t gzip_bytes(uint8_t *to, size_t room, const void *from, size_t n) {
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 31, 9, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (Bytef *)(uintptr_t)from;
    z.avail_in = (uInt)n;
    z.next_out = to;
    z.avail_out = (uInt)room;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    return room - z.avail_out;
}

/* The header of an IDX file; returns its size. */
static inline size_t idx_header(uint8_t *to, int type, int rank, const uint32_t *dims) {
    to[0] = to[1] = 0;
    to[2] = (uint8_t)type;
    to[3] = (uint8_t)rank;
    for (int i = 0; i < rank; i++)
        for (int b = 0; b < 4; b++) to[4 + 4 * i + b] = (uint8_t)(dims[i] >> (24 - 8 * b));
    return 4 + 4 * (size_t)rank;
}

/* The gathered sample at a position of a part. */
static inline void gather_one(const fanin_data *d, enum fanin_part part, int64_t position,
                              fi_real *x, int32_t *label, fi_real *targets) {
    fi_real row[1024];
    const int64_t cols = fanin_data_shape(d)->cols;
    assert_true(cols <= 1000);
    fi_data_gather(d, part, &position, 1, row, fi_row_stride(cols));
    fi_data_gather_known(d, part, &position, 1,
                         &(struct fi_known){.labels = label, .targets = targets, .ld = 1});
    memcpy(x, row, (size_t)cols * sizeof *x);
}

#endif
