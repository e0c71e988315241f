/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory: every allocation on the way create -> plan -> step -> save -> load fails once, and from
 * then on; each time an error code comes back and nothing leaks. A training step allocates nothing
 * at all.
 */
#include "support/memory.h"
#include "support/nets.h"

static const struct layer layers[] = {{"dropout", .2}, {"dense", 20},   {"batch_norm"},
                                      {"relu"},        {"dropout", .5}, {"dense", 5}};

static enum fanin_status build(fanin_ctx *ctx, fanin_net **out) {
    const int64_t in = 9;
    int node;
    *out = NULL;
    FI_TRY(fanin_net_create(out, ctx));
    FI_TRY(fanin_net_input(*out, &node, NULL, 1, &in));
    for (int i = 0; i < FI_COUNT(layers); i++) {
        const struct fanin_attr attr = {.number = layers[i].number};
        FI_TRY(
            fanin_net_add(*out, &node, layers[i].op, NULL, &node, 1, &attr, layers[i].number > 0));
    }
    return FANIN_OK;
}

static enum fanin_status use(fanin_ctx *ctx, fanin_data *data, fanin_model *model,
                             const char *path) {
    static const struct fanin_attr lambda = {.number = 1e-3};
    static const struct fanin_rule terms[] = {{"l2", &lambda, 1, 0},
                                              {"confidence_penalty", &lambda, 1, 0}};
    const struct fanin_train_options options = {.size = sizeof options,
                                                .optim = {"adamw", NULL, 0, 0},
                                                .regularize = terms,
                                                .n_regularize = 2,
                                                .epochs = 1,
                                                .batch = 16,
                                                .shards = 2,
                                                .checkpoint = path};
    fanin_model *copy = NULL;
    float p[5], x[9] = {0};
    FI_TRY(fanin_train(model, data, &options));
    FI_TRY(fanin_model_save(model, path));
    FI_TRY(fanin_model_load(&copy, ctx, path));
    enum fanin_status status = fanin_model_predict(copy, x, 1, p);
    if (status == FANIN_OK) status = fanin_model_import(copy, path, NULL);
    fanin_model_free(copy);
    return status;
}

/* The whole way; whatever happens, everything is freed. */
static enum fanin_status the_way(struct test_memory *c, const char *path) {
    const struct fanin_ctx_options options = {
        .size = sizeof options, .threads = 2, .allocator = test_memory_allocator(c)};
    fanin_ctx *ctx;
    char error[200];
    FI_TRY(fanin_ctx_create(&ctx, &options, error, sizeof error));
    float x[40 * 9];
    int32_t labels[40];
    fanin_data *data = NULL;
    fanin_net *net = NULL;
    fanin_model *model = NULL;
    for (int i = 0; i < 40 * 9; i++) x[i] = (float)((i * 7919) % 101) / 50 - 1;
    for (int i = 0; i < 40; i++) labels[i] = i % 5;
    enum fanin_status status = fanin_data_from_arrays(&data, ctx, 40, 9, x, labels, 5, NULL, 0);
    if (status == FANIN_OK) status = build(ctx, &net);
    if (status == FANIN_OK) {
        const struct fanin_model_options mo = {.size = sizeof mo, .data = data};
        status = fanin_model_create(&model, net, &mo);
        net = NULL; /* taken over, also on failure */
    }
    if (status == FANIN_OK) status = use(ctx, data, model, path);
    if (status != FANIN_OK && !*fanin_errmsg(ctx)) fail_msg("an error without a message");
    fanin_net_free(net);
    fanin_model_free(model);
    fanin_data_free(data);
    fanin_ctx_free(ctx);
    return status;
}

static void test_each_allocation_fails(void **state) {
    (void)state;
    char dir[256], path[300];
    temp_dir(dir);
    snprintf(path, sizeof path, "%s/model.safetensors", dir);
    struct test_memory all = {0};
    assert_int_equal(the_way(&all, path), FANIN_OK);
    assert_int_equal(all.live, 0);
    assert_true(all.calls > 50);
    for (int for_ever = 0; for_ever < 2; for_ever++)
        for (int64_t i = 1; i <= all.calls; i++) {
            struct test_memory c = {.fail_at = i, .for_ever = for_ever};
            const enum fanin_status status = the_way(&c, path);
            if (status != FANIN_ERR_MEMORY)
                fail_msg("allocation %lld of %lld fails%s: %s", (long long)i, (long long)all.calls,
                         for_ever ? " and all after it" : "", fanin_status_name(status));
            if (c.live != 0)
                fail_msg("allocation %lld fails: %lld leaks", (long long)i, (long long)c.live);
        }
    temp_dir_remove(dir);
}

static void test_a_step_allocates_nothing(void **state) {
    (void)state;
    struct test_memory c = {0};
    const struct fanin_ctx_options options = {
        .size = sizeof options, .threads = 2, .allocator = test_memory_allocator(&c)};
    fanin_ctx *ctx;
    char error[200];
    assert_int_equal(fanin_ctx_create(&ctx, &options, error, sizeof error), FANIN_OK);
    fanin_net *net;
    fanin_model *model;
    assert_ok(ctx, build(ctx, &net));
    assert_ok(ctx, fanin_model_create(&model, net, NULL));
    for (int64_t shards = 1; shards <= 4; shards *= 4) {
        const struct fanin_train_options to = {.size = sizeof to, .batch = 32, .shards = shards};
        fanin_trainer *trainer;
        float x[32 * 9] = {0};
        int32_t labels[32] = {0};
        assert_ok(ctx, fanin_trainer_create(&trainer, model, &to));
        const int64_t before = c.calls;
        for (int i = 0; i < 5; i++)
            assert_ok(ctx, fanin_trainer_step(trainer, x, i == 3 ? 7 : 32, labels, NULL, NULL));
        assert_int_equal(c.calls, before);
        fanin_trainer_free(trainer);
    }
    fanin_model_free(model);
    fanin_ctx_free(ctx);
    assert_int_equal(c.live, 0);
}

int main(void) {
    struct CMUnitTest tests[] = {cmocka_unit_test(test_each_allocation_fails),
                                 cmocka_unit_test(test_a_step_allocates_nothing)};
    return test_main(tests);
}
