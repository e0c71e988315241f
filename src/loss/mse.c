/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mean squared error: the loss of a row is the mean over its n outputs,
 *
 *   loss = Σ_j (z_j - t_j)² / n      dloss/dz_j = 2 (z_j - t_j) / n
 *
 * so that with the mean over the batch it is the mean over all numbers (there is no factor ½).
 */
#include <string.h>

#include "graph/graph.h"
#include "kernel/kernel.h"

#define RUN 512

static double run(const void *attrs, const struct fanin_tensor *z, const int32_t *labels,
                  const struct fanin_tensor *target, const struct fanin_tensor *dz, fi_real scale) {
    const fi_real k = (fi_real)(2 * (double)scale / (double)z->cols);
    fi_real square[RUN];
    double total = 0;
    (void)attrs, (void)labels;
    for (int64_t r = 0; r < z->rows; r++) {
        const fi_real *row = z->data + r * z->ld, *t = target->data + r * target->ld;
        double sum = 0;
        for (int64_t c0 = 0; c0 < z->cols; c0 += RUN) {
            const int64_t n = FI_MIN(RUN, z->cols - c0);
            for (int64_t c = 0; c < n; c++) {
                const fi_real d = row[c0 + c] - t[c0 + c];
                square[c] = d * d;
            }
            sum += (double)fi_sum(square, n);
        }
        total += sum / (double)z->cols;
        if (!dz) continue;
        fi_real *grad = dz->data + r * dz->ld;
        FI_IVDEP
        for (int64_t c = 0; c < z->cols; c++) grad[c] = k * (row[c] - t[c]);
    }
    return total;
}

static void predict(const void *attrs, const struct fanin_tensor *z, const struct fanin_tensor *p) {
    (void)attrs;
    if (z->data == p->data) return;
    for (int64_t r = 0; r < z->rows; r++)
        memcpy(p->data + r * p->ld, z->data + r * z->ld, (size_t)z->cols * sizeof(fi_real));
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
                        .link = "identity",
                        .run = run,
                        .predict = predict,
                        .cases = cases,
                        .n_cases = FI_COUNT(cases)};
