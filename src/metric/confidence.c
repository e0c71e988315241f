/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Confidence: the mean of the largest probability, 1/n where the net knows nothing and 1 where it
 * is certain. Compared with accuracy it tells whether the net is too sure of itself. A prediction
 * with NaN makes it NaN.
 */
#include "metric/metric.h"

static void add(double *sums, int64_t n, const struct fanin_tensor *p, const int32_t *labels,
                const struct fanin_tensor *target) {
    (void)labels, (void)target;
    for (int64_t r = 0; r < p->rows; r++) sums[0] += fi_metric_largest(p->data + r * p->ld, n);
}

FI_RECORD(metric, confidence) = {.head = {.name = "confidence",
                                          .formula = "mean of max_c p_c",
                                          .reference = "definition",
                                          .help = "How sure the net is of its answers."},
                                 .task = FANIN_CLASSIFICATION,
                                 .extra = true,
                                 .needs_distribution = true,
                                 .cells = fi_metric_one_cell,
                                 .add = add,
                                 .value = fi_metric_mean};
