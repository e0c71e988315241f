/* SPDX-License-Identifier: Apache-2.0 */
/*
 * L1 penalty on the outputs of a layer: adds λ Σ |y| / samples of the batch to the loss.
 * Keras' L1(λ) as activity_regularizer, which divides by the batch too.
 *
 * Glorot, Bordes, Bengio: Deep sparse rectifier neural networks, AISTATS 2011, section 3.1.
 */
#include "reg/reg.h"

static const struct fanin_attr_spec attrs[] = {FI_REG_LAMBDA("strength of the penalty")};

FI_RECORD(reg, activity_l1) = {
    .head = {.name = "activity_l1",
             .formula = "loss + lambda sum |y| / samples",
             .reference = "Glorot, Bordes & Bengio, AISTATS 2011, section 3.1",
             .help = "Draws the outputs of a layer towards 0: sparse activations. Written on a "
                     "layer, or in params by the name of its output.",
             .attrs = attrs,
             .attrs_size = sizeof(struct fi_reg_lambda),
             .place = "- relu: {regularize: {*}}"},
    .strength = fi_reg_lambda_of,
    .outputs = true,
    .gradient = fi_reg_l1_gradient,
    .value = fi_reg_l1_value};
