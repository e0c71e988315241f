/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Quantiles of one unit's output over the samples of a part: what Ioffe & Szegedy 2015 show of a
 * sigmoid's input in Fig. 1b and c, where the distribution drifts without batch norm and stays with
 * it.
 *
 * The net runs as in inference: batch norm by its running statistics, no dropout. Between the order
 * statistics quantiles are linear: quantile p of n numbers stands at p (n - 1), counted from 0.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "study/probe.h"

struct quantiles {
    const char *node;
    int part;
    int64_t rows, unit;
    struct fanin_list quantiles;
};

static const double usual[] = {0.15, 0.5, 0.85};

static int by_value(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quantile(const double *sorted, int64_t n, double p) {
    const double at = p * (double)(n - 1), below = floor(at);
    const int64_t i = FI_MIN((int64_t)below, n - 1), j = FI_MIN(i + 1, n - 1);
    return sorted[i] + (at - below) * (sorted[j] - sorted[i]);
}

/* "p15" of 0.15, "p2_5" of 0.025: per cent, to a tenth. */
static void name_of(char name[32], double p) {
    const int tenths = (int)floor(p * 1000 + 0.5);
    if (tenths % 10 == 0)
        (void)snprintf(name, 32, "p%d", tenths / 10);
    else
        (void)snprintf(name, 32, "p%d_%d", tenths / 10, tenths % 10);
}

static void add_quantiles(const struct fi_look_at *look, const struct quantiles *a,
                          const double *sorted, int64_t n, bool all) {
    const double *p = a->quantiles.n > 0 ? a->quantiles.values : usual;
    const int64_t n_p = a->quantiles.n > 0 ? a->quantiles.n : FI_COUNT(usual);
    double low = INFINITY, high = -INFINITY;
    for (int64_t i = 0; i < n_p; i++) {
        const double value = all ? quantile(sorted, n, p[i]) : NAN;
        char name[32];
        name_of(name, p[i]);
        look->add(look->to, name, a->node, value);
        low = FI_MIN(low, value);
        high = FI_MAX(high, value);
    }
    look->add(look->to, "spread", a->node, all ? high - low : NAN);
}

static enum fanin_status run(const struct fi_look_at *look, const struct quantiles *a,
                             struct fi_arena *arena) {
    struct fanin_tensor y;
    int node;
    bool all = true;
    FI_TRY(fi_probe_node(look, "node", a->node, &node));
    const int64_t units = look->model->net->nodes[node].shape.cols;
    if (a->unit >= units)
        return fi_fail(look->ctx, FANIN_ERR_RECIPE,
                       "unit: %s has %lld units, counted from 0, so there is no unit %lld", a->node,
                       (long long)units, (long long)a->unit);
    FI_TRY(fi_probe_outputs(look, (enum fanin_part)a->part, a->rows, node, arena, &y));
    double *sorted = fi_arena_alloc(arena, y.rows, sizeof *sorted);
    if (!sorted) return FANIN_ERR_MEMORY;
    for (int64_t r = 0; r < y.rows; r++) {
        sorted[r] = (double)y.data[r * y.ld + a->unit];
        all &= !isnan(sorted[r]);
    }
    qsort(sorted, (size_t)y.rows, sizeof *sorted, by_value);
    add_quantiles(look, a, sorted, y.rows, all);
    return FANIN_OK;
}

static enum fanin_status look_at(const struct fi_look_at *look, const void *attrs) {
    struct fi_arena arena;
    fi_arena_init(&arena, look->ctx);
    const enum fanin_status status = run(look, attrs, &arena);
    fi_arena_free(&arena);
    return status;
}

static const struct fanin_attr_spec specs[] = {
    FI_ATTR_STRING(struct quantiles, node, NULL, "whose output, dense3 say", FANIN_ATTR_REQUIRED),
    FI_PROBE_PART(struct quantiles),
    FI_PROBE_SAMPLES(struct quantiles),
    FI_ATTR_INT(struct quantiles, unit, 0, 0, 1e12, "which of its units, counted from 0", 0),
    FI_ATTR_LIST_OR(struct quantiles, quantiles, NULL, 0, 1,
                    "shares of the samples that are below; default 0.15, 0.5, 0.85", 0),
    FI_ATTR_END};

FI_RECORD(probe, quantiles) = {
    .head = {.name = "quantiles",
             .formula = "p15, p50, p85 (p2_5 of 0.025): quantiles over the samples, as in "
                        "inference; spread = largest - least of them",
             .reference = "Ioffe & Szegedy 2015, Fig. 1b, c",
             .help = "Tells how one unit's output is spread over the samples.",
             .attrs = specs,
             .attrs_size = sizeof(struct quantiles),
             .place = ""},
    .look = look_at,
};
