/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Precision: of the samples taken for a class, the part that is of it; the mean over the classes
 * that occur ("macro"), so that a rare class counts as much as a frequent one. A class nothing is
 * taken for has 0.
 */
#include "metric/metric.h"

static void of(const struct fi_metric_counts *c, double *part, double *whole) {
    *part = c->right;
    *whole = c->predicted;
}

static double value(const double *sums, int64_t n, int64_t rows) {
    (void)rows;
    return fi_metric_counts_mean(sums, n, of);
}

FI_RECORD(metric,
          precision) = {.head = {.name = "precision",
                                 .formula = "mean over classes of right / predicted",
                                 .reference = "definition",
                                 .help = "Of what is taken for a class, the part that is of it."},
                        .task = FANIN_CLASSIFICATION,
                        .multilabel = true,
                        .extra = true,
                        .higher_is_better = true,
                        .cells = fi_metric_counts_cells,
                        .add = fi_metric_counts_add,
                        .value = value};
