/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Measures the machine (fanin/bench.h): a piece of work runs on each of some threads, in blocks
 * that are long beside the clock and beside waking a thread; the fastest block counts.
 *
 * Copying is the C library's, which knows the machine's best way for each size; reading and
 * arithmetic are kernels of the tier in use.
 */
#include "bench/bench.h"

#include <string.h>
#include <unistd.h>

#include "kernel/kernel.h"

#define BLOCK_SECONDS 1e-3
#define CHAIN_ROUNDS 2000
/* More than any threshold of fi_parallel: the work is to be split. */
#define SPLIT 1e30
#define LEAST_BYTES 4096

struct work {
    fanin_ctx *ctx;
    int threads;
    double (*run)(const struct work *w, int64_t thread); /* returns the units of work it did */
    int64_t runs;                                        /* in a block, of each thread */
    double *units;                                       /* of each thread, in this block */
    fi_real *memory;                                     /* of all threads, or NULL */
    int64_t part;                                        /* numbers a thread */
    const struct fi_product *product;
};

static void run_thread(void *arg, int64_t thread) {
    const struct work *w = arg;
    double units = 0;
    for (int64_t i = 0; i < w->runs; i++) units += w->run(w, thread);
    w->units[thread] = units;
}

/* Units a second in the fastest block. */
static double fastest(struct work *w, double seconds) {
    const double began = fi_seconds();
    double best = 0;
    w->runs = 1;
    do {
        const double start = fi_seconds();
        double units = 0;
        fi_parallel(w->ctx, w->threads, SPLIT, run_thread, w);
        const double time = fi_seconds() - start;
        for (int i = 0; i < w->threads; i++) units += w->units[i];
        if (time < BLOCK_SECONDS)
            w->runs *= 2;
        else
            best = FI_MAX(best, units / time);
    } while (best == 0 || (fi_seconds() - began < seconds && !w->ctx->stop));
    return best;
}

static enum fanin_status check(fanin_ctx *ctx, int *threads) {
    const int all = fanin_threads(ctx);
    if (ctx->stop) return fi_fail(ctx, FANIN_ERR_STOPPED, "stopped while measuring");
    if (*threads < 0 || *threads > all)
        return fi_fail(ctx, FANIN_ERR_ARGUMENT, "cannot measure %d threads: the context has %d",
                       *threads, all);
    if (*threads == 0) *threads = all;
    return FANIN_OK;
}

/* ---- arithmetic ------------------------------------------------------------------------------------ */

static double run_chains(const struct work *w, int64_t thread) {
    (void)thread;
    fi_real sink;
    const double flops = w->ctx->kernels->chains(CHAIN_ROUNDS, &sink);
    __asm__ volatile("" : : "r"(&sink) : "memory");
    return flops;
}

#define THREADS_MAX 1024

static double peak(fanin_ctx *ctx, int threads, double seconds) {
    double units[THREADS_MAX];
    struct work w = {
        .ctx = ctx, .threads = FI_MIN(threads, THREADS_MAX), .run = run_chains, .units = units};
    return fastest(&w, seconds);
}

enum fanin_status fanin_bench_peak(fanin_ctx *ctx, int threads, double seconds, double *flops) {
    FI_TRY(check(ctx, &threads));
    *flops = peak(ctx, threads, seconds);
    return FANIN_OK;
}

double fi_bench_peak(fanin_ctx *ctx, double seconds) {
    return peak(ctx, fanin_threads(ctx), seconds);
}

/* ---- memory ---------------------------------------------------------------------------------------- */

static double run_copy(const struct work *w, int64_t thread) {
    fi_real *from = w->memory + thread * w->part, *to = from + w->part / 2;
    const size_t bytes = (size_t)(w->part / 2) * sizeof *from;
    memcpy(to, from, bytes);
    __asm__ volatile("" : : "r"(to) : "memory");
    return 2 * (double)bytes;
}

static double run_read(const struct work *w, int64_t thread) {
    fi_real sink;
    w->ctx->kernels->read(w->memory + thread * w->part, w->part, &sink);
    __asm__ volatile("" : : "r"(&sink) : "memory");
    return (double)w->part * sizeof(fi_real);
}

/* Every page is written once, so that it is there. */
static enum fanin_status memory(fanin_ctx *ctx, int threads, size_t bytes, double seconds,
                                double *copy, double *read) {
    double units[THREADS_MAX];
    struct work w = {.ctx = ctx, .threads = FI_MIN(threads, THREADS_MAX), .units = units};
    const int64_t step = 2 * FI_LANES; /* both halves begin at a cache line */
    w.part = (int64_t)(bytes / (size_t)w.threads / sizeof(fi_real)) / step * step;
    w.memory = fi_alloc(ctx, w.part * w.threads, sizeof(fi_real));
    if (!w.memory) return FANIN_ERR_MEMORY;
    for (int64_t i = 0; i < w.part * w.threads; i++) w.memory[i] = 1;
    const double each = copy && read ? seconds / 2 : seconds;
    w.run = run_copy;
    if (copy) *copy = fastest(&w, each);
    w.run = run_read;
    if (read) *read = fastest(&w, each);
    fi_free(ctx, w.memory);
    return FANIN_OK;
}

enum fanin_status fanin_bench_memory(fanin_ctx *ctx, int threads, size_t bytes, double seconds,
                                     double *copy, double *read) {
    FI_TRY(check(ctx, &threads));
    if (bytes / (size_t)threads < LEAST_BYTES)
        return fi_fail(ctx, FANIN_ERR_ARGUMENT, "cannot measure %zu bytes: a thread needs %d",
                       bytes, LEAST_BYTES);
    return memory(ctx, threads, bytes, seconds, copy, read);
}

enum fanin_status fi_bench_copy(fanin_ctx *ctx, size_t bytes, double seconds, double *copy) {
    const int threads = fanin_threads(ctx);
    return memory(ctx, threads, FI_MAX(bytes, (size_t)threads * LEAST_BYTES), seconds, copy, NULL);
}

size_t fanin_bench_cache(int level) {
    static const int names[] = {_SC_LEVEL1_DCACHE_SIZE, _SC_LEVEL2_CACHE_SIZE,
                                _SC_LEVEL3_CACHE_SIZE};
    static const size_t usual[] = {(size_t)32 << 10, (size_t)512 << 10, (size_t)8 << 20};
    if (level < 1 || level > FI_COUNT(names)) return 0;
    const long told = sysconf(names[level - 1]);
    return told > 0 ? (size_t)told : usual[level - 1];
}

/* ---- matrix products ------------------------------------------------------------------------------- */

/* Of one "thread", the caller: the product itself uses all that the context has. */
static double run_product(const struct work *w, int64_t thread) {
    const struct fi_product *p = w->product;
    (void)thread;
    w->ctx->kernels->product(w->ctx, p);
    return 2.0 * (double)p->batch * (double)p->outputs * (double)p->inputs;
}

static enum fanin_status set_operands(struct fi_arena *arena, const struct fi_kernels *kernels,
                                      struct fi_product *p) {
    int64_t nx, ny, nw;
    p->ldx = fi_row_stride(p->inputs);
    p->ldy = fi_row_stride(p->outputs);
    if (!fi_mul(p->batch, p->ldx, &nx) || !fi_mul(p->batch, p->ldy, &ny) ||
        !fi_mul(p->outputs + FI_PANEL, p->inputs, &nw))
        return fi_fail_memory(arena->ctx, "a product", SIZE_MAX);
    p->x = fi_arena_alloc(arena, nx, sizeof(fi_real));
    p->y = fi_arena_alloc(arena, ny, sizeof(fi_real));
    p->w = fi_arena_alloc(arena, nw, sizeof(fi_real));
    p->scratch = fi_arena_alloc(arena, kernels->product_scratch(p), sizeof(fi_real));
    if (!p->x || !p->y || !p->w || !p->scratch) return FANIN_ERR_MEMORY;
    kernels->random_normal(1, 0, 0, nx, p->x);
    kernels->random_normal(2, 0, 0, ny, p->y);
    kernels->random_normal(3, 0, 0, nw, p->w);
    return FANIN_OK;
}

enum fanin_status fanin_bench_product(fanin_ctx *ctx, enum fanin_product product, int64_t batch,
                                      int64_t outputs, int64_t inputs, double seconds,
                                      double *flops) {
    int threads = 1;
    double units;
    struct fi_product p = {.kind = product, .batch = batch, .outputs = outputs, .inputs = inputs};
    struct work w = {.ctx = ctx, .threads = 1, .run = run_product, .units = &units, .product = &p};
    struct fi_arena arena;
    FI_TRY(check(ctx, &threads));
    if (batch < 1 || outputs < 1 || inputs < 1)
        return fi_fail(ctx, FANIN_ERR_ARGUMENT,
                       "a product of batch %lld, outputs %lld, inputs %lld: all must be 1 or more",
                       (long long)batch, (long long)outputs, (long long)inputs);
    fi_arena_init(&arena, ctx);
    const enum fanin_status status = set_operands(&arena, ctx->kernels, &p);
    if (status == FANIN_OK) *flops = fastest(&w, seconds);
    fi_arena_free(&arena);
    return status;
}
