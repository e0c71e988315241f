/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AdamW: the step of Adam (optim/adam.h) with decoupled weight decay,
 *
 *   w ← w - lr λ w - lr m^ / (√v^ + ε)
 *
 * λ comes from the regularizer weight_decay; it shrinks the weights by the scheduled learning rate
 * and stays out of the averages m and v.
 *
 * Loshchilov, Hutter: Decoupled weight decay regularization, ICLR 2019, algorithm 2.
 */
#include "optim/adam.h"

FI_RECORD(optim, adamw) = {
    .head = {.name = "adamw",
             .formula = "w <- w - lr m^ / (sqrt(v^) + eps), m and v running averages of g and g^2",
             .reference = "Kingma & Ba, ICLR 2015; Loshchilov & Hutter, ICLR 2019",
             .help = "Adam; with the regularizer weight_decay it is AdamW, with l2 it is Adam with "
                     "a penalty.",
             .attrs = adam_attrs,
             .attrs_size = sizeof(struct adam)},
    .n_states = 2,
    .states = {"exp_avg", "exp_avg_sq"},
    .lr = adam_lr,
    .momentum = adam_momentum,
    .powers = adam_powers,
    .update = adam_update};
