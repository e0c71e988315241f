/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The symmetry guard on hand-made graphs, and the truth behind it: what it calls tied stays equal
 * to the last bit through 1,000 steps, what it lets pass parts, what never moves does not.
 */
#include <math.h>

#include "support/nets.h"
#include "train/train.h"

#define IN 6
#define NONE NAN

/* ---- what the guard says ------------------------------------------------------------------------ */

struct graph {
    const char *name;
    const char *says; /* part of the refusal; NULL: it lets the net pass */
    void (*build)(fanin_ctx *, fanin_net *);
};

static int dense(fanin_ctx *ctx, fanin_net *net, int from, double units, const char *init,
                 double constant) {
    return add_layer(ctx, net, from, &(struct layer){"dense", units, init, constant});
}
static int op(fanin_ctx *ctx, fanin_net *net, int from, const char *name, double number) {
    return add_layer(ctx, net, from, &(struct layer){name, number, NULL, NONE});
}
static int join(fanin_ctx *ctx, fanin_net *net, int a, int b) {
    const int from[] = {a, b};
    int node;
    assert_ok(ctx, fanin_net_add(net, &node, "add", NULL, from, 2, NULL, 0));
    return node;
}

static void constant_all(fanin_ctx *ctx, fanin_net *net) {
    int n = dense(ctx, net, 0, 7, "constant", 0.1);
    n = op(ctx, net, n, "relu", 0);
    dense(ctx, net, n, 3, "constant", 0.1);
}
static void random_all(fanin_ctx *ctx, fanin_net *net) {
    int n = dense(ctx, net, 0, 7, NULL, NONE);
    n = op(ctx, net, n, "relu", 0);
    dense(ctx, net, n, 3, NULL, NONE);
}
/* Equal hidden units, but random outgoing weights part them. */
static void parted_by_outgoing(fanin_ctx *ctx, fanin_net *net) {
    int n = dense(ctx, net, 0, 7, "constant", 0.1);
    n = op(ctx, net, n, "tanh", 0);
    dense(ctx, net, n, 3, "xavier_uniform", NONE);
}
static void zero_head(fanin_ctx *ctx, fanin_net *net) {
    int n = dense(ctx, net, 0, 7, "xavier_uniform", NONE);
    n = op(ctx, net, n, "tanh", 0);
    dense(ctx, net, n, 3, "zeros", NONE);
}
static void tied_in_the_middle(fanin_ctx *ctx, fanin_net *net) {
    int n = dense(ctx, net, 0, 8, NULL, NONE);
    n = op(ctx, net, n, "tanh", 0);
    n = dense(ctx, net, n, 5, "constant", 0.2);
    n = op(ctx, net, n, "tanh", 0);
    n = dense(ctx, net, n, 4, "constant", 0.3);
    n = op(ctx, net, n, "tanh", 0);
    dense(ctx, net, n, 3, NULL, NONE);
}
static void tied_in_a_branch(fanin_ctx *ctx, fanin_net *net) {
    int stem = op(ctx, net, dense(ctx, net, 0, 5, NULL, NONE), "relu", 0);
    int good = dense(ctx, net, op(ctx, net, dense(ctx, net, stem, 6, NULL, NONE), "relu", 0), 5,
                     NULL, NONE);
    int bad = dense(ctx, net, stem, 6, "constant", 0.1); /* dense4 */
    bad = dense(ctx, net, op(ctx, net, bad, "relu", 0), 5, "constant", 0.1);
    dense(ctx, net, join(ctx, net, good, bad), 3, NULL, NONE);
}
/* The same constant branch, but the sum with a random one does not part its hidden units. */
static void residual_of_constants(fanin_ctx *ctx, fanin_net *net) {
    int stem = dense(ctx, net, 0, 5, "constant", 0.1); /* feeds everything equally */
    int branch = dense(ctx, net, op(ctx, net, stem, "tanh", 0), 5, "constant", 0.1);
    dense(ctx, net, join(ctx, net, stem, branch), 3, "constant", 0.1);
}
/* A skip from distinct units parts what they are added to. */
static void parted_by_a_skip(fanin_ctx *ctx, fanin_net *net) {
    int stem = dense(ctx, net, 0, 5, NULL, NONE);
    int branch = dense(ctx, net, stem, 5, "constant", 0.1);
    dense(ctx, net, join(ctx, net, stem, branch), 3, NULL, NONE);
}
static void parted_by_dropout(fanin_ctx *ctx, fanin_net *net) {
    int n = dense(ctx, net, 0, 7, "constant", 0.1);
    n = op(ctx, net, op(ctx, net, n, "relu", 0), "dropout", 0.5);
    dense(ctx, net, n, 3, "constant", 0.1);
}
static void dropout_of_nothing(fanin_ctx *ctx, fanin_net *net) {
    static const struct fanin_attr rate = {.name = "rate", .number = 0};
    int n = dense(ctx, net, 0, 7, "constant", 0.1);
    assert_ok(ctx, fanin_net_add(net, &n, "dropout", NULL, &n, 1, &rate, 1));
    dense(ctx, net, op(ctx, net, n, "relu", 0), 3, "constant", 0.1);
}
static void zero_tanh(fanin_ctx *ctx, fanin_net *net) {
    int n = dense(ctx, net, 0, 7, "zeros", NONE);
    dense(ctx, net, op(ctx, net, n, "tanh", 0), 3, "zeros", NONE);
}
static void zero_relu(fanin_ctx *ctx, fanin_net *net) {
    int n = dense(ctx, net, 0, 7, "zeros", NONE);
    dense(ctx, net, op(ctx, net, n, "relu", 0), 3, NULL, NONE);
}
/* Sigmoid of 0 is not 0: the head moves, but the units stay one. */
static void zero_sigmoid(fanin_ctx *ctx, fanin_net *net) {
    int n = dense(ctx, net, 0, 7, "zeros", NONE);
    dense(ctx, net, op(ctx, net, n, "sigmoid", 0), 3, "zeros", NONE);
}
static void constant_under_norm(fanin_ctx *ctx, fanin_net *net) {
    int n = op(ctx, net, dense(ctx, net, 0, 7, "constant", 0.1), "batch_norm", 0);
    dense(ctx, net, op(ctx, net, n, "tanh", 0), 3, "constant", 0.1);
}
static void constant_under_layer_norm(fanin_ctx *ctx, fanin_net *net) {
    int n = op(ctx, net, dense(ctx, net, 0, 7, "constant", 0.1), "layer_norm", 0);
    dense(ctx, net, op(ctx, net, n, "tanh", 0), 3, "constant", 0.1);
}
/* A learned slope makes nothing of 0, nor does a norm. */
static void zero_prelu(fanin_ctx *ctx, fanin_net *net) {
    int n = op(ctx, net, dense(ctx, net, 0, 7, "zeros", NONE), "layer_norm", 0);
    dense(ctx, net, op(ctx, net, n, "prelu", 0), 3, "zeros", NONE);
}
static void one_unit(fanin_ctx *ctx, fanin_net *net) {
    int n = op(ctx, net, dense(ctx, net, 0, 1, "constant", 0.1), "tanh", 0);
    dense(ctx, net, n, 3, "constant", 0.1);
}

static const struct graph graphs[] = {
    {"constant", "dense1: 7 units start equal", constant_all},
    {"random", NULL, random_all},
    {"parted by outgoing weights", NULL, parted_by_outgoing},
    {"zero head", NULL, zero_head},
    {"tied in the middle", "dense2: 5 units start equal", tied_in_the_middle},
    {"tied in one of two branches", "dense4: 6 units start equal", tied_in_a_branch},
    {"constants joined", "dense1: 5 units start equal", residual_of_constants},
    {"parted by a skip", NULL, parted_by_a_skip},
    {"parted by dropout", NULL, parted_by_dropout},
    {"dropout that drops nothing", "dense1: 7 units start equal", dropout_of_nothing},
    {"all zero, tanh", "dense1: the gradient of its weights is zero", zero_tanh},
    {"zero, relu", "dense1: the gradient of its weights is zero", zero_relu},
    {"all zero, sigmoid", "dense1: 7 units start equal", zero_sigmoid},
    {"constant under batch norm", "dense1: 7 units start equal", constant_under_norm},
    {"constant under layer norm", "dense1: 7 units start equal", constant_under_layer_norm},
    {"all zero, layer norm, prelu", "dense1: the gradient of its weights is zero", zero_prelu},
    {"one unit", NULL, one_unit}};

static void test_graphs(void **state) {
    (void)state;
    for (int i = 0; i < FI_COUNT(graphs); i++) {
        fanin_ctx *ctx = test_ctx();
        const struct fanin_train_options options = {.size = sizeof options, .batch = 8};
        const int64_t in = IN;
        fanin_net *net;
        fanin_model *model;
        fanin_trainer *trainer;
        int node;
        assert_ok(ctx, fanin_net_create(&net, ctx));
        assert_ok(ctx, fanin_net_input(net, &node, NULL, 1, &in));
        graphs[i].build(ctx, net);
        assert_ok(ctx, fanin_model_create(&model, net, NULL));
        const enum fanin_status status = fanin_trainer_create(&trainer, model, &options);
        if (graphs[i].says
                ? status != FANIN_ERR_SYMMETRIC || !strstr(fanin_errmsg(ctx), graphs[i].says) ||
                      !strstr(fanin_errmsg(ctx), "train.allow_symmetric")
                : status != FANIN_OK)
            fail_msg("%s: %s: %s", graphs[i].name, fanin_status_name(status), fanin_errmsg(ctx));
        fanin_trainer_free(trainer);
        fanin_model_free(model);
        fanin_ctx_free(ctx);
    }
}

/* Two equal units among others that are not. A norm over the sample keeps them equal; one over
 * groups parts them where their groups differ. */
static void test_groups(void **state) {
    (void)state;
    static const struct {
        const char *norm;
        double groups;
        bool tied;
    } cases[] = {{"layer_norm", 0, true}, {"group_norm", 1, true}, {"group_norm", 2, false}};
    const struct fanin_train_options options = {.size = sizeof options, .batch = 8};
    for (int i = 0; i < FI_COUNT(cases); i++) {
        fanin_ctx *ctx = test_ctx();
        const struct layer layers[] = {{"dense", 4, "xavier_uniform", NONE},
                                       {cases[i].norm, cases[i].groups, NULL, NONE},
                                       {"tanh", 0, NULL, NONE},
                                       {"dense", 3, "constant", 0.1}};
        fanin_model *model;
        fanin_trainer *trainer;
        float w[4 * IN];
        assert_ok(ctx, fanin_model_create(&model, chain_net(ctx, IN, layers, 4), NULL));
        assert_ok(ctx, fanin_model_get(model, "dense1.weight", w, 4 * IN));
        memcpy(w + 2 * IN, w, IN * sizeof(float)); /* units 0 and 2; groups are 0, 1 and 2, 3 */
        assert_ok(ctx, fanin_model_set(model, "dense1.weight", w, 4 * IN));
        const enum fanin_status status = fanin_trainer_create(&trainer, model, &options);
        assert_int_equal(status, cases[i].tied ? FANIN_ERR_SYMMETRIC : FANIN_OK);
        if (cases[i].tied)
            assert_non_null(strstr(fanin_errmsg(ctx), "dense1: 2 of 4 units start equal"));
        fanin_trainer_free(trainer);
        fanin_model_free(model);
        fanin_ctx_free(ctx);
    }
}

/* ---- and what happens ------------------------------------------------------------------------------ */

struct trial {
    const char *activation;
    double constant; /* NaN: all zero */
    double dropout, noise;
    int64_t hidden;
    const char *isa;
    int threads;
};

/* Trains 1,000 steps from the constant; leaves the hidden weights (hidden × IN) and the head's in
 * w1, w2. */
static void train_constant(const struct trial *t, float *w1, float *w2) {
    fanin_ctx *ctx = test_ctx_on(t->threads, t->isa);
    const char *init = isnan(t->constant) ? "zeros" : "constant";
    const struct layer layers[] = {{"dense", (double)t->hidden, init, t->constant},
                                   {t->activation, 0, NULL, NONE},
                                   {t->dropout > 0 ? "dropout" : "flatten", t->dropout, NULL, NONE},
                                   {"dense", 3, init, t->constant}};
    const struct fanin_attr lr = {.name = "lr", .number = 0.1};
    const struct fanin_train_options options = {.size = sizeof options,
                                                .optim = {"sgd", &lr, 1, 0},
                                                .batch = 16,
                                                .seed = 4,
                                                .rounding_noise = t->noise,
                                                .allow_symmetric = 1};
    fanin_model *model;
    fanin_trainer *trainer;
    assert_ok(ctx, fanin_model_create(&model, chain_net(ctx, IN, layers, 4), NULL));
    assert_ok(ctx, fanin_trainer_create(&trainer, model, &options));
    for (uint64_t step = 0; step < 1000; step++) {
        float x[16 * IN];
        int32_t labels[16];
        for (uint64_t i = 0; i < 16 * IN; i++) {
            uint32_t w[4];
            fi_philox(6, step, i, w);
            x[i] = (float)(2 * fi_uniform53(w[0], w[1]) - 1);
        }
        for (int i = 0; i < 16; i++) labels[i] = x[i * IN] > 0.3f ? 2 : x[i * IN + 1] > 0;
        assert_ok(ctx, fanin_trainer_step(trainer, x, 16, labels, NULL, NULL));
    }
    assert_ok(ctx, fanin_model_get(model, "dense1.weight", w1, t->hidden * IN));
    assert_ok(ctx, fanin_model_get(model, "dense2.weight", w2, 3 * t->hidden));
    fanin_trainer_free(trainer);
    fanin_model_free(model);
    fanin_ctx_free(ctx);
}

#define MAX_HIDDEN 70

/* Units of the hidden layer that differ from the first in any weight, in or out. */
static int64_t different_units(const struct trial *t, bool *moved) {
    float w1[MAX_HIDDEN * IN], w2[3 * MAX_HIDDEN];
    int64_t different = 0;
    const float start = isnan(t->constant) ? 0 : (float)t->constant;
    train_constant(t, w1, w2);
    *moved = false;
    for (int64_t i = 0; i < t->hidden * IN; i++) *moved |= w1[i] != start;
    for (int64_t i = 0; i < 3 * t->hidden; i++) *moved |= w2[i] != start;
    for (int64_t u = 1; u < t->hidden; u++) {
        bool equal = memcmp(w1 + u * IN, w1, IN * sizeof(float)) == 0;
        for (int k = 0; k < 3; k++) equal &= w2[k * t->hidden + u] == w2[k * t->hidden];
        different += !equal;
    }
    return different;
}

static void test_equal_for_ever(void **state) {
    (void)state;
    static const int64_t widths[] = {7, 13, 33, 50};
    static const char *const tiers[] = {"portable", "avx2", "avx512"};
    static const char *const activations[] = {"relu", "tanh", "sigmoid"};
    bool moved;
    for (int a = 0; a < FI_COUNT(activations); a++)
        for (int w = 0; w < FI_COUNT(widths); w++)
            for (int t = 0; t < FI_COUNT(tiers); t++) {
                fanin_ctx *there = test_ctx_on(1, tiers[t]);
                if (!there) continue;
                fanin_ctx_free(there);
                const struct trial trial = {activations[a], 0.1,      0,        0,
                                            widths[w],      tiers[t], 1 + w % 3};
                if (different_units(&trial, &moved) != 0)
                    fail_msg("%s, %lld units, %s: units parted", activations[a],
                             (long long)widths[w], tiers[t]);
                assert_true(moved); /* it does train, as one unit */
            }
}

static void test_noise_parts(void **state) {
    (void)state;
    bool moved;
    const struct trial dropped = {"tanh", 0.1, 0.5, 0, 12, NULL, 1};
    const struct trial noisy = {"tanh", 0.1, 0, 6e-8, 12, NULL, 1};
    assert_int_equal(different_units(&dropped, &moved), 11);
    assert_int_equal(different_units(&noisy, &moved), 11);
}

static void test_zero_never_moves(void **state) {
    (void)state;
    bool moved;
    for (int i = 0; i < 3; i++) {
        const struct trial t = {"tanh", NONE, 0, (const double[]){0, 6e-8, 1e-2}[i], 9, NULL, 1};
        assert_int_equal(different_units(&t, &moved), 0);
        assert_false(moved);
    }
}

int main(void) {
    struct CMUnitTest tests[] = {cmocka_unit_test(test_graphs), cmocka_unit_test(test_groups),
                                 cmocka_unit_test(test_equal_for_ever),
                                 cmocka_unit_test(test_noise_parts),
                                 cmocka_unit_test(test_zero_never_moves)};
    return test_main(tests);
}
