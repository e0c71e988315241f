/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the time of a run goes. One clock runs through: each lap gives what has passed since the
 * last one to what was just done, so the laps' sum is the whole time and nothing is counted twice.
 * Times are wall times of the thread that trains, whatever the others do meanwhile.
 *
 * A plan without clocks (exec->clocks NULL, as always without options.profile) tests that pointer
 * once a group and pass.
 */
#ifndef FI_CLOCK_H
#define FI_CLOCK_H

#include "base/base.h"

/* What is done in a group of a plan. */
enum fi_pass {
    FI_PASS_FORWARD,
    FI_PASS_BACKWARD, /* the gradient by the input; of an op that does not part them, all of it */
    FI_PASS_WEIGHTS,  /* the gradient by the weights, with their update where that is fused */
    FI_PASSES
};
/* What is done besides. */
enum fi_stage {
    FI_STAGE_LOAD,
    FI_STAGE_LOSS,
    FI_STAGE_UPDATE, /* of whole gradients: sums of shards, penalties, clipping, the optimizer */
    FI_STAGE_CONSTRAIN,
    FI_STAGE_AVERAGE,
    FI_STAGE_STEP, /* the rest of a step; the parts up to here are a step's */
    FI_STAGE_VALIDATE,
    FI_STAGE_CHECKPOINT,
    FI_STAGE_RUN, /* the rest of the run */
    FI_STAGES
};

struct fi_timer {
    double seconds;
    int64_t laps;
};
struct fi_clocks {
    double last; /* when the last lap ended */
    bool parted; /* the backward step under way has told where the gradient by its input ended */
    struct fi_timer stages[FI_STAGES];
    struct fi_timer (*groups)[FI_PASSES]; /* per group of the plan */
};

static inline void fi_timer_lap(struct fi_clocks *c, struct fi_timer *to) {
    const double now = fi_seconds();
    to->seconds += now - c->last;
    to->laps++;
    c->last = now;
}
static inline void fi_lap_stage(struct fi_clocks *c, enum fi_stage stage) {
    if (c) fi_timer_lap(c, &c->stages[stage]);
}
static inline void fi_lap_forward(struct fi_clocks *c, int64_t group) {
    if (c) fi_timer_lap(c, &c->groups[group][FI_PASS_FORWARD]);
}
/* The gradient by the input is done, that by the weights follows. */
static inline void fi_lap_input(struct fi_clocks *c, int64_t group) {
    if (!c) return;
    fi_timer_lap(c, &c->groups[group][FI_PASS_BACKWARD]);
    c->parted = true;
}
static inline void fi_lap_backward(struct fi_clocks *c, int64_t group) {
    if (!c) return;
    fi_timer_lap(c, &c->groups[group][c->parted ? FI_PASS_WEIGHTS : FI_PASS_BACKWARD]);
    c->parted = false;
}

#endif
