/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What readers share: bytes of files (plain, gzip, standard input), the choice of a reader by a
 * path's suffix, keyed random numbers for the synthetic sources.
 */
#ifndef FI_READER_H
#define FI_READER_H

#include "data/data.h"

/* ---- bytes --------------------------------------------------------------------------------------- */

/* A file read from its beginning to its end; gzip is recognized by its first bytes and unpacked. */
struct fi_source {
    fanin_ctx *ctx;
    const char *path; /* for messages */
    int fd;
    int64_t file_size; /* -1: not known (standard input) */
    int64_t file_read; /* bytes of the file taken so far */
    int64_t position;  /* bytes handed out so far */
    bool ended;
    uint8_t *buffer; /* bytes of the file not used yet: [used, held) */
    size_t used, held;
    struct z_stream_s *gzip; /* NULL: plain */
};

/* Opens a regular file, or standard input for "-". On failure there is nothing to close.
 * Errors: IO, MEMORY. */
enum fanin_status fi_source_open(struct fi_source *source, fanin_ctx *ctx, const char *path);
void fi_source_close(struct fi_source *source);
/* Reads n bytes, or what is left of them; *got says how many. The end of a gzip file is checked
 * when a read meets it, so that reading one byte more than expected proves the whole file. Errors:
 * IO, DATA (damaged or truncated gzip), MEMORY. */
enum fanin_status fi_source_read(struct fi_source *source, void *to, int64_t n, int64_t *got);
/* The most bytes that can still come; INT64_MAX if that is not known. */
int64_t fi_source_bound(const struct fi_source *source);
/* Everything that is left, with a zero byte behind; to be freed with fi_free(). A gzip file that
 * unpacks to an absurd multiple of its size is refused. */
enum fanin_status fi_source_read_all(struct fi_source *source, uint8_t **out, int64_t *n);

/* ---- readers ------------------------------------------------------------------------------------- */

/* The reader whose suffixes fit the path ("-" is csv); NULL if there is none. */
const struct fi_reader *fi_reader_for_path(const fanin_ctx *ctx, const char *path);
/* The part of a path behind the last slash, for one-line descriptions. */
const char *fi_base_name(const char *path);
/* Calls the reader after checking that it has the path it needs. */
enum fanin_status fi_reader_call(const struct fi_reader *reader, struct fi_read_request *request,
                                 struct fi_table *out);

/* ---- keyed random numbers -------------------------------------------------------------------------- */

/* Uniform in [0, 1): number `index` of stream (key, step). */
double fi_random53(uint64_t key, uint64_t step, uint64_t index);
/* Two independent standard normal numbers, by Marsaglia's polar method. */
void fi_normal_pair(uint64_t key, uint64_t step, double out[2]);
/* The `row`-th row of n standard normal numbers of a stream whose rows all have n. */
void fi_normal_row(uint64_t key, int64_t row, int64_t n, double *out);
/* Summed in order. */
double fi_dot(const double *a, const double *b, int64_t n);

#endif
