/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The context: threads, processor tier, allocator, log, and the library's version.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/tables.h"

#define MOST_THREADS 1024

static void *default_alloc(void *payload, size_t bytes, size_t align) {
    (void)payload;
    void *memory = NULL;
    return posix_memalign(&memory, align, bytes) ? NULL : memory;
}

static void default_free(void *payload, void *memory) {
    (void)payload;
    free(memory);
}

/* ---- threads --------------------------------------------------------------------------------------- */

static int usable_processors(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) return FI_MAX(CPU_COUNT(&set), 1);
    /* More processors than the set holds. */
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return (int)FI_MIN(FI_MAX(online, 1), MOST_THREADS);
}

static enum fanin_status choose_threads(fanin_ctx *ctx, int asked) {
    const char *text = getenv("FANIN_THREADS");
    if (asked < 0 || asked > MOST_THREADS)
        return fi_fail(ctx, FANIN_ERR_ARGUMENT, "threads must be 1 to %d, not %d", MOST_THREADS,
                       asked);
    if (asked == 0 && text && *text) {
        char *end;
        errno = 0;
        long value = strtol(text, &end, 10);
        if (errno || *end || value < 1 || value > MOST_THREADS)
            return fi_fail(ctx, FANIN_ERR_ARGUMENT, "FANIN_THREADS must be 1 to %d, not '%s'",
                           MOST_THREADS, text);
        asked = (int)value;
    }
    ctx->threads = asked ? asked : usable_processors();
    return FANIN_OK;
}

/* ---- tiers ----------------------------------------------------------------------------------------- */

/* Whether this processor (and its operating system) runs what the tier's flags let the compiler
 * use. */
static bool processor_runs(const char *tier) {
    if (strcmp(tier, "portable") == 0) return true;
#if defined(__x86_64__)
    __builtin_cpu_init();
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (strcmp(tier, "avx2") == 0) return avx2;
    if (strcmp(tier, "avx512") == 0)
        return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
#endif
    return false;
}

/* "portable, avx2": the tiers of this build that run here. */
static void list_tiers(char *out, size_t size) {
    size_t length = 0;
    out[0] = '\0';
    for (int i = 0; i < fi_n_tiers; i++) {
        if (!processor_runs(fi_tiers[i].name) || length >= size) continue;
        int n = snprintf(out + length, size - length, "%s%s", length ? ", " : "", fi_tiers[i].name);
        length += (size_t)FI_MAX(n, 0);
    }
}

static enum fanin_status choose_tier(fanin_ctx *ctx, const char *asked) {
    const char *source = "isa";
    if (!asked) {
        asked = getenv("FANIN_ISA");
        source = "FANIN_ISA";
    }
    int chosen = -1;
    bool named = asked && *asked;
    for (int i = 0; i < fi_n_tiers; i++) {
        bool wanted = !named || strcmp(asked, fi_tiers[i].name) == 0;
        if (wanted && processor_runs(fi_tiers[i].name)) chosen = i;
        if (named && wanted && chosen < 0)
            return fi_fail(
                ctx, FANIN_ERR_UNSUPPORTED,
                "%s=%s: this processor lacks what %s needs; it runs the best tier it can "
                "when %s is not set",
                source, asked, asked, source);
    }
    if (chosen < 0) {
        char tiers[64];
        list_tiers(tiers, sizeof tiers);
        return fi_fail(ctx, FANIN_ERR_UNSUPPORTED,
                       "%s=%s: no such tier in this build; here run: %s", source, asked, tiers);
    }
    ctx->tier = chosen;
    ctx->kernels = fi_tiers[chosen].kernels;
    return FANIN_OK;
}

/* ---- life ------------------------------------------------------------------------------------------ */

static enum fanin_status set_up(fanin_ctx *ctx, const struct fanin_ctx_options *options) {
    FI_TRY(choose_threads(ctx, options->threads));
    FI_TRY(choose_tier(ctx, options->isa));
    return fi_pool_create(&ctx->pool, ctx, ctx->threads);
}

static enum fanin_status leave_message(char *error, size_t error_size, enum fanin_status status,
                                       const char *message) {
    if (error && error_size > 0) (void)snprintf(error, error_size, "%s", message);
    return status;
}

enum fanin_status fanin_ctx_create(fanin_ctx **out, const struct fanin_ctx_options *options,
                                   char *error, size_t error_size) {
    if (!out) return leave_message(error, error_size, FANIN_ERR_ARGUMENT, "out is NULL");
    *out = NULL;
    /* A program built against an older header passes a shorter struct. */
    struct fanin_ctx_options all = {0};
    if (options) {
        if (options->size < sizeof options->size || options->size > sizeof all)
            return leave_message(error, error_size, FANIN_ERR_ARGUMENT,
                                 "options.size is not sizeof(struct fanin_ctx_options)");
        memcpy(&all, options, options->size);
    }
    struct fanin_allocator allocator = all.allocator;
    if (!allocator.alloc) allocator = (struct fanin_allocator){default_alloc, default_free, NULL};
    if (!allocator.free)
        return leave_message(error, error_size, FANIN_ERR_ARGUMENT, "allocator.free is NULL");

    fanin_ctx *ctx = allocator.alloc(allocator.payload, sizeof *ctx, FI_ALIGN);
    if (!ctx)
        return leave_message(error, error_size, FANIN_ERR_MEMORY, "out of memory: the context");
    *ctx = (fanin_ctx){.allocator = allocator, .log = all.log, .log_payload = all.log_payload};
    fi_arena_init(&ctx->arena, ctx);
    fi_arena_init(&ctx->mistakes.arena, ctx);
    enum fanin_status status = set_up(ctx, &all);
    leave_message(error, error_size, status, ctx->message);
    if (status != FANIN_OK) {
        fanin_ctx_free(ctx);
        return status;
    }
    *out = ctx;
    return FANIN_OK;
}

void fanin_ctx_free(fanin_ctx *ctx) {
    if (!ctx) return;
    fi_pool_free(ctx, ctx->pool);
    fi_arena_free(&ctx->arena);
    fi_arena_free(&ctx->mistakes.arena);
    struct fanin_allocator allocator = ctx->allocator;
    allocator.free(allocator.payload, ctx);
}

int fanin_threads(const fanin_ctx *ctx) {
    return ctx->threads;
}

const char *fanin_isa(const fanin_ctx *ctx) {
    return fi_tiers[ctx->tier].name;
}

const char *fanin_version(void) {
    return FANIN_VERSION;
}

#define TEXT_(number) #number
#define TEXT(number) TEXT_(number)

const char *fanin_compiler(void) {
#if defined(__clang__)
    return "clang " TEXT(__clang_major__) "." TEXT(__clang_minor__) "." TEXT(__clang_patchlevel__);
#elif defined(__GNUC__)
    return "gcc " TEXT(__GNUC__) "." TEXT(__GNUC_MINOR__) "." TEXT(__GNUC_PATCHLEVEL__);
#else
    return "unknown";
#endif
}

void fanin_stop(fanin_ctx *ctx) {
    ctx->stop = 1;
}
