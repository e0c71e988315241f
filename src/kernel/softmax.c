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

double fi_exp_row(const fi_real *x, int64_t cols, fi_real max, int64_t skip, fi_real *skipped,
                  fi_real *y) {
    fi_real all[RUN], scratch[RUN];
    double sum = 0;
    for (int64_t c0 = 0; c0 < cols; c0 += RUN) {
        const int n = (int)FI_MIN(RUN, cols - c0);
        const int padded = (n + FI_LANES - 1) / FI_LANES * FI_LANES;
        const int gap = skip >= c0 && skip < c0 + n ? (int)(skip - c0) : -1;
        const fi_real *in = x + c0;
        fi_real *out = y ? y + c0 : scratch;
        FI_IVDEP
        for (int c = 0; c < padded; c++) {
            const fi_real e = fi_r_exp(in[c] - max);
            all[c] = e;
            out[c] = ((c < n) & (c != gap)) ? e : 0;
        }
        if (gap >= 0) *skipped = all[gap];
        sum += (double)fi_sum(out, padded);
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
