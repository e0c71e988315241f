/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Brier score: the mean over samples of the squared distance between the predicted distribution and
 * the label's, Σ_c (p_c - [c = label])². From 0 to 2; of two classes it is twice what looks at one
 * of them only.
 *
 * Brier: Verification of forecasts expressed in terms of probability, 1950, equation 2.
 */
#include "metric/metric.h"

static void add(double *sums, int64_t n, const struct fanin_tensor *p, const int32_t *labels,
                const struct fanin_tensor *target) {
    (void)target;
    for (int64_t r = 0; r < p->rows; r++) {
        const fi_real *row = p->data + r * p->ld;
        double sum = 0;
        for (int64_t c = 0; c < n; c++) {
            const double d = (double)row[c] - (c == labels[r]);
            sum += d * d;
        }
        sums[0] += sum;
    }
}

FI_RECORD(metric, brier) = {.head = {.name = "brier",
                                     .formula = "mean of sum_c (p_c - [c = label])^2",
                                     .reference = "Brier 1950, equation 2",
                                     .help = "The squared error of the predicted probabilities."},
                            .task = FANIN_CLASSIFICATION,
                            .extra = true,
                            .needs_distribution = true,
                            .cells = fi_metric_one_cell,
                            .add = add,
                            .value = fi_metric_mean};
