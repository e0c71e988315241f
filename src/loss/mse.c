/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mean squared error: the loss of a row is the mean over its n outputs,
 *
 *   loss = Σ_j (z_j - t_j)² / n      dloss/dz_j = 2 (z_j - t_j) / n
 *
 * so that with the mean over the batch it is the mean over all numbers (there is no factor ½).
 */
#include "loss/loss.h"

static inline void points(const void *attrs, int64_t first, const fi_real *z, const fi_real *t,
                          int64_t n, fi_real *loss, fi_real *slope) {
    (void)attrs, (void)first;
    for (int64_t c = 0; c < n; c++) {
        const fi_real d = z[c] - t[c];
        loss[c] = d * d;
        slope[c] = 2 * d;
    }
}

static double run(const void *attrs, const struct fanin_tensor *z, const struct fi_truth *truth,
                  const struct fanin_tensor *dz, fi_real scale) {
    return fi_loss_points(attrs, z, truth, dz, scale, points);
}

static const struct fanin_case cases[] = {{.rows = 1, .n_in = 1, .dims = {{1}}},
                                          {.rows = 5, .n_in = 1, .dims = {{7}}},
                                          {.rows = 3, .n_in = 1, .dims = {{1030}}},
                                          {.rows = 33, .n_in = 1, .dims = {{3, 11}}}};

FI_RECORD(loss, mse) = {.head = {.name = "mse",
                                 .aliases = "mean_squared_error",
                                 .formula = "loss = mean_j (z_j - t_j)^2, the mean over the batch",
                                 .reference = "definition",
                                 .help = "For regression: the squared error, averaged over "
                                         "outputs and samples."},
                        .task = FANIN_REGRESSION,
                        .takes = FI_TAKES_TARGETS,
                        .link = "identity",
                        .run = run,
                        .predict = fi_loss_predict_values,
                        .cases = cases,
                        .n_cases = FI_COUNT(cases)};
