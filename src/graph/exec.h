/* SPDX-License-Identifier: Apache-2.0 */
/* What plan.c takes from ready.c and update.c, and how exec.c cuts a tensor. */
#ifndef FI_EXEC_H
#define FI_EXEC_H

#include "base/base.h"

struct fi_exec;

/* Numbers in a block of a chain: x, y and a mask stay in L1. */
#define FI_BLOCK_CELLS 4096
/* Rough cost of a number of an elementwise node (relu 10, tanh 50, gelu 140), for deciding about
 * threads. */
#define FI_FLOPS_PER_CELL 40.0

/* Fills in the calls of every group; the last thing a plan needs. Errors: MEMORY. */
enum fanin_status fi_exec_ready(struct fi_exec *e);

/* step->emit of every step: collects the range or updates the parameter with it. */
void fi_emit_range(const struct fanin_step *s, int param, int64_t offset, int64_t n, fi_real *g);
/* Before a backward pass that collects: zeroes the gradients of tables, which get some rows only.
 */
void fi_emit_begin(const struct fi_exec *e);

#endif
