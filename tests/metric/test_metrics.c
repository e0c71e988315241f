/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metrics against results found by hand.
 */
#include "support/records.h"

static const struct fi_metric *find(fanin_ctx *ctx, const char *name) {
    const struct fi_metric *m =
        (const struct fi_metric *)(const void *)fanin_record_find(ctx, "metric", name);
    assert_non_null(m);
    return m;
}

static void set_row(const struct fanin_tensor *t, int64_t r, const double *values) {
    for (int64_t c = 0; c < t->cols; c++) *test_at(t, r, c) = (fi_real)values[c];
}

/* Five samples, three classes: right, wrong, a tie that goes to the first, NaN, right. */
static struct fanin_tensor distributions(struct fi_arena *arena) {
    const struct fanin_tensor p = test_tensor(arena, 5, 3);
    set_row(&p, 0, (double[]){0.7, 0.2, 0.1});
    set_row(&p, 1, (double[]){0.1, 0.6, 0.3});
    set_row(&p, 2, (double[]){0.4, 0.2, 0.4});
    set_row(&p, 3, (double[]){0.5, NAN, 0.5});
    set_row(&p, 4, (double[]){0, 0, 1});
    return p;
}
static const int32_t labels[] = {0, 2, 0, 0, 2};

static void classification(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    struct fi_arena arena;
    fi_arena_init(&arena, ctx);
    const struct fanin_tensor p = distributions(&arena);
    const struct fi_metric *accuracy = find(ctx, "accuracy"), *confusion = find(ctx, "confusion");
    double sum = 0, cells[9] = {0};
    static const double want[9] = {2, 0, 0, 0, 0, 0, 0, 1, 1};
    assert_int_equal(accuracy->cells(3), 1);
    assert_int_equal(confusion->cells(3), 9);
    assert_true(accuracy->higher_is_better);
    assert_null(confusion->value); /* a table */
    accuracy->add(&sum, 3, &p, labels, NULL);
    assert_true(sum == 3 && accuracy->value(&sum, 3, 5) == 0.6);
    accuracy->add(&sum, 3, &p, labels, NULL); /* sums go on over batches */
    assert_true(accuracy->value(&sum, 3, 10) == 0.6);
    confusion->add(cells, 3, &p, labels, NULL);
    assert_memory_equal(cells, want, sizeof want);
    fi_arena_free(&arena);
    fanin_ctx_free(ctx);
}

static void entropy(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    struct fi_arena arena;
    fi_arena_init(&arena, ctx);
    const struct fi_metric *m = find(ctx, "entropy");
    const struct fanin_tensor p = test_tensor(&arena, 3, 4);
    double sum = 0;
    set_row(&p, 0, (double[]){0.25, 0.25, 0.25, 0.25});
    set_row(&p, 1, (double[]){0, 1, 0, 0});
    set_row(&p, 2, (double[]){0.5, 0.5, 0, 0});
    assert_true(m->needs_distribution);
    m->add(&sum, 4, &p, (const int32_t[3]){0}, NULL);
    assert_true(fabs(m->value(&sum, 4, 3) - log(2.0)) < 1e-15); /* (2 + 0 + 1) log 2 / 3 */
    /* without labels each output is one of its own: (4 h(1/4) + 0 + 2 log 2) / 3 */
    const double h = -0.25 * log(0.25) - 0.75 * log(0.75);
    sum = 0;
    m->add(&sum, 4, &p, NULL, NULL);
    assert_true(fabs(m->value(&sum, 4, 3) - (4 * h + 2 * log(2.0)) / 3) < 1e-15);
    fi_arena_free(&arena);
    fanin_ctx_free(ctx);
}

static void rmse(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    struct fi_arena arena;
    fi_arena_init(&arena, ctx);
    const struct fi_metric *m = find(ctx, "rmse");
    const struct fanin_tensor p = test_tensor(&arena, 2, 2), t = test_tensor(&arena, 2, 2);
    double sum = 0;
    set_row(&p, 0, (double[]){1, 2});
    set_row(&p, 1, (double[]){3, 4});
    set_row(&t, 0, (double[]){1, 0});
    set_row(&t, 1, (double[]){6, 4});
    assert_true(m->task == FANIN_REGRESSION && !m->higher_is_better);
    m->add(&sum, 2, &p, NULL, &t);
    assert_true(fabs(m->value(&sum, 2, 2) - sqrt(13.0 / 4)) < 1e-15);
    fi_arena_free(&arena);
    fanin_ctx_free(ctx);
}

/* The value of a metric after one batch. */
static double value_of(struct fi_arena *arena, const char *name, const struct fanin_tensor *p,
                       const int32_t *classes, const struct fanin_tensor *targets) {
    const struct fi_metric *m = find(arena->ctx, name);
    double *sums = fi_arena_alloc(arena, m->cells(p->cols), sizeof *sums);
    assert_non_null(sums);
    m->add(sums, p->cols, p, classes, targets);
    return m->value(sums, p->cols, p->rows);
}

/* The five samples above: of class 0 two of three are found and nothing else is taken for it; class
 * 1 has no sample and takes one; of class 2 one of two is found. */
static void classes_by_hand(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    struct fi_arena arena;
    fi_arena_init(&arena, ctx);
    const struct fanin_tensor p = distributions(&arena);
    const double precision = (1 + 0 + 1) / 3.0, recall = (2.0 / 3 + 0 + 0.5) / 3;
    const double f1 = (4.0 / 5 + 0 + 2.0 / 3) / 3;
    assert_true(fabs(value_of(&arena, "precision", &p, labels, NULL) - precision) < 1e-15);
    assert_true(fabs(value_of(&arena, "recall", &p, labels, NULL) - recall) < 1e-15);
    assert_true(fabs(value_of(&arena, "f1", &p, labels, NULL) - f1) < 1e-15);
    assert_true(value_of(&arena, "top5", &p, labels, NULL) == 0.8); /* all but the NaN */
    assert_true(isnan(value_of(&arena, "ece", &p, labels, NULL)));
    assert_true(isnan(value_of(&arena, "brier", &p, labels, NULL)));
    assert_true(isnan(value_of(&arena, "confidence", &p, labels, NULL)));
    assert_false(isnan(value_of(&arena, "auc", &p, labels, NULL)));
    fi_arena_free(&arena);
    fanin_ctx_free(ctx);
}

/* Six equal classes: the sixth is not among the first five; every score ties. A certain net. */
static void ends_of_the_scale(void **state) {
    (void)state;
    static const int32_t each[] = {0, 1, 2, 3, 4, 5}, wrong[] = {1, 0, 3, 2, 5, 4};
    fanin_ctx *ctx = test_ctx();
    struct fi_arena arena;
    fi_arena_init(&arena, ctx);
    const struct fanin_tensor p = test_tensor(&arena, 6, 6);
    test_fill(&p, 1.0 / 6);
    assert_true(value_of(&arena, "top5", &p, each, NULL) == 5.0 / 6);
    assert_true(value_of(&arena, "auc", &p, each, NULL) == 0.5);
    assert_true(value_of(&arena, "ece", &p, each, NULL) < 1e-7);
    for (int64_t r = 0; r < 6; r++)
        for (int64_t c = 0; c < 6; c++) *test_at(&p, r, c) = r == c;
    assert_true(value_of(&arena, "auc", &p, each, NULL) == 1);
    assert_true(value_of(&arena, "brier", &p, each, NULL) == 0);
    assert_true(value_of(&arena, "brier", &p, wrong, NULL) == 2);
    assert_true(value_of(&arena, "ece", &p, each, NULL) == 0);
    assert_true(value_of(&arena, "ece", &p, wrong, NULL) == 1);
    assert_true(value_of(&arena, "log_loss", &p, each, NULL) == 0);
    assert_true(fabs(value_of(&arena, "log_loss", &p, wrong, NULL) - 126 * log(2)) < 1e-12);
    const int32_t one_class[6] = {0};
    assert_true(isnan(value_of(&arena, "auc", &p, one_class, NULL))); /* nothing to compare */
    fi_arena_free(&arena);
    fanin_ctx_free(ctx);
}

/* R² of targets that never change, and of targets far from 0. */
static void r2(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    struct fi_arena arena;
    fi_arena_init(&arena, ctx);
    const struct fanin_tensor p = test_tensor(&arena, 3, 1), t = test_tensor(&arena, 3, 1);
    test_fill(&p, 0.1);
    test_fill(&t, 0.1);
    assert_true(value_of(&arena, "r2", &p, NULL, &t) == 1);
    *test_at(&p, 1, 0) = 0.2f;
    assert_true(value_of(&arena, "r2", &p, NULL, &t) == 0);
    *test_at(&p, 1, 0) = (fi_real)NAN;
    assert_true(isnan(value_of(&arena, "r2", &p, NULL, &t)));
    for (int64_t r = 0; r < 3; r++) *test_at(&t, r, 0) = (fi_real)(8e6 + (double)r);
    test_fill(&p, 8e6 + 1);
    assert_true(value_of(&arena, "r2", &p, NULL, &t) == 0); /* the mean itself */
    fi_arena_free(&arena);
    fanin_ctx_free(ctx);
}

static struct CMUnitTest tests[] = {
    cmocka_unit_test(classes_by_hand), cmocka_unit_test(ends_of_the_scale), cmocka_unit_test(r2),
    cmocka_unit_test(classification),  cmocka_unit_test(entropy),           cmocka_unit_test(rmse)};

int main(void) {
    return test_main(tests);
}
