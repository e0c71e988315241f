/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every parameter of every kind of layer moves: each op that asks for parameters, at every case of
 * its record, before a dense layer; one step of plain descent must change each trainable tensor.
 */
#include "kernel/kernel.h"
#include "support/engine.h"

#define OUT 3

static fanin_model *model_of(fanin_ctx *ctx, const struct fanin_op *op,
                             const struct fanin_case *c) {
    const struct fanin_attr units = {.name = "units", .number = OUT};
    const struct fanin_model_options options = {
        .size = sizeof options, .loss = {"mse", NULL, 0, 0}, .seed = 5};
    fanin_net *net;
    fanin_model *model;
    int inputs[FANIN_MAX_INPUTS], node;
    assert_ok(ctx, fanin_net_create(&net, ctx));
    for (int k = 0; k < c->n_in; k++)
        assert_ok(ctx, fanin_net_input(net, &inputs[k], NULL, case_rank(c->dims[k]), c->dims[k]));
    assert_ok(
        ctx, fanin_net_add(net, &node, op->head.name, NULL, inputs, c->n_in, c->attrs, c->n_attrs));
    assert_ok(ctx, fanin_net_add(net, &node, "dense", NULL, &node, 1, &units, 1));
    assert_ok(ctx, fanin_model_create(&model, net, &options));
    return model;
}

static void check_case(fanin_ctx *ctx, const struct fanin_op *op, int index) {
    const struct fanin_case *c = &op->cases[index];
    const struct fanin_attr lr[] = {{.name = "lr", .number = 0.1},
                                    {.name = "momentum", .number = 0}};
    const struct fanin_train_options options = {.size = sizeof options,
                                                .optim = {"sgd", lr, 2, 0},
                                                .batch = c->rows,
                                                .seed = 5,
                                                .allow_symmetric = 1};
    fanin_model *model = model_of(ctx, op, c);
    const fanin_net *net = model->net;
    const int64_t cols = fi_net_columns(net);
    fanin_trainer *trainer;
    float *x = malloc((size_t)(c->rows * cols) * sizeof(*x));
    float *targets = malloc((size_t)(c->rows * OUT) * sizeof(*targets));
    fi_real *before = malloc((size_t)net->param_size * sizeof(*before));
    for (int64_t i = 0; i < c->rows * cols; i++) x[i] = (float)case_cell(c, 1, (uint64_t)i);
    for (int64_t i = 0; i < c->rows * OUT; i++) targets[i] = (float)test_number(2, (uint64_t)i);
    memcpy(before, model->params, (size_t)net->param_size * sizeof(*before));
    assert_ok(ctx, fanin_trainer_create(&trainer, model, &options));
    assert_ok(ctx, fanin_trainer_step(trainer, x, c->rows, NULL, targets, NULL));
    for (int i = 0; i < net->n_params; i++) {
        const struct fi_param *p = &net->params[i];
        if (p->spec.trainable && memcmp(before + p->offset, model->params + p->offset,
                                        (size_t)p->size * sizeof(*before)) == 0)
            fail_msg("%s case %d: %s did not move", op->head.name, index, p->name);
    }
    fanin_trainer_free(trainer);
    fanin_model_free(model);
    free(before);
    free(targets);
    free(x);
}

static void every_parameter(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    const struct fanin_record *record;
    int ops = 0;
    for (int i = 0; (record = fanin_record_at(ctx, "op", i)); i++) {
        const struct fanin_op *op = (const struct fanin_op *)(const void *)record;
        bool any = false;
        for (int c = 0; c < op->n_cases; c++) {
            fanin_model *model = model_of(ctx, op, &op->cases[c]);
            const struct fi_node *node = &model->net->nodes[op->cases[c].n_in];
            const bool asks = node->n_params > 0;
            fanin_model_free(model);
            /* one sample of one number may be anything, also where the gradient is 0 */
            if (asks && op->cases[c].rows > 2) check_case(ctx, op, c);
            any |= asks;
        }
        ops += any;
    }
    assert_true(ops >= 8);
    fanin_ctx_free(ctx);
}

int main(void) {
    struct CMUnitTest tests[] = {cmocka_unit_test(every_parameter)};
    return test_main(tests);
}
