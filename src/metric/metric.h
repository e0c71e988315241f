/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the metrics share.
 */
#ifndef FI_METRIC_H
#define FI_METRIC_H

#include "graph/graph.h"

/* The class a row of probabilities predicts: the first of the largest; -1 if any is NaN. */
int64_t fi_metric_class(const fi_real *p, int64_t n);
/* Whether a label of several that may hold at once is taken to hold; of NaN: no. */
static inline bool fi_metric_holds(fi_real p) {
    return p > (fi_real)0.5;
}
/* The largest of a row of probabilities; NaN if any is NaN. */
double fi_metric_largest(const fi_real *p, int64_t n);
/* cells() of a metric that needs one sum. */
int64_t fi_metric_one_cell(int64_t n_outputs);
/* value() of a metric that is the mean of one sum over the samples. */
double fi_metric_mean(const double *sums, int64_t n_outputs, int64_t rows);

/* Counts of each class: samples rightly taken for it, taken for it, of it. A prediction with NaN is
 * taken for nothing. Of labels that may hold at once each is counted alone. cells() and add() of
 * precision, recall and F1. */
struct fi_metric_counts {
    double right, predicted, actual;
};
int64_t fi_metric_counts_cells(int64_t n_outputs);
void fi_metric_counts_add(double *sums, int64_t n_outputs, const struct fanin_tensor *p,
                          const int32_t *labels, const struct fanin_tensor *target);
/* The mean of part / whole over the classes that occur among labels or predictions; 0 / 0 is 0. */
double fi_metric_counts_mean(const double *sums, int64_t n_outputs,
                             void (*of)(const struct fi_metric_counts *c, double *part,
                                        double *whole));

#endif
