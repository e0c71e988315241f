/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log loss: the mean of -log p of the label, in nats: the cross-entropy without any regularizer. A
 * probability that underflowed counts as the smallest normal float, 2^-126: at most 87.3 a sample.
 * NaN stays NaN.
 */
#include "kernel/math.h"
#include "metric/metric.h"

static void add(double *sums, int64_t n, const struct fanin_tensor *p, const int32_t *labels,
                const struct fanin_tensor *target) {
    (void)n, (void)target;
    for (int64_t r = 0; r < p->rows; r++) {
        const double mine = (double)p->data[r * p->ld + labels[r]];
        sums[0] -= fi_log(mine < 0x1p-126 ? 0x1p-126 : mine);
    }
}

FI_RECORD(metric, log_loss) = {.head = {.name = "log_loss",
                                        .formula = "mean of -log p_label, in nats",
                                        .reference = "Good 1952",
                                        .help = "How unlikely the labels are to the net."},
                               .task = FANIN_CLASSIFICATION,
                               .extra = true,
                               .needs_distribution = true,
                               .cells = fi_metric_one_cell,
                               .add = add,
                               .value = fi_metric_mean};
