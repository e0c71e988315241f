/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the schedules share: the warm-up before any of them.
 */
#ifndef FI_SCHEDULE_H
#define FI_SCHEDULE_H

#include "graph/graph.h"

/* The factor on the learning rate at step `step` of `total`, both counted over the whole run:
 * warm-up first, then the record's own factor with steps counted from the end of the warm-up. This
 * is what training calls. */
double fi_schedule_factor(const struct fi_schedule *schedule, const void *attrs, int64_t step,
                          int64_t total, int64_t steps_per_epoch);

/* A schedule at work on one number, `base` its value without it. */
struct fi_pace {
    const struct fi_schedule *schedule; /* NULL: none, the factor is 1 */
    const void *attrs;
    double base;
    double state[FI_SCHEDULE_STATE];
};
double fi_pace_factor(const struct fi_pace *pace, int64_t step, int64_t total,
                      int64_t steps_per_epoch);

/* Every schedule's attribute struct begins with this, and its specs end with FI_SCHEDULE_WARMUP. */
struct fi_schedule_attrs {
    double warmup_epochs;
};
#define FI_SCHEDULE_WARMUP(type)                                                                   \
    {                                                                                              \
        "warmup_epochs", FANIN_ATTR_REAL,                                                          \
            offsetof(type, common) + offsetof(struct fi_schedule_attrs, warmup_epochs), 0, 0, 1e9, \
            NULL, "epochs of a linear ramp of the learning rate before the schedule", 0            \
    }
double fi_schedule_warmup_epochs(const void *attrs);

/* base^n, n >= 0, by squaring: the same bits everywhere. */
double fi_schedule_power(double base, int64_t n);
/* Half a cosine from `from` at x = 0 to `to` at x = 1. */
double fi_schedule_half_cosine(double from, double to, double x);

#endif
