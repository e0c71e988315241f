/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Area under the ROC curve: the probability that a sample of a class gets a higher score for it
 * than a sample of another class, ties counting half; of each class against the rest, and the mean
 * over the classes that have samples of both kinds ("macro"; of two classes both are the same).
 *
 * Sums have a fixed size, so scores go to 4096 equal bins of log(p / (1 - p)) from -24 to 24 and
 * the area is that of trapezoids: scores whose odds differ by less than 1.2 % may count as equal.
 * On that scale the probabilities near 0 and 1, where trained nets have most of them, stay apart.
 * A score that is NaN is left out.
 *
 * Hanley, McNeil, Radiology 143, 1982; Fawcett, Pattern Recognition Letters 27, 2006.
 */
#include "metric/metric.h"

#include <math.h>

#include "kernel/math.h"

#define BINS 4096
#define RANGE 24.0

static int64_t cells(int64_t n) {
    int64_t all;
    return fi_mul(n, 2 * BINS, &all) ? all : INT64_MAX;
}

static int bin_of(double p) {
    if (p >= 1) return BINS - 1; /* rounding may take it above */
    const double at = (fi_log(p / (1 - p)) + RANGE) * (BINS / (2 * RANGE));
    return at >= BINS ? BINS - 1 : at > 0 ? (int)at : 0;
}

/* Of each class first the bins of samples that are not of it, then of those that are. */
static void add(double *sums, int64_t n, const struct fanin_tensor *p, const int32_t *labels,
                const struct fanin_tensor *target) {
    for (int64_t r = 0; r < p->rows; r++)
        for (int64_t c = 0; c < n; c++) {
            const double score = (double)p->data[r * p->ld + c];
            const bool of_it =
                labels ? labels[r] == c : fi_metric_holds(target->data[r * target->ld + c]);
            if (score == score) sums[(2 * c + of_it) * BINS + bin_of(score)] += 1;
        }
}

static double value(const double *sums, int64_t n, int64_t rows) {
    double total = 0, classes = 0;
    (void)rows;
    for (int64_t c = 0; c < n; c++) {
        const double *others = sums + 2 * c * BINS, *mine = others + BINS;
        double below = 0, right = 0, all = 0; /* others below this bin; pairs in order; own */
        for (int k = 0; k < BINS; k++) {
            right += mine[k] * (below + 0.5 * others[k]);
            below += others[k];
            all += mine[k];
        }
        if (all == 0 || below == 0) continue;
        total += right / (all * below);
        classes++;
    }
    return classes > 0 ? total / classes : NAN;
}

FI_RECORD(metric,
          auc) = {.head = {.name = "auc",
                           .formula = "mean over classes of P(score of the class is higher "
                                      "for a sample of it than for another)",
                           .reference = "Hanley & McNeil 1982; Fawcett 2006",
                           .help = "Area under the ROC curve, each class against the rest."},
                  .task = FANIN_CLASSIFICATION,
                  .multilabel = true,
                  .extra = true,
                  .needs_distribution = true,
                  .higher_is_better = true,
                  .cells = cells,
                  .add = add,
                  .value = value};
