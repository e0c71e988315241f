/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The run as its events tell it: losses that add up, early stop with the best parameters restored,
 * divergence named, batches that cannot be, several inputs and outputs, and what the trainer
 * refuses.
 */
#include <math.h>

#include "support/nets.h"

#define MLP(units)                                                                                 \
    {"dense", units}, {"tanh"}, {                                                                  \
        "dense", 5                                                                                 \
    }

static fanin_model *make(fanin_ctx *ctx, int64_t in, const struct layer *layers, int n,
                         const fanin_data *data) {
    const struct fanin_model_options options = {.size = sizeof options, .seed = 2, .data = data};
    fanin_model *model;
    assert_ok(ctx, fanin_model_create(&model, chain_net(ctx, in, layers, n), &options));
    return model;
}

static double figure(const struct fanin_event *event, const char *name) {
    for (int i = 0; i < event->n_figures; i++)
        if (strcmp(event->figures[i].name, name) == 0) return event->figures[i].value;
    return NAN;
}

struct seen {
    int epochs, params, starts, ends, warnings, checkpoints;
    double losses_off; /* |loss - Σ of its parts| at worst */
    double best, last, best_epoch, eval_loss;
    double first_lr, last_lr;
    char warning[200];
};

static void look(void *payload, const struct fanin_event *event) {
    struct seen *s = payload;
    s->starts += event->type == FANIN_EVENT_START;
    s->params += event->type == FANIN_EVENT_PARAM;
    s->checkpoints += event->type == FANIN_EVENT_CHECKPOINT;
    if (event->type == FANIN_EVENT_WARNING) {
        s->warnings++;
        snprintf(s->warning, sizeof s->warning, "%s", event->texts[0].value);
    }
    if (event->type == FANIN_EVENT_EPOCH) {
        double parts = 0;
        for (int i = 0; i < event->n_figures; i++)
            if (strncmp(event->figures[i].name, "loss_", 5) == 0) parts += event->figures[i].value;
        if (parts != 0) s->losses_off = fmax(s->losses_off, fabs(figure(event, "loss") - parts));
        if (s->epochs++ == 0) s->first_lr = figure(event, "lr");
        s->last_lr = figure(event, "lr");
        s->last = figure(event, "val_loss");
        if (s->epochs == 1 || s->last < s->best) s->best = s->last;
    }
    if (event->type == FANIN_EVENT_END) {
        s->ends++;
        s->best_epoch = figure(event, "best_epoch");
    }
    if (event->type == FANIN_EVENT_EVAL) s->eval_loss = figure(event, "loss");
}

/* The digits, with a validation part. */
static fanin_data *digits(fanin_ctx *ctx) {
    const struct fanin_data_options options = {.size = sizeof options,
                                               .reader = {"digits", NULL, 0, 0},
                                               .validation_fraction = 0.3,
                                               .test_fraction = 0.2,
                                               .seed = 3};
    fanin_data *data;
    assert_ok(ctx, fanin_data_load(&data, ctx, &options));
    return data;
}

static void test_losses_add_up(void **state) {
    (void)state;
    static const struct fanin_attr strength = {.number = 0.01};
    static const struct fanin_rule terms[] = {{"l2", &strength, 1, 0},
                                              {"weight_decay", &strength, 1, 0},
                                              {"confidence_penalty", &strength, 1, 0}};
    fanin_ctx *ctx = test_ctx();
    fanin_data *data = blob_data(ctx, 300, 20, 5);
    const struct layer layers[] = {MLP(16)};
    fanin_model *model = make(ctx, 20, layers, 3, data);
    struct seen seen = {0};
    const struct fanin_train_options options = {.size = sizeof options,
                                                .regularize = terms,
                                                .n_regularize = 3,
                                                .epochs = 4,
                                                .batch = 32,
                                                .event = look,
                                                .event_payload = &seen};
    assert_ok(ctx, fanin_train(model, data, &options));
    assert_int_equal(seen.starts, 1);
    assert_int_equal(seen.params, 4);
    assert_int_equal(seen.epochs, 4);
    assert_int_equal(seen.ends, 1);
    assert_true(seen.losses_off < 1e-12);
    fanin_model_free(model);
    fanin_data_free(data);
    fanin_ctx_free(ctx);
}

/* A rate that first learns and then spoils: the model that is left is the best one. */
static void test_early_stop_restores(void **state) {
    (void)state;
    static const struct fanin_attr lr = {.name = "lr", .number = 1.5};
    fanin_ctx *ctx = test_ctx();
    fanin_data *data = digits(ctx);
    const struct layer layers[] = {{"dense", 24}, {"tanh"}, {"dense", 10}};
    fanin_model *model = make(ctx, 64, layers, 3, data);
    struct seen seen = {0};
    const struct fanin_train_options options = {.size = sizeof options,
                                                .optim = {"sgd", &lr, 1, 0},
                                                .epochs = 60,
                                                .batch = 16,
                                                .early_stop_metric = "loss",
                                                .patience = 3,
                                                .event = look,
                                                .event_payload = &seen};
    assert_ok(ctx, fanin_train(model, data, &options));
    assert_true(seen.epochs < 60);
    assert_int_equal((int)seen.best_epoch, seen.epochs - 3);
    assert_true(seen.last > seen.best);
    assert_ok(ctx, fanin_evaluate(model, data, FANIN_VALIDATION, look, &seen));
    assert_true(seen.eval_loss == seen.best);
    fanin_model_free(model);
    fanin_data_free(data);
    fanin_ctx_free(ctx);
}

/* An extra metric is computed while training only where early stop names it; on its own an
 * evaluation has all of them, behind the main ones. */
struct names {
    int epochs, with_f1, with_ece, n_main, n_figures;
};
static void look_at_names(void *payload, const struct fanin_event *e) {
    struct names *n = payload;
    for (int i = 0; e->type == FANIN_EVENT_EPOCH && i < e->n_figures; i++) {
        n->with_f1 += strcmp(e->figures[i].name, "val_f1") == 0;
        n->with_ece += strcmp(e->figures[i].name, "val_ece") == 0;
    }
    n->epochs += e->type == FANIN_EVENT_EPOCH;
    if (e->type != FANIN_EVENT_EVAL) return;
    n->n_main = e->n_main;
    n->n_figures = e->n_figures;
    for (int i = 0; i < e->n_figures; i++)
        if (strcmp(e->figures[i].name, "accuracy") == 0) assert_true(i < e->n_main);
}

static void test_extra_metrics(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    fanin_data *data = digits(ctx);
    const struct layer layers[] = {{"dense", 10}};
    fanin_model *model = make(ctx, 64, layers, 1, data);
    struct names names = {0};
    const struct fanin_train_options options = {.size = sizeof options,
                                                .epochs = 2,
                                                .early_stop_metric = "f1",
                                                .event = look_at_names,
                                                .event_payload = &names};
    assert_ok(ctx, fanin_train(model, data, &options));
    assert_true(names.epochs == 2 && names.with_f1 == 2 && names.with_ece == 0);
    assert_ok(ctx, fanin_evaluate(model, data, FANIN_VALIDATION, look_at_names, &names));
    assert_true(names.n_main > 0 && names.n_main < names.n_figures);
    fanin_model_free(model);
    fanin_data_free(data);
    fanin_ctx_free(ctx);
}

static void test_divergence(void **state) {
    (void)state;
    static const struct fanin_attr lr = {.name = "lr", .number = 1e6};
    char dir[256], path[300];
    temp_dir(dir);
    snprintf(path, sizeof path, "%s/run.safetensors", dir);
    fanin_ctx *ctx = test_ctx();
    fanin_data *data = blob_data(ctx, 300, 20, 5);
    const struct layer layers[] = {{"dense", 16}, {"relu"}, {"dense", 16}, {"relu"}, {"dense", 5}};
    fanin_model *model = make(ctx, 20, layers, 5, data);
    struct fanin_train_options options = {
        .size = sizeof options, .epochs = 1, .batch = 32, .checkpoint = path};
    assert_ok(ctx, fanin_train(model, data, &options));
    size_t before, after;
    char *good = read_file(path, &before);
    options.optim = (struct fanin_rule){"sgd", &lr, 1, 0};
    options.epochs = 30;
    assert_refused(ctx, FANIN_ERR_DIVERGED, "not finite", fanin_train(model, data, &options));
    assert_non_null(strstr(fanin_errmsg(ctx), "step "));
    assert_non_null(strstr(fanin_errmsg(ctx), "dense"));
    assert_non_null(strstr(fanin_errmsg(ctx), "is too large"));
    char *kept = read_file(path, &after);
    assert_int_equal(before, after);
    assert_memory_equal(good, kept, before); /* the last good checkpoint is untouched */
    free(good);
    free(kept);
    fanin_model_free(model);
    fanin_data_free(data);
    fanin_ctx_free(ctx);
    temp_dir_remove(dir);
}

static void test_batch_norm_rows(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    fanin_data *data = blob_data(ctx, 33, 8, 5);
    const struct layer layers[] = {{"dense", 6}, {"batch_norm"}, {"relu"}, {"dense", 5}};
    fanin_model *model = make(ctx, 8, layers, 4, data);
    struct seen seen = {0};
    struct fanin_train_options options = {
        .size = sizeof options, .epochs = 1, .batch = 16, .event = look, .event_payload = &seen};
    assert_ok(ctx, fanin_train(model, data, &options)); /* 16 + 16 + 1: the last one is dropped */
    assert_int_equal(seen.warnings, 1);
    assert_non_null(strstr(seen.warning, "one sample"));
    options.batch = 1;
    assert_refused(ctx, FANIN_ERR_RECIPE, "one value per channel",
                   fanin_train(model, data, &options));
    fanin_model_free(model);
    fanin_data_free(data);
    fanin_ctx_free(ctx);
}

static void test_refusals(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    fanin_data *data = blob_data(ctx, 40, 8, 5), *other = blob_data(ctx, 40, 9, 5);
    const struct layer layers[] = {MLP(6)};
    fanin_model *model = make(ctx, 8, layers, 3, data);
    struct fanin_train_options options = {.size = sizeof options, .epochs = 1, .batch = 41};
    assert_refused(ctx, FANIN_ERR_RECIPE, "more than the 40", fanin_train(model, data, &options));
    options.batch = 12;
    options.shards = 8;
    assert_refused(ctx, FANIN_ERR_RECIPE, "train.shards", fanin_train(model, data, &options));
    options.shards = 3;
    assert_refused(ctx, FANIN_ERR_RECIPE, "power of two", fanin_train(model, data, &options));
    options.shards = 1;
    assert_refused(ctx, FANIN_ERR_SHAPE, "reads 8", fanin_train(model, other, &options));
    options.early_stop_metric = "loss";
    assert_refused(ctx, FANIN_ERR_RECIPE, "validation", fanin_train(model, data, &options));
    options.early_stop_metric = NULL;
    fanin_trainer *trainer;
    const float x[8] = {0};
    assert_ok(ctx, fanin_trainer_create(&trainer, model, &options));
    assert_refused(ctx, FANIN_ERR_ARGUMENT, "label 5",
                   fanin_trainer_step(trainer, x, 1, (const int32_t[]){5}, NULL, NULL));
    assert_refused(ctx, FANIN_ERR_ARGUMENT, "distributions",
                   fanin_trainer_step(trainer, x, 1, NULL, x, NULL));
    assert_refused(ctx, FANIN_ERR_ARGUMENT, "needs labels",
                   fanin_trainer_step(trainer, x, 1, NULL, NULL, NULL));
    assert_refused(ctx, FANIN_ERR_ARGUMENT, "1 to 12",
                   fanin_trainer_step(trainer, x, 0, NULL, NULL, NULL));
    fanin_trainer_free(trainer);
    fanin_model_free(model);
    fanin_data_free(data);
    fanin_data_free(other);
    fanin_ctx_free(ctx);
}

/* Two inputs side by side, joined; a hidden node as a second output. */
static void test_inputs_and_outputs(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    fanin_net *net;
    fanin_model *model;
    int a, b, h[2], sum;
    static const struct fanin_attr four = {.number = 4}, two = {.number = 2};
    assert_ok(ctx, fanin_net_create(&net, ctx));
    assert_ok(ctx, fanin_net_input(net, &a, NULL, 1, (const int64_t[]){3}));
    assert_ok(ctx, fanin_net_input(net, &b, "right", 1, (const int64_t[]){2}));
    assert_ok(ctx, fanin_net_add(net, &h[0], "dense", NULL, &a, 1, &four, 1));
    assert_ok(ctx, fanin_net_add(net, &h[1], "dense", NULL, &b, 1, &four, 1));
    assert_ok(ctx, fanin_net_add(net, &sum, "add", "joined", h, 2, NULL, 0));
    assert_ok(ctx, fanin_net_add(net, &b, "dense", "result", &sum, 1, &two, 1));
    assert_ok(ctx, fanin_net_output(net, b));
    assert_ok(ctx, fanin_net_output(net, sum));
    assert_ok(ctx, fanin_model_create(&model, net, NULL));
    assert_int_equal(fanin_model_inputs(model), 5);
    float w1[12], w2[8], joined[8], p[4];
    const float x[10] = {1, 2, 3, 4, 5, -1, 0.5f, 0, 2, -3};
    assert_ok(ctx, fanin_model_get(model, "dense1.weight", w1, 12));
    assert_ok(ctx, fanin_model_get(model, "dense2.weight", w2, 8));
    assert_ok(ctx, fanin_model_activations(model, "joined", x, 2, joined));
    for (int r = 0; r < 2; r++)
        for (int u = 0; u < 4; u++) {
            double expected = 0;
            for (int k = 0; k < 3; k++) expected += (double)w1[u * 3 + k] * (double)x[r * 5 + k];
            for (int k = 0; k < 2; k++)
                expected += (double)w2[u * 2 + k] * (double)x[r * 5 + 3 + k];
            assert_true(fabs((double)joined[r * 4 + u] - expected) < 1e-5);
        }
    assert_ok(ctx, fanin_model_predict(model, x, 2, p));
    assert_true(fabs((double)(p[0] + p[1]) - 1) < 1e-6);
    assert_refused(ctx, FANIN_ERR_ARGUMENT, "no output",
                   fanin_model_activations(model, "dense1", x, 1, joined));
    fanin_trainer *trainer;
    double first = 0, last = 0;
    const struct fanin_train_options options = {.size = sizeof options, .batch = 2};
    assert_ok(ctx, fanin_trainer_create(&trainer, model, &options));
    for (int i = 0; i < 50; i++)
        assert_ok(ctx, fanin_trainer_step(trainer, x, 2, (const int32_t[]){0, 1}, NULL,
                                          i ? &last : &first));
    assert_true(last < 0.1 * first);
    fanin_trainer_free(trainer);
    fanin_model_free(model);
    fanin_ctx_free(ctx);
}

/* Targets far from unit variance are learned in units of their own spread and predicted in their
 * own. */
static void test_regression_units(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    enum { N = 200 };
    char dir[256], path[300];
    temp_dir(dir);
    snprintf(path, sizeof path, "%s/line.csv", dir);
    FILE *file = fopen(path, "w");
    fprintf(file, "x,y\n");
    for (int i = 0; i < N; i++) fprintf(file, "%d,%d\n", i, 100000 + 250 * i);
    fclose(file);
    static const struct fanin_attr target = {.name = "target", .text = "y"};
    const struct fanin_data_options options = {
        .size = sizeof options, .reader = {"csv", &target, 1, 0}, .train = path};
    fanin_data *data;
    assert_ok(ctx, fanin_data_load(&data, ctx, &options));
    const struct layer layers[] = {{"dense", 1}};
    fanin_model *model = make(ctx, 1, layers, 1, data);
    const struct fanin_train_options train = {.size = sizeof train, .epochs = 60, .batch = 20};
    assert_ok(ctx, fanin_train(model, data, &train));
    float y;
    assert_ok(ctx, fanin_model_predict(model, (const float[]){100}, 1, &y));
    assert_true(fabs((double)y - 125000) < 100);
    fanin_model_free(model);
    fanin_data_free(data);
    fanin_ctx_free(ctx);
    temp_dir_remove(dir);
}

/* A schedule moves with each step, not each epoch: the last of one epoch's 9 steps has come down
 * most of a cosine. The order of the samples follows the seed of the training. */
static void test_steps_of_an_epoch(void **state) {
    (void)state;
    static const struct fanin_attr lr = {.name = "lr", .number = 0.01};
    const struct layer layers[] = {MLP(16)};
    fanin_ctx *ctx = test_ctx();
    fanin_data *data = blob_data(ctx, 288, 20, 5);
    uint64_t hash[3];
    for (int i = 0; i < 3; i++) {
        struct seen seen = {0};
        const struct fanin_train_options options = {.size = sizeof options,
                                                    .optim = {"sgd", &lr, 1, 0},
                                                    .schedule = {"cosine", NULL, 0, 0},
                                                    .epochs = 1,
                                                    .batch = 32,
                                                    .seed = (uint64_t)(i / 2),
                                                    .event = look,
                                                    .event_payload = &seen};
        fanin_model *model = make(ctx, 20, layers, 3, data);
        assert_ok(ctx, fanin_train(model, data, &options));
        assert_true(fabs(seen.last_lr - 0.005 * (1 + cos(3.14159265358979 * 8 / 9))) < 1e-9);
        hash[i] = params_hash(model);
        fanin_model_free(model);
    }
    assert_true(hash[1] == hash[0]);
    assert_true(hash[2] != hash[0]);
    fanin_data_free(data);
    fanin_ctx_free(ctx);
}

int main(void) {
    struct CMUnitTest tests[] = {
        cmocka_unit_test(test_losses_add_up),      cmocka_unit_test(test_early_stop_restores),
        cmocka_unit_test(test_extra_metrics),      cmocka_unit_test(test_divergence),
        cmocka_unit_test(test_batch_norm_rows),    cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_inputs_and_outputs), cmocka_unit_test(test_regression_units),
        cmocka_unit_test(test_steps_of_an_epoch)};
    return test_main(tests);
}
