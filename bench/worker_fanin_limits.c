/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the machine itself could do, measured between the others' blocks (fanin/bench.h): multiply-
 * adds in registers, and a copy within as many bytes as a step of the workload moves, on all
 * threads of the workload at once.
 */
#include <stdlib.h>

#include <fanin/bench.h>

#include "worker_fanin.h"

#define LEAST_BYTES 16384 /* a thread: less would measure the call */

struct limits {
    fanin_ctx *ctx;
    size_t bytes;
};

static void *open_limits(const struct work *w, bool proof, struct worker_say *say) {
    struct limits *l = work_alloc(1, sizeof *l);
    const double bytes = work_number(w->json, "bytes"), least = LEAST_BYTES * (double)w->threads;
    (void)proof, (void)say;
    l->ctx = bench_ctx(w);
    l->bytes = (size_t)(bytes > least ? bytes : least);
    return l;
}

static void close_limits(void *self) {
    struct limits *l = self;
    fanin_ctx_free(l->ctx);
    free(l);
}

static json_t *block_limits(void *self, double seconds) {
    struct limits *l = self;
    double flops = 0, copied = 0;
    bench_check(l->ctx, fanin_bench_peak(l->ctx, 0, seconds / 2, &flops));
    bench_check(l->ctx, fanin_bench_memory(l->ctx, 0, l->bytes, seconds / 2, &copied, NULL));
    return json_pack("{s: f, s: f, s: I}", "peak_gflops", 1e-9 * flops, "copy_gb_s", 1e-9 * copied,
                     "copy_bytes", (json_int_t)l->bytes);
}

const struct worker_kind bench_limits = {
    .kind = "limits", .open = open_limits, .block = block_limits, .close = close_limits};
