/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dropout: how many are kept, the means of output and gradient, the exact cases, and that a mask
 * depends on key, step and element alone.
 */
#include "support/records.h"

#define SIDE 1000 /* 10^6 draws */

static const struct fanin_attr *rate_of(struct fanin_attr *attr, double rate) {
    *attr = (struct fanin_attr){.name = "rate", .number = rate};
    return attr;
}

static void create(struct op_run *run, fanin_ctx *ctx, double rate, int64_t rows, int64_t cols) {
    struct fanin_attr attr;
    const struct fanin_case c = {
        .rows = rows, .n_in = 1, .dims = {{cols}}, .attrs = rate_of(&attr, rate), .n_attrs = 1};
    op_run_create(run, ctx, "dropout", &c);
}

static int64_t count_kept(const struct fanin_tensor *t) {
    int64_t kept = 0;
    for (int64_t r = 0; r < t->rows; r++)
        for (int64_t c = 0; c < t->cols; c++) kept += *test_at(t, r, c) != 0;
    return kept;
}

static double mean(const struct fanin_tensor *t) {
    double sum = 0;
    for (int64_t r = 0; r < t->rows; r++)
        for (int64_t c = 0; c < t->cols; c++) sum += (double)*test_at(t, r, c);
    return sum / (double)(t->rows * t->cols);
}

static void keeps_the_mean(void **state) {
    (void)state;
    static const double rates[] = {0.1, 0.2, 0.5, 0.8};
    const double n = (double)SIDE * SIDE;
    fanin_ctx *ctx = test_ctx();
    for (int i = 0; i < FI_COUNT(rates); i++) {
        const double keep = 1 - rates[i];
        struct op_run run;
        create(&run, ctx, rates[i], SIDE, SIDE);
        test_fill(&run.x[0], 1);
        test_fill(&run.dy, 1);
        op_forward(&run);
        op_backward(&run);
        const double z = ((double)count_kept(&run.y) - n * keep) / sqrt(n * keep * rates[i]);
        const double error = 5 * sqrt(rates[i] / keep / n);
        print_message("rate %.1f: z = %.2f, mean %.5f\n", rates[i], z, mean(&run.y));
        assert_true(fabs(z) < 5);
        assert_true(fabs(mean(&run.y) - 1) < error && fabs(mean(&run.dx[0]) - 1) < error);
        for (int64_t r = 0; r < SIDE; r++) { /* one mask, one scale */
            assert_memory_equal(test_at(&run.y, r, 0), test_at(&run.dx[0], r, 0),
                                SIDE * sizeof(fi_real));
        }
        op_run_free(&run);
    }
    fanin_ctx_free(ctx);
}

/* The scale is that of the rounded rate, so the expectation of the output is x to the last bit of
 * 1/keep. */
static void scale_of_the_rounded_rate(void **state) {
    (void)state;
    static const double rates[] = {1.0 / 3, 0.1, 0.7, 1e-4};
    fanin_ctx *ctx = test_ctx();
    for (int i = 0; i < FI_COUNT(rates); i++) {
        struct op_run run;
        create(&run, ctx, rates[i], 4, 100);
        test_fill(&run.x[0], 1);
        op_forward(&run);
        const double keep = 1 - floor(rates[i] * 65536 + 0.5) / 65536;
        for (int64_t c = 0; c < 100; c++) {
            const fi_real y = *test_at(&run.y, 0, c);
            assert_true(y == 0 || y == (fi_real)(1 / keep));
        }
        assert_true(run.op->draws(run.io.attrs));
        op_run_free(&run);
    }
    fanin_ctx_free(ctx);
}

static void exact_rates(void **state) {
    (void)state;
    static const double special[] = {1, -0.0, 1e-45, -3e38, INFINITY, NAN};
    FOR_EACH_TIER(ctx, 1) {
        for (int rate = 0; rate <= 1; rate++) {
            struct op_run run;
            create(&run, ctx, rate, 3, 37);
            for (int64_t r = 0; r < 3; r++)
                for (int64_t c = 0; c < 37; c++)
                    *test_at(&run.x[0], r, c) = *test_at(&run.dy, r, c) = (fi_real)special[c % 6];
            op_forward(&run);
            op_backward(&run);
            for (int64_t r = 0; r < 3; r++)
                for (int64_t c = 0; c < 37; c++) {
                    const fi_real want = rate ? 0 : *test_at(&run.x[0], r, c);
                    assert_memory_equal(test_at(&run.y, r, c), &want, sizeof want);
                    assert_memory_equal(test_at(&run.dx[0], r, c), &want, sizeof want);
                }
            assert_false(run.op->draws(run.io.attrs));
            op_run_free(&run);
        }
    }
}

static void identity_in_inference(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    struct op_run run;
    create(&run, ctx, 0.5, 5, 19);
    test_fill_normal(&run.x[0], 1, 0, 1);
    run.s.training = 0;
    op_forward(&run);
    assert_true(test_hash(0, &run.x[0]) == test_hash(0, &run.y));
    op_run_free(&run);
    fanin_ctx_free(ctx);
}

/* A whole batch at once, in odd blocks, and as two shards: the same mask. */
static void blocks_and_shards(void **state) {
    (void)state;
    const int64_t rows = 12, cols = 77;
    fanin_ctx *ctx = test_ctx();
    struct op_run whole, pieces, shard;
    create(&whole, ctx, 0.3, rows, cols);
    create(&pieces, ctx, 0.3, rows, cols);
    create(&shard, ctx, 0.3, rows / 2, cols);
    test_fill(&whole.x[0], 1);
    test_fill(&pieces.x[0], 1);
    test_fill(&shard.x[0], 1);
    op_forward(&whole);
    for (int64_t r = 0; r < rows; r += 5)
        for (int64_t c = 0; c < cols; c += 13)
            op_forward_block(&pieces, &(struct fanin_block){.row0 = r,
                                                            .rows = FI_MIN(5, rows - r),
                                                            .col0 = c,
                                                            .cols = FI_MIN(13, cols - c)});
    assert_true(test_hash(0, &whole.y) == test_hash(0, &pieces.y));
    shard.s.row0 = rows / 2;
    op_forward(&shard);
    for (int64_t r = 0; r < rows / 2; r++)
        assert_memory_equal(test_at(&shard.y, r, 0), test_at(&whole.y, rows / 2 + r, 0),
                            (size_t)cols * sizeof(fi_real));
    op_run_free(&whole);
    op_run_free(&pieces);
    op_run_free(&shard);
    fanin_ctx_free(ctx);
}

/* By the definition: number i of the global batch has 16-bit half i % 2 of word i / 2. */
static bool kept(const struct op_run *run, int64_t row, int64_t col) {
    const int64_t index = (run->s.row0 + row) * run->y.cols + col;
    uint32_t words[4];
    if (run->s.switches) return run->s.switches[col];
    fi_philox(run->s.key, run->s.step, (uint64_t)index / 8, words);
    return (words[index / 2 % 4] >> index % 2 * 16 & 0xFFFF) >= 19661; /* 0.3 · 2^16 */
}

static void check_blocks(struct op_run *run, int64_t wide) {
    const int64_t rows = run->s.rows, cols = run->y.cols;
    test_fill(&run->y, 7);
    for (int64_t r = 0; r < rows; r += 2)
        for (int64_t c = 0; c < cols; c += wide)
            op_forward_block(run, &(struct fanin_block){.row0 = r,
                                                        .rows = FI_MIN(2, rows - r),
                                                        .col0 = c,
                                                        .cols = FI_MIN(wide, cols - c)});
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < cols; c++)
            assert_int_equal(*test_at(&run->y, r, c) != 0, kept(run, r, c));
}

/* Rows and blocks that begin at any bit of the mask, drawn and given, on every tier. */
static void the_mask_is_what_is_defined(void **state) {
    (void)state;
    static const int64_t widths[] = {1, 7, 31, 33, 64, 77, 533};
    static const int64_t blocks[] = {1, 13, 32, 48, 1000};
    uint8_t switches[533];
    for (int i = 0; i < FI_COUNT(switches); i++) switches[i] = i % 3 == 1 || i % 7 == 0;
    FOR_EACH_TIER(ctx, 1)
    for (int w = 0; w < FI_COUNT(widths); w++) {
        struct op_run run;
        create(&run, ctx, 0.3, 5, widths[w]);
        test_fill(&run.x[0], 1);
        for (int b = 0; b < FI_COUNT(blocks); b++)
            for (int shard = 0; shard < 2; shard++) {
                run.s.row0 = shard * 3;
                run.s.switches = NULL;
                check_blocks(&run, blocks[b]);
                run.s.switches = switches;
                check_blocks(&run, blocks[b]);
            }
        op_run_free(&run);
    }
}

/* Another step or node has a mask that is independent of the first: they agree where chance lets
 * them. */
static void steps_and_nodes_differ(void **state) {
    (void)state;
    const double n = 100.0 * 1000;
    fanin_ctx *ctx = test_ctx();
    struct op_run a, b;
    create(&a, ctx, 0.5, 100, 1000);
    create(&b, ctx, 0.5, 100, 1000);
    test_fill(&a.x[0], 1);
    test_fill(&b.x[0], 1);
    op_forward(&a);
    for (int other = 0; other < 3; other++) {
        b.s.step = other == 1;
        b.s.key = other == 2 ? 54321 : a.s.key;
        op_forward(&b);
        int64_t same = 0;
        for (int64_t r = 0; r < 100; r++)
            for (int64_t c = 0; c < 1000; c++) same += *test_at(&a.y, r, c) == *test_at(&b.y, r, c);
        if (other == 0)
            assert_int_equal(same, 100000);
        else
            assert_true(fabs((double)same - n / 2) < 5 * sqrt(n) / 2);
    }
    op_run_free(&a);
    op_run_free(&b);
    fanin_ctx_free(ctx);
}

static void same_bits(void **state) {
    (void)state;
    uint64_t first = 0;
    FOR_EACH_TIER(ctx, 1) {
        struct op_run run;
        create(&run, ctx, 0.37, 31, 533);
        test_fill_normal(&run.x[0], 1, 0, 1);
        test_fill_normal(&run.dy, 2, 0, 1);
        op_forward(&run);
        op_backward(&run);
        const uint64_t hash = test_hash(test_hash(0, &run.y), &run.dx[0]);
        if (!first) first = hash;
        assert_true(hash == first);
        op_run_free(&run);
    }
}

static struct CMUnitTest tests[] = {cmocka_unit_test(keeps_the_mean),
                                    cmocka_unit_test(scale_of_the_rounded_rate),
                                    cmocka_unit_test(exact_rates),
                                    cmocka_unit_test(identity_in_inference),
                                    cmocka_unit_test(blocks_and_shards),
                                    cmocka_unit_test(steps_and_nodes_differ),
                                    cmocka_unit_test(the_mask_is_what_is_defined),
                                    cmocka_unit_test(same_bits)};

int main(void) {
    return test_main(tests);
}
