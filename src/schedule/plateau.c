/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reduction on a plateau: after each epoch in which `metric`, a figure of the validation part, was
 * no better than the best so far, a count of bad epochs goes up; when it is above `patience`
 *
 *   rate ← max(factor · rate, min_lr)
 *
 * and the count begins anew, after `cooldown` epochs in which nothing counts as bad. Better is by
 * more than `threshold`: relative to the best (rel) or as it is (abs). Whether more or less is
 * better follows from the metric.
 *
 * PyTorch's ReduceLROnPlateau, step by step; there is no closed form, so what it has seen is a
 * state that checkpoints keep.
 */
#include <math.h>

#include "schedule/schedule.h"

struct plateau {
    struct fi_schedule_attrs common;
    const char *metric;
    double factor, threshold, min_lr;
    int64_t patience, cooldown;
    int mode;
};
enum { RELATIVE, ABSOLUTE };

static const struct fanin_attr_spec attrs[] = {
    FI_ATTR_STRING(struct plateau, metric, "loss", "the figure of the validation part", 0),
    FI_ATTR_REAL(struct plateau, factor, 0.1, 0, 1, "of each reduction", FANIN_ATTR_BELOW_MAX),
    FI_ATTR_INT(struct plateau, patience, 10, 0, 1e9, "bad epochs that are let pass", 0),
    FI_ATTR_REAL(struct plateau, threshold, 1e-4, 0, 1e30, "what counts as better", 0),
    {"threshold_mode", FANIN_ATTR_CHOICE, offsetof(struct plateau, mode), RELATIVE, 0, 0, "rel|abs",
     "the threshold is a part of the best figure, or a difference", 0},
    FI_ATTR_INT(struct plateau, cooldown, 0, 0, 1e9, "epochs after a reduction that do not count",
                0),
    FI_ATTR_REAL(struct plateau, min_lr, 0, 0, 1e6, "the rate is never reduced below", 0),
    FI_SCHEDULE_WARMUP(struct plateau),
    FI_ATTR_END};

/* The state: zeros in the beginning. */
enum { SEEN, BEST, BAD, COOLING, FACTOR, STATE };
_Static_assert(STATE <= FI_SCHEDULE_STATE, "the state fits");

static double factor(const void *attrs_, int64_t step, int64_t total, int64_t steps_per_epoch) {
    (void)attrs_, (void)step, (void)total, (void)steps_per_epoch;
    return 1;
}

static const char *metric(const void *attrs_) {
    return ((const struct plateau *)attrs_)->metric;
}

static bool is_better(const struct plateau *a, double value, double best, bool higher) {
    if (a->mode == RELATIVE)
        return higher ? value > best * (1 + a->threshold) : value < best * (1 - a->threshold);
    return higher ? value > best + a->threshold : value < best - a->threshold;
}

static void observe(const void *attrs_, double base, double value, bool higher,
                    double state[FI_SCHEDULE_STATE]) {
    const struct plateau *a = attrs_;
    if (state[SEEN] == 0) state[FACTOR] = 1;
    if (state[SEEN] == 0 || isnan(state[BEST]) || is_better(a, value, state[BEST], higher)) {
        state[BEST] = value;
        state[BAD] = 0;
    } else {
        state[BAD]++;
    }
    state[SEEN]++;
    if (state[COOLING] > 0) {
        state[COOLING]--;
        state[BAD] = 0;
    }
    if (state[BAD] > (double)a->patience) {
        const double least = base > 0 ? a->min_lr / base : 0;
        state[FACTOR] = FI_MIN(state[FACTOR], FI_MAX(state[FACTOR] * a->factor, least));
        state[COOLING] = (double)a->cooldown;
        state[BAD] = 0;
    }
}

static double reaction(const void *attrs_, const double state[FI_SCHEDULE_STATE]) {
    (void)attrs_;
    return state[SEEN] > 0 ? state[FACTOR] : 1;
}

FI_RECORD(schedule, plateau) = {
    .head = {.name = "plateau",
             .formula = "rate <- max(factor rate, min_lr) after patience epochs without a better "
                        "validation figure",
             .reference = "definition (ReduceLROnPlateau)",
             .help = "Reduces the learning rate when a figure of the validation part no longer "
                     "improves.",
             .attrs = attrs,
             .attrs_size = sizeof(struct plateau)},
    .factor = factor,
    .warmup_epochs = fi_schedule_warmup_epochs,
    .metric = metric,
    .observe = observe,
    .reaction = reaction};
