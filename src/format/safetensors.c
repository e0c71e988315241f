/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The native model file: safetensors. Eight bytes of header length (little-endian), a JSON header,
 * the data. The header maps each tensor's name to its dtype, shape and place; "__metadata__" maps
 * texts to texts. https://github.com/huggingface/safetensors describes it.
 *
 * A file may come from anywhere, so the reader trusts nothing: no size is used before it is bounded
 * by what the file really holds, products are checked, and the tensors must cover the data exactly:
 * no overlap, no hole, nothing behind. Data are read, not mapped: a file that shrinks while it is
 * read is an error code, not a signal. Every refusal names the file and the reason.
 *
 * A file of ours holds "fanin.format" and "fanin.checksum" in its metadata (format.h); where one
 * stands, or any other key of that prefix, both must, and the checksum must hold: so no single
 * flipped bit goes unnoticed.
 */
#include "format/format.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "data are written as they are in memory");

#define HEADER_LIMIT 100000000
#define HEADER_DEPTH 3 /* the header, a tensor, its shape */
#define METADATA "__metadata__"

/* ---- reading
 * ---------------------------------------------------------------------------------------- */

/* A tensor as the header announces it; checked before memory for it is asked. */
struct span {
    const char *name;
    enum fi_dtype dtype;
    int rank;
    int64_t dims[FANIN_MAX_RANK];
    int64_t begin, end;
};

struct reader {
    struct fi_tensors *tensors;
    fanin_ctx *ctx;
    const char *path;
    int fd;
    int64_t size; /* of the file */
    char *header;
    int64_t header_size, data_size;
    json_t *json;
    struct span *spans;
    int64_t n_spans;
    const char *checksum, *format;
    bool ours; /* some key begins with "fanin." */
};

static enum fanin_status refuse(const struct reader *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static enum fanin_status refuse(const struct reader *r, const char *format, ...) {
    char reason[400];
    va_list args;
    va_start(args, format);
    vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    return fi_fail(r->ctx, FANIN_ERR_DATA, "%s: not a sound safetensors file: %s", r->path, reason);
}

static enum fanin_status read_all(const struct reader *r, void *data, size_t bytes) {
    unsigned char *p = data;
    while (bytes > 0) {
        ssize_t n = read(r->fd, p, bytes);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0)
            return fi_fail(r->ctx, FANIN_ERR_IO, "%s: cannot read: %s", r->path, strerror(errno));
        if (n == 0) return refuse(r, "it became shorter while it was read");
        p += n;
        bytes -= (size_t)n;
    }
    return FANIN_OK;
}

static enum fanin_status open_file(struct reader *r) {
    struct stat st;
    /* not blocking: a pipe without a writer would wait for ever */
    r->fd = open(r->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (r->fd < 0 || fstat(r->fd, &st) != 0)
        return fi_fail(r->ctx, FANIN_ERR_IO, "%s: cannot open: %s", r->path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return fi_fail(r->ctx, FANIN_ERR_IO, "%s: cannot read a model from it: not a regular file",
                       r->path);
    r->size = st.st_size;
    return FANIN_OK;
}

/* Nesting and the number of values, before a tree is built of them: it bounds the memory of the
 * tree. */
static enum fanin_status scan_header(const struct reader *r) {
    bool text = false;
    int depth = 0;
    int64_t values = 0;
    for (int64_t i = 0; i < r->header_size; i++) {
        char c = r->header[i];
        if (text) {
            if (c == '\\')
                i++;
            else if (c == '"')
                text = false;
        } else if (c == '"') {
            text = true;
        } else if (c == '{' || c == '[') {
            values++;
            if (++depth > HEADER_DEPTH) return refuse(r, "its header is nested too deep");
        } else if (c == '}' || c == ']') {
            depth--;
        } else if (c == ',') {
            values++;
        }
    }
    if (values > (int64_t)FI_MAX_TENSORS * 16)
        return refuse(r, "its header holds more than %d tensors", FI_MAX_TENSORS);
    return FANIN_OK;
}

static enum fanin_status read_header(struct reader *r) {
    uint64_t length;
    if (r->size < (int64_t)sizeof length) return refuse(r, "it is shorter than 8 bytes");
    FI_TRY(read_all(r, &length, sizeof length));
    if (length > HEADER_LIMIT || (int64_t)length > r->size - (int64_t)sizeof length)
        return refuse(r, "its header length %" PRIu64 " is beyond %s", length,
                      length > HEADER_LIMIT ? "100000000" : "the end of the file");
    if (length < 2) return refuse(r, "its header is empty");
    r->header_size = (int64_t)length;
    r->data_size = r->size - (int64_t)sizeof length - r->header_size;
    r->header = fi_alloc(r->ctx, r->header_size, 1);
    if (!r->header) return FANIN_ERR_MEMORY;
    FI_TRY(read_all(r, r->header, (size_t)r->header_size));
    if (r->header[0] != '{') return refuse(r, "its header does not begin with '{'");
    FI_TRY(scan_header(r));
    json_error_t error;
    r->json = json_loadb(r->header, (size_t)r->header_size, JSON_REJECT_DUPLICATES, &error);
    if (r->json) return FANIN_OK;
    if (json_error_code(&error) == json_error_out_of_memory)
        return fi_fail_memory(r->ctx, "the header of a model file", (size_t)r->header_size);
    if (json_error_code(&error) == json_error_duplicate_key)
        return refuse(r, "its header holds a key twice (byte %d)", error.position);
    return refuse(r, "its header is not valid JSON (byte %d)", error.position);
}

static enum fanin_status read_metadata(struct reader *r, json_t *object) {
    const char *key;
    json_t *value;
    if (!json_is_object(object)) return refuse(r, METADATA " is not an object");
    json_object_foreach(object, key, value) {
        if (!json_is_string(value)) return refuse(r, "a value of " METADATA " is not a text");
        const char *text = json_string_value(value);
        if (!strncmp(key, "fanin.", 6)) r->ours = true;
        if (!strcmp(key, FI_META_CHECKSUM))
            r->checksum = text;
        else if (!strcmp(key, FI_META_FORMAT))
            r->format = text;
        else
            FI_TRY(fi_tensors_meta(r->tensors, key, text));
    }
    return FANIN_OK;
}

static enum fanin_status read_integer(const struct reader *r, const char *name, const json_t *value,
                                      const char *what, int64_t *out) {
    if (!json_is_integer(value)) return refuse(r, "tensor %s: %s is not an integer", name, what);
    *out = json_integer_value(value);
    if (*out < 0) return refuse(r, "tensor %s: %s is negative", name, what);
    return FANIN_OK;
}

static enum fanin_status read_dtype(const struct reader *r, struct span *s, const json_t *value) {
    const char *name = json_string_value(value);
    if (!name) return refuse(r, "tensor %s has no dtype", s->name);
    for (int i = 0; i < FI_DTYPES; i++)
        if (!strcmp(name, fi_dtype_name((enum fi_dtype)i))) {
            s->dtype = (enum fi_dtype)i;
            return FANIN_OK;
        }
    return refuse(r, "the dtype of tensor %s is none of F64 F32 F16 BF16 I64 I32 U64 U8", s->name);
}

/* The shape, and that it fills begin..end exactly. */
static enum fanin_status read_shape(const struct reader *r, struct span *s, const json_t *shape,
                                    const json_t *offsets) {
    if (!json_is_array(shape)) return refuse(r, "tensor %s has no shape", s->name);
    if (json_array_size(shape) > FANIN_MAX_RANK)
        return refuse(r, "tensor %s has more than %d dimensions", s->name, FANIN_MAX_RANK);
    if (!json_is_array(offsets) || json_array_size(offsets) != 2)
        return refuse(r, "tensor %s has no pair of data_offsets", s->name);
    s->rank = (int)json_array_size(shape);
    int64_t count = 1;
    bool empty = false, fits = true;
    for (int i = 0; i < s->rank; i++) {
        FI_TRY(
            read_integer(r, s->name, json_array_get(shape, (size_t)i), "a dimension", &s->dims[i]));
        /* what stands beside a zero must still be a size */
        if (s->dims[i] == 0)
            empty = true;
        else
            fits = fits && fi_mul(count, s->dims[i], &count);
    }
    fits = fits && fi_mul(count, (int64_t)fi_dtype_bytes(s->dtype), &count);
    if (!fits) return refuse(r, "the size of tensor %s overflows", s->name);
    FI_TRY(read_integer(r, s->name, json_array_get(offsets, 0), "an offset", &s->begin));
    FI_TRY(read_integer(r, s->name, json_array_get(offsets, 1), "an offset", &s->end));
    if (s->end < s->begin) return refuse(r, "tensor %s ends before it begins", s->name);
    if (s->end > r->data_size)
        return refuse(r, "tensor %s ends beyond the end of the file", s->name);
    if (s->end - s->begin != (empty ? 0 : count))
        return refuse(r, "tensor %s: its shape needs %" PRId64 " bytes, its offsets hold %" PRId64,
                      s->name, empty ? 0 : count, s->end - s->begin);
    return FANIN_OK;
}

static enum fanin_status read_span(const struct reader *r, struct span *s, const char *name,
                                   json_t *value) {
    const char *fault = fi_tensor_name_fault(name);
    if (fault) return refuse(r, "a tensor name %s", fault);
    *s = (struct span){.name = name};
    if (!json_is_object(value)) return refuse(r, "tensor %s is not an object", name);
    FI_TRY(read_dtype(r, s, json_object_get(value, "dtype")));
    FI_TRY(
        read_shape(r, s, json_object_get(value, "shape"), json_object_get(value, "data_offsets")));
    if (json_object_size(value) != 3)
        return refuse(r, "tensor %s has more than dtype, shape and data_offsets", name);
    return FANIN_OK;
}

static int compare_spans(const void *a, const void *b) {
    const struct span *x = a, *y = b;
    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    if (x->end != y->end) return x->end < y->end ? -1 : 1;
    return strcmp(x->name, y->name);
}

static enum fanin_status read_spans(struct reader *r) {
    const char *name;
    json_t *value;
    if (json_object_size(r->json) > FI_MAX_TENSORS + 1) /* with the metadata */
        return refuse(r, "its header holds more than %d tensors", FI_MAX_TENSORS);
    r->spans = fi_alloc(r->ctx, (int64_t)json_object_size(r->json), sizeof *r->spans);
    if (!r->spans) return FANIN_ERR_MEMORY;
    json_object_foreach(r->json, name, value) {
        if (!strcmp(name, METADATA))
            FI_TRY(read_metadata(r, value));
        else
            FI_TRY(read_span(r, &r->spans[r->n_spans++], name, value));
    }
    qsort(r->spans, (size_t)r->n_spans, sizeof *r->spans, compare_spans);
    int64_t end = 0;
    for (int64_t i = 0; i < r->n_spans; i++) {
        const struct span *s = &r->spans[i];
        if (s->begin != end)
            return refuse(r, "tensor %s %s", s->name,
                          s->begin < end ? "overlaps another" : "leaves a hole before it");
        end = s->end;
    }
    if (end != r->data_size)
        return refuse(r, "%" PRId64 " bytes behind the last tensor", r->data_size - end);
    return FANIN_OK;
}

static enum fanin_status read_data(const struct reader *r) {
    for (int64_t i = 0; i < r->n_spans; i++) {
        const struct span *s = &r->spans[i];
        struct fi_tensor_entry *e;
        FI_TRY(fi_tensors_add(r->tensors, &e, s->name, s->dtype, s->rank, s->dims, NULL));
        FI_TRY(read_all(r, e->data, e->bytes));
    }
    return fi_tensors_sort(r->tensors, FANIN_ERR_DATA);
}

static enum fanin_status verify(const struct reader *r) {
    if (!r->ours) return FANIN_OK;
    if (!r->format) return refuse(r, "its metadata lack " FI_META_FORMAT);
    if (strcmp(r->format, "1") != 0)
        return fi_fail(r->ctx, FANIN_ERR_DATA,
                       "%s: " FI_META_FORMAT " is not %d: it was written by a newer fanin", r->path,
                       FI_FORMAT_VERSION);
    if (!r->checksum) return refuse(r, "its metadata lack " FI_META_CHECKSUM);
    if (!strcmp(r->checksum, "none")) return FANIN_OK;
    uint64_t sum;
    FI_TRY(fi_tensors_checksum(r->tensors, &sum));
    char digits[17];
    snprintf(digits, sizeof digits, "%016" PRIx64, sum);
    if (strcmp(digits, r->checksum) != 0)
        return fi_fail(
            r->ctx, FANIN_ERR_DATA,
            "%s: damaged: its content does not match its checksum (a tool that edits it must "
            "set " FI_META_CHECKSUM " to none)",
            r->path);
    return FANIN_OK;
}

static enum fanin_status load(struct fi_tensors *tensors, const char *path) {
    struct reader r = {.tensors = tensors, .ctx = tensors->ctx, .path = path, .fd = -1};
    enum fanin_status status = open_file(&r);
    if (status == FANIN_OK) status = read_header(&r);
    if (status == FANIN_OK) status = read_spans(&r);
    if (status == FANIN_OK) status = read_data(&r);
    if (status == FANIN_OK) status = verify(&r);
    if (r.fd >= 0) close(r.fd);
    if (r.json) json_decref(r.json);
    fi_free(r.ctx, r.spans);
    fi_free(r.ctx, r.header);
    return status;
}

/* ---- writing
 * ---------------------------------------------------------------------------------------- */

/* Wide types first, so that all data are aligned: the k-th tensor of the order 8, 4, 2, 1 bytes. */
static enum fanin_status file_order(const struct fi_tensors *t, int64_t **out) {
    static const size_t widths[] = {8, 4, 2, 1};
    int64_t *order = fi_alloc(t->ctx, t->n, sizeof *order), n = 0;
    *out = order;
    if (!order) return FANIN_ERR_MEMORY;
    for (int w = 0; w < FI_COUNT(widths); w++)
        for (int64_t i = 0; i < t->n; i++)
            if (fi_dtype_bytes(t->entries[i].dtype) == widths[w]) order[n++] = i;
    return FANIN_OK;
}

static json_t *metadata_json(const struct fi_tensors *t, uint64_t sum) {
    char digits[17];
    snprintf(digits, sizeof digits, "%016" PRIx64, sum);
    json_t *meta = json_object();
    bool done = json_object_set_new(meta, FI_META_CHECKSUM, json_string(digits)) == 0 &&
                json_object_set_new(meta, FI_META_FORMAT, json_string("1")) == 0;
    for (int64_t i = 0; i < t->n_meta && done; i++)
        done = json_object_set_new(meta, t->meta[i].key, json_string(t->meta[i].value)) == 0;
    if (done) return meta;
    json_decref(meta);
    return NULL;
}

/* The header as text (to be freed with free()), or NULL: no memory, or a text that is not UTF-8. */
static char *header_text(const struct fi_tensors *t, const int64_t *order, uint64_t sum) {
    json_t *root = json_object();
    bool done = json_object_set_new(root, METADATA, metadata_json(t, sum)) == 0;
    int64_t begin = 0;
    for (int64_t i = 0; i < t->n && done; i++) {
        const struct fi_tensor_entry *e = &t->entries[order[i]];
        json_t *shape = json_array();
        for (int d = 0; d < e->rank; d++) json_array_append_new(shape, json_integer(e->dims[d]));
        done = shape && json_array_size(shape) == (size_t)e->rank;
        json_t *entry =
            json_pack("{s:s, s:o, s:[I, I]}", "dtype", fi_dtype_name(e->dtype), "shape", shape,
                      "data_offsets", (json_int_t)begin, (json_int_t)(begin + (int64_t)e->bytes));
        done = json_object_set_new(root, e->name, entry) == 0 && done;
        begin += (int64_t)e->bytes;
    }
    char *text = done ? json_dumps(root, JSON_COMPACT) : NULL;
    json_decref(root);
    return text;
}

static enum fanin_status write_all(fanin_file *file, const struct fi_tensors *t,
                                   const int64_t *order, const char *header) {
    uint64_t length = strlen(header), padded = (length + 7) / 8 * 8;
    if (padded > HEADER_LIMIT)
        return fi_fail(t->ctx, FANIN_ERR_ARGUMENT,
                       "the header would be longer than 100000000 bytes");
    FI_TRY(fanin_file_write(file, &padded, sizeof padded));
    FI_TRY(fanin_file_write(file, header, length));
    FI_TRY(fanin_file_write(file, "       ", padded - length));
    for (int64_t i = 0; i < t->n; i++)
        FI_TRY(fanin_file_write(file, t->entries[order[i]].data, t->entries[order[i]].bytes));
    return fanin_file_commit(file);
}

static enum fanin_status save(const struct fi_tensors *t, const char *path) {
    int64_t *order = NULL;
    uint64_t sum;
    char *header = NULL;
    fanin_file *file = NULL;
    enum fanin_status status = fi_tensors_checksum(t, &sum);
    if (status == FANIN_OK) status = file_order(t, &order);
    if (status == FANIN_OK) {
        header = header_text(t, order, sum);
        if (!header)
            status = fi_fail(t->ctx, FANIN_ERR_MEMORY,
                             "%s: no header: out of memory, or a name or text is not UTF-8", path);
    }
    if (status == FANIN_OK) status = fanin_file_create(&file, t->ctx, path);
    if (status == FANIN_OK) status = write_all(file, t, order, header);
    fanin_file_free(file);
    free(header);
    fi_free(t->ctx, order);
    return status;
}

FI_RECORD(format, safetensors) = {
    .head = {.name = "safetensors",
             .formula = "u64 header length, JSON header, tensors",
             .reference = "https://github.com/huggingface/safetensors",
             .help = "The native model file; the safetensors package of Python reads it."},
    .suffixes = " .safetensors ",
    .load = load,
    .save = save,
};
