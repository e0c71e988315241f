/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Report writers: events in, text out. JSON lines are read back with jansson and must hold the same
 * numbers; text holds what a reader looks for; a sink that refuses ends the writing, memory that
 * runs out never leaves half a line.
 */
#include "support/support.h"

#include <fanin/report.h>
#include <jansson.h>
#include <locale.h>
#include <math.h>

#include "report/report.h"

struct memory {
    char text[65536];
    size_t length;
    int calls, refuse_at; /* the call that is refused; 0: none */
};

static int keep(void *payload, const char *text, size_t bytes) {
    struct memory *m = payload;
    if (++m->calls == m->refuse_at) return 1;
    assert_true(m->length + bytes < sizeof m->text);
    memcpy(m->text + m->length, text, bytes);
    m->length += bytes;
    m->text[m->length] = '\0';
    return 0;
}

static const double awkward[] = {0.1,  1.0 / 3, 1e300,     5e-324,    -0.0, 123456789012345678.0,
                                 1e21, 2e-7,    M_PI,      1,         -1,   9007199254740993.0,
                                 0.1f, 3e-40f,  1.0 / 0.0, -1.0 / 0.0};

static void test_numbers(void **state) {
    (void)state;
    char text[FI_NUMBER_SIZE];
    for (int i = 0; i < FI_COUNT(awkward); i++) {
        fi_number_exact(text, awkward[i]);
        if (isfinite(awkward[i])) assert_true(strtod(text, NULL) == awkward[i]);
    }
    fi_number_exact(text, 0.1);
    assert_string_equal(text, "0.1");
    fi_number_exact(text, NAN);
    assert_string_equal(text, "nan");
    fi_number_short(text, 1234567, 4);
    assert_string_equal(text, "1234567");
    fi_number_short(text, 0.123456, 4);
    assert_string_equal(text, "0.1235");
    /* a program may have set another decimal point */
    if (setlocale(LC_NUMERIC, "de_DE.UTF-8")) {
        fi_number_exact(text, 0.5);
        assert_string_equal(text, "0.5");
        setlocale(LC_NUMERIC, "C");
    }
}

static const struct fanin_figure figures[] = {
    {"loss", 0.1}, {"val_accuracy", 0.975}, {"weird", NAN}, {"seconds", 75}, {"epoch", 99}};
static const struct fanin_text texts[] = {{"message", "a \"quote\", \\ a tab\t, \xc3\xa9, \xff!"}};
static const int64_t confusion[] = {5, 1, 0, 7};
static const char *const names[] = {"cat", "a\033[31mdog"};

static struct fanin_event event_of(enum fanin_event_type type) {
    struct fanin_event e = {.type = type, .epoch = 2, .epochs = 10, .step = 20, .steps = 100};
    e.figures = figures;
    e.n_figures = FI_COUNT(figures);
    e.texts = texts;
    e.n_texts = FI_COUNT(texts);
    if (type == FANIN_EVENT_EVAL) {
        e.confusion = confusion;
        e.n_classes = 2;
        e.class_names = names;
    }
    return e;
}

static fanin_report *make(fanin_ctx *ctx, const char *writer, struct memory *m,
                          const struct fanin_report_options *options) {
    fanin_report *report;
    *m = (struct memory){.refuse_at = m->refuse_at};
    assert_ok(ctx, fanin_report_create(&report, ctx, writer, keep, m, options));
    return report;
}

static void test_json(void **state) {
    (void)state;
    static struct memory m;
    fanin_ctx *ctx = test_ctx();
    fanin_report *report = make(ctx, "json", &m, NULL);
    for (int type = FANIN_EVENT_START; type <= FANIN_EVENT_EVAL; type++) {
        struct fanin_event e = event_of((enum fanin_event_type)type);
        m.length = 0;
        fanin_report_event(report, &e);
        assert_int_equal(m.text[m.length - 1], '\n');
        json_t *line = json_loads(m.text, JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(line);
        assert_string_equal(json_string_value(json_object_get(line, "event")),
                            fi_event_name((enum fanin_event_type)type));
        assert_true(json_real_value(json_object_get(line, "loss")) == 0.1);
        assert_int_equal(json_integer_value(json_object_get(line, "epoch")), 2);
        assert_true(json_is_null(json_object_get(line, "weird")));
        json_t *strange = json_object_get(line, "not_finite");
        assert_string_equal(json_string_value(json_object_get(strange, "weird")), "nan");
        assert_string_equal(json_string_value(json_object_get(line, "message")),
                            "a \"quote\", \\ a tab\t, \xc3\xa9, \xef\xbf\xbd!");
        json_t *rows = json_object_get(line, "confusion");
        assert_int_equal(json_array_size(rows), type == FANIN_EVENT_EVAL ? 2 : 0);
        if (rows)
            assert_int_equal(json_integer_value(json_array_get(json_array_get(rows, 1), 1)), 7);
        json_decref(line);
    }
    for (int i = 0; i < FI_COUNT(awkward) - 2; i++) {
        struct fanin_figure figure = {"x", awkward[i]};
        m.length = 0;
        fanin_report_note(report, "own", NULL, 0, &figure, 1);
        json_t *line = json_loads(m.text, 0, NULL);
        assert_non_null(line);
        assert_true(json_number_value(json_object_get(line, "x")) == awkward[i]);
        json_decref(line);
    }
    fanin_report_free(report);
    fanin_ctx_free(ctx);
}

static void test_text(void **state) {
    (void)state;
    static struct memory m;
    fanin_ctx *ctx = test_ctx();
    fanin_report *report = make(ctx, "text", &m, NULL);
    for (int type = FANIN_EVENT_START; type <= FANIN_EVENT_EVAL; type++) {
        struct fanin_event e = event_of((enum fanin_event_type)type);
        fanin_report_event(report, &e);
    }
    assert_non_null(
        strstr(m.text, "epoch  2/10  loss 0.1  val accuracy 97.5 %  weird nan  1:15 min"));
    assert_non_null(strstr(m.text, "warning: a \"quote\""));
    assert_non_null(strstr(m.text, "confusion (row: true class, column: predicted)"));
    /* nothing that moves the cursor, wherever the text came from */
    for (const char *c = m.text; *c; c++) assert_true((unsigned char)*c >= 0x20 || *c == '\n');
    fanin_report_free(report);
    fanin_ctx_free(ctx);
}

static void test_terminal(void **state) {
    (void)state;
    static struct memory m;
    fanin_ctx *ctx = test_ctx();
    struct fanin_event step = event_of(FANIN_EVENT_STEP), epoch = event_of(FANIN_EVENT_EPOCH);
    for (int width = 1; width < 200; width += 33) {
        struct fanin_report_options options = {
            .size = sizeof options, .terminal = 1, .width = width, .color = 1};
        fanin_report *report = make(ctx, "text", &m, &options);
        fanin_report_event(report, &step);
        assert_memory_equal(m.text, "\r\033[Kepoch 2/10 ", 15);
        assert_null(strchr(m.text, '\n'));
        if (width > 60) {
            assert_non_null(strchr(m.text, '>'));
            assert_true(m.length - 4 < (size_t)width);
        }
        m.length = 0;
        fanin_report_event(report, &epoch);
        assert_memory_equal(m.text, "\r\033[Kepoch  2/10", 15); /* the bar makes way */
        m.length = 0;
        fanin_report_event(report, &epoch);
        assert_int_equal(m.text[0], 'e');
        fanin_report_free(report);
    }
    fanin_ctx_free(ctx);
}

static void test_quiet(void **state) {
    (void)state;
    static struct memory m;
    fanin_ctx *ctx = test_ctx();
    struct fanin_report_options options = {.size = sizeof options, .quiet = 1};
    fanin_report *report = make(ctx, "text", &m, &options);
    for (int type = FANIN_EVENT_START; type <= FANIN_EVENT_EVAL; type++) {
        struct fanin_event e = event_of((enum fanin_event_type)type);
        m.length = 0;
        fanin_report_event(report, &e);
        assert_true((m.length > 0) == (type == FANIN_EVENT_WARNING || type == FANIN_EVENT_EVAL));
    }
    assert_null(strstr(m.text, "confusion"));
    fanin_report_free(report);
    fanin_ctx_free(ctx);
}

static void test_many_classes(void **state) {
    (void)state;
    static struct memory m;
    static int64_t counts[50 * 50];
    fanin_ctx *ctx = test_ctx();
    fanin_report *report = make(ctx, "text", &m, NULL);
    struct fanin_event e = event_of(FANIN_EVENT_EVAL);
    for (int i = 0; i < 50; i++) counts[i * 51] = 100;
    counts[3 * 50 + 4] = 9;
    counts[7 * 50 + 1] = 12;
    counts[1 * 50 + 7] = 9;
    e.confusion = counts;
    e.n_classes = 50;
    e.class_names = NULL;
    fanin_report_event(report, &e);
    const char *worst = strstr(m.text, "most confused\n      12 times 7 taken for 1\n");
    assert_non_null(worst);
    assert_non_null(strstr(worst, "       9 times 1 taken for 7\n       9 times 3 taken for 4\n"));
    fanin_report_free(report);
    fanin_ctx_free(ctx);
}

static void test_failures(void **state) {
    (void)state;
    static struct memory m;
    fanin_ctx *ctx = test_ctx();
    fanin_report *report;
    struct fanin_event e = event_of(FANIN_EVENT_EPOCH);
    assert_refused(ctx, FANIN_ERR_ARGUMENT, "'html'",
                   fanin_report_create(&report, ctx, "html", keep, &m, NULL));
    m.refuse_at = 2;
    report = make(ctx, "json", &m, NULL);
    for (int i = 0; i < 5; i++) fanin_report_event(report, &e);
    assert_int_equal(m.calls, 2); /* not asked again */
    assert_true(fanin_report_failed(report));
    fanin_report_free(report);
    fanin_report_free(NULL);
    fanin_ctx_free(ctx);
}

static struct CMUnitTest tests[] = {
    cmocka_unit_test(test_numbers), cmocka_unit_test(test_json),
    cmocka_unit_test(test_text),    cmocka_unit_test(test_terminal),
    cmocka_unit_test(test_quiet),   cmocka_unit_test(test_many_classes),
    cmocka_unit_test(test_failures)};

int main(void) {
    return test_main(tests);
}
