/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Elementary functions in double; see math.h for the contract and math_float.h for the reductions,
 * which are the same unless said here:
 *
 *   log       ln(1 + f) = 2 artanh s = f - s (f - s² R(s²)), s = f / (2 + f)
 *   erf       x + x P(x²) below 1, else 1 - e^-x² G(1 / (1 + x/2)), as ln(1 - erf x) has poles too
 * near sin, cos  π/2 in three parts of 53 bits; the reduced argument is a sum of two numbers pow y
 * ln x with ln x as a sum of two numbers, good to 2^-65
 */
#ifndef FI_MATH_DOUBLE_H
#define FI_MATH_DOUBLE_H

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t fi_bits_d(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}
static inline double fi_from_bits_d(uint64_t bits) {
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}
static inline double fi_pow2_d(uint64_t n) {
    return fi_from_bits_d((n + 1023) << 52);
}

#define FI_ROUND_D 6755399441055744.0 /* 1.5 · 2^52 */
#define FI_LN2_HI_D 0x1.62e42fefa39efp-1
#define FI_LN2_LO_D 0x1.abc9e3b39803fp-56

/* e^r - 1 with x + tail = *n ln 2 + r. No tail is -0, the one zero whose
 * addition compilers may leave out. */
static inline double fi_exp_reduced_d(double x, double tail, uint64_t *n) {
    const double shifted = fma(x, 0x1.71547652b82fep+0, FI_ROUND_D);
    const double turns = shifted - FI_ROUND_D;
    *n = fi_bits_d(shifted) - fi_bits_d(FI_ROUND_D);
    double r = fma(turns, -FI_LN2_HI_D, x);
    r = fma(turns, -FI_LN2_LO_D, r) + tail;
    double q = 0x1.1f3f605d0dd9fp-29;
    q = fma(q, r, 0x1.af5b70829e704p-26);
    q = fma(q, r, 0x1.27e4edad6c393p-22);
    q = fma(q, r, 0x1.71ddf9dbb2a81p-19);
    q = fma(q, r, 0x1.a01a01a66c709p-16);
    q = fma(q, r, 0x1.a01a01af81cb8p-13);
    q = fma(q, r, 0x1.6c16c16c14bf3p-10);
    q = fma(q, r, 0x1.111111110f6e3p-7);
    q = fma(q, r, 0x1.555555555555ap-5);
    q = fma(q, r, 0x1.5555555555559p-3);
    q = fma(q, r, 0.5);
    return fma(r * r, q, r);
}

/* e^(x + tail) */
static inline double fi_exp_sum_d(double x, double tail) {
    x = x < -746 ? -746 : x;
    x = x > 711 ? 711 : x;
    uint64_t n;
    const double e = fi_exp_reduced_d(x, tail, &n);
    const uint64_t half = ((n + 2048) >> 1) - 1024;
    return (1 + e) * fi_pow2_d(half) * fi_pow2_d(n - half);
}

static inline double fi_exp(double x) {
    return fi_exp_sum_d(x, -0.0);
}

static inline double fi_expm1(double x) {
    const double y = x < -80 ? -80 : x > 710 ? 710 : x;
    uint64_t n;
    const double e = fi_exp_reduced_d(y, -0.0, &n);
    const double half = fi_pow2_d(n - 1);
    const double wide = 2 * fma(half, e, half - 0.5);
    const double exact = x == 0 ? x : e;
    return n == 0 ? exact : wide;
}

/* a / (b + c), b >= |c| or c >= b, with one rounding error instead of two. */
static inline double fi_quotient_d(double a, double b, double c) {
    const double sum = b + c, inverse = 1 / sum;
    const double lost = (b - (sum - c)) + (c - (sum - (sum - c)));
    const double y = a * inverse;
    return fma(inverse, fma(-y, lost, fma(-y, sum, a)), y);
}

static inline double fi_tanh(double x) {
    double a = fabs(x);
    a = a > 20 ? 20 : a;
    uint64_t n;
    const double e = fi_exp_reduced_d(2 * a, -0.0, &n), scale = fi_pow2_d(n);
    const double up = fma(scale, e, scale - 1);
    return copysign(fi_quotient_d(up, 2, up), x);
}

static inline double fi_sigmoid(double x) {
    const double z = fi_exp(-fabs(x));
    return fi_quotient_d(x < 0 ? z : 1, 1, z);
}

static inline double fi_erf(double x) {
    double a = fabs(x);
    a = a > 6 ? 6 : a; /* erf 6 rounds to 1 */
    const double z = a * a;
    double p = 0x1.3b790e68a5d21p-33;
    p = fma(p, z, -0x1.c49daf26a414cp-30);
    p = fma(p, z, 0x1.131c47d58682bp-26);
    p = fma(p, z, -0x1.639001bae97cbp-23);
    p = fma(p, z, 0x1.ba68ff590bab1p-20);
    p = fma(p, z, -0x1.f4dcefe045650p-17);
    p = fma(p, z, 0x1.f9a3b9429f76bp-14);
    p = fma(p, z, -0x1.c02db932a8348p-11);
    p = fma(p, z, 0x1.565bcd2c612efp-8);
    p = fma(p, z, -0x1.b82ce31354c76p-6);
    p = fma(p, z, 0x1.ce2f21a0458d7p-4);
    p = fma(p, z, -0x1.812746b037a25p-2);
    p = fma(p, z, 0x1.06eba8214db69p-3);
    const double near = fma(p, a, a);
    const double t = 1 / fma(0.5, a, 1);
    double g = 0x1.002d2b3ae7a65p-4;
    g = fma(g, t, -0x1.d05359145e185p-2);
    g = fma(g, t, 0x1.778d52d52bb3ep+0);
    g = fma(g, t, -0x1.5fdb4357fcb45p+1);
    g = fma(g, t, 0x1.9ea058d01cfcap+1);
    g = fma(g, t, -0x1.3d86496563c84p+1);
    g = fma(g, t, 0x1.584d77da8aa2ep+0);
    g = fma(g, t, -0x1.4c27b3ece41d2p-1);
    g = fma(g, t, 0x1.7c9043074da4ap-3);
    g = fma(g, t, 0x1.327158ca798dap-5);
    g = fma(g, t, 0x1.7a5c6c4863e46p-3);
    g = fma(g, t, 0x1.f73b646fbe129p-3);
    g = fma(g, t, 0x1.20f7e753cd70dp-2);
    g = fma(g, t, 0x1.20dbfcd8a7c41p-2);
    g = fma(g, t, 0x1.35897f1d9d905p-23);
    const double far = fma(-fi_exp(-z), g, 1);
    return copysign(a < 1 ? near : far, x);
}

/* 1 + f of x = 2^k (1 + f), x a positive normal number. */
static inline double fi_log_split_d(double x, double *k) {
    const uint64_t sqrt_half = UINT64_C(0x3fe6a09e667f3bcc);
    const uint64_t bits = fi_bits_d(x) - sqrt_half + (UINT64_C(1023) << 52);
    /* k to double by way of the bits: AVX2 converts no 64-bit integers */
    *k = fi_from_bits_d((bits >> 52) + fi_bits_d(FI_ROUND_D)) - (FI_ROUND_D + 1023);
    return fi_from_bits_d((bits & UINT64_C(0xfffffffffffff)) + sqrt_half);
}

static inline double fi_log_sum_d(double k, double f, double tail) {
    const double s = f / (2 + f), z = s * s;
    double p = 0x1.0f8eced5cc4c7p-3;
    p = fma(p, z, 0x1.0f5999acf807bp-3);
    p = fma(p, z, 0x1.3b20b7ee2d1c6p-3);
    p = fma(p, z, 0x1.745cdea6b9b56p-3);
    p = fma(p, z, 0x1.c71c72545a446p-3);
    p = fma(p, z, 0x1.24924924333eep-2);
    p = fma(p, z, 0x1.9999999999d45p-2);
    p = fma(p, z, 0x1.5555555555555p-1);
    tail = fma(k, FI_LN2_LO_D, tail);
    return fma(k, FI_LN2_HI_D, f + fma(-s, fma(-p, z, f), tail));
}

static inline double fi_log(double x) {
    const double up = x < DBL_MIN ? 0x1p52 : 1, down = x < DBL_MIN ? -52 : 0;
    double k;
    const double m = fi_log_split_d(x * up, &k);
    double y = fi_log_sum_d(k + down, m - 1, 0);
    y = x < (double)INFINITY ? y : x;
    y = x == 0 ? -(double)INFINITY : y;
    return x < 0 ? (double)NAN : y;
}

static inline double fi_log1p(double x) {
    const double u = 1 + x;
    double k;
    const double m = fi_log_split_d(u, &k);
    const double lost = x < 1 ? x - (u - 1) : 1 - (u - x);
    const double f = k == 0 ? x : m - 1, tail = k == 0 ? 0 : lost / u;
    double y = fi_log_sum_d(k, f, tail);
    y = x < (double)INFINITY ? y : x;
    y = x == 0 ? x : y; /* the sign of a zero */
    y = x == -1 ? -(double)INFINITY : y;
    return x < -1 ? (double)NAN : y;
}

/* sin and cos of x + tail + quarter π/2, |x| <= π/4. */
static inline void fi_sincos_reduced_d(double x, double tail, uint64_t quarter, double *sine,
                                       double *cosine) {
    const double z = x * x;
    double s = 0x1.61049f69a3d80p-33 + z * -0x1.9d6ff482c0150p-41;
    s = fma(s, z, -0x1.ae64247a6bd0ap-26);
    s = fma(s, z, 0x1.71de3a2df83aap-19);
    s = fma(s, z, -0x1.a01a019ffa7f1p-13);
    s = fma(s, z, 0x1.111111111105ap-7);
    s = fma(s, z, -0x1.5555555555555p-3);
    s = x + fma(s * z, x, fma(-0.5 * z, tail, tail));
    double c = -0x1.8ff27edfae2e6p-37;
    c = fma(c, z, 0x1.1eea794219d6bp-29);
    c = fma(c, z, -0x1.27e4f8ec856f6p-22);
    c = fma(c, z, 0x1.a01a019e0c4cfp-16);
    c = fma(c, z, -0x1.6c16c16c1611cp-10);
    c = fma(c, z, 0x1.5555555555554p-5);
    const double half = 0.5 * z, w = 1 - half;
    c = w + (((1 - w) - half) + fma(z * z, c, -x * tail));
    const double at_sine = quarter & 1 ? c : s, at_cosine = quarter & 1 ? s : c;
    *sine = fi_from_bits_d(fi_bits_d(at_sine) ^ (quarter & 2) << 62);
    *cosine = fi_from_bits_d(fi_bits_d(at_cosine) ^ ((quarter + 1) & 2) << 62);
}

#define FI_PI_2_HI_D 0x1.921fb54442d18p+0
#define FI_PI_2_LO_D 0x1.1a62633145c07p-54
#define FI_PI_2_TAIL_D -0x1.f1976b7ed8fbcp-110

/* x >= 0 as quarter · π/2 + (r + *tail). Beyond 2^30 the parts of π do not suffice: NaN. */
static inline double fi_quarters_d(double x, double *tail, uint64_t *quarter) {
    x = x <= 0x1p30 ? x : (double)NAN;
    const double shifted = fma(x, 0x1.45f306dc9c883p-1, FI_ROUND_D);
    const double n = shifted - FI_ROUND_D;
    *quarter = fi_bits_d(shifted);
    const double a = fma(n, -FI_PI_2_HI_D, x); /* exact */
    const double b = n * FI_PI_2_LO_D, d = a - b, shift = d - a;
    const double lost = (a - (d - shift)) - (b + shift); /* of a - b, exactly */
    const double rest = lost - fma(n, FI_PI_2_TAIL_D, fma(n, FI_PI_2_LO_D, -b));
    const double r = d + rest;
    *tail = (d - r) + rest;
    return r;
}

static inline double fi_sin(double x) {
    double tail, s, c;
    uint64_t quarter;
    const double r = fi_quarters_d(fabs(x), &tail, &quarter);
    fi_sincos_reduced_d(r, tail, quarter, &s, &c);
    return fi_from_bits_d(fi_bits_d(s) ^ (fi_bits_d(x) & UINT64_C(1) << 63));
}
static inline double fi_cos(double x) {
    double tail, s, c;
    uint64_t quarter;
    const double r = fi_quarters_d(fabs(x), &tail, &quarter);
    fi_sincos_reduced_d(r, tail, quarter, &s, &c);
    return c;
}

/* sin 2πu and cos 2πu, |u| <= 2^48. */
static inline void fi_sincos2pi(double u, double *sine, double *cosine) {
    const double shifted = fma(u, 4, FI_ROUND_D);
    const double r = fma(u, 4, FI_ROUND_D - shifted);
    const double x = r * FI_PI_2_HI_D;
    const double tail = fma(r, FI_PI_2_HI_D, -x) + r * FI_PI_2_LO_D;
    fi_sincos_reduced_d(x, tail, fi_bits_d(shifted), sine, cosine);
}

/* ln x of a positive number as a sum: the value and *tail. */
static inline double fi_log_pair_d(double x, double *tail) {
    const double up = x < DBL_MIN ? 0x1p52 : 1, down = x < DBL_MIN ? -52 : 0;
    double k;
    const double m = fi_log_split_d(x * up, &k), f = m - 1;
    k += down;
    /* s = f / (m + 1) */
    const double d = m + 1, d_lo = m - (d - 1);
    const double s = f / d, s_lo = (fma(-s, d, f) - s * d_lo) / d;
    const double z = s * s, z_lo = fma(s, s, -z) + 2 * s * s_lo;
    /* ln m = s (2 + z (2/3 + z R(z))) */
    double p = 0x1.ec9ff68ad0dd1p-4;
    p = fma(p, z, 0x1.de138b54b128ap-4);
    p = fma(p, z, 0x1.1121001a34990p-3);
    p = fma(p, z, 0x1.3b1364efb675dp-3);
    p = fma(p, z, 0x1.745d18161ad0dp-3);
    p = fma(p, z, 0x1.c71c71c5f04e3p-3);
    p = fma(p, z, 0x1.2492492492a4cp-2);
    p = fma(p, z, 0x1.9999999999999p-2);
    const double third = 0x1.5555555555555p-1, zp = z * p;
    const double a = third + zp, a_lo = (third - a) + zp + 0x1.5555555555555p-55;
    const double b = z * a, b_lo = fma(z, a, -b) + (z * a_lo + z_lo * a);
    const double c = 2 + b, c_lo = (2 - c) + b + b_lo;
    const double l = s * c, l_lo = fma(s, c, -l) + (s * c_lo + s_lo * c);
    /* the leading part of ln 2 has 42 bits, so k times it is exact */
    const double whole = k * 0x1.62e42fefa3800p-1;
    const double high = whole + l;
    const double low = ((whole - high) + l) + fma(k, 0x1.ef35793c76730p-45, l_lo);
    const double y = high + low;
    *tail = (high - y) + low;
    return y;
}

/* x^y with all the special cases of C11 F.10.4.4. */
static inline double fi_pow(double x, double y) {
    const double infinity = (double)INFINITY, a = fabs(x), b = fabs(y);
    double tail;
    double l = fi_log_pair_d(a, &tail);
    l = a == 0 ? -infinity : a < infinity ? l : a;
    tail = a > 0 ? tail : 0;
    const double product = y * l;
    /* where the product is far beyond the range of exp its tail is noise, or NaN */
    const double low = fabs(product) < 1e4 ? fma(y, l, -product) + y * tail : 0;
    double power = fi_exp_sum_d(product, low);
    power = a == 1 && b == infinity ? 1 : power;
    const double half = 0.5 * b;
    const int whole = floor(b) == b, odd = whole && floor(half) != half;
    power = odd ? copysign(power, x) : power;
    power = x < 0 && a < infinity && !whole ? (double)NAN : power;
    return x == 1 || y == 0 ? 1 : power;
}

#endif
