/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Expected calibration error: samples are sorted into 15 equal bins of confidence (the largest
 * probability), (0, 1/15], (1/15, 2/15], …; in each bin the mean confidence should be the accuracy:
 *
 *   Σ_bins samples of the bin / samples · |accuracy - mean confidence|
 *
 * Cells of a bin: samples right minus Σ of confidences, whose size is what counts. A prediction
 * with NaN makes the whole NaN.
 *
 * Guo, Pleiss, Sun, Weinberger: On calibration of modern neural networks, ICML 2017, equation 3.
 */
#include "metric/metric.h"

#include <math.h>

#define BINS 15

static int64_t cells(int64_t n) {
    (void)n;
    return BINS;
}

static void add(double *sums, int64_t n, const struct fanin_tensor *p, const int32_t *labels,
                const struct fanin_tensor *target) {
    (void)target;
    for (int64_t r = 0; r < p->rows; r++) {
        const fi_real *row = p->data + r * p->ld;
        const double confidence = fi_metric_largest(row, n);
        const double bin = -floor(-confidence * BINS) - 1;
        /* a row that sums to 1 + rounding may be above 1; NaN goes to bin 0 */
        const int k = bin > 0 ? (int)FI_MIN(bin, BINS - 1) : 0;
        sums[k] += (fi_metric_class(row, n) == labels[r]) - confidence;
    }
}

static double value(const double *sums, int64_t n, int64_t rows) {
    double total = 0;
    (void)n;
    for (int k = 0; k < BINS; k++) total += fabs(sums[k]);
    return total / (double)rows;
}

FI_RECORD(metric,
          ece) = {.head = {.name = "ece",
                           .formula = "sum over 15 bins of share |accuracy - mean confidence|",
                           .reference = "Guo et al., ICML 2017, equation 3",
                           .help = "How far the net's confidence is from its accuracy."},
                  .task = FANIN_CLASSIFICATION,
                  .extra = true,
                  .needs_distribution = true,
                  .cells = cells,
                  .add = add,
                  .value = value};
