/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Softmax followed by the negative log-likelihood of the true class y, as one function of z:
 *
 *   loss = log Σ_j e^(z_j - m) + m - z_y, m = max z      dloss/dz_j = p_j - [j = y]
 *   H = -Σ p_j log p_j = log S + Σ p_j (m - z_j)          dH/dz_j = -p_j (log p_j + H)
 *
 * The sum over the other classes is kept apart from e_y: p_y - 1 = -Σ_{j≠y} p_j and the loss are
 * then right to the last bits also where p_y rounds to 1. Both terms of H are positive, so nothing
 * cancels.
 *
 * Bridle 1990; entropy: Pereyra et al. 2017, section 3.
 */
#include "kernel/math.h"
#include "kernel/softmax.h"

#include "graph/graph.h"

#define RUN 512  /* columns */
#define BATCH 16 /* rows whose logarithms are taken together */

/* x = log x */
static void logs(double *x, int n) {
    for (int i = n; i < BATCH; i++) x[i] = 1;
    for (int i = 0; i < BATCH; i++) x[i] = fi_log(x[i]);
}

static double run(const void *attrs, const struct fanin_tensor *z, const int32_t *labels,
                  const struct fanin_tensor *target, const struct fanin_tensor *dz, fi_real scale) {
    double total = 0;
    (void)attrs, (void)target;
    for (int64_t r0 = 0; r0 < z->rows; r0 += BATCH) {
        const int n = (int)FI_MIN(BATCH, z->rows - r0);
        double sum[BATCH], below[BATCH];
        for (int i = 0; i < n; i++) {
            const fi_real *row = z->data + (r0 + i) * z->ld;
            fi_real *grad = dz ? dz->data + (r0 + i) * dz->ld : NULL;
            const fi_real max = fi_max(row, z->cols);
            const int64_t y = labels[r0 + i];
            fi_real own;
            const double others = fi_exp_row(row, z->cols, max, y, &own, grad);
            sum[i] = others + (double)own;
            below[i] = (double)max - (double)row[y];
            if (!grad) continue;
            const double k = (double)scale / sum[i];
            for (int64_t c = 0; c < z->cols; c++) grad[c] *= (fi_real)k;
            grad[y] = (fi_real)(-others * k);
        }
        logs(sum, n);
        for (int i = 0; i < n; i++) total += sum[i] + below[i];
    }
    return total;
}

static void predict(const void *attrs, const struct fanin_tensor *z, const struct fanin_tensor *p) {
    (void)attrs;
    fi_softmax(z->data, z->rows, z->cols, z->ld, p->data, p->ld);
}

/* z = log p; the smallest float stands in for 0, whose logarithm is no score. */
static void unpredict(const void *attrs, const struct fanin_tensor *p,
                      const struct fanin_tensor *z) {
    (void)attrs;
    for (int64_t r = 0; r < p->rows; r++)
        for (int64_t c = 0; c < p->cols; c++) {
            const double q = (double)p->data[r * p->ld + c];
            z->data[r * z->ld + c] = (fi_real)fi_log(q == 0 ? 0x1p-149 : q);
        }
}

/* Σ e and Σ e (m - z) of a row, e = exp(z - m). */
static void entropy_sums(const fi_real *z, int64_t cols, fi_real max, double *sum, double *moment) {
    fi_real e[RUN];
    *sum = *moment = 0;
    for (int64_t c0 = 0; c0 < cols; c0 += RUN) {
        const int64_t n = FI_MIN(RUN, cols - c0);
        *sum += fi_exp_row(z + c0, n, max, -1, NULL, e);
        for (int64_t c = 0; c < n; c++) { /* p log p = 0 at p = 0 */
            const fi_real term = e[c] * (max - z[c0 + c]);
            e[c] = e[c] == 0 ? 0 : term;
        }
        *moment += (double)fi_sum(e, n);
    }
}

/* dz += k dH/dz, where log p + H = z - max + moment / sum. */
static void entropy_gradient(const fi_real *z, int64_t cols, fi_real max, double sum, double moment,
                             double k, fi_real *dz) {
    const fi_real factor = (fi_real)(-k / sum), shift = (fi_real)(moment / sum);
    fi_real e[RUN];
    for (int64_t c0 = 0; c0 < cols; c0 += RUN) {
        const int64_t n = FI_MIN(RUN, cols - c0);
        fi_exp_row(z + c0, n, max, -1, NULL, e);
        for (int64_t c = 0; c < n; c++) {
            const fi_real term = e[c] * ((z[c0 + c] - max) + shift);
            dz[c0 + c] = fi_fma(factor, e[c] == 0 ? 0 : term, dz[c0 + c]);
        }
    }
}

static void entropy(const void *attrs, const struct fanin_tensor *z, double *h,
                    const double *coefficient, const struct fanin_tensor *dz, fi_real scale) {
    (void)attrs;
    for (int64_t r0 = 0; r0 < z->rows; r0 += BATCH) {
        const int n = (int)FI_MIN(BATCH, z->rows - r0);
        double log_sum[BATCH];
        for (int i = 0; i < n; i++) {
            const fi_real *row = z->data + (r0 + i) * z->ld;
            const fi_real max = fi_max(row, z->cols);
            double sum, moment;
            entropy_sums(row, z->cols, max, &sum, &moment);
            log_sum[i] = sum;
            h[r0 + i] = moment / sum;
            if (dz)
                entropy_gradient(row, z->cols, max, sum, moment,
                                 coefficient[r0 + i] * (double)scale, dz->data + (r0 + i) * dz->ld);
        }
        logs(log_sum, n);
        for (int i = 0; i < n; i++) h[r0 + i] += log_sum[i];
    }
}

static const struct fanin_case cases[] = {{.rows = 1, .n_in = 1, .dims = {{2}}},
                                          {.rows = 5, .n_in = 1, .dims = {{7}}},
                                          {.rows = 3, .n_in = 1, .dims = {{1030}}},
                                          {.rows = 33, .n_in = 1, .dims = {{3, 11}}},
                                          {.rows = 4, .n_in = 1, .dims = {{1}}}};

FI_RECORD(loss, softmax_cross_entropy) = {
    .head = {.name = "softmax_cross_entropy",
             .aliases = "cross_entropy",
             .formula = "loss = log(sum_j exp(z_j)) - z_label, the mean over the batch",
             .reference = "Bridle 1990",
             .help = "For classes: the negative log-likelihood of the label under softmax(z)."},
    .wants_labels = true,
    .link = "softmax",
    .run = run,
    .predict = predict,
    .unpredict = unpredict,
    .entropy = entropy,
    .cases = cases,
    .n_cases = FI_COUNT(cases)};
