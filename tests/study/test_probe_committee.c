/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The committee against the same nets trained by hand; the closed form against elimination and
 * against training.
 */
#include "support/probes.h"

/* ---- committee ------------------------------------------------------------------------------------- */

#define MEMBERS 3

static const char classes[] = "data: {gaussian_blobs: {n: 60, classes: 3, features: 4, std: 5}}\n"
                              "net: [{dense: {units: 8}}, relu, {dropout: 0.2}, dense]\n"
                              "optim: {sgd: {lr: 0.1}}\n"
                              "train: {epochs: 4, batch: 20, seed: 9}\n";

/* Predictions of the test part of the run's model (k = 0) and of member k. */
static void predict_member(struct test_study *s, int k, int64_t n, float *p) {
    char name[16];
    fanin_recipe *recipe;
    fanin_model *model = s->model;
    (void)snprintf(name, sizeof name, "%d", k);
    if (k > 0) {
        char set[64];
        const char *overrides[] = {set};
        const uint64_t seed = fi_key(9, "committee", name) & ((UINT64_C(1) << 53) - 1);
        (void)snprintf(set, sizeof set, "train.seed=%llu", (unsigned long long)seed);
        assert_ok(s->ctx, fanin_recipe_parse(&recipe, s->ctx, "test", fanin_recipe_json(s->recipe),
                                             overrides, 1));
        assert_ok(s->ctx, fanin_recipe_model(&model, recipe, fanin_data_shape(s->data),
                                             fanin_data_outputs(s->data), s->data));
        assert_ok(s->ctx, fanin_train(model, s->data, fanin_recipe_train(recipe)));
        fanin_recipe_free(recipe);
    }
    assert_ok(s->ctx, fanin_model_predict_part(model, s->data, FANIN_TEST, 0, n, p));
    if (k > 0) fanin_model_free(model);
}

static void a_committee_of_classes(void **state) {
    (void)state;
    struct test_study s;
    enum { N = 60, K = 3 };
    float p[MEMBERS][N * K];
    int32_t labels[N];
    double variance = 0, bias = 0, loss = 0, alone = 0, wrong = 0, wrong_alone = 0;
    study_open(&s, classes, test_ctx(), NULL);
    study_train(&s);
    assert_int_equal(fanin_data_rows(s.data, FANIN_TEST), N);
    for (int64_t r = 0; r < N; r++)
        fi_data_gather_known(s.data, FANIN_TEST, &r, 1, &(struct fi_known){.labels = labels + r});
    for (int k = 0; k < MEMBERS; k++) predict_member(&s, k, N, p[k]);
    for (int r = 0; r < N; r++) {
        double mean[K] = {0};
        int best = 0;
        for (int c = 0; c < K; c++) {
            double squares = 0;
            for (int k = 0; k < MEMBERS; k++) mean[c] += (double)p[k][r * K + c] / MEMBERS;
            for (int k = 0; k < MEMBERS; k++) squares += pow((double)p[k][r * K + c] - mean[c], 2);
            variance += squares / (MEMBERS - 1) / N;
            bias += pow(mean[c] - (labels[r] == c), 2) / N;
            if (mean[c] > mean[best]) best = c;
        }
        loss -= log(mean[labels[r]]) / N;
        wrong += best != labels[r];
        for (int k = 0; k < MEMBERS; k++) {
            const float *q = p[k] + r * K;
            const int own = q[1] > q[0] ? (q[2] > q[1] ? 2 : 1) : (q[2] > q[0] ? 2 : 0);
            alone -= log((double)q[labels[r]]) / (N * MEMBERS);
            wrong_alone += own != labels[r];
        }
    }
    study_look(&s, "committee", ATTRS(NUMBER("members", MEMBERS)));
    assert_true(variance > 1e-3 && bias > 1e-3);
    assert_near(study_figure(&s, "variance", ""), variance, 1e-7);
    assert_near(study_figure(&s, "bias", ""), bias, 1e-6);
    assert_near(study_figure(&s, "loss", ""), loss, 1e-5);
    assert_near(study_figure(&s, "error", ""), wrong / N, 1e-9);
    assert_near(study_figure(&s, "single_loss", ""), alone, 1e-5);
    assert_near(study_figure(&s, "single_error", ""), wrong_alone / (N * MEMBERS), 1e-9);
    assert_refused(s.ctx, FANIN_ERR_RECIPE, "members",
                   study_try(&s, "committee", ATTRS(NUMBER("members", 1))));
    study_close(&s);
}

/* Values are told in the units of the data: there the bias of one output is the squared rmse. */
static void a_committee_of_values(void **state) {
    (void)state;
    struct test_study s;
    enum { N = 40 };
    char dir[256], path[300], text[800], recipe[800];
    float p[MEMBERS][N];
    double variance = 0;
    size_t used = 0;
    temp_dir(dir);
    (void)snprintf(path, sizeof path, "%s/values.csv", dir);
    used += (size_t)snprintf(text, sizeof text, "a,y\n");
    for (int i = 0; i < N; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%d,%d.5\n", i, 300 + i * i);
    write_file(path, text, used);
    (void)snprintf(recipe, sizeof recipe,
                   "data: {csv: {target: y}, train: %s, test: %s}\n"
                   "net: [{dense: {units: 8}}, tanh, dense]\n"
                   "optim: {sgd: {lr: 0.05}}\n"
                   "train: {epochs: 5, batch: 10, seed: 9}\n",
                   path, path);
    study_open(&s, recipe, test_ctx(), NULL);
    study_train(&s);
    for (int k = 0; k < MEMBERS; k++) predict_member(&s, k, N, p[k]);
    for (int r = 0; r < N; r++) {
        const double mean = ((double)p[0][r] + (double)p[1][r] + (double)p[2][r]) / MEMBERS;
        for (int k = 0; k < MEMBERS; k++)
            variance += pow((double)p[k][r] - mean, 2) / (MEMBERS - 1) / N;
    }
    study_look(&s, "committee", ATTRS(NUMBER("members", MEMBERS)));
    const double rmse = study_figure(&s, "rmse", "");
    assert_true(rmse > 10);
    assert_near(study_figure(&s, "bias", "") / (rmse * rmse), 1, 1e-5);
    assert_true(isnan(study_figure(&s, "single_error", "")));
    assert_true(variance > 1);
    assert_near(study_figure(&s, "variance", "") / variance, 1, 1e-4);
    study_close(&s);
    temp_dir_remove(dir);
}

/* ---- the closed form ------------------------------------------------------------------------------- */

#define ROWS 300
#define IN 5
#define OUT 2

static double noisy_line(const float *x, int64_t in, int64_t output) {
    double sum = 0.7 + (double)output;
    for (int64_t i = 0; i < in; i++)
        sum +=
            (double)x[i] * ((double)(i + 1) * 0.3 - (double)output) + 0.3 * sin(40 * (double)x[i]);
    return sum;
}

/* Solves the normal equations with a column of ones for the bias by elimination. */
static void eliminate(const float *x, const double *t, double lambda, bool bias,
                      double w[OUT][IN + 1]) {
    enum { N = IN + 1 };
    double a[N][N + OUT] = {{0}};
    const int n = bias ? N : IN;
    for (int r = 0; r < ROWS; r++)
        for (int i = 0; i < n; i++) {
            const double xi = i < IN ? (double)x[r * IN + i] : 1;
            for (int j = 0; j < n; j++) a[i][j] += xi * (j < IN ? (double)x[r * IN + j] : 1) / ROWS;
            for (int o = 0; o < OUT; o++) a[i][N + o] += xi * t[r * OUT + o] / ROWS;
        }
    for (int i = 0; i < IN; i++) a[i][i] += lambda * OUT / 2;
    for (int i = 0; i < n; i++)
        for (int k = 0; k < n; k++) {
            const double f = k == i ? 0 : a[k][i] / a[i][i];
            for (int j = 0; j < N + OUT; j++) a[k][j] -= f * a[i][j];
        }
    for (int o = 0; o < OUT; o++) {
        w[o][IN] = 0;
        for (int i = 0; i < n; i++) w[o][i] = a[i][N + o] / a[i][i];
    }
}

static void check_closed_form(bool bias, double lambda) {
    struct test_study s;
    char recipe[200];
    double w[OUT][IN + 1], t[ROWS * OUT], risk = 0, norm = 0, apart = 0;
    float weight[OUT * IN], b[OUT];
    fanin_ctx *ctx = test_ctx();
    (void)snprintf(recipe, sizeof recipe,
                   "net: [{dense: {units: 2, bias: %s}}]\nregularize: {l2: %.17g}\n"
                   "optim: {sgd: {lr: 0.3}}\ntrain: {epochs: 400, batch: 300}\n",
                   bias ? "true" : "false", lambda);
    study_open(&s, recipe, ctx, value_data(ctx, ROWS, IN, OUT, noisy_line));
    float *x = inputs_of(&s);
    for (int i = 0; i < ROWS * OUT; i++)
        t[i] = (double)(float)noisy_line(x + i / OUT * IN, IN, i % OUT);
    eliminate(x, t, lambda, bias, w);
    assert_ok(ctx, fanin_model_get(s.model, "dense1.weight", weight, OUT * IN));
    for (int o = 0; o < OUT; o++)
        for (int i = 0; i < IN; i++) {
            norm += w[o][i] * w[o][i];
            apart += pow((double)weight[o * IN + i] - w[o][i], 2);
        }
    for (int r = 0; r < ROWS; r++)
        for (int o = 0; o < OUT; o++) {
            double z = w[o][IN] - t[r * OUT + o];
            for (int i = 0; i < IN; i++) z += w[o][i] * (double)x[r * IN + i];
            risk += z * z / (ROWS * OUT);
        }
    const struct fanin_attr *attrs = ATTRS(NUMBER("lambda", lambda), WORD("part", "train"));
    study_look(&s, "closed_form", attrs);
    assert_near(study_figure(&s, "norm", ""), sqrt(norm), 1e-6);
    assert_near(study_figure(&s, "distance", ""), sqrt(apart / norm), 1e-6);
    assert_near(study_figure(&s, "risk", ""), risk, 1e-6);

    for (int o = 0; o < OUT; o++) {
        b[o] = (float)w[o][IN];
        for (int i = 0; i < IN; i++) weight[o * IN + i] = (float)w[o][i];
    }
    assert_ok(ctx, fanin_model_set(s.model, "dense1.weight", weight, OUT * IN));
    if (bias) assert_ok(ctx, fanin_model_set(s.model, "dense1.bias", b, OUT));
    study_look(&s, "closed_form", attrs);
    assert_near(study_figure(&s, "distance", ""), 0, 1e-6);
    study_train(&s); /* stays where it is */
    study_look(&s, "closed_form", attrs);
    assert_near(study_figure(&s, "distance", ""), 0, 1e-5);
    free(x);
    study_close(&s);
}

static void the_minimum_of_l2(void **state) {
    (void)state;
    check_closed_form(true, 0);
    check_closed_form(true, 0.3);
    check_closed_form(false, 0.05);
}

static double zero(const float *x, int64_t in, int64_t output) {
    (void)x, (void)in, (void)output;
    return 0;
}

static void the_closed_form_refuses(void **state) {
    (void)state;
    struct test_study s;
    fanin_ctx *ctx = test_ctx();
    study_open(&s, "net: [{dense: {units: 4}}, {dense: {units: 2}}]", ctx,
               value_data(ctx, 30, IN, 2, zero));
    assert_refused(ctx, FANIN_ERR_RECIPE, "one dense layer under loss mse only",
                   study_try(&s, "closed_form", ATTRS(WORD("part", "train"))));
    assert_refused(ctx, FANIN_ERR_RECIPE, "lambda",
                   study_try(&s, "closed_form", ATTRS(NUMBER("lambda", -1))));
    study_close(&s);
    ctx = test_ctx(); /* four samples of five inputs */
    study_open(&s, "net: [{dense: {units: 2}}]", ctx, value_data(ctx, 4, IN, 2, noisy_line));
    assert_refused(ctx, FANIN_ERR_RECIPE, "linearly dependent",
                   study_try(&s, "closed_form", ATTRS(WORD("part", "train"))));
    study_look(&s, "closed_form", ATTRS(NUMBER("lambda", 0.1), WORD("part", "train")));
    study_close(&s);
    ctx = test_ctx(); /* w* = 0 */
    study_open(&s, "net: [{dense: {units: 2}}]", ctx, value_data(ctx, 30, IN, 2, zero));
    study_look(&s, "closed_form", ATTRS(WORD("part", "train")));
    assert_true(isnan(study_figure(&s, "distance", "")));
    assert_true(study_figure(&s, "norm", "") == 0);
    study_close(&s);
}

int main(void) {
    struct CMUnitTest tests[] = {
        cmocka_unit_test(a_committee_of_classes),
        cmocka_unit_test(a_committee_of_values),
        cmocka_unit_test(the_minimum_of_l2),
        cmocka_unit_test(the_closed_form_refuses),
    };
    return test_main(tests);
}
