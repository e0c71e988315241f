/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a case of an ONNX operator runs on our ops. ONNX's tensors are rank-free, ours rows of
 * samples: which dimensions are rows is chosen here; numbers are never changed but by our op.
 */
#ifndef TESTS_ONNX_OPS_H
#define TESTS_ONNX_OPS_H

#include "onnx/run.h"

static inline int64_t product(const int64_t *dims, int from, int to) {
    int64_t n = 1;
    for (int i = from; i < to; i++) n *= dims[i];
    return n;
}

static inline int axis_of(const struct onnx_case *c, int otherwise) {
    const int axis = (int)attribute(c, "axis", otherwise), rank = c->in[0].rank;
    return axis < 0 ? axis + rank : axis;
}

static inline bool finish(const struct onnx_case *c, double *y, char why[200]) {
    const bool same = y && equal(&c->out[0], y, why);
    free(y);
    return same;
}

/* ---- elementwise ------------------------------------------------------------------------------------- */

struct renamed {
    const char *onnx, *ours;
    double otherwise; /* ONNX's default */
};
struct unary {
    const char *onnx, *ours;
    struct renamed attrs[2];
};
static const struct unary unaries[] = {
    {"Relu", "relu", {{0}}},
    {"Tanh", "tanh", {{0}}},
    {"Sigmoid", "sigmoid", {{0}}},
    {"Elu", "elu", {{"alpha", "alpha", 1}}},
    {"LeakyRelu", "leaky_relu", {{"alpha", "negative_slope", 0.01}}},
    {"Selu", "selu", {{0}}},
    {"HardSigmoid", "hard_sigmoid", {{0}}},
    {"Softplus", "softplus", {{0}}},
    {"Softsign", "softsign", {{0}}},
    {"Mish", "mish", {{0}}},
    {"Erf", "erf", {{0}}},
    {"Gelu", "gelu", {{0}}}};

static inline bool run_unary(fanin_ctx *ctx, const struct onnx_case *c, char why[200]) {
    const struct unary *u = unaries;
    struct fanin_attr attrs[2];
    int n = 0;
    while (strcmp(u->onnx, c->node->op_type) != 0) u++;
    for (; n < 2 && u->attrs[n].onnx; n++)
        attrs[n] =
            (struct fanin_attr){.name = u->attrs[n].ours,
                                .number = attribute(c, u->attrs[n].onnx, u->attrs[n].otherwise)};
    return finish(c, run_op(ctx, u->ours, attrs, n, 1, c->in[0].n, c->in[0].data, why), why);
}

static inline bool run_clip(fanin_ctx *ctx, const struct onnx_case *c, char why[200]) {
    const struct fanin_attr attrs[] = {
        {.name = "min", .number = c->in[1].data ? c->in[1].data[0] : -1e30},
        {.name = "max", .number = c->in[2].data ? c->in[2].data[0] : 1e30}};
    return finish(c, run_op(ctx, "hard_tanh", attrs, 2, 1, c->in[0].n, c->in[0].data, why), why);
}

/* One slope a column: the columns are what the slope's shape covers. */
static inline bool run_prelu(fanin_ctx *ctx, const struct onnx_case *c, char why[200]) {
    const struct fanin_attr attr = {.name = "per_channel", .number = 1};
    struct net_run n;
    const int64_t cols = c->in[1].n;
    int64_t dims[1][FANIN_MAX_RANK + 1] = {{cols}};
    double *y = NULL;
    if (net_open(&n, ctx, "prelu", &attr, 1, c->in[0].n / cols, 1, dims, FI_INFER, why)) {
        net_set(&n, "weight", c->in[1].data, cols);
        net_input(&n, 0, c->in[0].data);
        y = net_forward(&n);
    }
    net_close(&n);
    return finish(c, y, why);
}

/* Over the last dimension; another axis changes places with it on the way in and out. */
static inline bool run_softmax(fanin_ctx *ctx, const struct onnx_case *c, char why[200]) {
    const char *op = strcmp(c->node->op_type, "Softmax") ? "log_softmax" : "softmax";
    const struct values *x = &c->in[0];
    const int axis = axis_of(c, -1);
    const int64_t k = x->dims[axis], inner = product(x->dims, axis + 1, x->rank), rows = x->n / k;
    double *moved = calloc((size_t)x->n, sizeof(*moved));
    for (int64_t i = 0; i < x->n; i++)
        moved[(i / (inner * k) * inner + i % inner) * k + i / inner % k] = x->data[i];
    double *y = run_op(ctx, op, NULL, 0, rows, k, moved, why);
    for (int64_t i = 0; i < x->n && y; i++)
        moved[i] = y[(i / (inner * k) * inner + i % inner) * k + i / inner % k];
    free(y);
    const bool good = y && equal(&c->out[0], moved, why);
    free(moved);
    return good;
}

/* ---- dropout ----------------------------------------------------------------------------------------- */

/* ONNX's masks come from NumPy's generator: ours is given the mask of the case, and must scale what
 * is kept and drop the rest alike. */
static inline bool run_dropout(fanin_ctx *ctx, const struct onnx_case *c, char why[200]) {
    const int64_t cols = c->in[0].n;
    const bool training = c->in[2].data && c->in[2].data[0] != 0;
    const double ratio = c->in[1].data ? c->in[1].data[0] : attribute(c, "ratio", 0.5);
    const struct fanin_attr rate = {.name = "rate", .number = ratio};
    uint8_t *mask = calloc((size_t)cols, 1);
    struct net_run n;
    int64_t dims[1][FANIN_MAX_RANK + 1] = {{cols}};
    double *y = NULL;
    for (int64_t i = 0; i < cols; i++)
        mask[i] = c->out[1].data ? c->out[1].data[i] != 0 : c->out[0].data[i] != 0;
    if (net_open(&n, ctx, "dropout", &rate, 1, 1, 1, dims, training ? FI_SAMPLE : FI_INFER, why)) {
        net_input(&n, 0, c->in[0].data);
        if (training) fi_exec_switches(n.exec, n.node, mask);
        y = net_forward(&n);
    }
    net_close(&n);
    free(mask);
    return finish(c, y, why);
}

/* ---- norms ------------------------------------------------------------------------------------------- */

/* The new running variance is the biased one in ONNX, the unbiased one here: its new part is
 * compared times (m-1)/m. */
static inline bool compare_running(struct net_run *n, const struct onnx_case *c, double keep,
                                   char why[200]) {
    const int64_t channels = c->in[3].n;
    const double m = (double)(c->in[0].n / channels);
    double *mean = net_get(n, "running_mean", channels), *var = net_get(n, "running_var", channels);
    for (int64_t i = 0; i < channels; i++) {
        const double old = keep * c->in[4].data[i];
        var[i] = old + (var[i] - old) * (m - 1) / m;
    }
    const bool good = equal(&c->out[1], mean, why) && equal(&c->out[2], var, why);
    free(mean);
    free(var);
    return good;
}

static inline bool run_batch_norm(fanin_ctx *ctx, const struct onnx_case *c, char why[200]) {
    static const char *const names[] = {"weight", "bias", "running_mean", "running_var"};
    const struct values *x = &c->in[0];
    const bool training = attribute(c, "training_mode", 0) != 0;
    const double keep = attribute(c, "momentum", 0.9);
    const struct fanin_attr attrs[] = {{.name = "eps", .number = attribute(c, "epsilon", 1e-5)},
                                       {.name = "momentum", .number = 1 - keep}};
    struct net_run n;
    int64_t dims[1][FANIN_MAX_RANK + 1] = {{0}};
    double *y = NULL;
    memcpy(dims[0], x->dims + 1, sizeof(int64_t) * (size_t)(x->rank - 1));
    bool good = net_open(&n, ctx, "batch_norm", attrs, 2, x->dims[0], 1, dims,
                         training ? FI_TRAIN : FI_INFER, why);
    if (good) {
        for (int i = 0; i < 4; i++) net_set(&n, names[i], c->in[i + 1].data, c->in[i + 1].n);
        net_input(&n, 0, x->data);
        y = net_forward(&n);
        good = equal(&c->out[0], y, why) && (!training || compare_running(&n, c, keep, why));
    }
    free(y);
    net_close(&n);
    return good;
}

/* An op with weight and bias that normalizes samples of rank `rank - axis`. */
static inline bool run_sample_norm(fanin_ctx *ctx, const struct onnx_case *c, const char *op,
                                   const struct fanin_attr *attrs, int n_attrs, int axis,
                                   char why[200]) {
    const struct values *x = &c->in[0];
    struct net_run n;
    int64_t dims[1][FANIN_MAX_RANK + 1] = {{0}};
    double *y = NULL;
    memcpy(dims[0], x->dims + axis, sizeof(int64_t) * (size_t)(x->rank - axis));
    if (net_open(&n, ctx, op, attrs, n_attrs, product(x->dims, 0, axis), 1, dims, FI_INFER, why)) {
        net_set(&n, "weight", c->in[1].data, c->in[1].n);
        if (c->in[2].data) net_set(&n, "bias", c->in[2].data, c->in[2].n);
        net_input(&n, 0, x->data);
        y = net_forward(&n);
    }
    net_close(&n);
    return finish(c, y, why);
}

static inline bool run_layer_norm(fanin_ctx *ctx, const struct onnx_case *c, char why[200]) {
    const struct fanin_attr eps = {.name = "eps", .number = attribute(c, "epsilon", 1e-5)};
    return run_sample_norm(ctx, c, "layer_norm", &eps, 1, axis_of(c, -1), why);
}

static inline bool run_instance_norm(fanin_ctx *ctx, const struct onnx_case *c, char why[200]) {
    const struct fanin_attr attrs[] = {{.name = "groups", .number = (double)c->in[0].dims[1]},
                                       {.name = "eps", .number = attribute(c, "epsilon", 1e-5)}};
    return run_sample_norm(ctx, c, "group_norm", attrs, 2, 1, why);
}

/* ---- products, sums, shapes ---------------------------------------------------------------------------- */

/* y (m, n) = x (m, k) · wᵀ + b, w (n, k) as dense holds it; b NULL: none. */
static inline double *run_dense(fanin_ctx *ctx, const double *x, const double *w, const double *b,
                                int64_t m, int64_t n, int64_t k, char why[200]) {
    const struct fanin_attr attrs[] = {{.name = "units", .number = (double)n},
                                       {.name = "bias", .number = b != NULL}};
    struct net_run run;
    int64_t dims[1][FANIN_MAX_RANK + 1] = {{k}};
    double *y = NULL;
    if (net_open(&run, ctx, "dense", attrs, 2, m, 1, dims, FI_INFER, why)) {
        net_set(&run, "weight", w, n * k);
        if (b) net_set(&run, "bias", b, n);
        net_input(&run, 0, x);
        y = net_forward(&run);
    }
    net_close(&run);
    return y;
}

/* b[c][r] = factor · a[r][c] */
static inline double *transposed(const double *a, int64_t rows, int64_t cols, double factor,
                                 bool swap) {
    double *b = calloc((size_t)(rows * cols), sizeof(*b));
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < cols; c++)
            b[swap ? c * rows + r : r * cols + c] = factor * a[r * cols + c];
    return b;
}

static inline bool run_gemm(fanin_ctx *ctx, const struct onnx_case *c, char why[200]) {
    const bool ta = attribute(c, "transA", 0) != 0, tb = attribute(c, "transB", 0) != 0;
    const struct values *a = &c->in[0], *b = &c->in[1], *bias = &c->in[2];
    const int64_t m = a->dims[ta], k = a->dims[!ta], n = b->dims[!tb];
    double *x = transposed(a->data, a->dims[0], a->dims[1], 1, ta);
    double *w = transposed(b->data, b->dims[0], b->dims[1], attribute(c, "alpha", 1), !tb);
    double *v = calloc((size_t)n, sizeof(*v)), *y = NULL;
    if (bias->data && bias->n != 1 && bias->n != n) {
        snprintf(why, 200, "a bias for each row and column");
    } else {
        for (int64_t i = 0; i < n && bias->data; i++)
            v[i] = attribute(c, "beta", 1) * bias->data[bias->n == 1 ? 0 : i];
        y = run_dense(ctx, x, w, bias->data ? v : NULL, m, n, k, why);
    }
    free(v);
    free(w);
    free(x);
    return finish(c, y, why);
}

/* Each matrix of a stack is a product of its own. */
static inline bool run_matmul(fanin_ctx *ctx, const struct onnx_case *c, char why[200]) {
    const struct values *a = &c->in[0], *b = &c->in[1];
    const int64_t m = a->dims[a->rank - 2], k = a->dims[a->rank - 1], n = b->dims[b->rank - 1];
    double *all = calloc((size_t)c->out[0].n, sizeof(*all));
    bool good = true;
    for (int64_t i = 0; i < a->n / (m * k) && good; i++) {
        double *w = transposed(b->data + i * k * n, k, n, 1, true);
        double *y = run_dense(ctx, a->data + i * m * k, w, NULL, m, n, k, why);
        good = y != NULL;
        if (good) memcpy(all + i * m * n, y, (size_t)(m * n) * sizeof(*y));
        free(y);
        free(w);
    }
    good = good && equal(&c->out[0], all, why);
    free(all);
    return good;
}

/* Ops of several inputs, sample by sample; dims: what a sample of each is. */
static inline bool run_several(fanin_ctx *ctx, const struct onnx_case *c, const char *op,
                               const struct fanin_attr *attrs, int n_attrs, int axis,
                               char why[200]) {
    const int inputs = (int)c->node->n_input;
    struct net_run n;
    int64_t dims[FANIN_MAX_INPUTS][FANIN_MAX_RANK + 1] = {{0}};
    double *y = NULL;
    for (int k = 0; k < inputs; k++) {
        dims[k][0] = 1; /* of a sample that is one number */
        for (int d = axis; d < c->in[k].rank; d++) dims[k][d - axis] = c->in[k].dims[d];
    }
    if (net_open(&n, ctx, op, attrs, n_attrs, product(c->in[0].dims, 0, axis), inputs, dims,
                 FI_INFER, why)) {
        for (int k = 0; k < inputs; k++) net_input(&n, k, c->in[k].data);
        y = net_forward(&n);
    }
    net_close(&n);
    return finish(c, y, why);
}

static inline bool run_sum(fanin_ctx *ctx, const struct onnx_case *c, char why[200]) {
    return run_several(ctx, c, strcmp(c->node->op_type, "Mul") ? "add" : "multiply", NULL, 0, 0,
                       why);
}

/* The dimensions before the axis are rows. */
static inline bool run_concat(fanin_ctx *ctx, const struct onnx_case *c, char why[200]) {
    const struct fanin_attr axis = {.name = "axis", .number = 1};
    return run_several(ctx, c, "concat", &axis, 1, axis_of(c, 0), why);
}

static inline bool run_flatten(fanin_ctx *ctx, const struct onnx_case *c, char why[200]) {
    const int axis = axis_of(c, 1);
    return c->out[0].dims[0] == product(c->in[0].dims, 0, axis) &&
           run_several(ctx, c, "flatten", NULL, 0, axis, why);
}

#endif
