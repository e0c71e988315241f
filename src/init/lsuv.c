/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layer-sequential unit-variance: orthonormal weights, then, from the first layer to the last, on a
 * batch of the training data
 *
 *   w ← w / sqrt(Var[y]),  y = what the layer gives, over samples and units,
 *
 * until |Var[y] - 1| <= tol or max_iterations were made. Layers before it have their final weights
 * by then, so the signal has unit variance through any activations. Dropout drops nothing
 * meanwhile, and batch norm uses the batch. The start's log says what each layer reached.
 *
 * The batch is the first of the first epoch, whatever the order of the file.
 *
 * Mishkin, Matas: All you need is a good init, ICLR 2016, algorithm 1.
 */
#include <string.h>

#include "init/network.h"

struct lsuv {
    struct fi_network_attrs common;
    double tol;
    int64_t max_iterations, batch;
};

static const struct fanin_attr_spec attrs[] = {
    FI_NETWORK_INIT("how the weights start before that; default: orthogonal"),
    FI_ATTR_REAL(struct lsuv, tol, 0.1, 0, 1, "distance of the variance from 1 that is good enough",
                 FANIN_ATTR_ABOVE_MIN),
    FI_ATTR_INT(struct lsuv, max_iterations, 10, 1, 1000, "rescalings of a layer, at most", 0),
    FI_ATTR_INT(struct lsuv, batch, 256, 2, 1e6, "samples to measure on", 0), FI_ATTR_END};

/* The batch through the net as it is. Statistics are those of the batch. */
static enum fanin_status forward(const struct fi_network *s, struct fi_exec *e) {
    const fanin_net *net = s->model->net;
    FI_TRY(s->derive(s->model));
    for (int i = 0; i < net->n_nodes; i++)
        if (net->nodes[i].op && net->nodes[i].op->flags & FANIN_OP_BATCH_STATS) {
            e->steps[i].training = e->steps[i].pool = 1;
            e->steps[i].pool_rows = 0;
        }
    s->data->load(s->data->arg, e->rows, &e->x);
    fi_exec_forward(e, e->rows, 0, 0);
    return FANIN_OK;
}

static double variance(const struct fanin_tensor *y) {
    const double n = (double)y->rows * (double)y->cols;
    double mean = 0, squares = 0;
    for (int64_t r = 0; r < y->rows; r++)
        for (int64_t c = 0; c < y->cols; c++) mean += (double)y->data[r * y->ld + c];
    mean /= n;
    for (int64_t r = 0; r < y->rows; r++)
        for (int64_t c = 0; c < y->cols; c++) {
            const double d = (double)y->data[r * y->ld + c] - mean;
            squares += d * d;
        }
    return squares / n;
}

static enum fanin_status rescale(const struct fi_network *s, struct fi_exec *e,
                                 struct fi_param *p) {
    const struct lsuv *a = p->network.attrs;
    fi_real *w = s->model->params + p->offset;
    const char *node = s->model->net->nodes[p->node].name;
    int64_t n = 0;
    for (;; n++) {
        FI_TRY(forward(s, e));
        const double var = variance(&e->y[p->node]);
        if (!(var > 0) || !isfinite(var))
            return fi_fail(s->model->ctx, FANIN_ERR_RECIPE,
                           "lsuv: the outputs of %s have the variance %g on the first batch, which "
                           "no scale makes 1: look at its inputs, or give it another init",
                           node, var);
        p->why =
            fi_arena_printf(&s->model->arena, "lsuv: output variance %.4g after %lld rescaling%s",
                            var, (long long)n, n == 1 ? "" : "s");
        if (!p->why) return FANIN_ERR_MEMORY;
        if (fabs(var - 1) <= a->tol || n == a->max_iterations) return FANIN_OK;
        const fi_real factor = (fi_real)(1 / sqrt(var));
        for (int64_t i = 0; i < p->size; i++) w[i] *= factor;
        p->std *= (double)factor;
    }
}

/* Plans with what the layers give kept. */
static enum fanin_status plan(const struct fi_network *s, struct fi_exec **e, int64_t batch) {
    fanin_net *net = s->model->net;
    int *kept = fi_arena_alloc(s->arena, net->n_nodes, sizeof(int));
    if (!kept) return FANIN_ERR_MEMORY;
    for (int i = 0; i < net->n_nodes; i++) {
        kept[i] = net->nodes[i].output;
        if (fi_weight_of(net, i)) net->nodes[i].output = 1;
    }
    const enum fanin_status status =
        fi_exec_create(e, s->model, FI_MIN(batch, s->data->rows), FI_INFER);
    for (int i = 0; i < net->n_nodes; i++) net->nodes[i].output = kept[i];
    return status;
}

static enum fanin_status network(const struct fi_network *s) {
    fanin_net *net = s->model->net;
    struct fi_exec *e;
    enum fanin_status status = FANIN_OK;
    int64_t batch = 0;
    if (!s->data || s->data->rows < 2)
        return fi_fail(s->model->ctx, FANIN_ERR_RECIPE,
                       "lsuv: needs two samples or more of training data to measure on: give the "
                       "model its data, or take another init, such as orthogonal");
    for (int i = 0; i < net->n_params; i++)
        if (fi_network_has(s, i))
            batch = FI_MAX(batch, ((const struct lsuv *)net->params[i].network.attrs)->batch);
    FI_TRY(plan(s, &e, batch));
    for (int i = 0; i < net->n_params && status == FANIN_OK; i++)
        if (fi_network_has(s, i)) status = rescale(s, e, &net->params[i]);
    fi_exec_free(e);
    /* the start's own statistics, not the batch's */
    for (int i = 0; i < net->n_params; i++)
        for (int64_t k = 0; k < net->params[i].size && !net->params[i].spec.trainable; k++)
            s->model->params[net->params[i].offset + k] = (fi_real)net->params[i].spec.fill;
    return status;
}

FI_RECORD(init, lsuv) = {
    .head = {.name = "lsuv",
             .formula = "w <- w / sqrt(Var[y]) layer by layer, y on a batch of the training data",
             .reference = "Mishkin & Matas, All you need is a good init, ICLR 2016, algorithm 1",
             .help = "Rescales orthonormal weights until each layer's outputs have variance 1 on "
                     "the data.",
             .attrs = attrs,
             .attrs_size = sizeof(struct lsuv)},
    .network = network,
    .base = "orthogonal"};
