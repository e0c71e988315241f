/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libFuzzer: any bytes as a table of text. The first byte chooses the options. What is taken must
 * hold finite numbers and labels in range, and must be taken again by the schema it left; what is
 * refused must say why in one line. The seed corpus is tests/fuzz/corpus/csv.
 */
#include "fuzz_support.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    fanin_ctx *ctx = fuzz_ctx();
    if (size == 0) return 0;
    const uint8_t way = bytes[0];
    char path[64];
    int fd = memory_file(bytes + 1, size - 1, path);
    static const char *const headers[] = {"auto", "yes", "no", "auto"};
    static const char *const missing[] = {"mean", "flag", "error", "median"};
    struct fanin_attr attrs[] = {{.name = "header", .text = headers[way & 3]},
                                 {.name = "min_count", .number = way & 4 ? 1 : 2},
                                 {.name = "missing", .text = missing[way >> 2 & 3]},
                                 {.name = "categories", .text = way & 128 ? "index" : "one_hot"},
                                 {.name = "target", .text = way & 16 ? "1" : ""}};
    struct fanin_data_options load = {.size = sizeof load,
                                      .reader = {.name = "csv", .attrs = attrs, .n_attrs = 5},
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
