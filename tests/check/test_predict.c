/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prediction against measurement: deep nets on the digits, five seeds, forward and backward. The
 * logarithm of measured over predicted second moments stays within ±3 √(5 L / width) at layer L of
 * a net of that width: what random finite layers do on top of the theory.
 *
 * With FANIN_THEORY_TABLE set to a file the same nets are looked at in full (`make check-theory`):
 * width 1000, depth 30, 20 seeds; the table of it is docs/theory-check.md.
 */
#include <fanin/recipe.h>
#include <stdio.h>
#include <stdlib.h>

#include "check/predict.h"
#include "measure/measure.h"
#include "support/records.h"
#include "train/train.h"

#define BATCH 64
#define MAX_NODES 200

/* How large the nets are, and where the table goes. */
static int width = 256, depth = 10, seeds = 5;
static FILE *table;

struct net_figures {
    struct fanin_check_figures predicted[MAX_NODES], measured[MAX_NODES];
    char names[MAX_NODES][32];
    int n;
};

static void load_batch(void *arg, const struct fi_load *to) {
    int64_t index[BATCH];
    const struct fi_known known = {
        .labels = to->labels, .targets = to->targets->data, .ld = to->targets->ld};
    for (int64_t i = 0; i < to->n; i++) index[i] = to->first + i;
    if (to->x) fi_data_gather(arg, FANIN_TRAIN, index, to->n, to->x->data, to->x->ld);
    fi_data_gather_known(arg, FANIN_TRAIN, index, to->n, &known);
}

static void result_loss(void *trainer, const struct fanin_tensor *z,
                        const struct fanin_tensor *dz) {
    (void)fi_trainer_loss(trainer, z, dz);
}

/* One seed: adds its measured figures; the first also predicts. */
static void run_seed(struct net_figures *f, const fanin_recipe *recipe, fanin_model *model,
                     fanin_data *data, bool predict) {
    fanin_ctx *ctx = model->ctx;
    fanin_trainer *trainer;
    struct fanin_train_options options = *fanin_recipe_train(recipe);
    options.batch = BATCH;
    assert_ok(ctx, fi_trainer_create(&trainer, model, &options, true));
    const struct fi_batch batch = {.load = load_batch, .arg = data, .rows = BATCH};
    double loss;
    struct fi_arena gathered;
    struct fi_measure measure;
    fi_arena_init(&gathered, ctx);
    assert_ok(ctx, fi_measure_create(&measure, &gathered, model->net));
    assert_ok(ctx, fi_trainer_probe(trainer, &batch, &loss));
    fi_measure_begin(&measure, BATCH);
    fi_measure_add(&measure, trainer->exec);
    f->n = model->net->n_nodes;
    assert_true(f->n <= MAX_NODES);
    for (int i = 0; i < f->n; i++) {
        struct fanin_check_figures one;
        fi_measure_figures(&measure, i, &one);
        f->measured[i].mean += one.mean / seeds;
        f->measured[i].second += one.second / seeds;
        f->measured[i].cosine += one.cosine / seeds;
        f->measured[i].grad += one.grad / seeds;
        (void)snprintf(f->names[i], sizeof f->names[i], "%s", model->net->nodes[i].name);
    }
    fi_arena_free(&gathered);
    if (predict) {
        struct fi_arena arena;
        struct fi_prediction prediction;
        fi_arena_init(&arena, ctx);
        const struct fi_predict_source source = {.model = model,
                                                 .exec = trainer->exec,
                                                 .rows = BATCH,
                                                 .loss = result_loss,
                                                 .arg = trainer};
        assert_ok(ctx, fi_predict(&arena, &prediction, &source));
        for (int i = 0; i < f->n; i++) fi_predicted_node(&f->predicted[i], &prediction.nodes[i]);
        fi_arena_free(&arena);
    }
    fanin_trainer_free(trainer);
}

static void run_net(struct net_figures *f, fanin_ctx *ctx, const char *text) {
    memset(f, 0, sizeof *f);
    for (int seed = 1; seed <= seeds; seed++) {
        fanin_recipe *recipe;
        fanin_model *model;
        fanin_data *data;
        char set[32];
        (void)snprintf(set, sizeof set, "train.seed=%d", seed);
        const char *overrides[] = {set};
        assert_ok(ctx, fanin_recipe_parse(&recipe, ctx, "net", text, overrides, 1));
        assert_ok(ctx, fanin_data_load(&data, ctx, fanin_recipe_data(recipe)));
        assert_ok(ctx, fanin_recipe_model(&model, recipe, &data->tables[0].shape, 10, data));
        run_seed(f, recipe, model, data, seed == 1);
        fanin_model_free(model);
        fanin_data_free(data);
        fanin_recipe_free(recipe);
    }
}

static void show(const struct net_figures *f) {
    for (int i = 0; i < f->n; i++)
        print_message("%-14s mean %9.2e %9.2e  q %9.3e %9.3e  c %6.3f %6.3f  g %9.2e %9.2e\n",
                      f->names[i], f->predicted[i].mean, f->measured[i].mean,
                      f->predicted[i].second, f->measured[i].second, f->predicted[i].cosine,
                      f->measured[i].cosine, f->predicted[i].grad, f->measured[i].grad);
}

/* A line of the table: the worst of all nodes, and the last layer's and the first's. */
static void write_line(const struct net_figures *f, const char *what, double worst_forward,
                       double worst_backward, double band) {
    const struct fanin_check_figures *p = f->predicted, *m = f->measured;
    const int last = f->n - 2;
    if (!table) return;
    fprintf(table, "| %s | %.3g | %.3g | %.3g | %.3g | %.2f | %.2f | %.2f | %s |\n", what,
            sqrt(p[last].second), sqrt(m[last].second), sqrt(p[1].grad / p[f->n - 1].grad),
            sqrt(m[1].grad / m[f->n - 1].grad), worst_forward, worst_backward, band,
            worst_forward <= band && worst_backward <= band ? "yes" : "**no**");
    fflush(table);
}

/* layers: weights from the input to the result. */
static int compare(const struct net_figures *f, const char *what, double layers) {
    const double band = 3 * sqrt(5 * layers / width);
    double worst_forward = 0, worst_backward = 0;
    int wrong = 0;
    for (int i = 1; i < f->n; i++) {
        const double forward = log(f->measured[i].second / f->predicted[i].second);
        const double backward = log(f->measured[i].grad / f->predicted[i].grad);
        const bool ok =
            fabs(forward) <= band && (isnan(f->measured[i].grad) || fabs(backward) <= band);
        worst_forward = FI_MAX(worst_forward, fabs(forward));
        if (!isnan(backward)) worst_backward = FI_MAX(worst_backward, fabs(backward));
        if (!ok && wrong++ == 0)
            print_message("%s, %s: forward %.3f, backward %.3f beyond %.3f\n", what, f->names[i],
                          forward, backward, band);
    }
    write_line(f, what, worst_forward, worst_backward, band);
    if (getenv("SHOW")) show(f);
    return wrong;
}

static const char *const activations[] = {"tanh", "relu",    "leaky_relu", "gelu",
                                          "selu", "sigmoid", "softsign"};
static const char *const inits[] = {"xavier_heuristic", "xavier_normal", "kaiming_normal",
                                    "lecun_normal", "orthogonal"};

/* What the table says of itself. */
static void write_head(void) {
    fputs(
        "<!-- Written by `make check-theory`; do not edit. -->\n"
        "# Theory against measurement\n\n"
        "Nets of 1000 units a layer and 30 hidden layers on the embedded digits, batch of 64, as "
        "the "
        "test `check_predict` looks at them with 256 units and 10 layers. What `fanin check` "
        "predicts "
        "(`include/fanin/check.h`) stands beside the mean over 20 starts (3 for `orthogonal`, "
        "whose "
        "factorizations take minutes). *Signal* is the root of the second moment of the last "
        "hidden "
        "output, over units and samples. *Gradient* is the root of the second moment of a sample's "
        "gradient at the first pre-activation over that at the result. *Worst* is the largest "
        "|ln(measured / predicted)| of the second moments of all nodes, forward and backward; the "
        "band is 3 √(5 L / width) for a net with L layers of weights.\n\n"
        "| net | signal predicted | measured | gradient predicted | measured | worst forward | "
        "worst "
        "backward | band | inside |\n"
        "|---|---|---|---|---|---|---|---|---|\n",
        table);
}

static int try_net(fanin_ctx *ctx, const char *layers, const char *init) {
    static struct net_figures f;
    char text[1024], what[160];
    (void)snprintf(text, sizeof text,
                   "data: {reader: digits}\ninit: %s\nnet:\n  - dense: %d\n  - repeat: {times: %d, "
                   "net: [%s, dense: %d]}\n  - repeat: {times: 1, net: [%s]}\n  - dense: "
                   "10\ntrain: {allow_symmetric: true}\n",
                   init, width, depth - 1, layers, width, layers);
    (void)snprintf(what, sizeof what, "%s, %s", layers, init);
    const int all = seeds;
    if (table && strcmp(init, "orthogonal") == 0) seeds = 3; /* minutes of factorizations */
    run_net(&f, ctx, text);
    seeds = all;
    return compare(&f, what, depth + 1);
}

/* Branches of two layers. */
static int try_residual(fanin_ctx *ctx, const char *activation) {
    static struct net_figures f;
    char text[1024], what[160];
    (void)snprintf(text, sizeof text,
                   "data: {reader: digits}\ninit: xavier_normal\nnet:\n  - dense: %d\n  - repeat:\n"
                   "      times: %d\n      net: [%s, dense: %d, %s, {dense: %d, name: branch}, "
                   "{add: , from: [input, branch]}]\n  - dense: 10\n",
                   width, depth / 2, activation, width, activation, width);
    (void)snprintf(what, sizeof what, "residual, %s, xavier_normal", activation);
    run_net(&f, ctx, text);
    return compare(&f, what, depth + 2);
}

static void plain_and_dropout(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    int wrong = 0;
    /* sanitizers look for other things, slowly: a sample will do */
    const int step = getenv("FANIN_SANITIZE") ? 6 : 1;
    for (int a = 0; a < FI_COUNT(activations); a += step)
        for (int i = 0; i < FI_COUNT(inits); i += step) {
            char dropped[64];
            (void)snprintf(dropped, sizeof dropped, "%s, dropout: 0.5", activations[a]);
            wrong += try_net(ctx, activations[a], inits[i]) > 0;
            wrong += try_net(ctx, dropped, inits[i]) > 0;
        }
    fanin_ctx_free(ctx);
    assert_int_equal(wrong, 0);
}

static void batch_norm(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    int wrong = 0;
    const int step = getenv("FANIN_SANITIZE") ? 3 : 1;
    for (int a = 0; a < 3; a += step) {
        char layers[64];
        (void)snprintf(layers, sizeof layers, "batch_norm, %s", activations[a]);
        wrong += try_net(ctx, layers, "xavier_normal") > 0;
    }
    fanin_ctx_free(ctx);
    assert_int_equal(wrong, 0);
}

/* Normalization of samples, and residual branches with and without it. */
static void norms_and_branches(void **state) {
    (void)state;
    static const char *const kinds[] = {"layer_norm, %s", "rms_norm, %s", "group_norm: 4, %s"};
    fanin_ctx *ctx = test_ctx();
    int wrong = 0;
    const int step = getenv("FANIN_SANITIZE") ? 3 : 1;
    for (int a = 0; a < 3; a += step)
        for (int k = 0; k < FI_COUNT(kinds); k++) {
            char layers[64];
            (void)snprintf(layers, sizeof layers, kinds[k], activations[a]);
            wrong += try_net(ctx, layers, "xavier_normal") > 0;
        }
    for (int a = 0; a < 3; a += step) wrong += try_residual(ctx, activations[a]) > 0;
    fanin_ctx_free(ctx);
    assert_int_equal(wrong, 0);
}

/* Every other op with a law of its own. */
static void other_ops(void **state) {
    (void)state;
    if (table) return; /* the table is of activations, initializers, norms and branches */
    fanin_ctx *ctx = test_ctx();
    int wrong = 0;
    char normed[64], sliced[64], joined[192];
    (void)snprintf(normed, sizeof normed, "tanh, weight_norm: %d", width);
    (void)snprintf(sliced, sizeof sliced, "relu, slice: {start: 0, end: %d}", width / 2);
    (void)snprintf(joined, sizeof joined,
                   "tanh, {dense: %d, name: left}, {dense: %d, name: right, from: input}, "
                   "{concat: , from: [left, right]}",
                   width / 4, width / 2);
    const char *const layers[] = {"scale: 0.7, tanh",
                                  "relu, scale: {value: 1.3, per: channel}",
                                  "relu, scale: {value: -1.1, trainable: false}",
                                  "gaussian_noise: 0.5, tanh",
                                  "relu, gaussian_noise: 0.3",
                                  "selu, alpha_dropout: 0.1",
                                  "tanh, alpha_dropout: 0.4",
                                  "reshape: {shape: [-1]}, tanh",
                                  normed,
                                  sliced,
                                  joined};
    const int step = getenv("FANIN_SANITIZE") ? 6 : 1;
    for (int k = 0; k < FI_COUNT(layers); k += step)
        wrong += try_net(ctx, layers[k], "lecun_normal") > 0;
    fanin_ctx_free(ctx);
    assert_int_equal(wrong, 0);
}

int main(void) {
    const char *path = getenv("FANIN_THEORY_TABLE");
    if (path) {
        if (!(table = fopen(path, "w"))) return 1;
        write_head();
        width = 1000;
        depth = 30;
        seeds = 20;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_and_dropout), cmocka_unit_test(batch_norm),
        cmocka_unit_test(norms_and_branches), cmocka_unit_test(other_ops)};
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return table && fclose(table) ? 1 : failed;
}
