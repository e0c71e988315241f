/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Half a cosine from 1 down to `min` over the steps behind the warm-up, without restarts:
 *
 *   factor = min + (1 - min) (1 + cos(π t / T)) / 2
 *
 * Loshchilov, Hutter: SGDR, ICLR 2017, equation 5.
 */
#include "schedule/schedule.h"

struct cosine {
    struct fi_schedule_attrs common;
    double min;
};

static const struct fanin_attr_spec attrs[] = {
    FI_ATTR_REAL(struct cosine, min, 0, 0, 1, "factor at the end", 0),
    FI_SCHEDULE_WARMUP(struct cosine), FI_ATTR_END};

static double factor(const void *attrs_, int64_t step, int64_t total, int64_t steps_per_epoch) {
    const struct cosine *a = attrs_;
    (void)steps_per_epoch;
    if (step >= total) return a->min;
    return fi_schedule_half_cosine(1, a->min, (double)step / (double)total);
}

FI_RECORD(schedule,
          cosine) = {.head = {.name = "cosine",
                              .formula = "factor = min + (1 - min) (1 + cos(pi t / T)) / 2",
                              .reference = "Loshchilov & Hutter, ICLR 2017, equation 5",
                              .help = "Lowers the learning rate along half a cosine over the "
                                      "run.",
                              .attrs = attrs,
                              .attrs_size = sizeof(struct cosine)},
                     .factor = factor,
                     .warmup_epochs = fi_schedule_warmup_epochs};
