/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs side by side: each worker is a thread with a context of one thread, takes the next run that
 * is open and records it when it ends. Results do not depend on how many there are: a run depends
 * on its recipe and seed alone.
 *
 * The thread that called waits and passes a request to stop on: fanin_stop() on the study's context
 * ends the runs that are under way, and what had ended is recorded.
 */
#include <errno.h>
#include <math.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "study/study.h"

#define MAX_JOBS 256
#define TICK_NS 200000000L

struct pool {
    fanin_study *s;
    const struct fanin_study_run_options *o;
    pthread_cond_t ended; /* a worker has */
    struct fi_worker workers[MAX_JOBS];
    int jobs, alive;
    int64_t done, runs;
    double began, worked;     /* when, and seconds of a core that the runs of this call took */
    enum fanin_status status; /* the first failure; its message is the study's context's */
    bool stop;
};

static double now(clockid_t clock) {
    struct timespec t;
    (void)clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- how long ----------------------------------------------------------------------------------------- */

/* Seconds of a run of the condition: of its other runs, or as it was timed. */
static double cost(const struct fi_part_of *part, int64_t condition) {
    double sum = 0;
    int64_t n = 0;
    for (int64_t k = 0; k < part->seeds; k++) {
        const struct fi_study_run *run = &part->runs[condition * part->seeds + k];
        if (run->state == FI_RUN_DONE && !run->diverged) {
            sum += run->seconds;
            n++;
        }
    }
    return n > 0 ? sum / (double)n : part->cost[condition];
}

/* Of all that is not done, on one core; conditions of which nothing is known cost as the others of
 * their part. NaN: nothing is known. */
static double seconds_left(const fanin_study *s) {
    double left = 0;
    for (int p = 0; p < s->n_parts; p++) {
        const struct fi_part_of *part = &s->parts[p];
        double known = 0;
        int64_t n_known = 0, n_unknown = 0;
        for (int64_t c = 0; c < part->conditions; c++) {
            if (fi_grid_left_out(part, c)) continue;
            const double each = cost(part, c);
            int64_t open = 0;
            for (int64_t k = 0; k < part->seeds; k++)
                open += part->runs[c * part->seeds + k].state != FI_RUN_DONE;
            if (isnan(each)) {
                n_unknown += open;
                continue;
            }
            left += each * (double)open;
            known += each;
            n_known++;
        }
        if (n_unknown > 0) left += n_known > 0 ? known / (double)n_known * (double)n_unknown : NAN;
    }
    return left;
}

enum fanin_status fanin_study_estimate(fanin_study *s, struct fanin_study_plan *out) {
    struct fi_worker worker;
    *out = (struct fanin_study_plan){0};
    FI_TRY(fi_worker_create(&worker, s));
    enum fanin_status status = FANIN_OK;
    for (int p = 0; p < s->n_parts; p++) {
        struct fi_part_of *part = &s->parts[p];
        for (int64_t c = 0; c < part->conditions && status == FANIN_OK; c++) {
            if (fi_grid_left_out(part, c)) continue;
            out->runs += part->seeds;
            for (int64_t k = 0; k < part->seeds; k++)
                out->done += part->runs[c * part->seeds + k].state == FI_RUN_DONE;
            if (s->ctx->stop)
                status = fi_fail(s->ctx, FANIN_ERR_STOPPED, "stopped");
            else if (isnan(cost(part, c)))
                status = fi_study_time_one(&worker, p, c, &part->cost[c]);
            if (status != FANIN_OK && status != FANIN_ERR_STOPPED)
                (void)fi_fail(s->ctx, status, "%s", fanin_errmsg(worker.ctx));
        }
    }
    out->seconds = seconds_left(s);
    fi_worker_free(&worker);
    return status;
}

/* ---- workers -------------------------------------------------------------------------------------------- */

static void tell(struct pool *pool, struct fanin_study_event *e) {
    if (!pool->o->event) return;
    e->done = pool->done;
    e->runs = pool->runs;
    /* a core may be shared with others: as fast as it went up to here */
    const double speed = pool->worked / (now(CLOCK_MONOTONIC) - pool->began);
    e->left = seconds_left(pool->s) / (pool->worked > 0 ? speed : pool->jobs);
    pool->o->event(pool->o->payload, e);
}

/* The next open run: the first seed of every condition before the second, so that what is known of
 * the time, and of what comes out, is of the whole grid early. */
static bool next_run(struct pool *pool, int *part, int64_t *index) {
    for (int p = 0; p < pool->s->n_parts; p++) {
        const struct fi_part_of *of = &pool->s->parts[p];
        for (int64_t k = 0; k < of->seeds; k++)
            for (int64_t c = 0; c < of->conditions; c++) {
                if (of->runs[c * of->seeds + k].state != FI_RUN_OPEN) continue;
                if (fi_grid_left_out(of, c)) continue;
                *part = p;
                *index = c * of->seeds + k;
                return true;
            }
    }
    return false;
}

/* Says of which run a failure is. */
static void fail_run(struct pool *pool, const struct fi_worker *w, int part, int64_t condition,
                     uint64_t seed, enum fanin_status status) {
    const struct fi_part_of *p = &pool->s->parts[part];
    const char *name = p->names[condition];
    if (pool->status != FANIN_OK) return;
    pool->status =
        status == FANIN_ERR_STOPPED
            ? fi_fail(pool->s->ctx, status, "stopped")
            : fi_fail(pool->s->ctx, status, "%s%s%s, seed %llu: %s", p->name, *name ? ", " : "",
                      name, (unsigned long long)seed, fanin_errmsg(w->ctx));
}

/* One run; the lock is held, and given up while it goes on. */
static void run_one(struct pool *pool, struct fi_worker *w, int part, int64_t index) {
    fanin_study *s = pool->s;
    struct fi_part_of *p = &s->parts[part];
    struct fi_study_run *run = &p->runs[index];
    struct fanin_study_event e = {.part = part,
                                  .condition = index / p->seeds,
                                  .seed = (uint64_t)(p->first_seed + index % p->seeds)};
    struct fi_figures figures = {0};
    const char *recipe;
    bool diverged;
    run->state = FI_RUN_RUNNING;
    tell(pool, &e);
    (void)pthread_mutex_unlock(&s->lock);
    fi_arena_init(&figures.arena, w->ctx);
    const double began = now(CLOCK_THREAD_CPUTIME_ID); /* the run has one thread, this one */
    enum fanin_status status =
        fi_study_run_one(w, part, e.condition, e.seed, &figures, &recipe, &diverged);
    e.seconds = now(CLOCK_THREAD_CPUTIME_ID) - began;
    (void)pthread_mutex_lock(&s->lock);
    if (status == FANIN_OK) {
        run->seconds = e.seconds;
        run->diverged = diverged;
        status = fi_store_add(s, part, e.condition, e.seed, run, recipe, &figures);
        if (status != FANIN_OK && pool->status == FANIN_OK) pool->status = status;
    } else {
        fail_run(pool, w, part, e.condition, e.seed, status);
    }
    run->state = status == FANIN_OK ? FI_RUN_DONE : FI_RUN_OPEN;
    fi_arena_free(&figures.arena);
    if (status != FANIN_OK) {
        pool->stop = true;
        return;
    }
    pool->done++;
    pool->worked += e.seconds;
    e.ended = 1;
    e.diverged = diverged;
    tell(pool, &e);
}

struct start {
    struct pool *pool;
    struct fi_worker *worker;
};

static void *work(void *arg) {
    const struct start *start = arg;
    struct pool *pool = start->pool;
    int part;
    int64_t index;
    (void)pthread_mutex_lock(&pool->s->lock);
    while (!pool->stop && next_run(pool, &part, &index)) run_one(pool, start->worker, part, index);
    pool->alive--;
    (void)pthread_cond_signal(&pool->ended);
    (void)pthread_mutex_unlock(&pool->s->lock);
    return NULL;
}

/* Until all have ended; now and then it looks whether to stop. */
static void wait_for_all(struct pool *pool) {
    fanin_study *s = pool->s;
    while (pool->alive > 0) {
        struct timespec until;
        (void)clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += TICK_NS;
        if (until.tv_nsec >= 1000000000L) {
            until.tv_nsec -= 1000000000L;
            until.tv_sec++;
        }
        const int woken = pthread_cond_timedwait(&pool->ended, &s->lock, &until);
        if (s->ctx->stop) pool->stop = true;
        for (int i = 0; i < pool->jobs && pool->stop; i++) fanin_stop(pool->workers[i].ctx);
        struct fanin_study_event tick = {.part = -1};
        if (woken == ETIMEDOUT && !pool->stop) tell(pool, &tick);
    }
}

static enum fanin_status run_pool(struct pool *pool) {
    struct start starts[MAX_JOBS];
    pthread_t threads[MAX_JOBS];
    int started = 0;
    for (int i = 0; i < pool->jobs; i++) FI_TRY(fi_worker_create(&pool->workers[i], pool->s));
    (void)pthread_mutex_lock(&pool->s->lock);
    for (; started < pool->jobs; started++) {
        starts[started] = (struct start){pool, &pool->workers[started]};
        if (pthread_create(&threads[started], NULL, work, &starts[started]) != 0) break;
        pool->alive++;
    }
    if (started == 0)
        pool->status = fi_fail(pool->s->ctx, FANIN_ERR_INTERNAL, "no thread could be started");
    wait_for_all(pool);
    (void)pthread_mutex_unlock(&pool->s->lock);
    for (int i = 0; i < started; i++) (void)pthread_join(threads[i], NULL);
    if (pool->status == FANIN_OK && pool->s->ctx->stop)
        return fi_fail(pool->s->ctx, FANIN_ERR_STOPPED, "stopped");
    return pool->status;
}

enum fanin_status fanin_study_run(fanin_study *s, const struct fanin_study_run_options *options) {
    static const struct fanin_study_run_options plain = {.size = sizeof plain};
    struct pool *pool = fi_alloc(s->ctx, 1, sizeof *pool);
    int64_t open = 0;
    if (!pool) return FANIN_ERR_MEMORY;
    pool->s = s;
    pool->o = options ? options : &plain;
    for (int p = 0; p < s->n_parts; p++)
        for (int64_t i = 0; i < s->parts[p].conditions * s->parts[p].seeds; i++) {
            if (fi_grid_left_out(&s->parts[p], i / s->parts[p].seeds)) continue;
            pool->runs++;
            pool->done += s->parts[p].runs[i].state == FI_RUN_DONE;
        }
    open = pool->runs - pool->done;
    pool->began = now(CLOCK_MONOTONIC);
    const long cores = sysconf(_SC_NPROCESSORS_ONLN);
    const int64_t wanted = pool->o->jobs > 0 ? pool->o->jobs : FI_MAX(cores, 1);
    pool->jobs = (int)FI_MIN(FI_MIN(wanted, MAX_JOBS), FI_MAX(open, 1));
    enum fanin_status status = FANIN_OK;
    if (open > 0 && pthread_cond_init(&pool->ended, NULL) == 0) {
        status = run_pool(pool);
        (void)pthread_cond_destroy(&pool->ended);
    }
    for (int i = 0; i < pool->jobs; i++) fi_worker_free(&pool->workers[i]);
    fi_free(s->ctx, pool);
    return status;
}
