/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the metrics share.
 */
#include "metric/metric.h"

#include <math.h>

int64_t fi_metric_class(const fi_real *p, int64_t n) {
    int64_t best = 0;
    for (int64_t i = 0; i < n; i++) {
        if (p[i] != p[i]) return -1;
        if (p[i] > p[best]) best = i;
    }
    return best;
}

double fi_metric_largest(const fi_real *p, int64_t n) {
    const int64_t best = fi_metric_class(p, n);
    return best < 0 ? NAN : (double)p[best];
}

int64_t fi_metric_one_cell(int64_t n_outputs) {
    (void)n_outputs;
    return 1;
}

double fi_metric_mean(const double *sums, int64_t n_outputs, int64_t rows) {
    (void)n_outputs;
    return sums[0] / (double)rows;
}

/* ---- counts of each class ---------------------------------------------------------------------- */

int64_t fi_metric_counts_cells(int64_t n_outputs) {
    return 3 * n_outputs;
}

/* Each output is a class of its own: taken for it where p > 1/2, of it where the target is. */
static void add_multilabel(double *sums, int64_t n, const struct fanin_tensor *p,
                           const struct fanin_tensor *target) {
    for (int64_t r = 0; r < p->rows; r++)
        for (int64_t c = 0; c < n; c++) {
            const bool taken = fi_metric_holds(p->data[r * p->ld + c]);
            const bool holds = fi_metric_holds(target->data[r * target->ld + c]);
            sums[3 * c] += taken && holds;
            sums[3 * c + 1] += taken;
            sums[3 * c + 2] += holds;
        }
}

void fi_metric_counts_add(double *sums, int64_t n_outputs, const struct fanin_tensor *p,
                          const int32_t *labels, const struct fanin_tensor *target) {
    if (!labels) {
        add_multilabel(sums, n_outputs, p, target);
        return;
    }
    for (int64_t r = 0; r < p->rows; r++) {
        const int64_t predicted = fi_metric_class(p->data + r * p->ld, n_outputs);
        sums[3 * labels[r] + 2] += 1;
        if (predicted < 0) continue;
        sums[3 * predicted + 1] += 1;
        if (predicted == labels[r]) sums[3 * predicted] += 1;
    }
}

double fi_metric_counts_mean(const double *sums, int64_t n_outputs,
                             void (*of)(const struct fi_metric_counts *c, double *part,
                                        double *whole)) {
    double sum = 0, classes = 0;
    for (int64_t c = 0; c < n_outputs; c++) {
        const struct fi_metric_counts counts = {sums[3 * c], sums[3 * c + 1], sums[3 * c + 2]};
        double part, whole;
        if (counts.predicted + counts.actual == 0) continue;
        of(&counts, &part, &whole);
        sum += whole > 0 ? part / whole : 0;
        classes++;
    }
    return classes > 0 ? sum / classes : 0;
}
