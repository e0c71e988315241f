/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/signal.h"

#include <math.h>
#include <string.h>

static double second(const struct fanin_signal *x, int64_t a, int64_t b) {
    return x->mean[a] * x->mean[b] + x->cov[a * x->n + b];
}

static double scale_second(const struct fanin_param_law *scale) {
    return scale ? scale->mean * scale->mean + scale->var : 1;
}

/* ---- linear --------------------------------------------------------------------------------------- */

void fi_signal_linear(const struct fanin_signal_step *s, struct fanin_param_law *weight,
                      struct fanin_param_law *bias) {
    const struct fanin_signal *x = s->x[0], *y = s->y;
    const double fan_in = (double)s->units_in[0];
    for (int64_t a = 0; a < y->n; a++) {
        y->mean[a] = fan_in * weight->mean * x->mean[a] + (bias ? bias->mean : 0);
        for (int64_t b = 0; b < y->n; b++)
            y->cov[a * y->n + b] = fan_in * weight->var * second(x, a, b) + (bias ? bias->var : 0);
    }
}

void fi_signal_linear_back(const struct fanin_signal_step *s, struct fanin_param_law *weight,
                           struct fanin_param_law *bias) {
    const struct fanin_signal *x = s->x[0], *y = s->y;
    const double factor = (double)s->units_out * scale_second(weight);
    double sum = 0, weighed = 0;
    for (int64_t a = 0; a < y->n; a++)
        for (int64_t b = 0; b < y->n; b++) {
            const double g = y->grad[a * y->n + b];
            x->grad[a * y->n + b] += factor * g;
            sum += g;
            weighed += g * second(x, a, b);
        }
    weight->grad = weighed;
    if (bias) bias->grad = sum;
}

/* ---- noise ---------------------------------------------------------------------------------------- */

void fi_signal_noise(const struct fanin_signal_step *s, double var) {
    fi_signal_sum(s);
    for (int64_t a = 0; a < s->y->n; a++) s->y->cov[a * s->y->n + a] += var * second(s->x[0], a, a);
}

void fi_signal_noise_back(const struct fanin_signal_step *s, double var) {
    fi_signal_sum_back(s);
    for (int64_t a = 0; a < s->y->n; a++)
        s->x[0]->grad[a * s->y->n + a] += var * s->y->grad[a * s->y->n + a];
}

/* ---- factors -------------------------------------------------------------------------------------- */

void fi_signal_scale(const struct fanin_signal_step *s, const struct fanin_param_law *w) {
    const struct fanin_signal *x = s->x[0], *y = s->y;
    for (int64_t a = 0; a < y->n; a++) {
        y->mean[a] = w->mean * x->mean[a];
        for (int64_t b = 0; b < y->n; b++)
            y->cov[a * y->n + b] =
                w->mean * w->mean * x->cov[a * y->n + b] + w->var * second(x, a, b);
    }
}

void fi_signal_scale_back(const struct fanin_signal_step *s, const struct fanin_param_law *w) {
    const int64_t n = s->y->n;
    for (int64_t i = 0; i < n * n; i++) s->x[0]->grad[i] += scale_second(w) * s->y->grad[i];
}

/* ---- sums ----------------------------------------------------------------------------------------- */

void fi_signal_sum(const struct fanin_signal_step *s) {
    const int64_t n = s->y->n;
    memset(s->y->mean, 0, (size_t)n * sizeof(double));
    memset(s->y->cov, 0, (size_t)(n * n) * sizeof(double));
    for (int i = 0; i < s->n_in; i++) {
        int times = 0; /* x + x has four times the covariance of x */
        for (int k = 0; k < s->n_in; k++) times += s->x[k] == s->x[i];
        for (int64_t a = 0; a < n; a++) s->y->mean[a] += s->x[i]->mean[a];
        for (int64_t a = 0; a < n * n; a++) s->y->cov[a] += times * s->x[i]->cov[a];
    }
}

void fi_signal_sum_back(const struct fanin_signal_step *s) {
    const int64_t n = s->y->n;
    for (int i = 0; i < s->n_in; i++) {
        int times = 0;
        for (int k = 0; k < s->n_in; k++) times += s->x[k] == s->x[i];
        for (int64_t a = 0; a < n * n; a++) s->x[i]->grad[a] += times * s->y->grad[a];
    }
}

/* ---- normalization over the batch ----------------------------------------------------------------- */

/* Takes the mean of each row and column away: H m H with H = I - 11ᵀ/n. */
static void centre(double *m, int64_t n) {
    double total = 0;
    for (int64_t a = 0; a < n; a++) {
        double sum = 0;
        for (int64_t b = 0; b < n; b++) sum += m[a * n + b];
        for (int64_t b = 0; b < n; b++) m[a * n + b] -= sum / (double)n;
    }
    for (int64_t b = 0; b < n; b++) {
        total = 0;
        for (int64_t a = 0; a < n; a++) total += m[a * n + b];
        for (int64_t a = 0; a < n; a++) m[a * n + b] -= total / (double)n;
    }
}

/* centred[ab] = second moments over units of x less its batch mean; returns its variance over the
 * batch, with eps. cov alone, or with what the means' differences add. */
static double centred_input(const struct fanin_signal *x, double eps, bool means, double *centred) {
    double var = 0;
    for (int64_t a = 0; a < x->n; a++)
        for (int64_t b = 0; b < x->n; b++)
            centred[a * x->n + b] = means ? second(x, a, b) : x->cov[a * x->n + b];
    centre(centred, x->n);
    for (int64_t a = 0; a < x->n; a++) var += centred[a * x->n + a];
    return var / x->n + eps;
}

void fi_signal_batch_norm(const struct fanin_signal_step *s, double eps,
                          const struct fanin_param_law *scale,
                          const struct fanin_param_law *shift) {
    const struct fanin_signal *x = s->x[0], *y = s->y;
    const int64_t n = y->n;
    const double gain = scale ? scale->mean : 1;
    double middle = 0;
    const double var = centred_input(x, eps, true, s->scratch);
    (void)centred_input(x, eps, false, y->cov);
    for (int64_t a = 0; a < n; a++) middle += x->mean[a] / (double)n;
    for (int64_t a = 0; a < n; a++)
        y->mean[a] = gain * (x->mean[a] - middle) / sqrt(var) + (shift ? shift->mean : 0);
    for (int64_t a = 0; a < n * n; a++)
        y->cov[a] = (gain * gain * y->cov[a] + (scale ? scale->var * s->scratch[a] : 0)) / var +
                    (shift ? shift->var : 0);
}

/* c = a b, n × n. */
static void multiply(double *c, const double *a, const double *b, int64_t n) {
    memset(c, 0, (size_t)(n * n) * sizeof(double));
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < n; k++) {
            const double factor = a[i * n + k];
            for (int64_t j = 0; j < n; j++) c[i * n + j] += factor * b[k * n + j];
        }
}

/* det(I + t m)^(-1/2) of a positive semidefinite matrix, by Cholesky's decomposition in `work`. */
static double inverse_root_of_det(const double *m, double t, double *work, int64_t n) {
    double product = 1;
    for (int64_t a = 0; a < n; a++)
        for (int64_t b = 0; b <= a; b++) {
            double sum = t * m[a * n + b] + (a == b ? 1 : 0);
            for (int64_t k = 0; k < b; k++) sum -= work[a * n + k] * work[b * n + k];
            work[a * n + b] = a == b ? sqrt(sum > 1 ? sum : 1) : sum / work[b * n + b];
            if (a == b) product /= work[a * n + b];
        }
    return product;
}

/* E[1/σ̂²] σ² of a unit's variance σ̂² over the batch, which is a sum of squares of a normal vector
 * with the second moments R σ²: as E[e^(-s σ̂²/σ²)] = det(I + 2 s R/n)^(-1/2), it is the integral of
 * that over s > 0. It is 1 + O(1/n), but each layer's. For independent samples (n - 1) / (n - 3),
 * which with the projection below makes the factor (n - 2) / (n - 3) of a linear layer (Yang et
 * al., ICLR 2019). Trapezoids in ln s; what lies before the first is taken for e^-s. Where few
 * samples or directions are left, a few units have most of the mean, which is bounded then. */
static double mean_inverse(const double *r, double *work, int64_t n) {
    const double h = 0.75, ratio = 2.117000016612675, begin = 0.015, most = 2;
    double sum = begin / (ratio - 1), term = begin;
    for (double s = begin; s < 1000 && term > 1e-6 * sum; s *= ratio) {
        term = s * inverse_root_of_det(r, 2 * s / (double)n, work, n);
        sum += term;
    }
    return FI_MIN(h * sum, most);
}

/* dx = (dy - mean dy - h (h·dy)/n) γ/σ for each unit, h the normalized input. Over units, with dy
 * independent of a normal h, R = E[h hᵀ] and G = H grad H:
 *   E[dx dxᵀ] = (G - (G R + R G)/n + (R tr(G R) + 2 R G R)/n²) γ² E[1/σ̂²] */
void fi_signal_batch_norm_back(const struct fanin_signal_step *s, double eps,
                               const struct fanin_param_law *scale) {
    const struct fanin_signal *x = s->x[0];
    const int64_t n = x->n;
    double *r = s->scratch, *g = r + n * n, *rg = g + n * n, *rgr = rg + n * n;
    const double var = centred_input(x, eps, true, r), share = 1 / (double)n;
    double trace = 0;
    for (int64_t a = 0; a < n * n; a++) r[a] /= var;
    const double factor = scale_second(scale) / var * mean_inverse(r, g, n);
    memcpy(g, s->y->grad, (size_t)(n * n) * sizeof(double));
    centre(g, n);
    multiply(rg, r, g, n);
    multiply(rgr, rg, r, n);
    for (int64_t a = 0; a < n; a++) trace += rg[a * n + a];
    for (int64_t a = 0; a < n; a++)
        for (int64_t b = 0; b < n; b++) {
            const int64_t i = a * n + b;
            const double crossed = rg[i] + rg[b * n + a];
            const double along = r[i] * trace + 2 * rgr[i];
            x->grad[i] += factor * (g[i] + share * (share * along - crossed));
        }
}

/* ---- normalization over units --------------------------------------------------------------------- */

static double unit_std(const struct fanin_signal *x, int64_t a, double eps, bool centred) {
    return sqrt((centred ? x->cov[a * x->n + a] : second(x, a, a)) + eps);
}

void fi_signal_layer_norm(const struct fanin_signal_step *s, double eps, bool centred,
                          const struct fanin_param_law *scale,
                          const struct fanin_param_law *shift) {
    const struct fanin_signal *x = s->x[0], *y = s->y;
    const double gain = scale ? scale->mean : 1;
    for (int64_t a = 0; a < y->n; a++) {
        const double std = unit_std(x, a, eps, centred);
        y->mean[a] = (centred ? 0 : gain * x->mean[a] / std) + (shift ? shift->mean : 0);
        for (int64_t b = 0; b < y->n; b++) {
            const double both = std * unit_std(x, b, eps, centred);
            const double spread = scale ? scale->var * second(x, a, b) : 0;
            y->cov[a * y->n + b] =
                (gain * gain * x->cov[a * y->n + b] + spread) / both + (shift ? shift->var : 0);
        }
    }
}

void fi_signal_layer_norm_back(const struct fanin_signal_step *s, double eps, bool centred,
                               const struct fanin_param_law *scale) {
    const struct fanin_signal *x = s->x[0];
    const double factor = scale_second(scale);
    for (int64_t a = 0; a < x->n; a++)
        for (int64_t b = 0; b < x->n; b++)
            x->grad[a * x->n + b] += factor * s->y->grad[a * x->n + b] /
                                     (unit_std(x, a, eps, centred) * unit_std(x, b, eps, centred));
}
