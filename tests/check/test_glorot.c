/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The figures of Glorot & Bengio (2010), section 4.2.1, for tanh nets of five hidden layers of 1000
 * on MNIST (pixels / 255, not centred): with the older rule the activations shrink by 1/√3 a layer
 * and the gradients on the way back; with the normalized one both hold. As predicted and as
 * measured, to 3 %, against the figures of a program of its own on the first training images.
 */
#include <math.h>

#include "data/data.h"
#include "support/nets.h"

#define SAMPLES 256 /* as many as a check takes */
#define PIXELS 784

/* The first images as rows of pixels / 255. */
static fanin_data *first_images(fanin_ctx *ctx, const char *dir) {
    const struct fanin_data_options options = {.size = sizeof options,
                                               .dir = dir,
                                               .train = "train-images-idx3-ubyte.gz",
                                               .train_labels = "train-labels-idx1-ubyte.gz",
                                               .normalize = "none"};
    static float x[SAMPLES * PIXELS];
    static int32_t y[SAMPLES];
    int64_t index[SAMPLES];
    fanin_data *all, *some;
    assert_ok(ctx, fanin_data_load(&all, ctx, &options));
    for (int64_t i = 0; i < SAMPLES; i++) index[i] = i;
    fi_data_gather(all, FANIN_TRAIN, index, SAMPLES, x, PIXELS);
    const struct fi_known known = {.labels = y};
    fi_data_gather_known(all, FANIN_TRAIN, index, SAMPLES, &known);
    for (int i = 0; i < SAMPLES * PIXELS; i++) x[i] /= 255;
    fanin_data_free(all);
    assert_ok(ctx, fanin_data_from_arrays(&some, ctx, SAMPLES, PIXELS, x, y, 10, NULL, 0));
    return some;
}

static void near_to(const char *what, int layer, double value, double expected) {
    if (!(fabs(value / expected - 1) <= 0.03))
        fail_msg("%s %d: %.4g, not %.4g", what, layer, value, expected);
}

static double std_of(const struct fanin_check_figures *f) {
    return sqrt(f->second - f->mean * f->mean);
}

static void activations_and_gradients(void **state) {
    (void)state;
    static const struct {
        const char *init;
        double std[5], back; /* of the gradient at the first layer over the last */
    } rules[] = {{"xavier_heuristic", {.181, .103, .059, .034, .0198}, .106},
                 {"xavier_uniform", {.280, .259, .243, .232, .219}, .78}};
    char dir[512];
    if (!data_path(dir, sizeof dir, "mnist")) skip_test("no MNIST (FANIN_DATA_DIR)");
    fanin_ctx *ctx = test_ctx();
    fanin_data *data = first_images(ctx, dir);
    const int n_rules = getenv("FANIN_SANITIZE") ? 1 : 2;
    for (int k = 0; k < n_rules; k++) {
        struct layer layers[11];
        const struct fanin_check_options options = {.size = sizeof options, .batch = SAMPLES};
        fanin_model *model;
        fanin_check *check;
        for (int i = 0; i < 5; i++) {
            layers[2 * i] = (struct layer){"dense", 1000, rules[k].init, NAN};
            layers[2 * i + 1] = (struct layer){"tanh", 0, NULL, NAN};
        }
        layers[10] = (struct layer){"dense", 10, rules[k].init, NAN};
        const struct fanin_model_options start = {.size = sizeof start, .seed = 1};
        assert_ok(ctx, fanin_model_create(&model, chain_net(ctx, PIXELS, layers, 11), &start));
        assert_ok(ctx, fanin_model_check(&check, model, data, NULL, &options));
        const struct fanin_check_layer *l = fanin_check_get(check)->layers; /* input1, dense1, … */
        for (int i = 0; i < 5; i++) {
            near_to("predicted std of layer", i + 1, std_of(&l[2 * i + 2].predicted),
                    rules[k].std[i]);
            near_to("measured std of layer", i + 1, std_of(&l[2 * i + 2].measured),
                    rules[k].std[i]);
        }
        near_to("predicted gradient", 1, sqrt(l[1].predicted.grad / l[9].predicted.grad),
                rules[k].back);
        near_to("measured gradient", 1, sqrt(l[1].measured.grad / l[9].measured.grad),
                rules[k].back);
        fanin_check_free(check);
        fanin_model_free(model);
    }
    fanin_data_free(data);
    fanin_ctx_free(ctx);
}

int main(void) {
    struct CMUnitTest tests[] = {cmocka_unit_test(activations_and_gradients)};
    return test_main(tests);
}
