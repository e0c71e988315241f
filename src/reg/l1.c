/* SPDX-License-Identifier: Apache-2.0 */
/*
 * L1 penalty (lasso): adds λ Σ |w| to the loss, so its gradient is λ sign(w), 0 at 0. The λ of
 * Keras' l1 and the alpha of scikit-learn's Lasso (whose loss is half the mean square).
 *
 * Tibshirani: Regression shrinkage and selection via the lasso, JRSS B 58 (1996).
 */
#include "reg/reg.h"

static const struct fanin_attr_spec attrs[] = {FI_REG_LAMBDA("strength of the penalty")};

FI_RECORD(reg, l1) = {
    .head = {.name = "l1",
             .aliases = "lasso",
             .formula = "loss + lambda sum |w|",
             .reference = "Tibshirani, JRSS B 58 (1996)",
             .help = "Penalizes the absolute weights in the loss, which draws them towards 0. "
                     "Biases and norm parameters are exempt.",
             .attrs = attrs,
             .attrs_size = sizeof(struct fi_reg_lambda)},
    .strength = fi_reg_lambda_of,
    .gradient = fi_reg_l1_gradient,
    .value = fi_reg_l1_value};
