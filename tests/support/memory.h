/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An allocator that counts and fails when told: for tests that no allocation's failure goes
 * unnoticed and nothing is lost. Threads may share one.
 */
#ifndef TEST_MEMORY_H
#define TEST_MEMORY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include <fanin/fanin.h>

struct test_memory {
    _Atomic int64_t calls, live; /* blocks in use */
    int64_t fail_at;             /* this call fails, counted from 1; 0: none */
    bool for_ever;               /* and all after it */
};

/* From now on the first `left` calls succeed, no other. */
static inline void test_memory_left(struct test_memory *m, int64_t left) {
    m->calls = 0;
    m->fail_at = left + 1;
    m->for_ever = true;
}

static inline void *test_memory_alloc(void *payload, size_t bytes, size_t align) {
    struct test_memory *m = payload;
    const int64_t call = atomic_fetch_add(&m->calls, 1) + 1;
    if (m->fail_at > 0 && (m->for_ever ? call >= m->fail_at : call == m->fail_at)) return NULL;
    void *memory = aligned_alloc(align, (bytes + align - 1) / align * align);
    if (memory) atomic_fetch_add(&m->live, 1);
    return memory;
}

static inline void test_memory_free(void *payload, void *memory) {
    struct test_memory *m = payload;
    if (memory) atomic_fetch_sub(&m->live, 1);
    free(memory);
}

/* For fanin_ctx_options.allocator. */
static inline struct fanin_allocator test_memory_allocator(struct test_memory *m) {
    return (struct fanin_allocator){test_memory_alloc, test_memory_free, m};
}

#endif
