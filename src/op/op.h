/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the ops share: common infer() functions and the texts of shapes.
 */
#ifndef FI_OP_H
#define FI_OP_H

#include <string.h>

#include "graph/signal.h"
#include "graph/step.h"
#include "kernel/kernel.h"

#define FI_SHAPE_TEXT 192

/* "(3, 28, 28)". Returns text. */
#define fi_op_shape_text FI_T(fi_op_shape_text)
const char *fi_op_shape_text(char text[FI_SHAPE_TEXT], const struct fanin_shape *shape);

/* infer() of an op with one input whose output has the input's shape. */
#define fi_op_infer_same FI_T(fi_op_infer_same)
enum fanin_status fi_op_infer_same(struct fanin_infer *io);

/* Copies a block unless both ends are the same memory. */
#define fi_op_copy FI_T(fi_op_copy)
void fi_op_copy(const struct fanin_block *b, const fi_real *x, int64_t ldx, fi_real *y,
                int64_t ldy);

/* The mask of the numbers first .. first+n-1 of a batch that has `per_sample` numbers a sample, bit
 * i that of the number first + i: drawn (fi_random_below16), or what step->switches says. */
#define fi_op_keep FI_T(fi_op_keep)
void fi_op_keep(const struct fanin_step *s, int64_t first, int64_t n, int64_t per_sample,
                uint32_t threshold, uint8_t *mask);

/* Zeroes a block. */
#define fi_op_clear FI_T(fi_op_clear)
void fi_op_clear(const struct fanin_block *b, fi_real *y, int64_t ldy);

/* infer() of an op whose inputs, two or more, have one shape, and its output the same. */
#define fi_op_infer_joined FI_T(fi_op_infer_joined)
enum fanin_status fi_op_infer_joined(struct fanin_infer *io, const char *name);

/* Which dimension of a sample `axis` means, counted from 0. The batch is axis 0, as in PyTorch and
 * Keras, and cannot be meant; a negative axis counts from the end. */
#define fi_op_axis FI_T(fi_op_axis)
enum fanin_status fi_op_axis(const struct fanin_infer *io, int64_t axis, int *dim);
/* The product of the dimensions from `first` on, up to but not including `end`. */
#define fi_op_span FI_T(fi_op_span)
int64_t fi_op_span(const struct fanin_shape *shape, int first, int end);

/* flops() of an op that does nothing in a prediction, or only moves numbers. */
#define fi_op_no_flops FI_T(fi_op_no_flops)
double fi_op_no_flops(const struct fanin_infer *io);

/* Runs rows(s, task) for rows task · FI_OP_TASK_ROWS and up, for ops that treat each sample alone.
 */
#define FI_OP_TASK_ROWS 16
#define fi_op_each_rows FI_T(fi_op_each_rows)
void fi_op_each_rows(const struct fanin_step *s, double flops_per_number,
                     void (*rows)(void *step, int64_t task));

/* ---- noise ----------------------------------------------------------------------------------------
 *
 * Drawn in prepare() for the whole batch, kept for the backward pass. The draw of element (row,
 * col) depends on the node, the step and its index in the global batch alone: blocks, threads and
 * shards do not change it. */

/* Masks: a bit a number, rows one behind the other; state_bytes_per_row is
 * fi_op_mask_row_bytes(columns) and state_bytes FI_OP_MASK_END. A number is dropped if its 16
 * random bits are below the threshold, which is the rate · 2^16, rounded. */
#define FI_OP_MASK_END 8 /* bytes that may be read behind a mask */
static inline size_t fi_op_mask_row_bytes(int64_t cols) {
    return (size_t)(cols + 7) / 8;
}
#define FI_OP_DROP_ALL 65536u
static inline uint32_t fi_op_threshold(double rate) {
    return (uint32_t)floor(rate * FI_OP_DROP_ALL + 0.5);
}
static inline int fi_op_drops_some(uint32_t threshold) {
    return threshold > 0 && threshold < FI_OP_DROP_ALL;
}
static inline double fi_op_keep_probability(uint32_t threshold) {
    return 1 - (double)threshold / FI_OP_DROP_ALL;
}
/* 1 / keep of the rounded rate, so that the mean stays exact. */
static inline fi_real fi_op_keep_scale(uint32_t threshold) {
    return (fi_real)((double)FI_OP_DROP_ALL / (FI_OP_DROP_ALL - threshold));
}
/* Nothing is drawn for a threshold that drops nothing or everything. */
#define fi_op_draw_mask FI_T(fi_op_draw_mask)
void fi_op_draw_mask(const struct fanin_step *s, uint32_t threshold);
/* The first of a block's row. */
static inline int64_t fi_op_mask_at(const struct fanin_step *s, const struct fanin_block *b,
                                    int64_t row) {
    return (b->row0 + row) * s->y->cols + b->col0;
}
static inline bool fi_op_mask_bit(const uint8_t *mask, int64_t at) {
    return mask[at / 8] >> at % 8 & 1;
}
/* The 32 bits from `at` on, of which those behind the mask's last mean nothing. */
static inline uint32_t fi_op_mask_bits(const uint8_t *mask, int64_t at) {
    const uint64_t bit = (uint64_t)at;
    uint64_t bits;
    memcpy(&bits, mask + bit / 8, sizeof bits);
    return (uint32_t)(bits >> bit % 8);
}
/* y[i] = bit at + i of the mask ? x[i] · scale : dropped, i < n; x may be y. */
#define fi_op_pick FI_T(fi_op_pick)
void fi_op_pick(const uint8_t *mask, int64_t at, fi_real scale, fi_real dropped, const fi_real *x,
                fi_real *y, int64_t n);
/* A block of y = mask ? x · scale : 0, so that what is dropped is 0 even if it was infinite. */
#define fi_op_apply_mask FI_T(fi_op_apply_mask)
void fi_op_apply_mask(const struct fanin_step *s, const struct fanin_block *b, fi_real scale,
                      const fi_real *x, int64_t ldx, fi_real *y, int64_t ldy);

/* Standard normal numbers: state_bytes_per_cell is sizeof(fi_real). */
#define fi_op_draw_normal FI_T(fi_op_draw_normal)
void fi_op_draw_normal(const struct fanin_step *s);
static inline const fi_real *fi_op_normal_row(const struct fanin_step *s,
                                              const struct fanin_block *b, int64_t row) {
    return (const fi_real *)s->state + (b->row0 + row) * s->y->cols + b->col0;
}

#endif
