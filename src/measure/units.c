/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Units of which something holds on all samples, or on most: dead, saturated, constant. A unit of
 * which it is settled that nothing does is not looked at any further, which for most is after a few
 * samples.
 */
#include <math.h>
#include <string.h>

#include "kernel/kernel.h"
#include "measure/measure.h"

#define FLAT 0.05        /* a slope below this part of the curve's largest */
#define MOSTLY 0.95      /* … on more than this part of the samples */
#define FAR 1e4          /* an input at the end of a curve … */
#define LEVEL 1e-3       /* … where a slope below this part of the largest is none */
#define SAME_OUTPUT 1e-6 /* spread of a constant output, over its size */

void fi_few_add(struct fanin_check_few *few, int64_t unit) {
    if (few->count < FI_COUNT(few->first)) few->first[few->count] = unit;
    few->count++;
}

static struct fi_flatness flatness_of(const struct fi_node *node) {
    const struct fanin_curve *curve = node->op->curve;
    double most = 0;
    for (int i = -512; i <= 512; i++) /* where inputs are found */
        most = FI_MAX(most, fabs(curve->df(node->attrs, i / 64.0)));
    return (struct fi_flatness){.slope = FLAT * most,
                                .below = fabs(curve->df(node->attrs, -FAR)) < LEVEL * most,
                                .above = fabs(curve->df(node->attrs, FAR)) < LEVEL * most};
}

enum fanin_status fi_units_create(struct fi_node_measure *m, struct fi_arena *arena,
                                  const struct fi_node *node) {
    const int64_t cols = node->shape.cols;
    m->least = fi_arena_alloc(arena, cols, sizeof *m->least);
    m->most = fi_arena_alloc(arena, cols, sizeof *m->most);
    if (!m->least || !m->most) return FANIN_ERR_MEMORY;
    if (!node->op || !node->op->curve) return FANIN_OK;
    m->flat = flatness_of(node);
    m->steep = fi_arena_alloc(arena, cols, sizeof *m->steep);
    m->low = fi_arena_alloc(arena, cols, sizeof *m->low);
    return m->steep && m->low ? FANIN_OK : FANIN_ERR_MEMORY;
}

void fi_units_begin(struct fi_node_measure *m, int64_t cols) {
    for (int64_t u = 0; u < cols; u++) {
        m->least[u] = (fi_real)INFINITY;
        m->most[u] = (fi_real)-INFINITY;
    }
    if (!m->steep) return;
    memset(m->steep, 0, (size_t)cols * sizeof *m->steep);
    memset(m->low, 0, (size_t)cols * sizeof *m->low);
}

/* More samples can only widen the spread, by more than the bound grows with them. */
static bool varies(fi_real least, fi_real most) {
    const double low = (double)least, high = (double)most;
    return high - low > SAME_OUTPUT * FI_MAX(fabs(low), fabs(high));
}

static void add_spread(struct fi_node_measure *m, const struct fanin_tensor *y, int64_t rows) {
    for (int64_t u = 0; u < y->cols; u++) {
        fi_real low = m->least[u], high = m->most[u];
        for (int64_t r = 0; r < rows && !varies(low, high); r++) {
            const fi_real value = y->data[r * y->ld + u];
            low = FI_MIN(low, value);
            high = FI_MAX(high, value);
        }
        m->least[u] = low;
        m->most[u] = high;
    }
}

static bool too_steep(int64_t steep, int64_t rows) {
    return (double)(rows - steep) <= MOSTLY * (double)rows;
}

/* Off: the output is 0 and flat. Low: flat, and not off. */
static void add_slopes(struct fi_node_measure *m, const struct fi_node *node,
                       const struct fanin_tensor *x, const struct fanin_tensor *y, int64_t rows,
                       int64_t all) {
    for (int64_t u = 0; u < x->cols; u++)
        for (int64_t r = 0; r < rows && !too_steep(m->steep[u], all); r++) {
            const double at = (double)x->data[r * x->ld + u];
            const double slope = fabs(node->op->curve->df(node->attrs, at));
            if (slope == 0 && y->data[r * y->ld + u] == 0) continue;
            if (slope < m->flat.slope && (at < 0 ? m->flat.below : m->flat.above))
                m->low[u] = 1;
            else
                m->steep[u]++;
        }
}

void fi_units_add(struct fi_node_measure *m, const struct fi_exec *exec, int node, int64_t rows) {
    const struct fi_node *n = &exec->model->net->nodes[node];
    add_spread(m, &exec->y[node], exec->rows_now);
    if (m->steep) add_slopes(m, n, &exec->y[n->inputs[0]], &exec->y[node], exec->rows_now, rows);
}

void fi_measure_units(const struct fi_measure *m, int node, struct fi_measured_units *out) {
    const struct fi_node_measure *n = &m->nodes[node];
    const struct fi_node *here = &m->net->nodes[node];
    *out = (struct fi_measured_units){0};
    for (int64_t u = 0; u < here->shape.cols; u++) {
        if (here->op && m->seen > 1 && n->least[u] <= n->most[u] &&
            !varies(n->least[u], n->most[u]))
            fi_few_add(&out->constant, u);
        if (!n->steep) continue;
        if (n->steep[u] == 0 && !n->low[u])
            fi_few_add(&out->dead, u);
        else if (n->low[u] && !too_steep(n->steep[u], m->seen))
            fi_few_add(&out->saturated, u);
    }
}

void fi_measure_almost_tied(const struct fi_measure *m, int node, const uint8_t *tied,
                            struct fanin_check_few *out) {
    const struct fi_node_measure *n = &m->nodes[node];
    *out = (struct fanin_check_few){0};
    for (int64_t u = 0; u < n->near_units; u++)
        if (n->near[u] && !(tied && tied[u])) fi_few_add(out, u);
}
