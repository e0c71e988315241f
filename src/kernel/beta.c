/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The symmetric beta distribution: G / (G + G') is Beta(a, a) for independent gamma variables G, G'
 * of shape a. Those by Marsaglia and Tsang, "A simple method for generating gamma variables", ACM
 * Trans. Math. Softw. 26 (2000): with d = a - 1/3 and c = 1 / sqrt(9 d) take v = (1 + c x)³ for a
 * normal x until v > 0 and log u < x²/2 + d - d v + d log v; then d v is of shape a >= 1, and d v
 * u^(1/a) of shape a from one of shape a + 1. In logarithms, since u^(1/a) underflows for small a.
 */
#include "kernel/kernel.h"
#include "kernel/math.h"

/* Two uniform numbers in (0, 1]. */
static void two_uniform(uint64_t key, uint64_t step, uint64_t block, double out[2]) {
    uint32_t words[4];
    fi_philox(key, step, block, words);
    out[0] = 1 - fi_uniform53(words[0], words[1]);
    out[1] = 1 - fi_uniform53(words[2], words[3]);
}

/* The logarithm of a gamma variable; block: the first of a run of random blocks of its own. */
static double log_gamma_variable(uint64_t key, uint64_t step, uint64_t block, double shape) {
    const double d = (shape < 1 ? shape + 1 : shape) - 1.0 / 3, c = 1 / sqrt(9 * d);
    double u[2], log_v, x;
    for (;; block += 2) {
        double sine, cosine;
        two_uniform(key, step, block, u);
        fi_sincos2pi(1 - u[1], &sine, &cosine);
        x = sqrt(-2 * fi_log(u[0])) * cosine;
        const double root = 1 + c * x, v = root * root * root;
        if (!(v > 0)) continue;
        log_v = fi_log(v);
        two_uniform(key, step, block + 1, u);
        if (fi_log(u[0]) < 0.5 * x * x + d - d * v + d * log_v) break;
    }
    return fi_log(d) + log_v + (shape < 1 ? fi_log(u[1]) / shape : 0);
}

double fi_random_beta(uint64_t key, uint64_t step, double alpha) {
    const double mine = log_gamma_variable(key, step, 0, alpha);
    const double other = log_gamma_variable(key, step, UINT64_C(1) << 32, alpha);
    return 1 / (1 + fi_exp(other - mine));
}
