/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RMSprop: the gradient divided by the root of its running average square, optionally about its
 * running mean, optionally with momentum on the quotient:
 *
 *   w ← w - lr λ w        v ← v + (1 - α)(g² - v)        d = g / (√v + ε)
 *   centered: m ← m + (1 - α)(g - m),  d = g / (√(v - m²) + ε)
 *   w ← w - lr (d, or b ← μ b + d with momentum)
 *
 * ε is outside the root and the averages begin at 0 without correction, as in PyTorch. A variance
 * v - m² that rounding makes negative counts as 0; its root would be NaN for ever. States that are
 * not in use are not touched.
 *
 * Tieleman, Hinton: lecture 6.5, 2012; centered: Graves, arXiv:1308.0850, equations 38-41.
 */
#include "graph/graph.h"
#include "kernel/kernel.h"

struct rmsprop {
    double lr, alpha, eps, momentum;
    int centered;
};

static const struct fanin_attr_spec attrs[] = {
    FI_ATTR_REAL(struct rmsprop, lr, 1e-2, 0, 1e6, "learning rate, before the schedule", 0),
    FI_ATTR_REAL(struct rmsprop, alpha, 0.99, 0, 1, "memory of the average squared gradient",
                 FANIN_ATTR_BELOW_MAX),
    FI_ATTR_REAL(struct rmsprop, eps, 1e-8, 1e-30, 1, "added to the root of the average square", 0),
    FI_ATTR_REAL(struct rmsprop, momentum, 0, 0, 1, "part of the last step that is kept",
                 FANIN_ATTR_BELOW_MAX),
    FI_ATTR_BOOL(struct rmsprop, centered, 0, "divides by the standard deviation of the gradient"),
    FI_ATTR_END};

static double momentum(const void *a) {
    return ((const struct rmsprop *)a)->momentum;
}
static int keeps(const void *a) {
    const int without_mean = momentum(a) > 0 ? 2 : 1;
    return ((const struct rmsprop *)a)->centered ? 3 : without_mean;
}
static double lr(const void *a) {
    return ((const struct rmsprop *)a)->lr;
}

/* The four forms are this loop with constants, so that each has no branch and reads no state but
 * its own. */
__attribute__((always_inline)) static inline void
step(const struct fi_optim_step *o, fi_real decay, fi_real *restrict w, const fi_real *restrict g,
     fi_real *const *state, int64_t n, const bool momentum, const bool centered) {
    const struct rmsprop *a = o->attrs;
    const fi_real shrink = (fi_real)(-o->lr * (double)decay), rate = (fi_real)-o->lr;
    const fi_real fresh = (fi_real)(1 - a->alpha), eps = (fi_real)a->eps;
    const fi_real mu = (fi_real)(a->momentum * o->momentum);
    fi_real *restrict v = state[0];
    fi_real *restrict b = state[1];
    fi_real *restrict m = state[2];
    for (int64_t i = 0; i < n; i++) {
        v[i] = fi_fma(fresh, fi_fma(g[i], g[i], -v[i]), v[i]);
        fi_real square = v[i];
        if (centered) {
            m[i] = fi_fma(fresh, g[i] - m[i], m[i]);
            square = fi_fma(-m[i], m[i], square);
            square = square < 0 ? 0 : square; /* lets NaN through */
        }
        fi_real direction = g[i] / (fi_sqrt(square) + eps);
        if (momentum) direction = b[i] = fi_fma(mu, b[i], direction);
        w[i] = fi_fma(rate, direction, fi_fma(shrink, w[i], w[i]));
    }
}

static void update(const struct fi_optim_step *o, fi_real decay, fi_real *restrict w,
                   const fi_real *restrict g, fi_real *const *state, int64_t n) {
    const struct rmsprop *a = o->attrs;
    if (a->momentum > 0 && a->centered)
        step(o, decay, w, g, state, n, true, true);
    else if (a->momentum > 0)
        step(o, decay, w, g, state, n, true, false);
    else if (a->centered)
        step(o, decay, w, g, state, n, false, true);
    else
        step(o, decay, w, g, state, n, false, false);
}

FI_RECORD(optim, rmsprop) = {
    .head = {.name = "rmsprop",
             .formula = "w <- w - lr g / (sqrt(v) + eps), v running average of g^2",
             .reference = "Tieleman & Hinton 2012; Graves 2013, equations 38-41",
             .help = "Divides the gradient by its running root mean square; plain, centered, with "
                     "momentum.",
             .attrs = attrs,
             .attrs_size = sizeof(struct rmsprop)},
    .n_states = 3,
    .keeps = keeps,
    .states = {"square_avg", "momentum", "grad_avg"},
    .lr = lr,
    .momentum = momentum,
    .update = update};
