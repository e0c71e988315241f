/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Regularizers: weight_decay is l2 for SGD without momentum and is not for AdamW; values and signs.
 */
#include "support/records.h"

#define N 100
#define STEPS 200

static fi_real gradient(int64_t t, int64_t i) {
    return (fi_real)(0.3 * test_normal((uint64_t)t, i));
}

/* STEPS steps with λ as decay or as penalty. */
static void train(fanin_ctx *ctx, const char *optim_name, double lr, double lambda, bool decoupled,
                  fi_real *w) {
    struct fi_arena arena;
    fi_arena_init(&arena, ctx);
    const struct fanin_attr strength = {.number = lambda};
    const struct fanin_rule_ref o = test_rule(&arena, "optim", optim_name, NULL, 0);
    const struct fanin_rule_ref decay = test_rule(&arena, "reg", "weight_decay", &strength, 1);
    const struct fanin_rule_ref l2 = test_rule(&arena, "reg", "l2", &strength, 1);
    const struct fi_optim *optim = (const struct fi_optim *)(const void *)o.record;
    const struct fi_reg *decay_reg = (const struct fi_reg *)(const void *)decay.record;
    const struct fi_reg *l2_reg = (const struct fi_reg *)(const void *)l2.record;
    fi_real g[N], s[2][N] = {{0}}, *state[] = {s[0], s[1]};
    struct fi_optim_step step = {.lr = lr, .attrs = o.attrs, .pow1 = 1, .pow2 = 1, .momentum = 1};
    double base1 = 1, base2 = 1;
    if (optim->powers) optim->powers(o.attrs, &base1, &base2);
    for (int64_t i = 0; i < N; i++) w[i] = (fi_real)test_normal(77, i);
    for (step.t = 1; step.t <= STEPS; step.t++) {
        step.pow1 *= base1;
        step.pow2 *= base2;
        for (int64_t i = 0; i < N; i++) g[i] = gradient(step.t, i);
        if (!decoupled) l2_reg->gradient(l2.attrs, 1, w, g, N);
        optim->update(&step, decoupled ? (fi_real)decay_reg->decay(decay.attrs) : 0, w, g, state,
                      N);
    }
    fi_arena_free(&arena);
}

static double largest_difference(const fi_real *a, const fi_real *b) {
    double largest = 0;
    for (int i = 0; i < N; i++) largest = fmax(largest, fabs((double)a[i] - (double)b[i]));
    return largest;
}

static void decay_and_l2(void **state) {
    (void)state;
    fi_real decay[N], l2[N], plain[N];
    fanin_ctx *ctx = test_ctx();
    train(ctx, "sgd", 0.1, 0.05, true, decay);
    train(ctx, "sgd", 0.1, 0.05, false, l2);
    train(ctx, "sgd", 0.1, 0, true, plain);
    assert_true(largest_difference(decay, l2) < STEPS * 2e-7);
    assert_true(largest_difference(decay, plain) > 0.1);
    train(ctx, "adamw", 0.01, 0.05, true, decay);
    train(ctx, "adamw", 0.01, 0.05, false, l2);
    assert_true(largest_difference(decay, l2) > 0.02);
    fanin_ctx_free(ctx);
}

/* No strength: nothing is touched, to the last bit. */
static void zero_strength(void **state) {
    (void)state;
    fi_real decay[N], l2[N];
    fanin_ctx *ctx = test_ctx();
    train(ctx, "adamw", 0.01, 0, true, decay);
    train(ctx, "adamw", 0.01, 0, false, l2);
    assert_memory_equal(decay, l2, sizeof l2);
    fanin_ctx_free(ctx);
}

static void values(void **state) {
    (void)state;
    const struct fanin_attr strength = {.number = 0.5};
    uint64_t first = 0;
    FOR_EACH_TIER(ctx, 1) {
        struct fi_arena arena;
        fi_arena_init(&arena, ctx);
        const struct fanin_rule_ref l2 = test_rule(&arena, "reg", "tikhonov", &strength, 1);
        const struct fi_reg *reg = (const struct fi_reg *)(const void *)l2.record;
        const struct fanin_tensor w = test_tensor(&arena, 1, 1003),
                                  g = test_tensor(&arena, 1, 1003);
        long double want = 0;
        test_fill_normal(&w, 5, 0, 1);
        test_fill(&g, 1);
        for (int64_t i = 0; i < 1003; i++) want += 0.25L * *test_at(&w, 0, i) * *test_at(&w, 0, i);
        const double value = reg->value(l2.attrs, w.data, 1003);
        assert_true(fabsl(value - want) < 1e-12L * want);
        reg->gradient(l2.attrs, 1, w.data, g.data, 1003);
        for (int64_t i = 0; i < 1003; i++)
            assert_true(*test_at(&g, 0, i) == fmaf(0.5f, *test_at(&w, 0, i), 1));
        uint64_t bits;
        memcpy(&bits, &value, sizeof bits);
        const uint64_t hash = fi_hash_mix(test_hash(0, &g), bits);
        if (!first) first = hash;
        assert_true(hash == first);
        fi_arena_free(&arena);
    }
}

/* confidence_penalty rewards entropy, entropy_minimization punishes it. */
static void signs(void **state) {
    (void)state;
    const struct fanin_attr strength = {.name = "beta", .number = 0.25};
    fanin_ctx *ctx = test_ctx();
    struct fi_arena arena;
    fi_arena_init(&arena, ctx);
    for (int sign = -1; sign <= 1; sign += 2) {
        const struct fanin_rule_ref ref = test_rule(
            &arena, "reg", sign < 0 ? "confidence_penalty" : "entropy_minimization", &strength, 1);
        const struct fi_reg *reg = (const struct fi_reg *)(const void *)ref.record;
        double slope;
        assert_true(reg->of_entropy(ref.attrs, 2, &slope) == sign * 0.5 && slope == sign * 0.25);
    }
    fi_arena_free(&arena);
    fanin_ctx_free(ctx);
}

static void strength_is_required(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    for (int i = 0; fanin_record_at(ctx, "reg", i); i++) {
        struct fi_arena arena;
        struct fanin_rule_ref ref;
        fi_arena_init(&arena, ctx);
        struct fanin_attr attr = {.number = -1};
        struct fanin_rule rule = {.name = fanin_record_at(ctx, "reg", i)->name};
        assert_refused(ctx, FANIN_ERR_RECIPE, rule.name,
                       fi_rule_resolve(&arena, &ref, "reg", &rule, "regularize"));
        rule.attrs = &attr;
        rule.n_attrs = 1;
        assert_refused(ctx, FANIN_ERR_RECIPE, "at least 0",
                       fi_rule_resolve(&arena, &ref, "reg", &rule, "regularize"));
        fi_arena_free(&arena);
    }
    fanin_ctx_free(ctx);
}

static struct CMUnitTest tests[] = {cmocka_unit_test(decay_and_l2), cmocka_unit_test(zero_strength),
                                    cmocka_unit_test(values), cmocka_unit_test(signs),
                                    cmocka_unit_test(strength_is_required)};

int main(void) {
    return test_main(tests);
}
