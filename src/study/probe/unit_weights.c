/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rows of weight matrices: what each unit of a layer takes from its inputs.
 *
 *   spread    max over pairs of units and inputs |w_ik - w_jk| = max_k (max_i w_ik - min_i w_ik):
 *             exactly 0 where all units are the same, bit by bit (but for the sign of zero)
 *   distinct  rows that differ
 *   rms       root mean square of the numbers
 *   rank      (Σ σ²)² / Σ σ⁴ over the singular values: 1 where the rows are parallel, the smaller
 *             side of the matrix where all σ are equal. With the smaller of the Gram matrices G it
 *             is (tr G)² / ‖G‖², which needs no singular values.
 *
 * Goodfellow, Bengio, Courville, Deep Learning (2016), section 8.4: units that start equal stay so.
 * The rank is the participation ratio of the squared singular values.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "measure/measure.h"
#include "study/probe.h"

/* The smaller side of matrices whose rank is told: it takes side² · other side operations. */
#define MOST_SIDE 512

struct row {
    const float *w;
    int64_t n;
    uint64_t hash;
};

static int by_numbers(const void *a, const void *b) {
    const struct row *x = a, *y = b;
    if (x->hash != y->hash) return x->hash < y->hash ? -1 : 1;
    return memcmp(x->w, y->w, (size_t)x->n * sizeof *x->w);
}

static int64_t count_distinct(struct row *rows, const float *w, int64_t out, int64_t in) {
    int64_t distinct = out > 0;
    for (int64_t o = 0; o < out; o++) {
        rows[o] = (struct row){.w = w + o * in, .n = in};
        for (int64_t i = 0; i < in; i++) {
            uint32_t bits;
            memcpy(&bits, &rows[o].w[i], sizeof bits);
            rows[o].hash = fi_hash_mix(rows[o].hash, bits);
        }
    }
    qsort(rows, (size_t)out, sizeof *rows, by_numbers);
    for (int64_t o = 1; o < out; o++) distinct += by_numbers(&rows[o - 1], &rows[o]) != 0;
    return distinct;
}

/* NaN if any number is. */
static double spread_of(const float *w, int64_t out, int64_t in) {
    double spread = 0;
    for (int64_t i = 0; i < in; i++) {
        double low = (double)w[i], high = low;
        for (int64_t o = 0; o < out; o++) {
            const double v = (double)w[o * in + i];
            if (isnan(v)) return NAN;
            low = FI_MIN(low, v);
            high = FI_MAX(high, v);
        }
        if (high > low) spread = FI_MAX(spread, high - low);
    }
    return spread;
}

/* ---- rank ------------------------------------------------------------------------------------------ */

struct gram {
    const float *w; /* side × n */
    int64_t side, n;
    double *trace,
        *squares; /* of row a: G_aa; Σ_b G_ab² over b <= a, others but the diagonal twice */
};

#define LANES 8

/* x · y, in lanes that add up apart. */
static double product(const float *x, const float *y, int64_t n) {
    double lanes[LANES] = {0}, sum = 0;
    const int64_t whole = n / LANES * LANES;
    for (int64_t i = 0; i < whole; i += LANES)
        for (int k = 0; k < LANES; k++) lanes[k] += (double)x[i + k] * (double)y[i + k];
    for (int64_t i = whole; i < n; i++) lanes[i - whole] += (double)x[i] * (double)y[i];
    for (int k = 0; k < LANES; k++) sum += lanes[k];
    return sum;
}

static void gram_row(void *arg, int64_t a) {
    const struct gram *g = arg;
    const float *x = g->w + a * g->n;
    for (int64_t b = 0; b <= a; b++) {
        const double dot = product(x, g->w + b * g->n, g->n);
        g->squares[a] += (b < a ? 2 : 1) * dot * dot;
        if (b == a) g->trace[a] = dot;
    }
}

static enum fanin_status rank_of(fanin_ctx *ctx, double *rank, const float *w, int64_t out,
                                 int64_t in, struct fi_arena *arena) {
    struct gram g = {.w = w, .side = FI_MIN(out, in), .n = FI_MAX(out, in)};
    double trace = 0, squares = 0;
    *rank = NAN;
    if (g.side > MOST_SIDE) return FANIN_OK;
    g.trace = fi_arena_alloc(arena, g.side, sizeof *g.trace);
    g.squares = fi_arena_alloc(arena, g.side, sizeof *g.squares);
    if (!g.trace || !g.squares) return FANIN_ERR_MEMORY;
    if (in < out) {
        float *t = fi_arena_alloc(arena, in * out, sizeof *t);
        if (!t) return FANIN_ERR_MEMORY;
        for (int64_t o = 0; o < out; o++)
            for (int64_t i = 0; i < in; i++) t[i * out + o] = w[o * in + i];
        g.w = t;
    }
    fi_parallel(ctx, g.side, (double)g.side * (double)g.side * (double)g.n, gram_row, &g);
    for (int64_t a = 0; a < g.side; a++) {
        trace += g.trace[a];
        squares += g.squares[a];
    }
    if (squares > 0) *rank = trace * trace / squares;
    return FANIN_OK;
}

/* ---- the look -------------------------------------------------------------------------------------- */

static enum fanin_status look_at_matrix(const struct fi_look_at *look, const struct fi_param *p,
                                        struct fi_arena *arena) {
    float *w = fi_arena_alloc(arena, p->count, sizeof *w);
    struct row *rows = fi_arena_alloc(arena, p->out, sizeof *rows);
    double rank;
    if (!w || !rows) return FANIN_ERR_MEMORY;
    fi_param_unpack(p, look->model->params + p->offset, w);
    for (int64_t i = 0; i < p->count; i++) w[i] += 0.0f; /* -0 and 0 are the same weight */
    FI_TRY(rank_of(look->ctx, &rank, w, p->out, p->in, arena));
    look->add(look->to, "spread", p->name, spread_of(w, p->out, p->in));
    look->add(look->to, "distinct", p->name, (double)count_distinct(rows, w, p->out, p->in));
    look->add(look->to, "rms", p->name, fi_measure_rms(look->ctx, p, look->model->params));
    look->add(look->to, "rank", p->name, rank);
    return FANIN_OK;
}

static enum fanin_status look_at(const struct fi_look_at *look, const void *attrs) {
    (void)attrs;
    const fanin_net *net = look->model->net;
    enum fanin_status status = FANIN_OK;
    for (int i = 0; i < net->n_params && status == FANIN_OK; i++) {
        struct fi_arena arena;
        if (net->params[i].spec.layout != FANIN_LAYOUT_PANELS) continue;
        fi_arena_init(&arena, look->ctx);
        status = look_at_matrix(look, &net->params[i], &arena);
        fi_arena_free(&arena);
    }
    return status;
}

FI_RECORD(probe, unit_weights) = {
    .head = {.name = "unit_weights",
             .formula = "of each weight matrix: spread = max |w_ik - w_jk| over units i, j and "
                        "inputs k; distinct rows; rms; rank = (sum s^2)^2 / sum s^4, s the "
                        "singular values (up to 512 of them)",
             .reference = "Goodfellow, Bengio, Courville 2016, section 8.4",
             .help = "Tells how far the units of each layer differ: spread 0 are units that are "
                     "equal to the last bit.",
             .place = ""},
    .look = look_at,
};
