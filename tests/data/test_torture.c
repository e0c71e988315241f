/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every allocation of a load fails once, and from there on for ever: an error code, a message,
 * nothing leaked (counted here; the sanitizers see the rest).
 */
#include "data/npy_support.h"
#include "support/memory.h"

typedef enum fanin_status (*attempt_fn)(struct fixture *f, fanin_ctx *ctx);

static enum fanin_status load(struct fixture *f, fanin_ctx *ctx, struct fanin_rule reader,
                              const char *labels) {
    struct fanin_data_options o = {.size = sizeof o,
                                   .reader = reader,
                                   .train = f->path[0] ? f->path : NULL,
                                   .train_labels = labels,
                                   .test_fraction = 0.3,
                                   .validation_fraction = 0.2};
    fanin_data *d, *again = NULL;
    FI_TRY(fanin_data_load(&d, ctx, &o));
    const struct fi_table *t = &d->tables[0];
    enum fanin_status status = FANIN_OK;
    if (f->path[0])
        status = fi_data_load_like(&again, ctx, d->reader, d->schema, f->path, labels, &t->shape,
                                   d->shift, d->scale, t->output_names, t->n_outputs, t->task);
    fanin_data_free(again);
    fanin_data_free(d);
    return status;
}

static enum fanin_status load_csv(struct fixture *f, fanin_ctx *ctx) {
    static const struct fanin_named_text rules[] = {{"a", "flag"}, {"d", "most_frequent"}};
    static const struct fanin_named_text as[] = {{"b", "index"}};
    static const struct fanin_attr attrs[] = {
        {.name = "target", .text = "c"},
        {.name = "ignore", .text = "e, f"},
        {.name = "missing", .texts = rules, .n_texts = 2},
        {.name = "categories", .texts = as, .n_texts = 1},
    };
    return load(f, ctx, (struct fanin_rule){"csv", attrs, FI_COUNT(attrs), 0}, NULL);
}
static enum fanin_status load_idx(struct fixture *f, fanin_ctx *ctx) {
    return load(f, ctx, (struct fanin_rule){.name = "idx"}, f->other);
}
static enum fanin_status load_npy(struct fixture *f, fanin_ctx *ctx) {
    return load(f, ctx, (struct fanin_rule){.name = "npy"}, f->other);
}
static enum fanin_status load_npz(struct fixture *f, fanin_ctx *ctx) {
    static const struct fanin_attr attrs[] = {{.name = "x", .text = "a"},
                                              {.name = "y", .text = "b"}};
    return load(f, ctx, (struct fanin_rule){"npz", attrs, FI_COUNT(attrs), 0}, NULL);
}
static enum fanin_status load_random_labels(struct fixture *f, fanin_ctx *ctx) {
    return load(f, ctx, (struct fanin_rule){.name = "random_labels"}, NULL);
}

static void torture(struct fixture *f, attempt_fn attempt) {
    for (int for_ever = 0; for_ever < 2; for_ever++) {
        enum fanin_status status = FANIN_ERR_MEMORY;
        for (int64_t at = 0; status != FANIN_OK; at++) {
            struct test_memory c = {.for_ever = for_ever};
            struct fanin_ctx_options options = {
                .size = sizeof options, .threads = 1, .allocator = test_memory_allocator(&c)};
            fanin_ctx *ctx;
            assert_int_equal(fanin_ctx_create(&ctx, &options, NULL, 0), FANIN_OK);
            const int64_t before = c.live;
            c.fail_at = c.calls + at + 1;
            status = attempt(f, ctx);
            if (status != FANIN_OK) {
                if (status != FANIN_ERR_MEMORY)
                    fail_msg("allocation %d: %s: %s", (int)at, fanin_status_name(status),
                             fanin_errmsg(ctx));
                assert_non_null(strstr(fanin_errmsg(ctx), "memory"));
            }
            assert_int_equal(c.live, before);
            fanin_ctx_free(ctx);
            assert_int_equal(c.live, 0);
            assert_true(at < 5000);
        }
    }
}

static void test_csv(void **state) {
    struct fixture *f = *state;
    put_text(f, "a.csv",
             "a,b,c,d,e,f\n1,x,u,p,,\n2,y,v,q,,\n,x,v,,,\n4,,u,p,,\n5,y,u,q,,\n6,x,v,q,,\n");
    torture(f, load_csv);
}

static void test_idx(void **state) {
    struct fixture *f = *state;
    uint8_t bytes[64], packed[256];
    size_t n = idx_header(bytes, 0x08, 2, (uint32_t[]){8, 2});
    memset(bytes + n, 3, 16);
    put(f, "x.idx.gz", packed, gzip_bytes(packed, sizeof packed, bytes, n + 16));
    n = idx_header(bytes, 0x08, 1, (uint32_t[]){8});
    for (int i = 0; i < 8; i++) bytes[n + (size_t)i] = (uint8_t)(i % 2);
    put_other(f, "y.idx", bytes, n + 8);
    torture(f, load_idx);
}

static void test_arrays(void **state) {
    struct fixture *f = *state;
    uint8_t x[256], y[256], all[1024];
    const size_t n = npy_bytes(x, 1, "{'descr': '|i1', 'fortran_order': True, 'shape': (8, 1), }",
                               "12345678", 8);
    const size_t k = npy_bytes(y, 2, "{'descr': '|u1', 'fortran_order': False, 'shape': (8,), }",
                               "\0\1\0\1\0\1\0\1", 8);
    put(f, "x.npy", x, n);
    put_other(f, "y.npy", y, k);
    torture(f, load_npy);
    const struct zip_member members[] = {{"a.npy", x, n}, {"b.npy", y, k}};
    put(f, "x.npz", all, zip_bytes(all, members, 2));
    torture(f, load_npz);
}

static void test_sources(void **state) {
    struct fixture *f = *state;
    torture(f, load_random_labels);
}

static struct CMUnitTest tests[] = {
    DATA_TEST(test_csv),
    DATA_TEST(test_idx),
    DATA_TEST(test_arrays),
    DATA_TEST(test_sources),
};
int main(void) {
    return test_main(tests);
}
