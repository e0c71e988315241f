/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Steps: every `every` epochs after the warm-up the learning rate is multiplied by gamma,
 *
 *   factor = gamma ^ floor(epoch / every)
 */
#include "schedule/schedule.h"

struct step {
    struct fi_schedule_attrs common;
    int64_t every;
    double gamma;
};

static const struct fanin_attr_spec attrs[] = {
    FI_ATTR_INT(struct step, every, 10, 1, 1e9, "epochs between two reductions", 0),
    FI_ATTR_REAL(struct step, gamma, 0.1, 0, 1, "factor of each reduction", 0),
    FI_SCHEDULE_WARMUP(struct step), FI_ATTR_END};

static double factor(const void *attrs_, int64_t step, int64_t total, int64_t steps_per_epoch) {
    const struct step *a = attrs_;
    (void)total;
    return fi_schedule_power(a->gamma, step / steps_per_epoch / a->every);
}

FI_RECORD(schedule, step) = {.head = {.name = "step",
                                      .formula = "factor = gamma ^ floor(epoch / every)",
                                      .reference = "definition",
                                      .help = "Multiplies the learning rate by gamma every so many "
                                              "epochs.",
                                      .attrs = attrs,
                                      .attrs_size = sizeof(struct step)},
                             .factor = factor,
                             .warmup_epochs = fi_schedule_warmup_epochs};
