/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory: checked sizes, the context's allocator, arenas.
 *
 * Big blocks start on a 2 MiB boundary and ask for huge pages: a weight matrix of a few MiB read in
 * panels touches more 4 KiB pages than a second-level TLB holds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/base.h"

#define HUGE_PAGE ((size_t)2 << 20)
/* From here on a block is made of whole huge pages: the batch's activations are read down columns,
 * a page a row, and 4 KiB pages of 128 rows are more than a first-level TLB holds. */
#define HUGE_FROM (HUGE_PAGE / 2)

/* What an arena takes from the allocator at once, at first and at most. */
#if defined(__SANITIZE_ADDRESS__)
#define ARENA_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_SANITIZED 1
#endif
#endif
#ifdef ARENA_SANITIZED
/* One block an allocation, so that the sanitizer sees the bounds of each. */
#define ARENA_FIRST ((size_t)1)
#define ARENA_MOST ((size_t)1)
#else
#define ARENA_FIRST ((size_t)4 << 10)
#define ARENA_MOST ((size_t)256 << 10)
#endif

bool fi_mul(int64_t a, int64_t b, int64_t *out) {
    if (a < 0 || b < 0 || __builtin_mul_overflow(a, b, out)) {
        *out = 0;
        return false;
    }
    return true;
}

bool fi_add(int64_t a, int64_t b, int64_t *out) {
    if (a < 0 || b < 0 || __builtin_add_overflow(a, b, out)) {
        *out = 0;
        return false;
    }
    return true;
}

/* count × size bytes; false: does not fit into a pointer difference. */
static bool total_bytes(int64_t count, size_t size, size_t *bytes) {
    int64_t product;
    if (size > (size_t)INT64_MAX || !fi_mul(count, (int64_t)size, &product)) return false;
    *bytes = (size_t)product;
    return (uint64_t)product <= PTRDIFF_MAX - HUGE_PAGE;
}

static enum fanin_status fail_overflow(fanin_ctx *ctx, int64_t count, size_t size) {
    return fi_fail(ctx, FANIN_ERR_MEMORY, "out of memory: %lld items of %zu bytes",
                   (long long)count, size);
}

/* Zeroed memory of the context's allocator. */
static void *take(fanin_ctx *ctx, size_t bytes) {
    const size_t align = bytes >= HUGE_FROM ? HUGE_PAGE : FI_ALIGN;
    const size_t taken = bytes >= HUGE_FROM ? (bytes + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1) : bytes;
    void *memory = ctx->allocator.alloc(ctx->allocator.payload, taken, align);
    if (!memory) {
        fi_fail(ctx, FANIN_ERR_MEMORY, "out of memory: %zu bytes are not to be had", bytes);
        return NULL;
    }
    /* Before the first touch; a kernel that does not know it changes nothing. */
    if (align == HUGE_PAGE) (void)madvise(memory, taken, MADV_HUGEPAGE);
    memset(memory, 0, bytes);
    return memory;
}

void *fi_alloc(fanin_ctx *ctx, int64_t count, size_t size) {
    size_t bytes;
    if (!total_bytes(count, size, &bytes)) {
        fail_overflow(ctx, count, size);
        return NULL;
    }
    return take(ctx, FI_MAX(bytes, (size_t)1));
}

void fi_free(fanin_ctx *ctx, void *memory) {
    if (memory) ctx->allocator.free(ctx->allocator.payload, memory);
}

/* ---- arenas -------------------------------------------------------------------------------------- */

/* A block's memory follows its header, which fills one alignment unit. */
struct fi_arena_block {
    _Alignas(FI_ALIGN) struct fi_arena_block *previous;
    size_t used, cap;
};

void fi_arena_init(struct fi_arena *arena, fanin_ctx *ctx) {
    arena->ctx = ctx;
    arena->last = NULL;
}

/* `bytes` at a multiple of `align` <= FI_ALIGN. */
static void *arena_take(struct fi_arena *arena, size_t bytes, size_t align) {
    struct fi_arena_block *last = arena->last;
    if (last) {
        size_t start = (last->used + align - 1) / align * align;
        if (start <= last->cap && bytes <= last->cap - start) {
            last->used = start + bytes;
            return (char *)(last + 1) + start;
        }
    }
    size_t cap = last ? FI_MIN(2 * last->cap, ARENA_MOST) : ARENA_FIRST;
    cap = FI_MAX(cap, ARENA_FIRST);
    /* What would fill most of a block gets one of its own, and the current one stays in use. */
    bool own = bytes > cap / 4;
    if (own) cap = bytes;
    struct fi_arena_block *block = take(arena->ctx, sizeof *block + cap);
    if (!block) return NULL;
    block->cap = cap;
    block->used = bytes;
    if (own && last) {
        block->previous = last->previous;
        last->previous = block;
    } else {
        block->previous = last;
        arena->last = block;
    }
    return block + 1;
}

void *fi_arena_alloc(struct fi_arena *arena, int64_t count, size_t size) {
    size_t bytes;
    if (!total_bytes(count, size, &bytes)) {
        fail_overflow(arena->ctx, count, size);
        return NULL;
    }
    return arena_take(arena, FI_MAX(bytes, (size_t)1), FI_ALIGN);
}

char *fi_arena_strdup(struct fi_arena *arena, const char *text) {
    size_t bytes = strlen(text) + 1;
    char *copy = arena_take(arena, bytes, 1);
    if (copy) memcpy(copy, text, bytes);
    return copy;
}

char *fi_arena_printf(struct fi_arena *arena, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = length < 0 ? NULL : arena_take(arena, (size_t)length + 1, 1);
    if (text) (void)vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    if (length < 0) fi_fail(arena->ctx, FANIN_ERR_INTERNAL, "cannot format '%s'", format);
    return text;
}

void fi_arena_free(struct fi_arena *arena) {
    struct fi_arena_block *block = arena->last;
    arena->last = NULL;
    while (block) {
        struct fi_arena_block *previous = block->previous;
        fi_free(arena->ctx, block);
        block = previous;
    }
}

enum fanin_status fi_arena_grow(struct fi_arena *arena, void **array, int64_t *cap, int64_t need,
                                size_t size) {
    if (need <= *cap) return FANIN_OK;
    int64_t doubled;
    if (!fi_mul(*cap, 2, &doubled)) doubled = need;
    int64_t wanted = FI_MAX(FI_MAX(need, doubled), 8);
    void *grown = fi_arena_alloc(arena, wanted, size);
    if (!grown) return FANIN_ERR_MEMORY;
    if (*cap > 0) memcpy(grown, *array, (size_t)*cap * size);
    *array = grown;
    *cap = wanted;
    return FANIN_OK;
}
