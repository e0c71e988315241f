/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running one of our ops on numbers of a case: a net of that op alone, planned and executed as in
 * use.
 */
#ifndef TESTS_ONNX_RUN_H
#define TESTS_ONNX_RUN_H

#include "graph/graph.h"
#include "onnx/case.h"

struct net_run {
    fanin_ctx *ctx;
    fanin_model *model;
    struct fi_exec *exec;
    int node;
    int64_t rows;
};

/* The op behind `n_in` inputs with the shapes in dims (0-terminated). */
static inline bool net_open(struct net_run *n, fanin_ctx *ctx, const char *op,
                            const struct fanin_attr *attrs, int64_t n_attrs, int64_t rows, int n_in,
                            int64_t dims[][FANIN_MAX_RANK + 1], enum fi_mode mode, char why[200]) {
    fanin_net *net;
    int inputs[FANIN_MAX_INPUTS];
    const struct fanin_model_options options = {.size = sizeof options, .loss = {.name = "mse"}};
    *n = (struct net_run){.ctx = ctx, .rows = rows};
    assert_ok(ctx, fanin_net_create(&net, ctx));
    enum fanin_status status = FANIN_OK;
    for (int k = 0; k < n_in && status == FANIN_OK; k++) {
        int rank = 0;
        while (dims[k][rank]) rank++;
        status = fanin_net_input(net, &inputs[k], NULL, rank, dims[k]);
    }
    if (status == FANIN_OK)
        status = fanin_net_add(net, &n->node, op, NULL, inputs, n_in, attrs, n_attrs);
    if (status != FANIN_OK)
        fanin_net_free(net);
    else
        status = fanin_model_create(&n->model, net, &options);
    if (status == FANIN_OK) status = fi_exec_create(&n->exec, n->model, rows, mode);
    if (status != FANIN_OK) snprintf(why, 200, "%s", fanin_errmsg(ctx));
    return status == FANIN_OK;
}

static inline void net_close(struct net_run *n) {
    fi_exec_free(n->exec);
    fanin_model_free(n->model);
}

static inline const char *param_name(const struct net_run *n, const char *suffix, char room[80]) {
    snprintf(room, 80, "%s.%s", n->model->net->nodes[n->node].name, suffix);
    return room;
}

static inline void net_set(struct net_run *n, const char *suffix, const double *values,
                           int64_t count) {
    char name[80];
    float *floats = calloc((size_t)count + 1, sizeof(*floats));
    for (int64_t i = 0; i < count; i++) floats[i] = (float)values[i];
    assert_ok(n->ctx, fanin_model_set(n->model, param_name(n, suffix, name), floats, count));
    free(floats);
}

static inline double *net_get(struct net_run *n, const char *suffix, int64_t count) {
    char name[80];
    float *floats = calloc((size_t)count + 1, sizeof(*floats));
    double *values = calloc((size_t)count + 1, sizeof(*values));
    assert_ok(n->ctx, fanin_model_get(n->model, param_name(n, suffix, name), floats, count));
    for (int64_t i = 0; i < count; i++) values[i] = (double)floats[i];
    free(floats);
    return values;
}

/* Puts rows × columns numbers of input k (its node is k too) before the first step, or all of them
 * side by side. */
static inline void net_input(struct net_run *n, int k, const double *x) {
    const int64_t cols = n->exec->y[k].cols;
    int64_t at = 0;
    for (int i = 0; i < k; i++) at += n->exec->y[i].cols;
    for (int64_t r = 0; r < n->rows; r++)
        for (int64_t c = 0; c < cols; c++)
            n->exec->x.data[r * n->exec->x.ld + at + c] = (fi_real)x[r * cols + c];
}

/* The op's output, rows × columns; free() it. */
static inline double *net_forward(struct net_run *n) {
    fi_exec_forward(n->exec, n->rows, 0, 0);
    const struct fanin_tensor *y = &n->exec->y[n->node];
    double *out = calloc((size_t)(n->rows * y->cols) + 1, sizeof(*out));
    for (int64_t r = 0; r < n->rows; r++)
        for (int64_t c = 0; c < y->cols; c++) out[r * y->cols + c] = (double)y->data[r * y->ld + c];
    return out;
}

/* One op with one input, from x to its output; NULL, and why: it cannot be built. */
static inline double *run_op(fanin_ctx *ctx, const char *op, const struct fanin_attr *attrs,
                             int64_t n_attrs, int64_t rows, int64_t cols, const double *x,
                             char why[200]) {
    struct net_run n;
    int64_t dims[1][FANIN_MAX_RANK + 1] = {{cols}};
    double *y = NULL;
    if (net_open(&n, ctx, op, attrs, n_attrs, rows, 1, dims, FI_INFER, why)) {
        net_input(&n, 0, x);
        y = net_forward(&n);
    }
    net_close(&n);
    return y;
}

#endif
