/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Statistics of a few seeds: means with their intervals, tests with their p values, and how many
 * more seeds would decide.
 *
 * NaN means that a run has no such figure. Summaries leave it out and count it; the tests must not
 * be given any (a NaN gives NaN, never a small p value). An infinite value is one that is beyond
 * all others, as a threshold that is never reached: the mean is infinite (NaN with both signs), no
 * interval and no t-test exists (NaN, again), and the sign test, which only asks which of two
 * values is greater, takes it like any other.
 */
#ifndef FI_STUDY_STATISTICS_H
#define FI_STUDY_STATISTICS_H

#include "base/base.h"

/* ---- distributions ------------------------------------------------------------------------------ */

double fi_normal_cdf(double x);
double fi_normal_quantile(double p); /* -inf and inf for 0 and 1; NaN outside */
/* Student's t with df > 0 degrees of freedom, which need not be whole; df inf: the normal one. */
double fi_t_cdf(double t, double df);
double fi_t_quantile(double p, double df);
/* P(X >= k) of n independent trials that succeed with probability p each. O(n). */
double fi_binomial_tail(int64_t n, int64_t k, double p);

/* ---- summaries ---------------------------------------------------------------------------------- */

struct fi_summary {
    int64_t n;        /* values, without those that are missing */
    int64_t missing;  /* NaN */
    int64_t infinite; /* of n */
    double mean;      /* NaN: n = 0, or infinities of both signs */
    double sd;        /* with n - 1; NaN: n < 2; inf: any value is infinite */
    double low, high; /* the interval of the mean; NaN: n < 2, or any value is infinite */
};
/* Equal values give exactly this value, a standard deviation of exactly 0, and a point as interval.
 * coverage: 0.95 for the 95 % interval. */
void fi_summarize(struct fi_summary *out, const double *x, int64_t n, double coverage);

/* ---- tests --------------------------------------------------------------------------------------- */

/* What a t-test has found of a mean, or of a difference of means. */
struct fi_t_test {
    double mean;         /* NaN without values */
    double error;        /* standard error of the mean; 0: all equal; NaN: it cannot be known */
    double df;           /* degrees of freedom */
    double above, below; /* one-sided p value of "the true mean is above 0", "below 0" */
    double low, high;    /* the interval of the mean */
};
/* One sample; of differences between pairs: the paired test. Without spread (error = 0, n >= 2) the
 * p values are 0 and 1 as the mean says, both 1 where it is 0. n = 1: p and interval are NaN. */
void fi_t_test(struct fi_t_test *out, const double *x, int64_t n, double coverage);
/* Welch 1947: mean of y minus mean of x, two independent samples of unequal variance. */
void fi_welch_test(struct fi_t_test *out, const double *x, int64_t nx, const double *y, int64_t ny,
                   double coverage);

/* The exact sign test of pairs; ties say nothing and are left out (p is 1 when all are ties). */
struct fi_sign_test {
    int64_t above, below, ties; /* pairs with y > x, y < x, y = x */
    double p_above, p_below;    /* one-sided p value of "y is above x more often than not" … */
};
void fi_sign_test(struct fi_sign_test *out, const double *x, const double *y, int64_t n);

/* ---- how many more seeds -------------------------------------------------------------------------- */

#define FI_SEEDS_POWER 0.8    /* the chance of a decision that is asked for */
#define FI_SEEDS_MOST 1000    /* no more are looked at */
#define FI_SEEDS_MANY 1001    /* more than that */
#define FI_SEEDS_UNKNOWN (-1) /* nothing is known of the spread */

/* How many seeds more than the n there are would let a one-sided t-test at `level` decide, with a
 * chance of 80 %, if the true mean and standard deviation of a seed are as observed. df_per_seed:
 * degrees of freedom over n - 1, which is 1 but for Welch's test. At least 1. */
int64_t fi_t_seeds(int64_t n, double mean, double sd, double df_per_seed, double level);
/* The same for the sign test, if the true chances are as observed. */
int64_t fi_sign_seeds(const struct fi_sign_test *test, double level);

#endif
