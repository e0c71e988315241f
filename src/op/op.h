/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the ops share: common infer() functions and the texts of shapes.
 */
#ifndef FI_OP_H
#define FI_OP_H

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

/* Runs rows(s, task) for rows task · FI_OP_TASK_ROWS and up, for ops that treat each sample alone.
 */
#define FI_OP_TASK_ROWS 16
#define fi_op_each_rows FI_T(fi_op_each_rows)
void fi_op_each_rows(const struct fanin_step *s, double flops_per_number,
                     void (*rows)(void *step, int64_t task));

#endif
