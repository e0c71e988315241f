/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Defects that starts of other libraries had, in whole nets, where a rule meets the layer it
 * starts: fans taken from the count of all parameters, a deviation used as the bound of a uniform
 * law, weights of one sign and units that all go the same way, random biases, one scale for all
 * layers, the same numbers drawn twice, and no gain for relu by default.
 */
#include <math.h>

#include "graph/graph.h"
#include "support/nets.h"

#define IN 784

/* Wide, narrow and wide again: no two layers have the same fans. */
static const int64_t widths[] = {100, 300, 40, 500, 60};
#define LAYERS FI_COUNT(widths)

/* Var[w] by hand, of what each rule says without attributes. */
static double by_hand(const char *rule, double in, double out) {
    static const struct {
        const char *rule;
        double scale, in, out; /* scale / (in fan_in + out fan_out) */
    } laws[] = {{"xavier_heuristic", 1.0 / 3, 1, 0}, {"xavier_uniform", 2, 1, 1},
                {"xavier_normal", 2, 1, 1},          {"kaiming_uniform", 2, 1, 0},
                {"kaiming_normal", 2, 1, 0},         {"lecun_uniform", 1, 1, 0},
                {"lecun_normal", 1, 1, 0},           {"variance_scaling", 1, 1, 0}};
    for (int i = 0; i < FI_COUNT(laws); i++)
        if (strcmp(laws[i].rule, rule) == 0)
            return laws[i].scale / (laws[i].in * in + laws[i].out * out);
    if (strcmp(rule, "orthogonal") == 0) return 1 / fmax(in, out);
    if (strcmp(rule, "normal") == 0 || strcmp(rule, "truncated_normal") == 0) return 0.05 * 0.05;
    if (strcmp(rule, "uniform") == 0) return 0.05 * 0.05 / 3;
    return NAN;
}

static fanin_model *started(fanin_ctx *ctx, const char *op, const char *activation,
                            const char *rule, uint64_t seed) {
    struct layer layers[2 * LAYERS];
    for (int i = 0; i < LAYERS; i++) {
        layers[2 * i] = (struct layer){op, (double)widths[i], NULL, 0};
        layers[2 * i + 1] = (struct layer){activation, 0, NULL, 0};
    }
    const struct fanin_model_options options = {
        .size = sizeof options, .loss = {.name = "mse"}, .seed = seed, .init = {rule, NULL, 0, 0}};
    fanin_model *model;
    assert_ok(ctx,
              fanin_model_create(&model, chain_net(ctx, IN, layers, 2 * LAYERS - 1), &options));
    return model;
}

static float *weights_of(const fanin_model *model, const char *op, int layer) {
    char name[60];
    const int64_t n = widths[layer] * (layer ? widths[layer - 1] : IN);
    float *w = malloc((size_t)n * sizeof *w);
    snprintf(name, sizeof name, "%s%d.%s", op, layer + 1,
             strcmp(op, "weight_norm") == 0 ? "weight_v" : "weight");
    assert_int_equal(fanin_model_get(model, name, w, n), FANIN_OK);
    return w;
}

/* The mean of |cosine| over pairs of neighbouring units: sqrt(2 / (pi in)) of independent ones. */
static double mean_cosine(const float *w, int64_t out, int64_t in) {
    double sum = 0;
    for (int64_t o = 0; o + 1 < out; o++) {
        double ab = 0, aa = 0, bb = 0;
        for (int64_t i = 0; i < in; i++) {
            const double a = (double)w[o * in + i], b = (double)w[(o + 1) * in + i];
            ab += a * b, aa += a * a, bb += b * b;
        }
        sum += fabs(ab) / sqrt(aa * bb);
    }
    return sum / (double)(out - 1);
}

static void check_layer(const char *rule, const char *op, const float *w, int64_t out, int64_t in) {
    const double n = (double)(in * out), variance = by_hand(rule, (double)in, (double)out);
    double mean = 0, squares = 0, above = 0;
    for (int64_t i = 0; i < in * out; i++) {
        mean += (double)w[i] / n;
        squares += (double)w[i] * (double)w[i] / n;
        above += w[i] > 0;
    }
    /* orthogonal numbers are more even than independent ones, so these bounds hold for them */
    if (!(fabs(squares / variance - 1) < 5 * sqrt(2 / n)))
        fail_msg("%s, %s (%d, %d): variance %g, not %g", rule, op, (int)out, (int)in, squares,
                 variance);
    if (!(fabs(mean) < 5 * sqrt(variance / n) && fabs(above - n / 2) < 2.5 * sqrt(n)))
        fail_msg("%s, %s (%d, %d): mean %g, %g of %g above 0", rule, op, (int)out, (int)in, mean,
                 above, n);
    const double cosine = mean_cosine(w, out, in);
    if (!(cosine < 1.5 * sqrt(2 / (3.14159265358979 * (double)in))))
        fail_msg("%s, %s (%d, %d): mean |cosine| between units %g", rule, op, (int)out, (int)in,
                 cosine);
}

static void fans_signs_and_directions(void **state) {
    (void)state;
    static const char *const ops[] = {"dense", "dropconnect", "weight_norm"};
    fanin_ctx *ctx = test_ctx();
    const struct fanin_record *record;
    int rules = 0;
    for (int i = 0; (record = fanin_record_at(ctx, "init", i)); i++) {
        if (isnan(by_hand(record->name, 1, 1))) continue;
        for (int k = 0; k < FI_COUNT(ops); k++) {
            fanin_model *model = started(ctx, ops[k], "tanh", record->name, 5);
            for (int l = 0; l < LAYERS; l++) {
                float *w = weights_of(model, ops[k], l);
                check_layer(record->name, ops[k], w, widths[l], l ? widths[l - 1] : IN);
                free(w);
            }
            fanin_model_free(model);
        }
        rules++;
    }
    assert_int_equal(rules, 12);
    fanin_ctx_free(ctx);
}

static void biases_start_at_zero(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    fanin_model *model = started(ctx, "dense", "tanh", NULL, 5);
    float b[500];
    for (int l = 0; l < LAYERS; l++) {
        char name[40];
        snprintf(name, sizeof name, "dense%d.bias", l + 1);
        assert_ok(ctx, fanin_model_get(model, name, b, widths[l]));
        for (int64_t i = 0; i < widths[l]; i++) assert_true(b[i] == 0);
    }
    fanin_model_free(model);
    fanin_ctx_free(ctx);
}

/* Two layers of one shape under one rule, and one layer under two seeds. */
static void no_numbers_twice(void **state) {
    (void)state;
    static const struct layer layers[] = {
        {"dense", 64}, {"relu"}, {"dense", 64}, {"relu"}, {"dense", 64}};
    fanin_ctx *ctx = test_ctx();
    static float w[4][64 * 64];
    for (int seed = 0; seed < 2; seed++) {
        const struct fanin_model_options options = {
            .size = sizeof options, .loss = {.name = "mse"}, .seed = (uint64_t)seed};
        fanin_model *model;
        assert_ok(ctx, fanin_model_create(&model, chain_net(ctx, 64, layers, 5), &options));
        assert_ok(ctx, fanin_model_get(model, "dense1.weight", w[2 * seed], 64 * 64));
        assert_ok(ctx, fanin_model_get(model, "dense2.weight", w[2 * seed + 1], 64 * 64));
        fanin_model_free(model);
    }
    for (int a = 0; a < 4; a++)
        for (int b = 0; b < a; b++) {
            double ab = 0, aa = 0, bb = 0;
            for (int i = 0; i < 64 * 64; i++) {
                ab += (double)w[a][i] * (double)w[b][i];
                aa += (double)w[a][i] * (double)w[a][i];
                bb += (double)w[b][i] * (double)w[b][i];
            }
            assert_true(fabs(ab / sqrt(aa * bb)) < 5.0 / 64);
        }
    fanin_ctx_free(ctx);
}

/* Ten layers of 256 with what they start by unasked: the second moment stays. Without a gain for
 * relu it would fall to 2^-10, with a third of the variance to 3^-10. */
static void relu_keeps_the_second_moment(void **state) {
    (void)state;
    enum { ROWS = 64, WIDTH = 256, SEEDS = 3 };
    static float x[ROWS * WIDTH], y[ROWS * WIDTH];
    struct layer layers[20];
    fanin_ctx *ctx = test_ctx();
    double log_ratio = 0;
    for (int i = 0; i < 20; i++)
        layers[i] =
            i % 2 ? (struct layer){"relu", 0, NULL, 0} : (struct layer){"dense", WIDTH, NULL, 0};
    for (uint64_t i = 0; i < ROWS * WIDTH; i++) {
        uint32_t u[4];
        fi_philox(9, 0, i, u);
        x[i] = (float)(3.4641016 * (fi_uniform53(u[0], u[1]) - 0.5));
    }
    for (int seed = 0; seed < SEEDS; seed++) {
        const struct fanin_model_options options = {
            .size = sizeof options, .loss = {.name = "mse"}, .seed = (uint64_t)seed};
        fanin_model *model;
        double in = 0, out = 0;
        assert_ok(ctx, fanin_model_create(&model, chain_net(ctx, WIDTH, layers, 20), &options));
        assert_ok(ctx, fanin_model_predict(model, x, ROWS, y));
        for (int i = 0; i < ROWS * WIDTH; i++) {
            in += (double)x[i] * (double)x[i];
            out += (double)y[i] * (double)y[i];
        }
        log_ratio += log(out / in) / SEEDS;
        fanin_model_free(model);
    }
    print_message("second moment behind ten layers: %.2f of what came in\n", exp(log_ratio));
    assert_true(fabs(log_ratio) < 0.8);
    fanin_ctx_free(ctx);
}

int main(void) {
    struct CMUnitTest tests[] = {
        cmocka_unit_test(fans_signs_and_directions), cmocka_unit_test(biases_start_at_zero),
        cmocka_unit_test(no_numbers_twice), cmocka_unit_test(relu_keeps_the_second_moment)};
    return test_main(tests);
}
