/* SPDX-License-Identifier: Apache-2.0 */
/*
 * R²: the part of the targets' variance that the predictions explain, for each output
 *
 *   1 - Σ (p - t)² / Σ (t - mean t)²
 *
 * and the mean over the outputs. 1 is perfect, 0 as good as the mean, below 0 worse. An output
 * whose targets are all equal has 1 if every prediction hits it and else 0.
 *
 * Cells of an output: its first target, Σ and Σ² of the targets relative to it (their offset cannot
 * cancel), Σ of squared errors. The last cell counts samples.
 */
#include "metric/metric.h"

static int64_t cells(int64_t n) {
    return 4 * n + 1;
}

static void add(double *sums, int64_t n, const struct fanin_tensor *p, const int32_t *labels,
                const struct fanin_tensor *target) {
    (void)labels;
    for (int64_t r = 0; r < p->rows; r++) {
        const fi_real *y = p->data + r * p->ld, *t = target->data + r * target->ld;
        for (int64_t c = 0; c < n; c++) {
            double *cell = sums + 4 * c;
            if (sums[4 * n] == 0) cell[0] = (double)t[c];
            const double offset = (double)t[c] - cell[0], error = (double)y[c] - (double)t[c];
            cell[1] += offset;
            cell[2] += offset * offset;
            cell[3] += error * error;
        }
        sums[4 * n] += 1;
    }
}

static double value(const double *sums, int64_t n, int64_t rows) {
    double mean = 0;
    for (int64_t c = 0; c < n; c++) {
        const double *cell = sums + 4 * c;
        const double spread = cell[2] - cell[1] * cell[1] / (double)rows;
        mean += spread > 0 || cell[3] != cell[3] ? 1 - cell[3] / spread : cell[3] == 0;
    }
    return mean / (double)n;
}

FI_RECORD(metric, r2) = {.head = {.name = "r2",
                                  .formula = "mean over outputs of 1 - sum (p - t)^2 / sum (t - "
                                             "mean t)^2",
                                  .reference = "definition",
                                  .help = "The part of the targets' variance that is explained."},
                         .task = FANIN_REGRESSION,
                         .extra = true,
                         .higher_is_better = true,
                         .cells = cells,
                         .add = add,
                         .value = value};
