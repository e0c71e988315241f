/* SPDX-License-Identifier: Apache-2.0 */
/* The machine's limits as the library itself measures them: also where a stop was asked for. */
#ifndef FI_BENCH_H
#define FI_BENCH_H

#include <fanin/bench.h>

#include "base/base.h"

/* As fanin_bench_peak and fanin_bench_memory, on all threads. */
double fi_bench_peak(fanin_ctx *ctx, double seconds);
enum fanin_status fi_bench_copy(fanin_ctx *ctx, size_t bytes, double seconds, double *copy);

#endif
