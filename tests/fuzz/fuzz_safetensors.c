/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libFuzzer target: any bytes either load as a model file or are refused; what loads is saved,
 * loads again and saves to the same bytes. Build with clang -fsanitize=fuzzer,address,undefined.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "format/format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char path[64];

static void put(const uint8_t *data, size_t size) {
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(data, 1, size, file) != size || fclose(file) != 0) abort();
}

static char *get(size_t *size) {
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END) != 0) abort();
    *size = (size_t)ftell(file);
    rewind(file);
    char *bytes = malloc(*size + 1);
    if (!bytes || fread(bytes, 1, *size, file) != *size) abort();
    fclose(file);
    return bytes;
}

static void round_trip(fanin_ctx *ctx, struct fi_tensors *t) {
    struct fi_tensors *again;
    size_t n, m;
    if (fi_tensors_save(t, path) != FANIN_OK) abort();
    char *first = get(&n);
    if (fi_tensors_load(&again, ctx, path) != FANIN_OK) abort();
    if (again->n != t->n || again->n_meta != t->n_meta) abort();
    if (fi_tensors_save(again, path) != FANIN_OK) abort();
    char *second = get(&m);
    if (n != m || memcmp(first, second, n) != 0) abort();
    free(first);
    free(second);
    fi_tensors_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fanin_ctx_options options = {.size = sizeof options, .threads = 1};
    struct fi_tensors *t;
    fanin_ctx *ctx;
    /* memory-backed, so that fsync costs nothing */
    if (!*path) snprintf(path, sizeof path, "/dev/shm/fanin-fuzz-%ld", (long)getpid());
    if (fanin_ctx_create(&ctx, &options, NULL, 0) != FANIN_OK) abort();
    put(data, size);
    if (fi_tensors_load(&t, ctx, path) == FANIN_OK) {
        round_trip(ctx, t);
        fi_tensors_free(t);
    } else if (!*fanin_errmsg(ctx) || strchr(fanin_errmsg(ctx), '\n')) {
        abort(); /* a refusal says why, in one line */
    }
    unlink(path);
    fanin_ctx_free(ctx);
    return 0;
}
