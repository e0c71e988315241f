/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The optimizers of ONNX on our records: one step.
 */
#ifndef TESTS_ONNX_TRAIN_H
#define TESTS_ONNX_TRAIN_H

#include "onnx/run.h"
#include "support/records.h"

/* ---- optimizers -------------------------------------------------------------------------------------- */

struct optim_case {
    const char *ours;
    struct fanin_attr attrs[5];
    int n_attrs;
    int n_states;
    double pow1, pow2;
};

/* Inputs are R, T, then all tensors, all gradients, all of each state; so are the outputs, without
 * R, T and gradients. norm_coefficient is the l2 penalty in the gradient. */
static inline bool run_optim(fanin_ctx *ctx, const struct onnx_case *c, const struct optim_case *o,
                             char why[200]) {
    const int n = ((int)c->node->n_input - 2) / (2 + o->n_states);
    const struct fanin_attr strength = {.number = attribute(c, "norm_coefficient", 0)};
    struct fi_arena arena;
    bool good = true;
    if (attribute(c, "norm_coefficient_post", 0) != 0) {
        snprintf(why, 200, "a norm after the step");
        return false;
    }
    fi_arena_init(&arena, ctx);
    const struct fanin_rule_ref rule = test_rule(&arena, "optim", o->ours, o->attrs, o->n_attrs);
    const struct fanin_rule_ref l2 = test_rule(&arena, "reg", "l2", &strength, 1);
    const struct fi_optim *optim = (const struct fi_optim *)(const void *)rule.record;
    const struct fi_reg *reg = (const struct fi_reg *)(const void *)l2.record;
    const struct fi_optim_step step = {.lr = c->in[0].data[0],
                                       .t = (int64_t)c->in[1].data[0] + 1,
                                       .attrs = rule.attrs,
                                       .pow1 = o->pow1,
                                       .pow2 = o->pow2,
                                       .momentum = 1};
    for (int i = 0; i < n && good; i++) {
        fi_real *at[5]; /* w, g, states */
        const int64_t count = c->in[2 + i].n;
        for (int k = 0; k < 2 + o->n_states; k++) {
            at[k] = fi_arena_alloc(&arena, count + FI_LANES, sizeof(fi_real));
            for (int64_t j = 0; j < count; j++) at[k][j] = (fi_real)c->in[2 + k * n + i].data[j];
        }
        reg->gradient(l2.attrs, 1, at[0], at[1], count);
        optim->update(&step, 0, at[0], at[1], at + 2, count);
        for (int k = 0; k < 1 + o->n_states && good; k++) {
            double *got = fi_arena_alloc(&arena, count, sizeof(*got));
            for (int64_t j = 0; j < count; j++) got[j] = (double)at[k ? k + 1 : 0][j];
            good = equal(&c->out[k * n + i], got, why);
        }
    }
    fi_arena_free(&arena);
    return good;
}

static inline bool run_momentum(fanin_ctx *ctx, const struct onnx_case *c, char why[200]) {
    const struct optim_case o = {
        "sgd",
        {{.name = "momentum", .number = attribute(c, "alpha", 0)},
         {.name = "nesterov", .number = attribute_is(c, "mode", "nesterov")}},
        2,
        1,
        0,
        0};
    /* beta weighs the gradient from the second step on, where ours is 1 */
    if (c->in[1].data[0] > 0 && attribute(c, "beta", 1) != 1) {
        snprintf(why, 200, "a weight on the gradient");
        return false;
    }
    return run_optim(ctx, c, &o, why);
}

static inline bool run_adagrad(fanin_ctx *ctx, const struct onnx_case *c, char why[200]) {
    const struct optim_case o = {"adagrad",
                                 {{.name = "lr_decay", .number = attribute(c, "decay_factor", 0)},
                                  {.name = "eps", .number = attribute(c, "epsilon", 1e-6)}},
                                 2,
                                 1,
                                 0,
                                 0};
    return run_optim(ctx, c, &o, why);
}

/* Step 0 of ONNX corrects no bias: the powers are those of a run without end. Else its epsilon is
 * added before the correction: ours is it over the root of that. */
static inline bool run_adam(fanin_ctx *ctx, const struct onnx_case *c, char why[200]) {
    const double t = c->in[1].data[0], b1 = attribute(c, "alpha", 0.9),
                 b2 = attribute(c, "beta", 0.999), pow2 = t > 0 ? pow(b2, t) : 0;
    const struct optim_case o = {
        "adam",
        {{.name = "beta1", .number = b1},
         {.name = "beta2", .number = b2},
         {.name = "eps", .number = attribute(c, "epsilon", 1e-6) / sqrt(1 - pow2)}},
        3,
        2,
        t > 0 ? pow(b1, t) : 0,
        pow2};
    return run_optim(ctx, c, &o, why);
}

#endif
