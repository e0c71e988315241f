/* SPDX-License-Identifier: Apache-2.0 */
/*
 * F1: the harmonic mean of precision and recall of each class, 2 right / (predicted + actual); the
 * mean over the classes that occur ("macro").
 *
 * van Rijsbergen: Information retrieval, 1979.
 */
#include "metric/metric.h"

static void of(const struct fi_metric_counts *c, double *part, double *whole) {
    *part = 2 * c->right;
    *whole = c->predicted + c->actual;
}

static double value(const double *sums, int64_t n, int64_t rows) {
    (void)rows;
    return fi_metric_counts_mean(sums, n, of);
}

FI_RECORD(metric, f1) = {.head = {.name = "f1",
                                  .formula = "mean over classes of 2 right / (predicted + actual)",
                                  .reference = "van Rijsbergen 1979",
                                  .help = "Precision and recall in one number."},
                         .task = FANIN_CLASSIFICATION,
                         .multilabel = true,
                         .extra = true,
                         .higher_is_better = true,
                         .cells = fi_metric_counts_cells,
                         .add = fi_metric_counts_add,
                         .value = value};
