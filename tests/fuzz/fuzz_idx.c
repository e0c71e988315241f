/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libFuzzer: any bytes as an IDX file, plain or gzip: as samples (first byte even), or as labels of
 * four samples. The seed corpus is tests/fuzz/corpus/idx.
 */
#include "fuzz_support.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static const uint8_t four[] = {0, 0, 8, 2, 0, 0, 0, 4, 0, 0, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8};
    load_arrays("idx", bytes, size, four, sizeof four);
    return 0;
}
