/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a run told of itself, kept with the model: the figures of its epochs and of its watched
 * updates. Each of the two is a clock with a row for each moment and a series for each figure.
 *
 * All memory is taken when the run begins. A clock that is full keeps every second moment of those
 * it has, and from then on every second of those to come; the first is always among them, and the
 * last one stands behind them until the next comes. What is kept depends on nothing but how many
 * moments there were, so a run that was stopped and resumed ends with the same.
 */
#ifndef FI_HISTORY_H
#define FI_HISTORY_H

#include "graph/graph.h"

enum { FI_EPOCHS, FI_UPDATES, FI_CLOCKS };

struct fi_series {
    const char *event, *name; /* name NULL: none */
    char figure[64];
    double *values;
};
struct fi_clock {
    int64_t limit, room; /* moments to keep at most; to keep now */
    int64_t n, count;    /* moments kept; that there were */
    int64_t every;       /* of those, every so many-th is kept, and the last */
    double *at;
    struct fi_series *series;
    int64_t n_series, max_series, next; /* next: where the following figure is looked for first */
};
struct fi_history {
    fanin_ctx *ctx;
    struct fi_arena arena;
    struct fi_clock clocks[FI_CLOCKS];
    bool detailed; /* layers and parameters are kept too */
};

/* What a run is going to tell. */
struct fi_history_plan {
    int64_t epochs, updates; /* moments */
    int64_t sources, layers, params;
};

/* An empty history in the place of the model's. Errors: MEMORY. */
enum fanin_status fi_history_begin(fanin_model *model, const struct fi_history_plan *plan);
void fi_history_free(struct fi_history *h);

/* A moment: the epoch or update, counted from 1; then its figures. Take no memory; h NULL: nothing
 * happens. `event` and `name` are borrowed for good. */
void fi_history_moment(struct fi_history *h, int clock, int64_t at);
void fi_history_put(struct fi_history *h, int clock, const char *event, const char *name,
                    const struct fanin_figure *figure);

/* As JSON (docs/format.md); *any: there is something to write. */
enum fanin_status fi_history_write(const struct fi_history *h, struct fi_text *out, bool *any);
/* Fills a history that has begun from JSON; what follows goes on behind it. Or makes the model's
 * own of it, where none has begun. Errors: DATA, MEMORY. */
enum fanin_status fi_history_read(fanin_model *model, const char *json);

#endif
