/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Confusion matrix: cell (label, predicted class) counts samples, n × n row-major, rows are the
 * truth. It is a table and has no value of its own. A prediction with NaN names no class and is
 * left out.
 */
#include "metric/metric.h"

static int64_t cells(int64_t n) {
    int64_t square;
    return fi_mul(n, n, &square) ? square : INT64_MAX;
}

static void add(double *sums, int64_t n, const struct fanin_tensor *p, const int32_t *labels,
                const struct fanin_tensor *target) {
    (void)target;
    for (int64_t r = 0; r < p->rows; r++) {
        const int64_t predicted = fi_metric_class(p->data + r * p->ld, n);
        if (predicted >= 0) sums[labels[r] * n + predicted] += 1;
    }
}

FI_RECORD(metric, confusion) = {
    .head = {.name = "confusion",
             .formula = "cell(i, j) = samples of class i taken for class j",
             .reference = "definition",
             .help = "Which classes are taken for which; a table, which nothing can watch.",
             .place = ""},
    .task = FANIN_CLASSIFICATION,
    .higher_is_better = true,
    .cells = cells,
    .add = add};
