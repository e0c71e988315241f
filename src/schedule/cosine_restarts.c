/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cosine with warm restarts: half a cosine from 1 down to `min`, again and again, each run `mult`
 * times as long as the one before; T_i is the current run's length, t the steps into it:
 *
 *   factor = min + (1 - min) (1 + cos(π t / T_i)) / 2,  T_0 = period epochs,  T_i+1 = mult T_i
 *
 * Loshchilov, Hutter: SGDR, ICLR 2017, equation 5.
 */
#include "schedule/schedule.h"

#include <math.h>

struct cosine_restarts {
    struct fi_schedule_attrs common;
    double period, min;
    int64_t mult;
};

static const struct fanin_attr_spec attrs[] = {
    FI_ATTR_REAL(struct cosine_restarts, period, 10, 0, 1e9, "epochs until the first restart",
                 FANIN_ATTR_ABOVE_MIN),
    FI_ATTR_INT(struct cosine_restarts, mult, 1, 1, 1000, "each run is so many times as long", 0),
    FI_ATTR_REAL(struct cosine_restarts, min, 0, 0, 1, "factor at the end of a run", 0),
    FI_SCHEDULE_WARMUP(struct cosine_restarts), FI_ATTR_END};

static double factor(const void *attrs_, int64_t step, int64_t total, int64_t steps_per_epoch) {
    const struct cosine_restarts *a = attrs_;
    const double wanted = floor(a->period * (double)steps_per_epoch + 0.5);
    (void)total;
    /* as long as a run of 2^62 steps, no restart is ever seen; below one step, every step is one */
    int64_t length = wanted < 0x1p62 ? FI_MAX((int64_t)wanted, 1) : INT64_MAX;
    if (a->mult == 1) step %= length;
    while (step >= length) {
        step -= length;
        length = length <= INT64_MAX / a->mult ? length * a->mult : INT64_MAX;
    }
    return fi_schedule_half_cosine(1, a->min, (double)step / (double)length);
}

FI_RECORD(schedule,
          cosine_restarts) = {.head = {.name = "cosine_restarts",
                                       .formula = "factor = min + (1 - min) (1 + cos(pi t / "
                                                  "T_i)) / 2, T_i = period mult^i epochs",
                                       .reference = "Loshchilov & Hutter, ICLR 2017, equation 5",
                                       .help = "Lowers the learning rate along half a cosine, "
                                               "again and again.",
                                       .attrs = attrs,
                                       .attrs_size = sizeof(struct cosine_restarts)},
                              .factor = factor,
                              .warmup_epochs = fi_schedule_warmup_epochs};
