/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all model formats share: the list of tensors, its checksum, and files that are written
 * completely or not at all.
 *
 * The checksum is a property of the content, not of the bytes in which a format writes it: another
 * tool may write the same tensors and texts in another order and the checksum still holds. It is a
 * chain of fi_hash_mix over the items in the order of their names; data go through four independent
 * chains (32 bytes a round), so that hashing keeps up with reading.
 */
#include "format/format.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- tensors
 * ---------------------------------------------------------------------------------------- */

size_t fi_dtype_bytes(enum fi_dtype dtype) {
    static const size_t bytes[FI_DTYPES] = {
        [FI_F32] = 4, [FI_F64] = 8, [FI_I32] = 4, [FI_I64] = 8,
        [FI_U64] = 8, [FI_U8] = 1,  [FI_F16] = 2, [FI_BF16] = 2};
    return bytes[dtype];
}

const char *fi_dtype_name(enum fi_dtype dtype) {
    static const char *const names[FI_DTYPES] = {
        [FI_F32] = "F32", [FI_F64] = "F64", [FI_I32] = "I32", [FI_I64] = "I64",
        [FI_U64] = "U64", [FI_U8] = "U8",   [FI_F16] = "F16", [FI_BF16] = "BF16"};
    return names[dtype];
}

/* Names are never paths here, but other tools may make files of them. */
static bool leaves_folder(const char *name) {
    if (*name == '/') return true;
    for (const char *part = name; part; part = strchr(part, '/')) {
        part += *part == '/';
        if (!strncmp(part, "..", 2) && (part[2] == '/' || part[2] == '\0')) return true;
    }
    return false;
}

const char *fi_tensor_name_fault(const char *name) {
    size_t length = strlen(name);
    if (length == 0) return "is empty";
    if (length > FI_MAX_NAME) return "is longer than 255 bytes";
    for (const unsigned char *c = (const unsigned char *)name; *c; c++) {
        if (*c < 0x20 || *c == 0x7f) return "holds a control character";
        if (*c == '\\') return "holds a backslash";
    }
    return leaves_folder(name) ? "leads out of a folder" : NULL;
}

enum fanin_status fi_tensors_create(struct fi_tensors **out, fanin_ctx *ctx) {
    struct fi_tensors *t = fi_alloc(ctx, 1, sizeof *t);
    *out = t;
    if (!t) return FANIN_ERR_MEMORY;
    t->ctx = ctx;
    fi_arena_init(&t->arena, ctx);
    return FANIN_OK;
}

void fi_tensors_free(struct fi_tensors *t) {
    if (!t) return;
    fi_arena_free(&t->arena);
    fi_free(t->ctx, t);
}

enum fanin_status fi_tensors_add(struct fi_tensors *t, struct fi_tensor_entry **out,
                                 const char *name, enum fi_dtype dtype, int rank,
                                 const int64_t *dims, const void *data) {
    if (out) *out = NULL;
    const char *fault = fi_tensor_name_fault(name);
    if (fault) return fi_fail(t->ctx, FANIN_ERR_ARGUMENT, "tensor name '%.80s' %s", name, fault);
    if (rank < 0 || rank > FANIN_MAX_RANK)
        return fi_fail(t->ctx, FANIN_ERR_ARGUMENT, "tensor %s: rank %d is not in 0..%d", name, rank,
                       FANIN_MAX_RANK);
    struct fi_tensor_entry e = {.dtype = dtype, .rank = rank, .count = 1};
    int64_t bytes;
    bool fits = true;
    for (int i = 0; i < rank; i++) {
        e.dims[i] = dims[i];
        fits = fits && fi_mul(e.count, dims[i], &e.count);
    }
    if (!fits || !fi_mul(e.count, (int64_t)fi_dtype_bytes(dtype), &bytes))
        return fi_fail(t->ctx, FANIN_ERR_ARGUMENT, "tensor %s: its size overflows", name);
    e.bytes = (size_t)bytes;
    /* the writer never writes through it; a loaded or new tensor owns its memory */
    e.data = data ? (void *)(uintptr_t)data : fi_arena_alloc(&t->arena, bytes, 1);
    e.name = fi_arena_strdup(&t->arena, name);
    if (!e.data || !e.name) return FANIN_ERR_MEMORY;
    void *entries = t->entries;
    FI_TRY(fi_arena_grow(&t->arena, &entries, &t->cap, t->n + 1, sizeof e));
    t->entries = entries;
    t->by_name = NULL;
    t->entries[t->n] = e;
    if (out) *out = &t->entries[t->n];
    t->n++;
    return FANIN_OK;
}

enum fanin_status fi_tensors_meta(struct fi_tensors *t, const char *key, const char *value) {
    if (!strcmp(key, FI_META_CHECKSUM) || !strcmp(key, FI_META_FORMAT))
        return fi_fail(t->ctx, FANIN_ERR_ARGUMENT, "metadata %s is written by the format", key);
    if (fi_tensors_meta_get(t, key))
        return fi_fail(t->ctx, FANIN_ERR_ARGUMENT, "metadata %s is there already", key);
    struct fi_meta_entry e = {fi_arena_strdup(&t->arena, key), fi_arena_strdup(&t->arena, value)};
    if (!e.key || !e.value) return FANIN_ERR_MEMORY;
    void *meta = t->meta;
    FI_TRY(fi_arena_grow(&t->arena, &meta, &t->cap_meta, t->n_meta + 1, sizeof e));
    t->meta = meta;
    t->meta[t->n_meta++] = e;
    return FANIN_OK;
}

const char *fi_tensors_meta_get(const struct fi_tensors *t, const char *key) {
    for (int64_t i = 0; i < t->n_meta; i++)
        if (!strcmp(t->meta[i].key, key)) return t->meta[i].value;
    return NULL;
}

const struct fi_tensor_entry *fi_tensors_find(const struct fi_tensors *t, const char *name) {
    if (!t->by_name) {
        for (int64_t i = 0; i < t->n; i++)
            if (!strcmp(t->entries[i].name, name)) return &t->entries[i];
        return NULL;
    }
    int64_t low = 0, high = t->n;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        int order = strcmp(t->entries[t->by_name[middle]].name, name);
        if (order == 0) return &t->entries[t->by_name[middle]];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* ---- order and checksum
 * ----------------------------------------------------------------------------- */

struct named {
    const char *name;
    int64_t index;
};

static int compare_named(const void *a, const void *b) {
    return strcmp(((const struct named *)a)->name, ((const struct named *)b)->name);
}

enum fanin_status fi_tensors_sort(struct fi_tensors *t, enum fanin_status code) {
    struct named *order = fi_alloc(t->ctx, t->n, sizeof *order);
    if (!order) return FANIN_ERR_MEMORY;
    for (int64_t i = 0; i < t->n; i++) order[i] = (struct named){t->entries[i].name, i};
    qsort(order, (size_t)t->n, sizeof *order, compare_named);
    enum fanin_status status = FANIN_OK;
    for (int64_t i = 1; i < t->n && status == FANIN_OK; i++)
        if (!strcmp(order[i - 1].name, order[i].name))
            status = fi_fail(t->ctx, code, "tensor %s is there twice", order[i].name);
    int64_t *by_name = NULL;
    if (status == FANIN_OK) {
        by_name = fi_arena_alloc(&t->arena, t->n, sizeof *by_name);
        if (!by_name) status = FANIN_ERR_MEMORY;
    }
    for (int64_t i = 0; i < t->n && by_name; i++) by_name[i] = order[i].index;
    fi_free(t->ctx, order);
    t->by_name = by_name;
    return status;
}

static uint64_t load_word(const unsigned char *bytes, size_t n) {
    uint64_t word = 0;
    memcpy(&word, bytes, n);
    return word;
}

static uint64_t hash_bytes(uint64_t hash, const void *data, size_t n) {
    const unsigned char *p = data;
    uint64_t lane[4] = {hash, hash + 1, hash + 2, hash + 3};
    size_t i = 0;
    for (; i + 32 <= n; i += 32)
        for (size_t k = 0; k < 4; k++) lane[k] = fi_hash_mix(lane[k], load_word(p + i + 8 * k, 8));
    for (size_t k = 1; k < 4; k++) lane[0] = fi_hash_mix(lane[0], lane[k]);
    for (; i < n; i += 8)
        lane[0] = fi_hash_mix(lane[0], load_word(p + i, FI_MIN(n - i, (size_t)8)));
    return fi_hash_mix(lane[0], n);
}

enum fanin_status fi_tensors_checksum(const struct fi_tensors *t, uint64_t *out) {
    *out = 0;
    struct named *order = fi_alloc(t->ctx, t->n_meta, sizeof *order);
    if (!order) return FANIN_ERR_MEMORY;
    int64_t n = 0;
    for (int64_t i = 0; i < t->n_meta; i++)
        if (strcmp(t->meta[i].key, FI_META_CHECKSUM) != 0)
            order[n++] = (struct named){t->meta[i].key, i};
    qsort(order, (size_t)n, sizeof *order, compare_named);
    uint64_t hash = fi_hash_mix(fi_hash_mix(0, (uint64_t)n), (uint64_t)t->n);
    for (int64_t i = 0; i < n; i++) {
        const char *value = t->meta[order[i].index].value;
        hash = hash_bytes(hash, order[i].name, strlen(order[i].name));
        hash = hash_bytes(hash, value, strlen(value));
    }
    fi_free(t->ctx, order);
    for (int64_t i = 0; i < t->n; i++) {
        const struct fi_tensor_entry *e = &t->entries[t->by_name[i]];
        hash = hash_bytes(hash, e->name, strlen(e->name));
        hash = fi_hash_mix(hash, (uint64_t)e->dtype);
        hash = hash_bytes(hash, e->dims, (size_t)e->rank * sizeof e->dims[0]);
        hash = hash_bytes(hash, e->data, e->bytes);
    }
    *out = hash;
    return FANIN_OK;
}

/* ---- the native format
 * ------------------------------------------------------------------------------ */

extern const struct fi_format fi_format_safetensors;

enum fanin_status fi_tensors_save(struct fi_tensors *t, const char *path) {
    FI_TRY(fi_tensors_sort(t, FANIN_ERR_ARGUMENT));
    return fi_format_safetensors.save(t, path);
}

enum fanin_status fi_tensors_load(struct fi_tensors **out, fanin_ctx *ctx, const char *path) {
    FI_TRY(fi_tensors_create(out, ctx));
    enum fanin_status status = fi_format_safetensors.load(*out, path);
    if (status != FANIN_OK) {
        fi_tensors_free(*out);
        *out = NULL;
    }
    return status;
}

/* ---- files that are all or nothing
 * ---------------------------------------------------------------------- */

#define FILE_BUFFER 65536

struct fanin_file {
    fanin_ctx *ctx;
    struct fi_arena arena;
    const char *asked, *target, *temporary, *folder;
    int fd;
    bool made; /* the temporary file is there */
    enum fanin_status status;
    size_t n;
    unsigned char buffer[FILE_BUFFER];
};

static enum fanin_status file_failed(fanin_file *f, const char *what, int reason) {
    f->status =
        fi_fail(f->ctx, FANIN_ERR_IO, "%s: cannot %s: %s", f->asked, what, strerror(reason));
    return f->status;
}

/* Follows a link, so that the file it names is replaced and not the link; refuses what is no file.
 */
static enum fanin_status find_target(fanin_file *f, const char *path) {
    struct stat st;
    char *real = NULL;
    if (stat(path, &st) == 0) {
        if (S_ISDIR(st.st_mode)) return file_failed(f, "write", EISDIR);
        if (!S_ISREG(st.st_mode)) {
            f->status = fi_fail(f->ctx, FANIN_ERR_IO, "%s: cannot write: not a regular file", path);
            return f->status;
        }
        if (access(path, W_OK) != 0) return file_failed(f, "write", errno);
        real = realpath(path, NULL);
        if (!real) return file_failed(f, "write", errno);
    } else if (errno != ENOENT) {
        return file_failed(f, "write", errno);
    } else if (lstat(path, &st) == 0) {
        return file_failed(f, "write where the link leads", ENOENT);
    }
    const char *target = fi_arena_strdup(&f->arena, real ? real : path);
    free(real);
    if (!target) return FANIN_ERR_MEMORY;
    f->target = target;
    const char *slash = strrchr(target, '/');
    f->folder = slash ? fi_arena_printf(&f->arena, "%.*s", (int)(slash - target) + 1, target) : ".";
    return f->folder ? FANIN_OK : FANIN_ERR_MEMORY;
}

static enum fanin_status open_temporary(fanin_file *f) {
    for (int attempt = 0; attempt < 100; attempt++) {
        f->temporary =
            fi_arena_printf(&f->arena, "%s.tmp-%ld-%d", f->target, (long)getpid(), attempt);
        if (!f->temporary) return FANIN_ERR_MEMORY;
        f->fd = open(f->temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
        if (f->fd >= 0) {
            f->made = true;
            return FANIN_OK;
        }
        if (errno != EEXIST && errno != EINTR) break;
    }
    return file_failed(f, "write", errno);
}

enum fanin_status fanin_file_create(fanin_file **out, fanin_ctx *ctx, const char *path) {
    *out = NULL;
    if (!path || !*path) return fi_fail(ctx, FANIN_ERR_IO, "the path of a file to write is empty");
    fanin_file *f = fi_alloc(ctx, 1, sizeof *f);
    if (!f) return FANIN_ERR_MEMORY;
    f->ctx = ctx;
    f->fd = -1;
    fi_arena_init(&f->arena, ctx);
    f->asked = fi_arena_strdup(&f->arena, path);
    enum fanin_status status = f->asked ? find_target(f, path) : FANIN_ERR_MEMORY;
    if (status == FANIN_OK) status = open_temporary(f);
    if (status != FANIN_OK) {
        fanin_file_free(f);
        return status;
    }
    *out = f;
    return FANIN_OK;
}

static enum fanin_status write_all(fanin_file *f, const unsigned char *data, size_t bytes) {
    while (bytes > 0) {
        ssize_t n = write(f->fd, data, bytes);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return file_failed(f, "write", errno);
        if (n == 0) return file_failed(f, "write", ENOSPC);
        data += n;
        bytes -= (size_t)n;
    }
    return FANIN_OK;
}

static enum fanin_status flush_buffer(fanin_file *f) {
    size_t n = f->n;
    f->n = 0;
    return write_all(f, f->buffer, n);
}

enum fanin_status fanin_file_write(fanin_file *f, const void *data, size_t bytes) {
    if (f->status != FANIN_OK) return f->status;
    if (bytes > FILE_BUFFER - f->n) FI_TRY(flush_buffer(f));
    if (bytes >= FILE_BUFFER) return write_all(f, data, bytes);
    memcpy(f->buffer + f->n, data, bytes);
    f->n += bytes;
    return FANIN_OK;
}

/* Makes the rename itself durable. Some file systems cannot flush a folder; that is no error. */
static enum fanin_status flush_folder(fanin_file *f) {
    int fd = open(f->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return errno == EACCES ? FANIN_OK : file_failed(f, "open its folder", errno);
    int reason = fsync(fd) == 0 || errno == EINVAL || errno == EROFS ? 0 : errno;
    close(fd);
    return reason ? file_failed(f, "flush its folder", reason) : FANIN_OK;
}

enum fanin_status fanin_file_commit(fanin_file *f) {
    if (f->status != FANIN_OK) return f->status;
    FI_TRY(flush_buffer(f));
    if (fsync(f->fd) != 0) return file_failed(f, "flush", errno);
    int closed = close(f->fd);
    f->fd = -1;
    if (closed != 0 && errno != EINTR) return file_failed(f, "close", errno);
    if (rename(f->temporary, f->target) != 0) return file_failed(f, "rename into place", errno);
    f->made = false;
    return flush_folder(f);
}

void fanin_file_free(fanin_file *f) {
    if (!f) return;
    if (f->fd >= 0) close(f->fd);
    if (f->made) unlink(f->temporary);
    fi_arena_free(&f->arena);
    fi_free(f->ctx, f);
}
