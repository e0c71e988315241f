/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the regularizers share: sums of absolute values and squares with their gradients, which the
 * penalties on weights and those on outputs are made of.
 */
#ifndef FI_REG_H
#define FI_REG_H

#include "graph/graph.h"
#include "kernel/kernel.h"

/* Σ |w| in double, 16 lanes, then a fixed tree. */
#define fi_reg_sum_abs FI_T(fi_reg_sum_abs)
double fi_reg_sum_abs(const fi_real *w, int64_t n);
/* g += k · sign(w), sign(0) = 0 */
#define fi_reg_add_sign FI_T(fi_reg_add_sign)
void fi_reg_add_sign(double k, const fi_real *w, fi_real *g, int64_t n);
/* g += k · w */
#define fi_reg_add_scaled FI_T(fi_reg_add_scaled)
void fi_reg_add_scaled(double k, const fi_real *w, fi_real *g, int64_t n);

/* Penalties of one number, lambda: its struct and specs, for l1, l2 and their like on outputs. */
struct fi_reg_lambda {
    struct fi_reg_attrs common;
    double lambda;
};
#define FI_REG_LAMBDA(help)                                                                        \
    FI_ATTR_REAL(struct fi_reg_lambda, lambda, 0, 0, 1e6, help, FANIN_ATTR_REQUIRED),              \
        FI_REG_SCHEDULE(struct fi_reg_lambda), FI_ATTR_END
#define fi_reg_lambda_of FI_T(fi_reg_lambda_of)
double fi_reg_lambda_of(const void *attrs);
/* λ Σ |w| */
#define fi_reg_l1_gradient FI_T(fi_reg_l1_gradient)
void fi_reg_l1_gradient(const void *attrs, double scale, const fi_real *w, fi_real *g, int64_t n);
#define fi_reg_l1_value FI_T(fi_reg_l1_value)
double fi_reg_l1_value(const void *attrs, const fi_real *w, int64_t n);
/* ½ λ Σ w² */
#define fi_reg_l2_gradient FI_T(fi_reg_l2_gradient)
void fi_reg_l2_gradient(const void *attrs, double scale, const fi_real *w, fi_real *g, int64_t n);
#define fi_reg_l2_value FI_T(fi_reg_l2_value)
double fi_reg_l2_value(const void *attrs, const fi_real *w, int64_t n);

#endif
