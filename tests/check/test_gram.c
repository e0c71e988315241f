/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An activation on a whole batch of signals, against the double integral pair by pair and against
 * closed forms.
 */
#include "check/gram.h"
#include "support/records.h"

#define N 12

/* Correlations from -0.9 to 1, standard deviations within a factor 2. */
static void make_input(struct fanin_signal *x) {
    double factor[N][3];
    for (int a = 0; a < N; a++) {
        x->mean[a] = 0;
        for (int k = 0; k < 3; k++) factor[a][k] = test_normal(5, 3 * a + k) / 2 + (k == 0) * 0.8;
    }
    for (int a = 0; a < N; a++)
        for (int b = 0; b < N; b++) {
            x->cov[a * N + b] = 0;
            for (int k = 0; k < 3; k++) x->cov[a * N + b] += factor[a][k] * factor[b][k];
        }
}

static void all_activations(void **state) {
    (void)state;
    static double mean[2][N], cov[2][N * N], slopes[N * N];
    const struct fanin_signal x = {.n = N, .mean = mean[0], .cov = cov[0]};
    const struct fanin_signal y = {.n = N, .mean = mean[1], .cov = cov[1]};
    fanin_ctx *ctx = test_ctx();
    struct fi_arena arena;
    struct fi_gram gram = {0}; /* one for all, as in a net */
    const struct fanin_record *record;
    fi_arena_init(&arena, ctx);
    for (int i = 0; (record = fanin_record_at(ctx, "op", i)); i++) {
        const struct fanin_op *op = (const struct fanin_op *)(const void *)record;
        if (!op->curve) continue;
        const struct fi_activation f = {
            .curve = op->curve, .attrs = test_rule(&arena, "op", record->name, NULL, 0).attrs};
        make_input((struct fanin_signal *)(uintptr_t)&x);
        /* one law for all, so that the double integral applies */
        for (int a = 0; a < N; a++)
            for (int b = 0; b < N; b++)
                slopes[a * N + b] = cov[0][a * N + b] / sqrt(cov[0][a * N + a] * cov[0][b * N + b]);
        for (int a = 0; a < N * N; a++) cov[0][a] = 1.7 * slopes[a];
        assert_ok(ctx, fi_gram_activate(&arena, &gram, &f, &x, &y, slopes));
        for (int a = 0; a < N; a += 5)
            for (int b = 0; b <= a; b++) {
                double ff, ss;
                assert_ok(ctx, fi_cross(ctx, &ff, &ss, &f, 1.7, cov[0][a * N + b] / 1.7));
                const double found = cov[1][a * N + b] + mean[1][a] * mean[1][b];
                const double size = cov[1][a * N + a] + mean[1][a] * mean[1][a];
                if (fabs(found - ff) > 2e-4 * size)
                    fail_msg("%s: correlation %g: %.9g, not %.9g", record->name,
                             cov[0][a * N + b] / 1.7, found, ff);
                if (fabs(slopes[a * N + b] - ss) > 4e-3 * slopes[0])
                    fail_msg("%s: slopes at correlation %g: %.9g, not %.9g", record->name,
                             cov[0][a * N + b] / 1.7, slopes[a * N + b], ss);
            }
    }
    fi_arena_free(&arena);
    fanin_ctx_free(ctx);
}

/* relu with laws of different width: the arc-cosine kernel of degree 1 (Cho, Saul 2009). */
static void relu_of_different_laws(void **state) {
    (void)state;
    static double mean[2][N], cov[2][N * N], slopes[N * N];
    const struct fanin_signal x = {.n = N, .mean = mean[0], .cov = cov[0]};
    const struct fanin_signal y = {.n = N, .mean = mean[1], .cov = cov[1]};
    const double pi = acos(-1.0);
    fanin_ctx *ctx = test_ctx();
    struct fi_arena arena;
    struct fi_gram gram = {0};
    fi_arena_init(&arena, ctx);
    const struct fanin_rule_ref ref = test_rule(&arena, "op", "relu", NULL, 0);
    const struct fi_activation f = {
        .curve = ((const struct fanin_op *)(const void *)ref.record)->curve, .attrs = ref.attrs};
    make_input((struct fanin_signal *)(uintptr_t)&x);
    assert_ok(ctx, fi_gram_activate(&arena, &gram, &f, &x, &y, slopes));
    for (int a = 0; a < N; a++)
        for (int b = 0; b < N; b++) {
            const double both = sqrt(cov[0][a * N + a] * cov[0][b * N + b]);
            const double angle = acos(fmax(-1, fmin(1, cov[0][a * N + b] / both)));
            const double kernel = both / (2 * pi) * (sin(angle) + (pi - angle) * cos(angle));
            assert_true(fabs(cov[1][a * N + b] + mean[1][a] * mean[1][b] - kernel) < 3e-4 * both);
            assert_true(fabs(slopes[a * N + b] - (pi - angle) / (2 * pi)) < 3e-3);
        }
    fi_arena_free(&arena);
    fanin_ctx_free(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_activations),
                                       cmocka_unit_test(relu_of_different_laws)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
