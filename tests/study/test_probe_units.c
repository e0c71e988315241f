/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Probes of parameters: the rows of weight matrices (unit_weights) and the distance from the start
 * (weights), against every pair written out.
 */
#include "support/probes.h"

#define IN 5
#define UNITS 40

static const char recipe[] = "net: [{dense: {units: 40}}, tanh, {dense: {units: 3}}]\n"
                             "train: {seed: 4}\n";
static const char constant[] = "net: [{dense: {units: 40, init: {constant: 0.1}}}, tanh, "
                               "{dense: {units: 3, init: orthogonal}}]\n";

static void open_study(struct test_study *s, const char *text) {
    fanin_ctx *ctx = test_ctx();
    study_open(s, text, ctx, blob_data(ctx, 60, IN, 3));
}

static void equal_units_have_no_spread(void **state) {
    (void)state;
    struct test_study s;
    open_study(&s, constant);
    study_look(&s, "unit_weights", NULL);
    assert_true(study_figure(&s, "spread", "dense1.weight") == 0);
    assert_true(study_figure(&s, "distinct", "dense1.weight") == 1);
    assert_near(study_figure(&s, "rank", "dense1.weight"), 1, 1e-12);
    assert_near(study_figure(&s, "rms", "dense1.weight"), (double)0.1f, 1e-12);
    assert_near(study_figure(&s, "rank", "dense2.weight"), 3, 1e-5);
    assert_true(study_figure(&s, "distinct", "dense2.weight") == 3);
    study_close(&s);
}

/* One bit of one weight. */
static void a_last_bit_is_a_spread(void **state) {
    (void)state;
    struct test_study s;
    float w[UNITS * IN];
    open_study(&s, constant);
    assert_ok(s.ctx, fanin_model_get(s.model, "dense1.weight", w, UNITS * IN));
    const float old = w[17 * IN + 2];
    w[17 * IN + 2] = nextafterf(old, 1);
    assert_ok(s.ctx, fanin_model_set(s.model, "dense1.weight", w, UNITS * IN));
    study_look(&s, "unit_weights", NULL);
    assert_true(study_figure(&s, "spread", "dense1.weight") ==
                (double)w[17 * IN + 2] - (double)old);
    assert_true(study_figure(&s, "distinct", "dense1.weight") == 2);
    for (int i = 0; i < UNITS * IN; i++) w[i] = i % 3 ? 0.0f : -0.0f;
    assert_ok(s.ctx, fanin_model_set(s.model, "dense1.weight", w, UNITS * IN));
    study_look(&s, "unit_weights", NULL);
    assert_true(study_figure(&s, "spread", "dense1.weight") == 0);
    assert_true(study_figure(&s, "distinct", "dense1.weight") == 1);
    assert_true(isnan(study_figure(&s, "rank", "dense1.weight")));
    w[3] = NAN;
    assert_ok(s.ctx, fanin_model_set(s.model, "dense1.weight", w, UNITS * IN));
    assert_ok(s.ctx, study_try(&s, "unit_weights", NULL));
    assert_true(isnan(study_figure(&s, "spread", "dense1.weight")));
    study_close(&s);
}

/* All pairs of units; the rank by the larger Gram matrix. */
static void figures_of_random_weights(void **state) {
    (void)state;
    struct test_study s;
    float w[UNITS * IN];
    double spread = 0, trace = 0, squares = 0;
    open_study(&s, recipe);
    assert_ok(s.ctx, fanin_model_get(s.model, "dense1.weight", w, UNITS * IN));
    for (int a = 0; a < UNITS; a++)
        for (int b = 0; b < UNITS; b++) {
            double dot = 0;
            for (int i = 0; i < IN; i++) {
                spread = fmax(spread, fabs((double)w[a * IN + i] - (double)w[b * IN + i]));
                dot += (double)w[a * IN + i] * (double)w[b * IN + i];
            }
            trace += a == b ? dot : 0;
            squares += dot * dot;
        }
    study_look(&s, "unit_weights", NULL);
    assert_true(study_figure(&s, "spread", "dense1.weight") == spread);
    assert_true(study_figure(&s, "distinct", "dense1.weight") == UNITS);
    assert_near(study_figure(&s, "rank", "dense1.weight"), trace * trace / squares, 1e-9);
    assert_near(study_figure(&s, "rms", "dense1.weight"), sqrt(trace / (UNITS * IN)), 1e-9);
    study_close(&s);
}

static void weights_move_from_their_start(void **state) {
    (void)state;
    struct test_study s;
    float w[UNITS * IN], b[UNITS];
    double sum = 0, squares = 0, began = 0, apart = 0;
    open_study(&s, recipe);
    study_look(&s, "weights", NULL);
    assert_true(study_figure(&s, "moved", "dense1.weight") == 0);
    assert_true(study_figure(&s, "distance", "dense2.bias") == 0);
    assert_true(isnan(study_figure(&s, "moved", "dense2.bias")));
    assert_ok(s.ctx, fanin_model_get(s.model, "dense1.weight", w, UNITS * IN));
    for (int i = 0; i < UNITS * IN; i++) {
        const float start = w[i];
        w[i] = (float)(0.5 * (double)start + 0.01 * i);
        began += (double)start * (double)start;
        apart += pow((double)w[i] - (double)start, 2);
        sum += (double)w[i];
        squares += (double)w[i] * (double)w[i];
    }
    for (int i = 0; i < UNITS; i++) b[i] = 0.25f;
    assert_ok(s.ctx, fanin_model_set(s.model, "dense1.weight", w, UNITS * IN));
    assert_ok(s.ctx, fanin_model_set(s.model, "dense1.bias", b, UNITS));
    study_look(&s, "weights", NULL);
    assert_near(study_figure(&s, "mean", "dense1.weight"), sum / (UNITS * IN), 1e-12);
    assert_near(study_figure(&s, "norm", "dense1.weight"), sqrt(squares), 1e-9);
    assert_near(study_figure(&s, "rms", "dense1.weight"), sqrt(squares / (UNITS * IN)), 1e-9);
    assert_near(study_figure(&s, "distance", "dense1.weight"), sqrt(apart), 1e-9);
    assert_near(study_figure(&s, "moved", "dense1.weight"), sqrt(apart / began), 1e-9);
    assert_near(study_figure(&s, "distance", "dense1.bias"), 0.25 * sqrt(UNITS), 1e-12);
    assert_int_equal(bins_total(study_bins(&s, "numbers", "dense1.weight")), UNITS * IN);
    const struct test_bins *flat = study_bins(&s, "numbers", "dense1.bias");
    assert_true(flat->low < 0.25 && flat->high > 0.25);
    assert_int_equal(flat->counts[FI_PROBE_BINS / 2], UNITS);
    study_close(&s);
}

static void another_model_is_refused(void **state) {
    (void)state;
    struct test_study s;
    fanin_recipe *other;
    open_study(&s, recipe);
    assert_ok(s.ctx,
              fanin_recipe_parse(&other, s.ctx, "test", "net: [{dense: {units: 3}}]", NULL, 0));
    fanin_recipe_free(s.recipe);
    s.recipe = other;
    assert_refused(s.ctx, FANIN_ERR_RECIPE, "not of this recipe", study_try(&s, "weights", NULL));
    study_close(&s);
}

int main(void) {
    struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_units_have_no_spread),
        cmocka_unit_test(a_last_bit_is_a_spread),
        cmocka_unit_test(figures_of_random_weights),
        cmocka_unit_test(weights_move_from_their_start),
        cmocka_unit_test(another_model_is_refused),
    };
    return test_main(tests);
}
