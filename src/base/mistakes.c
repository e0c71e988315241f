/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All mistakes of a recipe at once.
 *
 * Between open and close the reader of recipes goes on behind a mistake: each one is added where it
 * is found, with its place; the loop that reads the members of a map or list asks go_on, which
 * keeps the first failure as the status of the whole and gives the mistake the key that is to
 * blame. Only mistakes are gone on behind: out of memory ends the reading at once.
 */
#include <limits.h>
#include <string.h>

#include "base/base.h"

void fi_mistakes_open(fanin_ctx *ctx) {
    fi_arena_free(&ctx->mistakes.arena);
    ctx->mistakes = (struct fi_mistakes){.open = true};
    fi_arena_init(&ctx->mistakes.arena, ctx);
}

void fi_mistakes_add(fanin_ctx *ctx, const char *source, int line, const char *message) {
    struct fi_mistakes *m = &ctx->mistakes;
    if (!m->open || m->n >= FI_MISTAKES_MAX) return;
    for (int64_t i = 0; i < m->n; i++) {
        const struct fanin_mistake *other = &m->items[i];
        if (other->line == line && strcmp(other->source, source) == 0 &&
            strcmp(other->message, message) == 0)
            return;
    }
    void *items = m->items;
    /* without memory the mistake is not listed, but it still is the message of the call */
    if (fi_arena_grow(&m->arena, &items, &m->cap, m->n + 1, sizeof *m->items) != FANIN_OK) return;
    m->items = items;
    struct fanin_mistake mistake = {.source = fi_arena_strdup(&m->arena, source),
                                    .line = line,
                                    .message = fi_arena_strdup(&m->arena, message)};
    if (mistake.source && mistake.message) m->items[m->n++] = mistake;
}

bool fi_mistakes_go_on(fanin_ctx *ctx, enum fanin_status *first, enum fanin_status status,
                       const char *key) {
    struct fi_mistakes *m = &ctx->mistakes;
    if (status == FANIN_OK) return true;
    if (*first == FANIN_OK) *first = status;
    if (status != FANIN_ERR_RECIPE && status != FANIN_ERR_SHAPE) {
        *first = status;
        return false;
    }
    if (!m->open) return false;
    for (int64_t i = m->n; key && *key && i > 0 && !m->items[i - 1].key; i--)
        m->items[i - 1].key = fi_arena_strdup(&m->arena, key);
    return m->n < FI_MISTAKES_MAX;
}

static int place(const struct fanin_mistake *m) {
    return m->line > 0 ? m->line : INT_MAX;
}

/* By line, and by reading in a line; overrides, which have no line, come last. */
static void sort(struct fanin_mistake *items, int64_t n) {
    for (int64_t i = 1; i < n; i++) {
        struct fanin_mistake moved = items[i];
        int64_t at = i;
        for (; at > 0 && place(&items[at - 1]) > place(&moved); at--) items[at] = items[at - 1];
        items[at] = moved;
    }
}

enum fanin_status fi_mistakes_close(fanin_ctx *ctx, enum fanin_status status) {
    struct fi_mistakes *m = &ctx->mistakes;
    m->open = false;
    if (status != FANIN_ERR_RECIPE && status != FANIN_ERR_SHAPE) m->n = 0;
    if (m->n == 0) return status;
    for (int64_t i = 0; i < m->n; i++)
        if (!m->items[i].key) m->items[i].key = "";
    sort(m->items, m->n);
    int64_t n = m->n;
    const struct fanin_mistake *first = &m->items[0];
    if (first->line > 0)
        (void)fi_fail(ctx, status, "%s:%d: %s", first->source, first->line, first->message);
    else
        (void)fi_fail(ctx, status, "%s: %s", first->source, first->message);
    m->n = n; /* which a failure of any other call sets to 0 */
    return status;
}

int fanin_mistakes(const fanin_ctx *ctx, const struct fanin_mistake **out) {
    *out = ctx ? ctx->mistakes.items : NULL;
    return ctx ? (int)ctx->mistakes.n : 0;
}
