/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gains of activations by quadrature, against closed forms and sums over a fine grid, which
 * converge exponentially for analytic functions; and
 * what a gain that is no activation's is told.
 */
#include "support/records.h"

static void known_gains(void **state) {
    (void)state;
    static const struct {
        const char *name;
        double gain;
    } known[] = {{"linear", 1},
                 {"relu", 1.41421356237309505},
                 {"tanh", 1.5925374197228312},
                 {"sigmoid", 1.8462285453386054}};
    fanin_ctx *ctx = test_ctx();
    for (int i = 0; i < FI_COUNT(known); i++) {
        double gain;
        assert_ok(ctx, fi_activation_gain(ctx, known[i].name, &gain));
        if (!(fabs(gain - known[i].gain) < 1e-12))
            fail_msg("%s: %.17g, not %.17g", known[i].name, gain, known[i].gain);
    }
    fanin_ctx_free(ctx);
}

/* Every activation has one, and E[f(z)²] agrees with a sum over a fine grid. */
static void all_activations(void **state) {
    (void)state;
    enum { N = 200000 };
    fanin_ctx *ctx = test_ctx();
    struct fi_arena arena;
    fi_arena_init(&arena, ctx);
    const struct fanin_record *record;
    for (int i = 0; (record = fanin_record_at(ctx, "op", i)); i++) {
        const struct fanin_curve *curve = ((const struct fanin_op *)(const void *)record)->curve;
        double gain, sum = 0;
        if (!curve) {
            assert_refused(ctx, FANIN_ERR_ARGUMENT, record->name,
                           fi_activation_gain(ctx, record->name, &gain));
            continue;
        }
        const void *attrs = test_rule(&arena, "op", record->name, NULL, 0).attrs;
        for (int k = 0; k < N; k++) {
            const double z = -12 + 24 * (k + 0.5) / N, y = curve->f(attrs, z);
            sum += y * y * exp(-0.5 * z * z);
        }
        assert_ok(ctx, fi_activation_gain(ctx, record->name, &gain));
        const double moment = sum * 24 / N / sqrt(2 * acos(-1.0));
        assert_true(fabs(gain * gain * moment - 1) < 1e-8);
    }
    fi_arena_free(&arena);
    fanin_ctx_free(ctx);
}

static void wrong_names(void **state) {
    (void)state;
    static const struct {
        const char *text, *part;
    } wrong[] = {{"tahn", "did you mean 'tanh'?"},
                 {"linaer", "did you mean 'linear'?"},
                 {"dense", "a number or the name of an activation, not 'dense'"},
                 {"", "activation"}};
    fanin_ctx *ctx = test_ctx();
    struct fi_arena arena;
    fi_arena_init(&arena, ctx);
    for (int i = 0; i < FI_COUNT(wrong); i++) {
        const struct fanin_attr attr = {.name = "gain", .text = wrong[i].text};
        const struct fanin_rule rule = {.name = "xavier_normal", .attrs = &attr, .n_attrs = 1};
        struct fanin_rule_ref ref;
        assert_refused(ctx, FANIN_ERR_RECIPE, wrong[i].part,
                       fi_rule_resolve(&arena, &ref, "init", &rule, "test"));
    }
    fi_arena_free(&arena);
    fanin_ctx_free(ctx);
}

static struct CMUnitTest tests[] = {
    cmocka_unit_test(known_gains),
    cmocka_unit_test(all_activations),
    cmocka_unit_test(wrong_names),
};

int main(void) {
    return test_main(tests);
}
