/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Orthogonality: adds λ ‖AᵀA - I‖² (Frobenius) to the loss, with gradient 4 λ A (AᵀA - I). A is
 * the weight matrix or its transpose, whichever has fewer columns: with W (out, in) and in > out,
 * WᵀW could never be I; ‖WᵀW - I‖² is then ‖WWᵀ - I‖² + in - out, which has the same gradient. So
 * the penalty is 0 where the fewer of rows and columns are orthonormal.
 *
 * Both products run on the matrix kernel, each number one chain of multiply-adds: the same bits for
 * any number of threads. It costs 4 · n · k² a step for n × k numbers, k the smaller.
 *
 * Brock, Lim, Ritchie, Weston: Neural photo editing with introspective adversarial networks, ICLR
 * 2017, section 3.3; Bansal, Chen, Wang: Can we gain more from orthogonality regularizations in
 * training deep networks, NeurIPS 2018, equation 2 (soft orthogonality).
 */
#include <string.h>

#include "reg/reg.h"

static const struct fanin_attr_spec attrs[] = {FI_REG_LAMBDA("strength of the penalty")};

/* A is n × k. */
static void sides(int64_t out, int64_t in, int64_t *n, int64_t *k) {
    *n = FI_MAX(out, in);
    *k = FI_MIN(out, in);
}

static int64_t work_size(int64_t out, int64_t in) {
    int64_t n, k;
    sides(out, in, &n, &k);
    return 2 * n * fi_row_stride(k) + fi_panel_size(k, k);
}

static void keep(void *arg, int64_t offset, int64_t n, fi_real *g) {
    memcpy((fi_real *)arg + offset, g, (size_t)n * sizeof *g);
}

static void nothing(void *arg, int64_t row0, int64_t rows, int64_t col0, int64_t cols) {
    (void)arg, (void)row0, (void)rows, (void)col0, (void)cols;
}

static double run(fanin_ctx *ctx, const void *a, double scale, int64_t out, int64_t in,
                  const fi_real *w, fi_real *g, fi_real *work) {
    int64_t n, k;
    sides(out, in, &n, &k);
    const int64_t ld = fi_row_stride(k);
    const bool turned = in > out;
    fi_real *x = work, *y = x + n * ld, *gram = y + n * ld;
    for (int64_t o = 0; o < out; o++)
        for (int64_t i = 0; i < in; i++)
            x[turned ? i * ld + o : o * ld + i] = w[fi_panel_index(out, in, o, i)];
    fi_product_dw(ctx, n, k, k, x, ld, x, ld, NULL, NULL, keep, gram);
    for (int64_t i = 0; i < k; i++) gram[fi_panel_index(k, k, i, i)] -= 1;
    const double value = fi_reg_lambda_of(a) * fi_sum_squares(gram, fi_panel_size(k, k));
    if (!g) return value;
    fi_product_y(ctx, n, k, k, x, ld, gram, y, ld, NULL, nothing, NULL); /* the Gram is symmetric */
    const fi_real by = (fi_real)(4 * scale * fi_reg_lambda_of(a));
    for (int64_t o = 0; o < out; o++)
        for (int64_t i = 0; i < in; i++) {
            fi_real *to = g + fi_panel_index(out, in, o, i);
            *to = fi_fma(by, y[turned ? i * ld + o : o * ld + i], *to);
        }
    return value;
}

static const struct fi_whole whole = {.work = work_size, .run = run};

FI_RECORD(reg, orthogonal) = {
    .head = {.name = "orthogonal",
             .aliases = "soft_orthogonality",
             .formula = "loss + lambda |A'A - I|^2, A = W or its transpose",
             .reference =
                 "Brock et al., ICLR 2017, section 3.3; Bansal et al., NeurIPS 2018, eq. 2",
             .help = "Draws the rows of each weight matrix, or its columns where these are fewer, "
                     "towards an orthonormal set.",
             .attrs = attrs,
             .attrs_size = sizeof(struct fi_reg_lambda)},
    .strength = fi_reg_lambda_of,
    .whole = &whole};
