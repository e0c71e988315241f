/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Histograms of what every node of a net gave and of the gradient that reached it, in bins of equal
 * width over all that is there.
 */
#include <math.h>

#include "check/check.h"
#include "kernel/kernel.h"

static void histogram(struct fanin_check_histogram *h, const struct fanin_tensor *t, int64_t rows) {
    if (!t->data) return;
    h->low = INFINITY;
    h->high = -INFINITY;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < t->cols; c++) {
            const double x = (double)t->data[r * t->ld + c];
            if (!isfinite(x)) continue; /* it has no bin */
            h->low = FI_MIN(h->low, x);
            h->high = FI_MAX(h->high, x);
        }
    const double width = (h->high - h->low) / FANIN_CHECK_BINS;
    if (!(width > 0) || !isfinite(width)) return;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < t->cols; c++) {
            const double x = (double)t->data[r * t->ld + c];
            if (!isfinite(x)) continue;
            const int64_t bin = (int64_t)((x - h->low) / width);
            h->counts[FI_MIN(bin, FANIN_CHECK_BINS - 1)]++;
        }
}

struct job {
    const struct fi_look *look;
};

static void histograms_of(void *arg, int64_t node) {
    const struct fi_look *look = ((const struct job *)arg)->look;
    const struct fi_exec *e = look->trainer->exec;
    histogram(&look->check->layers[node].values, &e->y[node], look->batch.rows);
    histogram(&look->check->layers[node].grads, &e->dy[node], look->batch.rows);
}

void fi_check_histograms(const struct fi_look *look) {
    struct job job = {look};
    double cells = 0;
    for (int i = 0; i < look->net->n_nodes; i++) cells += (double)look->net->nodes[i].shape.cols;
    fi_parallel(look->check->ctx, look->net->n_nodes, 10 * cells * (double)look->batch.rows,
                histograms_of, &job);
}
