/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Watched steps: the same bits as without, the ledger and batch norm's gap against what is computed
 * here, the events and their keys, a resumed run; and what is said of runs that go bad.
 */
#include <math.h>

#include "support/nets.h"

#define MOST 4000
struct seen {
    struct figure_seen {
        enum fanin_event_type type;
        int64_t step;
        char name[32], figure[32];
        double value;
    } all[MOST];
    int n, watches, troubles;
    char kind[32], layer[32], message[600];
    fanin_ctx *stop;
    int64_t stop_at;
};
static struct seen seen;

static void look(void *payload, const struct fanin_event *e) {
    struct seen *s = payload;
    const char *name = "";
    if (s->stop && e->type == FANIN_EVENT_WATCH && e->step == s->stop_at) fanin_stop(s->stop);
    for (int i = 0; i < e->n_texts; i++) {
        if (strcmp(e->texts[i].name, "name") == 0) name = e->texts[i].value;
        if (e->type != FANIN_EVENT_TROUBLE || s->troubles > 0) continue;
        if (strcmp(e->texts[i].name, "kind") == 0)
            (void)snprintf(s->kind, sizeof s->kind, "%s", e->texts[i].value);
        if (strcmp(e->texts[i].name, "layer") == 0)
            (void)snprintf(s->layer, sizeof s->layer, "%s", e->texts[i].value);
        if (strcmp(e->texts[i].name, "message") == 0)
            (void)snprintf(s->message, sizeof s->message, "%s", e->texts[i].value);
    }
    s->troubles += e->type == FANIN_EVENT_TROUBLE;
    s->watches += e->type == FANIN_EVENT_WATCH;
    if (e->type < FANIN_EVENT_WATCH || e->type > FANIN_EVENT_WATCH_PARAM) return;
    for (int i = 0; i < e->n_figures && s->n < MOST; i++) {
        struct figure_seen *f = &s->all[s->n++];
        *f = (struct figure_seen){.type = e->type, .step = e->step, .value = e->figures[i].value};
        (void)snprintf(f->name, sizeof f->name, "%s", name);
        (void)snprintf(f->figure, sizeof f->figure, "%s", e->figures[i].name);
    }
}

/* Of the first watched step. */
static double figure(enum fanin_event_type type, const char *name, const char *what) {
    for (int i = 0; i < seen.n; i++)
        if (seen.all[i].type == type && strcmp(seen.all[i].name, name) == 0 &&
            strcmp(seen.all[i].figure, what) == 0)
            return seen.all[i].value;
    fail_msg("no figure %s of '%s'", what, name);
    return NAN;
}

static fanin_model *model_of(fanin_ctx *ctx, int64_t in, const struct layer *layers, int n,
                             const fanin_data *data) {
    const struct fanin_model_options options = {.size = sizeof options, .seed = 4, .data = data};
    fanin_model *model;
    assert_ok(ctx, fanin_model_create(&model, chain_net(ctx, in, layers, n), &options));
    return model;
}

static const struct fanin_attr small = {.number = 1e-2}, tenth = {.number = 0.1};
static const struct fanin_rule terms[] = {
    {"weight_decay", &tenth, 1, 0}, {"l2", &small, 1, 0}, {"confidence_penalty", &tenth, 1, 0}};
static const struct fanin_rule activity = {"activity_l2", &small, 1, 0};
static const struct fanin_param_policy on_output = {.match = "dense1.output",
                                                    .set = FANIN_POLICY_REGULARIZE,
                                                    .regularize = &activity,
                                                    .n_regularize = 1};

/* ---- bits ------------------------------------------------------------------------------------------ */

static uint64_t train(int threads, int64_t watch, int64_t shards, const char *path, int64_t stop) {
    static const struct layer layers[] = {{"dropout", .2}, {"dense", 60},   {"batch_norm"},
                                          {"relu"},        {"dropout", .5}, {"dense", 40},
                                          {"tanh"},        {"dense", 5}};
    uint64_t hash = 0;
    memset(&seen, 0, sizeof seen);
    for (int piece = 0; hash == 0; piece++) {
        fanin_ctx *ctx = test_ctx_on(threads, NULL);
        fanin_data *data = blob_data(ctx, 300, 30, 5);
        fanin_model *model = model_of(ctx, 30, layers, FI_COUNT(layers), data);
        const struct fanin_train_options options = {.size = sizeof options,
                                                    .optim = {"adamw", NULL, 0, 0},
                                                    .regularize = terms,
                                                    .n_regularize = FI_COUNT(terms),
                                                    .params = &on_output,
                                                    .n_params = 1,
                                                    .epochs = 3,
                                                    .batch = 32,
                                                    .shards = shards,
                                                    .checkpoint = path,
                                                    .resume = piece > 0,
                                                    .event = look,
                                                    .event_payload = &seen,
                                                    .watch = watch};
        seen.stop = piece == 0 && path ? ctx : NULL;
        seen.stop_at = stop;
        const enum fanin_status status = fanin_train(model, data, &options);
        if (status == FANIN_OK) hash = params_hash(model);
        if (status != FANIN_OK && status != FANIN_ERR_STOPPED) fail_msg("%s", fanin_errmsg(ctx));
        fanin_model_free(model);
        fanin_data_free(data);
        fanin_ctx_free(ctx);
        assert_true(piece < 3);
    }
    return hash;
}

static void same_bits(void **state) {
    (void)state;
    for (int64_t shards = 1; shards <= 4; shards *= 4) {
        const uint64_t plain = train(1, 0, shards, NULL, 0);
        assert_int_equal(seen.watches, 0);
        for (int threads = 1; threads <= 2; threads++)
            for (int64_t watch = 1; watch <= 7; watch += 6) {
                assert_true(train(threads, watch, shards, NULL, 0) == plain);
                assert_int_equal(seen.watches, 30 / watch);
            }
    }
}

static void resumed_tells_the_same(void **state) {
    (void)state;
    static struct seen whole;
    char dir[256], path[300];
    temp_dir(dir);
    (void)snprintf(path, sizeof path, "%s/run.safetensors", dir);
    const uint64_t plain = train(1, 4, 1, NULL, 0);
    whole = seen;
    assert_true(train(1, 4, 1, path, 16) == plain);
    assert_int_equal(seen.n, whole.n);
    for (int i = 0; i < seen.n; i++) {
        assert_int_equal(seen.all[i].step, whole.all[i].step);
        assert_string_equal(seen.all[i].figure, whole.all[i].figure);
        assert_memory_equal(&seen.all[i].value, &whole.all[i].value, sizeof(double));
    }
    temp_dir_remove(dir);
}

/* ---- figures --------------------------------------------------------------------------------------- */

#define IN 6
#define OUT 3
#define NUMBERS (IN * OUT)

static void assert_near(double got, double expected, double within) {
    if (!(fabs(got - expected) <= within)) fail_msg("%.9g, expected %.9g", got, expected);
}

static double norm(const double *x, int n) {
    double sum = 0;
    for (int i = 0; i < n; i++) sum += x[i] * x[i];
    return sqrt(sum);
}

/* One update of a linear model by plain gradient descent: from the weights before and after it. */
static void ledger_of_a_linear_model(void **state) {
    (void)state;
    static const struct fanin_attr lr = {.name = "lr", .number = 0.5};
    static const struct layer layers[] = {{"dense", OUT}};
    fanin_ctx *ctx = test_ctx();
    fanin_data *data = blob_data(ctx, 60, IN, OUT);
    fanin_model *model = model_of(ctx, IN, layers, 1, data);
    float before[NUMBERS], after[NUMBERS], bias[OUT];
    double w[NUMBERS], own[NUMBERS + OUT], moved = 0;
    const struct fanin_train_options options = {.size = sizeof options,
                                                .optim = {"sgd", &lr, 1, 0},
                                                .regularize = terms,
                                                .n_regularize = 2,
                                                .epochs = 1,
                                                .batch = 60,
                                                .event = look,
                                                .event_payload = &seen,
                                                .watch = 1};
    memset(&seen, 0, sizeof seen);
    assert_ok(ctx, fanin_model_get(model, "dense1.weight", before, NUMBERS));
    assert_ok(ctx, fanin_train(model, data, &options));
    assert_ok(ctx, fanin_model_get(model, "dense1.weight", after, NUMBERS));
    assert_ok(ctx, fanin_model_get(model, "dense1.bias", bias, OUT));
    for (int i = 0; i < NUMBERS; i++) {
        w[i] = (double)before[i];
        own[i] = (double)after[i] - w[i] + 0.5 * (0.1 + 0.01) * w[i];
        moved += ((double)after[i] - w[i]) * ((double)after[i] - w[i]);
    }
    for (int i = 0; i < OUT; i++) own[NUMBERS + i] = (double)bias[i];
    const double size = norm(w, NUMBERS), l2 = 0.005 * size * size;
    const double parts[] = {norm(own, NUMBERS + OUT), 0.5 * 0.01 * size, 0.5 * 0.1 * size};
    const double sum = parts[0] + parts[1] + parts[2];
    const char *const names[] = {"data", "l2", "weight_decay"};
    for (int i = 0; i < 3; i++) {
        assert_near(figure(FANIN_EVENT_WATCH_SOURCE, names[i], "update"), parts[i], 1e-5 * sum);
        assert_near(figure(FANIN_EVENT_WATCH_SOURCE, names[i], "update_share"), parts[i] / sum,
                    1e-5);
    }
    const double loss = figure(FANIN_EVENT_WATCH, "", "loss");
    assert_near(figure(FANIN_EVENT_WATCH_SOURCE, "l2", "loss"), l2, 1e-6 * l2);
    assert_near(figure(FANIN_EVENT_WATCH_SOURCE, "l2", "loss_share"), l2 / loss, 1e-6);
    assert_near(figure(FANIN_EVENT_WATCH_SOURCE, "data", "loss_share"), 1 - l2 / loss, 1e-6);
    assert_near(figure(FANIN_EVENT_WATCH_PARAM, "dense1.weight", "rms"), size / sqrt(NUMBERS),
                1e-6);
    assert_near(figure(FANIN_EVENT_WATCH_PARAM, "dense1.weight", "update"), sqrt(moved) / size,
                1e-6);
    assert_near(figure(FANIN_EVENT_WATCH_PARAM, "dense1.weight", "grad"),
                norm(own, NUMBERS) / 0.5 / sqrt(NUMBERS), 1e-5);
    fanin_model_free(model);
    fanin_data_free(data);
    fanin_ctx_free(ctx);
}

/* Penalties that come through the backward pass are told apart from the data. */
static void ledger_of_other_penalties(void **state) {
    (void)state;
    double loss = 0, share = 0, update = 0;
    (void)train(1, 30, 1, NULL, 0);
    for (int i = 0; i < seen.n; i++) {
        if (seen.all[i].type != FANIN_EVENT_WATCH_SOURCE) continue;
        if (strcmp(seen.all[i].figure, "loss") == 0) loss += seen.all[i].value;
        if (strcmp(seen.all[i].figure, "loss_share") == 0) share += fabs(seen.all[i].value);
        if (strcmp(seen.all[i].figure, "update_share") == 0) update += seen.all[i].value;
    }
    assert_near(loss, figure(FANIN_EVENT_WATCH, "", "loss"), 1e-9);
    assert_near(share, 1, 1e-9);
    assert_near(update, 1, 1e-9);
    assert_true(figure(FANIN_EVENT_WATCH_SOURCE, "confidence_penalty", "loss") < 0);
    assert_true(figure(FANIN_EVENT_WATCH_SOURCE, "confidence_penalty", "update_share") > 1e-3);
    assert_true(figure(FANIN_EVENT_WATCH_SOURCE, "activity_l2", "update_share") > 1e-3);
    static const char *const layer[] = {"units", "mean",        "rms",  "cosine",    "grad",
                                        "tied",  "almost_tied", "dead", "saturated", "constant"};
    for (int i = 0; i < FI_COUNT(layer); i++)
        (void)figure(FANIN_EVENT_WATCH_LAYER, "relu1", layer[i]);
    (void)figure(FANIN_EVENT_WATCH, "", "entropy");
    (void)figure(FANIN_EVENT_WATCH, "", "grad_norm");
    (void)figure(FANIN_EVENT_WATCH, "", "lr");
    (void)figure(FANIN_EVENT_WATCH_LAYER, "batch_norm1", "running_var_ratio");
}

/* The first batch moves running statistics of mean 0 and variance 1 a tenth of the way. */
static void gap_of_batch_norm(void **state) {
    (void)state;
    static const struct layer layers[] = {{"batch_norm"}, {"dense", 2}};
    static const float x[] = {1, 10, 3, 30, 5, 20}; /* means 3, 20; unbiased variances 4, 100 */
    static const int32_t labels[] = {0, 1, 0};
    fanin_ctx *ctx = test_ctx();
    fanin_model *model = model_of(ctx, 2, layers, 2, NULL);
    const struct fanin_train_options options = {
        .size = sizeof options, .batch = 3, .event = look, .event_payload = &seen, .watch = 1};
    fanin_trainer *trainer;
    memset(&seen, 0, sizeof seen);
    assert_ok(ctx, fanin_trainer_create(&trainer, model, &options));
    assert_ok(ctx, fanin_trainer_step(trainer, x, 3, labels, NULL, NULL));
    const double v0 = 0.9 + 0.4, v1 = 0.9 + 10;
    assert_near(figure(FANIN_EVENT_WATCH_LAYER, "batch_norm1", "running_mean_gap"),
                sqrt((2.7 * 2.7 / v0 + 18.0 * 18 / v1) / 2), 1e-5);
    assert_near(figure(FANIN_EVENT_WATCH_LAYER, "batch_norm1", "running_var_ratio"),
                sqrt(4 / v0 * 100 / v1), 1e-4);
    fanin_trainer_free(trainer);
    fanin_model_free(model);
    fanin_ctx_free(ctx);
}

/* ---- runs that go bad ------------------------------------------------------------------------------ */

static const struct layer deep[] = {{"dense", 16}, {"relu"}, {"dense", 16}, {"relu"}, {"dense", 5}};

static enum fanin_status run_with(fanin_ctx *ctx, double lr, float bias, int64_t watch) {
    const struct fanin_attr rate = {.name = "lr", .number = lr};
    fanin_data *data = blob_data(ctx, 320, 20, 5);
    fanin_model *model = model_of(ctx, 20, deep, FI_COUNT(deep), data);
    float biases[16];
    for (int i = 0; i < 16; i++) biases[i] = bias;
    assert_ok(ctx, fanin_model_set(model, "dense2.bias", biases, 16));
    const struct fanin_train_options options = {.size = sizeof options,
                                                .optim = {"sgd", &rate, 1, 0},
                                                .epochs = 4,
                                                .batch = 32,
                                                .event = look,
                                                .event_payload = &seen,
                                                .watch = watch};
    memset(&seen, 0, sizeof seen);
    const enum fanin_status status = fanin_train(model, data, &options);
    fanin_model_free(model);
    fanin_data_free(data);
    return status;
}

static void says(const char *text, const char *part) {
    if (!strstr(text, part)) fail_msg("'%s' does not say '%s'", text, part);
}

static void lr_explodes(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    for (int64_t watch = 0; watch <= 1; watch++) {
        assert_int_equal(run_with(ctx, 1e5, 0, watch), FANIN_ERR_DIVERGED);
        says(fanin_errmsg(ctx), "dense");
        says(fanin_errmsg(ctx), "at the start");
        says(fanin_errmsg(ctx), "lr 1e+05 is too large");
        assert_true(seen.troubles >= 1);
        assert_true(strncmp(seen.layer, "dense", 5) == 0);
    }
    fanin_ctx_free(ctx);
}

static void layer_dies(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    assert_ok(ctx, run_with(ctx, 0.01, -1000, 0));
    assert_int_equal(seen.troubles, 1); /* once */
    assert_string_equal(seen.kind, "dead");
    assert_string_equal(seen.layer, "relu2");
    says(seen.message, "all of its 16 units are off");
    assert_ok(ctx, run_with(ctx, 0.01, 0, 0));
    assert_int_equal(seen.troubles, 0); /* and nothing of a run that is well */
    fanin_ctx_free(ctx);
}

static void nan_in_the_data(void **state) {
    (void)state;
    static const float x[] = {1, 2, 3, 4, 5, NAN};
    static const int32_t labels[] = {0, 1, 0};
    static const struct layer layers[] = {{"batch_norm"}, {"dense", 2}};
    fanin_ctx *ctx = test_ctx();
    fanin_model *model = model_of(ctx, 2, layers, 2, NULL);
    const struct fanin_train_options options = {.size = sizeof options, .batch = 3};
    fanin_trainer *trainer;
    assert_ok(ctx, fanin_trainer_create(&trainer, model, &options));
    assert_refused(ctx, FANIN_ERR_DIVERGED, "sample 3 of the batch has nan as number 2",
                   fanin_trainer_step(trainer, x, 3, labels, NULL, NULL));
    fanin_trainer_free(trainer);
    fanin_model_free(model);
    fanin_ctx_free(ctx);
}

int main(void) {
    struct CMUnitTest tests[] = {cmocka_unit_test(same_bits),
                                 cmocka_unit_test(resumed_tells_the_same),
                                 cmocka_unit_test(ledger_of_a_linear_model),
                                 cmocka_unit_test(ledger_of_other_penalties),
                                 cmocka_unit_test(gap_of_batch_norm),
                                 cmocka_unit_test(lr_explodes),
                                 cmocka_unit_test(layer_dies),
                                 cmocka_unit_test(nan_in_the_data)};
    return test_main(tests);
}
