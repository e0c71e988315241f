/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Units of which something holds in the first start: tied for ever (the classes of the symmetry
 * guard), almost tied, dead, saturated, constant.
 */
#include <math.h>
#include <stdlib.h>

#include "check/check.h"
#include "kernel/kernel.h"

#define ALMOST 0.999     /* |cosine| of the incoming weights of two units */
#define FLAT 0.05        /* a slope below this part of the curve's largest */
#define MOSTLY 0.95      /* … on more than this part of the samples */
#define FAR 1e4          /* an input at the end of a curve … */
#define LEVEL 1e-3       /* … where a slope below this part of the largest is none */
#define MOST_UNITS 4096  /* wider layers are not compared unit with unit */
#define SAME_OUTPUT 1e-6 /* spread of a constant output, over its size */

static void add_unit(struct fanin_check_few *few, int64_t unit) {
    if (few->count < FI_COUNT(few->first)) few->first[few->count] = unit;
    few->count++;
}

/* ---- tied ------------------------------------------------------------------------------------------ */

static enum fanin_status find_tied(const struct fi_look *look) {
    struct fanin_check *check = look->check;
    FI_TRY(fi_symmetry(&check->arena, look->model, &look->trainer->policies,
                       look->train->rounding_noise > 0, &check->symmetry));
    for (int i = 0; i < look->net->n_nodes; i++) {
        const int64_t units = look->net->nodes[i].shape.cols;
        for (int64_t u = 0; u < units; u++)
            if (check->symmetry.tied[i][u]) add_unit(&check->layers[i].tied, u);
    }
    return FANIN_OK;
}

/* ---- almost tied ----------------------------------------------------------------------------------- */

/* The products of all pairs of rows would cost out² in. Projections on a few fixed directions of
 * random signs find who may be near: of two unit vectors at distance d = √(2 - 2 cosine) they
 * differ by a number that is about normal with standard deviation d, and of two random ones with
 * √2. */
#define DIRECTIONS 4
#define SLACK 5 /* standard deviations */
struct projected {
    double at[DIRECTIONS];
    int64_t unit;
};

static int by_place(const void *a, const void *b) {
    const struct projected *x = a, *y = b;
    if (x->at[0] != y->at[0]) return x->at[0] < y->at[0] ? -1 : 1;
    return x->unit < y->unit ? -1 : 1;
}

/* Bit d of signs[i]: the sign of component i of direction d. */
static void make_signs(uint8_t *signs, int64_t n) {
    const uint64_t key = fi_hash_text("directions");
    for (int64_t i = 0; i < n; i++) {
        uint32_t words[4];
        fi_philox(key, 0, (uint64_t)i, words);
        signs[i] = (uint8_t)words[0];
    }
}

static void project(struct projected *p, const uint8_t *signs, const float *row, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        for (int d = 0; d < DIRECTIONS; d++)
            p->at[d] += signs[i] >> d & 1 ? (double)row[i] : -(double)row[i];
}

static bool may_be_near(const struct projected *a, const struct projected *b, double reach) {
    for (int d = 0; d < DIRECTIONS; d++)
        if (fabs(a->at[d] - b->at[d]) > reach) return false;
    return true;
}

static double dot(const float *x, const float *y, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += (double)x[i] * (double)y[i];
    return sum;
}

/* Rows to unit length, the first component that is not 0 positive (so that opposite rows meet). */
static void to_unit_length(float *row, int64_t n) {
    const double norm = sqrt(dot(row, row, n));
    int64_t first = 0;
    while (first < n - 1 && row[first] == 0) first++;
    const double sign = row[first] < 0 ? -1 : 1;
    for (int64_t i = 0; norm > 0 && i < n; i++) row[i] = (float)(sign * (double)row[i] / norm);
}

static void mark_near(const float *rows, const struct projected *order, int64_t out, int64_t in,
                      uint8_t *near) {
    const double reach = SLACK * sqrt(2 - 2 * ALMOST);
    for (int64_t a = 0; a < out; a++)
        for (int64_t b = a + 1; b < out && order[b].at[0] - order[a].at[0] <= reach; b++) {
            const int64_t i = order[a].unit, k = order[b].unit;
            if ((near[i] && near[k]) || !may_be_near(&order[a], &order[b], reach)) continue;
            if (fabs(dot(rows + i * in, rows + k * in, in)) > ALMOST) near[i] = near[k] = 1;
        }
}

static enum fanin_status find_almost_tied(const struct fi_look *look, int node,
                                          const struct fi_param *p) {
    struct fanin_check *check = look->check;
    struct fi_arena work;
    fi_arena_init(&work, check->ctx);
    float *rows = fi_arena_alloc(&work, p->count, sizeof *rows);
    struct projected *order = fi_arena_alloc(&work, p->out, sizeof *order);
    uint8_t *near = fi_arena_alloc(&work, p->out, 1), *signs = fi_arena_alloc(&work, p->in, 1);
    const bool ready = rows && order && near && signs;
    if (ready) {
        make_signs(signs, p->in);
        fi_param_unpack(p, look->model->params + p->offset, rows);
        for (int64_t o = 0; o < p->out; o++) {
            to_unit_length(rows + o * p->in, p->in);
            order[o].unit = o;
            project(&order[o], signs, rows + o * p->in, p->in);
        }
        qsort(order, (size_t)p->out, sizeof *order, by_place);
        mark_near(rows, order, p->out, p->in, near);
        for (int64_t o = 0; o < p->out; o++)
            if (near[o] && !check->symmetry.tied[node][o])
                add_unit(&check->layers[node].almost_tied, o);
    }
    fi_arena_free(&work);
    return ready ? FANIN_OK : FANIN_ERR_MEMORY;
}

/* ---- dead, saturated, constant --------------------------------------------------------------------- */

/* The ends of a curve: what is small there, and whether it flattens out (a leaky slope does not).
 */
struct flatness {
    double slope;      /* below it a sample counts */
    bool below, above; /* 0 */
};

static struct flatness flatness_of(const struct fi_node *node) {
    const struct fanin_curve *curve = node->op->curve;
    double most = 0;
    for (int i = -512; i <= 512; i++) /* where inputs are found */
        most = FI_MAX(most, fabs(curve->df(node->attrs, i / 64.0)));
    return (struct flatness){.slope = FLAT * most,
                             .below = fabs(curve->df(node->attrs, -FAR)) < LEVEL * most,
                             .above = fabs(curve->df(node->attrs, FAR)) < LEVEL * most};
}

/* Dead: off for every sample, the output 0 and flat. Saturated: flat for most, and not just off. */
static void find_flat(const struct fi_look *look, int node) {
    const struct fi_node *n = &look->net->nodes[node];
    const struct fanin_tensor *x = &look->trainer->exec->y[n->inputs[0]];
    const struct fanin_tensor *y = &look->trainer->exec->y[node];
    struct fanin_check_layer *layer = &look->check->layers[node];
    const struct flatness flat = flatness_of(n);
    for (int64_t u = 0; u < x->cols; u++) {
        int64_t off = 0, low = 0;
        for (int64_t r = 0; r < look->batch.rows; r++) {
            const double at = (double)x->data[r * x->ld + u];
            const double slope = fabs(n->op->curve->df(n->attrs, at));
            if (slope == 0 && y->data[r * y->ld + u] == 0)
                off++;
            else
                low += slope < flat.slope && (at < 0 ? flat.below : flat.above);
        }
        if (off == look->batch.rows)
            add_unit(&layer->dead, u);
        else if (low > 0 && (double)(low + off) > MOSTLY * (double)look->batch.rows)
            add_unit(&layer->saturated, u);
    }
}

static void find_constant(const struct fi_look *look, int node) {
    const struct fanin_tensor *y = &look->trainer->exec->y[node];
    if (look->batch.rows < 2) return;
    for (int64_t u = 0; u < y->cols; u++) {
        double low = INFINITY, high = -INFINITY;
        for (int64_t r = 0; r < look->batch.rows; r++) {
            const double value = (double)y->data[r * y->ld + u];
            low = FI_MIN(low, value);
            high = FI_MAX(high, value);
        }
        if (high - low <= SAME_OUTPUT * FI_MAX(fabs(low), fabs(high)))
            add_unit(&look->check->layers[node].constant, u);
    }
}

enum fanin_status fi_check_units(const struct fi_look *look) {
    const fanin_net *net = look->net;
    FI_TRY(find_tied(look));
    for (int i = 0; i < net->n_nodes; i++) {
        const struct fi_node *node = &net->nodes[i];
        if (node->op && node->op->curve) find_flat(look, i);
        if (node->op) find_constant(look, i);
        for (int k = 0; k < node->n_params; k++) {
            const struct fi_param *p = &net->params[node->first_param + k];
            if (p->spec.weight && p->spec.layout == FANIN_LAYOUT_PANELS && p->out <= MOST_UNITS &&
                p->in > 1)
                FI_TRY(find_almost_tied(look, i, p));
        }
    }
    return FANIN_OK;
}
