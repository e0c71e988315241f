/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an op may ask of the engine while it runs.
 */
#ifndef FI_STEP_H
#define FI_STEP_H

#include "base/base.h"

struct fi_touched;

/* The context: threads (fi_parallel). */
fanin_ctx *fi_step_ctx(const struct fanin_step *s);

/* Hands over g[0..n), the finished gradient of w[offset..offset+n) of parameter `param`: it is
 * stored, added, or used by the optimizer at once, whatever the run asks for. g is scratch
 * afterwards. */
void fi_step_emit(const struct fanin_step *s, int param, int64_t offset, int64_t n, fi_real *g);

/* What handing over a range of the gradient of parameter `param` will read and write. */
void fi_step_touched(const struct fanin_step *s, int param, struct fi_touched *out);

/* For ops with FANIN_OP_EPILOGUE: runs the elementwise nodes fused behind this one on a finished
 * block of y. */
void fi_step_forward_chain(const struct fanin_step *s, int64_t row0, int64_t rows, int64_t col0,
                           int64_t cols);
/* For the same ops: runs the elementwise nodes fused before input 0 backward on a finished block of
 * dx. */
void fi_step_backward_chain(const struct fanin_step *s, int64_t row0, int64_t rows, int64_t col0,
                            int64_t cols);
/* For ops that compute the gradient by their input before that by their weights: tells a profile
 * that the first is done. */
void fi_step_input_done(const struct fanin_step *s);
#endif
