/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One cycle: up from 1 / div to the optimizer's learning rate, which is the largest, then down to
 * 1 / (div · final_div) in the last step. Both ways along half a cosine or a line; with u =
 * pct_start · T - 1 the step that has the full rate:
 *
 *   t < u: from 1/div to 1 at t / u        t >= u: from 1 to 1/(div final_div) at (t - u)/(T-1-u)
 *
 * It brings its own warm-up, so warmup_epochs is seldom wanted with it. `inverse` is the cycle that
 * goes with it for the momentum: from 1 down to 1/div at u and back to 1, along the same curves.
 *
 * Smith, Topin: Super-convergence, arXiv:1708.07120.
 */
#include "schedule/schedule.h"

struct one_cycle {
    struct fi_schedule_attrs common;
    double pct_start, div, final_div;
    int anneal, inverse;
};

static const struct fanin_attr_spec attrs[] = {
    FI_ATTR_REAL(struct one_cycle, pct_start, 0.3, 0, 1, "part of the run that goes up", 0),
    FI_ATTR_REAL(struct one_cycle, div, 25, 1, 1e9, "the start is 1/div of the full rate", 0),
    FI_ATTR_REAL(struct one_cycle, final_div, 1e4, 1, 1e9, "the end is 1/final_div of the start",
                 0),
    FI_ATTR_CHOICE(struct one_cycle, anneal, 0, "cos|linear", "the curve of both ways"),
    FI_ATTR_BOOL(struct one_cycle, inverse, 0,
                 "from 1 down to 1/div and back up: for the momentum, against the rate"),
    FI_SCHEDULE_WARMUP(struct one_cycle),
    FI_ATTR_END};

static double between(const struct one_cycle *a, double from, double to, double x) {
    return a->anneal == 0 ? fi_schedule_half_cosine(from, to, x) : from + (to - from) * x;
}

static double factor(const void *attrs_, int64_t step, int64_t total, int64_t steps_per_epoch) {
    const struct one_cycle *a = attrs_;
    const double t = (double)step, last = (double)total - 1, up = a->pct_start * (double)total - 1;
    const double low = 1 / a->div, start = a->inverse ? 1 : low, peak = a->inverse ? low : 1;
    const double end = a->inverse ? 1 : low / a->final_div;
    (void)steps_per_epoch;
    if (t < up) return between(a, start, peak, t / up);
    if (up >= last) return peak;
    return t < last ? between(a, peak, end, (t - up) / (last - up)) : end;
}

FI_RECORD(schedule, one_cycle) = {.head = {.name = "one_cycle",
                                           .formula = "factor: 1/div up to 1 at pct_start T, "
                                                      "then down to 1/(div final_div)",
                                           .reference = "Smith & Topin, arXiv:1708.07120",
                                           .help = "Raises the learning rate to the optimizer's, "
                                                   "then lowers it far below the start.",
                                           .attrs = attrs,
                                           .attrs_size = sizeof(struct one_cycle)},
                                  .factor = factor,
                                  .warmup_epochs = fi_schedule_warmup_epochs};
