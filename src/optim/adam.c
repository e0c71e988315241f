/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Adam: steps of the size lr from running averages of g and g² (optim/adam.h),
 *
 *   w ← w - lr m^ / (√v^ + ε)
 *
 * What other libraries call Adam's weight decay is a penalty whose gradient λ w goes through the
 * averages: here the regularizer l2 with the same λ. The regularizer weight_decay is decoupled, as
 * with every optimizer, and makes this AdamW; so adam and adamw are the same step under the two
 * names people look for.
 *
 * Kingma, Ba: Adam, ICLR 2015, algorithm 1.
 */
#include "optim/adam.h"

FI_RECORD(optim, adam) = {
    .head = {.name = "adam",
             .formula = "w <- w - lr m^ / (sqrt(v^) + eps), m and v running averages of g and g^2",
             .reference = "Kingma & Ba, ICLR 2015",
             .help = "Adam; the regularizer l2 is its coupled weight decay.",
             .attrs = adam_attrs,
             .attrs_size = sizeof(struct adam)},
    .n_states = 2,
    .states = {"exp_avg", "exp_avg_sq"},
    .lr = adam_lr,
    .momentum = adam_momentum,
    .powers = adam_powers,
    .update = adam_update};
