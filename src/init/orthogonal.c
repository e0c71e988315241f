/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A random orthogonal matrix times gain: its columns (or rows, where those are fewer) are
 * orthonormal, so signal and gradient keep their length through a linear layer of any depth.
 *
 * Q of the QR decomposition of a tall m × n matrix A of N(0, 1), n <= m, its columns multiplied by
 * the signs of diag(R): then Q is uniform over all such matrices (Stewart, "The efficient
 * generation of random orthogonal matrices", SIAM J. Numer. Anal. 17, 1980; Mezzadri, "How to
 * generate random matrices from the classical compact groups", Notices AMS 54, 2007). A wide matrix
 * is the transpose of a tall one.
 *
 * Householder's reflections I - tau v vᵀ, in double: in float Q would be orthogonal to 1e-5 only.
 * They come in panels of 48. A panel is factored one reflection after the other; as I - V T Vᵀ
 * (Schreiber & Van Loan, "A storage-efficient WY representation for products of Householder
 * transformations", SIAM J. Sci. Stat. Comput. 10, 1989) it then passes over the columns behind it
 * as three products, and so, last panel first, over the identity, which becomes Q. The products are
 * chains of fixed order and so are the sums, so the bits depend neither on threads nor on the tier.
 *
 * Saxe, McClelland & Ganguli, "Exact solutions to the nonlinear dynamics of learning in deep linear
 * neural networks", ICLR 2014.
 */
#include <string.h>

#include "init/init.h"
#include "kernel/tile_double.h"

#define ROWS FI_DOUBLE_ROWS
#define COLS FI_DOUBLE_COLS
#define PANEL 48 /* reflections applied together, whole tiles both ways */
#define LANES 8
#define K_BLOCK 192 /* rows of V that fit the first-level cache, for 16 reflections */

typedef double wide __attribute__((vector_size(LANES * sizeof(double)), may_alias));

struct orthogonal {
    struct fanin_gain gain;
};

static const struct fanin_attr_spec attrs[] = {FI_GAIN(struct orthogonal), FI_ATTR_END};

static double gain(const void *attrs_) {
    return ((const struct orthogonal *)attrs_)->gain.value;
}

/* Columns of A and Q are rows of c. What pads c, v and vt is zero and stays so. */
struct work {
    const struct fi_init_request *r;
    int64_t m, n;
    int64_t rows, cols;                /* n and m in whole tiles */
    int64_t ld, width;                 /* stride of c; reflections of a panel in whole tiles */
    double *c;                         /* rows × cols: Aᵀ; row k becomes v of reflection k, later
                                          column k of Q */
    double *v, *vt;                    /* V of the panel in work, from row `first` on:
                                          [width / 16][cols][16]; its transpose:
                                          [cols / 16][width][16] */
    double *t;                         /* T of every panel, width × width */
    double *minus_t;                   /* of the panel in work: [width / 16][width][16] */
    double *tau, *sign;                /* of each reflection; of the diagonal of R */
    fi_real *w;                        /* what is asked for */
    int64_t row_stride, column_stride; /* of Q in w */
    int64_t first;                     /* the first reflection of the panel in work */
    int64_t begin;                     /* the first row of c that it passes over */
};

static int64_t round_up(int64_t n, int64_t unit) {
    return (n + unit - 1) / unit * unit;
}

/* Σ a b over columns begin .. end-1, multiples of 16: 16 lanes, then a fixed tree. */
static double dot(const double *a, const double *b, int64_t begin, int64_t end) {
    wide sum0 = {0}, sum1 = {0};
    for (int64_t i = begin; i < end; i += 2 * LANES) {
        sum0 += *(const wide *)(const void *)(a + i) * *(const wide *)(const void *)(b + i);
        sum1 += *(const wide *)(const void *)(a + i + LANES) *
                *(const wide *)(const void *)(b + i + LANES);
    }
    const wide s = sum0 + sum1;
    return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
}

/* Draws column j of A: its numbers begin at an even place of the stream, as pairs do. */
static void draw_column(void *arg, int64_t j) {
    const struct work *q = arg;
    fi_real numbers[256];
    for (int64_t i0 = 0; i0 < q->m; i0 += FI_COUNT(numbers)) {
        const int64_t count = FI_MIN(FI_COUNT(numbers), q->m - i0);
        fi_random_normal(q->r->key, 0, j * (q->m + (q->m & 1)) + i0, count, numbers);
        for (int64_t i = 0; i < count; i++) q->c[j * q->ld + i0 + i] = (double)numbers[i];
    }
}

/* The reflection that takes column k of A, from row k on, to a multiple of e_k. */
static void find_reflection(const struct work *q, int64_t k) {
    double *v = q->c + k * q->ld;
    memset(v + q->first, 0, (size_t)(k - q->first) * sizeof *v);
    const double norm = sqrt(dot(v, v, k / COLS * COLS, q->cols)), first = v[k];
    v[k] += copysign(norm, first);
    q->tau[k] = norm > 0 ? 1 / (norm * (norm + fabs(first))) : 0;
    q->sign[k] = -copysign(1, first);
}

/* Factors the columns of the panel in work one after the other. */
static void factor_panel(const struct work *q) {
    const int64_t last = FI_MIN(q->n, q->first + PANEL);
    for (int64_t k = q->first; k < last; k++) {
        find_reflection(q, k);
        const double *restrict v = q->c + k * q->ld;
        for (int64_t j = k + 1; j < last; j++) {
            double *restrict c = q->c + j * q->ld;
            const double s = q->tau[k] * dot(v, c, k / COLS * COLS, q->cols);
            for (int64_t i = k / COLS * COLS; i < q->cols; i++) c[i] -= v[i] * s;
        }
    }
}

/* Lays out 16 rows of V for the products. */
static void pack_rows(void *arg, int64_t block) {
    const struct work *q = arg;
    const int64_t i0 = q->first + block * COLS;
    for (int64_t k = 0; k < q->width; k++) {
        const bool used = q->first + k < q->n;
        const double *from = q->c + (q->first + (used ? k : 0)) * q->ld + i0;
        double *row = q->vt + i0 * q->width + k * COLS;
        double *column = q->v + (k / COLS * q->cols + i0) * COLS + k % COLS;
        for (int64_t i = 0; i < COLS; i++) column[i * COLS] = row[i] = used ? from[i] : 0;
    }
}

static void pack_panel(struct work *q) {
    const int64_t blocks = (q->cols - q->first) / COLS;
    fi_parallel(q->r->ctx, blocks, 4.0 * COLS * (double)blocks * (double)q->width, pack_rows, q);
}

/* to (n × width) = n rows of c, from row r on, times V. A block of V stays in the cache while all
 * rows meet it. */
static void times_v(const struct work *q, int64_t r, int64_t n, double *to) {
    for (int64_t k0 = q->first, ks; k0 < q->cols; k0 += ks) {
        ks = FI_MIN(K_BLOCK, q->cols - k0);
        for (int64_t p = 0; p < q->width; p += COLS)
            for (int64_t i = 0; i < n; i += ROWS)
                fi_double_tile(ks, q->c + (r + i) * q->ld + k0, q->ld,
                               q->v + p * q->cols + k0 * COLS, to + i * q->width + p, q->width,
                               k0 > q->first);
    }
}

/* T of the panel in work, upper triangular: column j is tau_j (e_j - T Vᵀ v_j), T as far as it
 * is. */
static void find_t(const struct work *q) {
    double gram[PANEL * PANEL] __attribute__((aligned(64))) = {0};
    const int64_t width = q->width, n = FI_MIN(q->n - q->first, PANEL);
    double *t = q->t + q->first * width;
    times_v(q, q->first, round_up(n, ROWS), gram);
    for (int64_t j = 0; j < n; j++) {
        const double tau = q->tau[q->first + j];
        for (int64_t i = 0; i < j; i++) {
            double sum = 0;
            for (int64_t l = i; l < j; l++) sum += t[i * width + l] * gram[l * width + j];
            t[i * width + j] = -tau * sum;
        }
        t[j * width + j] = tau;
    }
}

/* The panel in work over up to 48 rows of c: c += (c V) (-T) Vᵀ. */
static void apply_to_rows(void *arg, int64_t chunk) {
    const struct work *q = arg;
    double cv[PANEL * PANEL] __attribute__((aligned(64)));
    double cvt[PANEL * PANEL] __attribute__((aligned(64)));
    const int64_t width = q->width, r0 = q->begin + chunk * PANEL;
    const int64_t n = FI_MIN(PANEL, q->rows - r0);
    double *c = q->c + r0 * q->ld;
    times_v(q, r0, n, cv);
    for (int64_t r = 0; r < n; r += ROWS)
        for (int64_t p = 0; p < width; p += COLS)
            fi_double_tile(width, cv + r * width, width, q->minus_t + p * width,
                           cvt + r * width + p, width, false);
    for (int64_t i = q->first; i < q->cols; i += COLS)
        for (int64_t r = 0; r < n; r += ROWS)
            fi_double_tile(width, cvt + r * width, width, q->vt + i * width, c + r * q->ld + i,
                           q->ld, true);
}

/* The panel in work over all rows of c from `begin` on; its reflections in their order, or else in
 * reverse, which is T transposed. */
static void apply_panel(struct work *q, int64_t begin, bool in_order) {
    const int64_t width = q->width, rows = FI_MAX(0, q->rows - begin);
    const int64_t row = in_order ? width : 1, column = in_order ? 1 : width;
    const double *t = q->t + q->first * width;
    q->begin = begin;
    for (int64_t j = 0; j < width; j++)
        for (int64_t k = 0; k < width; k++)
            q->minus_t[(j / COLS * width + k) * COLS + j % COLS] = -t[k * row + j * column];
    fi_parallel(q->r->ctx, (rows + PANEL - 1) / PANEL,
                4.0 * (double)rows * (double)width * (double)(q->cols - q->first), apply_to_rows,
                q);
}

/* w's columns of 48 rows of c, which are columns of Q. */
static void hand_over(void *arg, int64_t chunk) {
    const struct work *q = arg;
    const double g = gain(q->r->attrs);
    const int64_t j0 = chunk * PANEL, n = FI_MIN(PANEL, q->n - j0);
    for (int64_t i0 = 0; i0 < q->cols; i0 += COLS)
        for (int64_t j = j0; j < j0 + n; j++)
            for (int64_t i = i0; i < FI_MIN(i0 + COLS, q->m); i++)
                q->w[i * q->row_stride + j * q->column_stride] = (fi_real)(g * q->c[j * q->ld + i]);
}

static void decompose(struct work *q) {
    fanin_ctx *ctx = q->r->ctx;
    const double numbers = (double)q->m * (double)q->n;
    const int64_t panels = (q->n + PANEL - 1) / PANEL;
    fi_parallel(ctx, q->n, 20 * numbers, draw_column, q);
    for (q->first = 0; q->first < q->n; q->first += PANEL) {
        factor_panel(q);
        pack_panel(q);
        find_t(q);
        apply_panel(q, q->first + PANEL, true);
    }
    for (q->first = (panels - 1) * PANEL; q->first >= 0; q->first -= PANEL) {
        pack_panel(q);
        for (int64_t k = q->first; k < FI_MIN(q->n, q->first + PANEL); k++) {
            memset(q->c + k * q->ld, 0, (size_t)q->cols * sizeof *q->c);
            q->c[k * q->ld + k] = q->sign[k];
        }
        apply_panel(q, q->first, false);
    }
    fi_parallel(ctx, panels, 2 * numbers, hand_over, q);
}

static enum fanin_status whole(const struct fi_init_request *r, fi_real *w) {
    int64_t out, in, cells;
    fi_matrix_of(r, &out, &in);
    struct work q = {.r = r, .m = FI_MAX(out, in), .n = FI_MIN(out, in), .w = w};
    q.row_stride = out >= in ? in : 1;
    q.column_stride = out >= in ? 1 : in;
    q.rows = round_up(q.n, ROWS);
    q.cols = round_up(q.m, COLS);
    q.ld = q.cols % 512 == 0 ? q.cols + COLS : q.cols; /* rows 4 KiB apart share cache sets */
    q.width = FI_MIN(PANEL, round_up(q.n, COLS));
    if (!fi_mul(q.ld, q.rows + 2 * PANEL, &cells))
        return fi_fail(r->ctx, FANIN_ERR_SHAPE, "orthogonal: the matrix is too large");
    q.c = fi_alloc(r->ctx, q.rows * q.ld, sizeof *q.c);
    q.v = q.c ? fi_alloc(r->ctx, 2 * q.width * q.cols, sizeof *q.v) : NULL;
    q.t = q.v ? fi_alloc(r->ctx, (round_up(q.n, PANEL) + PANEL) * q.width + 2 * q.n, sizeof *q.t)
              : NULL;
    const bool enough = q.t != NULL;
    if (enough) {
        q.vt = q.v + q.width * q.cols;
        q.minus_t = q.t + round_up(q.n, PANEL) * q.width;
        q.tau = q.minus_t + PANEL * q.width;
        q.sign = q.tau + q.n;
        decompose(&q);
    }
    fi_free(r->ctx, q.t);
    fi_free(r->ctx, q.v);
    fi_free(r->ctx, q.c);
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
