/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libFuzzer: any bytes as an NPY file, plain or gzip: as samples (first byte even), or as labels of
 * four samples. The seed corpus is tests/fuzz/corpus/npy.
 */
#include "fuzz_support.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static const char four[] =
        "\x93NUMPY\1\0\x37\0{'descr': '|u1', 'fortran_order': False, 'shape': (4,)}1234";
    load_arrays("npy", bytes, size, (const uint8_t *)four, sizeof four - 1);
    return 0;
}
