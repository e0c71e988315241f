/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mean absolute error: the loss of a row is the mean over its n outputs,
 *
 *   loss = Σ_j |z_j - t_j| / n      dloss/dz_j = sign(z_j - t_j) / n, 0 where they are equal
 *
 * Its minimum is the median of the targets, where that of mse is their mean.
 */
#include "loss/loss.h"

static inline void points(const void *attrs, int64_t first, const fi_real *z, const fi_real *t,
                          int64_t n, fi_real *loss, fi_real *slope) {
    (void)attrs, (void)first;
    for (int64_t c = 0; c < n; c++) {
        const fi_real d = z[c] - t[c];
        loss[c] = fi_abs(d);
        const fi_real side = (fi_real)((d > 0) - (d < 0));
        slope[c] = d == d ? side : d; /* NaN is seen in the gradient too */
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

FI_RECORD(loss, mae) = {.head = {.name = "mae",
                                 .aliases = "mean_absolute_error l1_loss",
                                 .formula = "loss = mean_j |z_j - t_j|, the mean over the batch",
                                 .reference = "definition",
                                 .help = "For regression with outliers: the absolute error, "
                                         "averaged over outputs and samples."},
                        .task = FANIN_REGRESSION,
                        .takes = FI_TAKES_TARGETS,
                        .link = "identity",
                        .run = run,
                        .predict = fi_loss_predict_values,
                        .cases = cases,
                        .n_cases = FI_COUNT(cases)};
