/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exact match: the part of the samples of which every label is told right ("subset accuracy"). A
 * label is taken to hold where its probability is above 1/2; NaN is wrong.
 */
#include "metric/metric.h"

static void add(double *sums, int64_t n, const struct fanin_tensor *p, const int32_t *labels,
                const struct fanin_tensor *target) {
    (void)labels;
    for (int64_t r = 0; r < p->rows; r++) {
        const fi_real *row = p->data + r * p->ld, *t = target->data + r * target->ld;
        bool all = true;
        for (int64_t c = 0; c < n && all; c++)
            all = row[c] == row[c] && fi_metric_holds(row[c]) == fi_metric_holds(t[c]);
        sums[0] += all;
    }
}

FI_RECORD(metric, exact_match) = {
    .head = {.name = "exact_match",
             .formula = "samples with (p > 1/2) = (t > 1/2) for all labels / samples",
             .reference = "definition",
             .help = "The part of the samples that is told right in every label."},
    .task = FANIN_MULTILABEL,
    .higher_is_better = true,
    .cells = fi_metric_one_cell,
    .add = add,
    .value = fi_metric_mean};
