/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Units whose incoming weights are equal to another's, or almost tied: |cosine| > 0.999.
 *
 * The products of all pairs of rows would cost out² in. Projections on a few fixed directions of
 * random signs find who may be near: of two unit vectors at distance d = √(2 - 2 cosine) they
 * differ by a number that is about normal with standard deviation d, and of two random ones with
 * √2. Matrices are read panel by panel, as they lie in memory.
 *
 * Equal rows are where ties can begin: in the lowest layer with units that no step can part, these
 * read units that differ, so their weights are equal one by one. Without any the symmetry guard
 * need not be asked.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/kernel.h"
#include "measure/measure.h"

#define ALMOST 0.999    /* |cosine| of the incoming weights of two units */
#define MOST_UNITS 4096 /* wider layers are not compared unit with unit */
#define DIRECTIONS 4
#define SLACK 5 /* standard deviations */

struct projected {
    float at[DIRECTIONS]; /* of the row brought to unit length, its first number positive */
    int32_t unit;
};

struct fi_rows {
    float (*signs)[DIRECTIONS]; /* [most in] */
    struct projected *order;    /* [most out] */
    double *over;               /* [most out] 1 / ‖row‖ */
    uint32_t *hash;             /* [most out or columns of a table] */
    struct hashed {
        uint32_t hash;
        int32_t unit;
    } * sorted;
};

/* Does the node's layer get compared unit with unit? */
static bool compared(const struct fi_param *p) {
    return p->spec.weight && p->spec.layout == FANIN_LAYOUT_PANELS && p->out <= MOST_UNITS &&
           p->in > 1;
}

static int64_t units_of(const struct fi_param *p) {
    if (p->spec.layout == FANIN_LAYOUT_PANELS) return p->out;
    return p->spec.table ? p->spec.dims[1] : 0;
}

enum fanin_status fi_rows_create(struct fi_measure *m, struct fi_arena *arena) {
    int64_t in = 1, out = 1;
    for (int i = 0; i < m->net->n_params; i++) {
        const struct fi_param *p = &m->net->params[i];
        out = FI_MAX(out, units_of(p));
        if (!compared(p)) continue;
        in = FI_MAX(in, p->in);
        struct fi_node_measure *n = &m->nodes[p->node];
        n->near_units = p->out;
        if (!(n->near = fi_arena_alloc(arena, p->out, 1))) return FANIN_ERR_MEMORY;
    }
    struct fi_rows *w = m->work = fi_arena_alloc(arena, 1, sizeof *w);
    if (!w) return FANIN_ERR_MEMORY;
    out = (out + FI_PANEL - 1) / FI_PANEL * FI_PANEL; /* whole panels are projected */
    w->signs = fi_arena_alloc(arena, in, sizeof *w->signs);
    w->order = fi_arena_alloc(arena, out, sizeof *w->order);
    w->over = fi_arena_alloc(arena, out, sizeof *w->over);
    w->hash = fi_arena_alloc(arena, out, sizeof *w->hash);
    w->sorted = fi_arena_alloc(arena, out, sizeof *w->sorted);
    if (!w->signs || !w->order || !w->over || !w->hash || !w->sorted) return FANIN_ERR_MEMORY;
    for (int64_t i = 0; i < in; i++) {
        uint32_t words[4];
        fi_philox(fi_hash_text("directions"), 0, (uint64_t)i, words);
        for (int d = 0; d < DIRECTIONS; d++) w->signs[i][d] = words[0] >> d & 1 ? 1 : -1;
    }
    return FANIN_OK;
}

/* ---- one pass over a matrix ------------------------------------------------------------------------ */

struct pass {
    const struct fi_param *p;
    const fi_real *w;
    const struct fi_rows *work;
    bool project;
};

static uint32_t bits_of(fi_real x) {
    const float narrow = fabsf((float)x);
    uint32_t bits;
    memcpy(&bits, &narrow, sizeof bits);
    return bits;
}

/* Sums of `lanes` rows that lie side by side. */
struct lanes {
    float at[DIRECTIONS][FI_PANEL], squares[FI_PANEL];
    uint32_t hash[FI_PANEL];
};

#define SUM_LANES(LANES)                                                                           \
    for (int64_t i = 0; i < p->in; i++, row += (LANES)) {                                          \
        const float *s = work->signs[i];                                                           \
        for (int k = 0; k < (LANES); k++) {                                                        \
            const float x = (float)row[k];                                                         \
            sum->squares[k] += x * x;                                                              \
            for (int d = 0; d < DIRECTIONS; d++) sum->at[d][k] += s[d] * x;                        \
        }                                                                                          \
    }

static void hash_lanes(const struct fi_param *p, const fi_real *row, int64_t lanes,
                       struct lanes *sum) {
    for (int64_t i = 0; i < p->in; i++, row += lanes)
        for (int64_t k = 0; k < lanes; k++)
            sum->hash[k] = (sum->hash[k] << 5) + sum->hash[k] + bits_of(row[k]);
}

/* The sign of a row's first number that is not 0. */
static double sign_of(const fi_real *row, int64_t in, int64_t step) {
    for (int64_t i = 0; i < in; i++)
        if (row[i * step] != 0) return row[i * step] < 0 ? -1 : 1;
    return 1;
}

static void pass_panel(void *arg, int64_t panel) {
    const struct pass *job = arg;
    const struct fi_param *p = job->p;
    const struct fi_rows *work = job->work;
    const int64_t lanes = fi_panel_width(p->out, panel), first = panel * FI_PANEL;
    const fi_real *begin = job->w + first * p->in, *row = begin;
    struct lanes sums = {0}, *sum = &sums;
    hash_lanes(p, row, lanes, sum);
    if (job->project && lanes == FI_PANEL) {
        SUM_LANES(FI_PANEL)
    } else if (job->project) {
        SUM_LANES(FI_LANES)
    }
    for (int64_t k = 0; k < lanes; k++) {
        struct projected *to = &work->order[first + k];
        const double norm = sqrt((double)sum->squares[k]);
        work->hash[first + k] = sum->hash[k];
        if (!job->project) continue;
        work->over[first + k] = norm > 0 ? sign_of(begin + k, p->in, lanes) / norm : 0;
        to->unit = (int32_t)(first + k);
        for (int d = 0; d < DIRECTIONS; d++)
            to->at[d] = (float)((double)sum->at[d][k] * work->over[first + k]);
    }
}

/* ---- equal up to signs ----------------------------------------------------------------------------------------- */

static int by_hash(const void *a, const void *b) {
    const struct hashed *x = a, *y = b;
    if (x->hash != y->hash) return x->hash < y->hash ? -1 : 1;
    return x->unit < y->unit ? -1 : x->unit > y->unit;
}

static bool same_row(const struct fi_param *p, const fi_real *w, int64_t a, int64_t b) {
    for (int64_t i = 0; p->spec.table && i < p->spec.dims[0]; i++)
        if (fi_abs(w[i * p->spec.dims[1] + a]) != fi_abs(w[i * p->spec.dims[1] + b])) return false;
    for (int64_t i = 0; !p->spec.table && i < p->in; i++)
        if (fi_abs(w[fi_panel_index(p->out, p->in, a, i)]) !=
            fi_abs(w[fi_panel_index(p->out, p->in, b, i)]))
            return false;
    return true;
}

static bool any_equal(const struct fi_rows *work, const struct fi_param *p, const fi_real *w) {
    const int64_t n = units_of(p);
    for (int64_t u = 0; u < n; u++) work->sorted[u] = (struct hashed){work->hash[u], (int32_t)u};
    qsort(work->sorted, (size_t)n, sizeof *work->sorted, by_hash);
    for (int64_t u = 1; u < n; u++)
        if (work->sorted[u].hash == work->sorted[u - 1].hash &&
            same_row(p, w, work->sorted[u].unit, work->sorted[u - 1].unit))
            return true;
    return false;
}

static void hash_table(const struct fi_rows *work, const struct fi_param *p, const fi_real *w) {
    const int64_t width = p->spec.dims[1];
    memset(work->hash, 0, (size_t)width * sizeof *work->hash);
    for (int64_t r = 0; r < p->spec.dims[0]; r++)
        for (int64_t c = 0; c < width; c++)
            work->hash[c] = (work->hash[c] << 5) + work->hash[c] + bits_of(w[r * width + c]);
}

/* ---- almost ---------------------------------------------------------------------------------------- */

static int by_place(const void *a, const void *b) {
    const struct projected *x = a, *y = b;
    if (x->at[0] != y->at[0]) return x->at[0] < y->at[0] ? -1 : 1;
    return x->unit < y->unit ? -1 : x->unit > y->unit;
}

static bool may_be_near(const struct projected *a, const struct projected *b, float reach) {
    for (int d = 0; d < DIRECTIONS; d++)
        if (fabsf(a->at[d] - b->at[d]) > reach) return false;
    return true;
}

static double cosine(const struct fi_rows *work, const struct fi_param *p, const fi_real *w,
                     int64_t a, int64_t b) {
    const fi_real *x = w + fi_panel_index(p->out, p->in, a, 0);
    const fi_real *y = w + fi_panel_index(p->out, p->in, b, 0);
    const int64_t x_step = fi_panel_width(p->out, a / FI_PANEL);
    const int64_t y_step = fi_panel_width(p->out, b / FI_PANEL);
    double sum = 0;
    for (int64_t i = 0; i < p->in; i++) sum += (double)x[i * x_step] * (double)y[i * y_step];
    return sum * work->over[a] * work->over[b];
}

static void mark_near(const struct fi_rows *work, const struct fi_param *p, const fi_real *w,
                      uint8_t *near) {
    const float reach = (float)(SLACK * sqrt(2 - 2 * ALMOST));
    const struct projected *order = work->order;
    qsort(work->order, (size_t)p->out, sizeof *order, by_place);
    for (int64_t a = 0; a < p->out; a++)
        for (int64_t b = a + 1; b < p->out && order[b].at[0] - order[a].at[0] <= reach; b++) {
            const int64_t i = order[a].unit, k = order[b].unit;
            if ((near[i] && near[k]) || !may_be_near(&order[a], &order[b], reach)) continue;
            if (fabs(cosine(work, p, w, i, k)) > ALMOST) near[i] = near[k] = 1;
        }
}

void fi_measure_weights(struct fi_measure *m, fanin_ctx *ctx, const fi_real *params) {
    m->equal_rows = false;
    for (int i = 0; i < m->net->n_params; i++) {
        const struct fi_param *p = &m->net->params[i];
        const fi_real *w = params + p->offset;
        struct pass job = {.p = p, .w = w, .work = m->work, .project = compared(p)};
        if (units_of(p) == 0) continue;
        if (p->spec.table)
            hash_table(m->work, p, w);
        else
            fi_parallel(ctx, fi_panels(p->out), 12.0 * (double)p->size, pass_panel, &job);
        m->equal_rows |= any_equal(m->work, p, w);
        if (!job.project) continue;
        memset(m->nodes[p->node].near, 0, (size_t)p->out);
        mark_near(m->work, p, w, m->nodes[p->node].near);
    }
}
