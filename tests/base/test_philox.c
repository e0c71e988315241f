/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Philox4x32-10 against known answers and against Random123 itself; the permutation; uniform
 * numbers.
 */
#include <Random123/philox.h>

#include "support/support.h"

/* The known answers of the algorithm's authors (Random123, kat_vectors): counter, key, result. */
static const uint32_t known[3][10] = {
    {0, 0, 0, 0, 0, 0, 0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8},
    {0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0x408F276D, 0x41C83B0E,
     0xA20BC7C6, 0x6D5451FD},
    {0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344, 0xA4093822, 0x299F31D0, 0xD16CFE09, 0x94FDCCEB,
     0x5001E420, 0x24126EA1},
};

static void known_answers(void **state) {
    (void)state;
    for (int i = 0; i < 3; i++) {
        const uint32_t *k = known[i];
        uint32_t out[4];
        fi_philox((uint64_t)k[5] << 32 | k[4], (uint64_t)k[3] << 32 | k[2],
                  (uint64_t)k[1] << 32 | k[0], out);
        assert_memory_equal(out, k + 6, sizeof out);
    }
}

static void equals_random123(void **state) {
    (void)state;
    uint64_t key = 1, step = 2, block = 3;
    for (int i = 0; i < 10000; i++) {
        philox4x32_ctr_t counter = {
            {(uint32_t)block, (uint32_t)(block >> 32), (uint32_t)step, (uint32_t)(step >> 32)}};
        philox4x32_key_t words = {{(uint32_t)key, (uint32_t)(key >> 32)}};
        philox4x32_ctr_t theirs = philox4x32_R(10, counter, words);
        uint32_t ours[4];
        fi_philox(key, step, block, ours);
        for (int w = 0; w < 4; w++) assert_int_equal(ours[w], theirs.v[w]);
        key = fi_hash_mix(key, 1);
        step = fi_hash_mix(step, 2);
        block = fi_hash_mix(block, 3);
    }
}

static void permutation_is_a_bijection(void **state) {
    (void)state;
    static const uint64_t sizes[] = {1,    2,    3,     4,     5,     6,    7,    8,    9,
                                     10,   15,   16,    17,    31,    32,   33,   63,   64,
                                     65,   100,  127,   128,   129,   1000, 1023, 1024, 1025,
                                     1797, 4097, 60000, 65535, 65536, 65537};
    bool *seen = malloc(70000);
    for (int s = 0; s < FI_COUNT(sizes); s++) {
        for (uint64_t epoch = 0; epoch < 4; epoch++) {
            memset(seen, 0, 70000);
            for (uint64_t i = 0; i < sizes[s]; i++) {
                uint64_t image = fi_permute(42, epoch, i, sizes[s]);
                assert_true(image < sizes[s]);
                assert_false(seen[image]);
                seen[image] = true;
            }
        }
    }
    free(seen);
}

static void permutation_holds_for_huge_n(void **state) {
    (void)state;
    uint64_t n = (UINT64_C(1) << 62) + 12345;
    for (uint64_t i = 0; i < 100; i++) assert_true(fi_permute(7, 1, n - 1 - i, n) < n);
}

/* Χ² of where things go: each (position, image) pair, and each pair of images of neighbours, over
 * many keys. The bound is the mean plus six standard deviations. */
static void permutation_is_even(void **state) {
    (void)state;
    static const uint64_t sizes[] = {2, 3, 4, 5, 7, 10, 16, 23};
    enum { KEYS = 20000 };
    static int hits[23][23], pairs[23][23];
    for (int s = 0; s < FI_COUNT(sizes); s++) {
        uint64_t n = sizes[s];
        memset(hits, 0, sizeof hits);
        memset(pairs, 0, sizeof pairs);
        for (uint64_t k = 0; k < KEYS; k++) {
            uint64_t first = fi_permute(fi_key(k, "order", NULL), k % 5, 0, n);
            uint64_t second = fi_permute(fi_key(k, "order", NULL), k % 5, 1, n);
            pairs[first][second]++;
            for (uint64_t i = 0; i < n; i++)
                hits[i][fi_permute(fi_key(k, "order", NULL), k % 5, i, n)]++;
        }
        double expected = (double)KEYS / (double)n, chi = 0;
        for (uint64_t i = 0; i < n; i++)
            for (uint64_t j = 0; j < n; j++)
                chi += (hits[i][j] - expected) * (hits[i][j] - expected) / expected;
        double freedom = (double)((n - 1) * (n - 1));
        assert_true(chi < freedom + 6 * __builtin_sqrt(2 * freedom) + 6);
        expected = (double)KEYS / (double)(n * (n - 1));
        chi = 0;
        for (uint64_t i = 0; i < n; i++)
            for (uint64_t j = 0; j < n; j++)
                if (i != j) chi += (pairs[i][j] - expected) * (pairs[i][j] - expected) / expected;
        freedom = (double)(n * (n - 1) - 1);
        assert_true(chi < freedom + 6 * __builtin_sqrt(2 * freedom) + 6);
    }
}

static void orders_differ_between_epochs_and_keys(void **state) {
    (void)state;
    int same_epoch = 0, same_key = 0;
    for (uint64_t i = 0; i < 1000; i++) {
        same_epoch += fi_permute(1, 0, i, 1000) == fi_permute(1, 1, i, 1000);
        same_key += fi_permute(1, 0, i, 1000) == fi_permute(2, 0, i, 1000);
    }
    assert_true(same_epoch < 10); /* Poisson of mean 1 */
    assert_true(same_key < 10);
}

static void uniform_has_53_bits(void **state) {
    (void)state;
    assert_true(fi_uniform53(0, 0) == 0.0);
    assert_true(fi_uniform53(0xFFFFFFFF, 0xFFFFFFFF) == 1.0 - 0x1p-53);
    assert_true(fi_uniform53(0x80000000, 0) == 0.5);
    assert_true(fi_uniform53(0, 1u << 11) == 0x1p-53);
}

static struct CMUnitTest tests[] = {
    cmocka_unit_test(known_answers),
    cmocka_unit_test(equals_random123),
    cmocka_unit_test(permutation_is_a_bijection),
    cmocka_unit_test(permutation_holds_for_huge_n),
    cmocka_unit_test(permutation_is_even),
    cmocka_unit_test(orders_differ_between_epochs_and_keys),
    cmocka_unit_test(uniform_has_53_bits),
};

int main(void) {
    return test_main(tests);
}
