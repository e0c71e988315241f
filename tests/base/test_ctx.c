/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The context: what may be asked for and how it is refused; messages; hashes and nearest names.
 */
#include "base/tables.h"
#include "support/support.h"

static enum fanin_status create(fanin_ctx **out, int threads, const char *isa, char error[256]) {
    struct fanin_ctx_options options = {.size = sizeof options, .threads = threads, .isa = isa};
    return fanin_ctx_create(out, &options, error, 256);
}

static void without_options(void **state) {
    (void)state;
    fanin_ctx *ctx;
    assert_int_equal(fanin_ctx_create(&ctx, NULL, NULL, 0), FANIN_OK);
    assert_true(fanin_threads(ctx) >= 1);
    assert_string_equal(fanin_errmsg(ctx), "");
    fanin_stop(ctx);
    assert_int_equal(ctx->stop, 1);
    fanin_ctx_free(ctx);
    fanin_ctx_free(NULL);
}

static void threads_are_bounded(void **state) {
    (void)state;
    fanin_ctx *ctx;
    char error[256];
    assert_int_equal(create(&ctx, -1, NULL, error), FANIN_ERR_ARGUMENT);
    assert_non_null(strstr(error, "threads"));
    assert_null(ctx);
    assert_int_equal(create(&ctx, 1 << 20, NULL, error), FANIN_ERR_ARGUMENT);

    setenv("FANIN_THREADS", "3", 1);
    assert_int_equal(create(&ctx, 0, NULL, error), FANIN_OK);
    assert_int_equal(fanin_threads(ctx), 3);
    fanin_ctx_free(ctx);
    assert_int_equal(create(&ctx, 2, NULL, error), FANIN_OK);
    assert_int_equal(fanin_threads(ctx), 2);
    fanin_ctx_free(ctx);
    static const char *const wrong[] = {"0", "-2", "two", "2x", "99999999999999999999"};
    for (int i = 0; i < FI_COUNT(wrong); i++) {
        setenv("FANIN_THREADS", wrong[i], 1);
        assert_int_equal(create(&ctx, 0, NULL, error), FANIN_ERR_ARGUMENT);
        assert_non_null(strstr(error, "FANIN_THREADS"));
        assert_non_null(strstr(error, wrong[i]));
    }
    unsetenv("FANIN_THREADS");
}

static void tiers_are_chosen(void **state) {
    (void)state;
    fanin_ctx *ctx;
    char error[256];
    assert_int_equal(create(&ctx, 1, "portable", error), FANIN_OK);
    assert_string_equal(fanin_isa(ctx), "portable");
    fanin_ctx_free(ctx);
    assert_int_equal(create(&ctx, 1, "sse9", error), FANIN_ERR_UNSUPPORTED);
    assert_non_null(strstr(error, "sse9"));
    assert_non_null(strstr(error, "portable"));

    setenv("FANIN_ISA", "portable", 1);
    assert_int_equal(create(&ctx, 1, NULL, error), FANIN_OK);
    assert_string_equal(fanin_isa(ctx), "portable");
    fanin_ctx_free(ctx);
    setenv("FANIN_ISA", "nonsense", 1);
    assert_int_equal(create(&ctx, 1, NULL, error), FANIN_ERR_UNSUPPORTED);
    assert_non_null(strstr(error, "FANIN_ISA"));
    unsetenv("FANIN_ISA");

    /* The default is the last tier that can be had by name. */
    const char *best = NULL;
    for (int i = 0; i < fi_n_tiers; i++) {
        fanin_ctx *named = test_ctx_on(1, fi_tiers[i].name);
        if (!named) continue;
        assert_string_equal(fanin_isa(named), fi_tiers[i].name);
        best = fi_tiers[i].name;
        fanin_ctx_free(named);
    }
    assert_int_equal(create(&ctx, 1, NULL, error), FANIN_OK);
    assert_string_equal(fanin_isa(ctx), best);
    fanin_ctx_free(ctx);
}

static void older_options_are_understood(void **state) {
    (void)state;
    fanin_ctx *ctx;
    char error[256];
    struct fanin_ctx_options options = {.size = offsetof(struct fanin_ctx_options, isa),
                                        .threads = 2};
    options.isa = "beyond the size: not read";
    assert_int_equal(fanin_ctx_create(&ctx, &options, error, sizeof error), FANIN_OK);
    assert_int_equal(fanin_threads(ctx), 2);
    fanin_ctx_free(ctx);
    options.size = 0;
    assert_int_equal(fanin_ctx_create(&ctx, &options, error, sizeof error), FANIN_ERR_ARGUMENT);
    options.size = sizeof options + 8;
    assert_int_equal(fanin_ctx_create(&ctx, &options, error, sizeof error), FANIN_ERR_ARGUMENT);
    char tiny[8];
    assert_int_equal(fanin_ctx_create(&ctx, &options, tiny, sizeof tiny), FANIN_ERR_ARGUMENT);
    assert_true(strlen(tiny) < sizeof tiny);
}

static void messages_are_one_line(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    assert_int_equal(fi_fail(ctx, FANIN_ERR_DATA, "cell '%s' at %d", "a\nb\x1b[31mc", 7),
                     FANIN_ERR_DATA);
    assert_string_equal(fanin_errmsg(ctx), "cell 'a b?[31mc' at 7");
    /* A message may quote the one before it. */
    fi_fail(ctx, FANIN_ERR_RECIPE, "recipe.yaml: %s", fanin_errmsg(ctx));
    assert_string_equal(fanin_errmsg(ctx), "recipe.yaml: cell 'a b?[31mc' at 7");
    /* Cut between characters, never inside one ("é" is two bytes). */
    for (int pad = 0; pad < 4; pad++) {
        char text[4001] = "";
        memset(text, 'x', (size_t)pad);
        for (int i = pad; i + 1 < 4000; i += 2) memcpy(text + i, "\xC3\xA9", 2);
        fi_fail(ctx, FANIN_ERR_DATA, "%s", text);
        size_t length = strlen(fanin_errmsg(ctx));
        assert_true(length < sizeof ctx->message && length > sizeof ctx->message - 8);
        assert_string_equal(fanin_errmsg(ctx) + length - 3, "...");
        assert_int_equal((length - 3 - (size_t)pad) % 2, 0);
    }
    assert_int_equal(fi_fail(NULL, FANIN_ERR_DATA, "nowhere to put it"), FANIN_ERR_DATA);
    fanin_ctx_free(ctx);
}

static void keep_line(void *payload, enum fanin_log_level level, const char *line) {
    assert_int_equal(level, FANIN_LOG_WARN);
    (void)snprintf(payload, 64, "%s", line);
}

static void log_lines_go_to_the_program(void **state) {
    (void)state;
    char line[64] = "";
    struct fanin_ctx_options options = {
        .size = sizeof options, .log = keep_line, .log_payload = line};
    fanin_ctx *ctx;
    assert_int_equal(fanin_ctx_create(&ctx, &options, NULL, 0), FANIN_OK);
    fi_tell(ctx, FANIN_LOG_WARN, "%d\tthings", 3);
    assert_string_equal(line, "3 things");
    fanin_ctx_free(ctx);
}

static void statuses_have_words(void **state) {
    (void)state;
    for (int i = 0; i <= FANIN_ERR_INTERNAL; i++)
        assert_string_not_equal(fanin_status_name((enum fanin_status)i), "unknown");
    assert_string_equal(fanin_status_name(FANIN_ERR_SHAPE), "shape");
    assert_string_equal(fanin_status_name((enum fanin_status)99), "unknown");
}

/* Runs made with one release are repeated by the next: these values may never change. */
static void hashes_are_fixed(void **state) {
    (void)state;
    assert_true(fi_hash_mix(0, 0) == UINT64_C(0xE220A8397B1DCDAF));
    assert_true(fi_hash_text("dense1.weight") == UINT64_C(0x19094B76AD2DB9A2));
    assert_true(fi_key(1, "init", "dense1.weight") == UINT64_C(0x7EB222242603CAEC));
}

static void keys_differ(void **state) {
    (void)state;
    static const char *const words[] = {"",         "a",         "b",       "ab",
                                        "dense1",   "dense2",    "dense12", "a\x01",
                                        "aaaaaaaa", "aaaaaaaaa", "init",    "order"};
    uint64_t keys[4 * FI_COUNT(words) * FI_COUNT(words)];
    int n = 0;
    for (uint64_t seed = 0; seed < 4; seed++)
        for (int i = 0; i < FI_COUNT(words); i++)
            for (int j = 0; j < FI_COUNT(words); j++) keys[n++] = fi_key(seed, words[i], words[j]);
    for (int i = 0; i < n; i++)
        for (int j = 0; j < i; j++) assert_true(keys[i] != keys[j]);
    assert_true(fi_key(1, "order", NULL) == fi_key(1, "order", ""));
}

static void nearest_names(void **state) {
    (void)state;
    static const char *const names[] = {"dense", "dropout", "batch_norm", "relu", NULL, "l1", "l2"};
    static const char *const cases[][2] = {
        {"dnese", "dense"},
        {"Dense", "dense"},
        {"drop_out", "dropout"},
        {"batchnorm", "batch_norm"},
        {"rleu", "relu"},
        {"l3", "l1"},
        {"convolution", NULL},
        {"x", NULL},
        {"", NULL},
        {"relu", "relu"},
    };
    for (int i = 0; i < FI_COUNT(cases); i++) {
        const char *nearest = fanin_nearest(cases[i][0], names, FI_COUNT(names));
        if (cases[i][1])
            assert_string_equal(nearest, cases[i][1]);
        else
            assert_null(nearest);
    }
    char longest[5000];
    memset(longest, 'd', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_null(fanin_nearest(longest, names, FI_COUNT(names)));
    const char *const huge[] = {longest};
    assert_null(fanin_nearest("dense", huge, 1));
}

static struct CMUnitTest tests[] = {
    cmocka_unit_test(without_options),       cmocka_unit_test(threads_are_bounded),
    cmocka_unit_test(tiers_are_chosen),      cmocka_unit_test(older_options_are_understood),
    cmocka_unit_test(messages_are_one_line), cmocka_unit_test(log_lines_go_to_the_program),
    cmocka_unit_test(statuses_have_words),   cmocka_unit_test(hashes_are_fixed),
    cmocka_unit_test(keys_differ),           cmocka_unit_test(nearest_names),
};

int main(void) {
    return test_main(tests);
}
