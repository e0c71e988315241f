/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FANN (Debian's libfann 2.2) in the benchmark: layers of tanh or sigmoid units and a linear
 * output, batches by its own passes and its plain gradient descent. It has no ReLU, no dropout, no
 * batch norm, no threads, and squares its errors; cross-entropy of softmax comes in by asking for
 * the outputs z + t - p, whose error is that of the loss, as its users do.
 *
 * It bounds the value of a sigmoid or tanh in its derivative (0.01 to 0.99, -0.98 to 0.98), so nets
 * with saturated units learn a little otherwise.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <fann.h>

#include "worker.h"

struct net {
    const struct work *w;
    struct fann *ann;
    float *wanted; /* of one sample */
    int64_t i;     /* batches done */
};

/* FANN's name of the activation behind every hidden layer, in *hidden; what it lacks, or NULL. */
static const char *hidden_of(const struct work *w, enum fann_activationfunc_enum *hidden) {
    const json_t *layer;
    size_t i;
    if (w->threads > 1) return "no threads";
    if (w->optimizer && (strcmp(work_text(w->optimizer, "op"), "sgd") != 0 ||
                         work_number(w->optimizer, "momentum") > 0))
        return "batches by plain gradient descent only";
    *hidden = FANN_LINEAR;
    json_array_foreach(w->layers, i, layer) {
        const char *op = work_text(layer, "op");
        const enum fann_activationfunc_enum before = *hidden;
        if (strcmp(op, "dense") == 0) continue;
        if (strcmp(op, "tanh") == 0)
            *hidden = FANN_SIGMOID_SYMMETRIC;
        else if (strcmp(op, "sigmoid") == 0)
            *hidden = FANN_SIGMOID;
        else if (strcmp(op, "relu") == 0)
            return "no ReLU";
        else
            return "dense layers with tanh or sigmoid only";
        if (before != FANN_LINEAR && before != *hidden) return "one activation for all layers";
    }
    return NULL;
}

/* A unit's weights stand together, its bias (the weight of a constant 1) last. */
static void set_start(struct net *n) {
    for (int i = 0; i < n->w->n_dense; i++) {
        const struct work_dense *d = &n->w->dense[i];
        const struct fann_neuron *unit = n->ann->first_layer[i + 1].first_neuron;
        for (int64_t u = 0; u < d->units; u++) {
            fann_type *to = n->ann->weights + unit[u].first_con;
            memcpy(to, d->w + u * d->in, (size_t)d->in * sizeof *to);
            to[d->in] = d->b[u];
        }
    }
}

static void *open_net(const struct work *w, bool proof, struct worker_say *say) {
    enum fann_activationfunc_enum hidden;
    unsigned sizes[WORK_DENSE + 1] = {(unsigned)w->in};
    (void)proof;
    if ((say->unable = hidden_of(w, &hidden))) return NULL;
    for (int i = 0; i < w->n_dense; i++) sizes[i + 1] = (unsigned)w->dense[i].units;
    struct net *n = work_alloc(1, sizeof *n);
    n->w = w;
    if (!(n->ann = fann_create_standard_array((unsigned)w->n_dense + 1, sizes)))
        work_die("FANN makes no net of %s", w->name);
    fann_set_activation_function_hidden(n->ann, hidden);
    fann_set_activation_function_output(n->ann, FANN_LINEAR);
    /* it takes tanh(s x), but 1 / (1 + e^(-2 s x)) */
    fann_set_activation_steepness_hidden(n->ann, hidden == FANN_SIGMOID ? 0.5f : 1);
    fann_set_activation_steepness_output(n->ann, 1);
    fann_set_training_algorithm(n->ann, FANN_TRAIN_BATCH);
    fann_set_train_error_function(n->ann, FANN_ERRORFUNC_LINEAR);
    /* its gradient is that of half the sum of squares */
    fann_set_learning_rate(n->ann, (float)(work_number(w->optimizer, "lr") *
                                           (w->target ? 2.0 / (double)w->outputs : 1)));
    set_start(n);
    n->wanted = work_alloc(w->outputs, sizeof *n->wanted);
    return n;
}

static void close_net(void *self) {
    struct net *n = self;
    fann_destroy(n->ann);
    free(n->wanted);
    free(n);
}

/* What the sample's outputs z should have been, for an error of t - p; its cross-entropy. */
static double ask_label(struct net *n, const fann_type *z, int32_t label) {
    const int64_t count = n->w->outputs;
    double sum = 0;
    float most = z[0];
    for (int64_t c = 1; c < count; c++) most = fmaxf(most, z[c]);
    for (int64_t c = 0; c < count; c++) sum += (double)(n->wanted[c] = expf(z[c] - most));
    for (int64_t c = 0; c < count; c++)
        n->wanted[c] = z[c] - n->wanted[c] / (float)sum + (c == label ? 1.0f : 0.0f);
    return log(sum) + (double)most - (double)z[label];
}

static double ask_target(struct net *n, const fann_type *z, const float *target) {
    double sum = 0;
    for (int64_t c = 0; c < n->w->outputs; c++) {
        const double d = (double)z[c] - (double)target[c];
        n->wanted[c] = target[c];
        sum += d * d;
    }
    return sum / (double)n->w->outputs;
}

static double run_train(void *self) {
    struct net *n = self;
    const struct work *w = n->w;
    const int64_t row = worker_row(w, n->i++);
    double loss = 0;
    for (int64_t r = row; r < row + w->batch; r++) {
        const fann_type *z = fann_run(n->ann, (fann_type *)w->x + r * w->in);
        loss += w->labels ? ask_label(n, z, w->labels[r])
                          : ask_target(n, z, w->target + r * w->outputs);
        fann_compute_MSE(n->ann, n->wanted);
        fann_backpropagate_MSE(n->ann);
        fann_update_slopes_batch(n->ann, n->ann->first_layer + 1, n->ann->last_layer - 1);
    }
    fann_update_weights_batch(n->ann, (unsigned)w->batch, 0, n->ann->total_connections);
    return loss / (double)w->batch;
}

int main(int argc, char **argv) {
    static const struct worker_kind kinds[] = {
        {.kind = "train", .open = open_net, .run = run_train, .close = close_net}};
    const struct worker worker = {"fann", "2.2.0", kinds, 1};
    return worker_main(argc, argv, &worker);
}
