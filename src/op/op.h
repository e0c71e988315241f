/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the ops share: common infer() functions and the texts of shapes.
 */
#ifndef FI_OP_H
#define FI_OP_H

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

/* keep[0..n) of the numbers first .. first+n-1 of a batch that has `per_sample` numbers a sample:
 * drawn (fi_random_below16), or what step->switches says. */
#define fi_op_keep FI_T(fi_op_keep)
void fi_op_keep(const struct fanin_step *s, int64_t first, int64_t n, int64_t per_sample,
                uint32_t threshold, uint8_t *keep);

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

/* Masks: state_bytes_per_cell is 1. A number is dropped if its 16 random bits are below the
 * threshold, which is the rate · 2^16, rounded. */
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
static inline const uint8_t *fi_op_mask_row(const struct fanin_step *s, const struct fanin_block *b,
                                            int64_t row) {
    return (const uint8_t *)s->state + (b->row0 + row) * s->y->cols + b->col0;
}
/* y = mask ? x · scale : 0, so that what is dropped is 0 even if it was infinite. */
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
