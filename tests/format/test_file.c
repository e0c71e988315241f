/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that are written completely or not at all: whatever goes wrong, the old content stays and
 * no temporary file is left.
 */
#include "support/support.h"

#include <dirent.h>
#include <fanin/format.h>
#include <signal.h>
#include <sys/resource.h>

static char dir[256];
static char path[512];

static int make_dir(void **state) {
    (void)state;
    temp_dir(dir);
    snprintf(path, sizeof path, "%s/out", dir);
    tests_run++;
    return 0;
}

static int remove_dir(void **state) {
    (void)state;
    temp_dir_remove(dir);
    return 0;
}

static int files_in_dir(void) {
    DIR *d = opendir(dir);
    int n = -2; /* . and .. */
    assert_non_null(d);
    while (readdir(d)) n++;
    closedir(d);
    return n;
}

static void assert_content(const char *file, const char *expected) {
    size_t size = 0;
    char *bytes = read_file(file, &size);
    assert_int_equal(size, strlen(expected));
    assert_memory_equal(bytes, expected, size);
    free(bytes);
}

static enum fanin_status write_whole(fanin_ctx *ctx, const char *to, const char *text) {
    fanin_file *file;
    enum fanin_status status = fanin_file_create(&file, ctx, to);
    if (status == FANIN_OK) status = fanin_file_write(file, text, strlen(text));
    if (status == FANIN_OK) status = fanin_file_commit(file);
    fanin_file_free(file);
    return status;
}

static void test_replaces(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    assert_ok(ctx, write_whole(ctx, path, "one"));
    assert_content(path, "one");
    assert_ok(ctx, write_whole(ctx, path, "two"));
    assert_content(path, "two");
    assert_ok(ctx, write_whole(ctx, path, ""));
    assert_content(path, "");
    assert_int_equal(files_in_dir(), 1);
    fanin_ctx_free(ctx);
}

/* A check for writability, or a run that fails: as if nothing had been. */
static void test_not_committed(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    fanin_file *file;
    assert_ok(ctx, fanin_file_create(&file, ctx, path));
    assert_ok(ctx, fanin_file_write(file, "text", 4));
    assert_int_equal(files_in_dir(), 1);
    fanin_file_free(file);
    assert_int_equal(files_in_dir(), 0);
    fanin_file_free(NULL);
    fanin_ctx_free(ctx);
}

static void test_large(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    fanin_file *file;
    size_t n = 300000, size = 0;
    unsigned char *bytes = malloc(n);
    assert_non_null(bytes);
    for (size_t i = 0; i < n; i++) bytes[i] = (unsigned char)(i * 7 + i / 251);
    assert_ok(ctx, fanin_file_create(&file, ctx, path));
    /* pieces around the size of the buffer */
    size_t pieces[] = {1, 65534, 1, 1, 65536, 65537, 3};
    size_t at = 0;
    for (int i = 0; i < FI_COUNT(pieces); i++) {
        assert_ok(ctx, fanin_file_write(file, bytes + at, pieces[i]));
        at += pieces[i];
    }
    assert_ok(ctx, fanin_file_write(file, bytes + at, n - at));
    assert_ok(ctx, fanin_file_commit(file));
    fanin_file_free(file);
    char *back = read_file(path, &size);
    assert_int_equal(size, n);
    assert_memory_equal(back, bytes, n);
    free(back);
    free(bytes);
    fanin_ctx_free(ctx);
}

static void test_follows_link(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    char link_path[600], dangling[600];
    struct stat st;
    snprintf(link_path, sizeof link_path, "%s/link", dir);
    snprintf(dangling, sizeof dangling, "%s/dangling", dir);
    write_file(path, "old", 3);
    assert_int_equal(symlink("out", link_path), 0);
    assert_int_equal(symlink("nowhere", dangling), 0);
    assert_ok(ctx, write_whole(ctx, link_path, "new"));
    assert_content(path, "new");
    assert_int_equal(lstat(link_path, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_refused(ctx, FANIN_ERR_IO, "link", write_whole(ctx, dangling, "new"));
    fanin_ctx_free(ctx);
}

static void test_refused(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    char missing[600];
    snprintf(missing, sizeof missing, "%s/no/such/folder", dir);
    assert_refused(ctx, FANIN_ERR_IO, "No such file", write_whole(ctx, missing, "x"));
    assert_refused(ctx, FANIN_ERR_IO, "directory", write_whole(ctx, dir, "x"));
    assert_refused(ctx, FANIN_ERR_IO, "not a regular", write_whole(ctx, "/dev/full", "x"));
    assert_refused(ctx, FANIN_ERR_IO, "empty", write_whole(ctx, "", "x"));
    if (getuid() != 0) {
        assert_int_equal(chmod(dir, 0500), 0);
        assert_refused(ctx, FANIN_ERR_IO, "denied", write_whole(ctx, path, "x"));
        assert_int_equal(chmod(dir, 0700), 0);
    }
    assert_int_equal(files_in_dir(), 0);
    fanin_ctx_free(ctx);
}

static void test_umask(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    struct stat st;
    mode_t old = umask(027);
    assert_ok(ctx, write_whole(ctx, path, "x"));
    umask(old);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    fanin_ctx_free(ctx);
}

/* A limit on the size of files fails writes in the middle, as a full disk does. */
static void test_write_fails(void **state) {
    (void)state;
    fanin_ctx *ctx = test_ctx();
    fanin_file *file;
    struct rlimit old, limit;
    static char bytes[200000];
    write_file(path, "old", 3);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    limit = old;
    limit.rlim_cur = 100000;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_ok(ctx, fanin_file_create(&file, ctx, path));
    enum fanin_status status = fanin_file_write(file, bytes, sizeof bytes);
    enum fanin_status committed = fanin_file_commit(file);
    fanin_file_free(file);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(status, FANIN_ERR_IO);
    assert_int_equal(committed, FANIN_ERR_IO);
    assert_non_null(strstr(fanin_errmsg(ctx), "File too large"));
    assert_content(path, "old");
    assert_int_equal(files_in_dir(), 1);
    fanin_ctx_free(ctx);
}

/* The disk of a tiny file system of our own fills up. Needs user namespaces; the child says 77 if
 * there are none. */
static void test_disk_full(void **state) {
    (void)state;
    char command[8192], mounted[600];
    snprintf(mounted, sizeof mounted, "%s/full", dir);
    assert_int_equal(mkdir(mounted, 0700), 0);
    /* the child mounts and runs this program again, with the path as its argument */
    snprintf(
        command, sizeof command,
        "unshare -rm sh -c 'mount -t tmpfs -o size=64k none %s || exit 77; %s %s/out' 2>/dev/null",
        mounted, getenv("FANIN_TEST_SELF"), mounted);
    int status = system(command);
    if (!WIFEXITED(status) || (WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != 3))
        skip_test("no user namespaces with tmpfs here");
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* Inside the small disk: 0 if the write was refused as it should be, 3 if not. */
static int fill_disk(const char *to) {
    fanin_ctx *ctx;
    fanin_file *file;
    static char bytes[200000];
    if (fanin_ctx_create(&ctx, NULL, NULL, 0) != FANIN_OK) return 3;
    write_file(to, "old", 3);
    int right = fanin_file_create(&file, ctx, to) == FANIN_OK &&
                fanin_file_write(file, bytes, sizeof bytes) == FANIN_ERR_IO &&
                strstr(fanin_errmsg(ctx), "No space left") != NULL;
    fanin_file_free(file);
    size_t size = 0;
    char *back = read_file(to, &size);
    right = right && size == 3 && !memcmp(back, "old", 3);
    free(back);
    fanin_ctx_free(ctx);
    return right ? 0 : 3;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_dir, remove_dir)

static struct CMUnitTest tests[] = {
    TEST(test_replaces), TEST(test_not_committed), TEST(test_large),       TEST(test_follows_link),
    TEST(test_refused),  TEST(test_umask),         TEST(test_write_fails), TEST(test_disk_full)};

int main(int argc, char **argv) {
    if (argc > 1) return fill_disk(argv[1]);
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    self[n > 0 ? n : 0] = '\0';
    setenv("FANIN_TEST_SELF", self, 1);
    return test_main(tests);
}
