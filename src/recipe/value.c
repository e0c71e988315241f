/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tree of values: making, finding, copying, and the messages that tell where a value was
 * written.
 *
 * Maps are short (at most FI_VALUE_MAX_KEYS keys), so a key is found by looking through them in the
 * order they were written, which is also the order in which a recipe is written out again.
 */
#include <stdio.h>
#include <string.h>

#include "recipe/value.h"

enum { MESSAGE_SIZE = sizeof(((fanin_ctx *)0)->message) };

static enum fanin_status fail_with_mark(fanin_ctx *ctx, enum fanin_status status,
                                        struct fi_mark mark, const char *message) {
    fi_mistakes_add(ctx, mark.source, mark.line > 0 ? mark.line : 0, message);
    if (mark.line > 0) {
        return fi_fail(ctx, status, "%s:%d: %s", mark.source, mark.line, message);
    }
    return fi_fail(ctx, status, "%s: %s", mark.source, message);
}

enum fanin_status(fi_fail_at)(fanin_ctx *ctx, struct fi_mark mark, const char *format, ...) {
    char message[MESSAGE_SIZE];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(message, sizeof message, format, args);
    va_end(args);
    return fail_with_mark(ctx, FANIN_ERR_RECIPE, mark, message);
}

enum fanin_status fi_fail_prefix(fanin_ctx *ctx, enum fanin_status status, struct fi_mark mark) {
    char message[MESSAGE_SIZE];
    memcpy(message, ctx->message, sizeof message);
    message[sizeof message - 1] = '\0';
    return fail_with_mark(ctx, status, mark, message);
}

struct fi_value *fi_value_new(struct fi_arena *arena, enum fi_value_kind kind,
                              struct fi_mark mark) {
    struct fi_value *value = fi_arena_alloc(arena, 1, sizeof *value);
    if (!value) return NULL;
    *value = (struct fi_value){.kind = kind, .mark = mark, .text = ""};
    return value;
}

struct fi_value *fi_value_scalar(struct fi_arena *arena, const char *text, bool plain,
                                 struct fi_mark mark) {
    struct fi_value *value = fi_value_new(arena, FI_VALUE_TEXT, mark);
    if (!value) return NULL;
    value->text = fi_arena_strdup(arena, text);
    if (!value->text) return NULL;
    if (plain) value->kind = fi_scalar_classify(value->text, &value->number);
    return value;
}

enum fanin_status fi_value_append(struct fi_arena *arena, struct fi_value *parent, const char *key,
                                  struct fi_mark mark, struct fi_value *value) {
    void *entries = parent->entries;
    FI_TRY(fi_arena_grow(arena, &entries, &parent->cap, parent->n + 1, sizeof *parent->entries));
    parent->entries = entries;
    parent->entries[parent->n++] = (struct fi_entry){.key = key, .mark = mark, .value = value};
    return FANIN_OK;
}

struct fi_entry *fi_value_find(const struct fi_value *map, const char *key) {
    if (!map || map->kind != FI_VALUE_MAP) return NULL;
    for (int64_t i = 0; i < map->n; i++) {
        if (strcmp(map->entries[i].key, key) == 0) return &map->entries[i];
    }
    return NULL;
}

struct fi_value *fi_value_get(const struct fi_value *map, const char *key) {
    struct fi_entry *entry = fi_value_find(map, key);
    return entry && entry->value->kind != FI_VALUE_NULL ? entry->value : NULL;
}

enum fanin_status fi_value_copy(struct fi_arena *arena, struct fi_value **out,
                                const struct fi_value *value) {
    *out = NULL;
    struct fi_value *copy = fi_value_new(arena, value->kind, value->mark);
    if (!copy) return FANIN_ERR_MEMORY;
    copy->text = value->text;
    copy->number = value->number;
    for (int64_t i = 0; i < value->n; i++) {
        const struct fi_entry *entry = &value->entries[i];
        struct fi_value *child;
        FI_TRY(fi_value_copy(arena, &child, entry->value));
        FI_TRY(fi_value_append(arena, copy, entry->key, entry->mark, child));
    }
    *out = copy;
    return FANIN_OK;
}

void fi_value_as_text(struct fi_value *scalar) {
    scalar->kind = FI_VALUE_TEXT;
}

const char *fi_value_what(const struct fi_value *value, char *buffer, size_t size) {
    static const char *const words[] = {
        [FI_VALUE_NULL] = "nothing", [FI_VALUE_TEXT] = "text",   [FI_VALUE_BOOL] = "truth value",
        [FI_VALUE_INT] = "number",   [FI_VALUE_REAL] = "number", [FI_VALUE_LIST] = "a list",
        [FI_VALUE_MAP] = "a map",
    };
    const char *word = words[value->kind];
    if (value->kind == FI_VALUE_TEXT) {
        (void)snprintf(buffer, size, "%s '%.60s'", word, value->text);
    } else if (value->kind == FI_VALUE_MAP && value->n > 0) {
        (void)snprintf(buffer, size, "%s with the key '%.60s'", word, value->entries[0].key);
    } else if (value->kind == FI_VALUE_NULL || value->n > 0 || value->kind >= FI_VALUE_LIST) {
        (void)snprintf(buffer, size, "%s", word);
    } else {
        (void)snprintf(buffer, size, "%s %.60s", word, value->text);
    }
    return buffer;
}
