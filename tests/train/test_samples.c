/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What samples count in the mean of the loss, and mixtures of samples: weights against repeated
 * samples, shards, rows that do not count, mixup against its definition, the numbers of Beta.
 */
#include <math.h>
#include <stdio.h>

#include "support/nets.h"
#include "support/records.h"
#include "train/train.h"

enum { ROWS = 24, IN = 7, CLASSES = 4 };

static float x[ROWS * IN], soft[ROWS * CLASSES];
static int32_t labels[ROWS];

static int make_samples(void **state) {
    (void)state;
    for (int i = 0; i < ROWS * IN; i++) x[i] = (float)test_normal(1, i);
    for (int r = 0; r < ROWS; r++) {
        double sum = 0;
        labels[r] = (r * 7 + r / 3) % CLASSES;
        for (int c = 0; c < CLASSES; c++) sum += test_uniform(2, r * CLASSES + c);
        for (int c = 0; c < CLASSES; c++)
            soft[r * CLASSES + c] = (float)(test_uniform(2, r * CLASSES + c) / sum);
    }
    return 0;
}

static fanin_model *make_model(fanin_ctx *ctx, const char *loss, const struct fanin_attr *attrs,
                               int n_attrs) {
    static const struct layer layers[] = {{"dense", 9}, {"tanh"}, {"dense", CLASSES}};
    const struct fanin_model_options options = {
        .size = sizeof options, .seed = 3, .loss = {loss, attrs, n_attrs, 0}};
    fanin_model *model;
    assert_ok(ctx, fanin_model_create(&model, chain_net(ctx, IN, layers, 3), &options));
    return model;
}

static fanin_trainer *make_trainer(fanin_model *model, int64_t shards, double mixup) {
    static const struct fanin_attr sgd[] = {{.name = "lr", .number = 0.5},
                                            {.name = "momentum", .number = 0}},
                                   beta = {.number = 0.2};
    static const struct fanin_rule penalty = {"confidence_penalty", &beta, 1, 0};
    const struct fanin_train_options options = {.size = sizeof options,
                                                .optim = {"sgd", sgd, 2, 0},
                                                .regularize = &penalty,
                                                .n_regularize = model->loss->entropy != NULL,
                                                .batch = ROWS,
                                                .seed = 9,
                                                .shards = shards,
                                                .mixup = mixup};
    fanin_trainer *t;
    assert_ok(model->ctx, fanin_trainer_create(&t, model, &options));
    return t;
}

struct outcome {
    double loss;
    float weight[9 * IN];
};

static struct outcome one_step(const char *loss, const struct fanin_attr *attrs, int n_attrs,
                               const struct fanin_batch *batch, int64_t shards) {
    fanin_ctx *ctx = test_ctx();
    struct outcome out;
    fanin_model *model = make_model(ctx, loss, attrs, n_attrs);
    fanin_trainer *t = make_trainer(model, shards, 0);
    assert_ok(ctx, fanin_trainer_run(t, batch, &out.loss));
    assert_ok(ctx, fanin_model_get(model, "dense1.weight", out.weight, 9 * IN));
    fanin_trainer_free(t);
    fanin_model_free(model);
    fanin_ctx_free(ctx);
    return out;
}

static void assert_same(const struct outcome *a, const struct outcome *b) {
    assert_true(fabs(a->loss - b->loss) < 1e-6);
    for (int i = 0; i < 9 * IN; i++) assert_true(fabsf(a->weight[i] - b->weight[i]) < 2e-6F);
}

/* Samples of weight 2 are as if they came twice, samples of weight 0 as if they did not come. */
static void weights_are_repetitions(void **state) {
    (void)state;
    static const char *const losses[] = {"softmax_cross_entropy", "kl_divergence",
                                         "sigmoid_cross_entropy", "mse", "huber"};
    float many[ROWS * IN], targets[ROWS * CLASSES], weights[12];
    int32_t their[ROWS];
    int n = 0;
    for (int r = 0; r < 12; r++) {
        weights[r] = (float)(r % 3);
        for (int k = 0; k < r % 3; k++, n++) {
            memcpy(many + n * IN, x + r * IN, IN * sizeof *x);
            memcpy(targets + n * CLASSES, soft + r * CLASSES, CLASSES * sizeof *soft);
            their[n] = labels[r];
        }
    }
    for (int i = 0; i < FI_COUNT(losses) + 1; i++) {
        const bool classes = i == FI_COUNT(losses); /* cross-entropy again, from labels */
        const struct fanin_batch once = {.size = sizeof once,
                                         .n = 12,
                                         .x = x,
                                         .labels = classes ? labels : NULL,
                                         .targets = classes ? NULL : soft,
                                         .weights = weights},
                                 repeated = {.size = sizeof repeated,
                                             .n = n,
                                             .x = many,
                                             .labels = classes ? their : NULL,
                                             .targets = classes ? NULL : targets};
        const char *loss = losses[classes ? 0 : i];
        const struct outcome a = one_step(loss, NULL, 0, &once, 1),
                             b = one_step(loss, NULL, 0, &repeated, 1);
        assert_same(&a, &b);
    }
}

/* A shard knows what the whole batch counts: any number of shards gives the same step. */
static void shards_share_the_mean(void **state) {
    (void)state;
    static const double by_class[CLASSES] = {0.5, 3, 0.25, 1};
    const struct fanin_attr attrs[] = {
        {.name = "class_weights", .list = by_class, .n_list = CLASSES},
        {.name = "ignore_index", .number = 3},
        {.name = "label_smoothing", .number = 0.1}};
    float weights[ROWS];
    for (int r = 0; r < ROWS; r++) weights[r] = r < 6 ? 0 : (float)test_uniform(4, r);
    const struct fanin_batch batch = {
        .size = sizeof batch, .n = ROWS, .x = x, .labels = labels, .weights = weights};
    const struct outcome whole = one_step("softmax_cross_entropy", attrs, 3, &batch, 1);
    for (int64_t shards = 2; shards <= 8; shards *= 2) {
        const struct outcome split = one_step("softmax_cross_entropy", attrs, 3, &batch, shards);
        assert_same(&whole, &split);
    }
    /* an ignored row is as if it had no weight */
    for (int r = 0; r < ROWS; r++) weights[r] *= labels[r] != 3;
    const struct outcome none = one_step("softmax_cross_entropy", attrs, 3, &batch, 4);
    assert_same(&whole, &none);
}

static void nothing_counts(void **state) {
    (void)state;
    int32_t unknown[ROWS];
    const struct fanin_attr ignore = {.name = "ignore_index", .number = -100};
    const struct fanin_batch batch = {.size = sizeof batch, .n = ROWS, .x = x, .labels = unknown};
    float before[9 * IN];
    fanin_ctx *ctx = test_ctx();
    for (int r = 0; r < ROWS; r++) unknown[r] = -100;
    fanin_model *model = make_model(ctx, "softmax_cross_entropy", &ignore, 1);
    assert_ok(ctx, fanin_model_get(model, "dense1.weight", before, 9 * IN));
    const struct outcome out = one_step("softmax_cross_entropy", &ignore, 1, &batch, 2);
    assert_true(out.loss == 0 && memcmp(out.weight, before, sizeof before) == 0);
    fanin_trainer *t = make_trainer(model, 1, 0);
    double loss;
    unknown[5] = -1; /* only the label that is to be ignored may be none of the classes */
    assert_refused(ctx, FANIN_ERR_ARGUMENT, "label -1 of sample 5",
                   fanin_trainer_run(t, &batch, &loss));
    fanin_trainer_free(t);
    fanin_model_free(model);
    fanin_ctx_free(ctx);
}

static void refusals(void **state) {
    (void)state;
    static const struct {
        const char *loss, *part;
        float target, weight;
    } bad[] = {{"kl_divergence", "sum to", 0.9F, 1},
               {"softmax_cross_entropy", "sum to", 0.9F, 1},
               {"softmax_cross_entropy", "numbers from 0 to 1", -0.5F, 1},
               {"sigmoid_cross_entropy", "numbers from 0 to 1", 1.5F, 1},
               {"mse", "finite", NAN, 1},
               {"mse", "weight of sample 0", 1, -1},
               {"mae", "weight of sample 0", 1, INFINITY}};
    fanin_ctx *ctx = test_ctx();
    for (int i = 0; i < FI_COUNT(bad); i++) {
        float target[CLASSES] = {bad[i].target, 0.5F};
        fanin_model *model = make_model(ctx, bad[i].loss, NULL, 0);
        fanin_trainer *t = make_trainer(model, 1, 0);
        const struct fanin_batch batch = {
            .size = sizeof batch, .n = 1, .x = x, .targets = target, .weights = &bad[i].weight};
        assert_refused(ctx, FANIN_ERR_ARGUMENT, bad[i].part, fanin_trainer_run(t, &batch, NULL));
        fanin_trainer_free(t);
        fanin_model_free(model);
    }
    const struct fanin_attr two = {
        .name = "class_weights", .list = (const double[]){1, 2}, .n_list = 2};
    const struct fanin_attr word = {.name = "class_weights", .text = "balanced"};
    static const struct layer layer = {"dense", CLASSES};
    for (int i = 0; i < 2; i++) {
        const struct fanin_model_options options = {
            .size = sizeof options, .loss = {"softmax_cross_entropy", i ? &word : &two, 1, 0}};
        fanin_model *model;
        assert_refused(ctx, FANIN_ERR_RECIPE, i ? "training data" : "2 weights, but there are 4",
                       fanin_model_create(&model, chain_net(ctx, IN, &layer, 1), &options));
    }
    fanin_ctx_free(ctx);
}

/* One odd number among many, wherever it stands, is found and named. */
static void odd_ones(void **state) {
    (void)state;
    static const int32_t bad_labels[] = {-1, CLASSES, INT32_MIN, INT32_MAX};
    static const float bad_targets[] = {NAN, INFINITY, -INFINITY};
    fanin_ctx *ctx = test_ctx();
    fanin_model *classes = make_model(ctx, "softmax_cross_entropy", NULL, 0);
    fanin_model *values = make_model(ctx, "mse", NULL, 0);
    fanin_trainer *by_class = make_trainer(classes, 1, 0), *by_value = make_trainer(values, 1, 0);
    for (int r = 0; r < ROWS; r++) {
        char what[64];
        (void)snprintf(what, sizeof what, "of sample %d", r);
        for (int i = 0; i < FI_COUNT(bad_labels); i++) {
            const int32_t kept = labels[r];
            labels[r] = bad_labels[i];
            assert_refused(ctx, FANIN_ERR_ARGUMENT, what,
                           fanin_trainer_step(by_class, x, ROWS, labels, NULL, NULL));
            labels[r] = kept;
        }
        for (int i = 0; i < FI_COUNT(bad_targets); i++) {
            float *one = &soft[r * CLASSES + r % CLASSES];
            const float kept = *one;
            *one = bad_targets[i];
            assert_refused(ctx, FANIN_ERR_ARGUMENT, what,
                           fanin_trainer_step(by_value, x, ROWS, NULL, soft, NULL));
            *one = kept;
        }
    }
    assert_ok(ctx, fanin_trainer_step(by_class, x, ROWS, labels, NULL, NULL));
    assert_ok(ctx, fanin_trainer_step(by_value, x, ROWS, NULL, soft, NULL));
    fanin_trainer_free(by_class);
    fanin_trainer_free(by_value);
    fanin_model_free(classes);
    fanin_model_free(values);
    fanin_ctx_free(ctx);
}

/* Rows of one number, of several, and such as fill their stride, whole and by shards: the loss of
 * y = Σ x with targets far away tells the samples apart. */
static void samples_arrive(void **state) {
    (void)state;
    static const int64_t widths[] = {1, 5, 16, 21};
    static const struct fanin_attr ones = {.number = 1}, none = {.name = "lr", .number = 0};
    static const struct fanin_rule constant = {"constant", &ones, 1, 0};
    for (int i = 0; i < FI_COUNT(widths); i++)
        for (int64_t shards = 1; shards <= 4; shards *= 4) {
            enum { N = 8 };
            const struct layer sum = {"dense", 1};
            const struct fanin_model_options options = {
                .size = sizeof options, .init = constant, .loss = {"mse", NULL, 0, 0}};
            const struct fanin_train_options train = {.size = sizeof train,
                                                      .optim = {"sgd", &none, 1, 0},
                                                      .batch = N,
                                                      .shards = shards,
                                                      .allow_symmetric = 1};
            float in[N * 21], target[N];
            double want = 0, loss;
            fanin_ctx *ctx = test_ctx();
            fanin_model *model;
            fanin_trainer *t;
            for (int k = 0; k < N * 21; k++) in[k] = (float)(k * k % 13);
            for (int r = 0; r < N; r++) {
                double error = -100.0 * r;
                target[r] = (float)(100 * r);
                for (int c = 0; c < widths[i]; c++) error += (double)in[r * widths[i] + c];
                want += error * error / N;
            }
            assert_ok(ctx,
                      fanin_model_create(&model, chain_net(ctx, widths[i], &sum, 1), &options));
            assert_ok(ctx, fanin_trainer_create(&t, model, &train));
            assert_ok(ctx, fanin_trainer_step(t, in, N, NULL, target, &loss));
            assert_true(fabs(loss - want) < 1e-6 * want);
            fanin_trainer_free(t);
            fanin_model_free(model);
            fanin_ctx_free(ctx);
        }
}

/* N / (K n_k) from the training part; kept in the attributes. */
static void balanced_weights(void **state) {
    (void)state;
    static const int32_t own[10] = {0, 0, 0, 0, 0, 1, 1, 3, 3, 3};
    const struct fanin_attr word = {.name = "class_weights", .text = "balanced"};
    static const struct layer layer = {"dense", CLASSES};
    fanin_ctx *ctx = test_ctx();
    fanin_data *data;
    fanin_model *model;
    assert_ok(ctx, fanin_data_from_arrays(&data, ctx, 10, IN, x, own, CLASSES, NULL, 0));
    const struct fanin_model_options options = {
        .size = sizeof options, .data = data, .loss = {"softmax_cross_entropy", &word, 1, 0}};
    assert_ok(ctx, fanin_model_create(&model, chain_net(ctx, IN, &layer, 1), &options));
    static const double want[CLASSES] = {10.0 / 15, 10.0 / 6, 1,
                                         10.0 / 9}; /* class 2: never seen */
    for (int32_t c = 0; c < CLASSES; c++) {
        const struct fi_truth truth = {.labels = &c};
        assert_true(fabs(model->loss->share(model->loss_attrs, &truth, 0) - want[c]) < 1e-12);
    }
    fanin_model_free(model);
    fanin_data_free(data);
    fanin_ctx_free(ctx);
}

/* ---- mixup ----------------------------------------------------------------------------------------- */

/* The step's own inputs, and its loss as the loss of the mixed targets. */
static void check_mixture(const char *name, bool classes) {
    fanin_ctx *ctx = test_ctx();
    struct fi_arena arena;
    fi_arena_init(&arena, ctx);
    fanin_model *model = make_model(ctx, name, NULL, 0);
    fanin_trainer *t = make_trainer(model, 1, 0.7);
    const struct fanin_batch batch = {.size = sizeof batch,
                                      .n = ROWS,
                                      .x = x,
                                      .labels = classes ? labels : NULL,
                                      .targets = classes ? NULL : soft};
    const struct fanin_tensor target = test_tensor(&arena, ROWS, CLASSES);
    double factor = -1;
    for (int step = 0; step < 3; step++) {
        double loss, h[ROWS], terms = 0;
        int moved = 0, seen[ROWS] = {0};
        assert_ok(ctx, fanin_trainer_run(t, &batch, &loss));
        assert_true(t->mixup.factor != factor && t->mixup.factor > 0 && t->mixup.factor < 1);
        factor = t->mixup.factor;
        for (int r = 0; r < ROWS; r++) {
            const int64_t with = t->mixup.order[r];
            moved += with != r;
            seen[with]++;
            for (int i = 0; i < IN; i++) {
                const double want =
                    factor * (double)x[r * IN + i] + (1 - factor) * (double)x[with * IN + i];
                assert_true(fabs((double)*test_at(&t->exec->x, r, i) - want) < 1e-6);
            }
            for (int c = 0; c < CLASSES; c++) {
                const double own = classes ? labels[r] == c : (double)soft[r * CLASSES + c];
                const double other = classes ? labels[with] == c : (double)soft[with * CLASSES + c];
                *test_at(&target, r, c) = (fi_real)(factor * own + (1 - factor) * other);
            }
        }
        for (int r = 0; r < ROWS; r++) assert_int_equal(seen[r], 1); /* a permutation */
        assert_true(moved > ROWS / 2);
        const struct fanin_tensor *z = &t->exec->y[fi_net_result(model->net)];
        const struct fi_truth truth = {.target = &target};
        const double want = model->loss->run(model->loss_attrs, z, &truth, NULL, 1);
        if (model->loss->entropy) {
            model->loss->entropy(model->loss_attrs, z, h, NULL, NULL, 0);
            for (int r = 0; r < ROWS; r++) terms -= 0.2 * h[r];
        }
        assert_true(fabs(loss - (want + terms) / ROWS) < 1e-5);
    }
    fanin_trainer_free(t);
    fanin_model_free(model);
    fi_arena_free(&arena);
    fanin_ctx_free(ctx);
}

static void mixtures(void **state) {
    (void)state;
    check_mixture("softmax_cross_entropy", true);
    check_mixture("softmax_cross_entropy", false);
    check_mixture("sigmoid_cross_entropy", false);
    check_mixture("kl_divergence", false);
    check_mixture("mse", false);
    check_mixture("mae", false);
}

/* Shards see the same pairs and the same factor. */
static void mixtures_over_shards(void **state) {
    (void)state;
    float weight[2][9 * IN];
    for (int k = 0; k < 2; k++) {
        fanin_ctx *ctx = test_ctx();
        fanin_model *model = make_model(ctx, "softmax_cross_entropy", NULL, 0);
        fanin_trainer *t = make_trainer(model, k ? 8 : 1, 0.4);
        for (int i = 0; i < 5; i++)
            assert_ok(ctx, fanin_trainer_step(t, x, ROWS, labels, NULL, NULL));
        assert_ok(ctx, fanin_model_get(model, "dense1.weight", weight[k], 9 * IN));
        fanin_trainer_free(t);
        fanin_model_free(model);
        fanin_ctx_free(ctx);
    }
    for (int i = 0; i < 9 * IN; i++) assert_true(fabsf(weight[0][i] - weight[1][i]) < 1e-5F);
}

/* Mean 1/2, variance 1 / (4 (2 a + 1)), kurtosis 3 (2 a + 1) / (2 a + 3); 1 - λ is as likely as λ.
 */
static void beta_numbers(void **state) {
    (void)state;
    static const double alphas[] = {0.05, 0.2, 0.4, 1, 2, 8};
    enum { DRAWS = 20000 };
    uint64_t expected = 0;
    FOR_EACH_TIER(ctx, 1) {
        uint64_t hash = 1;
        for (int k = 0; k < FI_COUNT(alphas); k++) {
            const double a = alphas[k], variance = 1 / (4 * (2 * a + 1));
            const double kurtosis = 3 * (2 * a + 1) / (2 * a + 3);
            double sum = 0, squares = 0, below = 0;
            for (int i = 0; i < DRAWS; i++) {
                const double f = ctx->kernels->random_beta(77, (uint64_t)i, a);
                uint64_t bits;
                assert_true(f >= 0 && f <= 1);
                sum += f - 0.5;
                squares += (f - 0.5) * (f - 0.5);
                below += f < 0.1;
                memcpy(&bits, &f, sizeof bits);
                hash = fi_hash_mix(hash, bits);
            }
            assert_true(fabs(sum / DRAWS) < 4 * sqrt(variance / DRAWS));
            assert_true(fabs(squares / DRAWS / variance - 1) < 4 * sqrt((kurtosis - 1) / DRAWS));
            if (a == 1) assert_true(fabs(below / DRAWS - 0.1) < 4 * sqrt(0.09 / DRAWS));
            if (a == 2) assert_true(fabs(below / DRAWS - 0.028) < 4 * sqrt(0.0272 / DRAWS));
        }
        if (!expected) expected = hash;
        assert_true(hash == expected);
    }
}

static struct CMUnitTest tests[] = {cmocka_unit_test(weights_are_repetitions),
                                    cmocka_unit_test(shards_share_the_mean),
                                    cmocka_unit_test(nothing_counts),
                                    cmocka_unit_test(refusals),
                                    cmocka_unit_test(odd_ones),
                                    cmocka_unit_test(samples_arrive),
                                    cmocka_unit_test(balanced_weights),
                                    cmocka_unit_test(mixtures),
                                    cmocka_unit_test(mixtures_over_shards),
                                    cmocka_unit_test(beta_numbers)};

int main(void) {
    make_samples(NULL);
    return test_main(tests);
}
