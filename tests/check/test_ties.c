/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tied units: which are, how many, and the sentence that says why, for starts of every kind that
 * ties and for those that only look like it. And what it promises: opposites stay opposites to the
 * bit.
 */
#include <math.h>

#include "check/check.h"
#include "support/nets.h"

#define IN 6
#define NONE NAN
#define ROWS 48

struct bench {
    fanin_ctx *ctx;
    fanin_model *model;
    fanin_data *data;
    fanin_check *check;
};

static struct bench open_net(fanin_ctx *ctx, fanin_net *net) {
    struct bench b = {.ctx = ctx, .data = blob_data(ctx, ROWS, IN, 3)};
    assert_ok(ctx, fanin_model_create(&b.model, net, NULL));
    return b;
}

static struct bench open_bench(const struct layer *layers, int n) {
    fanin_ctx *ctx = test_ctx();
    return open_net(ctx, chain_net(ctx, IN, layers, n));
}

static void close_bench(struct bench *b) {
    fanin_check_free(b->check);
    fanin_data_free(b->data);
    fanin_model_free(b->model);
    fanin_ctx_free(b->ctx);
}

static const struct fanin_check_result *look(struct bench *b,
                                             const struct fanin_train_options *train) {
    fanin_check_free(b->check);
    assert_ok(b->ctx, fanin_model_check(&b->check, b->model, b->data, train, NULL));
    return fanin_check_get(b->check);
}

static int64_t tied(const struct fanin_check_result *r, const char *layer) {
    for (int i = 0; i < r->n_layers; i++)
        if (strcmp(r->layers[i].name, layer) == 0) return r->layers[i].tied.count;
    fail_msg("no layer %s", layer);
    return 0;
}

/* The sentence about a layer; NULL: none. */
static const char *reason(const struct bench *b, const char *layer, bool still) {
    const struct fi_symmetry *s = &b->check->symmetry;
    const int node = fanin_net_find(fanin_model_net(b->model), layer);
    return still ? s->why_still[node] : s->why_tied[node];
}

static void says(const struct bench *b, const char *layer, const char *part) {
    const char *text = reason(b, layer, false);
    if (!text || !strstr(text, part))
        fail_msg("of %s: '%s', not '%s'", layer, text ? text : "nothing", part);
}

static float numbers[1 << 17];
static int64_t count_of(const struct bench *b, const char *param) {
    const fanin_net *net = fanin_model_net(b->model);
    for (int i = 0; i < fanin_net_params(net); i++) {
        struct fanin_param_info p;
        fanin_net_param(net, i, &p);
        if (strcmp(p.name, param) == 0) return p.count;
    }
    fail_msg("no parameter %s", param);
    return 0;
}

/* Row (or column, where `stride` is the number of rows) `to` = factor × row `from`. */
static void copy_unit(struct bench *b, const char *param, int64_t from, int64_t to, int64_t step,
                      int64_t unit, int64_t n, float factor) {
    const int64_t count = count_of(b, param);
    assert_ok(b->ctx, fanin_model_get(b->model, param, numbers, count));
    for (int64_t i = 0; i < n; i++)
        numbers[to * unit + i * step] = factor * numbers[from * unit + i * step];
    assert_ok(b->ctx, fanin_model_set(b->model, param, numbers, count));
}
static void copy_row(struct bench *b, const char *param, int64_t from, int64_t to, int64_t in,
                     float factor) {
    copy_unit(b, param, from, to, 1, in, in, factor);
}
static void copy_column(struct bench *b, const char *param, int64_t from, int64_t to, int64_t in,
                        float factor) {
    copy_unit(b, param, from, to, in, 1, count_of(b, param) / in, factor);
}

/* ---- whole layers ---------------------------------------------------------------------------------- */

/* One activation between constant layers, from one hidden layer to eight. */
static void constant_of_any_depth(void **state) {
    (void)state;
    for (int depth = 1; depth <= 8; depth++) {
        struct layer layers[17];
        for (int i = 0; i < depth; i++) {
            layers[2 * i] = (struct layer){"dense", 5 + i, "constant", 0.1};
            layers[2 * i + 1] = (struct layer){"tanh", 0, NULL, NONE};
        }
        layers[2 * depth] = (struct layer){"dense", 3, "constant", 0.1};
        struct bench b = open_bench(layers, 2 * depth + 1);
        const struct fanin_check_result *r = look(&b, NULL);
        for (int i = 0; i < depth; i++) {
            char name[24], next[96];
            (void)snprintf(name, sizeof name, "dense%d", i + 1);
            assert_int_equal(tied(r, name), 5 + i);
            (void)snprintf(next, sizeof next, "; dense%d reads them with equal weights", i + 2);
            says(&b, name, next);
            says(&b, name, i == 0 ? "and read the same inputs;" : "equal ones among them;");
        }
        assert_int_equal(r->verdict, FANIN_WILL_NOT_TRAIN);
        close_bench(&b);
    }
}

static void the_sentence(void **state) {
    (void)state;
    const struct layer layers[] = {
        {"dense", 100, "constant", 0.01}, {"relu", 0, NULL, NONE}, {"dense", 3, "constant", 0.01}};
    struct bench b = open_bench(layers, 3);
    (void)look(&b, NULL);
    assert_string_equal(
        reason(&b, "dense1", false),
        "dense1: 100 units start equal (constant) and read the same inputs; dense2 reads them with "
        "equal weights; nothing downstream differs, so every step keeps them equal: the layer acts "
        "as one unit");
    close_bench(&b);
}

/* All zero: where the activation is 0 at 0 nothing but the last bias moves; sigmoid's units move,
 * as one. */
static void zero_of_any_depth(void **state) {
    (void)state;
    static const char *const activations[] = {"tanh", "relu", "sigmoid"};
    const int step = getenv("FANIN_SANITIZE") ? 3 : 1;
    for (int a = 0; a < 3; a++)
        for (int depth = 1; depth <= 4; depth += step) {
            struct layer layers[9];
            for (int i = 0; i < depth; i++) {
                layers[2 * i] = (struct layer){"dense", 6, "zeros", NONE};
                layers[2 * i + 1] = (struct layer){activations[a], 0, NULL, NONE};
            }
            layers[2 * depth] = (struct layer){"dense", 3, "zeros", NONE};
            struct bench b = open_bench(layers, 2 * depth + 1);
            const struct fanin_check_result *r = look(&b, NULL);
            assert_int_equal(tied(r, "dense1"), 6);
            assert_int_equal(r->verdict, FANIN_WILL_NOT_TRAIN);
            if (a == 2)
                assert_null(reason(&b, "dense1", true));
            else
                assert_non_null(strstr(reason(&b, "dense1", true), "what flows back to it is"));
            close_bench(&b);
        }
}

static void in_the_middle(void **state) {
    (void)state;
    const struct layer layers[] = {{"dense", 8, NULL, NONE},      {"tanh", 0, NULL, NONE},
                                   {"dense", 5, "constant", 0.2}, {"tanh", 0, NULL, NONE},
                                   {"dense", 4, "constant", 0.3}, {"batch_norm", 0, NULL, NONE},
                                   {"tanh", 0, NULL, NONE},       {"dense", 7, "constant", 0.1},
                                   {"tanh", 0, NULL, NONE},       {"dense", 3, NULL, NONE}};
    struct bench b = open_bench(layers, 10);
    const struct fanin_check_result *r = look(&b, NULL);
    assert_int_equal(tied(r, "dense1"), 0); /* its units differ, whatever reads them */
    assert_int_equal(tied(r, "dense2"), 5);
    assert_int_equal(tied(r, "dense3"), 4);
    assert_int_equal(tied(r, "dense4"), 0); /* random weights read them */
    says(&b, "dense2",
         "5 units start equal (constant) and read the same inputs; dense3 reads them");
    says(&b, "dense3", "; batch_norm1 treats them alike; dense4 reads them with equal weights");
    close_bench(&b);
}

static void in_one_branch(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    const int64_t in = IN;
    fanin_net *net;
    int node, good, bad, sum;
    const struct layer first = {"dense", 5, NULL, NONE}, wide = {"dense", 6, NULL, NONE},
                       same = {"dense", 6, "constant", 0.1}, end = {"dense", 5, "constant", 0.1},
                       head = {"dense", 3, NULL, NONE}, relu = {"relu", 0, NULL, NONE};
    assert_ok(ctx, fanin_net_create(&net, ctx));
    assert_ok(ctx, fanin_net_input(net, &node, NULL, 1, &in));
    node = add_layer(ctx, net, add_layer(ctx, net, node, &first), &relu);
    good = add_layer(ctx, net, add_layer(ctx, net, node, &wide), &relu); /* dense2 */
    good = add_layer(ctx, net, good, &first);                            /* dense3 */
    bad = add_layer(ctx, net, add_layer(ctx, net, node, &same), &relu);  /* dense4 */
    bad = add_layer(ctx, net, bad, &end);                                /* dense5 */
    const int from[] = {good, bad};
    assert_ok(ctx, fanin_net_add(net, &sum, "add", NULL, from, 2, NULL, 0));
    add_layer(ctx, net, sum, &head);
    struct bench b = open_net(ctx, net);
    const struct fanin_check_result *r = look(&b, NULL);
    assert_int_equal(tied(r, "dense4"), 6);
    assert_int_equal(tied(r, "dense5"), 0);
    assert_int_equal(tied(r, "dense2") + tied(r, "dense1") + tied(r, "dense3"), 0);
    says(&b, "dense4", "dense5 reads them with equal weights");
    close_bench(&b);
}

/* Weights that are equal but parted by what reads them; dropout; noise for the sample as a whole.
 */
static void parted(void **state) {
    (void)state;
    static const struct {
        const char *between;
        double number, head;
        int64_t tied;
    } cases[] = {{"flatten", 0, NAN, 0},
                 {"flatten", 0, 0.1, 7},
                 {"dropout", 0.5, 0.1, 0},
                 {"gaussian_noise", 0.1, 0.1, 0},
                 {"stochastic_depth", 0.5, 0.1, 7}};
    for (int i = 0; i < (int)(sizeof cases / sizeof *cases); i++) {
        const struct layer layers[] = {
            {"dense", 7, "constant", 0.1},
            {"relu", 0, NULL, NONE},
            {cases[i].between, cases[i].number, NULL, NONE},
            {"dense", 3, isnan(cases[i].head) ? NULL : "constant", cases[i].head}};
        struct bench b = open_bench(layers, 4);
        assert_int_equal(tied(look(&b, NULL), "dense1"), cases[i].tied);
        if (i == 4) says(&b, "dense1", "stochastic_depth1 treats them alike");
        if (cases[i].tied == 0) assert_null(reason(&b, "dense1", false));
        close_bench(&b);
    }
}

static void frozen_layer(void **state) {
    (void)state;
    static const struct fanin_param_policy frozen = {
        .match = "dense1.*", .set = FANIN_POLICY_FROZEN, .frozen = 1};
    const struct fanin_train_options train = {
        .size = sizeof train, .params = &frozen, .n_params = 1};
    const struct layer layers[] = {
        {"dense", 8, "constant", 0.1}, {"tanh", 0, NULL, NONE}, {"dense", 3, NULL, NONE}};
    struct bench b = open_bench(layers, 3);
    assert_int_equal(tied(look(&b, NULL), "dense1"), 0);
    assert_int_equal(tied(look(&b, &train), "dense1"), 8);
    says(&b, "dense1", "its weights are frozen, so they stay equal: the layer acts as one unit");
    close_bench(&b);
}

/* ---- some units ------------------------------------------------------------------------------------ */

static void two_of_a_thousand(void **state) {
    (void)state;
    const struct layer layers[] = {{"dense", 40, NULL, NONE},   {"relu", 0, NULL, NONE},
                                   {"dense", 1000, NULL, NONE}, {"relu", 0, NULL, NONE},
                                   {"dense", 20, NULL, NONE},   {"relu", 0, NULL, NONE},
                                   {"dense", 3, NULL, NONE}};
    struct bench b = open_bench(layers, 7);
    assert_int_equal(tied(look(&b, NULL), "dense2"), 0);
    copy_row(&b, "dense2.weight", 17, 803, 40, 1);
    const struct fanin_check_result *r = look(&b, NULL);
    assert_int_equal(tied(r, "dense2"), 0); /* dense3 reads them with weights of its own */
    assert_null(reason(&b, "dense2", false));
    copy_column(&b, "dense3.weight", 17, 803, 1000, 1);
    r = look(&b, NULL);
    assert_int_equal(tied(r, "dense2"), 2);
    assert_int_equal(tied(r, "relu2"), 2);
    assert_int_equal(tied(r, "dense1") + tied(r, "dense3"), 0);
    for (int i = 0; i < r->n_layers; i++)
        if (strcmp(r->layers[i].name, "dense2") == 0) {
            assert_int_equal(r->layers[i].tied.first[0], 17);
            assert_int_equal(r->layers[i].tied.first[1], 803);
        }
    says(&b, "dense2", "dense2: 2 of 1000 units start equal");
    says(&b, "dense2", "dense3 reads them with equal weights");
    says(&b, "dense2", "the layer acts as 999 units");
    close_bench(&b);
}

/* A unit and its opposite under an odd activation, read with opposite weights, are one unit; under
 * relu, with other outgoing weights, or under a constraint that is not odd, they are two. */
static void equal_up_to_sign(void **state) {
    (void)state;
    static const struct fanin_rule positive = {"non_negative", NULL, 0, 0};
    static const struct fanin_rule bounded = {"max_norm", NULL, 0, 0};
    static const struct {
        const char *activation;
        float out;
        const struct fanin_rule *constrain;
        int64_t tied;
    } cases[] = {
        {"tanh", -1, NULL, 2},      {"softsign", -1, NULL, 2},   {"relu", -1, NULL, 0},
        {"tanh", 1, NULL, 0},       {"tanh", -2, NULL, 0},       {"gelu", -1, NULL, 0},
        {"hard_tanh", -1, NULL, 2}, {"tanh", -1, &positive, 0},  {"tanh", -1, &bounded, 2},
        {"prelu", -1, NULL, 0},     {"batch_norm", -1, NULL, 2}, {"layer_norm", -1, NULL, 0}};
    const int step = getenv("FANIN_SANITIZE") ? 4 : 1;
    for (int i = 0; i < (int)(sizeof cases / sizeof *cases); i += step) {
        const struct layer layers[] = {{"dense", 9, "xavier_uniform", NONE},
                                       {cases[i].activation, 0, NULL, NONE},
                                       {"dense", 5, "xavier_uniform", NONE},
                                       {"relu", 0, NULL, NONE},
                                       {"dense", 3, "xavier_uniform", NONE}};
        const struct fanin_train_options train = {.size = sizeof train,
                                                  .constrain = cases[i].constrain,
                                                  .n_constrain = cases[i].constrain != NULL};
        struct bench b = open_bench(layers, 5);
        copy_row(&b, "dense1.weight", 2, 7, IN, -1);
        copy_column(&b, "dense2.weight", 2, 7, 9, cases[i].out);
        const int64_t n = tied(look(&b, &train), "dense1");
        if (n != cases[i].tied)
            fail_msg("%s, case %d: %lld tied", cases[i].activation, i, (long long)n);
        if (n > 0) {
            says(&b, "dense1", "dense1: 2 of 9 units start equal up to sign");
            says(&b, "dense1", "dense2 reads them with weights that are equal up to the same sign");
        }
        close_bench(&b);
    }
}

/* ---- and what happens ------------------------------------------------------------------------------ */

/* Trained for 300 steps, under each optimizer, opposite units are opposites to the last bit. */
static void opposites_stay(void **state) {
    (void)state;
    const struct layer layers[] = {{"dense", 9, "xavier_uniform", NONE},
                                   {"tanh", 0, NULL, NONE},
                                   {"dense", 5, "xavier_uniform", NONE},
                                   {"relu", 0, NULL, NONE},
                                   {"dense", 3, "xavier_uniform", NONE}};
    const struct fanin_record *optim;
    fanin_ctx *listing = test_ctx();
    for (int k = 0; (optim = fanin_record_at(listing, "optim", k)); k++) {
        const struct fanin_attr lr = {.name = "lr", .number = 0.01};
        const struct fanin_train_options train = {.size = sizeof train,
                                                  .optim = {optim->name, &lr, 1, 0},
                                                  .batch = 16,
                                                  .epochs = 100,
                                                  .allow_symmetric = 1};
        struct bench b = open_bench(layers, 5);
        float w[9 * IN], before[9 * IN], v[5 * 9];
        copy_row(&b, "dense1.weight", 2, 7, IN, -1);
        copy_column(&b, "dense2.weight", 2, 7, 9, -1);
        assert_ok(b.ctx, fanin_model_get(b.model, "dense1.weight", before, 9 * IN));
        assert_ok(b.ctx, fanin_train(b.model, b.data, &train));
        assert_ok(b.ctx, fanin_model_get(b.model, "dense1.weight", w, 9 * IN));
        assert_ok(b.ctx, fanin_model_get(b.model, "dense2.weight", v, 5 * 9));
        for (int i = 0; i < IN; i++)
            if (w[7 * IN + i] != -w[2 * IN + i] || w[2 * IN + i] == before[2 * IN + i])
                fail_msg("%s: %.9g and %.9g", optim->name, (double)w[7 * IN + i],
                         (double)w[2 * IN + i]);
        for (int o = 0; o < 5; o++) assert_true(v[o * 9 + 7] == -v[o * 9 + 2]);
        assert_int_equal(tied(look(&b, &train), "dense1"), 2);
        close_bench(&b);
    }
    fanin_ctx_free(listing);
}

int main(void) {
    struct CMUnitTest tests[] = {
        cmocka_unit_test(constant_of_any_depth), cmocka_unit_test(the_sentence),
        cmocka_unit_test(zero_of_any_depth),     cmocka_unit_test(in_the_middle),
        cmocka_unit_test(in_one_branch),         cmocka_unit_test(parted),
        cmocka_unit_test(frozen_layer),          cmocka_unit_test(two_of_a_thousand),
        cmocka_unit_test(equal_up_to_sign),      cmocka_unit_test(opposites_stay)};
    return test_main(tests);
}
