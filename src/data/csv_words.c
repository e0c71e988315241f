/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sets of words: the values of a category, the names of classes. Open addressing over the hash of
 * the text; the memory is the arena's, so a set that grew leaves at most as much again behind.
 */
#include <stdlib.h>
#include <string.h>

#include "data/csv.h"

int64_t fi_csv_find(const struct csv_words *w, const char *text) {
    if (!w->list) return -1;
    for (uint64_t slot = fi_hash_text(text);; slot++) {
        int32_t number = w->slots[slot & (uint64_t)(w->n_slots - 1)];
        if (number == 0) return -1;
        if (strcmp(w->list[number - 1].text, text) == 0) return number - 1;
    }
}

static void put_slot(struct csv_words *w, int64_t number) {
    uint64_t slot = fi_hash_text(w->list[number].text), mask = (uint64_t)(w->n_slots - 1);
    while (w->slots[slot & mask] != 0) slot++;
    w->slots[slot & mask] = (int32_t)number + 1;
}

static enum fanin_status grow_words(struct fi_arena *arena, struct csv_words *w) {
    const int64_t cap = FI_MAX(2 * w->cap, 8);
    struct csv_words bigger = {.n = w->n, .cap = cap, .n_slots = 2 * cap};
    bigger.list = fi_arena_alloc(arena, cap, sizeof(*w->list));
    bigger.slots = fi_arena_alloc(arena, bigger.n_slots, sizeof(*w->slots));
    if (!bigger.list || !bigger.slots) return FANIN_ERR_MEMORY;
    for (int64_t i = 0; i < w->n; i++) {
        bigger.list[i] = w->list[i];
        put_slot(&bigger, i);
    }
    *w = bigger;
    return FANIN_OK;
}

enum fanin_status fi_csv_add(struct fi_arena *arena, struct csv_words *w, const char *text) {
    const int64_t known = w->n > 0 ? fi_csv_find(w, text) : -1;
    if (known >= 0) {
        w->list[known].count++;
        return FANIN_OK;
    }
    if (w->n == w->cap) FI_TRY(grow_words(arena, w));
    const char *copy = fi_arena_strdup(arena, text);
    if (!copy) return FANIN_ERR_MEMORY;
    w->list[w->n] = (struct csv_word){copy, 1};
    put_slot(w, w->n++);
    return FANIN_OK;
}

struct sorted {
    const char *text;
    double value;
    int64_t count;
};

static int by_text(const void *a, const void *b) {
    return strcmp(((const struct sorted *)a)->text, ((const struct sorted *)b)->text);
}

static int by_value(const void *a, const void *b) {
    double x = ((const struct sorted *)a)->value, y = ((const struct sorted *)b)->value;
    return x < y ? -1 : x > y ? 1 : by_text(a, b);
}

enum fanin_status fi_csv_sort(struct fi_arena *arena, const struct csv_file *file,
                              struct csv_words *w, int64_t min_count, bool numeric) {
    struct sorted *list = fi_arena_alloc(arena, w->n, sizeof(*list));
    struct csv_words kept = {0};
    int64_t n = 0;
    if (!list) return FANIN_ERR_MEMORY;
    for (int64_t i = 0; i < w->n; i++) {
        if (w->list[i].count < min_count) continue;
        list[n].text = w->list[i].text;
        list[n].count = w->list[i].count;
        if (numeric) (void)fi_csv_number(file, w->list[i].text, &list[n].value);
        n++;
    }
    qsort(list, (size_t)n, sizeof(*list), numeric ? by_value : by_text);
    for (int64_t i = 0; i < n; i++) {
        FI_TRY(fi_csv_add(arena, &kept, list[i].text));
        kept.list[i].count = list[i].count;
    }
    *w = kept;
    return FANIN_OK;
}
