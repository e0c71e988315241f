/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pages: the data inside are JSON that says what was added, whatever texts and numbers hold; a sink
 * that refuses and memory that runs out are told. With a file's name as its argument the program
 * writes a page with every kind of part there, for the test with a browser.
 */
#include "support/support.h"

#include <fanin/page.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define HOSTILE "</script><img src=x onerror=alert(1)><!-- \"'&\\ \x01 \xff \xe2\x80\xa8"

struct memory {
    char *text;
    size_t length;
    int calls, refuse_at;
};

static int keep(void *payload, const char *text, size_t bytes) {
    struct memory *m = payload;
    if (++m->calls == m->refuse_at) return 1;
    m->text = realloc(m->text, m->length + bytes + 1);
    memcpy(m->text + m->length, text, bytes);
    m->length += bytes;
    m->text[m->length] = '\0';
    return 0;
}

static void add_plots(fanin_page *page) {
    static const double y[] = {1, 10, 1000, NAN, 5}, low[] = {0.5, 5, 500, NAN, 0},
                        high[] = {2, 20, 2000, INFINITY, 9}, x[] = {0, 0, 1, 1, 2};
    static const char *const labels[] = {HOSTILE, "b", "c", "d", "e"};
    struct fanin_page_series series[5];
    for (int i = 0; i < 5; i++)
        series[i] =
            (struct fanin_page_series){"s", (enum fanin_page_style)i, 5, NULL, y, low, high};
    series[FANIN_PAGE_STRIP].x = x;
    struct fanin_page_plot plot = {.title = "labels",
                                   .x_title = "layer",
                                   .y_title = "y",
                                   .y_scale = FANIN_PAGE_AUTO,
                                   .labels = labels,
                                   .n_labels = 5,
                                   .series = series,
                                   .n_series = 5};
    fanin_page_add_plot(page, &plot);
    plot = (struct fanin_page_plot){
        .title = "numbers", .x_title = "x", .series = series, .n_series = 1};
    fanin_page_add_plot(page, &plot);
    plot.title = "strip";
    plot.series = &series[FANIN_PAGE_STRIP];
    plot.labels = labels;
    plot.n_labels = 3;
    fanin_page_add_plot(page, &plot);
    static const int64_t counts[] = {1, 5, 2, 0, 7};
    const struct fanin_page_histogram h[] = {{HOSTILE, -1, 1, counts, 5},
                                             {"two", 0, 1e-6, counts, 5}};
    fanin_page_add_histograms(page, "histograms", NULL, "value", h, 2);
    const double values[] = {1, 2, NAN, 4, 5, 6}, boundary[] = {0.5, NAN, 1.5};
    struct fanin_page_heat heat = {.title = "heat",
                                   .x_title = "x",
                                   .y_title = "y",
                                   .value_title = "v",
                                   .columns = labels + 1,
                                   .rows = labels,
                                   .n_columns = 3,
                                   .n_rows = 2,
                                   .values = values,
                                   .boundary = boundary,
                                   .boundary_title = "edge"};
    fanin_page_add_heat(page, &heat);
    static double many[400];
    static const char *names[20];
    for (int i = 0; i < 400; i++) many[i] = sin(i * 0.1);
    for (int i = 0; i < 20; i++) names[i] = "long name";
    heat.columns = heat.rows = names;
    heat.n_columns = heat.n_rows = 20;
    heat.values = many;
    heat.boundary = NULL;
    fanin_page_add_heat(page, &heat);
}

static void add_all(fanin_page *page) {
    static const char *const columns[] = {"name", "number"};
    const struct fanin_page_cell cells[] = {
        {.text = HOSTILE}, {.number = 0.1}, {.text = "nan"}, {.number = NAN}};
    const struct fanin_page_table table = {"table", columns, 2, cells, 2};
    const struct fanin_page_fact facts[] = {{"a", {.number = 1e-7}, NULL},
                                            {"b", {.text = "two"}, HOSTILE}};
    const struct fanin_page_notice notice = {.tone = FANIN_PAGE_BAD,
                                             .label = HOSTILE,
                                             .title = HOSTILE,
                                             .text = HOSTILE " `code`",
                                             .more = "more",
                                             .code = HOSTILE,
                                             .large = 1};
    fanin_page_add_notice(page, &notice);
    fanin_page_add_section(page, HOSTILE, "text `code` " HOSTILE);
    fanin_page_add_text(page, HOSTILE);
    fanin_page_add_code(page, "json", "{\"seed\":18446744073709551615,\"a\":[1,{\"b\":\"c,d\"}]}",
                        1);
    fanin_page_add_facts(page, facts, 2);
    fanin_page_add_table(page, &table);
    add_plots(page);
}

static json_t *data_of(const struct memory *m) {
    static const char begin[] = "id=\"data\">";
    const char *from = strstr(m->text, begin) + sizeof begin - 1;
    const char *to = strstr(from, "</script>");
    json_error_t error;
    json_t *data = json_loadb(from, (size_t)(to - from), 0, &error);
    if (!data) fail_msg("%s", error.text);
    return data;
}

static void test_data(void **state) {
    fanin_ctx *ctx = *state;
    fanin_page *page;
    struct memory m = {0};
    assert_int_equal(fanin_page_create(&page, ctx, HOSTILE, NULL), FANIN_OK);
    add_all(page);
    assert_int_equal(fanin_page_write(page, keep, &m), FANIN_OK);
    assert_null(strstr(m.text, "<img"));
    assert_null(strstr(m.text, "<!--"));
    assert_non_null(strstr(m.text, "<title>&#60;/script&#62;"));
    json_t *data = data_of(&m), *parts = json_object_get(data, "parts");
    static const char *const kinds[] = {"notice", "section", "text", "code",       "facts", "table",
                                        "plot",   "plot",    "plot", "histograms", "heat",  "heat"};
    assert_int_equal(json_array_size(parts), sizeof kinds / sizeof *kinds);
    for (size_t i = 0; i < json_array_size(parts); i++)
        assert_string_equal(json_string_value(json_object_get(json_array_get(parts, i), "kind")),
                            kinds[i]);
    /* what came in is what a reader gets, but for the byte that is no UTF-8 */
    assert_string_equal(
        json_string_value(json_object_get(json_array_get(parts, 2), "text")),
        "</script><img src=x onerror=alert(1)><!-- \"'&\\ \x01 \xef\xbf\xbd \xe2\x80\xa8");
    json_t *rows = json_object_get(json_array_get(parts, 5), "rows");
    assert_true(json_real_value(json_array_get(json_array_get(rows, 0), 1)) == 0.1);
    assert_string_equal(json_string_value(json_array_get(json_array_get(rows, 1), 1)), "nan");
    json_t *series = json_array_get(json_object_get(json_array_get(parts, 6), "series"), 0);
    assert_string_equal(json_string_value(json_array_get(json_object_get(series, "high"), 3)),
                        "inf");
    json_decref(data);
    free(m.text);
    fanin_page_free(page);
}

static void test_sink(void **state) {
    fanin_ctx *ctx = *state;
    fanin_page *page;
    assert_int_equal(fanin_page_create(&page, ctx, "t", "a"), FANIN_OK);
    for (int at = 1; at <= 5; at++) {
        struct memory m = {.refuse_at = at};
        assert_int_equal(fanin_page_write(page, keep, &m), FANIN_ERR_IO);
        assert_int_equal(m.calls, at);
        free(m.text);
    }
    fanin_page_free(page);
}

/* A page of many plots stays small: few digits, and what series share stands once. */
static void test_size(void **state) {
    enum { PLOTS = 40, SERIES = 5, N = 500 };
    fanin_ctx *ctx = *state;
    fanin_page *page;
    struct memory m = {0};
    static double x[N], y[SERIES][N];
    struct fanin_page_series series[SERIES];
    assert_int_equal(fanin_page_create(&page, ctx, "t", "a"), FANIN_OK);
    for (int s = 0; s < SERIES; s++) {
        series[s] = (struct fanin_page_series){"name", FANIN_PAGE_LINE, N, x, y[s], NULL, NULL};
        for (int i = 0; i < N; i++) {
            x[i] = 100.0 * i;
            y[s][i] = sin(i * 0.1 + s) / 3;
        }
    }
    struct fanin_page_plot plot = {.title = "plot", .series = series, .n_series = SERIES};
    for (int i = 0; i + 1 < PLOTS; i++) fanin_page_add_plot(page, &plot);
    for (int i = 0; i < N; i++) y[4][i] = 1000 + 1e-4 * y[4][i];
    series[3].x = y[3];
    fanin_page_add_plot(page, &plot);
    assert_int_equal(fanin_page_write(page, keep, &m), FANIN_OK);
    assert_true(m.length < 1500000);
    json_t *data = data_of(&m), *parts = json_object_get(data, "parts");
    json_t *list = json_object_get(json_array_get(parts, PLOTS - 1), "series");
    for (int s = 0; s < SERIES; s++) {
        const json_t *of = json_object_get(json_array_get(list, (size_t)s), "x");
        assert_int_equal(json_is_string(of), s == 1 || s == 2);
        const json_t *ys = json_object_get(json_array_get(list, (size_t)s), "y");
        const double resolution = s == 4 ? 1e-7 : 1e-5;
        for (int i = 0; i < N; i++) {
            const double is = json_number_value(json_array_get(ys, (size_t)i));
            assert_true(fabs(is - y[s][i]) <= resolution);
        }
    }
    json_decref(data);
    free(m.text);
    fanin_page_free(page);
}

static int open_ctx(void **state) {
    return fanin_ctx_create((fanin_ctx **)state, NULL, NULL, 0) != FANIN_OK;
}
static int close_ctx(void **state) {
    fanin_ctx_free(*state);
    return 0;
}

static int to_file(void *file, const char *text, size_t bytes) {
    return fwrite(text, 1, bytes, file) != bytes;
}
static int write_page(const char *path) {
    fanin_ctx *ctx;
    fanin_page *page;
    FILE *file = fopen(path, "wb");
    if (!file || fanin_ctx_create(&ctx, NULL, NULL, 0) != FANIN_OK) return 1;
    int failed = fanin_page_create(&page, ctx, HOSTILE, "every part") != FANIN_OK;
    if (!failed) {
        add_all(page);
        failed = fanin_page_write(page, to_file, file) != FANIN_OK;
        fanin_page_free(page);
    }
    fanin_ctx_free(ctx);
    return fclose(file) != 0 || failed;
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_data), cmocka_unit_test(test_sink),
                                       cmocka_unit_test(test_size)};
    if (argc > 1) return write_page(argv[1]);
    return cmocka_run_group_tests(tests, open_ctx, close_ctx);
}
