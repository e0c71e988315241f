/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The members of the kernel table on every tier against their definitions; equality is exact.
 */
#include <float.h>
#include <math.h>

#include "support/records.h"

#define ROWS 9
#define COLS 101
#define LD 112
#define N 1500

static const int64_t picked[] = {8, 0, 3, 3, 7, 1};

static void gathers(void **state) {
    (void)state;
    uint8_t bytes[ROWS * COLS];
    float floats[ROWS * COLS], shift[COLS], scale[COLS];
    for (int i = 0; i < ROWS * COLS; i++) {
        bytes[i] = (uint8_t)(255 * test_uniform(1, i));
        floats[i] = (float)test_normal(2, i);
    }
    for (int j = 0; j < COLS; j++) {
        shift[j] = (float)test_normal(3, j);
        scale[j] = (float)(0.1 + test_uniform(4, j));
    }
    FOR_EACH_TIER(ctx, 1)
    for (int64_t cols = 1; cols <= COLS; cols += 25) {
        fi_real y[FI_COUNT(picked) * LD], z[FI_COUNT(picked) * LD];
        for (int i = 0; i < FI_COUNT(y); i++) y[i] = z[i] = 42;
        ctx->kernels->gather_u8(bytes, cols, picked, FI_COUNT(picked), shift, scale, y, LD);
        ctx->kernels->gather_f32(floats, cols, picked, FI_COUNT(picked), shift, scale, z, LD);
        for (int r = 0; r < FI_COUNT(picked); r++)
            for (int64_t j = 0; j < LD; j++) {
                const int64_t at = picked[r] * cols + j;
                const bool in = j < cols;
                const fi_real u = in ? ((fi_real)bytes[at] - shift[j]) * scale[j] : 42;
                const fi_real f = in ? ((fi_real)floats[at] - shift[j]) * scale[j] : 42;
                assert_true(y[r * LD + j] == u && z[r * LD + j] == f);
            }
        ctx->kernels->gather_u8(bytes, cols, picked, 0, shift, scale, NULL, LD);
    }
}

static void vectors(void **state) {
    (void)state;
    FOR_EACH_TIER(ctx, 1)
    for (int64_t n = 0; n <= N; n = 3 * n / 2 + 1) {
        fi_real x[N + 1], y[N + 1];
        for (int64_t i = 0; i < N + 1; i++) x[i] = y[i] = (fi_real)test_normal(5, i);
        ctx->kernels->scale(y, 3, n);
        ctx->kernels->add(y, x, n);
        for (int64_t i = 0; i < N + 1; i++) assert_true(y[i] == (i < n ? 3 * x[i] + x[i] : x[i]));
    }
}

static void finite_or_not(void **state) {
    (void)state;
    static const double ends[] = {FLT_MAX, -FLT_MAX, FLT_MIN / 2, -0.0};
    fi_real x[2500];
    for (int i = 0; i < FI_COUNT(x); i++) x[i] = (fi_real)ends[i % 4];
    FOR_EACH_TIER(ctx, 1) {
        assert_true(ctx->kernels->all_finite(x, 0));
        assert_true(ctx->kernels->all_finite(x, FI_COUNT(x)));
        for (int i = 0; i < FI_COUNT(x); i += 7)
            for (int bad = 0; bad < 3; bad++) {
                const fi_real kept = x[i];
                x[i] = (fi_real)(bad == 0 ? (double)NAN : bad == 1 ? HUGE_VAL : -HUGE_VAL);
                assert_false(ctx->kernels->all_finite(x, FI_COUNT(x)));
                assert_true(ctx->kernels->all_finite(x, i));
                x[i] = kept;
            }
    }
}

/* g + g ε u, rounded once; keyed by index alone; and at ε = 6e-8 it moves a good part of the
 * numbers by one step, both ways. */
static void noise(void **state) {
    (void)state;
    FOR_EACH_TIER(ctx, 1) {
        const fi_real eps = (fi_real)6e-8;
        fi_real g[N], whole[N];
        for (int64_t i = 0; i < N; i++) g[i] = whole[i] = (fi_real)test_normal(6, i);
        ctx->kernels->rounding_noise(whole, N, eps, 77, 5, 1001);
        int up = 0, down = 0;
        for (int64_t i = 0; i < N; i++) {
            uint32_t words[4];
            fi_philox(77, 5, (uint64_t)(1001 + i) / 4, words);
            const fi_real u = (fi_real)(words[(1001 + i) % 4] >> 8) * (fi_real)0x1p-23 - 1;
            const fi_real eu = eps * u;
            assert_true(whole[i] == fi_fma(g[i], eu, g[i]));
            up += fabs((double)whole[i]) > fabs((double)g[i]);
            down += fabs((double)whole[i]) < fabs((double)g[i]);
        }
        assert_true(up > N / 20 && down > N / 20);
        ctx->kernels->rounding_noise(g, 700, eps, 77, 5, 1001);
        ctx->kernels->rounding_noise(g + 700, N - 700, eps, 77, 5, 1701);
        assert_memory_equal(g, whole, sizeof g);
        ctx->kernels->rounding_noise(g, N, 0, 77, 5, 0);
        assert_memory_equal(g, whole, sizeof g);
    }
}

static void names(void **state) {
    (void)state;
    FOR_EACH_TIER(ctx, 1) assert_string_equal(ctx->kernels->isa, fanin_isa(ctx));
}

static struct CMUnitTest tests[] = {
    cmocka_unit_test(gathers), cmocka_unit_test(vectors), cmocka_unit_test(finite_or_not),
    cmocka_unit_test(noise),   cmocka_unit_test(names),
};

int main(void) {
    return test_main(tests);
}
