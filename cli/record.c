/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attributes and records as text (record.h). Nothing here knows a record or a kind by its name,
 * but for the two that no key of a recipe takes as a rule: ops, which are the items of `net`, and
 * metrics, which early stopping names.
 */
#include "record.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const struct fanin_record *record_at(const fanin_ctx *ctx, const char *kind, int index) {
    return strcmp(kind, RECORD_SECTIONS) ? fanin_record_at(ctx, kind, index)
                                         : fanin_recipe_section(index);
}

/* ---- attributes -------------------------------------------------------------------------------- */

/* As YAML reads it everywhere: "1.0e-5", for 1e-05 is text to some. */
static void print_number(char *out, size_t size, double value) {
    char digits[40];
    snprintf(digits, sizeof digits, "%.15g", value);
    char *e = strchr(digits, 'e');
    if (!e || fabs(value) >= 1e300) {
        snprintf(out, size, "%s", digits);
        return;
    }
    int exponent = atoi(e + 1);
    *e = '\0';
    snprintf(out, size, "%s%se%s%d", digits, strchr(digits, '.') ? "" : ".0",
             exponent > 0 ? "+" : "", exponent);
}

static int has_low(const struct fanin_attr_spec *a) {
    return a->min < a->max && a->min > -1e300;
}
static int has_high(const struct fanin_attr_spec *a) {
    return a->min < a->max && a->max < 1e300 && !(a->type == FANIN_ATTR_INT && a->max > 9e18);
}

static int in_bounds(const struct fanin_attr_spec *a, double value) {
    if (!isfinite(value)) return 0;
    if (a->min >= a->max) return 1;
    return (a->flags & FANIN_ATTR_ABOVE_MIN ? value > a->min : value >= a->min) &&
           (a->flags & FANIN_ATTR_BELOW_MAX ? value < a->max : value <= a->max);
}

/* ", from 0 to 1", ", above 0", … "" where there are no bounds. */
static void print_bounds(char *out, size_t size, const struct fanin_attr_spec *a) {
    char low[40], high[40];
    const char *above = a->flags & FANIN_ATTR_ABOVE_MIN ? "above " : "at least ";
    const char *below = a->flags & FANIN_ATTR_BELOW_MAX ? "below " : "at most ";
    print_number(low, sizeof low, a->min);
    print_number(high, sizeof high, a->max);
    out[0] = '\0';
    if (has_low(a) && has_high(a)) {
        if (!(a->flags & FANIN_ATTR_ABOVE_MIN)) above = "from ";
        if (!(a->flags & FANIN_ATTR_BELOW_MAX)) below = "";
        snprintf(out, size, ", %s%s to %s%s", above, low, below, high);
    } else if (has_low(a)) {
        snprintf(out, size, ", %s%s", above, low);
    } else if (has_high(a)) {
        snprintf(out, size, ", %s%s", below, high);
    }
}

/* "a, b or c" of the words "a|b|c". */
static void print_words(char *out, size_t size, const char *words) {
    size_t at = 0;
    out[0] = '\0';
    for (size_t n; *words && at < size; words += n + (words[n] == '|')) {
        n = strcspn(words, "|");
        const char *comma = at == 0 ? "" : words[n] ? ", " : " or ";
        at += (size_t)snprintf(out + at, size - at, "%s%.*s", comma, (int)n, words);
    }
}

/* The kind of record, or how a section is written. */
static void print_rule(char *out, size_t size, const char *text) {
    static const struct {
        const char *form, *words;
    } forms[] = {{"sections", "list of maps of keys"},
                 {"section", "map of keys"},
                 {"layers", "list of layers"}};
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
        if (!strcmp(text, forms[i].form)) {
            snprintf(out, size, "%s", forms[i].words);
            return;
        }
    const char *kind = strchr(text, ':');
    snprintf(out, size, kind ? "map of records of the kind %s" : "record of the kind %s",
             kind ? kind + 1 : text);
}

void record_type(char out[RECORD_TEXT], const struct fanin_attr_spec *a) {
    char bounds[128], words[256] = "";
    const char *null =
        a->flags & FANIN_ATTR_NULLABLE && a->type != FANIN_ATTR_RULE && a->type != FANIN_ATTR_STRING
            ? "; or null"
            : "";
    print_bounds(bounds, sizeof bounds, a);
    if (a->text && a->type == FANIN_ATTR_RULE)
        print_rule(words, sizeof words, a->text);
    else if (a->text)
        print_words(words, sizeof words, a->text);
    switch (a->type) {
    case FANIN_ATTR_BOOL:
        snprintf(out, RECORD_TEXT, "true or false");
        return;
    case FANIN_ATTR_INT:
        snprintf(out, RECORD_TEXT, "whole number%s%s", bounds, null);
        return;
    case FANIN_ATTR_REAL:
        snprintf(out, RECORD_TEXT, "number%s%s", bounds, null);
        return;
    case FANIN_ATTR_CHOICE:
        snprintf(out, RECORD_TEXT, "%s", words);
        return;
    case FANIN_ATTR_STRING:
        snprintf(out, RECORD_TEXT, "text");
        return;
    case FANIN_ATTR_RULE:
        snprintf(out, RECORD_TEXT, "%s", words);
        return;
    case FANIN_ATTR_LIST:
        snprintf(out, RECORD_TEXT, "list of numbers%s%s%s%s", *bounds ? ", each" : "",
                 *bounds ? bounds + 1 : "", *words ? ", or " : "", words);
        return;
    case FANIN_ATTR_GAIN:
        snprintf(out, RECORD_TEXT, "number%s, or an activation's name%s", bounds, null);
        return;
    case FANIN_ATTR_TEXTS:
        if (a->text && !*a->text)
            snprintf(out, RECORD_TEXT, "map from names to texts");
        else
            snprintf(out, RECORD_TEXT,
                     a->text ? "%s, or a map from names to these" : "list of texts", words);
        return;
    }
}

/* The index-th of the words "a|b|c". */
static void print_word(char *out, size_t size, const char *words, int index) {
    for (; index > 0 && words; index--) {
        words = strchr(words, '|');
        if (words) words++;
    }
    snprintf(out, size, "%.*s", words ? (int)strcspn(words, "|") : 0, words ? words : "");
}

void record_default(char out[RECORD_TEXT], const struct fanin_attr_spec *a) {
    out[0] = '\0';
    if (a->flags & FANIN_ATTR_REQUIRED) {
        snprintf(out, RECORD_TEXT, "required");
        return;
    }
    switch (a->type) {
    case FANIN_ATTR_BOOL:
        snprintf(out, RECORD_TEXT, "%s", a->def != 0 ? "true" : "false");
        return;
    case FANIN_ATTR_INT:
    case FANIN_ATTR_REAL:
    case FANIN_ATTR_GAIN:
        if (!isnan(a->def) && !(a->type == FANIN_ATTR_INT && a->def < -9e18))
            print_number(out, RECORD_TEXT, a->def);
        return;
    case FANIN_ATTR_CHOICE:
        print_word(out, RECORD_TEXT, a->text, (int)a->def);
        return;
    case FANIN_ATTR_TEXTS:
        if (a->text) print_word(out, RECORD_TEXT, a->text, (int)a->def);
        return;
    case FANIN_ATTR_STRING:
        if (a->text) snprintf(out, RECORD_TEXT, "%s", a->text);
        return;
    case FANIN_ATTR_RULE:
    case FANIN_ATTR_LIST:
        return;
    }
}

/* ---- examples ---------------------------------------------------------------------------------- */

#define EXAMPLE_WIDTH 88

static int is_plain(const char *text) {
    if (!isalpha((unsigned char)*text)) return 0;
    while (isalnum((unsigned char)*text) || *text == '_' || *text == '.' || *text == '/') text++;
    return !*text;
}

/* A number that may stand for an attribute without a default. */
static double some_number(const struct fanin_attr_spec *a) {
    static const double tries[] = {10, 0.01, 0.5, 1, 2, 0};
    for (size_t i = a->type == FANIN_ATTR_REAL; i < sizeof tries / sizeof tries[0]; i++)
        if (in_bounds(a, tries[i]) && (a->type == FANIN_ATTR_REAL || tries[i] == floor(tries[i])))
            return tries[i];
    return a->min;
}

/* The value of an attribute in an example, "" if it has none to show. */
static void example_value(char out[RECORD_TEXT], const struct fanin_attr_spec *a) {
    int required = a->flags & FANIN_ATTR_REQUIRED;
    if (!required) {
        record_default(out, a);
        int number =
            a->type == FANIN_ATTR_INT || a->type == FANIN_ATTR_REAL || a->type == FANIN_ATTR_GAIN;
        if (number && !in_bounds(a, a->def)) out[0] = '\0';
        if (a->type == FANIN_ATTR_LIST && a->text) print_word(out, RECORD_TEXT, a->text, 0);
        if (a->type == FANIN_ATTR_STRING && a->text && *a->text && !is_plain(a->text))
            snprintf(out, RECORD_TEXT, strchr(a->text, '\'') ? "\"%s\"" : "'%s'", a->text);
        return;
    }
    out[0] = '\0';
    if (a->type == FANIN_ATTR_INT || a->type == FANIN_ATTR_REAL || a->type == FANIN_ATTR_GAIN)
        print_number(out, RECORD_TEXT, some_number(a));
    else if (a->type == FANIN_ATTR_BOOL)
        snprintf(out, RECORD_TEXT, "true");
    else if (a->type == FANIN_ATTR_LIST)
        snprintf(out, RECORD_TEXT, "[%g, %g]", a->min < a->max ? fmax(a->min, 3) : 3,
                 a->min < a->max ? fmin(a->max, 7) : 7);
    else if (a->text && a->type != FANIN_ATTR_RULE)
        print_word(out, RECORD_TEXT, a->text, 0);
    else if (a->type == FANIN_ATTR_TEXTS)
        snprintf(out, RECORD_TEXT, "[a, b]");
    else
        snprintf(out, RECORD_TEXT, "name");
}

/* "name", or "name: {a: 1, b: 2}" with what is required and as much else as there is room for. */
static void example_rule(char out[RECORD_TEXT], const struct fanin_record *record) {
    char attrs[RECORD_TEXT] = "", value[RECORD_TEXT];
    size_t at = 0;
    for (const struct fanin_attr_spec *a = record->attrs; a && a->name; a++) {
        example_value(value, a);
        size_t more = strlen(a->name) + strlen(value) + 4;
        int fits = strlen(record->name) + at + more < EXAMPLE_WIDTH - 20;
        if (!*value || (!fits && !(a->flags & FANIN_ATTR_REQUIRED)) || at + more >= sizeof attrs)
            continue;
        at += (size_t)snprintf(attrs + at, sizeof attrs - at, "%s%s: %s", at ? ", " : "", a->name,
                               value);
    }
    snprintf(out, RECORD_TEXT, at ? "%s: {%.400s}" : "%s", record->name, attrs);
}

/* The key of a recipe that takes records of this kind, with the sections around it: "data: {reader:
 * %s}"; `rules`: by name in a map. */
static int find_place(const char *kind, const char **section, const char **key, int *rules) {
    const struct fanin_record *s;
    for (int i = 0; (s = fanin_recipe_section(i)) != NULL; i++)
        for (const struct fanin_attr_spec *a = s->attrs; a->name; a++) {
            const char *text = a->type == FANIN_ATTR_RULE ? a->text : "";
            *rules = !strncmp(text, "rules:", 6);
            if (strcmp(*rules ? text + 6 : text, kind) != 0) continue;
            *section = i ? s->name : NULL; /* the first one is the recipe itself */
            *key = a->name;
            return 1;
        }
    return 0;
}

void record_example(char out[RECORD_TEXT], const char *kind, const struct fanin_record *record) {
    char rule[RECORD_TEXT];
    const char *section, *key;
    int rules;
    const char *place = !strcmp(kind, "metric") ? "train: {early_stop: {metric: *}}" : NULL;
    out[0] = '\0';
    if (record->place) place = record->place;
    example_rule(rule, record);
    if (place) {
        const char *star = strchr(place, '*');
        if (star)
            snprintf(out, RECORD_TEXT, "%.*s%.400s%.100s", (int)(star - place), place, rule,
                     star + 1);
        return;
    }
    const char *open = strchr(rule, ':') ? "{" : "", *close = *open ? "}" : "";
    if (!strcmp(kind, "op"))
        snprintf(out, RECORD_TEXT, "- %.500s", rule);
    else if (!strcmp(kind, RECORD_SECTIONS) || !find_place(kind, &section, &key, &rules))
        out[0] = '\0';
    else if (section)
        snprintf(out, RECORD_TEXT, "%s: {%s: %s%.300s%s}", section, key, open, rule, close);
    else if (rules)
        snprintf(out, RECORD_TEXT, "%s: {%.300s%s}", key, rule, *open ? "" : ": {}");
    else
        snprintf(out, RECORD_TEXT, "%s: %s%.300s%s", key, open, rule, close);
}
