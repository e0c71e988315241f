/* SPDX-License-Identifier: Apache-2.0 */
/*
 * L2 penalty on the outputs of a layer: adds ½ λ Σ y² / samples of the batch to the loss.
 * Keras' L2(λ') as activity_regularizer, which divides by the batch too, is λ' Σ y², half of λ.
 *
 * Merity, McCann, Socher: Revisiting activation regularization for language RNNs, 2017.
 */
#include "reg/reg.h"

static const struct fanin_attr_spec attrs[] = {FI_REG_LAMBDA("strength of the penalty")};

FI_RECORD(reg,
          activity_l2) = {.head = {.name = "activity_l2",
                                   .formula = "loss + 1/2 lambda sum y^2 / samples",
                                   .reference = "Merity, McCann & Socher, arXiv 1708.01009 (2017)",
                                   .help = "Penalizes large outputs of a layer. Written on a "
                                           "layer, or in params by the name of its output.",
                                   .attrs = attrs,
                                   .attrs_size = sizeof(struct fi_reg_lambda),
                                   .place = "- relu: {regularize: {*}}"},
                          .strength = fi_reg_lambda_of,
                          .outputs = true,
                          .gradient = fi_reg_l2_gradient,
                          .value = fi_reg_l2_value};
