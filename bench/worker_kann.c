/* SPDX-License-Identifier: Apache-2.0 */
/*
 * KANN in the benchmark, built where KANN_DIR names a checkout of it. Its graph, its gradients and
 * its threads (kann_mt); the update is a loop of our own, as KANN brings RMSprop alone. It has no
 * batch norm: nets are run without and say so.
 *
 * KANN is told when it is compiled who does its matrix products: in worker_kann OpenBLAS, in
 * worker_kann_plain it does them itself.
 */
#include <stdlib.h>
#include <string.h>

#include "kann.h"
#include "worker.h"

#ifdef HAVE_CBLAS
#include "bench.h"
#include <cblas.h>
#endif

struct net {
    const struct work *w;
    kann_t *ann;
    kad_node_t *weight[WORK_DENSE], *bias[WORK_DENSE];
    int out;      /* the node of the prediction */
    float *truth; /* as x: the targets, or a 1 for each label */
    float lr, momentum, *velocity;
    int64_t i; /* batches done */
};

/* ---- the graph ------------------------------------------------------------------------------------- */

static kad_node_t *add_dense(struct net *n, kad_node_t *node, int index) {
    const struct work_dense *d = &n->w->dense[index];
    n->weight[index] = kann_new_leaf(KAD_VAR, 0, 2, (int)d->units, (int)d->in);
    n->bias[index] = kann_new_leaf(KAD_VAR, 0, 1, (int)d->units);
    return kad_add(kad_cmul(node, n->weight[index]), n->bias[index]);
}

static kad_node_t *add_layers(struct net *n, kad_node_t *node, bool proof, struct worker_say *say) {
    const json_t *layer;
    size_t i;
    int dense = 0;
    json_array_foreach(n->w->layers, i, layer) {
        const char *op = work_text(layer, "op");
        if (strcmp(op, "dense") == 0) {
            node = add_dense(n, node, dense++);
        } else if (strcmp(op, "relu") == 0) {
            node = kad_relu(node);
        } else if (strcmp(op, "tanh") == 0) {
            node = kad_tanh(node);
        } else if (strcmp(op, "sigmoid") == 0) {
            node = kad_sigm(node);
        } else if (strcmp(op, "dropout") == 0) {
            if (!proof) node = kann_layer_dropout(node, (float)work_number(layer, "rate"));
        } else if (strcmp(op, "batch_norm") == 0) {
            say->note = "without batch norm, which it does not have";
            say->differs = true;
        } else {
            work_die("%s: a layer %s", n->w->name, op);
        }
    }
    return node;
}

/* Builds the net; its variables then stand in one array, at their start. */
static void build(struct net *n, bool proof, struct worker_say *say) {
    const struct work *w = n->w;
    const bool mse = work_is(w, "loss", "mse");
    kad_node_t *node = add_layers(n, kann_layer_input((int)w->in), proof, say);
    kad_node_t *truth = kad_feed(2, 1, (int)w->outputs);
    if (!mse) node = kad_softmax(node);
    node->ext_flag |= KANN_F_OUT;
    truth->ext_flag |= KANN_F_TRUTH;
    n->ann = kann_new(mse ? kad_mse(node, truth) : kad_ce_multi(node, truth), 0);
    n->out = kann_find(n->ann, KANN_F_OUT, 0);
    for (int i = 0; i < w->n_dense; i++) {
        const struct work_dense *d = &w->dense[i];
        memcpy(n->weight[i]->x, d->w, (size_t)(d->units * d->in) * sizeof(float));
        memcpy(n->bias[i]->x, d->b, (size_t)d->units * sizeof(float));
    }
    kann_set_batch_size(n->ann, (int)w->batch);
    if (w->threads > 1) kann_mt(n->ann, w->threads, (int)w->batch);
    kann_switch(n->ann, strcmp(w->kind, "train") == 0);
}

static void make_truth(struct net *n) {
    const struct work *w = n->w;
    const int64_t rows = WORK_BATCHES * w->batch;
    n->truth = work_alloc(rows * w->outputs, sizeof(float));
    if (w->target) memcpy(n->truth, w->target, (size_t)(rows * w->outputs) * sizeof(float));
    for (int64_t r = 0; w->labels && r < rows; r++) n->truth[r * w->outputs + w->labels[r]] = 1;
}

static void *open_net(const struct work *w, bool proof, struct worker_say *say) {
    if (w->optimizer && strcmp(work_text(w->optimizer, "op"), "sgd") != 0) {
        say->unable = "no optimizer but RMSprop, and SGD by hand";
        return NULL;
    }
    struct net *n = work_alloc(1, sizeof *n);
    n->w = w;
    n->lr = (float)work_number(w->optimizer, "lr");
    n->momentum = (float)work_number(w->optimizer, "momentum");
    build(n, proof, say);
    make_truth(n);
    n->velocity = work_alloc(kann_size_var(n->ann), sizeof(float));
    return n;
}

static void close_net(void *self) {
    struct net *n = self;
    kann_delete(n->ann);
    free(n->truth);
    free(n->velocity);
    free(n);
}

/* ---- running --------------------------------------------------------------------------------------- */

static void bind_batch(struct net *n) {
    const int64_t row = worker_row(n->w, n->i++);
    float *x = (float *)n->w->x + row * n->w->in, *truth = n->truth + row * n->w->outputs;
    kann_feed_bind(n->ann, KANN_F_IN, 0, &x);
    kann_feed_bind(n->ann, KANN_F_TRUTH, 0, &truth);
}

static void update(int count, float lr, float momentum, const float *restrict g, float *restrict v,
                   float *restrict w) {
    if (momentum == 0)
        for (int i = 0; i < count; i++) w[i] -= lr * g[i];
    else
        for (int i = 0; i < count; i++) {
            v[i] = momentum * v[i] + g[i];
            w[i] -= lr * v[i];
        }
}

static double run_train(void *self) {
    struct net *n = self;
    bind_batch(n);
    const float loss = kann_cost(n->ann, 0, 1);
    update(kann_size_var(n->ann), n->lr, n->momentum, n->ann->g, n->velocity, n->ann->x);
    return (double)loss;
}

static double run_infer(void *self) {
    struct net *n = self;
    bind_batch(n);
    kann_eval_out(n->ann);
    return 0;
}

static json_t *result_infer(void *self, int64_t steps) {
    struct net *n = self;
    (void)steps;
    n->i = 0;
    run_infer(n);
    return json_pack("{s: o}", "outputs",
                     worker_floats(n->ann->v[n->out]->x, n->w->batch * n->w->outputs));
}

int main(int argc, char **argv) {
    static const struct worker_kind kinds[] = {
        {.kind = "train", .open = open_net, .run = run_train, .close = close_net},
        {.kind = "infer",
         .open = open_net,
         .run = run_infer,
         .result = result_infer,
         .close = close_net}};
    const struct worker worker = {"kann", KANN_VERSION, kinds, 2};
#ifdef HAVE_CBLAS
    bench_openblas_core(openblas_get_corename(), argv);
    openblas_set_num_threads(1); /* kann_mt makes the threads */
#endif
    return worker_main(argc, argv, &worker);
}
