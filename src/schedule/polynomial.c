/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Polynomial decay from 1 to `end` over the steps behind the warm-up; power 1 is a straight line:
 *
 *   factor = end + (1 - end) (1 - t / T) ^ power
 *
 * Chen et al.: DeepLab, TPAMI 2018, section 4.1.2 ("poly", power 0.9).
 */
#include "kernel/math.h"
#include "schedule/schedule.h"

struct polynomial {
    struct fi_schedule_attrs common;
    double power, end;
};

static const struct fanin_attr_spec attrs[] = {
    FI_ATTR_REAL(struct polynomial, power, 1, 0, 100, "exponent; 1 is linear",
                 FANIN_ATTR_ABOVE_MIN),
    FI_ATTR_REAL(struct polynomial, end, 0, 0, 1, "factor at the end", 0),
    FI_SCHEDULE_WARMUP(struct polynomial), FI_ATTR_END};

static double factor(const void *attrs_, int64_t step, int64_t total, int64_t steps_per_epoch) {
    const struct polynomial *a = attrs_;
    (void)steps_per_epoch;
    if (step >= total) return a->end;
    const double left = (double)(total - step) / (double)total;
    return a->end + (1 - a->end) * fi_pow(left, a->power);
}

FI_RECORD(schedule, polynomial) = {.head = {.name = "polynomial",
                                            .formula = "factor = end + (1 - end) (1 - t/T)^power",
                                            .reference = "Chen et al., TPAMI 2018, section 4.1.2",
                                            .help = "Lowers the learning rate along a power of the "
                                                    "part of the run that is left.",
                                            .attrs = attrs,
                                            .attrs_size = sizeof(struct polynomial)},
                                   .factor = factor,
                                   .warmup_epochs = fi_schedule_warmup_epochs};
