/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Elementary functions that give the same bits on every processor tier and compiler, which libm
 * does not. They are inline and free of branches, so loops over them vectorize in files compiled as
 * the tiers are
 * (-ffp-contract=off -fno-math-errno -fno-trapping-math); FMA only where it is written.
 *
 * Contract: at most 2 ulp from the true value on the whole range, subnormal arguments and results
 * included; NaN, infinities and signed zeros as C11 annex F has them (floating-point exception
 * flags are not kept). Exceptions: fi_sin and fi_cos give NaN beyond |x| = 2^30, fi_sincos2pi has
 * the bounds stated there. The rounding mode must be to nearest.
 *
 *   float                   double                  fi_real
 *   fi_expf, fi_expm1f      fi_exp, fi_expm1        fi_r_exp, fi_r_expm1
 *   fi_logf, fi_log1pf      fi_log, fi_log1p        fi_r_log, fi_r_log1p
 *   fi_tanhf, fi_sigmoidf   fi_tanh, fi_sigmoid     fi_r_tanh, fi_r_sigmoid
 *   fi_erff                 fi_erf                  fi_r_erf
 *   fi_sincos2pif           fi_sincos2pi            fi_r_sincos2pi
 *                           fi_sin, fi_cos, fi_pow
 *
 * Polynomials: minimax by the Remez exchange. Muller, Elementary Functions, 3rd ed., 2016, ch. 3, 9
 * and 10.
 */
#ifndef FI_MATH_H
#define FI_MATH_H

#include "kernel/math_double.h"
#include "kernel/math_float.h"

#ifdef FANIN_REAL_DOUBLE
#define fi_r_exp fi_exp
#define fi_r_exp_down fi_exp
#define fi_r_expm1 fi_expm1
#define fi_r_log fi_log
#define fi_r_log1p fi_log1p
#define fi_r_tanh fi_tanh
#define fi_r_sigmoid fi_sigmoid
#define fi_r_erf fi_erf
#define fi_r_sincos2pi fi_sincos2pi
#else
#define fi_r_exp fi_expf
#define fi_r_exp_down fi_exp_downf /* x <= 0 */
#define fi_r_expm1 fi_expm1f
#define fi_r_log fi_logf
#define fi_r_log1p fi_log1pf
#define fi_r_tanh fi_tanhf
#define fi_r_sigmoid fi_sigmoidf
#define fi_r_erf fi_erff
#define fi_r_sincos2pi fi_sincos2pif
#endif

#endif
