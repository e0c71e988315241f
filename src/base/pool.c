/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The thread pool: persistent workers that, together with the caller, take task indexes from a
 * counter.
 *
 * A region's life is one word, `state`: bit 0 says it is open, bit 1 ends the pool, the rest counts
 * the workers inside. A worker enters by a compare-and-swap that fails once the region is closed,
 * so one that wakes late never sees a region that is over, and the caller waits only for workers
 * that really came. Whoever finds the counter exhausted closes; the region has ended when the word
 * is 0.
 *
 * Which thread runs a task is left to chance; what a task computes is not: tasks are the same for
 * any number of threads, and each writes its own part of the result.
 */
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/tables.h"

/* Regions of less arithmetic run on the caller: waking a sleeping worker costs 25 to 50
 * microseconds, in which one core does 4 to 8 million floating-point operations; one that still
 * looks for work from the region before comes within a tenth of one. */
#define ASLEEP_FLOPS 10e6
#define AWAKE_FLOPS 1e6

/* How long to look before sleeping. Regions of one step follow each other within the workers' time,
 * so a step pays for at most one wake; beyond it a waiting core belongs to others. The caller waits
 * for tasks under way, of which most are shorter than its time. */
#define WORKER_NANOSECONDS 30000
#define CALLER_NANOSECONDS 200000

#define OPEN 1u
#define QUIT 2u
#define INSIDE 4u /* one worker */
#define FOR_WORKERS 1u
#define FOR_CALLER 2u

struct fi_pool {
    /* Apart from each other: the counter is written for every task, the state is polled. */
    _Alignas(FI_ALIGN) atomic_uint state;
    _Alignas(FI_ALIGN) _Atomic int64_t next;
    _Alignas(FI_ALIGN) atomic_int sleepers;
    atomic_bool caller_sleeps;
    bool running;
    /* The open region. */
    void (*fn)(void *arg, int64_t i);
    void *arg;
    int64_t n;
    int n_workers;
    pthread_t workers[];
};

static void futex_wait(atomic_uint *word, unsigned value, unsigned mask) {
    /* An interruption or a change in between shows as an early return: the callers look again. */
    (void)syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, value, NULL, NULL, mask);
}

static void futex_wake(atomic_uint *word, int count, unsigned mask) {
    (void)syscall(SYS_futex, word, FUTEX_WAKE_BITSET_PRIVATE, count, NULL, NULL, mask);
}

static void relax(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static int64_t nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Looks for a bounded time whether any of the state's bits `mask` is set (or none is); returns the
 * state. */
static unsigned spin(struct fi_pool *pool, unsigned mask, bool set, int64_t time) {
    int64_t end = 0;
    for (;;) {
        /* The clock costs as much as some twenty looks. */
        for (int look = 0; look < 32; look++) {
            unsigned state = atomic_load_explicit(&pool->state, memory_order_acquire);
            if (((state & mask) != 0) == set) return state;
            relax();
        }
        int64_t now = nanoseconds();
        if (end == 0) end = now + time;
        if (now >= end) return atomic_load_explicit(&pool->state, memory_order_acquire);
    }
}

/* Runs tasks until there are none, then closes the region. */
static void run_tasks(struct fi_pool *pool) {
    int64_t n = pool->n;
    for (;;) {
        int64_t i = atomic_fetch_add_explicit(&pool->next, 1, memory_order_relaxed);
        if (i >= n) break;
        pool->fn(pool->arg, i);
    }
    atomic_fetch_and_explicit(&pool->state, ~OPEN, memory_order_relaxed);
}

/* Takes part in the open region, if it still is. */
static void enter(struct fi_pool *pool, unsigned state) {
    while (state & OPEN) {
        if (!atomic_compare_exchange_weak_explicit(&pool->state, &state, state + INSIDE,
                                                   memory_order_acquire, memory_order_acquire))
            continue;
        run_tasks(pool);
        unsigned before = atomic_fetch_sub(&pool->state, INSIDE);
        if (before == INSIDE && atomic_load(&pool->caller_sleeps))
            futex_wake(&pool->state, 1, FOR_CALLER);
        return;
    }
}

static void *work(void *argument) {
    struct fi_pool *pool = argument;
    for (;;) {
        unsigned state = spin(pool, OPEN | QUIT, true, WORKER_NANOSECONDS);
        if (!(state & (OPEN | QUIT))) {
            /* The count is raised before the state is looked at again, and the caller opens before
             * it looks at the count: one of the two sees the other. */
            atomic_fetch_add(&pool->sleepers, 1);
            state = atomic_load(&pool->state);
            if (!(state & (OPEN | QUIT))) futex_wait(&pool->state, state, FOR_WORKERS);
            atomic_fetch_sub(&pool->sleepers, 1);
            state = atomic_load(&pool->state);
        }
        if (state & QUIT) return NULL;
        enter(pool, state);
    }
}

static void run_region(struct fi_pool *pool, int64_t n, void (*fn)(void *arg, int64_t i),
                       void *arg) {
    pool->fn = fn;
    pool->arg = arg;
    pool->n = n;
    pool->running = true;
    atomic_store_explicit(&pool->next, 0, memory_order_relaxed);
    atomic_store(&pool->state, OPEN);
    int sleepers = atomic_load(&pool->sleepers);
    if (sleepers > 0) futex_wake(&pool->state, (int)FI_MIN(n - 1, pool->n_workers), FOR_WORKERS);

    run_tasks(pool);
    unsigned state = spin(pool, ~0u, false, CALLER_NANOSECONDS);
    while (state != 0) {
        atomic_store(&pool->caller_sleeps, true);
        state = atomic_load(&pool->state);
        if (state != 0) futex_wait(&pool->state, state, FOR_CALLER);
        state = atomic_load(&pool->state);
        atomic_store(&pool->caller_sleeps, false);
    }
    pool->running = false;
}

void fi_region(fanin_ctx *ctx, int64_t n, double flops, void (*fn)(void *arg, int64_t i),
               void *arg) {
    struct fi_pool *pool = ctx->pool;
    /* `running` can only be read as true from inside a task: a context serves one caller at a time.
     */
    if (!pool || n < 2 || flops < AWAKE_FLOPS || pool->running ||
        (flops < ASLEEP_FLOPS && atomic_load(&pool->sleepers) > 0)) {
        for (int64_t i = 0; i < n; i++) fn(arg, i);
        return;
    }
    run_region(pool, n, fn, arg);
}

/* Threads are born with the caller's signal mask; workers leave all signals to the program's
 * threads. */
static int start_workers(struct fi_pool *pool, int count) {
    sigset_t all, before;
    sigfillset(&all);
    int error = pthread_sigmask(SIG_SETMASK, &all, &before);
    if (error) return error;
    while (!error && pool->n_workers < count) {
        error = pthread_create(&pool->workers[pool->n_workers], NULL, work, pool);
        if (!error) pool->n_workers++;
    }
    int restored = pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error ? error : restored;
}

enum fanin_status fi_pool_create(struct fi_pool **out, fanin_ctx *ctx, int threads) {
    *out = NULL;
    if (threads < 2) return FANIN_OK;
    int workers = threads - 1;
    struct fi_pool *pool =
        fi_alloc(ctx, 1, sizeof *pool + (size_t)workers * sizeof pool->workers[0]);
    if (!pool) return FANIN_ERR_MEMORY;
    int error = start_workers(pool, workers);
    if (error) {
        fi_pool_free(ctx, pool);
        return fi_fail(ctx, FANIN_ERR_INTERNAL,
                       "cannot start %d threads (%s); ask for fewer with FANIN_THREADS", threads,
                       strerror(error));
    }
    *out = pool;
    return FANIN_OK;
}

void fi_pool_free(fanin_ctx *ctx, struct fi_pool *pool) {
    if (!pool) return;
    atomic_store(&pool->state, QUIT);
    futex_wake(&pool->state, pool->n_workers, FOR_WORKERS);
    for (int i = 0; i < pool->n_workers; i++) pthread_join(pool->workers[i], NULL);
    fi_free(ctx, pool);
}
