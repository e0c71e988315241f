/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Timing for the benchmarks: blocks of repetitions, contenders in turn, medians. The machine is
 * shared, so only ratios within one run count; every table ends with the machine's own limit,
 * measured in the same run.
 */
#ifndef BENCH_H
#define BENCH_H

#include <immintrin.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

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

/* Seconds a call, over a block of at least `least` seconds. The clock is read ever more rarely,
 * since reading it costs as much as the smallest calls. */
static inline double bench_block(bench_fn fn, void *arg, double least) {
    long n = 0, run = 1;
    double t0 = bench_now(), t;
    do {
        for (long i = 0; i < run; i++) fn(arg);
        n += run;
        t = bench_now() - t0;
        if (t < least / 8) run *= 2;
    } while (t < least);
    return t / (double)n;
}

/* Multiply-adds a second × 2 of one core, in registers only: 24 chains of the widest vector. */
__attribute__((target("avx512f,fma"), noinline)) static double bench_peak_512(long n) {
    __m512 a[24], x = _mm512_set1_ps(0.999f), y = _mm512_set1_ps(1e-6f);
#pragma GCC unroll 24
    for (int i = 0; i < 24; i++) a[i] = _mm512_set1_ps((float)i);
    const double t0 = bench_now();
    for (long k = 0; k < n; k++)
#pragma GCC unroll 24
        for (int i = 0; i < 24; i++) {
            a[i] = _mm512_fmadd_ps(a[i], x, y);
            __asm__ volatile("" : "+v"(a[i]));
        }
    return (double)n * 24 * 32 / (bench_now() - t0);
}

__attribute__((target("avx2,fma"), noinline)) static double bench_peak_256(long n) {
    __m256 a[12], x = _mm256_set1_ps(0.999f), y = _mm256_set1_ps(1e-6f);
#pragma GCC unroll 12
    for (int i = 0; i < 12; i++) a[i] = _mm256_set1_ps((float)i);
    const double t0 = bench_now();
    for (long k = 0; k < n; k++)
#pragma GCC unroll 12
        for (int i = 0; i < 12; i++) {
            a[i] = _mm256_fmadd_ps(a[i], x, y);
            __asm__ volatile("" : "+x"(a[i]));
        }
    return (double)n * 12 * 16 / (bench_now() - t0);
}

static inline double bench_peak(void) {
    return __builtin_cpu_supports("avx512f") ? bench_peak_512(200000) : bench_peak_256(400000);
}

#endif
