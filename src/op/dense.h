/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What layers share whose outputs are weighted sums of all inputs: dense, and those that compute
 * the weights they use from parameters (weight_norm, dropconnect). Such a layer begins its
 * attributes with struct fi_dense, makes its weights in prepare(), and turns the gradient of those
 * weights into that of its parameters.
 */
#ifndef FI_OP_DENSE_H
#define FI_OP_DENSE_H

#include "op/op.h"

struct fi_dense {
    int64_t units;
    int bias;
    struct fanin_rule_ref init, bias_init;
};

#define FI_DENSE_ATTRS                                                                             \
    FI_ATTR_INT(struct fi_dense, units, 0, 1, 1e9, "outputs of the layer", FANIN_ATTR_REQUIRED),   \
        FI_ATTR_BOOL(struct fi_dense, bias, 1, "adds a learned number to each output"),            \
        FI_ATTR_RULE(struct fi_dense, init, "init",                                                \
                     "how the weights start; default: by what follows"),                           \
        FI_ATTR_RULE(struct fi_dense, bias_init, "init", "how the biases start; default: zeros")

/* One input, read as a row; asks for "weight" (parameter 0) and, with bias, "bias" (parameter 1).
 */
#define fi_dense_infer FI_T(fi_dense_infer)
enum fanin_status fi_dense_infer(struct fanin_infer *io);

#define fi_dense_flops FI_T(fi_dense_flops)
double fi_dense_flops(const struct fanin_infer *io);

/* y = x · wᵀ + bias, and the chain behind; w in panels like parameter 0. */
#define fi_dense_forward FI_T(fi_dense_forward)
void fi_dense_forward(const struct fanin_step *s, const fi_real *w);

/* dx from w; then the gradient of w by finished ranges to take_dw(s, …), which may change what w
 * was made from but not w; then that of the bias. take_dw NULL: the weights are frozen. */
#define fi_dense_backward FI_T(fi_dense_backward)
void fi_dense_backward(const struct fanin_step *s, const fi_real *w, fi_range_fn take_dw);

#endif
