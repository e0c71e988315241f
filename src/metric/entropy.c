/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mean entropy of the predicted distributions, in nats: H = -Σ_j p_j log p_j with 0 log 0 = 0. It
 * is 0 where the net is certain and log n where it knows nothing. Of labels that may hold at once
 * it is the sum over the labels, each a distribution over yes and no.
 */
#include "kernel/math.h"
#include "metric/metric.h"

/* -p log p */
static double part(double p) {
    return p != 0 ? -p * fi_log(p) : 0;
}

static void add(double *sums, int64_t n, const struct fanin_tensor *p, const int32_t *labels,
                const struct fanin_tensor *target) {
    const bool alone = !labels; /* each output is a distribution over yes and no */
    (void)target;
    for (int64_t r = 0; r < p->rows; r++) {
        const fi_real *row = p->data + r * p->ld;
        double h = 0;
        for (int64_t c = 0; c < n; c++)
            h += part((double)row[c]) + (alone ? part(1 - (double)row[c]) : 0);
        sums[0] += h;
    }
}

FI_RECORD(metric, entropy) = {.head = {.name = "entropy",
                                       .formula = "mean of -sum_j p_j log p_j, in nats",
                                       .reference = "Shannon 1948",
                                       .help = "How uncertain the predictions are."},
                              .task = FANIN_CLASSIFICATION,
                              .multilabel = true,
                              .needs_distribution = true,
                              .cells = fi_metric_one_cell,
                              .add = add,
                              .value = fi_metric_mean};
