/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Golden files of lines: a word, then values separated by spaces; # begins a comment line. A line
 * is read with strtok, so what a word points at lasts until the next line.
 */
#ifndef TESTS_GOLDEN_LINES_H
#define TESTS_GOLDEN_LINES_H

#include "support/support.h"

static inline FILE *golden_open(const char *name) {
    char path[1024];
    const char *root = getenv("FANIN_SOURCE_DIR");
    snprintf(path, sizeof path, "%s/tests/golden/%s", root ? root : ".", name);
    FILE *stream = fopen(path, "r");
    if (!stream) fail_msg("%s cannot be opened", path);
    return stream;
}

/* The first word of the next line; NULL at the end. strtok(NULL, " \n") gives the others. */
static inline char *golden_next(FILE *stream) {
    static char line[4096];
    do {
        if (!fgets(line, sizeof line, stream)) return NULL;
        assert_non_null(strchr(line, '\n')); /* it fits */
    } while (line[0] == '#');
    return strtok(line, " \n");
}

/* The line must begin with this word. */
static inline void golden_line(FILE *stream, const char *word) {
    const char *found = golden_next(stream);
    assert_non_null(found);
    assert_string_equal(found, word);
}

/* The next n values of the line. */
static inline void golden_numbers(double *out, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        const char *value = strtok(NULL, " \n");
        assert_non_null(value);
        out[i] = strtod(value, NULL);
    }
}

#endif
