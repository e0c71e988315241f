/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kullback-Leibler divergence of the prediction p = softmax(z) from a target distribution t:
 *
 *   loss = Σ_c t_c (log t_c - log p_c)      dloss/dz_c = p_c Σ_j t_j - t_c      0 log 0 = 0
 *
 * The gradient is that of cross-entropy against t; the value is less by the entropy of t, so that 0
 * means that the distributions agree. The mean is over rows, not over numbers.
 *
 * Kullback and Leibler: On information and sufficiency, Ann. Math. Stat. 22, 1951.
 */
#include <string.h>

#include "kernel/math.h"
#include "loss/loss.h"

static void given(const void *arg, int64_t row, int64_t first, int64_t n, fi_real *q) {
    const struct fanin_tensor *target = ((const struct fi_truth *)arg)->target;
    memcpy(q, target->data + row * target->ld + first, (size_t)n * sizeof(*q));
}

/* Σ_c t_c log t_c; the logarithms as vectors, their sum in order. */
static double minus_entropy(const fi_real *t, int64_t n) {
    double term[FI_LOSS_RUN], sum = 0;
    for (int64_t c0 = 0; c0 < n; c0 += FI_LOSS_RUN) {
        const int64_t run = FI_MIN(FI_LOSS_RUN, n - c0);
        for (int64_t c = 0; c < run; c++) {
            const double q = (double)t[c0 + c], product = q * fi_log(q);
            term[c] = q == 0 ? 0 : product;
        }
        for (int64_t c = 0; c < run; c++) sum += term[c];
    }
    return sum;
}

static double run(const void *attrs, const struct fanin_tensor *z, const struct fi_truth *truth,
                  const struct fanin_tensor *dz, fi_real scale) {
    double total = 0;
    (void)attrs;
    for (int64_t r = 0; r < z->rows; r++) {
        const double weight = fi_loss_weight(truth, r);
        if (weight == 0) {
            fi_loss_skip(dz, r);
            continue;
        }
        fi_real *grad = dz ? dz->data + r * dz->ld : NULL;
        const fi_real *t = truth->target->data + r * truth->target->ld;
        total += weight * (fi_loss_cross_entropy(z, r, truth, given, grad, weight * (double)scale) +
                           minus_entropy(t, z->cols));
    }
    return total;
}

static const struct fanin_case cases[] = {{.rows = 1, .n_in = 1, .dims = {{2}}},
                                          {.rows = 5, .n_in = 1, .dims = {{7}}},
                                          {.rows = 3, .n_in = 1, .dims = {{1030}}},
                                          {.rows = 33, .n_in = 1, .dims = {{3, 11}}}};

FI_RECORD(loss, kl_divergence) = {
    .head = {.name = "kl_divergence",
             .aliases = "kl_div",
             .formula = "loss = sum_c t_c (log t_c - log softmax(z)_c), the mean over the batch",
             .reference = "Kullback & Leibler 1951",
             .help = "For target distributions: how far softmax(z) is from them, in nats."},
    .task = FANIN_CLASSIFICATION,
    .takes = FI_TAKES_TARGETS,
    .link = "softmax",
    .run = run,
    .predict = fi_loss_softmax_predict,
    .unpredict = fi_loss_softmax_unpredict,
    .entropy = fi_loss_softmax_entropy,
    .cases = cases,
    .n_cases = FI_COUNT(cases)};
