/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Elementary functions in float; see math.h for the contract. Each one reduces its argument to a
 * short interval, evaluates a minimax polynomial there (Remez exchange; coefficients rounded in
 * turn, each next one fitted again) and puts the result together so that the last operation makes
 * most of the error.
 *
 *   exp, expm1   x = n ln 2 + r, |r| <= ln 2 / 2;  e^r - 1 = r + r² Q(r);  e^x = 2^n (1 + (e^r -
 * 1)) tanh         u / (u + 2), u = e^2x - 1: an error in u shows in both and half cancels erf 1 -
 * e^-q with q(x) = -ln(1 - erf x), which is smooth: one polynomial serves all x log, log1p   x =
 * 2^k (1 + f), 1 + f in [sqrt 1/2, sqrt 2);  ln(1 + f) = f + f² P(f) sin, cos     of 2πu: quarter
 * turns are exact, so the reduction is too
 */
#ifndef FI_MATH_FLOAT_H
#define FI_MATH_FLOAT_H

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

static inline uint32_t fi_bits_f(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}
static inline float fi_from_bits_f(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}
/* 2^n for -126 <= n <= 127. n counts modulo 2^32, so what a NaN leaves in it overflows nowhere. */
static inline float fi_pow2_f(uint32_t n) {
    return fi_from_bits_f((n + 127) << 23);
}

/* Adding 1.5 · 2^23 rounds to a whole number, which stands in the low bits of the sum. A conversion
 * would be undefined for NaN. */
#define FI_ROUND_F 12582912.0f
#define FI_LN2_HI_F 0x1.62e43p-1f
#define FI_LN2_LO_F -0x1.05c61p-29f

/* e^r - 1 with x = *n ln 2 + r. */
static inline float fi_exp_reduced_f(float x, uint32_t *n) {
    const float shifted = fmaf(x, 0x1.715476p+0f, FI_ROUND_F);
    const float turns = shifted - FI_ROUND_F;
    *n = fi_bits_f(shifted) - fi_bits_f(FI_ROUND_F);
    float r = fmaf(turns, -FI_LN2_HI_F, x);
    r = fmaf(turns, -FI_LN2_LO_F, r);
    float q = 0x1.38f32cp-13f;
    q = fmaf(q, r, 0x1.6d2d1ap-10f);
    q = fmaf(q, r, 0x1.115688p-7f);
    q = fmaf(q, r, 0x1.555502p-5f);
    q = fmaf(q, r, 0x1.55552cp-3f);
    q = fmaf(q, r, 0.5f);
    return fmaf(r * r, q, r);
}

static inline float fi_expf(float x) {
    x = x < -105 ? -105 : x; /* e^-105 rounds to 0 and e^89 to infinity; NaN stays */
    x = x > 89 ? 89 : x;
    uint32_t n;
    const float e = fi_exp_reduced_f(x, &n);
    /* 2^n in two factors, as it may be beyond the range where the result is not */
    const uint32_t half = ((n + 256) >> 1) - 128;
    return (1 + e) * fi_pow2_f(half) * fi_pow2_f(n - half);
}

/* The same bits for x <= 0, cheaper: 2^n is at most 1, so a number 2^64 times as large stands for
 * it and one rounding brings it back. */
static inline float fi_exp_downf(float x) {
    x = x < -105 ? -105 : x;
    uint32_t n;
    const float e = fi_exp_reduced_f(x, &n);
    return (1 + e) * fi_pow2_f(n + 64) * 0x1p-64f;
}

static inline float fi_expm1f(float x) {
    const float y = x < -40 ? -40 : x > 89 ? 89 : x;
    uint32_t n;
    const float e = fi_exp_reduced_f(y, &n);
    const float half = fi_pow2_f(n - 1);
    const float wide = 2 * fmaf(half, e, half - 0.5f);
    const float exact = x == 0 ? x : e; /* the sign of a zero */
    return n == 0 ? exact : wide;       /* halving would lose the last bit of a subnormal number */
}

/* a / (b + c), b >= |c| or c >= b, with one rounding error instead of two. */
static inline float fi_quotient_f(float a, float b, float c) {
    const float sum = b + c, inverse = 1 / sum;
    const float lost = (b - (sum - c)) + (c - (sum - (sum - c)));
    const float y = a * inverse;
    return fmaf(inverse, fmaf(-y, lost, fmaf(-y, sum, a)), y);
}

static inline float fi_tanhf(float x) {
    float a = fabsf(x);
    a = a > 10 ? 10 : a; /* tanh 10 rounds to 1 */
    uint32_t n;
    const float e = fi_exp_reduced_f(2 * a, &n), scale = fi_pow2_f(n);
    const float up = fmaf(scale, e, scale - 1);
    return copysignf(fi_quotient_f(up, 2, up), x);
}

/* 1 / (1 + e^-x), with full relative accuracy where it is small. */
static inline float fi_sigmoidf(float x) {
    const float z = fi_exp_downf(-fabsf(x));
    return fi_quotient_f(x < 0 ? z : 1, 1, z);
}

static inline float fi_erff(float x) {
    float a = fabsf(x);
    a = a > 4 ? 4 : a; /* erf 4 rounds to 1 */
    float p = -0x1.e3fd2cp-24f;
    p = fmaf(p, a, 0x1.72f12p-19f);
    p = fmaf(p, a, -0x1.fca8f2p-16f);
    p = fmaf(p, a, 0x1.98781cp-13f);
    p = fmaf(p, a, -0x1.9da72ep-11f);
    p = fmaf(p, a, 0x1.e4fc12p-10f);
    p = fmaf(p, a, -0x1.29d1a8p-12f);
    p = fmaf(p, a, -0x1.390e34p-6f);
    p = fmaf(p, a, 0x1.a4f1c8p-4f);
    p = fmaf(p, a, 0x1.45f30cp-1f);
    p = fmaf(p, a, 0x1.06eba8p-3f);
    uint32_t n;
    const float e = fi_exp_reduced_f(-fmaf(p, a, a), &n), scale = fi_pow2_f(n);
    return copysignf(fmaf(-scale, e, 1 - scale), x);
}

/* k and 1 + f of x = 2^k (1 + f), x a positive normal number. */
static inline float fi_log_split_f(float x, int32_t *k) {
    const uint32_t sqrt_half = 0x3f3504f3, bits = fi_bits_f(x) - sqrt_half;
    *k = (int32_t)bits >> 23;
    return fi_from_bits_f((bits & 0x7fffff) + sqrt_half);
}

/* k ln 2 + ln(1 + f) + tail, the tail a small correction. */
static inline float fi_log_sum_f(float k, float f, float tail) {
    float p = 0x1.1ca962p-4f;
    p = fmaf(p, f, -0x1.e4a774p-4f);
    p = fmaf(p, f, 0x1.e6739cp-4f);
    p = fmaf(p, f, -0x1.fadbb2p-4f);
    p = fmaf(p, f, 0x1.2327bep-3f);
    p = fmaf(p, f, -0x1.55664ep-3f);
    p = fmaf(p, f, 0x1.99a626p-3f);
    p = fmaf(p, f, -0x1.ffffep-3f);
    p = fmaf(p, f, 0x1.555544p-2f);
    p = fmaf(p, f, -0.5f);
    tail = fmaf(k, FI_LN2_LO_F, tail);
    return fmaf(k, FI_LN2_HI_F, f + fmaf(f * f, p, tail));
}

static inline float fi_logf(float x) {
    const float up = x < FLT_MIN ? 0x1p23f : 1, down = x < FLT_MIN ? -23 : 0;
    int32_t k;
    const float m = fi_log_split_f(x * up, &k);
    float y = fi_log_sum_f((float)k + down, m - 1, 0);
    y = x < INFINITY ? y : x; /* infinity and NaN */
    y = x == 0 ? -INFINITY : y;
    return x < 0 ? NAN : y;
}

static inline float fi_log1pf(float x) {
    const float u = 1 + x;
    int32_t k;
    const float m = fi_log_split_f(u, &k);
    /* what was rounded away in u, exactly; where k is 0 f = x needs no correction */
    const float lost = x < 1 ? x - (u - 1) : 1 - (u - x);
    const float f = k == 0 ? x : m - 1, tail = k == 0 ? 0 : lost / u;
    float y = fi_log_sum_f((float)k, f, tail);
    y = x < INFINITY ? y : x;
    y = x == 0 ? x : y; /* the sign of a zero */
    y = x == -1 ? -INFINITY : y;
    return x < -1 ? NAN : y;
}

/* sin 2πu and cos 2πu, |u| <= 2^20. */
static inline void fi_sincos2pif(float u, float *sine, float *cosine) {
    const float shifted = fmaf(u, 4, FI_ROUND_F);
    const uint32_t quarter = fi_bits_f(shifted);
    const float r = fmaf(u, 4, FI_ROUND_F - shifted), z = r * r;
    float s = -0x1.2bcafp-8f;
    s = fmaf(s, z, 0x1.465446p-4f);
    s = fmaf(s, z, -0x1.4abb9cp-1f);
    s = fmaf(s, z, 0x1.243f6ap-1f);
    s = fmaf(s, r, r); /* the leading coefficient, π/2, is 1 + 0.57 */
    float c = 0x1.d4f7eep-11f;
    c = fmaf(c, z, -0x1.55b2b6p-6f);
    c = fmaf(c, z, 0x1.03c1bp-2f);
    c = fmaf(c, z, -0x1.3bd3ccp+0f);
    c = fmaf(c, z, 1);
    const uint32_t odd = quarter & 1;
    const float at_sine = odd ? c : s, at_cosine = odd ? s : c;
    *sine = fi_from_bits_f(fi_bits_f(at_sine) ^ (quarter & 2) << 30);
    *cosine = fi_from_bits_f(fi_bits_f(at_cosine) ^ ((quarter + 1) & 2) << 30);
}

#endif
