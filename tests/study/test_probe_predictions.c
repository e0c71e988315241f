/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Probes of predictions: metrics under noise, calibration, lists, subnetworks, each against the
 * same written out.
 */
#include "kernel/kernel.h"
#include "support/probes.h"

#define ROWS 270 /* more than a batch of an evaluation */
#define IN 3
#define CLASSES 4

static const char recipe[] = "net: [{dense: {units: 8}}, tanh, {dense: {units: 4}}]\n"
                             "optim: {sgd: {lr: 0.1}}\n"
                             "train: {epochs: 3, batch: 30, seed: 6}\n";

static void open_study(struct test_study *s, const char *text) {
    fanin_ctx *ctx = test_ctx();
    study_open(s, text, ctx, blob_data(ctx, ROWS, IN, CLASSES));
    study_train(s);
}

static int best_of(const float *p) {
    int best = 0;
    for (int c = 1; c < CLASSES; c++)
        if (p[c] > p[best]) best = c;
    return best;
}

static int32_t label_of(const struct test_study *s, int64_t r) {
    int32_t label;
    fi_data_gather_known(s->data, FANIN_TRAIN, &r, 1, &(struct fi_known){.labels = &label});
    return label;
}

/* ---- metrics --------------------------------------------------------------------------------------- */

static void noise_is_added_to_the_inputs(void **state) {
    (void)state;
    struct test_study s;
    float p[ROWS * CLASSES];
    double loss = 0;
    int wrong = 0;
    open_study(&s, recipe);
    float *x = inputs_of(&s);
    for (int r = 0; r < ROWS; r++) {
        fi_real z[IN];
        s.ctx->kernels->random_normal(fi_key(6, "metrics noise", ""), (uint64_t)r, 0, IN, z);
        for (int i = 0; i < IN; i++) x[r * IN + i] += 0.8f * z[i];
    }
    assert_ok(s.ctx, fanin_model_predict(s.model, x, ROWS, p));
    for (int r = 0; r < ROWS; r++) {
        loss -= log((double)p[r * CLASSES + label_of(&s, r)]) / ROWS;
        wrong += best_of(p + r * CLASSES) != label_of(&s, r);
    }
    study_look(&s, "metrics", ATTRS(WORD("part", "train")));
    const double clean = study_figure(&s, "loss", "");
    assert_near(study_figure(&s, "error", ""), 1 - study_figure(&s, "accuracy", ""), 1e-15);
    study_look(&s, "metrics", ATTRS(WORD("part", "train"), NUMBER("noise", 0.8)));
    assert_near(study_figure(&s, "loss", ""), loss, 1e-5);
    assert_near(study_figure(&s, "error", ""), (double)wrong / ROWS, 1e-9);
    assert_true(study_figure(&s, "loss", "") > clean + 0.01);
    free(x);
    study_close(&s);
}

static void noise_is_refused_where_it_cannot_be(void **state) {
    (void)state;
    struct test_study s;
    float x[40];
    int32_t labels[40];
    fanin_data *data;
    fanin_ctx *ctx = test_ctx();
    for (int i = 0; i < 40; i++) {
        x[i] = (float)(i % 4);
        labels[i] = i % 2;
    }
    assert_ok(ctx, fanin_data_from_arrays(&data, ctx, 40, 1, x, labels, 2, NULL, 0));
    study_open(&s, "net: [{embedding: {dim: 3, vocabulary: 4}}, {dense: {units: 2}}]", ctx, data);
    study_look(&s, "metrics", ATTRS(WORD("part", "train")));
    assert_refused(ctx, FANIN_ERR_RECIPE, "noise cannot be added to input 0",
                   study_try(&s, "metrics", ATTRS(WORD("part", "train"), NUMBER("noise", 1))));
    assert_refused(ctx, FANIN_ERR_RECIPE, "noise",
                   study_try(&s, "metrics", ATTRS(NUMBER("noise", -1))));
    study_close(&s);
}

/* ---- calibration ----------------------------------------------------------------------------------- */

static void confidence_where_right_and_wrong(void **state) {
    (void)state;
    struct test_study s;
    float p[ROWS * CLASSES];
    double sum[2] = {0};
    int n[2] = {0}, in_bin[2][FI_PROBE_BINS] = {{0}};
    open_study(&s, recipe);
    assert_ok(s.ctx, fanin_model_predict_part(s.model, s.data, FANIN_TRAIN, 0, ROWS, p));
    for (int r = 0; r < ROWS; r++) {
        const int best = best_of(p + r * CLASSES), right = best == label_of(&s, r);
        const double most = (double)p[r * CLASSES + best];
        sum[right] += most;
        n[right]++;
        in_bin[right][(int)(most * FI_PROBE_BINS)]++;
    }
    assert_true(n[0] > 10 && n[1] > 10);
    study_look(&s, "calibration", ATTRS(WORD("part", "train")));
    const double all = (sum[0] + sum[1]) / ROWS;
    assert_near(study_figure(&s, "confidence", ""), all, 1e-9);
    assert_near(study_figure(&s, "overconfidence", ""), all - (double)n[1] / ROWS, 1e-9);
    assert_near(study_figure(&s, "confidence_wrong", ""), sum[0] / n[0], 1e-9);
    assert_near(study_figure(&s, "confidence_right", ""), sum[1] / n[1], 1e-9);
    for (int b = 0; b < FI_PROBE_BINS; b++) {
        assert_int_equal(study_bins(&s, "confidence_wrong", "")->counts[b], in_bin[0][b]);
        assert_int_equal(study_bins(&s, "confidence_right", "")->counts[b], in_bin[1][b]);
        assert_int_equal(study_bins(&s, "confidence", "")->counts[b], in_bin[0][b] + in_bin[1][b]);
    }
    assert_refused(s.ctx, FANIN_ERR_ARGUMENT, "is empty", study_try(&s, "calibration", NULL));
    study_close(&s);
}

/* ---- lists ----------------------------------------------------------------------------------------- */

static const double chances[CLASSES] = {0.5, 0.25, 0.2, 0.05};

/* A net that gives these probabilities to everybody. */
static void open_same_for_all(struct test_study *s) {
    float w[CLASSES * IN] = {0}, b[CLASSES];
    fanin_ctx *ctx = test_ctx();
    study_open(s, "net: [{dense: {units: 4}}]\ntrain: {seed: 6}", ctx,
               blob_data(ctx, ROWS, IN, CLASSES));
    for (int c = 0; c < CLASSES; c++) b[c] = (float)log(chances[c]);
    assert_ok(s->ctx, fanin_model_set(s->model, "dense1.weight", w, CLASSES * IN));
    assert_ok(s->ctx, fanin_model_set(s->model, "dense1.bias", b, CLASSES));
}

#define REFRESHES 40
#define LISTS (ROWS * REFRESHES)

/* Five standard deviations of a share, where lists are independent. */
static double within(double p) {
    return 5 * sqrt(p * (1 - p) / LISTS);
}

static void lists_of_one_follow_the_distribution(void **state) {
    (void)state;
    struct test_study s;
    double hits = 0, again = 0, entropy = 0, exposure = 0;
    open_same_for_all(&s);
    for (int c = 0; c < CLASSES; c++) {
        again += chances[c] * chances[c];
        entropy -= chances[c] * log(chances[c]);
    }
    for (int r = 0; r < ROWS; r++) hits += chances[label_of(&s, r)] / ROWS;
    study_look(&s, "lists",
               ATTRS(NUMBER("size", 1), NUMBER("refreshes", REFRESHES), WORD("part", "train")));
    assert_near(study_figure(&s, "hit_rate", ""), hits, within(hits));
    assert_near(study_figure(&s, "diversity", ""), 1 - again, within(again));
    assert_near(study_figure(&s, "coverage", ""), 1, 0);
    assert_near(study_figure(&s, "entropy", ""), entropy, 1e-6);
    exposure = study_figure(&s, "exposure", "");
    assert_near(exposure, entropy, 0.02);
    study_close(&s);
}

/* Two of four without replacement: the pairs by their probabilities. */
static void lists_of_two_are_without_replacement(void **state) {
    (void)state;
    struct test_study s;
    double pair[CLASSES][CLASSES] = {{0}}, hits = 0, overlap = 0;
    open_same_for_all(&s);
    for (int a = 0; a < CLASSES; a++)
        for (int b = 0; b < CLASSES; b++)
            if (a != b) pair[a][b] = chances[a] * chances[b] / (1 - chances[a]);
    for (int a = 0; a < CLASSES; a++)
        for (int b = 0; b < CLASSES; b++)
            for (int c = 0; c < CLASSES; c++)
                for (int d = 0; d < CLASSES; d++) {
                    const int same = (a == c) + (a == d) + (b == c) + (b == d);
                    if (a != b && c != d) overlap += pair[a][b] * pair[c][d] * same / (4 - same);
                }
    for (int r = 0; r < ROWS; r++) {
        const int l = label_of(&s, r);
        for (int o = 0; o < CLASSES; o++) hits += (pair[l][o] + pair[o][l]) / ROWS;
    }
    study_look(&s, "lists",
               ATTRS(NUMBER("size", 2), NUMBER("refreshes", REFRESHES), WORD("part", "train")));
    assert_near(study_figure(&s, "hit_rate", ""), hits, within(hits));
    assert_near(study_figure(&s, "diversity", ""), 1 - overlap, within(overlap));
    study_close(&s);
}

static void lists_of_everything(void **state) {
    (void)state;
    struct test_study s;
    open_same_for_all(&s);
    study_look(&s, "lists", ATTRS(NUMBER("size", CLASSES), WORD("part", "train")));
    assert_true(study_figure(&s, "hit_rate", "") == 1);
    assert_true(study_figure(&s, "diversity", "") == 0);
    assert_near(study_figure(&s, "exposure", ""), log(CLASSES), 1e-12);
    study_look(
        &s, "lists",
        ATTRS(NUMBER("size", 1), NUMBER("refreshes", 2), NUMBER("rows", 1), WORD("part", "train")));
    assert_true(study_figure(&s, "coverage", "") <= 0.5);
    assert_refused(s.ctx, FANIN_ERR_RECIPE, "set it to 4 or less",
                   study_try(&s, "lists", ATTRS(NUMBER("size", 5), WORD("part", "train"))));
    assert_refused(s.ctx, FANIN_ERR_RECIPE, "refreshes",
                   study_try(&s, "lists", ATTRS(NUMBER("size", 1), NUMBER("refreshes", 1))));
    study_close(&s);
}

/* Where the truth is a distribution, a list holds a part of it. */
static double preference(const float *x, int64_t in, int64_t output) {
    (void)x, (void)in;
    return output == 1 ? 0.75 : output == 3 ? 0.25 : 0;
}

static void lists_against_known_preferences(void **state) {
    (void)state;
    struct test_study s;
    float w[CLASSES * IN] = {0}, b[CLASSES] = {-200, 0, -200, -200};
    fanin_ctx *ctx = test_ctx();
    study_open(&s, "net: [{dense: {units: 4}}]\nloss: softmax_cross_entropy", ctx,
               value_data(ctx, 50, IN, CLASSES, preference));
    assert_ok(ctx, fanin_model_set(s.model, "dense1.weight", w, CLASSES * IN));
    assert_ok(ctx, fanin_model_set(s.model, "dense1.bias", b, CLASSES));
    study_look(&s, "lists", ATTRS(NUMBER("size", 1), WORD("part", "train")));
    assert_near(study_figure(&s, "hit_rate", ""), 0.75, 1e-9);
    assert_near(study_figure(&s, "coverage", ""), 0.25, 0);
    assert_near(study_figure(&s, "diversity", ""), 0, 0);
    study_close(&s);
}

/* ---- subnetworks ----------------------------------------------------------------------------------- */

#define DROPPED                                                                                    \
    "net: [{dense: {units: 8}}, tanh, {dropout: 0.5}, {dense: {units: 4}}]\n"                      \
    "optim: {sgd: {lr: 0.1}}\ntrain: {epochs: 3, batch: 30}\n"

static void all_subnetworks_beside_weight_scaling(void **state) {
    (void)state;
    struct test_study s;
    float q[ROWS * CLASSES], p[ROWS * CLASSES];
    double kl = 0, most = 0, loss = 0, scaled = 0;
    open_study(&s, DROPPED);
    const struct fanin_ensemble_options all = {
        .size = sizeof all, .inference = FANIN_MC, .members = FANIN_ALL_MEMBERS};
    const struct fanin_prediction to = {.size = sizeof to, .p = q};
    assert_ok(s.ctx,
              fanin_model_predict_part_ensemble(s.model, s.data, FANIN_TRAIN, 0, ROWS, &all, &to));
    assert_ok(s.ctx, fanin_model_predict_part(s.model, s.data, FANIN_TRAIN, 0, ROWS, p));
    for (int i = 0; i < ROWS * CLASSES; i++) {
        kl += (double)q[i] * log((double)q[i] / (double)p[i]) / ROWS;
        most = fmax(most, fabs((double)q[i] - (double)p[i]));
    }
    for (int r = 0; r < ROWS; r++) {
        loss -= log((double)q[r * CLASSES + label_of(&s, r)]) / ROWS;
        scaled -= log((double)p[r * CLASSES + label_of(&s, r)]) / ROWS;
    }
    study_look(&s, "subnetworks", ATTRS(WORD("part", "train")));
    assert_true(kl > 1e-4 && most > 0.01);
    assert_near(study_figure(&s, "kl", ""), kl, 1e-7);
    assert_near(study_figure(&s, "difference", ""), most, 1e-9);
    assert_near(study_figure(&s, "loss", ""), loss, 1e-5);
    assert_near(study_figure(&s, "loss_scaling", ""), scaled, 1e-5);
    assert_true(study_figure(&s, "subnetworks", "") == 256);
    study_look(&s, "subnetworks", ATTRS(WORD("part", "train"), WORD("mean", "geometric")));
    assert_near(study_figure(&s, "difference", ""), 0, 1e-6);
    assert_near(study_figure(&s, "kl", ""), 0, 1e-6);
    study_close(&s);
}

static void subnetworks_are_refused(void **state) {
    (void)state;
    struct test_study s;
    open_study(&s, recipe);
    assert_refused(s.ctx, FANIN_ERR_RECIPE, "the net draws nothing",
                   study_try(&s, "subnetworks", ATTRS(WORD("part", "train"))));
    study_close(&s);
    open_study(&s, "net: [{dense: {units: 17}}, tanh, {dropout: 0.5}, {dense: {units: 4}}]\n"
                   "train: {epochs: 1, batch: 30}\n");
    assert_refused(s.ctx, FANIN_ERR_RECIPE, "17 droppable units",
                   study_try(&s, "subnetworks", ATTRS(WORD("part", "train"))));
    study_close(&s);
}

static double sum_of(const float *x, int64_t in, int64_t output) {
    double sum = (double)output;
    for (int64_t i = 0; i < in; i++) sum += (double)x[i];
    return sum;
}

static void probes_of_classes_refuse_values(void **state) {
    (void)state;
    struct test_study s;
    fanin_ctx *ctx = test_ctx();
    study_open(&s, "net: [{dense: {units: 6}}, tanh, {dropout: 0.5}, {dense: {units: 2}}]", ctx,
               value_data(ctx, 50, IN, 2, sum_of));
    assert_refused(ctx, FANIN_ERR_RECIPE, "loss mse does not predict",
                   study_try(&s, "lists", ATTRS(WORD("part", "train"))));
    assert_refused(ctx, FANIN_ERR_RECIPE, "loss mse does not predict",
                   study_try(&s, "calibration", ATTRS(WORD("part", "train"))));
    study_look(&s, "subnetworks", ATTRS(WORD("part", "train")));
    assert_true(isnan(study_figure(&s, "kl", "")));
    assert_near(study_figure(&s, "difference", ""), 0, 1e-6); /* linear behind the masks */
    study_close(&s);
}

int main(void) {
    struct CMUnitTest tests[] = {
        cmocka_unit_test(noise_is_added_to_the_inputs),
        cmocka_unit_test(noise_is_refused_where_it_cannot_be),
        cmocka_unit_test(confidence_where_right_and_wrong),
        cmocka_unit_test(lists_of_one_follow_the_distribution),
        cmocka_unit_test(lists_of_two_are_without_replacement),
        cmocka_unit_test(lists_of_everything),
        cmocka_unit_test(lists_against_known_preferences),
        cmocka_unit_test(all_subnetworks_beside_weight_scaling),
        cmocka_unit_test(subnetworks_are_refused),
        cmocka_unit_test(probes_of_classes_refuse_values),
    };
    return test_main(tests);
}
