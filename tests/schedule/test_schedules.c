/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Schedules against their closed forms, and the warm-up before any of them.
 */
#include "schedule/schedule.h"

#include "support/records.h"

static double factor(fanin_ctx *ctx, const char *name, const struct fanin_attr *attrs, int n,
                     int64_t step, int64_t total, int64_t per_epoch) {
    struct fi_arena arena;
    fi_arena_init(&arena, ctx);
    const struct fanin_rule_ref ref = test_rule(&arena, "schedule", name, attrs, n);
    const double f = fi_schedule_factor((const struct fi_schedule *)(const void *)ref.record,
                                        ref.attrs, step, total, per_epoch);
    fi_arena_free(&arena);
    return f;
}

static void closed_forms(void **state) {
    (void)state;
    const struct fanin_attr steps[] = {{.number = 3}, {.name = "gamma", .number = 0.3}};
    const struct fanin_attr min = {.name = "min", .number = 0.1};
    fanin_ctx *ctx = test_ctx();
    for (int64_t t = 0; t < 200; t += 7) {
        assert_true(factor(ctx, "constant", NULL, 0, t, 200, 10) == 1);
        const double stair = pow(0.3, (double)(t / 10 / 3));
        assert_true(fabs(factor(ctx, "step", steps, 2, t, 200, 10) - stair) < 1e-15);
        const double half = 0.5 * (1 + cos(3.14159265358979323846 * (double)t / 200));
        assert_true(fabs(factor(ctx, "cosine", NULL, 0, t, 200, 10) - half) < 1e-15);
        assert_true(fabs(factor(ctx, "cosine", &min, 1, t, 200, 10) - (0.1 + 0.9 * half)) < 1e-15);
    }
    assert_true(factor(ctx, "cosine", &min, 1, 0, 200, 10) == 1);
    assert_true(fabs(factor(ctx, "cosine", &min, 1, 100, 200, 10) - 0.55) < 1e-15);
    assert_true(factor(ctx, "cosine", &min, 1, 200, 200, 10) == 0.1);
    fanin_ctx_free(ctx);
}

/* Every schedule knows warmup_epochs: a ramp that starts above 0, ends below 1 and meets the
 * schedule's first factor without a jump; but for one_cycle, which has a ramp of its own. */
static void warm_up(void **state) {
    (void)state;
    static const double milestones[] = {3, 7};
    const struct fanin_attr attrs[] = {{.name = "warmup_epochs", .number = 2.5},
                                       {.name = "milestones", .list = milestones, .n_list = 2}};
    fanin_ctx *ctx = test_ctx();
    for (int i = 0; fanin_record_at(ctx, "schedule", i); i++) {
        const char *name = fanin_record_at(ctx, "schedule", i)->name;
        const int more = strcmp(name, "multistep") == 0; /* the one that needs an attribute */
        for (int64_t t = 0; t < 25; t++)
            assert_true(factor(ctx, name, attrs, 1 + more, t, 200, 10) == (double)(t + 1) / 26);
        for (int64_t t = 25; t < 200; t++) /* then as in a run that is shorter by 25 steps */
            assert_true(factor(ctx, name, attrs, 1 + more, t, 200, 10) ==
                        factor(ctx, name, attrs + 1, more, t - 25, 175, 10));
        const double first = strcmp(name, "one_cycle") == 0 ? 1.0 / 25 : 1;
        assert_true(fabs(factor(ctx, name, attrs, 1 + more, 25, 200, 10) - first) < 1e-15);
    }
    fanin_ctx_free(ctx);
}

/* Every factor of every schedule, also behind the end of the run and for runs of one step. */
static void within_bounds(void **state) {
    (void)state;
    static const int64_t ends[] = {1, 2, 3, 10, 200, INT64_MAX};
    static const double milestones[] = {0, 0.5, 1e9};
    const struct fanin_attr list = {.list = milestones, .n_list = 3};
    fanin_ctx *ctx = test_ctx();
    for (int i = 0; fanin_record_at(ctx, "schedule", i); i++)
        for (int e = 0; e < FI_COUNT(ends); e++)
            for (int64_t t = 0; t < 12; t++) {
                const char *name = fanin_record_at(ctx, "schedule", i)->name;
                const bool more = strcmp(name, "multistep") == 0;
                const int64_t step = t < 11 ? t : ends[e];
                const double f = factor(ctx, name, &list, more, step, ends[e], 10);
                assert_true(f >= 0 && f <= 1);
            }
    fanin_ctx_free(ctx);
}

static void cycles(void **state) {
    (void)state;
    const struct fanin_attr whole = {.number = 1}, none = {.number = 0}, third = {.number = 0.1};
    const struct fanin_attr twice[] = {{.number = 1e-9}, {.name = "mult", .number = 2}};
    const struct fanin_attr tiny = {.number = 1e-9};
    fanin_ctx *ctx = test_ctx();
    /* up all the way; down all the way; the peak in the first step */
    assert_true(factor(ctx, "one_cycle", &whole, 1, 9, 10, 1) == 1);
    assert_true(factor(ctx, "one_cycle", &none, 1, 9, 10, 1) == 1.0 / 25 / 1e4);
    assert_true(factor(ctx, "one_cycle", &third, 1, 0, 10, 1) == 1);
    /* a period below a step starts anew at each, and doubled ones at 1, 3, 7, 15 */
    assert_true(factor(ctx, "cosine_restarts", &tiny, 1, 5, 10, 1) == 1);
    for (int64_t t = 0; t < 20; t++)
        assert_true((factor(ctx, "cosine_restarts", twice, 2, t, 20, 1) == 1) ==
                    (t == 0 || t == 1 || t == 3 || t == 7 || t == 15));
    fanin_ctx_free(ctx);
}

static void refused(void **state) {
    (void)state;
    static const double early[] = {3, -1};
    static const struct {
        const char *name;
        struct fanin_attr attr;
        const char *part;
    } wrong[] = {{"multistep", {.name = "gamma", .number = 0.5}, "milestones"},
                 {"multistep", {.list = early, .n_list = 2}, "milestones"},
                 {"exponential", {.number = 1.5}, "gamma"},
                 {"polynomial", {.number = 0}, "power"},
                 {"inverse", {.number = 0}, "tau"},
                 {"one_cycle", {.name = "div", .number = 0.5}, "div"},
                 {"cosine_restarts", {.name = "mult", .number = 1.5}, "mult"}};
    fanin_ctx *ctx = test_ctx();
    for (int i = 0; i < FI_COUNT(wrong); i++) {
        struct fi_arena arena;
        struct fanin_rule_ref ref;
        fi_arena_init(&arena, ctx);
        const struct fanin_rule rule = {wrong[i].name, &wrong[i].attr, 1, 0};
        assert_refused(ctx, FANIN_ERR_RECIPE, wrong[i].part,
                       fi_rule_resolve(&arena, &ref, "schedule", &rule, "schedule"));
        fi_arena_free(&arena);
    }
    fanin_ctx_free(ctx);
}

static void edges(void **state) {
    (void)state;
    const struct fanin_attr longer = {.name = "warmup_epochs", .number = 1e9};
    const struct fanin_attr tenth = {.name = "warmup_epochs", .number = 0.04};
    const struct fanin_attr never[] = {{.name = "gamma", .number = 0}};
    fanin_ctx *ctx = test_ctx();
    /* a warm-up that is longer than the run; one that is shorter than a step */
    assert_true(factor(ctx, "cosine", &longer, 1, 9, 10, INT64_MAX) == 10.0 / 11);
    assert_true(factor(ctx, "cosine", &tenth, 1, 0, 100, 10) == 1);
    assert_true(factor(ctx, "cosine", NULL, 0, 0, 1, 1) == 1);
    assert_true(factor(ctx, "step", never, 1, 99, 1000, 10) == 1);
    assert_true(factor(ctx, "step", never, 1, 100, 1000, 10) == 0);
    assert_true(factor(ctx, "step", NULL, 0, INT64_MAX, INT64_MAX, 1) == 0);
    fanin_ctx_free(ctx);
}

static struct CMUnitTest tests[] = {cmocka_unit_test(closed_forms),  cmocka_unit_test(warm_up),
                                    cmocka_unit_test(within_bounds), cmocka_unit_test(cycles),
                                    cmocka_unit_test(refused),       cmocka_unit_test(edges)};

int main(void) {
    return test_main(tests);
}
