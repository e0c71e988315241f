/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What op records say of signal propagation in their hooks `signal` and `signal_back`, as a few
 * laws of wide random layers. n samples; q_ab = cov_ab + mean_a mean_b; every `_back` adds to the
 * grad of the inputs.
 */
#ifndef FI_SIGNAL_H
#define FI_SIGNAL_H

#include "graph/graph.h"

/* y = W x + b: mean = n_in w̄ mean + b̄, cov = n_in Var(w) q + Var(b); back: n_out E[w²] grad. Sets
 * the gradients of the two parameters: Σ grad_ab q_ab and Σ grad_ab. bias may be NULL. (Poole et
 * al. 2016, eq. 3; Glorot & Bengio 2010, eq. 5–6) */
void fi_signal_linear(const struct fanin_signal_step *s, struct fanin_param_law *weight,
                      struct fanin_param_law *bias);
void fi_signal_linear_back(const struct fanin_signal_step *s, struct fanin_param_law *weight,
                           struct fanin_param_law *bias);

/* y = x · m, m independent for each number and sample, mean 1 and variance `var`: only the diagonal
 * grows. (Schoenholz et al. 2017, section 5) */
void fi_signal_noise(const struct fanin_signal_step *s, double var);
void fi_signal_noise_back(const struct fanin_signal_step *s, double var);

/* Each unit normalized over the batch, then scale and shift (either law may be NULL: 1 and 0). The
 * gradient is what is orthogonal to the batch's mean and to the output. (Yang et al. 2019) */
void fi_signal_batch_norm(const struct fanin_signal_step *s, double eps,
                          const struct fanin_param_law *scale, const struct fanin_param_law *shift);
void fi_signal_batch_norm_back(const struct fanin_signal_step *s, double eps,
                               const struct fanin_param_law *scale);

/* Each sample normalized over its units; `centre`: minus the mean first. */
void fi_signal_layer_norm(const struct fanin_signal_step *s, double eps, bool centre,
                          const struct fanin_param_law *scale, const struct fanin_param_law *shift);
void fi_signal_layer_norm_back(const struct fanin_signal_step *s, double eps, bool centre,
                               const struct fanin_param_law *scale);

/* y = w x with one factor for all units, or one each. */
void fi_signal_scale(const struct fanin_signal_step *s, const struct fanin_param_law *w);
void fi_signal_scale_back(const struct fanin_signal_step *s, const struct fanin_param_law *w);

/* y = Σ x_k, branches independent unless they are the same node; for one input y = x. */
void fi_signal_sum(const struct fanin_signal_step *s);
void fi_signal_sum_back(const struct fanin_signal_step *s);

#endif
