/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libFuzzer: any bytes behind the first as an NPZ file, all parts of it. The seed corpus is
 * tests/fuzz/corpus/npz.
 */
#include "fuzz_support.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    if (size > 0 && !(bytes[0] & 1)) load_arrays("npz", bytes, size, bytes, 0);
    return 0;
}
