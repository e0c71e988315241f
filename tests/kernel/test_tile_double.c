/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The register tile in double on every tier against a loop of fma: equality is exact, and nothing
 * around the tile is written.
 */
#include "kernel/tile_double.h"
#include "tiers.h"

#define KS 61
#define LDA (KS + 4)
#define LDC (FI_DOUBLE_COLS + 3)

static double number(uint64_t stream, int64_t i) {
    return (double)test_number(stream, i) / 3;
}

static void tile_is_chains(void **state) {
    (void)state;
    static const int64_t sizes[] = {1, 2, 48, KS};
    static double a[FI_DOUBLE_ROWS * LDA], b[KS * FI_DOUBLE_COLS];
    static double want[FI_DOUBLE_ROWS * LDC], got[FI_DOUBLE_ROWS * LDC];
    for (int64_t i = 0; i < FI_COUNT(a); i++) a[i] = number(1, i);
    for (int64_t i = 0; i < FI_COUNT(b); i++) b[i] = number(2, i);
    FOR_EACH_KERNEL_TIER(t)
    for (int s = 0; s < 2 * FI_COUNT(sizes); s++) {
        const int64_t ks = sizes[s / 2];
        const bool load = s % 2;
        for (int64_t i = 0; i < FI_COUNT(want); i++) want[i] = got[i] = number(3, i);
        for (int r = 0; r < FI_DOUBLE_ROWS; r++)
            for (int l = 0; l < FI_DOUBLE_COLS; l++) {
                double sum = load ? want[r * LDC + l] : 0;
                for (int64_t k = 0; k < ks; k++)
                    sum = fma(a[r * LDA + k], b[k * FI_DOUBLE_COLS + l], sum);
                want[r * LDC + l] = sum;
            }
        t->double_tile(ks, a, LDA, b, got, LDC, load);
        assert_memory_equal(got, want, sizeof got);
    }
}

static struct CMUnitTest tests[] = {
    cmocka_unit_test(tile_is_chains),
};

int main(void) {
    return test_main(tests);
}
