/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recall: of the samples of a class, the part that is taken for it; the mean over the classes that
 * occur ("macro"), also known as balanced accuracy where every class has samples.
 */
#include "metric/metric.h"

static void of(const struct fi_metric_counts *c, double *part, double *whole) {
    *part = c->right;
    *whole = c->actual;
}

static double value(const double *sums, int64_t n, int64_t rows) {
    (void)rows;
    return fi_metric_counts_mean(sums, n, of);
}

FI_RECORD(metric, recall) = {.head = {.name = "recall",
                                      .formula = "mean over classes of right / actual",
                                      .reference = "definition",
                                      .help = "Of what is of a class, the part that is found."},
                             .task = FANIN_CLASSIFICATION,
                             .multilabel = true,
                             .extra = true,
                             .higher_is_better = true,
                             .cells = fi_metric_counts_cells,
                             .add = fi_metric_counts_add,
                             .value = value};
