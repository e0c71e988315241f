/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clipping against torch.nn.utils: the section "linear" and after of tests/golden/training.txt,
 * written by tools/golden/training.py. A linear layer makes one step of size 1 on the mean squared
 * error, so its weights show the clipped gradient. PyTorch divides by norm + 1e-6, we by the norm:
 * within rtol 1.3e-6, atol 1e-5.
 */
#include "golden/lines.h"
#include "support/nets.h"
#include "support/records.h"

enum { ROWS = 4, IN = 5, OUT = 3 };

struct problem {
    float x[ROWS * IN], target[ROWS * OUT], weight[OUT * IN], bias[OUT];
};

static void floats(FILE *file, const char *word, float *out, int64_t n) {
    double values[64];
    golden_line(file, word);
    golden_numbers(values, n);
    for (int64_t i = 0; i < n; i++) out[i] = (float)values[i];
}

static void compare(const fanin_model *model, const char *param, const double *want, int64_t n) {
    float got[OUT * IN];
    assert_int_equal(fanin_model_get(model, param, got, n), FANIN_OK);
    for (int64_t i = 0; i < n; i++)
        if (!(fabs((double)got[i] - want[i]) <= 1e-5 + 1.3e-6 * fabs(want[i])))
            fail_msg("%s[%d]: %.9g, not %.9g", param, (int)i, (double)got[i], want[i]);
}

/* One step; shards: gradients that are collected and summed are clipped alike. */
static void run(fanin_ctx *ctx, const struct problem *p, double value, double norm, int64_t shards,
                const double *weight, const double *bias) {
    static const struct layer layers[] = {{"dense", OUT}};
    const struct fanin_attr rate = {.number = 1};
    const struct fanin_model_options options = {.size = sizeof options, .loss = {.name = "mse"}};
    const struct fanin_train_options train = {.size = sizeof train,
                                              .optim = {"sgd", &rate, 1, 0},
                                              .batch = ROWS,
                                              .shards = shards,
                                              .clip_value = value,
                                              .clip_norm = norm};
    fanin_model *model;
    fanin_trainer *trainer;
    assert_ok(ctx, fanin_model_create(&model, chain_net(ctx, IN, layers, 1), &options));
    assert_ok(ctx, fanin_model_set(model, "dense1.weight", p->weight, OUT * IN));
    assert_ok(ctx, fanin_model_set(model, "dense1.bias", p->bias, OUT));
    assert_ok(ctx, fanin_trainer_create(&trainer, model, &train));
    assert_ok(ctx, fanin_trainer_step(trainer, p->x, ROWS, NULL, p->target, NULL));
    compare(model, "dense1.weight", weight, OUT * IN);
    compare(model, "dense1.bias", bias, OUT);
    fanin_trainer_free(trainer);
    fanin_model_free(model);
}

static void clipping(void **state) {
    (void)state;
    int cases = 0;
    FOR_EACH_TIER(ctx, 1) {
        FILE *file = golden_open("training.txt");
        struct problem p;
        double clip[2], weight[OUT * IN], bias[OUT];
        const char *word = golden_next(file);
        while (word && strcmp(word, "linear") != 0) word = golden_next(file);
        assert_non_null(word);
        for (int i = 0; i < ROWS * IN; i++) p.x[i] = (float)strtod(strtok(NULL, " \n"), NULL);
        floats(file, "target", p.target, ROWS * OUT);
        floats(file, "start_weight", p.weight, OUT * IN);
        floats(file, "start_bias", p.bias, OUT);
        for (; (word = golden_next(file)) && strcmp(word, "clip") == 0; cases++) {
            golden_numbers(clip, 2);
            golden_line(file, "clipped_weight"), golden_numbers(weight, OUT * IN);
            golden_line(file, "clipped_bias"), golden_numbers(bias, OUT);
            for (int64_t shards = 1; shards <= 2; shards++)
                run(ctx, &p, clip[0], clip[1], shards, weight, bias);
        }
        fclose(file);
    }
    assert_true(cases >= 5);
}

int main(void) {
    struct CMUnitTest tests[] = {cmocka_unit_test(clipping)};
    return test_main(tests);
}
