/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The array format of NumPy, whatever the bytes come out of: a file, or a member of an archive.
 */
#ifndef FI_NPY_H
#define FI_NPY_H

#include "data/array.h"

/* Bytes in order. */
struct fi_npy_bytes {
    fanin_ctx *ctx;
    /* As fi_source_read(): n bytes, or what is left of them. */
    enum fanin_status (*read)(void *from, void *to, int64_t n, int64_t *got);
    void *from;
    int64_t bound;    /* the most bytes that can come */
    int64_t position; /* bytes handed out so far */
};

struct fi_npy_type;

struct fi_npy {
    struct fi_npy_bytes bytes;
    const struct fi_npy_type *type;
    bool big_endian, fortran_order;
    struct fi_array array; /* what the header says; then the numbers */
};

/* Reads the header: npy->bytes and npy->array.path are given. Errors: DATA, what read gives. */
enum fanin_status fi_npy_header(struct fi_npy *npy);
/* Reads the numbers into memory of the arena, in the order of C, and meets the end. */
enum fanin_status fi_npy_numbers(struct fi_npy *npy, struct fi_arena *arena);

#endif
