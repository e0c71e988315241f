/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Initializers of whole networks: which branches are found, that zero_last makes every branch the
 * identity, bit for bit, that fixup begins at exactly ln(classes), that lsuv reaches unit variance,
 * and that such starts can be trained (the guard lets them pass and every weight moves).
 */
#include <math.h>

#include "data/data.h"
#include "graph/graph.h"
#include "support/nets.h"

enum { IN = 12, WIDTH = 12, CLASSES = 7, ROWS = 300 };

static int add(fanin_ctx *ctx, fanin_net *net, const char *op, int a, int b, double number) {
    const struct fanin_attr attr = {.number = number};
    const int from[] = {a, b};
    int node;
    assert_ok(ctx, fanin_net_add(net, &node, op, NULL, from, b < 0 ? 1 : 2, &attr, number > 0));
    return node;
}

/* dense1, then `blocks` blocks x + F(x), F of `deep` layers; `tail` (or NULL) ends each branch. The
 * last block has a projection as its skip. Nodes of the sums go to sums[], skips to skips[]. */
static fanin_net *residual(fanin_ctx *ctx, int blocks, int deep, const char *tail, int *sums,
                           int *skips) {
    fanin_net *net;
    int x;
    const int64_t in = IN;
    assert_ok(ctx, fanin_net_create(&net, ctx));
    assert_ok(ctx, fanin_net_input(net, &x, NULL, 1, &in));
    x = add(ctx, net, "dense", x, -1, WIDTH);
    for (int b = 0; b < blocks; b++) {
        int f = x, skip = x;
        if (b == blocks - 1) skip = add(ctx, net, "dense", x, -1, WIDTH);
        for (int k = 0; k < deep; k++) {
            f = add(ctx, net, "relu", f, -1, 0);
            f = add(ctx, net, "dense", f, -1, WIDTH);
        }
        if (tail) f = add(ctx, net, tail, f, -1, 0);
        x = add(ctx, net, "add", skip, f, 0);
        if (sums) sums[b] = x, skips[b] = skip;
    }
    x = add(ctx, net, "relu", x, -1, 0);
    add(ctx, net, "dense", x, -1, CLASSES);
    return net;
}

static enum fanin_status make(fanin_model **model, fanin_net *net, const char *init,
                              const struct fanin_attr *attrs, int n, const fanin_data *data) {
    const struct fanin_model_options options = {
        .size = sizeof options, .seed = 3, .init = {init, attrs, n, 0}, .data = data};
    return fanin_model_create(model, net, &options);
}

static double std_of(const fanin_model *model, const char *name) {
    float w[WIDTH * WIDTH];
    double squares = 0;
    assert_int_equal(fanin_model_get(model, name, w, WIDTH * WIDTH), FANIN_OK);
    for (int i = 0; i < WIDTH * WIDTH; i++) squares += (double)w[i] * (double)w[i];
    return sqrt(squares / (WIDTH * WIDTH));
}

static void branches(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    struct fi_arena arena;
    struct fi_branches found;
    fi_arena_init(&arena, ctx);
    fanin_net *net = residual(ctx, 3, 2, "tanh", NULL, NULL);
    assert_ok(ctx, fi_branches_find(&found, &arena, net));
    assert_int_equal(found.n, 3);
    for (int i = 0; i < 3; i++) assert_int_equal(found.items[i].layers, 2);
    static const struct {
        const char *node;
        int branch;
    } where[] = {{"dense1", -1}, {"dense2", 0}, {"dense3", 0}, {"tanh1", 0},   {"dense5", 1},
                 {"dense6", -1}, {"dense7", 2}, {"dense8", 2}, {"dense9", -1}, {"add2", -1}};
    for (int i = 0; i < FI_COUNT(where); i++)
        assert_int_equal(found.of_node[fanin_net_find(net, where[i].node)], where[i].branch);
    fanin_net_free(net);
    /* two layers side by side are no residual branch */
    int x;
    const int64_t in = IN;
    assert_ok(ctx, fanin_net_create(&net, ctx));
    assert_ok(ctx, fanin_net_input(net, &x, NULL, 1, &in));
    const int a = add(ctx, net, "dense", x, -1, 5), b = add(ctx, net, "dense", x, -1, 5);
    add(ctx, net, "add", a, b, 0);
    assert_ok(ctx, fi_branches_find(&found, &arena, net));
    assert_int_equal(found.n, 0);
    fanin_net_free(net);
    fi_arena_free(&arena);
    fanin_ctx_free(ctx);
}

/* Each sum against its skip, with and without a norm at the end of the branch. */
static void zero_last_is_the_identity(void **state) {
    (void)state;
    static const char *const tails[] = {NULL, "batch_norm", "layer_norm", "tanh"};
    fanin_ctx *ctx = test_ctx();
    for (int t = 0; t < FI_COUNT(tails); t++) {
        int sums[3], skips[3];
        fanin_model *model;
        fanin_net *net = residual(ctx, 3, 2, tails[t], sums, skips);
        for (int b = 0; b < 3; b++) {
            assert_ok(ctx, fanin_net_output(net, sums[b]));
            assert_ok(ctx, fanin_net_output(net, skips[b]));
        }
        const char *names[6];
        for (int b = 0; b < 3; b++) {
            names[2 * b] = fanin_net_node_name(net, sums[b]);
            names[2 * b + 1] = fanin_net_node_name(net, skips[b]);
        }
        float x[20 * IN], sum[20 * WIDTH], skip[20 * WIDTH];
        for (int i = 0; i < 20 * IN; i++) x[i] = (float)sin(i * i + 1);
        assert_ok(ctx, make(&model, net, "zero_last", NULL, 0, NULL));
        for (int b = 0; b < 3; b++) {
            assert_ok(ctx, fanin_model_activations(model, names[2 * b], x, 20, sum));
            assert_ok(ctx, fanin_model_activations(model, names[2 * b + 1], x, 20, skip));
            assert_memory_equal(sum, skip, sizeof sum);
        }
        assert_true(std_of(model, "dense2.weight") > 0.1); /* and nothing more is zero */
        assert_true((std_of(model, "dense3.weight") == 0) == (t == 0 || t == 3));
        fanin_model_free(model);
    }
    fanin_ctx_free(ctx);
}

struct first {
    double loss;
};
static void keep_loss(void *payload, const struct fanin_event *event) {
    if (event->type == FANIN_EVENT_EVAL) ((struct first *)payload)->loss = event->figures[1].value;
}

static void fixup_begins_at_ln_classes(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    fanin_data *data = blob_data(ctx, ROWS, IN, CLASSES);
    fanin_model *fixup, *plain;
    assert_ok(ctx, make(&fixup, residual(ctx, 4, 3, NULL, NULL, NULL), "fixup", NULL, 0, data));
    assert_ok(ctx,
              make(&plain, residual(ctx, 4, 3, NULL, NULL, NULL), "kaiming_normal", NULL, 0, data));
    struct first first = {0};
    assert_ok(ctx, fanin_evaluate(fixup, data, FANIN_TRAIN, keep_loss, &first));
    assert_true(fabs(first.loss - log(CLASSES)) < 1e-7);
    /* four branches of three layers: 4^(-1/4); outside of them nothing is scaled */
    const double factor = pow(4, -0.25);
    assert_true(std_of(fixup, "dense1.weight") == std_of(plain, "dense1.weight"));
    assert_true(fabs(std_of(fixup, "dense2.weight") / std_of(plain, "dense2.weight") - factor) <
                1e-6);
    assert_true(std_of(fixup, "dense4.weight") == 0);
    fanin_model_free(fixup);
    fanin_model_free(plain);
    fanin_data_free(data);
    fanin_ctx_free(ctx);
}

static double variance_of(fanin_model *model, const char *node, const fanin_data *data) {
    int64_t index[ROWS];
    double mean = 0, squares = 0;
    float y[ROWS * WIDTH], x[ROWS * IN];
    for (int64_t i = 0; i < ROWS; i++) index[i] = i;
    for (int64_t i = 0; i < ROWS; i++)
        fi_data_gather(data, FANIN_TRAIN, index + i, 1, x + i * IN, IN);
    assert_int_equal(fanin_model_activations(model, node, x, ROWS, y), FANIN_OK);
    for (int i = 0; i < ROWS * WIDTH; i++) mean += (double)y[i] / (ROWS * WIDTH);
    for (int i = 0; i < ROWS * WIDTH; i++) squares += pow((double)y[i] - mean, 2) / (ROWS * WIDTH);
    return squares;
}

/* All samples are in the batch, so what is measured here is what it measured. */
static void lsuv_reaches_unit_variance(void **state) {
    (void)state;
    const struct fanin_attr attrs[] = {{.name = "tol", .number = 0.01},
                                       {.name = "batch", .number = ROWS}};
    static const struct layer layers[] = {
        {"dense", WIDTH},       {"gelu"}, {"dropout", .5},  {"dense", WIDTH},  {"softsign"},
        {"weight_norm", WIDTH}, {"relu"}, {"dense", WIDTH}, {"dense", CLASSES}};
    static const char *const nodes[] = {"dense1", "dense2", "weight_norm1", "dense3"};
    fanin_ctx *ctx = test_ctx();
    fanin_data *data = blob_data(ctx, ROWS, IN, CLASSES);
    uint64_t hash = 0;
    for (int threads = 1; threads <= 3; threads++) {
        fanin_ctx *own = test_ctx_on(threads, NULL);
        fanin_net *net = chain_net(own, IN, layers, FI_COUNT(layers));
        fanin_model *model;
        for (int i = fanin_net_nodes(net) - 1; i > 0; i--) /* the loss is of the first */
            if (fi_weight_of(net, i)) assert_ok(own, fanin_net_output(net, i));
        assert_ok(own, make(&model, net, "lsuv", attrs, 2, data));
        for (int i = 0; i < FI_COUNT(nodes); i++)
            assert_true(fabs(variance_of(model, nodes[i], data) - 1) <= 0.0101);
        struct fanin_param_info p;
        fanin_net_param(fanin_model_net(model), 0, &p);
        assert_string_equal(p.init, "orthogonal");
        assert_non_null(strstr(p.why, "lsuv: output variance"));
        assert_true(fabs(p.std / std_of(model, "dense1.weight") - 1) < 1e-3);
        assert_true(threads == 1 || params_hash(model) == hash);
        hash = params_hash(model);
        fanin_model_free(model);
        fanin_ctx_free(own);
    }
    fanin_data_free(data);
    fanin_ctx_free(ctx);
}

/* With norms the running statistics stay those of a start. */
static void lsuv_leaves_statistics(void **state) {
    (void)state;
    static const struct layer layers[] = {
        {"dense", WIDTH}, {"batch_norm"}, {"relu"}, {"dense", CLASSES}};
    fanin_ctx *ctx = test_ctx();
    fanin_data *data = blob_data(ctx, ROWS, IN, CLASSES);
    fanin_model *model;
    float mean[WIDTH], var[WIDTH];
    assert_ok(ctx, make(&model, chain_net(ctx, IN, layers, 4), "lsuv", NULL, 0, data));
    assert_ok(ctx, fanin_model_get(model, "batch_norm1.running_mean", mean, WIDTH));
    assert_ok(ctx, fanin_model_get(model, "batch_norm1.running_var", var, WIDTH));
    for (int i = 0; i < WIDTH; i++) assert_true(mean[i] == 0 && var[i] == 1);
    fanin_model_free(model);
    fanin_data_free(data);
    fanin_ctx_free(ctx);
}

/* The guard accepts each such start, and every weight moves within three steps. */
static void can_be_trained(void **state) {
    (void)state;
    static const char *const rules[] = {"lsuv", "fixup", "zero_last"};
    fanin_ctx *ctx = test_ctx();
    fanin_data *data = blob_data(ctx, ROWS, IN, CLASSES);
    const struct fanin_train_options train = {
        .size = sizeof train, .epochs = 1, .batch = ROWS / 5, .seed = 1};
    for (int i = 0; i < FI_COUNT(rules); i++) {
        fanin_model *before, *after;
        assert_ok(ctx,
                  make(&before, residual(ctx, 3, 2, NULL, NULL, NULL), rules[i], NULL, 0, data));
        assert_ok(ctx,
                  make(&after, residual(ctx, 3, 2, NULL, NULL, NULL), rules[i], NULL, 0, data));
        assert_ok(ctx, fanin_train(after, data, &train));
        for (int k = 0; k < fanin_net_params(fanin_model_net(after)); k++) {
            struct fanin_param_info p;
            float w[WIDTH * WIDTH], v[WIDTH * WIDTH];
            fanin_net_param(fanin_model_net(after), k, &p);
            assert_ok(ctx, fanin_model_get(before, p.name, w, p.count));
            assert_ok(ctx, fanin_model_get(after, p.name, v, p.count));
            if (memcmp(w, v, (size_t)p.count * sizeof *w) == 0)
                fail_msg("%s: %s does not move", rules[i], p.name);
        }
        fanin_model_free(before);
        fanin_model_free(after);
    }
    fanin_data_free(data);
    fanin_ctx_free(ctx);
}

static void refused(void **state) {
    (void)state;
    static const struct layer layers[] = {{"dense", 5}, {"relu"}, {"dense", CLASSES}};
    fanin_ctx *ctx = test_ctx();
    fanin_model *model;
    const struct fanin_rule inner = {"fixup", NULL, 0, 0};
    const struct fanin_attr nested = {.name = "init", .rule = &inner};
    assert_refused(ctx, FANIN_ERR_RECIPE, "training data",
                   make(&model, chain_net(ctx, IN, layers, 3), "lsuv", NULL, 0, NULL));
    assert_refused(ctx, FANIN_ERR_RECIPE, "no residual branch",
                   make(&model, chain_net(ctx, IN, layers, 3), "fixup", NULL, 0, NULL));
    assert_refused(ctx, FANIN_ERR_RECIPE, "no residual branch",
                   make(&model, chain_net(ctx, IN, layers, 3), "zero_last", NULL, 0, NULL));
    assert_refused(
        ctx, FANIN_ERR_RECIPE, "ends in sigmoid1",
        make(&model, residual(ctx, 2, 2, "sigmoid", NULL, NULL), "zero_last", NULL, 0, NULL));
    assert_refused(
        ctx, FANIN_ERR_RECIPE, "whole network",
        make(&model, residual(ctx, 2, 2, NULL, NULL, NULL), "zero_last", &nested, 1, NULL));
    fanin_ctx_free(ctx);
}

int main(void) {
    struct CMUnitTest tests[] = {cmocka_unit_test(branches),
                                 cmocka_unit_test(zero_last_is_the_identity),
                                 cmocka_unit_test(fixup_begins_at_ln_classes),
                                 cmocka_unit_test(lsuv_reaches_unit_variance),
                                 cmocka_unit_test(lsuv_leaves_statistics),
                                 cmocka_unit_test(can_be_trained),
                                 cmocka_unit_test(refused)};
    return test_main(tests);
}
