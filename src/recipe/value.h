/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A recipe as a tree of values: what YAML holds, with the place each value came from.
 *
 * Scalars follow the core schema of YAML 1.2 (section 10.3.2): null, true/false, integers (decimal,
 * 0o17, 0x1f), reals, .inf; everything else is text, also `no`, `off` and `1_000`, which YAML 1.1
 * reads otherwise. Quoted scalars are always text. JSON is YAML, so it needs no parser of its own.
 * Everything is allocated in one arena; there is nothing to free.
 */
#ifndef FI_RECIPE_VALUE_H
#define FI_RECIPE_VALUE_H

#include "base/base.h"

#define FI_VALUE_MAX_BYTES (16u << 20) /* of a recipe file */
#define FI_VALUE_MAX_DEPTH 64          /* of nested lists and maps, aliases followed */
#define FI_VALUE_MAX_VALUES 100000     /* in one document, aliases expanded */
#define FI_VALUE_MAX_KEYS 1024         /* of one map, and anchors of one document */

/* Where a value was written: a file and its line, or (line 0) an override. */
struct fi_mark {
    const char *source;
    int line;
};

enum fi_value_kind {
    FI_VALUE_NULL,
    FI_VALUE_TEXT,
    FI_VALUE_BOOL,
    FI_VALUE_INT,
    FI_VALUE_REAL,
    FI_VALUE_LIST,
    FI_VALUE_MAP
};

struct fi_value;

/* A member of a map, or of a list (key NULL). */
struct fi_entry {
    const char *key;
    struct fi_mark mark; /* of the key; of the value in a list */
    struct fi_value *value;
};

struct fi_value {
    enum fi_value_kind kind;
    struct fi_mark mark;
    const char *text; /* scalars: as written */
    double number;    /* BOOL 0 or 1, INT, REAL */
    struct fi_entry *entries;
    int64_t n, cap;
};

/* "recipe.yaml:12: <message>" or "--set optim.lr=x: <message>"; always FANIN_ERR_RECIPE. */
enum fanin_status fi_fail_at(fanin_ctx *ctx, struct fi_mark mark, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
#define fi_fail_at(...) fi_given(FANIN_ERR_RECIPE, fi_fail_at(__VA_ARGS__))
/* Puts a place before the message that a failed call has left; returns `status`. */
enum fanin_status fi_fail_prefix(fanin_ctx *ctx, enum fanin_status status, struct fi_mark mark);

/* An empty value of a kind; NULL without memory, with the message set. */
struct fi_value *fi_value_new(struct fi_arena *arena, enum fi_value_kind kind, struct fi_mark mark);
/* A scalar; `plain` ones are classified, others are text. */
struct fi_value *fi_value_scalar(struct fi_arena *arena, const char *text, bool plain,
                                 struct fi_mark mark);
/* Appends to a list (key NULL) or map; the key must not be there yet. */
enum fanin_status fi_value_append(struct fi_arena *arena, struct fi_value *parent, const char *key,
                                  struct fi_mark mark, struct fi_value *value);
/* The entry of a key, NULL if there is none or `map` is not a map. */
struct fi_entry *fi_value_find(const struct fi_value *map, const char *key);
/* The value of a key; NULL also where it is null. */
struct fi_value *fi_value_get(const struct fi_value *map, const char *key);
/* A deep copy. */
enum fanin_status fi_value_copy(struct fi_arena *arena, struct fi_value **out,
                                const struct fi_value *value);
/* Makes a scalar text, whatever it looked like: `target: 007` names a column. */
void fi_value_as_text(struct fi_value *scalar);
/* "a list", "text 'abc'", "number 10", for messages; the buffer is returned. */
const char *fi_value_what(const struct fi_value *value, char *buffer, size_t size);

/* Classifies a plain scalar; *number is set for BOOL, INT and REAL. Does not depend on the locale.
 */
enum fi_value_kind fi_scalar_classify(const char *text, double *number);

/* Parses one YAML document. *out is a null value if there is none. Errors: RECIPE, MEMORY. `lines`
 * false: an override, lines are not told. */
enum fanin_status fi_value_parse(struct fi_arena *arena, struct fi_value **out, const char *source,
                                 bool lines, const char *text, size_t length);

/* Appends the value as JSON. Numbers keep their digits (".5" becomes "0.5"). */
void fi_value_json(struct fi_text *out, const struct fi_value *value);
/* Appends a quoted JSON string. */
void fi_json_string(struct fi_text *out, const char *text);

#endif
