/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DropConnect: unit vectors as the batch show each weight in use in y, and a gradient of ones shows
 * the mask in dw. Both are compared, over steps, rates and tiers; then means over many steps.
 */
#include "kernel/kernel.h"
#include "support/engine.h"
#include "support/records.h"

#define IN 21
#define UNITS 50

struct trial {
    fanin_ctx *ctx;
    fanin_model *model;
    struct fi_exec *exec;
    fi_real *grads;
    const struct fi_param *weight, *bias;
    int result;
};

static void open_trial(struct trial *t, fanin_ctx *ctx, double rate, bool training) {
    static struct fanin_attr attrs[] = {{.name = "units", .number = UNITS}, {.name = "rate"}};
    static struct fi_update update;
    attrs[1].number = rate;
    const struct fanin_case c = {
        .rows = IN, .n_in = 1, .dims = {{IN}}, .attrs = attrs, .n_attrs = 2};
    const struct fanin_record *record = fanin_record_find(ctx, "op", "dropconnect");
    t->ctx = ctx;
    t->model = case_model(ctx, (const struct fanin_op *)(const void *)record, &c, false);
    t->weight = &t->model->net->params[0];
    t->bias = &t->model->net->params[1];
    t->result = fi_net_result(t->model->net);
    t->grads = calloc((size_t)t->model->net->param_size, sizeof(*t->grads));
    assert_ok(ctx, fi_exec_create(&t->exec, t->model, IN, training));
    update = (struct fi_update){.grads = t->grads};
    t->exec->update = &update;
}

static void close_trial(struct trial *t) {
    free(t->grads);
    fi_exec_free(t->exec);
    fanin_model_free(t->model);
}

static void run(struct trial *t, int64_t row0, uint64_t step) {
    fi_real x[IN * IN] = {0};
    for (int i = 0; i < IN; i++) x[i * IN + i] = 1;
    set_input(t->exec, 0, IN, x);
    fi_exec_forward(t->exec, IN, row0, step);
}

static void run_back(struct trial *t) {
    const struct fanin_tensor *dy = &t->exec->dy[t->result];
    for (int64_t r = 0; r < IN; r++)
        for (int64_t o = 0; o < UNITS; o++) dy->data[r * dy->ld + o] = 1;
    fi_exec_backward(t->exec);
}

static int64_t at(int64_t o, int64_t i) {
    return fi_panel_index(UNITS, IN, o, i);
}
static fi_real w_of(const struct trial *t, int64_t o, int64_t i) {
    return t->model->params[t->weight->offset + at(o, i)];
}
static fi_real dw_of(const struct trial *t, int64_t o, int64_t i) {
    return t->grads[t->weight->offset + at(o, i)];
}
/* What unit o got from input i. */
static fi_real y_of(const struct trial *t, int64_t o, int64_t i) {
    const struct fanin_tensor *y = &t->exec->y[t->result];
    return y->data[i * y->ld + o];
}

static void masks(void **state) {
    (void)state;
    static const double rates[] = {0.1, 0.25, 0.5, 0.8};
    for (int k = 0; k < FI_COUNT(rates); k++) {
        uint64_t first = 0;
        const double keep = 1 - floor(rates[k] * 65536 + 0.5) / 65536;
        FOR_EACH_TIER(ctx, 2) {
            struct trial t;
            uint64_t hash = 0;
            open_trial(&t, ctx, rates[k], true);
            for (uint64_t step = 0; step < 5; step++) {
                run(&t, 0, step);
                run_back(&t);
                for (int64_t o = 0; o < UNITS; o++)
                    for (int64_t i = 0; i < IN; i++) {
                        const fi_real dw = dw_of(&t, o, i);
                        const fi_real b = t.model->params[t.bias->offset + o];
                        assert_true(dw == 0 || dw == (fi_real)(1 / keep));
                        assert_true(y_of(&t, o, i) == w_of(&t, o, i) * dw + b);
                        hash = fi_hash_mix(hash, dw != 0);
                    }
            }
            if (!first) first = hash;
            assert_true(hash == first);
            close_trial(&t);
        }
    }
}

/* All rows of a batch see one mask, whatever shard they are in; steps see others. */
static void one_mask_a_step(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    struct trial t;
    fi_real y[UNITS * IN];
    int64_t same = 0;
    open_trial(&t, ctx, 0.5, true);
    run(&t, 0, 7);
    for (int64_t k = 0; k < UNITS * IN; k++) y[k] = y_of(&t, k / IN, k % IN);
    run(&t, 640, 7);
    for (int64_t k = 0; k < UNITS * IN; k++) assert_true(y[k] == y_of(&t, k / IN, k % IN));
    run(&t, 0, 8);
    for (int64_t k = 0; k < UNITS * IN; k++) same += y[k] == y_of(&t, k / IN, k % IN);
    /* half of 1050, within 6 standard deviations */
    assert_true(llabs(same - UNITS * IN / 2) < 100);
    close_trial(&t);
    fanin_ctx_free(ctx);
}

/* Over many steps the means of y and of dw are what the dense layer has. */
static void means(void **state) {
    (void)state;
    enum { STEPS = 2000 };
    static const double rates[] = {0.1, 0.2, 0.8};
    fanin_ctx *ctx = test_ctx();
    for (int k = 0; k < FI_COUNT(rates); k++) {
        static double y[UNITS * IN], dw[UNITS * IN];
        struct trial t;
        double gradient = 0;
        memset(y, 0, sizeof y);
        memset(dw, 0, sizeof dw);
        open_trial(&t, ctx, rates[k], true);
        for (uint64_t step = 0; step < STEPS; step++) {
            run(&t, 0, step);
            run_back(&t);
            for (int64_t j = 0; j < UNITS * IN; j++) {
                y[j] += (double)y_of(&t, j / IN, j % IN) / STEPS;
                dw[j] += (double)dw_of(&t, j / IN, j % IN) / STEPS;
            }
        }
        /* standard deviation of a weight in use over its value, and of the means */
        const double spread = sqrt(rates[k] / (1 - rates[k]) / STEPS);
        for (int64_t j = 0; j < UNITS * IN; j++) {
            const double w = (double)w_of(&t, j / IN, j % IN);
            const double b = (double)t.model->params[t.bias->offset + j / IN];
            if (!(fabs(y[j] - b - w) <= 5.5 * spread * fabs(w) + 1e-6))
                fail_msg("rate %g: mean %g of weight %g", rates[k], y[j] - b, w);
            assert_true(fabs(dw[j] - 1) <= 5.5 * spread);
            gradient += dw[j] / (UNITS * IN);
        }
        assert_true(fabs(gradient - 1) <= 5 * spread / sqrt(UNITS * IN));
        close_trial(&t);
    }
    fanin_ctx_free(ctx);
}

/* Outside training the layer is dense; a rate that rounds to 0 draws nothing, and one near 1 keeps
 * something. */
static void limits(void **state) {
    (void)state;
    static const struct {
        double rate;
        bool training;
    } cases[] = {{0.5, false}, {0, true}, {1e-7, true}};
    fanin_ctx *ctx = test_ctx();
    struct trial t;
    for (int k = 0; k < FI_COUNT(cases); k++) {
        open_trial(&t, ctx, cases[k].rate, cases[k].training);
        run(&t, 0, 3);
        for (int64_t j = 0; j < UNITS * IN; j++)
            assert_true(y_of(&t, j / IN, j % IN) ==
                        w_of(&t, j / IN, j % IN) + t.model->params[t.bias->offset + j / IN]);
        close_trial(&t);
    }
    open_trial(&t, ctx, 0.9999999, true);
    for (uint64_t step = 0; step < 3; step++) {
        run(&t, 0, step);
        for (int64_t j = 0; j < UNITS * IN; j++) assert_true(isfinite(y_of(&t, j / IN, j % IN)));
    }
    close_trial(&t);
    const struct fanin_attr bad[] = {{.name = "units", .number = 3}, {.name = "rate", .number = 1}};
    const int64_t in = 4;
    fanin_net *net;
    int node;
    assert_ok(ctx, fanin_net_create(&net, ctx));
    assert_ok(ctx, fanin_net_input(net, &node, NULL, 1, &in));
    assert_refused(ctx, FANIN_ERR_RECIPE, "rate",
                   fanin_net_add(net, &node, "dropconnect", NULL, &node, 1, bad, 2));
    fanin_net_free(net);
    fanin_ctx_free(ctx);
}

/* A rule that makes up for dropping sees the layer's own rate: variance 2 keep / fan_in. */
static void dropout_aware_start(void **state) {
    (void)state;
    static const struct fanin_attr aware = {.name = "dropout_aware", .number = 1};
    static const struct fanin_rule rule = {"kaiming_normal", &aware, 1, 0};
    const struct fanin_attr attrs[] = {{.name = "units", .number = UNITS},
                                       {.name = "rate", .number = 0.25},
                                       {.name = "init", .rule = &rule}};
    const int64_t in = IN;
    fanin_ctx *ctx = test_ctx();
    fanin_net *net;
    fanin_model *model;
    struct fanin_param_info info;
    int node;
    assert_ok(ctx, fanin_net_create(&net, ctx));
    assert_ok(ctx, fanin_net_input(net, &node, NULL, 1, &in));
    assert_ok(ctx, fanin_net_add(net, &node, "dropconnect", NULL, &node, 1, attrs, 3));
    assert_ok(ctx, fanin_model_create(&model, net, NULL));
    fanin_net_param(net, 0, &info);
    assert_true(fabs(info.std - sqrt(2 * 0.75 / IN)) < 1e-12);
    fanin_model_free(model);
    fanin_ctx_free(ctx);
}

int main(void) {
    struct CMUnitTest tests[] = {cmocka_unit_test(masks), cmocka_unit_test(one_mask_a_step),
                                 cmocka_unit_test(means), cmocka_unit_test(limits),
                                 cmocka_unit_test(dropout_aware_start)};
    return test_main(tests);
}
