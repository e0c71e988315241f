/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Folding: what is predicted stays, what can go goes, and what cannot is said.
 */
#include "support/nets.h"
#include "support/records.h"

#define ROWS 33
#define MAX_EVENTS 16

struct told {
    int n;
    struct {
        enum fanin_fold_kind kind;
        char node[32], into[32], why[300];
    } events[MAX_EVENTS];
};

static void tell(void *payload, const struct fanin_fold_event *e) {
    struct told *t = payload;
    assert_true(t->n < MAX_EVENTS);
    t->events[t->n].kind = e->kind;
    snprintf(t->events[t->n].node, 32, "%s", e->node);
    snprintf(t->events[t->n].into, 32, "%s", e->into ? e->into : "");
    snprintf(t->events[t->n].why, 300, "%s", e->why ? e->why : "");
    t->n++;
}

/* "merged batch_norm1 dense1": fails unless this was told; a part of the reason where one is given.
 */
static void assert_told(const struct told *t, enum fanin_fold_kind kind, const char *node,
                        const char *into, const char *why) {
    for (int i = 0; i < t->n; i++)
        if (t->events[i].kind == kind && !strcmp(t->events[i].node, node) &&
            !strcmp(t->events[i].into, into)) {
            if (!strstr(t->events[i].why, why))
                fail_msg("%s: '%s' does not say '%s'", node, t->events[i].why, why);
            return;
        }
    fail_msg("%s, %d: not told", node, (int)kind);
}

static fanin_model *model_of(fanin_ctx *ctx, fanin_net *net) {
    const struct fanin_model_options options = {
        .size = sizeof options, .loss = {.name = "softmax_cross_entropy"}, .seed = 3};
    fanin_model *m;
    assert_ok(ctx, fanin_model_create(&m, net, &options));
    /* everything away from its tidy start; variances and scales positive */
    for (int i = 0; i < net->n_params; i++) {
        const struct fi_param *p = &net->params[i];
        float *values = calloc((size_t)p->count, sizeof(*values));
        assert_ok(ctx, fanin_model_get(m, p->name, values, p->count));
        for (int64_t k = 0; k < p->count; k++)
            values[k] += (float)(0.5 * test_uniform(40 + (uint64_t)i, k));
        assert_ok(ctx, fanin_model_set(m, p->name, values, p->count));
        free(values);
    }
    return m;
}

/* Folds, compares predictions and the saved file's, and returns how many nodes are left. */
static int fold(fanin_ctx *ctx, fanin_model *m, struct told *told) {
    const int64_t in = fanin_model_inputs(m), out = fanin_model_outputs(m);
    const struct fanin_fold_options options = {sizeof options, tell, told};
    float *x = calloc((size_t)(ROWS * in), sizeof(*x)),
          *p = calloc((size_t)(ROWS * out), sizeof(*p)),
          *q = calloc((size_t)(ROWS * out), sizeof(*q));
    char dir[256], path[300];
    fanin_model *folded, *loaded;
    const uint64_t before = params_hash(m);
    *told = (struct told){0};
    assert_ok(ctx, fanin_model_fold(&folded, m, &options));
    assert_true(params_hash(m) == before);
    for (int64_t i = 0; i < ROWS * in; i++) x[i] = (float)test_normal(50, i);
    assert_ok(ctx, fanin_model_predict(m, x, ROWS, p));
    assert_ok(ctx, fanin_model_predict(folded, x, ROWS, q));
    for (int64_t i = 0; i < ROWS * out; i++)
        if (!(fabs((double)p[i] - (double)q[i]) <= 1e-5))
            fail_msg("prediction %d: %.9g before, %.9g folded", (int)i, (double)p[i], (double)q[i]);
    snprintf(path, sizeof path, "%s/m.safetensors", temp_dir(dir));
    assert_ok(ctx, fanin_model_save(folded, path));
    assert_ok(ctx, fanin_model_load(&loaded, ctx, path));
    assert_ok(ctx, fanin_model_predict(loaded, x, ROWS, p));
    assert_memory_equal(p, q, (size_t)(ROWS * out) * sizeof(*p));
    /* nothing is left to fold of what could go */
    struct told again = {0};
    const struct fanin_fold_options second = {sizeof second, tell, &again};
    fanin_model *twice;
    assert_ok(ctx, fanin_model_fold(&twice, folded, &second));
    for (int i = 0; i < again.n; i++) assert_int_equal(again.events[i].kind, FANIN_FOLD_LEFT);
    const int left = fanin_net_nodes(fanin_model_net(folded));
    fanin_model_free(twice);
    fanin_model_free(loaded);
    fanin_model_free(folded);
    temp_dir_remove(dir);
    free(q);
    free(p);
    free(x);
    return left;
}

static void chain(fanin_ctx *ctx, const struct layer *layers, int n, struct told *told, int left) {
    fanin_model *m = model_of(ctx, chain_net(ctx, 6, layers, n));
    assert_int_equal(fold(ctx, m, told), left);
    fanin_model_free(m);
}

static void before_and_behind(void **state) {
    (void)state;
    static const struct layer usual[] = {{"dropout", 0.2, NULL, 0},  {"dense", 40, NULL, 0},
                                         {"batch_norm", 0, NULL, 0}, {"relu", 0, NULL, 0},
                                         {"dropout", 0.5, NULL, 0},  {"dense", 3, NULL, 0}};
    static const struct layer first[] = {{"batch_norm", 0, NULL, 0},
                                         {"dropout", 0.2, NULL, 0},
                                         {"flatten", 0, NULL, 0},
                                         {"dense", 3, NULL, 0}};
    static const struct layer both[] = {{"dense", 40, NULL, 0},     {"dropout", 0.2, NULL, 0},
                                        {"batch_norm", 0, NULL, 0}, {"batch_norm", 0, NULL, 0},
                                        {"dense", 3, NULL, 0},      {"batch_norm", 0, NULL, 0}};
    static const struct layer stuck[] = {{"dense", 9, NULL, 0},      {"relu", 0, NULL, 0},
                                         {"batch_norm", 0, NULL, 0}, {"tanh", 0, NULL, 0},
                                         {"dense", 3, NULL, 0},      {"dropout", 0.5, NULL, 0}};
    fanin_ctx *ctx = test_ctx();
    struct told t;
    chain(ctx, usual, 6, &t, 4);
    assert_told(&t, FANIN_FOLD_DROPPED, "dropout1", "", "identity");
    assert_told(&t, FANIN_FOLD_DROPPED, "dropout2", "", "identity");
    assert_told(&t, FANIN_FOLD_MERGED, "batch_norm1", "dense1", "");
    chain(ctx, first, 4, &t, 3);
    assert_told(&t, FANIN_FOLD_MERGED, "batch_norm1", "dense1", "");
    chain(ctx, both, 6, &t, 3);
    assert_told(&t, FANIN_FOLD_MERGED, "batch_norm1", "dense1", "");
    assert_told(&t, FANIN_FOLD_MERGED, "batch_norm2", "dense1", "");
    assert_told(&t, FANIN_FOLD_MERGED, "batch_norm3", "dense2", "");
    chain(ctx, stuck, 6, &t, 6);
    assert_told(&t, FANIN_FOLD_LEFT, "batch_norm1", "",
                "before it relu1 (relu) is not linear, behind it tanh1 (tanh) is not linear");
    fanin_ctx_free(ctx);
}

static int add(fanin_ctx *ctx, fanin_net *net, const char *op, const int *from, int n,
               double number) {
    const struct fanin_attr attr = {.number = number};
    int node;
    assert_ok(ctx, fanin_net_add(net, &node, op, NULL, from, n, &attr, number > 0));
    return node;
}

/* A residual net: what others read stays; channels with several positions; a bias that has to be
 * made; outputs besides the result. */
static void graphs(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    fanin_net *net;
    struct told t;
    int x, a, b, c, d;
    assert_ok(ctx, fanin_net_create(&net, ctx));
    assert_ok(ctx, fanin_net_input(net, &x, NULL, 2, (int64_t[]){3, 5}));
    a = add(ctx, net, "batch_norm", &x, 1, 0); /* 3 channels of 5 positions, into a dense layer */
    const struct fanin_attr attrs[] = {{.number = 8}, {.name = "bias", .number = 0}};
    assert_ok(ctx, fanin_net_add(net, &b, "dense", NULL, &a, 1, attrs, 2));
    c = add(ctx, net, "batch_norm", &b, 1, 0); /* dense1 is read twice: stays */
    c = add(ctx, net, "dense", (int[]){add(ctx, net, "relu", &c, 1, 0)}, 1, 8);
    d = add(ctx, net, "add", (int[]){b, c}, 2, 0);
    d = add(ctx, net, "batch_norm", &d, 1, 0);
    d = add(ctx, net, "dropout", &d, 1, 0.5);
    c = add(ctx, net, "dense", &d, 1, 4);
    add(ctx, net, "dense", &c, 1, 2); /* a head that the result does not need */
    assert_ok(ctx, fanin_net_output(net, c));
    fanin_model *m = model_of(ctx, net);
    assert_int_equal(fold(ctx, m, &t), 8);
    assert_told(&t, FANIN_FOLD_MERGED, "batch_norm1", "dense1", "");
    assert_told(&t, FANIN_FOLD_LEFT, "batch_norm2", "", "dense1 is read by several nodes");
    assert_told(&t, FANIN_FOLD_MERGED, "batch_norm3", "dense3", "");
    assert_told(&t, FANIN_FOLD_DROPPED, "dropout1", "", "");
    fanin_model_free(m);
    fanin_ctx_free(ctx);
}

/* Weights beyond float's range: the norm stays. */
static void no_overflow(void **state) {
    (void)state;
    static const struct layer layers[] = {{"dense", 3, NULL, 0}, {"batch_norm", 0, NULL, 0}};
    const float tiny[3] = {0, 0, 0}, huge[3] = {3e38f, 1, 1};
    fanin_ctx *ctx = test_ctx();
    fanin_model *m = model_of(ctx, chain_net(ctx, 6, layers, 2)), *folded;
    struct told t = {0};
    const struct fanin_fold_options options = {sizeof options, tell, &t};
    assert_ok(ctx, fanin_model_set(m, "batch_norm1.running_var", tiny, 3));
    assert_ok(ctx, fanin_model_set(m, "batch_norm1.weight", huge, 3));
    assert_ok(ctx, fanin_model_fold(&folded, m, &options));
    assert_told(&t, FANIN_FOLD_LEFT, "batch_norm1", "", "beyond the range of float");
    assert_int_equal(fanin_net_nodes(fanin_model_net(folded)), 3);
    fanin_model_free(folded);
    fanin_model_free(m);
    fanin_ctx_free(ctx);
}

/* Every record that says it folds does: a net of it, its parameters and running numbers off their
 * start, predicts the same. */
static void every_record(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    const struct fanin_record *record;
    for (int i = 0; (record = fanin_record_at(ctx, "op", i)); i++) {
        const struct fanin_op *op = (const struct fanin_op *)(const void *)record;
        for (int k = 0; k < op->n_cases; k++) {
            const struct fanin_case *c = &op->cases[k];
            const bool gone = op->flags & FANIN_OP_IDENTITY_EVAL;
            const int64_t in = test_shape(c->dims[0]).cols;
            fanin_net *net;
            struct told t;
            int node;
            if ((!op->fold && !gone) || c->n_in != 1 || in > 300) continue;
            assert_ok(ctx, fanin_net_create(&net, ctx));
            assert_ok(ctx,
                      fanin_net_input(net, &node, NULL, test_shape(c->dims[0]).rank, c->dims[0]));
            assert_ok(
                ctx, fanin_net_add(net, &node, record->name, NULL, &node, 1, c->attrs, c->n_attrs));
            node = add(ctx, net, "flatten", &node, 1, 0);
            node = add(ctx, net, "batch_norm", &node, 1, 0);
            add(ctx, net, "dense", &node, 1, 4);
            fanin_model *m = model_of(ctx, net);
            const int left = fold(ctx, m, &t);
            /* input, flatten, dense; and the record where it computes something */
            assert_int_equal(left, gone || (op->fold && op->fold->affine) ? 3 : 4);
            fanin_model_free(m);
        }
    }
    fanin_ctx_free(ctx);
}

int main(void) {
    struct CMUnitTest tests[] = {cmocka_unit_test(before_and_behind), cmocka_unit_test(graphs),
                                 cmocka_unit_test(no_overflow), cmocka_unit_test(every_record)};
    return test_main(tests);
}
