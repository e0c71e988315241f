/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an optimizer says it keeps: with these attributes the other states are not looked at, and
 * each that is kept changes.
 */
#include "support/records.h"

enum { N = 37 };

struct form {
    const char *name;
    struct fanin_attr attrs[2];
    int n_attrs, keeps;
};
static const struct form forms[] = {
    {"sgd", {{0}}, 0, 0},
    {"sgd", {{.name = "momentum", .number = 0.9}}, 1, 1},
    {"rmsprop", {{0}}, 0, 1},
    {"rmsprop", {{.name = "momentum", .number = 0.9}}, 1, 2},
    {"rmsprop", {{.name = "centered", .number = 1}}, 1, 3},
    {"adam", {{0}}, 0, 2},
    {"adamw", {{0}}, 0, 2},
    {"adagrad", {{0}}, 0, 1},
};

static void run(const struct fi_optim *optim, const void *attrs, fi_real *const *state,
                fi_real *w) {
    for (int64_t t = 1; t <= 3; t++) {
        const struct fi_optim_step o = {
            .lr = 0.05, .t = t, .attrs = attrs, .pow1 = 0.5, .pow2 = 0.5, .momentum = 1};
        fi_real g[N];
        for (int i = 0; i < N; i++) g[i] = (fi_real)(i % 7 - 3) / (fi_real)(t + 1);
        optim->update(&o, 0, w, g, state, N);
    }
}

static void only_what_is_kept(void **unused) {
    (void)unused;
    for (int k = 0; k < FI_COUNT(forms); k++) FOR_EACH_TIER(ctx, 1) {
            struct fi_arena arena;
            fi_arena_init(&arena, ctx);
            const struct fanin_rule_ref rule =
                test_rule(&arena, "optim", forms[k].name, forms[k].attrs, forms[k].n_attrs);
            const struct fi_optim *optim = (const struct fi_optim *)(const void *)rule.record;
            const int keeps = optim->keeps ? optim->keeps(rule.attrs) : optim->n_states;
            fi_real w[2][N] = {{0}}, room[2][3][N] = {{{0}}};
            fi_real *all[3] = {room[0][0], room[0][1], room[0][2]}, *kept[3] = {0};
            for (int i = 0; i < keeps; i++) kept[i] = room[1][i];
            run(optim, rule.attrs, all, w[0]);
            run(optim, rule.attrs, kept, w[1]);
            assert_int_equal(keeps, forms[k].keeps);
            assert_memory_equal(w[0], w[1], sizeof w[0]);
            assert_memory_equal(room[0], room[1], sizeof room[0]);
            fi_arena_free(&arena);
        }
}

int main(void) {
    struct CMUnitTest tests[] = {cmocka_unit_test(only_what_is_kept)};
    return test_main(tests);
}
