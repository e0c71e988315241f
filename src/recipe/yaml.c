/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML to a tree of values, from libyaml's events.
 *
 * A recipe may come from a model file of unknown origin, so every growth is bounded: bytes, depth,
 * values after aliases were expanded (an alias is a copy, so that an override changes one place
 * only), keys of a map and anchors. Refused: duplicate keys, several documents, tags, keys that are
 * not text, aliases inside their own anchor.
 */
#include <stdio.h>
#include <string.h>
#include <yaml.h>

#include "recipe/value.h"

struct anchor {
    const char *name;
    struct fi_value *value; /* NULL while it is being read */
};

struct reader {
    fanin_ctx *ctx;
    struct fi_arena *arena;
    const char *source;
    bool lines;
    yaml_parser_t parser;
    int64_t n_values;
    struct anchor anchors[FI_VALUE_MAX_KEYS];
    int n_anchors;
};

static struct fi_mark mark_of(const struct reader *r, yaml_mark_t mark) {
    return (struct fi_mark){r->source, r->lines ? (int)mark.line + 1 : 0};
}

static enum fanin_status fail_parser(struct reader *r) {
    const yaml_parser_t *p = &r->parser;
    if (p->error == YAML_MEMORY_ERROR) return fi_fail_memory(r->ctx, "the YAML parser", 0);
    /* a reader error (bytes that are no text) has an offset but no mark of its own */
    bool bytes = p->error == YAML_READER_ERROR;
    struct fi_mark mark = mark_of(r, bytes ? p->mark : p->problem_mark);
    const char *problem = p->problem ? p->problem : "unknown problem";
    if (p->context && !bytes) {
        return fi_fail_at(r->ctx, mark, "not valid YAML: %s %s", p->context, problem);
    }
    return fi_fail_at(r->ctx, mark, "not valid YAML: %s%s", problem,
                      strstr(problem, "cannot start any token")
                          ? " (indent with spaces, not tabs; quote texts that begin with @ or `)"
                          : "");
}

static enum fanin_status next(struct reader *r, yaml_event_t *event) {
    if (!yaml_parser_parse(&r->parser, event)) {
        memset(event, 0, sizeof *event);
        return fail_parser(r);
    }
    return FANIN_OK;
}

static enum fanin_status count_value(struct reader *r, struct fi_mark mark, int depth) {
    if (depth > FI_VALUE_MAX_DEPTH) {
        return fi_fail_at(r->ctx, mark, "nested more than %d levels deep", FI_VALUE_MAX_DEPTH);
    }
    if (++r->n_values > FI_VALUE_MAX_VALUES) {
        return fi_fail_at(r->ctx, mark, "more than %d values", FI_VALUE_MAX_VALUES);
    }
    return FANIN_OK;
}

/* A text of libyaml's, which may hold any byte, as one of ours. */
static enum fanin_status take_text(struct reader *r, const char **out, const yaml_char_t *text,
                                   size_t length, struct fi_mark mark) {
    *out = (const char *)text;
    if (strlen(*out) != length) return fi_fail_at(r->ctx, mark, "a text holds a zero byte");
    return FANIN_OK;
}

static enum fanin_status refuse_tag(struct reader *r, const yaml_char_t *tag, struct fi_mark mark) {
    if (!tag) return FANIN_OK;
    return fi_fail_at(r->ctx, mark, "a recipe has no tags (%.60s): quote what shall be text",
                      (const char *)tag);
}

/* Reserves a place for an anchor; *slot is -1 if there is none. A later anchor of the same name
 * hides the earlier one. */
static enum fanin_status open_anchor(struct reader *r, int *slot, const yaml_char_t *name,
                                     struct fi_mark mark) {
    *slot = -1;
    if (!name) return FANIN_OK;
    if (r->n_anchors == FI_VALUE_MAX_KEYS) {
        return fi_fail_at(r->ctx, mark, "more than %d anchors", FI_VALUE_MAX_KEYS);
    }
    char *copy = fi_arena_strdup(r->arena, (const char *)name);
    if (!copy) return FANIN_ERR_MEMORY;
    *slot = r->n_anchors++;
    r->anchors[*slot] = (struct anchor){copy, NULL};
    return FANIN_OK;
}

static enum fanin_status count_copy(struct reader *r, const struct fi_value *value,
                                    struct fi_mark mark, int depth) {
    FI_TRY(count_value(r, mark, depth));
    for (int64_t i = 0; i < value->n; i++) {
        FI_TRY(count_copy(r, value->entries[i].value, mark, depth + 1));
    }
    return FANIN_OK;
}

static enum fanin_status read_alias(struct reader *r, struct fi_value **out,
                                    const yaml_char_t *name, struct fi_mark mark, int depth) {
    for (int i = r->n_anchors - 1; i >= 0; i--) {
        if (strcmp(r->anchors[i].name, (const char *)name) != 0) continue;
        const struct fi_value *value = r->anchors[i].value;
        if (!value) {
            return fi_fail_at(r->ctx, mark, "alias *%s stands inside what it names",
                              (const char *)name);
        }
        FI_TRY(count_copy(r, value, mark, depth));
        return fi_value_copy(r->arena, out, value);
    }
    return fi_fail_at(r->ctx, mark, "alias *%s: there is no anchor &%s before it",
                      (const char *)name, (const char *)name);
}

static enum fanin_status read_node(struct reader *r, struct fi_value **out,
                                   const yaml_event_t *event, int depth);

static enum fanin_status read_list(struct reader *r, struct fi_value *list, int depth) {
    for (;;) {
        yaml_event_t event;
        FI_TRY(next(r, &event));
        bool end = event.type == YAML_SEQUENCE_END_EVENT;
        struct fi_value *value = NULL;
        enum fanin_status status = end ? FANIN_OK : read_node(r, &value, &event, depth + 1);
        yaml_event_delete(&event);
        if (end || status != FANIN_OK) return status;
        FI_TRY(fi_value_append(r->arena, list, NULL, value->mark, value));
    }
}

/* Checks one key; *key is a copy. */
static enum fanin_status read_key(struct reader *r, const struct fi_value *map, const char **key,
                                  const yaml_event_t *event) {
    struct fi_mark mark = mark_of(r, event->start_mark);
    if (event->type != YAML_SCALAR_EVENT || event->data.scalar.anchor) {
        return fi_fail_at(r->ctx, mark, "a key must be a plain word");
    }
    FI_TRY(refuse_tag(r, event->data.scalar.tag, mark));
    const char *text;
    FI_TRY(take_text(r, &text, event->data.scalar.value, event->data.scalar.length, mark));
    const struct fi_entry *twin = fi_value_find(map, text);
    if (twin) {
        return fi_fail_at(r->ctx, mark, "key '%.60s' is given twice, first in line %d", text,
                          r->lines ? twin->mark.line : 1);
    }
    if (map->n == FI_VALUE_MAX_KEYS) {
        return fi_fail_at(r->ctx, mark, "more than %d keys in one map", FI_VALUE_MAX_KEYS);
    }
    *key = fi_arena_strdup(r->arena, text);
    return *key ? FANIN_OK : FANIN_ERR_MEMORY;
}

static enum fanin_status read_map(struct reader *r, struct fi_value *map, int depth) {
    for (;;) {
        yaml_event_t event;
        FI_TRY(next(r, &event));
        bool end = event.type == YAML_MAPPING_END_EVENT;
        struct fi_mark mark = mark_of(r, event.start_mark);
        const char *key = NULL;
        enum fanin_status status = end ? FANIN_OK : read_key(r, map, &key, &event);
        yaml_event_delete(&event);
        if (end || status != FANIN_OK) return status;

        struct fi_value *value = NULL;
        FI_TRY(next(r, &event));
        status = read_node(r, &value, &event, depth + 1);
        yaml_event_delete(&event);
        if (status != FANIN_OK) return status;
        FI_TRY(fi_value_append(r->arena, map, key, mark, value));
    }
}

static enum fanin_status read_scalar(struct reader *r, struct fi_value **out,
                                     const yaml_event_t *event, struct fi_mark mark) {
    const char *text;
    FI_TRY(take_text(r, &text, event->data.scalar.value, event->data.scalar.length, mark));
    bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    *out = fi_value_scalar(r->arena, text, plain, mark);
    return *out ? FANIN_OK : FANIN_ERR_MEMORY;
}

/* Reads what an event begins; the event stays the caller's. */
static enum fanin_status read_node(struct reader *r, struct fi_value **out,
                                   const yaml_event_t *event, int depth) {
    struct fi_mark mark = mark_of(r, event->start_mark);
    if (event->type == YAML_ALIAS_EVENT) {
        return read_alias(r, out, event->data.alias.anchor, mark, depth);
    }
    FI_TRY(count_value(r, mark, depth));
    int slot = -1;
    enum fanin_status status;
    if (event->type == YAML_SCALAR_EVENT) {
        FI_TRY(refuse_tag(r, event->data.scalar.tag, mark));
        FI_TRY(open_anchor(r, &slot, event->data.scalar.anchor, mark));
        status = read_scalar(r, out, event, mark);
    } else {
        bool map = event->type == YAML_MAPPING_START_EVENT;
        FI_TRY(refuse_tag(r, map ? event->data.mapping_start.tag : event->data.sequence_start.tag,
                          mark));
        FI_TRY(open_anchor(
            r, &slot, map ? event->data.mapping_start.anchor : event->data.sequence_start.anchor,
            mark));
        *out = fi_value_new(r->arena, map ? FI_VALUE_MAP : FI_VALUE_LIST, mark);
        if (!*out) return FANIN_ERR_MEMORY;
        status = map ? read_map(r, *out, depth) : read_list(r, *out, depth);
    }
    if (status == FANIN_OK && slot >= 0) r->anchors[slot].value = *out;
    return status;
}

/* Reads the next event, which only frames the document, and tells its type. */
static enum fanin_status frame(struct reader *r, yaml_event_type_t *type, struct fi_mark *mark) {
    yaml_event_t event;
    FI_TRY(next(r, &event));
    *type = event.type;
    *mark = mark_of(r, event.start_mark);
    yaml_event_delete(&event);
    return FANIN_OK;
}

static enum fanin_status read_document(struct reader *r, struct fi_value **out) {
    yaml_event_type_t type;
    struct fi_mark mark;
    FI_TRY(frame(r, &type, &mark)); /* the stream begins */
    FI_TRY(frame(r, &type, &mark));
    if (type == YAML_STREAM_END_EVENT) {
        *out = fi_value_new(r->arena, FI_VALUE_NULL, mark);
        return *out ? FANIN_OK : FANIN_ERR_MEMORY;
    }
    yaml_event_t event;
    FI_TRY(next(r, &event));
    enum fanin_status status = read_node(r, out, &event, 1);
    yaml_event_delete(&event);
    if (status != FANIN_OK) return status;
    FI_TRY(frame(r, &type, &mark)); /* the document ends */
    FI_TRY(frame(r, &type, &mark));
    if (type != YAML_STREAM_END_EVENT) {
        return fi_fail_at(r->ctx, mark, "a second document begins here; a recipe is one document");
    }
    return FANIN_OK;
}

enum fanin_status fi_value_parse(struct fi_arena *arena, struct fi_value **out, const char *source,
                                 bool lines, const char *text, size_t length) {
    *out = NULL;
    fanin_ctx *ctx = arena->ctx;
    if (length > FI_VALUE_MAX_BYTES) {
        return fi_fail(ctx, FANIN_ERR_RECIPE, "%s: larger than %u MiB, this is no recipe", source,
                       FI_VALUE_MAX_BYTES >> 20);
    }
    struct reader *r = fi_alloc(ctx, 1, sizeof *r);
    if (!r) return FANIN_ERR_MEMORY;
    r->ctx = ctx;
    r->arena = arena;
    r->source = source;
    r->lines = lines;
    enum fanin_status status;
    struct fi_value *root = NULL;
    if (!yaml_parser_initialize(&r->parser)) {
        status = fi_fail_memory(ctx, "the YAML parser", sizeof r->parser);
    } else {
        yaml_parser_set_input_string(&r->parser, (const unsigned char *)text, length);
        status = read_document(r, &root);
        yaml_parser_delete(&r->parser);
    }
    fi_free(ctx, r);
    if (status == FANIN_OK) *out = root;
    return status;
}
