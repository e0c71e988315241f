/* SPDX-License-Identifier: Apache-2.0 */
/* What plan.c takes from ready.c and update.c. */
#ifndef FI_EXEC_H
#define FI_EXEC_H

#include "base/base.h"

struct fi_exec;

/* Fills in the calls of every group; the last thing a plan needs. Errors: MEMORY. */
enum fanin_status fi_exec_ready(struct fi_exec *e);

/* step->emit of every step: collects the range or updates the parameter with it. */
void fi_emit_range(const struct fanin_step *s, int param, int64_t offset, int64_t n, fi_real *g);
/* Before a backward pass that collects: zeroes the gradients of tables, which get some rows only.
 */
void fi_emit_begin(const struct fi_exec *e);

#endif
