/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A study from its file to its page, where an allocation fails, of this thread or of a worker: an
 * error with a message comes back, nothing leaks, and a run is recorded whole or not at all. A
 * sample of the allocations, the first few hundred of them all.
 */
#include <fanin/study.h>
#include <unistd.h>

#include "support/memory.h"
#include "support/support.h"

static const char text[] =
    "recipe:\n"
    "  data: {gaussian_blobs: {n: 40, classes: 3, features: 4}}\n"
    "  net: [{dense: 5}, {tanh: , name: act}, {dense: outputs}]\n"
    "  train: {epochs: 2, batch: 20}\n"
    "grid: {act: {net.act: [tanh, relu]}}\n"
    "seeds: 2\n"
    "measure: {test: {metrics: , at: epoch}, w: {weights: , at: start}}\n"
    "claims: [{expect: 'test.error(relu) < 2 * mean(test.error(tanh)) + 1'},\n"
    "         {expect: 'reach(test.loss, 100) == 0', each: act}]\n"
    "plots:\n"
    "  - curve: test.error\n"
    "  - strip: {figure: test.error, text: each}\n"
    "  - table: [test.error, test.loss]\n"
    "  - profile: {figure: w.rms, predicted: w.norm}\n"
    "  - bins: w.numbers\n";

static int swallow(void *payload, const char *piece, size_t bytes) {
    (void)payload, (void)piece, (void)bytes;
    return 0;
}

static int swallow_picture(void *payload, const char *name, const char *svg, size_t bytes) {
    (void)payload, (void)name, (void)svg, (void)bytes;
    return 0;
}

static enum fanin_status pages(fanin_ctx *ctx, fanin_study *study) {
    fanin_page *page;
    enum fanin_status status = fanin_page_create(&page, ctx, fanin_study_title(study), "study");
    if (status != FANIN_OK) return status;
    status = fanin_study_page(study, page, "fanin study");
    if (status == FANIN_OK) status = fanin_page_write(page, swallow, NULL);
    if (status == FANIN_OK)
        status = fanin_page_write_markdown(page, "s", swallow, swallow_picture, NULL);
    fanin_page_free(page);
    return status;
}

static enum fanin_status the_way(struct test_memory *c, const char *file, const char *records) {
    const struct fanin_ctx_options options = {
        .size = sizeof options, .threads = 1, .allocator = test_memory_allocator(c)};
    const struct fanin_study_run_options one = {.size = sizeof one, .jobs = 1};
    fanin_ctx *ctx;
    fanin_study *study = NULL;
    char error[200] = "";
    enum fanin_status status = fanin_ctx_create(&ctx, &options, error, sizeof error);
    if (status != FANIN_OK) {
        assert_string_not_equal(error, "");
        return status;
    }
    status = fanin_study_load(&study, ctx, file, NULL);
    if (status == FANIN_OK) status = fanin_study_open(study, records);
    if (status == FANIN_OK) status = fanin_study_run(study, &one);
    if (status == FANIN_OK) status = fanin_study_judge(study);
    if (status == FANIN_OK) status = pages(ctx, study);
    if (status == FANIN_OK) status = fanin_study_csv(study, swallow, NULL);
    if (status != FANIN_OK) assert_string_not_equal(fanin_errmsg(ctx), "");
    fanin_study_free(study);
    fanin_ctx_free(ctx);
    return status;
}

/* A folder with the study file in it. */
struct place {
    char dir[32], file[64], records[64];
};

static void make_place(struct place *p) {
    strcpy(p->dir, "/tmp/fanin-study-XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    snprintf(p->file, sizeof p->file, "%s/s.yaml", p->dir);
    snprintf(p->records, sizeof p->records, "%s/s.sqlite", p->dir);
    FILE *f = fopen(p->file, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, sizeof text - 1, f), sizeof text - 1);
    assert_int_equal(fclose(f), 0);
}

static void remove_place(const struct place *p) {
    (void)remove(p->records);
    (void)remove(p->file);
    (void)rmdir(p->dir);
}

static void allocations_fail(void **state) {
    (void)state;
    struct place p;
    make_place(&p);
    struct test_memory all = {0};
    assert_int_equal(the_way(&all, p.file, p.records), FANIN_OK);
    assert_int_equal(all.live, 0);
    assert_true(all.calls > 300);
    const int64_t step = 1 + all.calls / 400;
    for (int64_t i = 1; i <= all.calls; i += i < 100 ? 1 : step) {
        struct test_memory c = {.fail_at = i};
        (void)remove(p.records);
        const enum fanin_status status = the_way(&c, p.file, p.records);
        if (status != FANIN_ERR_MEMORY)
            fail_msg("allocation %lld of %lld: %s", (long long)i, (long long)all.calls,
                     fanin_status_name(status));
        assert_int_equal(c.live, 0);
    }
    remove_place(&p);
}

/* After a failure the same file of records serves. */
static void goes_on(void **state) {
    (void)state;
    struct place p;
    make_place(&p);
    struct test_memory all = {0};
    assert_int_equal(the_way(&all, p.file, p.records), FANIN_OK);
    (void)remove(p.records);
    struct test_memory half = {.fail_at = all.calls / 2};
    assert_int_equal(the_way(&half, p.file, p.records), FANIN_ERR_MEMORY);
    struct test_memory rest = {0};
    assert_int_equal(the_way(&rest, p.file, p.records), FANIN_OK);
    assert_true(rest.calls < all.calls);
    remove_place(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(allocations_fail),
                                       cmocka_unit_test(goes_on)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
