/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Model files: a list of named tensors and a list of named texts, whatever the file format.
 *
 *   struct fi_tensors   what is in a file; owns its memory (format.c)
 *   struct fi_format    a record: how it is read and written (safetensors.c)
 *
 * To save: create, add, meta, save. To load: load, find, meta_get. See docs/format.md.
 */
#ifndef FI_FORMAT_H
#define FI_FORMAT_H

#include <fanin/format.h>

#include "base/base.h"

enum fi_dtype { FI_F32, FI_F64, FI_I32, FI_I64, FI_U64, FI_U8, FI_F16, FI_BF16 };
#define FI_DTYPES 8

/* One tensor: row-major, little-endian as in memory. */
struct fi_tensor_entry {
    const char *name;
    enum fi_dtype dtype;
    int rank; /* 0: one number */
    int64_t dims[FANIN_MAX_RANK];
    int64_t count; /* product of dims */
    size_t bytes;  /* count × size of the dtype */
    void *data;    /* of the arena, or borrowed */
};

struct fi_meta_entry {
    const char *key, *value;
};

/* Metadata keys that the format adds and checks itself; fi_tensors_meta refuses them. */
#define FI_META_FORMAT "fanin.format" /* version of the layout of metadata: FI_FORMAT_VERSION */
#define FI_META_CHECKSUM                                                                           \
    "fanin.checksum" /* of all tensors and texts, 16 hexadecimal digits, or "none" */
#define FI_FORMAT_VERSION 1

#define FI_MAX_TENSORS 100000
#define FI_MAX_NAME 255

struct fi_tensors {
    fanin_ctx *ctx;
    struct fi_arena arena;
    struct fi_tensor_entry *entries; /* in the order of the file */
    int64_t n, cap;
    struct fi_meta_entry *meta;
    int64_t n_meta, cap_meta;
    int64_t *by_name; /* n entries sorted by name, made by fi_tensors_sort(); else NULL */
};

enum fanin_status fi_tensors_create(struct fi_tensors **out, fanin_ctx *ctx);
void fi_tensors_free(struct fi_tensors *tensors);

/* Appends a tensor. data == NULL: zeroed memory of the arena, to be filled through (*out)->data.
 * Else the data are borrowed until the tensors are freed. out may be NULL; *out is valid until the
 * next add. Errors: ARGUMENT (bad or long name, rank), MEMORY. A name used twice is refused when
 * saving. */
enum fanin_status fi_tensors_add(struct fi_tensors *tensors, struct fi_tensor_entry **out,
                                 const char *name, enum fi_dtype dtype, int rank,
                                 const int64_t *dims, const void *data);
/* Appends a text; key and value are copied. Errors: ARGUMENT (a key that is reserved or there
 * already), MEMORY. */
enum fanin_status fi_tensors_meta(struct fi_tensors *tensors, const char *key, const char *value);

/* NULL: no such tensor, no such text. Borrowed. */
const struct fi_tensor_entry *fi_tensors_find(const struct fi_tensors *tensors, const char *name);
const char *fi_tensors_meta_get(const struct fi_tensors *tensors, const char *key);

/* The file as a whole, in the native format (safetensors). save: all or nothing.
 * Errors: IO, DATA (load: what is wrong in the file), ARGUMENT (save: a name used twice), MEMORY.
 */
enum fanin_status fi_tensors_save(struct fi_tensors *tensors, const char *path);
enum fanin_status fi_tensors_load(struct fi_tensors **out, fanin_ctx *ctx, const char *path);

/* ---- for the formats
 * ------------------------------------------------------------------------------ */

struct fi_format {
    struct fanin_record head;
    const char *suffixes; /* " .safetensors " */
    /* load fills an empty list of tensors */
    enum fanin_status (*load)(struct fi_tensors *tensors, const char *path);
    enum fanin_status (*save)(const struct fi_tensors *tensors, const char *path);
};

size_t fi_dtype_bytes(enum fi_dtype dtype);
/* "F32", as safetensors calls it. */
const char *fi_dtype_name(enum fi_dtype dtype);
/* The reason why a name cannot be a tensor's, or NULL. */
const char *fi_tensor_name_fault(const char *name);
/* Sorts by name. Errors: DATA or ARGUMENT as `code` says (a name used twice), MEMORY. */
enum fanin_status fi_tensors_sort(struct fi_tensors *tensors, enum fanin_status code);
/* 64-bit hash of all names, types, shapes, data and texts (but the checksum), in the order of
 * names. Needs fi_tensors_sort. */
enum fanin_status fi_tensors_checksum(const struct fi_tensors *tensors, uint64_t *out);

#endif
