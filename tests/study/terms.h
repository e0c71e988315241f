/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A study of five seeds that has been run: figures of conditions, series, layers, for the tests of
 * expressions and claims. A condition that is not in the table is refused, as the real callbacks
 * do.
 */
#ifndef TESTS_STUDY_TERMS_H
#define TESTS_STUDY_TERMS_H

#include <math.h>

#include "study/expression.h"
#include "support/support.h"

#define SEEDS 5

/* Values by figure, where ("" for none), condition ("" for none). */
static const struct made {
    const char *figure, *where, *condition;
    double values[SEEDS];
} made[] = {
    {"a", "", "", {1, 2, 3, 4, 5}},
    {"b", "", "", {10, 20, 30, 40, 50}},
    {"gap", "", "", {1, NAN, 3, 4, NAN}},
    {"none", "", "", {NAN, NAN, NAN, NAN, NAN}},
    {"never", "", "", {INFINITY, INFINITY, INFINITY, INFINITY, INFINITY}},
    {"mixed", "", "", {7, INFINITY, 9, -INFINITY, 1}},
    {"same", "", "", {0.5, 0.5, 0.5, 0.5, 0.5}},
    {"zero", "", "", {0, -0.0, 0, -0.0, 0}},
    {"third", "", "", {0.3, 0.3, 0.3, 0.3, 0.3}},
    {"tenth", "", "", {0.1, 0.1, 0.1, 0.1, 0.1}},
    {"mean", "", "", {6, 6, 6, 6, 6}},
    {"error", "", "normalized", {0.060, 0.064, 0.058, 0.062, 0.062}},
    {"error", "", "standard", {0.090, 0.097, 0.085, 0.094, 0.095}},
    {"error", "", "noisy", {0.050, 0.120, 0.058, 0.090, 0.070}},
    {"error", "", "init=noisy", {1, 1, 1, 1, 1}},
    {"error", "", "0.01", {2, 2, 2, 2, 2}},
    {"error", "", "tanh, deep", {3, 3, 3, 3, 3}},
    {"error", "", "init=normalized,lr=0.1", {4, 4, 4, 4, 4}},
    {"spread", "dense1", "", {1, 5, NAN, 2, 8}},
    {"spread", "dense2.weight", "", {3, 4, 2, NAN, 8}},
    {"spread", "out put", "", {2, 9, 5, NAN, 8}},
};

static int calls_left = -1;       /* of the callbacks, until one fails */
static int64_t seeds_run = SEEDS; /* the first ones alone are asked for */

static enum fanin_status refuse_call(fanin_ctx *ctx) {
    if (calls_left < 0 || calls_left-- > 0) return FANIN_OK;
    return fi_fail(ctx, FANIN_ERR_IO, "the store is gone");
}

static void condition_of(const struct fi_term *term, char *out, size_t size) {
    *out = '\0';
    for (int i = 0; i < term->n_selectors; i++) {
        const struct fi_selector *s = &term->selectors[i];
        const size_t used = strlen(out);
        (void)snprintf(out + used, size - used, "%s%s%s%s", i > 0 ? "," : "",
                       s->axis ? s->axis : "", s->axis ? "=" : "", s->value);
    }
}

static enum fanin_status test_values(void *of, const struct fi_term *term, double *values) {
    FI_TRY(refuse_call(of));
    char condition[256];
    condition_of(term, condition, sizeof condition);
    for (int i = 0; i < FI_COUNT(made); i++) {
        if (strcmp(made[i].figure, term->figure) != 0 ||
            strcmp(made[i].where, term->where ? term->where : "") != 0 ||
            strcmp(made[i].condition, condition) != 0)
            continue;
        for (int64_t s = 0; s < seeds_run; s++)
            values[s] = made[i].values[s] + (term->step >= 0 ? (double)term->step : 0);
        return FANIN_OK;
    }
    return fi_fail(of, FANIN_ERR_RECIPE, "no condition '%s' of '%s'", condition, term->figure);
}

/* curve: 2^-k at step 10 k, k < 8, with a gap at 30; growth: (seed + 1) e^(step / 4), the first
 * value 0; blown: the same up to an infinite last value; empty: none. */
static enum fanin_status test_series(void *of, const struct fi_term *term, int64_t seed,
                                     const int64_t **steps, const double **values, int64_t *n) {
    static const int64_t at[8] = {0, 10, 20, 30, 40, 50, 60, 70};
    static double v[8];
    FI_TRY(refuse_call(of));
    const bool curve = strcmp(term->figure, "curve") == 0;
    for (int k = 0; k < 8; k++)
        v[k] = curve ? ldexp(1, -k) : k == 0 ? 0 : (double)(seed + 1) * exp((double)at[k] / 4);
    if (curve) v[3] = NAN;
    if (strcmp(term->figure, "blown") == 0) v[7] = INFINITY;
    *steps = at;
    *values = v;
    *n = strcmp(term->figure, "empty") == 0 ? 0 : 8;
    return FANIN_OK;
}

static enum fanin_status test_wheres(void *of, const struct fi_term *term,
                                     const char *const **names, int64_t *n) {
    static const char *const layers[] = {"dense1", "dense2.weight", "out put"};
    FI_TRY(refuse_call(of));
    *names = layers;
    *n = strcmp(term->figure, "spread") == 0 ? 3 : 0;
    return FANIN_OK;
}

static inline struct fi_term_source test_terms(fanin_ctx *ctx) {
    return (struct fi_term_source){seeds_run, ctx, test_values, test_series, test_wheres};
}

#endif
