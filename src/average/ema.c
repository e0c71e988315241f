/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exponential moving average of the weights along the run,
 *
 *   a ← a + (1 - d) (w - a)
 *
 * taken after every `every`-th update. How it begins is `correction`, with n contributions before:
 *
 * bias: 1 - d is replaced by (1 - d) / (1 - d^(n+1)): the average is that of the weights seen so
 * far, with nothing of what stood there before (what Adam's correction does to its averages).
 *
 * ramp: d is replaced by min(d, (1 + n) / (10 + n)), as TensorFlow's num_updates.
 *
 * none: the first contribution is copied and then has the weight d^n, as in PyTorch.
 *
 * Polyak, Juditsky: Acceleration of stochastic approximation by averaging, SIAM J. Control Optim.
 * 30, 1992 (the plain mean); Kingma, Ba: Adam, ICLR 2015, section 7.2 (this one).
 */
#include "average/average.h"
#include "kernel/math.h"

struct ema {
    double decay, start;
    int64_t every;
    int correction;
};
enum { CORRECT_BIAS, CORRECT_RAMP, CORRECT_NONE };

static const struct fanin_attr_spec attrs[] = {
    FI_ATTR_REAL(struct ema, decay, 0.999, 0, 1, "memory of the average", FANIN_ATTR_BELOW_MAX),
    FI_ATTR_REAL(struct ema, start, 0, 0, 1e9,
                 "epochs before it begins; below 1: that part of the run", 0),
    FI_ATTR_INT(struct ema, every, 1, 1, 1e9, "updates between two contributions", 0),
    FI_ATTR_CHOICE(struct ema, correction, CORRECT_BIAS, "bias|ramp|none",
                   "how it begins: without bias, with a short memory, or with a copy"),
    FI_ATTR_END};

static void when(const void *attrs_, int64_t total, int64_t steps_per_epoch, int64_t *start,
                 int64_t *every) {
    const struct ema *a = attrs_;
    *start = fi_average_start(a->start, total, steps_per_epoch);
    *every = a->every;
}

static double weight(const void *attrs_, int64_t n) {
    const struct ema *a = attrs_;
    const double count = (double)n;
    if (n == 0) return 1;
    if (a->correction == CORRECT_BIAS) return (1 - a->decay) / (1 - fi_pow(a->decay, count + 1));
    if (a->correction == CORRECT_RAMP) return 1 - FI_MIN(a->decay, (1 + count) / (10 + count));
    return 1 - a->decay;
}

FI_RECORD(average, ema) = {
    .head = {.name = "ema",
             .formula = "a <- a + (1 - decay) (w - a)",
             .reference = "Polyak & Juditsky 1992; Kingma & Ba, ICLR 2015, section 7.2",
             .help =
                 "Exponential moving average of the weights: evaluated and saved in their place.",
             .attrs = attrs,
             .attrs_size = sizeof(struct ema)},
    .when = when,
    .weight = weight};
