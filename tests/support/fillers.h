/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any record in a recipe: values for the attributes that must be given, and where the records of a
 * kind may stand, so that tests go over all records without knowing one by name.
 */
#ifndef TESTS_FILLERS_H
#define TESTS_FILLERS_H

#include "support/support.h"

/* The text of a record in a recipe is <before><name>: <attributes><after>. */
struct kind_place {
    const char *kind, *before, *after;
};
static const struct kind_place kind_places[] = {{"op", "net: [{", "}]"},
                                                {"loss", "loss: {", "}"},
                                                {"init", "init: {", "}"},
                                                {"reg", "regularize: {", "}"},
                                                {"constraint", "constrain: {", "}"},
                                                {"optim", "optim: {", "}"},
                                                {"average", "average: {", "}"},
                                                {"schedule", "schedule: {", "}"},
                                                {"reader", "data: {reader: {", "}}"}};

/* NULL: the kind stands nowhere as a rule (metric, format, report). */
static inline const struct kind_place *kind_place(const char *kind) {
    for (int i = 0; i < FI_COUNT(kind_places); i++)
        if (strcmp(kind_places[i].kind, kind) == 0) return &kind_places[i];
    return NULL;
}

/* A value that will do for an attribute that must be given; false: none is known. */
static inline bool filler(char *out, size_t size, const struct fanin_attr_spec *a) {
    const bool whole = a->type == FANIN_ATTR_INT;
    switch (a->type) {
    case FANIN_ATTR_INT:
    case FANIN_ATTR_REAL:
    case FANIN_ATTR_GAIN:
        for (double v = whole ? 2 : 0.5; v < 1e6; v *= 2)
            if (v > a->min && v < a->max) return snprintf(out, size, "%g", v) > 0;
        return snprintf(out, size, "%.17g", a->max) > 0;
    case FANIN_ATTR_BOOL:
        return snprintf(out, size, "true") > 0;
    case FANIN_ATTR_STRING:
        return snprintf(out, size, "loss") > 0;
    case FANIN_ATTR_LIST:
        return snprintf(out, size, "[0.5]") > 0;
    case FANIN_ATTR_CHOICE:
    case FANIN_ATTR_TEXTS:
        return snprintf(out, size, "%.*s", a->text ? (int)strcspn(a->text, "|") : 1,
                        a->text ? a->text : "a") > 0;
    case FANIN_ATTR_RULE:
        break;
    }
    return false;
}

/* "a: 1, b: 2, " of all attributes that must be given but `except`; false: one has no filler. */
static inline bool fill_required(char *out, size_t size, const struct fanin_record *record,
                                 const struct fanin_attr_spec *except) {
    char value[64];
    out[0] = '\0';
    for (const struct fanin_attr_spec *a = record->attrs; a && a->name; a++) {
        if (a == except || !(a->flags & FANIN_ATTR_REQUIRED)) continue;
        if (!filler(value, sizeof value, a)) return false;
        const size_t at = strlen(out);
        (void)snprintf(out + at, size - at, "%s: %s, ", a->name, value);
    }
    return true;
}

#endif
