/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Binary accuracy: of labels that may hold at once, the part that is told right, over all samples
 * and labels. A label is taken to hold where its probability is above 1/2; NaN is wrong.
 */
#include "metric/metric.h"

static void add(double *sums, int64_t n, const struct fanin_tensor *p, const int32_t *labels,
                const struct fanin_tensor *target) {
    (void)labels;
    for (int64_t r = 0; r < p->rows; r++) {
        const fi_real *row = p->data + r * p->ld, *t = target->data + r * target->ld;
        int64_t right = 0;
        for (int64_t c = 0; c < n; c++)
            right += row[c] == row[c] && fi_metric_holds(row[c]) == fi_metric_holds(t[c]);
        sums[0] += (double)right / (double)n;
    }
}

FI_RECORD(metric, binary_accuracy) = {
    .head = {.name = "binary_accuracy",
             .formula = "labels with (p > 1/2) = (t > 1/2) / all labels of all samples",
             .reference = "definition",
             .help = "The part of the labels that is told right, where several may hold."},
    .task = FANIN_MULTILABEL,
    .higher_is_better = true,
    .cells = fi_metric_one_cell,
    .add = add,
    .value = fi_metric_mean};
