/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a norm behind a layer is for: with ε out of the way, N(aWu) = N(Wu) and dL/d(aW) = dL/dW / a
 * (Ioffe & Szegedy 2015, section 3.3). For a power of two both hold to the last bit, as then every
 * intermediate number is the same but for its exponent; for other a within rounding.
 */
#include "kernel/kernel.h"
#include "support/engine.h"

#define ROWS 24
#define IN 7
#define UNITS 12

static const struct fanin_attr eps[] = {{.name = "eps", .number = 1e-30},
                                        {.name = "groups", .number = 3}};

static const struct {
    const char *op;
    int n_attrs;
} norms[] = {{"batch_norm", 1}, {"layer_norm", 1}, {"rms_norm", 1}, {"group_norm", 2}};

struct outcome {
    fi_real y[ROWS * UNITS], dw[UNITS * IN];
};

/* One forward and backward of norm(a W u). */
static void run(fanin_ctx *ctx, int k, fi_real a, struct outcome *out) {
    const struct fanin_attr dense[] = {{.name = "units", .number = UNITS},
                                       {.name = "bias", .number = 0}};
    const struct fanin_model_options options = {.size = sizeof options,
                                                .loss = {"mse", NULL, 0, 0}};
    const int64_t in = IN;
    fanin_net *net;
    fanin_model *model;
    struct fi_exec *exec;
    fi_real *grads, x[ROWS * IN];
    int node;
    assert_ok(ctx, fanin_net_create(&net, ctx));
    assert_ok(ctx, fanin_net_input(net, &node, NULL, 1, &in));
    assert_ok(ctx, fanin_net_add(net, &node, "dense", NULL, &node, 1, dense, 2));
    assert_ok(ctx, fanin_net_add(net, &node, norms[k].op, NULL, &node, 1, eps, norms[k].n_attrs));
    assert_ok(ctx, fanin_model_create(&model, net, &options));
    const struct fi_param *w = &net->params[0];
    for (int64_t i = 0; i < w->size; i++) model->params[w->offset + i] *= a;
    grads = calloc((size_t)net->param_size, sizeof(*grads));
    const struct fi_update update = {.grads = grads};
    assert_ok(ctx, fi_exec_create(&exec, model, ROWS, true));
    exec->update = &update;
    for (uint64_t i = 0; i < ROWS * IN; i++) x[i] = (fi_real)test_number(1, i);
    set_input(exec, 0, ROWS, x);
    fi_exec_forward(exec, ROWS, 0, 0);
    for (int64_t i = 0; i < ROWS * UNITS; i++) {
        const int64_t r = i / UNITS, c = i % UNITS;
        out->y[i] = exec->y[node].data[r * exec->y[node].ld + c];
        exec->dy[node].data[r * exec->dy[node].ld + c] = (fi_real)test_number(2, (uint64_t)i);
    }
    fi_exec_backward(exec);
    for (int64_t o = 0; o < UNITS; o++)
        for (int64_t i = 0; i < IN; i++)
            out->dw[o * IN + i] = grads[w->offset + fi_panel_index(UNITS, IN, o, i)];
    free(grads);
    fi_exec_free(exec);
    fanin_model_free(model);
}

static void invariance(void **state) {
    (void)state;
    static const fi_real factors[] = {32, 0.0078125, 1048576, 3, (fi_real)0.1, 777};
    fanin_ctx *ctx = test_ctx();
    for (int k = 0; k < FI_COUNT(norms); k++) {
        struct outcome one, other;
        run(ctx, k, 1, &one);
        for (int f = 0; f < FI_COUNT(factors); f++) {
            const fi_real a = factors[f];
            const double slack = f < 3 ? 0 : 4e-6;
            run(ctx, k, a, &other);
            for (int i = 0; i < ROWS * UNITS; i++)
                if (!(fabs((double)other.y[i] - (double)one.y[i]) <= slack))
                    fail_msg("%s, a = %g: y[%d] is %.9g, not %.9g", norms[k].op, (double)a, i,
                             (double)other.y[i], (double)one.y[i]);
            for (int i = 0; i < UNITS * IN; i++)
                if (!(fabs((double)(other.dw[i] * a) - (double)one.dw[i]) <=
                      slack * (1 + fabs((double)one.dw[i]))))
                    fail_msg("%s, a = %g: a dW[%d] is %.9g, not %.9g", norms[k].op, (double)a, i,
                             (double)(other.dw[i] * a), (double)one.dw[i]);
        }
    }
    fanin_ctx_free(ctx);
}

int main(void) {
    struct CMUnitTest tests[] = {cmocka_unit_test(invariance)};
    return test_main(tests);
}
