/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sigmoid linear unit: y = x σ(x); dy/dx = σ(x) + x σ(x) σ(-x).
 *
 * With z = e^-|x| the last product is z / (1 + z)², which loses nothing where σ is near 1. Beyond
 * |x| = 1000, where z is 0 in float and double, x counts as ±1000: no infinity meets a zero.
 *
 * Elfwing, Uchibe, Doya: Sigmoid-weighted linear units, Neural Networks 107, 2018; as swish:
 * Ramachandran, Zoph, Le: Searching for activation functions, 2017 (put in the place of relu, with
 * the initialization of relu).
 */
#include "op/activation.h"

static inline fi_real value(const void *attrs, fi_real x) {
    (void)attrs;
    const fi_real low = x < -1000 ? -1000 : x;
    return low * fi_r_sigmoid(x);
}
static inline fi_real slope(const void *attrs, fi_real x, fi_real y) {
    (void)attrs, (void)y;
    const fi_real bounded = FI_CLAMP(x, -1000, 1000);
    const fi_real z = fi_r_exp_down(-fi_abs(bounded)), w = 1 / (1 + z);
    return fi_fma(bounded, z * w * w, (x < 0 ? z : 1) * w);
}
FI_ACTIVATION_BLOCKS

static double curve_f(const void *attrs, double x) {
    (void)attrs;
    return (x < -1000 ? -1000 : x) * fi_sigmoid(x);
}
static double curve_df(const void *attrs, double x) {
    (void)attrs;
    const double bounded = FI_CLAMP(x, -1000, 1000), z = fi_exp(-fabs(bounded));
    return fi_sigmoid(x) + bounded * z / ((1 + z) * (1 + z));
}
static const struct fanin_curve curve = {.f = curve_f, .df = curve_df, .family = "relu"};

FI_ACTIVATION_CASES

FI_RECORD(op, silu) = {.head = {.name = "silu",
                                .aliases = "swish",
                                .formula = "y = x / (1 + exp(-x))",
                                .reference = "Elfwing et al. 2018; Ramachandran et al. 2017",
                                .help = "Smooth rectifier: x times its logistic function."},
                       .flags = FANIN_OP_ELEMENTWISE | FANIN_OP_NO_Y,
                       .infer = fi_op_infer_same,
                       .forward_block = forward_block,
                       .backward_block = backward_block,
                       .curve = &curve,
                       .cases = cases,
                       .n_cases = FI_COUNT(cases)};
