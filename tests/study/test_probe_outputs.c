/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Probes of what layers give: quantiles, features and ablation against the same written out with
 * the model's weights, signals against fanin check.
 */
#include "support/probes.h"

#define ROWS 300
#define IN 4
#define UNITS 6
#define CLASSES 3

static const char recipe[] =
    "net: [{dense: {units: 6}}, relu, {dropout: 0.5}, {dense: {units: 3}}]\n"
    "optim: {sgd: {lr: 0.05}}\n"
    "train: {epochs: 2, batch: 30, seed: 2}\n";

struct net {
    float w1[UNITS * IN], b1[UNITS], w2[CLASSES * UNITS], b2[CLASSES];
};

static void open_study(struct test_study *s, const char *text) {
    fanin_ctx *ctx = test_ctx();
    study_open(s, text, ctx, blob_data(ctx, ROWS, IN, CLASSES));
    study_train(s);
}

static void take_weights(struct test_study *s, struct net *w) {
    assert_ok(s->ctx, fanin_model_get(s->model, "dense1.weight", w->w1, UNITS * IN));
    assert_ok(s->ctx, fanin_model_get(s->model, "dense1.bias", w->b1, UNITS));
    assert_ok(s->ctx, fanin_model_get(s->model, "dense2.weight", w->w2, CLASSES * UNITS));
    assert_ok(s->ctx, fanin_model_get(s->model, "dense2.bias", w->b2, CLASSES));
}

static double hidden(const struct net *w, const float *x, int u) {
    double sum = (double)w->b1[u];
    for (int i = 0; i < IN; i++) sum += (double)w->w1[u * IN + i] * (double)x[i];
    return sum;
}

static int by_value(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* ---- quantiles ------------------------------------------------------------------------------------- */

static void quantiles_of_a_unit(void **state) {
    (void)state;
    struct test_study s;
    struct net w;
    double z[ROWS];
    open_study(&s, recipe);
    take_weights(&s, &w);
    float *x = inputs_of(&s);
    for (int r = 0; r < ROWS; r++) z[r] = hidden(&w, x + r * IN, 2);
    qsort(z, ROWS, sizeof *z, by_value);
    study_look(&s, "quantiles",
               ATTRS(WORD("node", "dense1"), WORD("part", "train"), NUMBER("unit", 2)));
    /* 0.15 * 299 = 44.85, 0.85 * 299 = 254.15 */
    const double low = z[44] + 0.85 * (z[45] - z[44]), high = z[254] + 0.15 * (z[255] - z[254]);
    assert_near(study_figure(&s, "p15", "dense1"), low, 1e-5);
    assert_near(study_figure(&s, "p50", "dense1"), (z[149] + z[150]) / 2, 1e-5);
    assert_near(study_figure(&s, "p85", "dense1"), high, 1e-5);
    assert_near(study_figure(&s, "spread", "dense1"), high - low, 1e-5);

    for (int r = 0; r < 21; r++) z[r] = hidden(&w, x + r * IN, 0);
    qsort(z, 21, sizeof *z, by_value);
    const double ends[] = {0, 0.025, 1};
    study_look(&s, "quantiles",
               ATTRS(WORD("node", "dense1"), WORD("part", "train"), NUMBER("rows", 21),
                     {.name = "quantiles", .list = ends, .n_list = 3}));
    assert_near(study_figure(&s, "p0", "dense1"), z[0], 1e-5);
    assert_near(study_figure(&s, "p2_5", "dense1"), (z[0] + z[1]) / 2, 1e-5);
    assert_near(study_figure(&s, "p100", "dense1"), z[20], 1e-5);
    assert_near(study_figure(&s, "spread", "dense1"), z[20] - z[0], 1e-5);
    free(x);
    study_close(&s);
}

static void quantiles_say_what_is_wrong(void **state) {
    (void)state;
    struct test_study s;
    const double beyond[] = {1.5};
    open_study(&s, recipe);
    assert_refused(s.ctx, FANIN_ERR_RECIPE, "did you mean 'dense2'",
                   study_try(&s, "quantiles", ATTRS(WORD("node", "dence2"))));
    assert_refused(s.ctx, FANIN_ERR_RECIPE, "6 units, counted from 0",
                   study_try(&s, "quantiles", ATTRS(WORD("node", "dense1"), NUMBER("unit", 6))));
    assert_refused(s.ctx, FANIN_ERR_RECIPE, "node", study_try(&s, "quantiles", NULL));
    assert_refused(s.ctx, FANIN_ERR_RECIPE, "quantiles",
                   study_try(&s, "quantiles",
                             ATTRS(WORD("node", "dense1"),
                                   {.name = "quantiles", .list = beyond, .n_list = 1})));
    assert_refused(s.ctx, FANIN_ERR_ARGUMENT, "the test part of the data is empty",
                   study_try(&s, "quantiles", ATTRS(WORD("node", "dense1"))));
    study_close(&s);
}

/* ---- features -------------------------------------------------------------------------------------- */

static void features_of_a_layer(void **state) {
    (void)state;
    struct test_study s;
    struct net w;
    double sum = 0, largest = 0;
    int active = 0, silent = 0;
    open_study(&s, recipe);
    take_weights(&s, &w);
    for (int i = 0; i < IN; i++) w.w1[4 * IN + i] = 0;
    w.b1[4] = -1; /* a unit that never is */
    assert_ok(s.ctx, fanin_model_set(s.model, "dense1.weight", w.w1, UNITS * IN));
    assert_ok(s.ctx, fanin_model_set(s.model, "dense1.bias", w.b1, UNITS));
    float *x = inputs_of(&s);
    for (int r = 0; r < ROWS; r++) {
        double most = 0;
        for (int u = 0; u < UNITS; u++) {
            const double y = fmax(0, hidden(&w, x + r * IN, u));
            sum += y;
            most = fmax(most, y);
            active += y > 0;
        }
        largest += most;
    }
    for (int u = 0; u < UNITS; u++) {
        int on = 0;
        for (int r = 0; r < ROWS; r++) on += hidden(&w, x + r * IN, u) > 0;
        silent += on == 0;
    }
    study_look(&s, "features", ATTRS(WORD("node", "relu1"), WORD("part", "train")));
    assert_near(study_figure(&s, "mean", "relu1"), sum / (ROWS * UNITS), 1e-5);
    assert_near(study_figure(&s, "active", "relu1"), (double)active / (ROWS * UNITS), 1e-9);
    assert_true(silent >= 1);
    assert_near(study_figure(&s, "silent", "relu1"), (double)silent / UNITS, 1e-12);
    assert_near(study_figure(&s, "largest", "relu1"), largest / ROWS, 1e-5);
    assert_int_equal(bins_total(study_bins(&s, "activations", "relu1")), ROWS * UNITS);
    const struct test_bins *means = study_bins(&s, "unit_means", "relu1");
    assert_int_equal(bins_total(means), UNITS);
    assert_true(means->low == 0 && means->counts[0] >= 1);
    free(x);
    study_close(&s);
}

/* ---- ablation -------------------------------------------------------------------------------------- */

static void take_loss(void *payload, const struct fanin_event *event) {
    for (int i = 0; i < event->n_figures; i++)
        if (strcmp(event->figures[i].name, "loss") == 0)
            *(double *)payload = event->figures[i].value;
}

static double loss_of(struct test_study *s) {
    double loss = NAN;
    assert_ok(s->ctx, fanin_evaluate(s->model, s->data, FANIN_TRAIN, take_loss, &loss));
    return loss;
}

/* A unit held at c: its column taken away, c times the column added to the biases. */
static double loss_held(struct test_study *s, const struct net *w, int u, double c) {
    struct net cut = *w;
    for (int o = 0; o < CLASSES; o++) {
        cut.b2[o] += (float)(c * (double)w->w2[o * UNITS + u]);
        cut.w2[o * UNITS + u] = 0;
    }
    assert_ok(s->ctx, fanin_model_set(s->model, "dense2.weight", cut.w2, CLASSES * UNITS));
    assert_ok(s->ctx, fanin_model_set(s->model, "dense2.bias", cut.b2, CLASSES));
    const double loss = loss_of(s);
    assert_ok(s->ctx, fanin_model_set(s->model, "dense2.weight", w->w2, CLASSES * UNITS));
    assert_ok(s->ctx, fanin_model_set(s->model, "dense2.bias", w->b2, CLASSES));
    return loss;
}

static void check_ablation(struct test_study *s, const char *node, bool zero, int units) {
    struct net w;
    double sum = 0, most = -INFINITY;
    take_weights(s, &w);
    float *x = inputs_of(s);
    const double loss = loss_of(s);
    for (int k = 0; k < units; k++) {
        const int u = k * UNITS / units;
        double mean = 0;
        for (int r = 0; r < ROWS; r++) mean += fmax(0, hidden(&w, x + r * IN, u)) / ROWS;
        const double more = loss_held(s, &w, u, zero ? 0 : mean) - loss;
        sum += more / units;
        most = fmax(most, more);
    }
    free(x);
    study_look(s, "ablation",
               ATTRS(WORD("node", node), WORD("part", "train"), NUMBER("rows", 0),
                     WORD("held", zero ? "zero" : "mean"), NUMBER("units", units)));
    assert_near(study_figure(s, "loss", node), loss, 1e-6);
    assert_near(study_figure(s, "mean_increase", node), sum, 1e-5);
    assert_near(study_figure(s, "max_increase", node), most, 1e-5);
    assert_near(study_figure(s, "relative_mean", node), sum / loss, 1e-5);
    assert_near(study_figure(s, "relative_max", node), most / loss, 1e-5);
    assert_int_equal(bins_total(study_bins(s, "increase", node)), units);
    assert_true(most > 0.01);
}

static void ablation_takes_units_away(void **state) {
    (void)state;
    struct test_study s;
    open_study(&s, recipe);
    check_ablation(&s, "relu1", true, UNITS);
    check_ablation(&s, "relu1", false, UNITS);
    check_ablation(&s, "dropout1", false, UNITS);
    check_ablation(&s, "relu1", true, 4);
    study_close(&s);
}

/* What nothing reads any more costs nothing, whoever else reads the node it came from. */
static void ablation_is_of_one_node(void **state) {
    (void)state;
    struct test_study s;
    open_study(&s, "net:\n"
                   "  - {dense: {units: 6}}\n"
                   "  - relu\n"
                   "  - {dropout: 0.2, name: branch}\n"
                   "  - {scale: {value: 0, frozen: true}, name: closed}\n"
                   "  - {add: , from: [relu1, closed]}\n"
                   "  - {dense: {units: 3}}\n"
                   "train: {epochs: 1, batch: 30}\n");
    study_look(&s, "ablation", ATTRS(WORD("node", "branch"), WORD("part", "train")));
    assert_true(study_figure(&s, "max_increase", "branch") == 0);
    assert_true(study_figure(&s, "mean_increase", "branch") == 0);
    study_look(&s, "ablation", ATTRS(WORD("node", "relu1"), WORD("part", "train")));
    assert_true(study_figure(&s, "max_increase", "relu1") > 0.001);
    study_close(&s);
}

/* ---- signals --------------------------------------------------------------------------------------- */

static void signals_are_those_of_check(void **state) {
    (void)state;
    struct test_study s;
    fanin_check *check;
    const struct fanin_check_options options = {.size = sizeof options, .batch = 40};
    open_study(&s, "net: [{dense: {units: 50}}, batch_norm, tanh, {dropout: 0.2}, {dense: {units: "
                   "3}}]\ntrain: {epochs: 1, batch: 30}\n");
    assert_ok(s.ctx,
              fanin_model_check(&check, s.model, s.data, fanin_recipe_train(s.recipe), &options));
    const struct fanin_check_result *r = fanin_check_get(check);
    study_look(&s, "signals", ATTRS(NUMBER("batch", 40)));
    assert_true(study_figure(&s, "verdict", "") == r->verdict);
    assert_true(study_figure(&s, "loss", "") == r->loss);
    assert_int_equal(r->n_layers, 6);
    for (int i = 0; i < r->n_layers; i++) {
        const struct fanin_check_layer *l = &r->layers[i];
        assert_true(study_figure(&s, "measured_second", l->name) == l->measured.second);
        assert_true(study_figure(&s, "predicted_second", l->name) == l->predicted.second);
        if (i > 0) assert_true(study_figure(&s, "measured_grad", l->name) == l->measured.grad);
        assert_true(study_figure(&s, "measured_cosine", l->name) == l->measured.cosine);
        assert_true(study_figure(&s, "dead", l->name) ==
                    (double)l->dead.count / (double)l->shape.cols);
        assert_memory_equal(study_bins(&s, "outputs", l->name)->counts, l->values.counts,
                            sizeof l->values.counts);
    }
    for (int i = 0; i < r->n_params; i++)
        assert_true(study_figure(&s, "rms", r->params[i].name) == r->params[i].rms);
    fanin_check_free(check);
    study_close(&s);
}

static void signals_of_equal_units(void **state) {
    (void)state;
    struct test_study s;
    fanin_ctx *ctx = test_ctx();
    study_open(&s,
               "net: [{dense: {units: 8, init: {constant: 0.1}}}, tanh, {dense: {units: 3, init: "
               "{constant: 0.1}}}]",
               ctx, blob_data(ctx, ROWS, IN, CLASSES));
    study_look(&s, "signals", NULL);
    assert_true(study_figure(&s, "tied", "dense1") == 1);
    assert_true(study_figure(&s, "verdict", "") == FANIN_WILL_NOT_TRAIN);
    assert_refused(s.ctx, FANIN_ERR_RECIPE, "batch",
                   study_try(&s, "signals", ATTRS(NUMBER("batch", 257))));
    study_close(&s);
}

int main(void) {
    struct CMUnitTest tests[] = {
        cmocka_unit_test(quantiles_of_a_unit),     cmocka_unit_test(quantiles_say_what_is_wrong),
        cmocka_unit_test(features_of_a_layer),     cmocka_unit_test(ablation_takes_units_away),
        cmocka_unit_test(ablation_is_of_one_node), cmocka_unit_test(signals_are_those_of_check),
        cmocka_unit_test(signals_of_equal_units),
    };
    return test_main(tests);
}
