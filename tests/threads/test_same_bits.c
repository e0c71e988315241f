/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Same seed, same bits: one hash of the final parameters for every number of threads, every tier
 * this processor has, and for a run stopped and resumed at several steps, also inside an epoch.
 * The recipes between them use the ops that keep something between steps, the optimizers, all
 * regularizers, shards and clipping.
 */
#include <stdio.h>
#include <stdlib.h>

#include "support/nets.h"

struct recipe {
    const char *name;
    const struct layer layers[12];
    int n;
    int64_t in, batch, shards;
    const char *optim;
    double clip;
    const char *average; /* NULL: none */
    double mixup;        /* with weighted classes and smoothed labels; 0: none */
};
static const struct recipe recipes[] = {
    {"dropout",
     {{"dropout", .2},
      {"dense", 300},
      {"relu"},
      {"dropout", .5},
      {"dense", 130},
      {"relu"},
      {"dropout", .5},
      {"dense", 5}},
     8,
     70,
     96,
     1,
     "sgd",
     0},
    {"batch norm",
     {{"dense", 200},
      {"batch_norm"},
      {"sigmoid"},
      {"dense", 97},
      {"batch_norm"},
      {"tanh"},
      {"dense", 5}},
     7,
     70,
     60,
     1,
     "adamw",
     0},
    {"shards",
     {{"dense", 150}, {"tanh"}, {"dropout", .3}, {"dense", 5}},
     4,
     70,
     64,
     4,
     "adamw",
     .5},
    {"norms",
     {{"dense", 120},
      {"layer_norm"},
      {"prelu"},
      {"dense", 64},
      {"group_norm", 4},
      {"relu"},
      {"dense", 33},
      {"rms_norm"},
      {"tanh"},
      {"dense", 5}},
     10,
     70,
     64,
     2,
     "adamw",
     0},
    {"weights",
     {{"weight_norm", 100}, {"relu"}, {"dropconnect", 49}, {"tanh"}, {"weight_norm", 5}},
     5,
     70,
     64,
     2,
     "adamw",
     0},
    {"rmsprop", {{"dense", 40}, {"relu"}, {"dense", 5}}, 3, 70, 50, 1, "rmsprop", 0},
    {"adagrad", {{"dense", 40}, {"relu"}, {"dense", 5}}, 3, 70, 50, 1, "adagrad", 0},
    {"ema",
     {{"dense", 150}, {"batch_norm"}, {"relu"}, {"dropout", .3}, {"dense", 5}},
     5,
     70,
     60,
     1,
     "sgd",
     0,
     "ema"},
    {"swa",
     {{"dense", 150}, {"batch_norm"}, {"relu"}, {"dense", 5}},
     4,
     70,
     64,
     2,
     "adamw",
     0,
     "swa"},
    {"mixup",
     {{"dense", 130}, {"relu"}, {"dropout", .3}, {"dense", 5}},
     4,
     70,
     64,
     4,
     "sgd",
     0,
     NULL,
     .4}};

static const struct fanin_attr uneven[] = {{.name = "label_smoothing", .number = .1},
                                           {.name = "class_weights", .text = "balanced"},
                                           {.name = "ignore_index", .number = 2}};

static const struct fanin_attr small = {.number = 1e-3}, beta = {.number = .1};
static const struct fanin_rule cosine = {"cosine", NULL, 0, 0};
static const struct fanin_attr scheduled[] = {{.number = 1e-3},
                                              {.name = "schedule", .rule = &cosine}};
static const struct fanin_rule terms[] = {
    {"weight_decay", &small, 1, 0},      {"l2", &small, 1, 0},
    {"elastic", &small, 1, 0},           {"orthogonal", scheduled, 2, 0},
    {"confidence_penalty", &beta, 1, 0}, {"entropy_minimization", &small, 1, 0}};

/* By name: a penalty on the outputs of the first of each kind, slower biases, units held short. */
static const struct fanin_rule activity = {"activity_l2", &small, 1, 0};
static const struct fanin_param_policy params[] = {
    {.match = "*1.output",
     .set = FANIN_POLICY_REGULARIZE,
     .regularize = &activity,
     .n_regularize = 1},
    {.match = "*.bias", .set = FANIN_POLICY_LR, .lr = 0.5}};
static const struct fanin_attr longest = {.number = 1.2};
static const struct fanin_rule constraint = {"max_norm", &longest, 1, 0};

struct stop {
    fanin_ctx *ctx;
    int64_t at; /* the step after which to stop; 0: never */
};

static fanin_model *model_of(fanin_ctx *ctx, const struct recipe *r, const fanin_data *data) {
    const struct fanin_model_options options = {
        .size = sizeof options,
        .seed = 11,
        .data = data,
        .loss = {"softmax_cross_entropy", uneven, r->mixup > 0 ? FI_COUNT(uneven) : 0, 0}};
    fanin_model *model;
    assert_ok(ctx, fanin_model_create(&model, chain_net(ctx, r->in, r->layers, r->n), &options));
    return model;
}

static struct fanin_train_options options_of(const struct recipe *r) {
    static const struct fanin_attr start[] = {{.name = "start", .number = 0.3}};
    static const struct fanin_attr warmup[] = {{.name = "warmup_epochs", .number = 0.5}};
    return (struct fanin_train_options){.size = sizeof(struct fanin_train_options),
                                        .optim = {r->optim, NULL, 0, 0},
                                        .schedule = {"cosine", warmup, 1, 0},
                                        .average = {r->average, start, r->average != NULL, 0},
                                        .regularize = terms,
                                        .n_regularize = FI_COUNT(terms),
                                        .params = params,
                                        .n_params = FI_COUNT(params),
                                        .constrain = &constraint,
                                        .n_constrain = 1,
                                        .epochs = 3,
                                        .batch = r->batch,
                                        .seed = 11,
                                        .shards = r->shards,
                                        .mixup = r->mixup,
                                        .clip_norm = r->clip,
                                        .rounding_noise = r->clip > 0 ? 1e-6 : 0};
}

/* Sanitizers look at the code, not at the bits, and are slow. */
static bool sanitized(void) {
    return getenv("FANIN_SANITIZE") != NULL;
}

static uint64_t run(int threads, const char *isa, const struct recipe *r) {
    fanin_ctx *ctx = test_ctx_on(threads, isa);
    if (!ctx) return 0;
    fanin_data *data = blob_data(ctx, 500, r->in, 5);
    fanin_model *model = model_of(ctx, r, data);
    const struct fanin_train_options options = options_of(r);
    assert_ok(ctx, fanin_train(model, data, &options));
    const uint64_t hash = params_hash(model);
    fanin_model_free(model);
    fanin_data_free(data);
    fanin_ctx_free(ctx);
    return hash;
}

static void test_threads_and_tiers(void **state) {
    (void)state;
    static const char *const tiers[] = {"portable", "avx2", "avx512"};
    const bool sample = sanitized();
    for (int i = 0; i < FI_COUNT(recipes); i++) {
        const uint64_t expected = run(1, NULL, &recipes[i]);
        for (int threads = 2; threads <= (sample ? 2 : 8); threads += threads == 3 ? 5 : 1)
            if (run(threads, NULL, &recipes[i]) != expected)
                fail_msg("%s: %d threads give other bits", recipes[i].name, threads);
        for (int t = 0; t < (sample ? 0 : FI_COUNT(tiers)); t++) {
            const uint64_t hash = run(2, tiers[t], &recipes[i]);
            if (hash && hash != expected)
                fail_msg("%s: tier %s gives other bits", recipes[i].name, tiers[t]);
        }
        print_message("%s %016llx\n", recipes[i].name, (unsigned long long)expected);
    }
}

/* Asks to stop when an epoch has been told; with the flag still set the next run stops after one
 * step. */
static void stop_at_epoch(void *payload, const struct fanin_event *event) {
    struct stop *stop = payload;
    if (event->type == FANIN_EVENT_EPOCH && event->epoch == stop->at) fanin_stop(stop->ctx);
}

/* Trains in pieces: until `epoch`, then step by step `singles` times, then to the end. */
static uint64_t run_in_pieces(const struct recipe *r, const char *path, int64_t epoch,
                              int singles) {
    uint64_t hash = 0;
    for (int piece = 0; hash == 0; piece++) {
        fanin_ctx *ctx = test_ctx_on(1 + piece % 3, piece % 2 ? "avx2" : NULL);
        if (!ctx) ctx = test_ctx();
        struct stop stop = {ctx, piece == 0 ? epoch : -1};
        fanin_data *data = blob_data(ctx, 500, r->in, 5);
        fanin_model *model = model_of(ctx, r, data);
        struct fanin_train_options options = options_of(r);
        options.checkpoint = path;
        options.resume = piece > 0;
        options.event = stop_at_epoch;
        options.event_payload = &stop;
        if (piece > 0 && piece <= singles) fanin_stop(ctx); /* one more step, then stop */
        if (piece == 0 && epoch == 0) fanin_stop(ctx);
        const enum fanin_status status = fanin_train(model, data, &options);
        if (status == FANIN_OK)
            hash = params_hash(model);
        else if (status != FANIN_ERR_STOPPED)
            fail_msg("%s: piece %d: %s", r->name, piece, fanin_errmsg(ctx));
        fanin_model_free(model);
        fanin_data_free(data);
        fanin_ctx_free(ctx);
        assert_true(piece < 40);
    }
    return hash;
}

static void test_stop_and_resume(void **state) {
    (void)state;
    char dir[256], path[300];
    temp_dir(dir);
    snprintf(path, sizeof path, "%s/run.safetensors", dir);
    const bool sample = sanitized();
    for (int i = 0; i < FI_COUNT(recipes); i++) {
        const uint64_t expected = run(1, NULL, &recipes[i]);
        for (int64_t epoch = sample ? 1 : 0; epoch <= (sample ? 1 : 2); epoch++)
            for (int singles = sample ? 3 : 0; singles <= (sample ? 3 : 6); singles += 3)
                if (run_in_pieces(&recipes[i], path, epoch, singles) != expected)
                    fail_msg("%s: stopped in epoch %lld and %d times more: other bits",
                             recipes[i].name, (long long)epoch + 1, singles);
    }
    temp_dir_remove(dir);
}

/* Refused with the reason: another seed, batch, shards, optimizer, data, net. */
static void test_other_run_is_refused(void **state) {
    (void)state;
    char dir[256], path[300];
    temp_dir(dir);
    snprintf(path, sizeof path, "%s/run.safetensors", dir);
    fanin_ctx *ctx = test_ctx();
    fanin_data *data = blob_data(ctx, 500, 70, 5), *others = blob_data(ctx, 501, 70, 5);
    fanin_model *model = model_of(ctx, &recipes[0], data), *net = model_of(ctx, &recipes[1], data);
    struct fanin_train_options options = options_of(&recipes[0]), other[4];
    options.checkpoint = path;
    options.epochs = 1;
    assert_ok(ctx, fanin_train(model, data, &options));
    options.resume = 1;
    for (int i = 0; i < FI_COUNT(other); i++) other[i] = options;
    other[0].seed = 12;
    other[1].batch = 48;
    other[2].shards = 2;
    other[3].optim.name = "adamw";
    for (int i = 0; i < FI_COUNT(other); i++)
        assert_refused(ctx, FANIN_ERR_DATA, "another run", fanin_train(model, data, &other[i]));
    assert_refused(ctx, FANIN_ERR_DATA, "another run", fanin_train(model, others, &options));
    assert_refused(ctx, FANIN_ERR_DATA, "another run", fanin_train(net, data, &options));
    fanin_model_free(net);
    fanin_data_free(others);
    assert_ok(ctx, fanin_model_save(model, path));
    assert_refused(ctx, FANIN_ERR_DATA, "not a checkpoint", fanin_train(model, data, &options));
    fanin_model_free(model);
    fanin_data_free(data);
    fanin_ctx_free(ctx);
    temp_dir_remove(dir);
}

int main(void) {
    struct CMUnitTest tests[] = {cmocka_unit_test(test_threads_and_tiers),
                                 cmocka_unit_test(test_stop_and_resume),
                                 cmocka_unit_test(test_other_run_is_refused)};
    return test_main(tests);
}
