/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exponential decay: the learning rate is multiplied by gamma after each epoch,
 *
 *   factor = gamma ^ epoch, epochs counted from 0 after the warm-up
 */
#include "schedule/schedule.h"

struct exponential {
    struct fi_schedule_attrs common;
    double gamma;
};

static const struct fanin_attr_spec attrs[] = {
    FI_ATTR_REAL(struct exponential, gamma, 0.95, 0, 1, "factor of each epoch", 0),
    FI_SCHEDULE_WARMUP(struct exponential), FI_ATTR_END};

static double factor(const void *attrs_, int64_t step, int64_t total, int64_t steps_per_epoch) {
    const struct exponential *a = attrs_;
    (void)total;
    return fi_schedule_power(a->gamma, step / steps_per_epoch);
}

FI_RECORD(schedule,
          exponential) = {.head = {.name = "exponential",
                                   .formula = "factor = gamma ^ epoch",
                                   .reference = "definition",
                                   .help = "Multiplies the learning rate by gamma every epoch.",
                                   .attrs = attrs,
                                   .attrs_size = sizeof(struct exponential)},
                          .factor = factor,
                          .warmup_epochs = fi_schedule_warmup_epochs};
