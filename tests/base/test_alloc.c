/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory: checked sizes, alignment and zeroes, arenas, texts; every allocation can fail and leaks
 * nothing.
 */
#include "support/support.h"

/* An allocator that counts, fills with rubbish, and fails from the n-th call on. */
struct hook {
    int64_t calls, fail_at, live;
};

static void *hook_alloc(void *payload, size_t bytes, size_t align) {
    struct hook *hook = payload;
    if (hook->fail_at >= 0 && hook->calls >= hook->fail_at) return NULL;
    void *memory = NULL;
    if (posix_memalign(&memory, align, bytes)) return NULL;
    memset(memory, 0xA5, bytes);
    hook->calls++;
    hook->live++;
    return memory;
}

static void hook_free(void *payload, void *memory) {
    struct hook *hook = payload;
    hook->live--;
    free(memory);
}

static enum fanin_status hooked_ctx(fanin_ctx **out, struct hook *hook, int threads) {
    struct fanin_ctx_options options = {
        .size = sizeof options, .threads = threads, .allocator = {hook_alloc, hook_free, hook}};
    char error[256];
    enum fanin_status status = fanin_ctx_create(out, &options, error, sizeof error);
    assert_int_equal(status != FANIN_OK, error[0] != '\0');
    return status;
}

static bool is_zero(const void *memory, size_t bytes) {
    const char *p = memory;
    for (size_t i = 0; i < bytes; i++)
        if (p[i]) return false;
    return true;
}

static void sizes_are_checked(void **state) {
    (void)state;
    int64_t out;
    assert_true(fi_mul(3, 4, &out) && out == 12);
    assert_true(fi_mul(0, INT64_MAX, &out) && out == 0);
    assert_true(fi_mul(INT64_MAX, 1, &out) && out == INT64_MAX);
    out = 7;
    assert_false(fi_mul(INT64_MAX, 2, &out));
    assert_int_equal(out, 0);
    assert_false(fi_mul(INT64_C(1) << 32, INT64_C(1) << 32, &out));
    assert_false(fi_mul(-1, 3, &out));
    assert_false(fi_mul(3, -1, &out));
    assert_true(fi_add(3, 4, &out) && out == 7);
    assert_false(fi_add(INT64_MAX, 1, &out));
    assert_int_equal(out, 0);
    assert_false(fi_add(-1, 3, &out));
}

static void memory_is_aligned_and_zero(void **state) {
    (void)state;
    struct hook hook = {.fail_at = -1};
    fanin_ctx *ctx;
    assert_int_equal(hooked_ctx(&ctx, &hook, 1), FANIN_OK);
    static const int64_t counts[] = {0,       1,      63, 64, 65, 4096, 1 << 20, (4 << 20) - 1,
                                     4 << 20, 9 << 20};
    for (int i = 0; i < FI_COUNT(counts); i++) {
        char *memory = fi_alloc(ctx, counts[i], 1);
        assert_non_null(memory);
        assert_int_equal((uintptr_t)memory % 64, 0);
        if (counts[i] >= 4 << 20) assert_int_equal((uintptr_t)memory % (2 << 20), 0);
        assert_true(is_zero(memory, (size_t)counts[i]));
        fi_free(ctx, memory);
    }
    fi_free(ctx, NULL);
    assert_null(fi_alloc(ctx, INT64_MAX, 8));
    assert_non_null(strstr(fanin_errmsg(ctx), "out of memory"));
    assert_null(fi_alloc(ctx, -1, 8));
    assert_null(fi_alloc(ctx, INT64_MAX, 1));
    fanin_ctx_free(ctx);
    assert_int_equal(hook.live, 0);
}

static void arena_keeps_what_it_gave(void **state) {
    (void)state;
    struct hook hook = {.fail_at = -1};
    fanin_ctx *ctx;
    assert_int_equal(hooked_ctx(&ctx, &hook, 1), FANIN_OK);
    struct fi_arena arena;
    fi_arena_init(&arena, ctx);
    enum { N = 2000 };
    static unsigned char *blocks[N];
    static size_t sizes[N];
    for (int i = 0; i < N; i++) {
        sizes[i] = (size_t)(fi_hash_mix(1, (uint64_t)i) % (i % 50 == 0 ? 100000 : 300));
        blocks[i] = fi_arena_alloc(&arena, (int64_t)sizes[i], 1);
        assert_non_null(blocks[i]);
        assert_int_equal((uintptr_t)blocks[i] % 64, 0);
        assert_true(is_zero(blocks[i], sizes[i]));
        memset(blocks[i], i & 0xFF, sizes[i]);
    }
    for (int i = 0; i < N; i++)
        for (size_t j = 0; j < sizes[i]; j++) assert_int_equal(blocks[i][j], i & 0xFF);
    char *text = fi_arena_printf(&arena, "%s-%d", fi_arena_strdup(&arena, "dense"), 7);
    assert_string_equal(text, "dense-7");
    assert_null(fi_arena_alloc(&arena, INT64_MAX / 4, 8));
    fi_arena_free(&arena);
    fi_arena_free(&arena);
    /* The context's own block is left, and nothing else. */
    assert_int_equal(hook.live, 1);
    fanin_ctx_free(ctx);
    assert_int_equal(hook.live, 0);
}

static void arena_grows_arrays(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    struct fi_arena arena;
    fi_arena_init(&arena, ctx);
    int64_t *array = NULL, cap = 0;
    for (int64_t i = 0; i < 1000; i++) {
        void *grown = array;
        assert_ok(ctx, fi_arena_grow(&arena, &grown, &cap, i + 1, sizeof *array));
        array = grown;
        array[i] = i;
    }
    for (int64_t i = 0; i < 1000; i++) assert_int_equal(array[i], i);
    assert_true(cap < 2048);
    fi_arena_free(&arena);
    fanin_ctx_free(ctx);
}

static void text_grows(void **state) {
    (void)state;
    struct hook hook = {.fail_at = -1};
    fanin_ctx *ctx;
    assert_int_equal(hooked_ctx(&ctx, &hook, 1), FANIN_OK);
    struct fi_text text;
    fi_text_init(&text, ctx);
    fi_text_add(&text, "%s", "");
    assert_string_equal(text.data, "");
    for (int i = 0; i < 1000; i++) fi_text_add(&text, "%03d,", i);
    assert_int_equal(text.length, 4000);
    assert_int_equal(strlen(text.data), 4000);
    assert_memory_equal(text.data + 4 * 567, "567,", 4);
    /* A failed append leaves the text as it was, and so does every later one. */
    hook.fail_at = 0;
    fi_text_add(&text, "%8000d", 1);
    assert_true(text.failed);
    hook.fail_at = -1;
    fi_text_add(&text, "x");
    assert_int_equal(text.length, 4000);
    fi_text_free(&text);
    assert_null(text.data);
    fanin_ctx_free(ctx);
    assert_int_equal(hook.live, 0);
}

/* A bit of everything that allocates. */
static enum fanin_status use(fanin_ctx *ctx) {
    struct fi_arena arena;
    struct fi_text text;
    fi_arena_init(&arena, ctx);
    fi_text_init(&text, ctx);
    bool ok = fi_arena_alloc(&arena, 100, 8) && fi_arena_alloc(&arena, 100000, 8) &&
              fi_arena_strdup(&arena, "text") && fi_arena_printf(&arena, "%5000d", 3);
    fi_text_add(&text, "%2000d", 4);
    ok = ok && !text.failed;
    fi_text_free(&text);
    fi_arena_free(&arena);
    return ok ? FANIN_OK : FANIN_ERR_MEMORY;
}

static void every_allocation_may_fail(void **state) {
    (void)state;
    for (int64_t fail_at = 0;; fail_at++) {
        struct hook hook = {.fail_at = fail_at};
        fanin_ctx *ctx;
        enum fanin_status status = hooked_ctx(&ctx, &hook, 3);
        if (status == FANIN_OK) {
            status = use(ctx);
            if (status != FANIN_OK) assert_non_null(strstr(fanin_errmsg(ctx), "out of memory"));
            fanin_ctx_free(ctx);
        } else {
            assert_null(ctx);
        }
        assert_int_equal(hook.live, 0);
        if (status == FANIN_OK) {
            assert_true(fail_at > 4);
            return;
        }
        assert_int_equal(status, FANIN_ERR_MEMORY);
    }
}

static struct CMUnitTest tests[] = {
    cmocka_unit_test(sizes_are_checked),
    cmocka_unit_test(memory_is_aligned_and_zero),
    cmocka_unit_test(arena_keeps_what_it_gave),
    cmocka_unit_test(arena_grows_arrays),
    cmocka_unit_test(text_grows),
    cmocka_unit_test(every_allocation_may_fail),
};

int main(void) {
    return test_main(tests);
}
