/* SPDX-License-Identifier: Apache-2.0 */
#include "check/theory.h"

#include "kernel/math.h"

#define MAX_Q 1e9
#define SAME 1e-14 /* relative change at which an iteration has arrived */

/* ---- one layer's expectations --------------------------------------------------------------------- */

static void respond(struct fi_response *out, const struct fi_activation *f, double mean, double var,
                    struct fi_curve_nodes *nodes) {
    const double std = sqrt(var);
    *out = (struct fi_response){0};
    fi_curve_nodes(nodes, f->curve, f->attrs, mean, std, 1);
    for (int i = 0; i < nodes->n; i++) {
        const double x = mean + std * nodes->z[i], w = nodes->weight[i];
        const double y = f->curve->f(f->attrs, x), slope = f->curve->df(f->attrs, x);
        out->mean += w * y;
        out->second += w * y * y;
        out->slope += w * slope;
        out->slope_second += w * slope * slope;
        out->growth += w * y * slope * nodes->z[i];
    }
    out->growth = std > 0 ? out->growth / std : NAN;
}

enum fanin_status fi_response(fanin_ctx *ctx, struct fi_response *out,
                              const struct fi_activation *f, double mean, double var) {
    struct fi_curve_nodes *nodes = fi_alloc(ctx, 1, sizeof *nodes);
    if (!nodes) return FANIN_ERR_MEMORY;
    respond(out, f, mean, var, nodes);
    fi_free(ctx, nodes);
    return FANIN_OK;
}

/* ---- two correlated inputs ------------------------------------------------------------------------ */

/* u = √q z; given u, v ~ N(c u, q (1 - c²)). The inner integral is smooth in u over lengths of
 * √(q (1 - c²)), so the outer one must resolve that around the kinks. */
static void cross(double *ff, double *slopes, const struct fi_activation *f, double q, double c,
                  struct fi_curve_nodes *outer, struct fi_curve_nodes *inner) {
    const double std = sqrt(q), rest = std * sqrt(FI_MAX(0, (1 - c) * (1 + c)));
    *ff = *slopes = 0;
    fi_curve_nodes(outer, f->curve, f->attrs, 0, std, rest > 0 ? FI_MIN(1, rest) : 1);
    for (int i = 0; i < outer->n; i++) {
        const double u = std * outer->z[i];
        double y = 0, slope = 0;
        fi_curve_nodes(inner, f->curve, f->attrs, c * u, rest, 1);
        for (int k = 0; k < inner->n; k++) {
            const double v = c * u + rest * inner->z[k];
            y += inner->weight[k] * f->curve->f(f->attrs, v);
            slope += inner->weight[k] * f->curve->df(f->attrs, v);
        }
        *ff += outer->weight[i] * f->curve->f(f->attrs, u) * y;
        *slopes += outer->weight[i] * f->curve->df(f->attrs, u) * slope;
    }
}

enum fanin_status fi_cross(fanin_ctx *ctx, double *ff, double *slopes,
                           const struct fi_activation *f, double q, double c) {
    struct fi_curve_nodes *nodes = fi_alloc(ctx, 2, sizeof *nodes);
    if (!nodes) return FANIN_ERR_MEMORY;
    cross(ff, slopes, f, q, c, &nodes[0], &nodes[1]);
    fi_free(ctx, nodes);
    return FANIN_OK;
}

/* ---- fixed points --------------------------------------------------------------------------------- */

struct layer {
    const struct fi_activation *f;
    double weight_var, bias_var, noise;
    struct fi_curve_nodes *nodes; /* two */
};

static double q_map(const struct layer *l, double q, double *growth) {
    struct fi_response r;
    respond(&r, l->f, 0, q, l->nodes);
    *growth = l->weight_var * l->noise * r.growth;
    return l->weight_var * l->noise * r.second + l->bias_var;
}

/* Iterates the map from q = 1, as a deep net does; once it contracts, Newton's step, kept inside
 * the bracket that the iterates give. */
static double find_q(const struct layer *l) {
    double q = 1, growth;
    for (int i = 0; i < 10000; i++) {
        const double next = q_map(l, q, &growth);
        if (!(next < MAX_Q)) return NAN;
        if (fabs(next - q) <= SAME * fabs(next) || next < 1e-300) return next;
        const double newton = q + (next - q) / (1 - growth);
        q = i > 20 && fabs(growth) < 1 && newton > 0 && newton < MAX_Q ? newton : next;
    }
    return q;
}

static double c_map(const struct layer *l, double q, double c, double *slope) {
    double ff, slopes;
    cross(&ff, &slopes, l->f, q, c, &l->nodes[0], &l->nodes[1]);
    *slope = l->weight_var * slopes;
    return (l->weight_var * ff + l->bias_var) / q;
}

/* Newton's method from below 1: C is convex there with C(1) <= 1, so where C(1) < 1 or C′(1) > 1
 * there is one root of C(c) = c below 1, and Newton's iterates from the left of it stay at its
 * left. */
static double find_c(const struct layer *l, double q, double *slope) {
    double c = 0;
    for (int i = 0; i < 200; i++) {
        const double step = (c_map(l, q, c, slope) - c) / (1 - *slope);
        if (!(fabs(step) > SAME) || !(*slope < 1)) break;
        c = FI_MIN(c + step, 1);
    }
    return c;
}

static double depth_scale(double factor) {
    const double f = fabs(factor);
    if (fabs(f - 1) < 1e-12) return INFINITY; /* critical, but for rounding */
    return f > 0 ? -1 / fi_log(f) : 0;
}

enum fanin_status fi_mean_field(fanin_ctx *ctx, struct fi_mean_field *out,
                                const struct fi_activation *f, double weight_var, double bias_var,
                                double noise) {
    struct layer l = {.f = f, .weight_var = weight_var, .bias_var = bias_var, .noise = noise};
    l.nodes = fi_alloc(ctx, 2, sizeof *l.nodes);
    if (!l.nodes) return FANIN_ERR_MEMORY;
    *out = (struct fi_mean_field){.q = find_q(&l), .chi = NAN, .c = NAN, .c_map = NAN};
    out->xi_c = out->xi_q = NAN;
    if (out->q >= 0) {
        struct fi_response r;
        /* a signal that dies sees the activation as it is next to 0 */
        const bool dies = out->q < 1e-12;
        respond(&r, f, 0, dies ? 1e-20 : out->q, l.nodes);
        out->chi = weight_var * noise * r.slope_second;
        out->c = 1;
        out->c_map = weight_var * r.slope_second;
        if (!dies && (noise > 1 || out->chi > 1 + 1e-9)) out->c = find_c(&l, out->q, &out->c_map);
        out->xi_c = depth_scale(out->c_map);
        out->xi_q = depth_scale(weight_var * noise * r.growth);
    }
    fi_free(ctx, l.nodes);
    return FANIN_OK;
}
