/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Timing for the benchmarks: blocks of repetitions, contenders in turn, medians. The machine is
 * shared, so only ratios within one run count; every table ends with the machine's own limit,
 * measured in the same run.
 */
#ifndef BENCH_H
#define BENCH_H

#include <fanin/bench.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BENCH_ROUNDS 9

#ifndef BENCH_CLOCK
#define BENCH_CLOCK CLOCK_MONOTONIC
#endif

static inline double bench_now(void) {
    struct timespec t;
    clock_gettime(BENCH_CLOCK, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int bench_by_value(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static inline double bench_median(double *v, int n) {
    qsort(v, (size_t)n, sizeof(*v), bench_by_value);
    return n % 2 ? v[n / 2] : 0.5 * (v[n / 2 - 1] + v[n / 2]);
}

typedef void (*bench_fn)(void *arg);

/* Seconds that *calls calls took, a block of at least `least` seconds. The clock is read ever more
 * rarely, since reading it costs as much as the smallest calls. */
static inline double bench_count(bench_fn fn, void *arg, double least, long *calls) {
    long n = 0, run = 1;
    double t0 = bench_now(), t;
    do {
        for (long i = 0; i < run; i++) fn(arg);
        n += run;
        t = bench_now() - t0;
        if (t < least / 8) run *= 2;
    } while (t < least);
    *calls = n;
    return t;
}

/* Seconds a call, over such a block. */
static inline double bench_block(bench_fn fn, void *arg, double least) {
    long n;
    const double t = bench_count(fn, arg, least, &n);
    return t / (double)n;
}

/* The machine's limits at this moment, of one core: operations a second; bytes a second of a copy
 * that reads `bytes` and writes as many. Measured for 3 ms each, beside the blocks of the
 * contenders.
 */
static inline double bench_peak(fanin_ctx *ctx) {
    double flops = 0;
    if (fanin_bench_peak(ctx, 1, 3e-3, &flops)) exit(1);
    return flops;
}

static inline double bench_copy(fanin_ctx *ctx, size_t bytes) {
    double copied = 0;
    if (fanin_bench_memory(ctx, 1, 2 * bytes, 3e-3, &copied, NULL)) exit(1);
    return copied;
}

/* OpenBLAS takes processors younger than itself for the oldest it knows (SSE3) unless it is told
 * otherwise before it is loaded: then this program starts anew. core: openblas_get_corename(). */
static inline void bench_openblas_core(const char *core, char **argv) {
    if (getenv("OPENBLAS_CORETYPE") || strcmp(core, "Prescott") != 0) return;
    if (!__builtin_cpu_supports("avx2")) return;
    setenv("OPENBLAS_CORETYPE", __builtin_cpu_supports("avx512f") ? "SkylakeX" : "Haswell", 1);
    execv("/proc/self/exe", argv);
    perror("/proc/self/exe");
    exit(1);
}

#endif
