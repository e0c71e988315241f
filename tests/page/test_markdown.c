/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pages as Markdown with pictures: texts come out as they went in, the same page gives the same
 * bytes, numbers of any size draw something within the frame or nothing, and memory or a sink that
 * gives out is told. With a folder as its argument the program writes its pages there, for
 * test_pictures.sh, which reads the pictures as XML.
 */
#include "page/pages.h"
#include "support/memory.h"

#include <float.h>
#include <stdbool.h>

/* ---- what a page became ---------------------------------------------------------------------------- */

struct written {
    char *text;
    size_t length;
    char *pictures; /* one after the other */
    size_t pictures_length, most;
    int n, refuse_at;
    char last_name[64];
};

static void append(char **to, size_t *length, const char *from, size_t bytes) {
    *to = realloc(*to, *length + bytes + 1);
    memcpy(*to + *length, from, bytes);
    *length += bytes;
    (*to)[*length] = '\0';
}
static int keep_text(void *payload, const char *text, size_t bytes) {
    struct written *w = payload;
    append(&w->text, &w->length, text, bytes);
    return w->refuse_at == -1;
}
static int keep_picture(void *payload, const char *name, const char *svg, size_t bytes) {
    struct written *w = payload;
    snprintf(w->last_name, sizeof w->last_name, "%s", name);
    append(&w->pictures, &w->pictures_length, svg, bytes);
    w->most = bytes > w->most ? bytes : w->most;
    return ++w->n == w->refuse_at;
}
static void forget(struct written *w) {
    free(w->text);
    free(w->pictures);
    *w = (struct written){0};
}

static fanin_page *new_page(fanin_ctx *ctx, const char *title) {
    fanin_page *page;
    assert_ok(ctx, fanin_page_create(&page, ctx, title, NULL));
    return page;
}
/* Writes the page and frees it. */
static void write_page(fanin_ctx *ctx, fanin_page *page, struct written *w) {
    *w = (struct written){0};
    assert_ok(ctx, fanin_page_write_markdown(page, "s", keep_text, keep_picture, w));
    fanin_page_free(page);
}

static int count(const char *text, const char *what) {
    int n = 0;
    for (; text && (text = strstr(text, what)); text += strlen(what)) n++;
    return n;
}
static void assert_holds(const char *text, const char *what) {
    if (!text || !strstr(text, what))
        fail_msg("no \"%s\" in:\n%s", what, text ? text : "(nothing)");
}

/* ---- texts ------------------------------------------------------------------------------------------ */

static void test_texts(void **state) {
    fanin_page *page = new_page(*state, "1. a_b*c*");
    struct written w;
    const struct fanin_page_notice notice = {.tone = FANIN_PAGE_CAUTION,
                                             .label = "not decided",
                                             .title = "a_b",
                                             .text = "text",
                                             .more = "- more",
                                             .code = "one\ntwo"};
    fanin_page_add_section(page, "# x", "- no list, `a_b|c` is \\ code & <b>\nsame line");
    fanin_page_add_text(page, "12) no number ![x](y) $z$ ~~w~~ @me #1 \x01 \xff \xef\xbf\xbf");
    fanin_page_add_text(page, "` a ` and `unfinished");
    fanin_page_add_text(page, "``x`a``b`");
    fanin_page_add_notice(page, &notice);
    fanin_page_add_code(page, "t", "x\n````\n<y>\x01", 0);
    write_page(*state, page, &w);
    assert_holds(w.text, "# 1\\. a\\_b\\*c\\*\n\n");
    assert_holds(w.text, "## \\# x\n\n\\- no list, `a_b|c` is \\\\ code \\& \\<b\\> same line\n\n");
    assert_holds(w.text,
                 "12\\) no number \\!\\[x\\](y) \\$z\\$ \\~\\~w\\~\\~ \\@me \\#1   \xef\xbf\xbd "
                 "\xef\xbf\xbd");
    assert_holds(w.text, "`  a  ` and `unfinished`\n\nx`ab`\n\n");
    assert_holds(w.text, "> **Caution: not decided · a\\_b**\n>\n> text\n>\n> \\- more\n>\n"
                         "> ```\n> one\n> two\n> ```\n\n");
    assert_holds(w.text, "**t**\n\n`````\nx\n````\n<y> \n`````\n\n");
    assert_int_equal(w.n, 0);
    forget(&w);
}

static void test_tables(void **state) {
    static const double numbers[] = {0.0213456, 1234567, 999999.5,  1e-7,     -0.0,
                                     12,        -2.5,    0.0009999, 99.99999, 123456.7};
    static const char *const told[] = {"0.02135", "1.235e6", "1000000",  "1e-7", "0",
                                       "12",      "-2.5",    "9.999e-4", "100",  "123500"};
    fanin_page *page = new_page(*state, "t");
    struct written w;
    static const char *const columns[] = {"name", "a|b", "n"};
    const struct fanin_page_cell cells[] = {{.text = "x|y"}, {.text = "1"},         {.number = NAN},
                                            {.text = "z"},   {.number = -INFINITY}, {.number = 1}};
    const struct fanin_page_table table = {"T", columns, 3, cells, 2};
    const struct fanin_page_fact fact = {"f", {.number = 0.5}, NULL};
    fanin_page_add_table(page, &table);
    fanin_page_add_facts(page, &fact, 1);
    for (int i = 0; i < 10; i++) {
        const struct fanin_page_fact of = {"is", {.number = numbers[i]}, "remark"};
        fanin_page_add_facts(page, &of, 1);
    }
    write_page(*state, page, &w);
    assert_holds(w.text, "**T**\n\n| name | a\\|b | n |\n| :-- | :-- | --: |\n"
                         "| x\\|y | 1 | – |\n| z | -∞ | 1 |\n\n");
    assert_holds(w.text, "| figure | value |\n| :-- | --: |\n| f | 0.5 |\n\n");
    for (int i = 0; i < 10; i++) {
        char row[64];
        snprintf(row, sizeof row, "| is | %s | remark |\n", told[i]);
        assert_holds(w.text, row);
    }
    forget(&w);
}

static void test_json(void **state) {
    static const char long_word[] = "\"0123456789012345678901234567890123456789\"";
    fanin_page *page = new_page(*state, "t");
    char json[512];
    struct written w;
    snprintf(json, sizeof json,
             "{\"a\":[%s,%s,%s],\"b\":{},\"c\":[],\"d\":[1,{\"e\":1e-07}],\"f\\\"\":"
             "18446744073709551615}",
             long_word, long_word, long_word);
    fanin_page_add_code(page, NULL, json, 1);
    fanin_page_add_code(page, NULL, "]]}}[[[{\"", 1);
    write_page(*state, page, &w);
    snprintf(json, sizeof json,
             "```json\n{\n  \"a\": [\n    %s,\n    %s,\n    %s\n  ],\n  \"b\": {},\n  \"c\": [],\n"
             "  \"d\": [1, {\"e\": 1e-07}],\n  \"f\\\"\": 18446744073709551615\n}\n```\n",
             long_word, long_word, long_word);
    assert_holds(w.text, json);
    forget(&w);
    /* nested deeper than anyone would call itself */
    char *deep = malloc(400001);
    memset(deep, '[', 200000);
    memset(deep + 200000, ']', 200000);
    deep[400000] = '\0';
    page = new_page(*state, "t");
    fanin_page_add_code(page, NULL, deep, 1);
    write_page(*state, page, &w);
    assert_true(w.length > 400000 && w.length < 4000000);
    forget(&w);
    free(deep);
}

/* ---- pictures --------------------------------------------------------------------------------------- */

static void test_everything(void **state) {
    struct written w[2];
    for (int i = 0; i < 2; i++) {
        fanin_page *page = new_page(*state, "t");
        add_everything(page);
        write_page(*state, page, &w[i]);
    }
    assert_int_equal(w[0].n, 13);
    assert_string_equal(w[0].last_name, "s-13.svg");
    assert_holds(w[0].text, "![A wide map](s-13.svg)\n\n");
    assert_string_equal(w[0].text, w[1].text);
    assert_int_equal(w[0].pictures_length, w[1].pictures_length);
    assert_string_equal(w[0].pictures, w[1].pictures);
    assert_true(w[0].most < 25000);
    assert_true(w[0].length + w[0].pictures_length < 120000);
    assert_null(strstr(w[0].pictures, "nan"));
    assert_null(strstr(w[0].pictures, "<script"));
    for (int i = 0; i < 2; i++) forget(&w[i]);
}

/* Every place where a path goes on paper lies within the picture. */
static void assert_inside(const char *svg) {
    double width, height;
    const char *box = strstr(svg, "viewBox=\"0 0 ");
    assert_non_null(box);
    assert_int_equal(sscanf(box, "viewBox=\"0 0 %lf %lf", &width, &height), 2);
    for (const char *at = svg; (at = strchr(at, 'M')); at++) {
        double x, y;
        if (sscanf(at, "M%lf %lf", &x, &y) != 2) continue;
        if (x < 0 || x > width || y < 0 || y > height) fail_msg("outside: %.40s", at);
    }
}

static void draw_range(fanin_ctx *ctx, const double *y, int n, const char *name) {
    for (int style = FANIN_PAGE_LINE; style <= FANIN_PAGE_GUIDE; style++)
        for (int scale = FANIN_PAGE_LINEAR; scale <= FANIN_PAGE_AUTO; scale++) {
            fanin_page *page = new_page(ctx, "t");
            struct written w;
            const struct fanin_page_series series[] = {
                {"s", (enum fanin_page_style)style, n, y, y, y, y},
                {"dot", FANIN_PAGE_DOTS, n, y, y, NULL, NULL}};
            const struct fanin_page_plot plot = {.x_scale = (enum fanin_page_scale)scale,
                                                 .y_scale = (enum fanin_page_scale)scale,
                                                 .series = series,
                                                 .n_series = 2};
            int64_t counts[] = {0, INT64_MAX, 1};
            const struct fanin_page_histogram histogram = {"h", n ? y[0] : 0, n ? y[n - 1] : 0,
                                                           counts, 3};
            const char *const names[] = {"a", "b", "c", "d", "e", "f"};
            const struct fanin_page_heat heat = {.columns = names,
                                                 .rows = names,
                                                 .n_columns = n,
                                                 .n_rows = 1,
                                                 .values = y,
                                                 .boundary = y};
            fanin_page_add_plot(page, &plot);
            fanin_page_add_histograms(page, NULL, NULL, NULL, &histogram, 1);
            fanin_page_add_heat(page, &heat);
            write_page(ctx, page, &w);
            if (strstr(w.pictures, "nan") || strstr(w.pictures, "inf"))
                fail_msg("%s, style %d, scale %d: %s", name, style, scale, w.pictures);
            assert_int_equal(count(w.pictures, "</svg>"), w.n);
            assert_int_equal(count(w.text, "![]("), w.n);
            assert_inside(w.pictures);
            forget(&w);
        }
}

static void test_ranges(void **state) {
    static const struct {
        const char *name;
        int n;
        double y[5];
    } ranges[] = {{"empty", 0, {0}},
                  {"one point", 1, {3.7}},
                  {"one zero", 1, {0}},
                  {"all equal", 4, {4.2, 4.2, 4.2, 4.2}},
                  {"all equal below 0", 3, {-1e-9, -1e-9, -1e-9}},
                  {"huge", 3, {-1e300, 1, 1e300}},
                  {"as large as they go", 3, {-DBL_MAX, 0, DBL_MAX}},
                  {"the largest alone", 2, {DBL_MAX, DBL_MAX}},
                  {"subnormal", 3, {5e-324, 1e-323, 2e-323}},
                  {"subnormal alone", 1, {5e-324}},
                  {"all decades", 3, {5e-324, 1, DBL_MAX}},
                  {"neighbours", 2, {1, 1 + DBL_EPSILON}},
                  {"large neighbours", 2, {1e300, 1.0000000000000002e300}},
                  {"half a decade", 3, {4.1, 4.2, 4.3}},
                  {"not finite", 5, {NAN, 1, INFINITY, 2, -INFINITY}},
                  {"nothing finite", 2, {NAN, INFINITY}}};
    for (int i = 0; i < FI_COUNT(ranges); i++)
        draw_range(*state, ranges[i].y, ranges[i].n, ranges[i].name);
}

/* Nothing but the marks of the dots stands in a path with round ends. */
static int dots_drawn(const char *svg) {
    const char *from = strstr(svg, "stroke-linecap=\"round\"");
    int n = 0;
    from = from ? strstr(strstr(from, "</text>"), "stroke-linecap=\"round\"") : NULL;
    for (; from && *from != '>'; from++) n += *from == 'M';
    return n;
}

static void test_left_out(void **state) {
    static const double y[] = {1, NAN, 3, INFINITY, 0, -2}, x[] = {0, 1, 2, 3, NAN, 5};
    static const char *const labels[] = {"a", "b"};
    const struct fanin_page_series series = {"s", FANIN_PAGE_DOTS, 6, x, y, NULL, NULL};
    struct fanin_page_plot plot = {.title = "p", .series = &series, .n_series = 1};
    const int expected[] = {3, 2, 1}; /* all; above 0; at one of the labels */
    for (int i = 0; i < 3; i++) {
        fanin_page *page = new_page(*state, "t");
        struct written w;
        plot.y_scale = i == 1 ? FANIN_PAGE_LOG : FANIN_PAGE_LINEAR;
        plot.labels = i == 2 ? labels : NULL;
        plot.n_labels = i == 2 ? 2 : 0;
        fanin_page_add_plot(page, &plot);
        write_page(*state, page, &w);
        assert_int_equal(dots_drawn(w.pictures), expected[i]);
        forget(&w);
    }
    const struct fanin_page_series guide = {"g", FANIN_PAGE_GUIDE, 6, NULL, y, NULL, NULL};
    fanin_page *page = new_page(*state, "t");
    struct written w;
    plot = (struct fanin_page_plot){.title = "p", .text = "why", .series = &guide, .n_series = 1};
    fanin_page_add_plot(page, &plot);
    write_page(*state, page, &w);
    assert_int_equal(w.n, 0);
    assert_holds(w.text, "**p**\n\nNothing to draw: none of these figures is known.\n\nwhy\n\n");
    forget(&w);
}

/* A picture of many points is small, and has those that matter. */
static void test_thinned(void **state) {
    enum { N = 100000 };
    double *y = calloc(N, sizeof *y);
    for (int style = FANIN_PAGE_LINE; style <= FANIN_PAGE_DOTS; style++) {
        struct written w[2];
        for (int spike = 0; spike < 2; spike++) {
            for (int i = 0; i < N; i++) y[i] = 1 + 0.2 * noise(i);
            y[N / 3] = spike ? 2 : 1;
            y[0] = 3; /* holds the axis */
            fanin_page *page = new_page(*state, "t");
            const struct fanin_page_series series = {
                "s", (enum fanin_page_style)style, N, NULL, y, NULL, NULL};
            const struct fanin_page_plot plot = {.series = &series, .n_series = 1};
            fanin_page_add_plot(page, &plot);
            write_page(*state, page, &w[spike]);
            assert_true(w[spike].most < 16000);
        }
        assert_string_not_equal(w[0].pictures, w[1].pictures);
        forget(&w[0]);
        forget(&w[1]);
    }
    free(y);
}

static void test_links(void **state) {
    const double y = 1;
    const struct fanin_page_series series = {"s", FANIN_PAGE_DOTS, 1, NULL, &y, NULL, NULL};
    const struct fanin_page_plot plot = {.title = "a]b", .series = &series, .n_series = 1};
    fanin_page *page = new_page(*state, "t");
    struct written w = {0};
    fanin_page_add_plot(page, &plot);
    assert_ok(*state, fanin_page_write_markdown(page, "a b(%)é", keep_text, keep_picture, &w));
    assert_string_equal(w.last_name, "a b(%)é-1.svg");
    assert_holds(w.text, "![a\\]b](a%20b%28%25%29%C3%A9-1.svg)\n");
    forget(&w);
    fanin_page_free(page);
}

static void test_refused(void **state) {
    fanin_ctx *ctx = *state;
    fanin_page *page = new_page(ctx, "t");
    add_everything(page);
    for (int at = -1; at <= 13; at++) {
        struct written w = {.refuse_at = at};
        const enum fanin_status status =
            fanin_page_write_markdown(page, "s", keep_text, keep_picture, &w);
        assert_int_equal(status, at == 0 ? FANIN_OK : FANIN_ERR_IO);
        if (at > 0) assert_int_equal(w.n, at);
        if (at > 0) assert_null(w.text);
        if (at != 0) assert_holds(fanin_errmsg(ctx), "could not be written");
        forget(&w);
    }
    fanin_page_free(page);
}

/* ---- memory ----------------------------------------------------------------------------------------- */

static int refuse_nothing(void *payload, const char *text, size_t bytes) {
    (void)payload, (void)text, (void)bytes;
    return 0;
}
static int refuse_no_picture(void *payload, const char *name, const char *svg, size_t bytes) {
    (void)payload, (void)name, (void)svg, (void)bytes;
    return 0;
}

/* A page of some parts, written both ways. */
static enum fanin_status the_way(struct test_memory *c) {
    const struct fanin_ctx_options options = {
        .size = sizeof options, .threads = 1, .allocator = test_memory_allocator(c)};
    fanin_ctx *ctx;
    char error[200];
    enum fanin_status status = fanin_ctx_create(&ctx, &options, error, sizeof error);
    if (status != FANIN_OK) return status;
    fanin_page *page;
    status = fanin_page_create(&page, ctx, "t", "above");
    if (status == FANIN_OK) {
        add_words(page);
        add_layers(page);
        add_strip(page);
        add_counts(page);
        add_maps(page);
        status = fanin_page_write_markdown(page, "s", refuse_nothing, refuse_no_picture, NULL);
        if (status == FANIN_OK) status = fanin_page_write(page, refuse_nothing, NULL);
        fanin_page_free(page);
    }
    if (status != FANIN_OK && !*fanin_errmsg(ctx)) fail_msg("an error without a message");
    fanin_ctx_free(ctx);
    return status;
}

static void test_each_allocation_fails(void **state) {
    (void)state;
    struct test_memory all = {0};
    assert_int_equal(the_way(&all), FANIN_OK);
    assert_int_equal(all.live, 0);
    assert_true(all.calls > 30);
    for (int for_ever = 0; for_ever < 2; for_ever++)
        for (int64_t i = 1; i <= all.calls; i++) {
            struct test_memory c = {.fail_at = i, .for_ever = for_ever};
            const enum fanin_status status = the_way(&c);
            if (status != FANIN_ERR_MEMORY || c.live != 0)
                fail_msg("allocation %lld of %lld fails%s: %s, %lld leak", (long long)i,
                         (long long)all.calls, for_ever ? " and all after it" : "",
                         fanin_status_name(status), (long long)c.live);
        }
}

/* ---- for the script --------------------------------------------------------------------------------- */

struct folder {
    const char *path, *name;
};
static int save(const struct folder *to, const char *name, const char *bytes, size_t n) {
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", to->path, name);
    FILE *file = fopen(path, "wb");
    if (!file) return 1;
    const bool short_of = fwrite(bytes, 1, n, file) != n;
    return fclose(file) != 0 || short_of;
}
static int save_text(void *payload, const char *text, size_t bytes) {
    const struct folder *to = payload;
    return save(to, to->name, text, bytes);
}
/* A page comes in pieces. */
static int save_piece(void *payload, const char *text, size_t bytes) {
    struct written *w = payload;
    append(&w->text, &w->length, text, bytes);
    return 0;
}
static int save_picture(void *payload, const char *name, const char *svg, size_t bytes) {
    return save(payload, name, svg, bytes);
}

static int write_all(const char *path) {
    struct folder study = {path, "study.md"}, html = {path, "study.html"};
    fanin_ctx *ctx;
    fanin_page *page;
    if (fanin_ctx_create(&ctx, NULL, NULL, 0) != FANIN_OK) return 1;
    int failed = fanin_page_create(&page, ctx, "Initializers", "fanin study") != FANIN_OK;
    if (!failed) {
        add_everything(page);
        failed =
            fanin_page_write_markdown(page, "study", save_text, save_picture, &study) != FANIN_OK;
        struct written w = {0};
        failed |= fanin_page_write(page, save_piece, &w) != FANIN_OK;
        failed |= save(&html, html.name, w.text, w.length);
        forget(&w);
        fanin_page_free(page);
    }
    fanin_ctx_free(ctx);
    return failed;
}

static int open_ctx(void **state) {
    return fanin_ctx_create((fanin_ctx **)state, NULL, NULL, 0) != FANIN_OK;
}
static int close_ctx(void **state) {
    fanin_ctx_free(*state);
    return 0;
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),   cmocka_unit_test(test_tables),
        cmocka_unit_test(test_json),    cmocka_unit_test(test_everything),
        cmocka_unit_test(test_ranges),  cmocka_unit_test(test_left_out),
        cmocka_unit_test(test_thinned), cmocka_unit_test(test_links),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_each_allocation_fails)};
    if (argc > 1) return write_all(argv[1]);
    return cmocka_run_group_tests(tests, open_ctx, close_ctx);
}
