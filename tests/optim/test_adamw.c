/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AdamW: the algorithm in long double, the size of the first step, pure decay, a constant gradient,
 * tiers.
 */
#include "support/records.h"

#define N 37

static const struct fi_optim *find(struct fi_arena *arena, const void **attrs) {
    const struct fanin_rule_ref ref = test_rule(arena, "optim", "adamw", NULL, 0);
    *attrs = ref.attrs;
    return (const struct fi_optim *)(const void *)ref.record;
}

/* Steps first .. last with the running products that training keeps. */
static void run(struct fi_arena *arena, double lr, double decay, int64_t steps,
                fi_real (*gradient)(int64_t t, int64_t i), fi_real *w, fi_real *m, fi_real *v) {
    const void *attrs;
    const struct fi_optim *adamw = find(arena, &attrs);
    struct fi_optim_step o = {.lr = lr, .attrs = attrs, .pow1 = 1, .pow2 = 1, .momentum = 1};
    double base1, base2;
    fi_real g[N], *state[] = {m, v};
    adamw->powers(attrs, &base1, &base2);
    assert_true(base1 == 0.9 && base2 == 0.999 && adamw->lr(attrs) == 1e-3);
    assert_int_equal(adamw->n_states, 2);
    for (o.t = 1; o.t <= steps; o.t++) {
        o.pow1 *= base1;
        o.pow2 *= base2;
        for (int64_t i = 0; i < N; i++) g[i] = gradient(o.t, i);
        adamw->update(&o, (fi_real)decay, w, g, state, N);
    }
}

static fi_real noise(int64_t t, int64_t i) {
    return (fi_real)(pow(10, (double)(i % 9 - 6)) * test_normal((uint64_t)t, i));
}
static fi_real nothing(int64_t t, int64_t i) {
    (void)t, (void)i;
    return 0;
}
static fi_real steady(int64_t t, int64_t i) {
    (void)t;
    return (fi_real)((double)(i + 1) * 1e-3);
}

static void algorithm(void **state) {
    (void)state;
    fi_real first[N];
    bool known = false;
    FOR_EACH_TIER(ctx, 1) {
        struct fi_arena arena;
        fi_arena_init(&arena, ctx);
        fi_real w[N], m[N] = {0}, v[N] = {0};
        for (int64_t i = 0; i < N; i++) w[i] = (fi_real)test_normal(0, i);
        run(&arena, 0.01, 0.1, 60, noise, w, m, v);
        for (int64_t i = 0; i < N; i++) {
            long double x = (fi_real)test_normal(0, i), a = 0, b = 0;
            for (int64_t t = 1; t <= 60; t++) {
                const long double g = noise(t, i);
                a = 0.9L * a + 0.1L * g;
                b = 0.999L * b + 0.001L * g * g;
                const long double ah = a / (1 - powl(0.9L, t)), bh = b / (1 - powl(0.999L, t));
                x = (1 - 0.01L * 0.1L) * x - 0.01L * ah / (sqrtl(bh) + 1e-8L);
            }
            assert_true(fabsl(w[i] - x) < 60 * 2e-7L);
        }
        if (known) assert_memory_equal(w, first, sizeof w);
        memcpy(first, w, sizeof w);
        known = true;
        fi_arena_free(&arena);
    }
}

static void first_step_is_lr(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    struct fi_arena arena;
    fi_arena_init(&arena, ctx);
    fi_real w[N] = {0}, m[N] = {0}, v[N] = {0};
    run(&arena, 0.25, 0, 1, steady, w, m, v);
    for (int64_t i = 0; i < N; i++) assert_true(fabs((double)w[i] + 0.25) < 1e-5);
    fi_arena_free(&arena);
    fanin_ctx_free(ctx);
}

/* Without gradient the weights follow w0 (1 - lr λ)^t, within one rounding a step. */
static void pure_decay(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    struct fi_arena arena;
    fi_arena_init(&arena, ctx);
    fi_real w[N], m[N] = {0}, v[N] = {0};
    for (int64_t i = 0; i < N; i++) w[i] = (fi_real)test_normal(0, i);
    run(&arena, 1e-2, 0.1, 1000, nothing, w, m, v);
    for (int64_t i = 0; i < N; i++) {
        const long double want = (fi_real)test_normal(0, i) * powl(1 - 1e-3L, 1000);
        assert_true(fabsl(w[i] - want) <= 1000 * 0x1p-24L * fabsl(want));
        assert_true(m[i] == 0 && v[i] == 0);
    }
    fi_arena_free(&arena);
    fanin_ctx_free(ctx);
}

/* A constant gradient: the averages come as near to it and its square as a step in float still
 * moves them, half an ulp over 1 - β. */
static void averages_arrive(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    struct fi_arena arena;
    fi_arena_init(&arena, ctx);
    fi_real w[N] = {0}, m[N] = {0}, v[N] = {0};
    run(&arena, 1e-3, 0, 30000, steady, w, m, v);
    for (int64_t i = 0; i < N; i++) {
        const double g = (double)steady(1, i);
        assert_true(fabs((double)m[i] - g) < 1e-6 * g);
        assert_true(fabs((double)v[i] - g * g) < 7e-5 * g * g);
    }
    fi_arena_free(&arena);
    fanin_ctx_free(ctx);
}

static void refused(void **state) {
    (void)state;
    static const struct {
        struct fanin_attr attr;
        const char *part;
    } wrong[] = {{{.name = "beta1", .number = 1}, "beta1"},
                 {{.name = "eps", .number = 0}, "eps"},
                 {{.name = "beta3", .number = 0}, "beta1"}};
    fanin_ctx *ctx = test_ctx();
    for (int i = 0; i < FI_COUNT(wrong); i++) {
        struct fi_arena arena;
        struct fanin_rule_ref ref;
        fi_arena_init(&arena, ctx);
        const struct fanin_rule rule = {.name = "adamw", .attrs = &wrong[i].attr, .n_attrs = 1};
        assert_refused(ctx, FANIN_ERR_RECIPE, wrong[i].part,
                       fi_rule_resolve(&arena, &ref, "optim", &rule, "optim"));
        fi_arena_free(&arena);
    }
    fanin_ctx_free(ctx);
}

static struct CMUnitTest tests[] = {cmocka_unit_test(algorithm), cmocka_unit_test(first_step_is_lr),
                                    cmocka_unit_test(pure_decay), cmocka_unit_test(averages_arrive),
                                    cmocka_unit_test(refused)};

int main(void) {
    return test_main(tests);
}
