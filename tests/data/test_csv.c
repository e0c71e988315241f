/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables of text: what is understood, and every refusal with its line and column.
 */
#include <locale.h>

#include "data/csv.h"
#include "data/data_support.h"

/* Loads f->path with up to four attributes, given as name, text, name, text, ..., NULL. */
static enum fanin_status load(fanin_data **d, struct fixture *f, const char *const *attrs) {
    struct fanin_attr list[4] = {{0}};
    int64_t n = 0;
    for (; attrs && attrs[2 * n]; n++) {
        list[n].name = attrs[2 * n];
        list[n].text = attrs[2 * n + 1];
    }
    struct fanin_data_options o = {.size = sizeof o,
                                   .reader = {.name = "csv", .attrs = list, .n_attrs = n},
                                   .train = f->path,
                                   .normalize = "none",
                                   .seed = 1};
    return fanin_data_load(d, f->ctx, &o);
}
#define ATTRS(...) ((const char *const[]){__VA_ARGS__, NULL})

static float cell(const fanin_data *d, int64_t row, int64_t col) {
    const struct fi_table *t = &d->tables[FANIN_TRAIN];
    return t->f32[row * t->shape.cols + col];
}

static void assert_described(const fanin_data *d, const char *part) {
    if (!strstr(fanin_data_describe(d), part))
        fail_msg("'%s' does not say '%s'", fanin_data_describe(d), part);
}

static void test_columns_and_classes(void **state) {
    struct fixture *f = *state;
    fanin_data *d;
    put_text(
        f, "a.csv",
        "width,city,kind\n1.5,rome,big\n-2,paris,small\n,paris,big\n4e-1,,small\n5,oslo,big\n");
    assert_ok(f->ctx, load(&d, f, NULL));
    const struct fi_table *t = &d->tables[FANIN_TRAIN];
    /* width, city=paris, city=(other): all but paris come once */
    assert_int_equal(fanin_data_shape(d)->cols, 3);
    assert_string_equal(t->input_names[0], "width");
    assert_string_equal(t->input_names[1], "city=paris");
    assert_string_equal(t->input_names[2], "city=(other)");
    assert_int_equal(t->fixed[0], 0);
    assert_int_equal(t->fixed[2], 1);
    assert_int_equal(fanin_data_task(d), FANIN_CLASSIFICATION);
    assert_string_equal(fanin_data_output_name(d, 0), "big");
    assert_string_equal(fanin_data_output_name(d, 1), "small");
    assert_true(cell(d, 0, 0) == 1.5f && cell(d, 3, 0) == 0.4f);
    assert_true(cell(d, 2, 0) == (1.5f - 2 + 0.4f + 5) / 4);
    assert_true(cell(d, 0, 1) == 0 && cell(d, 0, 2) == 1 && cell(d, 1, 1) == 1);
    assert_int_equal(t->labels[1], 1);
    assert_described(d, "1 numeric and 1 categorical");
    assert_described(d, "1 missing numbers");
    assert_described(d, "classification (2 different texts)");
    fanin_data_free(d);

    const struct fanin_attr every = {.name = "min_count", .number = 1};
    struct fanin_data_options o = {.size = sizeof o,
                                   .reader = {.name = "csv", .attrs = &every, .n_attrs = 1},
                                   .train = f->path};
    assert_ok(f->ctx, fanin_data_load(&d, f->ctx, &o));
    t = &d->tables[FANIN_TRAIN];
    assert_int_equal(fanin_data_shape(d)->cols, 5);
    assert_string_equal(t->input_names[1], "city=(missing)");
    assert_string_equal(t->input_names[4], "city=rome");
    fanin_data_free(d);
}

static void test_task_from_target(void **state) {
    struct fixture *f = *state;
    fanin_data *d;
    put_text(f, "a.csv", "1,0.5\n2,1.5\n3,0.5\n");
    assert_ok(f->ctx, load(&d, f, NULL));
    assert_int_equal(fanin_data_task(d), FANIN_REGRESSION);
    assert_string_equal(fanin_data_output_name(d, 0), "column 2");
    assert_described(d, "no header");
    fanin_data_free(d);
    assert_ok(f->ctx, load(&d, f, ATTRS("task", "classification")));
    assert_int_equal(fanin_data_task(d), FANIN_CLASSIFICATION);
    assert_string_equal(fanin_data_output_name(d, 1), "1.5");
    fanin_data_free(d);
    assert_ok(f->ctx, load(&d, f, ATTRS("target", "1"))); /* whole numbers */
    assert_int_equal(fanin_data_task(d), FANIN_CLASSIFICATION);
    assert_int_equal(fanin_data_outputs(d), 3);
    fanin_data_free(d);

    put_text(f, "a.csv", "x,y\n1,10\n2,9\n3,10.0\n4,-1\n"); /* sorted as numbers, 10.0 is 10 */
    assert_ok(f->ctx, load(&d, f, NULL));
    assert_int_equal(fanin_data_outputs(d), 3);
    assert_string_equal(fanin_data_output_name(d, 0), "-1");
    assert_string_equal(fanin_data_output_name(d, 2), "10");
    assert_int_equal(d->tables[0].labels[2], 2);
    fanin_data_free(d);

    char text[2000] = "x,y\n";
    for (int i = 0; i < 21; i++) sprintf(text + strlen(text), "%d,%d\n", i, i);
    put_text(f, "a.csv", text); /* 21 whole numbers are no classes any more */
    assert_ok(f->ctx, load(&d, f, NULL));
    assert_int_equal(fanin_data_task(d), FANIN_REGRESSION);
    fanin_data_free(d);
}

static void test_header(void **state) {
    struct fixture *f = *state;
    static const struct {
        const char *text, *header;
        int64_t rows;
    } cases[] = {{"a,b\n1,2\n3,4\n", "auto", 2},
                 {"1,2\n3,4\n5,6\n", "auto", 3},
                 {"p,x\np,y\ne,x\n", "auto", 3},
                 {"size,kind\np,x\ne,y\np,y\n", "auto", 3},
                 {"id,2001\n1,2\n3,4\n", "auto", 2},
                 {",b\n1,2\n2,3\n", "auto", 2},
                 {"1,2\n3,4\n5,6\n", "yes", 2},
                 {"a,b\np,x\ne,y\n", "no", 3},
                 {"\xef\xbb\xbf"
                  "a,b\n1,2\n3,4\n",
                  "auto", 2}};
    for (int i = 0; i < FI_COUNT(cases); i++) {
        fanin_data *d;
        put_text(f, "a.csv", cases[i].text);
        const struct fanin_attr attrs[] = {{.name = "header", .text = cases[i].header},
                                           {.name = "min_count", .number = 1}};
        struct fanin_data_options o = {.size = sizeof o,
                                       .reader = {.name = "csv", .attrs = attrs, .n_attrs = 2},
                                       .train = f->path};
        assert_ok(f->ctx, fanin_data_load(&d, f->ctx, &o));
        assert_int_equal(fanin_data_rows(d, FANIN_TRAIN), cases[i].rows);
        fanin_data_free(d);
    }
}

static void test_dialects(void **state) {
    struct fixture *f = *state;
    static const char *const texts[] = {"a,b,c\n1,2,x\n3,4,y\n", "a;b;c\r\n1;2;x\r\n3;4;y\r\n",
                                        "a\tb\tc\n1\t2\tx\n3\t4\ty", "a|b|c\r1|2|x\r3|4|y\r",
                                        "\"a\",b,c\n\n 1 ,\"2\",x\n  \n3,4,\"y\"\n\n"};
    for (int i = 0; i < FI_COUNT(texts); i++) {
        fanin_data *d;
        put_text(f, "a.csv", texts[i]);
        assert_ok(f->ctx, load(&d, f, NULL));
        assert_int_equal(fanin_data_rows(d, FANIN_TRAIN), 2);
        assert_true(cell(d, 1, 0) == 3 && cell(d, 1, 1) == 4);
        assert_string_equal(fanin_data_output_name(d, 1), "y");
        fanin_data_free(d);
    }
    fanin_data *d;
    put_text(f, "a.csv", "\"a\n\"\"b\"\"\",\"k,d\"\n1,\"x\ny\"\n2,z\n");
    assert_ok(f->ctx, load(&d, f, NULL));
    assert_string_equal(d->tables[0].input_names[0], "a\n\"b\"");
    assert_string_equal(fanin_data_output_name(d, 0), "x\ny");
    fanin_data_free(d);
    uint8_t packed[256];
    const char text[] = "a,b\n1,2.5\n3,4.5\n";
    put(f, "a.csv.gz", packed, gzip_bytes(packed, sizeof packed, text, strlen(text)));
    assert_ok(f->ctx, load(&d, f, NULL));
    assert_int_equal(fanin_data_rows(d, FANIN_TRAIN), 2);
    fanin_data_free(d);
}

static void test_choice_of_columns(void **state) {
    struct fixture *f = *state;
    fanin_data *d;
    put_text(f, "a.csv", "id,zip,size,y\n1,10,1.5,a\n2,20,2.5,b\n3,10,3.5,a\n4,20,4,b\n");
    assert_ok(f->ctx,
              load(&d, f, ATTRS("target", "size", "ignore", "id, 4", "categorical", "zip")));
    assert_int_equal(fanin_data_task(d), FANIN_REGRESSION);
    assert_string_equal(fanin_data_output_name(d, 0), "size");
    assert_int_equal(fanin_data_shape(d)->cols, 2);
    assert_string_equal(d->tables[0].input_names[1], "zip=20");
    assert_described(d, "2 left out");
    fanin_data_free(d);
    assert_refused(f->ctx, FANIN_ERR_RECIPE, "did you mean 'size'",
                   load(&d, f, ATTRS("target", "sise")));
    assert_refused(f->ctx, FANIN_ERR_RECIPE, "no column is called '5'",
                   load(&d, f, ATTRS("target", "5")));
    assert_refused(f->ctx, FANIN_ERR_RECIPE, "csv attribute ignore",
                   load(&d, f, ATTRS("ignore", "id,nothing")));
}

static void test_refusals(void **state) {
    struct fixture *f = *state;
    static const struct {
        const char *text, *says, *attr, *value;
    } cases[] = {
        {"a,b\n1,2\n3,4,5\n", "a.csv:3: this row has 3 cells, but the first has 2", NULL, NULL},
        {"a,b\n1,2\n3\n", "a.csv:3: this row has 1 cells", NULL, NULL},
        {"a,b\n1,\"2\n3,4\n", "a.csv:2: a quote opened in this row is never closed", NULL, NULL},
        {"a,b\n1,2\n3,4\"\n", "a.csv:3: stray quote", NULL, NULL},
        {"a,b\n1,\"2\"x\n", "a.csv:2: stray quote", NULL, NULL},
        {"a,b\n1,2\nnan,3.5\n", "a.csv:3: column 'a': 'nan' is not a finite number", NULL, NULL},
        {"a,b\n1,2.5\n2,-inf\n", "a.csv:3: column 'b': '-inf' is not a finite", NULL, NULL},
        {"a,b\n1e400,2.5\n2,1\n", "a.csv:2: column 'a': '1e400' is not a finite", NULL, NULL},
        {"a,b\n1,3.5e38\n2,1\n", "column 'b': '3.5e38' is not a finite", NULL, NULL},
        {"", "is empty", NULL, NULL},
        {"\n\n \n", "is empty", NULL, NULL},
        {"a,b\n", "has a header but no data", NULL, NULL},
        {"a,b,a\n1,2,3\n", "a.csv:1: columns 1 and 3 are both called 'a'", NULL, NULL},
        {"a,b\n1,x\n2,y\n3,\n", "a.csv:4: column 'b': '' is a missing value, but the target", NULL,
         NULL},
        {"a,b\n1,x\n2,x\n", "the target 'b' has one class only ('x')", NULL, NULL},
        {"a,b\n1,\n2,\n", "the target 'b' has no values", NULL, NULL},
        {"a\n1\n2\n", "no column to learn from", NULL, NULL},
        {"a,b\n1,x\n2,2\n", "'x' is no number, but the task is regression", "task", "regression"},
        {"a,b\n,1.5\n2,2\n", "a.csv:2: column 'a': '' is a missing value", "missing", "error"},
        {"a,b\n\xe9,1\n", "a.csv:2: byte 0xe9 is not UTF-8", NULL, NULL},
        {"a,b\n\xed\xa0\x80,1\n", "a.csv:2: byte 0xed is not UTF-8", NULL, NULL},
        {"\xff\xfe"
         "a",
         "is UTF-16", NULL, NULL},
        {"a,b\n1,2\n", "delimiter must be", "delimiter", "ab"},
        {"a,b\n1,2\n", "delimiter must be", "delimiter", "\""},
    };
    for (int i = 0; i < FI_COUNT(cases); i++) {
        fanin_data *d;
        put_text(f, "a.csv", cases[i].text);
        enum fanin_status expected = cases[i].attr && strcmp(cases[i].attr, "delimiter") == 0
                                         ? FANIN_ERR_RECIPE
                                         : FANIN_ERR_DATA;
        assert_refused(f->ctx, expected, cases[i].says,
                       load(&d, f, ATTRS(cases[i].attr, cases[i].value)));
        assert_null(d);
    }
    fanin_data *d;
    put(f, "a.csv", "a,b\n1,2\n\0,3\n", 13);
    assert_refused(f->ctx, FANIN_ERR_DATA, "a.csv:3: byte 0x00", load(&d, f, NULL));
}

/* One text among many numbers is a slip, not a category. */
static void test_stray_text(void **state) {
    struct fixture *f = *state;
    fanin_data *d;
    char text[1000] = "x,y\n";
    for (int i = 0; i < 20; i++)
        sprintf(text + strlen(text), "%s,%d\n", i == 7 ? "1o" : i % 2 ? "10" : "11", i % 2);
    put_text(f, "a.csv", text);
    assert_refused(f->ctx, FANIN_ERR_DATA, "a.csv:9: column 'x': '1o' is no number",
                   load(&d, f, NULL));
    assert_ok(f->ctx, load(&d, f, ATTRS("categorical", "x")));
    assert_int_equal(fanin_data_shape(d)->cols, 3);
    fanin_data_free(d);
}

static void test_too_many_categories(void **state) {
    struct fixture *f = *state;
    fanin_data *d;
    char *text = calloc(1, 10000);
    strcpy(text, "name,y\n");
    for (int i = 0; i < 300; i++) sprintf(text + strlen(text), "name%d,%d\n", i, i % 2);
    put_text(f, "a.csv", text);
    assert_refused(f->ctx, FANIN_ERR_DATA, "a.csv:258: column 'name' has more than 256",
                   load(&d, f, NULL));
    free(text);
}

/* A quote left open at the start of a long file ends at the limit of a row, not of the memory. */
static void test_row_limit(void **state) {
    struct fixture *f = *state;
    const size_t size = (size_t)17 << 20;
    char *text = malloc(size);
    fanin_data *d;
    assert_non_null(text);
    for (size_t i = 0; i < size; i++) text[i] = i % 64 == 63 ? '\n' : 'x';
    memcpy(text, "a,b\n1,\"", 7);
    put(f, "a.csv", text, size);
    assert_refused(f->ctx, FANIN_ERR_DATA, "a.csv:2: the row that begins here is longer",
                   load(&d, f, NULL));
    free(text);
}

/* What a number is, exactly, in every locale there is. */
static void check_numbers(struct fixture *f) {
    static const struct {
        const char *text;
        enum csv_cell kind;
        double value;
    } cases[] = {{"0", CSV_NUMBER, 0},
                 {"-12.50", CSV_NUMBER, -12.5},
                 {"+.5e1", CSV_NUMBER, 5},
                 {"5.", CSV_NUMBER, 5},
                 {"1e-3", CSV_NUMBER, 1e-3},
                 {"0.1", CSV_NUMBER, 0.1},
                 {"123456789012345678901234567890", CSV_NUMBER, 123456789012345678901234567890.},
                 {"0.30000000000000004441", CSV_NUMBER, 0.30000000000000004441},
                 {"2.2250738585072011e-308", CSV_NUMBER, 2.2250738585072011e-308},
                 {"1e-400", CSV_NUMBER, 0},
                 {"000000000000000000000000000000001.5", CSV_NUMBER, 1.5},
                 {"0.00000000000000000000000000000000000000015", CSV_NUMBER, 1.5e-40},
                 {"3.4028234663852886e38", CSV_NUMBER, 3.4028234663852886e38},
                 {"3.5e38", CSV_NOT_FINITE, 0},
                 {"1e99999999999999999999", CSV_NOT_FINITE, 0},
                 {"NaN", CSV_NOT_FINITE, 0},
                 {"-Infinity", CSV_NOT_FINITE, 0},
                 {"0x10", CSV_TEXT, 0},
                 {"1,5", CSV_TEXT, 0},
                 {"1_000", CSV_TEXT, 0},
                 {"1 2", CSV_TEXT, 0},
                 {"1e", CSV_TEXT, 0},
                 {"1e+", CSV_TEXT, 0},
                 {".", CSV_TEXT, 0},
                 {"-", CSV_TEXT, 0},
                 {"1.2.3", CSV_TEXT, 0},
                 {"--1", CSV_TEXT, 0},
                 {"", CSV_TEXT, 0}};
    struct csv_file file;
    put_text(f, "a.csv", "1\n");
    assert_ok(f->ctx, fi_csv_open(&file, f->ctx, f->path, "auto"));
    for (int i = 0; i < FI_COUNT(cases); i++) {
        double value = 0;
        if (fi_csv_number(&file, cases[i].text, &value) != cases[i].kind ||
            (cases[i].kind == CSV_NUMBER && value != cases[i].value))
            fail_msg("'%s' is read as %.17g", cases[i].text, value);
    }
    fi_csv_close(&file);
}

static void test_numbers(void **state) {
    static const char *const locales[] = {"C", "de_DE.UTF-8", "fr_FR.UTF-8", "ps_AF.UTF-8"};
    struct fixture *f = *state;
    for (int i = 0; i < FI_COUNT(locales); i++) {
        if (!setlocale(LC_ALL, locales[i])) continue; /* not installed */
        check_numbers(f);
        fanin_data *d;
        put_text(f, "a.csv", "a,b\n1.5,2.5\n,4.5\n3,1\n");
        assert_ok(f->ctx, load(&d, f, NULL));
        assert_non_null(strstr(d->schema, "\"fill\":[2.25]"));
        fanin_data_free(d);
    }
    setlocale(LC_ALL, "C");
}

static void test_refuses_every_truncation_of_gzip(void **state) {
    struct fixture *f = *state;
    const char text[] = "a,b\n1,2.5\n3,4.5\n";
    uint8_t packed[256];
    fanin_data *d;
    size_t n = gzip_bytes(packed, sizeof packed, text, strlen(text));
    for (size_t k = 2; k < n; k++) {
        put(f, "a.csv.gz", packed, k);
        assert_refused(f->ctx, FANIN_ERR_DATA, "a.csv.gz", load(&d, f, NULL));
    }
}

static void test_refuses_a_bomb(void **state) {
    struct fixture *f = *state;
    const size_t size = (size_t)70 << 20;
    char *bomb = malloc(size);
    uint8_t *packed = malloc(1 << 18);
    fanin_data *d;
    assert_non_null(bomb);
    assert_non_null(packed);
    memset(bomb, '1', size);
    put(f, "a.csv.gz", packed, gzip_bytes(packed, 1 << 18, bomb, size));
    assert_refused(f->ctx, FANIN_ERR_DATA, "unpacks to more than", load(&d, f, NULL));
    free(bomb);
    free(packed);
}

static struct CMUnitTest tests[] = {
    DATA_TEST(test_columns_and_classes),
    DATA_TEST(test_task_from_target),
    DATA_TEST(test_header),
    DATA_TEST(test_dialects),
    DATA_TEST(test_choice_of_columns),
    DATA_TEST(test_refusals),
    DATA_TEST(test_stray_text),
    DATA_TEST(test_too_many_categories),
    DATA_TEST(test_row_limit),
    DATA_TEST(test_numbers),
    DATA_TEST(test_refuses_every_truncation_of_gzip),
    DATA_TEST(test_refuses_a_bomb),
};
int main(void) {
    return test_main(tests);
}
