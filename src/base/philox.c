/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Philox4x32-10: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC
 * 2011. One block is a function of key and counter alone, so any number of any stream can be had in
 * any order: key = (low, high) of the 64-bit key;  counter = (block low, block high, step low, step
 * high).
 *
 * fi_permute is a Feistel network on the smallest power of two that holds n, walked until the image
 * falls below n (Black, Rogaway 2002), which takes less than two steps on average. Its round
 * function is fi_hash_mix under round keys from one Philox block of (key, epoch).
 */
#include "base/base.h"

static void multiply(uint32_t a, uint32_t b, uint32_t *hi, uint32_t *lo) {
    uint64_t product = (uint64_t)a * b;
    *hi = (uint32_t)(product >> 32);
    *lo = (uint32_t)product;
}

void fi_philox(uint64_t key, uint64_t step, uint64_t block, uint32_t out[4]) {
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    uint32_t c0 = (uint32_t)block, c1 = (uint32_t)(block >> 32);
    uint32_t c2 = (uint32_t)step, c3 = (uint32_t)(step >> 32);
    for (int round = 0; round < 10; round++) {
        uint32_t hi0, lo0, hi1, lo1;
        multiply(UINT32_C(0xD2511F53), c0, &hi0, &lo0);
        multiply(UINT32_C(0xCD9E8D57), c2, &hi1, &lo1);
        c0 = hi1 ^ c1 ^ k0;
        c1 = lo1;
        c2 = hi0 ^ c3 ^ k1;
        c3 = lo0;
        k0 += UINT32_C(0x9E3779B9);
        k1 += UINT32_C(0xBB67AE85);
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

/* Measured on 100,000 keys: with halves of three bits or more, eight rounds leave no trace in the
 * chi-square of positions and of pairs; with shorter ones even fourteen do. So small n walk in a
 * larger domain. */
#define FEISTEL_ROUNDS 8
#define FEISTEL_BITS 6

uint64_t fi_permute(uint64_t key, uint64_t epoch, uint64_t index, uint64_t n) {
    if (n <= 1) return 0;
    uint32_t words[4];
    fi_philox(key, epoch, 0, words);
    uint64_t k0 = (uint64_t)words[1] << 32 | words[0], k1 = (uint64_t)words[3] << 32 | words[2];
    int bits = FI_MAX(64 - __builtin_clzll(n - 1), FEISTEL_BITS);
    int wide = (bits + 1) / 2, narrow = bits / 2;
    uint64_t image = index;
    do {
        /* The halves change places each round, so an odd width does too. */
        uint64_t left = image >> wide, right = image & ((UINT64_C(1) << wide) - 1);
        int left_bits = narrow;
        for (uint64_t round = 0; round < FEISTEL_ROUNDS; round++) {
            uint64_t mixed = left ^ (fi_hash_mix(k0 + round * k1, right) >> (64 - left_bits));
            left = right;
            right = mixed;
            left_bits = bits - left_bits;
        }
        image = left << wide | right;
    } while (image >= n);
    return image;
}

double fi_uniform53(uint32_t hi, uint32_t lo) {
    return (double)(((uint64_t)hi << 32 | lo) >> 11) * 0x1p-53;
}
