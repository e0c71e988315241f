/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From recipe to model: nodes, names and shapes; units from the data; shapes that do not fit.
 */
#include "support/support.h"

#include <fanin/fanin.h>

static fanin_ctx *ctx;

static int setup(void **state) {
    (void)state;
    tests_run++;
    ctx = test_ctx();
    return 0;
}

static int teardown(void **state) {
    (void)state;
    fanin_ctx_free(ctx);
    return 0;
}

static enum fanin_status build(fanin_model **out, const char *text, int64_t inputs,
                               int64_t outputs) {
    fanin_recipe *r;
    struct fanin_shape shape = {.rank = 1, .dims = {inputs}, .cols = inputs};
    assert_ok(ctx, fanin_recipe_parse(&r, ctx, "r.yaml", text, NULL, 0));
    enum fanin_status status = fanin_recipe_model(out, r, &shape, outputs, NULL);
    fanin_recipe_free(r);
    return status;
}

static void assert_node(const fanin_net *net, const char *name, const char *op, int64_t cols) {
    int node = fanin_net_find(net, name);
    if (node < 0) fail_msg("there is no node %s", name);
    struct fanin_node_info info;
    fanin_net_node(net, node, &info);
    assert_string_equal(info.op, op);
    assert_int_equal(info.shape.cols, cols);
}

static void test_model(void **state) {
    (void)state;
    fanin_model *model;
    assert_ok(ctx, build(&model,
                         "net:\n"
                         "  - linear: {units: 8, init: {constant: 0.25}, bias: false}\n"
                         "  - relu\n"
                         "  - repeat:\n"
                         "      times: 2\n"
                         "      net: [{dense: 8, name: f}, {add: , from: [input, f]}]\n"
                         "  - dense: {units: outputs, init: normal}\n",
                         5, 3));
    const fanin_net *net = fanin_model_net(model);
    assert_int_equal(fanin_net_nodes(net), 8);
    assert_node(net, "input1", "input", 5);
    assert_node(net, "dense1", "dense", 8);
    assert_node(net, "f2", "dense", 8);
    assert_node(net, "add2", "add", 8);
    assert_node(net, "dense4", "dense", 3);
    assert_int_equal(fanin_model_outputs(model), 3);
    assert_non_null(strstr(fanin_model_recipe(model), "\"outputs\""));
    float w[40];
    assert_ok(ctx, fanin_model_get(model, "dense1.weight", w, 40));
    for (int i = 0; i < 40; i++) assert_true(w[i] == 0.25f);
    fanin_model_free(model);
}

/* The names are those that a program gets which adds the same nodes. */
static void test_names_of_builder(void **state) {
    (void)state;
    static const char *const names[] = {NULL, NULL, "dense2", NULL, "relu9", NULL, NULL};
    static const char *const ops[] = {"dense", "relu", "dense", "dense", "relu", "dense", "relu"};
    char text[512] = "net:\n";
    fanin_net *net;
    fanin_model *model;
    int node;
    assert_ok(ctx, fanin_net_create(&net, ctx));
    assert_ok(ctx, fanin_net_input(net, &node, NULL, 1, (int64_t[]){4}));
    for (int i = 0; i < FI_COUNT(ops); i++) {
        bool dense = strcmp(ops[i], "dense") == 0;
        const char *name = names[i];
        struct fanin_attr units = {.number = 4};
        assert_ok(ctx, fanin_net_add(net, &node, ops[i], name, &node, 1, &units, dense));
        sprintf(text + strlen(text), "  - {%s: %s%s%s}\n", ops[i], dense ? "4" : "",
                name ? ", name: " : "", name ? name : "");
    }
    assert_ok(ctx, build(&model, text, 4, 4));
    for (int i = 0; i < fanin_net_nodes(net); i++) {
        assert_string_equal(fanin_net_node_name(net, i),
                            fanin_net_node_name(fanin_model_net(model), i));
    }
    fanin_model_free(model);
    fanin_net_free(net);
}

static void test_refused(void **state) {
    (void)state;
    fanin_model *model;
    assert_refused(ctx, FANIN_ERR_SHAPE, "r.yaml:4: add1: ",
                   build(&model,
                         "net:\n"
                         "  - dense: 3\n"
                         "  - relu\n"
                         "  - {add: , from: [relu1, input]}\n",
                         5, 3));
    assert_null(model);
    assert_refused(ctx, FANIN_ERR_RECIPE, "r.yaml:2: net.dense1: takes its units from the data",
                   build(&model, "net:\n  - dense\n", 5, 0));
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    struct CMUnitTest tests[] = {T(test_model), T(test_names_of_builder), T(test_refused)};
    return test_main(tests);
}
