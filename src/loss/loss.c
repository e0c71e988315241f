/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the losses share. Cross-entropy of a row against numbers q, p = softmax(z), m = max z,
 * S = Σ_j e^(z_j - m):
 *
 *   -Σ_c q_c log p_c = Q log S + Σ_c q_c (m - z_c), Q = Σ_c q_c      d/dz_c = Q p_c - q_c
 *
 * All terms are positive, so nothing cancels. The entropy of p:
 *
 *   H = -Σ p_j log p_j = log S + Σ p_j (m - z_j)          dH/dz_j = -p_j (log p_j + H)
 */
#include "loss/loss.h"

#include <string.h>

#include "kernel/math.h"
#include "kernel/softmax.h"

void fi_loss_logs(double *x, int n) {
    for (int i = n; i < FI_LOSS_ROWS; i++) x[i] = 1;
    for (int i = 0; i < FI_LOSS_ROWS; i++) x[i] = fi_log(x[i]);
}

void fi_loss_predict_values(const void *attrs, const struct fanin_tensor *z,
                            const struct fanin_tensor *p) {
    (void)attrs;
    if (z->data == p->data) return;
    for (int64_t r = 0; r < z->rows; r++)
        memcpy(p->data + r * p->ld, z->data + r * z->ld, (size_t)z->cols * sizeof(fi_real));
}

double fi_loss_cross_entropy(const struct fanin_tensor *z, int64_t row, const void *arg,
                             fi_loss_target_fn target, fi_real *dz, double k) {
    const fi_real *x = z->data + row * z->ld, max = fi_max(x, z->cols);
    const double sum = fi_exp_row(x, z->cols, max, -1, NULL, dz);
    fi_real q[FI_LOSS_RUN], term[FI_LOSS_RUN];
    double whole = 0, below = 0;
    for (int64_t c0 = 0; c0 < z->cols; c0 += FI_LOSS_RUN) {
        const int64_t n = FI_MIN(FI_LOSS_RUN, z->cols - c0);
        target(arg, row, c0, n, q);
        for (int64_t c = 0; c < n; c++) {
            const fi_real distance = q[c] * (max - x[c0 + c]);
            term[c] = q[c] == 0 ? 0 : distance;
        }
        whole += (double)fi_sum(q, n);
        below += (double)fi_sum(term, n);
    }
    for (int64_t c0 = 0; c0 < z->cols && dz; c0 += FI_LOSS_RUN) {
        const int64_t n = FI_MIN(FI_LOSS_RUN, z->cols - c0);
        const fi_real factor = (fi_real)(k * whole / sum), minus = (fi_real)-k;
        target(arg, row, c0, n, q);
        for (int64_t c = 0; c < n; c++) dz[c0 + c] = fi_fma(minus, q[c], factor * dz[c0 + c]);
    }
    return whole * fi_log(sum) + below;
}

void fi_loss_softmax_predict(const void *attrs, const struct fanin_tensor *z,
                             const struct fanin_tensor *p) {
    (void)attrs;
    fi_softmax(z->data, z->rows, z->cols, z->ld, p->data, p->ld);
}

void fi_loss_softmax_unpredict(const void *attrs, const struct fanin_tensor *p,
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
    fi_real e[FI_LOSS_RUN];
    *sum = *moment = 0;
    for (int64_t c0 = 0; c0 < cols; c0 += FI_LOSS_RUN) {
        const int64_t n = FI_MIN(FI_LOSS_RUN, cols - c0);
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
    fi_real e[FI_LOSS_RUN];
    for (int64_t c0 = 0; c0 < cols; c0 += FI_LOSS_RUN) {
        const int64_t n = FI_MIN(FI_LOSS_RUN, cols - c0);
        fi_exp_row(z + c0, n, max, -1, NULL, e);
        for (int64_t c = 0; c < n; c++) {
            const fi_real term = e[c] * ((z[c0 + c] - max) + shift);
            dz[c0 + c] = fi_fma(factor, e[c] == 0 ? 0 : term, dz[c0 + c]);
        }
    }
}

void fi_loss_softmax_entropy(const void *attrs, const struct fanin_tensor *z, double *h,
                             const double *coefficient, const struct fanin_tensor *dz,
                             fi_real scale) {
    (void)attrs;
    for (int64_t r0 = 0; r0 < z->rows; r0 += FI_LOSS_ROWS) {
        const int n = (int)FI_MIN(FI_LOSS_ROWS, z->rows - r0);
        double log_sum[FI_LOSS_ROWS];
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
        fi_loss_logs(log_sum, n);
        for (int i = 0; i < n; i++) h[r0 + i] += log_sum[i];
    }
}
