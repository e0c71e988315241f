/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A watched step: the same update as any other, bit by bit, on a plan that keeps every output and
 * gradient, with figures taken on the way. The trainer calls these in the order in which they
 * stand.
 */
#ifndef FI_WATCH_H
#define FI_WATCH_H

#include "measure/measure.h"
#include "train/train.h"

/* Where a loss and an update come from: data, each penalty, decay, constraints. */
#define FI_MAX_SOURCES (FI_MAX_REGS + 3)
struct fi_source {
    const char *name;
    const struct fi_reg *reg; /* NULL: the data, or the constraints */
    fi_real *grads;           /* of a penalty that the backward pass brings; else NULL */
    double before;            /* what the epoch's sum of the term was */
    double loss, update;      /* its part of the loss; the length of its part of the update */
};

struct fi_watched_param {
    double rms, grad, update; /* root mean squares: weights before, gradient, what changed */
    double total;             /* norm of the finished gradient, before it is clipped as a whole */
    double size[FI_MAX_SOURCES]; /* length of each source's part of the update */
};

struct fi_watch {
    struct fi_arena arena;
    struct fi_exec *exec, *trained; /* FI_WATCH; the trainer's own meanwhile */
    struct fi_measure measure;
    fi_real *before, *updated; /* weights before the step, before the constraints (or NULL) */
    fi_real *work;             /* the gradient of one penalty, like the parameters */
    struct fi_source sources[FI_MAX_SOURCES];
    int n_sources, decay, constraint; /* the last two: places, or -1 */
    struct fi_watched_param *params;
    double *ratios; /* per parameter, of update `last`: what changed over the weights */
    int64_t last;
    struct fanin_check_few *tied;
    uint8_t **tied_units; /* per node; NULL: none is tied */
    struct fi_arena tied_arena;
    double data, loss, entropy, grad_norm, lr;
    int64_t step; /* the last watched update, counted from 1; 0: none yet */
};

/* Made when it is first needed. Errors: MEMORY. */
enum fanin_status fi_watch_create(fanin_trainer *t);
void fi_watch_free(fanin_trainer *t);

void fi_watch_begin(fanin_trainer *t, int64_t rows);
void fi_watch_shard(fanin_trainer *t, int64_t rows, double data, fi_real scale);
void fi_watch_gradient(fanin_trainer *t); /* grads[0] is the batch's */
void fi_watch_finished(fanin_trainer *t); /* with noise, penalties and bounds */
void fi_watch_updated(fanin_trainer *t);  /* constraints come next */
void fi_watch_end(fanin_trainer *t, enum fanin_status status);

/* Was the last update one of those that train.watch asks for? */
bool fi_watch_done(const fanin_trainer *t);
/* The figures of the last watched step as events. */
void fi_watch_tell(const fanin_trainer *t, void (*send)(void *payload, struct fi_event *e),
                   void *payload);

#endif
