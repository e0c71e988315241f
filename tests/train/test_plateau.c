/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs that react to the validation part: the plateau schedule of the rate and of the momentum,
 * with an average of the weights and early stopping beside it. What they saw is in the checkpoint,
 * so a run that is stopped after any epoch and goes on ends with the same bits and the same rates.
 */
#include "support/nets.h"

enum { EPOCHS = 8 };

struct trace {
    fanin_ctx *ctx;
    int64_t stop_at;
    double lr[EPOCHS], momentum[EPOCHS], loss[EPOCHS];
};

static void keep(void *payload, const struct fanin_event *event) {
    struct trace *t = payload;
    if (event->type != FANIN_EVENT_EPOCH) return;
    for (int i = 0; i < event->n_figures; i++) {
        const struct fanin_figure *f = &event->figures[i];
        if (strcmp(f->name, "lr") == 0) t->lr[event->epoch - 1] = f->value;
        if (strcmp(f->name, "momentum") == 0) t->momentum[event->epoch - 1] = f->value;
        if (strcmp(f->name, "val_loss") == 0) t->loss[event->epoch - 1] = f->value;
    }
    if (event->epoch == t->stop_at) fanin_stop(t->ctx);
}

/* A large threshold: little counts as better, so that there is something to react to. */
static const struct fanin_attr rate[] = {{.name = "factor", .number = 0.5},
                                         {.name = "patience", .number = 0},
                                         {.name = "threshold", .number = 0.3}};
static const struct fanin_attr force[] = {{.name = "metric", .text = "ece"},
                                          {.name = "patience", .number = 0},
                                          {.name = "threshold", .number = 0.3}};

static struct fanin_train_options options_of(struct trace *t, const char *average,
                                             const char *path) {
    return (struct fanin_train_options){.size = sizeof(struct fanin_train_options),
                                        .schedule = {"plateau", rate, 3, 0},
                                        .momentum_schedule = {"plateau", force, 3, 0},
                                        .average = {average, NULL, 0, 0},
                                        .epochs = EPOCHS,
                                        .batch = 100,
                                        .seed = 7,
                                        .early_stop_metric = "brier",
                                        .patience = 100,
                                        .checkpoint = path,
                                        .event = keep,
                                        .event_payload = t};
}

static fanin_data *digits(fanin_ctx *ctx, double validation) {
    const struct fanin_data_options options = {.size = sizeof options,
                                               .reader = {"digits", NULL, 0, 0},
                                               .validation_fraction = validation,
                                               .seed = 7};
    fanin_data *data;
    assert_ok(ctx, fanin_data_load(&data, ctx, &options));
    return data;
}

static fanin_model *model_of(fanin_ctx *ctx, const fanin_data *data) {
    static const struct layer layers[] = {
        {"dense", 20}, {"batch_norm"}, {"relu"}, {"dropout", .3}, {"dense", 10}};
    const struct fanin_model_options options = {.size = sizeof options, .seed = 7, .data = data};
    fanin_net *net;
    int node;
    fanin_model *model;
    assert_ok(ctx, fanin_net_create(&net, ctx));
    assert_ok(ctx, fanin_net_input(net, &node, NULL, fanin_data_shape(data)->rank,
                                   fanin_data_shape(data)->dims));
    for (int i = 0; i < FI_COUNT(layers); i++) node = add_layer(ctx, net, node, &layers[i]);
    assert_ok(ctx, fanin_model_create(&model, net, &options));
    return model;
}

/* Stopped after epoch `stop` (0: never) and gone on. */
static uint64_t run(struct trace *t, const char *average, int64_t stop, const char *path) {
    uint64_t hash = 0;
    for (int piece = 0; hash == 0 && piece < 2; piece++) {
        fanin_ctx *ctx = test_ctx_on(1 + piece, NULL);
        fanin_data *data = digits(ctx, 0.2);
        fanin_model *model = model_of(ctx, data);
        t->ctx = ctx;
        t->stop_at = piece == 0 ? stop : 0;
        struct fanin_train_options options = options_of(t, average, path);
        options.resume = piece;
        const enum fanin_status status = fanin_train(model, data, &options);
        if (status == FANIN_OK)
            hash = params_hash(model);
        else if (status != FANIN_ERR_STOPPED)
            fail_msg("%s", fanin_errmsg(ctx));
        fanin_model_free(model);
        fanin_data_free(data);
        fanin_ctx_free(ctx);
    }
    return hash;
}

static void stopped_and_resumed(void **state) {
    (void)state;
    static const char *const averages[] = {NULL, "ema", "swa"};
    char dir[256], path[300];
    temp_dir(dir);
    snprintf(path, sizeof path, "%s/run.safetensors", dir);
    for (int a = 0; a < FI_COUNT(averages); a++) {
        struct trace whole = {0};
        const uint64_t expected = run(&whole, averages[a], 0, path);
        assert_true(whole.lr[0] == 0.1 && whole.lr[EPOCHS - 1] < 0.1);
        assert_true(whole.momentum[0] == 0.9 && whole.momentum[EPOCHS - 1] < 0.9);
        for (int64_t stop = 1; stop < EPOCHS; stop++) {
            struct trace t = {0};
            if (run(&t, averages[a], stop, path) != expected)
                fail_msg("%s, stopped after epoch %d: other bits",
                         averages[a] ? averages[a] : "no average", (int)stop);
            assert_memory_equal(t.lr, whole.lr, sizeof t.lr);
            assert_memory_equal(t.momentum, whole.momentum, sizeof t.momentum);
            assert_memory_equal(t.loss, whole.loss, sizeof t.loss);
        }
    }
    temp_dir_remove(dir);
}

static void refused(void **state) {
    (void)state;
    static const struct fanin_attr unknown = {.name = "metric", .text = "rmse"};
    fanin_ctx *ctx = test_ctx();
    fanin_data *none = digits(ctx, 0), *data = digits(ctx, 0.2);
    fanin_model *model = model_of(ctx, none);
    struct fanin_train_options options = {.size = sizeof options,
                                          .schedule = {"plateau", NULL, 0, 0}};
    assert_refused(ctx, FANIN_ERR_RECIPE, "schedule.plateau needs validation data",
                   fanin_train(model, none, &options));
    options.schedule = (struct fanin_rule){"plateau", &unknown, 1, 0};
    assert_refused(ctx, FANIN_ERR_RECIPE, "no figure of this task",
                   fanin_train(model, data, &options));
    fanin_model_free(model);
    fanin_data_free(none);
    fanin_data_free(data);
    fanin_ctx_free(ctx);
}

int main(void) {
    struct CMUnitTest tests[] = {cmocka_unit_test(stopped_and_resumed), cmocka_unit_test(refused)};
    return test_main(tests);
}
