/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Huber's loss: quadratic near the target, linear beyond δ; the loss of a row is the mean over its
 * n outputs. With d = z_j - t_j
 *
 *   |d| <= δ:  d² / 2                 slope d
 *   else:      δ (|d| - δ / 2)        slope δ sign(d)
 *
 * What others call smooth L1 with beta is this with δ = beta, divided by beta: at 1 both agree.
 *
 * Huber: Robust estimation of a location parameter, Ann. Math. Stat. 35, 1964.
 */
#include "loss/loss.h"

struct huber {
    double delta;
};

static inline void points(const void *attrs, int64_t first, const fi_real *z, const fi_real *t,
                          int64_t n, fi_real *loss, fi_real *slope) {
    const fi_real delta = (fi_real)((const struct huber *)attrs)->delta;
    (void)first;
    for (int64_t c = 0; c < n; c++) {
        const fi_real d = z[c] - t[c], a = fi_abs(d);
        const fi_real near = (fi_real)0.5 * d * d, far = delta * (a - (fi_real)0.5 * delta);
        const fi_real side = d > 0 ? delta : -delta;
        loss[c] = a > delta ? far : near;
        slope[c] = a > delta ? side : d;
    }
}

static double run(const void *attrs, const struct fanin_tensor *z, const struct fi_truth *truth,
                  const struct fanin_tensor *dz, fi_real scale) {
    return fi_loss_points(attrs, z, truth, dz, scale, points);
}

static const struct fanin_attr_spec specs[] = {
    FI_ATTR_REAL(struct huber, delta, 1, 0, 1e30,
                 "error from which on the loss is linear; regression targets have variance 1",
                 FANIN_ATTR_ABOVE_MIN),
    FI_ATTR_END};

static const struct fanin_case cases[] = {
    {.rows = 1, .n_in = 1, .dims = {{1}}},
    {.rows = 5, .n_in = 1, .dims = {{7}}},
    {.rows = 3, .n_in = 1, .dims = {{1030}}},
    {.rows = 33,
     .n_in = 1,
     .dims = {{3, 11}},
     .attrs = (const struct fanin_attr[]){{.name = "delta", .number = 0.25}},
     .n_attrs = 1}};

FI_RECORD(loss, huber) = {
    .head = {.name = "huber",
             .formula = "loss = mean_j (d^2 / 2 if |d| <= delta else delta (|d| - delta / 2)), d = "
                        "z_j - t_j",
             .reference = "Huber 1964",
             .help = "For regression with outliers: quadratic for small errors, linear for large "
                     "ones.",
             .attrs = specs,
             .attrs_size = sizeof(struct huber)},
    .task = FANIN_REGRESSION,
    .takes = FI_TAKES_TARGETS,
    .link = "identity",
    .run = run,
    .predict = fi_loss_predict_values,
    .cases = cases,
    .n_cases = FI_COUNT(cases)};
