/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Biases and norm parameters are exempt: one step with a penalty or decay on the parameters leaves
 * them, to the last bit, where a step without it does, and moves the weights elsewhere. Tried for
 * each such record, in the epilogue of the gradient and from whole gradients (shards, clipping).
 */
#include "graph/graph.h"
#include "support/nets.h"

#define ROWS 16
#define INPUTS 20
#define CLASSES 5
#define EXEMPT 0.5f /* where exempt numbers start: decay would not move zeros */

static int exempt(const char *name) {
    return strcmp(name, "dense1.weight") != 0 && strcmp(name, "dense2.weight") != 0;
}

static fanin_model *start(fanin_ctx *ctx) {
    static const struct layer layers[] = {{"dense", 33}, {"batch_norm"}, {"relu"}, {"dense", 5}};
    const struct fanin_model_options options = {.size = sizeof options, .seed = 4};
    fanin_model *model;
    assert_ok(ctx, fanin_model_create(&model, chain_net(ctx, INPUTS, layers, 4), &options));
    const fanin_net *net = fanin_model_net(model);
    for (int i = 0; i < fanin_net_params(net); i++) {
        struct fanin_param_info p;
        float values[64];
        fanin_net_param(net, i, &p);
        if (!exempt(p.name)) continue;
        for (int k = 0; k < 64; k++) values[k] = EXEMPT;
        assert_ok(ctx, fanin_model_set(model, p.name, values, p.count));
    }
    return model;
}

static fanin_model *step_once(fanin_ctx *ctx, struct fanin_train_options options,
                              const struct fanin_rule *rule) {
    float x[ROWS * INPUTS];
    int32_t labels[ROWS];
    fanin_trainer *trainer;
    fanin_model *model = start(ctx);
    for (int i = 0; i < ROWS * INPUTS; i++) {
        uint32_t w[4];
        fi_philox(5, 1, (uint64_t)i, w);
        x[i] = (float)(2 * fi_uniform53(w[0], w[1]) - 1);
    }
    for (int i = 0; i < ROWS; i++) labels[i] = i % CLASSES;
    options.size = sizeof options;
    options.batch = ROWS;
    options.regularize = rule;
    options.n_regularize = rule != NULL;
    assert_ok(ctx, fanin_trainer_create(&trainer, model, &options));
    assert_ok(ctx, fanin_trainer_step(trainer, x, ROWS, labels, NULL, NULL));
    fanin_trainer_free(trainer);
    return model;
}

static void compare(fanin_ctx *ctx, const fanin_model *with, const fanin_model *without) {
    const fanin_net *net = fanin_model_net(with);
    for (int i = 0; i < fanin_net_params(net); i++) {
        struct fanin_param_info p;
        float a[33 * INPUTS], b[33 * INPUTS];
        fanin_net_param(net, i, &p);
        assert_int_equal(p.decay, !exempt(p.name));
        assert_ok(ctx, fanin_model_get(with, p.name, a, p.count));
        assert_ok(ctx, fanin_model_get(without, p.name, b, p.count));
        const int same = memcmp(a, b, (size_t)p.count * sizeof(*a)) == 0;
        if (same != exempt(p.name)) fail_msg("%s %s", p.name, same ? "stayed" : "was moved");
    }
}

static void test_exempt(void **state) {
    (void)state;
    static const struct fanin_attr strength = {.number = 0.1};
    static const struct fanin_train_options ways[] = {
        {.shards = 1}, {.shards = 4}, {.clip_norm = 1e9}};
    fanin_ctx *ctx = test_ctx();
    const struct fanin_record *record;
    int tried = 0;
    for (int i = 0; (record = fanin_record_at(ctx, "reg", i)); i++) {
        const struct fi_reg *reg = (const struct fi_reg *)(const void *)record;
        if (reg->outputs || reg->of_entropy) continue;
        const struct fanin_rule rule = {record->name, &strength, 1, 0};
        for (int k = 0; k < FI_COUNT(ways); k++) {
            fanin_model *with = step_once(ctx, ways[k], &rule);
            fanin_model *without = step_once(ctx, ways[k], NULL);
            compare(ctx, with, without);
            fanin_model_free(with);
            fanin_model_free(without);
            tried++;
        }
    }
    assert_true(tried >= 2 * FI_COUNT(ways));
    fanin_ctx_free(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_exempt)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
