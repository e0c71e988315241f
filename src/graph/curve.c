/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rule is Gauss and Legendre's with 10 points on pieces that end at the curve's kinks. A piece
 * is at most one standard deviation wide, so that the density is resolved, and at most 1/2 plus a
 * quarter of the distance to zero or the nearest kink, so that the curve is: activations change
 * within a unit or so of these and are asymptotically straight. Exact to rounding where the curve
 * is analytic between its kinks. Beyond 12 standard deviations the density is below 10^-31.
 */
#include "graph/curve.h"

#include "kernel/math.h"

#define REACH 12.0
#define HALF 5 /* points on each side of a piece's middle */

double fi_curve_kink(const struct fanin_curve *curve, const void *attrs, int i) {
    return curve->kink ? curve->kink(attrs, i) : curve->kinks[i];
}

/* Where the piece that begins at x ends. */
static double piece_end(const struct fanin_curve *curve, const void *attrs, double x, double std,
                        double scale) {
    double apart = fabs(x), end;
    for (int i = 0; i < curve->n_kinks; i++)
        apart = FI_MIN(apart, fabs(x - fi_curve_kink(curve, attrs, i)));
    end = x + FI_MIN(std, 0.5 * scale + 0.25 * apart);
    for (int i = 0; i < curve->n_kinks; i++) {
        const double kink = fi_curve_kink(curve, attrs, i);
        if (kink > x && kink < end) end = kink;
    }
    return end;
}

static void add_piece(struct fi_curve_nodes *out, double low, double high, double mean,
                      double std) {
    static const double nodes[HALF] = {0.1488743389816312109, 0.4333953941292471908,
                                       0.6794095682990244062, 0.8650633666889845107,
                                       0.9739065285171717201};
    static const double weights[HALF] = {0.2955242247147528702, 0.2692667193099963551,
                                         0.2190863625159820440, 0.1494513491505805932,
                                         0.0666713443086881376};
    const double sqrt_2pi = 2.5066282746310002;
    const double middle = (0.5 * (low + high) - mean) / std, half = 0.5 * (high - low) / std;
    for (int k = 0; k < 2 * HALF; k++) {
        const int i = k < HALF ? HALF - 1 - k : k - HALF;
        const double z = k < HALF ? middle - half * nodes[i] : middle + half * nodes[i];
        out->z[out->n] = z;
        out->weight[out->n++] = half * weights[i] * fi_exp(-0.5 * z * z) / sqrt_2pi;
    }
}

void fi_curve_nodes(struct fi_curve_nodes *out, const struct fanin_curve *curve, const void *attrs,
                    double mean, double std, double scale) {
    const double top = mean + REACH * std;
    double x = mean - REACH * std;
    *out = (struct fi_curve_nodes){.n = 0};
    while (x < top && out->n + 2 * HALF <= FI_CURVE_NODES) {
        const double end = FI_MIN(piece_end(curve, attrs, x, std, scale), top);
        if (!(end > x)) break; /* std is below the rounding of mean */
        add_piece(out, x, end, mean, std);
        x = end;
    }
    if (out->n > 0) return;
    out->n = 1;
    out->z[0] = 0;
    out->weight[0] = 1;
}
