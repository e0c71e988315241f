/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What several tests need: cmocka's headers in their order, a main that reports a wholly skipped
 * program to ctest, contexts, folders, files.
 *
 * A program ends in  int main(void) { return test_main(tests); }
 */
#ifndef TESTS_SUPPORT_H
#define TESTS_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants these before it. */
#include <cmocka.h>

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base.h"

#define TEST_SKIPPED 77

static int tests_run, tests_skipped;

/* skip(), counted: a program whose tests were all skipped shows as skipped. */
#define skip_test(reason)                                                                          \
    do {                                                                                           \
        tests_skipped++;                                                                           \
        print_message("skipped: %s\n", reason);                                                    \
        skip();                                                                                    \
    } while (0)

static inline int count_test(void **state) {
    (void)state;
    tests_run++;
    return 0;
}

/* Runs an array of struct CMUnitTest; the exit code for ctest. */
#define test_main(tests) run_test_group(#tests, tests, sizeof(tests) / sizeof((tests)[0]))

static inline int run_test_group(const char *name, struct CMUnitTest *tests, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (!tests[i].setup_func) tests[i].setup_func = count_test;
    int failed = _cmocka_run_group_tests(name, tests, n, NULL, NULL);
    if (failed) return failed > 76 ? 76 : failed;
    return tests_run > 0 && tests_skipped >= tests_run ? TEST_SKIPPED : 0;
}

/* A context with this many threads (0: the default) on this tier (NULL: the best); NULL if the
 * processor lacks the tier, which is a reason to skip. */
static inline fanin_ctx *test_ctx_on(int threads, const char *isa) {
    struct fanin_ctx_options options = {.size = sizeof options, .threads = threads, .isa = isa};
    fanin_ctx *ctx;
    char error[256];
    enum fanin_status status = fanin_ctx_create(&ctx, &options, error, sizeof error);
    if (status == FANIN_ERR_UNSUPPORTED) return NULL;
    if (status != FANIN_OK) fail_msg("no context: %s", error);
    return ctx;
}

static inline fanin_ctx *test_ctx(void) {
    return test_ctx_on(1, NULL);
}

/* Fails the test with the context's message unless the call returns FANIN_OK. */
#define assert_ok(ctx, call)                                                                       \
    do {                                                                                           \
        enum fanin_status ok_status_ = (call);                                                     \
        if (ok_status_ != FANIN_OK)                                                                \
            fail_msg("%s: %s: %s", #call, fanin_status_name(ok_status_), fanin_errmsg(ctx));       \
    } while (0)

/* Fails unless the call is refused with this status and a one-line message that contains `part`. */
#define assert_refused(ctx, expected, part, call)                                                  \
    do {                                                                                           \
        enum fanin_status refused_status_ = (call);                                                \
        if (refused_status_ != (expected))                                                         \
            fail_msg("%s: %s (%s), expected %s", #call, fanin_status_name(refused_status_),        \
                     fanin_errmsg(ctx), fanin_status_name(expected));                              \
        if (!strstr(fanin_errmsg(ctx), part) || strchr(fanin_errmsg(ctx), '\n'))                   \
            fail_msg("%s: the message '%s' does not say '%s'", #call, fanin_errmsg(ctx), part);    \
    } while (0)

/* The source tree's root. */
static inline const char *source_dir(void) {
    const char *dir = getenv("FANIN_SOURCE_DIR");
    return dir ? dir : ".";
}

/* Puts the path of a file of the real data into path[size]; false where it is not there. */
static inline bool data_path(char *path, size_t size, const char *name) {
    const char *dir = getenv("FANIN_DATA_DIR");
    if (dir)
        (void)snprintf(path, size, "%s/%s", dir, name);
    else
        (void)snprintf(path, size, "%s/../shared/data/%s", source_dir(), name);
    return access(path, R_OK) == 0;
}

/* A fresh folder; remove it with temp_dir_remove. */
static inline char *temp_dir(char path[256]) {
    const char *base = getenv("TMPDIR");
    (void)snprintf(path, 256, "%s/fanin-test-XXXXXX", base ? base : "/tmp");
    if (!mkdtemp(path)) fail_msg("cannot make a folder from %s", path);
    return path;
}

static inline int remove_entry(const char *path, const struct stat *info, int type,
                               struct FTW *where) {
    (void)info, (void)type, (void)where;
    return remove(path);
}
static inline void temp_dir_remove(const char *path) {
    (void)nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static inline void write_file(const char *path, const void *bytes, size_t size) {
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(bytes, 1, size, file) != size || fclose(file) != 0)
        fail_msg("cannot write %s", path);
}

/* The bytes of a file and a zero after them; free() them. */
static inline char *read_file(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    struct stat info;
    if (!file || fstat(fileno(file), &info) != 0) {
        fail_msg("cannot read %s", path);
        return NULL;
    }
    char *bytes = calloc(1, (size_t)info.st_size + 1);
    size_t got = bytes ? fread(bytes, 1, (size_t)info.st_size, file) : 0;
    fclose(file);
    if (got != (size_t)info.st_size) fail_msg("cannot read %s", path);
    if (size) *size = got;
    return bytes;
}

#endif
