/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every activation is made of. Its file defines two inline functions over one number,
 *
 *   static inline fi_real value(const void *attrs, fi_real x)
 *   static inline fi_real slope(const void *attrs, fi_real x, fi_real y)      dy/dx from x, y =
 * value(x)
 *
 * and a curve, then says FI_ACTIVATION_BLOCKS: the loops over a block, which the compiler
 * vectorizes on each tier. A slope that reads y alone lets the output overwrite the input: flag
 * FANIN_OP_NO_X, and x is then worth nothing. One that reads x alone has FANIN_OP_NO_Y.
 */
#ifndef FI_ACTIVATION_H
#define FI_ACTIVATION_H

#include "kernel/math.h"
#include "op/op.h"

/* x between low and high; NaN stays. */
#define FI_CLAMP(x, low, high) ((x) < (low) ? (low) : (x) > (high) ? (high) : (x))

#define FI_ACTIVATION_LOOPS(forward_block, backward_block, value, slope)                           \
    static void forward_block(const struct fanin_step *s, const struct fanin_block *b,             \
                              const fi_real *x, int64_t ldx, fi_real *y, int64_t ldy) {            \
        const void *attrs_ = s->attrs;                                                             \
        for (int64_t r = 0; r < b->rows; r++, x += ldx, y += ldy) {                                \
            FI_IVDEP                                                                               \
            for (int64_t c = 0; c < b->cols; c++) y[c] = value(attrs_, x[c]);                      \
        }                                                                                          \
    }                                                                                              \
    static void backward_block(const struct fanin_step *s, const struct fanin_block *b,            \
                               const fi_real *x, int64_t ldx, const fi_real *y, int64_t ldy,       \
                               const fi_real *dy, int64_t lddy, fi_real *dx, int64_t lddx) {       \
        const void *attrs_ = s->attrs;                                                             \
        for (int64_t r = 0; r < b->rows; r++, x += ldx, y += ldy, dy += lddy, dx += lddx) {        \
            FI_IVDEP                                                                               \
            for (int64_t c = 0; c < b->cols; c++) dx[c] = dy[c] * slope(attrs_, x[c], y[c]);       \
        }                                                                                          \
    }

#define FI_ACTIVATION_BLOCKS FI_ACTIVATION_LOOPS(forward_block, backward_block, value, slope)

/* The shapes every activation is tested at. */
#define FI_ACTIVATION_SHAPES                                                                       \
    {.rows = 1, .n_in = 1, .dims = {{1}}}, {.rows = 5, .n_in = 1, .dims = {{7}}},                  \
        {.rows = 3, .n_in = 1, .dims = {{1030}}}, {                                                \
        .rows = 33, .n_in = 1, .dims = { {3, 11} }                                                 \
    }

/* A case with attributes. */
#define FI_ACTIVATION_CASE(attrs_)                                                                 \
    { .rows = 5, .n_in = 1, .dims = {{41}}, .attrs = (attrs_), .n_attrs = FI_COUNT(attrs_) }

/* Cases for an activation without attributes. */
#define FI_ACTIVATION_CASES static const struct fanin_case cases[] = {FI_ACTIVATION_SHAPES};

#endif
