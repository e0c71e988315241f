/* SPDX-License-Identifier: Apache-2.0 */
/* Texts and arrays that live as long as a report (report.h). */
#include <stdarg.h>
#include <stdlib.h>

#include "report.h"

static void *keep(struct scraps *s, void *item) {
    if (item && s->n == s->room) {
        const int room = s->room ? 2 * s->room : 64;
        void **grown = realloc((void *)s->items, (size_t)room * sizeof *grown);
        if (grown) {
            s->items = grown;
            s->room = room;
        }
    }
    if (!item || s->n == s->room) {
        free(item);
        s->failed = 1;
        return NULL;
    }
    return s->items[s->n++] = item;
}

void *scrap_room(struct scraps *s, int64_t count, size_t size) {
    return keep(s, calloc((size_t)count + 1, size));
}

const char *scrap_text(struct scraps *s, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    const int length = vsnprintf(NULL, 0, format, args);
    char *text = length < 0 ? NULL : keep(s, malloc((size_t)length + 1));
    if (text) vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    va_end(args);
    return text ? text : "";
}

void scraps_free(struct scraps *s) {
    for (int i = 0; i < s->n; i++) free(s->items[i]);
    free((void *)s->items);
    *s = (struct scraps){0};
}
