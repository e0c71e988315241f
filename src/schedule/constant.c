/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Constant learning rate (after the warm-up, if any): factor = 1.
 */
#include "schedule/schedule.h"

struct constant {
    struct fi_schedule_attrs common;
};

static const struct fanin_attr_spec attrs[] = {FI_SCHEDULE_WARMUP(struct constant), FI_ATTR_END};

static double factor(const void *a, int64_t step, int64_t total, int64_t steps_per_epoch) {
    (void)a, (void)step, (void)total, (void)steps_per_epoch;
    return 1;
}

FI_RECORD(schedule, constant) = {.head = {.name = "constant",
                                          .formula = "factor = 1",
                                          .reference = "definition",
                                          .help = "Keeps the learning rate as it is.",
                                          .attrs = attrs,
                                          .attrs_size = sizeof(struct constant)},
                                 .factor = factor,
                                 .warmup_epochs = fi_schedule_warmup_epochs};
