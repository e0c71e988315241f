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
#include <float.h>
#include <math.h>
#include <string.h>

#include "data/reader/reader.h"

enum { MAX_RANK = 8, MAX_CLASSES = 65536 };

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
    int rank;
    int64_t dims[MAX_RANK], count; /* count: product of dims */
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
    f->rank = bytes[3];
    if (f->rank < 1 || f->rank > MAX_RANK)
        return fi_fail(ctx, FANIN_ERR_DATA, "'%s' declares %d dimensions; 1 to %d are possible",
                       path, f->rank, MAX_RANK);
    FI_TRY(read_exactly(f, bytes, 4 * f->rank, "header"));
    f->count = 1;
    bool fits = true;
    for (int i = 0; i < f->rank; i++) {
        const uint8_t *b = bytes + 4 * i;
        f->dims[i] = (int64_t)((uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | b[2] << 8 | b[3]);
        if (f->dims[i] == 0)
            return fi_fail(ctx, FANIN_ERR_DATA, "'%s' is empty: dimension %d of %d is 0", path,
                           i + 1, f->rank);
        fits = fits && fi_mul(f->count, f->dims[i], &f->count);
    }
    int64_t total = 0, bound = fi_source_bound(&f->source);
    if (!fits || !fi_mul(f->count, f->type->bytes, &total) || total > bound)
        return fi_fail(ctx, FANIN_ERR_DATA,
                       "'%s' declares more data than it can hold: its %lld samples and other "
                       "dimensions do not fit the %lld bytes that can follow",
                       path, (long long)f->dims[0], (long long)bound);
    return FANIN_OK;
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

/* All numbers as float. Of a number that no float can hold the place is told. */
static enum fanin_status read_numbers(struct file *f, float *to) {
    enum { BATCH = 8192 };
    uint8_t bytes[BATCH * 8];
    const int size = f->type->bytes;
    for (int64_t first = 0; first < f->count; first += BATCH) {
        int64_t n = FI_MIN(f->count - first, BATCH);
        FI_TRY(read_exactly(f, bytes, n * size, "data"));
        for (int64_t i = 0; i < n; i++) {
            uint64_t bits = 0;
            for (int b = 0; b < size; b++) bits = bits << 8 | bytes[i * size + b];
            double value = f->type->value(bits);
            if (!(fabs(value) <= (double)FLT_MAX))
                return fi_fail(f->source.ctx, FANIN_ERR_DATA,
                               "'%s': number %lld (counted from 0) is %g, which is not a finite "
                               "float",
                               f->source.path, (long long)(first + i), value);
            to[first + i] = (float)value;
        }
    }
    return FANIN_OK;
}

static enum fanin_status read_samples(struct fi_read_request *r, struct file *f,
                                      struct fi_table *out) {
    out->n = f->dims[0];
    out->shape.rank = FI_MAX(f->rank - 1, 1);
    out->shape.dims[0] = 1;
    for (int i = 1; i < f->rank; i++) out->shape.dims[i - 1] = f->dims[i];
    out->shape.cols = f->count / out->n;
    if (f->type->code == 0x08) {
        out->u8 = fi_arena_alloc(r->arena, f->count, 1);
        if (!out->u8) return FANIN_ERR_MEMORY;
        FI_TRY(read_exactly(f, out->u8, f->count, "data"));
    } else {
        out->f32 = fi_arena_alloc(r->arena, f->count, sizeof(float));
        if (!out->f32) return FANIN_ERR_MEMORY;
        FI_TRY(read_numbers(f, out->f32));
    }
    return read_end(f);
}

/* Class numbers from integers; the number of classes is the one given, that of the training labels,
 * or told from the highest. */
static enum fanin_status to_classes(struct fi_read_request *r, const float *values,
                                    struct fi_table *out) {
    const struct idx *attrs = r->attrs;
    int64_t highest = 0, given = attrs->classes;
    if (r->like && r->like->task == FANIN_CLASSIFICATION) given = r->like->n_outputs;
    const int64_t limit = given > 0 ? given : MAX_CLASSES;
    out->labels = fi_arena_alloc(r->arena, out->n, sizeof(*out->labels));
    if (!out->labels) return FANIN_ERR_MEMORY;
    for (int64_t i = 0; i < out->n; i++) {
        if (values[i] < 0 || values[i] >= (float)limit)
            return fi_fail(r->ctx, FANIN_ERR_DATA,
                           "'%s': label %.0f of sample %lld (counted from 0) is out of range: "
                           "there are classes 0 to %lld",
                           r->labels_path, (double)values[i], (long long)i, (long long)limit - 1);
        out->labels[i] = (int32_t)values[i];
        highest = FI_MAX(highest, out->labels[i]);
    }
    out->task = FANIN_CLASSIFICATION;
    out->n_outputs = given > 0 ? given : highest + 1;
    return FANIN_OK;
}

static enum fanin_status read_labels(struct fi_read_request *r, struct file *f,
                                     struct fi_table *out) {
    if (f->dims[0] != out->n)
        return fi_fail(r->ctx, FANIN_ERR_DATA, "'%s' has %lld samples but '%s' has %lld labels",
                       r->path, (long long)out->n, r->labels_path, (long long)f->dims[0]);
    if (f->type->integer && f->count != out->n)
        return fi_fail(r->ctx, FANIN_ERR_DATA,
                       "'%s' is no labels file: it has %lld whole numbers per sample (is it the "
                       "images?)",
                       r->labels_path, (long long)(f->count / out->n));
    float *values = fi_arena_alloc(r->arena, f->count, sizeof(float));
    if (!values) return FANIN_ERR_MEMORY;
    FI_TRY(read_numbers(f, values));
    FI_TRY(read_end(f));
    if (f->type->integer) return to_classes(r, values, out);
    out->targets = values;
    out->task = FANIN_REGRESSION;
    out->n_outputs = f->count / out->n;
    return FANIN_OK;
}

static enum fanin_status describe(struct fi_read_request *r, const struct file *f,
                                  struct fi_table *out) {
    struct fi_text text;
    fi_text_init(&text, r->ctx);
    fi_text_add(&text, "%s: %lld samples of ", fi_base_name(r->path), (long long)out->n);
    for (int i = 0; i < out->shape.rank; i++)
        fi_text_add(&text, "%s%lld", i ? "x" : "", (long long)out->shape.dims[i]);
    fi_text_add(&text, " %s, ", f->type->name);
    if (out->task == FANIN_CLASSIFICATION)
        fi_text_add(&text, "%lld classes (whole-number labels)", (long long)out->n_outputs);
    else if (out->task == FANIN_REGRESSION)
        fi_text_add(&text, "%lld target values (floating-point labels)", (long long)out->n_outputs);
    else
        fi_text_add(&text, "no labels");
    out->describe = text.failed ? NULL : fi_arena_strdup(r->arena, text.data);
    fi_text_free(&text);
    return out->describe ? FANIN_OK : FANIN_ERR_MEMORY;
}

static enum fanin_status read_idx(struct fi_read_request *r, struct fi_table *out) {
    struct file samples, labels;
    FI_TRY(open_idx(&samples, r->ctx, r->path));
    enum fanin_status status = read_samples(r, &samples, out);
    fi_source_close(&samples.source);
    if (status == FANIN_OK && r->labels_path) {
        status = open_idx(&labels, r->ctx, r->labels_path);
        if (status == FANIN_OK) {
            status = read_labels(r, &labels, out);
            fi_source_close(&labels.source);
        }
    }
    return status == FANIN_OK ? describe(r, &samples, out) : status;
}

static const struct fanin_attr_spec specs[] = {
    FI_ATTR_INT(struct idx, classes, 0, 0, MAX_CLASSES,
                "number of classes; 0: one more than the highest training label", 0),
    FI_ATTR_END};

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
