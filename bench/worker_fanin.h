/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fanin worker: training and inference through the public API (worker_fanin.c); single ops and
 * the loss (worker_fanin_op.c), updates and initializers (worker_fanin_update.c) through what the
 * engine calls; the machine's own limits (worker_fanin_limits.c).
 */
#ifndef BENCH_WORKER_FANIN_H
#define BENCH_WORKER_FANIN_H

#include <fanin/fanin.h>

#include "worker.h"

extern const struct worker_kind bench_op;                 /* worker_fanin_op.c */
extern const struct worker_kind bench_update, bench_init; /* worker_fanin_update.c */
extern const struct worker_kind bench_limits;             /* worker_fanin_limits.c */

/* A context with the threads of the workload. Failures of this and the next end the program. */
fanin_ctx *bench_ctx(const struct work *w);
/* Ends the program with the context's message unless the status is OK. */
void bench_check(fanin_ctx *ctx, enum fanin_status status);

#define BENCH_ATTRS 8
/* The numbers of a JSON object as attributes, all but `except` (may be NULL); how many. */
int64_t bench_attrs(const json_t *object, const char *except, struct fanin_attr attrs[BENCH_ATTRS]);
/* The workload's net with its start; proof: without dropout. */
fanin_model *bench_model(fanin_ctx *ctx, const struct work *w, bool proof);
/* Sets the parameters of the dense layers as they start. */
void bench_start(fanin_ctx *ctx, const struct work *w, fanin_model *model);
/* A trainer with the workload's optimizer. */
fanin_trainer *bench_trainer(fanin_ctx *ctx, const struct work *w, fanin_model *model);

#endif
