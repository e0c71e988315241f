/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the initializers share; see init.h.
 *
 * The families follow from one condition, Var[y] = Var[x] for y = W x with independent weights of
 * mean 0: fan_in · Var[w] = 1 keeps the forward signal, fan_out · Var[w] = 1 the gradient, their
 * mean is the compromise (Glorot & Bengio 2010, eq. 10-12); ReLU halves the second moment, which
 * gain² = 2 makes up for (He et al. 2015, eq. 10 and 14; with slope a on the negative side 2 / (1 +
 * a²), eq. 15).
 */
#include "init/init.h"

#include "kernel/math.h"

void fi_draw_normal(const struct fi_init_request *r, double mean, double std, int64_t first,
                    int64_t n, fi_real *w) {
    const fi_real shift = (fi_real)mean, scale = (fi_real)std;
    fi_random_normal(r->key, 0, first, n, w);
    for (int64_t i = 0; i < n; i++) w[i] = fi_fma(w[i], scale, shift);
}

void fi_draw_uniform(const struct fi_init_request *r, double min, double max, int64_t first,
                     int64_t n, fi_real *w) {
    const fi_real shift = (fi_real)min, scale = (fi_real)(max - min);
    fi_random_uniform(r->key, 0, first, n, w);
    for (int64_t i = 0; i < n; i++) w[i] = fi_fma(w[i], scale, shift);
}

/* Wichura, "Algorithm AS 241: The percentage points of the normal distribution", Appl. Stat. 37
 * (1988), PPND16: x with Φ(x) = 1/2 + q, to 1e-16. Tails below e^-25 are never asked for: numbers
 * come in steps of 2^-31. */
static double normal_quantile(double q) {
    static const double a[8] = {3.3871328727963666080e0, 1.3314166789178437745e2,
                                1.9715909503065514427e3, 1.3731693765509461125e4,
                                4.5921953931549871457e4, 6.7265770927008700853e4,
                                3.3430575583588128105e4, 2.5090809287301226727e3};
    static const double b[8] = {1,
                                4.2313330701600911252e1,
                                6.8718700749205790830e2,
                                5.3941960214247511077e3,
                                2.1213794301586595867e4,
                                3.9307895800092710610e4,
                                2.8729085735721942674e4,
                                5.2264952788528545610e3};
    static const double c[8] = {1.42343711074968357734e0,  4.63033784615654529590e0,
                                5.76949722146069140550e0,  3.64784832476320460504e0,
                                1.27045825245236838258e0,  2.41780725177450611770e-1,
                                2.27238449892691845833e-2, 7.74545014278341407640e-4};
    static const double d[8] = {1,
                                2.05319162663775882187e0,
                                1.67638483018380384940e0,
                                6.89767334985100004550e-1,
                                1.48103976427480074590e-1,
                                1.51986665636164571966e-2,
                                5.47593808499534494600e-4,
                                1.05075007164441684324e-9};
    const bool middle = fabs(q) <= 0.425;
    const double *above = middle ? a : c, *below = middle ? b : d;
    const double r = middle ? 0.180625 - q * q : sqrt(-fi_log(0.5 - fabs(q))) - 1.6;
    double top = above[7], bottom = below[7];
    for (int i = 6; i >= 0; i--) {
        top = fma(top, r, above[i]);
        bottom = fma(bottom, r, below[i]);
    }
    return middle ? q * top / bottom : copysign(top / bottom, q);
}

double fi_truncated_std(double cut, double *kurtosis) {
    const double sqrt_2pi = 2.5066282746310002, mass = fi_erf(cut * sqrt(0.5));
    const double edge = 2 * fi_exp(-0.5 * cut * cut) / sqrt_2pi / mass;
    const double variance = 1 - cut * edge;
    *kurtosis = (3 - (cut * cut + 3) * cut * edge) / (variance * variance);
    return sqrt(variance);
}

void fi_draw_truncated(const struct fi_init_request *r, double mean, double std, double cut,
                       int64_t first, int64_t n, fi_real *w) {
    double unused;
    const double scale = std / fi_truncated_std(cut, &unused);
    const double reach = 0.5 * fi_erf(cut * sqrt(0.5));
    uint32_t words[256];
    while (n > 0) {
        const int64_t count = FI_MIN(FI_COUNT(words), n);
        fi_random_words(r->key, 0, first, count, words);
        for (int64_t i = 0; i < count; i++) {
            const double u = fma((double)words[i], 0x1p-31, 0x1p-32 - 1); /* in (-1, 1) */
            const double z = normal_quantile(reach * u);
            w[i] = (fi_real)fma(FI_MAX(-cut, FI_MIN(cut, z)), scale, mean);
        }
        first += count, w += count, n -= count;
    }
}

void fi_matrix_of(const struct fi_init_request *r, int64_t *out, int64_t *in) {
    *out = r->rank > 0 ? r->dims[0] : 1;
    *in = 1;
    for (int i = 1; i < r->rank; i++) *in *= r->dims[i];
}

void fi_draw_symmetric(const struct fi_init_request *r, double std, int64_t first, int64_t n,
                       fi_real *w) {
    const double limit = sqrt(3.0) * std;
    fi_draw_uniform(r, -limit, limit, first, n, w);
}

void fi_draw_moments(double law_mean, double law_std, double law_kurtosis, double *mean,
                     double *std, double *kurtosis) {
    *mean = law_mean;
    *std = law_std;
    *kurtosis = law_std > 0 ? law_kurtosis : (double)NAN;
}

/* ---- families ---------------------------------------------------------------- */

double fi_fan(const struct fi_init_request *r, int mode) {
    const double in = (double)FI_MAX(1, r->fan_in), out = (double)FI_MAX(1, r->fan_out);
    return mode == 0 ? in : mode == 1 ? out : mode == 2 ? 0.5 * (in + out) : sqrt(in * out);
}

#define MODE_HELP "which fan: inputs keep the forward signal, outputs the gradient"
#define GAIN FI_GAIN(struct fi_scaling)

const struct fanin_attr_spec fi_lecun_attrs[] = {
    FI_ATTR_CHOICE(struct fi_scaling, mode, 0, FI_FAN_WORDS, MODE_HELP), GAIN, FI_ATTR_END};

double fi_lecun_std(const struct fi_init_request *r) {
    const struct fi_scaling *a = r->attrs;
    return a->gain.value / sqrt(fi_fan(r, a->mode));
}

const struct fanin_attr_spec fi_xavier_attrs[] = {GAIN, FI_ATTR_END};

double fi_xavier_std(const struct fi_init_request *r) {
    const struct fi_scaling *a = r->attrs;
    return a->gain.value / sqrt(fi_fan(r, 2));
}

double fi_scaling_gain(const void *attrs) {
    const struct fi_scaling *a = attrs;
    return a->gain.value;
}

const struct fanin_attr_spec fi_kaiming_attrs[] = {
    FI_ATTR_CHOICE(struct fi_scaling, mode, 0, "fan_in|fan_out", MODE_HELP),
    FI_ATTR_REAL(struct fi_scaling, slope, 0, -1e3, 1e3,
                 "slope of the activation for negative numbers: 0 for relu", 0),
    FI_ATTR_GAIN(struct fi_scaling, gain, (double)NAN, 0, 1e6, FI_GAIN_HELP "; null: by the slope",
                 FANIN_ATTR_ABOVE_MIN | FANIN_ATTR_NULLABLE),
    FI_ATTR_BOOL(
        struct fi_scaling, dropout_aware, 0,
        "times keep, in the variance, of the dropout that follows (Pretorius et al., 2018)"),
    FI_ATTR_END};

double fi_kaiming_gain(const void *attrs) {
    const struct fi_scaling *a = attrs;
    return isnan(a->gain.value) ? sqrt(2 / (1 + a->slope * a->slope)) : a->gain.value;
}

double fi_kaiming_std(const struct fi_init_request *r) {
    const struct fi_scaling *a = r->attrs;
    const double keep = a->dropout_aware ? r->keep : 1;
    return fi_kaiming_gain(a) * sqrt(keep / fi_fan(r, a->mode));
}
