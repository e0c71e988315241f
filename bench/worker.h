/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loop of a worker: lines of JSON in, lines of JSON out.
 *
 *   usage: worker_PEER WORKLOADS.json NAME FOLDER THREADS MODE
 *
 *   at start                        {"ready": true, "peer", "version", "mode", "warm_s"},
 *                                   with "note" and "differs" where the peer computes something
 *                                   else, or {"unable": "why"} and the end
 *   {"do": "prove", "steps": 10}    {"losses": […]}, {"outputs": […]} or {"sums": […]}
 *   {"do": "block", "seconds": .3}  {"ms": a step's mean, "n": steps}
 *   {"do": "quit"}                  the end
 *
 * bench/compare starts the workers of a workload, proves that they agree, and times them in turn.
 */
#ifndef BENCH_WORKER_H
#define BENCH_WORKER_H

#include "work.h"

/* What open() may say besides its result. */
struct worker_say {
    const char *unable; /* why the peer cannot do the workload */
    const char *note;   /* shown beside the figures */
    bool differs;       /* it computes something else: never proved, never counted */
};

/* How a peer does one kind of workload. */
struct worker_kind {
    const char *kind; /* train, op, infer, init; update: the op; limits: the mode */
    /* proof: from the files, with dropout off, for losses to compare. NULL: say->unable is set. */
    void *(*open)(const struct work *w, bool proof, struct worker_say *say);
    double (*run)(void *self); /* a step or operation; train: the loss before the update */
    /* All but train: what is compared, a new object; of an update after so many steps. */
    json_t *(*result)(void *self, int64_t steps);
    json_t *(*block)(void *self, double seconds); /* NULL: time run() */
    void (*close)(void *self);
};

struct worker {
    const char *peer, *version;
    const struct worker_kind *kinds;
    int n_kinds;
};

/* What main() of a worker does. */
int worker_main(int argc, char **argv, const struct worker *worker);
/* A new list of n numbers, which must be finite. */
json_t *worker_numbers(const double *values, int64_t n);
json_t *worker_floats(const float *values, int64_t n);
/* Where the i-th batch begins, in rows. */
static inline int64_t worker_row(const struct work *w, int64_t i) {
    return i % WORK_BATCHES * w->batch;
}

#endif
