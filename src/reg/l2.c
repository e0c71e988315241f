/* SPDX-License-Identifier: Apache-2.0 */
/*
 * L2 penalty (Tikhonov, ridge): adds ½ λ ‖w‖² to the loss, so its gradient is λ w. PyTorch's SGD
 * calls λ weight_decay; Keras' l2(λ') is λ' ‖w‖², half of λ.
 *
 * Hoerl, Kennard: Ridge regression, Technometrics 12 (1970).
 */
#include "reg/reg.h"

static const struct fanin_attr_spec attrs[] = {FI_REG_LAMBDA("strength of the penalty")};

FI_RECORD(reg, l2) = {
    .head =
        {.name = "l2",
         .aliases = "tikhonov",
         .formula = "loss + 1/2 lambda |w|^2",
         .reference = "Hoerl & Kennard, Technometrics 12 (1970)",
         .help =
             "Penalizes the squared weights in the loss. Biases and norm parameters are exempt.",
         .attrs = attrs,
         .attrs_size = sizeof(struct fi_reg_lambda)},
    .strength = fi_reg_lambda_of,
    .gradient = fi_reg_l2_gradient,
    .value = fi_reg_l2_value};
