/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Steps at chosen epochs: the learning rate is multiplied by gamma at each milestone,
 *
 *   factor = gamma ^ (number of milestones at or before this epoch)
 *
 * Milestones are epochs after the warm-up, in any order; 2.5 is the middle of the third epoch.
 */
#include "schedule/schedule.h"

struct multistep {
    struct fi_schedule_attrs common;
    struct fanin_list milestones;
    double gamma;
};

static const struct fanin_attr_spec attrs[] = {
    {"milestones", FANIN_ATTR_LIST, offsetof(struct multistep, milestones), 0, 0, 1e9, NULL,
     "epochs after which the rate is reduced", FANIN_ATTR_REQUIRED},
    FI_ATTR_REAL(struct multistep, gamma, 0.1, 0, 1, "factor of each reduction", 0),
    FI_SCHEDULE_WARMUP(struct multistep),
    FI_ATTR_END};

static double factor(const void *attrs_, int64_t step, int64_t total, int64_t steps_per_epoch) {
    const struct multistep *a = attrs_;
    int64_t passed = 0;
    (void)total;
    for (int64_t i = 0; i < a->milestones.n; i++)
        passed += (double)step >= a->milestones.values[i] * (double)steps_per_epoch;
    return fi_schedule_power(a->gamma, passed);
}

FI_RECORD(schedule, multistep) = {.head = {.name = "multistep",
                                           .formula = "factor = gamma ^ (milestones passed)",
                                           .reference = "definition",
                                           .help = "Multiplies the learning rate by gamma at each "
                                                   "of a list of epochs.",
                                           .attrs = attrs,
                                           .attrs_size = sizeof(struct multistep)},
                                  .factor = factor,
                                  .warmup_epochs = fi_schedule_warmup_epochs};
