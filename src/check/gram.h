/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An activation applied to a batch of signals: from the means and covariances before it to those
 * behind it, for all pairs of samples at once.
 *
 * With u_a = mean_a + std_a z_a and normalized Hermite polynomials h_k,
 *
 *   E[f(u_a) f(u_b)] = Σ_k f_ak f_bk ρ_ab^k,   f_ak = E[f(mean_a + std_a z) h_k(z)]
 *
 * (Mehler's formula), so n samples cost n quadratures instead of n². The diagonal is the quadrature
 * itself. Of the rest, what the first terms leave over is known exactly on the diagonal; a kink
 * makes the coefficients fall like a power of k, and the remainder at ρ < 1 is that power's.
 */
#ifndef FI_GRAM_H
#define FI_GRAM_H

#include "check/theory.h"

/* Room, and tables that the layers of a net have in common; begins as 0. */
struct fi_gram {
    struct fi_shares *shares; /* of values, of slopes */
    double *numbers;
};

/* y->mean, y->cov, and slopes[ab] = E[f′(u_a) f′(u_b)]; all signals of a gram have as many samples.
 * Memory is the arena's. */
enum fanin_status fi_gram_activate(struct fi_arena *arena, struct fi_gram *gram,
                                   const struct fi_activation *f, const struct fanin_signal *x,
                                   const struct fanin_signal *y, double *slopes);

#endif
