/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Softmax of rows: y_c = exp(x_c - m) / Σ exp(x_k - m), m = max x. Subtracting m keeps every term
 * in (0, 1] and the sum between 1 and cols. Long rows are summed by runs, in double between the
 * runs; the order depends on the length alone. The exponential works on the padded row: ten outputs
 * cost one or two vectors instead of ten calls.
 */
#include "kernel/softmax.h"

#include "kernel/math.h"

#define RUN 512 /* a multiple of FI_LANES */

/* y = exp(x - max), s += y in each lane; what is behind `n` or at `gap` counts as 0. */
__attribute__((always_inline)) static inline void exp_lanes(const fi_real *x, fi_real max, int n,
                                                            int gap, fi_real *y, fi_real *s) {
    FI_IVDEP
    for (int l = 0; l < FI_LANES; l++) {
        const fi_real e = fi_r_exp_down(x[l] - max);
        const fi_real term = ((l < n) & (l != gap)) ? e : 0;
        y[l] = term;
        s[l] += term;
    }
}

/* One run. The sum is fi_sum's, whose 16 chains here advance while the next exponentials are
 * computed. */
static fi_real exp_run(const fi_real *x, int n, fi_real max, int gap, fi_real *y) {
    fi_real s[FI_LANES] = {0};
    for (int c = 0; c < n; c += FI_LANES)
        if (c + FI_LANES <= n && (gap < c || gap >= c + FI_LANES))
            exp_lanes(x + c, max, FI_LANES, -1, y + c, s);
        else
            exp_lanes(x + c, max, n - c, gap - c, y + c, s);
    return fi_sum(s, FI_LANES);
}

double fi_exp_row(const fi_real *x, int64_t cols, fi_real max, int64_t skip, fi_real *skipped,
                  fi_real *y) {
    fi_real scratch[RUN];
    double sum = 0;
    if (skip >= 0) *skipped = fi_r_exp_down(x[skip] - max);
    for (int64_t c0 = 0; c0 < cols; c0 += RUN) {
        const int n = (int)FI_MIN(RUN, cols - c0);
        const int gap = skip >= c0 && skip < c0 + n ? (int)(skip - c0) : -1;
        sum += (double)exp_run(x + c0, n, max, gap, y ? y + c0 : scratch);
    }
    return sum;
}

void fi_softmax(const fi_real *x, int64_t rows, int64_t cols, int64_t ldx, fi_real *y,
                int64_t ldy) {
    for (int64_t r = 0; r < rows; r++, x += ldx, y += ldy) {
        const fi_real inverse = (fi_real)(1 / fi_exp_row(x, cols, fi_max(x, cols), -1, NULL, y));
        for (int64_t c = 0; c < cols; c++) y[c] *= inverse;
    }
}
