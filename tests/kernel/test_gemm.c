/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The matrix products on every tier against their definition: each element one chain of fmaf over k
 * in increasing order, so equality is exact. Odd sizes reach every tile edge; blocks reported as
 * finished cover each element once. Where most factors are zeros and left out nothing changes,
 * neither where weights or gradients are not finite.
 */
#include <math.h>
#include <stdlib.h>

#include "kernel/kernel.h"
#include "support/support.h"

struct products {
    const char *isa;
    void (*y)(fanin_ctx *, int64_t, int64_t, int64_t, const fi_real *, int64_t, const fi_real *,
              fi_real *, int64_t, fi_real *, void (*)(void *, int64_t, int64_t, int64_t, int64_t),
              void *);
    void (*dx)(fanin_ctx *, int64_t, int64_t, int64_t, const fi_real *, int64_t, const fi_real *,
               fi_real *, int64_t, fi_real *, void (*)(void *, int64_t, int64_t, int64_t, int64_t),
               void *);
    void (*dw)(fanin_ctx *, int64_t, int64_t, int64_t, const fi_real *, int64_t, const fi_real *,
               int64_t, fi_real *, const struct fi_touched *,
               void (*)(void *, int64_t, int64_t, fi_real *), void *);
    void (*back)(fanin_ctx *, int64_t, int64_t, int64_t, const fi_real *, int64_t, const fi_real *,
                 int64_t, const fi_real *, fi_real *, int64_t, fi_real *, const struct fi_touched *,
                 void (*)(void *, int64_t, int64_t, int64_t, int64_t),
                 void (*)(void *, int64_t, int64_t, fi_real *), void *);
    bool (*sparse_y)(fanin_ctx *, int64_t, int64_t, int64_t, const fi_real *, int64_t,
                     const fi_real *, fi_real *, int64_t, fi_real *,
                     void (*)(void *, int64_t, int64_t, int64_t, int64_t), void *);
    bool (*sparse_dx)(fanin_ctx *, int64_t, int64_t, int64_t, const fi_real *, int64_t,
                      const fi_real *, fi_real *, int64_t, fi_real *,
                      void (*)(void *, int64_t, int64_t, int64_t, int64_t), void *);
    bool (*sparse_dw)(fanin_ctx *, int64_t, int64_t, int64_t, const fi_real *, int64_t,
                      const fi_real *, int64_t, fi_real *, const struct fi_touched *,
                      void (*)(void *, int64_t, int64_t, fi_real *), void *);
};
#define DECLARE(tier)                                                                              \
    void fi_product_y_##tier(fanin_ctx *, int64_t, int64_t, int64_t, const fi_real *, int64_t,     \
                             const fi_real *, fi_real *, int64_t, fi_real *,                       \
                             void (*)(void *, int64_t, int64_t, int64_t, int64_t), void *);        \
    void fi_product_dx_##tier(fanin_ctx *, int64_t, int64_t, int64_t, const fi_real *, int64_t,    \
                              const fi_real *, fi_real *, int64_t, fi_real *,                      \
                              void (*)(void *, int64_t, int64_t, int64_t, int64_t), void *);       \
    void fi_product_dw_##tier(fanin_ctx *, int64_t, int64_t, int64_t, const fi_real *, int64_t,    \
                              const fi_real *, int64_t, fi_real *, const struct fi_touched *,      \
                              void (*)(void *, int64_t, int64_t, fi_real *), void *);              \
    void fi_product_back_##tier(fanin_ctx *, int64_t, int64_t, int64_t, const fi_real *, int64_t,  \
                                const fi_real *, int64_t, const fi_real *, fi_real *, int64_t,     \
                                fi_real *, const struct fi_touched *,                              \
                                void (*)(void *, int64_t, int64_t, int64_t, int64_t),              \
                                void (*)(void *, int64_t, int64_t, fi_real *), void *);            \
    bool fi_sparse_y_##tier(fanin_ctx *, int64_t, int64_t, int64_t, const fi_real *, int64_t,      \
                            const fi_real *, fi_real *, int64_t, fi_real *,                        \
                            void (*)(void *, int64_t, int64_t, int64_t, int64_t), void *);         \
    bool fi_sparse_dx_##tier(fanin_ctx *, int64_t, int64_t, int64_t, const fi_real *, int64_t,     \
                             const fi_real *, fi_real *, int64_t, fi_real *,                       \
                             void (*)(void *, int64_t, int64_t, int64_t, int64_t), void *);        \
    bool fi_sparse_dw_##tier(fanin_ctx *, int64_t, int64_t, int64_t, const fi_real *, int64_t,     \
                             const fi_real *, int64_t, fi_real *, const struct fi_touched *,       \
                             void (*)(void *, int64_t, int64_t, fi_real *), void *);
DECLARE(portable)
#if defined(__x86_64__)
DECLARE(avx2)
DECLARE(avx512)
#endif
#define ROW(tier)                                                                                  \
    {                                                                                              \
#tier, fi_product_y_##tier, fi_product_dx_##tier, fi_product_dw_##tier,                    \
            fi_product_back_##tier, fi_sparse_y_##tier, fi_sparse_dx_##tier, fi_sparse_dw_##tier   \
    }
static const struct products tiers[] = {
    ROW(portable),
#if defined(__x86_64__)
    ROW(avx2),
    ROW(avx512),
#endif
};

struct problem {
    int64_t m, out, in, ldx, ldy;
    fi_real *x, *w, *y, *got, *pack;
    fi_real *changed; /* weights that handing over their gradient spoils */
    uint8_t *seen;
    int64_t seen_ld;
};

static fi_real number(uint64_t i) {
    uint32_t words[4];
    fi_philox(1, 2, i, words);
    return (fi_real)(2 * fi_uniform53(words[0], words[1]) - 1);
}

static void finished(void *arg, int64_t row0, int64_t rows, int64_t col0, int64_t cols) {
    const struct problem *p = arg;
    for (int64_t r = row0; r < row0 + rows; r++)
        for (int64_t c = col0; c < col0 + cols; c++)
            __atomic_add_fetch(&p->seen[r * p->seen_ld + c], 1, __ATOMIC_RELAXED);
}

static void take(void *arg, int64_t offset, int64_t n, fi_real *g) {
    const struct problem *p = arg;
    memcpy(p->got + offset, g, (size_t)n * sizeof(*g));
    for (int64_t i = 0; i < n && p->changed; i++) p->changed[offset + i] = (fi_real)NAN;
}

static void expect(const char *what, const char *isa, const struct problem *p, fi_real got,
                   fi_real want) {
    if (memcmp(&got, &want, sizeof got) != 0 && !(isnan(got) && isnan(want)))
        fail_msg("%s %s (%lld x %lld x %lld): %.9g, not %.9g", isa, what, (long long)p->m,
                 (long long)p->out, (long long)p->in, (double)got, (double)want);
}

static void check_y(const struct products *t, fanin_ctx *ctx, struct problem *p) {
    p->seen_ld = p->out;
    memset(p->seen, 0, (size_t)(p->m * p->out));
    t->y(ctx, p->m, p->out, p->in, p->x, p->ldx, p->w, p->got, p->ldy, p->pack, finished, p);
    for (int64_t r = 0; r < p->m; r++)
        for (int64_t o = 0; o < p->out; o++) {
            fi_real sum = 0;
            for (int64_t i = 0; i < p->in; i++)
                sum = fi_fma(p->x[r * p->ldx + i], p->w[fi_panel_index(p->out, p->in, o, i)], sum);
            expect("y", t->isa, p, p->got[r * p->ldy + o], sum);
            assert_int_equal(p->seen[r * p->out + o], 1);
        }
}

/* dx is what the definition says, and every number of it was told of. */
static void expect_dx(const struct products *t, const struct problem *p, const fi_real *dx) {
    for (int64_t r = 0; r < p->m; r++)
        for (int64_t i = 0; i < p->in; i++) {
            fi_real sum = 0;
            for (int64_t o = 0; o < p->out; o++)
                sum = fi_fma(p->w[fi_panel_index(p->out, p->in, o, i)], p->y[r * p->ldy + o], sum);
            expect("dx", t->isa, p, dx[r * p->ldx + i], sum);
            assert_int_equal(p->seen[r * p->in + i], 1);
        }
}

static void check_dx(const struct products *t, fanin_ctx *ctx, struct problem *p) {
    p->seen_ld = p->in;
    memset(p->seen, 0, (size_t)(p->m * p->in));
    t->dx(ctx, p->m, p->out, p->in, p->y, p->ldy, p->w, p->got, p->ldx, p->pack, finished, p);
    expect_dx(t, p, p->got);
}

static void expect_dw(const struct products *t, const struct problem *p) {
    const int64_t lanes = (p->out + FI_LANES - 1) / FI_LANES * FI_LANES;
    for (int64_t o = 0; o < lanes; o++)
        for (int64_t i = 0; i < p->in; i++) {
            fi_real sum = 0;
            for (int64_t r = 0; o < p->out && r < p->m; r++)
                sum = fi_fma(p->x[r * p->ldx + i], p->y[r * p->ldy + o], sum);
            expect("dw", t->isa, p, p->got[fi_panel_index(lanes, p->in, o, i)], sum);
        }
}

static void check_dw(const struct products *t, fanin_ctx *ctx, struct problem *p) {
    t->dw(ctx, p->m, p->out, p->in, p->y, p->ldy, p->x, p->ldx, p->pack, NULL, take, p);
    expect_dw(t, p);
}

/* Both products in one pass, in which the weights change as soon as they have been used. */
static void check_back(const struct products *t, fanin_ctx *ctx, struct problem *p) {
    const int64_t size = fi_panel_size(p->out, p->in);
    fi_real *dx = fi_alloc(ctx, p->m * p->ldx, sizeof(*dx));
    p->changed = fi_alloc(ctx, size, sizeof(*dx));
    assert_non_null(dx);
    assert_non_null(p->changed);
    memcpy(p->changed, p->w, (size_t)size * sizeof(*dx));
    memset(p->seen, 0, (size_t)(p->m * p->in));
    p->seen_ld = p->in;
    const struct fi_touched touched = {.arrays = {p->changed, p->got}, .n = 2};
    t->back(ctx, p->m, p->out, p->in, p->y, p->ldy, p->x, p->ldx, p->changed, dx, p->ldx, p->pack,
            &touched, finished, take, p);
    expect_dx(t, p, dx);
    expect_dw(t, p);
    fi_free(ctx, dx);
    fi_free(ctx, p->changed);
    p->changed = NULL;
}

static fi_real *numbers(fanin_ctx *ctx, int64_t n, uint64_t from, double fill) {
    fi_real *v = fi_alloc(ctx, n, sizeof(*v));
    assert_non_null(v);
    for (int64_t i = 0; i < n; i++) v[i] = fill == 0 ? number(from + (uint64_t)i) : (fi_real)fill;
    return v;
}

/* What a problem is made of besides numbers in (-1, 1). */
struct mixture {
    double zeros; /* share of x and y */
    bool broken;  /* the vectors' side holds numbers that are not finite */
};

static void strew(fi_real *v, int64_t n, double share, fi_real value) {
    for (int64_t i = 0; i < n; i++)
        if (number((3u << 30) + (uint64_t)i) < (fi_real)(2 * share - 1)) v[i] = value;
}

/* Zeros are left out where, and only where, there are many. */
static void check_choice(const struct products *t, fanin_ctx *ctx, struct problem *p, bool many) {
    assert_int_equal(many, t->sparse_y(ctx, p->m, p->out, p->in, p->x, p->ldx, p->w, p->got, p->ldy,
                                       p->pack, NULL, NULL));
    assert_int_equal(many, t->sparse_dx(ctx, p->m, p->out, p->in, p->y, p->ldy, p->w, p->got,
                                        p->ldx, p->pack, NULL, NULL));
    assert_int_equal(many, t->sparse_dw(ctx, p->m, p->out, p->in, p->y, p->ldy, p->x, p->ldx,
                                        p->pack, NULL, take, p));
}

static void check_mixture(fanin_ctx *ctx, const struct products *t, int64_t m, int64_t out,
                          int64_t in, struct mixture mixture) {
    struct problem p = {
        .m = m, .out = out, .in = in, .ldx = fi_row_stride(in), .ldy = fi_row_stride(out)};
    const int64_t size = fi_panel_size(out, in);
    p.x = numbers(ctx, m * p.ldx, 0, 0);
    p.y = numbers(ctx, m * p.ldy, 1u << 30, 0); /* also what stands behind the columns */
    p.w = numbers(ctx, size, 2u << 30, 0);
    p.got = numbers(ctx, FI_MAX(size, m * FI_MAX(p.ldx, p.ldy)), 0, (double)NAN);
    p.pack = numbers(ctx, (m + 31) / 32 * 32 * (out + in), 0, (double)NAN);
    p.seen = fi_alloc(ctx, m * FI_MAX(in, out), 1);
    assert_non_null(p.seen);
    strew(p.x, m * p.ldx, mixture.zeros, 0);
    strew(p.y, m * p.ldy, mixture.zeros, 0);
    if (mixture.broken) {
        strew(p.w, size, 1e-3, (fi_real)INFINITY);
        strew(p.w, size, 2e-4, (fi_real)NAN);
    }
    if (mixture.zeros > 0) check_choice(t, ctx, &p, mixture.zeros > 0.6);
    check_y(t, ctx, &p);
    check_dx(t, ctx, &p);
    if (mixture.broken) strew(p.y, m * p.ldy, 1e-3, (fi_real)INFINITY);
    check_dw(t, ctx, &p);
    if (m <= FI_LANES) check_back(t, ctx, &p);
    void *all[] = {p.x, p.y, p.w, p.got, p.pack, p.seen};
    for (int i = 0; i < FI_COUNT(all); i++) fi_free(ctx, all[i]);
}

static void check_size(fanin_ctx *ctx, const struct products *t, int64_t m, int64_t out,
                       int64_t in) {
    check_mixture(ctx, t, m, out, in, (struct mixture){0});
}

static void test_products(void **state) {
    (void)state;
    static const int64_t sizes[][3] = {{1, 1, 1},     {1, 10, 784},  {2, 33, 7},    {5, 17, 13},
                                       {12, 32, 12},  {13, 31, 49},  {31, 48, 25},  {33, 65, 50},
                                       {64, 16, 3},   {60, 100, 97}, {200, 70, 20}, {193, 300, 5},
                                       {10, 330, 210}};
    for (int t = 0; t < FI_COUNT(tiers); t++)
        for (int threads = 1; threads <= 3; threads += 2) {
            fanin_ctx *ctx = test_ctx_on(threads, tiers[t].isa);
            if (!ctx) continue;
            for (int i = 0; i < FI_COUNT(sizes); i++)
                check_size(ctx, &tiers[t], sizes[i][0], sizes[i][1], sizes[i][2]);
            for (int64_t n = 1; n <= 40; n++)
                check_size(ctx, &tiers[t], n, 41 - n, (n * 7) % 40 + 1);
            fanin_ctx_free(ctx);
        }
}

/* Large enough for the pool and for several row blocks. */
static void test_large(void **state) {
    (void)state;
    fanin_ctx *one = test_ctx_on(1, NULL), *three = test_ctx_on(3, NULL);
    for (int t = 0; t < FI_COUNT(tiers); t++) {
        if (strcmp(tiers[t].isa, fanin_isa(one)) != 0) continue;
        check_size(three, &tiers[t], 390, 260, 130);
        check_size(one, &tiers[t], 390, 20, 130);
    }
    fanin_ctx_free(one);
    fanin_ctx_free(three);
}

/* Sizes with a narrow last panel, with groups and blocks that are not full, with several blocks of
 * rows; shares of zeros on both sides of what makes them worth leaving out. */
static void test_zeros(void **state) {
    (void)state;
    static const int64_t sizes[][3] = {{70, 270, 250}, {140, 168, 190}, {33, 363, 389}};
    static const struct mixture mixtures[] = {{.95, false}, {.7, false}, {.5, false}, {.9, true}};
    const bool sanitized = getenv("FANIN_SANITIZE") != NULL; /* fifty times as slow */
    for (int t = 0; t < FI_COUNT(tiers); t++)
        for (int threads = sanitized ? 3 : 1; threads <= 3; threads += 2) {
            fanin_ctx *ctx = test_ctx_on(threads, tiers[t].isa);
            if (!ctx) continue;
            for (int i = 0; i < FI_COUNT(sizes); i += sanitized ? 2 : 1)
                for (int k = 0; k < FI_COUNT(mixtures); k += sanitized ? 3 : 1)
                    check_mixture(ctx, &tiers[t], sizes[i][0], sizes[i][1], sizes[i][2],
                                  mixtures[k]);
            fanin_ctx_free(ctx);
        }
}

int main(void) {
    struct CMUnitTest tests[] = {cmocka_unit_test(test_products), cmocka_unit_test(test_large),
                                 cmocka_unit_test(test_zeros)};
    return test_main(tests);
}
