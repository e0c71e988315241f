/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sparse normal numbers: in each column of the (out, in) matrix, what one input sends to all units,
 * ceil(sparsity · out) places chosen at random are 0 and the others N(0, std²).
 *
 * Whether a place is 0 is told by a keyed permutation of its column, so that any range can be drawn
 * alone. Martens, "Deep learning via Hessian-free optimization", ICML 2010, section 5; counts and
 * defaults are PyTorch's.
 */
#include "init/init.h"

struct sparse {
    double sparsity, std;
};

static const struct fanin_attr_spec attrs[] = {
    FI_ATTR_REAL(struct sparse, sparsity, 0, 0, 1, "share of zeros in each column, rounded up",
                 FANIN_ATTR_REQUIRED),
    FI_ATTR_REAL(struct sparse, std, 0.01, 0, 1e30, "standard deviation of the others", 0),
    FI_ATTR_END};

static int64_t zeros_of(const struct sparse *a, int64_t out) {
    return (int64_t)ceil(a->sparsity * (double)out);
}

static void fill(const struct fi_init_request *r, int64_t first, int64_t n, fi_real *w) {
    const struct sparse *a = r->attrs;
    int64_t out, in;
    fi_matrix_of(r, &out, &in);
    const int64_t zeros = zeros_of(a, out);
    const uint64_t key = fi_hash_mix(r->key, 1); /* not that of the numbers */
    fi_draw_normal(r, 0, a->std, first, n, w);
    for (int64_t i = 0; i < n; i++) {
        const uint64_t row = (uint64_t)((first + i) / in), column = (uint64_t)((first + i) % in);
        if ((int64_t)fi_permute(key, column, row, (uint64_t)out) < zeros) w[i] = 0;
    }
}

/* The law of a number taken at random from the tensor. */
static void moments(const struct fi_init_request *r, double *mean, double *std, double *kurtosis) {
    const struct sparse *a = r->attrs;
    int64_t out, in;
    fi_matrix_of(r, &out, &in);
    const double left = 1 - (double)zeros_of(a, out) / (double)FI_MAX(1, out);
    fi_draw_moments(0, a->std * sqrt(left), FI_KURTOSIS_NORMAL / left, mean, std, kurtosis);
}

FI_RECORD(init, sparse) = {
    .head = {.name = "sparse",
             .formula = "ceil(sparsity out) zeros in each column, else N(0, std^2)",
             .reference = "Martens, Deep learning via Hessian-free optimization, ICML 2010",
             .help = "Normal numbers with a given share of zeros for each input.",
             .attrs = attrs,
             .attrs_size = sizeof(struct sparse)},
    .fill = fill,
    .moments = moments};
