/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What readers share (reader.h).
 *
 * A source hands out the bytes of a file in order. gzip (RFC 1952, several members allowed) is
 * unpacked by zlib straight into the reader's memory, so a file of known size takes one pass. Only
 * regular files are opened: a pipe, device or directory under a file's name is refused before it
 * can block or run on for ever. Nothing is mapped: a file that shrinks while it is read is an
 * error, not a signal.
 *
 * Marsaglia & Bray (1964): for (u, v) uniform in the unit disc and s = u^2 + v^2, u and v times
 * sqrt(-2 ln s / s) are independent and normal. The logarithm is our own, so the bits do not depend
 * on the C library.
 */
#include "data/reader/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum { CHUNK = 64 * 1024 };

/* Deflate cannot pack better than 1032 : 1. */
enum { DEFLATE_LIMIT = 1032 };
/* A text that unpacks to more than this many times its size, and to more than BOMB_FLOOR, is no
 * table. */
enum { BOMB_RATIO = 256 };
static const int64_t BOMB_FLOOR = (int64_t)64 << 20;
static const int64_t STDIN_LIMIT = (int64_t)8 << 30;

/* ---- bytes --------------------------------------------------------------------------------------- */

static enum fanin_status read_some(struct fi_source *s, void *to, size_t n, size_t *got) {
    ssize_t k;
    do {
        k = read(s->fd, to, FI_MIN(n, (size_t)1 << 30));
    } while (k < 0 && errno == EINTR);
    *got = 0;
    if (k < 0)
        return fi_fail(s->ctx, FANIN_ERR_IO, "cannot read '%s': %s", s->path, strerror(errno));
    *got = (size_t)k;
    s->file_read += k;
    return FANIN_OK;
}

/* After this, used == held means the end of the file. */
static enum fanin_status refill(struct fi_source *s) {
    if (s->used < s->held) return FANIN_OK;
    s->used = 0;
    return read_some(s, s->buffer, CHUNK, &s->held);
}

static void *gzip_alloc(void *ctx, unsigned count, unsigned size) {
    return fi_alloc(ctx, count, size);
}

static void gzip_free(void *ctx, void *memory) {
    fi_free(ctx, memory);
}

static enum fanin_status gzip_start(struct fi_source *s) {
    s->gzip = fi_alloc(s->ctx, 1, sizeof(*s->gzip));
    if (!s->gzip) return FANIN_ERR_MEMORY;
    s->gzip->zalloc = gzip_alloc;
    s->gzip->zfree = gzip_free;
    s->gzip->opaque = s->ctx;
    if (inflateInit2(s->gzip, 16 + MAX_WBITS) != Z_OK) {
        fi_free(s->ctx, s->gzip);
        s->gzip = NULL;
        return fi_fail_memory(s->ctx, "unpacking gzip", sizeof(*s->gzip));
    }
    return FANIN_OK;
}

static enum fanin_status open_file(struct fi_source *s) {
    s->fd = open(s->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (s->fd < 0)
        return fi_fail(s->ctx, FANIN_ERR_IO, "cannot open '%s': %s", s->path, strerror(errno));
    struct stat info;
    if (fstat(s->fd, &info) != 0)
        return fi_fail(s->ctx, FANIN_ERR_IO, "cannot read '%s': %s", s->path, strerror(errno));
    if (S_ISDIR(info.st_mode))
        return fi_fail(s->ctx, FANIN_ERR_IO, "'%s' is a directory, not a data file", s->path);
    if (!S_ISREG(info.st_mode))
        return fi_fail(s->ctx, FANIN_ERR_IO,
                       "'%s' is not a regular file; send it through standard input ('-')", s->path);
    s->file_size = info.st_size;
    return FANIN_OK;
}

enum fanin_status fi_source_open(struct fi_source *s, fanin_ctx *ctx, const char *path) {
    *s = (struct fi_source){.ctx = ctx, .path = path, .fd = -1, .file_size = -1};
    enum fanin_status status = FANIN_OK;
    if (strcmp(path, "-") == 0) {
        s->path = "standard input";
        s->fd = STDIN_FILENO;
    } else {
        status = open_file(s);
    }
    if (status == FANIN_OK && !(s->buffer = fi_alloc(ctx, CHUNK, 1))) status = FANIN_ERR_MEMORY;
    /* two bytes decide; a pipe may bring them one by one */
    while (status == FANIN_OK && s->held < 2) {
        size_t got;
        status = read_some(s, s->buffer + s->held, CHUNK - s->held, &got);
        if (got == 0) break;
        s->held += got;
    }
    if (status == FANIN_OK && s->held >= 2 && s->buffer[0] == 0x1f && s->buffer[1] == 0x8b)
        status = gzip_start(s);
    if (status != FANIN_OK) fi_source_close(s);
    return status;
}

void fi_source_close(struct fi_source *s) {
    if (s->gzip) inflateEnd(s->gzip);
    fi_free(s->ctx, s->gzip);
    fi_free(s->ctx, s->buffer);
    if (s->fd >= 0 && s->fd != STDIN_FILENO) close(s->fd);
    *s = (struct fi_source){.ctx = s->ctx, .path = s->path, .fd = -1, .ended = true};
}

static enum fanin_status read_plain(struct fi_source *s, uint8_t *to, int64_t n, int64_t *got) {
    while (*got < n && !s->ended) {
        size_t want = (size_t)(n - *got), k = FI_MIN(want, s->held - s->used);
        if (k > 0) {
            memcpy(to + *got, s->buffer + s->used, k);
            s->used += k;
        } else {
            FI_TRY(read_some(s, to + *got, want, &k));
            s->ended = k == 0;
        }
        *got += (int64_t)k;
    }
    return FANIN_OK;
}

/* Behind a member: another one, zero bytes to the end of the file (padding, as tar leaves it), or
 * the end. */
static enum fanin_status next_member(struct fi_source *s) {
    bool padding = false;
    for (;;) {
        FI_TRY(refill(s));
        if (s->used == s->held) {
            s->ended = true;
            return FANIN_OK;
        }
        uint8_t byte = s->buffer[s->used];
        if (byte == 0x1f && !padding) {
            inflateReset(s->gzip);
            return FANIN_OK;
        }
        if (byte != 0)
            return fi_fail(s->ctx, FANIN_ERR_DATA, "'%s': other bytes follow the gzip data",
                           s->path);
        padding = true;
        s->used++;
    }
}

static enum fanin_status read_gzip(struct fi_source *s, uint8_t *to, int64_t n, int64_t *got) {
    z_stream *z = s->gzip;
    while (*got < n && !s->ended) {
        FI_TRY(refill(s));
        if (s->used == s->held)
            return fi_fail(s->ctx, FANIN_ERR_DATA,
                           "'%s': the gzip data end in the middle, after %lld unpacked bytes "
                           "(is the file complete?)",
                           s->path, (long long)(s->position + *got));
        z->next_in = s->buffer + s->used;
        z->avail_in = (unsigned)(s->held - s->used);
        z->next_out = to + *got;
        z->avail_out = (unsigned)FI_MIN(n - *got, (int64_t)1 << 30);
        unsigned room = z->avail_out;
        int rc = inflate(z, Z_NO_FLUSH);
        *got += room - z->avail_out;
        s->used = s->held - z->avail_in;
        if (rc == Z_STREAM_END) {
            FI_TRY(next_member(s));
        } else if (rc == Z_MEM_ERROR) {
            return fi_fail_memory(s->ctx, "unpacking gzip", (size_t)1 << MAX_WBITS);
        } else if (rc != Z_OK && rc != Z_BUF_ERROR) {
            return fi_fail(s->ctx, FANIN_ERR_DATA,
                           "'%s': damaged gzip data after %lld unpacked bytes: %s", s->path,
                           (long long)(s->position + *got), z->msg ? z->msg : "cannot be unpacked");
        }
    }
    return FANIN_OK;
}

enum fanin_status fi_source_read(struct fi_source *s, void *to, int64_t n, int64_t *got) {
    *got = 0;
    FI_TRY(s->gzip ? read_gzip(s, to, n, got) : read_plain(s, to, n, got));
    s->position += *got;
    return FANIN_OK;
}

int64_t fi_source_bound(const struct fi_source *s) {
    int64_t left, bound;
    if (s->file_size < 0) return INT64_MAX;
    left = FI_MAX(s->file_size - s->file_read, 0) + (int64_t)(s->held - s->used);
    if (!s->gzip) return left;
    /* 32 KiB: what zlib has taken in but not given out */
    return fi_mul(left, DEFLATE_LIMIT, &bound) && fi_add(bound, 32768, &bound) ? bound : INT64_MAX;
}

static enum fanin_status check_growth(const struct fi_source *s, int64_t n) {
    if (s->gzip && n > BOMB_FLOOR && n / BOMB_RATIO > s->file_read)
        return fi_fail(s->ctx, FANIN_ERR_DATA,
                       "'%s' unpacks to more than %d times its size: not a table of data", s->path,
                       BOMB_RATIO);
    if (s->file_size < 0 && n > STDIN_LIMIT)
        return fi_fail(s->ctx, FANIN_ERR_DATA, "%s brings more than %lld bytes; use a file",
                       s->path, (long long)STDIN_LIMIT);
    return FANIN_OK;
}

enum fanin_status fi_source_read_all(struct fi_source *s, uint8_t **out, int64_t *n) {
    /* one byte more than a plain file has, so that its end is met in the first round */
    int64_t cap = s->gzip || s->file_size < 0 ? CHUNK : fi_source_bound(s) + 1;
    uint8_t *data = NULL;
    *out = NULL;
    *n = 0;
    enum fanin_status status = FANIN_OK;
    while (status == FANIN_OK && !s->ended) {
        int64_t got = 0;
        uint8_t *grown = fi_alloc(s->ctx, cap + 1, 1);
        if (grown && data) memcpy(grown, data, (size_t)*n);
        fi_free(s->ctx, data);
        data = grown;
        status = data ? fi_source_read(s, data + *n, cap - *n, &got) : FANIN_ERR_MEMORY;
        *n += got;
        if (status == FANIN_OK) status = check_growth(s, *n);
        cap *= 2;
    }
    if (status != FANIN_OK) {
        fi_free(s->ctx, data);
        *n = 0;
        return status;
    }
    if (!data && !(data = fi_alloc(s->ctx, 1, 1))) return FANIN_ERR_MEMORY;
    *out = data;
    return FANIN_OK;
}

/* ---- readers ------------------------------------------------------------------------------------- */

const char *fi_base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    if (strcmp(path, "-") == 0) return "standard input";
    return slash ? slash + 1 : path;
}

static bool has_suffix(const char *path, const char *suffixes) {
    size_t length = strlen(path);
    for (const char *word = suffixes; *word;) {
        size_t n = strcspn(word, " ");
        if (n > 0 && n < length && strncmp(path + length - n, word, n) == 0) return true;
        word += n + (word[n] == ' ');
    }
    return false;
}

const struct fi_reader *fi_reader_for_path(const fanin_ctx *ctx, const char *path) {
    if (strcmp(path, "-") == 0) path = "standard input.csv";
    const struct fanin_record *record;
    for (int i = 0; (record = fanin_record_at(ctx, "reader", i)); i++) {
        const struct fi_reader *reader = (const struct fi_reader *)record;
        if (reader->suffixes && has_suffix(path, reader->suffixes)) return reader;
    }
    return NULL;
}

enum fanin_status fi_reader_call(const struct fi_reader *reader, struct fi_read_request *request,
                                 struct fi_table *out) {
    if (reader->needs_path && !request->path)
        return fi_fail(request->ctx, FANIN_ERR_RECIPE,
                       "the reader %s needs a file: name one in data.train", reader->head.name);
    *out = (struct fi_table){0};
    FI_TRY(reader->read(request, out));
    out->in_file = out->n;
    return FANIN_OK;
}

/* ---- keyed random numbers -------------------------------------------------------------------------- */

double fi_random53(uint64_t key, uint64_t step, uint64_t index) {
    uint32_t words[4];
    fi_philox(key, step, index / 2, words);
    return index % 2 ? fi_uniform53(words[2], words[3]) : fi_uniform53(words[0], words[1]);
}

/* ln s for s in (0, 1]: s = m 2^e with m in [0.7, 1.4), ln m = 2 atanh((m-1)/(m+1)), |t| < 0.18. */
static double log_of(double s) {
    static const double ln2 = 0.69314718055994530942;
    int e;
    double m = frexp(s, &e);
    if (m < 0.70710678118654752) {
        m *= 2;
        e--;
    }
    double t = (m - 1) / (m + 1), t2 = t * t, sum = 0;
    for (int k = 21; k >= 1; k -= 2) sum = sum * t2 + 1.0 / k;
    return e * ln2 + 2 * t * sum;
}

void fi_normal_pair(uint64_t key, uint64_t step, double out[2]) {
    for (uint64_t block = 0;; block++) {
        uint32_t words[4];
        fi_philox(key, step, block, words);
        double u = 2 * fi_uniform53(words[0], words[1]) - 1;
        double v = 2 * fi_uniform53(words[2], words[3]) - 1;
        double s = u * u + v * v;
        if (s >= 1 || s == 0) continue;
        double r = sqrt(-2 * log_of(s) / s);
        out[0] = u * r;
        out[1] = v * r;
        return;
    }
}

void fi_normal_row(uint64_t key, int64_t row, int64_t n, double *out) {
    const int64_t pairs = (n + 1) / 2;
    for (int64_t j = 0; j < n; j += 2) {
        double pair[2];
        fi_normal_pair(key, (uint64_t)(row * pairs + j / 2), pair);
        for (int64_t k = j; k < FI_MIN(j + 2, n); k++) out[k] = pair[k - j];
    }
}

double fi_dot(const double *a, const double *b, int64_t n) {
    double sum = 0;
    for (int64_t j = 0; j < n; j++) sum += a[j] * b[j];
    return sum;
}
