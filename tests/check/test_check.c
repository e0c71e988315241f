/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The check of nets whose figures are known: units that are tied, dead, saturated, constant or
 * almost tied because the test made them so, a linear model's curvature in closed form, the first
 * update of plain gradient descent, the loss of the best constant prediction; and that looking
 * changes nothing.
 */
#include <math.h>

#include "support/nets.h"

#define IN 6
#define ROWS 96
#define NONE NAN

struct bench {
    fanin_ctx *ctx;
    fanin_model *model;
    fanin_data *data;
    fanin_check *check;
    const struct fanin_check_result *result;
};

static struct bench open_bench(const struct layer *layers, int n, const char *loss,
                               fanin_data *(*make)(fanin_ctx *ctx)) {
    struct bench b = {.ctx = test_ctx()};
    const struct fanin_model_options options = {
        .size = sizeof options, .loss = {loss, NULL, 0, 0}, .seed = 3};
    b.data = make(b.ctx);
    assert_ok(b.ctx, fanin_model_create(&b.model, chain_net(b.ctx, IN, layers, n), &options));
    return b;
}

static void look_with(struct bench *b, const struct fanin_train_options *train,
                      const struct fanin_check_options *options) {
    fanin_check_free(b->check);
    assert_ok(b->ctx, fanin_model_check(&b->check, b->model, b->data, train, options));
    b->result = fanin_check_get(b->check);
}

static void look(struct bench *b) {
    static const struct fanin_check_options all = {.size = sizeof all, .batch = ROWS};
    look_with(b, NULL, &all);
}

static void close_bench(struct bench *b) {
    fanin_check_free(b->check);
    fanin_data_free(b->data);
    fanin_model_free(b->model);
    fanin_ctx_free(b->ctx);
}

static fanin_data *three_blobs(fanin_ctx *ctx) {
    return blob_data(ctx, ROWS, IN, 3);
}

static const struct fanin_check_layer *layer_of(const struct bench *b, const char *name) {
    for (int i = 0; i < b->result->n_layers; i++)
        if (strcmp(b->result->layers[i].name, name) == 0) return &b->result->layers[i];
    fail_msg("no layer %s", name);
    return NULL;
}

static const struct fanin_check_param *param_of(const struct bench *b, const char *name) {
    for (int i = 0; i < b->result->n_params; i++)
        if (strcmp(b->result->params[i].name, name) == 0) return &b->result->params[i];
    fail_msg("no parameter %s", name);
    return NULL;
}

/* How many, and the first of them. */
static void assert_units(const char *what, const struct fanin_check_few *few, int64_t count,
                         const int64_t *first) {
    if (few->count != count)
        fail_msg("%s: %lld, not %lld", what, (long long)few->count, (long long)count);
    for (int64_t i = 0; i < count && i < 4; i++)
        if (few->first[i] != first[i])
            fail_msg("%s: unit %lld, not %lld", what, (long long)few->first[i],
                     (long long)first[i]);
}

static void near_to(double value, double expected, double relative, const char *what) {
    if (!(fabs(value - expected) <= relative * fabs(expected)))
        fail_msg("%s: %.10g, not %.10g", what, value, expected);
}

static void set_at(struct bench *b, const char *param, int64_t at, float value) {
    const fanin_net *net = fanin_model_net(b->model);
    static float numbers[65536];
    for (int i = 0; i < fanin_net_params(net); i++) {
        struct fanin_param_info p;
        fanin_net_param(net, i, &p);
        if (strcmp(p.name, param) != 0) continue;
        assert_ok(b->ctx, fanin_model_get(b->model, param, numbers, p.count));
        numbers[at] = value;
        assert_ok(b->ctx, fanin_model_set(b->model, param, numbers, p.count));
        return;
    }
    fail_msg("no parameter %s", param);
}

/* ---- units ----------------------------------------------------------------------------------------- */

static void constant_start_is_tied(void **state) {
    (void)state;
    const struct layer layers[] = {
        {"dense", 7, "constant", 0.1}, {"relu", 0, NULL, NONE}, {"dense", 3, "constant", 0.1}};
    struct bench b = open_bench(layers, 3, NULL, three_blobs);
    look(&b);
    assert_units("tied", &layer_of(&b, "dense1")->tied, 7, (const int64_t[]){0, 1, 2, 3});
    assert_units("tied behind relu", &layer_of(&b, "relu1")->tied, 7,
                 (const int64_t[]){0, 1, 2, 3});
    assert_int_equal(layer_of(&b, "dense2")->tied.count, 0); /* targets part the results */
    assert_int_equal(layer_of(&b, "input1")->tied.count, 0);
    /* units that are tied are not told a second time */
    assert_int_equal(layer_of(&b, "dense1")->almost_tied.count, 0);
    assert_int_equal(b.result->verdict, FANIN_WILL_NOT_TRAIN);
    close_bench(&b);
}

static void flat_units(void **state) {
    (void)state;
    static const struct {
        const char *activation;
        float bias;
        int64_t dead, saturated;
    } cases[] = {{"relu", -100, 1, 0},      {"relu", 100, 0, 0},    {"tanh", 5, 0, 1},
                 {"tanh", 100, 0, 1},       {"sigmoid", -40, 0, 1}, {"leaky_relu", -100, 0, 0},
                 {"hard_tanh", -100, 0, 1}, {"relu6", 100, 0, 1},   {"relu6", -100, 1, 0},
                 {"elu", -100, 0, 1},       {"gelu", -100, 1, 0},   {"softsign", 1000, 0, 1}};
    for (int i = 0; i < (int)(sizeof cases / sizeof *cases); i++) {
        const struct layer layers[] = {{"dense", 8, "xavier_uniform", NONE},
                                       {cases[i].activation, 0, NULL, NONE},
                                       {"dense", 3, "xavier_uniform", NONE}};
        struct bench b = open_bench(layers, 3, NULL, three_blobs);
        char name[32];
        set_at(&b, "dense1.bias", 5, cases[i].bias);
        look(&b);
        (void)snprintf(name, sizeof name, "%s1", cases[i].activation);
        const struct fanin_check_layer *l = layer_of(&b, name);
        assert_units(name, &l->dead, cases[i].dead, (const int64_t[]){5});
        assert_units(name, &l->saturated, cases[i].saturated, (const int64_t[]){5});
        if (strcmp(name, "relu1") == 0) assert_int_equal(l->constant.count, cases[i].dead);
        close_bench(&b);
    }
}

/* Saturated on more than 95 % of the samples: one unit far out on all but every 16th. */
static void saturated_on_most(void **state) {
    (void)state;
    const struct layer layers[] = {
        {"dense", 2, "zeros", NONE}, {"tanh", 0, NULL, NONE}, {"dense", 3, "xavier_uniform", NONE}};
    for (int odd = 2; odd <= 6; odd += 4) { /* of 96 samples: 97.9 % and 93.7 % far out */
        struct bench b = open_bench(layers, 3, NULL, three_blobs);
        float x[ROWS * IN] = {0};
        int32_t labels[ROWS];
        for (int r = 0; r < ROWS; r++) {
            x[r * IN] = r < odd ? 0.1F * (float)(r + 1) : 10;
            x[r * IN + 1] = (float)r;
            labels[r] = r % 3;
        }
        fanin_data_free(b.data);
        assert_ok(b.ctx, fanin_data_from_arrays(&b.data, b.ctx, ROWS, IN, x, labels, 3, NULL, 0));
        set_at(&b, "dense1.weight", 0, 1);
        set_at(&b, "dense1.weight", IN + 1, 0.01F);
        look(&b);
        assert_units("saturated", &layer_of(&b, "tanh1")->saturated, odd == 2,
                     (const int64_t[]){0});
        close_bench(&b);
    }
}

static void constant_units(void **state) {
    (void)state;
    const struct layer layers[] = {{"dense", 8, "xavier_uniform", NONE},
                                   {"tanh", 0, NULL, NONE},
                                   {"dense", 3, "xavier_uniform", NONE}};
    struct bench b = open_bench(layers, 3, NULL, three_blobs);
    for (int i = 0; i < IN; i++) {
        set_at(&b, "dense1.weight", 2 * IN + i, 0); /* reads nothing */
        set_at(&b, "dense1.weight", 6 * IN + i, 0);
    }
    set_at(&b, "dense1.bias", 6, 0.7F);
    look(&b);
    assert_units("constant", &layer_of(&b, "dense1")->constant, 2, (const int64_t[]){2, 6});
    assert_units("constant", &layer_of(&b, "tanh1")->constant, 2, (const int64_t[]){2, 6});
    assert_int_equal(layer_of(&b, "dense2")->constant.count, 0);
    close_bench(&b);
}

/* Unit 11 is unit 4 but for a little, unit 20 its opposite; unit 17 is at cosine 0.995. */
static void almost_tied(void **state) {
    (void)state;
    const struct layer layers[] = {{"dense", 40, "xavier_uniform", NONE},
                                   {"relu", 0, NULL, NONE},
                                   {"dense", 30, "xavier_uniform", NONE},
                                   {"relu", 0, NULL, NONE},
                                   {"dense", 3, "xavier_uniform", NONE}};
    struct bench b = open_bench(layers, 5, NULL, three_blobs);
    float w[30 * 40];
    double size = 0, across = 0, along = 0;
    assert_ok(b.ctx, fanin_model_get(b.model, "dense2.weight", w, 30 * 40));
    for (int i = 0; i < 40; i++) {
        w[11 * 40 + i] = 3 * w[4 * 40 + i] + (i == 7 ? 0.01F : 0);
        w[20 * 40 + i] = -w[4 * 40 + i];
        size += (double)w[4 * 40 + i] * (double)w[4 * 40 + i];
        along += (double)w[4 * 40 + i] * (double)w[5 * 40 + i];
    }
    /* row 17 = row 4 and a part of row 5 that is orthogonal to it, at tangent 0.1 */
    for (int i = 0; i < 40; i++) {
        const double rest = (double)w[5 * 40 + i] - along / size * (double)w[4 * 40 + i];
        across += rest * rest;
    }
    for (int i = 0; i < 40; i++) {
        const double rest = (double)w[5 * 40 + i] - along / size * (double)w[4 * 40 + i];
        w[17 * 40 + i] = w[4 * 40 + i] + (float)(0.1 * sqrt(size / across) * rest);
    }
    assert_ok(b.ctx, fanin_model_set(b.model, "dense2.weight", w, 30 * 40));
    look(&b);
    assert_units("almost tied", &layer_of(&b, "dense2")->almost_tied, 3,
                 (const int64_t[]){4, 11, 20});
    assert_int_equal(layer_of(&b, "dense2")->tied.count, 0);
    assert_int_equal(layer_of(&b, "dense1")->almost_tied.count, 0);
    close_bench(&b);
}

/* ---- the start ------------------------------------------------------------------------------------- */

static float sample_x[ROWS * IN], sample_t[ROWS * 2]; /* as two_targets() left them */

static fanin_data *two_targets(fanin_ctx *ctx) {
    float *x = sample_x, *t = sample_t;
    fanin_data *data;
    for (int i = 0; i < ROWS * IN; i++) { /* one wide direction: the curvature has a gap */
        uint32_t w[4];
        fi_philox(5, 1, (uint64_t)i, w);
        x[i] = (float)((i % IN == 2 ? 6 : 2) * fi_uniform53(w[0], w[1]) - 1);
    }
    for (int r = 0; r < ROWS; r++) {
        t[2 * r] = x[r * IN] - 2 * x[r * IN + 3] + 5;
        t[2 * r + 1] = (float)(r % 7) * 0.1F;
    }
    assert_ok(ctx, fanin_data_from_arrays(&data, ctx, ROWS, IN, x, NULL, 0, t, 2));
    return data;
}

/* The largest eigenvalue of X̃ᵀX̃ / rows, X̃ the samples with a 1 behind: the Hessian of the mean
 * squared error of a linear model is this, once for each output, times 2 / outputs. */
static double largest_eigenvalue(void) {
    double h[IN + 1][IN + 1] = {{0}}, v[IN + 1], lambda = 0;
    for (int64_t r = 0; r < ROWS; r++) {
        double x[IN + 1];
        for (int i = 0; i < IN; i++) x[i] = (double)sample_x[r * IN + i];
        x[IN] = 1;
        for (int i = 0; i <= IN; i++)
            for (int k = 0; k <= IN; k++) h[i][k] += x[i] * x[k] / ROWS;
    }
    for (int i = 0; i <= IN; i++) v[i] = 1;
    for (int turn = 0; turn < 500; turn++) {
        double next[IN + 1], norm = 0;
        for (int i = 0; i <= IN; i++) {
            next[i] = 0;
            for (int k = 0; k <= IN; k++) next[i] += h[i][k] * v[k];
            norm += next[i] * next[i];
        }
        lambda = sqrt(norm);
        for (int i = 0; i <= IN; i++) v[i] = next[i] / lambda;
    }
    return lambda;
}

static void sharpness_of_a_linear_model(void **state) {
    (void)state;
    const struct layer layers[] = {{"dense", 2, "xavier_uniform", NONE}};
    const struct fanin_check_options options = {
        .size = sizeof options, .batch = ROWS, .sharpness = 1};
    struct bench b = open_bench(layers, 1, "mse", two_targets);
    look(&b);
    assert_true(isnan(b.result->sharpness)); /* not asked for */
    look_with(&b, NULL, &options);
    near_to(b.result->sharpness, 2.0 / 2 * largest_eigenvalue(), 2e-3, "sharpness");
    close_bench(&b);
}

/* Gradient descent without momentum and decay moves by lr times the gradient; Adam's first step is
 * lr in every number. */
static void first_update(void **state) {
    (void)state;
    const struct fanin_attr plain[] = {{.name = "lr", .number = 0.05},
                                       {.name = "momentum", .number = 0}};
    const struct fanin_attr rate[] = {{.name = "lr", .number = 0.001}};
    const struct layer layers[] = {{"dense", 9, "xavier_uniform", NONE},
                                   {"tanh", 0, NULL, NONE},
                                   {"dense", 3, "xavier_uniform", NONE}};
    const struct fanin_train_options sgd = {.size = sizeof sgd, .optim = {"sgd", plain, 2, 0}};
    const struct fanin_train_options adam = {.size = sizeof adam, .optim = {"adam", rate, 1, 0}};
    struct bench b = open_bench(layers, 3, NULL, three_blobs);
    look_with(&b, &sgd, NULL);
    near_to(b.result->lr, 0.05, 1e-12, "lr");
    double squares = 0;
    for (int i = 0; i < b.result->n_params; i++) {
        const struct fanin_check_param *p = &b.result->params[i];
        const int64_t counts[] = {9 * IN, 9, 27, 3};
        squares += p->grad_measured * p->grad_measured * (double)counts[i];
        if (strstr(p->name, "weight")) /* biases are 0: no ratio */
            near_to(p->update, 0.05 * p->grad_measured / p->rms, 1e-3, p->name);
        else
            assert_true(isnan(p->update));
    }
    near_to(b.result->grad_norm, sqrt(squares), 1e-6, "gradient norm");
    look_with(&b, &adam, NULL);
    near_to(param_of(&b, "dense1.weight")->update, 0.001 / param_of(&b, "dense1.weight")->rms, 1e-3,
            "Adam");
    close_bench(&b);
}

/* ---- the loss that needs no net -------------------------------------------------------------------- */

/* Labels 0, 0, 0, 1, 0, 0, 0, 2, …: 72, 12 and 12 of 96. */
static fanin_data *unequal_classes(fanin_ctx *ctx) {
    float x[ROWS * IN];
    int32_t labels[ROWS];
    fanin_data *data;
    for (int i = 0; i < ROWS * IN; i++) x[i] = (float)(i % 11) - 5;
    for (int r = 0; r < ROWS; r++) labels[r] = r % 4 < 3 ? 0 : 1 + r / 4 % 2;
    assert_ok(ctx, fanin_data_from_arrays(&data, ctx, ROWS, IN, x, labels, 3, NULL, 0));
    return data;
}

static void known_losses(void **state) {
    (void)state;
    const struct layer layers[] = {{"dense", 3, NULL, NONE}}, values[] = {{"dense", 2, NULL, NONE}};
    struct bench b = open_bench(layers, 1, NULL, three_blobs);
    look(&b);
    near_to(b.result->loss_known, log(3), 1e-6, "equal classes");
    close_bench(&b);
    b = open_bench(layers, 1, NULL, unequal_classes);
    look(&b);
    near_to(b.result->loss_known, -0.75 * log(0.75) - 0.25 * log(0.125), 1e-6, "entropy");
    close_bench(&b);
    b = open_bench(values, 1, "mse", two_targets);
    look(&b);
    double variance = 0;
    for (int k = 0; k < 2; k++) {
        double sum = 0, squares = 0;
        for (int64_t r = 0; r < ROWS; r++) {
            const double t = (double)sample_t[2 * r + k];
            sum += t / ROWS;
            squares += t * t / ROWS;
        }
        variance += (squares - sum * sum) / 2;
    }
    near_to(b.result->loss_known, variance, 1e-5, "variance of the targets");
    close_bench(&b);
}

/* ---- looking --------------------------------------------------------------------------------------- */

static void nothing_changes(void **state) {
    (void)state;
    const struct layer layers[] = {{"dense", 9, NULL, NONE},       {"batch_norm", 0, NULL, NONE},
                                   {"relu", 0, NULL, NONE},        {"dropout", 0.5, NULL, NONE},
                                   {"weight_norm", 9, NULL, NONE}, {"tanh", 0, NULL, NONE},
                                   {"dense", 3, NULL, NONE}};
    const struct fanin_check_options options = {
        .size = sizeof options, .batch = ROWS, .sharpness = 1};
    struct bench b = open_bench(layers, 7, NULL, three_blobs);
    const uint64_t before = params_hash(b.model);
    look_with(&b, NULL, &options);
    assert_true(params_hash(b.model) == before);
    const double loss = b.result->loss, sharpness = b.result->sharpness;
    look_with(&b, NULL, &options);
    assert_true(b.result->loss == loss && b.result->sharpness == sharpness);
    close_bench(&b);
}

static void how_many_samples(void **state) {
    (void)state;
    static const struct {
        int64_t asked, batch, looked_at; /* 0: refused */
    } cases[] = {{0, 0, ROWS}, {0, 32, 32}, {40, 32, 40}, {256, 0, ROWS}, {257, 0, 0}, {-1, 0, 0}};
    const struct layer layers[] = {{"dense", 3, NULL, NONE}};
    struct bench b = open_bench(layers, 1, NULL, three_blobs);
    for (int i = 0; i < (int)(sizeof cases / sizeof *cases); i++) {
        const struct fanin_train_options train = {.size = sizeof train, .batch = cases[i].batch};
        const struct fanin_check_options options = {.size = sizeof options,
                                                    .batch = cases[i].asked};
        if (cases[i].looked_at > 0) {
            look_with(&b, &train, &options);
            assert_int_equal(b.result->batch, cases[i].looked_at);
        } else {
            fanin_check *none;
            assert_refused(b.ctx, FANIN_ERR_ARGUMENT, "up to 256 samples",
                           fanin_model_check(&none, b.model, b.data, &train, &options));
            assert_null(none);
        }
    }
    close_bench(&b);
}

/* What is the data's own is not predicted; layers are counted by their weights. */
static void layers_of_a_chain(void **state) {
    (void)state;
    static const struct {
        const char *name;
        int depth, anew;
    } expected[] = {
        {"input1", 0, 1}, {"tanh1", 0, 1}, {"dense1", 1, 0}, {"relu1", 1, 0}, {"dense2", 2, 0}};
    const struct layer layers[] = {{"tanh", 0, NULL, NONE},
                                   {"dense", 16, NULL, NONE},
                                   {"relu", 0, NULL, NONE},
                                   {"dense", 3, NULL, NONE}};
    struct bench b = open_bench(layers, 4, NULL, three_blobs);
    look(&b);
    assert_int_equal(b.result->n_layers, 5);
    for (int i = 0; i < 5; i++) {
        const struct fanin_check_layer *l = &b.result->layers[i];
        assert_string_equal(l->name, expected[i].name);
        assert_int_equal(l->depth, expected[i].depth);
        assert_int_equal(l->begun_anew, expected[i].anew);
        int64_t counted = 0;
        for (int k = 0; k < FANIN_CHECK_BINS; k++) counted += l->values.counts[k];
        assert_int_equal(counted, ROWS * l->shape.cols);
        assert_true(isnan(l->spread.second)); /* of one start there is none */
    }
    near_to(layer_of(&b, "relu1")->chi, 0.5, 1e-2, "chi of relu");
    assert_int_equal(b.result->seeds, 1);
    close_bench(&b);
}

/* relu under He's rule and tanh under LeCun's are critical; below it ξ is -1 / ln of what n Var(w)
 * is, above it what another program found by iterating the maps of q and of the correlation. Noise
 * or a norm beside the activation leaves no depth scale, nor does the result have one. */
static void depth_scales(void **state) {
    (void)state;
    static const struct {
        const char *init, *activation, *behind;
        double xi; /* NaN: none; by the trapezoid rule */
    } cases[] = {{"kaiming_normal", "relu", "flatten", INFINITY},
                 {"lecun_normal", "tanh", "flatten", INFINITY},
                 {"xavier_heuristic", "tanh", "flatten", 0.9102392266},
                 {"kaiming_normal", "tanh", "flatten", 21.72366597},
                 {"lecun_normal", "tanh", "dropout", 1.3528505901},
                 {"lecun_normal", "tanh", "batch_norm", NAN},
                 {"lecun_normal", "prelu", "flatten", NAN}};
    for (int i = 0; i < (int)(sizeof cases / sizeof *cases); i++) {
        const struct layer layers[] = {{"dense", 64, cases[i].init, NONE},
                                       {cases[i].activation, 0, NULL, NONE},
                                       {cases[i].behind, 0, NULL, NONE},
                                       {"dense", 3, "lecun_normal", NONE}};
        struct bench b = open_bench(layers, 4, NULL, three_blobs);
        look(&b);
        const double xi = layer_of(&b, "dense1")->xi;
        if (isnan(cases[i].xi) ? !isnan(xi)
                               : !(xi == cases[i].xi || fabs(xi / cases[i].xi - 1) < 1e-8))
            fail_msg("case %d: %.9g", i, xi);
        assert_true(isnan(layer_of(&b, "dense2")->xi));
        close_bench(&b);
    }
}

/* ---- findings that no recipe reaches --------------------------------------------------------------- */

static fanin_data *one_class(fanin_ctx *ctx) {
    float x[ROWS * IN];
    int32_t labels[ROWS];
    fanin_data *data;
    for (int i = 0; i < ROWS * IN; i++) x[i] = (float)((i * 37) % 11) / 5 - 1;
    for (int i = 0; i < ROWS; i++) labels[i] = 1;
    assert_ok(ctx, fanin_data_from_arrays(&data, ctx, ROWS, IN, x, labels, 3, NULL, 0));
    return data;
}

static const struct fanin_check_finding *finding_of(const struct bench *b, const char *name) {
    for (int i = 0; i < b->result->n_findings; i++)
        if (strcmp(b->result->findings[i].name, name) == 0) return &b->result->findings[i];
    return NULL;
}

static void nothing_to_learn(void **state) {
    (void)state;
    static const struct layer layers[] = {{"dense", 8}, {"tanh", 0}, {"dense", 3}};
    struct bench b = open_bench(layers, 3, "softmax_cross_entropy", one_class);
    look(&b);
    assert_non_null(finding_of(&b, "constant_labels"));
    assert_int_equal(b.result->verdict, FANIN_WILL_NOT_TRAIN);
    close_bench(&b);
    b = open_bench(layers, 3, "softmax_cross_entropy", three_blobs);
    look(&b);
    assert_null(finding_of(&b, "constant_labels"));
    close_bench(&b);
}

int main(void) {
    struct CMUnitTest tests[] = {cmocka_unit_test(constant_start_is_tied),
                                 cmocka_unit_test(flat_units),
                                 cmocka_unit_test(saturated_on_most),
                                 cmocka_unit_test(constant_units),
                                 cmocka_unit_test(almost_tied),
                                 cmocka_unit_test(sharpness_of_a_linear_model),
                                 cmocka_unit_test(first_update),
                                 cmocka_unit_test(known_losses),
                                 cmocka_unit_test(nothing_changes),
                                 cmocka_unit_test(how_many_samples),
                                 cmocka_unit_test(layers_of_a_chain),
                                 cmocka_unit_test(depth_scales),
                                 cmocka_unit_test(nothing_to_learn)};
    return test_main(tests);
}
