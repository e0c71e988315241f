/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SGD: its forms of momentum against the recurrences in long double, decoupled decay, tiers.
 */
#include "support/records.h"

#define N 37

struct form {
    double momentum;
    int nesterov;
    double decay;
};
static const struct form forms[] = {
    {0, 0, 0}, {0.9, 0, 0}, {0.9, 1, 0}, {0, 0, 0.1}, {0.5, 1, 0.1}};

static fi_real gradient(int64_t t, int64_t i) {
    return (fi_real)test_normal((uint64_t)t, i);
}

static struct fanin_rule_ref rule(struct fi_arena *arena, const struct form *f) {
    const struct fanin_attr attrs[] = {{.number = 0.05}, /* lr comes first */
                                       {.name = "momentum", .number = f->momentum},
                                       {.name = "nesterov", .number = f->nesterov}};
    return test_rule(arena, "optim", "sgd", attrs, 3);
}

static void run(struct fi_arena *arena, const struct form *f, int64_t steps, fi_real *w,
                fi_real *v) {
    const struct fanin_rule_ref ref = rule(arena, f);
    const struct fi_optim *sgd = (const struct fi_optim *)(const void *)ref.record;
    fi_real g[N], *state[] = {v};
    assert_true(sgd->lr(ref.attrs) == 0.05);
    assert_int_equal(sgd->n_states, 1);
    assert_null(sgd->powers);
    for (int64_t t = 1; t <= steps; t++) {
        const struct fi_optim_step o = {.lr = 0.05, .t = t, .attrs = ref.attrs, .momentum = 1};
        for (int64_t i = 0; i < N; i++) g[i] = gradient(t, i);
        sgd->update(&o, (fi_real)f->decay, w, g, state, N);
    }
}

static void recurrences(void **state) {
    (void)state;
    for (int k = 0; k < FI_COUNT(forms); k++) {
        fi_real first[N];
        bool known = false;
        FOR_EACH_TIER(ctx, 1) {
            struct fi_arena arena;
            fi_arena_init(&arena, ctx);
            fi_real w[N], v[N];
            for (int64_t i = 0; i < N; i++) w[i] = gradient(0, i), v[i] = 0;
            run(&arena, &forms[k], 50, w, v);
            for (int64_t i = 0; i < N; i++) {
                long double x = gradient(0, i), m = 0;
                for (int64_t t = 1; t <= 50; t++) {
                    const long double g = gradient(t, i), mu = forms[k].momentum;
                    m = mu * m + g;
                    x -= 0.05L * forms[k].decay * x;
                    x -= 0.05L * (forms[k].nesterov ? g + mu * m : m);
                }
                assert_true(fabsl(w[i] - x) < 50 * 3e-7L);
                assert_true(forms[k].momentum == 0 ? v[i] == 0 : fabsl(v[i] - m) < 2e-6L);
            }
            if (known) assert_memory_equal(w, first, sizeof w);
            memcpy(first, w, sizeof w);
            known = true;
            fi_arena_free(&arena);
        }
    }
}

/* Without a gradient nothing moves, whatever the sign of zero. */
static void rest(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    struct fi_arena arena;
    fi_arena_init(&arena, ctx);
    const struct fanin_rule_ref ref = rule(&arena, &forms[2]);
    const struct fi_optim *sgd = (const struct fi_optim *)(const void *)ref.record;
    fi_real w[N], before[N], v[N] = {0}, g[N] = {0}, *states[] = {v};
    for (int64_t i = 0; i < N; i++) before[i] = w[i] = gradient(1, i);
    const struct fi_optim_step o = {.lr = 0.1, .t = 1, .attrs = ref.attrs, .momentum = 1};
    sgd->update(&o, 0, w, g, states, N);
    assert_memory_equal(w, before, sizeof w);
    fi_arena_free(&arena);
    fanin_ctx_free(ctx);
}

static struct CMUnitTest tests[] = {cmocka_unit_test(recurrences), cmocka_unit_test(rest)};

int main(void) {
    return test_main(tests);
}
