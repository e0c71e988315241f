/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Top 5: the part of the samples whose label is among the five most probable classes. Of equal
 * classes the first comes first, as in accuracy; a prediction with NaN is wrong.
 */
#include "metric/metric.h"

static void add(double *sums, int64_t n, const struct fanin_tensor *p, const int32_t *labels,
                const struct fanin_tensor *target) {
    (void)target;
    for (int64_t r = 0; r < p->rows; r++) {
        const fi_real *row = p->data + r * p->ld, mine = row[labels[r]];
        int64_t before = fi_metric_class(row, n) < 0 ? n + 5 : 0;
        for (int64_t c = 0; c < n; c++)
            before += row[c] > mine || (row[c] == mine && c < labels[r]);
        sums[0] += before < 5;
    }
}

FI_RECORD(metric, top5) = {.head = {.name = "top5",
                                    .formula = "samples with label among the 5 largest p / samples",
                                    .reference = "Krizhevsky et al., NIPS 2012",
                                    .help = "How often the label is among the five best guesses."},
                           .task = FANIN_CLASSIFICATION,
                           .extra = true,
                           .higher_is_better = true,
                           .cells = fi_metric_one_cell,
                           .add = add,
                           .value = fi_metric_mean};
