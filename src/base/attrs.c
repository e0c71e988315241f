/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attributes: from the named values of a recipe or a call to the struct a record's functions read.
 *
 * Everything a record takes is declared in its specs (name, type, default, bounds), so this is the
 * one place that knows how to refuse a value, and every message has the same form: <where>[ (line
 * N)]: <what is wrong>[; did you mean 'x'?]
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/base.h"

/* Where a value is being read: for messages, and for the memory of what it points at. */
struct place {
    struct fi_arena *arena;
    const char *where;
    int line;
};

__attribute__((format(printf, 2, 3))) static enum fanin_status refuse(const struct place *at,
                                                                      const char *format, ...) {
    char text[768], line[32] = "";
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (at->line > 0) (void)snprintf(line, sizeof line, " (line %d)", at->line);
    bool placed = *at->where || *line;
    return fi_fail(at->arena->ctx, FANIN_ERR_RECIPE, "%s%s%s%s", at->where, line,
                   placed ? ": " : "", text);
}

/* As for fi_fail: the analyzer does not look into variadic functions. */
#define refuse(...) fi_given(FANIN_ERR_RECIPE, refuse(__VA_ARGS__))

/* Keeps the nearer one of *best and `candidate`. */
static void consider(const char *name, const char **best, const char *candidate) {
    const char *pair[2] = {*best, candidate};
    *best = fanin_nearest(name, pair, 2);
}

/* ---- values -------------------------------------------------------------------------------------- */

int fi_word_index(const char *words, const char *text) {
    const size_t length = strlen(text);
    for (int index = 0;; index++) {
        size_t n = strcspn(words, "|");
        if (n == length && memcmp(words, text, n) == 0) return index;
        if (!words[n]) return -1;
        words += n + 1;
    }
}

static enum fanin_status wrong_type(const struct place *at, const struct fanin_attr_spec *spec,
                                    const struct fanin_attr *attr, const char *wanted) {
    if (attr->is_null) return refuse(at, "'%s' must be %s, not null", spec->name, wanted);
    if (attr->rule)
        return refuse(at, "'%s' must be %s, not a map ('%s')", spec->name, wanted,
                      attr->rule->name ? attr->rule->name : "");
    if (attr->list || (attr->texts && !attr->texts[0].name))
        return refuse(at, "'%s' must be %s, not a list", spec->name, wanted);
    if (attr->texts) return refuse(at, "'%s' must be %s, not a map", spec->name, wanted);
    if (attr->text) return refuse(at, "'%s' must be %s, not '%s'", spec->name, wanted, attr->text);
    return refuse(at, "'%s' must be %s, not %g", spec->name, wanted, attr->number);
}

static bool is_number(const struct fanin_attr *attr) {
    return !attr->is_null && !attr->text && !attr->rule && !attr->list && !attr->texts;
}

static bool in_bounds(const struct fanin_attr_spec *spec, double value) {
    bool above = spec->flags & FANIN_ATTR_ABOVE_MIN ? value > spec->min : value >= spec->min;
    bool below = spec->flags & FANIN_ATTR_BELOW_MAX ? value < spec->max : value <= spec->max;
    return isfinite(value) && above && below;
}

static enum fanin_status check_bounds(const struct place *at, const struct fanin_attr_spec *spec,
                                      double value) {
    if (in_bounds(spec, value)) return FANIN_OK;
    if (!isfinite(value)) return refuse(at, "'%s' must be a finite number", spec->name);
    bool above = spec->flags & FANIN_ATTR_ABOVE_MIN, below = spec->flags & FANIN_ATTR_BELOW_MAX;
    char low[48] = "", high[48] = "";
    if (isfinite(spec->min))
        (void)snprintf(low, sizeof low, " %s %.10g", above ? "above" : "at least", spec->min);
    if (isfinite(spec->max))
        (void)snprintf(high, sizeof high, " %s %.10g", below ? "below" : "at most", spec->max);
    return refuse(at, "'%s' must be%s%s%s, not %.10g", spec->name, low, *low && *high ? " and" : "",
                  high, value);
}

static enum fanin_status read_bool(const struct place *at, const struct fanin_attr_spec *spec,
                                   const struct fanin_attr *attr, void *field) {
    if (!is_number(attr) || (attr->number != 0 && attr->number != 1))
        return wrong_type(at, spec, attr, "true or false");
    *(int *)field = (int)attr->number;
    return FANIN_OK;
}

static enum fanin_status read_int(const struct place *at, const struct fanin_attr_spec *spec,
                                  const struct fanin_attr *attr, void *field) {
    /* Beyond 2^53 a double no longer tells neighbours apart. */
    if (!is_number(attr) || !(fabs(attr->number) <= 0x1p53) || attr->number != floor(attr->number))
        return wrong_type(at, spec, attr, "a whole number");
    FI_TRY(check_bounds(at, spec, attr->number));
    *(int64_t *)field = (int64_t)attr->number;
    return FANIN_OK;
}

static enum fanin_status read_real(const struct place *at, const struct fanin_attr_spec *spec,
                                   const struct fanin_attr *attr, void *field) {
    if (!is_number(attr)) return wrong_type(at, spec, attr, "a number");
    FI_TRY(check_bounds(at, spec, attr->number));
    *(double *)field = attr->number;
    return FANIN_OK;
}

static enum fanin_status read_choice(const struct place *at, const struct fanin_attr_spec *spec,
                                     const struct fanin_attr *attr, void *field) {
    char wanted[256];
    (void)snprintf(wanted, sizeof wanted, "one of %s", spec->text);
    const int index = attr->text && !attr->is_null ? fi_word_index(spec->text, attr->text) : -1;
    if (index < 0) return wrong_type(at, spec, attr, wanted);
    *(int *)field = index;
    return FANIN_OK;
}

static enum fanin_status read_string(const struct place *at, const struct fanin_attr_spec *spec,
                                     const struct fanin_attr *attr, void *field) {
    if (!attr->text || attr->is_null) return wrong_type(at, spec, attr, "a text");
    const char *copy = fi_arena_strdup(at->arena, attr->text);
    *(const char **)field = copy;
    return copy ? FANIN_OK : FANIN_ERR_MEMORY;
}

static enum fanin_status read_rule(const struct place *at, const struct fanin_attr_spec *spec,
                                   const struct fanin_attr *attr, void *field) {
    /* A name alone is the rule with its defaults. */
    struct fanin_rule named = {.name = attr->text, .line = attr->line};
    const struct fanin_rule *rule = attr->rule ? attr->rule : &named;
    if (attr->is_null || !rule->name) {
        char wanted[64];
        (void)snprintf(wanted, sizeof wanted, "the name of a rule (%s)", spec->text);
        return wrong_type(at, spec, attr, wanted);
    }
    char where[512];
    (void)snprintf(where, sizeof where, "%s.%s", at->where, spec->name);
    return fi_rule_resolve(at->arena, field, spec->text, rule, where);
}

static enum fanin_status read_list(const struct place *at, const struct fanin_attr_spec *spec,
                                   const struct fanin_attr *attr, void *field) {
    char wanted[128];
    (void)snprintf(wanted, sizeof wanted, "a list of numbers%s%s", spec->text ? " or " : "",
                   spec->text ? spec->text : "");
    if (spec->text && attr->text && !attr->is_null && fi_word_index(spec->text, attr->text) >= 0) {
        const char *word = fi_arena_strdup(at->arena, attr->text);
        *(struct fanin_list *)field = (struct fanin_list){.word = word};
        return word ? FANIN_OK : FANIN_ERR_MEMORY;
    }
    if (!attr->list && !is_number(attr)) return wrong_type(at, spec, attr, wanted);
    const double *values = attr->list ? attr->list : &attr->number;
    int64_t n = attr->list ? attr->n_list : 1;
    double *copy = fi_arena_alloc(at->arena, n, sizeof *copy);
    if (!copy) return FANIN_ERR_MEMORY;
    for (int64_t i = 0; i < n; i++) {
        if (!isfinite(values[i]))
            return refuse(at, "'%s' must hold finite numbers only", spec->name);
        if (spec->min < spec->max) FI_TRY(check_bounds(at, spec, values[i])); /* of each number */
        copy[i] = values[i];
    }
    *(struct fanin_list *)field = (struct fanin_list){.values = copy, .n = n};
    return FANIN_OK;
}

/* The parts of "a, b, c", without the blanks around them. */
static enum fanin_status split_texts(const struct place *at, const char *text,
                                     struct fanin_texts *out) {
    int64_t n = 1;
    for (const char *p = text; *p; p++) n += *p == ',';
    struct fanin_named_text *items = fi_arena_alloc(at->arena, n, sizeof *items);
    if (!items) return FANIN_ERR_MEMORY;
    *out = (struct fanin_texts){.items = items};
    for (const char *p = text;; p++) {
        p += strspn(p, " ");
        size_t all = strcspn(p, ","), length = all;
        while (length > 0 && p[length - 1] == ' ') length--;
        if (length > 0) {
            const char *copy = fi_arena_printf(at->arena, "%.*s", (int)length, p);
            if (!copy) return FANIN_ERR_MEMORY;
            items[out->n++].text = copy;
        }
        p += all;
        if (!*p) return FANIN_OK;
    }
}

static enum fanin_status copy_texts(const struct place *at, const struct fanin_attr *attr,
                                    struct fanin_texts *out) {
    struct fanin_named_text *items = fi_arena_alloc(at->arena, attr->n_texts, sizeof *items);
    if (!items) return FANIN_ERR_MEMORY;
    for (int64_t i = 0; i < attr->n_texts; i++) {
        const struct fanin_named_text *from = &attr->texts[i];
        items[i].text = fi_arena_strdup(at->arena, from->text);
        if (from->name) items[i].name = fi_arena_strdup(at->arena, from->name);
        if (!items[i].text || (from->name && !items[i].name)) return FANIN_ERR_MEMORY;
    }
    *out = (struct fanin_texts){items, attr->n_texts};
    return FANIN_OK;
}

static enum fanin_status read_texts(const struct place *at, const struct fanin_attr_spec *spec,
                                    const struct fanin_attr *attr, void *field) {
    struct fanin_texts *out = field;
    char wanted[256] = "a list of texts";
    const bool any = spec->text && !*spec->text;
    if (any)
        (void)snprintf(wanted, sizeof wanted, "a map from names to texts");
    else if (spec->text)
        (void)snprintf(wanted, sizeof wanted, "one of %s, or a map from names to these",
                       spec->text);
    if (attr->is_null || (!attr->text && !attr->texts) || (any && attr->text))
        return wrong_type(at, spec, attr, wanted);
    if (attr->text && !spec->text) return split_texts(at, attr->text, out);
    const struct fanin_named_text whole = {NULL, attr->text};
    const struct fanin_attr one = {.texts = &whole, .n_texts = 1};
    const bool keyed = attr->texts && attr->texts[0].name;
    if (attr->texts && keyed != (spec->text != NULL)) return wrong_type(at, spec, attr, wanted);
    FI_TRY(copy_texts(at, attr->text ? &one : attr, out));
    for (int64_t i = 0; i < out->n && spec->text && !any; i++) {
        const struct fanin_named_text *item = &out->items[i];
        if (fi_word_index(spec->text, item->text) >= 0) continue;
        return refuse(at, "'%s%s%s' must be one of %s, not '%s'", spec->name, keyed ? "." : "",
                      keyed ? item->name : "", spec->text, item->text);
    }
    return FANIN_OK;
}

/* Whether the op has a gain. */
static bool is_activation(const struct fanin_record *op) {
    return op && ((const struct fanin_op *)(const void *)op)->curve;
}

/* The value of a name is left to the start, which knows how to integrate. */
static enum fanin_status read_gain(const struct place *at, const struct fanin_attr_spec *spec,
                                   const struct fanin_attr *attr, void *field) {
    static const char wanted[] = "a number or the name of an activation";
    struct fanin_gain *gain = field;
    fanin_ctx *ctx = at->arena->ctx;
    gain->name = NULL;
    if (attr->is_null || !attr->text) {
        if (!is_number(attr)) return wrong_type(at, spec, attr, wanted);
        return read_real(at, spec, attr, &gain->value);
    }
    const struct fanin_record *op = fanin_record_find(ctx, "op", attr->text);
    if (!is_activation(op) && strcmp(attr->text, "linear") != 0) {
        const char *nearest = NULL;
        consider(attr->text, &nearest, "linear");
        for (int i = 0; (op = fanin_record_at(ctx, "op", i)); i++)
            if (is_activation(op)) consider(attr->text, &nearest, op->name);
        if (!nearest) return wrong_type(at, spec, attr, wanted);
        return refuse(at, "'%s' must be %s, not '%s'; did you mean '%s'?", spec->name, wanted,
                      attr->text, nearest);
    }
    gain->value = NAN;
    gain->name = fi_arena_strdup(at->arena, op ? op->name : attr->text);
    return gain->name ? FANIN_OK : FANIN_ERR_MEMORY;
}

static enum fanin_status read_value(const struct place *at, const struct fanin_attr_spec *spec,
                                    const struct fanin_attr *attr, void *field) {
    switch (spec->type) {
    case FANIN_ATTR_BOOL:
        return read_bool(at, spec, attr, field);
    case FANIN_ATTR_INT:
        return read_int(at, spec, attr, field);
    case FANIN_ATTR_REAL:
        return read_real(at, spec, attr, field);
    case FANIN_ATTR_CHOICE:
        return read_choice(at, spec, attr, field);
    case FANIN_ATTR_STRING:
        return read_string(at, spec, attr, field);
    case FANIN_ATTR_RULE:
        return read_rule(at, spec, attr, field);
    case FANIN_ATTR_LIST:
        return read_list(at, spec, attr, field);
    case FANIN_ATTR_GAIN:
        return read_gain(at, spec, attr, field);
    case FANIN_ATTR_TEXTS:
        return read_texts(at, spec, attr, field);
    }
    return fi_fail(at->arena->ctx, FANIN_ERR_INTERNAL, "%s: '%s' has no known type", at->where,
                   spec->name);
}

/* What a field holds when null is given: what stands for "none" in its type. */
static void set_null(const struct fanin_attr_spec *spec, void *field) {
    switch (spec->type) {
    case FANIN_ATTR_BOOL:
    case FANIN_ATTR_CHOICE:
        *(int *)field = (int)spec->def;
        break;
    case FANIN_ATTR_INT:
        *(int64_t *)field = INT64_MIN;
        break;
    case FANIN_ATTR_REAL:
        *(double *)field = NAN;
        break;
    case FANIN_ATTR_STRING:
        *(const char **)field = NULL;
        break;
    case FANIN_ATTR_RULE:
        *(struct fanin_rule_ref *)field = (struct fanin_rule_ref){0};
        break;
    case FANIN_ATTR_LIST:
        *(struct fanin_list *)field = (struct fanin_list){0};
        break;
    case FANIN_ATTR_GAIN:
        *(struct fanin_gain *)field = (struct fanin_gain){.value = NAN};
        break;
    case FANIN_ATTR_TEXTS:
        *(struct fanin_texts *)field = (struct fanin_texts){0};
        break;
    }
}

static void set_default(const struct fanin_attr_spec *spec, void *field) {
    set_null(spec, field);
    if (spec->type == FANIN_ATTR_INT && !isnan(spec->def)) *(int64_t *)field = (int64_t)spec->def;
    if (spec->type == FANIN_ATTR_REAL) *(double *)field = spec->def;
    if (spec->type == FANIN_ATTR_GAIN) ((struct fanin_gain *)field)->value = spec->def;
    if (spec->type == FANIN_ATTR_STRING) *(const char **)field = spec->text;
}

/* ---- records ------------------------------------------------------------------------------------- */

static enum fanin_status unknown_attr(const struct place *at, const struct fanin_record *record,
                                      const char *name) {
    const char *nearest = NULL;
    for (const struct fanin_attr_spec *s = record->attrs; s && s->name; s++)
        consider(name, &nearest, s->name);
    if (nearest)
        return refuse(at, "%s knows no '%s'; did you mean '%s'?", record->name, name, nearest);
    char known[512] = "";
    size_t length = 0;
    for (const struct fanin_attr_spec *s = record->attrs; s && s->name; s++) {
        int n =
            snprintf(known + length, sizeof known - length, "%s%s", length ? ", " : "", s->name);
        length = FI_MIN(length + (size_t)FI_MAX(n, 0), sizeof known - 1);
    }
    if (!length) return refuse(at, "%s takes no attributes, not '%s'", record->name, name);
    return refuse(at, "%s knows no '%s'; it takes %s", record->name, name, known);
}

/* The spec an attribute is for: by name, the first one for the positional attribute. */
static enum fanin_status find_spec(const struct place *at, const struct fanin_record *record,
                                   const struct fanin_attr *attr,
                                   const struct fanin_attr_spec **out) {
    *out = NULL;
    const struct fanin_attr_spec *specs = record->attrs;
    if (!attr->name && (!specs || !specs->name))
        return refuse(at, "%s takes no value", record->name);
    for (const struct fanin_attr_spec *s = specs; s && s->name && !*out; s++)
        if (!attr->name || strcmp(s->name, attr->name) == 0) *out = s;
    return *out ? FANIN_OK : unknown_attr(at, record, attr->name);
}

static bool was_given(const struct fanin_record *record, const struct fanin_attr *attrs, int64_t n,
                      const struct fanin_attr_spec *spec) {
    for (int64_t i = 0; i < n; i++)
        if (attrs[i].name ? strcmp(attrs[i].name, spec->name) == 0 : spec == record->attrs)
            return true;
    return false;
}

enum fanin_status fi_attrs_parse(struct fi_arena *arena, const void **out,
                                 const struct fanin_record *record, const struct fanin_attr *attrs,
                                 int64_t n, const char *where) {
    *out = NULL;
    struct place at = {arena, where, 0};
    char *values = fi_arena_alloc(arena, 1, FI_MAX(record->attrs_size, (size_t)1));
    if (!values) return FANIN_ERR_MEMORY;
    for (const struct fanin_attr_spec *s = record->attrs; s && s->name; s++) {
        set_default(s, values + s->offset);
        if (s->flags & FANIN_ATTR_REQUIRED && !was_given(record, attrs, n, s))
            return refuse(&at, "%s needs '%s' (%s)", record->name, s->name, s->help);
    }
    for (int64_t i = 0; i < n; i++) {
        const struct fanin_attr_spec *spec;
        at.line = attrs[i].line;
        FI_TRY(find_spec(&at, record, &attrs[i], &spec));
        if (was_given(record, attrs, i, spec))
            return refuse(&at, "'%s' is given twice", spec->name);
        if (attrs[i].is_null && spec->flags & FANIN_ATTR_NULLABLE)
            set_null(spec, values + spec->offset);
        else
            FI_TRY(read_value(&at, spec, &attrs[i], values + spec->offset));
    }
    *out = values;
    return FANIN_OK;
}

enum fanin_status fi_rule_resolve(struct fi_arena *arena, struct fanin_rule_ref *out,
                                  const char *kind, const struct fanin_rule *rule,
                                  const char *where) {
    *out = (struct fanin_rule_ref){0};
    fanin_ctx *ctx = arena->ctx;
    struct place at = {arena, where, rule->line};
    if (!rule->name) return refuse(&at, "no %s is named", kind);
    const struct fanin_record *record = fanin_record_find(ctx, kind, rule->name);
    if (!record) {
        const char *nearest = NULL;
        const struct fanin_record *other;
        for (int i = 0; (other = fanin_record_at(ctx, kind, i)); i++)
            consider(rule->name, &nearest, other->name);
        if (nearest)
            return refuse(&at, "unknown %s '%s'; did you mean '%s'?", kind, rule->name, nearest);
        return refuse(&at, "unknown %s '%s'; 'fanin list %s' shows them", kind, rule->name, kind);
    }
    FI_TRY(fi_attrs_parse(arena, &out->attrs, record, rule->attrs, rule->n_attrs, where));
    out->record = record;
    return FANIN_OK;
}
