/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole nets against central differences, in double: random graphs of ops of all kinds (branches,
 * joins, parts, fused chains, noise, batch norm, an embedding of two columns) under softmax
 * cross-entropy with entropy terms, or mse; every parameter tensor is probed. Batches as planned,
 * shorter, and of one sample. What is exercised is the plan: in-place chains, gradients that
 * several readers add up, buffers that share memory.
 */
#include "kernel/kernel.h"
#include "support/engine.h"
#include "train/train.h"

#define STEP 1e-5
#define MAX_ROWS 70

struct job {
    fanin_ctx *ctx;
    fanin_model *model;
    fanin_trainer *trainer;
    fi_real *grads, *saved, *x;
    int64_t rows;
    uint64_t seed;
};

static uint64_t pick(uint64_t seed, uint64_t *n, uint64_t below) {
    uint32_t words[4];
    fi_philox(seed, 1, (*n)++, words);
    return words[0] % below;
}

static int add(fanin_ctx *ctx, fanin_net *net, const char *op, const int *in, int n_in,
               double number) {
    const struct fanin_attr attr = {.number = number};
    int node;
    assert_ok(ctx, fanin_net_add(net, &node, op, NULL, in, n_in, &attr, number > 0));
    return node;
}

static bool same_shape(const struct fanin_shape *a, const struct fanin_shape *b) {
    bool same = a->rank == b->rank;
    for (int i = 0; same && i < a->rank; i++) same = a->dims[i] == b->dims[i];
    return same;
}

/* Columns 1 and 2 of the input are indexes. */
static const double tables[] = {4, 7}, index_columns[] = {1, 2};

static int add_embedding(fanin_ctx *ctx, fanin_net *net, int from) {
    const struct fanin_attr attrs[] = {{.number = 5},
                                       {.name = "vocabulary", .list = tables, .n_list = 2},
                                       {.name = "columns", .list = index_columns, .n_list = 2}};
    int node;
    assert_ok(ctx, fanin_net_add(net, &node, "embedding", NULL, &from, 1, attrs, 3));
    return node;
}

/* Two rows where the numbers of a sample can be halved, else one. */
static int add_reshape(fanin_ctx *ctx, fanin_net *net, int from) {
    const double halves[] = {2, -1}, row[] = {-1};
    const bool even = net->nodes[from].shape.cols % 2 == 0;
    const struct fanin_attr attr = {.list = even ? halves : row, .n_list = even ? 2 : 1};
    int node;
    assert_ok(ctx, fanin_net_add(net, &node, "reshape", NULL, &from, 1, &attr, 1));
    return node;
}

static const struct {
    const char *name;
    double number; /* its first attribute; 0: none */
    int n_in;
} ops[] = {{"dense", -1, 1},
           {"relu", 0, 1},
           {"tanh", 0, 1},
           {"sigmoid", 0, 1},
           {"dropout", 0.3, 1},
           {"batch_norm", 0, 1},
           {"add", 0, 2},
           {"flatten", 0, 1},
           {"softmax", 0, 1},
           {"dense", -1, 1},
           {"multiply", 0, 2},
           {"concat", 0, 2},
           {"scale", 0.7, 1},
           {"slice", -1, 1},
           {"reshape", 0, 1},
           {"gaussian_dropout", 0.3, 1},
           {"alpha_dropout", 0.2, 1},
           {"gaussian_noise", 0.5, 1},
           {"dense", -1, 1},
           {"stochastic_depth", 0.4, 1}};

/* A graph of `n` random nodes behind one input, and a dense layer to 4 outputs. */
static fanin_net *random_net(fanin_ctx *ctx, uint64_t seed, int n, bool batch_norm) {
    fanin_net *net;
    uint64_t at = 0;
    int node;
    const int64_t in = 3 + (int64_t)pick(seed, &at, 60);
    assert_ok(ctx, fanin_net_create(&net, ctx));
    assert_ok(ctx, fanin_net_input(net, &node, NULL, 1, &in));
    if (seed % 3 == 0) node = add_embedding(ctx, net, node);
    for (int i = 0; i < n; i++) {
        const uint64_t kind = pick(seed, &at, FI_COUNT(ops));
        const char *op = ops[kind].name;
        /* mostly the last node, so that chains form; sometimes an older one, so that branches do */
        int from[2] = {pick(seed, &at, 4) ? node : (int)pick(seed, &at, (uint64_t)node + 1), 0};
        const struct fanin_shape *shape = &net->nodes[from[0]].shape;
        double number = ops[kind].number;
        if (strcmp(op, "batch_norm") == 0 && !batch_norm) continue;
        if (strcmp(op, "dense") == 0) number = 1 + (double)pick(seed, &at, 70);
        if (strcmp(op, "slice") == 0)
            number = (double)pick(seed, &at, (uint64_t)shape->dims[shape->rank - 1]);
        from[1] = from[0];
        for (int k = 0; k < net->n_nodes; k++)
            if (same_shape(&net->nodes[k].shape, shape) && k != from[0]) from[1] = k;
        node = strcmp(op, "reshape") == 0 ? add_reshape(ctx, net, from[0])
                                          : add(ctx, net, op, from, ops[kind].n_in, number);
    }
    add(ctx, net, "dense", &node, 1, 4);
    return net;
}

static void load(void *arg, const struct fi_load *to) {
    const struct job *j = arg;
    const struct fanin_tensor *x = to->x, *t = to->targets;
    for (int64_t r = 0; r < to->n; r++) {
        const int64_t from = to->order ? to->order[to->first + r] : to->first + r;
        if (x)
            memcpy(x->data + r * x->ld, j->x + from * x->cols, (size_t)x->cols * sizeof(fi_real));
        to->labels[r] = (int32_t)(from % 4);
        for (int64_t c = 0; c < t->cols; c++)
            t->data[r * t->ld + c] = test_number(j->seed + 3, (uint64_t)(from * 4 + c));
        if (to->weights) to->weights[r] = 0.5 * (double)(from % 5); /* some do not count */
    }
}

/* The loss of the batch; gradients are left in grads. Nothing else changes. */
static double evaluate(struct job *j) {
    const struct fi_batch batch = {.load = load, .arg = j, .rows = j->rows};
    double loss;
    j->trainer->t = 0;
    poison(j->trainer->exec);
    assert_ok(j->ctx, fi_trainer_run(j->trainer, &batch, 0, 1, &loss));
    memcpy(j->model->params, j->saved, (size_t)j->model->net->param_size * sizeof(fi_real));
    for (int i = 0; i < j->trainer->terms.n; i++) loss += fi_term_value(j->trainer, i);
    return loss;
}

/* A row of a table that gets no gradient, also none of the penalties. */
static bool untouched(const struct fi_param *p, const fi_real *exact, int64_t number) {
    bool zero = p->spec.table != 0;
    const int64_t width = p->spec.dims[1], row = zero ? number / width : 0;
    for (int64_t c = 0; c < width && zero; c++) zero &= exact[p->offset + row * width + c] == 0;
    return zero;
}

static void check(struct job *j, const char *what) {
    const fanin_net *net = j->model->net;
    (void)evaluate(j);
    fi_real *exact = malloc((size_t)net->param_size * sizeof(*exact));
    memcpy(exact, j->trainer->grads[0], (size_t)net->param_size * sizeof(*exact));
    for (int i = 0; i < net->n_params; i++) {
        const struct fi_param *p = &net->params[i];
        if (!p->spec.trainable) continue;
        for (int64_t k = 0; k < p->count; k += 1 + p->count / 7) {
            const int64_t o = k / p->in,
                          at = p->offset + fi_panel_index(p->out, p->in, o, k % p->in);
            if (untouched(p, exact, k)) continue;
            const fi_real before = j->saved[at];
            double v[2];
            for (int side = 0; side < 2; side++) {
                j->saved[at] = j->model->params[at] = before + (side ? STEP : -STEP);
                v[side] = evaluate(j);
            }
            j->saved[at] = j->model->params[at] = before;
            const double numeric = (v[1] - v[0]) / (2 * STEP);
            if (!(fabs(exact[at] - numeric) <= 1e-6 * (1 + fabs(exact[at]) + fabs(numeric))))
                fail_msg("%s, net %llu, %lld rows: %s[%lld]: %.12g, differences say %.12g", what,
                         (unsigned long long)j->seed, (long long)j->rows, p->name, (long long)k,
                         exact[at], numeric);
        }
    }
    free(exact);
}

static void run_net(fanin_ctx *ctx, fanin_net *net, uint64_t seed, bool labels, bool batch_norm,
                    int64_t shards) {
    static const struct fanin_attr beta = {.number = 0.3}, lambda = {.number = 0.01};
    const struct fanin_rule terms[] = {{"elastic", &lambda, 1, 0},
                                       {"orthogonal", &lambda, 1, 0},
                                       {"confidence_penalty", &beta, 1, 0},
                                       {"entropy_minimization", &lambda, 1, 0}};
    const struct fanin_rule activity = {"activity_l2", &beta, 1, 0};
    const struct fanin_param_policy everywhere = {.match = "*.output",
                                                  .set = FANIN_POLICY_REGULARIZE,
                                                  .regularize = &activity,
                                                  .n_regularize = 1};
    const struct fanin_model_options mo = {
        .size = sizeof mo,
        .seed = seed,
        .loss = {labels ? "softmax_cross_entropy" : "mse", NULL, 0, 0}};
    /* clip_norm makes the trainer collect whole gradients; this one never clips */
    const struct fanin_train_options to = {.size = sizeof to,
                                           .batch = 64,
                                           .shards = shards,
                                           .seed = seed,
                                           .regularize = terms,
                                           .n_regularize = labels ? 4 : 2,
                                           .params = &everywhere,
                                           .n_params = seed % 3 == 0,
                                           .clip_norm = 1e300,
                                           .allow_symmetric = 1};
    struct job j = {.ctx = ctx, .seed = seed};
    assert_ok(ctx, fanin_model_create(&j.model, net, &mo));
    assert_ok(ctx, fanin_trainer_create(&j.trainer, j.model, &to));
    const size_t bytes = (size_t)net->param_size * sizeof(fi_real);
    const int64_t in = net->nodes[0].shape.cols;
    j.saved = malloc(bytes);
    j.x = malloc((size_t)(MAX_ROWS * in) * sizeof(fi_real));
    for (int64_t i = 0; i < MAX_ROWS * in; i++) j.x[i] = test_input(seed + 1, (uint64_t)i);
    const bool indexes = net->n_nodes > 1 && net->nodes[1].op->index_below;
    for (int64_t r = 0; r < MAX_ROWS && indexes; r++)
        for (int k = 0; k < FI_COUNT(tables); k++)
            j.x[r * in + (int64_t)index_columns[k]] =
                (fi_real)((r * 7 + k) % (int64_t)tables[k]); /* some come twice */
    for (int i = 0; i < net->n_params; i++)
        for (int64_t k = 0; net->params[i].spec.trainable && k < net->params[i].size; k++)
            j.model->params[net->params[i].offset + k] +=
                0.2 * test_number(seed + 50 + (uint64_t)i, (uint64_t)k);
    memcpy(j.saved, j.model->params, bytes);
    for (int k = 0; k < 3; k++) {
        j.rows = (const int64_t[]){64, 37, batch_norm ? 33 : 1}[k];
        check(&j, labels ? "cross-entropy" : "mse");
    }
    free(j.saved);
    free(j.x);
    fanin_trainer_free(j.trainer);
    fanin_model_free(j.model);
}

static void test_random(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        fanin_ctx *ctx = test_ctx_on(1 + (int)(seed % 3), NULL);
        const bool batch_norm = seed % 2;
        fanin_net *net = random_net(ctx, seed, 4 + (int)(seed % 12), batch_norm);
        run_net(ctx, net, seed, seed % 4 != 0, batch_norm, 1);
        fanin_ctx_free(ctx);
    }
}

/* The usual chain: input dropout, dense, relu, dropout, twice. */
static void test_chain(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    const int64_t in = 50;
    fanin_net *net;
    int node;
    assert_ok(ctx, fanin_net_create(&net, ctx));
    assert_ok(ctx, fanin_net_input(net, &node, NULL, 1, &in));
    node = add(ctx, net, "dropout", &node, 1, 0.2);
    for (int i = 0; i < 2; i++) {
        node = add(ctx, net, "dense", &node, 1, 77);
        node = add(ctx, net, i ? "tanh" : "relu", &node, 1, 0);
        node = add(ctx, net, "dropout", &node, 1, 0.5);
    }
    add(ctx, net, "dense", &node, 1, 4);
    run_net(ctx, net, 99, true, false, 1);
    fanin_ctx_free(ctx);
}

/* Shards: the gradient of the batch is that of one shard (without batch norm they see the same). */
static void test_shards(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    for (int64_t shards = 2; shards <= 8; shards *= 2)
        run_net(ctx, random_net(ctx, 12, 9, false), 12, true, false, shards);
    fanin_ctx_free(ctx);
}

int main(void) {
    struct CMUnitTest tests[] = {cmocka_unit_test(test_chain), cmocka_unit_test(test_random),
                                 cmocka_unit_test(test_shards)};
    return test_main(tests);
}
