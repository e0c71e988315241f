/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mean-field theory of a wide layer, x → f(x) → W f(x) + b with Var(W_ij) = σ_w²/n_in, Var(b) =
 * σ_b².
 *
 *   V(q) = σ_w² m E[f(√q z)²] + σ_b²          the map of the second moment
 *   q*                                        its stable fixed point
 *   χ₁   = σ_w² m E[f′(√q* z)²]               gradient variance a layer; for m = 1, C′(1)
 *   C(c) = (σ_w² E[f(u)f(v)] + σ_b²) / q*     the map of the correlation of two inputs
 *   c*                                        its stable fixed point; for m = 1 and χ₁ ≤ 1, 1
 *   ξ_c  = -1 / ln C′(c*),  ξ_q = -1 / ln V′(q*)   depth scales, in layers
 *
 * m = E[noise²] of dropout behind the activation, 1 without: what two samples do not share.
 *
 * Poole et al., NeurIPS 2016, eq. 3–7; Schoenholz et al., ICLR 2017, eq. 5–9, with dropout
 * section 5. Everything by the quadrature of graph/curve.c, in double.
 */
#ifndef FI_THEORY_H
#define FI_THEORY_H

#include "graph/curve.h"

struct fi_activation {
    const struct fanin_curve *curve;
    const void *attrs;
};

/* Expectations over x ~ N(mean, var). */
struct fi_response {
    double mean;         /* E f */
    double second;       /* E f² */
    double slope;        /* E f′ */
    double slope_second; /* E f′² */
    double growth;       /* d E f² / d var */
};
enum fanin_status fi_response(fanin_ctx *ctx, struct fi_response *out,
                              const struct fi_activation *f, double mean, double var);

/* E[f(u)f(v)] and E[f′(u)f′(v)], (u, v) normal with mean 0, variance q each and correlation c in
 * [-1, 1]: double integrals, broken at the kinks. */
enum fanin_status fi_cross(fanin_ctx *ctx, double *ff, double *slopes,
                           const struct fi_activation *f, double q, double c);

struct fi_mean_field {
    double q;     /* q*; NaN: none below 1e9 */
    double chi;   /* χ₁ */
    double c;     /* c* */
    double c_map; /* C′(c*) */
    double xi_c;  /* infinite at the critical point */
    double xi_q;
};
enum fanin_status fi_mean_field(fanin_ctx *ctx, struct fi_mean_field *out,
                                const struct fi_activation *f, double weight_var, double bias_var,
                                double noise);

#endif
