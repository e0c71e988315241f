/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growing text: what JSON, messages and listings are put together with.
 */
#include <stdio.h>
#include <string.h>

#include "base/base.h"

void fi_text_init(struct fi_text *text, fanin_ctx *ctx) {
    *text = (struct fi_text){.ctx = ctx};
}

/* Room for `more` bytes and the terminator. */
static bool reserve(struct fi_text *text, size_t more) {
    if (text->data && text->cap - text->length > more) return true;
    size_t cap = FI_MAX(2 * text->cap, text->length + more + 1);
    cap = FI_MAX(cap, (size_t)256);
    char *grown = fi_alloc(text->ctx, (int64_t)cap, 1);
    if (!grown) return false;
    if (text->data) memcpy(grown, text->data, text->length);
    fi_free(text->ctx, text->data);
    text->data = grown;
    text->cap = cap;
    return true;
}

void fi_text_add(struct fi_text *text, const char *format, ...) {
    if (text->failed) return;
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length < 0) {
        fi_fail(text->ctx, FANIN_ERR_INTERNAL, "cannot format '%s'", format);
        text->failed = true;
    } else if (!reserve(text, (size_t)length)) {
        text->failed = true;
    } else {
        (void)vsnprintf(text->data + text->length, (size_t)length + 1, format, again);
        text->length += (size_t)length;
    }
    va_end(again);
}

void fi_text_free(struct fi_text *text) {
    fi_free(text->ctx, text->data);
    fi_text_init(text, text->ctx);
}
