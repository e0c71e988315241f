/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the schedules share. Warm-up: over the first W steps the learning rate grows linearly,
 *
 *   factor(step) = (step + 1) / (W + 1),  step = 0 … W-1,
 *
 * so that no step is lost at rate 0 and the first step behind it has the full rate. W =
 * warmup_epochs · steps per epoch, rounded. The schedule itself starts behind it, as if the run
 * were W steps shorter.
 *
 * Goyal et al.: Accurate, large minibatch SGD, 2017, section 2.2 (gradual warm-up).
 */
#include "schedule/schedule.h"

#include <math.h>

#include "kernel/math.h"

double fi_schedule_warmup_epochs(const void *attrs) {
    return ((const struct fi_schedule_attrs *)attrs)->warmup_epochs;
}

double fi_schedule_factor(const struct fi_schedule *schedule, const void *attrs, int64_t step,
                          int64_t total, int64_t steps_per_epoch) {
    const double wanted = floor(schedule->warmup_epochs(attrs) * (double)steps_per_epoch + 0.5);
    /* compared as doubles: the product of two large numbers need not fit an integer */
    const int64_t warm = wanted < (double)total ? (int64_t)wanted : total;
    if (step < warm) return (double)(step + 1) / (double)(warm + 1);
    return schedule->factor(attrs, step - warm, total - warm, steps_per_epoch);
}

double fi_pace_factor(const struct fi_pace *pace, int64_t step, int64_t total,
                      int64_t steps_per_epoch) {
    const struct fi_schedule *schedule = pace->schedule;
    if (!schedule) return 1;
    const double factor = fi_schedule_factor(schedule, pace->attrs, step, total, steps_per_epoch);
    return schedule->reaction ? factor * schedule->reaction(pace->attrs, pace->state) : factor;
}

double fi_schedule_power(double base, int64_t n) {
    double power = 1;
    for (double square = base; n > 0; n /= 2) {
        if (n % 2) power *= square;
        square *= square;
    }
    return power;
}

double fi_schedule_half_cosine(double from, double to, double x) {
    const double pi = 3.14159265358979323846;
    return to + (from - to) * 0.5 * (1 + fi_cos(pi * x));
}
