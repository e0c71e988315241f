/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Adagrad: the gradient divided by the root of the sum of all its squares,
 *
 *   w ← w - lr λ w        s ← s + g²
 *   w ← w - lr / (1 + (t - 1) lr_decay) · g / (√(s0 + s) + ε)
 *
 * s0 = initial_accumulator is added when the root is taken and is not part of the state, which
 * begins at 0 like every other: the same number up to a rounding.
 *
 * Duchi, Hazan, Singer: Adaptive subgradient methods, JMLR 12, 2011, figure 1.
 */
#include "graph/graph.h"
#include "kernel/kernel.h"

struct adagrad {
    double lr, lr_decay, eps, initial_accumulator;
};

static const struct fanin_attr_spec attrs[] = {
    FI_ATTR_REAL(struct adagrad, lr, 1e-2, 0, 1e6, "learning rate, before the schedule", 0),
    FI_ATTR_REAL(struct adagrad, lr_decay, 0, 0, 1e6,
                 "update t has the rate lr / (1 + (t - 1) lr_decay)", 0),
    FI_ATTR_REAL(struct adagrad, eps, 1e-10, 1e-30, 1, "added to the root of the sum of squares",
                 0),
    FI_ATTR_REAL(struct adagrad, initial_accumulator, 0, 0, 1e6,
                 "what the sum of squares begins with", 0),
    FI_ATTR_END};

static double lr(const void *a) {
    return ((const struct adagrad *)a)->lr;
}

static void update(const struct fi_optim_step *o, fi_real decay, fi_real *restrict w,
                   const fi_real *restrict g, fi_real *const *state, int64_t n) {
    const struct adagrad *a = o->attrs;
    const fi_real shrink = (fi_real)(-o->lr * (double)decay);
    const fi_real rate = (fi_real)(-o->lr / (1 + (double)(o->t - 1) * a->lr_decay));
    const fi_real eps = (fi_real)a->eps, initial = (fi_real)a->initial_accumulator;
    fi_real *restrict s = state[0];
    for (int64_t i = 0; i < n; i++) {
        s[i] = fi_fma(g[i], g[i], s[i]);
        const fi_real direction = g[i] / (fi_sqrt(initial + s[i]) + eps);
        w[i] = fi_fma(rate, direction, fi_fma(shrink, w[i], w[i]));
    }
}

FI_RECORD(optim, adagrad) = {
    .head = {.name = "adagrad",
             .formula = "w <- w - lr / (1 + (t - 1) lr_decay) g / (sqrt(s) + eps), s sum of g^2",
             .reference = "Duchi, Hazan & Singer, JMLR 2011",
             .help = "Divides the gradient by the root of the sum of its squares so far.",
             .attrs = attrs,
             .attrs_size = sizeof(struct adagrad)},
    .n_states = 1,
    .states = {"sum"},
    .lr = lr,
    .update = update};
