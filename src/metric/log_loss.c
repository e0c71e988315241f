/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log loss: the mean of -log p of the label, in nats: the cross-entropy without any regularizer. A
 * probability that underflowed counts as the smallest normal float, 2^-126: at most 87.3 a sample.
 * NaN stays NaN. Of labels that may hold at once it is the mean over the labels of what was true.
 */
#include "kernel/math.h"
#include "metric/metric.h"

static double cost(double p) {
    return -fi_log(p < 0x1p-126 ? 0x1p-126 : p);
}

static void add(double *sums, int64_t n, const struct fanin_tensor *p, const int32_t *labels,
                const struct fanin_tensor *target) {
    for (int64_t r = 0; r < p->rows; r++) {
        const fi_real *row = p->data + r * p->ld;
        if (labels) {
            sums[0] += cost((double)row[labels[r]]);
            continue;
        }
        const fi_real *t = target->data + r * target->ld;
        double sum = 0;
        for (int64_t c = 0; c < n; c++) {
            const double q = (double)t[c], yes = (double)row[c];
            sum += (q > 0 ? q * cost(yes) : 0) + (q < 1 ? (1 - q) * cost(1 - yes) : 0);
        }
        sums[0] += sum / (double)n;
    }
}

FI_RECORD(metric, log_loss) = {.head = {.name = "log_loss",
                                        .formula = "mean of -log p_label, in nats",
                                        .reference = "Good 1952",
                                        .help = "How unlikely the labels are to the net."},
                               .task = FANIN_CLASSIFICATION,
                               .multilabel = true,
                               .extra = true,
                               .needs_distribution = true,
                               .cells = fi_metric_one_cell,
                               .add = add,
                               .value = fi_metric_mean};
