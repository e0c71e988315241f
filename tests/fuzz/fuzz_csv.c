/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libFuzzer: any bytes as a table of text. The first byte chooses the options. What is taken must
 * hold finite numbers and labels in range, and must be taken again by the schema it left; what is
 * refused must say why in one line. The seed corpus is tests/fuzz/corpus/csv.
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

static void check_refused(const fanin_ctx *ctx) {
    const char *message = fanin_errmsg(ctx);
    check(*message && !strchr(message, '\n'));
}

static void check_table(const struct fi_table *t) {
    check(t->n > 0 && t->shape.cols > 0);
    for (int64_t i = 0; i < t->n * t->shape.cols; i++) check(isfinite(t->f32[i]));
    for (int64_t i = 0; t->labels && i < t->n; i++)
        check(t->labels[i] >= 0 && t->labels[i] < t->n_outputs);
    for (int64_t i = 0; t->targets && i < t->n * t->n_outputs; i++) check(isfinite(t->targets[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static fanin_ctx *ctx;
    struct fanin_ctx_options options = {.size = sizeof options, .threads = 1, .isa = "portable"};
    if (!ctx) check(fanin_ctx_create(&ctx, &options, NULL, 0) == FANIN_OK);
    if (size == 0) return 0;
    const uint8_t way = bytes[0];
    int fd = memfd_create("fuzz", 0);
    check(fd >= 0 && write(fd, bytes + 1, size - 1) == (ssize_t)size - 1);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    static const char *const headers[] = {"auto", "yes", "no", "auto"};
    struct fanin_attr attrs[] = {{.name = "header", .text = headers[way & 3]},
                                 {.name = "min_count", .number = way & 4 ? 1 : 2},
                                 {.name = "missing", .text = way & 8 ? "error" : "mean"},
                                 {.name = "target", .text = way & 16 ? "1" : ""}};
    struct fanin_data_options load = {.size = sizeof load,
                                      .reader = {.name = "csv", .attrs = attrs, .n_attrs = 4},
                                      .train = path,
                                      .test_fraction = way & 32 ? 0.3 : 0,
                                      .normalize = way & 64 ? "min_max" : "mean_std"};
    fanin_data *data, *again;
    if (fanin_data_load(&data, ctx, &load) == FANIN_OK) {
        const struct fi_table *t = &data->tables[FANIN_TRAIN];
        check_table(t);
        /* the same columns again; only categories in a test part that training never saw may differ
         */
        check(fi_data_load_like(&again, ctx, "csv", data->schema, path, NULL, &t->shape,
                                data->shift, data->scale, t->output_names, t->n_outputs,
                                t->task) == FANIN_OK);
        check_table(&again->tables[FANIN_TRAIN]);
        check(memcmp(again->tables[FANIN_TRAIN].f32, t->f32,
                     (size_t)(t->n * t->shape.cols) * sizeof(float)) == 0);
        fanin_data_free(again);
        fanin_data_free(data);
    } else {
        check_refused(ctx);
    }
    close(fd);
    return 0;
}
