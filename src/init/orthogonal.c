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
 * vector of numbers a row, and groups in panels of 4: a panel is factored, then its 32 reflections
 * pass over each of the later groups, group by group on the threads. Panel and group fit L2; a
 * reflection is one pass over the group, which also takes the next one's sums. Each group's
 * arithmetic is a fixed chain, so the bits depend neither on threads nor on the width of vectors. Q
 * comes from the reflections in reverse, applied to columns of the identity.
 *
 * Saxe, McClelland & Ganguli, "Exact solutions to the nonlinear dynamics of learning in deep linear
 * neural networks", ICLR 2014.
 */
#include <string.h>

#include "init/init.h"

#define GROUP 8
#define PANEL 4  /* groups whose reflections are applied together */
#define CHAINS 4 /* sums in flight, enough to hide the latency of an addition */

typedef double wide __attribute__((vector_size(GROUP * sizeof(double)), may_alias));

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
    int64_t current;                   /* the first group of the panel in work */
};

/* A reflection in work: v, which begins at row `first`. */
struct reflection {
    const double *v; /* v[i] belongs to row i */
    double tau;
    int64_t first;
};

static struct reflection reflection_of(const struct work *q, int64_t k) {
    return (struct reflection){.v = q->v + k * q->m, .tau = q->tau[k], .first = k};
}

/* c <- c - v s from row old->first on, s = *sums, and *sums = tau vᵀ c of the reflection that comes
 * next, in one pass over the rows; either may be NULL. Rows `first` + i of the next one are added
 * in chain i % 4, those behind the last whole four in the first chain. */
__attribute__((always_inline)) static inline void sweep(const struct reflection *old,
                                                        const struct reflection *next, int64_t m,
                                                        wide *restrict c, wide *sums) {
    const wide s = *sums, zero = {0};
    const int64_t begin = next ? next->first : m;
    wide chain[CHAINS] = {zero, zero, zero, zero};
    int64_t i = begin;
    for (int64_t r = old ? old->first : m; old && r < begin; r++) c[r] -= old->v[r] * s;
    if (next && old && old->first > begin && i + CHAINS <= m) /* rows that the old one leaves */
        for (int k = 0; k < CHAINS; k++, i++) {
            if (i >= old->first) c[i] -= old->v[i] * s;
            chain[k] += next->v[i] * c[i];
        }
    for (; i + CHAINS <= m; i += CHAINS)
#pragma GCC unroll 4
        for (int k = 0; k < CHAINS; k++) {
            wide row = c[i + k];
            if (old) c[i + k] = row -= old->v[i + k] * s;
            chain[k] += next->v[i + k] * row;
        }
    for (; i < m; i++) {
        if (old && i >= old->first) c[i] -= old->v[i] * s;
        chain[0] += next->v[i] * c[i];
    }
    if (next) *sums = next->tau * ((chain[0] + chain[1]) + (chain[2] + chain[3]));
}

/* Reflection `k` done and `next` begun (-1: none) on the columns of a group. */
static void pass(const struct work *q, int64_t k, int64_t next, int64_t g, wide *sums) {
    wide *c = (wide *)(void *)(q->a + g * q->m * GROUP);
    const struct reflection now = reflection_of(q, FI_MAX(k, 0));
    const struct reflection then = reflection_of(q, FI_MAX(next, 0));
    if (k < 0)
        sweep(NULL, &then, q->m, c, sums);
    else if (next < 0)
        sweep(&now, NULL, q->m, c, sums);
    else
        sweep(&now, &then, q->m, c, sums);
}

/* Reflections first .. last-1 over the columns of a group: each pass applies one and takes the sums
 * of the next. */
static void reflect(const struct work *q, int64_t first, int64_t last, int64_t g) {
    wide sums = {0};
    for (int64_t k = first - 1; k < last; k++)
        pass(q, k < first ? -1 : k, k + 1 < last ? k + 1 : -1, g, &sums);
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

/* The reflections of the current panel over a group behind it. */
static void update_group(void *arg, int64_t i) {
    const struct work *q = arg;
    const int64_t behind = q->current + PANEL;
    reflect(q, q->current * GROUP, behind * GROUP, behind + i);
}

/* Factors the groups of the current panel one after the other. */
static void factor_panel(const struct work *q) {
    const int64_t end = FI_MIN(q->groups, q->current + PANEL);
    for (int64_t g = q->current; g < end; g++) {
        const int64_t first = g * GROUP, last = FI_MIN(q->n, first + GROUP);
        for (int64_t k = first; k < last; k++) {
            find_reflection(q, k);
            reflect(q, k, k + 1, g);
        }
        for (int64_t later = g + 1; later < end; later++) reflect(q, first, last, later);
    }
}

/* w's columns of a group of Q. */
static void hand_over(const struct work *q, int64_t g) {
    const double *group = q->a + g * q->m * GROUP;
    for (int64_t j = g * GROUP; j < FI_MIN(q->n, (g + 1) * GROUP); j++)
        for (int64_t i = 0; i < q->m; i++)
            q->w[i * q->row_stride + j * q->column_stride] =
                (fi_real)(gain(q->r->attrs) * group[i * GROUP + j % GROUP]);
}

/* Columns of Q, from those of the identity, a panel at a time, so that a reflection is read once
 * for all its groups. Reflections behind a column leave it as it is. */
static void form_panel(void *arg, int64_t panel) {
    const struct work *q = arg;
    const int64_t g0 = panel * PANEL, n = FI_MIN(PANEL, q->groups - g0);
    wide sums[PANEL] = {{0}};
    for (int64_t g = g0; g < g0 + n; g++) {
        double *group = q->a + g * q->m * GROUP;
        memset(group, 0, (size_t)(q->m * GROUP) * sizeof *group);
        for (int64_t j = g * GROUP; j < FI_MIN(q->n, (g + 1) * GROUP); j++)
            group[j * GROUP + j % GROUP] = q->sign[j];
    }
    for (int64_t k = FI_MIN(q->n, (g0 + n) * GROUP) - 1; k >= -1; k--)
        for (int64_t g = g0; g < g0 + n; g++) {
            const int64_t last = FI_MIN(q->n, (g + 1) * GROUP);
            if (k < last) pass(q, k + 1 < last ? k + 1 : -1, k, g, &sums[g - g0]);
        }
    for (int64_t g = g0; g < g0 + n; g++) hand_over(q, g);
}

static void decompose(struct work *q) {
    fanin_ctx *ctx = q->r->ctx;
    const double m = (double)q->m, n = (double)q->n;
    fi_parallel(ctx, q->groups, 20 * m * n, draw_group, q);
    for (q->current = 0; q->current < q->groups; q->current += PANEL) {
        factor_panel(q);
        const int64_t behind = FI_MAX(0, q->groups - q->current - PANEL);
        const double rows = m - (double)(q->current * GROUP);
        fi_parallel(ctx, behind, 4.0 * PANEL * GROUP * GROUP * rows * (double)behind, update_group,
                    q);
    }
    fi_parallel(ctx, (q->groups + PANEL - 1) / PANEL, 2 * m * n * n, form_panel, q);
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
