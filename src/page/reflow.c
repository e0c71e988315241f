/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON over several lines (part.h). A list or an object stays in its line where it fits there;
 * otherwise each member has a line of its own. Nothing is parsed to a value, so numbers stay as
 * they are written, and nesting may be as deep as it likes.
 */
#include <string.h>

#include "page/part.h"

#define COLUMNS 88

/* The next token at or behind *at: its first byte and length; 0: the end. */
static size_t next_token(const char *json, size_t *at) {
    *at += strspn(json + *at, " \t\r\n");
    const char *from = json + *at;
    if (!*from) return 0;
    if (*from != '"') return strchr("[]{}:,", *from) ? 1 : strcspn(from, " \t\r\n[]{}:,\"");
    size_t n = 1;
    while (from[n] && from[n] != '"') n += from[n] == '\\' && from[n + 1] ? 2 : 1;
    return n + (from[n] == '"');
}

static bool opens(char c) {
    return c == '{' || c == '[';
}
static bool closes(char c) {
    return c == '}' || c == ']';
}

/* Whether what opens at `at` fits into `room` columns of one line. */
static bool fits(const char *json, size_t at, int64_t room) {
    int64_t used = 0;
    for (int depth = 0;;) {
        const size_t n = next_token(json, &at);
        if (n == 0) return true;
        const char c = json[at];
        used += (int64_t)n + (c == ',' || c == ':');
        if (used > room) return false;
        depth += opens(c) - closes(c);
        if (depth <= 0) return true;
        at += n;
    }
}

static void new_line(struct fi_text *out, int depth, int64_t *column) {
    fi_text_add(out, "\n%*s", 2 * depth, "");
    *column = 2 * (int64_t)depth;
}

void fi_reflow(struct fi_text *out, const char *json) {
    enum { DEEPEST = 1000 }; /* further in, everything stays in one line */
    int depth = 0, flat = 0; /* flat: the depth from which on one line holds it all; 0: none */
    int64_t column = 0;
    bool begun = false; /* an opened list has no member yet */
    for (size_t at = 0, n; (n = next_token(json, &at)) > 0; at += n) {
        const char c = json[at];
        if (closes(c)) {
            depth -= depth > 0;
            if (!flat && !begun) new_line(out, depth, &column);
            if (flat > depth) flat = 0;
        } else if (begun && !flat) {
            new_line(out, depth, &column);
        }
        begun = false;
        fi_text_add(out, "%.*s", (int)FI_MIN(n, (size_t)INT32_MAX), json + at);
        column += (int64_t)n;
        if (opens(c)) {
            depth++;
            if (!flat && (depth >= DEEPEST || fits(json, at, COLUMNS - column + 1))) flat = depth;
            begun = true;
        } else if (c == ':' || (c == ',' && flat)) {
            fi_text_add(out, " ");
            column++;
        } else if (c == ',') {
            new_line(out, depth, &column);
        }
    }
}
