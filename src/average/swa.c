/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stochastic weight averaging: the plain mean of the weights at the ends of epochs in the last part
 * of the run,
 *
 *   a ← a + (w - a) / (n + 1),  n contributions before
 *
 * It pays where the weights keep moving between contributions: with a constant or cyclic learning
 * rate, which is the schedule's business. Fractions of an epoch are rounded to updates.
 *
 * Izmailov, Podoprikhin, Garipov, Vetrov, Wilson: Averaging weights leads to wider optima and
 * better generalization, UAI 2018, algorithm 1.
 */
#include <math.h>

#include "average/average.h"

struct swa {
    double start, every;
};

static const struct fanin_attr_spec attrs[] = {
    FI_ATTR_REAL(struct swa, start, 0.75, 0, 1e9,
                 "epochs before it begins; below 1: that part of the run", 0),
    FI_ATTR_REAL(struct swa, every, 1, 0, 1e9, "epochs between two contributions",
                 FANIN_ATTR_ABOVE_MIN),
    FI_ATTR_END};

static void when(const void *attrs_, int64_t total, int64_t steps_per_epoch, int64_t *start,
                 int64_t *every) {
    const struct swa *a = attrs_;
    const double updates = floor(a->every * (double)steps_per_epoch + 0.5);
    *start = fi_average_start(a->start, total, steps_per_epoch);
    if (*start > 0 && *start < total) /* at the end of an epoch, so that contributions are too */
        *start = FI_MAX(*start / steps_per_epoch, 1) * steps_per_epoch;
    *every = updates < (double)total ? FI_MAX((int64_t)updates, 1) : total;
}

static double weight(const void *attrs_, int64_t n) {
    (void)attrs_;
    return 1 / (double)(n + 1);
}

FI_RECORD(average, swa) = {
    .head = {.name = "swa",
             .formula = "a <- a + (w - a) / (n + 1), at the ends of epochs",
             .reference = "Izmailov et al., UAI 2018, algorithm 1",
             .help = "Stochastic weight averaging: the mean of the weights along the last part of "
                     "the run is evaluated and saved in their place.",
             .attrs = attrs,
             .attrs_size = sizeof(struct swa)},
    .when = when,
    .weight = weight};
