/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The thread pool: every task exactly once, results visible to the caller, nested regions, many
 * small regions in a row (the race between falling asleep and being woken), contexts side by side.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "support/support.h"

#define LARGE 1e9 /* flops enough to go to the pool */

static const int thread_counts[] = {1, 2, 3, 8};

struct counts {
    atomic_int *seen;
    int64_t *squares;
};

static void count_one(void *arg, int64_t i) {
    struct counts *c = arg;
    atomic_fetch_add(&c->seen[i], 1);
    c->squares[i] = i * i;
}

static void each_task_once(void **state) {
    (void)state;
    enum { N = 5000 };
    for (int t = 0; t < FI_COUNT(thread_counts); t++) {
        fanin_ctx *ctx = test_ctx_on(thread_counts[t], NULL);
        assert_int_equal(fanin_threads(ctx), thread_counts[t]);
        struct counts c = {calloc(N, sizeof(atomic_int)), calloc(N, sizeof(int64_t))};
        static const int64_t sizes[] = {0, 1, 2, 3, 7, 8, 9, 100, N};
        for (int s = 0; s < FI_COUNT(sizes); s++) {
            memset(c.seen, 0, N * sizeof(atomic_int));
            memset(c.squares, 0xFF, N * sizeof(int64_t));
            fi_parallel(ctx, sizes[s], LARGE, count_one, &c);
            for (int64_t i = 0; i < N; i++) {
                assert_int_equal(c.seen[i], i < sizes[s]);
                assert_int_equal(c.squares[i], i < sizes[s] ? i * i : -1);
            }
        }
        free(c.seen);
        free(c.squares);
        fanin_ctx_free(ctx);
    }
}

/* Region r adds r to plain memory: a task lost, doubled or run late shows in the sum. */
struct cell {
    int64_t add, sum[4];
};

static void add_one(void *arg, int64_t i) {
    struct cell *c = arg;
    c->sum[i] += c->add;
}

static void many_small_regions(void **state) {
    (void)state;
    enum { REGIONS = 20000 };
    for (int t = 0; t < FI_COUNT(thread_counts); t++) {
        fanin_ctx *ctx = test_ctx_on(thread_counts[t], NULL);
        struct cell c = {0};
        for (int64_t r = 1; r <= REGIONS; r++) {
            c.add = r;
            fi_parallel(ctx, 4, LARGE, add_one, &c);
            /* Now and then long enough for the workers to fall asleep, or to be about to. */
            if (r % 500 == 0) usleep((unsigned)(r % 7) * 10);
        }
        for (int i = 0; i < 4; i++)
            assert_int_equal(c.sum[i], (int64_t)REGIONS * (REGIONS + 1) / 2);
        fanin_ctx_free(ctx);
    }
}

struct outer {
    fanin_ctx *ctx;
    atomic_int total;
    int64_t order[8][8];
};

struct inner {
    struct outer *outer;
    int64_t row, next;
};

static void inner_task(void *arg, int64_t i) {
    struct inner *in = arg;
    in->outer->order[in->row][in->next++] = i;
    atomic_fetch_add(&in->outer->total, 1);
}

static void outer_task(void *arg, int64_t i) {
    struct outer *out = arg;
    struct inner in = {out, i, 0};
    fi_parallel(out->ctx, 8, LARGE, inner_task, &in);
}

static void nested_regions_run_serially(void **state) {
    (void)state;
    for (int t = 0; t < FI_COUNT(thread_counts); t++) {
        struct outer out = {.ctx = test_ctx_on(thread_counts[t], NULL)};
        for (int again = 0; again < 50; again++) {
            atomic_store(&out.total, 0);
            memset(out.order, 0xFF, sizeof out.order);
            fi_parallel(out.ctx, 8, LARGE, outer_task, &out);
            assert_int_equal(out.total, 64);
            for (int64_t row = 0; row < 8; row++)
                for (int64_t i = 0; i < 8; i++) assert_int_equal(out.order[row][i], i);
        }
        fanin_ctx_free(out.ctx);
    }
}

static void note_thread(void *arg, int64_t i) {
    ((pthread_t *)arg)[i] = pthread_self();
}

static void small_regions_stay_on_the_caller(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx_on(8, NULL);
    pthread_t threads[64];
    for (int again = 0; again < 100; again++) {
        fi_parallel(ctx, 64, 1000, note_thread, threads);
        for (int i = 0; i < 64; i++) assert_true(pthread_equal(threads[i], pthread_self()));
    }
    fanin_ctx_free(ctx);
}

struct meeting {
    atomic_int here;
};

/* Returns only when both tasks run at the same time (or after ten seconds). */
static void meet(void *arg, int64_t i) {
    (void)i;
    struct meeting *m = arg;
    atomic_fetch_add(&m->here, 1);
    for (int wait = 0; wait < 100000 && atomic_load(&m->here) < 2; wait++) usleep(100);
}

static void large_regions_use_the_workers(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx_on(2, NULL);
    for (int again = 0; again < 20; again++) {
        struct meeting m = {0};
        fi_parallel(ctx, 2, LARGE, meet, &m);
        assert_int_equal(m.here, 2);
        usleep(again % 2 ? 1000 : 0); /* from sleep and from spinning */
    }
    fanin_ctx_free(ctx);
}

static void *use_own_context(void *arg) {
    (void)arg;
    fanin_ctx *ctx = test_ctx_on(3, NULL);
    struct cell c = {.add = 1};
    for (int r = 0; r < 2000; r++) fi_parallel(ctx, 4, LARGE, add_one, &c);
    fanin_ctx_free(ctx);
    return (void *)(intptr_t)(c.sum[0] + c.sum[1] + c.sum[2] + c.sum[3]);
}

static void contexts_are_independent(void **state) {
    (void)state;
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_own_context, NULL), 0);
    for (int i = 0; i < 3; i++) {
        void *sum;
        pthread_join(threads[i], &sum);
        assert_int_equal((intptr_t)sum, 8000);
    }
}

static void short_lives(void **state) {
    (void)state;
    for (int i = 0; i < 200; i++) {
        fanin_ctx *ctx = test_ctx_on(4, NULL);
        if (i % 3 == 0) usleep((unsigned)(i % 5) * 20);
        fanin_ctx_free(ctx);
    }
}

static struct CMUnitTest tests[] = {
    cmocka_unit_test(each_task_once),
    cmocka_unit_test(many_small_regions),
    cmocka_unit_test(nested_regions_run_serially),
    cmocka_unit_test(small_regions_stay_on_the_caller),
    cmocka_unit_test(large_regions_use_the_workers),
    cmocka_unit_test(contexts_are_independent),
    cmocka_unit_test(short_lives),
};

int main(void) {
    return test_main(tests);
}
