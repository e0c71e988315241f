/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Accuracy: the part of the samples whose most probable class is their label. A tie goes to the
 * first class; a prediction with NaN is wrong.
 */
#include "metric/metric.h"

static void add(double *sums, int64_t n, const struct fanin_tensor *p, const int32_t *labels,
                const struct fanin_tensor *target) {
    int64_t right = 0;
    (void)target;
    for (int64_t r = 0; r < p->rows; r++)
        right += fi_metric_class(p->data + r * p->ld, n) == labels[r];
    sums[0] += (double)right;
}

FI_RECORD(metric,
          accuracy) = {.head = {.name = "accuracy",
                                .formula = "samples with argmax p = label / samples",
                                .reference = "definition",
                                .help = "The part of the samples that is classified right."},
                       .task = FANIN_CLASSIFICATION,
                       .higher_is_better = true,
                       .cells = fi_metric_one_cell,
                       .add = add,
                       .value = fi_metric_mean};
