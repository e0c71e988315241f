/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The node cases that ONNX publishes (Debian's libonnx-testdata), for each operator that we have:
 * they pass, or stand in the table below with the reason why not. Cases of several nodes (operators
 * written out in others) are not ours. Skipped where the cases or protobuf-c are not installed.
 */
#include "support/support.h"

#ifdef TESTS_HAVE_ONNX

#include <dirent.h>

#include "onnx/loss.h"
#include "onnx/ops.h"
#include "onnx/train.h"

struct operator{
    const char *name;
    bool (*run)(fanin_ctx * ctx, const struct onnx_case *c, char why[200]);
};
static const struct operator operators[] = {{"Adagrad", run_adagrad},
                                            {"Adam", run_adam},
                                            {"Add", run_sum},
                                            {"BatchNormalization", run_batch_norm},
                                            {"Clip", run_clip},
                                            {"Concat", run_concat},
                                            {"Dropout", run_dropout},
                                            {"Elu", run_unary},
                                            {"Erf", run_unary},
                                            {"Flatten", run_flatten},
                                            {"Gelu", run_unary},
                                            {"Gemm", run_gemm},
                                            {"HardSigmoid", run_unary},
                                            {"InstanceNormalization", run_instance_norm},
                                            {"LayerNormalization", run_layer_norm},
                                            {"LeakyRelu", run_unary},
                                            {"LogSoftmax", run_softmax},
                                            {"MatMul", run_matmul},
                                            {"Mish", run_unary},
                                            {"Momentum", run_momentum},
                                            {"Mul", run_sum},
                                            {"PRelu", run_prelu},
                                            {"Relu", run_unary},
                                            {"Selu", run_unary},
                                            {"Sigmoid", run_unary},
                                            {"Softmax", run_softmax},
                                            {"SoftmaxCrossEntropyLoss", run_cross_entropy},
                                            {"Softplus", run_unary},
                                            {"Softsign", run_unary},
                                            {"Sum", run_sum},
                                            {"Tanh", run_unary}};

/* What does not pass, and why it need not. */
static const struct {
    const char *name, *reason;
} listed[] = {
    {"test_adam_multiple",
     "its numbers are computed with epsilon 1e-2, which the node does not say"},
    {"test_add_bcast", "add takes equal shapes: nothing is broadcast silently"},
    {"test_gemm_default_matrix_bias", "a bias of a dense layer is the same for all samples"},
    {"test_hardsigmoid", "hard_sigmoid has PyTorch's slope 1/6, ONNX's default is 0.2"},
    {"test_hardsigmoid_default", "hard_sigmoid has PyTorch's slope 1/6, ONNX's default is 0.2"},
    {"test_hardsigmoid_example", "hard_sigmoid has PyTorch's slope 1/6, ONNX's default is 0.2"},
    {"test_mul_bcast", "multiply takes equal shapes: nothing is broadcast silently"},
    {"test_selu", "selu has the paper's constants alone"},
    {"test_selu_example", "selu has the paper's constants alone"},
    {"test_sum_one_input", "add reads two nodes or more"}};

static const char *reason_of(const char *name) {
    for (size_t i = 0; i < sizeof listed / sizeof *listed; i++)
        if (!strcmp(listed[i].name, name)) return listed[i].reason;
    return NULL;
}

static const struct operator* operator_of(const struct onnx_case *c) {
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
        if (!strcmp(operators[i].name, c->node->op_type)) return &operators[i];
    return NULL;
}

struct tally {
    int passed, applicable, listed, wrong;
};

static void run_case(fanin_ctx *ctx, const char *root, const char *folder, struct tally *t) {
    struct onnx_case c;
    char why[200] = "";
    const struct operator* o = open_case(&c, root, folder) ? operator_of(&c) : NULL;
    if (o) {
        const char *reason = reason_of(c.name);
        load_tensors(&c, root);
        const bool passed = o->run(ctx, &c, why);
        t->applicable++;
        t->passed += passed;
        t->listed += reason && !passed;
        if (reason && passed) print_message("%s passes: take it off the list\n", c.name);
        if (!reason && !passed) print_message("%s: %s\n", c.name, why);
        if (reason && !passed) print_message("%s is listed: %s\n", c.name, reason);
        t->wrong += (reason != NULL) == passed;
    }
    free_case(&c);
}

static const char *root_folder(void) {
    const char *root = getenv("FANIN_ONNX_CASES");
    return root ? root : "/usr/share/libonnx-testdata/data/node";
}

static void all_cases(void **state) {
    (void)state;
    struct dirent **folders;
    struct tally t = {0};
    const int n = scandir(root_folder(), &folders, NULL, alphasort);
    if (n < 0) {
        skip_test("ONNX's cases are not here (package libonnx-testdata)");
        return;
    }
    fanin_ctx *ctx = test_ctx();
    for (int i = 0; i < n; i++) {
        run_case(ctx, root_folder(), folders[i]->d_name, &t);
        free(folders[i]);
    }
    free(folders);
    fanin_ctx_free(ctx);
    print_message("passed %d of %d applicable, %d listed with a reason\n", t.passed, t.applicable,
                  t.listed);
    assert_true(t.applicable > 0);
    assert_int_equal(t.wrong, 0);
}

#else

static void all_cases(void **state) {
    (void)state;
    skip_test("built without protobuf-c or onnx.proto (packages libprotobuf-c-dev, "
              "protobuf-c-compiler, libonnx-dev)");
}

#endif

int main(void) {
    struct CMUnitTest tests[] = {cmocka_unit_test(all_cases)};
    return test_main(tests);
}
