/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several targets, and weights of the samples: as columns of a table, as files, from memory; in the
 * parts, in data for a saved model, refused.
 */
#include <fanin/fanin.h>

#include "data/data_support.h"

static const char table[] = "u,a,v,b,w\n1,0,2,10,1\n3,1,4,20,0.5\n5,0,6,40,0\n7,1,8,80,2\n";

static enum fanin_status load(fanin_data **out, struct fixture *f, const char *const *targets,
                              int n, const char *weights) {
    struct fanin_named_text items[4];
    for (int i = 0; i < n; i++) items[i] = (struct fanin_named_text){NULL, targets[i]};
    const struct fanin_attr target = {.name = "target", .texts = items, .n_texts = n};
    const struct fanin_data_options o = {.size = sizeof o,
                                         .reader = {"csv", &target, n > 0, 0},
                                         .dir = f->dir,
                                         .train = "t.csv",
                                         .normalize = "none",
                                         .sample_weights = weights};
    return fanin_data_load(out, f->ctx, &o);
}

static void test_columns(void **state) {
    struct fixture *f = *state;
    fanin_data *d, *like;
    put_text(f, "t.csv", table);
    assert_ok(f->ctx, load(&d, f, (const char *const[]){"b", "a"}, 2, "w"));
    const struct fi_table *t = &d->tables[FANIN_TRAIN];
    assert_int_equal(fanin_data_task(d), FANIN_REGRESSION);
    assert_int_equal(t->n_outputs, 2);
    assert_int_equal(t->shape.cols, 2); /* neither targets nor weights are inputs */
    assert_string_equal(fanin_data_output_name(d, 0), "b");
    assert_string_equal(fanin_data_output_name(d, 1), "a");
    static const float b[] = {10, 20, 40, 80}, a[] = {0, 1, 0, 1}, w[] = {1, 0.5F, 0, 2};
    for (int i = 0; i < 4; i++)
        assert_true(t->targets[2 * i] == b[i] && t->targets[2 * i + 1] == a[i] &&
                    t->weights[i] == w[i] && t->f32[2 * i + 1] == (float)(2 * i + 2));
    assert_true(fi_data_weighted(d, FANIN_TRAIN));
    double weights[2];
    const int64_t index[2] = {3, 1};
    fi_data_gather_known(d, FANIN_TRAIN, index, 2, &(struct fi_known){.weights = weights});
    assert_true(weights[0] == 2 && weights[1] == 0.5);
    /* another file: in any order, with or without weights; a missing target is all missing */
    static const struct {
        const char *text;
        bool labeled, weighted;
    } files[] = {{"b,v,a,u\n7,2,1,1\n", true, false},
                 {"w,b,v,a,u\n3,7,2,1,1\n", true, true},
                 {"v,a,u\n2,1,1\n", false, false},
                 {"v,u\n2,1\n", false, false}};
    for (int i = 0; i < FI_COUNT(files); i++) {
        put_other(f, "new.csv", files[i].text, strlen(files[i].text));
        assert_ok(f->ctx,
                  fi_data_load_like(&like, f->ctx, d->reader, d->schema, f->other, NULL, &t->shape,
                                    d->shift, d->scale, t->output_names, 2, t->task));
        const struct fi_table *n = &like->tables[FANIN_TRAIN];
        assert_int_equal(n->task, files[i].labeled ? FANIN_REGRESSION : FANIN_UNLABELED);
        assert_true(n->f32[0] == 1 && n->f32[1] == 2);
        if (files[i].labeled) assert_true(n->targets[0] == 7 && n->targets[1] == 1);
        assert_true(files[i].weighted ? n->weights[0] == 3 : !n->weights);
        fanin_data_free(like);
    }
    fanin_data_free(d);
}

/* Without a header: by place, and behind what is missing the places are others. */
static void test_places(void **state) {
    struct fixture *f = *state;
    fanin_data *d, *like;
    put_text(f, "t.csv", "1,0,2,10\n3,1,4,20\n5,0,6,40\n");
    assert_ok(f->ctx, load(&d, f, (const char *const[]){"2", "1"}, 2, NULL));
    const struct fi_table *t = &d->tables[FANIN_TRAIN];
    assert_true(t->n_outputs == 2 && t->targets[0] == 0 && t->targets[1] == 1 && t->f32[1] == 10);
    put_other(f, "new.csv", "8,9\n", 4);
    assert_ok(f->ctx,
              fi_data_load_like(&like, f->ctx, d->reader, d->schema, f->other, NULL, &t->shape,
                                d->shift, d->scale, t->output_names, 2, t->task));
    assert_true(like->tables[0].f32[0] == 8 && like->tables[0].f32[1] == 9);
    fanin_data_free(like);
    fanin_data_free(d);
}

static void test_files(void **state) {
    struct fixture *f = *state;
    fanin_data *d;
    uint8_t bytes[64];
    const uint32_t dims[] = {4};
    put_text(f, "t.csv", table);
    put_text(f, "w.csv", "weight\n4\n3\n2\n0\n");
    assert_ok(f->ctx, load(&d, f, NULL, 0, "w.csv"));
    static const float want[] = {4, 3, 2, 0};
    for (int i = 0; i < 4; i++) assert_true(d->tables[0].weights[i] == want[i]);
    assert_int_equal(d->tables[0].shape.cols, 4); /* the last column is the target */
    fanin_data_free(d);
    size_t n = idx_header(bytes, 0x08, 1, dims);
    memcpy(bytes + n, (const uint8_t[]){1, 0, 7, 255}, 4);
    put(f, "w.idx", bytes, n + 4);
    assert_ok(f->ctx, load(&d, f, NULL, 0, "w.idx"));
    assert_true(d->tables[0].weights[3] == 255 && d->tables[0].weights[1] == 0);
    fanin_data_free(d);
}

static void test_refused(void **state) {
    struct fixture *f = *state;
    static const struct {
        const char *targets[2];
        int n;
        const char *weights, *part;
        enum fanin_status status;
    } bad[] = {
        {{"a", "c"}, 2, NULL, "no column is called 'c'", FANIN_ERR_RECIPE},
        {{"a", "a"}, 2, NULL, "named twice", FANIN_ERR_RECIPE},
        {{"a", "w"}, 2, "w", "named twice", FANIN_ERR_RECIPE},
        {{"a", "t"}, 2, NULL, "t.csv:3: column 't': 'x' is no number", FANIN_ERR_DATA},
        {{"a"}, 1, "t", "t.csv:3: column 't': 'x' is no number", FANIN_ERR_DATA},
        {{"a"}, 1, "minus", "t.csv:2: column 'minus': '-1' is below 0", FANIN_ERR_DATA},
        {{"a"}, 1, "zero", "no sample to train on has a weight", FANIN_ERR_DATA},
        {{"a"}, 1, "nowhere", "neither a column of the data nor a file", FANIN_ERR_RECIPE},
        {{"a"}, 1, "two.csv", "has 3 numbers, but there are 2 samples", FANIN_ERR_SHAPE},
        {{"a"}, 1, "text.csv", "text.csv:3: 'x': there must be one number a line", FANIN_ERR_DATA}};
    put_text(f, "t.csv", "u,a,w,t,minus,zero\n1,0,1,5,-1,0\n2,1,1,x,1,0\n");
    put_other(f, "two.csv", "1\n2\n3\n", 6);
    put_other(f, "text.csv", "w\n1\nx\n", 6);
    for (int i = 0; i < FI_COUNT(bad); i++) {
        fanin_data *d;
        assert_refused(f->ctx, bad[i].status, bad[i].part,
                       load(&d, f, bad[i].targets, bad[i].n, bad[i].weights));
    }
}

/* From memory; and a model trained with weights learns from what has them. */
static void test_from_memory(void **state) {
    struct fixture *f = *state;
    static const float x[] = {1, 1, 1}, weights[] = {0, 1, 3}, none[] = {0, 0, 0},
                       bad[] = {1, NAN, 1};
    static const int32_t labels[] = {0, 1, 2};
    const struct fanin_rule zeros = {.name = "zeros"};
    const struct fanin_attr attrs[] = {{.number = 3}, {.name = "init", .rule = &zeros}};
    fanin_data *d;
    fanin_net *net;
    fanin_model *model;
    float p[3];
    int node;
    assert_ok(f->ctx, fanin_data_from_arrays(&d, f->ctx, 3, 1, x, labels, 3, NULL, 0));
    assert_refused(f->ctx, FANIN_ERR_ARGUMENT, "not 2", fanin_data_set_weights(d, weights, 2));
    assert_refused(f->ctx, FANIN_ERR_DATA, "weight above 0", fanin_data_set_weights(d, none, 3));
    assert_refused(f->ctx, FANIN_ERR_DATA, "sample 1", fanin_data_set_weights(d, bad, 3));
    assert_ok(f->ctx, fanin_data_set_weights(d, weights, 3));
    assert_ok(f->ctx, fanin_net_create(&net, f->ctx));
    assert_ok(f->ctx, fanin_net_input(net, &node, NULL, 1, (const int64_t[]){1}));
    assert_ok(f->ctx, fanin_net_add(net, &node, "dense", NULL, &node, 1, attrs, 2));
    const struct fanin_model_options mo = {.size = sizeof mo, .data = d};
    assert_ok(f->ctx, fanin_model_create(&model, net, &mo));
    const struct fanin_train_options o = {.size = sizeof o, .epochs = 2000, .batch = 3};
    assert_ok(f->ctx, fanin_train(model, d, &o));
    assert_ok(f->ctx, fanin_model_predict(model, x, 1, p));
    assert_true(p[0] < 2e-3F && fabsf(p[1] - 0.25F) < 2e-3F && fabsf(p[2] - 0.75F) < 2e-3F);
    fanin_model_free(model);
    fanin_data_free(d);
}

static struct CMUnitTest tests[] = {DATA_TEST(test_columns), DATA_TEST(test_places),
                                    DATA_TEST(test_files), DATA_TEST(test_refused),
                                    DATA_TEST(test_from_memory)};

int main(void) {
    return test_main(tests);
}
