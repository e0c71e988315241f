/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Autoencoders, whose targets are their inputs, and inputs of 0 and 1: what is learned, in which
 * unit it is predicted, and the same from a saved model.
 */
#include <fanin/fanin.h>

#include "data/data_support.h"

/* A recipe with everything that it makes. */
struct run {
    fanin_recipe *recipe;
    fanin_data *data;
    fanin_model *model;
};

static enum fanin_status start(struct run *r, struct fixture *f, const char *text) {
    *r = (struct run){0};
    assert_ok(f->ctx, fanin_recipe_parse(&r->recipe, f->ctx, "test", text, NULL, 0));
    struct fanin_data_options o = *fanin_recipe_data(r->recipe);
    o.dir = f->dir;
    enum fanin_status status = fanin_data_load(&r->data, f->ctx, &o);
    if (status == FANIN_OK)
        status = fanin_recipe_model(&r->model, r->recipe, fanin_data_shape(r->data),
                                    fanin_data_outputs(r->data), r->data);
    if (status == FANIN_OK) status = fanin_train(r->model, r->data, fanin_recipe_train(r->recipe));
    return status;
}

static void end(struct run *r) {
    fanin_model_free(r->model);
    fanin_data_free(r->data);
    fanin_recipe_free(r->recipe);
}

static void saved(struct run *r, struct fixture *f) {
    char path[300];
    snprintf(path, sizeof path, "%s/model.safetensors", f->dir);
    assert_ok(f->ctx, fanin_model_save(r->model, path));
    fanin_model_free(r->model);
    assert_ok(f->ctx, fanin_model_load(&r->model, f->ctx, path));
}

static void take_loss(void *to, const struct fanin_event *e) {
    for (int i = 0; i < e->n_figures; i++)
        if (strcmp(e->figures[i].name, "loss") == 0) *(double *)to = e->figures[i].value;
}

/* The first `rows` digits as a table of text, with something behind them. */
static void put_digits(struct fixture *f, const fanin_data *d, int64_t rows, const char *behind) {
    static char text[1 << 16];
    char *at = text;
    for (int64_t r = 0; r < rows; r++) {
        for (int j = 0; j < 64; j++)
            at += sprintf(at, "%s%d", j ? "," : "", d->tables[0].u8[64 * r + j]);
        at += sprintf(at, "%s\n", behind);
    }
    put_other(f, "digits.csv", text, (size_t)(at - text));
}

static void test_targets_are_inputs(void **state) {
    struct fixture *f = *state;
    static const char *const rules[] = {"mean_std", "min_max", "none", "binary"};
    for (int k = 0; k < FI_COUNT(rules); k++) {
        const struct fanin_data_options o = {.size = sizeof o,
                                             .reader = {.name = "digits"},
                                             .target = "input",
                                             .test_fraction = 0.2,
                                             .normalize = rules[k]};
        fanin_data *d;
        assert_ok(f->ctx, fanin_data_load(&d, f->ctx, &o));
        const struct fi_table *t = &d->tables[FANIN_TRAIN];
        assert_int_equal(fanin_data_task(d), FANIN_REGRESSION);
        assert_int_equal(fanin_data_outputs(d), 64);
        assert_true(t->u8 && !t->f32 && !t->targets && !t->labels); /* no copy */
        assert_int_equal(fanin_data_rows(d, FANIN_TEST), 359);
        for (int64_t i = 0; i < 359; i += 50) {
            fi_real x[64], y[64];
            gather_one(d, FANIN_TEST, i, x, NULL, y);
            assert_memory_equal(x, y, sizeof x);
            for (int j = 0; j < 64; j++) { /* in the unit of the file again */
                const double raw = (double)t->u8[64 * d->parts[FANIN_TEST].rows[i] + j];
                if (k == 3)
                    assert_true(y[j] == (raw > 8) && !d->target_scale);
                else if (k == 2)
                    assert_true((double)y[j] == raw && !d->target_scale);
                else
                    assert_true(fabs((double)y[j] / (double)d->target_scale[j] +
                                     (double)d->target_shift[j] - raw) < 1e-5);
            }
        }
        fanin_data_free(d);
    }
}

/* Learns, and does from a saved model and a table, with or without labels, what it did before. */
static void test_autoencoder(void **state) {
    struct fixture *f = *state;
    enum { ROWS = 40 };
    static const char *const behind[] = {"", ",7"};
    static const char text[] =
        "data: {reader: digits, target: input, rows: 40, normalize: min_max}\n"
        "net: [dense: 32, relu, dense: outputs]\n"
        "optim: {adam: 0.01}\n"
        "train: {epochs: 60, batch: 20}\n";
    static float before[ROWS * 64], after[ROWS * 64];
    struct run r;
    fanin_data *like;
    double loss = 0, again = 0, distance = 0;
    assert_ok(f->ctx, start(&r, f, text));
    assert_ok(f->ctx, fanin_model_predict_part(r.model, r.data, FANIN_TRAIN, 0, ROWS, before));
    assert_ok(f->ctx, fanin_evaluate(r.model, r.data, FANIN_TRAIN, take_loss, &loss));
    const uint8_t *pixels = r.data->tables[0].u8;
    for (int i = 0; i < ROWS * 64; i++) distance += pow((double)before[i] - pixels[i], 2);
    distance /= ROWS * 64.0 * 16 * 16; /* min_max: pixels of 0 to 16 become 0 to 1 */
    assert_true(distance < 0.02);
    assert_true(fabs(distance / loss - 1) < 1e-4);
    saved(&r, f);
    for (int k = 0; k < 2; k++) {
        put_digits(f, r.data, ROWS, behind[k]);
        assert_ok(f->ctx, fanin_data_load_for_model(&like, r.model, f->other, NULL));
        assert_int_equal(fanin_data_task(like), FANIN_REGRESSION);
        assert_ok(f->ctx, fanin_model_predict_part(r.model, like, FANIN_TEST, 0, ROWS, after));
        assert_memory_equal(before, after, sizeof before);
        assert_ok(f->ctx, fanin_evaluate(r.model, like, FANIN_TEST, take_loss, &again));
        assert_true(again == loss);
        fanin_data_free(like);
    }
    end(&r);
}

/* Zeros and ones with the loss for them: predictions are probabilities, also of numbers from
 * memory. */
static void test_binary_autoencoder(void **state) {
    struct fixture *f = *state;
    static const char text[] =
        "data: {reader: digits, target: input, rows: 40, normalize: binary}\n"
        "net: [dense: 32, relu, dense: outputs]\n"
        "loss: sigmoid_cross_entropy\n"
        "train: {epochs: 5, batch: 20}\n";
    static const char scaled[] = "data: {reader: digits, target: input, rows: 40}\n"
                                 "net: [dense: outputs]\n"
                                 "loss: sigmoid_cross_entropy\n";
    float before[64], after[64], raw[64];
    struct run r;
    fanin_data *like;
    assert_ok(f->ctx, start(&r, f, text));
    saved(&r, f);
    assert_ok(f->ctx, fanin_model_predict_part(r.model, r.data, FANIN_TRAIN, 3, 1, before));
    for (int j = 0; j < 64; j++) {
        assert_true(before[j] > 0 && before[j] < 1);
        raw[j] = (float)r.data->tables[0].u8[3 * 64 + j];
    }
    assert_ok(f->ctx, fanin_model_predict(r.model, raw, 1, after));
    assert_memory_equal(before, after, sizeof before);
    for (int j = 0; j < 64; j++)
        raw[j] = raw[j] > 8 ? 1e6F : -1e6F; /* no more than a side counts */
    assert_ok(f->ctx, fanin_model_predict(r.model, raw, 1, after));
    assert_memory_equal(before, after, sizeof before);
    put_digits(f, r.data, 4, "");
    assert_ok(f->ctx, fanin_data_load_for_model(&like, r.model, f->other, NULL));
    assert_ok(f->ctx, fanin_model_predict_part(r.model, like, FANIN_TEST, 3, 1, after));
    assert_memory_equal(before, after, sizeof before);
    fanin_data_free(like);
    end(&r);
    assert_refused(f->ctx, FANIN_ERR_DATA, "loss sigmoid_cross_entropy needs numbers from 0 to 1",
                   start(&r, f, scaled));
    end(&r);
}

/* Tables: every column is an input, but one that is named as the target is left out, whatever it
 * holds, and weights are none. */
static void test_tables(void **state) {
    struct fixture *f = *state;
    static const char text[] = "data: {csv: {target: kind}, train: t.csv, test: u.csv, "
                               "sample_weights: w, target: input}\n"
                               "net: [dense: 2, tanh, dense: outputs]\n"
                               "train: {epochs: 2, batch: 2}\n";
    static const char all[] = "data: {train: t.csv, target: input}\n"
                              "net: [dense: outputs]\n"
                              "train: {epochs: 1, batch: 2}\n";
    struct run r;
    fanin_data *like;
    float p[4];
    put_text(f, "u.csv", "city,a,w,five\nrome,1,2,5\n");
    put_text(f, "t.csv",
             "a,city,five,kind,w\n1,rome,5,big,1\n2,oslo,5,,1\n3,rome,5,big,3\n"
             "4,oslo,5,odd,1\n");
    assert_ok(f->ctx, start(&r, f, text));
    assert_int_equal(fanin_data_outputs(r.data), 4);
    assert_string_equal(fanin_data_output_name(r.data, 0), "a");
    assert_string_equal(fanin_data_output_name(r.data, 1), "city=oslo");
    assert_string_equal(fanin_data_output_name(r.data, 3), "five");
    assert_true(r.data->tables[0].weights[2] == 3 && r.data->tables[FANIN_TEST].weights[0] == 2);
    /* a column that is constant has scale 0 as an input, but is divided by here */
    assert_true(r.data->scale[3] == 0 && r.data->target_scale[3] == 1);
    saved(&r, f);
    static const char other[] = "five,w,a,kind,city\n5,2,1,huge,rome\n";
    put_other(f, "new.csv", other, sizeof other - 1);
    assert_ok(f->ctx, fanin_data_load_for_model(&like, r.model, f->other, NULL));
    assert_true(like->tables[0].weights[0] == 2);
    assert_ok(f->ctx, fanin_model_predict_part(r.model, like, FANIN_TEST, 0, 1, p));
    for (int j = 0; j < 4; j++) assert_true(isfinite(p[j]) && fabsf(p[j]) < 10);
    fanin_data_free(like);
    end(&r);
    assert_ok(f->ctx, start(&r, f, all));
    assert_int_equal(fanin_data_outputs(r.data), 1 + 2 + 1 + 2 + 1); /* kind: missing, big, odd */
    end(&r);
}

static void test_binary_columns(void **state) {
    struct fixture *f = *state;
    const struct fanin_data_options o = {.size = sizeof o, .train = f->path, .normalize = "binary"};
    fanin_data *d;
    put_text(f, "t.csv",
             "a,b,c,city,y\n-1,1e-3,5,rome,0.5\n0.99,2e-3,5,oslo,1.5\n"
             "1.01,4e-3,5,rome,2\n3,3e-3,5,oslo,7\n");
    assert_ok(f->ctx, fanin_data_load(&d, f->ctx, &o));
    static const fi_real rows[4][5] = {
        {0, 0, 0, 0, 1}, {0, 0, 0, 1, 0}, {1, 1, 0, 0, 1}, {1, 1, 0, 1, 0}};
    for (int r = 0; r < 4; r++) {
        fi_real x[5];
        gather_one(d, FANIN_TRAIN, r, x, NULL, NULL);
        assert_memory_equal(x, rows[r], sizeof x);
    }
    assert_non_null(d->target_scale); /* values to predict are scaled as ever */
    fanin_data_free(d);
    /* the largest of two neighbours is above the threshold, though the middle is rounded */
    put_text(f, "n.csv", "a,y\n1.00000012,0.5\n1.00000024,1.5\n1.00000012,0\n");
    assert_ok(f->ctx, fanin_data_load(&d, f->ctx, &o));
    for (int r = 0; r < 3; r++) {
        fi_real x[1];
        gather_one(d, FANIN_TRAIN, r, x, NULL, NULL);
        assert_true(x[0] == (r == 1));
    }
    fanin_data_free(d);
}

/* Images have one range for all pixels, and min_max brings it to 0 … 1 exactly. */
static void test_min_max_of_images(void **state) {
    struct fixture *f = *state;
    uint8_t bytes[64];
    const uint32_t dims[] = {2, 2, 2};
    const size_t n = idx_header(bytes, 0x08, 3, dims);
    memcpy(bytes + n, (const uint8_t[]){0, 51, 7, 9, 255, 204, 8, 9}, 8);
    put(f, "x.idx", bytes, n + 8);
    const struct fanin_data_options o = {
        .size = sizeof o, .train = f->path, .normalize = "min_max", .target = "input"};
    fanin_data *d;
    assert_ok(f->ctx, fanin_data_load(&d, f->ctx, &o));
    for (int r = 0; r < 2; r++) {
        fi_real x[4];
        gather_one(d, FANIN_TRAIN, r, x, NULL, NULL);
        for (int j = 0; j < 4; j++)
            assert_true(fabs((double)x[j] - d->tables[0].u8[4 * r + j] / 255.0) < 1e-7);
        assert_true(x[0] == r);
    }
    fanin_data_free(d);
}

/* No number becomes more than 1 by rounding, so losses for 0 … 1 take what min_max gives. */
static void test_min_max_is_at_most_1(void **state) {
    struct fixture *f = *state;
    for (int k = 0; k < 200; k++) {
        char text[200];
        snprintf(text, sizeof text, "a,b\n%.9g,1\n%.9g,2\n0,3\n", -1 / (k + 3.0), k / 7.0 + 0.1);
        put_text(f, "t.csv", text);
        const struct fanin_data_options o = {
            .size = sizeof o, .train = f->path, .normalize = "min_max", .target = "input"};
        fanin_data *d;
        fi_real x[2];
        assert_ok(f->ctx, fanin_data_load(&d, f->ctx, &o));
        gather_one(d, FANIN_TRAIN, 1, x, NULL, NULL);
        assert_true(x[0] <= 1 && x[0] > 0.9999999F);
        fanin_data_free(d);
    }
}

static void test_refused(void **state) {
    struct fixture *f = *state;
    static const struct {
        const char *data, *part;
    } bad[] = {{"data: {csv: {target: y, categories: index}, train: t.csv, target: input}",
                "column 'city' of"},
               {"data: {csv: {target: y, categories: index}, train: t.csv, normalize: binary}",
                "city holds the numbers of a category"}};
    put_text(f, "t.csv", "a,city,y\n1,rome,1.5\n2,oslo,2\n3,rome,2.5\n4,oslo,2\n");
    for (int i = 0; i < FI_COUNT(bad); i++) {
        char text[300];
        struct run r;
        snprintf(text, sizeof text, "%s\nnet: [dense: outputs]\n", bad[i].data);
        assert_refused(f->ctx, FANIN_ERR_RECIPE, bad[i].part, start(&r, f, text));
        end(&r);
    }
    struct fanin_data_options o = {.size = sizeof o, .train = f->path, .target = "inputs"};
    fanin_data *d;
    assert_refused(f->ctx, FANIN_ERR_RECIPE, "did you mean 'input'?",
                   fanin_data_load(&d, f->ctx, &o));
    o.target = NULL;
    o.normalize = "binery";
    assert_refused(f->ctx, FANIN_ERR_RECIPE, "did you mean 'binary'?",
                   fanin_data_load(&d, f->ctx, &o));
}

static struct CMUnitTest tests[] = {
    DATA_TEST(test_targets_are_inputs),   DATA_TEST(test_autoencoder),
    DATA_TEST(test_binary_autoencoder),   DATA_TEST(test_tables),
    DATA_TEST(test_binary_columns),       DATA_TEST(test_min_max_of_images),
    DATA_TEST(test_min_max_is_at_most_1), DATA_TEST(test_refused)};

int main(void) {
    return test_main(tests);
}
