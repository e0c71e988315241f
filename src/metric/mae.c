/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mean absolute error over all outputs and samples.
 */
#include "metric/metric.h"

#include <math.h>

static void add(double *sums, int64_t n, const struct fanin_tensor *p, const int32_t *labels,
                const struct fanin_tensor *target) {
    (void)labels;
    for (int64_t r = 0; r < p->rows; r++) {
        const fi_real *y = p->data + r * p->ld, *t = target->data + r * target->ld;
        for (int64_t c = 0; c < n; c++) sums[0] += fabs((double)y[c] - (double)t[c]);
    }
}

static double value(const double *sums, int64_t n, int64_t rows) {
    return sums[0] / ((double)rows * (double)n);
}

FI_RECORD(metric, mae) = {.head = {.name = "mae",
                                   .formula = "mean |p - t|",
                                   .reference = "definition",
                                   .help = "The mean size of the error, in the target's unit."},
                          .task = FANIN_REGRESSION,
                          .extra = true,
                          .cells = fi_metric_one_cell,
                          .add = add,
                          .value = value};
