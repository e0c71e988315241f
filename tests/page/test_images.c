/* SPDX-License-Identifier: Apache-2.0 */
/* Pictures on a page: their bytes as base64, whatever their number; captions stay texts. */
#include <fanin/page.h>

#include <jansson.h>

#include "support/support.h"

#define HOSTILE "</script><img src=x onerror=alert(1)><!-- \"'&"

struct memory {
    char *text;
    size_t length;
};

static int keep(void *payload, const char *text, size_t bytes) {
    struct memory *m = payload;
    m->text = realloc(m->text, m->length + bytes + 1);
    memcpy(m->text + m->length, text, bytes);
    m->length += bytes;
    m->text[m->length] = '\0';
    return 0;
}

/* The way back, by the definition (RFC 4648, section 4); the number of bytes. */
static int64_t decode(const char *text, unsigned char *out) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    int64_t n = 0;
    unsigned bits = 0;
    int have = 0;
    assert_int_equal(strlen(text) % 4, 0);
    for (; *text && *text != '='; text++) {
        const char *digit = strchr(digits, *text);
        assert_non_null(digit);
        bits = bits << 6 | (unsigned)(digit - digits);
        if ((have += 6) < 8) continue;
        have -= 8;
        out[n++] = (unsigned char)(bits >> have);
    }
    return n;
}

static json_t *pictures_of(const struct memory *m) {
    static const char begin[] = "id=\"data\">";
    const char *from = strstr(m->text, begin) + sizeof begin - 1;
    json_error_t error;
    json_t *data = json_loadb(from, (size_t)(strstr(from, "</script>") - from), 0, &error);
    if (!data) fail_msg("%s", error.text);
    return data;
}

static void test_pictures(void **state) {
    enum { MOST = 2000 };
    static unsigned char pixels[3 * MOST], back[3 * MOST + 3];
    static const char *const lines[] = {HOSTILE, "loss 1"};
    static const struct {
        int width, height, channels;
    } shapes[] = {{1, 1, 1}, {2, 1, 1}, {1, 3, 1}, {2, 2, 1}, {5, 1, 3}, {28, 28, 1}, {40, 50, 3}};
    struct fanin_page_picture pictures[FI_COUNT(shapes)];
    fanin_page *page;
    struct memory m = {0};
    fanin_ctx *ctx = test_ctx();
    (void)state;
    for (int i = 0; i < 3 * MOST; i++) pixels[i] = (unsigned char)(i * 7 + i / 256);
    for (int i = 0; i < FI_COUNT(shapes); i++)
        pictures[i] = (struct fanin_page_picture){.width = shapes[i].width,
                                                  .height = shapes[i].height,
                                                  .channels = shapes[i].channels,
                                                  .pixels = pixels,
                                                  .alt = HOSTILE,
                                                  .lines = lines,
                                                  .n_lines = 2};
    assert_ok(ctx, fanin_page_create(&page, ctx, "t", NULL));
    fanin_page_add_pictures(page, HOSTILE, NULL, pictures, FI_COUNT(shapes));
    assert_ok(ctx, fanin_page_write(page, keep, &m));
    assert_null(strstr(m.text, "<img"));
    json_t *data = pictures_of(&m);
    json_t *part = json_array_get(json_object_get(data, "parts"), 0);
    assert_string_equal(json_string_value(json_object_get(part, "kind")), "pictures");
    for (int i = 0; i < FI_COUNT(shapes); i++) {
        json_t *one = json_array_get(json_object_get(part, "pictures"), (size_t)i);
        const int64_t n = decode(json_string_value(json_object_get(one, "pixels")), back);
        assert_int_equal(n, shapes[i].width * shapes[i].height * shapes[i].channels);
        assert_memory_equal(back, pixels, (size_t)n);
        assert_int_equal(json_integer_value(json_object_get(one, "channels")), shapes[i].channels);
        assert_string_equal(json_string_value(json_object_get(one, "alt")), HOSTILE);
        assert_int_equal(json_array_size(json_object_get(one, "lines")), 2);
    }
    json_decref(data);
    free(m.text);
    fanin_page_free(page);
    fanin_ctx_free(ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_pictures)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
