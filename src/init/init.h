/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the initializers share: drawing a range of a tensor, and the families that scale by the
 * fans.
 *
 * Every rule here fills number i of a tensor from (key, i) alone, so any range can be drawn by
 * itself, on any thread, and a tensor's numbers do not depend on the tensors before it.
 */
#ifndef FI_INIT_H
#define FI_INIT_H

#include "graph/graph.h"
#include "kernel/kernel.h"

/* Kurtosis of the two laws. */
#define FI_KURTOSIS_NORMAL 3.0
#define FI_KURTOSIS_UNIFORM 1.8

/* The tensor as a matrix: out = the first dimension, in = the product of the others. */
#define fi_matrix_of FI_T(fi_matrix_of)
void fi_matrix_of(const struct fi_init_request *r, int64_t *out, int64_t *in);

/* w[0..n) = numbers first .. first+n-1 of N(mean, std²). */
#define fi_draw_normal FI_T(fi_draw_normal)
void fi_draw_normal(const struct fi_init_request *r, double mean, double std, int64_t first,
                    int64_t n, fi_real *w);
/* The same of U(min, max). */
#define fi_draw_uniform FI_T(fi_draw_uniform)
void fi_draw_uniform(const struct fi_init_request *r, double min, double max, int64_t first,
                     int64_t n, fi_real *w);
/* U(-limit, limit) with the given standard deviation: limit = sqrt(3) · std. */
#define fi_draw_symmetric FI_T(fi_draw_symmetric)
void fi_draw_symmetric(const struct fi_init_request *r, double std, int64_t first, int64_t n,
                       fi_real *w);
/* N(mean, s²) cut at mean ± cut · s, where s is such that the standard deviation is `std`. */
#define fi_draw_truncated FI_T(fi_draw_truncated)
void fi_draw_truncated(const struct fi_init_request *r, double mean, double std, double cut,
                       int64_t first, int64_t n, fi_real *w);
/* Standard deviation of N(0, 1) cut at ± cut (.8796… at 2), and the kurtosis. */
#define fi_truncated_std FI_T(fi_truncated_std)
double fi_truncated_std(double cut, double *kurtosis);
/* Reports a law. Without spread there is no kurtosis: NaN. */
#define fi_draw_moments FI_T(fi_draw_moments)
void fi_draw_moments(double law_mean, double law_std, double law_kurtosis, double *mean,
                     double *std, double *kurtosis);

/* ---- families: std = gain / sqrt(fan) --------------------------------------------------------- */

struct fi_scaling {
    int mode; /* of FI_FAN_WORDS; not in xavier */
    struct fanin_gain gain;
    double slope;      /* kaiming only */
    int dropout_aware; /* kaiming only */
};
#define FI_FAN_WORDS "fan_in|fan_out|fan_avg"
/* The fan of a mode; 3 is the geometric mean. */
#define fi_fan FI_T(fi_fan)
double fi_fan(const struct fi_init_request *r, int mode);

#define FI_GAIN_HELP "factor on the standard deviation, for the activation that follows"
/* The attribute `gain` of a struct, 1 unless given. */
#define FI_GAIN(type) FI_ATTR_GAIN(type, gain, 1, 0, 1e6, FI_GAIN_HELP, FANIN_ATTR_ABOVE_MIN)

/* lecun: variance gain² / fan. */
#define fi_lecun_attrs FI_T(fi_lecun_attrs)
extern const struct fanin_attr_spec fi_lecun_attrs[];
#define fi_lecun_std FI_T(fi_lecun_std)
double fi_lecun_std(const struct fi_init_request *r);

/* xavier: variance gain² · 2 / (fan_in + fan_out). */
#define fi_xavier_attrs FI_T(fi_xavier_attrs)
extern const struct fanin_attr_spec fi_xavier_attrs[];
#define fi_xavier_std FI_T(fi_xavier_std)
double fi_xavier_std(const struct fi_init_request *r);

/* The gain of both, as given. */
#define fi_scaling_gain FI_T(fi_scaling_gain)
double fi_scaling_gain(const void *attrs);

/* kaiming: variance gain² / fan, gain² = 2 / (1 + slope²) unless given; times keep if aware of
 * dropout. */
#define fi_kaiming_attrs FI_T(fi_kaiming_attrs)
extern const struct fanin_attr_spec fi_kaiming_attrs[];
#define fi_kaiming_std FI_T(fi_kaiming_std)
double fi_kaiming_std(const struct fi_init_request *r);
#define fi_kaiming_gain FI_T(fi_kaiming_gain)
double fi_kaiming_gain(const void *attrs);

#endif
