/* SPDX-License-Identifier: Apache-2.0 */
#include "check/measure.h"

#include <math.h>
#include <string.h>

static double row_sum(const fi_real *row, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += (double)row[i];
    return sum;
}

static double row_squares(const fi_real *row, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += (double)row[i] * (double)row[i];
    return sum;
}

/* The mean cosine over pairs from the length of the sum of the unit vectors:
 * ‖Σ x_a/‖x_a‖‖² = n + 2 Σ_{a<b} cos(a, b). `sum` has a place for each column. */
static double mean_cosine(const struct fanin_tensor *y, int64_t rows, double *sum) {
    double length = 0, n = 0;
    memset(sum, 0, (size_t)y->cols * sizeof *sum);
    for (int64_t r = 0; r < rows; r++) {
        const fi_real *row = y->data + r * y->ld;
        const double norm = sqrt(row_squares(row, y->cols));
        if (!(norm > 0)) continue;
        for (int64_t c = 0; c < y->cols; c++) sum[c] += (double)row[c] / norm;
        n++;
    }
    for (int64_t c = 0; c < y->cols; c++) length += sum[c] * sum[c];
    return n > 1 ? (length - n) / (n * (n - 1)) : NAN;
}

void fi_measure_node(struct fanin_check_figures *out, const struct fanin_tensor *y,
                     const struct fanin_tensor *dy, int64_t rows, double *work) {
    const double share = 1 / ((double)rows * (double)y->cols);
    *out = (struct fanin_check_figures){.grad = NAN};
    for (int64_t r = 0; r < rows; r++) {
        out->mean += share * row_sum(y->data + r * y->ld, y->cols);
        out->second += share * row_squares(y->data + r * y->ld, y->cols);
    }
    out->cosine = mean_cosine(y, rows, work);
    if (!dy || !dy->data) return;
    out->grad = 0;
    for (int64_t r = 0; r < rows; r++)
        out->grad += share * row_squares(dy->data + r * dy->ld, dy->cols);
    out->grad *= (double)rows * (double)rows;
}

void fi_predicted_node(struct fanin_check_figures *out, const struct fi_node_law *law) {
    const struct fanin_signal *s = &law->signal;
    const int64_t n = s->n;
    double pairs = 0;
    *out = (struct fanin_check_figures){.grad = law->gradient ? 0 : NAN};
    for (int64_t a = 0; a < n; a++) {
        const double q = s->cov[a * n + a] + s->mean[a] * s->mean[a];
        out->mean += s->mean[a] / (double)n;
        out->second += q / (double)n;
        if (law->gradient) out->grad += s->grad[a * n + a] * (double)n;
        for (int64_t b = 0; b < a; b++) {
            const double other = s->cov[b * n + b] + s->mean[b] * s->mean[b];
            const double both = s->cov[a * n + b] + s->mean[a] * s->mean[b];
            if (q > 0 && other > 0) pairs += both / sqrt(q * other);
        }
    }
    out->cosine = n > 1 ? 2 * pairs / ((double)n * (double)(n - 1)) : NAN;
}
