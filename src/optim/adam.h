/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The arithmetic of Adam, shared by the records adam and adamw: steps of the size lr, from running
 * averages of g and g², with whatever decoupled decay λ the recipe asks for:
 *
 *   w ← w - lr λ w        m ← m + (1 - β1)(g - m)        v ← v + (1 - β2)(g² - v)
 *   w ← w - lr / (1 - β1^t) · m / (√v / √(1 - β2^t) + ε)
 *
 * The averages are written as corrections: β2 and 1 - β2 rounded apart do not sum to 1, which would
 * bias v by 1e-5 in float. ε is outside the root, as in the paper; its bound keeps it a normal
 * float, or a weight that never had a gradient would be divided by 0. β^t are running products kept
 * in double; with a momentum schedule β1^t is the product of the β1 there were, which is what the
 * weights of m sum to 1 minus.
 *
 * Kingma, Ba: Adam, ICLR 2015, algorithm 1.
 */
#ifndef FI_OPTIM_ADAM_H
#define FI_OPTIM_ADAM_H

#include "graph/graph.h"
#include "kernel/kernel.h"

struct adam {
    double lr, beta1, beta2, eps;
};

static const struct fanin_attr_spec adam_attrs[] = {
    FI_ATTR_REAL(struct adam, lr, 1e-3, 0, 1e6, "learning rate, before the schedule", 0),
    FI_ATTR_REAL(struct adam, beta1, 0.9, 0, 1, "memory of the average gradient",
                 FANIN_ATTR_BELOW_MAX),
    FI_ATTR_REAL(struct adam, beta2, 0.999, 0, 1, "memory of the average squared gradient",
                 FANIN_ATTR_BELOW_MAX),
    FI_ATTR_REAL(struct adam, eps, 1e-8, 1e-30, 1, "added to the root of the average square", 0),
    FI_ATTR_END};

static double adam_lr(const void *a) {
    return ((const struct adam *)a)->lr;
}

static double adam_momentum(const void *a) {
    return ((const struct adam *)a)->beta1;
}

static void adam_powers(const void *attrs, double *base1, double *base2) {
    const struct adam *a = attrs;
    *base1 = a->beta1;
    *base2 = a->beta2;
}

static void adam_update(const struct fi_optim_step *o, fi_real decay, fi_real *restrict w,
                        const fi_real *restrict g, fi_real *const *state, int64_t n) {
    const struct adam *a = o->attrs;
    const fi_real shrink = (fi_real)(-o->lr * (double)decay);
    const fi_real new1 = (fi_real)(1 - a->beta1 * o->momentum), new2 = (fi_real)(1 - a->beta2);
    const fi_real rate = (fi_real)(-o->lr / (1 - o->pow1));
    const fi_real root = (fi_real)(1 / sqrt(1 - o->pow2)), eps = (fi_real)a->eps;
    fi_real *restrict m = state[0];
    fi_real *restrict v = state[1];
    for (int64_t i = 0; i < n; i++) {
        m[i] = fi_fma(new1, g[i] - m[i], m[i]);
        v[i] = fi_fma(new2, fi_fma(g[i], g[i], -v[i]), v[i]);
        const fi_real direction = m[i] / fi_fma(fi_sqrt(v[i]), root, eps);
        w[i] = fi_fma(rate, direction, fi_fma(shrink, w[i], w[i]));
    }
}

#endif
