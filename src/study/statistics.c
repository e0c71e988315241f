/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Statistics of a few seeds (statistics.h).
 *
 * Student's t: with a = ν/2 and x = ν / (ν + t²), 2 P(T > t) = I_x(a, 1/2), the regularized
 * incomplete beta function; where x is near 1, its complement I_(1-x)(1/2, a) = 2 P(0 < T < t).
 * Both by the continued fraction (9) of Didonato & Morris, "Algorithm 708", ACM Trans. Math. Softw.
 * 18 (1992), evaluated forwards (Lentz 1976). Everything is kept as a logarithm, so that far tails
 * keep their relative accuracy. Quantiles by Newton's method on log P against log t, which is
 * concave and almost straight in both directions.
 *
 * Welch's degrees of freedom: Welch, "The generalization of Student's problem", Biometrika 34
 * (1947). Power of a t-test: the noncentral t by Abramowitz & Stegun 26.7.10.
 */
#include "study/statistics.h"

#include <math.h>

#define LOG_PI 1.1447298858494001741

/* ---- distributions ------------------------------------------------------------------------------- */

/* log of Γ(a + 1/2) / Γ(a): the asymptotic series in 1/a, lifted to a >= 32 by Γ(a + 1) = a Γ(a).
 */
static double log_gamma_ratio(double a) {
    double lift = 1;
    while (a < 32) {
        lift *= a / (a + 0.5);
        a++;
    }
    const double u = 1 / a;
    const double series = u * (-1.0 / 8 + u * u * (1.0 / 192 + u * u * -1.0 / 640));
    return 0.5 * log(a) + series + log(lift);
}

/* I_x(a, b) B(a, b) / (x^a y^b), y = 1 - x, for x up to about the mean a / (a + b). y is given: of
 * many degrees of freedom 1 - x would keep few digits. */
static double beta_fraction(double a, double b, double x, double y) {
    const double base = a * y - b * x + 1;
    double f = a / (a + 1) * base, c = f, d = 0;
    for (int i = 1; i < 1000000; i++) {
        const double m = i;
        const double two = a + 2 * m, share = m * (b - m) * x / (two - 1);
        const double top = (a + m - 1) * (a + b + m - 1) * x / (two - 1) * share;
        const double bottom = m + share + (a + m) * (base + m * (1 + y)) / (two + 1);
        d = 1 / (bottom + top * d);
        c = bottom + top / c;
        f *= c * d;
        if (fabs(c * d - 1) <= 2e-16) break;
    }
    return 1 / f;
}

/* Beyond these degrees of freedom nobody can tell t from the normal distribution. */
static bool is_normal(double df) {
    return df > 1e10;
}

/* log(1 + t²/df), also where the square overflows. */
static double log_one_plus(double t, double df) {
    const double ratio = t / df * t;
    return isinf(ratio) ? 2 * log(t) - log(df) : log1p(ratio);
}

/* log of the density at t > 0. */
static double log_density(double t, double df) {
    if (is_normal(df)) return -0.5 * t * t - 0.5 * (M_LN2 + LOG_PI);
    return log_gamma_ratio(df / 2) - 0.5 * (LOG_PI + log(df)) - (df + 1) / 2 * log_one_plus(t, df);
}

/* log P(T > t) and log P(0 < T < t) of t > 0. */
static void log_parts(double t, double df, double *tail, double *centre) {
    if (is_normal(df)) {
        *tail = log(0.5 * erfc(t * M_SQRT1_2));
        *centre = log(0.5 * erf(t * M_SQRT1_2));
        return;
    }
    const double a = df / 2, ratio = t / df * t;
    const double x = 1 / (1 + ratio), y = isinf(ratio) ? 1 : ratio / (1 + ratio);
    /* x^a √y / B(a, 1/2) */
    const double factor =
        -a * log_one_plus(t, df) + 0.5 * log(y) + log_gamma_ratio(a) - 0.5 * LOG_PI;
    if (x < (a + 1) / (a + 2.5)) {
        *tail = -M_LN2 + factor + log(beta_fraction(a, 0.5, x, y));
        *centre = log(0.5 - exp(*tail));
    } else {
        *centre = -M_LN2 + factor + log(beta_fraction(0.5, a, y, x));
        *tail = log(0.5 - exp(*centre));
    }
}

double fi_normal_cdf(double x) {
    return 0.5 * erfc(-x * M_SQRT1_2);
}

double fi_t_cdf(double t, double df) {
    if (isnan(t) || !(df > 0)) return NAN;
    if (is_normal(df)) return fi_normal_cdf(t);
    if (t == 0) return 0.5;
    if (isinf(t)) return t > 0;
    double tail, centre;
    log_parts(fabs(t), df, &tail, &centre);
    return t < 0 ? exp(tail) : 0.5 + exp(centre);
}

/* The t > 0 with P(T > t) = q, 0 < q < 1/2. The smaller of the two parts is solved for: what is
 * near 1/2 says little about t. */
static double upper_quantile(double q, double df) {
    const bool in_tail = q < 0.25;
    const double target = log(in_tail ? q : 0.5 - q);
    double u = 0, last = INFINITY; /* log t */
    for (int i = 0; i < 200; i++) {
        double tail, centre;
        log_parts(exp(u), df, &tail, &centre);
        const double have = in_tail ? tail : centre;
        if (!isfinite(have)) { /* so far out that there is nothing left: back */
            u -= 0.5;
            continue;
        }
        const double slope = exp(log_density(exp(u), df) + u - have) * (in_tail ? -1 : 1);
        double change = (target - have) / slope;
        change = FI_MAX(-32, FI_MIN(change, 32));
        u += change;
        /* what does not shrink any more is rounding */
        if (fabs(change) < 1e-9 && fabs(change) > last / 2) break;
        last = fabs(change);
        if (last <= 1e-16) break;
    }
    return exp(u);
}

double fi_t_quantile(double p, double df) {
    if (!(p >= 0 && p <= 1) || !(df > 0)) return NAN;
    if (p == 0 || p == 1) return p == 0 ? -INFINITY : INFINITY;
    if (p == 0.5) return 0;
    return p < 0.5 ? -upper_quantile(p, df) : upper_quantile(1 - p, df);
}

double fi_normal_quantile(double p) {
    return fi_t_quantile(p, INFINITY);
}

double fi_binomial_tail(int64_t n, int64_t k, double p) {
    if (n < 0 || !(p >= 0 && p <= 1)) return NAN;
    if (k <= 0) return 1;
    if (k > n) return 0;
    if (p == 0 || p == 1) return p;
    /* each term over that of the most likely number: none overflows, and no factorial is needed */
    const int64_t mode = FI_MIN(n, (int64_t)((double)(n + 1) * p));
    double all = 0, tail = 0, term = 1;
    for (int64_t i = mode; i <= n && term > 0; i++) {
        all += term;
        if (i >= k) tail += term;
        term *= (double)(n - i) / (double)(i + 1) * (p / (1 - p));
    }
    term = 1;
    for (int64_t i = mode; i > 0 && term > 0; i--) {
        term *= (double)i / (double)(n - i + 1) * ((1 - p) / p);
        all += term;
        if (i - 1 >= k) tail += term;
    }
    return tail / all;
}

/* ---- summaries ------------------------------------------------------------------------------------ */

static void interval(double *low, double *high, double mean, double error, double df,
                     double coverage) {
    *low = *high = error == 0 ? mean : NAN;
    if (!(error > 0) || isinf(error)) return;
    const double reach = fi_t_quantile(0.5 + coverage / 2, df) * error;
    *low = mean - reach;
    *high = mean + reach;
}

/* Mean and standard deviation of the finite values. They are scaled by a power of two, so that no
 * square overflows or vanishes, and taken from the first, so that equal ones are told to be equal.
 */
static void moments(const double *x, int64_t n, double largest, double *mean, double *sd) {
    int exponent;
    (void)frexp(largest, &exponent);
    double first = 0, sum = 0, squares = 0, seen = 0;
    for (int64_t i = 0; i < n; i++) {
        if (isnan(x[i])) continue;
        const double scaled = ldexp(x[i], -exponent);
        if (seen++ == 0) first = scaled;
        sum += scaled - first;
    }
    const double shift = sum / seen;
    for (int64_t i = 0; i < n; i++) {
        if (isnan(x[i])) continue;
        const double off = ldexp(x[i], -exponent) - first - shift;
        squares += off * off;
    }
    *mean = ldexp(first + shift, exponent);
    *sd = seen < 2 ? NAN : ldexp(sqrt(squares / (seen - 1)), exponent);
}

void fi_summarize(struct fi_summary *out, const double *x, int64_t n, double coverage) {
    *out = (struct fi_summary){.mean = NAN, .sd = NAN, .low = NAN, .high = NAN};
    double infinite = 0, largest = 0;
    for (int64_t i = 0; i < n; i++) {
        out->missing += isnan(x[i]);
        out->infinite += isinf(x[i]) != 0;
        if (isinf(x[i])) infinite += x[i];
        if (isfinite(x[i])) largest = FI_MAX(largest, fabs(x[i]));
    }
    out->n = n - out->missing;
    if (out->n == 0) return;
    if (out->infinite > 0) {
        out->mean = infinite; /* inf - inf is NaN, which is right */
        out->sd = out->n < 2 ? NAN : INFINITY;
        return;
    }
    moments(x, n, largest, &out->mean, &out->sd);
    interval(&out->low, &out->high, out->mean, out->sd / sqrt((double)out->n), (double)(out->n - 1),
             coverage);
}

/* ---- tests ---------------------------------------------------------------------------------------- */

static void test_of(struct fi_t_test *out, double mean, double error, double df, double coverage) {
    *out = (struct fi_t_test){.mean = mean, .error = error, .df = df, .above = NAN, .below = NAN};
    interval(&out->low, &out->high, mean, error, df, coverage);
    if (error == 0) {
        out->above = mean > 0 ? 0 : 1;
        out->below = mean < 0 ? 0 : 1;
    } else if (isfinite(error)) {
        out->above = fi_t_cdf(-mean / error, df);
        out->below = fi_t_cdf(mean / error, df);
    }
}

void fi_t_test(struct fi_t_test *out, const double *x, int64_t n, double coverage) {
    struct fi_summary s;
    fi_summarize(&s, x, n, coverage);
    const bool known = s.missing == 0 && s.infinite == 0;
    test_of(out, s.missing == 0 ? s.mean : NAN, known ? s.sd / sqrt((double)n) : NAN, (double)n - 1,
            coverage);
}

void fi_welch_test(struct fi_t_test *out, const double *x, int64_t nx, const double *y, int64_t ny,
                   double coverage) {
    struct fi_summary sx, sy;
    fi_summarize(&sx, x, nx, coverage);
    fi_summarize(&sy, y, ny, coverage);
    const bool present = sx.missing + sy.missing == 0, known = sx.infinite + sy.infinite == 0;
    const double mean = present ? sy.mean - sx.mean : NAN;
    const double ex = sx.sd / sqrt((double)nx), ey = sy.sd / sqrt((double)ny);
    const double error = present && known ? hypot(ex, ey) : NAN;
    /* shares of the variance, which do not overflow */
    const double wx = ex / error, wy = ey / error;
    const double df =
        1 / (wx * wx * wx * wx / (double)(nx - 1) + wy * wy * wy * wy / (double)(ny - 1));
    test_of(out, mean, error, error == 0 ? (double)(nx + ny - 2) : df, coverage);
}

void fi_sign_test(struct fi_sign_test *out, const double *x, const double *y, int64_t n) {
    *out = (struct fi_sign_test){.p_above = NAN, .p_below = NAN};
    for (int64_t i = 0; i < n; i++) {
        if (isnan(x[i]) || isnan(y[i])) return;
        out->above += y[i] > x[i];
        out->below += y[i] < x[i];
        out->ties += y[i] == x[i];
    }
    const int64_t untied = out->above + out->below;
    out->p_above = fi_binomial_tail(untied, out->above, 0.5);
    out->p_below = fi_binomial_tail(untied, out->below, 0.5);
}

/* ---- how many more seeds --------------------------------------------------------------------------- */

/* The chance that n seeds are significant when the mean of one is `effect` standard deviations. */
static double t_power(double n, double effect, double df, double level) {
    const double t = fi_t_quantile(1 - level, df);
    return fi_normal_cdf((effect * sqrt(n) - t * (1 - 1 / (4 * df))) / sqrt(1 + t * t / (2 * df)));
}

int64_t fi_t_seeds(int64_t n, double mean, double sd, double df_per_seed, double level) {
    if (n < 2 || !isfinite(mean) || !(sd > 0) || isinf(sd) || !(df_per_seed > 0))
        return FI_SEEDS_UNKNOWN;
    const double effect = fabs(mean) / sd;
    for (int64_t more = 1; more <= FI_SEEDS_MOST; more++) {
        const double all = (double)(n + more);
        if (t_power(all, effect, (all - 1) * df_per_seed, level) >= FI_SEEDS_POWER) return more;
    }
    return FI_SEEDS_MANY;
}

/* The chance that of n untied pairs so many point one way that it is significant, when each does
 * with probability p. */
static double sign_power(int64_t n, double p, double level) {
    const double middle = 0.5 * (double)n, deviation = 0.5 * sqrt((double)n);
    int64_t need = (int64_t)(middle + deviation * fi_normal_quantile(1 - level));
    while (need > 0 && fi_binomial_tail(n, need, 0.5) <= level) need--;
    while (need <= n && fi_binomial_tail(n, need, 0.5) > level) need++;
    return fi_binomial_tail(n, need, p);
}

int64_t fi_sign_seeds(const struct fi_sign_test *test, double level) {
    const int64_t untied = test->above + test->below, n = untied + test->ties;
    if (n < 2 || isnan(test->p_above)) return FI_SEEDS_UNKNOWN;
    if (untied == 0 || test->above == test->below) return FI_SEEDS_MANY;
    const double p = (double)FI_MAX(test->above, test->below) / (double)untied;
    const double share = (double)untied / (double)n;
    for (int64_t more = 1; more <= FI_SEEDS_MOST; more++) {
        const int64_t pairs = (int64_t)floor((double)(n + more) * share + 1e-9);
        if (pairs > untied && sign_power(pairs, p, level) >= FI_SEEDS_POWER) return more;
    }
    return FI_SEEDS_MANY;
}
