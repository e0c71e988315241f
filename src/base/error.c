/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors and the log: one line each, made in one place.
 *
 * Messages quote names and cells of files nobody has vouched for, so control characters, which
 * could end the line or talk to a terminal, are shown as '?'. A message that does not fit ends in
 * "...".
 */
#include <stdio.h>
#include <string.h>

#include "base/base.h"

/* Prints one line into line[size]. */
__attribute__((format(printf, 3, 0))) static void print_line(char *line, size_t size,
                                                             const char *format, va_list args) {
    int length = vsnprintf(line, size, format, args);
    if (length < 0) line[0] = '\0';
    if (length >= (int)size) {
        size_t end = size - 4;
        /* Not inside a UTF-8 sequence. */
        while (end > 0 && ((unsigned char)line[end] & 0xC0u) == 0x80u) end--;
        memcpy(line + end, "...", 4);
    }
    for (char *c = line; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7F) *c = *c == '\n' || *c == '\t' ? ' ' : '?';
}

enum fanin_status fi_failv(fanin_ctx *ctx, enum fanin_status code, const char *format,
                           va_list args) {
    if (!ctx) return code;
    if (!ctx->mistakes.open) ctx->mistakes.n = 0; /* they belonged to an earlier failure */
    /* The arguments may quote the message being replaced. */
    char line[sizeof ctx->message];
    print_line(line, sizeof line, format, args);
    memcpy(ctx->message, line, sizeof line);
    return code;
}

enum fanin_status(fi_fail)(fanin_ctx *ctx, enum fanin_status code, const char *format, ...) {
    va_list args;
    va_start(args, format);
    fi_failv(ctx, code, format, args);
    va_end(args);
    return code;
}

enum fanin_status(fi_fail_memory)(fanin_ctx *ctx, const char *what, size_t bytes) {
    return fi_fail(ctx, FANIN_ERR_MEMORY, "out of memory: %s needs %zu bytes", what, bytes);
}

void fi_tell(fanin_ctx *ctx, enum fanin_log_level level, const char *format, ...) {
    if (!ctx->log) return;
    char line[sizeof ctx->message];
    va_list args;
    va_start(args, format);
    print_line(line, sizeof line, format, args);
    va_end(args);
    ctx->log(ctx->log_payload, level, line);
}

const char *fanin_errmsg(const fanin_ctx *ctx) {
    return ctx ? ctx->message : "";
}

const char *fanin_status_name(enum fanin_status status) {
    static const char *const names[] = {
        [FANIN_OK] = "ok",
        [FANIN_ERR_ARGUMENT] = "argument",
        [FANIN_ERR_MEMORY] = "memory",
        [FANIN_ERR_IO] = "io",
        [FANIN_ERR_DATA] = "data",
        [FANIN_ERR_RECIPE] = "recipe",
        [FANIN_ERR_SHAPE] = "shape",
        [FANIN_ERR_SYMMETRIC] = "symmetric",
        [FANIN_ERR_DIVERGED] = "diverged",
        [FANIN_ERR_STOPPED] = "stopped",
        [FANIN_ERR_UNSUPPORTED] = "unsupported",
        [FANIN_ERR_INTERNAL] = "internal",
    };
    if ((int)status < 0 || (int)status >= FI_COUNT(names)) return "unknown";
    return names[status];
}
