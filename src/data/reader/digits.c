/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The handwritten digits inside the library: 1,797 images of 8×8 cells with values 0 to 16, ten
 * classes. They are the test set of "Optical Recognition of Handwritten Digits" (Alpaydin & Kaynak
 * 1998, UCI Machine Learning Repository, CC BY 4.0, doi:10.24432/C50P49); see data/README.md for
 * the format.
 */
#include <string.h>

#include "data/reader/reader.h"

/* data/digits.bin, turned into an array by the build. */
extern const unsigned char fi_digits_bin[];
extern const size_t fi_digits_bin_size;

enum { SIDE = 8, CELLS = SIDE * SIDE, RECORD = CELLS + 1, CLASSES = 10 };

static enum fanin_status read_digits(struct fi_read_request *r, struct fi_table *out) {
    out->n = (int64_t)(fi_digits_bin_size / RECORD);
    out->shape = (struct fanin_shape){.rank = 2, .dims = {SIDE, SIDE}, .cols = CELLS};
    out->task = FANIN_CLASSIFICATION;
    out->n_outputs = CLASSES;
    out->describe =
        "embedded handwritten digits (UCI optical digits, test set): 1797 images of 8x8, "
        "10 classes";
    out->u8 = fi_arena_alloc(r->arena, out->n, CELLS);
    out->labels = fi_arena_alloc(r->arena, out->n, sizeof(*out->labels));
    if (!out->u8 || !out->labels) return FANIN_ERR_MEMORY;
    for (int64_t i = 0; i < out->n; i++) {
        const unsigned char *record = fi_digits_bin + i * RECORD;
        memcpy(out->u8 + i * CELLS, record, CELLS);
        out->labels[i] = record[CELLS];
    }
    return FANIN_OK;
}

FI_RECORD(reader, digits) = {
    .head = {.name = "digits",
             .formula = "1797 images of 8x8, values 0..16, 10 classes",
             .reference = "Alpaydin & Kaynak 1998, Optical Recognition of Handwritten Digits, UCI "
                          "Machine Learning Repository, doi:10.24432/C50P49 (CC BY 4.0)",
             .help = "The handwritten digits that come inside the library."},
    .read = read_digits,
};
