/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Averages of the weights: against torch.optim.swa_utils (tests/golden/training.txt, written by
 * tools/golden/training.py), against the weights of runs that end earlier, and what becomes of
 * batch statistics.
 */
#include "data/data.h"
#include "golden/lines.h"
#include "support/nets.h"
#include "support/records.h"

enum { N = 7 };

/* ---- records ------------------------------------------------------------------------------------ */

static struct fanin_rule_ref average_of(struct fi_arena *arena, const char *name, char *words) {
    struct fanin_attr attrs[4] = {0};
    int n = 0;
    for (char *word = words; (word = strtok(word, " \n")); word = NULL) {
        char *value = strchr(word, '=');
        assert_non_null(value);
        *value++ = 0;
        attrs[n].name = word;
        if (value[0] >= 'a')
            attrs[n++].text = value;
        else
            attrs[n++].number = strtod(value, NULL);
    }
    return test_rule(arena, "average", name, attrs, n);
}

static void golden(void **state) {
    (void)state;
    int cases = 0;
    FOR_EACH_TIER(ctx, 1) {
        FILE *file = golden_open("training.txt");
        struct fi_arena arena;
        fi_arena_init(&arena, ctx);
        const struct fi_average *average = NULL;
        struct fanin_rule_ref ref = {0};
        fi_real a[N] = {0}, w[N];
        int64_t n = 0;
        for (char *word; (word = golden_next(file));) {
            double numbers[N];
            if (strcmp(word, "average") == 0) {
                const char *name = strtok(NULL, " \n");
                ref = average_of(&arena, name, NULL);
                average = (const struct fi_average *)(const void *)ref.record;
                n = 0, cases++;
            } else if (strcmp(word, "trained") == 0) {
                golden_numbers(numbers, N);
                for (int i = 0; i < N; i++) w[i] = (fi_real)numbers[i];
                const double weight = average->weight(ref.attrs, n);
                if (n++ == 0) memcpy(a, w, sizeof a);
                ctx->kernels->blend(a, (fi_real)weight, w, N);
            } else if (strcmp(word, "averaged") == 0) {
                golden_numbers(numbers, N);
                for (int i = 0; i < N; i++)
                    if (!(fabs((double)a[i] - numbers[i]) <= 1e-5 + 1.3e-6 * fabs(numbers[i])))
                        fail_msg("%s, contribution %d: %.9g, not %.9g", average->head.name, (int)n,
                                 (double)a[i], numbers[i]);
            }
        }
        fclose(file);
        fi_arena_free(&arena);
    }
    assert_true(cases >= 3);
}

/* The weights that the contributions have in the end sum to 1 and are what the formula says. */
static void weights_of_contributions(void **state) {
    (void)state;
    char bias[] = "decay=0.9", ramp[] = "decay=0.9 correction=ramp";
    fanin_ctx *ctx = test_ctx();
    struct fi_arena arena;
    fi_arena_init(&arena, ctx);
    const struct fanin_rule_ref b = average_of(&arena, "ema", bias),
                                r = average_of(&arena, "ema", ramp);
    const struct fi_average *ema = (const struct fi_average *)(const void *)b.record;
    double share[20] = {0};
    for (int64_t n = 0; n < 20; n++) {
        const double weight = ema->weight(b.attrs, n);
        for (int64_t i = 0; i < n; i++) share[i] *= 1 - weight;
        share[n] = weight;
        assert_true(fabs(ema->weight(r.attrs, n) -
                         (n ? fmax(0.1, 1 - (1 + (double)n) / (10 + (double)n)) : 1)) < 1e-15);
    }
    for (int64_t i = 0; i < 20; i++) /* as an average that began at 0, divided by 1 - d^20 */
        assert_true(fabs(share[i] - 0.1 * pow(0.9, 19 - (double)i) / (1 - pow(0.9, 20))) < 1e-14);
    fi_arena_free(&arena);
    fanin_ctx_free(ctx);
}

/* ---- runs ----------------------------------------------------------------------------------------- */

static const struct layer layers[] = {{"batch_norm"}, {"dense", 20}, {"tanh"}, {"dense", 3}};

/* The constant schedule makes epochs the same in runs of any length. */
static fanin_model *trained(fanin_ctx *ctx, const fanin_data *data, int64_t epochs,
                            const struct fanin_rule *average) {
    const struct fanin_model_options options = {.size = sizeof options, .seed = 4, .data = data};
    struct fanin_train_options train = {
        .size = sizeof train, .epochs = epochs, .batch = 32, .seed = 4};
    fanin_model *model;
    if (average) train.average = *average;
    assert_ok(ctx, fanin_model_create(&model, chain_net(ctx, 6, layers, 4), &options));
    assert_ok(ctx, fanin_train(model, data, &train));
    return model;
}

static void get(const fanin_model *model, const char *name, double *sum, int n) {
    float values[128];
    assert_int_equal(fanin_model_get(model, name, values, n), FANIN_OK);
    for (int i = 0; i < n; i++) sum[i] += (double)values[i];
}

/* swa from epoch 2 to 5 is the mean of what runs of 3, 4 and 5 epochs end with. */
static void mean_of_runs(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    fanin_data *data = blob_data(ctx, 150, 6, 3);
    const struct fanin_attr start = {.name = "start", .number = 2};
    const struct fanin_rule swa = {"swa", &start, 1, 0};
    double want[120] = {0}, got[120] = {0};
    fanin_model *model;
    for (int64_t epochs = 3; epochs <= 5; epochs++) {
        model = trained(ctx, data, epochs, NULL);
        get(model, "dense1.weight", want, 120);
        fanin_model_free(model);
    }
    model = trained(ctx, data, 5, &swa);
    get(model, "dense1.weight", got, 120);
    for (int i = 0; i < 120; i++) assert_true(fabs(got[i] - want[i] / 3) < 1e-6);
    fanin_model_free(model);
    fanin_data_free(data);
    fanin_ctx_free(ctx);
}

/* The first layer is a norm of the data: with any average its statistics are the data's, to the
 * last bits, and not those of the last batches. */
static void statistics_are_taken_anew(void **state) {
    (void)state;
    enum { ROWS = 150, IN = 6 };
    fanin_ctx *ctx = test_ctx();
    fanin_data *data = blob_data(ctx, ROWS, IN, 3);
    const struct fanin_record *record;
    double mean[IN] = {0}, var[IN] = {0};
    float x[IN];
    for (int pass = 0; pass < 2; pass++)
        for (int64_t r = 0; r < ROWS; r++) {
            fi_data_gather(data, FANIN_TRAIN, &r, 1, x, IN);
            for (int i = 0; i < IN; i++)
                if (pass == 0)
                    mean[i] += (double)x[i] / ROWS;
                else
                    var[i] += ((double)x[i] - mean[i]) * ((double)x[i] - mean[i]) / (ROWS - 1);
        }
    for (int k = 0; (record = fanin_record_at(ctx, "average", k)); k++) {
        const struct fanin_rule rule = {record->name, NULL, 0, 0};
        fanin_model *model = trained(ctx, data, 4, &rule);
        double m[IN] = {0}, v[IN] = {0};
        get(model, "batch_norm1.running_mean", m, IN);
        get(model, "batch_norm1.running_var", v, IN);
        for (int i = 0; i < IN; i++) {
            assert_true(fabs(m[i] - mean[i]) < 1e-6);
            assert_true(fabs(v[i] / var[i] - 1) < 1e-6);
        }
        fanin_model_free(model);
    }
    fanin_data_free(data);
    fanin_ctx_free(ctx);
}

static void too_late(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    fanin_data *data = blob_data(ctx, 150, 6, 3);
    const struct fanin_model_options options = {.size = sizeof options, .data = data};
    const struct fanin_attr start = {.name = "start", .number = 5};
    const struct fanin_train_options train = {
        .size = sizeof train, .epochs = 5, .average = {"swa", &start, 1, 0}};
    fanin_model *model;
    assert_ok(ctx, fanin_model_create(&model, chain_net(ctx, 6, layers, 4), &options));
    assert_refused(ctx, FANIN_ERR_RECIPE, "lower its start", fanin_train(model, data, &train));
    fanin_model_free(model);
    fanin_data_free(data);
    fanin_ctx_free(ctx);
}

int main(void) {
    struct CMUnitTest tests[] = {
        cmocka_unit_test(golden), cmocka_unit_test(weights_of_contributions),
        cmocka_unit_test(mean_of_runs), cmocka_unit_test(statistics_are_taken_anew),
        cmocka_unit_test(too_late)};
    return test_main(tests);
}
