/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NPY, the array format of NumPy (NEP 1; numpy.lib.format), versions 1 to 3: the magic bytes
 * "\x93NUMPY", two bytes of version, the length of the header (2 bytes in version 1, 4 in the
 * others, little-endian), the header, which is a dictionary as Python writes it, and the numbers:
 *
 *   {'descr': '<f4', 'fortran_order': False, 'shape': (60000, 28, 28), }
 *
 * descr is the byte order (< > = |), a letter for the kind and the bytes of a number. Numbers are
 * row-major, or column-major with fortran_order. Arrays of objects are pickles, that is programs:
 * they are never read.
 */
#include "data/npy.h"

#include <math.h>
#include <string.h>

/* NumPy pads its headers to a multiple of 64; nothing that describes numbers comes near this. */
enum { HEADER_LIMIT = 65535 };

/* ---- types ----------------------------------------------------------------------------------------- */

static double from_unsigned(uint64_t bits) {
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
static double from_i64(uint64_t bits) {
    return (double)(int64_t)bits;
}
static double from_f16(uint64_t bits) {
    return (double)fi_from_half((uint16_t)bits);
}
static double from_f32(uint64_t bits) {
    uint32_t word = (uint32_t)bits;
    float value;
    memcpy(&value, &word, sizeof value);
    return (double)value;
}
static double from_f64(uint64_t bits) {
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

struct fi_npy_type {
    const char *code; /* without the byte order */
    int bytes;
    bool integer;
    double (*value)(uint64_t bits);
    const char *name;
};
static const struct fi_npy_type types[] = {
    {"b1", 1, true, from_unsigned, "bool"},   {"u1", 1, true, from_unsigned, "uint8"},
    {"u2", 2, true, from_unsigned, "uint16"}, {"u4", 4, true, from_unsigned, "uint32"},
    {"u8", 8, true, from_unsigned, "uint64"}, {"i1", 1, true, from_i8, "int8"},
    {"i2", 2, true, from_i16, "int16"},       {"i4", 4, true, from_i32, "int32"},
    {"i8", 8, true, from_i64, "int64"},       {"f2", 2, false, from_f16, "float16"},
    {"f4", 4, false, from_f32, "float32"},    {"f8", 8, false, from_f64, "float64"},
};
enum { TYPE_BOOL, TYPE_UINT8 };

static enum fanin_status refuse_type(const struct fi_npy *npy, const char *descr) {
    static const struct {
        char kind;
        const char *what;
    } kinds[] = {{'O', "Python objects (a pickle, which could run anything)"},
                 {'U', "texts"},
                 {'S', "texts"},
                 {'a', "texts"},
                 {'V', "raw bytes"},
                 {'c', "complex numbers"},
                 {'M', "dates"},
                 {'m', "time spans"},
                 {'f', "floating-point numbers of a size that is not read"}};
    const char kind = strchr("<>=|", descr[0]) && descr[0] ? descr[1] : descr[0];
    const char *what = NULL;
    for (int i = 0; i < FI_COUNT(kinds); i++)
        if (kinds[i].kind == kind) what = kinds[i].what;
    if (!what)
        return fi_fail(npy->bytes.ctx, FANIN_ERR_DATA,
                       "'%s': its numbers have the unknown type "
                       "'%.20s'",
                       npy->array.path, descr);
    return fi_fail(npy->bytes.ctx, FANIN_ERR_DATA,
                   "'%s' holds %s (type '%.20s'), not numbers: save it with astype('float32')",
                   npy->array.path, what, descr);
}

static enum fanin_status set_type(struct fi_npy *npy, const char *descr) {
    const char order = descr[0];
    const bool ordered = order == '<' || order == '>' || order == '=';
    if (ordered || order == '|')
        for (int i = 0; i < FI_COUNT(types); i++)
            if (strcmp(types[i].code, descr + 1) == 0) npy->type = &types[i];
    if (!npy->type || (!ordered && npy->type->bytes > 1)) return refuse_type(npy, descr);
    npy->big_endian = order == '>';
    npy->array.type = npy->type->name;
    npy->array.integer = npy->type->integer;
    npy->array.flags = npy->type == &types[TYPE_BOOL];
    return FANIN_OK;
}

/* ---- the dictionary ---------------------------------------------------------------------------------- */

struct parser {
    struct fi_npy *npy;
    const char *at; /* the text ends with a zero byte */
    bool seen[3];   /* descr, fortran_order, shape */
};

static enum fanin_status bad_header(const struct parser *p, const char *what) {
    return fi_fail(p->npy->bytes.ctx, FANIN_ERR_DATA,
                   "'%s': its header is not what NumPy writes: %s expected at '%.20s'",
                   p->npy->array.path, what, p->at);
}

/* Skips blanks, and the character if it is there. */
static bool accept(struct parser *p, char c) {
    p->at += strspn(p->at, " \t\n");
    if (!*p->at || *p->at != c) return false;
    p->at++;
    return true;
}

/* A text in single or double quotes, without escapes. */
static enum fanin_status parse_text(struct parser *p, char *out, size_t size) {
    const char quote = accept(p, '\'') ? '\'' : '"';
    if (quote == '"' && !accept(p, '"')) return bad_header(p, "a text");
    const char *end = strchr(p->at, quote);
    if (!end || (size_t)(end - p->at) >= size) return bad_header(p, "a short text");
    memcpy(out, p->at, (size_t)(end - p->at));
    out[end - p->at] = '\0';
    p->at = end + 1;
    return FANIN_OK;
}

static enum fanin_status parse_descr(struct parser *p) {
    char descr[64];
    if (accept(p, '['))
        return fi_fail(p->npy->bytes.ctx, FANIN_ERR_DATA,
                       "'%s' holds records with fields, not numbers: save one array for each field",
                       p->npy->array.path);
    FI_TRY(parse_text(p, descr, sizeof descr));
    return set_type(p->npy, descr);
}

static enum fanin_status parse_order(struct parser *p) {
    p->at += strspn(p->at, " ");
    const bool yes = strncmp(p->at, "True", 4) == 0, no = strncmp(p->at, "False", 5) == 0;
    if (!yes && !no) return bad_header(p, "True or False");
    p->npy->fortran_order = yes;
    p->at += yes ? 4 : 5;
    return FANIN_OK;
}

static enum fanin_status parse_shape(struct parser *p) {
    struct fi_array *a = &p->npy->array;
    if (!accept(p, '(')) return bad_header(p, "'('");
    for (a->rank = 0; !accept(p, ')'); a->rank++) {
        int64_t dim = 0;
        if (a->rank == FI_ARRAY_MAX_RANK)
            return fi_fail(p->npy->bytes.ctx, FANIN_ERR_DATA,
                           "'%s' declares more than %d dimensions", a->path, FI_ARRAY_MAX_RANK);
        p->at += strspn(p->at, " ");
        if (*p->at < '0' || *p->at > '9') return bad_header(p, "a dimension");
        for (; *p->at >= '0' && *p->at <= '9'; p->at++)
            if (!fi_mul(dim, 10, &dim) || !fi_add(dim, *p->at - '0', &dim))
                return bad_header(p, "a dimension that can be");
        p->at += *p->at == 'L'; /* as Python 2 wrote it */
        a->dims[a->rank] = dim;
        if (!accept(p, ',') && *p->at != ')') return bad_header(p, "',' or ')'");
    }
    if (a->rank > 0) return FANIN_OK;
    return fi_fail(p->npy->bytes.ctx, FANIN_ERR_DATA,
                   "'%s' is a single number: its first dimension must count samples", a->path);
}

static enum fanin_status parse_dictionary(struct parser *p) {
    static const char keys[] = "descr|fortran_order|shape";
    static enum fanin_status (*const values[])(struct parser *) = {parse_descr, parse_order,
                                                                   parse_shape};
    if (!accept(p, '{')) return bad_header(p, "'{'");
    while (!accept(p, '}')) {
        char key[32];
        const char *begin = p->at;
        FI_TRY(parse_text(p, key, sizeof key));
        const int index = fi_word_index(keys, key);
        if (index < 0 || p->seen[index]) p->at = begin;
        if (index < 0) return bad_header(p, "descr, fortran_order or shape");
        if (p->seen[index]) return bad_header(p, "another key");
        p->seen[index] = true;
        if (!accept(p, ':')) return bad_header(p, "':'");
        FI_TRY(values[index](p));
        if (!accept(p, ',') && *p->at != '}') return bad_header(p, "',' or '}'");
    }
    if (!p->seen[0] || !p->seen[1] || !p->seen[2])
        return bad_header(p, "descr, fortran_order and shape before what is");
    p->at += strspn(p->at, " \t\n");
    return *p->at ? bad_header(p, "the end of the header") : FANIN_OK;
}

/* ---- bytes ------------------------------------------------------------------------------------------- */

static enum fanin_status read_exactly(struct fi_npy *npy, void *to, int64_t n, const char *what) {
    struct fi_npy_bytes *b = &npy->bytes;
    int64_t got;
    FI_TRY(b->read(b->from, to, n, &got));
    b->position += got;
    if (got == n) return FANIN_OK;
    return fi_fail(b->ctx, FANIN_ERR_DATA,
                   "'%s' ends in the middle of the %s: byte %lld is missing (is the file "
                   "complete?)",
                   npy->array.path, what, (long long)b->position);
}

/* The length of the header; the version decides how it is written. */
static enum fanin_status read_preamble(struct fi_npy *npy, int64_t *length) {
    uint8_t bytes[8];
    FI_TRY(read_exactly(npy, bytes, 8, "header"));
    if (memcmp(bytes, "\x93NUMPY", 6) != 0)
        return fi_fail(npy->bytes.ctx, FANIN_ERR_DATA,
                       "'%s' is not an NPY file: it begins with %02x %02x %02x %02x",
                       npy->array.path, bytes[0], bytes[1], bytes[2], bytes[3]);
    if (bytes[6] < 1 || bytes[6] > 3 || bytes[7] != 0)
        return fi_fail(npy->bytes.ctx, FANIN_ERR_DATA,
                       "'%s' is NPY of version %d.%d; 1.0, 2.0 and 3.0 are known", npy->array.path,
                       bytes[6], bytes[7]);
    const int wide = bytes[6] == 1 ? 2 : 4;
    FI_TRY(read_exactly(npy, bytes, wide, "header"));
    *length = 0;
    for (int i = 0; i < wide; i++) *length |= (int64_t)bytes[i] << 8 * i;
    if (*length <= HEADER_LIMIT && *length <= npy->bytes.bound) return FANIN_OK;
    return fi_fail(npy->bytes.ctx, FANIN_ERR_DATA,
                   "'%s': its header would have %lld bytes, more than it can hold", npy->array.path,
                   (long long)*length);
}

enum fanin_status fi_npy_header(struct fi_npy *npy) {
    int64_t length;
    FI_TRY(read_preamble(npy, &length));
    char *text = fi_alloc(npy->bytes.ctx, length + 1, 1);
    if (!text) return FANIN_ERR_MEMORY;
    struct parser p = {.npy = npy, .at = text};
    enum fanin_status status = read_exactly(npy, text, length, "header");
    if (status == FANIN_OK && memchr(text, 0, (size_t)length))
        status = bad_header(&p, "text without zero bytes");
    if (status == FANIN_OK) status = parse_dictionary(&p);
    fi_free(npy->bytes.ctx, text);
    FI_TRY(status);
    return fi_array_count(npy->bytes.ctx, &npy->array, npy->type->bytes,
                          npy->bytes.bound - npy->bytes.position);
}

/* ---- numbers ----------------------------------------------------------------------------------------- */

/* Where the numbers of the file go: one by one, or, column-major, the first dim fastest. */
struct walk {
    const struct fi_array *array;
    bool fortran;
    int64_t index, place[FI_ARRAY_MAX_RANK], stride[FI_ARRAY_MAX_RANK];
};

static void walk_begin(struct walk *w, const struct fi_npy *npy) {
    *w = (struct walk){.array = &npy->array, .fortran = npy->fortran_order};
    int64_t stride = 1;
    for (int i = npy->array.rank; i-- > 0; stride *= npy->array.dims[i]) w->stride[i] = stride;
}

static void walk_on(struct walk *w) {
    if (!w->fortran) {
        w->index++;
        return;
    }
    for (int i = 0; i < w->array->rank; i++) {
        w->index += w->stride[i];
        if (++w->place[i] < w->array->dims[i]) return;
        w->index -= w->place[i] * w->stride[i];
        w->place[i] = 0;
    }
}

static uint64_t bits_at(const struct fi_npy *npy, const uint8_t *bytes) {
    const int size = npy->type->bytes;
    uint64_t bits = 0;
    for (int b = 0; b < size; b++)
        bits |= (uint64_t)bytes[npy->big_endian ? size - 1 - b : b] << 8 * b;
    return bits;
}

static enum fanin_status put(struct fi_npy *npy, int64_t index, int64_t number, uint64_t bits) {
    struct fi_array *a = &npy->array;
    if (a->flags && bits > 1)
        return fi_fail(npy->bytes.ctx, FANIN_ERR_DATA,
                       "'%s': number %lld (counted from 0) is %llu, which is no truth value",
                       a->path, (long long)number, (unsigned long long)bits);
    if (!a->u8) return fi_array_put(npy->bytes.ctx, a, index, number, npy->type->value(bits));
    a->u8[index] = (uint8_t)bits;
    return FANIN_OK;
}

static enum fanin_status read_converted(struct fi_npy *npy) {
    enum { BATCH = 8192 };
    uint8_t bytes[BATCH * 8];
    const int size = npy->type->bytes;
    struct walk walk;
    walk_begin(&walk, npy);
    for (int64_t first = 0; first < npy->array.count; first += BATCH) {
        const int64_t n = FI_MIN(npy->array.count - first, BATCH);
        FI_TRY(read_exactly(npy, bytes, n * size, "data"));
        for (int64_t i = 0; i < n; i++, walk_on(&walk))
            FI_TRY(put(npy, walk.index, first + i, bits_at(npy, bytes + i * size)));
    }
    return FANIN_OK;
}

/* Asking for one byte more also checks what the container knows of its end. */
static enum fanin_status read_end(struct fi_npy *npy) {
    uint8_t byte;
    int64_t got;
    FI_TRY(npy->bytes.read(npy->bytes.from, &byte, 1, &got));
    if (got == 0) return FANIN_OK;
    return fi_fail(npy->bytes.ctx, FANIN_ERR_DATA,
                   "'%s' holds more than its header declares (%lld bytes)", npy->array.path,
                   (long long)npy->bytes.position);
}

enum fanin_status fi_npy_numbers(struct fi_npy *npy, struct fi_arena *arena) {
    struct fi_array *a = &npy->array;
    const bool bytes = npy->type->bytes == 1 && npy->type->value == from_unsigned;
    if (bytes)
        a->u8 = fi_arena_alloc(arena, a->count, 1);
    else
        a->f32 = fi_arena_alloc(arena, a->count, sizeof(float));
    if (!a->u8 && !a->f32) return FANIN_ERR_MEMORY;
    if (npy->type == &types[TYPE_UINT8] && !npy->fortran_order)
        FI_TRY(read_exactly(npy, a->u8, a->count, "data"));
    else
        FI_TRY(read_converted(npy));
    return read_end(npy);
}
