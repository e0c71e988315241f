/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running nets in tests: probes that catch the gradient of an input, poisoned buffers, objectives.
 *
 * A probe is an op y = x with one parameter, so that a gradient flows to it; it keeps the last
 * gradient it was given. The number type is that of the build the test is linked to.
 */
#ifndef TESTS_ENGINE_H
#define TESTS_ENGINE_H

#include <math.h>

#include "graph/graph.h"
#include "graph/step.h"
#include "support/support.h"

struct probe {
    double catches; /* an index into caught */
};
#define CAUGHT 8
static fi_real *caught[CAUGHT]; /* rows × cols, without padding */

static const struct fanin_attr_spec probe_attrs[] = {
    FI_ATTR_REAL(struct probe, catches, 0, 0, CAUGHT - 1, "where the gradient goes", 0),
    FI_ATTR_END};

static enum fanin_status probe_infer(struct fanin_infer *io) {
    io->params[0] = (struct fanin_param_spec){
        .suffix = "unused", .rank = 1, .dims = {1}, .fan_in = 1, .fan_out = 1, .trainable = 1};
    io->n_params = 1;
    return FANIN_OK;
}

static void probe_forward(const struct fanin_step *s) {
    for (int64_t r = 0; r < s->rows; r++)
        memcpy(s->y->data + r * s->y->ld, s->x[0]->data + r * s->x[0]->ld,
               (size_t)s->y->cols * sizeof(fi_real));
}

static void probe_backward(const struct fanin_step *s) {
    fi_real *to = caught[(int)((const struct probe *)s->attrs)->catches];
    fi_real zero = 0;
    for (int64_t r = 0; to && r < s->rows; r++)
        memcpy(to + r * s->y->cols, s->dy->data + r * s->dy->ld,
               (size_t)s->y->cols * sizeof(fi_real));
    fi_step_emit(s, 0, 0, 1, &zero);
}

static const struct fanin_op probe_op = {.head = {.name = "probe",
                                                  .formula = "y = x",
                                                  .reference = "test",
                                                  .help = "Catches a gradient.",
                                                  .attrs = probe_attrs,
                                                  .attrs_size = sizeof(struct probe)},
                                         .flags = FANIN_OP_NO_X | FANIN_OP_NO_Y,
                                         .infer = probe_infer,
                                         .forward = probe_forward,
                                         .backward = probe_backward};

/* A number in (-1, 1), the same in every build. */
static inline double test_number(uint64_t stream, uint64_t i) {
    uint32_t words[4];
    fi_philox(stream, 7, i, words);
    return 2 * fi_uniform53(words[0], words[1]) - 1;
}

/* Away from 0, where kinks are. */
static inline double test_input(uint64_t stream, uint64_t i) {
    const double v = test_number(stream, i);
    return v < 0 ? 2 * v - 0.05 : 2 * v + 0.05;
}

/* Number i of input k of a case: an index where the case has one. */
static inline double case_number(const struct fanin_case *c, int k, uint64_t stream, uint64_t i) {
    int64_t cols = 1;
    for (int d = 0; d < FANIN_MAX_RANK && c->dims[k][d]; d++) cols *= c->dims[k][d];
    const int64_t below = k == 0 && c->indexes ? c->indexes[i % (uint64_t)cols] : 0;
    if (below == 0) return test_input(stream, i);
    return floor((0.5 + 0.5 * test_number(stream, i)) * (double)below);
}

/* Number i of the samples of a case, its inputs side by side. Only cases of one input have indexes.
 */
static inline double case_cell(const struct fanin_case *c, uint64_t stream, uint64_t i) {
    return c->indexes ? case_number(c, 0, stream, i) : test_input(stream, i);
}

static inline int case_rank(const int64_t *dims) {
    int rank = 0;
    while (rank < FANIN_MAX_RANK && dims[rank]) rank++;
    return rank;
}

/* Inputs of the case, behind probes if asked, then the op: a model of it. */
static inline fanin_model *case_model(fanin_ctx *ctx, const struct fanin_op *op,
                                      const struct fanin_case *c, bool probes) {
    fanin_net *net;
    fanin_model *model;
    int inputs[FANIN_MAX_INPUTS], node;
    assert_ok(ctx, fanin_net_create(&net, ctx));
    for (int k = 0; k < c->n_in; k++)
        assert_ok(ctx, fanin_net_input(net, &inputs[k], NULL, case_rank(c->dims[k]), c->dims[k]));
    for (int k = 0; probes && k < c->n_in; k++) {
        const struct fanin_attr attr = {.name = "catches", .number = k};
        assert_ok(ctx, fanin_net_add(net, &inputs[k], "probe", NULL, &inputs[k], 1, &attr, 1));
    }
    assert_ok(
        ctx, fanin_net_add(net, &node, op->head.name, NULL, inputs, c->n_in, c->attrs, c->n_attrs));
    const struct fanin_attr mse = {0};
    const struct fanin_model_options options = {
        .size = sizeof options, .loss = {"mse", &mse, 0, 0}, .seed = 5};
    assert_ok(ctx, fanin_model_create(&model, net, &options));
    /* Parameters away from their tidy starts. */
    for (int i = 0; i < net->n_params; i++)
        if (net->params[i].spec.trainable)
            for (int64_t j = 0; j < net->params[i].size; j++)
                model->params[net->params[i].offset + j] +=
                    (fi_real)(0.3 * test_number(900 + (uint64_t)i, (uint64_t)j));
    return model;
}

/* NaN everywhere the plan may write before it reads. */
static inline void poison(struct fi_exec *e) {
    for (int i = 0; i < e->model->net->n_nodes; i++)
        for (int64_t j = 0; j < e->rows * e->y[i].ld; j++) {
            e->y[i].data[j] = (fi_real)NAN;
            if (e->dy[i].data) e->dy[i].data[j] = (fi_real)NAN;
        }
}

/* Puts samples (rows × columns of the input) where the plan expects those of this input. */
static inline void set_input(struct fi_exec *e, int node, int64_t rows, const fi_real *x) {
    const int64_t cols = e->y[node].cols;
    int64_t at = 0;
    for (int i = 0; i < node; i++) at += e->model->net->nodes[i].op ? 0 : e->y[i].cols;
    for (int64_t r = 0; r < rows; r++)
        memcpy(e->x.data + r * e->x.ld + at, x + r * cols, (size_t)cols * sizeof(fi_real));
}

#endif
