/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A workload of the benchmark as its C workers see it: the object of bench/workloads.json, and the
 * arrays that bench/compare wrote for it, one .npy file each (bench/README.md lists them). Whatever
 * is wrong with them ends the program with one line on stderr: these are tools, not a library.
 */
#ifndef BENCH_WORK_H
#define BENCH_WORK_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"

#define WORK_BATCHES 10
#define WORK_DENSE 16

/* A dense layer's start: w is units × in, b has `units` numbers; dw and db their gradients, of an
 * update only. */
struct work_dense {
    int64_t units, in;
    const float *w, *b, *dw, *db;
};

/* All pointers are the workload's. */
struct work {
    json_t *file;                            /* the whole of workloads.json */
    const json_t *json, *layers, *optimizer; /* the workload; NULL where it has none */
    const char *name, *kind, *folder, *mode;
    int threads;
    int64_t in, batch, outputs; /* of one op: its columns, rows, columns */
    const float *x;             /* train, infer: WORK_BATCHES · batch × in; op: batch × in */
    const float *target;        /* mse: WORK_BATCHES · batch × outputs, else NULL */
    const float *g;             /* op: batch × in, or NULL */
    int32_t *labels;            /* a row of x each, or NULL */
    int n_dense;
    struct work_dense dense[WORK_DENSE];
    fanin_ctx *ctx; /* of the reading alone */
    struct fi_arena arena;
};

/* Reads workload `name` of the file and its arrays in the folder. */
void work_open(struct work *w, const char *path, const char *name, const char *folder, int threads,
               const char *mode);
void work_close(struct work *w);

/* A member of an object: a number (0 where there is none), a text ("" where there is none). */
double work_number(const json_t *object, const char *member);
const char *work_text(const json_t *object, const char *member);
/* Is the workload's loss, op, … this one? */
bool work_is(const struct work *w, const char *member, const char *text);

/* One line on stderr, then exit code 1. */
_Noreturn void work_die(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Memory, zeroed, or the end. The caller frees it. */
void *work_alloc(int64_t count, size_t size);

#endif
