/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Data for a saved model: the schema finds the same columns again, whatever their order.
 */
#include "data/data_support.h"

static const char training[] =
    "width,city,kind\n1,rome,big\n2,paris,small\n3,rome,big\n4,paris,small\n,rome,big\n";

static fanin_data *train(struct fixture *f, const char *name, const char *text) {
    fanin_data *d;
    put_text(f, name, text);
    struct fanin_data_options o = {.size = sizeof o, .train = f->path, .seed = 1};
    assert_ok(f->ctx, fanin_data_load(&d, f->ctx, &o));
    return d;
}

static enum fanin_status like(fanin_data **out, struct fixture *f, const fanin_data *m,
                              const char *path, const char *labels) {
    const struct fi_table *t = &m->tables[0];
    return fi_data_load_like(out, f->ctx, m->reader, m->schema, path, labels, &t->shape, m->shift,
                             m->scale, t->output_names, t->n_outputs, t->task);
}

static enum fanin_status like_text(fanin_data **out, struct fixture *f, const fanin_data *m,
                                   const char *text) {
    put_other(f, "new.csv", text, strlen(text));
    return like(out, f, m, f->other, NULL);
}

static void test_columns_by_name(void **state) {
    struct fixture *f = *state;
    fanin_data *m = train(f, "a.csv", training), *d;
    fi_real x[3], y[3];
    int32_t label = -1;
    gather_one(m, FANIN_TRAIN, 1, y, NULL, NULL);
    /* reordered, one more column, another delimiter stays an error of its own */
    assert_ok(f->ctx, like_text(&d, f, m, "kind,note,city,width\nsmall,hi,paris,2\n"));
    assert_int_equal(fanin_data_task(d), FANIN_CLASSIFICATION);
    assert_int_equal(fanin_data_rows(d, FANIN_TEST), 1);
    gather_one(d, FANIN_TEST, 0, x, &label, NULL);
    assert_memory_equal(x, y, sizeof x);
    assert_int_equal(label, 1);
    assert_string_equal(fanin_data_output_name(d, 1), "small");
    fanin_data_free(d);
    /* no target; a missing number is the training mean, which is 0 now; an unknown value is nothing
     */
    assert_ok(f->ctx, like_text(&d, f, m, "width,city\n,oslo\n"));
    assert_int_equal(fanin_data_task(d), FANIN_UNLABELED);
    gather_one(d, FANIN_TEST, 0, x, NULL, NULL);
    assert_true(x[0] == 0 && x[1] == 0 && x[2] == 0);
    fanin_data_free(d);
    /* an empty target */
    assert_ok(f->ctx, like_text(&d, f, m, "width,city,kind\n1,rome,big\n1,rome,?\n"));
    assert_int_equal(fanin_data_task(d), FANIN_UNLABELED);
    assert_non_null(strstr(fanin_data_describe(d), "targets are missing"));
    fanin_data_free(d);

    assert_refused(f->ctx, FANIN_ERR_DATA, "has no column 'width', which the training data had",
                   like_text(&d, f, m, "city,kind\nrome,big\n"));
    assert_refused(f->ctx, FANIN_ERR_DATA, "new.csv:2: column 'kind': 'huge' is no class",
                   like_text(&d, f, m, "width,city,kind\n1,rome,huge\n"));
    assert_refused(f->ctx, FANIN_ERR_DATA, "new.csv:3: column 'width': 'x' is no number",
                   like_text(&d, f, m, "width,city\n1,rome\nx,rome\n"));
    assert_refused(f->ctx, FANIN_ERR_DATA, "two columns are called 'city'",
                   like_text(&d, f, m, "width,city,city\n1,rome,rome\n"));
    assert_refused(f->ctx, FANIN_ERR_DATA, "has a header but no data",
                   like_text(&d, f, m, "width,city\n"));
    fanin_data_free(m);
}

static void test_columns_by_place(void **state) {
    struct fixture *f = *state;
    fanin_data *m = train(f, "a.csv", "1,0.5,10\n2,1.5,20\n3,1.0,30\n"), *d;
    struct fanin_attr target = {.name = "target", .text = "2"};
    struct fanin_data_options o = {.size = sizeof o,
                                   .reader = {.name = "csv", .attrs = &target, .n_attrs = 1},
                                   .train = f->path};
    fanin_data_free(m);
    assert_ok(f->ctx, fanin_data_load(&m, f->ctx, &o));
    assert_ok(f->ctx, like_text(&d, f, m, "2,20\n3,30\n")); /* without the target */
    assert_int_equal(fanin_data_task(d), FANIN_UNLABELED);
    assert_true(d->tables[0].f32[1] == 20 && d->tables[0].f32[2] == 3);
    fanin_data_free(d);
    assert_ok(f->ctx, like_text(&d, f, m, "2,1.5,20\n"));
    assert_int_equal(fanin_data_task(d), FANIN_REGRESSION);
    fanin_data_free(d);
    assert_refused(f->ctx, FANIN_ERR_DATA, "has 4 columns, but the training data had 3",
                   like_text(&d, f, m, "1,2,3,4\n"));
    fanin_data_free(m);
}

/* A model of images reads tables of as many numbers, with or without a label behind them. */
static void test_plain_table_for_images(void **state) {
    struct fixture *f = *state;
    struct fanin_data_options o = {.size = sizeof o, .reader = {.name = "digits"}, .seed = 1};
    fanin_data *m, *d;
    assert_ok(f->ctx, fanin_data_load(&m, f->ctx, &o));
    char text[500] = "", labelled[1100];
    for (int j = 0; j < 64; j++) sprintf(text + strlen(text), "%s%d", j ? "," : "", j % 17);
    snprintf(labelled, sizeof labelled, "%s,7\n%s,0\n", text, text);
    assert_ok(f->ctx, like_text(&d, f, m, text));
    assert_int_equal(fanin_data_shape(d)->rank, 2);
    assert_int_equal(fanin_data_task(d), FANIN_UNLABELED);
    fanin_data_free(d);
    assert_ok(f->ctx, like_text(&d, f, m, labelled));
    assert_int_equal(fanin_data_task(d), FANIN_CLASSIFICATION);
    assert_int_equal(d->tables[0].labels[0], 7);
    assert_true(d->tables[0].f32[20] == 3);
    fanin_data_free(d);
    assert_refused(f->ctx, FANIN_ERR_SHAPE, "has 2 columns, but the model reads 64",
                   like_text(&d, f, m, "1,2\n3,4\n"));
    snprintf(labelled, sizeof labelled, "%s,77\n", text);
    assert_refused(f->ctx, FANIN_ERR_DATA, "'77' is no class", like_text(&d, f, m, labelled));
    fanin_data_free(m);
}

static void test_standard_input(void **state) {
    struct fixture *f = *state;
    fanin_data *m = train(f, "a.csv", training), *d;
    int pipes[2], saved = dup(STDIN_FILENO);
    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(write(pipes[1], "city,width\nrome,4\n", 18), 18);
    close(pipes[1]);
    dup2(pipes[0], STDIN_FILENO);
    enum fanin_status status = like(&d, f, m, "-", NULL);
    dup2(saved, STDIN_FILENO);
    close(pipes[0]);
    close(saved);
    assert_ok(f->ctx, status);
    assert_int_equal(fanin_data_rows(d, FANIN_TEST), 1);
    assert_non_null(strstr(fanin_data_describe(d), "standard input"));
    fanin_data_free(d);
    fanin_data_free(m);
}

/* A schema comes from a file: whatever it holds, it is taken or refused. */
static void test_damaged_schema(void **state) {
    struct fixture *f = *state;
    fanin_data *m = train(f, "a.csv", training), *d;
    char *schema = strdup(m->schema);
    const size_t n = strlen(schema);
    put_text(f, "a.csv", training);
    for (size_t i = 0; i < n; i++) {
        static const char instead[] = "9\"]{-";
        for (int k = 0; instead[k]; k++) {
            char kept = schema[i];
            schema[i] = instead[k];
            m->schema = schema;
            if (like(&d, f, m, f->path, NULL) == FANIN_OK)
                fanin_data_free(d);
            else
                assert_true(*fanin_errmsg(f->ctx) != '\0');
            schema[i] = kept;
        }
        char kept = schema[i];
        schema[i] = '\0';
        assert_int_equal(like(&d, f, m, f->path, NULL), FANIN_ERR_DATA);
        schema[i] = kept;
    }
    free(schema);
    fanin_data_free(m);
}

static struct CMUnitTest tests[] = {
    DATA_TEST(test_columns_by_name),        DATA_TEST(test_columns_by_place),
    DATA_TEST(test_plain_table_for_images), DATA_TEST(test_standard_input),
    DATA_TEST(test_damaged_schema),
};
int main(void) {
    return test_main(tests);
}
