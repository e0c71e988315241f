/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the losses share: means over the outputs of a row, cross-entropy against a distribution, the
 * prediction and the entropy under softmax.
 */
#ifndef FI_LOSS_H
#define FI_LOSS_H

#include "graph/graph.h"
#include "kernel/kernel.h"

#ifdef FI_TIER

/* Columns worked on at a time, in buffers on the stack. */
#define FI_LOSS_RUN 512

static inline double fi_loss_weight(const struct fi_truth *truth, int64_t row) {
    return truth->weights ? truth->weights[row] : 1;
}

/* The row of dz of a row that does not count. */
static inline void fi_loss_skip(const struct fanin_tensor *dz, int64_t row) {
    if (!dz) return;
    for (int64_t c = 0; c < dz->cols; c++) dz->data[row * dz->ld + c] = 0;
}

/* ---- losses that are a mean over the outputs ----------------------------------------------------- */

/* The loss of n outputs from column `first` on, and its slope by z. */
typedef void (*fi_loss_points_fn)(const void *attrs, int64_t first, const fi_real *z,
                                  const fi_real *t, int64_t n, fi_real *loss, fi_real *slope);

/* run() of a loss whose rows are the mean of `points` over the outputs. Inline, so that `points`
 * is no call. */
static inline double fi_loss_points(const void *attrs, const struct fanin_tensor *z,
                                    const struct fi_truth *truth, const struct fanin_tensor *dz,
                                    fi_real scale, fi_loss_points_fn points) {
    fi_real loss[FI_LOSS_RUN], slope[FI_LOSS_RUN];
    const double share = (double)scale / (double)z->cols;
    double total = 0;
    for (int64_t r = 0; r < z->rows; r++) {
        const double weight = fi_loss_weight(truth, r);
        const fi_real k = (fi_real)(share * weight);
        const fi_real *row = z->data + r * z->ld, *t = truth->target->data + r * truth->target->ld;
        double sum = 0;
        if (weight == 0) {
            fi_loss_skip(dz, r);
            continue;
        }
        for (int64_t c0 = 0; c0 < z->cols; c0 += FI_LOSS_RUN) {
            const int64_t n = FI_MIN(FI_LOSS_RUN, z->cols - c0);
            points(attrs, c0, row + c0, t + c0, n, loss, slope);
            sum += (double)fi_sum(loss, n);
            if (!dz) continue;
            fi_real *grad = dz->data + r * dz->ld + c0;
            for (int64_t c = 0; c < n; c++) grad[c] = k * slope[c];
        }
        total += weight * (sum / (double)z->cols);
    }
    return total;
}

/* predict() where the prediction is z. */
#define fi_loss_predict_values FI_T(fi_loss_predict_values)
void fi_loss_predict_values(const void *attrs, const struct fanin_tensor *z,
                            const struct fanin_tensor *p);

/* ---- losses of a distribution under softmax -------------------------------------------------------- */

/* Puts q[c] = what stands for column first + c of a row's target, c < n. */
typedef void (*fi_loss_target_fn)(const void *arg, int64_t row, int64_t first, int64_t n,
                                  fi_real *q);

/* Σ_c -q_c log p_c of a row, p = softmax(z), for q that need not sum to 1; 0 · log 0 = 0.
 * dz (the row's, or NULL) = k (p Σq - q). */
#define fi_loss_cross_entropy FI_T(fi_loss_cross_entropy)
double fi_loss_cross_entropy(const struct fanin_tensor *z, int64_t row, const void *arg,
                             fi_loss_target_fn target, fi_real *dz, double k);

/* predict(), unpredict() and entropy() of a distribution over the outputs. */
#define fi_loss_softmax_predict FI_T(fi_loss_softmax_predict)
void fi_loss_softmax_predict(const void *attrs, const struct fanin_tensor *z,
                             const struct fanin_tensor *p);
/* z = log p; the smallest float stands in for 0, whose logarithm is no score. */
#define fi_loss_softmax_unpredict FI_T(fi_loss_softmax_unpredict)
void fi_loss_softmax_unpredict(const void *attrs, const struct fanin_tensor *p,
                               const struct fanin_tensor *z);
#define fi_loss_softmax_entropy FI_T(fi_loss_softmax_entropy)
void fi_loss_softmax_entropy(const void *attrs, const struct fanin_tensor *z, double *h,
                             const double *coefficient, const struct fanin_tensor *dz,
                             fi_real scale);

/* x[i] = log x[i], i < n <= FI_LOSS_ROWS, as one vector. */
#define FI_LOSS_ROWS 16
#define fi_loss_logs FI_T(fi_loss_logs)
void fi_loss_logs(double *x, int n);

#endif
#endif
