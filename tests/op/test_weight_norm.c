/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Weight normalization: the start, what the length of v does not change, the same function as a
 * dense layer with the weights it makes, what constraints and penalties act on, and the refusal of
 * a unit without a direction.
 */
#include <math.h>

#include "kernel/kernel.h"
#include "support/engine.h"
#include "support/nets.h"

#define IN 19
#define UNITS 37
#define ROWS 11

static const struct fanin_attr units[] = {{.name = "units", .number = UNITS}};

static fanin_model *model_of(fanin_ctx *ctx, const char *op) {
    const struct fanin_model_options options = {
        .size = sizeof options, .loss = {"mse", NULL, 0, 0}, .seed = 3};
    const int64_t in = IN;
    fanin_net *net;
    fanin_model *model;
    int node;
    assert_ok(ctx, fanin_net_create(&net, ctx));
    assert_ok(ctx, fanin_net_input(net, &node, NULL, 1, &in));
    assert_ok(ctx, fanin_net_add(net, &node, op, NULL, &node, 1, units, 1));
    assert_ok(ctx, fanin_model_create(&model, net, &options));
    return model;
}

/* y, and the gradients for fixed dy into grads. */
static void run(fanin_ctx *ctx, fanin_model *model, fi_real *y, fi_real *grads) {
    const struct fi_update update = {.grads = grads};
    struct fi_exec *exec;
    fi_real x[ROWS * IN];
    assert_ok(ctx, fi_exec_create(&exec, model, ROWS, true));
    exec->update = &update;
    for (uint64_t i = 0; i < ROWS * IN; i++) x[i] = (fi_real)test_number(1, i);
    set_input(exec, 0, ROWS, x);
    fi_exec_forward(exec, ROWS, 0, 0);
    for (int64_t i = 0; i < ROWS * UNITS; i++) {
        const int64_t place = i / UNITS * exec->y[1].ld + i % UNITS;
        y[i] = exec->y[1].data[place];
        exec->dy[1].data[place] = (fi_real)test_number(2, (uint64_t)i);
    }
    fi_exec_backward(exec);
    fi_exec_free(exec);
}

/* weight_g starts as the length of weight_v, so that w = v. */
static void start_is_dense(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    fanin_model *model = model_of(ctx, "weight_norm"), *dense = model_of(ctx, "dense");
    float v[UNITS * IN], g[UNITS];
    static fi_real y[2][ROWS * UNITS], grads[4096];
    assert_ok(ctx, fanin_model_get(model, "weight_norm1.weight_v", v, UNITS * IN));
    assert_ok(ctx, fanin_model_get(model, "weight_norm1.weight_g", g, UNITS));
    for (int o = 0; o < UNITS; o++) {
        double square = 0;
        for (int i = 0; i < IN; i++) square += (double)v[o * IN + i] * (double)v[o * IN + i];
        assert_true(fabs((double)g[o] - sqrt(square)) <= 1e-7 * sqrt(square));
    }
    assert_ok(ctx, fanin_model_set(dense, "dense1.weight", v, UNITS * IN));
    run(ctx, model, y[0], grads);
    run(ctx, dense, y[1], grads);
    for (int i = 0; i < ROWS * UNITS; i++)
        assert_true(fabs((double)y[0][i] - (double)y[1][i]) <= 1e-6);
    fanin_model_free(model);
    fanin_model_free(dense);
    fanin_ctx_free(ctx);
}

/* The length of v is no part of the function: y keeps its bits for a power of two, dv is divided by
 * it; and dv is at right angles to v, so that plain descent only lengthens v. */
static void length_of_v(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    fanin_model *model = model_of(ctx, "weight_norm");
    const struct fi_param *p = &model->net->params[0];
    static fi_real y[2][ROWS * UNITS], grads[2][4096];
    assert_true(model->net->param_size <= 4096);
    run(ctx, model, y[0], grads[0]);
    for (int64_t o = 0; o < UNITS; o++) {
        double dot = 0, size = 0;
        for (int64_t i = 0; i < IN; i++) {
            const int64_t at = p->offset + fi_panel_index(UNITS, IN, o, i);
            dot += (double)grads[0][at] * (double)model->params[at];
            size += fabs((double)grads[0][at] * (double)model->params[at]);
        }
        assert_true(fabs(dot) <= 1e-6 * size);
    }
    for (int64_t i = 0; i < p->size; i++) model->params[p->offset + i] *= 16;
    run(ctx, model, y[1], grads[1]);
    assert_memory_equal(y[0], y[1], sizeof y[0]);
    for (int64_t i = 0; i < p->size; i++)
        assert_true(grads[0][p->offset + i] == 16 * grads[1][p->offset + i]);
    for (int64_t i = p->offset + p->size; i < model->net->param_size; i++)
        assert_true(grads[0][i] == grads[1][i]); /* bias and weight_g */
    fanin_model_free(model);
    fanin_ctx_free(ctx);
}

static void parameters(void **state) {
    (void)state;
    static const char *const names[] = {"weight_norm1.weight_v", "weight_norm1.bias",
                                        "weight_norm1.weight_g"};
    fanin_ctx *ctx = test_ctx();
    fanin_model *model = model_of(ctx, "weight_norm");
    for (int i = 0; i < 3; i++) {
        const struct fi_param *p = &model->net->params[i];
        assert_string_equal(p->name, names[i]);
        assert_int_equal(p->spec.decay, i == 2); /* ‖w‖² = Σ g² */
    }
    assert_int_equal(model->net->params[2].spec.rank, 2); /* (units, 1), as PyTorch has it */
    assert_int_equal(model->net->params[0].spec.fan_in, IN);
    assert_int_equal(model->net->params[0].spec.fan_out, UNITS);
    fanin_model_free(model);
    fanin_ctx_free(ctx);
}

static void no_direction(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    const struct layer layers[] = {{"weight_norm", 5, "zeros", NAN}};
    fanin_net *net = chain_net(ctx, IN, layers, 1);
    fanin_model *model;
    assert_refused(ctx, FANIN_ERR_RECIPE, "weight_norm1: a unit's weights are all 0",
                   fanin_model_create(&model, net, NULL));
    fanin_ctx_free(ctx);
}

static fanin_model *trained(fanin_ctx *ctx, struct fanin_train_options options, float *v,
                            float *g) {
    float x[ROWS * IN], target[ROWS * UNITS];
    fanin_model *model = model_of(ctx, "weight_norm");
    fanin_trainer *trainer;
    options.size = sizeof options;
    options.batch = ROWS;
    for (uint64_t i = 0; i < ROWS * IN; i++) x[i] = (float)test_number(1, i);
    for (uint64_t i = 0; i < ROWS * UNITS; i++) target[i] = (float)(9 * test_number(2, i));
    assert_ok(ctx, fanin_trainer_create(&trainer, model, &options));
    assert_ok(ctx, fanin_trainer_step(trainer, x, ROWS, NULL, target, NULL));
    fanin_trainer_free(trainer);
    assert_ok(ctx, fanin_model_get(model, "weight_norm1.weight_v", v, UNITS * IN));
    assert_ok(ctx, fanin_model_get(model, "weight_norm1.weight_g", g, UNITS));
    return model;
}

/* Constraints of the whole run or on the layer: the weights it makes keep them, not their direction
 * alone. */
static void constraints_hold_for_what_is_made(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    struct fi_arena arena;
    const struct fanin_record *record;
    float v[UNITS * IN], g[UNITS];
    fi_arena_init(&arena, ctx);
    for (int i = 0; (record = fanin_record_at(ctx, "constraint", i)); i++) {
        const struct fi_constraint *c = (const struct fi_constraint *)(const void *)record;
        const struct fanin_attr tight = {.name = "max", .number = 0.3};
        const bool bound = record->attrs != NULL;
        const struct fanin_rule rule = {record->name, bound ? &tight : NULL, bound, 0};
        const struct fanin_param_policy layer = {.match = "weight_norm1.*",
                                                 .set = FANIN_POLICY_CONSTRAIN,
                                                 .constrain = &rule,
                                                 .n_constrain = 1};
        const struct fanin_train_options ways[] = {
            {.constrain = &rule, .n_constrain = 1}, {.params = &layer, .n_params = 1}, {.size = 0}};
        struct fanin_rule_ref ref;
        assert_ok(ctx, fi_rule_resolve(&arena, &ref, "constraint", &rule, "test"));
        for (int way = 0; way < 3; way++) {
            fanin_model *model = trained(ctx, ways[way], v, g);
            bool hold = true;
            for (int o = 0; o < UNITS; o++) {
                fi_real unit[IN];
                double square = 0;
                for (int k = 0; k < IN; k++) square += pow((double)v[o * IN + k], 2);
                for (int k = 0; k < IN && square > 0; k++)
                    unit[k] = (fi_real)((double)(g[o] * v[o * IN + k]) / sqrt(square));
                hold &= square == 0 || c->holds(ref.attrs, unit, IN, 1e-6);
            }
            if (hold != (way < 2)) fail_msg("%s, way %d", record->name, way);
            fanin_model_free(model);
        }
    }
    fi_arena_free(&arena);
    fanin_ctx_free(ctx);
}

/* A penalty under the layer's name shortens what it makes, and leaves the directions their step. */
static void penalties_act_on_lengths(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    float v[2][UNITS * IN], g[2][UNITS];
    const struct fanin_attr much = {.number = 0.5};
    const struct fanin_rule l2 = {"l2", &much, 1, 0}, orthogonal = {"orthogonal", &much, 1, 0};
    struct fanin_param_policy layer = {.match = "weight_norm1.*",
                                       .set = FANIN_POLICY_REGULARIZE,
                                       .regularize = &l2,
                                       .n_regularize = 1};
    for (int with = 0; with < 2; with++)
        fanin_model_free(trained(ctx,
                                 (struct fanin_train_options){.params = &layer, .n_params = with},
                                 v[with], g[with]));
    assert_memory_equal(v[0], v[1], sizeof v[0]);
    for (int o = 0; o < UNITS; o++) assert_true(g[1][o] < g[0][o]);
    const struct fanin_train_options options = {
        .size = sizeof options, .batch = ROWS, .params = &layer, .n_params = 1};
    fanin_model *model = model_of(ctx, "weight_norm");
    fanin_trainer *trainer;
    layer.regularize = &orthogonal;
    assert_refused(ctx, FANIN_ERR_RECIPE, "orthogonal acts on weight matrices",
                   fanin_trainer_create(&trainer, model, &options));
    fanin_model_free(model);
    fanin_ctx_free(ctx);
}

int main(void) {
    struct CMUnitTest tests[] = {cmocka_unit_test(start_is_dense),
                                 cmocka_unit_test(length_of_v),
                                 cmocka_unit_test(parameters),
                                 cmocka_unit_test(no_direction),
                                 cmocka_unit_test(constraints_hold_for_what_is_made),
                                 cmocka_unit_test(penalties_act_on_lengths)};
    return test_main(tests);
}
