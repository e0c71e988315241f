/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The measurements of the machine: every tier gives numbers that can be, wrong arguments are
 * refused, a request to stop ends it, and memory that runs out is told. No test asserts a speed.
 */
#include <fanin/fanin.h>
#include <math.h>

#include "support/memory.h"
#include "support/support.h"

#define SHORT 1e-3

static void test_every_tier(void **state) {
    (void)state;
    static const char *const tiers[] = {"portable", "avx2", "avx512"};
    for (int i = 0; i < FI_COUNT(tiers); i++) {
        fanin_ctx *ctx = test_ctx_on(2, tiers[i]);
        if (!ctx) continue;
        for (int threads = 0; threads <= 2; threads++) {
            double flops = 0, copy = 0, read = 0;
            assert_ok(ctx, fanin_bench_peak(ctx, threads, SHORT, &flops));
            assert_ok(ctx, fanin_bench_memory(ctx, threads, 40000, SHORT, &copy, &read));
            assert_true(isfinite(flops) && flops > 0);
            assert_true(isfinite(copy) && copy > 0);
            assert_true(isfinite(read) && read > 0);
        }
        for (int product = FANIN_PRODUCT_Y; product <= FANIN_PRODUCT_DW; product++) {
            double flops = 0;
            assert_ok(ctx,
                      fanin_bench_product(ctx, (enum fanin_product)product, 5, 33, 17, 0, &flops));
            assert_true(isfinite(flops) && flops > 0);
        }
        fanin_ctx_free(ctx);
    }
}

static void test_caches(void **state) {
    (void)state;
    for (int level = 1; level <= 3; level++) assert_true(fanin_bench_cache(level) >= 4096);
    assert_int_equal(fanin_bench_cache(0), 0);
    assert_int_equal(fanin_bench_cache(4), 0);
}

static void test_refused(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    double value;
    assert_refused(ctx, FANIN_ERR_ARGUMENT, "the context has 1",
                   fanin_bench_peak(ctx, 2, SHORT, &value));
    assert_refused(ctx, FANIN_ERR_ARGUMENT, "cannot measure -1 threads",
                   fanin_bench_peak(ctx, -1, SHORT, &value));
    assert_refused(ctx, FANIN_ERR_ARGUMENT, "100 bytes",
                   fanin_bench_memory(ctx, 1, 100, SHORT, &value, NULL));
    assert_refused(ctx, FANIN_ERR_ARGUMENT, "must be 1 or more",
                   fanin_bench_product(ctx, FANIN_PRODUCT_Y, 0, 1, 1, SHORT, &value));
    assert_refused(ctx, FANIN_ERR_MEMORY, "out of memory",
                   fanin_bench_product(ctx, FANIN_PRODUCT_Y, INT64_MAX / 2, 64, 64, SHORT, &value));
    fanin_ctx_free(ctx);
}

static void test_stopped(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    double value;
    fanin_stop(ctx);
    assert_int_equal(fanin_bench_peak(ctx, 0, 60, &value), FANIN_ERR_STOPPED);
    assert_int_equal(fanin_bench_memory(ctx, 0, 1 << 16, 60, &value, NULL), FANIN_ERR_STOPPED);
    assert_int_equal(fanin_bench_product(ctx, FANIN_PRODUCT_DX, 4, 4, 4, 60, &value),
                     FANIN_ERR_STOPPED);
    fanin_ctx_free(ctx);
}

/* ---- memory ---------------------------------------------------------------------------------------- */

static void test_memory_runs_out(void **state) {
    (void)state;
    struct test_memory memory = {0};
    const struct fanin_ctx_options options = {
        .size = sizeof options, .threads = 1, .allocator = test_memory_allocator(&memory)};
    fanin_ctx *ctx;
    double value;
    assert_int_equal(fanin_ctx_create(&ctx, &options, NULL, 0), FANIN_OK);
    test_memory_left(&memory, 0);
    assert_refused(ctx, FANIN_ERR_MEMORY, "", fanin_bench_memory(ctx, 1, 1 << 16, 0, &value, NULL));
    for (int n = 0; n < 4; n++) {
        test_memory_left(&memory, n);
        assert_refused(ctx, FANIN_ERR_MEMORY, "",
                       fanin_bench_product(ctx, FANIN_PRODUCT_DX, 8, 64, 64, 0, &value));
    }
    memory.fail_at = 0;
    fanin_ctx_free(ctx);
}

int main(void) {
    struct CMUnitTest tests[] = {cmocka_unit_test(test_every_tier), cmocka_unit_test(test_caches),
                                 cmocka_unit_test(test_refused), cmocka_unit_test(test_stopped),
                                 cmocka_unit_test(test_memory_runs_out)};
    return test_main(tests);
}
