/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stochastic gradient descent with momentum, Nesterov's or the classical, without dampening:
 *
 *   w ← w - lr λ w        v ← μ v + g        w ← w - lr (v, or g + μ v with nesterov)
 *
 * lr is outside v (as in PyTorch), so that a schedule acts at once. Without momentum there is no v.
 *
 * Polyak 1964; Sutskever, Martens, Dahl, Hinton: On the importance of initialization and momentum,
 * ICML 2013.
 */
#include "graph/graph.h"
#include "kernel/kernel.h"

struct sgd {
    double lr, momentum;
    int nesterov;
};

static const struct fanin_attr_spec attrs[] = {
    FI_ATTR_REAL(struct sgd, lr, 0.1, 0, 1e6, "learning rate, before the schedule", 0),
    FI_ATTR_REAL(struct sgd, momentum, 0, 0, 1, "part of the last step that is kept",
                 FANIN_ATTR_BELOW_MAX),
    FI_ATTR_BOOL(struct sgd, nesterov, 0, "looks ahead along the momentum"), FI_ATTR_END};

static double momentum(const void *a) {
    return ((const struct sgd *)a)->momentum;
}
static int keeps(const void *a) {
    return momentum(a) > 0;
}
static double lr(const void *a) {
    return ((const struct sgd *)a)->lr;
}

static void update(const struct fi_optim_step *o, fi_real decay, fi_real *restrict w,
                   const fi_real *restrict g, fi_real *const *state, int64_t n) {
    const struct sgd *a = o->attrs;
    const fi_real shrink = (fi_real)(-o->lr * (double)decay), rate = (fi_real)-o->lr;
    const fi_real mu = (fi_real)(a->momentum * o->momentum);
    fi_real *restrict v = state[0];
    if (a->momentum == 0)
        for (int64_t i = 0; i < n; i++) w[i] = fi_fma(rate, g[i], fi_fma(shrink, w[i], w[i]));
    else if (a->nesterov)
        for (int64_t i = 0; i < n; i++) {
            v[i] = fi_fma(mu, v[i], g[i]);
            w[i] = fi_fma(rate, fi_fma(mu, v[i], g[i]), fi_fma(shrink, w[i], w[i]));
        }
    else
        for (int64_t i = 0; i < n; i++) {
            v[i] = fi_fma(mu, v[i], g[i]);
            w[i] = fi_fma(rate, v[i], fi_fma(shrink, w[i], w[i]));
        }
}

FI_RECORD(optim, sgd) = {
    .head = {.name = "sgd",
             .formula = "v <- momentum v + g; w <- w - lr v",
             .reference = "Polyak 1964; Sutskever et al., ICML 2013",
             .help = "Stochastic gradient descent, with momentum (classical or Nesterov's).",
             .attrs = attrs,
             .attrs_size = sizeof(struct sgd)},
    .n_states = 1,
    .keeps = keeps,
    .states = {"momentum"},
    .lr = lr,
    .momentum = momentum,
    .update = update};
