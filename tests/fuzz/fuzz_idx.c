/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libFuzzer: any bytes as an IDX file, plain or gzip: as samples (first byte even), or as labels of
 * four samples. What is taken must have as many finite numbers as its shape says and labels in
 * range; what is refused must say why in one line. The seed corpus is tests/fuzz/corpus/idx.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "data/data.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check(bool condition) {
    if (!condition) abort();
}

/* A file of these bytes that lives in memory. */
static int memory_file(const uint8_t *bytes, size_t size, char path[64]) {
    int fd = memfd_create("fuzz", 0);
    check(fd >= 0 && write(fd, bytes, size) == (ssize_t)size);
    snprintf(path, 64, "/proc/self/fd/%d", fd);
    return fd;
}

static void check_data(const fanin_data *data) {
    const struct fi_table *t = &data->tables[FANIN_TRAIN];
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

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static const uint8_t four[] = {0, 0, 8, 2, 0, 0, 0, 4, 0, 0, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8};
    static fanin_ctx *ctx;
    struct fanin_ctx_options options = {.size = sizeof options, .threads = 1, .isa = "portable"};
    if (!ctx) check(fanin_ctx_create(&ctx, &options, NULL, 0) == FANIN_OK);
    if (size == 0) return 0;
    char path[64], samples[64];
    const bool labels = bytes[0] & 1;
    int fd = memory_file(bytes + 1, size - 1, path),
        other = memory_file(four, sizeof four, samples);
    struct fanin_data_options load = {.size = sizeof load,
                                      .reader = {.name = "idx"},
                                      .train = labels ? samples : path,
                                      .train_labels = labels ? path : NULL};
    fanin_data *data;
    if (fanin_data_load(&data, ctx, &load) == FANIN_OK) {
        check_data(data);
        fanin_data_free(data);
    } else {
        const char *message = fanin_errmsg(ctx);
        check(*message && !strchr(message, '\n'));
    }
    close(fd);
    close(other);
    return 0;
}
