/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IDX, the format of MNIST (LeCun, Cortes & Burges): two zero bytes, a byte for the type, a byte
 * for the rank, the dims as big-endian 32-bit numbers, then the numbers, big-endian, row-major. The
 * first dim counts samples. Plain or gzip.
 *
 * Unsigned bytes stay bytes; the other types become float. A labels file of integers (rank 1) makes
 * a classification, one of floating-point numbers a regression. What the header declares is
 * compared with what the file can hold before memory is taken, and the file must end where the
 * header says.
 */
#include <string.h>

#include "data/array.h"
#include "data/reader/reader.h"

enum { MAX_RANK = 8 };

struct idx {
    int64_t classes;
};

/* One number from its big-endian bits. */
static double from_u8(uint64_t bits) {
    return (double)bits;
}
static double from_i8(uint64_t bits) {
    return (int8_t)bits;
}
static double from_i16(uint64_t bits) {
    return (int16_t)bits;
}
static double from_i32(uint64_t bits) {
    return (int32_t)bits;
}
static double from_f64(uint64_t bits) {
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}
static double from_f32(uint64_t bits) {
    uint32_t word = (uint32_t)bits;
    float value;
    memcpy(&value, &word, sizeof(value));
    return (double)value;
}

struct idx_type {
    int code, bytes;
    bool integer;
    double (*value)(uint64_t bits);
    const char *name;
};
static const struct idx_type types[] = {
    {0x08, 1, true, from_u8, "uint8"},   {0x09, 1, true, from_i8, "int8"},
    {0x0b, 2, true, from_i16, "int16"},  {0x0c, 4, true, from_i32, "int32"},
    {0x0d, 4, false, from_f32, "float"}, {0x0e, 8, false, from_f64, "double"},
};

/* A file that is being read. */
struct file {
    struct fi_source source;
    const struct idx_type *type;
    struct fi_array array;
};

static enum fanin_status read_exactly(struct file *f, void *to, int64_t n, const char *what) {
    int64_t got;
    FI_TRY(fi_source_read(&f->source, to, n, &got));
    if (got < n)
        return fi_fail(f->source.ctx, FANIN_ERR_DATA,
                       "'%s' ends in the middle of the %s: byte %lld is missing (is the file "
                       "complete?)",
                       f->source.path, what, (long long)f->source.position);
    return FANIN_OK;
}

static enum fanin_status read_header(struct file *f) {
    fanin_ctx *ctx = f->source.ctx;
    const char *path = f->source.path;
    uint8_t bytes[4 * MAX_RANK];
    FI_TRY(read_exactly(f, bytes, 4, "header"));
    for (int i = 0; i < FI_COUNT(types); i++)
        if (types[i].code == bytes[2]) f->type = &types[i];
    if (bytes[0] != 0 || bytes[1] != 0 || !f->type)
        return fi_fail(ctx, FANIN_ERR_DATA,
                       "'%s' is not an IDX file: it begins with %02x %02x %02x %02x", path,
                       bytes[0], bytes[1], bytes[2], bytes[3]);
    struct fi_array *a = &f->array;
    *a = (struct fi_array){
        .path = path, .type = f->type->name, .integer = f->type->integer, .rank = bytes[3]};
    if (a->rank < 1 || a->rank > MAX_RANK)
        return fi_fail(ctx, FANIN_ERR_DATA, "'%s' declares %d dimensions; 1 to %d are possible",
                       path, a->rank, MAX_RANK);
    FI_TRY(read_exactly(f, bytes, 4 * a->rank, "header"));
    for (int i = 0; i < a->rank; i++) {
        const uint8_t *b = bytes + 4 * i;
        a->dims[i] = (int64_t)((uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | b[2] << 8 | b[3]);
    }
    return fi_array_count(ctx, a, f->type->bytes, fi_source_bound(&f->source));
}

static enum fanin_status open_idx(struct file *f, fanin_ctx *ctx, const char *path) {
    *f = (struct file){0};
    if (strcmp(path, "-") == 0)
        return fi_fail(ctx, FANIN_ERR_IO, "IDX data are read from files, not standard input");
    FI_TRY(fi_source_open(&f->source, ctx, path));
    enum fanin_status status = read_header(f);
    if (status != FANIN_OK) fi_source_close(&f->source);
    return status;
}

/* The end of the file must be where the header says; asking for it also checks the gzip checksum.
 */
static enum fanin_status read_end(struct file *f) {
    uint8_t byte;
    int64_t got;
    FI_TRY(fi_source_read(&f->source, &byte, 1, &got));
    if (got > 0)
        return fi_fail(f->source.ctx, FANIN_ERR_DATA,
                       "'%s' holds more than its header declares (%lld bytes)", f->source.path,
                       (long long)(f->source.position - 1));
    return FANIN_OK;
}

/* All numbers as float. */
static enum fanin_status read_floats(struct file *f) {
    enum { BATCH = 8192 };
    uint8_t bytes[BATCH * 8];
    const int size = f->type->bytes;
    for (int64_t first = 0; first < f->array.count; first += BATCH) {
        int64_t n = FI_MIN(f->array.count - first, BATCH);
        FI_TRY(read_exactly(f, bytes, n * size, "data"));
        for (int64_t i = 0; i < n; i++) {
            uint64_t bits = 0;
            for (int b = 0; b < size; b++) bits = bits << 8 | bytes[i * size + b];
            FI_TRY(
                fi_array_put(f->source.ctx, &f->array, first + i, first + i, f->type->value(bits)));
        }
    }
    return FANIN_OK;
}

static enum fanin_status read_numbers(struct file *f, struct fi_arena *arena) {
    struct fi_array *a = &f->array;
    if (f->type->code == 0x08) {
        a->u8 = fi_arena_alloc(arena, a->count, 1);
        if (!a->u8) return FANIN_ERR_MEMORY;
        FI_TRY(read_exactly(f, a->u8, a->count, "data"));
    } else {
        a->f32 = fi_arena_alloc(arena, a->count, sizeof(float));
        if (!a->f32) return FANIN_ERR_MEMORY;
        FI_TRY(read_floats(f));
    }
    return read_end(f);
}

static enum fanin_status read_idx(struct fi_read_request *r, struct fi_table *out) {
    const struct idx *attrs = r->attrs;
    const struct fi_label_rules rules = {FANIN_UNLABELED, attrs->classes};
    struct file samples, labels;
    FI_TRY(open_idx(&samples, r->ctx, r->path));
    enum fanin_status status = read_numbers(&samples, r->arena);
    fi_source_close(&samples.source);
    if (status == FANIN_OK && r->labels_path) {
        status = open_idx(&labels, r->ctx, r->labels_path);
        if (status == FANIN_OK) {
            status = fi_labels_check(r->ctx, &samples.array, &labels.array, &rules);
            if (status == FANIN_OK) status = read_numbers(&labels, r->arena);
            fi_source_close(&labels.source);
        }
    }
    FI_TRY(status);
    return fi_arrays_to_table(r, &samples.array, r->labels_path ? &labels.array : NULL, &rules,
                              out);
}

static const struct fanin_attr_spec specs[] = {
    FI_ATTR_INT(struct idx, classes, 0, 0, FI_MAX_CLASSES, FI_CLASSES_HELP, 0), FI_ATTR_END};

FI_RECORD(reader, idx) = {
    .head = {.name = "idx",
             .formula = "00 00 type rank, dims (big-endian 32 bit), numbers (big-endian)",
             .reference = "LeCun, Cortes & Burges, the MNIST database of handwritten digits",
             .help = "IDX files as MNIST has them, plain or gzip, samples and labels in two files.",
             .attrs = specs,
             .attrs_size = sizeof(struct idx)},
    .suffixes = ".idx .idx.gz ubyte ubyte.gz",
    .needs_path = true,
    .read = read_idx,
};
