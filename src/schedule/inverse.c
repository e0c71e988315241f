/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inverse decay: the learning rate falls like 1/t once t is beyond tau,
 *
 *   factor = 1 / (1 + t / tau), t and tau in epochs, t with fractions
 *
 * Robbins, Monro 1951 (why 1/t converges); Bottou: Stochastic gradient descent tricks, 2012,
 * section 5.2.
 */
#include "schedule/schedule.h"

struct inverse {
    struct fi_schedule_attrs common;
    double tau;
};

static const struct fanin_attr_spec attrs[] = {FI_ATTR_REAL(struct inverse, tau, 10, 0, 1e9,
                                                            "epochs until the rate is half",
                                                            FANIN_ATTR_ABOVE_MIN),
                                               FI_SCHEDULE_WARMUP(struct inverse), FI_ATTR_END};

static double factor(const void *attrs_, int64_t step, int64_t total, int64_t steps_per_epoch) {
    const struct inverse *a = attrs_;
    (void)total;
    return 1 / (1 + (double)step / (double)steps_per_epoch / a->tau);
}

FI_RECORD(schedule, inverse) = {.head = {.name = "inverse",
                                         .formula = "factor = 1 / (1 + t / tau), t in epochs",
                                         .reference = "Robbins & Monro 1951; Bottou 2012, 5.2",
                                         .help = "Lowers the learning rate like 1/t.",
                                         .attrs = attrs,
                                         .attrs_size = sizeof(struct inverse)},
                                .factor = factor,
                                .warmup_epochs = fi_schedule_warmup_epochs};
