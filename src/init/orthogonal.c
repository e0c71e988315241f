/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A random orthogonal matrix times gain: its columns (or rows, where those are fewer) are
 * orthonormal, so signal and gradient keep their length through a linear layer of any depth.
 *
 * Q of the QR decomposition of a tall m × n matrix A of N(0, 1), n <= m, its columns multiplied by
 * the signs of diag(R): then Q is uniform over all such matrices (Mezzadri, "How to generate random
 * matrices from the classical compact groups", Notices AMS 54, 2007). A wide matrix is the
 * transpose of a tall one.
 *
 * Householder's reflections H = I - tau v vᵀ, in double. Columns stand in groups of 8, [m][8], one
 * vector of numbers a row: a group is factored by itself, then its 8 reflections pass over each of
 * the later groups, group by group on the threads. Each group's arithmetic is a fixed chain, so the
 * bits depend neither on threads nor on the width of vectors. Q comes from the reflections in
 * reverse, applied to columns of the identity.
 *
 * Saxe, McClelland & Ganguli, "Exact solutions to the nonlinear dynamics of learning in deep linear
 * neural networks", ICLR 2014.
 */
#include <string.h>

#include "init/init.h"

#define GROUP 8
#define CHAINS 4 /* sums in flight, enough to hide the latency of an addition */

struct orthogonal {
    struct fanin_gain gain;
};

static const struct fanin_attr_spec attrs[] = {FI_GAIN(struct orthogonal), FI_ATTR_END};

static double gain(const void *attrs_) {
    return ((const struct orthogonal *)attrs_)->gain.value;
}

struct work {
    const struct fi_init_request *r;
    int64_t m, n, groups;
    double *a;                         /* groups × [m][8]: A, later Q */
    double *v;                         /* n × m: reflection k is v[k][k..m) */
    double *tau, *sign;                /* of each reflection; of the diagonal of R */
    fi_real *w;                        /* what is asked for */
    int64_t row_stride, column_stride; /* of Q in w */
    int64_t current;                   /* the group that is done */
};

/* c <- c - tau v (vᵀ c) for the 8 columns of c, rows [0, m). */
static void reflect(const double *v, double tau, int64_t m, double *restrict c) {
    double sums[CHAINS][GROUP] = {{0}};
    int64_t i = 0;
    for (; i + CHAINS <= m; i += CHAINS)
        for (int k = 0; k < CHAINS; k++)
            for (int l = 0; l < GROUP; l++) sums[k][l] += v[i + k] * c[(i + k) * GROUP + l];
    for (; i < m; i++)
        for (int l = 0; l < GROUP; l++) sums[0][l] += v[i] * c[i * GROUP + l];
    double s[GROUP];
    for (int l = 0; l < GROUP; l++)
        s[l] = tau * ((sums[0][l] + sums[1][l]) + (sums[2][l] + sums[3][l]));
    for (i = 0; i < m; i++)
        for (int l = 0; l < GROUP; l++) c[i * GROUP + l] -= v[i] * s[l];
}

/* Draws group g: numbers of column j begin at an even place of the stream, as pairs do. */
static void draw_group(void *arg, int64_t g) {
    const struct work *q = arg;
    fi_real numbers[256];
    for (int64_t l = 0; l < GROUP && g * GROUP + l < q->n; l++)
        for (int64_t i0 = 0; i0 < q->m; i0 += FI_COUNT(numbers)) {
            const int64_t count = FI_MIN(FI_COUNT(numbers), q->m - i0);
            fi_random_normal(q->r->key, 0, (g * GROUP + l) * (q->m + (q->m & 1)) + i0, count,
                             numbers);
            for (int64_t i = 0; i < count; i++)
                q->a[(g * q->m + i0 + i) * GROUP + l] = (double)numbers[i];
        }
}

/* The reflection that takes column k of A, from row k on, to a multiple of e_k. */
static void find_reflection(const struct work *q, int64_t k) {
    const double *column = q->a + k / GROUP * q->m * GROUP + k % GROUP;
    double *v = q->v + k * q->m, squares = 0;
    for (int64_t i = k; i < q->m; i++) {
        v[i] = column[i * GROUP];
        squares += v[i] * v[i];
    }
    const double norm = sqrt(squares), first = v[k];
    v[k] += copysign(norm, first);
    q->tau[k] = norm > 0 ? 1 / (norm * (norm + fabs(first))) : 0;
    q->sign[k] = -copysign(1, first);
}

static void reflect_group(const struct work *q, int64_t k, double *group) {
    reflect(q->v + k * q->m + k, q->tau[k], q->m - k, group + k * GROUP);
}

/* The reflections of the current group over a later one. */
static void update_group(void *arg, int64_t i) {
    const struct work *q = arg;
    double *group = q->a + (q->current + 1 + i) * q->m * GROUP;
    for (int64_t k = q->current * GROUP; k < (q->current + 1) * GROUP; k++)
        reflect_group(q, k, group);
}

/* Columns of Q, from those of the identity: reflections behind a column leave it as it is. */
static void form_group(void *arg, int64_t g) {
    const struct work *q = arg;
    const int64_t first = g * GROUP, last = FI_MIN(q->n, first + GROUP);
    double *group = q->a + g * q->m * GROUP;
    memset(group, 0, (size_t)(q->m * GROUP) * sizeof *group);
    for (int64_t j = first; j < last; j++) group[j * GROUP + j - first] = q->sign[j];
    for (int64_t k = last - 1; k >= 0; k--) reflect_group(q, k, group);
    for (int64_t j = first; j < last; j++)
        for (int64_t i = 0; i < q->m; i++)
            q->w[i * q->row_stride + j * q->column_stride] =
                (fi_real)(gain(q->r->attrs) * group[i * GROUP + j - first]);
}

static void decompose(struct work *q) {
    fanin_ctx *ctx = q->r->ctx;
    const double m = (double)q->m, n = (double)q->n;
    fi_parallel(ctx, q->groups, 20 * m * n, draw_group, q);
    for (q->current = 0; q->current < q->groups; q->current++) {
        const int64_t first = q->current * GROUP, last = FI_MIN(q->n, first + GROUP);
        for (int64_t k = first; k < last; k++) {
            find_reflection(q, k);
            reflect_group(q, k, q->a + q->current * q->m * GROUP);
        }
        const int64_t later = q->groups - 1 - q->current;
        fi_parallel(ctx, later, 4.0 * GROUP * GROUP * (m - (double)first) * (double)later,
                    update_group, q);
    }
    fi_parallel(ctx, q->groups, 2 * m * n * n, form_group, q);
}

static enum fanin_status whole(const struct fi_init_request *r, fi_real *w) {
    int64_t out, in, cells;
    fi_matrix_of(r, &out, &in);
    struct work q = {.r = r, .m = FI_MAX(out, in), .n = FI_MIN(out, in), .w = w};
    q.groups = (q.n + GROUP - 1) / GROUP;
    q.row_stride = out >= in ? in : 1;
    q.column_stride = out >= in ? 1 : in;
    if (!fi_mul(q.m, q.groups * GROUP, &cells))
        return fi_fail(r->ctx, FANIN_ERR_SHAPE, "orthogonal: the matrix is too large");
    q.a = fi_alloc(r->ctx, cells, sizeof *q.a);
    q.v = q.a ? fi_alloc(r->ctx, cells, sizeof *q.v) : NULL;
    q.tau = q.v ? fi_alloc(r->ctx, 2 * q.n, sizeof *q.tau) : NULL;
    const bool enough = q.tau != NULL;
    if (enough) {
        q.sign = q.tau + q.n;
        decompose(&q);
    }
    fi_free(r->ctx, q.tau);
    fi_free(r->ctx, q.v);
    fi_free(r->ctx, q.a);
    return enough ? FANIN_OK : FANIN_ERR_MEMORY;
}

/* The law of one number: a coordinate of a random point of the unit sphere of m dimensions. */
static void moments(const struct fi_init_request *r, double *mean, double *std, double *kurtosis) {
    int64_t out, in;
    fi_matrix_of(r, &out, &in);
    const double m = (double)FI_MAX(1, FI_MAX(out, in));
    fi_draw_moments(0, gain(r->attrs) / sqrt(m), 3 * m / (m + 2), mean, std, kurtosis);
}

FI_RECORD(init, orthogonal) = {
    .head = {.name = "orthogonal",
             .formula = "gain Q, A = Q R, A ~ N(0, 1), diag(R) > 0",
             .reference =
                 "Saxe, McClelland & Ganguli, Exact solutions to the nonlinear dynamics of "
                 "learning in deep linear neural networks, ICLR 2014",
             .help = "A random orthogonal matrix: signal and gradient keep their length.",
             .attrs = attrs,
             .attrs_size = sizeof(struct orthogonal)},
    .whole = whole,
    .moments = moments,
    .gain = gain};
