/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Columns of a table: which are read, what stands for missing values, what categories become; in
 * training and again for a saved model.
 */
#include "data/data_support.h"

struct given {
    const struct fanin_attr *attrs;
    int64_t n;
    double test_fraction;
    const char *normalize;
};

static enum fanin_status load(fanin_data **d, struct fixture *f, const struct given *given) {
    struct fanin_data_options o = {
        .size = sizeof o,
        .reader = {.name = "csv", .attrs = given->attrs, .n_attrs = given->n},
        .train = f->path,
        .test_fraction = given->test_fraction,
        .normalize = given->normalize ? given->normalize : "none",
        .seed = 1};
    return fanin_data_load(d, f->ctx, &o);
}

#define N_OF(list) (int64_t)(sizeof(list) / sizeof((list)[0]))
#define TEXTS(attribute, list)                                                                     \
    { .name = attribute, .texts = list, .n_texts = N_OF(list) }

static enum fanin_status like_text(fanin_data **out, struct fixture *f, const fanin_data *m,
                                   const char *text) {
    const struct fi_table *t = &m->tables[0];
    put_other(f, "new.csv", text, strlen(text));
    return fi_data_load_like(out, f->ctx, m->reader, m->schema, f->other, NULL, &t->shape, m->shift,
                             m->scale, t->output_names, t->n_outputs, t->task);
}

static void assert_row(const fanin_data *d, int64_t row, int64_t n, const float *expected) {
    const struct fi_table *t = &d->tables[FANIN_TRAIN];
    assert_int_equal(t->shape.cols, n);
    for (int64_t j = 0; j < n; j++)
        if (t->f32[row * n + j] != expected[j])
            fail_msg("row %d, input %d is %g, not %g", (int)row, (int)j,
                     (double)t->f32[row * n + j], (double)expected[j]);
}
#define ASSERT_ROW(d, row, ...)                                                                    \
    assert_row(d, row, N_OF(((const float[]){__VA_ARGS__})), (const float[]){__VA_ARGS__})

/* a: mean of 1 2 2 7; b: median of 1 2 10; c: most frequent of 5 5 3 3; d: with a flag */
static const char numbers[] = "a,b,c,d,y\n1,1,5,1,u\n2,2,5,,v\n2,,3,3,u\n7,10,3,5,v\n,,,3,u\n";

static void test_missing_by_column(void **state) {
    struct fixture *f = *state;
    static const struct fanin_named_text rules[] = {
        {"b", "median"}, {"c", "most_frequent"}, {"d", "flag"}};
    const struct fanin_attr attr = TEXTS("missing", rules);
    fanin_data *d, *again;
    put_text(f, "a.csv", numbers);
    assert_ok(f->ctx, load(&d, f, &(struct given){&attr, 1}));
    ASSERT_ROW(d, 4, 3, 2, 3, 3, 0); /* of two that come as often, the smaller */
    ASSERT_ROW(d, 1, 2, 2, 5, 3, 1); /* d: 1 3 5 3 */
    ASSERT_ROW(d, 2, 2, 2, 3, 3, 0);
    const struct fi_table *t = &d->tables[0];
    assert_string_equal(t->input_names[3], "d");
    assert_string_equal(t->input_names[4], "d=(missing)");
    assert_true(t->fixed[4] && !t->fixed[3]);
    const char *note = fanin_data_describe(d);
    assert_non_null(strstr(note, "1 missing numbers become the mean,"));
    assert_non_null(strstr(note, "2 missing numbers become the median"));
    assert_non_null(strstr(note, "1 missing numbers become the most frequent one"));
    assert_non_null(strstr(note, "the mean, with an input that says so"));
    /* the same for a later file, with what training fitted */
    assert_ok(f->ctx, like_text(&again, f, d, "d,c,b,a\n,,,\n9,9,9,9\n"));
    ASSERT_ROW(again, 0, 3, 2, 3, 3, 1);
    ASSERT_ROW(again, 1, 9, 9, 9, 9, 0);
    fanin_data_free(again);
    fanin_data_free(d);
}

static void test_missing_for_all(void **state) {
    struct fixture *f = *state;
    fanin_data *d;
    const struct fanin_attr median = {.name = "missing", .text = "median"};
    put_text(f, "a.csv", numbers);
    assert_ok(f->ctx, load(&d, f, &(struct given){&median, 1}));
    ASSERT_ROW(d, 4, 2, 2, 4, 3); /* an even count: half way */
    fanin_data_free(d);
    static const struct fanin_named_text star[] = {{"a", "error"}, {"*", "flag"}};
    const struct fanin_attr flags = TEXTS("missing", star);
    assert_refused(f->ctx, FANIN_ERR_DATA, "a.csv:6: column 'a': '' is a missing value",
                   load(&d, f, &(struct given){&flags, 1}));
    put_text(f, "a.csv", "a,b,y\n1,1,u\n2,,v\n");
    assert_ok(f->ctx, load(&d, f, &(struct given){&flags, 1}));
    /* a misses nothing: no flag */
    ASSERT_ROW(d, 1, 2, 1, 1);
    fanin_data_free(d);
    static const struct fanin_named_text typo[] = {{"heigth", "median"}};
    const struct fanin_attr wrong = TEXTS("missing", typo);
    put_text(f, "a.csv", "height,b,y\n1,1,u\n2,,v\n");
    assert_refused(f->ctx, FANIN_ERR_RECIPE,
                   "no column is called 'heigth' (csv attribute missing); did you mean 'height'?",
                   load(&d, f, &(struct given){&wrong, 1}));
}

/* What fills is fitted on the rows that are trained on, not on those split off. */
static void test_fitted_on_the_training_part(void **state) {
    struct fixture *f = *state;
    for (int rule = 0; rule < 3; rule++) {
        static const char *const words[] = {"mean", "median", "most_frequent"};
        const struct fanin_attr attr = {.name = "missing", .text = words[rule]};
        fanin_data *d;
        char text[2000] = "a,y\n";
        for (int i = 0; i < 60; i++) {
            if (i % 6)
                snprintf(text + strlen(text), 40, "%d,%d\n", i * i % 23, i % 2);
            else
                snprintf(text + strlen(text), 40, ",%d\n", i % 2);
        }
        put_text(f, "a.csv", text);
        assert_ok(f->ctx, load(&d, f, &(struct given){&attr, 1, 0.5}));
        double sum = 0, present[60];
        int n = 0, count[23] = {0}, best = 0;
        for (int64_t i = 0; i < fanin_data_rows(d, FANIN_TRAIN); i++) {
            const int64_t row = fi_part_row(&d->parts[FANIN_TRAIN], i);
            if (row % 6 == 0) continue;
            const int value = (int)(row * row % 23);
            sum += value;
            count[value]++;
            int k = n++;
            for (; k > 0 && present[k - 1] > value; k--) present[k] = present[k - 1];
            present[k] = value;
        }
        assert_true(n > 10 && n < 40);
        for (int v = 0; v < 23; v++)
            if (count[v] > count[best]) best = v;
        const double expected[] = {sum / n, (present[(n - 1) / 2] + present[n / 2]) / 2, best};
        for (int row = 0; row < 60; row += 6)
            assert_true(d->tables[0].f32[row] == (float)expected[rule]);
        fanin_data_free(d);
    }
}

static const char cities[] = "x,city,y\n1,rome,u\n2,oslo,v\n3,rome,u\n4,oslo,v\n5,bonn,u\n6,,v\n"
                             "7,rome,u\n";

static void test_index(void **state) {
    struct fixture *f = *state;
    const struct fanin_attr attr = {.name = "categories", .text = "index"};
    fanin_data *d, *again;
    put_text(f, "a.csv", cities);
    assert_ok(f->ctx, load(&d, f, &(struct given){&attr, 1, 0, "mean_std"}));
    /* oslo 1, rome 2; bonn comes once, and so does a missing value: 0 */
    const float expected[] = {2, 1, 2, 1, 0, 0, 2};
    for (int row = 0; row < 7; row++) {
        fi_real x[2];
        gather_one(d, FANIN_TRAIN, row, x, NULL, NULL);
        assert_true(x[1] == (fi_real)expected[row]); /* not normalized */
        assert_true(fabs((double)x[0]) < 2);
    }
    struct fanin_column_info info;
    fanin_data_column(d, FANIN_TRAIN, 1, &info);
    assert_string_equal(info.name, "city");
    assert_int_equal(info.vocabulary, 3);
    fanin_data_column(d, FANIN_TRAIN, 0, &info);
    assert_int_equal(info.vocabulary, 0);
    assert_ok(f->ctx, like_text(&again, f, d, "city,x\nrome,1\nparis,1\n,1\n"));
    fi_real x[2];
    for (int row = 0; row < 3; row++) {
        gather_one(again, FANIN_TEST, row, x, NULL, NULL);
        assert_true(x[1] == (row == 0 ? 2 : 0)); /* never seen: its own bucket */
    }
    fanin_data_free(again);
    fanin_data_free(d);
}

static void test_index_by_column(void **state) {
    struct fixture *f = *state;
    static const struct fanin_named_text as[] = {{"zip", "index"}},
                                         rules[] = {{"city", "most_frequent"}};
    const struct fanin_attr attrs[] = {TEXTS("categories", as), TEXTS("missing", rules)};
    fanin_data *d, *again;
    put_text(f, "a.csv",
             "zip,city,y\n10,rome,u\n20,oslo,v\n10,rome,u\n20,,v\n30,oslo,u\n,rome,v\n,oslo,u\n,"
             "rome,u\n");
    assert_ok(f->ctx, load(&d, f, &(struct given){attrs, 2}));
    /* zip: missing 1, 10 2, 20 3; city=oslo, city=rome, of which rome comes more often */
    ASSERT_ROW(d, 0, 2, 0, 1);
    ASSERT_ROW(d, 3, 3, 0, 1);
    ASSERT_ROW(d, 4, 0, 1, 0);
    ASSERT_ROW(d, 5, 1, 0, 1);
    assert_ok(f->ctx, like_text(&again, f, d, "zip,city\n20,\n99,oslo\n"));
    ASSERT_ROW(again, 0, 3, 0, 1);
    ASSERT_ROW(again, 1, 0, 1, 0);
    fanin_data_free(again);
    fanin_data_free(d);
}

static void test_category_rules(void **state) {
    struct fixture *f = *state;
    fanin_data *d, *again;
    put_text(f, "a.csv", cities);
    static const struct fanin_named_text mean[] = {{"city", "mean"}}, error[] = {{"city", "error"}};
    struct fanin_attr attr = TEXTS("missing", mean);
    assert_refused(f->ctx, FANIN_ERR_RECIPE, "'city' is a category, which has no mean or median",
                   load(&d, f, &(struct given){&attr, 1}));
    attr.texts = error;
    assert_refused(f->ctx, FANIN_ERR_DATA, "a.csv:7: column 'city': a value is missing",
                   load(&d, f, &(struct given){&attr, 1}));
    put_text(f, "a.csv", "x,city,y\n1,rome,u\n2,oslo,v\n3,rome,u\n4,oslo,v\n");
    assert_ok(f->ctx, load(&d, f, &(struct given){&attr, 1}));
    assert_refused(f->ctx, FANIN_ERR_DATA, "new.csv:2: column 'city': '' is a missing value",
                   like_text(&again, f, d, "x,city\n1,\n"));
    fanin_data_free(d);
    /* `missing: mean` for all leaves categories alone */
    const struct fanin_attr all = {.name = "missing", .text = "mean"};
    put_text(f, "a.csv", cities);
    assert_ok(f->ctx, load(&d, f, &(struct given){&all, 1}));
    fanin_data_free(d);
}

static void test_index_limits(void **state) {
    struct fixture *f = *state;
    fanin_data *d;
    char *text = malloc(40000);
    strcpy(text, "id,y\n");
    for (int i = 0; i < 1000; i++)
        sprintf(text + strlen(text), "n%03d,%c\n", i % 500, i % 2 ? 'u' : 'v');
    put_text(f, "a.csv", text);
    assert_refused(f->ctx, FANIN_ERR_DATA,
                   "more than 256 different texts (list it in `ignore`, "
                   "raise `max_categories`, or take their numbers: "
                   "`categories: index`)",
                   load(&d, f, &(struct given){NULL, 0}));
    const struct fanin_attr index = {.name = "categories", .text = "index"};
    assert_ok(f->ctx, load(&d, f, &(struct given){&index, 1}));
    struct fanin_column_info info;
    fanin_data_column(d, FANIN_TRAIN, 0, &info);
    assert_int_equal(info.vocabulary, 501);
    fanin_data_free(d);
    const struct fanin_attr both[] = {index, {.name = "max_categories", .number = 100}};
    assert_refused(f->ctx, FANIN_ERR_DATA, "more than 100 different texts",
                   load(&d, f, &(struct given){both, 2}));
    free(text);
}

static void test_selection(void **state) {
    struct fixture *f = *state;
    fanin_data *d, *again;
    put_text(f, "a.csv", "\"a, b\",c,d,y\n1,2,3,u\n4,5,6,v\n");
    static const struct fanin_named_text two[] = {{NULL, "d"}, {NULL, "a, b"}};
    const struct fanin_attr columns = TEXTS("columns", two);
    assert_ok(f->ctx, load(&d, f, &(struct given){&columns, 1}));
    ASSERT_ROW(d, 1, 4, 6); /* in the order of the file */
    assert_ok(f->ctx, like_text(&again, f, d, "z,d,\"a, b\"\n0,8,9\n"));
    ASSERT_ROW(again, 0, 9, 8);
    fanin_data_free(again);
    fanin_data_free(d);
    const struct fanin_attr both[] = {columns, {.name = "ignore", .text = "d"}};
    assert_ok(f->ctx, load(&d, f, &(struct given){both, 2}));
    ASSERT_ROW(d, 1, 4);
    fanin_data_free(d);
    const struct fanin_attr typo = {.name = "columns", .text = "c, dd"};
    assert_refused(f->ctx, FANIN_ERR_RECIPE, "no column is called 'dd' (csv attribute columns)",
                   load(&d, f, &(struct given){&typo, 1}));
}

static void test_delimiters(void **state) {
    struct fixture *f = *state;
    static const struct {
        const char *name, *delimiter, *text;
    } cases[] = {
        {"a.tsv", "auto", "a, b, c\ty\n1\tu\n2\tv\n"}, /* more commas than tabs */
        {"a.txt", "tab", "a, b, c\ty\n1\tu\n2\tv\n"},
        {"a.txt", "\\t", "\xef\xbb\xbf\"a, b, c\"\ty\r\n1\tu\r\n2\t\"v\"\r\n"},
        {"a.txt", "semicolon",
         "\xef\xbb\xbf"
         "a, b, c;y\r\n1;\"u;\"\r\n2;v\r\n"},
        {"a.txt", ";", "a, b, c;y\n1;u\n2;v\n"},
        {"a.txt", "bar", "a, b, c|y\r1|u\r2|v\r"},
        {"a.csv", "comma", "\"a, b, c\",y\n1,\"u;;;;\"\n2,v\n"},
    };
    for (int i = 0; i < FI_COUNT(cases); i++) {
        const struct fanin_attr attr = {.name = "delimiter", .text = cases[i].delimiter};
        fanin_data *d;
        put_text(f, cases[i].name, cases[i].text);
        assert_ok(f->ctx, load(&d, f, &(struct given){&attr, 1}));
        assert_string_equal(d->tables[0].input_names[0], "a, b, c");
        assert_int_equal(fanin_data_rows(d, FANIN_TRAIN), 2);
        fanin_data_free(d);
    }
    fanin_data *d;
    const struct fanin_attr bad = {.name = "delimiter", .text = "::"};
    assert_refused(f->ctx, FANIN_ERR_RECIPE, "delimiter must be auto, comma, semicolon, tab, bar",
                   load(&d, f, &(struct given){&bad, 1}));
}

/* A schema of a model file with each of its members wrong. */
static void test_damaged_schema(void **state) {
    struct fixture *f = *state;
    static const struct fanin_named_text rules[] = {{"city", "most_frequent"}, {"x", "flag"}};
    static const struct {
        const char *from, *to;
    } lies[] = {{"\"usual\":1", "\"usual\":7"},
                {"\"usual\":1", "\"usual\":-1"},
                {"\"usual\":1", "\"usual\":\"\""},
                {"\"missing\":\"most_frequent\"", "\"missing\":\"flag\""},
                {"\"missing\":\"most_frequent\"", "\"missing\":\"most\""}};
    const struct fanin_attr attr = TEXTS("missing", rules);
    fanin_data *d, *again;
    put_text(f, "a.csv", "x,city,y\n1,rome,u\n2,oslo,v\n,rome,u\n4,oslo,v\n5,rome,u\n");
    assert_ok(f->ctx, load(&d, f, &(struct given){&attr, 1}));
    for (int i = 0; i < FI_COUNT(lies); i++) {
        char text[2000];
        const char *at = strstr(d->schema, lies[i].from);
        assert_non_null(at);
        snprintf(text, sizeof text, "%.*s%s%s", (int)(at - d->schema), d->schema, lies[i].to,
                 at + strlen(lies[i].from));
        const char *kept = d->schema;
        d->schema = text;
        assert_refused(f->ctx, FANIN_ERR_DATA, "the model's data schema is damaged",
                       like_text(&again, f, d, "x,city\n1,rome\n"));
        d->schema = kept;
    }
    fanin_data_free(d);
}

static struct CMUnitTest tests[] = {
    DATA_TEST(test_missing_by_column),
    DATA_TEST(test_missing_for_all),
    DATA_TEST(test_fitted_on_the_training_part),
    DATA_TEST(test_index),
    DATA_TEST(test_index_by_column),
    DATA_TEST(test_category_rules),
    DATA_TEST(test_index_limits),
    DATA_TEST(test_selection),
    DATA_TEST(test_delimiters),
    DATA_TEST(test_damaged_schema),
};
int main(void) {
    return test_main(tests);
}
