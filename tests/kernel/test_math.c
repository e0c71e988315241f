/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Elementary functions against libm in long double: all of them on a fixed, dense sample of their
 * whole range (every 4099th float; doubles by bit pattern and on the interesting intervals), at
 * special values, and by fixed hashes of their bits, which no compiler or tier may change.
 */
#include "kernel/ulp.h"

#define LIMIT 2.0 /* ulp, the contract */

struct float_function {
    const char *name;
    float (*f)(float);
    long double (*reference)(long double);
};
struct double_function {
    const char *name;
    double (*f)(double);
    long double (*reference)(long double);
    double low, high, limit; /* where half of the sample lies; |x| <= limit */
};

static const struct float_function float_functions[] = {
    {"expf", fi_expf, expl},    {"expm1f", fi_expm1f, expm1l},
    {"logf", fi_logf, logl},    {"log1pf", fi_log1pf, log1pl},
    {"tanhf", fi_tanhf, tanhl}, {"sigmoidf", fi_sigmoidf, sigmoidl},
    {"erff", fi_erff, erfl},
};
static const struct double_function double_functions[] = {
    {"exp", fi_exp, expl, -746, 711, INFINITY},
    {"expm1", fi_expm1, expm1l, -40, 711, INFINITY},
    {"log", fi_log, logl, 0, 3, INFINITY},
    {"log1p", fi_log1p, log1pl, -1, 2, INFINITY},
    {"tanh", fi_tanh, tanhl, -3, 3, INFINITY},
    {"sigmoid", fi_sigmoid, sigmoidl, -40, 40, INFINITY},
    {"erf", fi_erf, erfl, -6.5, 6.5, INFINITY},
    {"sin", fi_sin, sinl, -20, 20, 0x1p30},
    {"cos", fi_cos, cosl, -20, 20, 0x1p30},
};

static void floats(void **state) {
    (void)state;
    for (int i = 0; i < FI_COUNT(float_functions); i++) {
        const struct float_function *t = &float_functions[i];
        struct worst worst = {.name = t->name};
        for (uint64_t bits = 0; bits <= UINT32_MAX; bits += 4099) {
            const float x = fi_from_bits_f((uint32_t)bits);
            note(&worst, (double)x, ulps_f(t->f(x), t->reference((long double)x)));
        }
        assert_within(&worst, LIMIT);
    }
}

static void doubles(void **state) {
    (void)state;
    for (int i = 0; i < FI_COUNT(double_functions); i++) {
        const struct double_function *t = &double_functions[i];
        struct worst worst = {.name = t->name};
        for (uint64_t k = 0; k < 400000; k++) {
            const double x =
                k % 2 ? test_between(1, k, t->low, t->high) : fi_from_bits_d(test_bits(2, k));
            if (fabs(x) <= t->limit) note(&worst, x, ulps_d(t->f(x), t->reference((long double)x)));
        }
        assert_within(&worst, LIMIT);
    }
}

/* Where functions are near a zero, an overflow, a subnormal result or the seam of two formulas. */
static void edges(void **state) {
    (void)state;
    static const double seams[] = {
        0,          1,        -1,        0.5,       2,          6,          10,
        20,         -20,      40,        -40,       88.72,      88.73,      -87.33,
        -103.9,     -104.1,   709.78,    709.79,    -708.4,     -745.1,     745.2,
        0x1p-126,   0x1p-149, 0x1p-1022, 0x1p-1074, 0.70710678, 1.41421356, 0.34657359,
        -0.2928932, 0x1p23,   0x1p24,    0x1p52,    0x1p53,     0x1p127};
    for (int s = 0; s < FI_COUNT(seams); s++) {
        float up = (float)seams[s], down = up;
        double wide_up = seams[s], wide_down = wide_up;
        for (int step = 0; step < 200; step++) {
            for (int i = 0; i < FI_COUNT(float_functions); i++) {
                const struct float_function *t = &float_functions[i];
                struct worst worst = {.name = t->name};
                note(&worst, (double)up, ulps_f(t->f(up), t->reference((long double)up)));
                note(&worst, (double)down, ulps_f(t->f(down), t->reference((long double)down)));
                if (!(worst.ulps <= LIMIT)) assert_within(&worst, LIMIT);
            }
            for (int i = 0; i < FI_COUNT(double_functions); i++) {
                const struct double_function *t = &double_functions[i];
                struct worst worst = {.name = t->name};
                if (fabs(wide_up) > t->limit) continue;
                note(&worst, wide_up, ulps_d(t->f(wide_up), t->reference((long double)wide_up)));
                note(&worst, wide_down,
                     ulps_d(t->f(wide_down), t->reference((long double)wide_down)));
                if (!(worst.ulps <= LIMIT)) assert_within(&worst, LIMIT);
            }
            up = nextafterf(up, INFINITY), down = nextafterf(down, -INFINITY);
            wide_up = nextafter(wide_up, INFINITY), wide_down = nextafter(wide_down, -INFINITY);
        }
    }
}

static void special_values(void **state) {
    (void)state;
    static const double values[] = {0.0, -0.0, INFINITY, -INFINITY, NAN, 1, -1, -2, 1e300, -1e300};
    for (int v = 0; v < FI_COUNT(values); v++) {
        const double x = values[v];
        const float y = (float)x;
        for (int i = 0; i < FI_COUNT(float_functions); i++) {
            const struct float_function *t = &float_functions[i];
            assert_true(ulps_f(t->f(y), t->reference((long double)y)) <= LIMIT);
        }
        for (int i = 0; i < FI_COUNT(double_functions); i++) {
            const struct double_function *t = &double_functions[i];
            if (isfinite(x) && fabs(x) > t->limit)
                assert_true(isnan(t->f(x)));
            else
                assert_true(ulps_d(t->f(x), t->reference((long double)x)) <= LIMIT);
        }
    }
}

static void turns(void **state) {
    (void)state;
    struct worst worst[4] = {
        {"sin2pi f", 0, 0}, {"cos2pi f", 0, 0}, {"sin2pi", 0, 0}, {"cos2pi", 0, 0}};
    for (int64_t i = -1000000; i < 1000000; i++) {
        long double sine, cosine;
        double s, c;
        float sf, cf;
        const float u = (float)(i * 0x1.0c6f7ap-20);
        fi_sincos2pif(u, &sf, &cf);
        sincos2pil((long double)u, &sine, &cosine);
        if (sine != 0) note(&worst[0], (double)u, ulps_f(sf, sine));
        if (cosine != 0) note(&worst[1], (double)u, ulps_f(cf, cosine));
        const double v = i * 0x1.0c6f7a0b5ed8dp-20;
        fi_sincos2pi(v, &s, &c);
        sincos2pil((long double)v, &sine, &cosine);
        if (sine != 0) note(&worst[2], v, ulps_d(s, sine));
        if (cosine != 0) note(&worst[3], v, ulps_d(c, cosine));
    }
    for (int i = 0; i < 4; i++) assert_within(&worst[i], LIMIT);
    /* whole quarters are exact */
    for (int q = -8; q <= 8; q++) {
        float s, c;
        fi_sincos2pif(0.25f * (float)q, &s, &c);
        assert_true(s == (float)((int[]){0, 1, 0, -1})[q & 3]);
        assert_true(c == (float)((int[]){1, 0, -1, 0})[q & 3]);
    }
}

/* Multiples of π/2 rounded to double: the hardest arguments of the reduction. */
static void near_quarters(void **state) {
    (void)state;
    struct worst worst[2] = {{"sin", 0, 0}, {"cos", 0, 0}};
    for (int64_t n = 1; n < 600000000; n = n + 1 + n / 997) {
        const double x = (double)((long double)n * (M_PIl / 2));
        /* π/2 in 33, 33 and 64 bits, so that products with n < 2^30 are exact */
        const long double high = 0x1.921fb544p+0L, mid = 0x1.0b4611a6p-34L,
                          low = 0x1.3198a2e03707344ap-69L;
        const long double r = (((long double)x - (long double)n * high) - (long double)n * mid) -
                              (long double)n * low;
        const long double s = sinl(r), c = cosl(r);
        const long double sine = n % 4 == 0 ? s : n % 4 == 1 ? c : n % 4 == 2 ? -s : -c;
        const long double cosine = n % 4 == 0 ? c : n % 4 == 1 ? -s : n % 4 == 2 ? -c : s;
        note(&worst[0], x, ulps_d(fi_sin(x), sine));
        note(&worst[1], x, ulps_d(fi_cos(x), cosine));
    }
    assert_within(&worst[0], LIMIT);
    assert_within(&worst[1], LIMIT);
}

static void powers(void **state) {
    (void)state;
    struct worst worst = {.name = "pow"};
    for (uint64_t k = 0; k < 300000; k++) {
        const double x = k % 3 == 0   ? fi_from_bits_d(test_bits(3, k) >> 1)
                         : k % 3 == 1 ? test_between(3, k, 0, 3)
                                      : 1 + test_between(3, k, -1e-5, 1e-5);
        const double y =
            k % 2 ? test_between(4, k, -20, 20) : test_between(4, k, -745, 745) / log(x);
        if (isfinite(y))
            note(&worst, x, ulps_d(fi_pow(x, y), powl((long double)x, (long double)y)));
    }
    for (int t = 1; t < 20000; t++) /* what Adam asks for */
        note(&worst, t, ulps_d(fi_pow(0.999, t), powl((long double)0.999, t)));
    assert_within(&worst, LIMIT);
    static const double special[] = {0.0,        -0.0,
                                     1,          -1,
                                     INFINITY,   -INFINITY,
                                     NAN,        2,
                                     -2,         3,
                                     -3,         0.5,
                                     -0.5,       1e300,
                                     -1e300,     0x1p53,
                                     -0x1p53,    0x1p-1074,
                                     -0x1p-1074, 2.5,
                                     -2.5,       0x1.fffffffffffffp-1};
    for (int i = 0; i < FI_COUNT(special); i++)
        for (int j = 0; j < FI_COUNT(special); j++) {
            const long double want = powl((long double)special[i], (long double)special[j]);
            const double got = fi_pow(special[i], special[j]);
            if (!(ulps_d(got, want) <= LIMIT))
                fail_msg("pow(%g, %g) = %g", special[i], special[j], got);
        }
}

/* Bits that were right once stay: NaNs count as one. */
static void hashes(void **state) {
    (void)state;
    static const uint64_t known_float[] = {
        0x488f204b94918968, 0xc56d402f9b795152, 0xf57ea45640fa1c0d, 0xd25f6060ccaa4fbd,
        0x3a1ec27d32c3cb31, 0x7921c603bd95b8ed, 0x53a8f0256de16e62};
    static const uint64_t known_double[] = {
        0x0b904b7dd2705bbe, 0x6224b0107ff4cc2a, 0xbc4db90d6ed8bf78,
        0x3c224f8c19ffc65c, 0x55f9bb2e8a9b10f3, 0x798ae351d0362987,
        0x6cb02ef353e7a017, 0xb76e3b70cb97cf70, 0x18fe574a13d8182f};
    for (int i = 0; i < FI_COUNT(float_functions); i++) {
        uint64_t hash = 0;
        for (uint64_t bits = 0; bits <= UINT32_MAX; bits += 65521) {
            const float y = float_functions[i].f(fi_from_bits_f((uint32_t)bits));
            hash = fi_hash_mix(hash, isnan(y) ? 1 : fi_bits_f(y));
        }
        if (hash != known_float[i])
            fail_msg("%s: 0x%016llx", float_functions[i].name, (unsigned long long)hash);
    }
    for (int i = 0; i < FI_COUNT(double_functions); i++) {
        const struct double_function *t = &double_functions[i];
        uint64_t hash = 0;
        for (uint64_t k = 0; k < 50000; k++) {
            const double y =
                t->f(k % 2 ? test_between(5, k, t->low, t->high) : fi_from_bits_d(test_bits(6, k)));
            hash = fi_hash_mix(hash, isnan(y) ? 1 : fi_bits_d(y));
        }
        if (hash != known_double[i]) fail_msg("%s: 0x%016llx", t->name, (unsigned long long)hash);
    }
}

/* The function for x <= 0 has the bits of the one for all x. */
static void downwards(void **state) {
    (void)state;
    for (uint32_t bits = 0x80000000u; bits <= 0xff800000u; bits += 1021) {
        const float x = fi_from_bits_f(bits);
        if (fi_bits_f(fi_exp_downf(x)) != fi_bits_f(fi_expf(x)))
            fail_msg("e^%a: %a, not %a", (double)x, (double)fi_exp_downf(x), (double)fi_expf(x));
    }
    assert_true(fi_exp_downf(0) == 1 && fi_exp_downf(-INFINITY) == 0);
    assert_true(isnan(fi_exp_downf(NAN)));
}

static struct CMUnitTest tests[] = {
    cmocka_unit_test(floats),         cmocka_unit_test(doubles), cmocka_unit_test(edges),
    cmocka_unit_test(special_values), cmocka_unit_test(turns),   cmocka_unit_test(near_quarters),
    cmocka_unit_test(powers),         cmocka_unit_test(hashes),  cmocka_unit_test(downwards),
};

int main(void) {
    return test_main(tests);
}
