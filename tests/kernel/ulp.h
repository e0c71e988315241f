/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Distances in units of the last place, and the check of a function against long double.
 */
#ifndef TESTS_ULP_H
#define TESTS_ULP_H

#include <math.h>

#include "kernel/math.h"
#include "support/support.h"

/* |got - want| in ulps of a number of `bits` bits whose least exponent is `least`; huge where a
 * NaN, an infinity or the sign of a zero is wrong. */
static inline double ulps(double got, long double want, int bits, int least) {
    const double wrong = 1e30;
    if (isnan(want)) return isnan(got) ? 0 : wrong;
    if (isnan(got)) return wrong;
    const double rounded = bits == 24 ? (double)(float)want : (double)want;
    if (isinf(rounded)) return got == rounded ? 0 : wrong;
    if (want == 0) return got == 0 && !signbit(got) == !signbit(want) ? 0 : wrong;
    int exponent;
    (void)frexpl(want, &exponent);
    const long double ulp = ldexpl(1, (exponent < least ? least : exponent) - bits);
    return (double)(fabsl((long double)got - want) / ulp);
}
static inline double ulps_f(float got, long double want) {
    return ulps((double)got, want, FLT_MANT_DIG, FLT_MIN_EXP);
}
static inline double ulps_d(double got, long double want) {
    return ulps(got, want, DBL_MANT_DIG, DBL_MIN_EXP);
}

/* Number i of a fixed stream of 64-bit words. */
static inline uint64_t test_bits(uint64_t stream, uint64_t i) {
    uint32_t words[4];
    fi_philox(stream, 1, i, words);
    return (uint64_t)words[1] << 32 | words[0];
}
static inline double test_between(uint64_t stream, uint64_t i, double low, double high) {
    return low + (high - low) * ((double)(test_bits(stream, i) >> 11) * 0x1p-53);
}

/* The logistic function without cancellation. */
static inline long double sigmoidl(long double x) {
    return x < 0 ? expl(x) / (1 + expl(x)) : 1 / (1 + expl(-x));
}

/* sin and cos of 2πu, exactly reduced. */
static inline void sincos2pil(long double u, long double *sine, long double *cosine) {
    const long double quarter = rintl(4 * u), angle = (4 * u - quarter) * M_PIl / 2;
    const long double s = sinl(angle), c = cosl(angle);
    const long long q = (long long)quarter & 3;
    *sine = q == 0 ? s : q == 1 ? c : q == 2 ? -s : -c;
    *cosine = q == 0 ? c : q == 1 ? -s : q == 2 ? -c : s;
}

struct worst {
    const char *name;
    double ulps, x;
};
static inline void note(struct worst *w, double x, double distance) {
    if (!(distance <= w->ulps)) w->ulps = distance, w->x = x;
}
static inline void assert_within(const struct worst *w, double limit) {
    print_message("%-12s %.3f ulp at %a\n", w->name, w->ulps, w->x);
    if (!(w->ulps <= limit)) fail_msg("%s: %g ulp at %a", w->name, w->ulps, w->x);
}

#endif
