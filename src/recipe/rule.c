/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values as rules and attributes.
 *
 * What type a value has is decided by the attribute that takes it: `target: 2019` is text where the
 * record asks for text, `init: kaiming_normal` a rule where it asks for one. Each attribute is
 * checked alone, against a copy of the record that requires nothing, so that a message can begin
 * with the very line or override the value came from; what is missing is found when all are there.
 */
#include <string.h>

#include "recipe/recipe.h"

/* What a kind is called in a message. */
static const char *kind_word(const char *kind) {
    static const struct {
        const char *kind, *word;
    } words[] = {{"op", "layer"},
                 {"init", "initializer"},
                 {"reg", "regularizer"},
                 {"optim", "optimizer"},
                 {"constraint", "constraint"}};
    for (int i = 0; i < FI_COUNT(words); i++) {
        if (strcmp(words[i].kind, kind) == 0) return words[i].word;
    }
    return kind;
}

static enum fanin_status fail_unknown(struct fi_arena *arena, struct fi_mark mark, const char *what,
                                      const char *name, const char *where, const char *const *names,
                                      int n) {
    const char *nearest = fanin_nearest(name, names, n);
    if (nearest) {
        return fi_fail_at(arena->ctx, mark, "unknown %s '%.80s'%s; did you mean '%s'?", what, name,
                          where, nearest);
    }
    struct fi_text list;
    fi_text_init(&list, arena->ctx);
    for (int i = 0; i < n; i++) fi_text_add(&list, "%s%s", i > 0 ? ", " : "", names[i]);
    enum fanin_status status =
        list.failed ? FANIN_ERR_MEMORY
                    : fi_fail_at(arena->ctx, mark, "unknown %s '%.80s'%s; there is: %s", what, name,
                                 where, n > 0 ? list.data : "nothing");
    fi_text_free(&list);
    return status;
}

enum fanin_status fi_fail_key(struct fi_arena *arena, struct fi_mark mark, const char *key,
                              const struct fanin_record *record, const char *path) {
    const char *where = *path ? path : fi_arena_printf(arena, "the %s", record->name);
    const char *names[64];
    if (!where) return FANIN_ERR_MEMORY;
    int n = 0;
    for (const struct fanin_attr_spec *s = record->attrs; s && s->name && n < FI_COUNT(names); s++)
        names[n++] = s->name;
    const int own = n;
    for (const struct fanin_attr_spec *s = fi_section_params.attrs;
         s->name && n < FI_COUNT(names) &&
         fanin_record_find(arena->ctx, "op", record->name) == record;
         s++)
        if (fi_params_key(record, s->name)) names[n++] = s->name;
    if (own == 0 && !fanin_nearest(key, names, n)) {
        return fi_fail_at(arena->ctx, mark, "unknown key '%.80s' in %s: %s takes no attributes",
                          key, where, record->name);
    }
    const char *in = fi_arena_printf(arena, " in %s", where);
    return in ? fail_unknown(arena, mark, "key", key, in, names, n) : FANIN_ERR_MEMORY;
}

enum fanin_status fi_fail_record(struct fi_arena *arena, struct fi_mark mark, const char *kind,
                                 const char *name) {
    int n = 0;
    while (fanin_record_at(arena->ctx, kind, n)) n++;
    const char **names = fi_arena_alloc(arena, n, sizeof *names);
    if (!names) return FANIN_ERR_MEMORY;
    for (int i = 0; i < n; i++) names[i] = fanin_record_at(arena->ctx, kind, i)->name;
    return fail_unknown(arena, mark, kind_word(kind), name, "", names, n);
}

enum fanin_status(fi_fail_type)(fanin_ctx *ctx, const struct fi_value *value, const char *path,
                                const char *expected) {
    char what[160];
    return fi_fail_at(ctx, value->mark, "%s: expected %s, found %s", path, expected,
                      fi_value_what(value, what, sizeof what));
}

const char *fi_path(struct fi_arena *arena, const char *path, const char *name) {
    return *path ? fi_arena_printf(arena, "%s.%s", path, name) : name;
}

enum fanin_status fi_rule_split(fanin_ctx *ctx, struct fi_value *value, const char *path,
                                const char **name, struct fi_mark *mark, struct fi_value **attrs) {
    *attrs = NULL;
    *mark = value->mark;
    if (value->kind == FI_VALUE_TEXT) {
        *name = value->text;
        return FANIN_OK;
    }
    if (value->kind == FI_VALUE_MAP && value->n == 1) {
        *name = value->entries[0].key;
        *mark = value->entries[0].mark;
        *attrs = value->entries[0].value;
        return FANIN_OK;
    }
    if (value->kind == FI_VALUE_MAP && value->n > 1) {
        return fi_fail_at(ctx, value->entries[1].mark,
                          "%s: expected one name, found '%.60s' and '%.60s'", path,
                          value->entries[0].key, value->entries[1].key);
    }
    return fi_fail_type(ctx, value, path, "a name or {name: attributes}");
}

enum fanin_status fi_rule_read_named(struct fi_arena *arena, struct fanin_rule *out,
                                     const char *kind, const char *name, struct fi_mark mark,
                                     struct fi_value *value, const char *path) {
    struct fi_attrs attrs;
    const void *parsed;
    const struct fanin_record *record = fanin_record_find(arena->ctx, kind, name);
    if (!record) return fi_fail_record(arena, mark, kind, name);
    const char *below = fi_path(arena, path, name);
    if (!below) return FANIN_ERR_MEMORY;
    FI_TRY(fi_attrs_read(arena, &attrs, record, value, below, false));
    FI_TRY(fi_attrs_finish(arena, &parsed, record, &attrs, mark, below));
    *out = (struct fanin_rule){.name = record->name, .attrs = attrs.items, .n_attrs = attrs.n};
    return FANIN_OK;
}

enum fanin_status fi_rule_read(struct fi_arena *arena, struct fanin_rule *out, const char *kind,
                               struct fi_value *value, const char *path) {
    const char *name = NULL;
    struct fi_mark mark = {0};
    struct fi_value *attrs;
    FI_TRY(fi_rule_split(arena->ctx, value, path, &name, &mark, &attrs));
    return fi_rule_read_named(arena, out, kind, name, mark, attrs, path);
}

static enum fanin_status read_list(struct fi_arena *arena, struct fanin_attr *out,
                                   const struct fi_value *list, const char *path) {
    double *numbers = fi_arena_alloc(arena, list->n, sizeof *numbers);
    if (!numbers) return FANIN_ERR_MEMORY;
    for (int64_t i = 0; i < list->n; i++) {
        const struct fi_value *member = list->entries[i].value;
        if (member->kind != FI_VALUE_INT && member->kind != FI_VALUE_REAL) {
            return fi_fail_type(arena->ctx, member, path, "a number in the list");
        }
        numbers[i] = member->number;
    }
    out->list = numbers;
    out->n_list = list->n;
    return FANIN_OK;
}

/* The texts of a list or of a map of scalars. */
static enum fanin_status read_texts(struct fi_arena *arena, struct fanin_attr *out,
                                    const struct fi_value *value, const char *path) {
    struct fanin_named_text *texts = fi_arena_alloc(arena, value->n, sizeof *texts);
    if (!texts) return FANIN_ERR_MEMORY;
    for (int64_t i = 0; i < value->n; i++) {
        struct fi_value *member = value->entries[i].value;
        if (member->kind == FI_VALUE_LIST || member->kind == FI_VALUE_MAP ||
            member->kind == FI_VALUE_NULL)
            return fi_fail_type(arena->ctx, member, path, "texts");
        fi_value_as_text(member);
        texts[i] = (struct fanin_named_text){value->entries[i].key, member->text};
    }
    if (value->n == 0)
        out->text = ""; /* an empty list */
    else
        out->texts = texts;
    out->n_texts = value->n;
    return FANIN_OK;
}

/* A value as the attribute's type reads it. What does not fit is passed on as what it is, so that
 * the parser of all records refuses it. */
static enum fanin_status convert(struct fi_arena *arena, struct fanin_attr *out,
                                 const struct fanin_attr_spec *spec, struct fi_value *value,
                                 const char *path) {
    const bool nested = value->kind == FI_VALUE_MAP || value->kind == FI_VALUE_LIST;
    if (spec->type == FANIN_ATTR_TEXTS && nested) return read_texts(arena, out, value, path);
    if (spec->type == FANIN_ATTR_RULE || value->kind == FI_VALUE_MAP) {
        struct fanin_rule *rule = fi_arena_alloc(arena, 1, sizeof *rule);
        if (!rule) return FANIN_ERR_MEMORY;
        out->rule = rule;
        if (spec->type == FANIN_ATTR_RULE) {
            return fi_rule_read(arena, rule, spec->text, value, path);
        }
        rule->name = value->n > 0 ? value->entries[0].key : "";
        return FANIN_OK;
    }
    if (value->kind == FI_VALUE_LIST) return read_list(arena, out, value, path);
    bool text = spec->type == FANIN_ATTR_STRING || spec->type == FANIN_ATTR_CHOICE ||
                spec->type == FANIN_ATTR_TEXTS;
    if (text) fi_value_as_text(value);
    if (value->kind == FI_VALUE_TEXT ||
        (value->kind == FI_VALUE_BOOL && spec->type != FANIN_ATTR_BOOL)) {
        out->text = value->text;
    } else {
        out->number = value->number;
    }
    return FANIN_OK;
}

/* fi_attrs_parse with the place before its message. */
static enum fanin_status parse_at(struct fi_arena *arena, const void **out,
                                  const struct fanin_record *record, const struct fanin_attr *attrs,
                                  int64_t n, struct fi_mark mark, const char *path) {
    enum fanin_status status = fi_attrs_parse(arena, out, record, attrs, n, path);
    return status == FANIN_ERR_RECIPE ? fi_fail_prefix(arena->ctx, status, mark) : status;
}

/* Bounds and words of one attribute, checked by the parser of all records. */
static enum fanin_status check_alone(struct fi_arena *arena, const struct fanin_record *record,
                                     const struct fanin_attr_spec *spec,
                                     const struct fanin_attr *attr, struct fi_mark mark,
                                     const char *path) {
    struct fanin_attr_spec specs[2] = {*spec, {.name = NULL}};
    specs[0].flags &= ~FANIN_ATTR_REQUIRED;
    struct fanin_record alone = *record;
    alone.attrs = specs;
    const void *parsed;
    return parse_at(arena, &parsed, &alone, attr, 1, mark, path);
}

/* One attribute of `record`, under the path of the record. */
static enum fanin_status read_attr(struct fi_arena *arena, struct fi_attrs *out,
                                   const struct fanin_record *record,
                                   const struct fanin_attr_spec *spec, struct fi_value *value,
                                   const char *path, bool outputs) {
    bool absent = value->kind == FI_VALUE_NULL && !(spec->flags & FANIN_ATTR_NULLABLE);
    if (absent || fi_spec_has_form(spec, NULL)) return FANIN_OK;
    const char *below = fi_path(arena, path, spec->name);
    if (!below) return FANIN_ERR_MEMORY;
    struct fanin_attr *attr = &out->items[out->n];
    *attr = (struct fanin_attr){.name = spec->name};
    if (outputs && spec->type == FANIN_ATTR_INT && value->kind == FI_VALUE_TEXT &&
        strcmp(value->text, "outputs") == 0 && out->n < 64) {
        attr->number = 1;
        out->outputs |= UINT64_C(1) << out->n++;
        return FANIN_OK;
    }
    if (value->kind == FI_VALUE_NULL) {
        attr->is_null = 1;
    } else {
        FI_TRY(convert(arena, attr, spec, value, below));
    }
    FI_TRY(check_alone(arena, record, spec, attr, value->mark, path));
    out->n++;
    return FANIN_OK;
}

enum fanin_status fi_attrs_read(struct fi_arena *arena, struct fi_attrs *out,
                                const struct fanin_record *record, struct fi_value *value,
                                const char *path, bool outputs) {
    *out = (struct fi_attrs){0};
    bool none = !value || value->kind == FI_VALUE_NULL;
    bool map = !none && value->kind == FI_VALUE_MAP;
    /* one more than needed: the layer that takes its units from the data gets them added */
    out->items = fi_arena_alloc(arena, (map ? value->n : 1) + 1, sizeof *out->items);
    if (!out->items) return FANIN_ERR_MEMORY;
    if (none) return FANIN_OK;
    if (!map) {
        const struct fanin_attr_spec *first = record->attrs;
        if (!first || !first->name) {
            char what[160];
            return fi_fail_at(arena->ctx, value->mark, "%s: %s takes no attributes, found %s", path,
                              record->name, fi_value_what(value, what, sizeof what));
        }
        return read_attr(arena, out, record, first, value, path, outputs);
    }
    enum fanin_status first = FANIN_OK;
    for (int64_t i = 0; i < value->n; i++) {
        const struct fi_entry *entry = &value->entries[i];
        const struct fanin_attr_spec *spec = fi_spec_find(record, entry->key);
        const char *key = fi_path(arena, path, entry->key);
        if (!key) return FANIN_ERR_MEMORY;
        enum fanin_status status =
            spec ? read_attr(arena, out, record, spec, entry->value, path, outputs)
                 : fi_fail_key(arena, entry->mark, entry->key, record, path);
        if (!fi_mistakes_go_on(arena->ctx, &first, status, key)) break;
    }
    return first;
}

enum fanin_status fi_attrs_finish(struct fi_arena *arena, const void **out,
                                  const struct fanin_record *record, const struct fi_attrs *attrs,
                                  struct fi_mark mark, const char *path) {
    return parse_at(arena, out, record, attrs->items, attrs->n, mark, path);
}

const struct fanin_attr *fi_attrs_find(const struct fi_attrs *attrs, const char *name) {
    for (int64_t i = 0; i < attrs->n; i++) {
        if (strcmp(attrs->items[i].name, name) == 0) return &attrs->items[i];
    }
    return NULL;
}
