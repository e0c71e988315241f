/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the targets that read data need: a context, files that live in memory, and what must hold of
 * whatever is taken or refused.
 */
#ifndef FUZZ_SUPPORT_H
#define FUZZ_SUPPORT_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "data/data.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static inline void check(bool condition) {
    if (!condition) abort();
}

static inline fanin_ctx *fuzz_ctx(void) {
    static fanin_ctx *ctx;
    struct fanin_ctx_options options = {.size = sizeof options, .threads = 1, .isa = "portable"};
    if (!ctx) check(fanin_ctx_create(&ctx, &options, NULL, 0) == FANIN_OK);
    return ctx;
}

/* A file of these bytes that lives in memory. */
static inline int memory_file(const uint8_t *bytes, size_t size, char path[64]) {
    int fd = memfd_create("fuzz", 0);
    check(fd >= 0 && write(fd, bytes, size) == (ssize_t)size);
    snprintf(path, 64, "/proc/self/fd/%d", fd);
    return fd;
}

/* Refused with one line. */
static inline void check_refused(const fanin_ctx *ctx) {
    const char *message = fanin_errmsg(ctx);
    check(*message && !strchr(message, '\n'));
}

/* As many finite numbers as the shape says, labels in range. */
static inline void check_table(const struct fi_table *t) {
    unsigned sum = 0;
    check(t->n > 0 && t->shape.cols > 0);
    for (int64_t i = 0; i < t->n * t->shape.cols; i++) {
        if (t->u8)
            sum += t->u8[i]; /* every byte is there to be read */
        else
            check(isfinite(t->f32[i]));
    }
    check(sum <= 255u * (uint64_t)t->n * (uint64_t)t->shape.cols);
    for (int64_t i = 0; t->labels && i < t->n; i++)
        check(t->labels[i] >= 0 && t->labels[i] < t->n_outputs);
    for (int64_t i = 0; t->targets && i < t->n * t->n_outputs; i++) check(isfinite(t->targets[i]));
}

/* Loads the bytes behind the first with a reader of arrays: as samples (first byte even), or as
 * labels of the samples in the file `four`. */
static inline void load_arrays(const char *reader, const uint8_t *bytes, size_t size,
                               const uint8_t *four, size_t four_size) {
    fanin_ctx *ctx = fuzz_ctx();
    if (size == 0) return;
    char path[64], samples[64];
    const bool labels = bytes[0] & 1;
    int fd = memory_file(bytes + 1, size - 1, path), other = memory_file(four, four_size, samples);
    struct fanin_data_options load = {.size = sizeof load,
                                      .reader = {.name = reader},
                                      .train = labels ? samples : path,
                                      .train_labels = labels ? path : NULL};
    fanin_data *data;
    if (fanin_data_load(&data, ctx, &load) == FANIN_OK) {
        for (int p = 0; p < 3; p++)
            if (data->tables[p].n > 0) check_table(&data->tables[p]);
        fanin_data_free(data);
    } else {
        check_refused(ctx);
    }
    close(fd);
    close(other);
}

#endif
