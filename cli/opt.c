/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parsing of options from tables (opt.h). A wrong option is told in one line that says what would
 * have been right: the nearest name, the bounds, the usage.
 */
#include "opt.h"

#include <fanin/record.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAMES_MAX 64
/* ---- parsing ---------------------------------------------------------------------------------------- */

static int is_named(const struct opt *o, const char *name, size_t length) {
    return strlen(o->name) == length && !strncmp(o->name, name, length);
}

static const struct opt *find(const struct opt_command *c, const char *name, size_t length,
                              char letter) {
    const struct opt *tables[] = {c->own, c->common};
    for (int t = 0; t < 2; t++)
        for (const struct opt *o = tables[t]; o && o->name; o++)
            if (name ? is_named(o, name, length) : o->letter == letter) return o;
    return NULL;
}

static int unknown(const struct opt_command *c, const char *given, size_t length) {
    const char *names[NAMES_MAX];
    char name[64];
    int n = 0;
    const struct opt *tables[] = {c->own, c->common};
    for (int t = 0; t < 2; t++)
        for (const struct opt *o = tables[t]; o && o->name && n < NAMES_MAX - 1; o++)
            names[n++] = o->name;
    names[n++] = "help";
    snprintf(name, sizeof name, "%.*s", (int)length, given);
    const char *near = fanin_nearest(name, names, n);
    if (near)
        fprintf(stderr, "fanin: %s: unknown option --%s; did you mean --%s?\n", c->name, name,
                near);
    else
        fprintf(stderr, "fanin: %s: unknown option --%s; see fanin %s --help\n", c->name, name,
                c->name);
    return 2;
}

/* The word of "a|b|c" that `text` is, from 1; 0: none. */
static int word_index(const char *words, const char *text) {
    for (int i = 1;; i++) {
        size_t length = strcspn(words, "|");
        if (strlen(text) == length && !strncmp(words, text, length)) return i;
        if (!words[length]) return 0;
        words += length + 1;
    }
}

static int store_word(const struct opt_command *c, const struct opt *o, int *field,
                      const char *text) {
    *field = word_index(o->value, text);
    if (*field) return 0;
    fprintf(stderr, "fanin: %s: --%s takes one of %s, not '%s'\n", c->name, o->name, o->value,
            text);
    return 2;
}

static int store_count(const struct opt_command *c, const struct opt *o, struct opt_count *field,
                       const char *text) {
    const char *word = strchr(o->value, '|');
    char *end;
    errno = 0;
    if (word && !strcmp(word + 1, text)) {
        *field = (struct opt_count){2, 0};
        return 0;
    }
    unsigned long long value = strtoull(text, &end, 10);
    /* strtoull takes a sign and spaces; we do not */
    if (*text < '0' || *text > '9' || *end || errno || value < o->min || value > o->max) {
        fprintf(stderr,
                "fanin: %s: --%s takes a whole number from %" PRIu64 " to %" PRIu64
                "%s%s, not '%s'\n",
                c->name, o->name, o->min, o->max, word ? ", or " : "", word ? word + 1 : "", text);
        return 2;
    }
    *field = (struct opt_count){1, value};
    return 0;
}

static int store_real(const struct opt_command *c, const struct opt *o, struct opt_real *field,
                      const char *text) {
    char *end;
    const double value = strtod(text, &end);
    /* strtod takes spaces, words and hexadecimal numbers too; we do not */
    const int plain = *text && text[strspn(text, "0123456789.eE+-")] == '\0';
    if (!plain || *end || !(value >= (double)o->min && value <= (double)o->max)) {
        fprintf(stderr,
                "fanin: %s: --%s takes a number from %" PRIu64 " to %" PRIu64 ", not '%s'\n",
                c->name, o->name, o->min, o->max, text);
        return 2;
    }
    *field = (struct opt_real){1, value};
    return 0;
}

static int store(const struct opt_command *c, const struct opt *o, void *fields, const char *text,
                 int room) {
    void *field = (char *)fields + o->offset;
    struct opt_list *list = field;
    switch (o->type) {
    case OPT_FLAG:
        *(int *)field = 1;
        return 0;
    case OPT_TEXT:
        *(const char **)field = text;
        return 0;
    case OPT_COUNT:
        return store_count(c, o, field, text);
    case OPT_REAL:
        return store_real(c, o, field, text);
    case OPT_WORD:
        return store_word(c, o, field, text);
    case OPT_LIST:
        if (!list->items) list->items = calloc((size_t)room, sizeof *list->items);
        if (!list->items) {
            fprintf(stderr, "fanin: %s: out of memory\n", c->name);
            return 1;
        }
        list->items[list->n++] = text;
        return 0;
    }
    return 0;
}

/* One option at argv[*i], which begins with a dash; *i moves to its last word. */
static int parse_one(const struct opt_command *c, int argc, char **argv, int *i, void *fields) {
    const char *word = argv[*i], *value = NULL;
    const struct opt *o;
    if (word[1] == '-') {
        size_t length = strcspn(word + 2, "=");
        o = find(c, word + 2, length, 0);
        if (!o) return unknown(c, word + 2, length);
        if (word[2 + length]) value = word + 3 + length;
    } else {
        o = find(c, NULL, 0, word[1]);
        if (!o) {
            fprintf(stderr, "fanin: %s: unknown option -%c; see fanin %s --help\n", c->name,
                    word[1], c->name);
            return 2;
        }
        if (word[2]) value = word + 2;
    }
    if (o->type == OPT_FLAG && value) {
        fprintf(stderr, "fanin: %s: --%s takes no value\n", c->name, o->name);
        return 2;
    }
    if (o->type != OPT_FLAG && !value) {
        if (*i + 1 >= argc) {
            fprintf(stderr, "fanin: %s: --%s needs a value: --%s %s\n", c->name, o->name, o->name,
                    o->value);
            return 2;
        }
        value = argv[++*i];
    }
    return store(c, o, fields, value, argc);
}

int opt_parse(const struct opt_command *c, int argc, char **argv, void *fields,
              const char **operands, int *n) {
    int options = 1;
    *n = 0;
    for (int i = 0; i < argc; i++) {
        if (options && !strcmp(argv[i], "--")) {
            options = 0;
        } else if (options && argv[i][0] == '-' && argv[i][1]) {
            int status = parse_one(c, argc, argv, &i, fields);
            if (status) return status;
        } else if (*n == c->max_operands) {
            fprintf(stderr,
                    "fanin: %s: one operand too many: '%s'; usage: fanin %s [OPTION]... %s\n",
                    c->name, argv[i], c->name, c->operands);
            return 2;
        } else {
            operands[(*n)++] = argv[i];
        }
    }
    if (*n < c->min_operands) {
        fprintf(stderr, "fanin: %s: an operand is missing; usage: fanin %s [OPTION]... %s\n",
                c->name, c->name, c->operands);
        return 2;
    }
    return 0;
}

void opt_free(const struct opt_command *c, void *fields) {
    const struct opt *tables[] = {c->own, c->common};
    for (int t = 0; t < 2; t++)
        for (const struct opt *o = tables[t]; o && o->name; o++)
            if (o->type == OPT_LIST)
                free(((struct opt_list *)(void *)((char *)fields + o->offset))->items);
}

/* ---- usage ------------------------------------------------------------------------------------------ */

void opt_usage(const struct opt_command *c) {
    const struct opt *tables[] = {c->own, c->common};
    printf("Usage: fanin %s [OPTION]...%s%s\n%s.\n\n", c->name, *c->operands ? " " : "",
           c->operands, c->about);
    for (int t = 0; t < 2; t++)
        for (const struct opt *o = tables[t]; o && o->name; o++) {
            char left[48];
            snprintf(left, sizeof left, "%c%c%s--%s%s%s", o->letter ? '-' : ' ',
                     o->letter ? o->letter : ' ', o->letter ? ", " : "  ", o->name,
                     o->value ? " " : "", o->value ? o->value : "");
            printf("  %-26s%s", left, strlen(left) > 26 ? "\n                             " : " ");
            printf("%s%s\n", o->help, o->type == OPT_LIST ? "; may be repeated" : "");
        }
    printf("      %-22s %s\n", "--help", "print this text");
}
