/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the regularizers share.
 */
#include "reg/reg.h"

double fi_reg_sum_abs(const fi_real *w, int64_t n) {
    double lane[FI_LANES] = {0};
    int64_t i = 0;
    for (; i + FI_LANES <= n; i += FI_LANES)
        for (int l = 0; l < FI_LANES; l++) lane[l] += (double)fi_abs(w[i + l]);
    for (int l = 0; i < n; i++, l++) lane[l] += (double)fi_abs(w[i]);
    for (int half = FI_LANES / 2; half > 0; half /= 2)
        for (int l = 0; l < half; l++) lane[l] += lane[l + half];
    return lane[0];
}

void fi_reg_add_sign(double k, const fi_real *restrict w, fi_real *restrict g, int64_t n) {
    const fi_real up = (fi_real)k;
    for (int64_t i = 0; i < n; i++) g[i] += w[i] > 0 ? up : w[i] < 0 ? -up : 0;
}

void fi_reg_add_scaled(double k, const fi_real *restrict w, fi_real *restrict g, int64_t n) {
    const fi_real by = (fi_real)k;
    for (int64_t i = 0; i < n; i++) g[i] = fi_fma(by, w[i], g[i]);
}

double fi_reg_lambda_of(const void *attrs) {
    return ((const struct fi_reg_lambda *)attrs)->lambda;
}

void fi_reg_l1_gradient(const void *attrs, double scale, const fi_real *w, fi_real *g, int64_t n) {
    fi_reg_add_sign(scale * fi_reg_lambda_of(attrs), w, g, n);
}

double fi_reg_l1_value(const void *attrs, const fi_real *w, int64_t n) {
    return fi_reg_lambda_of(attrs) * fi_reg_sum_abs(w, n);
}

void fi_reg_l2_gradient(const void *attrs, double scale, const fi_real *w, fi_real *g, int64_t n) {
    fi_reg_add_scaled(scale * fi_reg_lambda_of(attrs), w, g, n);
}

double fi_reg_l2_value(const void *attrs, const fi_real *w, int64_t n) {
    return 0.5 * fi_reg_lambda_of(attrs) * fi_sum_squares(w, n);
}
