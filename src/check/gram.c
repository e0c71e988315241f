/* SPDX-License-Identifier: Apache-2.0 */
#include "check/gram.h"

#include <string.h>

#include "kernel/math.h"

#define TERMS 40 /* h_0 .. h_39 */
#define POINTS 64

/* A function's coefficients for each sample, and what they leave over of E[f²]. */
struct series {
    double *terms; /* [n][TERMS] */
    double *rest;  /* [n] */
    double power;  /* f_k² falls like k^-power behind the last term; 0: at once */
};

/* The remainder Σ_{k ≥ K} k^-p ρ^k over its value at ρ = 1, as an integral: with t = -K ln ρ it is
 * (p-1) ∫₀¹ e^(-t/u) u^(p-2) du, and u = v² takes the root at 0 away. */
static double share_left(double power, double rho) {
    double sum = 0;
    if (rho <= 0) return 0; /* even and odd terms cancel */
    const double t = -TERMS * fi_log(rho);
    if (power == 0 || t > 30) return fi_exp(-t);
    for (int i = 0; i < POINTS; i++) {
        const double v = (i + 0.5) / POINTS;
        double term = fi_exp(-t / (v * v));
        for (int k = 0; k < (int)(power - 1); k++) term *= v * v;
        sum += term;
    }
    return FI_MIN(1, 2 * (power - 1) * sum / POINTS);
}

/* Its values are needed for every pair, so they come from a table over √(-ln ρ), which the function
 * is smooth in. */
#define SHARES 1024
#define REACH 1.0 /* -ln ρ; there the share is below e^-40 */
struct fi_shares {
    bool made;
    double power; /* that of the series */
    double at[SHARES + 2];
};

static void make_shares(struct fi_shares *out, double power) {
    if (out->made && out->power == power) return;
    out->made = true;
    out->power = power;
    for (int i = 0; i < SHARES + 2; i++) {
        const double root = i * sqrt(REACH) / SHARES;
        out->at[i] = share_left(power, fi_exp(-root * root));
    }
    out->at[0] = 1;
}

static double look_up(const struct fi_shares *table, double rho) {
    if (rho >= 1) return 1;
    if (rho <= fi_exp(-REACH)) return 0;
    const double x = sqrt(-fi_log(rho) / REACH) * SHARES;
    const int i = (int)x;
    return table->at[i] + (x - i) * (table->at[i + 1] - table->at[i]);
}

struct work {
    const struct fi_activation *f;
    const struct fanin_signal *x, *y;
    struct series value, slope;
    struct fi_shares *shares;        /* of value, of slope */
    double *slope_second;            /* [n], then [n][n] */
    double rise[TERMS], fall[TERMS]; /* h_k+1 = rise z h_k - fall h_k-1 */
};

/* A jump of the slope at a kink makes f_k² fall like k^-5/2 and f′_k² like k^-3/2; a kink of higher
 * order adds 1 to each. */
static void find_powers(struct work *w) {
    const double near = 1e-7;
    double power = 0;
    for (int i = 0; i < w->f->curve->n_kinks; i++) {
        const double kink = fi_curve_kink(w->f->curve, w->f->attrs, i);
        const double jump =
            w->f->curve->df(w->f->attrs, kink + near) - w->f->curve->df(w->f->attrs, kink - near);
        const double here = fabs(jump) > 100 * near ? 2.5 : 3.5;
        power = power == 0 ? here : FI_MIN(power, here);
    }
    w->value.power = power;
    w->slope.power = power == 0 ? 0 : power - 1;
}

static void expand(void *arg, int64_t a) {
    const struct work *w = arg;
    const double mean = w->x->mean[a], var = w->x->cov[a * w->x->n + a];
    const double std = sqrt(FI_MAX(var, 0));
    double *value = w->value.terms + a * TERMS, *slope = w->slope.terms + a * TERMS;
    double second = 0, slope_second = 0;
    struct fi_curve_nodes nodes;
    fi_curve_nodes(&nodes, w->f->curve, w->f->attrs, mean, std, 1);
    for (int i = 0; i < nodes.n; i++) {
        const double z = nodes.z[i], weight = nodes.weight[i], x = std * z + mean;
        const double y = w->f->curve->f(w->f->attrs, x), dy = w->f->curve->df(w->f->attrs, x);
        double before = 0, h = 1;
        for (int k = 0; k < TERMS; k++) {
            const double next = w->rise[k] * z * h - w->fall[k] * before;
            value[k] += weight * h * y;
            slope[k] += weight * h * dy;
            before = h;
            h = next;
        }
        second += weight * y * y;
        slope_second += weight * dy * dy;
    }
    w->y->mean[a] = value[0];
    w->y->cov[a * w->x->n + a] = second - value[0] * value[0];
    w->slope_second[a] = slope_second;
    for (int k = 0; k < TERMS; k++) {
        second -= value[k] * value[k];
        slope_second -= slope[k] * slope[k];
    }
    w->value.rest[a] = FI_MAX(second, 0);
    w->slope.rest[a] = FI_MAX(slope_second, 0);
}

static double pair(const struct series *s, const struct fi_shares *shares, int64_t a, int64_t b,
                   int first, double rho) {
    const double *fa = s->terms + a * TERMS, *fb = s->terms + b * TERMS;
    double sum = 0;
    for (int k = TERMS - 1; k >= first; k--) sum = sum * rho + fa[k] * fb[k];
    if (first > 0) sum *= rho;
    return sum + sqrt(s->rest[a] * s->rest[b]) * look_up(shares, rho);
}

static void activate_row(void *arg, int64_t a) {
    const struct work *w = arg;
    const int64_t n = w->x->n;
    for (int64_t b = 0; b < a; b++) {
        const double both = sqrt(w->x->cov[a * n + a] * w->x->cov[b * n + b]);
        double rho = both > 0 ? w->x->cov[a * n + b] / both : 0;
        rho = FI_MAX(-1, FI_MIN(1, rho));
        w->y->cov[a * n + b] = pair(&w->value, &w->shares[0], a, b, 1, rho);
        w->slope_second[n + a * n + b] = pair(&w->slope, &w->shares[1], a, b, 0, rho);
    }
}

static enum fanin_status make_room(struct fi_arena *arena, struct fi_gram *gram, int64_t n) {
    const int64_t size = n * (2 * TERMS + 3) + n * n;
    if (!gram->numbers) {
        gram->shares = fi_arena_alloc(arena, 2, sizeof *gram->shares);
        gram->numbers = fi_arena_alloc(arena, size, sizeof *gram->numbers);
        if (!gram->shares || !gram->numbers) return FANIN_ERR_MEMORY;
    }
    memset(gram->numbers, 0, (size_t)size * sizeof *gram->numbers);
    return FANIN_OK;
}

enum fanin_status fi_gram_activate(struct fi_arena *arena, struct fi_gram *gram,
                                   const struct fi_activation *f, const struct fanin_signal *x,
                                   const struct fanin_signal *y, double *slopes) {
    const int64_t n = x->n;
    struct work w = {.f = f, .x = x, .y = y};
    FI_TRY(make_room(arena, gram, n));
    w.shares = gram->shares;
    w.value.terms = gram->numbers;
    w.slope.terms = gram->numbers + n * TERMS;
    w.value.rest = gram->numbers + 2 * n * TERMS;
    w.slope.rest = w.value.rest + n;
    w.slope_second = w.slope.rest + n;
    find_powers(&w);
    make_shares(&w.shares[0], w.value.power);
    make_shares(&w.shares[1], w.slope.power);
    for (int k = 0; k < TERMS; k++) {
        w.rise[k] = 1 / sqrt(k + 1);
        w.fall[k] = sqrt(k) / sqrt(k + 1);
    }
    fi_parallel(arena->ctx, n, 1e5 * (double)n, expand, &w);
    fi_parallel(arena->ctx, n, 100.0 * (double)(n * n), activate_row, &w);
    for (int64_t a = 0; a < n; a++) {
        slopes[a * n + a] = w.slope_second[a];
        for (int64_t b = 0; b < a; b++) {
            y->cov[b * n + a] = y->cov[a * n + b];
            slopes[a * n + b] = slopes[b * n + a] = w.slope_second[n + a * n + b];
        }
    }
    return FANIN_OK;
}
