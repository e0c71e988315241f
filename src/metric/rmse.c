/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Root of the mean squared error over all outputs and samples.
 */
#include "metric/metric.h"

#include <math.h>

static void add(double *sums, int64_t n, const struct fanin_tensor *p, const int32_t *labels,
                const struct fanin_tensor *target) {
    (void)labels;
    for (int64_t r = 0; r < p->rows; r++) {
        const fi_real *y = p->data + r * p->ld, *t = target->data + r * target->ld;
        double sum = 0;
        for (int64_t c = 0; c < n; c++) {
            const double d = (double)y[c] - (double)t[c];
            sum += d * d;
        }
        sums[0] += sum;
    }
}

static double value(const double *sums, int64_t n, int64_t rows) {
    return sqrt(sums[0] / ((double)rows * (double)n));
}

FI_RECORD(metric,
          rmse) = {.head = {.name = "rmse",
                            .formula = "sqrt(mean (p - t)^2)",
                            .reference = "definition",
                            .help = "The typical error of a prediction, in the target's unit."},
                   .task = FANIN_REGRESSION,
                   .cells = fi_metric_one_cell,
                   .add = add,
                   .value = value};
