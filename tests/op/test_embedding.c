/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Embedding beyond its gradient: which rows a step touches, the same bits on all ways a gradient
 * can take, how tables start, and that what is no index is refused with its place.
 */
#include <math.h>

#include "graph/graph.h"
#include "support/nets.h"

enum { ROWS = 200, COLS = 4, FIRST = 9, SECOND = 40, DIM = 5 };

static const double both[] = {FIRST, SECOND}, at[] = {1, 3};

/* Two columns of indexes among four; the rows above `most` of the second table never come. */
static fanin_data *index_data(fanin_ctx *ctx, int most, float odd, int64_t place) {
    static float x[ROWS * COLS];
    static int32_t labels[ROWS];
    fanin_data *data;
    for (int64_t i = 0; i < ROWS * COLS; i++) {
        uint32_t w[4];
        fi_philox(5, 1, (uint64_t)i, w);
        const int64_t column = i % COLS;
        const uint32_t below = column == 1 ? FIRST : (uint32_t)most;
        x[i] = column % 2 ? (float)(w[0] % below) : (float)fi_uniform53(w[1], w[2]);
        labels[i / COLS] = (int32_t)(w[3] % 3);
    }
    if (place >= 0) x[place] = odd;
    assert_ok(ctx, fanin_data_from_arrays(&data, ctx, ROWS, COLS, x, labels, 3, NULL, 0));
    return data;
}

static fanin_model *index_model(fanin_ctx *ctx, bool unknown, const char *init,
                                const fanin_data *data) {
    const struct fanin_rule rule = {.name = init};
    const struct fanin_attr attrs[] = {{.number = DIM},
                                       {.name = "vocabulary", .list = both, .n_list = 2},
                                       {.name = "columns", .list = at, .n_list = 2},
                                       {.name = "unknown", .number = unknown},
                                       {.name = "init", .rule = &rule}};
    const struct fanin_model_options options = {.size = sizeof options, .seed = 11, .data = data};
    const int64_t in = COLS;
    fanin_net *net;
    fanin_model *model;
    int node;
    assert_ok(ctx, fanin_net_create(&net, ctx));
    assert_ok(ctx, fanin_net_input(net, &node, NULL, 1, &in));
    assert_ok(ctx, fanin_net_add(net, &node, "embedding", NULL, &node, 1, attrs, init ? 5 : 4));
    node = add_layer(ctx, net, node, &(struct layer){.op = "dense", .number = 13});
    node = add_layer(ctx, net, node, &(struct layer){.op = "tanh"});
    (void)add_layer(ctx, net, node, &(struct layer){.op = "dense", .number = 3});
    assert_ok(ctx, fanin_model_create(&model, net, &options));
    return model;
}

static float *table_of(const fanin_model *model) {
    float *w = malloc((FIRST + SECOND) * DIM * sizeof(*w));
    if (fanin_model_get(model, "embedding1.weight", w, (FIRST + SECOND) * DIM))
        fail_msg("no table");
    return w;
}

static const struct fanin_attr strength = {.number = 1e-2};
static const struct fanin_rule terms[] = {{"weight_decay", &strength, 1, 0},
                                          {"l2", &strength, 1, 0}};

static void train(fanin_ctx *ctx, fanin_model *model, const fanin_data *data, double clip,
                  int64_t shards) {
    const struct fanin_train_options options = {.size = sizeof options,
                                                .optim = {"adamw", NULL, 0, 0},
                                                .regularize = terms,
                                                .n_regularize = FI_COUNT(terms),
                                                .epochs = 4,
                                                .batch = 16,
                                                .shards = shards,
                                                .clip_norm = clip,
                                                .seed = 3};
    assert_ok(ctx, fanin_train(model, data, &options));
}

/* Fused into the backward pass, or collected (a clip that never clips); threads and tiers. */
static void same_bits_on_all_ways(void **state) {
    (void)state;
    static const char *const tiers[] = {NULL, "portable", "avx2", "avx512"};
    uint64_t expected[2] = {0, 0};
    for (int tier = 0; tier < FI_COUNT(tiers); tier++)
        for (int threads = 1; threads <= 3; threads += 2)
            for (int way = 0; way < 3; way++) {
                fanin_ctx *ctx = test_ctx_on(threads, tiers[tier]);
                if (!ctx) continue; /* this processor lacks the tier */
                fanin_data *data = index_data(ctx, SECOND, 0, -1);
                fanin_model *model = index_model(ctx, false, NULL, data);
                train(ctx, model, data, way == 1 ? 1e30 : 0, way == 2 ? 4 : 1);
                const uint64_t hash = params_hash(model);
                uint64_t *first = &expected[way == 2]; /* shards sum in another order */
                if (!*first) *first = hash;
                if (hash != *first)
                    fail_msg("tier %d, %d threads, way %d: other bits", tier, threads, way);
                fanin_model_free(model);
                fanin_data_free(data);
                fanin_ctx_free(ctx);
            }
}

/* Rows that never come are left alone by momentum, decay and penalties; the others all move. */
static void only_used_rows_move(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    for (int way = 0; way < 2; way++) {
        fanin_data *data = index_data(ctx, 20, 0, -1);
        fanin_model *model = index_model(ctx, false, NULL, data);
        float *before = table_of(model);
        train(ctx, model, data, way ? 1e30 : 0, 1);
        float *after = table_of(model);
        for (int64_t i = 0; i < (FIRST + SECOND) * DIM; i++) {
            const bool used = i / DIM < FIRST + 20;
            if ((before[i] != after[i]) != used)
                fail_msg("way %d: row %lld %s", way, (long long)(i / DIM),
                         used ? "does not move" : "moves");
        }
        free(before);
        free(after);
        fanin_model_free(model);
        fanin_data_free(data);
    }
    fanin_ctx_free(ctx);
}

/* A row by index: columns that are embedded first, the others behind them in their order. */
static void rows_and_columns(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    const int64_t in = COLS;
    const struct fanin_attr attrs[] = {{.number = DIM},
                                       {.name = "vocabulary", .list = both, .n_list = 2},
                                       {.name = "columns", .list = at, .n_list = 2}};
    const float x[COLS] = {7.5f, 8, -2.5f, 39};
    float y[2 * DIM + 2];
    fanin_net *net;
    fanin_model *model;
    int node;
    assert_ok(ctx, fanin_net_create(&net, ctx));
    assert_ok(ctx, fanin_net_input(net, &node, NULL, 1, &in));
    assert_ok(ctx, fanin_net_add(net, &node, "embedding", NULL, &node, 1, attrs, 3));
    const struct fanin_model_options options = {.size = sizeof options,
                                                .loss = {"mse", NULL, 0, 0}};
    assert_ok(ctx, fanin_model_create(&model, net, &options));
    assert_ok(ctx, fanin_model_predict(model, x, 1, y));
    float *w = table_of(model);
    assert_memory_equal(y, w + 8 * DIM, DIM * sizeof(float));
    assert_memory_equal(y + DIM, w + (FIRST + 39) * DIM, DIM * sizeof(float));
    assert_true(y[2 * DIM] == 7.5f && y[2 * DIM + 1] == -2.5f);
    free(w);
    fanin_model_free(model);
    fanin_ctx_free(ctx);
}

static void unknown_starts_at_zero(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    fanin_model *model = index_model(ctx, true, NULL, NULL);
    float *w = table_of(model);
    for (int64_t i = 0; i < (FIRST + SECOND) * DIM; i++)
        assert_true((w[i] == 0) == (i / DIM == 0 || i / DIM == FIRST));
    free(w);
    fanin_model_free(model);
    fanin_ctx_free(ctx);
}

/* Every rule's promise by shape: fan_in is 1, as one row is picked, fan_out the width of a row. */
static void starts_by_shape(void **state) {
    (void)state;
    static const int64_t shapes[][2] = {{1000, 1}, {31, 640}, {5000, 16}, {3, 4096}};
    static const struct {
        const char *init;
        double kurtosis;
    } rules[] = {{NULL, 3}, {"kaiming_normal", 3}, {"xavier_uniform", 1.8}};
    fanin_ctx *ctx = test_ctx();
    for (int s = 0; s < FI_COUNT(shapes); s++)
        for (int k = 0; k < FI_COUNT(rules); k++) {
            const double rows = (double)shapes[s][0], dim = (double)shapes[s][1], n = rows * dim;
            const struct fanin_rule rule = {.name = rules[k].init};
            const struct fanin_attr attrs[] = {{.number = dim},
                                               {.name = "vocabulary", .list = &rows, .n_list = 1},
                                               {.name = "init", .rule = &rule}};
            const struct fanin_model_options options = {
                .size = sizeof options, .loss = {"mse", NULL, 0, 0}, .seed = 8};
            const int64_t one = 1;
            fanin_net *net;
            fanin_model *model;
            int node;
            assert_ok(ctx, fanin_net_create(&net, ctx));
            assert_ok(ctx, fanin_net_input(net, &node, NULL, 1, &one));
            assert_ok(ctx, fanin_net_add(net, &node, "embedding", NULL, &node, 1, attrs,
                                         rule.name ? 3 : 2));
            assert_ok(ctx, fanin_model_create(&model, net, &options));
            float *w = malloc((size_t)n * sizeof(*w));
            assert_ok(ctx, fanin_model_get(model, "embedding1.weight", w, (int64_t)n));
            double mean = 0, variance = 0;
            for (int64_t i = 0; i < (int64_t)n; i++) mean += (double)w[i] / n;
            for (int64_t i = 0; i < (int64_t)n; i++)
                variance += ((double)w[i] - mean) * ((double)w[i] - mean) / n;
            const double want = k == 0 ? 1 : k == 1 ? 2 : 2 / (1 + dim);
            const double z = mean / sqrt(want / n);
            const double z2 = (variance / want - 1) / sqrt((rules[k].kurtosis - 1) / n);
            if (!(fabs(z) < 5 && fabs(z2) < 5))
                fail_msg("%s (%g, %g): mean %g, variance %g, expected %g",
                         rule.name ? rule.name : "default", rows, dim, mean, variance, want);
            free(w);
            fanin_model_free(model);
        }
    fanin_ctx_free(ctx);
}

static void what_is_no_index(void **state) {
    (void)state;
    static const struct {
        float value;
        int64_t place;
        const char *says;
    } bad[] = {{FIRST, 5, "sample 1, input 1: 9 is no index for embedding1"},
               {-1, 5, "whole numbers from 0 to 8"},
               {2.5f, 7, "2.5 is no index"},
               {SECOND, 799, "sample 199, input 3"}};
    fanin_ctx *ctx = test_ctx();
    for (int i = 0; i < FI_COUNT(bad); i++) {
        fanin_data *data = index_data(ctx, SECOND, bad[i].value, bad[i].place);
        fanin_model *model = index_model(ctx, false, NULL, data);
        const struct fanin_train_options options = {.size = sizeof options, .epochs = 1};
        assert_refused(ctx, FANIN_ERR_DATA, bad[i].says, fanin_train(model, data, &options));
        float y[3];
        const float x[COLS] = {0, 3, 0, i == 3 ? NAN : 40.5f};
        assert_refused(ctx, FANIN_ERR_DATA, "sample 0, input 3",
                       fanin_model_predict(model, x, 1, y));
        const struct fanin_train_options step = {.size = sizeof step, .batch = 1};
        const int32_t label = 0;
        fanin_trainer *trainer;
        assert_ok(ctx, fanin_trainer_create(&trainer, model, &step));
        assert_refused(ctx, FANIN_ERR_DATA, "sample 0, input 3",
                       fanin_trainer_step(trainer, x, 1, &label, NULL, NULL));
        fanin_trainer_free(trainer);
        fanin_model_free(model);
        fanin_data_free(data);
    }
    fanin_ctx_free(ctx);
}

/* Half of two indexes is none. */
static void mixup_is_refused(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    fanin_model *model = index_model(ctx, false, NULL, NULL);
    const struct fanin_train_options options = {.size = sizeof options, .batch = 8, .mixup = 0.2};
    fanin_trainer *trainer;
    assert_refused(ctx, FANIN_ERR_RECIPE, "input 1 is an index, which embedding1 reads",
                   fanin_trainer_create(&trainer, model, &options));
    fanin_model_free(model);
    fanin_ctx_free(ctx);
}

static void tied_tables_are_refused(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    fanin_data *data = index_data(ctx, SECOND, 0, -1);
    const struct fanin_rule zeros = {.name = "zeros"};
    const struct fanin_attr attrs[] = {{.number = DIM},
                                       {.name = "vocabulary", .list = both, .n_list = 2},
                                       {.name = "columns", .list = at, .n_list = 2},
                                       {.name = "init", .rule = &zeros}};
    const struct fanin_model_options options = {.size = sizeof options, .data = data};
    const struct fanin_train_options to = {.size = sizeof to, .epochs = 1};
    const int64_t in = COLS;
    for (int constant = 0; constant < 2; constant++) {
        fanin_net *net;
        fanin_model *model;
        int node;
        assert_ok(ctx, fanin_net_create(&net, ctx));
        assert_ok(ctx, fanin_net_input(net, &node, NULL, 1, &in));
        assert_ok(ctx, fanin_net_add(net, &node, "embedding", NULL, &node, 1, attrs, 4));
        node = add_layer(ctx, net, node,
                         &(struct layer){"dense", 3, constant ? "constant" : NULL, 0.1});
        assert_ok(ctx, fanin_model_create(&model, net, &options));
        /* random weights behind it part the columns */
        if (constant)
            assert_refused(ctx, FANIN_ERR_SYMMETRIC, "embedding1: 10 of 12 units start equal",
                           fanin_train(model, data, &to));
        else
            assert_ok(ctx, fanin_train(model, data, &to));
        fanin_model_free(model);
    }
    fanin_data_free(data);
    fanin_ctx_free(ctx);
}

static void refused_at_building(void **state) {
    (void)state;
    static const double half[] = {2.5}, three[] = {3, 4, 5}, back[] = {3, 1}, far[] = {1, 4};
    static const struct {
        struct fanin_attr attrs[3];
        int n;
        enum fanin_status status;
        const char *says;
    } bad[] = {
        {{{.number = 4}}, 1, FANIN_ERR_SHAPE, "vocabulary is missing"},
        {{{.number = 4}, {.name = "vocabulary", .list = half, .n_list = 1}},
         2,
         FANIN_ERR_SHAPE,
         "2.5 is no whole number"},
        {{{.number = 4}, {.name = "vocabulary", .list = three, .n_list = 3}},
         2,
         FANIN_ERR_SHAPE,
         "vocabulary has 3 numbers, but 4 columns"},
        {{{.number = 4}, {.name = "vocabulary", .number = 0}}, 2, FANIN_ERR_RECIPE, "vocabulary"},
        {{{.number = 4},
          {.name = "vocabulary", .number = 5},
          {.name = "columns", .list = back, .n_list = 2}},
         3,
         FANIN_ERR_SHAPE,
         "columns: 1"},
        {{{.number = 4},
          {.name = "vocabulary", .number = 5},
          {.name = "columns", .list = far, .n_list = 2}},
         3,
         FANIN_ERR_SHAPE,
         "below 4"},
        {{{.number = 0}}, 1, FANIN_ERR_RECIPE, "dim"}};
    fanin_ctx *ctx = test_ctx();
    const int64_t in = COLS;
    for (int i = 0; i < FI_COUNT(bad); i++) {
        fanin_net *net;
        int node;
        assert_ok(ctx, fanin_net_create(&net, ctx));
        assert_ok(ctx, fanin_net_input(net, &node, NULL, 1, &in));
        assert_refused(
            ctx, bad[i].status, bad[i].says,
            fanin_net_add(net, &node, "embedding", NULL, &node, 1, bad[i].attrs, bad[i].n));
        fanin_net_free(net);
    }
    fanin_ctx_free(ctx);
}

static struct CMUnitTest tests[] = {
    cmocka_unit_test(same_bits_on_all_ways), cmocka_unit_test(only_used_rows_move),
    cmocka_unit_test(rows_and_columns),      cmocka_unit_test(unknown_starts_at_zero),
    cmocka_unit_test(starts_by_shape),       cmocka_unit_test(what_is_no_index),
    cmocka_unit_test(mixup_is_refused),      cmocka_unit_test(tied_tables_are_refused),
    cmocka_unit_test(refused_at_building)};

int main(void) {
    return test_main(tests);
}
