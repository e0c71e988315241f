/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this machine can do, measured: arithmetic, memory, matrix products. What a step of a net
 * makes of it is told by the profile of a run (fanin/train.h, options.profile).
 *
 * Every call measures for about `seconds`, at least one block of 1 ms, and tells the fastest block:
 * other load on the machine makes the others slower, and no block faster. On a context that was
 * asked to stop (fanin_stop) it returns STOPPED at once; a request that comes while it measures
 * ends it early, with what was measured so far.
 */
#ifndef FANIN_BENCH_H
#define FANIN_BENCH_H

#include <fanin/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* *flops: floating-point operations a second (a multiply-add is two) of chains of multiply-adds in
 * registers, with the vectors of the tier in use, on `threads` of the context's threads at once; 0:
 * all of them. Errors: ARGUMENT (more threads than the context has), STOPPED. */
FANIN_API enum fanin_status fanin_bench_peak(fanin_ctx *ctx, int threads, double seconds,
                                             double *flops);

/* Bytes a second of memory of `bytes` bytes, of which each of the threads has an equal part of its
 * own. *copy: from one half of it to the other, read and written bytes both counted; *read: of
 * reading alone; either may be NULL. The two share `seconds`.
 * Errors: ARGUMENT (threads; less than 4096 bytes a thread), MEMORY, STOPPED. */
FANIN_API enum fanin_status fanin_bench_memory(fanin_ctx *ctx, int threads, size_t bytes,
                                               double seconds, double *copy, double *read);
/* Bytes of the data cache of this level, 1 to 3, as the system tells; a usual size where it does
 * not. 0: there is no such level. */
FANIN_API size_t fanin_bench_cache(int level);

/* The products of a dense layer's training step; w is (outputs, inputs), x batch × inputs, y and dy
 * batch × outputs. */
enum fanin_product {
    FANIN_PRODUCT_Y,  /* y = x wᵀ */
    FANIN_PRODUCT_DX, /* dx = dy w */
    FANIN_PRODUCT_DW  /* dw = dyᵀ x, handed on tile by tile as a step does, stored nowhere */
};
/* *flops: floating-point operations a second of a product (2 batch outputs inputs of them) on all
 * threads of the context; operands lie as in a step and are packed within the time.
 * Errors: ARGUMENT (a size below 1), MEMORY, STOPPED. */
FANIN_API enum fanin_status fanin_bench_product(fanin_ctx *ctx, enum fanin_product product,
                                                int64_t batch, int64_t outputs, int64_t inputs,
                                                double seconds, double *flops);

#ifdef __cplusplus
}
#endif
#endif
